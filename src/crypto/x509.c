/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates as values: decoded once, everything that is asked for often
 * (DER, SPKI, key identifiers, times) kept beside the X509.
 */
#include "crypto/x509.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <time.h>

#include "base/encode.h"
#include "crypto/digest.h"
#include "crypto/ossl.h"
#include "crypto/peer_library.h"
#include "crypto/policy.h"

struct lk_cert {
	X509 *x509;
	uint8_t *der; /* from i2d, so OpenSSL's allocation */
	size_t der_len;
	uint8_t *spki;
	size_t spki_len;
	int64_t not_before;
	int64_t not_after;
	unsigned refs;
};

/* Unix seconds of an ASN.1 time; the never of RFC 5280 4.1.2.5 falls out of the arithmetic. */
static bool
time_of(const ASN1_TIME *t, int64_t *ret)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(t, &tm))
		return false;
	*ret = (int64_t)timegm(&tm);
	return true;
}

struct lk_result
lk_cert_from_x509(X509 *x, struct lk_cert **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = calloc(1, sizeof *c);
	int n;

	LK_REQUIRE(c, e, LK_R_NOMEM, "no memory for a certificate");
	c->refs = 1;
	X509_up_ref(x);
	c->x509 = x;
	n = i2d_X509(x, &c->der);
	LK_OSSL(n > 0, e, LK_R_CERT_SYNTAX, "the certificate cannot be encoded");
	c->der_len = (size_t)n;
	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &c->spki);
	LK_OSSL(n > 0, e, LK_R_CERT_SYNTAX, "the certificate's public key cannot be encoded");
	c->spki_len = (size_t)n;
	LK_OSSL(time_of(X509_get0_notBefore(x), &c->not_before) &&
			time_of(X509_get0_notAfter(x), &c->not_after),
		e, LK_R_CERT_SYNTAX, "the certificate's validity cannot be read");
	/* Decodes the extensions once; a certificate with broken ones is of no use to anybody. */
	LK_OSSL(!(X509_get_extension_flags(x) & EXFLAG_INVALID), e, LK_R_CERT_SYNTAX,
		"an extension of the certificate is malformed or occurs twice");
	*ret = LK_TAKE(c);
	return LK_OK;
}

/* A path from leaf to top that was verified. That stays true, but for the time. */
struct path {
	struct lk_cert *leaf, *top;
	enum lk_chain_times times;
	int64_t from, until; /* of those whose time counts; good before `until` */
};

/* By the leaf's bytes; the one of two in a place that came last. */
struct place {
	struct lk_cert *cert;
	struct path path;
};

static struct {
	struct place *place;
	size_t n;
} remembered;

static void
forget_path(struct path *p)
{
	lk_cert_free(p->leaf);
	lk_cert_free(p->top);
	*p = (struct path){ .leaf = NULL };
}

struct lk_result
lk_cert_remember(size_t n, struct lk_err *e)
{
	struct place *place = n ? calloc(n, sizeof(struct place)) : NULL;
	size_t i;

	LK_REQUIRE(place || !n, e, LK_R_NOMEM, "no memory to remember certificates");
	for (i = 0; i < remembered.n; i++) {
		lk_cert_free(remembered.place[i].cert);
		forget_path(&remembered.place[i].path);
	}
	free(remembered.place);
	remembered.place = place;
	remembered.n = n;
	return LK_OK;
}

/* A certificate ends with its signature, whose last octets are as good as any hash; who makes
 * them collide makes us decode and verify, as without a memory. */
static struct place *
place_of(struct lk_slice der)
{
	uint32_t end = 0;
	size_t i;

	for (i = der.n < 4 ? 0 : der.n - 4; i < der.n; i++)
		end = end << 8 | der.p[i];
	return remembered.n ? &remembered.place[end % remembered.n] : NULL;
}

