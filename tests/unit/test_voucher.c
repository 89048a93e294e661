/* SPDX-License-Identifier: Apache-2.0
 *
 * The voucher: each rule by itself, with the reason that it gives and nothing handed out; the
 * RFC's own example; and every way to cut or bend the bytes.
 */
#include "test.h"

#include <stdlib.h>

#include "artefact/voucher.h"
#include "pki.h"

static struct pki_cast cast;

/* --- making vouchers -------------------------------------------------------------------------- */

static struct lk_result
parse_spec(const struct pki_cms *spec, struct lk_voucher **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

	pki_cms_sign(spec, &der);
	return lk_voucher_parse(lk_buf_slice(&der), ret, e);
}

static struct lk_result
parse_text(const char *text, struct lk_voucher **ret, struct lk_err *e)
{
	return parse_spec(&(struct pki_cms){ .text = text, .signer = &cast.masa }, ret, e);
}

static struct lk_voucher *
voucher_signed_by(const struct pki_id *signer, const char *name, const char *value)
{
	LK_CLEANUP(lk_freep) char *text = pki_voucher_text(&cast, name, value);
	struct lk_voucher *v = NULL;
	struct lk_err e;

	assert_true(parse_spec(&(struct pki_cms){ .text = text, .signer = signer }, &v, &e).ok);
	return v;
}

static struct lk_voucher *
voucher_with(const char *name, const char *value)
{
	return voucher_signed_by(&cast.masa, name, value);
}

/* What the cast's device wants. */
static struct lk_voucher_want
wanted(void)
{
	return (struct lk_voucher_want){
		.manufacturer = cast.manufacturer,
		.times = LK_TIMES_CHECK,
		.now = PKI_NOW,
		.idevid = pki_cert(&cast.device),
		.nonce = PKI_NONCE,
		.accept_nonceless = true,
		.accept_assertions = ~0u,
		.registrar = &cast.registrar.chain,
	};
}

static void
assert_accepted(const struct lk_voucher *v, const struct lk_voucher_want *want)
{
	struct lk_verified_voucher ret = { NULL, NULL };
	struct lk_err e = { .reason = LK_R_NONE };

	if (!lk_voucher_check(v, want, &ret, &e).ok)
		fail_msg("%s", e.msg);
	assert_ptr_equal(ret.voucher, v);
	assert_ptr_equal(ret.pinned, v->pinned);
}

static void
assert_check_refused(
	const struct lk_voucher *v, const struct lk_voucher_want *want, enum lk_reason reason)
{
	struct lk_verified_voucher ret = { NULL, NULL };
	struct lk_err e;

	assert_refused(lk_voucher_check(v, want, &ret, &e), e, reason);
	assert_null(ret.voucher);
	assert_null(ret.pinned);
}

static void
assert_parse_refused(const char *name, const char *value, enum lk_reason reason)
{
	LK_CLEANUP(lk_freep) char *text = pki_voucher_text(&cast, name, value);
	struct lk_voucher *v = NULL;
	struct lk_err e;

	assert_refused(parse_text(text, &v, &e), e, reason);
	assert_null(v);
}

static void
assert_spec_refused(const struct pki_cms *spec, enum lk_reason reason)
{
	struct lk_voucher *v = NULL;
	struct lk_err e;

	assert_refused(parse_spec(spec, &v, &e), e, reason);
	assert_null(v);
}

/* --- the envelope ----------------------------------------------------------------------------- */

static void
test_envelope(void **state)
{
	LK_CLEANUP(lk_freep) char *text = pki_voucher_text(&cast, NULL, NULL);
	LK_CLEANUP(lk_buf_done) struct lk_buf enveloped = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_voucher *v = NULL;
	struct lk_err e;

	(void)state;
	/*= RFC8366 5.4: the voucher is signed by exactly one signer =*/
	assert_spec_refused(&(struct pki_cms){ .text = text }, LK_R_CMS_SIGNERS);
	assert_spec_refused(
		&(struct pki_cms){ .text = text, .signer = &cast.masa, .second = &cast.stranger },
		LK_R_CMS_SIGNERS);
	/*= RFC8366bis 5.4: a decoder checks that signed attributes are present =*/
	assert_spec_refused(&(struct pki_cms){ .text = text,
				    .signer = &cast.masa,
				    .without_attributes = true,
				    .oid = PKI_OID_DATA },
		LK_R_CMS_SIGNATURE);
	assert_spec_refused(
		&(struct pki_cms){ .text = text, .signer = &cast.masa, .detached = true },
		LK_R_CMS_SYNTAX);
	/*= RFC8366 5.4: the voucher artifact is a CMS SignedData =*/
	pki_cms_envelop(text, &cast.device, &enveloped);
	assert_refused(lk_voucher_parse(lk_buf_slice(&enveloped), &v, &e), e, LK_R_CMS_TYPE);
	assert_null(v);
}

