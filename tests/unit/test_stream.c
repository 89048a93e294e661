/* SPDX-License-Identifier: Apache-2.0
 *
 * The change stream and a follower that reads as it likes: its copy is the
 * keeper's store in the end, whatever changed while it was told, and no more waits
 * for it than is allowed.
 */
#include <stdio.h>
#include <string.h>

#include "keeper_cast.h"

enum { FLEET = 6000, QUEUE = 8 };

struct message {
	enum lk_body type;
	struct lk_buf packed;
};

/* The follower: a queue in front of it, and what it made of what it read. */
static struct follower {
	struct site site;
	struct message queue[QUEUE];
	size_t queued, most; /* that it lets wait */
	struct lk_store *copy;
	unsigned begins, messages;
	bool live;
	int64_t head; /* as stream_live said */
	uint32_t chance;
} f;

static uint32_t
chance(uint32_t below)
{
	f.chance = f.chance * 1664525 + 1013904223;
	return (f.chance >> 8) % below;
}

/* --- the queue -------------------------------------------------------------------------------- */

static void
set_room(void)
{
	f.site.told_room = f.most - f.queued;
}

static void
queue_up(void *ctx, enum lk_role to, enum lk_body type, struct lk_slice packed)
{
	struct message *m = &f.queue[f.queued];

	(void)ctx;
	if (to != LK_ROLE_DESK)
		return;
	assert_true(f.queued < f.most);
	assert_false(lk_turn_is_open(f.site.turn));
	*m = (struct message){ type, LK_BUF_INIT(lk_body_max(type)) };
	must_succeed(lk_buf_append(&m->packed, packed, e));
	f.queued++;
	f.messages++;
	set_room();
}

/* --- the copy --------------------------------------------------------------------------------- */

static void
begin_anew(void)
{
	const struct lk_origin origin = { "copy", "copy" };

	lk_store_close(f.copy);
	must_succeed(lk_store_open_memory(LK_STORE_NOC, &origin, &f.copy, e));
	f.begins++;
	f.live = false;
}

/* A device is never told as it was earlier; an event is told once. */
static void
apply(struct lk_record *r, bool removed)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record was = LK_RECORD_INIT(device);
	bool found;

	assert_true(f.begins > 0);
	if (removed) {
		must_succeed(lk_store_remove(f.copy, r, e));
		return;
	}
	if (r->type->append_only) {
		must_succeed(lk_store_insert(f.copy, r, e));
		return;
	}
	if (r->type->kind == LK_KIND_device) {
		memcpy(was.id, LK_RECORD_AS(device, r)->id, sizeof was.id);
		must_succeed(lk_store_find(f.copy, LK_DEVICE_BY_ID, &was.record, &found, e));
		assert_true(!found || LK_RECORD_AS(device, r)->changed_at >= was.changed_at);
	}
	must_succeed(lk_store_put(f.copy, r, e));
}

static void
apply_all(struct lk_slice packed)
{
	struct lk_stream_record_body b;
	struct lk_slice item;
	bool more;

	must_succeed(lk_body_unpack(LK_BODY_stream_record, packed, &b, e));
	must_succeed(lk_store_begin(f.copy, e));
	for (;;) {
		LK_CLEANUP(lk_record_freep) struct lk_record *r = NULL;

		must_succeed(lk_list_next(&b.records, &more, &item, e));
		if (!more)
			break;
		must_succeed(lk_record_unpack(item, &r, e));
		apply(r, b.removed);
	}
	must_succeed(lk_store_commit(f.copy, e));
}

static void
read_one(void)
{
	struct message m = f.queue[0];
	struct lk_stream_live_body live;

	memmove(f.queue, f.queue + 1, --f.queued * sizeof m);
	set_room();
	if (m.type == LK_BODY_stream_begin)
		begin_anew();
	if (m.type == LK_BODY_stream_record)
		apply_all(lk_buf_slice(&m.packed));
	if (m.type == LK_BODY_stream_live) {
		must_succeed(lk_body_unpack(m.type, lk_buf_slice(&m.packed), &live, e));
		f.live = true;
		f.head = live.head;
	}
	lk_buf_done(&m.packed);
}

