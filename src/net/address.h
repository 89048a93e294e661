/* SPDX-License-Identifier: Apache-2.0
 *
 * Socket addresses as text, and as the source that a limit counts by.
 */
#pragma once

#include <sys/socket.h>

#include "base/slice.h"

#define LK_ADDRESS_TEXT_MAX 96
#define LK_ADDRESS_KEY_LEN  20

/* "192.0.2.1:8443", "[fe80::1%3]:8443", "unix"; "?" for what is none of these. */
void lk_address_text(const struct sockaddr *sa, char dst[static LK_ADDRESS_TEXT_MAX]);

/* Equal for addresses that one host can be expected to choose among: an IPv4 address; a
 * link-local IPv6 address on its interface; the /64 of any other IPv6 address. */
void lk_address_key(const struct sockaddr *sa, uint8_t ret[static LK_ADDRESS_KEY_LEN]);

/* The interface of a link-local address; else 0. */
unsigned lk_address_interface(const struct sockaddr *sa);
