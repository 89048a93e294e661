/* SPDX-License-Identifier: Apache-2.0
 *
 * The registrar of RFC 8995: voucher requests from pledges, vouchers from MASAs,
 * and what pledges report of both. Each handler follows its section's order.
 */
#include "noc/keeper/internal.h"

#include "artefact/telemetry.h"
#include "base/encode.h"
#include "crypto/digest.h"

#define MASA_PATH "/.well-known/brski" /* RFC 8995 2.3.2 */

static lk_turn_handler request_signed, voucher_came;

static const struct masa_operation requestvoucher = { "requestvoucher", LK_TYPE_VOUCHER, 32 * 1024,
	voucher_came };

/* --- POST requestvoucher ---------------------------------------------------------------------- */

/* RFC 8995 2.3.2: the extension's value, completed; an operator's override goes first. */
static struct lk_result
masa_url(const struct manufacturer *m, const struct lk_cert *idevid, const char *operation,
	char *dst, size_t cap, struct lk_err *e)
{
	char base[LK_URL_MAX];
	size_t end;
	int n;

	/*= RFC8995 5.4: the MASA URL can be overridden per manufacturer =*/
	if (m->record.masa_url[0])
		memcpy(base, m->record.masa_url, sizeof base);
	else
		LK_TRY(lk_cert_url(idevid, LK_OID_PE_MASA_URL, base, e));
	LK_REQUIRE(base[0], e, LK_R_MASA_URL,
		"the IDevID names no MASA, and none is configured for %s", m->record.id);
	for (end = strlen(base); end && base[end - 1] == '/'; end--)
		base[end - 1] = 0; /* https://masa.example/ is nothing but an authority */
	/*= RFC8995 2.3.2: without a slash the URL is an authority: https and /.well-known/brski are assumed =*/
	if (!strchr(base, '/'))
		n = snprintf(dst, cap, "https://%s" MASA_PATH "/%s", base, operation);
	else
		n = snprintf(dst, cap, "%s%s%s/%s", strstr(base, "://") ? "" : "https://", base,
			strstr(base, MASA_PATH) ? "" : MASA_PATH, operation);
	LK_REQUIRE(n > 0 && (size_t)n < cap, e, LK_R_MASA_URL, "the MASA's URL is too long");
	/*= RFC8995 2.3.2: the registrar uses https =*/
	LK_REQUIRE(
		strncmp(dst, "https://", 8) == 0, e, LK_R_MASA_URL, "%s is not an https URL", base);
	return LK_OK;
}

/* The pledge asks for the first time with these bytes: checked in the order of RFC 8995 5.2, 5.3.
 */
static struct lk_result
check_request(struct lk_turn *t, const struct lk_web_request_body *w, const struct identity *who,
	struct lk_voucher_request **ret, struct lk_err *e)
{
	const struct lk_keeper *k = keeper_of(t);
	struct lk_pledge_request_want want = { .idevid = who->cert };
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;
	struct lk_verified_pledge_request verified;

	LK_TRY(lk_voucher_request_parse(w->body, &r, e));
	want.registrar = lk_renewal_shown(
		k, lk_buf_slice(&r->leaf.proximity_registrar_cert), lk_turn_now(t));
	LK_TRY(lk_pledge_request_check(r, &want, &verified, e));
	*ret = LK_TAKE(r);
	return LK_OK;
}

/* Recorded first; then the signer is asked. */
static struct lk_result
ask_masa(struct lk_turn *t, const struct lk_device_record *d, const struct lk_run_record *run,
	const struct lk_cert *idevid, struct lk_err *e)
{
	struct lk_sign_voucher_request_body b = { .created_on = lk_turn_now(t) };

	LK_TRY(lk_keeper_event(t, "voucher-requested", d, run->id, "device",
		json_pack("{s:s,s:s}", "request_digest", run->request_digest, "nonce", run->nonce),
		&b.event, e));
	/*= RFC8995 5.5: serial-number comes from the IDevID in TLS, the nonce from the pledge =*/
	LK_TRY(lk_slice_to_str(
		lk_slice_str(d->serial), "serial", b.serial_number, sizeof b.serial_number, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(run->nonce), "nonce", b.nonce, sizeof b.nonce, e));
	b.idevid_issuer = lk_cert_aki_ext(idevid);
	b.prior_signed = lk_blob_slice(&run->pledge_request);
	return lk_turn_ask(t, LK_ROLE_SIGNER, LK_BODY_sign_voucher_request, &b, LK_BODY_signed,
		run->id, request_signed, e);
}

