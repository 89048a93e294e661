/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys in a TPM: as good as any other, and never anywhere else.
 */
#include "key_uses.h"

#include <openssl/core_names.h>
#include <openssl/provider.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "base/file.h"
#include "swtpm.h"

/* The TPM's libraries keep what they allocated when they start: not a matter of this test. */
const char *__asan_default_options(void) __attribute__((visibility("default")));

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

static char dir[] = "/tmp/test_key_tpm2.XXXXXX";
static pid_t tpm;

static void
uri_of(const char *name, char path[static 256], char uri[static 300])
{
	snprintf(path, 256, "%s/%s", dir, name);
	snprintf(uri, 300, "tpm2:%s", path);
}

static void
test_uses(void **state)
{
	static const enum lk_key_type types[] = { LK_KEY_P256, LK_KEY_P384 };
	char path[256], uri[300];
	struct lk_err e = { 0 };
	struct stat st;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(types); i++) {
		LK_CLEANUP(lk_key_freep) struct lk_key *made = NULL;
		LK_CLEANUP(lk_key_freep) struct lk_key *read = NULL;
		struct lk_key *same;

		uri_of("key.pem", path, uri);
		assert_refused(lk_key_load(uri, &read, &e), e, LK_R_FILE_MISSING);
		assert_true(lk_key_generate(uri, types[i], &made, &e).ok);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_true(lk_key_load(uri, &read, &e).ok);
		assert_int_equal(lk_key_place(read), LK_KEY_IN_TPM2);
		assert_int_equal(lk_key_type(read), types[i]);
		assert_true(lk_slice_eq(lk_key_spki(made), lk_key_spki(read)));
		use_key(made);
		made = lk_key_free(made);
		use_key(read);

		same = read;
		assert_refused(lk_key_generate(uri, types[i], &same, &e), e, LK_R_FILE_EXISTS);
		assert_ptr_equal(same, read);
		assert_true(lk_key_destroy(uri, &e).ok);
		assert_true(lk_key_destroy(uri, &e).ok);
		assert_refused(lk_key_load(uri, &same, &e), e, LK_R_FILE_MISSING);
	}
}

/* fixedTPM, fixedParent, sensitiveDataOrigin: made in this TPM, sealed to it, for ever. */
static void
test_not_exportable(void **state)
{
	static const uint32_t wanted = 1u << 1 | 1u << 4 | 1u << 5;
	static const uint8_t ecc_sha256[] = { 0x00, 0x23, 0x00, 0x0b }; /* TPMT_PUBLIC begins */
	LK_CLEANUP(lk_key_freep) struct lk_key *k = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(4096);
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(4096);
	LK_CLEANUP(BN_freep) BIGNUM *d = NULL;
	LK_CLEANUP(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
	static const char begin[] = "-----BEGIN TSS2 PRIVATE KEY-----\n";
	char path[256], uri[300];
	struct lk_err e = { 0 };
	const uint8_t *p;
	const char *end;
	uint32_t attributes;

	(void)state;
	uri_of("sealed.pem", path, uri);
	assert_true(lk_key_generate(uri, LK_KEY_P256, &k, &e).ok);
	assert_false(EVP_PKEY_get_bn_param(lk_key_evp(k), OSSL_PKEY_PARAM_PRIV_KEY, &d));
	assert_false(PEM_write_bio_PrivateKey(bio, lk_key_evp(k), NULL, NULL, 0, NULL, NULL));
	ERR_clear_error();

	assert_true(lk_file_read(path, &pem, &e).ok);
	assert_memory_equal(pem.p, begin, sizeof begin - 1);
	end = strstr(lk_buf_str(&pem), "-----END");
	assert_non_null(end);
	p = pem.p + sizeof begin - 1;
	assert_true(lk_base64_decode(
		lk_slice(p, (size_t)((const uint8_t *)end - p)), LK_BASE64_WHITESPACE, &der, &e)
			    .ok);
	p = memmem(der.p, der.n, ecc_sha256, sizeof ecc_sha256);
	assert_non_null(p);
	attributes = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7];
	/*= SEC-03: the key is made in the module and never leaves it =*/
	assert_int_equal(attributes & wanted, wanted);
	assert_true(lk_key_destroy(uri, &e).ok);
}

