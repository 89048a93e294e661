/* SPDX-License-Identifier: Apache-2.0
 *
 * The pledge's machine, event by event: what it asks for in each state, what it refuses and whom
 * it tells, how long it waits. The registrar's answers are made here; test_engine.c has them come
 * over TLS.
 */
#include "pki.h"
#include "test.h"

#include <stdlib.h>

#include "artefact/telemetry.h"
#include "base/encode.h"
#include "proto/endpoint.h"
#include "proto/pledge.h"

#define DEVICE     "019b7f00-0000-7000-8000-000000000001"
#define TYPE_CERTS "application/pkcs7-mime; smime-type=certs-only"
#define DAYS_4     (4 * PKI_DAY)

static struct pki_cast cast;
static const uint8_t binding[32] = { 7 };

/* A pledge, and what a registrar knows of it. */
struct run {
	struct lk_pledge *pledge;
	struct lk_pledge_settings set;
	struct lk_pledge_action action; /* the last one */
	char nonce[LK_VOUCHER_NONCE_MAX];
	struct lk_key *key; /* the LDevID's; NULL: none was made */
	bool no_key;        /* the key store is full */
	unsigned keys;      /* made */
	struct lk_buf path; /* the states visited */
	int64_t now, ms;
};

/* Each octet is another one: 1, 2, 3, … */
static void
count_up(const struct lk_random *self, uint8_t *p, size_t n)
{
	static uint8_t next;

	(void)self;
	while (n--)
		*p++ = ++next;
}

static const struct lk_random counting = { count_up };

static struct lk_result
new_key(void *ctx, struct lk_key **ret, struct lk_err *e)
{
	struct run *r = ctx;

	LK_REQUIRE(!r->no_key, e, LK_R_KEY_STORE, "the token is full");
	LK_TRY(lk_key_ephemeral(LK_KEY_P256, ret, e));
	lk_key_free(r->key);
	r->key = lk_key_ref(*ret);
	r->keys++;
	return LK_OK;
}

static void
trace(void *ctx, enum lk_pledge_state from, enum lk_pledge_state to, const struct lk_err *why)
{
	struct run *r = ctx;
	struct lk_err e;

	(void)from;
	assert_true(
		lk_buf_printf(&r->path, &e, " %s%s", lk_pledge_state_name(to), why ? "!" : "").ok);
}

static struct lk_pledge_settings
usual(struct run *r)
{
	return (struct lk_pledge_settings){ .idevid = &cast.device.chain,
		.idevid_key = cast.device.key,
		.manufacturer = cast.manufacturer,
		.times = LK_TIMES_CHECK,
		.accept_assertions = 1u << LK_ASSERTION_VERIFIED | 1u << LK_ASSERTION_LOGGED |
				     1u << LK_ASSERTION_PROXIMITY,
		.libraries = "OpenSSL 3.0.17",
		.random = &counting,
		.new_key = new_key,
		.trace = trace,
		.ctx = r };
}

static void
run_done(struct run *r)
{
	lk_pledge_free(r->pledge);
	lk_key_free(r->key);
	lk_buf_done(&r->path);
}

static void
run_with(struct run *r, const struct lk_pledge_settings *set)
{
	struct lk_err e;

	r->set = *set;
	assert_true(lk_pledge_new(&r->set, &r->pledge, &e).ok);
}

static void
run_init(struct run *r)
{
	struct lk_pledge_settings s = usual(r);

	*r = (struct run){ .path = LK_BUF_INIT(4096), .now = PKI_NOW };
	run_with(r, &s);
}

/* --- the registrar's side --------------------------------------------------------------------- */

static enum lk_pledge_state
state_of(const struct run *r)
{
	return lk_pledge_state(r->pledge);
}

static enum lk_pledge_do
next(struct run *r)
{
	lk_pledge_next(r->pledge, r->now, r->ms, &r->action);
	return r->action.what;
}

static void
answer_later(struct run *r, unsigned status, unsigned retry_after)
{
	lk_pledge_response(r->pledge, status, "", retry_after, lk_slice(NULL, 0), r->now, r->ms);
}

static void
answer(struct run *r, unsigned status, const char *type, struct lk_slice body)
{
	lk_pledge_response(r->pledge, status, type, 0, body, r->now, r->ms);
}

/* The nonce of the request that is to be sent. */
static void
read_request(struct run *r)
{
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *q = NULL;
	struct lk_err e;

	assert_true(lk_voucher_request_parse(r->action.body, &q, &e).ok);
	memcpy(r->nonce, q->leaf.nonce, sizeof r->nonce);
}

static void
connect_to(struct run *r, const struct pki_id *registrar)
{
	assert_int_equal(next(r), LK_DO_CONNECT_IDEVID);
	lk_pledge_connected(r->pledge, &registrar->chain, LK_SLICE_ARRAY(binding));
}

static void
ask_for_voucher(struct run *r)
{
	connect_to(r, &cast.registrar);
	assert_int_equal(next(r), LK_DO_REQUEST);
	read_request(r);
}

/* The MASA's voucher for the request that was read, with one leaf changed. */
static void
make_voucher(const struct run *r, const struct pki_id *signer, const char *name, const char *value,
	struct lk_buf *out)
{
	LK_CLEANUP(lk_freep) char *text = NULL, *nonce = pki_text("\"%s\"", r->nonce);
	LK_CLEANUP(lk_freep) char *pin = pki_quoted_base64(lk_cert_der(pki_cert(&cast.domain)));
	const struct pki_member members[] = {
		{ "created-on", "\"2026-01-01T11:59:00Z\"" },
		{ "assertion", "\"logged\"" },
		{ "serial-number", "\"" PKI_SERIAL "\"" },
		{ "nonce", nonce },
		{ "pinned-domain-cert", pin },
	};

	text = pki_json("ietf-voucher:voucher", members, LK_ARRAY_LEN(members), name, value);
	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = signer }, out);
}

static void
give_voucher(struct run *r)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

	make_voucher(r, &cast.masa, NULL, NULL, &der);
	answer(r, 200, LK_TYPE_VOUCHER, lk_buf_slice(&der));
}