/* The MASA did not answer, or this process was started anew since it was asked. */
static struct lk_result
ask_again(struct lk_turn *t, const struct lk_run_record *run, const struct lk_cert *idevid,
	struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);

	memcpy(d.id, run->device_id, sizeof d.id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d.record, e));
	if (run->registrar_request.n)
		return lk_brski_fetch(t, &d, run, &requestvoucher, e);
	return ask_masa(t, &d, run, idevid, e);
}

/* The same bytes again: RFC 8995 5.6 has the pledge resend them while it is told 202. */
static struct lk_result
repeated(struct lk_turn *t, const struct lk_message_in *m, const struct identity *who,
	struct lk_run_record *run, struct lk_err *e)
{
	/*= RFC8995 5.2: the same request under another TLS identity is refused =*/
	LK_REQUIRE(strcmp(run->tls_peer, who->tls_peer) == 0, e, LK_R_REQUEST_REPLAYED,
		"this request came before, from another TLS client");
	LK_REQUIRE(!lk_run_is(run, "failed"), e, LK_R_REQUEST_STALE,
		"this request was refused or overtaken before");
	/*= RFC8995 5.6: the identical request is idempotent =*/
	if (run->voucher.n)
		return lk_keeper_reply(t, m, 200, LK_TYPE_VOUCHER, lk_blob_slice(&run->voucher), e);
	if (lk_run_is(run, "waiting"))
		return lk_keeper_reply_later(t, m, e);
	if (!lk_turn_asks(t, run->id))
		LK_TRY(ask_again(t, run, who->cert, e));
	return lk_turn_park(t, m, run->id, e);
}

static struct lk_result
first_time(struct lk_turn *t, const struct lk_message_in *m, const struct lk_web_request_body *w,
	const struct identity *who, const char *digest, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_record_done) struct lk_run_record run = LK_RECORD_INIT(run);
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;
	enum admission admission;

	LK_TRY(check_request(t, w, who, &r, e));
	/*= RFC8995 5.3: the registrar decides by local policy whether the pledge may join =*/
	LK_TRY(lk_admission(t, who, &d, &admission, e));
	LK_TRY(lk_device_begin(t, &d, e));
	LK_TRY(lk_run_open(t, w, who, &d, digest, r->leaf.nonce, admission, &run, e));
	if (admission == ADMIT_ASK) {
		LK_TRY(lk_keeper_event(
			t, "approval-needed", &d, run.id, "keeper", json_object(), NULL, e));
		return lk_keeper_reply_later(t, m, e);
	}
	LK_TRY(ask_masa(t, &d, &run, who->cert, e));
	return lk_turn_park(t, m, run.id, e);
}

struct lk_result
lk_brski_requestvoucher(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_run_record run = LK_RECORD_INIT(run);
	uint8_t md[LK_SHA256_LEN];
	struct identity who;
	bool found;

	LK_TRY(lk_identity_idevid(t, w, &who, e));
	lk_sha256_of(w->body, md);
	lk_hex(LK_SLICE_ARRAY(md), run.request_digest);
	LK_TRY(lk_store_find(lk_turn_store(t), LK_RUN_BY_DIGEST, &run.record, &found, e));
	if (found)
		return repeated(t, m, &who, &run, e);
	return first_time(t, m, w, &who, run.request_digest, e);
}

/* --- the way to the MASA and back ------------------------------------------------------------- */

/* The run and device of an answer; a run that is over by now is no failure: *ret_live is false. */
static struct lk_result
run_of(struct lk_turn *t, const char *id, const char *state, struct lk_run_record *run,
	struct lk_device_record *d, bool *ret_live, struct lk_err *e)
{
	LK_TRY(lk_slice_to_str(lk_slice_str(id), "run", run->id, sizeof run->id, e));
	LK_TRY(lk_store_get(lk_turn_store(t), LK_RUN_BY_ID, &run->record, e));
	memcpy(d->id, run->device_id, sizeof d->id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d->record, e));
	*ret_live = lk_run_is(run, state);
	return LK_OK;
}

