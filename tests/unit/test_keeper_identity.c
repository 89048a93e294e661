/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is at the other end: IDevIDs by their manufacturers, LDevIDs by our own CA,
 * and everybody else.
 */
#include "keeper_cast.h"

#include "store/backend.h"

/* The device of that name asks for a voucher; its manufacturer's chain comes along or not. */
static int64_t
present(struct site *s, const struct pki_id *who)
{
	return site_ask(s, &who->chain, LK_EP_BRSKI_REQUESTVOUCHER, LK_SLICE_LIT("x"));
}

/* Changes the manufacturer's record behind the keeper's back. */
static void
set_manufacturer(struct site *s, const char *trust, bool allow_tls12, bool ignore_expiry)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record m = LK_RECORD_INIT(manufacturer);

	set_text(m.id, SITE_VENDOR);
	must_succeed(lk_store_get(s->store, LK_MANUFACTURER_BY_ID, &m.record, e));
	set_text(m.trust, trust);
	m.allow_tls12 = allow_tls12;
	m.ignore_idevid_expiry = ignore_expiry;
	site_put(s, &m.record);
	site_restart(s);
}

/*= RFC8995 5.1: the pledge authenticates with its IDevID in TLS =*/
static void
test_no_client_certificate(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_ask(&s, NULL, LK_EP_BRSKI_REQUESTVOUCHER, LK_SLICE_LIT("x"));
	assert_site_refused(&s, LK_R_NO_CLIENT_CERT);
	assert_true(site_event_says(&s, "refused", SITE_ADDRESS));
	site_done(&s);
}

/*= RFC8995 5.2: the registrar accepts IDevIDs of manufacturers that it trusts =*/
static void
test_foreign_idevid(void **state)
{
	struct site s;
	struct pki_id self_signed, forged;
	struct pki_spec spec = { .cn = "Thing", .serial_number = PKI_SERIAL };

	(void)state;
	site_init(&s, "allow");
	present(&s, &s.pki.stranger);
	assert_site_refused(&s, LK_R_MANUFACTURER_UNKNOWN);
	assert_true(site_event_says(&s, "refused", "CN=Stranger CA"));
	pki_issue(NULL, &spec, &self_signed);
	present(&s, &self_signed);
	assert_site_refused(&s, LK_R_MANUFACTURER_UNKNOWN);
	/* a CA with the manufacturer's name and another key */
	pki_issue(NULL, &(struct pki_spec){ .cn = "Vendor CA", .ca = true }, &forged);
	pki_id_done(&self_signed);
	pki_issue(&forged, &spec, &self_signed);
	present(&s, &self_signed);
	assert_site_refused(&s, LK_R_MANUFACTURER_UNKNOWN);
	assert_int_equal(site_count(&s, LK_KIND_device), 0);
	pki_id_done(&self_signed);
	pki_id_done(&forged);
	site_done(&s);
}

static void
test_garbage_for_a_certificate(void **state)
{
	struct site s;
	struct lk_web_request_body w = { .endpoint = LK_EP_BRSKI_REQUESTVOUCHER };
	LK_CLEANUP(lk_buf_done) struct lk_buf list = LK_BUF_INIT(100);
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(10000);

	(void)state;
	site_init(&s, "allow");
	must_succeed(lk_list_add(&list, LK_SLICE_LIT("\x30\x03\x02\x01\x01"), e));
	w.chain = lk_buf_slice(&list);
	must_succeed(lk_body_pack(LK_BODY_web_request, &w, &packed, e));
	must_succeed(lk_turn_receive(
		s.turn, LK_ROLE_FRONT, 0, 1, LK_BODY_web_request, lk_buf_slice(&packed), e));
	must_succeed(lk_turn_flush(s.turn, e));
	assert_string_equal(site_event(&s, "refused")->reason, "cert-syntax");
	site_done(&s);
}

/* Each manufacturer is looked for by its own anchors: the second is found, too. */
static void
test_each_manufacturer_has_its_anchors(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_add_manufacturer(&s, "another", &s.pki.stranger_ca, "allow");
	present(&s, &s.pki.device);
	assert_site_refused(&s, LK_R_CMS_SYNTAX); /* the identity was fine, the body is not */
	present(&s, &s.pki.stranger);
	assert_site_refused(&s, LK_R_CMS_SYNTAX);
	site_done(&s);
}

/*= A1.2: a device of a manufacturer that is not trusted is refused before anything leaves the
 * network =*/
static void
test_distrusted_manufacturer(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	set_manufacturer(&s, "distrusted", false, false);
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_MANUFACTURER_DISTRUSTED);
	assert_null(site_question(&s, LK_ROLE_COURIER));
	set_manufacturer(&s, "trusted", false, false);
	assert_int_equal(site_request_again(&s), 0);
	assert_non_null(site_question(&s, LK_ROLE_COURIER));
	site_done(&s);
}

