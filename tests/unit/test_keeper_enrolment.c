/* SPDX-License-Identifier: Apache-2.0
 *
 * Enrolment by EST in a run, and renewal: who may have which certificate, when,
 * and how many.
 */
#include "keeper_cast.h"

#include "artefact/csr.h"
#include "base/encode.h"
#include "lifecycle/state.h"

static int64_t
ask(struct site *s, const struct lk_certs *chain, enum lk_ep endpoint)
{
	return site_ask(s, chain, endpoint, lk_buf_slice(&s->csr));
}

/*= RFC7030 4.1.2: no client authentication is asked for cacerts =*/
static void
test_cacerts(void **state)
{
	struct site s;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };

	(void)state;
	site_init(&s, "deny");
	assert_int_equal(site_ask(&s, NULL, LK_EP_EST_CACERTS, lk_slice(NULL, 0)), 200);
	must_succeed(lk_base64_decode(s.reply.body, LK_BASE64_WHITESPACE, &der, e));
	must_succeed(lk_certs_parse_pkcs7(lk_buf_slice(&der), &certs, e));
	assert_int_equal(certs.n, s.ca.n);
	assert_int_equal(
		site_ask(&s, &s.pki.stranger.chain, LK_EP_EST_CACERTS, lk_slice(NULL, 0)), 200);
	site_done(&s);
}

/*= RFC7030 4.4: server-side key generation is optional; here keys never leave devices =*/
static void
test_what_is_not_offered(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_JUDGED);
	site_ask(&s, &s.pki.device.chain, LK_EP_EST_SERVERKEYGEN, LK_SLICE_LIT("x"));
	assert_site_refused(&s, LK_R_EST_NOT_OFFERED);
	assert_int_equal(s.reply.status, 501);
	site_ask(&s, &s.pki.device.chain, LK_EP_EST_FULLCMC, LK_SLICE_LIT("x"));
	assert_site_refused(&s, LK_R_EST_NOT_OFFERED);
	site_done(&s);
}

/*= RFC8995 5.9: enrolment follows the voucher that the pledge accepted =*/
static void
test_enrolment_out_of_order(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_enrol(&s);
	assert_site_refused(&s, LK_R_RUN_NONE);
	site_until(&s, SITE_REQUESTED);
	site_enrol(&s);
	assert_site_refused(&s, LK_R_RUN_ORDER);
	site_masa_voucher(&s, NULL, NULL, NULL);
	site_enrol(&s);
	assert_site_refused(&s, LK_R_RUN_ORDER);
	site_ask(&s, &s.pki.stranger.chain, LK_EP_EST_SIMPLEENROLL, lk_buf_slice(&s.csr));
	assert_site_refused(&s, LK_R_MANUFACTURER_UNKNOWN);
	site_done(&s);
}

/*= RFC7030 4.2.3: 202 and Retry-After while the request cannot be decided yet =*/
static void
test_enrolment_waits(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ACCEPTED); /* its audit log is on the way */
	assert_int_equal(site_enrol(&s), 202);
	assert_int_equal(s.reply.retry_after, s.settings.retry_after);
	site_masa_log(&s, &s.pki.domain, PKI_NONCE);
	s.signer_waits = true;
	assert_int_equal(site_enrol(&s), 0);
	assert_int_equal(site_enrol(&s), 202); /* the signer is asked already */
	assert_int_equal(s.n_asked, s.asked_before);
	site_done(&s);
}

