/* SPDX-License-Identifier: Apache-2.0
 *
 * Which requests are granted: each rule by itself, with its reason and nothing
 * handed out.
 */
#include "test.h"

#include "artefact/csr.h"
#include "crypto/ossl.h"
#include "pki.h"

#define ID  "019b7a3c-0000-7000-8000-000000000001"
#define URI "urn:uuid:" ID

static const struct lk_slice binding = LK_SLICE_LIT("0123456789ab");
static struct pki_cast cast;
static struct lk_key *keys[LK_KEY_TYPE_COUNT];

static int
make_cast(void **state)
{
	enum lk_key_type t;

	(void)state;
	pki_cast_init(&cast);
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
		assert_true(lk_key_ephemeral(t, &keys[t], NULL).ok);
	return 0;
}

static int
free_cast(void **state)
{
	enum lk_key_type t;

	(void)state;
	pki_cast_done(&cast);
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
		keys[t] = lk_key_free(keys[t]);
	return 0;
}

/* A request by OpenSSL's means. */
struct request {
	const struct lk_key *key;       /* NULL: P-256's */
	const struct lk_key *signed_by; /* NULL: the same */
	const EVP_MD *digest;           /* NULL: SHA-256 */
	const char *cn, *serial_number, *o;
	const char *ext[3][2]; /* name and value in the words of openssl.cnf */
	const char *challenge;
};

static struct lk_csr *
made(const struct request *r)
{
	LK_CLEANUP(X509_REQ_freep) X509_REQ *req = X509_REQ_new();
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	const struct lk_key *key = r->key ? r->key : keys[LK_KEY_P256];
	const struct lk_key *by = r->signed_by ? r->signed_by : key;
	STACK_OF(X509_EXTENSION) *exts = NULL;
	X509_NAME *subject = X509_REQ_get_subject_name(req);
	struct lk_csr *c = NULL;
	struct lk_err e;
	size_t i;
	int n;

	if (r->cn)
		X509_NAME_add_entry_by_txt(
			subject, "CN", MBSTRING_UTF8, (const uint8_t *)r->cn, -1, -1, 0);
	if (r->serial_number)
		X509_NAME_add_entry_by_txt(subject, "serialNumber", MBSTRING_UTF8,
			(const uint8_t *)r->serial_number, -1, -1, 0);
	if (r->o)
		X509_NAME_add_entry_by_txt(
			subject, "O", MBSTRING_UTF8, (const uint8_t *)r->o, -1, -1, 0);
	for (i = 0; i < LK_ARRAY_LEN(r->ext) && r->ext[i][0]; i++) {
		LK_CLEANUP(X509_EXTENSION_freep)
		X509_EXTENSION *ext = X509V3_EXT_nconf(NULL, NULL, r->ext[i][0], r->ext[i][1]);

		assert_true(ext && X509v3_add_ext(&exts, ext, -1));
	}
	if (exts)
		assert_true(X509_REQ_add_extensions(req, exts));
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	if (r->challenge)
		assert_true(X509_REQ_add1_attr_by_NID(req, NID_pkcs9_challengePassword,
			MBSTRING_ASC, (const uint8_t *)r->challenge, -1));
	assert_true(X509_REQ_set_pubkey(req, lk_key_evp(key)));
	assert_true(X509_REQ_sign(req, lk_key_evp(by),
			    lk_key_type(by) == LK_KEY_ED25519 ? NULL
			    : r->digest                       ? r->digest
							      : EVP_sha256()) > 0);
	n = i2d_X509_REQ(req, &der);
	if (!lk_csr_parse(lk_slice(der, (size_t)n), &c, &e).ok)
		fail_msg("%s", e.msg);
	return c;
}

static struct lk_csr_want
wanted(void)
{
	return (struct lk_csr_want){ .keys = 1u << LK_KEY_P256 | 1u << LK_KEY_P384,
		.serial_number = PKI_SERIAL,
		.common_name = ID,
		.san_uri = URI,
		.shown = pki_cert(&cast.device),
		.binding = binding };
}

