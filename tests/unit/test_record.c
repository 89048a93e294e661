/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of every kind: the tables are sound, and what is done to a record
 * through them loses and invents nothing.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/record.h"

#define PACK_MAX (1024 * 1024)

static struct lk_err e;

static int
setup(void **state)
{
	(void)state;
	e = (struct lk_err){ .reason = LK_R_NONE };
	return 0;
}

/* A record whose columns are all different, full to the maximum where `full`. */
static struct lk_record *
sample(enum lk_kind kind, bool full)
{
	struct lk_record *r = NULL;
	unsigned i;

	assert_true(lk_record_new(kind, &r, &e).ok);
	for (i = 0; i < r->type->n_columns; i++) {
		const struct lk_column *c = &r->type->columns[i];
		struct lk_value v = { .type = c->type, .number = c->type == LK_COLUMN_BOOL };
		size_t n = full ? c->size - (c->type == LK_COLUMN_TEXT) : i % 11 + 1;
		uint8_t *p = calloc(1, n + 1);

		assert_non_null(p);
		memset(p, 'a' + (int)i, n);
		if (c->type == LK_COLUMN_BLOB && n > 1)
			p[1] = 0;
		if (c->type == LK_COLUMN_INT)
			v.number = full ? INT64_MIN + (int64_t)i : (int64_t)i * 1000003;
		if (c->type == LK_COLUMN_TEXT || c->type == LK_COLUMN_BLOB)
			v.bytes = lk_slice(p, n);
		if (!lk_record_set(r, i, v, &e).ok)
			fail_msg("%s.%s: %s", r->type->name, c->name, e.msg);
		free(p);
	}
	return r;
}

static void
test_tables(void **state)
{
	unsigned i, k;

	(void)state;
	for (i = 0; i < LK_KIND_COUNT; i++) {
		const struct lk_record_type *t = &lk_record_types[i];

		assert_int_equal(t->kind, i);
		assert_int_equal(lk_indexes[t->key].kind, i);
		assert_true(lk_indexes[t->key].unique);
		assert_int_not_equal(t->stores, 0);
		assert_string_equal(t->columns[0].name, "site_id");
		assert_string_equal(t->columns[1].name, "node_id");
	}
	for (i = 0; i < LK_INDEX_COUNT; i++) {
		const struct lk_index_info *x = &lk_indexes[i];
		const struct lk_record_type *t = &lk_record_types[x->kind];

		assert_in_range(x->n, 1, LK_INDEX_COLUMNS_MAX);
		for (k = 0; k < x->n; k++) {
			assert_in_range(x->columns[k], 0, t->n_columns - 1);
			assert_int_not_equal(t->columns[x->columns[k]].type, LK_COLUMN_BLOB);
			/* Erasing must not move a record, nor collide with another erased one. */
			if (x->unique)
				assert_false(t->columns[x->columns[k]].personal);
		}
	}
}

static void
test_order(void **state)
{
	uint8_t order[LK_ORDER_COLUMNS_MAX];
	const struct lk_column *c = lk_record_types[LK_KIND_certificate].columns;

	(void)state;
	/* The index's columns, then those of the key that are not among them. */
	assert_int_equal(lk_index_order(LK_CERTIFICATE_BY_STATUS, order), 3);
	assert_string_equal(c[order[0]].name, "issuer");
	assert_string_equal(c[order[1]].name, "status");
	assert_string_equal(c[order[2]].name, "serial");
	assert_int_equal(lk_index_order(LK_CERTIFICATE_BY_SERIAL, order), 2);
}

