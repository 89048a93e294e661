/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole path without a network: a pledge, a network's keeper and signer, a
 * MASA's keeper and signer, each the production code, on in-memory stores and a
 * clock that stands still. Messages travel through a queue of this file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artefact/cert_profile.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "lifecycle/state.h"
#include "masa/keeper/keeper.h"
#include "noc/keeper/keeper.h"
#include "pki.h"
#include "proto/pledge.h"
#include "role/signer.h"

/* One service: its keeper's turn, its signer, its store. */
struct service {
	struct lk_store *store;
	struct lk_turn *turn;
	struct lk_signer *signer;
	struct world *world;
};

struct message {
	struct message *next;
	struct service *to;
	enum lk_role from;
	uint32_t id;
	enum lk_body type;
	struct lk_buf packed;
	bool failed;
};

struct world {
	struct lk_clock_fixed clock;
	struct pki_cast cast;
	struct pki_id root, device_ca;
	struct lk_certs ca;
	struct service noc, masa;
	struct lk_keeper *keeper;
	struct lk_masa_keeper *masa_keeper;
	struct lk_onboarding_leaves onboarding;
	struct message *queue, **queue_end;
	uint32_t fetch_id; /* the noc's question that the MASA is answering */
	struct lk_web_reply_body reply;
	struct lk_buf reply_body;
	bool replied;
	bool masa_down;
	struct lk_buf tampered; /* replaces the MASA's next voucher */
};

static struct lk_err err;

/* Into a fixed field; what does not fit is a mistake of the test's. */
#define set_text(field, text) assert_true(lk_slice_to_str(lk_slice_str(text), #field, field, sizeof(field), &err).ok)

#define OK(call)                                                                                   \
	do {                                                                                       \
		if (!(call).ok)                                                                    \
			fail_msg("%s: %s", lk_reason_info(err.reason)->symbol, err.msg);           \
	} while (0)

static void
enqueue(struct service *to, enum lk_role from, uint32_t id, enum lk_body type, struct lk_slice packed,
	bool failed)
{
	struct message *m = calloc(1, sizeof *m);

	assert_non_null(m);
	*m = (struct message){ NULL, to, from, id, type, LK_BUF_INIT(8 << 20), failed };
	OK(lk_buf_append(&m->packed, packed, &err));
	*to->world->queue_end = m;
	to->world->queue_end = &m->next;
}

union any {
#define LK_BODY(name) struct lk_##name##_body as_##name;
#include "ipc/body.def"
};

/* A question to the signer of a service: answered at once. */
static void
sign(struct service *s, uint32_t id, enum lk_body type, struct lk_slice packed)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1 << 20);
	LK_CLEANUP(lk_buf_done) struct lk_buf answer = LK_BUF_INIT(1 << 20);
	struct lk_signed_body b;
	union any body;

	OK(lk_body_unpack(type, packed, &body, &err));
	OK(lk_signer_sign(s->signer, LK_ROLE_KEEPER, type, &body, &out, &err));
	b.bytes = lk_buf_slice(&out);
	OK(lk_body_pack(LK_BODY_signed, &b, &answer, &err));
	enqueue(s, LK_ROLE_SIGNER, id, LK_BODY_signed, lk_buf_slice(&answer), false);
}

/* The courier: carries the registrar's request to the MASA's front. */
static void
carry(struct world *w, uint32_t id, struct lk_slice packed)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(1 << 20);
	struct lk_web_request_body web = { .tls_version = "TLSv1.3", .remote = "[2001:db8::1]:1" };
	struct lk_fetch_body f;

	OK(lk_body_unpack(LK_BODY_fetch, packed, &f, &err));
	if (w->masa_down) {
		enqueue(&w->noc, LK_ROLE_COURIER, id, LK_BODY_fetched, lk_slice(NULL, 0), true);
		return;
	}
	web.endpoint = strstr(f.url, "requestauditlog") ? LK_EP_MASA_REQUESTAUDITLOG
							 : LK_EP_MASA_REQUESTVOUCHER;
	web.body = f.body;
	w->fetch_id = id;
	OK(lk_body_pack(LK_BODY_web_request, &web, &request, &err));
	enqueue(&w->masa, LK_ROLE_FRONT, id, LK_BODY_web_request, lk_buf_slice(&request), false);
}

