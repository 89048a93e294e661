/* SPDX-License-Identifier: Apache-2.0
 *
 * The device's store: power is cut at each write of an onboarding, a renewal and a reset, and
 * what the next start finds is the one state or the other. (The linker puts a switch before
 * fsync(2), rename(2), renameat2(2) and unlinkat(2).)
 */
#include "pki.h"
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/credentials.h"
#include "base/file.h"

#define DEVICE   "019b7f00-0000-7000-8000-000000000001"
#define CUT      9 /* exit status of a process whose power was cut */
#define CUTS_MAX 200

static struct pki_cast cast;
static unsigned left_until_cut; /* 0: power is there */

static void
tick(void)
{
	if (left_until_cut && --left_until_cut == 0)
		_exit(CUT);
}

#define SWITCHED(type, name, params, args) \
	type __real_##name params;         \
	type __wrap_##name params;         \
	type __wrap_##name params          \
	{                                  \
		tick();                    \
		return __real_##name args; \
	}

SWITCHED(int, rename, (const char *a, const char *b), (a, b))
SWITCHED(int, renameat2, (int d, const char *a, int f, const char *b, unsigned how),
	(d, a, f, b, how))
SWITCHED(int, unlinkat, (int d, const char *a, int how), (d, a, how))

/* --- a device --------------------------------------------------------------------------------- */

static char dir[] = "/tmp/test-credentials.XXXXXX";
static bool kept; /* onboarding.new/ was made durable, with no key in it yet */

static bool
there(const char *name)
{
	char path[PATH_MAX];

	return lk_path_join(dir, name, path, sizeof path, NULL).ok && access(path, F_OK) == 0;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int
__wrap_fsync(int fd)
{
	struct stat synced, folder;

	tick();
	if (fstat(fd, &synced) == 0 && stat(dir, &folder) == 0 && synced.st_ino == folder.st_ino)
		kept |= there("onboarding.new") && !there("onboarding.new/ldevid.key");
	return __real_fsync(fd);
}

static void
put(const char *name, struct lk_slice content)
{
	char path[PATH_MAX];
	struct lk_err e;

	assert_true(lk_path_join(dir, name, path, sizeof path, &e).ok);
	assert_true(lk_file_replace(path, content, 0600, &e).ok);
}

static void
put_cert(const char *name, const struct lk_cert *cert)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_CERT_DER_MAX);
	struct lk_err e;

	assert_true(lk_cert_print_pem(cert, &text, &e).ok);
	put(name, lk_buf_slice(&text));
}

static void
build_device(void)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	struct pki_id device;
	char path[PATH_MAX], uri[PATH_MAX + 32];
	struct lk_err e;

	assert_non_null(mkdtemp(dir));
	assert_true(lk_path_join(dir, "bootstrap", path, sizeof path, &e).ok);
	assert_true(lk_dir_make(path, 0700, &e).ok);
	snprintf(uri, sizeof uri, "file:%s/idevid.key", path);
	assert_true(lk_key_generate(uri, LK_KEY_P256, &key, &e).ok);
	pki_issue(&cast.vendor,
		&(struct pki_spec){ .cn = "device", .serial_number = PKI_SERIAL, .key = key },
		&device);
	put_cert("bootstrap/idevid.pem", pki_cert(&device));
	put_cert("bootstrap/anchors.pem", pki_cert(&cast.vendor));
	pki_id_done(&device);
}

static void
information(struct lk_buf *der)
{
	struct lk_onboarding_leaves leaf = { .network = "home",
		.device = DEVICE,
		.serial_number = PKI_SERIAL,
		.issued_on = PKI_NOW,
		.sequence = 1,
		.radius_server = "radius.home.example",
		.radius_anchor = LK_BUF_INIT(LK_CERT_DER_MAX) };
	struct lk_err e = { 0 };

	leaf.present = (1u << (LK_ONBOARDING_RADIUS_SERVER + 1)) - 1;
	assert_true(lk_buf_append(&leaf.radius_anchor, lk_cert_der(pki_cert(&cast.domain)), &e).ok);
	assert_true(
		lk_onboarding_build(&leaf, cast.registrar.key, &cast.registrar.chain, der, &e).ok);
	lk_buf_done(&leaf.radius_anchor);
}

static struct lk_credentials
opened(void)
{
	LK_CLEANUP(lk_closep) int lock = -1;
	struct lk_credentials c;
	struct lk_err e = { 0 };

	if (!lk_credentials_open(dir, &lk_random_system, &c, &e).ok ||
		!lk_credentials_lock(&c, &lock, &e).ok)
		fail_msg("%s", e.msg);
	return c;
}

