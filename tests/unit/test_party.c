/* SPDX-License-Identifier: Apache-2.0
 *
 * The parties: the paper's sixteen in its order, those of its text, the programs.
 */
#include "test.h"

#include "lifecycle/party.h"

static const struct {
	const char *symbol, *name;
} want[] = {
	{ "MF", "manufacturer" },
	{ "SI", "system-integrator" },
	{ "OW", "device-owner" },
	{ "AO", "authorized-onboarder" },
	{ "PU", "purchaser" },
	{ "IN", "installer" },
	{ "ON", "onboarder" },
	{ "DM", "device-manager" },
	{ "DU", "device-user" },
	{ "NO", "network-owner" },
	{ "NA", "network-administrator" },
	{ "AW", "application-owner" },
	{ "AI", "application-installer" },
	{ "AM", "application-manager" },
	{ "AU", "application-user" },
	{ "SP", "service-provider" },
	{ "TP", "trusted-third-party" },
	{ "RB", "rebrander" },
	{ "DV", "device" },
	{ "RG", "registrar" },
	{ "MA", "masa" },
	{ "FA", "factory" },
};

static void
test_parties(void **state)
{
	enum lk_party p;

	(void)state;
	assert_int_equal(LK_PARTY_COUNT, LK_ARRAY_LEN(want));
	for (p = 0; p < LK_PARTY_COUNT; p++) {
		assert_string_equal(lk_party_info(p)->symbol, want[p].symbol);
		assert_string_equal(lk_party_info(p)->name, want[p].name);
		assert_int_not_equal(lk_party_info(p)->meaning[0], 0);
		assert_int_equal(lk_party_by_name(want[p].name), p);
	}
	assert_int_equal(lk_party_by_name("root"), LK_PARTY_COUNT);
	assert_true(LK_PARTY_BIT(MF) == 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
