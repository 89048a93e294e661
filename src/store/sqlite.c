/* SPDX-License-Identifier: Apache-2.0
 *
 * The store in one SQLite file: write-ahead log, synchronous=FULL, locked by one
 * process. The only file that knows SQL; it writes all of it from the tables of
 * store/record.h. A statement is prepared when it is first needed and then kept.
 *
 * It must never say that a commit succeeded before the log was synced.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/backend.h"

#define SCHEMA_VERSION 1 /* of store/record.def; see schema_steps */

#define APPLICATION_ID(owner) (0x4c4b0000 + (int)(owner)) /* "LK", in the file's header */
#define BUSY_MS               2000                        /* for a keeper that is just ending */

struct sqlite {
	struct lk_store store; /* first */
	sqlite3 *db;
	sqlite3_stmt *txn[LK_TXN_COUNT];
	sqlite3_stmt *write[LK_KIND_COUNT][LK_WRITE_COUNT];
	/* prefix, after, descending */
	sqlite3_stmt *seek[LK_INDEX_COUNT][LK_INDEX_COLUMNS_MAX + 1][2][2];
	sqlite3_stmt *count[LK_INDEX_COUNT][LK_INDEX_COLUMNS_MAX + 1];
};

static struct sqlite *
sqlite_of(struct lk_store *s)
{
	return (struct sqlite *)s;
}

/* --- SQL text --------------------------------------------------------------------------------- */

/* Made of static tables only, so that it fits is a contract and not a question of input. */
struct sql {
	char text[4096];
	size_t n;
};

LK_PRINTF(2, 3)
static void
add(struct sql *sql, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(sql->text + sql->n, sizeof sql->text - sql->n, fmt, ap);
	va_end(ap);
	assert(n >= 0 && (size_t)n < sizeof sql->text - sql->n);
	sql->n += (size_t)n;
}

/* Functions that take columns take NULL for all of the record's, in order. */
static unsigned
nth(const uint8_t *columns, unsigned i)
{
	return columns ? columns[i] : i;
}

static void
add_names(struct sql *sql, const struct lk_record_type *t, const uint8_t *columns, unsigned n,
	const char *suffix)
{
	unsigned i;

	for (i = 0; i < n; i++)
		add(sql, "%s\"%s\"%s", i ? ", " : "", t->columns[nth(columns, i)].name, suffix);
}

static void
add_marks(struct sql *sql, unsigned first, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		add(sql, "%s?%u", i ? ", " : "", first + i);
}

static void
add_equals(struct sql *sql, const struct lk_record_type *t, const uint8_t *columns, unsigned n,
	const char *between)
{
	unsigned i;

	for (i = 0; i < n; i++)
		add(sql, "%s\"%s\" = ?%u", i ? between : "", t->columns[nth(columns, i)].name,
			i + 1);
}

static void
sql_create_table(struct sql *sql, const struct lk_record_type *t)
{
	static const char *const types[] = { [LK_COLUMN_TEXT] = "TEXT",
		[LK_COLUMN_INT] = "INTEGER",
		[LK_COLUMN_BOOL] = "INTEGER",
		[LK_COLUMN_BLOB] = "BLOB" };
	unsigned i;

	add(sql, "CREATE TABLE \"%s\" (", t->name);
	for (i = 0; i < t->n_columns; i++)
		add(sql, "%s\"%s\" %s NOT NULL", i ? ", " : "", t->columns[i].name,
			types[t->columns[i].type]);
	add(sql, ") STRICT");
}

static void
sql_create_index(struct sql *sql, enum lk_index index)
{
	const struct lk_index_info *x = &lk_indexes[index];
	const struct lk_record_type *t = &lk_record_types[x->kind];
	uint8_t order[LK_ORDER_COLUMNS_MAX];
	unsigned n = lk_index_order(index, order);

	add(sql, "CREATE %s \"%s\" ON \"%s\" (", x->unique ? "UNIQUE INDEX" : "INDEX", x->name,
		t->name);
	add_names(sql, t, order, n, "");
	add(sql, ")");
}

