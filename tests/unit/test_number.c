/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers from text: the whole range, and nothing that is not plain digits.
 */
#include "test.h"

#include "base/number.h"

static void
test_range(void **state)
{
	struct lk_err e;
	uint64_t n = 7;
	uint32_t m = 7;

	(void)state;
	assert_true(lk_parse_u64(LK_SLICE_LIT("0"), "n", 0, UINT64_MAX, &n, NULL).ok);
	assert_int_equal(n, 0);
	assert_true(lk_parse_u64(LK_SLICE_LIT("18446744073709551615"), "n", 0, UINT64_MAX, &n, NULL)
			    .ok);
	assert_true(n == UINT64_MAX);
	assert_true(
		lk_parse_u64(LK_SLICE_LIT("000000000000000000000000042"), "n", 0, 99, &n, NULL).ok);
	assert_int_equal(n, 42);
	assert_refused(
		lk_parse_u64(LK_SLICE_LIT("18446744073709551616"), "n", 0, UINT64_MAX, &n, &e), e,
		LK_R_SYNTAX_NUMBER);
	assert_refused(
		lk_parse_u64(LK_SLICE_LIT("184467440737095516150"), "n", 0, UINT64_MAX, &n, &e), e,
		LK_R_SYNTAX_NUMBER);
	assert_int_equal(n, 42);

	assert_true(lk_parse_u32(LK_SLICE_LIT("4294967295"), "m", 0, UINT32_MAX, &m, NULL).ok);
	assert_true(m == UINT32_MAX);
	assert_refused(lk_parse_u32(LK_SLICE_LIT("4294967296"), "m", 0, UINT32_MAX, &m, &e), e,
		LK_R_SYNTAX_NUMBER);
	assert_true(m == UINT32_MAX);
	assert_true(lk_parse_u32(LK_SLICE_LIT("10"), "m", 10, 20, &m, NULL).ok);
	assert_true(lk_parse_u32(LK_SLICE_LIT("20"), "m", 10, 20, &m, NULL).ok);
	assert_refused(
		lk_parse_u32(LK_SLICE_LIT("9"), "port", 10, 20, &m, &e), e, LK_R_SYNTAX_NUMBER);
	assert_string_equal(e.msg, "port is 9, want 10 to 20");
	assert_refused(
		lk_parse_u32(LK_SLICE_LIT("21"), "m", 10, 20, &m, &e), e, LK_R_SYNTAX_NUMBER);
	assert_int_equal(m, 20);
}

static void
test_form(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3", "1,000",
		"one", "\xd9\xa1" };
	struct lk_err e;
	uint64_t n = 7;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++)
		assert_refused(lk_parse_u64(lk_slice_str(bad[i]), "n", 0, UINT64_MAX, &n, &e), e,
			LK_R_SYNTAX_NUMBER);
	assert_refused(lk_parse_u64(LK_SLICE_LIT("1\0"), "n", 0, 9, &n, &e), e, LK_R_SYNTAX_NUMBER);
	assert_int_equal(n, 7);
}

static void
test_duration(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} good[] = { { "0", 0 }, { "90", 90 }, { "90s", 90 }, { "15m", 900 }, { "4h", 14400 },
		{ "30d", 2592000 }, { "4294967295d", INT64_C(371085174288000) } };
	static const char *const bad[] = { "", "s", "m", "-1s", "1w", "1 h", "1hm", "1.5h",
		"4294967296" };
	struct lk_err e;
	int64_t t = 7;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++)
		assert_refused(lk_parse_duration(lk_slice_str(bad[i]), "life", &t, &e), e,
			LK_R_SYNTAX_NUMBER);
	assert_int_equal(t, 7);
	for (i = 0; i < LK_ARRAY_LEN(good); i++) {
		assert_true(lk_parse_duration(lk_slice_str(good[i].text), "life", &t, NULL).ok);
		assert_true(t == good[i].seconds);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_duration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
