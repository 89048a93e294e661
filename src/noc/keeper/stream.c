/* SPDX-License-Identifier: Apache-2.0
 *
 * One change stream: who subscribes gets every record of the kinds meant for it,
 * then each change as it was committed. A long list is thus read from the
 * subscriber's own copy and never delays a decision.
 */
#include "noc/keeper/internal.h"

#define DESK (1u << LK_ROLE_DESK)
#define AAA  (1u << LK_ROLE_AAA)

#define PACKED_MAX (LK_ARTEFACT_MAX * 4)
/* Octets of one message of a snapshot: a follower's queue is counted in messages, and a fleet is
 * more records than it takes. */
#define BATCH_MAX (1024 * 1024)

/* Who is fed what. Artefacts themselves stay in the keeper's store; what has no row is fed to
 * nobody. */
static const struct feed {
	enum lk_kind kind;
	enum lk_index index;
	unsigned roles;
} feeds[] = {
	{ LK_KIND_manufacturer, LK_MANUFACTURER_BY_ID, DESK },
	{ LK_KIND_device, LK_DEVICE_BY_ID, DESK },
	{ LK_KIND_run, LK_RUN_BY_ID, DESK },
	{ LK_KIND_certificate, LK_CERTIFICATE_BY_SERIAL, DESK | AAA },
	{ LK_KIND_enrolment, LK_ENROLMENT_BY_ID, DESK },
	{ LK_KIND_event, LK_EVENT_BY_SEQ, DESK },
	{ LK_KIND_checkpoint, LK_CHECKPOINT_BY_SEQ, DESK },
};

static const struct feed *
feed_of(enum lk_kind kind)
{
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(feeds); i++)
		if (feeds[i].kind == kind)
			return &feeds[i];
	return NULL;
}

static struct lk_result
add(struct lk_buf *batch, const struct lk_record *r, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(PACKED_MAX);

	LK_TRY(lk_record_pack(r, &packed, e));
	return lk_list_add(batch, lk_buf_slice(&packed), e);
}

static struct lk_result
tell(struct lk_turn *t, enum lk_role to, const struct lk_buf *batch, bool removed, struct lk_err *e)
{
	struct lk_stream_record_body b = { .records = lk_buf_slice(batch), .removed = removed };

	return lk_turn_tell(t, to, LK_BODY_stream_record, &b, e);
}

static struct lk_result
tell_one(struct lk_turn *t, enum lk_role to, const struct lk_record *r, bool removed, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf one = LK_BUF_INIT(PACKED_MAX + 4);

	LK_TRY(add(&one, r, e));
	return tell(t, to, &one, removed, e);
}

/* Called between commit and effects: what is added here leaves with this turn's effects. */
void
lk_stream_committed(void *app, const struct lk_record *r, bool removed)
{
	struct lk_keeper *k = app;
	const struct feed *f = feed_of(r->type->kind);
	static const enum lk_role followers[] = { LK_ROLE_DESK, LK_ROLE_AAA };
	struct lk_err e = { 0 };
	size_t i;

	if (r->type->kind == LK_KIND_manufacturer && !lk_identity_reload(k, &e).ok)
		lk_identity_done(k); /* nobody is known until it succeeds: refuse, not guess */
	if (r->type->kind == LK_KIND_certificate && !removed)
		lk_crls_committed(k, LK_RECORD_AS(certificate, r));
	for (i = 0; f && i < LK_ARRAY_LEN(followers); i++)
		if (k->subscribers & f->roles & 1u << followers[i])
			/* A follower that misses a change is out of step: it has to start anew. */
			if (!tell_one(k->turn, followers[i], r, removed, &e).ok)
				k->subscribers &= ~(1u << followers[i]);
}

static struct lk_result
snapshot(struct lk_turn *t, enum lk_role to, const struct feed *f, struct lk_err *e)
{
	struct lk_scan scan = { .index = f->index };
	LK_CLEANUP(lk_record_freep) struct lk_record *r = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf batch = LK_BUF_INIT(BATCH_MAX + PACKED_MAX + 4);
	bool found;

	LK_TRY(lk_record_new(f->kind, &r, e));
	for (;;) {
		LK_TRY(lk_store_next(lk_turn_store(t), &scan, r, &found, e));
		if (!found)
			return batch.n ? tell(t, to, &batch, false, e) : LK_OK;
		LK_TRY(add(&batch, r, e));
		if (batch.n < BATCH_MAX)
			continue;
		LK_TRY(tell(t, to, &batch, false, e));
		lk_buf_clear(&batch);
	}
}

struct lk_result
lk_stream_subscribe(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	struct lk_keeper *k = keeper_of(t);
	struct lk_stream_live_body live = { 0 };
	struct lk_ledger_head head;
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(feeds); i++)
		if (feeds[i].roles & 1u << m->from)
			LK_TRY(snapshot(t, m->from, &feeds[i], e));
	LK_TRY(lk_ledger_head(lk_turn_store(t), &head, e));
	live.head = head.seq;
	LK_TRY(lk_turn_tell(t, m->from, LK_BODY_stream_live, &live, e));
	k->subscribers |= 1u << m->from;
	return LK_OK;
}
