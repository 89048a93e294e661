/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit logs: the RFC's example with its strings for numbers, each refusal, the registrar's
 * judgement, and what the MASA writes.
 */
#include "test.h"

#include <stdlib.h>

#include "artefact/audit_log.h"
#include "crypto/digest.h"
#include "pki.h"

#define EVENT                                                                              \
	"{\"date\":\"2026-01-01T12:00:00Z\",\"domainID\":\"AAAA\",\"nonce\":\"12345678\"," \
	"\"assertion\":\"logged\"}"

static void
assert_parse_refused(const char *text, enum lk_reason reason)
{
	struct lk_audit_log *log = NULL;
	struct lk_err e;

	assert_refused(lk_audit_log_parse(lk_slice_str(text), &log, &e), e, reason);
	assert_null(log);
}

static struct lk_audit_log *
parsed(const char *text)
{
	struct lk_audit_log *log = NULL;
	struct lk_err e = { .reason = LK_R_NONE };

	if (!lk_audit_log_parse(lk_slice_str(text), &log, &e).ok)
		fail_msg("%s", e.msg);
	return log;
}

/* RFC 8995 5.8.1, Figure 18. */
static void
test_rfc8995_example(void **state)
{
	LK_CLEANUP(lk_audit_log_freep)
	struct lk_audit_log *log =
		parsed("{\"version\":\"1\",\"events\":[{\"date\":\"2019-05-15T17:25:55.644-04:00\","
		       "\"domainID\":\"BduJhdHPpfhQLyponf48JzXSGZ8=\",\"nonce\":\"VOUFT-"
		       "WwrEv0NuAQEHoV7Q\","
		       "\"assertion\":\"proximity\",\"truncated\":\"0\"},"
		       "{\"date\":\"2017-05-15T17:25:55.644-04:00\","
		       "\"domainID\":\"BduJhdHPpfhQLyponf48JzXSGZ8=\",\"nonce\":\"f4G6Vi1t8nKo/"
		       "FieCVgpBg==\","
		       "\"assertion\":\"proximity\"}],\"truncation\":{\"nonced duplicates\":\"0\","
		       "\"nonceless duplicates\":\"1\",\"arbitrary\":\"2\"}}");

	(void)state;
	assert_int_equal(log->n_events, 2);
	assert_int_equal(log->events[0].date, INT64_C(1557955555));
	assert_string_equal(log->events[0].domain_id, "BduJhdHPpfhQLyponf48JzXSGZ8=");
	assert_string_equal(log->events[1].nonce, "f4G6Vi1t8nKo/FieCVgpBg==");
	assert_int_equal(log->nonced, 0);
	assert_int_equal(log->nonceless, 1);
	assert_int_equal(log->arbitrary, 2);
}

static void
test_syntax(void **state)
{
	(void)state;
	assert_parse_refused("[]", LK_R_JSON_SYNTAX);
	assert_parse_refused("{\"version\":1,\"version\":1,\"events\":[]}", LK_R_JSON_DUPLICATE);
	assert_parse_refused("{\"events\":[" EVENT "]}", LK_R_AUDIT_LOG);
	assert_parse_refused("{\"version\":0,\"events\":[" EVENT "]}", LK_R_AUDIT_LOG);
	assert_parse_refused("{\"version\":\"one\",\"events\":[" EVENT "]}", LK_R_AUDIT_LOG);
	assert_parse_refused("{\"version\":1}", LK_R_AUDIT_LOG);
	assert_parse_refused("{\"version\":1,\"events\":{}}", LK_R_AUDIT_LOG);
	assert_parse_refused("{\"version\":1,\"events\":[1]}", LK_R_AUDIT_LOG);
	assert_parse_refused("{\"version\":1,\"events\":[{\"date\":\"now\"}]}", LK_R_AUDIT_LOG);
	assert_parse_refused("{\"version\":1,\"events\":[],\"truncation\":1}", LK_R_AUDIT_LOG);
	assert_parse_refused(
		"{\"version\":1,\"events\":[],\"truncation\":{\"arbitrary\":-1}}", LK_R_AUDIT_LOG);
}

