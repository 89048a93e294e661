/* SPDX-License-Identifier: Apache-2.0
 *
 * Certification requests (RFC 2986, RFC 7030), read, written and printed. Whether
 * one is granted, csr_check.c says.
 */
#include "artefact/csr.h"

#include <stdlib.h>

#include "artefact/json.h"
#include "base/encode.h"
#include "crypto/signature.h"

/* --- parse ------------------------------------------------------------------------------------ */

/* The value of an extension asked for; n is 0 when it is not. */
static struct lk_slice
asked(const struct lk_csr *c, enum lk_oid id)
{
	size_t i;

	for (i = 0; i < c->extensions.n; i++)
		if (lk_slice_eq(c->extensions.v[i].oid, lk_oid_der(id)))
			return c->extensions.v[i].value;
	return lk_slice(NULL, 0);
}

static struct lk_result
read_extensions(struct lk_csr *c, struct lk_der *value, struct lk_err *e)
{
	struct lk_der san = { .what = "the request's subjectAltName", .reason = LK_R_CSR_SYNTAX };
	struct lk_der list;

	LK_TRY(lk_der_enter(value, LK_DER_SEQUENCE, &list, e));
	LK_TRY(lk_der_get_extensions(&list, &c->extensions, e));
	c->san_ext = asked(c, LK_ID_CE_SUBJECT_ALT_NAME);
	if (!c->san_ext.p)
		return LK_OK;
	san.left = c->san_ext;
	LK_TRY(lk_sans_read(&san, &c->sans, e));
	return lk_der_end(&san, e);
}

static struct lk_result
read_challenge(struct lk_csr *c, struct lk_der *value, struct lk_err *e)
{
	LK_TRY(lk_text_read(value, &c->challenge, e));
	/*= RFC7030 3.5: the challenge-password field is limited to 255 bytes =*/
	LK_REQUIRE(c->challenge.n > 0 && c->challenge.n <= LK_CSR_CHALLENGE_MAX, e, LK_R_CSR_SYNTAX,
		"a challengePassword of %zu octets, 1 to %d are taken", c->challenge.n,
		LK_CSR_CHALLENGE_MAX);
	return LK_OK;
}

/* Attributes that we do not know say nothing to us. */
static struct lk_result
read_attributes(struct lk_csr *c, struct lk_der *d, struct lk_err *e)
{
	struct lk_der attribute, values;
	struct lk_slice type;
	unsigned seen = 0;

	while (!lk_der_at_end(d)) {
		enum lk_oid id;
		unsigned bit;

		LK_TRY(lk_der_enter(d, LK_DER_SEQUENCE, &attribute, e));
		LK_TRY(lk_der_get(&attribute, LK_DER_OID, &type, e));
		LK_TRY(lk_der_enter(&attribute, LK_DER_SET, &values, e));
		LK_TRY(lk_der_end(&attribute, e));
		id = lk_oid_find(type);
		if (id != LK_ID_CHALLENGE_PASSWORD && id != LK_ID_EXTENSION_REQUEST)
			continue;
		/*= RFC2985 5.4: challengePassword and extensionRequest have a single value =*/
		bit = id == LK_ID_CHALLENGE_PASSWORD ? 1 : 2;
		LK_REQUIRE(!(seen & bit), e, LK_R_CSR_SYNTAX, "the request has %s twice",
			lk_oid_name(id));
		seen |= bit;
		if (id == LK_ID_CHALLENGE_PASSWORD)
			LK_TRY(read_challenge(c, &values, e));
		else
			LK_TRY(read_extensions(c, &values, e));
		LK_TRY(lk_der_end(&values, e));
	}
	return LK_OK;
}

/* RFC 2986 4.1: CertificationRequestInfo, in its order. */
static struct lk_result
read_info(struct lk_csr *c, struct lk_err *e)
{
	struct lk_der d = { c->info, "the request", LK_R_CSR_SYNTAX }, info, name, attributes;
	struct lk_slice version;

	LK_TRY(lk_der_enter(&d, LK_DER_SEQUENCE, &info, e));
	LK_TRY(lk_der_get_unsigned(&info, &version, e));
	/*= RFC2986 4.1: version is 0 =*/
	LK_REQUIRE(version.n == 1 && version.p[0] == 0, e, LK_R_CSR_SYNTAX,
		"the request is of another version than v1");
	LK_TRY(lk_der_get_any(&info, &c->subject, e));
	name = (struct lk_der){ c->subject, d.what, d.reason };
	LK_TRY(lk_names_read(&name, &c->names, e));
	LK_TRY(lk_der_get_any(&info, &c->spki, e));
	/* Old tools leave out the attributes when there are none; OpenSSL takes that, too. */
	if (lk_der_at_end(&info))
		return LK_OK;
	LK_TRY(lk_der_enter(&info, LK_DER_EXPLICIT + 0, &attributes, e));
	LK_TRY(lk_der_end(&info, e));
	return read_attributes(c, &attributes, e);
}

