/* SPDX-License-Identifier: Apache-2.0
 *
 * Onboarding information: each rule by itself, with the reason that it gives and
 * nothing handed out; the round trip; every way to cut or bend the bytes.
 */
#include "test.h"

#include <stdlib.h>

#include "artefact/onboarding_information.h"
#include "pki.h"

#define ID   "019b7a3c-0000-7000-8000-000000000001"
#define OID  "1.2.840.113549.1.9.16.1.43"
#define SZTP "ietf-sztp-conveyed-info:onboarding-information"

static struct pki_cast cast;
static struct lk_anchors *domain;

static int
make_cast(void **state)
{
	(void)state;
	pki_cast_init(&cast);
	domain = pki_anchors(&cast.domain);
	return 0;
}

static int
free_cast(void **state)
{
	(void)state;
	lk_anchors_free(domain);
	pki_cast_done(&cast);
	return 0;
}

static void
append_cert(struct lk_buf *b, const struct pki_id *who)
{
	*b = LK_BUF_INIT(LK_CERT_DER_MAX);
	assert_true(lk_buf_append(b, lk_cert_der(pki_cert(who)), NULL).ok);
}

static struct lk_onboarding_leaves
full_leaves(void)
{
	struct lk_onboarding_leaves l = { .present = 0x1ff,
		.network = "home",
		.device = ID,
		.serial_number = PKI_SERIAL,
		.issued_on = PKI_NOW,
		.sequence = 7,
		.radius_server = "radius.home.example",
		.lifecycle_url = "https://noc.home.example:8443",
		.renewal_url = "https://noc.home.example:8443",
		.endpoints = { { .present = 7,
				       .kind = "mqtt",
				       .url = "mqtts://broker.home.example" },
			{ .present = 3, .kind = "time", .url = "https://time.home.example" } },
		.n_endpoints = 2 };

	append_cert(&l.radius_anchor, &cast.domain);
	append_cert(&l.endpoints[0].anchor, &cast.stranger_ca);
	return l;
}

/* The same as JSON, with one member of the inner object changed: value in JSON, NULL leaves the
 * member out. Caller frees. */
static char *
inner_with(const char *name, const char *value)
{
	LK_CLEANUP(lk_onboarding_leaves_done) struct lk_onboarding_leaves l = full_leaves();
	LK_CLEANUP(json_decrefp) json_t *root = NULL;
	json_t *obj = NULL;

	assert_true(lk_onboarding_json(&l, &obj, NULL).ok);
	if (name && !value)
		assert_int_equal(json_object_del(obj, name), 0);
	if (name && value)
		assert_int_equal(
			json_object_set_new(obj, name, json_loads(value, JSON_DECODE_ANY, NULL)),
			0);
	root = json_pack("{s:o}", "latchkey-onboarding:onboarding", obj);
	return json_dumps(root, JSON_COMPACT);
}

/* The outer text around an inner one, with one more member when name is not NULL. */
static char *
outer_of(const char *inner, const char *name)
{
	LK_CLEANUP(lk_freep) char *b64 = pki_base64(lk_slice_str(inner));
	LK_CLEANUP(json_decrefp)
	json_t *root = json_pack(
		"{s:{s:s,s:s}}", SZTP, "configuration-handling", "replace", "configuration", b64);

	if (name)
		json_object_set_new(json_object_get(root, SZTP), name, json_string("aGk="));
	return json_dumps(root, JSON_COMPACT);
}

static struct lk_result
parse_spec(const struct pki_cms *spec, struct lk_onboarding **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);

	pki_cms_sign(spec, &der);
	return lk_onboarding_parse(lk_buf_slice(&der), ret, e);
}

static struct lk_result
parse_text(const char *text, struct lk_onboarding **ret, struct lk_err *e)
{
	return parse_spec(
		&(struct pki_cms){ .oid = OID, .text = text, .signer = &cast.registrar }, ret, e);
}

