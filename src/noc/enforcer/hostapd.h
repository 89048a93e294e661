/* SPDX-License-Identifier: Apache-2.0
 *
 * hostapd's control socket, one a port: Unix datagrams with a command or an event
 * each. hostapd (driver wired) authenticates and opens nothing; its events say when
 * a supplicant got through or went. It is attached to whenever it is there, and anew
 * when it was restarted. Stations that it has by then are authenticated once more,
 * because an open port says nothing when its supplicant is authenticated again.
 */
#pragma once

#include "net/loop.h"

#define LK_HOSTAPD_PACKET_MAX 4096

enum lk_hostapd_kind {
	LK_HOSTAPD_OTHER, /* an event of no interest, or a reply that says nothing */
	LK_HOSTAPD_OK,
	LK_HOSTAPD_STATION,      /* a station's MAC, in reply to STA-FIRST and STA-NEXT */
	LK_HOSTAPD_CONNECTED,    /* AP-STA-CONNECTED */
	LK_HOSTAPD_DISCONNECTED, /* AP-STA-DISCONNECTED */
	LK_HOSTAPD_SUCCESS, /* CTRL-EVENT-EAP-SUCCESS, -SUCCESS2: also of one who is connected */
	LK_HOSTAPD_FAILURE, /* CTRL-EVENT-EAP-FAILURE, -FAILURE2 */
	LK_HOSTAPD_TERMINATING
};

struct lk_hostapd_message {
	enum lk_hostapd_kind kind;
	uint8_t mac[6]; /* of STATION to FAILURE */
};

/* One packet. LK_R_HOSTAPD_SYNTAX. */
LK_RESULT lk_hostapd_parse(struct lk_slice in, struct lk_hostapd_message *ret, struct lk_err *e);

struct lk_hostapd;
/* CONNECTED (also for the SUCCESS of a station that was asked once more), DISCONNECTED (also of all
 * when there is another hostapd), FAILURE. */
typedef void lk_hostapd_fn(void *ctx, const char *port, const struct lk_hostapd_message *m);

/* port: borrowed for its life. */
LK_RESULT lk_hostapd_new(struct lk_loop *l, const char *dir, const char *port, lk_hostapd_fn *fn,
	void *ctx, struct lk_hostapd **ret, struct lk_err *e);
void lk_hostapd_free(struct lk_hostapd *h); /* not inside its own call */
/* Does its last word on the station let it through? */
bool lk_hostapd_has_passed(struct lk_hostapd *h, const uint8_t mac[static 6]);
/* It has not passed from here on. LK_R_HOSTAPD while hostapd is not there. */
LK_RESULT lk_hostapd_deauthenticate(
	struct lk_hostapd *h, const uint8_t mac[static 6], struct lk_err *e);
void lk_hostapd_deauthenticate_all(struct lk_hostapd *h);
/* Each has passed again with its CONNECTED, or is told as DISCONNECTED. */
void lk_hostapd_reauthenticate_all(struct lk_hostapd *h);