static void
assert_granted(const struct request *r, const struct lk_csr_want *want)
{
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c = made(r);
	struct lk_verified_csr v = { .csr = NULL };
	struct lk_err e;

	if (!lk_csr_check(c, want, &v, &e).ok)
		fail_msg("%s", e.msg);
	assert_ptr_equal(v.csr, c);
	assert_true(lk_slice_eq(v.spki, lk_key_spki(r->key ? r->key : keys[LK_KEY_P256])));
	assert_int_equal(v.key, r->key ? lk_key_type(r->key) : LK_KEY_P256);
}

static void
assert_not_granted(const struct request *r, const struct lk_csr_want *want, enum lk_reason reason)
{
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c = made(r);
	struct lk_verified_csr v = { .csr = NULL };
	struct lk_err e;

	assert_refused(lk_csr_check(c, want, &v, &e), e, reason);
	assert_null(v.csr);
}

static void
test_plain(void **state)
{
	const struct lk_csr_want want = wanted();

	(void)state;
	assert_granted(&(struct request){ 0 }, &want);
	assert_granted(&(struct request){ .cn = ID,
			       .serial_number = PKI_SERIAL,
			       .ext = { { "subjectAltName", "URI:" URI },
				       { "basicConstraints", "critical,CA:FALSE" },
				       { "extendedKeyUsage", "clientAuth" } },
			       .challenge = "MDEyMzQ1Njc4OWFi" },
		&want);
	assert_granted(&(struct request){ .ext = { { "keyUsage", "critical,digitalSignature" },
						  { "subjectKeyIdentifier", "none" },
						  { "1.2.3.4", "ASN1:NULL" } } },
		&want);
}

/*= RFC7030 3.4: a request is signed by the key that it is for =*/
static void
test_possession(void **state)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *other = NULL;
	const struct lk_csr_want want = wanted();

	(void)state;
	assert_true(lk_key_ephemeral(LK_KEY_P256, &other, NULL).ok);
	assert_not_granted(&(struct request){ .signed_by = other }, &want, LK_R_CSR_POP);
}

static void
test_weak(void **state)
{
	struct lk_csr_want want = wanted();

	(void)state;
	assert_not_granted(&(struct request){ .digest = EVP_sha1() }, &want, LK_R_CRYPTO_POLICY);
	assert_not_granted(
		&(struct request){ .key = keys[LK_KEY_RSA3072] }, &want, LK_R_CRYPTO_POLICY);
	assert_not_granted(
		&(struct request){ .key = keys[LK_KEY_ED25519] }, &want, LK_R_CRYPTO_POLICY);
	want.keys = ~0u;
	assert_granted(&(struct request){ .key = keys[LK_KEY_RSA3072] }, &want);
	assert_granted(&(struct request){ .key = keys[LK_KEY_ED25519] }, &want);
	assert_granted(&(struct request){ .key = keys[LK_KEY_P384] }, &want);
}

/* RSA with 2,048 bits and SHA-1. */
static void
test_rfc7030(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c = NULL;
	struct lk_csr_want want = wanted();
	struct lk_verified_csr v = { .csr = NULL };
	struct lk_err e;

	(void)state;
	if (!pki_shared("rfc7030-appendix-a/A3-simpleenroll-request.pkcs10.der", &der)) {
		print_message("skipped: the RFC's examples are not on this machine\n");
		skip();
	}
	want.keys = ~0u;
	assert_true(lk_csr_parse(lk_buf_slice(&der), &c, &e).ok);
	assert_refused(lk_csr_check(c, &want, &v, &e), e, LK_R_CRYPTO_POLICY);
	assert_null(v.csr);
}