static struct lk_onboarding *
signed_by(const struct pki_id *who)
{
	LK_CLEANUP(lk_freep) char *inner = inner_with(NULL, NULL);
	LK_CLEANUP(lk_freep) char *text = outer_of(inner, NULL);
	struct lk_onboarding *o = NULL;
	struct lk_err e;

	if (!parse_spec(&(struct pki_cms){ .oid = OID, .text = text, .signer = who }, &o, &e).ok)
		fail_msg("%s", e.msg);
	return o;
}

static void
assert_text_refused(const char *text, enum lk_reason reason)
{
	struct lk_onboarding *o = NULL;
	struct lk_err e;

	assert_refused(parse_text(text, &o, &e), e, reason);
	assert_null(o);
}

static void
assert_inner_refused(const char *name, const char *value, enum lk_reason reason)
{
	LK_CLEANUP(lk_freep) char *inner = inner_with(name, value);
	LK_CLEANUP(lk_freep) char *text = outer_of(inner, NULL);

	assert_text_refused(text, reason);
}

static struct lk_onboarding_want
wanted(void)
{
	return (struct lk_onboarding_want){ .domain = domain,
		.times = LK_TIMES_CHECK,
		.now = PKI_NOW,
		.device = ID,
		.serial_number = PKI_SERIAL,
		.sequence = 7 };
}

static void
assert_check(
	const struct lk_onboarding *o, const struct lk_onboarding_want *want, enum lk_reason reason)
{
	struct lk_verified_onboarding v = { NULL };
	struct lk_err e = { .reason = LK_R_NONE };

	if (reason != LK_R_NONE)
		assert_refused(lk_onboarding_check(o, want, &v, &e), e, reason);
	else if (!lk_onboarding_check(o, want, &v, &e).ok)
		fail_msg("%s", e.msg);
	assert_ptr_equal(v.information, reason == LK_R_NONE ? o : NULL);
}

/* --- parsing ---------------------------------------------------------------------------------- */

static void
test_round_trip(void **state)
{
	LK_CLEANUP(lk_onboarding_leaves_done) struct lk_onboarding_leaves l = full_leaves();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_ONBOARDING_MAX);
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;
	LK_CLEANUP(json_decrefp) json_t *wrote = NULL;
	LK_CLEANUP(json_decrefp) json_t *read = NULL;
	const struct lk_onboarding_want want = wanted();
	struct lk_err e;

	(void)state;
	assert_true(
		lk_onboarding_build(&l, cast.registrar.key, &cast.registrar.chain, &der, &e).ok);
	if (!lk_onboarding_parse(lk_buf_slice(&der), &o, &e).ok)
		fail_msg("%s", e.msg);
	/*= RFC8572 3.1: signed conveyed information is SignedData of id-ct-sztpConveyedInfoJSON =*/
	assert_int_equal(lk_cms_type(o->cms), LK_CMS_SZTP_JSON);
	assert_check(o, &want, LK_R_NONE);
	assert_true(lk_onboarding_json(&l, &wrote, &e).ok);
	assert_true(lk_onboarding_json(&o->leaf, &read, &e).ok);
	assert_true(json_equal(wrote, read));
}

static void
test_envelope(void **state)
{
	LK_CLEANUP(lk_freep) char *inner = inner_with(NULL, NULL);
	LK_CLEANUP(lk_freep) char *text = outer_of(inner, NULL);
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_err e;

	(void)state;
	/*= RFC8572 3.1: signed conveyed information is SignedData of id-ct-sztpConveyedInfoJSON =*/
	assert_refused(parse_spec(&(struct pki_cms){ .oid = PKI_OID_DATA,
					  .text = text,
					  .signer = &cast.registrar },
			       &o, &e),
		e, LK_R_ONBOARDING_TYPE);
	assert_refused(parse_spec(&(struct pki_cms){ .oid = OID, .text = text }, &o, &e), e,
		LK_R_CMS_SIGNERS);
	pki_cms_envelop(text, &cast.device, &der);
	assert_refused(lk_onboarding_parse(lk_buf_slice(&der), &o, &e), e, LK_R_CMS_TYPE);
	assert_null(o);
}

