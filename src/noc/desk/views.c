/* SPDX-License-Identifier: Apache-2.0
 *
 * What the read model says, as JSON.
 */
#include "noc/desk/model.h"

#include "artefact/checkpoint.h"
#include "base/number.h"
#include "lifecycle/state.h"
#include "store/ledger.h"

#define STRETCH 4096 /* events that one request looks at: some ten ms of work */

static bool
ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && strcmp(s + n - t, tail) == 0;
}

static json_t *
time_json(int64_t at)
{
	char text[LK_TIME_TEXT_MAX];

	if (!at)
		return json_null();
	lk_time_print(at, text);
	return json_string(text);
}

/* NULL: left out. */
static json_t *
column_json(const struct lk_column *c, struct lk_value v)
{
	switch (v.type) {
	case LK_COLUMN_TEXT:
		return json_stringn((const char *)v.bytes.p, v.bytes.n);
	case LK_COLUMN_BOOL:
		return json_boolean(v.number);
	case LK_COLUMN_INT:
		if (strcmp(c->name, "at") == 0 || ends_with(c->name, "_at") ||
			strcmp(c->name, "not_before") == 0 || ends_with(c->name, "not_after"))
			return time_json(v.number);
		return json_integer(v.number);
	case LK_COLUMN_BLOB:
		break;
	}
	return NULL;
}

struct lk_result
lk_record_to_json(const struct lk_record *r, json_t **ret, struct lk_err *e)
{
	json_auto_t *obj = json_object();
	unsigned i;

	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for JSON");
	for (i = 0; i < r->type->n_columns; i++)
		if (r->type->columns[i].type != LK_COLUMN_BLOB)
			LK_TRY(lk_json_set(obj, r->type->columns[i].name,
				column_json(&r->type->columns[i], lk_record_value(r, i)), e));
	*ret = LK_TAKE(obj);
	return LK_OK;
}

/* Adds a record's object to a list. Consumes nothing. */
static struct lk_result
add_record(json_t *list, const struct lk_record *r, json_t **ret_added, struct lk_err *e)
{
	json_auto_t *obj = NULL;

	LK_TRY(lk_record_to_json(r, &obj, e));
	LK_REQUIRE(json_array_append(list, obj) == 0, e, LK_R_NOMEM, "no memory for JSON");
	if (ret_added)
		*ret_added = obj; /* the list's */
	return LK_OK;
}

/* --- devices ---------------------------------------------------------------------------------- */

/* State as the paper calls it besides its number. */
static struct lk_result
name_state(json_t *device, int64_t state, struct lk_err *e)
{
	const struct lk_state_info *info = lk_state_info((enum lk_state)state);

	LK_TRY(lk_json_set(device, "state", json_string(info->symbol), e));
	return lk_json_set(device, "state_name", json_string(info->name), e);
}

static struct lk_result
list_devices(struct lk_model *m, const struct lk_model_query *q, json_t *list, json_t **ret_next,
	struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	struct lk_scan scan = { .index = q->admission[0] ? LK_DEVICE_BY_ADMISSION
					 : q->state      ? LK_DEVICE_BY_STATE
							 : LK_DEVICE_BY_ID,
		.prefix = q->admission[0] || q->state,
		.after = q->cursor[0] };
	bool found;
	json_t *obj;

	memcpy(d.id, q->cursor, sizeof d.id);
	memcpy(d.admission, q->admission, sizeof d.admission);
	d.state = q->state;
	for (;;) {
		LK_TRY(lk_store_next(lk_model_store(m), &scan, &d.record, &found, e));
		if (!found)
			return LK_OK;
		if (q->state && d.state != q->state)
			continue;
		LK_TRY(add_record(list, &d.record, &obj, e));
		LK_TRY(name_state(obj, d.state, e));
		if ((int64_t)json_array_size(list) == q->limit)
			break;
	}
	*ret_next = json_string(d.id);
	return LK_OK;
}

struct lk_result
lk_model_devices(struct lk_model *m, const struct lk_model_query *q, json_t **ret, struct lk_err *e)
{
	json_auto_t *obj = json_pack("{s:i,s:[]}", "schema", 1, "devices");
	json_t *next = NULL;

	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for JSON");
	LK_TRY(list_devices(m, q, json_object_get(obj, "devices"), &next, e));
	LK_TRY(lk_json_set(obj, "next", next ? next : json_null(), e));
	*ret = LK_TAKE(obj);
	return LK_OK;
}

