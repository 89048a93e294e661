/* SPDX-License-Identifier: Apache-2.0
 *
 * The main process of a daemon. It reads the configuration, binds the listening
 * sockets, starts a process per role (itself again, with --role), links those
 * that may talk to each other, starts those that die anew, and ends them in
 * order. It never serves the network and never reads what roles say to each
 * other: a link is a socketpair whose two ends it gives away.
 *
 *	int main(int argc, char **argv)
 *	{
 *		return lk_program_main(&latchkeyd, argc, argv);
 *	}
 */
#pragma once

#include "role/process.h"

/* Listening sockets of a role. */
struct lk_program_listener {
	const char *name;      /* "devices" */
	size_t address_offset; /* of a text in the program's configuration struct, see below */
	unsigned unix_mode;    /* of a Unix socket's file, 0660 */
};

struct lk_program_role {
	enum lk_role role;
	const struct lk_role_work *work;
	uint32_t (*count)(const void *config); /* NULL: one process. 0 leaves the role out */
	const struct lk_program_listener *listeners;
	size_t n_listeners;
	uint64_t capabilities; /* that it needs from its start: 1 << CAP_NET_ADMIN */
	bool state_dir;        /* has a folder below the state folder, named like the role */
};

/* Every process of the one role is linked with every process of the other. */
struct lk_program_pair {
	enum lk_role a, b;
};

struct lk_program {
	const struct lk_config_spec *config;
	const struct lk_program_role *roles; /* in the order of starting; ended from the last */
	size_t n_roles;
	const struct lk_program_pair *pairs;
	size_t n_pairs;
};

/* Both sides of a daemon: supervisor, or with --role the role. Returns main()'s exit status.
 *
 * Addresses are a list with commas: 192.0.2.1:8443, [2001:db8::1]:8443, [fe80::1%eth0]:8443,
 * [::]:8443 (IPv6 only), unix:/run/latchkey/api.sock, unix:api.sock (in the runtime folder). A
 * role of several processes gets a TCP socket each (SO_REUSEPORT). An empty text: no listener.
 *
 * Started as root, a role runs as the user latchkey-ROLE if there is one, else as user and group
 * uid_base + number of the role if uid_base is configured, else as root without capabilities. */
int lk_program_main(const struct lk_program *program, int argc, char **argv);
