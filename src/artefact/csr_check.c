/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a certification request is granted: does it hold the key, is it of this
 * session, does it ask for more than a device gets, are the names its own, is it as
 * it was asked for. In that order, so that nothing is said about a request before
 * its maker has proved the key.
 */
#include "artefact/csr.h"

#include "base/encode.h"
#include "crypto/signature.h"

static struct lk_result
check_key(const struct lk_csr *c, unsigned keys, enum lk_key_type *ret, struct lk_err *e)
{
	LK_TRY(lk_spki_type(c->spki, ret, e));
	LK_REQUIRE(keys & 1u << *ret, e, LK_R_CRYPTO_POLICY, "%s keys are not taken here",
		lk_key_type_name(*ret));
	/*= RFC7030 3.4: a request is signed by the key that it is for =*/
	return lk_spki_verify(c->spki, c->algorithm, c->info, c->signature, LK_R_CSR_POP, e);
}

static struct lk_result
check_link(const struct lk_csr *c, const struct lk_csr_want *want, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_CSR_CHALLENGE_MAX);

	LK_REQUIRE(c->challenge.n || !want->link_required, e, LK_R_CSR_LINK,
		"challengePassword is missing");
	if (!c->challenge.n)
		return LK_OK;
	/*= RFC7030 3.5: a challengePassword, if present, is this session's tls-unique in base64 =*/
	LK_TRY(lk_base64_encode(want->binding, &text, e));
	LK_REQUIRE(lk_slice_eq(c->challenge, lk_buf_slice(&text)), e, LK_R_CSR_LINK,
		"challengePassword is not of this TLS session, or the session has none");
	return LK_OK;
}

static struct lk_result
check_constraints(struct lk_slice value, struct lk_err *e)
{
	/*= RFC5280 4.2.1.9: a device does not get a CA certificate =*/
	/* CA:FALSE is the empty sequence; writing the default out is no DER, and usual. */
	LK_REQUIRE(lk_slice_eq(value, LK_SLICE_LIT("\x30\x00")) ||
			   lk_slice_eq(value, LK_SLICE_LIT("\x30\x03\x01\x01\x00")),
		e, LK_R_CSR_CA, "basicConstraints is not CA:FALSE");
	return LK_OK;
}

static struct lk_result
check_purposes(struct lk_slice value, struct lk_err *e)
{
	struct lk_der d = { value, "the request's extKeyUsage", LK_R_CSR_SYNTAX }, list;
	char name[LK_OID_TEXT_MAX];
	struct lk_slice oid;

	LK_TRY(lk_der_enter(&d, LK_DER_SEQUENCE, &list, e));
	while (!lk_der_at_end(&list)) {
		LK_TRY(lk_der_get(&list, LK_DER_OID, &oid, e));
		lk_oid_text(oid, name);
		LK_REQUIRE(lk_oid_find(oid) == LK_ID_KP_CLIENT_AUTH, e, LK_R_CSR_EXTENSION,
			"the purpose %s is not granted to devices", name);
	}
	return LK_OK;
}

static struct lk_result
check_usage(struct lk_slice value, struct lk_err *e)
{
	struct lk_der d = { value, "the request's keyUsage", LK_R_CSR_SYNTAX };
	struct lk_slice bits;

	LK_TRY(lk_der_get(&d, LK_DER_BITS, &bits, e));
	LK_TRY(lk_der_end(&d, e));
	/*= RFC5280 4.2.1.3: at least one bit of keyUsage is set =*/
	LK_REQUIRE(bits.n >= 2, e, LK_R_CSR_SYNTAX, "the request's keyUsage is empty");
	/* The number of unused bits, then bits 0 to 7 from the top; 5 and 6 are a CA's. */
	LK_REQUIRE(!(bits.p[1] & 0x06), e, LK_R_CSR_CA, "keyUsage has keyCertSign or cRLSign");
	return LK_OK;
}

/* What may be asked for, and within which limits; NULL: names are judged later, the rest is
 * harmless. */
static const struct {
	enum lk_oid id;
	struct lk_result (*check)(struct lk_slice value, struct lk_err *e);
} granted[] = {
	{ LK_ID_CE_BASIC_CONSTRAINTS, check_constraints },
	{ LK_ID_CE_KEY_USAGE, check_usage },
	{ LK_ID_CE_EXT_KEY_USAGE, check_purposes },
	{ LK_ID_CE_SUBJECT_ALT_NAME, NULL },
	{ LK_ID_CE_SUBJECT_KEY_ID, NULL },
};

static struct lk_result
check_extension(const struct lk_extension *x, struct lk_err *e)
{
	const enum lk_oid id = lk_oid_find(x->oid);
	char name[LK_OID_TEXT_MAX];
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(granted); i++)
		if (granted[i].id == id)
			return granted[i].check ? granted[i].check(x->value, e) : LK_OK;
	lk_oid_text(x->oid, name);
	/*= RFC2985 5.4.2: an unknown critical extension is not granted =*/
	LK_REQUIRE(!x->critical, e, LK_R_CSR_EXTENSION, "the critical extension %s is not granted",
		name);
	return LK_OK;
}

/* What would be more than a device gets. That the profile leaves it out anyway is no excuse: the
 * asker would believe that it has it. */
static struct lk_result
check_extensions(const struct lk_csr *c, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < c->extensions.n; i++)
		LK_TRY(check_extension(&c->extensions.v[i], e));
	return LK_OK;
}

static bool
is_text(struct lk_slice s, const char *text)
{
	return text && text[0] && lk_slice_eq(s, lk_slice_str(text));
}