static void
masa_replied(struct world *w, struct lk_slice packed)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf answer = LK_BUF_INIT(1 << 20);
	struct lk_web_reply_body r;
	struct lk_fetched_body f = { 0 };

	OK(lk_body_unpack(LK_BODY_web_reply, packed, &r, &err));
	f.status = r.status;
	memcpy(f.content_type, r.content_type, sizeof f.content_type);
	f.body = r.body;
	if (w->tampered.n && strcmp(r.content_type, LK_TYPE_VOUCHER) == 0)
		f.body = lk_buf_slice(&w->tampered);
	OK(lk_body_pack(LK_BODY_fetched, &f, &answer, &err));
	enqueue(&w->noc, LK_ROLE_COURIER, w->fetch_id, LK_BODY_fetched, lk_buf_slice(&answer), false);
}

static void
device_replied(struct world *w, struct lk_slice packed)
{
	OK(lk_body_unpack(LK_BODY_web_reply, packed, &w->reply, &err));
	lk_buf_clear(&w->reply_body);
	OK(lk_buf_append(&w->reply_body, w->reply.body, &err));
	w->reply.body = lk_buf_slice(&w->reply_body);
	w->replied = true;
}

static struct lk_result
send_out(void *ctx, enum lk_turn_send kind, enum lk_role to, unsigned index, uint32_t id,
	enum lk_body type, struct lk_slice packed, struct lk_err *e)
{
	struct service *s = ctx;

	(void)index;
	(void)e;
	if (kind == LK_SEND_QUESTION && to == LK_ROLE_SIGNER)
		sign(s, id, type, packed);
	else if (kind == LK_SEND_QUESTION && to == LK_ROLE_COURIER)
		carry(s->world, id, packed);
	else if (kind == LK_SEND_ANSWER && s == &s->world->masa)
		masa_replied(s->world, packed);
	else if (kind == LK_SEND_ANSWER && type == LK_BODY_web_reply)
		device_replied(s->world, packed);
	return LK_OK;
}

/* Until nobody has anything to say. */
static void
settle(struct world *w)
{
	struct message *m;

	OK(lk_turn_flush(w->noc.turn, &err));
	OK(lk_turn_flush(w->masa.turn, &err));
	while ((m = w->queue)) {
		w->queue = m->next;
		if (!w->queue)
			w->queue_end = &w->queue;
		if (m->failed) {
			struct lk_err why = { .reason = LK_R_ROLE_SILENT, .msg = "the MASA is down" };

			lk_turn_failed(m->to->turn, m->id, &why);
		} else {
			OK(lk_turn_receive(m->to->turn, m->from, 0, m->id, m->type,
				lk_buf_slice(&m->packed), &err));
		}
		lk_buf_done(&m->packed);
		free(m);
		OK(lk_turn_flush(w->noc.turn, &err));
		OK(lk_turn_flush(w->masa.turn, &err));
	}
}

/* --- setting the scene ------------------------------------------------------------------------------- */

static void
take_identity(struct lk_signer_identity *to, const struct pki_id *from)
{
	size_t i;

	to->key = lk_key_ref(from->key);
	for (i = 0; i < from->chain.n; i++)
		OK(lk_certs_add(&to->chain, from->chain.v[i], &err));
}

static void
add_manufacturer(struct world *w, const char *unknown)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record m = LK_RECORD_INIT(manufacturer);
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(65536);

	set_text(m.id, "vendor");
	set_text(m.trust, "trusted");
	set_text(m.unknown_devices, unknown);
	OK(lk_cert_print_pem(pki_cert(&w->cast.vendor), &pem, &err));
	OK(lk_blob_set(&m.anchors, lk_buf_slice(&pem), &err));
	OK(lk_store_begin(w->noc.store, &err));
	OK(lk_store_put(w->noc.store, &m.record, &err));
	OK(lk_store_commit(w->noc.store, &err));
}