/*= RFC8995 5.9.2: the CSR is checked against the attributes that were asked for =*/
static void
test_requests_for_too_much(void **state)
{
	static const struct {
		struct site_csr request;
		enum lk_reason reason;
	} rows[] = {
		{ { .cn = NULL }, LK_R_CSR_ATTRS },
		{ { .serial_number = "LK-0002" }, LK_R_CSR_SUBJECT },
		{ { .serial_number = PKI_SERIAL, .cn = "router" }, LK_R_CSR_SUBJECT },
		{ { .serial_number = PKI_SERIAL,
			  .ext = "basicConstraints",
			  .value = "critical,CA:TRUE" },
			LK_R_CSR_CA },
		{ { .serial_number = PKI_SERIAL,
			  .ext = "subjectAltName",
			  .value = "DNS:a.example" },
			LK_R_CSR_SAN },
		{ { .serial_number = PKI_SERIAL,
			  .ext = "subjectAltName",
			  .value = "URI:urn:uuid:0" },
			LK_R_CSR_SAN },
	};
	struct site s;
	LK_CLEANUP(lk_key_freep) struct lk_key *other = NULL;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_JUDGED);
	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++) {
		site_make_csr(&s, s.ldevid_key, &rows[i].request);
		site_enrol(&s);
		assert_site_refused(&s, rows[i].reason);
	}
	must_succeed(lk_key_ephemeral(LK_KEY_P256, &other, e));
	site_make_csr(&s, s.ldevid_key,
		&(struct site_csr){ .serial_number = PKI_SERIAL, .signed_by = other });
	site_enrol(&s);
	assert_site_refused(&s, LK_R_CSR_POP);
	other = lk_key_free(other);
	must_succeed(lk_key_ephemeral(LK_KEY_P384, &other, e)); /* not what policy takes here */
	site_make_csr(&s, other, &(struct site_csr){ .serial_number = PKI_SERIAL });
	site_enrol(&s);
	assert_site_refused(&s, LK_R_CRYPTO_POLICY);
	site_ask(&s, &s.pki.device.chain, LK_EP_EST_SIMPLEENROLL, LK_SLICE_LIT("%%%"));
	assert_site_refused(&s, LK_R_SYNTAX_BASE64);
	assert_string_equal(site_run(&s)->state, "accepted"); /* a better request may follow */
	site_done(&s);
}

/*= SEC-02: the LDevID keeps the original identity beside the local one =*/
static void
test_what_an_ldevid_says(void **state)
{
	struct site s;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	LK_CLEANUP(lk_freep) char *uri = NULL;
	char text[LK_CERT_NAME_MAX];

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ENROLLED);
	c = site_answered(&s);
	must_succeed(lk_cert_check_profile(c, LK_PROFILE_LDEVID, e));
	lk_cert_subject(c, "2.5.4.5", text);
	assert_string_equal(text, PKI_SERIAL);
	lk_cert_subject(c, "2.5.4.3", text);
	assert_string_equal(text, site_device(&s)->id);
	uri = pki_text("urn:uuid:%s", s.device.id);
	assert_non_null(memmem(lk_cert_der(c).p, lk_cert_der(c).n, uri, strlen(uri)));
	assert_int_equal(lk_cert_not_after(c), PKI_NOW + s.settings.ldevid_seconds);
	assert_string_equal(s.device.ldevid_serial, site_certificate(&s)->serial);
	assert_int_equal(s.device.ldevid_not_after, lk_cert_not_after(c));
	assert_string_equal(s.certificate.status, "issued");
	assert_string_equal(s.certificate.run_id, site_run(&s)->id);
	assert_int_equal(s.device.state, LK_STATE_S8); /* it has yet to connect */
	site_done(&s);
}

/*= Latchkey run: one run yields at most one LDevID =*/
static void
test_one_ldevid_of_a_run(void **state)
{
	struct site s;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *first = NULL, *again = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf old = LK_BUF_INIT(LK_CSR_BODY_MAX);

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ENROLLED);
	first = site_answered(&s);
	assert_int_equal(site_enrol(&s), 200); /* the same bytes: the answer was lost */
	again = site_answered(&s);
	assert_true(lk_slice_eq(lk_cert_der(first), lk_cert_der(again)));
	must_succeed(lk_buf_append(&old, lk_buf_slice(&s.csr), e));
	site_make_csr(&s, s.ldevid_key, &(struct site_csr){ .serial_number = PKI_SERIAL });
	site_enrol(&s);
	assert_site_refused(&s, LK_R_RUN_ORDER);
	site_ask(&s, &s.ldevid, LK_EP_BRSKI_ENROLLSTATUS,
		LK_SLICE_LIT("{\"version\":1,\"status\":true}"));
	site_ask(&s, &s.pki.device.chain, LK_EP_EST_SIMPLEENROLL, lk_buf_slice(&old));
	assert_site_refused(&s, LK_R_RUN_ORDER);
	assert_int_equal(site_count(&s, LK_KIND_certificate), 1);
	site_done(&s);
}

