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

/* A message goes into JSON and onto wires: it is UTF-8, whatever a peer wrote and wherever it was
 * cut. */
static void
test_message_is_utf8(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "K\xc3\xbc"
		  "che \xe2\x82\xac \xf0\x9f\x94\x91",
			"K\xc3\xbc"
			"che \xe2\x82\xac \xf0\x9f\x94\x91" },
		{ "\xff\xfe", "??" }, { "a\xc3", "a?" }, { "\xc3(", "?(" }, { "\xe2\x82", "??" },
		{ "\xe2\x82(", "?"
			       "?(" },
		{ "\xc0\xaf", "??" },                                 /* overlong */
		{ "\xe0\x80\xaf", "???" }, { "\xed\xa0\x80", "???" }, /* a surrogate */
		{ "\xf4\x90\x80\x80", "????" },                       /* beyond U+10FFFF */
	};
	char big[2 * LK_ERR_MSG_MAX + 1];
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(cases); i++) {
		lk_err_set(&e, LK_R_USAGE, "%s", cases[i].from);
		assert_string_equal(e.msg, cases[i].to);
	}
	for (i = 0; i < LK_ERR_MSG_MAX; i++)
		memcpy(big + 2 * i, "\xc3\xbc", 2);
	big[sizeof big - 1] = 0;
	lk_err_set(&e, LK_R_USAGE, "%s", big); /* cut in the middle of the last one */
	assert_int_equal(strlen(e.msg), LK_ERR_MSG_MAX - 1);
	assert_string_equal(e.msg + LK_ERR_MSG_MAX - 4, "\xc3\xbc?");
	lk_err_prefix(&e, "x");
	assert_memory_equal(e.msg, "x: \xc3\xbc", 5);
	assert_int_equal(e.msg[LK_ERR_MSG_MAX - 2] & 0x80, 0x80);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_propagates),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_message_is_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
