/* SPDX-License-Identifier: Apache-2.0
 *
 * Status telemetry: the RFC's examples, each refusal, and writing.
 */
#include "test.h"

#include <string.h>

#include "artefact/telemetry.h"

static void
assert_parse_refused(const char *text, enum lk_reason reason)
{
	struct lk_telemetry t = { .version = 77 };
	struct lk_err e;

	assert_refused(lk_telemetry_parse(lk_slice_str(text), &t, &e), e, reason);
	assert_int_equal(t.version, 77);
	assert_null(t.json);
}

/* RFC 8995 5.7, Figure 16. */
static void
test_rfc8995_example(void **state)
{
	LK_CLEANUP(lk_telemetry_done) struct lk_telemetry t = { 0 };
	struct lk_err e;

	(void)state;
	assert_true(lk_telemetry_parse(
		LK_SLICE_LIT("{\"version\": 1, \"status\":false,"
			     "\"reason\":\"Informative human-readable message\","
			     "\"reason-context\": { \"additional\" : \"JSON\" }}"),
		&t, &e)
			    .ok);
	assert_int_equal(t.version, 1);
	assert_false(t.status);
	assert_string_equal(t.reason, "Informative human-readable message");
}

static void
test_syntax(void **state)
{
	(void)state;
	/*= RFC8995 5.7: version and status are mandatory =*/
	assert_parse_refused("{\"status\":true}", LK_R_TELEMETRY);
	assert_parse_refused("{\"version\":1}", LK_R_TELEMETRY);
	assert_parse_refused("{\"Version\":1,\"Status\":true}", LK_R_TELEMETRY);
	assert_parse_refused("{\"version\":1,\"status\":\"true\"}", LK_R_TELEMETRY);
	assert_parse_refused("{\"version\":-1,\"status\":true}", LK_R_TELEMETRY);
	assert_parse_refused("{\"version\":1,\"status\":true,\"reason\":7}", LK_R_TELEMETRY);
	assert_parse_refused(
		"{\"version\":1,\"status\":true,\"status\":true}", LK_R_JSON_DUPLICATE);
	assert_parse_refused("", LK_R_JSON_SYNTAX);
}

static void
test_size(void **state)
{
	static char big[LK_TELEMETRY_MAX + 2];

	(void)state;
	memset(big, ' ', sizeof big - 1);
	assert_parse_refused(big, LK_R_TOO_LARGE);
}

static void
test_unknown_members(void **state)
{
	LK_CLEANUP(lk_telemetry_done) struct lk_telemetry t = { 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(4096);
	struct lk_err e;

	(void)state;
	/*= RFC8995 5.7: unknown fields are logged, not refused =*/
	assert_true(lk_telemetry_parse(
		LK_SLICE_LIT("{\"version\":2,\"status\":true,\"a\\nb\":[1]}"), &t, &e)
			    .ok);
	assert_int_equal(t.version, 2);
	assert_string_equal(t.reason, "");
	assert_true(lk_telemetry_print(&t, &out, &e).ok);
	assert_string_equal(
		lk_buf_str(&out), "version: 2\nstatus: true\nbesides: {\"a\\nb\":[1]}\n");
}

static void
test_build(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf good = LK_BUF_INIT(4096);
	LK_CLEANUP(lk_buf_done) struct lk_buf bad = LK_BUF_INIT(4096);
	struct lk_err e;

	(void)state;
	assert_true(lk_telemetry_build(true, NULL, NULL, &good, &e).ok);
	assert_string_equal(lk_buf_str(&good), "{\"version\":1,\"status\":true}");
	/*= RFC8995 5.7: the reason is given when status is false =*/
	assert_true(lk_telemetry_build(false, "voucher-nonce", NULL, &bad, &e).ok);
	assert_string_equal(
		lk_buf_str(&bad), "{\"version\":1,\"status\":false,\"reason\":\"voucher-nonce\"}");
}

/* What the pledge runs stands in reason-context, whose content is its own business. */
static void
test_libraries(void **state)
{
	static const char *const others[] = {
		"{\"version\":1,\"status\":true}",
		"{\"version\":1,\"status\":true,\"libraries\":\"x\"}",
		"{\"version\":1,\"status\":true,\"reason-context\":\"libraries\"}",
		"{\"version\":1,\"status\":true,\"reason-context\":{\"libraries\":[\"x\"]}}",
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(4096);
	LK_CLEANUP(lk_telemetry_done) struct lk_telemetry t = { 0 };
	char long_name[2 * LK_TELEMETRY_LIBRARIES_MAX] = "";
	LK_CLEANUP(lk_buf_done) struct lk_buf too_long = LK_BUF_INIT(4096);
	LK_CLEANUP(lk_telemetry_done) struct lk_telemetry cut = { 0 };
	struct lk_err e;
	size_t i;

	(void)state;
	assert_true(lk_telemetry_build(true, NULL, "OpenSSL 3.0.17", &text, &e).ok);
	assert_string_equal(lk_buf_str(&text), "{\"version\":1,\"status\":true,\"reason-context\":{"
					       "\"libraries\":\"OpenSSL 3.0.17\"}}");
	assert_true(lk_telemetry_parse(lk_buf_slice(&text), &t, &e).ok);
	assert_string_equal(t.libraries, "OpenSSL 3.0.17");
	for (i = 0; i < LK_ARRAY_LEN(others); i++) {
		LK_CLEANUP(lk_telemetry_done) struct lk_telemetry o = { 0 };

		assert_true(lk_telemetry_parse(lk_slice_str(others[i]), &o, &e).ok);
		assert_string_equal(o.libraries, "");
	}
	memset(long_name, 'x', sizeof long_name - 1);
	assert_true(lk_telemetry_build(true, NULL, long_name, &too_long, &e).ok);
	assert_true(lk_telemetry_parse(lk_buf_slice(&too_long), &cut, &e).ok);
	assert_string_equal(cut.libraries, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc8995_example),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_unknown_members),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_libraries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
