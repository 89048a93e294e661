/* SPDX-License-Identifier: Apache-2.0
 *
 * The site of keeper_cast.h: messages in by the keeper's turn, messages out into fields that
 * tests look at.
 */
#include "keeper_cast.h"

#include <stdio.h>
#include <stdlib.h>

#include "artefact/audit_log.h"
#include "artefact/csr.h"
#include "base/encode.h"
#include "crypto/ossl.h"
#include "lifecycle/state.h"
#include "proto/endpoint.h"

#define PACKED_MAX (64 << 20)

/* --- what comes out --------------------------------------------------------------------------- */

static void
note_answer(struct site *s, enum lk_body type, struct lk_slice packed)
{
	union site_body b;

	lk_buf_clear(&s->packed);
	must_succeed(lk_buf_append(&s->packed, packed, e));
	must_succeed(lk_body_unpack(type, lk_buf_slice(&s->packed), &b, e));
	s->replied = true;
	if (type == LK_BODY_web_reply)
		s->reply = b.as_web_reply;
	else if (type == LK_BODY_grant_reply)
		s->grant = b.as_grant_reply;
	else if (type == LK_BODY_operator_reply)
		must_succeed(lk_json_parse(b.as_operator_reply.result, &s->result, e));
}

static void
note_question(
	struct site *s, enum lk_role to, uint32_t id, enum lk_body type, struct lk_slice packed)
{
	struct site_question *q = s->asked;

	while (q < s->asked + SITE_ASKED_MAX && q->open)
		q++;
	assert_true(q < s->asked + SITE_ASKED_MAX);
	q->open = true;
	q->to = to;
	q->id = id;
	q->type = type;
	lk_buf_clear(&q->packed);
	must_succeed(lk_buf_append(&q->packed, packed, e));
	must_succeed(lk_body_unpack(type, lk_buf_slice(&q->packed), &q->body, e));
	s->n_asked++;
}

static struct lk_result
send_out(void *ctx, enum lk_turn_send kind, enum lk_role to, unsigned index, uint32_t id,
	enum lk_body type, struct lk_slice packed, struct lk_err *e)
{
	struct site *s = ctx;
	struct lk_err why = { .reason = LK_R_NONE };

	(void)index;
	switch (kind) {
	case LK_SEND_ANSWER:
		note_answer(s, type, packed);
		break;
	case LK_SEND_REFUSAL:
		LK_TRY(lk_fail_unpack(packed, &why, e));
		s->refusal = why.reason;
		break;
	case LK_SEND_QUESTION:
		note_question(s, to, id, type, packed);
		break;
	case LK_SEND_EVENT:
		LK_REQUIRE(!s->told_gone, e, LK_R_IPC_GONE, "nobody follows");
		if (s->told)
			s->told(s->told_ctx, to, type, packed);
		break;
	}
	return LK_OK;
}

static size_t
room(void *ctx, enum lk_role to)
{
	const struct site *s = ctx;

	(void)to;
	return s->told_room;
}

/* --- what goes in ----------------------------------------------------------------------------- */

struct site_question *
site_question(struct site *s, enum lk_role to)
{
	struct site_question *oldest = NULL, *q;

	for (q = s->asked; q < s->asked + SITE_ASKED_MAX; q++)
		if (q->open && q->to == to && (!oldest || q->id < oldest->id))
			oldest = q;
	return oldest;
}

static void
sign(struct site *s, struct site_question *q)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(PACKED_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf answer = LK_BUF_INIT(PACKED_MAX);
	struct lk_signed_body b;

	q->open = false;
	must_succeed(lk_signer_sign(s->signer, LK_ROLE_KEEPER, q->type, &q->body, &out, e));
	b.bytes = lk_buf_slice(&out);
	must_succeed(lk_body_pack(LK_BODY_signed, &b, &answer, e));
	must_succeed(lk_turn_receive(
		s->turn, LK_ROLE_SIGNER, 0, q->id, LK_BODY_signed, lk_buf_slice(&answer), e));
}