static void
test_conveyed(void **state)
{
	static const char *const code[] = { "boot-image", "pre-configuration-script",
		"post-configuration-script" };
	static char large[LK_ONBOARDING_MAX];
	LK_CLEANUP(lk_freep) char *inner = inner_with(NULL, NULL);
	size_t i;

	(void)state;
	/*= RFC8572 2.2: onboarding information may carry images and scripts; this device runs none
	 * =*/
	for (i = 0; i < LK_ARRAY_LEN(code); i++) {
		LK_CLEANUP(lk_freep) char *text = outer_of(inner, code[i]);

		assert_text_refused(text, LK_R_ONBOARDING_CODE);
	}
	assert_text_refused(
		"{\"ietf-sztp-conveyed-info:redirect-information\":{}}", LK_R_ONBOARDING_TYPE);
	memset(large, ' ', sizeof large - 1);
	assert_text_refused(large, LK_R_TOO_LARGE);
	assert_text_refused("<x/>", LK_R_JSON_SYNTAX);
	assert_text_refused("{\"" SZTP "\":{}}", LK_R_ONBOARDING_LEAF);
	assert_text_refused("{\"" SZTP "\":{\"configuration-handling\":\"append\","
			    "\"configuration\":\"e30=\"}}",
		LK_R_ONBOARDING_LEAF);
	assert_text_refused("{\"" SZTP "\":{\"configuration-handling\":\"merge\","
			    "\"configuration\":\"e30=\"}}",
		LK_R_JSON_MEMBER);
}

static void
test_leaves(void **state)
{
	static const char *const mandatory[] = { "network", "device", "serial-number", "issued-on",
		"sequence" };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(mandatory); i++)
		assert_inner_refused(mandatory[i], NULL, LK_R_ONBOARDING_LEAF);
	assert_inner_refused("network", "\"\"", LK_R_ONBOARDING_LEAF);
	assert_inner_refused("device", "\"019b7a3c-0000-7000-8000-0000000000012\"", LK_R_TOO_LARGE);
	assert_inner_refused("issued-on", "\"yesterday\"", LK_R_ONBOARDING_LEAF);
	assert_inner_refused("sequence", "-1", LK_R_ONBOARDING_LEAF);
	assert_inner_refused("radius-anchor", NULL, LK_R_ONBOARDING_LEAF);
	assert_inner_refused("radius-server", NULL, LK_R_ONBOARDING_LEAF);
	assert_inner_refused("radius-server", "\"\"", LK_R_ONBOARDING_LEAF);
	assert_inner_refused("radius-anchor", "\"aGVsbG8=\"", LK_R_CERT_SYNTAX);
	assert_inner_refused("lifecycle-url", "\"http://noc.home.example\"", LK_R_ONBOARDING_LEAF);
	assert_inner_refused("renewal-url", "\"https://\"", LK_R_ONBOARDING_LEAF);
	assert_inner_refused("renewal-url", "\"https://a b\"", LK_R_ONBOARDING_LEAF);
}

static void
test_applications(void **state)
{
	(void)state;
	assert_inner_refused("application", "{}", LK_R_ONBOARDING_LEAF);
	assert_inner_refused("application", "[7]", LK_R_ONBOARDING_LEAF);
	assert_inner_refused("application", "[{\"kind\":\"mqtt\"}]", LK_R_ONBOARDING_LEAF);
	assert_inner_refused(
		"application", "[{\"kind\":\"\",\"url\":\"a://b\"}]", LK_R_ONBOARDING_LEAF);
	assert_inner_refused(
		"application", "[{\"kind\":\"a\",\"url\":\"b\"}]", LK_R_ONBOARDING_LEAF);
	assert_inner_refused("application",
		"[{\"kind\":\"a\",\"url\":\"a://b\",\"anchor\":\"aGk=\"}]", LK_R_CERT_SYNTAX);
	assert_inner_refused("application", "[{},{},{},{},{},{},{},{},{}]", LK_R_TOO_LARGE);
}

