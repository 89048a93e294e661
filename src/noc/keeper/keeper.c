/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper's frame: which message goes to which rule, what a refusal looks
 * like, how it starts and ends.
 */
#include "noc/keeper/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "proto/basic_auth.h"
#include "role/refusals.h"

#define SWEEP_SECONDS 10

/* The request of a device, by endpoint. What has no row does not exist. */
static web_handler *const web_handlers[LK_EP_COUNT] = {
	[LK_EP_BRSKI_REQUESTVOUCHER] = lk_brski_requestvoucher,
	[LK_EP_BRSKI_VOUCHER_STATUS] = lk_brski_voucher_status,
	[LK_EP_BRSKI_ENROLLSTATUS] = lk_brski_enrollstatus,
	[LK_EP_EST_CACERTS] = lk_est_cacerts,
	[LK_EP_EST_CSRATTRS] = lk_est_csrattrs,
	[LK_EP_EST_SIMPLEENROLL] = lk_est_simpleenroll,
	[LK_EP_EST_SIMPLEREENROLL] = lk_est_simplereenroll,
	[LK_EP_EST_SERVERKEYGEN] = lk_est_not_offered,
	[LK_EP_EST_FULLCMC] = lk_est_not_offered,
	[LK_EP_LABEL_CACERTS] = lk_plain_cacerts,
	[LK_EP_LABEL_CSRATTRS] = lk_plain_csrattrs,
	[LK_EP_LABEL_SIMPLEENROLL] = lk_plain_simpleenroll,
	[LK_EP_LABEL_SIMPLEREENROLL] = lk_plain_simplereenroll,
	[LK_EP_LABEL_SERVERKEYGEN] = lk_plain_not_offered,
	[LK_EP_LABEL_FULLCMC] = lk_plain_not_offered,
	[LK_EP_PREFIX_CACERTS] = lk_plain_cacerts,
	[LK_EP_PREFIX_SIMPLEENROLL] = lk_plain_simpleenroll,
	[LK_EP_PREFIX_SIMPLEREENROLL] = lk_plain_simplereenroll,
	[LK_EP_DECLARATION] = lk_onboarding_declaration,
	[LK_EP_ONBOARDING_INFORMATION] = lk_onboarding_information,
	[LK_EP_JOINED] = lk_onboarding_joined,
};

/* TLS has its version before a label is named, so that a front cannot hold one against the other.
 */
static struct lk_result
check_tls(const struct lk_keeper *k, const struct lk_web_request_body *w, struct lk_err *e)
{
	const struct lk_est_label *l = lk_est_label_find(&k->set.labels, w->label);

	/*= Latchkey confidentiality: TLS 1.2 is for the EST labels that ask for it =*/
	LK_REQUIRE(!k->set.tls12_at_labels_only || (l && l->tls12) ||
			   strcmp(w->tls_version, "TLSv1.3") == 0,
		e, LK_R_EST_LABEL_TLS, "%s was spoken, want TLSv1.3", w->tls_version);
	return LK_OK;
}

static struct lk_result
web_request(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	const struct lk_web_request_body *w = m->body;

	LK_REQUIRE(w->endpoint >= 0 && w->endpoint < LK_EP_COUNT && web_handlers[w->endpoint], e,
		LK_R_NOT_OFFERED, "endpoint %lld is not served here", (long long)w->endpoint);
	LK_TRY(check_tls(keeper_of(t), w, e));
	return web_handlers[w->endpoint](t, m, w, e);
}

/*= Latchkey refusals: what never became a request reaches the ledger, too =*/
static struct lk_result
refused_elsewhere(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	(void)t;
	return lk_refusals_raise(m->body, e);
}

