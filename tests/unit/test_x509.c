/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates as values, their lists, and the one verdict over a chain.
 */
#include "test.h"

#include <stdlib.h>

#include "crypto/x509.h"
#include "pki.h"

static struct pki_cast cast;

static void
test_parse(void **state)
{
	static const uint8_t zeros[LK_CERT_DER_MAX + 1];
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
	struct lk_cert *c = NULL;
	struct lk_err e;

	(void)state;
	assert_true(lk_buf_append(&der, lk_cert_der(pki_cert(&cast.device)), &e).ok);
	assert_true(lk_cert_parse(lk_buf_slice(&der), &c, &e).ok);
	assert_true(lk_cert_eq(c, pki_cert(&cast.device)));
	c = lk_cert_free(c);
	assert_refused(lk_cert_parse(lk_slice(der.p, der.n - 1), &c, &e), e, LK_R_CERT_SYNTAX);
	assert_true(lk_buf_append(&der, LK_SLICE_LIT("\0"), &e).ok);
	assert_refused(lk_cert_parse(lk_buf_slice(&der), &c, &e), e, LK_R_CERT_SYNTAX);
	assert_refused(lk_cert_parse(LK_SLICE_ARRAY(zeros), &c, &e), e, LK_R_TOO_LARGE);
	assert_refused(lk_cert_parse(lk_slice(NULL, 0), &c, &e), e, LK_R_TOO_LARGE);
	assert_null(c);
}

/* BER's other spellings of a certificate are not a certificate: here a longer outer length. */
static void
test_parse_wants_der(void **state)
{
	const struct lk_slice der = lk_cert_der(pki_cert(&cast.device));
	LK_CLEANUP(lk_buf_done) struct lk_buf ber = LK_BUF_INIT(LK_CERT_DER_MAX);
	struct lk_cert *c = NULL;
	struct lk_err e;

	(void)state;
	assert_int_equal(der.p[1], 0x82);
	assert_true(lk_buf_append(&ber, LK_SLICE_LIT("\x30\x83\0"), &e).ok);
	assert_true(lk_buf_append(&ber, lk_slice(der.p + 2, der.n - 2), &e).ok);
	assert_refused(lk_cert_parse(lk_buf_slice(&ber), &c, &e), e, LK_R_CERT_SYNTAX);
	assert_null(c);
}

/* One place: the certificate that came last, by all its bytes. */
static void
test_remember(void **state)
{
	struct lk_slice der = lk_cert_der(pki_cert(&cast.device));
	LK_CLEANUP(lk_buf_done) struct lk_buf copy = LK_BUF_INIT(LK_CERT_DER_MAX);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *first = NULL, *again = NULL, *other = NULL;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *changed = NULL, *late = NULL;
	struct lk_err e;

	(void)state;
	assert_true(lk_cert_remember(1, &e).ok);
	assert_true(lk_cert_parse(der, &first, &e).ok);
	assert_true(lk_cert_parse(der, &again, &e).ok);
	assert_ptr_equal(first, again);
	/* the version's octet, far from the end */
	assert_true(lk_buf_append(&copy, der, &e).ok);
	assert_int_equal(copy.p[12], 2);
	copy.p[12] = 1;
	assert_true(lk_cert_parse(lk_buf_slice(&copy), &changed, &e).ok);
	assert_ptr_not_equal(first, changed);
	assert_false(lk_cert_eq(first, changed));
	assert_true(lk_cert_parse(lk_cert_der(pki_cert(&cast.vendor)), &other, &e).ok);
	assert_true(lk_cert_eq(other, pki_cert(&cast.vendor)));
	assert_true(lk_cert_remember(0, &e).ok);
	/* What was given out outlives what is remembered. */
	assert_true(lk_cert_eq(first, pki_cert(&cast.device)));
	assert_true(lk_cert_parse(der, &late, &e).ok);
	assert_ptr_not_equal(first, late);
}

