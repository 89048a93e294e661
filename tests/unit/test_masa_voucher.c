/* SPDX-License-Identifier: Apache-2.0
 *
 * Who gets a voucher from the MASA and who does not (RFC 8995 5.5, 5.6), as registrars see it:
 * request in, reply out. The rules on the request's own form are proven in
 * test_voucher_request.c; here, that the service asks for them and what each refusal leaves.
 */
#include "masa_cast.h"

#include "artefact/voucher.h"

static const struct lk_masa_settings wide = { LK_PIN_FARTHEST, 1200, false };

static struct masa masa;

static void
refuses(const struct lk_buf *request, enum lk_reason want)
{
	masa_refuses(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(request), want);
}

static void
refuses_strangers(const struct lk_buf *request, enum lk_reason want)
{
	masa_refuses_strangers(&masa, LK_EP_MASA_REQUESTVOUCHER, lk_buf_slice(request), want);
}

/* A voucher comes, signed by the MASA's key. Caller frees. */
static struct lk_voucher *
grants(const struct lk_buf *request)
{
	struct lk_voucher *v = NULL;

	masa_ask(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(request));
	if (masa.reply.status != 200)
		fail_msg("%s", lk_buf_str(&masa.reply_body));
	assert_string_equal(masa.reply.content_type, LK_TYPE_VOUCHER);
	MASA_OK(lk_voucher_parse(masa.reply.body, &v, &masa_err));
	MASA_OK(lk_cms_verify(v->cms, pki_cert(&masa.cast.masa), &masa_err));
	return v;
}

/* The only entry of the audit log. */
static void
audit_entry(struct lk_audit_entry_record *ret)
{
	struct lk_scan scan = { .index = LK_AUDIT_ENTRY_BY_ID };
	bool found;

	MASA_OK(lk_store_next(masa.store, &scan, &ret->record, &found, &masa_err));
	assert_true(found);
}

static void
get_device(const char *id, struct lk_masa_device_record *ret)
{
	masa_set(ret->id, id);
	MASA_OK(lk_store_get(masa.store, LK_MASA_DEVICE_BY_ID, &ret->record, &masa_err));
}

/* --- the owner -------------------------------------------------------------------------------- */

/*= SEC-18: only the owner of the moment gets a voucher =*/
static void
test_the_owner_gets_a_voucher(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);

	(void)state;
	masa_own(&masa);
	masa_request(&masa, &request);
	v = grants(&request);
	assert_int_equal(v->leaf.assertion, LK_ASSERTION_VERIFIED);
	assert_int_equal(v->leaf.created_on, PKI_NOW);
	assert_non_null(memmem(masa.reply.body.p, masa.reply.body.n, "260101120000Z", 13));
	assert_string_equal(v->leaf.serial_number, PKI_SERIAL);
	assert_string_equal(v->leaf.nonce, PKI_NONCE);
	assert_false(lk_json_has(v->leaf.present, LK_VOUCHER_EXPIRES_ON));
	assert_true(lk_idevid_issuer_matches(
		lk_buf_slice(&v->leaf.idevid_issuer), pki_cert(&masa.cast.device)));
	masa_newest_event(&masa, &ev);
	assert_string_equal(ev.type, "voucher-decided");
	assert_string_equal(ev.device_id, MASA_DEVICE);
}

/*= SEC-18: only the owner of the moment gets a voucher =*/
static void
test_others_get_none(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_freep) char *met = NULL;

	(void)state;
	masa_own(&masa);
	masa_set_claim(&masa, "nonce-proximity"); /* it is not for who owns nothing */
	met = pki_quoted_base64(lk_cert_der(pki_cert(&masa.cast.stranger)));
	masa_pledge_request(&masa, &masa.cast.device, "proximity-registrar-cert", met, &prior);
	masa_registrar_request(
		&masa, &masa.cast.stranger, lk_buf_slice(&prior), NULL, NULL, &request);
	refuses_strangers(&request, LK_R_MASA_NOT_OWNER);
	masa_add_domain(&masa, "owner-2", pki_cert(&masa.cast.stranger_ca));
	refuses_strangers(&request, LK_R_MASA_NOT_OWNER);
}

