/* SPDX-License-Identifier: Apache-2.0
 *
 * Certification requests: read as OpenSSL reads them, written so that OpenSSL
 * verifies them, and cut or bent in every place.
 */
#include "test.h"

#include <stdlib.h>

#include "artefact/csr.h"
#include "base/encode.h"
#include "crypto/ossl.h"
#include "pki.h"

#define ID  "019b7a3c-0000-7000-8000-000000000001"
#define URI "urn:uuid:" ID

static struct pki_cast cast;
static struct lk_key *key;

static int
make_cast(void **state)
{
	(void)state;
	pki_cast_init(&cast);
	assert_true(lk_key_ephemeral(LK_KEY_P256, &key, NULL).ok);
	return 0;
}

static int
free_cast(void **state)
{
	(void)state;
	pki_cast_done(&cast);
	key = lk_key_free(key);
	return 0;
}

static const struct lk_csrattrs attrs = { .keys = 1u << LK_KEY_P256,
	.signatures = 1u << LK_KEY_P256,
	.serial_number = true,
	.challenge_password = true,
	.san_uri = URI };

static struct lk_csr_spec
full_spec(void)
{
	return (struct lk_csr_spec){ .common_name = ID,
		.serial_number = PKI_SERIAL,
		.attrs = &attrs,
		.binding = LK_SLICE_LIT("0123456789ab") };
}

static void
build(const struct lk_csr_spec *s, struct lk_buf *der)
{
	struct lk_err e;

	if (!lk_csr_build(s, key, der, &e).ok)
		fail_msg("%s", e.msg);
}

static struct lk_csr *
parsed(struct lk_slice der)
{
	struct lk_csr *c = NULL;
	struct lk_err e;

	if (!lk_csr_parse(der, &c, &e).ok)
		fail_msg("%s", e.msg);
	return c;
}

static void
assert_parse_refused(struct lk_slice der, enum lk_reason reason)
{
	struct lk_csr *c = NULL;
	struct lk_err e;

	assert_refused(lk_csr_parse(der, &c, &e), e, reason);
	assert_null(c);
}

static void
assert_slice(struct lk_slice is, const char *want)
{
	assert_int_equal(is.n, strlen(want));
	assert_memory_equal(is.p, want, is.n);
}

static void
test_round_trip(void **state)
{
	const struct lk_csr_spec s = full_spec();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c = NULL;

	(void)state;
	build(&s, &der);
	c = parsed(lk_buf_slice(&der));
	assert_true(lk_slice_eq(lk_buf_slice(&c->der), lk_buf_slice(&der)));
	assert_int_equal(c->names.n, 2);
	assert_int_equal(lk_oid_find(c->names.v[0].oid), LK_ID_AT_COMMON_NAME);
	assert_slice(c->names.v[0].value, ID);
	assert_int_equal(lk_oid_find(c->names.v[1].oid), LK_ID_AT_SERIAL_NUMBER);
	assert_slice(c->names.v[1].value, PKI_SERIAL);
	assert_int_equal(c->sans.n, 1);
	assert_int_equal(c->sans.v[0].tag, LK_SAN_URI);
	assert_slice(c->sans.v[0].value, URI);
	assert_slice(c->challenge, "MDEyMzQ1Njc4OWFi");
	assert_true(lk_slice_eq(c->spki, lk_key_spki(key)));
}

/* What we write, OpenSSL reads, verifies and would have written alike. */
static void
test_openssl_reads_ours(void **state)
{
	static const struct lk_slice bindings[] = { LK_SLICE_LIT("0123456789ab"),
		LK_SLICE_LIT("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef") };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bindings); i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
		LK_CLEANUP(lk_openssl_freep) uint8_t *again = NULL;
		LK_CLEANUP(X509_REQ_freep) X509_REQ *req = NULL;
		struct lk_csr_spec s = full_spec();
		const uint8_t *p;
		int n;

		s.binding = bindings[i];
		build(&s, &der);
		p = der.p;
		req = d2i_X509_REQ(NULL, &p, (long)der.n);
		assert_non_null(req);
		assert_ptr_equal(p, der.p + der.n);
		assert_int_equal(X509_REQ_verify(req, lk_key_evp(key)), 1);
		i2d_re_X509_REQ_tbs(req, NULL);
		n = i2d_X509_REQ(req, &again);
		assert_true(lk_slice_eq(lk_slice(again, (size_t)n), lk_buf_slice(&der)));
	}
}