static struct lk_result
find_device(struct lk_model *m, const char *which, struct lk_device_record *d, struct lk_err *e)
{
	struct lk_scan scan = { .index = LK_DEVICE_BY_NUMBER, .prefix = 1 };
	bool found = false;
	int64_t n;

	if (strlen(which) < sizeof d->id) {
		memcpy(d->id, which, strlen(which) + 1);
		LK_TRY(lk_store_find(lk_model_store(m), LK_DEVICE_BY_ID, &d->record, &found, e));
	}
	if (found)
		return LK_OK;
	LK_TRY(lk_slice_to_str(
		lk_slice_str(which), "serial number", d->serial, sizeof d->serial, e));
	LK_TRY(lk_store_count(lk_model_store(m), LK_DEVICE_BY_NUMBER, 1, &d->record, &n, e));
	LK_REQUIRE(n < 2, e, LK_R_DEVICE_AMBIGUOUS, "%lld devices have the serial number %s",
		(long long)n, which);
	LK_TRY(lk_store_next(lk_model_store(m), &scan, &d->record, &found, e));
	LK_REQUIRE(found, e, LK_R_DEVICE_NONE, "there is no device %s", which);
	return LK_OK;
}

/* A column that holds JSON, as JSON. */
static struct lk_result
unwrap(json_t *obj, const char *name, const char *text, struct lk_err *e)
{
	json_t *inner = text[0] ? json_loads(text, 0, NULL) : json_null();

	return lk_json_set(obj, name, inner ? inner : json_null(), e);
}

static struct lk_result
add_run(struct lk_model *m, const char *device_id, json_t *device, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_run_record run = LK_RECORD_INIT(run);
	struct lk_scan scan = { .index = LK_RUN_BY_DEVICE, .prefix = 1, .descending = true };
	json_t *obj;
	bool found;

	memcpy(run.device_id, device_id, sizeof run.device_id);
	LK_TRY(lk_store_next(lk_model_store(m), &scan, &run.record, &found, e));
	if (!found)
		return lk_json_set(device, "run", json_null(), e);
	LK_TRY(lk_record_to_json(&run.record, &obj, e));
	LK_TRY(lk_json_set(device, "run", obj, e));
	LK_TRY(unwrap(obj, "steps", run.steps, e));
	return unwrap(obj, "tls", run.tls, e);
}

static struct lk_result
add_certificates(struct lk_model *m, const char *device_id, json_t *device, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record c = LK_RECORD_INIT(certificate);
	struct lk_scan scan = { .index = LK_CERTIFICATE_BY_DEVICE, .prefix = 1 };
	json_t *list = json_array();
	bool found;

	LK_TRY(lk_json_set(device, "certificates", list, e));
	memcpy(c.device_id, device_id, sizeof c.device_id);
	for (;;) {
		LK_TRY(lk_store_next(lk_model_store(m), &scan, &c.record, &found, e));
		if (!found)
			return LK_OK;
		LK_TRY(add_record(list, &c.record, NULL, e));
	}
}

/*= SEC-12: protocol, suite, group, key size and library version of a run are shown =*/
struct lk_result
lk_model_device(struct lk_model *m, const char *which, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	json_auto_t *obj = json_pack("{s:i}", "schema", 1);
	json_t *device;

	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for JSON");
	LK_TRY(find_device(m, which, &d, e));
	LK_TRY(lk_record_to_json(&d.record, &device, e));
	LK_TRY(lk_json_set(obj, "device", device, e));
	LK_TRY(name_state(device, d.state, e));
	LK_TRY(add_run(m, d.id, device, e));
	LK_TRY(add_certificates(m, d.id, device, e));
	*ret = LK_TAKE(obj);
	return LK_OK;
}

/* The newest come first off the index; a person reads them in the order in which they happened. */
static struct lk_result
put_event(json_t *list, const struct lk_event_record *ev, struct lk_err *e)
{
	json_t *obj, *payload;

	LK_TRY(lk_record_to_json(&ev->record, &obj, e));
	LK_REQUIRE(json_array_insert_new(list, 0, obj) == 0, e, LK_R_NOMEM, "no memory for JSON");
	payload = json_loadb((const char *)ev->payload.p, ev->payload.n, 0, NULL);
	return lk_json_set(obj, "payload", payload ? payload : json_null(), e);
}

