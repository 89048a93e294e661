/* SPDX-License-Identifier: Apache-2.0
 *
 * The signer: all private keys of a program, and a short list of things that it
 * signs with them (ipc/signer.def). It takes fields, never digests: what comes
 * out is an artefact that it made itself, and each key serves its own purposes
 * only. Sans-I/O; the role's main moves the messages.
 */
#pragma once

#include "artefact/cert_profile.h"
#include "artefact/onboarding_information.h"
#include "ipc/body.h"
#include "ipc/messages.h"

struct lk_signer; /* opaque */

struct lk_signer_identity {
	struct lk_key *key;    /* NULL: this program has no such key */
	struct lk_certs chain; /* its certificate first */
};

struct lk_signer_settings {
	struct lk_signer_identity identity[LK_SIGNER_KEY_COUNT]; /* taken over */
	/* What every device of the network is told; what differs comes with the request. Borrowed;
	 * NULL: this program has no network. */
	const struct lk_onboarding_leaves *onboarding;
	/* Where revocation lists are published ("http://crl.example:8080"): certificates name it.
	 * "": nowhere. */
	char publish_url[LK_CERT_NAME_MAX];
	char node[65]; /* for checkpoints */
	char site[65];
};

void lk_signer_settings_done(struct lk_signer_settings *s); /* frees the identities */
/* Consumes settings->identity, whatever the result: none is left there. */
LK_RESULT lk_signer_new(
	struct lk_signer_settings *settings, struct lk_signer **ret, struct lk_err *e);
struct lk_signer *lk_signer_free(struct lk_signer *s);
LK_DEFINE_CLEANUP(struct lk_signer *, lk_signer_free);

/* A certificate of the key that is there was renewed: what is signed from now on names it. Copied.
 */
LK_RESULT lk_signer_renew(struct lk_signer *s, enum lk_signer_key which,
	const struct lk_certs *chain, struct lk_err *e);

/* Signs one request, or says why not: LK_R_SIGNER_UNASKED (who may not ask, or the thing is not on
 * the list), LK_R_SIGNER_EVENT (no event recorded it), LK_R_SIGNER_KEY. Appends to out what a
 * `signed` body carries. */
LK_RESULT lk_signer_sign(struct lk_signer *s, enum lk_role asker, enum lk_body type,
	const void *body, struct lk_buf *out, struct lk_err *e);
