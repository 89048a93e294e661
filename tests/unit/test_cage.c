/* SPDX-License-Identifier: Apache-2.0
 *
 * A child enters the cage with descriptors like a role's, then tries one thing.
 * What the role needs works; everything else ends the process or is refused.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "role/cage.h"
#include "role/listener.h"

static char dir[] = "/tmp/test-cage-XXXXXX"; /* what the cage allows */
static char outside[64];                     /* what it does not */
static int listener, pipe_fds[2];
static pid_t parent;

enum outcome {
	WORKS,
	REFUSED, /* an error, with the process alive */
	KILLED   /* by the kernel, for the call */
};

/* Each returns whether it could. */
static bool
try_work(void)
{
	char c = 'x', *p = malloc(1 << 22);
	int fd = memfd_create("x", MFD_CLOEXEC);
	bool ok = p && fd >= 0 && write(pipe_fds[1], &c, 1) == 1 && read(pipe_fds[0], &c, 1) == 1;

	free(p);
	return ok;
}

static bool
try_passwd(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool
open_in(const char *folder, int flags)
{
	char path[128];

	snprintf(path, sizeof path, "%s/file", folder);
	return open(path, flags, 0600) >= 0;
}

static bool
try_read_inside(void)
{
	return open_in(dir, O_RDONLY);
}

static bool
try_write_inside(void)
{
	return open_in(dir, O_WRONLY | O_CREAT | O_TRUNC);
}

static bool
try_read_outside(void)
{
	return open_in(outside, O_RDONLY);
}

static bool
try_write_outside(void)
{
	return open_in(outside, O_WRONLY | O_CREAT);
}

static bool
try_truncate_outside(void)
{
	char path[128];

	snprintf(path, sizeof path, "%s/file", outside);
	return truncate(path, 0) == 0;
}

static bool
try_unlink_outside(void)
{
	char path[128];

	snprintf(path, sizeof path, "%s/file", outside);
	return unlink(path) == 0;
}

static bool
try_socket_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool
try_socket_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool
try_socket_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 12 /* NETLINK_NETFILTER */) >= 0;
}

static bool
try_socket_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}

static bool
try_accept(void)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC) >= 0 || errno == EAGAIN;
}

/* What connects by sending: TCP Fast Open. */
static bool
try_fast_open_sendto(void)
{
	const struct sockaddr_in to = { .sin_family = AF_INET };

	return sendto(listener, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&to, sizeof to) == 1;
}

static bool
try_fast_open_sendmsg(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct iovec x = { &(char){ 'x' }, 1 };
	const struct msghdr m = {
		.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &x, .msg_iovlen = 1
	};

	return sendmsg(listener, &m, MSG_FASTOPEN) == 1;
}

static bool
try_exec(void)
{
	execl("/bin/true", "true", NULL);
	return false;
}

static bool
try_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0;
}

static bool
try_namespace(void)
{
	return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) >= 0;
}

static void *
thread(void *ctx)
{
	return ctx;
}

static bool
try_thread(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, thread, NULL) == 0 && pthread_join(t, NULL) == 0;
}

static bool
try_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, parent, NULL, NULL) == 0;
}

static bool
try_kill(void)
{
	return kill(parent, 0) == 0;
}

static bool
try_signal_parent(void)
{
	return syscall(SYS_tgkill, parent, parent, 0) == 0;
}

/* The kernel would send the signal. */
static bool
try_signal_by_owner(void)
{
	return fcntl(pipe_fds[0], F_SETOWN, parent) == 0;
}

static bool
try_choose_signal(void)
{
	return fcntl(pipe_fds[0], F_SETSIG, SIGKILL) == 0;
}

static bool
try_execute_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0) != MAP_FAILED;
}

static bool
try_make_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool
try_mount(void)
{
	return syscall(SYS_mount, "none", dir, "tmpfs", 0, NULL) == 0;
}

static bool
try_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static bool
try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0) >= 0;
}

static bool
try_keyring(void)
{
	return syscall(SYS_keyctl, 0, -3, 0) >= 0;
}

/* --- running one ------------------------------------------------------------------------------ */

static const struct lk_cage_path paths[] = {
	{ dir, LK_CAGE_READ | LK_CAGE_WRITE },
	{ "/nonexistent/is/skipped", LK_CAGE_READ },
};

