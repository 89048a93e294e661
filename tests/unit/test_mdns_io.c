/* SPDX-License-Identifier: Apache-2.0
 *
 * A join point on a real link: two ends of a veth in a network namespace of the test's own,
 *
 *	join point, fe80::1 on lkm0 ======= lkm1 with fe80::2, who asks
 *
 * with a clock that the test moves. Needs the right to make namespaces.
 */
#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/mdns_io.h"

#define SKIP 77

struct fixture {
	struct lk_clock_fixed clock;
	struct lk_loop *loop;
	struct lk_deferred nothing;
	struct lk_random random;
	struct lk_mdns_self self;
	unsigned there, here; /* the interfaces */
	int fd;               /* who asks */
	int io_fd;            /* who answers */
	struct lk_mdns_io *io;
};

static void
half(const struct lk_random *self, uint8_t *p, size_t n)
{
	(void)self;
	memset(p, 0x80, n);
}

static void
nothing(void *ctx)
{
	(void)ctx;
}

static void
turn(struct fixture *f)
{
	lk_defer(f->loop, &f->nothing);
	assert_true(lk_loop_turn(f->loop, NULL).ok);
}

/* Moves the clock, and lets what is due happen. */
static void
after(struct fixture *f, int64_t ms)
{
	f->clock.ms += ms;
	lk_mdns_io_tick(f->io);
}

/* The interface by which a packet came: what is multicast on one end of the link also reaches all
 * sockets of this namespace directly. */
static unsigned
came_by(struct msghdr *h)
{
	struct in6_pktinfo info = { .ipi6_ifindex = 0 };
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			memcpy(&info, CMSG_DATA(c), sizeof info);
	return info.ipi6_ifindex;
}

/* The next response on the link that names our service, if one has been sent. */
static bool
hear(struct fixture *f, struct lk_mdns_found_list *ret)
{
	uint8_t p[LK_MDNS_RECEIVE_MAX];
	union {
		struct cmsghdr align;
		uint8_t bytes[256];
	} control;
	struct iovec iov = { p, sizeof p };
	struct msghdr h;
	ssize_t n;

	for (;;) {
		h = (struct msghdr){ .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof control };
		n = recvmsg(f->fd, &h, 0);
		if (n < 0)
			return false;
		if (came_by(&h) == f->here && lk_mdns_parse(lk_slice(p, (size_t)n), ret, NULL).ok &&
			ret->n)
			return true;
	}
}

static bool
hears(struct fixture *f)
{
	struct lk_mdns_found_list l;

	return hear(f, &l);
}

static void
wait_for_packet(int fd)
{
	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 10000), 1);
}

/* As hear(), for what must have been sent. */
static void
expect(struct fixture *f, struct lk_mdns_found_list *ret)
{
	while (!hear(f, ret))
		wait_for_packet(f->fd);
}

static void
assert_hears(struct fixture *f)
{
	struct lk_mdns_found_list l;

	expect(f, &l);
}

/* Sends a packet to the group from the other end, and lets the join point read it. */
static void
tell(struct fixture *f, int fd, const struct lk_buf *b)
{
	struct sockaddr_in6 to = {
		.sin6_family = AF_INET6, .sin6_port = htons(LK_MDNS_PORT), .sin6_scope_id = f->here
	};

	inet_pton(AF_INET6, LK_MDNS_GROUP, &to.sin6_addr);
	assert_int_equal(sendto(fd, b->p, b->n, 0, (struct sockaddr *)&to, sizeof to), b->n);
	wait_for_packet(f->io_fd);
	turn(f);
}

static void
ask(struct fixture *f, bool truncated)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf q = LK_BUF_INIT(LK_MDNS_PACKET_MAX);

	assert_true(lk_mdns_query(false, &q, NULL).ok);
	q.p[2] |= truncated ? 0x02 : 0;
	tell(f, f->fd, &q);
}

static int
setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof f);
	lk_clock_fixed_init(&f.clock, 1767268800);
	f.random.fill = half;
	f.nothing.fn = nothing;
	f.there = if_nametoindex("lkm0");
	f.here = if_nametoindex("lkm1");
	f.self = (struct lk_mdns_self){ .instance = "Join here",
		.host = "lk-0a1",
		.port = 8443,
		.address.s6_addr = { 0xfe, 0x80, [15] = 1 },
		.services = { [LK_MDNS_REGISTRAR] = true } };
	assert_true(lk_loop_new(&f.clock.clock, &f.loop, NULL).ok);
	assert_true(lk_mdns_socket(f.here, &f.fd, NULL).ok);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	lk_mdns_io_free(f->io);
	close(f->fd);
	lk_loop_free(f->loop);
	return 0;
}

static void
start(struct fixture *f)
{
	assert_true(lk_mdns_socket(f->there, &f->io_fd, NULL).ok);
	assert_true(
		lk_mdns_io_new(f->loop, f->io_fd, f->there, &f->self, &f->random, &f->io, NULL).ok);
}

/* The announcements are over, and long ago. */
static void
start_quiet(struct fixture *f)
{
	start(f);
	after(f, 1000);
	assert_hears(f);
	assert_hears(f);
	after(f, 60000);
	assert_false(hears(f));
}

