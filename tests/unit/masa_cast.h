/* SPDX-License-Identifier: Apache-2.0
 *
 * A manufacturer's service for its tests: the keeper on an in-memory store, the signer in the same
 * process, a clock that stands still and randomness that counts. Requests go in as a front hands
 * them over, replies come out as it gets them. masa_refuses() holds every refusal against all
 * that a refusal promises.
 */
#pragma once

#include "test.h"

#include <stdlib.h>

#include "base/encode.h"
#include "crypto/digest.h"
#include "masa/keeper/keeper.h"
#include "pki.h"
#include "role/signer.h"

#define MASA_LINE      "lamp"
#define MASA_DEVICE    "device-1"
#define MASA_OWNER     "owner-1"
#define MASA_STRANGERS "There is no voucher for this request.\n"
#define MASA_BODY_MAX  (1 << 20)

struct masa {
	struct lk_clock_fixed clock;
	struct pki_cast cast;
	struct lk_certs manufacturer; /* anchors: the cast's vendor, and what a test adds */
	struct lk_store *store;
	struct lk_signer *signer;
	struct lk_masa_keeper *keeper;
	uint32_t last_id;
	bool signer_down;
	unsigned signatures; /* the signer was asked for */
	uint32_t question;   /* its open question; 0: none */
	struct lk_buf signature;
	uint32_t first_id;              /* of the requests that wait */
	unsigned waiting;               /* requests without reply */
	unsigned vouchers;              /* replies with status 200 */
	struct lk_web_reply_body reply; /* the newest */
	struct lk_buf reply_body;
};

static struct lk_err masa_err;

#define MASA_OK(call)                                                                              \
	do {                                                                                       \
		if (!(call).ok)                                                                    \
			fail_msg("%s: %s", lk_reason_info(masa_err.reason)->symbol, masa_err.msg); \
	} while (0)
/* Into a fixed field. */
#define masa_set(field, text) \
	MASA_OK(lk_slice_to_str(lk_slice_str(text), #field, field, sizeof(field), &masa_err))

static inline void
masa_count_up(const struct lk_random *self, uint8_t *p, size_t n)
{
	static uint64_t next;

	(void)self;
	for (next++; n; n--)
		p[n - 1] = (uint8_t)(next >> (n % 8 * 8));
}

static const struct lk_random masa_random = { masa_count_up };

static inline void
masa_sign(struct masa *m, uint32_t id, struct lk_slice packed)
{
	struct lk_sign_voucher_body b;

	m->signatures++;
	m->question = id;
	lk_buf_clear(&m->signature);
	MASA_OK(lk_body_unpack(LK_BODY_sign_voucher, packed, &b, &masa_err));
	MASA_OK(lk_signer_sign(
		m->signer, LK_ROLE_KEEPER, LK_BODY_sign_voucher, &b, &m->signature, &masa_err));
}

static inline struct lk_result
masa_send(void *ctx, enum lk_turn_send kind, enum lk_role to, unsigned index, uint32_t id,
	enum lk_body type, struct lk_slice packed, struct lk_err *e)
{
	struct masa *m = ctx;

	(void)index;
	if (kind == LK_SEND_QUESTION) {
		assert_int_equal(to, LK_ROLE_SIGNER);
		assert_int_equal(type, LK_BODY_sign_voucher);
		masa_sign(m, id, packed);
		return LK_OK;
	}
	assert_int_equal(kind, LK_SEND_ANSWER);
	assert_int_equal(type, LK_BODY_web_reply);
	assert_in_range(id, m->first_id, m->last_id);
	assert_int_not_equal(m->waiting, 0);
	m->waiting--;
	LK_TRY(lk_body_unpack(type, packed, &m->reply, e));
	lk_buf_clear(&m->reply_body);
	LK_TRY(lk_buf_append(&m->reply_body, m->reply.body, e));
	m->reply.body = lk_buf_slice(&m->reply_body);
	m->vouchers += m->reply.status == 200;
	return LK_OK;
}

/* The signer's answer, when it was asked. */
static inline void
masa_settle(struct masa *m)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(MASA_BODY_MAX);
	struct lk_turn *turn = lk_masa_keeper_turn(m->keeper);
	struct lk_signed_body b;
	uint32_t id;

	MASA_OK(lk_turn_flush(turn, &masa_err));
	id = m->question;
	if (!id)
		return;
	m->question = 0;
	b.bytes = lk_buf_slice(&m->signature);
	if (m->signer_down) {
		struct lk_err why = { .reason = LK_R_ROLE_SILENT, .msg = "the signer is gone" };

		lk_turn_failed(turn, id, &why);
	} else {
		MASA_OK(lk_body_pack(LK_BODY_signed, &b, &packed, &masa_err));
		MASA_OK(lk_turn_receive(turn, LK_ROLE_SIGNER, 0, id, LK_BODY_signed,
			lk_buf_slice(&packed), &masa_err));
	}
	MASA_OK(lk_turn_flush(turn, &masa_err));
}

/* One request of a TLS client that showed `chain` (NULL: none); masa_settle() brings its reply. */
static inline void
masa_post(struct masa *m, enum lk_ep endpoint, const struct lk_certs *chain, struct lk_slice body)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf list = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(MASA_BODY_MAX);
	struct lk_web_request_body w = {
		.endpoint = endpoint, .tls_version = "TLSv1.3", .remote = "[2001:db8::1]:1"
	};
	size_t i;

	for (i = 0; chain && i < chain->n; i++)
		MASA_OK(lk_list_add(&list, lk_cert_der(chain->v[i]), &masa_err));
	w.chain = lk_buf_slice(&list);
	w.body = body;
	if (!m->waiting++)
		m->first_id = m->last_id + 1;
	MASA_OK(lk_body_pack(LK_BODY_web_request, &w, &packed, &masa_err));
	MASA_OK(lk_turn_receive(lk_masa_keeper_turn(m->keeper), LK_ROLE_FRONT, 0, ++m->last_id,
		LK_BODY_web_request, lk_buf_slice(&packed), &masa_err));
}

