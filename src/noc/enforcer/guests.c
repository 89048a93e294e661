/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is in: a device goes in when the keeper says so and hostapd has let it through, and out of
 * the kernel's elements, its connections and memory together.
 */
#include "noc/enforcer/internal.h"

#include "base/log.h"

struct guest *
lk_guest_find(const struct enforcer *s, const uint8_t mac[static 6])
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

bool
lk_guest_is_open(const struct enforcer *s, const char *port, const uint8_t mac[static 6])
{
	const struct guest *g = lk_guest_find(s, mac);

	return g && is_at(g, port, mac);
}

/* Goes round, so that the number of one who left comes back as late as possible. */
static uint32_t
new_device(struct enforcer *s)
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
cut(struct enforcer *s, struct guest *g, struct lk_err *e)
{
	struct lk_admission gone = g->admission;
	struct lk_err why;

	*g = s->open[--s->n_open];
	if (!lk_elements_cut(s->netfilter, &gone, &why).ok) {
		lk_log_err(&why, "port", gone.port, NULL);
		LK_TRY(lk_tables_install(s, e));
	}
	return lk_conntrack_cut(s->netfilter, gone.mark, e);
}

struct lk_result
lk_guests_cut_all(struct enforcer *s, struct lk_err *e)
{
	s->n_open = 0;
	LK_TRY(lk_tables_install(s, e));
	return lk_conntrack_cut_class(s->netfilter, s->profile.class, e);
}

void
lk_guest_cut(struct enforcer *s, struct guest *g)
{
	struct lk_err e;

	if (!cut(s, g, &e).ok)
		lk_log_err(&e, NULL);
}

struct lk_result
lk_guest_admit(
	struct enforcer *s, const struct lk_port_open_body *b, bool *ret_changed, struct lk_err *e)
{
	struct guest g = { .until = LK_TIME_NEVER };
	const struct port *p = lk_port_find(s, b->port);
	const struct guest *other;

	LK_TRY(lk_mac_parse(lk_slice_str(b->mac), g.admission.mac, e));
	LK_REQUIRE(p, e, LK_R_ENFORCER_PORT, "there is no device port %s", b->port);
	LK_REQUIRE(b->class_mark == s->profile.class, e, LK_R_RULESET, "there is no profile %lld",
		(long long)b->class_mark);
	LK_TRY(lk_tables_ensure(s, e));
	other = lk_guest_find(s, g.admission.mac);
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
	LK_REQUIRE(s->n_open < LK_GUESTS_MAX, e, LK_R_BUSY, "%d devices are open", LK_GUESTS_MAX);
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
send_away(struct enforcer *s, const char *port, const uint8_t mac[static 6])
{
	const struct port *p = lk_port_find(s, port);
	struct lk_err e;

	if (p && !lk_hostapd_deauthenticate(p->hostapd, mac, &e).ok)
		lk_log_err(&e, "port", port, NULL);
}

struct lk_result
lk_guest_close(
	struct enforcer *s, const struct lk_port_close_body *b, bool *ret_changed, struct lk_err *e)
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
