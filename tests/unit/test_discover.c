/* SPDX-License-Identifier: Apache-2.0
 *
 * Which registrar a device tries, and when: several on one link, each with its own back-off, what
 * mDNS may and may not say. The clock is a number here. (The linker puts this file before
 * recvfrom(2) and sendto(2): packets come from where a test says.)
 */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/discover.h"
#include "net/mdns.h"

#define HOUR_MS (3600 * 1000)

/* --- candidates ------------------------------------------------------------------------------- */

static uint8_t octet; /* what is random */

static void
all_the_same(const struct lk_random *self, uint8_t *p, size_t n)
{
	(void)self;
	memset(p, octet, n);
}

static const struct lk_random dull = { all_the_same };

/* fe80::n on the first interface. */
static struct sockaddr_in6
at(uint8_t n)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_port = htons(8443), .sin6_scope_id = 1
	};

	a.sin6_addr.s6_addr[0] = 0xfe;
	a.sin6_addr.s6_addr[1] = 0x80;
	a.sin6_addr.s6_addr[15] = n;
	return a;
}

static void
add(struct lk_candidates *l, uint8_t n, int64_t ttl_ms, int64_t now_ms)
{
	struct sockaddr_in6 a = at(n);

	lk_candidates_add(l, &a, false, ttl_ms, now_ms);
}

/* The last octet of the address that is to be tried now; 0: none. */
static unsigned
tried(struct lk_candidates *l, int64_t now_ms, struct lk_candidate **ret)
{
	struct lk_candidate *c = lk_candidates_next(l, now_ms);

	if (ret)
		*ret = c;
	return c ? c->address.sin6_addr.s6_addr[15] : 0;
}

/*= RFC8995 4.1: several candidates are tried, 3 to 5 s apart, none more than the others =*/
static void
test_several_are_tried(void **state)
{
	static const struct {
		uint8_t octet;
		int64_t between_ms;
	} jitter[] = { { 0, 3000 }, { 0xff, 3000 + 65535 % 2000 } };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(jitter); i++) {
		struct lk_candidates l = { .random = &dull };
		int64_t between = jitter[i].between_ms;

		octet = jitter[i].octet;
		add(&l, 1, HOUR_MS, 0);
		add(&l, 2, HOUR_MS, 0);
		add(&l, 3, HOUR_MS, 0);
		assert_in_range(between, 3000, 5000);
		assert_int_equal(tried(&l, 0, NULL), 1);
		assert_int_equal(tried(&l, 0, NULL), 0);
		assert_int_equal(lk_candidates_deadline(&l, 0), between);
		assert_int_equal(tried(&l, between - 1, NULL), 0);
		assert_int_equal(tried(&l, between, NULL), 2);
		assert_int_equal(tried(&l, 2 * between, NULL), 3);
		assert_int_equal(tried(&l, 3 * between, NULL), 0); /* all are busy */
		assert_int_equal(lk_candidates_deadline(&l, 3 * between), INT64_MAX);
	}
}

/*= RFC8995 4.1: several candidates are tried, 3 to 5 s apart, none more than the others =*/
static void
test_none_is_preferred(void **state)
{
	struct lk_candidates l = { .random = &dull };
	unsigned tries[3] = { 0 }, n;
	struct lk_candidate *c;
	int64_t now;

	(void)state;
	octet = 0;
	add(&l, 1, INT64_MAX / 2, 0);
	add(&l, 2, INT64_MAX / 2, 0);
	for (now = 0; now < 20 * HOUR_MS; now += 1000) {
		n = tried(&l, now, &c);
		if (!n)
			continue;
		tries[n]++;
		lk_candidate_failed(c, now);
	}
	assert_true(tries[1] > 20); /* 20 hours, one an hour at least */
	assert_int_equal(tries[1], tries[2]);
}

