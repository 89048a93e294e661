/* SPDX-License-Identifier: Apache-2.0
 *
 * Values by table: set from text, printed as text. inih splits the lines.
 */
#include "role/config.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/number.h"
#include "base/reason.h"
#include "ipc/pack.h"

#define FILE_MAX  (256 * 1024)
#define FILES_MAX 64 /* in a main file's folder */

const char *const lk_config_log_levels[] = { "debug", "info", "notice", "warning", "error", NULL };
const char *const lk_config_log_formats[] = { "text", "json", NULL };

/* --- one value -------------------------------------------------------------------------------- */

static struct lk_result
set_choice(const struct lk_config_key *k, const char *text, unsigned *ret, struct lk_err *e)
{
	unsigned i;

	for (i = 0; k->choices[i]; i++)
		if (strcmp(k->choices[i], text) == 0) {
			*ret = i;
			return LK_OK;
		}
	return lk_fail(e, LK_R_CONFIG_VALUE, "there is no choice '%s'", text);
}

static struct lk_result
set_duration(const struct lk_config_key *k, const char *text, int64_t *ret, struct lk_err *e)
{
	int64_t v;

	LK_TRY(lk_parse_duration(lk_slice_str(text), "the value", &v, e));
	LK_REQUIRE((uint64_t)v >= k->min && (uint64_t)v <= k->max, e, LK_R_CONFIG_VALUE,
		"the value is %s, want %" PRIu64 " to %" PRIu64 " seconds", text, k->min, k->max);
	*ret = v;
	return LK_OK;
}

static struct lk_result
set_bool(const char *text, bool *ret, struct lk_err *e)
{
	bool yes = strcmp(text, "yes") == 0;

	LK_REQUIRE(yes || strcmp(text, "no") == 0, e, LK_R_CONFIG_VALUE,
		"the value is '%s', want yes or no", text);
	*ret = yes;
	return LK_OK;
}

static struct lk_result
set_field(const struct lk_config_key *k, const char *text, void *field, struct lk_err *e)
{
	switch (k->type) {
	case LK_CONFIG_TYPE_TEXT:
		return lk_slice_to_str(lk_slice_str(text), "the value", field, k->size, e);
	case LK_CONFIG_TYPE_U32:
		return lk_parse_u32(lk_slice_str(text), "the value", (uint32_t)k->min,
			(uint32_t)k->max, field, e);
	case LK_CONFIG_TYPE_DURATION:
		return set_duration(k, text, field, e);
	case LK_CONFIG_TYPE_BOOL:
		return set_bool(text, field, e);
	case LK_CONFIG_TYPE_CHOICE:
		return set_choice(k, text, field, e);
	}
	return lk_fail(e, LK_R_BUG, "there is no type %d", (int)k->type);
}

/* Whatever is wrong with a value is one reason, and names the key. */
static struct lk_result
set_value(const struct lk_config_key *k, const char *text, void *values, struct lk_err *e)
{
	struct lk_err why = { .reason = LK_R_NONE };

	if (set_field(k, text, (char *)values + k->offset, &why).ok)
		return LK_OK;
	return lk_fail(e, LK_R_CONFIG_VALUE, "[%s] %s: %s", k->section, k->key, why.msg);
}

static struct lk_result
print_duration(int64_t v, struct lk_buf *out, struct lk_err *e)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;

	while (v % units[i].seconds || (v == 0 && units[i].unit != 's'))
		i++;
	return lk_buf_printf(out, e, "%" PRId64 "%c", v / units[i].seconds, units[i].unit);
}

static struct lk_result
print_value(const struct lk_config_key *k, const void *values, struct lk_buf *out, struct lk_err *e)
{
	const void *field = (const char *)values + k->offset;

	switch (k->type) {
	case LK_CONFIG_TYPE_TEXT:
		return lk_buf_append_str(out, field, e);
	case LK_CONFIG_TYPE_U32:
		return lk_buf_printf(out, e, "%" PRIu32, *(const uint32_t *)field);
	case LK_CONFIG_TYPE_DURATION:
		return print_duration(*(const int64_t *)field, out, e);
	case LK_CONFIG_TYPE_BOOL:
		return lk_buf_append_str(out, *(const bool *)field ? "yes" : "no", e);
	case LK_CONFIG_TYPE_CHOICE:
		return lk_buf_append_str(out, k->choices[*(const unsigned *)field], e);
	}
	return lk_fail(e, LK_R_BUG, "there is no type %d", (int)k->type);
}

