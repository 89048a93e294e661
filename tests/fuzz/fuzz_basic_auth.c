/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP credentials from foreign bytes: what is taken ends within its fields, and has no colon in
 * its user.
 */
#include <assert.h>

#include "proto/basic_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf field = LK_BUF_INIT(1 << 16);
	LK_CLEANUP(lk_basic_auth_done) struct lk_basic_auth a = { .user = "" };

	if (!lk_buf_append(&field, lk_slice(data, size), NULL).ok ||
		!lk_basic_auth_parse(lk_buf_str(&field), &a, NULL).ok)
		return 0;
	assert(strnlen(a.user, sizeof a.user) < sizeof a.user && !strchr(a.user, ':'));
	assert(strnlen(a.password, sizeof a.password) < sizeof a.password);
	return 0;
}
