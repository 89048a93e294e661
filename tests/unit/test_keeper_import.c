/* SPDX-License-Identifier: Apache-2.0
 *
 * A factory's list comes in whole, or nothing of it does. Ten thousand devices are
 * one request; what is wrong with the last of them undoes the first.
 */
#include "keeper_cast.h"

#include <stdlib.h>

#include "artefact/manifest.h"

#define N   10000
#define EKU "2.25.108185145276060811385741955779230067267.2"
#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* As many devices, and one whose serial number is `last`, unless that is NULL. */
static void
build(struct site *s, size_t n, const char *last, struct lk_buf *text)
{
	LK_CLEANUP(lk_manifest_builder_done)
	struct lk_manifest_builder b = LK_MANIFEST_BUILDER_INIT;
	struct lk_manifest_leaves leaf = { .present = 7,
		.manufacturer = "Vendor",
		.issued_on = PKI_NOW,
		.masa_url = PKI_MASA_URL,
		.anchors = { .v = { pki_cert(&s->pki.vendor) }, .n = 1 } };
	struct lk_manifest_device d = { .present = 7,
		.idevid_issuer = "0123456789abcdef0123456789abcdef01234567",
		.spki_sha256 = HEX };
	struct pki_id factory;
	size_t i;

	pki_issue(&s->pki.vendor,
		&(struct pki_spec){ .cn = "Factory", .eku = EKU, .key_usage = "digitalSignature" },
		&factory);
	for (i = 0; i < n; i++) {
		snprintf(d.serial_number, sizeof d.serial_number, "MF-%05zu", i);
		must_succeed(lk_manifest_add(&b, &d, e));
	}
	if (last) {
		set_text(d.serial_number, last);
		must_succeed(lk_manifest_add(&b, &d, e));
	}
	must_succeed(lk_manifest_finish(&b, &leaf, factory.key, &factory.chain, text, e));
	pki_id_done(&factory);
}

static enum lk_reason
import(struct site *s, const char *name, struct lk_slice manifest)
{
	json_auto_t *text = json_stringn((const char *)manifest.p, manifest.n);
	LK_CLEANUP(lk_freep) char *escaped = json_dumps(text, JSON_ENCODE_ANY);

	return site_operate(s, "manufacturer.import", "{\"manufacturer\":\"%s\",\"manifest\":%s}",
		name, escaped);
}

/*= A0.3: the factory's signed list is imported, and its devices are known before they appear =*/
static void
test_ten_thousand(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_MANIFEST_MAX);
	struct site s;

	(void)state;
	site_init(&s, "deny");
	build(&s, N, NULL, &text);
	assert_true(text.n > LK_CHANNEL_PACKET_MAX);
	assert_int_equal(import(&s, SITE_VENDOR, lk_buf_slice(&text)), LK_R_NONE);
	assert_int_equal(json_integer_value(json_object_get(s.result, "new")), N);
	assert_int_equal(site_count(&s, LK_KIND_device), N);
	assert_true(site_event_says(&s, "manifest-imported", "\"new\":10000"));
	/* again: the same devices, none of them new */
	assert_int_equal(import(&s, SITE_VENDOR, lk_buf_slice(&text)), LK_R_NONE);
	assert_int_equal(json_integer_value(json_object_get(s.result, "new")), 0);
	assert_int_equal(site_count(&s, LK_KIND_device), N);
	site_done(&s);
}