/* A network without RADIUS and without applications; and what a later version may add. */
static void
test_little(void **state)
{
	const char *text = "{\"latchkey-onboarding:onboarding\":{\"network\":\"n\",\"device\":\"" ID
			   "\",\"serial-number\":\"s\",\"issued-on\":\"2026-01-01T12:00:00Z\","
			   "\"sequence\":\"1\",\"later\":[1]}}";
	LK_CLEANUP(lk_freep) char *outer = outer_of(text, "later");
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;
	struct lk_err e;

	(void)state;
	if (!parse_text(outer, &o, &e).ok)
		fail_msg("%s", e.msg);
	assert_int_equal(o->leaf.sequence, 1);
	assert_int_equal(o->leaf.n_endpoints, 0);
	assert_int_equal(o->leaf.radius_anchor.n, 0);
}

/* --- checking --------------------------------------------------------------------------------- */

static void
test_signer(void **state)
{
	const struct pki_spec ldevid = { .cn = "another device", .eku = "clientAuth" };
	LK_CLEANUP(pki_id_done) struct pki_id device = { .key = NULL };
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *good = signed_by(&cast.registrar);
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *foreign = signed_by(&cast.stranger);
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *by_device = NULL;
	struct lk_onboarding_want want = wanted();

	(void)state;
	assert_check(good, &want, LK_R_NONE);
	/*= RFC8572 2.2: onboarding information is taken from a trusted source only =*/
	assert_check(foreign, &want, LK_R_ONBOARDING_SIGNER);
	pki_issue(&cast.domain, &ldevid, &device);
	by_device = signed_by(&device);
	assert_check(by_device, &want, LK_R_ONBOARDING_SIGNER);
	want.now = PKI_NOW + 3651 * PKI_DAY;
	assert_check(good, &want, LK_R_CERT_TIME);
	want.times = LK_TIMES_IGNORE;
	assert_check(good, &want, LK_R_NONE);
}

static void
test_device(void **state)
{
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = signed_by(&cast.registrar);
	struct lk_onboarding_want want = wanted();

	(void)state;
	want.serial_number = "LK-0002";
	assert_check(o, &want, LK_R_ONBOARDING_DEVICE);
	want = wanted();
	want.device = "019b7a3c-0000-7000-8000-000000000002";
	assert_check(o, &want, LK_R_ONBOARDING_DEVICE);
}

static void
test_age(void **state)
{
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = signed_by(&cast.registrar);
	struct lk_onboarding_want want = wanted();

	(void)state;
	want.now = PKI_NOW - LK_VOUCHER_CLOCK_SKEW;
	assert_check(o, &want, LK_R_NONE);
	want.now--;
	assert_check(o, &want, LK_R_ONBOARDING_ISSUED);
	want.times = LK_TIMES_IGNORE;
	assert_check(o, &want, LK_R_NONE);
	want = wanted();
	want.sequence = 8;
	assert_check(o, &want, LK_R_ONBOARDING_SEQUENCE);
	want.sequence = 0;
	assert_check(o, &want, LK_R_NONE);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
assert_not_built(const struct lk_onboarding_leaves *l, enum lk_reason reason)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_ONBOARDING_MAX);
	struct lk_err e;

	assert_refused(lk_onboarding_build(l, cast.registrar.key, &cast.registrar.chain, &der, &e),
		e, reason);
	assert_int_equal(der.n, 0);
}

