/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys in a token (SoftHSM): as good as any other, and never anywhere else; and
 * what is no URI of such a key.
 */
#include "key_uses.h"

#include <dlfcn.h>
#include <ftw.h>
#include <openssl/core_names.h>
#include <p11-kit/pkcs11.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"

#define SOFTHSM_UTIL "/usr/bin/softhsm2-util"
#define SOFTHSM      "/usr/lib/softhsm/libsofthsm2.so"
#define TOKEN        "token=lk%20test;object="

static char dir[] = "/tmp/test_key_pkcs11.XXXXXX";

static void
uri_of(const char *object, const char *pin_file, char uri[static 400])
{
	snprintf(uri, 400, "pkcs11:%s%s?module-path=%s&pin-source=file:%s/%s", TOKEN, object,
		SOFTHSM, dir, pin_file);
}

static void
test_uses(void **state)
{
	static const enum lk_key_type types[] = { LK_KEY_P256, LK_KEY_P384 };
	char uri[400];
	struct lk_err e = { 0 };
	size_t i;

	(void)state;
	uri_of("a%20key", "pin", uri);
	for (i = 0; i < LK_ARRAY_LEN(types); i++) {
		LK_CLEANUP(lk_key_freep) struct lk_key *made = NULL;
		LK_CLEANUP(lk_key_freep) struct lk_key *read = NULL;
		struct lk_key *same;

		assert_refused(lk_key_load(uri, &read, &e), e, LK_R_KEY_MISSING);
		assert_true(lk_key_generate(uri, types[i], &made, &e).ok);
		assert_true(lk_key_load(uri, &read, &e).ok);
		assert_int_equal(lk_key_place(read), LK_KEY_IN_PKCS11);
		assert_int_equal(lk_key_type(read), types[i]);
		assert_true(lk_slice_eq(lk_key_spki(made), lk_key_spki(read)));
		use_key(made);
		made = lk_key_free(made);
		use_key(read);

		same = read;
		assert_refused(lk_key_generate(uri, types[i], &same, &e), e, LK_R_KEY_EXISTS);
		assert_ptr_equal(same, read);
		assert_true(lk_key_destroy(uri, &e).ok);
		assert_true(lk_key_destroy(uri, &e).ok);
		assert_refused(lk_key_load(uri, &same, &e), e, LK_R_KEY_MISSING);
	}
}

static CK_FUNCTION_LIST *
softhsm(void)
{
	void *lib = dlopen(SOFTHSM, RTLD_NOW);
	CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(lib, "C_GetFunctionList");
	CK_FUNCTION_LIST *p11 = NULL;

	assert_int_equal(get(&p11), CKR_OK);
	return p11;
}