/* --- what is done to it ----------------------------------------------------------------------- */

static const char *ldevid_serial = PKI_SERIAL; /* serialNumber of its subject */

static void
onboard(void)
{
	LK_CLEANUP(lk_credentials_done) struct lk_credentials c = opened();
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_ONBOARDING_MAX);
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;
	struct pki_id ldevid;
	struct lk_pledge_credentials got;
	struct lk_err e = { 0 };

	information(&der);
	assert_true(lk_onboarding_parse(lk_buf_slice(&der), &o, &e).ok);
	/*= RFC8995 5.9.3: the LDevID has a key of its own, made by the pledge =*/
	assert_true(lk_credentials_new_key(&c, &key, &e).ok);
	assert_false(lk_slice_eq(lk_key_spki(key), lk_key_spki(c.idevid_key)));
	pki_issue(&cast.domain,
		&(struct pki_spec){ .cn = DEVICE, .serial_number = ldevid_serial, .key = key },
		&ldevid);
	got = (struct lk_pledge_credentials){ key, pki_cert(&ldevid), &cast.domain.chain,
		pki_cert(&cast.domain), LK_SLICE_LIT("voucher"), lk_buf_slice(&der), o };
	if (!lk_credentials_commit(&c, &got, &e).ok)
		fail_msg("%s", e.msg);
	pki_id_done(&ldevid);
}

static void
reset(void)
{
	LK_CLEANUP(lk_credentials_done) struct lk_credentials c = opened();
	struct lk_err e = { 0 };

	/*= LC-2: reset destroys the network's credential and key, and keeps the built-in ones =*/
	assert_true(lk_credentials_reset(&c, &e).ok);
}

/* Whole, or not there; and nothing lies about. Says which. */
static bool
is_onboarded(void)
{
	LK_CLEANUP(lk_credentials_done) struct lk_credentials c = opened();
	LK_CLEANUP(lk_onboarded_done) struct lk_onboarded o = { .key = NULL };
	struct lk_err e = { 0 };

	assert_false(there("onboarding.new"));
	if (!lk_credentials_onboarded(&c)) {
		assert_refused(lk_onboarded_load(&c, NULL, &o, &e), e, LK_R_AGENT_NOT_ONBOARDED);
		return false;
	}
	if (!lk_onboarded_load(&c, NULL, &o, &e).ok)
		fail_msg("%s", e.msg);
	return true;
}

/* Runs `act` again and again, each time with power cut one write later, from the state that
 * `prepare` makes, until it gets through. Returns how often power was cut. */
