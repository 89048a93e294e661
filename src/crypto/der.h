/* SPDX-License-Identifier: Apache-2.0
 *
 * DER (ITU-T X.690) read and written, for the few structures that OpenSSL decodes
 * slowly or not at all: the outside of CMS, certification requests, CSR attributes,
 * revocation lists, and the certificates that we issue. Only what DER allows is read: minimal
 * definite lengths of at most four octets, tags of one octet.
 *
 * The reader takes one element after the other off the front of `left`; every get
 * must be checked, and the end as well. The writer remembers its first failure
 * and tells it in lk_der_finish(), so that a structure is written as it reads:
 *
 *	struct lk_der_writer w = lk_der_to(&out);
 *	lk_der_open(&w, LK_DER_SEQUENCE);
 *		lk_der_oid(&w, LK_ID_AT_COMMON_NAME);
 *		lk_der_put(&w, LK_DER_UTF8, name);
 *	lk_der_close(&w);
 *	LK_TRY(lk_der_finish(&w, e));
 */
#pragma once

#include "crypto/oid.h"
#include "base/time.h"

enum lk_der_tag {
	LK_DER_BOOLEAN = 0x01,
	LK_DER_INTEGER = 0x02,
	LK_DER_BITS = 0x03,
	LK_DER_OCTETS = 0x04,
	LK_DER_NULL = 0x05,
	LK_DER_OID = 0x06,
	LK_DER_ENUMERATED = 0x0a,
	LK_DER_UTF8 = 0x0c,
	LK_DER_PRINTABLE = 0x13,
	LK_DER_IA5 = 0x16,
	LK_DER_UTC_TIME = 0x17,
	LK_DER_GENERALIZED_TIME = 0x18,
	LK_DER_SEQUENCE = 0x30,
	LK_DER_SET = 0x31,
	LK_DER_IMPLICIT = 0x80, /* + number: context-specific, primitive */
	LK_DER_EXPLICIT = 0xa0  /* + number: context-specific, constructed */
};

struct lk_der {
	struct lk_slice left;  /* what is still to be read; borrowed */
	const char *what;      /* "the request": names the structure in messages */
	enum lk_reason reason; /* of everything that is malformed */
};

bool lk_der_at_end(const struct lk_der *d);
/* Whether an element with this tag comes next. */
bool lk_der_next_is(const struct lk_der *d, unsigned tag);

/* The contents of the next element, which has this tag; borrowed. */
LK_RESULT lk_der_get(struct lk_der *d, unsigned tag, struct lk_slice *ret, struct lk_err *e);
/* The next element whole, tag and length included, whatever its tag; borrowed. */
LK_RESULT lk_der_get_any(struct lk_der *d, struct lk_slice *ret, struct lk_err *e);
/* As lk_der_get(), yielding a reader of the contents. */
LK_RESULT lk_der_enter(struct lk_der *d, unsigned tag, struct lk_der *ret, struct lk_err *e);
/* UTCTime or GeneralizedTime in the forms of RFC 5280 4.1.2.5. */
LK_RESULT lk_der_get_time(struct lk_der *d, int64_t *ret, struct lk_err *e);
/* Magnitude of an INTEGER that is not negative, without leading zero octets; borrowed. */
LK_RESULT lk_der_get_unsigned(struct lk_der *d, struct lk_slice *ret, struct lk_err *e);
LK_RESULT lk_der_get_bool(struct lk_der *d, bool *ret, struct lk_err *e);
/* A BIT STRING of whole octets; borrowed. */
LK_RESULT lk_der_get_bits(struct lk_der *d, struct lk_slice *ret, struct lk_err *e);
/* Whether these are the characters of such a string, none of them a control character: UTF8,
 * PRINTABLE or IA5; false for other tags. */
bool lk_der_is_text(unsigned tag, struct lk_slice contents);
/* Nothing may be left. */
LK_RESULT lk_der_end(const struct lk_der *d, struct lk_err *e);

struct lk_extension {
	struct lk_slice oid; /* contents octets; borrowed */
	bool critical;
	struct lk_slice value; /* extnValue's octets; borrowed */
};

/* One Extension (RFC 5280 4.1). */
LK_RESULT lk_der_get_extension(struct lk_der *d, struct lk_extension *ret, struct lk_err *e);

#define LK_EXTENSIONS_MAX 16 /* in one list that somebody else wrote */

struct lk_extensions {
	struct lk_extension v[LK_EXTENSIONS_MAX];
	size_t n;
};

/* One extension after the other to the end of d, all different. More than fit: LK_R_TOO_LARGE. */
LK_RESULT lk_der_get_extensions(struct lk_der *d, struct lk_extensions *ret, struct lk_err *e);

#define LK_DER_DEPTH_MAX 12

struct lk_der_writer {
	struct lk_buf *out;            /* appended to; its content is of no use after a failure */
	struct lk_err err;             /* the first failure */
	size_t open[LK_DER_DEPTH_MAX]; /* where the contents of what is open begin */
	unsigned depth;
	bool failed;
};

struct lk_der_writer lk_der_to(struct lk_buf *out);
void lk_der_open(struct lk_der_writer *w, unsigned tag);
void lk_der_close(struct lk_der_writer *w); /* the one opened last */
void lk_der_put(struct lk_der_writer *w, unsigned tag, struct lk_slice contents);
void lk_der_raw(struct lk_der_writer *w, struct lk_slice element); /* encoded already */
void lk_der_oid(struct lk_der_writer *w, enum lk_oid id);
void lk_der_true(struct lk_der_writer *w);
/* Magnitude, most significant octet first; leading zeroes are dropped. */
void lk_der_unsigned(struct lk_der_writer *w, struct lk_slice magnitude);
void lk_der_u64(struct lk_der_writer *w, uint64_t v);
/* UTCTime until 2049, GeneralizedTime from 2050 on: RFC 5280 4.1.2.5. */
void lk_der_time(struct lk_der_writer *w, int64_t t);
void lk_der_bits(struct lk_der_writer *w, struct lk_slice octets);
/* A named bit list (X.690 11.2.2) whose bit 0 is the lowest of `bits`; up to 8 bits. */
void lk_der_flags(struct lk_der_writer *w, unsigned bits);
/* Begins an Extension's extnValue; two closes end it. */
void lk_der_open_extension(struct lk_der_writer *w, enum lk_oid id, bool critical);
LK_RESULT lk_der_finish(struct lk_der_writer *w, struct lk_err *e);
