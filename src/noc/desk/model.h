/* SPDX-License-Identifier: Apache-2.0
 *
 * The desk's own copy of what the keeper lets it see: filled by the change stream,
 * read by the API. A long list is thus read here and never delays a decision. It
 * can be thrown away at any time: it begins empty and is told everything anew.
 */
#pragma once

#include <jansson.h>

#include "crypto/x509.h"
#include "store/store.h"

struct lk_model; /* opaque */

/* Removes what an earlier life left in the folder. */
LK_RESULT lk_model_new(const char *dir, struct lk_model **ret, struct lk_err *e);
struct lk_model *lk_model_free(struct lk_model *m);
LK_DEFINE_CLEANUP(struct lk_model *, lk_model_free);

/* Empties it: what follows is told anew. After a failure it takes nothing more. */
LK_RESULT lk_model_reset(struct lk_model *m, struct lk_err *e);
LK_RESULT lk_model_apply(
	struct lk_model *m, struct lk_slice packed, bool removed, struct lk_err *e);
void lk_model_live(struct lk_model *m); /* all was told */
bool lk_model_is_live(const struct lk_model *m);
/* What was applied becomes durable; the loop calls it now and then. */
LK_RESULT lk_model_commit(struct lk_model *m, struct lk_err *e);
struct lk_store *lk_model_store(const struct lk_model *m); /* borrowed until the next reset */

/* --- as JSON: every answer is made of these. Caller decrefs ----------------------------------- */

/* The columns by their names, but for blobs; times in RFC 3339, null where there is none. */
LK_RESULT lk_record_to_json(const struct lk_record *r, json_t **ret, struct lk_err *e);

struct lk_model_query {
	char cursor[LK_ID_MAX]; /* "": from the start */
	int64_t limit;
	int64_t state;               /* 0: any */
	char admission[LK_WORD_MAX]; /* "": any */
	bool refused;                /* of events: refusals only */
};

/* {"devices": [...], "next": cursor or null} */
LK_RESULT lk_model_devices(
	struct lk_model *m, const struct lk_model_query *q, json_t **ret, struct lk_err *e);
/* By local id, or by serial number where only one has it: with its newest run and its certificates.
 * LK_R_DEVICE_NONE, LK_R_DEVICE_AMBIGUOUS. */
LK_RESULT lk_model_device(struct lk_model *m, const char *which, json_t **ret, struct lk_err *e);
/* {"device": id, "events": [...]}, oldest first; at most limit, the newest. */
LK_RESULT lk_model_timeline(
	struct lk_model *m, const char *which, int64_t limit, json_t **ret, struct lk_err *e);
/* {"events": [...], "next": cursor or null}: the newest `limit`, or those before the cursor, oldest
 * first. A page may be short of the limit: only so many events are looked at. */
LK_RESULT lk_model_ledger(
	struct lk_model *m, const struct lk_model_query *q, json_t **ret, struct lk_err *e);
/* Walks a stretch of the chain from the cursor on: {"from", "to", "next": cursor or null,
 * "checkpoint"}. At the end the newest checkpoint is held against it: signed below one of the
 * anchors, over an event of this chain. LK_R_LEDGER_*, LK_R_CHECKPOINT_*. */
LK_RESULT lk_model_ledger_verify(struct lk_model *m, const struct lk_model_query *q,
	const struct lk_anchors *anchors, json_t **ret, struct lk_err *e);
/* {"manufacturers": [...]}: with their anchors and the number of their devices. */
LK_RESULT lk_model_manufacturers(struct lk_model *m, json_t **ret, struct lk_err *e);
/* {"codes": [...]}: the clients of plain EST, those that are expected too; oldest first. */
LK_RESULT lk_model_enrolments(struct lk_model *m, json_t **ret, struct lk_err *e);
/* {"devices": {state: n}, "pending", "manufacturers", "ledger": {"head", "checkpoint"},
 * "relaxations": [...]} */
LK_RESULT lk_model_status(struct lk_model *m, json_t **ret, struct lk_err *e);
/* How many certificates of a CA (its key id in hex) have this status. */
LK_RESULT lk_model_certificates(
	struct lk_model *m, const char *issuer, const char *status, int64_t *ret, struct lk_err *e);
