/* SPDX-License-Identifier: Apache-2.0
 *
 * What operators have done, by the desk: authorised, carried out and recorded
 * here, in one transaction. Reading is the desk's own affair.
 *
 * Arguments and results are JSON objects; doc/api.md lists them.
 */
#include "noc/keeper/internal.h"

#include "artefact/manifest.h"
#include "base/encode.h"
#include "base/path.h"
#include "lifecycle/permission.h"

static act_fn manufacturer_add, manufacturer_import, manufacturer_distrust, manufacturer_remove,
	device_approve, device_deny, device_revoke, device_decommission;

static const struct {
	const char *name;
	enum lk_action action; /* what it falls under in the matrix of roles */
	act_fn *act;
} acts[] = {
	{ "manufacturer.add", LK_ACTION_MANUFACTURER_ADD, manufacturer_add },
	{ "manufacturer.import", LK_ACTION_MANUFACTURER_ADD, manufacturer_import },
	{ "manufacturer.distrust", LK_ACTION_MANUFACTURER_DISTRUST, manufacturer_distrust },
	{ "manufacturer.remove", LK_ACTION_MANUFACTURER_REMOVE, manufacturer_remove },
	{ "device.approve", LK_ACTION_DEVICE_APPROVE, device_approve },
	{ "device.deny", LK_ACTION_DEVICE_DENY, device_deny },
	{ "device.revoke", LK_ACTION_DEVICE_REVOKE, device_revoke },
	{ "device.decommission", LK_ACTION_DEVICE_DECOMMISSION, device_decommission },
	{ "est.code.new", LK_ACTION_EST_CODE_NEW, lk_code_new },
	{ "est.code.revoke", LK_ACTION_EST_CODE_REVOKE, lk_code_revoke },
};

/* An operator of the socket is the network's owner, administrator and device manager in one: the
 * paper lets one person hold several roles. */
static struct lk_result
authorise(const char *id, enum lk_action action, struct lk_err *e)
{
	const struct lk_actor actor = { .parties = LK_PARTY_BIT(NO) | LK_PARTY_BIT(NA) |
						   LK_PARTY_BIT(OW) | LK_PARTY_BIT(ON) |
						   LK_PARTY_BIT(DM),
		.id = id };
	const struct lk_subject facts = { .owner = true, .own_network = true };

	return lk_authorise(&actor, action, &facts, e);
}

struct lk_result
lk_operator_request(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	const struct lk_operator_request_body *o = m->body;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_JSON_MAX);
	json_auto_t *args = NULL, *result = json_object();
	struct lk_operator_reply_body reply = { .result = { NULL, 0 } };
	size_t i;

	LK_REQUIRE(result, e, LK_R_NOMEM, "no memory for an answer");
	for (i = 0; i < LK_ARRAY_LEN(acts); i++)
		if (strcmp(acts[i].name, o->action) == 0)
			break;
	LK_REQUIRE(i < LK_ARRAY_LEN(acts), e, LK_R_NOT_OFFERED, "there is no action %s", o->action);
	/*= SEC-04: one authorise() decides for every way in =*/
	LK_TRY(authorise(o->actor, acts[i].action, e));
	/*= Latchkey import: a manifest comes in whole or not at all =*/
	LK_TRY(lk_json_parse_max(o->arguments, LK_OPERATOR_ARGUMENTS_MAX, &args, e));
	LK_TRY(acts[i].act(t, o->actor, args, result, e));
	LK_TRY(lk_json_print(result, &text, e));
	reply.result = lk_buf_slice(&text);
	return lk_turn_reply(t, m, LK_BODY_operator_reply, &reply, e);
}

/* --- arguments -------------------------------------------------------------------------------- */

struct lk_result
lk_operator_text(const json_t *args, const char *name, char *dst, size_t cap, struct lk_err *e)
{
	const json_t *v = json_object_get(args, name);

	LK_REQUIRE(json_is_string(v) && json_string_length(v) > 0, e, LK_R_OPERATOR_ARGUMENT,
		"\"%s\" is missing", name);
	return lk_slice_to_str(
		lk_slice(json_string_value(v), json_string_length(v)), name, dst, cap, e);
}

