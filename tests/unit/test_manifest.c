/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest: each rule by itself, with the reason that it gives and nothing
 * handed out; ten thousand devices; every way to cut or bend the bytes.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "artefact/manifest.h"
#include "base/encode.h"
#include "pki.h"

#define EKU  "2.25.108185145276060811385741955779230067267.2"
#define HEX  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define ROOT "latchkey-manifest:manifest"

static struct pki_cast cast;
static struct pki_id signer;

static int
make_cast(void **state)
{
	const struct pki_spec spec = {
		.cn = "Factory", .eku = EKU, .key_usage = "digitalSignature"
	};

	(void)state;
	pki_cast_init(&cast);
	pki_issue(&cast.vendor, &spec, &signer);
	return 0;
}

static int
free_cast(void **state)
{
	(void)state;
	pki_id_done(&signer);
	pki_cast_done(&cast);
	return 0;
}

static struct lk_manifest_leaves
leaves(void)
{
	return (struct lk_manifest_leaves){ .present = 7,
		.manufacturer = "Vendor",
		.issued_on = PKI_NOW,
		.masa_url = PKI_MASA_URL,
		.anchors = { .v = { pki_cert(&cast.vendor) }, .n = 1 } };
}

static struct lk_manifest_device
device(size_t i)
{
	struct lk_manifest_device d = { .present = 0x1f,
		.idevid_issuer = "0123456789abcdef0123456789abcdef01234567",
		.spki_sha256 = HEX,
		.model = "Thing",
		.mud_url = "https://vendor.example/thing.json" };

	snprintf(d.serial_number, sizeof d.serial_number, "LK-%05zu", i);
	return d;
}

static void
add(struct lk_manifest_builder *b, size_t i)
{
	const struct lk_manifest_device d = device(i);
	struct lk_err e;

	if (!lk_manifest_add(b, &d, &e).ok)
		fail_msg("%s", e.msg);
}

static void
finish(struct lk_manifest_builder *b, const struct pki_id *by, struct lk_buf *text)
{
	/* The anchor need not be enclosed, and nothing rests on it when it is. */
	const struct lk_certs own = { .v = { pki_cert(by) }, .n = 1 };
	const struct lk_manifest_leaves leaf = leaves();
	struct lk_err e;

	if (!lk_manifest_finish(b, &leaf, by->key, &own, text, &e).ok)
		fail_msg("%s", e.msg);
}

static void
build(size_t n, const struct pki_id *by, struct lk_buf *text)
{
	LK_CLEANUP(lk_manifest_builder_done)
	struct lk_manifest_builder b = LK_MANIFEST_BUILDER_INIT;
	size_t i;

	for (i = 0; i < n; i++)
		add(&b, i);
	finish(&b, by, text);
}

static struct lk_manifest *
parsed(struct lk_slice text)
{
	struct lk_manifest *m = NULL;
	struct lk_err e;

	if (!lk_manifest_parse(text, &m, &e).ok)
		fail_msg("%s", e.msg);
	return m;
}

static void
assert_parse_refused(struct lk_slice text, enum lk_reason reason)
{
	struct lk_manifest *m = NULL;
	struct lk_err e;

	assert_refused(lk_manifest_parse(text, &m, &e), e, reason);
	assert_null(m);
}

static void
assert_check(struct lk_slice text, int64_t now, enum lk_reason reason)
{
	LK_CLEANUP(lk_manifest_freep) struct lk_manifest *m = parsed(text);
	struct lk_verified_manifest v = { NULL };
	struct lk_err e;

	if (reason != LK_R_NONE)
		assert_refused(lk_manifest_check(m, cast.manufacturer, now, &v, &e), e, reason);
	else if (!lk_manifest_check(m, cast.manufacturer, now, &v, &e).ok)
		fail_msg("%s", e.msg);
	assert_ptr_equal(v.manifest, reason == LK_R_NONE ? m : NULL);
}

static void
test_round_trip(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_MANIFEST_MAX);
	LK_CLEANUP(lk_manifest_freep) struct lk_manifest *m = NULL;
	const struct lk_manifest_device want = device(2);

	(void)state;
	build(3, &signer, &text);
	m = parsed(lk_buf_slice(&text));
	assert_string_equal(m->leaf.manufacturer, "Vendor");
	assert_string_equal(m->leaf.masa_url, PKI_MASA_URL);
	assert_int_equal(m->leaf.issued_on, PKI_NOW);
	assert_int_equal(m->leaf.devices, 3);
	assert_int_equal(m->leaf.anchors.n, 1);
	assert_true(lk_cert_eq(m->leaf.anchors.v[0], pki_cert(&cast.vendor)));
	assert_memory_equal(&m->devices[2], &want, sizeof want);
	assert_check(lk_buf_slice(&text), PKI_NOW, LK_R_NONE);
}

