/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper's engine: group commit. What arrives in one turn of the loop is
 * decided message by message, each in a savepoint of its own, written in one
 * transaction and synced; only then do the effects leave: answers, requests to
 * the signer and the courier, orders to the enforcer. So nothing is signed
 * before it is recorded, and nothing acknowledged before it is durable. A
 * handler that refuses leaves no trace but the refusal.
 *
 *	lk_turn_receive()	for each message		(opens the transaction)
 *	lk_turn_flush()		at the end of the loop's turn	(commits, then sends)
 *
 * Sans-I/O: messages come in, messages go out through a function; the clock is
 * the caller's. latchkeyd and latchkey-masa give it a table of handlers each.
 */
#pragma once

#include "base/random.h"
#include "base/time.h"
#include "ipc/body.h"
#include "ipc/channel.h"
#include "store/ledger.h"

struct lk_turn; /* opaque; one per keeper */
struct lk_checkpointer;

/* A message between roles, unpacked. */
struct lk_message_in {
	enum lk_role from;
	unsigned index; /* which of the role's processes */
	uint32_t id;    /* the sender's request id; an answer carries the asker's */
	enum lk_body type;
	const void *body;            /* struct lk_<type>_body; valid while it is handled */
	const char *subject;         /* of an answer: what the question was asked for; else "" */
	const struct lk_err *failed; /* of an answer: why there is none; then body is NULL */
};

typedef struct lk_result lk_turn_handler(
	struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e);

enum lk_turn_send {
	LK_SEND_ANSWER,   /* packed is a body of the type */
	LK_SEND_REFUSAL,  /* packed is a `fail` */
	LK_SEND_QUESTION, /* asks for an answer */
	LK_SEND_EVENT
};

struct lk_turn_route {
	enum lk_role from;
	enum lk_body type;
	lk_turn_handler *handler;
};

struct lk_turn_settings {
	struct lk_store *store;         /* borrowed */
	const struct lk_clock *clock;   /* borrowed */
	const struct lk_random *random; /* borrowed */
	void *app;                      /* the keeper, for its handlers */
	const struct lk_turn_route *routes;
	size_t n_routes;
	/* A handler refused and its writes are undone: puts the refusal into the ledger. In a
	 * savepoint of its own. */
	struct lk_result (*record_refusal)(struct lk_turn *t, const struct lk_message_in *m,
		const struct lk_err *why, struct lk_err *e);
	/* Tells the asker, by lk_turn_reply() and nothing else: the store may be what failed.
	 * m->body is NULL then. */
	struct lk_result (*answer_refusal)(struct lk_turn *t, const struct lk_message_in *m,
		const struct lk_err *why, struct lk_err *e);
	/* Called when a parked request waited for too long: answers it. */
	struct lk_result (*overdue)(
		struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e);
	/* Called after the commit for each change of a record, before effects leave; may be NULL.
	 */
	void (*committed)(void *app, const struct lk_record *r, bool removed);
	/* Sends at once. An answer has the id of its question; what comes of a question is told by
	 * lk_turn_receive() or lk_turn_failed() with the same id. */
	struct lk_result (*send)(void *send_ctx, enum lk_turn_send kind, enum lk_role to,
		unsigned index, uint32_t id, enum lk_body type, struct lk_slice packed,
		struct lk_err *e);
	/* How many messages more that role is to be sent for now, by lk_turn_send(). */
	size_t (*room)(void *send_ctx, enum lk_role to);
	void *send_ctx;
	struct lk_checkpointer *checkpointer; /* borrowed, for its handler; NULL: none */
	int64_t answer_ms; /* how long a question to another role may stay open */
	int64_t park_ms;   /* how long a request is parked before it is overdue */
};

LK_RESULT lk_turn_new(
	const struct lk_turn_settings *settings, struct lk_turn **ret, struct lk_err *e);
struct lk_turn *lk_turn_free(struct lk_turn *t);
LK_DEFINE_CLEANUP(struct lk_turn *, lk_turn_free);

/* A message as it came off a channel. Fails only for what its sender must be closed for: a type
 * that has no route, a body that cannot be unpacked, an answer nobody asked for. */
LK_RESULT lk_turn_receive(struct lk_turn *t, enum lk_role from, unsigned index, uint32_t id,
	enum lk_body type, struct lk_slice packed, struct lk_err *e);
