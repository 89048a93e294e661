/* SPDX-License-Identifier: Apache-2.0
 *
 * Vouchers (RFC 8366 sections 5.3 and 5.4) and the pledge's judgement of them
 * (RFC 8995 sections 5.6.1 and 5.6.2). Parsing, checking and building are apart:
 * what parse hands out is believed by nobody.
 */
#include "artefact/voucher.h"

#include <assert.h>
#include <stdlib.h>

#define YANG_ROOT "ietf-voucher:voucher"

const char *const lk_assertion_names[LK_ASSERTION_COUNT + 1] = { "verified", "logged", "proximity",
	NULL };

/* RFC 8366 5.3, leaf by leaf. */
#define LEAF(field, name, type, need) \
	LK_JSON_FIELD(struct lk_voucher_leaves, field, name, type, need)
#define BINARY(field, name, need, most) \
	LK_JSON_BINARY_FIELD(struct lk_voucher_leaves, field, name, need, most)
static const struct lk_json_field leaves[] = {
	[LK_VOUCHER_CREATED_ON] = LEAF(created_on, "created-on", TIME, MANDATORY),
	[LK_VOUCHER_EXPIRES_ON] = LEAF(expires_on, "expires-on", TIME, OPTIONAL),
	[LK_VOUCHER_ASSERTION] = LK_JSON_ENUM_FIELD(
		struct lk_voucher_leaves, assertion, "assertion", MANDATORY, lk_assertion_names),
	[LK_VOUCHER_SERIAL_NUMBER] = LEAF(serial_number, "serial-number", TEXT, MANDATORY),
	[LK_VOUCHER_IDEVID_ISSUER] =
		BINARY(idevid_issuer, "idevid-issuer", OPTIONAL, LK_IDEVID_ISSUER_MAX),
	[LK_VOUCHER_PINNED_DOMAIN_CERT] =
		BINARY(pinned_domain_cert, "pinned-domain-cert", MANDATORY, LK_CERT_DER_MAX),
	[LK_VOUCHER_DOMAIN_CERT_REVOCATION_CHECKS] = LEAF(
		domain_cert_revocation_checks, "domain-cert-revocation-checks", BOOL, OPTIONAL),
	[LK_VOUCHER_NONCE] = LEAF(nonce, "nonce", TEXT, OPTIONAL),
	[LK_VOUCHER_LAST_RENEWAL_DATE] =
		LEAF(last_renewal_date, "last-renewal-date", TIME, OPTIONAL),
};

/*= RFC8995 5.6.1: a pledge ignores the voucher's unknown fields =*/
static const struct lk_json_table table = {
	.what = "the voucher",
	.fields = leaves,
	.n = LK_ARRAY_LEN(leaves),
	.present_offset = offsetof(struct lk_voucher_leaves, present),
	.reason = LK_R_VOUCHER_LEAF,
	.unknown = LK_JSON_IGNORE_UNKNOWN,
};

static bool
has(const struct lk_voucher_leaves *leaf, enum lk_voucher_leaf which)
{
	return lk_json_has(leaf->present, which);
}

/* The `must` statements and ranges of the YANG module. */
static struct lk_result
check_leaves(const struct lk_voucher_leaves *leaf, struct lk_err *e)
{
	/*= RFC8366 5.3: expires-on and nonce exclude each other =*/
	LK_REQUIRE(!has(leaf, LK_VOUCHER_NONCE) || !has(leaf, LK_VOUCHER_EXPIRES_ON), e,
		LK_R_VOUCHER_NONCE_EXPIRES, "nonce and expires-on are both present");
	/*= RFC8366 5.3: last-renewal-date needs expires-on =*/
	LK_REQUIRE(!has(leaf, LK_VOUCHER_LAST_RENEWAL_DATE) || has(leaf, LK_VOUCHER_EXPIRES_ON), e,
		LK_R_VOUCHER_LEAF, "last-renewal-date without expires-on");
	/*= RFC8366 5.3: a nonce has at least 8 octets =*/
	LK_REQUIRE(!has(leaf, LK_VOUCHER_NONCE) || strlen(leaf->nonce) >= LK_VOUCHER_NONCE_MIN_LEN,
		e, LK_R_VOUCHER_LEAF, "the nonce has %zu characters, want %d or more",
		strlen(leaf->nonce), LK_VOUCHER_NONCE_MIN_LEN);
	LK_REQUIRE(leaf->serial_number[0], e, LK_R_VOUCHER_LEAF, "serial-number is empty");
	return LK_OK;
}

