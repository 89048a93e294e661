/* SPDX-License-Identifier: Apache-2.0
 *
 * CMS SignedData with one signer (RFC 5652), over OpenSSL's CMS. What a voucher
 * may be is narrower than what OpenSSL takes, so parsing refuses the rest first.
 */
#include "crypto/cms.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/der.h"
#include "crypto/ossl.h"

#define OID_ANIMA_JSON_VOUCHER "1.2.840.113549.1.9.16.1.40" /* RFC 8366 8.5 */
#define OID_SZTP_JSON          "1.2.840.113549.1.9.16.1.43" /* RFC 8572 9.6 */
#define CERTIFICATES           3                            /* place in SignedData, RFC 5652 5.1 */

static const char *const type_oids[LK_CMS_TYPE_COUNT] = {
	[LK_CMS_DATA] = "1.2.840.113549.1.7.1",
	[LK_CMS_ANIMA_JSON_VOUCHER] = OID_ANIMA_JSON_VOUCHER,
	[LK_CMS_SZTP_JSON] = OID_SZTP_JSON,
};

struct lk_cms {
	CMS_ContentInfo *info;
	CMS_SignerInfo *signer_info;   /* inside info */
	const ASN1_OCTET_STRING *body; /* inside info */
	struct lk_certs certs;
	struct lk_cert *signer; /* one of certs, or NULL */
	enum lk_cms_type type;
};

static struct lk_result
read_type(struct lk_cms *c, struct lk_err *e)
{
	char oid[64];
	unsigned t;

	OBJ_obj2txt(oid, sizeof oid, CMS_get0_eContentType(c->info), 1);
	/*= RFC8366 5.4: eContentType is id-ct-animaJSONVoucher (id-data is taken too) =*/
	for (t = 0; t < LK_CMS_TYPE_COUNT; t++)
		if (strcmp(oid, type_oids[t]) == 0)
			break;
	LK_REQUIRE(t < LK_CMS_TYPE_COUNT, e, LK_R_CMS_CONTENT_TYPE, "eContentType is %s, want %s",
		oid, OID_ANIMA_JSON_VOUCHER);
	c->type = (enum lk_cms_type)t;
	return LK_OK;
}

/* The digest is strong, and the signature's algorithm is one that belongs to it. OpenSSL takes any
 * name here that it does not need for verifying. */
static struct lk_result
check_algorithms(CMS_SignerInfo *si, struct lk_err *e)
{
	X509_ALGOR *digest, *signature;
	int md, of, of_md = NID_undef;

	CMS_SignerInfo_get0_algs(si, NULL, NULL, &digest, &signature);
	md = OBJ_obj2nid(digest->algorithm);
	of = OBJ_obj2nid(signature->algorithm);
	LK_REQUIRE(md == NID_sha256 || md == NID_sha384 || md == NID_sha512, e, LK_R_CRYPTO_POLICY,
		"the digest is %s, want SHA-256 or longer", OBJ_nid2sn(md));
	/* rsaEncryption says nothing of a digest; RSA-PSS and Ed25519 have none in their names. */
	LK_REQUIRE(of == NID_rsaEncryption || (OBJ_find_sigid_algs(of, &of_md, NULL) &&
						      (of_md == md || of_md == NID_undef)),
		e, LK_R_CRYPTO_POLICY, "the signature algorithm is %s, the digest %s",
		OBJ_nid2sn(of), OBJ_nid2sn(md));
	return LK_OK;
}

/* OpenSSL leaves this out. The signature covers the attribute only: without it one kind of object
 * could be passed off as another. */
static struct lk_result
check_content_attribute(const struct lk_cms *c, struct lk_err *e)
{
	const ASN1_OBJECT *name = OBJ_nid2obj(NID_pkcs9_contentType); /* OpenSSL's own */
	const ASN1_OBJECT *type =
		CMS_signed_get0_data_by_OBJ(c->signer_info, name, -3, V_ASN1_OBJECT);

	/*= RFC5652 11.1: the content-type attribute is the eContentType =*/
	LK_OSSL(type && OBJ_cmp(type, CMS_get0_eContentType(c->info)) == 0, e,
		LK_R_CMS_CONTENT_ATTRIBUTE,
		"the signed content-type attribute is missing, repeated or not the eContentType");
	return LK_OK;
}

