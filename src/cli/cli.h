/* SPDX-License-Identifier: Apache-2.0
 *
 * What the subcommands of `latchkey` share. A subcommand is a row of main.c's
 * table and a function; program.c reads the global options, tells failures and turns
 * a reason into an exit status, so that no subcommand does.
 */
#pragma once

#include <jansson.h>

#include "base/time.h"

struct lk_cli {
	bool json;                    /* --json: one object, or a line each, with "schema": 1 */
	int status;                   /* of a command that did its work and found a "no" */
	const struct lk_clock *clock; /* the wall's */
};

/* argv[0] is the last word of the command's name; optind is 1. */
typedef LK_RESULT (*lk_cli_run)(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);

/* "<name>: <text>" on standard output or error; whatever could move a cursor or start a line of its
 * own is shown as \xNN. */
void lk_cli_line(FILE *to, const char *name, const char *text);
/* One JSON object and a line feed. Consumes obj. */
void lk_cli_json(FILE *to, json_t *obj);
/* reason, clause, message and cure, as lines or as members of obj. */
void lk_cli_print_reason(FILE *to, const struct lk_err *e);
void lk_cli_json_reason(json_t *obj, const struct lk_err *e);

LK_RESULT lk_cli_inspect(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);
/* radius.c */
LK_RESULT lk_cli_radius_renew(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);
LK_RESULT lk_cli_init(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);
/* Rows of the table that ask latchkeyd (operate.c). */
/* clang-format off */
#define LK_CLI_ASKS(X) \
	X(status) \
	X(ca_show) X(crypto_show) X(trust_show) \
	X(device_list) X(device_show) X(device_timeline) X(device_pending) X(device_approve) \
	X(device_deny) X(device_revoke) X(device_decommission) \
	X(manufacturer_add) X(manufacturer_import) X(manufacturer_list) \
	X(manufacturer_distrust) X(manufacturer_remove) \
	X(est_code_new) X(est_code_list) X(est_code_revoke) \
	X(ledger_show) X(ledger_verify)
/* clang-format on */
#define LK_CLI_DECLARE(name) \
	LK_RESULT lk_cli_##name(struct lk_cli *cli, int argc, char **argv, struct lk_err *e);
LK_CLI_ASKS(LK_CLI_DECLARE)
