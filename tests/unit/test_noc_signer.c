/* SPDX-License-Identifier: Apache-2.0
 *
 * The signer of a network, as it opens: the keys and certificates that its
 * configuration names, and what every device will be told about the network.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "noc/signer.c" /* NOLINT: its statics are what is tested */
#include "pki.h"

static struct world {
	char dir[32];
	struct pki_cast cast;
	struct pki_id registrar; /* with a key in a file */
	struct lk_noc_config config;
	struct lk_process process;
} w;
static struct lk_err e;

#define set_text(field, ...) \
	assert_true(snprintf(field, sizeof(field), __VA_ARGS__) < (int)sizeof(field))

static void
write_pem(const char *name, const struct lk_certs *certs)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(65536);
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < certs->n; i++)
		assert_true(lk_cert_print_pem(certs->v[i], &pem, &e).ok);
	assert_true(lk_path_join(w.dir, name, path, sizeof path, &e).ok);
	assert_true(lk_file_replace(path, lk_buf_slice(&pem), 0600, &e).ok);
}

static int
setup(void **state)
{
	struct pki_spec spec = { .cn = "registrar", .eku = PKI_EKU_RA };

	(void)state;
	memset(&w, 0, sizeof w);
	memset(&onboarding, 0, sizeof onboarding);
	memcpy(w.dir, "/tmp/lk-signer-XXXXXX", sizeof "/tmp/lk-signer-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	pki_cast_init(&w.cast);
	set_text(w.config.network, "home");
	set_text(w.config.pki_dir, "%s", w.dir);
	set_text(w.config.registrar_key, "file:%s/registrar.key", w.dir);
	assert_true(lk_key_generate(w.config.registrar_key, LK_KEY_P256, &spec.key, &e).ok);
	pki_issue(&w.cast.domain, &spec, &w.registrar);
	lk_key_free(spec.key);
	write_pem("registrar.pem", &w.registrar.chain);
	w.process.config = &w.config;
	return 0;
}

static int
teardown(void **state)
{
	static const char *const files[] = { "registrar.key", "registrar.pem", "radius.pem" };
	char path[PATH_MAX];
	size_t i;

	(void)state;
	signer_close(&w.process);
	lk_onboarding_leaves_done(&onboarding);
	pki_id_done(&w.registrar);
	pki_cast_done(&w.cast);
	for (i = 0; i < LK_ARRAY_LEN(files); i++) {
		assert_true(lk_path_join(w.dir, files[i], path, sizeof path, &e).ok);
		assert_true(lk_file_remove(path, &e).ok);
	}
	assert_int_equal(rmdir(w.dir), 0);
	return 0;
}

/* What a device is told. */
static struct lk_onboarding *
told(void)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1 << 20);
	struct lk_sign_onboarding_information_body b = { .event = 1,
		.issued_at = PKI_NOW,
		.sequence = 1,
		.device_id = "01900000-0000-7000-8000-000000000000",
		.serial_number = PKI_SERIAL };
	struct lk_onboarding *o = NULL;

	assert_true(lk_signer_sign(
		w.process.state, LK_ROLE_KEEPER, LK_BODY_sign_onboarding_information, &b, &out, &e)
			    .ok);
	assert_true(lk_onboarding_parse(lk_buf_slice(&out), &o, &e).ok);
	return o;
}

/*= SEC-13: the network's identifier is part of the onboarding credentials =*/
static void
test_network_is_named(void **state)
{
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;

	(void)state;
	assert_true(signer_open(&w.process, &e).ok);
	o = told();
	assert_string_equal(o->leaf.network, "home");
	assert_int_equal(o->leaf.present & 1u << LK_ONBOARDING_RADIUS_ANCHOR, 0);
	assert_int_equal(o->leaf.n_endpoints, 0);
}

