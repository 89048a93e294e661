/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that sign elsewhere: good for what a key is good for, good for nothing
 * else, and asked by their holder for nothing but TLS.
 */
#include "key_uses.h"

#include <openssl/core_names.h>

#include "crypto/remote_key.h"
#include "crypto/tls_tbs.h"

/* The holder: a key of this process, standing in for another one's. */
struct holder {
	struct lk_key *key;
	enum lk_tls_end end;
	bool tls_only; /* ask lk_tls_tbs_check() first, as a signer process does */
	bool refuse;
	unsigned signed_n, done_n;
};

static struct lk_result
hold_sign(void *ctx, struct lk_slice tbs, struct lk_buf *sig, struct lk_err *e)
{
	struct holder *h = ctx;

	LK_REQUIRE(!h->refuse, e, LK_R_KEY_STORE, "the holder is out");
	if (h->tls_only)
		LK_TRY(lk_tls_tbs_check(tbs, h->end, e));
	h->signed_n++;
	return lk_key_sign(h->key, tbs, sig, e);
}

static void
hold_done(void *ctx)
{
	((struct holder *)ctx)->done_n++;
}

static EVP_PKEY *
make_remote(struct holder *h, enum lk_key_type type)
{
	struct lk_remote_signer signer = { hold_sign, hold_done, h };
	struct lk_err e = { 0 };
	EVP_PKEY *key = NULL;

	*h = (struct holder){ 0 };
	assert_true(lk_key_ephemeral(type, &h->key, &e).ok);
	assert_true(lk_remote_key_new(lk_key_spki(h->key), &signer, &key, &e).ok);
	return key;
}

static void
test_uses(void **state)
{
	static const enum lk_key_type types[] = { LK_KEY_P256, LK_KEY_P384 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(types); i++) {
		struct holder h;
		EVP_PKEY *key = make_remote(&h, types[i]);

		use_evp(key, lk_key_spki(h.key), digest_of(h.key));
		assert_true(h.signed_n > 0);
		assert_int_equal(h.done_n, 0);
		EVP_PKEY_free(key);
		assert_int_equal(h.done_n, 1);
		lk_key_free(h.key);
	}
}

/* What a front does: the holder signs for its end of TLS and for nothing else. */
static void
test_tls_only(void **state)
{
	static const enum lk_key_type types[] = { LK_KEY_P256, LK_KEY_P384 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(types); i++) {
		struct holder h;
		LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = make_remote(&h, types[i]);
		LK_CLEANUP(X509_freep) X509 *cert = make_cert(key, digest_of(h.key));

		h.signed_n = 0;
		h.tls_only = true;
		use_for_tls(key, cert, TLS1_3_VERSION, true);
		h.end = LK_TLS_CLIENT;
		use_for_tls(key, cert, TLS1_3_VERSION, false);
		h.end = LK_TLS_SERVER;
		use_for_tls(key, cert, TLS1_2_VERSION, true);
		assert_int_equal(h.signed_n, 3);

		assert_true(X509_sign(cert, key, digest_of(h.key)) <= 0);
		assert_int_equal(h.signed_n, 3);
		lk_key_free(h.key);
	}
}

static void
test_holder_refuses(void **state)
{
	struct holder h;
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = make_remote(&h, LK_KEY_P256);
	LK_CLEANUP(X509_freep) X509 *cert = make_cert(key, EVP_sha256());
	LK_CLEANUP(SSL_CTX_freep)
	SSL_CTX *server = make_ctx(TLS_server_method(), TLS1_3_VERSION, cert, key);
	LK_CLEANUP(SSL_CTX_freep)
	SSL_CTX *client = make_ctx(TLS_client_method(), TLS1_3_VERSION, NULL, NULL);
	LK_CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct lk_err e = { 0 };
	struct tls_pair p;
	uint8_t sig[128];
	size_t n = sizeof sig;

	(void)state;
	h.refuse = true;
	ERR_clear_error();
	assert_false(tls_handshake(&p, client, server));
	tls_pair_done(&p);
	ERR_clear_error();
	assert_int_equal(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key), 1);
	assert_true(EVP_DigestSign(md, sig, &n, sig, sizeof sig) <= 0);
	lk_err_set_ossl(&e, LK_R_KEY_STORE, "not signed");
	assert_non_null(strstr(e.msg, "the holder is out"));
	assert_true(ERR_peek_error() == 0);
	lk_key_free(h.key);
}