static void
test_fields(void **state)
{
	const struct lk_cert *device = pki_cert(&cast.device), *vendor = pki_cert(&cast.vendor);
	char text[LK_CERT_NAME_MAX], serial[2 * LK_CERT_SERIAL_MAX + 1];
	struct lk_err e;

	(void)state;
	lk_cert_subject(device, LK_OID_SERIAL_NUMBER, text);
	assert_string_equal(text, PKI_SERIAL);
	lk_cert_subject(vendor, LK_OID_SERIAL_NUMBER, text);
	assert_string_equal(text, "");
	lk_cert_issuer_text(device, text, sizeof text);
	assert_string_equal(text, "CN=Vendor CA");
	lk_cert_serial(device, serial);
	assert_int_equal(strlen(serial), 4);
	assert_int_equal(lk_cert_not_before(device), PKI_NOW - PKI_DAY);
	assert_int_equal(lk_cert_not_after(device), LK_TIME_NEVER);
	assert_true(lk_cert_is_ca(vendor) && lk_cert_is_self_signed(vendor));
	assert_false(lk_cert_is_ca(device) || lk_cert_is_self_signed(device));
	assert_true(lk_slice_eq(lk_cert_aki(device), lk_cert_ski(vendor)));
	assert_int_equal(lk_cert_aki_ext(device).p[0], 0x30);
	assert_true(lk_cert_has_eku(pki_cert(&cast.registrar), LK_OID_EKU_CMC_RA));
	assert_false(lk_cert_has_eku(pki_cert(&cast.registrar), LK_OID_EKU_CLIENT_AUTH));
	assert_false(lk_cert_has_any_eku(device));
	assert_true(lk_cert_url(device, LK_OID_PE_MASA_URL, text, &e).ok);
	assert_string_equal(text, PKI_MASA_URL);
	assert_true(lk_cert_url(device, LK_OID_PE_MUD_URL, text, &e).ok);
	assert_string_equal(text, "");
}

/* From 128 characters on the length takes two octets. */
static void
test_url(void **state)
{
	static const struct {
		int length;
		bool ok;
	} rows[] = { { 1, true }, { 127, true }, { 128, true }, { 255, true }, { 256, false } };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		LK_CLEANUP(lk_freep) char *url = pki_text("%0*d", rows[i].length, 7);
		const struct pki_spec spec = { .cn = "x", .masa_url = url };
		LK_CLEANUP(pki_id_done) struct pki_id id = { .key = NULL };
		char text[LK_CERT_NAME_MAX];
		struct lk_err e = { .reason = LK_R_NONE };

		pki_issue(&cast.vendor, &spec, &id);
		assert_int_equal(
			lk_cert_url(pki_cert(&id), LK_OID_PE_MASA_URL, text, &e).ok, rows[i].ok);
		if (rows[i].ok)
			assert_string_equal(text, url);
		else
			assert_int_equal(e.reason, LK_R_CERT_PROFILE);
	}
}

static void
test_url_refusals(void **state)
{
	const struct pki_spec blank = { .cn = "x", .masa_url = "a b" };
	LK_CLEANUP(pki_id_done) struct pki_id id = { .key = NULL };
	char text[LK_CERT_NAME_MAX];
	struct lk_err e;

	(void)state;
	pki_issue(&cast.vendor, &blank, &id);
	assert_refused(
		lk_cert_url(pki_cert(&id), LK_OID_PE_MASA_URL, text, &e), e, LK_R_CERT_PROFILE);
	/* An extension that is there and is no IA5String: subjectKeyIdentifier. */
	assert_refused(lk_cert_url(pki_cert(&id), "2.5.29.14", text, &e), e, LK_R_CERT_PROFILE);
}