/* The device as the factory told of it; the domain's root as its owner's, when it was sold. */
static void
add_born_device(struct world *w, bool sold)
{
	LK_CLEANUP(lk_record_done) struct lk_masa_device_record d = LK_RECORD_INIT(masa_device);
	LK_CLEANUP(lk_record_done) struct lk_owner_domain_record o = LK_RECORD_INIT(owner_domain);
	LK_CLEANUP(lk_record_done) struct lk_product_line_record l = LK_RECORD_INIT(product_line);
	uint8_t md[LK_SHA256_LEN];

	set_text(d.id, "device-1");
	set_text(d.serial, PKI_SERIAL);
	set_text(d.product_line, "lamp");
	lk_hex(lk_cert_aki(pki_cert(&w->cast.device)), d.idevid_issuer);
	OK(lk_blob_set(&d.idevid, lk_cert_der(pki_cert(&w->cast.device)), &err));
	set_text(l.id, "lamp");
	set_text(l.claim, "none");
	OK(lk_store_begin(w->masa.store, &err));
	if (sold) {
		lk_sha256_of(lk_cert_spki(pki_cert(&w->cast.domain)), md);
		lk_hex(LK_SLICE_ARRAY(md), o.spki);
		set_text(o.owner_id, "owner-1");
		set_text(d.owner_id, "owner-1");
		OK(lk_store_put(w->masa.store, &o.record, &err));
	}
	OK(lk_store_put(w->masa.store, &l.record, &err));
	OK(lk_store_put(w->masa.store, &d.record, &err));
	OK(lk_store_commit(w->masa.store, &err));
}

static void
start_noc(struct world *w, const struct lk_turn_settings *common)
{
	struct lk_keeper_settings set = { .site = "home", .run_seconds = 900, .ask_seconds = 345600,
		.ldevid_seconds = 30 * PKI_DAY, .grant_seconds = 30, .session_seconds = 3600,
		.key_types = 1u << LK_KEY_P256, .retry_after = 5, .audit_required = true };
	struct lk_keeper_domain domain = { &w->cast.registrar.chain, NULL, &w->ca,
		pki_cert(&w->device_ca) };
	struct lk_signer_settings keys = { .onboarding = &w->onboarding, .node = "n", .site = "home" };
	struct lk_turn_settings turn = *common;

	take_identity(&keys.identity[LK_SIGNER_REGISTRAR], &w->cast.registrar);
	take_identity(&keys.identity[LK_SIGNER_DEVICE_CA], &w->device_ca);
	OK(lk_signer_new(&keys, &w->noc.signer, &err));
	turn.store = w->noc.store;
	turn.send_ctx = &w->noc;
	OK(lk_keeper_new(&set, &domain, &turn, &w->keeper, &err));
	w->noc.turn = lk_keeper_turn(w->keeper);
}

static void
start_masa(struct world *w, const struct lk_turn_settings *common)
{
	struct lk_masa_settings set = { LK_PIN_FARTHEST, 1200, false };
	struct lk_masa_trust trust = { &w->cast.vendor.chain };
	struct lk_signer_settings keys = { .node = "n", .site = "masa" };
	struct lk_turn_settings turn = *common;

	take_identity(&keys.identity[LK_SIGNER_VOUCHER], &w->cast.masa);
	OK(lk_signer_new(&keys, &w->masa.signer, &err));
	turn.store = w->masa.store;
	turn.send_ctx = &w->masa;
	OK(lk_masa_keeper_new(&set, &trust, &turn, &w->masa_keeper, &err));
	w->masa.turn = lk_masa_keeper_turn(w->masa_keeper);
}

static void
world_init(struct world *w, const char *unknown, bool sold)
{
	const struct lk_origin origin = { "site", "node" };
	struct lk_turn_settings turn = { .random = &lk_random_system, .send = send_out,
		.answer_ms = 1000, .park_ms = 1000 };

	memset(w, 0, sizeof *w);
	lk_clock_fixed_init(&w->clock, PKI_NOW);
	pki_cast_init(&w->cast);
	pki_issue(&w->cast.domain, &(struct pki_spec){ .cn = "Device CA", .ca = true }, &w->device_ca);
	OK(lk_certs_add(&w->ca, pki_cert(&w->cast.domain), &err));
	OK(lk_certs_add(&w->ca, pki_cert(&w->device_ca), &err));
	set_text(w->onboarding.network, "home");
	w->onboarding.present = 1u << LK_ONBOARDING_NETWORK;
	w->queue_end = &w->queue;
	w->reply_body = LK_BUF_INIT(1 << 20);
	w->tampered = LK_BUF_INIT(1 << 20);
	w->noc.world = w->masa.world = w;
	OK(lk_store_open_memory(LK_STORE_NOC, &origin, &w->noc.store, &err));
	OK(lk_store_open_memory(LK_STORE_MASA, &origin, &w->masa.store, &err));
	add_manufacturer(w, unknown);
	add_born_device(w, sold);
	turn.clock = &w->clock.clock;
	start_noc(w, &turn);
	start_masa(w, &turn);
}

