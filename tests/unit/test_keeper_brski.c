/* SPDX-License-Identifier: Apache-2.0
 *
 * The registrar of RFC 8995: what it takes from pledges, what it asks of MASAs, what it believes
 * of their answers, and what pledges may report when.
 */
#include "keeper_cast.h"

#include "artefact/voucher_request.h"

#define STATUS_TRUE  "{\"version\":1,\"status\":true}"
#define STATUS_FALSE "{\"version\":1,\"status\":false,\"reason\":\"no trust\"}"

static int64_t
report(struct site *s, const struct lk_certs *chain, enum lk_ep endpoint, const char *text)
{
	return site_ask(s, chain, endpoint, lk_slice_str(text));
}

static int64_t
report_voucher(struct site *s, const char *text)
{
	return report(s, &s->pki.device.chain, LK_EP_BRSKI_VOUCHER_STATUS, text);
}

/* Posts a CMS object as the device. */
static void
post(struct site *s, struct lk_slice body)
{
	site_ask(s, &s->pki.device.chain, LK_EP_BRSKI_REQUESTVOUCHER, body);
}

static void
change_manufacturer(struct site *s, const char *trust, const char *masa_url)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record m = LK_RECORD_INIT(manufacturer);

	set_text(m.id, SITE_VENDOR);
	must_succeed(lk_store_get(s->store, LK_MANUFACTURER_BY_ID, &m.record, e));
	set_text(m.trust, trust);
	set_text(m.masa_url, masa_url);
	site_put(s, &m.record);
	site_restart(s);
}

/* --- the pledge's request --------------------------------------------------------------------- */

/* A leaf that is wrong, and what is said of it. */
static void
test_wrong_leaves(void **state)
{
	struct site s;
	LK_CLEANUP(lk_freep) char *foreign = NULL;

	(void)state;
	site_init(&s, "allow");
	foreign = pki_quoted_base64(lk_cert_der(pki_cert(&s.pki.stranger)));
	const struct {
		const char *member, *value;
		enum lk_reason reason;
		bool close;
	} rows[] = {
		{ "serial-number", "\"LK-0002\"", LK_R_REQUEST_SERIAL, false },
		{ "serial-number", NULL, LK_R_REQUEST_LEAF, false },
		{ "proximity-registrar-cert", foreign, LK_R_REQUEST_PROXIMITY, true },
		{ "proximity-registrar-cert", NULL, LK_R_REQUEST_PROXIMITY, true },
		{ "assertion", "\"logged\"", LK_R_REQUEST_ASSERTION, true },
		{ "nonce", NULL, LK_R_REQUEST_NONCE, false },
		{ "nonce", "7", LK_R_REQUEST_LEAF, false },
	};

	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++) {
		site_request_voucher(&s, rows[i].member, rows[i].value);
		assert_site_refused(&s, rows[i].reason);
		assert_int_equal(s.reply.close, rows[i].close);
	}
	assert_int_equal(site_count(&s, LK_KIND_run), 0);
	site_done(&s);
}

/* Who signed it is who is at the other end; an envelope is SignedData with one signer. */
static void
test_wrong_envelopes(void **state)
{
	struct site s;
	LK_CLEANUP(lk_freep) char *text = NULL;

	(void)state;
	site_init(&s, "allow");
	text = pki_pledge_text(&s.pki, NULL, NULL);
	const struct {
		struct pki_cms cms;
		enum lk_reason reason;
	} rows[] = {
		{ { .signer = &s.pki.stranger }, LK_R_REQUEST_SIGNER },
		{ { .signer = &s.pki.masa }, LK_R_REQUEST_SIGNER },
		{ { .signer = NULL }, LK_R_CMS_SIGNERS },
		{ { .signer = &s.pki.device, .second = &s.pki.stranger }, LK_R_CMS_SIGNERS },
		{ { .signer = &s.pki.device, .sha1 = true }, LK_R_CRYPTO_POLICY },
		{ { .signer = &s.pki.device, .detached = true }, LK_R_CMS_SYNTAX },
	};

	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
		struct pki_cms cms = rows[i].cms;

		cms.text = text;
		pki_cms_sign(&cms, &der);
		post(&s, lk_buf_slice(&der));
		assert_site_refused(&s, rows[i].reason);
	}
	site_done(&s);
}