/* An owner is an id: who has sold the device on gets no more, whatever its CA. */
static void
test_a_former_owner_gets_none(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_masa_device_record d = LK_RECORD_INIT(masa_device);
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_own(&masa);
	masa_request(&masa, &request);
	lk_voucher_free(grants(&request));
	get_device(MASA_DEVICE, &d);
	masa_set(d.owner_id, "owner-2");
	masa_put(&masa, &d.record);
	/* Not even the voucher that it had once. */
	refuses_strangers(&request, LK_R_MASA_NOT_OWNER);
}

/* A domain CA is an attribute of its owner: a rollover leaves the devices where they are. */
static void
test_a_second_domain_ca_of_the_owner(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;
	LK_CLEANUP(lk_freep) char *met = NULL;

	(void)state;
	masa_own(&masa);
	masa_add_domain(&masa, MASA_OWNER, pki_cert(&masa.cast.stranger_ca));
	met = pki_quoted_base64(lk_cert_der(pki_cert(&masa.cast.stranger)));
	masa_pledge_request(&masa, &masa.cast.device, "proximity-registrar-cert", met, &prior);
	masa_registrar_request(
		&masa, &masa.cast.stranger, lk_buf_slice(&prior), NULL, NULL, &request);
	v = grants(&request);
	assert_true(lk_cert_eq(v->pinned, pki_cert(&masa.cast.stranger_ca)));
}

/* --- which device ----------------------------------------------------------------------------- */

/*= RFC8995 5.6: a device that is unknown to the MASA is 404 =*/
/*= Latchkey MASA: strangers get one 404, byte for byte the same for every device =*/
static void
test_an_unknown_device(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_add_domain(&masa, MASA_OWNER, pki_cert(&masa.cast.domain));
	masa_request(&masa, &request);
	refuses_strangers(&request, LK_R_MASA_DEVICE_UNKNOWN);
}

/*= RFC8366 5.3: idevid-issuer tells devices with one serial number apart =*/
static void
test_two_devices_with_one_serial_number(void **state)
{
	LK_CLEANUP(pki_id_done) struct pki_id other_ca, twin;
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf ambiguous = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf foreign = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_record_done) struct lk_audit_entry_record entry = LK_RECORD_INIT(audit_entry);
	LK_CLEANUP(lk_freep) char *aki = NULL;

	(void)state;
	pki_issue(NULL, &(struct pki_spec){ .cn = "Vendor's other CA", .ca = true }, &other_ca);
	pki_issue(
		&other_ca, &(struct pki_spec){ .cn = "Twin", .serial_number = PKI_SERIAL }, &twin);
	masa_own(&masa);
	masa_add_device(&masa, "a-twin", pki_cert(&twin), "owner-2");
	masa_request(&masa, &request);
	lk_voucher_free(grants(&request));
	audit_entry(&entry);
	assert_string_equal(entry.device_id, MASA_DEVICE);
	/* The twin is another's, and no device has an issuer that nobody has. */
	aki = pki_quoted_base64(lk_cert_aki_ext(pki_cert(&twin)));
	masa_registrar_request(
		&masa, &masa.cast.registrar, lk_slice(NULL, 0), "idevid-issuer", aki, &foreign);
	refuses_strangers(&foreign, LK_R_MASA_NOT_OWNER);
	lk_freep(&aki);
	aki = pki_quoted_base64(lk_cert_aki_ext(pki_cert(&masa.cast.registrar)));
	masa_registrar_request(
		&masa, &masa.cast.registrar, lk_slice(NULL, 0), "idevid-issuer", aki, &ambiguous);
	refuses_strangers(&ambiguous, LK_R_MASA_DEVICE_UNKNOWN);
}

/* Where the registrar says no issuer, the device's own signature tells it from its twin. */
static void
test_a_device_is_known_by_its_key(void **state)
{
	LK_CLEANUP(pki_id_done) struct pki_id other_ca, twin;
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_record_done) struct lk_audit_entry_record entry = LK_RECORD_INIT(audit_entry);

	(void)state;
	pki_issue(NULL, &(struct pki_spec){ .cn = "Vendor's other CA", .ca = true }, &other_ca);
	pki_issue(
		&other_ca, &(struct pki_spec){ .cn = "Twin", .serial_number = PKI_SERIAL }, &twin);
	masa_add_domain(&masa, MASA_OWNER, pki_cert(&masa.cast.domain));
	masa_add_device(&masa, "a-twin", pki_cert(&twin), "owner-2");
	masa_add_device(&masa, MASA_DEVICE, pki_cert(&masa.cast.device), MASA_OWNER);
	masa_pledge_request(&masa, &masa.cast.device, NULL, NULL, &prior);
	masa_registrar_request(
		&masa, &masa.cast.registrar, lk_buf_slice(&prior), "idevid-issuer", NULL, &request);
	lk_voucher_free(grants(&request));
	audit_entry(&entry);
	assert_string_equal(entry.device_id, MASA_DEVICE);
}

