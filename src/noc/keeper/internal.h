/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the keeper's files.
 */
#pragma once

#include "crypto/digest.h"
#include "artefact/crl.h"
#include "lifecycle/transition.h"
#include "noc/keeper/keeper.h"

#define LK_KNOWN_MAX 1024 /* verdicts on IDevIDs that are kept; power of two */

/* A manufacturer with its anchors made ready. */
struct manufacturer {
	struct manufacturer *next;
	struct lk_manufacturer_record record;
	struct lk_certs certs;
	struct lk_anchors *anchors;
};

/* What a TLS client certificate was found to be: decoding and verifying costs more than all the
 * rest of a request, and a device makes five requests with the same one. */
struct known {
	uint8_t digest[32]; /* of the certificate's DER */
	struct lk_cert *cert;
	struct manufacturer *manufacturer; /* of an IDevID */
	const struct issuer *issuer;       /* of one of our own certificates */
	int64_t at;                        /* when it was verified; good for a minute */
};

/* One of the domain's CAs that issues here, and what clients that come for its certificates are
 * told. */
struct issuer {
	const struct lk_cert *ca; /* NULL: there is none, and nothing else is set */
	enum lk_cert_profile profile;
	int64_t seconds; /* life of what it issues */
	char id[LK_KEY_ID_HEX_MAX];
	struct lk_anchors *anchors; /* the CA alone */
	struct lk_csrattrs attrs;   /* what a CSR is asked to have */
	struct lk_buf cacerts;      /* base64 of the certs-only answer, RFC 8951, on one line */
	struct lk_buf cacerts_wrapped;
	struct lk_buf csrattrs; /* base64 */
};

#define LK_WRONG_CODES_MAX 256 /* addresses that are told apart; power of two */

/* What one CA revoked, and its newest list. */
struct lk_revocations {
	char issuer[LK_KEY_ID_HEX_MAX]; /* "": no list is made */
	struct lk_revoked *v;           /* owned */
	size_t n, cap;
	int64_t revision, asked, listed; /* changes: all, those asked for, those on the list */
	int64_t asked_at, wait;          /* seconds from then on no list is asked for */
	int64_t number, this_update, next_update; /* of der; 0: there is none yet */
	struct lk_buf der;
};

/* Who follows the change stream, and how far it was told. */
struct follower {
	enum {
		FOLLOWS_NOT,  /* nobody subscribed, or it went away */
		FOLLOWS_ANEW, /* subscribed, or too far behind: is told everything */
		FOLLOWS_WALK, /* is being told what there is */
		FOLLOWS_LIVE
	} how;
	size_t feed; /* of stream.c's list: which is walked along */
	struct lk_scan scan;
	struct lk_record *at;  /* of that feed, the last that was told; NULL: none yet */
	struct lk_buf changes; /* list: `stream_record` bodies that wait until it reads */
};

/* One of the network's own servers. */
struct served {
	struct lk_certs chain; /* as it is now; n is 0: there is no such server */
	struct issuer issuer;
	int64_t tried_at; /* a renewal was ordered */
};

struct lk_keeper {
	struct lk_keeper_settings set;
	struct lk_keeper_domain domain;
	struct lk_turn *turn;
	struct manufacturer *manufacturers;
	bool manufacturers_loaded; /* else there are none, whatever the store has */
	struct known known[LK_KNOWN_MAX];
	struct issuer device_ca, service_ca;
	struct served servers[LK_OWN_COUNT]; /* issuer.ca is NULL: not renewed here */
	struct lk_certs former;              /* registrar's certificates, the oldest first */
	struct {
		int64_t since;
		unsigned n;
	} wrong_codes[LK_WRONG_CODES_MAX]; /* by address, see plain_est.c */
	uint8_t wrong_codes_salt[16];
	struct follower follower; /* the desk */
	struct lk_revocations crls[LK_CRL_LIST_COUNT];
	int64_t swept_at;
};

static inline struct lk_keeper *
keeper_of(const struct lk_turn *t)
{
	return lk_turn_app(t);
}

