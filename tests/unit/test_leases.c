/* SPDX-License-Identifier: Apache-2.0
 *
 * dnsmasq's lease file, whole, half written and wrong. The watch is tested with the
 * enforcer (tests/netns).
 */
#include "test.h"

#include <stdlib.h>

#include "noc/enforcer/leases.h"

#define LINE1 "1795473407 02:39:95:44:ff:ad 192.0.2.139 * *\n"
#define LINE2 "0 02:85:88:b2:2a:28 192.0.2.199 name 01:02:85:88:b2:2a:28\n"

static void
test_whole(void **state)
{
	const uint8_t mac[] = { 2, 0x39, 0x95, 0x44, 0xff, 0xad }, address[] = { 192, 0, 2, 139 };
	struct lk_lease *v;
	struct lk_err e;
	size_t n;

	(void)state;
	assert_true(lk_leases_parse(LK_SLICE_LIT(LINE1 LINE2), &v, &n, &e).ok);
	assert_int_equal(n, 2);
	assert_int_equal(v[0].expires_at, 1795473407);
	assert_memory_equal(v[0].mac, mac, sizeof mac);
	assert_memory_equal(v[0].address, address, sizeof address);
	assert_true(v[1].expires_at == LK_TIME_NEVER);
	free(v);
}

/* Every beginning of a good file is good: it has the leases whose lines have ended. */
static void
test_half_written(void **state)
{
	struct lk_slice all =
		LK_SLICE_LIT(LINE1 LINE2 "duid 00:01\n1795473407 1 2001:db8::1 * 00\n");
	struct lk_lease *v;
	struct lk_err e;
	size_t i, n;

	(void)state;
	for (i = 0; i <= all.n; i++) {
		assert_true(lk_leases_parse(lk_slice(all.p, i), &v, &n, &e).ok);
		assert_int_equal(n, (i >= strlen(LINE1)) + (i >= strlen(LINE1 LINE2)));
		free(v);
	}
	assert_true(lk_leases_parse(lk_slice(NULL, 0), &v, &n, &e).ok);
	assert_int_equal(n, 0);
	free(v);
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "\n", LINE1 "\n", "x 02:39:95:44:ff:ad 192.0.2.1 * *\n",
		"-1 02:39:95:44:ff:ad 192.0.2.1 * *\n",
		"253402300800 02:39:95:44:ff:ad 192.0.2.1 * *\n",
		"1 06-02:39:95:44:ff:ad 192.0.2.1 * *\n", "1 02:39:95:44:ff:ad\n",
		"1 02:39:95:44:ff:ad 192.0.2 * *\n", "1 02:39:95:44:ff:ad 2001:db8::1 * *\n",
		"1  02:39:95:44:ff:ad 192.0.2.1 * *\n" };
	struct lk_lease *v = NULL;
	size_t i, n = 77;
	struct lk_err e;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++)
		assert_refused(
			lk_leases_parse(lk_slice_str(bad[i]), &v, &n, &e), e, LK_R_LEASE_SYNTAX);
	assert_null(v);
	assert_int_equal(n, 77);
}

static void
test_limits(void **state)
{
	LK_CLEANUP(lk_freep) char *many = malloc(LK_LEASE_FILE_MAX + 1);
	struct lk_lease *v = NULL;
	struct lk_err e;
	size_t n;

	(void)state;
	assert_non_null(many);
	memset(many, '\n', LK_LEASE_FILE_MAX + 1);
	assert_refused(
		lk_leases_parse(lk_slice(many, LK_LEASES_MAX + 1), &v, &n, &e), e, LK_R_TOO_LARGE);
	memset(many, ' ', LK_LEASE_FILE_MAX + 1);
	assert_refused(lk_leases_parse(lk_slice(many, LK_LEASE_FILE_MAX + 1), &v, &n, &e), e,
		LK_R_TOO_LARGE);
	assert_null(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_half_written),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
