/* SPDX-License-Identifier: Apache-2.0
 *
 * The pledge's machine. The table below is RFC 8995's Figure 4 and section 5.9 in
 * rows; each handler does one step. What a handler refuses goes to REPORT where
 * the registrar is to be told (5.7, 5.9.4), else to FAILED.
 */
#include "proto/pledge.h"

#include <assert.h>
#include <stdlib.h>

#include "artefact/telemetry.h"
#include "base/encode.h"
#include "proto/endpoint.h"

/* All timers of this machine. */
#define RETRY_AFTER_MAX 60              /* seconds; RFC 8995 5.6: "limited to 60" */
#define RETRY_AFTER_MIN 1               /* seconds; where a server says 0 or nothing */
#define LATER_MAX       (4 * 24 * 3600) /* seconds in the 202 state; RFC 8995 5.6: 4 days */

#define NONCE_OCTETS 16
#define ANSWER_MAX   (64 * 1024)
#define SHOWN_MAX    161 /* characters of a server's words, and the NUL */

enum event { EV_CONNECTED, EV_OK, EV_LATER, EV_REFUSED, EV_ELAPSED, EV_LOST };

struct response {
	unsigned status;
	const char *content_type;
	unsigned retry_after;
	struct lk_slice body;
	int64_t now, now_ms;
};

typedef struct lk_result step_fn(struct lk_pledge *p, const struct response *r, struct lk_err *e);

struct lk_pledge {
	struct lk_pledge_settings set;
	enum lk_pledge_state state;
	bool told; /* the state's action was handed out */
	struct lk_err error;
	int64_t now; /* of the last call */
	int64_t until_ms;
	bool waits;           /* a 202 came */
	int64_t later_end_ms; /* when it has waited for too long */
	char nonce[LK_VOUCHER_NONCE_MAX];
	struct lk_buf request;     /* the signed voucher request: sent again as it is */
	struct lk_certs registrar; /* of the provisional connection, as received */
	uint8_t binding[64];
	size_t binding_n;
	struct lk_buf voucher_der;
	struct lk_voucher *voucher;
	struct lk_verified_voucher verified;
	struct lk_anchors *domain; /* the pinned certificate alone */
	struct lk_buf body;        /* of telemetry */
	struct lk_certs ca;
	struct lk_csrattrs attrs;
	bool has_attrs;
	struct lk_key *key;
	struct lk_buf csr; /* base64: sent again as it is */
	struct lk_cert *ldevid;
	struct lk_buf information_der;
	struct lk_onboarding *information;
};

static step_fn request_voucher, take_voucher, send_again_later, refuse_voucher, accept_cacerts,
	accept_csrattrs, no_csrattrs, accept_certificate, refuse_certificate, accept_information,
	nothing, server_refused;

