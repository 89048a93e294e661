/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole path without a network: a pledge, a network's keeper and signer, a
 * MASA's keeper and signer, each the production code, on in-memory stores and a
 * clock that stands still. What the network's courier would carry is carried here.
 */
#include "keeper_cast.h"
#include "masa_cast.h"

#include <stdlib.h>

#include "lifecycle/state.h"
#include "proto/pledge.h"

struct world {
	struct site site;
	struct masa masa; /* of the site's cast */
	bool masa_down;
	struct lk_buf tampered; /* replaces the MASA's next voucher */
};

/* The courier: carries what the keeper asks for to the MASA's front. */
static void
carry(struct world *w)
{
	struct site_question *q;

	while ((q = site_question(&w->site, LK_ROLE_COURIER))) {
		const struct lk_fetch_body *f = &q->body.as_fetch;
		struct lk_web_reply_body *r = &w->masa.reply;
		bool voucher = strstr(f->url, "requestvoucher") != NULL;

		if (w->masa_down) {
			site_fail(&w->site, LK_ROLE_COURIER, LK_R_ROLE_SILENT);
			continue;
		}
		masa_ask(&w->masa, voucher ? LK_EP_MASA_REQUESTVOUCHER : LK_EP_MASA_REQUESTAUDITLOG,
			NULL, f->body);
		site_masa(&w->site, r->status, r->content_type,
			voucher && w->tampered.n ? lk_buf_slice(&w->tampered) : r->body);
	}
}

/* The device as the factory told of it; the domain's root as its owner's, when it was sold. */
static void
world_init(struct world *w, const char *unknown, bool sold)
{
	const struct lk_masa_settings set = { LK_PIN_FARTHEST, 1200, false };

	*w = (struct world){ .tampered = LK_BUF_INIT(1 << 20) };
	site_init(&w->site, unknown);
	pki_cast_share(&w->site.pki, &w->masa.cast);
	masa_open(&w->masa, &set, NULL);
	masa_set_claim(&w->masa, "none");
	if (sold)
		masa_own(&w->masa);
	else
		masa_add_device(&w->masa, MASA_DEVICE, pki_cert(&w->masa.cast.device), "");
}

static void
world_done(struct world *w)
{
	masa_done(&w->masa);
	site_done(&w->site);
	lk_buf_done(&w->tampered);
}

/* --- the device ------------------------------------------------------------------------------- */

static struct lk_result
new_key(void *ctx, struct lk_key **ret, struct lk_err *e)
{
	(void)ctx;
	return lk_key_ephemeral(LK_KEY_P256, ret, e);
}

static struct lk_pledge *
new_pledge(struct world *w)
{
	struct lk_pledge_settings set = { .idevid = &w->site.pki.device.chain,
		.idevid_key = w->site.pki.device.key,
		.manufacturer = w->site.pki.manufacturer,
		.times = LK_TIMES_CHECK,
		.accept_assertions = 7,
		.random = &lk_random_system,
		.new_key = new_key };
	struct lk_pledge *p = NULL;

	must_succeed(lk_pledge_new(&set, &p, e));
	return p;
}

/* One HTTP request of a device that showed `chain`; the network's reply is in the site's. */
static void
ask(struct world *w, const struct lk_certs *chain, const char *method, const char *path,
	struct lk_slice body)
{
	bool replied = site_ask(&w->site, chain, lk_endpoint_find(LK_SERVICE_NOC, method, path),
			       body) != 0;

	carry(w);
	if (!replied && !w->site.replied) /* parked for too long: told to come back */
		site_pass(&w->site, 9);
	assert_true(replied || w->site.replied);
}

/* The LDevID that the site issued, as the device shows it. */
static void
read_ldevid(struct world *w, struct lk_certs *ret)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;

	must_succeed(lk_cert_parse(lk_blob_slice(&site_certificate(&w->site)->der), &cert, e));
	must_succeed(lk_certs_add(ret, cert, e));
}

/* Lets the pledge run until it ends, or until `stop` says that somebody else has to act. */
static void
run(struct world *w, struct lk_pledge *p, enum lk_pledge_state stop)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs ldevid = { .n = 0 };
	const struct lk_certs *shown = &w->site.pki.device.chain;
	struct lk_clock_fixed *clock = &w->site.clock;

	for (int step = 0; step < 40 && lk_pledge_state(p) != stop; step++) {
		const struct lk_web_reply_body *r = &w->site.reply;
		struct lk_pledge_action a;

		lk_pledge_next(p, clock->seconds, clock->ms, &a);
		if (a.what == LK_DO_END)
			break;
		if (a.what == LK_DO_CONNECT_LDEVID) {
			read_ldevid(w, &ldevid);
			shown = &ldevid;
		}
		if (a.what == LK_DO_CONNECT_IDEVID || a.what == LK_DO_CONNECT_LDEVID) {
			lk_pledge_connected(p, &w->site.pki.registrar.chain, w->site.binding);
			continue;
		}
		if (a.what == LK_DO_WAIT) {
			clock->ms = a.until_ms;
			lk_pledge_elapsed(p);
			continue;
		}
		assert_int_equal(a.what, LK_DO_REQUEST);
		ask(w, shown, a.method, a.path, a.body);
		lk_pledge_response(p, (unsigned)r->status, r->content_type,
			(unsigned)r->retry_after, r->body, clock->seconds, clock->ms);
	}
}

