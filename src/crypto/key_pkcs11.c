/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys in a PKCS#11 token (HSM, smart card), named by RFC 7512 URIs. The token
 * makes the key and signs digests with it; sensitive and unextractable from its
 * first moment.
 *
 * The module is called directly: OpenSSL's ways to a token differ between the
 * versions that are supported, and the older one cannot make keys. Sessions do
 * not survive fork().
 */
#include <dlfcn.h>
#include <limits.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/secret.h"
#include "crypto/key_place.h"
#include "crypto/remote_key.h"

#define MODULE_DEFAULT "p11-kit-proxy.so" /* all modules of the machine's configuration */
#define MODULES_MAX    4
#define SLOTS_MAX      64
#define LABEL_MAX      32 /* of a token, blanks after it */
#define PIN_MAX        256
#define POINT_MAX      97
#define DIGEST_MAX     48
#define SIGNATURE_MAX  104

struct curve {
	enum lk_key_type type;
	const char *digest;
	uint8_t spki[26]; /* DER SubjectPublicKeyInfo up to the point */
	size_t spki_n, point_n;
	size_t params, params_n; /* where in it the curve's OID is: CKA_EC_PARAMS */
};

static const struct curve curves[] = {
	{ LK_KEY_P256, "SHA2-256",
		{ 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
			0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42,
			0x00 },
		26, 65, 13, 10 },
	{ LK_KEY_P384, "SHA2-384",
		{ 0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
			0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00 },
		23, 97, 13, 7 },
};

/* The URI, decoded. */
struct place {
	char token[LABEL_MAX + 1];
	char object[128];
	char module[PATH_MAX];
	char pin_source[PATH_MAX];
};

struct held {
	CK_FUNCTION_LIST *p11; /* the module; stays loaded */
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE private_key;
	const struct curve *curve;
};

/* --- the URI ---------------------------------------------------------------------------------- */

static const struct attribute {
	const char *name;
	bool query; /* behind the question mark */
	size_t offset, cap;
} attributes[] = {
#define ATTRIBUTE(name, query, field)                                                           \
	{                                                                                       \
		name, query, offsetof(struct place, field), sizeof((struct place *)NULL)->field \
	}
	ATTRIBUTE("token", false, token),
	ATTRIBUTE("object", false, object),
	ATTRIBUTE("module-path", true, module),
	ATTRIBUTE("pin-source", true, pin_source),
#undef ATTRIBUTE
};

/* RFC 3986 2.1: percent-encoding. */
static struct lk_result
decode(struct lk_slice in, const struct attribute *a, char *dst, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(a->cap - 1);
	size_t i;

	for (i = 0; i < in.n; i++)
		if (in.p[i] != '%') {
			LK_TRY(lk_buf_append(&out, lk_slice(in.p + i, 1), e));
		} else {
			LK_REQUIRE(
				in.n - i > 2, e, LK_R_KEY_URI, "'%s' ends inside a %%XX", a->name);
			LK_TRY(lk_hex_decode(lk_slice(in.p + i + 1, 2), &out, e));
			i += 2;
		}
	return lk_slice_to_str(lk_buf_slice(&out), a->name, dst, a->cap, e);
}

static struct lk_result
parse_attribute(struct lk_slice in, bool query, struct place *place, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(attributes); i++) {
		const struct attribute *a = &attributes[i];
		size_t n = strlen(a->name);
		char *dst = (char *)place + a->offset;

		if (a->query != query || in.n <= n || in.p[n] != '=' ||
			!lk_slice_eq(lk_slice(in.p, n), lk_slice_str(a->name)))
			continue;
		LK_REQUIRE(!*dst, e, LK_R_KEY_URI, "'%s' is there twice", a->name);
		LK_TRY(decode(lk_slice(in.p + n + 1, in.n - n - 1), a, dst, e));
		LK_REQUIRE(*dst, e, LK_R_KEY_URI, "'%s' is empty", a->name);
		return LK_OK;
	}
	/* the value is not repeated: it may be a PIN */
	return lk_fail(e, LK_R_KEY_URI,
		"attribute '%.*s' is none of token, object; module-path, "
		"pin-source behind a '?'",
		(int)strcspn((const char *)in.p, "=;?&"), (const char *)in.p);
}

