/* SPDX-License-Identifier: Apache-2.0
 *
 * The roles of latchkeyd: what program.c puts into its table. Each file says what
 * its role opens, what its cage lets it do, and which messages it takes.
 */
#pragma once

#include "noc/config.h"
#include "role/process.h"

extern const struct lk_role_work lk_noc_front, lk_noc_keeper, lk_noc_signer, lk_noc_courier,
	lk_noc_aaa, lk_noc_desk, lk_noc_enforcer;

static inline const struct lk_noc_config *
lk_noc_config_of(const struct lk_process *p)
{
	return p->config;
}
