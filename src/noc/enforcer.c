/* SPDX-License-Identifier: Apache-2.0
 *
 * The enforcer: it alone may tell the kernel who passes, and it decides nothing. It
 * tells the keeper whom hostapd let through, opens a port only on the keeper's word,
 * and closes it on the keeper's word, on hostapd's, and when the cable is pulled.
 *
 * What is open stands in memory first and in the kernel second: when somebody touched
 * our tables they are made anew from memory, before anything else is opened. A process that
 * starts remembers nothing, so it starts with every port shut and has hostapd
 * authenticate once more who is there. Between an end and that start the tables stay: after an
 * orderly one with every port shut, after a death with those open that were.
 *
 * Bindings come from dnsmasq's leases. A lease that is missing from the file unbinds
 * nothing, since dnsmasq empties the file before it writes it; its end does.
 */
#include <arpa/inet.h>
#include <linux/capability.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "noc/enforcer/elements.h"
#include "noc/enforcer/hostapd.h"
#include "noc/enforcer/leases.h"
#include "noc/enforcer/links.h"
#include "noc/enforcer/mac.h"
#include "noc/enforcer/nft.h"
#include "noc/noc.h"

enum {
	JOINED_CLASS =
		1,      /* the profile of every joined device, until profiles come from MUD files */
	LOOK_MS = 1000, /* between two looks at the kernel: sightings, our tables, ended leases */
	TOLD_MAX = 64,  /* sightings a look */
	PORT_TOLD_MAX = 32, /* of a set at one port, in PORT_TOLD_MS: MAC addresses are free */
	PORT_TOLD_MS = 300 * 1000,
	OPEN_MAX = 65536,  /* devices */
	DESCRIPTORS = 4096 /* hostapd's sockets, one a port */
};

struct port {
	struct lk_link link; /* when it was looked at last */
	struct lk_hostapd *hostapd;
	struct {
		size_t n;
		int64_t until; /* monotonic: then it begins anew */
	} told[LK_SIGHTING_SETS];
};

/* A device that is in. */
struct guest {
	struct lk_admission admission; /* what the kernel should have */
	int64_t until;                 /* end of its lease */
	char device_id[sizeof((struct lk_port_open_body *)0)->device_id]; /* whose alarms are told
									   */
};

struct state {
	struct lk_process *process;
	struct lk_ruleset rules; /* but for the ports */
	struct lk_flow flows[LK_RULESET_FLOWS_MAX];
	struct lk_profile profile;
	struct lk_netfilter *netfilter;
	struct lk_links *links;
	struct lk_watch *links_watch;
	struct lk_lease_watch *leases_watch;
	struct lk_deferred read_leases; /* at most once a turn */
	struct lk_timer *look;
	struct port
		*ports[LK_RULESET_PORTS_MAX]; /* that the kernel has and the configuration names */
	size_t n_ports;
	bool ports_known; /* the last look at the links went well */
	struct guest *open;
	size_t n_open;
	uint32_t last_device;
	uint32_t generation;  /* of nf_tables when the tables were looked at last */
	uint64_t fingerprint; /* of our tables as they were installed; 0: they are to be */
	struct lk_sighting *told[LK_SIGHTING_SETS]; /* what the last look saw */
	size_t n_told[LK_SIGHTING_SETS];
};

/* --- what the keeper is told ------------------------------------------------------------------ */

static void
tell(struct state *s, enum lk_port_event kind, const char *port, const uint8_t mac[static 6],
	const struct guest *about, const char *detail)
{
	struct lk_port_event_body b = { .kind = kind };
	struct lk_err e;

	memcpy(b.port, port, strnlen(port, sizeof b.port - 1));
	lk_mac_print(mac, b.mac);
	memcpy(b.detail, detail, strnlen(detail, sizeof b.detail - 1));
	if (about)
		memcpy(b.device_id, about->device_id, sizeof b.device_id);
	if (!lk_process_tell(s->process, LK_ROLE_KEEPER, 0, LK_BODY_port_event, &b, &e).ok)
		lk_log_err(&e, "port", port, "mac", b.mac, NULL);
}

/* --- the tables ------------------------------------------------------------------------------- */