static void
test_wrong_bytes(void **state)
{
	struct site s;
	LK_CLEANUP(lk_buf_done) struct lk_buf sealed = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_freep) char *text = NULL;

	(void)state;
	site_init(&s, "allow");
	text = pki_pledge_text(&s.pki, NULL, NULL);
	pki_cms_envelop(text, &s.pki.registrar, &sealed);
	post(&s, lk_buf_slice(&sealed));
	assert_site_refused(&s, LK_R_CMS_TYPE);
	lk_buf_clear(&s.request);
	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = &s.pki.device }, &s.request);
	must_succeed(lk_buf_append(&s.request, LK_SLICE_LIT("\0"), e));
	site_request_again(&s);
	assert_site_refused(&s, LK_R_CMS_SYNTAX);
	lk_buf_truncate(&s.request, s.request.n - 1);
	s.request.p[s.request.n - 1] ^= 1; /* of the signature */
	site_request_again(&s);
	assert_site_refused(&s, LK_R_CMS_SIGNATURE);
	post(&s, LK_SLICE_LIT("MIIB"));
	assert_site_refused(&s, LK_R_CMS_SYNTAX);
	post(&s, lk_slice(NULL, 0));
	assert_site_refused(&s, LK_R_TOO_LARGE); /* nothing is no size either */
	site_done(&s);
}

/* Signed by the device, and still no voucher request. */
static void
test_wrong_json(void **state)
{
	static const struct {
		const char *text;
		enum lk_reason reason;
	} rows[] = {
		{ "", LK_R_JSON_SYNTAX },
		{ "[]", LK_R_JSON_SYNTAX },
		{ "{\"ietf-voucher-request:voucher\":{}} x", LK_R_JSON_SYNTAX },
		{ "{\"ietf-voucher:voucher\":{}}", LK_R_JSON_MEMBER },
		{ "{\"ietf-voucher-request:voucher\":{\"nonce\":\"12345678\",\"nonce\":\"2\"}}",
			LK_R_JSON_DUPLICATE },
		{ "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
		  "]]]}",
			LK_R_JSON_DEPTH },
	};
	struct site s;

	(void)state;
	site_init(&s, "allow");
	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++) {
		lk_buf_clear(&s.request);
		pki_cms_sign(&(struct pki_cms){ .text = rows[i].text, .signer = &s.pki.device },
			&s.request);
		site_request_again(&s);
		assert_site_refused(&s, rows[i].reason);
	}
	site_request_voucher(&s, "proximity-registrar-cert", "\"MII*\"");
	assert_site_refused(&s, LK_R_REQUEST_LEAF);
	site_done(&s);
}

/*= Latchkey registrar: a renewed certificate stays presentable to runs in progress =*/
static void
test_former_registrar_certificate(void **state)
{
	struct site s;
	struct pki_id former;
	LK_CLEANUP(lk_freep) char *met = NULL;

	(void)state;
	site_init(&s, "allow");
	pki_issue(&s.pki.domain,
		&(struct pki_spec){
			.cn = "Registrar", .eku = PKI_EKU_RA, .key = s.pki.registrar.key },
		&former);
	met = pki_quoted_base64(lk_cert_der(pki_cert(&former)));
	site_request_voucher(&s, "proximity-registrar-cert", met);
	assert_site_refused(&s, LK_R_REQUEST_PROXIMITY);
	must_succeed(lk_certs_add(&s.former, pki_cert(&former), e));
	site_restart(&s);
	assert_int_equal(site_request_voucher(&s, "proximity-registrar-cert", met), 0);
	assert_string_equal(site_run(&s)->state, "requested");
	pki_id_done(&former);
	site_done(&s);
}

/* --- the same request again ------------------------------------------------------------------- */

/*= RFC8995 5.2: the same request under another TLS identity is refused =*/
static void
test_replay_by_another(void **state)
{
	struct site s;
	struct pki_id other;
	struct pki_spec spec = { .cn = "Other", .serial_number = "LK-0002" };

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_VOUCHERED);
	pki_issue(&s.pki.vendor, &spec, &other);
	site_ask(&s, &other.chain, LK_EP_BRSKI_REQUESTVOUCHER, lk_buf_slice(&s.request));
	assert_site_refused(&s, LK_R_REQUEST_REPLAYED);
	assert_true(s.reply.close);
	assert_true(site_event_says(&s, "refused", "CN=Other"));
	assert_int_equal(site_request_again(&s), 200); /* the victim is not hurt */
	pki_id_done(&other);
	site_done(&s);
}

