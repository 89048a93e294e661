/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper's frame: what goes to which rule, what a refusal looks like, that
 * nothing is signed or answered before it is recorded.
 */
#include "keeper_cast.h"

#include "artefact/csrattrs.h"
#include "base/encode.h"
#include "proto/endpoint.h"

/*= RFC8995 5.2: after a 401 the registrar closes the connection =*/
static void
test_401_closes(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	assert_int_equal(site_ask(&s, NULL, LK_EP_BRSKI_REQUESTVOUCHER, LK_SLICE_LIT("x")), 401);
	assert_true(s.reply.close);
	assert_int_equal(
		site_ask(&s, &s.pki.stranger.chain, LK_EP_BRSKI_REQUESTVOUCHER, LK_SLICE_LIT("x")),
		403);
	assert_false(s.reply.close);
	site_done(&s);
}

/*= RFC8995 5.6: an error body is human-readable UTF-8 text =*/
static void
test_error_body(void **state)
{
	struct site s;
	const struct lk_reason_info *r = lk_reason_info(LK_R_MANUFACTURER_UNKNOWN);
	LK_CLEANUP(lk_freep) char *want = NULL;

	(void)state;
	site_init(&s, "allow");
	site_ask(&s, &s.pki.stranger.chain, LK_EP_BRSKI_REQUESTVOUCHER, LK_SLICE_LIT("x"));
	assert_string_equal(s.reply.content_type, "text/plain; charset=utf-8");
	want = pki_text("manufacturer-unknown: its issuer is of no manufacturer known here "
			"(RFC 8995 5.3)\n%s\n",
		r->cure);
	assert_true(lk_slice_eq(s.reply.body, lk_slice_str(want)));
	assert_int_equal(s.reply.retry_after, 0);
	site_done(&s);
}

/* Endpoints of the other service, and numbers that are none. */
static void
test_what_is_not_served(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_ask(&s, &s.pki.device.chain, LK_EP_MASA_REQUESTAUDITLOG, LK_SLICE_LIT("x"));
	assert_site_refused(&s, LK_R_NOT_OFFERED);
	site_ask(&s, &s.pki.device.chain, LK_EP_COUNT, LK_SLICE_LIT("x"));
	assert_site_refused(&s, LK_R_NOT_OFFERED);
	site_ask(&s, &s.pki.device.chain, (enum lk_ep) - 1, LK_SLICE_LIT("x"));
	assert_site_refused(&s, LK_R_NOT_OFFERED);
	site_done(&s);
}

/* A role may say what its rows say, and nothing else. */
static void
test_roles_keep_to_their_rows(void **state)
{
	static const struct {
		enum lk_role from;
		enum lk_body type;
	} rows[] = {
		{ LK_ROLE_FRONT, LK_BODY_operator_request },
		{ LK_ROLE_FRONT, LK_BODY_grant_request },
		{ LK_ROLE_FRONT, LK_BODY_port_event },
		{ LK_ROLE_AAA, LK_BODY_web_request },
		{ LK_ROLE_AAA, LK_BODY_operator_request },
		{ LK_ROLE_DESK, LK_BODY_web_request },
		{ LK_ROLE_ENFORCER, LK_BODY_subscribe },
		{ LK_ROLE_COURIER, LK_BODY_web_request },
	};
	static const union site_body nothing;
	struct site s;

	(void)state;
	site_init(&s, "allow");
	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(65536);
		struct lk_err why;

		must_succeed(lk_body_pack(rows[i].type, &nothing, &packed, e));
		assert_refused(lk_turn_receive(s.turn, rows[i].from, 0, 1, rows[i].type,
				       lk_buf_slice(&packed), &why),
			why, LK_R_IPC_UNASKED);
	}
	assert_false(lk_turn_is_open(s.turn));
	site_done(&s);
}

/*= RFC8995 5.9.2: the registrar says what the CSR has to have =*/
static void
test_csr_attributes(void **state)
{
	struct site s;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSRATTRS_MAX);
	struct lk_csrattrs a;

	(void)state;
	site_init(&s, "allow");
	assert_int_equal(site_ask(&s, NULL, LK_EP_EST_CSRATTRS, lk_slice(NULL, 0)), 200);
	assert_string_equal(s.reply.content_type, LK_TYPE_CSRATTRS);
	must_succeed(lk_base64_decode(s.reply.body, LK_BASE64_WHITESPACE, &der, e));
	must_succeed(lk_csrattrs_parse(lk_buf_slice(&der), &a, e));
	assert_int_equal(a.keys, s.settings.key_types);
	assert_int_equal(a.signatures, s.settings.key_types);
	assert_true(a.serial_number);
	site_done(&s);
}