/* Whether so many seconds went by. A clock that was put back does not hold up what they delay. */
static inline bool
has_passed(int64_t since, int64_t seconds, int64_t now)
{
	return now < since || now - since >= seconds;
}

/* --- keeper.c: answers ------------------------------------------------------------------------ */
/* Fills the reply with a status, a type and a borrowed body. */
LK_RESULT lk_keeper_reply(struct lk_turn *t, const struct lk_message_in *m, int status,
	const char *type, struct lk_slice body, struct lk_err *e);
/* 202: somebody has to decide first. RFC 8995 5.6, RFC 7030 4.2.3. */
LK_RESULT lk_keeper_reply_later(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e);
/* The answer that a refusal gets; `body` becomes the reply's, text owned by `text`. */
void lk_keeper_refusal(
	const struct lk_err *why, struct lk_buf *text, struct lk_web_reply_body *ret);
/* Opens an event whose payload is this JSON object; consumes it. NULL, of a json_pack() that failed,
 * is refused: nothing happens of which less is on record than there should be. */
LK_RESULT lk_keeper_event(struct lk_turn *t, const char *type, const struct lk_device_record *d,
	const char *run_id, const char *actor, json_t *payload, int64_t *ret_seq, struct lk_err *e);

/* --- identity.c ------------------------------------------------------------------------------- */
struct identity {
	struct lk_cert *cert; /* borrowed from the cache, until somebody else is looked up */
	struct manufacturer *manufacturer;
	char tls_peer[LK_DIGEST_HEX_MAX];
};

void lk_identity_done(struct lk_keeper *k);
/* Loads the manufacturers again, where the last time failed. */
LK_RESULT lk_identity_tick(struct lk_keeper *k, struct lk_err *e);
/* RFC 8995 5.1: the TLS client is a device of a manufacturer that is trusted here. */
LK_RESULT lk_identity_idevid(struct lk_turn *t, const struct lk_web_request_body *w,
	struct identity *ret, struct lk_err *e);
/* The TLS client has a certificate that this CA of ours issued and nobody revoked; fills its
 * record. */
LK_RESULT lk_identity_own(struct lk_turn *t, const struct lk_web_request_body *w,
	const struct issuer *issuer, struct identity *ret, struct lk_certificate_record *ret_cert,
	struct lk_err *e);
/* The TLS client has an LDevID that we issued and did not revoke; fills its record and device. */
LK_RESULT lk_identity_ldevid(struct lk_turn *t, const struct lk_web_request_body *w,
	struct identity *ret, struct lk_certificate_record *ret_cert,
	struct lk_device_record *ret_device, struct lk_err *e);
/* Loads the manufacturers: at the start, and when one was added, changed or removed in the store.
 * When it fails nobody is known. */
LK_RESULT lk_identity_reload(struct lk_keeper *k, struct lk_err *e);
/* Adds subject and issuer of the client's certificate to an event's payload, as far as there are.
 * ret_device: the known device that it proved to be, trusted or not; else as it was. */
LK_RESULT lk_identity_describe(struct lk_turn *t, const struct lk_web_request_body *w,
	json_t *payload, char ret_device[static LK_ID_MAX], struct lk_err *e);
struct manufacturer *lk_identity_manufacturer(struct lk_keeper *k, const char *id);

/* --- admission.c ------------------------------------------------------------------------------ */
enum admission { ADMIT, ADMIT_ASK };
/* LK_R_DEVICE_DENIED. */
LK_RESULT lk_device_not_denied(const struct lk_device_record *d, struct lk_err *e);
/* The device of an IDevID: found, or made as policy says. Refuses what may not come in. *ret_device
 * is written to the store when it is new. */
LK_RESULT lk_admission(struct lk_turn *t, const struct identity *who, struct lk_device_record *ret,
	enum admission *ret_admission, struct lk_err *e);
/* A device asks for onboarding: from wherever its life stands to S8. */
LK_RESULT lk_device_begin(struct lk_turn *t, struct lk_device_record *d, struct lk_err *e);
/* Moves the device along a lifecycle event and stores it. */
LK_RESULT lk_device_move(
	struct lk_turn *t, struct lk_device_record *d, enum lk_event_kind event, struct lk_err *e);

