/* SPDX-License-Identifier: Apache-2.0
 *
 * Voucher and enrolment status telemetry (RFC 8995 5.7 and 5.9.4).
 */
#include "artefact/telemetry.h"

enum member { VERSION, STATUS, REASON };

static const struct lk_json_field members[] = {
	[VERSION] = LK_JSON_FIELD(struct lk_telemetry, version, "version", U64, MANDATORY),
	[STATUS] = LK_JSON_FIELD(struct lk_telemetry, status, "status", BOOL, MANDATORY),
	[REASON] = LK_JSON_FIELD(struct lk_telemetry, reason, "reason", TEXT, OPTIONAL),
};

/*= RFC8995 5.7: unknown fields are logged, not refused =*/
static const struct lk_json_table table = {
	.what = "the telemetry",
	.fields = members,
	.n = LK_ARRAY_LEN(members),
	.present_offset = offsetof(struct lk_telemetry, present),
	.reason = LK_R_TELEMETRY,
	.unknown = LK_JSON_IGNORE_UNKNOWN,
};

/* Nobody says what reason-context holds: of other forms than ours nothing is taken. */
static void
read_libraries(const json_t *obj, char dst[static LK_TELEMETRY_LIBRARIES_MAX])
{
	const char *said = json_string_value(
		json_object_get(json_object_get(obj, "reason-context"), "libraries"));

	if (said)
		lk_ignore(lk_slice_to_str(
			lk_slice_str(said), "libraries", dst, LK_TELEMETRY_LIBRARIES_MAX, NULL));
}

struct lk_result
lk_telemetry_parse(struct lk_slice text, struct lk_telemetry *ret, struct lk_err *e)
{
	json_auto_t *obj = NULL;
	struct lk_telemetry t = { 0 };

	LK_REQUIRE(text.n <= LK_TELEMETRY_MAX, e, LK_R_TOO_LARGE,
		"telemetry of %zu bytes, at most %d are taken", text.n, LK_TELEMETRY_MAX);
	LK_TRY(lk_json_parse(text, &obj, e));
	/*= RFC8995 5.7: version and status are mandatory =*/
	LK_TRY(lk_json_read(&table, obj, &t, e));
	read_libraries(obj, t.libraries);
	t.json = json_incref(obj);
	*ret = t;
	return LK_OK;
}

void
lk_telemetry_done(struct lk_telemetry *t)
{
	json_decref(t->json);
	*t = (struct lk_telemetry){ 0 };
}

struct lk_result
lk_telemetry_build(bool status, const char *reason, const char *libraries, struct lk_buf *out,
	struct lk_err *e)
{
	struct lk_telemetry t = { .present = 1u << VERSION | 1u << STATUS,
		.version = LK_TELEMETRY_VERSION,
		.status = status };
	json_auto_t *obj = NULL;

	/*= RFC8995 5.7: the reason is given when status is false =*/
	if (!status) {
		t.present |= 1u << REASON;
		LK_TRY(lk_slice_to_str(
			lk_slice_str(reason), "reason", t.reason, sizeof t.reason, e));
	}
	LK_TRY(lk_json_write(&table, &t, &obj, e));
	if (libraries)
		LK_TRY(lk_json_set(
			obj, "reason-context", json_pack("{s:s}", "libraries", libraries), e));
	return lk_json_print(obj, out, e);
}

struct lk_result
lk_telemetry_print(const struct lk_telemetry *t, struct lk_buf *out, struct lk_err *e)
{
	json_auto_t *known = NULL, *rest = json_copy(t->json);
	const char *name;
	json_t *value;

	LK_REQUIRE(rest, e, LK_R_NOMEM, "no memory for JSON");
	LK_TRY(lk_json_write(&table, t, &known, e));
	json_object_foreach (known, name, value) {
		LK_TRY(lk_json_print_line(name, value, out, e));
		json_object_del(rest, name);
	}
	return json_object_size(rest) ? lk_json_print_line("besides", rest, out, e) : LK_OK;
}
