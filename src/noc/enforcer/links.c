/* SPDX-License-Identifier: Apache-2.0
 *
 * rtnetlink by libmnl: one socket hears of changes, the other asks.
 */
#include "noc/enforcer/links.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>

#include "noc/enforcer/netlink.h"

struct lk_links {
	struct mnl_socket *changes, *questions;
	uint32_t seq;
};

/* What a dump gathers: all links, because ports may stand before their bridge. */
struct list {
	struct row {
		struct lk_link link;
		uint32_t master;
	} * v;
	size_t n, max;
	bool failed;
};

static void
take_link(void *ctx, const struct nlmsghdr *h)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	struct list *list = ctx;
	const struct nlattr *a;
	struct row *row;

	if (list->n == list->max) {
		size_t max = list->max ? 2 * list->max : 64;
		struct row *v =
			max > 16 * LK_RULESET_PORTS_MAX ? NULL : realloc(list->v, max * sizeof *v);

		list->failed |= !v;
		if (!v)
			return;
		list->v = v;
		list->max = max;
	}
	row = &list->v[list->n++];
	*row = (struct row){ .link = { .index = (uint32_t)info->ifi_index } };
	row->link.running = info->ifi_flags & IFF_UP && info->ifi_flags & IFF_RUNNING;
	mnl_attr_for_each(a, h, sizeof *info)
	{
		if (mnl_attr_get_type(a) == IFLA_IFNAME)
			memcpy(row->link.name, mnl_attr_get_str(a),
				strnlen(mnl_attr_get_str(a), sizeof row->link.name - 1));
		else if (mnl_attr_get_type(a) == IFLA_MASTER)
			row->master = mnl_attr_get_u32(a);
		else if (mnl_attr_get_type(a) == IFLA_CARRIER_DOWN_COUNT)
			row->link.downs = mnl_attr_get_u32(a);
	}
}

static struct lk_result
ask(struct lk_links *l, struct list *list, struct lk_err *e)
{
	_Alignas(struct nlmsghdr) char message[128];
	struct nlmsghdr *h = mnl_nlmsg_put_header(message);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof *info);
	struct lk_netlink_answer a = {
		.first = ++l->seq, .messages = 1, .missing = 1, .fn = take_link, .ctx = list
	};

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = l->seq;
	info->ifi_family = AF_UNSPEC;
	LK_TRY(lk_netlink_ask(
		l->questions, lk_slice(h, h->nlmsg_len), &a, "the ports cannot be read", e));
	LK_REQUIRE(!list->failed, e, LK_R_ENFORCER_KERNEL,
		"the ports cannot be read: too many links, or no memory");
	return LK_OK;
}

static void
free_rows(struct list *list)
{
	free(list->v);
}

struct lk_result
lk_links_list(struct lk_links *l, const char *bridge, struct lk_link **ret, size_t *ret_n,
	struct lk_err *e)
{
	LK_CLEANUP(free_rows) struct list list = { 0 };
	LK_CLEANUP(lk_freep) struct lk_link *v = calloc(LK_RULESET_PORTS_MAX, sizeof *v);
	uint32_t master = 0;
	size_t i, n = 0;

	LK_REQUIRE(v, e, LK_R_NOMEM, "no memory for the ports");
	LK_TRY(ask(l, &list, e));
	for (i = 0; i < list.n; i++)
		if (strcmp(list.v[i].link.name, bridge) == 0)
			master = list.v[i].link.index;
	for (i = 0; i < list.n && master; i++) {
		if (list.v[i].master != master)
			continue;
		LK_REQUIRE(n < LK_RULESET_PORTS_MAX, e, LK_R_RULESET, "%s has more than %d ports",
			bridge, LK_RULESET_PORTS_MAX);
		v[n++] = list.v[i].link;
	}
	*ret = LK_TAKE(v);
	*ret_n = n;
	return LK_OK;
}

struct lk_result
lk_links_open(struct lk_links **ret, struct lk_err *e)
{
	struct lk_links *l = calloc(1, sizeof *l);

	LK_REQUIRE(l, e, LK_R_NOMEM, "no memory for netlink");
	l->changes = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	l->questions = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!l->changes || !l->questions ||
		mnl_socket_bind(l->changes, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0 ||
		mnl_socket_bind(l->questions, 0, MNL_SOCKET_AUTOPID) < 0) {
		lk_err_set(e, LK_R_ENFORCER_KERNEL, "rtnetlink: %s", strerror(errno));
		lk_links_close(l);
		return (struct lk_result){ false };
	}
	*ret = l;
	return LK_OK;
}

void
lk_links_close(struct lk_links *l)
{
	if (!l)
		return;
	if (l->changes)
		mnl_socket_close(l->changes);
	if (l->questions)
		mnl_socket_close(l->questions);
	free(l);
}

int
lk_links_fd(const struct lk_links *l)
{
	return mnl_socket_get_fd(l->changes);
}

/* Also of an overflow (ENOBUFS): whoever is told looks at everything anyway. */
void
lk_links_drain(struct lk_links *l)
{
	char message[8192];

	while (mnl_socket_recvfrom(l->changes, message, sizeof message) >= 0 || errno == ENOBUFS ||
		errno == ENOSPC)
		;
}
