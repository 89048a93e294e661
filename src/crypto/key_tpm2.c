/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys in a TPM 2.0, by the tpm2-openssl provider. The file holds what the TPM
 * sealed for itself (TSS2 PRIVATE KEY): the TPM makes the key, and no other TPM
 * and nobody without this one can use it.
 *
 * The provider lives in a library context of its own, because it also brings
 * digests and randomness from the TPM, which nothing here wants: the digest is
 * made here, the TPM only signs it.
 */
#include <openssl/provider.h>
#include <stdlib.h>

#include "base/file.h"
#include "crypto/key_place.h"
#include "crypto/remote_key.h"

#define DIGEST_MAX    48
#define SIGNATURE_MAX 104 /* DER, P-384 */
#define TPM_ONLY      "provider=tpm2"

struct sealed {
	uint8_t pem[LK_KEY_PEM_MAX]; /* of no use but to this TPM */
	size_t n;
	EVP_PKEY *loaded; /* NULL: it is not in the TPM now */
};

/* Kept once it is there; a TPM that is away is looked for again. */
static struct lk_result
library(OSSL_LIB_CTX **ret, struct lk_err *e)
{
	static OSSL_LIB_CTX *kept;
	OSSL_LIB_CTX *lib;

	if (!kept) {
		lib = OSSL_LIB_CTX_new();
		if (!lib || !OSSL_PROVIDER_load(lib, "default") ||
			!OSSL_PROVIDER_load(lib, "tpm2")) {
			OSSL_LIB_CTX_free(lib);
			return lk_fail_ossl(e, LK_R_KEY_STORE,
				"there is no TPM, or no tpm2-openssl to reach it");
		}
		kept = lib;
	}
	*ret = kept;
	return LK_OK;
}

/* A TPM need not hold more than three objects at a time, and loading one takes two: so one key is
 * in it, the one that signed last, and leaves when another is wanted. */
static struct sealed *resident;

static void
make_room(void)
{
	if (!resident)
		return;
	EVP_PKEY_free(resident->loaded);
	resident->loaded = NULL;
	resident = NULL;
}

static struct lk_result
enter(struct sealed *s, struct lk_err *e)
{
	OSSL_LIB_CTX *lib;

	if (resident == s)
		return LK_OK;
	make_room();
	LK_TRY(library(&lib, e));
	LK_TRY(lk_evp_decode_pem(lib, "?" TPM_ONLY, lk_slice(s->pem, s->n),
		"the TPM does not load the key", &s->loaded, e));
	resident = s;
	return LK_OK;
}

static struct lk_result
sign(void *ctx, struct lk_slice tbs, struct lk_buf *sig, struct lk_err *e)
{
	struct sealed *s = ctx;
	LK_CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *signing = NULL;
	uint8_t digest[DIGEST_MAX], out[SIGNATURE_MAX];
	size_t digest_n, n = sizeof out;
	OSSL_LIB_CTX *lib;
	bool p384;

	LK_TRY(library(&lib, e));
	LK_TRY(enter(s, e));
	p384 = EVP_PKEY_get_bits(s->loaded) == 384;
	signing = EVP_PKEY_CTX_new_from_pkey(lib, s->loaded, TPM_ONLY);
	LK_OSSL(EVP_Q_digest(NULL, p384 ? "SHA2-384" : "SHA2-256", NULL, tbs.p, tbs.n, digest,
			&digest_n) &&
			signing && EVP_PKEY_sign_init(signing) > 0 &&
			EVP_PKEY_CTX_set_signature_md(signing, p384 ? EVP_sha384() : EVP_sha256()) >
				0 &&
			EVP_PKEY_sign(signing, out, &n, digest, digest_n) > 0,
		e, LK_R_KEY_STORE, "the TPM does not sign");
	return lk_buf_append(sig, lk_slice(out, n), e);
}

static void
sealed_free(struct sealed *s)
{
	if (resident == s)
		make_room();
	free(s);
}
LK_DEFINE_CLEANUP(struct sealed *, sealed_free);

static void
done(void *ctx)
{
	sealed_free(ctx);
}

static struct lk_result
load(const char *where, EVP_PKEY **ret, struct lk_err *e)
{
	LK_CLEANUP(sealed_freep) struct sealed *s = calloc(1, sizeof *s);
	LK_CLEANUP(lk_openssl_freep) uint8_t *spki = NULL;
	struct lk_remote_signer signer = { sign, done, s };
	const OSSL_PROVIDER *by;
	int n;

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for a key");
	LK_TRY(lk_key_read_guarded(where, s->pem, sizeof s->pem, &s->n, e));
	LK_TRY(enter(s, e));
	by = EVP_PKEY_get0_provider(s->loaded);
	LK_REQUIRE(by && strcmp(OSSL_PROVIDER_get0_name(by), "tpm2") == 0, e, LK_R_KEY_STORE,
		"%s is a private key in the clear, not one of a TPM", where);
	n = i2d_PUBKEY(s->loaded, &spki);
	LK_OSSL(n > 0, e, LK_R_KEY_STORE, "the TPM key's public half cannot be encoded");
	LK_TRY(lk_remote_key_new(lk_slice(spki, (size_t)n), &signer, ret, e));
	LK_TAKE(s);
	return LK_OK;
}

static struct lk_result
generate(const char *where, enum lk_key_type type, EVP_PKEY **ret, struct lk_err *e)
{
	EVP_PKEY *made = NULL;
	struct lk_result r;
	OSSL_LIB_CTX *lib;

	LK_REQUIRE(type == LK_KEY_P256 || type == LK_KEY_P384, e, LK_R_KEY_TYPE,
		"a TPM holds P-256 and P-384 keys here, not %s", lk_key_type_name(type));
	LK_TRY(library(&lib, e));
	make_room();
	/*= SEC-03: the key is made in the module and never leaves it =*/
	LK_TRY(lk_evp_generate(lib, TPM_ONLY, type, &made, e));
	r = lk_evp_write_pem(lib, TPM_ONLY, made, where, e);
	EVP_PKEY_free(made); /* out of the TPM */
	LK_TRY(r);
	return load(where, ret, e);
}

const struct lk_key_place_ops lk_key_place_tpm2 = { generate, load, lk_file_remove };
