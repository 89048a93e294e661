/* SPDX-License-Identifier: Apache-2.0
 *
 * Bindings: a guest may use the address that dnsmasq leased to it, until the lease ends. A lease
 * that is missing from the file unbinds nothing, since dnsmasq empties the file before it writes
 * it.
 */
#include "noc/enforcer/internal.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"

static void
rebind(struct enforcer *s, struct lk_admission *a, const struct lk_admission *to)
{
	struct lk_err e;

	if (!lk_elements_rebind(s->netfilter, a, to, &e).ok) {
		lk_log_err(&e, "port", a->port, NULL);
		return;
	}
	*a = *to;
}

static void
unbind(struct enforcer *s, struct guest *g)
{
	struct lk_admission to = g->admission;

	to.bound = false;
	rebind(s, &g->admission, &to);
}

bool
lk_guest_is_bound(const struct guest *g, const uint8_t address[static 4])
{
	return g->admission.bound && memcmp(g->admission.address, address, 4) == 0;
}

static void
bind_lease(struct enforcer *s, struct guest *g, const struct lk_lease *l)
{
	struct lk_admission to = g->admission;
	char text[INET_ADDRSTRLEN];
	size_t i;

	g->until = l->expires_at;
	if (lk_guest_is_bound(g, l->address))
		return;
	for (i = 0; i < s->n_open; i++) /* who had the address before */
		if (lk_guest_is_bound(&s->open[i], l->address))
			unbind(s, &s->open[i]);
	memcpy(to.address, l->address, sizeof to.address);
	to.bound = true;
	rebind(s, &g->admission, &to);
	inet_ntop(AF_INET, l->address, text, sizeof text);
	if (g->admission.bound)
		lk_enforcer_tell(s, LK_PORT_LEASE, to.port, to.mac, g, text);
}

void
lk_bindings_read(struct enforcer *s)
{
	const struct lk_noc_config *c = lk_noc_config_of(s->process);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_LEASE_FILE_MAX);
	LK_CLEANUP(lk_freep) struct lk_lease *v = NULL;
	int64_t now = lk_now(lk_loop_clock(s->process->loop));
	size_t i, n;
	struct lk_err e;

	if (!lk_tables_ensure(s, &e).ok) { /* to bind is to open */
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

void
lk_bindings_expire(struct enforcer *s)
{
	int64_t now = lk_now(lk_loop_clock(s->process->loop));
	size_t i;

	for (i = 0; i < s->n_open; i++)
		if (s->open[i].admission.bound && s->open[i].until <= now)
			unbind(s, &s->open[i]);
}