/*= RFC8995 5.6: the identical request is idempotent =*/
static void
test_identical_requests(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	assert_int_equal(site_request_voucher(&s, NULL, NULL), 0);
	assert_int_equal(site_request_again(&s), 0);
	assert_int_equal(s.n_asked, s.asked_before); /* one question to the MASA is enough */
	assert_int_equal(site_count(&s, LK_KIND_run), 1);
	site_masa_voucher(&s, NULL, NULL, NULL);
	assert_int_equal(s.reply.status, 200);
	assert_int_equal(site_request_again(&s), 200);
	assert_true(lk_slice_eq(s.reply.body, lk_buf_slice(&s.voucher)));
	assert_int_equal(s.n_asked, s.asked_before);
	assert_int_equal(site_count(&s, LK_KIND_run), 1);
	site_done(&s);
}

/* What was refused once is not taken up again: the pledge makes a new request. */
static void
test_stale_request(void **state)
{
	struct site s;
	LK_CLEANUP(lk_buf_done) struct lk_buf old = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_REQUESTED);
	must_succeed(lk_buf_append(&old, lk_buf_slice(&s.request), e));
	site_masa(&s, 404, LK_TYPE_TEXT, LK_SLICE_LIT("unknown"));
	site_request_again(&s);
	assert_site_refused(&s, LK_R_REQUEST_STALE);
	s.clock.seconds++;
	assert_int_equal(site_request_voucher(&s, "nonce", "\"another-nonce\""), 0);
	assert_string_equal(site_run(&s)->nonce, "another-nonce");
	post(&s, lk_buf_slice(&old));
	assert_site_refused(&s, LK_R_REQUEST_STALE);
	site_done(&s);
}

/*= RFC8995 5.3: the registrar decides by local policy whether the pledge may join =*/
/* A human decides: 202, and the device may come back as often as it likes. */
static void
test_waiting_room(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "ask");
	assert_int_equal(site_request_voucher(&s, NULL, NULL), 202);
	assert_int_equal(s.reply.retry_after, s.settings.retry_after);
	assert_string_equal(site_event(&s, "approval-needed")->device_id, site_device(&s)->id);
	site_pass(&s, 3 * PKI_DAY);
	assert_int_equal(site_request_again(&s), 202);
	assert_string_equal(site_run(&s)->state, "waiting");
	assert_int_equal(s.n_asked, s.asked_before);
	site_done(&s);
}

/*= Latchkey run: its time starts when it leaves the waiting room =*/
static void
test_time_starts_with_the_approval(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "ask");
	site_request_voucher(&s, NULL, NULL);
	assert_int_equal(site_run(&s)->expires_at, PKI_NOW + s.settings.ask_seconds);
	site_pass(&s, PKI_DAY);
	assert_int_equal(
		site_operate(&s, "device.approve", "{\"device\":\"" PKI_SERIAL "\"}"), LK_R_NONE);
	assert_int_equal(site_run(&s)->expires_at, PKI_NOW + PKI_DAY + s.settings.run_seconds);
	assert_string_equal(s.run.state, "requested");
	site_done(&s);
}

/* --- the request to the MASA ------------------------------------------------------------------ */

/*= RFC8995 5.5: serial-number comes from the IDevID in TLS, the nonce from the pledge =*/
static void
test_what_the_masa_is_asked(void **state)
{
	struct site s;
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;
	const struct lk_fetch_body *f;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_REQUESTED);
	f = &site_question(&s, LK_ROLE_COURIER)->body.as_fetch;
	must_succeed(lk_voucher_request_parse(f->body, &r, e));
	assert_string_equal(r->leaf.serial_number, PKI_SERIAL);
	assert_string_equal(r->leaf.nonce, PKI_NONCE);
	assert_int_equal(r->leaf.created_on, PKI_NOW);
	assert_true(lk_idevid_issuer_matches(
		lk_buf_slice(&r->leaf.idevid_issuer), pki_cert(&s.pki.device)));
	assert_true(lk_slice_eq(
		lk_buf_slice(&r->leaf.prior_signed_voucher_request), lk_buf_slice(&s.request)));
	assert_string_equal(f->method, "POST");
	assert_string_equal(f->content_type, LK_TYPE_VOUCHER);
	assert_string_equal(f->accept, LK_TYPE_VOUCHER);
	assert_int_equal(f->redirects_max, 1);
	assert_true(site_event_says(&s, "voucher-requested", PKI_NONCE));
	site_done(&s);
}

