/* SPDX-License-Identifier: Apache-2.0
 *
 * Network access: who is granted it, which port opens by a grant, and what a
 * revocation does to either.
 */
#include "keeper_cast.h"

#include "lifecycle/state.h"

#define OTHER_PORT "p2"
#define OTHER_MAC  "02:00:00:00:00:02"
#define DEVICE     "{\"device\":\"" PKI_SERIAL "\"}"

/* One field of the device's newest certificate, changed behind the keeper's back. */
static void
change_profile(struct site *s, const char *profile)
{
	site_certificate(s);
	set_text(s->certificate.profile, profile);
	site_put(s, &s->certificate.record);
}

static const struct lk_port_open_body *
opening(struct site *s)
{
	struct site_question *q = site_question(s, LK_ROLE_ENFORCER);

	return q && q->type == LK_BODY_port_open ? &q->body.as_port_open : NULL;
}

static const struct lk_port_close_body *
closing(struct site *s)
{
	struct site_question *q = site_question(s, LK_ROLE_ENFORCER);

	return q && q->type == LK_BODY_port_close ? &q->body.as_port_close : NULL;
}

/* --- the RADIUS server's question ------------------------------------------------------------- */

/*= SEC-04: the session's name comes from the certificate, never from the EAP identity =*/
static void
test_grant(void **state)
{
	struct site s;
	LK_CLEANUP(lk_record_done) struct lk_grant_record g = LK_RECORD_INIT(grant);
	struct lk_scan scan = { .index = LK_GRANT_BY_ID };
	bool found;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	assert_int_equal(site_grant(&s, SITE_PORT, SITE_MAC), LK_R_NONE);
	assert_string_equal(s.grant.device_id, site_device(&s)->id);
	assert_int_equal(s.grant.session_seconds, s.settings.session_seconds);
	must_succeed(lk_store_next(s.store, &scan, &g.record, &found, e));
	assert_true(found);
	assert_string_equal(g.device_id, s.device.id);
	assert_string_equal(g.port, SITE_PORT);
	assert_string_equal(g.mac, SITE_MAC);
	assert_int_equal(g.expires_at, PKI_NOW + s.settings.grant_seconds);
	assert_true(site_event_says(&s, "access-granted", "\"outer_identity\":\"anonymous\""));
	assert_null(opening(&s)); /* a yes opens nothing yet */
	site_done(&s);
}

/* Nothing is granted of which the record would not say for whom. */
/*= Latchkey ledger: what cannot be recorded in full does not happen =*/
static void
test_grant_that_cannot_be_recorded(void **state)
{
	struct lk_grant_request_body g = { .port = SITE_PORT, .mac = SITE_MAC, .identity = "\xff" };
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	set_text(g.issuer, site_certificate(&s)->issuer);
	set_text(g.serial, s.certificate.serial);
	site_grant_for(&s, &g);
	assert_site_refused(&s, LK_R_JSON_MEMBER);
	site_done(&s);
}

/* An access point that is not ours, or a port that never came up: nobody uses the grant. */
/*= Latchkey access: a grant is gone when its seconds are over =*/
static void
test_unused_grants_go(void **state)
{
	struct site s;
	int i;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	for (i = 0; i < 70; i++)
		assert_int_equal(site_grant(&s, SITE_PORT, SITE_MAC), LK_R_NONE);
	site_pass(&s, s.settings.grant_seconds);
	assert_int_equal(site_count(&s, LK_KIND_grant), 70);
	site_pass(&s, 1);
	assert_int_equal(site_count(&s, LK_KIND_grant), 6); /* in slices */
	site_pass(&s, 0);
	assert_int_equal(site_count(&s, LK_KIND_grant), 0);
	site_done(&s);
}

/*= SEC-06: a revoked certificate is refused =*/
static void
test_revoked_certificate(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	site_operate(&s, "device.revoke", DEVICE);
	site_grant(&s, SITE_PORT, SITE_MAC);
	assert_site_refused(&s, LK_R_CERT_REVOKED);
	assert_true(site_event_says(&s, "refused", SITE_MAC));
	assert_true(site_event_says(&s, "refused", SITE_PORT));
	site_done(&s);
}

static void
test_certificates_that_give_no_access(void **state)
{
	struct site s;
	struct lk_grant_request_body g = { .issuer = "00", .serial = "01", .port = SITE_PORT };
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(4096);

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	change_profile(&s, "service");
	site_grant(&s, SITE_PORT, SITE_MAC);
	assert_site_refused(&s, LK_R_ACCESS_PROFILE);
	must_succeed(lk_body_pack(LK_BODY_grant_request, &g, &packed, e));
	must_succeed(lk_turn_receive(
		s.turn, LK_ROLE_AAA, 0, 1, LK_BODY_grant_request, lk_buf_slice(&packed), e));
	must_succeed(lk_turn_flush(s.turn, e));
	assert_int_equal(s.refusal, LK_R_CERT_UNKNOWN);
	assert_string_equal(site_event(&s, "refused")->reason, "cert-unknown");
	site_done(&s);
}

