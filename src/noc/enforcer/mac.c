/* SPDX-License-Identifier: Apache-2.0
 *
 * Read and written digit by digit: sscanf() would take blanks and signs.
 */
#include "noc/enforcer/mac.h"

#include <ctype.h>
#include <stdio.h>

static uint8_t
nibble(uint8_t c)
{
	return (uint8_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
}

struct lk_result
lk_mac_parse(struct lk_slice in, uint8_t ret[static 6], struct lk_err *e)
{
	size_t i;

	LK_REQUIRE(in.n == LK_MAC_TEXT - 1, e, LK_R_SYNTAX_TEXT, "a MAC address of %zu characters",
		in.n);
	for (i = 0; i < in.n; i++)
		LK_REQUIRE(i % 3 == 2 ? in.p[i] == ':' : isxdigit(in.p[i]), e, LK_R_SYNTAX_TEXT,
			"a MAC address with a wrong character at offset %zu", i);
	for (i = 0; i < 6; i++)
		ret[i] = (uint8_t)(nibble(in.p[3 * i]) << 4 | nibble(in.p[3 * i + 1]));
	return LK_OK;
}

void
lk_mac_print(const uint8_t mac[static 6], char dst[static LK_MAC_TEXT])
{
	snprintf(dst, LK_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		mac[4], mac[5]);
}
