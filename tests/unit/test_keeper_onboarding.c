/* SPDX-License-Identifier: Apache-2.0
 *
 * What a device is given besides its certificate, and its word that it joined.
 */
#include "keeper_cast.h"

#include "artefact/onboarding_information.h"

/*= G-19: a device information declaration is optional per device =*/
static void
test_no_declaration(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_ask(&s, &s.pki.device.chain, LK_EP_DECLARATION, lk_slice(NULL, 0));
	assert_site_refused(&s, LK_R_NO_DECLARATION);
	site_ask(&s, &s.pki.stranger.chain, LK_EP_DECLARATION, lk_slice(NULL, 0));
	assert_site_refused(&s, LK_R_MANUFACTURER_UNKNOWN);
	site_done(&s);
}

/* Signed for this device, of this network, newer than the one before. */
static void
test_onboarding_information(void **state)
{
	struct site s;
	uint64_t sequence = 0;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	for (int i = 0; i < 2; i++) {
		LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;

		assert_int_equal(
			site_ask(&s, &s.ldevid, LK_EP_ONBOARDING_INFORMATION, lk_slice(NULL, 0)),
			200);
		assert_string_equal(s.reply.content_type, LK_TYPE_CMS);
		must_succeed(lk_onboarding_parse(s.reply.body, &o, e));
		assert_string_equal(o->leaf.device, site_device(&s)->id);
		assert_string_equal(o->leaf.network, "home");
		assert_true(o->leaf.sequence > sequence);
		sequence = o->leaf.sequence;
		assert_int_equal(site_event(&s, "onboarding-information-given")->seq, sequence);
	}
	s.signer_waits = true;
	assert_int_equal(
		site_ask(&s, &s.ldevid, LK_EP_ONBOARDING_INFORMATION, lk_slice(NULL, 0)), 0);
	site_fail(&s, LK_ROLE_SIGNER, LK_R_SIGNER_KEY);
	assert_int_equal(s.reply.status, lk_reason_http_status(LK_R_SIGNER_KEY));
	site_done(&s);
}

/*= ONB-13: the device reports to the network right after it connected =*/
static void
test_joined(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_CONNECTED);
	assert_int_equal(
		site_ask(&s, &s.ldevid, LK_EP_JOINED, LK_SLICE_LIT("{\"interface\":\"eth0\"}")),
		200);
	assert_string_equal(site_event(&s, "joined")->device_id, site_device(&s)->id);
	assert_string_equal(s.event.actor, "device");
	assert_true(site_event_says(&s, "joined", "eth0"));
	site_ask(&s, &s.ldevid, LK_EP_JOINED, LK_SLICE_LIT("eth0"));
	assert_site_refused(&s, LK_R_JSON_SYNTAX);
	site_ask(&s, &s.pki.device.chain, LK_EP_JOINED, LK_SLICE_LIT("{}"));
	assert_site_refused(&s, LK_R_CERT_CHAIN);
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_declaration),
		cmocka_unit_test(test_onboarding_information),
		cmocka_unit_test(test_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
