/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log (RFC 8995 5.8): for domains that own the device or once did.
 */
#include "masa/keeper/internal.h"

#include "artefact/audit_log.h"

/* The newest entries first; what does not fit is counted. */
static struct lk_result
collect(struct lk_turn *t, const struct asked *a, struct lk_audit_log *log, bool *ret_entitled,
	struct lk_err *e)
{
	struct lk_scan scan = {
		.index = LK_AUDIT_ENTRY_BY_DEVICE, .prefix = 1, .descending = true
	};
	LK_CLEANUP(lk_record_done) struct lk_audit_entry_record r = LK_RECORD_INIT(audit_entry);
	bool found;

	/* Whoever is nobody's domain makes no work, and cannot tell a long log from none by the
	 * time that the 404 takes. */
	*ret_entitled = false;
	if (!a->owner_id[0])
		return LK_OK;
	*ret_entitled = strcmp(a->device.owner_id, a->owner_id) == 0;
	memcpy(r.device_id, a->device.id, sizeof r.device_id);
	for (;;) {
		struct lk_audit_event ev = { .date = 0 };

		LK_TRY(lk_store_next(lk_turn_store(t), &scan, &r.record, &found, e));
		if (!found)
			return LK_OK;
		*ret_entitled = *ret_entitled || strcmp(r.owner_id, a->owner_id) == 0;
		ev.date = r.date;
		memcpy(ev.domain_id, r.domain_id, sizeof ev.domain_id);
		memcpy(ev.nonce, r.nonce, sizeof ev.nonce);
		LK_TRY(lk_slice_to_str(lk_slice_str(r.assertion), "assertion", ev.assertion,
			sizeof ev.assertion, e));
		lk_audit_log_add(log, &ev);
	}
}

/* Devices choose their nonces, and JSON may need many bytes for one: entries are left out until the
 * rest fits. Else one bad device could keep its next owner from its log. */
static struct lk_result
print(struct lk_audit_log *log, struct lk_buf *out, struct lk_err *e)
{
	while (!lk_audit_log_build(log, out, e).ok) {
		size_t n = log->n_events / 8 + 1;

		if (e->reason != LK_R_TOO_LARGE || n > log->n_events)
			return (struct lk_result){ false };
		while (n--)
			lk_audit_log_leave_out(log);
	}
	return LK_OK;
}

struct lk_result
lk_masa_requestauditlog(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_asked_done) struct asked a = ASKED_INIT;
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *log = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_AUDIT_LOG_MAX);
	bool entitled;

	LK_TRY(lk_masa_ask(t, w, &a, e));
	LK_TRY(lk_audit_log_new(&log, e));
	LK_TRY(collect(t, &a, log, &entitled, e));
	/*= RFC8995 5.8: who never owned the device gets 404 =*/
	LK_REQUIRE(entitled, e, LK_R_MASA_NEVER_OWNER,
		"device %s never belonged to the asking domain", a.device.serial);
	LK_TRY(print(log, &text, e));
	return lk_masa_reply(t, m, 200, LK_TYPE_JSON, lk_buf_slice(&text), e);
}