/*= RFC8995 4.1: the back-off doubles up to one hour, for each candidate by itself =*/
static void
test_back_off(void **state)
{
	static const int64_t waits_s[] = { 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600,
		3600 };
	struct lk_candidates l = { .random = &dull };
	struct lk_candidate *c;
	int64_t now = 0;
	size_t i;

	(void)state;
	octet = 0;
	add(&l, 1, INT64_MAX / 2, 0);
	for (i = 0; i < LK_ARRAY_LEN(waits_s); i++) {
		assert_int_equal(tried(&l, now, &c), 1);
		lk_candidate_failed(c, now);
		assert_int_equal(lk_candidates_deadline(&l, now), now + waits_s[i] * 1000);
		assert_int_equal(tried(&l, now + waits_s[i] * 1000 - 1, NULL), 0);
		now += waits_s[i] * 1000;
	}
	/* another one does not pay for it */
	add(&l, 2, INT64_MAX / 2, now);
	assert_int_equal(tried(&l, now, &c), 2);
	lk_candidate_failed(c, now);
	assert_int_equal(c->next_ms, now + 5000);
}

static void
test_announcements_end(void **state)
{
	struct lk_candidates l = { .random = &dull };
	struct sockaddr_in6 two = at(2), fixed = at(9);
	struct lk_candidate *c;

	(void)state;
	octet = 0;
	add(&l, 1, 1000, 0);
	assert_int_equal(tried(&l, 1000, NULL), 0); /* over */
	add(&l, 1, 1000, 2000);
	assert_int_equal(tried(&l, 2500, &c), 1); /* prolonged */
	lk_candidate_failed(c, 2500);
	/* Who says goodbye may be anybody: its back-off stays when it comes back. */
	add(&l, 2, HOUR_MS, 0);
	assert_int_equal(tried(&l, 10000, &c), 2);
	lk_candidate_failed(c, 10000);
	lk_candidates_remove(&l, &two);
	assert_int_equal(tried(&l, 20000, NULL), 0);
	add(&l, 2, HOUR_MS, 10001);
	assert_int_equal(tried(&l, 14999, NULL), 0);
	assert_int_equal(tried(&l, 15000, NULL), 2);
	/* one by configuration hears no goodbye */
	lk_candidates_add(&l, &fixed, true, 0, 0);
	lk_candidates_remove(&l, &fixed);
	assert_int_equal(tried(&l, 100 * (int64_t)HOUR_MS, NULL), 9);
}

/* A device that waited for one that is gone would do nothing else. */
static void
test_nobody_waits_for_what_ended(void **state)
{
	struct lk_candidates l = { .random = &dull };

	(void)state;
	octet = 0;
	add(&l, 1, HOUR_MS, 0);
	add(&l, 2, 1000, 0);
	assert_int_equal(tried(&l, 0, NULL), 1);
	assert_int_equal(lk_candidates_deadline(&l, 0), 3000); /* the second one's turn */
	assert_int_equal(tried(&l, 3000, NULL), 0);            /* it is over by then */
	assert_int_equal(lk_candidates_deadline(&l, 3000), INT64_MAX);
}

/* Anybody can announce: who floods the link drives nobody out but what failed. */
static void
test_a_flood_of_announcements(void **state)
{
	struct lk_candidates l = { .random = &dull };
	struct sockaddr_in6 fixed = at(9);
	struct lk_candidate *c;
	uint8_t n;

	(void)state;
	octet = 0;
	lk_candidates_add(&l, &fixed, true, 0, 0);
	for (n = 10; n < 100; n++)
		add(&l, n, HOUR_MS, 0);
	assert_int_equal(l.n, LK_CANDIDATES_MAX);
	assert_int_equal(tried(&l, 0, &c), 9);
	lk_candidate_failed(c, 0);
	assert_int_equal(tried(&l, 3000, &c), 10);
	lk_candidate_failed(c, 3000);
	add(&l, 200, HOUR_MS,
		3000); /* takes the place of the one that failed, not of the fixed one */
	assert_int_equal(l.n, LK_CANDIDATES_MAX);
	assert_int_equal(c->address.sin6_addr.s6_addr[15], 200);
	assert_int_equal(c->failures, 0);
	assert_int_equal(l.v[0].address.sin6_addr.s6_addr[15], 9);
}

