/* SPDX-License-Identifier: Apache-2.0
 *
 * How every fallible function reports: a typed result that cannot be mistaken
 * for a length, and a context that the caller owns and passes last.
 *
 *	LK_RESULT lk_voucher_parse(struct lk_slice in, struct lk_voucher **ret, struct lk_err *e);
 *
 * A failure names one reason of base/reason.def. The reason carries the clause
 * that refused, the category that decides behaviour (HTTP status, exit code,
 * log level), one sentence and one cure. The message says got and want in the
 * operator's words. Libraries never log; who owns the exchange logs it once.
 *
 * LK_TRY and LK_REQUIRE are the only macros that return.
 */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"
#include "base/reason.h"

#define LK_ERR_MSG_MAX 240

struct lk_result {
	bool ok;
};
#define LK_RESULT __attribute__((warn_unused_result)) struct lk_result

struct lk_err {
	enum lk_reason reason;    /* LK_R_NONE until something failed */
	char msg[LK_ERR_MSG_MAX]; /* got and want, without a final full stop */
};

#define LK_OK ((struct lk_result){ true })

#define LK_TRY(call)                                        \
	do {                                                \
		if (!(call).ok)                             \
			return (struct lk_result){ false }; \
	} while (0)

/* LK_REQUIRE(serials_equal, e, LK_R_VOUCHER_SERIAL, "serial-number is %s, want %s", a, b); */
#define LK_REQUIRE(cond, e, reason, ...)                            \
	do {                                                        \
		if (!(cond))                                        \
			return lk_fail((e), (reason), __VA_ARGS__); \
	} while (0)

/* What peers wrote, or what was cut in the middle of a character, becomes UTF-8: '?' takes the place
 * of each octet that belongs to no character. A record of it is JSON. */
void lk_make_text(char *text);

/* Fills e (when it is not NULL). Long messages are cut; what is no UTF-8 becomes '?'. */
void lk_err_set(struct lk_err *e, enum lk_reason reason, const char *fmt, ...) LK_PRINTF(3, 4);

/* The failed result, with e filled. A macro, so that the compiler sees that it is never ok. */
#define lk_fail(e, reason, ...) \
	(lk_err_set((e), (reason), __VA_ARGS__), (struct lk_result){ false })

/* Puts "<prefix>: " before the message of a failure that already stands in e. */
void lk_err_prefix(struct lk_err *e, const char *fmt, ...) LK_PRINTF(2, 3);
/* The failed result of a rule that rests on a more general one: as lk_err_prefix, and what failed
 * for the reason `general` fails for `own` from here on. */
#define lk_fail_as(e, general, own, ...) \
	(lk_err_recast((e), (general), (own), __VA_ARGS__), (struct lk_result){ false })
void lk_err_recast(struct lk_err *e, enum lk_reason general, enum lk_reason own, const char *fmt,
	...) LK_PRINTF(4, 5);

/* For a result that is ignored on purpose; gcc warns even behind a (void) cast. */
static inline void
lk_ignore(struct lk_result r)
{
	(void)r.ok;
}