struct lk_result
lk_config_defaults(const struct lk_config_spec *spec, void *values, struct lk_err *e)
{
	size_t i;

	memset(values, 0, spec->size);
	for (i = 0; i < spec->n_keys; i++)
		LK_TRY(set_value(&spec->keys[i], spec->keys[i].fallback, values, e));
	return LK_OK;
}

/* --- which key -------------------------------------------------------------------------------- */

static const struct lk_config_key *
find_key(const struct lk_config_spec *spec, const char *section, const char *name)
{
	size_t i;

	for (i = 0; i < spec->n_keys; i++)
		if (strcmp(spec->keys[i].section, section) == 0 &&
			strcmp(spec->keys[i].key, name) == 0)
			return &spec->keys[i];
	return NULL;
}

#define NAME_MAX_BYTES 128 /* of "section.key" */

/* How many letters must change to make b of a (Levenshtein). */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_BYTES], before, above, i, j;

	for (j = 0; j <= strlen(b); j++)
		row[j] = j;
	for (i = 1; i <= strlen(a); i++) {
		before = row[0];
		row[0] = i;
		for (j = 1; j <= strlen(b); j++) {
			above = row[j];
			row[j] = before + (a[i - 1] != b[j - 1]);
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			before = above;
		}
	}
	return row[strlen(b)];
}

static const struct lk_config_key *
nearest_key(const struct lk_config_spec *spec, const char *section, const char *name)
{
	const struct lk_config_key *best = &spec->keys[0];
	char want[NAME_MAX_BYTES], have[NAME_MAX_BYTES];
	unsigned least = UINT_MAX, d;
	size_t i;

	snprintf(want, sizeof want, "%s.%s", section, name);
	for (i = 0; i < spec->n_keys; i++) {
		snprintf(have, sizeof have, "%s.%s", spec->keys[i].section, spec->keys[i].key);
		d = distance(want, have);
		if (d < least) {
			least = d;
			best = &spec->keys[i];
		}
	}
	return best;
}

/* --- a file ----------------------------------------------------------------------------------- */

struct reading {
	const struct lk_config_spec *spec;
	const char *name;
	struct lk_slice rest; /* lines not read yet */
	unsigned line;
	bool indented;  /* the line starts with a blank */
	bool continued; /* an indented line continues the last key: there is one in this section */
	bool *seen;     /* by key */
	char *values;
	char text[LK_CONFIG_VALUE_MAX]; /* of the last key */
	bool failed;
	struct lk_err *e;
};

/* Remembers the first failure only. */
static void
reading_fail(struct reading *r, const struct lk_err *why)
{
	if (!r->failed && r->e) {
		*r->e = *why;
		lk_err_prefix(r->e, "%s:%u", r->name, r->line);
	}
	r->failed = true;
}

/* inih's fgets(). It would cut a long line in two; here that is an error. */
static char *
next_line(char *dst, int cap, void *stream)
{
	struct reading *r = stream;
	const uint8_t *end;
	struct lk_err why;
	size_t n;

	if (r->rest.n == 0 || r->failed)
		return NULL;
	end = memchr(r->rest.p, '\n', r->rest.n);
	n = end ? (size_t)(end - r->rest.p) + 1 : r->rest.n;
	r->line++;
	if (n >= (size_t)cap || memchr(r->rest.p, 0, n)) {
		lk_err_set(&why, LK_R_CONFIG_SYNTAX, "the line has %zu bytes, at most %d are taken",
			n, cap - 1);
		if (n < (size_t)cap)
			lk_err_set(&why, LK_R_CONFIG_SYNTAX, "the line has a NUL character");
		reading_fail(r, &why);
		return NULL;
	}
	memcpy(dst, r->rest.p, n);
	dst[n] = 0;
	r->indented = dst[0] == ' ' || dst[0] == '\t';
	if (dst[0] == '[')
		r->continued = false;
	r->rest = lk_slice(r->rest.p + n, r->rest.n - n);
	return dst;
}

