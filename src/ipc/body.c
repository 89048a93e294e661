/* SPDX-License-Identifier: Apache-2.0
 *
 * One loop that packs, one that unpacks.
 */
#include "ipc/body.h"

#include <assert.h>

enum field_type { FIELD_INT, FIELD_BOOL, FIELD_TEXT, FIELD_BYTES };

struct field {
	enum lk_body body;
	enum field_type type;
	size_t offset;
	size_t max; /* TEXT: size of the array; BYTES: most bytes */
};

/* All fields of all messages, in the order of the file. */
static const struct field fields[] = {
#define AT(name, field)                 offsetof(struct lk_##name##_body, field)
#define LK_BODY_INT(name, field)        { LK_BODY_##name, FIELD_INT, AT(name, field), 0 },
#define LK_BODY_BOOL(name, field)       { LK_BODY_##name, FIELD_BOOL, AT(name, field), 0 },
#define LK_BODY_TEXT(name, field, size) { LK_BODY_##name, FIELD_TEXT, AT(name, field), size },
#define LK_BODY_BYTES(name, field, max) { LK_BODY_##name, FIELD_BYTES, AT(name, field), max },
#include "ipc/body.def"
};

static const char *const names[LK_BODY_COUNT] = {
#define LK_BODY(name) [LK_BODY_##name] = #name,
#include "ipc/body.def"
};

const char *
lk_body_name(enum lk_body which)
{
	assert((unsigned)which < LK_BODY_COUNT);
	return names[which];
}

/* The fields of one message are neighbours; finds the first and says how many. */
static const struct field *
fields_of(enum lk_body which, size_t *ret_n)
{
	size_t first = 0, n = 0;

	while (first < LK_ARRAY_LEN(fields) && fields[first].body != which)
		first++;
	while (first + n < LK_ARRAY_LEN(fields) && fields[first + n].body == which)
		n++;
	*ret_n = n;
	return fields + first;
}

size_t
lk_body_max(enum lk_body which)
{
	/* By enum field_type: the number's bytes, or the length in front (TEXT's NUL is not sent).
	 */
	static const size_t fixed[] = { 8, 1, 4 - 1, 4 };
	const struct field *f;
	size_t i, n, sum = 0;

	f = fields_of(which, &n);
	for (i = 0; i < n; i++)
		sum += fixed[f[i].type] + f[i].max;
	return sum;
}

static struct lk_result
pack_field(struct lk_pack *p, const struct field *f, const char *at)
{
	const struct lk_slice *bytes = (const void *)at;

	switch (f->type) {
	case FIELD_INT:
		return lk_pack_i64(p, *(const int64_t *)(const void *)at);
	case FIELD_BOOL:
		return lk_pack_bool(p, *(const bool *)at);
	case FIELD_TEXT:
		return lk_pack_text(p, at);
	case FIELD_BYTES:
		LK_REQUIRE(bytes->n <= f->max, p->e, LK_R_TOO_LARGE,
			"%zu bytes in a message's field of at most %zu", bytes->n, f->max);
		return lk_pack_bytes(p, *bytes);
	}
	return lk_fail(p->e, LK_R_BUG, "there is no field type %d", (int)f->type);
}

static struct lk_result
unpack_field(struct lk_unpack *u, const struct field *f, char *at)
{
	switch (f->type) {
	case FIELD_INT:
		return lk_unpack_i64(u, (int64_t *)(void *)at);
	case FIELD_BOOL:
		return lk_unpack_bool(u, (bool *)at);
	case FIELD_TEXT:
		return lk_unpack_text(u, at, f->max);
	case FIELD_BYTES:
		return lk_unpack_bytes(u, f->max, (struct lk_slice *)(void *)at);
	}
	return lk_fail(u->e, LK_R_BUG, "there is no field type %d", (int)f->type);
}

struct lk_result
lk_body_pack(enum lk_body which, const void *body, struct lk_buf *out, struct lk_err *e)
{
	struct lk_pack p = lk_pack_init(out, e);
	const struct field *f;
	size_t i, n;

	f = fields_of(which, &n);
	for (i = 0; i < n; i++)
		LK_TRY(pack_field(&p, &f[i], (const char *)body + f[i].offset));
	return LK_OK;
}

struct lk_result
lk_body_unpack(enum lk_body which, struct lk_slice in, void *ret_body, struct lk_err *e)
{
	struct lk_unpack u = lk_unpack_init(lk_body_name(which), in, e);
	const struct field *f;
	size_t i, n;

	f = fields_of(which, &n);
	for (i = 0; i < n; i++)
		LK_TRY(unpack_field(&u, &f[i], (char *)ret_body + f[i].offset));
	return lk_unpack_end(&u);
}

struct lk_result
lk_list_add(struct lk_buf *list, struct lk_slice item, struct lk_err *e)
{
	struct lk_pack p = lk_pack_init(list, e);

	return lk_pack_bytes(&p, item);
}

struct lk_result
lk_list_next(struct lk_slice *list, bool *ret_more, struct lk_slice *ret_item, struct lk_err *e)
{
	struct lk_unpack u = lk_unpack_init("list", *list, e);

	*ret_more = list->n > 0;
	if (!*ret_more)
		return LK_OK;
	LK_TRY(lk_unpack_bytes(&u, list->n, ret_item));
	*list = u.rest;
	return LK_OK;
}
