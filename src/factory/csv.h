/* SPDX-License-Identifier: Apache-2.0
 *
 * A line of comma-separated values, RFC 4180, strictly: a quote stands at the
 * beginning of a field or doubled within a quoted one, nothing follows the closing
 * one, and no field holds a line feed. Pure; memory is the struct's own.
 */
#pragma once

#include "base/slice.h"

#define LK_CSV_LINE_MAX   4096 /* octets, line feed included */
#define LK_CSV_FIELDS_MAX 16

struct lk_csv_line {
	char text[LK_CSV_LINE_MAX]; /* the fields, each ended by NUL */
	const char *field[LK_CSV_FIELDS_MAX];
	size_t n;
};

/* One line; it may end in LF or CR LF. LK_R_FACTORY_CSV; ret's content is of no use then. */
LK_RESULT lk_csv_parse(struct lk_slice in, struct lk_csv_line *ret, struct lk_err *e);
