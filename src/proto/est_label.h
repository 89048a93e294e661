/* SPDX-License-Identifier: Apache-2.0
 *
 * The labels at which plain EST is open (RFC 7030 3.2.2), as an operator writes
 * them: each with its ways in. What is not named here is shut.
 *
 *	plant code, printers code tls12, field idevid
 */
#pragma once

#include "base/slice.h"

#define LK_EST_LABEL_MAX  64 /* characters of a label and its NUL */
#define LK_EST_LABELS_MAX 16

struct lk_est_label {
	char name[LK_EST_LABEL_MAX];
	bool code;   /* an operator's one-time code lets a client in */
	bool idevid; /* so does the certificate of a trusted manufacturer */
	bool tls12;  /* its clients may speak TLS 1.2 */
};

struct lk_est_labels {
	struct lk_est_label v[LK_EST_LABELS_MAX];
	size_t n;
};

/* LK_R_EST_LABELS: a word that is none of these, a label twice, one without a way in, one that is
 * called as an operation of EST is. */
LK_RESULT lk_est_labels_parse(const char *text, struct lk_est_labels *ret, struct lk_err *e);
/* NULL: it is shut. */
const struct lk_est_label *lk_est_label_find(const struct lk_est_labels *l, const char *name);
bool lk_est_labels_want_tls12(const struct lk_est_labels *l);
