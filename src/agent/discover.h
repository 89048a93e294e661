/* SPDX-License-Identifier: Apache-2.0
 *
 * Which registrars there may be, and when each is tried (RFC 8995 section 4).
 * Candidates come by mDNS from one interface, or one by its address. What comes
 * from the link is a hint from anybody: it decides where the device knocks, never
 * whom it believes.
 */
#pragma once

#include <netinet/in.h>

#include "base/random.h"
#include "base/slice.h"

#define LK_CANDIDATE_TEXT_MAX 96
#define LK_CANDIDATES_MAX     8 /* more are not remembered: anybody can announce */

struct lk_candidate {
	struct sockaddr_in6 address; /* IPv4 as a mapped address */
	bool fixed;                  /* by configuration: never forgotten */
	bool busy;                   /* an attempt is under way */
	unsigned failures;           /* in a row */
	int64_t next_ms;             /* not before; monotonic */
	int64_t expires_ms;          /* its announcement's end */
};

struct lk_candidates {
	struct lk_candidate v[LK_CANDIDATES_MAX];
	size_t n;
	int64_t next_start_ms; /* of any attempt */
	const struct lk_random *random;
};

/* Adds it or prolongs it. Full: one whose announcement ended gives way, else the one that failed
 * most, if it is not fixed or busy. */
void lk_candidates_add(struct lk_candidates *l, const struct sockaddr_in6 *address, bool fixed,
	int64_t ttl_ms, int64_t now_ms);
/* A goodbye. */
void lk_candidates_remove(struct lk_candidates *l, const struct sockaddr_in6 *address);
/* The one to be tried now, which is busy from now on; NULL: none. */
struct lk_candidate *lk_candidates_next(struct lk_candidates *l, int64_t now_ms);
/* Its attempt failed. */
void lk_candidate_failed(struct lk_candidate *c, int64_t now_ms);
/* When lk_candidates_next() may have one; INT64_MAX: not before another is added. */
int64_t lk_candidates_deadline(const struct lk_candidates *l, int64_t now_ms);

/* "[fe80::1%eth0]:8443", "192.0.2.1:8443". LK_R_SYNTAX_TEXT and _NUMBER. */
LK_RESULT lk_candidate_parse(const char *text, struct sockaddr_in6 *ret, struct lk_err *e);

/* The same text; without the interface for a Host field. */
void lk_candidate_print(
	const struct sockaddr_in6 *a, bool with_interface, char dst[static LK_CANDIDATE_TEXT_MAX]);

/* Looking on the link. */
struct lk_discovery {
	int fd; /* -1: not looking; to be polled for reading */
	unsigned interface;
	int64_t query_ms; /* when to ask again */
	int64_t interval_ms;
};

/* LK_R_AGENT_DISCOVERY. */
LK_RESULT lk_discovery_open(
	const char *interface, int64_t now_ms, struct lk_discovery *ret, struct lk_err *e);
void lk_discovery_close(struct lk_discovery *d); /* cleanup function too */
/* Asks when it is time to. */
void lk_discovery_ask(struct lk_discovery *d, int64_t now_ms);
/* Takes what has come. */
void lk_discovery_receive(struct lk_discovery *d, struct lk_candidates *l, int64_t now_ms);
