/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64, hexadecimal, times and numbers from foreign bytes: whatever is taken comes out again
 * as it was.
 */
#include <assert.h>

#include "base/encode.h"
#include "base/number.h"
#include "base/time.h"

#define OUT_MAX ((size_t)1 << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
base64(struct lk_slice in)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf strict = LK_BUF_INIT(OUT_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf loose = LK_BUF_INIT(OUT_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf again = LK_BUF_INIT(OUT_MAX);

	if (!lk_base64_decode(in, LK_BASE64_STRICT, &strict, NULL).ok)
		return;
	assert(lk_base64_decode(in, LK_BASE64_WHITESPACE, &loose, NULL).ok);
	assert(lk_slice_eq(lk_buf_slice(&strict), lk_buf_slice(&loose)));
	assert(lk_base64_encode(lk_buf_slice(&strict), &again, NULL).ok);
	assert(lk_slice_eq(lk_buf_slice(&again), in));
}

static void
hexadecimal(struct lk_slice in)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(OUT_MAX);

	if (lk_hex_decode(in, &out, NULL).ok)
		assert(out.n * 2 == in.n);
}

static void
times(struct lk_slice in)
{
	char text[LK_TIME_TEXT_MAX];
	int64_t t, again;

	if (!lk_time_parse(in, &t, NULL).ok)
		return;
	lk_time_print(t, text);
	assert(lk_time_parse(lk_slice_str(text), &again, NULL).ok && again == t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lk_slice in = lk_slice(data, size);
	int64_t seconds;
	uint64_t n;

	base64(in);
	hexadecimal(in);
	times(in);
	if (lk_parse_u64(in, "n", 0, UINT64_MAX, &n, NULL).ok)
		assert(size > 0);
	if (lk_parse_duration(in, "d", &seconds, NULL).ok)
		assert(seconds >= 0);
	return 0;
}
