/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs: opened, found, moved and swept. keeper.h says what their states mean.
 */
#include "noc/keeper/internal.h"

#include <openssl/crypto.h>

#define SWEEP_MAX  64 /* runs ended in one slice */
#define RUNS_KEPT  32 /* of a device, before failed ones are forgotten */
#define FORGET_MAX 64 /* looked at when it opens another */

/* States in which nothing more is expected. */
static const char *const closed[] = { "done", "failed" };

bool
lk_run_is(const struct lk_run_record *run, const char *state)
{
	return strcmp(run->state, state) == 0;
}

bool
lk_run_is_closed(const struct lk_run_record *run)
{
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(closed); i++)
		if (lk_run_is(run, closed[i]))
			return true;
	return false;
}

static struct lk_result
set_word(char dst[static LK_WORD_MAX], const char *word, struct lk_err *e)
{
	return lk_slice_to_str(lk_slice_str(word), "state", dst, LK_WORD_MAX, e);
}

struct lk_result
lk_run_move(struct lk_turn *t, struct lk_run_record *run, const char *state, struct lk_err *e)
{
	LK_TRY(set_word(run->state, state, e));
	LK_TRY(lk_run_step(t, run, state, NULL, e));
	return lk_turn_put(t, &run->record, e);
}

/*= ONB-14: which steps ran is recorded =*/
struct lk_result
lk_run_step(struct lk_turn *t, struct lk_run_record *run, const char *step, const char *skipped,
	struct lk_err *e)
{
	json_auto_t *steps = run->steps[0] ? json_loads(run->steps, 0, NULL) : json_array();
	json_auto_t *one = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_STEPS_MAX - 1);
	char at[LK_TIME_TEXT_MAX];

	lk_time_print(lk_turn_now(t), at);
	/*= ONB-14: which steps were skipped is recorded, with the reason =*/
	one = json_pack("{s:s,s:s,s:s*}", "step", step, "at", at, "skipped", skipped);
	LK_REQUIRE(steps && one && json_array_append(steps, one) == 0, e, LK_R_NOMEM,
		"no memory for a run's steps");
	LK_TRY(lk_json_print(steps, &text, e));
	return lk_slice_to_str(lk_buf_slice(&text), "steps", run->steps, sizeof run->steps, e);
}

struct lk_result
lk_run_newest(struct lk_turn *t, const char *device_id, struct lk_run_record *ret, bool *ret_found,
	struct lk_err *e)
{
	struct lk_scan scan = { .index = LK_RUN_BY_DEVICE, .prefix = 1, .descending = true };

	memcpy(ret->device_id, device_id, sizeof ret->device_id);
	return lk_store_next(lk_turn_store(t), &scan, &ret->record, ret_found, e);
}

struct lk_result
lk_run_end(struct lk_turn *t, const char *device_id, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_run_record r = LK_RECORD_INIT(run);
	bool found;

	LK_TRY(lk_run_newest(t, device_id, &r, &found, e));
	if (!found || lk_run_is_closed(&r))
		return LK_OK; /* one run at a time is open, the newest */
	return lk_run_move(t, &r, "failed", e);
}

static struct lk_result
describe_tls(const struct lk_web_request_body *w, const struct identity *who,
	struct lk_run_record *run, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_TLS_TEXT_MAX - 1);
	/*= SEC-12: protocol, suite, group, key size and library version of a run are recorded =*/
	json_auto_t *tls = json_pack("{s:s,s:s,s:s,s:i,s:s}", "version", w->tls_version, "suite",
		w->tls_suite, "group", w->tls_group, "peer_key_bits",
		(int)lk_cert_key_bits(who->cert), "library", OpenSSL_version(OPENSSL_VERSION));

	LK_REQUIRE(tls, e, LK_R_NOMEM, "no memory for a run");
	if (w->user_agent[0])
		LK_TRY(lk_json_set(tls, "peer_software", json_string(w->user_agent), e));
	LK_TRY(lk_json_print(tls, &text, e));
	return lk_slice_to_str(lk_buf_slice(&text), "TLS facts", run->tls, sizeof run->tls, e);
}

/*= SEC-12: the library versions of both ends are recorded =*/
struct lk_result
lk_run_peer_library(struct lk_run_record *run, const char *libraries, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_TLS_TEXT_MAX - 1);
	json_auto_t *tls = json_loads(run->tls, 0, NULL);

	LK_REQUIRE(tls, e, LK_R_NOMEM, "no memory for a run");
	LK_TRY(lk_json_set(tls, "peer_library", json_string(libraries), e));
	LK_TRY(lk_json_print(tls, &text, e));
	return lk_slice_to_str(lk_buf_slice(&text), "TLS facts", run->tls, sizeof run->tls, e);
}

/* The optional steps that this run does without (ONB-4, ONB-9). */
static struct lk_result
skip_steps(struct lk_turn *t, struct lk_run_record *run, const struct lk_device_record *d,
	enum admission admission, struct lk_err *e)
{
	if (admission == ADMIT)
		LK_TRY(lk_run_step(t, run, "waiting", "policy admits the device at once", e));
	LK_TRY(lk_run_step(t, run, "declaration", "no declaration is kept for this device", e));
	LK_TRY(lk_run_step(t, run, "attestation", "this network asks for no evidence", e));
	return lk_run_step(t, run, "mud-file",
		d->mud_url[0] ? "this network retrieves no MUD files" : "the IDevID names none", e);
}

