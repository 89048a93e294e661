/* SPDX-License-Identifier: Apache-2.0
 *
 * May this device come in? The order of the questions: is its manufacturer
 * trusted (identity.c), is it known, what did an operator say of it, what does
 * policy say of devices that nobody named, where does its life stand.
 */
#include "noc/keeper/internal.h"

#include "base/encode.h"
#include "crypto/digest.h"

/* RFC 8995 2.3.1: X520SerialNumber of the subject; tried elsewhere only where a manufacturer's
 * record says so. */
static struct lk_result
serial_of(const struct lk_cert *idevid, char dst[static LK_SERIAL_MAX], struct lk_err *e)
{
	char serial[LK_CERT_NAME_MAX];

	lk_cert_subject(idevid, LK_OID_SERIAL_NUMBER, serial);
	/*= RFC8995 2.3.1: the device's serial number is the X520SerialNumber of the IDevID's subject =*/
	LK_REQUIRE(serial[0], e, LK_R_IDEVID_SERIAL, "the subject has no serialNumber");
	return lk_slice_to_str(lk_slice_str(serial), "serialNumber", dst, LK_SERIAL_MAX, e);
}

/* What the IDevID itself says of the device. */
static struct lk_result
describe(const struct identity *who, struct lk_device_record *d, struct lk_err *e)
{
	uint8_t digest[LK_SHA256_LEN];
	struct lk_slice aki = lk_cert_aki(who->cert);

	if (aki.n && 2 * aki.n < sizeof d->idevid_issuer)
		lk_hex(aki, d->idevid_issuer);
	lk_sha256_of(lk_cert_spki(who->cert), digest);
	lk_hex(LK_SLICE_ARRAY(digest), d->idevid_spki);
	/*= SEC-21: the MUD URL comes bound to the identity, in the IDevID =*/
	return lk_cert_url(who->cert, LK_OID_PE_MUD_URL, d->mud_url, e);
}

static struct lk_result
new_device(
	struct lk_turn *t, const struct identity *who, struct lk_device_record *d, struct lk_err *e)
{
	const struct lk_manufacturer_record *m = &who->manufacturer->record;
	const char *policy = m->unknown_devices;

	/*= A1.2: a device that policy denies is refused and may be admitted by an operator later =*/
	LK_REQUIRE(strcmp(policy, "deny") != 0, e, LK_R_DEVICE_UNKNOWN,
		"device %s of %s is in no inventory, and unknown ones are denied", d->serial,
		m->id);
	lk_turn_id(t, d->id);
	d->created_at = d->changed_at = lk_turn_now(t);
	d->state = LK_STATE_S7;
	LK_TRY(describe(who, d, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(strcmp(policy, "allow") == 0 ? "approved" : "ask"),
		"admission", d->admission, sizeof d->admission, e));
	LK_TRY(lk_turn_insert(t, &d->record, e));
	return lk_keeper_event(t, "device-appeared", d, NULL, "device",
		json_pack("{s:s,s:s,s:s}", "serial", d->serial, "manufacturer", m->id, "admission",
			d->admission),
		NULL, e);
}

struct lk_result
lk_device_not_denied(const struct lk_device_record *d, struct lk_err *e)
{
	/*= A1.2: a device that an operator denied stays out, whatever credentials it has =*/
	LK_REQUIRE(strcmp(d->admission, "denied") != 0, e, LK_R_DEVICE_DENIED,
		"an operator denied device %s", d->serial);
	return LK_OK;
}

static struct lk_result
check_known(const struct identity *who, struct lk_device_record *d, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record now = LK_RECORD_INIT(device);

	LK_TRY(lk_device_not_denied(d, e));
	LK_REQUIRE(d->state != LK_STATE_S16, e, LK_R_DEVICE_ENDED,
		"device %s is at its end of life", d->serial);
	LK_TRY(describe(who, &now, e));
	/*= SEC-03: the asserted identity is verified; a serial number under another key is another device =*/
	LK_REQUIRE(!d->idevid_spki[0] || strcmp(d->idevid_spki, now.idevid_spki) == 0, e,
		LK_R_DEVICE_KEY, "device %s was known with another key", d->serial);
	return LK_OK;
}

