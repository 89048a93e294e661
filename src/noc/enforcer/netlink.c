/* SPDX-License-Identifier: Apache-2.0
 *
 * Not mnl_cb_run(): it stops in the middle of a dump during which something changed, and
 * takes what is left of it for a fault of every later answer.
 */
#include "noc/enforcer/netlink.h"

#include <errno.h>

enum { PACKET_MAX = 32768 }; /* the most that the kernel puts into one of a dump */

static int
error_in(const struct nlmsghdr *h)
{
	int code = 0;

	if (mnl_nlmsg_get_payload_len(h) >= sizeof code)
		memcpy(&code, mnl_nlmsg_get_payload(h), sizeof code);
	return code < 0 ? -code : 0;
}

static void
take_message(struct lk_netlink_answer *a, const struct nlmsghdr *h)
{
	int error = h->nlmsg_flags & NLM_F_DUMP_INTR ? EINTR : 0;

	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
		error = error ? error : error_in(h);
		a->missing = h->nlmsg_seq == a->first ? 0 : a->missing - 1;
	} else if (a->fn) {
		a->fn(a->ctx, h);
	}
	a->error = a->error ? a->error : error;
}

void
lk_netlink_take(struct lk_netlink_answer *a, struct lk_slice packet)
{
	const struct nlmsghdr *h = (const void *)packet.p;
	int left = (int)packet.n;

	for (; a->missing && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		if (h->nlmsg_seq - a->first < a->messages)
			take_message(a, h);
}

struct lk_result
lk_netlink_ask(struct mnl_socket *s, struct lk_slice messages, struct lk_netlink_answer *a,
	const char *what, struct lk_err *e)
{
	_Alignas(struct nlmsghdr) char packet[PACKET_MAX];
	ssize_t n = mnl_socket_sendto(s, messages.p, messages.n);

	while (n >= 0 && a->missing) {
		n = mnl_socket_recvfrom(s, packet, sizeof packet);
		if (n > 0)
			lk_netlink_take(a, lk_slice(packet, (size_t)n));
	}
	LK_REQUIRE(n >= 0 && !a->error, e, LK_R_ENFORCER_KERNEL, "%s: %s", what,
		strerror(n < 0 ? errno : a->error));
	return LK_OK;
}