/* Commits; the signer answers at once. */
static void
settle(struct site *s)
{
	struct site_question *q;

	must_succeed(lk_turn_flush(s->turn, e));
	while (!s->signer_waits && (q = site_question(s, LK_ROLE_SIGNER))) {
		sign(s, q);
		must_succeed(lk_turn_flush(s->turn, e));
	}
}

static void
snapshot(struct site *s, struct lk_buf *out)
{
	unsigned kind;

	lk_buf_clear(out);
	for (kind = 0; kind < LK_KIND_COUNT; kind++) {
		const struct lk_record_type *type = &lk_record_types[kind];
		LK_CLEANUP(lk_record_freep) struct lk_record *r = NULL;
		struct lk_scan scan = { .index = type->key };
		bool found = !type->append_only && type->stores & LK_STORE_NOC;

		must_succeed(lk_record_new((enum lk_kind)kind, &r, e));
		while (found) {
			must_succeed(lk_store_next(s->store, &scan, r, &found, e));
			if (found)
				must_succeed(lk_record_pack(r, out, e));
		}
	}
}

static int64_t
head(struct site *s)
{
	struct lk_ledger_head h;

	must_succeed(lk_ledger_head(s->store, &h, e));
	return h.seq;
}

static void
look(struct site *s)
{
	snapshot(s, &s->before);
	s->head_before = head(s);
	s->asked_before = s->n_asked;
	s->replied = false;
	s->refusal = LK_R_NONE;
	json_decref(s->result);
	s->result = NULL;
}

static void
receive(struct site *s, enum lk_role from, uint32_t id, enum lk_body type, const void *body)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(PACKED_MAX);

	look(s);
	must_succeed(lk_body_pack(type, body, &packed, e));
	must_succeed(lk_turn_receive(s->turn, from, 0, id, type, lk_buf_slice(&packed), e));
	settle(s);
}

void
site_tell(struct site *s, enum lk_role from, enum lk_body type, const void *body)
{
	receive(s, from, 0, type, body);
}

void
site_answer(struct site *s, enum lk_role from, enum lk_body type, const void *body)
{
	struct site_question *q = site_question(s, from);

	assert_non_null(q);
	q->open = false;
	receive(s, from, q->id, type, body);
}

void
site_fail(struct site *s, enum lk_role from, enum lk_reason reason)
{
	struct site_question *q = site_question(s, from);
	struct lk_err why = { .reason = reason, .msg = "so says the test" };

	assert_non_null(q);
	q->open = false;
	look(s);
	lk_turn_failed(s->turn, q->id, &why);
	settle(s);
}

void
site_pass(struct site *s, int64_t seconds)
{
	look(s);
	s->clock.seconds += seconds;
	s->clock.ms += seconds * 1000;
	must_succeed(lk_keeper_tick(s->keeper, e));
	settle(s);
}

void
site_put(struct site *s, struct lk_record *r)
{
	must_succeed(lk_store_begin(s->store, e));
	must_succeed(lk_store_put(s->store, r, e));
	must_succeed(lk_store_commit(s->store, e));
}

/* --- life ------------------------------------------------------------------------------------- */

/* A Weyl sequence, its bits stirred: an id of many thousand is not met twice. */
static void
counting_fill(const struct lk_random *self, uint8_t *p, size_t n)
{
	static uint64_t count;
	uint64_t x;

	(void)self;
	while (n--) {
		x = count += UINT64_C(0x9e3779b97f4a7c15);
		x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
		*p++ = (uint8_t)(x >> 56);
	}
}
static const struct lk_random counting = { counting_fill };

static void
take_identity(struct lk_signer_identity *to, const struct pki_id *from)
{
	to->key = lk_key_ref(from->key);
	lk_certs_copy(&from->chain, &to->chain);
}

