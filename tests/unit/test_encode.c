/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64 and hexadecimal: the vectors of RFC 4648 section 10, every malformed
 * form by its clause, and out untouched by what was refused.
 */
#include "test.h"

#include "base/encode.h"

static const struct {
	const char *plain, *base64, *base16;
} vectors[] = {
	{ "", "", "" },
	{ "f", "Zg==", "66" },
	{ "fo", "Zm8=", "666f" },
	{ "foo", "Zm9v", "666f6f" },
	{ "foob", "Zm9vYg==", "666f6f62" },
	{ "fooba", "Zm9vYmE=", "666f6f6261" },
	{ "foobar", "Zm9vYmFy", "666f6f626172" },
};

static void
test_vectors(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(vectors); i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(64);
		LK_CLEANUP(lk_buf_done) struct lk_buf back = LK_BUF_INIT(64);
		LK_CLEANUP(lk_buf_done) struct lk_buf unhex = LK_BUF_INIT(64);
		char hex[32];

		assert_true(lk_base64_encode(lk_slice_str(vectors[i].plain), &text, NULL).ok);
		assert_string_equal(lk_buf_str(&text), vectors[i].base64);
		assert_true(
			lk_base64_decode(lk_buf_slice(&text), LK_BASE64_STRICT, &back, NULL).ok);
		assert_string_equal(lk_buf_str(&back), vectors[i].plain);
		lk_hex(lk_slice_str(vectors[i].plain), hex);
		assert_string_equal(hex, vectors[i].base16);
		assert_true(lk_hex_decode(lk_slice_str(hex), &unhex, NULL).ok);
		assert_string_equal(lk_buf_str(&unhex), vectors[i].plain);
	}
}

/* All 256 bytes, in lines: 57 bytes a line of 76 characters. */
static void
test_wrapped(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(1024);
	LK_CLEANUP(lk_buf_done) struct lk_buf back = LK_BUF_INIT(256);
	struct lk_err e;
	uint8_t all[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof all; i++)
		all[i] = (uint8_t)i;
	assert_true(lk_base64_encode_wrapped(LK_SLICE_ARRAY(all), &text, NULL).ok);
	for (i = 0; i < text.n; i++)
		assert_int_equal(text.p[i] == '\n', i % 77 == 76 || i + 1 == text.n);
	assert_refused(lk_base64_decode(lk_buf_slice(&text), LK_BASE64_STRICT, &back, &e), e,
		LK_R_SYNTAX_BASE64);
	assert_int_equal(back.n, 0);
	assert_true(lk_base64_decode(lk_buf_slice(&text), LK_BASE64_WHITESPACE, &back, NULL).ok);
	assert_true(lk_slice_eq(lk_buf_slice(&back), LK_SLICE_ARRAY(all)));

	/* A line that is full ends once, not twice. */
	lk_buf_clear(&text);
	assert_true(lk_base64_encode_wrapped(lk_slice(all, 57), &text, NULL).ok);
	assert_int_equal(text.n, 77);
	lk_buf_clear(&text);
	assert_true(lk_base64_encode_wrapped(lk_slice(all, 0), &text, NULL).ok);
	assert_int_equal(text.n, 0);
}

static void
test_whitespace(void **state)
{
	static const char *const forms[] = { "Zm9vYg==\n", "Zm9v\r\nYg==\r\n",
		" Z m\t9vYg = =", "\nZm9vYg=\n=" };
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(64);
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(forms); i++) {
		struct lk_slice in = lk_slice_str(forms[i]);

		/*= RFC8951 3.1: white space is tolerated anywhere in base64 =*/
		lk_buf_clear(&out);
		assert_true(lk_base64_decode(in, LK_BASE64_WHITESPACE, &out, NULL).ok);
		assert_string_equal(lk_buf_str(&out), "foob");
		assert_refused(
			lk_base64_decode(in, LK_BASE64_STRICT, &out, &e), e, LK_R_SYNTAX_BASE64);
	}
}

