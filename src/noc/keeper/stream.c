/* SPDX-License-Identifier: Apache-2.0
 *
 * One change stream: who subscribes gets every record of the kinds meant for it,
 * then each change as it was committed. A long list is thus read from the
 * subscriber's own copy and never delays a decision.
 *
 * It is told bit by bit, between turns and only as fast as it reads, by a walk along
 * the store. A record that changes meanwhile is told again if the walk has passed
 * it, else the walk will come by. So nothing is missed, each record's changes come
 * in their order, and what waits is bounded: a follower that falls behind by more
 * than that begins anew.
 */
#include "noc/keeper/internal.h"

#define FOLLOWER    LK_ROLE_DESK
#define PACKED_MAX  (LK_ARTEFACT_MAX * 4)
#define MESSAGE_MAX (BATCH_BYTES + 2 * PACKED_MAX)
#define BATCH_BYTES (48 * 1024)       /* of records in a message of the walk: one packet */
#define CHANGES_MAX (8 * 1024 * 1024) /* bytes that wait */
#define CHANGES     128               /* told at once, beside one batch: some ms of work */

/* What is fed, in this order. Artefacts themselves stay in the keeper's store. */
static const struct feed {
	enum lk_kind kind;
	enum lk_index index;
} feeds[] = {
	{ LK_KIND_manufacturer, LK_MANUFACTURER_BY_ID },
	{ LK_KIND_device, LK_DEVICE_BY_ID },
	{ LK_KIND_run, LK_RUN_BY_ID },
	{ LK_KIND_certificate, LK_CERTIFICATE_BY_SERIAL },
	{ LK_KIND_enrolment, LK_ENROLMENT_BY_ID },
	{ LK_KIND_event, LK_EVENT_BY_SEQ },
	{ LK_KIND_checkpoint, LK_CHECKPOINT_BY_SEQ },
};

void
lk_stream_init(struct follower *f)
{
	*f = (struct follower){ .how = FOLLOWS_NOT, .changes = LK_BUF_INIT(CHANGES_MAX) };
}

void
lk_stream_done(struct follower *f)
{
	lk_record_free(f->at);
	lk_buf_done(&f->changes);
}

/* Forgets how far it was told. */
static void
restart(struct follower *f, bool follows)
{
	f->how = follows ? FOLLOWS_ANEW : FOLLOWS_NOT;
	f->feed = 0;
	f->at = lk_record_free(f->at);
	lk_buf_clear(&f->changes);
}

/* --- what changes ----------------------------------------------------------------------------- */

/* Whether the follower knows of r, or did: the walk has passed the place where it belongs. */
static bool
was_passed(const struct follower *f, const struct lk_record *r)
{
	const struct feed *feed;
	size_t i;

	if (f->how != FOLLOWS_WALK && f->how != FOLLOWS_LIVE)
		return false;
	for (i = 0; i < LK_ARRAY_LEN(feeds) && feeds[i].kind != r->type->kind; i++)
		;
	if (i == LK_ARRAY_LEN(feeds) || i != f->feed)
		return i < f->feed;
	feed = &feeds[i];
	return f->at && lk_record_compare(feed->index, lk_indexes[feed->index].n, r, f->at) <= 0;
}

static struct lk_result
add_record(struct lk_buf *batch, const struct lk_record *r, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(PACKED_MAX);

	LK_TRY(lk_record_pack(r, &packed, e));
	return lk_list_add(batch, lk_buf_slice(&packed), e);
}

static struct lk_result
pack_batch(const struct lk_buf *batch, bool removed, struct lk_buf *out, struct lk_err *e)
{
	struct lk_stream_record_body b = { .records = lk_buf_slice(batch), .removed = removed };

	return lk_body_pack(LK_BODY_stream_record, &b, out, e);
}