static void
test_refused(void **state)
{
	char path[256], uri[300], file_uri[300];
	struct lk_key *k = NULL;
	struct lk_err e = { 0 };

	(void)state;
	uri_of("refused.pem", path, uri);
	snprintf(file_uri, sizeof file_uri, "file:%s", path);
	assert_refused(lk_key_generate(uri, LK_KEY_ED25519, &k, &e), e, LK_R_KEY_TYPE);
	assert_refused(lk_key_generate(uri, LK_KEY_RSA3072, &k, &e), e, LK_R_KEY_TYPE);

	/* a key in the clear is not taken for one of the TPM, nor the other way round */
	assert_true(lk_key_generate(file_uri, LK_KEY_P256, &k, &e).ok);
	k = lk_key_free(k);
	assert_refused(lk_key_load(uri, &k, &e), e, LK_R_KEY_STORE);
	assert_true(lk_key_destroy(uri, &e).ok);
	assert_true(lk_key_generate(uri, LK_KEY_P256, &k, &e).ok);
	k = lk_key_free(k);
	assert_refused(lk_key_load(file_uri, &k, &e), e, LK_R_KEY_STORE);

	assert_int_equal(chmod(path, 0640), 0);
	assert_refused(lk_key_load(uri, &k, &e), e, LK_R_KEY_EXPOSED);
	assert_true(lk_key_destroy(uri, &e).ok);
	assert_null(k);
}

/* A network has six keys, a TPM may have room for three objects. */
static void
test_more_keys_than_room(void **state)
{
	struct lk_key *keys[6] = { NULL };
	char path[256], uri[300], name[16];
	struct lk_err e = { 0 };
	size_t i, round;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(keys); i++) {
		snprintf(name, sizeof name, "%zu.pem", i);
		uri_of(name, path, uri);
		assert_true(lk_key_generate(uri, LK_KEY_P256, &keys[i], &e).ok);
		if (i % 2) {
			keys[i] = lk_key_free(keys[i]);
			assert_true(lk_key_load(uri, &keys[i], &e).ok);
		}
		assert_true(lk_key_destroy(uri, &e).ok);
	}
	for (round = 0; round < 2; round++)
		for (i = 0; i < LK_ARRAY_LEN(keys); i++)
			use_key(keys[i]);
	for (i = 0; i < LK_ARRAY_LEN(keys); i++)
		lk_key_free(keys[i]);
}

/* The TPM goes away under a loaded key: words, not a crash. Last, for it does not come back. */
static void
test_tpm_gone(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf sig = LK_BUF_INIT(256);
	LK_CLEANUP(lk_key_freep) struct lk_key *k = NULL;
	char path[256], uri[300];
	struct lk_err e = { 0 };

	(void)state;
	uri_of("gone.pem", path, uri);
	assert_true(lk_key_generate(uri, LK_KEY_P256, &k, &e).ok);
	swtpm_stop(dir, tpm);
	assert_refused(lk_key_sign(k, LK_SLICE_LIT("x"), &sig, &e), e, LK_R_KEY_STORE);
	assert_non_null(strstr(e.msg, "the TPM does not sign"));
	assert_int_equal(sig.n, 0);
	assert_true(lk_key_destroy(uri, &e).ok);
}

static bool
have_provider(void)
{
	OSSL_LIB_CTX *lib = OSSL_LIB_CTX_new();
	bool have = OSSL_PROVIDER_load(lib, "tpm2") != NULL;

	ERR_clear_error();
	OSSL_LIB_CTX_free(lib);
	return have;
}

static int
stop(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uses),
		cmocka_unit_test(test_not_exportable),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_more_keys_than_room),
		cmocka_unit_test(test_tpm_gone),
	};

	if (access(SWTPM, X_OK) < 0) {
		puts("skipped: swtpm is not installed");
		return 77;
	}
	setenv("TSS2_LOG", "all+none", 1);
	if (!mkdtemp(dir) || !swtpm_start(dir, &tpm))
		return 1;
	if (!have_provider()) {
		swtpm_stop(dir, tpm);
		rmdir(dir);
		puts("skipped: tpm2-openssl is not installed");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, stop);
}
