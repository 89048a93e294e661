/* SPDX-License-Identifier: Apache-2.0
 *
 * A provider that passes on what the default one has, but for decoders.
 */
#include "crypto/peer_library.h"

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>

#include "crypto/ossl.h"

#define FN(f)        ((void (*)(void))(f))
#define DECODERS_MAX 8

static struct {
	OSSL_PROVIDER *whole; /* the default provider, of the default context */
	OSSL_LIB_CTX *library;
	OSSL_ALGORITHM decoders[DECODERS_MAX + 1];
} kept;

static bool
has_name(const char *names, const char *name)
{
	size_t n = strcspn(names, ":");

	return strlen(name) == n && strncmp(names, name, n) == 0;
}

static bool
is_wanted(const OSSL_ALGORITHM *a)
{
	static const char *const kinds[] = { "EC", "RSA", "ED25519" };
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(kinds); i++)
		if (has_name(a->algorithm_names, kinds[i]))
			return strstr(a->property_definition, "input=der") &&
			       strstr(a->property_definition, "structure=SubjectPublicKeyInfo");
	return false;
}

static const OSSL_ALGORITHM *
query(void *provctx, int operation, int *no_cache)
{
	(void)provctx;
	if (operation == OSSL_OP_DECODER) {
		*no_cache = 0;
		return kept.decoders;
	}
	return OSSL_PROVIDER_query_operation(kept.whole, operation, no_cache);
}

static int
capabilities(void *provctx, const char *capability, OSSL_CALLBACK *tell, void *arg)
{
	(void)provctx;
	return OSSL_PROVIDER_get_capabilities(kept.whole, capability, tell, arg);
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
	void **provctx)
{
	static const OSSL_DISPATCH provider[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, FN(query) },
		{ OSSL_FUNC_PROVIDER_GET_CAPABILITIES, FN(capabilities) },
		{ 0, NULL },
	};

	(void)handle, (void)in;
	*out = provider;
	/* the algorithms' functions are the default provider's, and expect its context */
	*provctx = OSSL_PROVIDER_get0_provider_ctx(kept.whole);
	return 1;
}

static void
pick_decoders(void)
{
	int no_cache;
	const OSSL_ALGORITHM *a =
		OSSL_PROVIDER_query_operation(kept.whole, OSSL_OP_DECODER, &no_cache);
	size_t n = 0;

	for (; a && a->algorithm_names && n < DECODERS_MAX; a++)
		if (is_wanted(a))
			kept.decoders[n++] = *a;
}

struct lk_result
lk_peer_library(OSSL_LIB_CTX **ret, struct lk_err *e)
{
	OSSL_LIB_CTX *library;

	if (!kept.library) {
		kept.whole = OSSL_PROVIDER_load(NULL, "default");
		LK_OSSL(kept.whole, e, LK_R_CRYPTO_LIBRARY, "there is no default provider");
		pick_decoders();
		library = OSSL_LIB_CTX_new();
		if (!library || !OSSL_PROVIDER_add_builtin(library, "peers", provider_init) ||
			!OSSL_PROVIDER_load(library, "peers")) {
			OSSL_LIB_CTX_free(library);
			return lk_fail_ossl(
				e, LK_R_CRYPTO_LIBRARY, "the library for peers cannot be set up");
		}
		kept.library = library;
	}
	*ret = kept.library;
	return LK_OK;
}