/* --- what happens ----------------------------------------------------------------------------- */

/* As the keeper's host: the end of a turn, then the stream as far as it is taken. */
static void
feed(void)
{
	bool more = true;

	must_succeed(lk_turn_flush(f.site.turn, e));
	while (more)
		must_succeed(lk_keeper_feed(f.site.keeper, &more, e));
}

static void
read_all(void)
{
	feed();
	while (f.queued) {
		read_one();
		feed();
	}
}

static void
subscribe(void)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(64);
	const struct lk_subscribe_body b = { .version = 1 };

	must_succeed(lk_body_pack(LK_BODY_subscribe, &b, &packed, e));
	must_succeed(lk_turn_receive(
		f.site.turn, LK_ROLE_DESK, 0, 0, LK_BODY_subscribe, lk_buf_slice(&packed), e));
}

static void
name_device(struct lk_device_record *d, unsigned n)
{
	snprintf(d->id, sizeof d->id, "dev-%05u", n);
	set_text(d->manufacturer_id, SITE_VENDOR);
	snprintf(d->serial, sizeof d->serial, "%05u", n);
}

/* Changes one device: it is made, altered or removed, by what is there. */
static void
change_device(unsigned n)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	static int64_t clock;
	bool found;

	name_device(&d, n);
	must_succeed(lk_store_find(f.site.store, LK_DEVICE_BY_ID, &d.record, &found, e));
	if (found && chance(3) == 0) {
		must_succeed(lk_turn_remove(f.site.turn, &d.record, e));
		return;
	}
	d.changed_at = ++clock;
	must_succeed(lk_turn_put(f.site.turn, &d.record, e));
}

static void
add_event(size_t payload)
{
	static const uint8_t zeros[LK_PAYLOAD_MAX];
	struct lk_event ev = { .type = "test", .actor = "test", .payload = { zeros, payload } };

	must_succeed(lk_turn_event(f.site.turn, &ev, NULL, e));
}

/* One turn of the loop in which things change. */
static void
change_something(void)
{
	unsigned i, n = chance(4);

	must_succeed(lk_turn_begin(f.site.turn, e));
	for (i = 0; i < n; i++)
		change_device(chance(2 * FLEET));
	add_event(0);
}

static void
make_fleet(void)
{
	unsigned n;

	must_succeed(lk_store_begin(f.site.store, e));
	for (n = 0; n < FLEET; n++) {
		LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);

		name_device(&d, 2 * n);
		must_succeed(lk_store_insert(f.site.store, &d.record, e));
	}
	must_succeed(lk_store_commit(f.site.store, e));
}

/* Both have the same records of a kind. */
static void
assert_same(enum lk_kind kind, enum lk_index index)
{
	LK_CLEANUP(lk_record_freep) struct lk_record *a = NULL;
	LK_CLEANUP(lk_record_freep) struct lk_record *b = NULL;
	struct lk_scan sa = { .index = index }, sb = { .index = index };
	bool more = true, also;

	must_succeed(lk_record_new(kind, &a, e));
	must_succeed(lk_record_new(kind, &b, e));
	while (more) {
		must_succeed(lk_store_next(f.site.store, &sa, a, &more, e));
		must_succeed(lk_store_next(f.copy, &sb, b, &also, e));
		assert_int_equal(more, also);
		assert_true(!more || lk_record_eq(a, b));
	}
}

static void
assert_in_step(void)
{
	assert_true(f.live);
	assert_same(LK_KIND_manufacturer, LK_MANUFACTURER_BY_ID);
	assert_same(LK_KIND_device, LK_DEVICE_BY_ID);
	assert_same(LK_KIND_event, LK_EVENT_BY_SEQ);
}

