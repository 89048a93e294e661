/* SPDX-License-Identifier: Apache-2.0
 *
 * Between cert_profile.c, which has the table and holds certificates against it,
 * and cert_issue.c, which makes certificates from it. Nobody else includes this.
 */
#pragma once

#include "artefact/cert_profile.h"
#include "crypto/der.h"

#define LK_ROW_NOT_CA   (-1)
#define LK_ROW_NEVER    (-1)
#define LK_ROW_EKUS_MAX 3

/* Bits of keyUsage, by their number in RFC 5280 4.2.1.3. */
enum lk_row_usage {
	LK_USAGE_SIGN = 1 << 0,
	LK_USAGE_KEY_ENCIPHERMENT = 1 << 2,
	LK_USAGE_KEY_AGREEMENT = 1 << 4,
	LK_USAGE_CERT_SIGN = 1 << 5,
	LK_USAGE_CRL_SIGN = 1 << 6
};

/* Names in subjectAltName. */
enum lk_row_san {
	LK_ROW_DNS = 1 << 0,
	LK_ROW_IP = 1 << 1,
	LK_ROW_URI = 1 << 2,
	LK_ROW_HARDWARE = 1 << 3,
	LK_ROW_OTHER_NAME = 1 << 4
};

/* Extensions that some certificates have and others have not. */
enum lk_row_extra {
	LK_ROW_MASA = 1 << 0,
	LK_ROW_MUD = 1 << 1,
	LK_ROW_MUD_SIGNER = 1 << 2,
	LK_ROW_CRL = 1 << 3
};

/* Attributes of the subject, in the order in which they stand there: bit i is the i-th. */
#define LK_ROW_ATTRIBUTES 4
struct lk_row_attribute {
	const char *name;
	enum lk_oid id;
	size_t offset; /* in struct lk_cert_spec */
	unsigned tag;  /* of its value */
	size_t max;    /* octets */
};
extern const struct lk_row_attribute lk_row_attributes[LK_ROW_ATTRIBUTES];

struct lk_row_bits {
	unsigned must;
	unsigned may; /* besides */
};

struct lk_profile_row {
	const char *name;
	const char *what;
	int path_len; /* of a CA; LK_ROW_NOT_CA */
	struct lk_row_bits usage;
	enum lk_oid eku[LK_ROW_EKUS_MAX + 1]; /* all of them and no other; ended by 0 */
	struct lk_row_bits subject;
	struct lk_row_bits san;
	struct lk_row_bits extra;
	unsigned keys; /* bit per enum lk_key_type */
	int days;      /* usual life; LK_ROW_NEVER: until 99991231235959Z, always */
	int most;      /* longest life */
	bool foreign;  /* somebody else's practice: other purposes, names and lives are taken */
};
extern const struct lk_profile_row lk_profile_rows[LK_PROFILE_COUNT];

/* What a row is held against, whether it comes from a certificate or is to become one. */
struct lk_row_facts {
	unsigned subject;
	unsigned san;
	unsigned extra;
	int64_t not_before;
	int64_t not_after;
	struct lk_slice spki;
};

LK_RESULT lk_row_check(
	const struct lk_profile_row *row, const struct lk_row_facts *f, struct lk_err *e);