/* --- handlers --------------------------------------------------------------------------------- */
typedef struct lk_result web_handler(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e);
web_handler lk_brski_requestvoucher, lk_brski_voucher_status, lk_brski_enrollstatus;
web_handler lk_est_cacerts, lk_est_csrattrs, lk_est_simpleenroll, lk_est_simplereenroll,
	lk_est_not_offered;
web_handler lk_plain_cacerts, lk_plain_csrattrs, lk_plain_simpleenroll, lk_plain_simplereenroll,
	lk_plain_not_offered;
web_handler lk_onboarding_declaration, lk_onboarding_information, lk_onboarding_joined;
lk_turn_handler lk_crls_get, lk_renewal_get, lk_access_grant, lk_access_port_event,
	lk_operator_request, lk_stream_subscribe;

/* est.c: a certificate to be issued; its names are those of the record. Borrowed. */
struct order {
	const struct issuer *issuer;
	const struct lk_device_record *device; /* NULL: it is no device */
	const char *of;                        /* the run's id, or the enrolment's */
	const char *common_name, *serial_number, *san_uri, *san_dns; /* NULL: none */
	struct lk_slice san_ip;
	struct lk_slice spki;
	const char *again; /* serial of one that was ordered and not signed; NULL: a new one */
};
/* Recorded with its serial number, and the signer is asked. The caller parks the request under the
 * serial; `then` is told what came of it, with the serial as its subject. */
LK_RESULT lk_est_order(struct lk_turn *t, const struct order *o, lk_turn_handler *then,
	char ret_serial[static LK_CERT_SERIAL_HEX_MAX], struct lk_err *e);
/* The signer's answer goes into the certificate's record. */
LK_RESULT lk_est_signed(struct lk_turn *t, const struct lk_message_in *m,
	const struct issuer *issuer, struct lk_certificate_record *ret, struct lk_err *e);
/* LK_R_CERT_REVOKED. */
LK_RESULT lk_est_not_revoked(const struct lk_certificate_record *cert, struct lk_err *e);
/* What was signed and is not wanted any more: nobody gets it, and it is revoked. Whoever is parked
 * under its serial is told why. */
LK_RESULT lk_est_withhold(struct lk_turn *t, const struct lk_certificate_record *cert,
	const struct lk_err *why, struct lk_err *e);
/* What a client is answered: the certificate in the form that it reads; cacerts. */
LK_RESULT lk_est_print(struct lk_slice der, bool wrap, struct lk_buf *out, struct lk_err *e);
LK_RESULT lk_est_reply_cacerts(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, const struct issuer *issuer, struct lk_err *e);
void lk_est_digest(struct lk_slice body, char dst[static LK_DIGEST_HEX_MAX]);

/* codes.c: what stands in an enrolment's record for a code. */
void lk_code_digest(const char *enrolment_id, const char *code, uint8_t dst[static LK_SHA256_LEN]);

/* operator.c: what an operator can have done. */
typedef struct lk_result act_fn(
	struct lk_turn *t, const char *actor, const json_t *args, json_t *result, struct lk_err *e);
act_fn lk_code_new, lk_code_revoke;
LK_RESULT lk_operator_text(
	const json_t *args, const char *name, char *dst, size_t cap, struct lk_err *e);
LK_RESULT lk_operator_optional(
	const json_t *args, const char *name, char *dst, size_t cap, struct lk_err *e);
/* Revokes the certificates of a device or of an enrolment that came of `of` (NULL: of anything). */
LK_RESULT lk_certificates_revoke(struct lk_turn *t, const char *device_id, const char *of,
	const char *reason, int64_t *ret_n, struct lk_err *e);

/* brski.c: an operator decided on a run that waits. */
LK_RESULT lk_brski_resume(struct lk_turn *t, struct lk_run_record *run, struct lk_err *e);
/* What a MASA is asked for: RFC 8995 5.5, 5.8. */
struct masa_operation {
	const char *name;   /* the last segment of its path */
	const char *answer; /* media type */
	int64_t answer_max; /* bytes */
	lk_turn_handler *then;
};
/* Posts the run's registrar request to the MASA's operation. */
LK_RESULT lk_brski_fetch(struct lk_turn *t, const struct lk_device_record *d,
	const struct lk_run_record *run, const struct masa_operation *op, struct lk_err *e);