static struct lk_result
list_events(
	struct lk_model *m, const char *device_id, int64_t limit, json_t *list, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	struct lk_scan scan = { .index = LK_EVENT_BY_DEVICE, .prefix = 1, .descending = true };
	bool found;

	memcpy(ev.device_id, device_id, sizeof ev.device_id);
	while ((int64_t)json_array_size(list) < limit) {
		LK_TRY(lk_store_next(lk_model_store(m), &scan, &ev.record, &found, e));
		if (!found)
			return LK_OK;
		LK_TRY(put_event(list, &ev, e));
	}
	return LK_OK;
}

struct lk_result
lk_model_timeline(
	struct lk_model *m, const char *which, int64_t limit, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	json_auto_t *obj = NULL;

	LK_TRY(find_device(m, which, &d, e));
	obj = json_pack("{s:i,s:s,s:[]}", "schema", 1, "device", d.id, "events");
	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for JSON");
	LK_TRY(list_events(m, d.id, limit, json_object_get(obj, "events"), e));
	*ret = LK_TAKE(obj);
	return LK_OK;
}

/* --- the ledger ------------------------------------------------------------------------------- */

/* Fills *ev with the newest event; its seq is 0 when there is none. */
static struct lk_result
newest_event(struct lk_model *m, struct lk_event_record *ev, struct lk_err *e)
{
	struct lk_scan scan = { .index = LK_EVENT_BY_SEQ, .descending = true };
	bool found;

	return lk_store_next(lk_model_store(m), &scan, &ev->record, &found, e);
}

static struct lk_result
read_cursor(const struct lk_model_query *q, int64_t *seq, struct lk_err *e)
{
	uint64_t n;

	if (!q->cursor[0])
		return LK_OK;
	LK_TRY(lk_parse_u64(lk_slice_str(q->cursor), "cursor", 1, INT64_MAX, &n, e));
	*seq = (int64_t)n;
	return LK_OK;
}

static json_t *
cursor_json(int64_t seq)
{
	return seq ? json_sprintf("%lld", (long long)seq) : json_null();
}

struct lk_result
lk_model_ledger(struct lk_model *m, const struct lk_model_query *q, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	struct lk_scan scan = {
		.index = LK_EVENT_BY_SEQ, .prefix = 1, .descending = true, .after = true
	};
	json_auto_t *obj = json_pack("{s:i,s:[]}", "schema", 1, "events");
	json_t *list = json_object_get(obj, "events");
	bool found = true;
	int looked_at;

	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for JSON");
	LK_TRY(newest_event(m, &ev, e));
	ev.seq++;
	LK_TRY(read_cursor(q, &ev.seq, e));
	for (looked_at = 0; looked_at < STRETCH; looked_at++) {
		if ((int64_t)json_array_size(list) == q->limit)
			break;
		LK_TRY(lk_store_next(lk_model_store(m), &scan, &ev.record, &found, e));
		if (!found)
			break;
		if (!q->refused || ev.reason[0])
			LK_TRY(put_event(list, &ev, e));
	}
	LK_TRY(lk_json_set(obj, "next", cursor_json(found && ev.seq > 1 ? ev.seq : 0), e));
	*ret = LK_TAKE(obj);
	return LK_OK;
}

/* The newest checkpoint; NULL where none was signed yet. `head` is of the chain that it is about.
 */
static struct lk_result
check_checkpoint(struct lk_model *m, const struct lk_event_record *head,
	const struct lk_anchors *anchors, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_checkpoint_record r = LK_RECORD_INIT(checkpoint);
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	LK_CLEANUP(lk_checkpoint_done) struct lk_checkpoint cp = { 0 };
	struct lk_scan scan = { .index = LK_CHECKPOINT_BY_SEQ, .descending = true };
	bool found;

	LK_TRY(lk_store_next(lk_model_store(m), &scan, &r.record, &found, e));
	*ret = NULL;
	if (!found)
		return LK_OK;
	LK_TRY(lk_checkpoint_parse(lk_blob_slice(&r.signature), NULL, &cp, e));
	LK_TRY(lk_checkpoint_check(lk_blob_slice(&r.signature), anchors, cp.at, e));
	LK_REQUIRE((int64_t)cp.seq <= head->seq, e, LK_R_LEDGER_ROLLBACK,
		"the ledger ends at event %lld, event %lld was signed", (long long)head->seq,
		(long long)cp.seq);
	memcpy(ev.record.node_id, head->record.node_id, sizeof ev.record.node_id);
	ev.seq = (int64_t)cp.seq;
	LK_TRY(lk_store_get(lk_model_store(m), LK_EVENT_BY_SEQ, &ev.record, e));
	LK_REQUIRE(strcmp(cp.node, head->record.node_id) == 0 &&
			   strcmp(cp.site, head->record.site_id) == 0 &&
			   lk_slice_eq(lk_buf_slice(&cp.hash), lk_blob_slice(&ev.hash)),
		e, LK_R_LEDGER_FORK, "event %lld is not the one that was signed",
		(long long)cp.seq);
	*ret = json_pack("{s:I,s:o}", "seq", (json_int_t)cp.seq, "at", time_json(cp.at));
	LK_REQUIRE(*ret, e, LK_R_NOMEM, "no memory for JSON");
	return LK_OK;
}