/*= Latchkey import: a manifest comes in whole or not at all =*/
static void
test_whole_or_nothing(void **state)
{
	/* as many octets as a manifest may have, and more than a device's record takes */
	static const char too_long[] =
		"MF-00000000000000000000000000000000000000000000000000000000000000000000";
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_MANIFEST_MAX);
	struct site s;

	(void)state;
	site_init(&s, "deny");
	build(&s, 500, too_long, &text);
	import(&s, SITE_VENDOR, lk_buf_slice(&text));
	assert_site_refused(&s, LK_R_TOO_LARGE);
	import(&s, "another", lk_buf_slice(&text)); /* nor is the manufacturer that it brings */
	assert_site_refused(&s, LK_R_TOO_LARGE);
	lk_buf_clear(&text);
	build(&s, 500, NULL, &text);
	import(&s, SITE_VENDOR, lk_slice(text.p, text.n / 2)); /* an upload that broke off */
	assert_site_refused(&s, LK_R_MANIFEST_DIGEST);
	import(&s, SITE_VENDOR, lk_slice(text.p, 100));
	assert_site_refused(&s, LK_R_MANIFEST_SYNTAX);
	assert_int_equal(site_count(&s, LK_KIND_device), 0);
	site_done(&s);
}

/* Whose manifest it may be says the record, also while the keeper's memory knows of none: it is
 * empty after a load that failed, and behind in the turn of a change. */
static void
test_the_record_says_who_signs(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_MANIFEST_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(LK_ANCHORS_MAX);
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record m = LK_RECORD_INIT(manufacturer);
	struct site s;

	(void)state;
	site_init(&s, "deny");
	set_text(m.id, "another");
	set_text(m.trust, "trusted");
	set_text(m.unknown_devices, "deny");
	must_succeed(lk_cert_print_pem(pki_cert(&s.pki.stranger_ca), &pem, e));
	must_succeed(lk_blob_set(&m.anchors, lk_buf_slice(&pem), e));
	site_put(&s, &m.record);
	build(&s, 3, NULL, &text);
	import(&s, "another", lk_buf_slice(&text));
	assert_site_refused(&s, LK_R_MANIFEST_SIGNER);
	site_done(&s);
}

/* What follows the change stream. */
struct follower {
	int64_t messages, records, most; /* octets of one message */
	bool live;
};

static void
on_told(void *ctx, enum lk_role to, enum lk_body type, struct lk_slice packed)
{
	struct follower *f = ctx;
	struct lk_stream_record_body b;
	struct lk_slice record;
	bool more;

	if (to != LK_ROLE_DESK)
		return;
	f->live |= type == LK_BODY_stream_live;
	if (type != LK_BODY_stream_record)
		return;
	must_succeed(lk_body_unpack(type, packed, &b, e));
	f->messages++;
	f->most = f->most > (int64_t)packed.n ? f->most : (int64_t)packed.n;
	for (;;) {
		must_succeed(lk_list_next(&b.records, &more, &record, e));
		if (!more)
			return;
		f->records++;
	}
}

/* A fleet is told in few messages, each of which fits into a packet. */
static void
test_snapshot_is_batched(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_MANIFEST_MAX);
	struct follower f = { 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(64);
	const struct lk_subscribe_body b = { .version = 1 };
	struct site s;
	bool more = true;

	(void)state;
	site_init(&s, "deny");
	build(&s, N, NULL, &text);
	assert_int_equal(import(&s, SITE_VENDOR, lk_buf_slice(&text)), LK_R_NONE);
	s.told = on_told;
	s.told_ctx = &f;
	must_succeed(lk_body_pack(LK_BODY_subscribe, &b, &packed, e));
	must_succeed(lk_turn_receive(
		s.turn, LK_ROLE_DESK, 0, 0, LK_BODY_subscribe, lk_buf_slice(&packed), e));
	must_succeed(lk_turn_flush(s.turn, e));
	while (more)
		must_succeed(lk_keeper_feed(s.keeper, &more, e));
	assert_true(f.live);
	assert_int_equal(f.records, site_count(&s, LK_KIND_device) +
					    site_count(&s, LK_KIND_manufacturer) +
					    site_count(&s, LK_KIND_event));
	assert_true(f.messages * 50 < f.records);
	assert_true(f.most <= LK_CHANNEL_PACKET_MAX - LK_CHANNEL_HEADER);
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ten_thousand),
		cmocka_unit_test(test_whole_or_nothing),
		cmocka_unit_test(test_the_record_says_who_signs),
		cmocka_unit_test(test_snapshot_is_batched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
