/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling the error context.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
lk_err_set(struct lk_err *e, enum lk_reason reason, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	e->reason = reason;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
}

static void
prefix(struct lk_err *e, const char *fmt, va_list ap)
{
	char was[LK_ERR_MSG_MAX];
	size_t n;

	memcpy(was, e->msg, sizeof was);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof e->msg - n, ": %s", was);
}

void
lk_err_prefix(struct lk_err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	prefix(e, fmt, ap);
	va_end(ap);
}

void
lk_err_recast(struct lk_err *e, enum lk_reason general, enum lk_reason own, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	prefix(e, fmt, ap);
	va_end(ap);
	if (e->reason == general)
		e->reason = own;
}
