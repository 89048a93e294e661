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
	STOP_MS = 5 * 1000,
	CONTROL_FD = 3
};

struct supervisor;

/* One process of a role, through all its lives. */
struct child {
	struct supervisor *s;
	const struct lk_program_role *row;
	uint32_t index;
	char name[32];      /* "front 2", for the log */
	pid_t pid;          /* 0: not running */
	int64_t started_ms;
	unsigned deaths;    /* in a row */
	bool ready;         /* this life serves */
	bool was_ready;     /* any life did */
	bool told_to_stop;
	int64_t pinged_ms;  /* 0: no ping is open */
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
	void *config;
	struct lk_loop *loop;
	struct lk_signal *on_term, *on_int, *on_chld;
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

/* --- users and folders ----------------------------------------------------------------------- */

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
