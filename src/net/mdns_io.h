/* SPDX-License-Identifier: Apache-2.0
 *
 * The front's mDNS socket on one interface: announces a join point and answers
 * the questions for it, by RFC 6762. It reads from and writes to the link only.
 */
#pragma once

#include "base/random.h"
#include "net/mdns.h"

struct lk_loop;
struct lk_mdns_io; /* opaque */

/* A UDP socket on port 5353, in ff02::fb on that interface, hop limit 255. The caller may open it
 * before it is caged. Caller closes. LK_R_MDNS_SOCKET. */
LK_RESULT lk_mdns_socket(unsigned interface, int *ret_fd, struct lk_err *e);

/* Announces at once and a second later, then answers. Consumes fd on success. */
LK_RESULT lk_mdns_io_new(struct lk_loop *loop, int fd, unsigned interface,
	const struct lk_mdns_self *self, const struct lk_random *random, struct lk_mdns_io **ret,
	struct lk_err *e);
/* Sends what is due by the loop's clock. It is called by itself; tests call it when they have moved
 * that clock. */
void lk_mdns_io_tick(struct lk_mdns_io *m);
/* Says goodbye and closes. */
struct lk_mdns_io *lk_mdns_io_free(struct lk_mdns_io *m);
LK_DEFINE_CLEANUP(struct lk_mdns_io *, lk_mdns_io_free);