static void
test_content_type(void **state)
{
	LK_CLEANUP(lk_freep) char *text = pki_voucher_text(&cast, NULL, NULL);
	struct pki_cms spec = { .text = text, .signer = &cast.masa };
	struct lk_voucher *v = NULL;
	struct lk_err e;

	(void)state;
	/*= RFC8366 5.4: eContentType is id-ct-animaJSONVoucher (id-data is taken too) =*/
	spec.oid = "1.2.840.113549.1.9.16.1.40";
	assert_true(parse_spec(&spec, &v, &e).ok);
	v = lk_voucher_free(v);
	spec.oid = PKI_OID_DATA;
	assert_true(parse_spec(&spec, &v, &e).ok);
	v = lk_voucher_free(v);
	spec.oid = "1.2.840.113549.1.9.16.1.43";
	assert_spec_refused(&spec, LK_R_CMS_CONTENT_TYPE);
	spec.oid = "1.2.840.113549.1.9.16.1.4";
	assert_spec_refused(&spec, LK_R_CMS_CONTENT_TYPE);
}

static void
test_size(void **state)
{
	static const uint8_t zeros[LK_VOUCHER_MAX + 1];
	struct lk_voucher *v = NULL;
	struct lk_err e;

	(void)state;
	assert_refused(lk_voucher_parse(LK_SLICE_ARRAY(zeros), &v, &e), e, LK_R_TOO_LARGE);
	assert_refused(lk_voucher_parse(lk_slice(NULL, 0), &v, &e), e, LK_R_TOO_LARGE);
	assert_null(v);
}

/* --- the JSON --------------------------------------------------------------------------------- */

static void
test_json(void **state)
{
	static const struct {
		const char *text;
		enum lk_reason reason;
	} bad[] = {
		{ "", LK_R_JSON_SYNTAX },
		{ "nonsense", LK_R_JSON_SYNTAX },
		{ "{\"ietf-voucher:voucher\":{\"serial-number\":\"LK-0001\\u0000\"}}",
			LK_R_JSON_SYNTAX },
		{ "[]", LK_R_JSON_SYNTAX },
		{ "{\"ietf-voucher:voucher\":{}} {}", LK_R_JSON_SYNTAX },
		/*= RFC7951 4: the top-level member's name carries the module's name =*/
		{ "{\"voucher\":{}}", LK_R_JSON_MEMBER },
		{ "{\"ietf-voucher-request:voucher\":{}}", LK_R_JSON_MEMBER },
		{ "{\"ietf-voucher:voucher\":{},\"x\":1}", LK_R_JSON_MEMBER },
		{ "{\"ietf-voucher:voucher\":[]}", LK_R_JSON_MEMBER },
		/*= RFC8259 4: names within an object are unique =*/
		{ "{\"ietf-voucher:voucher\":{\"nonce\":\"12345678\",\"nonce\":\"12345678\"}}",
			LK_R_JSON_DUPLICATE },
		{ "{\"ietf-voucher:voucher\":{\"x\":{\"a\":1,\"a\":1}}}", LK_R_JSON_DUPLICATE },
		/*= RFC8259 9: a parser sets a limit on the depth of nesting =*/
		{ "{\"a\":[[[[[[[[1]]]]]]]]}", LK_R_JSON_DEPTH },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++)
		assert_spec_refused(&(struct pki_cms){ .text = bad[i].text, .signer = &cast.masa },
			bad[i].reason);
}

