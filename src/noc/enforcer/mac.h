/* SPDX-License-Identifier: Apache-2.0
 *
 * MAC addresses of Ethernet (EUI-48) as text: six pairs of hexadecimal digits, colons between.
 */
#pragma once

#include "base/slice.h"

#define LK_MAC_TEXT 18

/* Exactly 17 characters, in either case. Refuses with LK_R_SYNTAX_TEXT. */
LK_RESULT lk_mac_parse(struct lk_slice in, uint8_t ret[static 6], struct lk_err *e);
void lk_mac_print(const uint8_t mac[static 6], char dst[static LK_MAC_TEXT]); /* lower case */
