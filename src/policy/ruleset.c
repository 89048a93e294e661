/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables, chain by chain, as JSON of libnftables-json(5). The helpers on top
 * are named after the words of nft's text form, so that a rule reads like one.
 */
#include "policy/ruleset.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>

#include "base/number.h"

enum {
	ETHERTYPE_EAPOL = 0x888e,
	DNS = 53,
	DHCP_SERVER = 67,
	DHCP_CLIENT = 68,
	NTP = 123,
	DHCPV6_SERVER = 547,
	MDNS = 5353
};

#define PORT     meta("iifname")
#define MAC      payload("ether", "saddr")
#define MARK     meta("mark")
#define ACCEPT   json_pack("{s:n}", "accept")
#define DROP     json_pack("{s:n}", "drop")
#define ANSWERED match("in", ct("state"), json_pack("[s,s]", "established", "related"))

/* What is built. A NULL anywhere means that memory ran out: nothing is left out silently. */
struct builder {
	json_t *commands;
	const char *family;
	bool failed;
};

/* --- the words -------------------------------------------------------------------------------- */

static json_t *
payload(const char *protocol, const char *field)
{
	return json_pack("{s:{s:s,s:s}}", "payload", "protocol", protocol, "field", field);
}

static json_t *
meta(const char *key)
{
	return json_pack("{s:{s:s}}", "meta", "key", key);
}

static json_t *
ct(const char *key)
{
	return json_pack("{s:{s:s}}", "ct", "key", key);
}

static json_t *
concat2(json_t *a, json_t *b)
{
	return json_pack("{s:[o,o]}", "concat", a, b);
}

static json_t *
concat3(json_t *a, json_t *b, json_t *c)
{
	return json_pack("{s:[o,o,o]}", "concat", a, b, c);
}

static json_t *
network(const char *address, unsigned prefix)
{
	return json_pack("{s:{s:s,s:i}}", "prefix", "addr", address, "len", (int)prefix);
}

static json_t *
network4(const struct lk_network4 *n)
{
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, n->address, text, sizeof text);
	return network(text, n->prefix);
}

static json_t *
match(const char *op, json_t *left, json_t *right)
{
	return json_pack("{s:{s:s,s:o,s:o}}", "match", "op", op, "left", left, "right", right);
}

static json_t *
is(json_t *left, const char *right)
{
	return match("==", left, json_string(right));
}

static json_t *
is_number(json_t *left, int right)
{
	return match("==", left, json_integer(right));
}

static json_t *
set_mark(json_t *key, json_t *value)
{
	return json_pack("{s:{s:o,s:o}}", "mangle", "key", key, "value", value);
}

static json_t *
map(json_t *key, const char *name)
{
	return json_pack("{s:{s:o,s:s}}", "map", "key", key, "data", name);
}

static json_t *
jump(const char *chain)
{
	return json_pack("{s:{s:s}}", "goto", "target", chain);
}

static json_t *
counter(const char *name)
{
	return json_pack("{s:s}", "counter", name);
}

/* Puts the element into a set, or has it live longer there. */
static json_t *
note(json_t *element, const char *set)
{
	return json_pack("{s:{s:s,s:o,s:s}}", "set", "op", "update", "elem", element, "set", set);
}

/* So many a second from each port, and so many at once. What goes beyond, or finds no room in the
 * set, is no match. */
static json_t *
limited(int a_second, int at_once, const char *set)
{
	return json_pack("{s:{s:s,s:o,s:[{s:{s:i,s:i,s:s}}],s:s}}", "set", "op", "add", "elem",
		PORT, "stmt", "limit", "rate", a_second, "burst", at_once, "per", "second", "set",
		set);
}

static json_t *
at_most(int a_second, const char *set)
{
	return limited(a_second, a_second, set);
}

/* MAC and IP addresses are free: one port takes a small share of a set that all ports note in. */
static json_t *
now_and_then(const char *set)
{
	return limited(1, 40, set);
}

/* --- commands --------------------------------------------------------------------------------- */

static void
command(struct builder *b, const char *verb, const char *object, json_t *fields)
{
	b->failed |= json_array_append_new(
			     b->commands, json_pack("{s:{s:o}}", verb, object, fields)) < 0;
}

