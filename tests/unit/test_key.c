/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys in files and in memory: what they are good for, and what is refused.
 */
#include "key_uses.h"

#include <sys/stat.h>

#include "base/file.h"

static void
test_names(void **state)
{
	enum lk_key_place place = LK_KEY_PLACE_COUNT;
	enum lk_key_type type = LK_KEY_TYPE_COUNT;
	char long_uri[LK_KEY_URI_MAX + 2] = "file:";
	static const char *const bad[] = { "", "file:", "file", "memory:x", "/etc/key.pem",
		"FILE:/x", "pkcs12:x" };
	struct lk_err e = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_KEY_TYPE_COUNT; i++) {
		assert_true(lk_key_type_by_name(lk_key_type_name(i), &type, &e).ok);
		assert_int_equal(type, i);
	}
	type = LK_KEY_TYPE_COUNT;
	assert_refused(lk_key_type_by_name("P-224", &type, &e), e, LK_R_KEY_TYPE);
	assert_int_equal(type, LK_KEY_TYPE_COUNT);

	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		assert_refused(lk_key_place_of(bad[i], &place, &e), e, LK_R_KEY_URI);
		assert_int_equal(place, LK_KEY_PLACE_COUNT);
	}
	memset(long_uri + 5, 'x', sizeof long_uri - 6);
	assert_refused(lk_key_place_of(long_uri, &place, &e), e, LK_R_KEY_URI);
	assert_true(lk_key_place_of("file:x", &place, &e).ok);
	assert_int_equal(place, LK_KEY_IN_FILE);
}

static void
test_ephemeral(void **state)
{
	enum lk_key_type t;

	(void)state;
	for (t = 0; t < LK_KEY_TYPE_COUNT; t++) {
		LK_CLEANUP(lk_key_freep) struct lk_key *k = NULL;
		struct lk_err e = { 0 };

		assert_true(lk_key_ephemeral(t, &k, &e).ok);
		assert_int_equal(lk_key_type(k), t);
		assert_int_equal(lk_key_place(k), LK_KEY_IN_MEMORY);
		use_key(k);
	}
}

static void
test_file(void **state)
{
	struct lk_err e = { 0 };
	struct stat st;
	enum lk_key_type t;
	char path[256], uri[300];

	for (t = 0; t < LK_KEY_TYPE_COUNT; t++) {
		LK_CLEANUP(lk_key_freep) struct lk_key *made = NULL;
		LK_CLEANUP(lk_key_freep) struct lk_key *read = NULL;
		struct lk_key *same;

		snprintf(path, sizeof path, "%s/%s.pem", (char *)*state, lk_key_type_name(t));
		snprintf(uri, sizeof uri, "file:%s", path);
		assert_refused(lk_key_load(uri, &read, &e), e, LK_R_FILE_MISSING);
		assert_null(read);
		assert_true(lk_key_generate(uri, t, &made, &e).ok);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_true(lk_key_load(uri, &read, &e).ok);
		assert_int_equal(lk_key_place(read), LK_KEY_IN_FILE);
		assert_int_equal(lk_key_type(read), t);
		assert_true(lk_slice_eq(lk_key_spki(made), lk_key_spki(read)));
		use_key(read);

		/* never over an existing key */
		same = read;
		assert_refused(lk_key_generate(uri, t, &same, &e), e, LK_R_FILE_EXISTS);
		assert_ptr_equal(same, read);

		assert_true(lk_key_destroy(uri, &e).ok);
		assert_true(lk_key_destroy(uri, &e).ok);
		assert_int_not_equal(stat(path, &st), 0);
	}
}

