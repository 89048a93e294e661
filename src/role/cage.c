/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits, capabilities, Landlock, seccomp: in this order, because each step
 * takes away what the next would need if it stood later. The rules are the tables
 * in the middle.
 */
#include "role/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"

/* A sanitizer's runtime makes calls of its own, up to tracing its process at the end. Such a build
 * is for finding faults: its cage has no seccomp, and no leak check behind it. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifdef SANITIZED
static int caged;
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int
__lsan_is_turned_off(void)
{
	return caged;
}
#else
#define SANITIZED false
static int caged;
#endif

static struct lk_result
refuse(struct lk_err *e, const char *what)
{
	return lk_fail(e, LK_R_CAGE, "%s: %s", what, strerror(errno));
}

/* --- limits ----------------------------------------------------------------------------------- */

static struct lk_result
set_limit(int what, rlim_t most, struct lk_err *e)
{
	struct rlimit l;

	if (getrlimit(what, &l) < 0)
		return refuse(e, "a limit cannot be read");
	l.rlim_max = l.rlim_max < most ? l.rlim_max : most;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(what, &l) < 0)
		return refuse(e, "a limit cannot be set");
	return LK_OK;
}

static struct lk_result
set_limits(const struct lk_cage_rules *rules, struct lk_err *e)
{
	LK_TRY(set_limit(RLIMIT_CORE, 0, e));
	LK_TRY(set_limit(RLIMIT_NOFILE, rules->files_max ? rules->files_max : 1024, e));
	if (!(rules->profiles & (LK_CAGE_THREADS | LK_CAGE_NFT)))
		LK_TRY(set_limit(RLIMIT_NPROC, 0, e));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return refuse(e, "dumps cannot be forbidden");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return refuse(e, "new privileges cannot be forbidden");
	return LK_OK;
}

/* --- capabilities ----------------------------------------------------------------------------- */

static struct lk_result
keep_capabilities(uint64_t keep, struct lk_err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	unsigned i;

	/* Without CAP_SETPCAP the bounding set stays: nothing can be got from it any more. */
	for (i = 0; i < 64; i++)
		if (!(keep >> i & 1))
			prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	for (i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = data[i].inheritable =
			(uint32_t)(keep >> 32 * i);
	if (syscall(SYS_capset, &head, data) < 0)
		return refuse(e, "the capabilities cannot be reduced");
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (i = 0; i < 64; i++)
		if (keep >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return refuse(e, "a capability cannot be kept");
	return LK_OK;
}

/* --- files ------------------------------------------------------------------------------------ */

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define FILE_RIGHTS                                                  \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | \
		LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)

/* What each version of Landlock can forbid; it is all forbidden where no path allows it. */
static const uint64_t handled_by_abi[] = {
	0, (1ULL << 13) - 1,                                                         /* 5.13 */
	((1ULL << 13) - 1) | LANDLOCK_ACCESS_FS_REFER,                               /* 5.19 */
	((1ULL << 13) - 1) | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE, /* 6.2 */
};

static const struct {
	unsigned right;
	uint64_t access;
} landlock_rights[] = {
	{ LK_CAGE_READ, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR },
	{ LK_CAGE_WRITE, LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |
				 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
				 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
				 LANDLOCK_ACCESS_FS_MAKE_SOCK },
	{ LK_CAGE_EXEC, LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE },
};

static struct lk_result
allow_path(int ruleset, uint64_t handled, const struct lk_cage_path *path, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = open(path->path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .parent_fd = fd };
	struct stat st;
	size_t i;

	if (fd < 0 && errno == ENOENT)
		return LK_OK;
	if (fd < 0 || fstat(fd, &st) < 0)
		return lk_fail(e, LK_R_CAGE, "%s: %s", path->path, strerror(errno));
	for (i = 0; i < LK_ARRAY_LEN(landlock_rights); i++)
		if (path->rights & landlock_rights[i].right)
			rule.allowed_access |= landlock_rights[i].access & handled;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FILE_RIGHTS;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return lk_fail(e, LK_R_CAGE, "%s: %s", path->path, strerror(errno));
	return LK_OK;
}

static struct lk_result
restrict_files(const struct lk_cage_rules *rules, struct lk_err *e)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attr = { .handled_access_fs = 0 };
	LK_CLEANUP(lk_closep) int ruleset = -1;
	size_t i;

	if (abi < 1) {
		lk_log(LK_LOG_WARNING, "landlock-missing", "msg",
			"this kernel cannot restrict files; file modes and seccomp are the wall",
			NULL);
		return LK_OK;
	}
	if (abi >= (long)LK_ARRAY_LEN(handled_by_abi))
		abi = LK_ARRAY_LEN(handled_by_abi) - 1;
	attr.handled_access_fs = handled_by_abi[abi];
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (ruleset < 0)
		return refuse(e, "Landlock cannot be used");
	for (i = 0; i < rules->n_paths; i++)
		LK_TRY(allow_path(ruleset, attr.handled_access_fs, &rules->paths[i], e));
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return refuse(e, "Landlock cannot be closed");
	return LK_OK;
}

