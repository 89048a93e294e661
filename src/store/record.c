/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables made of store/record.def, and what is done to any record. A column
 * is read by lk_record_value() and written by lk_record_set(), nowhere else.
 */
#include "store/record.h"

#include <assert.h>
#include <stdlib.h>

/* clang-format off */

/* Each kind's columns by number: device_id, device_serial, … */
#define LK_RECORD(name, key, stores, how)    enum { name##_site_id, name##_node_id,
#define LK_TEXT(name, column, size, privacy) name##_##column,
#define LK_INT(name, column)                 name##_##column,
#define LK_BOOL(name, column)                name##_##column,
#define LK_BLOB(name, column, max, privacy)  name##_##column,
#define LK_RECORD_END(name)                  };
#include "store/record.def"

#define PUBLIC   false
#define PERSONAL true
#define COLUMN(type, column, form, size, privacy) \
	{ #column, LK_COLUMN_##form, offsetof(struct type, column), size, privacy },

#define LK_RECORD(name, key, stores, how) \
	static const struct lk_column name##_columns[] = { \
		COLUMN(lk_record, site_id, TEXT, LK_ID_MAX, PUBLIC) \
		COLUMN(lk_record, node_id, TEXT, LK_ID_MAX, PUBLIC)
#define LK_TEXT(name, column, size, privacy) COLUMN(lk_##name##_record, column, TEXT, size, privacy)
#define LK_INT(name, column)                 COLUMN(lk_##name##_record, column, INT, 0, PUBLIC)
#define LK_BOOL(name, column)                COLUMN(lk_##name##_record, column, BOOL, 0, PUBLIC)
#define LK_BLOB(name, column, max, privacy)  COLUMN(lk_##name##_record, column, BLOB, max, privacy)
#define LK_RECORD_END(name)                  };
#include "store/record.def"

#define NOC         LK_STORE_NOC
#define MASA        LK_STORE_MASA
#define MUTABLE     false
#define APPEND_ONLY true

const struct lk_record_type lk_record_types[LK_KIND_COUNT] = {
#define LK_RECORD(name, key, stores, how) \
	{ #name, LK_KIND_##name, sizeof(struct lk_##name##_record), name##_columns, \
		LK_ARRAY_LEN(name##_columns), LK_##key, stores, how },
#include "store/record.def"
};

#define UNIQUE true
#define MANY   false

const struct lk_index_info lk_indexes[LK_INDEX_COUNT] = {
#define LK_INDEX(name, index, how, ...) \
	{ #index, LK_KIND_##name, how, sizeof((uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ } },
#include "store/record.def"
};

/* clang-format on */

unsigned
lk_index_order(enum lk_index index, uint8_t ret[static LK_ORDER_COLUMNS_MAX])
{
	const struct lk_index_info *x = &lk_indexes[index];
	const struct lk_index_info *key = &lk_indexes[lk_record_types[x->kind].key];
	unsigned i, n = x->n;

	memcpy(ret, x->columns, n);
	for (i = 0; i < key->n && !x->unique; i++)
		if (!memchr(x->columns, key->columns[i], x->n))
			ret[n++] = key->columns[i];
	return n;
}

struct lk_result
lk_blob_set(struct lk_blob *b, struct lk_slice in, struct lk_err *e)
{
	uint8_t *p = NULL;

	if (in.n) {
		p = malloc(in.n);
		LK_REQUIRE(p, e, LK_R_NOMEM, "no memory for %zu bytes", in.n);
		memcpy(p, in.p, in.n);
	}
	free(b->p);
	*b = (struct lk_blob){ p, in.n };
	return LK_OK;
}

static const struct lk_column *
column_of(const struct lk_record *r, unsigned column)
{
	assert(r->type && column < r->type->n_columns);
	return &r->type->columns[column];
}

/* Where a column lies. Constness is the caller's: it is added again or was never there. */
static void *
field(const struct lk_record *r, const struct lk_column *c)
{
	return (char *)(uintptr_t)r + c->offset;
}

struct lk_value
lk_record_value(const struct lk_record *r, unsigned column)
{
	const struct lk_column *c = column_of(r, column);
	const void *p = field(r, c);
	struct lk_value v = { .type = c->type };

	switch (c->type) {
	case LK_COLUMN_TEXT:
		v.bytes = lk_slice(p, strnlen(p, c->size));
		break;
	case LK_COLUMN_INT:
		v.number = *(const int64_t *)p;
		break;
	case LK_COLUMN_BOOL:
		v.number = *(const bool *)p;
		break;
	case LK_COLUMN_BLOB:
		v.bytes = lk_blob_slice(p);
		break;
	}
	return v;
}

struct lk_result
lk_record_set(struct lk_record *r, unsigned column, struct lk_value v, struct lk_err *e)
{
	const struct lk_column *c = column_of(r, column);
	void *p = field(r, c);

	assert(v.type == c->type);
	switch (c->type) {
	case LK_COLUMN_TEXT:
		return lk_slice_to_str(v.bytes, c->name, p, c->size, e);
	case LK_COLUMN_INT:
		*(int64_t *)p = v.number;
		return LK_OK;
	case LK_COLUMN_BOOL:
		*(bool *)p = v.number != 0;
		return LK_OK;
	case LK_COLUMN_BLOB:
		break;
	}
	LK_REQUIRE(v.bytes.n <= c->size, e, LK_R_TOO_LARGE,
		"%s has %zu bytes, at most %zu are taken", c->name, v.bytes.n, c->size);
	return lk_blob_set(p, v.bytes, e);
}

static void
empty(struct lk_record *r, const struct lk_column *c)
{
	struct lk_blob *b;

	switch (c->type) {
	case LK_COLUMN_TEXT:
		memset(field(r, c), 0, c->size);
		break;
	case LK_COLUMN_INT:
		*(int64_t *)field(r, c) = 0;
		break;
	case LK_COLUMN_BOOL:
		*(bool *)field(r, c) = false;
		break;
	case LK_COLUMN_BLOB:
		b = field(r, c);
		free(b->p);
		*b = (struct lk_blob){ 0 };
		break;
	}
}

struct lk_result
lk_record_new(enum lk_kind kind, struct lk_record **ret, struct lk_err *e)
{
	struct lk_record *r = calloc(1, lk_record_types[kind].size);

	LK_REQUIRE(r, e, LK_R_NOMEM, "no memory for a record");
	r->type = &lk_record_types[kind];
	*ret = r;
	return LK_OK;
}

struct lk_record *
lk_record_free(struct lk_record *r)
{
	if (r)
		lk_record_done(r);
	free(r);
	return NULL;
}

void
lk_record_done(void *record)
{
	struct lk_record *r = record;
	unsigned i;

	for (i = 0; i < r->type->n_columns; i++)
		empty(r, &r->type->columns[i]);
}

void
lk_record_erase(struct lk_record *r)
{
	unsigned i;

	for (i = 0; i < r->type->n_columns; i++)
		if (r->type->columns[i].personal)
			empty(r, &r->type->columns[i]);
}

struct lk_result
lk_record_copy(const struct lk_record *r, struct lk_record **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_freep) struct lk_record *copy = NULL;
	unsigned i;

	LK_TRY(lk_record_new(r->type->kind, &copy, e));
	for (i = 0; i < r->type->n_columns; i++)
		LK_TRY(lk_record_set(copy, i, lk_record_value(r, i), e));
	*ret = LK_TAKE(copy);
	return LK_OK;
}

void
lk_record_move(struct lk_record *dst, struct lk_record *src)
{
	const struct lk_record_type *type = src->type;

	assert(dst->type == type);
	lk_record_done(dst);
	memcpy(dst, src, type->size);
	memset(src, 0, type->size); /* its blobs are dst's now */
	src->type = type;
}

struct lk_result
lk_record_check(const struct lk_record *r, struct lk_err *e)
{
	unsigned i;

	for (i = 0; i < r->type->n_columns; i++) {
		const struct lk_column *c = &r->type->columns[i];
		size_t n = lk_record_value(r, i).bytes.n;
		size_t max = c->type == LK_COLUMN_TEXT ? c->size - 1 : c->size;

		LK_REQUIRE(n <= max, e, LK_R_TOO_LARGE, "%s.%s has more than %zu bytes",
			r->type->name, c->name, max);
	}
	return LK_OK;
}

static int
compare_values(struct lk_value a, struct lk_value b)
{
	size_t n = a.bytes.n < b.bytes.n ? a.bytes.n : b.bytes.n;
	int d = n ? memcmp(a.bytes.p, b.bytes.p, n) : 0;

	if (d)
		return d;
	if (a.bytes.n != b.bytes.n)
		return a.bytes.n < b.bytes.n ? -1 : 1;
	return a.number == b.number ? 0 : a.number < b.number ? -1 : 1;
}

bool
lk_record_eq(const struct lk_record *a, const struct lk_record *b)
{
	unsigned i;

	if (a->type != b->type)
		return false;
	for (i = 0; i < a->type->n_columns; i++)
		if (compare_values(lk_record_value(a, i), lk_record_value(b, i)) != 0)
			return false;
	return true;
}

int
lk_record_compare(
	enum lk_index index, unsigned n, const struct lk_record *a, const struct lk_record *b)
{
	uint8_t order[LK_ORDER_COLUMNS_MAX];
	unsigned i, all = lk_index_order(index, order);
	int d = 0;

	assert(n <= all);
	for (i = 0; i < n && d == 0; i++)
		d = compare_values(lk_record_value(a, order[i]), lk_record_value(b, order[i]));
	return d;
}

const void *
lk_record_as(const struct lk_record *r, enum lk_kind kind)
{
	assert(r->type->kind == kind);
	return r;
}

static struct lk_result
pack_uint(uint64_t v, unsigned width, struct lk_buf *out, struct lk_err *e)
{
	uint8_t b[8];
	unsigned i;

	for (i = 0; i < width; i++)
		b[i] = (uint8_t)(v >> 8 * (width - 1 - i));
	return lk_buf_append(out, lk_slice(b, width), e);
}

static struct lk_result
unpack_bytes(struct lk_slice *in, size_t n, struct lk_slice *ret, struct lk_err *e)
{
	LK_REQUIRE(n <= in->n, e, LK_R_RECORD_PACK, "%zu bytes are missing", n - in->n);
	*ret = lk_slice(in->p, n);
	*in = lk_slice(in->p + n, in->n - n);
	return LK_OK;
}

static struct lk_result
unpack_uint(struct lk_slice *in, unsigned width, uint64_t *ret, struct lk_err *e)
{
	struct lk_slice b;
	uint64_t v = 0;
	unsigned i;

	LK_TRY(unpack_bytes(in, width, &b, e));
	for (i = 0; i < width; i++)
		v = v << 8 | b.p[i];
	*ret = v;
	return LK_OK;
}

struct lk_result
lk_record_pack(const struct lk_record *r, struct lk_buf *out, struct lk_err *e)
{
	unsigned i;

	LK_TRY(pack_uint(r->type->kind, 1, out, e));
	for (i = 0; i < r->type->n_columns; i++) {
		struct lk_value v = lk_record_value(r, i);

		switch (v.type) {
		case LK_COLUMN_INT:
			LK_TRY(pack_uint((uint64_t)v.number, 8, out, e));
			break;
		case LK_COLUMN_BOOL:
			LK_TRY(pack_uint((uint64_t)v.number, 1, out, e));
			break;
		case LK_COLUMN_TEXT:
		case LK_COLUMN_BLOB:
			LK_TRY(pack_uint(v.bytes.n, 4, out, e));
			LK_TRY(lk_buf_append(out, v.bytes, e));
			break;
		}
	}
	return LK_OK;
}

static struct lk_result
unpack_column(struct lk_slice *in, struct lk_record *r, unsigned column, struct lk_err *e)
{
	struct lk_value v = { .type = r->type->columns[column].type };
	uint64_t n = 0;

	switch (v.type) {
	case LK_COLUMN_INT:
		LK_TRY(unpack_uint(in, 8, &n, e));
		break;
	case LK_COLUMN_BOOL:
		LK_TRY(unpack_uint(in, 1, &n, e));
		LK_REQUIRE(n <= 1, e, LK_R_RECORD_PACK, "a truth value is %u", (unsigned)n);
		break;
	case LK_COLUMN_TEXT:
	case LK_COLUMN_BLOB:
		LK_TRY(unpack_uint(in, 4, &n, e));
		LK_TRY(unpack_bytes(in, n, &v.bytes, e));
		break;
	}
	v.number = (int64_t)n;
	return lk_record_set(r, column, v, e);
}

struct lk_result
lk_record_unpack(struct lk_slice in, struct lk_record **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_freep) struct lk_record *r = NULL;
	uint64_t kind;
	unsigned i;

	LK_TRY(unpack_uint(&in, 1, &kind, e));
	LK_REQUIRE(kind < LK_KIND_COUNT, e, LK_R_RECORD_PACK, "there is no record kind %u",
		(unsigned)kind);
	LK_TRY(lk_record_new((enum lk_kind)kind, &r, e));
	for (i = 0; i < r->type->n_columns; i++)
		if (!unpack_column(&in, r, i, e).ok) {
			lk_err_set(e, LK_R_RECORD_PACK, "%s.%s cannot be read", r->type->name,
				r->type->columns[i].name);
			return (struct lk_result){ false };
		}
	LK_REQUIRE(in.n == 0, e, LK_R_RECORD_PACK, "%zu bytes follow the record", in.n);
	*ret = LK_TAKE(r);
	return LK_OK;
}
