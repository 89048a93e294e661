/* SPDX-License-Identifier: Apache-2.0
 *
 * A small daemon of two roles, this program itself: a front that answers on a
 * Unix socket, and a keeper whom it asks. Killed, taken over, ended, left alone:
 * what must live comes back, and what must end leaves no process behind.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "role/supervisor.h"

#define UID_BASE 61440

/* --- faults that the machine does not give by itself ------------------------------------------ */

/* Seen by the supervisor, too, which is another process. Its loop keeps the true time: what it sets
 * after the clock was put forward comes late. */
static struct faults {
	_Atomic int forks;       /* that fail from now on */
	_Atomic int64_t skew_ms; /* of the clock that its timers and limits go by */
} * faults;
static pid_t tester;

pid_t __wrap_fork(void);
pid_t __real_fork(void);
int64_t __wrap_lk_loop_now_ms(const struct lk_loop *l);
int64_t __real_lk_loop_now_ms(const struct lk_loop *l);

pid_t
__wrap_fork(void)
{
	if (getpid() == tester || faults->forks == 0)
		return __real_fork();
	faults->forks--;
	errno = EAGAIN;
	return -1;
}

int64_t
__wrap_lk_loop_now_ms(const struct lk_loop *l)
{
	return __real_lk_loop_now_ms(l) + (faults ? faults->skew_ms : 0);
}

/* --- the daemon ------------------------------------------------------------------------------- */

struct config {
	struct lk_config_common common;
	char listen[LK_CONFIG_TEXT_MAX];
	bool fail, hang;
};

static const struct lk_config_key keys[] = {
	LK_CONFIG_COMMON("/nonexistent"),
	LK_CONFIG_TEXT(struct config, listen, "front", "listen", "unix:test.sock", "Where."),
	LK_CONFIG_BOOL(struct config, fail, "keeper", "fail", "no", "Whether it cannot start."),
	LK_CONFIG_BOOL(struct config, hang, "keeper", "hang", "no", "Whether it starts for ever."),
};

static const struct lk_config_spec config_spec = { "test", "/nonexistent/test.conf", keys,
	LK_ARRAY_LEN(keys), sizeof(struct config) };

/* The front: 'f' on a connection is answered with its own pid, 'k' with the keeper's or "gone",
 * 'x' makes it send the keeper what is no message. */
static void
say(uint64_t client, const char *text)
{
	int fd = (int)client;

	if (write(fd, text, strlen(text)) < 0)
		perror("client");
	close(fd);
}

static void
on_answer(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	struct lk_web_reply_body reply;
	char text[64] = "gone";

	(void)ctx;
	(void)why;
	if (m && lk_body_unpack(LK_BODY_web_reply, m->body, &reply, NULL).ok)
		lk_ignore(lk_slice_to_str(reply.body, "pid", text, sizeof text, NULL));
	say(tag, text);
}

static void
ask_keeper(struct lk_process *p, int client, bool garbage)
{
	struct lk_web_request_body body = { .label = "x" };
	struct lk_result r;

	if (garbage)
		r = lk_process_ask_packed(p, LK_ROLE_KEEPER, 0, LK_BODY_web_request,
			LK_SLICE_LIT("garbage"), on_answer, NULL, (uint64_t)client, NULL);
	else
		r = lk_process_ask(p, LK_ROLE_KEEPER, 0, LK_BODY_web_request, &body, on_answer,
			NULL, (uint64_t)client, NULL);
	if (!r.ok)
		say((uint64_t)client, "gone");
}

static void
on_client(void *ctx, unsigned ready)
{
	struct lk_process *p = ctx;
	int client = accept4(lk_process_listener(p, "test", 0), NULL, NULL, SOCK_CLOEXEC);
	char c = 0, text[32];

	(void)ready;
	if (client < 0 || read(client, &c, 1) != 1) {
		lk_closep(&client);
		return;
	}
	snprintf(text, sizeof text, "%ld", (long)getpid());
	if (c == 'f')
		say((uint64_t)client, text);
	else
		ask_keeper(p, client, c == 'x');
}

static struct lk_result
front_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	(void)p;
	(void)e;
	rules->profiles = LK_CAGE_SERVE;
	return LK_OK;
}

static struct lk_result
front_start(struct lk_process *p, struct lk_err *e)
{
	struct lk_watch *w;

	LK_TRY(lk_watch_new(
		p->loop, lk_process_listener(p, "test", 0), LK_READABLE, on_client, p, &w, e));
	p->state = w;
	return LK_OK;
}