static struct lk_result
read_signer(struct lk_cms *c, struct lk_err *e)
{
	STACK_OF(CMS_SignerInfo) *infos = CMS_get0_SignerInfos(c->info);
	int n = infos ? sk_CMS_SignerInfo_num(infos) : 0;
	size_t i;

	/*= RFC8366 5.4: the voucher is signed by exactly one signer =*/
	LK_REQUIRE(n == 1, e, LK_R_CMS_SIGNERS, "%d signers, want 1", n < 0 ? 0 : n);
	c->signer_info = sk_CMS_SignerInfo_value(infos, 0);
	/*= RFC8366bis 5.4: a decoder checks that signed attributes are present =*/
	LK_REQUIRE(CMS_signed_get_attr_count(c->signer_info) > 0, e, LK_R_CMS_SIGNATURE,
		"the signer signed no attributes");
	LK_TRY(check_content_attribute(c, e));
	LK_TRY(check_algorithms(c->signer_info, e));
	for (i = 0; i < c->certs.n; i++)
		if (lk_cms_names_signer(c, c->certs.v[i]))
			c->signer = c->certs.v[i];
	return LK_OK;
}

/* Whether two elements stand as DER wants those of a SET OF (X.690 11.6). */
static bool
in_order(struct lk_slice a, struct lk_slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int diff = n ? memcmp(a.p, b.p, n) : 0; /* lint: memcmp: certificates are public */

	return diff < 0 || (diff == 0 && a.n <= b.n);
}

/* CertificateSet of X.509 certificates; other choices are nothing that a voucher has. */
static struct lk_result
read_certs(struct lk_der *in, struct lk_certs *certs, struct lk_err *e)
{
	struct lk_slice last = { .n = 0 }, der;

	while (!lk_der_at_end(in)) {
		LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;

		LK_TRY(lk_der_get_any(in, &der, e));
		LK_REQUIRE(in_order(last, der), e, LK_R_CMS_SYNTAX,
			"the certificates are not in the order of DER");
		LK_TRY(lk_cert_parse(der, &cert, e));
		LK_TRY(lk_certs_add(certs, cert, e));
		last = der;
	}
	return LK_OK;
}

/* OpenSSL decodes each enclosed certificate and its key anew, which costs more than the
 * signature. Here they are read by lk_cert_parse(), which remembers, and OpenSSL gets the same
 * SignedData without them: neither the signature nor the signed attributes cover them. */
static struct lk_result
take_certs(struct lk_slice der, struct lk_certs *certs, struct lk_buf *rest, struct lk_err *e)
{
	struct lk_der in = { der, "the CMS object", LK_R_CMS_SYNTAX };
	struct lk_der info, outer, signed_data, set;
	struct lk_der_writer w = lk_der_to(rest);
	struct lk_slice type, element;
	char text[LK_OID_TEXT_MAX];
	unsigned i;

	LK_TRY(lk_der_enter(&in, LK_DER_SEQUENCE, &info, e));
	LK_REQUIRE(lk_der_at_end(&in), e, LK_R_CMS_SYNTAX, "%zu bytes follow the CMS object",
		in.left.n);
	LK_TRY(lk_der_get(&info, LK_DER_OID, &type, e));
	lk_oid_text(type, text);
	/*= RFC8366 5.4: the voucher artifact is a CMS SignedData =*/
	LK_REQUIRE(lk_oid_find(type) == LK_ID_SIGNED_DATA, e, LK_R_CMS_TYPE,
		"contentType is %s, want signedData", text);
	LK_TRY(lk_der_enter(&info, LK_DER_EXPLICIT + 0, &outer, e));
	LK_TRY(lk_der_end(&info, e));
	LK_TRY(lk_der_enter(&outer, LK_DER_SEQUENCE, &signed_data, e));
	LK_TRY(lk_der_end(&outer, e));
	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_oid(&w, LK_ID_SIGNED_DATA);
	lk_der_open(&w, LK_DER_EXPLICIT + 0);
	lk_der_open(&w, LK_DER_SEQUENCE);
	for (i = 0; !lk_der_at_end(&signed_data); i++) {
		if (lk_der_next_is(&signed_data, LK_DER_EXPLICIT + 0)) {
			LK_REQUIRE(i == CERTIFICATES, e, LK_R_CMS_SYNTAX,
				"certificates where %s has none", in.what);
			LK_TRY(lk_der_enter(&signed_data, LK_DER_EXPLICIT + 0, &set, e));
			LK_TRY(read_certs(&set, certs, e));
			continue;
		}
		LK_TRY(lk_der_get_any(&signed_data, &element, e));
		lk_der_raw(&w, element);
	}
	lk_der_close(&w);
	lk_der_close(&w);
	lk_der_close(&w);
	return lk_der_finish(&w, e);
}

