/* SPDX-License-Identifier: Apache-2.0
 *
 * A front: TLS and HTTP towards strangers, without a private key and without a
 * decision. It routes by the endpoint table, checks shape and size, hands each
 * request with the facts of its TLS session to the keeper and gives back what the
 * keeper says. For every program that serves the endpoint table.
 */
#pragma once

#include "net/server.h"
#include "proto/endpoint.h"
#include "role/process.h"

struct lk_front; /* opaque */

struct lk_front_settings {
	enum lk_service service;
	const char *listener;         /* name of its listeners in the program's table */
	const struct lk_certs *chain; /* of the TLS server, its own certificate first; copied */
	enum lk_signer_key key;       /* who signs for it */
	bool allow_tls12;
	struct lk_server_timeouts timeouts; /* zero members: the server's defaults */
	struct lk_server_limits limits;
};

/* Inside the cage. Takes the process's listeners of that name. */
LK_RESULT lk_front_new(struct lk_process *p, const struct lk_front_settings *settings,
	struct lk_front **ret, struct lk_err *e);
/* The certificate was renewed: connections from now on see it, those that are open go on. The chain
 * is borrowed, as that of the settings was. */
LK_RESULT lk_front_renew(struct lk_front *f, const struct lk_certs *chain, struct lk_err *e);
struct lk_front *lk_front_free(struct lk_front *f);
LK_DEFINE_CLEANUP(struct lk_front *, lk_front_free);
