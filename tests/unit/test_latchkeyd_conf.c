/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkeyd's configuration table: its defaults are in range, the manual has the
 * option list that the table prints, word for word, and what latchkey init writes
 * for the most ports is read and reaches each role.
 */
#include "noc/config.h"

#include <ftw.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli/init.h"
#include "test.h"

static void
test_defaults_are_in_range(void **ctx)
{
	static struct lk_noc_config c;
	struct lk_err e = { 0 };

	(void)ctx;
	assert_true(lk_config_defaults(&lk_noc_config_spec, &c, &e).ok);
}

static void
test_the_manual_has_every_option(void **ctx)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf options = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_buf_done) struct lk_buf manual = LK_BUF_INIT(65536);
	struct lk_err e = { 0 };

	(void)ctx;
	assert_true(lk_config_describe(&lk_noc_config_spec, &options, &e).ok);
	assert_true(lk_file_read(LK_SOURCE_DIR "/man/latchkeyd.conf.5", &manual, &e).ok);
	assert_non_null(strstr(lk_buf_str(&manual), lk_buf_str(&options)));
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
make_folder(void **ctx)
{
	static char dir[] = "/tmp/lk-conf-XXXXXX";

	*ctx = mkdtemp(dir);
	return *ctx ? 0 : -1;
}

static int
drop_folder(void **ctx)
{
	return nftw(*ctx, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static void
test_the_most_ports_with_the_longest_names(void **ctx)
{
	static struct lk_noc_config c, role;
	LK_CLEANUP(lk_buf_done) struct lk_buf want = LK_BUF_INIT(LK_CONFIG_VALUE_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(65536);
	struct lk_init_options o = { .name = "lab",
		.dir = *ctx,
		.state_dir = *ctx,
		.key_store = "file:",
		.registrar_name = "registrar.lab",
		.bridge = "br-dev",
		.device_network = "10.77.0.0/24" };
	char names[LK_INIT_PORTS_MAX][32], path[PATH_MAX];
	struct lk_err e = { 0 };

	for (; o.n_ports < LK_INIT_PORTS_MAX; o.n_ports++) {
		snprintf(names[o.n_ports], sizeof names[0], "interface-%05zu", o.n_ports);
		o.ports[o.n_ports] = names[o.n_ports];
		assert_true(lk_buf_printf(&want, &e, "%s%s", o.n_ports ? "," : "", names[o.n_ports])
				    .ok);
	}
	assert_true(lk_init_make_files(&o, &e).ok);
	assert_true(lk_path_join(*ctx, "latchkeyd.conf", path, sizeof path, &e).ok);
	assert_true(lk_config_defaults(&lk_noc_config_spec, &c, &e).ok);
	assert_true(lk_config_read(&lk_noc_config_spec, path, &c, &e).ok);
	assert_string_equal(c.ports, lk_buf_str(&want));
	assert_int_equal(strlen(c.ports), sizeof c.ports - 1); /* one more would not fit */
	assert_true(lk_config_pack(&lk_noc_config_spec, &c, &packed, &e).ok);
	assert_true(lk_config_unpack(&lk_noc_config_spec, lk_buf_slice(&packed), &role, &e).ok);
	assert_string_equal(role.ports, c.ports);
}

static void
test_one_port_more_is_refused(void **ctx)
{
	static struct lk_noc_config c, before;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(8192);
	struct lk_err e = { 0 };
	size_t i;

	(void)ctx;
	assert_true(lk_config_defaults(&lk_noc_config_spec, &c, &e).ok);
	before = c;
	assert_true(lk_buf_append_str(&text, "[enforcement]\nports = ", &e).ok);
	for (i = 0; i <= LK_INIT_PORTS_MAX; i++)
		assert_true(lk_buf_printf(&text, &e, "interface-%05zu,\n\t", i).ok);
	assert_false(lk_config_parse(&lk_noc_config_spec, "f", lk_buf_slice(&text), &c, &e).ok);
	assert_int_equal(e.reason, LK_R_CONFIG_VALUE);
	assert_memory_equal(&c, &before, sizeof c);
}

/* Which private networks the courier may enter is a list; one bad item spoils it. */
static void
test_egress_list(void **ctx)
{
	static const struct lk_noc_config good = { .egress_allow = "192.0.2.0/24, 2001:db8::/32," };
	static const struct lk_noc_config bad = { .egress_allow = "192.0.2.0/24, everything" };
	struct lk_egress egress = { .n_allow = 0 };
	struct lk_err e = { 0 };

	(void)ctx;
	assert_true(lk_noc_egress(&good, &egress, &e).ok);
	assert_int_equal(egress.n_allow, 2);
	assert_refused(lk_noc_egress(&bad, &egress, &e), e, LK_R_EGRESS_CIDR);
	assert_true(lk_noc_config_spec.check(&good, &e).ok); /* so says --check-config */
	assert_refused(lk_noc_config_spec.check(&bad, &e), e, LK_R_EGRESS_CIDR);
}

static void
test_pki_path(void **ctx)
{
	static const struct lk_noc_config c = { .pki_dir = "/etc/latchkey/pki" };
	char path[PATH_MAX];
	struct lk_err e = { 0 };

	(void)ctx;
	assert_true(lk_noc_pki_path(&c, "root.pem", path, &e).ok);
	assert_string_equal(path, "/etc/latchkey/pki/root.pem");
}

static void
test_labels_are_checked_at_once(void **ctx)
{
	static struct lk_noc_config c;
	struct lk_err e = { 0 };

	(void)ctx;
	assert_true(lk_config_defaults(&lk_noc_config_spec, &c, &e).ok);
	assert_true(lk_noc_config_spec.check(&c, &e).ok);
	memcpy(c.est_labels, "plant code", sizeof "plant code");
	assert_false(lk_noc_config_spec.check(&c, &e).ok); /* and no CA that issues there */
	assert_int_equal(e.reason, LK_R_EST_LABELS);
	memcpy(c.service_ca_key, "file:ca.key", sizeof "file:ca.key");
	assert_true(lk_noc_config_spec.check(&c, &e).ok);
	memcpy(c.est_labels, "plant", sizeof "plant");
	assert_false(lk_noc_config_spec.check(&c, &e).ok);
	assert_int_equal(e.reason, LK_R_EST_LABELS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_in_range),
		cmocka_unit_test(test_the_manual_has_every_option),
		cmocka_unit_test(test_labels_are_checked_at_once),
		cmocka_unit_test_setup_teardown(
			test_the_most_ports_with_the_longest_names, make_folder, drop_folder),
		cmocka_unit_test(test_one_port_more_is_refused),
		cmocka_unit_test(test_egress_list),
		cmocka_unit_test(test_pki_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