static void
sql_write(struct sql *sql, const struct lk_record_type *t, enum lk_write how)
{
	const struct lk_index_info *key = &lk_indexes[t->key];

	if (how == LK_WRITE_REMOVE) {
		add(sql, "DELETE FROM \"%s\" WHERE ", t->name);
		add_equals(sql, t, key->columns, key->n, " AND ");
		return;
	}
	add(sql, "INSERT INTO \"%s\" (", t->name);
	add_names(sql, t, NULL, t->n_columns, "");
	add(sql, ") VALUES (");
	add_marks(sql, 1, t->n_columns);
	add(sql, ")");
	if (how == LK_WRITE_PUT) {
		/* Not INSERT OR REPLACE: that would silently delete the holder of a unique value.
		 */
		add(sql, " ON CONFLICT (");
		add_names(sql, t, key->columns, key->n, "");
		add(sql, ") DO UPDATE SET ");
		add_equals(sql, t, NULL, t->n_columns, ", ");
	}
}

/* INDEXED BY, so that a statement that would have to walk a table cannot be prepared. */
static void
sql_seek(struct sql *sql, const struct lk_scan *scan)
{
	const struct lk_index_info *x = &lk_indexes[scan->index];
	const struct lk_record_type *t = &lk_record_types[x->kind];
	uint8_t order[LK_ORDER_COLUMNS_MAX];
	unsigned n = lk_index_order(scan->index, order);
	const uint8_t *rest = order + scan->prefix;
	unsigned n_rest = n - scan->prefix;

	add(sql, "SELECT ");
	add_names(sql, t, NULL, t->n_columns, "");
	add(sql, " FROM \"%s\" INDEXED BY \"%s\"", t->name, x->name);
	if (scan->prefix || scan->after)
		add(sql, " WHERE ");
	add_equals(sql, t, order, scan->prefix, " AND ");
	if (scan->after) {
		add(sql, "%s(", scan->prefix ? " AND " : "");
		add_names(sql, t, rest, n_rest, "");
		add(sql, ") %c (", scan->descending ? '<' : '>');
		add_marks(sql, scan->prefix + 1, n_rest);
		add(sql, ")");
	}
	if (n_rest) {
		add(sql, " ORDER BY ");
		add_names(sql, t, rest, n_rest, scan->descending ? " DESC" : "");
	}
	add(sql, " LIMIT 1");
}

static void
sql_count(struct sql *sql, enum lk_index index, unsigned prefix)
{
	const struct lk_index_info *x = &lk_indexes[index];
	const struct lk_record_type *t = &lk_record_types[x->kind];

	add(sql, "SELECT count(*) FROM \"%s\" INDEXED BY \"%s\"", t->name, x->name);
	if (prefix)
		add(sql, " WHERE ");
	add_equals(sql, t, x->columns, prefix, " AND ");
}

/* --- statements ------------------------------------------------------------------------------- */

static enum lk_reason
reason_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
		return rc == SQLITE_CONSTRAINT_UNIQUE ? LK_R_RECORD_EXISTS : LK_R_BUG;
	case SQLITE_BUSY:
		return LK_R_STORE_LOCKED;
	case SQLITE_CORRUPT:
		return LK_R_STORE_CORRUPT;
	case SQLITE_NOTADB:
		return LK_R_STORE_FOREIGN;
	case SQLITE_NOMEM:
		return LK_R_NOMEM;
	case SQLITE_ERROR:
	case SQLITE_MISUSE:
	case SQLITE_RANGE:
		return LK_R_BUG;
	default:
		return LK_R_STORE_IO;
	}
}

/* The failed result of the last call on the database. */
#define fail_sqlite(q, e, what)                                                      \
	lk_fail((e), reason_of(sqlite3_extended_errcode((q)->db)), "%s: %s", (what), \
		sqlite3_errmsg((q)->db))

