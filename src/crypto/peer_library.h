/* SPDX-License-Identifier: Apache-2.0
 *
 * What peers send is decoded in a library context of its own. It computes as the
 * default one does, and knows but one form of key: the SubjectPublicKeyInfo of the
 * kinds that a crypto policy can take. A key of any other kind is none, and no code
 * for it runs; and OpenSSL 3.0, which lines up every decoder that it knows
 * for each key that it meets, meets fewer: half of what a certificate costs.
 */
#pragma once

#include "base/slice.h"

struct ossl_lib_ctx_st;

/* Made on first use and kept. LK_R_CRYPTO_LIBRARY. */
LK_RESULT lk_peer_library(struct ossl_lib_ctx_st **ret, struct lk_err *e);