/* Where a device whose IDevID says so is asked for; reason NONE: there. */
static void
expect_url(const char *idevid_says, const char *override, const char *want)
{
	struct site s;

	site_init(&s, "allow");
	pki_id_done(&s.pki.device);
	pki_issue(&s.pki.vendor,
		&(struct pki_spec){
			.cn = "Thing", .serial_number = PKI_SERIAL, .masa_url = idevid_says },
		&s.pki.device);
	change_manufacturer(&s, "trusted", override);
	site_request_voucher(&s, NULL, NULL);
	if (want) {
		assert_string_equal(site_question(&s, LK_ROLE_COURIER)->body.as_fetch.url, want);
	} else {
		assert_null(site_question(&s, LK_ROLE_COURIER));
		assert_string_equal(site_event(&s, "masa-not-asked")->reason, "masa-url");
		assert_string_equal(site_run(&s)->state, "failed");
		assert_int_equal(s.reply.status, 404);
	}
	site_done(&s);
}

/*= RFC8995 2.3.2: without a slash the URL is an authority: https and /.well-known/brski are assumed =*/
static void
test_masa_url_of_the_idevid(void **state)
{
	(void)state;
	expect_url("masa.example", "", "https://masa.example/.well-known/brski/requestvoucher");
	expect_url("masa.example:9443", "",
		"https://masa.example:9443/.well-known/brski/requestvoucher");
	expect_url(
		"masa.example/v2", "", "https://masa.example/v2/.well-known/brski/requestvoucher");
	expect_url("masa.example/", "", "https://masa.example/.well-known/brski/requestvoucher");
	expect_url("https://masa.example/", "",
		"https://masa.example/.well-known/brski/requestvoucher");
	expect_url("https://masa.example/.well-known/brski/", "",
		"https://masa.example/.well-known/brski/requestvoucher");
	expect_url("https://masa.example/.well-known/brski", "",
		"https://masa.example/.well-known/brski/requestvoucher");
	expect_url(NULL, "", NULL);
}

/*= RFC8995 5.4: the MASA URL can be overridden per manufacturer =*/
static void
test_masa_url_of_the_operator(void **state)
{
	(void)state;
	expect_url("masa.example", "proxy.example",
		"https://proxy.example/.well-known/brski/requestvoucher");
	expect_url(NULL, "proxy.example", "https://proxy.example/.well-known/brski/requestvoucher");
}

/*= RFC8995 2.3.2: the registrar uses https =*/
static void
test_masa_url_is_https(void **state)
{
	(void)state;
	expect_url("http://masa.example/", "", NULL);
	expect_url("masa.example", "ftp://proxy.example/", NULL);
}

/*= RFC8995 5.4: the MASA's TLS certificate is verified with the manufacturer's anchors =*/
static void
test_masa_is_met_with_its_own_anchors(void **state)
{
	struct site s;
	struct lk_slice list, der;
	bool more;

	(void)state;
	site_init(&s, "allow");
	site_add_manufacturer(&s, "another", &s.pki.stranger_ca, "allow");
	site_until(&s, SITE_REQUESTED);
	list = site_question(&s, LK_ROLE_COURIER)->body.as_fetch.anchors;
	must_succeed(lk_list_next(&list, &more, &der, e));
	assert_true(more);
	assert_true(lk_slice_eq(der, lk_cert_der(pki_cert(&s.pki.vendor))));
	must_succeed(lk_list_next(&list, &more, &der, e));
	assert_false(more);
	site_done(&s);
}

/*= A1.2: nothing leaves the network for a manufacturer that is not trusted =*/
static void
test_nothing_leaves_after_distrust(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "ask");
	site_request_voucher(&s, NULL, NULL);
	site_operate(&s, "manufacturer.distrust", "{\"manufacturer\":\"vendor\"}");
	site_operate(&s, "device.approve", "{\"device\":\"" PKI_SERIAL "\"}");
	assert_null(site_question(&s, LK_ROLE_COURIER));
	assert_string_equal(site_event(&s, "masa-not-asked")->reason, "manufacturer-distrusted");
	assert_string_equal(site_run(&s)->state, "failed");
	site_done(&s);
}

