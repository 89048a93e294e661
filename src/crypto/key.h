/* SPDX-License-Identifier: Apache-2.0
 *
 * Private keys, wherever they live. A key is named by a URI:
 *
 *	file:PATH			PKCS#8 PEM, mode 0600
 *	tpm2:PATH			TSS2 PRIVATE KEY PEM, mode 0600: of use only inside the
 *					TPM that made it
 *	pkcs11:token=…;object=…		RFC 7512, behind it ?pin-source=file:PATH (a PIN never
 *					stands in the URI) and module-path=PATH (else every
 *					module that p11-kit knows)
 *
 * The last two hold P-256 and P-384 keys and never give the private half away;
 * their EVP_PKEY is a crypto/remote_key.h that asks the TPM or token to sign.
 * What they need is loaded on the first use of the scheme, so a process that
 * will be caged opens its keys before; who uses file: keys only loads nothing.
 */
#pragma once

#include "base/slice.h"

struct lk_key; /* opaque, reference counted */

enum lk_key_type {
	LK_KEY_P256, /* the default everywhere */
	LK_KEY_P384,
	LK_KEY_ED25519,
	LK_KEY_RSA3072,
	LK_KEY_TYPE_COUNT
};

enum lk_key_place {
	LK_KEY_IN_FILE,
	LK_KEY_IN_TPM2,
	LK_KEY_IN_PKCS11,
	LK_KEY_IN_MEMORY, /* lk_key_ephemeral()'s; has no URI */
	LK_KEY_PLACE_COUNT
};

#define LK_KEY_URI_MAX 512

const char *lk_key_type_name(enum lk_key_type type); /* "P-256" */
LK_RESULT lk_key_type_by_name(const char *name, enum lk_key_type *ret, struct lk_err *e);
const char *lk_key_place_name(enum lk_key_place place); /* "file" */

/* Which kind of place a URI names, without opening it. LK_R_KEY_URI when none. */
LK_RESULT lk_key_place_of(const char *uri, enum lk_key_place *ret, struct lk_err *e);

/* A URI as it stands in a file of folder dir: a relative path of file: or tpm2: begins there.
 * LK_R_KEY_URI. */
LK_RESULT lk_key_uri_in(const char *dir, const char *uri, char *dst, size_t cap, struct lk_err *e);

/* Makes a key at a place that has none yet (else LK_R_FILE_EXISTS or LK_R_KEY_EXISTS). Durable on
 * return. Caller frees. */
LK_RESULT lk_key_generate(
	const char *uri, enum lk_key_type type, struct lk_key **ret, struct lk_err *e);
/* Opens an existing key (none: LK_R_FILE_MISSING or LK_R_KEY_MISSING). A file that group or others
 * may touch is refused with LK_R_KEY_EXPOSED. Caller frees. */
LK_RESULT lk_key_load(const char *uri, struct lk_key **ret, struct lk_err *e);
/* Destroys the key at its place; none there is no error. A TPM key dies with its file: nothing
 * else holds its sealed private half. */
LK_RESULT lk_key_destroy(const char *uri, struct lk_err *e);
/* A key that lives in this process's memory only. Caller frees. */
LK_RESULT lk_key_ephemeral(enum lk_key_type type, struct lk_key **ret, struct lk_err *e);

struct lk_key *lk_key_ref(struct lk_key *key);
struct lk_key *lk_key_free(struct lk_key *key); /* returns NULL; takes NULL */
LK_DEFINE_CLEANUP(struct lk_key *, lk_key_free);

enum lk_key_type lk_key_type(const struct lk_key *key);
enum lk_key_place lk_key_place(const struct lk_key *key);
struct evp_pkey_st *lk_key_evp(const struct lk_key *key); /* borrowed; for crypto/ and tests */
struct lk_slice lk_key_spki(const struct lk_key *key);    /* DER SubjectPublicKeyInfo; borrowed */

/* DER signature over in, with the digest that belongs to the key's type. Appends to out. */
LK_RESULT lk_key_sign(
	const struct lk_key *key, struct lk_slice in, struct lk_buf *out, struct lk_err *e);
