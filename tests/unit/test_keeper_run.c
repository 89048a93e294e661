/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs: what is recorded of them, how long they may take, and that one ends
 * where the next begins.
 */
#include "keeper_cast.h"

#include <openssl/crypto.h>

#define STATUS_TRUE LK_SLICE_LIT("{\"version\":1,\"status\":true}")

/* {step, NULL: it ran}, in their order. */
static void
assert_steps(struct site *s, const char *const want[][2], size_t n)
{
	json_auto_t *steps = json_loads(site_run(s)->steps, 0, NULL);

	assert_int_equal(json_array_size(steps), n);
	for (size_t i = 0; i < n; i++) {
		const json_t *step = json_array_get(steps, i);
		const char *skipped = json_string_value(json_object_get(step, "skipped"));

		assert_string_equal(json_string_value(json_object_get(step, "step")), want[i][0]);
		assert_string_equal(
			json_string_value(json_object_get(step, "at")), "2026-01-01T12:00:00Z");
		assert_int_equal(skipped != NULL, want[i][1] != NULL);
		if (skipped)
			assert_string_equal(skipped, want[i][1]);
	}
}

#define NO_DECLARATION                                                  \
	{                                                               \
		"declaration", "no declaration is kept for this device" \
	}
#define NO_ATTESTATION                                             \
	{                                                          \
		"attestation", "this network asks for no evidence" \
	}
#define NO_MUD_FILE                                 \
	{                                           \
		"mud-file", "the IDevID names none" \
	}

/*= ONB-14: which steps ran is recorded =*/
/*= ONB-14: which steps were skipped is recorded, with the reason =*/
static void
test_steps(void **state)
{
	static const char *const want[][2] = { { "waiting", "policy admits the device at once" },
		NO_DECLARATION, NO_ATTESTATION, NO_MUD_FILE, { "requested", NULL },
		{ "vouchered", NULL }, { "accepted", NULL }, { "audit-log", NULL },
		{ "enrolling", NULL }, { "enrolled", NULL }, { "done", NULL } };
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	assert_steps(&s, want, LK_ARRAY_LEN(want));
	site_done(&s);
}

/* A person decided, and no audit log could be had where none is asked for. */
/*= ONB-14: which steps were skipped is recorded, with the reason =*/
static void
test_other_steps(void **state)
{
	static const char *const want[][2] = { NO_DECLARATION, NO_ATTESTATION, NO_MUD_FILE,
		{ "waiting", NULL }, { "requested", NULL }, { "vouchered", NULL },
		{ "accepted", NULL },
		{ "audit-log", "The MASA's audit log of the device could not be had." } };
	struct site s;

	(void)state;
	site_init(&s, "ask");
	s.settings.audit_required = false;
	site_restart(&s);
	assert_int_equal(site_request_voucher(&s, NULL, NULL), 202);
	assert_int_equal(
		site_operate(&s, "device.approve", "{\"device\":\"" PKI_SERIAL "\"}"), LK_R_NONE);
	site_masa_voucher(&s, NULL, NULL, NULL);
	assert_int_equal(site_request_again(&s), 200);
	assert_int_equal(
		site_ask(&s, &s.pki.device.chain, LK_EP_BRSKI_VOUCHER_STATUS, STATUS_TRUE), 200);
	site_masa(&s, 404, "text/plain", LK_SLICE_LIT("x"));
	assert_steps(&s, want, LK_ARRAY_LEN(want));
	site_done(&s);
}

/*= SEC-12: the library versions of both ends are recorded =*/
static void
test_library_of_the_device(void **state)
{
	const struct lk_slice report =
		LK_SLICE_LIT("{\"version\":1,\"status\":true,"
			     "\"reason-context\":{\"libraries\":\"OpenSSL 3.0.17\"}}");
	struct site s;
	json_auto_t *tls = NULL;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ENROLLED);
	/* of who shows no LDevID it is not taken */
	assert_int_equal(site_ask(&s, &s.pki.device.chain, LK_EP_BRSKI_ENROLLSTATUS, report), 200);
	assert_null(strstr(site_run(&s)->tls, "peer_library"));
	assert_int_equal(site_ask(&s, &s.ldevid, LK_EP_BRSKI_ENROLLSTATUS, report), 200);
	tls = json_loads(site_run(&s)->tls, 0, NULL);
	assert_string_equal(
		json_string_value(json_object_get(tls, "peer_library")), "OpenSSL 3.0.17");
	assert_string_equal(json_string_value(json_object_get(tls, "library")),
		OpenSSL_version(OPENSSL_VERSION));
	assert_string_equal(json_string_value(json_object_get(tls, "version")), "TLSv1.3");
	site_done(&s);
}

