/* SPDX-License-Identifier: Apache-2.0
 *
 * Group commit. Everything that changes memory (questions asked, requests
 * parked, answers sent) is an effect too and happens after the commit, so that a
 * turn that fails leaves memory as it was.
 */
#include "role/turn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define BUCKETS       1024              /* power of two */
#define EFFECT_MAX    (8 * 1024 * 1024) /* bytes of one packed message */
#define KEY_MAX       LK_ID_MAX
#define QUESTIONS_MAX 8192 /* open at once; more is refused with AGAIN */
#define PARKED_MAX    8192

union any_body {
#define LK_BODY(name) struct lk_##name##_body as_##name;
#include "ipc/body.def"
};

enum effect_kind { EFFECT_REPLY, EFFECT_REFUSE, EFFECT_ASK, EFFECT_PARK, EFFECT_ANSWER };

struct effect {
	struct effect *next;
	enum effect_kind kind;
	enum lk_role to;
	unsigned index;
	uint32_t id;
	enum lk_body type, expect;
	char key[KEY_MAX]; /* subject of a question, key of what is parked */
	lk_turn_handler *then;
	struct lk_buf packed;
};

/* A question that is open. */
struct question {
	struct question *next;
	uint32_t id;
	enum lk_role to;
	enum lk_body expect;
	int64_t deadline;
	char subject[KEY_MAX];
	lk_turn_handler *then;
};

/* A request that waits, with what its answer needs. */
struct parked {
	struct parked *next;
	enum lk_role from;
	unsigned index;
	uint32_t id;
	enum lk_body type;
	int64_t deadline;
	char key[KEY_MAX];
};

/* A record of this turn, for the change stream. */
struct change {
	struct change *next;
	struct lk_record *record;
	bool removed;
};

/* A request of this turn, in case the commit fails. */
struct arrived {
	struct arrived *next;
	enum lk_role from;
	unsigned index;
	uint32_t id;
	enum lk_body type;
};

struct lk_turn {
	struct lk_turn_settings set;
	bool open;
	uint32_t last_id;
	int64_t last_id_ms; /* of lk_turn_id() */
	struct effect *effects, **effects_end;
	struct change *changes, **changes_end;
	struct arrived *arrived;
	struct question *questions[BUCKETS];
	struct parked *parked[BUCKETS];
	size_t n_questions, n_parked;
};

struct lk_result
lk_turn_new(const struct lk_turn_settings *settings, struct lk_turn **ret, struct lk_err *e)
{
	struct lk_turn *t = calloc(1, sizeof *t);

	LK_REQUIRE(t, e, LK_R_NOMEM, "no memory for the keeper");
	t->set = *settings;
	t->effects_end = &t->effects;
	t->changes_end = &t->changes;
	*ret = t;
	return LK_OK;
}

static void
effect_free(struct effect *x)
{
	lk_buf_done(&x->packed);
	free(x);
}

/* Drops effects from `from` on. */
static void
drop_effects(struct lk_turn *t, struct effect **from)
{
	struct effect *x, *next;

	for (x = *from; x; x = next) {
		next = x->next;
		effect_free(x);
	}
	*from = NULL;
	t->effects_end = from;
}

static void
drop_changes(struct lk_turn *t, struct change **from)
{
	struct change *c, *next;

	for (c = *from; c; c = next) {
		next = c->next;
		lk_record_free(c->record);
		free(c);
	}
	*from = NULL;
	t->changes_end = from;
}

static void
drop_arrived(struct lk_turn *t)
{
	struct arrived *a, *next;

	for (a = t->arrived; a; a = next) {
		next = a->next;
		free(a);
	}
	t->arrived = NULL;
}

struct lk_turn *
lk_turn_free(struct lk_turn *t)
{
	size_t i;

	if (!t)
		return NULL;
	drop_effects(t, &t->effects);
	drop_changes(t, &t->changes);
	drop_arrived(t);
	for (i = 0; i < BUCKETS; i++) {
		while (t->questions[i]) {
			struct question *q = t->questions[i];

			t->questions[i] = q->next;
			free(q);
		}
		while (t->parked[i]) {
			struct parked *p = t->parked[i];

			t->parked[i] = p->next;
			free(p);
		}
	}
	free(t);
	return NULL;
}