/* As masa_post(); its reply is in m->reply. */
static inline void
masa_ask(struct masa *m, enum lk_ep endpoint, const struct lk_certs *chain, struct lk_slice body)
{
	masa_post(m, endpoint, chain, body);
	masa_settle(m);
	assert_int_equal(m->waiting, 0);
}

/* --- the scene -------------------------------------------------------------------------------- */

static inline void
masa_spki(const struct lk_cert *c, char dst[static LK_DIGEST_HEX_MAX])
{
	uint8_t md[LK_SHA256_LEN];

	lk_sha256_of(lk_cert_spki(c), md);
	lk_hex(LK_SLICE_ARRAY(md), dst);
}

static inline void
masa_put(struct masa *m, struct lk_record *r)
{
	MASA_OK(lk_store_begin(m->store, &masa_err));
	MASA_OK(lk_store_put(m->store, r, &masa_err));
	MASA_OK(lk_store_commit(m->store, &masa_err));
}

static inline void
masa_add_domain(struct masa *m, const char *owner, const struct lk_cert *ca)
{
	LK_CLEANUP(lk_record_done) struct lk_owner_domain_record d = LK_RECORD_INIT(owner_domain);

	masa_spki(ca, d.spki);
	masa_set(d.owner_id, owner);
	masa_put(m, &d.record);
}

static inline void
masa_add_device(struct masa *m, const char *id, const struct lk_cert *idevid, const char *owner)
{
	LK_CLEANUP(lk_record_done) struct lk_masa_device_record d = LK_RECORD_INIT(masa_device);
	char serial[LK_CERT_NAME_MAX];

	lk_cert_subject(idevid, LK_OID_SERIAL_NUMBER, serial);
	masa_set(d.id, id);
	masa_set(d.serial, serial);
	masa_set(d.product_line, MASA_LINE);
	masa_set(d.owner_id, owner);
	lk_hex(lk_cert_aki(idevid), d.idevid_issuer);
	MASA_OK(lk_blob_set(&d.idevid, lk_cert_der(idevid), &masa_err));
	masa_put(m, &d.record);
}

static inline void
masa_set_claim(struct masa *m, const char *claim)
{
	LK_CLEANUP(lk_record_done) struct lk_product_line_record l = LK_RECORD_INIT(product_line);

	masa_set(l.id, MASA_LINE);
	masa_set(l.claim, claim);
	masa_put(m, &l.record);
}

