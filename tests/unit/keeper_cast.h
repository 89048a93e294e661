/* SPDX-License-Identifier: Apache-2.0
 *
 * A network without a network: latchkeyd's keeper and signer, the production code, on an
 * in-memory store, with a clock that stands still and randomness that repeats itself. Around
 * them stands nobody: what the keeper asks of the courier and the enforcer waits until a test
 * answers it, and the device is a test's own requests.
 *
 * Nothing here fails quietly: what goes wrong fails the test that asked for it.
 */
#pragma once

#include "artefact/voucher.h"
#include "ipc/messages.h"
#include "noc/keeper/keeper.h"
#include "pki.h"
#include "role/signer.h"
#include "test.h"

#define SITE_VENDOR    "vendor" /* the manufacturer's short name at this site */
#define SITE_ADDRESS   "[fe80::2]:1"
#define SITE_OPERATOR  "uid:0"
#define SITE_ASKED_MAX 8

/* Fails the test with the reason when a call fails. */
#define must_succeed(call)                                                             \
	do {                                                                           \
		struct lk_err must_err = { .reason = LK_R_NONE };                      \
		struct lk_err *e = &must_err;                                          \
		if (!(call).ok)                                                        \
			fail_msg("%s: %s", lk_reason_info(e->reason)->symbol, e->msg); \
	} while (0)

