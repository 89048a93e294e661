/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates made from their profile's row. They are written by crypto/der.h
 * and signed by lk_key_sign(): an LDevID costs its signature and little more,
 * since nothing is decoded on the way.
 */
#include <assert.h>

#include "artefact/cert_profile_row.h"
#include "crypto/digest.h"
#include "crypto/ossl.h"
#include "crypto/signature.h"

#define SERIAL_MIN    8 /* octets; CAs of the web use as many */
#define SERIAL_MAX    16
#define SIGNATURE_MAX 1024
#define KEY_ID_LEN    20

static bool
given(const char *text)
{
	return text && text[0];
}

static const char *
attribute(const struct lk_cert_spec *s, size_t i)
{
	return *(const char *const *)((const char *)s + lk_row_attributes[i].offset);
}

static struct lk_row_facts
facts_of_spec(const struct lk_cert_spec *s)
{
	struct lk_row_facts f = {
		.not_before = s->not_before, .not_after = s->not_after, .spki = s->spki
	};
	size_t i;

	for (i = 0; i < LK_ROW_ATTRIBUTES; i++)
		f.subject |= given(attribute(s, i)) ? 1u << i : 0;
	f.san |= given(s->san_dns) ? LK_ROW_DNS : 0;
	f.san |= s->san_ip.n ? LK_ROW_IP : 0;
	f.san |= given(s->san_uri) ? LK_ROW_URI : 0;
	f.san |= s->san_hardware.n ? LK_ROW_HARDWARE : 0;
	f.extra |= given(s->masa_url) ? LK_ROW_MASA : 0;
	f.extra |= given(s->mud_url) ? LK_ROW_MUD : 0;
	f.extra |= s->mud_signer.n ? LK_ROW_MUD_SIGNER : 0;
	f.extra |= given(s->crl_url) ? LK_ROW_CRL : 0;
	return f;
}

/* A string of visible ASCII, as every URL and DNS name is. */
static struct lk_result
check_ia5(const char *what, const char *s, enum lk_reason reason, struct lk_err *e)
{
	size_t i;

	for (i = 0; s && s[i]; i++)
		LK_REQUIRE(s[i] > 0x20 && s[i] < 0x7f && i < LK_CERT_NAME_MAX - 1, e, reason,
			"%s has a blank, is not ASCII or has more than %d characters", what,
			LK_CERT_NAME_MAX - 1);
	return LK_OK;
}

static struct lk_result
check_text(const struct lk_cert_spec *s, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < LK_ROW_ATTRIBUTES; i++) {
		const struct lk_row_attribute *a = &lk_row_attributes[i];
		const char *v = attribute(s, i);

		if (!given(v))
			continue;
		LK_REQUIRE(strlen(v) <= a->max, e, LK_R_CERT_SUBJECT,
			"%s has %zu octets, at most %zu are taken", a->name, strlen(v), a->max);
		LK_REQUIRE(lk_der_is_text(a->tag, lk_slice_str(v)), e, LK_R_CERT_SUBJECT,
			"%s has a character that does not belong there", a->name);
	}
	LK_TRY(check_ia5("the DNS name", s->san_dns, LK_R_CERT_SAN, e));
	LK_TRY(check_ia5("the URI", s->san_uri, LK_R_CERT_SAN, e));
	LK_REQUIRE(s->san_ip.n == 0 || s->san_ip.n == 4 || s->san_ip.n == 16, e, LK_R_CERT_SAN,
		"an IP address of %zu octets", s->san_ip.n);
	LK_TRY(check_ia5("the MASA URL", s->masa_url, LK_R_CERT_EXTENSION, e));
	LK_TRY(check_ia5("the MUD URL", s->mud_url, LK_R_CERT_EXTENSION, e));
	return check_ia5("the CRL's URL", s->crl_url, LK_R_CERT_EXTENSION, e);
}

static struct lk_result
check_issuer(const struct lk_cert_spec *s, const struct lk_cert *issuer, const struct lk_key *key,
	struct lk_err *e)
{
	uint32_t usage;

