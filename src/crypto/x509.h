/* SPDX-License-Identifier: Apache-2.0
 *
 * X.509 certificates (RFC 5280) as read-only values, lists of them, and the
 * one function that says whether a certificate chains to an anchor.
 */
#pragma once

#include <openssl/types.h>

#include "base/slice.h"
#include "base/time.h"
#include "crypto/key.h"

#define LK_CERT_DER_MAX    (8 * 1024) /* bytes of one certificate */
#define LK_CERTS_MAX       16         /* certificates in one list that a peer sends */
#define LK_CERT_SERIAL_MAX 20         /* octets, RFC 5280 4.1.2.2 */
#define LK_CERT_NAME_MAX   256        /* characters of one name attribute or URL */
#define LK_CERT_KEY_ID_MAX 64         /* octets of a key identifier */

#define LK_OID_COMMON_NAME     "2.5.4.3"
#define LK_OID_SERIAL_NUMBER   "2.5.4.5" /* X520SerialNumber, RFC 5280 A.1 */
#define LK_OID_EKU_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define LK_OID_EKU_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define LK_OID_EKU_CMC_RA      "1.3.6.1.5.5.7.3.28" /* id-kp-cmcRA, RFC 6402 */
#define LK_OID_PE_MUD_URL      "1.3.6.1.5.5.7.1.25" /* id-pe-mud-url, RFC 8520 */
#define LK_OID_PE_MUD_SIGNER   "1.3.6.1.5.5.7.1.30" /* id-pe-mudsigner, RFC 8520 */
#define LK_OID_PE_MASA_URL     "1.3.6.1.5.5.7.1.32" /* id-pe-masa-url, RFC 8995 2.3.2 */

struct lk_cert; /* opaque, immutable, reference counted */

/* One DER certificate and nothing behind it. Caller frees. */
LK_RESULT lk_cert_parse(struct lk_slice der, struct lk_cert **ret, struct lk_err *e);
/* For a process of one thread that meets the same certificates again: lk_cert_parse() keeps the n
 * (some KiB each) that it decoded last and gives them out by their bytes, lk_chain_verify() keeps n
 * paths that it verified. 0, as at the start, keeps none. */
LK_RESULT lk_cert_remember(size_t n, struct lk_err *e);
/* Takes a reference on an X509 that OpenSSL owns. Caller frees. */
LK_RESULT lk_cert_from_x509(X509 *x, struct lk_cert **ret, struct lk_err *e);
struct lk_cert *lk_cert_ref(struct lk_cert *c);
struct lk_cert *lk_cert_free(struct lk_cert *c);
LK_DEFINE_CLEANUP(struct lk_cert *, lk_cert_free);

X509 *lk_cert_x509(const struct lk_cert *c);           /* borrowed */
struct lk_slice lk_cert_der(const struct lk_cert *c);  /* borrowed, as received */
struct lk_slice lk_cert_spki(const struct lk_cert *c); /* DER SubjectPublicKeyInfo; borrowed */
/* Borrowed: subjectKeyIdentifier's octets; n is 0 when absent. */
struct lk_slice lk_cert_ski(const struct lk_cert *c);
/* Borrowed: keyIdentifier of authorityKeyIdentifier; n is 0 when absent. */
struct lk_slice lk_cert_aki(const struct lk_cert *c);
/* Borrowed: authorityKeyIdentifier's whole extnValue (a DER SEQUENCE), RFC 8366 idevid-issuer. */
struct lk_slice lk_cert_aki_ext(const struct lk_cert *c);
/* The certificate's serial as lower-case hexadecimal, no leading zero octets. */
void lk_cert_serial(const struct lk_cert *c, char dst[static 2 * LK_CERT_SERIAL_MAX + 1]);
int64_t lk_cert_not_before(const struct lk_cert *c);
int64_t lk_cert_not_after(const struct lk_cert *c); /* LK_TIME_NEVER for 99991231235959Z */
unsigned lk_cert_key_bits(const struct lk_cert *c); /* of the public key; 0 when it is not known */
bool lk_cert_is_ca(const struct lk_cert *c);
bool lk_cert_is_self_signed(const struct lk_cert *c); /* by name and key id; not verified */
bool lk_cert_has_eku(const struct lk_cert *c, const char *oid);
bool lk_cert_has_any_eku(const struct lk_cert *c);
bool lk_cert_eq(const struct lk_cert *a, const struct lk_cert *b);
bool lk_cert_same_key(const struct lk_cert *a, const struct lk_cert *b);

/* First attribute of the subject with this dotted OID ("2.5.4.5" is X520SerialNumber), as UTF-8.
 * dst is "" when there is none. */
