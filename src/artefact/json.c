/* SPDX-License-Identifier: Apache-2.0
 *
 * The table-driven reader and writer, side by side.
 */
#include "artefact/json.h"

#include <assert.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/number.h"

#define U64_MAX_EXACT ((UINT64_C(1) << 53) - 1) /* RFC 8259 6 */

/* Refuses a nesting bomb before the parser recurses into it. Strings are skipped; whether the
 * text is JSON at all is the parser's to say. */
static struct lk_result
check_depth(struct lk_slice in, struct lk_err *e)
{
	bool in_string = false, escaped = false;
	unsigned depth = 0;
	size_t i;

	for (i = 0; i < in.n; i++) {
		uint8_t c = in.p[i];

		if (in_string) {
			in_string = escaped || c != '"';
			escaped = !escaped && c == '\\';
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			/*= RFC8259 9: a parser sets a limit on the depth of nesting =*/
			LK_REQUIRE(++depth <= LK_JSON_DEPTH_MAX, e, LK_R_JSON_DEPTH,
				"nested more than %d deep at offset %zu", LK_JSON_DEPTH_MAX, i);
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return LK_OK;
}

struct lk_result
lk_json_parse_max(struct lk_slice in, size_t max, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	json_error_t je;

	LK_REQUIRE(in.n <= max, e, LK_R_TOO_LARGE,
		"a JSON text of %zu bytes, at most %zu are taken", in.n, max);
	LK_TRY(check_depth(in, e));
	/*= RFC8259 4: names within an object are unique =*/
	obj = json_loadb((const char *)in.p, in.n, JSON_REJECT_DUPLICATES, &je);
	LK_REQUIRE(obj || json_error_code(&je) != json_error_duplicate_key, e, LK_R_JSON_DUPLICATE,
		"a member occurs twice near line %d, column %d", je.line, je.column);
	LK_REQUIRE(obj, e, LK_R_JSON_SYNTAX, "line %d, column %d: %s", je.line, je.column, je.text);
	LK_REQUIRE(json_is_object(obj), e, LK_R_JSON_SYNTAX, "the JSON text is not an object");
	*ret = LK_TAKE(obj);
	return LK_OK;
}

struct lk_result
lk_json_parse(struct lk_slice in, json_t **ret, struct lk_err *e)
{
	return lk_json_parse_max(in, LK_JSON_MAX, ret, e);
}

struct lk_result
lk_json_parse_yang(struct lk_slice in, const char *root, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	json_t *inner;

	LK_TRY(lk_json_parse(in, &obj, e));
	inner = json_object_get(obj, root);
	/*= RFC7951 4: the top-level member's name carries the module's name =*/
	LK_REQUIRE(inner && json_object_size(obj) == 1, e, LK_R_JSON_MEMBER,
		"the only member should be \"%s\"", root);
	LK_REQUIRE(json_is_object(inner), e, LK_R_JSON_MEMBER, "\"%s\" is not an object", root);
	*ret = json_incref(inner);
	return LK_OK;
}

static struct lk_slice
text_of(const json_t *v)
{
	return lk_slice(json_string_value(v), json_string_length(v));
}

static struct lk_result
read_enum(const struct lk_json_field *f, const json_t *v, int *ret, struct lk_err *e)
{
	int i;

	LK_REQUIRE(json_is_string(v), e, LK_R_JSON_MEMBER, "not a string");
	for (i = 0; f->names[i]; i++)
		if (strcmp(f->names[i], json_string_value(v)) == 0) {
			*ret = i;
			return LK_OK;
		}
	return lk_fail(
		e, LK_R_JSON_MEMBER, "\"%.40s\" is not a value it can have", json_string_value(v));
}

static struct lk_result
read_binary(const struct lk_json_field *f, const json_t *v, struct lk_buf *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(f->max);

	LK_REQUIRE(json_is_string(v), e, LK_R_JSON_MEMBER, "not a string");
	/*= RFC7951 6.6: binary is base64 =*/
	LK_TRY(lk_base64_decode(text_of(v), LK_BASE64_STRICT, &b, e));
	*ret = b;
	b = LK_BUF_INIT(0);
	return LK_OK;
}

static struct lk_result
read_u64(const json_t *v, uint64_t *ret, struct lk_err *e)
{
	if (json_is_string(v))
		return lk_parse_u64(text_of(v), "the number", 0, U64_MAX_EXACT, ret, e);
	LK_REQUIRE(json_is_integer(v) && json_integer_value(v) >= 0 &&
			   (uint64_t)json_integer_value(v) <= U64_MAX_EXACT,
		e, LK_R_JSON_MEMBER, "not a whole number from 0 to 2^53-1");
	*ret = (uint64_t)json_integer_value(v);
	return LK_OK;
}

static struct lk_result
read_field(const struct lk_json_field *f, const json_t *v, void *at, struct lk_err *e)
{
	switch (f->type) {
	case LK_JSON_TEXT:
		LK_REQUIRE(json_is_string(v), e, LK_R_JSON_MEMBER, "not a string");
		return lk_slice_to_str(text_of(v), "the string", at, f->max, e);
	case LK_JSON_TIME:
		LK_REQUIRE(json_is_string(v), e, LK_R_JSON_MEMBER, "not a string");
		return lk_time_parse(text_of(v), at, e);
	case LK_JSON_BINARY:
		return read_binary(f, v, at, e);
	case LK_JSON_BOOL:
		LK_REQUIRE(json_is_boolean(v), e, LK_R_JSON_MEMBER, "not true or false");
		*(bool *)at = json_is_true(v);
		return LK_OK;
	case LK_JSON_ENUM:
		return read_enum(f, v, at, e);
	case LK_JSON_U64:
		return read_u64(v, at, e);
	}
	return lk_fail(e, LK_R_BUG, "there is no JSON type %d", (int)f->type);
}

static json_t *
write_binary(const struct lk_buf *in)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(LK_JSON_MAX);

	if (!lk_base64_encode(lk_buf_slice(in), &b, NULL).ok)
		return NULL;
	return json_stringn(lk_buf_str(&b), b.n);
}

static json_t *
write_field(const struct lk_json_field *f, const void *at)
{
	char time[LK_TIME_TEXT_MAX];

	switch (f->type) {
	case LK_JSON_TEXT:
		return json_string(at);
	case LK_JSON_TIME:
		lk_time_print(*(const int64_t *)at, time);
		return json_string(time);
	case LK_JSON_BINARY:
		return write_binary(at);
	case LK_JSON_BOOL:
		return json_boolean(*(const bool *)at);
	case LK_JSON_ENUM:
		return json_string(f->names[*(const int *)at]);
	case LK_JSON_U64:
		return json_integer((json_int_t) * (const uint64_t *)at);
	}
	return NULL;
}

static const struct lk_json_field *
find(const struct lk_json_table *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (strcmp(t->fields[i].name, name) == 0)
			return &t->fields[i];
	return NULL;
}

/* What is wrong with a member is told under the artefact's own reason and the member's name;
 * the size limits keep theirs. */
static struct lk_result
fail_field(const struct lk_json_table *t, const char *name, struct lk_err *e)
{
	lk_err_prefix(e, "%s's %.40s", t->what, name);
	if (e && e->reason != LK_R_TOO_LARGE && e->reason != LK_R_NOMEM)
		e->reason = t->reason;
	return (struct lk_result){ false };
}

struct lk_result
lk_json_read(const struct lk_json_table *t, const json_t *obj, void *dst, struct lk_err *e)
{
	uint32_t *present = (uint32_t *)((char *)dst + t->present_offset);
	const char *name;
	json_t *v;
	size_t i;

	assert(t->n <= 32);
	json_object_foreach ((json_t *)(uintptr_t)obj, name, v) {
		const struct lk_json_field *f = find(t, name);

		LK_REQUIRE(f || t->unknown == LK_JSON_IGNORE_UNKNOWN, e, t->reason,
			"%s has an unknown member \"%.40s\"", t->what, name);
		if (!f)
			continue;
		if (!read_field(f, v, (char *)dst + f->offset, e).ok)
			return fail_field(t, name, e);
		*present |= UINT32_C(1) << (f - t->fields);
	}
	for (i = 0; i < t->n; i++)
		LK_REQUIRE(
			t->fields[i].need == LK_JSON_OPTIONAL || lk_json_has(*present, (unsigned)i),
			e, t->reason, "%s has no %s", t->what, t->fields[i].name);
	return LK_OK;
}

struct lk_result
lk_json_write(const struct lk_json_table *t, const void *src, json_t **ret, struct lk_err *e)
{
	uint32_t present = *(const uint32_t *)((const char *)src + t->present_offset);
	LK_CLEANUP(json_decrefp) json_t *obj = json_object();
	size_t i;

	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for JSON");
	for (i = 0; i < t->n; i++) {
		const struct lk_json_field *f = &t->fields[i];

		LK_REQUIRE(f->need == LK_JSON_OPTIONAL || lk_json_has(present, (unsigned)i), e,
			t->reason, "%s has no %s", t->what, f->name);
		if (!lk_json_has(present, (unsigned)i))
			continue;
		if (!lk_json_set(obj, f->name, write_field(f, (const char *)src + f->offset), e).ok)
			return fail_field(t, f->name, e);
	}
	*ret = LK_TAKE(obj);
	return LK_OK;
}

void
lk_json_done(const struct lk_json_table *t, void *dst)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->fields[i].type == LK_JSON_BINARY)
			lk_buf_done((struct lk_buf *)((char *)dst + t->fields[i].offset));
}