	if (!issuer) {
		LK_REQUIRE(lk_profile_rows[s->profile].path_len != LK_ROW_NOT_CA, e,
			LK_R_CERT_ISSUER, "%s: is not self-signed",
			lk_profile_rows[s->profile].name);
		LK_REQUIRE(lk_slice_eq(s->spki, lk_key_spki(key)), e, LK_R_KEY_MISMATCH,
			"the key is not the one that is to be certified");
		return LK_OK;
	}
	LK_REQUIRE(lk_slice_eq(lk_cert_spki(issuer), lk_key_spki(key)), e, LK_R_KEY_MISMATCH,
		"the key is not the issuer's");
	usage = X509_get_key_usage(lk_cert_x509(issuer));
	LK_REQUIRE(lk_cert_is_ca(issuer) && usage & KU_KEY_CERT_SIGN, e, LK_R_CERT_ISSUER,
		"the issuer is no CA");
	LK_REQUIRE(lk_profile_rows[s->profile].path_len == LK_ROW_NOT_CA ||
			   X509_get_pathlen(lk_cert_x509(issuer)) != 0,
		e, LK_R_CERT_ISSUER, "the issuer may not have a CA below it");
	LK_REQUIRE(lk_cert_ski(issuer).n > 0, e, LK_R_CERT_ISSUER,
		"the issuer has no subjectKeyIdentifier");
	LK_REQUIRE(s->not_after <= lk_cert_not_after(issuer), e, LK_R_CERT_ISSUER,
		"notAfter is after the issuer's own");
	return LK_OK;
}

static struct lk_result
check_spec(const struct lk_cert_spec *s, struct lk_err *e)
{
	const struct lk_profile_row *p = &lk_profile_rows[s->profile];
	const struct lk_row_facts f = facts_of_spec(s);
	size_t i;

	LK_REQUIRE(!p->foreign, e, LK_R_CERT_ISSUER, "%s: is not issued here", p->name);
	/*= RFC5280 4.1.2.2: a serial number is positive and unique =*/
	LK_REQUIRE(s->serial.n >= SERIAL_MIN && s->serial.n <= SERIAL_MAX, e, LK_R_CERT_SERIAL,
		"a serial number of %zu octets, %d to %d are taken", s->serial.n, SERIAL_MIN,
		SERIAL_MAX);
	for (i = 0; i < s->serial.n && s->serial.p[i] == 0;)
		i++;
	LK_REQUIRE(i < s->serial.n, e, LK_R_CERT_SERIAL, "the serial number is zero");
	LK_REQUIRE(s->not_before >= 0 && s->not_after <= LK_TIME_NEVER, e, LK_R_CERT_VALIDITY,
		"the validity leaves the years 1970 to 9999");
	LK_TRY(lk_row_check(p, &f, e));
	return check_text(s, e);
}

static void
put_text(struct lk_der_writer *w, unsigned tag, const char *text)
{
	lk_der_put(w, tag, lk_slice_str(text));
}

static void
put_subject(struct lk_der_writer *w, const struct lk_cert_spec *s)
{
	size_t i;

	lk_der_open(w, LK_DER_SEQUENCE);
	for (i = 0; i < LK_ROW_ATTRIBUTES; i++) {
		if (!given(attribute(s, i)))
			continue;
		lk_der_open(w, LK_DER_SET);
		lk_der_open(w, LK_DER_SEQUENCE);
		lk_der_oid(w, lk_row_attributes[i].id);
		put_text(w, lk_row_attributes[i].tag, attribute(s, i));
		lk_der_close(w);
		lk_der_close(w);
	}
	lk_der_close(w);
}

static void
close_extension(struct lk_der_writer *w)
{
	lk_der_close(w);
	lk_der_close(w);
}

/*= RFC5280 4.2.1.9: basicConstraints of a CA are critical =*/
static void
put_constraints(struct lk_der_writer *w, const struct lk_profile_row *p)
{
	if (p->path_len == LK_ROW_NOT_CA)
		return;
	lk_der_open_extension(w, LK_ID_CE_BASIC_CONSTRAINTS, true);
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_true(w);
	lk_der_u64(w, (uint64_t)p->path_len);
	lk_der_close(w);
	close_extension(w);
}

