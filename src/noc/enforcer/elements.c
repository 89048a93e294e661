/* SPDX-License-Identifier: Apache-2.0
 *
 * nf_tables and ctnetlink by libmnl. A key of several parts is their bytes one
 * after the other, each filled up to a multiple of four; marks are in this machine's
 * byte order, addresses in the network's. The kernel answers before send() returns, so
 * nothing here waits.
 */
#include "noc/enforcer/elements.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>

#include "noc/enforcer/netlink.h"

enum { BATCH_MAX = 16384, BATCH_MESSAGES = 16 };

struct lk_netfilter {
	struct mnl_socket *socket;
	uint32_t seq;
};

static struct nlmsghdr *
put_header(void *at, uint16_t type, uint16_t flags, uint32_t seq, uint8_t family, uint16_t resource)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);
	struct nfgenmsg *g;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof *g);
	*g = (struct nfgenmsg){ family, NFNETLINK_V0, htons(resource) };
	return h;
}

static uint16_t
nft_type(unsigned message)
{
	return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message);
}

/* One message; each that comes back is given to fn. */
static struct lk_result
ask(struct lk_netfilter *n, const struct nlmsghdr *h, lk_netlink_fn *fn, void *ctx,
	const char *what, struct lk_err *e)
{
	struct lk_netlink_answer a = {
		.first = h->nlmsg_seq, .messages = 1, .missing = 1, .fn = fn, .ctx = ctx
	};

	return lk_netlink_ask(n->socket, lk_slice(h, h->nlmsg_len), &a, what, e);
}

/* --- one transaction -------------------------------------------------------------------------- */

struct batch {
	struct lk_netfilter *netfilter;
	char bytes[BATCH_MAX];
	size_t n;
	uint32_t first, messages; /* sequence number of its beginning; how many elements */
};

static void
batch_mark(struct batch *b, uint16_t type)
{
	b->n += put_header(
		b->bytes + b->n, type, 0, b->netfilter->seq++, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)
			->nlmsg_len;
}

static void
batch_begin(struct batch *b, struct lk_netfilter *n)
{
	b->netfilter = n;
	b->n = b->messages = 0;
	b->first = n->seq;
	batch_mark(b, NFNL_MSG_BATCH_BEGIN);
}

/* NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM of one element; data only of a map. */
static void
batch_element(struct batch *b, unsigned message, uint8_t family, const char *set,
	struct lk_slice key, const uint32_t *data)
{
	bool new = message == NFT_MSG_NEWSETELEM;
	struct nlattr *list, *element, *nest;
	struct nlmsghdr *h;

	assert(++b->messages <= BATCH_MESSAGES);
	h = put_header(b->bytes + b->n, nft_type(message),
		(uint16_t)(NLM_F_ACK | (new ? NLM_F_CREATE | NLM_F_EXCL : 0)), b->netfilter->seq++,
		family, 0);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, "latchkey");
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set);
	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, key.n, key.p);
	mnl_attr_nest_end(h, nest);
	if (new &&data) {
		nest = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
		mnl_attr_put(h, NFTA_DATA_VALUE, sizeof *data, data);
		mnl_attr_nest_end(h, nest);
	}
	mnl_attr_nest_end(h, element);
	mnl_attr_nest_end(h, list);
	b->n += h->nlmsg_len;
}

/* Each element is acknowledged or refused; the first refusal is the transaction's. */
static struct lk_result
batch_commit(struct batch *b, const char *what, struct lk_err *e)
{
	struct lk_netlink_answer a = {
		.first = b->first, .messages = 1 + b->messages, .missing = b->messages
	};

	batch_mark(b, NFNL_MSG_BATCH_END);
	return lk_netlink_ask(b->netfilter->socket, lk_slice(b->bytes, b->n), &a, what, e);
}

/* --- a device's elements ---------------------------------------------------------------------- */