struct lk_result
lk_voucher_parse(struct lk_slice der, struct lk_voucher **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = calloc(1, sizeof *v);
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;

	LK_REQUIRE(v, e, LK_R_NOMEM, "no memory for a voucher");
	LK_REQUIRE(der.n <= LK_VOUCHER_MAX, e, LK_R_TOO_LARGE,
		"a voucher of %zu bytes, at most %d are taken", der.n, LK_VOUCHER_MAX);
	LK_TRY(lk_cms_parse(der, &v->cms, e));
	LK_REQUIRE(lk_cms_type(v->cms) != LK_CMS_SZTP_JSON, e, LK_R_CMS_CONTENT_TYPE,
		"eContentType is that of conveyed information");
	LK_TRY(lk_json_parse_yang(lk_cms_content(v->cms), YANG_ROOT, &obj, e));
	LK_TRY(lk_json_read(&table, obj, &v->leaf, e));
	LK_TRY(check_leaves(&v->leaf, e));
	LK_TRY(lk_cert_parse(lk_buf_slice(&v->leaf.pinned_domain_cert), &v->pinned, e));
	*ret = LK_TAKE(v);
	return LK_OK;
}

struct lk_voucher *
lk_voucher_free(struct lk_voucher *v)
{
	if (!v)
		return NULL;
	lk_cms_free(v->cms);
	lk_voucher_leaves_done(&v->leaf);
	lk_cert_free(v->pinned);
	free(v);
	return NULL;
}

void
lk_voucher_leaves_done(struct lk_voucher_leaves *leaf)
{
	lk_json_done(&table, leaf);
}

/*= RFC8995 5.6.1: the voucher is signed by the manufacturer's MASA =*/
static struct lk_result
check_signature(const struct lk_voucher *v, const struct lk_anchors *manufacturer,
	enum lk_chain_times times, int64_t now, struct lk_err *e)
{
	const struct lk_cert *signer = lk_cms_signer(v->cms);
	char masa_url[LK_CERT_NAME_MAX], serial[LK_CERT_NAME_MAX];

	LK_REQUIRE(signer, e, LK_R_VOUCHER_SIGNER, "the signer's certificate is not enclosed");
	/* MASAs and devices often have one CA. What has a serial number (RFC 8995 2.3.1) or names
	 * a MASA is a device, and would otherwise speak for all its siblings. */
	lk_cert_subject(signer, LK_OID_SERIAL_NUMBER, serial);
	LK_TRY(lk_cert_url(signer, LK_OID_PE_MASA_URL, masa_url, e));
	LK_REQUIRE(!serial[0] && !masa_url[0], e, LK_R_VOUCHER_SIGNER,
		"a device's own certificate signed it");
	LK_TRY(lk_cms_verify(v->cms, signer, e));
	if (!lk_chain_verify(manufacturer, signer, lk_cms_certs(v->cms), times, now, e).ok)
		return lk_fail_as(
			e, LK_R_CERT_CHAIN, LK_R_VOUCHER_SIGNER, "the signer's certificate");
	return LK_OK;
}

