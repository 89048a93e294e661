/* SPDX-License-Identifier: Apache-2.0
 *
 * CSR attributes: the RFCs' examples, what our registrar asks, and what cannot be
 * read.
 */
#include "test.h"

#include "artefact/csrattrs.h"
#include "pki.h"

#define URI "urn:uuid:019b7a3c-0000-7000-8000-000000000001"

/* RFC 8951 section 4: challengePassword, extensionRequest { macAddress }, secp384r1,
 * ecdsaWithSHA384. */
static const char rfc8951[] =
	"\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\x30\x12\x06\x07\x2a\x86\x48\xce\x3d"
	"\x02\x01\x31\x07\x06\x05\x2b\x81\x04\x00\x22\x30\x16\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01"
	"\x09\x0e\x31\x09\x06\x07\x2b\x06\x01\x01\x01\x01\x16\x06\x08\x2a\x86\x48\xce\x3d\x04\x03"
	"\x03";

static struct lk_csrattrs
parsed(struct lk_slice der)
{
	struct lk_csrattrs a;
	struct lk_err e;

	if (!lk_csrattrs_parse(der, &a, &e).ok)
		fail_msg("%s", e.msg);
	return a;
}

static void
assert_parse_refused(struct lk_slice der, enum lk_reason reason)
{
	struct lk_csrattrs a = { .keys = 0xff };
	struct lk_err e;

	assert_refused(lk_csrattrs_parse(der, &a, &e), e, reason);
	assert_int_equal(a.keys, 0xff);
}

static void
test_rfc8951(void **state)
{
	const struct lk_csrattrs a = parsed(lk_slice(rfc8951, sizeof rfc8951 - 1));

	(void)state;
	assert_true(a.challenge_password);
	assert_int_equal(a.keys, 1u << LK_KEY_P384);
	assert_int_equal(a.signatures, 1u << LK_KEY_P384);
	assert_false(a.serial_number);
	assert_string_equal(a.san_uri, "");
}

/* Most of its OIDs mean nothing to anybody; a curve and a digest stand there bare. */
static void
test_rfc7030_a2(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSRATTRS_MAX);
	struct lk_csrattrs a;

	(void)state;
	if (!pki_shared("rfc7030-appendix-a/A2-csrattrs-response.der", &der)) {
		print_message("skipped: the RFC's examples are not on this machine\n");
		skip();
	}
	/*= RFC8951 4: the client ignores what it does not recognize =*/
	a = parsed(lk_buf_slice(&der));
	assert_int_equal(a.keys, 0);
	assert_int_equal(a.signatures, 0);
	assert_true(a.challenge_password);
}

/*= RFC8951 4: CsrAttrs is a sequence of OIDs and attributes, perhaps empty =*/
static void
test_empty(void **state)
{
	const struct lk_csrattrs a = parsed(LK_SLICE_LIT("\x30\x00"));

	(void)state;
	assert_int_equal(a.keys | a.signatures, 0);
	assert_false(a.serial_number || a.challenge_password || a.san_uri[0]);
}

static void
assert_round_trip(const struct lk_csrattrs *a)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSRATTRS_MAX);
	struct lk_csrattrs got;
	struct lk_err e;

	assert_true(lk_csrattrs_build(a, &der, &e).ok);
	got = parsed(lk_buf_slice(&der));
	assert_int_equal(got.keys, a->keys);
	assert_int_equal(got.signatures, a->signatures);
	assert_int_equal(got.serial_number, a->serial_number);
	assert_int_equal(got.challenge_password, a->challenge_password);
	assert_string_equal(got.san_uri, a->san_uri);
}

/*= RFC8951 4: a required key algorithm is an attribute, its parameters the values =*/
/*= RFC8951 4: a required signature scheme is an OID =*/
/*= RFC7030 4.5.2: linking of identity and possession is asked for by challengePassword =*/
static void
test_round_trips(void **state)
{
	struct lk_csrattrs a = {
		.serial_number = true, .challenge_password = true, .san_uri = URI
	};
	unsigned keys;

	(void)state;
	/* Ed25519's one OID is both, so the signature follows the key. */
	for (keys = 0; keys < 1u << LK_KEY_TYPE_COUNT; keys++) {
		a.keys = keys;
		a.signatures = keys;
		assert_round_trip(&a);
	}
	a = (struct lk_csrattrs){ .keys = 0 };
	assert_round_trip(&a);
}