/*= RFC7030 3.5: a challengePassword, if present, is this session's tls-unique in base64 =*/
static void
test_link(void **state)
{
	const struct request linked = { .challenge = "MDEyMzQ1Njc4OWFi" };
	struct lk_csr_want want = wanted();

	(void)state;
	assert_not_granted(&(struct request){ .challenge = "secret" }, &want, LK_R_CSR_LINK);
	want.link_required = true;
	assert_granted(&linked, &want);
	assert_not_granted(&(struct request){ 0 }, &want, LK_R_CSR_LINK);
	want.binding = LK_SLICE_LIT("another one!");
	assert_not_granted(&linked, &want, LK_R_CSR_LINK);
	want.binding = lk_slice(NULL, 0);
	assert_not_granted(&linked, &want, LK_R_CSR_LINK);
}

/*= RFC5280 4.2.1.9: a device does not get a CA certificate =*/
static void
test_ca(void **state)
{
	static const char *const asked[][2] = { { "basicConstraints", "CA:TRUE" },
		{ "basicConstraints", "critical,CA:TRUE,pathlen:0" }, { "keyUsage", "keyCertSign" },
		{ "keyUsage", "digitalSignature,cRLSign" } };
	const struct lk_csr_want want = wanted();
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(asked); i++)
		assert_not_granted(&(struct request){ .ext = { { asked[i][0], asked[i][1] } } },
			&want, LK_R_CSR_CA);
}

/* Both bits of a CA behind a length that is no DER; an element behind it; another element. */
static void
test_usage_syntax(void **state)
{
	static const char *const usages[] = { "DER:0381020106", "DER:030200800500",
		"DER:02020080" };
	const struct lk_csr_want want = wanted();
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(usages); i++)
		assert_not_granted(&(struct request){ .ext = { { "2.5.29.15", usages[i] } } },
			&want, LK_R_CSR_SYNTAX);
	/*= RFC5280 4.2.1.3: at least one bit of keyUsage is set =*/
	assert_not_granted(&(struct request){ .ext = { { "2.5.29.15", "DER:030100" } } }, &want,
		LK_R_CSR_SYNTAX);
}

static void
test_extensions(void **state)
{
	const struct lk_csr_want want = wanted();

	(void)state;
	/*= RFC2985 5.4.2: an unknown critical extension is not granted =*/
	assert_not_granted(&(struct request){ .ext = { { "1.2.3.4", "critical,ASN1:NULL" } } },
		&want, LK_R_CSR_EXTENSION);
	assert_not_granted(
		&(struct request){ .ext = { { "extendedKeyUsage", "clientAuth,serverAuth" } } },
		&want, LK_R_CSR_EXTENSION);
	assert_not_granted(
		&(struct request){ .ext = { { "extendedKeyUsage", "1.3.6.1.5.5.7.3.28" } } }, &want,
		LK_R_CSR_EXTENSION);
}

static void
test_subject(void **state)
{
	struct lk_csr_want want = wanted();

	(void)state;
	assert_not_granted(
		&(struct request){ .serial_number = "LK-0002" }, &want, LK_R_CSR_SUBJECT);
	assert_not_granted(&(struct request){ .cn = "another" }, &want, LK_R_CSR_SUBJECT);
	assert_not_granted(&(struct request){ .o = "Vendor" }, &want, LK_R_CSR_SUBJECT);
	/* "Thing" is the CN of its IDevID, so it is its own; without the IDevID it is not. */
	assert_granted(&(struct request){ .cn = "Thing", .serial_number = PKI_SERIAL }, &want);
	want.shown = NULL;
	assert_not_granted(&(struct request){ .cn = "Thing" }, &want, LK_R_CSR_SUBJECT);
	want.common_name = "";
	assert_not_granted(&(struct request){ .cn = ID }, &want, LK_R_CSR_SUBJECT);
}

