/* SPDX-License-Identifier: Apache-2.0
 *
 * Registrars whose certificates were taken back (RFC 8995 5.5.3), and the folder in which the
 * manufacturer holds its customers' lists.
 */
#include "masa_cast.h"

#include <unistd.h>

#include "artefact/crl.h"
#include "base/file.h"
#include "masa/crl_folder.h"

static const struct lk_masa_settings settings = { LK_PIN_FARTHEST, 1200, true };

static struct masa masa;
static char dir[] = "/tmp/test_masa_revocation.XXXXXX";

/* A list of that CA with that certificate on it (NULL: none), good from `from` for a day. */
static void
make_list(const struct pki_id *ca, const struct lk_cert *revoked, int64_t from, struct lk_buf *der)
{
	LK_CLEANUP(lk_crl_builder_done) struct lk_crl_builder b = { .any = false };
	LK_CLEANUP(lk_buf_done) struct lk_buf serial = LK_BUF_INIT(LK_CERT_SERIAL_MAX);
	struct lk_crl_entry entry = { .revoked_at = from, .reason = LK_CRL_KEY_COMPROMISE };
	char hex[2 * LK_CERT_SERIAL_MAX + 1];

	MASA_OK(lk_crl_begin(&b, pki_cert(ca), ca->key, 1, from, from + PKI_DAY, &masa_err));
	if (revoked) {
		lk_cert_serial(revoked, hex);
		MASA_OK(lk_hex_decode(lk_slice_str(hex), &serial, &masa_err));
		entry.serial = lk_buf_slice(&serial);
		MASA_OK(lk_crl_add(&b, &entry, &masa_err));
	}
	MASA_OK(lk_crl_finish(&b, der, &masa_err));
}

static void
add_list(struct lk_masa_crls *lists, const struct pki_id *ca, const struct lk_cert *revoked,
	int64_t from)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(65536);

	make_list(ca, revoked, from, &der);
	MASA_OK(lk_crl_parse(lk_buf_slice(&der), &lists->v[lists->n++], &masa_err));
}

static void
heed(const struct pki_id *ca, const struct lk_cert *revoked, int64_t from)
{
	struct lk_masa_crls lists = { .n = 0 };

	add_list(&lists, ca, revoked, from);
	lk_masa_keeper_heed(masa.keeper, &lists);
	assert_int_equal(lists.n, 0);
}

static void
refuses(enum lk_reason want)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	masa_request(&masa, &request);
	masa_refuses(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request), want);
	masa_refuses(&masa, LK_EP_MASA_REQUESTAUDITLOG, NULL, lk_buf_slice(&request), want);
}

static void
gives(void)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(LK_CMS_MAX);

	masa_request(&masa, &request);
	masa_ask(&masa, LK_EP_MASA_REQUESTVOUCHER, NULL, lk_buf_slice(&request));
	assert_int_equal(masa.reply.status, 200);
}

/*= RFC8995 5.5.3: a registrar whose certificate was revoked gets nothing =*/
static void
test_revoked_registrar(void **state)
{
	(void)state;
	heed(&masa.cast.domain, pki_cert(&masa.cast.registrar), PKI_NOW);
	refuses(LK_R_MASA_REGISTRAR_REVOKED);
	/* A list that is over does not take back what it says. */
	heed(&masa.cast.domain, pki_cert(&masa.cast.registrar), PKI_NOW - 2 * PKI_DAY);
	refuses(LK_R_MASA_REGISTRAR_REVOKED);
	heed(&masa.cast.domain, pki_cert(&masa.cast.device), PKI_NOW);
	gives();
}

/*= Latchkey MASA: a revocation list that is out of date vouches for nobody =*/
static void
test_old_list(void **state)
{
	struct lk_masa_crls lists = { .n = 0 };

	(void)state;
	heed(&masa.cast.domain, NULL, PKI_NOW - 2 * PKI_DAY);
	refuses(LK_R_MASA_CRL_OLD);
	add_list(&lists, &masa.cast.domain, NULL, PKI_NOW - 2 * PKI_DAY);
	add_list(&lists, &masa.cast.domain, NULL, PKI_NOW);
	lk_masa_keeper_heed(masa.keeper, &lists);
	gives();
}

/* Of another CA, also of one that gave itself the same name: it is not asked. */
static void
test_list_of_another_ca(void **state)
{
	LK_CLEANUP(pki_id_done) struct pki_id namesake;
	char name[LK_CERT_NAME_MAX];

	(void)state;
	heed(&masa.cast.stranger_ca, pki_cert(&masa.cast.registrar), PKI_NOW);
	gives();
	lk_cert_subject(pki_cert(&masa.cast.domain), "2.5.4.3", name);
	pki_issue(NULL, &(struct pki_spec){ .cn = name, .ca = true }, &namesake);
	heed(&namesake, pki_cert(&masa.cast.registrar), PKI_NOW);
	gives();
}

/* --- the folder ------------------------------------------------------------------------------- */

static void
put(const char *name, struct lk_slice bytes)
{
	char path[PATH_MAX];

	MASA_OK(lk_path_join(dir, name, path, sizeof path, &masa_err));
	MASA_OK(lk_file_replace(path, bytes, 0644, &masa_err));
}

static void
assert_reads(struct lk_crl_folder *f, bool want_changed, size_t want)
{
	LK_CLEANUP(lk_masa_crls_done) struct lk_masa_crls lists = { .n = 0 };
	bool changed;

	MASA_OK(lk_crl_folder_read(f, &changed, &lists, &masa_err));
	assert_int_equal(changed, want_changed);
	assert_int_equal(lists.n, want);
}

static void
test_folder(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_masa_crls_done) struct lk_masa_crls lists = { .n = 0 };
	struct lk_crl_folder f = { .path = dir }, missing = { .path = "/nowhere/at/all" };
	bool changed = true;

	(void)state;
	assert_reads(&missing, true, 0); /* the first look: there are none */
	assert_reads(&f, true, 0);
	assert_reads(&f, false, 0);
	make_list(&masa.cast.domain, NULL, PKI_NOW, &der);
	put("domain.crl", lk_buf_slice(&der));
	put("domain.crl.part", LK_SLICE_LIT("not yet"));
	assert_reads(&f, true, 1);
	assert_reads(&f, false, 0);
	/* Half a file: what was read before stays, and it is looked at again. */
	put("other.crl", lk_slice(der.p, der.n / 2));
	assert_refused(
		lk_crl_folder_read(&f, &changed, &lists, &masa_err), masa_err, LK_R_CRL_SYNTAX);
	assert_non_null(strstr(masa_err.msg, "other.crl"));
	assert_false(changed);
	assert_int_equal(lists.n, 0);
	put("other.crl", lk_buf_slice(&der));
	assert_reads(&f, true, 2);
}

static int
setup(void **state)
{
	(void)state;
	masa_init(&masa, &settings, NULL);
	masa_own(&masa);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	masa_done(&masa);
	return 0;
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int
remove_dir(void **state)
{
	static const char *const names[] = { "domain.crl", "domain.crl.part", "other.crl" };
	char path[PATH_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(names); i++) {
		MASA_OK(lk_path_join(dir, names[i], path, sizeof path, &masa_err));
		MASA_OK(lk_file_remove(path, &masa_err));
	}
	return rmdir(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_revoked_registrar),
		TEST(test_old_list),
		TEST(test_list_of_another_ca),
		TEST(test_folder),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