/* A certificate of the manufacturer's with the device's serial number and another key. */
static void
test_a_device_with_another_key(void **state)
{
	LK_CLEANUP(pki_id_done) struct pki_id twin;
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_own(&masa);
	pki_issue(&masa.cast.vendor,
		&(struct pki_spec){ .cn = "Twin", .serial_number = PKI_SERIAL }, &twin);
	masa_pledge_request(&masa, &twin, NULL, NULL, &prior);
	masa_registrar_request(
		&masa, &masa.cast.registrar, lk_buf_slice(&prior), NULL, NULL, &request);
	refuses_strangers(&request, LK_R_MASA_DEVICE_KEY);
}

/* --- claims ----------------------------------------------------------------------------------- */

/*= SEC-17: an unsold device is claimed only where its product line allows it =*/
static void
test_unsold_devices_wait_to_be_sold(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_add_domain(&masa, MASA_OWNER, pki_cert(&masa.cast.domain));
	masa_add_device(&masa, MASA_DEVICE, pki_cert(&masa.cast.device), "");
	masa_request(&masa, &request);
	refuses_strangers(&request, LK_R_MASA_NOT_FOR_SALE); /* no such product line */
	masa_set_claim(&masa, "none");
	refuses_strangers(&request, LK_R_MASA_NOT_FOR_SALE);
}

/*= SEC-17: an unsold device is claimed only where its product line allows it =*/
static void
test_a_claim_makes_an_owner(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_record_done) struct lk_masa_device_record d = LK_RECORD_INIT(masa_device);
	LK_CLEANUP(lk_record_done) struct lk_owner_domain_record o = LK_RECORD_INIT(owner_domain);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;

	(void)state;
	masa_set_claim(&masa, "nonce-proximity");
	masa_add_device(&masa, MASA_DEVICE, pki_cert(&masa.cast.device), "");
	masa_request(&masa, &request);
	v = grants(&request);
	assert_int_equal(v->leaf.assertion, LK_ASSERTION_PROXIMITY);
	get_device(MASA_DEVICE, &d);
	masa_spki(pki_cert(&masa.cast.domain), o.spki);
	MASA_OK(lk_store_get(masa.store, LK_OWNER_DOMAIN_BY_SPKI, &o.record, &masa_err));
	assert_int_not_equal(d.owner_id[0], 0);
	assert_string_equal(d.owner_id, o.owner_id);
}

/*= SEC-17: a claim needs a nonce and a verified prior-signed request =*/
static void
test_a_claim_is_the_devices_word(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf bare = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf nonceless = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_add_domain(&masa, MASA_OWNER, pki_cert(&masa.cast.domain));
	masa_set_claim(&masa, "nonce-proximity");
	masa_add_device(&masa, MASA_DEVICE, pki_cert(&masa.cast.device), "");
	masa_registrar_request(&masa, &masa.cast.registrar, lk_slice(NULL, 0), NULL, NULL, &bare);
	refuses_strangers(&bare, LK_R_MASA_NOT_FOR_SALE);
	masa_registrar_request(
		&masa, &masa.cast.registrar, lk_slice(NULL, 0), "nonce", NULL, &nonceless);
	refuses_strangers(&nonceless, LK_R_MASA_NOT_FOR_SALE);
}

/* The second to claim is a stranger. */
static void
test_a_device_is_claimed_once(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf late = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_freep) char *met = NULL;

	(void)state;
	masa_set_claim(&masa, "nonce-proximity");
	masa_add_device(&masa, MASA_DEVICE, pki_cert(&masa.cast.device), "");
	masa_request(&masa, &request);
	lk_voucher_free(grants(&request));
	met = pki_quoted_base64(lk_cert_der(pki_cert(&masa.cast.stranger)));
	masa_pledge_request(&masa, &masa.cast.device, "proximity-registrar-cert", met, &prior);
	masa_registrar_request(&masa, &masa.cast.stranger, lk_buf_slice(&prior), NULL, NULL, &late);
	refuses_strangers(&late, LK_R_MASA_NOT_OWNER);
}

