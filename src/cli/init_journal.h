/* SPDX-License-Identifier: Apache-2.0
 *
 * What was begun, for a command that makes many files and keys which are of use
 * together only: `latchkey init`, `latchkey-factory ca init`. A journal names every
 * file and key that is about to be made, and is on the disk before the first of
 * them. A run that finds one left behind removes what it names and starts anew.
 */
#pragma once

#include <limits.h>

#include "crypto/key.h"

struct lk_init_journal {
	char path[PATH_MAX]; /* set by the caller, before lk_init_recover() */
	struct lk_buf items; /* lines: a path, or "key " and a URI; the caller's to release */
};

/* Removes what an interrupted run left; *ret_cleaned says whether there was one. */
LK_RESULT lk_init_recover(struct lk_init_journal *j, bool *ret_cleaned, struct lk_err *e);
/* Refuses what exists already: LK_R_FILE_EXISTS, LK_R_KEY_EXISTS. */
LK_RESULT lk_init_plan_file(struct lk_init_journal *j, const char *path, struct lk_err *e);
LK_RESULT lk_init_plan_key(struct lk_init_journal *j, const char *uri, struct lk_err *e);
LK_RESULT lk_init_begin(const struct lk_init_journal *j, struct lk_err *e);
LK_RESULT lk_init_finish(const struct lk_init_journal *j, struct lk_err *e);
