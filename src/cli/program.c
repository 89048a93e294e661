/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of a command line: global options, the row they name, its options.
 */
#include "cli/program.h"

#include <stdio.h>
#include <string.h>

static void
print_usage(const struct lk_cli_program *p, const struct lk_cli_command *c)
{
	printf("  %s %s%s%s %s\n      %s\n", p->name, c->noun, c->verb ? " " : "",
		c->verb ? c->verb : "", c->args, c->help);
}

static void
print_help(const struct lk_cli_program *p)
{
	size_t i;

	printf("usage: %s [-j|--json] COMMAND [ARGUMENTS]\n"
	       "       %s --help | --version\n\ncommands:\n",
		p->name, p->name);
	for (i = 0; i < p->n; i++)
		print_usage(p, &p->commands[i]);
	if (p->note)
		printf("\n%s\n", p->note);
	printf("\nexit status: 0 done, 1 refused, 2 usage, 3 not found, 4 denied, 5 peer,\n"
	       "6 try again, 7 local failure, 8 a bug\n");
}

/* Global options may stand anywhere before "--"; what is left moves up. */
static int
take_global(struct lk_cli *cli, int argc, char **argv, bool *ret_help, bool *ret_version)
{
	int from, to = 1;

	for (from = 1; from < argc && strcmp(argv[from], "--") != 0; from++)
		if (strcmp(argv[from], "-j") == 0 || strcmp(argv[from], "--json") == 0)
			cli->json = true;
		else if (strcmp(argv[from], "-h") == 0 || strcmp(argv[from], "--help") == 0)
			*ret_help = true;
		else if (strcmp(argv[from], "--version") == 0)
			*ret_version = true;
		else
			argv[to++] = argv[from];
	while (from < argc)
		argv[to++] = argv[from++];
	argv[to] = NULL;
	return to;
}

/* How many words of argv are these, which one blank separates; 0: they are others. */
static int
count_words(const char *words, int argc, char **argv)
{
	int n;

	for (n = 0; n < argc; n++) {
		size_t len = strcspn(words, " ");

		if (strlen(argv[n]) != len || strncmp(words, argv[n], len) != 0)
			return 0;
		if (!words[len])
			return n + 1;
		words += len + 1;
	}
	return 0;
}

/* The row whose words argv begins with; *ret_words is their number. */
static const struct lk_cli_command *
find(const struct lk_cli_program *p, int argc, char **argv, int *ret_words)
{
	size_t i;
	int n;

	for (i = 0; i < p->n; i++) {
		const struct lk_cli_command *c = &p->commands[i];

		if (argc < 2 || strcmp(argv[1], c->noun) != 0)
			continue;
		n = c->verb ? count_words(c->verb, argc - 2, argv + 2) : 0;
		*ret_words = 1 + n;
		if (n || !c->verb)
			return c;
	}
	return NULL;
}

static int
tell_failure(const struct lk_cli_program *p, const struct lk_cli *cli, const struct lk_err *e)
{
	json_t *obj;

	if (cli->json && (obj = json_pack("{s:i}", "schema", 1))) {
		lk_cli_json_reason(obj, e);
		lk_cli_json(stderr, obj);
	} else {
		lk_cli_line(stderr, p->name, lk_reason_info(e->reason)->sentence);
		lk_cli_print_reason(stderr, e);
	}
	return lk_reason_exit_code(e->reason);
}

int
lk_cli_main(const struct lk_cli_program *p, int argc, char **argv)
{
	struct lk_cli cli = { .clock = &lk_clock_system };
	struct lk_err e = { .reason = LK_R_NONE };
	bool help = false, version = false;
	const struct lk_cli_command *c;
	int words;

	argc = take_global(&cli, argc, argv, &help, &version);
	if (version) {
		printf("%s %s\n", p->name, LK_VERSION);
		return 0;
	}
	c = find(p, argc, argv, &words);
	if (help) {
		c ? print_usage(p, c) : print_help(p);
		return 0;
	}
	if (!c && argc < 2)
		lk_err_set(&e, LK_R_USAGE, "no command was given");
	else if (!c)
		lk_err_set(&e, LK_R_USAGE, "there is no command '%s%s%s'", argv[1],
			argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
	else if (c->run(&cli, argc - words, argv + words, &e).ok)
		return cli.status;
	return tell_failure(p, &cli, &e);
}

/* --- options of a command --------------------------------------------------------------------- */

static const struct lk_cli_option *
find_option(const struct lk_cli_option *options, size_t n, const char *arg, size_t len)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(options[i].name) == len && strncmp(options[i].name, arg, len) == 0)
			return &options[i];
	return NULL;
}

static const struct lk_cli_option *
find_operand(const struct lk_cli_option *options, size_t n)
{
	size_t k;

	for (k = 0; k < n; k++)
		if (options[k].operand)
			return &options[k];
	return NULL;
}

struct lk_result
lk_cli_options(
	const struct lk_cli_option *options, size_t n, int argc, char **argv, struct lk_err *e)
{
	uint64_t seen = 0;
	size_t k;
	int i;

	for (i = 1; i < argc; i++) {
		bool word = strncmp(argv[i], "--", 2) != 0;
		const char *arg = argv[i] + (word ? 0 : 2);
		size_t len = strcspn(arg, "=");
		const struct lk_cli_option *o =
			word ? find_operand(options, n) : find_option(options, n, arg, len);

		LK_REQUIRE(o, e, LK_R_USAGE, "there is no option '%s' here", argv[i]);
		k = (size_t)(o - options);
		LK_REQUIRE(!(seen & UINT64_C(1) << k), e, LK_R_USAGE, "--%s stands twice", o->name);
		seen |= UINT64_C(1) << k;
		if (o->flag) {
			LK_REQUIRE(!arg[len], e, LK_R_USAGE, "--%s takes no value", o->name);
			*o->flag = true;
			continue;
		}
		if (word) {
			*o->value = arg;
		} else if (!arg[len]) {
			LK_REQUIRE(i + 1 < argc, e, LK_R_USAGE, "--%s lacks its value", o->name);
			*o->value = argv[++i];
		} else {
			*o->value = arg + len + 1;
		}
	}
	for (k = 0; k < n; k++)
		LK_REQUIRE(!options[k].mandatory || seen & UINT64_C(1) << k, e, LK_R_USAGE,
			"--%s is missing", options[k].name);
	return LK_OK;
}