static void
give_certs(struct run *r, const struct lk_certs *certs)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_err e;

	assert_true(lk_certs_print_pkcs7(certs, &der, &e).ok);
	assert_true(lk_base64_encode_wrapped(lk_buf_slice(&der), &text, &e).ok);
	answer(r, 200, TYPE_CERTS, lk_buf_slice(&text));
}

/* A certificate for this key, below `ca`. */
static void
give_ldevid(struct run *r, const struct pki_id *ca, struct lk_key *key)
{
	LK_CLEANUP(pki_id_done) struct pki_id ldevid;
	LK_CLEANUP(lk_certs_done) struct lk_certs one = { .n = 0 };
	struct lk_err e;

	pki_issue(ca,
		&(struct pki_spec){ .cn = DEVICE,
			.serial_number = PKI_SERIAL,
			.eku = "clientAuth",
			.key = key },
		&ldevid);
	assert_true(lk_certs_add(&one, pki_cert(&ldevid), &e).ok);
	give_certs(r, &one);
}

static void
make_information(const struct pki_id *signer, const char *device, struct lk_buf *out)
{
	struct lk_onboarding_leaves leaf = {
		.network = "home", .serial_number = PKI_SERIAL, .issued_on = PKI_NOW, .sequence = 1
	};
	struct lk_err e = { 0 };

	leaf.present = 1u << LK_ONBOARDING_NETWORK | 1u << LK_ONBOARDING_DEVICE |
		       1u << LK_ONBOARDING_SERIAL_NUMBER | 1u << LK_ONBOARDING_ISSUED_ON |
		       1u << LK_ONBOARDING_SEQUENCE;
	snprintf(leaf.device, sizeof leaf.device, "%s", device);
	if (!lk_onboarding_build(&leaf, signer->key, &signer->chain, out, &e).ok)
		fail_msg("%s", e.msg);
}

static void
give_information(struct run *r)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

	make_information(&cast.registrar, DEVICE, &der);
	answer(r, 200, LK_TYPE_CMS, lk_buf_slice(&der));
}

/* One right answer: from this state to the one that follows. */
static void
step(struct run *r)
{
	switch (state_of(r)) {
	case LK_PLEDGE_CONNECT:
		connect_to(r, &cast.registrar);
		return;
	case LK_PLEDGE_VOUCHER:
		assert_int_equal(next(r), LK_DO_REQUEST);
		read_request(r);
		give_voucher(r);
		return;
	case LK_PLEDGE_STATUS:
	case LK_PLEDGE_ENROLL_STATUS:
	case LK_PLEDGE_REPORT:
		assert_int_equal(next(r), LK_DO_REQUEST);
		answer(r, 200, "", lk_slice(NULL, 0));
		return;
	case LK_PLEDGE_CACERTS:
		assert_int_equal(next(r), LK_DO_REQUEST);
		give_certs(r, &cast.domain.chain);
		return;
	case LK_PLEDGE_CSRATTRS:
		assert_int_equal(next(r), LK_DO_REQUEST);
		answer(r, 404, "", lk_slice(NULL, 0));
		return;
	case LK_PLEDGE_ENROLL:
		assert_int_equal(next(r), LK_DO_REQUEST);
		give_ldevid(r, &cast.domain, r->key);
		return;
	case LK_PLEDGE_RECONNECT:
		assert_int_equal(next(r), LK_DO_CONNECT_LDEVID);
		lk_pledge_connected(r->pledge, &cast.registrar.chain, LK_SLICE_ARRAY(binding));
		return;
	case LK_PLEDGE_INFORMATION:
		assert_int_equal(next(r), LK_DO_REQUEST);
		give_information(r);
		return;
	case LK_PLEDGE_VOUCHER_LATER:
	case LK_PLEDGE_ENROLL_LATER:
		assert_int_equal(next(r), LK_DO_WAIT);
		r->ms = r->action.until_ms;
		lk_pledge_elapsed(r->pledge);
		return;
	case LK_PLEDGE_ONBOARDED:
	case LK_PLEDGE_FAILED:
	case LK_PLEDGE_STATE_COUNT:
		break;
	}
	fail_msg("no step from %s", lk_pledge_state_name(state_of(r)));
}

static void
walk_to(struct run *r, enum lk_pledge_state goal)
{
	while (state_of(r) != goal)
		step(r);
}

/* --- what is expected ------------------------------------------------------------------------- */

/* It has failed for this reason and comes away with nothing. */
static void
assert_failed(struct run *r, enum lk_reason want)
{
	struct lk_pledge_credentials got = { 0 };
	struct lk_err e;

	assert_int_equal(state_of(r), LK_PLEDGE_FAILED);
	assert_string_equal(lk_reason_info(lk_pledge_error(r->pledge)->reason)->symbol,
		lk_reason_info(want)->symbol);
	assert_int_equal(next(r), LK_DO_END);
	assert_refused(lk_pledge_credentials(r->pledge, &got, &e), e, LK_R_PLEDGE_ORDER);
	assert_null(got.key);
}

/* It tells at this endpoint that it failed and why; then it has failed, whatever is answered. */
static void
assert_reports(struct run *r, enum lk_ep where, enum lk_reason want)
{
	LK_CLEANUP(lk_telemetry_done) struct lk_telemetry t = { 0 };
	struct lk_err e;

	assert_int_equal(state_of(r), LK_PLEDGE_REPORT);
	assert_int_equal(next(r), LK_DO_REQUEST);
	assert_string_equal(r->action.path, lk_endpoint_info(where)->path);
	assert_true(lk_telemetry_parse(r->action.body, &t, &e).ok);
	assert_false(t.status);
	assert_string_equal(t.reason, lk_reason_info(want)->symbol);
	assert_string_equal(t.libraries, "");
	answer(r, 503, "", lk_slice(NULL, 0));
	assert_failed(r, want);
}

/* --- the whole way ---------------------------------------------------------------------------- */

