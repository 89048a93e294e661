/* SPDX-License-Identifier: Apache-2.0
 *
 * mDNS messages: what a join point announces and answers, what a device finds in it, and what is
 * refused. Packets that our own writer does not make are written out here.
 */
#include "test.h"

#include <arpa/inet.h>

#include "net/mdns.h"

#define REGISTRAR "\020_brski-registrar\004_tcp\005local"
#define PROXY     "\014_brski-proxy\004_tcp\005local"
#define INSTANCE  "\011Join here" REGISTRAR
#define HOST      "\006lk-0a1\005local"
#define HOST_2    "\007another\005local"

static const struct lk_mdns_self self = {
	.instance = "Join here",
	.host = "lk-0a1",
	.port = 8443,
	.address.s6_addr = { 0xfe, 0x80, [15] = 1 },
	.services = { [LK_MDNS_REGISTRAR] = true },
};

/* A packet in the making. */
struct packet {
	uint8_t p[10000];
	size_t n;
};

static void
put(struct packet *k, const void *p, size_t n)
{
	assert_true(k->n + n <= sizeof k->p);
	memcpy(k->p + k->n, p, n);
	k->n += n;
}

static void
put16(struct packet *k, unsigned v)
{
	put(k, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void
header(struct packet *k, unsigned flags, unsigned questions, unsigned answers)
{
	k->n = 0;
	put16(k, 0x1234);
	put16(k, flags);
	put16(k, questions);
	put16(k, answers);
	put16(k, 0);
	put16(k, 0);
}

/* Name literals end with the root by their own NUL. */
#define QUESTION(k, name, type, class)        \
	do {                                  \
		put((k), name, sizeof(name)); \
		put16((k), type);             \
		put16((k), class);            \
	} while (0)
#define RECORD(k, name, type, class, ttl, data, data_n) \
	do {                                            \
		QUESTION(k, name, type, class);         \
		put16((k), (ttl) >> 16);                \
		put16((k), (ttl)&0xffff);               \
		put16((k), data_n);                     \
		put((k), data, data_n);                 \
	} while (0)

#define QUERY    0x0000
#define RESPONSE 0x8400
#define A        1
#define PTR      12
#define TXT      16
#define AAAA     28
#define SRV      33
#define ANY      255
#define IN       1
#define QU       0x8001
#define FLUSH    0x8001

static struct lk_slice
bytes(const struct packet *k)
{
	return lk_slice(k->p, k->n);
}

static bool
contains(const struct lk_buf *b, const void *p, size_t n)
{
	return memmem(b->p, b->n, p, n) != NULL;
}

static unsigned
word(const struct lk_buf *b, size_t at)
{
	return (unsigned)b->p[at] << 8 | b->p[at + 1];
}

/* --- announcing ------------------------------------------------------------------------------- */

static void
test_announce(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(9000);
	struct lk_mdns_found_list l = { .n = 99 };
	struct lk_mdns_self both = self;

	(void)state;
	assert_true(lk_mdns_announce(&self, false, &b, NULL).ok);
	/*= RFC6762 18.1: the ID is zero in what is multicast =*/
	assert_int_equal(word(&b, 0), 0);
	/*= RFC6762 18.4: AA is set in responses =*/
	assert_int_equal(word(&b, 2), RESPONSE);
	assert_int_equal(word(&b, 4), 0);
	assert_int_equal(word(&b, 6), 4);
	/*= RFC6762 10.2: unique records carry the cache-flush bit, shared ones do not =*/
	assert_memory_equal(b.p + 12, REGISTRAR "\0\0\014\0\001\0\0\021\224", sizeof REGISTRAR + 8);
	assert_true(contains(&b, "\0\034\200\001\0\0\0\170\0\020\376\200", 12));
	assert_true(contains(&b, "\0\041\200\001\0\0\0\170", 8));
	/*= RFC6763 6.1: a service with nothing to say has a TXT record of one empty string =*/
	assert_true(contains(&b, "\0\020\200\001\0\0\021\224\0\001\0", 11));

	assert_true(lk_mdns_parse(lk_buf_slice(&b), &l, NULL).ok);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.v[0].service, LK_MDNS_REGISTRAR);
	assert_string_equal(l.v[0].instance, "Join here");
	assert_string_equal(l.v[0].host, "lk-0a1.local.");
	assert_int_equal(l.v[0].port, 8443);
	assert_int_equal(l.v[0].ttl_s, 120);
	assert_int_equal(l.v[0].n_addrs, 1);
	assert_memory_equal(&l.v[0].addrs[0], &self.address, 16);

	both.services[LK_MDNS_PROXY] = true;
	lk_buf_clear(&b);
	assert_true(lk_mdns_announce(&both, false, &b, NULL).ok);
	assert_true(lk_mdns_parse(lk_buf_slice(&b), &l, NULL).ok);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.v[1].service, LK_MDNS_PROXY);
	assert_string_equal(l.v[1].instance, "Join here");
	assert_string_equal(lk_mdns_service_name(l.v[1].service), "_brski-proxy._tcp.local.");
}