static struct lk_result
take_value(struct reading *r, const char *section, const char *name, const char *value,
	struct lk_err *e)
{
	const struct lk_config_key *k = find_key(r->spec, section, name), *near;
	bool continues = r->indented && r->continued;
	size_t n = continues ? strlen(r->text) : 0;

	if (!k) {
		near = nearest_key(r->spec, section, name);
		return lk_fail(e, LK_R_CONFIG_UNKNOWN,
			"there is no key '%s' in [%s]; the nearest is '%s' in [%s]", name, section,
			near->key, near->section);
	}
	LK_REQUIRE(continues || !r->seen[k - r->spec->keys], e, LK_R_CONFIG_DUPLICATE,
		"'%s' in [%s] stands here twice", name, section);
	r->seen[k - r->spec->keys] = r->continued = true;
	LK_REQUIRE(n + strlen(value) < sizeof r->text, e, LK_R_CONFIG_VALUE,
		"[%s] %s: the value has more than %zu bytes", section, name, sizeof r->text - 1);
	memcpy(r->text + n, value, strlen(value) + 1);
	return set_value(k, r->text, r->values, e);
}

static int
on_value(void *ctx, const char *section, const char *name, const char *value)
{
	struct reading *r = ctx;
	struct lk_err why = { .reason = LK_R_NONE };

	if (!r->failed && !take_value(r, section, name, value, &why).ok)
		reading_fail(r, &why);
	return 1;
}

struct lk_result
lk_config_parse(const struct lk_config_spec *spec, const char *name, struct lk_slice text,
	void *values, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) bool *seen = calloc(spec->n_keys, sizeof *seen);
	LK_CLEANUP(lk_freep) char *copy = malloc(spec->size);
	struct reading r = {
		.spec = spec, .name = name, .rest = text, .seen = seen, .values = copy, .e = e
	};
	int line;

	LK_REQUIRE(seen && copy, e, LK_R_NOMEM, "no memory for the configuration");
	memcpy(copy, values, spec->size);
	line = ini_parse_stream(next_line, &r, on_value, &r);
	/* inih goes on behind a line that it cannot read: the first fault counts. */
	LK_REQUIRE(line == 0 || (r.failed && r.line <= (unsigned)line), e, LK_R_CONFIG_SYNTAX,
		"%s:%d: neither [section] nor key = value", name, line);
	if (r.failed)
		return (struct lk_result){ false };
	memcpy(values, copy, spec->size);
	return LK_OK;
}

static struct lk_result
read_file(const struct lk_config_spec *spec, const char *file, void *values, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(FILE_MAX);

	LK_TRY(lk_file_read(file, &text, e));
	return lk_config_parse(spec, file, lk_buf_slice(&text), values, e);
}

static int
is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

/* All *.conf of a folder, which may be missing, in the order of their names. */
static struct lk_result
read_folder(const struct lk_config_spec *spec, const char *dir, void *values, struct lk_err *e)
{
	struct dirent **names;
	char path[PATH_MAX];
	bool ok = true;
	int i, n;

	n = scandir(dir, &names, is_conf, alphasort);
	if (n < 0 && errno == ENOENT)
		return LK_OK;
	/* What tightens the main file may stand there. */
	LK_REQUIRE(n >= 0, e, LK_R_FILE_IO, "%s cannot be read: %s", dir, strerror(errno));
	for (i = 0; i < n; i++) {
		ok = ok && lk_path_join(dir, names[i]->d_name, path, sizeof path, e).ok &&
		     read_file(spec, path, values, e).ok;
		free(names[i]);
	}
	free(names);
	return (struct lk_result){ ok };
}

static struct lk_result
read_all(const struct lk_config_spec *spec, const char *file, bool may_be_missing, void *values,
	struct lk_err *e)
{
	LK_CLEANUP(lk_freep) char *copy = malloc(spec->size);
	struct lk_err why = { .reason = LK_R_NONE };
	char dir[PATH_MAX];

	LK_REQUIRE(copy, e, LK_R_NOMEM, "no memory for the configuration");
	memcpy(copy, values, spec->size);
	LK_REQUIRE((size_t)snprintf(dir, sizeof dir, "%s.d", file) < sizeof dir, e, LK_R_TOO_LARGE,
		"the path %s is too long", file);
	if (!read_file(spec, file, copy, &why).ok &&
		!(may_be_missing && why.reason == LK_R_FILE_MISSING)) {
		if (e)
			*e = why;
		return (struct lk_result){ false };
	}
	LK_TRY(read_folder(spec, dir, copy, e));
	memcpy(values, copy, spec->size);
	return LK_OK;
}

