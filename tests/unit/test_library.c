/* SPDX-License-Identifier: Apache-2.0
 *
 * liblatchkey-agent as firmware sees it, where it has nothing to talk to: what is missing is said.
 * (tests/netns/test_example onboards with it.)
 */
#include "test.h"

#include <latchkey/agent.h>

static const struct latchkey_settings whole = { .idevid = "-",
	.idevid_key = "file:/nonexistent/key",
	.anchors = "-",
	.ldevid_key = "file:/nonexistent/new",
	.address = "::1",
	.port = 8443 };

static void
assert_none(const struct latchkey_settings *s, const char *want)
{
	const char *reason = "";

	assert_null(latchkey_agent_new(s, &reason));
	assert_string_equal(reason, want);
}

static void
test_settings_that_are_missing(void **state)
{
	struct latchkey_settings s[6];
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(s); i++)
		s[i] = whole;
	s[0].idevid = s[1].idevid_key = s[2].anchors = s[3].ldevid_key = s[4].address = NULL;
	s[5].port = 0;
	for (i = 0; i < LK_ARRAY_LEN(s); i++)
		assert_none(&s[i], "usage");
	assert_none(&whole, "cert-syntax");
	latchkey_agent_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_settings_that_are_missing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
