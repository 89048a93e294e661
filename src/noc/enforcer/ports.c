/* SPDX-License-Identifier: Apache-2.0
 *
 * The device ports: which there are, and whether a cable was pulled meanwhile.
 */
#include "noc/enforcer/internal.h"

#include <stdlib.h>

struct port *
lk_port_find(const struct enforcer *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_ports; i++)
		if (strcmp(s->ports[i]->link.name, name) == 0)
			return s->ports[i];
	return NULL;
}

/* Is the port one of the configuration's? "port*" names all that begin so. */
static bool
is_device_port(const struct enforcer *s, const char *name)
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
add_port(struct enforcer *s, const struct lk_link *l, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct port *p = calloc(1, sizeof *p);

	LK_REQUIRE(p, e, LK_R_NOMEM, "no memory for a port");
	p->link = *l;
	LK_TRY(lk_hostapd_new(s->process->loop, lk_noc_config_of(s->process)->hostapd_dir,
		p->link.name, s->on_hostapd, s, &p->hostapd, e));
	s->ports[s->n_ports++] = LK_TAKE(p);
	s->fingerprint = 0;
	return LK_OK;
}

static void
remove_port(struct enforcer *s, size_t i)
{
	port_free(s->ports[i]);
	s->ports[i] = s->ports[--s->n_ports];
	s->fingerprint = 0;
}

/* hostapd does not look at cables: it would take whoever comes next for whom it knows. */
static void
empty_port(struct enforcer *s, struct port *p)
{
	size_t i = 0;

	while (i < s->n_open) {
		struct guest g = s->open[i];

		if (strcmp(g.admission.port, p->link.name) != 0) {
			i++;
			continue;
		}
		lk_guest_cut(s, &s->open[i]);
		lk_enforcer_tell(s, LK_PORT_LEFT, g.admission.port, g.admission.mac, &g,
			"the link went down");
	}
	lk_hostapd_deauthenticate_all(p->hostapd);
}

/* Was its cable in all the time? Whoever is slow to look sees it by the count. */
static bool
stayed_up(const struct lk_link *before, const struct lk_link *now)
{
	return now && now->running && now->index == before->index && now->downs == before->downs;
}

struct lk_result
lk_ports_follow(struct enforcer *s, struct lk_err *e)
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
		if (is_device_port(s, v[i].name) && !lk_port_find(s, v[i].name))
			LK_TRY(add_port(s, &v[i], e));
	s->ports_known = true;
	return LK_OK;
}

void
lk_ports_done(struct enforcer *s)
{
	while (s->n_ports)
		port_free(s->ports[--s->n_ports]);
}
