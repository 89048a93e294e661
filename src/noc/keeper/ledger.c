/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints: the signer signs the ledger's head at least every minute in which
 * something was recorded. The signature is stored; a copy is kept outside the
 * database by the role that hosts the keeper.
 */
#include "noc/keeper/internal.h"

#include "artefact/checkpoint.h"

#define CHECKPOINT_SECONDS 60

static lk_turn_handler head_signed;

struct lk_result
lk_ledger_tick(struct lk_turn *t, struct lk_err *e)
{
	struct lk_keeper *k = keeper_of(t);
	struct lk_sign_checkpoint_body b = { .at = lk_turn_now(t) };
	struct lk_ledger_head head;

	if (b.at - k->checkpoint_at < CHECKPOINT_SECONDS)
		return LK_OK;
	LK_TRY(lk_ledger_head(lk_turn_store(t), &head, e));
	if (head.seq == k->checkpoint_seq)
		return LK_OK;
	LK_TRY(lk_turn_begin(t, e));
	/*= Latchkey ledger: the head is signed at least every 60 s =*/
	k->checkpoint_at = b.at;
	b.event = head.seq;
	b.hash = LK_SLICE_ARRAY(head.hash);
	return lk_turn_ask(t, LK_ROLE_SIGNER, LK_BODY_sign_checkpoint, &b, LK_BODY_signed, "checkpoint",
		head_signed, e);
}

static struct lk_result
head_signed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	struct lk_keeper *k = keeper_of(t);
	LK_CLEANUP(lk_checkpoint_done) struct lk_checkpoint c = { 0 };
	const struct lk_signed_body *s = m->body;
	struct lk_ledger_head head;

	if (m->failed)
		return LK_OK; /* the next minute tries again */
	LK_TRY(lk_checkpoint_parse(s->bytes, NULL, &c, e));
	head.seq = (int64_t)c.seq;
	memcpy(head.hash, c.hash.p, sizeof head.hash);
	LK_TRY(lk_ledger_add_checkpoint(lk_turn_store(t), &head, lk_turn_now(t), s->bytes, e));
	k->checkpoint_seq = head.seq;
	return LK_OK;
}