static struct lk_result
parse(const char *where, struct place *ret, struct lk_err *e)
{
	struct place place = { 0 };
	bool query = false;
	size_t n;

	for (;; where += n + 1) {
		n = strcspn(where, query ? "&" : ";?");
		LK_TRY(parse_attribute(lk_slice(where, n), query, &place, e));
		if (!where[n])
			break;
		query |= where[n] == '?';
	}
	LK_REQUIRE(*place.token && *place.object, e, LK_R_KEY_URI,
		"a pkcs11 URI names token and object");
	if (!*place.module)
		snprintf(place.module, sizeof place.module, "%s", MODULE_DEFAULT);
	*ret = place;
	return LK_OK;
}

/* --- module, token, session ------------------------------------------------------------------- */

/* One that was loaded stays: its threads and locks do not survive an unloading. */
static struct lk_result
module(const char *path, CK_FUNCTION_LIST **ret, struct lk_err *e)
{
	static struct {
		char path[PATH_MAX];
		CK_FUNCTION_LIST *p11;
	} loaded[MODULES_MAX];
	CK_C_GetFunctionList get_list;
	CK_FUNCTION_LIST *p11 = NULL;
	void *lib;
	CK_RV rv;
	size_t i;

	for (i = 0; i < MODULES_MAX && loaded[i].p11; i++)
		if (strcmp(loaded[i].path, path) == 0) {
			*ret = loaded[i].p11;
			return LK_OK;
		}
	LK_REQUIRE(i < MODULES_MAX, e, LK_R_KEY_STORE, "more than %d PKCS#11 modules", MODULES_MAX);
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	LK_REQUIRE(lib, e, LK_R_KEY_STORE, "the PKCS#11 module cannot be loaded: %s", dlerror());
	get_list = (CK_C_GetFunctionList)dlsym(lib, "C_GetFunctionList");
	LK_REQUIRE(get_list && get_list(&p11) == CKR_OK, e, LK_R_KEY_STORE,
		"%s is no PKCS#11 module", path);
	rv = p11->C_Initialize(NULL);
	LK_REQUIRE(rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED, e, LK_R_KEY_STORE,
		"the PKCS#11 module %s does not start (0x%lx)", path, rv);
	snprintf(loaded[i].path, sizeof loaded[i].path, "%s", path);
	loaded[i].p11 = p11;
	*ret = p11;
	return LK_OK;
}

static struct lk_result
find_token(CK_FUNCTION_LIST *p11, const char *label, CK_SLOT_ID *ret, struct lk_err *e)
{
	CK_SLOT_ID slots[SLOTS_MAX], found = 0;
	CK_ULONG i, n = SLOTS_MAX;
	CK_UTF8CHAR padded[LABEL_MAX];
	CK_TOKEN_INFO info;
	unsigned times = 0;

	memset(padded, ' ', sizeof padded);
	memcpy(padded, label, strlen(label));
	LK_REQUIRE(p11->C_GetSlotList(CK_TRUE, slots, &n) == CKR_OK, e, LK_R_KEY_STORE,
		"the PKCS#11 module does not list its tokens");
	for (i = 0; i < n; i++)
		if (p11->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
			lk_slice_eq(LK_SLICE_ARRAY(info.label), LK_SLICE_ARRAY(padded))) {
			found = slots[i];
			times++;
		}
	LK_REQUIRE(times, e, LK_R_KEY_MISSING, "there is no token '%s'", label);
	LK_REQUIRE(times == 1, e, LK_R_KEY_STORE, "%u tokens are called '%s'", times, label);
	*ret = found;
	return LK_OK;
}

