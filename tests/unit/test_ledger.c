/* SPDX-License-Identifier: Apache-2.0
 *
 * The chain of events: it verifies, a change of anything breaks it at the event
 * changed, an erased payload does not, and a store that lost its tail is found
 * out by the head that was signed.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/digest.h"
#include "store/backend.h"
#include "store/ledger.h"

#define EVENTS 8

static const struct lk_origin origin = { "site-1", "node-1" };
static struct lk_store *s;
static struct lk_err e;

static void
counting_fill(const struct lk_random *self, uint8_t *p, size_t n)
{
	static uint8_t next;

	(void)self;
	while (n--)
		*p++ = next++;
}

static const struct lk_random counting = { counting_fill };

#define set(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

static struct lk_result
append(int n, struct lk_event_record *ev)
{
	char json[64];

	ev->at = 1700000000 + n;
	set(ev->type, "device-onboarded");
	set(ev->device_id, "dev-%d", n % 2);
	set(ev->run_id, "run-%d", n);
	set(ev->actor, "keeper");
	set(ev->reason, "none");
	set(ev->clause, "RFC 8995 5.3");
	snprintf(json, sizeof json, "{\"name\":\"lamp %d\"}", n);
	LK_TRY(lk_blob_set(&ev->payload, lk_slice_str(json), &e));
	return lk_ledger_append(s, &counting, ev, &e);
}

static int
setup(void **state)
{
	int n;

	(void)state;
	assert_true(lk_store_open_memory(LK_STORE_NOC, &origin, &s, &e).ok);
	assert_true(lk_store_begin(s, &e).ok);
	for (n = 1; n <= EVENTS; n++) {
		LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);

		assert_true(append(n, &ev).ok);
		assert_int_equal(ev.seq, n);
	}
	assert_true(lk_store_commit(s, &e).ok);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	s = lk_store_close(s);
	return 0;
}

static void
load(int64_t seq, struct lk_event_record *ev)
{
	set(ev->record.node_id, "node-1");
	ev->seq = seq;
	assert_true(lk_store_get(s, LK_EVENT_BY_SEQ, &ev->record, &e).ok);
}

/* Past the store's own rules, as somebody would who has the file. */
static void
force(enum lk_write how, const struct lk_event_record *ev)
{
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(s->ops->write(s, how, &ev->record, &e).ok);
	assert_true(lk_store_commit(s, &e).ok);
}

static void
assert_whole(void)
{
	int64_t at = -1;

	if (!lk_ledger_verify(s, "node-1", 1, EVENTS, &at, &e).ok)
		fail_msg("%s", e.msg);
	assert_int_equal(at, -1);
}

static void
assert_broken(int64_t want_at, enum lk_reason want)
{
	int64_t at = -1;

	assert_refused(lk_ledger_verify(s, "node-1", 1, EVENTS, &at, &e), e, want);
	assert_int_equal(at, want_at);
}

static void
put_field(struct lk_buf *b, struct lk_slice in)
{
	const uint8_t n[4] = { 0, 0, 0, (uint8_t)in.n };

	assert_true(lk_buf_append(b, LK_SLICE_ARRAY(n), &e).ok);
	assert_true(lk_buf_append(b, in, &e).ok);
}

