/* SPDX-License-Identifier: Apache-2.0
 *
 * Inspectors: one row an artefact, which knows its kind by its bytes and holds it
 * against the same functions that the daemons and the agent call. inspect.c reads
 * files and prints; inspectors.c does neither.
 */
#pragma once

#include "crypto/x509.h"

#define LK_INSPECT_CHECKS_MAX 12
#define LK_INSPECT_FIELDS_MAX (16 * 1024 * 1024)

/* What the operator gave; what is NULL was not given. */
struct lk_inspect_want {
	const struct lk_anchors *anchors;    /* --anchor */
	const struct lk_certs *anchor_certs; /* the same, one by one */
	const struct lk_cert *idevid;        /* --idevid */
	const char *nonce;                   /* --nonce */
	const struct lk_certs *registrar;    /* --registrar: its TLS chain, end-entity first */
	int64_t now;                         /* --at, else the wall clock */
};

enum lk_verdict {
	LK_VERDICT_REFUSED,
	LK_VERDICT_UNVERIFIED, /* nothing speaks against it; without an anchor nothing speaks for it
				*/
	LK_VERDICT_WELL_FORMED, /* of a kind that nobody signs */
	LK_VERDICT_VALID,
	LK_VERDICT_COUNT
};

struct lk_inspection {
	const char *kind;     /* "voucher" */
	struct lk_buf fields; /* lines "name: value"; owned */
	const char *checked[LK_INSPECT_CHECKS_MAX];
	size_t n_checked;
	struct {
		const char *check;
		const char *missing; /* the option that would have allowed it */
	} skipped[LK_INSPECT_CHECKS_MAX];
	size_t n_skipped;
	enum lk_verdict verdict;
	struct lk_err refusal; /* of LK_VERDICT_REFUSED */
};

/* What is of no kind is "unknown" and refused with LK_R_INSPECT_KIND. */
void lk_inspect(struct lk_slice in, const struct lk_inspect_want *want, struct lk_inspection *ret);
void lk_inspection_done(struct lk_inspection *i);
