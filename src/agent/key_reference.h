/* SPDX-License-Identifier: Apache-2.0
 *
 * How another program on the device is told of a key that it cannot reach: a small
 * file in the place of a private key, which our OpenSSL module (agent/module.c)
 * turns into a key whose signatures come over the key socket, and an OpenSSL
 * configuration that loads the module. wpa_supplicant thus authenticates with a
 * key in a TPM or token, and never holds any key.
 *
 * The file is DER, four members like the EC private keys that d2i_AutoPrivateKey() looks for, and
 * nothing that another decoder could take for one:
 *
 *	LatchkeyKeyReference ::= SEQUENCE {
 *		magic	INTEGER (19531),
 *		socket	UTF8String,	-- path of the key socket
 *		spki	OCTET STRING,	-- DER SubjectPublicKeyInfo
 *		end	NULL }
 */
#pragma once

#include "base/slice.h"

#define LK_KEY_REFERENCE_MAGIC 19531
#define LK_KEY_REFERENCE_MAX   1024 /* octets */

struct lk_key_reference {
	char socket[108]; /* sun_path */
	uint8_t spki[256];
	size_t spki_n;
};

LK_RESULT lk_key_reference_print(
	const struct lk_key_reference *r, struct lk_buf *out, struct lk_err *e);
LK_RESULT lk_key_reference_parse(
	struct lk_slice der, struct lk_key_reference *ret, struct lk_err *e);
/* An OpenSSL configuration that loads the default provider, then the module. Appends to out. */
LK_RESULT lk_key_reference_conf(const char *module_path, struct lk_buf *out, struct lk_err *e);
