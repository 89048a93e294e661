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
	{ "device", "batch", "FILE [--out FOLDER] [--dir DIR]",
		"make the devices of a table; run again, it goes on", lk_factory_cmd_device_batch },
	{ "push", NULL, "[--masa HOST:PORT] [--dir DIR]",
		"tell the MASA of devices that it does not know yet", lk_factory_cmd_push },
	{ "product-line", "set", "--name NAME --claim none|nonce-proximity [--dir DIR]",
		"say whether unsold devices may be claimed", lk_factory_cmd_product_line },
	{ "sell", NULL,
		"--owner NAME --domain-ca FILE --serial SERIAL|--csv FILE\n"
		"      [--reference TEXT] [--masa HOST:PORT] [--dir DIR]",
		"tell the MASA to whom devices were sold", lk_factory_cmd_sell },
	{ "manifest", NULL, "--out FILE [--all|--csv FILE] [--dir DIR]",
		"write the signed list that a network imports", lk_factory_cmd_manifest },
	{ "label", NULL, "--serial SERIAL [--dir DIR]", "print a device's label, with its QR code",
		lk_factory_cmd_label },
};

int
main(int argc, char **argv)
{
	static const struct lk_cli_program program = { "latchkey-factory", commands,
		LK_ARRAY_LEN(commands), NULL };

	return lk_cli_main(&program, argc, argv);
}