static void
front_close(struct lk_process *p)
{
	lk_watch_free(p->state);
}

/* The keeper: reads a file of its folder before its cage, writes one inside. */
static struct lk_result
keeper_open(struct lk_process *p, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf key = LK_BUF_INIT(64);
	const struct config *c = p->config;
	char path[PATH_MAX];

	LK_REQUIRE(!c->fail, e, LK_R_CERT_TIME, "told to fail");
	if (c->hang) {
		LK_TRY(lk_path_join(p->state_dir, "started", path, sizeof path, e));
		LK_TRY(lk_file_replace(path, LK_SLICE_LIT("no"), 0600, e));
		for (;;)
			pause();
	}
	LK_TRY(lk_path_join(p->state_dir, "key", path, sizeof path, e));
	return lk_file_read(path, &key, e);
}

static struct lk_result
keeper_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	static struct lk_cage_path path;

	(void)e;
	path = (struct lk_cage_path){ p->state_dir, LK_CAGE_READ | LK_CAGE_WRITE };
	rules->profiles = LK_CAGE_FILES;
	rules->paths = &path;
	rules->n_paths = 1;
	return LK_OK;
}

static struct lk_result
keeper_start(struct lk_process *p, struct lk_err *e)
{
	char path[PATH_MAX];

	LK_TRY(lk_path_join(p->state_dir, "started", path, sizeof path, e));
	return lk_file_replace(path, LK_SLICE_LIT("yes"), 0600, e);
}

static struct lk_result
on_web_request(struct lk_process *p, const struct lk_peer_ref *from, const struct lk_message *m,
	struct lk_err *e)
{
	struct lk_web_request_body body;
	struct lk_web_reply_body reply = { .status = 200 };
	char text[32];

	LK_TRY(lk_body_unpack(LK_BODY_web_request, m->body, &body, e));
	snprintf(text, sizeof text, "%ld", (long)getpid());
	reply.body = lk_slice_str(text);
	return lk_process_reply(p, from, LK_BODY_web_reply, &reply, e);
}

static const struct lk_message_route keeper_routes[] = {
	{ LK_BODY_web_request, LK_ROLE_FRONT, on_web_request },
};

static const struct lk_role_work keeper_work = { .routes = keeper_routes,
	.n_routes = LK_ARRAY_LEN(keeper_routes),
	.open = keeper_open,
	.cage = keeper_cage,
	.start = keeper_start };
static const struct lk_role_work front_work = {
	.cage = front_cage, .start = front_start, .close = front_close
};

static const struct lk_program_listener listeners[] = {
	{ "test", offsetof(struct config, listen), 0600 },
};
static const struct lk_program_role roles[] = {
	{ .role = LK_ROLE_KEEPER, .work = &keeper_work, .state_dir = true },
	{ .role = LK_ROLE_FRONT, .work = &front_work, .listeners = listeners, .n_listeners = 1 },
};
static const struct lk_program_pair pairs[] = { { LK_ROLE_FRONT, LK_ROLE_KEEPER } };
static const struct lk_program program = { &config_spec, roles, LK_ARRAY_LEN(roles), pairs,
	LK_ARRAY_LEN(pairs) };

/* --- the tests -------------------------------------------------------------------------------- */

struct fixture {
	char dir[32];
	int notify; /* what the service manager would hear */
	pid_t supervisor;
};

static int
run(int argc, const char **argv)
{
	return lk_program_main(&program, argc, (char **)(uintptr_t)argv);
}

static void
path_of(const struct fixture *f, const char *name, char dst[static 96])
{
	snprintf(dst, 96, "%s/%s", f->dir, name);
}

static void
unix_address(const struct fixture *f, const char *name, struct sockaddr_un *ret)
{
	char path[96];

	path_of(f, name, path);
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, path, strlen(path) + 1);
}

/* Datagrams until no more are taken. */
static void
keep_manager_busy(const struct fixture *f)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa;

	unix_address(f, "notify.sock", &sa);
	while (sendto(fd, "WATCHDOG=1", 10, MSG_DONTWAIT, (struct sockaddr *)&sa, sizeof sa) > 0)
		continue;
	assert_int_equal(errno, EAGAIN);
	close(fd);
}

