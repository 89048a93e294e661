/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration by table: values of each type, and words that name file, line
 * and key when something is off. Nothing refused changes a value.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "role/config.h"

struct values {
	struct lk_config_common common;
	char name[16];
	uint32_t count;
	int64_t life;
	bool open;
	unsigned colour;
};

static const char *const colours[] = { "red", "green", NULL };

static const struct lk_config_key keys[] = {
	LK_CONFIG_COMMON("/var/lib/test"),
	LK_CONFIG_TEXT(struct values, name, "site", "name", "here", "The name - of \\ the site."),
	LK_CONFIG_U32(struct values, count, "site", "count", "2", 1, 64, "How many."),
	LK_CONFIG_DURATION(
		struct values, life, "site", "life", "30d", 3600, 86400 * 90, "How long."),
	LK_CONFIG_BOOL(struct values, open, "door", "open", "no", "Whether it is open."),
	LK_CONFIG_CHOICE(struct values, colour, "door", "colour", "green", colours, "Its colour."),
};

static const struct lk_config_spec spec = { "test", "/nonexistent/test.conf", keys,
	LK_ARRAY_LEN(keys), sizeof(struct values) };

static struct values
defaults(void)
{
	struct values v;

	assert_true(lk_config_defaults(&spec, &v, NULL).ok);
	return v;
}

static void
test_defaults(void **state)
{
	struct values v = defaults();

	(void)state;
	assert_string_equal(v.common.state_dir, "/var/lib/test");
	assert_int_equal(v.common.log_level, LK_LOG_INFO);
	assert_string_equal(v.name, "here");
	assert_int_equal(v.count, 2);
	assert_int_equal(v.life, 30 * 86400);
	assert_false(v.open);
	assert_int_equal(v.colour, 1);
}

static void
test_parse(void **state)
{
	struct values v = defaults();

	(void)state;
	assert_true(lk_config_parse(&spec, "f",
		LK_SLICE_LIT("# comment\n[site]\nname = there ; comment\ncount=64\n\n[door]\n"
			     "open = yes\ncolour = red\n[site]\nlife = 90m"),
		&v, NULL)
			    .ok);
	assert_string_equal(v.name, "there");
	assert_int_equal(v.count, 64);
	assert_int_equal(v.life, 5400);
	assert_true(v.open);
	assert_int_equal(v.colour, 0);
	assert_true(lk_config_parse(
		&spec, "f", LK_SLICE_LIT("[site]\nname = a,\n  b,\n\tc\n"), &v, NULL)
			    .ok);
	assert_string_equal(v.name, "a,b,c");
	/* Nothing is continued across a section's line. */
	assert_true(lk_config_parse(&spec, "f",
		LK_SLICE_LIT("[door]\ncolour = red\n[site]\n  name = a,\n  b\n"), &v, NULL)
			    .ok);
	assert_string_equal(v.name, "a,b");
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *text;
		enum lk_reason reason;
		const char *msg;
	} bad[] = {
		{ "[site]\nnmae = x\n", LK_R_CONFIG_UNKNOWN,
			"f:2: there is no key 'nmae' in [site]; the nearest is 'name' in [site]" },
		{ "[dor]\nopen = yes\n", LK_R_CONFIG_UNKNOWN,
			"f:2: there is no key 'open' in [dor]; the nearest is 'open' in [door]" },
		{ "count = 1\n", LK_R_CONFIG_UNKNOWN,
			"f:1: there is no key 'count' in []; the nearest is 'count' in [site]" },
		{ "[site]\ncount = 1\n\ncount = 1\n", LK_R_CONFIG_DUPLICATE,
			"f:4: 'count' in [site] stands here twice" },
		{ "[site]\nname = a\n[site]\n name = b\n", LK_R_CONFIG_DUPLICATE,
			"f:4: 'name' in [site] stands here twice" },
		{ "[site]\ncount = 65\n", LK_R_CONFIG_VALUE,
			"f:2: [site] count: the value is 65, want 1 to 64" },
		{ "[site]\ncount = -1\n", LK_R_CONFIG_VALUE,
			"f:2: [site] count: the value is not a decimal number" },
		{ "[site]\nlife = 59m\n", LK_R_CONFIG_VALUE,
			"f:2: [site] life: the value is 59m, want 3600 to 7776000 seconds" },
		{ "[door]\nopen = maybe\n", LK_R_CONFIG_VALUE,
			"f:2: [door] open: the value is 'maybe', want yes or no" },
		{ "[door]\ncolour = blue\n", LK_R_CONFIG_VALUE,
			"f:2: [door] colour: there is no choice 'blue'" },
		{ "[site]\nname = sixteen letters!\n", LK_R_CONFIG_VALUE,
			"f:2: [site] name: the value has 16 bytes, at most 15 are taken" },
		{ "[site]\ncount = 3\nname\n", LK_R_CONFIG_SYNTAX,
			"f:3: neither [section] nor key = value" },
		{ "[site\ncount = 3\n", LK_R_CONFIG_SYNTAX,
			"f:1: neither [section] nor key = value" },
	};
	struct values v = defaults(), before = v;
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		assert_refused(lk_config_parse(&spec, "f", lk_slice_str(bad[i].text), &v, &e), e,
			bad[i].reason);
		assert_string_equal(e.msg, bad[i].msg);
		assert_memory_equal(&v, &before, sizeof v);
	}
}

