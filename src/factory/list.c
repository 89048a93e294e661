/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes out with devices: the signed manifest for the network that bought them
 * (artefact/manifest.h), and the label on a case. Neither has a secret in it.
 */
#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>

#include "artefact/manifest.h"
#include "base/file.h"
#include "factory/commands.h"
#include "factory/table.h"

/* --- manifest --------------------------------------------------------------------------------- */

static struct lk_result
list_device(struct lk_manifest_builder *b, struct lk_journal *j, const struct lk_journal_device *d,
	struct lk_err *e)
{
	LK_CLEANUP(lk_journal_entry_done) struct lk_journal_entry born = { .present = 0 };
	struct lk_manifest_device out = { .present = 1u << LK_MANIFEST_SERIAL_NUMBER |
						     1u << LK_MANIFEST_IDEVID_ISSUER |
						     1u << LK_MANIFEST_SPKI_SHA256 |
						     1u << LK_MANIFEST_MODEL };

	LK_TRY(lk_journal_read(j, d, &born, e));
	memcpy(out.serial_number, born.serial, sizeof out.serial_number);
	memcpy(out.idevid_issuer, born.issuer, sizeof out.idevid_issuer);
	memcpy(out.spki_sha256, born.spki_sha256, sizeof out.spki_sha256);
	memcpy(out.model, born.model, sizeof out.model);
	memcpy(out.mud_url, born.mud_url, sizeof out.mud_url);
	if (born.mud_url[0])
		out.present |= 1u << LK_MANIFEST_MUD_URL;
	return lk_manifest_add(b, &out, e);
}

static struct lk_result
list_all(struct lk_manifest_builder *b, struct lk_journal *j, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < lk_journal_count(j); i++)
		if (lk_journal_at(j, i)->state == LK_JOURNAL_BORN)
			LK_TRY(list_device(b, j, lk_journal_at(j, i), e));
	return LK_OK;
}

struct row {
	char serial[LK_SERIAL_NUMBER_MAX];
};
static const struct lk_table_column serials[] = {
	{ "serial", true, offsetof(struct row, serial), LK_SERIAL_NUMBER_MAX },
};

static struct lk_result
find_born(const struct lk_journal *j, const char *serial, const struct lk_journal_device **ret,
	struct lk_err *e)
{
	const struct lk_journal_device *d = lk_journal_find(j, serial);

	LK_REQUIRE(d && d->state == LK_JOURNAL_BORN, e, LK_R_FACTORY_NOT_BORN,
		"%s was not born here", serial);
	*ret = d;
	return LK_OK;
}

static struct lk_result
list_csv(struct lk_manifest_builder *b, struct lk_journal *j, const char *path, struct lk_err *e)
{
	LK_CLEANUP(lk_table_close) struct lk_table t = { .file = NULL };
	const struct lk_journal_device *d;
	struct row row;
	bool found;

	LK_TRY(lk_table_open(path, serials, LK_ARRAY_LEN(serials), &t, e));
	for (;;) {
		LK_TRY(lk_table_next(&t, &row, &found, e));
		if (!found)
			return LK_OK;
		if (!find_born(j, row.serial, &d, e).ok || !list_device(b, j, d, e).ok)
			return lk_table_fail(&t, e);
	}
}

static struct lk_result
sign_list(const struct lk_workshop *w, struct lk_manifest_builder *b, int64_t now, const char *out,
	struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_MANIFEST_MAX);
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	struct lk_manifest_leaves leaf = { .issued_on = now,
		.anchors = w->factory.root,
		.present = 1u << LK_MANIFEST_MANUFACTURER | 1u << LK_MANIFEST_ISSUED_ON |
			   1u << LK_MANIFEST_MASA_URL };

	memcpy(leaf.manufacturer, w->factory.leaf.manufacturer,
		sizeof w->factory.leaf.manufacturer);
	memcpy(leaf.masa_url, w->factory.leaf.masa_url, sizeof leaf.masa_url);
	LK_TRY(lk_factory_certs(w->factory.dir, "pki/manifest-signer.pem", &chain, e));
	LK_TRY(lk_workshop_key(w, w->factory.leaf.manifest_key, &key, e));
	LK_TRY(lk_manifest_finish(b, &leaf, key, &chain, &text, e));
	return lk_file_create(out, lk_buf_slice(&text), 0644, e);
}