static struct lk_result
prepare(struct sqlite *q, const char *sql, sqlite3_stmt **ret, struct lk_err *e)
{
	if (sqlite3_prepare_v3(q->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) != SQLITE_OK)
		return fail_sqlite(q, e, sql);
	return LK_OK;
}

/* Cleanup of a statement in use: leaves it as prepared, and nothing bound to a caller's record. */
static void
finish(sqlite3_stmt **st)
{
	if (!*st)
		return;
	sqlite3_reset(*st);
	sqlite3_clear_bindings(*st);
}

static struct lk_result
bind(struct sqlite *q, sqlite3_stmt *st, const struct lk_record *r, const uint8_t *columns,
	unsigned n, struct lk_err *e)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		struct lk_value v = lk_record_value(r, nth(columns, i));
		const void *p = v.bytes.n ? v.bytes.p : (const void *)""; /* NULL would bind NULL */
		int rc = SQLITE_OK, at = (int)i + 1;

		switch (v.type) {
		case LK_COLUMN_TEXT:
			rc = sqlite3_bind_text(st, at, p, (int)v.bytes.n, SQLITE_STATIC);
			break;
		case LK_COLUMN_INT:
		case LK_COLUMN_BOOL:
			rc = sqlite3_bind_int64(st, at, v.number);
			break;
		case LK_COLUMN_BLOB:
			rc = sqlite3_bind_blob(st, at, p, (int)v.bytes.n, SQLITE_STATIC);
			break;
		}
		if (rc != SQLITE_OK)
			return fail_sqlite(q, e, r->type->columns[nth(columns, i)].name);
	}
	return LK_OK;
}

static struct lk_result
read_row(sqlite3_stmt *st, struct lk_record *r, struct lk_err *e)
{
	unsigned i;

	for (i = 0; i < r->type->n_columns; i++) {
		struct lk_value v = { .type = r->type->columns[i].type };
		int at = (int)i;

		switch (v.type) {
		case LK_COLUMN_INT:
		case LK_COLUMN_BOOL:
			v.number = sqlite3_column_int64(st, at);
			break;
		case LK_COLUMN_TEXT:
		case LK_COLUMN_BLOB:
			v.bytes.p = sqlite3_column_blob(st, at);
			v.bytes.n = (size_t)sqlite3_column_bytes(st, at);
			break;
		}
		LK_TRY(lk_record_set(r, i, v, e));
	}
	return LK_OK;
}

