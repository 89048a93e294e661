/* SPDX-License-Identifier: Apache-2.0
 *
 * Crypto policies: what they are, what negotiates under them, what they refuse.
 */
#include <openssl/err.h>
#include <stdio.h>

#include "tls_pair.h"

#include "crypto/policy.h"

static const struct lk_policy *
policy(const char *name)
{
	unsigned which = 0;

	while (strcmp(lk_policy_names[which], name) != 0)
		which++;
	lk_policy_choose(which);
	return lk_policy_chosen();
}

static void
test_names(void **state)
{
	unsigned i;

	(void)state;
	assert_string_equal(lk_policy_chosen()->name, "nist");
	for (i = 0; lk_policy_names[i]; i++)
		assert_string_equal(policy(lk_policy_names[i])->name, lk_policy_names[i]);
	assert_int_equal(i, 2);
}

/* A change of a policy shows here first. */
static void
test_policies(void **state)
{
	static const struct lk_policy want[] = {
		{ "nist", "P-256:P-384", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
			"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
			"ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384",
			{ { "P-256" }, { "P-384" }, { "RSA-2048" } }, "SHA256:SHA384:SHA512" },
		{ "modern", "X25519:P-256:P-384",
			"TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_"
			"SHA384",
			"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:"
			"ECDHE-ECDSA-AES256-GCM-SHA384",
			"ed25519:ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384",
			{ { "Ed25519" }, { "P-256" }, { "P-384" }, { "RSA-3072" } },
			"SHA256:SHA384:SHA512" },
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(want); i++) {
		const struct lk_policy *p = policy(want[i].name);

		assert_string_equal(p->groups, want[i].groups);
		assert_string_equal(p->suites_tls13, want[i].suites_tls13);
		assert_string_equal(p->suites_tls12, want[i].suites_tls12);
		assert_string_equal(p->sigalgs, want[i].sigalgs);
		assert_string_equal(p->digests, want[i].digests);
		for (k = 0; want[i].keys[k].name; k++)
			assert_string_equal(p->keys[k].name, want[i].keys[k].name);
		assert_null(p->keys[k].name);
	}
}

static void
test_keys(void **state)
{
	static const struct {
		const char *algorithm, *group;
		size_t bits;
		bool nist, modern;
	} keys[] = {
		{ "EC", "P-256", 0, true, true },
		{ "EC", "P-384", 0, true, true },
		{ "EC", "P-521", 0, false, false },
		{ "EC", "P-224", 0, false, false },
		{ "EC", "secp256k1", 0, false, false },
		{ "EC", "brainpoolP256r1", 0, false, false },
		{ "ED25519", NULL, 0, false, true },
		{ "ED448", NULL, 0, false, false },
		{ "X25519", NULL, 0, false, false },
		{ "RSA", NULL, 1024, false, false },
		{ "RSA", NULL, 2040, false, false },
		{ "RSA", NULL, 2048, true, false },
		{ "RSA", NULL, 3072, true, true },
	};
	struct lk_err e = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(keys); i++) {
		LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *k = NULL;

		k = keys[i].group  ? EVP_EC_gen(keys[i].group)
		    : keys[i].bits ? EVP_RSA_gen(keys[i].bits)
				   : EVP_PKEY_Q_keygen(NULL, NULL, keys[i].algorithm);
		assert_non_null(k);
		assert_int_equal(lk_policy_check_key(policy("nist"), k, &e).ok, keys[i].nist);
		if (!keys[i].nist)
			assert_int_equal(e.reason, LK_R_CRYPTO_POLICY);
		assert_int_equal(lk_policy_check_key(policy("modern"), k, &e).ok, keys[i].modern);
		if (!keys[i].modern)
			assert_int_equal(e.reason, LK_R_CRYPTO_POLICY);
	}
}

static bool
takes(const char *name, X509 *x)
{
	struct lk_err e = { 0 };
	bool ok = lk_policy_check_cert(policy(name), x, &e).ok;

	assert_int_equal(e.reason, ok ? LK_R_NONE : LK_R_CRYPTO_POLICY);
	return ok;
}

static void
test_certs(void **state)
{
	static const struct {
		const EVP_MD *(*md)(void);
		bool ok;
	} digests[] = {
		{ EVP_sha256, true },
		{ EVP_sha384, true },
		{ EVP_sha512, true },
		{ EVP_sha1, false },
		{ EVP_sha224, false },
		{ EVP_sha3_256, false },
	};
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *weak = EVP_EC_gen("P-224");
	X509 *x;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(digests); i++) {
		x = make_cert(key, digests[i].md());
		assert_int_equal(takes("nist", x), digests[i].ok);
		assert_int_equal(takes("modern", x), digests[i].ok);
		X509_free(x);
	}
	/* a good key, signed by an issuer of another kind */
	x = make_cert_by(ed, key, NULL);
	assert_false(takes("nist", x));
	assert_true(takes("modern", x));
	X509_free(x);
	x = make_cert(weak, EVP_sha256());
	assert_false(takes("nist", x));
	X509_free(x);
}

struct outcome {
	bool up;
	int version;
	char suite[64];
	int group;
};

