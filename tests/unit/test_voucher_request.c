/* SPDX-License-Identifier: Apache-2.0
 *
 * Voucher-requests: the registrar's rules on a pledge's, the MASA's rules on a registrar's, each
 * by itself with the reason and the HTTP status that it gives; writing; the RFC's own examples.
 */
#include "test.h"

#include <stdlib.h>

#include "artefact/voucher_request.h"
#include "pki.h"

static struct pki_cast cast;

/* --- making requests -------------------------------------------------------------------------- */

/* What the cast's device asks the cast's registrar, with one leaf changed. */
static void
pledge_bytes(const struct pki_id *signer, const char *name, const char *value, struct lk_buf *out)
{
	LK_CLEANUP(lk_freep) char *text = pki_pledge_text(&cast, name, value);

	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = signer }, out);
}

/* What the cast's registrar asks the MASA, enclosing `prior` (NULL: nothing). */
static void
registrar_bytes(const struct pki_id *signer, const struct lk_buf *prior, const char *name,
	const char *value, struct lk_buf *out)
{
	LK_CLEANUP(lk_freep)
	char *text = pki_registrar_text(
		&cast, prior ? lk_buf_slice(prior) : lk_slice(NULL, 0), name, value);

	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = signer }, out);
}

static struct lk_voucher_request *
parsed(const struct lk_buf *der)
{
	struct lk_voucher_request *r = NULL;
	struct lk_err e = { .reason = LK_R_NONE };

	if (!lk_voucher_request_parse(lk_buf_slice(der), &r, &e).ok)
		fail_msg("%s", e.msg);
	return r;
}

static struct lk_voucher_request *
pledge_request(const struct pki_id *signer, const char *name, const char *value)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

	pledge_bytes(signer, name, value, &der);
	return parsed(&der);
}

/* A registrar's request, with one leaf of the pledge's or of its own changed. */
static struct lk_voucher_request *
registrar_request(const struct pki_id *pledge, const char *prior_name, const char *prior_value,
	const struct pki_id *signer, const char *name, const char *value)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

	pledge_bytes(pledge, prior_name, prior_value, &prior);
	registrar_bytes(signer, &prior, name, value, &der);
	return parsed(&der);
}

static struct lk_voucher_request *
prior_with(const char *name, const char *value)
{
	return registrar_request(&cast.device, name, value, &cast.registrar, NULL, NULL);
}

static struct lk_voucher_request *
outer_with(const char *name, const char *value)
{
	return registrar_request(&cast.device, NULL, NULL, &cast.registrar, name, value);
}

/* Without an enclosed request. */
static struct lk_voucher_request *
bare_request(const struct pki_id *signer, const char *name, const char *value)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

	registrar_bytes(signer, NULL, name, value, &der);
	return parsed(&der);
}

/* --- syntax ----------------------------------------------------------------------------------- */

static void
assert_parse_refused(const char *name, const char *value, enum lk_reason reason)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_voucher_request *r = NULL;
	struct lk_err e;

	pledge_bytes(&cast.device, name, value, &der);
	assert_refused(lk_voucher_request_parse(lk_buf_slice(&der), &r, &e), e, reason);
	assert_null(r);
}

static void
test_leaves(void **state)
{
	(void)state;
	assert_parse_refused("serial-number", NULL, LK_R_REQUEST_LEAF);
	assert_parse_refused("serial-number", "\"\"", LK_R_REQUEST_LEAF);
	assert_parse_refused("assertion", "\"near\"", LK_R_REQUEST_LEAF);
	assert_parse_refused("created-on", "\"now\"", LK_R_REQUEST_LEAF);
	assert_parse_refused("proximity-registrar-cert", "\"A\"", LK_R_REQUEST_LEAF);
	/*= RFC8366 5.3: a nonce has at least 8 octets =*/
	assert_parse_refused("nonce", "\"1234567\"", LK_R_REQUEST_LEAF);
	assert_parse_refused("prior-signed-voucher-request", "\"AAAA\"", LK_R_CMS_SYNTAX);
}