static void
test_lists(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(1 << 16);
	LK_CLEANUP(lk_buf_done) struct lk_buf p7 = LK_BUF_INIT(1 << 16);
	LK_CLEANUP(lk_certs_done) struct lk_certs a = { .n = 0 }, b = { .n = 0 }, full = { .n = 0 };
	struct lk_certs none = { .n = 0 };
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < cast.masa.chain.n; i++)
		assert_true(lk_cert_print_pem(cast.masa.chain.v[i], &pem, &e).ok);
	assert_true(lk_certs_parse_any(lk_buf_slice(&pem), &a, &e).ok);
	assert_int_equal(a.n, 2);
	assert_true(lk_cert_eq(a.v[0], pki_cert(&cast.masa)));
	assert_true(lk_certs_contain(&a, pki_cert(&cast.vendor)));
	assert_false(lk_certs_contain(&a, pki_cert(&cast.device)));
	assert_true(lk_buf_append_str(
		&pem, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", &e)
			    .ok);
	assert_refused(lk_certs_parse_any(lk_buf_slice(&pem), &none, &e), e, LK_R_CERT_SYNTAX);
	assert_true(lk_certs_print_pkcs7(&a, &p7, &e).ok);
	assert_true(lk_certs_parse_pkcs7(lk_buf_slice(&p7), &b, &e).ok);
	assert_int_equal(b.n, 2);
	assert_refused(lk_certs_parse_any(LK_SLICE_LIT("nothing"), &none, &e), e, LK_R_CERT_SYNTAX);
	assert_true(lk_buf_append(&p7, LK_SLICE_LIT("\0"), &e).ok);
	assert_refused(lk_certs_parse_pkcs7(lk_buf_slice(&p7), &none, &e), e, LK_R_CERTS_ONLY);
	assert_refused(
		lk_certs_parse_pkcs7(LK_SLICE_LIT("\x30\x00"), &none, &e), e, LK_R_CERTS_ONLY);
	assert_int_equal(none.n, 0);
	for (i = 0; i < LK_CERTS_MAX; i++)
		assert_true(lk_certs_add(&full, pki_cert(&cast.device), &e).ok);
	assert_refused(lk_certs_add(&full, pki_cert(&cast.device), &e), e, LK_R_TOO_LARGE);
}

/* A SignedData that is signed is no list of certificates, nor is one without any. */
static void
test_pkcs7_refusals(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf is_signed = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf empty = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_certs none = { .n = 0 };
	struct lk_err e;

	(void)state;
	pki_cms_sign(&(struct pki_cms){ .text = "x", .signer = &cast.masa, .oid = PKI_OID_DATA },
		&is_signed);
	assert_refused(
		lk_certs_parse_pkcs7(lk_buf_slice(&is_signed), &none, &e), e, LK_R_CERTS_ONLY);
	assert_true(lk_certs_print_pkcs7(&none, &empty, &e).ok);
	assert_refused(lk_certs_parse_pkcs7(lk_buf_slice(&empty), &none, &e), e, LK_R_CERTS_ONLY);
}

static void
test_chain(void **state)
{
	const struct pki_spec ca = { .cn = "Sub CA", .ca = true };
	const struct pki_spec leaf = { .cn = "Leaf", .not_after = PKI_NOW + 1 };
	LK_CLEANUP(pki_id_done) struct pki_id sub = { .key = NULL }, end = { .key = NULL };
	const struct lk_certs none = { .n = 0 };
	struct lk_anchors *anchors = cast.manufacturer;
	struct lk_err e;

	(void)state;
	pki_issue(&cast.vendor, &ca, &sub);
	pki_issue(&sub, &leaf, &end);
	assert_true(
		lk_chain_verify(anchors, pki_cert(&end), &end.chain, LK_TIMES_CHECK, PKI_NOW, &e)
			.ok);
	assert_refused(lk_chain_verify(anchors, pki_cert(&end), &none, LK_TIMES_CHECK, PKI_NOW, &e),
		e, LK_R_CERT_CHAIN);
	assert_refused(lk_chain_verify(anchors, pki_cert(&end), &end.chain, LK_TIMES_CHECK,
			       PKI_NOW + 1, &e),
		e, LK_R_CERT_TIME);
	assert_true(lk_chain_verify(
		anchors, pki_cert(&end), &end.chain, LK_TIMES_IGNORE_LEAF, PKI_NOW + PKI_DAY, &e)
			    .ok);
	/* The leaf's age is forgiven, its issuer's is not. */
	assert_refused(lk_chain_verify(anchors, pki_cert(&end), &end.chain, LK_TIMES_IGNORE_LEAF,
			       PKI_NOW + 4000 * PKI_DAY, &e),
		e, LK_R_CERT_TIME);
	assert_true(lk_chain_verify(
		anchors, pki_cert(&end), &end.chain, LK_TIMES_IGNORE, PKI_NOW + 4000 * PKI_DAY, &e)
			    .ok);
	assert_refused(lk_chain_verify(anchors, pki_cert(&cast.stranger), &cast.stranger.chain,
			       LK_TIMES_CHECK, PKI_NOW, &e),
		e, LK_R_CERT_CHAIN);
}