/* OpenSSL reads BER; a second spelling of the same object is refused here. */
static struct lk_result
check_der(const CMS_ContentInfo *info, struct lk_slice in, struct lk_err *e)
{
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	int n = i2d_CMS_ContentInfo(info, &der);

	/*= RFC8366 5.4: the CMS structure is encoded in DER =*/
	LK_OSSL(n > 0 && lk_slice_eq(lk_slice(der, (size_t)n), in), e, LK_R_CMS_SYNTAX,
		"the CMS object is not in DER");
	return LK_OK;
}

struct lk_result
lk_cms_parse(struct lk_slice der, struct lk_cms **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_cms_freep) struct lk_cms *c = calloc(1, sizeof *c);
	LK_CLEANUP(lk_buf_done) struct lk_buf rest = LK_BUF_INIT(LK_CMS_MAX);
	ASN1_OCTET_STRING **body;
	const uint8_t *p;

	LK_REQUIRE(c, e, LK_R_NOMEM, "no memory for a CMS object");
	LK_REQUIRE(der.n > 0 && der.n <= LK_CMS_MAX, e, LK_R_TOO_LARGE,
		"a CMS object of %zu bytes, 1 to %d are taken", der.n, LK_CMS_MAX);
	LK_TRY(take_certs(der, &c->certs, &rest, e));
	p = rest.p;
	c->info = d2i_CMS_ContentInfo(NULL, &p, (long)rest.n);
	LK_OSSL(c->info, e, LK_R_CMS_SYNTAX, "not a CMS ContentInfo");
	LK_TRY(read_type(c, e));
	body = CMS_get0_content(c->info);
	LK_REQUIRE(body && *body, e, LK_R_CMS_SYNTAX, "the content is not enclosed");
	c->body = *body;
	LK_TRY(read_signer(c, e));
	LK_TRY(check_der(c->info, lk_buf_slice(&rest), e));
	ERR_clear_error();
	*ret = LK_TAKE(c);
	return LK_OK;
}

struct lk_cms *
lk_cms_free(struct lk_cms *c)
{
	if (!c)
		return NULL;
	lk_certs_done(&c->certs);
	CMS_ContentInfo_free(c->info);
	free(c);
	return NULL;
}

enum lk_cms_type
lk_cms_type(const struct lk_cms *c)
{
	return c->type;
}

struct lk_slice
lk_cms_content(const struct lk_cms *c)
{
	return lk_slice(ASN1_STRING_get0_data(c->body), (size_t)ASN1_STRING_length(c->body));
}

const struct lk_certs *
lk_cms_certs(const struct lk_cms *c)
{
	return &c->certs;
}

struct lk_cert *
lk_cms_signer(const struct lk_cms *c)
{
	return c->signer;
}

static struct lk_slice
name_der(const X509_NAME *name)
{
	const unsigned char *p = NULL;
	size_t n = 0;

	if (!X509_NAME_get0_der(name, &p, &n))
		return lk_slice(NULL, 0);
	return lk_slice(p, n);
}