void lk_cert_subject(const struct lk_cert *c, const char *oid, char dst[static LK_CERT_NAME_MAX]);
/* First dNSName of subjectAltName; dst is "" when there is none. LK_R_CERT_PROFILE: it is no name.
 */
LK_RESULT lk_cert_san_dns(
	const struct lk_cert *c, char dst[static LK_CERT_NAME_MAX], struct lk_err *e);
/* First iPAddress of subjectAltName; its octets, 0: there is none. */
#define LK_CERT_IP_MAX 16
size_t lk_cert_san_ip(const struct lk_cert *c, uint8_t dst[static LK_CERT_IP_MAX]);
/* An IA5String extension (id-pe-masa-url, id-pe-mud-url). dst is "" when absent. Malformed or too
 * long: LK_R_CERT_PROFILE. */
LK_RESULT lk_cert_url(const struct lk_cert *c, const char *oid, char dst[static LK_CERT_NAME_MAX],
	struct lk_err *e);
/* "CN=…, O=…" of subject or issuer in RFC 2253 form, cut at cap. */
void lk_cert_subject_text(const struct lk_cert *c, char *dst, size_t cap);
void lk_cert_issuer_text(const struct lk_cert *c, char *dst, size_t cap);
/* SHA-256 of the DER in hexadecimal. */
void lk_cert_fingerprint(const struct lk_cert *c, char dst[static 65]);
/* RFC 8995 5.8.2: subjectKeyIdentifier, else SHA-256 of the SPKI; appended to out, raw. */
LK_RESULT lk_cert_domain_id(const struct lk_cert *c, struct lk_buf *out, struct lk_err *e);

/* A list; the first of a chain is its end-entity. */
struct lk_certs {
	struct lk_cert *v[LK_CERTS_MAX]; /* owned references */
	size_t n;
};

LK_RESULT lk_certs_add(struct lk_certs *l, struct lk_cert *c, struct lk_err *e); /* takes a ref */
/* to, another list, lets go of what it had and shares what from has. */
void lk_certs_copy(const struct lk_certs *from, struct lk_certs *to);
void lk_certs_done(struct lk_certs *l);
/* All certificates of PEM text, or the one of a DER file. At least one. */
LK_RESULT lk_certs_parse_any(struct lk_slice in, struct lk_certs *ret, struct lk_err *e);
/* "<name>: <subject>, sha256 <fingerprint>" and a line feed. Appends to out. */
LK_RESULT lk_cert_print_line(
	const char *name, const struct lk_cert *c, struct lk_buf *out, struct lk_err *e);
LK_RESULT lk_cert_print_pem(const struct lk_cert *c, struct lk_buf *out, struct lk_err *e);
bool lk_certs_contain(const struct lk_certs *l, const struct lk_cert *c);

/* RFC 5652's degenerate SignedData ("certs-only"), RFC 7030 4.1.3. */
LK_RESULT lk_certs_parse_pkcs7(struct lk_slice der, struct lk_certs *ret, struct lk_err *e);
LK_RESULT lk_certs_print_pkcs7(const struct lk_certs *l, struct lk_buf *out, struct lk_err *e);

enum lk_chain_times {
	LK_TIMES_CHECK,       /* every certificate is valid now */
	LK_TIMES_IGNORE_LEAF, /* a manufacturer whose devices outlive their IDevID, RFC 8995 2.3 */
	LK_TIMES_IGNORE       /* a device without a trusted clock, RFC 8995 2.6.1 */
};

/* Trust anchors prepared once and used for many verifications. */
struct lk_anchors; /* opaque */
LK_RESULT lk_anchors_new(const struct lk_certs *anchors, struct lk_anchors **ret, struct lk_err *e);
struct lk_anchors *lk_anchors_free(struct lk_anchors *a);
LK_DEFINE_CLEANUP(struct lk_anchors *, lk_anchors_free);

/* RFC 5280 6.1: leaf chains over `untrusted` (may be NULL) to one of the anchors (which need not
 * be self-signed), by keys and signatures of the crypto policy. Purposes and names are the caller's
 * to check. A path that is remembered needs no `untrusted`. Refuses with LK_R_CERT_CHAIN,
 * LK_R_CERT_TIME or LK_R_CRYPTO_POLICY. */
LK_RESULT lk_chain_verify(const struct lk_anchors *anchors, const struct lk_cert *leaf,
	const struct lk_certs *untrusted, enum lk_chain_times times, int64_t now, struct lk_err *e);

/* leaf, its issuer among `from`, that one's issuer, and so on as far as it goes: by names and key
 * identifiers, nothing is verified. Caller releases ret. */
LK_RESULT lk_chain_order(
	struct lk_cert *leaf, const struct lk_certs *from, struct lk_certs *ret, struct lk_err *e);
