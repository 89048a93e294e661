/* SPDX-License-Identifier: Apache-2.0
 *
 * Which devices may come in, and where their life goes on when they do.
 */
#include "keeper_cast.h"

#include "lifecycle/state.h"

#define MUD_URL "https://vendor.example/lamp.json"

/* The cast's device, born anew. */
static void
reissue(struct site *s, const struct pki_spec *spec)
{
	pki_id_done(&s->pki.device);
	pki_issue(&s->pki.vendor, spec, &s->pki.device);
}

/* Writes the device as it may stand in the store. */
static void
put_device(struct site *s, const char *admission, enum lk_state state)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);

	set_text(d.id, "01900000-0000-7000-8000-000000000001");
	set_text(d.manufacturer_id, SITE_VENDOR);
	set_text(d.serial, PKI_SERIAL);
	set_text(d.admission, admission);
	d.state = state;
	site_put(s, &d.record);
}

/*= RFC8995 2.3.1: the device's serial number is the X520SerialNumber of the IDevID's subject =*/
static void
test_serial_number_is_the_subjects(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_REQUESTED);
	assert_string_equal(site_device(&s)->serial, PKI_SERIAL);
	site_done(&s);
	/* in no other attribute: not even where a common name looks like one */
	site_init(&s, "allow");
	reissue(&s, &(struct pki_spec){ .cn = PKI_SERIAL, .masa_url = PKI_MASA_URL });
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_REQUEST_SERIAL);
	assert_int_equal(site_count(&s, LK_KIND_device), 0);
	site_done(&s);
}

/*= SEC-21: the MUD URL comes bound to the identity, in the IDevID =*/
static void
test_mud_url_of_the_idevid(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	reissue(&s, &(struct pki_spec){ .cn = "Thing",
			    .serial_number = PKI_SERIAL,
			    .masa_url = PKI_MASA_URL,
			    .mud_url = MUD_URL });
	assert_int_equal(site_request_voucher(&s, NULL, NULL), 0);
	assert_string_equal(site_device(&s)->mud_url, MUD_URL);
	site_done(&s);
}

/*= A1.2: a device that policy denies is refused and may be admitted by an operator later =*/
static void
test_policies_for_unknown_devices(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "deny");
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_DEVICE_UNKNOWN);
	assert_int_equal(site_count(&s, LK_KIND_device), 0);
	put_device(&s, "approved", LK_STATE_S7);
	assert_int_equal(site_request_again(&s), 0);
	assert_string_equal(site_run(&s)->state, "requested");
	site_done(&s);
	site_init(&s, "ask");
	assert_int_equal(site_request_voucher(&s, NULL, NULL), 202);
	assert_string_equal(site_device(&s)->admission, "ask");
	assert_true(site_event_says(&s, "device-appeared", "\"admission\":\"ask\""));
	site_done(&s);
	site_init(&s, "allow");
	assert_int_equal(site_request_voucher(&s, NULL, NULL), 0);
	assert_string_equal(site_device(&s)->admission, "approved");
	site_done(&s);
}

/* What is in the inventory needs no policy and no operator; its key is learnt when it shows. */
static void
test_device_of_the_inventory(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "deny");
	put_device(&s, "inventory", LK_STATE_S7);
	assert_int_equal(site_request_voucher(&s, NULL, NULL), 0);
	assert_int_equal(strlen(site_device(&s)->idevid_spki), 64);
	assert_int_equal(s.device.state, LK_STATE_S8);
	site_done(&s);
}

/*= SEC-03: the asserted identity is verified; a serial number under another key is another device =*/
static void
test_serial_number_with_another_key(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_REQUESTED);
	reissue(&s, &(struct pki_spec){
			    .cn = "Twin", .serial_number = PKI_SERIAL, .masa_url = PKI_MASA_URL });
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_DEVICE_KEY);
	assert_string_equal(site_run(&s)->state, "requested"); /* the genuine one goes on */
	site_done(&s);
}

static void
test_denied_and_ended_devices(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	put_device(&s, "denied", LK_STATE_S7);
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_DEVICE_DENIED);
	put_device(&s, "approved", LK_STATE_S16);
	site_request_again(&s);
	assert_site_refused(&s, LK_R_DEVICE_ENDED);
	site_done(&s);
}

/* Two manufacturers may use one serial number: two devices. */
static void
test_one_serial_number_of_two_manufacturers(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_REQUESTED);
	site_add_manufacturer(&s, "another", &s.pki.stranger_ca, "allow");
	pki_id_done(&s.pki.device);
	pki_issue(&s.pki.stranger_ca,
		&(struct pki_spec){
			.cn = "Thing", .serial_number = PKI_SERIAL, .masa_url = PKI_MASA_URL },
		&s.pki.device);
	assert_int_equal(site_request_voucher(&s, NULL, NULL), 0);
	assert_int_equal(site_count(&s, LK_KIND_device), 2);
	site_done(&s);
}

/*= LC-7: states may be skipped, with a reason =*/
static void
test_device_in_use_asks_again(void **state)
{
	static const enum lk_state in_use[] = { LK_STATE_S9, LK_STATE_S10, LK_STATE_S11,
		LK_STATE_S12, LK_STATE_S13 };

	(void)state;
	for (size_t i = 0; i < LK_ARRAY_LEN(in_use); i++) {
		struct site s;

		site_init(&s, "deny");
		put_device(&s, "approved", in_use[i]);
		assert_int_equal(site_request_voucher(&s, NULL, NULL), 0);
		assert_int_equal(site_device(&s)->state, LK_STATE_S8);
		site_done(&s);
	}
}

/* Decommissioned, it comes back when an operator says that it was erased, and not before. */
static void
test_decommissioned_device_comes_back(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "deny");
	put_device(&s, "ask", LK_STATE_S15);
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_LIFECYCLE_BARE);
	assert_int_equal(
		site_operate(&s, "device.approve", "{\"device\":\"" PKI_SERIAL "\"}"), LK_R_NONE);
	assert_int_equal(site_request_again(&s), 0);
	assert_int_equal(site_device(&s)->state, LK_STATE_S8);
	site_done(&s);
}

/* Before it was acquired there is nothing to onboard. */
static void
test_device_in_the_supply_chain(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "deny");
	put_device(&s, "approved", LK_STATE_S4);
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_LIFECYCLE_EVENT);
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_serial_number_is_the_subjects),
		cmocka_unit_test(test_mud_url_of_the_idevid),
		cmocka_unit_test(test_policies_for_unknown_devices),
		cmocka_unit_test(test_device_of_the_inventory),
		cmocka_unit_test(test_serial_number_with_another_key),
		cmocka_unit_test(test_denied_and_ended_devices),
		cmocka_unit_test(test_one_serial_number_of_two_manufacturers),
		cmocka_unit_test(test_device_in_use_asks_again),
		cmocka_unit_test(test_decommissioned_device_comes_back),
		cmocka_unit_test(test_device_in_the_supply_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
