/* SPDX-License-Identifier: Apache-2.0
 *
 * Vouchers from foreign bytes, once as the whole object and once as the text in a good envelope.
 * What is taken can be printed, and written again so that it reads the same.
 */
#include <assert.h>

#include "artefact/voucher.h"
#include "signed_text.h"

#define OUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_again(const struct lk_voucher *v)
{
	const struct signed_text_key *k = signed_text_key();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(OUT_MAX);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *again = NULL;
	LK_CLEANUP(json_decrefp) json_t *a = NULL, *b = NULL;

	/* What was large and had little white space may not fit any more. */
	if (!lk_voucher_build(&v->leaf, k->key, &k->certs, &der, NULL).ok || der.n > LK_VOUCHER_MAX)
		return;
	assert(lk_voucher_parse(lk_buf_slice(&der), &again, NULL).ok);
	assert(lk_voucher_json(&v->leaf, &a, NULL).ok &&
		lk_voucher_json(&again->leaf, &b, NULL).ok);
	assert(json_equal(a, b));
}

static void
read_voucher(struct lk_slice der)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(OUT_MAX);
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;
	const struct lk_cert *signer;

	if (!lk_voucher_parse(der, &v, NULL).ok) {
		assert(!v);
		return;
	}
	assert(lk_voucher_print(v, &out, NULL).ok);
	signer = lk_cms_signer(v->cms);
	if (signer)
		lk_ignore(lk_cms_verify(v->cms, signer, NULL));
	read_again(v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(2 * OUT_MAX);

	read_voucher(lk_slice(data, size));
	if (size > OUT_MAX)
		return 0;
	signed_text(lk_slice(data, size), &der);
	read_voucher(lk_buf_slice(&der));
	return 0;
}
