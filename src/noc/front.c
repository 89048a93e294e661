/* SPDX-License-Identifier: Apache-2.0
 *
 * The front towards devices: BRSKI, EST and Latchkey's own endpoints over TLS. It
 * holds no key, decides nothing, writes nothing and connects nowhere.
 */
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>

#include "base/number.h"
#include "net/mdns_io.h"
#include "base/log.h"
#include "noc/follower.h"
#include "noc/noc.h"
#include "noc/publish.h"
#include "role/certs_file.h"
#include "role/front.h"

#define ANNOUNCED_MAX 16 /* interfaces */

struct state {
	struct lk_certs chain;
	struct lk_est_labels labels;
	struct lk_front *front;
	struct lk_publisher *publisher;
	struct lk_follower *follower;
	struct announced {
		unsigned interface;
		struct in6_addr address; /* its link-local one */
		int fd;                  /* until the announcer has it; else -1 */
		struct lk_mdns_io *io;
	} announced[ANNOUNCED_MAX];
	size_t n_announced;
};

static struct lk_result
link_local(const char *name, struct in6_addr *ret, struct lk_err *e)
{
	struct ifaddrs *all, *i;
	bool found = false;

	LK_REQUIRE(getifaddrs(&all) == 0, e, LK_R_LISTEN, "the interfaces cannot be listed");
	for (i = all; i && !found; i = i->ifa_next) {
		const struct sockaddr_in6 *sa = (const void *)i->ifa_addr;

		if (!sa || sa->sin6_family != AF_INET6 || strcmp(i->ifa_name, name) != 0 ||
			!IN6_IS_ADDR_LINKLOCAL(&sa->sin6_addr))
			continue;
		*ret = sa->sin6_addr;
		found = true;
	}
	freeifaddrs(all);
	LK_REQUIRE(
		found, e, LK_R_LISTEN, "[front] announce: %s has no link-local IPv6 address", name);
	return LK_OK;
}

static struct lk_result
open_announced(struct state *s, const char *name, struct lk_err *e)
{
	struct announced *a = &s->announced[s->n_announced];

	LK_REQUIRE(s->n_announced < ANNOUNCED_MAX, e, LK_R_TOO_LARGE,
		"[front] announce: more than %d interfaces", ANNOUNCED_MAX);
	a->interface = if_nametoindex(name);
	LK_REQUIRE(
		a->interface, e, LK_R_LISTEN, "[front] announce: there is no interface %s", name);
	LK_TRY(link_local(name, &a->address, e));
	LK_TRY(lk_mdns_socket(a->interface, &a->fd, e));
	s->n_announced++;
	return LK_OK;
}

/* One of the fronts announces for all. */
static struct lk_result
open_all_announced(struct lk_process *p, struct state *s, struct lk_err *e)
{
	char list[LK_CONFIG_TEXT_MAX], *at = list, *name;

	if (p->index != 0)
		return LK_OK;
	memcpy(list, lk_noc_config_of(p)->announce, sizeof list);
	while ((name = strsep(&at, ", ")))
		if (name[0])
			LK_TRY(open_announced(s, name, e));
	return LK_OK;
}

/* The port of the first address that the fronts listen on. */
static struct lk_result
port_of(const char *listen, uint16_t *ret, struct lk_err *e)
{
	const char *end = strchr(listen, ',');
	const char *colon = NULL, *c;
	uint32_t port;

	if (!end)
		end = listen + strlen(listen);
	for (c = listen; c < end; c++)
		if (*c == ':')
			colon = c;
	LK_REQUIRE(colon, e, LK_R_LISTEN, "[front] listen: \"%s\" has no port", listen);
	LK_TRY(lk_parse_u32(
		lk_slice(colon + 1, (size_t)(end - colon - 1)), "port", 1, 65535, &port, e));
	*ret = (uint16_t)port;
	return LK_OK;
}

static struct lk_result
announce(struct lk_process *p, struct announced *a, struct lk_err *e)
{
	struct lk_mdns_self self = { .instance = "Latchkey",
		.host = "latchkey",
		.address = a->address,
		.services = { [LK_MDNS_REGISTRAR] = true } };

	LK_TRY(port_of(lk_noc_config_of(p)->listen, &self.port, e));
	LK_TRY(lk_mdns_io_new(p->loop, a->fd, a->interface, &self, &lk_random_system, &a->io, e));
	a->fd = -1;
	return LK_OK;
}

static struct lk_result
front_open(struct lk_process *p, struct lk_err *e)
{
	struct state *s = calloc(1, sizeof *s);
	char path[PATH_MAX];

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for a front");
	p->state = s;
	LK_TRY(lk_noc_pki_path(lk_noc_config_of(p), "registrar.pem", path, e));
	LK_TRY(lk_certs_read(path, &s->chain, e));
	LK_TRY(lk_noc_est_labels(lk_noc_config_of(p), &s->labels, e));
	return open_all_announced(p, s, e);
}

static struct lk_result
front_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	(void)p;
	(void)e;
	rules->profiles = LK_CAGE_SERVE;
	return LK_OK;
}

static struct lk_result
renewed(void *ctx, const struct lk_certs *chain, struct lk_err *e)
{
	struct state *s = ctx;

	return lk_front_renew(s->front, chain, e);
}

static struct lk_result
front_start(struct lk_process *p, struct lk_err *e)
{
	struct state *s = p->state;
	struct lk_front_settings set = { .service = LK_SERVICE_NOC,
		.listener = "devices",
		.chain = &s->chain,
		.key = LK_SIGNER_REGISTRAR,
		.allow_tls12 =
			lk_noc_config_of(p)->allow_tls12 || lk_est_labels_want_tls12(&s->labels) };

	size_t i;

	LK_TRY(lk_front_new(p, &set, &s->front, e));
	LK_TRY(lk_follower_new(p, LK_OWN_REGISTRAR, &s->chain, renewed, s, &s->follower, e));
	/* The keeper takes the other half of the time. */
	LK_TRY(lk_publisher_new(p, lk_noc_config_of(p)->crl_refresh / 2, &s->publisher, e));
	for (i = 0; i < s->n_announced; i++)
		LK_TRY(announce(p, &s->announced[i], e));
	return LK_OK;
}

static void
front_close(struct lk_process *p)
{
	struct state *s = p->state;

	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->n_announced; i++) {
		lk_mdns_io_free(s->announced[i].io);
		lk_closep(&s->announced[i].fd);
	}
	lk_publisher_free(s->publisher);
	lk_front_free(s->front);
	lk_follower_free(s->follower);
	lk_certs_done(&s->chain);
	free(s);
}

const struct lk_role_work lk_noc_front = {
	.open = front_open,
	.cage = front_cage,
	.start = front_start,
	.close = front_close,
};