void
site_restart(struct site *s)
{
	struct lk_keeper_domain domain = { &s->pki.registrar.chain, s->former.n ? &s->former : NULL,
		&s->ca, pki_cert(&s->device_ca), pki_cert(&s->service_ca) };
	struct lk_turn_settings turn = { .store = s->store,
		.clock = &s->clock.clock,
		.random = &counting,
		.send = send_out,
		.room = room,
		.send_ctx = s,
		.answer_ms = 30000,
		.park_ms = 8000 };
	size_t i;

	for (i = 0; i < LK_OWN_COUNT; i++)
		domain.servers[i] = s->servers[i].n ? &s->servers[i] : NULL;
	s->keeper = lk_keeper_free(s->keeper);
	for (i = 0; i < SITE_ASKED_MAX; i++)
		s->asked[i].open = false;
	must_succeed(lk_keeper_new(&s->settings, &domain, &turn, &s->keeper, e));
	s->turn = lk_keeper_turn(s->keeper);
}

static void
put_manufacturer(struct site *s, const char *id, const struct pki_id *ca, const char *unknown)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record m = LK_RECORD_INIT(manufacturer);
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(LK_ANCHORS_MAX);

	set_text(m.id, id);
	set_text(m.trust, "trusted");
	set_text(m.unknown_devices, unknown);
	must_succeed(lk_cert_print_pem(pki_cert(ca), &pem, e));
	must_succeed(lk_blob_set(&m.anchors, lk_buf_slice(&pem), e));
	site_put(s, &m.record);
}

void
site_add_manufacturer(struct site *s, const char *id, const struct pki_id *ca, const char *unknown)
{
	put_manufacturer(s, id, ca, unknown);
	site_restart(s);
}

void
site_init(struct site *s, const char *unknown)
{
	static const uint8_t binding[32] = { 7 };
	const struct lk_origin origin = { "site", "node" };
	struct lk_signer_settings keys = {
		.onboarding = &s->onboarding, .node = "node", .site = "site"
	};
	size_t i;

	*s = (struct site){ .tls_version = "TLSv1.3",
		.user_agent = "",
		.remote = SITE_ADDRESS,
		.label = "",
		.authorization = "",
		.told_room = SIZE_MAX,
		.binding = LK_SLICE_ARRAY(binding),
		.packed = LK_BUF_INIT(PACKED_MAX),
		.before = LK_BUF_INIT(PACKED_MAX),
		.request = LK_BUF_INIT(PACKED_MAX),
		.voucher = LK_BUF_INIT(PACKED_MAX),
		.csr = LK_BUF_INIT(PACKED_MAX),
		.device = LK_RECORD_INIT(device),
		.run = LK_RECORD_INIT(run),
		.certificate = LK_RECORD_INIT(certificate),
		.event = LK_RECORD_INIT(event),
		.settings = { .run_seconds = 900,
			.ask_seconds = 4 * PKI_DAY,
			.ldevid_seconds = 30 * PKI_DAY,
			.service_seconds = 90 * PKI_DAY,
			.code_seconds = 900,
			.grant_seconds = 30,
			.session_seconds = 3600,
			.key_types = 1u << LK_KEY_P256,
			.retry_after = 7,
			.audit_required = true } };
	for (i = 0; i < SITE_ASKED_MAX; i++)
		s->asked[i].packed = LK_BUF_INIT(PACKED_MAX);
	lk_clock_fixed_init(&s->clock, PKI_NOW);
	pki_cast_init(&s->pki);
	pki_issue(
		&s->pki.domain, &(struct pki_spec){ .cn = "Device CA", .ca = true }, &s->device_ca);
	pki_issue(&s->pki.domain, &(struct pki_spec){ .cn = "Service CA", .ca = true },
		&s->service_ca);
	must_succeed(lk_certs_add(&s->ca, pki_cert(&s->pki.domain), e));
	must_succeed(lk_certs_add(&s->ca, pki_cert(&s->device_ca), e));
	set_text(s->onboarding.network, "home");
	s->onboarding.present = 1u << LK_ONBOARDING_NETWORK;
	take_identity(&keys.identity[LK_SIGNER_REGISTRAR], &s->pki.registrar);
	take_identity(&keys.identity[LK_SIGNER_DEVICE_CA], &s->device_ca);
	take_identity(&keys.identity[LK_SIGNER_SERVICE_CA], &s->service_ca);
	take_identity(&keys.identity[LK_SIGNER_SERVER_CA], &s->pki.domain);
	must_succeed(lk_signer_new(&keys, &s->signer, e));
	must_succeed(lk_key_ephemeral(LK_KEY_P256, &s->ldevid_key, e));
	must_succeed(lk_store_open_memory(LK_STORE_NOC, &origin, &s->store, e));
	put_manufacturer(s, SITE_VENDOR, &s->pki.vendor, unknown);
	site_restart(s);
}