/*= RFC8995 5: the pledge's flow, from the provisional connection to the credential =*/
static void
test_the_whole_way(void **state)
{
	static const struct {
		enum lk_pledge_state state;
		const char *request;
	} asks[] = {
		{ LK_PLEDGE_VOUCHER, "POST /.well-known/brski/requestvoucher"
				     " application/voucher-cms+json application/voucher-cms+json" },
		{ LK_PLEDGE_STATUS, "POST /.well-known/brski/voucher_status application/json -" },
		{ LK_PLEDGE_CACERTS, "GET /.well-known/est/cacerts - -" },
		{ LK_PLEDGE_CSRATTRS, "GET /.well-known/est/csrattrs - -" },
		{ LK_PLEDGE_ENROLL, "POST /.well-known/est/simpleenroll application/pkcs10 -" },
		{ LK_PLEDGE_ENROLL_STATUS,
			"POST /.well-known/brski/enrollstatus application/json -" },
		{ LK_PLEDGE_INFORMATION,
			"GET /.well-known/latchkey/onboarding-information - application/cms" },
	};
	LK_CLEANUP(run_done) struct run r;
	struct lk_pledge_credentials got;
	struct lk_err e;
	size_t i;

	(void)state;
	run_init(&r);
	for (i = 0; i < LK_ARRAY_LEN(asks); i++) {
		LK_CLEANUP(lk_freep) char *asked = NULL;
		const struct lk_pledge_action *a = &r.action;

		walk_to(&r, asks[i].state);
		step(&r);
		asked = pki_text("%s %s %s %s", a->method, a->path,
			a->content_type ? a->content_type : "-", a->accept ? a->accept : "-");
		assert_string_equal(asked, asks[i].request);
	}
	assert_int_equal(state_of(&r), LK_PLEDGE_ONBOARDED);
	assert_int_equal(next(&r), LK_DO_END);
	assert_string_equal(lk_buf_str(&r.path), " voucher voucher-status cacerts csrattrs enroll "
						 "reconnect enroll-status information"
						 " onboarded");
	assert_true(lk_pledge_credentials(r.pledge, &got, &e).ok);
	assert_true(lk_slice_eq(lk_cert_spki(got.ldevid), lk_key_spki(r.key)));
	assert_true(lk_cert_eq(got.pinned, pki_cert(&cast.domain)));
	assert_string_equal(got.onboarding->leaf.network, "home");
	assert_int_equal(r.keys, 1);
	/* Nothing moves it from here. */
	lk_pledge_lost(r.pledge, &(struct lk_err){ .reason = LK_R_AGENT_CONNECT });
	assert_int_equal(state_of(&r), LK_PLEDGE_ONBOARDED);
}

/* An action is handed out once; until its event comes there is nothing to do. */
static void
test_each_action_once(void **state)
{
	static const enum lk_pledge_state states[] = { LK_PLEDGE_CONNECT, LK_PLEDGE_VOUCHER,
		LK_PLEDGE_STATUS, LK_PLEDGE_CACERTS, LK_PLEDGE_CSRATTRS, LK_PLEDGE_ENROLL,
		LK_PLEDGE_RECONNECT, LK_PLEDGE_ENROLL_STATUS, LK_PLEDGE_INFORMATION };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(states); i++) {
		LK_CLEANUP(run_done) struct run r;

		run_init(&r);
		walk_to(&r, states[i]);
		assert_int_not_equal(next(&r), LK_DO_NOTHING);
		assert_int_equal(next(&r), LK_DO_NOTHING);
	}
}

/* An event that the table has no row for ends the attempt. */
static void
test_events_out_of_order(void **state)
{
	static const enum lk_pledge_state waiting[] = { LK_PLEDGE_VOUCHER, LK_PLEDGE_STATUS,
		LK_PLEDGE_CACERTS, LK_PLEDGE_CSRATTRS, LK_PLEDGE_ENROLL, LK_PLEDGE_ENROLL_STATUS,
		LK_PLEDGE_INFORMATION };
	static const enum lk_pledge_state connecting[] = { LK_PLEDGE_CONNECT, LK_PLEDGE_RECONNECT };
	size_t i;

	(void)state;
	for (i = 0; i < 2 * LK_ARRAY_LEN(waiting); i++) {
		LK_CLEANUP(run_done) struct run r;

		run_init(&r);
		walk_to(&r, waiting[i / 2]);
		next(&r);
		if (i % 2)
			lk_pledge_connected(
				r.pledge, &cast.registrar.chain, LK_SLICE_ARRAY(binding));
		else
			lk_pledge_elapsed(r.pledge);
		assert_failed(&r, LK_R_PLEDGE_ORDER);
	}
	for (i = 0; i < 2 * LK_ARRAY_LEN(connecting); i++) {
		LK_CLEANUP(run_done) struct run r;

		run_init(&r);
		walk_to(&r, connecting[i / 2]);
		next(&r);
		answer(&r, i % 2 ? 200 : 404, LK_TYPE_VOUCHER, LK_SLICE_LIT("x"));
		assert_failed(&r, LK_R_PLEDGE_ORDER);
	}
}

/* A connection that breaks ends the attempt, in whatever state; the cause is remembered. */
static void
assert_ends_when_lost_in(enum lk_pledge_state s)
{
	LK_CLEANUP(run_done) struct run r;

	run_init(&r);
	walk_to(&r, s);
	next(&r);
	lk_pledge_lost(r.pledge, &(struct lk_err){ .reason = LK_R_AGENT_CONNECT, .msg = "x" });
	assert_failed(&r, LK_R_AGENT_CONNECT);
}

static void
test_a_broken_connection_ends_it(void **state)
{
	enum lk_pledge_state s;

	(void)state;
	for (s = LK_PLEDGE_CONNECT; s <= LK_PLEDGE_INFORMATION; s++)
		if (s != LK_PLEDGE_VOUCHER_LATER && s != LK_PLEDGE_ENROLL_LATER)
			assert_ends_when_lost_in(s);
}

/* --- the voucher request ---------------------------------------------------------------------- */