static struct lk_result
decode(struct lk_slice der, struct lk_cert **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	LK_CLEANUP(X509_freep) X509 *x = NULL;
	OSSL_LIB_CTX *library;
	const uint8_t *p = der.p;

	LK_TRY(lk_peer_library(&library, e));
	x = X509_new_ex(library, NULL);
	/* on failure the certificate is freed and x is NULL */
	LK_OSSL(x && d2i_X509(&x, &p, (long)der.n), e, LK_R_CERT_SYNTAX, "not a DER certificate");
	LK_REQUIRE(p == der.p + der.n, e, LK_R_CERT_SYNTAX, "%zu bytes follow the certificate",
		(size_t)(der.p + der.n - p));
	LK_TRY(lk_cert_from_x509(x, &c, e));
	LK_REQUIRE(lk_slice_eq(lk_cert_der(c), der), e, LK_R_CERT_SYNTAX,
		"the certificate is not in DER");
	*ret = LK_TAKE(c);
	return LK_OK;
}

struct lk_result
lk_cert_parse(struct lk_slice der, struct lk_cert **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	struct place *place;

	LK_REQUIRE(der.n > 0 && der.n <= LK_CERT_DER_MAX, e, LK_R_TOO_LARGE,
		"a certificate of %zu bytes, 1 to %d are taken", der.n, LK_CERT_DER_MAX);
	place = place_of(der);
	if (place && place->cert && lk_slice_eq(lk_cert_der(place->cert), der)) {
		*ret = lk_cert_ref(place->cert);
		return LK_OK;
	}
	LK_TRY(decode(der, &c, e));
	if (place) {
		lk_cert_free(place->cert);
		place->cert = lk_cert_ref(c);
	}
	*ret = LK_TAKE(c);
	return LK_OK;
}

struct lk_cert *
lk_cert_ref(struct lk_cert *c)
{
	assert(c && c->refs);
	c->refs++;
	return c;
}

struct lk_cert *
lk_cert_free(struct lk_cert *c)
{
	if (!c || --c->refs)
		return NULL;
	X509_free(c->x509);
	OPENSSL_free(c->der);
	OPENSSL_free(c->spki);
	free(c);
	return NULL;
}

X509 *
lk_cert_x509(const struct lk_cert *c)
{
	return c->x509;
}

struct lk_slice
lk_cert_der(const struct lk_cert *c)
{
	return lk_slice(c->der, c->der_len);
}

struct lk_slice
lk_cert_spki(const struct lk_cert *c)
{
	return lk_slice(c->spki, c->spki_len);
}

static struct lk_slice
octets(const ASN1_OCTET_STRING *s)
{
	return s ? lk_slice(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s))
		 : lk_slice(NULL, 0);
}

struct lk_slice
lk_cert_ski(const struct lk_cert *c)
{
	return octets(X509_get0_subject_key_id(c->x509));
}

struct lk_slice
lk_cert_aki(const struct lk_cert *c)
{
	return octets(X509_get0_authority_key_id(c->x509));
}

struct lk_slice
lk_cert_aki_ext(const struct lk_cert *c)
{
	int i = X509_get_ext_by_NID(c->x509, NID_authority_key_identifier, -1);

	return i < 0 ? lk_slice(NULL, 0)
		     : octets(X509_EXTENSION_get_data(X509_get_ext(c->x509, i)));
}

void
lk_cert_serial(const struct lk_cert *c, char dst[static 2 * LK_CERT_SERIAL_MAX + 1])
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(c->x509);
	struct lk_slice s = octets((const ASN1_OCTET_STRING *)serial);

	while (s.n > 1 && s.p[0] == 0) {
		s.p++;
		s.n--;
	}
	/* Longer serials than RFC 5280 allows occur; their end tells them apart as well. */
	if (s.n > LK_CERT_SERIAL_MAX) {
		s.p += s.n - LK_CERT_SERIAL_MAX;
		s.n = LK_CERT_SERIAL_MAX;
	}
	lk_hex(s, dst);
}

int64_t
lk_cert_not_before(const struct lk_cert *c)
{
	return c->not_before;
}

int64_t
lk_cert_not_after(const struct lk_cert *c)
{
	return c->not_after;
}