bool
lk_cms_names_signer(const struct lk_cms *c, const struct lk_cert *cert)
{
	X509 *x = lk_cert_x509(cert);
	X509_NAME *issuer = NULL;

	if (CMS_SignerInfo_cert_cmp(c->signer_info, x) != 0 ||
		!CMS_SignerInfo_get0_signer_id(c->signer_info, NULL, &issuer, NULL))
		return false;
	/* OpenSSL compares names without regard to case; here each name has one spelling. */
	return !issuer || lk_slice_eq(name_der(issuer), name_der(X509_get_issuer_name(x)));
}

struct lk_result
lk_cms_verify(const struct lk_cms *c, const struct lk_cert *signer, struct lk_err *e)
{
	LK_CLEANUP(lk_x509_listp) STACK_OF(X509) *list = sk_X509_new_null();
	X509 *x = lk_cert_x509(signer);

	LK_REQUIRE(lk_cms_names_signer(c, signer), e, LK_R_CMS_SIGNATURE,
		"another certificate than the one expected signed it");
	LK_OSSL(list && sk_X509_push(list, x), e, LK_R_NOMEM, "no memory to verify a signature");
	/*= RFC5652 5.4: the signature covers the signed attributes, and they the content's digest
	 * =*/
	LK_OSSL(CMS_verify(c->info, list, NULL, NULL, NULL,
			CMS_BINARY | CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY) == 1,
		e, LK_R_CMS_SIGNATURE, "the signature does not verify");
	return LK_OK;
}

/* Else OpenSSL writes one by the machine's clock. */
static bool
add_signing_time(CMS_SignerInfo *si, int64_t now)
{
	LK_CLEANUP(ASN1_TIME_freep) ASN1_TIME *t = ASN1_TIME_set(NULL, now);

	/*= RFC5652 11.3: signingTime is UTCTime until 2049, GeneralizedTime from 2050 on =*/
	return t && CMS_signed_add1_attr_by_NID(si, NID_pkcs9_signingTime, t->type, t, -1) == 1;
}

struct lk_result
lk_cms_sign(enum lk_cms_type type, struct lk_slice content, int64_t now, const struct lk_key *key,
	const struct lk_certs *certs, struct lk_buf *out, struct lk_err *e)
{
	const unsigned flags = CMS_BINARY | CMS_NOSMIMECAP | CMS_PARTIAL;
	LK_CLEANUP(BIO_free_allp) BIO *data = BIO_new_mem_buf(content.p, (int)content.n);
	LK_CLEANUP(CMS_ContentInfo_freep) CMS_ContentInfo *info = NULL;
	LK_CLEANUP(ASN1_OBJECT_freep) ASN1_OBJECT *oid = OBJ_txt2obj(type_oids[type], 1);
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	CMS_SignerInfo *si;
	size_t i;
	int n;

	LK_REQUIRE(certs->n > 0, e, LK_R_BUG, "no certificate to sign with");
	LK_OSSL(data && oid, e, LK_R_NOMEM, "no memory to sign");
	info = CMS_sign(NULL, NULL, NULL, data, flags);
	LK_OSSL(info && CMS_set1_eContentType(info, oid), e, LK_R_CRYPTO_LIBRARY,
		"a CMS object cannot be begun");
	si = CMS_add1_signer(info, lk_cert_x509(certs->v[0]), lk_key_evp(key), EVP_sha256(), flags);
	LK_OSSL(si, e, LK_R_KEY_MISMATCH, "the signer's certificate and key cannot be used");
	LK_OSSL(add_signing_time(si, now), e, LK_R_CRYPTO_LIBRARY, "no time to sign at");
	for (i = 1; i < certs->n; i++)
		LK_OSSL(CMS_add1_cert(info, lk_cert_x509(certs->v[i])), e, LK_R_CRYPTO_LIBRARY,
			"a certificate cannot be enclosed");
	LK_OSSL(CMS_final(info, data, NULL, flags), e, LK_R_CRYPTO_LIBRARY, "signing failed");
	n = i2d_CMS_ContentInfo(info, &der);
	LK_OSSL(n > 0, e, LK_R_CRYPTO_LIBRARY, "the CMS object cannot be encoded");
	return lk_buf_append(out, lk_slice(der, (size_t)n), e);
}