struct lk_result
lk_csr_parse(struct lk_slice der, struct lk_csr **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c = calloc(1, sizeof *c);
	struct lk_der d, request;

	LK_REQUIRE(c, e, LK_R_NOMEM, "no memory for a request");
	c->der = LK_BUF_INIT(LK_CSR_MAX);
	LK_TRY(lk_buf_append(&c->der, der, e));
	d = (struct lk_der){ lk_buf_slice(&c->der), "the request", LK_R_CSR_SYNTAX };
	LK_TRY(lk_der_enter(&d, LK_DER_SEQUENCE, &request, e));
	LK_TRY(lk_der_end(&d, e));
	LK_TRY(lk_der_get_any(&request, &c->info, e));
	LK_TRY(lk_der_get_any(&request, &c->algorithm, e));
	LK_TRY(lk_der_get_bits(&request, &c->signature, e));
	LK_TRY(lk_der_end(&request, e));
	LK_TRY(read_info(c, e));
	*ret = LK_TAKE(c);
	return LK_OK;
}

struct lk_result
lk_csr_parse_body(struct lk_slice body, struct lk_csr **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);

	LK_REQUIRE(body.n <= LK_CSR_BODY_MAX, e, LK_R_TOO_LARGE,
		"a request of %zu octets, at most %d are taken", body.n, LK_CSR_BODY_MAX);
	/*= RFC8951 3.1: base64 is taken with white space in it =*/
	LK_TRY(lk_base64_decode(body, LK_BASE64_WHITESPACE, &der, e));
	return lk_csr_parse(lk_buf_slice(&der), ret, e);
}

struct lk_csr *
lk_csr_free(struct lk_csr *c)
{
	if (c)
		lk_buf_done(&c->der);
	free(c);
	return NULL;
}

/* --- build ------------------------------------------------------------------------------------ */

static void
put_attribute(struct lk_der_writer *w, enum lk_oid id, unsigned tag, const char *value)
{
	if (!value || !value[0])
		return;
	lk_der_open(w, LK_DER_SET);
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_oid(w, id);
	lk_der_put(w, tag, lk_slice_str(value));
	lk_der_close(w);
	lk_der_close(w);
}

/* The same order and string types as in the certificates that are issued for it. */
static struct lk_result
put_subject(struct lk_der_writer *w, const struct lk_csr_spec *s, struct lk_err *e)
{
	struct lk_slice copy;

	if (s->renewed) {
		LK_TRY(lk_subject_of(s->renewed, &copy, e));
		lk_der_raw(w, copy);
		return LK_OK;
	}
	lk_der_open(w, LK_DER_SEQUENCE);
	put_attribute(w, LK_ID_AT_COMMON_NAME, LK_DER_UTF8, s->common_name);
	put_attribute(w, LK_ID_AT_SERIAL_NUMBER, LK_DER_PRINTABLE, s->serial_number);
	lk_der_close(w);
	return LK_OK;
}

static void
put_san(struct lk_der_writer *w, const struct lk_csr_spec *s)
{
	const char *uri = s->attrs ? s->attrs->san_uri : "";
	struct lk_slice copy = s->renewed ? lk_san_ext_of(s->renewed) : lk_slice(NULL, 0);

	if (!copy.n && !uri[0])
		return;
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_oid(w, LK_ID_EXTENSION_REQUEST);
	lk_der_open(w, LK_DER_SET);
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_open_extension(w, LK_ID_CE_SUBJECT_ALT_NAME, false);
	if (copy.n) {
		lk_der_raw(w, copy);
	} else {
		lk_der_open(w, LK_DER_SEQUENCE);
		lk_der_put(w, LK_SAN_URI, lk_slice_str(uri));
		lk_der_close(w);
	}
	lk_der_close(w);
	lk_der_close(w);
	lk_der_close(w);
	lk_der_close(w);
	lk_der_close(w);
}

static struct lk_result
put_challenge(struct lk_der_writer *w, struct lk_slice binding, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_CSR_CHALLENGE_MAX);

	if (!binding.n)
		return LK_OK;
	LK_TRY(lk_base64_encode(binding, &text, e));
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_oid(w, LK_ID_CHALLENGE_PASSWORD);
	lk_der_open(w, LK_DER_SET);
	lk_der_put(w, LK_DER_PRINTABLE, lk_buf_slice(&text));
	lk_der_close(w);
	lk_der_close(w);
	return LK_OK;
}

/* X.690 11.6: a SET OF is sorted by its members' octets. */
static struct lk_result
put_attributes(struct lk_der_writer *w, const struct lk_csr_spec *s, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf challenge = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf san = LK_BUF_INIT(LK_CSR_MAX);
	struct lk_der_writer wc = lk_der_to(&challenge), ws = lk_der_to(&san);
	size_t n;
	bool swap;

	LK_TRY(put_challenge(&wc, s->binding, e));
	LK_TRY(lk_der_finish(&wc, e));
	put_san(&ws, s);
	LK_TRY(lk_der_finish(&ws, e));
	n = challenge.n < san.n ? challenge.n : san.n;
	swap = n && memcmp(challenge.p, san.p, n) > 0;
	lk_der_raw(w, lk_buf_slice(swap ? &san : &challenge));
	lk_der_raw(w, lk_buf_slice(swap ? &challenge : &san));
	return LK_OK;
}