/* Ports, MACs and addresses as the kernel keeps them in a key. */
struct key {
	char port[LK_RULESET_NAME_MAX];
	uint8_t mac[8], address[4];
};
static_assert(sizeof(struct key) == 28, "no holes");
enum { KEY_PORT_MAC = offsetof(struct key, address), KEY_PORT_MAC_ADDRESS = sizeof(struct key) };

static struct key
key_of(const struct lk_admission *a)
{
	struct key k = { 0 };

	memcpy(k.port, a->port, strnlen(a->port, sizeof k.port - 1));
	memcpy(k.mac, a->mac, sizeof a->mac);
	memcpy(k.address, a->address, sizeof k.address);
	return k;
}

static void
admission(struct batch *b, unsigned message, const struct lk_admission *a)
{
	const struct key k = key_of(a);
	const uint32_t same[2] = { a->mark, a->mark };

	batch_element(b, message, NFPROTO_NETDEV, "admitted", lk_slice(&k, KEY_PORT_MAC), &a->mark);
	batch_element(b, message, NFPROTO_NETDEV, "known", lk_slice(a->mac, sizeof a->mac), NULL);
	batch_element(b, message, NFPROTO_INET, "same", LK_SLICE_ARRAY(same), NULL);
}

static void
binding(struct batch *b, unsigned message, const struct lk_admission *a)
{
	const struct key k = key_of(a);

	if (!a->bound)
		return;
	batch_element(
		b, message, NFPROTO_NETDEV, "bound4", lk_slice(&k, KEY_PORT_MAC_ADDRESS), NULL);
	batch_element(b, message, NFPROTO_INET, "lease4", lk_slice(a->address, sizeof a->address),
		&a->mark);
}

struct lk_result
lk_elements_admit(struct lk_netfilter *n, const struct lk_admission *a, struct lk_err *e)
{
	struct batch b;

	batch_begin(&b, n);
	admission(&b, NFT_MSG_NEWSETELEM, a);
	binding(&b, NFT_MSG_NEWSETELEM, a);
	return batch_commit(&b, "a device could not be admitted", e);
}

struct lk_result
lk_elements_rebind(struct lk_netfilter *n, const struct lk_admission *from,
	const struct lk_admission *to, struct lk_err *e)
{
	struct batch b;

	batch_begin(&b, n);
	binding(&b, NFT_MSG_DELSETELEM, from);
	binding(&b, NFT_MSG_NEWSETELEM, to);
	return batch_commit(&b, "an address could not be bound", e);
}

struct lk_result
lk_elements_cut(struct lk_netfilter *n, const struct lk_admission *a, struct lk_err *e)
{
	struct batch b;

	batch_begin(&b, n);
	admission(&b, NFT_MSG_DELSETELEM, a);
	binding(&b, NFT_MSG_DELSETELEM, a);
	return batch_commit(&b, "a device could not be cut", e);
}

static struct lk_result
end_connections(struct lk_netfilter *n, uint32_t mark, uint32_t mask, struct lk_err *e)
{
	char message[512];
	struct nlmsghdr *h = put_header(message, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
		NLM_F_ACK, n->seq++, AF_UNSPEC, 0);

	mnl_attr_put_u32(h, CTA_MARK, htonl(mark));
	mnl_attr_put_u32(h, CTA_MARK_MASK, htonl(mask));
	return ask(n, h, NULL, NULL, "connections could not be ended", e);
}

struct lk_result
lk_conntrack_cut(struct lk_netfilter *n, uint32_t mark, struct lk_err *e)
{
	return end_connections(n, mark, UINT32_MAX, e);
}

struct lk_result
lk_conntrack_cut_class(struct lk_netfilter *n, uint32_t class, struct lk_err *e)
{
	return end_connections(n, lk_mark(class, 0), lk_mark(LK_MARK_CLASS_MAX, 0), e);
}

/* --- dumps ------------------------------------------------------------------------------------ */

struct dump {
	struct lk_sighting *v;
	size_t n, max, key_size;
};

