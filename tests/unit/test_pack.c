/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields of messages: what is packed is unpacked; every truncation is refused
 * and leaves cursor and values as they were.
 */
#include "test.h"

#include "ipc/pack.h"

struct fields {
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
	int64_t e;
	bool f;
	unsigned g;
	struct lk_slice h;
	uint8_t i[3];
	char j[8];
};

static void
pack_all(struct lk_buf *out)
{
	struct lk_pack p = lk_pack_init(out, NULL);

	assert_true(lk_pack_u8(&p, 0xfe).ok);
	assert_true(lk_pack_u16(&p, 0xfedc).ok);
	assert_true(lk_pack_u32(&p, UINT32_C(0xfedcba98)).ok);
	assert_true(lk_pack_u64(&p, UINT64_C(0xfedcba9876543210)).ok);
	assert_true(lk_pack_i64(&p, INT64_MIN).ok);
	assert_true(lk_pack_bool(&p, true).ok);
	assert_true(lk_pack_u8(&p, 4).ok);
	assert_true(lk_pack_bytes(&p, LK_SLICE_LIT("a\0b")).ok);
	assert_true(lk_pack_bytes(&p, LK_SLICE_LIT("xyz")).ok);
	assert_true(lk_pack_text(&p, "seven ").ok);
}

static struct lk_result
unpack_all(struct lk_unpack *u, struct fields *f)
{
	LK_TRY(lk_unpack_u8(u, &f->a));
	LK_TRY(lk_unpack_u16(u, &f->b));
	LK_TRY(lk_unpack_u32(u, &f->c));
	LK_TRY(lk_unpack_u64(u, &f->d));
	LK_TRY(lk_unpack_i64(u, &f->e));
	LK_TRY(lk_unpack_bool(u, &f->f));
	LK_TRY(lk_unpack_enum(u, 5, &f->g));
	LK_TRY(lk_unpack_bytes(u, 3, &f->h));
	LK_TRY(lk_unpack_fixed(u, f->i, sizeof f->i));
	LK_TRY(lk_unpack_text(u, f->j, sizeof f->j));
	return lk_unpack_end(u);
}

static void
test_round_trip(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1024);
	struct fields f = { .a = 0 };
	struct lk_unpack u;

	(void)state;
	pack_all(&out);
	assert_memory_equal(out.p, "\xfe\xfe\xdc\xfe\xdc\xba\x98", 7); /* network order */
	u = lk_unpack_init("test", lk_buf_slice(&out), NULL);
	assert_true(unpack_all(&u, &f).ok);
	assert_int_equal(f.a, 0xfe);
	assert_int_equal(f.b, 0xfedc);
	assert_true(f.c == UINT32_C(0xfedcba98));
	assert_true(f.d == UINT64_C(0xfedcba9876543210));
	assert_true(f.e == INT64_MIN);
	assert_true(f.f);
	assert_int_equal(f.g, 4);
	assert_true(lk_slice_eq(f.h, LK_SLICE_LIT("a\0b")));
	assert_memory_equal(f.i, "xyz", 3);
	assert_string_equal(f.j, "seven ");
}

static void
test_truncations(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1024);
	struct fields f;
	struct lk_err e;
	size_t n;

	(void)state;
	pack_all(&out);
	for (n = 0; n < out.n; n++) {
		struct lk_unpack u = lk_unpack_init("test", lk_slice(out.p, n), &e);

		assert_refused(unpack_all(&u, &f), e, LK_R_IPC_MALFORMED);
	}
}

static void
test_trailing(void **state)
{
	struct lk_err e;
	struct lk_unpack u = lk_unpack_init("test", LK_SLICE_LIT("ab"), &e);
	uint8_t v;

	(void)state;
	assert_true(lk_unpack_u8(&u, &v).ok);
	assert_refused(lk_unpack_end(&u), e, LK_R_IPC_MALFORMED);
	assert_string_equal(e.msg, "test: 1 bytes follow its last field");
	assert_int_equal(u.rest.n, 1);
}

/* Each refused value leaves cursor and destination alone. */
static void
test_values(void **state)
{
	static const struct lk_slice two = LK_SLICE_LIT("\2");
	static const struct lk_slice four = LK_SLICE_LIT("\0\0\0\4abcd");
	static const struct lk_slice nul = LK_SLICE_LIT("\0\0\0\3a\0b");
	static const struct lk_slice huge = LK_SLICE_LIT("\xff\xff\xff\xff");
	struct lk_err e;
	struct lk_unpack u;
	struct lk_slice s = LK_SLICE_LIT("old");
	char text[4] = "old";
	uint8_t fixed[5] = "old";
	bool b = true;

	(void)state;
	u = lk_unpack_init("test", two, &e);
	assert_refused(lk_unpack_bool(&u, &b), e, LK_R_IPC_MALFORMED);
	assert_true(b && lk_slice_eq(u.rest, two));
	u = lk_unpack_init("test", four, &e);
	assert_refused(lk_unpack_bytes(&u, 3, &s), e, LK_R_IPC_MALFORMED);
	assert_refused(lk_unpack_text(&u, text, sizeof text), e, LK_R_IPC_MALFORMED);
	assert_refused(lk_unpack_fixed(&u, fixed, 5), e, LK_R_IPC_MALFORMED);
	assert_true(lk_slice_eq(u.rest, four) && lk_slice_eq(s, LK_SLICE_LIT("old")));
	assert_string_equal(text, "old");
	assert_string_equal((char *)fixed, "old");
	u = lk_unpack_init("test", nul, &e);
	assert_refused(lk_unpack_text(&u, text, sizeof text), e, LK_R_IPC_MALFORMED);
	assert_true(lk_slice_eq(u.rest, nul));
	u = lk_unpack_init("test", huge, &e);
	assert_refused(lk_unpack_bytes(&u, SIZE_MAX, &s), e, LK_R_IPC_MALFORMED);
	assert_true(lk_slice_eq(u.rest, huge));
}

static void
test_limit(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(6);
	struct lk_err e;
	struct lk_pack p = lk_pack_init(&out, &e);

	(void)state;
	assert_refused(lk_pack_u64(&p, 1), e, LK_R_TOO_LARGE);
	assert_refused(lk_pack_bytes(&p, LK_SLICE_LIT("abc")), e, LK_R_TOO_LARGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_trailing),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