unsigned
lk_cert_key_bits(const struct lk_cert *c)
{
	EVP_PKEY *key = X509_get0_pubkey(c->x509);
	int bits = key ? EVP_PKEY_get_bits(key) : 0;

	ERR_clear_error();
	return bits > 0 ? (unsigned)bits : 0;
}

bool
lk_cert_is_ca(const struct lk_cert *c)
{
	return X509_get_extension_flags(c->x509) & EXFLAG_CA;
}

bool
lk_cert_is_self_signed(const struct lk_cert *c)
{
	return X509_get_extension_flags(c->x509) & EXFLAG_SS;
}

bool
lk_cert_has_eku(const struct lk_cert *c, const char *oid)
{
	LK_CLEANUP(EXTENDED_KEY_USAGE_freep)
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(c->x509, NID_ext_key_usage, NULL, NULL);
	LK_CLEANUP(ASN1_OBJECT_freep) ASN1_OBJECT *want = OBJ_txt2obj(oid, 1);
	int i;

	for (i = 0; want && eku && i < sk_ASN1_OBJECT_num(eku); i++)
		if (OBJ_cmp(sk_ASN1_OBJECT_value(eku, i), want) == 0)
			return true;
	return false;
}

bool
lk_cert_has_any_eku(const struct lk_cert *c)
{
	return X509_get_extension_flags(c->x509) & EXFLAG_XKUSAGE;
}

bool
lk_cert_eq(const struct lk_cert *a, const struct lk_cert *b)
{
	return lk_slice_eq(lk_cert_der(a), lk_cert_der(b));
}

bool
lk_cert_same_key(const struct lk_cert *a, const struct lk_cert *b)
{
	return lk_slice_eq(lk_cert_spki(a), lk_cert_spki(b));
}

void
lk_cert_subject(const struct lk_cert *c, const char *oid, char dst[static LK_CERT_NAME_MAX])
{
	LK_CLEANUP(ASN1_OBJECT_freep) ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
	LK_CLEANUP(lk_openssl_freep) unsigned char *utf8 = NULL;
	X509_NAME *name = X509_get_subject_name(c->x509);
	int i, n;

	dst[0] = 0;
	i = obj ? X509_NAME_get_index_by_OBJ(name, obj, -1) : -1;
	if (i < 0)
		return;
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
	/* What does not fit or hides a NUL is no name. */
	if (n < 0 ||
		!lk_slice_to_str(lk_slice(utf8, (size_t)n), "name", dst, LK_CERT_NAME_MAX, NULL).ok)
		dst[0] = 0;
}

struct lk_result
lk_cert_san_dns(const struct lk_cert *c, char dst[static LK_CERT_NAME_MAX], struct lk_err *e)
{
	LK_CLEANUP(GENERAL_NAMES_freep)
	GENERAL_NAMES *names = X509_get_ext_d2i(c->x509, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *name;
	struct lk_slice dns;
	int i;

	dst[0] = 0;
	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS)
			continue;
		dns = octets(name->d.dNSName);
		LK_REQUIRE(lk_slice_to_str(dns, "dNSName", dst, LK_CERT_NAME_MAX, NULL).ok, e,
			LK_R_CERT_PROFILE, "a dNSName of %zu octets is no name", dns.n);
		return LK_OK;
	}
	return LK_OK;
}

size_t
lk_cert_san_ip(const struct lk_cert *c, uint8_t dst[static LK_CERT_IP_MAX])
{
	LK_CLEANUP(GENERAL_NAMES_freep)
	GENERAL_NAMES *names = X509_get_ext_d2i(c->x509, NID_subject_alt_name, NULL, NULL);
	struct lk_slice ip;
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_IPADD)
			continue;
		ip = octets(name->d.iPAddress);
		if (ip.n != 4 && ip.n != LK_CERT_IP_MAX)
			continue;
		memcpy(dst, ip.p, ip.n);
		return ip.n;
	}
	return 0;
}

struct lk_result
lk_cert_url(const struct lk_cert *c, const char *oid, char dst[static LK_CERT_NAME_MAX],
	struct lk_err *e)
{
	LK_CLEANUP(ASN1_OBJECT_freep) ASN1_OBJECT *obj = OBJ_txt2obj(oid, 1);
	struct lk_slice ext;
	size_t i;
	int at;