static void
test_too_many_events(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_AUDIT_LOG_MAX);
	struct lk_audit_log *log = NULL;
	struct lk_err e;
	int i;

	(void)state;
	assert_true(lk_buf_append_str(&text, "{\"version\":1,\"events\":[", &e).ok);
	for (i = 0; i < LK_AUDIT_EVENTS_MAX; i++)
		assert_true(lk_buf_append_str(&text, EVENT ",", &e).ok);
	assert_true(lk_buf_append_str(&text, EVENT "]}", &e).ok);
	assert_refused(lk_audit_log_parse(lk_buf_slice(&text), &log, &e), e, LK_R_TOO_LARGE);
	assert_null(log);
}

static void
test_later_version(void **state)
{
	LK_CLEANUP(lk_audit_log_freep)
	struct lk_audit_log *log = parsed("{\"version\":2,\"events\":[" EVENT "],\"more\":{}}");

	(void)state;
	/*= RFC8995 5.8.1: a later version says more, and all that this one says =*/
	assert_int_equal(log->n_events, 1);
}

/* --- the registrar's judgement ---------------------------------------------------------------- */

static char *
domain_id(const struct pki_id *who)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf id = LK_BUF_INIT(LK_CERT_KEY_ID_MAX);
	struct lk_err e;

	assert_true(lk_cert_domain_id(pki_cert(who), &id, &e).ok);
	return pki_base64(lk_buf_slice(&id));
}

static struct lk_audit_log *
log_of(const struct pki_id *first, const struct pki_id *second, const char *nonce)
{
	LK_CLEANUP(lk_freep) char *a = domain_id(first);
	LK_CLEANUP(lk_freep) char *b = domain_id(second);
	LK_CLEANUP(lk_freep)
	char *text =
		pki_text("{\"version\":1,\"events\":[{\"date\":\"2026-01-01T11:00:00Z\","
			 "\"domainID\":\"%s\",\"nonce\":\"12345678\",\"assertion\":\"logged\"},"
			 "{\"date\":\"2026-01-01T12:00:00Z\",\"domainID\":\"%s\"%s,"
			 "\"assertion\":\"verified\"}]}",
			a, b, nonce);

	return parsed(text);
}

static void
test_judge(void **state)
{
	struct pki_cast cast;
	struct lk_err e;

	(void)state;
	pki_cast_init(&cast);
	{
		LK_CLEANUP(lk_audit_log_freep)
		struct lk_audit_log *ours =
			log_of(&cast.domain, &cast.registrar, ",\"nonce\":\"12345678\"");
		LK_CLEANUP(lk_audit_log_freep)
		struct lk_audit_log *shared =
			log_of(&cast.domain, &cast.stranger_ca, ",\"nonce\":\"12345678\"");
		LK_CLEANUP(lk_audit_log_freep)
		struct lk_audit_log *null = log_of(&cast.domain, &cast.domain, ",\"nonce\":null");
		LK_CLEANUP(lk_audit_log_freep)
		struct lk_audit_log *absent = log_of(&cast.domain, &cast.domain, "");

		assert_true(lk_audit_log_judge(ours, &cast.registrar.chain, &e).ok);
		ours->nonced = 7; /* repeats stand for what is there */
		assert_true(lk_audit_log_judge(ours, &cast.registrar.chain, &e).ok);
		/*= RFC8995 5.8.3: a voucher for an unexpected domain is looked for =*/
		assert_refused(lk_audit_log_judge(shared, &cast.registrar.chain, &e), e,
			LK_R_AUDIT_DOMAIN);
		/*= RFC8995 5.8.3: a nonceless voucher could be used again, also after a reset =*/
		/*= RFC8995 5.8.1: a nonceless voucher's nonce is null, or its absence =*/
		assert_refused(lk_audit_log_judge(null, &cast.registrar.chain, &e), e,
			LK_R_AUDIT_NONCELESS);
		assert_refused(lk_audit_log_judge(absent, &cast.registrar.chain, &e), e,
			LK_R_AUDIT_NONCELESS);
	}
	pki_cast_done(&cast);
}

/* The registrar knows what it was not shown. */
static void
test_judge_what_was_left_out(void **state)
{
	struct pki_cast cast;
	struct lk_err e;

	(void)state;
	pki_cast_init(&cast);
	{
		LK_CLEANUP(lk_audit_log_freep)
		struct lk_audit_log *log =
			log_of(&cast.domain, &cast.registrar, ",\"nonce\":\"12345678\"");

		/*= RFC8995 5.8.1: a log that left out more than repeats decides nothing =*/
		log->arbitrary = 1;
		assert_refused(lk_audit_log_judge(log, &cast.registrar.chain, &e), e,
			LK_R_AUDIT_ABRIDGED);
		/*= RFC8995 5.8.3: a nonceless voucher could be used again, also after a reset =*/
		log->nonceless = 1;
		assert_refused(lk_audit_log_judge(log, &cast.registrar.chain, &e), e,
			LK_R_AUDIT_NONCELESS);
	}
	pki_cast_done(&cast);
}

