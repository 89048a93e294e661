/* SPDX-License-Identifier: Apache-2.0
 *
 * CSR attributes (RFC 8951 section 4).
 */
#include "artefact/csrattrs.h"

#include "artefact/json.h"

/* Keys and signatures as they are asked for. */
static const struct {
	enum lk_oid key;       /* type of the attribute, or an OID of its own */
	enum lk_oid curve;     /* its value; LK_ID_COUNT: none */
	enum lk_oid signature; /* OID */
} types[LK_KEY_TYPE_COUNT] = {
	[LK_KEY_P256] = { LK_ID_EC_PUBLIC_KEY, LK_ID_SECP256R1, LK_ID_ECDSA_SHA256 },
	[LK_KEY_P384] = { LK_ID_EC_PUBLIC_KEY, LK_ID_SECP384R1, LK_ID_ECDSA_SHA384 },
	[LK_KEY_ED25519] = { LK_ID_ED25519, LK_ID_COUNT, LK_ID_ED25519 },
	[LK_KEY_RSA3072] = { LK_ID_RSA_ENCRYPTION, LK_ID_COUNT, LK_ID_RSA_SHA256 },
};

#define RSA_BITS 3072

/* --- parse ------------------------------------------------------------------------------------ */

static void
read_oid(enum lk_oid id, struct lk_csrattrs *a)
{
	enum lk_key_type t;

	a->serial_number |= id == LK_ID_AT_SERIAL_NUMBER;
	a->challenge_password |= id == LK_ID_CHALLENGE_PASSWORD;
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
		if (types[t].signature == id)
			a->signatures |= 1u << t;
	if (id == LK_ID_ED25519)
		a->keys |= 1u << LK_KEY_ED25519;
}

/* Values of id-ecPublicKey: named curves. */
static struct lk_result
read_curves(struct lk_der *values, struct lk_csrattrs *a, struct lk_err *e)
{
	unsigned found = 0;

	while (!lk_der_at_end(values)) {
		struct lk_slice curve;
		enum lk_key_type t;

		LK_TRY(lk_der_get(values, LK_DER_OID, &curve, e));
		for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
			if (types[t].curve == lk_oid_find(curve) && types[t].curve != LK_ID_COUNT)
				found |= 1u << t;
	}
	LK_REQUIRE(found, e, LK_R_CSRATTRS_KEY, "an EC key on another curve than P-256 or P-384");
	a->keys |= found;
	return LK_OK;
}

/* Values of rsaEncryption: the modulus's length in bits. */
static struct lk_result
read_rsa(struct lk_der *values, struct lk_csrattrs *a, struct lk_err *e)
{
	struct lk_slice bits;

	LK_TRY(lk_der_get_unsigned(values, &bits, e));
	LK_REQUIRE(bits.n == 2 && bits.p[0] == RSA_BITS >> 8 && bits.p[1] == (RSA_BITS & 0xff), e,
		LK_R_CSRATTRS_KEY, "an RSA key of another length than %d bits", RSA_BITS);
	a->keys |= 1u << LK_KEY_RSA3072;
	return lk_der_end(values, e);
}

/* The first URI of a GeneralNames; other names are not asked of us. */
static struct lk_result
read_san(struct lk_slice value, struct lk_csrattrs *a, struct lk_err *e)
{
	struct lk_der d = { value, "the CSR attributes", LK_R_CSRATTRS_SYNTAX }, names;

	LK_TRY(lk_der_enter(&d, LK_DER_SEQUENCE, &names, e));
	LK_TRY(lk_der_end(&d, e));
	while (!lk_der_at_end(&names)) {
		bool uri = lk_der_next_is(&names, LK_DER_IMPLICIT + 6);
		struct lk_slice name;

		if (!uri || a->san_uri[0]) {
			LK_TRY(lk_der_get_any(&names, &name, e));
			continue;
		}
		LK_TRY(lk_der_get(&names, LK_DER_IMPLICIT + 6, &name, e));
		LK_REQUIRE(lk_der_is_text(LK_DER_IA5, name), e, LK_R_CSRATTRS_SYNTAX,
			"the URI is not ASCII");
		LK_TRY(lk_slice_to_str(name, "the URI", a->san_uri, sizeof a->san_uri, e));
	}
	return LK_OK;
}

