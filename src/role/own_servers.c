/* SPDX-License-Identifier: Apache-2.0
 *
 * The servers of a network.
 */
#include "role/own_servers.h"

#include <string.h>

const struct lk_own_server_info lk_own_servers[LK_OWN_COUNT] = {
	[LK_OWN_REGISTRAR] = { "registrar", "registrar.pem", LK_PROFILE_REGISTRAR },
	[LK_OWN_AAA] = { "aaa", "aaa.pem", LK_PROFILE_SERVER },
	[LK_OWN_RADIUS] = { "radius-server", "radius-server.pem", LK_PROFILE_RADIUS_SERVER },
	[LK_OWN_AAA_CLIENT] = { "aaa-client", "aaa-client.pem", LK_PROFILE_AAA_CLIENT },
};

enum lk_own_server
lk_own_server_by_name(const char *name)
{
	unsigned i = 0;

	while (i < LK_OWN_COUNT && strcmp(lk_own_servers[i].name, name) != 0)
		i++;
	return (enum lk_own_server)i;
}
