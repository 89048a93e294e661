/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates held against their profiles: each one's own and nobody else's, each
 * rule by itself, and the table as it stands.
 */
#include "test.h"

#include <stdio.h>

#include "cert_cast.h"
#include "crypto/ossl.h"

static struct cert_cast cast;
static struct pki_id vendor;

static int
make_cast(void **state)
{
	const struct pki_spec spec = { .cn = "Vendor CA", .ca = true };

	(void)state;
	cert_cast_init(&cast);
	pki_issue(NULL, &spec, &vendor);
	return 0;
}

static int
free_cast(void **state)
{
	(void)state;
	cert_cast_done(&cast);
	pki_id_done(&vendor);
	return 0;
}

static void
test_own(void **state)
{
	enum lk_cert_profile p;
	struct lk_err e;

	(void)state;
	for (p = 0; p < LK_PROFILE_COUNT; p++)
		if (cast.cert[p] && !lk_cert_check_profile(cast.cert[p], p, &e).ok)
			fail_msg("%s", e.msg);
	assert_true(
		lk_cert_check_profile(cast.cert[LK_PROFILE_IDEVID], LK_PROFILE_FOREIGN_IDEVID, &e)
			.ok);
}

/* Who must never pass for whom, though the same root may stand above both. */
static void
test_others(void **state)
{
	static const struct {
		enum lk_cert_profile is, passes_for;
		enum lk_reason reason;
	} rows[] = {
		{ LK_PROFILE_IDEVID, LK_PROFILE_VOUCHER_SIGNER, LK_R_CERT_KEY_USAGE },
		{ LK_PROFILE_MASA_SERVER, LK_PROFILE_VOUCHER_SIGNER, LK_R_CERT_EKU },
		{ LK_PROFILE_FACTORY_CLIENT, LK_PROFILE_VOUCHER_SIGNER, LK_R_CERT_EKU },
		{ LK_PROFILE_MANIFEST_SIGNER, LK_PROFILE_VOUCHER_SIGNER, LK_R_CERT_EKU },
		{ LK_PROFILE_VOUCHER_SIGNER, LK_PROFILE_MANIFEST_SIGNER, LK_R_CERT_EKU },
		{ LK_PROFILE_MANUFACTURER_ROOT, LK_PROFILE_IDEVID, LK_R_CERT_CONSTRAINTS },
		{ LK_PROFILE_MANUFACTURER_ROOT, LK_PROFILE_FOREIGN_IDEVID, LK_R_CERT_CONSTRAINTS },
		{ LK_PROFILE_LDEVID, LK_PROFILE_REGISTRAR, LK_R_CERT_EKU },
		{ LK_PROFILE_LDEVID, LK_PROFILE_OPERATOR, LK_R_CERT_SUBJECT },
		{ LK_PROFILE_LDEVID, LK_PROFILE_AAA_CLIENT, LK_R_CERT_EKU },
		{ LK_PROFILE_LDEVID, LK_PROFILE_RADIUS_SERVER, LK_R_CERT_EKU },
		{ LK_PROFILE_LDEVID, LK_PROFILE_DEVICE_CA, LK_R_CERT_CONSTRAINTS },
		{ LK_PROFILE_SERVER, LK_PROFILE_REGISTRAR, LK_R_CERT_EKU },
		{ LK_PROFILE_REGISTRAR, LK_PROFILE_RADIUS_SERVER, LK_R_CERT_EKU },
		{ LK_PROFILE_OPERATOR, LK_PROFILE_AAA_CLIENT, LK_R_CERT_EKU },
		{ LK_PROFILE_AAA_CLIENT, LK_PROFILE_OPERATOR, LK_R_CERT_EKU },
		{ LK_PROFILE_OPERATOR, LK_PROFILE_LDEVID, LK_R_CERT_SUBJECT },
		{ LK_PROFILE_SERVICE, LK_PROFILE_LDEVID, LK_R_CERT_SUBJECT },
		{ LK_PROFILE_NETWORK_ROOT, LK_PROFILE_DEVICE_CA, LK_R_CERT_CONSTRAINTS },
		{ LK_PROFILE_DEVICE_CA, LK_PROFILE_NETWORK_ROOT, LK_R_CERT_CONSTRAINTS },
	};
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(rows); i++)
		assert_refused(lk_cert_check_profile(cast.cert[rows[i].is], rows[i].passes_for, &e),
			e, rows[i].reason);
}