static void
test_lines(void **state)
{
	struct values v = defaults(), before = v;
	char line[256];
	struct lk_err e;

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "[site]\nname = ", 14);
	assert_refused(lk_config_parse(&spec, "f", lk_slice(line, sizeof line), &v, &e), e,
		LK_R_CONFIG_SYNTAX);
	assert_string_equal(e.msg, "f:2: the line has 249 bytes, at most 199 are taken");
	assert_refused(lk_config_parse(&spec, "f", LK_SLICE_LIT("[site]\nname = a\0b\n"), &v, &e),
		e, LK_R_CONFIG_SYNTAX);
	assert_memory_equal(&v, &before, sizeof v);
}

/* Every truncation and every flipped byte is read or refused; what is refused changes nothing. */
static void
test_mutations(void **state)
{
	char text[] = "[site]\nname = there\ncount = 3\nlife = 2h\n[door]\nopen = yes\n";
	size_t n = strlen(text), i;
	unsigned bit;

	(void)state;
	for (i = 0; i < n; i++)
		for (bit = 0; bit < 8; bit++) {
			struct values v = defaults(), before = v;

			text[i] = (char)(text[i] ^ (1 << bit));
			if (!lk_config_parse(
				    &spec, "f", lk_slice(text, i + bit % (n - i)), &v, NULL)
					.ok)
				assert_memory_equal(&v, &before, sizeof v);
			text[i] = (char)(text[i] ^ (1 << bit));
		}
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_true(lk_file_replace(path, lk_slice_str(text), 0600, NULL).ok);
}

static void
remove_file(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_int_equal(remove(path), 0);
}

static void
test_files(void **state)
{
	char dir[] = "/tmp/test-config-XXXXXX", file[64];
	struct lk_config_args args = { .file = file, .runtime_dir = "/run/other" };
	struct values v, before;
	struct lk_err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/test.conf", dir);
	assert_refused(lk_config_load(&spec, &args, &v, &e), e, LK_R_FILE_MISSING);
	write_file(dir, "test.conf", "[site]\nname = main\ncount = 3\n[door]\nopen = yes\n");
	snprintf(file, sizeof file, "%s/test.conf.d", dir);
	assert_int_equal(mkdir(file, 0700), 0);
	write_file(dir, "test.conf.d/20-last.conf", "[site]\nname = last\n");
	write_file(dir, "test.conf.d/10-first.conf", "[site]\nname = first\ncount = 4\n");
	write_file(dir, "test.conf.d/ignored.conf.bak", "nonsense");
	snprintf(file, sizeof file, "%s/test.conf", dir);
	assert_true(lk_config_load(&spec, &args, &v, NULL).ok);
	assert_string_equal(v.name, "last");
	assert_int_equal(v.count, 4);
	assert_true(v.open);
	assert_string_equal(v.common.runtime_dir, "/run/other");
	assert_string_equal(v.common.state_dir, "/var/lib/test");

	before = v;
	write_file(dir, "test.conf.d/30-bad.conf", "[site]\nnombre = x\n");
	assert_refused(lk_config_read(&spec, file, &v, &e), e, LK_R_CONFIG_UNKNOWN);
	assert_non_null(strstr(e.msg, "/test.conf.d/30-bad.conf:2: "));
	assert_memory_equal(&v, &before, sizeof v);
	remove_file(dir, "test.conf.d/30-bad.conf");
	remove_file(dir, "test.conf.d/20-last.conf");
	remove_file(dir, "test.conf.d/10-first.conf");
	remove_file(dir, "test.conf.d/ignored.conf.bak");
	remove_file(dir, "test.conf.d");
	write_file(dir, "test.conf.d", "no folder");
	assert_refused(lk_config_read(&spec, file, &v, &e), e, LK_R_FILE_IO);
	assert_memory_equal(&v, &before, sizeof v);
	remove_file(dir, "test.conf.d");
	remove_file(dir, "test.conf");
	assert_int_equal(rmdir(dir), 0);

	/* Without --config the file may be missing. */
	args.file = NULL;
	assert_true(lk_config_load(&spec, &args, &v, NULL).ok);
	assert_string_equal(v.name, "here");
}