/*= RFC8995 5: the pledge's flow, from the provisional connection to the credential =*/
static const struct transition {
	enum lk_pledge_state state;
	enum event event;
	step_fn *step;
	enum lk_pledge_state next;
	enum lk_pledge_state on_failure;
} table[] = {
	/* 5.1, 5.2: connect provisionally, ask for a voucher */
	{ LK_PLEDGE_CONNECT, EV_CONNECTED, request_voucher, LK_PLEDGE_VOUCHER, LK_PLEDGE_FAILED },
	/* 5.6: 202 means the same request again, later; 5.6.1: verify; 5.7: tell */
	{ LK_PLEDGE_VOUCHER, EV_OK, take_voucher, LK_PLEDGE_STATUS, LK_PLEDGE_REPORT },
	{ LK_PLEDGE_VOUCHER, EV_LATER, send_again_later, LK_PLEDGE_VOUCHER_LATER,
		LK_PLEDGE_FAILED },
	{ LK_PLEDGE_VOUCHER, EV_REFUSED, refuse_voucher, LK_PLEDGE_FAILED, LK_PLEDGE_FAILED },
	{ LK_PLEDGE_VOUCHER_LATER, EV_ELAPSED, nothing, LK_PLEDGE_VOUCHER, LK_PLEDGE_FAILED },
	/*= RFC8995 5.7: what the registrar answers to telemetry does not matter =*/
	{ LK_PLEDGE_STATUS, EV_OK, nothing, LK_PLEDGE_CACERTS, LK_PLEDGE_FAILED },
	{ LK_PLEDGE_STATUS, EV_REFUSED, nothing, LK_PLEDGE_CACERTS, LK_PLEDGE_FAILED },
	/* 5.9.1, 5.9.2, 5.9.3: EST on the same connection */
	{ LK_PLEDGE_CACERTS, EV_OK, accept_cacerts, LK_PLEDGE_CSRATTRS, LK_PLEDGE_REPORT },
	{ LK_PLEDGE_CACERTS, EV_REFUSED, server_refused, LK_PLEDGE_REPORT, LK_PLEDGE_REPORT },
	{ LK_PLEDGE_CSRATTRS, EV_OK, accept_csrattrs, LK_PLEDGE_ENROLL, LK_PLEDGE_REPORT },
	{ LK_PLEDGE_CSRATTRS, EV_REFUSED, no_csrattrs, LK_PLEDGE_ENROLL, LK_PLEDGE_REPORT },
	{ LK_PLEDGE_ENROLL, EV_OK, accept_certificate, LK_PLEDGE_RECONNECT, LK_PLEDGE_REPORT },
	{ LK_PLEDGE_ENROLL, EV_LATER, send_again_later, LK_PLEDGE_ENROLL_LATER, LK_PLEDGE_FAILED },
	{ LK_PLEDGE_ENROLL, EV_REFUSED, refuse_certificate, LK_PLEDGE_REPORT, LK_PLEDGE_REPORT },
	{ LK_PLEDGE_ENROLL_LATER, EV_ELAPSED, nothing, LK_PLEDGE_ENROLL, LK_PLEDGE_FAILED },
	/* 5.9.4: success is told over a new session, with the new certificate */
	{ LK_PLEDGE_RECONNECT, EV_CONNECTED, nothing, LK_PLEDGE_ENROLL_STATUS, LK_PLEDGE_FAILED },
	{ LK_PLEDGE_ENROLL_STATUS, EV_OK, nothing, LK_PLEDGE_INFORMATION, LK_PLEDGE_FAILED },
	{ LK_PLEDGE_ENROLL_STATUS, EV_REFUSED, nothing, LK_PLEDGE_INFORMATION, LK_PLEDGE_FAILED },
	{ LK_PLEDGE_INFORMATION, EV_OK, accept_information, LK_PLEDGE_ONBOARDED, LK_PLEDGE_FAILED },
	{ LK_PLEDGE_INFORMATION, EV_REFUSED, server_refused, LK_PLEDGE_FAILED, LK_PLEDGE_FAILED },
	/* A failure was told, or could not be */
	{ LK_PLEDGE_REPORT, EV_OK, nothing, LK_PLEDGE_FAILED, LK_PLEDGE_FAILED },
	{ LK_PLEDGE_REPORT, EV_REFUSED, nothing, LK_PLEDGE_FAILED, LK_PLEDGE_FAILED },
};

const char *
lk_pledge_state_name(enum lk_pledge_state s)
{
	static const char *const names[LK_PLEDGE_STATE_COUNT] = { "connect", "voucher",
		"voucher-later", "voucher-status", "cacerts", "csrattrs", "enroll", "enroll-later",
		"reconnect", "enroll-status", "information", "report", "onboarded", "failed" };

	assert((unsigned)s < LK_PLEDGE_STATE_COUNT);
	return names[s];
}

/* The only writer of the state. */
static void
set_state(struct lk_pledge *p, enum lk_pledge_state next, const struct lk_err *why)
{
	if (p->set.trace)
		p->set.trace(p->set.ctx, p->state, next, why);
	p->state = next;
	p->told = false;
}

static void
fail(struct lk_pledge *p, enum lk_pledge_state next, const struct lk_err *why)
{
	if (p->error.reason == LK_R_NONE)
		p->error = *why; /* the first failure is the cause */
	set_state(p, next, why);
}