/* The run ends here; whoever waits for it is told why. */
static struct lk_result
run_fails(struct lk_turn *t, struct lk_run_record *run, const struct lk_device_record *d,
	const char *type, const char *actor, const struct lk_err *why, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(2048);
	json_auto_t *payload = json_pack("{s:s}", "message", why->msg);
	LK_CLEANUP(lk_buf_done) struct lk_buf json = LK_BUF_INIT(LK_PAYLOAD_MAX);
	struct lk_event ev = { type, d->id, run->id, actor, why->reason, { NULL, 0 } };
	struct lk_web_reply_body reply;

	LK_REQUIRE(payload, e, LK_R_NOMEM, "no memory for an event");
	LK_TRY(lk_json_print(payload, &json, e));
	ev.payload = lk_buf_slice(&json);
	LK_TRY(lk_turn_event(t, &ev, NULL, e));
	/* What may succeed later leaves the run as it is: the pledge repeats its request. */
	if (lk_reason_info(why->reason)->category != LK_CAT_AGAIN)
		LK_TRY(lk_run_move(t, run, "failed", e));
	lk_keeper_refusal(why, &text, &reply);
	return lk_turn_answer(t, run->id, LK_BODY_web_reply, &reply, e);
}

static struct lk_result
list_certs(const struct lk_certs *certs, struct lk_buf *out, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < certs->n; i++)
		LK_TRY(lk_list_add(out, lk_cert_der(certs->v[i]), e));
	return LK_OK;
}

struct lk_result
lk_brski_fetch(struct lk_turn *t, const struct lk_device_record *d, const struct lk_run_record *run,
	const struct masa_operation *op, struct lk_err *e)
{
	const struct manufacturer *m = lk_identity_manufacturer(keeper_of(t), d->manufacturer_id);
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf anchors = LK_BUF_INIT(32 * 1024);
	struct lk_fetch_body f = { .method = "POST",
		.content_type = LK_TYPE_VOUCHER,
		.response_max = op->answer_max,
		.redirects_max = 1 };

	/*= A1.2: nothing leaves the network for a manufacturer that is not trusted =*/
	LK_REQUIRE(m && strcmp(m->record.trust, "trusted") == 0, e, LK_R_MANUFACTURER_DISTRUSTED,
		"manufacturer %s is not trusted any more", d->manufacturer_id);
	LK_TRY(lk_voucher_request_parse(lk_blob_slice(&run->pledge_request), &r, e));
	LK_TRY(masa_url(m, lk_cms_signer(r->cms), op->name, f.url, sizeof f.url, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(op->answer), "accept", f.accept, sizeof f.accept, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(m->record.id), "manufacturer", f.manufacturer,
		sizeof f.manufacturer, e));
	/*= RFC8995 5.4: the MASA's TLS certificate is verified with the manufacturer's anchors =*/
	LK_TRY(list_certs(&m->certs, &anchors, e));
	f.anchors = lk_buf_slice(&anchors);
	f.body = lk_blob_slice(&run->registrar_request);
	return lk_turn_ask(
		t, LK_ROLE_COURIER, LK_BODY_fetch, &f, LK_BODY_fetched, run->id, op->then, e);
}

static struct lk_result
request_signed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_run_record run = LK_RECORD_INIT(run);
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	const struct lk_signed_body *s = m->body;
	struct lk_err why = { 0 };
	bool live;

	LK_TRY(run_of(t, m->subject, "requested", &run, &d, &live, e));
	if (!live)
		return LK_OK;
	if (m->failed)
		return run_fails(t, &run, &d, "voucher-request-not-signed", "signer", m->failed, e);
	LK_TRY(lk_blob_set(&run.registrar_request, s->bytes, e));
	LK_TRY(lk_turn_put(t, &run.record, e));
	if (!lk_brski_fetch(t, &d, &run, &requestvoucher, &why).ok)
		return run_fails(t, &run, &d, "masa-not-asked", "keeper", &why, e);
	return LK_OK;
}

