/* SPDX-License-Identifier: Apache-2.0
 *
 * A CSV file read row by row, with its first line naming the columns. One line is
 * in memory at a time.
 */
#pragma once

#include <stdio.h>

#include "factory/csv.h"

struct lk_table_column {
	const char *name;
	bool mandatory;
	size_t offset, size; /* of the char array in the row's struct; left as it is when absent */
};

struct lk_table {
	FILE *file;
	const struct lk_table_column *columns;
	size_t n_columns;
	size_t at[LK_CSV_FIELDS_MAX]; /* field i fills columns[at[i]] */
	size_t n_fields;
	unsigned long line; /* of the row read last */
};

/* Reads the first line. Release with lk_table_close(). LK_R_FACTORY_CSV. */
LK_RESULT lk_table_open(const char *path, const struct lk_table_column *columns, size_t n,
	struct lk_table *ret, struct lk_err *e);
void lk_table_close(struct lk_table *t); /* cleanup function, too */
/* *ret_found is false behind the last row. Messages begin with the line's number. */
LK_RESULT lk_table_next(struct lk_table *t, void *row, bool *ret_found, struct lk_err *e);
/* "line N: " before what was found wrong with the row read last. */
LK_RESULT lk_table_fail(const struct lk_table *t, struct lk_err *e);