static void
happens(struct lk_pledge *p, enum event event, const struct response *r)
{
	struct lk_err e = { 0 };
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(table); i++) {
		const struct transition *t = &table[i];

		if (t->state != p->state || t->event != event)
			continue;
		if (t->step(p, r, &e).ok)
			set_state(p, t->next, NULL);
		else
			fail(p, t->on_failure, &e);
		return;
	}
	lk_err_set(&e, LK_R_PLEDGE_ORDER, "event %d has no place in state %s", (int)event,
		lk_pledge_state_name(p->state));
	fail(p, LK_PLEDGE_FAILED, &e);
}

/* --- the steps -------------------------------------------------------------------------------- */

static struct lk_result
nothing(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	(void)p;
	(void)r;
	(void)e;
	return LK_OK;
}

/*= RFC8995 5.2: the nonce is strong and new for each attempt and connection =*/
static struct lk_result
make_nonce(struct lk_pledge *p, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(sizeof p->nonce - 1);
	uint8_t octets[NONCE_OCTETS];

	lk_random_fill(p->set.random, octets, sizeof octets);
	LK_TRY(lk_base64_encode(LK_SLICE_ARRAY(octets), &text, e));
	return lk_slice_to_str(lk_buf_slice(&text), "nonce", p->nonce, sizeof p->nonce, e);
}

static struct lk_result
request_voucher(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	struct lk_voucher_request_leaves leaf = { 0 };
	char serial[LK_CERT_NAME_MAX];
	struct lk_slice server;

	(void)r;
	LK_REQUIRE(p->registrar.n > 0, e, LK_R_VOUCHER_DOMAIN, "the registrar sent no certificate");
	LK_TRY(make_nonce(p, e));
	leaf.present = 1u << LK_REQUEST_ASSERTION | 1u << LK_REQUEST_NONCE |
		       1u << LK_REQUEST_SERIAL_NUMBER | 1u << LK_REQUEST_PROXIMITY_REGISTRAR_CERT;
	/*= RFC8995 5.2: assertion is proximity, proximity-registrar-cert the end-entity of this connection =*/
	leaf.assertion = LK_ASSERTION_PROXIMITY;
	memcpy(leaf.nonce, p->nonce, sizeof p->nonce);
	lk_cert_subject(p->set.idevid->v[0], LK_OID_SERIAL_NUMBER, serial);
	LK_TRY(lk_slice_to_str(lk_slice_str(serial), "serial number", leaf.serial_number,
		sizeof leaf.serial_number, e));
	server = lk_cert_der(p->registrar.v[0]);
	leaf.proximity_registrar_cert =
		(struct lk_buf){ (uint8_t *)(uintptr_t)server.p, server.n, 0, server.n };
	if (p->set.times == LK_TIMES_CHECK) {
		leaf.present |= 1u << LK_REQUEST_CREATED_ON;
		leaf.created_on = p->now;
	}
	lk_buf_clear(&p->request);
	return lk_pledge_request_build(&leaf, p->set.idevid_key, p->set.idevid, &p->request, e);
}

static struct lk_result
check_type(const struct response *r, const char *want, struct lk_err *e)
{
	LK_REQUIRE(lk_media_type_is(r->content_type, want), e, LK_R_PLEDGE_ANSWER,
		"the answer is of type \"%s\", want %s", r->content_type, want);
	return LK_OK;
}

static struct lk_result
pin(struct lk_pledge *p, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs one = { .n = 0 };

	LK_TRY(lk_certs_add(&one, p->voucher->pinned, e));
	return lk_anchors_new(&one, &p->domain, e);
}

static struct lk_result
take_voucher(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	struct lk_voucher_want want = { .manufacturer = p->set.manufacturer,
		.times = p->set.times,
		.now = r->now,
		.idevid = p->set.idevid->v[0],
		.nonce = p->nonce,
		.accept_nonceless = p->set.accept_nonceless,
		.accept_assertions = p->set.accept_assertions,
		.registrar = &p->registrar };

	LK_TRY(check_type(r, LK_TYPE_VOUCHER, e));
	LK_TRY(lk_buf_append(&p->voucher_der, r->body, e));
	LK_TRY(lk_voucher_parse(r->body, &p->voucher, e));
	LK_TRY(lk_voucher_check(p->voucher, &want, &p->verified, e));
	return pin(p, e);
}

