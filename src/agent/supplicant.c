/* SPDX-License-Identifier: Apache-2.0
 *
 * wpa_supplicant as a child process.
 */
#include "agent/supplicant.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

#define STATUS_MAX 4096
#define CONFIG_MAX 8192

/* --- configuration ---------------------------------------------------------------------------- */

/* Everything between quotes there. The escapes of that format are not needed for paths and names,
 * so what would need them is refused. */
static struct lk_result
check_plain(const char *what, const char *s, struct lk_err *e)
{
	size_t i;

	LK_REQUIRE(*s, e, LK_R_AGENT_SUPPLICANT, "%s is empty", what);
	for (i = 0; s[i]; i++)
		LK_REQUIRE(s[i] > 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\' && s[i] != '#',
			e, LK_R_AGENT_SUPPLICANT, "%s has a character that is not taken", what);
	return LK_OK;
}

/*= RFC5216 5.3: the server is accepted by the given anchor and its exact name alone =*/
struct lk_result
lk_supplicant_config(const struct lk_supplicant_settings *s, struct lk_buf *out, struct lk_err *e)
{
	const char *name;

	LK_TRY(check_plain("the state folder's path", s->state_dir, e));
	LK_TRY(check_plain("the key's path", s->key->file, e));
	LK_TRY(check_plain("the RADIUS server's name", s->radius_server, e));
	/* A name alone: domain_match takes a list. */
	for (name = s->radius_server; *name; name++)
		LK_REQUIRE(
			strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-",
				*name),
			e, LK_R_AGENT_SUPPLICANT, "'%s' is not one DNS name", s->radius_server);
	return lk_buf_printf(out, e,
		"ctrl_interface=%s/run/wpa\n"
		"ap_scan=0\n"
		"eapol_version=2\n"
		"network={\n"
		"\tkey_mgmt=IEEE8021X\n"
		"\teap=TLS\n"
		"\teapol_flags=0\n"
		"\tanonymous_identity=\"anonymous\"\n"
		"\tidentity=\"anonymous\"\n"
		"\tphase1=\"tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_3=0\"\n"
		"\tca_cert=\"%s/" LK_RADIUS_ANCHOR_FILE "\"\n"
		"\tdomain_match=\"%s\"\n"
		"\tclient_cert=\"%s/" LK_LDEVID_FILE "\"\n"
		"\tprivate_key=\"%s\"\n"
		"}\n",
		s->state_dir, s->state_dir, s->radius_server, s->state_dir, s->key->file);
}

/* --- process ---------------------------------------------------------------------------------- */

/* Between fork and exec: only what is safe there. */
static void
become(const struct lk_supplicant_settings *s, const char *config, const char *const environment[])
{
	const char *const argv[] = { "wpa_supplicant", "-D", "wired", "-i", s->interface, "-c",
		config, NULL };
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL); /* the agent's own waiting blocks some */
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO); /* ours is the timeline */
	}
	execve(s->program, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)environment);
	_exit(127);
}

struct lk_result
lk_supplicant_start(
	const struct lk_supplicant_settings *s, struct lk_supplicant *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(CONFIG_MAX);
	char config[PATH_MAX], conf_variable[PATH_MAX + 16];
	const char *environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL, NULL };
	pid_t pid;

	LK_REQUIRE(access(s->program, X_OK) == 0, e, LK_R_AGENT_SUPPLICANT, "%s: %s", s->program,
		strerror(errno));
	LK_TRY(lk_supplicant_config(s, &text, e));
	LK_TRY(lk_path_join(s->state_dir, "run/wired.conf", config, sizeof config, e));
	LK_TRY(lk_file_replace(config, lk_buf_slice(&text), 0600, e));
	if (s->key->openssl_conf[0]) {
		snprintf(conf_variable, sizeof conf_variable, "OPENSSL_CONF=%s",
			s->key->openssl_conf);
		environment[1] = conf_variable;
	}
	pid = fork();
	LK_REQUIRE(pid >= 0, e, LK_R_AGENT_SUPPLICANT, "fork: %s", strerror(errno));
	if (pid == 0)
		become(s, config, environment);
	*ret = (struct lk_supplicant){ .pid = pid, .fd = -1 };
	return LK_OK;
}

void
lk_supplicant_stop(struct lk_supplicant *s)
{
	if (s->fd >= 0) {
		close(s->fd);
		unlink(s->own);
	}
	s->fd = -1;
	if (s->pid > 0) {
		kill(s->pid, SIGTERM);
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	s->pid = 0;
}

/* --- control socket --------------------------------------------------------------------------- */

/* Its socket appears when it is ready; until then this fails and is tried again. */
static bool
attach(struct lk_supplicant *s, const struct lk_supplicant_settings *set)
{
	struct sockaddr_un own = { .sun_family = AF_UNIX }, theirs = { .sun_family = AF_UNIX };
	int fd;

	if ((size_t)snprintf(own.sun_path, sizeof own.sun_path, "%s/run/wpa-agent.sock",
		    set->state_dir) >= sizeof own.sun_path ||
		(size_t)snprintf(theirs.sun_path, sizeof theirs.sun_path, "%s/run/wpa/%s",
			set->state_dir, set->interface) >= sizeof theirs.sun_path)
		return false;
	unlink(own.sun_path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	if (bind(fd, (struct sockaddr *)&own, sizeof own) < 0 ||
		connect(fd, (struct sockaddr *)&theirs, sizeof theirs) < 0) {
		close(fd);
		unlink(own.sun_path);
		return false;
	}
	s->fd = fd;
	memcpy(s->own, own.sun_path, sizeof s->own);
	return true;
}

static void
say(struct lk_supplicant *s, const char *command)
{
	(void)!send(
		s->fd, command, strlen(command), MSG_DONTWAIT); /* asked again by the next poll */
}

static enum lk_supplicant_port
read_status(struct lk_supplicant *s, const char *status)
{
	if (strstr(status, "\nsuppPortStatus=Authorized") &&
		strstr(status, "\nSupplicant PAE state=AUTHENTICATED"))
		return LK_PORT_OPEN;
	if (strstr(status, "\nSupplicant PAE state=HELD"))
		return LK_PORT_REFUSED;
	/* Now it sends EAPOL-Start, not after 2 s. Earlier than CONNECTING it would be lost. */
	if (!s->logged_on && strstr(status, "\nSupplicant PAE state=CONNECTING")) {
		s->logged_on = true;
		say(s, "LOGON");
	}
	return LK_PORT_TRYING;
}

bool
lk_supplicant_ended(struct lk_supplicant *s)
{
	if (s->pid <= 0 || waitpid(s->pid, NULL, WNOHANG) != s->pid)
		return false;
	s->pid = 0;
	return true;
}

enum lk_supplicant_port
lk_supplicant_poll(struct lk_supplicant *s, const struct lk_supplicant_settings *set)
{
	enum lk_supplicant_port port = LK_PORT_TRYING;
	char status[STATUS_MAX];
	ssize_t n;

	if (lk_supplicant_ended(s))
		return LK_PORT_DEAD;
	if (s->fd < 0 && !attach(s, set))
		return LK_PORT_TRYING;
	while ((n = recv(s->fd, status, sizeof status - 1, MSG_DONTWAIT)) > 0) {
		status[n] = 0;
		if (port == LK_PORT_TRYING)
			port = read_status(s, status);
	}
	if (port == LK_PORT_TRYING)
		say(s, "STATUS");
	return port;
}