static void
world_done(struct world *w)
{
	lk_keeper_free(w->keeper);
	lk_masa_keeper_free(w->masa_keeper);
	lk_signer_free(w->noc.signer);
	lk_signer_free(w->masa.signer);
	lk_store_close(w->noc.store);
	lk_store_close(w->masa.store);
	lk_certs_done(&w->ca);
	pki_id_done(&w->device_ca);
	lk_buf_done(&w->reply_body);
	lk_buf_done(&w->tampered);
	pki_cast_done(&w->cast);
}

/* --- the device --------------------------------------------------------------------------------------- */

static struct lk_result
new_key(void *ctx, struct lk_key **ret, struct lk_err *e)
{
	(void)ctx;
	return lk_key_ephemeral(LK_KEY_P256, ret, e);
}

static struct lk_pledge *
new_pledge(struct world *w)
{
	struct lk_pledge_settings set = { .idevid = &w->cast.device.chain,
		.idevid_key = w->cast.device.key, .manufacturer = w->cast.manufacturer,
		.times = LK_TIMES_CHECK, .accept_assertions = 7, .random = &lk_random_system,
		.new_key = new_key };
	struct lk_pledge *p = NULL;

	OK(lk_pledge_new(&set, &p, &err));
	return p;
}

/* One HTTP request of a device that showed `chain`, and the network's reply in w->reply. */
static void
ask(struct world *w, const struct lk_certs *chain, const char *method, const char *path,
	struct lk_slice body)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf list = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(1 << 20);
	struct lk_web_request_body web = { .tls_version = "TLSv1.3", .tls_group = "secp256r1",
		.remote = "[fe80::2]:1" };
	uint8_t binding[32] = { 7 };
	static uint32_t id;

	OK(lk_list_add(&list, lk_cert_der(chain->v[0]), &err));
	web.endpoint = lk_endpoint_find(LK_SERVICE_NOC, method, path);
	web.chain = lk_buf_slice(&list);
	web.binding = LK_SLICE_ARRAY(binding);
	web.body = body;
	w->replied = false;
	OK(lk_body_pack(LK_BODY_web_request, &web, &packed, &err));
	enqueue(&w->noc, LK_ROLE_FRONT, ++id, LK_BODY_web_request, lk_buf_slice(&packed), false);
	settle(w);
}

/* Lets the pledge run until it ends, or until `stop` says that somebody else has to act. */
static void
run(struct world *w, struct lk_pledge *p, enum lk_pledge_state stop)
{
	struct lk_certs ldevid = { .n = 0 };
	const struct lk_certs *shown = &w->cast.device.chain;
	uint8_t binding[32] = { 7 };

	for (int step = 0; step < 40; step++) {
		struct lk_pledge_action a;

		if (lk_pledge_state(p) == stop)
			break;
		lk_pledge_next(p, w->clock.seconds, w->clock.ms, &a);
		if (a.what == LK_DO_END)
			break;
		if (a.what == LK_DO_CONNECT_LDEVID) {
			LK_CLEANUP(lk_record_done)
			struct lk_certificate_record c = LK_RECORD_INIT(certificate);
			struct lk_scan scan = { .index = LK_CERTIFICATE_BY_SERIAL };
			struct lk_cert *cert;
			bool found;

			OK(lk_store_next(w->noc.store, &scan, &c.record, &found, &err));
			assert_true(found);
			OK(lk_cert_parse(lk_blob_slice(&c.der), &cert, &err));
			ldevid.v[ldevid.n++] = cert;
			shown = &ldevid;
		}
		if (a.what == LK_DO_CONNECT_IDEVID || a.what == LK_DO_CONNECT_LDEVID) {
			lk_pledge_connected(p, &w->cast.registrar.chain, LK_SLICE_ARRAY(binding));
			continue;
		}
		if (a.what == LK_DO_WAIT) {
			w->clock.ms = a.until_ms;
			lk_pledge_elapsed(p);
			continue;
		}
		assert_int_equal(a.what, LK_DO_REQUEST);
		ask(w, shown, a.method, a.path, a.body);
		if (!w->replied) { /* parked for too long: told to come back */
			w->clock.ms += 2000;
			lk_turn_tick(w->noc.turn);
			settle(w);
		}
		assert_true(w->replied);
		lk_pledge_response(p, (unsigned)w->reply.status, w->reply.content_type,
			(unsigned)w->reply.retry_after, w->reply.body, w->clock.seconds, w->clock.ms);
	}
	lk_certs_done(&ldevid);
}