static void
start(struct fixture *f, const char *config)
{
	char file[96], notify[96];
	const char *argv[] = { "test", "--config", file, "--state-dir", f->dir, "--runtime-dir",
		f->dir, NULL };

	path_of(f, "test.conf", file);
	path_of(f, "notify.sock", notify);
	assert_true(lk_file_replace(file, lk_slice_str(config), 0600, NULL).ok);
	f->supervisor = fork();
	assert_true(f->supervisor >= 0);
	if (f->supervisor == 0) {
		setenv("NOTIFY_SOCKET", notify, 1);
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* no process outlives a test that failed */
		_exit(run(7, argv));
	}
}

static void
expect_notified(const struct fixture *f, const char *want)
{
	char text[64];
	ssize_t n;

	do {
		n = recv(f->notify, text, sizeof text - 1, 0);
		assert_true(n > 0);
		text[n] = 0;
	} while (strcmp(text, "WATCHDOG=1") == 0);
	assert_string_equal(text, want);
}

/* The pid that is answered, 0 for "gone", -1 when the connection ends without words. */
static long
ask(const struct fixture *f, char what)
{
	struct sockaddr_un sa;
	char text[64];
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unix_address(f, "test.sock", &sa);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(send(fd, &what, 1, MSG_NOSIGNAL), 1);
	n = recv(fd, text, sizeof text - 1, 0);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = 0;
	return strcmp(text, "gone") == 0 ? 0 : strtol(text, NULL, 10);
}

/* Asks until there is another answer than the old one. */
static long
ask_for_new(const struct fixture *f, char what, long old)
{
	long now;

	do
		now = ask(f, what);
	while (now <= 0 || now == old);
	return now;
}

/* All processes below this one have ended; it is their reaper. */
static void
expect_no_process(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static int
end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
setup(void **state)
{
	static struct fixture f;
	struct sockaddr_un sa;
	char path[96];

	f = (struct fixture){ .dir = "/tmp/test-supervisor-XXXXXX" };
	assert_non_null(mkdtemp(f.dir));
	assert_int_equal(chmod(f.dir, 0711), 0);
	f.notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unix_address(&f, "notify.sock", &sa);
	assert_int_equal(bind(f.notify, (struct sockaddr *)&sa, sizeof sa), 0);
	path_of(&f, "keeper", path);
	assert_int_equal(mkdir(path, 0700), 0);
	path_of(&f, "keeper/key", path);
	assert_true(lk_file_create(path, LK_SLICE_LIT("secret"), 0600, NULL).ok);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	faults->forks = 0;
	faults->skew_ms = 0;
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "keeper/key", "keeper/started", "keeper", "test.conf",
		"notify.sock" };
	struct fixture *f = *state;
	char path[96];
	size_t i;

	close(f->notify);
	for (i = 0; i < LK_ARRAY_LEN(names); i++) {
		path_of(f, names[i], path);
		remove(path);
	}
	return rmdir(f->dir); /* the daemon removed its socket */
}

static void
stop(struct fixture *f)
{
	assert_int_equal(kill(f->supervisor, SIGTERM), 0);
	assert_int_equal(end_of(f->supervisor), 0);
	expect_notified(f, "STOPPING=1");
	expect_no_process();
}

static void
test_killed_role_comes_back(void **state)
{
	struct fixture *f = *state;
	long front, keeper, again;

	start(f, "[log]\nlevel = error\n");
	expect_notified(f, "READY=1");
	front = ask(f, 'f');
	keeper = ask(f, 'k');
	assert_true(front > 0 && keeper > 0 && front != keeper);
	assert_int_equal(kill((pid_t)keeper, SIGKILL), 0);
	again = ask_for_new(f, 'k', keeper);
	assert_true(again != front);
	assert_int_equal(ask(f, 'f'), front); /* the other one lived on */
	assert_int_equal(kill((pid_t)front, SIGKILL), 0);
	assert_true(ask_for_new(f, 'f', front) != front);
	assert_int_equal(ask(f, 'k'), again);
	stop(f);
}