/* audit.c: whether the run may go on to its credential, or has to wait for the log; then it is
 * asked for, if it is not by now. */
LK_RESULT lk_audit_gate(
	struct lk_turn *t, struct lk_run_record *run, bool *ret_wait, struct lk_err *e);
/* audit.c: asks for the log of a run whose voucher was accepted. */
LK_RESULT lk_audit_fetch(struct lk_turn *t, struct lk_run_record *run, struct lk_err *e);
/* access.c: the port closes, wherever the device is; called on revocation. */
LK_RESULT lk_access_cut(struct lk_turn *t, const struct lk_device_record *d, struct lk_err *e);
LK_RESULT lk_grants_sweep(struct lk_turn *t, struct lk_err *e); /* some of those that ended */
/* renewal.c */
LK_RESULT lk_renewal_init(struct lk_keeper *k, struct lk_err *e); /* finds the newest on record */
void lk_renewal_done(struct lk_keeper *k);
void lk_renewal_committed(struct lk_keeper *k, const struct lk_certificate_record *c);
LK_RESULT lk_renewal_tick(struct lk_keeper *k, struct lk_err *e);
/* The registrar's certificate that a pledge saw: der, as far as that may still be shown, else the
 * one of now. */
const struct lk_cert *lk_renewal_shown(const struct lk_keeper *k, struct lk_slice der, int64_t now);
/* crl.c */
LK_RESULT lk_crls_init(struct lk_keeper *k, struct lk_err *e); /* loads what is revoked */
void lk_crls_done(struct lk_keeper *k);
void lk_crls_committed(struct lk_keeper *k, const struct lk_certificate_record *c);
LK_RESULT lk_crls_tick(struct lk_keeper *k, struct lk_err *e);
/* stream.c */
void lk_stream_init(struct follower *f);
void lk_stream_done(struct follower *f);
void lk_stream_committed(void *app, const struct lk_record *r, bool removed);
/* run.c */
LK_RESULT lk_runs_sweep(struct lk_turn *t, struct lk_err *e);

/* run.c: finding and moving runs. */
LK_RESULT lk_run_open(struct lk_turn *t, const struct lk_web_request_body *w,
	const struct identity *who, const struct lk_device_record *d, const char *digest,
	const char *nonce, enum admission admission, struct lk_run_record *ret, struct lk_err *e);
/* The newest run of a TLS client, if it did not fail and its time is not over. LK_R_RUN_NONE,
 * LK_R_RUN_OVER. */
LK_RESULT lk_run_of_peer(
	struct lk_turn *t, const char *tls_peer, struct lk_run_record *ret, struct lk_err *e);
LK_RESULT lk_run_move(
	struct lk_turn *t, struct lk_run_record *run, const char *state, struct lk_err *e);
/* The device's newest run; of all, at most this one is open. */
LK_RESULT lk_run_newest(struct lk_turn *t, const char *device_id, struct lk_run_record *ret,
	bool *ret_found, struct lk_err *e);
/* Ends the device's run, if one is under way: nothing more comes of it. */
LK_RESULT lk_run_end(struct lk_turn *t, const char *device_id, struct lk_err *e);
/* Adds {"step":…,"at":…} to the run's steps, with "skipped" and why when it did not run (NULL: it
 * did). Written with the record. */
LK_RESULT lk_run_step(struct lk_turn *t, struct lk_run_record *run, const char *step,
	const char *skipped, struct lk_err *e);
/* What the device says that it runs, beside the run's TLS facts. Written with the record. */
LK_RESULT lk_run_peer_library(struct lk_run_record *run, const char *libraries, struct lk_err *e);
bool lk_run_is(const struct lk_run_record *run, const char *state);
bool lk_run_is_closed(const struct lk_run_record *run); /* done or failed, and stays so */
