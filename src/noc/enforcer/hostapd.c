/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser; then the client, whose one timer tries to attach, and once attached asks
 * whether hostapd is still the one that was attached to.
 */
#include "noc/enforcer/hostapd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "noc/enforcer/mac.h"

enum {
	ATTACH_MS = 200,  /* between two tries to attach */
	PING_MS = 2000,   /* a hostapd that said nothing for that long was restarted */
	STATIONS_MAX = 16 /* of a port */
};

/* --- the parser ------------------------------------------------------------------------------- */

static bool
starts(struct lk_slice in, const char *with)
{
	return in.n >= strlen(with) && memcmp(in.p, with, strlen(with)) == 0;
}

static struct lk_slice
skip(struct lk_slice in, size_t n)
{
	return lk_slice(in.p + n, in.n - n);
}

/* Up to a blank, a line's end or the packet's. */
static struct lk_slice
first_word(struct lk_slice in)
{
	size_t n = 0;

	while (n < in.n && in.p[n] != ' ' && in.p[n] != '\n')
		n++;
	return lk_slice(in.p, n);
}

static struct lk_result
parse_event(struct lk_slice in, struct lk_hostapd_message *m, struct lk_err *e)
{
	static const struct {
		const char *name;
		enum lk_hostapd_kind kind;
	} events[] = {
		{ "AP-STA-CONNECTED ", LK_HOSTAPD_CONNECTED },
		{ "AP-STA-DISCONNECTED ", LK_HOSTAPD_DISCONNECTED },
		{ "CTRL-EVENT-EAP-SUCCESS2 ", LK_HOSTAPD_SUCCESS }, /* by a RADIUS server */
		{ "CTRL-EVENT-EAP-SUCCESS ", LK_HOSTAPD_SUCCESS },  /* by hostapd's own */
		{ "CTRL-EVENT-EAP-FAILURE2 ", LK_HOSTAPD_FAILURE },
		{ "CTRL-EVENT-EAP-FAILURE ", LK_HOSTAPD_FAILURE },
	};
	struct lk_err why;
	size_t i;

	if (starts(in, "CTRL-EVENT-TERMINATING"))
		m->kind = LK_HOSTAPD_TERMINATING;
	for (i = 0; i < LK_ARRAY_LEN(events); i++) {
		if (!starts(in, events[i].name))
			continue;
		LK_REQUIRE(
			lk_mac_parse(first_word(skip(in, strlen(events[i].name))), m->mac, &why).ok,
			e, LK_R_HOSTAPD_SYNTAX, "%s%s", events[i].name, why.msg);
		m->kind = events[i].kind;
	}
	return LK_OK;
}

struct lk_result
lk_hostapd_parse(struct lk_slice in, struct lk_hostapd_message *ret, struct lk_err *e)
{
	struct lk_hostapd_message m = { LK_HOSTAPD_OTHER, { 0 } };

	LK_REQUIRE(in.n < LK_HOSTAPD_PACKET_MAX, e, LK_R_HOSTAPD_SYNTAX, "a packet of %zu bytes",
		in.n);
	if (in.n >= 3 && in.p[0] == '<') { /* "<3>": the event's level */
		LK_REQUIRE(in.p[1] >= '0' && in.p[1] <= '9' && in.p[2] == '>', e,
			LK_R_HOSTAPD_SYNTAX, "an event without level");
		LK_TRY(parse_event(skip(in, 3), &m, e));
	} else if (lk_slice_eq(in, LK_SLICE_LIT("OK\n"))) {
		m.kind = LK_HOSTAPD_OK;
	} else if (lk_mac_parse(first_word(in), m.mac, NULL).ok) {
		m.kind = LK_HOSTAPD_STATION;
	}
	*ret = m;
	return LK_OK;
}

/* --- the client ------------------------------------------------------------------------------- */

struct stations {
	uint8_t v[STATIONS_MAX][6];
	size_t n;
};

struct lk_hostapd {
	struct lk_loop *loop;
	const char *port;
	struct sockaddr_un address;
	lk_hostapd_fn *fn;
	void *ctx;
	struct lk_timer *timer;
	int fd; /* -1: not attached, nor trying */
	struct lk_watch *watch;
	bool attached, heard;   /* since the last ping */
	struct stations asked;  /* to authenticate once more */
	struct stations passed; /* whom it let through; of the last one, until there is a new one */
};