void
site_done(struct site *s)
{
	size_t i;

	lk_keeper_free(s->keeper);
	lk_signer_free(s->signer);
	lk_store_close(s->store);
	lk_certs_done(&s->ca);
	for (i = 0; i < LK_OWN_COUNT; i++)
		lk_certs_done(&s->servers[i]);
	lk_certs_done(&s->former);
	lk_certs_done(&s->ldevid);
	lk_key_free(s->ldevid_key);
	pki_id_done(&s->device_ca);
	pki_id_done(&s->service_ca);
	pki_cast_done(&s->pki);
	json_decref(s->result);
	for (i = 0; i < SITE_ASKED_MAX; i++)
		lk_buf_done(&s->asked[i].packed);
	lk_buf_done(&s->packed);
	lk_buf_done(&s->before);
	lk_buf_done(&s->request);
	lk_buf_done(&s->voucher);
	lk_buf_done(&s->csr);
	lk_record_done(&s->device);
	lk_record_done(&s->run);
	lk_record_done(&s->certificate);
	lk_record_done(&s->event);
}

/* --- the device ------------------------------------------------------------------------------- */

int64_t
site_ask(struct site *s, const struct lk_certs *chain, enum lk_ep endpoint, struct lk_slice body)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf list = LK_BUF_INIT(PACKED_MAX);
	struct lk_web_request_body w = { .endpoint = endpoint,
		.tls_suite = "TLS_AES_128_GCM_SHA256",
		.tls_group = "secp256r1",
		.binding = s->binding,
		.body = body };
	static uint32_t id;
	size_t i;

	for (i = 0; chain && i < chain->n; i++)
		must_succeed(lk_list_add(&list, lk_cert_der(chain->v[i]), e));
	w.chain = lk_buf_slice(&list);
	set_text(w.tls_version, s->tls_version);
	set_text(w.user_agent, s->user_agent);
	set_text(w.remote, s->remote);
	set_text(w.label, s->label);
	set_text(w.authorization, s->authorization);
	receive(s, LK_ROLE_FRONT, ++id, LK_BODY_web_request, &w);
	return s->replied ? s->reply.status : 0;
}

int64_t
site_request_again(struct site *s)
{
	return site_ask(
		s, &s->pki.device.chain, LK_EP_BRSKI_REQUESTVOUCHER, lk_buf_slice(&s->request));
}

int64_t
site_request_voucher(struct site *s, const char *member, const char *value)
{
	LK_CLEANUP(lk_freep) char *text = pki_pledge_text(&s->pki, member, value);

	lk_buf_clear(&s->request);
	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = &s->pki.device }, &s->request);
	return site_request_again(s);
}

static void
make_csr(struct site *s)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	const struct lk_csr_spec spec = { .serial_number = PKI_SERIAL };

	must_succeed(lk_csr_build(&spec, s->ldevid_key, &der, e));
	must_succeed(lk_base64_encode(lk_buf_slice(&der), &s->csr, e));
}

int64_t
site_enrol(struct site *s)
{
	if (!s->csr.n)
		make_csr(s);
	return site_ask(s, &s->pki.device.chain, LK_EP_EST_SIMPLEENROLL, lk_buf_slice(&s->csr));
}

static void
add_name(X509_REQ *req, const char *name, const char *value)
{
	if (value)
		assert_true(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), name,
			MBSTRING_UTF8, (const uint8_t *)value, -1, -1, 0));
}

