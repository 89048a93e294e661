/* SPDX-License-Identifier: Apache-2.0
 *
 * Voucher-requests (RFC 8995 section 3), and what registrar (5.2, 5.3) and MASA (5.5) hold
 * against them. Each check stands in the order of its section. Who the parties are is proved
 * here; whether they may is the caller's to decide.
 */
#include "artefact/voucher_request.h"

#include <assert.h>
#include <stdlib.h>

#define YANG_ROOT "ietf-voucher-request:voucher"

/* RFC 8995 3.4, leaf by leaf. */
#define LEAF(field, name, type, need) \
	LK_JSON_FIELD(struct lk_voucher_request_leaves, field, name, type, need)
#define BINARY(field, name, need, most) \
	LK_JSON_BINARY_FIELD(struct lk_voucher_request_leaves, field, name, need, most)
static const struct lk_json_field leaves[] = {
	[LK_REQUEST_ASSERTION] = LK_JSON_ENUM_FIELD(struct lk_voucher_request_leaves, assertion,
		"assertion", OPTIONAL, lk_assertion_names),
	[LK_REQUEST_NONCE] = LEAF(nonce, "nonce", TEXT, OPTIONAL),
	[LK_REQUEST_CREATED_ON] = LEAF(created_on, "created-on", TIME, OPTIONAL),
	[LK_REQUEST_SERIAL_NUMBER] = LEAF(serial_number, "serial-number", TEXT, MANDATORY),
	[LK_REQUEST_IDEVID_ISSUER] =
		BINARY(idevid_issuer, "idevid-issuer", OPTIONAL, LK_IDEVID_ISSUER_MAX),
	[LK_REQUEST_PROXIMITY_REGISTRAR_CERT] = BINARY(
		proximity_registrar_cert, "proximity-registrar-cert", OPTIONAL, LK_CERT_DER_MAX),
	[LK_REQUEST_PRIOR_SIGNED_VOUCHER_REQUEST] = BINARY(prior_signed_voucher_request,
		"prior-signed-voucher-request", OPTIONAL, LK_PLEDGE_REQUEST_MAX),
};

/*= RFC8995 3.4: leaves that are not valid in a voucher-request are ignored =*/
static const struct lk_json_table table = {
	.what = "the voucher-request",
	.fields = leaves,
	.n = LK_ARRAY_LEN(leaves),
	.present_offset = offsetof(struct lk_voucher_request_leaves, present),
	.reason = LK_R_REQUEST_LEAF,
	.unknown = LK_JSON_IGNORE_UNKNOWN,
};

static bool
has(const struct lk_voucher_request_leaves *leaf, enum lk_voucher_request_leaf which)
{
	return lk_json_has(leaf->present, which);
}

static struct lk_result
check_leaves(const struct lk_voucher_request_leaves *leaf, struct lk_err *e)
{
	/*= RFC8366 5.3: a nonce has at least 8 octets =*/
	LK_REQUIRE(!has(leaf, LK_REQUEST_NONCE) || strlen(leaf->nonce) >= LK_VOUCHER_NONCE_MIN_LEN,
		e, LK_R_REQUEST_LEAF, "the nonce has %zu characters, want %d or more",
		strlen(leaf->nonce), LK_VOUCHER_NONCE_MIN_LEN);
	LK_REQUIRE(leaf->serial_number[0], e, LK_R_REQUEST_LEAF, "serial-number is empty");
	return LK_OK;
}

/* Everything but what is enclosed in it. */
static struct lk_result
parse_outer(struct lk_slice der, struct lk_voucher_request **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_voucher_request_freep)
	struct lk_voucher_request *r = calloc(1, sizeof *r);
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;

	LK_REQUIRE(r, e, LK_R_NOMEM, "no memory for a voucher-request");
	r->der = LK_BUF_INIT(LK_REGISTRAR_REQUEST_MAX);
	LK_TRY(lk_buf_append(&r->der, der, e));
	LK_TRY(lk_cms_parse(der, &r->cms, e));
	LK_REQUIRE(lk_cms_type(r->cms) != LK_CMS_SZTP_JSON, e, LK_R_CMS_CONTENT_TYPE,
		"eContentType is that of conveyed information");
	LK_TRY(lk_json_parse_yang(lk_cms_content(r->cms), YANG_ROOT, &obj, e));
	LK_TRY(lk_json_read(&table, obj, &r->leaf, e));
	LK_TRY(check_leaves(&r->leaf, e));
	*ret = LK_TAKE(r);
	return LK_OK;
}