/*= RFC8995 5.2: the nonce is strong and new for each attempt and connection =*/
static void
test_nonces(void **state)
{
	LK_CLEANUP(run_done) struct run one, two;
	LK_CLEANUP(lk_buf_done) struct lk_buf first = LK_BUF_INIT(64), second = LK_BUF_INIT(64);
	size_t i;
	struct lk_err e;

	(void)state;
	run_init(&one);
	run_init(&two);
	ask_for_voucher(&one);
	ask_for_voucher(&two);
	assert_true(lk_base64_decode(lk_slice_str(one.nonce), LK_BASE64_STRICT, &first, &e).ok);
	assert_true(lk_base64_decode(lk_slice_str(two.nonce), LK_BASE64_STRICT, &second, &e).ok);
	assert_int_equal(first.n, 16); /* 128 bit, all of them from the random source */
	assert_int_equal(second.n, 16);
	for (i = 1; i < first.n; i++) {
		assert_int_equal((uint8_t)(first.p[i] - first.p[i - 1]), 1);
		assert_int_equal((uint8_t)(second.p[i] - second.p[i - 1]), 1);
	}
	assert_false(lk_slice_eq(lk_buf_slice(&first), lk_buf_slice(&second)));
}

/*= RFC8995 5.2: assertion is proximity, proximity-registrar-cert the end-entity of this
 * connection =*/
static void
test_the_request(void **state)
{
	LK_CLEANUP(run_done) struct run r;
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *q = NULL;
	struct lk_pledge_request_want want = { pki_cert(&cast.device), pki_cert(&cast.stranger) };
	struct lk_verified_pledge_request verified;
	struct lk_err e;

	(void)state;
	run_init(&r);
	connect_to(&r, &cast.stranger); /* whoever answers */
	assert_int_equal(next(&r), LK_DO_REQUEST);
	assert_true(lk_voucher_request_parse(r.action.body, &q, &e).ok);
	assert_true(lk_voucher_request_has(q, LK_REQUEST_ASSERTION));
	assert_int_equal(q->leaf.assertion, LK_ASSERTION_PROXIMITY);
	assert_true(lk_slice_eq(lk_buf_slice(&q->leaf.proximity_registrar_cert),
		lk_cert_der(pki_cert(&cast.stranger))));
	assert_string_equal(q->leaf.serial_number, PKI_SERIAL);
	assert_true(lk_voucher_request_has(q, LK_REQUEST_CREATED_ON));
	assert_int_equal(q->leaf.created_on, PKI_NOW);
	/* the signingTime is the device's own clock's too */
	assert_non_null(memmem(r.action.body.p, r.action.body.n, "260101120000Z", 13));
	assert_true(lk_pledge_request_check(q, &want, &verified, &e).ok);
}

/* A device that does not know what time it is does not say. */
static void
test_the_request_without_a_clock(void **state)
{
	LK_CLEANUP(run_done) struct run r = { .path = LK_BUF_INIT(4096), .now = 7 };
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *q = NULL;
	struct lk_pledge_settings s = usual(&r);
	struct lk_err e;

	(void)state;
	s.times = LK_TIMES_IGNORE;
	run_with(&r, &s);
	ask_for_voucher(&r);
	assert_true(lk_voucher_request_parse(r.action.body, &q, &e).ok);
	assert_false(lk_voucher_request_has(q, LK_REQUEST_CREATED_ON));
}

static void
test_a_registrar_without_certificate(void **state)
{
	const struct lk_certs none = { .n = 0 };
	LK_CLEANUP(run_done) struct run r;

	(void)state;
	run_init(&r);
	next(&r);
	lk_pledge_connected(r.pledge, &none, LK_SLICE_ARRAY(binding));
	assert_failed(&r, LK_R_VOUCHER_DOMAIN);
}

/* --- the voucher ------------------------------------------------------------------------------ */

/* Told at voucher_status; no key was made for who was not believed. */
static void
assert_no_voucher(struct run *r, const char *type, struct lk_slice body, enum lk_reason want)
{
	answer(r, 200, type, body);
	assert_reports(r, LK_EP_BRSKI_VOUCHER_STATUS, want);
	assert_int_equal(r->keys, 0);
}

static void
test_vouchers_that_are_refused(void **state)
{
	LK_CLEANUP(lk_freep)
	char *pin = pki_quoted_base64(lk_cert_der(pki_cert(&cast.stranger_ca)));
	LK_CLEANUP(lk_freep)
	char *aki = pki_quoted_base64(lk_cert_aki_ext(pki_cert(&cast.registrar)));
	const struct {
		const struct pki_id *signer;
		const char *name, *value;
		enum lk_reason reason;
	} bad[] = {
		{ &cast.stranger, NULL, NULL, LK_R_VOUCHER_SIGNER },
		{ &cast.registrar, NULL, NULL, LK_R_VOUCHER_SIGNER },
		{ &cast.masa, "serial-number", "\"LK-0002\"", LK_R_VOUCHER_SERIAL },
		{ &cast.masa, "nonce", "\"JrRJkyfhuSn3qXmTAqvWPA==\"", LK_R_VOUCHER_NONCE },
		{ &cast.masa, "nonce", NULL, LK_R_VOUCHER_NONCELESS },
		{ &cast.masa, "pinned-domain-cert", pin, LK_R_VOUCHER_DOMAIN },
		{ &cast.masa, "idevid-issuer", aki, LK_R_VOUCHER_ISSUER },
		{ &cast.masa, "created-on", "\"2027-01-01T00:00:00Z\"", LK_R_VOUCHER_CREATED },
		{ &cast.masa, "created-on", "\"yesterday\"", LK_R_VOUCHER_LEAF },
		{ &cast.masa, "expires-on", "\"2027-01-01T00:00:00Z\"",
			LK_R_VOUCHER_NONCE_EXPIRES },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		LK_CLEANUP(run_done) struct run r;
		LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

		run_init(&r);
		ask_for_voucher(&r);
		make_voucher(&r, bad[i].signer, bad[i].name, bad[i].value, &der);
		assert_no_voucher(&r, LK_TYPE_VOUCHER, lk_buf_slice(&der), bad[i].reason);
	}
}