/* A parked request is not kept for ever: its device is told to come back. */
static void
test_overdue(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	assert_int_equal(site_request_voucher(&s, NULL, NULL), 0);
	site_pass(&s, 9);
	assert_true(s.replied);
	assert_int_equal(s.reply.status, 202);
	assert_int_equal(s.reply.retry_after, s.settings.retry_after);
	site_done(&s);
}

/* The event that the signer is told of is in the store when the question leaves. */
static void
test_recorded_before_signed(void **state)
{
	struct site s;
	struct site_question *q;

	(void)state;
	site_init(&s, "allow");
	s.signer_waits = true;
	site_request_voucher(&s, NULL, NULL);
	q = site_question(&s, LK_ROLE_SIGNER);
	assert_int_equal(
		q->body.as_sign_voucher_request.event, site_event(&s, "voucher-requested")->seq);
	assert_true(site_event_says(&s, "voucher-requested", site_run(&s)->request_digest));
	site_done(&s);
}

/*= Latchkey refusals: what a known device is refused for stands in its timeline =*/
static void
test_refusals_of_known_devices(void **state)
{
	LK_CLEANUP(pki_id_done) struct pki_id twin;
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ENROLLED);
	/* By its IDevID, and by its LDevID. */
	assert_int_equal(
		site_ask(&s, &s.pki.device.chain, LK_EP_EST_SERVERKEYGEN, LK_SLICE_LIT("x")), 501);
	assert_string_equal(site_event(&s, "refused")->device_id, site_device(&s)->id);
	assert_int_equal(site_ask(&s, &s.ldevid, LK_EP_EST_FULLCMC, LK_SLICE_LIT("x")), 501);
	assert_string_equal(site_event(&s, "refused")->device_id, site_device(&s)->id);
	/* Who only says the same of himself, and who is nobody. */
	pki_issue(&s.pki.stranger_ca,
		&(struct pki_spec){ .cn = "Twin", .serial_number = PKI_SERIAL }, &twin);
	site_ask(&s, &twin.chain, LK_EP_BRSKI_REQUESTVOUCHER, LK_SLICE_LIT("x"));
	assert_string_equal(site_event(&s, "refused")->device_id, "");
	site_ask(&s, NULL, LK_EP_BRSKI_REQUESTVOUCHER, LK_SLICE_LIT("x"));
	assert_string_equal(site_event(&s, "refused")->device_id, "");
	site_done(&s);
}

/*= Latchkey refusals: what never became a request reaches the ledger, too =*/
static void
test_what_others_refused(void **state)
{
	static const enum lk_role roles[] = { LK_ROLE_FRONT, LK_ROLE_AAA, LK_ROLE_DESK };
	struct lk_refused_body b = { .reason = "http-head-too-large",
		.message = "the head has more than 8192 octets",
		.remote = "[fe80::2%3]:1",
		.count = 17 };
	struct site s;
	size_t i;

	(void)state;
	site_init(&s, "allow");
	for (i = 0; i < LK_ARRAY_LEN(roles); i++) {
		site_tell(&s, roles[i], LK_BODY_refused, &b);
		assert_string_equal(site_event(&s, "refused")->reason, b.reason);
		assert_string_equal(site_event(&s, "refused")->actor, lk_role_name(roles[i]));
		assert_true(site_event_says(&s, "refused", b.message));
		assert_true(site_event_says(&s, "refused", b.remote));
		assert_true(site_event_says(&s, "refused", "\"count\":17"));
		assert_false(s.replied);
	}
	memcpy(b.reason, "because", sizeof "because");
	site_tell(&s, LK_ROLE_FRONT, LK_BODY_refused, &b);
	assert_string_equal(site_event(&s, "refused")->reason, "ipc-malformed");
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_401_closes),
		cmocka_unit_test(test_error_body),
		cmocka_unit_test(test_what_is_not_served),
		cmocka_unit_test(test_roles_keep_to_their_rows),
		cmocka_unit_test(test_csr_attributes),
		cmocka_unit_test(test_overdue),
		cmocka_unit_test(test_recorded_before_signed),
		cmocka_unit_test(test_what_others_refused),
		cmocka_unit_test(test_refusals_of_known_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
