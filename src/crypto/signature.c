/* SPDX-License-Identifier: Apache-2.0
 *
 * Public keys and signature algorithms by their DER, compared as bytes: each of
 * them has exactly one encoding.
 */
#include "crypto/signature.h"

#include "crypto/ossl.h"

static const struct {
	struct lk_slice algorithm; /* AlgorithmIdentifier of the signature */
	struct lk_slice head; /* SubjectPublicKeyInfo up to the key's bits; RSA: up to its length */
	size_t spki_n;        /* octets of the whole; RSA: of a 3072 bit key with e = 65537 */
	const char *digest;   /* NULL: the algorithm has its own */
	const char *group;    /* NULL: not EC */
} types[LK_KEY_TYPE_COUNT] = {
	/* ecdsa-with-SHA256; id-ecPublicKey, secp256r1 */
	[LK_KEY_P256] = { LK_SLICE_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"),
		LK_SLICE_LIT("\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86"
			     "\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04"),
		91, "SHA2-256", "P-256" },
	/* ecdsa-with-SHA384; id-ecPublicKey, secp384r1 */
	[LK_KEY_P384] = { LK_SLICE_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"),
		LK_SLICE_LIT("\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81"
			     "\x04\x00\x22\x03\x62\x00\x04"),
		120, "SHA2-384", "P-384" },
	/* id-Ed25519, both */
	[LK_KEY_ED25519] = { LK_SLICE_LIT("\x30\x05\x06\x03\x2b\x65\x70"),
		LK_SLICE_LIT("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"), 44, NULL, NULL },
	/* sha256WithRSAEncryption; rsaEncryption, modulus of 3072 bits */
	[LK_KEY_RSA3072] = { LK_SLICE_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05"
					  "\x00"),
		LK_SLICE_LIT("\x30\x82\x01\xa2\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
			     "\x05\x00\x03\x82\x01\x8f\x00\x30\x82\x01\x8a\x02\x82\x01\x81\x00"),
		422, "SHA2-256", NULL },
};

struct lk_slice
lk_signature_algorithm(enum lk_key_type type)
{
	return types[type].algorithm;
}

struct lk_result
lk_spki_type(struct lk_slice spki, enum lk_key_type *ret, struct lk_err *e)
{
	enum lk_key_type t;

	for (t = 0; t < LK_KEY_TYPE_COUNT; t++) {
		struct lk_slice head = types[t].head;

		if (spki.n == types[t].spki_n && lk_slice_eq(lk_slice(spki.p, head.n), head)) {
			*ret = t;
			return LK_OK;
		}
	}
	return lk_fail(e, LK_R_CRYPTO_POLICY,
		"the public key is none of P-256, P-384, Ed25519, RSA-3072 in its usual form");
}

/* A key with a curve and nothing else, made once for the process: the mould of peers' keys. */
static const EVP_PKEY *
mould(enum lk_key_type type)
{
	static EVP_PKEY *made[LK_KEY_TYPE_COUNT];

	if (!made[type]) {
		LK_CLEANUP(EVP_PKEY_CTX_freep)
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

		if (!ctx || EVP_PKEY_paramgen_init(ctx) <= 0 ||
			EVP_PKEY_CTX_set_group_name(ctx, types[type].group) <= 0 ||
			EVP_PKEY_paramgen(ctx, &made[type]) <= 0)
			return NULL;
	}
	return made[type];
}

/* NULL: no such key, the reason is in OpenSSL's queue. Whether a point is on its curve, is checked
 * on the way. Caller frees. */
static EVP_PKEY *
public_key(enum lk_key_type type, struct lk_slice spki)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	const EVP_PKEY *curve;
	const uint8_t *p = spki.p;

	if (!types[type].group)
		return d2i_PUBKEY(NULL, &p, (long)spki.n);
	key = EVP_PKEY_new();
	curve = mould(type);
	/* The point's first octet, 4 for "uncompressed", is the last one of the head. */
	if (!key || !curve || EVP_PKEY_copy_parameters(key, curve) <= 0 ||
		EVP_PKEY_set1_encoded_public_key(
			key, spki.p + types[type].head.n - 1, spki.n - types[type].head.n + 1) <= 0)
		return NULL;
	return LK_TAKE(key);
}

/* The algorithm's digest belongs to some type of the key's own family: a P-384 key may sign with
 * SHA-256, as OpenSSL's tools let it. */
static struct lk_result
digest_of(struct lk_slice algorithm, enum lk_key_type key, const char **ret, struct lk_err *e)
{
	enum lk_key_type t;

	for (t = 0; t < LK_KEY_TYPE_COUNT; t++)
		if (lk_slice_eq(algorithm, types[t].algorithm))
			break;
	LK_REQUIRE(t < LK_KEY_TYPE_COUNT && (t == key || (types[t].group && types[key].group)), e,
		LK_R_CRYPTO_POLICY, "the signature's algorithm is not one for a %s key",
		lk_key_type_name(key));
	*ret = types[t].digest;
	return LK_OK;
}

struct lk_result
lk_spki_verify(struct lk_slice spki, struct lk_slice algorithm, struct lk_slice in,
	struct lk_slice signature, enum lk_reason reason, struct lk_err *e)
{
	LK_CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	enum lk_key_type type;
	const char *digest;

	LK_TRY(lk_spki_type(spki, &type, e));
	LK_TRY(digest_of(algorithm, type, &digest, e));
	key = public_key(type, spki);
	LK_OSSL(key, e, reason, "this is no public %s key", lk_key_type_name(type));
	LK_OSSL(ctx && EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL) > 0, e,
		LK_R_CRYPTO_LIBRARY, "a signature cannot be verified");
	LK_OSSL(EVP_DigestVerify(ctx, signature.p, signature.n, in.p, in.n) == 1, e, reason,
		"the signature does not verify");
	return LK_OK;
}