/* Another attempt's voucher, though of the same device and registrar. */
static void
test_a_voucher_for_an_earlier_attempt(void **state)
{
	LK_CLEANUP(run_done) struct run one, two;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	run_init(&one);
	run_init(&two);
	ask_for_voucher(&one);
	ask_for_voucher(&two);
	make_voucher(&one, &cast.masa, NULL, NULL, &der);
	assert_no_voucher(&two, LK_TYPE_VOUCHER, lk_buf_slice(&der), LK_R_VOUCHER_NONCE);
}

static void
test_weak_assertions(void **state)
{
	LK_CLEANUP(run_done) struct run r = { .path = LK_BUF_INIT(4096), .now = PKI_NOW };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_pledge_settings s = usual(&r);

	(void)state;
	s.accept_assertions = 1u << LK_ASSERTION_VERIFIED;
	run_with(&r, &s);
	ask_for_voucher(&r);
	make_voucher(&r, &cast.masa, NULL, NULL, &der);
	assert_no_voucher(&r, LK_TYPE_VOUCHER, lk_buf_slice(&der), LK_R_VOUCHER_ASSERTION);
}

/* A nonceless voucher, where they are taken: until it expires. */
static void
test_nonceless_vouchers(void **state)
{
	static const char *const expiries[] = { "\"2026-01-01T12:20:00Z\"",
		"\"2026-01-01T11:59:30Z\"" };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(expiries); i++) {
		LK_CLEANUP(run_done) struct run r = { .path = LK_BUF_INIT(4096), .now = PKI_NOW };
		LK_CLEANUP(lk_freep) char *text = NULL;
		LK_CLEANUP(lk_freep)
		char *pin = pki_quoted_base64(lk_cert_der(pki_cert(&cast.domain)));
		LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
		struct lk_pledge_settings s = usual(&r);
		const struct pki_member members[] = {
			{ "created-on", "\"2026-01-01T11:59:00Z\"" },
			{ "expires-on", expiries[i] },
			{ "assertion", "\"logged\"" },
			{ "serial-number", "\"" PKI_SERIAL "\"" },
			{ "pinned-domain-cert", pin },
		};

		s.accept_nonceless = true;
		run_with(&r, &s);
		ask_for_voucher(&r);
		text = pki_json("ietf-voucher:voucher", members, LK_ARRAY_LEN(members), NULL, NULL);
		pki_cms_sign(&(struct pki_cms){ .text = text, .signer = &cast.masa }, &der);
		if (i == 1) {
			assert_no_voucher(
				&r, LK_TYPE_VOUCHER, lk_buf_slice(&der), LK_R_VOUCHER_EXPIRED);
			continue;
		}
		answer(&r, 200, LK_TYPE_VOUCHER, lk_buf_slice(&der));
		assert_int_equal(state_of(&r), LK_PLEDGE_STATUS);
	}
}

static void
test_envelopes(void **state)
{
	LK_CLEANUP(lk_freep) char *text = pki_voucher_text(&cast, NULL, NULL);
	const struct {
		struct pki_cms cms;
		enum lk_reason reason;
	} bad[] = {
		{ { .text = text }, LK_R_CMS_SIGNERS },
		{ { .text = text, .signer = &cast.masa, .second = &cast.stranger },
			LK_R_CMS_SIGNERS },
		{ { .text = "{", .signer = &cast.masa }, LK_R_JSON_SYNTAX },
		{ { .text = "{\"ietf-voucher:voucher\":{},\"ietf-voucher:voucher\":{}}",
			  .signer = &cast.masa },
			LK_R_JSON_DUPLICATE },
		{ { .text = "[[[[[[[[[[[[[[[[[[", .signer = &cast.masa }, LK_R_JSON_DEPTH },
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(run_done) struct run enveloped, trailed, typed;
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		LK_CLEANUP(run_done) struct run r;

		run_init(&r);
		ask_for_voucher(&r);
		lk_buf_clear(&der);
		pki_cms_sign(&bad[i].cms, &der);
		assert_no_voucher(&r, LK_TYPE_VOUCHER, lk_buf_slice(&der), bad[i].reason);
	}
	run_init(&enveloped);
	ask_for_voucher(&enveloped);
	lk_buf_clear(&der);
	pki_cms_envelop(text, &cast.device, &der);
	assert_no_voucher(&enveloped, LK_TYPE_VOUCHER, lk_buf_slice(&der), LK_R_CMS_TYPE);
	run_init(&trailed);
	ask_for_voucher(&trailed);
	lk_buf_clear(&der);
	make_voucher(&trailed, &cast.masa, NULL, NULL, &der);
	assert_true(lk_buf_append_str(&der, "x", &e).ok);
	assert_no_voucher(&trailed, LK_TYPE_VOUCHER, lk_buf_slice(&der), LK_R_CMS_SYNTAX);
	run_init(&typed);
	ask_for_voucher(&typed);
	lk_buf_clear(&der);
	make_voucher(&typed, &cast.masa, NULL, NULL, &der);
	assert_no_voucher(
		&typed, "application/voucher-cms+jsonx", lk_buf_slice(&der), LK_R_PLEDGE_ANSWER);
}

static void
test_the_first_line_of_a_refusal(void **state)
{
	LK_CLEANUP(run_done) struct run r;
	const char *msg;

	(void)state;
	run_init(&r);
	ask_for_voucher(&r);
	answer(&r, 403, LK_TYPE_TEXT, LK_SLICE_LIT("not here\nAsk the operator.\n"));
	msg = lk_pledge_error(r.pledge)->msg;
	assert_string_equal(strchr(msg, ':'), ": not here");
}