/* --- system calls ----------------------------------------------------------------------------- */

enum test {
	ALWAYS,
	EQUALS, /* argument == value */
	MASKED, /* argument & mask == value */
	OWN_PID /* argument == getpid() */
};

/* A namespace of its own is as good as root for what the kernel lets be tried there. */
#define CLONE_NEW_ANY                                                                  \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
		CLONE_NEWPID | CLONE_NEWNET)

#define ALL        0u /* every role */
#define CALL(name) SCMP_SYS(name), SCMP_ACT_ALLOW

static const struct call {
	unsigned profiles; /* ALL, or any of these */
	int number;
	uint32_t action;
	enum test test;
	unsigned argument;
	uint64_t mask, value;
} calls[] = {
	/* what is open already */
	{ ALL, CALL(read) },
	{ ALL, CALL(readv) },
	{ ALL, CALL(write) },
	{ ALL, CALL(writev) },
	{ ALL, CALL(recvfrom) },
	{ ALL, CALL(recvmsg) },
	/* A listener that was shut down connects out by TCP Fast Open, without connect(). */
	{ ALL, CALL(sendto), MASKED, 3, MSG_FASTOPEN, 0 },
	{ ALL, CALL(sendmsg), MASKED, 2, MSG_FASTOPEN, 0 },
	{ ALL, CALL(shutdown) },
	{ ALL, CALL(close) },
	/* F_DUPFD to F_SETLKW; behind them come F_SETOWN and F_SETSIG, which have the kernel send
	 * any signal to any process of this user. */
	{ ALL, CALL(fcntl), MASKED, 1, ~UINT64_C(7), 0 },
	{ ALL, CALL(fcntl), EQUALS, 1, 0, F_DUPFD_CLOEXEC },
	{ ALL, CALL(fcntl), EQUALS, 1, 0, F_ADD_SEALS },
	{ ALL, CALL(fcntl), EQUALS, 1, 0, F_GET_SEALS },
	{ ALL, CALL(fstat) },
	{ ALL, CALL(newfstatat) }, /* glibc's fstat() */
	{ ALL, CALL(lseek) },
	{ ALL, CALL(getsockname) },
	{ ALL, CALL(getpeername) },
	{ ALL, CALL(getsockopt) },
	{ ALL, CALL(setsockopt) },
	{ ALL, CALL(ioctl), EQUALS, 1, 0, FIONREAD },
	{ ALL, CALL(ioctl), EQUALS, 1, 0, FIONBIO },
	{ ALL, CALL(ioctl), EQUALS, 1, 0, TCGETS }, /* stdio asks whether it is a terminal */
	{ ALL, CALL(memfd_create) },
	{ ALL, CALL(ftruncate) },

	/* the loop */
	{ ALL, CALL(epoll_ctl) },
	{ ALL, CALL(epoll_wait) },
	{ ALL, CALL(epoll_pwait) },
	{ ALL, CALL(epoll_pwait2) },
	{ ALL, CALL(timerfd_settime) },
	{ ALL, CALL(poll) },
	{ ALL, CALL(ppoll) },
	{ ALL, CALL(restart_syscall) },

	/* memory: nothing becomes executable. Said by an error, not by death, because libc and
	 * OpenSSL do without a library that they cannot load. */
	{ ALL, CALL(brk) },
	{ ALL, CALL(munmap) },
	{ ALL, CALL(mremap) },
	{ ALL, CALL(madvise) },
	{ ALL, CALL(mmap), MASKED, 2, PROT_EXEC, 0 },
	{ ALL, CALL(mprotect), MASKED, 2, PROT_EXEC, 0 },
	{ ALL, SCMP_SYS(mmap), SCMP_ACT_ERRNO(EPERM), MASKED, 2, PROT_EXEC, PROT_EXEC },
	{ ALL, SCMP_SYS(mprotect), SCMP_ACT_ERRNO(EPERM), MASKED, 2, PROT_EXEC, PROT_EXEC },
	{ ALL, CALL(futex) },

	/* time, chance, itself */
	{ ALL, CALL(clock_gettime) },
	{ ALL, CALL(clock_nanosleep) },
	{ ALL, CALL(gettimeofday) },
	{ ALL, CALL(time) },
	{ ALL, CALL(getrandom) },
	{ ALL, CALL(getpid) },
	{ ALL, CALL(gettid) },
	{ ALL, CALL(getuid) },
	{ ALL, CALL(geteuid) },
	{ ALL, CALL(getgid) },
	{ ALL, CALL(getegid) },
	{ ALL, CALL(getrusage) },
	{ ALL, CALL(sysinfo) },
	{ ALL, CALL(uname) },
	{ ALL, CALL(sched_yield) },
	{ ALL, CALL(rt_sigaction) },
	{ ALL, CALL(rt_sigprocmask) },
	{ ALL, CALL(rt_sigreturn) },
	{ ALL, CALL(sigaltstack) },
	{ ALL, CALL(tgkill), OWN_PID, 0 }, /* abort() */
	{ ALL, CALL(exit) },
	{ ALL, CALL(exit_group) },

	{ LK_CAGE_SERVE, CALL(accept) },
	{ LK_CAGE_SERVE, CALL(accept4) },

	{ LK_CAGE_CONNECT, CALL(socket), EQUALS, 0, 0, AF_INET },
	{ LK_CAGE_CONNECT, CALL(socket), EQUALS, 0, 0, AF_INET6 },
	/* libc looks for addresses of its own, and for a name service daemon. */
	{ LK_CAGE_CONNECT, SCMP_SYS(socket), SCMP_ACT_ERRNO(EACCES), EQUALS, 0, 0, AF_NETLINK },
	{ LK_CAGE_CONNECT, SCMP_SYS(socket), SCMP_ACT_ERRNO(EACCES), EQUALS, 0, 0, AF_UNIX },
	{ LK_CAGE_CONNECT, CALL(connect) },
	{ LK_CAGE_CONNECT, CALL(bind) },
	{ LK_CAGE_CONNECT, CALL(sendmmsg) },
	{ LK_CAGE_CONNECT, CALL(recvmmsg) },
	{ LK_CAGE_CONNECT, CALL(socketpair) },
	{ LK_CAGE_CONNECT, CALL(pipe2) },
	{ LK_CAGE_CONNECT, CALL(eventfd2) },
	{ LK_CAGE_CONNECT, CALL(access) },
	{ LK_CAGE_CONNECT, CALL(openat), MASKED, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY },

	{ LK_CAGE_THREADS, CALL(clone), MASKED, 0, CLONE_THREAD, CLONE_THREAD },
	{ LK_CAGE_THREADS | LK_CAGE_NFT, SCMP_SYS(clone3), SCMP_ACT_ERRNO(ENOSYS) }, /* to clone */
	{ LK_CAGE_THREADS | LK_CAGE_NFT, CALL(set_robust_list) },
	{ LK_CAGE_THREADS | LK_CAGE_NFT, CALL(rseq) },
	{ LK_CAGE_THREADS, CALL(sched_getaffinity) },

	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(openat) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(access) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(faccessat) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(faccessat2) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(stat) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(lstat) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(statx) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(readlink) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(readlinkat) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(getdents64) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(getcwd) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(pread64) },
	{ LK_CAGE_FILES | LK_CAGE_NFT, CALL(unlink) },
	{ LK_CAGE_FILES, CALL(pwrite64) },
	{ LK_CAGE_FILES, CALL(fsync) },
	{ LK_CAGE_FILES, CALL(fdatasync) },
	{ LK_CAGE_FILES, CALL(fallocate) },
	{ LK_CAGE_FILES, CALL(flock) },
	{ LK_CAGE_FILES, CALL(fchmod) },
	{ LK_CAGE_FILES, CALL(fchown) },
	{ LK_CAGE_FILES, CALL(umask) },
	{ LK_CAGE_FILES, CALL(unlinkat) },
	{ LK_CAGE_FILES, CALL(rename) },
	{ LK_CAGE_FILES, CALL(renameat) },
	{ LK_CAGE_FILES, CALL(renameat2) },
	{ LK_CAGE_FILES, CALL(linkat) },
	{ LK_CAGE_FILES, CALL(mkdir) },
	{ LK_CAGE_FILES, CALL(mkdirat) },
	{ LK_CAGE_FILES, CALL(rmdir) },

	/* netlink to nf_tables, conntrack and neighbours; datagrams to hostapd */
	{ LK_CAGE_NFT, CALL(socket), EQUALS, 0, 0, AF_NETLINK },
	{ LK_CAGE_NFT, CALL(socket), EQUALS, 0, 0, AF_UNIX },
	{ LK_CAGE_NFT, CALL(bind) },
	{ LK_CAGE_NFT, CALL(connect) },
	/* starting nft, and what nft itself and its loader do */
	{ LK_CAGE_NFT, CALL(clone), MASKED, 0, CLONE_NEW_ANY, 0 },
	{ LK_CAGE_NFT, CALL(vfork) },
	{ LK_CAGE_NFT, CALL(execve) },
	{ LK_CAGE_NFT, CALL(wait4) },
	{ LK_CAGE_NFT, CALL(waitid) },
	{ LK_CAGE_NFT, CALL(pipe2) },
	{ LK_CAGE_NFT, CALL(dup2) },
	{ LK_CAGE_NFT, CALL(dup3) },
	{ LK_CAGE_NFT, CALL(close_range) },
	{ LK_CAGE_NFT, CALL(arch_prctl) },
	{ LK_CAGE_NFT, CALL(pselect6) },
	{ LK_CAGE_NFT, CALL(set_tid_address) },
	{ LK_CAGE_NFT, CALL(prlimit64) },
	{ LK_CAGE_NFT, CALL(mmap), MASKED, 2, PROT_EXEC | PROT_WRITE, PROT_EXEC },
	{ LK_CAGE_NFT, CALL(mprotect), MASKED, 2, PROT_EXEC | PROT_WRITE, PROT_EXEC },
};