static void
test_leaves(void **state)
{
	(void)state;
	assert_parse_refused("created-on", NULL, LK_R_VOUCHER_LEAF);
	assert_parse_refused("created-on", "\"yesterday\"", LK_R_VOUCHER_LEAF);
	assert_parse_refused("created-on", "1767268740", LK_R_VOUCHER_LEAF);
	assert_parse_refused("assertion", NULL, LK_R_VOUCHER_LEAF);
	assert_parse_refused("assertion", "\"agent-proximity\"", LK_R_VOUCHER_LEAF);
	assert_parse_refused("assertion", "1", LK_R_VOUCHER_LEAF);
	assert_parse_refused("serial-number", NULL, LK_R_VOUCHER_LEAF);
	assert_parse_refused("serial-number", "\"\"", LK_R_VOUCHER_LEAF);
	assert_parse_refused("serial-number", "null", LK_R_VOUCHER_LEAF);
	/* RFC 8995 5.6.1: fails gracefully, and is no pin. */
	assert_parse_refused("pinned-domain-cert", NULL, LK_R_VOUCHER_LEAF);
	assert_parse_refused("pinned-domain-cert", "\"AAAA\"", LK_R_CERT_SYNTAX);
	/*= RFC7951 6.6: binary is base64 =*/
	assert_parse_refused("pinned-domain-cert", "\"AAA\"", LK_R_VOUCHER_LEAF);
	assert_parse_refused("pinned-domain-cert", "\"AA A=\"", LK_R_VOUCHER_LEAF);
	assert_parse_refused("idevid-issuer", "\"-_-_\"", LK_R_VOUCHER_LEAF);
	assert_parse_refused("domain-cert-revocation-checks", "\"true\"", LK_R_VOUCHER_LEAF);
	/*= RFC8366 5.3: a nonce has at least 8 octets =*/
	assert_parse_refused("nonce", "\"1234567\"", LK_R_VOUCHER_LEAF);
	assert_parse_refused("nonce", "12345678", LK_R_VOUCHER_LEAF);
	assert_parse_refused("nonce",
		"\"12345678901234567890123456789012345678901234567890123456789012345\"",
		LK_R_TOO_LARGE);
	/*= RFC8366 5.3: expires-on and nonce exclude each other =*/
	assert_parse_refused("expires-on", "\"2026-01-01T12:20:00Z\"", LK_R_VOUCHER_NONCE_EXPIRES);
	/*= RFC8366 5.3: last-renewal-date needs expires-on =*/
	assert_parse_refused("last-renewal-date", "\"2026-06-01T00:00:00Z\"", LK_R_VOUCHER_LEAF);
}

static void
test_unknown_leaf(void **state)
{
	LK_CLEANUP(lk_voucher_freep)
	struct lk_voucher *v = voucher_with("manufacturer-private", "{\"a\":[1]}");
	struct lk_voucher_want want = wanted();

	(void)state;
	/*= RFC8995 5.6.1: a pledge ignores the voucher's unknown fields =*/
	assert_accepted(v, &want);
}

/* --- the pledge's checks ---------------------------------------------------------------------- */

static void
test_good(void **state)
{
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = voucher_with(NULL, NULL);
	struct lk_voucher_want want = wanted();
	struct lk_err e;

	(void)state;
	assert_accepted(v, &want);
	assert_true(lk_voucher_verify(v, cast.manufacturer, LK_TIMES_CHECK, PKI_NOW, &e).ok);
	assert_int_equal(v->leaf.created_on, PKI_NOW - 60);
	assert_int_equal(v->leaf.assertion, LK_ASSERTION_LOGGED);
	assert_string_equal(v->leaf.serial_number, PKI_SERIAL);
	assert_string_equal(v->leaf.nonce, PKI_NONCE);
	assert_true(lk_cert_eq(v->pinned, pki_cert(&cast.domain)));
	assert_ptr_equal(lk_voucher_free(NULL), NULL);
}

