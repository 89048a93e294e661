/* SPDX-License-Identifier: Apache-2.0
 *
 * The contract of a store, run against every back end.
 */
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store.h"

static const struct lk_origin origin = { "site-1", "node-1" };
static char dir[64];
static char path[128];
static struct lk_store *s;
static struct lk_err e;

static void
open_memory(void)
{
	assert_true(lk_store_open_memory(LK_STORE_NOC, &origin, &s, &e).ok);
}

static void
open_sqlite(void)
{
	assert_true(lk_file_remove(path, NULL).ok);
	if (!lk_store_open_sqlite(path, LK_STORE_NOC, &origin, &s, &e).ok)
		fail_msg("%s", e.msg);
}

static void (*open_store)(void);

static int
setup(void **state)
{
	(void)state;
	open_store();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	s = lk_store_close(s);
	return 0;
}

#define set(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

static struct lk_device_record
device(int n)
{
	struct lk_device_record d = LK_RECORD_INIT(device);

	set(d.id, "dev-%06d", n);
	set(d.manufacturer_id, "acme");
	set(d.serial, "SN%06d", n);
	set(d.admission, "%s", n % 2 ? "ask" : "inventory");
	set(d.local_name, "lamp of room %d", n);
	d.state = n % 3;
	d.created_at = n;
	return d;
}

static void
insert_devices(int from, int to)
{
	int n;

	assert_true(lk_store_begin(s, &e).ok);
	for (n = from; n <= to; n++) {
		struct lk_device_record d = device(n);

		if (!lk_store_insert(s, &d.record, &e).ok)
			fail_msg("%s", e.msg);
	}
	assert_true(lk_store_commit(s, &e).ok);
}

static bool
has_device(int n)
{
	struct lk_device_record d = device(n);
	bool found;

	assert_true(lk_store_find(s, LK_DEVICE_BY_ID, &d.record, &found, &e).ok);
	return found;
}

static int64_t
count_devices(void)
{
	struct lk_device_record d = LK_RECORD_INIT(device);
	int64_t n;

	assert_true(lk_store_count(s, LK_DEVICE_BY_ID, 0, &d.record, &n, &e).ok);
	return n;
}

static void
test_insert_and_get(void **state)
{
	struct lk_device_record want = device(7), got = LK_RECORD_INIT(device);

	(void)state;
	insert_devices(1, 9);
	set(got.id, "dev-000007");
	assert_true(lk_store_get(s, LK_DEVICE_BY_ID, &got.record, &e).ok);
	/* Who wrote it stands in it without the caller's doing. */
	set(want.record.site_id, "site-1");
	set(want.record.node_id, "node-1");
	assert_true(lk_record_eq(&got.record, &want.record));

	/* By another unique index, of two columns. */
	lk_record_done(&got);
	set(got.manufacturer_id, "acme");
	set(got.serial, "SN000003");
	assert_true(lk_store_get(s, LK_DEVICE_BY_SERIAL, &got.record, &e).ok);
	assert_string_equal(got.id, "dev-000003");
}

static void
test_none_is_found(void **state)
{
	struct lk_device_record d = device(5), before = device(5);
	bool found = true;

	(void)state;
	insert_devices(1, 4);
	assert_true(lk_store_find(s, LK_DEVICE_BY_ID, &d.record, &found, &e).ok);
	assert_false(found);
	assert_refused(lk_store_get(s, LK_DEVICE_BY_ID, &d.record, &e), e, LK_R_NO_RECORD);
	assert_true(lk_record_eq(&d.record, &before.record));
}

