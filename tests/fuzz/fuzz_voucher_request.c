/* SPDX-License-Identifier: Apache-2.0
 *
 * Voucher-requests from foreign bytes, once as the whole object and once as the text in a good
 * envelope. What is taken can be printed, and no check of it ends otherwise than in a verdict.
 */
#include <assert.h>

#include "artefact/voucher_request.h"
#include "signed_text.h"

#define OUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct lk_voucher_request *r)
{
	const struct signed_text_key *k = signed_text_key();
	const struct lk_pledge_request_want near = { k->certs.v[0], k->certs.v[0] };
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *anchors = NULL;
	struct lk_registrar_request_want far = { .authenticated = true, .now = 1 };
	struct lk_verified_pledge_request pledge;
	struct lk_verified_registrar_request registrar;

	assert(lk_anchors_new(&k->certs, &anchors, NULL).ok);
	far.manufacturer = anchors;
	lk_ignore(lk_pledge_request_check(r, &near, &pledge, NULL));
	lk_ignore(lk_registrar_request_check(r, &far, &registrar, NULL));
}

static void
read_request(struct lk_slice der)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(OUT_MAX);
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;

	if (!lk_voucher_request_parse(der, &r, NULL).ok) {
		assert(!r);
		return;
	}
	assert(lk_voucher_request_print(r, &out, NULL).ok);
	check(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(2 * OUT_MAX);

	read_request(lk_slice(data, size));
	if (size > OUT_MAX)
		return 0;
	signed_text(lk_slice(data, size), &der);
	read_request(lk_buf_slice(&der));
	return 0;
}