static void
test_invalid_leaves_are_ignored(void **state)
{
	const struct lk_pledge_request_want want = { pki_cert(&cast.device),
		pki_cert(&cast.registrar) };
	static const char *const ignored[] = { "pinned-domain-cert", "last-renewal-date",
		"domain-cert-revocation-checks", "expires-on" };
	struct lk_verified_pledge_request ret;
	struct lk_err e;
	size_t i;

	(void)state;
	/*= RFC8995 3.4: leaves that are not valid in a voucher-request are ignored =*/
	for (i = 0; i < LK_ARRAY_LEN(ignored); i++) {
		LK_CLEANUP(lk_voucher_request_freep)
		struct lk_voucher_request *r = pledge_request(&cast.device, ignored[i], "[\"?\"]");

		assert_true(lk_pledge_request_check(r, &want, &ret, &e).ok);
	}
}

/* A voucher is no request, and conveyed information is neither. */
static void
test_other_kinds(void **state)
{
	const struct pki_cms voucher = { .text = "{\"ietf-voucher:voucher\":{}}",
		.signer = &cast.device };
	const struct pki_cms conveyed = {
		.text = "{}", .signer = &cast.device, .oid = "1.2.840.113549.1.9.16.1.43"
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf a = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_voucher_request *r = NULL;
	struct lk_err e;

	(void)state;
	pki_cms_sign(&voucher, &a);
	assert_refused(lk_voucher_request_parse(lk_buf_slice(&a), &r, &e), e, LK_R_JSON_MEMBER);
	pki_cms_sign(&conveyed, &b);
	assert_refused(
		lk_voucher_request_parse(lk_buf_slice(&b), &r, &e), e, LK_R_CMS_CONTENT_TYPE);
	assert_null(r);
}

/* A request in a request in a request: the inmost is not looked at. */
static void
test_nesting(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf inner = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_freep) char *nested = NULL;
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;

	(void)state;
	pledge_bytes(&cast.device, NULL, NULL, &inner);
	nested = pki_quoted_base64(lk_buf_slice(&inner));
	r = prior_with("prior-signed-voucher-request", nested);
	assert_non_null(r->prior);
	assert_null(r->prior->prior);
}

/* --- the registrar's rules -------------------------------------------------------------------- */

static void
assert_pledge_refused(const struct lk_voucher_request *r, const struct lk_pledge_request_want *want,
	enum lk_reason reason, int status)
{
	struct lk_verified_pledge_request ret = { NULL, NULL };
	struct lk_err e;

	assert_refused(lk_pledge_request_check(r, want, &ret, &e), e, reason);
	assert_int_equal(lk_reason_http_status(e.reason), status);
	assert_null(ret.request);
	assert_null(ret.idevid);
}

static void
assert_pledge_leaf_refused(const char *name, const char *value, enum lk_reason reason, int status)
{
	const struct lk_pledge_request_want want = { pki_cert(&cast.device),
		pki_cert(&cast.registrar) };
	LK_CLEANUP(lk_voucher_request_freep)
	struct lk_voucher_request *r = pledge_request(&cast.device, name, value);

	assert_pledge_refused(r, &want, reason, status);
}

static void
test_pledge_good(void **state)
{
	const struct lk_pledge_request_want want = { pki_cert(&cast.device),
		pki_cert(&cast.registrar) };
	LK_CLEANUP(lk_voucher_request_freep)
	struct lk_voucher_request *r = pledge_request(&cast.device, "created-on", NULL);
	struct lk_verified_pledge_request ret;
	struct lk_err e;

	(void)state;
	assert_true(lk_pledge_request_check(r, &want, &ret, &e).ok);
	assert_ptr_equal(ret.request, r);
	assert_ptr_equal(ret.idevid, pki_cert(&cast.device));
}

