/* SPDX-License-Identifier: Apache-2.0
 *
 * The envelope by itself: what is no SignedData of one signer, whose signature it is, and that
 * what is signed here is read here.
 */
#include "test.h"

#include "crypto/cms.h"
#include "crypto/der.h"
#include "pki.h"

static struct pki_cast cast;

static struct lk_result
parse(const struct pki_cms *spec, struct lk_cms **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(2 * LK_CMS_MAX);

	pki_cms_sign(spec, &der);
	return lk_cms_parse(lk_buf_slice(&der), ret, e);
}

static void
assert_parse_refused(const struct pki_cms *spec, enum lk_reason reason)
{
	struct lk_cms *c = NULL;
	struct lk_err e;

	assert_refused(parse(spec, &c, &e), e, reason);
	assert_null(c);
}

static void
test_parse(void **state)
{
	LK_CLEANUP(lk_cms_freep) struct lk_cms *c = NULL;
	struct lk_err e;

	(void)state;
	assert_true(parse(&(struct pki_cms){ .text = "text", .signer = &cast.masa }, &c, &e).ok);
	assert_int_equal(lk_cms_type(c), LK_CMS_ANIMA_JSON_VOUCHER);
	assert_true(lk_slice_eq(lk_cms_content(c), LK_SLICE_LIT("text")));
	assert_int_equal(lk_cms_certs(c)->n, 2);
	assert_true(lk_cert_eq(lk_cms_signer(c), pki_cert(&cast.masa)));
	assert_true(lk_cms_names_signer(c, pki_cert(&cast.masa)));
	assert_false(lk_cms_names_signer(c, pki_cert(&cast.device)));
	assert_true(lk_cms_verify(c, pki_cert(&cast.masa), &e).ok);
	assert_refused(lk_cms_verify(c, pki_cert(&cast.device), &e), e, LK_R_CMS_SIGNATURE);
}

static void
test_refusals(void **state)
{
	static char big[LK_CMS_MAX];
	struct lk_cms *c = NULL;
	struct lk_err e;

	(void)state;
	assert_refused(lk_cms_parse(lk_slice(NULL, 0), &c, &e), e, LK_R_TOO_LARGE);
	assert_refused(lk_cms_parse(LK_SLICE_LIT("\x30\x00"), &c, &e), e, LK_R_CMS_SYNTAX);
	assert_refused(lk_cms_parse(LK_SLICE_LIT("{\"a\":1}"), &c, &e), e, LK_R_CMS_SYNTAX);
	assert_null(c);
	memset(big, ' ', sizeof big - 1);
	assert_parse_refused(
		&(struct pki_cms){ .text = big, .signer = &cast.masa }, LK_R_TOO_LARGE);
	/*= RFC8366 5.4: eContentType is id-ct-animaJSONVoucher (id-data is taken too) =*/
	assert_parse_refused(
		&(struct pki_cms){ .text = "", .signer = &cast.masa, .oid = "1.2.3.4" },
		LK_R_CMS_CONTENT_TYPE);
	/* SHA-1 with its own signature algorithm; then a digest that the signature's name denies is
	 * left to the mutations of the voucher's test. */
	assert_parse_refused(&(struct pki_cms){ .text = "", .signer = &cast.masa, .sha1 = true },
		LK_R_CRYPTO_POLICY);
}

/* Nothing but the signed attribute tells a verifier what kind of content was signed. */
static void
test_another_content_type(void **state)
{
	static const uint8_t voucher[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x28";
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_cms_freep) struct lk_cms *c = NULL;
	struct lk_err e;
	uint8_t *type;

	(void)state;
	pki_cms_sign(&(struct pki_cms){ .text = "text", .signer = &cast.masa }, &der);
	type = memmem(der.p, der.n, voucher, sizeof voucher - 1);
	assert_non_null(type);
	type[sizeof voucher - 2] = 0x2b; /* id-ct-sztpConveyedInfoJSON */
	/*= RFC5652 11.1: the content-type attribute is the eContentType =*/
	assert_refused(lk_cms_parse(lk_buf_slice(&der), &c, &e), e, LK_R_CMS_CONTENT_ATTRIBUTE);
	assert_null(c);
}

