/* SPDX-License-Identifier: Apache-2.0
 *
 * mDNS messages of a join point and of who looks for one (RFC 6762, RFC 6763,
 * RFC 8995 appendix B), on ldns. Names are handled in wire form: a length octet
 * is at most 63, below any letter, so that case can be folded octet by octet.
 *
 * Not done: probing and conflict resolution (RFC 6762 8.1, 9). The host label is
 * unique by construction, and two join points of one instance name are both
 * right to be found.
 */
#include "net/mdns.h"

#include <ctype.h>
#include <ldns/ldns.h>
#include <stdio.h>

#define CLASS_TOP_BIT                                                              \
	0x8000 /* QU in a question, cache-flush in a record: RFC 6762 18.12, 18.13 \
		*/
#define HEADER_LEN 12

/* Seconds. RFC 6762 section 10: records with a host name in them, and others. */
#define TTL_HOST   120
#define TTL_OTHER  4500
#define TTL_LEGACY 10 /* RFC 6762 6.7 */

#define LOCAL "\005local"

static const struct {
	const char *text;
	struct lk_slice name; /* in wire form, the root's zero octet included */
} services[LK_MDNS_SERVICE_COUNT] = {
	[LK_MDNS_REGISTRAR] = { "_brski-registrar._tcp.local.",
		{ (const uint8_t *)"\020_brski-registrar\004_tcp" LOCAL, 29 } },
	[LK_MDNS_PROXY] = { "_brski-proxy._tcp.local.",
		{ (const uint8_t *)"\014_brski-proxy\004_tcp" LOCAL, 25 } },
};

LK_DEFINE_CLEANUP(ldns_pkt *, ldns_pkt_free);
LK_DEFINE_CLEANUP(ldns_rr *, ldns_rr_free);
LK_DEFINE_CLEANUP(ldns_rdf *, ldns_rdf_deep_free);

const char *
lk_mdns_service_name(enum lk_mdns_service s)
{
	return services[s].text;
}

static bool
name_eq(struct lk_slice a, struct lk_slice b)
{
	size_t i;

	for (i = 0; i < a.n && a.n == b.n; i++)
		if (tolower(a.p[i]) != tolower(b.p[i]))
			return false;
	return a.n == b.n;
}

static struct lk_slice
rdf_bytes(const ldns_rdf *r)
{
	return lk_slice(ldns_rdf_data(r), ldns_rdf_size(r));
}

static struct lk_slice
owner_of(const ldns_rr *rr)
{
	return rdf_bytes(ldns_rr_owner(rr));
}

static unsigned
class_of(const ldns_rr *rr)
{
	return (unsigned)ldns_rr_get_class(rr) & ~(unsigned)CLASS_TOP_BIT;
}

/* --- our own records -------------------------------------------------------------------------- */

#define OWN_MAX (3 * LK_MDNS_SERVICE_COUNT + 1) /* PTR, SRV, TXT of each service; AAAA */

struct own {
	ldns_rr *rr[OWN_MAX];
	size_t n;
};

static void
own_done(struct own *o)
{
	while (o->n)
		ldns_rr_free(o->rr[--o->n]);
}

struct name {
	uint8_t p[LK_MDNS_NAME_MAX];
	size_t n;
};

/* One label before another name. */
static void
make_name(const char *label, struct lk_slice rest, struct name *ret)
{
	size_t n = strlen(label);

	ret->p[0] = (uint8_t)n;
	memcpy(ret->p + 1, label, n);
	memcpy(ret->p + 1 + n, rest.p, rest.n);
	ret->n = 1 + n + rest.n;
}

static struct lk_slice
name_slice(const struct name *n)
{
	return lk_slice(n->p, n->n);
}

static struct lk_result
push_rdf(ldns_rr *rr, ldns_rdf_type type, struct lk_slice data, struct lk_err *e)
{
	LK_CLEANUP(ldns_rdf_deep_freep) ldns_rdf *r = ldns_rdf_new_frm_data(type, data.n, data.p);

	LK_REQUIRE(r && ldns_rr_push_rdf(rr, r), e, LK_R_NOMEM, "no memory for a record");
	r = NULL; /* the record's now */
	return LK_OK;
}

