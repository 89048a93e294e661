/* SPDX-License-Identifier: Apache-2.0
 *
 * The MASA's audit log of a device (RFC 8995 5.8): asked for with the same
 * registrar request, once the pledge took its voucher, and judged before the
 * device gets a credential. Enrolment waits (202) until then.
 *
 *	run.audit_state		"asked" -> "clean", or "unclean" or "missing"
 *
 * A MASA that needs time is asked again when the device comes back.
 */
#include "noc/keeper/internal.h"

#include "artefact/audit_log.h"
#include "base/encode.h"

static lk_turn_handler log_came;

static const struct masa_operation requestauditlog = { "requestauditlog", LK_TYPE_JSON,
	LK_AUDIT_LOG_MAX, log_came };

struct lk_result
lk_audit_fetch(struct lk_turn *t, struct lk_run_record *run, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);

	memcpy(d.id, run->device_id, sizeof d.id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d.record, e));
	LK_TRY(lk_slice_to_str(
		LK_SLICE_LIT("asked"), "state", run->audit_state, sizeof run->audit_state, e));
	LK_TRY(lk_turn_put(t, &run->record, e));
	/*= RFC8995 5.8: the registrar asks for the audit log after the voucher status telemetry =*/
	return lk_brski_fetch(t, &d, run, &requestauditlog, e);
}

/* Ourselves by the domain id that the MASA computes of the certificate it pinned: any of the chain
 * that our requests enclose. */
static struct lk_result
judge(struct lk_turn *t, struct lk_slice body, struct lk_err *e)
{
	const struct lk_certs *domain = keeper_of(t)->domain.registrar;
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *log = NULL;

	LK_TRY(lk_audit_log_parse(body, &log, e));
	/*= RFC8995 5.8.3: unexpected domains and nonceless entries are looked for =*/
	return lk_audit_log_judge(log, domain, e);
}

static struct lk_result
note(struct lk_turn *t, const struct lk_run_record *run, const char *type, const char *state,
	const struct lk_err *why, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_PAYLOAD_MAX);
	json_auto_t *payload = json_pack("{s:s,s:s}", "audit_log", state, "message", why->msg);
	struct lk_event ev = { type, run->device_id, run->id, "keeper", why->reason, { NULL, 0 } };

	LK_REQUIRE(payload, e, LK_R_NOMEM, "no memory for an event");
	LK_TRY(lk_json_print(payload, &text, e));
	ev.payload = lk_buf_slice(&text);
	return lk_turn_event(t, &ev, NULL, e);
}

static struct lk_result
settle(struct lk_turn *t, struct lk_run_record *run, const char *state, const struct lk_err *why,
	struct lk_err *e)
{
	LK_TRY(note(t, run, "audit-log-judged", state, why, e));
	LK_TRY(lk_slice_to_str(
		lk_slice_str(state), "state", run->audit_state, sizeof run->audit_state, e));
	LK_TRY(lk_run_step(t, run, "audit-log",
		strcmp(state, "missing") == 0 ? lk_reason_info(why->reason)->sentence : NULL, e));
	return lk_turn_put(t, &run->record, e);
}

/* Whether there is an answer that can be judged. */
static struct lk_result
check_answer(const struct lk_message_in *m, struct lk_err *e)
{
	const struct lk_fetched_body *f = m->body;

	if (m->failed)
		return lk_fail(e, m->failed->reason, "%s", m->failed->msg);
	LK_REQUIRE(f->status != 202 && f->status != 503, e, LK_R_MASA_LATER,
		"the MASA answered %lld", (long long)f->status);
	LK_REQUIRE(f->status == 200, e, LK_R_AUDIT_MISSING, "the MASA answered %lld",
		(long long)f->status);
	return LK_OK;
}

static struct lk_result
log_came(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_run_record run = LK_RECORD_INIT(run);
	const struct lk_fetched_body *f = m->body;
	struct lk_err why = { 0 };

	LK_TRY(lk_slice_to_str(lk_slice_str(m->subject), "run", run.id, sizeof run.id, e));
	LK_TRY(lk_store_get(lk_turn_store(t), LK_RUN_BY_ID, &run.record, e));
	if (!check_answer(m, &why).ok) {
		/* What may succeed later leaves it asked for: the gate asks again. */
		if (lk_reason_info(why.reason)->category == LK_CAT_AGAIN)
			return note(t, &run, "audit-log-awaited", "asked", &why, e);
		return settle(t, &run, "missing", &why, e);
	}
	return settle(t, &run, judge(t, f->body, &why).ok ? "clean" : "unclean", &why, e);
}

struct lk_result
lk_audit_gate(struct lk_turn *t, struct lk_run_record *run, bool *ret_wait, struct lk_err *e)
{
	bool missing = strcmp(run->audit_state, "missing") == 0;

	/*= RFC8995 5.8.3: an audit log that policy does not accept refuses the enrolment =*/
	LK_REQUIRE(strcmp(run->audit_state, "unclean") != 0, e, LK_R_AUDIT_UNCLEAN,
		"the MASA's audit log shows what it should not; see the device's timeline");
	LK_REQUIRE(!missing || !keeper_of(t)->set.audit_required, e, LK_R_AUDIT_MISSING,
		"the MASA's audit log could not be had");
	*ret_wait = strcmp(run->audit_state, "asked") == 0;
	/* Who asked was another process, and its answer came to nobody. */
	return *ret_wait && !lk_turn_asks(t, run->id) ? lk_audit_fetch(t, run, e) : LK_OK;
}
