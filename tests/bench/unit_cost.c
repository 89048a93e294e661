/* SPDX-License-Identifier: Apache-2.0
 *
 * The unit costs, each a function that does its work once.
 */
#include "unit_cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/ossl.h"

#define POINT_MAX     65   /* an uncompressed point of P-256 */
#define SIGNED_BYTES  130  /* of a TLS 1.3 CertificateVerify */
#define CONTENT_BYTES 1200 /* of a voucher with a certificate in it */

#define must(cond)                                                              \
	do {                                                                    \
		if (!(cond)) {                                                  \
			fprintf(stderr, "bench: OpenSSL refused: %s\n", #cond); \
			abort();                                                \
		}                                                               \
	} while (0)

const char *const unit_names[UNIT_COUNT] = { "keygen", "ecdh", "sign", "verify", "d2i_x509", "csr",
	"x509_sign", "cms_sign", "cms_verify" };

struct bed {
	const struct unit_samples *samples;
	EVP_PKEY *own, *peer;
	EVP_PKEY_CTX *maker;
	X509 *x;
	uint8_t point[POINT_MAX];
	uint8_t signature[80];
	size_t signature_n;
};

static const uint8_t content[CONTENT_BYTES];

static void
keygen(struct bed *b)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *made = NULL;

	must(EVP_PKEY_keygen(b->maker, &made) == 1);
}

static void
ecdh(struct bed *b)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *peer = EVP_PKEY_new();
	LK_CLEANUP(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(b->own, NULL);
	uint8_t secret[32];
	size_t n = sizeof secret;

	must(peer && ctx && EVP_PKEY_copy_parameters(peer, b->own) == 1);
	must(EVP_PKEY_set1_encoded_public_key(peer, b->point, sizeof b->point) == 1);
	must(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1);
	must(EVP_PKEY_derive(ctx, secret, &n) == 1);
}

static void
sign(struct bed *b)
{
	LK_CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	b->signature_n = sizeof b->signature;
	must(ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, b->own) == 1);
	must(EVP_DigestSign(ctx, b->signature, &b->signature_n, content, SIGNED_BYTES) == 1);
}

static void
verify(struct bed *b)
{
	LK_CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	must(ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, b->own) == 1);
	must(EVP_DigestVerify(ctx, b->signature, b->signature_n, content, SIGNED_BYTES) == 1);
}

static void
decode_x509(struct bed *b)
{
	struct lk_slice der = lk_cert_der(b->samples->cert);
	LK_CLEANUP(X509_freep) X509 *x = d2i_X509(NULL, &der.p, (long)der.n);

	must(x && X509_get0_pubkey(x));
}

static void
decode_csr(struct bed *b)
{
	const uint8_t *p = b->samples->csr.p;
	LK_CLEANUP(X509_REQ_freep) X509_REQ *r = d2i_X509_REQ(NULL, &p, (long)b->samples->csr.n);

	must(r && X509_REQ_verify(r, X509_REQ_get0_pubkey(r)) == 1);
}

static void
certify(struct bed *b)
{
	must(X509_sign(b->x, b->own, EVP_sha256()) > 0);
}

static void
cms_sign(struct bed *b)
{
	LK_CLEANUP(BIO_free_allp) BIO *in = BIO_new_mem_buf(content, sizeof content);
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	LK_CLEANUP(CMS_ContentInfo_freep)
	CMS_ContentInfo *cms = CMS_sign(b->x, b->own, NULL, in, CMS_BINARY | CMS_NOSMIMECAP);

	must(cms && i2d_CMS_ContentInfo(cms, &der) > 0);
}

static void
cms_verify(struct bed *b)
{
	const uint8_t *p = b->samples->cms.p;
	LK_CLEANUP(CMS_ContentInfo_freep)
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)b->samples->cms.n);

	must(cms && CMS_verify(cms, NULL, NULL, NULL, NULL,
			    CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) == 1);
}

static void (*const units[UNIT_COUNT])(struct bed *b) = { keygen, ecdh, sign, verify, decode_x509,
	decode_csr, certify, cms_sign, cms_verify };

static int64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void
make_bed(const struct unit_samples *samples, struct bed *b)
{
	LK_CLEANUP(lk_openssl_freep) uint8_t *point = NULL;

	*b = (struct bed){ .samples = samples,
		.own = EVP_EC_gen("P-256"),
		.peer = EVP_EC_gen("P-256"),
		.x = X509_dup(lk_cert_x509(samples->cert)) };
	must(b->own && b->peer && b->x && X509_set_pubkey(b->x, b->own) == 1);
	must(EVP_PKEY_get1_encoded_public_key(b->peer, &point) == POINT_MAX);
	memcpy(b->point, point, POINT_MAX);
	b->maker = EVP_PKEY_CTX_new(b->own, NULL);
	must(b->maker && EVP_PKEY_keygen_init(b->maker) == 1);
}

static void
free_bed(struct bed *b)
{
	EVP_PKEY_free(b->own);
	EVP_PKEY_free(b->peer);
	EVP_PKEY_CTX_free(b->maker);
	X509_free(b->x);
}

void
unit_cost_add(const struct unit_samples *samples, unsigned times, int64_t ns[static UNIT_COUNT])
{
	struct bed b;
	size_t u;
	unsigned i;

	make_bed(samples, &b);
	for (u = 0; u < UNIT_COUNT; u++) {
		int64_t before;

		units[u](&b); /* what OpenSSL does once only */
		before = cpu_ns();
		for (i = 0; i < times; i++)
			units[u](&b);
		ns[u] += cpu_ns() - before;
	}
	free_bed(&b);
}