static struct lk_result
apply_rules(struct state *s, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_RULESET_JSON_MAX);
	const char *names[LK_RULESET_PORTS_MAX];
	struct lk_ruleset r = s->rules;
	size_t i;

	for (i = 0; i < s->n_ports; i++)
		names[i] = s->ports[i]->link.name;
	r.ports = names;
	r.n_ports = s->n_ports;
	LK_TRY(lk_ruleset_print(&r, &text, e));
	return lk_nft_apply(lk_buf_slice(&text), e);
}

/* Rules first, everybody out; then those who are open are let in again. */
static struct lk_result
install(struct state *s, struct lk_err *e)
{
	size_t i;

	s->fingerprint = 0;
	LK_TRY(apply_rules(s, e));
	for (i = 0; i < s->n_open; i++)
		LK_TRY(lk_elements_admit(s->netfilter, &s->open[i].admission, e));
	/* In this order: what somebody alters in between has a later generation. */
	LK_TRY(lk_netfilter_generation(s->netfilter, &s->generation, e));
	return lk_netfilter_fingerprint(s->netfilter, &s->fingerprint, e);
}

/*= Latchkey enforcement: tables that are missing or altered are restored before anything is opened =*/
static struct lk_result
ensure_tables(struct state *s, struct lk_err *e)
{
	uint32_t generation;
	uint64_t fingerprint;

	if (!s->fingerprint)
		return install(s, e);
	LK_TRY(lk_netfilter_generation(s->netfilter, &generation, e));
	if (generation == s->generation)
		return LK_OK;
	LK_TRY(lk_netfilter_fingerprint(s->netfilter, &fingerprint, e));
	if (fingerprint == s->fingerprint) {
		s->generation = generation;
		return LK_OK;
	}
	LK_TRY(install(s, e));
	lk_log(LK_LOG_WARNING, "tables-restored", "msg",
		fingerprint ? "somebody altered the tables named latchkey"
			    : "the tables named latchkey were missing",
		NULL);
	return LK_OK;
}

/* --- opening and cutting ---------------------------------------------------------------------- */

static struct port *
find_port(const struct state *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_ports; i++)
		if (strcmp(s->ports[i]->link.name, name) == 0)
			return s->ports[i];
	return NULL;
}

static struct guest *
find_open(const struct state *s, const uint8_t mac[static 6])
{
	size_t i;

	for (i = 0; i < s->n_open; i++)
		if (memcmp(s->open[i].admission.mac, mac, 6) == 0)
			return &s->open[i];
	return NULL;
}

static bool
is_at(const struct guest *g, const char *port, const uint8_t mac[static 6])
{
	return memcmp(g->admission.mac, mac, 6) == 0 && strcmp(g->admission.port, port) == 0;
}

static bool
is_open(const struct state *s, const char *port, const uint8_t mac[static 6])
{
	const struct guest *g = find_open(s, mac);

	return g && is_at(g, port, mac);
}

/* Goes round, so that the number of one who left comes back as late as possible. */
static uint32_t
new_device(struct state *s)
{
	size_t i;

	do {
		s->last_device = s->last_device % LK_MARK_DEVICE_MAX + 1;
		for (i = 0; i < s->n_open; i++)
			if ((s->open[i].admission.mark & LK_MARK_DEVICE_MAX) == s->last_device)
				break;
	} while (i < s->n_open);
	return s->last_device;
}

/* From the elements, from the connections, from memory. Kernel tables that do not have the elements
 * are not ours: they are made anew without this device. */
static struct lk_result
cut(struct state *s, struct guest *g, struct lk_err *e)
{
	struct lk_admission gone = g->admission;
	struct lk_err why;

	*g = s->open[--s->n_open];
	if (!lk_elements_cut(s->netfilter, &gone, &why).ok) {
		lk_log_err(&why, "port", gone.port, NULL);
		LK_TRY(install(s, e));
	}
	return lk_conntrack_cut(s->netfilter, gone.mark, e);
}

/* All at once, and the connections of those that were in before this process was. */
static struct lk_result
cut_all(struct state *s, struct lk_err *e)
{
	s->n_open = 0;
	LK_TRY(install(s, e));
	return lk_conntrack_cut_class(s->netfilter, s->profile.class, e);
}

static void
cut_or_log(struct state *s, struct guest *g)
{
	struct lk_err e;

	if (!cut(s, g, &e).ok)
		lk_log_err(&e, NULL);
}

