/* SPDX-License-Identifier: Apache-2.0
 *
 * The DER reader and writer.
 */
#include "crypto/der.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

/* --- reading ---------------------------------------------------------------------------------- */

bool
lk_der_at_end(const struct lk_der *d)
{
	return d->left.n == 0;
}

bool
lk_der_next_is(const struct lk_der *d, unsigned tag)
{
	return d->left.n > 0 && d->left.p[0] == tag;
}

/* The header of the next element: its own length and that of the contents, which are there. */
static struct lk_result
header(const struct lk_der *d, size_t *ret_header, size_t *ret_contents, struct lk_err *e)
{
	const struct lk_slice in = d->left;
	size_t n = 0, octets = 0, i;

	LK_REQUIRE(in.n >= 2, e, d->reason, "%s ends where an element should be", d->what);
	LK_REQUIRE(
		(in.p[0] & 0x1f) != 0x1f, e, d->reason, "%s has a tag of several octets", d->what);
	if (in.p[1] < 0x80) {
		n = in.p[1];
	} else {
		octets = in.p[1] & 0x7f;
		LK_REQUIRE(octets >= 1 && octets <= 4 && in.n - 2 >= octets, e, d->reason,
			"%s has an indefinite, too long or cut length", d->what);
		for (i = 0; i < octets; i++)
			n = n << 8 | in.p[2 + i];
		LK_REQUIRE(n >= 0x80 && n >> (8 * (octets - 1)) != 0, e, d->reason,
			"%s has a length that is not minimal", d->what);
	}
	LK_REQUIRE(n <= in.n - 2 - octets, e, d->reason,
		"%s has an element of %zu octets where %zu are left", d->what, n,
		in.n - 2 - octets);
	*ret_header = 2 + octets;
	*ret_contents = n;
	return LK_OK;
}

struct lk_result
lk_der_get_any(struct lk_der *d, struct lk_slice *ret, struct lk_err *e)
{
	size_t head, n;

	LK_TRY(header(d, &head, &n, e));
	*ret = lk_slice(d->left.p, head + n);
	d->left = lk_slice(d->left.p + head + n, d->left.n - head - n);
	return LK_OK;
}

struct lk_result
lk_der_get(struct lk_der *d, unsigned tag, struct lk_slice *ret, struct lk_err *e)
{
	size_t head, n;

	LK_TRY(header(d, &head, &n, e));
	LK_REQUIRE(d->left.p[0] == tag, e, d->reason, "%s has tag %02x where %02x should be",
		d->what, d->left.p[0], tag);
	*ret = lk_slice(d->left.p + head, n);
	d->left = lk_slice(d->left.p + head + n, d->left.n - head - n);
	return LK_OK;
}

struct lk_result
lk_der_enter(struct lk_der *d, unsigned tag, struct lk_der *ret, struct lk_err *e)
{
	struct lk_slice inner;

	LK_TRY(lk_der_get(d, tag, &inner, e));
	*ret = (struct lk_der){ inner, d->what, d->reason };
	return LK_OK;
}

struct lk_result
lk_der_get_time(struct lk_der *d, int64_t *ret, struct lk_err *e)
{
	bool utc = lk_der_next_is(d, LK_DER_UTC_TIME);
	char text[LK_TIME_TEXT_MAX];
	struct lk_slice in;
	const char *p;
	int century;

	LK_TRY(lk_der_get(d, utc ? LK_DER_UTC_TIME : LK_DER_GENERALIZED_TIME, &in, e));
	/*= RFC5280 4.1.2.5: times are YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ =*/
	LK_REQUIRE(in.n == (utc ? 13 : 15) && in.p[in.n - 1] == 'Z', e, d->reason,
		"%s has a time of another form than (YY)YYMMDDHHMMSSZ", d->what);
	p = (const char *)in.p;
	/*= RFC5280 4.1.2.5.1: two digits of a year below 50 are 20YY =*/
	century = utc ? (p[0] < '5' ? 20 : 19) : 0;
	if (utc)
		snprintf(text, sizeof text, "%d%.2s-%.2s-%.2sT%.2s:%.2s:%.2sZ", century, p, p + 2,
			p + 4, p + 6, p + 8, p + 10);
	else
		snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", p, p + 4, p + 6,
			p + 8, p + 10, p + 12);
	LK_REQUIRE(lk_time_parse(lk_slice_str(text), ret, e).ok, e, d->reason,
		"%s has the time %.15s, which does not exist", d->what, text);
	return LK_OK;
}

struct lk_result
lk_der_get_unsigned(struct lk_der *d, struct lk_slice *ret, struct lk_err *e)
{
	struct lk_slice in;

	LK_TRY(lk_der_get(d, LK_DER_INTEGER, &in, e));
	LK_REQUIRE(
		in.n > 0 && !(in.p[0] & 0x80), e, d->reason, "%s has a number below zero", d->what);
	LK_REQUIRE(in.n == 1 || in.p[0] || in.p[1] & 0x80, e, d->reason,
		"%s has a number that is not minimal", d->what);
	if (in.n > 1 && in.p[0] == 0)
		in = lk_slice(in.p + 1, in.n - 1);
	*ret = in;
	return LK_OK;
}

