/* SPDX-License-Identifier: Apache-2.0
 *
 * What every private key must be good for, wherever it lives: signing bytes,
 * certificates, requests and CMS, and TLS of both versions at both ends.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>
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

/* The public key alone, as whoever verifies has it. */
static inline EVP_PKEY *
public_key(struct lk_slice spki)
{
	const uint8_t *p = spki.p;
	EVP_PKEY *pub = d2i_PUBKEY(NULL, &p, (long)spki.n);

	assert_non_null(pub);
	assert_ptr_equal(p, spki.p + spki.n);
	return pub;
}

static inline void
use_for_request(EVP_PKEY *key, EVP_PKEY *pub, const EVP_MD *md)
{
	LK_CLEANUP(X509_REQ_freep) X509_REQ *req = X509_REQ_new();

	assert_true(X509_REQ_set_version(req, X509_REQ_VERSION_1));
	assert_true(X509_REQ_set_pubkey(req, key));
	assert_true(X509_REQ_sign(req, key, md) > 0);
	assert_int_equal(X509_REQ_verify(req, pub), 1);
}

static inline void
use_for_cms(EVP_PKEY *key, const EVP_MD *md, X509 *cert)
{
	LK_CLEANUP(BIO_free_allp) BIO *in = BIO_new_mem_buf("content", 7);
	LK_CLEANUP(CMS_ContentInfo_freep) CMS_ContentInfo *made = NULL;
	LK_CLEANUP(CMS_ContentInfo_freep) CMS_ContentInfo *read = NULL;
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	const uint8_t *p;
	int n;

	made = CMS_sign(NULL, NULL, NULL, in, CMS_PARTIAL | CMS_BINARY);
	assert_non_null(made);
	assert_non_null(CMS_add1_signer(made, cert, key, md, CMS_BINARY));
	assert_int_equal(CMS_final(made, in, NULL, CMS_BINARY), 1);
	n = i2d_CMS_ContentInfo(made, &der);
	p = der;
	read = d2i_CMS_ContentInfo(NULL, &p, n);
	assert_non_null(read);
	assert_int_equal(CMS_verify(read, NULL, NULL, NULL, NULL, CMS_NO_SIGNER_CERT_VERIFY), 1);
}

/* At one end of a handshake in which both ends authenticate. */
static inline void
use_for_tls(EVP_PKEY *key, X509 *cert, int version, bool as_server)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *peer_key = EVP_EC_gen("P-256");
	LK_CLEANUP(X509_freep) X509 *peer_cert = make_cert(peer_key, EVP_sha256());
	SSL_CTX *server = NULL, *client = NULL;
	struct tls_pair p;

	if (as_server) {
		server = make_ctx(TLS_server_method(), version, cert, key);
		client = make_ctx(TLS_client_method(), version, peer_cert, peer_key);
	} else {
		server = make_ctx(TLS_server_method(), version, peer_cert, peer_key);
		client = make_ctx(TLS_client_method(), version, cert, key);
	}
	assert_true(tls_handshake(&p, client, server));
	assert_int_equal(
		X509_cmp(SSL_get0_peer_certificate(as_server ? p.client : p.server), cert), 0);
	assert_int_equal(
		X509_cmp(SSL_get0_peer_certificate(as_server ? p.server : p.client), peer_cert), 0);
	tls_pair_done(&p);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
}

static inline void
use_evp(EVP_PKEY *key, struct lk_slice spki, const EVP_MD *md)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pub = public_key(spki);
	LK_CLEANUP(X509_freep) X509 *cert = make_cert(key, md);

	assert_int_equal(X509_verify(cert, pub), 1);
	use_for_request(key, pub, md);
	if (md) /* CMS with Ed25519 (RFC 8419) is beyond OpenSSL 3.0 */
		use_for_cms(key, md, cert);
	use_for_tls(key, cert, TLS1_3_VERSION, true);
	use_for_tls(key, cert, TLS1_3_VERSION, false);
	use_for_tls(key, cert, TLS1_2_VERSION, true);
	use_for_tls(key, cert, TLS1_2_VERSION, false);
}

static inline void
use_key(const struct lk_key *k)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pub = public_key(lk_key_spki(k));
	LK_CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	LK_CLEANUP(lk_buf_done) struct lk_buf sig = LK_BUF_INIT(1024);
	struct lk_slice tbs = LK_SLICE_LIT("bytes to be signed");
	struct lk_err e = { 0 };

	assert_true(lk_key_sign(k, tbs, &sig, &e).ok);
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, digest_of(k), NULL, pub), 1);
	assert_int_equal(EVP_DigestVerify(ctx, sig.p, sig.n, tbs.p, tbs.n), 1);
	use_evp(lk_key_evp(k), lk_key_spki(k), digest_of(k));
}