/* A certificate of the signer's own names, whose key did not sign. */
static void
test_another_key(void **state)
{
	const struct pki_spec masa = { .cn = "Twin" };
	LK_CLEANUP(pki_id_done) struct pki_id a = { .key = NULL }, b = { .key = NULL };
	LK_CLEANUP(lk_cms_freep) struct lk_cms *c = NULL;
	struct lk_err e;

	(void)state;
	pki_issue(&cast.vendor, &masa, &a);
	pki_issue(&cast.vendor, &masa, &b);
	assert_true(parse(&(struct pki_cms){ .text = "text", .signer = &a }, &c, &e).ok);
	assert_refused(lk_cms_verify(c, pki_cert(&b), &e), e, LK_R_CMS_SIGNATURE);
}

static void
test_not_enclosed(void **state)
{
	LK_CLEANUP(lk_cms_freep) struct lk_cms *c = NULL;
	struct lk_err e;

	(void)state;
	assert_true(parse(
		&(struct pki_cms){ .text = "text", .signer = &cast.masa, .without_certs = true },
		&c, &e)
			    .ok);
	assert_int_equal(lk_cms_certs(c)->n, 0);
	assert_null(lk_cms_signer(c));
	assert_true(lk_cms_verify(c, pki_cert(&cast.masa), &e).ok);
}

/* The MASA's object with its two certificates as they are, exchanged, or a second time. */
enum certs_are { AS_THEY_ARE, EXCHANGED, TWICE };

static void
write_with_certs(struct lk_slice der, enum certs_are how, struct lk_buf *out)
{
	struct lk_der in = { der, "it", LK_R_CMS_SYNTAX }, info, outer, signed_data, set;
	struct lk_der_writer w = lk_der_to(out);
	struct lk_slice first, second, element;
	struct lk_err e;
	int times;

	assert_true(lk_der_enter(&in, LK_DER_SEQUENCE, &info, &e).ok);
	assert_true(lk_der_get(&info, LK_DER_OID, &element, &e).ok);
	assert_true(lk_der_enter(&info, LK_DER_EXPLICIT, &outer, &e).ok);
	assert_true(lk_der_enter(&outer, LK_DER_SEQUENCE, &signed_data, &e).ok);
	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_oid(&w, LK_ID_SIGNED_DATA);
	lk_der_open(&w, LK_DER_EXPLICIT);
	lk_der_open(&w, LK_DER_SEQUENCE);
	while (!lk_der_next_is(&signed_data, LK_DER_EXPLICIT)) {
		assert_true(lk_der_get_any(&signed_data, &element, &e).ok);
		lk_der_raw(&w, element);
	}
	assert_true(lk_der_enter(&signed_data, LK_DER_EXPLICIT, &set, &e).ok);
	assert_true(lk_der_get_any(&set, &first, &e).ok);
	assert_true(lk_der_get_any(&set, &second, &e).ok);
	assert_true(lk_der_at_end(&set));
	for (times = how == TWICE ? 2 : 1; times; times--) {
		lk_der_open(&w, LK_DER_EXPLICIT);
		lk_der_raw(&w, how == EXCHANGED ? second : first);
		lk_der_raw(&w, how == EXCHANGED ? first : second);
		lk_der_close(&w);
	}
	lk_der_raw(&w, signed_data.left);
	lk_der_close(&w);
	lk_der_close(&w);
	lk_der_close(&w);
	assert_true(lk_der_finish(&w, &e).ok);
}