static const struct lk_turn_route routes[] = {
	{ LK_ROLE_FRONT, LK_BODY_web_request, web_request },
	{ LK_ROLE_FRONT, LK_BODY_refused, refused_elsewhere },
	{ LK_ROLE_AAA, LK_BODY_refused, refused_elsewhere },
	{ LK_ROLE_DESK, LK_BODY_refused, refused_elsewhere },
	{ LK_ROLE_FRONT, LK_BODY_get_crl, lk_crls_get },
	{ LK_ROLE_FRONT, LK_BODY_get_chain, lk_renewal_get },
	{ LK_ROLE_COURIER, LK_BODY_get_chain, lk_renewal_get },
	{ LK_ROLE_SIGNER, LK_BODY_get_chain, lk_renewal_get },
	{ LK_ROLE_DESK, LK_BODY_get_chain, lk_renewal_get },
	{ LK_ROLE_AAA, LK_BODY_get_chain, lk_renewal_get },
	{ LK_ROLE_AAA, LK_BODY_grant_request, lk_access_grant },
	{ LK_ROLE_DESK, LK_BODY_operator_request, lk_operator_request },
	{ LK_ROLE_DESK, LK_BODY_subscribe, lk_stream_subscribe },
	{ LK_ROLE_ENFORCER, LK_BODY_port_event, lk_access_port_event },
};

struct lk_result
lk_keeper_reply(struct lk_turn *t, const struct lk_message_in *m, int status, const char *type,
	struct lk_slice body, struct lk_err *e)
{
	struct lk_web_reply_body r = { .status = status, .body = body };

	if (type)
		LK_TRY(lk_slice_to_str(lk_slice_str(type), "content type", r.content_type,
			sizeof r.content_type, e));
	return lk_turn_reply(t, m, LK_BODY_web_reply, &r, e);
}

struct lk_result
lk_keeper_reply_later(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	struct lk_web_reply_body r = { .status = 202,
		.retry_after = keeper_of(t)->set.retry_after };

	return lk_turn_reply(t, m, LK_BODY_web_reply, &r, e);
}

/* Whether an enrolment code would have been an answer to this refusal. */
static bool
wants_code(enum lk_reason reason)
{
	return reason == LK_R_EST_AUTH || reason == LK_R_BASIC_AUTH || reason == LK_R_EST_CODE ||
	       reason == LK_R_EST_CODE_OVER || reason == LK_R_EST_CODE_USED;
}

/* RFC 8995 5.2: behind a 401 the connection ends. Whoever proved an identity is told the reason and
 * its clause; the text is short, because it is read by people at a console. */
void
lk_keeper_refusal(const struct lk_err *why, struct lk_buf *text, struct lk_web_reply_body *ret)
{
	const struct lk_reason_info *r = lk_reason_info(why->reason);

	*ret = (struct lk_web_reply_body){ .status = lk_reason_http_status(why->reason) };
	/*= RFC7030 3.2.3: HTTP authentication is asked for by 401 and WWW-Authenticate =*/
	if (wants_code(why->reason))
		snprintf(ret->challenge, sizeof ret->challenge, "%s", LK_CHALLENGE_BASIC);
	/*= RFC8995 5.2: after a 401 the registrar closes the connection =*/
	ret->close = ret->status == 401 && !ret->challenge[0];
	if (r->category == LK_CAT_AGAIN || r->category == LK_CAT_NOMEM)
		ret->retry_after = 5;
	/*= RFC8995 5.6: an error body is human-readable UTF-8 text =*/
	if (lk_buf_printf(text, NULL, "%s: %s (%s %s)\n%s\n", r->symbol, why->msg,
		    r->clause.document, r->clause.section, r->cure)
			.ok) {
		snprintf(ret->content_type, sizeof ret->content_type, "%s", LK_TYPE_TEXT);
		ret->body = lk_buf_slice(text);
	}
}

struct lk_result
lk_keeper_event(struct lk_turn *t, const char *type, const struct lk_device_record *d,
	const char *run_id, const char *actor, json_t *payload, int64_t *ret_seq, struct lk_err *e)
{
	json_auto_t *owned = payload;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_PAYLOAD_MAX);
	struct lk_event ev = {
		.type = type, .device_id = d ? d->id : NULL, .run_id = run_id, .actor = actor
	};

	/*= Latchkey ledger: what cannot be recorded in full does not happen =*/
	LK_REQUIRE(
		owned, e, LK_R_JSON_MEMBER, "an event cannot be written: no memory, or not UTF-8");
	LK_TRY(lk_json_print(owned, &text, e));
	ev.payload = lk_buf_slice(&text);
	return lk_turn_event(t, &ev, ret_seq, e);
}

/* What was refused, from where, and why: for the auditor. Certificates are named by their subject,
 * bodies by their digest. */
