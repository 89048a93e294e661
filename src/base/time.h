/* SPDX-License-Identifier: Apache-2.0
 *
 * Points in time and the clock they are read from. A point in time is an
 * int64_t: Unix seconds, UTC. Pure code takes `now` as an argument; only
 * programs hold a clock, and tests hold one that stands still.
 */
#pragma once

#include "base/slice.h"

#define LK_TIME_NEVER    INT64_C(253402300799) /* 9999-12-31T23:59:59Z, RFC 5280 4.1.2.5 */
#define LK_TIME_TEXT_MAX 32

/* RFC 3339 date-and-time as YANG uses it (RFC 6991): fractional seconds and any numeric offset
 * are taken, fractions are dropped, a leap second counts as the second before it. Years 1970
 * to 9999. */
LK_RESULT lk_time_parse(struct lk_slice in, int64_t *ret_time, struct lk_err *e);
/* Always "YYYY-MM-DDThh:mm:ssZ". */
void lk_time_print(int64_t t, char dst[static LK_TIME_TEXT_MAX]);

struct lk_clock {
	int64_t (*now)(const struct lk_clock *self);          /* Unix seconds, UTC */
	int64_t (*monotonic_ms)(const struct lk_clock *self); /* never goes back */
};

extern const struct lk_clock lk_clock_system;

/* A clock that shows what it was told to: for --at and for tests. */
struct lk_clock_fixed {
	struct lk_clock clock; /* first, so that &f.clock serves wherever a clock is asked for */
	int64_t seconds;
	int64_t ms;
};

void lk_clock_fixed_init(struct lk_clock_fixed *f, int64_t seconds);

static inline int64_t
lk_now(const struct lk_clock *c)
{
	return c->now(c);
}