/* A record without data. */
static struct lk_result
make_rr(struct lk_slice owner, ldns_rr_type type, unsigned class, ldns_rr **ret, struct lk_err *e)
{
	LK_CLEANUP(ldns_rr_freep) ldns_rr *rr = ldns_rr_new();
	ldns_rdf *name = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, owner.n, owner.p);

	LK_REQUIRE(name, e, LK_R_NOMEM, "no memory for a record");
	if (rr)
		ldns_rr_set_owner(rr, name);
	else
		ldns_rdf_deep_free(name);
	LK_REQUIRE(rr, e, LK_R_NOMEM, "no memory for a record");
	ldns_rr_set_type(rr, type);
	ldns_rr_set_class(rr, (ldns_rr_class) class);
	*ret = LK_TAKE(rr);
	return LK_OK;
}

/* Appends a record; *ret stays the list's. */
static struct lk_result
add_own(struct own *o, struct lk_slice owner, ldns_rr_type type, uint32_t ttl, ldns_rr **ret,
	struct lk_err *e)
{
	/*= RFC6762 10.2: unique records carry the cache-flush bit, shared ones do not =*/
	unsigned class = LDNS_RR_CLASS_IN | (type == LDNS_RR_TYPE_PTR ? 0 : CLASS_TOP_BIT);

	LK_TRY(make_rr(owner, type, class, ret, e));
	ldns_rr_set_ttl(*ret, ttl);
	o->rr[o->n++] = *ret;
	return LK_OK;
}

static struct lk_result
add_service(struct own *o, const struct lk_mdns_self *self, enum lk_mdns_service s,
	struct lk_slice host, struct lk_err *e)
{
	const uint8_t srv[] = { 0, 0, 0, 0, (uint8_t)(self->port >> 8), (uint8_t)self->port };
	struct name instance;
	ldns_rr *rr;
	size_t i;

	make_name(self->instance, services[s].name, &instance);
	LK_TRY(add_own(o, services[s].name, LDNS_RR_TYPE_PTR, TTL_OTHER, &rr, e));
	LK_TRY(push_rdf(rr, LDNS_RDF_TYPE_DNAME, name_slice(&instance), e));
	LK_TRY(add_own(o, name_slice(&instance), LDNS_RR_TYPE_SRV, TTL_HOST, &rr, e));
	for (i = 0; i < sizeof srv; i += 2) /* priority, weight, port */
		LK_TRY(push_rdf(rr, LDNS_RDF_TYPE_INT16, lk_slice(srv + i, 2), e));
	LK_TRY(push_rdf(rr, LDNS_RDF_TYPE_DNAME, host, e));
	LK_TRY(add_own(o, name_slice(&instance), LDNS_RR_TYPE_TXT, TTL_OTHER, &rr, e));
	/*= RFC6763 6.1: a service with nothing to say has a TXT record of one empty string =*/
	return push_rdf(rr, LDNS_RDF_TYPE_STR, lk_slice("", 1), e);
}

static struct lk_result
check_self(const struct lk_mdns_self *self, struct lk_err *e)
{
	size_t n = strnlen(self->instance, sizeof self->instance), i;

	LK_REQUIRE(n > 0 && n <= LK_MDNS_LABEL_MAX, e, LK_R_MDNS_SELF,
		"the instance name has not 1 to %d octets", LK_MDNS_LABEL_MAX);
	for (i = 0; i < n; i++)
		LK_REQUIRE(!iscntrl((uint8_t)self->instance[i]), e, LK_R_MDNS_SELF,
			"the instance name contains a control character");
	n = strnlen(self->host, sizeof self->host);
	LK_REQUIRE(n > 0 && n <= LK_MDNS_LABEL_MAX && self->host[0] != '-', e, LK_R_MDNS_SELF,
		"the host label has not 1 to %d characters", LK_MDNS_LABEL_MAX);
	for (i = 0; i < n; i++)
		LK_REQUIRE(isalnum((uint8_t)self->host[i]) || self->host[i] == '-', e,
			LK_R_MDNS_SELF,
			"the host label contains more than letters, digits and '-'");
	LK_REQUIRE(self->port, e, LK_R_MDNS_SELF, "the port is 0");
	LK_REQUIRE(IN6_IS_ADDR_LINKLOCAL(&self->address), e, LK_R_MDNS_SELF,
		"the address is not link-local");
	return LK_OK;
}

