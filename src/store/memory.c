/* SPDX-License-Identifier: Apache-2.0
 *
 * The store in memory: an array of pointers per index, sorted. For tests and for
 * tools that need no file; inserting costs by the number of records, but little.
 * What a transaction did is kept in a log and undone from its end.
 */
#include <assert.h>
#include <stdlib.h>

#include "store/backend.h"

struct sorted {
	struct lk_record **v; /* owned by the array of the key; the others borrow */
	size_t n;
	size_t cap;
};

struct change {
	struct lk_record *before; /* owned; NULL: it was inserted */
	struct lk_record *after;  /* in the arrays; NULL: it was removed */
};

struct memory {
	struct lk_store store; /* first */
	struct sorted index[LK_INDEX_COUNT];
	struct change *log;
	size_t n_log;
	size_t cap_log;
	size_t savepoint; /* n_log when it was set */
};

static struct memory *
memory_of(struct lk_store *s)
{
	return (struct memory *)s;
}

/* Room for one more element of `size`; *v, *cap as they are. */
static struct lk_result
reserve(void *v, size_t size, size_t n, size_t *cap, struct lk_err *e)
{
	size_t want = *cap ? *cap * 2 : 16;
	void *p;

	if (n < *cap)
		return LK_OK;
	p = reallocarray(*(void **)v, want, size);
	LK_REQUIRE(p, e, LK_R_NOMEM, "no memory for %zu records", want);
	*(void **)v = p;
	*cap = want;
	return LK_OK;
}