/* The value of the attribute at the end of a path of nested ones. */
static const struct nlattr *
find_attr(const struct nlattr *in, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, in) if (mnl_attr_get_type(a) == type) return a;
	return NULL;
}

static void
take_element(struct dump *d, const struct nlattr *element)
{
	const struct nlattr *key = find_attr(element, NFTA_SET_ELEM_KEY);
	const struct nlattr *value = key ? find_attr(key, NFTA_DATA_VALUE) : NULL;
	struct lk_sighting *s = &d->v[d->n];
	struct key k = { 0 };

	if (!value || mnl_attr_get_payload_len(value) != d->key_size || d->n == d->max)
		return;
	memcpy(&k, mnl_attr_get_payload(value), d->key_size);
	memcpy(s->port, k.port, sizeof s->port - 1);
	memcpy(s->mac, k.mac, sizeof s->mac);
	memcpy(s->address, k.address, sizeof s->address);
	d->n++;
}

static void
take_elements(void *ctx, const struct nlmsghdr *h)
{
	const struct nlattr *a, *element;

	mnl_attr_for_each(a, h,
		sizeof(struct nfgenmsg)) if (mnl_attr_get_type(a) == NFTA_SET_ELEM_LIST_ELEMENTS)
		mnl_attr_for_each_nested(element, a) take_element(ctx, element);
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct lk_sighting));
}

struct lk_result
lk_sightings_dump(struct lk_netfilter *n, enum lk_sighting_set which, struct lk_sighting **ret,
	size_t *ret_n, struct lk_err *e)
{
	static const struct {
		const char *name;
		size_t max, key_size;
	} sets[LK_SIGHTING_SETS] = {
		[LK_SIGHTING_SEEN] = { "seen", LK_RULESET_SEEN_MAX, KEY_PORT_MAC },
		[LK_SIGHTING_MOVED] = { "moved", LK_RULESET_ALARMS_MAX, KEY_PORT_MAC },
		[LK_SIGHTING_FOREIGN4] = { "foreign4", LK_RULESET_ALARMS_MAX,
			KEY_PORT_MAC_ADDRESS },
	};
	LK_CLEANUP(lk_freep) struct lk_sighting *v = calloc(sets[which].max, sizeof *v);
	struct dump d = { v, 0, sets[which].max, sets[which].key_size };
	char message[512];
	struct nlmsghdr *h = put_header(
		message, nft_type(NFT_MSG_GETSETELEM), NLM_F_DUMP, n->seq++, NFPROTO_NETDEV, 0);

	LK_REQUIRE(v, e, LK_R_NOMEM, "no memory for what the ports saw");
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, "latchkey");
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, sets[which].name);
	LK_TRY(ask(n, h, take_elements, &d, "what the ports saw cannot be read", e));
	qsort(v, d.n, sizeof *v, by_bytes);
	*ret = LK_TAKE(v);
	*ret_n = d.n;
	return LK_OK;
}

/* --- generation and fingerprint --------------------------------------------------------------- */

static void
take_generation(void *ctx, const struct nlmsghdr *h)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof(struct nfgenmsg)) if (mnl_attr_get_type(a) == NFTA_GEN_ID &&
							     mnl_attr_get_payload_len(a) == 4) *
		(uint32_t *)ctx = ntohl(mnl_attr_get_u32(a));
}

struct lk_result
lk_netfilter_generation(struct lk_netfilter *n, uint32_t *ret, struct lk_err *e)
{
	char message[512];
	struct nlmsghdr *h =
		put_header(message, nft_type(NFT_MSG_GETGEN), NLM_F_ACK, n->seq++, AF_UNSPEC, 0);
	uint32_t generation = 0;

	LK_TRY(ask(n, h, take_generation, &generation, "nf_tables is missing", e));
	*ret = generation;
	return LK_OK;
}