static void
add(struct builder *b, const char *object, const char *name, json_t *more)
{
	json_t *fields =
		json_pack("{s:s,s:s,s:s}", "family", b->family, "table", "latchkey", "name", name);

	b->failed |= !fields || !more || json_object_update_missing(fields, more) < 0;
	json_decref(more);
	command(b, "add", object, fields);
}

static void
add_rule(struct builder *b, const char *chain, json_t *const *expressions, size_t n)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		b->failed |= json_array_append_new(list, expressions[i]) < 0;
	command(b, "add", "rule",
		json_pack("{s:s,s:s,s:s,s:o}", "family", b->family, "table", "latchkey", "chain",
			chain, "expr", list));
}

#define RULE(b, chain, ...)                                 \
	add_rule((b), (chain), (json_t *[]){ __VA_ARGS__ }, \
		sizeof((json_t *[]){ __VA_ARGS__ }) / sizeof(json_t *))

/* Added, so that it is there; deleted with what an older one held; added anew: one transaction. */
static void
new_table(struct builder *b, const char *family)
{
	static const char *const verbs[] = { "add", "delete", "add" };
	size_t i;

	b->family = family;
	for (i = 0; i < LK_ARRAY_LEN(verbs); i++)
		command(b, verbs[i], "table",
			json_pack("{s:s,s:s}", "family", family, "name", "latchkey"));
}

static void
add_names(struct builder *b, const char *object, const char *const *names)
{
	for (; *names; names++)
		add(b, object, *names, json_object());
}

static void
add_set(struct builder *b, const char *name, json_t *type)
{
	add(b, "set", name, json_pack("{s:o}", "type", type));
}

static void
add_timed_set(struct builder *b, const char *name, json_t *type, int seconds, int size)
{
	add(b, "set", name,
		json_pack("{s:o,s:[s],s:i,s:i}", "type", type, "flags", "timeout", "timeout",
			seconds, "size", size));
}

static void
add_base_chain(struct builder *b, const char *name, const char *hook, const char *policy)
{
	add(b, "chain", name,
		json_pack("{s:s,s:s,s:i,s:s}", "type", "filter", "hook", hook, "prio", 0, "policy",
			policy));
}

/* --- ingress of the device ports -------------------------------------------------------------- */

/* Texts that occur in rules. */
struct texts {
	char router[INET6_ADDRSTRLEN], solicited[INET6_ADDRSTRLEN], target[2 + 32 + 1];
	int join_port;
};

static void
add_ingress_sets(struct builder *b)
{
	static const char *const counters[] = { "stranger_dropped", "device_dropped", "moved",
		NULL };
	static const char *const rates[] = { "rate_eapol", "rate_join", "rate_mdns", "rate_nd" };
	static const char *const noted[] = { "rate_seen", "rate_moved", "rate_foreign4" };
	size_t i;

	add_names(b, "counter", counters);
	add(b, "map", "admitted",
		json_pack("{s:[s,s],s:s}", "type", "ifname", "ether_addr", "map", "mark"));
	add_set(b, "known", json_string("ether_addr"));
	add_set(b, "bound4", json_pack("[s,s,s]", "ifname", "ether_addr", "ipv4_addr"));
	add_timed_set(
		b, "seen", json_pack("[s,s]", "ifname", "ether_addr"), 300, LK_RULESET_SEEN_MAX);
	add_timed_set(
		b, "moved", json_pack("[s,s]", "ifname", "ether_addr"), 300, LK_RULESET_ALARMS_MAX);
	add_timed_set(b, "foreign4", json_pack("[s,s,s]", "ifname", "ether_addr", "ipv4_addr"), 300,
		LK_RULESET_ALARMS_MAX);
	for (i = 0; i < LK_ARRAY_LEN(rates); i++)
		add_timed_set(b, rates[i], json_string("ifname"), 60, LK_RULESET_PORTS_MAX);
	for (i = 0; i < LK_ARRAY_LEN(noted); i++)
		add_timed_set(b, noted[i], json_string("ifname"), 300, LK_RULESET_PORTS_MAX);
}