void *
lk_turn_app(const struct lk_turn *t)
{
	return t->set.app;
}

struct lk_checkpointer *
lk_turn_checkpointer(const struct lk_turn *t)
{
	return t->set.checkpointer;
}

struct lk_store *
lk_turn_store(const struct lk_turn *t)
{
	return t->set.store;
}

const struct lk_random *
lk_turn_random(const struct lk_turn *t)
{
	return t->set.random;
}

int64_t
lk_turn_now(const struct lk_turn *t)
{
	return lk_now(t->set.clock);
}

/*= RFC9562 6.2: ids of one maker are in the order of their making =*/
void
lk_turn_id(struct lk_turn *t, char dst[static LK_ID_MAX])
{
	int64_t now_ms = lk_now(t->set.clock) * 1000;

	/* Several in a second, or a clock that was put back: the newest of a device is found by
	 * its id. */
	t->last_id_ms = now_ms > t->last_id_ms ? now_ms : t->last_id_ms + 1;
	lk_uuid7(t->set.random, t->last_id_ms, dst);
}

int64_t
lk_turn_elapsed_ms(const struct lk_turn *t)
{
	return t->set.clock->monotonic_ms(t->set.clock);
}

bool
lk_turn_is_open(const struct lk_turn *t)
{
	return t->open;
}

static unsigned
bucket_of(const char *key)
{
	uint32_t h = UINT32_C(2166136261); /* FNV-1a; keys are ids of our own making */

	while (*key)
		h = (h ^ (uint8_t)*key++) * UINT32_C(16777619);
	return h & (BUCKETS - 1);
}

/* --- what handlers call ----------------------------------------------------------------------- */

static struct lk_result
remember_change(struct lk_turn *t, const struct lk_record *r, bool removed, struct lk_err *e)
{
	struct change *c;

	if (!t->set.committed)
		return LK_OK;
	c = calloc(1, sizeof *c);
	LK_REQUIRE(c, e, LK_R_NOMEM, "no memory for a change");
	c->removed = removed;
	if (!lk_record_copy(r, &c->record, e).ok) {
		free(c);
		return (struct lk_result){ false };
	}
	*t->changes_end = c;
	t->changes_end = &c->next;
	return LK_OK;
}

struct lk_result
lk_turn_insert(struct lk_turn *t, struct lk_record *r, struct lk_err *e)
{
	LK_TRY(lk_store_insert(t->set.store, r, e));
	return remember_change(t, r, false, e);
}

struct lk_result
lk_turn_put(struct lk_turn *t, struct lk_record *r, struct lk_err *e)
{
	LK_TRY(lk_store_put(t->set.store, r, e));
	return remember_change(t, r, false, e);
}

struct lk_result
lk_turn_remove(struct lk_turn *t, struct lk_record *r, struct lk_err *e)
{
	LK_TRY(lk_store_remove(t->set.store, r, e));
	return remember_change(t, r, true, e);
}

struct lk_result
lk_turn_event(struct lk_turn *t, const struct lk_event *ev, int64_t *ret_seq, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record r = LK_RECORD_INIT(event);
	const struct lk_reason_info *reason = lk_reason_info(ev->reason);
	char clause[LK_SYMBOL_MAX];

	r.at = lk_turn_now(t);
	LK_TRY(lk_slice_to_str(lk_slice_str(ev->type), "event type", r.type, sizeof r.type, e));
	LK_TRY(lk_slice_to_str(
		lk_slice_str(ev->device_id), "device id", r.device_id, sizeof r.device_id, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(ev->run_id), "run id", r.run_id, sizeof r.run_id, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(ev->actor), "actor", r.actor, sizeof r.actor, e));
	if (ev->reason != LK_R_NONE) {
		snprintf(clause, sizeof clause, "%s %s", reason->clause.document,
			reason->clause.section);
		LK_TRY(lk_slice_to_str(
			lk_slice_str(reason->symbol), "reason", r.reason, sizeof r.reason, e));
		LK_TRY(lk_slice_to_str(
			lk_slice_str(clause), "clause", r.clause, sizeof r.clause, e));
	}
	LK_TRY(lk_blob_set(&r.payload, ev->payload, e));
	LK_TRY(lk_ledger_append(t->set.store, t->set.random, &r, e));
	if (ret_seq)
		*ret_seq = r.seq;
	return remember_change(t, &r.record, false, e);
}