static void
test_none_and_many(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf none = LK_BUF_INIT(LK_MANIFEST_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf many = LK_BUF_INIT(LK_MANIFEST_MAX);
	LK_CLEANUP(lk_manifest_builder_done)
	struct lk_manifest_builder b = LK_MANIFEST_BUILDER_INIT;
	const struct lk_manifest_device one_more = device(LK_MANIFEST_DEVICES_MAX);
	struct lk_err e;
	size_t i;

	(void)state;
	build(0, &signer, &none);
	assert_check(lk_buf_slice(&none), PKI_NOW, LK_R_NONE);
	for (i = 0; i < LK_MANIFEST_DEVICES_MAX; i++)
		add(&b, i);
	assert_refused(lk_manifest_add(&b, &one_more, &e), e, LK_R_TOO_LARGE);
	finish(&b, &signer, &many);
	assert_check(lk_buf_slice(&many), PKI_NOW, LK_R_NONE);
}

static void
test_signer(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf good = LK_BUF_INIT(LK_MANIFEST_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf by_device = LK_BUF_INIT(LK_MANIFEST_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf by_masa = LK_BUF_INIT(LK_MANIFEST_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf by_stranger = LK_BUF_INIT(LK_MANIFEST_MAX);

	(void)state;
	build(1, &signer, &good);
	build(1, &cast.device, &by_device);
	build(1, &cast.masa, &by_masa);
	build(1, &cast.stranger, &by_stranger);
	assert_check(lk_buf_slice(&by_device), PKI_NOW, LK_R_MANIFEST_SIGNER);
	assert_check(lk_buf_slice(&by_masa), PKI_NOW, LK_R_MANIFEST_SIGNER);
	assert_check(lk_buf_slice(&by_stranger), PKI_NOW, LK_R_MANIFEST_SIGNER);
	assert_check(lk_buf_slice(&good), PKI_NOW + 3651 * PKI_DAY, LK_R_CERT_TIME);
	assert_check(lk_buf_slice(&good), PKI_NOW - LK_VOUCHER_CLOCK_SKEW, LK_R_NONE);
	assert_check(
		lk_buf_slice(&good), PKI_NOW - LK_VOUCHER_CLOCK_SKEW - 1, LK_R_MANIFEST_ISSUED);
}

/* A manifest whose signed object and lines are as told; the digest is made to fit. Caller frees. */
static char *
text_with(const char *anchors, const char *members, const char *lines)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_freep) char *content = NULL;
	LK_CLEANUP(lk_freep) char *b64 = NULL;
	char digest[2 * LK_SHA256_LEN + 1];
	uint8_t md[LK_SHA256_LEN];

	lk_sha256_of(lk_slice_str(lines), md);
	lk_hex(LK_SLICE_ARRAY(md), digest);
	content = pki_text("{\"" ROOT "\":{%s,\"trust-anchors\":[%s],\"devices-sha256\":\"%s\"}}",
		members, anchors, digest);
	pki_cms_sign(
		&(struct pki_cms){ .oid = PKI_OID_DATA, .text = content, .signer = &signer }, &der);
	b64 = pki_base64(lk_buf_slice(&der));
	return pki_text("%s\n%s", b64, lines);
}

static char *
text_of(const char *members, const char *lines)
{
	LK_CLEANUP(lk_freep) char *anchor = pki_base64(lk_cert_der(pki_cert(&cast.vendor)));
	LK_CLEANUP(lk_freep) char *quoted = pki_text("\"%s\"", anchor);

	return text_with(quoted, members, lines);
}

static void
assert_text_refused(const char *members, const char *lines, enum lk_reason reason)
{
	LK_CLEANUP(lk_freep) char *text = text_of(members, lines);

	assert_parse_refused(lk_slice_str(text), reason);
}

#define MEMBERS(n)                                                            \
	"\"manufacturer\":\"Vendor\",\"issued-on\":\"2026-01-01T12:00:00Z\"," \
	"\"masa-url\":\"masa.vendor.example\",\"devices\":" n
#define LINE(serial)                                                                              \
	"{\"serial-number\":\"" serial "\",\"idevid-issuer\":\"01\",\"spki-sha256\":\"" HEX "\"}" \
	"\n"

static void
test_count(void **state)
{
	LK_CLEANUP(lk_freep) char *good = text_of(MEMBERS("2"), LINE("a") LINE("b"));

	(void)state;
	assert_check(lk_slice_str(good), PKI_NOW, LK_R_NONE);
	assert_text_refused(MEMBERS("3"), LINE("a") LINE("b"), LK_R_MANIFEST_COUNT);
	assert_text_refused(MEMBERS("1"), LINE("a") LINE("b"), LK_R_MANIFEST_COUNT);
	assert_text_refused(MEMBERS("10001"), "", LK_R_TOO_LARGE);
	assert_text_refused(MEMBERS("2"), LINE("a") LINE("a"), LK_R_MANIFEST_DUPLICATE);
}

static void
test_lines(void **state)
{
	char line[LK_MANIFEST_LINE_MAX + 32];

	(void)state;
	assert_text_refused(MEMBERS("1"), "{}\n", LK_R_MANIFEST_LEAF);
	assert_text_refused(MEMBERS("1"), "\n", LK_R_JSON_SYNTAX);
	assert_text_refused(MEMBERS("1"), "{}", LK_R_MANIFEST_SYNTAX);
	assert_text_refused(MEMBERS("1"), LINE(""), LK_R_MANIFEST_LEAF);
	assert_text_refused(MEMBERS("1"),
		"{\"serial-number\":\"a\",\"idevid-issuer\":\"0G\",\"spki-sha256\":\"" HEX "\"}\n",
		LK_R_MANIFEST_LEAF);
	assert_text_refused(MEMBERS("1"),
		"{\"serial-number\":\"a\",\"idevid-issuer\":\"01\",\"spki-sha256\":\"01\"}\n",
		LK_R_MANIFEST_LEAF);
	assert_text_refused(MEMBERS("1"),
		"{\"serial-number\":\"a\",\"idevid-issuer\":\"01\",\"spki-sha256\":\"" HEX
		"\",\"mud-url\":\"http://a\"}\n",
		LK_R_MANIFEST_LEAF);
	memset(line, ' ', sizeof line);
	line[LK_MANIFEST_LINE_MAX + 1] = '\n';
	line[LK_MANIFEST_LINE_MAX + 2] = 0;
	assert_text_refused(MEMBERS("1"), line, LK_R_TOO_LARGE);
}

static void
test_header(void **state)
{
	LK_CLEANUP(lk_freep) char *good = text_of(MEMBERS("0") ",\"later\":1", "");
	LK_CLEANUP(lk_freep) char *big = calloc(1, LK_MANIFEST_MAX + 1);

	(void)state;
	assert_check(lk_slice_str(good), PKI_NOW, LK_R_NONE);
	assert_text_refused("\"devices\":0", "", LK_R_MANIFEST_LEAF);
	assert_text_refused("\"manufacturer\":\"\",\"issued-on\":\"2026-01-01T12:00:00Z\","
			    "\"masa-url\":\"m\",\"devices\":0",
		"", LK_R_MANIFEST_LEAF);
	assert_text_refused(MEMBERS("0") ",\"devices\":0", "", LK_R_JSON_DUPLICATE);
	assert_parse_refused(lk_slice(NULL, 0), LK_R_MANIFEST_SYNTAX);
	assert_parse_refused(LK_SLICE_LIT("no base64\n"), LK_R_SYNTAX_BASE64);
	assert_parse_refused(LK_SLICE_LIT("aGVsbG8=\n"), LK_R_CMS_SYNTAX);
	assert_parse_refused(lk_slice(big, LK_MANIFEST_MAX + 1), LK_R_TOO_LARGE);
}

static void
test_anchors(void **state)
{
	LK_CLEANUP(lk_freep) char *number = text_with("7", MEMBERS("0"), "");
	LK_CLEANUP(lk_freep) char *no_base64 = text_with("\"?\"", MEMBERS("0"), "");
	LK_CLEANUP(lk_freep) char *no_cert = text_with("\"aGk=\"", MEMBERS("0"), "");
	LK_CLEANUP(lk_freep) char *none = text_with("", MEMBERS("0"), "");
	LK_CLEANUP(lk_manifest_builder_done)
	struct lk_manifest_builder b = LK_MANIFEST_BUILDER_INIT;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_MANIFEST_MAX);
	struct lk_manifest_leaves leaf = leaves();
	struct lk_err e;

	(void)state;
	assert_parse_refused(lk_slice_str(number), LK_R_MANIFEST_LEAF);
	assert_parse_refused(lk_slice_str(no_base64), LK_R_SYNTAX_BASE64);
	assert_parse_refused(lk_slice_str(no_cert), LK_R_CERT_SYNTAX);
	assert_parse_refused(lk_slice_str(none), LK_R_MANIFEST_LEAF);
	leaf.anchors.n = 0;
	assert_refused(lk_manifest_finish(&b, &leaf, signer.key, &signer.chain, &text, &e), e,
		LK_R_MANIFEST_LEAF);
	for (; leaf.anchors.n <= LK_MANIFEST_ANCHORS_MAX; leaf.anchors.n++)
		leaf.anchors.v[leaf.anchors.n] = pki_cert(&cast.vendor);
	assert_refused(lk_manifest_finish(&b, &leaf, signer.key, &signer.chain, &text, &e), e,
		LK_R_MANIFEST_LEAF);
	assert_int_equal(text.n, 0);
}

static void
test_add_refuses(void **state)
{
	LK_CLEANUP(lk_manifest_builder_done)
	struct lk_manifest_builder b = LK_MANIFEST_BUILDER_INIT;
	struct lk_manifest_device d = device(0);
	struct lk_err e;

	(void)state;
	d.present &= ~(1u << LK_MANIFEST_SERIAL_NUMBER);
	assert_refused(lk_manifest_add(&b, &d, &e), e, LK_R_MANIFEST_LEAF);
	d = device(0);
	d.spki_sha256[0] = 'A';
	assert_refused(lk_manifest_add(&b, &d, &e), e, LK_R_MANIFEST_LEAF);
	assert_int_equal(b.devices, 0);
	assert_int_equal(b.lines.n, 0);
}

static void
test_print(void **state)
{
	LK_CLEANUP(lk_freep) char *text = text_of(MEMBERS("1"), LINE("a"));
	LK_CLEANUP(lk_manifest_freep) struct lk_manifest *m = parsed(lk_slice_str(text));
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(8192);
	LK_CLEANUP(lk_freep) char *want = NULL;
	char fingerprint[65];
	struct lk_err e;

	(void)state;
	lk_cert_fingerprint(pki_cert(&cast.vendor), fingerprint);
	want = pki_text("manufacturer: Vendor\nissued-on: 2026-01-01T12:00:00Z\n"
			"masa-url: masa.vendor.example\ndevices: 1\ndevices-sha256: %s\n"
			"trust-anchor: CN=Vendor CA, sha256 %s\ndevice: %s",
		m->leaf.devices_sha256, fingerprint, LINE("a"));
	assert_true(lk_manifest_print(m, &out, &e).ok);
	assert_string_equal(lk_buf_str(&out), want);
}

/* --- every way to cut or bend the bytes ------------------------------------------------------- */

static bool
is_accepted(struct lk_slice text, struct lk_err *e)
{
	LK_CLEANUP(lk_manifest_freep) struct lk_manifest *m = NULL;
	struct lk_verified_manifest v;

	return lk_manifest_parse(text, &m, e).ok &&
	       lk_manifest_check(m, cast.manufacturer, PKI_NOW, &v, e).ok;
}

static void
test_mutations(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_MANIFEST_MAX);
	struct lk_err e;
	size_t i, bendable = 0;

	(void)state;
	build(2, &signer, &text);
	assert_true(is_accepted(lk_buf_slice(&text), &e));
	for (i = 0; i < text.n; i++) {
		e.reason = LK_R_NONE;
		assert_false(is_accepted(lk_slice(text.p, i), &e));
		assert_int_not_equal(e.reason, LK_R_NONE);
	}
	for (i = 0; i < text.n; i++) {
		text.p[i] ^= 0x01;
		bendable += is_accepted(lk_buf_slice(&text), &e);
		text.p[i] ^= 0x01;
	}
	/* The two version numbers of the envelope say nothing that the rest does not say. */
	assert_true(bendable <= 2);
	assert_true(lk_buf_append(&text, LK_SLICE_LIT("\n"), &e).ok);
	assert_parse_refused(lk_buf_slice(&text), LK_R_MANIFEST_DIGEST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_none_and_many),
		cmocka_unit_test(test_signer),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_add_refuses),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, make_cast, free_cast);
}
