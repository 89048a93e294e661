/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the contract that all back ends share: what may be called when,
 * and what no back end gets to see.
 */
#include "store/store.h"

#include <assert.h>

#include "store/backend.h"

struct lk_store *
lk_store_close(struct lk_store *s)
{
	if (!s)
		return NULL;
	lk_store_rollback(s);
	s->ops->close(s);
	return NULL;
}

const struct lk_origin *
lk_store_origin(const struct lk_store *s)
{
	return &s->origin;
}

struct lk_result
lk_store_begin(struct lk_store *s, struct lk_err *e)
{
	LK_REQUIRE(s->state == LK_STORE_IDLE, e, LK_R_BUG, "a transaction is open already");
	LK_TRY(s->ops->txn(s, LK_TXN_BEGIN, e));
	s->state = LK_STORE_IN_TXN;
	return LK_OK;
}

struct lk_result
lk_store_commit(struct lk_store *s, struct lk_err *e)
{
	LK_REQUIRE(s->state == LK_STORE_IN_TXN, e, LK_R_BUG, "no transaction to commit");
	s->state = LK_STORE_IDLE;
	return s->ops->txn(s, LK_TXN_COMMIT, e);
}

void
lk_store_rollback(struct lk_store *s)
{
	if (s->state == LK_STORE_IDLE)
		return;
	s->state = LK_STORE_IDLE;
	s->ops->rollback(s);
}

struct lk_result
lk_store_savepoint(struct lk_store *s, struct lk_err *e)
{
	LK_REQUIRE(s->state == LK_STORE_IN_TXN, e, LK_R_BUG, "no place for a savepoint");
	LK_TRY(s->ops->txn(s, LK_TXN_SAVEPOINT, e));
	s->state = LK_STORE_IN_SAVEPOINT;
	return LK_OK;
}

static struct lk_result
end_savepoint(struct lk_store *s, enum lk_txn_step step, struct lk_err *e)
{
	LK_REQUIRE(s->state == LK_STORE_IN_SAVEPOINT, e, LK_R_BUG, "no savepoint is open");
	LK_TRY(s->ops->txn(s, step, e));
	s->state = LK_STORE_IN_TXN;
	return LK_OK;
}

struct lk_result
lk_store_release(struct lk_store *s, struct lk_err *e)
{
	return end_savepoint(s, LK_TXN_RELEASE, e);
}

struct lk_result
lk_store_rollback_to(struct lk_store *s, struct lk_err *e)
{
	return end_savepoint(s, LK_TXN_ROLLBACK_TO, e);
}

static struct lk_result
check_write(const struct lk_store *s, const struct lk_record *r, struct lk_err *e)
{
	LK_REQUIRE(s->state != LK_STORE_IDLE, e, LK_R_BUG, "writing %s outside a transaction",
		r->type->name);
	LK_REQUIRE(r->type->stores & s->owner, e, LK_R_BUG, "%s is no record of this store",
		r->type->name);
	return lk_record_check(r, e);
}

static struct lk_result
write_record(struct lk_store *s, enum lk_write how, struct lk_record *r, struct lk_err *e)
{
	if (!r->site_id[0])
		memcpy(r->site_id, s->origin.site_id, sizeof r->site_id);
	if (!r->node_id[0])
		memcpy(r->node_id, s->origin.node_id, sizeof r->node_id);
	LK_TRY(check_write(s, r, e));
	return s->ops->write(s, how, r, e);
}

struct lk_result
lk_store_insert(struct lk_store *s, struct lk_record *r, struct lk_err *e)
{
	return write_record(s, LK_WRITE_INSERT, r, e);
}

struct lk_result
lk_store_put(struct lk_store *s, struct lk_record *r, struct lk_err *e)
{
	LK_REQUIRE(!r->type->append_only, e, LK_R_BUG, "%s is append-only", r->type->name);
	return write_record(s, LK_WRITE_PUT, r, e);
}

struct lk_result
lk_store_remove(struct lk_store *s, const struct lk_record *r, struct lk_err *e)
{
	LK_REQUIRE(!r->type->append_only, e, LK_R_BUG, "%s is append-only", r->type->name);
	LK_TRY(check_write(s, r, e));
	return s->ops->write(s, LK_WRITE_REMOVE, r, e);
}

struct lk_result
lk_store_erase(struct lk_store *s, const struct lk_record *r, struct lk_err *e)
{
	LK_CLEANUP(lk_record_freep) struct lk_record *found = NULL;

	LK_TRY(check_write(s, r, e));
	LK_TRY(lk_record_copy(r, &found, e));
	LK_TRY(lk_store_get(s, r->type->key, found, e));
	lk_record_erase(found);
	return s->ops->write(s, LK_WRITE_PUT, found, e);
}

struct lk_result
lk_store_purge(struct lk_store *s, struct lk_err *e)
{
	LK_REQUIRE(s->state == LK_STORE_IDLE, e, LK_R_BUG, "purging inside a transaction");
	return s->ops->purge(s, e);
}

static struct lk_result
check_read(const struct lk_store *s, enum lk_index index, unsigned prefix,
	const struct lk_record *r, struct lk_err *e)
{
	const struct lk_index_info *x = &lk_indexes[index];

	assert(prefix <= x->n);
	LK_REQUIRE(r->type->kind == x->kind && (r->type->stores & s->owner), e, LK_R_BUG,
		"%s is not looked up by %s in this store", r->type->name, x->name);
	return lk_record_check(r, e);
}

struct lk_result
lk_store_find(struct lk_store *s, enum lk_index index, struct lk_record *r, bool *ret_found,
	struct lk_err *e)
{
	struct lk_scan scan = { .index = index, .prefix = lk_indexes[index].n };

	LK_REQUIRE(
		lk_indexes[index].unique, e, LK_R_BUG, "%s is not unique", lk_indexes[index].name);
	return lk_store_next(s, &scan, r, ret_found, e);
}

struct lk_result
lk_store_get(struct lk_store *s, enum lk_index index, struct lk_record *r, struct lk_err *e)
{
	bool found;

	LK_TRY(lk_store_find(s, index, r, &found, e));
	LK_REQUIRE(found, e, LK_R_NO_RECORD, "there is no such %s", r->type->name);
	return LK_OK;
}

struct lk_result
lk_store_next(struct lk_store *s, struct lk_scan *scan, struct lk_record *r, bool *ret_found,
	struct lk_err *e)
{
	uint8_t order[LK_ORDER_COLUMNS_MAX];
	bool found = false;

	LK_TRY(check_read(s, scan->index, scan->prefix, r, e));
	/* Behind a record that the prefix names completely there is none. */
	if (!scan->after || scan->prefix < lk_index_order(scan->index, order))
		LK_TRY(s->ops->seek(s, scan, r, &found, e));
	scan->after = true;
	*ret_found = found;
	return LK_OK;
}

struct lk_result
lk_store_count(struct lk_store *s, enum lk_index index, unsigned prefix, const struct lk_record *r,
	int64_t *ret, struct lk_err *e)
{
	LK_TRY(check_read(s, index, prefix, r, e));
	return s->ops->count(s, index, prefix, r, ret, e);
}
