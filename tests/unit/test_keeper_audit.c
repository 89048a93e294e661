/* SPDX-License-Identifier: Apache-2.0
 *
 * The MASA's audit log: when it is asked for, what is found wrong with it, and
 * that no credential is given over its head.
 */
#include "keeper_cast.h"

#include "artefact/audit_log.h"

/*= RFC8995 5.8: the registrar asks for the audit log after the voucher status telemetry =*/
static void
test_log_is_asked_for(void **state)
{
	struct site s;
	const struct lk_fetch_body *f;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_VOUCHERED);
	assert_null(site_question(&s, LK_ROLE_COURIER));
	site_ask(&s, &s.pki.device.chain, LK_EP_BRSKI_VOUCHER_STATUS,
		LK_SLICE_LIT("{\"version\":1,\"status\":true}"));
	f = &site_question(&s, LK_ROLE_COURIER)->body.as_fetch;
	assert_string_equal(f->url, "https://" PKI_MASA_URL "/.well-known/brski/requestauditlog");
	assert_string_equal(f->content_type, LK_TYPE_VOUCHER);
	assert_string_equal(f->accept, LK_TYPE_JSON);
	assert_int_equal(f->response_max, LK_AUDIT_LOG_MAX); /* no less than a MASA may send */
	assert_true(lk_slice_eq(f->body, lk_blob_slice(&site_run(&s)->registrar_request)));
	assert_string_equal(s.run.audit_state, "asked");
	site_done(&s);
}

static void
test_enrolment_waits_for_the_log(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ACCEPTED);
	assert_int_equal(site_enrol(&s), 202);
	assert_int_equal(s.reply.retry_after, s.settings.retry_after);
	assert_int_equal(site_count(&s, LK_KIND_certificate), 0);
	site_masa_log(&s, &s.pki.domain, PKI_NONCE);
	assert_string_equal(site_event(&s, "audit-log-judged")->reason, "");
	assert_int_equal(site_enrol(&s), 200);
	site_done(&s);
}

/* A keeper that was started anew asks for what the one before asked for, once. */
static void
test_restart_while_the_log_is_awaited(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ACCEPTED);
	site_restart(&s);
	assert_int_equal(site_enrol(&s), 202);
	assert_int_equal(site_enrol(&s), 202);
	assert_int_equal(s.n_asked, s.asked_before);
	assert_true(lk_slice_eq(site_question(&s, LK_ROLE_COURIER)->body.as_fetch.body,
		lk_blob_slice(&site_run(&s)->registrar_request)));
	site_masa_log(&s, &s.pki.domain, PKI_NONCE);
	assert_int_equal(site_enrol(&s), 200);
	site_done(&s);
}

/* A MASA that needs time, or a courier that was started anew, refuses nobody. */
static void
test_log_comes_later(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ACCEPTED);
	site_masa(&s, 503, LK_TYPE_TEXT, LK_SLICE_LIT("later"));
	assert_string_equal(site_event(&s, "audit-log-awaited")->reason, "masa-later");
	assert_int_equal(site_enrol(&s), 202);
	site_fail(&s, LK_ROLE_COURIER, LK_R_ROLE_SILENT);
	assert_string_equal(site_event(&s, "audit-log-awaited")->reason, "role-silent");
	assert_string_equal(site_run(&s)->audit_state, "asked");
	assert_int_equal(site_enrol(&s), 202);
	site_masa_log(&s, &s.pki.domain, PKI_NONCE);
	assert_int_equal(site_enrol(&s), 200);
	site_done(&s);
}

/* The log came and is no good: enrolment is refused, also when it is tried again. */
static void
expect_refusal(struct site *s, const char *audit_state, enum lk_reason judged, enum lk_reason told)
{
	assert_string_equal(
		site_event(s, "audit-log-judged")->reason, lk_reason_info(judged)->symbol);
	assert_string_equal(site_run(s)->audit_state, audit_state);
	for (int i = 0; i < 2; i++) {
		site_enrol(s);
		assert_site_refused(s, told);
	}
	assert_int_equal(site_count(s, LK_KIND_certificate), 0);
}

/*= RFC8995 5.8.3: unexpected domains and nonceless entries are looked for =*/
/*= RFC8995 5.8.3: an audit log that policy does not accept refuses the enrolment =*/
static void
test_unclean_logs(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ACCEPTED);
	site_masa_log(&s, &s.pki.stranger_ca, PKI_NONCE);
	expect_refusal(&s, "unclean", LK_R_AUDIT_DOMAIN, LK_R_AUDIT_UNCLEAN);
	site_done(&s);
	site_init(&s, "allow");
	site_until(&s, SITE_ACCEPTED);
	site_masa_log(&s, &s.pki.domain, NULL);
	expect_refusal(&s, "unclean", LK_R_AUDIT_NONCELESS, LK_R_AUDIT_UNCLEAN);
	site_done(&s);
	site_init(&s, "allow");
	site_until(&s, SITE_ACCEPTED);
	site_masa(&s, 200, LK_TYPE_JSON, LK_SLICE_LIT("{\"version\":\"1\"}"));
	expect_refusal(&s, "unclean", LK_R_AUDIT_LOG, LK_R_AUDIT_UNCLEAN);
	site_done(&s);
}

static void
test_missing_log(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	site_until(&s, SITE_ACCEPTED);
	site_masa(&s, 404, LK_TYPE_TEXT, LK_SLICE_LIT("no log"));
	expect_refusal(&s, "missing", LK_R_AUDIT_MISSING, LK_R_AUDIT_MISSING);
	site_done(&s);
	site_init(&s, "allow");
	site_until(&s, SITE_ACCEPTED);
	site_fail(&s, LK_ROLE_COURIER, LK_R_UPSTREAM_TLS);
	expect_refusal(&s, "missing", LK_R_UPSTREAM_TLS, LK_R_AUDIT_MISSING);
	site_done(&s);
}

/* A network may live without logs; with a bad one it may not. */
static void
test_log_is_not_required(void **state)
{
	struct site s;

	(void)state;
	site_init(&s, "allow");
	s.settings.audit_required = false;
	site_restart(&s);
	site_until(&s, SITE_ACCEPTED);
	site_masa(&s, 404, LK_TYPE_TEXT, LK_SLICE_LIT("no log"));
	assert_int_equal(site_enrol(&s), 200);
	site_done(&s);
	site_init(&s, "allow");
	s.settings.audit_required = false;
	site_restart(&s);
	site_until(&s, SITE_ACCEPTED);
	site_masa_log(&s, &s.pki.stranger_ca, PKI_NONCE);
	expect_refusal(&s, "unclean", LK_R_AUDIT_DOMAIN, LK_R_AUDIT_UNCLEAN);
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_is_asked_for),
		cmocka_unit_test(test_enrolment_waits_for_the_log),
		cmocka_unit_test(test_restart_while_the_log_is_awaited),
		cmocka_unit_test(test_log_comes_later),
		cmocka_unit_test(test_unclean_logs),
		cmocka_unit_test(test_missing_log),
		cmocka_unit_test(test_log_is_not_required),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
