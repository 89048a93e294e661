/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest: a signed first line, and a line a device.
 */
#include "artefact/manifest.h"

#include <stdlib.h>

#include "base/encode.h"

#define ROOT       "latchkey-manifest:manifest"
#define ANCHORS    "trust-anchors"
#define CLOCK_SKEW LK_VOUCHER_CLOCK_SKEW

/* What must stand in the signer's extKeyUsage; see crypto/oid.h. */
#define OID_KP_MANIFEST "2.25.108185145276060811385741955779230067267.2"

#define LEAF(field, name, type) \
	LK_JSON_FIELD(struct lk_manifest_leaves, field, name, type, MANDATORY)
static const struct lk_json_field leaves[] = {
	[LK_MANIFEST_MANUFACTURER] = LEAF(manufacturer, "manufacturer", TEXT),
	[LK_MANIFEST_ISSUED_ON] = LEAF(issued_on, "issued-on", TIME),
	[LK_MANIFEST_MASA_URL] = LEAF(masa_url, "masa-url", TEXT),
	[LK_MANIFEST_DEVICES] = LEAF(devices, "devices", U64),
	[LK_MANIFEST_DEVICES_SHA256] = LEAF(devices_sha256, "devices-sha256", TEXT),
};

static const struct lk_json_table table = {
	.what = "the manifest",
	.fields = leaves,
	.n = LK_ARRAY_LEN(leaves),
	.present_offset = offsetof(struct lk_manifest_leaves, present),
	.reason = LK_R_MANIFEST_LEAF,
	.unknown = LK_JSON_IGNORE_UNKNOWN,
};

#define DEVICE(field, name, need) LK_JSON_FIELD(struct lk_manifest_device, field, name, TEXT, need)
static const struct lk_json_field device_leaves[] = {
	[LK_MANIFEST_SERIAL_NUMBER] = DEVICE(serial_number, "serial-number", MANDATORY),
	[LK_MANIFEST_IDEVID_ISSUER] = DEVICE(idevid_issuer, "idevid-issuer", MANDATORY),
	[LK_MANIFEST_SPKI_SHA256] = DEVICE(spki_sha256, "spki-sha256", MANDATORY),
	[LK_MANIFEST_MODEL] = DEVICE(model, "model", OPTIONAL),
	[LK_MANIFEST_MUD_URL] = DEVICE(mud_url, "mud-url", OPTIONAL),
};

static const struct lk_json_table device_table = {
	.what = "the device",
	.fields = device_leaves,
	.n = LK_ARRAY_LEN(device_leaves),
	.present_offset = offsetof(struct lk_manifest_device, present),
	.reason = LK_R_MANIFEST_LEAF,
	.unknown = LK_JSON_IGNORE_UNKNOWN,
};

/* --- what the tables cannot say --------------------------------------------------------------- */

/* Lower-case hexadecimal of whole octets, so that equal things are equal text. */
static bool
is_hex(const char *s, size_t min, size_t max)
{
	size_t n = strlen(s);

	return n >= min && n <= max && n % 2 == 0 && s[strspn(s, "0123456789abcdef")] == 0;
}

static struct lk_result
check_device(const struct lk_manifest_device *d, struct lk_err *e)
{
	LK_REQUIRE(d->serial_number[0], e, LK_R_MANIFEST_LEAF, "serial-number is empty");
	LK_REQUIRE(is_hex(d->idevid_issuer, 2, 2 * LK_CERT_KEY_ID_MAX), e, LK_R_MANIFEST_LEAF,
		"idevid-issuer is not hexadecimal");
	LK_REQUIRE(is_hex(d->spki_sha256, 2 * LK_SHA256_LEN, 2 * LK_SHA256_LEN), e,
		LK_R_MANIFEST_LEAF, "spki-sha256 is not %d hexadecimal digits", 2 * LK_SHA256_LEN);
	LK_REQUIRE(!lk_json_has(d->present, LK_MANIFEST_MUD_URL) ||
			   strncmp(d->mud_url, "https://", 8) == 0,
		e, LK_R_MANIFEST_LEAF, "mud-url is no https URL");
	return LK_OK;
}

