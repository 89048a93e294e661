/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates as they are made: OpenSSL reads and verifies each of them, and what
 * its profile does not allow is not made.
 */
#include "test.h"

#include "cert_cast.h"
#include "crypto/ossl.h"

static struct cert_cast cast;

static int
make_cast(void **state)
{
	(void)state;
	cert_cast_init(&cast);
	return 0;
}

static int
free_cast(void **state)
{
	(void)state;
	cert_cast_done(&cast);
	return 0;
}

/* A good spec of the profile, for its key in the cast. */
static struct lk_cert_spec
spec_of(enum lk_cert_profile p)
{
	return cert_spec(p, lk_key_spki(cast.key[p]));
}

static struct lk_result
issue(const struct lk_cert_spec *s, struct lk_buf *out, struct lk_err *e)
{
	const enum lk_cert_profile by = cert_issuer_of(s->profile);

	return lk_cert_issue(s, by == s->profile ? NULL : cast.cert[by], cast.key[by], out, e);
}

static void
assert_not_issued(const struct lk_cert_spec *s, enum lk_reason reason)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
	struct lk_err e;

	assert_refused(issue(s, &der, &e), e, reason);
	assert_int_equal(der.n, 0);
}

static struct lk_cert *
issued(const struct lk_cert_spec *s)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
	struct lk_cert *c = NULL;
	struct lk_err e;

	if (!issue(s, &der, &e).ok || !lk_cert_parse(lk_buf_slice(&der), &c, &e).ok)
		fail_msg("%s", e.msg);
	return c;
}