static void
get_device(struct world *w, struct lk_device_record *d)
{
	set_text(d->manufacturer_id, "vendor");
	set_text(d->serial, PKI_SERIAL);
	OK(lk_store_get(w->noc.store, LK_DEVICE_BY_SERIAL, &d->record, &err));
}

/* The reason of the newest event of a type in a service's ledger, or "none there". */
static const char *
newest_reason(struct service *s, const char *type)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record r = LK_RECORD_INIT(event);
	struct lk_scan scan = { .index = LK_EVENT_BY_SEQ, .descending = true };
	static char reason[LK_SYMBOL_MAX];
	bool found;

	for (;;) {
		OK(lk_store_next(s->store, &scan, &r.record, &found, &err));
		if (!found)
			return "none there";
		memcpy(reason, r.reason, sizeof reason);
		if (strcmp(r.type, type) == 0)
			return reason;
	}
}

static void
operate(struct world *w, const char *action, const char *device)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(65536);
	struct lk_operator_request_body o = { .actor = "uid:0" };
	char args[128];

	snprintf(args, sizeof args, "{\"device\":\"%s\"}", device);
	snprintf(o.action, sizeof o.action, "%s", action);
	o.arguments = lk_slice_str(args);
	OK(lk_body_pack(LK_BODY_operator_request, &o, &packed, &err));
	enqueue(&w->noc, LK_ROLE_DESK, 1, LK_BODY_operator_request, lk_buf_slice(&packed), false);
	settle(w);
}

/* --- tests ------------------------------------------------------------------------------------------------ */

/*= RFC8995 5: the pledge's flow, from the provisional connection to the credential =*/
/*= RFC8995 5.6: the registrar forwards the voucher unchanged =*/
/*= RFC8995 5.5: serial-number comes from the IDevID in TLS, the nonce from the pledge =*/
/*= Latchkey signer: nothing is signed before it is recorded =*/
static void
test_owned_device_is_onboarded(void **state)
{
	struct world w;
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_pledge_freep) struct lk_pledge *p = NULL;
	struct lk_pledge_credentials c;
	struct lk_ledger_head head;

	(void)state;
	world_init(&w, "allow", true);
	p = new_pledge(&w);
	run(&w, p, LK_PLEDGE_FAILED);
	if (lk_pledge_state(p) != LK_PLEDGE_ONBOARDED)
		fail_msg("%s at %s", lk_pledge_error(p)->msg, lk_pledge_state_name(lk_pledge_state(p)));
	OK(lk_pledge_credentials(p, &c, &err));
	get_device(&w, &d);
	assert_string_equal(d.assurance, "verified");
	assert_int_equal(d.state, LK_STATE_S8);
	assert_string_equal(c.onboarding->leaf.device, d.id);
	assert_string_equal(c.onboarding->leaf.network, "home");
	OK(lk_cert_check_profile(c.ldevid, LK_PROFILE_LDEVID, &err));
	OK(lk_ledger_head(w.noc.store, &head, &err));
	OK(lk_ledger_verify(w.noc.store, "node", 1, head.seq, &head.seq, &err));
	world_done(&w);
}

/*= RFC8995 5.6: the identical request is idempotent =*/
/*= RFC8995 5.3: the registrar decides by local policy whether the pledge may join =*/
static void
test_unknown_device_waits_for_an_operator(void **state)
{
	struct world w;
	LK_CLEANUP(lk_pledge_freep) struct lk_pledge *p = NULL;

	(void)state;
	world_init(&w, "ask", true);
	p = new_pledge(&w);
	run(&w, p, LK_PLEDGE_VOUCHER_LATER);
	assert_int_equal(lk_pledge_state(p), LK_PLEDGE_VOUCHER_LATER);
	assert_int_equal(w.reply.status, 202);
	operate(&w, "device.approve", PKI_SERIAL);
	run(&w, p, LK_PLEDGE_FAILED);
	assert_int_equal(lk_pledge_state(p), LK_PLEDGE_ONBOARDED);
	world_done(&w);
}

static void
expect_failure(struct world *w, enum lk_reason ledger_reason, const char *type, int64_t status)
{
	LK_CLEANUP(lk_pledge_freep) struct lk_pledge *p = new_pledge(w);

	run(w, p, LK_PLEDGE_FAILED);
	assert_int_equal(lk_pledge_state(p), LK_PLEDGE_FAILED);
	if (status)
		assert_int_equal(w->reply.status, status);
	assert_string_equal(newest_reason(&w->noc, type), lk_reason_info(ledger_reason)->symbol);
}

