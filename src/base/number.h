/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers from text, and sums that cannot wrap.
 */
#pragma once

#include "base/slice.h"

/* Decimal digits only: no sign, blank or prefix. `what` names the value in the message. */
LK_RESULT lk_parse_u64(struct lk_slice in, const char *what, uint64_t min, uint64_t max,
	uint64_t *ret, struct lk_err *e);
LK_RESULT lk_parse_u32(struct lk_slice in, const char *what, uint32_t min, uint32_t max,
	uint32_t *ret, struct lk_err *e);
/* "90", "90s", "15m", "4h", "30d": seconds. */
LK_RESULT lk_parse_duration(struct lk_slice in, const char *what, int64_t *ret, struct lk_err *e);