static void
test_signer_fails(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	s.signer_waits = true;
	site_request_voucher(&s, NULL, NULL);
	site_fail(&s, LK_ROLE_SIGNER, LK_R_SIGNER_KEY);
	assert_run_failed(&s, "voucher-request-not-signed", LK_R_SIGNER_KEY);
	site_done(&s);
}

/* A keeper that was started anew takes up where the one before was. */
static void
test_restart_while_the_masa_thinks(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_REQUESTED);
	site_restart(&s);
	assert_int_equal(site_request_again(&s), 0);
	assert_true(lk_slice_eq(site_question(&s, LK_ROLE_COURIER)->body.as_fetch.body,
		lk_blob_slice(&site_run(&s)->registrar_request)));
	site_masa_voucher(&s, NULL, NULL, NULL);
	assert_int_equal(s.reply.status, 200);
	site_done(&s);
}

/* --- the MASA's answer ------------------------------------------------------------------------ */

/*= RFC8995 5.6: a MASA that needs time is asked again; the pledge is told 202 =*/
static void
test_masa_needs_time(void **state)
{
	static const int64_t statuses[] = { 202, 503 };
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_REQUESTED);
	for (size_t i = 0; i < LK_ARRAY_LEN(statuses); i++) {
		site_masa(&s, statuses[i], "", lk_slice(NULL, 0));
		assert_int_equal(s.reply.status, 202);
		assert_true(s.reply.retry_after > 0);
		assert_string_equal(site_event(&s, "masa-refused")->reason, "masa-later");
		assert_string_equal(site_run(&s)->state, "requested");
		assert_int_equal(site_request_again(&s), 0);
		assert_int_equal(s.n_asked, s.asked_before + 1);
	}
	site_masa_voucher(&s, NULL, NULL, NULL);
	assert_int_equal(s.reply.status, 200);
	site_done(&s);
}

/* Down, slow, with a wrong certificate, at a forbidden address: the device asks again. */
static void
test_masa_out_of_reach(void **state)
{
	static const enum lk_reason reasons[] = { LK_R_ROLE_SILENT, LK_R_UPSTREAM_TLS,
		LK_R_EGRESS_FORBIDDEN };
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_REQUESTED);
	for (size_t i = 0; i < LK_ARRAY_LEN(reasons); i++) {
		site_fail(&s, LK_ROLE_COURIER, reasons[i]);
		assert_int_equal(s.reply.status, 503);
		assert_true(s.reply.retry_after > 0);
		assert_string_equal(site_event(&s, "masa-unreachable")->reason, "masa-unreachable");
		assert_true(site_event_says(
			&s, "masa-unreachable", lk_reason_info(reasons[i])->symbol));
		assert_string_equal(site_run(&s)->state, "requested");
		assert_int_equal(site_request_again(&s), 0);
	}
	site_done(&s);
}

static void
test_masa_answers_something_else(void **state)
{
	static const struct {
		int64_t status;
		const char *type, *body;
		enum lk_reason reason;
	} rows[] = {
		{ 403, LK_TYPE_TEXT, "not yours", LK_R_MASA_REFUSED },
		{ 404, LK_TYPE_TEXT, "unknown", LK_R_MASA_REFUSED },
		{ 500, "", "", LK_R_MASA_REFUSED },
		{ 302, "", "", LK_R_MASA_REFUSED },
		{ 200, "text/html", "<html>", LK_R_MASA_ANSWER },
		{ 200, "", "", LK_R_MASA_ANSWER },
		{ 200, LK_TYPE_VOUCHER, "", LK_R_MASA_ANSWER },
		{ 200, LK_TYPE_VOUCHER "x", "voucher", LK_R_MASA_ANSWER },
	};

	(void)state;
	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++) {
		struct site s;

		site_init(&s, "allow");
		site_until(&s, SITE_REQUESTED);
		site_masa(&s, rows[i].status, rows[i].type, lk_slice_str(rows[i].body));
		assert_run_failed(&s, "masa-refused", rows[i].reason);
		assert_true(site_event_says(&s, "masa-refused", "the MASA answered"));
		site_done(&s);
	}
}

