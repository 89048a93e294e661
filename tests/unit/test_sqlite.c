/* SPDX-License-Identifier: Apache-2.0
 *
 * What only the SQLite store can get wrong: durability, a foreign, newer, damaged
 * or locked file, a full disk, erased bytes that linger, and statements that walk
 * a table. What it shares with other back ends is test_store.c's.
 *
 * fsync() and fdatasync() are this program's own, so that the test sees whether a
 * commit waited for the disk, and can have the disk fail.
 */
#include "test.h"

#include "store/sqlite.c" /* its statements are looked at below */

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "store/ledger.h"

static const struct lk_origin origin = { "site-1", "node-1" };
static char dir[64];
static char path[128];
static struct lk_store *s;
static struct lk_err e;
static unsigned syncs;
static bool sync_fails;

static int
sync_call(long number, int fd)
{
	syncs++;
	if (sync_fails) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(number, fd);
}

__attribute__((visibility("default"))) int
fsync(int fd)
{
	return sync_call(SYS_fsync, fd);
}

__attribute__((visibility("default"))) int
fdatasync(int fd)
{
	return sync_call(SYS_fdatasync, fd);
}

#define set(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

static struct lk_result
open_store(void)
{
	return lk_store_open_sqlite(path, LK_STORE_NOC, &origin, &s, &e);
}

static int
setup(void **state)
{
	(void)state;
	syncs = 0;
	assert_true(open_store().ok);
	return 0;
}

static int
teardown(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
	char name[160];
	unsigned i;

	(void)state;
	sync_fails = false;
	s = lk_store_close(s);
	for (i = 0; i < LK_ARRAY_LEN(ends); i++) {
		set(name, "%s%s", path, ends[i]);
		assert_true(lk_file_remove(name, &e).ok);
	}
	return 0;
}

static void
reopen(void)
{
	s = lk_store_close(s);
	if (!open_store().ok)
		fail_msg("%s", e.msg);
}

static struct lk_result
insert(int n)
{
	struct lk_device_record d = LK_RECORD_INIT(device);

	set(d.id, "dev-%08d", n);
	set(d.manufacturer_id, "acme");
	set(d.serial, "SN%d", n);
	set(d.local_name, "lamp of room %d", n);
	d.state = n;
	return lk_store_insert(s, &d.record, &e);
}

static void
insert_range(int from, int to)
{
	int n;

	assert_true(lk_store_begin(s, &e).ok);
	for (n = from; n <= to; n++)
		assert_true(insert(n).ok);
	assert_true(lk_store_commit(s, &e).ok);
}

static int64_t
count(void)
{
	struct lk_device_record d = LK_RECORD_INIT(device);
	int64_t n;

	assert_true(lk_store_count(s, LK_DEVICE_BY_ID, 0, &d.record, &n, &e).ok);
	return n;
}