static struct lk_result
record_refusal(struct lk_turn *t, const struct lk_message_in *m, const struct lk_err *why,
	struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_PAYLOAD_MAX);
	json_auto_t *payload = json_object();
	char device[LK_ID_MAX] = "";
	struct lk_event ev = {
		.type = "refused", .actor = lk_role_name(m->from), .reason = why->reason
	};

	LK_TRY(lk_json_set(payload, "message", json_string(why->msg), e));
	if (m->body && m->type == LK_BODY_web_request) {
		const struct lk_web_request_body *w = m->body;

		LK_TRY(lk_json_set(payload, "remote", json_string(w->remote), e));
		if (w->endpoint >= 0 && w->endpoint < LK_EP_COUNT)
			LK_TRY(lk_json_set(payload, "request",
				json_string(lk_endpoint_info((enum lk_ep)w->endpoint)->path), e));
		if (w->label[0])
			LK_TRY(lk_json_set(payload, "label", json_string(w->label), e));
		/*= Latchkey refusals: what a known device is refused for stands in its timeline =*/
		LK_TRY(lk_identity_describe(t, w, payload, device, e));
	}
	if (m->body && m->type == LK_BODY_refused)
		LK_TRY(lk_refusals_describe(m->body, payload, e));
	if (m->body && m->type == LK_BODY_grant_request) {
		const struct lk_grant_request_body *g = m->body;

		LK_TRY(lk_json_set(payload, "port", json_string(g->port), e));
		LK_TRY(lk_json_set(payload, "mac", json_string(g->mac), e));
		LK_TRY(lk_json_set(payload, "certificate", json_string(g->serial), e));
	}
	LK_TRY(lk_json_print(payload, &text, e));
	ev.payload = lk_buf_slice(&text);
	ev.device_id = device[0] ? device : NULL;
	return lk_turn_event(t, &ev, NULL, e);
}

/* Each of them gets an answer: what is owed one takes a place in its channel. Events and answers are
 * not answered. */
static bool
is_question(enum lk_body type)
{
	return type == LK_BODY_grant_request || type == LK_BODY_operator_request ||
	       type == LK_BODY_get_crl || type == LK_BODY_get_chain;
}

static struct lk_result
answer_refusal(struct lk_turn *t, const struct lk_message_in *m, const struct lk_err *why,
	struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(2048);
	struct lk_web_reply_body web;

	if (m->type == LK_BODY_web_request) {
		lk_keeper_refusal(why, &text, &web);
		return lk_turn_reply(t, m, LK_BODY_web_reply, &web, e);
	}
	return is_question(m->type) ? lk_turn_refuse(t, m, why, e) : LK_OK;
}

static struct lk_result
overdue(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	return lk_keeper_reply_later(t, m, e);
}

/* The two answers that never change while the process lives. */
static struct lk_result
prepare_answers(struct issuer *i, const struct lk_certs *cacerts, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERTS_MAX * LK_CERT_DER_MAX);

	LK_TRY(lk_certs_print_pkcs7(cacerts, &der, e));
	LK_TRY(lk_base64_encode(lk_buf_slice(&der), &i->cacerts, e));
	LK_TRY(lk_buf_append_str(&i->cacerts, "\n", e));
	LK_TRY(lk_base64_encode_wrapped(lk_buf_slice(&der), &i->cacerts_wrapped, e));
	lk_buf_clear(&der);
	LK_TRY(lk_csrattrs_build(&i->attrs, &der, e));
	LK_TRY(lk_base64_encode(lk_buf_slice(&der), &i->csrattrs, e));
	return lk_buf_append_str(&i->csrattrs, "\n", e);
}