/*= SEC-12: protocol, suite, group, key size and library version of a run are recorded =*/
static void
test_tls_facts(void **state)
{
	struct site s;
	json_auto_t *tls = NULL, *want = NULL;

	(void)state;
	site_init(&s, "allow");
	s.user_agent = "agent/1";
	site_until(&s, SITE_REQUESTED);
	tls = json_loads(site_run(&s)->tls, 0, NULL);
	want = json_pack("{s:s,s:s,s:s,s:i,s:s,s:s}", "version", "TLSv1.3", "suite",
		"TLS_AES_128_GCM_SHA256", "group", "secp256r1", "peer_key_bits", 256, "library",
		OpenSSL_version(OPENSSL_VERSION), "peer_software", "agent/1");
	assert_true(json_equal(tls, want));
	site_done(&s);
}

/*= RFC8995 5.6: a newer request of the device overtakes its older ones =*/
static void
test_newer_request_overtakes(void **state)
{
	struct site s;
	char first[LK_ID_MAX];
	LK_CLEANUP(lk_record_done) struct lk_run_record old = LK_RECORD_INIT(run);

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_VOUCHERED);
	memcpy(first, site_run(&s)->id, sizeof first);
	s.clock.seconds++;
	assert_int_equal(site_request_voucher(&s, "nonce", "\"another-nonce\""), 0);
	assert_string_not_equal(site_run(&s)->id, first);
	assert_string_equal(s.run.state, "requested");
	memcpy(old.id, first, sizeof first);
	must_succeed(lk_store_get(s.store, LK_RUN_BY_ID, &old.record, e));
	assert_string_equal(old.state, "failed");
	/* the device's word is about the newest one */
	site_ask(&s, &s.pki.device.chain, LK_EP_BRSKI_VOUCHER_STATUS, STATUS_TRUE);
	assert_site_refused(&s, LK_R_RUN_ORDER);
	site_done(&s);
}

/* A run that is done is not undone by the next one. */
static void
test_done_stays_done(void **state)
{
	struct site s;
	LK_CLEANUP(lk_record_done) struct lk_run_record old = LK_RECORD_INIT(run);

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	memcpy(old.id, site_run(&s)->id, sizeof old.id);
	s.clock.seconds++;
	assert_int_equal(site_request_voucher(&s, "nonce", "\"another-nonce\""), 0);
	must_succeed(lk_store_get(s.store, LK_RUN_BY_ID, &old.record, e));
	assert_string_equal(old.state, "done");
	site_done(&s);
}

/* Those that a certificate came of are not forgotten, however long ago that was. */
/*= Latchkey run: of a device's failed runs the newest are kept =*/
static void
test_a_device_that_tries_for_ever(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_run_record first = LK_RECORD_INIT(run);
	struct site s;
	char nonce[32];
	int i;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ENROLLED);
	memcpy(first.id, site_run(&s)->id, sizeof first.id);
	for (i = 0; i < 40; i++) {
		snprintf(nonce, sizeof nonce, "\"nonce-%04d\"", i);
		assert_int_equal(site_request_voucher(&s, "nonce", nonce), 0);
		site_masa(&s, 404, LK_TYPE_TEXT, LK_SLICE_LIT("no"));
	}
	assert_int_equal(site_count(&s, LK_KIND_run), 32);
	must_succeed(lk_store_get(s.store, LK_RUN_BY_ID, &first.record, e));
	assert_string_equal(first.state, "failed");
	site_request_again(&s);
	assert_site_refused(&s, LK_R_REQUEST_STALE);
	site_done(&s);
}

