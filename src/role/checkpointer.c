/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints of the ledger: made by the clock, looked at on start.
 */
#include "role/checkpointer.h"

#include "artefact/checkpoint.h"
#include "base/file.h"

/* Twice within the 60 s that are promised: one that fails is made up for. */
#define CHECKPOINT_MS 25000

/* One that this service signed, over its own ledger. Caller releases ret. */
static struct lk_result
parse_own(const struct lk_checkpointer *c, struct lk_slice der, const struct lk_origin *self,
	struct lk_checkpoint *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_checkpoint_done) struct lk_checkpoint cp = { 0 };
	struct lk_err why = { 0 };
	bool ours = false;
	size_t i;

	for (i = 0; i < c->set.signers->n && !ours; i++)
		ours = lk_checkpoint_parse(der, c->set.signers->v[i], &cp, &why).ok;
	/*= Latchkey ledger: the checkpoint outside the database is signed by this service =*/
	LK_REQUIRE(ours, e, LK_R_LEDGER_COPY_FORGED, "%s: %s", c->set.copy, why.msg);
	LK_REQUIRE(strcmp(cp.node, self->node_id) == 0 && strcmp(cp.site, self->site_id) == 0, e,
		LK_R_LEDGER_COPY_FORGED, "%s is of node %s of %s, want %s of %s", c->set.copy,
		cp.node, cp.site, self->node_id, self->site_id);
	*ret = cp;
	cp.hash = LK_BUF_INIT(0);
	return LK_OK;
}

static struct lk_ledger_head
head_of(const struct lk_checkpoint *cp)
{
	struct lk_ledger_head head = { .seq = (int64_t)cp->seq };

	memcpy(head.hash, cp->hash.p, sizeof head.hash);
	return head;
}

/* --- at start --------------------------------------------------------------------------------- */

static struct lk_result
newest_inside(struct lk_store *s, int64_t *ret_seq, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_checkpoint_record r = LK_RECORD_INIT(checkpoint);
	struct lk_scan last = { .index = LK_CHECKPOINT_BY_SEQ, .prefix = 1, .descending = true };
	bool found;

	memcpy(r.record.node_id, lk_store_origin(s)->node_id, sizeof r.record.node_id);
	LK_TRY(lk_store_next(s, &last, &r.record, &found, e));
	*ret_seq = found ? r.seq : 0;
	return LK_OK;
}

/* Seq 0 when there is none. */
static struct lk_result
read_copy(const struct lk_checkpointer *c, const struct lk_origin *self, struct lk_ledger_head *ret,
	struct lk_err *e)
{
	LK_CLEANUP(lk_checkpoint_done) struct lk_checkpoint cp = { 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CHECKPOINT_MAX);
	struct lk_err missing = { 0 };

	if (!lk_file_read(c->set.copy, &der, &missing).ok) {
		LK_REQUIRE(
			missing.reason == LK_R_FILE_MISSING, e, missing.reason, "%s", missing.msg);
		*ret = (struct lk_ledger_head){ .seq = 0 };
		return LK_OK;
	}
	LK_TRY(parse_own(c, lk_buf_slice(&der), self, &cp, e));
	*ret = head_of(&cp);
	return LK_OK;
}

/*= Latchkey ledger: a store older than its newest checkpoint is refused at start =*/
static struct lk_result
check_copy(const struct lk_checkpointer *c, struct lk_store *s, struct lk_ledger_head *ret_copy,
	struct lk_err *e)
{
	LK_TRY(read_copy(c, lk_store_origin(s), ret_copy, e));
	LK_REQUIRE(ret_copy->seq >= c->seq, e, LK_R_LEDGER_COPY_OLD,
		"%s names event %lld, event %lld was signed", c->set.copy, (long long)ret_copy->seq,
		(long long)c->seq);
	return lk_ledger_check_rollback(s, ret_copy, e);
}

