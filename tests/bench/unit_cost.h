/* SPDX-License-Identifier: Apache-2.0
 *
 * What the cryptography of an operation costs at the least: OpenSSL's own calls,
 * P-256, in CPU time of this process. Nothing of Latchkey is timed here.
 */
#pragma once

#include "crypto/x509.h"

enum unit {
	UNIT_KEYGEN,
	UNIT_ECDH, /* with making the peer's key from its point */
	UNIT_SIGN,
	UNIT_VERIFY,
	UNIT_D2I_X509, /* with its public key */
	UNIT_CSR,      /* decode and verify */
	UNIT_X509_SIGN,
	UNIT_CMS_SIGN,
	UNIT_CMS_VERIFY, /* decode and verify */
	UNIT_COUNT
};
extern const char *const unit_names[UNIT_COUNT];

/* What is decoded: artefacts of this run. */
struct unit_samples {
	const struct lk_cert *cert;
	struct lk_slice csr, cms; /* DER */
};

/* Adds `times` calls of each to the nanoseconds in ns. Ends the program where OpenSSL fails. */
void unit_cost_add(
	const struct unit_samples *samples, unsigned times, int64_t ns[static UNIT_COUNT]);
