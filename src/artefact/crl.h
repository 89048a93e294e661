/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificate revocation lists (RFC 5280 section 5), one per issuing CA, complete
 * and direct. Written entry by entry, so that 100,000 of them never stand in
 * memory as objects; read in place for the same reason.
 *
 *	lk_crl_parse	bytes -> struct: syntax, every entry walked once
 *	lk_crl_check	signed by that CA, and of today
 *	lk_crl_find	whether a serial is on it
 *	lk_crl_begin, _add, _finish	the issuer's side
 *
 * Pure: no clock, no log, no file.
 */
#pragma once

#include "crypto/der.h"
#include "crypto/x509.h"

#define LK_CRL_MAX (8 * 1024 * 1024) /* octets: 100,000 entries take 5 MiB */

enum lk_crl_reason {            /* RFC 5280 5.3.1 */
	LK_CRL_UNSPECIFIED = 0, /* has no extension of its own */
	LK_CRL_KEY_COMPROMISE = 1,
	LK_CRL_CA_COMPROMISE = 2,
	LK_CRL_AFFILIATION_CHANGED = 3,
	LK_CRL_SUPERSEDED = 4,
	LK_CRL_CESSATION = 5,
	LK_CRL_HOLD = 6,
	LK_CRL_REMOVE = 8,
	LK_CRL_PRIVILEGE_WITHDRAWN = 9,
	LK_CRL_AA_COMPROMISE = 10,
	LK_CRL_REASON_COUNT
};
const char *lk_crl_reason_name(enum lk_crl_reason reason);  /* "keyCompromise", as in the RFC */
enum lk_crl_reason lk_crl_reason_by_name(const char *name); /* LK_CRL_REASON_COUNT: there is none */

struct lk_crl_entry {
	struct lk_slice serial; /* magnitude, no leading zero octets */
	int64_t revoked_at;     /* Unix seconds */
	enum lk_crl_reason reason;
};

/* Slices are borrowed from der. */
struct lk_crl {
	struct lk_buf der;         /* as received; owned */
	struct lk_slice info;      /* TBSCertList, which is what is signed */
	struct lk_slice issuer;    /* DER Name */
	struct lk_slice algorithm; /* DER AlgorithmIdentifier */
	struct lk_slice signature;
	int64_t this_update;
	int64_t next_update;
	struct lk_slice entries; /* revokedCertificates' contents; n is 0: none */
	size_t n_entries;
	uint64_t number;     /* CRL number, RFC 5280 5.2.3 */
	struct lk_slice aki; /* keyIdentifier; n is 0: none */
};

/* Caller frees. LK_R_CRL_SYNTAX; LK_R_CRL_EXTENSION for critical ones that we do not know. */
LK_RESULT lk_crl_parse(struct lk_slice der, struct lk_crl **ret, struct lk_err *e);
struct lk_crl *lk_crl_free(struct lk_crl *c);
LK_DEFINE_CLEANUP(struct lk_crl *, lk_crl_free);

/* LK_R_CRL_ISSUER, LK_R_CRL_SIGNATURE, LK_R_CRL_TIME; a number below `least` is an old list that
 * somebody kept: LK_R_CRL_NUMBER. */
LK_RESULT lk_crl_check(const struct lk_crl *c, const struct lk_cert *issuer, int64_t now,
	uint64_t least, struct lk_err *e);

/* First entry when *cursor is 0; false at the end. The list was parsed, so this cannot fail. */
bool lk_crl_next(const struct lk_crl *c, size_t *cursor, struct lk_crl_entry *ret);
/* Whether the serial (leading zeroes do not count) is on it; ret may be NULL. Takes one pass. */
bool lk_crl_find(const struct lk_crl *c, struct lk_slice serial, struct lk_crl_entry *ret);

/* A list in the making. */
struct lk_crl_builder {
	struct lk_buf info; /* TBSCertList so far; owned */
	struct lk_der_writer w;
	const struct lk_cert *issuer; /* borrowed until the end */
	const struct lk_key *key;     /* likewise */
	uint64_t number;
	bool any; /* an entry was added */
};

/* Release with lk_crl_builder_done(); it must not be moved in memory. */
LK_RESULT lk_crl_begin(struct lk_crl_builder *b, const struct lk_cert *issuer,
	const struct lk_key *key, uint64_t number, int64_t this_update, int64_t next_update,
	struct lk_err *e);
/* A list that grows too large is told by lk_crl_finish(). */
LK_RESULT lk_crl_add(struct lk_crl_builder *b, const struct lk_crl_entry *entry, struct lk_err *e);
/* Signs; appends DER to out. */
LK_RESULT lk_crl_finish(struct lk_crl_builder *b, struct lk_buf *out, struct lk_err *e);
void lk_crl_builder_done(struct lk_crl_builder *b); /* cleanup function, too */

/* Issuer, times, number, then a line an entry. Appends to out. */
LK_RESULT lk_crl_print(const struct lk_crl *c, struct lk_buf *out, struct lk_err *e);