/*= RFC8995 5.6: the registrar audits the voucher's signature, serial-number and nonce =*/
static void
test_lying_vouchers(void **state)
{
	struct pki_cast c; /* for the texts of the rows */
	LK_CLEANUP(lk_freep) char *unrelated = NULL;

	(void)state;
	pki_cast_init(&c);
	unrelated = pki_quoted_base64(lk_cert_der(pki_cert(&c.stranger_ca)));
	const struct {
		const char *member, *value;
		enum lk_reason reason;
	} rows[] = {
		{ "serial-number", "\"LK-0002\"", LK_R_VOUCHER_SERIAL },
		{ "nonce", "\"of-somebody-else\"", LK_R_VOUCHER_NONCE },
		{ "pinned-domain-cert", unrelated, LK_R_VOUCHER_DOMAIN },
		{ "pinned-domain-cert", NULL, LK_R_VOUCHER_LEAF },
		{ "created-on", "\"2026-02-01T00:00:00Z\"", LK_R_VOUCHER_CREATED },
		{ "expires-on", "\"2027-01-01T00:00:00Z\"", LK_R_VOUCHER_NONCE_EXPIRES },
	};

	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++) {
		struct site s;

		site_init(&s, "allow");
		site_until(&s, SITE_REQUESTED);
		site_masa_voucher(&s, NULL, rows[i].member, rows[i].value);
		assert_run_failed(&s, "voucher-refused", rows[i].reason);
		assert_string_equal(site_device(&s)->mechanism, "");
		site_done(&s);
	}
	pki_cast_done(&c);
}

/* A nonceless one that has expired: its signature is good, its day is over. */
static void
test_expired_voucher(void **state)
{
	struct site s;
	LK_CLEANUP(lk_freep) char *pin = NULL, *text = NULL;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_REQUESTED);
	pin = pki_quoted_base64(lk_cert_der(pki_cert(&s.pki.domain)));
	const struct pki_member members[] = {
		{ "created-on", "\"2025-01-01T00:00:00Z\"" },
		{ "expires-on", "\"2025-12-31T00:00:00Z\"" },
		{ "assertion", "\"logged\"" },
		{ "serial-number", "\"" PKI_SERIAL "\"" },
		{ "pinned-domain-cert", pin },
	};
	text = pki_json("ietf-voucher:voucher", members, LK_ARRAY_LEN(members), NULL, NULL);
	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = &s.pki.masa }, &s.voucher);
	site_masa(&s, 200, LK_TYPE_VOUCHER, lk_buf_slice(&s.voucher));
	assert_run_failed(&s, "voucher-refused", LK_R_VOUCHER_EXPIRED);
	site_done(&s);
}

static void
test_wrong_signers(void **state)
{
	(void)state;
	for (int who = 0; who < 3; who++) {
		struct site s;
		const struct pki_id *signers[] = { &s.pki.stranger, &s.pki.device,
			&s.pki.registrar };

		site_init(&s, "allow");
		site_until(&s, SITE_REQUESTED);
		site_masa_voucher(&s, signers[who], NULL, NULL);
		assert_run_failed(&s, "voucher-refused", LK_R_VOUCHER_SIGNER);
		site_done(&s);
	}
}

/* Whatever its content says: an envelope that is no SignedData of one signer is no voucher. */
static void
test_vouchers_in_wrong_envelopes(void **state)
{
	enum { UNSIGNED, TWICE, SEALED, TRAILING, FLIPPED, HOW_COUNT };
	static const enum lk_reason reasons[HOW_COUNT] = { LK_R_CMS_SIGNERS, LK_R_CMS_SIGNERS,
		LK_R_CMS_TYPE, LK_R_CMS_SYNTAX, LK_R_CMS_SIGNATURE };

	(void)state;
	for (int how = 0; how < HOW_COUNT; how++) {
		struct site s;
		LK_CLEANUP(lk_freep) char *text = NULL;

		site_init(&s, "allow");
		site_until(&s, SITE_REQUESTED);
		text = pki_voucher_text(&s.pki, NULL, NULL);
		if (how == SEALED)
			pki_cms_envelop(text, &s.pki.registrar, &s.voucher);
		else
			pki_cms_sign(&(struct pki_cms){ .text = text,
					     .signer = how == UNSIGNED ? NULL : &s.pki.masa,
					     .second = how == TWICE ? &s.pki.stranger : NULL },
				&s.voucher);
		if (how == TRAILING)
			must_succeed(lk_buf_append(&s.voucher, LK_SLICE_LIT("\0"), e));
		if (how == FLIPPED)
			s.voucher.p[s.voucher.n - 1] ^= 1; /* of the signature */
		site_masa(&s, 200, LK_TYPE_VOUCHER, lk_buf_slice(&s.voucher));
		assert_run_failed(&s, "voucher-refused", reasons[how]);
		site_done(&s);
	}
}

