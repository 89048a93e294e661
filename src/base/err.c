/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling the error context.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How many bytes the UTF-8 character at s has (RFC 3629); 0: it is none. */
static size_t
character(const unsigned char *s)
{
	static const struct {
		unsigned char first, last; /* of the lead byte */
		unsigned char from, to;    /* of the byte behind it */
		size_t n;
	} rows[] = { { 0x01, 0x7f, 0, 0, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 } };
	size_t i, k;

	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		if (*s < rows[i].first || *s > rows[i].last)
			continue;
		if (rows[i].n > 1 && (s[1] < rows[i].from || s[1] > rows[i].to))
			return 0;
		for (k = 2; k < rows[i].n; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].n;
	}
	return 0;
}

void
lk_make_text(char *text)
{
	unsigned char *s = (unsigned char *)text;
	size_t n;

	for (; *s; s += n) {
		n = character(s);
		if (n)
			continue;
		*s = '?';
		n = 1;
	}
}

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
	lk_make_text(e->msg);
}

static void prefix(struct lk_err *e, const char *fmt, va_list ap) LK_PRINTF(2, 0);

static void
prefix(struct lk_err *e, const char *fmt, va_list ap)
{
	char was[LK_ERR_MSG_MAX];
	size_t n;

	memcpy(was, e->msg, sizeof was);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof e->msg - n, ": %s", was);
	lk_make_text(e->msg);
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