/* Runs statements that return nothing of interest. */
static struct lk_result
run(struct sqlite *q, const char *sql, struct lk_err *e)
{
	if (sqlite3_exec(q->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail_sqlite(q, e, sql);
	return LK_OK;
}

struct answer {
	char text[128];
	int number; /* the same, if it is one */
};

/* Asks for the first column of the first row. */
static struct lk_result
ask(struct sqlite *q, const char *sql, struct answer *ret, struct lk_err *e)
{
	sqlite3_stmt *st = NULL;
	struct lk_result r = LK_OK;

	LK_TRY(prepare(q, sql, &st, e));
	if (sqlite3_step(st) == SQLITE_ROW) {
		ret->number = sqlite3_column_int(st, 0);
		snprintf(ret->text, sizeof ret->text, "%s",
			(const char *)sqlite3_column_text(st, 0));
	} else {
		r = fail_sqlite(q, e, sql);
	}
	sqlite3_finalize(st);
	return r;
}

/* --- the operations --------------------------------------------------------------------------- */

/* A full disk makes SQLite end the whole transaction by itself. What follows must not go into the
 * file outside of one. */
static struct lk_result
require_txn(struct sqlite *q, struct lk_err *e)
{
	LK_REQUIRE(!sqlite3_get_autocommit(q->db), e, LK_R_STORE_IO,
		"the transaction was lost to an earlier failure");
	return LK_OK;
}

static void
sqlite_rollback(struct lk_store *s)
{
	struct sqlite *q = sqlite_of(s);

	if (!sqlite3_get_autocommit(q->db))
		sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
}

static struct lk_result
step_txn(struct sqlite *q, enum lk_txn_step step, struct lk_err *e)
{
	static const char *const sql[] = { [LK_TXN_BEGIN] = "BEGIN IMMEDIATE",
		[LK_TXN_COMMIT] = "COMMIT",
		[LK_TXN_SAVEPOINT] = "SAVEPOINT request",
		[LK_TXN_RELEASE] = "RELEASE request",
		[LK_TXN_ROLLBACK_TO] = "ROLLBACK TO request" };
	LK_CLEANUP(finish) sqlite3_stmt *st = NULL;

	if (!q->txn[step])
		LK_TRY(prepare(q, sql[step], &q->txn[step], e));
	st = q->txn[step];
	if (sqlite3_step(st) != SQLITE_DONE)
		return fail_sqlite(q, e, sql[step]);
	return LK_OK;
}

static struct lk_result
sqlite_txn(struct lk_store *s, enum lk_txn_step step, struct lk_err *e)
{
	struct sqlite *q = sqlite_of(s);
	struct lk_result r;

	if (step != LK_TXN_BEGIN)
		LK_TRY(require_txn(q, e));
	r = step_txn(q, step, e);
	if (r.ok && step == LK_TXN_ROLLBACK_TO)
		r = step_txn(q, LK_TXN_RELEASE, e);
	if (!r.ok && step == LK_TXN_COMMIT) /* SQLite itself does so after some failures only */
		sqlite_rollback(s);
	return r;
}

static struct lk_result
sqlite_write(struct lk_store *s, enum lk_write how, const struct lk_record *r, struct lk_err *e)
{
	struct sqlite *q = sqlite_of(s);
	const struct lk_record_type *t = r->type;
	const struct lk_index_info *key = &lk_indexes[t->key];
	sqlite3_stmt **kept = &q->write[t->kind][how];
	LK_CLEANUP(finish) sqlite3_stmt *st = NULL;

	LK_TRY(require_txn(q, e));
	if (!*kept) {
		struct sql sql = { .n = 0 };

		sql_write(&sql, t, how);
		LK_TRY(prepare(q, sql.text, kept, e));
	}
	st = *kept;
	if (how == LK_WRITE_REMOVE)
		LK_TRY(bind(q, st, r, key->columns, key->n, e));
	else
		LK_TRY(bind(q, st, r, NULL, t->n_columns, e));
	if (sqlite3_step(st) != SQLITE_DONE)
		return fail_sqlite(q, e, t->name);
	LK_REQUIRE(how != LK_WRITE_REMOVE || sqlite3_changes(q->db) == 1, e, LK_R_NO_RECORD,
		"there is no such %s", t->name);
	return LK_OK;
}

static struct lk_result
sqlite_seek(struct lk_store *s, const struct lk_scan *scan, struct lk_record *r, bool *ret_found,
	struct lk_err *e)
{
	struct sqlite *q = sqlite_of(s);
	sqlite3_stmt **kept = &q->seek[scan->index][scan->prefix][scan->after][scan->descending];
	LK_CLEANUP(lk_record_freep) struct lk_record *row = NULL;
	LK_CLEANUP(finish) sqlite3_stmt *st = NULL;
	uint8_t order[LK_ORDER_COLUMNS_MAX];
	unsigned n = lk_index_order(scan->index, order);
	int rc;

	if (!*kept) {
		struct sql sql = { .n = 0 };

		sql_seek(&sql, scan);
		LK_TRY(prepare(q, sql.text, kept, e));
	}
	st = *kept;
	LK_TRY(bind(q, st, r, order, scan->after ? n : scan->prefix, e));
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		LK_TRY(lk_record_new(r->type->kind, &row, e));
		LK_TRY(read_row(st, row, e));
		lk_record_move(r, row);
	} else if (rc != SQLITE_DONE) {
		return fail_sqlite(q, e, r->type->name);
	}
	*ret_found = rc == SQLITE_ROW;
	return LK_OK;
}

static struct lk_result
sqlite_count(struct lk_store *s, enum lk_index index, unsigned prefix, const struct lk_record *r,
	int64_t *ret, struct lk_err *e)
{
	struct sqlite *q = sqlite_of(s);
	sqlite3_stmt **kept = &q->count[index][prefix];
	LK_CLEANUP(finish) sqlite3_stmt *st = NULL;

	if (!*kept) {
		struct sql sql = { .n = 0 };

		sql_count(&sql, index, prefix);
		LK_TRY(prepare(q, sql.text, kept, e));
	}
	st = *kept;
	LK_TRY(bind(q, st, r, lk_indexes[index].columns, prefix, e));
	if (sqlite3_step(st) != SQLITE_ROW)
		return fail_sqlite(q, e, r->type->name);
	*ret = sqlite3_column_int64(st, 0);
	return LK_OK;
}

static struct lk_result
sqlite_purge(struct lk_store *s, struct lk_err *e)
{
	return run(sqlite_of(s), "PRAGMA wal_checkpoint(TRUNCATE)", e);
}

static void
sqlite_close(struct lk_store *s)
{
	struct sqlite *q = sqlite_of(s);
	sqlite3_stmt *st;

	while ((st = sqlite3_next_stmt(q->db, NULL)))
		sqlite3_finalize(st);
	sqlite3_close(q->db);
	free(q);
}

static const struct lk_store_ops ops = {
	.txn = sqlite_txn,
	.rollback = sqlite_rollback,
	.write = sqlite_write,
	.seek = sqlite_seek,
	.count = sqlite_count,
	.purge = sqlite_purge,
	.close = sqlite_close,
};

/* --- opening ---------------------------------------------------------------------------------- */

/* From nothing to the current schema. */
static struct lk_result
create_schema(struct sqlite *q, struct lk_err *e)
{
	unsigned i;

	for (i = 0; i < LK_KIND_COUNT; i++) {
		struct sql sql = { .n = 0 };

		if (!(lk_record_types[i].stores & q->store.owner))
			continue;
		sql_create_table(&sql, &lk_record_types[i]);
		LK_TRY(run(q, sql.text, e));
	}
	for (i = 0; i < LK_INDEX_COUNT; i++) {
		struct sql sql = { .n = 0 };

		if (!(lk_record_types[lk_indexes[i].kind].stores & q->store.owner))
			continue;
		sql_create_index(&sql, (enum lk_index)i);
		LK_TRY(run(q, sql.text, e));
	}
	return LK_OK;
}

/* schema_steps[v] lifts a store of schema v to v + 1; the first makes the current one at once. */
static struct lk_result (*const schema_steps[SCHEMA_VERSION])(struct sqlite *, struct lk_err *) = {
	create_schema,
};

static struct lk_result
lift_schema(struct sqlite *q, int version, struct lk_err *e)
{
	struct sql sql = { .n = 0 };

	if (version == SCHEMA_VERSION)
		return LK_OK;
	LK_TRY(run(q, "BEGIN IMMEDIATE", e));
	do
		LK_TRY(schema_steps[version](q, e));
	while (version && ++version < SCHEMA_VERSION);
	add(&sql, "PRAGMA user_version = %d; PRAGMA application_id = %d; COMMIT", SCHEMA_VERSION,
		APPLICATION_ID(q->store.owner));
	return run(q, sql.text, e);
}

/* Whose file it is, before anything in it is changed. */
static struct lk_result
identify(struct sqlite *q, int *ret_version, struct lk_err *e)
{
	const int ours = APPLICATION_ID(q->store.owner);
	struct answer application, version, tables;

	LK_TRY(ask(q, "PRAGMA application_id", &application, e));
	LK_TRY(ask(q, "PRAGMA user_version", &version, e));
	LK_TRY(ask(q, "SELECT count(*) FROM sqlite_schema", &tables, e));
	LK_REQUIRE(application.number == ours ||
			   (application.number == 0 && version.number == 0 && tables.number == 0),
		e, LK_R_STORE_FOREIGN, "its application id is %d, want %d", application.number,
		ours);
	/*= Latchkey store schema: a store of a newer schema is refused =*/
	LK_REQUIRE(version.number <= SCHEMA_VERSION, e, LK_R_STORE_NEWER,
		"its schema is %d, this program knows up to %d", version.number, SCHEMA_VERSION);
	*ret_version = version.number;
	return LK_OK;
}

static struct lk_result
set_up(struct sqlite *q, struct lk_err *e)
{
	struct answer answer;
	int version;

	sqlite3_busy_timeout(q->db, BUSY_MS);
	/*= Latchkey store: one process holds the store =*/
	LK_TRY(run(q, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF", e));
	LK_TRY(identify(q, &version, e));
	/*= Latchkey store: a commit returns when it is durable =*/
	/*= Latchkey store: what was acknowledged survives a crash =*/
	LK_TRY(ask(q, "PRAGMA journal_mode = WAL", &answer, e));
	LK_REQUIRE(strcmp(answer.text, "wal") == 0, e, LK_R_STORE_IO,
		"the file system does not allow a write-ahead log (journal mode %s)", answer.text);
	/* secure_delete: what is deleted is overwritten. cache_size: 64 MiB of pages, so that the
	 * indexes of a large store stay in memory. wal_autocheckpoint: 16 MiB of log, in which the
	 * index pages that every commit touches again are written back once. temp_store: the cage
	 * has no folder for it. */
	LK_TRY(run(q,
		"PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA cache_size = -65536;"
		"PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY",
		e));
	LK_TRY(ask(q, "PRAGMA quick_check(1)", &answer, e));
	LK_REQUIRE(strcmp(answer.text, "ok") == 0, e, LK_R_STORE_CORRUPT, "%s", answer.text);
	return lift_schema(q, version, e);
}

static void
close_sqlite(struct sqlite **q)
{
	if (*q)
		sqlite_close(&(*q)->store);
}

/* Made here because SQLite would make it readable for all. Touched only when it is new: closing
 * another descriptor of an open database drops its POSIX locks. */
static struct lk_result
make_file(const char *path, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	LK_REQUIRE(fd >= 0 || errno == EEXIST, e, LK_R_STORE_IO, "cannot make it: %s",
		strerror(errno));
	return LK_OK;
}

static struct lk_result
open_sqlite(const char *path, enum lk_store_owner owner, const struct lk_origin *origin,
	struct lk_store **ret, struct lk_err *e)
{
	LK_CLEANUP(close_sqlite) struct sqlite *q = NULL;
	int rc;

	LK_TRY(make_file(path, e));
	q = calloc(1, sizeof *q);
	LK_REQUIRE(q, e, LK_R_NOMEM, "no memory for a store");
	q->store = (struct lk_store){ .ops = &ops, .owner = owner, .origin = *origin };
	rc = sqlite3_open_v2(path, &q->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
			SQLITE_OPEN_EXRESCODE,
		NULL);
	LK_REQUIRE(rc == SQLITE_OK, e, LK_R_STORE_IO, "cannot open it: %s", sqlite3_errstr(rc));
	LK_TRY(set_up(q, e));
	*ret = &LK_TAKE(q)->store;
	return LK_OK;
}

struct lk_result
lk_store_open_sqlite(const char *path, enum lk_store_owner owner, const struct lk_origin *origin,
	struct lk_store **ret, struct lk_err *e)
{
	struct lk_result r = open_sqlite(path, owner, origin, ret, e);

	if (!r.ok)
		lk_err_prefix(e, "%s", path);
	return r;
}
