/* SPDX-License-Identifier: Apache-2.0
 *
 * The picture shows every state once and every way between two states.
 */
#include "test.h"

#include <string.h>

#include "lifecycle/sketch.h"
#include "lifecycle/transition.h"

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text += strlen(what);
	}
	return n;
}

static void
test_sketch(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_buf_done) struct lk_buf small = LK_BUF_INIT(2000);
	size_t i, n, between = 0;
	const struct lk_transition_row *rows = lk_transition_rows(&n);
	struct lk_err e;

	(void)state;
	assert_true(lk_lifecycle_sketch(&out, NULL).ok);
	for (i = 0; i < n; i++)
		between += rows[i].from != rows[i].to;
	assert_int_equal(count(lk_buf_str(&out), " -> "), between);
	assert_int_equal(count(lk_buf_str(&out), "\t"), 1 + 17 + between);
	assert_int_equal(count(lk_buf_str(&out), "S8 [label=\"S8 onboarding\"];\n"), 1);
	assert_int_equal(count(lk_buf_str(&out),
				 "\tS8 -> S9 [label=\"T10 connected\\nDM\", style=dashed];\n"),
		1);
	assert_int_equal(count(lk_buf_str(&out),
				 "\tS10 -> S11 [label=\"T12 application-executes\\nAM, DV\"];\n"),
		1);
	assert_int_equal(count(lk_buf_str(&out), "}\n"), 1);
	assert_refused(lk_lifecycle_sketch(&small, &e), e, LK_R_TOO_LARGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sketch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
