/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame of the MASA's keeper: what strangers are told, what goes to the ledger, and that
 * nothing is dispatched that has no row.
 */
#include "masa_cast.h"

#include "store/ledger.h"

static const struct lk_masa_settings settings = { LK_PIN_FARTHEST, 1200, false };

static struct masa masa;

/*= Latchkey MASA: strangers get one 404, byte for byte the same for every device =*/
static void
test_one_404_for_everything_about_devices(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf unsold = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf unknown = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(pki_id_done) struct pki_id twin;
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf twins = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_request(&masa, &unsold);
	masa_registrar_request(&masa, &masa.cast.registrar, lk_slice(NULL, 0), "serial-number",
		"\"LK-0002\"", &unknown);
	pki_issue(&masa.cast.vendor,
		&(struct pki_spec){ .cn = "Twin", .serial_number = PKI_SERIAL }, &twin);
	masa_pledge_request(&masa, &twin, NULL, NULL, &prior);
	masa_registrar_request(
		&masa, &masa.cast.registrar, lk_buf_slice(&prior), NULL, NULL, &twins);

	masa_refuses_strangers(
		&masa, LK_EP_MASA_REQUESTVOUCHER, lk_buf_slice(&unsold), LK_R_MASA_DEVICE_UNKNOWN);
	masa_add_device(&masa, MASA_DEVICE, pki_cert(&masa.cast.device), "");
	masa_refuses_strangers(
		&masa, LK_EP_MASA_REQUESTVOUCHER, lk_buf_slice(&unsold), LK_R_MASA_NOT_FOR_SALE);
	masa_refuses_strangers(
		&masa, LK_EP_MASA_REQUESTVOUCHER, lk_buf_slice(&twins), LK_R_MASA_DEVICE_KEY);
	masa_add_device(&masa, MASA_DEVICE, pki_cert(&masa.cast.device), "owner-2");
	masa_refuses_strangers(
		&masa, LK_EP_MASA_REQUESTVOUCHER, lk_buf_slice(&unsold), LK_R_MASA_NOT_OWNER);
	masa_refuses_strangers(
		&masa, LK_EP_MASA_REQUESTAUDITLOG, lk_buf_slice(&unsold), LK_R_MASA_NEVER_OWNER);
	masa_refuses_strangers(&masa, LK_EP_MASA_REQUESTAUDITLOG, lk_buf_slice(&unknown),
		LK_R_MASA_DEVICE_UNKNOWN);
}

/* The ledger says what the asker is not told. */
/*= Latchkey MASA: refusals go to the ledger, never into a device's audit log =*/
static void
test_the_ledger_says_why(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	struct lk_ledger_head head;
	int64_t seq;

	(void)state;
	masa_add_device(&masa, MASA_DEVICE, pki_cert(&masa.cast.device), "owner-2");
	masa_request(&masa, &request);
	masa_refuses_strangers(
		&masa, LK_EP_MASA_REQUESTVOUCHER, lk_buf_slice(&request), LK_R_MASA_NOT_OWNER);
	assert_int_equal(masa_audit_entries(&masa), 0);
	masa_newest_event(&masa, &ev);
	assert_string_equal(ev.actor, "front");
	assert_non_null(memmem(ev.payload.p, ev.payload.n, PKI_SERIAL, sizeof PKI_SERIAL - 1));
	MASA_OK(lk_ledger_head(masa.store, &head, &masa_err));
	MASA_OK(lk_ledger_verify(masa.store, "node", 1, head.seq, &seq, &masa_err));
}

/*= RFC8995 5.6: an error body is human-readable UTF-8 text =*/
static void
test_an_error_is_text_with_a_cure(void **state)
{
	const struct lk_reason_info *r = lk_reason_info(LK_R_CMS_SYNTAX);

	(void)state;
	masa_refuses(
		&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, LK_SLICE_LIT("\xff\xfe"), LK_R_CMS_SYNTAX);
	assert_string_equal(masa.reply.content_type, "text/plain; charset=utf-8");
	assert_non_null(strstr(lk_buf_str(&masa.reply_body), r->symbol));
	assert_non_null(strstr(lk_buf_str(&masa.reply_body), r->cure));
}

