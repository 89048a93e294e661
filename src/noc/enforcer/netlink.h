/* SPDX-License-Identifier: Apache-2.0
 *
 * A question to the kernel and its whole answer, by libmnl. A socket outlives an answer that was
 * given up: what is left of it has other sequence numbers, and the next question passes over it.
 */
#pragma once

#include <libmnl/libmnl.h>

#include "base/slice.h"

typedef void lk_netlink_fn(void *ctx, const struct nlmsghdr *m);

/* What is awaited, and what came of it. A question is one message that is acknowledged or dumps;
 * or a batch, whose first message is heard of only when all of it failed. */
struct lk_netlink_answer {
	uint32_t first, messages; /* sequence number of the first; how many there are */
	uint32_t missing;         /* acknowledgements; 0: it has ended */
	int error;                /* the first of them, as errno; EINTR: a dump of two states */
	lk_netlink_fn *fn;        /* gets what is no acknowledgement; may be NULL */
	void *ctx;
};

/* One packet of the kernel. */
void lk_netlink_take(struct lk_netlink_answer *a, struct lk_slice packet);

/* Sends the messages and reads until their answer has ended. LK_R_ENFORCER_KERNEL: "<what>: ...".
 */
LK_RESULT lk_netlink_ask(struct mnl_socket *s, struct lk_slice messages,
	struct lk_netlink_answer *a, const char *what, struct lk_err *e);
