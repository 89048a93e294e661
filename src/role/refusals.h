/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process refuses before it is the keeper's to decide - half a handshake, a
 * head that is too large, a path that nobody serves - and how it reaches the ledger
 * all the same. Strangers can do this as often as they like, and the ledger is for
 * good: of each reason the first is told at once, those of the minute behind it as
 * one, with their number and who was the last. The log has each. What a process counted in its
 * last minute goes with it.
 */
#pragma once

#include <jansson.h>

#include "net/server.h"
#include "role/process.h"

struct lk_refusals; /* opaque; one for each lk_server or several */

LK_RESULT lk_refusals_new(struct lk_process *p, struct lk_refusals **ret, struct lk_err *e);
struct lk_refusals *lk_refusals_free(struct lk_refusals *r);
LK_DEFINE_CLEANUP(struct lk_refusals *, lk_refusals_free);

/* Logs it, and tells the keeper now or within a minute. */
void lk_refusals_note(struct lk_refusals *r, const struct lk_peer *peer, const struct lk_err *why);

/* --- the keeper's side ------------------------------------------------------------------------ */

/* Always fails: for the reason that was told, LK_R_IPC_MALFORMED when there is no such. */
LK_RESULT lk_refusals_raise(const struct lk_refused_body *b, struct lk_err *e);
/* Who, and how many, as members of the event's payload. */
LK_RESULT lk_refusals_describe(const struct lk_refused_body *b, json_t *payload, struct lk_err *e);
