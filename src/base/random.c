/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's randomness, and identifiers made of it.
 */
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static void
system_fill(const struct lk_random *self, uint8_t *p, size_t n)
{
	(void)self;
	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort(); /* nothing safe can be done without randomness */
		p += got;
		n -= (size_t)got;
	}
}

const struct lk_random lk_random_system = { system_fill };

void
lk_uuid7(const struct lk_random *r, int64_t now_ms, char dst[static LK_UUID_TEXT_MAX])
{
	uint8_t u[16];
	unsigned i;

	/*= RFC9562 5.7: 48 bits of milliseconds, version 7, the rest random =*/
	lk_random_fill(r, u, sizeof u);
	for (i = 0; i < 6; i++)
		u[i] = (uint8_t)(now_ms >> (40 - 8 * i));
	u[6] = (uint8_t)((u[6] & 0x0f) | 0x70);
	u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
	snprintf(dst, LK_UUID_TEXT_MAX,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
		u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
		u[15]);
}
