/* SPDX-License-Identifier: Apache-2.0
 *
 * Has the ledger's head signed, keeps what comes back in the store and, the newest,
 * in a file outside the database; at start it holds the store against that file, so
 * that a store which was put back to an earlier day is not taken for today's. For
 * the keepers of both services.
 *
 * The file is written before the record, so it is never older than the store: one
 * that is missing or older was meddled with. It does not help against somebody who
 * puts back both together; a copy on another machine does.
 */
#pragma once

#include "crypto/x509.h"
#include "role/turn.h"

struct lk_checkpointer_settings {
	char copy[PATH_MAX];            /* the file outside the database */
	const struct lk_certs *signers; /* whose signature on it counts: any of them; borrowed */
	bool accept_rollback; /* --accept-rollback: the operator knows, and wants to go on */
};

struct lk_checkpointer {
	struct lk_checkpointer_settings set;
	bool asked;
	int64_t asked_ms; /* when, if it was; monotonic */
	int64_t seq;      /* of the newest that came back */
};

/* Before anything else is written. Refuses with LK_R_LEDGER_ROLLBACK, _FORK, _COPY_FORGED,
 * _COPY_OLD; where the operator accepts that, it becomes an event of the ledger instead. */
LK_RESULT lk_checkpointer_start(struct lk_checkpointer *c,
	const struct lk_checkpointer_settings *settings, struct lk_turn *t, struct lk_err *e);
/* A few times a second; opens a turn when it is time. */
LK_RESULT lk_checkpointer_tick(struct lk_checkpointer *c, struct lk_turn *t, struct lk_err *e);
