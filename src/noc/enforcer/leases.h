/* SPDX-License-Identifier: Apache-2.0
 *
 * dnsmasq's lease file: who has which IPv4 address until when. Read whenever it
 * changes; dnsmasq writes it before it does anything else.
 */
#pragma once

#include "base/time.h"
#include "net/loop.h"
#include "policy/ruleset.h"

enum { LK_LEASES_MAX = 65536 };
#define LK_LEASE_FILE_MAX ((size_t)8 << 20)

struct lk_lease {
	int64_t expires_at; /* LK_TIME_NEVER: not at all */
	uint8_t mac[6], address[4];
};

/* "expiry MAC address name client-id" a line. DHCPv6 ("duid" and what follows it) is passed over,
 * and so are other hardware than Ethernet and a last line without its end: dnsmasq is still
 * writing. Sorted by MAC, then by expiry. The caller frees *ret. LK_R_LEASE_SYNTAX. */
LK_RESULT lk_leases_parse(
	struct lk_slice in, struct lk_lease **ret, size_t *ret_n, struct lk_err *e);
/* Keeps the newest of each MAC, whatever client ids it has given, of those that are of this network
 * and have not ended. How many are left. */
size_t lk_leases_choose(
	struct lk_lease *v, size_t n, const struct lk_network4 *within, int64_t now);
/* Of those that were chosen; NULL: it has none. */
const struct lk_lease *lk_leases_find(
	const struct lk_lease *v, size_t n, const uint8_t mac[static 6]);

/* Tells when something may have changed in the file, which need not exist yet; its folder must. */
struct lk_lease_watch;
typedef void lk_lease_fn(void *ctx);

LK_RESULT lk_lease_watch_new(struct lk_loop *l, const char *path, lk_lease_fn *fn, void *ctx,
	struct lk_lease_watch **ret, struct lk_err *e);
void lk_lease_watch_free(struct lk_lease_watch *w);