/* Asked of the token itself, in the session of a user who is logged in. */
static void
test_not_exportable(void **state)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *k = NULL;
	LK_CLEANUP(BN_freep) BIGNUM *d = NULL;
	CK_FUNCTION_LIST *p11 = softhsm();
	CK_SLOT_ID slots[4];
	CK_ULONG n = 4;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE object;
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE private_key = { CKA_CLASS, &class, sizeof class };
	CK_BBOOL extractable = 2, sensitive = 2, never = 2, local = 2;
	CK_ATTRIBUTE facts[] = {
		{ CKA_EXTRACTABLE, &extractable, 1 },
		{ CKA_SENSITIVE, &sensitive, 1 },
		{ CKA_NEVER_EXTRACTABLE, &never, 1 },
		{ CKA_LOCAL, &local, 1 },
	};
	uint8_t bytes[64];
	CK_ATTRIBUTE value = { CKA_VALUE, bytes, sizeof bytes };
	char uri[400];
	struct lk_err e = { 0 };

	(void)state;
	uri_of("sealed", "pin", uri);
	assert_true(lk_key_generate(uri, LK_KEY_P256, &k, &e).ok);
	assert_false(EVP_PKEY_get_bn_param(lk_key_evp(k), OSSL_PKEY_PARAM_PRIV_KEY, &d));
	ERR_clear_error();

	assert_int_equal(p11->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
	assert_int_equal(
		p11->C_OpenSession(slots[0], CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
	assert_int_equal(p11->C_FindObjectsInit(session, &private_key, 1), CKR_OK);
	assert_int_equal(p11->C_FindObjects(session, &object, 1, &n), CKR_OK);
	assert_int_equal(n, 1);
	assert_int_equal(p11->C_FindObjectsFinal(session), CKR_OK);
	/*= SEC-03: the key is made in the module and never leaves it =*/
	assert_int_equal(
		p11->C_GetAttributeValue(session, object, facts, LK_ARRAY_LEN(facts)), CKR_OK);
	assert_int_equal(extractable, CK_FALSE);
	assert_int_equal(sensitive, CK_TRUE);
	assert_int_equal(never, CK_TRUE);
	assert_int_equal(local, CK_TRUE);
	assert_int_equal(
		p11->C_GetAttributeValue(session, object, &value, 1), CKR_ATTRIBUTE_SENSITIVE);
	assert_int_equal(p11->C_CloseSession(session), CKR_OK);
	assert_true(lk_key_destroy(uri, &e).ok);
}

static void
test_refused(void **state)
{
	struct lk_key *k = NULL;
	struct lk_err e = { 0 };
	char uri[400], path[300];

	(void)state;
	uri_of("x", "pin", uri);
	assert_refused(lk_key_generate(uri, LK_KEY_ED25519, &k, &e), e, LK_R_KEY_TYPE);
	assert_refused(lk_key_generate(uri, LK_KEY_RSA3072, &k, &e), e, LK_R_KEY_TYPE);
	uri_of("x", "no-pin", uri);
	assert_refused(lk_key_generate(uri, LK_KEY_P256, &k, &e), e, LK_R_FILE_MISSING);
	uri_of("x", "wrong-pin", uri);
	assert_refused(lk_key_generate(uri, LK_KEY_P256, &k, &e), e, LK_R_KEY_STORE);
	assert_null(strstr(e.msg, "9999"));
	snprintf(path, sizeof path, "%s/pin", dir);
	assert_int_equal(chmod(path, 0644), 0);
	uri_of("x", "pin", uri);
	assert_refused(lk_key_generate(uri, LK_KEY_P256, &k, &e), e, LK_R_KEY_EXPOSED);
	assert_int_equal(chmod(path, 0600), 0);
	assert_refused(
		lk_key_generate("pkcs11:" TOKEN "x?module-path=" SOFTHSM, LK_KEY_P256, &k, &e), e,
		LK_R_KEY_STORE);
	assert_refused(lk_key_load("pkcs11:token=none;object=x?module-path=" SOFTHSM, &k, &e), e,
		LK_R_KEY_MISSING);
	assert_refused(
		lk_key_load("pkcs11:" TOKEN "x?module-path=/none.so", &k, &e), e, LK_R_KEY_STORE);
	assert_refused(lk_key_load("pkcs11:" TOKEN "x?module-path=/lib/x86_64-linux-gnu/libm.so.6",
			       &k, &e),
		e, LK_R_KEY_STORE);
	assert_null(k);
}

static void
test_uri_refused(void **state)
{
	static const struct {
		const char *uri;
		enum lk_reason reason;
	} bad[] = {
		{ "pkcs11:token=a", LK_R_KEY_URI },
		{ "pkcs11:object=a", LK_R_KEY_URI },
		{ "pkcs11:token=;object=a", LK_R_KEY_URI },
		{ "pkcs11:token=a;object=b;", LK_R_KEY_URI },
		{ "pkcs11:token=a;;object=b", LK_R_KEY_URI },
		{ "pkcs11:token=a;object=b?", LK_R_KEY_URI },
		{ "pkcs11:token=a;token=b;object=c", LK_R_KEY_URI },
		{ "pkcs11:token=a;object=b;slot-id=1", LK_R_KEY_URI },
		{ "pkcs11:token=a;object=b;pin-value=1234", LK_R_KEY_URI },
		{ "pkcs11:token=a;object=b?pin-value=1234", LK_R_KEY_URI },
		{ "pkcs11:token=a;object=b;pin-source=1234", LK_R_KEY_URI },
		{ "pkcs11:module-path=a?token=a;object=b", LK_R_KEY_URI },
		{ "pkcs11:token=a;object=b%2", LK_R_KEY_URI },
		{ "pkcs11:token=a;object=b%zz", LK_R_SYNTAX_HEX },
		{ "pkcs11:token=a;object=b%00", LK_R_SYNTAX_TEXT },
		{ "pkcs11:token=123456789012345678901234567890123;object=b", LK_R_TOO_LARGE },
	};
	struct lk_key *k = NULL;
	struct lk_err e = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		assert_refused(lk_key_load(bad[i].uri, &k, &e), e, bad[i].reason);
		assert_null(strstr(e.msg, "1234"));
	}
	assert_null(k);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int
remove_all(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static bool
write_file(const char *name, const char *text)
{
	char path[300];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return lk_file_create(path, lk_slice_str(text), 0600, NULL).ok;
}

static int
make_token(void **state)
{
	char path[300], conf[400];
	int status;
	pid_t pid;

	(void)state;
	snprintf(path, sizeof path, "%s/tokens", dir);
	snprintf(conf, sizeof conf, "directories.tokendir = %s\nlog.level = ERROR\n", path);
	if (mkdir(path, 0700) < 0 || !write_file("softhsm2.conf", conf) ||
		!write_file("pin", "1234\n") || !write_file("wrong-pin", "9999\n"))
		return -1;
	snprintf(path, sizeof path, "%s/softhsm2.conf", dir);
	setenv("SOFTHSM2_CONF", path, 1);
	pid = fork();
	if (pid == 0) {
		execl(SOFTHSM_UTIL, "softhsm2-util", "--init-token", "--free", "--label", "lk test",
			"--so-pin", "5678", "--pin", "1234", (char *)NULL);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uses),
		cmocka_unit_test(test_not_exportable),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_uri_refused),
	};

	if (access(SOFTHSM_UTIL, X_OK) < 0 || access(SOFTHSM, R_OK) < 0) {
		puts("skipped: softhsm2 is not installed");
		return 77;
	}
	if (!mkdtemp(dir))
		return 1;
	return cmocka_run_group_tests(tests, make_token, remove_all);
}
