/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes: started, linked, watched over, started anew, ended in order.
 *
 * Timers of this machine:
 *   restart   a process that died comes back after 100 ms, twice as long each time it dies
 *             within a minute, at most 30 s: a fault that stays must not eat the machine
 *   ping      every 5 s, or half of the service manager's watchdog; a process that has not
 *             answered for 30 s hangs and is killed: no slice of work is longer than that
 *   stop      a role has 5 s to finish, then it is killed
 */
#include "role/supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "role/listener.h"
#include "role/notify.h"

enum {
	CHILDREN_MAX = 128,
	SOCKETS_MAX = 256,
	RESTART_FIRST_MS = 100,
	RESTART_MOST_MS = 30 * 1000,
	HEALTHY_MS = 60 * 1000,
	PING_MS = 5 * 1000,
	HUNG_MS = 30 * 1000,
	START_MS = 300 * 1000, /* a large store, a slow TPM */
	STOP_MS = 5 * 1000,
	CONTROL_FD = 3
};

struct supervisor;

/* One process of a role, through all its lives. */
struct child {
	struct supervisor *s;
	const struct lk_program_role *row;
	uint32_t index;
	char name[32]; /* "front 2", for the log */
	pid_t pid;     /* 0: not running */
	int64_t started_ms;
	unsigned deaths; /* in a row */
	bool ready;      /* this life serves */
	bool was_ready;  /* any life did */
	bool told_to_stop;
	int64_t pinged_ms; /* 0: no ping is open */
	struct lk_channel *control;
	struct lk_watch *watch;
	struct lk_timer *restart;
};

/* A listening socket; it outlives the processes that it is given to. */
struct bound {
	const struct lk_program_role *row;
	const struct lk_program_listener *listener;
	char address[sizeof((struct lk_listen_body *)0)->address];
	uint32_t index; /* of the process that it is for */
	bool shared;    /* by all processes of the role */
	int fd;
};

/* Whom a role runs as. */
struct user {
	bool change;
	uid_t uid;
	gid_t gid;
	const char *name; /* for its further groups; NULL: none */
};

struct supervisor {
	const struct lk_program *program;
	const char *argv0;
	bool accept_rollback; /* by the first processes; one that is started anew has no reason to
			       */
	void *config;
	struct lk_loop *loop;
	struct lk_signal *on_term, *on_int, *on_hup, *on_chld;
	struct lk_timer *ping, *stop;
	int64_t ping_ms;
	struct child children[CHILDREN_MAX];
	size_t n_children;
	struct bound sockets[SOCKETS_MAX];
	size_t n_sockets;
	bool all_ready; /* was reached once */
	bool stopping;
	int status;
};

static const struct lk_config_common *
common(const struct supervisor *s)
{
	return s->config;
}

/* --- users and folders ------------------------------------------------------------------------ */

static struct user
user_of(const struct supervisor *s, enum lk_role role)
{
	char name[64];
	const struct passwd *pw;
	uint32_t base = common(s)->uid_base;

	if (geteuid() != 0)
		return (struct user){ .change = false };
	snprintf(name, sizeof name, "latchkey-%s", lk_role_name(role));
	pw = getpwnam(name);
	if (pw)
		return (struct user){ true, pw->pw_uid, pw->pw_gid, pw->pw_name };
	if (base)
		return (struct user){ true, base + role, base + role, NULL };
	return (struct user){ .change = false };
}

/* Files that the operator's tools made as root become the role's: plain files that have no other
 * name, for a hard link might lead elsewhere. No process of the role runs yet. */
static struct lk_result
give_file(int dir, const char *name, const struct user *u, struct lk_err *e)
{
	LK_CLEANUP(lk_closep)
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
		st.st_uid == u->uid)
		return LK_OK;
	LK_REQUIRE(fchownat(fd, "", u->uid, u->gid, AT_EMPTY_PATH) == 0, e, LK_R_FILE_IO,
		"%s cannot be given to its role: %s", name, strerror(errno));
	return LK_OK;
}

