/* SPDX-License-Identifier: Apache-2.0
 *
 * The voucher-request (RFC 8995 section 3), in both of its forms: a pledge asks its registrar,
 * signing with its IDevID; the registrar asks the MASA, signing with its own key and enclosing
 * what the pledge signed. CMS SignedData around JSON of the YANG module ietf-voucher-request.
 *
 *	lk_voucher_request_parse	bytes -> struct: syntax only, nothing is believed
 *	lk_pledge_request_check		the registrar's rules, RFC 8995 5.2 and 5.3
 *	lk_registrar_request_check	the MASA's rules, RFC 8995 5.5.2 to 5.5.6
 *	lk_registrar_request_leaves	verified pledge request -> what the registrar asks for it
 *	lk_*_request_build		leaves -> JSON -> signed CMS
 *	lk_voucher_request_print	leaves -> lines for a person
 *
 * A reason's HTTP status is what that section of the RFC says. Pure: no clock, no log, no file.
 * The signed bytes stay as they were received.
 */
#pragma once

#include "artefact/voucher.h"

#define LK_PLEDGE_REQUEST_MAX    (16 * 1024) /* bytes of the CMS object */
#define LK_REGISTRAR_REQUEST_MAX (48 * 1024) /* holds a pledge's in base64 */

/* Bits of lk_voucher_request_leaves.present. Leaves of the module that a request never uses
 * (pinned-domain-cert, expires-on, …) are ignored like unknown ones. */
enum lk_voucher_request_leaf {
	LK_REQUEST_ASSERTION,
	LK_REQUEST_NONCE,
	LK_REQUEST_CREATED_ON,
	LK_REQUEST_SERIAL_NUMBER,
	LK_REQUEST_IDEVID_ISSUER,
	LK_REQUEST_PROXIMITY_REGISTRAR_CERT,
	LK_REQUEST_PRIOR_SIGNED_VOUCHER_REQUEST
};

struct lk_voucher_request_leaves {
	uint32_t present;                 /* bit per enum lk_voucher_request_leaf */
	int assertion;                    /* enum lk_assertion */
	char nonce[LK_VOUCHER_NONCE_MAX]; /* opaque: compared byte for byte, never decoded */
	int64_t created_on;               /* Unix seconds */
	char serial_number[LK_SERIAL_NUMBER_MAX];
	struct lk_buf idevid_issuer;                /* AKI, see lk_idevid_issuer_matches */
	struct lk_buf proximity_registrar_cert;     /* DER; pledge's only; decoded by nobody yet */
	struct lk_buf prior_signed_voucher_request; /* the pledge's CMS object; registrar's only */
};

struct lk_voucher_request {
	struct lk_buf der;                     /* as received; owned */
	struct lk_cms *cms;                    /* the envelope; owned */
	struct lk_voucher_request_leaves leaf; /* owned */
	struct lk_voucher_request *prior;      /* the enclosed one, parsed; owned; NULL when absent.
						* Its own `prior` is always NULL */
};

/* Caller frees. Refuses with LK_R_CMS_*, LK_R_JSON_* and LK_R_REQUEST_LEAF. */
LK_RESULT lk_voucher_request_parse(
	struct lk_slice der, struct lk_voucher_request **ret, struct lk_err *e);
struct lk_voucher_request *lk_voucher_request_free(struct lk_voucher_request *r);
LK_DEFINE_CLEANUP(struct lk_voucher_request *, lk_voucher_request_free);

static inline bool
lk_voucher_request_has(const struct lk_voucher_request *r, enum lk_voucher_request_leaf leaf)
{
	return lk_json_has(r->leaf.present, leaf);
}

/* --- what a registrar holds against a pledge's request ---------------------------------------- */

/* That `idevid` chains to a trusted manufacturer is the caller's to know already: the TLS
 * handshake or its cached verdict said so. */
struct lk_pledge_request_want {
	const struct lk_cert *idevid;    /* the TLS client's certificate */
	const struct lk_cert *registrar; /* end-entity, as this connection showed it */
};

struct lk_verified_pledge_request {
	const struct lk_voucher_request *request; /* borrowed */
	const struct lk_cert *idevid;             /* who signed it: the want's; borrowed */
};

