/* SPDX-License-Identifier: Apache-2.0
 *
 * Wiping and constant-time comparison.
 */
#include "base/secret.h"

#include <string.h>

void
lk_wipe(void *p, size_t n)
{
	if (p && n)
		explicit_bzero(p, n);
}

bool
lk_secret_eq(struct lk_slice a, struct lk_slice b)
{
	volatile uint8_t differ = 0;
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		differ |= (uint8_t)(a.p[i] ^ b.p[i]);
	return differ == 0;
}