/* The signer failed, or the keeper was started anew while it was asked: the same request again gets
 * the certificate that was decided on, and no second one. */
/*= Latchkey run: one run yields at most one LDevID =*/
static void
test_enrolment_goes_on(void **state)
{
	struct site s;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	char decided[LK_CERT_SERIAL_HEX_MAX], got[LK_CERT_SERIAL_HEX_MAX];

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_JUDGED);
	s.signer_waits = true;
	assert_int_equal(site_enrol(&s), 0);
	memcpy(decided, site_certificate(&s)->serial, sizeof decided);
	site_fail(&s, LK_ROLE_SIGNER, LK_R_ROLE_SILENT);
	assert_int_equal(s.reply.status, lk_reason_http_status(LK_R_ROLE_SILENT));
	assert_int_equal(site_enrol(&s), 0);
	assert_non_null(site_question(&s, LK_ROLE_SIGNER));
	site_restart(&s);
	s.signer_waits = false;
	assert_int_equal(site_enrol(&s), 200);
	c = site_answered(&s);
	lk_cert_serial(c, got);
	assert_string_equal(got, decided);
	assert_string_equal(site_run(&s)->state, "enrolled");
	assert_int_equal(site_count(&s, LK_KIND_certificate), 1);
	site_done(&s);
}

/* An LDevID does not outlive the CA that signed it. */
static void
test_life_within_the_cas(void **state)
{
	struct site s;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;

	(void)state;
	site_init(&s, "allow");
	s.clock.seconds = lk_cert_not_after(pki_cert(&s.device_ca)) - PKI_DAY;
	site_until(&s, SITE_ENROLLED);
	c = site_answered(&s);
	assert_int_equal(lk_cert_not_after(c), lk_cert_not_after(pki_cert(&s.device_ca)));
	site_done(&s);
}

/* Decided, and revoked before the signer was done. */
static void
test_revoked_while_it_is_signed(void **state)
{
	struct site s;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(65536);
	struct lk_signed_body b;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_JUDGED);
	s.signer_waits = true;
	assert_int_equal(site_enrol(&s), 0);
	must_succeed(lk_signer_sign(s.signer, LK_ROLE_KEEPER, LK_BODY_sign_certificate,
		&site_question(&s, LK_ROLE_SIGNER)->body, &der, e));
	assert_int_equal(
		site_operate(&s, "device.revoke", "{\"device\":\"" PKI_SERIAL "\"}"), LK_R_NONE);
	b.bytes = lk_buf_slice(&der);
	site_answer(&s, LK_ROLE_SIGNER, LK_BODY_signed, &b);
	assert_int_equal(s.reply.status, 403);
	assert_string_equal(site_event(&s, "certificate-withheld")->reason, "cert-revoked");
	assert_string_equal(site_device(&s)->ldevid_serial, "");
	assert_string_equal(site_certificate(&s)->status, "revoked");
	site_done(&s);
}

/* The device began anew before the signer was done. */
/*= Latchkey run: nothing more comes of a run that ended =*/
static void
test_overtaken_while_it_is_signed(void **state)
{
	struct site s;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(65536);
	struct lk_signed_body b;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_JUDGED);
	s.signer_waits = true;
	assert_int_equal(site_enrol(&s), 0);
	must_succeed(lk_signer_sign(s.signer, LK_ROLE_KEEPER, LK_BODY_sign_certificate,
		&site_question(&s, LK_ROLE_SIGNER)->body, &der, e));
	assert_int_equal(site_request_voucher(&s, "nonce", "\"another-nonce\""), 0);
	b.bytes = lk_buf_slice(&der);
	site_answer(&s, LK_ROLE_SIGNER, LK_BODY_signed, &b);
	assert_int_equal(s.reply.status, lk_reason_http_status(LK_R_RUN_OVER));
	assert_string_equal(site_event(&s, "certificate-withheld")->reason, "run-over");
	assert_string_equal(site_device(&s)->ldevid_serial, "");
	assert_string_equal(site_certificate(&s)->status, "revoked");
	assert_string_equal(s.certificate.reason, "cessationOfOperation");
	assert_string_equal(site_run(&s)->state, "requested"); /* the new one goes on */
	site_done(&s);
}