static bool
applies(const struct call *c, unsigned profiles)
{
	bool executable = c->argument == 2 && c->mask == PROT_EXEC && c->value == PROT_EXEC;

	/* A program that is started maps its code: the general no would win over its rows. */
	if (executable && profiles & LK_CAGE_NFT)
		return false;
	return c->profiles == ALL || c->profiles & profiles;
}

static int
add_call(scmp_filter_ctx filter, const struct call *c)
{
	switch (c->test) {
	case ALWAYS:
		return seccomp_rule_add(filter, c->action, c->number, 0);
	case EQUALS:
		return seccomp_rule_add(filter, c->action, c->number, 1,
			SCMP_CMP(c->argument, SCMP_CMP_EQ, c->value));
	case MASKED:
		return seccomp_rule_add(filter, c->action, c->number, 1,
			SCMP_CMP(c->argument, SCMP_CMP_MASKED_EQ, c->mask, c->value));
	case OWN_PID:
		return seccomp_rule_add(filter, c->action, c->number, 1,
			SCMP_CMP(c->argument, SCMP_CMP_EQ, (uint64_t)getpid()));
	}
	return -EINVAL;
}

/* With rules->explain: says which call it was. The call itself was not made. */
static void
on_forbidden_call(int signo, siginfo_t *info, void *context)
{
	char *name = seccomp_syscall_resolve_num_arch(info->si_arch, info->si_syscall);

	(void)context;
	lk_log(LK_LOG_ERROR, "cage-violation", "call", name ? name : "unknown", NULL);
	_exit(128 + signo);
}