static struct lk_result
add_effect(struct lk_turn *t, const struct effect *as, const void *body, struct lk_err *e)
{
	struct effect *x = calloc(1, sizeof *x);

	LK_REQUIRE(x, e, LK_R_NOMEM, "no memory for an effect");
	*x = *as;
	x->packed = LK_BUF_INIT(EFFECT_MAX);
	if (body && !lk_body_pack(x->type, body, &x->packed, e).ok) {
		lk_buf_done(&x->packed);
		free(x);
		return (struct lk_result){ false };
	}
	*t->effects_end = x;
	t->effects_end = &x->next;
	return LK_OK;
}

static struct lk_result
set_key(struct effect *x, const char *key, struct lk_err *e)
{
	return lk_slice_to_str(lk_slice_str(key), "key", x->key, sizeof x->key, e);
}

struct lk_result
lk_turn_reply(struct lk_turn *t, const struct lk_message_in *m, enum lk_body type, const void *body,
	struct lk_err *e)
{
	struct effect x = {
		.kind = EFFECT_REPLY, .to = m->from, .index = m->index, .id = m->id, .type = type
	};

	return add_effect(t, &x, body, e);
}

struct lk_result
lk_turn_refuse(struct lk_turn *t, const struct lk_message_in *m, const struct lk_err *why,
	struct lk_err *e)
{
	struct effect x = { .kind = EFFECT_REFUSE,
		.to = m->from,
		.index = m->index,
		.id = m->id,
		.type = m->type };
	struct effect **at = t->effects_end;

	LK_TRY(add_effect(t, &x, NULL, e));
	return lk_fail_pack(why, &(*at)->packed, e);
}

struct lk_result
lk_turn_ask(struct lk_turn *t, enum lk_role to, enum lk_body type, const void *body,
	enum lk_body expect, const char *subject, lk_turn_handler *then, struct lk_err *e)
{
	struct effect x = {
		.kind = EFFECT_ASK, .to = to, .type = type, .expect = expect, .then = then
	};

	LK_REQUIRE(t->n_questions < QUESTIONS_MAX, e, LK_R_BUSY, "%d questions are open",
		QUESTIONS_MAX);
	LK_TRY(set_key(&x, subject, e));
	return add_effect(t, &x, body, e);
}

bool
lk_turn_asks(const struct lk_turn *t, const char *subject)
{
	const struct question *q;
	const struct effect *x;
	size_t i;

	for (x = t->effects; x; x = x->next)
		if (x->kind == EFFECT_ASK && strcmp(x->key, subject) == 0)
			return true;
	for (i = 0; t->n_questions && i < BUCKETS; i++)
		for (q = t->questions[i]; q; q = q->next)
			if (strcmp(q->subject, subject) == 0)
				return true;
	return false;
}

struct lk_result
lk_turn_park(struct lk_turn *t, const struct lk_message_in *m, const char *key, struct lk_err *e)
{
	struct effect x = {
		.kind = EFFECT_PARK, .to = m->from, .index = m->index, .id = m->id, .type = m->type
	};

	LK_REQUIRE(t->n_parked < PARKED_MAX, e, LK_R_BUSY, "%d requests wait", PARKED_MAX);
	LK_TRY(set_key(&x, key, e));
	return add_effect(t, &x, NULL, e);
}

struct lk_result
lk_turn_answer(
	struct lk_turn *t, const char *key, enum lk_body type, const void *body, struct lk_err *e)
{
	struct effect x = { .kind = EFFECT_ANSWER, .type = type };

	LK_TRY(set_key(&x, key, e));
	return add_effect(t, &x, body, e);
}

/* --- deciding --------------------------------------------------------------------------------- */

struct lk_result
lk_turn_begin(struct lk_turn *t, struct lk_err *e)
{
	if (t->open)
		return LK_OK;
	LK_TRY(lk_store_begin(t->set.store, e));
	t->open = true;
	return LK_OK;
}

/* Runs one step in a savepoint; whatever it wrote or meant to send is undone when it refuses. */
static struct lk_result
in_savepoint(
	struct lk_turn *t, lk_turn_handler *step, const struct lk_message_in *m, struct lk_err *e)
{
	struct effect **effects = t->effects_end;
	struct change **changes = t->changes_end;
	struct lk_err undo = { 0 };

