/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit logs (RFC 8995 5.8.1 to 5.8.3).
 */
#include "artefact/audit_log.h"

#include <assert.h>
#include <stdlib.h>

#include "base/encode.h"

#define VERSION 1

enum member { DATE, DOMAIN_ID, NONCE, ASSERTION, TRUNCATED };

#define FIELD(field, name, type, need) LK_JSON_FIELD(struct lk_audit_event, field, name, type, need)
static const struct lk_json_field members[] = {
	[DATE] = FIELD(date, "date", TIME, MANDATORY),
	[DOMAIN_ID] = FIELD(domain_id, "domainID", TEXT, MANDATORY),
	[NONCE] = FIELD(nonce, "nonce", TEXT, OPTIONAL),
	[ASSERTION] = FIELD(assertion, "assertion", TEXT, MANDATORY),
	[TRUNCATED] = FIELD(truncated, "truncated", U64, OPTIONAL),
};

static const struct lk_json_table table = {
	.what = "the audit log's event",
	.fields = members,
	.n = LK_ARRAY_LEN(members),
	.present_offset = offsetof(struct lk_audit_event, present),
	.reason = LK_R_AUDIT_LOG,
	.unknown = LK_JSON_IGNORE_UNKNOWN,
};

struct lk_audit_log *
lk_audit_log_free(struct lk_audit_log *l)
{
	if (!l)
		return NULL;
	free(l->events);
	free(l);
	return NULL;
}

/*= RFC8995 5.8.1: a nonceless voucher's nonce is null, or its absence =*/
static struct lk_result
read_event(const json_t *v, struct lk_audit_event *ret, struct lk_err *e)
{
	json_auto_t *copy = json_copy((json_t *)(uintptr_t)v);

	LK_REQUIRE(json_is_object(v) && copy, e, LK_R_AUDIT_LOG, "an event is not an object");
	if (json_is_null(json_object_get(v, "nonce")))
		json_object_del(copy, "nonce");
	return lk_json_read(&table, copy, ret, e);
}

/* A number, or digits in a string; absent is 0. */
static struct lk_result
read_count(const json_t *obj, const char *name, uint64_t *ret, struct lk_err *e)
{
	struct {
		uint32_t present;
		uint64_t n;
	} one = { 0 };
	const struct lk_json_field field = { name, LK_JSON_U64, LK_JSON_OPTIONAL,
		(size_t)((char *)&one.n - (char *)&one), 0, NULL };
	const struct lk_json_table t = { "the audit log", &field, 1, 0, LK_R_AUDIT_LOG,
		LK_JSON_IGNORE_UNKNOWN };

	LK_TRY(lk_json_read(&t, obj, &one, e));
	*ret = one.n;
	return LK_OK;
}

static struct lk_result
read_truncation(const json_t *obj, struct lk_audit_log *l, struct lk_err *e)
{
	const json_t *t = json_object_get(obj, "truncation");

	if (!t)
		return LK_OK;
	LK_REQUIRE(json_is_object(t), e, LK_R_AUDIT_LOG, "truncation is not an object");
	LK_TRY(read_count(t, "nonced duplicates", &l->nonced, e));
	LK_TRY(read_count(t, "nonceless duplicates", &l->nonceless, e));
	return read_count(t, "arbitrary", &l->arbitrary, e);
}

struct lk_result
lk_audit_log_parse(struct lk_slice text, struct lk_audit_log **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *l = calloc(1, sizeof *l);
	json_auto_t *obj = NULL;
	const json_t *events;
	uint64_t version;
	size_t i;

	LK_REQUIRE(l, e, LK_R_NOMEM, "no memory for an audit log");
	LK_TRY(lk_json_parse(text, &obj, e));
	/*= RFC8995 5.8.1: a later version says more, and all that this one says =*/
	LK_TRY(read_count(obj, "version", &version, e));
	LK_REQUIRE(version >= VERSION, e, LK_R_AUDIT_LOG, "version is %llu, want %d or more",
		(unsigned long long)version, VERSION);
	events = json_object_get(obj, "events");
	LK_REQUIRE(json_is_array(events), e, LK_R_AUDIT_LOG, "there is no list of events");
	LK_REQUIRE(json_array_size(events) <= LK_AUDIT_EVENTS_MAX, e, LK_R_TOO_LARGE,
		"%zu events, at most %d are taken", json_array_size(events), LK_AUDIT_EVENTS_MAX);
	l->events = calloc(json_array_size(events) + 1, sizeof *l->events);
	LK_REQUIRE(l->events, e, LK_R_NOMEM, "no memory for an audit log");
	for (i = 0; i < json_array_size(events); i++)
		LK_TRY(read_event(json_array_get(events, i), &l->events[l->n_events++], e));
	LK_TRY(read_truncation(obj, l, e));
	*ret = LK_TAKE(l);
	return LK_OK;
}

