/* SPDX-License-Identifier: Apache-2.0
 *
 * Network access. A RADIUS server's yes is a grant of some seconds; the port opens
 * when hostapd says that the supplicant got through, for the same port and MAC,
 * while the grant lives and the device was not revoked since. Both are decided
 * here, in one transaction each; the enforcer carries out.
 */
#include "noc/keeper/internal.h"

#define SWEEP_MAX 64 /* grants forgotten in one slice */

static lk_turn_handler port_opened, port_closed;

/* The LDevID that the RADIUS server authenticated, and its device. */
static struct lk_result
find_device(struct lk_turn *t, const struct lk_grant_request_body *g,
	struct lk_certificate_record *cert, struct lk_device_record *d, struct lk_err *e)
{
	bool found;

	memcpy(cert->issuer, g->issuer, sizeof cert->issuer);
	memcpy(cert->serial, g->serial, sizeof cert->serial);
	LK_TRY(lk_store_find(lk_turn_store(t), LK_CERTIFICATE_BY_SERIAL, &cert->record, &found, e));
	LK_REQUIRE(found, e, LK_R_CERT_UNKNOWN, "certificate %s of issuer %s was not issued here",
		g->serial, g->issuer);
	LK_TRY(lk_est_not_revoked(cert, e));
	LK_REQUIRE(strcmp(cert->profile, "ldevid") == 0, e, LK_R_ACCESS_PROFILE,
		"certificate %s is a %s's, which gives no network access", cert->serial,
		cert->profile);
	memcpy(d->id, cert->device_id, sizeof d->id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d->record, e));
	return lk_device_not_denied(d, e);
}

struct lk_result
lk_access_grant(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	const struct lk_grant_request_body *g = m->body;
	const struct lk_keeper_settings *set = &keeper_of(t)->set;
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_record_done) struct lk_grant_record grant = LK_RECORD_INIT(grant);
	struct lk_grant_reply_body reply = { .session_seconds = set->session_seconds };

	LK_TRY(find_device(t, g, &cert, &d, e));
	LK_REQUIRE(d.state >= LK_STATE_S8 && d.state <= LK_STATE_S13, e, LK_R_ACCESS_STATE,
		"device %s is in no state in which it may connect", d.serial);
	lk_turn_id(t, grant.id);
	memcpy(grant.device_id, d.id, sizeof grant.device_id);
	memcpy(grant.port, g->port, sizeof grant.port);
	memcpy(grant.mac, g->mac, sizeof grant.mac);
	grant.issued_at = lk_turn_now(t);
	grant.expires_at = grant.issued_at + set->grant_seconds;
	grant.generation = d.revocation_generation;
	LK_TRY(lk_turn_insert(t, &grant.record, e));
	LK_TRY(lk_keeper_event(t, "access-granted", &d, cert.run_id, "aaa",
		json_pack("{s:s,s:s,s:s,s:s,s:s}", "port", g->port, "mac", g->mac, "nas", g->nas,
			"outer_identity", g->identity, "certificate", g->serial),
		NULL, e));
	/*= SEC-04: the session's name comes from the certificate, never from the EAP identity =*/
	memcpy(reply.device_id, d.id, sizeof reply.device_id);
	return lk_turn_reply(t, m, LK_BODY_grant_reply, &reply, e);
}

/* No port opens with them any more: the RADIUS server said yes, and nothing came of it here. */
/*= Latchkey access: a grant is gone when its seconds are over =*/
struct lk_result
lk_grants_sweep(struct lk_turn *t, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_grant_record g = LK_RECORD_INIT(grant);
	struct lk_scan scan = { .index = LK_GRANT_BY_EXPIRY };
	bool found;
	int i;

	for (i = 0; i < SWEEP_MAX; i++) {
		LK_TRY(lk_store_next(lk_turn_store(t), &scan, &g.record, &found, e));
		if (!found || g.expires_at >= lk_turn_now(t))
			return LK_OK;
		LK_TRY(lk_turn_begin(t, e));
		LK_TRY(lk_turn_remove(t, &g.record, e));
	}
	return LK_OK;
}

/* --- hostapd's word --------------------------------------------------------------------------- */

/* A grant for this port and MAC that still lives; used up by being found. */
static struct lk_result
take_grant(struct lk_turn *t, const struct lk_port_event_body *p, struct lk_grant_record *grant,
	struct lk_err *e)
{
	struct lk_scan scan = { .index = LK_GRANT_BY_PORT, .prefix = 2, .descending = true };
	int64_t now = lk_turn_now(t);
	bool found;

	for (;;) {
		memcpy(grant->port, p->port, sizeof grant->port);
		memcpy(grant->mac, p->mac, sizeof grant->mac);
		scan.after = false;
		LK_TRY(lk_store_next(lk_turn_store(t), &scan, &grant->record, &found, e));
		/*= Latchkey access: a port opens only with a live grant for the same port and MAC =*/
		LK_REQUIRE(found, e, LK_R_NO_GRANT, "no grant for %s on port %s", p->mac, p->port);
		LK_TRY(lk_turn_remove(t, &grant->record, e));
		if (grant->expires_at >= now)
			return LK_OK;
	}
}

