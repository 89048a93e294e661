/* SPDX-License-Identifier: Apache-2.0
 *
 * Who reads a device's audit log at the MASA, and what stands in it (RFC 8995 5.8).
 */
#include "masa_cast.h"

#include "artefact/audit_log.h"

static const struct lk_masa_settings settings = { LK_PIN_FARTHEST, 1200, true };

static struct masa masa;

static void
asks_for_voucher(const struct lk_buf *request)
{
	masa_ask(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(request));
}

/* Caller frees. */
static struct lk_audit_log *
reads(const struct lk_buf *request)
{
	struct lk_audit_log *log = NULL;

	masa_ask(&masa, LK_EP_MASA_REQUESTAUDITLOG, NULL, lk_buf_slice(request));
	if (masa.reply.status != 200)
		fail_msg("%s", lk_buf_str(&masa.reply_body));
	assert_string_equal(masa.reply.content_type, LK_TYPE_JSON);
	MASA_OK(lk_audit_log_parse(masa.reply.body, &log, &masa_err));
	return log;
}

static void
refuses_strangers(const struct lk_buf *request, enum lk_reason want)
{
	masa_refuses_strangers(&masa, LK_EP_MASA_REQUESTAUDITLOG, lk_buf_slice(request), want);
}

/* The device's request for the stranger's registrar, in that one's. */
static void
stranger_request(struct lk_buf *out)
{
	LK_CLEANUP(lk_freep)
	char *met = pki_quoted_base64(lk_cert_der(pki_cert(&masa.cast.stranger)));
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(LK_CMS_MAX);

	masa_pledge_request(&masa, &masa.cast.device, "proximity-registrar-cert", met, &prior);
	masa_registrar_request(&masa, &masa.cast.stranger, lk_buf_slice(&prior), NULL, NULL, out);
}

static void
give_to(const char *owner)
{
	LK_CLEANUP(lk_record_done) struct lk_masa_device_record d = LK_RECORD_INIT(masa_device);

	masa_set(d.id, MASA_DEVICE);
	MASA_OK(lk_store_get(masa.store, LK_MASA_DEVICE_BY_ID, &d.record, &masa_err));
	masa_set(d.owner_id, owner);
	masa_put(&masa, &d.record);
}

/*= RFC8995 5.5.6: the audit log has the nonce, null where there is none =*/
static void
test_the_owner_reads_what_was_issued(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf nonceless = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *log = NULL;

	(void)state;
	masa_request(&masa, &request);
	masa_registrar_request(
		&masa, &masa.cast.registrar, lk_slice(NULL, 0), "nonce", NULL, &nonceless);
	asks_for_voucher(&request);
	masa.clock.seconds += 60;
	asks_for_voucher(&nonceless);
	log = reads(&request);
	assert_int_equal(log->n_events, 2); /* the newest first */
	assert_int_equal(log->events[0].date, PKI_NOW + 60);
	assert_string_equal(log->events[0].nonce, "");
	assert_non_null(memmem(masa.reply.body.p, masa.reply.body.n, "null", 4));
	assert_int_equal(log->events[1].date, PKI_NOW);
	assert_string_equal(log->events[1].nonce, PKI_NONCE);
	assert_string_equal(log->events[1].assertion, "verified");
	assert_int_equal(log->arbitrary, 0);
}

/* Sold to it, though it never asked for a voucher. */
static void
test_an_owner_without_voucher_reads_an_empty_log(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *log = NULL;

	(void)state;
	masa_request(&masa, &request);
	log = reads(&request);
	assert_int_equal(log->n_events, 0);
}

/*= RFC8995 5.8: who never owned the device gets 404 =*/
static void
test_who_never_owned_it(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf own = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	(void)state;
	masa_request(&masa, &own);
	asks_for_voucher(&own);
	stranger_request(&request);
	refuses_strangers(&request, LK_R_MASA_NEVER_OWNER);
	masa_add_domain(&masa, "owner-2", pki_cert(&masa.cast.stranger_ca)); /* of another device */
	refuses_strangers(&request, LK_R_MASA_NEVER_OWNER);
}

/* A former owner still reads the log, and what its successor did too (RFC 8995 5.8). */
static void
test_a_former_owner_reads_on(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf own = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf other = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *log = NULL;

	(void)state;
	masa_request(&masa, &own);
	asks_for_voucher(&own);
	give_to("owner-2");
	masa_add_domain(&masa, "owner-2", pki_cert(&masa.cast.stranger_ca));
	stranger_request(&other);
	asks_for_voucher(&other);
	assert_int_equal(masa.reply.status, 200);
	log = reads(&own);
	assert_int_equal(log->n_events, 2);
}

/*= Latchkey MASA: refusals go to the ledger, never into a device's audit log =*/
static void
test_refusals_are_not_in_it(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf own = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *log = NULL;

	(void)state;
	masa_request(&masa, &own);
	stranger_request(&request);
	masa_refuses_strangers(
		&masa, LK_EP_MASA_REQUESTVOUCHER, lk_buf_slice(&request), LK_R_MASA_NOT_OWNER);
	log = reads(&own);
	assert_int_equal(log->n_events, 0);
}