/* --- renewal ---------------------------------------------------------------------------------- */

static void
renewal_request(struct site *s, const struct lk_key *key)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	const struct lk_csr_spec spec = { .renewed = s->ldevid.v[0] };

	lk_buf_clear(&s->csr);
	must_succeed(lk_csr_build(&spec, key, &der, e));
	must_succeed(lk_base64_encode(lk_buf_slice(&der), &s->csr, e));
}

static void
test_renewal(void **state)
{
	struct site s;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	LK_CLEANUP(lk_key_freep) struct lk_key *next = NULL;
	char first[LK_CERT_SERIAL_HEX_MAX];

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	memcpy(first, site_device(&s)->ldevid_serial, sizeof first);
	must_succeed(lk_key_ephemeral(LK_KEY_P256, &next, e));
	renewal_request(&s, next);
	s.clock.seconds += 20 * PKI_DAY;
	assert_int_equal(ask(&s, &s.ldevid, LK_EP_EST_SIMPLEREENROLL), 200);
	c = site_answered(&s);
	assert_int_equal(lk_cert_not_after(c), s.clock.seconds + s.settings.ldevid_seconds);
	assert_string_not_equal(site_device(&s)->ldevid_serial, first);
	assert_int_equal(site_count(&s, LK_KIND_certificate), 2);
	/* the one before still lets it in: an answer may be lost */
	assert_int_equal(
		site_ask(&s, &s.ldevid, LK_EP_ONBOARDING_INFORMATION, lk_slice(NULL, 0)), 200);
	site_done(&s);
}

/*= Latchkey EST: nobody gets more certificates in a day than renewal can need =*/
static void
test_too_many_renewals(void **state)
{
	struct site s;
	int i;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	renewal_request(&s, s.ldevid_key);
	for (i = 1; i < 32; i++)
		assert_int_equal(ask(&s, &s.ldevid, LK_EP_EST_SIMPLEREENROLL), 200);
	assert_int_equal(ask(&s, &s.ldevid, LK_EP_EST_SIMPLEREENROLL), 429);
	assert_site_refused(&s, LK_R_EST_TOO_MANY);
	s.clock.seconds += PKI_DAY;
	assert_int_equal(ask(&s, &s.ldevid, LK_EP_EST_SIMPLEREENROLL), 200);
	site_done(&s);
}

static void
test_renewals_that_are_none(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	site_make_csr(&s, s.ldevid_key, &(struct site_csr){ .serial_number = PKI_SERIAL });
	ask(&s, &s.ldevid, LK_EP_EST_SIMPLEREENROLL);
	assert_site_refused(&s, LK_R_CSR_RENEWAL); /* its names are not those of the LDevID */
	renewal_request(&s, s.ldevid_key);
	ask(&s, &s.pki.device.chain, LK_EP_EST_SIMPLEREENROLL);
	assert_site_refused(&s, LK_R_CERT_CHAIN);
	ask(&s, NULL, LK_EP_EST_SIMPLEREENROLL);
	assert_site_refused(&s, LK_R_NO_CLIENT_CERT);
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cacerts),
		cmocka_unit_test(test_what_is_not_offered),
		cmocka_unit_test(test_enrolment_out_of_order),
		cmocka_unit_test(test_enrolment_waits),
		cmocka_unit_test(test_requests_for_too_much),
		cmocka_unit_test(test_what_an_ldevid_says),
		cmocka_unit_test(test_one_ldevid_of_a_run),
		cmocka_unit_test(test_enrolment_goes_on),
		cmocka_unit_test(test_life_within_the_cas),
		cmocka_unit_test(test_revoked_while_it_is_signed),
		cmocka_unit_test(test_overtaken_while_it_is_signed),
		cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_renewals_that_are_none),
		cmocka_unit_test(test_too_many_renewals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
