/* SPDX-License-Identifier: Apache-2.0
 *
 * The provider "latchkey": key management and signatures for EC keys that are
 * elsewhere. How libcrypto comes to use it: EVP_DigestSignInit() first tries to
 * export the key to the default provider's ECDSA, which remote_export() refuses,
 * and then asks the key's own provider.
 */
#include "crypto/remote_key.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "crypto/ossl.h"

#define POINT_MAX     97          /* 04 x y, P-384 */
#define SIGNATURE_MAX 104         /* DER, P-384 */
#define STREAM_MAX    (64 * 1024) /* what is signed piece by piece: CMS attributes */
#define PARAM_SIGNER  "latchkey-signer"

struct curve {
	const char *group;
	int bits, security_bits;
	size_t point_n, signature_max;
	const char *digest[4];    /* each name that OpenSSL has for it; CMS uses the OID */
	uint8_t algorithm_id[12]; /* DER AlgorithmIdentifier, RFC 5758 3.2 */
};

static const struct curve curves[] = {
	{ "prime256v1", 256, 128, 65, 72,
		{ "SHA2-256", "SHA256", "SHA-256", "2.16.840.1.101.3.4.2.1" },
		{ 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2 } },
	{ "secp384r1", 384, 192, 97, 104,
		{ "SHA2-384", "SHA384", "SHA-384", "2.16.840.1.101.3.4.2.2" },
		{ 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3 } },
};

struct lk_remote {
	const struct curve *curve; /* NULL until imported */
	uint8_t point[POINT_MAX];
	struct lk_remote_signer signer; /* sign is NULL: a public key only */
};

struct signing {
	struct lk_remote *key; /* borrowed; libcrypto holds a reference meanwhile */
	struct lk_buf tbs;
};

/* --- key management --------------------------------------------------------------------------- */

static OSSL_FUNC_keymgmt_new_fn remote_new;
static OSSL_FUNC_keymgmt_load_fn remote_load;
static OSSL_FUNC_keymgmt_free_fn remote_free;
static OSSL_FUNC_keymgmt_has_fn remote_has;
static OSSL_FUNC_keymgmt_match_fn remote_match;
static OSSL_FUNC_keymgmt_import_fn remote_import;
static OSSL_FUNC_keymgmt_export_fn remote_export;
static OSSL_FUNC_keymgmt_import_types_fn remote_types;
static OSSL_FUNC_keymgmt_get_params_fn remote_get_params;
static OSSL_FUNC_keymgmt_gettable_params_fn remote_gettable;
static OSSL_FUNC_keymgmt_set_params_fn remote_set_params;
static OSSL_FUNC_keymgmt_settable_params_fn remote_settable;
static OSSL_FUNC_keymgmt_query_operation_name_fn remote_operation;

static void *
remote_new(void *provctx)
{
	(void)provctx;
	return calloc(1, sizeof(struct lk_remote));
}

/* A decoder's reference: the object changes hands. */
static void *
remote_load(const void *reference, size_t n)
{
	struct lk_remote *r;

	if (n != sizeof r)
		return NULL;
	memcpy(&r, reference, sizeof r);
	memset((void *)(uintptr_t)reference, 0, n);
	return r;
}

static void
remote_free(void *key)
{
	struct lk_remote *r = key;

	if (r && r->signer.done)
		r->signer.done(r->signer.ctx);
	free(r);
}

static int
remote_has(const void *key, int selection)
{
	const struct lk_remote *r = key;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) && !r->signer.sign)
		return 0;
	return r->curve != NULL;
}

static int
remote_match(const void *a, const void *b, int selection)
{
	const struct lk_remote *x = a, *y = b;

	if (!x->curve || x->curve != y->curve)
		return 0;
	return !(selection & OSSL_KEYMGMT_SELECT_KEYPAIR) ||
	       lk_slice_eq(lk_slice(x->point, x->curve->point_n),
		       lk_slice(y->point, y->curve->point_n));
}

static const struct curve *
find_curve(const char *group)
{
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(curves); i++)
		if (strcmp(curves[i].group, group) == 0)
			return &curves[i];
	return NULL;
}

static int
remote_import(void *key, int selection, const OSSL_PARAM params[])
{
	struct lk_remote *r = key;
	const OSSL_PARAM *group = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
	const OSSL_PARAM *point = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);
	const struct curve *c;
	const char *name;

	(void)selection;
	if (!group || !point || !OSSL_PARAM_get_utf8_string_ptr(group, &name))
		return 0;
	c = find_curve(name);
	if (!c || point->data_type != OSSL_PARAM_OCTET_STRING || point->data_size != c->point_n ||
		*(const uint8_t *)point->data != POINT_CONVERSION_UNCOMPRESSED)
		return 0;
	memcpy(r->point, point->data, c->point_n);
	r->curve = c;
	return 1;
}