/* Told by the registrar that there is none: nothing is left to report. */
/*= Latchkey pledge: what an unverified registrar says is shown as plain characters =*/
static void
test_a_registrar_that_refuses(void **state)
{
	static const unsigned statuses[] = { 301, 400, 401, 403, 404, 500 };
	char loud[400];
	size_t i;

	(void)state;
	memset(loud, 'x', sizeof loud);
	memcpy(loud, "\033[2J\t\xff", 6);
	for (i = 0; i < LK_ARRAY_LEN(statuses); i++) {
		LK_CLEANUP(run_done) struct run r;
		const char *msg;

		run_init(&r);
		ask_for_voucher(&r);
		answer(&r, statuses[i], LK_TYPE_TEXT, LK_SLICE_ARRAY(loud));
		assert_failed(&r, LK_R_PLEDGE_REFUSED);
		msg = lk_pledge_error(r.pledge)->msg;
		assert_non_null(strstr(msg, ": ?[2J??xxx"));
		assert_int_equal(strlen(strchr(msg, ':') + 2), 160);
	}
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Walks to a state that may be told to wait, with its request in r.action. */
static void
about_to_wait(struct run *r, enum lk_pledge_state s)
{
	run_init(r);
	walk_to(r, s);
	assert_int_equal(next(r), LK_DO_REQUEST);
	if (s == LK_PLEDGE_VOUCHER)
		read_request(r);
}

static const enum lk_pledge_state patient[] = { LK_PLEDGE_VOUCHER, LK_PLEDGE_ENROLL };

/*= RFC8995 5.6: the pledge limits Retry-After to 60 seconds =*/
static void
test_how_long_it_waits(void **state)
{
	static const struct {
		unsigned told;
		int64_t waits_ms;
	} times[] = { { 0, 1000 }, { 1, 1000 }, { 5, 5000 }, { 60, 60000 }, { 61, 60000 },
		{ UINT32_MAX, 60000 } };
	size_t i, j;

	(void)state;
	for (j = 0; j < LK_ARRAY_LEN(patient); j++) {
		LK_CLEANUP(run_done) struct run r;

		about_to_wait(&r, patient[j]);
		for (i = 0; i < LK_ARRAY_LEN(times); i++) {
			r.ms += 12345;
			answer_later(&r, i % 2 ? 202 : 503, times[i].told);
			assert_int_equal(next(&r), LK_DO_WAIT);
			assert_int_equal(r.action.until_ms, r.ms + times[i].waits_ms);
			lk_pledge_elapsed(r.pledge);
			assert_int_equal(state_of(&r), patient[j]);
			assert_int_equal(next(&r), LK_DO_REQUEST);
		}
	}
}

/* The identical request: nothing is signed anew (RFC 8995 5.6, RFC 7030 4.2.3). */
static void
test_the_same_bytes_again(void **state)
{
	size_t j;

	(void)state;
	for (j = 0; j < LK_ARRAY_LEN(patient); j++) {
		LK_CLEANUP(run_done) struct run r;
		LK_CLEANUP(lk_buf_done) struct lk_buf first = LK_BUF_INIT(LK_CMS_MAX);
		unsigned keys;
		struct lk_err e;

		about_to_wait(&r, patient[j]);
		keys = r.keys;
		assert_true(lk_buf_append(&first, r.action.body, &e).ok);
		answer_later(&r, 202, 1);
		step(&r);
		r.now += 3600;
		assert_int_equal(next(&r), LK_DO_REQUEST);
		assert_true(lk_slice_eq(r.action.body, lk_buf_slice(&first)));
		assert_int_equal(r.keys, keys);
		r.now -= 3600;
		if (patient[j] == LK_PLEDGE_VOUCHER)
			give_voucher(&r);
		else
			give_ldevid(&r, &cast.domain, r.key);
		walk_to(&r, LK_PLEDGE_ONBOARDED);
	}
}

/*= RFC8995 5.6: a pledge stays in the 202 state for at most 4 days =*/
static void
test_at_most_four_days(void **state)
{
	size_t j;

	(void)state;
	for (j = 0; j < LK_ARRAY_LEN(patient); j++) {
		LK_CLEANUP(run_done) struct run r;

		about_to_wait(&r, patient[j]);
		r.ms = 0;
		answer_later(&r, 202, 60);
		step(&r);
		r.ms = DAYS_4 * 1000;
		r.now += 50 * 365 * PKI_DAY; /* the device's clock was set meanwhile */
		assert_int_equal(next(&r), LK_DO_REQUEST);
		answer_later(&r, 202, 60);
		step(&r);
		r.ms++;
		assert_int_equal(next(&r), LK_DO_REQUEST);
		answer_later(&r, 202, 60);
		assert_failed(&r, LK_R_PLEDGE_LATER);
	}
}

/* --- telemetry -------------------------------------------------------------------------------- */

/*= RFC8995 5.7: what the registrar answers to telemetry does not matter =*/
static void
test_answers_to_telemetry(void **state)
{
	static const unsigned statuses[] = { 200, 202, 204, 302, 401, 404, 500, 503 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(statuses); i++) {
		LK_CLEANUP(run_done) struct run r;

		run_init(&r);
		walk_to(&r, LK_PLEDGE_STATUS);
		next(&r);
		answer(&r, statuses[i], "", lk_slice(NULL, 0));
		assert_int_equal(state_of(&r), LK_PLEDGE_CACERTS);
		walk_to(&r, LK_PLEDGE_ENROLL_STATUS);
		next(&r);
		answer(&r, statuses[i], "", lk_slice(NULL, 0));
		assert_int_equal(state_of(&r), LK_PLEDGE_INFORMATION);
	}
}

/* Nobody is told what runs on the device before the registrar is authenticated; a failure never. */
/*= SEC-12: the device says which libraries it runs, over the LDevID's session only =*/
static void
test_libraries_are_told_to_the_network_alone(void **state)
{
	static const char said[] = "\"reason-context\":{\"libraries\":\"OpenSSL 3.0.17\"}";
	LK_CLEANUP(run_done) struct run r;

	(void)state;
	run_init(&r);
	walk_to(&r, LK_PLEDGE_STATUS);
	assert_int_equal(next(&r), LK_DO_REQUEST);
	assert_null(memmem(r.action.body.p, r.action.body.n, "OpenSSL", 7));
	answer(&r, 200, "", lk_slice(NULL, 0));
	walk_to(&r, LK_PLEDGE_ENROLL_STATUS);
	assert_int_equal(next(&r), LK_DO_REQUEST);
	assert_non_null(memmem(r.action.body.p, r.action.body.n, said, sizeof said - 1));
}

/* --- EST -------------------------------------------------------------------------------------- */

/* In state `s` this answer is refused, and told at enrollstatus: the voucher was fine. */
static void
assert_enrolment_fails(enum lk_pledge_state s, unsigned status, const char *type,
	struct lk_slice body, enum lk_reason want)
{
	LK_CLEANUP(run_done) struct run r;

	run_init(&r);
	walk_to(&r, s);
	next(&r);
	answer(&r, status, type, body);
	assert_reports(&r, LK_EP_BRSKI_ENROLLSTATUS, want);
}

/*= RFC8951 3.1: EST bodies are base64 whatever their headers say =*/
static void
test_est_bodies_are_base64(void **state)
{
	static const enum lk_pledge_state states[] = { LK_PLEDGE_CACERTS, LK_PLEDGE_CSRATTRS,
		LK_PLEDGE_ENROLL };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_err e;
	size_t i;

	(void)state;
	assert_true(lk_certs_print_pkcs7(&cast.domain.chain, &der, &e).ok);
	for (i = 0; i < LK_ARRAY_LEN(states); i++) {
		assert_enrolment_fails(
			states[i], 200, TYPE_CERTS, lk_buf_slice(&der), LK_R_SYNTAX_BASE64);
		assert_enrolment_fails(
			states[i], 200, TYPE_CERTS, LK_SLICE_LIT("AA=A"), LK_R_SYNTAX_BASE64);
	}
}

/*= RFC9110 8.3.1: type and subtype are in any case =*/
static void
test_types_in_any_case(void **state)
{
	LK_CLEANUP(run_done) struct run r;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	run_init(&r);
	ask_for_voucher(&r);
	make_voucher(&r, &cast.masa, NULL, NULL, &der);
	answer(&r, 200, "Application/Voucher-CMS+JSON; charset=binary", lk_buf_slice(&der));
	assert_int_equal(state_of(&r), LK_PLEDGE_STATUS);
}

static void
test_cacerts(void **state)
{
	(void)state;
	assert_enrolment_fails(
		LK_PLEDGE_CACERTS, 200, "text/html", LK_SLICE_LIT("AAAA"), LK_R_PLEDGE_ANSWER);
	assert_enrolment_fails(
		LK_PLEDGE_CACERTS, 200, TYPE_CERTS, LK_SLICE_LIT("AAAA"), LK_R_CERTS_ONLY);
	assert_enrolment_fails(
		LK_PLEDGE_CACERTS, 200, TYPE_CERTS, lk_slice(NULL, 0), LK_R_TOO_LARGE);
	assert_enrolment_fails(LK_PLEDGE_CACERTS, 404, "", lk_slice(NULL, 0), LK_R_PLEDGE_REFUSED);
	assert_enrolment_fails(LK_PLEDGE_CACERTS, 202, "", lk_slice(NULL, 0), LK_R_PLEDGE_REFUSED);
	assert_enrolment_fails(LK_PLEDGE_CACERTS, 503, "", lk_slice(NULL, 0), LK_R_PLEDGE_REFUSED);
}

/*= RFC7030 4.5.2: 404 says that the server asks for no attributes =*/
static void
test_csrattrs_that_are_none(void **state)
{
	static const unsigned none[] = { 404, 501, 204, 200 };
	static const unsigned refusals[] = { 202, 400, 401, 500, 503 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(none); i++) {
		LK_CLEANUP(run_done) struct run r;

		run_init(&r);
		walk_to(&r, LK_PLEDGE_CSRATTRS);
		next(&r);
		answer(&r, none[i], "", lk_slice(NULL, 0));
		walk_to(&r, LK_PLEDGE_ONBOARDED);
	}
	for (i = 0; i < LK_ARRAY_LEN(refusals); i++)
		assert_enrolment_fails(LK_PLEDGE_CSRATTRS, refusals[i], "", lk_slice(NULL, 0),
			LK_R_PLEDGE_REFUSED);
	assert_enrolment_fails(
		LK_PLEDGE_CSRATTRS, 200, "", LK_SLICE_LIT("AAAA"), LK_R_CSRATTRS_SYNTAX);
}

/* What is asked for stands in the CSR, beside the device's own serial number. */
static void
test_csrattrs_are_followed(void **state)
{
	const struct lk_csrattrs attrs = {
		.serial_number = true, .challenge_password = true, .san_uri = "urn:uuid:" DEVICE
	};
	struct lk_csr_want want = { .attrs = &attrs,
		.binding = LK_SLICE_ARRAY(binding),
		.serial_number = PKI_SERIAL,
		.san_uri = "urn:uuid:" DEVICE,
		.keys = 1u << LK_KEY_P256 };
	LK_CLEANUP(run_done) struct run r;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf csr_der = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *csr = NULL;
	struct lk_verified_csr verified;
	struct lk_err e;

	(void)state;
	run_init(&r);
	walk_to(&r, LK_PLEDGE_CSRATTRS);
	next(&r);
	assert_true(lk_csrattrs_build(&attrs, &der, &e).ok);
	assert_true(lk_base64_encode(lk_buf_slice(&der), &text, &e).ok);
	answer(&r, 200, LK_TYPE_CSRATTRS, lk_buf_slice(&text));
	assert_int_equal(next(&r), LK_DO_REQUEST);
	assert_true(lk_base64_decode(r.action.body, LK_BASE64_WHITESPACE, &csr_der, &e).ok);
	assert_true(lk_csr_parse(lk_buf_slice(&csr_der), &csr, &e).ok);
	if (!lk_csr_check(csr, &want, &verified, &e).ok)
		fail_msg("%s", e.msg);
	assert_true(lk_slice_eq(csr->spki, lk_key_spki(r.key)));
}

static void
test_no_room_for_a_key(void **state)
{
	LK_CLEANUP(run_done) struct run r;

	(void)state;
	run_init(&r);
	r.no_key = true;
	walk_to(&r, LK_PLEDGE_CSRATTRS);
	step(&r);
	assert_reports(&r, LK_EP_BRSKI_ENROLLSTATUS, LK_R_KEY_STORE);
}

/*= RFC7030 4.2.3: the certificate is for the key that was asked about =*/
static void
test_certificates(void **state)
{
	LK_CLEANUP(run_done) struct run other_key, other_ca;

	(void)state;
	run_init(&other_key);
	walk_to(&other_key, LK_PLEDGE_ENROLL);
	next(&other_key);
	give_ldevid(&other_key, &cast.domain, cast.device.key);
	assert_reports(&other_key, LK_EP_BRSKI_ENROLLSTATUS, LK_R_PLEDGE_CERTIFICATE);
	run_init(&other_ca);
	walk_to(&other_ca, LK_PLEDGE_ENROLL);
	next(&other_ca);
	give_ldevid(&other_ca, &cast.stranger_ca, other_ca.key);
	assert_reports(&other_ca, LK_EP_BRSKI_ENROLLSTATUS, LK_R_CERT_CHAIN);
	assert_enrolment_fails(
		LK_PLEDGE_ENROLL, 200, "text/plain", LK_SLICE_LIT("AAAA"), LK_R_PLEDGE_ANSWER);
	assert_enrolment_fails(
		LK_PLEDGE_ENROLL, 200, TYPE_CERTS, lk_slice(NULL, 0), LK_R_TOO_LARGE);
	assert_enrolment_fails(LK_PLEDGE_ENROLL, 403, "", lk_slice(NULL, 0), LK_R_PLEDGE_REFUSED);
}

/* --- with the LDevID -------------------------------------------------------------------------- */

static void
test_the_server_of_the_second_connection(void **state)
{
	const struct lk_certs none = { .n = 0 };
	LK_CLEANUP(run_done) struct run r;
	const struct lk_key *key;
	struct lk_cert *ldevid;
	const struct lk_certs *ca;
	struct lk_err e;

	(void)state;
	run_init(&r);
	walk_to(&r, LK_PLEDGE_RECONNECT);
	assert_int_equal(next(&r), LK_DO_CONNECT_LDEVID);
	assert_true(lk_pledge_check_server(r.pledge, &cast.registrar.chain, PKI_NOW, &e).ok);
	assert_true(lk_pledge_check_server(r.pledge, &cast.domain.chain, PKI_NOW, &e).ok);
	assert_refused(lk_pledge_check_server(r.pledge, &cast.stranger.chain, PKI_NOW, &e), e,
		LK_R_CERT_CHAIN);
	assert_refused(
		lk_pledge_check_server(r.pledge, &none, PKI_NOW, &e), e, LK_R_VOUCHER_DOMAIN);
	lk_pledge_ldevid(r.pledge, &key, &ldevid, &ca);
	assert_true(lk_slice_eq(lk_cert_spki(ldevid), lk_key_spki(key)));
	assert_true(lk_slice_eq(lk_key_spki(key), lk_key_spki(r.key)));
}

/* Without its onboarding information a device is not onboarded. */
static void
test_information(void **state)
{
	const struct {
		const struct pki_id *signer;
		const char *device, *type;
		enum lk_reason reason;
	} bad[] = {
		{ &cast.stranger, DEVICE, LK_TYPE_CMS, LK_R_ONBOARDING_SIGNER },
		{ &cast.registrar, "019b7f00-0000-7000-8000-000000000002", LK_TYPE_CMS,
			LK_R_ONBOARDING_DEVICE },
		{ &cast.registrar, DEVICE, LK_TYPE_JSON, LK_R_PLEDGE_ANSWER },
	};
	static const unsigned statuses[] = { 202, 404, 503 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad) + LK_ARRAY_LEN(statuses); i++) {
		LK_CLEANUP(run_done) struct run r;
		LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
		size_t s = i - LK_ARRAY_LEN(bad);

		run_init(&r);
		walk_to(&r, LK_PLEDGE_INFORMATION);
		next(&r);
		if (i < LK_ARRAY_LEN(bad)) {
			make_information(bad[i].signer, bad[i].device, &der);
			answer(&r, 200, bad[i].type, lk_buf_slice(&der));
		} else {
			answer(&r, statuses[s], LK_TYPE_CMS, lk_slice(NULL, 0));
		}
		assert_failed(&r, i < LK_ARRAY_LEN(bad) ? bad[i].reason : LK_R_PLEDGE_REFUSED);
	}
}

