/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that somebody else owns (struct lk_slice), and bytes that grow up to a
 * maximum set at birth (struct lk_buf). Never pass a naked pointer and length.
 */
#pragma once

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct lk_slice {
	const uint8_t *p; /* borrowed; may be NULL when n is 0 */
	size_t n;
};

#define LK_SLICE_LIT(s)   ((struct lk_slice){ (const uint8_t *)("" s), sizeof(s) - 1 })
#define LK_SLICE_ARRAY(a) ((struct lk_slice){ (const uint8_t *)(a), sizeof(a) })

static inline struct lk_slice
lk_slice(const void *p, size_t n)
{
	return (struct lk_slice){ p, n };
}

static inline struct lk_slice
lk_slice_str(const char *s)
{
	return (struct lk_slice){ (const uint8_t *)s, s ? strlen(s) : 0 };
}

/* For public bytes only; secrets are compared by lk_secret_eq() (base/secret.h). */
static inline bool
lk_slice_eq(struct lk_slice a, struct lk_slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Copies a slice as a string into a fixed field. Refuses what does not fit and embedded NULs
 * with LK_R_TOO_LARGE / LK_R_SYNTAX_TEXT; `what` names the field in the message. */
LK_RESULT lk_slice_to_str(
	struct lk_slice in, const char *what, char *dst, size_t cap, struct lk_err *e);

struct lk_buf {
	uint8_t *p; /* owned; always followed by a NUL once something was appended */
	size_t n;
	size_t cap;
	size_t max; /* appending beyond it fails with LK_R_TOO_LARGE, before any allocation */
};

#define LK_BUF_INIT(limit) ((struct lk_buf){ .max = (limit) })

LK_RESULT lk_buf_append(struct lk_buf *b, struct lk_slice in, struct lk_err *e);
LK_RESULT lk_buf_append_str(struct lk_buf *b, const char *s, struct lk_err *e);
LK_RESULT lk_buf_printf(struct lk_buf *b, struct lk_err *e, const char *fmt, ...) LK_PRINTF(3, 4);
LK_RESULT lk_buf_vprintf(struct lk_buf *b, struct lk_err *e, const char *fmt, va_list ap)
	LK_PRINTF(3, 0);
void lk_buf_consume(struct lk_buf *b, size_t n);  /* drops the first n bytes */
void lk_buf_truncate(struct lk_buf *b, size_t n); /* keeps the first n bytes at most */
void lk_buf_clear(struct lk_buf *b);              /* empties it, keeps the memory */
void lk_buf_done(struct lk_buf *b);               /* frees it; cleanup function too */

static inline struct lk_slice
lk_buf_slice(const struct lk_buf *b)
{
	return (struct lk_slice){ b->p, b->n };
}

static inline const char *
lk_buf_str(const struct lk_buf *b)
{
	return b->p ? (const char *)b->p : "";
}