static struct lk_result
send_again_later(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	unsigned wait = r->retry_after;

	/* By the clock that nobody sets: the other one may be right for the first time while it
	 * waits. */
	if (!p->waits)
		p->later_end_ms = r->now_ms + LATER_MAX * INT64_C(1000);
	p->waits = true;
	/*= RFC8995 5.6: a pledge stays in the 202 state for at most 4 days =*/
	LK_REQUIRE(r->now_ms <= p->later_end_ms, e, LK_R_PLEDGE_LATER,
		"told to wait for more than %d days", LATER_MAX / 86400);
	/*= RFC8995 5.6: the pledge limits Retry-After to 60 seconds =*/
	if (wait > RETRY_AFTER_MAX)
		wait = RETRY_AFTER_MAX;
	if (wait < RETRY_AFTER_MIN)
		wait = RETRY_AFTER_MIN;
	p->until_ms = r->now_ms + (int64_t)wait * 1000;
	return LK_OK;
}

/* The first line of a server that nobody believes yet: shown and cut, never interpreted by a
 * terminal. What follows is for whom the server knows. */
static void
show(struct lk_slice in, char dst[static SHOWN_MAX])
{
	size_t i;

	for (i = 0; i < in.n && i < SHOWN_MAX - 1 && in.p[i] != '\n'; i++)
		dst[i] = (char)(in.p[i] >= ' ' && in.p[i] < 0x7f ? in.p[i] : '?');
	dst[i] = 0;
}

static struct lk_result
server_refused(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	char words[SHOWN_MAX];

	(void)p;
	/*= Latchkey pledge: what an unverified registrar says is shown as plain characters =*/
	show(r->body, words);
	return lk_fail(e, LK_R_PLEDGE_REFUSED, "the registrar answered %u: %s", r->status, words);
}

static struct lk_result
refuse_voucher(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	return server_refused(p, r, e);
}

static struct lk_result
refuse_certificate(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	return server_refused(p, r, e);
}

static struct lk_result
decode(const struct response *r, struct lk_buf *der, struct lk_err *e)
{
	/*= RFC8951 3.1: EST bodies are base64 whatever their headers say =*/
	return lk_base64_decode(r->body, LK_BASE64_WHITESPACE, der, e);
}

static struct lk_result
accept_cacerts(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(ANSWER_MAX);

	LK_TRY(check_type(r, "application/pkcs7-mime", e));
	LK_TRY(decode(r, &der, e));
	return lk_certs_parse_pkcs7(lk_buf_slice(&der), &p->ca, e);
}

/* The key is made when it is known which kind is asked for. */
static struct lk_result
make_csr(struct lk_pledge *p, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	char serial[LK_CERT_NAME_MAX];
	struct lk_csr_spec spec = { .serial_number = serial,
		.attrs = p->has_attrs ? &p->attrs : NULL,
		.binding = lk_slice(p->binding, p->binding_n) };

	lk_cert_subject(p->set.idevid->v[0], LK_OID_SERIAL_NUMBER, serial);
	LK_TRY(p->set.new_key(p->set.ctx, &p->key, e));
	LK_TRY(lk_csr_build(&spec, p->key, &der, e));
	return lk_base64_encode(lk_buf_slice(&der), &p->csr, e);
}

static struct lk_result
accept_csrattrs(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSRATTRS_MAX);

	/* RFC 8951 3.2: an empty answer (204) says that nothing is asked for. */
	if (r->body.n) {
		LK_TRY(decode(r, &der, e));
		LK_TRY(lk_csrattrs_parse(lk_buf_slice(&der), &p->attrs, e));
		p->has_attrs = true;
	}
	return make_csr(p, e);
}

