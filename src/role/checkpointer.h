/* SPDX-License-Identifier: Apache-2.0
 *
 * Has the ledger's head signed, at least every minute in which something was
 * recorded, and stores what comes back. For the keepers of both services.
 */
#pragma once

#include "role/turn.h"

struct lk_checkpointer {
	int64_t asked_at; /* Unix seconds */
	int64_t seq;	  /* newest that was signed, or is being signed */
};

/* Once a second or so; opens a turn when it is time. */
LK_RESULT lk_checkpointer_tick(struct lk_checkpointer *c, struct lk_turn *t, struct lk_err *e);
