/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger: an append-only table of events, chained per node by hashes, so that
 * a change, a loss or a swap of events shows. Payloads are personal data and can
 * be erased without breaking the chain, because an event's hash covers a salted
 * commitment to its payload, never the payload.
 *
 *	commitment = SHA-256(salt ‖ payload)                         salt: 16 random bytes
 *	hash       = SHA-256(F(tag) ‖ F(node_id) ‖ F(site_id) ‖ F(seq) ‖ F(at) ‖ F(type) ‖
 *	                     F(device_id) ‖ F(run_id) ‖ F(actor) ‖ F(reason) ‖ F(clause) ‖
 *	                     F(commitment) ‖ F(prev))
 *
 * F(x) is x's length as 4 bytes, big-endian, then x. Texts are without their NUL, seq and at are
 * 8 bytes, big-endian. tag is "latchkey ledger event v1". prev is the hash of the event before;
 * 32 zero bytes before the first. Another layout gets another tag.
 *
 * Erasing takes the salt along: who kept it could still try payloads against the commitment.
 *
 * A chain cannot show that its tail is missing. For that the signer signs the head every minute
 * and a copy is kept outside the database (role/checkpointer.h); lk_ledger_check_rollback() holds
 * the two together.
 */
#pragma once

#include "base/random.h"
#include "store/store.h"

#define LK_LEDGER_HASH_LEN 32
#define LK_LEDGER_SALT_LEN 16

struct lk_ledger_head {
	int64_t seq; /* 0: no event yet */
	uint8_t hash[LK_LEDGER_HASH_LEN];
};

/* Appends an event to this node's chain, inside the open transaction. The caller fills at, type,
 * device_id, run_id, actor, reason, clause and payload; the rest is filled in here, so that ev is
 * what was stored. */
LK_RESULT lk_ledger_append(struct lk_store *s, const struct lk_random *random,
	struct lk_event_record *ev, struct lk_err *e);
LK_RESULT lk_ledger_head(struct lk_store *s, struct lk_ledger_head *ret, struct lk_err *e);

/* Walks a node's events `from` to `to` (both included) and their link to the one before. Fails at
 * the first break, which *ret_seq then names (untouched otherwise): LK_R_LEDGER_GAP,
 * LK_R_LEDGER_LINK, LK_R_LEDGER_HASH, LK_R_LEDGER_PAYLOAD. Costs by the number of events; a caller
 * with other things to do asks for short stretches. */
LK_RESULT lk_ledger_verify(struct lk_store *s, const char *node_id, int64_t from, int64_t to,
	int64_t *ret_seq, struct lk_err *e);

/* Empties the payload and salt of one event of this node; of all events of a device. */
LK_RESULT lk_ledger_erase(struct lk_store *s, int64_t seq, struct lk_err *e);
LK_RESULT lk_ledger_erase_device(
	struct lk_store *s, const char *device_id, int64_t *ret_erased, struct lk_err *e);

/* The store holds the head that was signed. Refuses a store that is older with
 * LK_R_LEDGER_ROLLBACK, one that went another way with LK_R_LEDGER_FORK. */
LK_RESULT lk_ledger_check_rollback(
	struct lk_store *s, const struct lk_ledger_head *was_signed, struct lk_err *e);
