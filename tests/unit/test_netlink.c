/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of the kernel as they come, and as they were left lying.
 */
#include "test.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#include "noc/enforcer/netlink.h"

/* A packet under construction. */
struct packet {
	_Alignas(struct nlmsghdr) char bytes[1024];
	size_t n;
};

static void
put(struct packet *p, uint16_t type, uint16_t flags, uint32_t seq, int code)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(p->bytes + p->n);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(h, sizeof *e);

	e->error = code;
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = seq;
	p->n += h->nlmsg_len;
}

static void
take(struct lk_netlink_answer *a, struct packet *p)
{
	lk_netlink_take(a, lk_slice(p->bytes, p->n));
	p->n = 0;
}

static void
count(void *ctx, const struct nlmsghdr *h)
{
	assert_int_equal(h->nlmsg_type, RTM_NEWLINK);
	++*(unsigned *)ctx;
}

/* Read to its end, so that the next answer begins with its own packet. */
static void
test_dump_during_which_something_changed(void **state)
{
	unsigned n = 0;
	struct lk_netlink_answer a = { 5, 1, 1, 0, count, &n };
	struct packet p = { .n = 0 };

	(void)state;
	put(&p, RTM_NEWLINK, NLM_F_MULTI, 5, 0);
	put(&p, RTM_NEWLINK, NLM_F_MULTI | NLM_F_DUMP_INTR, 5, 0);
	take(&a, &p);
	assert_int_equal(a.missing, 1);
	put(&p, RTM_NEWLINK, NLM_F_MULTI, 5, 0);
	put(&p, NLMSG_DONE, NLM_F_MULTI, 5, 0);
	take(&a, &p);
	assert_int_equal(a.missing, 0);
	assert_int_equal(a.error, EINTR);
	assert_int_equal(n, 3);
}

static void
test_rest_of_an_older_answer(void **state)
{
	unsigned n = 0;
	struct lk_netlink_answer a = { 6, 1, 1, 0, count, &n };
	struct packet p = { .n = 0 };

	(void)state;
	put(&p, RTM_NEWLINK, NLM_F_MULTI, 5, 0);
	put(&p, NLMSG_ERROR, 0, 5, -EPERM);
	put(&p, NLMSG_DONE, 0, 4, 0);
	take(&a, &p);
	assert_int_equal(a.missing, 1);
	put(&p, RTM_NEWLINK, 0, 6, 0);
	put(&p, NLMSG_ERROR, 0, 6, 0);
	take(&a, &p);
	assert_int_equal(a.missing, 0);
	assert_int_equal(a.error, 0);
	assert_int_equal(n, 1);
}

static void
test_failed_question(void **state)
{
	struct lk_netlink_answer a = { 6, 1, 1, 0, NULL, NULL };
	struct packet p = { .n = 0 };

	(void)state;
	put(&p, NLMSG_DONE, NLM_F_MULTI, 6, -ENOENT); /* a dump says so at its end */
	take(&a, &p);
	assert_int_equal(a.missing, 0);
	assert_int_equal(a.error, ENOENT);
}

/* 9: the batch's beginning; 10 to 12: its elements. */
static void
test_batch(void **state)
{
	struct lk_netlink_answer a = { 9, 4, 3, 0, NULL, NULL };
	struct packet p = { .n = 0 };

	(void)state;
	put(&p, NLMSG_ERROR, 0, 10, 0);
	put(&p, NLMSG_ERROR, 0, 11, -EEXIST);
	take(&a, &p);
	assert_int_equal(a.missing, 1);
	put(&p, NLMSG_ERROR, 0, 12, -ENOENT);
	take(&a, &p);
	assert_int_equal(a.missing, 0);
	assert_int_equal(a.error, EEXIST);
}

/* The kernel took each element and not the whole: nothing is in force. */
static void
test_batch_that_is_not_committed(void **state)
{
	struct lk_netlink_answer a = { 9, 4, 3, 0, NULL, NULL };
	struct packet p = { .n = 0 };

	(void)state;
	put(&p, NLMSG_ERROR, 0, 9, -ENOMEM);
	put(&p, NLMSG_ERROR, 0, 10, 0);
	take(&a, &p);
	assert_int_equal(a.missing, 0);
	assert_int_equal(a.error, ENOMEM);
}

static void
test_packet_cut_short(void **state)
{
	struct lk_netlink_answer a = { 6, 1, 1, 0, NULL, NULL };
	struct packet p = { .n = 0 };
	size_t i, whole;

	(void)state;
	put(&p, NLMSG_ERROR, 0, 6, -EPERM);
	whole = p.n;
	for (i = 0; i < whole; i++) {
		p.n = i;
		take(&a, &p);
		assert_int_equal(a.missing, 1);
	}
	assert_int_equal(a.error, 0);
}

static struct nlmsghdr *
ask_for_loopback(char message[static 128], uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(message);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof *info);

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = seq;
	info->ifi_index = 1;
	return h;
}

/* The kernel itself: an answer that nobody read does not spoil those after it. */
static void
test_socket_outlives_an_answer(void **state)
{
	_Alignas(struct nlmsghdr) char message[128];
	unsigned n = 0;
	struct lk_netlink_answer a = { 2, 1, 1, 0, count, &n };
	struct mnl_socket *s = mnl_socket_open(NETLINK_ROUTE);
	struct nlmsghdr *h;
	struct lk_err e;

	(void)state;
	assert_non_null(s);
	assert_int_equal(mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID), 0);
	h = ask_for_loopback(message, 1);
	assert_true(mnl_socket_sendto(s, h, h->nlmsg_len) > 0);
	h = ask_for_loopback(message, 2);
	assert_true(lk_netlink_ask(s, lk_slice(h, h->nlmsg_len), &a, "links", &e).ok);
	assert_int_equal(n, 1);
	mnl_socket_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump_during_which_something_changed),
		cmocka_unit_test(test_rest_of_an_older_answer),
		cmocka_unit_test(test_failed_question),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_batch_that_is_not_committed),
		cmocka_unit_test(test_packet_cut_short),
		cmocka_unit_test(test_socket_outlives_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