static struct lk_result
check_times(const struct lk_voucher *v, enum lk_chain_times times, int64_t now, struct lk_err *e)
{
	const struct lk_voucher_leaves *leaf = &v->leaf;
	char is[LK_TIME_TEXT_MAX], want[LK_TIME_TEXT_MAX];

	lk_time_print(now, want);
	if (has(leaf, LK_VOUCHER_EXPIRES_ON)) {
		lk_time_print(leaf->expires_on, is);
		/*= RFC8366 5.3: expires-on is not after the end of pinned-domain-cert =*/
		LK_REQUIRE(leaf->expires_on <= lk_cert_not_after(v->pinned), e,
			LK_R_VOUCHER_PIN_EXPIRES,
			"expires-on is %s, after the pinned certificate's end", is);
		/*= RFC8366 5.3: expires-on has not yet passed =*/
		LK_REQUIRE(times == LK_TIMES_IGNORE || now <= leaf->expires_on, e,
			LK_R_VOUCHER_EXPIRED, "expires-on is %s, now is %s", is, want);
	}
	lk_time_print(leaf->created_on, is);
	/*= RFC8995 2.6.1: with a trusted clock created-on is checked =*/
	LK_REQUIRE(times == LK_TIMES_IGNORE || leaf->created_on <= now + LK_VOUCHER_CLOCK_SKEW, e,
		LK_R_VOUCHER_CREATED, "created-on is %s, now is %s", is, want);
	return LK_OK;
}

struct lk_result
lk_voucher_verify(const struct lk_voucher *v, const struct lk_anchors *manufacturer,
	enum lk_chain_times times, int64_t now, struct lk_err *e)
{
	LK_TRY(check_signature(v, manufacturer, times, now, e));
	return check_times(v, times, now, e);
}

bool
lk_idevid_issuer_matches(struct lk_slice leaf, const struct lk_cert *idevid)
{
	struct lk_slice key_id = lk_cert_aki(idevid);

	if (key_id.n == 0)
		return false;
	return lk_slice_eq(leaf, lk_cert_aki_ext(idevid)) || lk_slice_eq(leaf, key_id);
}

struct lk_result
lk_voucher_check_device(const struct lk_voucher *v, const struct lk_cert *idevid, struct lk_err *e)
{
	const struct lk_voucher_leaves *leaf = &v->leaf;
	char serial[LK_CERT_NAME_MAX];

	lk_cert_subject(idevid, LK_OID_SERIAL_NUMBER, serial);
	/*= RFC8995 5.6.1: serial-number equals the pledge's own =*/
	LK_REQUIRE(strcmp(leaf->serial_number, serial) == 0, e, LK_R_VOUCHER_SERIAL,
		"serial-number is %s, want %s", leaf->serial_number, serial);
	/*= RFC8366 5.3: idevid-issuer, if present, is the AKI of the pledge's IDevID =*/
	LK_REQUIRE(!has(leaf, LK_VOUCHER_IDEVID_ISSUER) ||
			   lk_idevid_issuer_matches(lk_buf_slice(&leaf->idevid_issuer), idevid),
		e, LK_R_VOUCHER_ISSUER, "idevid-issuer is not the issuer of this device's IDevID");
	return LK_OK;
}

struct lk_result
lk_voucher_check_nonce(
	const struct lk_voucher *v, const char *nonce, bool accept_nonceless, struct lk_err *e)
{
	const struct lk_voucher_leaves *leaf = &v->leaf;

	if (!has(leaf, LK_VOUCHER_NONCE)) {
		/*= RFC8995 7.2: a pledge accepts nonceless vouchers unless it is told otherwise =*/
		LK_REQUIRE(accept_nonceless, e, LK_R_VOUCHER_NONCELESS,
			"the voucher has no nonce, and one was sent");
		return LK_OK;
	}
	/*= RFC8995 5.6.1: the nonce, if present, equals the one sent =*/
	LK_REQUIRE(nonce && strcmp(leaf->nonce, nonce) == 0, e, LK_R_VOUCHER_NONCE,
		"nonce is %s, want %s", leaf->nonce, nonce ? nonce : "none");
	return LK_OK;
}

/* The registrar's chain was received before anything could be trusted; now it is evaluated with
 * the pinned certificate as the only anchor. */
struct lk_result
lk_voucher_check_domain(const struct lk_voucher *v, const struct lk_certs *registrar,
	enum lk_chain_times times, int64_t now, struct lk_err *e)
{
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *pin = NULL;
	LK_CLEANUP(lk_certs_done) struct lk_certs one = { .n = 0 };

