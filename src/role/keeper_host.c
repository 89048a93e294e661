/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper's host.
 */
#include "role/keeper_host.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "crypto/x509.h"

#define TICK_MS          250
#define CERTS_REMEMBERED 1024 /* each comes several times in a run */
/* Of the change stream, waiting for one reader: its queue is for answers too. */
#define STREAM_QUEUE 64

/* A turn knows a process by one number; a process that was started anew has another. */
#define INDEX_BITS 8

struct lk_keeper_host {
	struct lk_process *process;
	struct lk_store *store;
	struct lk_cage_path folder;
	struct lk_keeper_host_work work;
	struct lk_checkpointer checkpointer;
	struct lk_timer *timer;
	struct lk_deferred flush;
};

static struct lk_keeper_host *
host_of(const struct lk_process *p)
{
	return *(struct lk_keeper_host *const *)p->state;
}

static unsigned
number_of(const struct lk_peer_ref *peer)
{
	return peer->link << INDEX_BITS | peer->index;
}

static struct lk_peer_ref
peer_of(enum lk_role role, unsigned number, uint32_t id)
{
	return (struct lk_peer_ref){ role, number & ((1u << INDEX_BITS) - 1), number >> INDEX_BITS,
		id };
}

/* The end of a turn of the loop: what came in is committed, then who follows is fed. */
static void
flush(void *ctx)
{
	struct lk_keeper_host *h = ctx;
	struct lk_err e = { 0 };
	bool more = false;

	if (!lk_turn_flush(h->work.turn, &e).ok)
		lk_log_err(&e, NULL);
	if (h->work.feed && !lk_turn_is_open(h->work.turn) &&
		!h->work.feed(h->work.keeper, &more, &e).ok)
		lk_log_err(&e, NULL);
	if (more)
		lk_defer(h->process->loop, &h->flush);
}

/* The answer to a question of the turn's. tag: the role in the upper half, the question's id. */
static void
answered(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	struct lk_keeper_host *h = ctx;
	struct lk_err e = { 0 };

	if (!m)
		lk_turn_failed(h->work.turn, (uint32_t)tag, why);
	else if (!lk_turn_receive(h->work.turn, (enum lk_role)(tag >> 32), 0, (uint32_t)tag,
			 m->type, m->body, &e)
			  .ok)
		lk_log_err(&e, NULL);
	lk_defer(h->process->loop, &h->flush);
}

/* A question that cannot be sent has failed at once; the turn hears of it in the next one. */
static struct lk_result
ask(struct lk_keeper_host *h, enum lk_role to, uint32_t id, enum lk_body type,
	struct lk_slice packed, struct lk_err *e)
{
	uint64_t tag = (uint64_t)to << 32 | id;
	struct lk_err why = { 0 };

	if (lk_process_ask_packed(h->process, to, 0, type, packed, answered, h, tag, &why).ok)
		return LK_OK;
	lk_turn_failed(h->work.turn, id, &why);
	lk_defer(h->process->loop, &h->flush);
	if (e)
		*e = why;
	return (struct lk_result){ false };
}

static struct lk_result
send_out(void *ctx, enum lk_turn_send kind, enum lk_role to, unsigned index, uint32_t id,
	enum lk_body type, struct lk_slice packed, struct lk_err *e)
{
	struct lk_keeper_host *h = ctx;
	struct lk_peer_ref peer = peer_of(to, index, id);

	switch (kind) {
	case LK_SEND_ANSWER:
		return lk_process_reply_packed(h->process, &peer, type, packed, e);
	case LK_SEND_REFUSAL:
		return lk_process_reply_packed(h->process, &peer, LK_BODY_fail, packed, e);
	case LK_SEND_QUESTION:
		return ask(h, to, id, type, packed, e);
	case LK_SEND_EVENT:
		return lk_process_tell_packed(h->process, to, 0, type, packed, e);
	}
	return lk_fail(e, LK_R_BUG, "there is no sending %d", (int)kind);
}

static size_t
room(void *ctx, enum lk_role to)
{
	struct lk_keeper_host *h = ctx;
	size_t queued = lk_process_queued(h->process, to, 0);

	return queued < STREAM_QUEUE ? STREAM_QUEUE - queued : 0;
}