static void
test_signer(void **state)
{
	const struct pki_spec plain = { .cn = "Device", .serial_number = PKI_SERIAL },
			      naming = { .cn = "Device", .masa_url = "masa.vendor.example" };
	LK_CLEANUP(pki_id_done) struct pki_id plain_device, naming_device;
	struct lk_voucher_want want = wanted();
	const struct pki_id *wrong[] = { &cast.stranger, &cast.registrar, &cast.device,
		&plain_device, &naming_device };
	LK_CLEANUP(lk_freep) char *text = pki_voucher_text(&cast, NULL, NULL);
	struct lk_voucher *v = NULL;
	struct lk_err e;
	size_t i;

	(void)state;
	pki_issue(&cast.vendor, &plain, &plain_device);
	pki_issue(&cast.vendor, &naming, &naming_device);
	/*= RFC8995 5.6.1: the voucher is signed by the manufacturer's MASA =*/
	for (i = 0; i < LK_ARRAY_LEN(wrong); i++) {
		v = voucher_signed_by(wrong[i], NULL, NULL);
		assert_check_refused(v, &want, LK_R_VOUCHER_SIGNER);
		assert_refused(lk_voucher_verify(v, cast.manufacturer, LK_TIMES_CHECK, PKI_NOW, &e),
			e, LK_R_VOUCHER_SIGNER);
		v = lk_voucher_free(v);
	}
	assert_true(parse_spec(
		&(struct pki_cms){ .text = text, .signer = &cast.masa, .without_certs = true }, &v,
		&e)
			    .ok);
	assert_check_refused(v, &want, LK_R_VOUCHER_SIGNER);
	lk_voucher_free(v);
}

/* The MASA's names, in a chain of somebody else's keys. */
static void
test_forged_signer(void **state)
{
	const struct pki_spec vendor = { .cn = "Vendor CA", .ca = true };
	const struct pki_spec masa = { .cn = "Vendor MASA", .key_usage = "digitalSignature" };
	LK_CLEANUP(pki_id_done) struct pki_id fake_vendor = { .key = NULL };
	LK_CLEANUP(pki_id_done) struct pki_id fake_masa = { .key = NULL };
	struct lk_voucher_want want = wanted();
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;

	(void)state;
	pki_issue(NULL, &vendor, &fake_vendor);
	pki_issue(&fake_vendor, &masa, &fake_masa);
	v = voucher_signed_by(&fake_masa, NULL, NULL);
	assert_check_refused(v, &want, LK_R_VOUCHER_SIGNER);
}

static void
test_signer_times(void **state)
{
	const struct pki_spec masa = { .cn = "Old MASA", .not_after = PKI_NOW - 1 };
	LK_CLEANUP(pki_id_done) struct pki_id old = { .key = NULL };
	struct lk_voucher_want want = wanted();
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;

	(void)state;
	pki_issue(&cast.vendor, &masa, &old);
	v = voucher_signed_by(&old, NULL, NULL);
	assert_check_refused(v, &want, LK_R_CERT_TIME);
	want.times = LK_TIMES_IGNORE;
	assert_accepted(v, &want);
}

static void
test_serial(void **state)
{
	LK_CLEANUP(lk_voucher_freep)
	struct lk_voucher *other = voucher_with("serial-number", "\"LK-0002\"");
	LK_CLEANUP(lk_voucher_freep)
	struct lk_voucher *longer = voucher_with("serial-number", "\"LK-00011\"");
	struct lk_voucher_want want = wanted();

	(void)state;
	/*= RFC8995 5.6.1: serial-number equals the pledge's own =*/
	assert_check_refused(other, &want, LK_R_VOUCHER_SERIAL);
	assert_check_refused(longer, &want, LK_R_VOUCHER_SERIAL);
}

static void
test_issuer(void **state)
{
	LK_CLEANUP(lk_freep)
	char *whole = pki_quoted_base64(lk_cert_aki_ext(pki_cert(&cast.device)));
	LK_CLEANUP(lk_freep) char *key_id = pki_quoted_base64(lk_cert_aki(pki_cert(&cast.device)));
	LK_CLEANUP(lk_freep)
	char *foreign = pki_quoted_base64(lk_cert_aki(pki_cert(&cast.registrar)));
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *a = voucher_with("idevid-issuer", whole);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *b = voucher_with("idevid-issuer", key_id);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *c = voucher_with("idevid-issuer", foreign);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *d = voucher_with("idevid-issuer", "\"\"");
	const struct pki_spec bare = { .cn = "Thing", .serial_number = PKI_SERIAL, .no_aki = true };
	LK_CLEANUP(pki_id_done) struct pki_id without_aki = { .key = NULL };
	struct lk_voucher_want want = wanted();

	(void)state;
	/*= RFC8366 5.3: idevid-issuer, if present, is the AKI of the pledge's IDevID =*/
	assert_accepted(a, &want);
	assert_accepted(b, &want);
	assert_check_refused(c, &want, LK_R_VOUCHER_ISSUER);
	assert_check_refused(d, &want, LK_R_VOUCHER_ISSUER);
	pki_issue(&cast.vendor, &bare, &without_aki);
	want.idevid = pki_cert(&without_aki);
	assert_check_refused(a, &want, LK_R_VOUCHER_ISSUER);
	assert_check_refused(d, &want, LK_R_VOUCHER_ISSUER);
}

