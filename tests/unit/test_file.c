/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files: read up to a maximum, replaced whole, never made twice, and
 * nothing temporary left behind.
 */
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char dir[256];

static const char *
path(const char *name)
{
	static char p[sizeof dir + 64];

	assert_true(lk_path_join(dir, name, p, sizeof p, NULL).ok);
	return p;
}

static void
assert_content(const char *name, const char *want)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(64);

	assert_true(lk_file_read(path(name), &b, NULL).ok);
	assert_string_equal(lk_buf_str(&b), want);
}

static int
count_files(void)
{
	struct dirent *d;
	DIR *open = opendir(dir);
	int n = 0;

	assert_non_null(open);
	while ((d = readdir(open)))
		n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
	closedir(open);
	return n;
}

static void
test_replace(void **state)
{
	struct stat st;

	(void)state;
	assert_true(lk_file_replace(path("a"), LK_SLICE_LIT("one"), 0640, NULL).ok);
	assert_content("a", "one");
	assert_int_equal(stat(path("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_true(lk_file_replace(path("a"), LK_SLICE_LIT("two"), 0600, NULL).ok);
	assert_content("a", "two");
	assert_int_equal(stat(path("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(lk_file_replace(path("a"), LK_SLICE_LIT(""), 0600, NULL).ok);
	assert_content("a", "");
	assert_int_equal(count_files(), 1);
}

static void
test_create(void **state)
{
	struct lk_err e;

	(void)state;
	assert_true(lk_file_create(path("a"), LK_SLICE_LIT("one"), 0600, NULL).ok);
	assert_refused(
		lk_file_create(path("a"), LK_SLICE_LIT("two"), 0600, &e), e, LK_R_FILE_EXISTS);
	assert_content("a", "one");
	assert_int_equal(count_files(), 1);
	assert_refused(
		lk_file_create(path("none/a"), LK_SLICE_LIT("x"), 0600, &e), e, LK_R_FILE_MISSING);
}

/* A replaced link is replaced itself; where it pointed stays as it was. */
static void
test_link(void **state)
{
	char target[sizeof dir + 64];

	(void)state;
	assert_true(lk_file_create(path("target"), LK_SLICE_LIT("keep"), 0600, NULL).ok);
	assert_true(lk_path_join(dir, "target", target, sizeof target, NULL).ok);
	assert_int_equal(symlink(target, path("link")), 0);
	assert_true(lk_file_replace(path("link"), LK_SLICE_LIT("new"), 0600, NULL).ok);
	assert_content("target", "keep");
	assert_content("link", "new");
}

static void
test_read(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf exact = LK_BUF_INIT(5);
	LK_CLEANUP(lk_buf_done) struct lk_buf small = LK_BUF_INIT(4);
	LK_CLEANUP(lk_buf_done) struct lk_buf big = LK_BUF_INIT(30000);
	static const uint8_t bytes[40000];
	struct lk_err e;

	(void)state;
	assert_true(lk_file_create(path("a"), LK_SLICE_LIT("12345"), 0600, NULL).ok);
	assert_true(lk_file_read(path("a"), &exact, NULL).ok);
	assert_string_equal(lk_buf_str(&exact), "12345");
	assert_refused(lk_file_read(path("a"), &small, &e), e, LK_R_TOO_LARGE);
	assert_non_null(strstr(e.msg, path("a")));
	assert_int_equal(small.n, 0);
	assert_true(lk_file_create(path("long"), LK_SLICE_ARRAY(bytes), 0600, NULL).ok);
	assert_true(lk_buf_append_str(&big, "before", NULL).ok);
	assert_refused(lk_file_read(path("long"), &big, &e), e, LK_R_TOO_LARGE);
	assert_string_equal(lk_buf_str(&big), "before");
	assert_refused(lk_file_read(path("none"), &small, &e), e, LK_R_FILE_MISSING);
	assert_refused(lk_file_read(dir, &small, &e), e, LK_R_FILE_IO);
}

static void
test_remove(void **state)
{
	(void)state;
	assert_true(lk_file_create(path("a"), LK_SLICE_LIT("x"), 0600, NULL).ok);
	assert_true(lk_file_remove(path("a"), NULL).ok);
	assert_true(lk_file_remove(path("a"), NULL).ok);
	assert_int_equal(count_files(), 0);
}

static void
test_dir(void **state)
{
	struct lk_err e;
	struct stat st;

	(void)state;
	assert_true(lk_dir_make(path("x/y/z"), 0700, NULL).ok);
	assert_true(lk_dir_make(path("x/y/z/"), 0755, NULL).ok);
	assert_int_equal(stat(path("x/y/z"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_refused(lk_dir_make("", 0700, &e), e, LK_R_FILE_IO);
	assert_true(lk_file_create(path("file"), LK_SLICE_LIT("x"), 0600, NULL).ok);
	assert_refused(lk_dir_make(path("file/y"), 0700, &e), e, LK_R_FILE_IO);
}

static void
test_join(void **state)
{
	char small[4] = "old";
	struct lk_err e;

	(void)state;
	assert_true(lk_path_join("a", "b", small, sizeof small, NULL).ok);
	assert_string_equal(small, "a/b");
	assert_refused(lk_path_join("a", "bc", small, sizeof small, &e), e, LK_R_FILE_IO);
}

static int
setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof dir, "%s/lk-test-file.XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "a", "long", "target", "link", "file", "x/y/z", "x/y",
		"x" };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(names); i++)
		remove(path(names[i]));
	return rmdir(dir); /* fails when something was left behind */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_create, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dir, setup, teardown),
		cmocka_unit_test_setup_teardown(test_join, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