/* nft 1.0.6 takes one device in JSON: a base chain a port, each no more than a goto. */
static void
add_port_chains(struct builder *b, const struct lk_ruleset *r)
{
	char name[3 + LK_RULESET_NAME_MAX];
	size_t i;

	for (i = 0; i < r->n_ports; i++) {
		snprintf(name, sizeof name, "in_%s", r->ports[i]);
		add(b, "chain", name,
			json_pack("{s:s,s:s,s:s,s:i,s:s}", "type", "filter", "hook", "ingress",
				"dev", r->ports[i], "prio", -500, "policy", "drop"));
		RULE(b, name, jump("ingress"));
	}
}

static json_t *
link_local(void)
{
	return match("==", payload("ip6", "saddr"), network("fe80::", 10));
}

/* Who asks for the router's address, and who tells it their own. */
static void
add_neighbour_discovery(struct builder *b, const char *chain, const struct texts *t)
{
	RULE(b, chain, link_local(), is_number(payload("ip6", "hoplimit"), 255),
		match("==", payload("ip6", "daddr"),
			json_pack("{s:[s,s]}", "set", t->router, t->solicited)),
		is(payload("icmpv6", "type"), "nd-neighbor-solicit"),
		is(json_pack(
			   "{s:{s:s,s:i,s:i}}", "payload", "base", "th", "offset", 64, "len", 128),
			t->target),
		at_most(20, "@rate_nd"), ACCEPT);
	RULE(b, chain, link_local(), is_number(payload("ip6", "hoplimit"), 255),
		is(payload("ip6", "daddr"), t->router),
		is(payload("icmpv6", "type"), "nd-neighbor-advert"), at_most(20, "@rate_nd"),
		ACCEPT);
}

static json_t *
syn_only(const char *op)
{
	return match(op, json_pack("{s:[o,[s,s]]}", "&", payload("tcp", "flags"), "syn", "ack"),
		json_string("syn"));
}

/*= Latchkey enforcement: before onboarding a device reaches the join point and nothing else =*/
static void
add_stranger(struct builder *b, const struct texts *t)
{
	/*= Latchkey enforcement: a MAC address that lives on one port is refused on another =*/
	/* Two rules: a full set ends the first one early, and never the second. */
	RULE(b, "stranger", is(MAC, "@known"), now_and_then("@rate_moved"),
		note(concat2(PORT, MAC), "@moved"));
	RULE(b, "stranger", is(MAC, "@known"), counter("moved"), DROP);
	RULE(b, "stranger", now_and_then("@rate_seen"), note(concat2(PORT, MAC), "@seen"));
	RULE(b, "stranger", link_local(), is(payload("ip6", "daddr"), t->router),
		is_number(payload("tcp", "dport"), t->join_port), syn_only("=="),
		at_most(20, "@rate_join"), ACCEPT);
	RULE(b, "stranger", link_local(), is(payload("ip6", "daddr"), t->router),
		is_number(payload("tcp", "dport"), t->join_port), syn_only("!="), ACCEPT);
	RULE(b, "stranger", link_local(), is(payload("ip6", "daddr"), "ff02::fb"),
		is_number(
			payload("udp", "dport"), MDNS), /* a one-shot query has a port of its own */
		at_most(10, "@rate_mdns"), ACCEPT);
	add_neighbour_discovery(b, "stranger", t);
	RULE(b, "stranger", counter("stranger_dropped"), DROP);
}