/* What the MASA's status means for the pledge: RFC 8995 5.6. */
static struct lk_result
check_status(const struct lk_fetched_body *f, struct lk_err *e)
{
	/*= RFC8995 5.6: a MASA that needs time is asked again; the pledge is told 202 =*/
	LK_REQUIRE(f->status != 202 && f->status != 503, e, LK_R_MASA_LATER,
		"the MASA answered %lld", (long long)f->status);
	LK_REQUIRE(f->status == 200, e, LK_R_MASA_REFUSED, "the MASA answered %lld: %.*s",
		(long long)f->status, (int)(f->body.n < 120 ? f->body.n : 120),
		(const char *)f->body.p);
	LK_REQUIRE(lk_media_type_is(f->content_type, requestvoucher.answer), e, LK_R_MASA_ANSWER,
		"the MASA answered with %s, want %s",
		f->content_type[0] ? f->content_type : "no type", requestvoucher.answer);
	LK_REQUIRE(f->body.n > 0, e, LK_R_MASA_ANSWER, "the MASA answered with an empty body");
	return LK_OK;
}

/* The registrar reads the voucher for its records and forwards it as it came; one that the pledge
 * is bound to refuse is a lie of the MASA's, and is told to the operator instead. */
static struct lk_result
audit_voucher(struct lk_turn *t, const struct lk_device_record *d, const struct lk_run_record *run,
	struct lk_slice bytes, struct lk_voucher **ret, struct lk_err *e)
{
	struct lk_keeper *k = keeper_of(t);
	const struct manufacturer *m = lk_identity_manufacturer(k, d->manufacturer_id);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;

	LK_REQUIRE(m, e, LK_R_MANUFACTURER_DISTRUSTED, "manufacturer %s was removed",
		d->manufacturer_id);
	LK_TRY(lk_voucher_parse(bytes, &v, e));
	/*= RFC8995 5.6: the registrar audits the voucher's signature, serial-number and nonce =*/
	LK_TRY(lk_voucher_verify(v, m->anchors, LK_TIMES_CHECK, lk_turn_now(t), e));
	LK_REQUIRE(strcmp(v->leaf.serial_number, d->serial) == 0, e, LK_R_VOUCHER_SERIAL,
		"serial-number is %s, want %s", v->leaf.serial_number, d->serial);
	LK_REQUIRE(!lk_json_has(v->leaf.present, LK_VOUCHER_NONCE) ||
			   strcmp(v->leaf.nonce, run->nonce) == 0,
		e, LK_R_VOUCHER_NONCE, "nonce is %s, want %s", v->leaf.nonce, run->nonce);
	LK_TRY(lk_voucher_check_domain(v, k->domain.registrar, LK_TIMES_CHECK, lk_turn_now(t), e));
	*ret = LK_TAKE(v);
	return LK_OK;
}

static struct lk_result
voucher_came(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_run_record run = LK_RECORD_INIT(run);
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;
	const struct lk_fetched_body *f = m->body;
	struct lk_web_reply_body reply = { .status = 200, .content_type = LK_TYPE_VOUCHER };
	struct lk_err why = { 0 };
	bool live;

	LK_TRY(run_of(t, m->subject, "requested", &run, &d, &live, e));
	if (!live)
		return LK_OK;
	if (m->failed) {
		/* Whatever is wrong on the way to it, the device may ask again. */
		lk_err_set(&why, LK_R_MASA_UNREACHABLE, "%s: %s",
			lk_reason_info(m->failed->reason)->symbol, m->failed->msg);
		return run_fails(t, &run, &d, "masa-unreachable", "courier", &why, e);
	}
	if (!check_status(f, &why).ok)
		return run_fails(t, &run, &d, "masa-refused", "masa", &why, e);
	if (!audit_voucher(t, &d, &run, f->body, &v, &why).ok)
		return run_fails(t, &run, &d, "voucher-refused", "keeper", &why, e);
	LK_TRY(lk_blob_set(&run.voucher, f->body, e));
	LK_TRY(lk_run_move(t, &run, "vouchered", e));
	/*= ONB-15: the mechanism that was used sets the assurance level, and is recorded =*/
	LK_TRY(lk_slice_to_str(
		lk_slice_str("brski"), "mechanism", d.mechanism, sizeof d.mechanism, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(lk_assertion_names[v->leaf.assertion]), "assurance",
		d.assurance, sizeof d.assurance, e));
	LK_TRY(lk_turn_put(t, &d.record, e));
	LK_TRY(lk_keeper_event(t, "voucher-received", &d, run.id, "masa",
		json_pack("{s:s,s:s,s:s}", "assertion", d.assurance, "address", f->address, "tls",
			f->tls),
		NULL, e));
	/*= RFC8995 5.6: the registrar forwards the voucher unchanged =*/
	reply.body = lk_blob_slice(&run.voucher);
	return lk_turn_answer(t, run.id, LK_BODY_web_reply, &reply, e);
}