static void
test_build_refuses(void **state)
{
	LK_CLEANUP(lk_onboarding_leaves_done) struct lk_onboarding_leaves l = full_leaves();

	(void)state;
	l.present &= ~(1u << LK_ONBOARDING_DEVICE);
	assert_not_built(&l, LK_R_ONBOARDING_LEAF);
	l.present |= 1u << LK_ONBOARDING_DEVICE;
	l.present &= ~(1u << LK_ONBOARDING_RADIUS_SERVER);
	assert_not_built(&l, LK_R_ONBOARDING_LEAF);
	l.present |= 1u << LK_ONBOARDING_RADIUS_SERVER;
	l.endpoints[0].url[0] = 0;
	assert_not_built(&l, LK_R_ONBOARDING_LEAF);
}

static void
test_print(void **state)
{
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = signed_by(&cast.registrar);
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(8192);
	LK_CLEANUP(lk_freep) char *want = NULL;
	char own[65], other[65];
	struct lk_err e;

	(void)state;
	lk_cert_fingerprint(pki_cert(&cast.domain), own);
	lk_cert_fingerprint(pki_cert(&cast.stranger_ca), other);
	want = pki_text("network: home\ndevice: " ID "\nserial-number: " PKI_SERIAL
			"\nissued-on: 2026-01-01T12:00:00Z\nsequence: 7\n"
			"radius-anchor: CN=Domain CA, sha256 %s\n"
			"radius-server: radius.home.example\n"
			"lifecycle-url: https://noc.home.example:8443\n"
			"renewal-url: https://noc.home.example:8443\n"
			"application: mqtt mqtts://broker.home.example\n"
			"application anchor: CN=Stranger CA, sha256 %s\n"
			"application: time https://time.home.example\n",
		own, other);
	assert_true(lk_onboarding_print(o, &out, &e).ok);
	assert_string_equal(lk_buf_str(&out), want);
}

/* --- every way to cut or bend the bytes ------------------------------------------------------- */

static bool
is_accepted(struct lk_slice der, struct lk_err *e)
{
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;
	const struct lk_onboarding_want want = wanted();
	struct lk_verified_onboarding v;

	return lk_onboarding_parse(der, &o, e).ok && lk_onboarding_check(o, &want, &v, e).ok;
}

/* The version numbers of SignedData and SignerInfo say nothing that the rest does not say. */
static bool
is_version(const struct lk_buf *der, size_t i)
{
	return i >= 2 && memcmp(der->p + i - 2, "\x02\x01", 2) == 0 &&
	       (der->p[i] == 1 || der->p[i] == 3);
}

static void
test_mutations(void **state)
{
	LK_CLEANUP(lk_onboarding_leaves_done) struct lk_onboarding_leaves l = full_leaves();
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_ONBOARDING_MAX);
	/* The anchor need not be enclosed, and nothing rests on it when it is. */
	const struct lk_certs own = { .v = { pki_cert(&cast.registrar) }, .n = 1 };
	struct lk_err e;
	bool accepted;
	size_t i;

	(void)state;
	assert_true(lk_onboarding_build(&l, cast.registrar.key, &own, &der, &e).ok);
	assert_true(is_accepted(lk_buf_slice(&der), &e));
	for (i = 0; i < der.n; i++) {
		e.reason = LK_R_NONE;
		assert_false(is_accepted(lk_slice(der.p, i), &e));
		assert_int_not_equal(e.reason, LK_R_NONE);
	}
	for (i = 0; i < der.n; i++) {
		der.p[i] ^= 0x21;
		accepted = is_accepted(lk_buf_slice(&der), &e);
		der.p[i] ^= 0x21;
		if (accepted && !is_version(&der, i))
			fail_msg("byte %zu can be bent", i);
	}
	assert_true(lk_buf_append(&der, LK_SLICE_LIT("\0"), &e).ok);
	assert_false(is_accepted(lk_buf_slice(&der), &e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_conveyed),
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_applications),
		cmocka_unit_test(test_little),
		cmocka_unit_test(test_signer),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_build_refuses),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, make_cast, free_cast);
}