/* RFC 2986 4.1: CertificationRequestInfo, in its order. */
static struct lk_result
put_info(struct lk_der_writer *w, const struct lk_csr_spec *s, const struct lk_key *key,
	struct lk_err *e)
{
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_u64(w, 0);
	LK_TRY(put_subject(w, s, e));
	lk_der_raw(w, lk_key_spki(key));
	lk_der_open(w, LK_DER_EXPLICIT + 0);
	LK_TRY(put_attributes(w, s, e));
	lk_der_close(w);
	lk_der_close(w);
	return lk_der_finish(w, e);
}

/* Whether what is asked for can be had with this key. */
static struct lk_result
check_spec(const struct lk_csr_spec *s, const struct lk_key *key, struct lk_err *e)
{
	const struct lk_csrattrs *a = s->attrs;
	const enum lk_key_type type = lk_key_type(key);

	if (!a)
		return LK_OK;
	/*= RFC8995 5.9.2: the pledge answers as the attributes ask =*/
	LK_REQUIRE(!a->keys || a->keys & 1u << type, e, LK_R_CSRATTRS_KEY,
		"another key than %s is asked for", lk_key_type_name(type));
	LK_REQUIRE(!a->signatures || a->signatures & 1u << type, e, LK_R_CSRATTRS_KEY,
		"another signature than a %s key makes is asked for", lk_key_type_name(type));
	LK_REQUIRE(!a->serial_number || s->renewed || (s->serial_number && s->serial_number[0]), e,
		LK_R_CSR_ATTRS, "a serialNumber is asked for, and there is none");
	LK_REQUIRE(!a->challenge_password || s->binding.n, e, LK_R_CSR_LINK,
		"a challengePassword is asked for, and the session has none");
	return LK_OK;
}

struct lk_result
lk_csr_build(
	const struct lk_csr_spec *s, const struct lk_key *key, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf info = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf signature = LK_BUF_INIT(1024);
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CSR_MAX);
	struct lk_der_writer w = lk_der_to(&info);

	LK_TRY(check_spec(s, key, e));
	LK_TRY(put_info(&w, s, key, e));
	LK_TRY(lk_key_sign(key, lk_buf_slice(&info), &signature, e));
	w = lk_der_to(&request);
	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_raw(&w, lk_buf_slice(&info));
	lk_der_raw(&w, lk_signature_algorithm(lk_key_type(key)));
	lk_der_bits(&w, lk_buf_slice(&signature));
	lk_der_close(&w);
	LK_TRY(lk_der_finish(&w, e));
	return lk_buf_append(out, lk_buf_slice(&request), e);
}

/* --- print ------------------------------------------------------------------------------------ */

static struct lk_result
print_text(const char *name, struct lk_slice value, struct lk_buf *out, struct lk_err *e)
{
	json_auto_t *text = json_stringn((const char *)value.p, value.n);

	LK_REQUIRE(text, e, LK_R_NOMEM, "no memory to print a name");
	return lk_json_print_line(name, text, out, e);
}

static struct lk_result
print_san(const struct lk_san *s, struct lk_buf *out, struct lk_err *e)
{
	char hex[2 * LK_CSR_MAX + 1];

	switch (s->tag) {
	case LK_SAN_MAIL:
		return print_text("subjectAltName email", s->value, out, e);
	case LK_SAN_DNS:
		return print_text("subjectAltName DNS", s->value, out, e);
	case LK_SAN_URI:
		return print_text("subjectAltName URI", s->value, out, e);
	default:
		lk_hex(s->value, hex);
		return lk_buf_printf(out, e, "subjectAltName [%u]: %s\n", s->tag & 0x1f, hex);
	}
}

struct lk_result
lk_csr_print(const struct lk_csr *c, struct lk_buf *out, struct lk_err *e)
{
	char name[LK_OID_TEXT_MAX];
	enum lk_key_type key;
	size_t i;

	for (i = 0; i < c->names.n; i++) {
		lk_oid_text(c->names.v[i].oid, name);
		LK_TRY(print_text(name, c->names.v[i].value, out, e));
	}
	LK_TRY(lk_buf_printf(out, e, "key: %s\n",
		lk_spki_type(c->spki, &key, NULL).ok ? lk_key_type_name(key) : "not taken here"));
	for (i = 0; i < c->sans.n; i++)
		LK_TRY(print_san(&c->sans.v[i], out, e));
	for (i = 0; i < c->extensions.n; i++) {
		lk_oid_text(c->extensions.v[i].oid, name);
		LK_TRY(lk_buf_printf(out, e, "asks for: %s%s\n", name,
			c->extensions.v[i].critical ? ", critical" : ""));
	}
	if (c->challenge.n)
		LK_TRY(print_text("challengePassword", c->challenge, out, e));
	return LK_OK;
}