static void
test_survives_closing(void **state)
{
	struct stat st;

	(void)state;
	insert_range(1, 3);
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(insert(4).ok);
	reopen(); /* what was not committed is not there */
	assert_int_equal(count(), 3);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/*= Latchkey store: a commit returns when it is durable =*/
static void
test_commit_waits_for_the_disk(void **state)
{
	unsigned before;

	(void)state;
	insert_range(1, 1);
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(insert(2).ok);
	before = syncs;
	assert_true(lk_store_commit(s, &e).ok);
	assert_true(syncs > before);

	/* A disk that does not take it: refused, and not there, neither now nor later. */
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(insert(3).ok);
	sync_fails = true;
	assert_refused(lk_store_commit(s, &e), e, LK_R_STORE_IO);
	assert_int_equal(count(), 2);
	sync_fails = false;
	insert_range(4, 4);
	assert_int_equal(count(), 3);
	reopen();
	assert_int_equal(count(), 3);
}

static void
limit_file_size(rlim_t n)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void
test_full_disk(void **state)
{
	struct rlimit before;
	struct stat st;
	char wal[160];

	(void)state;
	insert_range(1, 3);
	set(wal, "%s-wal", path);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	limit_file_size((rlim_t)st.st_size + 100);
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(insert(4).ok);
	assert_refused(lk_store_commit(s, &e), e, LK_R_STORE_IO);
	assert_int_equal(count(), 3);
	limit_file_size(before.rlim_cur);
	insert_range(5, 5);
	reopen();
	assert_int_equal(count(), 4);
}

/* SQLite ends a transaction by itself on some failures. Nothing may then be written outside. */
static void
test_lost_transaction(void **state)
{
	(void)state;
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(insert(1).ok);
	sqlite_rollback(s); /* as SQLite would */
	assert_refused(insert(2), e, LK_R_STORE_IO);
	assert_refused(lk_store_savepoint(s, &e), e, LK_R_STORE_IO);
	assert_refused(lk_store_commit(s, &e), e, LK_R_STORE_IO);
	assert_int_equal(count(), 0);
	insert_range(3, 3);
	assert_int_equal(count(), 1);
}

/*= Latchkey store: one process holds the store =*/
static void
test_one_holder(void **state)
{
	struct lk_store *other = NULL;
	int status;
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct lk_result r = lk_store_open_sqlite(path, LK_STORE_NOC, &origin, &other, &e);

		_exit(r.ok || e.reason != LK_R_STORE_LOCKED);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	insert_range(1, 1); /* and the holder is not disturbed */
}

static void
overwrite(long offset, const void *p, size_t n)
{
	FILE *f = fopen(path, "r+b");

	assert_non_null(f);
	assert_int_equal(fseek(f, offset, SEEK_SET), 0);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

#define AT_USER_VERSION   60 /* in the header of a SQLite file, 4 bytes each */
#define AT_APPLICATION_ID 68

/*= Latchkey store schema: a store of a newer schema is refused =*/
static void
test_newer_schema(void **state)
{
	static const uint8_t newer[] = { 0, 0, 0, SCHEMA_VERSION + 1 };
	static const uint8_t ours[] = { 0, 0, 0, SCHEMA_VERSION };

	(void)state;
	insert_range(1, 2);
	s = lk_store_close(s);
	overwrite(AT_USER_VERSION, newer, sizeof newer);
	assert_refused(open_store(), e, LK_R_STORE_NEWER);
	assert_null(s);
	overwrite(AT_USER_VERSION, ours, sizeof ours);
	assert_true(open_store().ok);
	assert_int_equal(count(), 2);
}

static void
test_foreign_files(void **state)
{
	static const uint8_t foreign[] = { 1, 2, 3, 4 };
	struct lk_store *other = NULL;

	(void)state;
	s = lk_store_close(s);
	/* The store of the other program. */
	assert_refused(lk_store_open_sqlite(path, LK_STORE_MASA, &origin, &other, &e), e,
		LK_R_STORE_FOREIGN);
	assert_null(other);
	assert_true(open_store().ok);
	s = lk_store_close(s);
	/* A database of somebody else, and no database at all: left as they are. */
	overwrite(AT_APPLICATION_ID, foreign, sizeof foreign);
	assert_refused(open_store(), e, LK_R_STORE_FOREIGN);
	assert_true(lk_file_replace(path, LK_SLICE_LIT("a letter, of some length"), 0600, &e).ok);
	assert_refused(open_store(), e, LK_R_STORE_FOREIGN);
	assert_non_null(strstr(e.msg, path));
}

static void
test_bad_paths(void **state)
{
	struct lk_store *other = NULL;
	char name[160];

	(void)state;
	set(name, "%s/none/s.db", dir);
	assert_refused(
		lk_store_open_sqlite(name, LK_STORE_NOC, &origin, &other, &e), e, LK_R_STORE_IO);
	/* A link could point anywhere. */
	set(name, "%s/link", dir);
	assert_int_equal(symlink(path, name), 0);
	assert_refused(
		lk_store_open_sqlite(name, LK_STORE_NOC, &origin, &other, &e), e, LK_R_STORE_IO);
	assert_int_equal(unlink(name), 0);
	assert_null(other);
}

static void
test_damage(void **state)
{
	uint8_t noise[4096];

	(void)state;
	insert_range(1, 500);
	s = lk_store_close(s);
	memset(noise, 0x5a, sizeof noise);
	overwrite(40 * 4096, noise, sizeof noise);
	assert_refused(open_store(), e, LK_R_STORE_CORRUPT);
	assert_null(s);
}

static bool
file_contains(const char *name, const char *what)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(64 << 20);

	if (!lk_file_read(name, &b, &e).ok)
		return false;
	return b.n && memmem(b.p, b.n, what, strlen(what)) != NULL;
}

/*= SEC-20: all post-manufacture information deletable by authorized personnel =*/
static void
test_erased_bytes_are_gone(void **state)
{
	struct lk_device_record d = LK_RECORD_INIT(device);
	char wal[160];

	(void)state;
	insert_range(1, 50);
	set(wal, "%s-wal", path);
	assert_true(file_contains(wal, "lamp of room 33"));
	assert_true(lk_store_purge(s, &e).ok);
	assert_true(file_contains(path, "lamp of room 33"));
	assert_true(file_contains(path, "lamp of room 34"));
	assert_true(lk_store_begin(s, &e).ok);
	set(d.id, "dev-%08d", 33);
	assert_true(lk_store_erase(s, &d.record, &e).ok);
	set(d.id, "dev-%08d", 34);
	assert_true(lk_store_remove(s, &d.record, &e).ok);
	assert_true(lk_store_commit(s, &e).ok);
	assert_true(lk_store_purge(s, &e).ok);
	assert_false(
		file_contains(path, "lamp of room 33") || file_contains(wal, "lamp of room 33"));
	assert_false(
		file_contains(path, "lamp of room 34") || file_contains(wal, "lamp of room 34"));
	assert_true(file_contains(path, "lamp of room 35"));
}

/* --- costs ------------------------------------------------------------------------------------ */

/* Uses every statement there is once, and has a call-back look at each. */
static void
each_statement(void (*look)(sqlite3_stmt *))
{
	sqlite3_stmt *st = NULL;
	unsigned i, prefix, how;
	bool found;

	for (i = 0; i < LK_INDEX_COUNT; i++) {
		LK_CLEANUP(lk_record_freep) struct lk_record *r = NULL;

		assert_true(lk_record_new(lk_indexes[i].kind, &r, &e).ok);
		if (!(r->type->stores & LK_STORE_NOC))
			continue;
		for (prefix = 0; prefix <= lk_indexes[i].n; prefix++)
			for (how = 0; how < 4; how++) {
				struct lk_scan scan = { (enum lk_index)i, prefix, how & 1,
					how & 2 };

				assert_true(lk_store_next(s, &scan, r, &found, &e).ok);
			}
	}
	while ((st = sqlite3_next_stmt(sqlite_of(s)->db, st)))
		if (sqlite3_strnicmp(sqlite3_sql(st), "SELECT", 6) == 0)
			look(st);
}

/* A search in the index, or the first of it where nothing is given; never a sort. */
static void
assert_indexed(sqlite3_stmt *st)
{
	bool given = strstr(sqlite3_sql(st), " WHERE ") != NULL;
	sqlite3_stmt *plan = NULL;
	char sql[4200];

	set(sql, "EXPLAIN QUERY PLAN %s", sqlite3_sql(st));
	assert_int_equal(sqlite3_prepare_v2(sqlite_of(s)->db, sql, -1, &plan, NULL), SQLITE_OK);
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(plan, 3);

		if (!strstr(detail, given ? "SEARCH" : "SCAN") || !strstr(detail, "INDEX"))
			fail_msg("%s: %s", sqlite3_sql(st), detail);
	}
	sqlite3_finalize(plan);
}