static int
remote_export(void *key, int selection, OSSL_CALLBACK *callback, void *arg)
{
	struct lk_remote *r = key;
	OSSL_PARAM params[3];
	char group[16];

	if (!r->curve || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY))
		return 0;
	snprintf(group, sizeof group, "%s", r->curve->group);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] = OSSL_PARAM_construct_octet_string(
		OSSL_PKEY_PARAM_PUB_KEY, r->point, r->curve->point_n);
	params[2] = OSSL_PARAM_construct_end();
	return callback(params, arg);
}

static const OSSL_PARAM *
remote_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)selection;
	return types;
}

static int
answer_int(OSSL_PARAM params[], const char *name, int value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return !p || OSSL_PARAM_set_int(p, value);
}

static int
answer_text(OSSL_PARAM params[], const char *name, const char *value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return !p || OSSL_PARAM_set_utf8_string(p, value);
}

static int
answer_bytes(OSSL_PARAM params[], const char *name, const void *value, size_t n)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return !p || OSSL_PARAM_set_octet_string(p, value, n);
}

static int
remote_get_params(void *key, OSSL_PARAM params[])
{
	const struct lk_remote *r = key;
	const struct curve *c = r->curve;

	return c && answer_int(params, OSSL_PKEY_PARAM_BITS, c->bits) &&
	       answer_int(params, OSSL_PKEY_PARAM_SECURITY_BITS, c->security_bits) &&
	       answer_int(params, OSSL_PKEY_PARAM_MAX_SIZE, (int)c->signature_max) &&
	       answer_text(params, OSSL_PKEY_PARAM_GROUP_NAME, c->group) && /* or no TLS 1.3 */
	       answer_text(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST, c->digest[0]) &&
	       answer_bytes(params, OSSL_PKEY_PARAM_PUB_KEY, r->point, c->point_n);
}

static const OSSL_PARAM *
remote_gettable(void *provctx)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provctx;
	return gettable;
}

/* Takes the signer, once: the only way for a key to become a private one. */
static int
remote_set_params(void *key, const OSSL_PARAM params[])
{
	struct lk_remote *r = key;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, PARAM_SIGNER);

	if (!p)
		return 1;
	if (r->signer.sign || p->data_type != OSSL_PARAM_OCTET_STRING ||
		p->data_size != sizeof r->signer)
		return 0;
	memcpy(&r->signer, p->data, sizeof r->signer);
	return 1;
}