/* A certificate by OpenSSL, held against a profile. */
static void
assert_verdict(const struct pki_spec *spec, enum lk_cert_profile p, enum lk_reason reason)
{
	LK_CLEANUP(pki_id_done) struct pki_id id = { .key = NULL };
	struct lk_err e = { .reason = LK_R_NONE };

	pki_issue(&vendor, spec, &id);
	if (reason != LK_R_NONE)
		assert_refused(lk_cert_check_profile(pki_cert(&id), p, &e), e, reason);
	else if (!lk_cert_check_profile(pki_cert(&id), p, &e).ok)
		fail_msg("%s", e.msg);
}

/* As an LDevID should be; each test changes one thing. */
static struct pki_spec
ldevid(void)
{
	return (struct pki_spec){ .cn = "id",
		.serial_number = PKI_SERIAL,
		.san = "URI:" CERT_URI,
		.eku = "clientAuth",
		.key_usage = "critical,digitalSignature",
		.not_after = PKI_NOW + 29 * PKI_DAY };
}

static void
test_rules(void **state)
{
	struct pki_spec s = ldevid();

	(void)state;
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_NONE);
	/*= RFC5280 4.2.1.9: only a CA's certificate says that it is one =*/
	s.ca = true;
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_CONSTRAINTS);
	s = ldevid();
	/*= RFC5280 4.2.1.3: keyUsage is critical =*/
	s.key_usage = "digitalSignature";
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_KEY_USAGE);
	s.key_usage = "critical,digitalSignature,keyAgreement";
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_KEY_USAGE);
	s.key_usage = NULL;
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_KEY_USAGE);
	s = ldevid();
	/*= RFC5280 4.2.1.12: a certificate has the purposes of its role and no others =*/
	s.eku = NULL;
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_EKU);
	s.eku = "clientAuth,serverAuth";
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_EKU);
	s.eku = "serverAuth";
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_EKU);
	s = ldevid();
	/*= RFC5280 4.2.1.6: subjectAltName has the names of its role and no others =*/
	s.san = NULL;
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_SAN);
	s.san = "URI:" CERT_URI ",DNS:x.example";
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_SAN);
	s.san = "URI:" CERT_URI ",email:x@x.example";
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_SAN);
	s = ldevid();
	/*= RFC5280 4.1.2.6: the subject has the attributes of its role and no others =*/
	s.serial_number = NULL;
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_SUBJECT);
	s = ldevid();
	s.masa_url = PKI_MASA_URL;
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_EXTENSION);
	s = ldevid();
	s.not_after = PKI_NOW + 398 * PKI_DAY;
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_VALIDITY);
	s = ldevid();
	/*= RFC5280 4.2.1.1: authorityKeyIdentifier has the issuer's key identifier =*/
	s.no_ski = true;
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_KEY_ID);
	s = ldevid();
	s.no_aki = true;
	assert_verdict(&s, LK_PROFILE_LDEVID, LK_R_CERT_KEY_ID);
}

/* A copy of a certificate of the cast with one extension removed (0: none) and another added (NULL:
 * none). */
static struct lk_cert *
bent(enum lk_cert_profile p, int without, const char *name, const char *value)
{
	LK_CLEANUP(X509_freep) X509 *x = X509_dup(lk_cert_x509(cast.cert[p]));
	LK_CLEANUP(X509_EXTENSION_freep) X509_EXTENSION *add = NULL;
	struct lk_cert *ret = NULL;
	int at = without ? X509_get_ext_by_NID(x, without, -1) : -1;

	if (at >= 0)
		X509_EXTENSION_free(X509_delete_ext(x, at));
	if (name) {
		add = X509V3_EXT_nconf(NULL, NULL, name, value);
		assert_true(add && X509_add_ext(x, add, -1));
	}
	assert_true(X509_sign(x, lk_key_evp(cast.key[cert_issuer_of(p)]), EVP_sha256()));
	assert_true(lk_cert_from_x509(x, &ret, NULL).ok);
	return ret;
}

static void
assert_bent(enum lk_cert_profile is, enum lk_cert_profile want, int without, const char *name,
	const char *value, enum lk_reason reason)
{
	LK_CLEANUP(lk_cert_freep)
	struct lk_cert *c = bent(is, without, name, value);
	struct lk_err e = { .reason = LK_R_NONE };

	if (reason != LK_R_NONE)
		assert_refused(lk_cert_check_profile(c, want, &e), e, reason);
	else if (!lk_cert_check_profile(c, want, &e).ok)
		fail_msg("%s", e.msg);
}