/* Values of extensionRequest: Extensions with their values, or (RFC 8951 4's example) the bare OID
 * of what should be there, of which we know none. */
static struct lk_result
read_extensions(struct lk_der *values, struct lk_csrattrs *a, struct lk_err *e)
{
	while (!lk_der_at_end(values)) {
		struct lk_extension x;
		struct lk_slice ignored;
		struct lk_der list;

		if (!lk_der_next_is(values, LK_DER_SEQUENCE)) {
			LK_TRY(lk_der_get_any(values, &ignored, e));
			continue;
		}
		LK_TRY(lk_der_enter(values, LK_DER_SEQUENCE, &list, e));
		while (!lk_der_at_end(&list)) {
			LK_TRY(lk_der_get_extension(&list, &x, e));
			if (lk_oid_find(x.oid) == LK_ID_CE_SUBJECT_ALT_NAME)
				LK_TRY(read_san(x.value, a, e));
		}
	}
	return LK_OK;
}

static struct lk_result
read_attribute(struct lk_der *d, struct lk_csrattrs *a, struct lk_err *e)
{
	struct lk_der in, values;
	struct lk_slice type;

	LK_TRY(lk_der_enter(d, LK_DER_SEQUENCE, &in, e));
	LK_TRY(lk_der_get(&in, LK_DER_OID, &type, e));
	LK_TRY(lk_der_enter(&in, LK_DER_SET, &values, e));
	LK_TRY(lk_der_end(&in, e));
	if (lk_oid_find(type) == LK_ID_EC_PUBLIC_KEY)
		return read_curves(&values, a, e);
	if (lk_oid_find(type) == LK_ID_RSA_ENCRYPTION)
		return read_rsa(&values, a, e);
	if (lk_oid_find(type) == LK_ID_EXTENSION_REQUEST)
		return read_extensions(&values, a, e);
	/*= RFC8951 4: the client ignores what it does not recognize =*/
	return LK_OK;
}

struct lk_result
lk_csrattrs_parse(struct lk_slice der, struct lk_csrattrs *ret, struct lk_err *e)
{
	struct lk_der d = { der, "the CSR attributes", LK_R_CSRATTRS_SYNTAX }, list;
	struct lk_csrattrs a = { .keys = 0 };
	struct lk_slice oid;

	LK_REQUIRE(der.n <= LK_CSRATTRS_MAX, e, LK_R_TOO_LARGE,
		"CSR attributes of %zu octets, at most %d are taken", der.n, LK_CSRATTRS_MAX);
	/*= RFC8951 4: CsrAttrs is a sequence of OIDs and attributes, perhaps empty =*/
	LK_TRY(lk_der_enter(&d, LK_DER_SEQUENCE, &list, e));
	LK_TRY(lk_der_end(&d, e));
	while (!lk_der_at_end(&list)) {
		if (lk_der_next_is(&list, LK_DER_OID)) {
			LK_TRY(lk_der_get(&list, LK_DER_OID, &oid, e));
			read_oid(lk_oid_find(oid), &a);
		} else {
			LK_TRY(read_attribute(&list, &a, e));
		}
	}
	*ret = a;
	return LK_OK;
}

/* --- build ------------------------------------------------------------------------------------ */

static void
open_attribute(struct lk_der_writer *w, enum lk_oid type)
{
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_oid(w, type);
	lk_der_open(w, LK_DER_SET);
}

static void
close_attribute(struct lk_der_writer *w)
{
	lk_der_close(w);
	lk_der_close(w);
}

