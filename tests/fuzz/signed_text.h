/* SPDX-License-Identifier: Apache-2.0
 *
 * For fuzzers of signed JSON: the input put into an envelope that verifies, so that the text
 * behind the signature is reached without the fuzzer having to guess one. The key is the process's
 * own.
 */
#pragma once

#include <stdlib.h>

#include "crypto/cms.h"
#include "crypto/ossl.h"

struct signed_text_key {
	struct lk_key *key;
	struct lk_certs certs;
};

static inline void
signed_text_must(bool ok)
{
	if (!ok)
		abort();
}

/* One key and self-signed certificate for the life of the process. */
static inline const struct signed_text_key *
signed_text_key(void)
{
	static struct signed_text_key k;
	LK_CLEANUP(X509_freep) X509 *x = NULL;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;

	if (k.key)
		return &k;
	x = X509_new();
	signed_text_must(x && lk_key_ephemeral(LK_KEY_P256, &k.key, NULL).ok);
	signed_text_must(X509_set_version(x, X509_VERSION_3) &&
			 ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
			 ASN1_TIME_set(X509_getm_notBefore(x), 0) &&
			 ASN1_TIME_set(X509_getm_notAfter(x), INT32_MAX) &&
			 X509_set_pubkey(x, lk_key_evp(k.key)) &&
			 X509_sign(x, lk_key_evp(k.key), EVP_sha256()));
	signed_text_must(lk_cert_from_x509(x, &cert, NULL).ok);
	signed_text_must(lk_certs_add(&k.certs, cert, NULL).ok);
	return &k;
}

static inline void
signed_text(struct lk_slice text, struct lk_buf *out)
{
	const struct signed_text_key *k = signed_text_key();

	signed_text_must(
		lk_cms_sign(LK_CMS_ANIMA_JSON_VOUCHER, text, 0, k->key, &k->certs, out, NULL).ok);
}