struct lk_result
lk_config_read(const struct lk_config_spec *spec, const char *file, void *values, struct lk_err *e)
{
	return read_all(spec, file, false, values, e);
}

/* --- printing --------------------------------------------------------------------------------- */

/* Whether a key is the first of its section; keys of one section stand together. */
static bool
opens_section(const struct lk_config_spec *spec, size_t i)
{
	return i == 0 || strcmp(spec->keys[i - 1].section, spec->keys[i].section) != 0;
}

struct lk_result
lk_config_print(
	const struct lk_config_spec *spec, const void *values, struct lk_buf *out, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < spec->n_keys; i++) {
		const struct lk_config_key *k = &spec->keys[i];

		if (opens_section(spec, i))
			LK_TRY(lk_buf_printf(out, e, "%s[%s]\n", i ? "\n" : "", k->section));
		LK_TRY(lk_buf_printf(out, e, "# %s\n%s = ", k->help, k->key));
		LK_TRY(print_value(k, values, out, e));
		LK_TRY(lk_buf_append_str(out, "\n", e));
	}
	return LK_OK;
}

/* What may be written, in the words of the manual. */
static struct lk_result
describe_type(const struct lk_config_key *k, struct lk_buf *out, struct lk_err *e)
{
	size_t i;

	switch (k->type) {
	case LK_CONFIG_TYPE_TEXT:
		return lk_buf_printf(out, e, "up to %zu bytes", k->size - 1);
	case LK_CONFIG_TYPE_U32:
		return lk_buf_printf(out, e, "%" PRIu64 " to %" PRIu64, k->min, k->max);
	case LK_CONFIG_TYPE_DURATION:
		LK_TRY(lk_buf_append_str(out, "a time from ", e));
		LK_TRY(print_duration((int64_t)k->min, out, e));
		LK_TRY(lk_buf_append_str(out, " to ", e));
		return print_duration((int64_t)k->max, out, e);
	case LK_CONFIG_TYPE_BOOL:
		return lk_buf_append_str(out, "yes or no", e);
	case LK_CONFIG_TYPE_CHOICE:
		for (i = 0; k->choices[i]; i++)
			LK_TRY(lk_buf_printf(out, e, "%s%s", i ? ", " : "", k->choices[i]));
		return LK_OK;
	}
	return lk_fail(e, LK_R_BUG, "there is no type %d", (int)k->type);
}

/* Backslashes and hyphens mean something to man(7). */
static struct lk_result
append_man(const char *text, struct lk_buf *out, struct lk_err *e)
{
	for (; *text; text++) {
		if (*text == '-' || *text == '\\')
			LK_TRY(lk_buf_append_str(out, *text == '-' ? "\\" : "\\e", e));
		if (*text != '\\')
			LK_TRY(lk_buf_append(out, lk_slice(text, 1), e));
	}
	return LK_OK;
}

struct lk_result
lk_config_describe(const struct lk_config_spec *spec, struct lk_buf *out, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < spec->n_keys; i++) {
		const struct lk_config_key *k = &spec->keys[i];

		if (opens_section(spec, i))
			LK_TRY(lk_buf_printf(out, e, ".SS [%s]\n", k->section));
		LK_TRY(lk_buf_printf(out, e, ".TP\n.B %s\n", k->key));
		LK_TRY(append_man(k->help, out, e));
		LK_TRY(lk_buf_append_str(out, "\nTakes ", e));
		LK_TRY(describe_type(k, out, e));
		LK_TRY(lk_buf_append_str(out, *k->fallback ? "; default: " : "; default: none", e));
		LK_TRY(append_man(k->fallback, out, e));
		LK_TRY(lk_buf_append_str(out, ".\n", e));
	}
	return LK_OK;
}

/* --- supervisor to role ----------------------------------------------------------------------- */

