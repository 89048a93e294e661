/* SPDX-License-Identifier: Apache-2.0
 *
 * The key object, its URIs, and signing with it. Where the private half is,
 * is the business of key_file.c, key_tpm2.c and key_pkcs11.c.
 */
#include "crypto/key.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/key_place.h"

#define SIGNATURE_MAX 512 /* RSA-3072's 384 bytes are the longest */

struct lk_key {
	unsigned refs;
	enum lk_key_type type;
	enum lk_key_place place;
	EVP_PKEY *evp;
	uint8_t *spki; /* by OpenSSL's allocator */
	size_t spki_n;
};

static const struct lk_key_type_info types[LK_KEY_TYPE_COUNT] = {
	[LK_KEY_P256] = { "P-256", "EC", "prime256v1", "SHA2-256", 0 },
	[LK_KEY_P384] = { "P-384", "EC", "secp384r1", "SHA2-384", 0 },
	[LK_KEY_ED25519] = { "Ed25519", "ED25519", NULL, NULL, 0 },
	[LK_KEY_RSA3072] = { "RSA-3072", "RSA", NULL, "SHA2-256", 3072 },
};

static const struct {
	const char *name;                   /* the URI's scheme, too */
	const struct lk_key_place_ops *ops; /* NULL: no URI leads there */
} places[LK_KEY_PLACE_COUNT] = {
	[LK_KEY_IN_FILE] = { "file", &lk_key_place_file },
	[LK_KEY_IN_TPM2] = { "tpm2", &lk_key_place_tpm2 },
	[LK_KEY_IN_PKCS11] = { "pkcs11", &lk_key_place_pkcs11 },
	[LK_KEY_IN_MEMORY] = { "memory", NULL },
};

/* --- types ------------------------------------------------------------------------------------ */

const struct lk_key_type_info *
lk_key_type_info(enum lk_key_type type)
{
	assert(type < LK_KEY_TYPE_COUNT);
	return &types[type];
}

const char *
lk_key_type_name(enum lk_key_type type)
{
	return lk_key_type_info(type)->name;
}

struct lk_result
lk_key_type_by_name(const char *name, enum lk_key_type *ret, struct lk_err *e)
{
	enum lk_key_type t;

	for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
		if (strcmp(types[t].name, name) == 0) {
			*ret = t;
			return LK_OK;
		}
	return lk_fail(e, LK_R_KEY_TYPE, "'%s' is none of P-256, P-384, Ed25519, RSA-3072", name);
}

static struct lk_result
type_of(const EVP_PKEY *evp, enum lk_key_type *ret, struct lk_err *e)
{
	char group[64] = "";
	enum lk_key_type t;

	if (EVP_PKEY_is_a(evp, "EC"))
		LK_OSSL(EVP_PKEY_get_group_name(evp, group, sizeof group, NULL), e, LK_R_KEY_TYPE,
			"the key's curve has no name");
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
		if (EVP_PKEY_is_a(evp, types[t].algorithm) &&
			(!types[t].group || strcmp(types[t].group, group) == 0) &&
			(!types[t].bits || (size_t)EVP_PKEY_get_bits(evp) == types[t].bits)) {
			*ret = t;
			return LK_OK;
		}
	return lk_fail(e, LK_R_KEY_TYPE, "the key is a %d bit %s key%s%s", EVP_PKEY_get_bits(evp),
		EVP_PKEY_get0_type_name(evp), group[0] ? " on " : "", group);
}

/* --- URIs ------------------------------------------------------------------------------------- */

const char *
lk_key_place_name(enum lk_key_place place)
{
	assert(place < LK_KEY_PLACE_COUNT);
	return places[place].name;
}

/* Also yields what stands behind the scheme. */
static struct lk_result
split(const char *uri, enum lk_key_place *ret, const char **ret_where, struct lk_err *e)
{
	enum lk_key_place p;

	LK_REQUIRE(strlen(uri) <= LK_KEY_URI_MAX, e, LK_R_KEY_URI,
		"the key's URI has %zu characters, at most %d are taken", strlen(uri),
		LK_KEY_URI_MAX);
	for (p = 0; p < LK_KEY_PLACE_COUNT; p++) {
		size_t n = strlen(places[p].name);

		if (places[p].ops && strncmp(uri, places[p].name, n) == 0 && uri[n] == ':' &&
			uri[n + 1]) {
			*ret = p;
			*ret_where = uri + n + 1;
			return LK_OK;
		}
	}
	return lk_fail(e, LK_R_KEY_URI, "'%s' is not file:PATH, tpm2:PATH or pkcs11:…", uri);
}

