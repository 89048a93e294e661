/* SPDX-License-Identifier: Apache-2.0
 *
 * The ports of the bridge, as the kernel has them: which there are, and which have a cable in.
 */
#pragma once

#include "policy/ruleset.h"

struct lk_link {
	char name[LK_RULESET_NAME_MAX];
	uint32_t index; /* another one: another port of that name */
	uint32_t downs; /* how often its cable was pulled */
	bool running;
};

struct lk_links; /* netlink sockets: opaque */

LK_RESULT lk_links_open(struct lk_links **ret, struct lk_err *e);
void lk_links_close(struct lk_links *l);
/* Readable when something may have changed; lk_links_drain() makes it unreadable. */
int lk_links_fd(const struct lk_links *l);
void lk_links_drain(struct lk_links *l);

/* The ports of the bridge, LK_RULESET_PORTS_MAX at most. None when there is no such bridge. The
 * caller frees *ret. */
LK_RESULT lk_links_list(struct lk_links *l, const char *bridge, struct lk_link **ret, size_t *ret_n,
	struct lk_err *e);