/*= A1.2: a device that policy denies is refused and may be admitted by an operator later =*/
static void
test_unknown_device_is_denied(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "deny", true);
	expect_failure(&w, LK_R_DEVICE_UNKNOWN, "refused", 403);
	world_done(&w);
}

/*= RFC8995 5.2: the registrar accepts IDevIDs of manufacturers that it trusts =*/
static void
test_stranger_is_refused_and_nothing_leaves(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "allow", true);
	ask(&w, &w.cast.stranger.chain, "POST", "/.well-known/brski/requestvoucher", LK_SLICE_LIT("x"));
	assert_int_equal(w.reply.status, 403);
	assert_string_equal(newest_reason(&w.noc, "refused"), "manufacturer-unknown");
	assert_int_equal(w.fetch_id, 0);
	world_done(&w);
}

/*= SEC-17: an unsold device is claimed only where its product line allows it =*/
/*= Latchkey MASA: strangers get one 404, byte for byte the same for every device =*/
/*= Latchkey MASA: refusals go to the ledger, never into a device's audit log =*/
static void
test_unsold_device_gets_no_voucher(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "allow", false);
	expect_failure(&w, LK_R_MASA_REFUSED, "masa-refused", 403);
	assert_string_equal(newest_reason(&w.masa, "refused"), "masa-not-for-sale");
	assert_non_null(strstr(lk_buf_str(&w.reply_body), "There is no voucher for this request"));
	world_done(&w);
}

static void
test_masa_down_is_told_as_later(void **state)
{
	struct world w;
	LK_CLEANUP(lk_pledge_freep) struct lk_pledge *p = NULL;

	(void)state;
	world_init(&w, "allow", true);
	w.masa_down = true;
	p = new_pledge(&w);
	run(&w, p, LK_PLEDGE_VOUCHER_LATER);
	assert_int_equal(w.reply.status, 503);
	assert_string_equal(newest_reason(&w.noc, "masa-unreachable"), "masa-unreachable");
	w.masa_down = false;
	run(&w, p, LK_PLEDGE_FAILED);
	assert_int_equal(lk_pledge_state(p), LK_PLEDGE_ONBOARDED);
	world_done(&w);
}

/*= RFC8995 5.6: the registrar audits the voucher's signature, serial-number and nonce =*/
static void
test_lying_masa_is_found_out(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "allow", true);
	OK(lk_buf_append(&w.tampered, LK_SLICE_LIT("\x30\x03\x02\x01\x01"), &err));
	expect_failure(&w, LK_R_CMS_SYNTAX, "voucher-refused", 0);
	world_done(&w);
}

/*= SEC-06: credentials are revoked: every certificate of the device, at once =*/
static void
test_revoked_device_is_refused(void **state)
{
	struct world w;
	LK_CLEANUP(lk_pledge_freep) struct lk_pledge *p = NULL;
	LK_CLEANUP(lk_certs_done) struct lk_certs ldevid = { .n = 0 };
	struct lk_pledge_credentials c;

	(void)state;
	world_init(&w, "allow", true);
	p = new_pledge(&w);
	run(&w, p, LK_PLEDGE_FAILED);
	OK(lk_pledge_credentials(p, &c, &err));
	OK(lk_certs_add(&ldevid, (struct lk_cert *)(uintptr_t)c.ldevid, &err));
	ask(&w, &ldevid, "GET", "/.well-known/latchkey/onboarding-information", lk_slice(NULL, 0));
	assert_int_equal(w.reply.status, 200);
	operate(&w, "device.revoke", PKI_SERIAL);
	ask(&w, &ldevid, "GET", "/.well-known/latchkey/onboarding-information", lk_slice(NULL, 0));
	assert_int_equal(w.reply.status, 403);
	assert_string_equal(newest_reason(&w.noc, "refused"), "cert-revoked");
	world_done(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owned_device_is_onboarded),
		cmocka_unit_test(test_unknown_device_waits_for_an_operator),
		cmocka_unit_test(test_unknown_device_is_denied),
		cmocka_unit_test(test_stranger_is_refused_and_nothing_leaves),
		cmocka_unit_test(test_unsold_device_gets_no_voucher),
		cmocka_unit_test(test_masa_down_is_told_as_later),
		cmocka_unit_test(test_lying_masa_is_found_out),
		cmocka_unit_test(test_revoked_device_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
