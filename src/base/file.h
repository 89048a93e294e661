/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files: read with a maximum, replaced so that a crash leaves either the
 * old one or the new one.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "base/slice.h"

/* Appends the file's bytes to out (whose max is the limit); untouched on failure.
 * Missing: LK_R_FILE_MISSING. */
LK_RESULT lk_file_read(const char *path, struct lk_buf *out, struct lk_err *e);
/* Writes a temporary file beside it, syncs it, renames it, syncs the folder. */
LK_RESULT lk_file_replace(const char *path, struct lk_slice content, mode_t mode, struct lk_err *e);
/* As above, but never over an existing file: LK_R_FILE_EXISTS. */
LK_RESULT lk_file_create(const char *path, struct lk_slice content, mode_t mode, struct lk_err *e);
/* Removes and syncs the folder; a file that is not there is no error. */
LK_RESULT lk_file_remove(const char *path, struct lk_err *e);
/* mkdir -p, durable; existing folders keep their mode. */
LK_RESULT lk_dir_make(const char *path, mode_t mode, struct lk_err *e);
/* What was made in or removed from the folder stays so. */
LK_RESULT lk_dir_sync(const char *path, struct lk_err *e);
/* Joins folder and name into dst. */
LK_RESULT lk_path_join(const char *dir, const char *name, char *dst, size_t cap, struct lk_err *e);
/* The path as it is found from every folder. dst may be path. */
LK_RESULT lk_path_absolute(const char *path, char dst[static PATH_MAX], struct lk_err *e);
