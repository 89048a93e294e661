/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures by keys that are given as bytes: each key type's own are taken, and
 * nothing that is weaker, broken or another's.
 */
#include "test.h"

#include "crypto/ossl.h"
#include "crypto/signature.h"

static const struct lk_slice text = LK_SLICE_LIT("what is signed");

/* One of each type. */
static struct lk_key *keys[LK_KEY_TYPE_COUNT];

static int
make_keys(void **state)
{
	enum lk_key_type t;

	(void)state;
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
		assert_true(lk_key_ephemeral(t, &keys[t], NULL).ok);
	return 0;
}

static int
free_keys(void **state)
{
	enum lk_key_type t;

	(void)state;
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
		keys[t] = lk_key_free(keys[t]);
	return 0;
}

static void
test_types(void **state)
{
	enum lk_key_type t, got;
	struct lk_err e;

	(void)state;
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++) {
		got = LK_KEY_TYPE_COUNT;
		assert_true(lk_spki_type(lk_key_spki(keys[t]), &got, &e).ok);
		assert_int_equal(got, t);
	}
}

static void
test_verify(void **state)
{
	enum lk_key_type t, other;

	(void)state;
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf sig = LK_BUF_INIT(1024);
		const struct lk_slice spki = lk_key_spki(keys[t]);
		const struct lk_slice alg = lk_signature_algorithm(t);
		struct lk_err e = { .reason = LK_R_NONE };

		assert_true(lk_key_sign(keys[t], text, &sig, &e).ok);
		if (!lk_spki_verify(spki, alg, text, lk_buf_slice(&sig), LK_R_CSR_POP, &e).ok)
			fail_msg("%s", e.msg);
		assert_refused(lk_spki_verify(spki, alg, LK_SLICE_LIT("another"),
				       lk_buf_slice(&sig), LK_R_CSR_POP, &e),
			e, LK_R_CSR_POP);
		sig.p[sig.n / 2] ^= 1;
		assert_refused(
			lk_spki_verify(spki, alg, text, lk_buf_slice(&sig), LK_R_CSR_POP, &e), e,
			LK_R_CSR_POP);
		assert_refused(lk_spki_verify(spki, alg, text, lk_slice(NULL, 0), LK_R_CSR_POP, &e),
			e, LK_R_CSR_POP);
		for (other = 0; other < LK_KEY_TYPE_COUNT; other++)
			if (other != t && !(t <= LK_KEY_P384 && other <= LK_KEY_P384))
				assert_refused(lk_spki_verify(spki, lk_signature_algorithm(other),
						       text, lk_buf_slice(&sig), LK_R_CSR_POP, &e),
					e, LK_R_CRYPTO_POLICY);
	}
}

/* As `openssl req` does by default with a P-384 key. */
static void
test_p384_with_sha256(void **state)
{
	LK_CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const struct lk_key *key = keys[LK_KEY_P384];
	uint8_t sig[256];
	size_t n = sizeof sig;
	struct lk_err e;

	(void)state;
	assert_true(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, lk_key_evp(key)) > 0 &&
		    EVP_DigestSign(ctx, sig, &n, text.p, text.n) > 0);
	assert_true(lk_spki_verify(lk_key_spki(key), lk_signature_algorithm(LK_KEY_P256), text,
		lk_slice(sig, n), LK_R_CSR_POP, &e)
			    .ok);
}

/* Appends the SubjectPublicKeyInfo of a new key. */
static void
foreign_spki(EVP_PKEY *key, struct lk_buf *out)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *owned = key;
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	int n = i2d_PUBKEY(owned, &der);

	assert_true(n > 0);
	assert_true(lk_buf_append(out, lk_slice(der, (size_t)n), NULL).ok);
}

static void
test_weak_keys(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf spki = LK_BUF_INIT(2048);
	enum lk_key_type t = LK_KEY_TYPE_COUNT;
	struct lk_err e;

	(void)state;
	foreign_spki(EVP_RSA_gen(1024), &spki);
	assert_refused(lk_spki_type(lk_buf_slice(&spki), &t, &e), e, LK_R_CRYPTO_POLICY);
	lk_buf_clear(&spki);
	foreign_spki(EVP_RSA_gen(2048), &spki);
	assert_refused(lk_spki_type(lk_buf_slice(&spki), &t, &e), e, LK_R_CRYPTO_POLICY);
	lk_buf_clear(&spki);
	foreign_spki(EVP_EC_gen("secp224r1"), &spki);
	assert_refused(lk_spki_type(lk_buf_slice(&spki), &t, &e), e, LK_R_CRYPTO_POLICY);
	assert_refused(lk_spki_type(lk_slice(NULL, 0), &t, &e), e, LK_R_CRYPTO_POLICY);
	assert_int_equal(t, LK_KEY_TYPE_COUNT);
}

/* A point that is not on the curve must not reach the arithmetic. */
static void
test_invalid_point(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf spki = LK_BUF_INIT(256);
	LK_CLEANUP(lk_buf_done) struct lk_buf sig = LK_BUF_INIT(256);
	struct lk_err e;

	(void)state;
	assert_true(lk_key_sign(keys[LK_KEY_P256], text, &sig, &e).ok);
	assert_true(lk_buf_append(&spki, lk_key_spki(keys[LK_KEY_P256]), &e).ok);
	spki.p[spki.n - 1] ^= 1;
	assert_refused(lk_spki_verify(lk_buf_slice(&spki), lk_signature_algorithm(LK_KEY_P256),
			       text, lk_buf_slice(&sig), LK_R_CSR_POP, &e),
		e, LK_R_CSR_POP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_p384_with_sha256),
		cmocka_unit_test(test_weak_keys),
		cmocka_unit_test(test_invalid_point),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