static void
close_folder(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static struct lk_result
give_folder(const char *path, const struct user *u, struct lk_err *e)
{
	LK_CLEANUP(close_folder) DIR *dir = opendir(path);
	const struct dirent *d;

	LK_REQUIRE(dir && fchown(dirfd(dir), u->uid, u->gid) == 0, e, LK_R_FILE_IO,
		"%s cannot be given to its role: %s", path, strerror(errno));
	while ((d = readdir(dir)))
		LK_TRY(give_file(dirfd(dir), d->d_name, u, e));
	return LK_OK;
}

/* The role's own folder. The one above is passable when roles are different users. */
static struct lk_result
make_state_dir(const struct supervisor *s, const struct lk_program_role *row, struct lk_err *e)
{
	struct user u = user_of(s, row->role);
	const char *top = common(s)->state_dir;
	char path[PATH_MAX];

	LK_TRY(lk_dir_make(top, u.change ? 0711 : 0700, e));
	LK_TRY(lk_path_join(top, lk_role_name(row->role), path, sizeof path, e));
	LK_TRY(lk_dir_make(path, 0700, e));
	if (!u.change)
		return LK_OK;
	LK_REQUIRE(chmod(top, 0711) == 0, e, LK_R_FILE_IO, "%s: %s", top, strerror(errno));
	return give_folder(path, &u, e);
}

static struct lk_result
make_folders(const struct supervisor *s, struct lk_err *e)
{
	size_t i;

	LK_TRY(lk_dir_make(common(s)->runtime_dir, 0755, e));
	for (i = 0; i < s->program->n_roles; i++)
		if (s->program->roles[i].state_dir)
			LK_TRY(make_state_dir(s, &s->program->roles[i], e));
	return LK_OK;
}

/* --- listening sockets ------------------------------------------------------------------------ */

static uint32_t
count_of(const struct supervisor *s, const struct lk_program_role *row)
{
	return row->count ? row->count(s->config) : 1;
}

static struct lk_result
bind_address(struct supervisor *s, const struct lk_program_role *row,
	const struct lk_program_listener *listener, const char *address, struct lk_err *e)
{
	bool shared = lk_listener_is_unix(address);
	uint32_t i, n = shared ? 1 : count_of(s, row);

	for (i = 0; i < n; i++) {
		struct bound *b = &s->sockets[s->n_sockets];

		LK_REQUIRE(s->n_sockets < SOCKETS_MAX, e, LK_R_LISTEN,
			"there are more than %d sockets", SOCKETS_MAX);
		*b = (struct bound){ row, listener, "", i, shared, -1 };
		LK_TRY(lk_slice_to_str(
			lk_slice_str(address), "the address", b->address, sizeof b->address, e));
		LK_TRY(lk_listener_open(
			address, common(s)->runtime_dir, listener->unix_mode, &b->fd, e));
		s->n_sockets++;
	}
	lk_log(LK_LOG_INFO, "listening", "on", address, "for", listener->name, NULL);
	return LK_OK;
}

static struct lk_result
bind_listener(struct supervisor *s, const struct lk_program_role *row,
	const struct lk_program_listener *listener, struct lk_err *e)
{
	struct lk_slice list = lk_slice_str((const char *)s->config + listener->address_offset);
	char address[sizeof s->sockets[0].address];
	bool more = true;

	while (more) {
		LK_TRY(lk_listener_next(&list, address, sizeof address, &more, e));
		if (more)
			LK_TRY(bind_address(s, row, listener, address, e));
	}
	return LK_OK;
}

/* For --check-config. */
static struct lk_result
check_listener(const void *config, const struct lk_program_listener *listener, struct lk_err *e)
{
	struct lk_slice list = lk_slice_str((const char *)config + listener->address_offset);
	char address[sizeof((struct bound *)0)->address];
	bool more = true;

	while (more) {
		LK_TRY(lk_listener_next(&list, address, sizeof address, &more, e));
		if (more)
			LK_TRY(lk_listener_check(address, e));
	}
	return LK_OK;
}

static struct lk_result
check_all(const struct lk_program *program, const void *config, struct lk_err *e)
{
	size_t i, j;

	for (i = 0; i < program->n_roles; i++)
		for (j = 0; j < program->roles[i].n_listeners; j++)
			LK_TRY(check_listener(config, &program->roles[i].listeners[j], e));
	return LK_OK;
}

static struct lk_result
bind_all(struct supervisor *s, struct lk_err *e)
{
	size_t i, j;

	for (i = 0; i < s->program->n_roles; i++)
		for (j = 0; j < s->program->roles[i].n_listeners; j++)
			LK_TRY(bind_listener(
				s, &s->program->roles[i], &s->program->roles[i].listeners[j], e));
	return LK_OK;
}

/* --- a process begins ------------------------------------------------------------------------- */

static void
start_failed(const char *what)
{
	lk_log(LK_LOG_ERROR, "role-start", "msg", what, "errno", strerror(errno), NULL);
	_exit(lk_reason_exit_code(LK_R_ROLE_START));
}

/* Becomes the role's user, with the capabilities that its row names and no others. */
static void
become(const struct user *u, uint64_t capabilities)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	unsigned i;

	if (!u->change)
		return;
	if (capabilities && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		start_failed("capabilities cannot be kept");
	if ((u->name ? initgroups(u->name, u->gid) : setgroups(0, NULL)) < 0 ||
		setresgid(u->gid, u->gid, u->gid) < 0 || setresuid(u->uid, u->uid, u->uid) < 0)
		start_failed("the role's user cannot be taken");
	for (i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = data[i].inheritable =
			(uint32_t)(capabilities >> 32 * i);
	if (syscall(SYS_capset, &head, data) < 0)
		start_failed("capabilities cannot be reduced");
	for (i = 0; i < 64; i++)
		if (capabilities >> i & 1 &&
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			start_failed("a capability cannot be passed on");
}

/* In the new process. Executed anew, so that nothing of the supervisor's memory is left and each
 * role has an address space of its own making. */
static void
execute(const struct child *c, int control, const struct user *u, const sigset_t *signals)
{
	char index[16];
	const char *argv[] = { c->s->argv0, "--role", lk_role_name(c->row->role), "--index", index,
		NULL };

	snprintf(index, sizeof index, "%u", c->index);
	/* A terminal's Ctrl-C or its end and a service manager's stop reach all processes; roles
	 * hear of the end by the supervisor's word only, which knows the order. (SIGPIPE is ignored
	 * here already.) */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, signals, NULL);
	if (control == CONTROL_FD ? fcntl(control, F_SETFD, 0) < 0 : dup2(control, CONTROL_FD) < 0)
		start_failed("the control socket cannot be passed on");
	if (close_range(CONTROL_FD + 1, ~0u, 0) < 0)
		start_failed("descriptors cannot be closed");
	umask(077);
	become(u, c->row->capabilities);
	execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
	start_failed("the program cannot be executed");
}

static void on_control(void *ctx, unsigned ready);

static struct lk_result
make_pair(int fds[static 2], struct lk_err *e)
{
	LK_REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0,
		e, LK_R_ROLE_START, "no socket pair: %s", strerror(errno));
	return LK_OK;
}

static void
watch_control(struct child *c)
{
	lk_watch_want(c->watch, LK_READABLE | (lk_channel_queued(c->control) ? LK_WRITABLE : 0));
}

/* Sends an order; a process that cannot take it is of no use any more. */
static void
order(struct child *c, enum lk_body type, const void *body, int fd)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(lk_body_max(type));
	struct lk_err e = { .reason = LK_R_NONE };

	if (!c->control)
		return;
	if (!lk_body_pack(type, body, &packed, &e).ok ||
		!lk_channel_event(c->control, type, lk_buf_slice(&packed), fd, &e).ok) {
		lk_log_err(&e, "process", c->name, NULL);
		kill(c->pid, SIGKILL);
		return;
	}
	watch_control(c);
}