struct lk_result
lk_operator_optional(const json_t *args, const char *name, char *dst, size_t cap, struct lk_err *e)
{
	return json_object_get(args, name) ? lk_operator_text(args, name, dst, cap, e) : LK_OK;
}

/* By local id, or by serial number where only one device has it. */
static struct lk_result
find_device(struct lk_turn *t, const json_t *args, struct lk_device_record *d, struct lk_err *e)
{
	struct lk_scan scan = { .index = LK_DEVICE_BY_NUMBER, .prefix = 1 };
	char which[LK_SERIAL_MAX];
	bool found = false, another;

	LK_TRY(lk_operator_text(args, "device", which, sizeof which, e));
	if (strlen(which) < sizeof d->id) {
		memcpy(d->id, which, strlen(which) + 1);
		LK_TRY(lk_store_find(lk_turn_store(t), LK_DEVICE_BY_ID, &d->record, &found, e));
	}
	if (found)
		return LK_OK;
	memcpy(d->serial, which, sizeof which);
	LK_TRY(lk_store_next(lk_turn_store(t), &scan, &d->record, &found, e));
	LK_REQUIRE(found, e, LK_R_DEVICE_NONE, "there is no device %s", which);
	{
		LK_CLEANUP(lk_record_done) struct lk_device_record next = LK_RECORD_INIT(device);

		memcpy(next.serial, d->serial, sizeof next.serial);
		memcpy(next.id, d->id, sizeof next.id);
		LK_TRY(lk_store_next(lk_turn_store(t), &scan, &next.record, &another, e));
		LK_REQUIRE(!another, e, LK_R_DEVICE_AMBIGUOUS,
			"several manufacturers have a device %s: name it by its id", which);
	}
	return LK_OK;
}

/* --- manufacturers ---------------------------------------------------------------------------- */

static struct lk_result
store_manufacturer(struct lk_turn *t, const char *actor, struct lk_manufacturer_record *r,
	const json_t *args, struct lk_err *e)
{
	static const char *const policies[] = { "allow", "ask", "deny" };
	size_t i;

	/* By its name in a path trust ends again. */
	LK_REQUIRE(lk_path_is_plain(r->id), e, LK_R_OPERATOR_ARGUMENT,
		"'%s' is no name for a manufacturer here, want letters, digits, - . _ ~", r->id);
	LK_TRY(lk_slice_to_str(LK_SLICE_LIT("trusted"), "trust", r->trust, sizeof r->trust, e));
	LK_TRY(lk_operator_optional(args, "name", r->name, sizeof r->name, e));
	LK_TRY(lk_operator_optional(args, "masa_url", r->masa_url, sizeof r->masa_url, e));
	LK_TRY(lk_operator_optional(
		args, "unknown_devices", r->unknown_devices, sizeof r->unknown_devices, e));
	if (!r->unknown_devices[0])
		memcpy(r->unknown_devices, "deny", sizeof "deny");
	for (i = 0; i < LK_ARRAY_LEN(policies); i++)
		if (strcmp(r->unknown_devices, policies[i]) == 0)
			break;
	LK_REQUIRE(i < LK_ARRAY_LEN(policies), e, LK_R_OPERATOR_ARGUMENT,
		"unknown_devices is %s, want allow, ask or deny", r->unknown_devices);
	r->allow_tls12 = json_is_true(json_object_get(args, "allow_tls12"));
	r->ignore_idevid_expiry = json_is_true(json_object_get(args, "ignore_idevid_expiry"));
	if (!r->created_at)
		r->created_at = lk_turn_now(t);
	LK_TRY(lk_turn_put(t, &r->record, e));
	return lk_keeper_event(t, "manufacturer-trusted", NULL, NULL, actor,
		json_pack(
			"{s:s,s:s}", "manufacturer", r->id, "unknown_devices", r->unknown_devices),
		NULL, e);
}

/* The record of that name, or an empty one. */
static struct lk_result
open_manufacturer(struct lk_turn *t, const json_t *args, struct lk_manufacturer_record *r,
	bool *ret_found, struct lk_err *e)
{
	LK_TRY(lk_operator_text(args, "manufacturer", r->id, sizeof r->id, e));
	return lk_store_find(lk_turn_store(t), LK_MANUFACTURER_BY_ID, &r->record, ret_found, e);
}