/* Where all places to wait are taken, the next is told when to come back, and leaves no trace of a
 * voucher. */
static void
test_a_full_house_says_when_to_come_back(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	unsigned asked;

	(void)state;
	masa_own(&masa);
	masa_request(&masa, &request);
	for (asked = 0; masa.waiting == asked; asked++) {
		assert_in_range(asked, 0, 10000);
		masa_post(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
		MASA_OK(lk_turn_flush(lk_masa_keeper_turn(masa.keeper), &masa_err));
	}
	assert_int_equal(masa.reply.status, 503);
	assert_int_equal(masa.reply.retry_after, 5);
	assert_non_null(strstr(lk_buf_str(&masa.reply_body), "busy: "));
	assert_int_equal(masa_audit_entries(&masa), 1);
	masa_settle(&masa);
	assert_int_equal(masa.vouchers, asked - 1);
}

static void
test_other_endpoints(void **state)
{
	(void)state;
	masa_refuses(&masa, LK_EP_BRSKI_REQUESTVOUCHER, NULL, LK_SLICE_LIT("x"), LK_R_NOT_OFFERED);
	masa_refuses(&masa, LK_EP_COUNT, NULL, LK_SLICE_LIT("x"), LK_R_NOT_OFFERED);
	masa_refuses(&masa, (enum lk_ep) - 1, NULL, LK_SLICE_LIT("x"), LK_R_NOT_OFFERED);
}

/* Who may not ask closes its own connection: nothing is decided, nothing recorded. */
static void
test_other_roles(void **state)
{
	struct lk_turn *turn = lk_masa_keeper_turn(masa.keeper);
	int64_t events = masa_events(&masa);
	struct lk_err e;

	(void)state;
	assert_refused(lk_turn_receive(turn, LK_ROLE_SIGNER, 0, 1, LK_BODY_web_request,
			       LK_SLICE_LIT("x"), &e),
		e, LK_R_IPC_UNASKED);
	assert_refused(lk_turn_receive(turn, LK_ROLE_FRONT, 0, 1, LK_BODY_operator_request,
			       LK_SLICE_LIT("x"), &e),
		e, LK_R_IPC_UNASKED);
	MASA_OK(lk_turn_flush(turn, &masa_err));
	assert_int_equal(masa_events(&masa), events);
}

static int
setup(void **state)
{
	(void)state;
	masa_init(&masa, &settings, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	masa_done(&masa);
	return 0;
}

/*= Latchkey refusals: what never became a request reaches the ledger, too =*/
static void
test_what_the_front_refused(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(MASA_BODY_MAX);
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	struct lk_refused_body b = { .reason = "http-path",
		.message = "nobody serves /",
		.remote = "192.0.2.7:1",
		.count = 3 };

	(void)state;
	MASA_OK(lk_body_pack(LK_BODY_refused, &b, &packed, &masa_err));
	MASA_OK(lk_turn_receive(lk_masa_keeper_turn(masa.keeper), LK_ROLE_FRONT, 0, 0,
		LK_BODY_refused, lk_buf_slice(&packed), &masa_err));
	masa_settle(&masa);
	masa_newest_event(&masa, &ev);
	assert_string_equal(ev.type, "refused");
	assert_string_equal(ev.reason, "http-path");
	assert_non_null(memmem(ev.payload.p, ev.payload.n, "192.0.2.7:1", 11));
	assert_non_null(memmem(ev.payload.p, ev.payload.n, "\"count\":3", 9));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_404_for_everything_about_devices),
		TEST(test_the_ledger_says_why),
		TEST(test_an_error_is_text_with_a_cure),
		TEST(test_a_full_house_says_when_to_come_back),
		TEST(test_other_endpoints),
		TEST(test_other_roles),
		TEST(test_what_the_front_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