static void
operate(struct world *w, const char *action)
{
	assert_int_equal(
		site_operate(&w->site, action, "{\"device\":\"" PKI_SERIAL "\"}"), LK_R_NONE);
	carry(w);
}

#define assert_newest(w, type, want) assert_string_equal(site_event(&(w)->site, type)->reason, want)

/* --- tests ------------------------------------------------------------------------------------ */

/*= RFC8995 5: the pledge's flow, from the provisional connection to the credential =*/
/*= RFC8995 5.6: the registrar forwards the voucher unchanged =*/
/*= RFC8995 5.5: serial-number comes from the IDevID in TLS, the nonce from the pledge =*/
/*= Latchkey signer: nothing is signed before it is recorded =*/
static void
test_owned_device_is_onboarded(void **state)
{
	struct world w;
	LK_CLEANUP(lk_pledge_freep) struct lk_pledge *p = NULL;
	struct lk_pledge_credentials c;
	struct lk_ledger_head head;

	(void)state;
	world_init(&w, "allow", true);
	p = new_pledge(&w);
	run(&w, p, LK_PLEDGE_FAILED);
	if (lk_pledge_state(p) != LK_PLEDGE_ONBOARDED)
		fail_msg("%s at %s", lk_pledge_error(p)->msg,
			lk_pledge_state_name(lk_pledge_state(p)));
	must_succeed(lk_pledge_credentials(p, &c, e));
	assert_string_equal(site_device(&w.site)->assurance, "verified");
	assert_int_equal(w.site.device.state, LK_STATE_S8);
	assert_string_equal(c.onboarding->leaf.device, w.site.device.id);
	assert_string_equal(c.onboarding->leaf.network, "home");
	must_succeed(lk_cert_check_profile(c.ldevid, LK_PROFILE_LDEVID, e));
	must_succeed(lk_ledger_head(w.site.store, &head, e));
	must_succeed(lk_ledger_verify(w.site.store, "node", 1, head.seq, &head.seq, e));
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
	assert_int_equal(w.site.reply.status, 202);
	operate(&w, "device.approve");
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
		assert_int_equal(w->site.reply.status, status);
	assert_newest(w, type, lk_reason_info(ledger_reason)->symbol);
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
	ask(&w, &w.site.pki.stranger.chain, "POST", "/.well-known/brski/requestvoucher",
		LK_SLICE_LIT("x"));
	assert_int_equal(w.site.reply.status, 403);
	assert_newest(&w, "refused", "manufacturer-unknown");
	assert_int_equal(w.site.n_asked, 0);
	world_done(&w);
}

/*= SEC-17: an unsold device is claimed only where its product line allows it =*/
/*= Latchkey MASA: strangers get one 404, byte for byte the same for every device =*/
/*= Latchkey MASA: refusals go to the ledger, never into a device's audit log =*/
static void
test_unsold_device_gets_no_voucher(void **state)
{
	struct world w;
	LK_CLEANUP(lk_record_done) struct lk_event_record refusal = LK_RECORD_INIT(event);

	(void)state;
	world_init(&w, "allow", false);
	expect_failure(&w, LK_R_MASA_REFUSED, "masa-refused", 403);
	masa_newest_event(&w.masa, &refusal);
	assert_string_equal(refusal.type, "refused");
	assert_string_equal(refusal.reason, "masa-not-for-sale");
	assert_non_null(memmem(w.site.reply.body.p, w.site.reply.body.n, MASA_STRANGERS,
		strlen(MASA_STRANGERS) - 1));
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
	assert_int_equal(w.site.reply.status, 503);
	assert_newest(&w, "masa-unreachable", "masa-unreachable");
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
	must_succeed(lk_buf_append(&w.tampered, LK_SLICE_LIT("\x30\x03\x02\x01\x01"), e));
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
	must_succeed(lk_pledge_credentials(p, &c, e));
	must_succeed(lk_certs_add(&ldevid, (struct lk_cert *)(uintptr_t)c.ldevid, e));
	ask(&w, &ldevid, "GET", "/.well-known/latchkey/onboarding-information", lk_slice(NULL, 0));
	assert_int_equal(w.site.reply.status, 200);
	operate(&w, "device.revoke");
	ask(&w, &ldevid, "GET", "/.well-known/latchkey/onboarding-information", lk_slice(NULL, 0));
	assert_int_equal(w.site.reply.status, 403);
	assert_newest(&w, "refused", "cert-revoked");
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