static struct lk_result
login(const struct held *h, const struct place *place, struct lk_err *e)
{
	const char *path = place->pin_source;
	uint8_t pin[PIN_MAX];
	size_t n;
	CK_RV rv;

	if (!*path)
		return LK_OK;
	if (strncmp(path, "file:", 5) == 0)
		path += 5;
	LK_TRY(lk_key_read_guarded(path, pin, sizeof pin, &n, e));
	while (n && (pin[n - 1] == '\n' || pin[n - 1] == '\r'))
		n--;
	rv = h->p11->C_Login(h->session, CKU_USER, pin, n);
	lk_wipe(pin, sizeof pin);
	LK_REQUIRE(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN, e, LK_R_KEY_STORE,
		"token '%s' refuses the PIN of %s (0x%lx)", place->token, path, rv);
	return LK_OK;
}

static void
held_free(struct held *h)
{
	if (h->session != CK_INVALID_HANDLE)
		h->p11->C_CloseSession(h->session);
	free(h);
}
LK_DEFINE_CLEANUP(struct held *, held_free);

/* A session of its own for each key: signing is a state of the session. */
static struct lk_result
open_token(const struct place *place, struct held **ret, struct lk_err *e)
{
	LK_CLEANUP(held_freep) struct held *h = calloc(1, sizeof *h);
	CK_SLOT_ID slot;
	CK_RV rv;

	LK_REQUIRE(h, e, LK_R_NOMEM, "no memory for a token's session");
	LK_TRY(module(place->module, &h->p11, e));
	LK_TRY(find_token(h->p11, place->token, &slot, e));
	rv = h->p11->C_OpenSession(
		slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &h->session);
	LK_REQUIRE(rv == CKR_OK, e, LK_R_KEY_STORE, "token '%s' opens no session (0x%lx)",
		place->token, rv);
	LK_TRY(login(h, place, e));
	*ret = LK_TAKE(h);
	return LK_OK;
}

/* --- objects ---------------------------------------------------------------------------------- */

#define ATTR(type, value)                       \
	{                                       \
		(type), &(value), sizeof(value) \
	}

/* CK_INVALID_HANDLE when there is none; two of a name are refused. */
static struct lk_result
find(const struct held *h, CK_OBJECT_CLASS class, struct place *place, CK_OBJECT_HANDLE *ret,
	struct lk_err *e)
{
	CK_ATTRIBUTE template[] = {
		ATTR(CKA_CLASS, class),
		{ CKA_LABEL, place->object, strlen(place->object) },
	};
	CK_OBJECT_HANDLE found[2] = { CK_INVALID_HANDLE };
	CK_ULONG n = 0;
	CK_RV rv;

	rv = h->p11->C_FindObjectsInit(h->session, template, LK_ARRAY_LEN(template));
	if (rv == CKR_OK) {
		rv = h->p11->C_FindObjects(h->session, found, 2, &n);
		h->p11->C_FindObjectsFinal(h->session);
	}
	LK_REQUIRE(rv == CKR_OK, e, LK_R_KEY_STORE, "token '%s' cannot be searched (0x%lx)",
		place->token, rv);
	LK_REQUIRE(n < 2, e, LK_R_KEY_STORE, "token '%s' holds more than one key '%s'",
		place->token, place->object);
	*ret = n ? found[0] : CK_INVALID_HANDLE;
	return LK_OK;
}

