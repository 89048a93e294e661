/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log of a device (RFC 8995 5.8.1): who got vouchers for it, as its MASA
 * remembers. JSON, written by the MASA, read and judged by the registrar.
 *
 *	lk_audit_log_parse	bytes -> struct; numbers as the CDDL has them, or as strings as
 *				the RFC's own example prints them
 *	lk_audit_log_judge	by a registrar: is there anybody but us, or a nonceless voucher
 *	lk_audit_log_add	by a MASA: entry after entry, the newest first; abridged when full
 *	lk_audit_log_build	entries -> JSON, numbers as numbers
 *
 * Pure: no clock, no log, no file.
 */
#pragma once

#include "artefact/json.h"
#include "crypto/x509.h"

#define LK_AUDIT_LOG_MAX       (60 * 1024) /* bytes: what one message between roles carries */
#define LK_AUDIT_EVENTS_MAX    256         /* entries that are read or written */
#define LK_AUDIT_DOMAIN_ID_MAX 89          /* base64 of a key identifier, and its NUL */
#define LK_AUDIT_TRUNCATED_MAX 1024        /* RFC 8995 5.8.1: counts are capped there */

struct lk_audit_event {
	uint32_t present;
	int64_t date;                           /* Unix seconds */
	char domain_id[LK_AUDIT_DOMAIN_ID_MAX]; /* base64 as it stands */
	char nonce[129];                        /* "" is JSON's null: a nonceless voucher */
	char assertion[16];                     /* verified, logged or proximity */
	uint64_t truncated;                     /* entries like this one that were left out */
	bool repeats; /* of lk_audit_log_add(): a newer entry of this domain is there, which has a
			 nonce where this one has, and none where it has none */
};

struct lk_audit_log {
	struct lk_audit_event *events; /* in the order of the log; owned */
	size_t n_events;
	uint64_t nonced, nonceless, arbitrary; /* truncation counts */
};

/* Caller frees. LK_R_JSON_*, LK_R_AUDIT_LOG. */
LK_RESULT lk_audit_log_parse(struct lk_slice text, struct lk_audit_log **ret, struct lk_err *e);
struct lk_audit_log *lk_audit_log_free(struct lk_audit_log *l);
LK_DEFINE_CLEANUP(struct lk_audit_log *, lk_audit_log_free);

/* RFC 8995 5.8.3: refuses with LK_R_AUDIT_DOMAIN when a voucher went to a domain of which no
 * certificate is in `ours`, with LK_R_AUDIT_NONCELESS for one without nonce, also to us, and with
 * LK_R_AUDIT_ABRIDGED a log that may hide either. */
LK_RESULT lk_audit_log_judge(
	const struct lk_audit_log *l, const struct lk_certs *ours, struct lk_err *e);

/* Room for LK_AUDIT_EVENTS_MAX entries. Caller frees. */
LK_RESULT lk_audit_log_new(struct lk_audit_log **ret, struct lk_err *e);
/* Adds an entry that is no newer than those that are there. A full log gives up what repeats a newer
 * entry, the oldest first, and counts it; so the newest nonced and the newest nonceless entry of
 * each domain stay, as long as these alone find room. */
void lk_audit_log_add(struct lk_audit_log *l, const struct lk_audit_event *ev);
/* Leaves out one entry, by the same rule; of those that repeat nothing the oldest, as "arbitrary".
 * Asks for at least one. */
void lk_audit_log_leave_out(struct lk_audit_log *l);
/* Appends to out. */
LK_RESULT lk_audit_log_build(const struct lk_audit_log *l, struct lk_buf *out, struct lk_err *e);
/* Lines of "name: value". Appends to out. */
LK_RESULT lk_audit_log_print(const struct lk_audit_log *l, struct lk_buf *out, struct lk_err *e);