static int
setup(void **state)
{
	(void)state;
	pki_cast_init(&cast);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	pki_cast_done(&cast);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_whole_way),
		cmocka_unit_test(test_each_action_once),
		cmocka_unit_test(test_events_out_of_order),
		cmocka_unit_test(test_a_broken_connection_ends_it),
		cmocka_unit_test(test_nonces),
		cmocka_unit_test(test_the_request),
		cmocka_unit_test(test_the_request_without_a_clock),
		cmocka_unit_test(test_a_registrar_without_certificate),
		cmocka_unit_test(test_vouchers_that_are_refused),
		cmocka_unit_test(test_a_voucher_for_an_earlier_attempt),
		cmocka_unit_test(test_weak_assertions),
		cmocka_unit_test(test_nonceless_vouchers),
		cmocka_unit_test(test_envelopes),
		cmocka_unit_test(test_a_registrar_that_refuses),
		cmocka_unit_test(test_the_first_line_of_a_refusal),
		cmocka_unit_test(test_how_long_it_waits),
		cmocka_unit_test(test_the_same_bytes_again),
		cmocka_unit_test(test_at_most_four_days),
		cmocka_unit_test(test_answers_to_telemetry),
		cmocka_unit_test(test_libraries_are_told_to_the_network_alone),
		cmocka_unit_test(test_est_bodies_are_base64),
		cmocka_unit_test(test_types_in_any_case),
		cmocka_unit_test(test_cacerts),
		cmocka_unit_test(test_csrattrs_that_are_none),
		cmocka_unit_test(test_csrattrs_are_followed),
		cmocka_unit_test(test_no_room_for_a_key),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_the_server_of_the_second_connection),
		cmocka_unit_test(test_information),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
