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

/* What dnsmasq writes for a request with another hardware type, or length of its address. */
static void
test_other_hardware(void **state)
{
	static const char *const lines[] = { "1 06-02:39:95:44:ff:ad 192.0.2.1 * *\n",
		"1 02:39:95 192.0.2.1 * *\n", "1 00- 192.0.2.1 * ff:00\n" };
	struct lk_lease *v;
	struct lk_err e;
	size_t i, n;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(lines); i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf file = LK_BUF_INIT(4096);

		assert_true(lk_buf_printf(&file, &e, LINE1 "%s" LINE2, lines[i]).ok);
		assert_true(lk_leases_parse(lk_buf_slice(&file), &v, &n, &e).ok);
		assert_int_equal(n, 2);
		free(v);
	}
}

/* A device may have many leases, by client ids of its making. */
static void
test_newest_of_each(void **state)
{
	static const uint8_t mac1[] = { 2, 0, 0, 0, 0, 1 }, mac2[] = { 2, 0, 0, 0, 0, 2 },
			     mac3[] = { 2, 0, 0, 0, 0, 3 };
	const struct lk_network4 within = { { 192, 0, 2, 0 }, 24 };
	struct lk_lease *v;
	struct lk_err e;
	size_t n;

	(void)state;
	assert_true(lk_leases_parse(LK_SLICE_LIT("900 02:00:00:00:00:02 192.0.2.20 * *\n"
						 "700 02:00:00:00:00:01 192.0.2.13 * *\n"
						 "800 02:00:00:00:00:01 192.0.2.12 * *\n"
						 "900 02:00:00:00:00:01 198.51.100.1 * *\n"
						 "600 02:00:00:00:00:01 192.0.2.11 * *\n"
						 "500 02:00:00:00:00:03 192.0.2.30 * *\n"),
		&v, &n, &e)
			    .ok);
	assert_int_equal(n, 6);
	n = lk_leases_choose(v, n, &within, 500);
	assert_int_equal(n, 2);
	assert_int_equal(lk_leases_find(v, n, mac1)->address[3], 12);
	assert_int_equal(lk_leases_find(v, n, mac2)->address[3], 20);
	assert_null(lk_leases_find(v, n, mac3));
	assert_null(lk_leases_find(v, 0, mac1));
	free(v);
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "\n", LINE1 "\n", "x 02:39:95:44:ff:ad 192.0.2.1 * *\n",
		"-1 02:39:95:44:ff:ad 192.0.2.1 * *\n",
		"253402300800 02:39:95:44:ff:ad 192.0.2.1 * *\n", "1 02:39:95:44:ff:ad\n",
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
		cmocka_unit_test(test_other_hardware),
		cmocka_unit_test(test_newest_of_each),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
