/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkey init: what it makes, that it never overwrites, and how it starts over
 * what an interrupted run left.
 */
#include "cli/init.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artefact/cert_profile.h"
#include "base/file.h"

static char dir[64], etc[96], state[96];
static struct lk_clock_fixed now;

static int
setup(void **ctx)
{
	(void)ctx;
	memcpy(dir, "/tmp/lk-init-XXXXXX", sizeof "/tmp/lk-init-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(etc, sizeof etc, "%s/etc", dir);
	snprintf(state, sizeof state, "%s/state", dir);
	lk_clock_fixed_init(&now, 1800000000);
	return 0;
}

static int
drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int
teardown(void **ctx)
{
	(void)ctx;
	return nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static struct lk_result
init(struct lk_err *e)
{
	const char *argv[] = { "init", "--name", "lab.example", "--dir", etc, "--state-dir", state,
		"--with-radius", "--port", "p1", "--port", "p2", NULL };
	struct lk_cli cli = { .json = true, .clock = &now.clock };

	optind = 1;
	return lk_cli_init(&cli, LK_ARRAY_LEN(argv) - 1, (char **)(uintptr_t)argv, e);
}

static const char *
in(const char *folder, const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void
read_certs(const char *name, struct lk_certs *ret)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(65536);
	struct lk_err e = { 0 };

	assert_true(lk_file_read(in(etc, name), &pem, &e).ok);
	assert_true(lk_certs_parse_any(lk_buf_slice(&pem), ret, &e).ok);
}

static void
test_certificates_chain_and_keep_their_profiles(void **ctx)
{
	static const struct {
		const char *file;
		enum lk_cert_profile profile;
		size_t n;
	} want[] = { { "pki/registrar.pem", LK_PROFILE_REGISTRAR, 3 },
		{ "pki/aaa.pem", LK_PROFILE_SERVER, 3 },
		{ "pki/device-ca.pem", LK_PROFILE_DEVICE_CA, 2 },
		{ "pki/service-ca.pem", LK_PROFILE_SERVICE_CA, 2 },
		{ "pki/server-ca.pem", LK_PROFILE_SERVER_CA, 2 },
		{ "pki/operator-ca.pem", LK_PROFILE_OPERATOR_CA, 2 },
		{ "operators/operator-1.pem", LK_PROFILE_OPERATOR, 3 } };
	LK_CLEANUP(lk_certs_done) struct lk_certs root = { .n = 0 };
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *anchors = NULL;
	struct lk_err e = { 0 };
	size_t i;

	(void)ctx;
	assert_true(init(&e).ok);
	read_certs("pki/root.pem", &root);
	assert_true(lk_anchors_new(&root, &anchors, &e).ok);
	for (i = 0; i < LK_ARRAY_LEN(want); i++) {
		LK_CLEANUP(lk_certs_done) struct lk_certs c = { .n = 0 };

		read_certs(want[i].file, &c);
		assert_int_equal(c.n, want[i].n);
		assert_true(lk_cert_check_profile(c.v[0], want[i].profile, &e).ok);
		assert_true(
			lk_chain_verify(anchors, c.v[0], &c, LK_TIMES_CHECK, now.seconds, &e).ok);
	}
}

/*= SEC-04: the RADIUS server's only anchor is the CA that issues LDevIDs =*/
static void
test_radius_trusts_one_ca_and_is_trusted_by_one(void **ctx)
{
	LK_CLEANUP(lk_certs_done)
	struct lk_certs ca = { .n = 0 }, anchor = { .n = 0 }, leaf = { .n = 0 };
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *anchors = NULL;
	struct lk_err e = { 0 };

	(void)ctx;
	assert_true(init(&e).ok);
	read_certs("radius/device-ca.pem", &ca);
	assert_int_equal(ca.n, 1);
	assert_true(lk_cert_check_profile(ca.v[0], LK_PROFILE_DEVICE_CA, &e).ok);
	assert_false(lk_cert_is_self_signed(ca.v[0]));
	read_certs("pki/radius-anchor.pem", &anchor);
	assert_true(lk_cert_is_self_signed(anchor.v[0]));
	read_certs("radius/server.pem", &leaf);
	assert_int_equal(leaf.n, 1);
	assert_true(lk_anchors_new(&anchor, &anchors, &e).ok);
	assert_true(lk_chain_verify(anchors, leaf.v[0], NULL, LK_TIMES_CHECK, now.seconds, &e).ok);
}

static void
test_secrets_are_their_owners_alone(void **ctx)
{
	static const char *const in_etc[] = { "radius/server.key", "radius/rest.key",
		"radius/radiusd.conf", "hostapd/p1.conf", "hostapd/p2.conf",
		"operators/operator-1.key" };
	static const char *const in_state[] = { "root/root.key", "signer/registrar.key",
		"signer/device-ca.key", "signer/service-ca.key", "signer/server-ca.key",
		"signer/operator-ca.key", "signer/aaa.key" };
	struct lk_err e = { 0 };
	struct stat st;
	size_t i;

	(void)ctx;
	assert_true(init(&e).ok);
	for (i = 0; i < LK_ARRAY_LEN(in_etc); i++) {
		assert_int_equal(stat(in(etc, in_etc[i]), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	for (i = 0; i < LK_ARRAY_LEN(in_state); i++) {
		assert_int_equal(stat(in(state, in_state[i]), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

static void
test_a_second_run_is_refused_and_changes_nothing(void **ctx)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs before = { .n = 0 }, after = { .n = 0 };
	struct lk_err e = { 0 };

	(void)ctx;
	assert_true(init(&e).ok);
	read_certs("pki/root.pem", &before);
	assert_false(init(&e).ok);
	assert_int_equal(e.reason, LK_R_FILE_EXISTS);
	read_certs("pki/root.pem", &after);
	assert_true(lk_cert_eq(before.v[0], after.v[0]));
}

static void
test_a_foreign_file_is_not_overwritten(void **ctx)
{
	struct lk_err e = { 0 };

	(void)ctx;
	assert_true(lk_dir_make(in(etc, "radius"), 0700, &e).ok);
	assert_true(
		lk_file_create(in(etc, "radius/radiusd.conf"), LK_SLICE_LIT("mine"), 0600, &e).ok);
	assert_false(init(&e).ok);
	assert_int_equal(e.reason, LK_R_FILE_EXISTS);
	assert_int_equal(access(in(state, "signer"), F_OK), -1);
	assert_int_equal(access(in(etc, ".init-unfinished"), F_OK), -1);
}

static void
test_an_interrupted_run_is_started_anew(void **ctx)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs before = { .n = 0 }, after = { .n = 0 };
	struct lk_init_options o = { .name = "lab.example",
		.dir = etc,
		.state_dir = state,
		.key_store = "file:",
		.registrar_name = "registrar.lab.example" };
	struct lk_init_journal j = { .path = "" };
	struct lk_err e = { 0 };
	bool cleaned;

	(void)ctx;
	assert_true(lk_dir_make(etc, 0755, &e).ok);
	snprintf(j.path, sizeof j.path, "%s/.init-unfinished", etc);
	assert_true(lk_init_recover(&j, &cleaned, &e).ok);
	assert_false(cleaned);
	assert_true(lk_init_plan_pki(&o, &j, &e).ok);
	assert_true(lk_init_begin(&j, &e).ok);
	assert_true(lk_init_make_pki(&o, now.seconds, &e).ok);
	lk_buf_done(&j.items); /* and then the power failed */
	read_certs("pki/root.pem", &before);
	assert_true(init(&e).ok);
	read_certs("pki/root.pem", &after);
	assert_false(lk_cert_eq(before.v[0], after.v[0]));
	assert_int_equal(access(in(etc, ".init-unfinished"), F_OK), -1);
}

static void
test_no_placeholder_is_left(void **ctx)
{
	static const char *const files[] = { "radius/radiusd.conf", "radius/dictionary",
		"hostapd/p1.conf", "dnsmasq.conf", "latchkeyd.conf" };
	struct lk_err e = { 0 };
	size_t i;

	(void)ctx;
	assert_true(init(&e).ok);
	for (i = 0; i < LK_ARRAY_LEN(files); i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(65536);

		assert_true(lk_file_read(in(etc, files[i]), &text, &e).ok);
		assert_null(strchr(lk_buf_str(&text), '@'));
	}
}

static struct lk_result
init_with_ports(size_t n, struct lk_err *e)
{
	static char names[LK_INIT_PORTS_MAX + 1][32];
	const char *argv[8 + 2 * LK_ARRAY_LEN(names)] = { "init", "--name", "lab.example", "--dir",
		etc, "--state-dir", state, "--with-radius" };
	struct lk_cli cli = { .json = true, .clock = &now.clock };
	int argc = 8;
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(names[i], sizeof names[i], "port%zu", i);
		argv[argc++] = "--port";
		argv[argc++] = names[i];
	}
	optind = 1;
	return lk_cli_init(&cli, argc, (char **)(uintptr_t)argv, e);
}

/* Names stay whole, and no line is longer than the reader takes. */
static void
test_the_most_ports(void **ctx)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(65536);
	char name[32], *rest, *line;
	struct lk_err e = { 0 };
	size_t i;

	(void)ctx;
	assert_true(init_with_ports(LK_INIT_PORTS_MAX, &e).ok);
	assert_true(lk_file_read(in(etc, "latchkeyd.conf"), &text, &e).ok);
	for (i = 0; i < LK_INIT_PORTS_MAX; i++) {
		snprintf(name, sizeof name, "port%zu%c", i, i + 1 < LK_INIT_PORTS_MAX ? ',' : '\n');
		assert_non_null(strstr(lk_buf_str(&text), name));
		snprintf(name, sizeof name, "hostapd/port%zu.conf", i);
		assert_int_equal(access(in(etc, name), F_OK), 0);
	}
	assert_non_null(strstr(lk_buf_str(&text), "\nannounce = br-dev\n"));
	rest = (char *)text.p;
	while ((line = strsep(&rest, "\n")))
		assert_true(strlen(line) <= 198);
}

static void
test_too_many_ports_are_refused(void **ctx)
{
	struct lk_err e = { 0 };

	(void)ctx;
	assert_false(init_with_ports(LK_INIT_PORTS_MAX + 1, &e).ok);
	assert_int_equal(e.reason, LK_R_USAGE);
	assert_int_equal(access(etc, F_OK), -1);
}

static void
test_listening_needs_a_port(void **ctx)
{
	const char *argv[] = { "init", "--name", "home", "--dir", etc, "--state-dir", state,
		"--listen", "192.0.2.1", NULL };
	struct lk_cli cli = { .json = true, .clock = &now.clock };
	struct lk_err e = { 0 };

	(void)ctx;
	optind = 1;
	assert_false(lk_cli_init(&cli, LK_ARRAY_LEN(argv) - 1, (char **)(uintptr_t)argv, &e).ok);
	assert_int_equal(e.reason, LK_R_USAGE);
	assert_int_equal(access(etc, F_OK), -1);
}

static void
test_an_unknown_placeholder_is_refused(void **ctx)
{
	const struct lk_init_value values[] = { { "A", "1" }, { NULL, NULL } };
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(64);
	struct lk_err e = { 0 };

	(void)ctx;
	assert_true(lk_init_fill("x@A@y@A@", values, &out, &e).ok);
	assert_string_equal(lk_buf_str(&out), "x1y1");
	assert_false(lk_init_fill("@AB@", values, &out, &e).ok);
	assert_int_equal(e.reason, LK_R_BUG);
	assert_false(lk_init_fill("a@b", values, &out, &e).ok);
	assert_int_equal(e.reason, LK_R_BUG);
}

/* What starts the daemon does so from another folder. */
static void
test_paths_are_absolute(void **ctx)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(65536);
	char want[256];
	struct lk_err e = { 0 };

	(void)ctx;
	assert_int_equal(chdir(dir), 0);
	memcpy(etc, "etc", sizeof "etc");
	memcpy(state, "state", sizeof "state");
	if (!init(&e).ok)
		fail_msg("%s", e.msg);
	assert_int_equal(chdir("/"), 0);
	assert_true(lk_file_read(in(dir, "etc/latchkeyd.conf"), &text, &e).ok);
	snprintf(want, sizeof want, "\nstate_dir = %s/state\n", dir);
	assert_non_null(strstr(lk_buf_str(&text), want));
	snprintf(want, sizeof want, "\npki_dir = %s/etc/pki\n", dir);
	assert_non_null(strstr(lk_buf_str(&text), want));
	snprintf(want, sizeof want, "\nregistrar = file:%s/state/signer/registrar.key\n", dir);
	assert_non_null(strstr(lk_buf_str(&text), want));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_certificates_chain_and_keep_their_profiles),
		TEST(test_radius_trusts_one_ca_and_is_trusted_by_one),
		TEST(test_secrets_are_their_owners_alone),
		TEST(test_a_second_run_is_refused_and_changes_nothing),
		TEST(test_a_foreign_file_is_not_overwritten),
		TEST(test_an_interrupted_run_is_started_anew),
		TEST(test_no_placeholder_is_left),
		TEST(test_the_most_ports),
		TEST(test_too_many_ports_are_refused),
		TEST(test_listening_needs_a_port),
		TEST(test_an_unknown_placeholder_is_refused),
		TEST(test_paths_are_absolute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