static void
test_blobs_and_extremes(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record m = LK_RECORD_INIT(manufacturer);
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record got = LK_RECORD_INIT(manufacturer);
	uint8_t *big = calloc(1, LK_ANCHORS_MAX);

	(void)state;
	assert_non_null(big);
	memset(big, 0xa5, LK_ANCHORS_MAX);
	big[1] = 0;
	set(m.id, "acme");
	memset(m.name, 'n', sizeof m.name - 1);
	m.allow_tls12 = true;
	m.created_at = INT64_MIN;
	assert_true(lk_blob_set(&m.anchors, lk_slice(big, LK_ANCHORS_MAX), &e).ok);
	free(big);
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(lk_store_insert(s, &m.record, &e).ok);
	assert_true(lk_store_commit(s, &e).ok);
	set(got.id, "acme");
	assert_true(lk_store_get(s, LK_MANUFACTURER_BY_ID, &got.record, &e).ok);
	assert_true(lk_record_eq(&m.record, &got.record));

	/* What is in the store is a copy, and an empty blob comes back empty. */
	assert_true(lk_blob_set(&m.anchors, LK_SLICE_LIT(""), &e).ok);
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(lk_store_put(s, &m.record, &e).ok);
	assert_true(lk_store_commit(s, &e).ok);
	assert_true(lk_store_get(s, LK_MANUFACTURER_BY_ID, &got.record, &e).ok);
	assert_int_equal(got.anchors.n, 0);
	assert_null(got.anchors.p);
}

static void
test_maxima(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record c = LK_RECORD_INIT(certificate);
	struct lk_device_record d = device(1);

	(void)state;
	assert_true(lk_store_begin(s, &e).ok);
	memset(d.serial, 'x', sizeof d.serial); /* without a NUL */
	assert_refused(lk_store_insert(s, &d.record, &e), e, LK_R_TOO_LARGE);
	assert_refused(lk_store_get(s, LK_DEVICE_BY_SERIAL, &d.record, &e), e, LK_R_TOO_LARGE);
	c.der.p = calloc(1, LK_DER_MAX + 1);
	c.der.n = LK_DER_MAX + 1;
	assert_refused(lk_store_insert(s, &c.record, &e), e, LK_R_TOO_LARGE);
	c.der.n = LK_DER_MAX;
	assert_true(lk_store_insert(s, &c.record, &e).ok);
	lk_store_rollback(s);
	assert_int_equal(count_devices(), 0);
}

static void
test_unique(void **state)
{
	struct lk_device_record d = device(2), got = device(2);

	(void)state;
	insert_devices(1, 2);
	assert_true(lk_store_begin(s, &e).ok);
	/* The key is taken. */
	set(d.serial, "other");
	assert_refused(lk_store_insert(s, &d.record, &e), e, LK_R_RECORD_EXISTS);
	/* Another unique value is taken: nobody is pushed out, neither by insert nor by put. */
	d = device(2);
	set(d.id, "dev-new");
	assert_refused(lk_store_insert(s, &d.record, &e), e, LK_R_RECORD_EXISTS);
	assert_refused(lk_store_put(s, &d.record, &e), e, LK_R_RECORD_EXISTS);
	d = device(2);
	set(d.serial, "SN000001");
	assert_refused(lk_store_put(s, &d.record, &e), e, LK_R_RECORD_EXISTS);
	/* The same serial of another manufacturer is another device. */
	set(d.id, "dev-new");
	set(d.manufacturer_id, "zeta");
	assert_true(lk_store_put(s, &d.record, &e).ok);
	/* A refused write leaves the transaction as it was. */
	assert_true(lk_store_commit(s, &e).ok);
	assert_int_equal(count_devices(), 3);
	assert_true(lk_store_get(s, LK_DEVICE_BY_ID, &got.record, &e).ok);
	assert_string_equal(got.serial, "SN000002");
}

static void
test_put_replaces(void **state)
{
	struct lk_device_record d = device(2), old = device(2);
	bool found;

	(void)state;
	insert_devices(1, 3);
	assert_true(lk_store_begin(s, &e).ok);
	set(d.serial, "SN-replaced");
	d.state = 9;
	assert_true(lk_store_put(s, &d.record, &e).ok);
	assert_true(lk_store_commit(s, &e).ok);
	assert_int_equal(count_devices(), 3);
	/* Every index follows. */
	assert_true(lk_store_find(s, LK_DEVICE_BY_SERIAL, &old.record, &found, &e).ok);
	assert_false(found);
	lk_record_done(&old);
	set(old.manufacturer_id, "acme");
	set(old.serial, "SN-replaced");
	assert_true(lk_store_get(s, LK_DEVICE_BY_SERIAL, &old.record, &e).ok);
	assert_int_equal(old.state, 9);
}

