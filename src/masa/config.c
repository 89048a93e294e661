/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration table of latchkey-masa.
 */
#include "masa/masa.h"

static const char *const pins[] = { "farthest", "registrar", NULL };

static const struct lk_config_key keys[] = {
	LK_CONFIG_COMMON("/var/lib/latchkey/masa"),
	LK_CONFIG_TEXT(struct lk_masa_config, listen, "front", "listen", "0.0.0.0:9443, [::]:9443",
		"Addresses for registrars and the factory, separated by commas."),
	LK_CONFIG_U32(struct lk_masa_config, fronts, "front", "processes", "2", 1, 64,
		"Number of front processes."),
	LK_CONFIG_BOOL(struct lk_masa_config, allow_tls12, "front", "allow_tls12", "yes",
		"Offer TLS 1.2 to registrars (RFC 8995 5.4 lets them use it)."),
	LK_CONFIG_TEXT(struct lk_masa_config, pki_dir, "manufacturer", "pki_dir",
		"/etc/latchkey/masa-pki", "The folder with the manufacturer's certificates."),
	LK_CONFIG_TEXT(struct lk_masa_config, crl_dir, "registrars", "crl_dir",
		"/etc/latchkey/masa-crl",
		"The folder of revocation lists of customers' CAs, *.crl in DER; looked at each "
		"minute."),
	LK_CONFIG_TEXT(
		struct lk_masa_config, tls_key, "keys", "tls", "", "Key of the HTTPS server."),
	LK_CONFIG_TEXT(struct lk_masa_config, voucher_key, "keys", "voucher", "",
		"Key that signs vouchers."),
	LK_CONFIG_TEXT(struct lk_masa_config, token_dir, "keys", "token_dir",
		"/var/lib/softhsm/tokens",
		"What the PKCS#11 module of a key reads and writes while it signs."),
	LK_CONFIG_CHOICE(struct lk_masa_config, pin, "vouchers", "pin", "farthest", pins,
		"What a voucher pins: the end of the registrar's chain, or its own certificate."),
	LK_CONFIG_BOOL(struct lk_masa_config, nonceless, "vouchers", "nonceless", "no",
		"Give owners vouchers without nonce, for networks without internet."),
	LK_CONFIG_DURATION(struct lk_masa_config, nonceless_life, "vouchers", "nonceless_life",
		"20m", 60, 30 * 86400, "Life of a voucher without nonce."),
};

const struct lk_config_spec lk_masa_config_spec = { "latchkey-masa", "/etc/latchkey/masa.conf",
	keys, LK_ARRAY_LEN(keys), sizeof(struct lk_masa_config) };
