/* SPDX-License-Identifier: Apache-2.0
 *
 * What operators may have done, what they have to say for it, and what it does.
 */
#include "keeper_cast.h"

#include <stdlib.h>

#include "artefact/manifest.h"
#include "lifecycle/permission.h"
#include "lifecycle/state.h"

#define DEVICE  "{\"device\":\"" PKI_SERIAL "\"}"
#define MAKER   "{\"manufacturer\":\"" SITE_VENDOR "\"}"
#define MUD_URL "https://vendor.example/lamp.json"

/* --- permission ------------------------------------------------------------------------------- */

struct lk_result __real_lk_authorise(const struct lk_actor *actor, enum lk_action action,
	const struct lk_subject *facts, struct lk_err *e);
struct lk_result __wrap_lk_authorise(const struct lk_actor *actor, enum lk_action action,
	const struct lk_subject *facts, struct lk_err *e);

static struct {
	bool says_no;
	enum lk_action action; /* that was asked for */
	char actor[64];
} guard;

struct lk_result
__wrap_lk_authorise(const struct lk_actor *actor, enum lk_action action,
	const struct lk_subject *facts, struct lk_err *e)
{
	guard.action = action;
	snprintf(guard.actor, sizeof guard.actor, "%s", actor->id);
	LK_REQUIRE(!guard.says_no, e, LK_R_PERMISSION_DENIED, "the test says no");
	return __real_lk_authorise(actor, action, facts, e);
}

/*= SEC-04: one authorise() decides for every way in =*/
static void
test_every_action_is_authorised(void **state)
{
	static const struct {
		const char *name, *arguments;
		enum lk_action action;
	} rows[] = {
		{ "manufacturer.add", MAKER, LK_ACTION_MANUFACTURER_ADD },
		{ "manufacturer.import", MAKER, LK_ACTION_MANUFACTURER_ADD },
		{ "manufacturer.distrust", MAKER, LK_ACTION_MANUFACTURER_DISTRUST },
		{ "manufacturer.remove", MAKER, LK_ACTION_MANUFACTURER_REMOVE },
		{ "device.approve", DEVICE, LK_ACTION_DEVICE_APPROVE },
		{ "device.deny", DEVICE, LK_ACTION_DEVICE_DENY },
		{ "device.revoke", DEVICE, LK_ACTION_DEVICE_REVOKE },
		{ "device.decommission", DEVICE, LK_ACTION_DEVICE_DECOMMISSION },
	};
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_CONNECTED);
	guard.says_no = true;
	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++) {
		site_operate(&s, rows[i].name, "%s", rows[i].arguments);
		assert_site_refused(&s, LK_R_PERMISSION_DENIED);
		assert_int_equal(guard.action, rows[i].action);
		assert_string_equal(guard.actor, SITE_OPERATOR);
	}
	guard.says_no = false;
	site_done(&s);
}

static void
test_bad_requests(void **state)
{
	static const struct {
		const char *action, *arguments;
		enum lk_reason reason;
	} rows[] = {
		{ "device.sell", "{}", LK_R_NOT_OFFERED },
		{ "", "{}", LK_R_NOT_OFFERED },
		{ "device.revoke", "{}", LK_R_OPERATOR_ARGUMENT },
		{ "device.revoke", "{\"device\":\"\"}", LK_R_OPERATOR_ARGUMENT },
		{ "device.revoke", "{\"device\":7}", LK_R_OPERATOR_ARGUMENT },
		{ "device.revoke", "{\"device\":\"nobody\"}", LK_R_DEVICE_NONE },
		{ "device.revoke", "[]", LK_R_JSON_SYNTAX },
		{ "device.revoke", "{\"device\":\"a\",\"device\":\"b\"}", LK_R_JSON_DUPLICATE },
		{ "device.approve", "{\"device\":\"nobody\"}", LK_R_DEVICE_NONE },
		{ "device.deny", "{\"device\":\"nobody\"}", LK_R_DEVICE_NONE },
		{ "device.decommission", "{\"device\":\"nobody\"}", LK_R_DEVICE_NONE },
		{ "manufacturer.add", "{}", LK_R_OPERATOR_ARGUMENT },
		{ "manufacturer.add", "{\"manufacturer\":\"m\"}", LK_R_OPERATOR_ARGUMENT },
		{ "manufacturer.add", "{\"manufacturer\":\"m\",\"anchors\":\"x\"}",
			LK_R_CERT_SYNTAX },
		{ "manufacturer.import", "{\"manufacturer\":\"m\"}", LK_R_OPERATOR_ARGUMENT },
		{ "manufacturer.distrust", "{\"manufacturer\":\"m\"}", LK_R_MANUFACTURER_NONE },
		{ "manufacturer.remove", "{\"manufacturer\":\"m\"}", LK_R_MANUFACTURER_NONE },
	};
	struct site s;

	(void)state;
	site_init(&s, "allow");
	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++) {
		site_operate(&s, rows[i].action, "%s", rows[i].arguments);
		assert_site_refused(&s, rows[i].reason);
	}
	site_done(&s);
}

