/* SPDX-License-Identifier: Apache-2.0
 *
 * CSR attributes (RFC 7030 4.5.2 as replaced by RFC 8951 4): what an EST server
 * wants to see in a certification request. BRSKI makes asking for them, and
 * answering as asked, a duty (RFC 8995 5.9.2).
 *
 * What our registrar asks, each in the simplest form that the RFC has for it:
 *
 *	key algorithm	attribute id-ecPublicKey { secp256r1 … }, id-Ed25519 (OID),
 *			attribute rsaEncryption { 3072 }
 *	signature	OID: ecdsa-with-SHA256 …
 *	serial number	OID: id-at-serialNumber, to stand in the subject
 *	local identity	attribute extensionRequest { Extensions { subjectAltName } },
 *			the value ready to be copied, as RFC 8994 6.2.2 has it conveyed
 *	linking		OID: challengePassword (RFC 7030 3.5)
 *
 * Pure: no clock, no log, no file.
 */
#pragma once

#include "crypto/der.h"
#include "crypto/x509.h"

#define LK_CSRATTRS_MAX 4096 /* octets of the DER */

/* Several keys or signatures: one of them. */
struct lk_csrattrs {
	unsigned keys;                  /* bit per enum lk_key_type; 0: any */
	unsigned signatures;            /* bit per enum lk_key_type whose digest it has; 0: any */
	bool serial_number;             /* X520SerialNumber in the subject */
	bool challenge_password;        /* links the request to its TLS session */
	char san_uri[LK_CERT_NAME_MAX]; /* in subjectAltName; "": none is asked for */
};

/* DER. What is not known is ignored, as RFC 8951 4 says; a key algorithm of which we can make no
 * form is not, it would be asked for in vain: LK_R_CSRATTRS_KEY. Else LK_R_CSRATTRS_SYNTAX. */
LK_RESULT lk_csrattrs_parse(struct lk_slice der, struct lk_csrattrs *ret, struct lk_err *e);
/* Appends DER to out. */
LK_RESULT lk_csrattrs_build(const struct lk_csrattrs *a, struct lk_buf *out, struct lk_err *e);
/* One line an attribute. Appends to out. */
LK_RESULT lk_csrattrs_print(const struct lk_csrattrs *a, struct lk_buf *out, struct lk_err *e);