	LK_REQUIRE(registrar->n > 0, e, LK_R_VOUCHER_DOMAIN, "the registrar sent no certificate");
	/*= RFC8995 5.6.2: the pinned key may be that of the registrar's end-entity certificate =*/
	if (lk_cert_same_key(v->pinned, registrar->v[0]))
		return LK_OK;
	/*= RFC8995 5.6.2: the registrar's certificate is verified with the pinned one as the only
	 * anchor =*/
	LK_TRY(lk_certs_add(&one, v->pinned, e));
	LK_TRY(lk_anchors_new(&one, &pin, e));
	if (!lk_chain_verify(pin, registrar->v[0], registrar, times, now, e).ok)
		return lk_fail_as(e, LK_R_CERT_CHAIN, LK_R_VOUCHER_DOMAIN,
			"the registrar does not belong to the pinned domain");
	/*= RFC7030 3.6.1: a server known by nothing but a trust anchor has id-kp-cmcRA =*/
	LK_REQUIRE(lk_cert_has_eku(registrar->v[0], LK_OID_EKU_CMC_RA), e, LK_R_VOUCHER_REGISTRAR,
		"the server's certificate has no id-kp-cmcRA");
	return LK_OK;
}

struct lk_result
lk_voucher_check(const struct lk_voucher *v, const struct lk_voucher_want *want,
	struct lk_verified_voucher *ret, struct lk_err *e)
{
	assert(want->manufacturer && want->idevid && want->registrar && want->accept_assertions);
	LK_TRY(check_signature(v, want->manufacturer, want->times, want->now, e));
	LK_TRY(lk_voucher_check_device(v, want->idevid, e));
	LK_TRY(lk_voucher_check_nonce(v, want->nonce, want->accept_nonceless, e));
	LK_TRY(check_times(v, want->times, want->now, e));
	/*= RFC8366 5.3: the assertion is acceptable by local policy =*/
	LK_REQUIRE(want->accept_assertions & 1u << v->leaf.assertion, e, LK_R_VOUCHER_ASSERTION,
		"assertion is %s", lk_assertion_names[v->leaf.assertion]);
	LK_TRY(lk_voucher_check_domain(v, want->registrar, want->times, want->now, e));
	*ret = (struct lk_verified_voucher){ v, v->pinned };
	return LK_OK;
}

struct lk_result
lk_voucher_json(const struct lk_voucher_leaves *leaf, json_t **ret, struct lk_err *e)
{
	return lk_json_write(&table, leaf, ret, e);
}

struct lk_result
lk_voucher_build(const struct lk_voucher_leaves *leaf, const struct lk_key *key,
	const struct lk_certs *certs, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_VOUCHER_MAX);

	LK_TRY(lk_json_write(&table, leaf, &obj, e));
	LK_TRY(check_leaves(leaf, e));
	LK_TRY(lk_json_print_yang(obj, YANG_ROOT, &text, e));
	return lk_cms_sign(LK_CMS_ANIMA_JSON_VOUCHER, lk_buf_slice(&text), leaf->created_on, key,
		certs, out, e);
}

/* Certificates are shown by name and fingerprint, everything else as it stands in the JSON. */
static struct lk_result
print_leaf(const struct lk_voucher *v, const char *name, const json_t *value, struct lk_buf *out,
	struct lk_err *e)
{
	if (strcmp(name, leaves[LK_VOUCHER_PINNED_DOMAIN_CERT].name) == 0)
		return lk_cert_print_line(name, v->pinned, out, e);
	return lk_json_print_line(name, value, out, e);
}

struct lk_result
lk_voucher_print(const struct lk_voucher *v, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	const char *name;
	json_t *value;

	LK_TRY(lk_json_write(&table, &v->leaf, &obj, e));
	json_object_foreach (obj, name, value)
		LK_TRY(print_leaf(v, name, value, out, e));
	return LK_OK;
}