/* Announcements that end before their turn keep nobody out. */
static void
test_a_flood_that_is_over(void **state)
{
	struct lk_candidates l = { .random = &dull };
	uint8_t n;

	(void)state;
	octet = 0;
	for (n = 10; n < 100; n++)
		add(&l, n, 1000, 0);
	add(&l, 1, HOUR_MS, 999);
	assert_int_equal(tried(&l, 1000, NULL), 0);
	add(&l, 1, HOUR_MS, 1000);
	assert_int_equal(tried(&l, 1000, NULL), 1);
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *text, *host;
		enum lk_reason reason;
	} rows[] = {
		{ "[fe80::1%lo]:8443", "[fe80::1]:8443", LK_R_NONE },
		{ "[2001:db8::1]:1", "[2001:db8::1]:1", LK_R_NONE },
		{ "192.0.2.1:65535", "192.0.2.1:65535", LK_R_NONE },
		{ "", NULL, LK_R_SYNTAX_TEXT },
		{ "192.0.2.1", NULL, LK_R_SYNTAX_TEXT },
		{ ":8443", NULL, LK_R_SYNTAX_TEXT },
		{ "fe80::1:8443", NULL, LK_R_SYNTAX_TEXT },
		{ "[]:1", NULL, LK_R_SYNTAX_TEXT },
		{ "[fe80::1]:0", NULL, LK_R_SYNTAX_NUMBER },
		{ "[fe80::1]:65536", NULL, LK_R_SYNTAX_NUMBER },
		{ "[fe80::1]:", NULL, LK_R_SYNTAX_NUMBER },
		{ "[fe80::1%nowhere]:1", NULL, LK_R_SYNTAX_TEXT },
		{ "registrar.example:8443", NULL, LK_R_SYNTAX_TEXT },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		struct sockaddr_in6 a = { .sin6_port = 7 };
		char host[LK_CANDIDATE_TEXT_MAX], whole[LK_CANDIDATE_TEXT_MAX];
		struct lk_err e;

		if (rows[i].reason != LK_R_NONE) {
			assert_refused(lk_candidate_parse(rows[i].text, &a, &e), e, rows[i].reason);
			assert_int_equal(a.sin6_port, 7);
			continue;
		}
		assert_true(lk_candidate_parse(rows[i].text, &a, &e).ok);
		lk_candidate_print(&a, false, host);
		lk_candidate_print(&a, true, whole);
		assert_string_equal(host, rows[i].host);
		assert_string_equal(whole, rows[i].text);
	}
}

/* --- mDNS ------------------------------------------------------------------------------------- */

static struct {
	struct lk_buf packet; /* to be received next; n is 0: none */
	struct sockaddr_in6 from;
	unsigned asked; /* packets sent */
	struct sockaddr_in6 to;
} link_;

ssize_t __wrap_recvfrom(
	int fd, void *p, size_t n, int flags, struct sockaddr *from, socklen_t *from_n);
ssize_t __wrap_sendto(
	int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t to_n);

ssize_t
__wrap_recvfrom(int fd, void *p, size_t n, int flags, struct sockaddr *from, socklen_t *from_n)
{
	size_t got = link_.packet.n;

	(void)fd;
	(void)flags;
	if (!got) {
		errno = EAGAIN;
		return -1;
	}
	assert_true(got <= n);
	memcpy(p, link_.packet.p, got);
	memcpy(from, &link_.from, sizeof link_.from);
	*from_n = sizeof link_.from;
	lk_buf_done(&link_.packet);
	return (ssize_t)got;
}

ssize_t
__wrap_sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t to_n)
{
	(void)fd;
	(void)p;
	(void)flags;
	assert_int_equal(to_n, sizeof link_.to);
	memcpy(&link_.to, to, sizeof link_.to);
	link_.asked++;
	return (ssize_t)n;
}

/* An announcement of a registrar at `n`. */
static void
announce(uint8_t n, bool goodbye)
{
	struct lk_mdns_self self = { .instance = "Latchkey",
		.host = "join",
		.port = 8443,
		.address = at(n).sin6_addr,
		.services = { [LK_MDNS_REGISTRAR] = true } };
	struct lk_err e;

	link_.packet = LK_BUF_INIT(LK_MDNS_RECEIVE_MAX);
	assert_true(lk_mdns_announce(&self, goodbye, &link_.packet, &e).ok);
}

/* Who answers from fe80::n. */
static struct sockaddr_in6
responder(uint8_t n)
{
	struct sockaddr_in6 a = at(n);

	a.sin6_port = htons(LK_MDNS_PORT);
	return a;
}

/*= RFC6762 6: a response that comes from another port than 5353 is ignored =*/
static void
test_only_from_the_port_of_mdns(void **state)
{
	struct lk_discovery d = { .fd = 0, .interface = 1 };
	struct lk_candidates l = { .random = &dull };

	(void)state;
	announce(1, false);
	link_.from = responder(1);
	link_.from.sin6_port = htons(5354);
	lk_discovery_receive(&d, &l, 0);
	assert_int_equal(l.n, 0);
}

