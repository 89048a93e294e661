/* SPDX-License-Identifier: Apache-2.0
 *
 * Joining by 802.1X with wpa_supplicant: its configuration out of the onboarding
 * information, its process, its control socket. EAP-TLS with the LDevID only; the
 * RADIUS server is believed by the anchor and the exact name that the network gave,
 * nothing else on the machine counts. No shell, and no text of the network's
 * reaches the configuration unchecked.
 */
#pragma once

#include <sys/types.h>

#include "agent/credentials.h"

/* Where the supplicant finds its private key. */
struct lk_supplicant_key {
	char file[PATH_MAX]; /* of private_key: PEM, or what openssl_conf's provider loads */
	char openssl_conf[PATH_MAX]; /* of its environment; "": none */
};

struct lk_supplicant_settings {
	const char *program; /* "/sbin/wpa_supplicant" */
	const char *interface;
	const char *state_dir;     /* absolute; onboarding/ and run/ are in it */
	const char *radius_server; /* the exact name */
	const struct lk_supplicant_key *key;
};

/* Appends the configuration. Refuses with LK_R_AGENT_SUPPLICANT what would need quoting. */
LK_RESULT lk_supplicant_config(
	const struct lk_supplicant_settings *s, struct lk_buf *out, struct lk_err *e);

struct lk_supplicant {
	pid_t pid;     /* 0: none */
	int fd;        /* control socket, to be polled for reading; -1: none */
	char own[108]; /* path of our end */
	bool logged_on;
};

/* Writes run/wired.conf, starts the program. Caller stops it. LK_R_AGENT_SUPPLICANT. */
LK_RESULT lk_supplicant_start(
	const struct lk_supplicant_settings *s, struct lk_supplicant *ret, struct lk_err *e);
/* Ends it and removes what it left. */
void lk_supplicant_stop(struct lk_supplicant *s); /* cleanup function too */

/* The program that was started is no more; said once. SIGCHLD tells when to ask. */
bool lk_supplicant_ended(struct lk_supplicant *s);

enum lk_supplicant_port {
	LK_PORT_TRYING, /* call again in LK_SUPPLICANT_POLL_MS */
	LK_PORT_OPEN,
	LK_PORT_REFUSED, /* held: it has to be started anew */
	LK_PORT_DEAD     /* the program ended */
};
#define LK_SUPPLICANT_POLL_MS 20

/* Asks for STATUS, takes what came of the last time, and says LOGON when it is time to. */
enum lk_supplicant_port lk_supplicant_poll(
	struct lk_supplicant *s, const struct lk_supplicant_settings *set);