static struct lk_result
set_anchors(struct lk_manufacturer_record *r, const struct lk_certs *certs, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(LK_ANCHORS_MAX);
	size_t i;

	for (i = 0; i < certs->n; i++)
		LK_TRY(lk_cert_print_pem(certs->v[i], &pem, e));
	return lk_blob_set(&r->anchors, lk_buf_slice(&pem), e);
}

static struct lk_result
manufacturer_add(
	struct lk_turn *t, const char *actor, const json_t *args, json_t *result, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record r = LK_RECORD_INIT(manufacturer);
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };
	const json_t *pem = json_object_get(args, "anchors");
	bool found;

	LK_TRY(open_manufacturer(t, args, &r, &found, e));
	LK_REQUIRE(json_is_string(pem), e, LK_R_OPERATOR_ARGUMENT, "\"anchors\" is missing");
	LK_TRY(lk_certs_parse_any(
		lk_slice(json_string_value(pem), json_string_length(pem)), &certs, e));
	LK_TRY(set_anchors(&r, &certs, e));
	LK_TRY(store_manufacturer(t, actor, &r, args, e));
	return lk_json_set(result, "anchors", json_integer((json_int_t)certs.n), e);
}

static struct lk_result
import_device(struct lk_turn *t, const char *manufacturer, const struct lk_manifest_device *from,
	size_t *ret_new, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	bool found;

	LK_TRY(lk_slice_to_str(lk_slice_str(manufacturer), "manufacturer", d.manufacturer_id,
		sizeof d.manufacturer_id, e));
	LK_TRY(lk_slice_to_str(
		lk_slice_str(from->serial_number), "serial number", d.serial, sizeof d.serial, e));
	LK_TRY(lk_store_find(lk_turn_store(t), LK_DEVICE_BY_SERIAL, &d.record, &found, e));
	if (found)
		return LK_OK;
	lk_turn_id(t, d.id);
	LK_TRY(lk_slice_to_str(lk_slice_str(from->idevid_issuer), "issuer", d.idevid_issuer,
		sizeof d.idevid_issuer, e));
	LK_TRY(lk_slice_to_str(
		lk_slice_str(from->spki_sha256), "key", d.idevid_spki, sizeof d.idevid_spki, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(from->model), "model", d.model, sizeof d.model, e));
	LK_TRY(lk_slice_to_str(
		lk_slice_str(from->mud_url), "MUD URL", d.mud_url, sizeof d.mud_url, e));
	LK_TRY(lk_slice_to_str(
		LK_SLICE_LIT("inventory"), "admission", d.admission, sizeof d.admission, e));
	d.state = LK_STATE_S7;
	d.created_at = d.changed_at = lk_turn_now(t);
	(*ret_new)++;
	return lk_turn_insert(t, &d.record, e);
}

/*= A0.3: the factory's signed list is imported, and its devices are known before they appear =*/
static struct lk_result
manufacturer_import(
	struct lk_turn *t, const char *actor, const json_t *args, json_t *result, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record r = LK_RECORD_INIT(manufacturer);
	LK_CLEANUP(lk_manifest_freep) struct lk_manifest *m = NULL;
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *anchors = NULL;
	LK_CLEANUP(lk_certs_done) struct lk_certs trusted = { .n = 0 };
	const json_t *text = json_object_get(args, "manifest");
	struct lk_verified_manifest verified;
	size_t added = 0, i;
	bool found;

	LK_TRY(open_manufacturer(t, args, &r, &found, e));
	LK_REQUIRE(json_is_string(text), e, LK_R_OPERATOR_ARGUMENT, "\"manifest\" is missing");
	LK_TRY(lk_manifest_parse(
		lk_slice(json_string_value(text), json_string_length(text)), &m, e));
	/* The first manifest of a manufacturer brings its anchors; the operator compared their
	 * fingerprint. Later ones are held against what is on record by then. */
	if (found)
		LK_TRY(lk_certs_parse_any(lk_blob_slice(&r.anchors), &trusted, e));
	LK_TRY(lk_anchors_new(found ? &trusted : &m->leaf.anchors, &anchors, e));
	LK_TRY(lk_manifest_check(m, anchors, lk_turn_now(t), &verified, e));
	if (!found) {
		LK_TRY(set_anchors(&r, &m->leaf.anchors, e));
		LK_TRY(lk_slice_to_str(
			lk_slice_str(m->leaf.manufacturer), "name", r.name, sizeof r.name, e));
		LK_TRY(store_manufacturer(t, actor, &r, args, e));
	}
	for (i = 0; i < m->leaf.devices; i++)
		LK_TRY(import_device(t, r.id, &m->devices[i], &added, e));
	LK_TRY(lk_keeper_event(t, "manifest-imported", NULL, NULL, actor,
		json_pack("{s:s,s:I,s:I}", "manufacturer", r.id, "devices",
			(json_int_t)m->leaf.devices, "new", (json_int_t)added),
		NULL, e));
	LK_TRY(lk_json_set(result, "devices", json_integer((json_int_t)m->leaf.devices), e));
	return lk_json_set(result, "new", json_integer((json_int_t)added), e);
}

