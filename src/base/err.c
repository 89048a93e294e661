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

void
lk_err_prefix(struct lk_err *e, const char *fmt, ...)
{
	char was[LK_ERR_MSG_MAX];
	va_list ap;
	size_t n;

	if (!e)
		return;
	memcpy(was, e->msg, sizeof was);
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof e->msg - n, ": %s", was);
}
