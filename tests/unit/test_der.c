/* SPDX-License-Identifier: Apache-2.0
 *
 * DER: what is not the one encoding of a value is refused, and what is written is
 * what is read.
 */
#include "test.h"

#include "crypto/der.h"

#define REASON LK_R_CSR_SYNTAX

static struct lk_der
reader(const char *octets, size_t n)
{
	return (struct lk_der){ lk_slice(octets, n), "the thing", REASON };
}
#define READER(s) reader("" s, sizeof(s) - 1)

static void
assert_get_refused(struct lk_der d, unsigned tag)
{
	const struct lk_der before = d;
	struct lk_slice ret = lk_slice("x", 1);
	struct lk_err e;

	assert_refused(lk_der_get(&d, tag, &ret, &e), e, REASON);
	assert_int_equal(ret.n, 1);
	assert_ptr_equal(d.left.p, before.left.p);
	assert_int_equal(d.left.n, before.left.n);
}

static void
test_get(void **state)
{
	struct lk_der d = READER("\x04\x02hi\x05\x00");
	struct lk_slice ret;
	struct lk_err e;

	(void)state;
	assert_true(lk_der_next_is(&d, LK_DER_OCTETS));
	assert_true(lk_der_get(&d, LK_DER_OCTETS, &ret, &e).ok);
	assert_true(lk_slice_eq(ret, LK_SLICE_LIT("hi")));
	assert_refused(lk_der_end(&d, &e), e, REASON);
	assert_true(lk_der_get_any(&d, &ret, &e).ok);
	assert_true(lk_slice_eq(ret, LK_SLICE_LIT("\x05\x00")));
	assert_true(lk_der_end(&d, &e).ok);
	assert_false(lk_der_next_is(&d, LK_DER_OCTETS));
}

static void
test_headers_refused(void **state)
{
	(void)state;
	assert_get_refused(READER(""), LK_DER_OCTETS);
	assert_get_refused(READER("\x04"), LK_DER_OCTETS);
	assert_get_refused(READER("\x04\x01"), LK_DER_OCTETS);
	assert_get_refused(READER("\x05\x00"), LK_DER_OCTETS);
	assert_get_refused(READER("\x1f\x00"), 0x1f);                    /* a tag of two octets */
	assert_get_refused(READER("\x30\x80\x00\x00"), LK_DER_SEQUENCE); /* indefinite */
	assert_get_refused(READER("\x04\x81\x01x"), LK_DER_OCTETS);      /* not minimal */
	assert_get_refused(READER("\x04\x82\x00\x80"), LK_DER_OCTETS);
	assert_get_refused(READER("\x04\x85\x00\x00\x00\x00\x01x"), LK_DER_OCTETS);
	assert_get_refused(READER("\x04\x84\xff\xff\xff\xff"), LK_DER_OCTETS);
	assert_get_refused(READER("\x04\x82\x01"), LK_DER_OCTETS); /* the length is cut */
}

static void
test_values_refused(void **state)
{
	struct lk_der d;
	struct lk_slice s;
	struct lk_err e;
	bool b;

	(void)state;
	d = READER("\x02\x01\x80");
	assert_refused(lk_der_get_unsigned(&d, &s, &e), e, REASON);
	d = READER("\x02\x02\x00\x01");
	assert_refused(lk_der_get_unsigned(&d, &s, &e), e, REASON);
	d = READER("\x02\x00");
	assert_refused(lk_der_get_unsigned(&d, &s, &e), e, REASON);
	d = READER("\x01\x01\x01");
	assert_refused(lk_der_get_bool(&d, &b, &e), e, REASON);
	d = READER("\x03\x02\x01\x80");
	assert_refused(lk_der_get_bits(&d, &s, &e), e, REASON);
	d = READER("\x03\x00");
	assert_refused(lk_der_get_bits(&d, &s, &e), e, REASON);
}

