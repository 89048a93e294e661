/* SPDX-License-Identifier: Apache-2.0
 *
 * CSR attributes from foreign bytes: what is taken can be printed, and written again so that it
 * reads the same.
 */
#include <assert.h>

#include "artefact/csrattrs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1 << 16);
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSRATTRS_MAX);
	struct lk_csrattrs a, again;

	if (!lk_csrattrs_parse(lk_slice(data, size), &a, NULL).ok)
		return 0;
	assert(lk_csrattrs_print(&a, &out, NULL).ok);
	assert(lk_csrattrs_build(&a, &der, NULL).ok);
	assert(lk_csrattrs_parse(lk_buf_slice(&der), &again, NULL).ok);
	assert(a.keys == again.keys && a.serial_number == again.serial_number &&
		a.challenge_password == again.challenge_password &&
		strcmp(a.san_uri, again.san_uri) == 0);
	return 0;
}