static void
test_set(void **state)
{
	struct lk_device_record d = LK_RECORD_INIT(device), before;
	char long_serial[LK_SERIAL_MAX];
	unsigned serial = 0;

	(void)state;
	while (strcmp(d.record.type->columns[serial].name, "serial") != 0)
		serial++;
	snprintf(d.serial, sizeof d.serial, "SN1");
	before = d;
	memset(long_serial, 'x', sizeof long_serial);
	assert_refused(
		lk_record_set(&d.record, serial,
			(struct lk_value){ LK_COLUMN_TEXT, 0, LK_SLICE_ARRAY(long_serial) }, &e),
		e, LK_R_TOO_LARGE);
	assert_refused(lk_record_set(&d.record, serial,
			       (struct lk_value){ LK_COLUMN_TEXT, 0, LK_SLICE_LIT("a\0b") }, &e),
		e, LK_R_SYNTAX_TEXT);
	assert_true(lk_record_eq(&d.record, &before.record));
	assert_true(lk_record_set(&d.record, serial,
		(struct lk_value){
			LK_COLUMN_TEXT, 0, lk_slice(long_serial, sizeof long_serial - 1) },
		&e)
			    .ok);
	assert_int_equal(strlen(d.serial), LK_SERIAL_MAX - 1);
}

static void
test_set_blob(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	unsigned salt = 0;

	(void)state;
	while (strcmp(ev.record.type->columns[salt].name, "salt") != 0)
		salt++;
	assert_true(lk_blob_set(&ev.salt, LK_SLICE_LIT("0123456789abcdef"), &e).ok);
	assert_refused(
		lk_record_set(&ev.record, salt,
			(struct lk_value){ LK_COLUMN_BLOB, 0, LK_SLICE_LIT("0123456789abcdef+") },
			&e),
		e, LK_R_TOO_LARGE);
	assert_int_equal(ev.salt.n, 16);
	/* From itself: the copy is made before the old one goes. */
	assert_true(lk_blob_set(&ev.salt, lk_slice(ev.salt.p + 10, 6), &e).ok);
	assert_memory_equal(ev.salt.p, "abcdef", 6);
	assert_true(lk_blob_set(&ev.salt, LK_SLICE_LIT(""), &e).ok);
	assert_null(ev.salt.p);
}

static void
test_check(void **state)
{
	struct lk_device_record d = LK_RECORD_INIT(device);

	(void)state;
	assert_true(lk_record_check(&d.record, &e).ok);
	memset(d.model, 'm', sizeof d.model);
	assert_refused(lk_record_check(&d.record, &e), e, LK_R_TOO_LARGE);
	assert_non_null(strstr(e.msg, "device.model"));
}

static void
test_copy_move_done(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < LK_KIND_COUNT; i++) {
		LK_CLEANUP(lk_record_freep) struct lk_record *r = sample((enum lk_kind)i, true);
		LK_CLEANUP(lk_record_freep) struct lk_record *copy = NULL;
		LK_CLEANUP(lk_record_freep) struct lk_record *empty = NULL;
		LK_CLEANUP(lk_record_freep)
		struct lk_record *moved = sample((enum lk_kind)i, false);

		assert_true(lk_record_check(r, &e).ok);
		assert_true(lk_record_new((enum lk_kind)i, &empty, &e).ok);
		assert_true(lk_record_copy(r, &copy, &e).ok);
		assert_true(lk_record_eq(r, copy));
		assert_false(lk_record_eq(r, empty));
		lk_record_move(moved, copy);
		assert_true(lk_record_eq(r, moved));
		assert_true(lk_record_eq(copy, empty));
		lk_record_done(moved);
		assert_true(lk_record_eq(moved, empty));
		assert_ptr_equal(lk_record_as(moved, (enum lk_kind)i), moved);
	}
}

/*= SEC-20: all post-manufacture information deletable by authorized personnel =*/
static void
test_erase(void **state)
{
	unsigned i, c;

	(void)state;
	for (i = 0; i < LK_KIND_COUNT; i++) {
		LK_CLEANUP(lk_record_freep) struct lk_record *r = sample((enum lk_kind)i, false);
		LK_CLEANUP(lk_record_freep) struct lk_record *erased = NULL;

		assert_true(lk_record_copy(r, &erased, &e).ok);
		lk_record_erase(erased);
		for (c = 0; c < r->type->n_columns; c++) {
			struct lk_value is = lk_record_value(erased, c);
			struct lk_value was = lk_record_value(r, c);

			if (r->type->columns[c].personal)
				assert_int_equal(is.bytes.n, 0);
			else
				assert_true(lk_slice_eq(is.bytes, was.bytes) &&
					    is.number == was.number);
		}
	}
}

