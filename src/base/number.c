/* SPDX-License-Identifier: Apache-2.0
 *
 * The one place where text becomes a number.
 */
#include "base/number.h"

#include <inttypes.h>

struct lk_result
lk_parse_u64(struct lk_slice in, const char *what, uint64_t min, uint64_t max, uint64_t *ret,
	struct lk_err *e)
{
	uint64_t v = 0;
	size_t i;

	LK_REQUIRE(in.n > 0, e, LK_R_SYNTAX_NUMBER, "%s is empty", what);
	for (i = 0; i < in.n; i++) {
		LK_REQUIRE(in.p[i] >= '0' && in.p[i] <= '9', e, LK_R_SYNTAX_NUMBER,
			"%s is not a decimal number", what);
		LK_REQUIRE(!__builtin_mul_overflow(v, 10, &v) &&
				   !__builtin_add_overflow(v, (uint64_t)(in.p[i] - '0'), &v),
			e, LK_R_SYNTAX_NUMBER, "%s is larger than any number taken here", what);
	}
	LK_REQUIRE(v >= min && v <= max, e, LK_R_SYNTAX_NUMBER,
		"%s is %" PRIu64 ", want %" PRIu64 " to %" PRIu64, what, v, min, max);
	*ret = v;
	return LK_OK;
}

struct lk_result
lk_parse_u32(struct lk_slice in, const char *what, uint32_t min, uint32_t max, uint32_t *ret,
	struct lk_err *e)
{
	uint64_t v;

	LK_TRY(lk_parse_u64(in, what, min, max, &v, e));
	*ret = (uint32_t)v;
	return LK_OK;
}

struct lk_result
lk_parse_duration(struct lk_slice in, const char *what, int64_t *ret, struct lk_err *e)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	uint32_t scale = 1;
	uint64_t v;
	size_t i;

	for (i = 0; in.n && i < LK_ARRAY_LEN(units); i++)
		if (in.p[in.n - 1] == units[i].unit) {
			scale = units[i].seconds;
			in.n--;
			break;
		}
	LK_TRY(lk_parse_u64(in, what, 0, UINT32_MAX, &v, e));
	*ret = (int64_t)(v * scale);
	return LK_OK;
}