static void
assert_time(const char *octets, size_t n, int64_t want)
{
	struct lk_der d = reader(octets, n);
	int64_t t = 0;
	struct lk_err e;

	assert_true(lk_der_get_time(&d, &t, &e).ok);
	assert_int_equal(t, want);
}

static void
assert_time_refused(const char *octets, size_t n)
{
	struct lk_der d = reader(octets, n);
	int64_t t = 7;
	struct lk_err e;

	assert_refused(lk_der_get_time(&d, &t, &e), e, REASON);
	assert_int_equal(t, 7);
}
#define TIME(s, want) assert_time(s, sizeof(s) - 1, want)
#define NO_TIME(s)    assert_time_refused(s, sizeof(s) - 1)

/*= RFC5280 4.1.2.5: times are YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ =*/
/*= RFC5280 4.1.2.5.1: two digits of a year below 50 are 20YY =*/
static void
test_times(void **state)
{
	(void)state;
	TIME("\x17\x0d"
	     "260101120000Z",
		1767268800);
	TIME("\x17\x0d"
	     "700101000000Z",
		0);
	TIME("\x18\x0f"
	     "99991231235959Z",
		LK_TIME_NEVER);
	NO_TIME("\x17\x0b"
		"2601011200Z");
	NO_TIME("\x17\x0d"
		"260230120000Z");
	NO_TIME("\x17\x0d"
		"2601011200+00");
	NO_TIME("\x18\x11"
		"20260101120000.0Z");
	NO_TIME("\x17\x0d"
		"690101000000Z");
}

/*= RFC5280 4.1.2.5: dates through 2049 are UTCTime, later ones GeneralizedTime =*/
static void
test_times_written(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(64);
	struct lk_der_writer w = lk_der_to(&out);
	struct lk_err e;

	(void)state;
	lk_der_time(&w, INT64_C(2524607999)); /* 2049-12-31T23:59:59Z */
	lk_der_time(&w, INT64_C(2524608000));
	assert_true(lk_der_finish(&w, &e).ok);
	assert_true(lk_slice_eq(lk_buf_slice(&out), LK_SLICE_LIT("\x17\x0d"
								 "491231235959Z\x18\x0f"
								 "20500101000000Z")));
}

static void
test_text(void **state)
{
	static const struct {
		unsigned tag;
		const char *s;
		bool is;
	} rows[] = {
		{ LK_DER_UTF8, "", true },
		{ LK_DER_UTF8, "T\xc3\xbcr \xe2\x82\xac \xf0\x9f\x94\x91", true },
		{ LK_DER_UTF8, "\xc0\xaf", false },         /* overlong */
		{ LK_DER_UTF8, "\xe0\x80\xaf", false },     /* overlong */
		{ LK_DER_UTF8, "\xed\xa0\x80", false },     /* surrogate */
		{ LK_DER_UTF8, "\xf4\x90\x80\x80", false }, /* beyond U+10FFFF */
		{ LK_DER_UTF8, "\xf0\x80\x80\x80", false },
		{ LK_DER_UTF8, "K\xfc", false },
		{ LK_DER_UTF8, "\xe2\x82", false },
		{ LK_DER_UTF8, "a\nb", false },
		{ LK_DER_PRINTABLE, "LK-0001 (a)", true },
		{ LK_DER_PRINTABLE, "a@b", false },
		{ LK_DER_PRINTABLE, "a_b", false },
		{ LK_DER_IA5, "urn:uuid:x@_", true },
		{ LK_DER_IA5, "\x7f", false },
		{ LK_DER_IA5, "\xc3\xbc", false },
		{ LK_DER_OCTETS, "a", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(rows); i++)
		assert_int_equal(lk_der_is_text(rows[i].tag, lk_slice_str(rows[i].s)), rows[i].is);
}

static void
assert_written(void (*write)(struct lk_der_writer *), struct lk_slice want)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(4096);
	struct lk_der_writer w = lk_der_to(&out);
	struct lk_err e;

	write(&w);
	assert_true(lk_der_finish(&w, &e).ok);
	assert_int_equal(out.n, want.n);
	assert_memory_equal(out.p, want.p, want.n);
}