static void
test_remove(void **state)
{
	struct lk_device_record d = device(2);

	(void)state;
	insert_devices(1, 3);
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(lk_store_remove(s, &d.record, &e).ok);
	assert_refused(lk_store_remove(s, &d.record, &e), e, LK_R_NO_RECORD);
	assert_true(lk_store_commit(s, &e).ok);
	assert_false(has_device(2));
	assert_true(has_device(1));
	assert_true(has_device(3));
}

static void
test_rollback(void **state)
{
	struct lk_device_record d = device(1), got = device(1);

	(void)state;
	insert_devices(1, 3);
	assert_true(lk_store_begin(s, &e).ok);
	d.state = 77;
	assert_true(lk_store_put(s, &d.record, &e).ok);
	assert_true(lk_store_put(s, &d.record, &e).ok);
	d = device(2);
	assert_true(lk_store_remove(s, &d.record, &e).ok);
	d = device(4);
	assert_true(lk_store_insert(s, &d.record, &e).ok);
	/* Its own writes are what a transaction reads. */
	assert_true(has_device(4));
	assert_false(has_device(2));
	lk_store_rollback(s);
	lk_store_rollback(s); /* harmless */
	assert_int_equal(count_devices(), 3);
	assert_true(has_device(2));
	assert_false(has_device(4));
	assert_true(lk_store_get(s, LK_DEVICE_BY_ID, &got.record, &e).ok);
	assert_int_equal(got.state, 1);
}

static void
test_savepoints(void **state)
{
	struct lk_device_record d;

	(void)state;
	assert_true(lk_store_begin(s, &e).ok);
	for (int n = 1; n <= 6; n++) {
		assert_true(lk_store_savepoint(s, &e).ok);
		d = device(n);
		assert_true(lk_store_insert(s, &d.record, &e).ok);
		d = device(100 + n);
		assert_true(lk_store_insert(s, &d.record, &e).ok);
		/* A refused request takes back what it wrote, and only that. */
		if (n % 2)
			assert_true(lk_store_release(s, &e).ok);
		else
			assert_true(lk_store_rollback_to(s, &e).ok);
	}
	assert_true(lk_store_commit(s, &e).ok);
	assert_int_equal(count_devices(), 6);
	for (int n = 1; n <= 6; n++)
		assert_int_equal(has_device(n), n % 2);

	/* A savepoint that was kept goes with its transaction. */
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(lk_store_savepoint(s, &e).ok);
	d = device(50);
	assert_true(lk_store_insert(s, &d.record, &e).ok);
	assert_true(lk_store_release(s, &e).ok);
	assert_true(lk_store_savepoint(s, &e).ok);
	lk_store_rollback(s);
	assert_false(has_device(50));
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(lk_store_commit(s, &e).ok);
}

static void
test_order_of_calls(void **state)
{
	struct lk_device_record d = device(1);
	struct lk_scan scan = { .index = LK_RUN_BY_ID };
	bool found = true;

	(void)state;
	assert_refused(lk_store_commit(s, &e), e, LK_R_BUG);
	assert_refused(lk_store_savepoint(s, &e), e, LK_R_BUG);
	assert_refused(lk_store_release(s, &e), e, LK_R_BUG);
	assert_refused(lk_store_rollback_to(s, &e), e, LK_R_BUG);
	assert_refused(lk_store_insert(s, &d.record, &e), e, LK_R_BUG);
	assert_refused(lk_store_put(s, &d.record, &e), e, LK_R_BUG);
	assert_refused(lk_store_remove(s, &d.record, &e), e, LK_R_BUG);
	assert_refused(lk_store_erase(s, &d.record, &e), e, LK_R_BUG);
	assert_true(lk_store_begin(s, &e).ok);
	assert_refused(lk_store_begin(s, &e), e, LK_R_BUG);
	assert_refused(lk_store_purge(s, &e), e, LK_R_BUG);
	assert_true(lk_store_savepoint(s, &e).ok);
	assert_refused(lk_store_savepoint(s, &e), e, LK_R_BUG);
	assert_refused(lk_store_commit(s, &e), e, LK_R_BUG);
	lk_store_rollback(s);

	/* A record of another kind, an index that is not unique. */
	assert_refused(lk_store_next(s, &scan, &d.record, &found, &e), e, LK_R_BUG);
	assert_refused(lk_store_find(s, LK_DEVICE_BY_STATE, &d.record, &found, &e), e, LK_R_BUG);
	assert_true(found);
	assert_false(scan.after);
}

