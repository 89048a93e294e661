/* SPDX-License-Identifier: Apache-2.0
 *
 * An OpenSSL provider module for other programs on the device: loads a key
 * reference (agent/key_reference.h) where a private key file is expected; each
 * signature is asked of the agent over its key socket (agent/key_socket.h). It
 * signs TLS 1.3 handshakes and nothing else, because the agent does.
 */
#include <errno.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/key_reference.h"
#include "crypto/remote_key.h"

#define ANSWER_SECONDS 5 /* a TPM takes a fraction of one */
#define SIGNATURE_MAX  256

static OSSL_FUNC_BIO_read_ex_fn *core_read;

/*= G-11: another program authenticates with the device's key and never holds it =*/

/* --- the socket ------------------------------------------------------------------------------- */

static bool
exchange_all(int fd, void *p, size_t n, bool writing)
{
	uint8_t *at = p;

	while (n) {
		ssize_t done = writing ? send(fd, at, n, MSG_NOSIGNAL) : recv(fd, at, n, 0);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		at += done;
		n -= (size_t)done;
	}
	return true;
}

static uint32_t
length_of(const uint8_t head[4])
{
	return (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
}

static struct lk_result
ask(void *ctx, struct lk_slice tbs, struct lk_buf *sig, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	uint8_t head[4] = { (uint8_t)(tbs.n >> 24), (uint8_t)(tbs.n >> 16), (uint8_t)(tbs.n >> 8),
		(uint8_t)tbs.n };
	uint8_t answer[SIGNATURE_MAX];
	uint32_t n;

	LK_TRY(lk_slice_to_str(lk_slice_str(ctx), "path", sa.sun_path, sizeof sa.sun_path, e));
	LK_REQUIRE(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
			   connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0 &&
			   exchange_all(fd, head, sizeof head, true) &&
			   exchange_all(fd, (void *)(uintptr_t)tbs.p, tbs.n, true) &&
			   exchange_all(fd, head, sizeof head, false),
		e, LK_R_KEY_STORE, "the agent does not answer on %s", sa.sun_path);
	n = length_of(head);
	LK_REQUIRE(n > 0 && n <= sizeof answer && exchange_all(fd, answer, n, false), e,
		LK_R_KEY_STORE, "the agent refuses to sign this");
	return lk_buf_append(sig, lk_slice(answer, n), e);
}

/* --- the decoder ------------------------------------------------------------------------------ */

static OSSL_FUNC_decoder_newctx_fn decoder_new;
static OSSL_FUNC_decoder_freectx_fn decoder_free;
static OSSL_FUNC_decoder_does_selection_fn decoder_selects;
static OSSL_FUNC_decoder_decode_fn decode;

static void *
decoder_new(void *provctx)
{
	return provctx;
}

static void
decoder_free(void *ctx)
{
	(void)ctx;
}

static int
decoder_selects(void *provctx, int selection)
{
	(void)provctx;
	return selection == 0 || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY);
}

static struct lk_remote *
read_reference(OSSL_CORE_BIO *in)
{
	uint8_t der[LK_KEY_REFERENCE_MAX];
	struct lk_key_reference ref;
	struct lk_remote_signer signer = { ask, free, NULL };
	struct lk_remote *key = NULL;
	size_t n = 0, got;

	while (n < sizeof der && core_read(in, der + n, sizeof der - n, &got) && got > 0)
		n += got;
	if (!lk_key_reference_parse(lk_slice(der, n), &ref, NULL).ok)
		return NULL;
	signer.ctx = strdup(ref.socket);
	if (!signer.ctx || !lk_remote_new(lk_slice(ref.spki, ref.spki_n), &signer, &key, NULL).ok)
		free(signer.ctx);
	return key;
}

/* What is not ours is left to other decoders: that is success without an object. */
static int
decode(void *ctx, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *object, void *object_arg,
	OSSL_PASSPHRASE_CALLBACK *passphrase, void *passphrase_arg)
{
	struct lk_remote *key = read_reference(in);
	int type = OSSL_OBJECT_PKEY;
	char name[] = "EC";
	OSSL_PARAM params[4];
	int ok;

	(void)ctx, (void)selection, (void)passphrase, (void)passphrase_arg;
	if (!key)
		return 1;
	params[0] = OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type);
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, name, 0);
	params[2] =
		OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &key, sizeof key);
	params[3] = OSSL_PARAM_construct_end();
	ok = object(params, object_arg);
	if (key) /* whoever took it has cleared the reference */
		lk_remote_free(key);
	return ok;
}

/* --- the provider ----------------------------------------------------------------------------- */

#define FN(f) ((void (*)(void))(f))

static const OSSL_DISPATCH decoder[] = {
	{ OSSL_FUNC_DECODER_NEWCTX, FN(decoder_new) },
	{ OSSL_FUNC_DECODER_FREECTX, FN(decoder_free) },
	{ OSSL_FUNC_DECODER_DOES_SELECTION, FN(decoder_selects) },
	{ OSSL_FUNC_DECODER_DECODE, FN(decode) },
	{ 0, NULL },
};

static OSSL_FUNC_provider_query_operation_fn query;

static const OSSL_ALGORITHM *
query(void *provctx, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM decoders[] = {
		{ "EC:id-ecPublicKey:1.2.840.10045.2.1",
			"provider=latchkey,input=der,structure=type-specific", decoder, NULL },
		{ NULL },
	};

	(void)provctx;
	*no_cache = 0;
	return operation == OSSL_OP_DECODER ? decoders : lk_remote_query(operation);
}

__attribute__((visibility("default"))) OSSL_provider_init_fn OSSL_provider_init;

int
OSSL_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
	const OSSL_DISPATCH **out, void **provctx)
{
	static const OSSL_DISPATCH provider[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, FN(query) },
		{ 0, NULL },
	};

	for (; in->function_id; in++)
		if (in->function_id == OSSL_FUNC_BIO_READ_EX)
			core_read = OSSL_FUNC_BIO_read_ex(in);
	*out = provider;
	*provctx = (void *)(uintptr_t)handle;
	return core_read != NULL;
}
