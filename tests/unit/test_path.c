/* SPDX-License-Identifier: Apache-2.0
 *
 * A row of an HTTP interface stands for the paths that it says, and for no other.
 */
#include "test.h"

#include "base/path.h"

static void
test_rows(void **state)
{
	static const struct {
		const char *row, *path;
		bool fits;
		const char *segment;
	} cases[] = {
		{ "/a/b", "/a/b", true, "" },
		{ "/a/b", "/a/bc", false, "" },
		{ "/a/b", "/a", false, "" },
		{ "/a/b", "/a/b/", false, "" },
		{ "/a/", "/a/b/c", true, "" },
		{ "/a/", "/a/", true, "" },
		{ "/a/", "/a", false, "" },
		{ "/a/?/b", "/a/x/b", true, "x" },
		{ "/a/?/b", "/a/long-one/b", true, "long-one" },
		{ "/a/?/b", "/a//b", false, "" },
		{ "/a/?/b", "/a/x/y/b", false, "" },
		{ "/a/?/b", "/a/b", false, "" },
		{ "/a/?/b", "/a/x/b/c", false, "" },
		{ "/a/?/b", "/a/x/", false, "" },
	};
	struct lk_slice segment;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(cases); i++) {
		segment = LK_SLICE_LIT("untouched");
		if (lk_path_fits(cases[i].row, cases[i].path, &segment) != cases[i].fits)
			fail_msg("%s and %s", cases[i].row, cases[i].path);
		assert_true(lk_slice_eq(segment, cases[i].fits ? lk_slice_str(cases[i].segment)
							       : LK_SLICE_LIT("untouched")));
		assert_int_equal(lk_path_fits(cases[i].row, cases[i].path, NULL), cases[i].fits);
	}
}

static void
test_plain_text(void **state)
{
	static const char *const others[] = { "", "a/b", "a?b", "a#b", "a%2f", "a b", "a&b", "a\nb",
		"\xc3\xa4" };
	size_t i;

	(void)state;
	assert_true(lk_path_is_plain("MK-0001.a_b~"));
	for (i = 0; i < LK_ARRAY_LEN(others); i++)
		assert_false(lk_path_is_plain(others[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
		cmocka_unit_test(test_plain_text) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
