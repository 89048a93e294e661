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
 */
#include <arpa/inet.h>
#include <linux/capability.h>
#include <stdlib.h>

#include "base/log.h"
#include "noc/enforcer/internal.h"

enum {
	JOINED_CLASS =
		1,      /* the profile of every joined device, until profiles come from MUD files */
	LOOK_MS = 1000, /* between two looks at the kernel: sightings, our tables, ended leases */
	DESCRIPTORS = 4096 /* hostapd's sockets, one a port */
};

/* --- what the keeper is told ------------------------------------------------------------------ */

void
lk_enforcer_tell(struct enforcer *s, enum lk_port_event kind, const char *port,
	const uint8_t mac[static 6], const struct guest *about, const char *detail)
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

/* --- the keeper's word -------------------------------------------------------------------------- */

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
	r = lk_guest_admit(p->state, &b, &changed, &why);
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
	r = lk_guest_close(p->state, &b, &changed, &why);
	return answer(p, from, r, changed, &why, e);
}

/* --- hostapd's word --------------------------------------------------------------------------- */

static void
on_hostapd(void *ctx, const char *port, const struct lk_hostapd_message *m)
{
	struct enforcer *s = ctx;
	bool open = lk_guest_is_open(s, port, m->mac);

	if (m->kind == LK_HOSTAPD_CONNECTED && !open) {
		lk_enforcer_tell(s, LK_PORT_AUTHENTICATED, port, m->mac, NULL, "");
	} else if (m->kind == LK_HOSTAPD_DISCONNECTED) {
		lk_enforcer_tell(
			s, LK_PORT_LEFT, port, m->mac, open ? lk_guest_find(s, m->mac) : NULL, "");
		if (open)
			lk_guest_cut(s, lk_guest_find(s, m->mac));
	}
}

/*= Latchkey enforcement: what a keeper decided before it died holds =*/
/* It may have revoked a device and not told us, or heard of one and not answered. Whoever is there
 * is authenticated once more, which asks the keeper; whoever is in stays in meanwhile. */
static void
enforcer_linked(struct lk_process *p, const struct lk_peer_ref *peer)
{
	const struct enforcer *s = p->state;
	size_t i;

	if (peer->role != LK_ROLE_KEEPER)
		return;
	for (i = 0; i < s->n_ports; i++)
		lk_hostapd_reauthenticate_all(s->ports[i]->hostapd);
}

/* --- the kernel's, dnsmasq's and the clock's ----------------------------------------------------- */

static void
on_links(void *ctx, unsigned ready)
{
	struct enforcer *s = ctx;
	struct lk_err e;

	(void)ready;
	lk_links_drain(s->links);
	if (!lk_ports_follow(s, &e).ok || !lk_tables_ensure(s, &e).ok)
		lk_log_err(&e, NULL);
}

static void
on_lease_file(void *ctx)
{
	struct enforcer *s = ctx;

	lk_defer(s->process->loop, &s->read_leases);
}

static void
read_leases(void *ctx)
{
	lk_bindings_read(ctx);
}

static struct lk_result
look(struct enforcer *s, struct lk_err *e)
{
	if (!s->ports_known)
		LK_TRY(lk_ports_follow(s, e));
	LK_TRY(lk_tables_ensure(s, e));
	lk_bindings_expire(s);
	return lk_sightings_look(s, e);
}

static void
on_look(void *ctx)
{
	struct enforcer *s = ctx;
	struct lk_err e;

	if (!look(s, &e).ok)
		lk_log_err(&e, NULL);
	lk_timer_at(s->look, lk_loop_now_ms(s->process->loop) + LOOK_MS);
}

/* --- life ------------------------------------------------------------------------------------- */

static struct lk_result
configure(struct enforcer *s, const struct lk_noc_config *c, struct lk_err *e)
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
	struct enforcer *s = calloc(1, sizeof *s);

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for the enforcer");
	p->state = s;
	s->process = p;
	s->on_hostapd = on_hostapd;
	s->read_leases = (struct lk_deferred){ .fn = read_leases, .ctx = s };
	s->open = calloc(LK_GUESTS_MAX, sizeof *s->open);
	LK_REQUIRE(s->open, e, LK_R_NOMEM, "no memory for %d devices", LK_GUESTS_MAX);
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
	struct enforcer *s = p->state;

	LK_TRY(lk_ports_follow(s, e));
	LK_TRY(lk_guests_cut_all(s, e));
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
	struct enforcer *s = p->state;
	struct lk_err e;

	if (!lk_guests_cut_all(s, &e).ok)
		lk_log_err(&e, NULL);
	lk_process_end(p);
}

static void
enforcer_close(struct lk_process *p)
{
	struct enforcer *s = p->state;
	unsigned i;

	if (!s)
		return;
	lk_deferred_cancel(&s->read_leases);
	lk_timer_free(s->look);
	lk_watch_free(s->links_watch);
	lk_lease_watch_free(s->leases_watch);
	lk_ports_done(s);
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