/* A certificate without subjectKeyIdentifier is known by the digest of its key. */
static void
test_domain_id(void **state)
{
	const struct pki_spec with = { .cn = "A", .ca = true },
			      without = { .cn = "B", .no_ski = true };
	LK_CLEANUP(lk_buf_done) struct lk_buf a = LK_BUF_INIT(64), b = LK_BUF_INIT(64);
	LK_CLEANUP(pki_id_done) struct pki_id one = { .key = NULL }, two = { .key = NULL };
	uint8_t digest[LK_SHA256_LEN];
	struct lk_err e;

	(void)state;
	pki_issue(NULL, &with, &one);
	pki_issue(&one, &without, &two);
	/*= RFC8995 5.8.2: domainID is the pinned certificate's SubjectKeyIdentifier, else its SPKI
	 * fingerprint =*/
	assert_true(lk_cert_domain_id(pki_cert(&one), &a, &e).ok);
	assert_true(lk_slice_eq(lk_buf_slice(&a), lk_cert_ski(pki_cert(&one))));
	assert_true(lk_cert_domain_id(pki_cert(&two), &b, &e).ok);
	lk_sha256_of(lk_cert_spki(pki_cert(&two)), digest);
	assert_true(lk_slice_eq(lk_buf_slice(&b), LK_SLICE_ARRAY(digest)));
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
test_build(void **state)
{
	struct lk_audit_event events[] = {
		{ .date = PKI_NOW,
			.domain_id = "AAAA",
			.nonce = "12345678",
			.assertion = "logged" },
		{ .date = PKI_NOW, .domain_id = "BBBB", .assertion = "verified", .truncated = 3 },
	};
	const struct lk_audit_log log = { events, LK_ARRAY_LEN(events), 0, 3, 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(LK_AUDIT_LOG_MAX);
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *again = NULL;
	struct lk_err e;

	(void)state;
	assert_true(lk_audit_log_build(&log, &out, &e).ok);
	/*= RFC8995 5.8.1: a nonceless voucher's nonce is null =*/
	assert_string_equal(lk_buf_str(&out),
		"{\"version\":1,\"events\":["
		"{\"date\":\"2026-01-01T12:00:00Z\",\"domainID\":\"AAAA\",\"nonce\":\"12345678\","
		"\"assertion\":\"logged\"},"
		"{\"date\":\"2026-01-01T12:00:00Z\",\"domainID\":\"BBBB\",\"assertion\":"
		"\"verified\","
		"\"truncated\":3,\"nonce\":null}],"
		"\"truncation\":{\"nonced duplicates\":0,\"nonceless "
		"duplicates\":3,\"arbitrary\":0}}");
	again = parsed(lk_buf_str(&out));
	assert_int_equal(again->n_events, 2);
	assert_string_equal(again->events[1].nonce, "");
	assert_int_equal(again->nonceless, 3);
}

static void
test_print(void **state)
{
	LK_CLEANUP(lk_audit_log_freep)
	struct lk_audit_log *log =
		parsed("{\"version\":1,\"events\":[{\"date\":"
		       "\"2026-01-01T12:00:00Z\",\"domainID\":\"A\\nB\",\"nonce\":null,"
		       "\"assertion\":\"logged\"}]}");
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(4096);
	struct lk_err e;

	(void)state;
	assert_true(lk_audit_log_print(log, &out, &e).ok);
	assert_string_equal(lk_buf_str(&out),
		"date: 2026-01-01T12:00:00Z\nleft out: 0\nnonce: null\ndomainID: \"A\\nB\"\n"
		"assertion: logged\nnonced duplicates left out: 0\nnonceless duplicates left out: "
		"0\n"
		"others left out: 0\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc8995_example),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_too_many_events),
		cmocka_unit_test(test_later_version),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_judge_what_was_left_out),
		cmocka_unit_test(test_domain_id),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