static void
test_records_of_the_other_program(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_owner_record o = LK_RECORD_INIT(owner);

	(void)state;
	assert_true(lk_store_begin(s, &e).ok);
	assert_refused(lk_store_insert(s, &o.record, &e), e, LK_R_BUG);
	assert_refused(lk_store_get(s, LK_OWNER_BY_ID, &o.record, &e), e, LK_R_BUG);
}

/* Walks and writes down the numbers of the ids seen. */
static void
walk(struct lk_scan scan, struct lk_device_record d, const char *want)
{
	char got[256] = "";
	bool found;

	for (;;) {
		assert_true(lk_store_next(s, &scan, &d.record, &found, &e).ok);
		if (!found)
			break;
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s ",
			d.id + strspn(d.id, "dev-0"));
	}
	assert_string_equal(got, want);
}
static void
test_walks(void **state)
{
	struct lk_device_record from = device(4);
	struct lk_device_record none = LK_RECORD_INIT(device);

	(void)state;
	insert_devices(1, 7);
	walk((struct lk_scan){ LK_DEVICE_BY_ID, 0, false, false }, none, "1 2 3 4 5 6 7 ");
	walk((struct lk_scan){ LK_DEVICE_BY_ID, 0, true, false }, none, "7 6 5 4 3 2 1 ");
	/* On from a remembered record, both ways; the record need not exist. */
	walk((struct lk_scan){ LK_DEVICE_BY_ID, 0, false, true }, from, "5 6 7 ");
	walk((struct lk_scan){ LK_DEVICE_BY_ID, 0, true, true }, from, "3 2 1 ");
	walk((struct lk_scan){ LK_DEVICE_BY_ID, 0, false, true }, device(99), "");
	/* A prefix; ties are broken by the key. */
	walk((struct lk_scan){ LK_DEVICE_BY_ADMISSION, 1, false, false }, device(1), "1 3 5 7 ");
	walk((struct lk_scan){ LK_DEVICE_BY_ADMISSION, 1, true, false }, device(2), "6 4 2 ");
	walk((struct lk_scan){ LK_DEVICE_BY_ADMISSION, 1, false, true }, device(3), "5 7 ");
	walk((struct lk_scan){ LK_DEVICE_BY_ADMISSION, 1, true, true }, device(3), "1 ");
	/* A number as first column, then the key. */
	walk((struct lk_scan){ LK_DEVICE_BY_STATE, 0, false, false }, none, "3 6 1 4 7 2 5 ");
	walk((struct lk_scan){ LK_DEVICE_BY_STATE, 0, true, false }, none, "5 2 7 4 1 6 3 ");
	/* One of two columns of a unique index, and both. */
	walk((struct lk_scan){ LK_DEVICE_BY_SERIAL, 1, false, true }, device(5), "6 7 ");
	walk((struct lk_scan){ LK_DEVICE_BY_SERIAL, 2, false, false }, device(5), "5 ");
	walk((struct lk_scan){ LK_DEVICE_BY_SERIAL, 2, false, true }, device(5), "");
}

