/* SPDX-License-Identifier: Apache-2.0
 *
 * Between key.c and the places a key can live in: one file per place.
 */
#pragma once

#include "crypto/key.h"
#include "crypto/ossl.h"

struct lk_key_type_info {
	const char *name;      /* "P-256" */
	const char *algorithm; /* OpenSSL's name */
	const char *group;     /* curve, as OpenSSL prints it; NULL: not EC */
	const char *digest;    /* NULL: the algorithm has its own */
	size_t bits;           /* RSA modulus; 0: not RSA */
};

const struct lk_key_type_info *lk_key_type_info(enum lk_key_type type);

/* `where` is the URI behind its scheme. A place yields an EVP_PKEY that can sign; whether its
 * private half is in this process is the place's secret. Caller frees it. */
struct lk_key_place_ops {
	struct lk_result (*generate)(
		const char *where, enum lk_key_type type, EVP_PKEY **ret, struct lk_err *e);
	struct lk_result (*load)(const char *where, EVP_PKEY **ret, struct lk_err *e);
	struct lk_result (*destroy)(const char *where, struct lk_err *e);
};

extern const struct lk_key_place_ops lk_key_place_file, lk_key_place_tpm2, lk_key_place_pkcs11;

/* A new key pair, made by the provider that propq selects in lib (NULL: the default ones). */
LK_RESULT lk_evp_generate(OSSL_LIB_CTX *lib, const char *propq, enum lk_key_type type,
	EVP_PKEY **ret, struct lk_err *e);
/* The whole of a file that holds a secret, unless group or others may touch it (LK_R_KEY_EXPOSED).
 * The caller wipes dst. */
LK_RESULT lk_key_read_guarded(
	const char *path, uint8_t *dst, size_t cap, size_t *ret_n, struct lk_err *e);
#define LK_KEY_PEM_MAX 8192 /* an RSA-3072 key takes 2.5 kB */
/* A private key, decoded by lib's providers; `else_say` is the error's message. */
LK_RESULT lk_evp_decode_pem(OSSL_LIB_CTX *lib, const char *propq, struct lk_slice pem,
	const char *else_say, EVP_PKEY **ret, struct lk_err *e);
/* Writes it where nothing is yet; durable on return. */
LK_RESULT lk_evp_write_pem(OSSL_LIB_CTX *lib, const char *propq, const EVP_PKEY *key,
	const char *path, struct lk_err *e);
