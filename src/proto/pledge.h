/* SPDX-License-Identifier: Apache-2.0
 *
 * The pledge: how a device gets from its IDevID to the credential of one network
 * (RFC 8995 section 5, RFC 7030). One attempt with one registrar. A table of
 * states and events, sans-I/O: the owner connects, sends and waits as it is told,
 * and says what came of it.
 *
 *	lk_pledge_next(p, &action)	what is to be done now
 *	lk_pledge_connected()		the TLS handshake is through; nobody was believed yet
 *	lk_pledge_response()		an HTTP response is complete
 *	lk_pledge_elapsed()		the time asked for is over
 *	lk_pledge_lost()		the connection could not be made, or broke
 *
 * On the first connection everything is hostile until the voucher verified. The voucher's pinned
 * certificate is then the only trust anchor. Keys are made and files written through the
 * owner's functions; nothing is kept before the last step, so an attempt that ends early leaves
 * no trace.
 */
#pragma once

#include "artefact/csr.h"
#include "artefact/onboarding_information.h"
#include "artefact/voucher_request.h"
#include "base/random.h"

struct lk_pledge; /* opaque */

/* In the order in which they are visited. */
enum lk_pledge_state {
	LK_PLEDGE_CONNECT,       /* to the registrar, with the IDevID, provisionally */
	LK_PLEDGE_VOUCHER,       /* the voucher request was sent */
	LK_PLEDGE_VOUCHER_LATER, /* told 202: the same request again, when its time comes */
	LK_PLEDGE_STATUS,        /* voucher status telemetry was sent */
	LK_PLEDGE_CACERTS,
	LK_PLEDGE_CSRATTRS,
	LK_PLEDGE_ENROLL,        /* the CSR was sent */
	LK_PLEDGE_ENROLL_LATER,  /* told 202: the same CSR again */
	LK_PLEDGE_RECONNECT,     /* to the registrar, with the LDevID, its chain verified */
	LK_PLEDGE_ENROLL_STATUS, /* enrolment status telemetry was sent */
	LK_PLEDGE_INFORMATION,   /* onboarding information was asked for */
	LK_PLEDGE_REPORT,        /* a failure is being told; then the attempt has failed */
	LK_PLEDGE_ONBOARDED,     /* all is there; the owner makes it durable */
	LK_PLEDGE_FAILED,
	LK_PLEDGE_STATE_COUNT
};

const char *lk_pledge_state_name(enum lk_pledge_state s);

struct lk_pledge_settings {
	const struct lk_certs *idevid; /* own certificate first, then its chain */
	const struct lk_key *idevid_key;
	const struct lk_anchors *manufacturer; /* built in: whose vouchers are believed */
	enum lk_chain_times times;             /* LK_TIMES_IGNORE: no trusted clock */
	bool accept_nonceless;                 /* RFC 8995 7.2 */
	unsigned accept_assertions;            /* bit per enum lk_assertion */
	const char *libraries; /* this end's, for the network's records; NULL: not said */
	const struct lk_random *random;
	/* A new key for the LDevID, at the place where the IDevID's lives. Caller frees. */
	struct lk_result (*new_key)(void *ctx, struct lk_key **ret, struct lk_err *e);
	/* What happened, for the timeline; may be NULL. */
	void (*trace)(void *ctx, enum lk_pledge_state from, enum lk_pledge_state to,
		const struct lk_err *why);
	void *ctx;
};

enum lk_pledge_do {
	LK_DO_CONNECT_IDEVID, /* TLS 1.3 with the IDevID; accept any server certificate */
	LK_DO_CONNECT_LDEVID, /* TLS with the LDevID; verify with lk_pledge_check_server() */
	LK_DO_REQUEST,        /* on the connection that is open */
	LK_DO_WAIT,           /* keep the connection; lk_pledge_elapsed() at `until` */
	LK_DO_NOTHING,        /* an answer is outstanding */
	LK_DO_END             /* ONBOARDED or FAILED */
};

struct lk_pledge_action {
	enum lk_pledge_do what;
	const char *method, *path, *content_type, *accept; /* of a request */
	struct lk_slice body;                              /* borrowed until the next call */
	int64_t until_ms;                                  /* monotonic, of a wait */
};

/* Everything in settings is borrowed for the pledge's life. */
LK_RESULT lk_pledge_new(
	const struct lk_pledge_settings *settings, struct lk_pledge **ret, struct lk_err *e);
struct lk_pledge *lk_pledge_free(struct lk_pledge *p);
LK_DEFINE_CLEANUP(struct lk_pledge *, lk_pledge_free);

enum lk_pledge_state lk_pledge_state(const struct lk_pledge *p);
/* Why it failed; LK_R_NONE otherwise. */
const struct lk_err *lk_pledge_error(const struct lk_pledge *p);

/* Each action is handed out once. now: Unix seconds; now_ms: monotonic. */
void lk_pledge_next(struct lk_pledge *p, int64_t now, int64_t now_ms, struct lk_pledge_action *ret);
/* `server`: the chain as received, its own certificate first. binding: tls-exporter. */
void lk_pledge_connected(
	struct lk_pledge *p, const struct lk_certs *server, struct lk_slice binding);
void lk_pledge_response(struct lk_pledge *p, unsigned status, const char *content_type,
	unsigned retry_after, struct lk_slice body, int64_t now, int64_t now_ms);
void lk_pledge_elapsed(struct lk_pledge *p);
void lk_pledge_lost(struct lk_pledge *p, const struct lk_err *why);
/* Whether the server of the LDevID's connection belongs to the pinned domain. */
LK_RESULT lk_pledge_check_server(
	const struct lk_pledge *p, const struct lk_certs *server, int64_t now, struct lk_err *e);

/* What LK_DO_CONNECT_LDEVID shows: its key, and its own certificate with `ca`. Borrowed. */
void lk_pledge_ldevid(const struct lk_pledge *p, const struct lk_key **ret_key,
	struct lk_cert **ret_ldevid, const struct lk_certs **ret_ca);

/* What it came away with; borrowed; only when ONBOARDED. */
struct lk_pledge_credentials {
	const struct lk_key *key; /* the LDevID's */
	const struct lk_cert *ldevid;
	const struct lk_certs *ca; /* cacerts */
	const struct lk_cert *pinned;
	struct lk_slice voucher;                /* CMS */
	struct lk_slice information;            /* CMS */
	const struct lk_onboarding *onboarding; /* parsed and checked */
};
LK_RESULT lk_pledge_credentials(
	const struct lk_pledge *p, struct lk_pledge_credentials *ret, struct lk_err *e);