static void
test_pledge_leaves(void **state)
{
	LK_CLEANUP(lk_freep)
	char *foreign = pki_quoted_base64(lk_cert_der(pki_cert(&cast.stranger)));

	(void)state;
	/*= RFC8995 5.2: the assertion is proximity =*/
	assert_pledge_leaf_refused("assertion", NULL, LK_R_REQUEST_ASSERTION, 401);
	assert_pledge_leaf_refused("assertion", "\"logged\"", LK_R_REQUEST_ASSERTION, 401);
	/*= RFC8995 5.2: proximity-registrar-cert is the registrar's certificate =*/
	assert_pledge_leaf_refused("proximity-registrar-cert", NULL, LK_R_REQUEST_PROXIMITY, 401);
	assert_pledge_leaf_refused("proximity-registrar-cert", "\"\"", LK_R_REQUEST_PROXIMITY, 401);
	assert_pledge_leaf_refused(
		"proximity-registrar-cert", foreign, LK_R_REQUEST_PROXIMITY, 401);
	/*= RFC8995 5.5: the request's serial-number matches the IDevID's =*/
	assert_pledge_leaf_refused("serial-number", "\"LK-0002\"", LK_R_REQUEST_SERIAL, 404);
	/*= RFC8995 5.2: a pledge's request contains a nonce =*/
	assert_pledge_leaf_refused("nonce", NULL, LK_R_REQUEST_NONCE, 404);
}

static void
test_pledge_signer(void **state)
{
	const struct pki_spec sibling = {
		.cn = "Thing", .serial_number = PKI_SERIAL, .masa_url = PKI_MASA_URL
	};
	LK_CLEANUP(pki_id_done) struct pki_id other = { .key = NULL };
	LK_CLEANUP(lk_voucher_request_freep)
	struct lk_voucher_request *r = pledge_request(&cast.device, NULL, NULL);
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *forged = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_pledge_request_want want = { NULL, pki_cert(&cast.registrar) };
	uint8_t *nonce;

	(void)state;
	/*= RFC8995 5.2: the request is signed with the IDevID that authenticated the connection =*/
	pki_issue(&cast.vendor, &sibling, &other);
	want.idevid = pki_cert(&other);
	assert_pledge_refused(r, &want, LK_R_REQUEST_SIGNER, 401);
	/* The device's certificate is named, and its key did not sign. */
	want.idevid = pki_cert(&cast.device);
	pledge_bytes(&cast.device, NULL, NULL, &der);
	nonce = memmem(der.p, der.n, PKI_NONCE, strlen(PKI_NONCE));
	assert_non_null(nonce);
	nonce[0] ^= 1;
	forged = parsed(&der);
	assert_pledge_refused(forged, &want, LK_R_CMS_SIGNATURE, 403);
}

/* --- the MASA's rules ------------------------------------------------------------------------- */

static struct lk_registrar_request_want
masa_wants(void)
{
	return (struct lk_registrar_request_want){
		.manufacturer = cast.manufacturer,
		.idevid_times = LK_TIMES_IGNORE_LEAF,
		.now = PKI_NOW,
	};
}

/* Consumes r. */
static void
assert_masa_refuses(struct lk_voucher_request *r, const struct lk_registrar_request_want *want,
	enum lk_reason reason)
{
	struct lk_verified_registrar_request ret = { .request = NULL };
	struct lk_err e;

	assert_refused(lk_registrar_request_check(r, want, &ret, &e), e, reason);
	assert_null(ret.request);
	assert_null(ret.registrar);
	lk_voucher_request_free(r);
}

static void
test_registrar_good(void **state)
{
	const struct lk_registrar_request_want want = masa_wants();
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = outer_with(NULL, NULL);
	struct lk_verified_registrar_request ret;
	struct lk_err e = { .reason = LK_R_NONE };

	(void)state;
	if (!lk_registrar_request_check(r, &want, &ret, &e).ok)
		fail_msg("%s", e.msg);
	assert_ptr_equal(ret.request, r);
	/*= RFC8995 5.5.2: the registrar's chain is extracted from the CMS object =*/
	assert_true(lk_cert_eq(ret.registrar, pki_cert(&cast.registrar)));
	assert_true(lk_cert_eq(ret.farthest, pki_cert(&cast.domain)));
	assert_true(lk_cert_eq(ret.idevid, pki_cert(&cast.device)));
	/*= RFC8995 5.5.5: a verified prior request makes the assertion proximity =*/
	assert_int_equal(ret.assertion, LK_ASSERTION_PROXIMITY);
	assert_false(ret.authenticated);
}