static struct lk_result
add_change(struct follower *f, const struct lk_record *r, bool removed, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf one = LK_BUF_INIT(MESSAGE_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf body = LK_BUF_INIT(MESSAGE_MAX);

	LK_TRY(add_record(&one, r, e));
	LK_TRY(pack_batch(&one, removed, &body, e));
	return lk_list_add(&f->changes, lk_buf_slice(&body), e);
}

/* Called for each change of a turn, behind its commit. */
/*= Latchkey stream: what changes behind the walk is told again, what changes ahead of it once =*/
void
lk_stream_committed(void *app, const struct lk_record *r, bool removed)
{
	struct lk_keeper *k = app;
	struct lk_err e = { 0 };

	if (r->type->kind == LK_KIND_manufacturer)
		lk_ignore(lk_identity_reload(k, &e)); /* tried again by the clock */
	if (r->type->kind == LK_KIND_certificate && !removed) {
		lk_crls_committed(k, LK_RECORD_AS(certificate, r));
		lk_renewal_committed(k, LK_RECORD_AS(certificate, r));
	}
	/*= Latchkey stream: a follower that is too far behind is told everything anew =*/
	if (was_passed(&k->follower, r) && !add_change(&k->follower, r, removed, &e).ok)
		restart(&k->follower, true);
}

/* --- what is told ----------------------------------------------------------------------------- */

static struct lk_result
tell_changes(struct lk_keeper *k, size_t room, struct lk_err *e)
{
	struct follower *f = &k->follower;
	struct lk_slice list = lk_buf_slice(&f->changes), item;
	size_t n;
	bool more;

	for (n = 0; list.n && n < room && n < CHANGES; n++) {
		LK_TRY(lk_list_next(&list, &more, &item, e));
		LK_TRY(lk_turn_send(k->turn, FOLLOWER, LK_BODY_stream_record, item, e));
	}
	lk_buf_consume(&f->changes, f->changes.n - list.n);
	return LK_OK;
}

/* The records that come next, up to a batch; none: the walk is at its end. */
static struct lk_result
walk(struct lk_keeper *k, struct lk_buf *batch, struct lk_err *e)
{
	struct follower *f = &k->follower;
	bool found;

	while (batch->n < BATCH_BYTES && f->feed < LK_ARRAY_LEN(feeds)) {
		if (!f->at) {
			f->scan = (struct lk_scan){ .index = feeds[f->feed].index };
			LK_TRY(lk_record_new(feeds[f->feed].kind, &f->at, e));
		}
		LK_TRY(lk_store_next(lk_turn_store(k->turn), &f->scan, f->at, &found, e));
		if (found) {
			LK_TRY(add_record(batch, f->at, e));
			continue;
		}
		f->at = lk_record_free(f->at);
		f->feed++;
	}
	return LK_OK;
}

static struct lk_result
tell_live(struct lk_keeper *k, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf body = LK_BUF_INIT(64);
	struct lk_stream_live_body live;
	struct lk_ledger_head head;

	LK_TRY(lk_ledger_head(lk_turn_store(k->turn), &head, e));
	live.head = head.seq;
	LK_TRY(lk_body_pack(LK_BODY_stream_live, &live, &body, e));
	LK_TRY(lk_turn_send(k->turn, FOLLOWER, LK_BODY_stream_live, lk_buf_slice(&body), e));
	k->follower.how = FOLLOWS_LIVE;
	return LK_OK;
}

static struct lk_result
tell_batch(struct lk_keeper *k, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf batch = LK_BUF_INIT(MESSAGE_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf body = LK_BUF_INIT(MESSAGE_MAX);

	LK_TRY(walk(k, &batch, e));
	if (!batch.n)
		return tell_live(k, e);
	LK_TRY(pack_batch(&batch, false, &body, e));
	return lk_turn_send(k->turn, FOLLOWER, LK_BODY_stream_record, lk_buf_slice(&body), e);
}

static struct lk_result
tell(struct lk_keeper *k, struct lk_err *e)
{
	struct follower *f = &k->follower;

	if (f->how == FOLLOWS_ANEW) {
		f->how = FOLLOWS_WALK;
		return lk_turn_send(k->turn, FOLLOWER, LK_BODY_stream_begin, lk_slice(NULL, 0), e);
	}
	LK_TRY(tell_changes(k, lk_turn_room(k->turn, FOLLOWER), e));
	if (f->how != FOLLOWS_WALK || f->changes.n || !lk_turn_room(k->turn, FOLLOWER))
		return LK_OK;
	return tell_batch(k, e);
}

/* Whether there is something to tell. */
static bool
is_behind(const struct follower *f)
{
	return f->how == FOLLOWS_ANEW || f->how == FOLLOWS_WALK || f->changes.n;
}

struct lk_result
lk_keeper_feed(struct lk_keeper *k, bool *ret_more, struct lk_err *e)
{
	struct follower *f = &k->follower;
	struct lk_err why = { 0 };

	*ret_more = false;
	/*= Latchkey stream: told only as fast as it is read =*/
	if (!is_behind(f) || !lk_turn_room(k->turn, FOLLOWER))
		return LK_OK;
	if (!tell(k, &why).ok) {
		/* It is not known what was taken. Who went away subscribes when it is back. */
		restart(f, why.reason != LK_R_IPC_GONE);
		return lk_fail(e, why.reason, "%s", why.msg);
	}
	*ret_more = is_behind(f) && lk_turn_room(k->turn, FOLLOWER);
	return LK_OK;
}

struct lk_result
lk_stream_subscribe(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	(void)m;
	(void)e;
	restart(&keeper_of(t)->follower, true);
	return LK_OK;
}