/* The manufacturer was removed from under a run: its voucher is not believed. */
static void
test_manufacturer_gone_while_the_masa_thinks(void **state)
{
	struct site s;
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record m = LK_RECORD_INIT(manufacturer);

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_REQUESTED);
	set_text(m.id, SITE_VENDOR);
	must_succeed(lk_turn_begin(s.turn, e));
	must_succeed(lk_turn_remove(s.turn, &m.record, e));
	must_succeed(lk_turn_flush(s.turn, e));
	site_masa_voucher(&s, NULL, NULL, NULL);
	assert_run_failed(&s, "voucher-refused", LK_R_MANUFACTURER_DISTRUSTED);
	site_done(&s);
}

/*= RFC8995 5.6: the registrar forwards the voucher unchanged =*/
/*= ONB-15: the mechanism that was used sets the assurance level, and is recorded =*/
static void
test_voucher_is_forwarded(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_VOUCHERED);
	assert_string_equal(s.reply.content_type, LK_TYPE_VOUCHER);
	assert_true(lk_slice_eq(s.reply.body, lk_buf_slice(&s.voucher)));
	assert_true(lk_slice_eq(lk_blob_slice(&site_run(&s)->voucher), lk_buf_slice(&s.voucher)));
	assert_string_equal(s.run.state, "vouchered");
	assert_string_equal(site_device(&s)->mechanism, "brski");
	assert_string_equal(s.device.assurance, "logged");
	assert_true(site_event_says(&s, "voucher-received", "[2001:db8::1]:443"));
	site_done(&s);
}

/* The device made a newer request meanwhile: what comes for the old one goes nowhere. */
static void
test_answer_for_an_overtaken_run(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_REQUESTED);
	s.clock.seconds++;
	assert_int_equal(site_request_voucher(&s, "nonce", "\"second-nonce\""), 0);
	site_masa_voucher(&s, NULL, NULL, NULL); /* with the first one's nonce */
	assert_false(s.replied);
	assert_string_equal(site_run(&s)->state, "requested");
	assert_int_equal(s.run.voucher.n, 0);
	site_done(&s);
}

/* --- telemetry -------------------------------------------------------------------------------- */

/*= RFC8995 5.7: voucher status telemetry is logged, unknown fields included =*/
static void
test_voucher_status(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_VOUCHERED);
	assert_int_equal(
		report_voucher(&s, "{\"version\":1,\"status\":true,\"colour\":\"blue\"}"), 200);
	assert_string_equal(site_run(&s)->state, "accepted");
	assert_string_equal(s.run.voucher_state, "accepted");
	assert_true(site_event_says(&s, "voucher-accepted", "\"colour\":\"blue\""));
	assert_int_equal(report_voucher(&s, STATUS_TRUE), 200); /* again changes nothing */
	assert_int_equal(s.n_asked, s.asked_before);
	site_done(&s);
}

static void
test_voucher_rejected_by_the_pledge(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_VOUCHERED);
	assert_int_equal(report_voucher(&s, STATUS_FALSE), 200);
	assert_string_equal(site_run(&s)->state, "failed");
	assert_string_equal(s.run.voucher_state, "refused");
	assert_true(site_event_says(&s, "voucher-rejected", "no trust"));
	assert_null(site_question(&s, LK_ROLE_COURIER));
	site_enrol(&s);
	assert_site_refused(&s, LK_R_RUN_NONE);
	site_done(&s);
}