	LK_TRY(lk_store_savepoint(t->set.store, e));
	if (step(t, m, e).ok && lk_store_release(t->set.store, e).ok)
		return LK_OK;
	drop_effects(t, effects);
	drop_changes(t, changes);
	/* A savepoint that cannot be undone spoils the transaction; flush will find that out. */
	lk_ignore(lk_store_rollback_to(t->set.store, &undo));
	return (struct lk_result){ false };
}

/* Records the refusal, or nothing of it. */
static struct lk_result
record_refusal(struct lk_turn *t, const struct lk_message_in *m, const struct lk_err *why,
	struct lk_err *e)
{
	struct change **changes = t->changes_end;
	struct lk_err undo = { 0 };

	LK_TRY(lk_store_savepoint(t->set.store, e));
	if (t->set.record_refusal(t, m, why, e).ok && lk_store_release(t->set.store, e).ok)
		return LK_OK;
	drop_changes(t, changes);
	lk_ignore(lk_store_rollback_to(t->set.store, &undo));
	return (struct lk_result){ false };
}

/*= Latchkey turn: a refusal that cannot be recorded is not told =*/
static void
refuse(struct lk_turn *t, const struct lk_message_in *m, const struct lk_err *why)
{
	struct lk_err unrecorded = { 0 }, e = { 0 };
	bool recorded = record_refusal(t, m, why, &unrecorded).ok;

	lk_ignore(t->set.answer_refusal(t, m, recorded ? why : &unrecorded, &e));
}

static struct lk_result
remember_arrival(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	struct arrived *a = calloc(1, sizeof *a);

	LK_REQUIRE(a, e, LK_R_NOMEM, "no memory for a request");
	*a = (struct arrived){ t->arrived, m->from, m->index, m->id, m->type };
	t->arrived = a;
	return LK_OK;
}

static struct question *
take_question(struct lk_turn *t, uint32_t id)
{
	struct question **p = &t->questions[id & (BUCKETS - 1)], *q;

	while (*p && (*p)->id != id)
		p = &(*p)->next;
	q = *p;
	if (!q)
		return NULL;
	*p = q->next;
	t->n_questions--;
	return q;
}

static lk_turn_handler *
route_of(const struct lk_turn *t, const struct lk_message_in *m)
{
	size_t i;

	for (i = 0; i < t->set.n_routes; i++)
		if (t->set.routes[i].from == m->from && t->set.routes[i].type == m->type)
			return t->set.routes[i].handler;
	return NULL;
}

static struct lk_result
decide(struct lk_turn *t, lk_turn_handler *handler, const struct lk_message_in *m, struct lk_err *e)
{
	struct lk_err why = { 0 };

	LK_TRY(lk_turn_begin(t, e));
	LK_TRY(remember_arrival(t, m, e));
	if (!in_savepoint(t, handler, m, &why).ok)
		refuse(t, m, &why);
	return LK_OK;
}

static void
fail_question(struct lk_turn *t, const struct question *q, const struct lk_err *why)
{
	struct lk_message_in m = { q->to, 0, q->id, q->expect, NULL, q->subject, why };
	struct lk_err e = { 0 };

	lk_ignore(decide(t, q->then, &m, &e));
}

static bool
is_answer(enum lk_body type)
{
	return type == LK_BODY_signed || type == LK_BODY_fetched || type == LK_BODY_port_done;
}

static struct lk_result
receive_request(struct lk_turn *t, struct lk_message_in *m, struct lk_slice packed,
	union any_body *body, struct lk_err *e)
{
	lk_turn_handler *handler = route_of(t, m);

	LK_REQUIRE(handler, e, LK_R_IPC_UNASKED, "%s has no business here", lk_body_name(m->type));
	LK_TRY(lk_body_unpack(m->type, packed, body, e));
	return decide(t, handler, m, e);
}

static struct lk_result
check_answer(const struct question *q, const struct lk_message_in *m, struct lk_slice packed,
	union any_body *body, struct lk_err *e)
{
	LK_REQUIRE(q->to == m->from && q->expect == m->type, e, LK_R_IPC_UNASKED,
		"%s answers a question that was put to another", lk_body_name(m->type));
	return lk_body_unpack(m->type, packed, body, e);
}

