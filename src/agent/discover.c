/* SPDX-License-Identifier: Apache-2.0
 *
 * The candidates' timers, and mDNS as one that only asks.
 */
#include "agent/discover.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/number.h"
#include "net/mdns.h"

/* All timers of discovery, in milliseconds. */
#define BACKOFF_FIRST_MS 5000          /* after a candidate's first failure; doubles */
#define BACKOFF_MOST_MS  (3600 * 1000) /* RFC 8995 4.1: at most one hour, each its own */
#define BETWEEN_LEAST_MS 3000          /* between attempts at different candidates: 3 to 5 s */
#define BETWEEN_MOST_MS  5000
#define QUERY_FIRST_MS   1000 /* RFC 6762 5.2: the second query a second later; doubles */
#define QUERY_MOST_MS    (3600 * 1000)

/* --- candidates ------------------------------------------------------------------------------- */

static bool
same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return IN6_ARE_ADDR_EQUAL(&a->sin6_addr, &b->sin6_addr) && a->sin6_port == b->sin6_port &&
	       a->sin6_scope_id == b->sin6_scope_id;
}

static struct lk_candidate *
find(struct lk_candidates *l, const struct sockaddr_in6 *address)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (same(&l->v[i].address, address))
			return &l->v[i];
	return NULL;
}

static struct lk_candidate *
make_room(struct lk_candidates *l, int64_t now_ms)
{
	struct lk_candidate *worst = NULL;
	size_t i;

	if (l->n < LK_CANDIDATES_MAX)
		return &l->v[l->n++];
	for (i = 0; i < l->n; i++) {
		struct lk_candidate *c = &l->v[i];

		if (c->fixed || c->busy)
			continue;
		if (c->expires_ms <= now_ms)
			return c;
		if (c->failures && (!worst || c->failures > worst->failures))
			worst = c;
	}
	return worst;
}

void
lk_candidates_add(struct lk_candidates *l, const struct sockaddr_in6 *address, bool fixed,
	int64_t ttl_ms, int64_t now_ms)
{
	struct lk_candidate *c = find(l, address);

	if (!c) {
		c = make_room(l, now_ms);
		if (!c)
			return;
		*c = (struct lk_candidate){
			.address = *address, .fixed = fixed, .next_ms = now_ms
		};
	}
	c->expires_ms = fixed ? INT64_MAX : now_ms + ttl_ms;
}

void
lk_candidates_remove(struct lk_candidates *l, const struct sockaddr_in6 *address)
{
	struct lk_candidate *c = find(l, address);

	if (c && !c->fixed)
		c->expires_ms = 0; /* kept with its back-off: who says goodbye may be anybody */
}

static bool
is_open(const struct lk_candidate *c, int64_t now_ms)
{
	return !c->busy && c->expires_ms > now_ms;
}

/*= RFC8995 4.1: several candidates are tried, 3 to 5 s apart, none more than the others =*/
struct lk_candidate *
lk_candidates_next(struct lk_candidates *l, int64_t now_ms)
{
	struct lk_candidate *best = NULL;
	uint16_t jitter;
	size_t i;

	if (now_ms < l->next_start_ms)
		return NULL;
	for (i = 0; i < l->n; i++)
		if (is_open(&l->v[i], now_ms) && l->v[i].next_ms <= now_ms &&
			(!best || l->v[i].failures < best->failures))
			best = &l->v[i];
	if (!best)
		return NULL;
	lk_random_fill(l->random, &jitter, sizeof jitter);
	l->next_start_ms =
		now_ms + BETWEEN_LEAST_MS + jitter % (BETWEEN_MOST_MS - BETWEEN_LEAST_MS);
	best->busy = true;
	return best;
}

/*= RFC8995 4.1: the back-off doubles up to one hour, for each candidate by itself =*/
void
lk_candidate_failed(struct lk_candidate *c, int64_t now_ms)
{
	int64_t wait = BACKOFF_FIRST_MS;
	unsigned i;

	for (i = 0; i < c->failures && wait < BACKOFF_MOST_MS; i++)
		wait *= 2;
	c->busy = false;
	c->failures++;
	c->next_ms = now_ms + (wait < BACKOFF_MOST_MS ? wait : BACKOFF_MOST_MS);
}

int64_t
lk_candidates_deadline(const struct lk_candidates *l, int64_t now_ms)
{
	int64_t at = INT64_MAX;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (is_open(&l->v[i], now_ms) && l->v[i].expires_ms > l->v[i].next_ms &&
			l->v[i].next_ms < at)
			at = l->v[i].next_ms;
	return at < l->next_start_ms ? l->next_start_ms : at;
}