struct lk_result
lk_der_get_bool(struct lk_der *d, bool *ret, struct lk_err *e)
{
	struct lk_slice in;

	LK_TRY(lk_der_get(d, LK_DER_BOOLEAN, &in, e));
	LK_REQUIRE(in.n == 1 && (in.p[0] == 0 || in.p[0] == 0xff), e, d->reason,
		"%s has a truth value that is neither", d->what);
	*ret = in.p[0] != 0;
	return LK_OK;
}

struct lk_result
lk_der_get_bits(struct lk_der *d, struct lk_slice *ret, struct lk_err *e)
{
	struct lk_slice in;

	LK_TRY(lk_der_get(d, LK_DER_BITS, &in, e));
	LK_REQUIRE(
		in.n >= 1 && in.p[0] == 0, e, d->reason, "%s has bits that fill no octet", d->what);
	*ret = lk_slice(in.p + 1, in.n - 1);
	return LK_OK;
}

/* The length of the UTF-8 character at in.p[i] (RFC 3629 4), 0 when there is none. */
static size_t
utf8_at(struct lk_slice in, size_t i)
{
	uint8_t c = in.p[i], second = i + 1 < in.n ? in.p[i + 1] : 0;
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4, k;

	if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || in.n - i < n)
		return 0;
	for (k = 1; k < n; k++)
		if ((in.p[i + k] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what is beyond Unicode. */
	if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
		(c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
		return 0;
	return n;
}

bool
lk_der_is_text(unsigned tag, struct lk_slice s)
{
	static const char punctuation[] = " '()+,-./:=?"; /* X.680 41.4 */
	size_t i, n = 1;

	if (tag != LK_DER_UTF8 && tag != LK_DER_PRINTABLE && tag != LK_DER_IA5)
		return false;
	for (i = 0; i < s.n && n; i += n) {
		uint8_t c = s.p[i];

		if (c < 0x20 || c == 0x7f || (tag != LK_DER_UTF8 && c > 0x7f))
			return false;
		if (tag == LK_DER_PRINTABLE && !isalnum(c) &&
			!memchr(punctuation, c, sizeof punctuation - 1))
			return false;
		n = tag == LK_DER_UTF8 ? utf8_at(s, i) : 1;
	}
	return n != 0;
}

struct lk_result
lk_der_end(const struct lk_der *d, struct lk_err *e)
{
	LK_REQUIRE(
		lk_der_at_end(d), e, d->reason, "%s has %zu octets too many", d->what, d->left.n);
	return LK_OK;
}

struct lk_result
lk_der_get_extension(struct lk_der *d, struct lk_extension *ret, struct lk_err *e)
{
	struct lk_extension x = { .critical = false };
	struct lk_der in;

	LK_TRY(lk_der_enter(d, LK_DER_SEQUENCE, &in, e));
	LK_TRY(lk_der_get(&in, LK_DER_OID, &x.oid, e));
	if (lk_der_next_is(&in, LK_DER_BOOLEAN)) {
		LK_TRY(lk_der_get_bool(&in, &x.critical, e));
		LK_REQUIRE(x.critical, e, d->reason, "%s writes a default value out", d->what);
	}
	LK_TRY(lk_der_get(&in, LK_DER_OCTETS, &x.value, e));
	LK_TRY(lk_der_end(&in, e));
	*ret = x;
	return LK_OK;
}

struct lk_result
lk_der_get_extensions(struct lk_der *d, struct lk_extensions *ret, struct lk_err *e)
{
	struct lk_extensions list = { .n = 0 };
	struct lk_extension x;
	size_t i;

	while (!lk_der_at_end(d)) {
		LK_TRY(lk_der_get_extension(d, &x, e));
		/*= RFC5280 4.2: no extension occurs twice =*/
		for (i = 0; i < list.n; i++)
			LK_REQUIRE(!lk_slice_eq(x.oid, list.v[i].oid), e, d->reason,
				"%s has an extension twice", d->what);
		LK_REQUIRE(list.n < LK_EXTENSIONS_MAX, e, LK_R_TOO_LARGE,
			"%s has more than %d extensions", d->what, LK_EXTENSIONS_MAX);
		list.v[list.n++] = x;
	}
	*ret = list;
	return LK_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct lk_der_writer
lk_der_to(struct lk_buf *out)
{
	return (struct lk_der_writer){ .out = out };
}

static void
append(struct lk_der_writer *w, struct lk_slice octets)
{
	if (!w->failed)
		w->failed = !lk_buf_append(w->out, octets, &w->err).ok;
}

/* Tag and length; returns how many octets stand in dst. */
static size_t
write_header(uint8_t dst[static 6], unsigned tag, size_t n)
{
	size_t octets = 0, i;

	dst[0] = (uint8_t)tag;
	if (n < 0x80) {
		dst[1] = (uint8_t)n;
		return 2;
	}
	while (n >> (8 * octets))
		octets++;
	assert(octets <= 4);
	dst[1] = (uint8_t)(0x80 | octets);
	for (i = 0; i < octets; i++)
		dst[2 + i] = (uint8_t)(n >> (8 * (octets - 1 - i)));
	return 2 + octets;
}

void
lk_der_open(struct lk_der_writer *w, unsigned tag)
{
	uint8_t short_form[2] = { (uint8_t)tag, 0 };

	assert(w->depth < LK_DER_DEPTH_MAX);
	append(w, LK_SLICE_ARRAY(short_form));
	w->open[w->depth++] = w->out->n;
}

/* The length was left to be one octet; contents longer than that are moved up. */
void
lk_der_close(struct lk_der_writer *w)
{
	static const uint8_t room[4];
	uint8_t head[6];
	size_t at, n, head_n;

	assert(w->depth > 0);
	at = w->open[--w->depth];
	if (w->failed)
		return;
	n = w->out->n - at;
	head_n = write_header(head, w->out->p[at - 2], n);
	append(w, lk_slice(room, head_n - 2));
	if (w->failed)
		return;
	memmove(w->out->p + at - 2 + head_n, w->out->p + at, n);
	memcpy(w->out->p + at - 2, head, head_n);
}

void
lk_der_put(struct lk_der_writer *w, unsigned tag, struct lk_slice contents)
{
	uint8_t head[6];

	append(w, lk_slice(head, write_header(head, tag, contents.n)));
	append(w, contents);
}

void
lk_der_raw(struct lk_der_writer *w, struct lk_slice element)
{
	append(w, element);
}

void
lk_der_oid(struct lk_der_writer *w, enum lk_oid id)
{
	lk_der_put(w, LK_DER_OID, lk_oid_der(id));
}

void
lk_der_true(struct lk_der_writer *w)
{
	lk_der_put(w, LK_DER_BOOLEAN, LK_SLICE_LIT("\xff"));
}

void
lk_der_unsigned(struct lk_der_writer *w, struct lk_slice magnitude)
{
	while (magnitude.n > 1 && magnitude.p[0] == 0)
		magnitude = lk_slice(magnitude.p + 1, magnitude.n - 1);
	lk_der_open(w, LK_DER_INTEGER);
	if (magnitude.n == 0 || magnitude.p[0] & 0x80)
		append(w, LK_SLICE_LIT("\0"));
	append(w, magnitude);
	lk_der_close(w);
}

void
lk_der_u64(struct lk_der_writer *w, uint64_t v)
{
	uint8_t octets[8];
	unsigned i;

	for (i = 0; i < 8; i++)
		octets[i] = (uint8_t)(v >> (56 - 8 * i));
	lk_der_unsigned(w, LK_SLICE_ARRAY(octets));
}

void
lk_der_time(struct lk_der_writer *w, int64_t t)
{
	char text[LK_TIME_TEXT_MAX], z[16];

	assert(t >= 0 && t <= LK_TIME_NEVER);
	lk_time_print(t, text); /* YYYY-MM-DDThh:mm:ssZ */
	snprintf(z, sizeof z, "%.4s%.2s%.2s%.2s%.2s%.2sZ", text, text + 5, text + 8, text + 11,
		text + 14, text + 17);
	/*= RFC5280 4.1.2.5: dates through 2049 are UTCTime, later ones GeneralizedTime =*/
	if (strncmp(z, "2050", 4) < 0)
		lk_der_put(w, LK_DER_UTC_TIME, lk_slice(z + 2, 13));
	else
		lk_der_put(w, LK_DER_GENERALIZED_TIME, lk_slice(z, 15));
}

void
lk_der_bits(struct lk_der_writer *w, struct lk_slice octets)
{
	lk_der_open(w, LK_DER_BITS);
	append(w, LK_SLICE_LIT("\0"));
	append(w, octets);
	lk_der_close(w);
}

void
lk_der_flags(struct lk_der_writer *w, unsigned bits)
{
	uint8_t v[2] = { 7, 0 }; /* unused bits; bits from the top */
	unsigned i;

	assert(bits && bits < 0x100);
	for (i = 0; i < 8; i++)
		if (bits & 1u << i) {
			v[0] = (uint8_t)(7 - i);
			v[1] = (uint8_t)(v[1] | 0x80 >> i);
		}
	lk_der_put(w, LK_DER_BITS, LK_SLICE_ARRAY(v));
}

void
lk_der_open_extension(struct lk_der_writer *w, enum lk_oid id, bool critical)
{
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_oid(w, id);
	if (critical)
		lk_der_true(w);
	lk_der_open(w, LK_DER_OCTETS);
}

struct lk_result
lk_der_finish(struct lk_der_writer *w, struct lk_err *e)
{
	assert(w->depth == 0);
	LK_REQUIRE(!w->failed, e, w->err.reason, "%s", w->err.msg);
	return LK_OK;
}
