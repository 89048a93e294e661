/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256.
 */
#include "crypto/digest.h"

#include <stdlib.h>

#include "crypto/ossl.h"

void
lk_sha256(const struct lk_slice *parts, size_t n, uint8_t ret[static LK_SHA256_LEN])
{
	static EVP_MD *sha256; /* fetching costs more than hashing a small input */
	LK_CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t i;

	if (!sha256)
		sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	if (!ctx || !sha256 || EVP_DigestInit_ex2(ctx, sha256, NULL) <= 0)
		abort(); /* no hash, no commitment: nothing here may go on without one */
	for (i = 0; i < n; i++)
		if (EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) <= 0)
			abort();
	if (EVP_DigestFinal_ex(ctx, ret, NULL) <= 0)
		abort();
}
