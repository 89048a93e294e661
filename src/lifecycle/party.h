/* SPDX-License-Identifier: Apache-2.0
 *
 * Who acts in a device's life: the paper calls them roles (section 5), and here
 * a role is a process, so they are parties. One person may be several of them;
 * hence a set is a mask of bits, one a party.
 */
#pragma once

#include <stdint.h>

enum lk_party {
#define LK_PARTY(symbol, name, meaning) LK_PARTY_##symbol,
#include "lifecycle/party.def"
#undef LK_PARTY
	LK_PARTY_COUNT
};

#define LK_PARTY_BIT(symbol) (UINT32_C(1) << LK_PARTY_##symbol)

struct lk_party_info {
	const char *symbol; /* "OW", as in the paper's matrix */
	const char *name;   /* "device-owner" */
	const char *meaning;
};

const struct lk_party_info *lk_party_info(enum lk_party party);
enum lk_party lk_party_by_name(const char *name); /* LK_PARTY_COUNT when there is none */
