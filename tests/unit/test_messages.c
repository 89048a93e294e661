/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of messages is whole: every body has a row, every request a reply
 * that goes back the way it came, and what is in no row may not be sent.
 */
#include "test.h"

#include "ipc/messages.h"

static void
test_table(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < LK_BODY_COUNT; i++) {
		const struct lk_message_info *m = lk_message_info(i), *r;

		assert_true(m->from && m->to);
		assert_true(m->fds <= 1);
		r = lk_message_info(m->reply);
		switch (m->kind) {
		case LK_MESSAGE_REQUEST:
			assert_int_equal(r->kind, LK_MESSAGE_REPLY);
			assert_int_equal(m->from & ~r->to, 0);
			assert_int_equal(m->to & ~r->from, 0);
			assert_int_equal(m->fds + r->fds, 0);
			break;
		case LK_MESSAGE_EVENT:
		case LK_MESSAGE_REPLY:
			assert_int_equal(m->reply, i);
			break;
		}
	}
	assert_null(lk_message_info(LK_BODY_COUNT));
	assert_null(lk_message_info(0xffff));
}

static void
test_allowed(void **state)
{
	(void)state;
	assert_true(lk_message_is_allowed(LK_BODY_web_request, LK_ROLE_FRONT, LK_ROLE_KEEPER));
	assert_false(lk_message_is_allowed(LK_BODY_web_request, LK_ROLE_KEEPER, LK_ROLE_FRONT));
	assert_false(lk_message_is_allowed(LK_BODY_web_request, LK_ROLE_FRONT, LK_ROLE_SIGNER));
	assert_false(
		lk_message_is_allowed(LK_BODY_sign_certificate, LK_ROLE_FRONT, LK_ROLE_SIGNER));
	assert_false(lk_message_is_allowed(LK_BODY_link, LK_ROLE_FRONT, LK_ROLE_KEEPER));
	assert_false(lk_message_is_allowed(LK_BODY_COUNT, LK_ROLE_FRONT, LK_ROLE_KEEPER));
}

static void
test_role_names(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < LK_ROLE_COUNT; i++)
		assert_int_equal(lk_role_by_name(lk_role_name((enum lk_role)i)), i);
	assert_int_equal(lk_role_by_name("king"), LK_ROLE_COUNT);
}

static void
test_fail(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1024);
	LK_CLEANUP(lk_buf_done) struct lk_buf bad = LK_BUF_INIT(1024);
	struct lk_fail_body unknown = { .reason = "no-such-reason" };
	struct lk_err why, got = { .reason = LK_R_NONE }, e;

	(void)state;
	lk_err_set(&why, LK_R_CERT_TIME, "too late");
	assert_true(lk_fail_pack(&why, &out, NULL).ok);
	assert_true(out.n <= lk_body_max(LK_BODY_fail));
	assert_true(lk_fail_unpack(lk_buf_slice(&out), &got, NULL).ok);
	assert_int_equal(got.reason, LK_R_CERT_TIME);
	assert_string_equal(got.msg, "too late");
	assert_true(lk_body_pack(LK_BODY_fail, &unknown, &bad, NULL).ok);
	assert_refused(lk_fail_unpack(lk_buf_slice(&bad), &got, &e), e, LK_R_IPC_MALFORMED);
	assert_int_equal(got.reason, LK_R_CERT_TIME);
}

/* The largest body of each kind has exactly the size that is taken. */
static void
test_body_max(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(4096);
	struct lk_fail_body fail;

	(void)state;
	memset(&fail, 'x', sizeof fail);
	fail.reason[sizeof fail.reason - 1] = fail.message[sizeof fail.message - 1] = 0;
	assert_true(lk_body_pack(LK_BODY_fail, &fail, &out, NULL).ok);
	assert_int_equal(out.n, lk_body_max(LK_BODY_fail));
	assert_int_equal(lk_body_max(LK_BODY_ready), 0);
	assert_int_equal(lk_body_max(LK_BODY_link), 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_role_names),
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_body_max),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