static enum lk_reason
verify(const struct pki_id *leaf, const struct lk_anchors *anchors, bool shown,
	enum lk_chain_times times, int64_t now)
{
	const struct lk_certs none = { .n = 0 };
	struct lk_err e = { 0 };

	lk_ignore(lk_chain_verify(
		anchors, pki_cert(leaf), shown ? &leaf->chain : &none, times, now, &e));
	return e.reason;
}

/* That the path is known shows where nobody shows its middle. It holds for its leaf, its anchor and
 * its time, and for nothing else. */
static void
test_paths_are_remembered(void **state)
{
	const struct pki_spec ca = { .cn = "Sub CA", .ca = true, .not_before = PKI_NOW - 5 };
	const struct pki_spec leaf = { .cn = "Leaf", .not_after = PKI_NOW + 5 };
	const struct pki_spec weak = { .cn = "Weak", .sha1 = true };
	LK_CLEANUP(pki_id_done)
	struct pki_id sub = { .key = NULL }, end = { .key = NULL }, bad = { .key = NULL };
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *theirs = pki_anchors(&cast.stranger_ca);
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *middle = NULL;
	struct lk_anchors *ours = cast.manufacturer;
	struct lk_err e;

	(void)state;
	pki_issue(&cast.vendor, &ca, &sub);
	pki_issue(&sub, &leaf, &end);
	pki_issue(&sub, &weak, &bad);
	middle = pki_anchors(&sub);
	assert_true(lk_cert_remember(64, &e).ok);
	assert_int_equal(verify(&end, ours, false, LK_TIMES_CHECK, PKI_NOW), LK_R_CERT_CHAIN);
	assert_int_equal(verify(&end, ours, true, LK_TIMES_CHECK, PKI_NOW), LK_R_NONE);
	assert_int_equal(verify(&end, ours, false, LK_TIMES_CHECK, PKI_NOW), LK_R_NONE);
	assert_int_equal(verify(&end, ours, false, LK_TIMES_CHECK, PKI_NOW + 4), LK_R_NONE);
	assert_int_equal(verify(&end, ours, true, LK_TIMES_CHECK, PKI_NOW + 5), LK_R_CERT_TIME);
	assert_int_equal(verify(&end, ours, false, LK_TIMES_CHECK, PKI_NOW - 5), LK_R_NONE);
	assert_int_equal(verify(&end, ours, true, LK_TIMES_CHECK, PKI_NOW - 6), LK_R_CERT_TIME);
	assert_int_equal(verify(&end, ours, false, LK_TIMES_IGNORE_LEAF, PKI_NOW), LK_R_CERT_CHAIN);
	assert_int_equal(verify(&end, theirs, true, LK_TIMES_CHECK, PKI_NOW), LK_R_CERT_CHAIN);
	/* another leaf of the same issuer */
	assert_int_equal(verify(&bad, ours, true, LK_TIMES_CHECK, PKI_NOW), LK_R_CRYPTO_POLICY);
	assert_int_equal(verify(&bad, ours, true, LK_TIMES_CHECK, PKI_NOW), LK_R_CRYPTO_POLICY);
	assert_int_equal(verify(&bad, ours, false, LK_TIMES_CHECK, PKI_NOW), LK_R_CERT_CHAIN);

	/* the leaf's own age does not count here, its issuer's does */
	assert_int_equal(verify(&end, ours, true, LK_TIMES_IGNORE_LEAF, PKI_NOW), LK_R_NONE);
	assert_int_equal(verify(&end, ours, false, LK_TIMES_IGNORE_LEAF, PKI_NOW + 9), LK_R_NONE);
	assert_int_equal(
		verify(&end, ours, true, LK_TIMES_IGNORE_LEAF, PKI_NOW - 6), LK_R_CERT_TIME);
	assert_int_equal(verify(&end, ours, true, LK_TIMES_IGNORE, 0), LK_R_NONE);
	assert_int_equal(verify(&end, ours, false, LK_TIMES_IGNORE, INT64_MAX), LK_R_NONE);

	/* it ended at another anchor */
	assert_int_equal(verify(&end, middle, false, LK_TIMES_CHECK, PKI_NOW), LK_R_NONE);
	assert_int_equal(verify(&end, ours, false, LK_TIMES_CHECK, PKI_NOW), LK_R_CERT_CHAIN);
	assert_true(lk_cert_remember(0, &e).ok);
	assert_int_equal(verify(&end, ours, false, LK_TIMES_IGNORE, PKI_NOW), LK_R_CERT_CHAIN);
}