/* A device that tries for ever leaves its newest failures; the ledger has them all. A run that
 * yielded a certificate stays: renewals are on its account. */
/*= Latchkey run: of a device's failed runs the newest are kept =*/
static struct lk_result
forget_old(struct lk_turn *t, const char *device_id, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_run_record r = LK_RECORD_INIT(run);
	struct lk_scan scan = { .index = LK_RUN_BY_DEVICE, .prefix = 1 };
	bool found = true;
	int64_t n;
	int i;

	memcpy(r.device_id, device_id, sizeof r.device_id);
	LK_TRY(lk_store_count(lk_turn_store(t), LK_RUN_BY_DEVICE, 1, &r.record, &n, e));
	for (i = 0; n >= RUNS_KEPT && found && i < FORGET_MAX; i++) {
		LK_TRY(lk_store_next(lk_turn_store(t), &scan, &r.record, &found, e));
		if (!found || !lk_run_is(&r, "failed") || r.cert_serial[0])
			continue;
		LK_TRY(lk_turn_remove(t, &r.record, e));
		n--;
	}
	return LK_OK;
}

struct lk_result
lk_run_open(struct lk_turn *t, const struct lk_web_request_body *w, const struct identity *who,
	const struct lk_device_record *d, const char *digest, const char *nonce,
	enum admission admission, struct lk_run_record *ret, struct lk_err *e)
{
	const struct lk_keeper_settings *set = &keeper_of(t)->set;
	const char *state = admission == ADMIT ? "requested" : "waiting";
	LK_CLEANUP(lk_record_done) struct lk_run_record last = LK_RECORD_INIT(run);
	int64_t now = lk_turn_now(t);
	bool found;

	/*= RFC8995 5.6: a newer request of the device overtakes its older ones =*/
	LK_TRY(lk_run_end(t, d->id, e));
	LK_TRY(lk_run_newest(t, d->id, &last, &found, e));
	LK_TRY(forget_old(t, d->id, e));
	lk_turn_id(t, ret->id);
	memcpy(ret->device_id, d->id, sizeof ret->device_id);
	memcpy(ret->request_digest, digest, sizeof ret->request_digest);
	memcpy(ret->tls_peer, who->tls_peer, sizeof ret->tls_peer);
	LK_TRY(lk_slice_to_str(lk_slice_str(nonce), "nonce", ret->nonce, sizeof ret->nonce, e));
	/* The newest is found by this, also when the clock was put back. */
	ret->opened_at = found && last.opened_at > now ? last.opened_at : now;
	ret->expires_at = now + (admission == ADMIT ? set->run_seconds : set->ask_seconds);
	LK_TRY(lk_blob_set(&ret->pledge_request, w->body, e));
	LK_TRY(describe_tls(w, who, ret, e));
	LK_TRY(set_word(ret->state, state, e));
	LK_TRY(skip_steps(t, ret, d, admission, e));
	LK_TRY(lk_run_step(t, ret, state, NULL, e));
	return lk_turn_insert(t, &ret->record, e);
}

struct lk_result
lk_run_of_peer(struct lk_turn *t, const char *tls_peer, struct lk_run_record *ret, struct lk_err *e)
{
	struct lk_scan scan = { .index = LK_RUN_BY_TLS_PEER, .prefix = 1, .descending = true };
	bool found;

	LK_TRY(lk_slice_to_str(
		lk_slice_str(tls_peer), "peer", ret->tls_peer, sizeof ret->tls_peer, e));
	LK_TRY(lk_store_next(lk_turn_store(t), &scan, &ret->record, &found, e));
	LK_REQUIRE(found && !lk_run_is(ret, "failed"), e, LK_R_RUN_NONE,
		"this device has no onboarding under way");
	/*= Latchkey run: at most one LDevID, within run_seconds of leaving the waiting room =*/
	LK_REQUIRE(lk_turn_now(t) <= ret->expires_at, e, LK_R_RUN_OVER, "its time ended");
	return LK_OK;
}

struct lk_result
lk_runs_sweep(struct lk_turn *t, struct lk_err *e)
{
	static const char *const open_states[] = { "waiting", "requested", "vouchered", "accepted",
		"enrolling" };
	size_t i, n = 0;

	for (i = 0; i < LK_ARRAY_LEN(open_states); i++) {
		struct lk_scan scan = { .index = LK_RUN_BY_EXPIRY, .prefix = 1 };

		for (; n < SWEEP_MAX; n++) {
			LK_CLEANUP(lk_record_done) struct lk_run_record r = LK_RECORD_INIT(run);
			LK_CLEANUP(lk_record_done)
			struct lk_device_record d = LK_RECORD_INIT(device);
			bool found;

			LK_TRY(set_word(r.state, open_states[i], e));
			LK_TRY(lk_store_next(lk_turn_store(t), &scan, &r.record, &found, e));
			if (!found || r.expires_at >= lk_turn_now(t))
				break;
			scan.after = false; /* it leaves this part of the index */
			LK_TRY(lk_turn_begin(t, e));
			LK_TRY(lk_run_move(t, &r, "failed", e));
			memcpy(d.id, r.device_id, sizeof d.id);
			LK_TRY(lk_keeper_event(t, "run-over", &d, r.id, "keeper",
				json_pack("{s:s}", "state", open_states[i]), NULL, e));
		}
	}
	return LK_OK;
}
