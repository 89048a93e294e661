/* SPDX-License-Identifier: Apache-2.0
 *
 * Slices and the growing buffer: its maximum holds, and a refused append
 * leaves it as it was.
 */
#include "test.h"

#include "base/slice.h"

static void
test_eq(void **state)
{
	(void)state;
	assert_true(lk_slice_eq(LK_SLICE_LIT("ab"), lk_slice_str("ab")));
	assert_false(lk_slice_eq(LK_SLICE_LIT("ab"), LK_SLICE_LIT("ac")));
	assert_false(lk_slice_eq(LK_SLICE_LIT("ab"), LK_SLICE_LIT("a")));
	assert_false(lk_slice_eq(LK_SLICE_LIT("a\0b"), LK_SLICE_LIT("a\0c")));
	assert_true(lk_slice_eq(lk_slice(NULL, 0), LK_SLICE_LIT("")));
	assert_int_equal(lk_slice_str(NULL).n, 0);
}

static void
test_to_str(void **state)
{
	struct lk_err e;
	char dst[4] = "old";

	(void)state;
	assert_refused(lk_slice_to_str(LK_SLICE_LIT("abcd"), "name", dst, sizeof dst, &e), e,
		LK_R_TOO_LARGE);
	assert_string_equal(e.msg, "name has 4 bytes, at most 3 are taken");
	assert_refused(lk_slice_to_str(LK_SLICE_LIT("a\0b"), "name", dst, sizeof dst, &e), e,
		LK_R_SYNTAX_TEXT);
	assert_refused(lk_slice_to_str(LK_SLICE_LIT("ab\0"), "name", dst, sizeof dst, &e), e,
		LK_R_SYNTAX_TEXT);
	assert_string_equal(dst, "old");
	assert_true(lk_slice_to_str(LK_SLICE_LIT("abc"), "name", dst, sizeof dst, NULL).ok);
	assert_string_equal(dst, "abc");
	assert_true(lk_slice_to_str(lk_slice(NULL, 0), "name", dst, sizeof dst, NULL).ok);
	assert_string_equal(dst, "");
}

static void
test_append(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(1000);
	LK_CLEANUP(lk_buf_done) struct lk_buf tight = LK_BUF_INIT(3);
	struct lk_err e;
	size_t i;

	(void)state;
	assert_string_equal(lk_buf_str(&b), "");
	assert_refused(lk_buf_append_str(&tight, "abcd", &e), e, LK_R_TOO_LARGE);
	assert_true(lk_buf_append_str(&tight, "abc", NULL).ok);
	for (i = 0; i < 100; i++) {
		assert_true(lk_buf_append_str(&b, "0123456789", NULL).ok);
		assert_int_equal(b.n, 10 * (i + 1));
		assert_int_equal(b.p[b.n], 0);
	}
	assert_true(lk_buf_append(&b, lk_slice(NULL, 0), NULL).ok);
	assert_refused(lk_buf_append_str(&b, "x", &e), e, LK_R_TOO_LARGE);
	assert_refused(lk_buf_append(&b, lk_slice(b.p, SIZE_MAX), &e), e, LK_R_TOO_LARGE);
	assert_refused(lk_buf_printf(&b, &e, "%d", 1), e, LK_R_TOO_LARGE);
	assert_int_equal(b.n, 1000);
	for (i = 0; i < b.n; i++)
		assert_int_equal(b.p[i], '0' + i % 10);
}

static void
test_printf(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(600);
	char wide[513];

	(void)state;
	memset(wide, 'w', sizeof wide - 1);
	wide[sizeof wide - 1] = 0;
	assert_true(lk_buf_printf(&b, NULL, "%s=%d,", "a", 42).ok);
	assert_true(lk_buf_printf(&b, NULL, "%s", wide).ok); /* grows while it prints */
	assert_int_equal(b.n, 5 + 512);
	assert_memory_equal(b.p, "a=42,www", 8);
	assert_int_equal(b.p[b.n], 0);
}

static void
test_consume(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(100);

	(void)state;
	lk_buf_consume(&b, 3); /* nothing there, nothing happens */
	assert_true(lk_buf_append_str(&b, "abcdef", NULL).ok);
	lk_buf_consume(&b, 2);
	assert_string_equal(lk_buf_str(&b), "cdef");
	lk_buf_truncate(&b, 4);
	assert_string_equal(lk_buf_str(&b), "cdef");
	lk_buf_truncate(&b, 3);
	assert_string_equal(lk_buf_str(&b), "cde");
	lk_buf_consume(&b, 99);
	assert_int_equal(b.n, 0);
	assert_string_equal(lk_buf_str(&b), "");
	assert_true(lk_buf_append_str(&b, "again", NULL).ok);
	lk_buf_clear(&b);
	assert_string_equal(lk_buf_str(&b), "");
	lk_buf_done(&b);
	assert_null(b.p);
	assert_int_equal(b.max, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eq),
		cmocka_unit_test(test_to_str),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_consume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