/* A request by OpenSSL; exts in openssl.cnf's words, name and value in turn, ended by NULL. */
static void
openssl_request(struct lk_buf *der, const char *const *exts)
{
	LK_CLEANUP(X509_REQ_freep) X509_REQ *req = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *list = NULL;
	LK_CLEANUP(lk_openssl_freep) uint8_t *out = NULL;
	int n;

	assert_true(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_UTF8,
		(const uint8_t *)"Thing", -1, -1, 0));
	assert_true(X509_REQ_set_pubkey(req, lk_key_evp(key)));
	for (; exts && exts[0]; exts += 2) {
		LK_CLEANUP(X509_EXTENSION_freep)
		X509_EXTENSION *ext = X509V3_EXT_nconf(NULL, NULL, exts[0], exts[1]);

		assert_true(ext && X509v3_add_ext(&list, ext, -1));
	}
	if (list)
		assert_true(X509_REQ_add_extensions(req, list));
	assert_true(X509_REQ_sign(req, lk_key_evp(key), EVP_sha256()) > 0);
	n = i2d_X509_REQ(req, &out);
	assert_true(lk_buf_append(der, lk_slice(out, (size_t)n), NULL).ok);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static void
test_ours_reads_openssl(void **state)
{
	static const char *const exts[] = { "subjectAltName",
		"URI:" URI ",DNS:a.example,IP:192.0.2.1", "keyUsage", "critical,digitalSignature",
		"basicConstraints", "CA:FALSE", NULL };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c = NULL;

	(void)state;
	openssl_request(&der, exts);
	c = parsed(lk_buf_slice(&der));
	assert_int_equal(c->sans.n, 3);
	assert_int_equal(c->sans.v[2].tag, LK_SAN_IP);
	assert_int_equal(c->extensions.n, 3);
	assert_true(c->extensions.v[1].critical);
	assert_int_equal(c->challenge.n, 0);
}

static void
test_no_attributes(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c = NULL;

	(void)state;
	openssl_request(&der, NULL);
	c = parsed(lk_buf_slice(&der));
	assert_int_equal(c->extensions.n + c->sans.n, 0);
}