/* FNV-1a, summed over tables and chains, because the kernel may list them in another order. */
static uint64_t
hash(uint64_t h, const struct nlattr *a)
{
	const uint8_t *p = mnl_attr_get_payload(a);
	size_t i;

	for (i = 0; i < mnl_attr_get_payload_len(a); i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* So that in the sum two small changes do not make up for each other. */
static uint64_t
mix(uint64_t h)
{
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	return h ^ h >> 33;
}

struct fingerprint {
	const uint16_t *what; /* attributes to hash, 0 behind the last; 1 is the table's name */
	uint64_t sum;
};
static_assert((int)NFTA_TABLE_NAME == 1 && (int)NFTA_CHAIN_TABLE == 1, "the table's name");

static void
take_fingerprint(void *ctx, const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	uint64_t sum = UINT64_C(0xcbf29ce484222325) ^ g->nfgen_family;
	struct fingerprint *f = ctx;
	const struct nlattr *a;
	bool ours = false;
	size_t i;

	mnl_attr_for_each(a, h, sizeof *g)
	{
		if (mnl_attr_get_type(a) == 1)
			ours = strncmp(mnl_attr_get_payload(a), "latchkey",
				       mnl_attr_get_payload_len(a)) == 0;
		for (i = 0; f->what[i]; i++)
			if (mnl_attr_get_type(a) == f->what[i])
				sum = hash(sum, a);
	}
	if (ours)
		f->sum += mix(sum);
}

struct lk_result
lk_netfilter_fingerprint(struct lk_netfilter *n, uint64_t *ret, struct lk_err *e)
{
	/* A table that was replaced by its like, elements left out, has another handle. */
	static const uint16_t table[] = { NFTA_TABLE_HANDLE, 0 },
			      chain[] = { NFTA_CHAIN_NAME, NFTA_CHAIN_POLICY, NFTA_CHAIN_USE, 0 };
	static const struct {
		unsigned message;
		const uint16_t *what;
	} dumps[] = { { NFT_MSG_GETTABLE, table }, { NFT_MSG_GETCHAIN, chain } };
	struct fingerprint f = { .sum = 0 };
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(dumps); i++) {
		char message[512];
		struct nlmsghdr *h = put_header(message, nft_type(dumps[i].message), NLM_F_DUMP,
			n->seq++, NFPROTO_UNSPEC, 0);

		f.what = dumps[i].what;
		LK_TRY(ask(n, h, take_fingerprint, &f, "the tables cannot be read", e));
	}
	*ret = f.sum;
	return LK_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

/* Asks each subsystem a thing that changes nothing. No device has mark 0, which is no class. */
static struct lk_result
probe(struct lk_netfilter *n, struct lk_err *e)
{
	uint32_t generation;

	LK_TRY(lk_netfilter_generation(n, &generation, e));
	if (!lk_conntrack_cut(n, lk_mark(LK_MARK_CLASS_MAX, LK_MARK_DEVICE_MAX), e).ok) {
		lk_err_prefix(e, "connection tracking (nf_conntrack_netlink) is missing");
		return (struct lk_result){ false };
	}
	return LK_OK;
}

struct lk_result
lk_netfilter_open(struct lk_netfilter **ret, struct lk_err *e)
{
	struct lk_netfilter *n = calloc(1, sizeof *n);

	LK_REQUIRE(n, e, LK_R_NOMEM, "no memory for netlink");
	n->seq = 1;
	n->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!n->socket || mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		lk_err_set(e, LK_R_ENFORCER_KERNEL, "nfnetlink is missing: %s", strerror(errno));
		lk_netfilter_close(n);
		return (struct lk_result){ false };
	}
	if (!probe(n, e).ok) {
		lk_netfilter_close(n);
		return (struct lk_result){ false };
	}
	*ret = n;
	return LK_OK;
}

void
lk_netfilter_close(struct lk_netfilter *n)
{
	if (!n)
		return;
	if (n->socket)
		mnl_socket_close(n->socket);
	free(n);
}