/*= RFC9562 6.2: ids of one maker are in the order of their making =*/
static void
test_newest_when_the_clock_was_put_back(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	assert_int_equal(site_request_voucher(&s, "nonce", "\"another-nonce\""), 0);
	site_masa(&s, 404, LK_TYPE_TEXT, LK_SLICE_LIT("no"));
	s.clock.seconds -= 5;
	site_until(&s, SITE_JUDGED);
	assert_int_equal(s.run.expires_at, s.clock.seconds + s.settings.run_seconds);
	site_operate(&s, "device.deny", "{\"device\":\"" PKI_SERIAL "\"}");
	assert_string_equal(site_run(&s)->state, "failed");
	site_done(&s);
}

/* Nor by what the device reports afterwards, however often: that is on record, and no more. */
static void
test_reports_on_a_closed_run(void **state)
{
	const struct lk_slice no = LK_SLICE_LIT("{\"version\":1,\"status\":false}");
	struct site s;
	int i;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	assert_int_equal(
		site_ask(&s, &s.pki.device.chain, LK_EP_BRSKI_VOUCHER_STATUS, no), 200);
	assert_string_equal(site_run(&s)->state, "done");
	for (i = 0; i < 100; i++)
		assert_int_equal(site_ask(&s, &s.ldevid, LK_EP_BRSKI_ENROLLSTATUS, no), 200);
	assert_string_equal(site_run(&s)->state, "done");
	site_event(&s, "voucher-rejected");
	site_event(&s, "enrolment-failed");
	site_done(&s);
}

/*= Latchkey run: at most one LDevID, within run_seconds of leaving the waiting room =*/
static void
test_time_limit(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_JUDGED);
	s.clock.seconds += s.settings.run_seconds + 1;
	site_enrol(&s);
	assert_site_refused(&s, LK_R_RUN_OVER);
	assert_int_equal(site_count(&s, LK_KIND_certificate), 0);
	site_ask(&s, &s.pki.device.chain, LK_EP_BRSKI_VOUCHER_STATUS, STATUS_TRUE);
	assert_site_refused(&s, LK_R_RUN_OVER);
	s.clock.seconds--; /* its last second */
	assert_int_equal(site_enrol(&s), 200);
	site_done(&s);
}

static void
test_sweep(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "ask");
	site_request_voucher(&s, NULL, NULL);
	site_pass(&s, s.settings.ask_seconds);
	assert_string_equal(site_run(&s)->state, "waiting");
	site_pass(&s, 10);
	assert_string_equal(site_run(&s)->state, "failed");
	assert_string_equal(site_event(&s, "run-over")->run_id, s.run.id);
	/* of the device, so that it is in its timeline */
	assert_string_equal(site_event(&s, "run-over")->device_id, s.run.device_id);
	site_request_again(&s);
	assert_site_refused(&s, LK_R_REQUEST_STALE);
	site_done(&s);
}

static void
test_sweep_when_the_clock_was_put_back(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_pass(&s, 20);
	s.clock.seconds -= 3600;
	site_until(&s, SITE_REQUESTED);
	site_pass(&s, s.settings.run_seconds + 10);
	assert_string_equal(site_run(&s)->state, "failed");
	site_done(&s);
}

/* Every state that waits for somebody is swept, done and failed ones are not. */
static void
test_sweep_of_each_state(void **state)
{
	(void)state;
	for (int step = SITE_REQUESTED; step <= SITE_DONE; step++) {
		struct site s;

		site_init(&s, "allow");
		site_until(&s, (enum site_step)step);
		site_pass(&s, s.settings.run_seconds + 10);
		assert_string_equal(
			site_run(&s)->state, step == SITE_DONE || step == SITE_ENROLLED
						     ? step == SITE_DONE ? "done" : "enrolled"
						     : "failed");
		site_done(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_other_steps),
		cmocka_unit_test(test_library_of_the_device),
		cmocka_unit_test(test_tls_facts),
		cmocka_unit_test(test_newer_request_overtakes),
		cmocka_unit_test(test_done_stays_done),
		cmocka_unit_test(test_newest_when_the_clock_was_put_back),
		cmocka_unit_test(test_a_device_that_tries_for_ever),
		cmocka_unit_test(test_reports_on_a_closed_run),
		cmocka_unit_test(test_time_limit),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_sweep_when_the_clock_was_put_back),
		cmocka_unit_test(test_sweep_of_each_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