static void
test_compare(void **state)
{
	struct lk_device_record a = LK_RECORD_INIT(device), b = LK_RECORD_INIT(device);

	(void)state;
	snprintf(a.id, sizeof a.id, "a");
	snprintf(b.id, sizeof b.id, "ab");
	assert_true(lk_record_compare(LK_DEVICE_BY_ID, 1, &a.record, &b.record) < 0);
	assert_true(lk_record_compare(LK_DEVICE_BY_ID, 1, &b.record, &a.record) > 0);
	assert_int_equal(lk_record_compare(LK_DEVICE_BY_ID, 0, &a.record, &b.record), 0);
	a.state = -1;
	assert_true(lk_record_compare(LK_DEVICE_BY_STATE, 1, &a.record, &b.record) < 0);
	b.state = -1;
	assert_int_equal(lk_record_compare(LK_DEVICE_BY_STATE, 1, &a.record, &b.record), 0);
	assert_true(lk_record_compare(LK_DEVICE_BY_STATE, 2, &a.record, &b.record) < 0);
}

static void
test_pack_and_unpack(void **state)
{
	unsigned i, full;

	(void)state;
	for (i = 0; i < LK_KIND_COUNT; i++) {
		for (full = 0; full < 2; full++) {
			LK_CLEANUP(lk_record_freep)
			struct lk_record *r = sample((enum lk_kind)i, full);
			LK_CLEANUP(lk_record_freep) struct lk_record *back = NULL;
			LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(PACK_MAX);

			assert_true(lk_record_pack(r, &b, &e).ok);
			assert_true(lk_record_unpack(lk_buf_slice(&b), &back, &e).ok);
			assert_true(lk_record_eq(r, back));
		}
	}
}

/* A record from another process: each truncation is refused, each changed byte is refused or
 * shows, and nothing may follow. */
static void
test_unpack_mutations(void **state)
{
	static const uint8_t no_kind[] = { LK_KIND_COUNT };
	struct lk_record *back = NULL;
	unsigned i, bit;
	size_t at;

	(void)state;
	for (i = 0; i < LK_KIND_COUNT; i++) {
		LK_CLEANUP(lk_record_freep) struct lk_record *r = sample((enum lk_kind)i, false);
		LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(PACK_MAX);

		assert_true(lk_record_pack(r, &b, &e).ok);
		for (at = 0; at < b.n; at++) {
			assert_refused(lk_record_unpack(lk_slice(b.p, at), &back, &e), e,
				LK_R_RECORD_PACK);
			assert_null(back);
		}
		for (at = 0; at < b.n; at++) {
			for (bit = 0; bit < 8; bit++) {
				b.p[at] ^= (uint8_t)(1u << bit);
				if (lk_record_unpack(lk_buf_slice(&b), &back, &e).ok)
					assert_false(lk_record_eq(r, back));
				else
					assert_int_equal(e.reason, LK_R_RECORD_PACK);
				back = lk_record_free(back);
				b.p[at] ^= (uint8_t)(1u << bit);
			}
		}
		assert_true(lk_buf_append(&b, LK_SLICE_LIT("x"), &e).ok);
		assert_refused(lk_record_unpack(lk_buf_slice(&b), &back, &e), e, LK_R_RECORD_PACK);
	}
	assert_refused(lk_record_unpack(LK_SLICE_ARRAY(no_kind), &back, &e), e, LK_R_RECORD_PACK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_tables, setup),
		cmocka_unit_test_setup(test_order, setup),
		cmocka_unit_test_setup(test_set, setup),
		cmocka_unit_test_setup(test_set_blob, setup),
		cmocka_unit_test_setup(test_check, setup),
		cmocka_unit_test_setup(test_copy_move_done, setup),
		cmocka_unit_test_setup(test_erase, setup),
		cmocka_unit_test_setup(test_compare, setup),
		cmocka_unit_test_setup(test_pack_and_unpack, setup),
		cmocka_unit_test_setup(test_unpack_mutations, setup),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
