/* SPDX-License-Identifier: Apache-2.0
 *
 * When a join point speaks on the link (RFC 6762 sections 5 to 8): twice at
 * start, then only when asked, a little later than asked, at most once a second,
 * and not at all when the asker turns out to know the answer.
 */
#include "net/mdns_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/loop.h"

#define HOP_LIMIT        255
#define PACKETS_PER_TURN 16
#define NEVER            INT64_MAX

/* Milliseconds. */
#define ANNOUNCE_AGAIN  1000 /* RFC 6762 8.3: at least two, a second apart */
#define MULTICAST_EVERY 1000 /* RFC 6762 6: a record at most once a second */
#define UNICAST_EVERY   20   /* ours: nobody is to be flooded by way of us */
#define SHARED_MIN      20   /* RFC 6762 6: other responders may answer too */
#define SHARED_SPAN     100
#define MORE_KNOWN_MIN  400 /* RFC 6762 7.2: known answers follow */
#define MORE_KNOWN_SPAN 100

struct lk_mdns_io {
	struct lk_loop *loop;
	int fd;
	unsigned interface;
	struct lk_mdns_self self;
	const struct lk_random *random;
	struct lk_watch *watch;
	struct lk_timer *timer;

	unsigned announcements; /* that are still to be made */
	int64_t announce_ms;    /* the next one's time */

	struct lk_buf answer;  /* that waits for its time, to be multicast */
	int64_t answer_ms;     /* NEVER: none waits */
	struct in6_addr asker; /* who can still take it back; :: when several asked */

	int64_t multicast_ms; /* when the last one left */
	int64_t unicast_ms;
};

struct lk_result
lk_mdns_socket(unsigned interface, int *ret_fd, struct lk_err *e)
{
	LK_CLEANUP(lk_closep)
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(LK_MDNS_PORT) };
	struct ipv6_mreq group = { .ipv6mr_interface = interface };
	const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_REUSEADDR, 1 }, /* others of this host speak mDNS too */
		{ SOL_SOCKET, SO_REUSEPORT, 1 },
		{ IPPROTO_IPV6, IPV6_V6ONLY, 1 },
		{ IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)interface },
		{ IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0 }, /* groups of this socket only */
		{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, HOP_LIMIT },
		{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, HOP_LIMIT },
		{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1 },
		{ IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },
	};
	size_t i;

	LK_REQUIRE(fd >= 0, e, LK_R_MDNS_SOCKET, "no socket: %s", strerror(errno));
	for (i = 0; i < LK_ARRAY_LEN(options); i++)
		LK_REQUIRE(setsockopt(fd, options[i].level, options[i].name, &options[i].value,
				   sizeof options[i].value) == 0,
			e, LK_R_MDNS_SOCKET, "socket option %d: %s", options[i].name,
			strerror(errno));
	LK_REQUIRE(bind(fd, (struct sockaddr *)&any, sizeof any) == 0, e, LK_R_MDNS_SOCKET,
		"port %d: %s", LK_MDNS_PORT, strerror(errno));
	inet_pton(AF_INET6, LK_MDNS_GROUP, &group.ipv6mr_multiaddr);
	LK_REQUIRE(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group) == 0, e,
		LK_R_MDNS_SOCKET, "%s on interface %u: %s", LK_MDNS_GROUP, interface,
		strerror(errno));
	*ret_fd = fd;
	fd = -1;
	return LK_OK;
}

static int64_t
now_ms(const struct lk_mdns_io *m)
{
	return lk_loop_now_ms(m->loop);
}

/* What does not leave is lost, like any datagram: who asked asks again. */
static void
send_to(struct lk_mdns_io *m, struct lk_slice packet, const struct sockaddr_in6 *to)
{
	ssize_t n = sendto(
		m->fd, packet.p, packet.n, MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof *to);

	(void)n;
}

static void
multicast(struct lk_mdns_io *m, struct lk_slice packet)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6,
		.sin6_port = htons(LK_MDNS_PORT),
		.sin6_scope_id = m->interface };

	inet_pton(AF_INET6, LK_MDNS_GROUP, &to.sin6_addr);
	send_to(m, packet, &to);
	m->multicast_ms = now_ms(m);
}

static void
say(struct lk_mdns_io *m, bool goodbye)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(LK_MDNS_PACKET_MAX);

	if (lk_mdns_announce(&m->self, goodbye, &out, NULL).ok)
		multicast(m, lk_buf_slice(&out));
}

static void
set_timer(struct lk_mdns_io *m)
{
	int64_t at = m->announcements ? m->announce_ms : NEVER;

	at = m->answer_ms < at ? m->answer_ms : at;
	if (at == NEVER)
		lk_timer_off(m->timer);
	else
		lk_timer_at(m->timer, at);
}

void
lk_mdns_io_tick(struct lk_mdns_io *m)
{
	int64_t now = now_ms(m);

	if (m->announcements && now >= m->announce_ms) {
		say(m, false);
		m->announcements--;
		m->announce_ms = now + ANNOUNCE_AGAIN;
	}
	if (now >= m->answer_ms) {
		multicast(m, lk_buf_slice(&m->answer));
		m->answer_ms = NEVER;
	}
	set_timer(m);
}

static int64_t
delay(const struct lk_mdns_io *m, const struct lk_mdns_answer *a)
{
	uint8_t r;

	lk_random_fill(m->random, &r, sizeof r);
	/*= RFC6762 7.2: with TC set, 400 to 500 ms are left for more known answers =*/
	if (a->more_known)
		return MORE_KNOWN_MIN + r * MORE_KNOWN_SPAN / UINT8_MAX;
	/*= RFC6762 6: an answer of a shared record set is delayed by 20 to 120 ms =*/
	return a->shared ? SHARED_MIN + r * SHARED_SPAN / UINT8_MAX : 0;
}

