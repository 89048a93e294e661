/* SPDX-License-Identifier: Apache-2.0
 *
 * Many devices from a table. It is read twice: first every line is checked, so
 * that a bad one stops the batch before anything is made; then one device after
 * the other is born. A second run passes over those that were.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "factory/commands.h"
#include "factory/table.h"

#define COLUMN(name, mandatory, field)                             \
	{                                                          \
		name, mandatory, offsetof(struct lk_birth, field), \
			sizeof(((struct lk_birth *)NULL)->field)   \
	}

static const struct lk_table_column columns[] = {
	COLUMN("serial", true, serial),
	COLUMN("model", true, model),
	COLUMN("mud_url", false, mud_url),
	COLUMN("product_line", false, product_line),
	COLUMN("physical_id", false, physical_id),
	COLUMN("key", false, key),
	COLUMN("out", false, out),
};

/* A device without a folder of its own gets OUT/SERIAL. */
static struct lk_result
name_folder(struct lk_birth *b, const char *out, struct lk_err *e)
{
	if (b->out[0])
		return LK_OK;
	LK_REQUIRE(out, e, LK_R_USAGE, "the device has no folder, and --out was not given");
	LK_REQUIRE(b->serial[0] != '.' && !strchr(b->serial, '/'), e, LK_R_FACTORY_VALUE,
		"%s cannot be a folder's name; give it one in the column 'out'", b->serial);
	return lk_path_join(out, b->serial, b->out, sizeof b->out, e);
}

static struct lk_result
next_birth(struct lk_table *t, const char *out, struct lk_birth *ret, bool *ret_found,
	struct lk_err *e)
{
	*ret = (struct lk_birth){ .serial = "" };
	LK_TRY(lk_table_next(t, ret, ret_found, e));
	if (*ret_found && !(name_folder(ret, out, e).ok && lk_birth_check(ret, e).ok))
		return lk_table_fail(t, e);
	return LK_OK;
}

static struct lk_result
check_all(const char *path, const char *out, struct lk_err *e)
{
	LK_CLEANUP(lk_table_close) struct lk_table t = { .file = NULL };
	struct lk_birth b;
	bool found;

	LK_TRY(lk_table_open(path, columns, LK_ARRAY_LEN(columns), &t, e));
	do
		LK_TRY(next_birth(&t, out, &b, &found, e));
	while (found);
	return LK_OK;
}

static struct lk_result
bear_all(const struct lk_nursery *n, const char *path, const char *out,
	const struct lk_clock *clock, json_int_t count[static 3], struct lk_err *e)
{
	LK_CLEANUP(lk_table_close) struct lk_table t = { .file = NULL };
	enum lk_birth_outcome outcome;
	struct lk_birth b;
	bool found;

	LK_TRY(lk_table_open(path, columns, LK_ARRAY_LEN(columns), &t, e));
	for (;;) {
		LK_TRY(next_birth(&t, out, &b, &found, e));
		if (!found)
			return LK_OK;
		if (!lk_birth_do(n, &b, lk_now(clock), &outcome, e).ok)
			return lk_table_fail(&t, e);
		count[outcome]++;
	}
}

struct lk_result
lk_factory_cmd_device_batch(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	const char *dir = LK_FACTORY_DIR, *csv, *out = NULL;
	const struct lk_cli_option options[] = {
		{ "dir", &dir, NULL, false },
		{ "csv", &csv, NULL, true, true },
		{ "out", &out, NULL, false },
	};
	LK_CLEANUP(lk_workshop_done) struct lk_workshop w = { .journal = NULL };
	LK_CLEANUP(lk_key_freep) struct lk_key *root_key = NULL;
	json_int_t count[3] = { 0 };
	char next[2 * PATH_MAX];

	LK_TRY(lk_cli_options(options, LK_ARRAY_LEN(options), argc, argv, e));
	LK_TRY(check_all(csv, out, e));
	LK_TRY(lk_workshop_open(dir, &w, e));
	LK_TRY(lk_workshop_key(&w, w.factory.leaf.root_key, &root_key, e));
	LK_TRY(bear_all(&(struct lk_nursery){ &w.factory, w.journal, root_key, &lk_random_system },
		csv, out, cli->clock, count, e));
	snprintf(next, sizeof next, "latchkey-factory push --dir %s", w.factory.dir);
	lk_factory_say(cli, json_pack("{s:I, s:I, s:I, s:s}", "born", count[LK_BIRTH_DONE],
				    "resumed", count[LK_BIRTH_RESUMED], "born-before",
				    count[LK_BIRTH_KNOWN], "next", next));
	return LK_OK;
}
