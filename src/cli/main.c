/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkey: the operator's command line, as a table of subcommands.
 */
#include "cli/api.h"
#include "cli/program.h"

static const struct lk_cli_command commands[] = {
	{ "init", NULL,
		"--name NETWORK [--dir DIR] [--state-dir DIR] [--runtime-dir DIR]\n"
		"    [--profile consumer|enterprise] [--key-store file:|tpm2:|pkcs11:…]\n"
		"    [--registrar-name DNS] [--listen ADDRESS] [--publish ADDRESS]\n"
		"    [--with-radius [--radius-dir DIR] [--bridge IF] [--device-network CIDR] "
		"[--port IF]...]",
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
	{ "manufacturer", "list", "", "the manufacturers that are known",
		lk_cli_manufacturer_list },
	{ "manufacturer", "add",
		"--name NAME [--masa-url URL]\n"
		"    [--unknown-devices allow|ask|deny] [--allow-tls12] [--ignore-idevid-expiry] "
		"FILE...",
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
	{ "ledger", "show", "[--refused] [--limit N] [--cursor SEQ]",
		"what happened, the newest events or those before SEQ", lk_cli_ledger_show },
	{ "ledger", "verify", "", "hold the ledger against its hashes and its checkpoint",
		lk_cli_ledger_verify },
	{ "radius", "renew", "[--radius-dir DIR]",
		"fetch the RADIUS server's certificates when latchkeyd renewed them",
		lk_cli_radius_renew },
	{ "status", NULL, "", "roles, counts, ledger, versions, relaxations", lk_cli_status },
	{ "ca", "show", "", "the domain's CAs", lk_cli_ca_show },
	{ "crypto", "show", "", "the algorithms and keys in use", lk_cli_crypto_show },
	{ "trust", "show", "", "who trusts whom by what, and every trust anchor",
		lk_cli_trust_show },
	{ "inspect", NULL,
		"[--anchor FILE]... [--at TIME] [--idevid FILE] [--nonce TEXT]\n"
		"    [--registrar FILE] FILE",
		"explain an artefact file, and say whether it would be accepted", lk_cli_inspect },
};

int
main(int argc, char **argv)
{
	static const struct lk_cli_program program = { "latchkey", commands, LK_ARRAY_LEN(commands),
		"commands that ask latchkeyd take --socket PATH, else " LK_API_SOCKET };

	return lk_cli_main(&program, argc, argv);
}