static struct lk_result
no_csrattrs(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	/*= RFC7030 4.5.2: 404 says that the server asks for no attributes =*/
	LK_REQUIRE(r->status == 404 || r->status == 501, e, LK_R_PLEDGE_REFUSED,
		"the registrar answered %u when it was asked for CSR attributes", r->status);
	return make_csr(p, e);
}

static struct lk_result
accept_certificate(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(ANSWER_MAX);
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };

	LK_TRY(check_type(r, "application/pkcs7-mime", e));
	LK_TRY(decode(r, &der, e));
	LK_TRY(lk_certs_parse_pkcs7(lk_buf_slice(&der), &certs, e));
	/*= RFC7030 4.2.3: the certificate is for the key that was asked about =*/
	LK_REQUIRE(lk_slice_eq(lk_cert_spki(certs.v[0]), lk_key_spki(p->key)), e,
		LK_R_PLEDGE_CERTIFICATE, "the certificate is for another key");
	LK_TRY(lk_chain_verify(p->domain, certs.v[0], &p->ca, p->set.times, r->now, e));
	p->ldevid = lk_cert_ref(certs.v[0]);
	return LK_OK;
}

static struct lk_result
accept_information(struct lk_pledge *p, const struct response *r, struct lk_err *e)
{
	char serial[LK_CERT_NAME_MAX], device[LK_CERT_NAME_MAX];
	struct lk_onboarding_want want = { .domain = p->domain,
		.times = p->set.times,
		.now = r->now,
		.device = device,
		.serial_number = serial };
	struct lk_verified_onboarding verified;

	lk_cert_subject(p->set.idevid->v[0], LK_OID_SERIAL_NUMBER, serial);
	lk_cert_subject(p->ldevid, LK_OID_COMMON_NAME, device);
	LK_TRY(check_type(r, LK_TYPE_CMS, e));
	LK_TRY(lk_buf_append(&p->information_der, r->body, e));
	LK_TRY(lk_onboarding_parse(r->body, &p->information, e));
	return lk_onboarding_check(p->information, &want, &verified, e);
}

/* --- what is to be done ----------------------------------------------------------------------- */

/* The requests of the states that send one. */
static const struct {
	enum lk_pledge_state state;
	enum lk_ep endpoint;
	const char *accept;
} requests[] = {
	{ LK_PLEDGE_VOUCHER, LK_EP_BRSKI_REQUESTVOUCHER, LK_TYPE_VOUCHER },
	{ LK_PLEDGE_STATUS, LK_EP_BRSKI_VOUCHER_STATUS, NULL },
	{ LK_PLEDGE_CACERTS, LK_EP_EST_CACERTS, NULL },
	{ LK_PLEDGE_CSRATTRS, LK_EP_EST_CSRATTRS, NULL },
	{ LK_PLEDGE_ENROLL, LK_EP_EST_SIMPLEENROLL, NULL },
	{ LK_PLEDGE_ENROLL_STATUS, LK_EP_BRSKI_ENROLLSTATUS, NULL },
	{ LK_PLEDGE_INFORMATION, LK_EP_ONBOARDING_INFORMATION, LK_TYPE_CMS },
};

/* Once the registrar is authenticated it is told what runs here; until then that is nobody's
 * business (RFC 8995 5.7). */
static void
telemetry(struct lk_pledge *p)
{
	bool good = p->error.reason == LK_R_NONE;
	/*= SEC-12: the device says which libraries it runs, over the LDevID's session only =*/
	const char *libraries = p->state == LK_PLEDGE_ENROLL_STATUS ? p->set.libraries : NULL;

	lk_buf_clear(&p->body);
	lk_ignore(lk_telemetry_build(good, good ? NULL : lk_reason_info(p->error.reason)->symbol,
		libraries, &p->body, NULL));
}

