/* SPDX-License-Identifier: Apache-2.0
 *
 * A role process: what happens between its start by the supervisor and its end.
 * It gets listeners and links over the control socket, opens what it needs,
 * closes its cage, and serves; a role is the table of what it handles.
 *
 *	static const struct lk_message_route routes[] = {
 *		{ LK_BODY_web_request, LK_ROLE_FRONT, on_web_request },
 *	};
 *	const struct lk_role_work keeper_work = {
 *		.routes = routes, .n_routes = LK_ARRAY_LEN(routes),
 *		.open = keeper_open, .cage = keeper_cage, .start = keeper_start, .close =
 *keeper_close,
 *	};
 *
 * Dispatch is default-deny: a message without a row for its sender's role closes
 * the connection to that process, and this one lives on. A role whose connection
 * was closed by a living peer ends itself: it is useless, and the supervisor
 * starts a clean one.
 */
#pragma once

#include "ipc/channel.h"
#include "net/loop.h"
#include "role/cage.h"
#include "role/config.h"

struct lk_process;

/* The process at the other end, or a request of it that is to be answered later. Stays good when
 * that process dies: what is sent to it is dropped. */
struct lk_peer_ref {
	enum lk_role role;
	uint32_t index;
	uint32_t link; /* number of the link; a restarted process has another */
	uint32_t id;   /* of the request; 0: none */
};

/* Refuse a request by lk_process_refuse(). A failure means that the sender broke the contract: its
 * connection is closed when the category is PEER or DENIED. Otherwise the failure is this side's
 * own (memory, store): it is logged, and answers a request by `fail`. */
typedef struct lk_result lk_message_handler(struct lk_process *p, const struct lk_peer_ref *from,
	const struct lk_message *m, struct lk_err *e);

struct lk_message_route {
	enum lk_body type;
	enum lk_role from;
	lk_message_handler *handler;
};

/* What a role does. Members that are NULL are left out. */
struct lk_role_work {
	const struct lk_message_route *routes; /* events and requests; replies find their asker */
	size_t n_routes;
	/* Before the cage: opens keys, store, sockets. Sets p->state. Parses nothing foreign. */
	struct lk_result (*open)(struct lk_process *p, struct lk_err *e);
	/* What the cage must allow. Strings in it live until this process ends. */
	struct lk_result (*cage)(
		struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e);
	/* Inside the cage: starts servers and timers. Links exist; what was sent is handled after.
	 */
	struct lk_result (*start)(struct lk_process *p, struct lk_err *e);
	void (*linked)(struct lk_process *p, const struct lk_peer_ref *peer);   /* also at start */
	void (*unlinked)(struct lk_process *p, const struct lk_peer_ref *peer); /* it died */
	/* The queue to a peer that did not read fast enough is empty again. */
	void (*drained)(struct lk_process *p, const struct lk_peer_ref *peer);
	/* Orderly end asked for: accept no more, finish, call lk_process_end(). NULL: ends at once.
	 */
	void (*stop)(struct lk_process *p);
	/* Frees p->state, which is half made where open failed, and NULL where it was not called;
	 * the loop still exists. */
	void (*close)(struct lk_process *p);
};

struct lk_process {
	enum lk_role role;
	uint32_t index;
	struct lk_loop *loop;
	const struct lk_config_spec *config_spec;
	void *config;             /* the program's struct */
	char state_dir[PATH_MAX]; /* this role's own; exists when its row says so */
	bool accept_rollback;     /* the operator takes a store that is older than it was */
	void *state;              /* the role's */
	struct lk_process_private *private;
};

/* The n-th listener of a name, -1 when there is none. The role may hand it to a server that will
 * close it, once. */
int lk_process_listener(const struct lk_process *p, const char *name, size_t n);

/* Each fails with LK_R_IPC_GONE while there is no such process. */
LK_RESULT lk_process_tell(struct lk_process *p, enum lk_role role, uint32_t index,
	enum lk_body type, const void *body, struct lk_err *e);
LK_RESULT lk_process_ask(struct lk_process *p, enum lk_role role, uint32_t index, enum lk_body type,
	const void *body, lk_reply_fn *done, void *ctx, uint64_t tag, struct lk_err *e);
/* Asks and waits (lk_channel_call()); appends the reply's packed body. */
LK_RESULT lk_process_call(struct lk_process *p, enum lk_role role, uint32_t index,
	enum lk_body type, const void *body, int timeout_ms, struct lk_buf *reply,
	struct lk_err *e);
/* Questions of this ctx are answered to nobody from now on. */
void lk_process_forget(struct lk_process *p, const void *ctx);
/* Packets that wait until that process reads. */
size_t lk_process_queued(const struct lk_process *p, enum lk_role role, uint32_t index);

/* Answers a request; nothing happens when its asker is gone. */
LK_RESULT lk_process_reply(struct lk_process *p, const struct lk_peer_ref *to, enum lk_body type,
	const void *body, struct lk_err *e);
LK_RESULT lk_process_refuse(struct lk_process *p, const struct lk_peer_ref *to,
	const struct lk_err *why, struct lk_err *e);
/* The same for a body that is packed already. */
LK_RESULT lk_process_reply_packed(struct lk_process *p, const struct lk_peer_ref *to,
	enum lk_body type, struct lk_slice packed, struct lk_err *e);
LK_RESULT lk_process_ask_packed(struct lk_process *p, enum lk_role role, uint32_t index,
	enum lk_body type, struct lk_slice packed, lk_reply_fn *done, void *ctx, uint64_t tag,
	struct lk_err *e);
LK_RESULT lk_process_tell_packed(struct lk_process *p, enum lk_role role, uint32_t index,
	enum lk_body type, struct lk_slice packed, struct lk_err *e);

/* Leaves the loop at the end of this turn; the process exits with status 0. */
void lk_process_end(struct lk_process *p);

/* The whole life of a role process whose control socket is fd 3. Returns its exit status. */
int lk_process_run(const struct lk_config_spec *spec, enum lk_role role, uint32_t index,
	const struct lk_role_work *work);
