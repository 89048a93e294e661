/* SPDX-License-Identifier: Apache-2.0
 *
 * The egress policy. Every address is looked at in its 16 octets, so that an
 * IPv4 address in IPv6's clothes is judged as what it is.
 */
#include "net/egress.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/number.h"
#include "net/address.h"

#define V4_BITS 96 /* of ::ffff:0:0/96, RFC 4291 2.5.5.2 */

/* IPv4 that is not the public unicast internet: IANA's special-purpose registry (RFC 6890),
 * multicast, and what is reserved behind it. */
static const char *const denied_v4[] = { "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
	"169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3" };

/* Likewise of 2000::/3; the rest of IPv6 is denied altogether. Tunnels among them: 2002::/16 and
 * Teredo would carry a packet to any IPv4 address. */
static const char *const denied_v6[] = { "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20" };

static bool
covers(const struct lk_cidr *c, const uint8_t a[static 16])
{
	unsigned whole = c->bits / 8, rest = c->bits % 8;

	return memcmp(c->addr, a, whole) == 0 &&
	       (rest == 0 || (c->addr[whole] ^ a[whole]) >> (8 - rest) == 0);
}

static void
map_v4(const void *v4, uint8_t ret[static 16])
{
	memset(ret, 0, 10);
	memset(ret + 10, 0xff, 2);
	memcpy(ret + 12, v4, 4);
}

struct lk_result
lk_cidr_parse(const char *text, struct lk_cidr *ret, struct lk_err *e)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN];
	struct lk_cidr c = { .bits = 0 };
	struct in_addr v4;
	uint32_t bits, max = 128;
	unsigned i;

	LK_TRY(lk_slice_to_str(lk_slice(text, slash ? (size_t)(slash - text) : strlen(text)),
		"the address", address, sizeof address, e));
	if (inet_pton(AF_INET, address, &v4) == 1) {
		map_v4(&v4, c.addr);
		max = 32;
	} else {
		LK_REQUIRE(inet_pton(AF_INET6, address, c.addr) == 1, e, LK_R_EGRESS_CIDR,
			"'%s' is not an IP address", address);
	}
	bits = max;
	LK_REQUIRE(!slash || lk_parse_u32(lk_slice_str(slash + 1), "", 0, max, &bits, NULL).ok, e,
		LK_R_EGRESS_CIDR, "'%.64s' has no prefix length from 0 to %u", text, max);
	c.bits = bits + (max == 32 ? V4_BITS : 0);
	for (i = c.bits; i < 128; i++)
		LK_REQUIRE(!(c.addr[i / 8] >> (7 - i % 8) & 1), e, LK_R_EGRESS_CIDR,
			"'%.64s' has bits set behind its prefix", text);
	*ret = c;
	return LK_OK;
}

struct lk_result
lk_egress_allow(struct lk_egress *g, const char *cidr, struct lk_err *e)
{
	LK_REQUIRE(g->n_allow < LK_EGRESS_ALLOW_MAX, e, LK_R_TOO_LARGE,
		"more than %d networks are allowed", LK_EGRESS_ALLOW_MAX);
	LK_TRY(lk_cidr_parse(cidr, &g->allow[g->n_allow], e));
	g->n_allow++;
	return LK_OK;
}

static bool
in_list(const char *const *list, size_t n, const uint8_t a[static 16])
{
	struct lk_cidr c;
	size_t i;

	for (i = 0; i < n; i++)
		if (!lk_cidr_parse(list[i], &c, NULL).ok || covers(&c, a))
			return true;
	return false;
}

static bool
is_public(const uint8_t a[static 16])
{
	static const struct lk_cidr v4 = { { [10] = 0xff, [11] = 0xff }, V4_BITS };
	static const struct lk_cidr nat64 = { { 0x00, 0x64, 0xff, 0x9b }, 96 }; /* RFC 6052 2.1 */
	static const struct lk_cidr global = { { 0x20 }, 3 };
	uint8_t inner[16];

	if (covers(&v4, a))
		return !in_list(denied_v4, LK_ARRAY_LEN(denied_v4), a);
	if (covers(&nat64, a)) {
		map_v4(a + 12, inner);
		return is_public(inner);
	}
	return covers(&global, a) && !in_list(denied_v6, LK_ARRAY_LEN(denied_v6), a);
}

struct lk_result
lk_egress_check(const struct lk_egress *g, const struct sockaddr *sa, struct lk_err *e)
{
	char text[LK_ADDRESS_TEXT_MAX];
	uint8_t a[16];
	size_t i;

	lk_address_text(sa, text);
	if (sa->sa_family == AF_INET) {
		map_v4(&((const struct sockaddr_in *)(const void *)sa)->sin_addr, a);
	} else {
		LK_REQUIRE(sa->sa_family == AF_INET6, e, LK_R_EGRESS_FORBIDDEN,
			"an address of family %d is no internet address", sa->sa_family);
		memcpy(a, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	}
	for (i = 0; i < g->n_allow; i++)
		if (covers(&g->allow[i], a))
			return LK_OK;
	LK_REQUIRE(is_public(a), e, LK_R_EGRESS_FORBIDDEN,
		"%s is neither a public address nor in an allowed network", text);
	return LK_OK;
}