static struct lk_result
check_leaves(const struct lk_manifest_leaves *leaf, struct lk_err *e)
{
	LK_REQUIRE(leaf->manufacturer[0] && leaf->masa_url[0], e, LK_R_MANIFEST_LEAF,
		"manufacturer or masa-url is empty");
	LK_REQUIRE(leaf->devices <= LK_MANIFEST_DEVICES_MAX, e, LK_R_TOO_LARGE,
		"%llu devices, at most %d are taken", (unsigned long long)leaf->devices,
		LK_MANIFEST_DEVICES_MAX);
	LK_REQUIRE(leaf->anchors.n >= 1 && leaf->anchors.n <= LK_MANIFEST_ANCHORS_MAX, e,
		LK_R_MANIFEST_LEAF, "%zu trust anchors, want 1 to %d", leaf->anchors.n,
		LK_MANIFEST_ANCHORS_MAX);
	return LK_OK;
}

/* --- parse ------------------------------------------------------------------------------------ */

static struct lk_result
read_anchor(const json_t *item, struct lk_certs *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;

	LK_REQUIRE(json_is_string(item), e, LK_R_MANIFEST_LEAF, "a trust anchor is not a string");
	LK_TRY(lk_base64_decode(lk_slice(json_string_value(item), json_string_length(item)),
		LK_BASE64_STRICT, &der, e));
	LK_TRY(lk_cert_parse(lk_buf_slice(&der), &cert, e));
	return lk_certs_add(ret, cert, e);
}

static struct lk_result
read_leaves(struct lk_slice text, struct lk_manifest_leaves *ret, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	const json_t *list;
	size_t i;

	LK_TRY(lk_json_parse_yang(text, ROOT, &obj, e));
	LK_TRY(lk_json_read(&table, obj, ret, e));
	list = json_object_get(obj, ANCHORS);
	for (i = 0; i < json_array_size(list); i++)
		LK_TRY(read_anchor(json_array_get(list, i), &ret->anchors, e));
	return check_leaves(ret, e);
}

/* Takes the next line off the front of *text, without its line feed. */
static struct lk_result
next_line(struct lk_slice *text, size_t max, struct lk_slice *ret, struct lk_err *e)
{
	const uint8_t *end = text->n ? memchr(text->p, '\n', text->n) : NULL;
	size_t n;

	LK_REQUIRE(end, e, LK_R_MANIFEST_SYNTAX, "a line is missing or has no end");
	n = (size_t)(end - text->p);
	LK_REQUIRE(
		n <= max, e, LK_R_TOO_LARGE, "a line of %zu octets, at most %zu are taken", n, max);
	*ret = lk_slice(text->p, n);
	*text = lk_slice(end + 1, text->n - n - 1);
	return LK_OK;
}

static struct lk_result
check_digest(const struct lk_manifest_leaves *leaf, struct lk_slice lines, struct lk_err *e)
{
	char is[2 * LK_SHA256_LEN + 1];
	uint8_t md[LK_SHA256_LEN];

	lk_sha256_of(lines, md);
	lk_hex(LK_SLICE_ARRAY(md), is);
	LK_REQUIRE(strcmp(is, leaf->devices_sha256) == 0, e, LK_R_MANIFEST_DIGEST,
		"the devices' SHA-256 is %s, want %s", is, leaf->devices_sha256);
	return LK_OK;
}

static struct lk_result
read_device(struct lk_slice *text, struct lk_manifest_device *ret, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	struct lk_slice line;

	LK_TRY(next_line(text, LK_MANIFEST_LINE_MAX, &line, e));
	LK_TRY(lk_json_parse(line, &obj, e));
	LK_TRY(lk_json_read(&device_table, obj, ret, e));
	return check_device(ret, e);
}

static struct lk_result
read_devices(struct lk_manifest *m, struct lk_slice lines, struct lk_err *e)
{
	size_t i;

	m->devices = calloc(m->leaf.devices ? m->leaf.devices : 1, sizeof *m->devices);
	LK_REQUIRE(m->devices, e, LK_R_NOMEM, "no memory for %llu devices",
		(unsigned long long)m->leaf.devices);
	for (i = 0; i < m->leaf.devices; i++) {
		LK_REQUIRE(lines.n, e, LK_R_MANIFEST_COUNT, "%zu devices, want %llu", i,
			(unsigned long long)m->leaf.devices);
		if (!read_device(&lines, &m->devices[i], e).ok) {
			lk_err_prefix(e, "line %zu", i + 2);
			return (struct lk_result){ false };
		}
	}
	LK_REQUIRE(!lines.n, e, LK_R_MANIFEST_COUNT, "there are more devices than %llu",
		(unsigned long long)m->leaf.devices);
	return LK_OK;
}

