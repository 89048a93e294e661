/* SPDX-License-Identifier: Apache-2.0
 *
 * Handshake signatures by message.
 */
#include "role/tls_key.h"

#include <stdlib.h>

#include "crypto/remote_key.h"

#define SIGNER_MS 2000

struct asker {
	struct lk_process *process;
	enum lk_signer_key key;
};

static struct lk_result
ask(void *ctx, struct lk_slice tbs, struct lk_buf *sig, struct lk_err *e)
{
	struct asker *a = ctx;
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(4096);
	struct lk_sign_tls_body b = { .key = a->key, .input = tbs };
	struct lk_signed_body s;

	LK_TRY(lk_process_call(
		a->process, LK_ROLE_SIGNER, 0, LK_BODY_sign_tls, &b, SIGNER_MS, &packed, e));
	LK_TRY(lk_body_unpack(LK_BODY_signed, lk_buf_slice(&packed), &s, e));
	return lk_buf_append(sig, s.bytes, e);
}

struct lk_result
lk_tls_key_new(struct lk_process *p, enum lk_signer_key key, const struct lk_cert *cert,
	EVP_PKEY **ret, struct lk_err *e)
{
	struct asker *a = malloc(sizeof *a);
	struct lk_remote_signer signer = { ask, free, a };

	LK_REQUIRE(a, e, LK_R_NOMEM, "no memory for a key");
	*a = (struct asker){ p, key };
	if (lk_remote_key_new(lk_cert_spki(cert), &signer, ret, e).ok)
		return LK_OK;
	free(a);
	return (struct lk_result){ false };
}

void
lk_tls_keyp(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