/* What is no answer fails its question: whoever waits for it is told, not forgotten. */
static struct lk_result
receive_answer(struct lk_turn *t, struct lk_message_in *m, struct lk_slice packed,
	union any_body *body, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct question *q = take_question(t, m->id);
	struct lk_err why = { 0 };

	if (!q)
		return LK_OK; /* it was overdue and has been answered for */
	m->subject = q->subject;
	if (check_answer(q, m, packed, body, &why).ok)
		return decide(t, q->then, m, e);
	fail_question(t, q, &why);
	return lk_fail(e, why.reason, "%s", why.msg);
}

struct lk_result
lk_turn_receive(struct lk_turn *t, enum lk_role from, unsigned index, uint32_t id,
	enum lk_body type, struct lk_slice packed, struct lk_err *e)
{
	union any_body body;
	struct lk_message_in m = { from, index, id, type, &body, "", NULL };

	memset(&body, 0, sizeof body);
	return is_answer(type) ? receive_answer(t, &m, packed, &body, e)
			       : receive_request(t, &m, packed, &body, e);
}

/* --- effects ---------------------------------------------------------------------------------- */

/* What cannot be sent is not lost in silence: questions become overdue, and a peer that is gone
 * asks again when it is back. */
static void
send_effect(struct lk_turn *t, const struct effect *x, enum lk_turn_send kind, enum lk_role to,
	unsigned index, uint32_t id)
{
	lk_ignore(t->set.send(
		t->set.send_ctx, kind, to, index, id, x->type, lk_buf_slice(&x->packed), NULL));
}

static void
do_ask(struct lk_turn *t, struct effect *x)
{
	struct question *q = calloc(1, sizeof *q);
	struct question **bucket;

	if (!q)
		return; /* whoever is parked for it is answered when overdue */
	q->id = ++t->last_id;
	q->to = x->to;
	q->expect = x->expect;
	q->then = x->then;
	q->deadline = lk_turn_elapsed_ms(t) + t->set.answer_ms;
	memcpy(q->subject, x->key, sizeof q->subject);
	bucket = &t->questions[q->id & (BUCKETS - 1)];
	q->next = *bucket;
	*bucket = q;
	t->n_questions++;
	send_effect(t, x, LK_SEND_QUESTION, x->to, 0, q->id);
}

static void
do_park(struct lk_turn *t, const struct effect *x)
{
	struct parked *p = calloc(1, sizeof *p);
	struct parked **bucket = &t->parked[bucket_of(x->key)];

	if (!p)
		return;
	*p = (struct parked){ *bucket, x->to, x->index, x->id, x->type,
		lk_turn_elapsed_ms(t) + t->set.park_ms, "" };
	memcpy(p->key, x->key, sizeof p->key);
	*bucket = p;
	t->n_parked++;
}

static void
do_answer(struct lk_turn *t, const struct effect *x)
{
	struct parked **pp = &t->parked[bucket_of(x->key)], *p;

	while ((p = *pp)) {
		if (strcmp(p->key, x->key) != 0) {
			pp = &p->next;
			continue;
		}
		*pp = p->next;
		t->n_parked--;
		send_effect(t, x, LK_SEND_ANSWER, p->from, p->index, p->id);
		free(p);
	}
}

static void
do_effect(struct lk_turn *t, struct effect *x)
{
	switch (x->kind) {
	case EFFECT_REPLY:
		send_effect(t, x, LK_SEND_ANSWER, x->to, x->index, x->id);
		break;
	case EFFECT_REFUSE:
		send_effect(t, x, LK_SEND_REFUSAL, x->to, x->index, x->id);
		break;
	case EFFECT_ASK:
		do_ask(t, x);
		break;
	case EFFECT_PARK:
		do_park(t, x);
		break;
	case EFFECT_ANSWER:
		do_answer(t, x);
		break;
	}
}

/* Those that are there, and no others: a question that cannot be sent has failed at once and opens
 * the next turn, whose effects line up behind and wait for its commit. */
static void
do_effects(struct lk_turn *t)
{
	struct effect *x;
	size_t n = 0;

	for (x = t->effects; x; x = x->next)
		n++;
	while (n--) {
		x = t->effects;
		t->effects = x->next;
		if (!t->effects)
			t->effects_end = &t->effects;
		do_effect(t, x);
		effect_free(x);
	}
}