/* How many records come before r by the first n columns; equal ones count too if `with_equal`. */
static size_t
position(const struct memory *m, enum lk_index index, unsigned n, const struct lk_record *r,
	bool with_equal)
{
	const struct sorted *a = &m->index[index];
	size_t low = 0, high = a->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int d = lk_record_compare(index, n, a->v[mid], r);

		if (d < 0 || (d == 0 && with_equal))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The record with r's values in a unique index. */
static struct lk_record *
holder(const struct memory *m, enum lk_index index, const struct lk_record *r)
{
	const struct sorted *a = &m->index[index];
	unsigned n = lk_indexes[index].n;
	size_t i = position(m, index, n, r, false);

	return i < a->n && lk_record_compare(index, n, a->v[i], r) == 0 ? a->v[i] : NULL;
}

static void
take_out(struct memory *m, enum lk_index index, const struct lk_record *r)
{
	struct sorted *a = &m->index[index];
	uint8_t order[LK_ORDER_COLUMNS_MAX];
	size_t i = position(m, index, lk_index_order(index, order), r, false);

	assert(i < a->n && a->v[i] == r);
	memmove(a->v + i, a->v + i + 1, (a->n - i - 1) * sizeof *a->v);
	a->n--;
}

static void
put_in(struct memory *m, enum lk_index index, struct lk_record *r)
{
	struct sorted *a = &m->index[index];
	uint8_t order[LK_ORDER_COLUMNS_MAX];
	size_t i = position(m, index, lk_index_order(index, order), r, false);

	assert(a->n < a->cap);
	memmove(a->v + i + 1, a->v + i, (a->n - i) * sizeof *a->v);
	a->v[i] = r;
	a->n++;
}

/* Replaces one record by another in all indexes; either may be NULL. Cannot fail: there is room,
 * reserved by store_record() or left by what was taken out before. */
static void
swap(struct memory *m, struct lk_record *out, struct lk_record *in)
{
	enum lk_kind kind = out ? out->type->kind : in->type->kind;
	unsigned i;

	for (i = 0; i < LK_INDEX_COUNT; i++) {
		if (lk_indexes[i].kind != kind)
			continue;
		if (out)
			take_out(m, (enum lk_index)i, out);
		if (in)
			put_in(m, (enum lk_index)i, in);
	}
}

static void
undo(struct memory *m, size_t to)
{
	while (m->n_log > to) {
		struct change *c = &m->log[--m->n_log];

		swap(m, c->after, c->before);
		lk_record_free(c->after);
	}
}

static void
memory_rollback(struct lk_store *s)
{
	undo(memory_of(s), 0);
}

static struct lk_result
memory_txn(struct lk_store *s, enum lk_txn_step step, struct lk_err *e)
{
	struct memory *m = memory_of(s);

	(void)e;
	switch (step) {
	case LK_TXN_COMMIT:
		while (m->n_log)
			lk_record_free(m->log[--m->n_log].before);
		break;
	case LK_TXN_SAVEPOINT:
		m->savepoint = m->n_log;
		break;
	case LK_TXN_ROLLBACK_TO:
		undo(m, m->savepoint);
		break;
	case LK_TXN_BEGIN:
	case LK_TXN_RELEASE:
	case LK_TXN_COUNT:
		break;
	}
	return LK_OK;
}

/* Refuses r where another record than `old` has its unique values, and makes room for it. */
static struct lk_result
check_indexes(
	struct memory *m, const struct lk_record *r, const struct lk_record *old, struct lk_err *e)
{
	unsigned i;

	for (i = 0; i < LK_INDEX_COUNT; i++) {
		struct sorted *a = &m->index[i];
		const struct lk_record *other;

		if (lk_indexes[i].kind != r->type->kind)
			continue;
		other = lk_indexes[i].unique ? holder(m, (enum lk_index)i, r) : NULL;
		LK_REQUIRE(!other || other == old, e, LK_R_RECORD_EXISTS, "%s: %s is taken",
			r->type->name, lk_indexes[i].name);
		LK_TRY(reserve(&a->v, sizeof *a->v, a->n, &a->cap, e));
	}
	return LK_OK;
}

static struct lk_result
memory_write(struct lk_store *s, enum lk_write how, const struct lk_record *r, struct lk_err *e)
{
	struct memory *m = memory_of(s);
	struct lk_record *held = holder(m, r->type->key, r);
	LK_CLEANUP(lk_record_freep) struct lk_record *copy = NULL;

	LK_TRY(reserve(&m->log, sizeof *m->log, m->n_log, &m->cap_log, e));
	if (how == LK_WRITE_REMOVE) {
		LK_REQUIRE(held, e, LK_R_NO_RECORD, "there is no such %s", r->type->name);
	} else {
		LK_TRY(check_indexes(m, r, how == LK_WRITE_PUT ? held : NULL, e));
		LK_TRY(lk_record_copy(r, &copy, e));
	}
	swap(m, held, copy);
	m->log[m->n_log++] = (struct change){ held, LK_TAKE(copy) };
	return LK_OK;
}

static struct lk_result
memory_seek(struct lk_store *s, const struct lk_scan *scan, struct lk_record *r, bool *ret_found,
	struct lk_err *e)
{
	struct memory *m = memory_of(s);
	const struct sorted *a = &m->index[scan->index];
	LK_CLEANUP(lk_record_freep) struct lk_record *copy = NULL;
	uint8_t order[LK_ORDER_COLUMNS_MAX];
	unsigned n = scan->after ? lk_index_order(scan->index, order) : scan->prefix;
	size_t i = position(m, scan->index, n, r, scan->after != scan->descending);

	/* Downwards it is the one before the position; from 0 that wraps beyond the end. */
	i -= scan->descending;
	if (i >= a->n || lk_record_compare(scan->index, scan->prefix, a->v[i], r) != 0) {
		*ret_found = false;
		return LK_OK;
	}
	LK_TRY(lk_record_copy(a->v[i], &copy, e));
	lk_record_move(r, copy);
	*ret_found = true;
	return LK_OK;
}

static struct lk_result
memory_count(struct lk_store *s, enum lk_index index, unsigned prefix, const struct lk_record *r,
	int64_t *ret, struct lk_err *e)
{
	struct memory *m = memory_of(s);

	(void)e;
	*ret = (int64_t)(position(m, index, prefix, r, true) -
			 position(m, index, prefix, r, false));
	return LK_OK;
}

static struct lk_result
memory_purge(struct lk_store *s, struct lk_err *e)
{
	(void)s;
	(void)e;
	return LK_OK; /* nothing outlives the record */
}

static void
memory_close(struct lk_store *s)
{
	struct memory *m = memory_of(s);
	unsigned i;

	for (i = 0; i < LK_KIND_COUNT; i++) {
		struct sorted *a = &m->index[lk_record_types[i].key];

		while (a->n)
			lk_record_free(a->v[--a->n]);
	}
	for (i = 0; i < LK_INDEX_COUNT; i++)
		free(m->index[i].v);
	free(m->log);
	free(m);
}

static const struct lk_store_ops ops = {
	.txn = memory_txn,
	.rollback = memory_rollback,
	.write = memory_write,
	.seek = memory_seek,
	.count = memory_count,
	.purge = memory_purge,
	.close = memory_close,
};

struct lk_result
lk_store_open_memory(enum lk_store_owner owner, const struct lk_origin *origin,
	struct lk_store **ret, struct lk_err *e)
{
	struct memory *m = calloc(1, sizeof *m);

	LK_REQUIRE(m, e, LK_R_NOMEM, "no memory for a store");
	m->store = (struct lk_store){ .ops = &ops, .owner = owner, .origin = *origin };
	*ret = &m->store;
	return LK_OK;
}
