/* SPDX-License-Identifier: Apache-2.0
 *
 * The network's own servers, whose certificates its server CA issues and the keeper renews: the
 * same key, the same names, before they end.
 */
#pragma once

#include "artefact/cert_profile.h"

enum lk_own_server {
	LK_OWN_REGISTRAR,
	LK_OWN_AAA,
	LK_OWN_RADIUS,     /* towards devices */
	LK_OWN_AAA_CLIENT, /* the RADIUS server towards aaa */
	LK_OWN_COUNT
};

struct lk_own_server_info {
	const char *name; /* for people, in events and in the API */
	const char *file; /* below pki/: the chain that it began with */
	enum lk_cert_profile profile;
};

extern const struct lk_own_server_info lk_own_servers[LK_OWN_COUNT];
enum lk_own_server lk_own_server_by_name(const char *name); /* LK_OWN_COUNT when there is none */
