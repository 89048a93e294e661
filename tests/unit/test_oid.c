/* SPDX-License-Identifier: Apache-2.0
 *
 * The object identifiers: OpenSSL reads each of them, no two are the same, and
 * unknown ones are told in numbers.
 */
#include "test.h"

#include "crypto/oid.h"
#include "crypto/ossl.h"

static void
test_rows(void **state)
{
	enum lk_oid a, b;

	(void)state;
	for (a = 0; a < LK_ID_COUNT; a++) {
		char text[LK_OID_TEXT_MAX];

		assert_int_equal(lk_oid_find(lk_oid_der(a)), a);
		lk_oid_text(lk_oid_der(a), text);
		assert_string_equal(text, lk_oid_name(a));
		for (b = 0; b < a; b++)
			assert_string_not_equal(lk_oid_name(a), lk_oid_name(b));
	}
	assert_int_equal(lk_oid_find(LK_SLICE_LIT("\x2a\x03")), LK_ID_COUNT);
	assert_int_equal(lk_oid_find(lk_slice(NULL, 0)), LK_ID_COUNT);
}

/* By OpenSSL's own table of names. */
static void
test_known_to_openssl(void **state)
{
	static const struct {
		enum lk_oid id;
		int nid;
	} rows[] = {
		{ LK_ID_AT_COMMON_NAME, NID_commonName },
		{ LK_ID_AT_SERIAL_NUMBER, NID_serialNumber },
		{ LK_ID_AT_ORGANIZATION, NID_organizationName },
		{ LK_ID_AT_ORGANIZATIONAL_UNIT, NID_organizationalUnitName },
		{ LK_ID_CE_SUBJECT_KEY_ID, NID_subject_key_identifier },
		{ LK_ID_CE_KEY_USAGE, NID_key_usage },
		{ LK_ID_CE_SUBJECT_ALT_NAME, NID_subject_alt_name },
		{ LK_ID_CE_BASIC_CONSTRAINTS, NID_basic_constraints },
		{ LK_ID_CE_CRL_NUMBER, NID_crl_number },
		{ LK_ID_CE_CRL_REASON, NID_crl_reason },
		{ LK_ID_CE_CRL_POINTS, NID_crl_distribution_points },
		{ LK_ID_CE_AUTHORITY_KEY_ID, NID_authority_key_identifier },
		{ LK_ID_CE_EXT_KEY_USAGE, NID_ext_key_usage },
		{ LK_ID_KP_SERVER_AUTH, NID_server_auth },
		{ LK_ID_KP_CLIENT_AUTH, NID_client_auth },
		{ LK_ID_KP_CMC_RA, NID_cmcRA },
		{ LK_ID_DATA, NID_pkcs7_data },
		{ LK_ID_SIGNED_DATA, NID_pkcs7_signed },
		{ LK_ID_CHALLENGE_PASSWORD, NID_pkcs9_challengePassword },
		{ LK_ID_EXTENSION_REQUEST, NID_ext_req },
		{ LK_ID_EC_PUBLIC_KEY, NID_X9_62_id_ecPublicKey },
		{ LK_ID_SECP256R1, NID_X9_62_prime256v1 },
		{ LK_ID_SECP384R1, NID_secp384r1 },
		{ LK_ID_ED25519, NID_ED25519 },
		{ LK_ID_RSA_ENCRYPTION, NID_rsaEncryption },
		{ LK_ID_ECDSA_SHA256, NID_ecdsa_with_SHA256 },
		{ LK_ID_ECDSA_SHA384, NID_ecdsa_with_SHA384 },
		{ LK_ID_RSA_SHA256, NID_sha256WithRSAEncryption },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		const ASN1_OBJECT *o = OBJ_nid2obj(rows[i].nid);

		assert_true(lk_slice_eq(
			lk_oid_der(rows[i].id), lk_slice(OBJ_get0_data(o), OBJ_length(o))));
	}
}

static void
test_dotted(void **state)
{
	static const struct {
		const char *dotted;
		enum lk_oid id;
	} rows[] = {
		{ "1.3.6.1.5.5.7.1.25", LK_ID_PE_MUD_URL },
		{ "1.3.6.1.5.5.7.1.30", LK_ID_PE_MUD_SIGNER },
		{ "1.3.6.1.5.5.7.1.32", LK_ID_PE_MASA_URL },
		{ "1.3.6.1.5.5.7.8.4", LK_ID_ON_HARDWARE_MODULE },
		{ "2.25.108185145276060811385741955779230067267.1", LK_ID_KP_AAA_CLIENT },
		{ "2.25.108185145276060811385741955779230067267.2", LK_ID_KP_MANIFEST },
	};
	char text[LK_OID_TEXT_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		LK_CLEANUP(ASN1_OBJECT_freep) ASN1_OBJECT *o = OBJ_txt2obj(rows[i].dotted, 1);

		assert_true(lk_slice_eq(
			lk_oid_der(rows[i].id), lk_slice(OBJ_get0_data(o), OBJ_length(o))));
	}
	lk_oid_text(LK_SLICE_LIT("\x2a\x86\x48\x01"), text);
	assert_string_equal(text, "1.2.840.1");
	lk_oid_text(LK_SLICE_LIT("\x88\x37\x01"), text); /* X.690 8.19.5's 2.999 */
	assert_string_equal(text, "2.999.1");
	lk_oid_text(LK_SLICE_LIT("\x69\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), text);
	assert_string_equal(text, "2.25…");
	lk_oid_text(lk_slice(NULL, 0), text);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_known_to_openssl),
		cmocka_unit_test(test_dotted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
