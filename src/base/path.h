/* SPDX-License-Identifier: Apache-2.0
 *
 * Which paths of an HTTP interface a row of its table stands for:
 *
 *	/.well-known/est/cacerts	that path
 *	/.well-known/est/?/cacerts	any one segment for the "?"
 *	/api/v1/			everything below it
 */
#pragma once

#include "base/slice.h"

/* ret_segment (may be NULL) is the segment that the row's "?" stands for; n is 0 without one. */
bool lk_path_fits(const char *row, const char *path, struct lk_slice *ret_segment);
/* Whether the text stands in a path, or in a query's value, as it is: RFC 3986 2.3, not empty. */
bool lk_path_is_plain(const char *text);