/* --- issuing ---------------------------------------------------------------------------------- */

/*= RFC8995 5.5.2: the MASA pins the farthest certificate, or the registrar's own, by policy =*/
static void
test_pins_by_policy(void **state)
{
	static const struct lk_masa_settings narrow = { LK_PIN_REGISTRAR, 1200, false };
	LK_CLEANUP(masa_done) struct masa m;
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf again = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL, *narrowed = NULL;

	(void)state;
	masa_own(&masa);
	masa_request(&masa, &request);
	v = grants(&request);
	assert_true(lk_cert_eq(v->pinned, pki_cert(&masa.cast.domain)));
	masa_init(&m, &narrow, NULL);
	masa_own(&m);
	masa_request(&m, &again);
	masa_ask(&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&again));
	MASA_OK(lk_voucher_parse(m.reply.body, &narrowed, &masa_err));
	assert_true(lk_cert_eq(narrowed->pinned, pki_cert(&m.cast.registrar)));
}

/*= RFC8995 5.6: the audit log is appended to on every issue =*/
/*= RFC8995 5.5.6: the audit log has the nonce, null where there is none =*/
static void
test_each_issue_is_in_the_audit_log(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf second = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf id = LK_BUF_INIT(LK_CERT_KEY_ID_MAX);
	LK_CLEANUP(lk_record_done) struct lk_audit_entry_record entry = LK_RECORD_INIT(audit_entry);
	LK_CLEANUP(lk_freep) char *domain = NULL;

	(void)state;
	masa_own(&masa);
	masa_request(&masa, &request);
	lk_voucher_free(grants(&request));
	assert_int_equal(masa_audit_entries(&masa), 1);
	audit_entry(&entry);
	MASA_OK(lk_cert_domain_id(pki_cert(&masa.cast.domain), &id, &masa_err));
	domain = pki_base64(lk_buf_slice(&id));
	assert_string_equal(entry.device_id, MASA_DEVICE);
	assert_string_equal(entry.owner_id, MASA_OWNER);
	assert_string_equal(entry.domain_id, domain);
	assert_string_equal(entry.nonce, PKI_NONCE);
	assert_string_equal(entry.assertion, "verified");
	assert_int_equal(entry.date, PKI_NOW);
	masa_registrar_request(&masa, &masa.cast.registrar, lk_slice(NULL, 0), NULL, NULL, &second);
	lk_voucher_free(grants(&second));
	assert_int_equal(masa_audit_entries(&masa), 2);
}

/* The same request again gets the same voucher: nothing is issued anew. */
static void
test_a_repeat_gets_the_same_voucher(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf first = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_own(&masa);
	masa_request(&masa, &request);
	lk_voucher_free(grants(&request));
	MASA_OK(lk_buf_append(&first, masa.reply.body, &masa_err));
	lk_voucher_free(grants(&request));
	assert_true(lk_slice_eq(masa.reply.body, lk_buf_slice(&first)));
	assert_int_equal(masa.signatures, 1);
	assert_int_equal(masa_audit_entries(&masa), 1);
}

static int
vouchers_kept(void)
{
	struct lk_voucher_issued_record r = LK_RECORD_INIT(voucher_issued);

	return (int)masa_count(&masa, LK_VOUCHER_ISSUED_BY_ID, &r.record);
}

/*= Latchkey MASA: a voucher is kept for as long as its request may be repeated =*/
static void
test_old_vouchers_go_with_the_next(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf second = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf third = LK_BUF_INIT(LK_CMS_MAX);
	const struct pki_id *registrar = &masa.cast.registrar;
	const struct lk_slice none = { NULL, 0 };

	(void)state;
	masa_own(&masa);
	masa_request(&masa, &request);
	masa_registrar_request(&masa, registrar, none, "nonce", "\"second-nonce\"", &second);
	masa_registrar_request(&masa, registrar, none, "nonce", "\"third-nonce\"", &third);
	lk_voucher_free(grants(&request));
	masa.clock.seconds += 5 * PKI_DAY - 1;
	lk_voucher_free(grants(&request)); /* a repeat */
	lk_voucher_free(grants(&second));
	assert_int_equal(masa.signatures, 2);
	assert_int_equal(vouchers_kept(), 2);
	masa.clock.seconds += 1;
	lk_voucher_free(grants(&third));
	assert_int_equal(vouchers_kept(), 2);
	lk_voucher_free(grants(&second));
	assert_int_equal(masa.signatures, 3);
	lk_voucher_free(grants(&request)); /* of a device that is long gone: another issue */
	assert_int_equal(masa.signatures, 4);
	assert_int_equal(masa_audit_entries(&masa), 4);
}

