/* SPDX-License-Identifier: Apache-2.0
 *
 * The change stream: who is told what, when, and what is told to nobody.
 */
#include "keeper_cast.h"

/* What the desk was told since it was looked at. */
struct follower {
	unsigned kinds;   /* bit per enum lk_kind that was told */
	unsigned removed; /* likewise, of what is gone */
	int records;
	int64_t live; /* the head, when all was told; 0: not yet */
};

static void
on_told(void *ctx, enum lk_role to, enum lk_body type, struct lk_slice packed)
{
	struct follower *f = ctx;
	union site_body b;
	struct lk_slice record;
	bool more;

	if (to != LK_ROLE_DESK || type == LK_BODY_stream_begin)
		return;
	must_succeed(lk_body_unpack(type, packed, &b, e));
	if (type == LK_BODY_stream_live) {
		f->live = b.as_stream_live.head;
		return;
	}
	assert_int_equal(type, LK_BODY_stream_record);
	for (;;) {
		LK_CLEANUP(lk_record_freep) struct lk_record *r = NULL;

		must_succeed(lk_list_next(&b.as_stream_record.records, &more, &record, e));
		if (!more)
			return;
		must_succeed(lk_record_unpack(record, &r, e));
		f->kinds |= 1u << r->type->kind;
		if (b.as_stream_record.removed)
			f->removed |= 1u << r->type->kind;
		f->records++;
	}
}

/* As the keeper's process does whenever its loop turns. */
static void
feed(struct site *s)
{
	bool more = true;

	while (more)
		must_succeed(lk_keeper_feed(s->keeper, &more, e));
}

static struct lk_result
ask_to_follow(struct site *s, enum lk_role role, struct lk_err *why)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(64);
	const struct lk_subscribe_body b = { .version = 1 };

	must_succeed(lk_body_pack(LK_BODY_subscribe, &b, &packed, e));
	return lk_turn_receive(s->turn, role, 0, 0, LK_BODY_subscribe, lk_buf_slice(&packed), why);
}

static void
subscribe(struct site *s, struct follower *f)
{
	*f = (struct follower){ .live = 0 };
	s->told = on_told;
	s->told_ctx = f;
	must_succeed(ask_to_follow(s, LK_ROLE_DESK, e));
	must_succeed(lk_turn_flush(s->turn, e));
	feed(s);
}

#define KIND(name) (1u << LK_KIND_##name)

static void
test_desk_is_told_everything_it_shows(void **state)
{
	struct site s;
	struct follower f;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_CONNECTED);
	subscribe(&s, &f);
	assert_int_equal(f.kinds,
		KIND(manufacturer) | KIND(device) | KIND(run) | KIND(certificate) | KIND(event));
	assert_int_equal(f.records, 4 + site_count(&s, LK_KIND_event));
	assert_int_equal(f.live, site_count(&s, LK_KIND_event));
	site_done(&s);
}

/* The RADIUS hook asks about one certificate at a time; the rest is not its business. */
static void
test_only_the_desk_follows(void **state)
{
	struct site s;
	struct lk_err why;

	(void)state;
	site_init(&s, "allow");
	assert_refused(ask_to_follow(&s, LK_ROLE_AAA, &why), why, LK_R_IPC_UNASKED);
	assert_refused(ask_to_follow(&s, LK_ROLE_FRONT, &why), why, LK_R_IPC_UNASKED);
	site_done(&s);
}

static void
test_changes_follow(void **state)
{
	struct site s;
	struct follower f;

	(void)state;
	site_init(&s, "allow");
	subscribe(&s, &f);
	f.kinds = 0;
	site_until(&s, SITE_REQUESTED);
	feed(&s);
	assert_int_equal(f.kinds, KIND(device) | KIND(run) | KIND(event));
	assert_int_equal(f.removed, 0);
	/* what is refused is told as an event, and as nothing else */
	f.kinds = 0;
	f.records = 0;
	site_ask(&s, &s.pki.stranger.chain, LK_EP_BRSKI_REQUESTVOUCHER, LK_SLICE_LIT("x"));
	feed(&s);
	assert_int_equal(f.kinds, KIND(event));
	assert_int_equal(f.records, 1);
	site_done(&s);
}

static void
test_removals_follow(void **state)
{
	struct site s;
	struct follower f;

	(void)state;
	site_init(&s, "allow");
	subscribe(&s, &f);
	assert_int_equal(site_operate(&s, "manufacturer.remove", "{\"manufacturer\":\"vendor\"}"),
		LK_R_NONE);
	feed(&s);
	assert_int_equal(f.removed, KIND(manufacturer));
	site_done(&s);
}

/* Nobody who did not ask is told anything; grants are told to nobody. */
static void
test_nobody_else_is_told(void **state)
{
	struct site s;
	struct follower f = { .live = 0 };

	(void)state;
	site_init(&s, "allow");
	s.told = on_told;
	s.told_ctx = &f;
	site_until(&s, SITE_DONE);
	feed(&s);
	assert_int_equal(f.records, 0);
	subscribe(&s, &f);
	f.kinds = 0;
	site_grant(&s, SITE_PORT, SITE_MAC);
	feed(&s);
	assert_int_equal(f.kinds, KIND(event));
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_desk_is_told_everything_it_shows),
		cmocka_unit_test(test_only_the_desk_follows),
		cmocka_unit_test(test_changes_follow),
		cmocka_unit_test(test_removals_follow),
		cmocka_unit_test(test_nobody_else_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
