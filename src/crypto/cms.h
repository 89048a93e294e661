/* SPDX-License-Identifier: Apache-2.0
 *
 * CMS SignedData (RFC 5652) with one signer and its content inside: the envelope
 * of vouchers (RFC 8366 5.4), conveyed information and our own signed records.
 */
#pragma once

#include "crypto/key.h"
#include "crypto/x509.h"

#define LK_CMS_MAX (64 * 1024) /* bytes of one object; a registrar's request holds a pledge's */

enum lk_cms_type {
	LK_CMS_DATA,               /* id-data: what every published voucher carries */
	LK_CMS_ANIMA_JSON_VOUCHER, /* id-ct-animaJSONVoucher, RFC 8366 5.4 */
	LK_CMS_SZTP_JSON,          /* id-ct-sztpConveyedInfoJSON, RFC 8572 */
	LK_CMS_TYPE_COUNT
};

struct lk_cms; /* opaque */

/* Syntax: ContentInfo of SignedData, DER to the last byte, one of the content types above, the
 * content present, exactly one SignerInfo with signed attributes and algorithms that fit together.
 * Nothing is verified. */
LK_RESULT lk_cms_parse(struct lk_slice der, struct lk_cms **ret, struct lk_err *e);
struct lk_cms *lk_cms_free(struct lk_cms *c);
LK_DEFINE_CLEANUP(struct lk_cms *, lk_cms_free);

enum lk_cms_type lk_cms_type(const struct lk_cms *c);
struct lk_slice lk_cms_content(const struct lk_cms *c);      /* borrowed until free */
const struct lk_certs *lk_cms_certs(const struct lk_cms *c); /* borrowed; as enclosed */
/* The enclosed certificate that the SignerInfo names; NULL when it is not enclosed. Borrowed. */
struct lk_cert *lk_cms_signer(const struct lk_cms *c);

/* Whether the SignerInfo names this certificate, by issuer and serial number or key identifier. */
bool lk_cms_names_signer(const struct lk_cms *c, const struct lk_cert *cert);

/* Whether `signer`'s key made the signature over the content. Says nothing about trust in it. */
LK_RESULT lk_cms_verify(const struct lk_cms *c, const struct lk_cert *signer, struct lk_err *e);

/* Signs content at `now` (Unix seconds; signingTime of RFC 5652 11.3, which nobody here believes);
 * encloses `certs` (the signer's own first). Appends DER to out. */
LK_RESULT lk_cms_sign(enum lk_cms_type type, struct lk_slice content, int64_t now,
	const struct lk_key *key, const struct lk_certs *certs, struct lk_buf *out,
	struct lk_err *e);
