/* SPDX-License-Identifier: Apache-2.0
 *
 * The store: records found by index, changed in transactions. Two back ends keep
 * one contract (tests/unit/test_store.c): SQLite, and memory for tests and tools.
 *
 * Only the keeper opens it. Group commit: the requests of one loop turn share a
 * transaction, each in a savepoint of its own, and nothing is signed or answered
 * before lk_store_commit() has returned, because only then is it on the disk.
 *
 *	LK_TRY(lk_store_begin(s, e));
 *	for each request:
 *		LK_TRY(lk_store_savepoint(s, e));
 *		LK_TRY(decide(request).ok ? lk_store_release(s, e) : lk_store_rollback_to(s, e));
 *	LK_TRY(lk_store_commit(s, e));
 *
 * No call's cost grows with the number of records, but where its comment says so.
 */
#pragma once

#include "store/record.h"

struct lk_store; /* opaque */

/* Written into records that do not say where they come from. */
struct lk_origin {
	char site_id[LK_ID_MAX];
	char node_id[LK_ID_MAX];
};

/* Opens or makes the file (mode 0600) and checks its integrity, which takes time by its size.
 * Refuses: LK_R_STORE_LOCKED while another process has it, LK_R_STORE_FOREIGN what is not this
 * owner's store, LK_R_STORE_NEWER a later schema, LK_R_STORE_CORRUPT a damaged file. An older
 * schema is lifted to ours. */
LK_RESULT lk_store_open_sqlite(const char *path, enum lk_store_owner owner,
	const struct lk_origin *origin, struct lk_store **ret, struct lk_err *e);
LK_RESULT lk_store_open_memory(enum lk_store_owner owner, const struct lk_origin *origin,
	struct lk_store **ret, struct lk_err *e);
struct lk_store *lk_store_close(struct lk_store *s); /* rolls back what was not committed */
LK_DEFINE_CLEANUP(struct lk_store *, lk_store_close);

const struct lk_origin *lk_store_origin(const struct lk_store *s);

LK_RESULT lk_store_begin(struct lk_store *s, struct lk_err *e);
/* Durable when it succeeds; as if nothing had been written when it fails. */
LK_RESULT lk_store_commit(struct lk_store *s, struct lk_err *e);
void lk_store_rollback(struct lk_store *s); /* harmless outside a transaction */
LK_RESULT lk_store_savepoint(struct lk_store *s, struct lk_err *e); /* one at a time */
LK_RESULT lk_store_release(struct lk_store *s, struct lk_err *e);
LK_RESULT lk_store_rollback_to(struct lk_store *s, struct lk_err *e); /* ends the savepoint too */

/* Writing asks for a transaction. A record whose key or other unique columns are taken is refused
 * with LK_R_RECORD_EXISTS; put replaces the record of the same key. */
LK_RESULT lk_store_insert(struct lk_store *s, struct lk_record *r, struct lk_err *e);
LK_RESULT lk_store_put(struct lk_store *s, struct lk_record *r, struct lk_err *e);
/* By the key columns of r. LK_R_NO_RECORD when there is none. */
LK_RESULT lk_store_remove(struct lk_store *s, const struct lk_record *r, struct lk_err *e);
/* Empties the personal columns of the record with the key of r, also of an append-only one. */
LK_RESULT lk_store_erase(struct lk_store *s, const struct lk_record *r, struct lk_err *e);
/* What was removed and erased is gone from the files too. Outside a transaction; takes as long as
 * a checkpoint of the write-ahead log. */
LK_RESULT lk_store_purge(struct lk_store *s, struct lk_err *e);

/* Fills r with the record that has r's own values in the columns of a unique index. r is
 * untouched when there is none (LK_R_NO_RECORD). */
LK_RESULT lk_store_get(
	struct lk_store *s, enum lk_index index, struct lk_record *r, struct lk_err *e);
/* As above; that there is none is no failure. */
LK_RESULT lk_store_find(struct lk_store *s, enum lk_index index, struct lk_record *r,
	bool *ret_found, struct lk_err *e);

/* A walk along an index. It has no state but this and the record, so writing in between, ending
 * early and going on another day from a remembered record are all fine. */
struct lk_scan {
	enum lk_index index;
	unsigned prefix; /* how many of the index's columns keep the value that they have in r */
	bool descending;
	bool after; /* start behind r, not at the first; set by lk_store_next() */
};

/* Fills r with the next record; untouched at the end. */
LK_RESULT lk_store_next(struct lk_store *s, struct lk_scan *scan, struct lk_record *r,
	bool *ret_found, struct lk_err *e);
/* How many records have r's values in the first `prefix` columns. Costs by the number counted. */
LK_RESULT lk_store_count(struct lk_store *s, enum lk_index index, unsigned prefix,
	const struct lk_record *r, int64_t *ret, struct lk_err *e);