/* The cast's device as MASA_DEVICE; its domain is MASA_OWNER's. */
static inline void
masa_own(struct masa *m)
{
	masa_add_domain(m, MASA_OWNER, pki_cert(&m->cast.domain));
	masa_add_device(m, MASA_DEVICE, pki_cert(&m->cast.device), MASA_OWNER);
}

static inline void
masa_start(struct masa *m, const struct lk_masa_settings *set)
{
	struct lk_signer_settings keys = { .node = "node", .site = "masa" };
	struct lk_signer_identity *voucher = &keys.identity[LK_SIGNER_VOUCHER];
	struct lk_masa_trust trust = { &m->manufacturer };
	struct lk_turn_settings turn = { .store = m->store,
		.clock = &m->clock.clock,
		.random = &masa_random,
		.send = masa_send,
		.send_ctx = m,
		.answer_ms = 1000,
		.park_ms = 1000 };

	voucher->key = lk_key_ref(m->cast.masa.key);
	lk_certs_copy(&m->cast.masa.chain, &voucher->chain);
	MASA_OK(lk_signer_new(&keys, &m->signer, &masa_err));
	MASA_OK(lk_masa_keeper_new(set, &trust, &turn, &m->keeper, &masa_err));
}

/* With the cast that is there. No device, no owner. `anchor`: of the manufacturer besides the
 * cast's vendor; may be NULL. */
static inline void
masa_open(struct masa *m, const struct lk_masa_settings *set, struct lk_cert *anchor)
{
	const struct lk_origin origin = { "masa", "node" };

	*m = (struct masa){ .cast = m->cast,
		.signature = LK_BUF_INIT(MASA_BODY_MAX),
		.reply_body = LK_BUF_INIT(MASA_BODY_MAX) };
	lk_clock_fixed_init(&m->clock, PKI_NOW);
	MASA_OK(lk_certs_add(&m->manufacturer, pki_cert(&m->cast.vendor), &masa_err));
	if (anchor)
		MASA_OK(lk_certs_add(&m->manufacturer, anchor, &masa_err));
	MASA_OK(lk_store_open_memory(LK_STORE_MASA, &origin, &m->store, &masa_err));
	masa_start(m, set);
}

/* With a cast of its own. */
static inline void
masa_init(struct masa *m, const struct lk_masa_settings *set, struct lk_cert *anchor)
{
	pki_cast_init(&m->cast);
	masa_open(m, set, anchor);
}

static inline void
masa_done(struct masa *m)
{
	lk_masa_keeper_free(m->keeper);
	lk_signer_free(m->signer);
	lk_store_close(m->store);
	lk_certs_done(&m->manufacturer);
	lk_buf_done(&m->signature);
	lk_buf_done(&m->reply_body);
	pki_cast_done(&m->cast);
}

/* --- what registrars ask ---------------------------------------------------------------------- */

/* What `device` signs for the cast's registrar, with one leaf changed. */
static inline void
masa_pledge_request(const struct masa *m, const struct pki_id *device, const char *name,
	const char *value, struct lk_buf *out)
{
	LK_CLEANUP(lk_freep) char *text = pki_pledge_text(&m->cast, name, value);

	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = device }, out);
}

/* What `registrar` signs, enclosing `prior`, with one leaf changed. */
static inline void
masa_registrar_request(const struct masa *m, const struct pki_id *registrar, struct lk_slice prior,
	const char *name, const char *value, struct lk_buf *out)
{
	LK_CLEANUP(lk_freep) char *text = pki_registrar_text(&m->cast, prior, name, value);

	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = registrar }, out);
}

/* As they come in every day: the device's request in the registrar's. */
static inline void
masa_request(const struct masa *m, struct lk_buf *out)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);

	masa_pledge_request(m, &m->cast.device, NULL, NULL, &prior);
	masa_registrar_request(m, &m->cast.registrar, lk_buf_slice(&prior), NULL, NULL, out);
}

/* --- what the store holds --------------------------------------------------------------------- */

static inline int64_t
masa_count(struct masa *m, enum lk_index index, struct lk_record *r)
{
	int64_t n;

	MASA_OK(lk_store_count(m->store, index, 0, r, &n, &masa_err));
	return n;
}

static inline void
masa_newest_event(struct masa *m, struct lk_event_record *ret)
{
	struct lk_scan scan = { .index = LK_EVENT_BY_SEQ, .descending = true };
	bool found;

	MASA_OK(lk_store_next(m->store, &scan, &ret->record, &found, &masa_err));
	assert_true(found);
}