static void
test_rfc7030(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf a3 = LK_BUF_INIT(LK_CSR_BODY_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf a4 = LK_BUF_INIT(LK_CSR_BODY_MAX);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c3 = NULL;
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c4 = NULL;
	struct lk_err e;

	(void)state;
	if (!pki_shared("rfc7030-appendix-a/A3-simpleenroll-request.pkcs10.b64", &a3) ||
		!pki_shared("rfc7030-appendix-a/A4-serverkeygen-request.pkcs10.der", &a4)) {
		print_message("skipped: the RFC's examples are not on this machine\n");
		skip();
	}
	assert_true(lk_csr_parse_body(lk_buf_slice(&a3), &c3, &e).ok);
	assert_slice(c3->names.v[0].value, "demostep4 1368141352");
	assert_slice(c3->challenge, "+rrCir/7+EYu50T4");
	c4 = parsed(lk_buf_slice(&a4));
	assert_slice(c4->names.v[1].value, "PID:Widget SN:10");
}

/* The wire habits of EST clients: one line or several, any line end, blanks. */
static void
test_body(void **state)
{
	const struct lk_csr_spec s = full_spec();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf line = LK_BUF_INIT(LK_CSR_BODY_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf lines = LK_BUF_INIT(LK_CSR_BODY_MAX);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *a = NULL;
	LK_CLEANUP(lk_csr_freep) struct lk_csr *b = NULL;
	LK_CLEANUP(lk_csr_freep) struct lk_csr *none = NULL;
	struct lk_err e;

	(void)state;
	build(&s, &der);
	assert_true(lk_base64_encode(lk_buf_slice(&der), &line, &e).ok);
	assert_true(lk_base64_encode_wrapped(lk_buf_slice(&der), &lines, &e).ok);
	assert_true(lk_buf_append_str(&lines, "\r\n \t", &e).ok);
	/*= RFC8951 3.1: base64 is taken with white space in it =*/
	assert_true(lk_csr_parse_body(lk_buf_slice(&line), &a, &e).ok);
	assert_true(lk_csr_parse_body(lk_buf_slice(&lines), &b, &e).ok);
	assert_true(lk_slice_eq(lk_buf_slice(&a->der), lk_buf_slice(&b->der)));
	line.p[line.n / 2] = '-';
	assert_refused(lk_csr_parse_body(lk_buf_slice(&line), &none, &e), e, LK_R_SYNTAX_BASE64);
	assert_refused(lk_csr_parse_body(lk_buf_slice(&der), &none, &e), e, LK_R_SYNTAX_BASE64);
	assert_refused(lk_csr_parse_body(lk_slice(NULL, 0), &none, &e), e, LK_R_CSR_SYNTAX);
	assert_null(none);
}

static void
test_too_large(void **state)
{
	LK_CLEANUP(lk_freep) uint8_t *zeroes = calloc(1, LK_CSR_BODY_MAX + 1);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c = NULL;
	struct lk_err e;

	(void)state;
	assert_parse_refused(lk_slice(zeroes, LK_CSR_MAX + 1), LK_R_TOO_LARGE);
	assert_refused(lk_csr_parse_body(lk_slice(zeroes, LK_CSR_BODY_MAX + 1), &c, &e), e,
		LK_R_TOO_LARGE);
}

/* An info with the given subject and attributes ([0] and all), in an unsigned request. */
static void
unsigned_request(
	int version, struct lk_slice subject, struct lk_slice attributes, struct lk_buf *der)
{
	struct lk_der_writer w = lk_der_to(der);
	struct lk_err e;

	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_u64(&w, (uint64_t)version);
	lk_der_raw(&w, subject);
	lk_der_raw(&w, lk_key_spki(key));
	lk_der_raw(&w, attributes);
	lk_der_close(&w);
	lk_der_put(&w, LK_DER_SEQUENCE, lk_slice(NULL, 0));
	lk_der_bits(&w, LK_SLICE_LIT("x"));
	lk_der_close(&w);
	assert_true(lk_der_finish(&w, &e).ok);
}

static void
assert_refused_with(
	int version, struct lk_slice subject, struct lk_slice attributes, enum lk_reason reason)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);

	unsigned_request(version, subject, attributes, &der);
	assert_parse_refused(lk_buf_slice(&der), reason);
}

#define NO_NAME LK_SLICE_LIT("\x30\x00")
#define NONE    LK_SLICE_LIT("\xa0\x00")
/* SEQUENCE { challengePassword, SET { value } } */
#define CHALLENGE(value) "\x30\x10\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\x31\x03" value
/* SEQUENCE { extensionRequest, SET { SEQUENCE { … } } } with `list` of 9 octets inside */
#define REQUEST(list) \
	"\xa0\x1a\x30\x18\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e\x31\x0b\x30\x09" list