/*= RFC6762 11: only what comes from this link is looked at =*/
static void
test_only_this_link(void **state)
{
	static const char *const elsewhere[] = { "2001:db8::1", "::1", "::ffff:192.0.2.1",
		"ff02::fb" };
	struct lk_discovery d = { .fd = 0, .interface = 1 };
	struct lk_candidates l = { .random = &dull };
	size_t i;

	(void)state;
	link_.from = responder(1);
	for (i = 0; i < LK_ARRAY_LEN(elsewhere); i++) {
		announce(1, false);
		assert_int_equal(inet_pton(AF_INET6, elsewhere[i], &link_.from.sin6_addr), 1);
		lk_discovery_receive(&d, &l, 0);
		assert_int_equal(l.n, 0);
	}
	announce(1, false);
	link_.from = responder(77);
	lk_discovery_receive(&d, &l, 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(tried(&l, 0, NULL), 1);
	assert_int_equal(ntohs(l.v[0].address.sin6_port), 8443);
	assert_int_equal(l.v[0].address.sin6_scope_id, 1);
}

/* Two networks on one link, one of which leaves. */
static void
test_two_registrars_and_a_goodbye(void **state)
{
	struct lk_discovery d = { .fd = 0, .interface = 1 };
	struct lk_candidates l = { .random = &dull };
	unsigned first, second;

	(void)state;
	octet = 0;
	link_.from = responder(1);
	announce(1, false);
	lk_discovery_receive(&d, &l, 0);
	link_.from = responder(2);
	announce(2, false);
	lk_discovery_receive(&d, &l, 0);
	announce(1, true);
	lk_discovery_receive(&d, &l, 0);
	first = tried(&l, 5000, NULL);
	second = tried(&l, 10000, NULL);
	assert_int_equal(first, 2);
	assert_int_equal(second, 0);
	/* what is no announcement is nothing */
	link_.packet = LK_BUF_INIT(16);
	assert_true(lk_buf_append_str(&link_.packet, "nonsense", NULL).ok);
	lk_discovery_receive(&d, &l, 0);
	assert_int_equal(l.n, 2);
}

/*= RFC8995 4.1: the active methods back off by doubling to a maximum of one hour =*/
static void
test_questions_get_rarer(void **state)
{
	static const int64_t gaps_s[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600,
		3600 };
	struct lk_discovery d;
	struct lk_err e;
	int64_t now = 7000;
	char group[INET6_ADDRSTRLEN];
	size_t i;

	(void)state;
	if (!lk_discovery_open("lo", now, &d, &e).ok) {
		print_message("skipped: %s\n", e.msg);
		skip();
	}
	link_.asked = 0;
	for (i = 0; i < LK_ARRAY_LEN(gaps_s); i++) {
		lk_discovery_ask(&d, now);
		assert_int_equal(link_.asked, i + 1);
		lk_discovery_ask(&d, now + gaps_s[i] * 1000 - 1);
		assert_int_equal(link_.asked, i + 1);
		assert_int_equal(d.query_ms, now + gaps_s[i] * 1000);
		now = d.query_ms;
	}
	inet_ntop(AF_INET6, &link_.to.sin6_addr, group, sizeof group);
	assert_string_equal(group, "ff02::fb");
	assert_int_equal(ntohs(link_.to.sin6_port), 5353);
	lk_discovery_close(&d);
	assert_int_equal(d.fd, -1);
	lk_discovery_close(&d); /* once more: nothing */
	assert_refused(lk_discovery_open("nowhere", 0, &d, &e), e, LK_R_AGENT_DISCOVERY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_several_are_tried),
		cmocka_unit_test(test_none_is_preferred),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_announcements_end),
		cmocka_unit_test(test_nobody_waits_for_what_ended),
		cmocka_unit_test(test_a_flood_of_announcements),
		cmocka_unit_test(test_a_flood_that_is_over),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_only_from_the_port_of_mdns),
		cmocka_unit_test(test_only_this_link),
		cmocka_unit_test(test_two_registrars_and_a_goodbye),
		cmocka_unit_test(test_questions_get_rarer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