static struct lk_result
open_port(struct state *s, const struct lk_port_open_body *b, bool *ret_changed, struct lk_err *e)
{
	struct guest g = { .until = LK_TIME_NEVER };
	const struct port *p = find_port(s, b->port);
	const struct guest *other;

	LK_TRY(lk_mac_parse(lk_slice_str(b->mac), g.admission.mac, e));
	LK_REQUIRE(p, e, LK_R_ENFORCER_PORT, "there is no device port %s", b->port);
	LK_REQUIRE(b->class_mark == s->profile.class, e, LK_R_RULESET, "there is no profile %lld",
		(long long)b->class_mark);
	LK_TRY(ensure_tables(s, e));
	other = find_open(s, g.admission.mac);
	if (other) {
		/*= Latchkey enforcement: a MAC address that lives on one port is refused on another =*/
		LK_REQUIRE(strcmp(other->admission.port, b->port) == 0, e, LK_R_FOREIGN_MAC,
			"%s lives on port %s", b->mac, other->admission.port);
		*ret_changed = false;
		return LK_OK;
	}
	/*= Latchkey enforcement: who left while the keeper decided is not let in =*/
	LK_REQUIRE(lk_hostapd_has_passed(p->hostapd, g.admission.mac), e, LK_R_ENFORCER_LEFT,
		"hostapd has not let %s through at port %s, or no more", b->mac, b->port);
	LK_REQUIRE(s->n_open < OPEN_MAX, e, LK_R_BUSY, "%d devices are open", OPEN_MAX);
	memcpy(g.admission.port, b->port, sizeof g.admission.port - 1);
	memcpy(g.device_id, b->device_id, sizeof g.device_id);
	g.admission.mark = lk_mark(s->profile.class, new_device(s));
	LK_TRY(lk_elements_admit(s->netfilter, &g.admission, e));
	s->open[s->n_open++] = g;
	lk_defer(s->process->loop, &s->read_leases);
	*ret_changed = true;
	return LK_OK;
}

/* The port is shut by now, whether hostapd is there or not. */
static void
send_away(struct state *s, const char *port, const uint8_t mac[static 6])
{
	const struct port *p = find_port(s, port);
	struct lk_err e;

	if (p && !lk_hostapd_deauthenticate(p->hostapd, mac, &e).ok)
		lk_log_err(&e, "port", port, NULL);
}

/* The device, wherever it is: it may be in at more ports than the one that the keeper saw last. */
static struct lk_result
close_port(struct state *s, const struct lk_port_close_body *b, bool *ret_changed, struct lk_err *e)
{
	struct lk_result r = LK_OK;
	uint8_t mac[6];
	size_t i = 0;

	LK_TRY(lk_mac_parse(lk_slice_str(b->mac), mac, e));
	while (i < s->n_open) {
		struct guest g = s->open[i];

		if (strcmp(g.device_id, b->device_id) != 0 && !is_at(&g, b->port, mac)) {
			i++;
			continue;
		}
		*ret_changed = true;
		if (!cut(s, &s->open[i], e).ok)
			r = (struct lk_result){ false };
		if (b->deauthenticate && !is_at(&g, b->port, mac))
			send_away(s, g.admission.port, g.admission.mac);
	}
	if (b->deauthenticate) /* who is not in may be about to be */
		send_away(s, b->port, mac);
	return r;
}

static struct lk_result
answer(struct lk_process *p, const struct lk_peer_ref *from, struct lk_result r, bool changed,
	const struct lk_err *why, struct lk_err *e)
{
	struct lk_port_done_body done = { .changed = changed };

	return r.ok ? lk_process_reply(p, from, LK_BODY_port_done, &done, e)
		    : lk_process_refuse(p, from, why, e);
}

static struct lk_result
on_port_open(struct lk_process *p, const struct lk_peer_ref *from, const struct lk_message *m,
	struct lk_err *e)
{
	struct lk_port_open_body b;
	bool changed = false;
	struct lk_result r;
	struct lk_err why;

	LK_TRY(lk_body_unpack(LK_BODY_port_open, m->body, &b, e));
	r = open_port(p->state, &b, &changed, &why);
	return answer(p, from, r, changed, &why, e);
}

static struct lk_result
on_port_close(struct lk_process *p, const struct lk_peer_ref *from, const struct lk_message *m,
	struct lk_err *e)
{
	struct lk_port_close_body b;
	bool changed = false;
	struct lk_result r;
	struct lk_err why;

