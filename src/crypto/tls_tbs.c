/* SPDX-License-Identifier: Apache-2.0
 *
 * The forms of what TLS ends sign, octet by octet.
 */
#include "crypto/tls_tbs.h"

#include <openssl/err.h>

#include "crypto/ossl.h"

/* RFC 8446 4.4.3: 64 spaces, the context string, a zero octet, the transcript's hash (SHA-256 or
 * SHA-384, by the suite). */
static bool
is_certificate_verify(struct lk_slice tbs, enum lk_tls_end end)
{
	static const char context[][34] = {
		[LK_TLS_SERVER] = "TLS 1.3, server CertificateVerify",
		[LK_TLS_CLIENT] = "TLS 1.3, client CertificateVerify",
	};
	size_t i;

	if (tbs.n != 64 + sizeof context[end] + 32 && tbs.n != 64 + sizeof context[end] + 48)
		return false;
	for (i = 0; i < 64; i++)
		if (tbs.p[i] != ' ')
			return false;
	return lk_slice_eq(lk_slice(tbs.p + 64, sizeof context[end]), LK_SLICE_ARRAY(context[end]));
}

/* Certificates, CRLs, requests and the signed attributes of CMS are one SEQUENCE or SET. */
static bool
is_asn1(struct lk_slice tbs)
{
	const uint8_t *p = tbs.p;
	int tag, class, r;
	long n;

	r = ASN1_get_object(&p, &n, &tag, &class, (long)tbs.n);
	ERR_clear_error();
	if (r & 0x80) /* not a header, or one whose length exceeds tbs */
		return false;
	return class == V_ASN1_UNIVERSAL && (tag == V_ASN1_SEQUENCE || tag == V_ASN1_SET) &&
	       ((r & 1) || p + n == tbs.p + tbs.n); /* 1: indefinite length */
}

/* RFC 8422 5.4: client random, server random, ServerECDHParams: curve_type named_curve (3), the
 * curve, the public point in a vector. The randoms are the asker's choice, unlike in TLS 1.3, and
 * could be made the head of something else; what reads as that is refused, which costs an honest
 * server less than one handshake in ten thousand. */
static bool
is_server_key_exchange(struct lk_slice tbs)
{
	static const struct {
		uint8_t head[4];
		bool uncompressed; /* the point begins with 4 */
	} params[] = {
		{ { 3, 0, 0x17, 65 }, true },  /* secp256r1 */
		{ { 3, 0, 0x18, 97 }, true },  /* secp384r1 */
		{ { 3, 0, 0x1d, 32 }, false }, /* x25519 */
	};
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(params); i++)
		if (tbs.n == 64 + 4 + (size_t)params[i].head[3] &&
			lk_slice_eq(lk_slice(tbs.p + 64, 4), LK_SLICE_ARRAY(params[i].head)) &&
			(!params[i].uncompressed || tbs.p[68] == 4))
			return !is_asn1(tbs);
	return false;
}

struct lk_result
lk_tls_tbs_check(struct lk_slice tbs, enum lk_tls_end end, struct lk_err *e)
{
	/*= RFC8446 4.4.3: the signer signs only CertificateVerify of its end =*/
	if (is_certificate_verify(tbs, end))
		return LK_OK;
	/*= RFC8422 5.4: the signer signs ServerKeyExchange of a named curve =*/
	LK_REQUIRE(end == LK_TLS_SERVER && is_server_key_exchange(tbs), e, LK_R_TLS_TBS,
		"these %zu bytes are not what a TLS %s signs", tbs.n,
		end == LK_TLS_SERVER ? "server" : "client");
	return LK_OK;
}
