/* SPDX-License-Identifier: Apache-2.0
 *
 * The error context: filled, cut, prefixed, and optional.
 */
#include "test.h"

#include <string.h>

static LK_RESULT
refuse_odd(int n, int *ret, struct lk_err *e)
{
	LK_REQUIRE(n % 2 == 0, e, LK_R_USAGE, "%d is odd", n);
	*ret = n;
	return LK_OK;
}

static LK_RESULT
twice(int a, int b, int *ret, struct lk_err *e)
{
	LK_TRY(refuse_odd(a, ret, e));
	LK_TRY(refuse_odd(b, ret, e));
	return LK_OK;
}

static void
test_propagates(void **state)
{
	struct lk_err e = { 0 };
	int n = -1;

	(void)state;
	assert_true(twice(2, 4, &n, &e).ok);
	assert_int_equal(n, 4);
	assert_int_equal(e.reason, LK_R_NONE);
	assert_refused(twice(1, 6, &n, &e), e, LK_R_USAGE);
	assert_int_equal(n, 4);
	assert_refused(twice(6, 7, &n, &e), e, LK_R_USAGE);
	assert_string_equal(e.msg, "7 is odd");
	assert_false(twice(1, 1, &n, NULL).ok);
}

static void
test_prefix(void **state)
{
	struct lk_err e;
	char big[2 * LK_ERR_MSG_MAX];

	(void)state;
	lk_err_set(&e, LK_R_USAGE, "inner");
	lk_err_prefix(&e, "%s", "outer");
	assert_string_equal(e.msg, "outer: inner");
	assert_int_equal(e.reason, LK_R_USAGE);
	lk_err_prefix(NULL, "nobody listens");

	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	lk_err_prefix(&e, "%s", big);
	assert_int_equal(strlen(e.msg), LK_ERR_MSG_MAX - 1);
	lk_err_set(&e, LK_R_BUG, "%s", big);
	assert_int_equal(strlen(e.msg), LK_ERR_MSG_MAX - 1);
	lk_err_prefix(&e, "short");
	assert_int_equal(strlen(e.msg), LK_ERR_MSG_MAX - 1);
	assert_memory_equal(e.msg, "short: xxx", 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_propagates),
		cmocka_unit_test(test_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