static void
test_ca_rules(void **state)
{
	const enum lk_cert_profile ca = LK_PROFILE_DEVICE_CA;
	const int bc = NID_basic_constraints;
	struct pki_spec leaf = ldevid();

	(void)state;
	assert_verdict(&leaf, ca, LK_R_CERT_CONSTRAINTS);
	assert_bent(ca, ca, bc, "basicConstraints", "critical,CA:TRUE,pathlen:0", LK_R_NONE);
	assert_bent(ca, ca, bc, "basicConstraints", "critical,CA:TRUE", LK_R_CERT_CONSTRAINTS);
	assert_bent(ca, ca, bc, "basicConstraints", "critical,CA:TRUE,pathlen:1",
		LK_R_CERT_CONSTRAINTS);
	/*= RFC5280 4.2.1.9: basicConstraints of a CA are critical =*/
	assert_bent(ca, ca, bc, "basicConstraints", "CA:TRUE,pathlen:0", LK_R_CERT_CONSTRAINTS);
	assert_bent(ca, ca, NID_key_usage, "keyUsage", "critical,keyCertSign", LK_R_CERT_KEY_USAGE);
}

/*= RFC5280 4.2: an unknown critical extension is refused =*/
static void
test_unknown(void **state)
{
	const enum lk_cert_profile own = LK_PROFILE_IDEVID, foreign = LK_PROFILE_FOREIGN_IDEVID;

	(void)state;
	assert_bent(own, own, 0, "1.2.3.4", "ASN1:NULL", LK_R_CERT_EXTENSION);
	assert_bent(own, own, 0, "1.2.3.4", "critical,ASN1:NULL", LK_R_CERT_EXTENSION);
	assert_bent(own, foreign, 0, "1.2.3.4", "ASN1:NULL", LK_R_NONE);
	assert_bent(own, foreign, 0, "1.2.3.4", "critical,ASN1:NULL", LK_R_CERT_EXTENSION);
}

/*= RFC5280 4.1.2.1: a certificate with extensions is of version 3 =*/
static void
test_version(void **state)
{
	LK_CLEANUP(X509_freep) X509 *x = X509_dup(lk_cert_x509(cast.cert[LK_PROFILE_IDEVID]));
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	struct lk_err e;

	(void)state;
	while (X509_get_ext_count(x) > 0)
		X509_EXTENSION_free(X509_delete_ext(x, 0));
	assert_true(X509_set_version(x, X509_VERSION_1));
	assert_true(X509_sign(x, lk_key_evp(vendor.key), EVP_sha256()));
	assert_true(lk_cert_from_x509(x, &c, &e).ok);
	assert_refused(
		lk_cert_check_profile(c, LK_PROFILE_FOREIGN_IDEVID, &e), e, LK_R_CERT_VERSION);
}

/* What is met in the field: keyUsage set, ten years, other attributes, no key identifiers. */
static void
test_foreign(void **state)
{
	struct pki_spec s = { .cn = "PID:C9500-16X SN:FCW2117A56M",
		.serial_number = "PID:C9500-16X SN:FCW2117A56M",
		.key_usage = "digitalSignature,keyEncipherment",
		.eku = "clientAuth",
		.san = "email:x@x.example",
		.no_ski = true,
		.no_aki = true };

	(void)state;
	assert_verdict(&s, LK_PROFILE_FOREIGN_IDEVID, LK_R_NONE);
	assert_verdict(&s, LK_PROFILE_IDEVID, LK_R_CERT_KEY_USAGE);
	s.serial_number = NULL;
	assert_verdict(&s, LK_PROFILE_FOREIGN_IDEVID, LK_R_CERT_SUBJECT);
	s.serial_number = "x";
	s.key_usage = "keyEncipherment,cRLSign";
	assert_verdict(&s, LK_PROFILE_FOREIGN_IDEVID, LK_R_CERT_KEY_USAGE);
}

static void
test_names(void **state)
{
	enum lk_cert_profile p;

	(void)state;
	for (p = 0; p < LK_PROFILE_COUNT; p++)
		assert_int_equal(lk_cert_profile_by_name(lk_cert_profile_name(p)), p);
	assert_int_equal(lk_cert_profile_by_name("LDevID"), LK_PROFILE_COUNT);
	assert_int_equal(lk_cert_profile_end(LK_PROFILE_LDEVID, PKI_NOW), PKI_NOW + 30 * PKI_DAY);
	assert_int_equal(lk_cert_profile_end(LK_PROFILE_IDEVID, PKI_NOW), LK_TIME_NEVER);
}

/* A change here is a change of what the world gets: look twice, then copy it over. */
static void
test_golden(void **state)
{
	static const char golden[] =
#include "cert_profiles.golden.h"
		;
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(64 * 1024);
	struct lk_err e;

	(void)state;
	assert_true(lk_cert_profiles_print(&out, &e).ok);
	if (strcmp(lk_buf_str(&out), golden) != 0)
		fputs(lk_buf_str(&out), stderr);
	assert_string_equal(lk_buf_str(&out), golden);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_ca_rules),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_golden),
	};

	return cmocka_run_group_tests(tests, make_cast, free_cast);
}