static void
test_goodbye(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(9000);
	struct lk_mdns_found_list l;

	(void)state;
	/*= RFC6762 10.1: a goodbye has a TTL of zero =*/
	assert_true(lk_mdns_announce(&self, true, &b, NULL).ok);
	assert_true(lk_mdns_parse(lk_buf_slice(&b), &l, NULL).ok);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.v[0].instance, "Join here");
	assert_int_equal(l.v[0].ttl_s, 0);
	assert_int_equal(l.v[0].port, self.port); /* which of those at hand it is */
	assert_int_equal(l.v[0].n_addrs, 1);
	assert_memory_equal(&l.v[0].addrs[0], &self.address, sizeof self.address);
}

static void
test_bad_self(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(9000);
	struct lk_mdns_self s;
	struct lk_err e;

	(void)state;
	s = self;
	s.instance[0] = 0;
	assert_refused(lk_mdns_announce(&s, false, &b, &e), e, LK_R_MDNS_SELF);
	s = self;
	memset(s.instance, 'x', sizeof s.instance);
	assert_refused(lk_mdns_announce(&s, false, &b, &e), e, LK_R_MDNS_SELF);
	s = self;
	s.instance[3] = '\n';
	assert_refused(lk_mdns_announce(&s, false, &b, &e), e, LK_R_MDNS_SELF);
	s = self;
	s.host[2] = '.';
	assert_refused(lk_mdns_announce(&s, false, &b, &e), e, LK_R_MDNS_SELF);
	s = self;
	s.host[0] = '-';
	assert_refused(lk_mdns_announce(&s, false, &b, &e), e, LK_R_MDNS_SELF);
	s = self;
	s.port = 0;
	assert_refused(lk_mdns_announce(&s, false, &b, &e), e, LK_R_MDNS_SELF);
	s = self;
	s.address = in6addr_loopback;
	assert_refused(lk_mdns_announce(&s, false, &b, &e), e, LK_R_MDNS_SELF);
	assert_int_equal(b.n, 0);
}

/* --- answering -------------------------------------------------------------------------------- */

static struct lk_mdns_answer
respond(const struct packet *k, uint16_t port, struct lk_buf *out)
{
	struct lk_mdns_answer a = { .answer = true };

	lk_buf_clear(out);
	assert_true(lk_mdns_respond(&self, bytes(k), port, &a, out, NULL).ok);
	assert_true(a.answer == (out->n > 0));
	return a;
}

static void
test_respond(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(9000);
	struct lk_mdns_found_list l;
	struct lk_mdns_answer a;
	struct packet k;

	(void)state;
	/* our own query is answered */
	assert_true(lk_mdns_query(false, &b, NULL).ok);
	assert_int_equal(word(&b, 2), QUERY);
	assert_int_equal(word(&b, 4), 2);
	k.n = 0;
	put(&k, b.p, b.n);
	a = respond(&k, LK_MDNS_PORT, &b);
	assert_true(a.answer && a.shared);
	assert_false(a.unicast || a.more_known || a.knows);
	/*= RFC6763 12.1: SRV, TXT and address records come along as additional records =*/
	assert_int_equal(word(&b, 6), 1);
	assert_int_equal(word(&b, 10), 3);
	assert_true(lk_mdns_parse(lk_buf_slice(&b), &l, NULL).ok);
	assert_int_equal(l.n, 1);

	/* in any case of letters, of any class, of type ANY */
	header(&k, QUERY, 1, 0);
	QUESTION(&k, "\020_BRSKI-registrar\004_TCP\005LOCAL", ANY, 255);
	assert_true(respond(&k, LK_MDNS_PORT, &b).shared);
	/* one record only */
	header(&k, QUERY, 1, 0);
	QUESTION(&k, HOST, AAAA, IN);
	a = respond(&k, LK_MDNS_PORT, &b);
	assert_true(a.answer);
	assert_false(a.shared);
	assert_int_equal(word(&b, 6), 1);
	header(&k, QUERY, 1, 0);
	QUESTION(&k, INSTANCE, SRV, IN);
	assert_true(respond(&k, LK_MDNS_PORT, &b).answer);
}

