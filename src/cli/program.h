/* SPDX-License-Identifier: Apache-2.0
 *
 * A command line program as a table of subcommands. The exit status of a failure
 * follows from its reason and from nothing else.
 */
#pragma once

#include "cli/cli.h"

struct lk_cli_command {
	const char *noun;
	const char *verb; /* words with a blank between; NULL: the noun stands alone */
	const char *args;
	const char *help;
	lk_cli_run run;
};

struct lk_cli_program {
	const char *name;
	const struct lk_cli_command *commands;
	size_t n;
	const char *note; /* a line of --help behind the commands; NULL: none */
};

/* The whole of main(): takes --json, --help and --version, runs one row, tells its failure. */
int lk_cli_main(const struct lk_cli_program *p, int argc, char **argv);

struct lk_cli_option {
	const char *name;   /* without the dashes */
	const char **value; /* takes a value, borrowed from argv; or */
	bool *flag;         /* takes none */
	bool mandatory;
	bool operand; /* a word without dashes is its value too */
};

/* "--name VALUE", "--name=VALUE", "--flag", the operand's value, each once and nothing else.
 * LK_R_USAGE. */
LK_RESULT lk_cli_options(
	const struct lk_cli_option *options, size_t n, int argc, char **argv, struct lk_err *e);
