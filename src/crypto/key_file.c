/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys in files: PKCS#8 PEM (RFC 5958, RFC 7468), and what TPM keys share with
 * them. Never asks for a password, never reads a key that others could have
 * read before.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "crypto/key_place.h"

struct lk_result
lk_evp_generate(OSSL_LIB_CTX *lib, const char *propq, enum lk_key_type type, EVP_PKEY **ret,
	struct lk_err *e)
{
	const struct lk_key_type_info *t = lk_key_type_info(type);
	EVP_PKEY *key = t->group  ? EVP_PKEY_Q_keygen(lib, propq, t->algorithm, t->group)
			: t->bits ? EVP_PKEY_Q_keygen(lib, propq, t->algorithm, t->bits)
				  : EVP_PKEY_Q_keygen(lib, propq, t->algorithm);

	LK_OSSL(key, e, LK_R_CRYPTO_LIBRARY, "no %s key was made", t->name);
	*ret = key;
	return LK_OK;
}

/* Instead of OpenSSL's own, which asks on the terminal. */
static int
no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

struct lk_result
lk_key_read_guarded(const char *path, uint8_t *dst, size_t cap, size_t *ret_n, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	LK_REQUIRE(fd >= 0, e, errno == ENOENT ? LK_R_FILE_MISSING : LK_R_FILE_IO,
		"cannot open %s: %s", path, strerror(errno));
	LK_REQUIRE(fstat(fd, &st) == 0 && S_ISREG(st.st_mode), e, LK_R_FILE_IO, "%s is not a file",
		path);
	LK_REQUIRE(!(st.st_mode & 077), e, LK_R_KEY_EXPOSED, "%s has mode %04o, want 0600", path,
		(unsigned)st.st_mode & 07777);
	LK_REQUIRE((uintmax_t)st.st_size <= cap, e, LK_R_TOO_LARGE,
		"%s has %jd bytes, at most %zu are taken", path, (intmax_t)st.st_size, cap);
	LK_REQUIRE(read(fd, dst, cap) == st.st_size, e, LK_R_FILE_IO, "cannot read %s", path);
	*ret_n = (size_t)st.st_size;
	return LK_OK;
}

struct lk_result
lk_evp_decode_pem(OSSL_LIB_CTX *lib, const char *propq, struct lk_slice pem, const char *else_say,
	EVP_PKEY **ret, struct lk_err *e)
{
	LK_CLEANUP(BIO_free_allp) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = NULL;

	if (bio)
		key = PEM_read_bio_PrivateKey_ex(bio, NULL, no_password, NULL, lib, propq);
	LK_OSSL(key, e, LK_R_KEY_STORE, "%s", else_say);
	*ret = key;
	return LK_OK;
}

struct lk_result
lk_evp_write_pem(OSSL_LIB_CTX *lib, const char *propq, const EVP_PKEY *key, const char *path,
	struct lk_err *e)
{
	LK_CLEANUP(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem()); /* wiped when freed */
	char *pem;
	long n;

	LK_OSSL(bio && PEM_write_bio_PrivateKey_ex(
			       bio, key, NULL, NULL, 0, no_password, NULL, lib, propq),
		e, LK_R_CRYPTO_LIBRARY, "the key for %s cannot be encoded", path);
	n = BIO_get_mem_data(bio, &pem);
	return lk_file_create(path, lk_slice(pem, (size_t)n), 0600, e);
}

static struct lk_result
generate(const char *where, enum lk_key_type type, EVP_PKEY **ret, struct lk_err *e)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;

	LK_TRY(lk_evp_generate(NULL, NULL, type, &key, e));
	LK_TRY(lk_evp_write_pem(NULL, NULL, key, where, e));
	*ret = LK_TAKE(key);
	return LK_OK;
}

static struct lk_result
load(const char *where, EVP_PKEY **ret, struct lk_err *e)
{
	char else_say[LK_ERR_MSG_MAX];
	uint8_t pem[LK_KEY_PEM_MAX];
	struct lk_result r;
	size_t n;

	snprintf(else_say, sizeof else_say, "%s is not an unencrypted PEM private key", where);
	LK_TRY(lk_key_read_guarded(where, pem, sizeof pem, &n, e));
	r = lk_evp_decode_pem(NULL, NULL, lk_slice(pem, n), else_say, ret, e);
	lk_wipe(pem, sizeof pem);
	return r;
}

const struct lk_key_place_ops lk_key_place_file = { generate, load, lk_file_remove };
