/* SPDX-License-Identifier: Apache-2.0
 *
 * What the ports saw and the rules noted: told to the keeper once, and of one port not too often.
 */
#include "noc/enforcer/internal.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/log.h"

enum {
	TOLD_MAX = 64,      /* a look */
	PORT_TOLD_MAX = 32, /* of a set at one port, in PORT_TOLD_MS: MAC addresses are free */
	PORT_TOLD_MS = 300 * 1000
};

/* What a device that did nothing wrong left behind, a moment before it was let in or bound, is not
 * told. False when there is nothing to tell. */
static bool
tell_sighting(struct enforcer *s, enum lk_sighting_set which, const struct lk_sighting *seen)
{
	const struct guest *g = lk_guest_find(s, seen->mac);
	char address[INET_ADDRSTRLEN];

	switch (which) {
	case LK_SIGHTING_SEEN:
		if (g)
			return false;
		lk_enforcer_tell(s, LK_PORT_SEEN, seen->port, seen->mac, NULL, "");
		return true;
	case LK_SIGHTING_MOVED:
		if (!g || strcmp(g->admission.port, seen->port) == 0)
			return false;
		lk_enforcer_tell(
			s, LK_PORT_FOREIGN_MAC, seen->port, seen->mac, g, g->admission.port);
		return true;
	case LK_SIGHTING_FOREIGN4:
		if (!g || lk_guest_is_bound(g, seen->address))
			return false;
		inet_ntop(AF_INET, seen->address, address, sizeof address);
		lk_enforcer_tell(s, LK_PORT_FOREIGN_SOURCE, seen->port, seen->mac, g, address);
		return true;
	case LK_SIGHTING_SETS:
		break;
	}
	return false;
}

/* A port that shows ever new addresses shall not fill the ledger. Counts what is told. */
static bool
tell_of_port(struct enforcer *s, enum lk_sighting_set which, const struct lk_sighting *seen)
{
	struct port *p = lk_port_find(s, seen->port);
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
look_at(struct enforcer *s, enum lk_sighting_set which, struct lk_err *e)
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

struct lk_result
lk_sightings_look(struct enforcer *s, struct lk_err *e)
{
	unsigned i;

	for (i = 0; i < LK_SIGHTING_SETS; i++)
		LK_TRY(look_at(s, i, e));
	return LK_OK;
}
