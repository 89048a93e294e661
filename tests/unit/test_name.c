/* SPDX-License-Identifier: Apache-2.0
 *
 * Names read in place: bounded, in the string types of today, and of a certificate
 * as OpenSSL made it.
 */
#include "test.h"

#include "artefact/name.h"
#include "pki.h"

static struct lk_der
reader(struct lk_slice in)
{
	return (struct lk_der){ in, "the thing", LK_R_CSR_SYNTAX };
}

static void
test_certificate(void **state)
{
	struct pki_cast cast;
	struct lk_names names;
	struct lk_sans sans = { .n = 9 };
	struct lk_err e;

	(void)state;
	pki_cast_init(&cast);
	assert_true(lk_names_of(pki_cert(&cast.device), &names, &e).ok);
	assert_int_equal(names.n, 2);
	assert_int_equal(lk_oid_find(names.v[1].oid), LK_ID_AT_SERIAL_NUMBER);
	assert_true(lk_slice_eq(names.v[1].value, lk_slice_str(PKI_SERIAL)));
	assert_true(lk_names_contain(&names,
		&(struct lk_name){ lk_oid_der(LK_ID_AT_COMMON_NAME), LK_SLICE_LIT("Thing") }));
	assert_false(lk_names_contain(&names,
		&(struct lk_name){ lk_oid_der(LK_ID_AT_ORGANIZATION), LK_SLICE_LIT("Thing") }));
	assert_true(lk_sans_of(pki_cert(&cast.device), &sans, &e).ok);
	assert_int_equal(sans.n, 0);
	assert_true(lk_sans_of(pki_cert(&cast.registrar), &sans, &e).ok);
	assert_int_equal(sans.n, 1);
	assert_true(lk_sans_contain(
		&sans, &(struct lk_san){ LK_SAN_DNS, LK_SLICE_LIT("registrar.domain.example") }));
	assert_false(lk_sans_contain(
		&sans, &(struct lk_san){ LK_SAN_URI, LK_SLICE_LIT("registrar.domain.example") }));
	pki_cast_done(&cast);
}

static void
test_bounds(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(4096);
	struct lk_der_writer w = lk_der_to(&der);
	struct lk_names names = { .n = 77 };
	struct lk_sans sans = { .n = 77 };
	struct lk_der d;
	struct lk_err e;
	size_t i;

	(void)state;
	lk_der_open(&w, LK_DER_SEQUENCE);
	for (i = 0; i <= LK_NAMES_MAX; i++)
		lk_der_raw(&w, LK_SLICE_LIT("\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
					    "a"));
	lk_der_close(&w);
	assert_true(lk_der_finish(&w, &e).ok);
	d = reader(lk_buf_slice(&der));
	assert_refused(lk_names_read(&d, &names, &e), e, LK_R_TOO_LARGE);
	assert_int_equal(names.n, 77);
	lk_buf_clear(&der);
	w = lk_der_to(&der);
	lk_der_open(&w, LK_DER_SEQUENCE);
	for (i = 0; i <= LK_SANS_MAX; i++)
		lk_der_put(&w, LK_SAN_DNS, LK_SLICE_LIT("a"));
	lk_der_close(&w);
	assert_true(lk_der_finish(&w, &e).ok);
	d = reader(lk_buf_slice(&der));
	assert_refused(lk_sans_read(&d, &sans, &e), e, LK_R_TOO_LARGE);
	assert_int_equal(sans.n, 77);
}

static void
test_text(void **state)
{
	static const struct {
		struct lk_slice der;
		bool is;
	} rows[] = {
		{ LK_SLICE_LIT("\x0c\x01"
			       "a"),
			true },
		{ LK_SLICE_LIT("\x13\x01"
			       "a"),
			true },
		{ LK_SLICE_LIT("\x16\x01"
			       "a"),
			true },
		{ LK_SLICE_LIT("\x14\x01"
			       "a"),
			false }, /* T61String */
		{ LK_SLICE_LIT("\x1e\x02\0a"), false },
		{ LK_SLICE_LIT("\x13\x01@"), false },
		{ LK_SLICE_LIT("\x0c\x01\n"), false },
		{ LK_SLICE_LIT("\x0c\x01\0"), false },
		{ LK_SLICE_LIT(""), false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		struct lk_der d = reader(rows[i].der);
		struct lk_slice text = lk_slice(NULL, 0);
		struct lk_err e;

		if (rows[i].is)
			assert_true(lk_text_read(&d, &text, &e).ok);
		else
			assert_refused(lk_text_read(&d, &text, &e), e, LK_R_CSR_SYNTAX);
		assert_int_equal(text.n, rows[i].is);
	}
}

static void
test_sans_refused(void **state)
{
	struct lk_der d = reader(LK_SLICE_LIT("\x30\x03\x86\x01\x80"));
	struct lk_sans sans = { .n = 77 };
	struct lk_err e;

	(void)state;
	assert_refused(lk_sans_read(&d, &sans, &e), e, LK_R_CSR_SYNTAX);
	d = reader(LK_SLICE_LIT("\x30\x00"));
	assert_refused(lk_sans_read(&d, &sans, &e), e, LK_R_CSR_SYNTAX);
	assert_int_equal(sans.n, 77);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_sans_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
