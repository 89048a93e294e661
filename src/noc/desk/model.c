/* SPDX-License-Identifier: Apache-2.0
 *
 * Life of the read model: filled, emptied, committed.
 */
#include "noc/desk/model.h"

#include <limits.h>
#include <stdlib.h>

#include "base/file.h"

struct lk_model {
	char path[PATH_MAX];
	struct lk_store *store;
	bool open; /* a transaction */
	bool live;
};

/* SQLite's own files beside the database go too: a log of another database must not meet it. */
static struct lk_result
empty(struct lk_model *m, struct lk_err *e)
{
	static const char *const behind[] = { "", "-wal", "-shm" };
	const struct lk_origin origin = { .node_id = "desk" };
	char path[PATH_MAX + 8];
	size_t i;

	m->store = lk_store_close(m->store);
	m->open = m->live = false;
	for (i = 0; i < LK_ARRAY_LEN(behind); i++) {
		snprintf(path, sizeof path, "%s%s", m->path, behind[i]);
		LK_TRY(lk_file_remove(path, e));
	}
	return lk_store_open_sqlite(m->path, LK_STORE_NOC, &origin, &m->store, e);
}

struct lk_result
lk_model_new(const char *dir, struct lk_model **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_model_freep) struct lk_model *m = calloc(1, sizeof *m);

	LK_REQUIRE(m, e, LK_R_NOMEM, "no memory for the read model");
	LK_TRY(lk_path_join(dir, "model.db", m->path, sizeof m->path, e));
	LK_TRY(empty(m, e));
	*ret = LK_TAKE(m);
	return LK_OK;
}

struct lk_model *
lk_model_free(struct lk_model *m)
{
	if (m)
		lk_store_close(m->store);
	free(m);
	return NULL;
}

struct lk_result
lk_model_reset(struct lk_model *m, struct lk_err *e)
{
	return empty(m, e);
}

/* What is only ever appended is told again for one cause: its personal columns were erased. */
static struct lk_result
append(struct lk_store *s, struct lk_record *r, struct lk_err *e)
{
	struct lk_err why = { .reason = LK_R_NONE };

	if (lk_store_insert(s, r, &why).ok)
		return LK_OK;
	LK_REQUIRE(why.reason == LK_R_RECORD_EXISTS, e, why.reason, "%s", why.msg);
	return lk_store_erase(s, r, e);
}

struct lk_result
lk_model_apply(struct lk_model *m, struct lk_slice packed, bool removed, struct lk_err *e)
{
	LK_CLEANUP(lk_record_freep) struct lk_record *r = NULL;

	LK_REQUIRE(m->store, e, LK_R_API_NOT_READY, "the copy could not be emptied");
	LK_TRY(lk_record_unpack(packed, &r, e));
	if (!m->open)
		LK_TRY(lk_store_begin(m->store, e));
	m->open = true;
	if (removed)
		return lk_store_remove(m->store, r, e);
	return r->type->append_only ? append(m->store, r, e) : lk_store_put(m->store, r, e);
}

void
lk_model_live(struct lk_model *m)
{
	m->live = true;
}

bool
lk_model_is_live(const struct lk_model *m)
{
	return m->live;
}

struct lk_result
lk_model_commit(struct lk_model *m, struct lk_err *e)
{
	if (!m->open)
		return LK_OK;
	m->open = false;
	return lk_store_commit(m->store, e);
}

struct lk_store *
lk_model_store(const struct lk_model *m)
{
	return m->store;
}