static inline int64_t
masa_events(struct masa *m)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record r = LK_RECORD_INIT(event);

	return masa_count(m, LK_EVENT_BY_SEQ, &r.record);
}

static inline int64_t
masa_audit_entries(struct masa *m)
{
	LK_CLEANUP(lk_record_done) struct lk_audit_entry_record r = LK_RECORD_INIT(audit_entry);

	return masa_count(m, LK_AUDIT_ENTRY_BY_ID, &r.record);
}

/* Everything but the ledger as one text: how many records of each kind, and whose each device is.
 */
static inline void
masa_state(struct masa *m, struct lk_buf *out)
{
	LK_CLEANUP(lk_record_done) struct lk_masa_device_record d = LK_RECORD_INIT(masa_device);
	LK_CLEANUP(lk_record_done)
	struct lk_voucher_issued_record v = LK_RECORD_INIT(voucher_issued);
	LK_CLEANUP(lk_record_done) struct lk_owner_record o = LK_RECORD_INIT(owner);
	LK_CLEANUP(lk_record_done) struct lk_owner_domain_record od = LK_RECORD_INIT(owner_domain);
	LK_CLEANUP(lk_record_done) struct lk_product_line_record l = LK_RECORD_INIT(product_line);
	LK_CLEANUP(lk_record_done) struct lk_sale_record s = LK_RECORD_INIT(sale);
	struct lk_scan scan = { .index = LK_MASA_DEVICE_BY_ID };
	bool found;

	MASA_OK(lk_buf_printf(out, &masa_err, "%d %d %d %d %d %d;", (int)masa_audit_entries(m),
		(int)masa_count(m, LK_VOUCHER_ISSUED_BY_ID, &v.record),
		(int)masa_count(m, LK_OWNER_BY_ID, &o.record),
		(int)masa_count(m, LK_OWNER_DOMAIN_BY_SPKI, &od.record),
		(int)masa_count(m, LK_PRODUCT_LINE_BY_ID, &l.record),
		(int)masa_count(m, LK_SALE_BY_ID, &s.record)));
	for (;;) {
		MASA_OK(lk_store_next(m->store, &scan, &d.record, &found, &masa_err));
		if (!found)
			return;
		MASA_OK(lk_buf_printf(out, &masa_err, " %s=%s", d.id, d.owner_id));
	}
}

/* Refused for this reason: told with its status, one event in the ledger, nothing else changed,
 * nothing signed. */
static inline void
masa_refuses(struct masa *m, enum lk_ep endpoint, const struct lk_certs *chain,
	struct lk_slice body, enum lk_reason want)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	LK_CLEANUP(lk_buf_done) struct lk_buf before = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_buf_done) struct lk_buf after = LK_BUF_INIT(65536);
	int64_t events = masa_events(m);
	unsigned signatures = m->signatures;

	masa_state(m, &before);
	masa_ask(m, endpoint, chain, body);
	masa_state(m, &after);
	masa_newest_event(m, &ev);
	assert_string_equal(ev.reason, lk_reason_info(want)->symbol);
	assert_string_equal(ev.type, "refused");
	assert_non_null(memmem(ev.payload.p, ev.payload.n, "[2001:db8::1]:1", 15));
	assert_int_equal(m->reply.status, lk_reason_http_status(want));
	assert_string_equal(m->reply.content_type, LK_TYPE_TEXT);
	assert_int_equal(masa_events(m), events + 1);
	assert_string_equal(lk_buf_str(&after), lk_buf_str(&before));
	assert_int_equal(m->signatures, signatures);
}

/* As masa_refuses(), and the asker learns nothing of any device. */
static inline void
masa_refuses_strangers(
	struct masa *m, enum lk_ep endpoint, struct lk_slice body, enum lk_reason want)
{
	masa_refuses(m, endpoint, NULL, body, want);
	assert_int_equal(m->reply.status, 404);
	assert_int_equal(m->reply.retry_after, 0);
	assert_false(m->reply.close);
	assert_int_equal(m->reply.body.n, sizeof MASA_STRANGERS - 1);
	assert_memory_equal(m->reply.body.p, MASA_STRANGERS, sizeof MASA_STRANGERS - 1);
}
