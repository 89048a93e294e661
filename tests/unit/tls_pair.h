/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of keys: a self-signed certificate, and a TLS handshake of two
 * contexts over memory.
 */
#pragma once

#include "crypto/ossl.h"
#include "test.h"

/* X509_sign by whatever place the signer's key is in. */
static inline X509 *
make_cert_by(EVP_PKEY *signer, EVP_PKEY *key, const EVP_MD *md)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	const uint8_t *p;
	int n;

	assert_true(X509_set_version(x, X509_VERSION_3));
	assert_true(ASN1_INTEGER_set(X509_get_serialNumber(x), 1));
	assert_true(X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL);
	assert_true(X509_gmtime_adj(X509_getm_notAfter(x), 3600) != NULL);
	assert_true(X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const uint8_t *)"test", -1, -1, 0));
	assert_true(X509_set_issuer_name(x, name));
	assert_true(X509_set_pubkey(x, key));
	assert_true(X509_sign(x, signer, md) > 0);
	/* its public key is the private one until it is decoded */
	n = i2d_X509(x, &der);
	p = der;
	X509_free(x);
	x = d2i_X509(NULL, &p, n);
	assert_non_null(x);
	return x;
}

static inline X509 *
make_cert(EVP_PKEY *key, const EVP_MD *md)
{
	return make_cert_by(key, key, md);
}

static inline int
accept_any_cert(int ok, X509_STORE_CTX *ctx)
{
	(void)ok, (void)ctx;
	return 1;
}

/* A context of one version that asks for the peer's certificate. cert and key: NULL for none. */
static inline SSL_CTX *
make_ctx(const SSL_METHOD *method, int version, X509 *cert, EVP_PKEY *key)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	assert_non_null(ctx);
	assert_true(SSL_CTX_set_min_proto_version(ctx, version));
	assert_true(SSL_CTX_set_max_proto_version(ctx, version));
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_any_cert);
	if (cert) {
		assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
		assert_int_equal(SSL_CTX_check_private_key(ctx), 1);
	}
	return ctx;
}

struct tls_pair {
	SSL *client, *server;
};

/* Drives both ends until each is done or stuck. True when both finished. */
static inline bool
tls_handshake(struct tls_pair *p, SSL_CTX *client, SSL_CTX *server)
{
	BIO *a, *b;
	int i, c = 0, s = 0;

	p->client = SSL_new(client);
	p->server = SSL_new(server);
	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(p->client, a, a);
	SSL_set_bio(p->server, b, b);
	for (i = 0; i < 10 && (c != 1 || s != 1); i++) {
		c = SSL_connect(p->client);
		s = SSL_accept(p->server);
	}
	return c == 1 && s == 1;
}

static inline void
tls_pair_done(struct tls_pair *p)
{
	SSL_free(p->client);
	SSL_free(p->server);
}