/* By OpenSSL, in its strict mode, up to the root. */
static void
test_chains(void **state)
{
	enum lk_cert_profile p;

	(void)state;
	for (p = 0; p < LK_PROFILE_COUNT; p++) {
		LK_CLEANUP(X509_STORE_freep) X509_STORE *store = X509_STORE_new();
		LK_CLEANUP(X509_STORE_CTX_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
		LK_CLEANUP(lk_x509_listp) STACK_OF(X509) *between = sk_X509_new_null();
		const enum lk_cert_profile by = cert_issuer_of(p);

		if (!cast.cert[p])
			continue;
		X509_STORE_add_cert(store, lk_cert_x509(cast.cert[cert_issuer_of(by)]));
		sk_X509_push(between, lk_cert_x509(cast.cert[by]));
		assert_true(X509_STORE_CTX_init(ctx, store, lk_cert_x509(cast.cert[p]), between));
		X509_STORE_CTX_set_time(ctx, 0, PKI_NOW + 1);
		X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
		if (X509_verify_cert(ctx) != 1)
			fail_msg("%s: %s", lk_cert_profile_name(p),
				X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	}
}

/* The bytes are DER: decoded and encoded anew by OpenSSL they are the same. */
static void
test_der(void **state)
{
	enum lk_cert_profile p;

	(void)state;
	for (p = 0; p < LK_PROFILE_COUNT; p++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
		LK_CLEANUP(lk_openssl_freep) uint8_t *again = NULL;
		LK_CLEANUP(X509_freep) X509 *x = NULL;
		struct lk_cert_spec s = spec_of(p);
		const uint8_t *in;
		struct lk_err e;
		int n;

		if (!cast.cert[p])
			continue;
		assert_true(issue(&s, &der, &e).ok);
		in = der.p;
		x = d2i_X509(NULL, &in, (long)der.n);
		assert_non_null(x);
		X509_get_version(x);
		i2d_re_X509_tbs(x, NULL); /* forget the bytes as received */
		n = i2d_X509(x, &again);
		assert_true(lk_slice_eq(lk_slice(again, (size_t)n), lk_buf_slice(&der)));
	}
}

static void
test_ldevid(void **state)
{
	const struct lk_cert *c = cast.cert[LK_PROFILE_LDEVID];
	LK_CLEANUP(GENERAL_NAMES_freep)
	GENERAL_NAMES *names = X509_get_ext_d2i(lk_cert_x509(c), NID_subject_alt_name, NULL, NULL);
	char text[LK_CERT_NAME_MAX];

	(void)state;
	lk_cert_subject(c, "2.5.4.5", text);
	assert_string_equal(text, PKI_SERIAL);
	lk_cert_subject_text(c, text, sizeof text);
	assert_string_equal(text, "serialNumber=" PKI_SERIAL ",CN=ldevid");
	lk_cert_serial(c, text);
	assert_string_equal(text, "5a0102030405060708090a0b0c0d0e0f");
	assert_int_equal(lk_cert_not_before(c), PKI_NOW);
	assert_int_equal(lk_cert_not_after(c), PKI_NOW + 30 * PKI_DAY);
	assert_true(lk_cert_has_eku(c, LK_OID_EKU_CLIENT_AUTH));
	assert_int_equal(X509_get_key_usage(lk_cert_x509(c)), KU_DIGITAL_SIGNATURE);
	assert_true(lk_slice_eq(lk_cert_aki(c), lk_cert_ski(cast.cert[LK_PROFILE_DEVICE_CA])));
	assert_true(lk_slice_eq(lk_cert_spki(c), lk_key_spki(cast.key[LK_PROFILE_LDEVID])));
	assert_int_equal(sk_GENERAL_NAME_num(names), 1);
	assert_int_equal(sk_GENERAL_NAME_value(names, 0)->type, GEN_URI);
}

/*= RFC8995 2.3: an IDevID has no end: 99991231235959Z =*/
/*= RFC8995 2.3.2: an IDevID carries the MASA's URL =*/
static void
test_idevid(void **state)
{
	/* SEQUENCE { 1.2.3.4, "HW-1" } */
	static const uint8_t hardware[] = { 0x30, 0x0b, 0x06, 0x03, 0x2a, 0x03, 0x04, 0x04, 0x04,
		'H', 'W', '-', '1' };
	/* SEQUENCE { SET { SEQUENCE { commonName, "M" } } } */
	static const uint8_t signer[] = { 0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55,
		0x04, 0x03, 0x0c, 0x01, 'M' };
	struct lk_cert_spec s = spec_of(LK_PROFILE_IDEVID);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	char url[LK_CERT_NAME_MAX];
	struct lk_err e;

	(void)state;
	s.mud_url = "https://vendor.example/thing.json";
	s.mud_signer = LK_SLICE_ARRAY(signer);
	s.san_hardware = LK_SLICE_ARRAY(hardware);
	c = issued(&s);
	assert_int_equal(lk_cert_not_after(c), LK_TIME_NEVER);
	assert_true(lk_cert_url(c, LK_OID_PE_MASA_URL, url, &e).ok);
	assert_string_equal(url, PKI_MASA_URL);
	assert_true(lk_cert_url(c, LK_OID_PE_MUD_URL, url, &e).ok);
	assert_string_equal(url, s.mud_url);
	assert_false(X509_get_extension_flags(lk_cert_x509(c)) & (EXFLAG_KUSAGE | EXFLAG_XKUSAGE));
	assert_true(lk_cert_check_profile(c, LK_PROFILE_IDEVID, &e).ok);
}

static void
test_server_names(void **state)
{
	static const uint8_t ip[] = { 192, 0, 2, 1 };
	struct lk_cert_spec s = spec_of(LK_PROFILE_REGISTRAR);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;

	(void)state;
	s.san_ip = LK_SLICE_ARRAY(ip);
	s.crl_url = "http://ca.domain.example/server-ca.crl";
	s.organization = "K\xc3\xbc"
			 "che"; /* UTF-8 */
	c = issued(&s);
	assert_int_equal(X509_check_host(lk_cert_x509(c), CERT_DNS, 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip(lk_cert_x509(c), ip, sizeof ip, 0), 1);
	/*= RFC8995 5.5.4: a registrar's certificate has id-kp-cmcRA =*/
	/*= RFC7030 3.6.1: an EST server's certificate has id-kp-cmcRA =*/
	assert_true(lk_cert_has_eku(c, LK_OID_EKU_CMC_RA));
	assert_true(lk_cert_has_eku(c, LK_OID_EKU_SERVER_AUTH));
}

static void
test_key_types(void **state)
{
	enum lk_key_type t;

	(void)state;
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
		LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
		LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
		struct lk_cert_spec s;
		struct lk_err e;

		assert_true(lk_key_ephemeral(t, &key, &e).ok);
		s = cert_spec(LK_PROFILE_NETWORK_ROOT, lk_key_spki(key));
		assert_true(lk_cert_issue(&s, NULL, key, &der, &e).ok);
		assert_true(lk_cert_parse(lk_buf_slice(&der), &c, &e).ok);
		assert_true(lk_cert_check_profile(c, LK_PROFILE_NETWORK_ROOT, &e).ok);
		assert_int_equal(X509_verify(lk_cert_x509(c), lk_key_evp(key)), 1);
	}
}

static void
test_serial_refused(void **state)
{
	static const uint8_t zeroes[16], many[17] = { 1 };
	struct lk_cert_spec s = spec_of(LK_PROFILE_LDEVID);

	(void)state;
	/*= RFC5280 4.1.2.2: a serial number is positive and unique =*/
	s.serial = lk_slice(cert_serial, 7);
	assert_not_issued(&s, LK_R_CERT_SERIAL);
	s.serial = LK_SLICE_ARRAY(many);
	assert_not_issued(&s, LK_R_CERT_SERIAL);
	s.serial = LK_SLICE_ARRAY(zeroes);
	assert_not_issued(&s, LK_R_CERT_SERIAL);
}

/* A serial whose first bit is set stays positive. */
static void
test_serial_sign(void **state)
{
	uint8_t high[16];
	struct lk_cert_spec s = spec_of(LK_PROFILE_LDEVID);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	char text[2 * LK_CERT_SERIAL_MAX + 1];

	(void)state;
	memset(high, 0xff, sizeof high);
	s.serial = LK_SLICE_ARRAY(high);
	c = issued(&s);
	lk_cert_serial(c, text);
	assert_string_equal(text, "ffffffffffffffffffffffffffffffff");
	assert_int_equal(ASN1_STRING_type(X509_get_serialNumber(lk_cert_x509(c))), V_ASN1_INTEGER);
}

static void
test_names_refused(void **state)
{
	static const char long_name[] =
		"a123456789b123456789c123456789d123456789e123456789f123456789g1234";
	struct lk_cert_spec s = spec_of(LK_PROFILE_LDEVID);

	(void)state;
	/*= RFC5280 4.1.2.6: the subject has the attributes of its role and no others =*/
	s.serial_number = "";
	assert_not_issued(&s, LK_R_CERT_SUBJECT);
	s = spec_of(LK_PROFILE_REGISTRAR);
	s.serial_number = PKI_SERIAL;
	assert_not_issued(&s, LK_R_CERT_SUBJECT);
	/*= RFC5280 A.1: names have at most 64 characters =*/
	s = spec_of(LK_PROFILE_LDEVID);
	assert_int_equal(strlen(long_name), 65);
	s.common_name = long_name;
	assert_not_issued(&s, LK_R_CERT_SUBJECT);
	s.common_name = long_name + 1;
	lk_cert_free(issued(&s));
	s.common_name = "K\xfc"
			"che";
	assert_not_issued(&s, LK_R_CERT_SUBJECT);
	s = spec_of(LK_PROFILE_LDEVID);
	s.serial_number = "LK_0001";
	assert_not_issued(&s, LK_R_CERT_SUBJECT);
}

static void
test_sans_refused(void **state)
{
	struct lk_cert_spec s = spec_of(LK_PROFILE_LDEVID);

	(void)state;
	/*= RFC5280 4.2.1.6: subjectAltName has the names of its role and no others =*/
	s.san_uri = NULL;
	assert_not_issued(&s, LK_R_CERT_SAN);
	s = spec_of(LK_PROFILE_LDEVID);
	s.san_dns = CERT_DNS;
	assert_not_issued(&s, LK_R_CERT_SAN);
	s = spec_of(LK_PROFILE_LDEVID);
	s.san_uri = "urn:uuid: x";
	assert_not_issued(&s, LK_R_CERT_SAN);
	s = spec_of(LK_PROFILE_REGISTRAR);
	s.san_ip = LK_SLICE_LIT("12345");
	assert_not_issued(&s, LK_R_CERT_SAN);
}

static void
test_extras_refused(void **state)
{
	struct lk_cert_spec s = spec_of(LK_PROFILE_IDEVID);

	(void)state;
	s.masa_url = NULL;
	assert_not_issued(&s, LK_R_CERT_EXTENSION);
	s.masa_url = "masa vendor";
	assert_not_issued(&s, LK_R_CERT_EXTENSION);
	s = spec_of(LK_PROFILE_LDEVID);
	s.mud_url = "https://vendor.example/thing.json";
	assert_not_issued(&s, LK_R_CERT_EXTENSION);
}

static void
test_life_refused(void **state)
{
	struct lk_cert_spec s = spec_of(LK_PROFILE_LDEVID);

	(void)state;
	s.not_after = s.not_before;
	assert_not_issued(&s, LK_R_CERT_VALIDITY);
	s.not_after = s.not_before + 399 * PKI_DAY;
	assert_not_issued(&s, LK_R_CERT_VALIDITY);
	s.not_before = -1;
	s.not_after = PKI_DAY;
	assert_not_issued(&s, LK_R_CERT_VALIDITY);
	s = spec_of(LK_PROFILE_IDEVID);
	s.not_after = LK_TIME_NEVER - 1;
	assert_not_issued(&s, LK_R_CERT_VALIDITY);
}

static void
test_key_refused(void **state)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *rsa = NULL;
	struct lk_cert_spec s = spec_of(LK_PROFILE_LDEVID);

	(void)state;
	s.spki = LK_SLICE_LIT("\x30\x00");
	assert_not_issued(&s, LK_R_CRYPTO_POLICY);
	assert_true(lk_key_ephemeral(LK_KEY_RSA3072, &rsa, NULL).ok);
	s = spec_of(LK_PROFILE_IDEVID);
	s.spki = lk_key_spki(rsa);
	assert_not_issued(&s, LK_R_CRYPTO_POLICY);
}

static void
assert_issuer_refused(const struct lk_cert_spec *s, const struct lk_cert *issuer,
	const struct lk_key *key, enum lk_reason reason)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
	struct lk_err e;

	assert_refused(lk_cert_issue(s, issuer, key, &der, &e), e, reason);
	assert_int_equal(der.n, 0);
}