/* Ctrl-C reaches all: roles wait for the supervisor's word. */
static void
test_signals_to_roles(void **state)
{
	struct fixture *f = *state;
	long front, keeper;

	start(f, "[log]\nlevel = error\n");
	expect_notified(f, "READY=1");
	front = ask(f, 'f');
	keeper = ask(f, 'k');
	assert_int_equal(kill((pid_t)front, SIGINT), 0);
	assert_int_equal(kill((pid_t)front, SIGTERM), 0);
	assert_int_equal(kill((pid_t)keeper, SIGTERM), 0);
	assert_int_equal(kill((pid_t)keeper, SIGHUP), 0);
	assert_int_equal(ask(f, 'f'), front);
	assert_int_equal(ask(f, 'k'), keeper);
	stop(f);
}

/* The terminal is gone: an orderly end, not a sudden one. */
static void
test_hangup(void **state)
{
	struct fixture *f = *state;

	start(f, "[log]\nlevel = error\n");
	expect_notified(f, "READY=1");
	assert_int_equal(kill(f->supervisor, SIGHUP), 0);
	assert_int_equal(end_of(f->supervisor), 0);
	expect_notified(f, "STOPPING=1");
	expect_no_process();
}

/* The machine has no process to give for a moment: those that serve go on. */
static void
test_no_process_to_be_had(void **state)
{
	struct fixture *f = *state;
	long front, keeper;

	start(f, "[log]\nlevel = error\n");
	expect_notified(f, "READY=1");
	front = ask(f, 'f');
	keeper = ask(f, 'k');
	faults->forks = 2;
	assert_int_equal(kill((pid_t)keeper, SIGKILL), 0);
	ask_for_new(f, 'k', keeper);
	assert_int_equal(faults->forks, 0);
	assert_int_equal(ask(f, 'f'), front);
	stop(f);
}

/* A role that never gets ready is ended as one that never answers. */
static void
test_endless_start(void **state)
{
	struct fixture *f = *state;
	char path[96];

	setenv("WATCHDOG_USEC", "200000", 1); /* it looks after its roles ten times a second */
	start(f, "[keeper]\nhang = yes\n[log]\nlevel = error\n");
	path_of(f, "keeper/started", path);
	while (access(path, F_OK) < 0)
		sched_yield();
	unsetenv("WATCHDOG_USEC");
	faults->skew_ms = 301 * 1000;
	assert_int_equal(end_of(f->supervisor), lk_reason_exit_code(LK_R_ROLE_START));
	expect_no_process();
}

/* A manager that does not read for a moment hears that all is ready nevertheless. */
static void
test_busy_manager(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un sa;

	keep_manager_busy(f);
	start(f, "[log]\nlevel = error\n");
	unix_address(f, "test.sock", &sa);
	while (access(sa.sun_path, F_OK) < 0)
		sched_yield();
	assert_true(ask(f, 'k') > 0); /* all serve: what is said next finds a full queue */
	expect_notified(f, "READY=1");
	stop(f);
}

/* A front that sends garbage loses its link, the keeper lives on, and a clean front is started. */
static void
test_offender(void **state)
{
	struct fixture *f = *state;
	long front, keeper;

	start(f, "[log]\nlevel = error\n");
	expect_notified(f, "READY=1");
	front = ask(f, 'f');
	keeper = ask(f, 'k');
	assert_int_equal(ask(f, 'x'), 0);
	assert_int_equal(ask(f, 'k'), 0); /* shut out */
	assert_true(ask_for_new(f, 'f', front) != front);
	assert_int_equal(ask_for_new(f, 'k', -1), keeper);
	stop(f);
}

static void
test_supervisor_killed(void **state)
{
	struct fixture *f = *state;
	char path[96];
	long front, keeper;

	start(f, "[log]\nlevel = error\n");
	expect_notified(f, "READY=1");
	front = ask(f, 'f');
	keeper = ask(f, 'k');
	assert_int_equal(kill(f->supervisor, SIGKILL), 0);
	assert_int_equal(waitpid(f->supervisor, NULL, 0), f->supervisor);
	assert_int_equal(end_of((pid_t)front), 0);
	assert_int_equal(end_of((pid_t)keeper), 0);
	expect_no_process();
	path_of(f, "test.sock", path);
	assert_int_equal(unlink(path), 0);
}

/* What cannot start says so and ends; it does not try for ever. */
static void
test_failed_start(void **state)
{
	struct fixture *f = *state;

	start(f, "[keeper]\nfail = yes\n");
	assert_int_equal(end_of(f->supervisor), lk_reason_exit_code(LK_R_CERT_TIME));
	expect_no_process();
	expect_notified(f, "STOPPING=1");
}

