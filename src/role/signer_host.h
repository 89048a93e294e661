/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a signer lives: reads keys and certificates before the cage, then answers
 * requests. For the signers of both services.
 */
#pragma once

#include "role/process.h"
#include "role/signer.h"

/* Loads the key of a URI and its certificate chain into the slot. An empty URI leaves it empty. */
LK_RESULT lk_signer_load(struct lk_signer_settings *settings, enum lk_signer_key which,
	const char *uri, const char *chain_path, struct lk_err *e);

/* For lk_role_work: p->state is the struct lk_signer. */
enum { LK_SIGNER_N_ROUTES = 9 };
extern const struct lk_message_route lk_signer_routes[LK_SIGNER_N_ROUTES];
void lk_signer_close(struct lk_process *p);

/* A signer computes, and answers on the channels it has. But for a key (URI, may be "") in a token:
 * its PKCS#11 module opens files below token_dir for each signature. For each key. */
void lk_signer_cage(const char *key, const char *token_dir, struct lk_cage_rules *rules);