/* --- devices ---------------------------------------------------------------------------------- */

static void
put_device(struct site *s, const char *id, const char *manufacturer)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);

	set_text(d.id, id);
	set_text(d.manufacturer_id, manufacturer);
	set_text(d.serial, PKI_SERIAL);
	set_text(d.admission, "ask");
	d.state = LK_STATE_S7;
	site_put(s, &d.record);
}

static void
test_which_device(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	put_device(&s, "id-1", SITE_VENDOR);
	assert_int_equal(site_operate(&s, "device.approve", DEVICE), LK_R_NONE);
	put_device(&s, "id-2", "another");
	site_operate(&s, "device.deny", DEVICE);
	assert_site_refused(&s, LK_R_DEVICE_AMBIGUOUS);
	assert_int_equal(site_operate(&s, "device.deny", "{\"device\":\"id-2\"}"), LK_R_NONE);
	assert_string_equal(json_string_value(json_object_get(s.result, "device")), "id-2");
	assert_string_equal(
		site_device(&s)->admission, "approved"); /* the other's was not touched */
	site_done(&s);
}

static void
test_approve(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "ask");
	site_request_voucher(&s, NULL, NULL);
	assert_int_equal(site_operate(&s, "device.approve", DEVICE), LK_R_NONE);
	assert_string_equal(site_event(&s, "approved")->actor, SITE_OPERATOR);
	assert_string_equal(site_device(&s)->admission, "approved");
	assert_string_equal(site_run(&s)->state, "requested");
	assert_non_null(site_question(&s, LK_ROLE_COURIER)); /* the MASA is asked at once */
	site_masa_voucher(&s, NULL, NULL, NULL);
	assert_int_equal(site_request_again(&s), 200);
	assert_int_equal(site_operate(&s, "device.approve", DEVICE), LK_R_NONE); /* harmless */
	assert_string_equal(site_run(&s)->state, "vouchered");
	site_done(&s);
}

static void
test_deny(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "ask");
	site_request_voucher(&s, NULL, NULL);
	assert_int_equal(site_operate(&s, "device.deny", DEVICE), LK_R_NONE);
	assert_string_equal(site_event(&s, "denied")->actor, SITE_OPERATOR);
	assert_string_equal(site_run(&s)->state, "failed");
	site_request_again(&s);
	assert_site_refused(&s, LK_R_REQUEST_STALE);
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_DEVICE_DENIED);
	site_done(&s);
}

/* Whatever a run has reached: a device that is to stay out gets no credential of it. */
static void
test_deny_ends_the_run_under_way(void **state)
{
	static const char *const acts[] = { "device.deny", "device.revoke" };

	(void)state;
	for (size_t act = 0; act < LK_ARRAY_LEN(acts); act++)
		for (int step = SITE_REQUESTED; step <= SITE_JUDGED; step++) {
			struct site s;

			site_init(&s, "allow");
			site_until(&s, (enum site_step)step);
			assert_int_equal(site_operate(&s, acts[act], DEVICE), LK_R_NONE);
			assert_string_equal(site_run(&s)->state, "failed");
			site_enrol(&s);
			assert_site_refused(&s, LK_R_RUN_NONE);
			assert_int_equal(site_count(&s, LK_KIND_certificate), 0);
			site_done(&s);
		}
}

/*= SEC-06: credentials are revoked: every certificate of the device, at once =*/
static void
test_revoke(void **state)
{
	struct site s;
	LK_CLEANUP(lk_record_done) struct lk_certificate_record c = LK_RECORD_INIT(certificate);
	struct lk_scan scan = { .index = LK_CERTIFICATE_BY_DEVICE, .prefix = 1 };
	int64_t generation;
	bool found;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	generation = site_device(&s)->revocation_generation;
	site_certificate(&s); /* a second one, as after a renewal */
	set_text(s.certificate.serial, "0102");
	site_put(&s, &s.certificate.record);
	s.clock.seconds += 5;
	assert_int_equal(site_operate(&s, "device.revoke", DEVICE), LK_R_NONE);
	assert_int_equal(json_integer_value(json_object_get(s.result, "certificates")), 2);
	set_text(c.device_id, site_device(&s)->id);
	for (int i = 0; i < 2; i++) {
		must_succeed(lk_store_next(s.store, &scan, &c.record, &found, e));
		assert_true(found);
		assert_string_equal(c.status, "revoked");
		assert_string_equal(c.reason, "privilegeWithdrawn");
		assert_int_equal(c.revoked_at, s.clock.seconds);
	}
	assert_int_equal(s.device.revocation_generation, generation + 1);
	assert_string_equal(s.device.ldevid_serial, "");
	assert_string_equal(s.device.admission, "denied");
	assert_string_equal(site_event(&s, "revoked")->actor, SITE_OPERATOR);
	s.clock.seconds++;
	site_operate(&s, "device.revoke", DEVICE); /* again: nothing is left to revoke */
	assert_int_equal(json_integer_value(json_object_get(s.result, "certificates")), 0);
	assert_int_equal(site_certificate(&s)->revoked_at, s.clock.seconds - 1);
	site_done(&s);
}

