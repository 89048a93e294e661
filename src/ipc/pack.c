/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields as bytes and back. Both directions of a field stand together.
 */
#include "ipc/pack.h"

/* A number of n bytes, the most significant first. */
static struct lk_result
put(struct lk_pack *p, uint64_t v, size_t n)
{
	uint8_t b[sizeof v];
	size_t i;

	for (i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> 8 * (n - 1 - i));
	return lk_buf_append(p->out, lk_slice(b, n), p->e);
}

static struct lk_result
take(struct lk_unpack *u, size_t n, struct lk_slice *ret)
{
	LK_REQUIRE(u->rest.n >= n, u->e, LK_R_IPC_MALFORMED,
		"%s ends early: %zu bytes are left, want %zu", u->what, u->rest.n, n);
	*ret = lk_slice(u->rest.p, n);
	u->rest = n ? lk_slice(u->rest.p + n, u->rest.n - n) : u->rest;
	return LK_OK;
}

static struct lk_result
get(struct lk_unpack *u, size_t n, uint64_t *ret)
{
	struct lk_slice b;
	uint64_t v = 0;
	size_t i;

	LK_TRY(take(u, n, &b));
	for (i = 0; i < n; i++)
		v = v << 8 | b.p[i];
	*ret = v;
	return LK_OK;
}

struct lk_result
lk_pack_u8(struct lk_pack *p, uint8_t v)
{
	return put(p, v, 1);
}

struct lk_result
lk_unpack_u8(struct lk_unpack *u, uint8_t *ret)
{
	uint64_t v;

	LK_TRY(get(u, 1, &v));
	*ret = (uint8_t)v;
	return LK_OK;
}

struct lk_result
lk_pack_u16(struct lk_pack *p, uint16_t v)
{
	return put(p, v, 2);
}

struct lk_result
lk_unpack_u16(struct lk_unpack *u, uint16_t *ret)
{
	uint64_t v;

	LK_TRY(get(u, 2, &v));
	*ret = (uint16_t)v;
	return LK_OK;
}

struct lk_result
lk_pack_u32(struct lk_pack *p, uint32_t v)
{
	return put(p, v, 4);
}

struct lk_result
lk_unpack_u32(struct lk_unpack *u, uint32_t *ret)
{
	uint64_t v;

	LK_TRY(get(u, 4, &v));
	*ret = (uint32_t)v;
	return LK_OK;
}

struct lk_result
lk_pack_u64(struct lk_pack *p, uint64_t v)
{
	return put(p, v, 8);
}

struct lk_result
lk_unpack_u64(struct lk_unpack *u, uint64_t *ret)
{
	return get(u, 8, ret);
}

struct lk_result
lk_pack_i64(struct lk_pack *p, int64_t v)
{
	return put(p, (uint64_t)v, 8);
}

struct lk_result
lk_unpack_i64(struct lk_unpack *u, int64_t *ret)
{
	uint64_t v;

	LK_TRY(get(u, 8, &v));
	*ret = (int64_t)v;
	return LK_OK;
}

struct lk_result
lk_pack_bool(struct lk_pack *p, bool v)
{
	return put(p, v, 1);
}

struct lk_result
lk_unpack_bool(struct lk_unpack *u, bool *ret)
{
	unsigned v;

	LK_TRY(lk_unpack_enum(u, 2, &v));
	*ret = v;
	return LK_OK;
}

struct lk_result
lk_unpack_enum(struct lk_unpack *u, unsigned count, unsigned *ret)
{
	struct lk_unpack at = *u;
	uint8_t v;

	LK_TRY(lk_unpack_u8(&at, &v));
	LK_REQUIRE(v < count, u->e, LK_R_IPC_MALFORMED, "%s: a value is %u, want less than %u",
		u->what, v, count);
	*u = at;
	*ret = v;
	return LK_OK;
}

struct lk_result
lk_pack_bytes(struct lk_pack *p, struct lk_slice v)
{
	LK_REQUIRE(v.n <= UINT32_MAX, p->e, LK_R_TOO_LARGE, "%zu bytes do not fit a field", v.n);
	LK_TRY(put(p, v.n, 4));
	return lk_buf_append(p->out, v, p->e);
}

struct lk_result
lk_unpack_bytes(struct lk_unpack *u, size_t max, struct lk_slice *ret)
{
	struct lk_unpack at = *u;
	uint32_t n;

	LK_TRY(lk_unpack_u32(&at, &n));
	LK_REQUIRE(n <= max, u->e, LK_R_IPC_MALFORMED,
		"%s: a field has %u bytes, at most %zu are taken", u->what, n, max);
	LK_TRY(take(&at, n, ret));
	*u = at;
	return LK_OK;
}

struct lk_result
lk_unpack_fixed(struct lk_unpack *u, uint8_t *dst, size_t n)
{
	struct lk_unpack at = *u;
	struct lk_slice v;

	LK_TRY(lk_unpack_bytes(&at, n, &v));
	LK_REQUIRE(v.n == n, u->e, LK_R_IPC_MALFORMED, "%s: a field has %zu bytes, want %zu",
		u->what, v.n, n);
	memcpy(dst, v.p, n);
	*u = at;
	return LK_OK;
}

struct lk_result
lk_pack_text(struct lk_pack *p, const char *v)
{
	return lk_pack_bytes(p, lk_slice_str(v));
}

struct lk_result
lk_unpack_text(struct lk_unpack *u, char *dst, size_t cap)
{
	struct lk_unpack at = *u;
	struct lk_slice v;

	LK_TRY(lk_unpack_bytes(&at, cap - 1, &v));
	LK_REQUIRE(v.n == 0 || !memchr(v.p, 0, v.n), u->e, LK_R_IPC_MALFORMED,
		"%s: a text contains a NUL character", u->what);
	if (v.n)
		memcpy(dst, v.p, v.n);
	dst[v.n] = 0;
	*u = at;
	return LK_OK;
}

struct lk_result
lk_unpack_end(struct lk_unpack *u)
{
	LK_REQUIRE(u->rest.n == 0, u->e, LK_R_IPC_MALFORMED, "%s: %zu bytes follow its last field",
		u->what, u->rest.n);
	return LK_OK;
}