static void
hand_over_sockets(struct child *c)
{
	struct supervisor *s = c->s;
	struct lk_listen_body body;
	size_t i;

	for (i = 0; i < s->n_sockets; i++) {
		const struct bound *b = &s->sockets[i];

		if (b->row != c->row || (!b->shared && b->index != c->index))
			continue;
		memset(&body, 0, sizeof body);
		snprintf(body.name, sizeof body.name, "%s", b->listener->name);
		memcpy(body.address, b->address, sizeof body.address);
		order(c, LK_BODY_listen, &body, b->fd);
	}
}

static struct lk_result
spawn(struct child *c, struct lk_err *e)
{
	struct user u = user_of(c->s, c->row->role);
	LK_CLEANUP(lk_closep) int ours = -1;
	LK_CLEANUP(lk_closep) int theirs = -1;
	sigset_t all, before;
	int fds[2];
	pid_t pid;

	LK_TRY(make_pair(fds, e));
	ours = fds[0];
	theirs = fds[1];
	/* No signal may find the supervisor's handlers in the new process. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		execute(c, theirs, &u, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	LK_REQUIRE(pid > 0, e, LK_R_ROLE_START, "%s: %s", c->name, strerror(errno));
	c->pid = pid;
	c->started_ms = lk_loop_now_ms(c->s->loop);
	c->ready = c->told_to_stop = false;
	c->pinged_ms = 0;
	LK_TRY(lk_channel_new(ours, LK_ROLE_SUPERVISOR, c->row->role, &c->control, e));
	ours = -1;
	LK_TRY(lk_watch_new(
		c->s->loop, lk_channel_fd(c->control), LK_READABLE, on_control, c, &c->watch, e));
	hand_over_sockets(c);
	return LK_OK;
}

static bool
are_linked(const struct supervisor *s, const struct child *x, const struct child *y)
{
	size_t i;

	for (i = 0; i < s->program->n_pairs; i++) {
		const struct lk_program_pair *p = &s->program->pairs[i];

		if ((p->a == x->row->role && p->b == y->row->role) ||
			(p->b == x->row->role && p->a == y->row->role))
			return true;
	}
	return false;
}

static struct lk_result
link_children(struct child *x, struct child *y, struct lk_err *e)
{
	struct lk_link_body to_x = { .role = y->row->role, .index = y->index };
	struct lk_link_body to_y = { .role = x->row->role, .index = x->index };
	int fds[2];

	LK_TRY(make_pair(fds, e));
	order(x, LK_BODY_link, &to_x, fds[0]);
	order(y, LK_BODY_link, &to_y, fds[1]);
	close(fds[0]);
	close(fds[1]);
	return LK_OK;
}

/* Links with those of the first n that run. */
static struct lk_result
link_child(struct child *c, size_t n, struct lk_err *e)
{
	struct supervisor *s = c->s;
	size_t i;

	for (i = 0; i < n; i++)
		if (&s->children[i] != c && s->children[i].control &&
			are_linked(s, c, &s->children[i]))
			LK_TRY(link_children(c, &s->children[i], e));
	return LK_OK;
}

static struct lk_result
tell_start(struct child *c, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf config = LK_BUF_INIT(lk_body_max(LK_BODY_start));
	struct lk_start_body body = { .accept_rollback =
					      c->s->accept_rollback && !c->s->all_ready };

	LK_TRY(lk_config_pack(c->s->program->config, c->s->config, &config, e));
	body.config = lk_buf_slice(&config);
	order(c, LK_BODY_start, &body, -1);
	return LK_OK;
}

/* --- a process ends --------------------------------------------------------------------------- */

static void stop_next(struct supervisor *s);

static void
begin_stop(struct supervisor *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	lk_log(LK_LOG_NOTICE, "stopping", NULL);
	lk_notify("STOPPING=1");
	stop_next(s);
}

/* What cannot be done by the supervisor itself ends the program. */
static void
give_up(struct supervisor *s, const struct lk_err *e)
{
	lk_log_fatal(e);
	s->status = lk_reason_exit_code(e->reason);
	begin_stop(s);
}

static void
log_death(const struct child *c, int status)
{
	char how[64];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof how, "signal %s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(how, sizeof how, "exit status %d", WEXITSTATUS(status));
	lk_log(c->s->stopping ? LK_LOG_INFO : LK_LOG_WARNING, "role-ended", "process", c->name,
		"how", how, NULL);
}

static int64_t
restart_delay(const struct child *c)
{
	unsigned doublings = c->deaths - 1 < 16 ? c->deaths - 1 : 16;
	int64_t ms = (int64_t)RESTART_FIRST_MS << doublings;

	return ms < RESTART_MOST_MS ? ms : RESTART_MOST_MS;
}

/* What a busy machine does not give now it may give later: no process is no reason to end those
 * that serve. One that has begun and cannot be used ends, and is started as any that died. */
static void
on_restart(void *ctx)
{
	struct child *c = ctx;
	struct lk_err e = { .reason = LK_R_NONE };

	if (spawn(c, &e).ok && link_child(c, c->s->n_children, &e).ok && tell_start(c, &e).ok)
		return;
	lk_log_err(&e, "process", c->name, NULL);
	if (c->pid) {
		kill(c->pid, SIGKILL);
		return;
	}
	c->deaths++;
	lk_timer_at(c->restart, lk_loop_now_ms(c->s->loop) + restart_delay(c));
}

/* Before everything served once a death is no accident: the words are in the log, the operator
 * should see them and not a loop. */
static void
start_anew(struct child *c, int status)
{
	struct supervisor *s = c->s;
	int64_t now = lk_loop_now_ms(s->loop);

	if (!s->all_ready) {
		s->status = WIFEXITED(status) && WEXITSTATUS(status)
				    ? WEXITSTATUS(status)
				    : lk_reason_exit_code(LK_R_ROLE_START);
		begin_stop(s);
		return;
	}
	c->deaths = now - c->started_ms < HEALTHY_MS ? c->deaths + 1 : 1;
	lk_timer_at(c->restart, now + restart_delay(c));
}

static void
forget_process(struct child *c)
{
	if (c->control) {
		lk_channel_abandon(c->control);
		lk_watch_free(LK_TAKE(c->watch));
		lk_channel_free(LK_TAKE(c->control));
	}
	c->pid = 0;
	c->ready = false;
}

static void
bury(struct child *c, int status)
{
	struct supervisor *s = c->s;
	struct lk_unlink_body gone = { .role = c->row->role, .index = c->index };
	size_t i;

	log_death(c, status);
	forget_process(c);
	for (i = 0; i < s->n_children; i++)
		if (are_linked(s, c, &s->children[i]))
			order(&s->children[i], LK_BODY_unlink, &gone, -1);
	if (s->stopping)
		stop_next(s);
	else
		start_anew(c, status);
}

static void
on_child(void *ctx, int signo)
{
	struct supervisor *s = ctx;
	size_t i;
	int status;

	(void)signo;
	for (i = 0; i < s->n_children; i++)
		if (s->children[i].pid && waitpid(s->children[i].pid, &status, WNOHANG) > 0)
			bury(&s->children[i], status);
}

/* --- the orderly end -------------------------------------------------------------------------- */

/* The last role of the table that still runs ends next; NULL: none does. */
static const struct lk_program_role *
last_running(const struct supervisor *s)
{
	const struct lk_program_role *row = NULL;
	size_t i;

	for (i = 0; i < s->n_children; i++)
		if (s->children[i].pid)
			row = s->children[i].row;
	return row;
}

static void
stop_next(struct supervisor *s)
{
	const struct lk_program_role *row = last_running(s);
	bool told = false;
	size_t i;

	for (i = 0; i < s->n_children; i++) {
		struct child *c = &s->children[i];

		lk_timer_off(c->restart);
		if (!row || c->row != row || !c->pid || c->told_to_stop)
			continue;
		c->told_to_stop = told = true;
		order(c, LK_BODY_shutdown, NULL, -1);
	}
	if (told)
		lk_timer_at(s->stop, lk_loop_now_ms(s->loop) + STOP_MS);
	if (!row)
		lk_loop_stop(s->loop);
}

static void
kill_running(const struct supervisor *s, bool all)
{
	size_t i;

	for (i = 0; i < s->n_children; i++)
		if (s->children[i].pid && (all || s->children[i].told_to_stop))
			kill(s->children[i].pid, SIGKILL);
}

static void
on_stop_late(void *ctx)
{
	lk_log(LK_LOG_WARNING, "stopping", "msg", "a role takes too long and is killed", NULL);
	kill_running(ctx, false);
}

static void
on_stop_signal(void *ctx, int signo)
{
	struct supervisor *s = ctx;

	(void)signo;
	if (s->stopping)
		kill_running(s, true); /* asked twice */
	else
		begin_stop(s);
}

/* --- what roles say --------------------------------------------------------------------------- */

static void
became_ready(struct child *c)
{
	struct supervisor *s = c->s;
	size_t i;

	c->ready = c->was_ready = true;
	lk_log(LK_LOG_INFO, "role-ready", "process", c->name, NULL);
	for (i = 0; i < s->n_children; i++)
		if (!s->children[i].was_ready)
			return;
	if (s->all_ready || s->stopping)
		return;
	s->all_ready = true;
	lk_log(LK_LOG_NOTICE, "ready", "program", s->program->config->program, NULL);
	lk_notify_ready();
}

static struct lk_result
hear(struct child *c, bool *ret_open, struct lk_err *e)
{
	enum lk_received what = LK_RECEIVED_MESSAGE;

	LK_TRY(lk_channel_flush(c->control, e));
	while (what == LK_RECEIVED_MESSAGE || what == LK_RECEIVED_REPLY) {
		LK_CLEANUP(lk_message_done) struct lk_message m = LK_MESSAGE_INIT;

		LK_TRY(lk_channel_receive(c->control, &m, &what, e));
		if (what == LK_RECEIVED_MESSAGE) /* the table of messages lets it be `ready` only */
			became_ready(c);
	}
	*ret_open = what != LK_RECEIVED_END;
	return LK_OK;
}

/* A process without a control socket is none: SIGCHLD will tell of its end. */
static void
on_control(void *ctx, unsigned ready)
{
	struct child *c = ctx;
	struct lk_err e = { .reason = LK_R_NONE };
	bool open = false;

	(void)ready;
	if (!hear(c, &open, &e).ok && e.reason != LK_R_IPC_GONE)
		lk_log_err(&e, "process", c->name, NULL);
	if (!open) {
		pid_t pid = c->pid;

		forget_process(c);
		c->pid = pid;
		if (!c->told_to_stop)
			kill(pid, SIGKILL);
		return;
	}
	watch_control(c);
}

static void
on_pong(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	struct child *c = ctx;

	(void)tag;
	(void)m;
	(void)why;
	c->pinged_ms = 0;
}

static bool
end_hung(const struct child *c, const char *how)
{
	struct lk_err e;

	lk_err_set(&e, LK_R_ROLE_HUNG, "%s %s", c->name, how);
	lk_log_err(&e, NULL);
	kill(c->pid, SIGKILL);
	return false;
}

/* False when it hangs. */
static bool
ping(struct child *c, int64_t now)
{
	struct lk_err e = { .reason = LK_R_NONE };

	if (!c->control)
		return true; /* its end is on its way, or its start */
	if (!c->ready)
		return now - c->started_ms < START_MS || end_hung(c, "does not get ready");
	if (c->pinged_ms)
		return now - c->pinged_ms < HUNG_MS || end_hung(c, "does not answer");
	if (lk_channel_request(c->control, LK_BODY_ping, lk_slice(NULL, 0), on_pong, c, 0, &e).ok)
		c->pinged_ms = now;
	watch_control(c);
	return true;
}

static void
on_ping(void *ctx)
{
	struct supervisor *s = ctx;
	int64_t now = lk_loop_now_ms(s->loop);
	bool well = true;
	size_t i;

	for (i = 0; i < s->n_children; i++)
		well = ping(&s->children[i], now) && well;
	if (well)
		lk_notify("WATCHDOG=1");
	lk_timer_at(s->ping, now + s->ping_ms);
}

/* --- beginning and end ------------------------------------------------------------------------ */

static struct lk_result
make_children(struct supervisor *s, struct lk_err *e)
{
	size_t i;
	uint32_t n, index;

	for (i = 0; i < s->program->n_roles; i++) {
		const struct lk_program_role *row = &s->program->roles[i];

		n = count_of(s, row);
		for (index = 0; index < n; index++) {
			struct child *c = &s->children[s->n_children];

			LK_REQUIRE(s->n_children < CHILDREN_MAX, e, LK_R_ROLE_START,
				"there are more than %d processes", CHILDREN_MAX);
			*c = (struct child){ .s = s, .row = row, .index = index };
			snprintf(c->name, sizeof c->name, n > 1 ? "%s %u" : "%s",
				lk_role_name(row->role), index);
			LK_TRY(lk_timer_new(s->loop, on_restart, c, &c->restart, e));
			s->n_children++;
		}
		if (geteuid() == 0 && n && !user_of(s, row->role).change)
			lk_log(LK_LOG_NOTICE, "role-user", "process", lk_role_name(row->role),
				"msg",
				"runs as root without capabilities; make the user latchkey-ROLE "
				"or set uid_base",
				NULL);
	}
	return LK_OK;
}

/* All are there before any starts, so that each finds its links. */
static struct lk_result
start_children(struct supervisor *s, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < s->n_children; i++) {
		LK_TRY(spawn(&s->children[i], e));
		LK_TRY(link_child(&s->children[i], i, e));
	}
	for (i = 0; i < s->n_children; i++)
		LK_TRY(tell_start(&s->children[i], e));
	return LK_OK;
}

