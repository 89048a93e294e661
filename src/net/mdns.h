/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding a join point on the link: the messages of mDNS (RFC 6762) and DNS-SD
 * (RFC 6763) for the two services of RFC 8995 appendix B. Sans-I/O and without
 * memory: who sends keeps the intervals. Addresses are IPv6 link-local only,
 * which is all that a device may reach before it is onboarded.
 *
 * Everything read here comes from anyone on the link and is a hint, never a
 * fact: what a candidate is worth is decided by its voucher.
 */
#pragma once

#include <netinet/in.h>

#include "base/slice.h"

#define LK_MDNS_PORT        5353
#define LK_MDNS_GROUP       "ff02::fb"
#define LK_MDNS_PACKET_MAX  1500 /* that we send */
#define LK_MDNS_RECEIVE_MAX 9000 /* RFC 6762 section 17 */
#define LK_MDNS_RECORDS_MAX 64   /* of one packet, questions included */
#define LK_MDNS_LABEL_MAX   63
#define LK_MDNS_NAME_MAX    256
#define LK_MDNS_FOUND_MAX   16
#define LK_MDNS_ADDRS_MAX   4

enum lk_mdns_service {
	LK_MDNS_REGISTRAR, /* _brski-registrar._tcp.local. */
	LK_MDNS_PROXY,     /* _brski-proxy._tcp.local. */
	LK_MDNS_SERVICE_COUNT
};

const char *lk_mdns_service_name(enum lk_mdns_service s);

/* What one join point says of itself. */
struct lk_mdns_self {
	char instance[LK_MDNS_LABEL_MAX + 1]; /* one label, UTF-8: "Latchkey" */
	char host[LK_MDNS_LABEL_MAX + 1];     /* one label below local.: unique on the link */
	uint16_t port;
	struct in6_addr address;
	bool services[LK_MDNS_SERVICE_COUNT]; /* those offered */
};

/* The unsolicited response: PTR, SRV, TXT of each service, AAAA. goodbye: the same with TTL 0. */
LK_RESULT lk_mdns_announce(
	const struct lk_mdns_self *self, bool goodbye, struct lk_buf *out, struct lk_err *e);

/* What a received query asks us to do. */
struct lk_mdns_answer {
	bool answer;     /* out holds the response */
	bool unicast;    /* to the asker itself: QU bit, or not sent from port 5353 */
	bool shared;     /* RFC 6762 6: to be delayed by 20 to 120 ms */
	bool more_known; /* TC: known answers follow; to be delayed by 400 to 500 ms */
	bool knows;      /* it lists answers of ours as known */
};

/* Anything that is not a query for us is answer == false, not an error. LK_R_MDNS_SYNTAX. */
LK_RESULT lk_mdns_respond(const struct lk_mdns_self *self, struct lk_slice packet,
	uint16_t source_port, struct lk_mdns_answer *ret, struct lk_buf *out, struct lk_err *e);

/* A query for both services; unicast: the QU bit, for the first query after link-up. */
LK_RESULT lk_mdns_query(bool unicast, struct lk_buf *out, struct lk_err *e);

struct lk_mdns_found {
	enum lk_mdns_service service;
	char instance[LK_MDNS_LABEL_MAX + 1]; /* printable; other octets shown as '?' */
	char host[LK_MDNS_NAME_MAX];
	uint16_t port;
	uint32_t ttl_s;                           /* 0: goodbye */
	struct in6_addr addrs[LK_MDNS_ADDRS_MAX]; /* link-local */
	size_t n_addrs;
};

struct lk_mdns_found_list {
	struct lk_mdns_found v[LK_MDNS_FOUND_MAX];
	size_t n;
};

/* The complete candidates (PTR, SRV and at least one address; or a goodbye) of a response.
 * Queries yield none. LK_R_MDNS_SYNTAX, LK_R_MDNS_LIMIT. */
LK_RESULT lk_mdns_parse(struct lk_slice packet, struct lk_mdns_found_list *ret, struct lk_err *e);