/* Lets an answer wait for its time. One that waits already is widened to all that we have to say
 * (RFC 6762 6.4), and nobody alone can take it back any more. */
static void
queue(struct lk_mdns_io *m, const struct lk_mdns_answer *a, struct lk_slice packet,
	const struct in6_addr *asker)
{
	int64_t at = now_ms(m) + delay(m, a);

	if (m->answer_ms != NEVER) {
		m->asker = in6addr_any;
		lk_buf_clear(&m->answer);
		lk_ignore(lk_mdns_announce(&m->self, false, &m->answer, NULL));
		return;
	}
	/*= RFC6762 6: a record is multicast at most once a second =*/
	if (at < m->multicast_ms + MULTICAST_EVERY)
		at = m->multicast_ms + MULTICAST_EVERY;
	lk_buf_clear(&m->answer);
	if (!lk_buf_append(&m->answer, packet, NULL).ok)
		return;
	m->asker = *asker;
	m->answer_ms = at;
	set_timer(m);
}

static void
take_packet(struct lk_mdns_io *m, struct lk_slice packet, const struct sockaddr_in6 *from)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(LK_MDNS_PACKET_MAX);
	struct lk_mdns_answer a;

	if (!lk_mdns_respond(&m->self, packet, ntohs(from->sin6_port), &a, &out, NULL).ok)
		return; /* anyone on the link can send anything */
	/*= RFC6762 7.2: an answer that its asker turns out to know is not sent =*/
	if (a.knows && !a.answer && memcmp(&m->asker, &from->sin6_addr, sizeof m->asker) == 0) {
		m->answer_ms = NEVER;
		set_timer(m);
	}
	if (!a.answer)
		return;
	if (!a.unicast) {
		queue(m, &a, lk_buf_slice(&out), &from->sin6_addr);
	} else if (now_ms(m) >= m->unicast_ms + UNICAST_EVERY) {
		send_to(m, lk_buf_slice(&out), from);
		m->unicast_ms = now_ms(m);
	}
}

/* Whether the packet was sent on our link, by a neighbour. */
static bool
is_of_link(const struct lk_mdns_io *m, struct msghdr *h, const struct sockaddr_in6 *from)
{
	struct in6_pktinfo info = { .ipi6_ifindex = 0 };
	struct cmsghdr *c;
	int hops = 0;

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_PKTINFO)
			memcpy(&info, CMSG_DATA(c), sizeof info);
		else if (c->cmsg_type == IPV6_HOPLIMIT)
			memcpy(&hops, CMSG_DATA(c), sizeof hops);
	}
	/*= RFC6762 11: only packets of the local link count; no router passes hop limit 255 on =*/
	return info.ipi6_ifindex == m->interface && hops == HOP_LIMIT &&
	       IN6_IS_ADDR_LINKLOCAL(&from->sin6_addr) && !(h->msg_flags & MSG_TRUNC);
}

static void
on_ready(void *ctx, unsigned ready)
{
	struct lk_mdns_io *m = ctx;
	struct sockaddr_in6 from = { .sin6_family = AF_UNSPEC };
	uint8_t packet[LK_MDNS_RECEIVE_MAX];
	union {
		struct cmsghdr align;
		uint8_t bytes[256];
	} control;
	struct iovec iov = { packet, sizeof packet };
	struct msghdr h;
	ssize_t n;
	int i;

	(void)ready;
	for (i = 0; i < PACKETS_PER_TURN; i++) {
		h = (struct msghdr){ .msg_name = &from,
			.msg_namelen = sizeof from,
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof control };
		n = recvmsg(m->fd, &h, 0);
		if (n < 0)
			return;
		if (is_of_link(m, &h, &from))
			take_packet(m, lk_slice(packet, (size_t)n), &from);
	}
}

static void
on_timer(void *ctx)
{
	lk_mdns_io_tick(ctx);
}

struct lk_result
lk_mdns_io_new(struct lk_loop *loop, int fd, unsigned interface, const struct lk_mdns_self *self,
	const struct lk_random *random, struct lk_mdns_io **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_mdns_io_freep) struct lk_mdns_io *m = calloc(1, sizeof *m);
	LK_CLEANUP(lk_buf_done) struct lk_buf first = LK_BUF_INIT(LK_MDNS_PACKET_MAX);

	LK_REQUIRE(m, e, LK_R_NOMEM, "no memory for mDNS");
	m->fd = -1; /* not ours before success */
	m->loop = loop;
	m->interface = interface;
	m->self = *self;
	m->random = random;
	m->answer = LK_BUF_INIT(LK_MDNS_PACKET_MAX);
	m->answer_ms = NEVER;
	m->multicast_ms = now_ms(m) - MULTICAST_EVERY;
	m->unicast_ms = m->multicast_ms;
	LK_TRY(lk_mdns_announce(self, false, &first, e)); /* so that it can be said later on */
	LK_TRY(lk_timer_new(loop, on_timer, m, &m->timer, e));
	LK_TRY(lk_watch_new(loop, fd, LK_READABLE, on_ready, m, &m->watch, e));
	m->fd = fd;
	/*= RFC6762 8.3: an announcement is made at least twice, a second apart =*/
	m->announcements = 2;
	m->announce_ms = now_ms(m);
	lk_mdns_io_tick(m);
	*ret = LK_TAKE(m);
	return LK_OK;
}

struct lk_mdns_io *
lk_mdns_io_free(struct lk_mdns_io *m)
{
	if (!m)
		return NULL;
	lk_watch_free(m->watch);
	lk_timer_free(m->timer);
	if (m->fd >= 0)
		say(m, true);
	lk_closep(&m->fd);
	lk_buf_done(&m->answer);
	free(m);
	return NULL;
}
