/* SPDX-License-Identifier: Apache-2.0
 *
 * The crypto policies, as data, and their three uses: TLS, public keys,
 * certificate signatures.
 */
#include "crypto/policy.h"

#include <assert.h>

#include "crypto/ossl.h"

static const struct lk_policy policies[] = {
	{
		.name = "nist",
		.groups = "P-256:P-384",
		.suites_tls13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
		.suites_tls12 = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
		.sigalgs = "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384",
		.keys = {
			{ "P-256", "EC", "prime256v1", 0 },
			{ "P-384", "EC", "secp384r1", 0 },
			{ "RSA-2048", "RSA", NULL, 2048 }, /* SP 800-131A; old manufacturers' CAs */
		},
		.digests = "SHA256:SHA384:SHA512",
	},
	{
		.name = "modern",
		.groups = "X25519:P-256:P-384",
		.suites_tls13 = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:"
				"TLS_AES_256_GCM_SHA384",
		.suites_tls12 = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:"
				"ECDHE-ECDSA-AES256-GCM-SHA384",
		.sigalgs = "ed25519:ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384",
		.keys = {
			{ "Ed25519", "ED25519", NULL, 0 },
			{ "P-256", "EC", "prime256v1", 0 },
			{ "P-384", "EC", "secp384r1", 0 },
			{ "RSA-3072", "RSA", NULL, 3072 },
		},
		.digests = "SHA256:SHA384:SHA512",
	},
};

const char *const lk_policy_names[LK_ARRAY_LEN(policies) + 1] = { "nist", "modern" };

static const struct lk_policy *chosen = &policies[0];

void
lk_policy_choose(unsigned which)
{
	assert(which < LK_ARRAY_LEN(policies));
	chosen = &policies[which];
}

const struct lk_policy *
lk_policy_chosen(void)
{
	return chosen;
}

struct lk_result
lk_policy_apply_tls(const struct lk_policy *p, SSL_CTX *ctx, int min_version, struct lk_err *e)
{
	LK_OSSL(SSL_CTX_set_min_proto_version(ctx, min_version) &&
			SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) &&
			SSL_CTX_set1_groups_list(ctx, p->groups) &&
			SSL_CTX_set_ciphersuites(ctx, p->suites_tls13) &&
			SSL_CTX_set_cipher_list(ctx, p->suites_tls12) &&
			SSL_CTX_set1_sigalgs_list(ctx, p->sigalgs),
		e, LK_R_CRYPTO_LIBRARY, "the library does not do crypto policy '%s'", p->name);
	return LK_OK;
}

struct lk_result
lk_policy_check_key(const struct lk_policy *p, const EVP_PKEY *key, struct lk_err *e)
{
	const struct lk_policy_key *k;
	char group[64] = "";

	if (EVP_PKEY_is_a(key, "EC")) /* explicit parameters have no name, and are refused */
		LK_OSSL(EVP_PKEY_get_group_name(key, group, sizeof group, NULL), e,
			LK_R_CRYPTO_POLICY, "the key's curve has no name");
	for (k = p->keys; k->name; k++)
		if (EVP_PKEY_is_a(key, k->algorithm) &&
			(!k->group || strcmp(k->group, group) == 0) &&
			EVP_PKEY_get_bits(key) >= k->bits)
			return LK_OK;
	return lk_fail(e, LK_R_CRYPTO_POLICY, "policy '%s' takes no %d bit %s key%s%s", p->name,
		EVP_PKEY_get_bits(key), EVP_PKEY_get0_type_name(key), group[0] ? " on " : "",
		group);
}

/* Whether a colon-separated list has this word. */
static bool
has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list; list = strchr(list, ':')) {
		list += *list == ':';
		if (strncmp(list, word, n) == 0 && (list[n] == ':' || !list[n]))
			return true;
	}
	return false;
}

static struct lk_result
check_cert_key(const struct lk_policy *p, X509 *x, struct lk_err *e)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);

	LK_OSSL(key, e, LK_R_CRYPTO_POLICY, "the certificate's key is of no known kind");
	return lk_policy_check_key(p, key, e);
}

struct lk_result
lk_policy_check_cert(const struct lk_policy *p, X509 *x, struct lk_err *e)
{
	int digest, algorithm;

	LK_TRY(check_cert_key(p, x, e));
	LK_OSSL(X509_get_signature_info(x, &digest, &algorithm, NULL, NULL), e, LK_R_CRYPTO_POLICY,
		"the certificate's signature is of no known kind");
	if (algorithm == NID_ED25519)
		LK_REQUIRE(has_word(p->sigalgs, "ed25519"), e, LK_R_CRYPTO_POLICY,
			"policy '%s' takes no certificate signed with Ed25519", p->name);
	else
		LK_REQUIRE(has_word(p->digests, OBJ_nid2sn(digest)), e, LK_R_CRYPTO_POLICY,
			"policy '%s' takes no certificate signed over %s", p->name,
			OBJ_nid2sn(digest));
	return LK_OK;
}

struct lk_result
lk_policy_check_path(const struct lk_policy *p, const STACK_OF(X509) * path, struct lk_err *e)
{
	int i, anchor = sk_X509_num(path) - 1;
	bool good = true;

	for (i = 0; i < anchor && good; i++)
		good = lk_policy_check_cert(p, sk_X509_value(path, i), e).ok;
	if (good && check_cert_key(p, sk_X509_value(path, anchor), e).ok)
		return LK_OK;
	lk_err_prefix(e, "certificate %d of the path", good ? anchor + 1 : i);
	return (struct lk_result){ false };
}
