/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys may live in a TPM or token, where no rename() makes many changes one, so
 * what is begun is written down first.
 */
#include "cli/init_journal.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"

#define JOURNAL_MAX (64 * 1024)
#define KEY_MARK    "key "

static struct lk_result
undo(const char *item, struct lk_err *e)
{
	if (strncmp(item, KEY_MARK, strlen(KEY_MARK)) == 0)
		return lk_key_destroy(item + strlen(KEY_MARK), e);
	return lk_file_remove(item, e);
}

struct lk_result
lk_init_recover(struct lk_init_journal *j, bool *ret_cleaned, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(JOURNAL_MAX);
	char *rest, *item;

	*ret_cleaned = false;
	j->items = LK_BUF_INIT(JOURNAL_MAX);
	if (access(j->path, F_OK) < 0 && errno == ENOENT)
		return LK_OK;
	LK_TRY(lk_file_read(j->path, &text, e));
	rest = (char *)text.p;
	while (rest && (item = strsep(&rest, "\n")))
		if (item[0])
			LK_TRY(undo(item, e));
	*ret_cleaned = true;
	return lk_file_remove(j->path, e);
}

struct lk_result
lk_init_plan_file(struct lk_init_journal *j, const char *path, struct lk_err *e)
{
	LK_REQUIRE(!strchr(path, '\n'), e, LK_R_USAGE, "a path has a line feed in it");
	LK_REQUIRE(access(path, F_OK) < 0 && errno == ENOENT, e, LK_R_FILE_EXISTS,
		"%s is there already, and nothing is overwritten", path);
	return lk_buf_printf(&j->items, e, "%s\n", path);
}

struct lk_result
lk_init_plan_key(struct lk_init_journal *j, const char *uri, struct lk_err *e)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	struct lk_err why = { .reason = LK_R_NONE };

	LK_REQUIRE(!strchr(uri, '\n'), e, LK_R_USAGE, "a key's URI has a line feed in it");
	LK_REQUIRE(!lk_key_load(uri, &key, &why).ok, e, LK_R_KEY_EXISTS,
		"%s is there already, and nothing is overwritten", uri);
	/* Only "there is none" is good news: what cannot be looked at cannot be undone either. */
	LK_REQUIRE(why.reason == LK_R_FILE_MISSING || why.reason == LK_R_KEY_MISSING, e, why.reason,
		"%s", why.msg);
	return lk_buf_printf(&j->items, e, KEY_MARK "%s\n", uri);
}

struct lk_result
lk_init_begin(const struct lk_init_journal *j, struct lk_err *e)
{
	return lk_file_create(j->path, lk_buf_slice(&j->items), 0600, e);
}

struct lk_result
lk_init_finish(const struct lk_init_journal *j, struct lk_err *e)
{
	return lk_file_remove(j->path, e);
}