/* Two that are in flight at once are signed once, and both are answered: a registrar that lost its
 * connection asks again before the first is done. */
static void
test_a_repeat_in_flight_shares_the_voucher(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_slice body;

	(void)state;
	masa_own(&masa);
	masa_request(&masa, &request);
	body = lk_buf_slice(&request);
	masa_post(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, body);
	masa_post(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, body); /* in the same turn */
	MASA_OK(lk_turn_flush(lk_masa_keeper_turn(masa.keeper), &masa_err));
	masa_post(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, body); /* while the signer works */
	masa_settle(&masa);
	assert_int_equal(masa.waiting, 0);
	assert_int_equal(masa.vouchers, 3);
	assert_int_equal(masa.signatures, 1);
	assert_int_equal(masa_audit_entries(&masa), 1);
}

/* A failure is shared too; whoever asks afterwards is not bound to it. */
static void
test_a_repeat_in_flight_shares_the_failure(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_own(&masa);
	masa_request(&masa, &request);
	masa.signer_down = true;
	masa_post(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	masa_ask(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	assert_int_equal(masa.reply.status, 503);
	assert_int_equal(masa.vouchers, 0);
	assert_int_equal(masa.signatures, 1);
	masa.signer_down = false;
	lk_voucher_free(grants(&request));
}

static void
test_the_signer_is_gone(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);

	(void)state;
	masa_own(&masa);
	masa_request(&masa, &request);
	masa.signer_down = true;
	masa_ask(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	assert_int_equal(masa.reply.status, 503);
	assert_int_equal(masa.reply.retry_after, 5);
	/*= RFC8995 5.6: an error body is human-readable UTF-8 text =*/
	assert_string_equal(masa.reply.content_type, LK_TYPE_TEXT);
	assert_non_null(strstr(lk_buf_str(&masa.reply_body), "role-silent: the signer is gone"));
	/* The audit log has a voucher by now; the ledger says that it never was. */
	masa_newest_event(&masa, &ev);
	assert_string_equal(ev.type, "voucher-not-signed");
	assert_string_equal(ev.device_id, MASA_DEVICE);
	assert_string_equal(ev.actor, "signer");
	assert_string_equal(ev.reason, "role-silent");
	assert_non_null(memmem(ev.payload.p, ev.payload.n, "the signer is gone", 18));
	masa.signer_down = false;
	lk_voucher_free(grants(&request));
}

/* --- without nonce ---------------------------------------------------------------------------- */

static void
nonceless_request(const struct masa *m, const struct pki_id *registrar, struct lk_buf *out)
{
	masa_registrar_request(m, registrar, lk_slice(NULL, 0), "nonce", NULL, out);
}

static void
test_no_voucher_without_nonce_by_default(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_own(&masa);
	nonceless_request(&masa, &masa.cast.registrar, &request);
	refuses(&request, LK_R_MASA_NONCELESS);
	assert_int_equal(masa.reply.status, 403);
}

/* What a registrar whose certificate ends at `not_after` gets from a MASA that gives 1200 s. */
static void
assert_expires(int64_t not_after, int64_t want)
{
	static const struct lk_masa_settings generous = { LK_PIN_FARTHEST, 1200, true };
	LK_CLEANUP(masa_done) struct masa m;
	LK_CLEANUP(pki_id_done) struct pki_id registrar;
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL, *renewed = NULL;
	LK_CLEANUP(lk_record_done) struct lk_audit_entry_record entry = LK_RECORD_INIT(audit_entry);
	struct lk_scan scan = { .index = LK_AUDIT_ENTRY_BY_ID };
	bool found;

	masa_init(&m, &generous, NULL);
	masa_own(&m);
	pki_issue(&m.cast.domain,
		&(struct pki_spec){ .cn = "R", .eku = PKI_EKU_RA, .not_after = not_after },
		&registrar);
	nonceless_request(&m, &registrar, &request);
	masa_ask(&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	assert_int_equal(m.reply.status, 200);
	MASA_OK(lk_voucher_parse(m.reply.body, &v, &masa_err));
	assert_false(lk_json_has(v->leaf.present, LK_VOUCHER_NONCE));
	assert_true(lk_json_has(v->leaf.present, LK_VOUCHER_EXPIRES_ON));
	assert_int_equal(v->leaf.expires_on, want);
	MASA_OK(lk_store_next(m.store, &scan, &entry.record, &found, &masa_err));
	assert_string_equal(entry.nonce, "");
	/* RFC 8995 5.5.1: renewed when it is over, by the same request, and logged again. */
	m.clock.seconds = want - 1;
	masa_ask(&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	assert_int_equal(m.signatures, 1);
	m.clock.seconds = want;
	masa_ask(&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	if (not_after <= want)
		return; /* nor is there a registrar any more */
	assert_int_equal(m.signatures, 2);
	MASA_OK(lk_voucher_parse(m.reply.body, &renewed, &masa_err));
	assert_int_equal(renewed->leaf.expires_on, want + 1200);
	assert_int_equal(masa_audit_entries(&m), 2);
}

/*= RFC8995 5.6: a nonceless voucher expires, before the registrar's certificate does =*/
/*= RFC8995 5.5.6: the audit log has the nonce, null where there is none =*/
static void
test_vouchers_without_nonce_expire(void **state)
{
	(void)state;
	assert_expires(PKI_NOW + PKI_DAY, PKI_NOW + 1200);
	assert_expires(PKI_NOW + 600, PKI_NOW + 600);
}

/*= RFC8366 5.3: expires-on is not after the end of pinned-domain-cert =*/
static void
test_a_voucher_ends_before_what_it_pins(void **state)
{
	static const struct lk_masa_settings generous = { LK_PIN_FARTHEST, 1200, true };
	LK_CLEANUP(masa_done) struct masa m;
	LK_CLEANUP(pki_id_done) struct pki_id old_ca, registrar;
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;

	(void)state;
	masa_init(&m, &generous, NULL);
	masa_own(&m);
	pki_issue(NULL,
		&(struct pki_spec){ .cn = "Old CA", .ca = true, .not_after = PKI_NOW + 300 },
		&old_ca);
	pki_issue(&old_ca, &(struct pki_spec){ .cn = "R", .eku = PKI_EKU_RA }, &registrar);
	masa_add_domain(&m, MASA_OWNER, pki_cert(&old_ca));
	nonceless_request(&m, &registrar, &request);
	masa_ask(&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	assert_int_equal(m.reply.status, 200);
	MASA_OK(lk_voucher_parse(m.reply.body, &v, &masa_err));
	assert_true(lk_cert_eq(v->pinned, pki_cert(&old_ca)));
	assert_int_equal(v->leaf.expires_on, PKI_NOW + 300);
}

/* What was issued while it was allowed is not given again once it is not. */
static void
test_nonceless_vouchers_can_be_stopped(void **state)
{
	static const struct lk_masa_settings generous = { LK_PIN_FARTHEST, 1200, true };
	LK_CLEANUP(masa_done) struct masa m;
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_init(&m, &generous, NULL);
	masa_own(&m);
	nonceless_request(&m, &m.cast.registrar, &request);
	masa_ask(&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	assert_int_equal(m.reply.status, 200);
	lk_masa_keeper_free(m.keeper);
	lk_signer_free(m.signer);
	masa_start(&m, &wide);
	masa_refuses(
		&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request), LK_R_MASA_NONCELESS);
}

/* RFC 8995 5.5.1: a voucher that is over is renewed, never given again. */
static void
test_an_expired_voucher_is_not_given_again(void **state)
{
	static const struct lk_masa_settings generous = { LK_PIN_FARTHEST, 1200, true };
	LK_CLEANUP(masa_done) struct masa m;
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;

	(void)state;
	masa_init(&m, &generous, NULL);
	masa_own(&m);
	nonceless_request(&m, &m.cast.registrar, &request);
	masa_ask(&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	m.clock.seconds += 1200;
	m.signer_down = true; /* the renewal is recorded and comes to nothing */
	masa_ask(&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	assert_int_equal(m.reply.status, 503);
	m.signer_down = false;
	masa_ask(&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	assert_int_equal(m.reply.status, 200);
	MASA_OK(lk_voucher_parse(m.reply.body, &v, &masa_err));
	assert_int_equal(v->leaf.expires_on, PKI_NOW + 2400);
}

/*= RFC8995 5.5.4: authenticated is who is below a domain CA of an owner =*/
static void
test_nonceless_requests_of_strangers(void **state)
{
	static const struct lk_masa_settings generous = { LK_PIN_FARTHEST, 1200, true };
	LK_CLEANUP(masa_done) struct masa m;
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf decorated = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_init(&m, &generous, NULL);
	masa_own(&m);
	nonceless_request(&m, &m.cast.stranger, &request);
	masa_refuses(&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request),
		LK_R_REQUEST_NONCELESS);
	/* The owner's certificate beside its own proves nothing. */
	MASA_OK(lk_certs_add(&m.cast.stranger.chain, pki_cert(&m.cast.domain), &masa_err));
	nonceless_request(&m, &m.cast.stranger, &decorated);
	masa_refuses(&m, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&decorated),
		LK_R_REQUEST_NONCELESS);
}

/* --- bad input -------------------------------------------------------------------------------- */

static void
test_envelopes(void **state)
{
	LK_CLEANUP(lk_freep) char *text = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_own(&masa);
	text = pki_registrar_text(&masa.cast, lk_slice(NULL, 0), NULL, NULL);
	pki_cms_sign(&(struct pki_cms){ .text = text }, &der);
	refuses(&der, LK_R_CMS_SIGNERS); /* unsigned */
	lk_buf_clear(&der);
	pki_cms_sign(&(struct pki_cms){ .text = text,
			     .signer = &masa.cast.registrar,
			     .second = &masa.cast.stranger },
		&der);
	refuses(&der, LK_R_CMS_SIGNERS); /* signed twice */
	lk_buf_clear(&der);
	pki_cms_envelop(text, &masa.cast.masa, &der);
	refuses(&der, LK_R_CMS_TYPE);
	lk_buf_clear(&der);
	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = &masa.cast.registrar }, &der);
	MASA_OK(lk_buf_append_str(&der, "x", &masa_err));
	refuses(&der, LK_R_CMS_SYNTAX); /* trailing byte */
	lk_buf_truncate(&der, der.n - 2);
	refuses(&der, LK_R_CMS_SYNTAX);
	lk_buf_clear(&der);
	pki_cms_sign(
		&(struct pki_cms){
			.text = text, .signer = &masa.cast.registrar, .without_certs = true },
		&der);
	refuses(&der, LK_R_REQUEST_SIGNER_MISSING);
	lk_buf_clear(&der);
	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = &masa.cast.registrar }, &der);
	der.p[der.n - 1] ^= 1;
	refuses(&der, LK_R_CMS_SIGNATURE);
	/* A reason that concerns no device is told to whoever asked. */
	/*= RFC8995 5.6: an error body is human-readable UTF-8 text =*/
	assert_non_null(strstr(lk_buf_str(&masa.reply_body), "cms-signature: "));
	assert_non_null(strstr(lk_buf_str(&masa.reply_body), "(RFC 5652 5.4)\n"));
}

static void
test_json(void **state)
{
	static const struct {
		const char *text;
		enum lk_reason reason;
	} bad[] = {
		{ "", LK_R_JSON_SYNTAX },
		{ "{", LK_R_JSON_SYNTAX },
		{ "{\"ietf-voucher-request:voucher\":{\"nonce\":\"12345678\",\"nonce\":"
		  "\"12345678\"}}",
			LK_R_JSON_DUPLICATE },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
		  "[",
			LK_R_JSON_DEPTH },
		{ "{\"ietf-voucher-request:voucher\":{}}", LK_R_REQUEST_LEAF },
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	size_t i;

	(void)state;
	masa_own(&masa);
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		lk_buf_clear(&der);
		pki_cms_sign(
			&(struct pki_cms){ .text = bad[i].text, .signer = &masa.cast.registrar },
			&der);
		refuses(&der, bad[i].reason);
	}
}

static void
test_a_registrar_without_cmcra(void **state)
{
	LK_CLEANUP(pki_id_done) struct pki_id server;
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_own(&masa);
	pki_issue(&masa.cast.domain, &(struct pki_spec){ .cn = "Server", .eku = "serverAuth" },
		&server);
	masa_registrar_request(&masa, &server, lk_slice(NULL, 0), NULL, NULL, &request);
	refuses(&request, LK_R_REQUEST_NOT_RA);
}

static void
test_an_expired_registrar(void **state)
{
	LK_CLEANUP(pki_id_done) struct pki_id old;
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_own(&masa);
	pki_issue(&masa.cast.domain,
		&(struct pki_spec){ .cn = "Old", .eku = PKI_EKU_RA, .not_after = PKI_NOW - 1 },
		&old);
	masa_registrar_request(&masa, &old, lk_slice(NULL, 0), NULL, NULL, &request);
	refuses(&request, LK_R_CERT_TIME);
}

/* The device's own request, with one thing wrong in it or around it. */
static void
test_prior_requests(void **state)
{
	LK_CLEANUP(lk_freep) char *met = NULL;
	const struct {
		const struct pki_id *device;
		const char *name, *value;        /* of the device's */
		const char *outer, *outer_value; /* of the registrar's */
		enum lk_reason reason;
	} bad[] = {
		{ &masa.cast.stranger, NULL, NULL, NULL, NULL, LK_R_PRIOR_SIGNER },
		{ &masa.cast.device, "proximity-registrar-cert", "MET", NULL, NULL,
			LK_R_PRIOR_PROXIMITY },
		{ &masa.cast.device, "proximity-registrar-cert", NULL, NULL, NULL,
			LK_R_PRIOR_PROXIMITY },
		{ &masa.cast.device, "nonce", "\"another nonce\"", NULL, NULL, LK_R_PRIOR_NONCE },
		{ &masa.cast.device, "nonce", NULL, NULL, NULL, LK_R_PRIOR_NONCE },
		{ &masa.cast.device, NULL, NULL, "nonce", "\"another nonce\"", LK_R_PRIOR_NONCE },
		{ &masa.cast.device, NULL, NULL, "serial-number", "\"LK-0002\"",
			LK_R_PRIOR_SERIAL },
	};
	size_t i;

	(void)state;
	masa_own(&masa);
	met = pki_quoted_base64(lk_cert_der(pki_cert(&masa.cast.stranger)));
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);
		LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
		const char *value =
			bad[i].value && strcmp(bad[i].value, "MET") == 0 ? met : bad[i].value;

		masa_pledge_request(&masa, bad[i].device, bad[i].name, value, &prior);
		masa_registrar_request(&masa, &masa.cast.registrar, lk_buf_slice(&prior),
			bad[i].outer, bad[i].outer_value, &request);
		refuses(&request, bad[i].reason);
	}
}