	LK_OSSL(obj, e, LK_R_BUG, "%s is not an object identifier", oid);
	dst[0] = 0;
	at = X509_get_ext_by_OBJ(c->x509, obj, -1);
	if (at < 0)
		return LK_OK;
	ext = octets(X509_EXTENSION_get_data(X509_get_ext(c->x509, at)));
	/* IA5String, definite short or one-byte long length: a URL has at most 255 octets here. */
	LK_REQUIRE(ext.n >= 2 && ext.p[0] == V_ASN1_IA5STRING, e, LK_R_CERT_PROFILE,
		"extension %s is not an IA5String", oid);
	if (ext.p[1] < 0x80)
		ext = lk_slice(ext.p + 2, ext.p[1] == ext.n - 2 ? ext.n - 2 : 0);
	else
		ext = lk_slice(ext.p + 3,
			ext.n > 3 && ext.p[1] == 0x81 && ext.p[2] == ext.n - 3 ? ext.n - 3 : 0);
	LK_REQUIRE(ext.n > 0, e, LK_R_CERT_PROFILE, "extension %s is empty or malformed", oid);
	for (i = 0; i < ext.n; i++)
		LK_REQUIRE(ext.p[i] > 0x20 && ext.p[i] < 0x7f, e, LK_R_CERT_PROFILE,
			"extension %s has a character that no URL has", oid);
	return lk_slice_to_str(ext, "the URL", dst, LK_CERT_NAME_MAX, e);
}

static void
name_text(X509_NAME *name, char *dst, size_t cap)
{
	LK_CLEANUP(BIO_free_allp) BIO *b = BIO_new(BIO_s_mem());
	int n;

	dst[0] = 0;
	if (!b || X509_NAME_print_ex(
			  b, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) < 0)
		return;
	n = BIO_read(b, dst, (int)cap - 1);
	dst[n > 0 ? n : 0] = 0;
	lk_make_text(dst);
}

void
lk_cert_subject_text(const struct lk_cert *c, char *dst, size_t cap)
{
	name_text(X509_get_subject_name(c->x509), dst, cap);
}

void
lk_cert_issuer_text(const struct lk_cert *c, char *dst, size_t cap)
{
	name_text(X509_get_issuer_name(c->x509), dst, cap);
}

void
lk_cert_fingerprint(const struct lk_cert *c, char dst[static 65])
{
	uint8_t md[LK_SHA256_LEN];

	lk_sha256_of(lk_cert_der(c), md);
	lk_hex(LK_SLICE_ARRAY(md), dst);
}

struct lk_result
lk_cert_domain_id(const struct lk_cert *c, struct lk_buf *out, struct lk_err *e)
{
	struct lk_slice ski = lk_cert_ski(c);
	uint8_t md[LK_SHA256_LEN];

	/*= RFC8995 5.8.2: domainID is the pinned certificate's SubjectKeyIdentifier, else its SPKI
	 * fingerprint =*/
	if (ski.n)
		return lk_buf_append(out, ski, e);
	lk_sha256_of(lk_cert_spki(c), md);
	return lk_buf_append(out, LK_SLICE_ARRAY(md), e);
}

struct lk_result
lk_certs_add(struct lk_certs *l, struct lk_cert *c, struct lk_err *e)
{
	LK_REQUIRE(
		l->n < LK_CERTS_MAX, e, LK_R_TOO_LARGE, "more than %d certificates", LK_CERTS_MAX);
	l->v[l->n++] = lk_cert_ref(c);
	return LK_OK;
}

void
lk_certs_copy(const struct lk_certs *from, struct lk_certs *to)
{
	lk_certs_done(to);
	while (to->n < from->n) {
		to->v[to->n] = lk_cert_ref(from->v[to->n]);
		to->n++;
	}
}

void
lk_certs_done(struct lk_certs *l)
{
	while (l->n)
		lk_cert_free(l->v[--l->n]);
}