/* The store refused the turn: the memory of it goes, and every request is told so. */
static void
fail_turn(struct lk_turn *t, const struct lk_err *why)
{
	struct arrived *a;
	struct lk_err e = { 0 };

	lk_store_rollback(t->set.store); /* of a savepoint that could not be ended */
	drop_effects(t, &t->effects);
	drop_changes(t, &t->changes);
	for (a = t->arrived; a; a = a->next) {
		struct lk_message_in m = { a->from, a->index, a->id, a->type, NULL, "", why };

		lk_ignore(t->set.answer_refusal(t, &m, why, &e));
	}
}

struct lk_result
lk_turn_flush(struct lk_turn *t, struct lk_err *e)
{
	struct lk_err why = { 0 };
	struct lk_result r;
	struct change *c;

	if (!t->open)
		return LK_OK;
	t->open = false;
	/*= Latchkey turn: nothing leaves before the commit that it rests on =*/
	r = lk_store_commit(t->set.store, &why);
	if (r.ok) {
		for (c = t->changes; c; c = c->next)
			t->set.committed(t->set.app, c->record, c->removed);
	} else {
		fail_turn(t, &why);
		if (e)
			*e = why;
	}
	drop_changes(t, &t->changes);
	drop_arrived(t);
	do_effects(t);
	return r;
}

size_t
lk_turn_room(const struct lk_turn *t, enum lk_role to)
{
	return t->set.room(t->set.send_ctx, to);
}

struct lk_result
lk_turn_send(struct lk_turn *t, enum lk_role to, enum lk_body type, struct lk_slice packed,
	struct lk_err *e)
{
	LK_REQUIRE(
		!t->open, e, LK_R_BUG, "%s may rest on what is not committed", lk_body_name(type));
	return t->set.send(t->set.send_ctx, LK_SEND_EVENT, to, 0, 0, type, packed, e);
}

/* --- time and loss ---------------------------------------------------------------------------- */

void
lk_turn_failed(struct lk_turn *t, uint32_t id, const struct lk_err *why)
{
	LK_CLEANUP(lk_freep) struct question *q = take_question(t, id);

	if (q)
		fail_question(t, q, why);
}

/* Takes out of the table what is overdue, then lets each fail. */
static void
fail_overdue(struct lk_turn *t, int64_t now)
{
	struct question *overdue = NULL, **pp, *q;
	struct lk_err why = { 0 };
	size_t i;

	lk_err_set(&why, LK_R_ROLE_SILENT, "no answer within %lld ms", (long long)t->set.answer_ms);
	for (i = 0; i < BUCKETS; i++)
		for (pp = &t->questions[i]; (q = *pp);) {
			if (q->deadline > now) {
				pp = &q->next;
				continue;
			}
			*pp = q->next;
			t->n_questions--;
			q->next = overdue;
			overdue = q;
		}
	while ((q = overdue)) {
		overdue = q->next;
		fail_question(t, q, &why);
		free(q);
	}
}

void
lk_turn_role_gone(struct lk_turn *t, enum lk_role role, unsigned index)
{
	struct parked **pp, *p;
	size_t i;

	for (i = 0; i < BUCKETS; i++)
		for (pp = &t->parked[i]; (p = *pp);) {
			if (p->from != role || p->index != index) {
				pp = &p->next;
				continue;
			}
			*pp = p->next;
			t->n_parked--;
			free(p);
		}
}

void
lk_turn_tick(struct lk_turn *t)
{
	int64_t now = lk_turn_elapsed_ms(t);
	struct parked **pp, *p;
	struct lk_err e = { 0 };
	size_t i;

	fail_overdue(t, now);
	for (i = 0; i < BUCKETS; i++)
		for (pp = &t->parked[i]; (p = *pp);) {
			struct lk_message_in m = { p->from, p->index, p->id, p->type, NULL, p->key,
				NULL };

			/* Where no turn can be opened it waits for the next tick. */
			if (p->deadline > now || !decide(t, t->set.overdue, &m, &e).ok) {
				pp = &p->next;
				continue;
			}
			*pp = p->next;
			t->n_parked--;
			free(p);
		}
}