/* A good certificate of a device whose life stands elsewhere. */
static void
test_states_that_give_no_access(void **state)
{
	static const enum lk_state states[] = { LK_STATE_S7, LK_STATE_S14, LK_STATE_S15,
		LK_STATE_S16 };
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	for (size_t i = 0; i < LK_ARRAY_LEN(states); i++) {
		site_device(&s);
		s.device.state = states[i];
		site_put(&s, &s.device.record);
		site_grant(&s, SITE_PORT, SITE_MAC);
		assert_site_refused(&s, LK_R_ACCESS_STATE);
	}
	site_done(&s);
}

/* --- hostapd's word --------------------------------------------------------------------------- */

static void
test_port_opens(void **state)
{
	struct site s;
	const struct lk_port_open_body *p;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	site_grant(&s, SITE_PORT, SITE_MAC);
	site_port_event(&s, LK_PORT_AUTHENTICATED, SITE_PORT, SITE_MAC);
	p = opening(&s);
	assert_non_null(p);
	assert_string_equal(p->port, SITE_PORT);
	assert_string_equal(p->mac, SITE_MAC);
	assert_string_equal(p->device_id, site_device(&s)->id);
	assert_int_equal(s.device.state, LK_STATE_S9);
	assert_int_equal(s.device.commissioned_at, PKI_NOW);
	assert_string_equal(s.device.port, SITE_PORT);
	assert_int_equal(site_count(&s, LK_KIND_grant), 0); /* it was used up */
	site_answer(&s, LK_ROLE_ENFORCER, LK_BODY_port_done,
		&(struct lk_port_done_body){ .changed = true });
	assert_string_equal(site_event(&s, "port-opened")->device_id, s.device.id);
	site_done(&s);
}

static void
test_port_cannot_be_opened(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	site_grant(&s, SITE_PORT, SITE_MAC);
	site_port_event(&s, LK_PORT_AUTHENTICATED, SITE_PORT, SITE_MAC);
	site_fail(&s, LK_ROLE_ENFORCER, LK_R_ROLE_SILENT);
	assert_true(site_event_says(&s, "port-not-opened", "so says the test"));
	site_done(&s);
}

/*= Latchkey access: a port opens only with a live grant for the same port and MAC =*/
static void
test_no_port_without_its_grant(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	site_port_event(&s, LK_PORT_AUTHENTICATED, SITE_PORT, SITE_MAC);
	assert_site_refused(&s, LK_R_NO_GRANT);
	site_grant(&s, SITE_PORT, SITE_MAC);
	site_port_event(&s, LK_PORT_AUTHENTICATED, OTHER_PORT, SITE_MAC);
	assert_site_refused(&s, LK_R_NO_GRANT);
	site_port_event(&s, LK_PORT_AUTHENTICATED, SITE_PORT, OTHER_MAC);
	assert_site_refused(&s, LK_R_NO_GRANT);
	s.clock.seconds += s.settings.grant_seconds + 1;
	site_port_event(&s, LK_PORT_AUTHENTICATED, SITE_PORT, SITE_MAC);
	assert_site_refused(&s, LK_R_NO_GRANT);
	assert_string_equal(site_device(&s)->port, "");
	site_grant(&s, SITE_PORT, SITE_MAC);
	site_port_event(&s, LK_PORT_AUTHENTICATED, SITE_PORT, SITE_MAC);
	assert_non_null(opening(&s));
	site_port_event(
		&s, LK_PORT_AUTHENTICATED, SITE_PORT, SITE_MAC); /* one grant, one opening */
	assert_site_refused(&s, LK_R_NO_GRANT);
	site_done(&s);
}

/*= SEC-06: a revocation between the grant and the port's opening wins =*/
static void
test_revocation_overtakes_the_grant(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	site_grant(&s, SITE_PORT, SITE_MAC);
	assert_int_equal(site_operate(&s, "device.revoke", DEVICE), LK_R_NONE);
	site_port_event(&s, LK_PORT_AUTHENTICATED, SITE_PORT, SITE_MAC);
	assert_site_refused(&s, LK_R_CERT_REVOKED);
	assert_int_equal(site_device(&s)->state, LK_STATE_S8);
	site_done(&s);
}