	LK_TRY(lk_body_unpack(LK_BODY_port_close, m->body, &b, e));
	r = close_port(p->state, &b, &changed, &why);
	return answer(p, from, r, changed, &why, e);
}

/* --- hostapd's word --------------------------------------------------------------------------- */

static void
on_hostapd(void *ctx, const char *port, const struct lk_hostapd_message *m)
{
	struct state *s = ctx;
	bool open = is_open(s, port, m->mac);

	if (m->kind == LK_HOSTAPD_CONNECTED && !open) {
		tell(s, LK_PORT_AUTHENTICATED, port, m->mac, NULL, "");
	} else if (m->kind == LK_HOSTAPD_DISCONNECTED) {
		tell(s, LK_PORT_LEFT, port, m->mac, open ? find_open(s, m->mac) : NULL, "");
		if (open)
			cut_or_log(s, find_open(s, m->mac));
	}
}

/*= Latchkey enforcement: what a keeper decided before it died holds =*/
/* It may have revoked a device and not told us, or heard of one and not answered. Whoever is there
 * is authenticated once more, which asks the keeper; whoever is in stays in meanwhile. */
static void
enforcer_linked(struct lk_process *p, const struct lk_peer_ref *peer)
{
	const struct state *s = p->state;
	size_t i;

	if (peer->role != LK_ROLE_KEEPER)
		return;
	for (i = 0; i < s->n_ports; i++)
		lk_hostapd_reauthenticate_all(s->ports[i]->hostapd);
}

/* --- ports that come, go, or lose their cable ------------------------------------------------- */

/* Is the port one of the configuration's? "port*" names all that begin so. */
static bool
is_device_port(const struct state *s, const char *name)
{
	const struct lk_noc_config *c = lk_noc_config_of(s->process);
	char list[sizeof c->ports], *at = list, *item;
	size_t n;

	memcpy(list, c->ports, sizeof list);
	while ((item = strsep(&at, ", "))) {
		n = strlen(item);
		if (n && (strcmp(item, name) == 0 ||
				 (item[n - 1] == '*' && strncmp(item, name, n - 1) == 0)))
			return true;
	}
	return false;
}

static const struct lk_link *
find_link(const struct lk_link *v, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return &v[i];
	return NULL;
}

static void
port_free(struct port *p)
{
	lk_hostapd_free(p->hostapd);
	free(p);
}

static struct lk_result
add_port(struct state *s, const struct lk_link *l, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct port *p = calloc(1, sizeof *p);

	LK_REQUIRE(p, e, LK_R_NOMEM, "no memory for a port");
	p->link = *l;
	LK_TRY(lk_hostapd_new(s->process->loop, lk_noc_config_of(s->process)->hostapd_dir,
		p->link.name, on_hostapd, s, &p->hostapd, e));
	s->ports[s->n_ports++] = LK_TAKE(p);
	s->fingerprint = 0;
	return LK_OK;
}

static void
remove_port(struct state *s, size_t i)
{
	port_free(s->ports[i]);
	s->ports[i] = s->ports[--s->n_ports];
	s->fingerprint = 0;
}

/* hostapd does not look at cables: it would take whoever comes next for whom it knows. */
static void
empty_port(struct state *s, struct port *p)
{
	size_t i = 0;

	while (i < s->n_open) {
		struct guest g = s->open[i];

		if (strcmp(g.admission.port, p->link.name) != 0) {
			i++;
			continue;
		}
		cut_or_log(s, &s->open[i]);
		tell(s, LK_PORT_LEFT, g.admission.port, g.admission.mac, &g, "the link went down");
	}
	lk_hostapd_deauthenticate_all(p->hostapd);
}

/* Was its cable in all the time? Whoever is slow to look sees it by the count. */
static bool
stayed_up(const struct lk_link *before, const struct lk_link *now)
{
	return now && now->running && now->index == before->index && now->downs == before->downs;
}

static struct lk_result
follow_links(struct state *s, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct lk_link *v = NULL;
	size_t i, n;

	s->ports_known = false;
	LK_TRY(lk_links_list(s->links, s->rules.bridge, &v, &n, e));
	for (i = s->n_ports; i-- > 0;) {
		struct port *p = s->ports[i];
		const struct lk_link *l = find_link(v, n, p->link.name);

		/*= Latchkey enforcement: a port whose cable was pulled is shut =*/
		if (!stayed_up(&p->link, l))
			empty_port(s, p);
		if (l && l->index == p->link.index)
			p->link = *l;
		else
			remove_port(s, i);
	}
	for (i = 0; i < n; i++)
		if (is_device_port(s, v[i].name) && !find_port(s, v[i].name))
			LK_TRY(add_port(s, &v[i], e));
	s->ports_known = true;
	return LK_OK;
}