static void
test_syntax(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);

	(void)state;
	unsigned_request(0, NO_NAME, NONE, &der);
	lk_csr_free(parsed(lk_buf_slice(&der)));
	/*= RFC2986 4.1: version is 0 =*/
	assert_refused_with(1, NO_NAME, NONE, LK_R_CSR_SYNTAX);
	/* A set without attributes; a name in BMPString; a line feed in a name. */
	assert_refused_with(0, LK_SLICE_LIT("\x30\x02\x31\x00"), NONE, LK_R_CSR_SYNTAX);
	assert_refused_with(0,
		LK_SLICE_LIT("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x1e\x02\x00"
			     "A"),
		NONE, LK_R_CSR_SYNTAX);
	assert_refused_with(0,
		LK_SLICE_LIT("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02\n"
			     "A"),
		NONE, LK_R_CSR_SYNTAX);
	/*= RFC2985 5.4: challengePassword and extensionRequest have a single value =*/
	assert_refused_with(0, NO_NAME,
		LK_SLICE_LIT("\xa0\x24" CHALLENGE("\x0c\x01"
						  "a") CHALLENGE("\x0c\x01"
								 "a")),
		LK_R_CSR_SYNTAX);
	/* Nothing in it. */
	assert_refused_with(0, NO_NAME,
		LK_SLICE_LIT(
			"\xa0\x11\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\x31\x02\x0c"
			"\x00"),
		LK_R_CSR_SYNTAX);
	/* A subjectAltName with no name in it. */
	assert_refused_with(0, NO_NAME,
		LK_SLICE_LIT(REQUEST("\x30\x07\x06\x03\x55\x1d\x11\x04\x00")), LK_R_CSR_SYNTAX);
}

/* A request for n extensions 1.2.x; x is the same for all, or counts. */
static void
many_extensions(unsigned n, bool same, struct lk_buf *attributes)
{
	struct lk_der_writer w = lk_der_to(attributes);
	struct lk_err e;
	unsigned i;

	lk_der_open(&w, LK_DER_EXPLICIT + 0);
	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_oid(&w, LK_ID_EXTENSION_REQUEST);
	lk_der_open(&w, LK_DER_SET);
	lk_der_open(&w, LK_DER_SEQUENCE);
	for (i = 0; i < n; i++) {
		const uint8_t oid[2] = { 0x2a, same ? 1 : (uint8_t)(i + 1) };

		lk_der_open(&w, LK_DER_SEQUENCE);
		lk_der_put(&w, LK_DER_OID, LK_SLICE_ARRAY(oid));
		lk_der_put(&w, LK_DER_OCTETS, LK_SLICE_LIT("\x05\x00"));
		lk_der_close(&w);
	}
	for (i = 0; i < 4; i++)
		lk_der_close(&w);
	assert_true(lk_der_finish(&w, &e).ok);
}

static void
test_many_extensions(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf twice = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf most = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf more = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);

	(void)state;
	/*= RFC5280 4.2: no extension occurs twice =*/
	many_extensions(2, true, &twice);
	assert_refused_with(0, NO_NAME, lk_buf_slice(&twice), LK_R_CSR_SYNTAX);
	many_extensions(LK_EXTENSIONS_MAX, false, &most);
	unsigned_request(0, NO_NAME, lk_buf_slice(&most), &der);
	lk_csr_free(parsed(lk_buf_slice(&der)));
	many_extensions(LK_EXTENSIONS_MAX + 1, false, &more);
	assert_refused_with(0, NO_NAME, lk_buf_slice(&more), LK_R_TOO_LARGE);
}

static void
test_challenge_limit(void **state)
{
	uint8_t text[LK_CSR_CHALLENGE_MAX + 1];
	LK_CLEANUP(lk_buf_done) struct lk_buf attributes = LK_BUF_INIT(LK_CSR_MAX);
	struct lk_der_writer w = lk_der_to(&attributes);
	struct lk_err e;

	(void)state;
	memset(text, 'a', sizeof text);
	lk_der_open(&w, LK_DER_EXPLICIT + 0);
	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_oid(&w, LK_ID_CHALLENGE_PASSWORD);
	lk_der_open(&w, LK_DER_SET);
	lk_der_put(&w, LK_DER_UTF8, LK_SLICE_ARRAY(text));
	lk_der_close(&w);
	lk_der_close(&w);
	lk_der_close(&w);
	assert_true(lk_der_finish(&w, &e).ok);
	/*= RFC7030 3.5: the challenge-password field is limited to 255 bytes =*/
	assert_refused_with(0, NO_NAME, lk_buf_slice(&attributes), LK_R_CSR_SYNTAX);
}