/* A client that offers what it is told to, against a server under a policy. */
static struct outcome
negotiate(const char *name, int min_version, int version, const char *groups, const char *suites,
	const char *sigalgs)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	LK_CLEANUP(X509_freep) X509 *cert = make_cert(key, EVP_sha256());
	LK_CLEANUP(SSL_CTX_freep)
	SSL_CTX *server = make_ctx(TLS_server_method(), TLS1_3_VERSION, cert, key);
	LK_CLEANUP(SSL_CTX_freep)
	SSL_CTX *client = make_ctx(TLS_client_method(), version, cert, key);
	struct outcome o = { 0 };
	struct lk_err e = { 0 };
	struct tls_pair p;

	assert_true(lk_policy_apply_tls(policy(name), server, min_version, &e).ok);
	SSL_CTX_set_security_level(client, 0);
	if (groups)
		assert_true(SSL_CTX_set1_groups_list(client, groups));
	if (suites && version == TLS1_3_VERSION)
		assert_true(SSL_CTX_set_ciphersuites(client, suites));
	if (suites && version == TLS1_2_VERSION)
		assert_true(SSL_CTX_set_cipher_list(client, suites));
	if (sigalgs)
		assert_true(SSL_CTX_set1_sigalgs_list(client, sigalgs));
	o.up = tls_handshake(&p, client, server);
	if (o.up) {
		o.version = SSL_version(p.server);
		o.group = (int)SSL_get_negotiated_group(p.server);
		snprintf(o.suite, sizeof o.suite, "%s", SSL_get_cipher(p.server));
	}
	tls_pair_done(&p);
	ERR_clear_error();
	return o;
}

static void
test_tls(void **state)
{
	static const struct {
		int min_version, version;
		const char *groups, *suites, *sigalgs;
	} outside[] = {
		{ TLS1_3_VERSION, TLS1_2_VERSION },
		{ TLS1_2_VERSION, TLS1_1_VERSION },
		{ TLS1_3_VERSION, TLS1_3_VERSION, .groups = "X25519" },
		{ TLS1_3_VERSION, TLS1_3_VERSION, .groups = "P-521" },
		{ TLS1_3_VERSION, TLS1_3_VERSION, .suites = "TLS_CHACHA20_POLY1305_SHA256" },
		{ TLS1_2_VERSION, TLS1_2_VERSION, .suites = "ECDHE-ECDSA-CHACHA20-POLY1305" },
		{ TLS1_2_VERSION, TLS1_2_VERSION, .suites = "ECDHE-ECDSA-AES128-SHA256" },
		{ TLS1_2_VERSION, TLS1_2_VERSION, .sigalgs = "ECDSA+SHA512" },
		{ TLS1_2_VERSION, TLS1_2_VERSION, .sigalgs = "ECDSA+SHA1" },
	};
	struct outcome o;
	size_t i;

	(void)state;
	o = negotiate("nist", TLS1_3_VERSION, TLS1_3_VERSION, NULL, NULL, NULL);
	assert_true(o.up);
	assert_int_equal(o.version, TLS1_3_VERSION);
	assert_int_equal(o.group, NID_X9_62_prime256v1);
	assert_true(strncmp(o.suite, "TLS_AES_", 8) == 0);
	o = negotiate("modern", TLS1_3_VERSION, TLS1_3_VERSION, "X25519", NULL, NULL);
	assert_true(o.up);
	assert_int_equal(o.group, NID_X25519);
	o = negotiate("nist", TLS1_2_VERSION, TLS1_2_VERSION, NULL, NULL, NULL);
	assert_true(o.up);
	assert_int_equal(o.version, TLS1_2_VERSION);

	/* what negotiates outside the policy fails */
	for (i = 0; i < LK_ARRAY_LEN(outside); i++)
		assert_false(negotiate("nist", outside[i].min_version, outside[i].version,
			outside[i].groups, outside[i].suites, outside[i].sigalgs)
				     .up);
}

/* What signs for a client is limited as what signs for a server is. */
static bool
takes_client(const char *name, EVP_PKEY *key)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *own = EVP_EC_gen("P-256");
	LK_CLEANUP(X509_freep) X509 *own_cert = make_cert(own, EVP_sha256());
	LK_CLEANUP(X509_freep) X509 *cert = make_cert_by(own, key, EVP_sha256());
	LK_CLEANUP(SSL_CTX_freep)
	SSL_CTX *server = make_ctx(TLS_server_method(), TLS1_3_VERSION, own_cert, own);
	LK_CLEANUP(SSL_CTX_freep)
	SSL_CTX *client = make_ctx(TLS_client_method(), TLS1_3_VERSION, cert, key);
	struct lk_err e = { 0 };
	struct tls_pair p;
	bool up;

	SSL_CTX_set_verify(
		server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any_cert);
	assert_true(lk_policy_apply_tls(policy(name), server, TLS1_3_VERSION, &e).ok);
	up = tls_handshake(&p, client, server);
	tls_pair_done(&p);
	ERR_clear_error();
	return up;
}

static void
test_client(void **state)
{
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *ec = EVP_EC_gen("P-384");
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	LK_CLEANUP(EVP_PKEY_freep) EVP_PKEY *rsa = EVP_RSA_gen(2048);

	(void)state;
	assert_true(takes_client("nist", ec));
	assert_true(takes_client("modern", ec));
	assert_false(takes_client("nist", ed));
	assert_true(takes_client("modern", ed));
	assert_false(takes_client("nist", rsa));
	assert_false(takes_client("modern", rsa));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_certs),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_client),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
