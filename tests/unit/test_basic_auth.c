/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP Basic as it is written, and nothing that only looks like it.
 */
#include "test.h"

#include "proto/basic_auth.h"

static void
expect(const char *field, const char *user, const char *password)
{
	struct lk_basic_auth a;
	struct lk_err e = { .reason = LK_R_NONE };

	if (!lk_basic_auth_parse(field, &a, &e).ok)
		fail_msg("%s: %s", field, e.msg);
	assert_string_equal(a.user, user);
	assert_string_equal(a.password, password);
	lk_basic_auth_done(&a);
	assert_string_equal(a.user, "");
	assert_string_equal(a.password, "");
}

/*= RFC7617 2: the first colon ends the user-id =*/
/*= RFC9110 11.1: the name of a scheme is in any case =*/
static void
test_good(void **state)
{
	(void)state;
	expect("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"); /* RFC 7617 2 */
	expect("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame");
	expect("BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame");
	expect("Basic dTphOmI=", "u", "a:b");
	expect("Basic Og==", "", "");
}

static void
test_bad(void **state)
{
	static const char *const fields[] = { "", "Basic", "Basic ", "Basic !", "Basic QQ",
		"Basic QWxh", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Digest username=\"u\"",
		"BasicOg==", "Basic dTpQAFE=", /* u:P NUL Q */
		/* a password of 64 characters */
		"Basic "
		"dTowMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3"
		"ODkwMTIz" };
	struct lk_basic_auth a = { .user = "untouched" };
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(fields); i++)
		assert_refused(lk_basic_auth_parse(fields[i], &a, &e), e, LK_R_BASIC_AUTH);
	assert_string_equal(a.user, "untouched");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