static void
test_sans(void **state)
{
	struct lk_csr_want want = wanted();
	const struct request dns = { .ext = { { "subjectAltName", "DNS:a.example" } } };

	(void)state;
	assert_not_granted(
		&(struct request){ .ext = { { "subjectAltName", "URI:urn:uuid:another" } } }, &want,
		LK_R_CSR_SAN);
	assert_not_granted(
		&(struct request){ .ext = { { "subjectAltName", "URI:" URI ",DNS:a.example" } } },
		&want, LK_R_CSR_SAN);
	assert_not_granted(&(struct request){ .ext = { { "subjectAltName", "DNS:" URI } } }, &want,
		LK_R_CSR_SAN);
	assert_not_granted(&dns, &want, LK_R_CSR_SAN);
	want.san_dns = "a.example";
	assert_granted(&dns, &want);
	want.san_dns = NULL;
	want.shown = pki_cert(&cast.registrar);
	assert_granted(&(struct request){ .ext = { { "subjectAltName",
						  "DNS:registrar.domain.example" } } },
		&want);
}

/*= RFC7030 4.2.2: Subject and SubjectAltName are those of the certificate being renewed =*/
static void
test_renewal(void **state)
{
	const struct pki_spec spec = { .cn = ID, .serial_number = PKI_SERIAL, .san = "URI:" URI };
	LK_CLEANUP(pki_id_done) struct pki_id ldevid = { .key = NULL };
	struct lk_csr_want want = wanted();
	struct request r = {
		.cn = ID, .serial_number = PKI_SERIAL, .ext = { { "subjectAltName", "URI:" URI } }
	};

	(void)state;
	pki_issue(&cast.domain, &spec, &ldevid);
	want.shown = want.renewed = pki_cert(&ldevid);
	assert_granted(&r, &want);
	r.ext[0][0] = NULL;
	assert_not_granted(&r, &want, LK_R_CSR_RENEWAL);
	r.ext[0][0] = "subjectAltName";
	r.ext[0][1] = "URI:" URI ",URI:" URI;
	assert_not_granted(&r, &want, LK_R_CSR_RENEWAL);
	r.ext[0][1] = "URI:" URI;
	r.cn = NULL;
	assert_not_granted(&r, &want, LK_R_CSR_RENEWAL);
	r.cn = "another";
	assert_not_granted(&r, &want, LK_R_CSR_RENEWAL);
	r.cn = ID;
	r.o = "Vendor";
	assert_not_granted(&r, &want, LK_R_CSR_RENEWAL);
}

/*= RFC8995 5.9.2: the registrar confirms that the CSR is formatted as the attributes ask =*/
static void
test_attrs(void **state)
{
	struct lk_csrattrs a = { .keys = 1u << LK_KEY_P256,
		.signatures = 1u << LK_KEY_P256,
		.serial_number = true,
		.challenge_password = true,
		.san_uri = URI };
	const struct request good = { .serial_number = PKI_SERIAL,
		.ext = { { "subjectAltName", "URI:" URI } },
		.challenge = "MDEyMzQ1Njc4OWFi" };
	struct lk_csr_want want = wanted();
	struct request r = good;

	(void)state;
	want.attrs = &a;
	assert_granted(&r, &want);
	r.key = keys[LK_KEY_P384];
	assert_not_granted(&r, &want, LK_R_CSR_ATTRS);
	r = good;
	r.digest = EVP_sha384();
	assert_not_granted(&r, &want, LK_R_CSR_ATTRS);
	r = good;
	r.serial_number = NULL;
	assert_not_granted(&r, &want, LK_R_CSR_ATTRS);
	r = good;
	r.challenge = NULL;
	assert_not_granted(&r, &want, LK_R_CSR_ATTRS);
	r = good;
	r.ext[0][0] = NULL;
	assert_not_granted(&r, &want, LK_R_CSR_ATTRS);
	a = (struct lk_csrattrs){ .keys = 0 };
	assert_granted(&(struct request){ .key = keys[LK_KEY_P384] }, &want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_possession),
		cmocka_unit_test(test_weak),
		cmocka_unit_test(test_rfc7030),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_ca),
		cmocka_unit_test(test_usage_syntax),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_subject),
		cmocka_unit_test(test_sans),
		cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_attrs),
	};

	return cmocka_run_group_tests(tests, make_cast, free_cast);
}