/* In this order: LK_R_REQUEST_SIGNER (401) or LK_R_CMS_SIGNATURE, LK_R_REQUEST_ASSERTION (401),
 * LK_R_REQUEST_PROXIMITY (401), LK_R_REQUEST_SERIAL (404), LK_R_REQUEST_NONCE (404). After a 401
 * the connection is closed. */
LK_RESULT lk_pledge_request_check(const struct lk_voucher_request *r,
	const struct lk_pledge_request_want *want, struct lk_verified_pledge_request *ret,
	struct lk_err *e);

/* --- what a MASA holds against a registrar's request ------------------------------------------ */

struct lk_registrar_request_want {
	const struct lk_anchors *manufacturer; /* above the IDevIDs that sign prior requests */
	enum lk_chain_times idevid_times;      /* LK_TIMES_IGNORE_LEAF: devices outlive IDevIDs */
	const struct lk_anchors *domains;      /* known domain CAs; NULL: none is known */
	bool authenticated;                    /* TLS or HTTP said who the registrar is, 5.5.4 */
	int64_t now;                           /* Unix seconds */
};

struct lk_verified_registrar_request {
	const struct lk_voucher_request *request; /* borrowed, like all that follows */
	const struct lk_cert *registrar;          /* who signed: what a narrow policy pins */
	const struct lk_cert *farthest; /* end of its enclosed chain: what a wide policy pins */
	const struct lk_cert *idevid;   /* who signed the prior request; NULL when there is none */
	enum lk_assertion assertion;    /* proximity when the prior request proves it, else logged;
					 * `verified` is the ownership records' to say */
	bool authenticated;             /* by the connection or by a known domain CA */
};

/* In this order: 5.5 LK_R_REQUEST_PROXIMITY_PRESENT; 5.5.2 and 5.5.3 LK_R_REQUEST_SIGNER_MISSING,
 * LK_R_CMS_SIGNATURE, LK_R_REQUEST_CHAIN; 5.5.4 LK_R_REQUEST_NOT_RA, LK_R_REQUEST_NONCELESS; 5.5.5
 * LK_R_PRIOR_SIGNER, LK_R_CMS_SIGNATURE, LK_R_PRIOR_PROXIMITY, LK_R_PRIOR_SERIAL,
 * LK_R_PRIOR_ISSUER; 5.5.6 LK_R_PRIOR_NONCE. Revocation (5.5.3) is not looked up here. */
LK_RESULT lk_registrar_request_check(const struct lk_voucher_request *r,
	const struct lk_registrar_request_want *want, struct lk_verified_registrar_request *ret,
	struct lk_err *e);

/* --- writing ---------------------------------------------------------------------------------- */

/* What the registrar asks the MASA after a pledge request: nonce copied, serial-number and
 * idevid-issuer from the IDevID (never from the request), the request itself enclosed. Caller
 * releases ret. */
LK_RESULT lk_registrar_request_leaves(const struct lk_verified_pledge_request *verified,
	int64_t now, struct lk_voucher_request_leaves *ret, struct lk_err *e);

/* Signs; `certs` has the signer's certificate first. A registrar encloses only what it wants
 * pinned (5.5). Appends DER to out. Refuses to make what the reader would refuse. */
LK_RESULT lk_pledge_request_build(const struct lk_voucher_request_leaves *leaf,
	const struct lk_key *idevid_key, const struct lk_certs *certs, struct lk_buf *out,
	struct lk_err *e);
LK_RESULT lk_registrar_request_build(const struct lk_voucher_request_leaves *leaf,
	const struct lk_key *key, const struct lk_certs *certs, struct lk_buf *out,
	struct lk_err *e);
/* The JSON text that lk_registrar_request_build signs, for who records it before it is signed
 * elsewhere. Appends to out. */
LK_RESULT lk_registrar_request_text(
	const struct lk_voucher_request_leaves *leaf, struct lk_buf *out, struct lk_err *e);

/* One line a leaf, "name: value". Appends to out. */
LK_RESULT lk_voucher_request_print(
	const struct lk_voucher_request *r, struct lk_buf *out, struct lk_err *e);
void lk_voucher_request_leaves_done(struct lk_voucher_request_leaves *leaf);
