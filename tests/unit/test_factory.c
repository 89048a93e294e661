/* SPDX-License-Identifier: Apache-2.0
 *
 * A factory in a folder of its own: what ca init makes, how devices are born, what
 * a command that was cut off leaves, and the tables that batches are read from.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "artefact/cert_profile.h"
#include "base/file.h"
#include "factory/birth.h"
#include "factory/table.h"
#include "test.h"

#define NOW INT64_C(1790000000)
#define CUT 9 /* exit status of a process whose power was cut */

static char top[PATH_MAX];

struct shop {
	char dir[PATH_MAX];
	struct lk_factory factory;
	struct lk_journal *journal;
	struct lk_key *root_key;
};

static const char *
below(const char *dir, const char *name)
{
	static char path[2][2 * PATH_MAX];
	static unsigned turn;

	turn ^= 1;
	snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
	return path[turn];
}

static bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void
open_shop(struct shop *s)
{
	struct lk_err e;
	char uri[LK_KEY_URI_MAX];

	assert_true(lk_factory_open(s->dir, &s->factory, &e).ok);
	assert_true(lk_journal_open(s->factory.dir, &s->journal, &e).ok);
	assert_true(
		lk_key_uri_in(s->factory.dir, s->factory.leaf.root_key, uri, sizeof uri, &e).ok);
	assert_true(lk_key_load(uri, &s->root_key, &e).ok);
}

static void
close_shop(struct shop *s)
{
	s->journal = lk_journal_close(s->journal);
	s->root_key = lk_key_free(s->root_key);
	lk_factory_done(&s->factory);
}

static struct shop
new_shop(const char *name)
{
	struct lk_factory_plan plan = {
		.manufacturer = "Maker", .masa_url = "masa.maker.example:9443", .key_store = "file:"
	};
	struct shop s = { .journal = NULL };
	struct lk_err e;

	snprintf(s.dir, sizeof s.dir, "%s", below(top, name));
	plan.dir = s.dir;
	assert_true(lk_factory_init(&plan, NOW, &lk_random_system, &e).ok);
	open_shop(&s);
	return s;
}

/* The power goes when so many serial numbers were drawn. */
static unsigned left_until_cut;

static void
fill_and_cut(const struct lk_random *self, uint8_t *p, size_t n)
{
	(void)self;
	if (left_until_cut-- == 0)
		_exit(CUT);
	lk_random_fill(&lk_random_system, p, n);
}

static const struct lk_random until_cut = { fill_and_cut };

/* What a run left that was cut off is no factory, and in nobody's way. */
static void
test_init_cut_off(void **state)
{
	struct lk_factory_plan plan = {
		.manufacturer = "Maker", .masa_url = "masa.maker.example:9443", .key_store = "file:"
	};
	struct shop s = { .journal = NULL };
	struct lk_err e = { 0 };
	unsigned n = 0;
	int status;

	(void)state;
	snprintf(s.dir, sizeof s.dir, "%s", below(top, "cut"));
	plan.dir = s.dir;
	do {
		pid_t pid = fork();

		assert_true(pid >= 0);
		left_until_cut = n++;
		if (pid == 0)
			_exit(!lk_factory_init(&plan, NOW, &until_cut, &e).ok);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(exists(below(s.dir, "factory.json")), WEXITSTATUS(status) == 0);
	} while (WEXITSTATUS(status) == CUT);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(n > 5); /* a serial number each */
	assert_false(exists(below(s.dir, ".init-unfinished")));
	open_shop(&s);
	close_shop(&s);
}