static struct lk_result
make_own(const struct lk_mdns_self *self, struct own *o, struct lk_err *e)
{
	struct name host;
	ldns_rr *rr;
	int s;

	LK_TRY(check_self(self, e));
	make_name(self->host, LK_SLICE_ARRAY(LOCAL), &host);
	for (s = 0; s < LK_MDNS_SERVICE_COUNT; s++)
		if (self->services[s])
			LK_TRY(add_service(o, self, (enum lk_mdns_service)s, name_slice(&host), e));
	LK_TRY(add_own(o, name_slice(&host), LDNS_RR_TYPE_AAAA, TTL_HOST, &rr, e));
	return push_rdf(rr, LDNS_RDF_TYPE_AAAA, LK_SLICE_ARRAY(self->address.s6_addr), e);
}

/* --- packets ---------------------------------------------------------------------------------- */

static struct lk_result
push_rr(ldns_pkt *pkt, ldns_pkt_section section, ldns_rr **rr, struct lk_err *e)
{
	LK_REQUIRE(ldns_pkt_push_rr(pkt, section, *rr), e, LK_R_NOMEM, "no memory for a packet");
	*rr = NULL;
	return LK_OK;
}

static struct lk_result
push_copy(ldns_pkt *pkt, ldns_pkt_section section, const ldns_rr *rr, uint32_t ttl_max,
	unsigned class_mask, struct lk_err *e)
{
	LK_CLEANUP(ldns_rr_freep) ldns_rr *copy = ldns_rr_clone(rr);

	LK_REQUIRE(copy, e, LK_R_NOMEM, "no memory for a packet");
	if (ldns_rr_ttl(copy) > ttl_max)
		ldns_rr_set_ttl(copy, ttl_max);
	ldns_rr_set_class(copy, (ldns_rr_class)((unsigned)ldns_rr_get_class(rr) & class_mask));
	return push_rr(pkt, section, &copy, e);
}

static struct lk_result
new_packet(bool response, ldns_pkt **ret, struct lk_err *e)
{
	ldns_pkt *pkt = ldns_pkt_new();

	LK_REQUIRE(pkt, e, LK_R_NOMEM, "no memory for a packet");
	/*= RFC6762 18.1: the ID is zero in what is multicast =*/
	ldns_pkt_set_id(pkt, 0);
	ldns_pkt_set_qr(pkt, response);
	/*= RFC6762 18.4: AA is set in responses =*/
	ldns_pkt_set_aa(pkt, response);
	*ret = pkt;
	return LK_OK;
}

static struct lk_result
write_packet(const ldns_pkt *pkt, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) uint8_t *wire = NULL;
	size_t n = 0;

	LK_REQUIRE(ldns_pkt2wire(&wire, pkt, &n) == LDNS_STATUS_OK, e, LK_R_NOMEM,
		"the packet cannot be written");
	LK_REQUIRE(n <= LK_MDNS_PACKET_MAX, e, LK_R_MDNS_LIMIT, "the packet takes %zu bytes", n);
	return lk_buf_append(out, lk_slice(wire, n), e);
}

struct lk_result
lk_mdns_announce(
	const struct lk_mdns_self *self, bool goodbye, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(own_done) struct own own = { .n = 0 };
	LK_CLEANUP(ldns_pkt_freep) ldns_pkt *pkt = NULL;
	size_t i;

	LK_TRY(make_own(self, &own, e));
	LK_TRY(new_packet(true, &pkt, e));
	for (i = 0; i < own.n; i++)
		/*= RFC6762 10.1: a goodbye has a TTL of zero =*/
		LK_TRY(push_copy(
			pkt, LDNS_SECTION_ANSWER, own.rr[i], goodbye ? 0 : UINT32_MAX, ~0u, e));
	return write_packet(pkt, out, e);
}