static struct lk_slice
body_of(struct lk_pledge *p)
{
	switch (p->state) {
	case LK_PLEDGE_VOUCHER:
		return lk_buf_slice(&p->request);
	case LK_PLEDGE_ENROLL:
		return lk_buf_slice(&p->csr);
	case LK_PLEDGE_STATUS:
	case LK_PLEDGE_ENROLL_STATUS:
	case LK_PLEDGE_REPORT:
		telemetry(p);
		return lk_buf_slice(&p->body);
	case LK_PLEDGE_CONNECT:
	case LK_PLEDGE_VOUCHER_LATER:
	case LK_PLEDGE_CACERTS:
	case LK_PLEDGE_CSRATTRS:
	case LK_PLEDGE_ENROLL_LATER:
	case LK_PLEDGE_RECONNECT:
	case LK_PLEDGE_INFORMATION:
	case LK_PLEDGE_ONBOARDED:
	case LK_PLEDGE_FAILED:
	case LK_PLEDGE_STATE_COUNT:
		break;
	}
	return lk_slice(NULL, 0);
}

/* A failure is told where its subject is told: the voucher's until it verified, then enrolment's.
 */
static enum lk_ep
endpoint_of(const struct lk_pledge *p, const char **ret_accept)
{
	size_t i;

	*ret_accept = NULL;
	if (p->state == LK_PLEDGE_REPORT)
		return p->domain ? LK_EP_BRSKI_ENROLLSTATUS : LK_EP_BRSKI_VOUCHER_STATUS;
	for (i = 0; i < LK_ARRAY_LEN(requests); i++)
		if (requests[i].state == p->state) {
			*ret_accept = requests[i].accept;
			return requests[i].endpoint;
		}
	return LK_EP_COUNT;
}

static void
request(struct lk_pledge *p, struct lk_pledge_action *ret)
{
	enum lk_ep which = endpoint_of(p, &ret->accept);
	const struct lk_endpoint_info *info = lk_endpoint_info(which);

	ret->what = LK_DO_REQUEST;
	ret->method = info->method;
	ret->path = info->path;
	ret->content_type = info->media_type;
	ret->body = body_of(p);
}

void
lk_pledge_next(struct lk_pledge *p, int64_t now, int64_t now_ms, struct lk_pledge_action *ret)
{
	(void)now_ms;
	p->now = now;
	*ret = (struct lk_pledge_action){ .what = LK_DO_NOTHING };
	if (p->state == LK_PLEDGE_ONBOARDED || p->state == LK_PLEDGE_FAILED) {
		ret->what = LK_DO_END;
		return;
	}
	if (p->told)
		return;
	p->told = true;
	switch (p->state) {
	case LK_PLEDGE_CONNECT:
		ret->what = LK_DO_CONNECT_IDEVID;
		return;
	case LK_PLEDGE_RECONNECT:
		ret->what = LK_DO_CONNECT_LDEVID;
		return;
	case LK_PLEDGE_VOUCHER_LATER:
	case LK_PLEDGE_ENROLL_LATER:
		ret->what = LK_DO_WAIT;
		ret->until_ms = p->until_ms;
		return;
	case LK_PLEDGE_VOUCHER:
	case LK_PLEDGE_STATUS:
	case LK_PLEDGE_CACERTS:
	case LK_PLEDGE_CSRATTRS:
	case LK_PLEDGE_ENROLL:
	case LK_PLEDGE_ENROLL_STATUS:
	case LK_PLEDGE_INFORMATION:
	case LK_PLEDGE_REPORT:
		request(p, ret);
		return;
	case LK_PLEDGE_ONBOARDED:
	case LK_PLEDGE_FAILED:
	case LK_PLEDGE_STATE_COUNT:
		return;
	}
}

void
lk_pledge_connected(struct lk_pledge *p, const struct lk_certs *server, struct lk_slice binding)
{
	if (p->state == LK_PLEDGE_CONNECT) {
		lk_certs_copy(server, &p->registrar);
		p->binding_n = binding.n < sizeof p->binding ? binding.n : sizeof p->binding;
		memcpy(p->binding, binding.p, p->binding_n);
	}
	happens(p, EV_CONNECTED, NULL);
}