static int64_t
watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
	uint64_t us, pid;

	/* sd_watchdog_enabled(3): it may be meant for another process. */
	if (whose &&
		(!lk_parse_u64(lk_slice_str(whose), "WATCHDOG_PID", 1, INT32_MAX, &pid, NULL).ok ||
			pid != (uint64_t)getpid()))
		return PING_MS;
	if (!text ||
		!lk_parse_u64(lk_slice_str(text), "WATCHDOG_USEC", 200000, INT64_MAX, &us, NULL).ok)
		return PING_MS;
	return us / 2000 < PING_MS ? (int64_t)(us / 2000) : PING_MS;
}

static struct lk_result
supervisor_init(struct supervisor *s, struct lk_err *e)
{
	LK_TRY(lk_loop_new(&lk_clock_system, &s->loop, e));
	LK_TRY(lk_signal_new(s->loop, SIGTERM, on_stop_signal, s, &s->on_term, e));
	LK_TRY(lk_signal_new(s->loop, SIGINT, on_stop_signal, s, &s->on_int, e));
	LK_TRY(lk_signal_new(s->loop, SIGHUP, on_stop_signal, s, &s->on_hup, e));
	LK_TRY(lk_signal_new(s->loop, SIGCHLD, on_child, s, &s->on_chld, e));
	LK_TRY(lk_timer_new(s->loop, on_ping, s, &s->ping, e));
	LK_TRY(lk_timer_new(s->loop, on_stop_late, s, &s->stop, e));
	s->ping_ms = watchdog_ms();
	LK_TRY(make_folders(s, e));
	LK_TRY(bind_all(s, e));
	return make_children(s, e);
}