bool
lk_certs_contain(const struct lk_certs *l, const struct lk_cert *c)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (lk_cert_eq(l->v[i], c))
			return true;
	return false;
}

/* Adds an X509 that somebody else owns. */
static struct lk_result
add_x509(struct lk_certs *l, X509 *x, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;

	LK_TRY(lk_cert_from_x509(x, &c, e));
	return lk_certs_add(l, c, e);
}

static struct lk_result
add_stack(struct lk_certs *l, const STACK_OF(X509) * stack, struct lk_err *e)
{
	int i;

	for (i = 0; i < sk_X509_num(stack); i++)
		LK_TRY(add_x509(l, sk_X509_value(stack, i), e));
	return LK_OK;
}

static struct lk_result
parse_pem(struct lk_slice in, struct lk_certs *l, struct lk_err *e)
{
	LK_CLEANUP(BIO_free_allp) BIO *b = BIO_new_mem_buf(in.p, (int)in.n);

	LK_OSSL(b, e, LK_R_NOMEM, "no memory to read PEM");
	for (;;) {
		LK_CLEANUP(X509_freep) X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

		if (!x)
			break;
		LK_TRY(add_x509(l, x, e));
	}
	LK_OSSL(l->n > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE, e,
		LK_R_CERT_SYNTAX, "certificate %zu of the PEM text cannot be read", l->n + 1);
	ERR_clear_error(); /* the end of the text is not an error */
	return LK_OK;
}

struct lk_result
lk_certs_parse_any(struct lk_slice in, struct lk_certs *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs l = { .n = 0 };
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;

	LK_REQUIRE(in.n <= LK_CERTS_MAX * 2 * LK_CERT_DER_MAX, e, LK_R_TOO_LARGE,
		"%zu bytes of certificates", in.n);
	if (in.n && in.p[0] == 0x30) {
		LK_TRY(lk_cert_parse(in, &c, e));
		LK_TRY(lk_certs_add(&l, c, e));
	} else {
		LK_TRY(parse_pem(in, &l, e));
	}
	*ret = l;
	l.n = 0;
	return LK_OK;
}

struct lk_result
lk_cert_print_pem(const struct lk_cert *c, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(BIO_free_allp) BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long n;

	LK_OSSL(b && PEM_write_bio_X509(b, c->x509), e, LK_R_NOMEM, "no memory to write PEM");
	n = BIO_get_mem_data(b, &p);
	return lk_buf_append(out, lk_slice(p, (size_t)n), e);
}

struct lk_result
lk_cert_print_line(const char *name, const struct lk_cert *c, struct lk_buf *out, struct lk_err *e)
{
	char subject[LK_CERT_NAME_MAX], fingerprint[65];

	lk_cert_subject_text(c, subject, sizeof subject);
	lk_cert_fingerprint(c, fingerprint);
	return lk_buf_printf(out, e, "%s: %s, sha256 %s\n", name, subject, fingerprint);
}

struct lk_result
lk_certs_parse_pkcs7(struct lk_slice der, struct lk_certs *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs l = { .n = 0 };
	LK_CLEANUP(PKCS7_freep) PKCS7 *p7 = NULL;
	const uint8_t *p = der.p;

	LK_REQUIRE(der.n > 0 && der.n <= LK_CERTS_MAX * LK_CERT_DER_MAX, e, LK_R_TOO_LARGE,
		"%zu bytes of certificates", der.n);
	p7 = d2i_PKCS7(NULL, &p, (long)der.n);
	LK_OSSL(p7 && PKCS7_type_is_signed(p7) && p7->d.sign, e, LK_R_CERTS_ONLY,
		"not a SignedData of certificates");
	LK_REQUIRE(p == der.p + der.n, e, LK_R_CERTS_ONLY, "%zu bytes follow the certificates",
		(size_t)(der.p + der.n - p));
	LK_REQUIRE(sk_PKCS7_SIGNER_INFO_num(p7->d.sign->signer_info) <= 0, e, LK_R_CERTS_ONLY,
		"the list of certificates is signed");
	LK_REQUIRE(sk_X509_num(p7->d.sign->cert) > 0, e, LK_R_CERTS_ONLY,
		"no certificate in the list");
	LK_TRY(add_stack(&l, p7->d.sign->cert, e));
	*ret = l;
	l.n = 0;
	return LK_OK;
}