struct lk_result
lk_model_ledger_verify(struct lk_model *m, const struct lk_model_query *q,
	const struct lk_anchors *anchors, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record head = LK_RECORD_INIT(event);
	json_t *checkpoint = NULL;
	int64_t from = 1, to, broken;

	LK_TRY(newest_event(m, &head, e));
	LK_TRY(read_cursor(q, &from, e));
	LK_REQUIRE(
		from <= head.seq + 1, e, LK_R_API_QUERY, "there is no event %lld", (long long)from);
	to = head.seq - from < STRETCH ? head.seq : from + STRETCH - 1;
	LK_TRY(lk_ledger_verify(lk_model_store(m), head.record.node_id, from, to, &broken, e));
	if (to == head.seq)
		LK_TRY(check_checkpoint(m, &head, anchors, &checkpoint, e));
	*ret = json_pack("{s:i,s:I,s:I,s:o,s:o}", "schema", 1, "from", (json_int_t)from, "to",
		(json_int_t)to, "next", cursor_json(to < head.seq ? to + 1 : 0), "checkpoint",
		checkpoint ? checkpoint : json_null());
	LK_REQUIRE(*ret, e, LK_R_NOMEM, "no memory for JSON");
	return LK_OK;
}

/* --- manufacturers ---------------------------------------------------------------------------- */

static struct lk_result
add_anchors(json_t *obj, const struct lk_manufacturer_record *r, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };
	json_t *list = json_array();
	size_t i;

	LK_TRY(lk_json_set(obj, "anchors", list, e));
	LK_TRY(lk_certs_parse_any(lk_blob_slice(&r->anchors), &certs, e));
	for (i = 0; i < certs.n; i++) {
		char subject[LK_CERT_NAME_MAX], fingerprint[65];

		lk_cert_subject_text(certs.v[i], subject, sizeof subject);
		lk_cert_fingerprint(certs.v[i], fingerprint);
		json_array_append_new(list,
			json_pack("{s:s,s:s}", "subject", subject, "fingerprint", fingerprint));
	}
	return LK_OK;
}

struct lk_result
lk_model_manufacturers(struct lk_model *m, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record r = LK_RECORD_INIT(manufacturer);
	json_auto_t *all = json_pack("{s:i,s:[]}", "schema", 1, "manufacturers");
	struct lk_scan scan = { .index = LK_MANUFACTURER_BY_ID };
	bool found = true;

	LK_REQUIRE(all, e, LK_R_NOMEM, "no memory for JSON");
	for (;;) {
		LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
		int64_t n;
		json_t *obj;

		LK_TRY(lk_store_next(lk_model_store(m), &scan, &r.record, &found, e));
		if (!found)
			break;
		LK_TRY(add_record(json_object_get(all, "manufacturers"), &r.record, &obj, e));
		LK_TRY(add_anchors(obj, &r, e));
		memcpy(d.manufacturer_id, r.id, sizeof d.manufacturer_id);
		LK_TRY(lk_store_count(lk_model_store(m), LK_DEVICE_BY_SERIAL, 1, &d.record, &n, e));
		LK_TRY(lk_json_set(obj, "devices", json_integer(n), e));
	}
	*ret = LK_TAKE(all);
	return LK_OK;
}

/* --- plain EST -------------------------------------------------------------------------------- */