static void
put_usage(struct lk_der_writer *w, const struct lk_profile_row *p)
{
	size_t i;

	/*= RFC5280 4.2.1.3: keyUsage is critical =*/
	if (p->usage.must) {
		lk_der_open_extension(w, LK_ID_CE_KEY_USAGE, true);
		lk_der_flags(w, p->usage.must);
		close_extension(w);
	}
	if (!p->eku[0])
		return;
	lk_der_open_extension(w, LK_ID_CE_EXT_KEY_USAGE, false);
	lk_der_open(w, LK_DER_SEQUENCE);
	for (i = 0; p->eku[i]; i++)
		lk_der_oid(w, p->eku[i]);
	lk_der_close(w);
	close_extension(w);
}

/* RFC 7093 2, method 1: the leftmost 160 bits of the SHA-256 of the key's bits. */
static struct lk_result
key_id(struct lk_slice spki, uint8_t ret[static LK_SHA256_LEN], struct lk_err *e)
{
	struct lk_der d = { spki, "the public key", LK_R_CRYPTO_POLICY };
	struct lk_slice algorithm, bits;

	LK_TRY(lk_der_enter(&d, LK_DER_SEQUENCE, &d, e));
	LK_TRY(lk_der_get_any(&d, &algorithm, e));
	LK_TRY(lk_der_get_bits(&d, &bits, e));
	lk_sha256_of(bits, ret);
	return LK_OK;
}

static void
put_key_ids(struct lk_der_writer *w, struct lk_slice own, struct lk_slice issuers)
{
	lk_der_open_extension(w, LK_ID_CE_SUBJECT_KEY_ID, false);
	lk_der_put(w, LK_DER_OCTETS, own);
	close_extension(w);
	/*= RFC5280 4.2.1.1: authorityKeyIdentifier has the issuer's key identifier =*/
	lk_der_open_extension(w, LK_ID_CE_AUTHORITY_KEY_ID, false);
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_put(w, LK_DER_IMPLICIT + 0, issuers);
	lk_der_close(w);
	close_extension(w);
}

static void
put_sans(struct lk_der_writer *w, const struct lk_cert_spec *s)
{
	if (!facts_of_spec(s).san)
		return;
	lk_der_open_extension(w, LK_ID_CE_SUBJECT_ALT_NAME, false);
	lk_der_open(w, LK_DER_SEQUENCE);
	if (given(s->san_dns))
		put_text(w, LK_DER_IMPLICIT + 2, s->san_dns);
	if (s->san_ip.n)
		lk_der_put(w, LK_DER_IMPLICIT + 7, s->san_ip);
	if (given(s->san_uri))
		put_text(w, LK_DER_IMPLICIT + 6, s->san_uri);
	if (s->san_hardware.n) {
		lk_der_open(w, LK_DER_EXPLICIT + 0);
		lk_der_oid(w, LK_ID_ON_HARDWARE_MODULE);
		lk_der_open(w, LK_DER_EXPLICIT + 0);
		lk_der_raw(w, s->san_hardware);
		lk_der_close(w);
		lk_der_close(w);
	}
	lk_der_close(w);
	close_extension(w);
}

static void
put_url(struct lk_der_writer *w, enum lk_oid id, const char *url)
{
	if (!given(url))
		return;
	lk_der_open_extension(w, id, false);
	put_text(w, LK_DER_IA5, url);
	close_extension(w);
}

