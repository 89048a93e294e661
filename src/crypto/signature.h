/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures that are checked with a key given as SubjectPublicKeyInfo: those of
 * certification requests and revocation lists. Only the key types and algorithms
 * of crypto/key.h exist here; a request's RSA-1024 or SHA-1 ends at this door.
 *
 * EC keys are made from their point, not decoded: OpenSSL's decoder costs twice
 * what the verification does.
 */
#pragma once

#include "crypto/key.h"

/* DER AlgorithmIdentifier of what lk_key_sign() makes with a key of this type (RFC 5758 3.2,
 * RFC 8410 3, RFC 4055 5). */
struct lk_slice lk_signature_algorithm(enum lk_key_type type);

/* The type of a public key, by its SubjectPublicKeyInfo in its one DER form (EC: named curve and
 * uncompressed point). LK_R_CRYPTO_POLICY for all others. Does not look at the point. */
LK_RESULT lk_spki_type(struct lk_slice spki, enum lk_key_type *ret, struct lk_err *e);

/* Whether the key made this signature. LK_R_CRYPTO_POLICY for another key type or algorithm or
 * for one that does not fit the other, `reason` for a signature or key that does not hold. */
LK_RESULT lk_spki_verify(struct lk_slice spki, struct lk_slice algorithm, struct lk_slice in,
	struct lk_slice signature, enum lk_reason reason, struct lk_err *e);
