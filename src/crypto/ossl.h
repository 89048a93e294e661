/* SPDX-License-Identifier: Apache-2.0
 *
 * What every file that calls OpenSSL needs: destructors as cleanup attributes,
 * defined once, and the error queue drained into the caller's error.
 */
#pragma once

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/slice.h"

LK_DEFINE_CLEANUP(ASN1_INTEGER *, ASN1_INTEGER_free);
LK_DEFINE_CLEANUP(ASN1_OBJECT *, ASN1_OBJECT_free);
LK_DEFINE_CLEANUP(ASN1_OCTET_STRING *, ASN1_OCTET_STRING_free);
LK_DEFINE_CLEANUP(ASN1_TIME *, ASN1_TIME_free);
LK_DEFINE_CLEANUP(AUTHORITY_KEYID *, AUTHORITY_KEYID_free);
LK_DEFINE_CLEANUP(BASIC_CONSTRAINTS *, BASIC_CONSTRAINTS_free);
LK_DEFINE_CLEANUP(BIGNUM *, BN_free);
LK_DEFINE_CLEANUP(BIO *, BIO_free_all);
LK_DEFINE_CLEANUP(CMS_ContentInfo *, CMS_ContentInfo_free);
LK_DEFINE_CLEANUP(ECDSA_SIG *, ECDSA_SIG_free);
LK_DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);
LK_DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);
LK_DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free);
LK_DEFINE_CLEANUP(EXTENDED_KEY_USAGE *, EXTENDED_KEY_USAGE_free);
LK_DEFINE_CLEANUP(GENERAL_NAMES *, GENERAL_NAMES_free);
LK_DEFINE_CLEANUP(OSSL_STORE_CTX *, OSSL_STORE_close);
LK_DEFINE_CLEANUP(OSSL_STORE_INFO *, OSSL_STORE_INFO_free);
LK_DEFINE_CLEANUP(PKCS7 *, PKCS7_free);
LK_DEFINE_CLEANUP(SSL *, SSL_free);
LK_DEFINE_CLEANUP(SSL_CTX *, SSL_CTX_free);
LK_DEFINE_CLEANUP(UI_METHOD *, UI_destroy_method);
LK_DEFINE_CLEANUP(X509 *, X509_free);
LK_DEFINE_CLEANUP(X509_CRL *, X509_CRL_free);
LK_DEFINE_CLEANUP(X509_EXTENSION *, X509_EXTENSION_free);
LK_DEFINE_CLEANUP(X509_NAME *, X509_NAME_free);
LK_DEFINE_CLEANUP(X509_REQ *, X509_REQ_free);
LK_DEFINE_CLEANUP(X509_STORE *, X509_STORE_free);
LK_DEFINE_CLEANUP(X509_STORE_CTX *, X509_STORE_CTX_free);

static inline void
lk_openssl_freep(void *pp)
{
	OPENSSL_free(*(void **)pp);
}

/* Frees a stack whose members somebody else owns. */
static inline void
lk_x509_listp(STACK_OF(X509) * *pp)
{
	sk_X509_free(*pp);
}

/* Fails with `reason`; the message is fmt, then what OpenSSL's queue said. Leaves it empty. */
void lk_err_set_ossl(struct lk_err *e, enum lk_reason reason, const char *fmt, ...) LK_PRINTF(3, 4);
#define lk_fail_ossl(e, reason, ...) \
	(lk_err_set_ossl((e), (reason), __VA_ARGS__), (struct lk_result){ false })

/* As LK_REQUIRE, for calls that fill OpenSSL's queue. */
#define LK_OSSL(cond, e, reason, ...)                                    \
	do {                                                             \
		if (!(cond))                                             \
			return lk_fail_ossl((e), (reason), __VA_ARGS__); \
	} while (0)