struct lk_result
lk_certs_print_pkcs7(const struct lk_certs *l, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(PKCS7_freep) PKCS7 *p7 = PKCS7_new();
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	size_t i;
	int n;

	LK_OSSL(p7 && PKCS7_set_type(p7, NID_pkcs7_signed) && PKCS7_content_new(p7, NID_pkcs7_data),
		e, LK_R_NOMEM, "no memory for a list of certificates");
	/* RFC 7030 4.1.3: a Simple PKI Response has no content at all. */
	PKCS7_set_detached(p7, 1);
	for (i = 0; i < l->n; i++)
		LK_OSSL(PKCS7_add_certificate(p7, l->v[i]->x509), e, LK_R_NOMEM,
			"no memory for a list of certificates");
	n = i2d_PKCS7(p7, &der);
	LK_OSSL(n > 0, e, LK_R_CRYPTO_LIBRARY, "the list of certificates cannot be encoded");
	return lk_buf_append(out, lk_slice(der, (size_t)n), e);
}

struct lk_anchors {
	struct lk_certs certs;
	X509_STORE *store; /* the same */
};

struct lk_result
lk_anchors_new(const struct lk_certs *anchors, struct lk_anchors **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *a = calloc(1, sizeof *a);
	size_t i;

	LK_REQUIRE(a, e, LK_R_NOMEM, "no memory for trust anchors");
	lk_certs_copy(anchors, &a->certs);
	a->store = X509_STORE_new();
	LK_OSSL(a->store, e, LK_R_NOMEM, "no memory for trust anchors");
	for (i = 0; i < anchors->n; i++)
		LK_OSSL(X509_STORE_add_cert(a->store, anchors->v[i]->x509), e, LK_R_NOMEM,
			"no memory for a trust anchor");
	*ret = LK_TAKE(a);
	return LK_OK;
}

struct lk_anchors *
lk_anchors_free(struct lk_anchors *a)
{
	if (!a)
		return NULL;
	X509_STORE_free(a->store);
	lk_certs_done(&a->certs);
	free(a);
	return NULL;
}

