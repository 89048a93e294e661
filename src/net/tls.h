/* SPDX-License-Identifier: Apache-2.0
 *
 * What the programs want of TLS on top of OpenSSL: the server's context, with
 * everything off that is not needed, and the facts of an established session.
 * Nothing here judges a client's certificate: whoever decides gets the chain.
 */
#pragma once

#include "crypto/policy.h"

struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_st;

enum lk_tls_client_cert {
	LK_TLS_CLIENT_CERT_NONE,     /* not asked for */
	LK_TLS_CLIENT_CERT_OPTIONAL, /* asked for: BRSKI and EST */
	LK_TLS_CLIENT_CERT_REQUIRED  /* the handshake fails without one */
};

struct lk_tls_settings {
	const struct lk_certs *chain; /* the server's own certificate first */
	struct evp_pkey_st *key;      /* may live elsewhere (a provider's key) */
	enum lk_tls_client_cert client_cert;
	bool allow_tls12;
	const struct lk_policy *policy; /* NULL: the default */
};

/* Takes references on chain and key. Caller frees with SSL_CTX_free. LK_R_TLS_SETTINGS. */
LK_RESULT lk_tls_server_new(
	const struct lk_tls_settings *s, struct ssl_ctx_st **ret, struct lk_err *e);

#define LK_TLS_NAME_MAX 48

struct lk_tls_facts {
	char version[LK_TLS_NAME_MAX];       /* "TLSv1.3" */
	char suite[LK_TLS_NAME_MAX];         /* "TLS_AES_128_GCM_SHA256" */
	char group[LK_TLS_NAME_MAX];         /* "secp256r1"; "" when unknown */
	char peer_key[LK_TLS_NAME_MAX];      /* "EC"; "" without a certificate */
	unsigned peer_key_bits;              /* 256 */
	struct lk_slice chain[LK_CERTS_MAX]; /* the peer's certificates, DER, its own first */
	size_t n_chain;
	struct lk_buf der; /* where the chain's bytes are */
};

LK_RESULT lk_tls_facts_read(struct ssl_st *ssl, struct lk_tls_facts *ret, struct lk_err *e);
void lk_tls_facts_done(struct lk_tls_facts *f); /* cleanup function too */

#define LK_TLS_BINDING_MAX 64

/* The channel binding that a proof of possession is linked to (RFC 7030 3.5): tls-unique
 * (RFC 5929) up to TLS 1.2, tls-exporter (RFC 9266) from 1.3. Both sides compute the same.
 * LK_R_TLS_BINDING: a session of TLS 1.2 that somebody in the middle could have made equal to
 * another (RFC 7627). */
LK_RESULT lk_tls_binding(struct ssl_st *ssl, uint8_t ret[static LK_TLS_BINDING_MAX], size_t *ret_n,
	struct lk_err *e);