static int
setup(void **state)
{
	(void)state;
	f = (struct follower){ .chance = 1, .most = QUEUE };
	site_init(&f.site, "deny");
	f.site.told = queue_up;
	set_room();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	while (f.queued)
		lk_buf_done(&f.queue[--f.queued].packed);
	lk_store_close(f.copy);
	site_done(&f.site);
	return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

/*= Latchkey stream: told only as fast as it is read =*/
static void
test_waits_for_its_reader(void **state)
{
	int64_t head;
	unsigned n;

	(void)state;
	make_fleet();
	subscribe();
	for (n = 0; n < 20; n++)
		feed();
	assert_int_equal(f.queued, QUEUE);
	assert_int_equal(f.messages, QUEUE);
	read_one();
	feed();
	assert_int_equal(f.messages, QUEUE + 1);
	read_all();
	assert_int_equal(f.begins, 1);
	assert_in_step();
	head = f.head;
	/* Nothing changed: nothing is told. */
	n = f.messages;
	feed();
	assert_int_equal(f.messages, n);
	assert_int_equal(f.head, head);
}

/*= Latchkey stream: what changes behind the walk is told again, what changes ahead of it once =*/
/*= Latchkey stream: told only as fast as it is read =*/
static void
test_changes_while_it_is_told(void **state)
{
	unsigned n, i;

	(void)state;
	make_fleet();
	subscribe();
	for (n = 0; !f.live; n++) {
		assert_true(n < FLEET);
		change_something();
		feed();
		for (i = chance(4); i && f.queued; i--)
			read_one();
	}
	assert_true(n > 10); /* it took its time */
	for (n = 0; n < 500; n++) {
		change_something();
		feed();
		if (chance(2) && f.queued)
			read_one();
	}
	read_all();
	assert_int_equal(f.begins, 1);
	assert_in_step();
}

/* At the very place where the walk stands: that record was told. */
static void
test_change_where_the_walk_stands(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record last = LK_RECORD_INIT(device);
	struct lk_scan scan = { .index = LK_DEVICE_BY_ID, .descending = true };
	bool found;

	(void)state;
	make_fleet();
	subscribe();
	f.most = 2; /* the beginning, and a batch */
	set_room();
	feed();
	read_one();
	read_one();
	must_succeed(lk_store_next(f.copy, &scan, &last.record, &found, e));
	assert_true(found);
	must_succeed(lk_turn_begin(f.site.turn, e));
	last.changed_at = 7;
	must_succeed(lk_turn_put(f.site.turn, &last.record, e));
	read_all();
	assert_in_step();
}

/*= Latchkey stream: a follower that is too far behind is told everything anew =*/
static void
test_too_far_behind(void **state)
{
	unsigned n;

	(void)state;
	make_fleet();
	subscribe();
	read_all();
	f.most = 0;
	set_room();
	for (n = 0; n < 700; n++) { /* 11 MB */
		must_succeed(lk_turn_begin(f.site.turn, e));
		add_event(LK_PAYLOAD_MAX);
		change_device(chance(2 * FLEET));
		feed();
	}
	assert_int_equal(f.begins, 1);
	f.most = QUEUE;
	set_room();
	read_all();
	assert_int_equal(f.begins, 2);
	assert_in_step();
}

/* It went away in the middle: nothing is kept for it, and it begins anew when it is back. */
static void
test_follower_that_died(void **state)
{
	struct lk_err e;
	unsigned n;
	bool more;

	(void)state;
	make_fleet();
	subscribe();
	feed();
	while (f.queued)
		lk_buf_done(&f.queue[--f.queued].packed);
	set_room();
	f.site.told_gone = true;
	assert_refused(lk_keeper_feed(f.site.keeper, &more, &e), e, LK_R_IPC_GONE);
	assert_false(more);
	f.site.told_gone = false;
	n = f.messages;
	change_something();
	feed();
	assert_int_equal(f.messages, n);
	subscribe();
	read_all();
	assert_in_step();
}

/* What is told is committed: not in the middle of a turn. */
static void
test_nothing_uncommitted_is_told(void **state)
{
	struct lk_err e;
	bool more;

	(void)state;
	subscribe();
	assert_refused(lk_keeper_feed(f.site.keeper, &more, &e), e, LK_R_BUG);
	assert_int_equal(f.messages, 0);
	read_all();
	assert_in_step();
}

#define with_a_follower(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_a_follower(test_waits_for_its_reader),
		with_a_follower(test_changes_while_it_is_told),
		with_a_follower(test_change_where_the_walk_stands),
		with_a_follower(test_too_far_behind),
		with_a_follower(test_follower_that_died),
		with_a_follower(test_nothing_uncommitted_is_told),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
