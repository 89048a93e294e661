/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkey-factory: the manufacturer's command line, as a table of subcommands.
 */
#include "factory/commands.h"

static const struct lk_cli_command commands[] = {
	{ "ca", "init",
		"--name MANUFACTURER --masa-url HOST:PORT [--dir DIR]\n"
		"      [--masa-name DNS] [--masa-home DIR] [--key-type P-256|P-384]\n"
		"      [--key-store file:|tpm2:|pkcs11:...]",
		"make the manufacturer's CA and the folder for its MASA", lk_factory_cmd_ca_init },
	{ "device", "new",
		"--serial SERIAL --model MODEL --out FOLDER [--dir DIR]\n"
		"      [--mud-url URL] [--product-line NAME] [--physical-id TEXT]\n"
		"      [--key file:|tpm2:|pkcs11:...]",
		"make a device's key and IDevID, and its folder of credentials",
		lk_factory_cmd_device_new },
};

int
main(int argc, char **argv)
{
	static const struct lk_cli_program program = { "latchkey-factory", commands,
		LK_ARRAY_LEN(commands) };

	return lk_cli_main(&program, argc, argv);
}