/* Audit only: nonce, no prior request. */
static void
test_registrar_bare(void **state)
{
	const struct lk_registrar_request_want want = masa_wants();
	LK_CLEANUP(lk_voucher_request_freep)
	struct lk_voucher_request *r = bare_request(&cast.registrar, NULL, NULL);
	struct lk_verified_registrar_request ret;
	struct lk_err e;

	(void)state;
	assert_true(lk_registrar_request_check(r, &want, &ret, &e).ok);
	assert_int_equal(ret.assertion, LK_ASSERTION_LOGGED);
	assert_null(ret.idevid);
}

static void
test_registrar_chain(void **state)
{
	const struct pki_spec ended = { .cn = "Old", .eku = PKI_EKU_RA, .not_after = PKI_NOW - 1 };
	const struct pki_spec fake = { .cn = "Domain CA", .ca = true, .no_ski = true };
	const struct pki_spec registrar = { .cn = "Registrar", .eku = PKI_EKU_RA, .no_aki = true };
	LK_CLEANUP(pki_id_done) struct pki_id old = { .key = NULL };
	LK_CLEANUP(pki_id_done) struct pki_id fake_ca = { .key = NULL };
	LK_CLEANUP(pki_id_done) struct pki_id mixed = { .key = NULL };
	LK_CLEANUP(pki_id_done) struct pki_id lonely = { .key = NULL };
	const struct lk_registrar_request_want want = masa_wants();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_freep) char *met = pki_quoted_base64(lk_cert_der(pki_cert(&cast.registrar)));

	(void)state;
	/*= RFC8995 5.5: a registrar's request has no proximity-registrar-cert =*/
	assert_masa_refuses(
		outer_with("proximity-registrar-cert", met), &want, LK_R_REQUEST_PROXIMITY_PRESENT);
	pki_issue(&cast.domain, &ended, &old);
	assert_masa_refuses(bare_request(&old, NULL, NULL), &want, LK_R_CERT_TIME);
	/*= RFC8995 5.5.2: an unknown domain CA is a temporary trust anchor =*/
	/* The CA named, of another key: enclosed, and not the one that issued. */
	pki_issue(NULL, &fake, &fake_ca);
	pki_issue(&cast.domain, &registrar, &mixed);
	lk_cert_free(mixed.chain.v[1]);
	mixed.chain.v[1] = lk_cert_ref(pki_cert(&fake_ca));
	assert_masa_refuses(bare_request(&mixed, NULL, NULL), &want, LK_R_REQUEST_CHAIN);
	pki_cms_sign(
		&(struct pki_cms){ .signer = &cast.registrar,
			.without_certs = true,
			.text = "{\"ietf-voucher-request:voucher\":{\"serial-number\":\"1\"}}" },
		&der);
	assert_masa_refuses(parsed(&der), &want, LK_R_REQUEST_SIGNER_MISSING);
	/*= RFC8995 5.5.4: the request's signer has the extended key usage id-kp-cmcRA =*/
	pki_issue(&cast.domain, &(struct pki_spec){ .cn = "LDevID", .eku = "clientAuth" }, &lonely);
	assert_masa_refuses(bare_request(&lonely, NULL, NULL), &want, LK_R_REQUEST_NOT_RA);
}

/* One byte of the signed content differs from what was signed. */
static void
test_registrar_signature(void **state)
{
	const struct lk_registrar_request_want want = masa_wants();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	uint8_t *serial;

	(void)state;
	registrar_bytes(&cast.registrar, NULL, NULL, NULL, &der);
	serial = memmem(der.p, der.n, PKI_SERIAL, strlen(PKI_SERIAL));
	assert_non_null(serial);
	serial[strlen(PKI_SERIAL) - 1] ^= 1;
	/*= RFC8995 5.5.3: the registrar's signature is verified =*/
	assert_masa_refuses(parsed(&der), &want, LK_R_CMS_SIGNATURE);
}