/*= Latchkey ledger commitment: SHA-256 over salt and payload =*/
/*= Latchkey ledger hash: over the fields with their lengths, the commitment and the link =*/
static void
test_layout(void **state)
{
	static const uint8_t seq[8] = { 0, 0, 0, 0, 0, 0, 0, 1 };
	static const uint8_t at[8] = { 0, 0, 0, 0, 0x65, 0x53, 0xf1, 0x01 }; /* 1700000001 */
	static const uint8_t zeros[32];
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(1024);
	uint8_t digest[32];

	(void)state;
	/* Once more by hand, from the words of the header. */
	load(1, &ev);
	assert_int_equal(ev.salt.n, LK_LEDGER_SALT_LEN);
	assert_true(lk_buf_append(&b, lk_blob_slice(&ev.salt), &e).ok);
	assert_true(lk_buf_append(&b, LK_SLICE_LIT("{\"name\":\"lamp 1\"}"), &e).ok);
	lk_sha256_of(lk_buf_slice(&b), digest);
	assert_memory_equal(ev.commitment.p, digest, sizeof digest);
	lk_buf_clear(&b);
	put_field(&b, LK_SLICE_LIT("latchkey ledger event v1"));
	put_field(&b, LK_SLICE_LIT("node-1"));
	put_field(&b, LK_SLICE_LIT("site-1"));
	put_field(&b, LK_SLICE_ARRAY(seq));
	put_field(&b, LK_SLICE_ARRAY(at));
	put_field(&b, LK_SLICE_LIT("device-onboarded"));
	put_field(&b, LK_SLICE_LIT("dev-1"));
	put_field(&b, LK_SLICE_LIT("run-1"));
	put_field(&b, LK_SLICE_LIT("keeper"));
	put_field(&b, LK_SLICE_LIT("none"));
	put_field(&b, LK_SLICE_LIT("RFC 8995 5.3"));
	put_field(&b, LK_SLICE_ARRAY(digest));
	put_field(&b, LK_SLICE_ARRAY(zeros));
	lk_sha256_of(lk_buf_slice(&b), digest);
	assert_memory_equal(ev.hash.p, digest, sizeof digest);
}

/*= Latchkey ledger chain: an event names the hash of the one before =*/
static void
test_chain(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record a = LK_RECORD_INIT(event);
	LK_CLEANUP(lk_record_done) struct lk_event_record b = LK_RECORD_INIT(event);
	struct lk_ledger_head head;
	int64_t at = -1;

	(void)state;
	assert_whole();
	load(3, &a);
	load(4, &b);
	assert_true(lk_slice_eq(lk_blob_slice(&b.prev), lk_blob_slice(&a.hash)));
	assert_false(lk_slice_eq(lk_blob_slice(&b.salt), lk_blob_slice(&a.salt)));
	/* In stretches too. */
	assert_true(lk_ledger_verify(s, "node-1", 4, 6, &at, &e).ok);
	assert_true(lk_ledger_head(s, &head, &e).ok);
	assert_int_equal(head.seq, EVENTS);
	/* Another link with everything else recomputed by whoever has the file. */
	b.prev.p[0] ^= 1;
	force(LK_WRITE_PUT, &b);
	assert_broken(4, LK_R_LEDGER_LINK);
	assert_refused(lk_ledger_verify(s, "node-1", 4, 6, &at, &e), e, LK_R_LEDGER_LINK);
	assert_int_equal(at, 4);
}

static void
test_empty(void **state)
{
	struct lk_ledger_head head = { .seq = 9 };
	struct lk_store *filled = s;

	(void)state;
	assert_true(lk_store_open_memory(LK_STORE_NOC, &origin, &s, &e).ok);
	assert_true(lk_ledger_head(s, &head, &e).ok);
	assert_int_equal(head.seq, 0);
	assert_true(lk_ledger_check_rollback(s, &head, &e).ok);
	lk_store_close(s);
	s = filled;
}

static void
test_rolled_back_request_leaves_no_gap(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record refused = LK_RECORD_INIT(event);
	LK_CLEANUP(lk_record_done) struct lk_event_record kept = LK_RECORD_INIT(event);
	int64_t at = -1;

	(void)state;
	assert_refused(lk_ledger_append(s, &counting, &refused, &e), e, LK_R_BUG);
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(lk_store_savepoint(s, &e).ok);
	assert_true(append(90, &refused).ok);
	assert_true(lk_store_rollback_to(s, &e).ok);
	assert_true(lk_store_savepoint(s, &e).ok);
	assert_true(append(91, &kept).ok);
	assert_true(lk_store_release(s, &e).ok);
	assert_true(lk_store_commit(s, &e).ok);
	assert_int_equal(kept.seq, EVENTS + 1);
	assert_true(lk_ledger_verify(s, "node-1", 1, EVENTS + 1, &at, &e).ok);
}