/* A name is the device's own when its record or what it authenticated with has it. */
static struct lk_result
check_names(const struct lk_csr *c, const struct lk_csr_want *want, struct lk_err *e)
{
	struct lk_names own = { .n = 0 };
	struct lk_sans own_sans = { .n = 0 };
	char type[LK_OID_TEXT_MAX];
	size_t i;

	/* Somebody else's certificate may have names of old string types: we know none then. */
	if (want->shown) {
		lk_ignore(lk_names_of(want->shown, &own, NULL));
		lk_ignore(lk_sans_of(want->shown, &own_sans, NULL));
	}
	for (i = 0; i < c->names.n; i++) {
		const struct lk_name *n = &c->names.v[i];
		enum lk_oid id = lk_oid_find(n->oid);

		lk_oid_text(n->oid, type);
		/* The record decides on names; a request that has others is refused, not corrected.
		 */
		LK_REQUIRE(
			(id == LK_ID_AT_SERIAL_NUMBER && is_text(n->value, want->serial_number)) ||
				(id == LK_ID_AT_COMMON_NAME &&
					is_text(n->value, want->common_name)) ||
				lk_names_contain(&own, n),
			e, LK_R_CSR_SUBJECT, "the subject's %s is %.*s, which is not its own", type,
			(int)n->value.n, n->value.p);
	}
	for (i = 0; i < c->sans.n; i++) {
		const struct lk_san *s = &c->sans.v[i];

		LK_REQUIRE((s->tag == LK_SAN_URI && is_text(s->value, want->san_uri)) ||
				   (s->tag == LK_SAN_DNS && is_text(s->value, want->san_dns)) ||
				   lk_sans_contain(&own_sans, s),
			e, LK_R_CSR_SAN, "subjectAltName has a name (tag %02x) that is not its own",
			s->tag);
	}
	return LK_OK;
}

static struct lk_result
check_renewal(const struct lk_csr *c, const struct lk_cert *renewed, struct lk_err *e)
{
	struct lk_names names = { .n = 0 };
	size_t i;

	LK_TRY(lk_names_of(renewed, &names, e));
	/*= RFC7030 4.2.2: Subject and SubjectAltName are those of the certificate being renewed =*/
	LK_REQUIRE(c->names.n == names.n, e, LK_R_CSR_RENEWAL,
		"the subject has %zu attributes, want %zu", c->names.n, names.n);
	for (i = 0; i < names.n; i++)
		LK_REQUIRE(lk_slice_eq(c->names.v[i].oid, names.v[i].oid) &&
				   lk_slice_eq(c->names.v[i].value, names.v[i].value),
			e, LK_R_CSR_RENEWAL, "the subject is another");
	LK_REQUIRE(lk_slice_eq(c->san_ext, lk_san_ext_of(renewed)), e, LK_R_CSR_RENEWAL,
		"subjectAltName is another or missing");
	return LK_OK;
}

/* The signature's algorithm as csrattrs count it. */
static bool
is_signed_as(struct lk_slice algorithm, unsigned signatures)
{
	enum lk_key_type t;

	for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
		if (signatures & 1u << t && lk_slice_eq(algorithm, lk_signature_algorithm(t)))
			return true;
	return !signatures;
}

static bool
has_name(const struct lk_csr *c, enum lk_oid id)
{
	size_t i;

	for (i = 0; i < c->names.n; i++)
		if (lk_oid_find(c->names.v[i].oid) == id)
			return true;
	return false;
}

static bool
has_uri(const struct lk_csr *c, const char *uri)
{
	size_t i;

	for (i = 0; i < c->sans.n; i++)
		if (c->sans.v[i].tag == LK_SAN_URI && is_text(c->sans.v[i].value, uri))
			return true;
	return false;
}

/*= RFC8995 5.9.2: the registrar confirms that the CSR is formatted as the attributes ask =*/
static struct lk_result
check_attrs(
	const struct lk_csr *c, const struct lk_csrattrs *a, enum lk_key_type key, struct lk_err *e)
{
	LK_REQUIRE(!a->keys || a->keys & 1u << key, e, LK_R_CSR_ATTRS,
		"the key is of type %s, which was not asked for", lk_key_type_name(key));
	LK_REQUIRE(is_signed_as(c->algorithm, a->signatures), e, LK_R_CSR_ATTRS,
		"the signature is of an algorithm that was not asked for");
	LK_REQUIRE(!a->serial_number || has_name(c, LK_ID_AT_SERIAL_NUMBER), e, LK_R_CSR_ATTRS,
		"the subject has no serialNumber");
	LK_REQUIRE(!a->challenge_password || c->challenge.n, e, LK_R_CSR_ATTRS,
		"challengePassword is missing");
	LK_REQUIRE(!a->san_uri[0] || has_uri(c, a->san_uri), e, LK_R_CSR_ATTRS,
		"subjectAltName has no %s", a->san_uri);
	return LK_OK;
}

struct lk_result
lk_csr_check(const struct lk_csr *c, const struct lk_csr_want *want, struct lk_verified_csr *ret,
	struct lk_err *e)
{
	enum lk_key_type key;

	LK_TRY(check_key(c, want->keys, &key, e));
	LK_TRY(check_link(c, want, e));
	LK_TRY(check_extensions(c, e));
	if (want->renewed)
		LK_TRY(check_renewal(c, want->renewed, e));
	else
		LK_TRY(check_names(c, want, e));
	if (want->attrs)
		LK_TRY(check_attrs(c, want->attrs, key, e));
	*ret = (struct lk_verified_csr){ c, c->spki, key };
	return LK_OK;
}