/*= Latchkey enforcement: an admitted device sends from the address bound to its port and MAC =*/
static void
add_device(struct builder *b, const struct texts *t)
{
	json_t *chains = json_pack("{s:[[s,o],[s,o],[s,o]]}", "set", "ip", jump("device4"), "ip6",
		jump("device6"), "arp", jump("arp"));

	RULE(b, "device",
		json_pack(
			"{s:{s:o,s:o}}", "vmap", "key", payload("ether", "type"), "data", chains));
	RULE(b, "device", counter("device_dropped"), DROP);

	RULE(b, "arp", is(payload("arp", "saddr ip"), "0.0.0.0"), ACCEPT); /* RFC 5227: a probe */
	RULE(b, "arp", is(concat3(PORT, MAC, payload("arp", "saddr ip")), "@bound4"), ACCEPT);
	RULE(b, "arp", now_and_then("@rate_foreign4"),
		note(concat3(PORT, MAC, payload("arp", "saddr ip")), "@foreign4"));
	RULE(b, "arp", counter("device_dropped"), DROP);

	RULE(b, "device4", is(concat3(PORT, MAC, payload("ip", "saddr")), "@bound4"), ACCEPT);
	RULE(b, "device4", is(payload("ip", "saddr"), "0.0.0.0"),
		is(payload("ip", "daddr"), "255.255.255.255"),
		is_number(payload("udp", "sport"), DHCP_CLIENT),
		is_number(payload("udp", "dport"), DHCP_SERVER), ACCEPT);
	RULE(b, "device4", now_and_then("@rate_foreign4"),
		note(concat3(PORT, MAC, payload("ip", "saddr")), "@foreign4"));
	RULE(b, "device4", counter("device_dropped"), DROP);

	add_neighbour_discovery(b, "device6", t);
	RULE(b, "device6", link_local(), is(payload("ip6", "daddr"), t->router),
		is_number(payload("tcp", "dport"), t->join_port), ACCEPT);
	RULE(b, "device6", counter("device_dropped"), DROP);
}

static void
add_netdev(struct builder *b, const struct lk_ruleset *r, const struct texts *t)
{
	static const char *const chains[] = { "ingress", "stranger", "device", "device4", "device6",
		"arp", NULL };

	new_table(b, "netdev");
	add_ingress_sets(b);
	add_names(b, "chain", chains);
	RULE(b, "ingress", set_mark(MARK, json_integer(0)));
	RULE(b, "ingress", is_number(payload("ether", "type"), ETHERTYPE_EAPOL),
		at_most(100, "@rate_eapol"), ACCEPT);
	RULE(b, "ingress", set_mark(MARK, map(concat2(PORT, MAC), "@admitted")));
	RULE(b, "ingress", match("!=", MARK, json_integer(0)), jump("device"));
	RULE(b, "ingress", jump("stranger"));
	add_stranger(b, t);
	add_device(b, t);
	add_port_chains(b, r);
}

/* --- input and forward of the router ---------------------------------------------------------- */

/*= Latchkey enforcement: established traffic whose mark is not its opener's is dropped =*/
static void
add_established(struct builder *b, const char *chain)
{
	/* Two registers cannot be compared by the kernel of Debian 12: `same` holds (mark, mark).
	 */
	RULE(b, chain, ANSWERED, is(concat2(ct("mark"), MARK), "@same"), ACCEPT);
	RULE(b, chain, ANSWERED, counter("other_device"), DROP);
}

static void
add_input(struct builder *b, const struct lk_ruleset *r, const struct texts *t)
{
	add_base_chain(b, "input", "input", "drop");
	RULE(b, "input", match("!=", PORT, json_string(r->bridge)), ACCEPT);
	RULE(b, "input", is_number(MARK, 0), jump("joining"));
	RULE(b, "input", jump("services"));

	RULE(b, "joining", is(payload("ip6", "daddr"), t->router),
		is_number(payload("tcp", "dport"), t->join_port), ACCEPT);
	RULE(b, "joining", is(payload("ip6", "daddr"), "ff02::fb"),
		is_number(payload("udp", "dport"), MDNS), ACCEPT);
	RULE(b, "joining",
		match("==", payload("icmpv6", "type"),
			json_pack("{s:[s,s]}", "set", "nd-neighbor-solicit", "nd-neighbor-advert")),
		ACCEPT);
	RULE(b, "joining", counter("input_dropped"), DROP);

	add_established(b, "services");
	RULE(b, "services", set_mark(ct("mark"), MARK));
	RULE(b, "services",
		match("==", payload("udp", "dport"),
			json_pack("{s:[i,i,i]}", "set", DNS, DHCP_SERVER, NTP)),
		ACCEPT);
	RULE(b, "services",
		match("==", payload("tcp", "dport"),
			json_pack("{s:[i,i]}", "set", DNS, t->join_port)),
		ACCEPT);
	RULE(b, "services",
		match("==", payload("icmpv6", "type"),
			json_pack("{s:[s,s]}", "set", "nd-neighbor-solicit", "nd-neighbor-advert")),
		ACCEPT);
	RULE(b, "services", counter("input_dropped"), DROP);
}

