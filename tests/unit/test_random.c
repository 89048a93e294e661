/* SPDX-License-Identifier: Apache-2.0
 *
 * Randomness that comes from the kernel, and identifiers made of a source that
 * repeats itself.
 */
#include "test.h"

#include "base/random.h"

static void
ones(const struct lk_random *self, uint8_t *p, size_t n)
{
	(void)self;
	memset(p, 0xff, n);
}

static void
zeros(const struct lk_random *self, uint8_t *p, size_t n)
{
	(void)self;
	memset(p, 0, n);
}

static void
test_uuid7(void **state)
{
	const struct lk_random all_ones = { ones }, all_zeros = { zeros };
	char id[LK_UUID_TEXT_MAX], later[LK_UUID_TEXT_MAX];

	(void)state;
	/*= RFC9562 5.7: 48 bits of milliseconds, version 7, the rest random =*/
	lk_uuid7(&all_zeros, INT64_C(0x017F22E279B0), id); /* the time of RFC 9562 A.6 */
	assert_string_equal(id, "017f22e2-79b0-7000-8000-000000000000");
	lk_uuid7(&all_ones, INT64_C(0x017F22E279B0), later);
	assert_string_equal(later, "017f22e2-79b0-7fff-bfff-ffffffffffff");
	lk_uuid7(&all_zeros, INT64_C(0x017F22E279B1), later);
	assert_true(strcmp(id, later) < 0); /* sorts by time */
}

static void
test_system(void **state)
{
	uint8_t a[512] = { 0 }, b[512] = { 0 };

	(void)state;
	lk_random_fill(&lk_random_system, a, sizeof a);
	lk_random_fill(&lk_random_system, b, sizeof b - 1);
	assert_memory_not_equal(a, b, 256);
	assert_memory_not_equal(a, a + 256, 256);
	assert_int_equal(b[511], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uuid7),
		cmocka_unit_test(test_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