/*= LC-6: a decommissioned device is isolated from the network =*/
static void
test_decommission(void **state)
{
	struct site s;
	struct site_question *q;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_CONNECTED);
	assert_int_equal(site_operate(&s, "device.decommission", DEVICE), LK_R_NONE);
	assert_int_equal(site_device(&s)->state, LK_STATE_S15);
	assert_string_equal(s.device.admission, "ask");
	assert_string_equal(s.device.port, "");
	assert_string_equal(s.device.mac, "");
	assert_string_equal(site_certificate(&s)->status, "revoked");
	assert_string_equal(s.certificate.reason, "cessationOfOperation");
	q = site_question(&s, LK_ROLE_ENFORCER);
	assert_non_null(q);
	assert_int_equal(q->type, LK_BODY_port_close);
	assert_string_equal(q->body.as_port_close.port, SITE_PORT);
	assert_string_equal(q->body.as_port_close.mac, SITE_MAC);
	assert_string_equal(site_event(&s, "decommissioned")->actor, SITE_OPERATOR);
	site_operate(&s, "device.decommission", DEVICE);
	assert_site_refused(&s, LK_R_LIFECYCLE_EVENT);
	site_done(&s);
}

/* --- manufacturers ---------------------------------------------------------------------------- */

static char *
quoted_pem(const struct pki_id *ca)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(LK_ANCHORS_MAX);
	json_auto_t *text = NULL;

	must_succeed(lk_cert_print_pem(pki_cert(ca), &pem, e));
	text = json_string(lk_buf_str(&pem));
	return json_dumps(text, JSON_ENCODE_ANY);
}

static void
test_add(void **state)
{
	struct site s;
	LK_CLEANUP(lk_freep) char *pem = NULL;
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record m = LK_RECORD_INIT(manufacturer);

	(void)state;
	site_init(&s, "allow");
	pem = quoted_pem(&s.pki.stranger_ca);
	site_operate(&s, "manufacturer.add",
		"{\"manufacturer\":\"new\",\"anchors\":%s,\"unknown_devices\":\"perhaps\"}", pem);
	assert_site_refused(&s, LK_R_OPERATOR_ARGUMENT);
	/* one whose name no path has could not be distrusted again */
	site_operate(
		&s, "manufacturer.add", "{\"manufacturer\":\"The Maker\",\"anchors\":%s}", pem);
	assert_site_refused(&s, LK_R_OPERATOR_ARGUMENT);
	assert_int_equal(site_operate(&s, "manufacturer.add",
				 "{\"manufacturer\":\"new\",\"anchors\":%s,\"name\":\"New\",\"masa_"
				 "url\":\"m.example\"}",
				 pem),
		LK_R_NONE);
	set_text(m.id, "new");
	must_succeed(lk_store_get(s.store, LK_MANUFACTURER_BY_ID, &m.record, e));
	assert_string_equal(m.trust, "trusted");
	assert_string_equal(m.name, "New");
	assert_string_equal(m.masa_url, "m.example");
	assert_string_equal(m.unknown_devices, "deny"); /* until somebody says otherwise */
	assert_false(m.allow_tls12);
	assert_false(m.ignore_idevid_expiry);
	assert_int_equal(m.created_at, PKI_NOW);
	assert_string_equal(site_event(&s, "manufacturer-trusted")->actor, SITE_OPERATOR);
	/* its devices are known from now on, without a restart */
	site_ask(&s, &s.pki.stranger.chain, LK_EP_BRSKI_REQUESTVOUCHER, LK_SLICE_LIT("x"));
	assert_site_refused(&s, LK_R_CMS_SYNTAX);
	site_done(&s);
}