/* Nothing but a signature with the key's own digest comes out. */
static void
test_gives_nothing_away(void **state)
{
	struct holder h;
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = make_remote(&h, LK_KEY_P256);
	LK_CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();
	LK_CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *raw = EVP_PKEY_CTX_new(key, NULL);
	LK_CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ecdh = EVP_PKEY_CTX_new(key, NULL);
	LK_CLEANUP(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
	LK_CLEANUP(BN_freep) BIGNUM *d = NULL;
	OSSL_PARAM *params = NULL;

	(void)state;
	assert_false(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params));
	assert_null(params);
	assert_false(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &d));
	assert_false(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	assert_true(EVP_PKEY_sign_init(raw) <= 0);    /* a bare digest */
	assert_true(EVP_PKEY_derive_init(ecdh) <= 0); /* key agreement */
	assert_true(EVP_DigestSignInit(md, NULL, EVP_sha1(), NULL, key) <= 0);
	assert_true(EVP_DigestSignInit(md, NULL, EVP_sha384(), NULL, key) <= 0);
	assert_int_equal(h.signed_n, 0);
	ERR_clear_error();
	lk_key_free(h.key);
}

static void
test_not_the_certificates(void **state)
{
	struct holder h, other;
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = make_remote(&h, LK_KEY_P256);
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *stranger = make_remote(&other, LK_KEY_P256);
	LK_CLEANUP(X509_freep) X509 *cert = make_cert(key, EVP_sha256());

	(void)state;
	assert_int_equal(X509_check_private_key(cert, key), 1);
	assert_int_not_equal(X509_check_private_key(cert, stranger), 1);
	assert_int_equal(EVP_PKEY_eq(key, lk_key_evp(h.key)), 1);
	assert_int_equal(EVP_PKEY_eq(lk_key_evp(h.key), key), 1);
	assert_int_not_equal(EVP_PKEY_eq(key, stranger), 1);
	ERR_clear_error();
	lk_key_free(h.key);
	lk_key_free(other.key);
}

static void
test_new_refused(void **state)
{
	struct holder h = { 0 };
	struct lk_remote_signer signer = { hold_sign, hold_done, &h };
	struct lk_key *rsa = NULL, *ec = NULL;
	struct lk_err e = { 0 };
	EVP_PKEY *key = NULL;
	struct lk_remote *object = NULL;
	struct lk_slice spki;

	(void)state;
	assert_true(lk_key_ephemeral(LK_KEY_RSA3072, &rsa, &e).ok);
	assert_refused(lk_remote_key_new(lk_key_spki(rsa), &signer, &key, &e), e, LK_R_KEY_TYPE);
	assert_refused(lk_remote_new(lk_key_spki(rsa), &signer, &object, &e), e, LK_R_KEY_TYPE);
	assert_true(lk_key_ephemeral(LK_KEY_P256, &ec, &e).ok);
	spki = lk_key_spki(ec);
	spki.n--;
	assert_refused(lk_remote_key_new(spki, &signer, &key, &e), e, LK_R_CERT_SYNTAX);
	assert_refused(lk_remote_new(spki, &signer, &object, &e), e, LK_R_CERT_SYNTAX);
	assert_null(key);
	assert_null(object);
	assert_int_equal(h.done_n, 0); /* still the caller's */
	lk_key_free(rsa);
	lk_key_free(ec);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uses),
		cmocka_unit_test(test_tls_only),
		cmocka_unit_test(test_holder_refuses),
		cmocka_unit_test(test_gives_nothing_away),
		cmocka_unit_test(test_not_the_certificates),
		cmocka_unit_test(test_new_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
