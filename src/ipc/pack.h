/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields of a message between roles as bytes: numbers in network order, text and
 * bytes behind their length. Every get must be checked, refuses with
 * LK_R_IPC_MALFORMED and leaves the cursor where it was; a message is read only
 * once lk_unpack_end() found nothing behind its last field.
 *
 *	struct lk_unpack u = lk_unpack_init("link", m->body, e);
 *	LK_TRY(lk_unpack_u8(&u, &role));
 *	LK_TRY(lk_unpack_u32(&u, &index));
 *	LK_TRY(lk_unpack_end(&u));
 */
#pragma once

#include "base/slice.h"

/* --- writer: appends to a buffer, whose max is the limit -------------------------------------- */
struct lk_pack {
	struct lk_buf *out; /* after a failure its content is of no use */
	struct lk_err *e;
};

static inline struct lk_pack
lk_pack_init(struct lk_buf *out, struct lk_err *e)
{
	return (struct lk_pack){ out, e };
}

LK_RESULT lk_pack_u8(struct lk_pack *p, uint8_t v);
LK_RESULT lk_pack_u16(struct lk_pack *p, uint16_t v);
LK_RESULT lk_pack_u32(struct lk_pack *p, uint32_t v);
LK_RESULT lk_pack_u64(struct lk_pack *p, uint64_t v);
LK_RESULT lk_pack_i64(struct lk_pack *p, int64_t v);
LK_RESULT lk_pack_bool(struct lk_pack *p, bool v);
LK_RESULT lk_pack_bytes(struct lk_pack *p, struct lk_slice v);
LK_RESULT lk_pack_text(struct lk_pack *p, const char *v); /* NULL counts as "" */

/* --- reader ----------------------------------------------------------------------------------- */
struct lk_unpack {
	const char *what;     /* the message's name, for what is said when it is refused */
	struct lk_slice rest; /* not read yet */
	struct lk_err *e;
};

static inline struct lk_unpack
lk_unpack_init(const char *what, struct lk_slice in, struct lk_err *e)
{
	return (struct lk_unpack){ what, in, e };
}

LK_RESULT lk_unpack_u8(struct lk_unpack *u, uint8_t *ret);
LK_RESULT lk_unpack_u16(struct lk_unpack *u, uint16_t *ret);
LK_RESULT lk_unpack_u32(struct lk_unpack *u, uint32_t *ret);
LK_RESULT lk_unpack_u64(struct lk_unpack *u, uint64_t *ret);
LK_RESULT lk_unpack_i64(struct lk_unpack *u, int64_t *ret);
LK_RESULT lk_unpack_bool(struct lk_unpack *u, bool *ret); /* 0 or 1 and nothing else */
/* An enum's value, below `count`. */
LK_RESULT lk_unpack_enum(struct lk_unpack *u, unsigned count, unsigned *ret);
/* Borrowed from the message; at most max bytes. */
LK_RESULT lk_unpack_bytes(struct lk_unpack *u, size_t max, struct lk_slice *ret);
/* Exactly n bytes. */
LK_RESULT lk_unpack_fixed(struct lk_unpack *u, uint8_t *dst, size_t n);
/* A string without NUL into a field of cap bytes. */
LK_RESULT lk_unpack_text(struct lk_unpack *u, char *dst, size_t cap);
LK_RESULT lk_unpack_end(struct lk_unpack *u);
