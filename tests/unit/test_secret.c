/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets: compared, wiped.
 */
#include "test.h"

#include "base/secret.h"

static void
test_wipe(void **state)
{
	uint8_t key[32], zero[32] = { 0 };

	(void)state;
	memset(key, 0xa5, sizeof key);
	lk_wipe(key, 31);
	assert_memory_equal(key, zero, 31);
	assert_int_equal(key[31], 0xa5);
	lk_wipe(NULL, 5);
	lk_wipe(key, 0);
}

/* Every single flipped bit is seen. */
static void
test_eq(void **state)
{
	uint8_t a[32], b[32];
	size_t bit;

	(void)state;
	memset(a, 0x5a, sizeof a);
	memcpy(b, a, sizeof b);
	assert_true(lk_secret_eq(LK_SLICE_ARRAY(a), LK_SLICE_ARRAY(b)));
	for (bit = 0; bit < 8 * sizeof b; bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(lk_secret_eq(LK_SLICE_ARRAY(a), LK_SLICE_ARRAY(b)));
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_false(lk_secret_eq(LK_SLICE_ARRAY(a), lk_slice(b, 31)));
	assert_true(lk_secret_eq(lk_slice(NULL, 0), lk_slice(NULL, 0)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_eq),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