/* Reads the public half; finds the curve by it. */
static struct lk_result
read_spki(struct held *h, CK_OBJECT_HANDLE public_key, struct lk_buf *ret_spki, struct lk_err *e)
{
	uint8_t params[16], point[POINT_MAX + 2];
	CK_ATTRIBUTE got[] = { ATTR(CKA_EC_PARAMS, params), ATTR(CKA_EC_POINT, point) };
	const struct curve *c;
	CK_RV rv;

	rv = h->p11->C_GetAttributeValue(h->session, public_key, got, LK_ARRAY_LEN(got));
	LK_REQUIRE(rv == CKR_OK, e, LK_R_KEY_TYPE, "the token's key is not P-256 or P-384 (0x%lx)",
		rv);
	for (c = curves; c < curves + LK_ARRAY_LEN(curves); c++) {
		/* the point comes as an OCTET STRING: tag and length before it */
		if (!lk_slice_eq(lk_slice(params, got[0].ulValueLen),
			    lk_slice(c->spki + c->params, c->params_n)) ||
			got[1].ulValueLen != 2 + c->point_n)
			continue;
		h->curve = c;
		LK_TRY(lk_buf_append(ret_spki, lk_slice(c->spki, c->spki_n), e));
		return lk_buf_append(ret_spki, lk_slice(point + 2, c->point_n), e);
	}
	return lk_fail(e, LK_R_KEY_TYPE, "the token's key is not P-256 or P-384");
}

/* PKCS#11 writes r and s side by side, X.509 and TLS as a SEQUENCE (RFC 3279 2.2.3). */
static struct lk_result
append_der(const uint8_t *rs, size_t n, struct lk_buf *sig, struct lk_err *e)
{
	LK_CLEANUP(ECDSA_SIG_freep) ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(rs, (int)n / 2, NULL), *s = BN_bin2bn(rs + n / 2, (int)n / 2, NULL);
	uint8_t der[SIGNATURE_MAX], *p = der;
	int der_n = -1;

	if (pair && ECDSA_SIG_set0(pair, r, s)) {
		der_n = i2d_ECDSA_SIG(pair, &p);
	} else {
		BN_free(r);
		BN_free(s);
	}
	LK_OSSL(der_n > 0, e, LK_R_CRYPTO_LIBRARY, "a signature cannot be encoded");
	return lk_buf_append(sig, lk_slice(der, (size_t)der_n), e);
}

static struct lk_result
sign(void *ctx, struct lk_slice tbs, struct lk_buf *sig, struct lk_err *e)
{
	struct held *h = ctx;
	CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
	uint8_t digest[DIGEST_MAX], rs[2 * DIGEST_MAX];
	CK_ULONG n = sizeof rs;
	size_t digest_n;
	CK_RV rv;

	LK_OSSL(EVP_Q_digest(NULL, h->curve->digest, NULL, tbs.p, tbs.n, digest, &digest_n), e,
		LK_R_CRYPTO_LIBRARY, "no digest");
	rv = h->p11->C_SignInit(h->session, &ecdsa, h->private_key);
	if (rv == CKR_OK)
		rv = h->p11->C_Sign(h->session, digest, digest_n, rs, &n);
	LK_REQUIRE(rv == CKR_OK, e, LK_R_KEY_STORE, "the token does not sign (0x%lx)", rv);
	LK_REQUIRE(n == h->curve->point_n - 1, e, LK_R_KEY_STORE,
		"the token made a signature of %lu bytes", n);
	return append_der(rs, n, sig, e);
}

static void
done(void *ctx)
{
	held_free(ctx);
}

/* --- the place -------------------------------------------------------------------------------- */

static struct lk_result
load(const char *where, EVP_PKEY **ret, struct lk_err *e)
{
	LK_CLEANUP(held_freep) struct held *h = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf spki = LK_BUF_INIT(sizeof curves->spki + POINT_MAX);
	CK_OBJECT_HANDLE public_key;
	struct place place;

	LK_TRY(parse(where, &place, e));
	LK_TRY(open_token(&place, &h, e));
	LK_TRY(find(h, CKO_PRIVATE_KEY, &place, &h->private_key, e));
	LK_TRY(find(h, CKO_PUBLIC_KEY, &place, &public_key, e));
	LK_REQUIRE(h->private_key != CK_INVALID_HANDLE && public_key != CK_INVALID_HANDLE, e,
		LK_R_KEY_MISSING, "token '%s' shows no key pair '%s'%s", place.token, place.object,
		*place.pin_source ? "" : " without a pin-source");
	LK_TRY(read_spki(h, public_key, &spki, e));
	LK_TRY(lk_remote_key_new(
		lk_buf_slice(&spki), &(struct lk_remote_signer){ sign, done, h }, ret, e));
	LK_TAKE(h);
	return LK_OK;
}

