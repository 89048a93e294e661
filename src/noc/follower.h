/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificates of registrar and aaa are renewed by themselves: who uses one asks the
 * keeper now and then whether there is a newer one, and takes it without a restart. Each
 * judges for itself: the same key, below the same root, of today.
 */
#pragma once

#include "crypto/x509.h"
#include "role/process.h"
#include "role/own_servers.h"

struct lk_follower; /* opaque */

/* The chain is the caller's to copy. What it cannot take it is shown again. */
typedef struct lk_result lk_renewed_fn(void *ctx, const struct lk_certs *chain, struct lk_err *e);

/* now: the chain that is in use; copied. */
LK_RESULT lk_follower_new(struct lk_process *p, enum lk_own_server which,
	const struct lk_certs *now, lk_renewed_fn *renewed, void *ctx, struct lk_follower **ret,
	struct lk_err *e);
struct lk_follower *lk_follower_free(struct lk_follower *f);
LK_DEFINE_CLEANUP(struct lk_follower *, lk_follower_free);

/* Whether `chain` takes the place of `now`: LK_R_KEY_MISMATCH, LK_R_CERT_CHAIN, LK_R_CERT_TIME. */
LK_RESULT lk_follower_check(
	const struct lk_certs *now, const struct lk_certs *chain, int64_t at, struct lk_err *e);
