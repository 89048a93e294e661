/* SPDX-License-Identifier: Apache-2.0
 *
 * What peers send is decoded as everywhere else, and only what a policy can take.
 */
#include "pki.h"
#include "test.h"

#include <openssl/x509.h>

#include "crypto/ossl.h"
#include "crypto/peer_library.h"

/* A self-signed certificate of this key. Caller frees. */
static void
certify(EVP_PKEY *key, const EVP_MD *md, struct lk_buf *out)
{
	LK_CLEANUP(X509_freep) X509 *x = X509_new();
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	int n;

	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), 0));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 60));
	assert_int_equal(X509_set_pubkey(x, key), 1);
	assert_true(X509_sign(x, key, md) > 0);
	n = i2d_X509(x, &der);
	assert_true(lk_buf_append(out, lk_slice(der, (size_t)n), NULL).ok);
}

static void
test_keys(void **state)
{
	static const struct {
		const char *algorithm, *group;
		size_t bits;
		bool ok;
	} rows[] = {
		{ "EC", "P-256", 0, true },
		{ "EC", "P-384", 0, true },
		{ "RSA", NULL, 2048, true },
		{ "ED25519", NULL, 0, true },
		{ "ED448", NULL, 0, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		LK_CLEANUP(EVP_PKEY_freep)
		EVP_PKEY *key = rows[i].group  ? EVP_EC_gen(rows[i].group)
				: rows[i].bits ? EVP_RSA_gen(rows[i].bits)
					       : EVP_PKEY_Q_keygen(NULL, NULL, rows[i].algorithm);
		LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
		LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
		EVP_PKEY *got;

		certify(key, strncmp(rows[i].algorithm, "ED", 2) == 0 ? NULL : EVP_sha256(), &der);
		assert_true(lk_cert_parse(lk_buf_slice(&der), &c, NULL).ok);
		got = X509_get0_pubkey(lk_cert_x509(c));
		if (!rows[i].ok) { /* a certificate whose key is good for nothing */
			assert_null(got);
			continue;
		}
		/* the key computes, beside one of the default context */
		assert_int_equal(X509_verify(lk_cert_x509(c), got), 1);
		assert_int_equal(X509_verify(lk_cert_x509(c), key), 1);
		assert_int_equal(EVP_PKEY_eq(got, key), 1);
	}
}

static void
test_it_is_one(void **state)
{
	OSSL_LIB_CTX *one = NULL, *again = NULL;

	(void)state;
	assert_true(lk_peer_library(&one, NULL).ok);
	assert_true(lk_peer_library(&again, NULL).ok);
	assert_non_null(one);
	assert_ptr_equal(one, again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_it_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