/* What was found out about a certificate is remembered, but not beyond a change of trust. */
static void
test_distrust_holds_at_once(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "ask");
	assert_int_equal(site_request_voucher(&s, NULL, NULL), 202);
	assert_int_equal(site_operate(&s, "manufacturer.distrust", "{\"manufacturer\":\"vendor\"}"),
		LK_R_NONE);
	site_request_again(&s);
	assert_site_refused(&s, LK_R_MANUFACTURER_DISTRUSTED);
	site_done(&s);
}

/*= Latchkey confidentiality: an IDevID is taken over TLS 1.3 only, unless its manufacturer is
 * exempt =*/
static void
test_idevid_needs_tls13(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	s.tls_version = "TLSv1.2";
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_IDEVID_TLS);
	set_manufacturer(&s, "trusted", true, false);
	assert_int_equal(site_request_again(&s), 0);
	site_done(&s);
}

static void
test_expired_idevid(void **state)
{
	struct site s;
	struct pki_id old;
	struct pki_spec spec = {
		.cn = "Old thing", .serial_number = "LK-OLD", .not_after = PKI_NOW - 1
	};

	(void)state;
	site_init(&s, "allow");
	pki_issue(&s.pki.vendor, &spec, &old);
	present(&s, &old);
	assert_site_refused(&s, LK_R_CERT_TIME);
	set_manufacturer(&s, "trusted", false, true);
	present(&s, &old);
	assert_site_refused(&s, LK_R_CMS_SYNTAX); /* of the body: the certificate passed */
	pki_id_done(&old);
	site_done(&s);
}

/* Of a known manufacturer, and yet refused: the reason is said, not that nobody knows it. */
static void
test_weak_idevid(void **state)
{
	struct site s;
	struct pki_id weak;
	struct pki_spec spec = { .cn = "Weak thing", .serial_number = "LK-WEAK", .sha1 = true };

	(void)state;
	site_init(&s, "allow");
	pki_issue(&s.pki.vendor, &spec, &weak);
	present(&s, &weak);
	assert_site_refused(&s, LK_R_CRYPTO_POLICY);
	pki_id_done(&weak);
	site_done(&s);
}

/* A verdict is good for a minute: what expires in between is found out. */
static void
test_verdicts_age(void **state)
{
	struct site s;
	struct pki_id brief;
	struct pki_spec spec = {
		.cn = "Brief", .serial_number = "LK-B", .not_after = PKI_NOW + 30
	};

	(void)state;
	site_init(&s, "allow");
	pki_issue(&s.pki.vendor, &spec, &brief);
	present(&s, &brief);
	assert_site_refused(&s, LK_R_CMS_SYNTAX);
	site_pass(&s, 60);
	present(&s, &brief);
	assert_site_refused(&s, LK_R_CERT_TIME);
	pki_id_done(&brief);
	site_done(&s);
}

/* --- LDevIDs ---------------------------------------------------------------------------------- */

static int64_t
ask_with_ldevid(struct site *s)
{
	return site_ask(s, &s->ldevid, LK_EP_ONBOARDING_INFORMATION, lk_slice(NULL, 0));
}

/*= SEC-06: a revoked certificate is refused =*/
static void
test_revoked_ldevid(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	assert_int_equal(ask_with_ldevid(&s), 200);
	assert_int_equal(
		site_operate(&s, "device.revoke", "{\"device\":\"" PKI_SERIAL "\"}"), LK_R_NONE);
	ask_with_ldevid(&s);
	assert_site_refused(&s, LK_R_CERT_REVOKED);
	site_ask(&s, &s.ldevid, LK_EP_EST_SIMPLEREENROLL, lk_buf_slice(&s.csr));
	assert_site_refused(&s, LK_R_CERT_REVOKED);
	site_done(&s);
}

/* By our CA, but in no record: a stolen key's work, or a store that was set back. */
static void
test_ldevid_without_record(void **state)
{
	struct site s;
	struct pki_id ghost;

	(void)state;
	site_init(&s, "allow");
	pki_issue(&s.device_ca, &(struct pki_spec){ .cn = "Ghost" }, &ghost);
	site_ask(&s, &ghost.chain, LK_EP_ONBOARDING_INFORMATION, lk_slice(NULL, 0));
	assert_site_refused(&s, LK_R_CERT_UNKNOWN);
	pki_id_done(&ghost);
	site_done(&s);
}

