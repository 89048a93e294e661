/* SPDX-License-Identifier: Apache-2.0
 *
 * Which addresses an outbound connection may go to, judged on the resolved
 * address: the public unicast internet, and what the configuration adds. A name
 * that others chose (a MASA URL, a redirect) never reaches this machine's own
 * services or the networks behind it.
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/slice.h"

#define LK_EGRESS_ALLOW_MAX 32

struct lk_cidr {
	uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;    /* of the 16 octets */
};

struct lk_egress {
	struct lk_cidr allow[LK_EGRESS_ALLOW_MAX];
	size_t n_allow;
};

/* "10.0.0.0/8", "fd00::/8", "127.0.0.1". LK_R_EGRESS_CIDR, also for set bits behind the prefix. */
LK_RESULT lk_cidr_parse(const char *text, struct lk_cidr *ret, struct lk_err *e);
LK_RESULT lk_egress_allow(struct lk_egress *g, const char *cidr, struct lk_err *e);
/* LK_R_EGRESS_FORBIDDEN. */
LK_RESULT lk_egress_check(const struct lk_egress *g, const struct sockaddr *sa, struct lk_err *e);
