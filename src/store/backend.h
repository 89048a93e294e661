/* SPDX-License-Identifier: Apache-2.0
 *
 * What a back end implements. store/store.c has checked everything that is the
 * same for all of them before it calls: the order of transactions, maxima,
 * append-only records, and that the record belongs into this store.
 */
#pragma once

#include "store/store.h"

enum lk_txn_step {
	LK_TXN_BEGIN,
	LK_TXN_COMMIT, /* durable when it succeeds; the transaction is over in any case */
	LK_TXN_SAVEPOINT,
	LK_TXN_RELEASE,
	LK_TXN_ROLLBACK_TO, /* and release */
	LK_TXN_COUNT
};

enum lk_write { LK_WRITE_INSERT, LK_WRITE_PUT, LK_WRITE_REMOVE, LK_WRITE_COUNT };

struct lk_store_ops {
	struct lk_result (*txn)(struct lk_store *s, enum lk_txn_step step, struct lk_err *e);
	void (*rollback)(struct lk_store *s);
	/* Copies r. LK_R_RECORD_EXISTS, LK_R_NO_RECORD as in store/store.h. */
	struct lk_result (*write)(
		struct lk_store *s, enum lk_write how, const struct lk_record *r, struct lk_err *e);
	/* The first record of the walk, or behind r the next one. */
	struct lk_result (*seek)(struct lk_store *s, const struct lk_scan *scan,
		struct lk_record *r, bool *ret_found, struct lk_err *e);
	struct lk_result (*count)(struct lk_store *s, enum lk_index index, unsigned prefix,
		const struct lk_record *r, int64_t *ret, struct lk_err *e);
	struct lk_result (*purge)(struct lk_store *s, struct lk_err *e);
	void (*close)(struct lk_store *s); /* frees s */
};

struct lk_store {
	const struct lk_store_ops *ops;
	enum lk_store_owner owner;
	struct lk_origin origin;
	enum { LK_STORE_IDLE, LK_STORE_IN_TXN, LK_STORE_IN_SAVEPOINT } state;
};
