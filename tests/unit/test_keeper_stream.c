/* SPDX-License-Identifier: Apache-2.0
 *
 * The change stream: who is told what, when, and what is told to nobody.
 */
#include "keeper_cast.h"

/* What a role was told since it was looked at. */
struct follower {
	enum lk_role role;
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

	if (to != f->role)
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

static void
subscribe(struct site *s, struct follower *f, enum lk_role role)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(64);
	const struct lk_subscribe_body b = { .version = 1 };

	*f = (struct follower){ .role = role };
	s->told = on_told;
	s->told_ctx = f;
	must_succeed(lk_body_pack(LK_BODY_subscribe, &b, &packed, e));
	must_succeed(
		lk_turn_receive(s->turn, role, 0, 0, LK_BODY_subscribe, lk_buf_slice(&packed), e));
	must_succeed(lk_turn_flush(s->turn, e));
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
	subscribe(&s, &f, LK_ROLE_DESK);
	assert_int_equal(f.kinds,
		KIND(manufacturer) | KIND(device) | KIND(run) | KIND(certificate) | KIND(event));
	assert_int_equal(f.records, 4 + site_count(&s, LK_KIND_event));
	assert_int_equal(f.live, site_count(&s, LK_KIND_event));
	site_done(&s);
}

/* The RADIUS hook needs verdicts on certificates; who the devices are is not its business. */
static void
test_aaa_is_told_of_certificates_only(void **state)
{
	struct site s;
	struct follower f;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	subscribe(&s, &f, LK_ROLE_AAA);
	assert_int_equal(f.kinds, KIND(certificate));
	assert_true(f.live > 0);
	f.kinds = 0;
	site_operate(&s, "device.revoke", "{\"device\":\"" PKI_SERIAL "\"}");
	assert_int_equal(f.kinds, KIND(certificate));
	site_done(&s);
}

static void
test_changes_follow(void **state)
{
	struct site s;
	struct follower f;

	(void)state;
	site_init(&s, "allow");
	subscribe(&s, &f, LK_ROLE_DESK);
	f.kinds = 0;
	site_until(&s, SITE_REQUESTED);
	assert_int_equal(f.kinds, KIND(device) | KIND(run) | KIND(event));
	assert_int_equal(f.removed, 0);
	/* what is refused is told as an event, and as nothing else */
	f.kinds = 0;
	f.records = 0;
	site_ask(&s, &s.pki.stranger.chain, LK_EP_BRSKI_REQUESTVOUCHER, LK_SLICE_LIT("x"));
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
	subscribe(&s, &f, LK_ROLE_DESK);
	assert_int_equal(site_operate(&s, "manufacturer.remove", "{\"manufacturer\":\"vendor\"}"),
		LK_R_NONE);
	assert_int_equal(f.removed, KIND(manufacturer));
	site_done(&s);
}

/* Nobody who did not ask is told anything; grants are told to nobody. */
static void
test_nobody_else_is_told(void **state)
{
	struct site s;
	struct follower f = { .role = LK_ROLE_DESK };

	(void)state;
	site_init(&s, "allow");
	s.told = on_told;
	s.told_ctx = &f;
	site_until(&s, SITE_DONE);
	assert_int_equal(f.records, 0);
	subscribe(&s, &f, LK_ROLE_DESK);
	f.kinds = 0;
	site_grant(&s, SITE_PORT, SITE_MAC);
	assert_int_equal(f.kinds, KIND(event));
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_desk_is_told_everything_it_shows),
		cmocka_unit_test(test_aaa_is_told_of_certificates_only),
		cmocka_unit_test(test_changes_follow),
		cmocka_unit_test(test_removals_follow),
		cmocka_unit_test(test_nobody_else_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