static void
test_file_refused(void **state)
{
	static const mode_t exposed[] = { 0640, 0604, 0620, 0602, 0610, 0777 };
	static const char not_a_key[] =
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *odd = EVP_EC_gen("P-521");
	struct lk_key *k = NULL;
	struct lk_err e = { 0 };
	char path[256], uri[300], huge[9000];
	size_t i;
	FILE *f;

	snprintf(path, sizeof path, "%s/refused.pem", (char *)*state);
	snprintf(uri, sizeof uri, "file:%s", path);
	assert_true(lk_key_generate(uri, LK_KEY_P256, &k, &e).ok);
	k = lk_key_free(k);
	for (i = 0; i < LK_ARRAY_LEN(exposed); i++) {
		assert_int_equal(chmod(path, exposed[i]), 0);
		assert_refused(lk_key_load(uri, &k, &e), e, LK_R_KEY_EXPOSED);
	}

	assert_true(lk_file_replace(path, lk_slice_str(not_a_key), 0600, &e).ok);
	assert_refused(lk_key_load(uri, &k, &e), e, LK_R_KEY_STORE);

	memset(huge, 'x', sizeof huge);
	assert_true(lk_file_replace(path, LK_SLICE_ARRAY(huge), 0600, &e).ok);
	assert_refused(lk_key_load(uri, &k, &e), e, LK_R_TOO_LARGE);

	/* a password is not asked for: the test would hang */
	f = fopen(path, "w");
	assert_true(PEM_write_PKCS8PrivateKey(f, odd, EVP_aes_256_cbc(), "x", 1, NULL, NULL));
	fclose(f);
	assert_refused(lk_key_load(uri, &k, &e), e, LK_R_KEY_STORE);

	f = fopen(path, "w");
	assert_true(PEM_write_PrivateKey(f, odd, NULL, NULL, 0, NULL, NULL));
	fclose(f);
	assert_refused(lk_key_load(uri, &k, &e), e, LK_R_KEY_TYPE);
	assert_true(lk_key_destroy(uri, &e).ok);

	snprintf(uri, sizeof uri, "file:%s", (char *)*state);
	assert_int_equal(chmod(*state, 0700), 0);
	assert_refused(lk_key_load(uri, &k, &e), e, LK_R_FILE_IO);
	assert_null(k);
}

static void
test_sign_appends(void **state)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *k = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(16);
	struct lk_err e = { 0 };

	(void)state;
	assert_true(lk_key_ephemeral(LK_KEY_P256, &k, &e).ok);
	assert_true(lk_buf_append_str(&out, "before", &e).ok);
	assert_refused(lk_key_sign(k, LK_SLICE_LIT("x"), &out, &e), e, LK_R_TOO_LARGE);
	assert_string_equal(lk_buf_str(&out), "before");
	out.max = 256;
	assert_true(lk_key_sign(k, LK_SLICE_LIT("x"), &out, &e).ok);
	assert_memory_equal(out.p, "before0", 7);
}

static int
make_dir(void **state)
{
	static char dir[] = "/tmp/test_key.XXXXXX";

	*state = mkdtemp(dir);
	return *state ? 0 : -1;
}

static int
remove_dir(void **state)
{
	return rmdir(*state);
}

static void
test_uris_in_a_folder(void **state)
{
	static const struct {
		const char *uri, *want;
	} rows[] = { { "file:a.key", "file:/d/a.key" }, { "file:/x/a.key", "file:/x/a.key" },
		{ "tpm2:a.key", "tpm2:/d/a.key" }, { "pkcs11:object=a", "pkcs11:object=a" } };
	char uri[16] = "untouched";
	struct lk_err e;
	size_t i;

	(void)state;
	assert_refused(lk_key_uri_in("/d", "a.key", uri, sizeof uri, &e), e, LK_R_KEY_URI);
	assert_string_equal(uri, "untouched");
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		assert_true(lk_key_uri_in("/d", rows[i].uri, uri, sizeof uri, &e).ok);
		assert_string_equal(uri, rows[i].want);
	}
	assert_refused(
		lk_key_uri_in("/folder", "file:long.key", uri, sizeof uri, &e), e, LK_R_KEY_URI);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ephemeral),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_refused),
		cmocka_unit_test(test_sign_appends),
		cmocka_unit_test(test_uris_in_a_folder),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