struct lk_result
lk_mdns_query(bool unicast, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(ldns_pkt_freep) ldns_pkt *pkt = NULL;
	unsigned class = LDNS_RR_CLASS_IN | (unicast ? CLASS_TOP_BIT : 0);
	int s;

	LK_TRY(new_packet(false, &pkt, e));
	for (s = 0; s < LK_MDNS_SERVICE_COUNT; s++) {
		LK_CLEANUP(ldns_rr_freep) ldns_rr *rr = NULL;

		LK_TRY(make_rr(services[s].name, LDNS_RR_TYPE_PTR, class, &rr, e));
		ldns_rr_set_question(rr, true);
		LK_TRY(push_rr(pkt, LDNS_SECTION_QUESTION, &rr, e));
	}
	return write_packet(pkt, out, e);
}

static struct lk_result
parse_packet(struct lk_slice in, ldns_pkt **ret, struct lk_err *e)
{
	size_t i, records = 0;
	ldns_status status;

	LK_REQUIRE(
		in.n <= LK_MDNS_RECEIVE_MAX, e, LK_R_MDNS_LIMIT, "the packet has %zu bytes", in.n);
	LK_REQUIRE(in.n >= HEADER_LEN, e, LK_R_MDNS_SYNTAX, "the packet has %zu bytes", in.n);
	for (i = 4; i < HEADER_LEN; i += 2)
		records += (size_t)in.p[i] << 8 | in.p[i + 1];
	LK_REQUIRE(records <= LK_MDNS_RECORDS_MAX, e, LK_R_MDNS_LIMIT, "the packet has %zu records",
		records);
	status = ldns_wire2pkt(ret, in.p, in.n);
	LK_REQUIRE(status == LDNS_STATUS_OK, e, LK_R_MDNS_SYNTAX, "the packet is malformed: %s",
		ldns_get_errorstr_by_id(status));
	return LK_OK;
}

/* RFC 6762 18.3 and 18.11: other opcodes and response codes are ignored in silence. */
static bool
is_standard(const ldns_pkt *pkt)
{
	return ldns_pkt_get_opcode(pkt) == LDNS_PACKET_QUERY &&
	       ldns_pkt_get_rcode(pkt) == LDNS_RCODE_NOERROR;
}

/* --- answering -------------------------------------------------------------------------------- */

static bool
asks_for(const ldns_rr *question, const ldns_rr *own)
{
	ldns_rr_type type = ldns_rr_get_type(question);
	unsigned class = class_of(question);

	return (type == ldns_rr_get_type(own) || type == LDNS_RR_TYPE_ANY) &&
	       (class == LDNS_RR_CLASS_IN || class == LDNS_RR_CLASS_ANY) &&
	       name_eq(owner_of(question), owner_of(own));
}

/* The same owner, type, class and data. */
static bool
same_record(const ldns_rr *a, const ldns_rr *b)
{
	size_t i;

	if (ldns_rr_get_type(a) != ldns_rr_get_type(b) || class_of(a) != class_of(b) ||
		ldns_rr_rd_count(a) != ldns_rr_rd_count(b) || !name_eq(owner_of(a), owner_of(b)))
		return false;
	for (i = 0; i < ldns_rr_rd_count(a); i++)
		if (!name_eq(rdf_bytes(ldns_rr_rdf(a, i)), rdf_bytes(ldns_rr_rdf(b, i))))
			return false;
	return true;
}

static bool
is_known(const ldns_pkt *query, const ldns_rr *own)
{
	const ldns_rr_list *known = ldns_pkt_answer(query);
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(known); i++)
		/*= RFC6762 7.1: what the asker knows with at least half its TTL is not answered =*/
		if (same_record(ldns_rr_list_rr(known, i), own) &&
			ldns_rr_ttl(ldns_rr_list_rr(known, i)) >= ldns_rr_ttl(own) / 2)
			return true;
	return false;
}

struct choice {
	bool asked[OWN_MAX], known[OWN_MAX];
	bool all_unicast; /* each question that is for us asks for it */
};

static void
choose(const ldns_pkt *query, const struct own *own, struct choice *ret, struct lk_mdns_answer *a)
{
	const ldns_rr_list *questions = ldns_pkt_question(query);
	size_t i, q;

	*ret = (struct choice){ .all_unicast = true };
	for (i = 0; i < own->n; i++) {
		ret->known[i] = is_known(query, own->rr[i]);
		a->knows |= ret->known[i];
		for (q = 0; q < ldns_rr_list_rr_count(questions); q++) {
			const ldns_rr *question = ldns_rr_list_rr(questions, q);

			if (ret->known[i] || !asks_for(question, own->rr[i]))
				continue;
			ret->asked[i] = true;
			ret->all_unicast &= (ldns_rr_get_class(question) & CLASS_TOP_BIT) != 0;
			a->answer = true;
			a->shared |= ldns_rr_get_type(own->rr[i]) == LDNS_RR_TYPE_PTR;
		}
	}
}