static void
test_nonceless(void **state)
{
	struct lk_registrar_request_want want = masa_wants();
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *domain = pki_anchors(&cast.domain);
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *other = pki_anchors(&cast.stranger_ca);
	LK_CLEANUP(lk_voucher_request_freep)
	struct lk_voucher_request *r = bare_request(&cast.registrar, "nonce", NULL);
	struct lk_verified_registrar_request ret = { .request = NULL };
	struct lk_err e;

	(void)state;
	/*= RFC8995 5.5.4: a registrar that asks without nonce is authenticated =*/
	assert_refused(lk_registrar_request_check(r, &want, &ret, &e), e, LK_R_REQUEST_NONCELESS);
	want.domains = other;
	assert_refused(lk_registrar_request_check(r, &want, &ret, &e), e, LK_R_REQUEST_NONCELESS);
	assert_null(ret.request);
	want.domains = domain;
	assert_true(lk_registrar_request_check(r, &want, &ret, &e).ok);
	assert_true(ret.authenticated);
	want.domains = NULL;
	want.authenticated = true;
	assert_true(lk_registrar_request_check(r, &want, &ret, &e).ok);
	assert_true(ret.authenticated);
}

static void
test_prior_signer(void **state)
{
	const struct lk_registrar_request_want want = masa_wants();
	const struct pki_spec copy = { .cn = "Thing", .serial_number = PKI_SERIAL };
	LK_CLEANUP(pki_id_done) struct pki_id self_signed = { .key = NULL };
	LK_CLEANUP(pki_id_done) struct pki_id foreign = { .key = NULL };
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	/*= RFC8995 5.5.5: the prior request is signed by an IDevID of this manufacturer =*/
	pki_issue(NULL, &copy, &self_signed);
	assert_masa_refuses(
		registrar_request(&self_signed, NULL, NULL, &cast.registrar, NULL, NULL), &want,
		LK_R_PRIOR_SIGNER);
	pki_issue(&cast.stranger_ca, &copy, &foreign);
	assert_masa_refuses(registrar_request(&foreign, NULL, NULL, &cast.registrar, NULL, NULL),
		&want, LK_R_PRIOR_SIGNER);
	pki_cms_sign(
		&(struct pki_cms){ .signer = &cast.device,
			.without_certs = true,
			.text = "{\"ietf-voucher-request:voucher\":{\"serial-number\":\"1\"}}" },
		&prior);
	registrar_bytes(&cast.registrar, &prior, NULL, NULL, &der);
	assert_masa_refuses(parsed(&der), &want, LK_R_PRIOR_SIGNER);
}

static void
test_prior_unsigned_by_key(void **state)
{
	const struct lk_registrar_request_want want = masa_wants();
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	uint8_t *nonce;

	(void)state;
	pledge_bytes(&cast.device, NULL, NULL, &prior);
	nonce = memmem(prior.p, prior.n, PKI_NONCE, strlen(PKI_NONCE));
	assert_non_null(nonce);
	nonce[0] ^= 1;
	registrar_bytes(&cast.registrar, &prior, NULL, NULL, &der);
	assert_masa_refuses(parsed(&der), &want, LK_R_CMS_SIGNATURE);
}

static void
test_prior_proximity(void **state)
{
	const struct lk_registrar_request_want want = masa_wants();
	const struct pki_spec renewed = {
		.cn = "Registrar", .eku = PKI_EKU_RA, .key = cast.registrar.key
	};
	LK_CLEANUP(pki_id_done) struct pki_id again = { .key = NULL };
	LK_CLEANUP(lk_freep)
	char *foreign = pki_quoted_base64(lk_cert_der(pki_cert(&cast.stranger)));
	LK_CLEANUP(lk_freep) char *same_key = NULL;
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;
	struct lk_verified_registrar_request ret;
	struct lk_err e;

	(void)state;
	/*= RFC8995 5.5.5: the SPKI of proximity-registrar-cert is in the registrar's chain =*/
	assert_masa_refuses(
		prior_with("proximity-registrar-cert", NULL), &want, LK_R_PRIOR_PROXIMITY);
	assert_masa_refuses(
		prior_with("proximity-registrar-cert", "\"AAAA\""), &want, LK_R_PRIOR_PROXIMITY);
	assert_masa_refuses(
		prior_with("proximity-registrar-cert", foreign), &want, LK_R_PRIOR_PROXIMITY);
	/* The device met the registrar that is asking, and the request goes by a stranger. */
	assert_masa_refuses(registrar_request(&cast.device, NULL, NULL, &cast.stranger, NULL, NULL),
		&want, LK_R_PRIOR_PROXIMITY);
	pki_issue(&cast.domain, &renewed, &again);
	same_key = pki_quoted_base64(lk_cert_der(pki_cert(&again)));
	r = prior_with("proximity-registrar-cert", same_key);
	assert_true(lk_registrar_request_check(r, &want, &ret, &e).ok);
}