/* Commits and lets the effects leave. When the store refuses, every request of the turn is
 * answered with that, and nothing else leaves. */
LK_RESULT lk_turn_flush(struct lk_turn *t, struct lk_err *e);
/* For what the clock starts, not a message: opens a turn if none is open. */
LK_RESULT lk_turn_begin(struct lk_turn *t, struct lk_err *e);
bool lk_turn_is_open(const struct lk_turn *t); /* something is to be flushed */
/* A question was not answered: FAIL came, or the role is gone. */
void lk_turn_failed(struct lk_turn *t, uint32_t id, const struct lk_err *why);
/* Requests of this process are forgotten. */
void lk_turn_role_gone(struct lk_turn *t, enum lk_role role, unsigned index);
/* Overdue requests and questions; a few times a second. Opens a turn if there are any. */
void lk_turn_tick(struct lk_turn *t);

/* For what is told bit by bit as its reader takes it, from what is committed already: between turns
 * only. Sends at once; LK_R_IPC_GONE when there is no such role. */
size_t lk_turn_room(const struct lk_turn *t, enum lk_role to);
LK_RESULT lk_turn_send(struct lk_turn *t, enum lk_role to, enum lk_body type,
	struct lk_slice packed, struct lk_err *e);

/* --- for handlers ----------------------------------------------------------------------------- */

void *lk_turn_app(const struct lk_turn *t);
struct lk_checkpointer *lk_turn_checkpointer(const struct lk_turn *t);
struct lk_store *lk_turn_store(const struct lk_turn *t);
const struct lk_random *lk_turn_random(const struct lk_turn *t);
int64_t lk_turn_now(const struct lk_turn *t);        /* Unix seconds */
int64_t lk_turn_elapsed_ms(const struct lk_turn *t); /* never goes back */
/* A new record's id: of now, and behind all that this process made before. */
void lk_turn_id(struct lk_turn *t, char dst[static LK_ID_MAX]);

/* Writes a record and remembers it for the change stream. */
LK_RESULT lk_turn_insert(struct lk_turn *t, struct lk_record *r, struct lk_err *e);
LK_RESULT lk_turn_put(struct lk_turn *t, struct lk_record *r, struct lk_err *e);
LK_RESULT lk_turn_remove(struct lk_turn *t, struct lk_record *r, struct lk_err *e);

struct lk_event {
	const char *type;        /* "voucher-requested" */
	const char *device_id;   /* NULL: none */
	const char *run_id;      /* NULL: none */
	const char *actor;       /* "device", "registrar", "uid:0" */
	enum lk_reason reason;   /* LK_R_NONE where nothing was refused */
	struct lk_slice payload; /* JSON object; may be empty */
};

/* Appends to the ledger; ret_seq (may be NULL) is what the signer asks for. */
LK_RESULT lk_turn_event(
	struct lk_turn *t, const struct lk_event *ev, int64_t *ret_seq, struct lk_err *e);

/* Effects: they leave after the commit, in order. */
/* Answers the message being handled. */
LK_RESULT lk_turn_reply(struct lk_turn *t, const struct lk_message_in *m, enum lk_body type,
	const void *body, struct lk_err *e);
/* Answers it with the reason why there is no other answer (`fail`). */
LK_RESULT lk_turn_refuse(struct lk_turn *t, const struct lk_message_in *m, const struct lk_err *why,
	struct lk_err *e);
/* A question to another role. Its answer, of type `expect`, goes to `then` with the subject; so
 * does a failure, also of a role that is gone or silent. */
LK_RESULT lk_turn_ask(struct lk_turn *t, enum lk_role to, enum lk_body type, const void *body,
	enum lk_body expect, const char *subject, lk_turn_handler *then, struct lk_err *e);
/* Whether a question with this subject is open, or will be when this turn commits. */
bool lk_turn_asks(const struct lk_turn *t, const char *subject);
/* The message being handled is answered later, by lk_turn_answer() with the same key. */
LK_RESULT lk_turn_park(
	struct lk_turn *t, const struct lk_message_in *m, const char *key, struct lk_err *e);
/* Answers everything that is parked under the key; nothing parked is no failure. */
LK_RESULT lk_turn_answer(
	struct lk_turn *t, const char *key, enum lk_body type, const void *body, struct lk_err *e);
