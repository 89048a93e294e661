/* SPDX-License-Identifier: Apache-2.0
 *
 * What every unit test includes: cmocka, and the assertion that a call was
 * refused for one reason and no other.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

/* assert_refused(lk_parse_u32(in, "n", 0, 9, &n, &e), e, LK_R_SYNTAX_NUMBER); */
#define assert_refused(call, e, want)                                                      \
	do {                                                                               \
		(e) = (struct lk_err){ .reason = LK_R_NONE };                              \
		assert_false((call).ok);                                                   \
		assert_string_equal(                                                       \
			lk_reason_info((e).reason)->symbol, lk_reason_info(want)->symbol); \
		assert_int_not_equal((e).msg[0], 0);                                       \
	} while (0)