static void
test_nonce(void **state)
{
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = voucher_with(NULL, NULL);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *nonceless = voucher_with("nonce", NULL);
	struct lk_voucher_want want = wanted();

	(void)state;
	/*= RFC8995 5.6.1: the nonce, if present, equals the one sent =*/
	want.nonce = "JrRJkyfhuSn3qXmTAqvWPB";
	assert_check_refused(v, &want, LK_R_VOUCHER_NONCE);
	want.nonce = NULL;
	assert_check_refused(v, &want, LK_R_VOUCHER_NONCE);
	/*= RFC8995 7.2: a pledge accepts nonceless vouchers unless it is told otherwise =*/
	assert_accepted(nonceless, &want);
	want.accept_nonceless = false;
	assert_check_refused(nonceless, &want, LK_R_VOUCHER_NONCELESS);
}

/* A voucher without nonce that ends at `expires_on`, for a domain whose CA ends at PKI_NOW + one
 * day. Caller frees. */
static struct lk_voucher *
voucher_until(const struct pki_id *domain, const char *expires_on)
{
	LK_CLEANUP(lk_freep) char *pin = pki_base64(lk_cert_der(pki_cert(domain)));
	LK_CLEANUP(lk_freep)
	char *text = pki_text("{\"ietf-voucher:voucher\":{\"created-on\":\"2026-01-01T11:00:00Z\","
			      "\"expires-on\":\"%s\",\"assertion\":\"verified\","
			      "\"serial-number\":\"%s\",\"pinned-domain-cert\":\"%s\"}}",
		expires_on, PKI_SERIAL, pin);
	struct lk_voucher *v = NULL;
	struct lk_err e;

	assert_true(parse_text(text, &v, &e).ok);
	return v;
}

static void
test_times(void **state)
{
	const struct pki_spec short_ca = { .cn = "Domain CA",
		.ca = true,
		.key = cast.domain.key,
		.not_after = PKI_NOW + PKI_DAY };
	LK_CLEANUP(pki_id_done) struct pki_id domain = { .key = NULL };
	LK_CLEANUP(lk_voucher_freep)
	struct lk_voucher *alive = NULL, *dead = NULL, *outlives = NULL;
	LK_CLEANUP(lk_voucher_freep)
	struct lk_voucher *ahead = voucher_with("created-on", "\"2026-01-01T12:05:00Z\"");
	LK_CLEANUP(lk_voucher_freep)
	struct lk_voucher *future = voucher_with("created-on", "\"2026-01-01T12:05:01Z\"");
	struct lk_voucher_want want = wanted();

	(void)state;
	pki_issue(NULL, &short_ca, &domain);
	alive = voucher_until(&domain, "2026-01-01T12:00:00Z");
	dead = voucher_until(&domain, "2026-01-01T11:59:59Z");
	outlives = voucher_until(&domain, "2026-01-02T12:00:01Z");
	/*= RFC8366 5.3: expires-on has not yet passed =*/
	assert_accepted(alive, &want);
	assert_check_refused(dead, &want, LK_R_VOUCHER_EXPIRED);
	/*= RFC8366 5.3: expires-on is not after the end of pinned-domain-cert =*/
	assert_check_refused(outlives, &want, LK_R_VOUCHER_PIN_EXPIRES);
	/*= RFC8995 2.6.1: with a trusted clock created-on is checked =*/
	assert_accepted(ahead, &want);
	assert_check_refused(future, &want, LK_R_VOUCHER_CREATED);
	want.times = LK_TIMES_IGNORE;
	assert_accepted(dead, &want);
	assert_accepted(future, &want);
	assert_check_refused(outlives, &want, LK_R_VOUCHER_PIN_EXPIRES);
}