static void
add_flow(struct builder *b, const char *chain, const struct lk_flow *f)
{
	json_t *to = match("==", payload("ip", "daddr"), network4(&f->to));

	if (f->protocol == LK_FLOW_PING)
		RULE(b, chain, to, is(payload("icmp", "type"), "echo-request"), ACCEPT);
	else
		RULE(b, chain, to,
			match("==", payload(f->protocol == LK_FLOW_TCP ? "tcp" : "udp", "dport"),
				json_pack("{s:[i,i]}", "range", f->first, f->last)),
			ACCEPT);
}

static void
add_profile(struct builder *b, const struct lk_profile *p)
{
	char chain[32];
	size_t i;

	snprintf(chain, sizeof chain, "class_%u", p->class);
	add(b, "chain", chain, json_object());
	for (i = 0; i < p->n_flows; i++)
		add_flow(b, chain, &p->flows[i]);
	RULE(b, chain, counter("forward_dropped"), DROP);
	add(b, "element", "profile",
		json_pack("{s:[[I,o]]}", "elem", (json_int_t)lk_mark(p->class, 0), jump(chain)));
}

static void
add_forward(struct builder *b, const struct lk_ruleset *r)
{
	add_base_chain(b, "forward", "forward", "drop");
	RULE(b, "forward", is(PORT, r->bridge), jump("from_device"));
	/* Nobody beyond the router speaks as a device. */
	RULE(b, "forward", match("==", payload("ip", "saddr"), network4(&r->devices)),
		counter("forward_dropped"), DROP);
	RULE(b, "forward", is(meta("oifname"), r->bridge), jump("to_device"));
	RULE(b, "forward", ACCEPT);

	add_established(b, "from_device");
	RULE(b, "from_device", set_mark(ct("mark"), MARK));
	RULE(b, "from_device",
		json_pack("{s:{s:{s:[o,I]},s:s}}", "vmap", "key", "&", MARK,
			(json_int_t)lk_mark(LK_MARK_CLASS_MAX, 0), "data", "@profile"));
	RULE(b, "from_device", counter("forward_dropped"), DROP);

	/* Whose address it is says for whom the packet must be. */
	RULE(b, "to_device", set_mark(MARK, json_integer(0)));
	RULE(b, "to_device", set_mark(MARK, map(payload("ip", "daddr"), "@lease4")));
	add_established(b, "to_device");
	RULE(b, "to_device", counter("forward_dropped"), DROP);
}

static void
add_inet(struct builder *b, const struct lk_ruleset *r, const struct texts *t)
{
	static const char *const counters[] = { "input_dropped", "forward_dropped", "other_device",
		NULL };
	static const char *const chains[] = { "joining", "services", "from_device", "to_device",
		NULL };
	size_t i;

	new_table(b, "inet");
	add_names(b, "counter", counters);
	add_set(b, "same", json_pack("[s,s]", "mark", "mark"));
	add(b, "map", "lease4", json_pack("{s:s,s:s}", "type", "ipv4_addr", "map", "mark"));
	add(b, "map", "profile", json_pack("{s:s,s:s}", "type", "mark", "map", "verdict"));
	add_names(b, "chain", chains);
	add_input(b, r, t);
	add_forward(b, r);
	for (i = 0; i < r->n_profiles; i++)
		add_profile(b, &r->profiles[i]);
	/* A redirect would send a device to a neighbour that its isolated port cannot reach. */
	add_base_chain(b, "output", "output", "accept");
	RULE(b, "output", is(meta("oifname"), r->bridge),
		is(payload("icmpv6", "type"), "nd-redirect"), DROP);
}

/* --- the description -------------------------------------------------------------------------- */

/* Stricter than the kernel: what is in every name that a port really has. */
static struct lk_result
check_name(const char *name, const char *what, struct lk_err *e)
{
	size_t i, n = strlen(name);

	LK_REQUIRE(n > 0 && n < LK_RULESET_NAME_MAX, e, LK_R_RULESET,
		"%s \"%.40s\" has %zu characters", what, name, n);
	for (i = 0; i < n; i++)
		LK_REQUIRE(isalnum((unsigned char)name[i]) || (i > 0 && strchr("._-@", name[i])), e,
			LK_R_RULESET, "%s \"%s\" has a character that is not taken", what, name);
	return LK_OK;
}