static void
put_extras(struct lk_der_writer *w, const struct lk_cert_spec *s)
{
	put_url(w, LK_ID_PE_MASA_URL, s->masa_url);
	put_url(w, LK_ID_PE_MUD_URL, s->mud_url);
	if (s->mud_signer.n) {
		lk_der_open_extension(w, LK_ID_PE_MUD_SIGNER, false);
		lk_der_raw(w, s->mud_signer);
		close_extension(w);
	}
	if (given(s->crl_url)) {
		/* One DistributionPoint, whose fullName is one URI. */
		lk_der_open_extension(w, LK_ID_CE_CRL_POINTS, false);
		lk_der_open(w, LK_DER_SEQUENCE);
		lk_der_open(w, LK_DER_SEQUENCE);
		lk_der_open(w, LK_DER_EXPLICIT + 0);
		lk_der_open(w, LK_DER_EXPLICIT + 0);
		put_text(w, LK_DER_IMPLICIT + 6, s->crl_url);
		lk_der_close(w);
		lk_der_close(w);
		lk_der_close(w);
		lk_der_close(w);
		close_extension(w);
	}
}

static struct lk_result
put_issuer(struct lk_der_writer *w, const struct lk_cert *issuer, struct lk_err *e)
{
	const uint8_t *p;
	size_t n;

	LK_OSSL(X509_NAME_get0_der(X509_get_subject_name(lk_cert_x509(issuer)), &p, &n), e,
		LK_R_CERT_ISSUER, "the issuer's name cannot be encoded");
	lk_der_raw(w, lk_slice(p, n));
	return LK_OK;
}

/* RFC 5280 4.1: TBSCertificate, in its order. */
static struct lk_result
put_tbs(struct lk_der_writer *w, const struct lk_cert_spec *s, const struct lk_cert *issuer,
	const struct lk_key *key, struct lk_err *e)
{
	const struct lk_profile_row *p = &lk_profile_rows[s->profile];
	uint8_t id[LK_SHA256_LEN];
	struct lk_slice own = lk_slice(id, KEY_ID_LEN);

	LK_TRY(key_id(s->spki, id, e));
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_open(w, LK_DER_EXPLICIT + 0);
	lk_der_u64(w, 2); /* v3 */
	lk_der_close(w);
	lk_der_unsigned(w, s->serial);
	lk_der_raw(w, lk_signature_algorithm(lk_key_type(key)));
	if (issuer)
		LK_TRY(put_issuer(w, issuer, e));
	else
		put_subject(w, s);
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_time(w, s->not_before);
	lk_der_time(w, s->not_after);
	lk_der_close(w);
	put_subject(w, s);
	lk_der_raw(w, s->spki);
	lk_der_open(w, LK_DER_EXPLICIT + 3);
	lk_der_open(w, LK_DER_SEQUENCE);
	put_constraints(w, p);
	put_usage(w, p);
	put_key_ids(w, own, issuer ? lk_cert_ski(issuer) : own);
	put_sans(w, s);
	put_extras(w, s);
	lk_der_close(w);
	lk_der_close(w);
	lk_der_close(w);
	return lk_der_finish(w, e);
}

struct lk_result
lk_cert_issue(const struct lk_cert_spec *s, const struct lk_cert *issuer,
	const struct lk_key *issuer_key, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf tbs = LK_BUF_INIT(LK_CERT_DER_MAX - SIGNATURE_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf signature = LK_BUF_INIT(1024);
	LK_CLEANUP(lk_buf_done) struct lk_buf cert = LK_BUF_INIT(LK_CERT_DER_MAX);
	struct lk_der_writer w = lk_der_to(&tbs);

	assert(s->profile < LK_PROFILE_COUNT);
	LK_TRY(check_spec(s, e));
	LK_TRY(check_issuer(s, issuer, issuer_key, e));
	LK_TRY(put_tbs(&w, s, issuer, issuer_key, e));
	LK_TRY(lk_key_sign(issuer_key, lk_buf_slice(&tbs), &signature, e));
	w = lk_der_to(&cert);
	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_raw(&w, lk_buf_slice(&tbs));
	lk_der_raw(&w, lk_signature_algorithm(lk_key_type(issuer_key)));
	lk_der_bits(&w, lk_buf_slice(&signature));
	lk_der_close(&w);
	LK_TRY(lk_der_finish(&w, e));
	return lk_buf_append(out, lk_buf_slice(&cert), e);
}
