/* SPDX-License-Identifier: Apache-2.0
 *
 * The table behind lifecycle/party.h.
 */
#include "lifecycle/party.h"

#include <assert.h>
#include <string.h>

static const struct lk_party_info parties[LK_PARTY_COUNT] = {
#define LK_PARTY(symbol, name, meaning) [LK_PARTY_##symbol] = { #symbol, name, meaning },
#include "lifecycle/party.def"
#undef LK_PARTY
};

const struct lk_party_info *
lk_party_info(enum lk_party party)
{
	assert((unsigned)party < LK_PARTY_COUNT);
	return &parties[party];
}

enum lk_party
lk_party_by_name(const char *name)
{
	unsigned i;

	for (i = 0; i < LK_PARTY_COUNT; i++)
		if (strcmp(parties[i].name, name) == 0)
			break;
	return (enum lk_party)i;
}
