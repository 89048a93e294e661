/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints of the ledger, by the clock.
 */
#include "role/checkpointer.h"

#include "artefact/checkpoint.h"

#define CHECKPOINT_SECONDS 60

static struct lk_result
head_signed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_checkpoint_done) struct lk_checkpoint c = { 0 };
	const struct lk_signed_body *s = m->body;
	struct lk_ledger_head head;

	if (m->failed)
		return LK_OK; /* the next minute tries again */
	LK_TRY(lk_checkpoint_parse(s->bytes, NULL, &c, e));
	head.seq = (int64_t)c.seq;
	memcpy(head.hash, c.hash.p, sizeof head.hash);
	return lk_ledger_add_checkpoint(lk_turn_store(t), &head, lk_turn_now(t), s->bytes, e);
}

struct lk_result
lk_checkpointer_tick(struct lk_checkpointer *c, struct lk_turn *t, struct lk_err *e)
{
	struct lk_sign_checkpoint_body b = { .at = lk_turn_now(t) };
	struct lk_ledger_head head;

	if (b.at - c->asked_at < CHECKPOINT_SECONDS)
		return LK_OK;
	LK_TRY(lk_ledger_head(lk_turn_store(t), &head, e));
	if (head.seq == c->seq)
		return LK_OK;
	LK_TRY(lk_turn_begin(t, e));
	/*= Latchkey ledger: the head is signed at least every 60 s =*/
	b.event = head.seq;
	b.hash = LK_SLICE_ARRAY(head.hash);
	LK_TRY(lk_turn_ask(t, LK_ROLE_SIGNER, LK_BODY_sign_checkpoint, &b, LK_BODY_signed, "checkpoint",
		head_signed, e));
	c->asked_at = b.at;
	c->seq = head.seq;
	return LK_OK;
}