/* The pledge comes back for its voucher by itself: it repeats its request. */
struct lk_result
lk_brski_resume(struct lk_turn *t, struct lk_run_record *run, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;

	if (!lk_run_is(run, "waiting"))
		return LK_OK;
	memcpy(d.id, run->device_id, sizeof d.id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d.record, e));
	/*= Latchkey run: its time starts when it leaves the waiting room =*/
	run->expires_at = lk_turn_now(t) + keeper_of(t)->set.run_seconds;
	LK_TRY(lk_run_move(t, run, "requested", e));
	LK_TRY(lk_voucher_request_parse(lk_blob_slice(&run->pledge_request), &r, e));
	return ask_masa(t, &d, run, lk_cms_signer(r->cms), e);
}

/* --- telemetry -------------------------------------------------------------------------------- */

struct lk_result
lk_brski_voucher_status(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_run_record run = LK_RECORD_INIT(run);
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_telemetry_done) struct lk_telemetry report = { 0 };
	struct identity who;

	LK_TRY(lk_identity_idevid(t, w, &who, e));
	LK_TRY(lk_telemetry_parse(w->body, &report, e));
	LK_TRY(lk_run_of_peer(t, who.tls_peer, &run, e));
	memcpy(d.id, run.device_id, sizeof d.id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d.record, e));
	LK_REQUIRE(run.voucher.n > 0, e, LK_R_RUN_ORDER, "no voucher was sent to this device");
	LK_TRY(lk_slice_to_str(lk_slice_str(report.status ? "accepted" : "refused"), "state",
		run.voucher_state, sizeof run.voucher_state, e));
	/*= RFC8995 5.7: voucher status telemetry is logged, unknown fields included =*/
	LK_TRY(lk_keeper_event(t, report.status ? "voucher-accepted" : "voucher-rejected", &d,
		run.id, "device", json_incref(report.json), NULL, e));
	if (report.status && lk_run_is(&run, "vouchered")) {
		LK_TRY(lk_run_move(t, &run, "accepted", e));
		LK_TRY(lk_audit_fetch(t, &run, e));
	} else if (!report.status && !lk_run_is_closed(&run)) {
		LK_TRY(lk_run_move(t, &run, "failed", e));
	}
	return lk_keeper_reply(t, m, 200, NULL, lk_slice(NULL, 0), e);
}

struct lk_result
lk_brski_enrollstatus(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_record_done) struct lk_run_record run = LK_RECORD_INIT(run);
	LK_CLEANUP(lk_telemetry_done) struct lk_telemetry report = { 0 };
	struct identity who;
	struct lk_err why = { 0 };
	bool matched;

	LK_TRY(lk_telemetry_parse(w->body, &report, e));
	/*= RFC8995 5.9.4: success is reported over a new TLS session with the LDevID =*/
	matched = lk_identity_ldevid(t, w, &who, &cert, &d, &why).ok;
	if (matched) {
		memcpy(run.id, cert.run_id, sizeof run.id);
		LK_TRY(lk_store_get(lk_turn_store(t), LK_RUN_BY_ID, &run.record, e));
	} else {
		LK_TRY(lk_identity_idevid(t, w, &who, e));
		LK_TRY(lk_run_of_peer(t, who.tls_peer, &run, e));
		memcpy(d.id, run.device_id, sizeof d.id);
		LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d.record, e));
	}
	/*= RFC8995 5.9.4: the server logs whether the client certificate matched =*/
	LK_TRY(lk_json_set(report.json, "client-certificate-matched", json_boolean(matched), e));
	LK_TRY(lk_keeper_event(t, report.status ? "enrolment-confirmed" : "enrolment-failed", &d,
		run.id, "device", json_incref(report.json), NULL, e));
	if (!report.status && !lk_run_is_closed(&run)) {
		LK_TRY(lk_run_move(t, &run, "failed", e));
	} else if (report.status && matched && lk_run_is(&run, "enrolled")) {
		if (report.libraries[0])
			LK_TRY(lk_run_peer_library(&run, report.libraries, e));
		LK_TRY(lk_run_move(t, &run, "done", e));
	}
	return lk_keeper_reply(t, m, 200, NULL, lk_slice(NULL, 0), e);
}