void
lk_pledge_response(struct lk_pledge *p, unsigned status, const char *content_type,
	unsigned retry_after, struct lk_slice body, int64_t now, int64_t now_ms)
{
	struct response r = { status, content_type, retry_after, body, now, now_ms };

	p->now = now;
	/* Only what a person may have to decide is waited for; elsewhere "later" is a refusal. */
	if ((status == 202 || status == 503) &&
		(p->state == LK_PLEDGE_VOUCHER || p->state == LK_PLEDGE_ENROLL))
		happens(p, EV_LATER, &r);
	else if (status == 202)
		happens(p, EV_REFUSED, &r);
	else
		happens(p, status >= 200 && status < 300 ? EV_OK : EV_REFUSED, &r);
}

void
lk_pledge_elapsed(struct lk_pledge *p)
{
	happens(p, EV_ELAPSED, NULL);
}

/* A broken connection ends the attempt, in whatever state: a provisional connection cannot be
 * resumed, because the next one might be somebody else's. */
void
lk_pledge_lost(struct lk_pledge *p, const struct lk_err *why)
{
	if (p->state != LK_PLEDGE_ONBOARDED && p->state != LK_PLEDGE_FAILED)
		fail(p, LK_PLEDGE_FAILED, why);
}

struct lk_result
lk_pledge_check_server(
	const struct lk_pledge *p, const struct lk_certs *server, int64_t now, struct lk_err *e)
{
	LK_REQUIRE(server->n > 0, e, LK_R_VOUCHER_DOMAIN, "the registrar sent no certificate");
	if (lk_cert_eq(server->v[0], p->voucher->pinned))
		return LK_OK;
	return lk_chain_verify(p->domain, server->v[0], server, p->set.times, now, e);
}

/* --- life ------------------------------------------------------------------------------------- */

struct lk_result
lk_pledge_new(const struct lk_pledge_settings *settings, struct lk_pledge **ret, struct lk_err *e)
{
	struct lk_pledge *p = calloc(1, sizeof *p);

	LK_REQUIRE(p, e, LK_R_NOMEM, "no memory for a pledge");
	p->set = *settings;
	p->request = p->voucher_der = p->csr = p->information_der = p->body =
		LK_BUF_INIT(ANSWER_MAX);
	*ret = p;
	return LK_OK;
}

struct lk_pledge *
lk_pledge_free(struct lk_pledge *p)
{
	if (!p)
		return NULL;
	lk_buf_done(&p->request);
	lk_certs_done(&p->registrar);
	lk_buf_done(&p->voucher_der);
	lk_voucher_free(p->voucher);
	lk_anchors_free(p->domain);
	lk_buf_done(&p->body);
	lk_certs_done(&p->ca);
	lk_key_free(p->key);
	lk_buf_done(&p->csr);
	lk_cert_free(p->ldevid);
	lk_buf_done(&p->information_der);
	lk_onboarding_free(p->information);
	free(p);
	return NULL;
}

enum lk_pledge_state
lk_pledge_state(const struct lk_pledge *p)
{
	return p->state;
}

const struct lk_err *
lk_pledge_error(const struct lk_pledge *p)
{
	return &p->error;
}

void
lk_pledge_ldevid(const struct lk_pledge *p, const struct lk_key **ret_key,
	struct lk_cert **ret_ldevid, const struct lk_certs **ret_ca)
{
	assert(p->ldevid);
	*ret_key = p->key;
	*ret_ldevid = p->ldevid;
	*ret_ca = &p->ca;
}

struct lk_result
lk_pledge_credentials(
	const struct lk_pledge *p, struct lk_pledge_credentials *ret, struct lk_err *e)
{
	LK_REQUIRE(p->state == LK_PLEDGE_ONBOARDED, e, LK_R_PLEDGE_ORDER,
		"the attempt stands at %s", lk_pledge_state_name(p->state));
	*ret = (struct lk_pledge_credentials){ p->key, p->ldevid, &p->ca, p->voucher->pinned,
		lk_buf_slice(&p->voucher_der), lk_buf_slice(&p->information_der), p->information };
	return LK_OK;
}
