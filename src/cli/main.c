/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkey: the operator's command line. A table of subcommands; the exit status
 * of a failure follows from its reason and from nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "cli/api.h"

static const struct command {
	const char *noun;
	const char *verb; /* NULL: the noun stands alone */
	const char *args;
	const char *help;
	lk_cli_run run;
} commands[] = {
	{ "init", NULL,
		"--name NETWORK [--dir DIR] [--state-dir DIR] [--runtime-dir DIR]\n"
		"    [--profile consumer|enterprise] [--key-store file:|tpm2:|pkcs11:…]\n"
		"    [--registrar-name DNS] [--listen ADDRESS] [--publish ADDRESS]\n"
		"    [--with-radius [--radius-dir DIR] [--bridge IF] [--device-network CIDR] [--port IF]...]",
		"make a network: its CAs, keys and configuration", lk_cli_init },
	{ "device", "list", "[--state STATE] [--admission WORD] [--limit N] [--cursor ID]",
		"the devices that are known", lk_cli_device_list },
	{ "device", "pending", "", "the devices that wait for a decision", lk_cli_device_pending },
	{ "device", "show", "DEVICE", "all that is known of a device, by id or serial number",
		lk_cli_device_show },
	{ "device", "timeline", "DEVICE", "what happened to a device", lk_cli_device_timeline },
	{ "device", "approve", "DEVICE", "let it in", lk_cli_device_approve },
	{ "device", "deny", "DEVICE", "keep it out", lk_cli_device_deny },
	{ "device", "revoke", "DEVICE", "take its credentials back, and close its port",
		lk_cli_device_revoke },
	{ "device", "decommission", "DEVICE", "end its life in this network",
		lk_cli_device_decommission },
	{ "manufacturer", "list", "", "the manufacturers that are known", lk_cli_manufacturer_list },
	{ "manufacturer", "add",
		"--name NAME [--masa-url URL]\n"
		"    [--unknown-devices allow|ask|deny] [--allow-tls12] [--ignore-idevid-expiry] FILE...",
		"trust a manufacturer's anchors", lk_cli_manufacturer_add },
	{ "manufacturer", "import", "--name NAME [as add] MANIFEST",
		"take a manufacturer's signed list of devices", lk_cli_manufacturer_import },
	{ "manufacturer", "distrust", "NAME", "let none of its devices in any more",
		lk_cli_manufacturer_distrust },
	{ "manufacturer", "remove", "NAME", "forget a manufacturer without devices",
		lk_cli_manufacturer_remove },
	{ "est", "code new", "--label LABEL --name NAME [--dns DNS]",
		"make a one-time code by which a client of plain EST enrols", lk_cli_est_code_new },
	{ "est", "code list", "", "the codes, and the clients that came by them",
		lk_cli_est_code_list },
	{ "est", "code revoke", "ID", "take a code back, and all certificates that came of it",
		lk_cli_est_code_revoke },
	{ "status", NULL, "", "roles, counts, ledger, versions, relaxations", lk_cli_status },
	{ "ca", "show", "", "the domain's CAs", lk_cli_ca_show },
	{ "crypto", "show", "", "the algorithms and keys in use", lk_cli_crypto_show },
	{ "trust", "show", "", "who trusts whom by what, and every trust anchor", lk_cli_trust_show },
	{ "inspect", NULL,
		"[--anchor FILE]... [--at TIME] [--idevid FILE] [--nonce TEXT]\n"
		"    [--registrar FILE] FILE",
		"explain an artefact file, and say whether it would be accepted", lk_cli_inspect },
};

static void
print_usage(const struct command *c)
{
	printf("  latchkey %s%s%s %s\n      %s\n", c->noun, c->verb ? " " : "",
		c->verb ? c->verb : "", c->args, c->help);
}

static void
print_help(void)
{
	size_t i;

	printf("usage: latchkey [-j|--json] COMMAND [ARGUMENTS]\n"
	       "       latchkey --help | --version\n\ncommands:\n");
	for (i = 0; i < LK_ARRAY_LEN(commands); i++)
		print_usage(&commands[i]);
	printf("\ncommands that ask latchkeyd take --socket PATH, else %s\n", LK_API_SOCKET);
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
static const struct command *
find(int argc, char **argv, int *ret_words)
{
	size_t i;
	int n;

	for (i = 0; i < LK_ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];

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
tell_failure(const struct lk_cli *cli, const struct lk_err *e)
{
	json_t *obj;

	if (cli->json && (obj = json_pack("{s:i}", "schema", 1))) {
		lk_cli_json_reason(obj, e);
		lk_cli_json(stderr, obj);
	} else {
		lk_cli_line(stderr, "latchkey", lk_reason_info(e->reason)->sentence);
		lk_cli_print_reason(stderr, e);
	}
	return lk_reason_exit_code(e->reason);
}

int
main(int argc, char **argv)
{
	struct lk_cli cli = { .clock = &lk_clock_system };
	struct lk_err e = { .reason = LK_R_NONE };
	bool help = false, version = false;
	const struct command *c;
	int words;

	argc = take_global(&cli, argc, argv, &help, &version);
	if (version) {
		printf("latchkey %s\n", LK_VERSION);
		return 0;
	}
	c = find(argc, argv, &words);
	if (help) {
		c ? print_usage(c) : print_help();
		return 0;
	}
	if (!c)
		lk_err_set(&e, LK_R_USAGE,
			argc < 2 ? "no command was given" : "there is no such command");
	else if (c->run(&cli, argc - words, argv + words, &e).ok)
		return cli.status;
	return tell_failure(&cli, &e);
}
