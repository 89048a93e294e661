/* SPDX-License-Identifier: Apache-2.0
 *
 * Enrolment codes: an operator makes one for the name that a client of plain EST is
 * to have, and takes it back, with all that came of it. The code is shown once and
 * never stored: a hundred random bits need no slow hash.
 */
#include "noc/keeper/internal.h"

#include "artefact/json.h"
#include "base/secret.h"

#define CODE_LEN  20 /* characters of five bits each, in groups of four */
#define GROUP_LEN 4
#define CODE_TEXT (CODE_LEN + CODE_LEN / GROUP_LEN)

void
lk_code_digest(const char *enrolment_id, const char *code, uint8_t dst[static LK_SHA256_LEN])
{
	uint8_t in[LK_ID_MAX + 64];
	size_t id = strnlen(enrolment_id, LK_ID_MAX), n = strnlen(code, 64);

	memcpy(in, enrolment_id, id);
	memcpy(in + id, code, n);
	lk_sha256_of(lk_slice(in, id + n), dst);
	lk_wipe(in, sizeof in);
}

/* Without the letters that are taken for others. */
static void
make_code(const struct lk_random *random, char dst[static CODE_TEXT])
{
	static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint8_t bits[CODE_LEN];
	size_t i, n = 0;

	lk_random_fill(random, bits, sizeof bits);
	for (i = 0; i < CODE_LEN; i++) {
		if (i && i % GROUP_LEN == 0)
			dst[n++] = '-';
		dst[n++] = alphabet[bits[i] & 31];
	}
	dst[n] = 0;
	lk_wipe(bits, sizeof bits);
}

/*= RFC7617 2: a user-id has no colon =*/
static struct lk_result
check_name(const char *name, const char *what, const char *chars, struct lk_err *e)
{
	LK_REQUIRE(!name[strspn(name, chars)] && strlen(name) <= 64, e, LK_R_OPERATOR_ARGUMENT,
		"%s is \"%s\", want at most 64 of the characters %s", what, name, chars);
	return LK_OK;
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-."

/*= Latchkey EST: no code is made for the name that a device has here =*/
static struct lk_result
check_no_device(struct lk_turn *t, const char *name, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	bool found;

	if (strlen(name) >= sizeof d.id)
		return LK_OK;
	memcpy(d.id, name, strlen(name) + 1);
	LK_TRY(lk_store_find(lk_turn_store(t), LK_DEVICE_BY_ID, &d.record, &found, e));
	LK_REQUIRE(!found, e, LK_R_OPERATOR_ARGUMENT, "%s is a device, which enrols by its IDevID",
		name);
	return LK_OK;
}

static struct lk_result
read_arguments(
	struct lk_turn *t, const json_t *args, struct lk_enrolment_record *en, struct lk_err *e)
{
	const struct lk_est_label *l;

	LK_TRY(lk_operator_text(args, "label", en->label, sizeof en->label, e));
	LK_TRY(lk_operator_text(args, "name", en->name, sizeof en->name, e));
	LK_TRY(lk_operator_optional(args, "dns", en->dns, sizeof en->dns, e));
	l = lk_est_label_find(&keeper_of(t)->set.labels, en->label);
	LK_REQUIRE(l && l->code, e, LK_R_EST_LABEL_SHUT, "label \"%s\" is not open for codes",
		en->label);
	LK_TRY(check_name(en->name, "name", LETTERS "_@ ", e));
	LK_TRY(check_no_device(t, en->name, e));
	return check_name(en->dns, "dns", LETTERS, e);
}

/* A code that nobody used goes when there is a newer one for the name. */
static struct lk_result
replace_older(struct lk_turn *t, const struct lk_enrolment_record *en, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_enrolment_record old = LK_RECORD_INIT(enrolment);
	struct lk_scan scan = { .index = LK_ENROLMENT_BY_NAME, .prefix = 2, .descending = true };
	bool found;

	memcpy(old.label, en->label, sizeof old.label);
	memcpy(old.name, en->name, sizeof old.name);
	LK_TRY(lk_store_next(lk_turn_store(t), &scan, &old.record, &found, e));
	return found && strcmp(old.state, "open") == 0 ? lk_turn_remove(t, &old.record, e) : LK_OK;
}

struct lk_result
lk_code_new(
	struct lk_turn *t, const char *actor, const json_t *args, json_t *result, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_enrolment_record en = LK_RECORD_INIT(enrolment);
	uint8_t digest[LK_SHA256_LEN];
	char code[CODE_TEXT], until[LK_TIME_TEXT_MAX];
	struct lk_result shown;

	LK_TRY(read_arguments(t, args, &en, e));
	LK_TRY(replace_older(t, &en, e));
	lk_turn_id(t, en.id);
	en.created_at = lk_turn_now(t);
	en.expires_at = en.created_at + keeper_of(t)->set.code_seconds;
	LK_TRY(lk_slice_to_str(LK_SLICE_LIT("open"), "state", en.state, sizeof en.state, e));
	make_code(lk_turn_random(t), code);
	lk_code_digest(en.id, code, digest);
	shown = lk_json_set(result, "code", json_string(code), e);
	lk_wipe(code, sizeof code);
	LK_TRY(shown);
	LK_TRY(lk_blob_set(&en.code, LK_SLICE_ARRAY(digest), e));
	LK_TRY(lk_turn_insert(t, &en.record, e));
	lk_time_print(en.expires_at, until);
	LK_TRY(lk_json_set(result, "id", json_string(en.id), e));
	LK_TRY(lk_json_set(result, "label", json_string(en.label), e));
	LK_TRY(lk_json_set(result, "user", json_string(en.name), e));
	LK_TRY(lk_json_set(result, "expires_at", json_string(until), e));
	return lk_keeper_event(t, "enrolment-code-made", NULL, en.id, actor,
		json_pack("{s:s,s:s,s:s}", "label", en.label, "name", en.name, "dns", en.dns), NULL,
		e);
}

struct lk_result
lk_code_revoke(
	struct lk_turn *t, const char *actor, const json_t *args, json_t *result, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_enrolment_record en = LK_RECORD_INIT(enrolment);
	int64_t n;
	bool found;

	LK_TRY(lk_operator_text(args, "enrolment", en.id, sizeof en.id, e));
	LK_TRY(lk_store_find(lk_turn_store(t), LK_ENROLMENT_BY_ID, &en.record, &found, e));
	LK_REQUIRE(found, e, LK_R_EST_NONE, "there is no enrolment %s", en.id);
	LK_TRY(lk_slice_to_str(LK_SLICE_LIT("revoked"), "state", en.state, sizeof en.state, e));
	LK_TRY(lk_turn_put(t, &en.record, e));
	LK_TRY(lk_certificates_revoke(
		t, en.device_id[0] ? en.device_id : en.id, en.id, "privilegeWithdrawn", &n, e));
	LK_TRY(lk_json_set(result, "id", json_string(en.id), e));
	LK_TRY(lk_json_set(result, "certificates", json_integer(n), e));
	return lk_keeper_event(t, "enrolment-revoked", NULL, en.id, actor,
		json_pack("{s:s,s:s,s:I}", "label", en.label, "name", en.name, "certificates",
			(json_int_t)n),
		NULL, e);
}