static void
test_all_that_is_configured_is_told(void **state)
{
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;

	(void)state;
	write_pem("radius.pem", &w.cast.domain.chain);
	set_text(w.config.lifecycle_url, "https://registrar.home.example:8443");
	set_text(w.config.radius_anchor, "%s/radius.pem", w.dir);
	set_text(w.config.radius_server, "radius.home.example");
	set_text(w.config.applications,
		"mqtt=mqtts://broker.home.example, https=https://app.example|%s/radius.pem", w.dir);
	assert_true(signer_open(&w.process, &e).ok);
	o = told();
	assert_string_equal(o->leaf.lifecycle_url, "https://registrar.home.example:8443");
	assert_string_equal(o->leaf.renewal_url, "https://registrar.home.example:8443");
	assert_true(lk_slice_eq(
		lk_buf_slice(&o->leaf.radius_anchor), lk_cert_der(pki_cert(&w.cast.domain))));
	assert_string_equal(o->leaf.radius_server, "radius.home.example");
	assert_int_equal(o->leaf.n_endpoints, 2);
	assert_string_equal(o->leaf.endpoints[0].kind, "mqtt");
	assert_string_equal(o->leaf.endpoints[0].url, "mqtts://broker.home.example");
	assert_int_equal(o->leaf.endpoints[0].anchor.n, 0);
	assert_string_equal(o->leaf.endpoints[1].kind, "https");
	assert_true(lk_slice_eq(
		lk_buf_slice(&o->leaf.endpoints[1].anchor), lk_cert_der(pki_cert(&w.cast.domain))));
}

/* What no device would take is found at the start. */
static void
test_network_that_cannot_be_told(void **state)
{
	static const struct {
		const char *lifecycle_url, *radius_anchor, *radius_server, *applications;
	} rows[] = {
		{ "http://registrar.home.example", "", "", "" },
		{ "", "registrar.pem", "", "" },
		{ "", "", "radius.home.example", "" },
		{ "", "", "", "mqtt=broker" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		signer_close(&w.process);
		lk_onboarding_leaves_done(&onboarding);
		memset(&onboarding, 0, sizeof onboarding);
		set_text(w.config.lifecycle_url, "%s", rows[i].lifecycle_url);
		set_text(w.config.radius_anchor, "%s%s%s", rows[i].radius_anchor[0] ? w.dir : "",
			rows[i].radius_anchor[0] ? "/" : "", rows[i].radius_anchor);
		set_text(w.config.radius_server, "%s", rows[i].radius_server);
		set_text(w.config.applications, "%s", rows[i].applications);
		assert_refused(signer_open(&w.process, &e), e, LK_R_ONBOARDING_LEAF);
		assert_null(w.process.state);
	}
}

/* A key that does not belong to its certificate would sign what nobody believes. */
static void
test_key_of_another_certificate(void **state)
{
	(void)state;
	write_pem("registrar.pem", &w.cast.stranger.chain);
	assert_refused(signer_open(&w.process, &e), e, LK_R_KEY_MISMATCH);
	assert_null(w.process.state);
}

static void
test_configuration_that_is_wrong(void **state)
{
	static const char *const bad[] = { "mqtt", "mqtt=mqtts://a|/nonexistent.pem",
		"a=b:,a=b:,a=b:,a=b:,a=b:,a=b:,a=b:,a=b:,a=b:" };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		signer_close(&w.process);
		lk_onboarding_leaves_done(&onboarding);
		memset(&onboarding, 0, sizeof onboarding);
		set_text(w.config.applications, "%s", bad[i]);
		assert_refused(
			signer_open(&w.process, &e), e, i == 1 ? LK_R_CERTS_MISSING : LK_R_USAGE);
		assert_null(w.process.state);
	}
	w.config.applications[0] = 0;
	set_text(w.config.registrar_key, "file:/nonexistent.key");
	assert_false(signer_open(&w.process, &e).ok);
}

#define in_a_folder(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_folder(test_network_is_named),
		in_a_folder(test_all_that_is_configured_is_told),
		in_a_folder(test_network_that_cannot_be_told),
		in_a_folder(test_key_of_another_certificate),
		in_a_folder(test_configuration_that_is_wrong),
	};

	return cmocka_run_group_tests_name("noc signer", tests, NULL, NULL);
}
