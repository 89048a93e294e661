/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of bounded length, and which field is which column.
 */
#include "factory/table.h"

#include <errno.h>

struct lk_result
lk_table_fail(const struct lk_table *t, struct lk_err *e)
{
	lk_err_prefix(e, "line %lu", t->line);
	return (struct lk_result){ false };
}

static struct lk_result
next_line(struct lk_table *t, struct lk_csv_line *ret, bool *ret_found, struct lk_err *e)
{
	char text[LK_CSV_LINE_MAX];
	size_t n;

	*ret_found = fgets(text, sizeof text, t->file);
	LK_REQUIRE(!ferror(t->file), e, LK_R_FILE_IO, "cannot read the table: %s", strerror(errno));
	if (!*ret_found)
		return LK_OK;
	t->line++;
	n = strlen(text);
	/* Short of a line feed: the file's end, a NUL, or a line that is too long. */
	if ((n == 0 || text[n - 1] != '\n') && !feof(t->file))
		lk_err_set(e, LK_R_FACTORY_CSV, "the line has a NUL or more than %d octets",
			LK_CSV_LINE_MAX - 2);
	else if (lk_csv_parse(lk_slice(text, n), ret, e).ok)
		return LK_OK;
	return lk_table_fail(t, e);
}

static struct lk_result
read_columns(struct lk_table *t, const struct lk_csv_line *line, struct lk_err *e)
{
	uint64_t seen = 0;
	size_t i, c;

	for (i = 0; i < line->n; i++) {
		for (c = 0; c < t->n_columns && strcmp(t->columns[c].name, line->field[i]) != 0;
			c++)
			;
		LK_REQUIRE(c < t->n_columns, e, LK_R_FACTORY_CSV, "line 1: there is no column '%s'",
			line->field[i]);
		LK_REQUIRE(!(seen & UINT64_C(1) << c), e, LK_R_FACTORY_CSV,
			"line 1: the column '%s' stands twice", line->field[i]);
		seen |= UINT64_C(1) << c;
		t->at[i] = c;
	}
	t->n_fields = line->n;
	for (c = 0; c < t->n_columns; c++)
		LK_REQUIRE(!t->columns[c].mandatory || seen & UINT64_C(1) << c, e, LK_R_FACTORY_CSV,
			"line 1: the column '%s' is missing", t->columns[c].name);
	return LK_OK;
}

struct lk_result
lk_table_open(const char *path, const struct lk_table_column *columns, size_t n,
	struct lk_table *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_table_close)
	struct lk_table t = { .file = fopen(path, "re"), .columns = columns, .n_columns = n };
	struct lk_csv_line line;
	bool found;

	LK_REQUIRE(t.file, e, errno == ENOENT ? LK_R_FILE_MISSING : LK_R_FILE_IO,
		"cannot open %s: %s", path, strerror(errno));
	LK_TRY(next_line(&t, &line, &found, e));
	LK_REQUIRE(found, e, LK_R_FACTORY_CSV, "%s is empty, want a line of column names", path);
	LK_TRY(read_columns(&t, &line, e));
	*ret = t;
	t.file = NULL;
	return LK_OK;
}

void
lk_table_close(struct lk_table *t)
{
	if (t->file)
		fclose(t->file);
}

static struct lk_result
fill(const struct lk_table *t, const struct lk_csv_line *line, void *row, struct lk_err *e)
{
	size_t i;

	LK_REQUIRE(line->n == t->n_fields, e, LK_R_FACTORY_CSV, "the line has %zu fields, want %zu",
		line->n, t->n_fields);
	for (i = 0; i < line->n; i++) {
		const struct lk_table_column *c = &t->columns[t->at[i]];

		LK_REQUIRE(!c->mandatory || line->field[i][0], e, LK_R_FACTORY_CSV, "%s is empty",
			c->name);
		LK_TRY(lk_slice_to_str(lk_slice_str(line->field[i]), c->name,
			(char *)row + c->offset, c->size, e));
	}
	return LK_OK;
}

struct lk_result
lk_table_next(struct lk_table *t, void *row, bool *ret_found, struct lk_err *e)
{
	struct lk_csv_line line;
	bool found;

	LK_TRY(next_line(t, &line, &found, e));
	if (found && !fill(t, &line, row, e).ok)
		return lk_table_fail(t, e);
	*ret_found = found;
	return LK_OK;
}
