/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 messages from foreign bytes. The first byte says which direction, and in pieces of
 * which size they come: the outcome is the same as if they had come at once.
 */
#include <assert.h>

#include "net/http1.h"

#define HEAD_MAX 512
#define BODY_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
run(struct lk_http1 *h, enum lk_http1_kind kind, struct lk_slice in, size_t step, size_t *ret_used,
	struct lk_err *e)
{
	size_t at = 0, n, used = 0;

	lk_http1_init(h, kind, HEAD_MAX);
	while (at < in.n && h->state != LK_HTTP1_DONE) {
		n = in.n - at < step ? in.n - at : step;
		if (!lk_http1_feed(h, lk_slice(in.p + at, n), &used, e).ok)
			return false;
		assert(used <= n && (used == n || h->state != LK_HTTP1_HEAD || h->status));
		at += used;
		h->body.max = BODY_MAX;
	}
	assert(h->body.n <= BODY_MAX && h->head.n <= HEAD_MAX);
	*ret_used = at;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LK_CLEANUP(lk_http1_done) struct lk_http1 whole = { 0 };
	LK_CLEANUP(lk_http1_done) struct lk_http1 pieces = { 0 };
	struct lk_err a = { .reason = LK_R_NONE }, b = { .reason = LK_R_NONE };
	enum lk_http1_kind kind;
	size_t step, i, used_a = 0, used_b = 0;
	struct lk_slice in;

	if (size < 1)
		return 0;
	kind = data[0] & 1 ? LK_HTTP1_RESPONSE : LK_HTTP1_REQUEST;
	step = (size_t)(data[0] >> 1) + 1;
	in = lk_slice(data + 1, size - 1);
	if (run(&whole, kind, in, SIZE_MAX, &used_a, &a) !=
			run(&pieces, kind, in, step, &used_b, &b) ||
		a.reason != b.reason)
		assert(!"pieces make a difference");
	if (a.reason != LK_R_NONE)
		return 0;
	assert(whole.state == pieces.state && used_a == used_b);
	assert(lk_slice_eq(lk_buf_slice(&whole.body), lk_buf_slice(&pieces.body)));
	for (i = 0; i < whole.n_fields; i++)
		assert(strlen(whole.fields[i].name) + strlen(whole.fields[i].value) < HEAD_MAX);
	return 0;
}