/* RFC 6762 6.7: a resolver that knows nothing of mDNS gets a response of the old kind. */
static struct lk_result
make_legacy(ldns_pkt *pkt, const ldns_pkt *query, struct lk_err *e)
{
	const ldns_rr_list *questions = ldns_pkt_question(query);
	size_t i;

	ldns_pkt_set_id(pkt, ldns_pkt_id(query));
	for (i = 0; i < ldns_rr_list_rr_count(questions); i++)
		LK_TRY(push_copy(pkt, LDNS_SECTION_QUESTION, ldns_rr_list_rr(questions, i),
			UINT32_MAX, ~0u, e));
	return LK_OK;
}

struct lk_result
lk_mdns_respond(const struct lk_mdns_self *self, struct lk_slice packet, uint16_t source_port,
	struct lk_mdns_answer *ret, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(own_done) struct own own = { .n = 0 };
	LK_CLEANUP(ldns_pkt_freep) ldns_pkt *query = NULL, *pkt = NULL;
	struct lk_mdns_answer a = { .answer = false };
	bool legacy = source_port != LK_MDNS_PORT;
	struct choice choice;
	size_t i;

	LK_TRY(parse_packet(packet, &query, e));
	LK_TRY(make_own(self, &own, e));
	if (!ldns_pkt_qr(query) && is_standard(query))
		choose(query, &own, &choice, &a);
	a.more_known = a.answer && ldns_pkt_tc(query);
	a.unicast = a.answer && (legacy || choice.all_unicast);
	if (!a.answer) {
		*ret = a;
		return LK_OK;
	}
	LK_TRY(new_packet(true, &pkt, e));
	if (legacy)
		LK_TRY(make_legacy(pkt, query, e));
	/*= RFC6763 12.1: SRV, TXT and address records come along as additional records =*/
	for (i = 0; i < own.n; i++)
		if (!choice.known[i])
			LK_TRY(push_copy(pkt,
				choice.asked[i] ? LDNS_SECTION_ANSWER : LDNS_SECTION_ADDITIONAL,
				own.rr[i], legacy ? TTL_LEGACY : UINT32_MAX,
				legacy ? ~(unsigned)CLASS_TOP_BIT : ~0u, e));
	LK_TRY(write_packet(pkt, out, e));
	*ret = a;
	return LK_OK;
}

/* --- finding ---------------------------------------------------------------------------------- */

/* All records of a response that could say something about a service. */
struct records {
	const ldns_rr *rr[LK_MDNS_RECORDS_MAX];
	size_t n;
};

static void
gather(const ldns_rr_list *l, struct records *r)
{
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(l) && r->n < LK_MDNS_RECORDS_MAX; i++)
		if (class_of(ldns_rr_list_rr(l, i)) == LDNS_RR_CLASS_IN)
			r->rr[r->n++] = ldns_rr_list_rr(l, i);
}

static bool
is_of(const ldns_rr *rr, ldns_rr_type type, struct lk_slice owner, size_t fields)
{
	return ldns_rr_get_type(rr) == type && ldns_rr_rd_count(rr) == fields &&
	       name_eq(owner_of(rr), owner);
}

/* What names is printable in logs, whoever chose it. */
static void
print_label(const uint8_t *p, size_t n, char *dst, size_t cap)
{
	size_t i;

	for (i = 0; i < n && i + 1 < cap; i++)
		dst[i] = (char)(p[i] > ' ' && p[i] < 0x7f ? p[i] : p[i] == ' ' ? ' ' : '?');
	dst[i] = 0;
}

