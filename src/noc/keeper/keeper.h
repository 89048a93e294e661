/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkeyd's keeper: every decision of the network onboarding component. It
 * verifies what it decides on itself (fronts check shape and size, keepers check
 * truth), writes the store and the ledger, and holds no key and no socket but
 * those to the other roles.
 *
 *	identity.c	who is at the other end: an IDevID of which manufacturer, an LDevID of ours
 *	admission.c	may this device come in: known, trusted, allow, ask, deny
 *	brski.c		voucher requests, vouchers, telemetry		RFC 8995
 *	audit.c		the MASA's audit log, fetched and judged	RFC 8995 5.8
 *	renewal.c	the certificates of the network's own servers
 *	crl.c		revocation lists			RFC 5280 5
 *	est.c		CA certificates, CSR attributes, enrolment	RFC 7030
 *	plain_est.c	the same for clients that are no pledges, at open labels
 *	codes.c		the operators' one-time codes for those
 *	onboarding.c	onboarding information, the success report
 *	access.c	grants for the RADIUS server, ports opened and closed
 *	operator.c	what operators ask for, by the desk
 *	stream.c	the change stream to the desk
 *
 * A run is one verified pledge request and what comes of it: at most one LDevID, within
 * run_seconds of leaving the waiting room. Its state says what may come next:
 *
 *	waiting   -> requested	an operator approved (or nobody had to)
 *	requested -> vouchered	the MASA's voucher was verified and recorded
 *	vouchered -> accepted	the pledge said so: voucher_status true
 *	accepted  -> enrolling  its CSR was recorded, the signer is asked
 *	enrolling -> enrolled	the LDevID is recorded
 *	enrolled  -> done	enrollstatus over a session with that LDevID
 *	any       -> failed	refused by somebody, or overtaken by a newer request of the device
 */
#pragma once

#include "artefact/cert_profile.h"
#include "artefact/csr.h"
#include "artefact/voucher_request.h"
#include "proto/endpoint.h"
#include "proto/est_label.h"
#include "role/crl_list.h"
#include "role/own_servers.h"
#include "role/turn.h"

struct lk_keeper;

struct lk_keeper_settings {
	int64_t run_seconds;     /* of a run, once it left the waiting room */
	int64_t ask_seconds;     /* how long a run may wait for an operator: 4 days, RFC 8995 5.6 */
	int64_t ldevid_seconds;  /* life of an LDevID */
	int64_t grant_seconds;   /* life of a RADIUS server's yes */
	int64_t session_seconds; /* re-authentication of a joined device */
	unsigned key_types;      /* bit per enum lk_key_type that LDevIDs may have */
	unsigned retry_after;    /* seconds a device is told to wait; at most 60 */
	bool audit_required;     /* an audit log that cannot be had refuses the enrolment */
	struct lk_est_labels labels; /* at which plain EST is open; none: it is shut */
	int64_t service_seconds;     /* life of a certificate of plain EST */
	int64_t code_seconds;        /* life of an enrolment code */
	bool tls12_at_labels_only;   /* TLS 1.2 is offered for the sake of some of them */
	/* Whose revocation lists are made; NULL: none of that CA. Borrowed. */
	const struct lk_cert *crl_issuers[LK_CRL_LIST_COUNT];
	int64_t crl_refresh_seconds; /* until a revocation is on the list that fronts serve */
	int64_t crl_seconds;         /* from a list's thisUpdate to its nextUpdate */
};

/* Whose certificates the domain has; DER, no keys. All borrowed for the keeper's life. */
struct lk_keeper_domain {
	const struct lk_certs *registrar; /* end-entity first, then its CAs up to the root */
	const struct lk_certs *former;    /* earlier registrar certificates, for runs in progress */
	const struct lk_certs *ca;        /* what cacerts answers: root first, then the device CA */
	const struct lk_cert *device_ca;  /* issuer of LDevIDs */
	const struct lk_cert *service_ca; /* issuer of plain EST; NULL: there is none */
	/* The other servers' chains, end-entity first; NULL: there is none. */
	const struct lk_certs *servers[LK_OWN_COUNT];
};

/* The turn's send function and context are the caller's; everything else of turn_settings is
 * filled in here. Loads manufacturers and open state from the store. */
LK_RESULT lk_keeper_new(const struct lk_keeper_settings *settings,
	const struct lk_keeper_domain *domain, const struct lk_turn_settings *turn,
	struct lk_keeper **ret, struct lk_err *e);
struct lk_keeper *lk_keeper_free(struct lk_keeper *k);
LK_DEFINE_CLEANUP(struct lk_keeper *, lk_keeper_free);

/* The registrar's chain as it is now, and what was in its place before; the keeper's. */
const struct lk_certs *lk_keeper_registrar(
	const struct lk_keeper *k, const struct lk_certs **ret_former);
struct lk_turn *lk_keeper_turn(struct lk_keeper *k);
/* Some times a second: what is overdue, lists and certificates that are due, grants and runs that
 * ended. Opens a turn if there is anything to do. */
LK_RESULT lk_keeper_tick(struct lk_keeper *k, struct lk_err *e);
/* Between turns: tells who follows the change stream some of what it has not been told. *ret_more:
 * it would take more. */
LK_RESULT lk_keeper_feed(struct lk_keeper *k, bool *ret_more, struct lk_err *e);