static struct lk_result
check_profile(const struct lk_profile *p, struct lk_err *e)
{
	size_t i;

	LK_REQUIRE(p->class > 0 && p->class <= LK_MARK_CLASS_MAX, e, LK_R_RULESET,
		"class %u is not of 1 to %u", p->class, LK_MARK_CLASS_MAX);
	LK_REQUIRE(p->n_flows <= LK_RULESET_FLOWS_MAX, e, LK_R_RULESET,
		"class %u has %zu flows, at most %d are taken", p->class, p->n_flows,
		LK_RULESET_FLOWS_MAX);
	for (i = 0; i < p->n_flows; i++)
		LK_REQUIRE(p->flows[i].to.prefix <= 32 && p->flows[i].first <= p->flows[i].last, e,
			LK_R_RULESET, "flow %zu of class %u is none", i, p->class);
	return LK_OK;
}

static struct lk_result
check(const struct lk_ruleset *r, struct lk_err *e)
{
	size_t i, k;

	LK_TRY(check_name(r->bridge, "bridge", e));
	LK_REQUIRE(r->n_ports <= LK_RULESET_PORTS_MAX, e, LK_R_RULESET,
		"%zu ports, at most %d are taken", r->n_ports, LK_RULESET_PORTS_MAX);
	for (i = 0; i < r->n_ports; i++) {
		LK_TRY(check_name(r->ports[i], "port", e));
		for (k = 0; k < i; k++)
			LK_REQUIRE(strcmp(r->ports[i], r->ports[k]) != 0, e, LK_R_RULESET,
				"port %s is there twice", r->ports[i]);
	}
	LK_REQUIRE(r->router[0] == 0xfe && (r->router[1] & 0xc0) == 0x80, e, LK_R_RULESET,
		"the router's address is not link-local");
	LK_REQUIRE(r->join_port > 0, e, LK_R_RULESET, "the join point has no port");
	LK_REQUIRE(
		r->devices.prefix <= 32, e, LK_R_RULESET, "a prefix of %u bits", r->devices.prefix);
	LK_REQUIRE(r->n_profiles <= LK_RULESET_PROFILES_MAX, e, LK_R_RULESET,
		"%zu profiles, at most %d are taken", r->n_profiles, LK_RULESET_PROFILES_MAX);
	for (i = 0; i < r->n_profiles; i++) {
		LK_TRY(check_profile(&r->profiles[i], e));
		for (k = 0; k < i; k++)
			LK_REQUIRE(r->profiles[i].class != r->profiles[k].class, e, LK_R_RULESET,
				"class %u is there twice", r->profiles[i].class);
	}
	return LK_OK;
}

static void
write_texts(const struct lk_ruleset *r, struct texts *t)
{
	/* RFC 4291 2.7.1: the solicited-node address ends in the last 24 bits of the address. */
	uint8_t solicited[16] = { 0xff, 0x02, [11] = 1, [12] = 0xff, r->router[13], r->router[14],
		r->router[15] };
	size_t i;

	inet_ntop(AF_INET6, r->router, t->router, sizeof t->router);
	inet_ntop(AF_INET6, solicited, t->solicited, sizeof t->solicited);
	snprintf(t->target, sizeof t->target, "0x");
	for (i = 0; i < 16; i++)
		snprintf(t->target + 2 + 2 * i, 3, "%02x", r->router[i]);
	t->join_port = r->join_port;
}

static void
json_decref_p(json_t **j)
{
	json_decref(*j);
}

static int
append(const char *text, size_t n, void *out)
{
	return lk_buf_append(out, lk_slice(text, n), NULL).ok ? 0 : -1;
}