static unsigned
cut_everywhere(void (*prepare)(void), void (*act)(void), bool before, bool after)
{
	unsigned n, changed = 0;
	int status;
	pid_t pid;

	for (n = 1; n < CUTS_MAX; n++) {
		prepare();
		assert_int_equal(is_onboarded(), before);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			left_until_cut = n;
			act();
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		changed += is_onboarded() == after;
		if (WEXITSTATUS(status) == 0) {
			assert_int_equal(is_onboarded(), after);
			return n - 1;
		}
		assert_int_equal(WEXITSTATUS(status), CUT);
	}
	fail_msg("%s", "it never got through");
	return changed;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void
power_fails_while_onboarding(void **state)
{
	(void)state;
	assert_true(cut_everywhere(reset, onboard, false, true) > 10);
}

static void
power_fails_while_resetting(void **state)
{
	(void)state;
	assert_true(cut_everywhere(onboard, reset, true, false) > 5);
}

static void
power_fails_while_renewing(void **state)
{
	(void)state;
	assert_true(cut_everywhere(onboard, onboard, true, true) > 10);
}

/* What names a key in a token is there before the key is, and power may fail in between. */
static void
a_key_is_named_before_it_is_made(void **state)
{
	LK_CLEANUP(lk_credentials_done) struct lk_credentials c = opened();
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	struct lk_err e;

	(void)state;
	kept = false;
	assert_true(lk_credentials_new_key(&c, &key, &e).ok);
	assert_true(kept);
}

/* Who only looks takes nothing from under the hands of who makes a key. */
static void
one_at_a_time_changes_it(void **state)
{
	LK_CLEANUP(lk_credentials_done)
	struct lk_credentials c = opened(), other = { .random = NULL };
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	LK_CLEANUP(lk_closep) int lock = -1;
	int second = -1;
	struct lk_err e;

	(void)state;
	assert_true(lk_credentials_lock(&c, &lock, &e).ok);
	assert_true(lk_credentials_new_key(&c, &key, &e).ok);
	assert_true(lk_credentials_open(dir, &lk_random_system, &other, &e).ok);
	assert_refused(lk_credentials_lock(&other, &second, &e), e, LK_R_BUSY);
	assert_int_equal(second, -1);
	assert_true(there("onboarding.new/ldevid.key"));
	lk_closep(&lock);
	assert_true(lk_credentials_lock(&other, &second, &e).ok);
	assert_false(there("onboarding.new"));
	lk_closep(&second);
}

static void
reset_destroys_the_key_and_keeps_what_is_built_in(void **state)
{
	char path[PATH_MAX];

	(void)state;
	onboard();
	assert_true(there("onboarding/ldevid.key"));
	/* as a supplicant leaves it that was killed */
	assert_true(lk_path_join(dir, "run/wpa", path, sizeof path, NULL).ok);
	assert_true(lk_dir_make(path, 0700, NULL).ok);
	put("run/wired.conf", LK_SLICE_LIT("radius.home.example"));
	put("run/wpa/eth0", LK_SLICE_LIT(""));
	reset();
	assert_false(there("onboarding") || there("run"));
	assert_true(there("bootstrap/idevid.key") && there("bootstrap/idevid.pem"));
	reset(); /* of what is reset: no error */
}

static void
what_is_kept_is_what_came(void **state)
{
	LK_CLEANUP(lk_onboarded_done) struct lk_onboarded o = { .key = NULL };
	struct lk_err e = { 0 };

	(void)state;
	onboard();
	{
		LK_CLEANUP(lk_credentials_done) struct lk_credentials c = opened();

		assert_true(lk_onboarded_load(&c, NULL, &o, &e).ok);
	}
	assert_true(lk_cert_eq(o.pinned.v[0], pki_cert(&cast.domain)));
	assert_true(lk_slice_eq(lk_buf_slice(&o.voucher), LK_SLICE_LIT("voucher")));
	assert_string_equal(o.onboarding->leaf.network, "home");
	assert_true(there(LK_RADIUS_ANCHOR_FILE));
}

/* Registrars of others need not put it there; the device knows its own. */
static void
an_ldevid_without_a_serial_number(void **state)
{
	(void)state;
	ldevid_serial = NULL;
	onboard();
	ldevid_serial = PKI_SERIAL;
	assert_true(is_onboarded());
	reset();
}

static void
a_damaged_store_is_said_to_be_one(void **state)
{
	LK_CLEANUP(lk_credentials_done) struct lk_credentials c = { .random = NULL };
	struct lk_onboarded o;
	char path[PATH_MAX];
	struct lk_err e;

	(void)state;
	onboard();
	c = opened();
	snprintf(path, sizeof path, "%s/onboarding/ca.pem", dir);
	assert_int_equal(unlink(path), 0);
	assert_refused(lk_onboarded_load(&c, NULL, &o, &e), e, LK_R_AGENT_STATE);
	reset();
}

static void
a_built_in_credential_that_does_not_fit(void **state)
{
	struct lk_credentials c;
	struct lk_err e;

	(void)state;
	put_cert("bootstrap/idevid.pem", pki_cert(&cast.device));
	assert_refused(lk_credentials_open(dir, &lk_random_system, &c, &e), e, LK_R_KEY_MISMATCH);
	assert_refused(lk_credentials_open("/nonexistent", &lk_random_system, &c, &e), e,
		LK_R_AGENT_BOOTSTRAP);
}

static int
setup(void **state)
{
	(void)state;
	pki_cast_init(&cast);
	build_device();
	return 0;
}

static void
remove_tree(const char *name)
{
	char path[PATH_MAX], file[2 * PATH_MAX];
	struct dirent *entry;
	DIR *d;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		unlink(file);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static int
teardown(void **state)
{
	(void)state;
	remove_tree("bootstrap");
	remove_tree("onboarding");
	rmdir(dir);
	pki_cast_done(&cast);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_fails_while_onboarding),
		cmocka_unit_test(power_fails_while_resetting),
		cmocka_unit_test(power_fails_while_renewing),
		cmocka_unit_test(a_key_is_named_before_it_is_made),
		cmocka_unit_test(one_at_a_time_changes_it),
		cmocka_unit_test(reset_destroys_the_key_and_keeps_what_is_built_in),
		cmocka_unit_test(what_is_kept_is_what_came),
		cmocka_unit_test(an_ldevid_without_a_serial_number),
		cmocka_unit_test(a_damaged_store_is_said_to_be_one),
		cmocka_unit_test(a_built_in_credential_that_does_not_fit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
