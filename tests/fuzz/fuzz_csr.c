/* SPDX-License-Identifier: Apache-2.0
 *
 * Certification requests from foreign bytes, as DER and as an EST body. What we take, OpenSSL
 * takes, and sees the same subject and key in it. A request that is granted is one that OpenSSL
 * verifies.
 */
#include <assert.h>
#include <openssl/err.h>

#include "artefact/csr.h"
#include "crypto/ossl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A second decoder. It is stricter than ours about a few things that we do not look at (times,
 * algorithms' parameters, attributes that we do not know), so it may refuse. */
static void
compare(const struct lk_csr *c, bool granted)
{
	const uint8_t *p = c->der.p;
	LK_CLEANUP(X509_REQ_freep) X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)c->der.n);
	struct lk_slice subject;

	ERR_clear_error();
	assert(req || !granted);
	if (!req)
		return;
	assert(p == c->der.p + c->der.n);
	assert(X509_NAME_get0_der(X509_REQ_get_subject_name(req), &subject.p, &subject.n));
	assert((size_t)X509_NAME_entry_count(X509_REQ_get_subject_name(req)) == c->names.n);
	if (granted)
		assert(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) == 1);
}

static void
judge(const struct lk_csr *c)
{
	const struct lk_csrattrs attrs = { .serial_number = true, .san_uri = "urn:uuid:x" };
	struct lk_csr_want want = { .keys = ~0u,
		.serial_number = "LK-0001",
		.common_name = "x",
		.binding = LK_SLICE_LIT("0123456789ab") };
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1 << 20);
	struct lk_verified_csr v;

	assert(lk_csr_print(c, &out, NULL).ok);
	compare(c, lk_csr_check(c, &want, &v, NULL).ok);
	want.attrs = &attrs;
	lk_ignore(lk_csr_check(c, &want, &v, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LK_CLEANUP(lk_csr_freep) struct lk_csr *der = NULL;
	LK_CLEANUP(lk_csr_freep) struct lk_csr *body = NULL;

	if (lk_csr_parse(lk_slice(data, size), &der, NULL).ok)
		judge(der);
	if (lk_csr_parse_body(lk_slice(data, size), &body, NULL).ok)
		judge(body);
	return 0;
}