static int
compare(const void *a, const void *b)
{
	const struct lk_manifest_device *const *x = a, *const *y = b;
	int serial = strcmp((*x)->serial_number, (*y)->serial_number);

	return serial ? serial : strcmp((*x)->idevid_issuer, (*y)->idevid_issuer);
}

/* A serial number is unique below its issuer. */
static struct lk_result
check_unique(const struct lk_manifest *m, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) const struct lk_manifest_device **sorted = NULL;
	const size_t n = m->leaf.devices;
	size_t i;

	sorted = calloc(n ? n : 1, sizeof(*sorted));
	LK_REQUIRE(sorted, e, LK_R_NOMEM, "no memory to compare %zu devices", n);
	for (i = 0; i < n; i++)
		sorted[i] = &m->devices[i];
	qsort(sorted, n, sizeof(*sorted), compare);
	for (i = 1; i < n; i++)
		LK_REQUIRE(compare(&sorted[i - 1], &sorted[i]) != 0, e, LK_R_MANIFEST_DUPLICATE,
			"serial-number %s occurs twice", sorted[i]->serial_number);
	return LK_OK;
}

struct lk_result
lk_manifest_parse(struct lk_slice text, struct lk_manifest **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_manifest_freep) struct lk_manifest *m = calloc(1, sizeof *m);
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_slice first;

	LK_REQUIRE(m, e, LK_R_NOMEM, "no memory for a manifest");
	LK_REQUIRE(text.n <= LK_MANIFEST_MAX, e, LK_R_TOO_LARGE,
		"a manifest of %zu octets, at most %d are taken", text.n, LK_MANIFEST_MAX);
	LK_TRY(next_line(&text, 2 * LK_CMS_MAX, &first, e));
	LK_TRY(lk_base64_decode(first, LK_BASE64_STRICT, &der, e));
	LK_TRY(lk_cms_parse(lk_buf_slice(&der), &m->cms, e));
	LK_TRY(read_leaves(lk_cms_content(m->cms), &m->leaf, e));
	LK_TRY(check_digest(&m->leaf, text, e));
	LK_TRY(read_devices(m, text, e));
	LK_TRY(check_unique(m, e));
	*ret = LK_TAKE(m);
	return LK_OK;
}

struct lk_manifest *
lk_manifest_free(struct lk_manifest *m)
{
	if (!m)
		return NULL;
	lk_cms_free(m->cms);
	lk_certs_done(&m->leaf.anchors);
	free(m->devices);
	free(m);
	return NULL;
}

/* --- check ------------------------------------------------------------------------------------ */

struct lk_result
lk_manifest_check(const struct lk_manifest *m, const struct lk_anchors *manufacturer, int64_t now,
	struct lk_verified_manifest *ret, struct lk_err *e)
{
	const struct lk_cert *signer = lk_cms_signer(m->cms);
	char is[LK_TIME_TEXT_MAX];

	LK_REQUIRE(signer, e, LK_R_MANIFEST_SIGNER, "the signer's certificate is not enclosed");
	LK_TRY(lk_cms_verify(m->cms, signer, e));
	if (!lk_chain_verify(manufacturer, signer, lk_cms_certs(m->cms), LK_TIMES_CHECK, now, e).ok)
		return lk_fail_as(e, LK_R_CERT_CHAIN, LK_R_MANIFEST_SIGNER,
			"the signer is not the manufacturer's");
	/* Every device chains to the manufacturer, and its MASA does. */
	LK_REQUIRE(lk_cert_has_eku(signer, OID_KP_MANIFEST), e, LK_R_MANIFEST_SIGNER,
		"the signer's certificate is not for manifests");
	lk_time_print(m->leaf.issued_on, is);
	LK_REQUIRE(m->leaf.issued_on <= now + CLOCK_SKEW, e, LK_R_MANIFEST_ISSUED,
		"issued-on is %s", is);
	*ret = (struct lk_verified_manifest){ m };
	return LK_OK;
}