/* The exit status of a caged child: 0 it could, 1 it was refused. */
static int
run(unsigned profiles, bool explain, bool (*attempt)(void))
{
	const struct lk_cage_rules rules = { .profiles = profiles,
		.paths = paths,
		.n_paths = LK_ARRAY_LEN(paths),
		.explain = explain };
	struct lk_err e;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (!lk_cage_enter(&rules, &e).ok) {
			fprintf(stderr, "%s\n", e.msg);
			_exit(99);
		}
		_exit(attempt() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static enum outcome
outcome_of(unsigned profiles, bool (*attempt)(void))
{
	int status = run(profiles, false, attempt);

	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGSYS);
		return KILLED;
	}
	assert_in_range(WEXITSTATUS(status), 0, 1);
	return WEXITSTATUS(status) == 0 ? WORKS : REFUSED;
}

#define check(profiles, attempt, want)                                                         \
	do {                                                                                   \
		enum outcome got = outcome_of(profiles, attempt);                              \
		if (got != (want))                                                             \
			fail_msg("%s under %s: outcome %d, want %d", #attempt, #profiles, got, \
				want);                                                         \
	} while (0)

/* What no role may, whatever its profile. */
static void
test_never(void **state)
{
	static const unsigned profiles[] = { 0, LK_CAGE_SERVE, LK_CAGE_CONNECT | LK_CAGE_THREADS,
		LK_CAGE_FILES, LK_CAGE_NFT };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(profiles); i++) {
		check(profiles[i], try_work, WORKS);
		check(profiles[i], try_ptrace, KILLED);
		check(profiles[i], try_kill, KILLED);
		check(profiles[i], try_signal_parent, KILLED);
		check(profiles[i], try_signal_by_owner, KILLED);
		check(profiles[i], try_choose_signal, KILLED);
		check(profiles[i], try_mount, KILLED);
		check(profiles[i], try_namespace, KILLED);
		check(profiles[i], try_dumpable, KILLED);
		check(profiles[i], try_bpf, KILLED);
		check(profiles[i], try_keyring, KILLED);
		check(profiles[i], try_truncate_outside, KILLED);
		check(profiles[i], try_socket_packet, KILLED);
		check(profiles[i], try_fast_open_sendto, KILLED);
		check(profiles[i], try_fast_open_sendmsg, KILLED);
	}
}

static void
test_base(void **state)
{
	(void)state;
	check(0, try_passwd, KILLED);
	check(0, try_write_inside, KILLED);
	check(0, try_write_outside, KILLED);
	check(0, try_unlink_outside, KILLED);
	check(0, try_socket_inet, KILLED);
	check(0, try_socket_unix, KILLED);
	check(0, try_socket_netlink, KILLED);
	check(0, try_accept, KILLED);
	check(0, try_exec, KILLED);
	check(0, try_fork, KILLED);
	check(0, try_thread, KILLED);
	check(0, try_execute_memory, REFUSED);
	check(0, try_make_executable, REFUSED);
}

static void
test_serve(void **state)
{
	(void)state;
	check(LK_CAGE_SERVE, try_accept, WORKS);
	check(LK_CAGE_SERVE, try_socket_inet, KILLED);
	check(LK_CAGE_SERVE, try_passwd, KILLED);
}

static void
test_connect(void **state)
{
	const unsigned courier = LK_CAGE_CONNECT | LK_CAGE_THREADS;

	(void)state;
	check(courier, try_socket_inet, WORKS);
	check(courier, try_thread, WORKS);
	check(courier, try_socket_unix, REFUSED);
	check(courier, try_socket_netlink, REFUSED);
	check(courier, try_accept, KILLED);
	check(courier, try_fork, KILLED);
	check(courier, try_exec, KILLED);
	check(courier, try_write_inside, KILLED);
	check(courier, try_execute_memory, REFUSED);
}

/* Files are Landlock's. */
static void
test_files(void **state)
{
	(void)state;
	check(LK_CAGE_FILES, try_write_inside, WORKS);
	check(LK_CAGE_FILES, try_read_inside, WORKS);
	check(LK_CAGE_FILES, try_socket_inet, KILLED);
	check(LK_CAGE_FILES, try_exec, KILLED);
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1) {
		printf("skipped: this kernel has no Landlock\n");
		skip();
	}
	check(LK_CAGE_FILES, try_passwd, REFUSED);
	check(LK_CAGE_FILES, try_read_outside, REFUSED);
	check(LK_CAGE_FILES, try_write_outside, REFUSED);
	check(LK_CAGE_FILES, try_unlink_outside, REFUSED);
	check(LK_CAGE_CONNECT, try_passwd, REFUSED);
}