/* How many devices of it are in: what happens to them is said when trust ends. */
static struct lk_result
count_devices(struct lk_turn *t, const char *manufacturer, int64_t *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);

	LK_TRY(lk_slice_to_str(lk_slice_str(manufacturer), "manufacturer", d.manufacturer_id,
		sizeof d.manufacturer_id, e));
	return lk_store_count(lk_turn_store(t), LK_DEVICE_BY_SERIAL, 1, &d.record, ret, e);
}

static struct lk_result
end_trust(struct lk_turn *t, const char *actor, const json_t *args, json_t *result, bool remove,
	struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record r = LK_RECORD_INIT(manufacturer);
	int64_t devices;
	bool found;

	LK_TRY(open_manufacturer(t, args, &r, &found, e));
	LK_REQUIRE(found, e, LK_R_MANUFACTURER_NONE, "there is no manufacturer %s", r.id);
	LK_TRY(count_devices(t, r.id, &devices, e));
	if (remove) {
		LK_REQUIRE(devices == 0, e, LK_R_MANUFACTURER_DEVICES,
			"%lld devices of %s are on record; distrust it, or decommission them first",
			(long long)devices, r.id);
		LK_TRY(lk_turn_remove(t, &r.record, e));
	} else {
		LK_TRY(lk_slice_to_str(
			LK_SLICE_LIT("distrusted"), "trust", r.trust, sizeof r.trust, e));
		LK_TRY(lk_turn_put(t, &r.record, e));
	}
	LK_TRY(lk_keeper_event(t, remove ? "manufacturer-removed" : "manufacturer-distrusted", NULL,
		NULL, actor, json_pack("{s:s}", "manufacturer", r.id), NULL, e));
	LK_TRY(lk_json_set(result, "devices", json_integer(devices), e));
	/* Their LDevIDs are this network's own credentials and stay good until revoked. */
	return lk_json_set(result, "devices_keep_access", json_boolean(devices > 0), e);
}

static struct lk_result
manufacturer_distrust(
	struct lk_turn *t, const char *actor, const json_t *args, json_t *result, struct lk_err *e)
{
	return end_trust(t, actor, args, result, false, e);
}

static struct lk_result
manufacturer_remove(
	struct lk_turn *t, const char *actor, const json_t *args, json_t *result, struct lk_err *e)
{
	return end_trust(t, actor, args, result, true, e);
}

/* --- devices ---------------------------------------------------------------------------------- */

static struct lk_result
admit(struct lk_turn *t, const char *actor, struct lk_device_record *d, const char *admission,
	const char *type, json_t *result, struct lk_err *e)
{
	LK_TRY(lk_slice_to_str(
		lk_slice_str(admission), "admission", d->admission, sizeof d->admission, e));
	d->changed_at = lk_turn_now(t);
	LK_TRY(lk_turn_put(t, &d->record, e));
	LK_TRY(lk_json_set(result, "device", json_string(d->id), e));
	return lk_keeper_event(t, type, d, NULL, actor, json_object(), NULL, e);
}

