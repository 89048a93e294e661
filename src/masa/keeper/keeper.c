/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame of the MASA's keeper: which message goes to which rule, and what a
 * refusal looks like to strangers.
 */
#include "masa/keeper/internal.h"

#include <stdlib.h>

#include "role/refusals.h"

static masa_handler *const handlers[LK_EP_COUNT] = {
	[LK_EP_MASA_REQUESTVOUCHER] = lk_masa_requestvoucher,
	[LK_EP_MASA_REQUESTAUDITLOG] = lk_masa_requestauditlog,
	[LK_EP_FACTORY_DEVICES] = lk_masa_factory_devices,
	[LK_EP_FACTORY_SALES] = lk_masa_factory_sales,
};

static struct lk_result
web_request(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	const struct lk_web_request_body *w = m->body;

	LK_REQUIRE(w->endpoint >= 0 && w->endpoint < LK_EP_COUNT && handlers[w->endpoint], e,
		LK_R_NOT_OFFERED, "endpoint %lld is not served here", (long long)w->endpoint);
	return handlers[w->endpoint](t, m, w, e);
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
};

struct lk_result
lk_masa_reply(struct lk_turn *t, const struct lk_message_in *m, int status, const char *type,
	struct lk_slice body, struct lk_err *e)
{
	struct lk_web_reply_body r = { .status = status, .body = body };

	if (type)
		LK_TRY(lk_slice_to_str(lk_slice_str(type), "content type", r.content_type,
			sizeof r.content_type, e));
	return lk_turn_reply(t, m, LK_BODY_web_reply, &r, e);
}

/* Takes the payload, of a json_pack() that may have found no memory. */
static struct lk_result
append(struct lk_turn *t, struct lk_event *ev, json_t *payload, int64_t *ret_seq, struct lk_err *e)
{
	json_auto_t *owned = payload;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_PAYLOAD_MAX);

	LK_REQUIRE(owned, e, LK_R_NOMEM, "no memory for an event");
	LK_TRY(lk_json_print(owned, &text, e));
	ev->payload = lk_buf_slice(&text);
	return lk_turn_event(t, ev, ret_seq, e);
}

struct lk_result
lk_masa_event(struct lk_turn *t, const char *type, const char *device_id, const char *actor,
	json_t *payload, int64_t *ret_seq, struct lk_err *e)
{
	struct lk_event ev = { .type = type, .device_id = device_id, .actor = actor };

	return append(t, &ev, payload, ret_seq, e);
}

struct lk_result
lk_masa_failure(struct lk_turn *t, const char *type, const char *device_id, const char *actor,
	const struct lk_err *why, struct lk_err *e)
{
	struct lk_event ev = {
		.type = type, .device_id = device_id, .actor = actor, .reason = why->reason
	};

	return append(t, &ev, json_pack("{s:s}", "message", why->msg), NULL, e);
}

/* What would tell a stranger whether a device exists or whose it is. */
static bool
is_about_devices(enum lk_reason reason)
{
	return reason == LK_R_MASA_DEVICE_UNKNOWN || reason == LK_R_MASA_NOT_OWNER ||
	       reason == LK_R_MASA_NOT_FOR_SALE || reason == LK_R_MASA_DEVICE_KEY ||
	       reason == LK_R_MASA_NEVER_OWNER;
}

struct lk_result
lk_masa_refusal(const struct lk_err *why, struct lk_buf *text, struct lk_web_reply_body *ret,
	struct lk_err *e)
{
	const struct lk_reason_info *r = lk_reason_info(why->reason);

	if (is_about_devices(why->reason))
		/*= Latchkey MASA: strangers get one 404, byte for byte the same for every device =*/
		LK_TRY(lk_buf_append_str(text, "There is no voucher for this request.\n", e));
	else
		/*= RFC8995 5.6: an error body is human-readable UTF-8 text =*/
		LK_TRY(lk_buf_printf(text, e, "%s: %s (%s %s)\n%s\n", r->symbol, why->msg,
			r->clause.document, r->clause.section, r->cure));
	*ret = (struct lk_web_reply_body){ .status = lk_reason_http_status(why->reason),
		.content_type = LK_TYPE_TEXT,
		.body = lk_buf_slice(text) };
	if (r->category == LK_CAT_AGAIN || r->category == LK_CAT_NOMEM)
		ret->retry_after = LK_MASA_RETRY_AFTER;
	return LK_OK;
}

static struct lk_result
answer_refusal(struct lk_turn *t, const struct lk_message_in *m, const struct lk_err *why,
	struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(1024);
	struct lk_web_reply_body reply;

	if (m->type != LK_BODY_web_request)
		return LK_OK;
	LK_TRY(lk_masa_refusal(why, &text, &reply, e));
	return lk_turn_reply(t, m, LK_BODY_web_reply, &reply, e);
}

/*= Latchkey MASA: refusals go to the ledger, never into a device's audit log =*/
static struct lk_result
record_refusal(struct lk_turn *t, const struct lk_message_in *m, const struct lk_err *why,
	struct lk_err *e)
{
	json_auto_t *payload = json_pack("{s:s}", "message", why->msg);
	struct lk_event ev = {
		.type = "refused", .actor = lk_role_name(m->from), .reason = why->reason
	};

	if (m->body && m->type == LK_BODY_web_request) {
		const struct lk_web_request_body *w = m->body;

		LK_TRY(lk_json_set(payload, "remote", json_string(w->remote), e));
	}
	if (m->body && m->type == LK_BODY_refused)
		LK_TRY(lk_refusals_describe(m->body, payload, e));
	return append(t, &ev, LK_TAKE(payload), NULL, e);
}

static struct lk_result
overdue(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	struct lk_web_reply_body r = { .status = 503, .retry_after = LK_MASA_RETRY_AFTER };

	return lk_turn_reply(t, m, LK_BODY_web_reply, &r, e);
}

struct lk_result
lk_masa_keeper_new(const struct lk_masa_settings *settings, const struct lk_masa_trust *trust,
	const struct lk_turn_settings *turn, struct lk_masa_keeper **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_masa_keeper_freep) struct lk_masa_keeper *k = calloc(1, sizeof *k);
	struct lk_turn_settings ts = *turn;

	LK_REQUIRE(k, e, LK_R_NOMEM, "no memory for the keeper");
	k->set = *settings;
	LK_TRY(lk_anchors_new(trust->manufacturer, &k->manufacturer, e));
	ts.app = k;
	ts.routes = routes;
	ts.n_routes = LK_ARRAY_LEN(routes);
	ts.record_refusal = record_refusal;
	ts.answer_refusal = answer_refusal;
	ts.overdue = overdue;
	ts.committed = NULL;
	LK_TRY(lk_turn_new(&ts, &k->turn, e));
	*ret = LK_TAKE(k);
	return LK_OK;
}

struct lk_masa_keeper *
lk_masa_keeper_free(struct lk_masa_keeper *k)
{
	if (!k)
		return NULL;
	lk_masa_crls_done(&k->crls);
	lk_turn_free(k->turn);
	lk_anchors_free(k->manufacturer);
	free(k);
	return NULL;
}

struct lk_turn *
lk_masa_keeper_turn(struct lk_masa_keeper *k)
{
	return k->turn;
}

struct lk_result
lk_masa_keeper_tick(struct lk_masa_keeper *k, struct lk_err *e)
{
	(void)e;
	lk_turn_tick(k->turn);
	return LK_OK;
}