static void
on_links(void *ctx, unsigned ready)
{
	struct state *s = ctx;
	struct lk_err e;

	(void)ready;
	lk_links_drain(s->links);
	if (!follow_links(s, &e).ok || !ensure_tables(s, &e).ok)
		lk_log_err(&e, NULL);
}

/* --- leases ----------------------------------------------------------------------------------- */

static void
rebind(struct state *s, struct lk_admission *a, const struct lk_admission *to)
{
	struct lk_err e;

	if (!lk_elements_rebind(s->netfilter, a, to, &e).ok) {
		lk_log_err(&e, "port", a->port, NULL);
		return;
	}
	*a = *to;
}

static void
unbind(struct state *s, struct guest *g)
{
	struct lk_admission to = g->admission;

	to.bound = false;
	rebind(s, &g->admission, &to);
}

static bool
is_bound(const struct guest *g, const uint8_t address[static 4])
{
	return g->admission.bound && memcmp(g->admission.address, address, 4) == 0;
}

static void
bind_lease(struct state *s, struct guest *g, const struct lk_lease *l)
{
	struct lk_admission to = g->admission;
	char text[INET_ADDRSTRLEN];
	size_t i;

	g->until = l->expires_at;
	if (is_bound(g, l->address))
		return;
	for (i = 0; i < s->n_open; i++) /* who had the address before */
		if (is_bound(&s->open[i], l->address))
			unbind(s, &s->open[i]);
	memcpy(to.address, l->address, sizeof to.address);
	to.bound = true;
	rebind(s, &g->admission, &to);
	inet_ntop(AF_INET, l->address, text, sizeof text);
	if (g->admission.bound)
		tell(s, LK_PORT_LEASE, to.port, to.mac, g, text);
}

static void
read_leases(void *ctx)
{
	struct state *s = ctx;
	const struct lk_noc_config *c = lk_noc_config_of(s->process);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_LEASE_FILE_MAX);
	LK_CLEANUP(lk_freep) struct lk_lease *v = NULL;
	int64_t now = lk_now(lk_loop_clock(s->process->loop));
	size_t i, n;
	struct lk_err e;

	if (!ensure_tables(s, &e).ok) { /* to bind is to open */
		lk_log_err(&e, NULL);
		return;
	}
	if (!lk_file_read(c->lease_file, &text, &e).ok) {
		if (e.reason != LK_R_FILE_MISSING)
			lk_log_err(&e, NULL);
		return;
	}
	if (!lk_leases_parse(lk_buf_slice(&text), &v, &n, &e).ok) {
		lk_log_err(&e, "file", c->lease_file, NULL);
		return;
	}
	n = lk_leases_choose(v, n, &s->rules.devices, now);
	for (i = 0; i < s->n_open; i++) {
		const struct lk_lease *l = lk_leases_find(v, n, s->open[i].admission.mac);

		if (l)
			bind_lease(s, &s->open[i], l);
	}
}

static void
on_lease_file(void *ctx)
{
	struct state *s = ctx;

	lk_defer(s->process->loop, &s->read_leases);
}

static void
end_leases(struct state *s)
{
	int64_t now = lk_now(lk_loop_clock(s->process->loop));
	size_t i;

	for (i = 0; i < s->n_open; i++)
		if (s->open[i].admission.bound && s->open[i].until <= now)
			unbind(s, &s->open[i]);
}

/* --- what the ports saw ----------------------------------------------------------------------- */

/* What a device that did nothing wrong left behind, a moment before it was let in or bound, is not
 * told. False when there is nothing to tell. */