static void
add_extension(X509_REQ *req, const struct site_csr *r)
{
	LK_CLEANUP(X509_EXTENSION_freep)
	X509_EXTENSION *ext = r->ext ? X509V3_EXT_nconf(NULL, NULL, r->ext, r->value) : NULL;
	STACK_OF(X509_EXTENSION) *exts = NULL;

	if (!r->ext)
		return;
	assert_true(ext && X509v3_add_ext(&exts, ext, -1) && X509_REQ_add_extensions(req, exts));
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
}

void
site_make_csr(struct site *s, const struct lk_key *key, const struct site_csr *request)
{
	LK_CLEANUP(X509_REQ_freep) X509_REQ *req = X509_REQ_new();
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	const struct lk_key *by = request->signed_by ? request->signed_by : key;
	int n;

	add_name(req, "CN", request->cn);
	add_name(req, "serialNumber", request->serial_number);
	add_extension(req, request);
	assert_true(X509_REQ_set_pubkey(req, lk_key_evp(key)));
	assert_true(X509_REQ_sign(
		req, lk_key_evp(by), lk_key_type(by) == LK_KEY_ED25519 ? NULL : EVP_sha256()));
	n = i2d_X509_REQ(req, &der);
	assert_true(n > 0);
	lk_buf_clear(&s->csr);
	must_succeed(lk_base64_encode(lk_slice(der, (size_t)n), &s->csr, e));
}

struct lk_cert *
site_answered(struct site *s)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(PACKED_MAX);
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };

	assert_int_equal(s->reply.status, 200);
	assert_string_equal(s->reply.content_type, LK_TYPE_PKCS7_CERTS);
	must_succeed(lk_base64_decode(s->reply.body, LK_BASE64_WHITESPACE, &der, e));
	must_succeed(lk_certs_parse_pkcs7(lk_buf_slice(&der), &certs, e));
	assert_int_equal(certs.n, 1);
	return lk_cert_ref(certs.v[0]);
}

/* --- the others ------------------------------------------------------------------------------- */

void
site_masa(struct site *s, int64_t status, const char *type, struct lk_slice body)
{
	struct lk_fetched_body f = {
		.status = status, .address = "[2001:db8::1]:443", .tls = "TLSv1.3", .body = body
	};

	set_text(f.content_type, type);
	site_answer(s, LK_ROLE_COURIER, LK_BODY_fetched, &f);
}

void
site_masa_voucher(
	struct site *s, const struct pki_id *signer, const char *member, const char *value)
{
	LK_CLEANUP(lk_freep) char *text = pki_voucher_text(&s->pki, member, value);

	lk_buf_clear(&s->voucher);
	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = signer ? signer : &s->pki.masa },
		&s->voucher);
	site_masa(s, 200, LK_TYPE_VOUCHER, lk_buf_slice(&s->voucher));
}

void
site_masa_log(struct site *s, const struct pki_id *domain, const char *nonce)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf id = LK_BUF_INIT(LK_CERT_KEY_ID_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_AUDIT_LOG_MAX);
	LK_CLEANUP(lk_freep) char *base64 = NULL;
	struct lk_audit_event ev = { .date = PKI_NOW, .assertion = "logged" };
	struct lk_audit_log log = { .events = &ev, .n_events = 1 };

	must_succeed(lk_cert_domain_id(pki_cert(domain), &id, e));
	base64 = pki_base64(lk_buf_slice(&id));
	set_text(ev.domain_id, base64);
	set_text(ev.nonce, nonce ? nonce : "");
	must_succeed(lk_audit_log_build(&log, &text, e));
	site_masa(s, 200, LK_TYPE_JSON, lk_buf_slice(&text));
}

enum lk_reason
site_operate(struct site *s, const char *action, const char *fmt, ...)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf arguments = LK_BUF_INIT(LK_OPERATOR_ARGUMENTS_MAX);
	struct lk_operator_request_body o = { .actor = SITE_OPERATOR };
	static uint32_t id;
	va_list ap;

	va_start(ap, fmt);
	must_succeed(lk_buf_vprintf(&arguments, e, fmt, ap));
	va_end(ap);
	set_text(o.action, action);
	o.arguments = lk_buf_slice(&arguments);
	receive(s, LK_ROLE_DESK, ++id, LK_BODY_operator_request, &o);
	assert_true(s->result || s->refusal != LK_R_NONE);
	return s->refusal;
}

