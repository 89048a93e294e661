/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256, and HMAC with it. The algorithm is fetched once for the process.
 */
#pragma once

#include "base/slice.h"

#define LK_SHA256_LEN 32

/* Hashes the concatenation of n parts. Cannot fail with the default provider loaded. */
void lk_sha256(const struct lk_slice *parts, size_t n, uint8_t ret[static LK_SHA256_LEN]);

static inline void
lk_sha256_of(struct lk_slice in, uint8_t ret[static LK_SHA256_LEN])
{
	lk_sha256(&in, 1, ret);
}