static struct values
others(void)
{
	struct values v = defaults();

	memcpy(v.name, "q;r = [s]", 10);
	v.count = 7;
	v.life = 5400;
	v.open = true;
	v.colour = 0;
	v.common.log_level = LK_LOG_DEBUG;
	return v;
}

static void
test_print(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(65536);
	struct values v = others(), again = defaults();

	(void)state;
	assert_true(lk_config_print(&spec, &v, &out, NULL).ok);
	assert_non_null(
		strstr(lk_buf_str(&out), "\n[site]\n# The name - of \\ the site.\nname = q;"));
	assert_non_null(strstr(lk_buf_str(&out), "life = 90m\n"));
	assert_true(lk_config_parse(&spec, "f", lk_buf_slice(&out), &again, NULL).ok);
	assert_memory_equal(&v, &again, sizeof v);
}

static void
test_pack(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(65536);
	struct values v = others(), again;
	struct lk_err e;
	size_t n;

	(void)state;
	assert_true(lk_config_pack(&spec, &v, &out, NULL).ok);
	assert_true(lk_config_unpack(&spec, lk_buf_slice(&out), &again, NULL).ok);
	assert_memory_equal(&v, &again, sizeof v);
	for (n = 1; n < 24; n++)
		assert_refused(lk_config_unpack(&spec, lk_slice(out.p, n), &again, &e), e,
			LK_R_IPC_MALFORMED);
}

static void
test_describe(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(65536);
	const char *want = ".SS [site]\n"
			   ".TP\n.B name\nThe name \\- of \\e the site.\n"
			   "Takes up to 15 bytes; default: here.\n"
			   ".TP\n.B count\nHow many.\nTakes 1 to 64; default: 2.\n"
			   ".TP\n.B life\nHow long.\nTakes a time from 1h to 90d; default: 30d.\n"
			   ".SS [door]\n"
			   ".TP\n.B open\nWhether it is open.\nTakes yes or no; default: no.\n"
			   ".TP\n.B colour\nIts colour.\nTakes red, green; default: green.\n";

	(void)state;
	assert_true(lk_config_describe(&spec, &out, NULL).ok);
	assert_string_equal(strstr(lk_buf_str(&out), ".SS [site]"), want);
}

static struct lk_result
args(int argc, const char *const argv[], struct lk_config_args *ret, struct lk_err *e)
{
	return lk_config_args(argc, (char *const *)(uintptr_t)argv, ret, e);
}

static void
test_args(void **state)
{
	const char *good[] = { "test", "--config=/a", "--state-dir", "/b", "--role", "keeper",
		"--index", "3", NULL };
	const char *check[] = { "test", "--check-config", NULL };
	const char *accept[] = { "test", "--accept-rollback", NULL };
	const char *bad[][4] = { { "test", "--konfig", NULL }, { "test", "--config", NULL },
		{ "test", "file", NULL }, { "test", "--index", "x", NULL } };
	struct lk_config_args a = { .index = 9 };
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		e.reason = LK_R_NONE;
		assert_false(args(bad[i][2] ? 3 : 2, bad[i], &a, &e).ok);
		assert_int_equal(e.reason, i == 3 ? LK_R_SYNTAX_NUMBER : LK_R_USAGE);
		assert_int_equal(a.index, 9);
	}
	assert_true(args(8, good, &a, NULL).ok);
	assert_int_equal(a.mode, LK_CONFIG_RUN);
	assert_string_equal(a.file, "/a");
	assert_string_equal(a.state_dir, "/b");
	assert_null(a.runtime_dir);
	assert_string_equal(a.role, "keeper");
	assert_int_equal(a.index, 3);
	assert_false(a.accept_rollback);
	assert_true(args(2, check, &a, NULL).ok);
	assert_int_equal(a.mode, LK_CONFIG_CHECK);
	assert_true(args(2, accept, &a, NULL).ok);
	assert_int_equal(a.mode, LK_CONFIG_RUN);
	assert_true(a.accept_rollback);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_args),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
