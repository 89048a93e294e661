/* SPDX-License-Identifier: Apache-2.0
 *
 * A record from another process: what is taken keeps every maximum and packs to
 * the same bytes again.
 */
#include <assert.h>

#include "store/record.h"

#define PACK_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LK_CLEANUP(lk_record_freep) struct lk_record *r = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf again = LK_BUF_INIT(PACK_MAX);

	if (!lk_record_unpack(lk_slice(data, size), &r, NULL).ok)
		return 0;
	assert(lk_record_check(r, NULL).ok);
	assert(lk_record_pack(r, &again, NULL).ok);
	assert(lk_slice_eq(lk_buf_slice(&again), lk_slice(data, size)));
	return 0;
}