static void
test_each_node_has_its_chain(void **state)
{
	static const struct lk_origin other = { "site-1", "node-2" };
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	int64_t at = -1;

	(void)state;
	s->origin = other;
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(append(1, &ev).ok);
	assert_true(lk_store_commit(s, &e).ok);
	assert_int_equal(ev.seq, 1);
	assert_true(lk_ledger_verify(s, "node-2", 1, 1, &at, &e).ok);
	assert_whole();
}

/* Each column of an event, changed a little by somebody who has the file. */
static void
test_tamper_each_column(void **state)
{
	const struct lk_record_type *t = &lk_record_types[LK_KIND_event];
	unsigned i;

	(void)state;
	for (i = 0; i < t->n_columns; i++) {
		LK_CLEANUP(lk_record_done) struct lk_event_record was = LK_RECORD_INIT(event);
		LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
		const char *name = t->columns[i].name;
		struct lk_value v;
		uint8_t byte[128];
		enum lk_reason want = LK_R_LEDGER_HASH;

		if (strcmp(name, "node_id") == 0 || strcmp(name, "seq") == 0)
			continue; /* the key: see test_lost_event and test_swapped_events */
		load(5, &was);
		load(5, &ev);
		v = lk_record_value(&ev.record, i);
		v.number += v.type == LK_COLUMN_INT;
		assert_in_range(v.bytes.n, v.type != LK_COLUMN_INT, sizeof byte);
		if (v.bytes.n) {
			memcpy(byte, v.bytes.p, v.bytes.n);
			byte[v.bytes.n - 1] ^= 1;
			v.bytes.p = byte;
		}
		assert_true(lk_record_set(&ev.record, i, v, &e).ok);
		force(LK_WRITE_PUT, &ev);
		if (strcmp(name, "prev") == 0)
			want = LK_R_LEDGER_LINK;
		if (strcmp(name, "payload") == 0 || strcmp(name, "salt") == 0)
			want = LK_R_LEDGER_PAYLOAD;
		assert_broken(5, want);
		force(LK_WRITE_PUT, &was);
		assert_whole();
	}
}

static void
test_moved_boundary(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);

	(void)state;
	/* The same characters, one of them in the next field. */
	load(2, &ev);
	set(ev.device_id, "dev-0r");
	set(ev.run_id, "un-2");
	force(LK_WRITE_PUT, &ev);
	assert_broken(2, LK_R_LEDGER_HASH);
}

static void
test_rewritten_event(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record other = LK_RECORD_INIT(event);
	struct lk_store *real = s, *forge;

	(void)state;
	/* An event that is sound in itself, made in a chain of the forger's own. */
	assert_true(lk_store_open_memory(LK_STORE_NOC, &origin, &forge, &e).ok);
	s = forge;
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(append(66, &other).ok);
	s = real;
	lk_store_close(forge);
	force(LK_WRITE_PUT, &other);
	assert_broken(2, LK_R_LEDGER_LINK); /* event 1 is sound, 2 does not follow it */
}

/*= Latchkey ledger sequence: without gap =*/
static void
test_lost_event(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	int64_t at = -1;

	(void)state;
	load(3, &ev);
	force(LK_WRITE_REMOVE, &ev);
	assert_broken(3, LK_R_LEDGER_GAP);
	/* Nor is it hidden by starting just behind it. */
	assert_refused(lk_ledger_verify(s, "node-1", 4, EVENTS, &at, &e), e, LK_R_LEDGER_GAP);
	assert_int_equal(at, 3);
}

