/* SPDX-License-Identifier: Apache-2.0
 *
 * The growing buffer: its cap is tested before it allocates.
 */
#include "base/slice.h"

#include <stdio.h>
#include <stdlib.h>

struct lk_result
lk_slice_to_str(struct lk_slice in, const char *what, char *dst, size_t cap, struct lk_err *e)
{
	LK_REQUIRE(in.n < cap, e, LK_R_TOO_LARGE, "%s has %zu bytes, at most %zu are taken", what,
		in.n, cap - 1);
	LK_REQUIRE(in.n == 0 || !memchr(in.p, 0, in.n), e, LK_R_SYNTAX_TEXT,
		"%s contains a NUL character", what);
	if (in.n)
		memcpy(dst, in.p, in.n);
	dst[in.n] = 0;
	return LK_OK;
}

/* Makes room for n more bytes and the final NUL. */
static struct lk_result
reserve(struct lk_buf *b, size_t n, struct lk_err *e)
{
	size_t want, cap;
	uint8_t *p;

	LK_REQUIRE(n <= b->max && b->n <= b->max - n, e, LK_R_TOO_LARGE,
		"%zu bytes would follow %zu, at most %zu are taken", n, b->n, b->max);
	want = b->n + n + 1;
	if (want <= b->cap)
		return LK_OK;
	cap = b->cap ? b->cap : 256;
	while (cap < want)
		cap *= 2;
	p = realloc(b->p, cap);
	LK_REQUIRE(p, e, LK_R_NOMEM, "no memory for %zu bytes", cap);
	b->p = p;
	b->cap = cap;
	return LK_OK;
}

struct lk_result
lk_buf_append(struct lk_buf *b, struct lk_slice in, struct lk_err *e)
{
	LK_TRY(reserve(b, in.n, e));
	if (in.n)
		memcpy(b->p + b->n, in.p, in.n);
	b->n += in.n;
	b->p[b->n] = 0;
	return LK_OK;
}

struct lk_result
lk_buf_append_str(struct lk_buf *b, const char *s, struct lk_err *e)
{
	return lk_buf_append(b, lk_slice_str(s), e);
}

struct lk_result
lk_buf_vprintf(struct lk_buf *b, struct lk_err *e, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	LK_REQUIRE(n >= 0, e, LK_R_BUG, "format '%s' cannot be printed", fmt);
	LK_TRY(reserve(b, (size_t)n, e));
	vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
	b->n += (size_t)n;
	return LK_OK;
}

struct lk_result
lk_buf_printf(struct lk_buf *b, struct lk_err *e, const char *fmt, ...)
{
	struct lk_result r;
	va_list ap;

	va_start(ap, fmt);
	r = lk_buf_vprintf(b, e, fmt, ap);
	va_end(ap);
	return r;
}

void
lk_buf_consume(struct lk_buf *b, size_t n)
{
	if (n >= b->n) {
		lk_buf_clear(b);
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
	b->p[b->n] = 0;
}

void
lk_buf_truncate(struct lk_buf *b, size_t n)
{
	if (n >= b->n)
		return;
	b->n = n;
	b->p[n] = 0;
}

void
lk_buf_clear(struct lk_buf *b)
{
	lk_buf_truncate(b, 0);
}

void
lk_buf_done(struct lk_buf *b)
{
	free(b->p);
	*b = LK_BUF_INIT(b->max);
}