static void
release_filter(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static struct lk_result
restrict_calls(const struct lk_cage_rules *rules, struct lk_err *e)
{
	const struct sigaction action = { .sa_sigaction = on_forbidden_call,
		.sa_flags = SA_SIGINFO };
	LK_CLEANUP(release_filter)
	scmp_filter_ctx filter =
		seccomp_init(rules->explain ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS);
	size_t i;

	LK_REQUIRE(filter, e, LK_R_NOMEM, "no memory for the cage");
	if (rules->explain && sigaction(SIGSYS, &action, NULL) < 0)
		return refuse(e, "SIGSYS cannot be handled");
	for (i = 0; i < LK_ARRAY_LEN(calls); i++) {
		if (!applies(&calls[i], rules->profiles))
			continue;
		errno = -add_call(filter, &calls[i]);
		if (errno && errno != EEXIST) /* two profiles may allow the same */
			return refuse(e, "seccomp does not take a rule");
	}
	errno = -seccomp_load(filter);
	if (errno)
		return refuse(e, "seccomp cannot be used");
	return LK_OK;
}

struct lk_result
lk_cage_enter(const struct lk_cage_rules *rules, struct lk_err *e)
{
	tzset(); /* even gmtime_r() reads /etc/localtime once */
	LK_TRY(set_limits(rules, e));
	LK_TRY(keep_capabilities(rules->capabilities, e));
	LK_TRY(restrict_files(rules, e));
	caged = 1;
	if (SANITIZED)
		return LK_OK;
	return restrict_calls(rules, e);
}