static bool
tell_sighting(struct state *s, enum lk_sighting_set which, const struct lk_sighting *seen)
{
	const struct guest *g = find_open(s, seen->mac);
	char address[INET_ADDRSTRLEN];

	switch (which) {
	case LK_SIGHTING_SEEN:
		if (g)
			return false;
		tell(s, LK_PORT_SEEN, seen->port, seen->mac, NULL, "");
		return true;
	case LK_SIGHTING_MOVED:
		if (!g || strcmp(g->admission.port, seen->port) == 0)
			return false;
		tell(s, LK_PORT_FOREIGN_MAC, seen->port, seen->mac, g, g->admission.port);
		return true;
	case LK_SIGHTING_FOREIGN4:
		if (!g || is_bound(g, seen->address))
			return false;
		inet_ntop(AF_INET, seen->address, address, sizeof address);
		tell(s, LK_PORT_FOREIGN_SOURCE, seen->port, seen->mac, g, address);
		return true;
	case LK_SIGHTING_SETS:
		break;
	}
	return false;
}

/* A port that shows ever new addresses shall not fill the ledger. Counts what is told. */
static bool
tell_of_port(struct state *s, enum lk_sighting_set which, const struct lk_sighting *seen)
{
	struct port *p = find_port(s, seen->port);
	int64_t now = lk_loop_now_ms(s->process->loop);

	if (!p)
		return false;
	if (p->told[which].until <= now) {
		p->told[which].n = 0;
		p->told[which].until = now + PORT_TOLD_MS;
	}
	if (p->told[which].n == PORT_TOLD_MAX || !tell_sighting(s, which, seen))
		return false;
	if (++p->told[which].n == PORT_TOLD_MAX)
		lk_log(LK_LOG_WARNING, "sightings-dropped", "port", seen->port, "msg",
			"too many to tell each", NULL);
	return true;
}

/* New is what the look before did not have: both are sorted. An element lives for five minutes
 * after the last packet, so whoever goes on is told once. */
static struct lk_result
look_at(struct state *s, enum lk_sighting_set which, struct lk_err *e)
{
	const struct lk_sighting *old = s->told[which], *end = old + s->n_told[which];
	struct lk_sighting *v;
	size_t i, n, told = 0;

	LK_TRY(lk_sightings_dump(s->netfilter, which, &v, &n, e));
	for (i = 0; i < n; i++) {
		while (old < end && memcmp(old, &v[i], sizeof v[i]) < 0)
			old++;
		if ((old == end || memcmp(old, &v[i], sizeof v[i]) != 0) && told < TOLD_MAX)
			told += tell_of_port(s, which, &v[i]);
	}
	if (told == TOLD_MAX)
		lk_log(LK_LOG_WARNING, "sightings-dropped", "msg", "too many at once to tell each",
			NULL);
	free(s->told[which]);
	s->told[which] = v;
	s->n_told[which] = n;
	return LK_OK;
}

static struct lk_result
look(struct state *s, struct lk_err *e)
{
	unsigned i;

	if (!s->ports_known)
		LK_TRY(follow_links(s, e));
	LK_TRY(ensure_tables(s, e));
	end_leases(s);
	for (i = 0; i < LK_SIGHTING_SETS; i++)
		LK_TRY(look_at(s, i, e));
	return LK_OK;
}

static void
on_look(void *ctx)
{
	struct state *s = ctx;
	struct lk_err e;

	if (!look(s, &e).ok)
		lk_log_err(&e, NULL);
	lk_timer_at(s->look, lk_loop_now_ms(s->process->loop) + LOOK_MS);
}

/* --- life ------------------------------------------------------------------------------------- */

static struct lk_result
configure(struct state *s, const struct lk_noc_config *c, struct lk_err *e)
{
	char list[LK_CONFIG_TEXT_MAX], *at = list, *item;

	LK_REQUIRE(inet_pton(AF_INET6, c->router_address, s->rules.router) == 1, e, LK_R_RULESET,
		"router_address \"%s\" is no IPv6 address", c->router_address);
	LK_TRY(lk_network4_parse(lk_slice_str(c->device_network), &s->rules.devices, e));
	s->profile = (struct lk_profile){ .class = JOINED_CLASS, .flows = s->flows };
	memcpy(list, c->reach, sizeof list);
	while ((item = strsep(&at, ", ")))
		if (item[0]) {
			LK_REQUIRE(s->profile.n_flows < LK_ARRAY_LEN(s->flows), e, LK_R_RULESET,
				"reach has more than %zu flows", LK_ARRAY_LEN(s->flows));
			LK_TRY(lk_flow_parse(
				lk_slice_str(item), &s->flows[s->profile.n_flows++], e));
		}
	s->rules.bridge = c->bridge;
	s->rules.join_port = (uint16_t)c->join_port;
	s->rules.profiles = &s->profile;
	s->rules.n_profiles = 1;
	return LK_OK;
}