struct lk_result
lk_key_place_of(const char *uri, enum lk_key_place *ret, struct lk_err *e)
{
	const char *where;

	return split(uri, ret, &where, e);
}

struct lk_result
lk_key_uri_in(const char *dir, const char *uri, char *dst, size_t cap, struct lk_err *e)
{
	enum lk_key_place place;
	const char *where;
	int n;

	LK_TRY(split(uri, &place, &where, e));
	if (place == LK_KEY_IN_PKCS11 || where[0] == '/')
		n = snprintf(dst, cap, "%s", uri);
	else
		n = snprintf(dst, cap, "%s:%s/%s", lk_key_place_name(place), dir, where);
	LK_REQUIRE(n > 0 && (size_t)n < cap, e, LK_R_KEY_URI, "the key's URI %s in %s is too long",
		uri, dir);
	return LK_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

/* Takes a reference on evp. */
static struct lk_result
wrap(EVP_PKEY *evp, enum lk_key_place place, struct lk_key **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *k = calloc(1, sizeof *k);
	int n;

	LK_REQUIRE(k, e, LK_R_NOMEM, "no memory for a key");
	k->refs = 1;
	k->place = place;
	LK_TRY(type_of(evp, &k->type, e));
	n = i2d_PUBKEY(evp, &k->spki);
	LK_OSSL(n > 0, e, LK_R_CRYPTO_LIBRARY, "the public key cannot be encoded");
	k->spki_n = (size_t)n;
	LK_OSSL(EVP_PKEY_up_ref(evp), e, LK_R_CRYPTO_LIBRARY, "the key cannot be shared");
	k->evp = evp;
	*ret = LK_TAKE(k);
	return LK_OK;
}

struct lk_result
lk_key_generate(const char *uri, enum lk_key_type type, struct lk_key **ret, struct lk_err *e)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *evp = NULL;
	enum lk_key_place place;
	const char *where;

	LK_TRY(split(uri, &place, &where, e));
	LK_TRY(places[place].ops->generate(where, type, &evp, e));
	return wrap(evp, place, ret, e);
}

struct lk_result
lk_key_load(const char *uri, struct lk_key **ret, struct lk_err *e)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *evp = NULL;
	enum lk_key_place place;
	const char *where;

	LK_TRY(split(uri, &place, &where, e));
	LK_TRY(places[place].ops->load(where, &evp, e));
	return wrap(evp, place, ret, e);
}

struct lk_result
lk_key_destroy(const char *uri, struct lk_err *e)
{
	enum lk_key_place place;
	const char *where;

	LK_TRY(split(uri, &place, &where, e));
	return places[place].ops->destroy(where, e);
}

struct lk_result
lk_key_ephemeral(enum lk_key_type type, struct lk_key **ret, struct lk_err *e)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *evp = NULL;

	LK_TRY(lk_evp_generate(NULL, NULL, type, &evp, e));
	return wrap(evp, LK_KEY_IN_MEMORY, ret, e);
}

struct lk_key *
lk_key_ref(struct lk_key *key)
{
	key->refs++;
	return key;
}

struct lk_key *
lk_key_free(struct lk_key *key)
{
	if (key && --key->refs == 0) {
		EVP_PKEY_free(key->evp);
		OPENSSL_free(key->spki);
		free(key);
	}
	return NULL;
}

/* --- use -------------------------------------------------------------------------------------- */

enum lk_key_type
lk_key_type(const struct lk_key *key)
{
	return key->type;
}

enum lk_key_place
lk_key_place(const struct lk_key *key)
{
	return key->place;
}

EVP_PKEY *
lk_key_evp(const struct lk_key *key)
{
	return key->evp;
}

struct lk_slice
lk_key_spki(const struct lk_key *key)
{
	return lk_slice(key->spki, key->spki_n);
}

struct lk_result
lk_key_sign(const struct lk_key *key, struct lk_slice in, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[SIGNATURE_MAX];
	size_t n = sizeof sig;

	LK_OSSL(ctx &&
			EVP_DigestSignInit_ex(ctx, NULL, types[key->type].digest, NULL, NULL,
				key->evp, NULL) > 0 &&
			EVP_DigestSign(ctx, sig, &n, in.p, in.n) > 0,
		e, LK_R_KEY_STORE, "the %s key in %s does not sign", lk_key_type_name(key->type),
		lk_key_place_name(key->place));
	return lk_buf_append(out, lk_slice(sig, n), e);
}
