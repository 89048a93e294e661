/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a device keeps who it is. Below its state folder:
 *
 *	bootstrap/	idevid.pem (its own certificate first), idevid.key or idevid.uri (one
 *			line, a URI of crypto/key.h), anchors.pem: built in by the
 *			manufacturer, never written here
 *	onboarding/	what one network gave it: ldevid.pem, ca.pem, domain.pem, radius.pem,
 *			voucher.cms, onboarding-information.cms, key (one line, a URI;
 *			"file:ldevid.key" lies beside it)
 *	onboarding.new/	the same while it is being written, and while it is being removed
 *	run/		what the supplicant and others are told of it while the agent runs
 *
 * onboarding/ comes and goes by one rename, so power may fail at any point: the
 * device is onboarded or it is not, never half. What is left in onboarding.new/
 * is destroyed by the next lock.
 *
 * Who changes anything has the lock, so that no two programs make or destroy a
 * key of this device at the same time.
 */
#pragma once

#include <limits.h>

#include "base/random.h"
#include "proto/pledge.h"

#define LK_RADIUS_ANCHOR_FILE "onboarding/radius.pem"
#define LK_LDEVID_FILE        "onboarding/ldevid.pem"

struct lk_credentials {
	char dir[PATH_MAX];
	const struct lk_random *random; /* names for keys in tokens; borrowed */
	struct lk_certs idevid;
	struct lk_key *idevid_key;
	char idevid_uri[LK_KEY_URI_MAX + 1];
	struct lk_anchors *manufacturer;
};

/* Reads bootstrap/. Caller releases ret. LK_R_AGENT_BOOTSTRAP, LK_R_KEY_MISMATCH and the reasons of
 * reading keys. */
LK_RESULT lk_credentials_open(const char *dir, const struct lk_random *random,
	struct lk_credentials *ret, struct lk_err *e);
void lk_credentials_done(struct lk_credentials *c); /* cleanup function too */

/* Before anything is changed; removes what a power cut left. The lock is free when *ret_lock is
 * closed. LK_R_BUSY while another program has it. */
LK_RESULT lk_credentials_lock(const struct lk_credentials *c, int *ret_lock, struct lk_err *e);

bool lk_credentials_onboarded(const struct lk_credentials *c);

/* Makes the LDevID's key at the kind of place where the IDevID's lives, in a new onboarding.new/.
 * Of the form that struct lk_pledge_settings wants; ctx is the struct lk_credentials. */
struct lk_result lk_credentials_new_key(void *ctx, struct lk_key **ret, struct lk_err *e);
/* Writes the rest beside the key and makes it onboarding/. Durable on return. LK_R_KEY_MISMATCH and
 * LK_R_ONBOARDING_* for what could not be loaded again: nothing has changed then. */
LK_RESULT lk_credentials_commit(
	const struct lk_credentials *c, const struct lk_pledge_credentials *got, struct lk_err *e);
/* Back to what the manufacturer made: the LDevID's key is destroyed, run/ removed. */
LK_RESULT lk_credentials_reset(const struct lk_credentials *c, struct lk_err *e);

struct lk_onboarded {
	struct lk_key *key;
	char key_uri[LK_KEY_URI_MAX + 1];
	struct lk_certs ldevid;           /* its own certificate */
	struct lk_certs ca;               /* of the domain, untrusted by themselves */
	struct lk_certs pinned;           /* the domain's anchor, one */
	struct lk_anchors *domain;        /* the same, prepared */
	struct lk_buf voucher;            /* CMS */
	struct lk_buf information;        /* CMS */
	struct lk_onboarding *onboarding; /* parsed, checked against the anchor again */
};

/* key: the LDevID's where it is open already, shared; NULL: it is opened. LK_R_AGENT_NOT_ONBOARDED,
 * LK_R_AGENT_STATE. Caller releases ret. */
LK_RESULT lk_onboarded_load(const struct lk_credentials *c, struct lk_key *key,
	struct lk_onboarded *ret, struct lk_err *e);
void lk_onboarded_done(struct lk_onboarded *o); /* cleanup function too */
