/* SPDX-License-Identifier: Apache-2.0
 *
 * What is signed in the name of TLS, and every octet that must be as it is.
 */
#include "test.h"

#include "crypto/tls_tbs.h"

#define TBS_MAX 200

static size_t
certificate_verify(uint8_t p[static TBS_MAX], const char *context, size_t hash_n)
{
	size_t n = strlen(context) + 1;

	memset(p, ' ', 64);
	memcpy(p + 64, context, n);
	memset(p + 64 + n, 0x5a, hash_n);
	return 64 + n + hash_n;
}

static size_t
server_key_exchange(uint8_t p[static TBS_MAX], uint8_t curve, uint8_t point_n)
{
	memset(p, 0x5a, TBS_MAX);
	memcpy(p + 64, (uint8_t[]){ 3, 0, curve, point_n, 4 }, 5);
	return 64 + 4 + (size_t)point_n;
}

static bool
accepted(const uint8_t *p, size_t n, enum lk_tls_end end)
{
	struct lk_err e = { 0 };
	bool ok = lk_tls_tbs_check(lk_slice(p, n), end, &e).ok;

	assert_int_equal(e.reason, ok ? LK_R_NONE : LK_R_TLS_TBS);
	return ok;
}

static void
test_certificate_verify(void **state)
{
	static const char *const context[] = { "TLS 1.3, server CertificateVerify",
		"TLS 1.3, client CertificateVerify" };
	uint8_t p[TBS_MAX];
	size_t i, n, hash_n;

	(void)state;
	/*= RFC8446 4.4.3: the signer signs only CertificateVerify of its end =*/
	for (i = 0; i < 2; i++)
		for (hash_n = 0; hash_n <= 64; hash_n++) {
			n = certificate_verify(p, context[i], hash_n);
			assert_int_equal(accepted(p, n, i ? LK_TLS_CLIENT : LK_TLS_SERVER),
				hash_n == 32 || hash_n == 48);
			assert_false(accepted(p, n, i ? LK_TLS_SERVER : LK_TLS_CLIENT));
		}
	/* every octet before the hash is fixed */
	n = certificate_verify(p, context[0], 32);
	for (i = 0; i < n; i++) {
		p[i] ^= 1;
		assert_int_equal(accepted(p, n, LK_TLS_SERVER), i >= n - 32);
		p[i] ^= 1;
	}
}

static void
test_server_key_exchange(void **state)
{
	static const struct {
		uint8_t curve, point_n;
	} curves[] = { { 0x17, 65 }, { 0x18, 97 }, { 0x1d, 32 } };
	uint8_t p[TBS_MAX];
	size_t i, k, n;

	(void)state;
	/*= RFC8422 5.4: the signer signs ServerKeyExchange of a named curve =*/
	for (i = 0; i < LK_ARRAY_LEN(curves); i++) {
		n = server_key_exchange(p, curves[i].curve, curves[i].point_n);
		assert_true(accepted(p, n, LK_TLS_SERVER));
		assert_false(accepted(p, n, LK_TLS_CLIENT));
		assert_false(accepted(p, n - 1, LK_TLS_SERVER));
		assert_false(accepted(p, n + 1, LK_TLS_SERVER));
		for (k = 64; k < 68; k++) {
			p[k] ^= 1;
			assert_false(accepted(p, n, LK_TLS_SERVER));
			p[k] ^= 1;
		}
	}
	n = server_key_exchange(p, 0x17, 65);
	p[68] = 2; /* compressed, though as long as an uncompressed point */
	assert_false(accepted(p, n, LK_TLS_SERVER));
	n = server_key_exchange(p, 0x19, 133); /* secp521r1 */
	assert_false(accepted(p, n, LK_TLS_SERVER));
}

/* Randoms chosen so that the whole is a certificate, or signed attributes of CMS. */
static void
test_not_asn1(void **state)
{
	static const struct {
		uint8_t head[6];
		bool refused;
	} heads[] = {
		{ { 0x30, 0x81, 133 - 3 }, true },
		{ { 0x31, 0x81, 133 - 3 }, true },
		{ { 0x30, 0x82, 0, 133 - 4 }, true },
		{ { 0x31, 0x84, 0, 0, 0, 133 - 6 }, true },
		{ { 0x30, 0x80 }, true },
		{ { 0x30, 0x81, 133 - 4 }, false }, /* ends too early to be all of it */
		{ { 0x04, 0x81, 133 - 3 }, false },
	};
	uint8_t p[TBS_MAX];
	size_t i, n;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(heads); i++) {
		n = server_key_exchange(p, 0x17, 65);
		memcpy(p, heads[i].head, sizeof heads[i].head);
		assert_int_equal(accepted(p, n, LK_TLS_SERVER), !heads[i].refused);
	}
	n = server_key_exchange(p, 0x1d, 32);
	memcpy(p, (uint8_t[]){ 0x31, (uint8_t)(n - 2) }, 2);
	assert_false(accepted(p, n, LK_TLS_SERVER));
}

static void
test_other_inputs(void **state)
{
	uint8_t p[TBS_MAX] = { 0 };
	size_t n;

	(void)state;
	for (n = 0; n <= sizeof p; n++) { /* bare digests among them */
		assert_false(accepted(p, n, LK_TLS_SERVER));
		assert_false(accepted(p, n, LK_TLS_CLIENT));
	}
	assert_false(accepted(NULL, 0, LK_TLS_SERVER));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate_verify),
		cmocka_unit_test(test_server_key_exchange),
		cmocka_unit_test(test_not_asn1),
		cmocka_unit_test(test_other_inputs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