static void
test_announcements(void **state)
{
	struct lk_mdns_found_list l;
	struct fixture *f = *state;

	start(f);
	/*= RFC6762 8.3: an announcement is made at least twice, a second apart =*/
	expect(f, &l);
	assert_string_equal(l.v[0].instance, "Join here");
	assert_int_equal(l.v[0].port, 8443);
	assert_false(hears(f));
	after(f, 999);
	assert_false(hears(f));
	after(f, 1);
	assert_hears(f);
	after(f, 3600000);
	assert_false(hears(f));
	f->io = lk_mdns_io_free(f->io);
	expect(f, &l);
	assert_int_equal(l.v[0].ttl_s, 0);
}

static void
test_answers(void **state)
{
	struct fixture *f = *state;

	start_quiet(f);
	ask(f, false);
	/*= RFC6762 6: an answer of a shared record set is delayed by 20 to 120 ms =*/
	after(f, 69);
	assert_false(hears(f));
	after(f, 1);
	assert_hears(f);
	assert_false(hears(f));
	/*= RFC6762 6: a record is multicast at most once a second =*/
	ask(f, false);
	ask(f, false);
	after(f, 999);
	assert_false(hears(f));
	after(f, 1);
	assert_hears(f);
	after(f, 5000);
	assert_false(hears(f));
}

static void
test_known_answers(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf known = LK_BUF_INIT(LK_MDNS_PACKET_MAX);
	struct fixture *f = *state;

	/* our own announcement, turned into a list of known answers */
	assert_true(lk_mdns_announce(&f->self, false, &known, NULL).ok);
	known.p[2] = 0;
	start_quiet(f);
	/*= RFC6762 7.2: with TC set, 400 to 500 ms are left for more known answers =*/
	ask(f, true);
	after(f, 449);
	assert_false(hears(f));
	after(f, 1);
	assert_hears(f);
	/*= RFC6762 7.2: an answer that its asker turns out to know is not sent =*/
	after(f, 60000);
	ask(f, true);
	tell(f, f->fd, &known);
	after(f, 60000);
	assert_false(hears(f));
}

/* From a port of its own, and so answered there at once; but no faster than is good. */
static void
test_unicast(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf q = LK_BUF_INIT(LK_MDNS_PACKET_MAX);
	struct sockaddr_in6 own = { .sin6_family = AF_INET6 };
	struct fixture *f = *state;
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0), hops = 255;
	uint8_t p[LK_MDNS_RECEIVE_MAX];

	own.sin6_scope_id = f->here;
	inet_pton(AF_INET6, "fe80::2", &own.sin6_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops), 0);
	assert_true(lk_mdns_query(false, &q, NULL).ok);
	start_quiet(f);
	tell(f, fd, &q);
	wait_for_packet(fd);
	assert_true(recv(fd, p, sizeof p, 0) > 0);
	tell(f, fd, &q);
	assert_true(recv(fd, p, sizeof p, 0) < 0);
	after(f, 20);
	tell(f, fd, &q);
	wait_for_packet(fd);
	assert_true(recv(fd, p, sizeof p, 0) > 0);
	assert_false(hears(f));

	/*= RFC6762 11: only packets of the local link count; no router passes hop limit 255 on =*/
	after(f, 20);
	hops = 254;
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops), 0);
	tell(f, fd, &q);
	assert_true(recv(fd, p, sizeof p, 0) < 0);
	close(fd);
}

static void
test_bad_self(void **state)
{
	struct fixture *f = *state;
	struct lk_err e;

	f->self.port = 0;
	assert_refused(lk_mdns_io_new(f->loop, f->fd, f->here, &f->self, &f->random, &f->io, &e), e,
		LK_R_MDNS_SELF);
	assert_null(f->io);
	assert_true(fcntl(f->fd, F_GETFD) >= 0); /* still the caller's */
	assert_refused(lk_mdns_socket(9999, &f->fd, &e), e, LK_R_MDNS_SOCKET);
}

/* Runs `ip` with the words given. */
static bool
ip(const char *words)
{
	char copy[128], name[] = "ip", *argv[16] = { name };
	int n = 1, status;
	char *save = NULL, *w;
	pid_t pid;

	snprintf(copy, sizeof copy, "%s", words);
	for (w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	return posix_spawnp(&pid, "ip", NULL, NULL, argv, environ) == 0 &&
	       waitpid(pid, &status, 0) == pid && status == 0;
}

static const char *
make_link(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return "no right to make a network namespace";
	if (!ip("link add lkm0 type veth peer name lkm1"))
		return "no `ip`, or no veth";
	return ip("link set lkm0 addrgenmode none") && ip("link set lkm1 addrgenmode none") &&
			       ip("link set lkm0 up") && ip("link set lkm1 up") &&
			       ip("address add fe80::1/64 dev lkm0 nodad") &&
			       ip("address add fe80::2/64 dev lkm1 nodad")
		       ? NULL
		       : "the link cannot be set up";
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_announcements, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_known_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unicast, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_self, setup, teardown),
	};
	const char *why = make_link();

	if (why) {
		printf("skipped: %s\n", why);
		return SKIP;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