struct lk_result
lk_factory_cmd_manifest(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	const char *dir = LK_FACTORY_DIR, *csv = NULL, *out;
	bool all = false;
	const struct lk_cli_option options[] = {
		{ "dir", &dir, NULL, false },
		{ "all", NULL, &all, false },
		{ "csv", &csv, NULL, false },
		{ "out", &out, NULL, true },
	};
	LK_CLEANUP(lk_workshop_done) struct lk_workshop w = { .journal = NULL };
	LK_CLEANUP(lk_manifest_builder_done)
	struct lk_manifest_builder b = LK_MANIFEST_BUILDER_INIT;
	char next[2 * PATH_MAX];

	LK_TRY(lk_cli_options(options, LK_ARRAY_LEN(options), argc, argv, e));
	LK_REQUIRE(!all || !csv, e, LK_R_USAGE, "want --all (the default) or --csv");
	LK_TRY(lk_workshop_open(dir, &w, e));
	LK_TRY(csv ? list_csv(&b, w.journal, csv, e) : list_all(&b, w.journal, e));
	LK_TRY(sign_list(&w, &b, lk_now(cli->clock), out, e));
	snprintf(next, sizeof next, "latchkey manufacturer import --name NAME %s", out);
	lk_factory_say(cli, json_pack("{s:s, s:I, s:s}", "manifest", out, "devices",
				    (json_int_t)b.devices, "next", next));
	return LK_OK;
}

/* --- label ------------------------------------------------------------------------------------ */

/* Two rows of modules a line of text, with the quiet zone of ISO/IEC 18004 around. */
static void
print_qr(const QRcode *q)
{
	static const char *const blocks[] = { "█", "▄", "▀", " " };
	const int quiet = 4;
	int x, y;

	for (y = -quiet; y < q->width + quiet; y += 2) {
		for (x = -quiet; x < q->width + quiet; x++) {
			bool in = x >= 0 && x < q->width;
			bool up = in && y >= 0 && y < q->width && q->data[y * q->width + x] & 1;
			bool low = in && y + 1 >= 0 && y + 1 < q->width &&
				   q->data[(y + 1) * q->width + x] & 1;

			fputs(blocks[up << 0 | low << 1], stdout);
		}
		putchar('\n');
	}
}

static struct lk_result
draw(const json_t *obj, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(1024);
	QRcode *q;

	LK_TRY(lk_json_print(obj, &text, e));
	q = QRcode_encodeString8bit(lk_buf_str(&text), 0, QR_ECLEVEL_M);
	LK_REQUIRE(q, e, LK_R_NOMEM, "no memory for a QR code");
	print_qr(q);
	QRcode_free(q);
	return LK_OK;
}

struct lk_result
lk_factory_cmd_label(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	const char *dir = LK_FACTORY_DIR, *serial;
	const struct lk_cli_option options[] = {
		{ "dir", &dir, NULL, false },
		{ "serial", &serial, NULL, true },
	};
	LK_CLEANUP(lk_workshop_done) struct lk_workshop w = { .journal = NULL };
	LK_CLEANUP(lk_journal_entry_done) struct lk_journal_entry born = { .present = 0 };
	const struct lk_journal_device *d;
	json_auto_t *obj = NULL;

	LK_TRY(lk_cli_options(options, LK_ARRAY_LEN(options), argc, argv, e));
	LK_TRY(lk_workshop_open(dir, &w, e));
	LK_TRY(find_born(w.journal, serial, &d, e));
	LK_TRY(lk_journal_read(w.journal, d, &born, e));
	/*= SEC-02: the label joins the physical identifier to the logical one, and has no secret =*/
	obj = json_pack("{s:s, s:s, s:s, s:s, s:s}", "manufacturer", w.factory.leaf.manufacturer,
		"model", born.model, "serial-number", born.serial, "physical-id", born.physical_id,
		"spki-sha256", born.spki_sha256);
	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for a label");
	if (!cli->json)
		LK_TRY(draw(obj, e));
	lk_factory_say(cli, LK_TAKE(obj));
	return LK_OK;
}
