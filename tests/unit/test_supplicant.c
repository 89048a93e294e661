/* SPDX-License-Identifier: Apache-2.0
 *
 * wpa_supplicant as the agent sees it: the configuration that it is given, what its status says of
 * the port, and that nothing of it is left. The program itself runs in the demo.
 */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/supplicant.h"
#include "base/file.h"

static const struct lk_supplicant_key key = { .file = "/d/onboarding/ldevid.key" };

static struct lk_supplicant_settings
usual(void)
{
	return (struct lk_supplicant_settings){ .program = "/bin/false",
		.interface = "eth0",
		.state_dir = "/d",
		.radius_server = "radius.home.example",
		.key = &key };
}

/* --- configuration ---------------------------------------------------------------------------- */

/*= RFC5216 5.3: the server is accepted by the given anchor and its exact name alone =*/
static void
test_configuration(void **state)
{
	static const char want[] =
		"ctrl_interface=/d/run/wpa\n"
		"ap_scan=0\n"
		"eapol_version=2\n"
		"network={\n"
		"\tkey_mgmt=IEEE8021X\n"
		"\teap=TLS\n"
		"\teapol_flags=0\n"
		"\tanonymous_identity=\"anonymous\"\n"
		"\tidentity=\"anonymous\"\n"
		"\tphase1=\"tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_3=0\"\n"
		"\tca_cert=\"/d/onboarding/radius.pem\"\n"
		"\tdomain_match=\"radius.home.example\"\n"
		"\tclient_cert=\"/d/onboarding/ldevid.pem\"\n"
		"\tprivate_key=\"/d/onboarding/ldevid.key\"\n"
		"}\n";
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(8192);
	struct lk_supplicant_settings s = usual();
	struct lk_err e;

	(void)state;
	assert_true(lk_supplicant_config(&s, &text, &e).ok);
	assert_string_equal(lk_buf_str(&text), want);
}

/* What the network says of its RADIUS server becomes one name between quotes, or nothing. */
/*= RFC5216 5.3: the server is accepted by the given anchor and its exact name alone =*/
static void
test_names_that_are_more_than_a_name(void **state)
{
	static const char *const bad[] = { "", "a.example;b.example", "a.example\"", "a.example\n",
		"a.example\"\n\tca_cert=\"/etc/ssl", "*.example", "a b", "a\\b", "a#b", "a/b",
		"a,b", "caf\xc3\xa9.example", "a\tb", "a\x7f" };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(8192);
		struct lk_supplicant_settings s = usual();
		struct lk_err e;

		s.radius_server = bad[i];
		assert_refused(lk_supplicant_config(&s, &text, &e), e, LK_R_AGENT_SUPPLICANT);
		assert_int_equal(text.n, 0);
	}
}

static void
test_paths_that_would_need_quoting(void **state)
{
	static const char *const bad[] = { "", "/d\"", "/d d", "/d\n", "/d#", "/d\\" };
	size_t i;

	(void)state;
	for (i = 0; i < 2 * LK_ARRAY_LEN(bad); i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(8192);
		struct lk_supplicant_settings s = usual();
		struct lk_supplicant_key other = { .file = "" };
		struct lk_err e;

		snprintf(other.file, sizeof other.file, "%s", bad[i / 2]);
		if (i % 2)
			s.key = &other;
		else
			s.state_dir = bad[i / 2];
		assert_refused(lk_supplicant_config(&s, &text, &e), e, LK_R_AGENT_SUPPLICANT);
		assert_int_equal(text.n, 0);
	}
}

/* --- process and control socket --------------------------------------------------------------- */

/* A folder with run/wpa/ in it, and a program that waits to be ended. */
struct stage {
	char dir[64];
	struct lk_supplicant_settings set;
	struct lk_supplicant supplicant;
	int control; /* the program's end of the socket; -1: not there yet */
};

static void
below(const struct stage *g, const char *name, char path[static 108])
{
	snprintf(path, 108, "%s/%s", g->dir, name);
}

static void
stage_init(struct stage *g)
{
	char path[108];

	*g = (struct stage){ .dir = "/tmp/test-supplicant.XXXXXX", .set = usual(), .control = -1 };
	assert_non_null(mkdtemp(g->dir));
	below(g, "run", path);
	assert_int_equal(mkdir(path, 0700), 0);
	below(g, "run/wpa", path);
	assert_int_equal(mkdir(path, 0700), 0);
	g->set.state_dir = g->dir;
	g->supplicant = (struct lk_supplicant){ .fd = -1, .pid = fork() };
	assert_true(g->supplicant.pid >= 0);
	if (g->supplicant.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
		for (;;)
			pause();
	}
}

static void
stage_done(struct stage *g)
{
	static const char *const files[] = { "run/wpa/eth0", "run/wpa-agent.sock",
		"run/wired.conf" };
	static const char *const folders[] = { "run/wpa", "run", "" };
	char path[108];
	size_t i;

	lk_supplicant_stop(&g->supplicant);
	if (g->control >= 0)
		close(g->control);
	for (i = 0; i < LK_ARRAY_LEN(files); i++) {
		below(g, files[i], path);
		unlink(path);
	}
	for (i = 0; i < LK_ARRAY_LEN(folders); i++) {
		below(g, folders[i], path);
		assert_int_equal(rmdir(path), 0);
	}
}

/* The program is ready. */
static void
open_control(struct stage *g)
{
	struct sockaddr_un own = { .sun_family = AF_UNIX };

	below(g, "run/wpa/eth0", own.sun_path);
	g->control = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(g->control >= 0);
	assert_int_equal(bind(g->control, (struct sockaddr *)&own, sizeof own), 0);
}

