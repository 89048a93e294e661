/* SPDX-License-Identifier: Apache-2.0
 *
 * Refusals of processes that are not the keeper, on their way to the ledger.
 */
#include "role/refusals.h"

#include <stdlib.h>

#include "artefact/json.h"
#include "base/log.h"

#define TOGETHER_MS 60000

struct row {
	int64_t quiet_until;         /* monotonic; 0: none was told yet */
	struct lk_refused_body said; /* the last one; count: those that were not told */
};

struct lk_refusals {
	struct lk_process *process;
	struct lk_timer *timer;
	bool waits; /* the timer is set: something is not told */
	struct row rows[LK_R_COUNT];
};

static void
tell_later(struct lk_refusals *r, int64_t at)
{
	if (!r->waits)
		lk_timer_at(r->timer, at);
	r->waits = true;
}

/* While there is no keeper it stays counted. */
static void
tell(struct lk_refusals *r, struct row *row, int64_t now)
{
	struct lk_err e;

	row->quiet_until = now + TOGETHER_MS;
	if (lk_process_tell(r->process, LK_ROLE_KEEPER, 0, LK_BODY_refused, &row->said, &e).ok)
		row->said.count = 0;
	else
		tell_later(r, row->quiet_until);
}

static void
on_timer(void *ctx)
{
	struct lk_refusals *r = ctx;
	int64_t now = lk_loop_now_ms(r->process->loop);
	size_t i;

	r->waits = false;
	for (i = 0; i < LK_R_COUNT; i++)
		if (r->rows[i].said.count)
			tell(r, &r->rows[i], now);
}

void
lk_refusals_note(struct lk_refusals *r, const struct lk_peer *peer, const struct lk_err *why)
{
	struct row *row = &r->rows[why->reason];
	int64_t now = lk_loop_now_ms(r->process->loop);

	lk_log_err(why, "peer", peer->remote, NULL);
	snprintf(row->said.reason, sizeof row->said.reason, "%s",
		lk_reason_info(why->reason)->symbol);
	snprintf(row->said.message, sizeof row->said.message, "%s", why->msg);
	snprintf(row->said.remote, sizeof row->said.remote, "%s", peer->remote);
	row->said.count++;
	if (now >= row->quiet_until)
		tell(r, row, now);
	else
		tell_later(r, row->quiet_until);
}

struct lk_result
lk_refusals_new(struct lk_process *p, struct lk_refusals **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_refusals_freep) struct lk_refusals *r = calloc(1, sizeof *r);

	LK_REQUIRE(r, e, LK_R_NOMEM, "no memory for refusals");
	r->process = p;
	LK_TRY(lk_timer_new(p->loop, on_timer, r, &r->timer, e));
	*ret = LK_TAKE(r);
	return LK_OK;
}

struct lk_refusals *
lk_refusals_free(struct lk_refusals *r)
{
	if (!r)
		return NULL;
	lk_timer_free(r->timer);
	free(r);
	return NULL;
}

struct lk_result
lk_refusals_raise(const struct lk_refused_body *b, struct lk_err *e)
{
	enum lk_reason reason = lk_reason_by_symbol(b->reason);

	LK_REQUIRE(reason != LK_R_COUNT && reason != LK_R_NONE, e, LK_R_IPC_MALFORMED,
		"refused: there is no such reason");
	return lk_fail(e, reason, "%s", b->message);
}

struct lk_result
lk_refusals_describe(const struct lk_refused_body *b, json_t *payload, struct lk_err *e)
{
	LK_TRY(lk_json_set(payload, "remote", json_string(b->remote), e));
	return lk_json_set(payload, "count", json_integer(b->count), e);
}