static void
test_plans(void **state)
{
	(void)state;
	each_statement(assert_indexed);
}

/* What the virtual machine of SQLite does for one of each, counted and not timed. */
static int
steps_of_one_of_each(int n)
{
	struct sqlite *q = sqlite_of(s);
	struct lk_scan next = { .index = LK_DEVICE_BY_SERIAL, .prefix = 1, .after = true };
	struct lk_scan last = { .index = LK_DEVICE_BY_STATE, .descending = true };
	struct lk_device_record d = LK_RECORD_INIT(device);
	sqlite3_stmt *st = NULL;
	int steps = 0;
	bool found;

	while ((st = sqlite3_next_stmt(q->db, st)))
		sqlite3_stmt_status(st, SQLITE_STMTSTATUS_VM_STEP, 1);
	insert_range(n, n);
	set(d.id, "dev-%08d", n / 2);
	assert_true(lk_store_get(s, LK_DEVICE_BY_ID, &d.record, &e).ok);
	assert_true(lk_store_next(s, &next, &d.record, &found, &e).ok);
	assert_true(found);
	assert_true(lk_store_next(s, &last, &d.record, &found, &e).ok);
	assert_int_equal(d.state, n);
	assert_true(lk_store_begin(s, &e).ok);
	assert_true(lk_store_put(s, &d.record, &e).ok);
	assert_true(lk_store_commit(s, &e).ok);
	while ((st = sqlite3_next_stmt(q->db, st)))
		steps += sqlite3_stmt_status(st, SQLITE_STMTSTATUS_VM_STEP, 1);
	return steps;
}