/*= Latchkey ledger: a rollback that the operator accepts is an event =*/
static struct lk_result
accept(struct lk_turn *t, const struct lk_ledger_head *copy, const struct lk_err *why,
	struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_PAYLOAD_MAX);
	struct lk_event ev = {
		.type = "rollback-accepted", .actor = "operator", .reason = why->reason
	};
	json_auto_t *payload = json_object();
	struct lk_ledger_head head;

	LK_TRY(lk_ledger_head(lk_turn_store(t), &head, e));
	LK_TRY(lk_json_set(payload, "message", json_string(why->msg), e));
	LK_TRY(lk_json_set(payload, "head", json_integer(head.seq), e));
	LK_TRY(lk_json_set(payload, "signed", json_integer(copy->seq), e));
	LK_TRY(lk_json_print(payload, &text, e));
	ev.payload = lk_buf_slice(&text);
	LK_TRY(lk_turn_begin(t, e));
	LK_TRY(lk_turn_event(t, &ev, NULL, e));
	return lk_turn_flush(t, e);
}

struct lk_result
lk_checkpointer_start(struct lk_checkpointer *c, const struct lk_checkpointer_settings *settings,
	struct lk_turn *t, struct lk_err *e)
{
	struct lk_ledger_head copy = { .seq = 0 };
	struct lk_err why = { 0 };

	*c = (struct lk_checkpointer){ .set = *settings };
	LK_TRY(newest_inside(lk_turn_store(t), &c->seq, e));
	if (check_copy(c, lk_turn_store(t), &copy, &why).ok)
		return LK_OK;
	LK_REQUIRE(settings->accept_rollback, e, why.reason, "%s; %s", why.msg,
		lk_reason_info(why.reason)->cure);
	return accept(t, &copy, &why, e);
}

/* --- by the clock ----------------------------------------------------------------------------- */

/* First the file: it must never be older than the store. */
static struct lk_result
keep(struct lk_checkpointer *c, struct lk_turn *t, struct lk_slice der, struct lk_err *e)
{
	LK_CLEANUP(lk_checkpoint_done) struct lk_checkpoint cp = { 0 };
	LK_CLEANUP(lk_record_done) struct lk_checkpoint_record r = LK_RECORD_INIT(checkpoint);
	struct lk_ledger_head head;

	LK_TRY(parse_own(c, der, lk_store_origin(lk_turn_store(t)), &cp, e));
	head = head_of(&cp);
	LK_TRY(lk_ledger_check_rollback(lk_turn_store(t), &head, e));
	LK_TRY(lk_file_replace(c->set.copy, der, 0600, e));
	c->seq = r.seq = head.seq;
	r.at = lk_turn_now(t);
	LK_TRY(lk_blob_set(&r.hash, LK_SLICE_ARRAY(head.hash), e));
	LK_TRY(lk_blob_set(&r.signature, der, e));
	return lk_turn_insert(t, &r.record, e);
}

static struct lk_result
head_signed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	const struct lk_signed_body *s = m->body;

	return m->failed ? LK_OK /* the next one comes soon */
			 : keep(lk_turn_checkpointer(t), t, s->bytes, e);
}

/*= Latchkey ledger: the head is signed at least every 60 s =*/
struct lk_result
lk_checkpointer_tick(struct lk_checkpointer *c, struct lk_turn *t, struct lk_err *e)
{
	struct lk_sign_checkpoint_body b = { .at = lk_turn_now(t) };
	int64_t now = lk_turn_elapsed_ms(t);
	struct lk_ledger_head head;

	if (c->asked && now - c->asked_ms < CHECKPOINT_MS)
		return LK_OK;
	LK_TRY(lk_ledger_head(lk_turn_store(t), &head, e));
	if (head.seq == c->seq)
		return LK_OK; /* nothing was recorded since */
	LK_TRY(lk_turn_begin(t, e));
	b.event = head.seq;
	b.hash = LK_SLICE_ARRAY(head.hash);
	LK_TRY(lk_turn_ask(t, LK_ROLE_SIGNER, LK_BODY_sign_checkpoint, &b, LK_BODY_signed,
		"checkpoint", head_signed, e));
	c->asked = true;
	c->asked_ms = now;
	return LK_OK;
}