static int
setup(void **state)
{
	(void)state;
	masa_init(&masa, &wide, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	masa_done(&masa);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_owner_gets_a_voucher),
		TEST(test_others_get_none),
		TEST(test_a_former_owner_gets_none),
		TEST(test_a_second_domain_ca_of_the_owner),
		TEST(test_an_unknown_device),
		TEST(test_two_devices_with_one_serial_number),
		TEST(test_a_device_is_known_by_its_key),
		TEST(test_a_device_with_another_key),
		TEST(test_unsold_devices_wait_to_be_sold),
		TEST(test_a_claim_makes_an_owner),
		TEST(test_a_claim_is_the_devices_word),
		TEST(test_a_device_is_claimed_once),
		TEST(test_pins_by_policy),
		TEST(test_each_issue_is_in_the_audit_log),
		TEST(test_a_repeat_gets_the_same_voucher),
		TEST(test_old_vouchers_go_with_the_next),
		TEST(test_a_repeat_in_flight_shares_the_voucher),
		TEST(test_a_repeat_in_flight_shares_the_failure),
		TEST(test_the_signer_is_gone),
		TEST(test_no_voucher_without_nonce_by_default),
		TEST(test_vouchers_without_nonce_expire),
		TEST(test_a_voucher_ends_before_what_it_pins),
		TEST(test_nonceless_vouchers_can_be_stopped),
		TEST(test_an_expired_voucher_is_not_given_again),
		TEST(test_nonceless_requests_of_strangers),
		TEST(test_envelopes),
		TEST(test_json),
		TEST(test_a_registrar_without_cmcra),
		TEST(test_an_expired_registrar),
		TEST(test_prior_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