/* What somebody else put there stays, and nothing is put beside it. */
static void
test_init_over_foreign_files(void **state)
{
	char dir[PATH_MAX];
	struct lk_factory_plan plan = { .dir = dir,
		.manufacturer = "Maker",
		.masa_url = "masa.maker.example:9443",
		.key_store = "file:" };
	struct lk_err e;

	(void)state;
	snprintf(dir, sizeof dir, "%s", below(top, "foreign"));
	assert_true(lk_dir_make(below(dir, "pki"), 0700, &e).ok);
	assert_true(
		lk_file_create(below(dir, "pki/factory-client.pem"), LK_SLICE_LIT("x"), 0600, &e)
			.ok);
	assert_refused(lk_factory_init(&plan, NOW, &lk_random_system, &e), e, LK_R_FILE_EXISTS);
	assert_true(exists(below(dir, "pki/factory-client.pem")));
	assert_false(exists(below(dir, "keys")) || exists(below(dir, ".init-unfinished")));
}

static struct lk_birth
device(const struct shop *s, const char *serial)
{
	struct lk_birth b = { .model = "bulb", .mud_url = "https://maker.example/bulb.json" };
	struct lk_err e;

	snprintf(b.serial, sizeof b.serial, "%s", serial);
	snprintf(b.out, sizeof b.out, "%s", below(s->dir, serial));
	assert_true(lk_birth_check(&b, &e).ok);
	return b;
}

static struct lk_result
bear(struct shop *s, const struct lk_birth *b, enum lk_birth_outcome *ret, struct lk_err *e)
{
	struct lk_nursery n = { &s->factory, s->journal, s->root_key, &lk_random_system };

	return lk_birth_do(&n, b, NOW, ret, e);
}

static void
test_init(void **state)
{
	struct shop s = new_shop("init");
	struct lk_factory_plan plan = { .dir = s.dir,
		.manufacturer = "Other",
		.masa_url = "masa.maker.example",
		.key_store = "file:" };
	struct lk_err e;

	(void)state;
	assert_refused(lk_factory_init(&plan, NOW, &lk_random_system, &e), e, LK_R_FILE_EXISTS);
	assert_string_equal(s.factory.leaf.manufacturer, "Maker");
	/*= RFC8995 2.3.2: id-pe-masa-url as the factory writes it is an authority =*/
	assert_refused(lk_factory_check_masa_url("https://masa", &e), e, LK_R_FACTORY_VALUE);
	assert_true(exists(below(s.dir, "masa/masa.conf")));
	close_shop(&s);
}

static void
test_birth(void **state)
{
	struct shop s = new_shop("birth");
	struct lk_birth b = device(&s, "A1"), other = b;
	struct lk_certs certs = { .n = 0 };
	enum lk_birth_outcome how;
	char text[LK_CERT_NAME_MAX];
	struct lk_err e;

	(void)state;
	assert_true(bear(&s, &b, &how, &e).ok);
	assert_int_equal(how, LK_BIRTH_DONE);
	/*= PRE-1: the IDevID has the device's serial number, its MASA and its MUD URL =*/
	assert_true(lk_factory_certs(b.out, "bootstrap/idevid.pem", &certs, &e).ok);
	assert_true(lk_cert_check_profile(certs.v[0], LK_PROFILE_IDEVID, &e).ok);
	lk_cert_subject(certs.v[0], LK_OID_SERIAL_NUMBER, text);
	assert_string_equal(text, "A1");
	assert_true(lk_cert_url(certs.v[0], LK_OID_PE_MASA_URL, text, &e).ok);
	assert_string_equal(text, "masa.maker.example:9443");
	assert_int_equal(lk_cert_not_after(certs.v[0]), LK_TIME_NEVER);
	lk_certs_done(&certs);

	assert_true(bear(&s, &b, &how, &e).ok);
	assert_int_equal(how, LK_BIRTH_KNOWN);
	/*= SEC-02: a serial number is given once =*/
	snprintf(other.model, sizeof other.model, "lamp");
	assert_refused(bear(&s, &other, &how, &e), e, LK_R_FACTORY_BORN);
	/* A folder that is there is nobody's to overwrite, and nothing is recorded. */
	other = device(&s, "A2");
	snprintf(other.out, sizeof other.out, "%s", b.out);
	assert_refused(bear(&s, &other, &how, &e), e, LK_R_FILE_EXISTS);
	assert_null(lk_journal_find(s.journal, "A2"));
	close_shop(&s);
}