static void
unlink_sockets(struct supervisor *s)
{
	size_t i;

	for (i = 0; i < s->n_sockets; i++) {
		struct sockaddr_un sa = { .sun_path = "" };
		socklen_t len = sizeof sa;

		if (s->sockets[i].shared &&
			getsockname(s->sockets[i].fd, (struct sockaddr *)&sa, &len) == 0)
			unlink(sa.sun_path);
		close(s->sockets[i].fd);
	}
}

static void
supervisor_done(struct supervisor *s)
{
	size_t i;

	for (i = 0; i < s->n_children; i++) {
		forget_process(&s->children[i]);
		lk_timer_free(s->children[i].restart);
	}
	unlink_sockets(s);
	lk_timer_free(s->ping);
	lk_timer_free(s->stop);
	lk_signal_free(s->on_term);
	lk_signal_free(s->on_int);
	lk_signal_free(s->on_hup);
	lk_signal_free(s->on_chld);
	lk_loop_free(s->loop);
}

/* Serves until it is told to end, or cannot begin. */
static int
supervise(const struct lk_program *program, const char *argv0, bool accept_rollback, void *config)
{
	static struct supervisor s;
	struct lk_err e = { .reason = LK_R_NONE };

	s = (struct supervisor){ .program = program,
		.argv0 = argv0,
		.accept_rollback = accept_rollback,
		.config = config };
	signal(SIGPIPE, SIG_IGN);
	lk_notify_init();
	if (!supervisor_init(&s, &e).ok) {
		lk_log_fatal(&e);
		supervisor_done(&s);
		return lk_reason_exit_code(e.reason);
	}
	if (!start_children(&s, &e).ok)
		give_up(&s, &e);
	lk_timer_at(s.ping, lk_loop_now_ms(s.loop) + s.ping_ms);
	if (!lk_loop_run(s.loop, &e).ok)
		give_up(&s, &e);
	supervisor_done(&s);
	return s.status;
}