static void
test_voucher_status_out_of_order(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	report_voucher(&s, STATUS_TRUE);
	assert_site_refused(&s, LK_R_RUN_NONE);
	site_until(&s, SITE_REQUESTED);
	report_voucher(&s, STATUS_TRUE);
	assert_site_refused(&s, LK_R_RUN_ORDER);
	report_voucher(&s, "{\"version\":1}");
	assert_site_refused(&s, LK_R_TELEMETRY);
	report_voucher(&s, "{\"version\":1,\"status\":true,\"status\":false}");
	assert_site_refused(&s, LK_R_JSON_DUPLICATE);
	report(&s, &s.pki.stranger.chain, LK_EP_BRSKI_VOUCHER_STATUS, STATUS_TRUE);
	assert_site_refused(&s, LK_R_MANUFACTURER_UNKNOWN);
	site_done(&s);
}

/*= RFC8995 5.9.4: success is reported over a new TLS session with the LDevID =*/
/*= RFC8995 5.9.4: the server logs whether the client certificate matched =*/
static void
test_enrolment_status(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ENROLLED);
	/* with the IDevID: noted, and no proof that the LDevID works */
	assert_int_equal(
		report(&s, &s.pki.device.chain, LK_EP_BRSKI_ENROLLSTATUS, STATUS_TRUE), 200);
	assert_true(
		site_event_says(&s, "enrolment-confirmed", "\"client-certificate-matched\":false"));
	assert_string_equal(site_run(&s)->state, "enrolled");
	assert_int_equal(report(&s, &s.ldevid, LK_EP_BRSKI_ENROLLSTATUS, STATUS_TRUE), 200);
	assert_true(
		site_event_says(&s, "enrolment-confirmed", "\"client-certificate-matched\":true"));
	assert_string_equal(site_run(&s)->state, "done");
	site_done(&s);
}

static void
test_enrolment_failed(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ENROLLED);
	assert_int_equal(
		report(&s, &s.pki.device.chain, LK_EP_BRSKI_ENROLLSTATUS, STATUS_FALSE), 200);
	assert_true(site_event_says(&s, "enrolment-failed", "no trust"));
	assert_string_equal(site_run(&s)->state, "failed");
	report(&s, &s.pki.stranger.chain, LK_EP_BRSKI_ENROLLSTATUS, STATUS_TRUE);
	assert_site_refused(&s, LK_R_MANUFACTURER_UNKNOWN);
	report(&s, &s.ldevid, LK_EP_BRSKI_ENROLLSTATUS, "[]");
	assert_site_refused(&s, LK_R_JSON_SYNTAX);
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_leaves),
		cmocka_unit_test(test_wrong_envelopes),
		cmocka_unit_test(test_wrong_bytes),
		cmocka_unit_test(test_wrong_json),
		cmocka_unit_test(test_former_registrar_certificate),
		cmocka_unit_test(test_replay_by_another),
		cmocka_unit_test(test_identical_requests),
		cmocka_unit_test(test_stale_request),
		cmocka_unit_test(test_waiting_room),
		cmocka_unit_test(test_time_starts_with_the_approval),
		cmocka_unit_test(test_what_the_masa_is_asked),
		cmocka_unit_test(test_masa_url_of_the_idevid),
		cmocka_unit_test(test_masa_url_of_the_operator),
		cmocka_unit_test(test_masa_url_is_https),
		cmocka_unit_test(test_masa_is_met_with_its_own_anchors),
		cmocka_unit_test(test_nothing_leaves_after_distrust),
		cmocka_unit_test(test_signer_fails),
		cmocka_unit_test(test_restart_while_the_masa_thinks),
		cmocka_unit_test(test_masa_needs_time),
		cmocka_unit_test(test_masa_out_of_reach),
		cmocka_unit_test(test_masa_answers_something_else),
		cmocka_unit_test(test_lying_vouchers),
		cmocka_unit_test(test_expired_voucher),
		cmocka_unit_test(test_wrong_signers),
		cmocka_unit_test(test_vouchers_in_wrong_envelopes),
		cmocka_unit_test(test_manufacturer_gone_while_the_masa_thinks),
		cmocka_unit_test(test_voucher_is_forwarded),
		cmocka_unit_test(test_answer_for_an_overtaken_run),
		cmocka_unit_test(test_voucher_status),
		cmocka_unit_test(test_voucher_rejected_by_the_pledge),
		cmocka_unit_test(test_voucher_status_out_of_order),
		cmocka_unit_test(test_enrolment_status),
		cmocka_unit_test(test_enrolment_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