static void
test_certs_in_their_place(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	enum certs_are how;

	(void)state;
	pki_cms_sign(&(struct pki_cms){ .text = "text", .signer = &cast.masa }, &der);
	for (how = AS_THEY_ARE; how <= TWICE; how++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf changed = LK_BUF_INIT(LK_CMS_MAX);
		LK_CLEANUP(lk_cms_freep) struct lk_cms *c = NULL;
		struct lk_err e;

		write_with_certs(lk_buf_slice(&der), how, &changed);
		if (how == AS_THEY_ARE) {
			assert_true(lk_cms_parse(lk_buf_slice(&changed), &c, &e).ok);
			continue;
		}
		/*= RFC8366 5.4: the CMS structure is encoded in DER =*/
		assert_refused(lk_cms_parse(lk_buf_slice(&changed), &c, &e), e, LK_R_CMS_SYNTAX);
		assert_null(c);
	}
}

static void
test_sign(void **state)
{
	enum lk_cms_type type;

	(void)state;
	for (type = 0; type < LK_CMS_TYPE_COUNT; type++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
		LK_CLEANUP(lk_cms_freep) struct lk_cms *c = NULL;
		struct lk_err e;

		assert_true(lk_cms_sign(type, LK_SLICE_LIT("\0binary\xff"), PKI_NOW, cast.masa.key,
			&cast.masa.chain, &der, &e)
				    .ok);
		assert_true(lk_cms_parse(lk_buf_slice(&der), &c, &e).ok);
		assert_int_equal(lk_cms_type(c), type);
		assert_true(lk_slice_eq(lk_cms_content(c), LK_SLICE_LIT("\0binary\xff")));
		assert_int_equal(lk_cms_certs(c)->n, cast.masa.chain.n);
		assert_true(lk_cms_verify(c, pki_cert(&cast.masa), &e).ok);
	}
}

/* The time is the caller's, never the machine's. */
static void
test_signing_time(void **state)
{
	static const struct {
		int64_t now;
		const char *der;
	} times[] = {
		{ 0, "\x17\x0d"
		     "700101000000Z" },
		{ PKI_NOW, "\x17\x0d"
			   "260101120000Z" },
		{ INT64_C(2524607999), "\x17\x0d"
				       "491231235959Z" },
		{ INT64_C(2524608000), "\x18\x0f"
				       "20500101000000Z" },
	};
	size_t i;

	(void)state;
	/*= RFC5652 11.3: signingTime is UTCTime until 2049, GeneralizedTime from 2050 on =*/
	for (i = 0; i < LK_ARRAY_LEN(times); i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
		/* the attribute's OID, 1.2.840.113549.1.9.5, then a SET of one */
		static const uint8_t oid[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9,
			5, 0x31 };
		size_t n = strlen(times[i].der);
		const uint8_t *attribute;
		struct lk_err e;

		assert_true(lk_cms_sign(LK_CMS_DATA, LK_SLICE_LIT("x"), times[i].now, cast.masa.key,
			&cast.masa.chain, &der, &e)
				    .ok);
		attribute = memmem(der.p, der.n, oid, sizeof oid);
		assert_non_null(attribute);
		attribute += sizeof oid;
		assert_int_equal(*attribute, n);
		assert_memory_equal(attribute + 1, times[i].der, n);
		assert_null(
			memmem(attribute, der.n - (size_t)(attribute - der.p), oid, sizeof oid));
	}
}

static void
test_sign_refuses(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	const struct lk_certs none = { .n = 0 };
	struct lk_err e;

	(void)state;
	assert_refused(lk_cms_sign(LK_CMS_DATA, LK_SLICE_LIT("x"), PKI_NOW, cast.masa.key, &none,
			       &der, &e),
		e, LK_R_BUG);
	assert_refused(lk_cms_sign(LK_CMS_DATA, LK_SLICE_LIT("x"), PKI_NOW, cast.device.key,
			       &cast.masa.chain, &der, &e),
		e, LK_R_KEY_MISMATCH);
	assert_int_equal(der.n, 0);
}

static int
set_up(void **state)
{
	(void)state;
	pki_cast_init(&cast);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	pki_cast_done(&cast);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_another_content_type),
		cmocka_unit_test(test_another_key),
		cmocka_unit_test(test_not_enclosed),
		cmocka_unit_test(test_certs_in_their_place),
		cmocka_unit_test(test_sign),
		cmocka_unit_test(test_signing_time),
		cmocka_unit_test(test_sign_refuses),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
