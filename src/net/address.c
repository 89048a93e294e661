/* SPDX-License-Identifier: Apache-2.0
 *
 * Socket addresses, read.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>

#define IPV4(sa) ((const struct sockaddr_in *)(const void *)(sa))
#define IPV6(sa) ((const struct sockaddr_in6 *)(const void *)(sa))

unsigned
lk_address_interface(const struct sockaddr *sa)
{
	return sa->sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&IPV6(sa)->sin6_addr)
		       ? IPV6(sa)->sin6_scope_id
		       : 0;
}

void
lk_address_text(const struct sockaddr *sa, char dst[static LK_ADDRESS_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN] = "", zone[12] = "";
	unsigned interface = lk_address_interface(sa);

	switch (sa->sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &IPV4(sa)->sin_addr, ip, sizeof ip);
		snprintf(dst, LK_ADDRESS_TEXT_MAX, "%s:%u", ip, ntohs(IPV4(sa)->sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &IPV6(sa)->sin6_addr, ip, sizeof ip);
		/* the index, not the name: naming it takes a socket, which a caged role has not */
		if (interface)
			snprintf(zone, sizeof zone, "%%%u", interface);
		snprintf(dst, LK_ADDRESS_TEXT_MAX, "[%s%s]:%u", ip, zone,
			ntohs(IPV6(sa)->sin6_port));
		break;
	case AF_UNIX:
		snprintf(dst, LK_ADDRESS_TEXT_MAX, "unix");
		break;
	default:
		snprintf(dst, LK_ADDRESS_TEXT_MAX, "?");
		break;
	}
}

void
lk_address_key(const struct sockaddr *sa, uint8_t ret[static LK_ADDRESS_KEY_LEN])
{
	uint32_t interface = lk_address_interface(sa);

	memset(ret, 0, LK_ADDRESS_KEY_LEN);
	if (sa->sa_family == AF_INET) {
		memcpy(ret, &IPV4(sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		bool whole = interface || IN6_IS_ADDR_V4MAPPED(&IPV6(sa)->sin6_addr);

		memcpy(ret, &IPV6(sa)->sin6_addr, whole ? 16 : 8);
		memcpy(ret + 16, &interface, 4);
	}
}
