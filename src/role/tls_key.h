/* SPDX-License-Identifier: Apache-2.0
 *
 * A TLS private key of this program's signer, as its other roles use it: an
 * EVP_PKEY that asks the signer for each handshake. The asker waits: a signature
 * takes the signer a fraction of a millisecond in a file, some in a TPM.
 */
#pragma once

#include <openssl/evp.h>

#include "crypto/x509.h"
#include "role/process.h"

/* The key that belongs to `cert`. Caller frees with EVP_PKEY_free(). */
LK_RESULT lk_tls_key_new(struct lk_process *p, enum lk_signer_key key, const struct lk_cert *cert,
	EVP_PKEY **ret, struct lk_err *e);
void lk_tls_keyp(EVP_PKEY **key); /* cleanup function */