static const OSSL_PARAM *
remote_settable(void *provctx)
{
	static const OSSL_PARAM settable[] = {
		OSSL_PARAM_octet_string(PARAM_SIGNER, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provctx;
	return settable;
}

static const char *
remote_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

/* --- signatures ------------------------------------------------------------------------------- */

static OSSL_FUNC_signature_newctx_fn signing_new;
static OSSL_FUNC_signature_freectx_fn signing_free;
static OSSL_FUNC_signature_dupctx_fn signing_dup;
static OSSL_FUNC_signature_digest_sign_init_fn signing_init;
static OSSL_FUNC_signature_digest_sign_fn signing_sign;
static OSSL_FUNC_signature_digest_sign_update_fn signing_update;
static OSSL_FUNC_signature_digest_sign_final_fn signing_final;
static OSSL_FUNC_signature_get_ctx_params_fn signing_get_params;
static OSSL_FUNC_signature_gettable_ctx_params_fn signing_gettable;

static void *
signing_new(void *provctx, const char *propq)
{
	struct signing *s = calloc(1, sizeof *s);

	(void)provctx, (void)propq;
	if (s)
		s->tbs = LK_BUF_INIT(STREAM_MAX);
	return s;
}

static void
signing_free(void *ctx)
{
	struct signing *s = ctx;

	lk_buf_done(&s->tbs);
	free(s);
}

/* EVP_DigestSignFinal() signs with a copy, so that more could follow. */
static void *
signing_dup(void *ctx)
{
	const struct signing *from = ctx;
	struct signing *s = signing_new(NULL, NULL);

	if (s && !lk_buf_append(&s->tbs, lk_buf_slice(&from->tbs), NULL).ok) {
		signing_free(s);
		return NULL;
	}
	if (s)
		s->key = from->key;
	return s;
}

/* Any other digest than the key's own is refused: libssl asks this way which ones there are. */
static int
signing_init(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct signing *s = ctx;
	struct lk_remote *r = key;

	size_t i;

	(void)params;
	lk_buf_clear(&s->tbs);
	if (r)
		s->key = r;
	if (!s->key || !s->key->signer.sign)
		return 0;
	if (!digest || !*digest)
		return 1;
	for (i = 0; i < LK_ARRAY_LEN(s->key->curve->digest); i++)
		if (strcasecmp(digest, s->key->curve->digest[i]) == 0)
			return 1;
	return 0;
}

static int
signing_sign(void *ctx, uint8_t *sig, size_t *sig_n, size_t cap, const uint8_t *tbs, size_t n)
{
	struct signing *s = ctx;
	const struct lk_remote_signer *signer = &s->key->signer;
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(SIGNATURE_MAX);
	struct lk_err e = { 0 };

	if (!sig) {
		*sig_n = s->key->curve->signature_max;
		return 1;
	}
	if (!signer->sign(signer->ctx, lk_slice(tbs, n), &out, &e).ok || out.n > cap) {
		ERR_raise_data(ERR_LIB_PROV, ERR_R_OPERATION_FAIL, "%s", e.msg);
		return 0;
	}
	memcpy(sig, out.p, out.n);
	*sig_n = out.n;
	return 1;
}

static int
signing_update(void *ctx, const uint8_t *p, size_t n)
{
	struct signing *s = ctx;

	return lk_buf_append(&s->tbs, lk_slice(p, n), NULL).ok;
}

static int
signing_final(void *ctx, uint8_t *sig, size_t *sig_n, size_t cap)
{
	struct signing *s = ctx;

	return signing_sign(ctx, sig, sig_n, cap, s->tbs.p, s->tbs.n);
}

static int
signing_get_params(void *ctx, OSSL_PARAM params[])
{
	const struct signing *s = ctx;

	return s->key && answer_bytes(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID,
				 s->key->curve->algorithm_id, sizeof s->key->curve->algorithm_id);
}

static const OSSL_PARAM *
signing_gettable(void *ctx, void *provctx)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)ctx, (void)provctx;
	return gettable;
}

/* --- the provider ----------------------------------------------------------------------------- */

#define FN(f) ((void (*)(void))(f))

static const OSSL_DISPATCH keymgmt[] = {
	{ OSSL_FUNC_KEYMGMT_NEW, FN(remote_new) },
	{ OSSL_FUNC_KEYMGMT_LOAD, FN(remote_load) },
	{ OSSL_FUNC_KEYMGMT_FREE, FN(remote_free) },
	{ OSSL_FUNC_KEYMGMT_HAS, FN(remote_has) },
	{ OSSL_FUNC_KEYMGMT_MATCH, FN(remote_match) },
	{ OSSL_FUNC_KEYMGMT_IMPORT, FN(remote_import) },
	{ OSSL_FUNC_KEYMGMT_IMPORT_TYPES, FN(remote_types) },
	{ OSSL_FUNC_KEYMGMT_EXPORT, FN(remote_export) },
	{ OSSL_FUNC_KEYMGMT_EXPORT_TYPES, FN(remote_types) },
	{ OSSL_FUNC_KEYMGMT_GET_PARAMS, FN(remote_get_params) },
	{ OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, FN(remote_gettable) },
	{ OSSL_FUNC_KEYMGMT_SET_PARAMS, FN(remote_set_params) },
	{ OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, FN(remote_settable) },
	{ OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, FN(remote_operation) },
	{ 0, NULL },
};

static const OSSL_DISPATCH signature[] = {
	{ OSSL_FUNC_SIGNATURE_NEWCTX, FN(signing_new) },
	{ OSSL_FUNC_SIGNATURE_FREECTX, FN(signing_free) },
	{ OSSL_FUNC_SIGNATURE_DUPCTX, FN(signing_dup) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, FN(signing_init) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN, FN(signing_sign) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, FN(signing_update) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, FN(signing_final) },
	{ OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, FN(signing_get_params) },
	{ OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, FN(signing_gettable) },
	{ 0, NULL },
};

static OSSL_FUNC_provider_query_operation_fn query;
static OSSL_provider_init_fn provider_init;

const OSSL_ALGORITHM *
lk_remote_query(int operation)
{
	/* libssl knows EC keys by the names id-ecPublicKey and EC */
	static const OSSL_ALGORITHM keys[] = {
		{ "EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=latchkey", keymgmt, NULL },
		{ NULL },
	};
	static const OSSL_ALGORITHM signatures[] = {
		{ "ECDSA", "provider=latchkey", signature, NULL },
		{ NULL },
	};

	return operation == OSSL_OP_KEYMGMT     ? keys
	       : operation == OSSL_OP_SIGNATURE ? signatures
						: NULL;
}