static uint8_t *
find_station(struct stations *s, const uint8_t mac[static 6])
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (memcmp(s->v[i], mac, 6) == 0)
			return s->v[i];
	return NULL;
}

static bool
add_station(struct stations *s, const uint8_t mac[static 6])
{
	if (s->n == STATIONS_MAX)
		return false;
	memcpy(s->v[s->n++], mac, 6);
	return true;
}

static bool
remove_station(struct stations *s, const uint8_t mac[static 6])
{
	uint8_t *at = find_station(s, mac);

	if (at)
		memmove(at, s->v[--s->n], 6);
	return at;
}

static void
detach(struct lk_hostapd *h)
{
	lk_watch_free(LK_TAKE(h->watch));
	lk_closep(&h->fd);
	h->fd = -1;
	h->attached = false;
	h->asked.n = 0;
}

static bool
say(struct lk_hostapd *h, const char *command)
{
	return send(h->fd, command, strlen(command), MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       (ssize_t)strlen(command);
}

static bool
say_mac(struct lk_hostapd *h, const char *command, const uint8_t mac[static 6])
{
	char text[64], m[LK_MAC_TEXT];

	lk_mac_print(mac, m);
	snprintf(text, sizeof text, "%s %s", command, m);
	return say(h, text);
}

static void
on_station(struct lk_hostapd *h, const uint8_t mac[static 6])
{
	if (!add_station(&h->asked, mac))
		return;
	say_mac(h, "EAPOL_REAUTH", mac);
	say_mac(h, "STA-NEXT", mac);
}

static void
pass_on(struct lk_hostapd *h, enum lk_hostapd_kind kind, const uint8_t mac[static 6])
{
	struct lk_hostapd_message m = { .kind = kind };

	memcpy(m.mac, mac, 6);
	h->fn(h->ctx, h->port, &m);
}

/* What the last one said stands no longer: nobody would end those sessions. Whoever it had let
 * through is shown to the new one, which asks it; a supplicant that is content does not ask. */
static void
on_attached(struct lk_hostapd *h)
{
	struct stations before = h->passed;
	size_t i;

	h->attached = true;
	/*= Latchkey enforcement: an open port does not outlive the hostapd that let the device through =*/
	h->passed.n = 0;
	lk_log(LK_LOG_INFO, "hostapd-attached", "port", h->port, NULL);
	for (i = 0; i < before.n; i++) {
		pass_on(h, LK_HOSTAPD_DISCONNECTED, before.v[i]);
		say_mac(h, "NEW_STA", before.v[i]);
	}
	say(h, "STA-FIRST");
}

static void
on_connected(struct lk_hostapd *h, const uint8_t mac[static 6])
{
	struct lk_err e;

	remove_station(&h->asked, mac);
	if (find_station(&h->passed, mac))
		return;
	if (add_station(&h->passed, mac)) {
		pass_on(h, LK_HOSTAPD_CONNECTED, mac);
		return;
	}
	lk_err_set(
		&e, LK_R_BUSY, "%d devices are in at one port, no more are let in", STATIONS_MAX);
	lk_log_err(&e, "port", h->port, NULL);
}

/* hostapd forgets a station some seconds after it sent it away, even one that authenticated since
 * and is content. Shown to hostapd again it is asked; while hostapd knows it, nothing happens. */
static void
on_gone(struct lk_hostapd *h, const struct lk_hostapd_message *m)
{
	remove_station(&h->asked, m->mac);
	remove_station(&h->passed, m->mac);
	pass_on(h, m->kind, m->mac);
	say_mac(h, "NEW_STA", m->mac);
}

/* False when the client was detached. */
static bool
take(struct lk_hostapd *h, const struct lk_hostapd_message *m)
{
	switch (m->kind) {
	case LK_HOSTAPD_OK:
		if (!h->attached)
			on_attached(h);
		break;
	case LK_HOSTAPD_STATION:
		on_station(h, m->mac);
		break;
	case LK_HOSTAPD_SUCCESS:
		if (find_station(&h->asked, m->mac))
			on_connected(h, m->mac);
		break;
	case LK_HOSTAPD_CONNECTED:
		on_connected(h, m->mac);
		break;
	case LK_HOSTAPD_DISCONNECTED:
	case LK_HOSTAPD_FAILURE:
		on_gone(h, m);
		break;
	case LK_HOSTAPD_TERMINATING:
		detach(h);
		return false;
	case LK_HOSTAPD_OTHER:
		break;
	}
	return true;
}

static void
on_packet(void *ctx, unsigned ready)
{
	struct lk_hostapd *h = ctx;
	char packet[LK_HOSTAPD_PACKET_MAX];
	struct lk_hostapd_message m;
	struct lk_err e;
	ssize_t n;

	(void)ready;
	while ((n = recv(h->fd, packet, sizeof packet, MSG_DONTWAIT)) >= 0) {
		h->heard = true;
		if (!lk_hostapd_parse(lk_slice(packet, (size_t)n), &m, &e).ok)
			lk_log_err(&e, "port", h->port, NULL);
		else if (!take(h, &m))
			return;
	}
	if (errno != EAGAIN)
		detach(h);
}

/* The client's own address is one that the kernel makes up: no file is left behind. */
static void
attach(struct lk_hostapd *h)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };

	h->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	h->heard = true;
	if (h->fd < 0 || bind(h->fd, (const struct sockaddr *)&any, sizeof any.sun_family) < 0 ||
		connect(h->fd, (const struct sockaddr *)&h->address, sizeof h->address) < 0 ||
		!lk_watch_new(h->loop, h->fd, LK_READABLE, on_packet, h, &h->watch, NULL).ok ||
		!say(h, "ATTACH"))
		detach(h);
}