enum lk_reason
site_grant_for(struct site *s, const struct lk_grant_request_body *g)
{
	static uint32_t id;

	receive(s, LK_ROLE_AAA, ++id, LK_BODY_grant_request, g);
	return s->refusal;
}

enum lk_reason
site_grant(struct site *s, const char *port, const char *mac)
{
	const struct lk_certificate_record *c = site_certificate(s);
	struct lk_grant_request_body g = { .nas = "192.0.2.9", .identity = "anonymous" };

	set_text(g.issuer, c->issuer);
	set_text(g.serial, c->serial);
	set_text(g.port, port);
	set_text(g.mac, mac);
	return site_grant_for(s, &g);
}

void
site_port_event(struct site *s, enum lk_port_event kind, const char *port, const char *mac)
{
	struct lk_port_event_body p = { .kind = kind, .detail = "192.0.2.66" };

	set_text(p.port, port);
	set_text(p.mac, mac);
	receive(s, LK_ROLE_ENFORCER, 0, LK_BODY_port_event, &p);
}

/* --- as far as -------------------------------------------------------------------------------- */

static void
reach_requested(struct site *s)
{
	assert_int_equal(site_request_voucher(s, NULL, NULL), 0);
}

static void
reach_vouchered(struct site *s)
{
	site_masa_voucher(s, NULL, NULL, NULL);
	assert_int_equal(s->reply.status, 200);
}

static void
reach_accepted(struct site *s)
{
	assert_int_equal(site_ask(s, &s->pki.device.chain, LK_EP_BRSKI_VOUCHER_STATUS,
				 LK_SLICE_LIT("{\"version\":1,\"status\":true}")),
		200);
}

static void
reach_judged(struct site *s)
{
	site_masa_log(s, &s->pki.domain, PKI_NONCE);
	assert_string_equal(site_run(s)->audit_state, "clean");
}

static void
reach_enrolled(struct site *s)
{
	struct lk_cert *cert;

	assert_int_equal(site_enrol(s), 200);
	lk_certs_done(&s->ldevid);
	must_succeed(lk_cert_parse(lk_blob_slice(&site_certificate(s)->der), &cert, e));
	must_succeed(lk_certs_add(&s->ldevid, cert, e));
	lk_cert_free(cert);
}

static void
reach_done(struct site *s)
{
	assert_int_equal(site_ask(s, &s->ldevid, LK_EP_BRSKI_ENROLLSTATUS,
				 LK_SLICE_LIT("{\"version\":1,\"status\":true}")),
		200);
	assert_string_equal(site_run(s)->state, "done");
}

static void
reach_connected(struct site *s)
{
	assert_int_equal(site_grant(s, SITE_PORT, SITE_MAC), LK_R_NONE);
	site_port_event(s, LK_PORT_AUTHENTICATED, SITE_PORT, SITE_MAC);
	site_answer(s, LK_ROLE_ENFORCER, LK_BODY_port_done,
		&(struct lk_port_done_body){ .changed = true });
}

void
site_until(struct site *s, enum site_step step)
{
	static void (*const reach[])(struct site * s) = { reach_requested, reach_vouchered,
		reach_accepted, reach_judged, reach_enrolled, reach_done, reach_connected };
	unsigned i;

	for (i = 0; i <= step; i++)
		reach[i](s);
}

/* --- what is there ---------------------------------------------------------------------------- */

const struct lk_device_record *
site_device(struct site *s)
{
	set_text(s->device.manufacturer_id, SITE_VENDOR);
	set_text(s->device.serial, PKI_SERIAL);
	must_succeed(lk_store_get(s->store, LK_DEVICE_BY_SERIAL, &s->device.record, e));
	return &s->device;
}