static const OSSL_ALGORITHM *
query(void *provctx, int operation, int *no_cache)
{
	(void)provctx;
	*no_cache = 0;
	return lk_remote_query(operation);
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
	void **provctx)
{
	static const OSSL_DISPATCH provider[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, FN(query) },
		{ 0, NULL },
	};

	(void)handle, (void)in;
	*out = provider;
	*provctx = NULL;
	return 1;
}

/* Made on first use and kept: keys may outlive everything else. The default provider encodes the
 * public half for certificates and requests. */
static struct lk_result
library(OSSL_LIB_CTX **ret, struct lk_err *e)
{
	static OSSL_LIB_CTX *kept;
	OSSL_LIB_CTX *lib;

	if (!kept) {
		lib = OSSL_LIB_CTX_new();
		if (!lib || !OSSL_PROVIDER_add_builtin(lib, "latchkey", provider_init) ||
			!OSSL_PROVIDER_load(lib, "default") ||
			!OSSL_PROVIDER_load(lib, "latchkey")) {
			OSSL_LIB_CTX_free(lib);
			return lk_fail_ossl(e, LK_R_CRYPTO_LIBRARY, "remote keys cannot be set up");
		}
		kept = lib;
	}
	*ret = kept;
	return LK_OK;
}

/* The curve and the public point of a SubjectPublicKeyInfo. */
static struct lk_result
read_spki(struct lk_slice spki, const struct curve **ret_curve, uint8_t point[static POINT_MAX],
	size_t *ret_n, struct lk_err *e)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pub = NULL;
	const uint8_t *p = spki.p;
	char group[64] = "";

	pub = d2i_PUBKEY(NULL, &p, (long)spki.n);
	LK_OSSL(pub && p == spki.p + spki.n, e, LK_R_CERT_SYNTAX,
		"the public key cannot be decoded");
	LK_OSSL(EVP_PKEY_get_group_name(pub, group, sizeof group, NULL) && find_curve(group) &&
			EVP_PKEY_get_octet_string_param(
				pub, OSSL_PKEY_PARAM_PUB_KEY, point, POINT_MAX, ret_n),
		e, LK_R_KEY_TYPE, "a remote key is P-256 or P-384, this is %s",
		EVP_PKEY_get0_type_name(pub));
	*ret_curve = find_curve(group);
	return LK_OK;
}

struct lk_result
lk_remote_new(struct lk_slice spki, const struct lk_remote_signer *signer, struct lk_remote **ret,
	struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct lk_remote *r = remote_new(NULL);
	size_t n;

	LK_REQUIRE(r, e, LK_R_NOMEM, "no memory for a remote key");
	LK_TRY(read_spki(spki, &r->curve, r->point, &n, e));
	r->signer = *signer;
	*ret = LK_TAKE(r);
	return LK_OK;
}

void
lk_remote_free(struct lk_remote *key)
{
	remote_free(key);
}

struct lk_result
lk_remote_key_new(struct lk_slice spki, const struct lk_remote_signer *signer, EVP_PKEY **ret,
	struct lk_err *e)
{
	struct lk_remote_signer copy = *signer;
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	LK_CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	const struct curve *curve;
	uint8_t point[POINT_MAX];
	char group[16];
	size_t point_n;
	OSSL_LIB_CTX *lib;

	LK_TRY(read_spki(spki, &curve, point, &point_n, e));
	snprintf(group, sizeof group, "%s", curve->group);
	LK_TRY(library(&lib, e));
	ctx = EVP_PKEY_CTX_new_from_name(lib, "EC", "provider=latchkey");
	LK_OSSL(ctx && EVP_PKEY_fromdata_init(ctx) > 0 &&
			EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY,
				(OSSL_PARAM[]){ OSSL_PARAM_construct_utf8_string(
							OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
					OSSL_PARAM_construct_octet_string(
						OSSL_PKEY_PARAM_PUB_KEY, point, point_n),
					OSSL_PARAM_construct_end() }) > 0 &&
			EVP_PKEY_set_params(
				key, (OSSL_PARAM[]){ OSSL_PARAM_construct_octet_string(
							     PARAM_SIGNER, &copy, sizeof copy),
					     OSSL_PARAM_construct_end() }),
		e, LK_R_CRYPTO_LIBRARY, "the remote key cannot be made");
	*ret = LK_TAKE(key);
	return LK_OK;
}