struct lk_result
lk_model_enrolments(struct lk_model *m, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_enrolment_record en = LK_RECORD_INIT(enrolment);
	json_auto_t *all = json_pack("{s:i,s:[]}", "schema", 1, "codes");
	struct lk_scan scan = { .index = LK_ENROLMENT_BY_ID };
	bool found;

	LK_REQUIRE(all, e, LK_R_NOMEM, "no memory for JSON");
	for (;;) {
		LK_TRY(lk_store_next(lk_model_store(m), &scan, &en.record, &found, e));
		if (!found)
			break;
		LK_TRY(add_record(json_object_get(all, "codes"), &en.record, NULL, e));
	}
	*ret = LK_TAKE(all);
	return LK_OK;
}

/* --- status ----------------------------------------------------------------------------------- */

static struct lk_result
count_states(struct lk_model *m, json_t *obj, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	json_t *states = json_object();
	int64_t n;

	LK_TRY(lk_json_set(obj, "devices", states, e));
	for (d.state = LK_STATE_ANY + 1; d.state < LK_STATE_END; d.state++) {
		if (!lk_state_is_valid((enum lk_state)d.state))
			continue;
		LK_TRY(lk_store_count(lk_model_store(m), LK_DEVICE_BY_STATE, 1, &d.record, &n, e));
		if (n)
			LK_TRY(lk_json_set(states, lk_state_info((enum lk_state)d.state)->name,
				json_integer(n), e));
	}
	memcpy(d.admission, "ask", sizeof "ask");
	LK_TRY(lk_store_count(lk_model_store(m), LK_DEVICE_BY_ADMISSION, 1, &d.record, &n, e));
	return lk_json_set(obj, "pending", json_integer(n), e);
}

static struct lk_result
describe_ledger(struct lk_model *m, json_t *obj, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	LK_CLEANUP(lk_record_done) struct lk_checkpoint_record cp = LK_RECORD_INIT(checkpoint);
	struct lk_scan events = { .index = LK_EVENT_BY_SEQ, .descending = true };
	struct lk_scan checkpoints = { .index = LK_CHECKPOINT_BY_SEQ, .descending = true };
	bool found;

	LK_TRY(lk_store_next(lk_model_store(m), &events, &ev.record, &found, e));
	LK_TRY(lk_store_next(lk_model_store(m), &checkpoints, &cp.record, &found, e));
	return lk_json_set(obj, "ledger",
		json_pack("{s:I,s:o,s:I,s:o}", "head", (json_int_t)ev.seq, "at", time_json(ev.at),
			"checkpoint", (json_int_t)cp.seq, "checkpoint_at", time_json(cp.at)),
		e);
}

/* What was loosened for the sake of some manufacturer: never silent. */
static struct lk_result
list_relaxations(struct lk_model *m, json_t *obj, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record r = LK_RECORD_INIT(manufacturer);
	struct lk_scan scan = { .index = LK_MANUFACTURER_BY_ID };
	json_t *list = json_array();
	int64_t n = 0;
	bool found;

	LK_TRY(lk_json_set(obj, "relaxations", list, e));
	for (;; n++) {
		LK_TRY(lk_store_next(lk_model_store(m), &scan, &r.record, &found, e));
		if (!found)
			break;
		if (r.allow_tls12)
			json_array_append_new(
				list, json_sprintf("manufacturer %s: IDevID over TLS 1.2", r.id));
		if (r.ignore_idevid_expiry)
			json_array_append_new(
				list, json_sprintf("manufacturer %s: expired IDevIDs", r.id));
	}
	return lk_json_set(obj, "manufacturers", json_integer(n), e);
}

struct lk_result
lk_model_status(struct lk_model *m, json_t **ret, struct lk_err *e)
{
	json_auto_t *obj = json_pack("{s:i}", "schema", 1);

	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for JSON");
	LK_TRY(count_states(m, obj, e));
	LK_TRY(describe_ledger(m, obj, e));
	LK_TRY(list_relaxations(m, obj, e));
	*ret = LK_TAKE(obj);
	return LK_OK;
}

struct lk_result
lk_model_certificates(
	struct lk_model *m, const char *issuer, const char *status, int64_t *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record c = LK_RECORD_INIT(certificate);

	LK_TRY(lk_slice_to_str(lk_slice_str(issuer), "issuer", c.issuer, sizeof c.issuer, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(status), "status", c.status, sizeof c.status, e));
	return lk_store_count(lk_model_store(m), LK_CERTIFICATE_BY_STATUS, 2, &c.record, ret, e);
}