/* cacerts NULL: the domain's root and the CA itself. */
static struct lk_result
prepare_issuer(struct lk_keeper *k, struct issuer *i, const struct lk_cert *ca,
	const struct lk_certs *cacerts, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs own = { .n = 0 }, path = { .n = 0 };
	struct lk_cert *shared =
		(struct lk_cert *)(uintptr_t)ca; /* only its references are counted */

	i->ca = ca;
	i->cacerts = i->cacerts_wrapped = i->csrattrs = LK_BUF_INIT(256 * 1024);
	LK_REQUIRE(lk_cert_ski(ca).n > 0 && lk_cert_ski(ca).n <= LK_CERT_KEY_ID_MAX, e,
		LK_R_CERT_PROFILE, "a CA has no subjectKeyIdentifier");
	lk_hex(lk_cert_ski(ca), i->id);
	LK_TRY(lk_certs_add(&own, shared, e));
	LK_TRY(lk_anchors_new(&own, &i->anchors, e));
	/*= RFC8995 5.9.2: the registrar says what the CSR has to have =*/
	i->attrs.keys = i->attrs.signatures = k->set.key_types;
	i->attrs.serial_number = i->profile == LK_PROFILE_LDEVID;
	LK_TRY(lk_certs_add(&path, k->domain.ca->v[0], e));
	LK_TRY(lk_certs_add(&path, shared, e));
	return prepare_answers(i, cacerts ? cacerts : &path, e);
}

static void
issuer_done(struct issuer *i)
{
	lk_anchors_free(i->anchors);
	lk_buf_done(&i->cacerts);
	lk_buf_done(&i->cacerts_wrapped);
	lk_buf_done(&i->csrattrs);
}

static struct lk_result
prepare_issuers(struct lk_keeper *k, struct lk_err *e)
{
	k->device_ca.profile = LK_PROFILE_LDEVID;
	k->device_ca.seconds = k->set.ldevid_seconds;
	LK_TRY(prepare_issuer(k, &k->device_ca, k->domain.device_ca, k->domain.ca, e));
	k->service_ca.profile = LK_PROFILE_SERVICE;
	k->service_ca.seconds = k->set.service_seconds;
	return k->domain.service_ca
		       ? prepare_issuer(k, &k->service_ca, k->domain.service_ca, NULL, e)
		       : LK_OK;
}

struct lk_result
lk_keeper_new(const struct lk_keeper_settings *settings, const struct lk_keeper_domain *domain,
	const struct lk_turn_settings *turn, struct lk_keeper **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_keeper_freep) struct lk_keeper *k = calloc(1, sizeof *k);
	struct lk_turn_settings ts = *turn;

	LK_REQUIRE(k, e, LK_R_NOMEM, "no memory for the keeper");
	k->set = *settings;
	k->domain = *domain;
	lk_stream_init(&k->follower);
	LK_TRY(prepare_issuers(k, e));
	lk_random_fill(turn->random, k->wrong_codes_salt, sizeof k->wrong_codes_salt);
	ts.app = k;
	ts.routes = routes;
	ts.n_routes = LK_ARRAY_LEN(routes);
	ts.record_refusal = record_refusal;
	ts.answer_refusal = answer_refusal;
	ts.overdue = overdue;
	ts.committed = lk_stream_committed;
	LK_TRY(lk_turn_new(&ts, &k->turn, e));
	LK_TRY(lk_identity_reload(k, e));
	LK_TRY(lk_crls_init(k, e));
	LK_TRY(lk_renewal_init(k, e));
	*ret = LK_TAKE(k);
	return LK_OK;
}

struct lk_keeper *
lk_keeper_free(struct lk_keeper *k)
{
	if (!k)
		return NULL;
	lk_stream_done(&k->follower);
	lk_identity_done(k);
	lk_crls_done(k);
	lk_renewal_done(k);
	lk_turn_free(k->turn);
	issuer_done(&k->device_ca);
	issuer_done(&k->service_ca);
	free(k);
	return NULL;
}

struct lk_turn *
lk_keeper_turn(struct lk_keeper *k)
{
	return k->turn;
}

struct lk_result
lk_keeper_tick(struct lk_keeper *k, struct lk_err *e)
{
	int64_t now = lk_turn_now(k->turn);

	lk_turn_tick(k->turn);
	LK_TRY(lk_crls_tick(k, e));
	LK_TRY(lk_renewal_tick(k, e));
	LK_TRY(lk_grants_sweep(k->turn, e));
	if (!has_passed(k->swept_at, SWEEP_SECONDS, now))
		return LK_OK;
	k->swept_at = now;
	LK_TRY(lk_runs_sweep(k->turn, e));
	return lk_identity_tick(k, e);
}