static void
test_numbers_are_ordered_as_numbers(void **state)
{
	static const int64_t states[] = { 10, -1, INT64_MAX, 0, 9, INT64_MIN };
	struct lk_device_record d;
	unsigned i;

	(void)state;
	assert_true(lk_store_begin(s, &e).ok);
	for (i = 0; i < LK_ARRAY_LEN(states); i++) {
		d = device((int)i + 1);
		d.state = states[i];
		assert_true(lk_store_insert(s, &d.record, &e).ok);
	}
	lk_record_done(&d);
	walk((struct lk_scan){ LK_DEVICE_BY_STATE, 0, false, false }, d, "6 2 4 5 1 3 ");
	d.state = 1;
	walk((struct lk_scan){ LK_DEVICE_BY_STATE, 0, false, true }, d, "5 1 3 ");
	walk((struct lk_scan){ LK_DEVICE_BY_STATE, 0, true, true }, d, "4 2 6 ");
}

static void
test_text_is_ordered_by_bytes(void **state)
{
	static const char *const names[] = { "b", "B", "a", "\xc3\xa9", "", "aa" };
	struct lk_device_record d;
	unsigned i;

	(void)state;
	assert_true(lk_store_begin(s, &e).ok);
	for (i = 0; i < LK_ARRAY_LEN(names); i++) {
		d = device((int)i + 1);
		set(d.admission, "%s", names[i]);
		assert_true(lk_store_insert(s, &d.record, &e).ok);
	}
	lk_record_done(&d);
	walk((struct lk_scan){ LK_DEVICE_BY_ADMISSION, 0, false, false }, d, "5 2 3 6 1 4 ");
}

static void
test_writing_while_walking(void **state)
{
	struct lk_device_record d = device(1);
	struct lk_scan scan = { .index = LK_DEVICE_BY_ADMISSION, .prefix = 1 };
	bool found;

	(void)state;
	insert_devices(1, 8);
	assert_true(lk_store_begin(s, &e).ok);
	while (lk_store_next(s, &scan, &d.record, &found, &e).ok && found)
		assert_true(lk_store_remove(s, &d.record, &e).ok);
	assert_true(lk_store_commit(s, &e).ok);
	assert_int_equal(count_devices(), 4);
	assert_false(has_device(1) || has_device(3) || has_device(5) || has_device(7));
}

static void
test_count(void **state)
{
	struct lk_device_record d = device(1);
	int64_t n;

	(void)state;
	insert_devices(1, 9);
	assert_int_equal(count_devices(), 9);
	assert_true(lk_store_count(s, LK_DEVICE_BY_ADMISSION, 1, &d.record, &n, &e).ok);
	assert_int_equal(n, 5);
	set(d.admission, "denied");
	assert_true(lk_store_count(s, LK_DEVICE_BY_ADMISSION, 1, &d.record, &n, &e).ok);
	assert_int_equal(n, 0);
}

static void
test_append_only(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	LK_CLEANUP(lk_record_done) struct lk_event_record got = LK_RECORD_INIT(event);

	(void)state;
	ev.seq = 1;
	set(ev.type, "test");
	assert_true(lk_blob_set(&ev.payload, LK_SLICE_LIT("{}"), &e).ok);
	assert_true(lk_blob_set(&ev.commitment, LK_SLICE_LIT("c"), &e).ok);
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(lk_store_insert(s, &ev.record, &e).ok);
	set(ev.type, "changed");
	assert_refused(lk_store_put(s, &ev.record, &e), e, LK_R_BUG);
	assert_refused(lk_store_remove(s, &ev.record, &e), e, LK_R_BUG);
	assert_refused(lk_store_insert(s, &ev.record, &e), e, LK_R_RECORD_EXISTS);
	/* Its personal columns can go, nothing else. */
	assert_true(lk_store_erase(s, &ev.record, &e).ok);
	assert_true(lk_store_commit(s, &e).ok);
	set(got.record.node_id, "node-1");
	got.seq = 1;
	assert_true(lk_store_get(s, LK_EVENT_BY_SEQ, &got.record, &e).ok);
	assert_string_equal(got.type, "test");
	assert_int_equal(got.payload.n, 0);
	assert_int_equal(got.commitment.n, 1);
}