static void
test_nft(void **state)
{
	(void)state;
	check(LK_CAGE_NFT, try_socket_netlink, WORKS);
	check(LK_CAGE_NFT, try_fork, WORKS);
	check(LK_CAGE_NFT, try_socket_inet, KILLED);
	check(LK_CAGE_NFT, try_accept, KILLED);
	check(LK_CAGE_NFT, try_execute_memory, KILLED); /* code that is written, too */
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 1)
		check(LK_CAGE_NFT, try_exec, REFUSED); /* /bin/true is none of its paths */
}

/* --- what holds besides calls ----------------------------------------------------------------- */

static void
read_proc(pid_t pid, const char *name, char *dst, size_t cap)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, dst, cap - 1);
	assert_true(n > 0);
	dst[n] = 0;
	close(fd);
}

/* What the kernel says of a process in its cage. */
static void
test_rights(void **state)
{
	const struct lk_cage_rules rules = { .files_max = 77 };
	char text[8192], c = 'x';
	int go[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		close(go[1]); /* the end of the test is the end of this one */
		if (!lk_cage_enter(&rules, NULL).ok || write(pipe_fds[1], &c, 1) != 1)
			_exit(99);
		_exit(read(go[0], &c, 1) == 1 ? 0 : 1);
	}
	assert_int_equal(read(pipe_fds[0], &c, 1), 1);
	read_proc(pid, "status", text, sizeof text);
	assert_non_null(strstr(text, "\nCapInh:\t0000000000000000\n"));
	assert_non_null(strstr(text, "\nCapPrm:\t0000000000000000\n"));
	assert_non_null(strstr(text, "\nCapEff:\t0000000000000000\n"));
	assert_non_null(strstr(text, "\nCapAmb:\t0000000000000000\n"));
	if (geteuid() == 0)
		assert_non_null(strstr(text, "\nCapBnd:\t0000000000000000\n"));
	assert_non_null(strstr(text, "\nNoNewPrivs:\t1\n"));
	assert_non_null(strstr(text, "\nSeccomp:\t2\n"));
	read_proc(pid, "limits", text, sizeof text);
	assert_non_null(strstr(text, "\nMax core file size        0                    0"));
	assert_non_null(strstr(text, "\nMax processes             0                    0"));
	assert_non_null(strstr(text, "\nMax open files            77                   77"));
	assert_int_equal(write(go[1], &c, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(go[0]);
	close(go[1]);
}

static void
test_capability_not_held(void **state)
{
	const struct lk_cage_rules admin = { .capabilities = UINT64_C(1) << CAP_NET_ADMIN };
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };
	struct lk_err e = { .reason = LK_R_NONE };
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		syscall(SYS_capset, &head, data);
		_exit(!lk_cage_enter(&admin, &e).ok && e.reason == LK_R_CAGE ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_explain(void **state)
{
	int fds[2], saved = dup(STDERR_FILENO), status;
	char line[1024];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	status = run(0, true, try_socket_inet);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	n = read(fds[0], line, sizeof line - 1);
	close(fds[0]);
	assert_true(n > 0);
	line[n] = 0;
	assert_non_null(strstr(line, "cage-violation call=socket"));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 128 + SIGSYS);
}

static int
setup(void **state)
{
	char path[128];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(outside, sizeof outside, "%s-outside", dir);
	assert_int_equal(mkdir(outside, 0700), 0);
	snprintf(path, sizeof path, "%s/file", outside);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_true(lk_listener_open("127.0.0.1:0", dir, 0600, &listener, NULL).ok);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	parent = getpid();
	return 0;
}

static int
teardown(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "%s/file", outside);
	assert_int_equal(unlink(path), 0); /* nobody else removed it */
	assert_int_equal(rmdir(outside), 0);
	snprintf(path, sizeof path, "%s/file", dir);
	unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_serve),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_nft),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_capability_not_held),
		cmocka_unit_test(test_explain),
	};

#ifdef __SANITIZE_ADDRESS__
	printf("skipped: a sanitizer's runtime makes calls that the cage forbids\n");
	return 77;
#endif
	return cmocka_run_group_tests(tests, setup, teardown);
}
