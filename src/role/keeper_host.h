/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a keeper lives: opens its store, moves messages between the process's
 * channels and the keeper's turns, flushes at the end of each turn of the loop,
 * ticks by the clock, and sees to the checkpoints of the ledger.
 */
#pragma once

#include "role/checkpointer.h"
#include "role/process.h"

struct lk_keeper_host; /* opaque */

/* Opens the store: `store.db` of the process's own folder. */
LK_RESULT lk_keeper_host_new(struct lk_process *p, enum lk_store_owner owner,
	const struct lk_origin *origin, struct lk_keeper_host **ret, struct lk_err *e);
/* What the host is to a turn: its store, its clock, who sends, and whose checkpoints. */
void lk_keeper_host_serve(struct lk_keeper_host *h, struct lk_turn_settings *ret);

struct lk_keeper_host_work {
	void *keeper;
	struct lk_turn *turn;
	struct lk_result (*tick)(void *keeper, struct lk_err *e); /* a few times a second */
	/* More of the change stream, between turns; *ret_more: there is more that would be taken
	 * now. NULL: there is no stream. */
	struct lk_result (*feed)(void *keeper, bool *ret_more, struct lk_err *e);
	const struct lk_certs *checkpoint_signers; /* borrowed */
};

/* The store is held against its newest checkpoint (lk_checkpointer_start()), in the file
 * `checkpoint` of the process's own folder; from then on messages are handled. */
LK_RESULT lk_keeper_host_start(
	struct lk_keeper_host *h, const struct lk_keeper_host_work *work, struct lk_err *e);
/* After the keeper, whose store it closes. */
struct lk_keeper_host *lk_keeper_host_free(struct lk_keeper_host *h);
LK_DEFINE_CLEANUP(struct lk_keeper_host *, lk_keeper_host_free);

/* For lk_role_work, whose state begins with the host. A keeper's cage has that folder and nothing
 * else; every message goes one way. */
LK_RESULT lk_keeper_host_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e);
lk_message_handler lk_keeper_host_message;
void lk_keeper_host_unlinked(struct lk_process *p, const struct lk_peer_ref *peer);
void lk_keeper_host_drained(struct lk_process *p, const struct lk_peer_ref *peer);
