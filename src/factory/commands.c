/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands that make things: a factory, a device.
 */
#include "factory/commands.h"

#include <stdlib.h>

#include "base/encode.h"

void
lk_factory_say(const struct lk_cli *cli, json_t *obj)
{
	const char *name;
	json_t *value;

	if (cli->json) {
		json_object_set_new(obj, "schema", json_integer(1));
		lk_cli_json(stdout, obj);
		return;
	}
	json_object_foreach (obj, name, value) {
		char number[24];

		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
		lk_cli_line(
			stdout, name, json_is_string(value) ? json_string_value(value) : number);
	}
	json_decref(obj);
}

struct lk_result
lk_workshop_open(const char *dir, struct lk_workshop *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_workshop_done) struct lk_workshop w = { .journal = NULL };

	LK_TRY(lk_factory_open(dir, &w.factory, e));
	LK_TRY(lk_journal_open(w.factory.dir, &w.journal, e));
	*ret = w;
	w = (struct lk_workshop){ .journal = NULL };
	return LK_OK;
}

void
lk_workshop_done(struct lk_workshop *w)
{
	lk_journal_close(w->journal);
	lk_factory_done(&w->factory);
}

struct lk_result
lk_workshop_key(const struct lk_workshop *w, const char *uri, struct lk_key **ret, struct lk_err *e)
{
	char full[LK_KEY_URI_MAX];

	LK_TRY(lk_key_uri_in(w->factory.dir, uri, full, sizeof full, e));
	return lk_key_load(full, ret, e);
}

/* --- ca init ---------------------------------------------------------------------------------- */

struct lk_result
lk_factory_cmd_ca_init(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	struct lk_factory_plan p = { .dir = LK_FACTORY_DIR, .key_store = "file:" };
	const char *type = "P-256";
	const struct lk_cli_option options[] = {
		{ "dir", &p.dir, NULL, false },
		{ "name", &p.manufacturer, NULL, true },
		{ "masa-url", &p.masa_url, NULL, true },
		{ "masa-name", &p.masa_name, NULL, false },
		{ "masa-home", &p.masa_home, NULL, false },
		{ "key-type", &type, NULL, false },
		{ "key-store", &p.key_store, NULL, false },
	};
	struct lk_factory f = { .root.n = 0 };
	char print[65], start[2 * PATH_MAX], next[2 * PATH_MAX], anchor[2 * PATH_MAX];

	LK_TRY(lk_cli_options(options, LK_ARRAY_LEN(options), argc, argv, e));
	LK_TRY(lk_key_type_by_name(type, &p.type, e));
	LK_TRY(lk_factory_init(&p, lk_now(cli->clock), &lk_random_system, e));
	LK_TRY(lk_factory_open(p.dir, &f, e));
	lk_cert_fingerprint(f.root.v[0], print);
	snprintf(anchor, sizeof anchor, "%s/pki/manufacturer-root.pem", f.dir);
	snprintf(start, sizeof start, "latchkey-masa --config %s/masa/masa.conf",
		p.masa_home ? p.masa_home : f.dir);
	if (p.masa_home)
		snprintf(start, sizeof start,
			"copy %s/masa to %s, then: latchkey-masa --config %s/masa.conf", f.dir,
			p.masa_home, p.masa_home);
	snprintf(next, sizeof next,
		"latchkey-factory device new --dir %s --serial SERIAL --model MODEL --out FOLDER",
		f.dir);
	lk_factory_done(&f);
	lk_factory_say(
		cli, json_pack("{s:s, s:s, s:s, s:s, s:s}", "manufacturer", p.manufacturer, "root",
			     anchor, "root-sha256", print, "start-masa", start, "next", next));
	return LK_OK;
}

/* --- device new ------------------------------------------------------------------------------- */

static struct lk_result
set_text(const char *what, const char *text, char *dst, size_t cap, struct lk_err *e)
{
	return lk_slice_to_str(lk_slice_str(text), what, dst, cap, e);
}

struct lk_result
lk_factory_cmd_device_new(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	const char *dir = LK_FACTORY_DIR, *serial, *model, *out, *mud = "", *line = "", *key = "",
		   *id = "";
	const struct lk_cli_option options[] = {
		{ "dir", &dir, NULL, false },
		{ "serial", &serial, NULL, true },
		{ "model", &model, NULL, true },
		{ "out", &out, NULL, true },
		{ "mud-url", &mud, NULL, false },
		{ "product-line", &line, NULL, false },
		{ "key", &key, NULL, false },
		{ "physical-id", &id, NULL, false },
	};
	LK_CLEANUP(lk_workshop_done) struct lk_workshop w = { .journal = NULL };
	LK_CLEANUP(lk_key_freep) struct lk_key *root_key = NULL;
	LK_CLEANUP(lk_journal_entry_done) struct lk_journal_entry entry = { .present = 0 };
	struct lk_birth b = { .serial = "" };
	enum lk_birth_outcome outcome;
	char next[2 * PATH_MAX];

	LK_TRY(lk_cli_options(options, LK_ARRAY_LEN(options), argc, argv, e));
	LK_TRY(set_text("--serial", serial, b.serial, sizeof b.serial, e));
	LK_TRY(set_text("--model", model, b.model, sizeof b.model, e));
	LK_TRY(set_text("--mud-url", mud, b.mud_url, sizeof b.mud_url, e));
	LK_TRY(set_text("--product-line", line, b.product_line, sizeof b.product_line, e));
	LK_TRY(set_text("--key", key, b.key, sizeof b.key, e));
	LK_TRY(set_text("--physical-id", id, b.physical_id, sizeof b.physical_id, e));
	LK_TRY(set_text("--out", out, b.out, sizeof b.out, e));
	LK_TRY(lk_birth_check(&b, e));
	LK_TRY(lk_workshop_open(dir, &w, e));
	LK_TRY(lk_workshop_key(&w, w.factory.leaf.root_key, &root_key, e));
	LK_TRY(lk_birth_do(
		&(struct lk_nursery){ &w.factory, w.journal, root_key, &lk_random_system }, &b,
		lk_now(cli->clock), &outcome, e));
	LK_TRY(lk_journal_read(w.journal, lk_journal_find(w.journal, b.serial), &entry, e));
	snprintf(next, sizeof next, "latchkey-factory push --dir %s", w.factory.dir);
	lk_factory_say(
		cli, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "serial-number",
			     entry.serial, "physical-id", entry.physical_id, "model", entry.model,
			     "product-line", entry.product_line, "key", entry.key, "spki-sha256",
			     entry.spki_sha256, "folder", entry.out, "next", next));
	return LK_OK;
}