/*= RFC8951 4: a required key algorithm is an attribute, its parameters the values =*/
static void
put_keys(struct lk_der_writer *w, unsigned keys)
{
	if (keys & (1u << LK_KEY_P256 | 1u << LK_KEY_P384)) {
		open_attribute(w, LK_ID_EC_PUBLIC_KEY);
		/* X.690 11.6: a SET OF is sorted; the shorter secp384r1 comes first. */
		if (keys & 1u << LK_KEY_P384)
			lk_der_oid(w, LK_ID_SECP384R1);
		if (keys & 1u << LK_KEY_P256)
			lk_der_oid(w, LK_ID_SECP256R1);
		close_attribute(w);
	}
	if (keys & 1u << LK_KEY_RSA3072) {
		open_attribute(w, LK_ID_RSA_ENCRYPTION);
		lk_der_u64(w, RSA_BITS);
		close_attribute(w);
	}
	if (keys & 1u << LK_KEY_ED25519)
		lk_der_oid(w, LK_ID_ED25519);
}

static void
put_san(struct lk_der_writer *w, const char *uri)
{
	open_attribute(w, LK_ID_EXTENSION_REQUEST);
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_open_extension(w, LK_ID_CE_SUBJECT_ALT_NAME, false);
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_put(w, LK_DER_IMPLICIT + 6, lk_slice_str(uri));
	lk_der_close(w);
	lk_der_close(w);
	lk_der_close(w);
	lk_der_close(w);
	close_attribute(w);
}

struct lk_result
lk_csrattrs_build(const struct lk_csrattrs *a, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSRATTRS_MAX);
	struct lk_der_writer w = lk_der_to(&der);
	enum lk_key_type t;

	lk_der_open(&w, LK_DER_SEQUENCE);
	/*= RFC7030 4.5.2: linking of identity and possession is asked for by challengePassword =*/
	if (a->challenge_password)
		lk_der_oid(&w, LK_ID_CHALLENGE_PASSWORD);
	if (a->serial_number)
		lk_der_oid(&w, LK_ID_AT_SERIAL_NUMBER);
	put_keys(&w, a->keys);
	if (a->san_uri[0])
		put_san(&w, a->san_uri);
	/*= RFC8951 4: a required signature scheme is an OID =*/
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
		if (a->signatures & 1u << t &&
			!(t == LK_KEY_ED25519 && a->keys & 1u << LK_KEY_ED25519))
			lk_der_oid(&w, types[t].signature);
	lk_der_close(&w);
	LK_TRY(lk_der_finish(&w, e));
	return lk_buf_append(out, lk_buf_slice(&der), e);
}

/* --- print ------------------------------------------------------------------------------------ */

static struct lk_result
print_types(const char *what, unsigned which, struct lk_buf *out, struct lk_err *e)
{
	const char *separator = ": ";
	enum lk_key_type t;

	if (!which)
		return LK_OK;
	LK_TRY(lk_buf_append_str(out, what, e));
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
		if (which & 1u << t) {
			LK_TRY(lk_buf_printf(out, e, "%s%s", separator,
				strcmp(what, "key") == 0 ? lk_key_type_name(t)
							 : lk_oid_name(types[t].signature)));
			separator = " or ";
		}
	return lk_buf_append_str(out, "\n", e);
}

struct lk_result
lk_csrattrs_print(const struct lk_csrattrs *a, struct lk_buf *out, struct lk_err *e)
{
	json_auto_t *uri = json_string(a->san_uri);

	LK_TRY(print_types("key", a->keys, out, e));
	LK_TRY(print_types("signature", a->signatures, out, e));
	if (a->serial_number)
		LK_TRY(lk_buf_append_str(out, "subject: serialNumber\n", e));
	if (a->challenge_password)
		LK_TRY(lk_buf_append_str(out, "challengePassword: linked to the TLS session\n", e));
	if (a->san_uri[0])
		LK_TRY(lk_json_print_line("subjectAltName URI", uri, out, e));
	return LK_OK;
}