struct lk_result
lk_config_pack(
	const struct lk_config_spec *spec, const void *values, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf value = LK_BUF_INIT(LK_CONFIG_VALUE_MAX);
	struct lk_pack p = lk_pack_init(out, e);
	size_t i;

	for (i = 0; i < spec->n_keys; i++) {
		lk_buf_clear(&value);
		LK_TRY(print_value(&spec->keys[i], values, &value, e));
		LK_TRY(lk_pack_text(&p, spec->keys[i].section));
		LK_TRY(lk_pack_text(&p, spec->keys[i].key));
		LK_TRY(lk_pack_bytes(&p, lk_buf_slice(&value)));
	}
	return LK_OK;
}

struct lk_result
lk_config_unpack(
	const struct lk_config_spec *spec, struct lk_slice in, void *values, struct lk_err *e)
{
	struct lk_unpack u = lk_unpack_init("configuration", in, e);
	char section[NAME_MAX_BYTES], name[NAME_MAX_BYTES], value[LK_CONFIG_VALUE_MAX];
	const struct lk_config_key *k;

	LK_TRY(lk_config_defaults(spec, values, e));
	while (u.rest.n) {
		LK_TRY(lk_unpack_text(&u, section, sizeof section));
		LK_TRY(lk_unpack_text(&u, name, sizeof name));
		LK_TRY(lk_unpack_text(&u, value, sizeof value));
		k = find_key(spec, section, name);
		LK_REQUIRE(k, e, LK_R_IPC_MALFORMED, "configuration: there is no key '%s' in [%s]",
			name, section);
		LK_TRY(set_value(k, value, values, e));
	}
	return LK_OK;
}

/* --- the command line ------------------------------------------------------------------------- */

static struct lk_result
take_option(int option, struct lk_config_args *a, struct lk_err *e)
{
	switch (option) {
	case 'c':
		a->file = optarg;
		return LK_OK;
	case 's':
		a->state_dir = optarg;
		return LK_OK;
	case 'r':
		a->runtime_dir = optarg;
		return LK_OK;
	case 'a':
		a->accept_rollback = true;
		return LK_OK;
	case 'k':
		a->mode = LK_CONFIG_CHECK;
		return LK_OK;
	case 'p':
		a->mode = LK_CONFIG_PRINT;
		return LK_OK;
	case 'h':
		a->mode = LK_CONFIG_HELP;
		return LK_OK;
	case 'V':
		a->mode = LK_CONFIG_VERSION;
		return LK_OK;
	case 'R':
		a->role = optarg;
		return LK_OK;
	case 'I':
		return lk_parse_u32(lk_slice_str(optarg), "--index", 0, UINT16_MAX, &a->index, e);
	default:
		return lk_fail(e, LK_R_USAGE, "an option is unknown or lacks its value");
	}
}

struct lk_result
lk_config_args(int argc, char *const argv[], struct lk_config_args *ret, struct lk_err *e)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "state-dir", required_argument, NULL, 's' },
		{ "runtime-dir", required_argument, NULL, 'r' },
		{ "accept-rollback", no_argument, NULL, 'a' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "print-defaults", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "role", required_argument, NULL, 'R' },
		{ "index", required_argument, NULL, 'I' },
		{ NULL, 0, NULL, 0 },
	};
	struct lk_config_args a = { .mode = LK_CONFIG_RUN };
	int option;

	optind = 0; /* glibc: from the start */
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+h", options, NULL)) != -1)
		if (!take_option(option, &a, e).ok) {
			lk_err_prefix(e, "%s", argv[optind - 1]);
			return (struct lk_result){ false };
		}
	LK_REQUIRE(optind == argc, e, LK_R_USAGE, "'%s' is not an option", argv[optind]);
	*ret = a;
	return LK_OK;
}

struct lk_result
lk_config_load(const struct lk_config_spec *spec, const struct lk_config_args *args, void *values,
	struct lk_err *e)
{
	const struct {
		const char *key, *value;
	} over[] = { { "state_dir", args->state_dir }, { "runtime_dir", args->runtime_dir } };
	size_t i;

	LK_TRY(lk_config_defaults(spec, values, e));
	LK_TRY(read_all(spec, args->file ? args->file : spec->file, !args->file, values, e));
	for (i = 0; i < LK_ARRAY_LEN(over); i++)
		if (over[i].value)
			LK_TRY(set_value(
				find_key(spec, "paths", over[i].key), over[i].value, values, e));
	return spec->check ? spec->check(values, e) : LK_OK;
}