static void
write_values(struct lk_der_writer *w)
{
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_u64(w, 0);
	lk_der_u64(w, 128);
	lk_der_unsigned(w, LK_SLICE_LIT("\0\0\x01"));
	lk_der_true(w);
	lk_der_bits(w, LK_SLICE_LIT("\xff"));
	lk_der_flags(w, 1u << 0);
	lk_der_flags(w, 1u << 5 | 1u << 6);
	lk_der_oid(w, LK_ID_ED25519);
	lk_der_close(w);
}

static void
write_extension(struct lk_der_writer *w)
{
	lk_der_open_extension(w, LK_ID_CE_BASIC_CONSTRAINTS, true);
	lk_der_put(w, LK_DER_SEQUENCE, lk_slice(NULL, 0));
	lk_der_close(w);
	lk_der_close(w);
}

static void
test_written(void **state)
{
	(void)state;
	assert_written(write_values,
		LK_SLICE_LIT(
			"\x30\x1e\x02\x01\x00\x02\x02\x00\x80\x02\x01\x01\x01\x01\xff\x03\x02\x00"
			"\xff\x03\x02\x07\x80\x03\x02\x01\x06\x06\x03\x2b\x65\x70"));
	assert_written(write_extension,
		LK_SLICE_LIT("\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00"));
}

/* Around each step of the length's own length. */
static void
test_long(void **state)
{
	static const size_t lengths[] = { 0, 1, 126, 127, 128, 129, 255, 256, 257, 65535, 65536 };
	static const uint8_t zeroes[65536];
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(lengths); i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1 << 17);
		struct lk_der_writer w = lk_der_to(&out);
		struct lk_der d, inner;
		struct lk_slice ret;
		struct lk_err e;

		lk_der_open(&w, LK_DER_SEQUENCE);
		lk_der_put(&w, LK_DER_OCTETS, lk_slice(zeroes, lengths[i]));
		lk_der_close(&w);
		assert_true(lk_der_finish(&w, &e).ok);
		d = (struct lk_der){ lk_buf_slice(&out), "the thing", REASON };
		assert_true(lk_der_enter(&d, LK_DER_SEQUENCE, &inner, &e).ok);
		assert_true(lk_der_end(&d, &e).ok);
		assert_true(lk_der_get(&inner, LK_DER_OCTETS, &ret, &e).ok);
		assert_int_equal(ret.n, lengths[i]);
		assert_true(lk_der_end(&inner, &e).ok);
	}
}

static void
test_writer_keeps_its_first_failure(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(8);
	struct lk_der_writer w = lk_der_to(&out);
	struct lk_err e;

	(void)state;
	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_put(&w, LK_DER_OCTETS, LK_SLICE_LIT("0123456789"));
	lk_der_true(&w);
	lk_der_close(&w);
	assert_refused(lk_der_finish(&w, &e), e, LK_R_TOO_LARGE);
}

static void
test_extension(void **state)
{
	struct lk_der d = READER("\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00");
	struct lk_extension x = { .critical = false };
	struct lk_err e;

	(void)state;
	assert_true(lk_der_get_extension(&d, &x, &e).ok);
	assert_true(x.critical);
	assert_int_equal(lk_oid_find(x.oid), LK_ID_CE_BASIC_CONSTRAINTS);
	assert_true(lk_slice_eq(x.value, LK_SLICE_LIT("\x30\x00")));
	/* DEFAULT FALSE is not written out (X.690 11.5). */
	d = READER("\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\x00\x04\x02\x30\x00");
	assert_refused(lk_der_get_extension(&d, &x, &e), e, REASON);
	d = READER("\x30\x0b\x06\x03\x55\x1d\x13\x04\x02\x30\x00\x05\x00");
	assert_refused(lk_der_get_extension(&d, &x, &e), e, REASON);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_headers_refused),
		cmocka_unit_test(test_values_refused),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_times_written),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_writer_keeps_its_first_failure),
		cmocka_unit_test(test_extension),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