struct lk_result
lk_voucher_request_parse(struct lk_slice der, struct lk_voucher_request **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;

	LK_TRY(parse_outer(der, &r, e));
	if (has(&r->leaf, LK_REQUEST_PRIOR_SIGNED_VOUCHER_REQUEST) &&
		!parse_outer(lk_buf_slice(&r->leaf.prior_signed_voucher_request), &r->prior, e)
			 .ok) {
		lk_err_prefix(e, "the enclosed request");
		return (struct lk_result){ false };
	}
	*ret = LK_TAKE(r);
	return LK_OK;
}

struct lk_voucher_request *
lk_voucher_request_free(struct lk_voucher_request *r)
{
	if (!r)
		return NULL;
	lk_voucher_request_free(r->prior);
	lk_voucher_request_leaves_done(&r->leaf);
	lk_cms_free(r->cms);
	lk_buf_done(&r->der);
	free(r);
	return NULL;
}

void
lk_voucher_request_leaves_done(struct lk_voucher_request_leaves *leaf)
{
	lk_json_done(&table, leaf);
}

/* --- the registrar's rules -------------------------------------------------------------------- */

static struct lk_result
check_pledge_signature(
	const struct lk_voucher_request *r, const struct lk_cert *idevid, struct lk_err *e)
{
	/*= RFC8995 5.2: the request is signed with the IDevID that authenticated the connection =*/
	LK_REQUIRE(lk_cms_names_signer(r->cms, idevid), e, LK_R_REQUEST_SIGNER,
		"the request names another signer than the TLS client's certificate");
	return lk_cms_verify(r->cms, idevid, e);
}

static struct lk_result
check_proximity(const struct lk_voucher_request_leaves *leaf, const struct lk_cert *registrar,
	struct lk_err *e)
{
	/*= RFC8995 5.2: the assertion is proximity =*/
	LK_REQUIRE(has(leaf, LK_REQUEST_ASSERTION) && leaf->assertion == LK_ASSERTION_PROXIMITY, e,
		LK_R_REQUEST_ASSERTION, "assertion is %s, want proximity",
		has(leaf, LK_REQUEST_ASSERTION) ? lk_assertion_names[leaf->assertion] : "absent");
	/*= RFC8995 5.2: proximity-registrar-cert is the registrar's certificate =*/
	LK_REQUIRE(
		lk_slice_eq(lk_buf_slice(&leaf->proximity_registrar_cert), lk_cert_der(registrar)),
		e, LK_R_REQUEST_PROXIMITY,
		"proximity-registrar-cert is not the certificate that this connection showed");
	return LK_OK;
}

static struct lk_result
check_serial(const struct lk_voucher_request_leaves *leaf, const struct lk_cert *idevid,
	enum lk_reason reason, struct lk_err *e)
{
	char serial[LK_CERT_NAME_MAX];

	lk_cert_subject(idevid, LK_OID_SERIAL_NUMBER, serial);
	LK_REQUIRE(strcmp(leaf->serial_number, serial) == 0, e, reason,
		"serial-number is %s, the IDevID's is %s", leaf->serial_number, serial);
	return LK_OK;
}

struct lk_result
lk_pledge_request_check(const struct lk_voucher_request *r,
	const struct lk_pledge_request_want *want, struct lk_verified_pledge_request *ret,
	struct lk_err *e)
{
	assert(want->idevid && want->registrar);
	LK_TRY(check_pledge_signature(r, want->idevid, e));
	LK_TRY(check_proximity(&r->leaf, want->registrar, e));
	/*= RFC8995 5.5: the request's serial-number matches the IDevID's =*/
	LK_TRY(check_serial(&r->leaf, want->idevid, LK_R_REQUEST_SERIAL, e));
	/*= RFC8995 5.2: a pledge's request contains a nonce =*/
	LK_REQUIRE(has(&r->leaf, LK_REQUEST_NONCE), e, LK_R_REQUEST_NONCE, "nonce is absent");
	*ret = (struct lk_verified_pledge_request){ r, want->idevid };
	return LK_OK;
}

/* --- the MASA's rules ------------------------------------------------------------------------- */