static void
test_assertion(void **state)
{
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = voucher_with(NULL, NULL);
	struct lk_voucher_want want = wanted();

	(void)state;
	/*= RFC8366 5.3: the assertion is acceptable by local policy =*/
	want.accept_assertions = 1u << LK_ASSERTION_VERIFIED | 1u << LK_ASSERTION_PROXIMITY;
	assert_check_refused(v, &want, LK_R_VOUCHER_ASSERTION);
	want.accept_assertions = 1u << LK_ASSERTION_LOGGED;
	assert_accepted(v, &want);
}

static struct lk_voucher *
voucher_that_pins(const struct pki_id *who)
{
	LK_CLEANUP(lk_freep) char *pin = pki_quoted_base64(lk_cert_der(pki_cert(who)));

	return voucher_with("pinned-domain-cert", pin);
}

static void
test_domain(void **state)
{
	LK_CLEANUP(lk_voucher_freep)
	struct lk_voucher *unrelated = voucher_that_pins(&cast.stranger_ca);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *leaf = voucher_that_pins(&cast.registrar);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *ca = voucher_that_pins(&cast.domain);
	const struct lk_certs none = { .n = 0 };
	struct lk_voucher_want want = wanted();
	struct pki_id rogue = { .chain = cast.stranger.chain };

	(void)state;
	/*= RFC8995 5.6.2: the pinned key may be that of the registrar's end-entity certificate =*/
	assert_accepted(leaf, &want);
	/*= RFC8995 5.6.2: the registrar's certificate is verified with the pinned one as the only
	 * anchor =*/
	assert_check_refused(unrelated, &want, LK_R_VOUCHER_DOMAIN);
	want.registrar = &none;
	assert_check_refused(ca, &want, LK_R_VOUCHER_DOMAIN);
	/* That the pinned certificate stands beside a stranger's does not make it the stranger's.
	 */
	rogue.chain.v[rogue.chain.n++] = pki_cert(&cast.domain);
	want.registrar = &rogue.chain;
	assert_check_refused(ca, &want, LK_R_VOUCHER_DOMAIN);
}

/* Another device of the domain is no registrar of it. */
static void
test_registrar(void **state)
{
	const struct pki_spec device = { .cn = "LDevID", .eku = "clientAuth,serverAuth" };
	LK_CLEANUP(pki_id_done) struct pki_id ldevid = { .key = NULL };
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = voucher_with(NULL, NULL);
	struct lk_voucher_want want = wanted();

	(void)state;
	pki_issue(&cast.domain, &device, &ldevid);
	want.registrar = &ldevid.chain;
	/*= RFC7030 3.6.1: a server known by nothing but a trust anchor has id-kp-cmcRA =*/
	assert_check_refused(v, &want, LK_R_VOUCHER_REGISTRAR);
}

/* --- writing ---------------------------------------------------------------------------------- */

static struct lk_voucher_leaves
leaves_to_write(void)
{
	struct lk_voucher_leaves leaf = {
		.present = 1u << LK_VOUCHER_CREATED_ON | 1u << LK_VOUCHER_ASSERTION |
			   1u << LK_VOUCHER_SERIAL_NUMBER | 1u << LK_VOUCHER_PINNED_DOMAIN_CERT |
			   1u << LK_VOUCHER_NONCE | 1u << LK_VOUCHER_IDEVID_ISSUER |
			   1u << LK_VOUCHER_DOMAIN_CERT_REVOCATION_CHECKS,
		.created_on = PKI_NOW,
		.assertion = LK_ASSERTION_PROXIMITY,
		.serial_number = PKI_SERIAL,
		.nonce = PKI_NONCE,
		.domain_cert_revocation_checks = true,
		.pinned_domain_cert = LK_BUF_INIT(LK_CERT_DER_MAX),
		.idevid_issuer = LK_BUF_INIT(LK_IDEVID_ISSUER_MAX),
	};
	struct lk_err e;

	assert_true(lk_buf_append(&leaf.pinned_domain_cert, lk_cert_der(pki_cert(&cast.domain)), &e)
			    .ok);
	assert_true(
		lk_buf_append(&leaf.idevid_issuer, lk_cert_aki_ext(pki_cert(&cast.device)), &e).ok);
	return leaf;
}