static void
test_unicast(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(9000);
	struct lk_mdns_answer a;
	struct packet k;

	(void)state;
	assert_true(lk_mdns_query(true, &b, NULL).ok);
	k.n = 0;
	put(&k, b.p, b.n);
	assert_true(respond(&k, LK_MDNS_PORT, &b).unicast);
	header(&k, QUERY, 2, 0);
	QUESTION(&k, REGISTRAR, PTR, QU);
	QUESTION(&k, HOST, AAAA, IN);
	assert_false(respond(&k, LK_MDNS_PORT, &b).unicast);
	/* questions for others do not count */
	header(&k, QUERY, 2, 0);
	QUESTION(&k, REGISTRAR, PTR, QU);
	QUESTION(&k, HOST_2, AAAA, IN);
	assert_true(respond(&k, LK_MDNS_PORT, &b).unicast);

	/* not from the mDNS port: a response of the old kind */
	header(&k, QUERY, 1, 0);
	QUESTION(&k, REGISTRAR, PTR, IN);
	a = respond(&k, 40000, &b);
	assert_true(a.answer && a.unicast);
	assert_int_equal(word(&b, 0), 0x1234);
	assert_int_equal(word(&b, 4), 1);
	assert_memory_equal(b.p + 12, REGISTRAR, sizeof REGISTRAR);
	assert_true(contains(&b, "\0\034\0\001\0\0\0\012\0\020\376\200", 12));
	assert_false(contains(&b, "\200\001", 2));
}

static void
test_known_answers(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(9000);
	struct lk_mdns_answer a;
	struct packet k;

	(void)state;
	/*= RFC6762 7.1: what the asker knows with at least half its TTL is not answered =*/
	header(&k, QUERY, 1, 1);
	QUESTION(&k, REGISTRAR, PTR, IN);
	RECORD(&k, REGISTRAR, PTR, IN, 2250, INSTANCE, sizeof INSTANCE);
	a = respond(&k, LK_MDNS_PORT, &b);
	assert_false(a.answer);
	assert_true(a.knows);
	header(&k, QUERY, 1, 1);
	QUESTION(&k, REGISTRAR, PTR, IN);
	RECORD(&k, REGISTRAR, PTR, IN, 2249, INSTANCE, sizeof INSTANCE);
	a = respond(&k, LK_MDNS_PORT, &b);
	assert_true(a.answer);
	assert_false(a.knows);
	/* another's instance is not ours */
	header(&k, QUERY, 1, 1);
	QUESTION(&k, REGISTRAR, PTR, IN);
	RECORD(&k, REGISTRAR, PTR, IN, 4500, "\005other" REGISTRAR, sizeof REGISTRAR + 6);
	a = respond(&k, LK_MDNS_PORT, &b);
	assert_true(a.answer && !a.knows);
	/* RFC 6762 7.2: more known answers follow; they come without a question */
	k.p[2] |= 0x02;
	assert_true(respond(&k, LK_MDNS_PORT, &b).more_known);
	header(&k, QUERY, 0, 1);
	RECORD(&k, REGISTRAR, PTR, IN, 4500, INSTANCE, sizeof INSTANCE);
	a = respond(&k, LK_MDNS_PORT, &b);
	assert_true(a.knows && !a.answer && !a.more_known);
}