static void
test_distrust_and_remove(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_CONNECTED);
	assert_int_equal(site_operate(&s, "manufacturer.distrust", MAKER), LK_R_NONE);
	assert_int_equal(json_integer_value(json_object_get(s.result, "devices")), 1);
	assert_true(json_is_true(json_object_get(s.result, "devices_keep_access")));
	assert_string_equal(site_event(&s, "manufacturer-distrusted")->actor, SITE_OPERATOR);
	/* as was said: who is in stays in, with this network's own credential */
	assert_int_equal(site_grant(&s, SITE_PORT, SITE_MAC), LK_R_NONE);
	assert_int_equal(
		site_ask(&s, &s.ldevid, LK_EP_ONBOARDING_INFORMATION, lk_slice(NULL, 0)), 200);
	site_operate(&s, "manufacturer.remove", MAKER);
	assert_site_refused(&s, LK_R_MANUFACTURER_DEVICES);
	site_done(&s);
	site_init(&s, "allow");
	assert_int_equal(site_operate(&s, "manufacturer.remove", MAKER), LK_R_NONE);
	assert_int_equal(site_count(&s, LK_KIND_manufacturer), 0);
	assert_false(json_is_true(json_object_get(s.result, "devices_keep_access")));
	assert_string_equal(site_event(&s, "manufacturer-removed")->actor, SITE_OPERATOR);
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_MANUFACTURER_UNKNOWN);
	site_done(&s);
}

/* --- the factory's list ----------------------------------------------------------------------- */

/* One device, signed below `ca`, which is also the anchor that comes along. */
static enum lk_reason
import(struct site *s, const char *name, const struct pki_id *ca)
{
	LK_CLEANUP(lk_manifest_builder_done)
	struct lk_manifest_builder b = LK_MANIFEST_BUILDER_INIT;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_MANIFEST_MAX);
	LK_CLEANUP(lk_freep) char *escaped = NULL;
	json_auto_t *json = NULL;
	struct pki_id factory;
	struct lk_manifest_leaves leaf = { .present = 7,
		.manufacturer = "Vendor",
		.issued_on = PKI_NOW,
		.masa_url = PKI_MASA_URL,
		.anchors = { .v = { pki_cert(ca) }, .n = 1 } };
	struct lk_manifest_device d = { .present = 31,
		.serial_number = PKI_SERIAL,
		.idevid_issuer = "0123456789abcdef0123456789abcdef01234567",
		.model = "lamp",
		.mud_url = MUD_URL };

	memset(d.spki_sha256, 'a', sizeof d.spki_sha256 - 1);
	pki_issue(ca,
		&(struct pki_spec){ .cn = "Factory",
			.eku = "2.25.108185145276060811385741955779230067267.2",
			.key_usage = "digitalSignature" },
		&factory);
	must_succeed(lk_manifest_add(&b, &d, e));
	must_succeed(lk_manifest_finish(&b, &leaf, factory.key, &factory.chain, &text, e));
	pki_id_done(&factory);
	json = json_string(lk_buf_str(&text));
	escaped = json_dumps(json, JSON_ENCODE_ANY);
	return site_operate(s, "manufacturer.import", "{\"manufacturer\":\"%s\",\"manifest\":%s}",
		name, escaped);
}

/*= A0.3: the factory's signed list is imported, and its devices are known before they appear =*/
static void
test_import(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "deny");
	/* whom it trusts already is not talked into another anchor */
	import(&s, SITE_VENDOR, &s.pki.stranger_ca);
	assert_site_refused(&s, LK_R_MANIFEST_SIGNER);
	assert_int_equal(import(&s, SITE_VENDOR, &s.pki.vendor), LK_R_NONE);
	assert_string_equal(site_device(&s)->admission, "inventory");
	assert_string_equal(s.device.model, "lamp");
	assert_string_equal(s.device.mud_url, MUD_URL);
	assert_int_equal(s.device.state, LK_STATE_S7);
	assert_string_equal(site_event(&s, "manifest-imported")->actor, SITE_OPERATOR);
	/* known by its key, too: who only has the serial number is somebody else */
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_DEVICE_KEY);
	/* of a new manufacturer it brings name and anchors, and trust in no unknown device */
	assert_int_equal(import(&s, "another", &s.pki.stranger_ca), LK_R_NONE);
	assert_int_equal(site_count(&s, LK_KIND_manufacturer), 2);
	assert_true(site_event_says(&s, "manufacturer-trusted", "\"unknown_devices\":\"deny\""));
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_action_is_authorised),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_which_device),
		cmocka_unit_test(test_approve),
		cmocka_unit_test(test_deny),
		cmocka_unit_test(test_deny_ends_the_run_under_way),
		cmocka_unit_test(test_revoke),
		cmocka_unit_test(test_decommission),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_distrust_and_remove),
		cmocka_unit_test(test_import),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