static void
ticked(void *ctx)
{
	struct lk_keeper_host *h = ctx;
	struct lk_err e = { 0 };

	if (!h->work.tick(h->work.keeper, &e).ok ||
		!lk_checkpointer_tick(&h->checkpointer, h->work.turn, &e).ok)
		lk_log_err(&e, NULL);
	lk_defer(h->process->loop, &h->flush);
	lk_timer_at(h->timer, lk_loop_now_ms(h->process->loop) + TICK_MS);
}

struct lk_result
lk_keeper_host_new(struct lk_process *p, enum lk_store_owner owner, const struct lk_origin *origin,
	struct lk_keeper_host **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_keeper_host_freep) struct lk_keeper_host *h = calloc(1, sizeof *h);
	char path[PATH_MAX];

	LK_REQUIRE(h, e, LK_R_NOMEM, "no memory for the keeper");
	h->process = p;
	h->flush = (struct lk_deferred){ .fn = flush, .ctx = h };
	LK_TRY(lk_path_join(p->state_dir, "store.db", path, sizeof path, e));
	LK_TRY(lk_store_open_sqlite(path, owner, origin, &h->store, e));
	*ret = LK_TAKE(h);
	return LK_OK;
}

struct lk_result
lk_keeper_host_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	struct lk_keeper_host *h = host_of(p);

	(void)e;
	h->folder = (struct lk_cage_path){ p->state_dir, LK_CAGE_READ | LK_CAGE_WRITE };
	rules->profiles = LK_CAGE_FILES;
	rules->paths = &h->folder;
	rules->n_paths = 1;
	return LK_OK;
}

void
lk_keeper_host_serve(struct lk_keeper_host *h, struct lk_turn_settings *ret)
{
	ret->store = h->store;
	ret->clock = lk_loop_clock(h->process->loop);
	ret->random = &lk_random_system;
	ret->checkpointer = &h->checkpointer;
	ret->send = send_out;
	ret->room = room;
	ret->send_ctx = h;
}

struct lk_result
lk_keeper_host_start(
	struct lk_keeper_host *h, const struct lk_keeper_host_work *work, struct lk_err *e)
{
	struct lk_checkpointer_settings set = { .signers = work->checkpoint_signers,
		.accept_rollback = h->process->accept_rollback };

	h->work = *work;
	LK_TRY(lk_path_join(h->process->state_dir, "checkpoint", set.copy, sizeof set.copy, e));
	LK_TRY(lk_checkpointer_start(&h->checkpointer, &set, work->turn, e));
	LK_TRY(lk_cert_remember(CERTS_REMEMBERED, e));
	LK_TRY(lk_timer_new(h->process->loop, ticked, h, &h->timer, e));
	lk_timer_at(h->timer, lk_loop_now_ms(h->process->loop) + TICK_MS);
	return LK_OK;
}

struct lk_keeper_host *
lk_keeper_host_free(struct lk_keeper_host *h)
{
	if (!h)
		return NULL;
	if (h->timer)
		lk_timer_free(h->timer);
	lk_deferred_cancel(&h->flush);
	lk_process_forget(h->process, h);
	lk_store_close(h->store);
	free(h);
	return NULL;
}

struct lk_result
lk_keeper_host_message(struct lk_process *p, const struct lk_peer_ref *from,
	const struct lk_message *m, struct lk_err *e)
{
	struct lk_keeper_host *h = host_of(p);

	lk_defer(p->loop, &h->flush);
	return lk_turn_receive(
		h->work.turn, from->role, number_of(from), from->id, m->type, m->body, e);
}

void
lk_keeper_host_unlinked(struct lk_process *p, const struct lk_peer_ref *peer)
{
	struct lk_keeper_host *h = host_of(p);

	if (h->work.turn)
		lk_turn_role_gone(h->work.turn, peer->role, number_of(peer));
}

void
lk_keeper_host_drained(struct lk_process *p, const struct lk_peer_ref *peer)
{
	struct lk_keeper_host *h = host_of(p);

	(void)peer;
	lk_defer(p->loop, &h->flush);
}
