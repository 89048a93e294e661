/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON by table: each type read and refused, limits, unknown members, writing, and lines that
 * foreign text cannot forge.
 */
#include "test.h"

#include <string.h>

#include "artefact/json.h"

static const char *const colours[] = { "red", "green", NULL };

enum { TEXT, TIME, BINARY, YES, COLOUR, COUNT };
struct thing {
	uint32_t present;
	char text[9];
	int64_t time;
	struct lk_buf binary;
	bool yes;
	int colour;
	uint64_t count;
};

static const struct lk_json_field fields[] = {
	[TEXT] = LK_JSON_FIELD(struct thing, text, "text", TEXT, MANDATORY),
	[TIME] = LK_JSON_FIELD(struct thing, time, "time", TIME, OPTIONAL),
	[BINARY] = LK_JSON_BINARY_FIELD(struct thing, binary, "binary", OPTIONAL, 4),
	[YES] = LK_JSON_FIELD(struct thing, yes, "yes", BOOL, OPTIONAL),
	[COLOUR] = LK_JSON_ENUM_FIELD(struct thing, colour, "colour", OPTIONAL, colours),
	[COUNT] = LK_JSON_FIELD(struct thing, count, "count", U64, OPTIONAL),
};

static const struct lk_json_table lenient = { "the thing", fields, LK_ARRAY_LEN(fields),
	offsetof(struct thing, present), LK_R_JSON_MEMBER, LK_JSON_IGNORE_UNKNOWN };
static const struct lk_json_table strict = { "the thing", fields, LK_ARRAY_LEN(fields),
	offsetof(struct thing, present), LK_R_VOUCHER_LEAF, LK_JSON_REFUSE_UNKNOWN };

static struct lk_result
read_by(const struct lk_json_table *table, const char *text, struct thing *ret, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;

	LK_TRY(lk_json_parse(lk_slice_str(text), &obj, e));
	return lk_json_read(table, obj, ret, e);
}

static void
test_types(void **state)
{
	struct thing t = { 0 };
	struct lk_err e;

	(void)state;
	assert_true(read_by(&lenient,
		"{\"text\":\"12345678\",\"time\":\"2026-01-01T12:00:00Z\",\"binary\":\"AQIDBA==\","
		"\"yes\":true,\"colour\":\"green\",\"count\":9007199254740991,\"other\":[]}",
		&t, &e)
			    .ok);
	assert_int_equal(t.present, 0x3f);
	assert_string_equal(t.text, "12345678");
	assert_int_equal(t.time, INT64_C(1767268800));
	/*= RFC7951 6.6: binary is base64 =*/
	assert_true(lk_slice_eq(lk_buf_slice(&t.binary), LK_SLICE_LIT("\1\2\3\4")));
	assert_true(t.yes);
	assert_int_equal(t.colour, 1);
	assert_int_equal(t.count, INT64_C(9007199254740991));
	lk_json_done(&lenient, &t);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *text;
		enum lk_reason reason;
	} bad[] = {
		{ "{}", LK_R_VOUCHER_LEAF },
		{ "{\"text\":1}", LK_R_VOUCHER_LEAF },
		{ "{\"text\":\"123456789\"}", LK_R_TOO_LARGE },
		{ "{\"text\":\"\",\"other\":1}", LK_R_VOUCHER_LEAF },
		{ "{\"text\":\"\",\"time\":1}", LK_R_VOUCHER_LEAF },
		{ "{\"text\":\"\",\"binary\":1}", LK_R_VOUCHER_LEAF },
		{ "{\"text\":\"\",\"binary\":\"AQIDBAU=\"}", LK_R_TOO_LARGE },
		{ "{\"text\":\"\",\"yes\":\"true\"}", LK_R_VOUCHER_LEAF },
		{ "{\"text\":\"\",\"colour\":\"blue\"}", LK_R_VOUCHER_LEAF },
		{ "{\"text\":\"\",\"colour\":1}", LK_R_VOUCHER_LEAF },
		{ "{\"text\":\"\",\"count\":-1}", LK_R_VOUCHER_LEAF },
		{ "{\"text\":\"\",\"count\":1.5}", LK_R_VOUCHER_LEAF },
		{ "{\"text\":\"\",\"count\":9007199254740992}", LK_R_VOUCHER_LEAF },
		{ "{\"text\":\"\",\"count\":\"x\"}", LK_R_VOUCHER_LEAF },
		/*= RFC8259 4: names within an object are unique =*/
		{ "{\"text\":\"\",\"text\":\"\"}", LK_R_JSON_DUPLICATE },
		{ "{\"text\":\"\"", LK_R_JSON_SYNTAX },
		{ "{\"text\":\"\\ud800\"}", LK_R_JSON_SYNTAX },
		{ "{\"text\":\"\xff\"}", LK_R_JSON_SYNTAX },
		{ "\"text\"", LK_R_JSON_SYNTAX },
	};
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		struct thing t = { 0 };

		assert_refused(read_by(&strict, bad[i].text, &t, &e), e, bad[i].reason);
		lk_json_done(&strict, &t);
	}
}

