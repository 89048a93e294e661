/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkey-masa's keeper: whose device is it, and who gets a voucher for it
 * (RFC 8995 5.5 and 5.8, RFC 8366). It verifies what it decides on, writes store
 * and ledger, and holds no key.
 *
 *	voucher.c	registrars ask for vouchers	RFC 8995 5.5.1 to 5.6
 *	revocation.c	whose certificate was taken back	RFC 8995 5.5.3
 *	audit.c		registrars ask for audit logs	RFC 8995 5.8
 *	factory.c	the factory tells of devices and sales
 *
 * Owners are ids; a domain CA is an attribute of its owner. Until the asker has proved something,
 * everything about devices is one uniform 404.
 */
#pragma once

#include "artefact/cert_profile.h"
#include "artefact/crl.h"
#include "artefact/voucher_request.h"
#include "proto/endpoint.h"
#include "role/turn.h"

struct lk_masa_keeper;

enum lk_masa_pin { LK_PIN_FARTHEST, LK_PIN_REGISTRAR }; /* RFC 8995 5.5.2 */

struct lk_masa_settings {
	enum lk_masa_pin pin;
	int64_t nonceless_seconds; /* life of a voucher without nonce, at most */
	bool nonceless;            /* whether there are any */
};

/* All borrowed for the keeper's life. */
struct lk_masa_trust {
	const struct lk_certs *manufacturer; /* above IDevIDs and factory clients */
};

LK_RESULT lk_masa_keeper_new(const struct lk_masa_settings *settings,
	const struct lk_masa_trust *trust, const struct lk_turn_settings *turn,
	struct lk_masa_keeper **ret, struct lk_err *e);
struct lk_masa_keeper *lk_masa_keeper_free(struct lk_masa_keeper *k);
LK_DEFINE_CLEANUP(struct lk_masa_keeper *, lk_masa_keeper_free);

/* The revocation lists of owners' CAs that are held here. What none is about is not known to be
 * revoked. */
#define LK_MASA_CRLS_MAX 1024
struct lk_masa_crls {
	struct lk_crl *v[LK_MASA_CRLS_MAX];
	size_t n;
};
void lk_masa_crls_done(struct lk_masa_crls *l); /* cleanup function, too */
/* From now on these; takes them over. */
void lk_masa_keeper_heed(struct lk_masa_keeper *k, struct lk_masa_crls *lists);

struct lk_turn *lk_masa_keeper_turn(struct lk_masa_keeper *k);
LK_RESULT lk_masa_keeper_tick(struct lk_masa_keeper *k, struct lk_err *e);