/* The journal is cut behind "begun", as if the power had gone before "born". */
static void
test_resume(void **state)
{
	struct shop s = new_shop("resume");
	struct lk_birth b = device(&s, "A1");
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(65536);
	enum lk_birth_outcome how;
	const char *lf;
	struct lk_err e;

	(void)state;
	assert_true(bear(&s, &b, &how, &e).ok);
	close_shop(&s);
	assert_true(lk_file_read(below(s.dir, "journal"), &text, &e).ok);
	lf = strchr(lk_buf_str(&text), '\n');
	assert_non_null(lf);
	assert_int_equal(truncate(below(s.dir, "journal"), lf - lk_buf_str(&text) + 20), 0);
	open_shop(&s);
	assert_int_equal(lk_journal_find(s.journal, "A1")->state, LK_JOURNAL_BEGUN);
	assert_true(bear(&s, &b, &how, &e).ok);
	assert_int_equal(how, LK_BIRTH_RESUMED);
	assert_int_equal(lk_journal_find(s.journal, "A1")->state, LK_JOURNAL_BORN);
	close_shop(&s);
}

static void
test_check(void **state)
{
	struct shop s = new_shop("check");
	struct lk_birth b = device(&s, "A1");
	struct lk_err e;

	(void)state;
	/*= SEC-02: a device has one logical and one physical identifier =*/
	assert_string_equal(b.physical_id, "A1");
	/*= RFC8520 10: a MUD URL uses https =*/
	snprintf(b.mud_url, sizeof b.mud_url, "http://maker.example/");
	assert_refused(lk_birth_check(&b, &e), e, LK_R_FACTORY_VALUE);
	/*= RFC5280 A.1: X520SerialNumber is a PrintableString =*/
	b = device(&s, "A1");
	snprintf(b.serial, sizeof b.serial, "A_1");
	assert_refused(lk_birth_check(&b, &e), e, LK_R_FACTORY_VALUE);
	/*= RFC5280 A.1: ub-serial-number is 64 =*/
	memset(b.serial, 'A', 65);
	b.serial[65] = 0;
	assert_refused(lk_birth_check(&b, &e), e, LK_R_FACTORY_VALUE);
	close_shop(&s);
}

static void
test_csv(void **state)
{
	struct lk_csv_line l;
	struct lk_err e;

	(void)state;
	/*= RFC4180 2.6: fields with commas or quotes are enclosed in quotes =*/
	/*= RFC4180 2.7: a quote within a field is doubled =*/
	assert_true(lk_csv_parse(LK_SLICE_LIT("a,,\"b,\"\"c\"\r\n"), &l, &e).ok);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.field[1], "");
	assert_string_equal(l.field[2], "b,\"c");
	assert_refused(lk_csv_parse(LK_SLICE_LIT("a\"b"), &l, &e), e, LK_R_FACTORY_CSV);
	assert_refused(lk_csv_parse(LK_SLICE_LIT("\"a\"b"), &l, &e), e, LK_R_FACTORY_CSV);
	assert_refused(lk_csv_parse(LK_SLICE_LIT("\"a"), &l, &e), e, LK_R_FACTORY_CSV);
	assert_refused(lk_csv_parse(LK_SLICE_LIT("a\0b"), &l, &e), e, LK_R_FACTORY_CSV);
	assert_refused(lk_csv_parse(LK_SLICE_LIT(",,,,,,,,,,,,,,,,"), &l, &e), e, LK_R_FACTORY_CSV);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_init_cut_off),
		cmocka_unit_test(test_init_over_foreign_files),
		cmocka_unit_test(test_birth),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_csv),
	};
	char dir[] = "/tmp/test-factory.XXXXXX";
	int failed;

	if (!mkdtemp(dir))
		return 99;
	snprintf(top, sizeof top, "%s", dir);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return failed;
}
