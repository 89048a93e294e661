/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON objects read and written by table: one row a member, so that a reader of
 * an artefact sees its schema and nothing else. RFC 8259 syntax, RFC 7951 for how
 * YANG types look in JSON. Duplicates are refused, depth and size are bounded.
 *
 * An artefact's struct has one field per row and a `present` word with one bit
 * per row, in the order of the table:
 *
 *	enum { LEAF_SERIAL, LEAF_NONCE };
 *	struct thing { uint32_t present; char serial[65]; char nonce[45]; };
 *	static const struct lk_json_field fields[] = {
 *		[LEAF_SERIAL] = LK_JSON_FIELD(struct thing, serial, "serial-number", TEXT,
 *MANDATORY), …
 */
#pragma once

#include <jansson.h>

#include "base/slice.h"
#include "base/time.h"

#define LK_JSON_MAX       (64 * 1024) /* bytes of a text */
#define LK_JSON_DEPTH_MAX 8           /* nesting of objects and arrays */

enum lk_json_type {
	LK_JSON_TEXT,   /* string <-> char[size] */
	LK_JSON_TIME,   /* yang:date-and-time <-> int64_t, Unix seconds */
	LK_JSON_BINARY, /* base64 <-> struct lk_buf, whose maximum is `max` */
	LK_JSON_BOOL,   /* <-> bool */
	LK_JSON_ENUM,   /* one of `names` <-> int, its index */
	LK_JSON_U64     /* number, or a string of digits (RFC 7951 6.1) <-> uint64_t; <= 2^53-1 */
};

enum lk_json_need { LK_JSON_OPTIONAL, LK_JSON_MANDATORY };

struct lk_json_field {
	const char *name;
	enum lk_json_type type;
	enum lk_json_need need;
	size_t offset;            /* of the struct's field */
	size_t max;               /* TEXT: size of the array; BINARY: most octets */
	const char *const *names; /* ENUM: ended by NULL */
};

#define LK_JSON_FIELD(structure, field, name, type, need)                         \
	{                                                                         \
		name, LK_JSON_##type, LK_JSON_##need, offsetof(structure, field), \
			sizeof(((structure *)NULL)->field), NULL                  \
	}
#define LK_JSON_BINARY_FIELD(structure, field, name, need, most)                             \
	{                                                                                    \
		name, LK_JSON_BINARY, LK_JSON_##need, offsetof(structure, field), most, NULL \
	}
#define LK_JSON_ENUM_FIELD(structure, field, name, need, names)                          \
	{                                                                                \
		name, LK_JSON_ENUM, LK_JSON_##need, offsetof(structure, field), 0, names \
	}

enum lk_json_unknown { LK_JSON_IGNORE_UNKNOWN, LK_JSON_REFUSE_UNKNOWN };

struct lk_json_table {
	const char *what; /* "voucher": names the object in messages */
	const struct lk_json_field *fields;
	size_t n;              /* at most 32 */
	size_t present_offset; /* of the uint32_t with a bit per field */
	enum lk_reason reason; /* of a missing or malformed member */
	enum lk_json_unknown unknown;
};

/* One JSON text, an object. Caller decrefs. LK_R_JSON_*. */
LK_RESULT lk_json_parse(struct lk_slice in, json_t **ret, struct lk_err *e);
/* The same with another maximum, for a text that carries a file. */
LK_RESULT lk_json_parse_max(struct lk_slice in, size_t max, json_t **ret, struct lk_err *e);
/* As above, for YANG data: an object with `root` ("ietf-voucher:voucher") as its only member,
 * whose value, again an object, is returned. Caller decrefs. */
LK_RESULT lk_json_parse_yang(struct lk_slice in, const char *root, json_t **ret, struct lk_err *e);

/* Fills the struct at dst by the table. On failure free what was filled with lk_json_done(). */
LK_RESULT lk_json_read(
	const struct lk_json_table *t, const json_t *obj, void *dst, struct lk_err *e);
/* The object of what is present in src. Caller decrefs. */
LK_RESULT lk_json_write(
	const struct lk_json_table *t, const void *src, json_t **ret, struct lk_err *e);
/* Frees the table's BINARY fields. */
void lk_json_done(const struct lk_json_table *t, void *dst);

/* Compact text, members in the order they were set. Appends to out. */
LK_RESULT lk_json_print(const json_t *obj, struct lk_buf *out, struct lk_err *e);
/* The text of an object with `root` as its only member. */
LK_RESULT lk_json_print_yang(
	const json_t *obj, const char *root, struct lk_buf *out, struct lk_err *e);

/* A line for a person, "name: value"; strings with anything but printable ASCII in them are
 * written as JSON, so that foreign text forges no line. Appends to out. */
LK_RESULT lk_json_print_line(
	const char *name, const json_t *value, struct lk_buf *out, struct lk_err *e);

/* obj[name] = value, and obj is what the caller goes on with; value's reference is taken. */
LK_RESULT lk_json_set(json_t *obj, const char *name, json_t *value, struct lk_err *e);

static inline bool
lk_json_has(uint32_t present, unsigned field)
{
	return present & UINT32_C(1) << field;
}