static void
test_bad_config(void **state)
{
	struct fixture *f = *state;

	start(f, "[keeper]\nfial = yes\n");
	assert_int_equal(end_of(f->supervisor), lk_reason_exit_code(LK_R_CONFIG_UNKNOWN));
	start(f, "[front]\nlisten = nonsense\n");
	assert_int_equal(end_of(f->supervisor), lk_reason_exit_code(LK_R_LISTEN));
	expect_no_process();
}

/* What is asked for beforehand says what the start would have. */
static void
test_addresses_are_checked(void **state)
{
	static const struct {
		const char *listen;
		enum lk_reason reason;
	} rows[] = { { "", LK_R_NONE }, { "unix:a, [::1]:8443,192.0.2.1:1", LK_R_NONE },
		{ "nonsense", LK_R_LISTEN }, { "[::1]:8443, ::1:8444", LK_R_LISTEN },
		{ "127.0.0.1:1, localhost:2", LK_R_LISTEN } };
	struct fixture *f = *state;
	char file[96], text[96];
	const char *check[] = { "test", "--check-config", "--config", file, NULL };
	int stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10),
	    null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	path_of(f, "test.conf", file);
	dup2(null, STDERR_FILENO);
	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof text, "[front]\nlisten = %s\n", rows[i].listen);
		assert_true(lk_file_replace(file, lk_slice_str(text), 0600, NULL).ok);
		assert_int_equal(run(4, check), lk_reason_exit_code(rows[i].reason));
	}
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	close(null);
}

/* Roles are users of their own when root starts them; what root put into a role's folder is theirs.
 */
static void
test_users(void **state)
{
	struct fixture *f = *state;
	char path[96], want[32];
	LK_CLEANUP(lk_buf_done) struct lk_buf status = LK_BUF_INIT(65536);
	struct stat st;

	if (geteuid() != 0) {
		printf("skipped: only root can start roles as other users\n");
		skip();
	}
	snprintf(path, sizeof path, "[process]\nuid_base = %d\n[log]\nlevel = error\n", UID_BASE);
	start(f, path);
	expect_notified(f, "READY=1");
	snprintf(path, sizeof path, "/proc/%ld/status", ask(f, 'k'));
	assert_true(lk_file_read(path, &status, NULL).ok);
	snprintf(want, sizeof want, "\nUid:\t%d\t%d\t%d\t%d\n", UID_BASE + LK_ROLE_KEEPER,
		UID_BASE + LK_ROLE_KEEPER, UID_BASE + LK_ROLE_KEEPER, UID_BASE + LK_ROLE_KEEPER);
	assert_non_null(strstr(lk_buf_str(&status), want));
	assert_non_null(strstr(lk_buf_str(&status), "\nCapPrm:\t0000000000000000\n"));
	assert_non_null(strstr(lk_buf_str(&status), "\nGroups:\t \n"));
	path_of(f, "keeper/key", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, UID_BASE + LK_ROLE_KEEPER);
	stop(f);
}

static void
test_words(void **state)
{
	const char *check[] = { "test", "--check-config", "--config", "/nonexistent", NULL };
	const char *role[] = { "test", "--role", "king", NULL };
	const char *orphan[] = { "test", "--role", "front", NULL };
	const char *unknown[] = { "test", "--nonsense", NULL };
	int stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10),
	    null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	dup2(null, STDERR_FILENO);
	assert_int_equal(run(4, check), lk_reason_exit_code(LK_R_FILE_MISSING));
	assert_int_equal(run(2, check), 0);
	assert_int_equal(run(3, role), lk_reason_exit_code(LK_R_USAGE));
	assert_int_equal(run(2, unknown), lk_reason_exit_code(LK_R_USAGE));
	close(3);
	assert_int_equal(run(3, orphan), lk_reason_exit_code(LK_R_USAGE));
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	close(null);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_killed_role_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signals_to_roles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hangup, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_process_to_be_had, setup, teardown),
		cmocka_unit_test_setup_teardown(test_endless_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy_manager, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offender, setup, teardown),
		cmocka_unit_test_setup_teardown(test_supervisor_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses_are_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_users, setup, teardown),
		cmocka_unit_test(test_words),
	};

	if (argc > 1)
		return lk_program_main(&program, argc, argv);
	faults = mmap(
		NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	tester = getpid();
	return faults == MAP_FAILED || cmocka_run_group_tests(tests, NULL, NULL);
}
