/* SPDX-License-Identifier: Apache-2.0
 *
 * The roles of latchkey-masa and its configuration.
 */
#pragma once

#include "role/config.h"
#include "role/process.h"

struct lk_masa_config {
	struct lk_config_common common;
	char listen[LK_CONFIG_TEXT_MAX];
	uint32_t fronts;
	bool allow_tls12;
	char pki_dir[LK_CONFIG_TEXT_MAX];
	char crl_dir[LK_CONFIG_TEXT_MAX];
	char tls_key[LK_CONFIG_TEXT_MAX], voucher_key[LK_CONFIG_TEXT_MAX];
	char token_dir[LK_CONFIG_TEXT_MAX];
	unsigned pin; /* enum lk_masa_pin */
	bool nonceless;
	int64_t nonceless_life;
};

extern const struct lk_config_spec lk_masa_config_spec;
extern const struct lk_role_work lk_masa_front, lk_masa_keeper_role, lk_masa_signer;

static inline const struct lk_masa_config *
lk_masa_config_of(const struct lk_process *p)
{
	return p->config;
}