/* 5.5.2 and 5.5.3. A domain CA need not be known: then its chain has only to agree with itself. */
static struct lk_result
check_registrar(const struct lk_voucher_request *r, const struct lk_certs *chain, int64_t now,
	struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs top = { .n = 0 };
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *temporary = NULL;

	/*= RFC8995 5.5.3: the registrar's signature is verified =*/
	LK_TRY(lk_cms_verify(r->cms, chain->v[0], e));
	/*= RFC8995 5.5.2: an unknown domain CA is a temporary trust anchor =*/
	LK_TRY(lk_certs_add(&top, chain->v[chain->n - 1], e));
	LK_TRY(lk_anchors_new(&top, &temporary, e));
	if (!lk_chain_verify(temporary, chain->v[0], chain, LK_TIMES_CHECK, now, e).ok)
		return lk_fail_as(
			e, LK_R_CERT_CHAIN, LK_R_REQUEST_CHAIN, "the registrar's certificate");
	return LK_OK;
}

/* 5.5.4. */
static struct lk_result
check_authority(const struct lk_voucher_request *r, const struct lk_certs *chain,
	const struct lk_registrar_request_want *want, bool *ret_authenticated, struct lk_err *e)
{
	bool known = want->domains && lk_chain_verify(want->domains, chain->v[0], chain,
					      LK_TIMES_CHECK, want->now, NULL)
					      .ok;

	/*= RFC8995 5.5.4: the request's signer has the extended key usage id-kp-cmcRA =*/
	LK_REQUIRE(lk_cert_has_eku(chain->v[0], LK_OID_EKU_CMC_RA), e, LK_R_REQUEST_NOT_RA,
		"the signer's certificate has no id-kp-cmcRA");
	/*= RFC8995 5.5.4: a registrar that asks without nonce is authenticated =*/
	LK_REQUIRE(has(&r->leaf, LK_REQUEST_NONCE) || want->authenticated || known, e,
		LK_R_REQUEST_NONCELESS, "nonce is absent, and the registrar is not authenticated");
	*ret_authenticated = want->authenticated || known;
	return LK_OK;
}

static struct lk_result
check_prior_signature(const struct lk_voucher_request *prior,
	const struct lk_registrar_request_want *want, struct lk_err *e)
{
	const struct lk_cert *idevid = lk_cms_signer(prior->cms);

	/*= RFC8995 5.5.5: the prior request is signed by an IDevID of this manufacturer =*/
	LK_REQUIRE(idevid, e, LK_R_PRIOR_SIGNER, "the device's certificate is not enclosed");
	LK_TRY(lk_cms_verify(prior->cms, idevid, e));
	if (!lk_chain_verify(want->manufacturer, idevid, lk_cms_certs(prior->cms),
		    want->idevid_times, want->now, e)
			.ok)
		return lk_fail_as(
			e, LK_R_CERT_CHAIN, LK_R_PRIOR_SIGNER, "the device's certificate");
	return LK_OK;
}

/* Whether one of the chain has the key of the certificate that the pledge met. Most often it is
 * that very certificate, and decoding it again is the dearest thing here. */
static struct lk_result
check_prior_proximity(const struct lk_voucher_request_leaves *prior, const struct lk_certs *chain,
	struct lk_err *e)
{
	struct lk_slice der = lk_buf_slice(&prior->proximity_registrar_cert);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *met = NULL;
	size_t i;

	LK_REQUIRE(has(prior, LK_REQUEST_PROXIMITY_REGISTRAR_CERT), e, LK_R_PRIOR_PROXIMITY,
		"the device's request has no proximity-registrar-cert");
	if (lk_slice_eq(der, lk_cert_der(chain->v[0])))
		return LK_OK;
	if (!lk_cert_parse(der, &met, e).ok)
		return lk_fail_as(
			e, LK_R_CERT_SYNTAX, LK_R_PRIOR_PROXIMITY, "proximity-registrar-cert");
	for (i = 0; i < chain->n; i++)
		if (lk_cert_same_key(met, chain->v[i]))
			return LK_OK;
	return lk_fail(e, LK_R_PRIOR_PROXIMITY,
		"proximity-registrar-cert's key is none of the registrar's chain");
}