struct lk_result
lk_admission(struct lk_turn *t, const struct identity *who, struct lk_device_record *ret,
	enum admission *ret_admission, struct lk_err *e)
{
	bool found;

	LK_TRY(lk_slice_to_str(lk_slice_str(who->manufacturer->record.id), "manufacturer",
		ret->manufacturer_id, sizeof ret->manufacturer_id, e));
	LK_TRY(serial_of(who->cert, ret->serial, e));
	LK_TRY(lk_store_find(lk_turn_store(t), LK_DEVICE_BY_SERIAL, &ret->record, &found, e));
	if (!found)
		LK_TRY(new_device(t, who, ret, e));
	LK_TRY(check_known(who, ret, e));
	if (!ret->idevid_spki[0]) { /* it was in the inventory and shows itself for the first time
				     */
		LK_TRY(describe(who, ret, e));
		LK_TRY(lk_turn_put(t, &ret->record, e));
	}
	*ret_admission = strcmp(ret->admission, "ask") == 0 ? ADMIT_ASK : ADMIT;
	return LK_OK;
}

/* What the keeper knows of a device when its life goes on: it is isolated while no port is open for
 * it, and an operator who lets it in again says that it was erased. */
static struct lk_guards
facts(const struct lk_device_record *d)
{
	bool approved =
		strcmp(d->admission, "approved") == 0 || strcmp(d->admission, "inventory") == 0;

	return (struct lk_guards){ .one_owner = true,
		.declared = true,
		.erased = approved,
		.application_erased = approved,
		.isolated = d->state == LK_STATE_S15,
		.onboarded = d->ldevid_serial[0] != 0,
		.not_in_use = d->state < LK_STATE_S8 || d->state > LK_STATE_S14 };
}

struct lk_result
lk_device_move(
	struct lk_turn *t, struct lk_device_record *d, enum lk_event_kind event, struct lk_err *e)
{
	struct lk_guards guards = facts(d);
	enum lk_transition_id id;
	enum lk_state next;

	LK_TRY(lk_transition((enum lk_state)d->state, event, &guards, &next, &id, e));
	d->state = next;
	d->changed_at = lk_turn_now(t);
	return lk_turn_put(t, &d->record, e);
}

/* A device in use that asks to be onboarded was reset, repaired or lost its credentials: it left
 * operation without a word. */
static struct lk_result
left_operation(struct lk_turn *t, struct lk_device_record *d, struct lk_err *e)
{
	struct lk_guards guards = facts(d);

	/*= LC-7: states may be skipped, with a reason =*/
	if (d->state != LK_STATE_S11)
		LK_TRY(lk_transition_skip((enum lk_state)d->state, LK_STATE_S11,
			"the device asks to be onboarded again", &guards, e));
	d->state = LK_STATE_S11;
	return lk_device_move(t, d, LK_EVENT_DISCONNECT, e);
}

struct lk_result
lk_device_begin(struct lk_turn *t, struct lk_device_record *d, struct lk_err *e)
{
	switch (d->state) {
	case LK_STATE_S8:
		return LK_OK;
	case LK_STATE_S7:
		return lk_device_move(t, d, LK_EVENT_INSTALL, e);
	case LK_STATE_S15:
		return lk_device_move(t, d, LK_EVENT_REPURPOSE_ROLE, e);
	case LK_STATE_S9:
	case LK_STATE_S10:
	case LK_STATE_S11:
	case LK_STATE_S13:
		LK_TRY(left_operation(t, d, e));
		break;
	default:
		break;
	}
	return lk_device_move(t, d, LK_EVENT_REONBOARD, e);
}