const struct lk_run_record *
site_run(struct site *s)
{
	struct lk_scan scan = { .index = LK_RUN_BY_DEVICE, .prefix = 1, .descending = true };
	bool found;

	set_text(s->run.device_id, site_device(s)->id);
	must_succeed(lk_store_next(s->store, &scan, &s->run.record, &found, e));
	assert_true(found);
	return &s->run;
}

const struct lk_certificate_record *
site_certificate(struct site *s)
{
	struct lk_scan scan = {
		.index = LK_CERTIFICATE_BY_DEVICE, .prefix = 1, .descending = true
	};
	bool found;

	set_text(s->certificate.device_id, site_device(s)->id);
	must_succeed(lk_store_next(s->store, &scan, &s->certificate.record, &found, e));
	assert_true(found);
	return &s->certificate;
}

int64_t
site_count(struct site *s, enum lk_kind kind)
{
	LK_CLEANUP(lk_record_freep) struct lk_record *r = NULL;
	int64_t n;

	must_succeed(lk_record_new(kind, &r, e));
	must_succeed(lk_store_count(s->store, lk_record_types[kind].key, 0, r, &n, e));
	return n;
}

const struct lk_event_record *
site_event(struct site *s, const char *type)
{
	struct lk_scan scan = { .index = LK_EVENT_BY_SEQ, .descending = true };
	bool found;

	for (;;) {
		must_succeed(lk_store_next(s->store, &scan, &s->event.record, &found, e));
		if (!found)
			fail_msg("the ledger has no event \"%s\"", type);
		if (strcmp(s->event.type, type) == 0)
			return &s->event;
	}
}

bool
site_event_says(struct site *s, const char *type, const char *text)
{
	struct lk_slice payload = lk_blob_slice(&site_event(s, type)->payload);

	return payload.n && memmem(payload.p, payload.n, text, strlen(text));
}

static void
check_told(struct site *s, enum lk_reason reason, const char *file, int line)
{
	const char *symbol = lk_reason_info(reason)->symbol;

	if (!s->replied) { /* an operator or aaa; the enforcer's word has no answer */
		if (s->refusal != LK_R_NONE)
			_assert_string_equal(
				lk_reason_info(s->refusal)->symbol, symbol, file, line);
		return;
	}
	_assert_int_equal(
		(uint64_t)s->reply.status, (uint64_t)lk_reason_http_status(reason), file, line);
	if (s->reply.body.n < strlen(symbol) ||
		memcmp(s->reply.body.p, symbol, strlen(symbol)) != 0)
		_assert_string_equal((const char *)s->reply.body.p, symbol, file, line);
}

void
site_assert_refused(struct site *s, enum lk_reason reason, const char *file, int line)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf now = LK_BUF_INIT(PACKED_MAX);

	_assert_string_equal(
		site_event(s, "refused")->reason, lk_reason_info(reason)->symbol, file, line);
	_assert_int_equal((uint64_t)s->event.seq, (uint64_t)s->head_before + 1, file, line);
	_assert_int_equal((uint64_t)head(s), (uint64_t)s->head_before + 1, file, line);
	check_told(s, reason, file, line);
	snapshot(s, &now);
	_assert_int_equal(lk_slice_eq(lk_buf_slice(&now), lk_buf_slice(&s->before)), 1, file, line);
	_assert_int_equal(s->n_asked, s->asked_before, file, line);
}

void
site_assert_run_failed(
	struct site *s, const char *type, enum lk_reason reason, const char *file, int line)
{
	const char *symbol = lk_reason_info(reason)->symbol;

	_assert_string_equal(site_event(s, type)->reason, symbol, file, line);
	_assert_int_equal((uint64_t)s->event.seq > (uint64_t)s->head_before, 1, file, line);
	_assert_string_equal(site_run(s)->state, "failed", file, line);
	_assert_int_equal(s->run.voucher.n, 0, file, line);
	_assert_int_equal(s->n_asked, s->asked_before, file, line);
	check_told(s, reason, file, line);
}