/* What the policy does not take anywhere on the path; an anchor is believed without its signature.
 */
static void
test_chain_is_within_the_policy(void **state)
{
	static const struct {
		struct pki_spec root, sub, leaf;
		enum lk_reason want;
	} rows[] = {
		{ { .sha1 = true }, { .cn = "b" }, { .cn = "c" }, LK_R_NONE },
		{ { .cn = "a" }, { .sha1 = true }, { .cn = "c" }, LK_R_CRYPTO_POLICY },
		{ { .cn = "a" }, { .cn = "b" }, { .sha1 = true }, LK_R_CRYPTO_POLICY },
		{ { .key_type = LK_KEY_ED25519 }, { .cn = "b" }, { .cn = "c" },
			LK_R_CRYPTO_POLICY },
		{ { .cn = "a" }, { .key_type = LK_KEY_ED25519 }, { .cn = "c" },
			LK_R_CRYPTO_POLICY },
		{ { .cn = "a" }, { .cn = "b" }, { .key_type = LK_KEY_ED25519 },
			LK_R_CRYPTO_POLICY },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		struct pki_spec root = rows[i].root, sub = rows[i].sub;
		LK_CLEANUP(pki_id_done) struct pki_id a, b, c;
		LK_CLEANUP(lk_anchors_freep) struct lk_anchors *anchors = NULL;
		struct lk_err e = { 0 };

		root.ca = sub.ca = true;
		root.cn = "root";
		sub.cn = "sub";
		pki_issue(NULL, &root, &a);
		pki_issue(&a, &sub, &b);
		pki_issue(&b, &rows[i].leaf, &c);
		anchors = pki_anchors(&a);
		/*= SEC-12: every certificate of a path is within the crypto policy =*/
		lk_ignore(lk_chain_verify(
			anchors, pki_cert(&c), &c.chain, LK_TIMES_CHECK, PKI_NOW, &e));
		assert_int_equal(e.reason, rows[i].want);
	}
}

/* A device's certificate issues nothing. */
static void
test_leaf_is_no_issuer(void **state)
{
	const struct pki_spec leaf = { .cn = "Below a device" };
	LK_CLEANUP(pki_id_done) struct pki_id below = { .key = NULL };
	struct lk_err e;

	(void)state;
	pki_issue(&cast.device, &leaf, &below);
	assert_refused(lk_chain_verify(cast.manufacturer, pki_cert(&below), &below.chain,
			       LK_TIMES_CHECK, PKI_NOW, &e),
		e, LK_R_CERT_CHAIN);
}

static void
test_order(void **state)
{
	const struct pki_spec ca = { .cn = "Sub CA", .ca = true }, leaf = { .cn = "Leaf" };
	LK_CLEANUP(pki_id_done) struct pki_id sub = { .key = NULL }, end = { .key = NULL };
	LK_CLEANUP(lk_certs_done) struct lk_certs mixed = { .n = 0 }, chain = { .n = 0 };
	struct lk_err e;
	size_t i;

	(void)state;
	pki_issue(&cast.vendor, &ca, &sub);
	pki_issue(&sub, &leaf, &end);
	assert_true(lk_certs_add(&mixed, pki_cert(&cast.stranger_ca), &e).ok);
	for (i = end.chain.n; i > 0; i--)
		assert_true(lk_certs_add(&mixed, end.chain.v[i - 1], &e).ok);
	assert_true(lk_chain_order(pki_cert(&end), &mixed, &chain, &e).ok);
	assert_int_equal(chain.n, 3);
	for (i = 0; i < chain.n; i++)
		assert_true(lk_cert_eq(chain.v[i], end.chain.v[i]));
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
		cmocka_unit_test(test_parse_wants_der),
		cmocka_unit_test(test_remember),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_url_refusals),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_pkcs7_refusals),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_paths_are_remembered),
		cmocka_unit_test(test_chain_is_within_the_policy),
		cmocka_unit_test(test_leaf_is_no_issuer),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
