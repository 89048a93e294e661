/* SPDX-License-Identifier: Apache-2.0
 *
 * The subcommands of latchkey-factory; each is a row of main.c's table.
 */
#pragma once

#include "cli/program.h"
#include "factory/birth.h"

LK_RESULT lk_factory_cmd_ca_init(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);
LK_RESULT lk_factory_cmd_device_new(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);
LK_RESULT lk_factory_cmd_device_batch(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);
LK_RESULT lk_factory_cmd_push(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);
LK_RESULT lk_factory_cmd_sell(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);
LK_RESULT lk_factory_cmd_product_line(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);
LK_RESULT lk_factory_cmd_manifest(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);
LK_RESULT lk_factory_cmd_label(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);

/* The result of a command that did its work: members of obj as lines, or as an object with
 * "schema": 1. Consumes obj. */
void lk_factory_say(const struct lk_cli *cli, json_t *obj);

/* The folder and its journal, open for one command. */
struct lk_workshop {
	struct lk_factory factory;
	struct lk_journal *journal;
};

LK_RESULT lk_workshop_open(const char *dir, struct lk_workshop *ret, struct lk_err *e);
void lk_workshop_done(struct lk_workshop *w); /* cleanup function, too */
/* One of the factory's own keys: a URI of factory.json. Caller frees. */
LK_RESULT lk_workshop_key(
	const struct lk_workshop *w, const char *uri, struct lk_key **ret, struct lk_err *e);