/* The next command that came; "" for none. */
static const char *
command(struct stage *g)
{
	static char text[64];
	ssize_t n = recv(g->control, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static void
say(struct stage *g, const char *status)
{
	struct sockaddr_un theirs = { .sun_family = AF_UNIX };

	memcpy(theirs.sun_path, g->supplicant.own, sizeof theirs.sun_path);
	assert_int_equal(sendto(g->control, status, strlen(status), 0, (struct sockaddr *)&theirs,
				 sizeof theirs),
		strlen(status));
}

static enum lk_supplicant_port
polled(struct stage *g)
{
	return lk_supplicant_poll(&g->supplicant, &g->set);
}

static void
test_the_way_to_an_open_port(void **state)
{
	LK_CLEANUP(stage_done) struct stage g;

	(void)state;
	stage_init(&g);
	assert_int_equal(polled(&g), LK_PORT_TRYING); /* not ready yet */
	open_control(&g);
	assert_int_equal(polled(&g), LK_PORT_TRYING);
	assert_string_equal(command(&g), "STATUS");
	say(&g, "wpa_state=ASSOCIATED\nSupplicant PAE state=DISCONNECTED\n");
	assert_int_equal(polled(&g), LK_PORT_TRYING);
	assert_string_equal(command(&g), "STATUS");
	/* CONNECTING: it is told to begin, once */
	say(&g, "wpa_state=ASSOCIATED\nSupplicant PAE state=CONNECTING\n");
	assert_int_equal(polled(&g), LK_PORT_TRYING);
	assert_string_equal(command(&g), "LOGON");
	assert_string_equal(command(&g), "STATUS");
	say(&g, "wpa_state=ASSOCIATED\nSupplicant PAE state=CONNECTING\n");
	assert_int_equal(polled(&g), LK_PORT_TRYING);
	assert_string_equal(command(&g), "STATUS");
	/* neither half is enough */
	say(&g, "x\nSupplicant PAE state=AUTHENTICATED\nsuppPortStatus=Unauthorized\n");
	assert_int_equal(polled(&g), LK_PORT_TRYING);
	say(&g, "x\nSupplicant PAE state=AUTHENTICATING\nsuppPortStatus=Authorized\n");
	assert_int_equal(polled(&g), LK_PORT_TRYING);
	say(&g, "x\nSupplicant PAE state=AUTHENTICATED\nsuppPortStatus=Authorized\n");
	assert_int_equal(polled(&g), LK_PORT_OPEN);
}

static void
test_a_port_that_stays_shut(void **state)
{
	LK_CLEANUP(stage_done) struct stage g;

	(void)state;
	stage_init(&g);
	open_control(&g);
	assert_int_equal(polled(&g), LK_PORT_TRYING);
	say(&g, "x\nSupplicant PAE state=HELD\nsuppPortStatus=Unauthorized\n");
	assert_int_equal(polled(&g), LK_PORT_REFUSED);
}

/* Waits until the process is over, and leaves it to be collected. */
static void
wait_for_end(pid_t pid)
{
	siginfo_t info;

	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0)
		assert_int_equal(errno, EINTR);
}

static void
test_a_program_that_ends(void **state)
{
	LK_CLEANUP(stage_done) struct stage g;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(8192);
	char path[108];
	struct stat st;
	struct lk_err e;

	(void)state;
	stage_init(&g);
	lk_supplicant_stop(&g.supplicant);
	assert_int_equal(g.supplicant.pid, 0);
	assert_true(lk_supplicant_start(&g.set, &g.supplicant, &e).ok);
	wait_for_end(g.supplicant.pid);
	assert_int_equal(polled(&g), LK_PORT_DEAD);
	assert_int_equal(g.supplicant.pid, 0);
	/* what it was started with is nobody else's to read */
	below(&g, "run/wired.conf", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(lk_file_read(path, &text, &e).ok);
	assert_non_null(strstr(lk_buf_str(&text), "domain_match=\"radius.home.example\"\n"));
}

/* Whoever does not poll the port hears of its end, once. */
static void
test_an_end_is_said_once(void **state)
{
	LK_CLEANUP(stage_done) struct stage g;
	struct lk_err e;

	(void)state;
	stage_init(&g);
	assert_false(lk_supplicant_ended(&g.supplicant)); /* it waits */
	lk_supplicant_stop(&g.supplicant);
	assert_false(lk_supplicant_ended(&g.supplicant)); /* there is none */
	assert_true(lk_supplicant_start(&g.set, &g.supplicant, &e).ok);
	wait_for_end(g.supplicant.pid);
	assert_true(lk_supplicant_ended(&g.supplicant));
	assert_false(lk_supplicant_ended(&g.supplicant));
	assert_int_equal(g.supplicant.pid, 0);
}

static void
test_nothing_is_started(void **state)
{
	LK_CLEANUP(stage_done) struct stage g;
	struct lk_supplicant none = { .pid = 0, .fd = -1 };
	struct lk_err e;

	(void)state;
	stage_init(&g);
	g.set.program = "/nonexistent/wpa_supplicant";
	assert_refused(lk_supplicant_start(&g.set, &none, &e), e, LK_R_AGENT_SUPPLICANT);
	g.set.program = "/bin/false";
	g.set.radius_server = "a;b";
	assert_refused(lk_supplicant_start(&g.set, &none, &e), e, LK_R_AGENT_SUPPLICANT);
	assert_int_equal(none.pid, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_names_that_are_more_than_a_name),
		cmocka_unit_test(test_paths_that_would_need_quoting),
		cmocka_unit_test(test_the_way_to_an_open_port),
		cmocka_unit_test(test_a_port_that_stays_shut),
		cmocka_unit_test(test_a_program_that_ends),
		cmocka_unit_test(test_an_end_is_said_once),
		cmocka_unit_test(test_nothing_is_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