static void
test_issuer_refused(void **state)
{
	struct lk_cert_spec s = spec_of(LK_PROFILE_LDEVID);
	const struct lk_cert *ca = cast.cert[LK_PROFILE_DEVICE_CA];
	struct lk_cert_spec sub = spec_of(LK_PROFILE_SERVICE_CA);
	const struct pki_spec bare = { .cn = "CA", .ca = true, .no_ski = true, .no_aki = true };
	LK_CLEANUP(pki_id_done) struct pki_id no_ski = { .key = NULL };

	(void)state;
	assert_issuer_refused(&s, NULL, cast.key[LK_PROFILE_LDEVID], LK_R_CERT_ISSUER);
	assert_issuer_refused(&s, ca, cast.key[LK_PROFILE_SERVER_CA], LK_R_KEY_MISMATCH);
	assert_issuer_refused(&s, cast.cert[LK_PROFILE_REGISTRAR], cast.key[LK_PROFILE_REGISTRAR],
		LK_R_CERT_ISSUER);
	/* Below a CA whose pathLenConstraint is 0 there is no other. */
	sub.not_after = lk_cert_not_after(ca);
	assert_issuer_refused(&sub, ca, cast.key[LK_PROFILE_DEVICE_CA], LK_R_CERT_ISSUER);
	/* Nothing outlives its issuer. */
	s.not_before = lk_cert_not_after(ca) - PKI_DAY;
	s.not_after = lk_cert_not_after(ca) + 1;
	assert_issuer_refused(&s, ca, cast.key[LK_PROFILE_DEVICE_CA], LK_R_CERT_ISSUER);
	pki_issue(NULL, &bare, &no_ski);
	s = spec_of(LK_PROFILE_LDEVID);
	assert_issuer_refused(&s, pki_cert(&no_ski), no_ski.key, LK_R_CERT_ISSUER);
	s = spec_of(LK_PROFILE_NETWORK_ROOT);
	assert_issuer_refused(&s, NULL, cast.key[LK_PROFILE_LDEVID], LK_R_KEY_MISMATCH);
	s = spec_of(LK_PROFILE_IDEVID);
	s.profile = LK_PROFILE_FOREIGN_IDEVID;
	assert_not_issued(&s, LK_R_CERT_ISSUER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_der),
		cmocka_unit_test(test_ldevid),
		cmocka_unit_test(test_idevid),
		cmocka_unit_test(test_server_names),
		cmocka_unit_test(test_key_types),
		cmocka_unit_test(test_serial_refused),
		cmocka_unit_test(test_serial_sign),
		cmocka_unit_test(test_names_refused),
		cmocka_unit_test(test_sans_refused),
		cmocka_unit_test(test_extras_refused),
		cmocka_unit_test(test_life_refused),
		cmocka_unit_test(test_key_refused),
		cmocka_unit_test(test_issuer_refused),
	};

	return cmocka_run_group_tests(tests, make_cast, free_cast);
}