/* 5.5.5 and 5.5.6. */
static struct lk_result
check_prior(const struct lk_voucher_request *r, const struct lk_certs *chain,
	const struct lk_registrar_request_want *want, struct lk_err *e)
{
	const struct lk_voucher_request_leaves *leaf = &r->leaf, *prior = &r->prior->leaf;
	const struct lk_cert *idevid = lk_cms_signer(r->prior->cms);

	LK_TRY(check_prior_signature(r->prior, want, e));
	/*= RFC8995 5.5.5: the SPKI of proximity-registrar-cert is in the registrar's chain =*/
	LK_TRY(check_prior_proximity(prior, chain, e));
	/*= RFC8995 5.5.5: serial-number matches that of the prior request's signer =*/
	LK_TRY(check_serial(leaf, idevid, LK_R_PRIOR_SERIAL, e));
	/*= RFC8995 5.5: idevid-issuer is that of the pledge's IDevID =*/
	LK_REQUIRE(!has(leaf, LK_REQUEST_IDEVID_ISSUER) ||
			   lk_idevid_issuer_matches(lk_buf_slice(&leaf->idevid_issuer), idevid),
		e, LK_R_PRIOR_ISSUER, "idevid-issuer is not the issuer of the device's IDevID");
	/*= RFC8995 5.5.6: the nonce is the prior request's =*/
	LK_REQUIRE(has(leaf, LK_REQUEST_NONCE) && has(prior, LK_REQUEST_NONCE) &&
			   strcmp(leaf->nonce, prior->nonce) == 0,
		e, LK_R_PRIOR_NONCE, "nonce is %s, the device's is %s",
		has(leaf, LK_REQUEST_NONCE) ? leaf->nonce : "absent",
		has(prior, LK_REQUEST_NONCE) ? prior->nonce : "absent");
	return LK_OK;
}

struct lk_result
lk_registrar_request_check(const struct lk_voucher_request *r,
	const struct lk_registrar_request_want *want, struct lk_verified_registrar_request *ret,
	struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };
	struct lk_cert *signer = lk_cms_signer(r->cms);
	bool authenticated;

	assert(want->manufacturer);
	/*= RFC8995 5.5: a registrar's request has no proximity-registrar-cert =*/
	LK_REQUIRE(!has(&r->leaf, LK_REQUEST_PROXIMITY_REGISTRAR_CERT), e,
		LK_R_REQUEST_PROXIMITY_PRESENT, "proximity-registrar-cert is present");
	/*= RFC8995 5.5.2: the registrar's chain is extracted from the CMS object =*/
	LK_REQUIRE(
		signer, e, LK_R_REQUEST_SIGNER_MISSING, "the signer's certificate is not enclosed");
	LK_TRY(lk_chain_order(signer, lk_cms_certs(r->cms), &chain, e));
	LK_TRY(check_registrar(r, &chain, want->now, e));
	LK_TRY(check_authority(r, &chain, want, &authenticated, e));
	if (r->prior)
		LK_TRY(check_prior(r, &chain, want, e));
	*ret = (struct lk_verified_registrar_request){
		.request = r,
		.registrar = signer,
		.farthest = chain.v[chain.n - 1],
		.idevid = r->prior ? lk_cms_signer(r->prior->cms) : NULL,
		/*= RFC8995 5.5.5: a verified prior request makes the assertion proximity =*/
		.assertion = r->prior ? LK_ASSERTION_PROXIMITY : LK_ASSERTION_LOGGED,
		.authenticated = authenticated,
	};
	return LK_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
set(struct lk_voucher_request_leaves *leaf, enum lk_voucher_request_leaf which)
{
	leaf->present |= UINT32_C(1) << which;
}

struct lk_result
lk_registrar_request_leaves(const struct lk_verified_pledge_request *verified, int64_t now,
	struct lk_voucher_request_leaves *ret, struct lk_err *e)
{
	const struct lk_voucher_request *pledge = verified->request;
	struct lk_slice issuer = lk_cert_aki_ext(verified->idevid);
	LK_CLEANUP(lk_voucher_request_leaves_done)
	struct lk_voucher_request_leaves leaf = {
		.idevid_issuer = LK_BUF_INIT(LK_IDEVID_ISSUER_MAX),
		.prior_signed_voucher_request = LK_BUF_INIT(LK_PLEDGE_REQUEST_MAX),
	};
	char serial[LK_CERT_NAME_MAX];

