/* SPDX-License-Identifier: Apache-2.0
 *
 * The states by number, symbol and name: numbers stand in stores and never
 * change.
 */
#include "test.h"

#include <string.h>

#include "lifecycle/state.h"

static const struct {
	int number;
	const char *symbol, *name;
} states[] = {
	{ 1, "S1", "design" },
	{ 2, "S2", "manufacturing" },
	{ 3, "S3", "rebranding" },
	{ 4, "S4", "transport" },
	{ 5, "S5", "storage" },
	{ 6, "S6", "shelf" },
	{ 7, "S7", "installation" },
	{ 8, "S8", "onboarding" },
	{ 9, "S9", "commissioned" },
	{ 10, "S10", "application-onboarding" },
	{ 11, "S11", "operational" },
	{ 12, "S12", "maintenance-disconnected" },
	{ 13, "S13", "maintenance-connected" },
	{ 14, "S14", "unsupported" },
	{ 15, "S15", "decommissioning" },
	{ 16, "S16", "end-of-life" },
	{ 17, "S2A", "integration" },
};

static void
test_numbers(void **state)
{
	size_t i;
	int n, valid = 0;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(states); i++) {
		const struct lk_state_info *info = lk_state_info((enum lk_state)states[i].number);

		assert_true(lk_state_is_valid((enum lk_state)states[i].number));
		assert_string_equal(info->symbol, states[i].symbol);
		assert_string_equal(info->name, states[i].name);
		assert_int_equal(lk_state_by_name(states[i].name), states[i].number);
		assert_int_not_equal(info->lines[0], 0);
		assert_int_equal(info->meaning[strlen(info->meaning) - 1], '.');
	}
	for (n = -2; n < 100; n++)
		valid += lk_state_is_valid((enum lk_state)n);
	assert_int_equal(valid, LK_ARRAY_LEN(states));
}

static void
test_none(void **state)
{
	static const int none[] = { -1, 0, 18, 1000 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(none); i++) {
		assert_false(lk_state_is_valid((enum lk_state)none[i]));
		assert_string_equal(lk_state_info((enum lk_state)none[i])->name, "?");
	}
	assert_int_equal(lk_state_by_name("S8"), LK_STATE_ANY);
	assert_int_equal(lk_state_by_name(""), LK_STATE_ANY);
}

static void
test_events(void **state)
{
	enum lk_event_kind a, b;

	(void)state;
	assert_string_equal(lk_event_name(LK_EVENT_CONNECT), "connected");
	for (a = 0; a < LK_EVENT_COUNT; a++)
		for (b = 0; b < a; b++)
			assert_string_not_equal(lk_event_name(a), lk_event_name(b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