/* Into a fixed field; what does not fit is a mistake of the test's. */
#define set_text(field, text) \
	must_succeed(lk_slice_to_str(lk_slice_str(text), #field, field, sizeof(field), e))

union site_body {
#define LK_BODY(name) struct lk_##name##_body as_##name;
#include "ipc/body.def"
};

/* What the keeper asked of another role and was not answered yet. */
struct site_question {
	bool open;
	enum lk_role to;
	uint32_t id;
	enum lk_body type;
	struct lk_buf packed;
	union site_body body; /* borrows from packed */
};

struct site {
	struct lk_clock_fixed clock;
	struct pki_cast pki;
	struct pki_id device_ca, service_ca;
	struct lk_certs ca;     /* what cacerts answers */
	struct lk_certs former; /* registrar certificates of before; filled by a test */
	struct lk_certs servers[LK_OWN_COUNT]; /* but the registrar; filled by a test */
	struct lk_onboarding_leaves onboarding;
	struct lk_store *store;
	struct lk_signer *signer;
	struct lk_keeper_settings settings; /* of the next start */
	struct lk_keeper *keeper;
	struct lk_turn *turn;

	/* Of the device's next requests. */
	const char *tls_version, *user_agent;
	struct lk_slice binding;
	const char *remote, *label, *authorization;

	/* What the keeper asks, and who does not answer by himself. */
	struct site_question asked[SITE_ASKED_MAX];
	unsigned n_asked; /* so far */
	bool signer_waits;
	void (*told)(void *ctx, enum lk_role to, enum lk_body type, struct lk_slice packed);
	void *told_ctx;
	bool told_gone;   /* who follows the change stream is not there */
	size_t told_room; /* how many messages it takes now */

	/* The answer to the newest message; replied is false while it is parked. */
	bool replied;
	struct lk_buf packed;
	struct lk_web_reply_body reply;
	struct lk_grant_reply_body grant;
	json_t *result;         /* an operator's */
	enum lk_reason refusal; /* an operator's, aaa's; LK_R_NONE: was none */

	/* Before the newest message: all records but the ledger's, the ledger's head, questions. */
	struct lk_buf before;
	int64_t head_before;
	unsigned asked_before;

	/* The device's own. */
	struct lk_buf request, voucher, csr; /* the newest */
	struct lk_key *ldevid_key;
	struct lk_certs ldevid;

	/* site_device() and the like. */
	struct lk_device_record device;
	struct lk_run_record run;
	struct lk_certificate_record certificate;
	struct lk_event_record event;
};

/* A site that trusts the manufacturer of pki.device and does with its unknown devices as
 * `unknown` says: "allow", "ask", "deny". */
void site_init(struct site *s, const char *unknown);
void site_done(struct site *s);
/* Another keeper on the same store, with s->settings and s->former as they are now. */
void site_restart(struct site *s);
void site_pass(struct site *s, int64_t seconds); /* time, and the keeper's ticks */
/* Writes a record behind the keeper's back. */
void site_put(struct site *s, struct lk_record *r);
/* The manufacturer as SITE_VENDOR is, under another name and anchor. Then restart. */
void site_add_manufacturer(
	struct site *s, const char *id, const struct pki_id *ca, const char *unknown);

/* --- what a device does ----------------------------------------------------------------------- */

/* One HTTP request of a TLS client that showed `chain` (NULL: none). Returns the status, 0 while
 * the request is parked. */
int64_t site_ask(
	struct site *s, const struct lk_certs *chain, enum lk_ep endpoint, struct lk_slice body);
/* The device's voucher request with one member changed (NULL: none), kept in s->request; then the
 * same bytes again. */
int64_t site_request_voucher(struct site *s, const char *member, const char *value);
int64_t site_request_again(struct site *s);
/* Asks for the LDevID with s->csr, made with s->ldevid_key when it is empty. */
int64_t site_enrol(struct site *s);

/* A certification request by OpenSSL's means; what is NULL is left out. */
struct site_csr {
	const struct lk_key *signed_by; /* NULL: the key itself */
	const char *cn, *serial_number;
	const char *ext, *value; /* in the words of openssl.cnf */
};
/* Into s->csr as base64, which is how EST carries it. */
void site_make_csr(struct site *s, const struct lk_key *key, const struct site_csr *request);
/* The certificate in the answer to it. Caller frees. */
struct lk_cert *site_answered(struct site *s);

/* --- what others do --------------------------------------------------------------------------- */

/* The oldest open question to a role; NULL: there is none. */
struct site_question *site_question(struct site *s, enum lk_role to);
/* Answers it: the role does, or it fails. */
void site_answer(struct site *s, enum lk_role from, enum lk_body type, const void *body);
void site_fail(struct site *s, enum lk_role from, enum lk_reason reason);
/* What the MASA answers to what the courier carries. */
void site_masa(struct site *s, int64_t status, const char *type, struct lk_slice body);
/* The MASA's voucher for the device, with one member changed; signer NULL: the MASA. */
void site_masa_voucher(
	struct site *s, const struct pki_id *signer, const char *member, const char *value);
/* The audit log with one entry of that domain (its CA), nonce NULL: a nonceless one. */
void site_masa_log(struct site *s, const struct pki_id *domain, const char *nonce);
/* An operator asks; arguments by printf. Returns the reason of a refusal, LK_R_NONE when it was
 * done: then s->result is what came back. */
enum lk_reason site_operate(struct site *s, const char *action, const char *fmt, ...)
	LK_PRINTF(3, 4);
/* The RADIUS server asks for the device's LDevID; hostapd says that somebody is authenticated. */
enum lk_reason site_grant_for(struct site *s, const struct lk_grant_request_body *g);
enum lk_reason site_grant(struct site *s, const char *port, const char *mac);
/* An event of that role. */
void site_tell(struct site *s, enum lk_role from, enum lk_body type, const void *body);
void site_port_event(struct site *s, enum lk_port_event kind, const char *port, const char *mac);

/* --- as far as: everybody does what is right -------------------------------------------------- */

enum site_step {
	SITE_REQUESTED, /* the courier has the registrar's request */
	SITE_VOUCHERED, /* the device has its voucher */
	SITE_ACCEPTED,  /* it said so; the courier is asked for the audit log */
	SITE_JUDGED,    /* which is clean */
	SITE_ENROLLED,  /* the device has its LDevID: s->ldevid */
	SITE_DONE,      /* it said so */
	SITE_CONNECTED  /* port p1 is open for it */
};
#define SITE_PORT "p1"
#define SITE_MAC  "02:00:00:00:00:01"

void site_until(struct site *s, enum site_step step);

/* --- what is there ---------------------------------------------------------------------------- */

/* Of the device with PKI_SERIAL; its newest run and certificate. Good until asked again. */
const struct lk_device_record *site_device(struct site *s);
const struct lk_run_record *site_run(struct site *s);
const struct lk_certificate_record *site_certificate(struct site *s);
int64_t site_count(struct site *s, enum lk_kind kind); /* records */
/* The newest event of this type; fails the test when there is none. */
const struct lk_event_record *site_event(struct site *s, const char *type);
/* Whether its payload has this text in it. */
bool site_event_says(struct site *s, const char *type, const char *text);

/* The newest message was refused for this reason: its sender was told (status, symbol), the ledger
 * got one event with it, no other record changed and nobody was asked for anything. */
#define assert_site_refused(s, reason) site_assert_refused(s, reason, __FILE__, __LINE__)
void site_assert_refused(struct site *s, enum lk_reason reason, const char *file, int line);
/* The run ended by the newest message: its state is failed, the event names the reason. */
#define assert_run_failed(s, type, reason) \
	site_assert_run_failed(s, type, reason, __FILE__, __LINE__)
void site_assert_run_failed(
	struct site *s, const char *type, enum lk_reason reason, const char *file, int line);