static void
test_limits(void **state)
{
	static char big[LK_JSON_MAX + 2];
	json_t *obj = NULL;
	struct lk_err e;

	(void)state;
	memset(big, ' ', sizeof big - 1);
	assert_refused(lk_json_parse(lk_slice_str(big), &obj, &e), e, LK_R_TOO_LARGE);
	/*= RFC8259 9: a parser sets a limit on the depth of nesting =*/
	assert_refused(lk_json_parse(LK_SLICE_LIT("{\"a\":[[[[[[[[]]]]]]]]}"), &obj, &e), e,
		LK_R_JSON_DEPTH);
	assert_null(obj);
	/* Brackets in strings are text, and so is what an escaped quote does not end. */
	assert_true(
		lk_json_parse(LK_SLICE_LIT("{\"a\":\"[[[[[[[[[[\\\"{{{{{{{{{{\"}"), &obj, &e).ok);
	json_decref(obj);
	obj = NULL;
	assert_true(lk_json_parse(LK_SLICE_LIT("{\"a\":[[[[[[[]]]]]]]}"), &obj, &e).ok);
	json_decref(obj);
}

static void
test_yang_root(void **state)
{
	json_t *obj = NULL;
	struct lk_err e;

	(void)state;
	/*= RFC7951 4: the top-level member's name carries the module's name =*/
	assert_refused(
		lk_json_parse_yang(LK_SLICE_LIT("{\"b\":{}}"), "a", &obj, &e), e, LK_R_JSON_MEMBER);
	assert_refused(lk_json_parse_yang(LK_SLICE_LIT("{\"a\":{},\"b\":{}}"), "a", &obj, &e), e,
		LK_R_JSON_MEMBER);
	assert_refused(
		lk_json_parse_yang(LK_SLICE_LIT("{\"a\":1}"), "a", &obj, &e), e, LK_R_JSON_MEMBER);
	assert_null(obj);
	assert_true(lk_json_parse_yang(LK_SLICE_LIT("{\"a\":{}}"), "a", &obj, &e).ok);
	json_decref(obj);
}

static void
test_write(void **state)
{
	struct thing t = { .present = 0x3f,
		.text = "a\"b",
		.time = 0,
		.yes = false,
		.colour = 0,
		.count = 7,
		.binary = LK_BUF_INIT(4) };
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(4096);
	json_t *none = NULL;
	struct lk_err e;

	(void)state;
	assert_true(lk_buf_append_str(&t.binary, "abc", &e).ok);
	assert_true(lk_json_write(&strict, &t, &obj, &e).ok);
	assert_true(lk_json_print_yang(obj, "m:t", &out, &e).ok);
	assert_string_equal(lk_buf_str(&out), "{\"m:t\":{\"text\":\"a\\\"b\",\"time\":\"1970-01-"
					      "01T00:00:00Z\",\"binary\":\"YWJj\","
					      "\"yes\":false,\"colour\":\"red\",\"count\":7}}");
	t.present = 0;
	assert_refused(lk_json_write(&strict, &t, &none, &e), e, LK_R_VOUCHER_LEAF);
	t.present = 1;
	t.text[0] = '\xff';
	assert_refused(lk_json_write(&strict, &t, &none, &e), e, LK_R_VOUCHER_LEAF);
	assert_null(none);
	lk_json_done(&strict, &t);
}

static void
test_print_line(void **state)
{
	static const char *const values[][2] = {
		{ "\"plain text\"", "n: plain text\n" },
		{ "\"a\\nverdict: valid\"", "n: \"a\\nverdict: valid\"\n" },
		{ "\"\\u001b[2J\"", "n: \"\\u001B[2J\"\n" },
		{ "\"\\u202e\"", "n: \"\\u202E\"\n" },
		{ "true", "n: true\n" },
		{ "[1,{\"a\":null}]", "n: [1,{\"a\":null}]\n" },
	};
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(values); i++) {
		LK_CLEANUP(json_decrefp)
		json_t *v = json_loads(values[i][0], JSON_DECODE_ANY, NULL);
		LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(256);

		assert_true(lk_json_print_line("n", v, &out, &e).ok);
		assert_string_equal(lk_buf_str(&out), values[i][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_yang_root),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_print_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