static bool
is_ours(const char *domain_id, const struct lk_certs *ours)
{
	size_t i;

	for (i = 0; i < ours->n; i++) {
		LK_CLEANUP(lk_buf_done) struct lk_buf id = LK_BUF_INIT(LK_CERT_KEY_ID_MAX);
		LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_AUDIT_DOMAIN_ID_MAX);

		if (lk_cert_domain_id(ours->v[i], &id, NULL).ok &&
			lk_base64_encode(lk_buf_slice(&id), &text, NULL).ok &&
			strcmp(lk_buf_str(&text), domain_id) == 0)
			return true;
	}
	return false;
}

struct lk_result
lk_audit_log_judge(const struct lk_audit_log *l, const struct lk_certs *ours, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < l->n_events; i++) {
		const struct lk_audit_event *ev = &l->events[i];
		char date[LK_TIME_TEXT_MAX];

		lk_time_print(ev->date, date);
		/*= RFC8995 5.8.3: a voucher for an unexpected domain is looked for =*/
		LK_REQUIRE(is_ours(ev->domain_id, ours), e, LK_R_AUDIT_DOMAIN,
			"a voucher of %s went to domain %s, which is not ours", date,
			ev->domain_id);
		/*= RFC8995 5.8.3: a nonceless voucher could be used again, also after a reset =*/
		LK_REQUIRE(ev->nonce[0], e, LK_R_AUDIT_NONCELESS, "a voucher of %s has no nonce",
			date);
	}
	/*= RFC8995 5.8.3: a nonceless voucher could be used again, also after a reset =*/
	LK_REQUIRE(!l->nonceless, e, LK_R_AUDIT_NONCELESS,
		"%llu vouchers without nonce were left out", (unsigned long long)l->nonceless);
	/*= RFC8995 5.8.1: a log that left out more than repeats decides nothing =*/
	LK_REQUIRE(!l->arbitrary, e, LK_R_AUDIT_ABRIDGED,
		"%llu entries were left out that may be of any domain",
		(unsigned long long)l->arbitrary);
	return LK_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct lk_result
lk_audit_log_new(struct lk_audit_log **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *l = calloc(1, sizeof *l);

	LK_REQUIRE(l, e, LK_R_NOMEM, "no memory for an audit log");
	l->events = calloc(LK_AUDIT_EVENTS_MAX, sizeof *l->events);
	LK_REQUIRE(l->events, e, LK_R_NOMEM, "no memory for an audit log");
	*ret = LK_TAKE(l);
	return LK_OK;
}

/* The newest entry of the same domain that has a nonce too, or neither; NULL: there is none. */
static struct lk_audit_event *
newest_like(const struct lk_audit_log *l, const struct lk_audit_event *ev)
{
	size_t i;

	for (i = 0; i < l->n_events; i++)
		if (!l->events[i].nonce[0] == !ev->nonce[0] &&
			strcmp(l->events[i].domain_id, ev->domain_id) == 0)
			return &l->events[i];
	return NULL;
}

/*= RFC8995 5.8.1: counts of what was left out stop at 1024 =*/
static void
count(uint64_t *n)
{
	if (*n < LK_AUDIT_TRUNCATED_MAX)
		++*n;
}

static void
count_repeat(struct lk_audit_log *l, struct lk_audit_event *newest)
{
	count(&newest->truncated);
	count(newest->nonce[0] ? &l->nonced : &l->nonceless);
}