static void
test_costs_do_not_grow(void **state)
{
	int few, many;

	(void)state;
	insert_range(1, 100);
	steps_of_one_of_each(101); /* prepares the statements */
	few = steps_of_one_of_each(102);
	insert_range(103, 5000);
	many = steps_of_one_of_each(5001);
	assert_true(few > 0);
	assert_int_equal(many, few);
}

/* --- a crash ---------------------------------------------------------------------------------- */

/* Group commits of three requests, the middle one refused; writes the number of each group that
 * was committed. Ends by being killed. */
static void
write_until_killed(int out)
{
	static const struct lk_random *const random = &lk_random_system;
	int32_t group;
	int i;

	if (!open_store().ok)
		_exit(1);
	for (group = 0;; group++) {
		if (!lk_store_begin(s, &e).ok)
			_exit(2);
		for (i = 0; i < 3; i++) {
			LK_CLEANUP(lk_record_done)
			struct lk_event_record ev = LK_RECORD_INIT(event);
			struct lk_result r = lk_store_savepoint(s, &e);

			set(ev.type, "group-%d", (int)group);
			if (!r.ok || !insert(3 * group + i).ok ||
				!lk_ledger_append(s, random, &ev, &e).ok)
				_exit(3);
			r = i == 1 ? lk_store_rollback_to(s, &e) : lk_store_release(s, &e);
			if (!r.ok)
				_exit(4);
		}
		if (!lk_store_commit(s, &e).ok || write(out, &group, sizeof group) != sizeof group)
			_exit(5);
	}
}

static bool
has(int n)
{
	struct lk_device_record d = LK_RECORD_INIT(device);
	bool found;

	set(d.id, "dev-%08d", n);
	assert_true(lk_store_find(s, LK_DEVICE_BY_ID, &d.record, &found, &e).ok);
	return found;
}

/* All that was acknowledged is there; a group is there as a whole or not at all. */
static void
check_after_crash(int32_t acknowledged)
{
	struct lk_ledger_head head;
	int64_t devices, at = -1;
	int32_t group;

	assert_true(open_store().ok);
	devices = count();
	assert_true(devices >= 2 * (acknowledged + 1));
	assert_int_equal(devices % 2, 0);
	for (group = 0; group < devices / 2; group++)
		assert_true(has(3 * group) && !has(3 * group + 1) && has(3 * group + 2));
	assert_true(lk_ledger_head(s, &head, &e).ok);
	assert_int_equal(head.seq, devices);
	assert_true(lk_ledger_verify(s, "node-1", 1, head.seq, &at, &e).ok);
}

/*= Latchkey store: what was acknowledged survives a crash =*/
static void
test_crash(void **state)
{
	static const int32_t kill_after[] = { 0, 1, 2, 7, 40 };
	unsigned i;

	for (i = 0; i < LK_ARRAY_LEN(kill_after); i++) {
		int pipe_fd[2], status;
		int32_t group = -1, got;
		pid_t child;

		teardown(state); /* an empty store that nobody holds */
		assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			write_until_killed(pipe_fd[1]);
		close(pipe_fd[1]);
		while (group < kill_after[i] &&
			read(pipe_fd[0], &got, sizeof got) == (ssize_t)sizeof got)
			group = got;
		/* Now it is somewhere in the next group. */
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		/* What it acknowledged in its last moments counts too. */
		while (read(pipe_fd[0], &got, sizeof got) == (ssize_t)sizeof got)
			group = got;
		close(pipe_fd[0]);
		assert_true(group >= kill_after[i]);
		check_after_crash(group);
	}
}

#define on_a_file(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_file(test_survives_closing),
		on_a_file(test_commit_waits_for_the_disk),
		on_a_file(test_full_disk),
		on_a_file(test_lost_transaction),
		on_a_file(test_one_holder),
		on_a_file(test_newer_schema),
		on_a_file(test_foreign_files),
		on_a_file(test_bad_paths),
		on_a_file(test_damage),
		on_a_file(test_erased_bytes_are_gone),
		on_a_file(test_plans),
		on_a_file(test_costs_do_not_grow),
		on_a_file(test_crash),
	};
	int failed;

	set(dir, "/tmp/latchkey-sqlite-XXXXXX");
	if (!mkdtemp(dir) || !lk_path_join(dir, "s.db", path, sizeof path, NULL).ok)
		return 1;
	failed = cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
	rmdir(dir);
	return failed;
}