static void
print_name(struct lk_slice name, char dst[static LK_MDNS_NAME_MAX])
{
	size_t at = 0, i;

	for (i = 0; i < name.n && name.p[i]; i += 1u + name.p[i]) {
		print_label(name.p + i + 1, name.p[i], dst + at, LK_MDNS_NAME_MAX - at);
		at += strlen(dst + at);
		if (at + 1 < LK_MDNS_NAME_MAX)
			dst[at++] = '.';
	}
	dst[at] = 0;
}

static void
keep_shorter(uint32_t *ttl, const ldns_rr *rr)
{
	*ttl = ldns_rr_ttl(rr) < *ttl ? ldns_rr_ttl(rr) : *ttl;
}

/* A record that says goodbye (TTL 0) counts in a goodbye only. */
static bool
is_over(const ldns_rr *rr, const struct lk_mdns_found *f)
{
	return !ldns_rr_ttl(rr) && f->ttl_s;
}

static void
take_addresses(const struct records *r, struct lk_slice host, struct lk_mdns_found *f)
{
	struct in6_addr a;
	size_t i;

	for (i = 0; i < r->n && f->n_addrs < LK_MDNS_ADDRS_MAX; i++) {
		if (!is_of(r->rr[i], LDNS_RR_TYPE_AAAA, host, 1) || is_over(r->rr[i], f))
			continue;
		memcpy(&a, ldns_rdf_data(ldns_rr_rdf(r->rr[i], 0)), sizeof a);
		/* an un-onboarded device has no other: anything else would lead off the link */
		if (!IN6_IS_ADDR_LINKLOCAL(&a))
			continue;
		f->addrs[f->n_addrs++] = a;
		keep_shorter(&f->ttl_s, r->rr[i]);
	}
}

/* Completes what a PTR record began. False when the response does not say enough. */
static bool
take_service(const struct records *r, struct lk_slice instance, struct lk_mdns_found *f)
{
	struct lk_slice host;
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (!is_of(r->rr[i], LDNS_RR_TYPE_SRV, instance, 4) || is_over(r->rr[i], f))
			continue;
		f->port = ldns_rdf2native_int16(ldns_rr_rdf(r->rr[i], 2));
		host = rdf_bytes(ldns_rr_rdf(r->rr[i], 3));
		print_name(host, f->host);
		keep_shorter(&f->ttl_s, r->rr[i]);
		take_addresses(r, host, f);
		return f->port && f->n_addrs;
	}
	return false;
}

static bool
take_pointer(const struct records *r, const ldns_rr *ptr, struct lk_mdns_found *f)
{
	struct lk_slice instance;
	int s;

	for (s = 0; s < LK_MDNS_SERVICE_COUNT; s++) {
		if (!is_of(ptr, LDNS_RR_TYPE_PTR, services[s].name, 1))
			continue;
		instance = rdf_bytes(ldns_rr_rdf(ptr, 0));
		/*= RFC6763 4.1: an instance is one label before the service's name =*/
		if (instance.n == 0 || instance.p[0] == 0 || instance.n < 1u + instance.p[0] ||
			!name_eq(lk_slice(instance.p + 1 + instance.p[0],
					 instance.n - 1 - instance.p[0]),
				services[s].name))
			return false;
		*f = (struct lk_mdns_found){ .service = (enum lk_mdns_service)s,
			.ttl_s = ldns_rr_ttl(ptr) };
		print_label(instance.p + 1, instance.p[0], f->instance, sizeof f->instance);
		/* who leaves need not say where it was; ours do */
		return take_service(r, instance, f) || f->ttl_s == 0;
	}
	return false;
}

struct lk_result
lk_mdns_parse(struct lk_slice packet, struct lk_mdns_found_list *ret, struct lk_err *e)
{
	LK_CLEANUP(ldns_pkt_freep) ldns_pkt *pkt = NULL;
	struct lk_mdns_found_list found = { .n = 0 };
	struct records r = { .n = 0 };
	size_t i;

	LK_TRY(parse_packet(packet, &pkt, e));
	if (ldns_pkt_qr(pkt) && is_standard(pkt)) {
		gather(ldns_pkt_answer(pkt), &r);
		gather(ldns_pkt_additional(pkt), &r);
	}
	for (i = 0; i < r.n && found.n < LK_MDNS_FOUND_MAX; i++)
		found.n += take_pointer(&r, r.rr[i], &found.v[found.n]);
	*ret = found;
	return LK_OK;
}
