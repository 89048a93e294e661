/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of open labels says what it says, and what is odd about it is refused.
 */
#include "test.h"

#include "proto/est_label.h"

static void
test_list(void **state)
{
	struct lk_est_labels l;
	struct lk_err e;

	(void)state;
	assert_true(
		lk_est_labels_parse("plant code,printers  code\ttls12 , field idevid,", &l, &e).ok);
	assert_int_equal(l.n, 3);
	assert_true(lk_est_label_find(&l, "plant")->code);
	assert_false(lk_est_label_find(&l, "plant")->idevid);
	assert_false(lk_est_label_find(&l, "plant")->tls12);
	assert_true(lk_est_label_find(&l, "printers")->tls12);
	assert_true(lk_est_label_find(&l, "field")->idevid);
	assert_false(lk_est_label_find(&l, "field")->code);
	assert_null(lk_est_label_find(&l, "plan"));
	assert_null(lk_est_label_find(&l, "Plant"));
	assert_true(lk_est_labels_want_tls12(&l));
	assert_true(lk_est_labels_parse("plant code", &l, &e).ok);
	assert_false(lk_est_labels_want_tls12(&l));
}

/*= Latchkey EST: plain EST is a second door, and shut by default =*/
static void
test_nothing_is_open_by_default(void **state)
{
	struct lk_est_labels l;
	struct lk_err e;

	(void)state;
	assert_true(lk_est_labels_parse("", &l, &e).ok);
	assert_int_equal(l.n, 0);
	assert_null(lk_est_label_find(&l, ""));
	assert_false(lk_est_labels_want_tls12(&l));
}

/*= RFC7030 3.2.2: a label is none of the operation path segments =*/
static void
test_odd_lists(void **state)
{
	static const char *const lists[] = { "plant", "plant tls12", "plant password",
		"plant code,plant code", "cacerts code", "simpleenroll code", "simplereenroll code",
		"fullcmc code", "serverkeygen code", "csrattrs code", "a/b code", "a?b code",
		"\"a\" code",
		"a23456789012345678901234567890123456789012345678901234567890abcd code",
		"a code,b code,c code,d code,e code,f code,g code,h code,i code,j code,k code,l "
		"code,"
		"m code,n code,o code,p code,q code" };
	struct lk_est_labels l = { .n = 77 };
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(lists); i++)
		assert_refused(lk_est_labels_parse(lists[i], &l, &e), e, LK_R_EST_LABELS);
	assert_int_equal(l.n, 77);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_nothing_is_open_by_default),
		cmocka_unit_test(test_odd_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