/* --- closing ---------------------------------------------------------------------------------- */

static void
test_revocation_closes_the_port(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_CONNECTED);
	assert_int_equal(site_operate(&s, "device.revoke", DEVICE), LK_R_NONE);
	assert_non_null(closing(&s));
	assert_string_equal(closing(&s)->port, SITE_PORT);
	assert_string_equal(closing(&s)->mac, SITE_MAC);
	assert_true(closing(&s)->deauthenticate);
	site_answer(&s, LK_ROLE_ENFORCER, LK_BODY_port_done,
		&(struct lk_port_done_body){ .changed = true });
	assert_string_equal(site_event(&s, "port-closed")->device_id, site_device(&s)->id);
	site_operate(&s, "device.revoke", DEVICE);
	site_fail(&s, LK_ROLE_ENFORCER, LK_R_ROLE_SILENT);
	assert_true(site_event_says(&s, "port-not-closed", "so says the test"));
	site_done(&s);
}

/* Its certificate is good, and stays so for the day on which it is approved again. */
/*= A1.2: a device that an operator denied stays out, whatever credentials it has =*/
static void
test_denied_while_it_is_in(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_DONE);
	site_grant(&s, SITE_PORT, SITE_MAC);
	assert_int_equal(site_operate(&s, "device.deny", DEVICE), LK_R_NONE);
	site_port_event(&s, LK_PORT_AUTHENTICATED, SITE_PORT, SITE_MAC);
	assert_site_refused(&s, LK_R_CERT_REVOKED); /* the grant from before */
	site_grant(&s, SITE_PORT, SITE_MAC);
	assert_site_refused(&s, LK_R_DEVICE_DENIED);
	site_ask(&s, &s.ldevid, LK_EP_ONBOARDING_INFORMATION, lk_slice(NULL, 0));
	assert_site_refused(&s, LK_R_DEVICE_DENIED);
	site_pass(&s, 1);
	assert_int_equal(site_operate(&s, "device.approve", DEVICE), LK_R_NONE);
	assert_int_equal(site_grant(&s, SITE_PORT, SITE_MAC), LK_R_NONE);
	site_port_event(&s, LK_PORT_AUTHENTICATED, SITE_PORT, SITE_MAC);
	assert_int_equal(site_device(&s)->state, LK_STATE_S9);
	site_done(&s);
	site_init(&s, "allow");
	site_until(&s, SITE_CONNECTED);
	assert_int_equal(site_operate(&s, "device.deny", DEVICE), LK_R_NONE);
	assert_string_equal(closing(&s)->port, SITE_PORT);
	site_done(&s);
}

/* --- what is only seen ------------------------------------------------------------------------ */

static void
test_what_is_noted(void **state)
{
	static const struct {
		enum lk_port_event kind;
		const char *type, *reason;
	} rows[] = {
		{ LK_PORT_SEEN, "port-seen", "" },
		{ LK_PORT_LEFT, "port-left", "" },
		{ LK_PORT_LEASE, "address-leased", "" },
		{ LK_PORT_FOREIGN_MAC, "alarm", "foreign-mac" },
		{ LK_PORT_FOREIGN_SOURCE, "alarm", "foreign-source" },
	};
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_CONNECTED);
	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++) {
		site_port_event(&s, rows[i].kind, OTHER_PORT, SITE_MAC);
		assert_string_equal(site_event(&s, rows[i].type)->reason, rows[i].reason);
		assert_int_equal(s.event.seq, s.head_before + 1);
		assert_true(site_event_says(&s, rows[i].type, "192.0.2.66"));
		assert_string_equal(site_device(&s)->port, SITE_PORT); /* the victim stays */
		assert_null(site_question(&s, LK_ROLE_ENFORCER));
	}
	site_port_event(&s, LK_PORT_EVENT_COUNT, SITE_PORT, SITE_MAC);
	assert_site_refused(&s, LK_R_IPC_UNASKED);
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grant),
		cmocka_unit_test(test_grant_that_cannot_be_recorded),
		cmocka_unit_test(test_unused_grants_go),
		cmocka_unit_test(test_revoked_certificate),
		cmocka_unit_test(test_certificates_that_give_no_access),
		cmocka_unit_test(test_states_that_give_no_access),
		cmocka_unit_test(test_port_opens),
		cmocka_unit_test(test_port_cannot_be_opened),
		cmocka_unit_test(test_no_port_without_its_grant),
		cmocka_unit_test(test_revocation_overtakes_the_grant),
		cmocka_unit_test(test_revocation_closes_the_port),
		cmocka_unit_test(test_denied_while_it_is_in),
		cmocka_unit_test(test_what_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