static void
test_swapped_events(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record a = LK_RECORD_INIT(event);
	LK_CLEANUP(lk_record_done) struct lk_event_record b = LK_RECORD_INIT(event);
	struct lk_blob link;

	(void)state;
	load(4, &a);
	load(5, &b);
	a.seq = 5;
	b.seq = 4;
	force(LK_WRITE_PUT, &a);
	force(LK_WRITE_PUT, &b);
	assert_broken(4, LK_R_LEDGER_LINK);
	/* With the links swapped too, the hash gives it away: it covers the number. */
	link = a.prev;
	a.prev = b.prev;
	b.prev = link;
	force(LK_WRITE_PUT, &a);
	force(LK_WRITE_PUT, &b);
	assert_broken(4, LK_R_LEDGER_HASH);
}

/*= Latchkey ledger erasure: the chain verifies without the payload =*/
static void
test_erase(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);

	(void)state;
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(lk_ledger_erase(s, 3, &e).ok);
	assert_refused(lk_ledger_erase(s, EVENTS + 1, &e), e, LK_R_NO_RECORD);
	assert_true(lk_store_commit(s, &e).ok);
	load(3, &ev);
	assert_int_equal(ev.payload.n, 0);
	assert_int_equal(ev.salt.n, 0); /* or payloads could be tried against the commitment */
	assert_int_equal(ev.commitment.n, 32);
	assert_whole();
	/* Another payload cannot take its place. */
	assert_true(lk_blob_set(&ev.payload, LK_SLICE_LIT("{}"), &e).ok);
	force(LK_WRITE_PUT, &ev);
	assert_broken(3, LK_R_LEDGER_PAYLOAD);
}

/*= SEC-20: all post-manufacture information deletable by authorized personnel =*/
static void
test_erase_device(void **state)
{
	int64_t n = -1, seq;

	(void)state;
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(lk_ledger_erase_device(s, "dev-1", &n, &e).ok);
	assert_true(lk_store_commit(s, &e).ok);
	assert_int_equal(n, EVENTS / 2);
	for (seq = 1; seq <= EVENTS; seq++) {
		LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);

		load(seq, &ev);
		assert_int_equal(ev.payload.n == 0, seq % 2);
	}
	assert_whole();
}

/*= Latchkey ledger checkpoint: the store holds the head that was signed =*/
static void
test_rollback_is_found_out(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	struct lk_ledger_head head, past;
	int64_t at = -1;

	(void)state;
	assert_true(lk_ledger_head(s, &head, &e).ok);
	assert_true(lk_ledger_check_rollback(s, &head, &e).ok);
	load(6, &ev);
	past.seq = 6;
	memcpy(past.hash, ev.hash.p, sizeof past.hash);
	assert_true(lk_ledger_check_rollback(s, &past, &e).ok);

	/* The last event is cut off: the chain cannot tell, the signed head can. */
	load(EVENTS, &ev);
	force(LK_WRITE_REMOVE, &ev);
	assert_true(lk_ledger_verify(s, "node-1", 1, EVENTS - 1, &at, &e).ok);
	assert_refused(lk_ledger_check_rollback(s, &head, &e), e, LK_R_LEDGER_ROLLBACK);
	assert_true(lk_ledger_check_rollback(s, &past, &e).ok);

	/* Then goes on another way. */
	assert_true(lk_store_begin(s, &e).ok);
	lk_record_done(&ev);
	assert_true(append(77, &ev).ok);
	assert_true(lk_store_commit(s, &e).ok);
	assert_refused(lk_ledger_check_rollback(s, &head, &e), e, LK_R_LEDGER_FORK);
}

#define on_a_ledger(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_ledger(test_layout),
		on_a_ledger(test_chain),
		on_a_ledger(test_empty),
		on_a_ledger(test_rolled_back_request_leaves_no_gap),
		on_a_ledger(test_each_node_has_its_chain),
		on_a_ledger(test_tamper_each_column),
		on_a_ledger(test_moved_boundary),
		on_a_ledger(test_rewritten_event),
		on_a_ledger(test_lost_event),
		on_a_ledger(test_swapped_events),
		on_a_ledger(test_erase),
		on_a_ledger(test_erase_device),
		on_a_ledger(test_rollback_is_found_out),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