/* --- build ------------------------------------------------------------------------------------ */

struct lk_result
lk_manifest_add(
	struct lk_manifest_builder *b, const struct lk_manifest_device *device, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf line = LK_BUF_INIT(LK_MANIFEST_LINE_MAX + 1);
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;

	LK_REQUIRE(b->devices < LK_MANIFEST_DEVICES_MAX, e, LK_R_TOO_LARGE, "more than %d devices",
		LK_MANIFEST_DEVICES_MAX);
	LK_TRY(lk_json_write(&device_table, device, &obj, e));
	LK_TRY(check_device(device, e));
	LK_TRY(lk_json_print(obj, &line, e));
	LK_TRY(lk_buf_append_str(&line, "\n", e));
	LK_TRY(lk_buf_append(&b->lines, lk_buf_slice(&line), e));
	b->devices++;
	return LK_OK;
}

static struct lk_result
write_anchors(const struct lk_certs *anchors, json_t *obj, struct lk_err *e)
{
	json_t *list = json_array();
	size_t i;

	LK_TRY(lk_json_set(obj, ANCHORS, list, e));
	for (i = 0; i < anchors->n; i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(2 * LK_CERT_DER_MAX);

		LK_TRY(lk_base64_encode(lk_cert_der(anchors->v[i]), &text, e));
		LK_REQUIRE(json_array_append_new(list, json_string(lk_buf_str(&text))) == 0, e,
			LK_R_NOMEM, "no memory for JSON");
	}
	return LK_OK;
}

/* The leaves with the count and digest of the lines. */
static struct lk_result
write_leaves(const struct lk_manifest_builder *b, const struct lk_manifest_leaves *leaf,
	struct lk_buf *out, struct lk_err *e)
{
	struct lk_manifest_leaves all = *leaf; /* borrows the anchors */
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	uint8_t md[LK_SHA256_LEN];

	lk_sha256_of(lk_buf_slice(&b->lines), md);
	lk_hex(LK_SLICE_ARRAY(md), all.devices_sha256);
	all.devices = b->devices;
	all.present |= 1u << LK_MANIFEST_DEVICES | 1u << LK_MANIFEST_DEVICES_SHA256;
	LK_TRY(lk_json_write(&table, &all, &obj, e));
	LK_TRY(check_leaves(&all, e));
	LK_TRY(write_anchors(&all.anchors, obj, e));
	return lk_json_print_yang(obj, ROOT, out, e);
}

struct lk_result
lk_manifest_finish(struct lk_manifest_builder *b, const struct lk_manifest_leaves *leaf,
	const struct lk_key *key, const struct lk_certs *certs, struct lk_buf *out,
	struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf content = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_MANIFEST_MAX);

	LK_TRY(write_leaves(b, leaf, &content, e));
	LK_TRY(lk_cms_sign(
		LK_CMS_DATA, lk_buf_slice(&content), leaf->issued_on, key, certs, &der, e));
	LK_TRY(lk_base64_encode(lk_buf_slice(&der), &text, e));
	LK_TRY(lk_buf_append_str(&text, "\n", e));
	LK_TRY(lk_buf_append(&text, lk_buf_slice(&b->lines), e));
	return lk_buf_append(out, lk_buf_slice(&text), e);
}

void
lk_manifest_builder_done(struct lk_manifest_builder *b)
{
	lk_buf_done(&b->lines);
}

/* --- print ------------------------------------------------------------------------------------ */

struct lk_result
lk_manifest_print(const struct lk_manifest *m, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	const char *name;
	json_t *value;
	size_t i;

	LK_TRY(lk_json_write(&table, &m->leaf, &obj, e));
	json_object_foreach (obj, name, value)
		LK_TRY(lk_json_print_line(name, value, out, e));
	for (i = 0; i < m->leaf.anchors.n; i++)
		LK_TRY(lk_cert_print_line("trust-anchor", m->leaf.anchors.v[i], out, e));
	for (i = 0; i < m->leaf.devices; i++) {
		LK_CLEANUP(json_decrefp) json_t *device = NULL;

		LK_TRY(lk_json_write(&device_table, &m->devices[i], &device, e));
		LK_TRY(lk_json_print_line("device", device, out, e));
	}
	return LK_OK;
}