static void
test_prior_leaves(void **state)
{
	const struct lk_registrar_request_want want = masa_wants();
	LK_CLEANUP(lk_freep)
	char *foreign = pki_quoted_base64(lk_cert_aki_ext(pki_cert(&cast.registrar)));

	(void)state;
	/*= RFC8995 5.5.5: serial-number matches that of the prior request's signer =*/
	assert_masa_refuses(outer_with("serial-number", "\"LK-0002\""), &want, LK_R_PRIOR_SERIAL);
	/*= RFC8995 5.5: idevid-issuer is that of the pledge's IDevID =*/
	assert_masa_refuses(outer_with("idevid-issuer", foreign), &want, LK_R_PRIOR_ISSUER);
	/*= RFC8995 5.5.6: the nonce is the prior request's =*/
	assert_masa_refuses(
		outer_with("nonce", "\"JrRJkyfhuSn3qXmTAqvWPB\""), &want, LK_R_PRIOR_NONCE);
	assert_masa_refuses(prior_with("nonce", NULL), &want, LK_R_PRIOR_NONCE);
}

/* With a fresh request of the device in its hands, a registrar does not ask for a voucher that
 * outlives it. */
static void
test_prior_without_nonce(void **state)
{
	struct lk_registrar_request_want want = masa_wants();

	(void)state;
	want.authenticated = true;
	/*= RFC8995 5.5.6: the nonce is the prior request's =*/
	assert_masa_refuses(outer_with("nonce", NULL), &want, LK_R_PRIOR_NONCE);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
append(struct lk_buf *b, struct lk_slice in)
{
	struct lk_err e;

	assert_true(lk_buf_append(b, in, &e).ok);
}

/* Pledge, registrar and MASA by Latchkey's own writer. */
static void
test_round_trip(void **state)
{
	LK_CLEANUP(lk_voucher_request_leaves_done)
	struct lk_voucher_request_leaves asks = {
		.present = 1u << LK_REQUEST_ASSERTION | 1u << LK_REQUEST_NONCE |
			   1u << LK_REQUEST_SERIAL_NUMBER |
			   1u << LK_REQUEST_PROXIMITY_REGISTRAR_CERT,
		.assertion = LK_ASSERTION_PROXIMITY,
		.nonce = PKI_NONCE,
		.serial_number = PKI_SERIAL,
		.proximity_registrar_cert = LK_BUF_INIT(LK_CERT_DER_MAX),
	};
	LK_CLEANUP(lk_voucher_request_leaves_done) struct lk_voucher_request_leaves relays = { 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf inner = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf outer = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *pledge = NULL;
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *registrar = NULL;
	const struct lk_pledge_request_want near = { pki_cert(&cast.device),
		pki_cert(&cast.registrar) };
	const struct lk_registrar_request_want far = masa_wants();
	struct lk_verified_pledge_request seen;
	struct lk_verified_registrar_request proved;
	struct lk_err e;

	(void)state;
	append(&asks.proximity_registrar_cert, lk_cert_der(pki_cert(&cast.registrar)));
	assert_true(
		lk_pledge_request_build(&asks, cast.device.key, &cast.device.chain, &inner, &e).ok);
	pledge = parsed(&inner);
	assert_true(lk_pledge_request_check(pledge, &near, &seen, &e).ok);
	assert_true(lk_registrar_request_leaves(&seen, PKI_NOW, &relays, &e).ok);
	/*= RFC8995 5.5: the nonce is copied from the pledge's request =*/
	assert_string_equal(relays.nonce, PKI_NONCE);
	/*= RFC8995 5.5: serial-number is the IDevID's, never copied from the request =*/
	assert_string_equal(relays.serial_number, PKI_SERIAL);
	/*= RFC8366bis 5.3: idevid-issuer is the whole authorityKeyIdentifier extension =*/
	assert_true(lk_slice_eq(
		lk_buf_slice(&relays.idevid_issuer), lk_cert_aki_ext(pki_cert(&cast.device))));
	/*= RFC8995 5.5: the entire signed pledge request is enclosed =*/
	assert_true(lk_slice_eq(
		lk_buf_slice(&relays.prior_signed_voucher_request), lk_buf_slice(&inner)));
	assert_true(lk_registrar_request_build(
		&relays, cast.registrar.key, &cast.registrar.chain, &outer, &e)
			    .ok);
	registrar = parsed(&outer);
	assert_true(lk_registrar_request_check(registrar, &far, &proved, &e).ok);
	assert_true(lk_registrar_request_text(&relays, &text, &e).ok);
	assert_true(lk_slice_eq(lk_buf_slice(&text), lk_cms_content(registrar->cms)));
}

static void
test_build_refuses(void **state)
{
	LK_CLEANUP(lk_voucher_request_leaves_done)
	struct lk_voucher_request_leaves leaf = {
		.present =
			1u << LK_REQUEST_PROXIMITY_REGISTRAR_CERT | 1u << LK_REQUEST_SERIAL_NUMBER,
		.serial_number = PKI_SERIAL,
		.proximity_registrar_cert = LK_BUF_INIT(8),
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_err e;

	(void)state;
	append(&leaf.proximity_registrar_cert, LK_SLICE_LIT("cert"));
	assert_refused(lk_registrar_request_build(
			       &leaf, cast.registrar.key, &cast.registrar.chain, &out, &e),
		e, LK_R_REQUEST_PROXIMITY_PRESENT);
	leaf.present = 1u << LK_REQUEST_SERIAL_NUMBER;
	leaf.serial_number[0] = 0;
	assert_refused(lk_registrar_request_build(
			       &leaf, cast.registrar.key, &cast.registrar.chain, &out, &e),
		e, LK_R_REQUEST_LEAF);
	assert_int_equal(out.n, 0);
}

static void
test_print(void **state)
{
	LK_CLEANUP(lk_voucher_request_freep)
	struct lk_voucher_request *r = outer_with("idevid-issuer", "\"AAAA\"");
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(8192);
	LK_CLEANUP(lk_freep) char *want = NULL;
	char fingerprint[65];
	struct lk_err e;

	(void)state;
	lk_cert_fingerprint(pki_cert(&cast.registrar), fingerprint);
	want = pki_text("assertion: proximity\nnonce: " PKI_NONCE
			"\ncreated-on: 2026-01-01T11:59:30Z\nserial-number: " PKI_SERIAL
			"\nidevid-issuer: AAAA\nprior-signed-voucher-request: %zu bytes\n"
			"prior assertion: proximity\nprior nonce: " PKI_NONCE
			"\nprior created-on: 2026-01-01T11:59:00Z\nprior serial-number: " PKI_SERIAL
			"\nprior proximity-registrar-cert: CN=Registrar, sha256 %s\n",
		r->prior->der.n, fingerprint);
	assert_true(lk_voucher_request_print(r, &out, &e).ok);
	assert_string_equal(lk_buf_str(&out), want);
}

/* --- every way to cut or bend the bytes ------------------------------------------------------- */

static bool
masa_accepts(struct lk_slice der)
{
	const struct lk_registrar_request_want want = masa_wants();
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;
	struct lk_verified_registrar_request ret = { .request = NULL };
	struct lk_err e;

	if (!lk_voucher_request_parse(der, &r, &e).ok)
		return false;
	if (!lk_registrar_request_check(r, &want, &ret, &e).ok) {
		assert_null(ret.request);
		return false;
	}
	return true;
}

/* SignedData's and SignerInfo's, of which nothing depends. */
static bool
is_version(const struct lk_buf *der, size_t i)
{
	return i >= 2 && memcmp(der->p + i - 2, "\x02\x01", 2) == 0 &&
	       (der->p[i] == 1 || der->p[i] == 3);
}

static void
test_mutations(void **state)
{
	struct lk_slice own = lk_cert_der(pki_cert(&cast.registrar));
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	struct pki_id device = cast.device, registrar = cast.registrar;
	const uint8_t *anchor;
	bool accepted;
	size_t i;

	(void)state;
	device.chain.n = registrar.chain.n = 1;
	pledge_bytes(&device, NULL, NULL, &prior);
	registrar_bytes(&registrar, &prior, NULL, NULL, &der);
	assert_true(masa_accepts(lk_buf_slice(&der)));
	/* The registrar's certificate is what all else is held against; nothing vouches for it. */
	anchor = memmem(der.p, der.n, own.p, own.n);
	assert_non_null(anchor);
	for (i = 0; i < der.n; i++) {
		assert_false(masa_accepts(lk_slice(der.p, i)));
		if (der.p + i >= anchor && der.p + i < anchor + own.n)
			continue;
		der.p[i] ^= 0x01;
		accepted = masa_accepts(lk_buf_slice(&der));
		der.p[i] ^= 0x01;
		if (accepted && !is_version(&der, i))
			fail_msg("byte %zu flipped is accepted", i);
	}
}

/* --- the RFC's own examples ------------------------------------------------------------------- */

static struct lk_cert *
shared_cert(const char *path)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(LK_CERT_DER_MAX);
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };
	struct lk_err e;

	assert_true(pki_shared(path, &pem));
	assert_true(lk_certs_parse_any(lk_buf_slice(&pem), &certs, &e).ok);
	return lk_cert_ref(certs.v[0]);
}

/* RFC 8995 C.2.1 and C.2.2. */
static void
test_rfc8995_examples(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf parboiled = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *registrar = NULL, *idevid = NULL;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *vendor = NULL;
	LK_CLEANUP(lk_voucher_request_freep)
	struct lk_voucher_request *pledge = NULL, *relayed = NULL;
	LK_CLEANUP(lk_certs_done) struct lk_certs anchors = { .n = 0 };
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *manufacturer = NULL;
	struct lk_pledge_request_want near;
	struct lk_registrar_request_want far = {
		.idevid_times = LK_TIMES_IGNORE_LEAF,
		.now = INT64_C(1618444800), /* 2021-04-15T00:00:00Z */
	};
	struct lk_verified_pledge_request seen;
	struct lk_verified_registrar_request proved;
	struct lk_err e = { .reason = LK_R_NONE };

	(void)state;
	if (!pki_shared("rfc8995-appendix-c/vr_00-D0-E5-F2-00-02.cms", &der)) {
		print_message("skipped: the published vectors are not here\n");
		skip();
	}
	assert_true(
		pki_shared("rfc8995-appendix-c/parboiled_vr_00-D0-E5-F2-00-02.cms", &parboiled));
	registrar = shared_cert("rfc8995-appendix-c/jrc_prime256v1.pem");
	idevid = shared_cert("rfc8995-appendix-c/idevid-embedded-in-vr.pem");
	vendor = shared_cert("rfc8995-appendix-c/vendor.pem");
	pledge = parsed(&der);
	near = (struct lk_pledge_request_want){ idevid, registrar };
	if (!lk_pledge_request_check(pledge, &near, &seen, &e).ok)
		fail_msg("%s", e.msg);
	assert_true(lk_certs_add(&anchors, vendor, &e).ok);
	assert_true(lk_anchors_new(&anchors, &manufacturer, &e).ok);
	relayed = parsed(&parboiled);
	far.manufacturer = manufacturer;
	if (!lk_registrar_request_check(relayed, &far, &proved, &e).ok)
		fail_msg("%s", e.msg);
	assert_int_equal(proved.assertion, LK_ASSERTION_PROXIMITY);
	assert_true(lk_cert_eq(proved.registrar, registrar));
}

static int
set_up(void **state)
{
	(void)state;
	pki_cast_init(&cast);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	pki_cast_done(&cast);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_invalid_leaves_are_ignored),
		cmocka_unit_test(test_other_kinds),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_pledge_good),
		cmocka_unit_test(test_pledge_leaves),
		cmocka_unit_test(test_pledge_signer),
		cmocka_unit_test(test_registrar_good),
		cmocka_unit_test(test_registrar_bare),
		cmocka_unit_test(test_registrar_chain),
		cmocka_unit_test(test_registrar_signature),
		cmocka_unit_test(test_nonceless),
		cmocka_unit_test(test_prior_signer),
		cmocka_unit_test(test_prior_unsigned_by_key),
		cmocka_unit_test(test_prior_proximity),
		cmocka_unit_test(test_prior_leaves),
		cmocka_unit_test(test_prior_without_nonce),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_build_refuses),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_rfc8995_examples),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