struct lk_result
lk_candidate_parse(const char *text, struct sockaddr_in6 *ret, struct lk_err *e)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 10];
	size_t n = colon ? (size_t)(colon - text) : 0;
	bool brackets = n > 2 && text[0] == '[' && text[n - 1] == ']';
	char *percent;
	uint32_t port;

	LK_REQUIRE(n, e, LK_R_SYNTAX_TEXT, "'%s' is not ADDRESS:PORT", text);
	LK_TRY(lk_parse_u32(lk_slice_str(colon + 1), "port", 1, 65535, &port, e));
	if (brackets) {
		LK_TRY(lk_slice_to_str(lk_slice(text + 1, n - 2), "address", host, sizeof host, e));
	} else {
		LK_REQUIRE(
			n < INET_ADDRSTRLEN, e, LK_R_SYNTAX_TEXT, "'%s' is not ADDRESS:PORT", text);
		snprintf(host, sizeof host, "::ffff:%.*s", (int)n, text);
	}
	percent = strchr(host, '%');
	if (percent) {
		*percent = 0;
		a.sin6_scope_id = if_nametoindex(percent + 1);
		LK_REQUIRE(a.sin6_scope_id, e, LK_R_SYNTAX_TEXT, "there is no interface %s",
			percent + 1);
	}
	LK_REQUIRE(inet_pton(AF_INET6, host, &a.sin6_addr) == 1, e, LK_R_SYNTAX_TEXT,
		"'%s' is not an address", host);
	a.sin6_port = htons((uint16_t)port);
	*ret = a;
	return LK_OK;
}

void
lk_candidate_print(
	const struct sockaddr_in6 *a, bool with_interface, char dst[static LK_CANDIDATE_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?", interface[IF_NAMESIZE] = "";
	unsigned port = ntohs(a->sin6_port);

	if (IN6_IS_ADDR_V4MAPPED(&a->sin6_addr)) {
		inet_ntop(AF_INET, &a->sin6_addr.s6_addr[12], host, sizeof host);
		snprintf(dst, LK_CANDIDATE_TEXT_MAX, "%s:%u", host, port);
		return;
	}
	inet_ntop(AF_INET6, &a->sin6_addr, host, sizeof host);
	if (with_interface && a->sin6_scope_id)
		if_indextoname(a->sin6_scope_id, interface);
	snprintf(dst, LK_CANDIDATE_TEXT_MAX, "[%s%s%s]:%u", host, interface[0] ? "%" : "",
		interface, port);
}

/* --- mDNS ------------------------------------------------------------------------------------- */

/* Port 5353 is the system's; a query from another port is answered to it, by unicast. */
struct lk_result
lk_discovery_open(const char *interface, int64_t now_ms, struct lk_discovery *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = -1;
	unsigned index = if_nametoindex(interface);
	int hops = 255;

	LK_REQUIRE(index, e, LK_R_AGENT_DISCOVERY, "there is no interface %s", interface);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	LK_REQUIRE(fd >= 0 &&
			   setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) ==
				   0 &&
			   setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) ==
				   0 &&
			   setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
				   (socklen_t)strlen(interface) + 1) == 0,
		e, LK_R_AGENT_DISCOVERY, "%s: %s", interface, strerror(errno));
	*ret = (struct lk_discovery){
		.fd = fd, .interface = index, .query_ms = now_ms, .interval_ms = QUERY_FIRST_MS
	};
	fd = -1;
	return LK_OK;
}

void
lk_discovery_close(struct lk_discovery *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

/*= RFC8995 4.1: the active methods back off by doubling to a maximum of one hour =*/
void
lk_discovery_ask(struct lk_discovery *d, int64_t now_ms)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packet = LK_BUF_INIT(LK_MDNS_PACKET_MAX);
	struct sockaddr_in6 group = { .sin6_family = AF_INET6,
		.sin6_port = htons(LK_MDNS_PORT),
		.sin6_scope_id = d->interface };

	if (now_ms < d->query_ms)
		return;
	d->query_ms = now_ms + d->interval_ms;
	d->interval_ms *= 2;
	if (d->interval_ms > QUERY_MOST_MS)
		d->interval_ms = QUERY_MOST_MS;
	if (inet_pton(AF_INET6, LK_MDNS_GROUP, &group.sin6_addr) == 1 &&
		lk_mdns_query(true, &packet, NULL).ok)
		/* A link that is down loses it; the next one is on its way. */
		(void)!sendto(
			d->fd, packet.p, packet.n, 0, (struct sockaddr *)&group, sizeof group);
}

static void
take(const struct lk_discovery *d, struct lk_candidates *l, const struct lk_mdns_found *f,
	int64_t now_ms)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_port = htons(f->port), .sin6_scope_id = d->interface
	};
	size_t i;

	for (i = 0; i < f->n_addrs; i++) {
		a.sin6_addr = f->addrs[i];
		if (f->ttl_s)
			lk_candidates_add(l, &a, false, (int64_t)f->ttl_s * 1000, now_ms);
		else
			lk_candidates_remove(l, &a);
	}
}

void
lk_discovery_receive(struct lk_discovery *d, struct lk_candidates *l, int64_t now_ms)
{
	uint8_t packet[LK_MDNS_RECEIVE_MAX];
	struct lk_mdns_found_list found;
	struct sockaddr_in6 from;
	socklen_t from_n = sizeof from;
	ssize_t n;
	size_t i;

	while ((n = recvfrom(d->fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_n)) >=
		0) {
		/*= RFC6762 11: only what comes from this link is looked at =*/
		/*= RFC6762 6: a response that comes from another port than 5353 is ignored =*/
		if (IN6_IS_ADDR_LINKLOCAL(&from.sin6_addr) &&
			from.sin6_port == htons(LK_MDNS_PORT) &&
			lk_mdns_parse(lk_slice(packet, (size_t)n), &found, NULL).ok)
			for (i = 0; i < found.n; i++)
				take(d, l, &found.v[i], now_ms);
		from_n = sizeof from;
	}
}
