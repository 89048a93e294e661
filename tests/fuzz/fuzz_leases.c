/* SPDX-License-Identifier: Apache-2.0
 *
 * Lease files: what is taken has no more leases than lines, each of a time that can be.
 */
#include <assert.h>
#include <stdlib.h>

#include "noc/enforcer/leases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lk_lease *v;
	size_t i, n;

	if (!lk_leases_parse(lk_slice(data, size), &v, &n, NULL).ok)
		return 0;
	assert(n <= size);
	for (i = 0; i < n; i++)
		assert(v[i].expires_at > 0 && v[i].expires_at <= LK_TIME_NEVER);
	free(v);
	return 0;
}