struct lk_result
lk_json_set(json_t *obj, const char *name, json_t *value, struct lk_err *e)
{
	LK_REQUIRE(value && json_object_set_new(obj, name, value) == 0, e, LK_R_JSON_MEMBER,
		"\"%s\" cannot be written: no memory, or not UTF-8", name);
	return LK_OK;
}

struct lk_result
lk_json_print(const json_t *obj, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) char *text = json_dumps(obj, JSON_COMPACT);

	LK_REQUIRE(text, e, LK_R_NOMEM, "no memory to print JSON");
	return lk_buf_append_str(out, text, e);
}

struct lk_result
lk_json_print_yang(const json_t *obj, const char *root, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *outer = json_object();

	LK_REQUIRE(outer, e, LK_R_NOMEM, "no memory for JSON");
	LK_TRY(lk_json_set(outer, root, json_incref((json_t *)(uintptr_t)obj), e));
	return lk_json_print(outer, out, e);
}

static bool
is_plain(const json_t *v)
{
	const char *s = json_string_value(v);

	if (!s || strlen(s) != json_string_length(v))
		return false;
	while (*s >= 0x20 && *s < 0x7f)
		s++;
	return !*s;
}

struct lk_result
lk_json_print_line(const char *name, const json_t *value, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) char *text = NULL;

	if (is_plain(value))
		return lk_buf_printf(out, e, "%s: %s\n", name, json_string_value(value));
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	LK_REQUIRE(text, e, LK_R_NOMEM, "no memory to print JSON");
	return lk_buf_printf(out, e, "%s: %s\n", name, text);
}
