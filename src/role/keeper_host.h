/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a keeper lives: moves messages between the process's channels and the
 * keeper's turns, flushes at the end of each turn of the loop, ticks by the clock,
 * and keeps a copy of the newest checkpoint outside the database.
 */
#pragma once

#include "role/process.h"
#include "role/turn.h"

struct lk_keeper_host; /* opaque */

/* For lk_turn_settings: send and send_ctx. */
LK_RESULT lk_keeper_host_new(struct lk_process *p, struct lk_keeper_host **ret, struct lk_err *e);
void lk_keeper_host_sending(struct lk_keeper_host *h, struct lk_turn_settings *ret);
/* From now on messages are handled. `tick` is called a few times a second. */
LK_RESULT lk_keeper_host_start(struct lk_keeper_host *h, struct lk_turn *turn,
	LK_RESULT (*tick)(void *keeper, struct lk_err *e), void *keeper, struct lk_err *e);
struct lk_keeper_host *lk_keeper_host_free(struct lk_keeper_host *h);

/* For lk_role_work: every message goes this way. */
lk_message_handler lk_keeper_host_message;
void lk_keeper_host_unlinked(struct lk_process *p, const struct lk_peer_ref *peer);
