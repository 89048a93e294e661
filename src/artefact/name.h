/* SPDX-License-Identifier: Apache-2.0
 *
 * The names in certificates and requests, read in place: attributes of a subject
 * (RFC 5280 4.1.2.4) and names of a subjectAltName (4.2.1.6). Bounded, borrowed.
 */
#pragma once

#include "crypto/der.h"
#include "crypto/x509.h"

#define LK_NAMES_MAX 8 /* attributes of a subject */
#define LK_SANS_MAX  8 /* names in a subjectAltName */

struct lk_name {
	struct lk_slice oid;   /* attribute type */
	struct lk_slice value; /* UTF-8 */
};

struct lk_names {
	struct lk_name v[LK_NAMES_MAX];
	size_t n;
};

enum lk_san_tag { /* GeneralName's */
	LK_SAN_OTHER = LK_DER_EXPLICIT + 0,
	LK_SAN_MAIL = LK_DER_IMPLICIT + 1,
	LK_SAN_DNS = LK_DER_IMPLICIT + 2,
	LK_SAN_URI = LK_DER_IMPLICIT + 6,
	LK_SAN_IP = LK_DER_IMPLICIT + 7
};

struct lk_san {
	unsigned tag;          /* LK_SAN_URI …; others occur */
	struct lk_slice value; /* its octets; of the first three text in ASCII */
};

struct lk_sans {
	struct lk_san v[LK_SANS_MAX];
	size_t n;
};

/* A string of type UTF8String, PrintableString or IA5String without control characters. The old
 * types of X.500 (T61, BMP, …) are not taken: RFC 5280 4.1.2.4 asks for the first two. */
LK_RESULT lk_text_read(struct lk_der *d, struct lk_slice *ret, struct lk_err *e);
/* A Name: its attributes one after the other. */
LK_RESULT lk_names_read(struct lk_der *d, struct lk_names *ret, struct lk_err *e);
/* A GeneralNames. */
LK_RESULT lk_sans_read(struct lk_der *d, struct lk_sans *ret, struct lk_err *e);

/* Those of a certificate; borrowed from it. LK_R_CERT_SYNTAX. */
LK_RESULT lk_names_of(const struct lk_cert *cert, struct lk_names *ret, struct lk_err *e);
LK_RESULT lk_sans_of(const struct lk_cert *cert, struct lk_sans *ret, struct lk_err *e);
/* Its subject, a DER Name; borrowed. */
LK_RESULT lk_subject_of(const struct lk_cert *cert, struct lk_slice *ret, struct lk_err *e);
/* extnValue of its subjectAltName; borrowed; n is 0: none. */
struct lk_slice lk_san_ext_of(const struct lk_cert *cert);

bool lk_names_contain(const struct lk_names *names, const struct lk_name *name);
bool lk_sans_contain(const struct lk_sans *sans, const struct lk_san *san);