static int
run_role(const struct lk_program *program, const struct lk_config_args *args)
{
	enum lk_role role = lk_role_by_name(args->role);
	size_t i;

	for (i = 0; i < program->n_roles; i++)
		if (program->roles[i].role == role)
			return lk_process_run(
				program->config, role, args->index, program->roles[i].work);
	lk_log(LK_LOG_ERROR, "usage", "msg", "there is no such role", "role", args->role, NULL);
	return lk_reason_exit_code(LK_R_USAGE);
}

static void
print_usage(const struct lk_program *program)
{
	printf("usage: %s [--config FILE] [--state-dir DIR] [--runtime-dir DIR]\n"
	       "          [--accept-rollback]\n"
	       "          [--check-config | --print-defaults | -h | --help | --version]\n"
	       "The configuration is read from %s unless --config says otherwise.\n",
		program->config->program, program->config->file);
}

static struct lk_result
print_defaults(const struct lk_program *program, void *config, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1 << 20);

	LK_TRY(lk_config_defaults(program->config, config, e));
	LK_TRY(lk_config_print(program->config, config, &out, e));
	fputs(lk_buf_str(&out), stdout);
	return LK_OK;
}

static struct lk_result
run_main(const struct lk_program *program, const char *argv0, const struct lk_config_args *args,
	int *ret_status, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) void *config = calloc(1, program->config->size);
	const struct lk_config_common *c = config;

	LK_REQUIRE(config, e, LK_R_NOMEM, "no memory for the configuration");
	switch (args->mode) {
	case LK_CONFIG_HELP:
		print_usage(program);
		return LK_OK;
	case LK_CONFIG_VERSION:
		printf("%s %s\n", program->config->program, LK_VERSION);
		return LK_OK;
	case LK_CONFIG_PRINT:
		return print_defaults(program, config, e);
	case LK_CONFIG_CHECK:
		LK_TRY(lk_config_load(program->config, args, config, e));
		return check_all(program, config, e);
	case LK_CONFIG_RUN:
		LK_TRY(lk_config_load(program->config, args, config, e));
		lk_log_setup("supervisor", (enum lk_log_level)c->log_level,
			(enum lk_log_format)c->log_format, &lk_clock_system);
		*ret_status = supervise(program, argv0, args->accept_rollback, config);
		return LK_OK;
	}
	return lk_fail(e, LK_R_BUG, "there is no mode %d", (int)args->mode);
}

int
lk_program_main(const struct lk_program *program, int argc, char **argv)
{
	struct lk_config_args args;
	struct lk_err e = { .reason = LK_R_NONE };
	int status = 0;

	if (lk_config_args(argc, argv, &args, &e).ok) {
		if (args.role)
			return run_role(program, &args);
		if (run_main(program, argv[0], &args, &status, &e).ok)
			return status;
	}
	fprintf(stderr, "%s: %s: %s\n%s\n", program->config->program,
		lk_reason_info(e.reason)->symbol, e.msg, lk_reason_info(e.reason)->cure);
	return lk_reason_exit_code(e.reason);
}