static void
test_round_trip(void **state)
{
	LK_CLEANUP(lk_voucher_leaves_done) struct lk_voucher_leaves leaf = leaves_to_write();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_VOUCHER_MAX);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;
	LK_CLEANUP(json_decrefp) json_t *wrote = NULL, *read = NULL;
	struct lk_voucher_want want = wanted();
	struct lk_err e;

	(void)state;
	assert_true(lk_voucher_build(&leaf, cast.masa.key, &cast.masa.chain, &der, &e).ok);
	assert_true(lk_voucher_parse(lk_buf_slice(&der), &v, &e).ok);
	assert_int_equal(lk_cms_type(v->cms), LK_CMS_ANIMA_JSON_VOUCHER);
	assert_accepted(v, &want);
	assert_true(lk_voucher_json(&leaf, &wrote, &e).ok);
	assert_true(lk_voucher_json(&v->leaf, &read, &e).ok);
	assert_true(json_equal(wrote, read));
}

/* What the reader would refuse is not written. */
static void
test_build_refuses(void **state)
{
	LK_CLEANUP(lk_voucher_leaves_done) struct lk_voucher_leaves leaf = leaves_to_write();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_VOUCHER_MAX);
	const struct lk_certs *certs = &cast.masa.chain;
	struct lk_err e;

	(void)state;
	leaf.present |= 1u << LK_VOUCHER_EXPIRES_ON;
	assert_refused(lk_voucher_build(&leaf, cast.masa.key, certs, &der, &e), e,
		LK_R_VOUCHER_NONCE_EXPIRES);
	leaf.present &= ~(1u << LK_VOUCHER_EXPIRES_ON | 1u << LK_VOUCHER_PINNED_DOMAIN_CERT);
	assert_refused(
		lk_voucher_build(&leaf, cast.masa.key, certs, &der, &e), e, LK_R_VOUCHER_LEAF);
	leaf.present |= 1u << LK_VOUCHER_PINNED_DOMAIN_CERT;
	assert_refused(
		lk_voucher_build(&leaf, cast.device.key, certs, &der, &e), e, LK_R_KEY_MISMATCH);
	assert_int_equal(der.n, 0);
}

static void
test_print(void **state)
{
	LK_CLEANUP(lk_voucher_freep)
	struct lk_voucher *v = voucher_with("serial-number", "\"A\\nverdict: valid\"");
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(4096);
	LK_CLEANUP(lk_freep) char *want = NULL;
	char fingerprint[65];
	struct lk_err e;

	(void)state;
	lk_cert_fingerprint(pki_cert(&cast.domain), fingerprint);
	want = pki_text("created-on: 2026-01-01T11:59:00Z\nassertion: logged\n"
			"serial-number: \"A\\nverdict: valid\"\n"
			"pinned-domain-cert: CN=Domain CA, sha256 %s\nnonce: " PKI_NONCE "\n",
		fingerprint);
	assert_true(lk_voucher_print(v, &out, &e).ok);
	assert_string_equal(lk_buf_str(&out), want);
}

/* --- every way to cut or bend the bytes ------------------------------------------------------- */

static bool
is_accepted(struct lk_slice der, struct lk_err *e)
{
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;
	struct lk_verified_voucher ret = { NULL, NULL };
	struct lk_voucher_want want = wanted();

	*e = (struct lk_err){ .reason = LK_R_NONE };
	if (!lk_voucher_parse(der, &v, e).ok) {
		assert_null(v);
		return false;
	}
	if (!lk_voucher_check(v, &want, &ret, e).ok) {
		assert_null(ret.voucher);
		return false;
	}
	return true;
}

static void
good_bytes(struct lk_buf *out)
{
	LK_CLEANUP(lk_freep) char *text = pki_voucher_text(&cast, NULL, NULL);
	struct pki_id masa = cast.masa;

	/* The root is enclosed by habit and looked at by nobody: its bytes may be anything. */
	masa.chain.n = 1;
	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = &masa }, out);
}

