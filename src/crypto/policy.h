/* SPDX-License-Identifier: Apache-2.0
 *
 * Which algorithms are used and taken: one table row per policy, chosen by name
 * in the configuration. What negotiates outside it fails; a key or certificate
 * outside it is refused. `latchkey crypto show` prints it.
 */
#pragma once

#include "crypto/x509.h"

struct evp_pkey_st;
struct stack_st_X509;
struct ssl_ctx_st;
struct x509_st;

#define LK_POLICY_KEYS_MAX 4

/* A kind of public key that is taken. */
struct lk_policy_key {
	const char *name;      /* "P-256"; NULL ends the list */
	const char *algorithm; /* as OpenSSL calls it: "EC" */
	const char *group;     /* curve, as OpenSSL calls it; NULL: not EC */
	int bits;              /* at least; 0: given by the algorithm */
};

struct lk_policy {
	const char *name;
	const char *groups;       /* TLS, preferred first; this and the next three in */
	const char *suites_tls13; /* the form that OpenSSL takes */
	const char *suites_tls12; /* ECDHE-ECDSA with AEAD only */
	const char *sigalgs;      /* TLS, at both ends */
	struct lk_policy_key keys[LK_POLICY_KEYS_MAX + 1];
	const char *digests; /* of certificate signatures; Ed25519 brings its own */
};

extern const char *const lk_policy_names[]; /* NULL ends the list; the first is the default */

/* The policy of this process. Chosen by its place in the names, at the start; never changed. */
void lk_policy_choose(unsigned which);
const struct lk_policy *lk_policy_chosen(void);

/* Restricts a context to the policy and to TLS versions from min_version (TLS1_2_VERSION or
 * TLS1_3_VERSION) to 1.3. */
LK_RESULT lk_policy_apply_tls(
	const struct lk_policy *p, struct ssl_ctx_st *ctx, int min_version, struct lk_err *e);

/* Refuse with LK_R_CRYPTO_POLICY: a key of a kind or size that is not taken; a certificate with
 * such a key, or signed over a digest that is not taken; a path, as X509_STORE_CTX_get0_chain()
 * has it, with such a certificate. Nothing rests on the signature of the anchor, the last one:
 * for that one the key is enough. */
LK_RESULT lk_policy_check_key(
	const struct lk_policy *p, const struct evp_pkey_st *key, struct lk_err *e);
LK_RESULT lk_policy_check_cert(const struct lk_policy *p, struct x509_st *cert, struct lk_err *e);
LK_RESULT lk_policy_check_path(
	const struct lk_policy *p, const struct stack_st_X509 *path, struct lk_err *e);