static void
assert_not_built(const struct lk_csr_spec *s, enum lk_reason reason)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	struct lk_err e;

	assert_refused(lk_csr_build(s, key, &der, &e), e, reason);
	assert_int_equal(der.n, 0);
}

/*= RFC8995 5.9.2: the pledge answers as the attributes ask =*/
static void
test_build_refuses(void **state)
{
	struct lk_csrattrs a = attrs;
	struct lk_csr_spec s = full_spec();

	(void)state;
	s.attrs = &a;
	a.keys = 1u << LK_KEY_P384;
	assert_not_built(&s, LK_R_CSRATTRS_KEY);
	a = attrs;
	a.signatures = 1u << LK_KEY_P384;
	assert_not_built(&s, LK_R_CSRATTRS_KEY);
	a = attrs;
	s.serial_number = "";
	assert_not_built(&s, LK_R_CSR_ATTRS);
	s = full_spec();
	s.binding = lk_slice(NULL, 0);
	assert_not_built(&s, LK_R_CSR_LINK);
}

static void
test_build_renewal(void **state)
{
	const struct lk_csr_spec s = { .renewed = pki_cert(&cast.registrar) };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c = NULL;
	struct lk_slice subject;

	(void)state;
	build(&s, &der);
	c = parsed(lk_buf_slice(&der));
	assert_true(lk_subject_of(s.renewed, &subject, NULL).ok);
	assert_true(lk_slice_eq(c->subject, subject));
	assert_true(lk_slice_eq(c->san_ext, lk_san_ext_of(s.renewed)));
}

static void
test_print(void **state)
{
	const struct lk_csr_spec s = full_spec();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(4096);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c = NULL;
	struct lk_err e;

	(void)state;
	build(&s, &der);
	c = parsed(lk_buf_slice(&der));
	assert_true(lk_csr_print(c, &out, &e).ok);
	assert_string_equal(lk_buf_str(&out),
		"commonName: " ID "\nserialNumber: " PKI_SERIAL
		"\nkey: P-256\nsubjectAltName URI: " URI
		"\nasks for: subjectAltName\nchallengePassword: MDEyMzQ1Njc4OWFi\n");
}

/* --- every way to cut or bend the bytes ------------------------------------------------------- */

static void
test_mutations(void **state)
{
	const struct lk_csr_spec s = full_spec();
	const struct lk_csr_want want = { .keys = 1u << LK_KEY_P256,
		.serial_number = PKI_SERIAL,
		.common_name = ID,
		.san_uri = URI,
		.binding = s.binding };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	size_t i;

	(void)state;
	build(&s, &der);
	for (i = 0; i < der.n; i++)
		assert_parse_refused(lk_slice(der.p, i), LK_R_CSR_SYNTAX);
	for (i = 0; i < 8 * der.n; i++) {
		LK_CLEANUP(lk_csr_freep) struct lk_csr *c = NULL;
		struct lk_verified_csr v = { .csr = NULL };
		struct lk_err e = { .reason = LK_R_NONE };

		der.p[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_false(lk_csr_parse(lk_buf_slice(&der), &c, &e).ok &&
			     lk_csr_check(c, &want, &v, &e).ok);
		assert_int_not_equal(e.reason, LK_R_NONE);
		assert_null(v.csr);
		der.p[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	assert_true(lk_buf_append(&der, LK_SLICE_LIT("x"), NULL).ok);
	assert_parse_refused(lk_buf_slice(&der), LK_R_CSR_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_openssl_reads_ours),
		cmocka_unit_test(test_ours_reads_openssl),
		cmocka_unit_test(test_no_attributes),
		cmocka_unit_test(test_rfc7030),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_many_extensions),
		cmocka_unit_test(test_challenge_limit),
		cmocka_unit_test(test_build_refuses),
		cmocka_unit_test(test_build_renewal),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, make_cast, free_cast);
}