static struct lk_result
authenticated(struct lk_turn *t, const struct lk_port_event_body *p, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_grant_record grant = LK_RECORD_INIT(grant);
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	struct lk_port_open_body b = { .class_mark = 1 };

	LK_TRY(take_grant(t, p, &grant, e));
	memcpy(d.id, grant.device_id, sizeof d.id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d.record, e));
	/*= SEC-06: a revocation between the grant and the port's opening wins =*/
	LK_REQUIRE(d.revocation_generation == grant.generation, e, LK_R_CERT_REVOKED,
		"device %s was revoked or denied after it was granted access", d.serial);
	memcpy(d.port, p->port, sizeof d.port);
	memcpy(d.mac, p->mac, sizeof d.mac);
	if (d.state == LK_STATE_S8) {
		LK_TRY(lk_device_move(t, &d, LK_EVENT_CONNECT, e));
		d.commissioned_at = lk_turn_now(t);
	}
	LK_TRY(lk_turn_put(t, &d.record, e));
	LK_TRY(lk_keeper_event(t, "connected", &d, NULL, "enforcer",
		json_pack("{s:s,s:s}", "port", p->port, "mac", p->mac), NULL, e));
	memcpy(b.device_id, d.id, sizeof b.device_id);
	memcpy(b.port, p->port, sizeof b.port);
	memcpy(b.mac, p->mac, sizeof b.mac);
	return lk_turn_ask(t, LK_ROLE_ENFORCER, LK_BODY_port_open, &b, LK_BODY_port_done, d.id,
		port_opened, e);
}

static struct lk_result
port_opened(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);

	LK_TRY(lk_slice_to_str(lk_slice_str(m->subject), "device", d.id, sizeof d.id, e));
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d.record, e));
	return lk_keeper_event(t, m->failed ? "port-not-opened" : "port-opened", &d, NULL,
		"enforcer", json_pack("{s:s*}", "message", m->failed ? m->failed->msg : NULL), NULL,
		e);
}

/* What was seen at a port: in the timeline of the device that the port, or the address that
 * somebody else used, was opened for. */
static struct lk_result
note(struct lk_turn *t, const struct lk_port_event_body *p, const char *type, enum lk_reason reason,
	struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_PAYLOAD_MAX);
	json_auto_t *payload =
		json_pack("{s:s,s:s,s:s}", "port", p->port, "mac", p->mac, "detail", p->detail);
	struct lk_event ev = { type, p->device_id[0] ? p->device_id : NULL, NULL, "enforcer",
		reason, { NULL, 0 } };

	LK_REQUIRE(payload, e, LK_R_NOMEM, "no memory for an event");
	LK_TRY(lk_json_print(payload, &text, e));
	ev.payload = lk_buf_slice(&text);
	return lk_turn_event(t, &ev, NULL, e);
}

struct lk_result
lk_access_port_event(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	const struct lk_port_event_body *p = m->body;

	LK_REQUIRE(p->kind >= 0 && p->kind < LK_PORT_EVENT_COUNT, e, LK_R_IPC_UNASKED,
		"port event %lld", (long long)p->kind);
	switch ((enum lk_port_event)p->kind) {
	case LK_PORT_AUTHENTICATED:
		return authenticated(t, p, e);
	case LK_PORT_SEEN:
		return note(t, p, "port-seen", LK_R_NONE, e);
	case LK_PORT_LEFT:
		return note(t, p, "port-left", LK_R_NONE, e);
	case LK_PORT_LEASE:
		return note(t, p, "address-leased", LK_R_NONE, e);
	case LK_PORT_FOREIGN_MAC:
		return note(t, p, "alarm", LK_R_FOREIGN_MAC, e);
	case LK_PORT_FOREIGN_SOURCE:
		return note(t, p, "alarm", LK_R_FOREIGN_SOURCE, e);
	case LK_PORT_EVENT_COUNT:
		break;
	}
	return LK_OK;
}

/* --- cutting ---------------------------------------------------------------------------------- */

struct lk_result
lk_access_cut(struct lk_turn *t, const struct lk_device_record *d, struct lk_err *e)
{
	struct lk_port_close_body b = { .deauthenticate = true };

	if (!d->port[0])
		return LK_OK;
	memcpy(b.device_id, d->id, sizeof b.device_id);
	memcpy(b.port, d->port, sizeof b.port);
	memcpy(b.mac, d->mac, sizeof b.mac);
	return lk_turn_ask(t, LK_ROLE_ENFORCER, LK_BODY_port_close, &b, LK_BODY_port_done, d->id,
		port_closed, e);
}

static struct lk_result
port_closed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);

	LK_TRY(lk_slice_to_str(lk_slice_str(m->subject), "device", d.id, sizeof d.id, e));
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d.record, e));
	return lk_keeper_event(t, m->failed ? "port-not-closed" : "port-closed", &d, NULL,
		"enforcer", json_pack("{s:s*}", "message", m->failed ? m->failed->msg : NULL), NULL,
		e);
}