static struct lk_result
enforcer_open(struct lk_process *p, struct lk_err *e)
{
	const struct lk_noc_config *c = lk_noc_config_of(p);
	struct state *s = calloc(1, sizeof *s);

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for the enforcer");
	p->state = s;
	s->process = p;
	s->read_leases = (struct lk_deferred){ .fn = read_leases, .ctx = s };
	s->open = calloc(OPEN_MAX, sizeof *s->open);
	LK_REQUIRE(s->open, e, LK_R_NOMEM, "no memory for %d devices", OPEN_MAX);
	LK_TRY(configure(s, c, e));
	LK_TRY(lk_lease_watch_new(p->loop, c->lease_file, on_lease_file, s, &s->leases_watch, e));
	LK_TRY(lk_netfilter_open(&s->netfilter, e));
	return lk_links_open(&s->links, e);
}

static struct lk_result
enforcer_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	static struct lk_cage_path paths[] = {
		{ "/usr/sbin/nft", LK_CAGE_READ | LK_CAGE_EXEC },
		{ "/usr/lib", LK_CAGE_READ | LK_CAGE_EXEC },
		{ "/lib64", LK_CAGE_READ | LK_CAGE_EXEC }, { "/etc/ld.so.cache", LK_CAGE_READ },
		{ NULL, LK_CAGE_READ }, /* the lease file's folder */
	};
	static char folder[LK_CONFIG_TEXT_MAX];

	(void)e;
	memcpy(folder, lk_noc_config_of(p)->lease_file, sizeof folder);
	*(strrchr(folder, '/') ? strrchr(folder, '/') + 1 : folder) = 0;
	paths[LK_ARRAY_LEN(paths) - 1].path = folder[0] ? folder : ".";
	rules->profiles = LK_CAGE_NFT;
	rules->paths = paths;
	rules->n_paths = LK_ARRAY_LEN(paths);
	rules->capabilities = UINT64_C(1) << CAP_NET_ADMIN;
	rules->files_max = DESCRIPTORS;
	return LK_OK;
}

static struct lk_result
enforcer_start(struct lk_process *p, struct lk_err *e)
{
	struct state *s = p->state;

	LK_TRY(follow_links(s, e));
	LK_TRY(cut_all(s, e));
	LK_TRY(lk_watch_new(
		p->loop, lk_links_fd(s->links), LK_READABLE, on_links, s, &s->links_watch, e));
	LK_TRY(lk_timer_new(p->loop, on_look, s, &s->look, e));
	lk_timer_at(s->look, lk_loop_now_ms(p->loop) + LOOK_MS);
	return LK_OK;
}

/*= Latchkey enforcement: a stopped enforcer leaves every port shut =*/
/* From here on nobody watches the cables: everybody out, and the tables stay. */
static void
enforcer_stop(struct lk_process *p)
{
	struct state *s = p->state;
	struct lk_err e;

	if (!cut_all(s, &e).ok)
		lk_log_err(&e, NULL);
	lk_process_end(p);
}

static void
enforcer_close(struct lk_process *p)
{
	struct state *s = p->state;
	unsigned i;

	if (!s)
		return;
	lk_deferred_cancel(&s->read_leases);
	lk_timer_free(s->look);
	lk_watch_free(s->links_watch);
	lk_lease_watch_free(s->leases_watch);
	while (s->n_ports)
		port_free(s->ports[--s->n_ports]);
	lk_links_close(s->links);
	lk_netfilter_close(s->netfilter);
	for (i = 0; i < LK_SIGHTING_SETS; i++)
		free(s->told[i]);
	free(s->open);
	free(s);
}

static const struct lk_message_route routes[] = {
	{ LK_BODY_port_open, LK_ROLE_KEEPER, on_port_open },
	{ LK_BODY_port_close, LK_ROLE_KEEPER, on_port_close },
};

const struct lk_role_work lk_noc_enforcer = {
	.routes = routes,
	.n_routes = LK_ARRAY_LEN(routes),
	.open = enforcer_open,
	.cage = enforcer_cage,
	.start = enforcer_start,
	.linked = enforcer_linked,
	.stop = enforcer_stop,
	.close = enforcer_close,
};