static void
test_base64_refused(void **state)
{
	static const char *const bad[] = { /*= RFC4648 3.2: the padding is there, and complete =*/
		"Zg", "Zg=", "Zm8", "Zm9vY", "Zm9vYg=", "=",
		"==", "Z=", "Z===", "Zg===", "Zm9v=", "Zm9v====", "Zg==Zg==", "Zg=g",
		/*= RFC4648 3.3: characters outside the alphabet are refused =*/
		"Zm9-", "Zm9_", "Zm9*", "Zm9\x80", "Zm9v.", "Zm\v9",
		/*= RFC4648 3.5: the bits that padding leaves over are zero =*/
		"Zh==", "Zm9="
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(64);
	struct lk_err e;
	size_t i;

	(void)state;
	assert_true(lk_buf_append_str(&out, "before", NULL).ok);
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		assert_refused(lk_base64_decode(lk_slice_str(bad[i]), LK_BASE64_STRICT, &out, &e),
			e, LK_R_SYNTAX_BASE64);
		assert_refused(
			lk_base64_decode(lk_slice_str(bad[i]), LK_BASE64_WHITESPACE, &out, &e), e,
			LK_R_SYNTAX_BASE64);
		assert_string_equal(lk_buf_str(&out), "before");
	}
	/* An embedded NUL is no end. */
	assert_refused(lk_base64_decode(LK_SLICE_LIT("Zm9v\0Zm9v"), LK_BASE64_WHITESPACE, &out, &e),
		e, LK_R_SYNTAX_BASE64);
}

static void
test_limits(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(5);
	struct lk_err e;

	(void)state;
	assert_refused(lk_base64_decode(LK_SLICE_LIT("Zm9vYmFy"), LK_BASE64_STRICT, &out, &e), e,
		LK_R_TOO_LARGE);
	assert_int_equal(out.n, 0);
	assert_refused(lk_hex_decode(LK_SLICE_LIT("666f6f626172"), &out, &e), e, LK_R_TOO_LARGE);
	assert_int_equal(out.n, 0);
	assert_true(lk_base64_decode(LK_SLICE_LIT("Zm9vYmE="), LK_BASE64_STRICT, &out, NULL).ok);
}

static void
test_hex(void **state)
{
	static const char *const bad[] = { "6", "666", "6g", "g6", "0x66", "66 ", "66:6f", "`0",
		"@0", "[0" };
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(64);
	LK_CLEANUP(lk_buf_done) struct lk_buf every = LK_BUF_INIT(256);
	struct lk_err e;
	uint8_t all[256];
	char text[513];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof all; i++)
		all[i] = (uint8_t)i;
	lk_hex(LK_SLICE_ARRAY(all), text);
	assert_true(lk_hex_decode(lk_slice_str(text), &every, NULL).ok);
	assert_true(lk_slice_eq(lk_buf_slice(&every), LK_SLICE_ARRAY(all)));
	/*= RFC4648 8: either case stands for the same digit =*/
	assert_true(lk_hex_decode(LK_SLICE_LIT("dEadBEeF"), &out, NULL).ok);
	assert_true(lk_slice_eq(lk_buf_slice(&out), LK_SLICE_LIT("\xde\xad\xbe\xef")));
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		assert_refused(lk_hex_decode(lk_slice_str(bad[i]), &out, &e), e, LK_R_SYNTAX_HEX);
		assert_int_equal(out.n, 4);
	}
}

static void
test_media_type(void **state)
{
	(void)state;
	assert_true(lk_media_type_is("application/pkcs10", "application/pkcs10"));
	assert_true(lk_media_type_is("Application/PKCS10 ; charset=x", "application/pkcs10"));
	assert_true(lk_media_type_is("application/pkcs10;x", "application/pkcs10"));
	assert_false(lk_media_type_is("application/pkcs1", "application/pkcs10"));
	assert_false(lk_media_type_is("application/pkcs100", "application/pkcs10"));
	assert_false(lk_media_type_is("", "application/pkcs10"));
}

static void
test_controls(void **state)
{
	static const char *const one[] = { "\x01", "\n", "\x1b[2J", "\x7f" }, *const none[] = { " ",
		"a", "\xc2\xa0", "\xc3\x9f", "\xe2\x80\x94", "\xc2" };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(one); i++)
		assert_int_equal(lk_control_at(one[i]), 1);
	for (i = 0; i < LK_ARRAY_LEN(none); i++)
		assert_int_equal(lk_control_at(none[i]), 0);
	assert_int_equal(lk_control_at("\xc2\x80"), 2);
	assert_int_equal(lk_control_at("\xc2\x9b"
				       "2J"),
		2); /* CSI */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_wrapped),
		cmocka_unit_test(test_whitespace),
		cmocka_unit_test(test_base64_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_media_type),
		cmocka_unit_test(test_controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
