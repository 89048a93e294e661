/* SPDX-License-Identifier: Apache-2.0
 *
 * What every private key must be good for, wherever it lives: signing bytes,
 * certificates, requests and CMS, and TLS of both versions at both ends.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "crypto/key.h"
#include "tls_pair.h"

static inline const EVP_MD *
digest_of(const struct lk_key *k)
{
	switch (lk_key_type(k)) {
	case LK_KEY_P256:
	case LK_KEY_RSA3072:
		return EVP_sha256();
	case LK_KEY_P384:
		return EVP_sha384();
	case LK_KEY_ED25519:
	case LK_KEY_TYPE_COUNT:
		break;
	}
	return NULL;
}

/* lk_key_sign(), verified with nothing but the public key. */
static inline void
use_for_bytes(const struct lk_key *k)
{
	static const char tbs[] = "bytes to be signed";
	LK_CLEANUP(lk_buf_done) struct lk_buf sig = LK_BUF_INIT(1024);
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pub = NULL;
	LK_CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct lk_slice spki = lk_key_spki(k);
	struct lk_err e = { 0 };
	const uint8_t *p = spki.p;

	pub = d2i_PUBKEY(NULL, &p, (long)spki.n);
	assert_non_null(pub);
	assert_ptr_equal(p, spki.p + spki.n);
	assert_true(lk_key_sign(k, LK_SLICE_LIT("bytes to be signed"), &sig, &e).ok);
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, digest_of(k), NULL, pub), 1);
	assert_int_equal(
		EVP_DigestVerify(ctx, sig.p, sig.n, (const uint8_t *)tbs, sizeof tbs - 1), 1);
}

static inline void
use_for_request(const struct lk_key *k)
{
	LK_CLEANUP(X509_REQ_freep) X509_REQ *req = X509_REQ_new();
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pub = NULL;

	assert_true(X509_REQ_set_pubkey(req, lk_key_evp(k)));
	assert_true(X509_REQ_sign(req, lk_key_evp(k), digest_of(k)) > 0);
	pub = X509_REQ_get_pubkey(req);
	assert_int_equal(X509_REQ_verify(req, pub), 1);
}

static inline void
use_for_cms(const struct lk_key *k, X509 *cert)
{
	LK_CLEANUP(BIO_free_allp) BIO *in = BIO_new_mem_buf("content", 7);
	LK_CLEANUP(CMS_ContentInfo_freep)
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, in, CMS_PARTIAL | CMS_BINARY);

	assert_non_null(cms);
	assert_non_null(CMS_add1_signer(cms, cert, lk_key_evp(k), digest_of(k), CMS_BINARY));
	assert_int_equal(CMS_final(cms, in, NULL, CMS_BINARY), 1);
	assert_int_equal(
		CMS_verify(cms, NULL, NULL, NULL, NULL, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY), 1);
}

static inline void
use_for_tls(const struct lk_key *k, X509 *cert, int version, bool as_server)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *other_key = EVP_EC_gen("P-256");
	LK_CLEANUP(X509_freep) X509 *other = make_cert(other_key, EVP_sha256());
	X509 *server_cert = as_server ? cert : other, *client_cert = as_server ? other : cert;
	LK_CLEANUP(SSL_CTX_freep)
	SSL_CTX *server = make_ctx(
		TLS_server_method(), version, server_cert, as_server ? lk_key_evp(k) : other_key);
	LK_CLEANUP(SSL_CTX_freep)
	SSL_CTX *client = make_ctx(
		TLS_client_method(), version, client_cert, as_server ? other_key : lk_key_evp(k));
	struct tls_pair p;

	assert_true(tls_handshake(&p, client, server));
	assert_int_equal(X509_cmp(SSL_get0_peer_certificate(p.server), client_cert), 0);
	assert_int_equal(X509_cmp(SSL_get0_peer_certificate(p.client), server_cert), 0);
	tls_pair_done(&p);
}

static inline void
use_key(const struct lk_key *k)
{
	LK_CLEANUP(X509_freep) X509 *cert = make_cert(lk_key_evp(k), digest_of(k));
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pub = X509_get_pubkey(cert);

	assert_int_equal(X509_verify(cert, pub), 1);
	use_for_bytes(k);
	use_for_request(k);
	if (digest_of(k)) /* CMS with Ed25519 (RFC 8419) is beyond OpenSSL 3.0 */
		use_for_cms(k, cert);
	use_for_tls(k, cert, TLS1_3_VERSION, true);
	use_for_tls(k, cert, TLS1_3_VERSION, false);
	use_for_tls(k, cert, TLS1_2_VERSION, true);
	use_for_tls(k, cert, TLS1_2_VERSION, false);
}