static void
test_erase(void **state)
{
	struct lk_device_record d = device(1);

	(void)state;
	insert_devices(1, 2);
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(lk_store_erase(s, &d.record, &e).ok);
	d = device(3);
	assert_refused(lk_store_erase(s, &d.record, &e), e, LK_R_NO_RECORD);
	assert_true(lk_store_commit(s, &e).ok);
	assert_true(lk_store_purge(s, &e).ok);
	d = device(1);
	assert_true(lk_store_get(s, LK_DEVICE_BY_ID, &d.record, &e).ok);
	assert_string_equal(d.local_name, "");
	assert_string_equal(d.serial, "SN000001");
	d = device(2);
	assert_true(lk_store_get(s, LK_DEVICE_BY_ID, &d.record, &e).ok);
	assert_string_equal(d.local_name, "lamp of room 2");
}

/* Every kind through every operation: what the back end makes of the tables is sound. */
static void
test_every_kind_and_index(void **state)
{
	LK_CLEANUP(lk_record_freep) struct lk_record *r = NULL;
	unsigned i, prefix, how;
	int64_t n;
	bool found;

	(void)state;
	for (i = 0; i < LK_INDEX_COUNT; i++) {
		enum lk_kind kind = lk_indexes[i].kind;

		if (!(lk_record_types[kind].stores & LK_STORE_NOC))
			continue;
		r = lk_record_free(r);
		assert_true(lk_record_new(kind, &r, &e).ok);
		for (prefix = 0; prefix <= lk_indexes[i].n; prefix++) {
			for (how = 0; how < 4; how++) {
				struct lk_scan scan = { (enum lk_index)i, prefix, how & 1,
					how & 2 };

				if (!lk_store_next(s, &scan, r, &found, &e).ok)
					fail_msg("%s: %s", lk_indexes[i].name, e.msg);
				assert_false(found);
			}
			assert_true(lk_store_count(s, (enum lk_index)i, prefix, r, &n, &e).ok);
			assert_int_equal(n, 0);
		}
	}
	assert_true(lk_store_begin(s, &e).ok);
	for (i = 0; i < LK_KIND_COUNT; i++) {
		if (!(lk_record_types[i].stores & LK_STORE_NOC))
			continue;
		r = lk_record_free(r);
		assert_true(lk_record_new((enum lk_kind)i, &r, &e).ok);
		if (!lk_store_insert(s, r, &e).ok)
			fail_msg("%s", e.msg);
		if (!lk_record_types[i].append_only) {
			assert_true(lk_store_put(s, r, &e).ok);
			assert_true(lk_store_remove(s, r, &e).ok);
		}
	}
	assert_true(lk_store_commit(s, &e).ok);
}

#define contract(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		contract(test_insert_and_get),
		contract(test_none_is_found),
		contract(test_blobs_and_extremes),
		contract(test_maxima),
		contract(test_unique),
		contract(test_put_replaces),
		contract(test_remove),
		contract(test_rollback),
		contract(test_savepoints),
		contract(test_order_of_calls),
		contract(test_records_of_the_other_program),
		contract(test_walks),
		contract(test_numbers_are_ordered_as_numbers),
		contract(test_text_is_ordered_by_bytes),
		contract(test_writing_while_walking),
		contract(test_count),
		contract(test_append_only),
		contract(test_erase),
		contract(test_every_kind_and_index),
	};
	int failed;

	snprintf(dir, sizeof dir, "/tmp/latchkey-store-XXXXXX");
	if (!mkdtemp(dir) || !lk_path_join(dir, "s.db", path, sizeof path, NULL).ok)
		return 1;
	open_store = open_memory;
	failed = cmocka_run_group_tests_name("memory", tests, NULL, NULL);
	open_store = open_sqlite;
	failed += cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
	lk_ignore(lk_file_remove(path, NULL));
	rmdir(dir);
	return failed;
}