static const struct curve *
curve_of(enum lk_key_type type)
{
	const struct curve *c;

	for (c = curves; c < curves + LK_ARRAY_LEN(curves); c++)
		if (c->type == type)
			return c;
	return NULL;
}

static struct lk_result
generate(const char *where, enum lk_key_type type, EVP_PKEY **ret, struct lk_err *e)
{
	LK_CLEANUP(held_freep) struct held *h = NULL;
	const struct curve *c = curve_of(type);
	CK_MECHANISM pair = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_OBJECT_HANDLE private_key, public_key;
	uint8_t params[sizeof c->spki];
	struct place place;
	CK_RV rv;

	LK_REQUIRE(c, e, LK_R_KEY_TYPE, "a token holds P-256 and P-384 keys here, not %s",
		lk_key_type_name(type));
	memcpy(params, c->spki + c->params, c->params_n);
	LK_TRY(parse(where, &place, e));
	LK_TRY(open_token(&place, &h, e));
	LK_TRY(find(h, CKO_PRIVATE_KEY, &place, &private_key, e));
	LK_TRY(find(h, CKO_PUBLIC_KEY, &place, &public_key, e));
	LK_REQUIRE(private_key == CK_INVALID_HANDLE && public_key == CK_INVALID_HANDLE, e,
		LK_R_KEY_EXISTS, "token '%s' holds a key '%s'", place.token, place.object);

	CK_ATTRIBUTE public_half[] = {
		{ CKA_EC_PARAMS, params, c->params_n },
		{ CKA_LABEL, place.object, strlen(place.object) },
		{ CKA_ID, place.object, strlen(place.object) },
		ATTR(CKA_TOKEN, yes),
		ATTR(CKA_VERIFY, yes),
	};
	/*= SEC-03: the key is made in the module and never leaves it =*/
	CK_ATTRIBUTE private_half[] = {
		{ CKA_LABEL, place.object, strlen(place.object) },
		{ CKA_ID, place.object, strlen(place.object) },
		ATTR(CKA_TOKEN, yes),
		ATTR(CKA_PRIVATE, yes),
		ATTR(CKA_SENSITIVE, yes),
		ATTR(CKA_EXTRACTABLE, no),
		ATTR(CKA_SIGN, yes),
	};
	rv = h->p11->C_GenerateKeyPair(h->session, &pair, public_half, LK_ARRAY_LEN(public_half),
		private_half, LK_ARRAY_LEN(private_half), &public_key, &private_key);
	LK_REQUIRE(rv == CKR_OK, e, LK_R_KEY_STORE, "token '%s' makes no %s key%s (0x%lx)",
		place.token, lk_key_type_name(type),
		*place.pin_source ? "" : " without a pin-source", rv);
	return load(where, ret, e);
}

static struct lk_result
destroy(const char *where, struct lk_err *e)
{
	static const CK_OBJECT_CLASS halves[] = { CKO_PRIVATE_KEY, CKO_PUBLIC_KEY };
	LK_CLEANUP(held_freep) struct held *h = NULL;
	CK_OBJECT_HANDLE object;
	struct place place;
	size_t i;

	LK_TRY(parse(where, &place, e));
	LK_TRY(open_token(&place, &h, e));
	for (i = 0; i < LK_ARRAY_LEN(halves); i++) {
		LK_TRY(find(h, halves[i], &place, &object, e));
		LK_REQUIRE(object == CK_INVALID_HANDLE ||
				   h->p11->C_DestroyObject(h->session, object) == CKR_OK,
			e, LK_R_KEY_STORE, "token '%s' does not destroy '%s'", place.token,
			place.object);
	}
	return LK_OK;
}

const struct lk_key_place_ops lk_key_place_pkcs11 = { generate, load, destroy };