static void
on_timer(void *ctx)
{
	struct lk_hostapd *h = ctx;

	if (h->fd >= 0 && (!h->heard || !say(h, "PING")))
		detach(h);
	h->heard = false;
	if (h->fd < 0)
		attach(h);
	lk_timer_at(h->timer, lk_loop_now_ms(h->loop) + (h->fd < 0 ? ATTACH_MS : PING_MS));
}

struct lk_result
lk_hostapd_new(struct lk_loop *l, const char *dir, const char *port, lk_hostapd_fn *fn, void *ctx,
	struct lk_hostapd **ret, struct lk_err *e)
{
	struct lk_hostapd *h = calloc(1, sizeof *h);

	LK_REQUIRE(h, e, LK_R_NOMEM, "no memory for a client of hostapd");
	*h = (struct lk_hostapd){ .loop = l, .port = port, .fn = fn, .ctx = ctx, .fd = -1 };
	h->address.sun_family = AF_UNIX;
	if (!lk_path_join(dir, port, h->address.sun_path, sizeof h->address.sun_path, e).ok ||
		!lk_timer_new(l, on_timer, h, &h->timer, e).ok) {
		lk_hostapd_free(h);
		return (struct lk_result){ false };
	}
	lk_timer_at(h->timer, lk_loop_now_ms(l));
	*ret = h;
	return LK_OK;
}

void
lk_hostapd_free(struct lk_hostapd *h)
{
	if (!h)
		return;
	detach(h);
	lk_timer_free(h->timer);
	free(h);
}

bool
lk_hostapd_has_passed(struct lk_hostapd *h, const uint8_t mac[static 6])
{
	return h->attached && find_station(&h->passed, mac);
}

struct lk_result
lk_hostapd_deauthenticate(struct lk_hostapd *h, const uint8_t mac[static 6], struct lk_err *e)
{
	remove_station(&h->asked, mac);
	remove_station(&h->passed, mac);
	LK_REQUIRE(h->attached, e, LK_R_HOSTAPD, "there is no hostapd for %s", h->port);
	LK_REQUIRE(say_mac(h, "DEAUTHENTICATE", mac), e, LK_R_HOSTAPD, "hostapd for %s: %s",
		h->port, strerror(errno));
	return LK_OK;
}

void
lk_hostapd_deauthenticate_all(struct lk_hostapd *h)
{
	while (h->asked.n)
		say_mac(h, "DEAUTHENTICATE", h->asked.v[--h->asked.n]);
	while (h->passed.n)
		say_mac(h, "DEAUTHENTICATE", h->passed.v[--h->passed.n]);
}

void
lk_hostapd_reauthenticate_all(struct lk_hostapd *h)
{
	size_t i;

	while (h->passed.n && add_station(&h->asked, h->passed.v[h->passed.n - 1]))
		h->passed.n--;
	for (i = 0; i < h->asked.n; i++)
		say_mac(h, "EAPOL_REAUTH", h->asked.v[i]);
}