/* So many entries before this date, each older than the one before; domain NULL: each of another. */
static void
add_entries(int n, int64_t before, const char *domain, const char *nonce)
{
	int i;

	MASA_OK(lk_store_begin(masa.store, &masa_err));
	for (i = 1; i <= n; i++) {
		LK_CLEANUP(lk_record_done)
		struct lk_audit_entry_record r = LK_RECORD_INIT(audit_entry);

		r.date = before - i;
		snprintf(r.id, sizeof r.id, "entry-%lld", (long long)r.date);
		masa_set(r.device_id, MASA_DEVICE);
		masa_set(r.nonce, nonce);
		masa_set(r.assertion, "logged");
		if (domain)
			masa_set(r.domain_id, domain);
		else
			snprintf(r.domain_id, sizeof r.domain_id, "domain-%d", i);
		MASA_OK(lk_store_insert(masa.store, &r.record, &masa_err));
	}
	MASA_OK(lk_store_commit(masa.store, &masa_err));
}

#define DOMAIN "BduJhdHPpfhQLyponf48JzXSGZ8="

/* Whoever has the device fills its log, and hides nobody who had it before. */
/*= RFC8995 5.8.1: of each domain the newest nonced and nonceless entry stay in an abridged log =*/
/*= RFC8995 5.8.1: counts of what was left out stop at 1024 =*/
static void
test_no_domain_is_pushed_out(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *log = NULL;
	const struct lk_audit_event *last;

	(void)state;
	add_entries(LK_AUDIT_EVENTS_MAX + 1100, PKI_NOW, DOMAIN, PKI_NONCE);
	add_entries(2, PKI_NOW - 2000, DOMAIN, "");
	add_entries(1, PKI_NOW - 3000, "AAAA", PKI_NONCE);
	masa_request(&masa, &request);
	log = reads(&request);
	assert_int_equal(log->n_events, LK_AUDIT_EVENTS_MAX);
	assert_int_equal(log->events[0].date, PKI_NOW - 1);
	assert_int_equal(log->events[0].truncated, LK_AUDIT_TRUNCATED_MAX);
	last = &log->events[LK_AUDIT_EVENTS_MAX - 1];
	assert_string_equal(last->domain_id, "AAAA");
	assert_int_equal(last->truncated, 0);
	assert_string_equal(last[-1].domain_id, DOMAIN);
	assert_string_equal(last[-1].nonce, "");
	assert_int_equal(last[-1].date, PKI_NOW - 2001);
	assert_int_equal(last[-1].truncated, 1);
	assert_int_equal(last[-2].date, PKI_NOW - LK_AUDIT_EVENTS_MAX + 2);
	assert_int_equal(log->nonced, LK_AUDIT_TRUNCATED_MAX);
	assert_int_equal(log->nonceless, 1);
	assert_int_equal(log->arbitrary, 0);
}

/* More domains than a log has lines: it says that it is not whole. */
static void
test_what_does_not_fit_is_counted(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *log = NULL;

	(void)state;
	add_entries(LK_AUDIT_EVENTS_MAX + 3, PKI_NOW, NULL, "");
	masa_request(&masa, &request);
	log = reads(&request);
	assert_int_equal(log->n_events, LK_AUDIT_EVENTS_MAX);
	assert_int_equal(log->arbitrary, 3);
	assert_int_equal(log->nonceless, 0);
	assert_int_equal(log->events[0].date, PKI_NOW - 1);
	assert_int_equal(log->events[LK_AUDIT_EVENTS_MAX - 1].date, PKI_NOW - LK_AUDIT_EVENTS_MAX);
}

/* Nonces are the devices' to choose: what JSON needs many bytes for does not shut the log. */
static void
test_long_entries_do_not_shut_the_log(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *log = NULL;
	char nonce[LK_VOUCHER_NONCE_MAX];

	(void)state;
	memset(nonce, '\1', sizeof nonce - 1);
	nonce[sizeof nonce - 1] = 0;
	add_entries(LK_AUDIT_EVENTS_MAX - 1, PKI_NOW, DOMAIN, nonce);
	add_entries(1, PKI_NOW - LK_AUDIT_EVENTS_MAX, "AAAA", nonce);
	masa_request(&masa, &request);
	log = reads(&request);
	assert_in_range(log->n_events, 64, LK_AUDIT_EVENTS_MAX - 1);
	assert_int_equal(log->n_events + log->nonced, LK_AUDIT_EVENTS_MAX);
	assert_int_equal(log->arbitrary, 0);
	assert_int_equal(log->events[0].date, PKI_NOW - 1);
	assert_string_equal(log->events[log->n_events - 1].domain_id, "AAAA");
}

static int
setup(void **state)
{
	(void)state;
	masa_init(&masa, &settings, NULL);
	masa_own(&masa);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	masa_done(&masa);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_owner_reads_what_was_issued),
		TEST(test_an_owner_without_voucher_reads_an_empty_log),
		TEST(test_who_never_owned_it),
		TEST(test_a_former_owner_reads_on),
		TEST(test_refusals_are_not_in_it),
		TEST(test_no_domain_is_pushed_out),
		TEST(test_what_does_not_fit_is_counted),
		TEST(test_long_entries_do_not_shut_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