/* The octets that our registrar sends by default. */
static void
test_bytes(void **state)
{
	const struct lk_csrattrs a = {
		.keys = 1u << LK_KEY_P256, .signatures = 1u << LK_KEY_P256, .serial_number = true
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSRATTRS_MAX);
	struct lk_err e;

	(void)state;
	assert_true(lk_csrattrs_build(&a, &der, &e).ok);
	assert_true(lk_slice_eq(lk_buf_slice(&der),
		LK_SLICE_LIT(
			"\x30\x26\x06\x03\x55\x04\x05\x30\x15\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
			"\x31\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x06\x08\x2a\x86\x48\xce"
			"\x3d\x04\x03\x02")));
}

static void
test_refused(void **state)
{
	static const uint8_t large[LK_CSRATTRS_MAX + 1];

	(void)state;
	assert_parse_refused(lk_slice(NULL, 0), LK_R_CSRATTRS_SYNTAX);
	assert_parse_refused(LK_SLICE_LIT("\x30\x00\x00"), LK_R_CSRATTRS_SYNTAX);
	assert_parse_refused(LK_SLICE_LIT("\x30\x02\x05\x00"), LK_R_CSRATTRS_SYNTAX);
	/* An attribute without its set. */
	assert_parse_refused(
		LK_SLICE_LIT("\x30\x07\x30\x05\x06\x03\x55\x04\x05"), LK_R_CSRATTRS_SYNTAX);
	assert_parse_refused(LK_SLICE_ARRAY(large), LK_R_TOO_LARGE);
	/* id-ecPublicKey { 1.2.3 }; rsaEncryption { 2048 } */
	assert_parse_refused(LK_SLICE_LIT("\x30\x11\x30\x0f\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x31"
					  "\x04\x06\x02\x2a\x03"),
		LK_R_CSRATTRS_KEY);
	assert_parse_refused(LK_SLICE_LIT("\x30\x13\x30\x11\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01"
					  "\x01\x31\x04\x02\x02\x08\x00"),
		LK_R_CSRATTRS_KEY);
}

static void
test_uri(void **state)
{
	const struct lk_csrattrs a = { .san_uri = "urn:\xc3\xbc" };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSRATTRS_MAX);
	struct lk_err e;

	(void)state;
	assert_true(lk_csrattrs_build(&a, &der, &e).ok);
	assert_parse_refused(lk_buf_slice(&der), LK_R_CSRATTRS_SYNTAX);
}

/* Every cut is refused; what a flipped bit makes is refused or is another thing. */
static void
test_mutations(void **state)
{
	const struct lk_csrattrs a = { .keys = 3,
		.signatures = 3,
		.serial_number = true,
		.challenge_password = true,
		.san_uri = URI };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSRATTRS_MAX);
	struct lk_err e;
	size_t i;

	(void)state;
	assert_true(lk_csrattrs_build(&a, &der, &e).ok);
	for (i = 0; i < der.n; i++)
		assert_parse_refused(lk_slice(der.p, i), LK_R_CSRATTRS_SYNTAX);
	for (i = 0; i < 8 * der.n; i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf again = LK_BUF_INIT(LK_CSRATTRS_MAX);
		struct lk_csrattrs got;

		der.p[i / 8] ^= (uint8_t)(1u << i % 8);
		if (lk_csrattrs_parse(lk_buf_slice(&der), &got, &e).ok &&
			lk_csrattrs_build(&got, &again, &e).ok) {
			der.p[i / 8] ^= (uint8_t)(1u << i % 8);
			/* The extension's `critical` says nothing here; all else shows. */
			assert_false(lk_slice_eq(lk_buf_slice(&again), lk_buf_slice(&der)));
		} else {
			der.p[i / 8] ^= (uint8_t)(1u << i % 8);
		}
	}
}

static void
test_print(void **state)
{
	const struct lk_csrattrs a = { .keys = 3,
		.signatures = 1,
		.serial_number = true,
		.challenge_password = true,
		.san_uri = URI };
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(4096);
	struct lk_err e;

	(void)state;
	assert_true(lk_csrattrs_print(&a, &out, &e).ok);
	assert_string_equal(lk_buf_str(&out),
		"key: P-256 or P-384\nsignature: ecdsa-with-SHA256\nsubject: serialNumber\n"
		"challengePassword: linked to the TLS session\nsubjectAltName URI: " URI "\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc8951),
		cmocka_unit_test(test_rfc7030_a2),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_uri),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