static void
test_not_for_us(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(9000);
	struct packet k;

	(void)state;
	header(&k, QUERY, 1, 0);
	QUESTION(&k, PROXY, PTR, IN); /* a service that this join point does not offer */
	assert_false(respond(&k, LK_MDNS_PORT, &b).answer);
	header(&k, QUERY, 1, 0);
	QUESTION(&k, REGISTRAR, PTR, 3); /* of class CHAOS */
	assert_false(respond(&k, LK_MDNS_PORT, &b).answer);
	header(&k, QUERY, 1, 0);
	QUESTION(&k, HOST, A, IN); /* there is no IPv4 */
	assert_false(respond(&k, LK_MDNS_PORT, &b).answer);
	header(&k, RESPONSE, 1, 0); /* a response asks nothing */
	QUESTION(&k, REGISTRAR, PTR, IN);
	assert_false(respond(&k, LK_MDNS_PORT, &b).answer);
	header(&k, 0x2800, 1, 0); /* another opcode */
	QUESTION(&k, REGISTRAR, PTR, IN);
	assert_false(respond(&k, LK_MDNS_PORT, &b).answer);
	header(&k, 0x0003, 1, 0); /* a response code */
	QUESTION(&k, REGISTRAR, PTR, IN);
	assert_false(respond(&k, LK_MDNS_PORT, &b).answer);
}

/* --- finding ---------------------------------------------------------------------------------- */

static const uint8_t link_local[16] = { 0xfe, 0x80, [15] = 7 };
static const uint8_t global[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };
#define SRV_DATA "\0\0\0\0\x20\xfb" HOST

static size_t
found(const struct packet *k)
{
	struct lk_mdns_found_list l = { .n = 99 };

	assert_true(lk_mdns_parse(bytes(k), &l, NULL).ok);
	return l.n;
}

static void
test_incomplete(void **state)
{
	struct lk_mdns_found_list l;
	struct packet k;

	(void)state;
	header(&k, RESPONSE, 0, 1);
	RECORD(&k, REGISTRAR, PTR, IN, 4500, INSTANCE, sizeof INSTANCE);
	assert_int_equal(found(&k), 0);
	header(&k, RESPONSE, 0, 2);
	RECORD(&k, REGISTRAR, PTR, IN, 4500, INSTANCE, sizeof INSTANCE);
	RECORD(&k, INSTANCE, SRV, FLUSH, 120, SRV_DATA, sizeof SRV_DATA);
	assert_int_equal(found(&k), 0);
	header(&k, RESPONSE, 0, 4);
	RECORD(&k, REGISTRAR, PTR, IN, 4500, INSTANCE, sizeof INSTANCE);
	RECORD(&k, INSTANCE, SRV, FLUSH, 120, SRV_DATA, sizeof SRV_DATA);
	RECORD(&k, HOST_2, AAAA, FLUSH, 120, link_local, 16); /* another's */
	RECORD(&k, HOST, AAAA, FLUSH, 120, global, 16);       /* leads off the link */
	assert_int_equal(found(&k), 0);
	header(&k, RESPONSE, 0, 5);
	RECORD(&k, HOST, AAAA, FLUSH, 60, link_local, 16);
	RECORD(&k, HOST, AAAA, FLUSH, 0, link_local, 16); /* gone */
	RECORD(&k, HOST, AAAA, FLUSH, 120, global, 16);
	RECORD(&k, INSTANCE, SRV, FLUSH, 120, SRV_DATA, sizeof SRV_DATA);
	RECORD(&k, REGISTRAR, PTR, IN, 4500, INSTANCE, sizeof INSTANCE);
	assert_true(lk_mdns_parse(bytes(&k), &l, NULL).ok);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.v[0].n_addrs, 1);
	assert_int_equal(l.v[0].ttl_s, 60);
	/* the same as a query says nothing */
	k.p[2] = 0;
	assert_int_equal(found(&k), 0);
	/*= RFC6763 4.1: an instance is one label before the service's name =*/
	header(&k, RESPONSE, 0, 1);
	RECORD(&k, REGISTRAR, PTR, IN, 0, "\001a" INSTANCE, sizeof INSTANCE + 2);
	assert_int_equal(found(&k), 0);
	header(&k, RESPONSE, 0, 1);
	RECORD(&k, REGISTRAR, PTR, IN, 0, "", 1);
	assert_int_equal(found(&k), 0);
}