	leaf.assertion = LK_ASSERTION_PROXIMITY;
	set(&leaf, LK_REQUEST_ASSERTION);
	leaf.created_on = now;
	set(&leaf, LK_REQUEST_CREATED_ON);
	/*= RFC8995 5.5: the nonce is copied from the pledge's request =*/
	memcpy(leaf.nonce, pledge->leaf.nonce, sizeof leaf.nonce);
	set(&leaf, LK_REQUEST_NONCE);
	/*= RFC8995 5.5: serial-number is the IDevID's, never copied from the request =*/
	lk_cert_subject(verified->idevid, LK_OID_SERIAL_NUMBER, serial);
	LK_TRY(lk_slice_to_str(lk_slice_str(serial), "serial-number", leaf.serial_number,
		sizeof leaf.serial_number, e));
	set(&leaf, LK_REQUEST_SERIAL_NUMBER);
	/*= RFC8366bis 5.3: idevid-issuer is the whole authorityKeyIdentifier extension =*/
	if (issuer.n) {
		LK_TRY(lk_buf_append(&leaf.idevid_issuer, issuer, e));
		set(&leaf, LK_REQUEST_IDEVID_ISSUER);
	}
	/*= RFC8995 5.5: the entire signed pledge request is enclosed =*/
	LK_TRY(lk_buf_append(&leaf.prior_signed_voucher_request, lk_buf_slice(&pledge->der), e));
	set(&leaf, LK_REQUEST_PRIOR_SIGNED_VOUCHER_REQUEST);
	*ret = leaf;
	leaf = (struct lk_voucher_request_leaves){ .present = 0 };
	return LK_OK;
}

static struct lk_result
write_text(const struct lk_voucher_request_leaves *leaf, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;

	LK_TRY(check_leaves(leaf, e));
	LK_TRY(lk_json_write(&table, leaf, &obj, e));
	return lk_json_print_yang(obj, YANG_ROOT, out, e);
}

struct lk_result
lk_pledge_request_build(const struct lk_voucher_request_leaves *leaf,
	const struct lk_key *idevid_key, const struct lk_certs *certs, struct lk_buf *out,
	struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_PLEDGE_REQUEST_MAX);

	assert(has(leaf, LK_REQUEST_NONCE) && has(leaf, LK_REQUEST_ASSERTION) &&
		has(leaf, LK_REQUEST_PROXIMITY_REGISTRAR_CERT));
	LK_TRY(write_text(leaf, &text, e));
	/* A pledge that does not know the time has no created-on, and signs at the epoch. */
	return lk_cms_sign(LK_CMS_ANIMA_JSON_VOUCHER, lk_buf_slice(&text), leaf->created_on,
		idevid_key, certs, out, e);
}

struct lk_result
lk_registrar_request_text(
	const struct lk_voucher_request_leaves *leaf, struct lk_buf *out, struct lk_err *e)
{
	LK_REQUIRE(!has(leaf, LK_REQUEST_PROXIMITY_REGISTRAR_CERT), e,
		LK_R_REQUEST_PROXIMITY_PRESENT, "proximity-registrar-cert is present");
	return write_text(leaf, out, e);
}

struct lk_result
lk_registrar_request_build(const struct lk_voucher_request_leaves *leaf, const struct lk_key *key,
	const struct lk_certs *certs, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_REGISTRAR_REQUEST_MAX);

	LK_TRY(lk_registrar_request_text(leaf, &text, e));
	return lk_cms_sign(LK_CMS_ANIMA_JSON_VOUCHER, lk_buf_slice(&text), leaf->created_on, key,
		certs, out, e);
}

/* Certificates are shown by name and fingerprint, an enclosed request by its own leaves. */
static struct lk_result
print_leaf(const struct lk_voucher_request *r, const char *prefix, const char *name,
	const json_t *value, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;

	if (strcmp(name, leaves[LK_REQUEST_PRIOR_SIGNED_VOUCHER_REQUEST].name) == 0)
		return lk_buf_printf(out, e, "%s%s: %zu bytes\n", prefix, name,
			r->leaf.prior_signed_voucher_request.n);
	LK_TRY(lk_buf_append_str(out, prefix, e));
	if (strcmp(name, leaves[LK_REQUEST_PROXIMITY_REGISTRAR_CERT].name) != 0 ||
		!lk_cert_parse(lk_buf_slice(&r->leaf.proximity_registrar_cert), &cert, NULL).ok)
		return lk_json_print_line(name, value, out, e);
	return lk_cert_print_line(name, cert, out, e);
}

static struct lk_result
print_leaves(const struct lk_voucher_request *r, const char *prefix, struct lk_buf *out,
	struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	const char *name;
	json_t *value;

	LK_TRY(lk_json_write(&table, &r->leaf, &obj, e));
	json_object_foreach (obj, name, value)
		LK_TRY(print_leaf(r, prefix, name, value, out, e));
	return LK_OK;
}

struct lk_result
lk_voucher_request_print(const struct lk_voucher_request *r, struct lk_buf *out, struct lk_err *e)
{
	LK_TRY(print_leaves(r, "", out, e));
	return r->prior ? print_leaves(r->prior, "prior ", out, e) : LK_OK;
}
