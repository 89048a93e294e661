/* SPDX-License-Identifier: Apache-2.0
 *
 * Randomness, injected like the clock: programs hold lk_random_system, tests
 * hold a source that repeats itself.
 */
#pragma once

#include "base/slice.h"

struct lk_random {
	void (*fill)(const struct lk_random *self, uint8_t *p, size_t n); /* cannot fail */
};

extern const struct lk_random lk_random_system; /* getrandom(2); aborts if the kernel has none */

static inline void
lk_random_fill(const struct lk_random *r, void *p, size_t n)
{
	r->fill(r, p, n);
}

#define LK_UUID_TEXT_MAX 37

/* A UUID version 7 (RFC 9562 5.7) of the given time, in its 36 characters. */
void lk_uuid7(const struct lk_random *r, int64_t now_ms, char dst[static LK_UUID_TEXT_MAX]);
