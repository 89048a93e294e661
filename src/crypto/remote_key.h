/* SPDX-License-Identifier: Apache-2.0
 *
 * A private key that is not here: an EVP_PKEY that knows its public half and
 * whom to ask for a signature. TLS servers and clients use it without holding a
 * key, and TPMs and tokens are used through it, so that OpenSSL sees one kind of
 * foreign key, whatever is behind it.
 *
 * It is an OpenSSL provider built into the program, alone with the default
 * provider in a library context of its own: no other use of OpenSSL can meet it
 * by accident. It signs; it never exports, decrypts or derives, nor verifies (a
 * public key parsed from the certificate does). P-256 and P-384.
 *
 * The process that has the key decides by crypto/tls_tbs.h what it signs.
 */
#pragma once

#include "base/slice.h"

struct evp_pkey_st;

struct lk_remote_signer {
	/* Appends the DER signature over tbs, made with the digest of the key's type: SHA-256
	 * for P-256, SHA-384 for P-384. Called from inside OpenSSL; must not call back. */
	struct lk_result (*sign)(
		void *ctx, struct lk_slice tbs, struct lk_buf *sig, struct lk_err *e);
	void (*done)(void *ctx); /* called once, after the key's last use; may be NULL */
	void *ctx;
};

/* For a provider that another program loads (agent/module.c): the same algorithms, and the key
 * object that its decoder hands to them by reference. */
struct ossl_algorithm_st;
struct lk_remote; /* opaque */
const struct ossl_algorithm_st *lk_remote_query(int operation);
/* On failure the signer stays the caller's. Caller frees. */
LK_RESULT lk_remote_new(struct lk_slice spki, const struct lk_remote_signer *signer,
	struct lk_remote **ret, struct lk_err *e);
void lk_remote_free(struct lk_remote *key);

/* The key whose SubjectPublicKeyInfo (DER) this is. Good for SSL_CTX_use_PrivateKey() at both ends
 * of TLS 1.2 and 1.3, X509_sign(), CMS_sign() and their like, in any library context whose
 * property query does not exclude "provider=latchkey". On failure the signer stays the caller's.
 * Caller frees with EVP_PKEY_free(). */
LK_RESULT lk_remote_key_new(struct lk_slice spki, const struct lk_remote_signer *signer,
	struct evp_pkey_st **ret, struct lk_err *e);
