/* SPDX-License-Identifier: Apache-2.0
 *
 * What a site's kernel lets through, as a document for `nft -j -f -`. Made from a
 * typed description; nobody hands in rule text. Architecture section 6.
 *
 * The document replaces both tables named "latchkey" in one transaction:
 *
 *	netdev	ingress of every device port, default drop. EAPOL; then (port, MAC) in the map
 *		`admitted` -> packet mark, and only the addresses bound to them; everybody else
 *		reaches the join point, mDNS and neighbour discovery over link-local IPv6.
 *	inet	input and forward of what comes from or goes to the bridge, default drop,
 *		decided by the mark. The connection mark keeps the mark of the opener.
 *
 * The mark is class (12 bits: the profile) and device (20 bits). Sets and maps are born
 * empty: their elements are the enforcer's (noc/enforcer/elements.h).
 */
#pragma once

#include "base/slice.h"

enum {
	LK_RULESET_NAME_MAX = 16, /* IFNAMSIZ: an interface's name and its NUL */
	LK_RULESET_PORTS_MAX = 1024,
	LK_RULESET_PROFILES_MAX = 64,
	LK_RULESET_FLOWS_MAX = 256,  /* of a profile */
	LK_RULESET_SEEN_MAX = 16384, /* elements of the set `seen` */
	LK_RULESET_ALARMS_MAX = 4096 /* of each set that alarms are made of */
};
#define LK_RULESET_JSON_MAX ((size_t)1 << 22)
#define LK_MARK_DEVICE_BITS 20
#define LK_MARK_DEVICE_MAX  ((UINT32_C(1) << LK_MARK_DEVICE_BITS) - 1)
#define LK_MARK_CLASS_MAX   UINT32_C(0xfff)

static inline uint32_t
lk_mark(uint32_t class, uint32_t device)
{
	return class << LK_MARK_DEVICE_BITS | device;
}

struct lk_network4 {
	uint8_t address[4];
	unsigned prefix; /* bits */
};

enum lk_flow_protocol { LK_FLOW_TCP, LK_FLOW_UDP, LK_FLOW_PING };

/* One thing that devices of a profile may begin. */
struct lk_flow {
	enum lk_flow_protocol protocol;
	struct lk_network4 to;
	uint16_t first, last; /* ports; not of LK_FLOW_PING */
};

struct lk_profile {
	uint32_t class;
	const struct lk_flow *flows;
	size_t n_flows;
};

struct lk_ruleset {
	const char *bridge;
	const char *const *ports; /* its device ports */
	size_t n_ports;
	uint8_t router[16]; /* the join point's link-local address on the bridge */
	uint16_t join_port;
	struct lk_network4 devices; /* where devices' addresses are from */
	const struct lk_profile *profiles;
	size_t n_profiles;
};

/* Appends the document to out. LK_R_RULESET. */
LK_RESULT lk_ruleset_print(const struct lk_ruleset *r, struct lk_buf *out, struct lk_err *e);

/* "192.0.2.0/24"; without prefix one address. No bit is set behind the prefix. LK_R_RULESET. */
LK_RESULT lk_network4_parse(struct lk_slice in, struct lk_network4 *ret, struct lk_err *e);
bool lk_network4_has(const struct lk_network4 *n, const uint8_t address[static 4]);
/* "tcp:203.0.113.20:443", "udp:203.0.113.0/24:5000-5010", "ping:0.0.0.0/0". LK_R_RULESET. */
LK_RESULT lk_flow_parse(struct lk_slice in, struct lk_flow *ret, struct lk_err *e);