static struct lk_result
device_approve(
	struct lk_turn *t, const char *actor, const json_t *args, json_t *result, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_record_done) struct lk_run_record run = LK_RECORD_INIT(run);
	bool found;

	LK_TRY(find_device(t, args, &d, e));
	LK_TRY(admit(t, actor, &d, "approved", "approved", result, e));
	LK_TRY(lk_run_newest(t, d.id, &run, &found, e));
	return found ? lk_brski_resume(t, &run, e) : LK_OK; /* if it waits for this */
}

static struct lk_result
device_deny(
	struct lk_turn *t, const char *actor, const json_t *args, json_t *result, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);

	LK_TRY(find_device(t, args, &d, e));
	d.revocation_generation++; /* a grant that was given before is void */
	LK_TRY(lk_access_cut(t, &d, e));
	LK_TRY(admit(t, actor, &d, "denied", "denied", result, e));
	return lk_run_end(t, d.id, e);
}

struct lk_result
lk_certificates_revoke(struct lk_turn *t, const char *device_id, const char *of, const char *reason,
	int64_t *ret_n, struct lk_err *e)
{
	struct lk_scan scan = { .index = LK_CERTIFICATE_BY_DEVICE, .prefix = 1 };
	LK_CLEANUP(lk_record_done) struct lk_certificate_record c = LK_RECORD_INIT(certificate);
	bool found;

	LK_TRY(lk_slice_to_str(lk_slice_str(device_id), "id", c.device_id, sizeof c.device_id, e));
	for (*ret_n = 0;;) {
		LK_TRY(lk_store_next(lk_turn_store(t), &scan, &c.record, &found, e));
		if (!found)
			return LK_OK;
		if (strcmp(c.status, "revoked") == 0 || (of && strcmp(c.run_id, of) != 0))
			continue;
		LK_TRY(lk_slice_to_str(
			LK_SLICE_LIT("revoked"), "status", c.status, sizeof c.status, e));
		LK_TRY(lk_slice_to_str(
			lk_slice_str(reason), "reason", c.reason, sizeof c.reason, e));
		c.revoked_at = lk_turn_now(t);
		LK_TRY(lk_turn_put(t, &c.record, e));
		(*ret_n)++;
	}
}

/*= SEC-06: credentials are revoked: every certificate of the device, at once =*/
static struct lk_result
revoke_certificates(struct lk_turn *t, struct lk_device_record *d, const char *reason,
	int64_t *ret_n, struct lk_err *e)
{
	LK_TRY(lk_certificates_revoke(t, d->id, NULL, reason, ret_n, e));
	d->ldevid_serial[0] = d->ldevid_issuer[0] = 0;
	d->ldevid_not_after = 0;
	d->revocation_generation++;     /* grants that were given before are void */
	return lk_run_end(t, d->id, e); /* and no certificate comes after */
}

static struct lk_result
device_revoke(
	struct lk_turn *t, const char *actor, const json_t *args, json_t *result, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	int64_t n;

	LK_TRY(find_device(t, args, &d, e));
	LK_TRY(revoke_certificates(t, &d, "privilegeWithdrawn", &n, e));
	LK_TRY(lk_access_cut(t, &d, e));
	LK_TRY(admit(t, actor, &d, "denied", "revoked", result, e));
	return lk_json_set(result, "certificates", json_integer(n), e);
}

static struct lk_result
device_decommission(
	struct lk_turn *t, const char *actor, const json_t *args, json_t *result, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	int64_t n;

	LK_TRY(find_device(t, args, &d, e));
	LK_TRY(lk_device_move(t, &d, LK_EVENT_DECOMMISSION, e));
	LK_TRY(revoke_certificates(t, &d, "cessationOfOperation", &n, e));
	/*= LC-6: a decommissioned device is isolated from the network =*/
	LK_TRY(lk_access_cut(t, &d, e));
	d.port[0] = d.mac[0] = 0;
	/* It may come back only when somebody says that it was erased: device approve. */
	LK_TRY(admit(t, actor, &d, "ask", "decommissioned", result, e));
	return lk_json_set(result, "certificates", json_integer(n), e);
}