/* X509_V_ERR_CERT_HAS_EXPIRED and _NOT_YET_VALID of the leaf are forgiven, nothing else is. */
static int
forgive_leaf_times(int ok, X509_STORE_CTX *ctx)
{
	int err = X509_STORE_CTX_get_error(ctx);

	if (ok || X509_STORE_CTX_get_error_depth(ctx) != 0)
		return ok;
	if (err != X509_V_ERR_CERT_HAS_EXPIRED && err != X509_V_ERR_CERT_NOT_YET_VALID)
		return 0;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static bool
is_time_error(int err)
{
	return err == X509_V_ERR_CERT_HAS_EXPIRED || err == X509_V_ERR_CERT_NOT_YET_VALID;
}

static bool
was_verified(const struct lk_anchors *anchors, const struct lk_cert *leaf,
	enum lk_chain_times times, int64_t now)
{
	const struct place *place = place_of(lk_cert_der(leaf));
	const struct path *p = place ? &place->path : NULL;

	return p && p->leaf && lk_cert_eq(p->leaf, leaf) && p->times == times &&
	       (times == LK_TIMES_IGNORE || (p->from <= now && now < p->until)) &&
	       lk_certs_contain(&anchors->certs, p->top);
}

/* When all whose time counts are valid; false: a time cannot be read. */
static bool
time_of_path(const STACK_OF(X509) * path, struct path *ret)
{
	int i;

	ret->from = INT64_MIN;
	ret->until = INT64_MAX;
	for (i = ret->times == LK_TIMES_IGNORE_LEAF; i < sk_X509_num(path); i++) {
		int64_t from, until;

		if (!time_of(X509_get0_notBefore(sk_X509_value(path, i)), &from) ||
			!time_of(X509_get0_notAfter(sk_X509_value(path, i)), &until))
			return false;
		ret->from = from > ret->from ? from : ret->from;
		ret->until = until < ret->until ? until : ret->until;
	}
	return true;
}

static void
remember_path(const struct lk_anchors *anchors, const struct lk_cert *leaf,
	const STACK_OF(X509) * path, enum lk_chain_times times)
{
	struct place *place = place_of(lk_cert_der(leaf));
	struct path now = { .times = times };
	const X509 *top = sk_X509_value(path, sk_X509_num(path) - 1);
	size_t i;

	for (i = 0; i < anchors->certs.n; i++)
		if (X509_cmp(anchors->certs.v[i]->x509, top) == 0)
			break;
	if (!place || i == anchors->certs.n || !time_of_path(path, &now))
		return;
	now.leaf = lk_cert_ref((struct lk_cert *)(uintptr_t)leaf);
	now.top = lk_cert_ref(anchors->certs.v[i]);
	forget_path(&place->path);
	place->path = now;
}

struct lk_result
lk_chain_verify(const struct lk_anchors *anchors, const struct lk_cert *leaf,
	const struct lk_certs *untrusted, enum lk_chain_times times, int64_t now, struct lk_err *e)
{
	LK_CLEANUP(X509_STORE_CTX_freep) X509_STORE_CTX *ctx = NULL;
	/* The stack borrows its certificates, so only the stack itself is freed. */
	LK_CLEANUP(lk_x509_listp) STACK_OF(X509) *list = NULL;
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
	char subject[128];
	size_t i;
	int err;

	if (was_verified(anchors, leaf, times, now))
		return LK_OK;
	ctx = X509_STORE_CTX_new();
	list = sk_X509_new_null();
	LK_OSSL(ctx && list, e, LK_R_NOMEM, "no memory to verify a chain");
	for (i = 0; untrusted && i < untrusted->n; i++)
		LK_OSSL(sk_X509_push(list, untrusted->v[i]->x509), e, LK_R_NOMEM,
			"no memory to verify a chain");
	LK_OSSL(X509_STORE_CTX_init(ctx, anchors->store, leaf->x509, list), e, LK_R_NOMEM,
		"no memory to verify a chain");
	if (times == LK_TIMES_IGNORE)
		flags |= X509_V_FLAG_NO_CHECK_TIME;
	else
		X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)now);
	if (times == LK_TIMES_IGNORE_LEAF)
		X509_STORE_CTX_set_verify_cb(ctx, forgive_leaf_times);
	X509_STORE_CTX_set_flags(ctx, flags);
	/*= SEC-12: every certificate of a path is within the crypto policy =*/
	if (X509_verify_cert(ctx) == 1) {
		LK_TRY(lk_policy_check_path(lk_policy_chosen(), X509_STORE_CTX_get0_chain(ctx), e));
		remember_path(anchors, leaf, X509_STORE_CTX_get0_chain(ctx), times);
		return LK_OK;
	}
	err = X509_STORE_CTX_get_error(ctx);
	lk_cert_subject_text(leaf, subject, sizeof subject);
	ERR_clear_error();
	return lk_fail(e, is_time_error(err) ? LK_R_CERT_TIME : LK_R_CERT_CHAIN, "%s: %s", subject,
		X509_verify_cert_error_string(err));
}

static struct lk_cert *
issuer_among(const struct lk_certs *from, const struct lk_cert *subject)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		if (X509_check_issued(from->v[i]->x509, subject->x509) == X509_V_OK)
			return from->v[i];
	return NULL;
}

struct lk_result
lk_chain_order(
	struct lk_cert *leaf, const struct lk_certs *from, struct lk_certs *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };
	struct lk_cert *c;

	/* Two that name each other as issuer are no chain: whoever is in it is not added again. */
	for (c = leaf; c && !lk_certs_contain(&chain, c); c = issuer_among(from, c))
		LK_TRY(lk_certs_add(&chain, c, e));
	*ret = chain;
	chain.n = 0;
	return LK_OK;
}