static void
test_ldevid_of_others(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	/* an IDevID opens nothing that an LDevID opens, not even after it was looked up as one */
	site_until(&s, SITE_REQUESTED);
	site_ask(&s, &s.pki.device.chain, LK_EP_ONBOARDING_INFORMATION, lk_slice(NULL, 0));
	assert_site_refused(&s, LK_R_CERT_CHAIN);
	/* neither does what another CA of this network's root signed */
	site_ask(&s, &s.pki.registrar.chain, LK_EP_ONBOARDING_INFORMATION, lk_slice(NULL, 0));
	assert_site_refused(&s, LK_R_CERT_CHAIN);
	site_ask(&s, NULL, LK_EP_ONBOARDING_INFORMATION, lk_slice(NULL, 0));
	assert_site_refused(&s, LK_R_NO_CLIENT_CERT);
	site_done(&s);
}

static void
test_expired_ldevid(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	site_pass(&s, s.settings.ldevid_seconds + 1);
	ask_with_ldevid(&s);
	assert_site_refused(&s, LK_R_CERT_TIME);
	site_done(&s);
}

/* An LDevID is no IDevID: it begins no onboarding. */
static void
test_ldevid_is_no_idevid(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	ask_with_ldevid(&s); /* its verdict is remembered */
	site_ask(&s, &s.ldevid, LK_EP_BRSKI_REQUESTVOUCHER, lk_buf_slice(&s.request));
	assert_site_refused(&s, LK_R_MANUFACTURER_UNKNOWN);
	site_done(&s);
}

/* Whoever comes with a name that is cut in the middle of a character is on record all the same. */
static void
test_long_names(void **state)
{
	struct site s;
	LK_CLEANUP(pki_id_done) struct pki_id who = { .key = NULL };
	char cn[1 + 63 * 4 + 1] = "a"; /* as many characters as a name may have */
	size_t i;

	(void)state;
	for (i = 0; i < 63; i++)
		memcpy(cn + 1 + 4 * i, "\xf0\x9f\x94\x91", 5);
	site_init(&s, "allow");
	pki_issue(&s.pki.stranger_ca, &(struct pki_spec){ .cn = cn }, &who);
	site_ask(&s, &who.chain, LK_EP_BRSKI_REQUESTVOUCHER, LK_SLICE_LIT("x"));
	assert_site_refused(&s, LK_R_MANUFACTURER_UNKNOWN);
	assert_true(site_event_says(&s, "refused", "\x91???\""));
	site_done(&s);
}

static const struct lk_store_ops *sound;
static bool committed;

static struct lk_result
note_commit(struct lk_store *store, enum lk_txn_step step, struct lk_err *e)
{
	committed |= step == LK_TXN_COMMIT;
	return sound->txn(store, step, e);
}

static struct lk_result
read_until_commit(struct lk_store *store, const struct lk_scan *scan, struct lk_record *r,
	bool *ret_found, struct lk_err *e)
{
	LK_REQUIRE(!committed, e, LK_R_STORE_IO, "so says the test");
	return sound->seek(store, scan, r, ret_found, e);
}

/* A change is committed and cannot be read: nobody is known, and all are when it can be read. */
static void
test_manufacturers_cannot_be_loaded(void **state)
{
	const struct lk_operator_request_body b = { .action = "manufacturer.distrust",
		.actor = SITE_OPERATOR,
		.arguments = LK_SLICE_LIT("{\"manufacturer\":\"another\"}") };
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(4096);
	struct lk_store_ops faulty;
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_add_manufacturer(&s, "another", &s.pki.stranger_ca, "allow");
	sound = s.store->ops;
	faulty = *sound;
	faulty.txn = note_commit;
	faulty.seek = read_until_commit;
	committed = false;
	s.store->ops = &faulty;
	must_succeed(lk_body_pack(LK_BODY_operator_request, &b, &packed, e));
	must_succeed(lk_turn_receive(
		s.turn, LK_ROLE_DESK, 0, 1, LK_BODY_operator_request, lk_buf_slice(&packed), e));
	must_succeed(lk_turn_flush(s.turn, e));
	s.store->ops = sound;
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_MANUFACTURER_UNKNOWN);
	site_pass(&s, 10);
	assert_int_equal(site_request_again(&s), 0);
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_client_certificate),
		cmocka_unit_test(test_foreign_idevid),
		cmocka_unit_test(test_garbage_for_a_certificate),
		cmocka_unit_test(test_each_manufacturer_has_its_anchors),
		cmocka_unit_test(test_distrusted_manufacturer),
		cmocka_unit_test(test_distrust_holds_at_once),
		cmocka_unit_test(test_idevid_needs_tls13),
		cmocka_unit_test(test_expired_idevid),
		cmocka_unit_test(test_weak_idevid),
		cmocka_unit_test(test_verdicts_age),
		cmocka_unit_test(test_revoked_ldevid),
		cmocka_unit_test(test_ldevid_without_record),
		cmocka_unit_test(test_ldevid_of_others),
		cmocka_unit_test(test_expired_ldevid),
		cmocka_unit_test(test_ldevid_is_no_idevid),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_manufacturers_cannot_be_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