/* Names are other people's words. */
static void
test_hostile_names(void **state)
{
	struct lk_mdns_found_list l;
	struct packet k;

	(void)state;
	header(&k, RESPONSE, 0, 1);
	RECORD(&k, REGISTRAR, PTR, IN, 0, "\007a\n\x1b[\xc3\xa4\x7f" REGISTRAR,
		sizeof REGISTRAR + 8);
	assert_true(lk_mdns_parse(bytes(&k), &l, NULL).ok);
	assert_string_equal(l.v[0].instance, "a??[???");
}

static void
test_many(void **state)
{
	struct packet k;
	int i;

	(void)state;
	header(&k, RESPONSE, 0, LK_MDNS_RECORDS_MAX);
	for (i = 0; i < LK_MDNS_RECORDS_MAX; i++)
		RECORD(&k, REGISTRAR, PTR, IN, 0, INSTANCE, sizeof INSTANCE);
	assert_int_equal(found(&k), LK_MDNS_FOUND_MAX);
	/* addresses of one host */
	header(&k, RESPONSE, 0, 9);
	RECORD(&k, REGISTRAR, PTR, IN, 4500, INSTANCE, sizeof INSTANCE);
	RECORD(&k, INSTANCE, SRV, FLUSH, 120, SRV_DATA, sizeof SRV_DATA);
	for (i = 0; i < 7; i++)
		RECORD(&k, HOST, AAAA, FLUSH, 120, link_local, 16);
	assert_int_equal(found(&k), 1);
}

static void
assert_bad(const struct packet *k, enum lk_reason reason)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(9000);
	struct lk_mdns_found_list l = { .n = 99 };
	struct lk_mdns_answer a = { .knows = true };
	struct lk_err e;

	assert_refused(lk_mdns_parse(bytes(k), &l, &e), e, reason);
	assert_refused(lk_mdns_respond(&self, bytes(k), 5353, &a, &b, &e), e, reason);
	assert_int_equal(l.n, 99);
	assert_true(a.knows);
	assert_int_equal(b.n, 0);
}

static void
test_malformed(void **state)
{
	struct packet k;
	size_t n, whole;

	(void)state;
	header(&k, RESPONSE, 0, LK_MDNS_RECORDS_MAX + 1);
	assert_bad(&k, LK_R_MDNS_LIMIT);
	header(&k, RESPONSE, 0xffff, 0xffff);
	assert_bad(&k, LK_R_MDNS_LIMIT);
	header(&k, QUERY, 0, 0);
	k.n = LK_MDNS_RECEIVE_MAX + 1;
	memset(k.p + 12, 0, k.n - 12);
	assert_bad(&k, LK_R_MDNS_LIMIT);
	header(&k, QUERY, 1, 0); /* a name that points to itself */
	put(&k, "\300\014\0\014\0\001", 6);
	assert_bad(&k, LK_R_MDNS_SYNTAX);
	header(&k, QUERY, 1, 0); /* two that point to each other */
	put(&k, "\300\016\300\014\0\014\0\001", 8);
	assert_bad(&k, LK_R_MDNS_SYNTAX);
	header(&k, QUERY, 1, 0); /* beyond the end */
	put(&k, "\377\377\0\014\0\001", 6);
	assert_bad(&k, LK_R_MDNS_SYNTAX);
	header(&k, QUERY, 1, 0); /* a label of 64 octets */
	put(&k, "\100", 1);
	memset(k.p + k.n, 'x', 64);
	k.n += 64;
	put(&k, "\0\0\014\0\001", 5);
	assert_bad(&k, LK_R_MDNS_SYNTAX);

	/* cut anywhere */
	header(&k, RESPONSE, 0, 3);
	RECORD(&k, REGISTRAR, PTR, IN, 4500, INSTANCE, sizeof INSTANCE);
	RECORD(&k, INSTANCE, SRV, FLUSH, 120, SRV_DATA, sizeof SRV_DATA);
	RECORD(&k, HOST, AAAA, FLUSH, 120, link_local, 16);
	assert_int_equal(found(&k), 1);
	whole = k.n;
	for (n = 0; n < whole; n++) {
		k.n = n;
		assert_bad(&k, LK_R_MDNS_SYNTAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_announce),
		cmocka_unit_test(test_goodbye),
		cmocka_unit_test(test_bad_self),
		cmocka_unit_test(test_respond),
		cmocka_unit_test(test_unicast),
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_not_for_us),
		cmocka_unit_test(test_incomplete),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