static void
test_truncations(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_VOUCHER_MAX);
	struct lk_err e;
	size_t n;

	(void)state;
	good_bytes(&der);
	assert_true(is_accepted(lk_buf_slice(&der), &e));
	for (n = 0; n < der.n; n++) {
		LK_CLEANUP(lk_freep) uint8_t *cut = malloc(n ? n : 1);

		memcpy(cut, der.p, n);
		assert_false(is_accepted(lk_slice(cut, n), &e));
		assert_int_not_equal(e.reason, LK_R_NONE);
	}
	assert_true(lk_buf_append(&der, LK_SLICE_LIT("\0"), &e).ok);
	assert_false(is_accepted(lk_buf_slice(&der), &e));
	assert_int_equal(e.reason, LK_R_CMS_SYNTAX);
}

/* The version numbers of SignedData and SignerInfo say nothing that the rest does not say; who
 * reads the rest need not look at them. */
static bool
is_version(const struct lk_buf *der, size_t i)
{
	return i >= 2 && memcmp(der->p + i - 2, "\x02\x01", 2) == 0 &&
	       (der->p[i] == 1 || der->p[i] == 3);
}

static void
test_flipped_bytes(void **state)
{
	static const uint8_t flips[] = { 0x01, 0x20, 0x80, 0xff };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_VOUCHER_MAX);
	struct lk_err e;
	bool accepted;
	size_t i, f;

	(void)state;
	/*= RFC8366 5.4: the CMS structure is encoded in DER =*/
	/*= RFC5652 5.4: the signature covers the signed attributes, and they the content's digest
	 * =*/
	good_bytes(&der);
	for (i = 0; i < der.n; i++)
		for (f = 0; f < sizeof flips; f++) {
			der.p[i] ^= flips[f];
			accepted = is_accepted(lk_buf_slice(&der), &e);
			der.p[i] ^= flips[f];
			if (accepted && !is_version(&der, i))
				fail_msg("byte %zu ^ 0x%02x is accepted", i, flips[f]);
		}
}

/* --- the RFC's own example -------------------------------------------------------------------- */

static struct lk_anchors *
anchors_of(const char *path)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(LK_CERT_DER_MAX);
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };
	struct lk_anchors *anchors = NULL;
	struct lk_err e;

	assert_true(pki_shared(path, &pem));
	assert_true(lk_certs_parse_any(lk_buf_slice(&pem), &certs, &e).ok);
	assert_true(lk_anchors_new(&certs, &anchors, &e).ok);
	return anchors;
}

/* RFC 8995 C.2.3. */
static void
test_rfc8995_example(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_VOUCHER_MAX);
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *vendor = NULL;
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;
	const int64_t april = INT64_C(1618444800); /* 2021-04-15T00:00:00Z */
	struct lk_err e;

	(void)state;
	if (!pki_shared("rfc8995-appendix-c/voucher_00-D0-E5-F2-00-02.cms", &der)) {
		print_message("skipped: the published vectors are not here\n");
		skip();
	}
	vendor = anchors_of("rfc8995-appendix-c/vendor.pem");
	assert_true(lk_voucher_parse(lk_buf_slice(&der), &v, &e).ok);
	assert_int_equal(lk_cms_type(v->cms), LK_CMS_DATA);
	assert_string_equal(v->leaf.serial_number, "00-D0-E5-F2-00-02");
	assert_string_equal(v->leaf.nonce, "-_XE9zK9q8Ll1qylMtLKeg");
	assert_int_equal(v->leaf.assertion, LK_ASSERTION_LOGGED);
	assert_int_equal(v->leaf.created_on, INT64_C(1618350204)); /* 2021-04-13T17:43:24-04:00 */
	assert_true(lk_voucher_verify(v, vendor, LK_TIMES_CHECK, april, &e).ok);
	assert_refused(lk_voucher_verify(v, cast.manufacturer, LK_TIMES_CHECK, april, &e), e,
		LK_R_VOUCHER_SIGNER);
	assert_refused(
		lk_voucher_verify(v, vendor, LK_TIMES_CHECK, PKI_NOW, &e), e, LK_R_CERT_TIME);
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
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_content_type),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_unknown_leaf),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_signer),
		cmocka_unit_test(test_forged_signer),
		cmocka_unit_test(test_signer_times),
		cmocka_unit_test(test_serial),
		cmocka_unit_test(test_issuer),
		cmocka_unit_test(test_nonce),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_assertion),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_registrar),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_build_refuses),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_flipped_bytes),
		cmocka_unit_test(test_rfc8995_example),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