struct lk_result
lk_ruleset_print(const struct lk_ruleset *r, struct lk_buf *out, struct lk_err *e)
{
	struct builder b = { .commands = json_array() };
	LK_CLEANUP(json_decref_p) json_t *document = json_pack("{s:o}", "nftables", b.commands);
	size_t before = out->n;
	struct texts t;

	LK_TRY(check(r, e));
	LK_REQUIRE(document, e, LK_R_NOMEM, "no memory for the ruleset");
	write_texts(r, &t);
	add_netdev(&b, r, &t);
	add_inet(&b, r, &t);
	LK_REQUIRE(!b.failed, e, LK_R_NOMEM, "no memory for the ruleset");
	if (json_dump_callback(document, append, out, JSON_COMPACT) < 0) {
		lk_buf_truncate(out, before);
		return lk_fail(e, LK_R_TOO_LARGE, "the ruleset has more than %zu bytes",
			out->max - before);
	}
	return LK_OK;
}

/* --- texts of the configuration --------------------------------------------------------------- */

static struct lk_slice
cut(struct lk_slice *in, char at)
{
	const uint8_t *p = in->n ? memchr(in->p, at, in->n) : NULL;
	struct lk_slice head = lk_slice(in->p, p ? (size_t)(p - in->p) : in->n);
	size_t skip = p ? head.n + 1 : head.n;

	*in = lk_slice(in->p ? in->p + skip : NULL, in->n - skip);
	return head;
}

struct lk_result
lk_network4_parse(struct lk_slice in, struct lk_network4 *ret, struct lk_err *e)
{
	struct lk_slice rest = in, address = cut(&rest, '/');
	struct lk_network4 n = { .prefix = 32 };
	char text[INET_ADDRSTRLEN];
	uint32_t bits, prefix = 32;

	LK_REQUIRE(address.n < sizeof text, e, LK_R_RULESET, "an IPv4 address is too long");
	LK_TRY(lk_slice_to_str(address, "address", text, sizeof text, e));
	LK_REQUIRE(inet_pton(AF_INET, text, n.address) == 1, e, LK_R_RULESET,
		"\"%s\" is no IPv4 address", text);
	if (address.n < in.n)
		LK_TRY(lk_parse_u32(rest, "prefix", 0, 32, &prefix, e));
	memcpy(&bits, n.address, sizeof bits);
	bits = ntohl(bits);
	LK_REQUIRE(prefix == 32 || (bits & UINT32_MAX >> prefix) == 0, e, LK_R_RULESET,
		"%s/%u has bits behind its prefix", text, prefix);
	n.prefix = prefix;
	*ret = n;
	return LK_OK;
}

bool
lk_network4_has(const struct lk_network4 *n, const uint8_t address[static 4])
{
	uint32_t a, b;

	memcpy(&a, n->address, sizeof a);
	memcpy(&b, address, sizeof b);
	return n->prefix == 0 || (ntohl(a) ^ ntohl(b)) >> (32 - n->prefix) == 0;
}

struct lk_result
lk_flow_parse(struct lk_slice in, struct lk_flow *ret, struct lk_err *e)
{
	static const char *const names[] = { "tcp", "udp", "ping" };
	struct lk_slice rest = in, word = cut(&rest, ':'), to = cut(&rest, ':'),
			first = cut(&rest, '-');
	uint32_t from, last;
	struct lk_flow f;
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(names) && !lk_slice_eq(word, lk_slice_str(names[i])); i++)
		;
	LK_REQUIRE(i < LK_ARRAY_LEN(names), e, LK_R_RULESET,
		"\"%.*s\" begins with none of tcp, udp, ping", (int)in.n, (const char *)in.p);
	f = (struct lk_flow){ .protocol = (enum lk_flow_protocol)i };
	LK_TRY(lk_network4_parse(to, &f.to, e));
	if (f.protocol == LK_FLOW_PING) {
		LK_REQUIRE(to.p + to.n == in.p + in.n, e, LK_R_RULESET, "ping has no port");
	} else {
		LK_TRY(lk_parse_u32(first, "port", 1, UINT16_MAX, &from, e));
		last = from;
		if (first.p + first.n < in.p + in.n)
			LK_TRY(lk_parse_u32(rest, "last port", from, UINT16_MAX, &last, e));
		f.first = (uint16_t)from;
		f.last = (uint16_t)last;
	}
	*ret = f;
	return LK_OK;
}