/* The oldest entry that repeats a newer one goes; false: there is none. */
static bool
drop_repeat(struct lk_audit_log *l)
{
	size_t i = l->n_events;

	while (i > 0 && !l->events[i - 1].repeats)
		i--;
	if (!i)
		return false;
	count_repeat(l, newest_like(l, &l->events[i - 1]));
	memmove(&l->events[i - 1], &l->events[i], (l->n_events - i) * sizeof *l->events);
	l->n_events--;
	return true;
}

/*= RFC8995 5.8.1: of each domain the newest nonced and nonceless entry stay in an abridged log =*/
void
lk_audit_log_add(struct lk_audit_log *l, const struct lk_audit_event *ev)
{
	struct lk_audit_event *newest = newest_like(l, ev);

	if (l->n_events == LK_AUDIT_EVENTS_MAX && newest) {
		count_repeat(l, newest);
		return;
	}
	if (l->n_events == LK_AUDIT_EVENTS_MAX && !drop_repeat(l)) {
		count(&l->arbitrary);
		return;
	}
	l->events[l->n_events] = *ev;
	l->events[l->n_events++].repeats = newest != NULL;
}

void
lk_audit_log_leave_out(struct lk_audit_log *l)
{
	assert(l->n_events > 0);
	if (drop_repeat(l))
		return;
	l->n_events--;
	count(&l->arbitrary);
}

static struct lk_result
add_event(json_t *list, const struct lk_audit_event *from, struct lk_err *e)
{
	struct lk_audit_event ev = *from;
	json_auto_t *obj = NULL;

	ev.present = 1u << DATE | 1u << DOMAIN_ID | 1u << ASSERTION;
	if (ev.nonce[0])
		ev.present |= 1u << NONCE;
	if (ev.truncated)
		ev.present |= 1u << TRUNCATED;
	LK_TRY(lk_json_write(&table, &ev, &obj, e));
	if (!ev.nonce[0])
		/*= RFC8995 5.8.1: a nonceless voucher's nonce is null =*/
		LK_TRY(lk_json_set(obj, "nonce", json_null(), e));
	LK_REQUIRE(json_array_append(list, obj) == 0, e, LK_R_NOMEM, "no memory for an audit log");
	return LK_OK;
}

struct lk_result
lk_audit_log_build(const struct lk_audit_log *l, struct lk_buf *out, struct lk_err *e)
{
	json_auto_t *obj = json_pack("{s:i}", "version", VERSION);
	json_t *list = json_array();
	size_t i;

	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for an audit log");
	LK_TRY(lk_json_set(obj, "events", list, e));
	for (i = 0; i < l->n_events; i++)
		LK_TRY(add_event(list, &l->events[i], e));
	LK_TRY(lk_json_set(obj, "truncation",
		json_pack("{s:I,s:I,s:I}", "nonced duplicates", (json_int_t)l->nonced,
			"nonceless duplicates", (json_int_t)l->nonceless, "arbitrary",
			(json_int_t)l->arbitrary),
		e));
	return lk_json_print(obj, out, e);
}

static struct lk_result
print_event(const struct lk_audit_event *ev, struct lk_buf *out, struct lk_err *e)
{
	json_auto_t *text = json_string(ev->nonce);
	char date[LK_TIME_TEXT_MAX];

	lk_time_print(ev->date, date);
	LK_TRY(lk_buf_printf(
		out, e, "date: %s\nleft out: %llu\n", date, (unsigned long long)ev->truncated));
	LK_TRY(lk_json_print_line("nonce", ev->nonce[0] ? text : json_null(), out, e));
	json_string_set(text, ev->domain_id);
	LK_TRY(lk_json_print_line("domainID", text, out, e));
	json_string_set(text, ev->assertion);
	return lk_json_print_line("assertion", text, out, e);
}

struct lk_result
lk_audit_log_print(const struct lk_audit_log *l, struct lk_buf *out, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < l->n_events; i++)
		LK_TRY(print_event(&l->events[i], out, e));
	return lk_buf_printf(out, e,
		"nonced duplicates left out: %llu\nnonceless duplicates left out: %llu\n"
		"others left out: %llu\n",
		(unsigned long long)l->nonced, (unsigned long long)l->nonceless,
		(unsigned long long)l->arbitrary);
}
