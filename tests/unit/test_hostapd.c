/* SPDX-License-Identifier: Apache-2.0
 *
 * What hostapd 2.10 says on its control socket, as it was heard from it, and what it
 * would never say. The client is tested against hostapd itself (tests/netns).
 */
#include "test.h"

#include "noc/enforcer/hostapd.h"
#include "noc/enforcer/mac.h"

static const uint8_t mac[6] = { 0x02, 0x39, 0x95, 0x44, 0xff, 0xad };

static const struct {
	const char *packet;
	enum lk_hostapd_kind kind;
} good[] = {
	{ "<3>CTRL-EVENT-EAP-STARTED 02:39:95:44:ff:ad", LK_HOSTAPD_OTHER },
	{ "<3>CTRL-EVENT-EAP-PROPOSED-METHOD vendor=0 method=1", LK_HOSTAPD_OTHER },
	{ "<3>CTRL-EVENT-EAP-SUCCESS2 02:39:95:44:ff:ad", LK_HOSTAPD_SUCCESS },
	{ "<3>CTRL-EVENT-EAP-FAILURE2 02:39:95:44:ff:ad", LK_HOSTAPD_FAILURE },
	{ "<3>CTRL-EVENT-EAP-SUCCESS 02:39:95:44:ff:ad", LK_HOSTAPD_SUCCESS },
	{ "<3>CTRL-EVENT-EAP-FAILURE 02:39:95:44:ff:ad", LK_HOSTAPD_FAILURE },
	{ "<3>AP-STA-CONNECTED 02:39:95:44:FF:AD", LK_HOSTAPD_CONNECTED },
	{ "<3>AP-STA-CONNECTED 02:39:95:44:ff:ad keyid=x", LK_HOSTAPD_CONNECTED },
	{ "<3>AP-STA-DISCONNECTED 02:39:95:44:ff:ad", LK_HOSTAPD_DISCONNECTED },
	{ "<3>CTRL-EVENT-TERMINATING ", LK_HOSTAPD_TERMINATING },
	{ "<3>", LK_HOSTAPD_OTHER },
	{ "<", LK_HOSTAPD_OTHER },
	{ "", LK_HOSTAPD_OTHER },
	{ "OK\n", LK_HOSTAPD_OK },
	{ "PONG\n", LK_HOSTAPD_OTHER },
	{ "FAIL\n", LK_HOSTAPD_OTHER },
	{ "02:39:95:44:ff:ad\nflags=[AUTHORIZED]\n", LK_HOSTAPD_STATION },
	/* An event without its level is a reply: it opens nothing. */
	{ "AP-STA-CONNECTED 02:39:95:44:ff:ad", LK_HOSTAPD_OTHER },
};

static void
test_heard(void **state)
{
	struct lk_hostapd_message m;
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(good); i++) {
		assert_true(lk_hostapd_parse(lk_slice_str(good[i].packet), &m, &e).ok);
		assert_int_equal(m.kind, good[i].kind);
		if (m.kind >= LK_HOSTAPD_STATION && m.kind <= LK_HOSTAPD_FAILURE)
			assert_memory_equal(m.mac, mac, sizeof mac);
	}
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "<3>AP-STA-CONNECTED ",
		"<3>AP-STA-CONNECTED 02:39:95:44:ff:a", "<3>AP-STA-CONNECTED 02:39:95:44:ff:ad0",
		"<3>AP-STA-CONNECTED 02-39-95-44-ff-ad", "<3>AP-STA-CONNECTED  02:39:95:44:ff:ad",
		"<3>AP-STA-DISCONNECTED +2:39:95:44:ff:ad", "<3>CTRL-EVENT-EAP-SUCCESS2 ff",
		"<x>AP-STA-CONNECTED 02:39:95:44:ff:ad", "<33>x" };
	struct lk_hostapd_message m = { .kind = LK_HOSTAPD_TERMINATING };
	char large[LK_HOSTAPD_PACKET_MAX] = "";
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++)
		assert_refused(
			lk_hostapd_parse(lk_slice_str(bad[i]), &m, &e), e, LK_R_HOSTAPD_SYNTAX);
	assert_refused(lk_hostapd_parse(LK_SLICE_ARRAY(large), &m, &e), e, LK_R_HOSTAPD_SYNTAX);
	assert_int_equal(m.kind, LK_HOSTAPD_TERMINATING);
}

static void
test_mac(void **state)
{
	uint8_t got[6] = { 0 };
	char text[LK_MAC_TEXT];
	struct lk_err e;

	(void)state;
	assert_true(lk_mac_parse(LK_SLICE_LIT("02:39:95:44:FF:aD"), got, &e).ok);
	assert_memory_equal(got, mac, sizeof mac);
	lk_mac_print(got, text);
	assert_string_equal(text, "02:39:95:44:ff:ad");
	assert_refused(
		lk_mac_parse(LK_SLICE_LIT("02:39:95:44:ff:ag"), got, &e), e, LK_R_SYNTAX_TEXT);
	assert_refused(lk_mac_parse(lk_slice(NULL, 0), got, &e), e, LK_R_SYNTAX_TEXT);
	assert_memory_equal(got, mac, sizeof mac);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heard),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
