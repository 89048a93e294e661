/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64 and hexadecimal, both directions side by side.
 */
#include "base/encode.h"

#include <strings.h>

#define LINE_MAX_CHARS 76 /* RFC 2045 6.8, as the EST clients wrap it */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static struct lk_result
encode(struct lk_slice in, size_t line, struct lk_buf *out, struct lk_err *e)
{
	char quad[4];
	size_t i, left, column = 0;

	for (i = 0; i < in.n; i += 3) {
		uint32_t v = (uint32_t)in.p[i] << 16;

		left = in.n - i;
		if (left > 1)
			v |= (uint32_t)in.p[i + 1] << 8;
		if (left > 2)
			v |= in.p[i + 2];
		quad[0] = alphabet[v >> 18];
		quad[1] = alphabet[v >> 12 & 63];
		quad[2] = left > 1 ? alphabet[v >> 6 & 63] : '=';
		quad[3] = left > 2 ? alphabet[v & 63] : '=';
		LK_TRY(lk_buf_append(out, LK_SLICE_ARRAY(quad), e));
		column += sizeof quad;
		if (line && (column == line || left <= 3)) {
			LK_TRY(lk_buf_append(out, LK_SLICE_LIT("\n"), e));
			column = 0;
		}
	}
	return LK_OK;
}

struct lk_result
lk_base64_encode(struct lk_slice in, struct lk_buf *out, struct lk_err *e)
{
	return encode(in, 0, out, e);
}

struct lk_result
lk_base64_encode_wrapped(struct lk_slice in, struct lk_buf *out, struct lk_err *e)
{
	return encode(in, LINE_MAX_CHARS, out, e);
}

/* The six bits a character stands for, -1 for '=', -2 for white space, -3 for anything else. */
static int
value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	if (c == '=')
		return -1;
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return -2;
	return -3;
}

static struct lk_result
decode(struct lk_slice in, enum lk_base64_form form, struct lk_buf *out, struct lk_err *e)
{
	uint32_t bits = 0;
	unsigned have = 0, pad = 0;
	size_t i;

	for (i = 0; i < in.n; i++) {
		int v = value_of(in.p[i]);

		/*= RFC8951 3.1: white space is tolerated anywhere in base64 =*/
		if (v == -2 && form == LK_BASE64_WHITESPACE)
			continue;
		if (v == -1 && have >= 2 && have + pad < 4) {
			pad++;
			continue;
		}
		/*= RFC4648 3.3: characters outside the alphabet are refused =*/
		LK_REQUIRE(v >= 0 && pad == 0, e, LK_R_SYNTAX_BASE64,
			"unexpected character 0x%02x at offset %zu", in.p[i], i);
		bits = bits << 6 | (uint32_t)v;
		if (++have == 4) {
			uint8_t b[3] = { (uint8_t)(bits >> 16), (uint8_t)(bits >> 8),
				(uint8_t)bits };

			LK_TRY(lk_buf_append(out, LK_SLICE_ARRAY(b), e));
			bits = 0;
			have = 0;
		}
	}
	/*= RFC4648 3.2: the padding is there, and complete =*/
	LK_REQUIRE(have == 0 || have + pad == 4, e, LK_R_SYNTAX_BASE64,
		"the last group has %u characters and %u of padding", have, pad);
	if (have == 0)
		return LK_OK;
	/*= RFC4648 3.5: the bits that padding leaves over are zero =*/
	LK_REQUIRE((bits & (have == 2 ? 0xfu : 0x3u)) == 0, e, LK_R_SYNTAX_BASE64,
		"bits are set behind the last byte");
	bits <<= 6 * pad;
	{
		uint8_t b[2] = { (uint8_t)(bits >> 16), (uint8_t)(bits >> 8) };

		return lk_buf_append(out, lk_slice(b, 3 - pad), e);
	}
}

struct lk_result
lk_base64_decode(struct lk_slice in, enum lk_base64_form form, struct lk_buf *out, struct lk_err *e)
{
	size_t before = out->n;
	struct lk_result r = decode(in, form, out, e);

	if (!r.ok)
		lk_buf_truncate(out, before);
	return r;
}

void
lk_hex(struct lk_slice in, char *dst)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < in.n; i++) {
		*dst++ = digits[in.p[i] >> 4];
		*dst++ = digits[in.p[i] & 15];
	}
	*dst = 0;
}

/*= RFC4648 8: either case stands for the same digit =*/
static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct lk_result
lk_hex_decode(struct lk_slice in, struct lk_buf *out, struct lk_err *e)
{
	size_t before = out->n, i;

	LK_REQUIRE(in.n % 2 == 0, e, LK_R_SYNTAX_HEX, "an odd number of digits (%zu)", in.n);
	for (i = 0; i < in.n; i++)
		LK_REQUIRE(hex_value(in.p[i]) >= 0, e, LK_R_SYNTAX_HEX,
			"'%c' at offset %zu is no hexadecimal digit",
			in.p[i] >= 0x20 && in.p[i] < 0x7f ? in.p[i] : '?', i);
	for (i = 0; i < in.n; i += 2) {
		uint8_t b = (uint8_t)(hex_value(in.p[i]) << 4 | hex_value(in.p[i + 1]));

		if (!lk_buf_append(out, lk_slice(&b, 1), e).ok) {
			lk_buf_truncate(out, before);
			return (struct lk_result){ false };
		}
	}
	return LK_OK;
}

bool
lk_media_type_is(const char *value, const char *want)
{
	size_t n = strcspn(value, "; \t");

	/*= RFC9110 8.3.1: type and subtype are in any case =*/
	return n == strlen(want) && strncasecmp(value, want, n) == 0;
}

size_t
lk_control_at(const char *text)
{
	unsigned char c = (unsigned char)text[0];

	if (c < 0x20 || c == 0x7f)
		return 1;
	/* U+0080 to U+009F */
	return c == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80 ? 2 : 0;
}
