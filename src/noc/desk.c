/* SPDX-License-Identifier: Apache-2.0
 *
 * The desk: operators' way in, over a Unix socket whose other end the kernel
 * vouches for. It reads from its own copy of the keeper's records and asks the
 * keeper for every change; it decides nothing and holds no key. doc/api.md lists
 * what it serves.
 */
#include <stdlib.h>
#include <unistd.h>

#include "artefact/json.h"
#include "base/log.h"
#include "base/number.h"
#include "base/path.h"
#include "lifecycle/state.h"
#include "net/server.h"
#include "noc/desk/domain.h"
#include "noc/desk/model.h"
#include "noc/follower.h"
#include "noc/noc.h"
#include "role/refusals.h"

#define BODY_MAX (56 * 1024)
/* A manifest and what comes with it; what the desk adds has room behind it. */
#define IMPORT_MAX (LK_OPERATOR_ARGUMENTS_MAX - 4096)
#define REPLY_MAX  (4 * 1024 * 1024)
#define COMMIT_MS  500 /* the model's only timer: what was applied becomes durable */
#define PAGE       100
#define PAGE_MAX   1000
#define DEVICES    "/api/v1/devices"
#define MAKERS     "/api/v1/manufacturers"
#define CODES      "/api/v1/est/codes"
#define LEDGER     "/api/v1/ledger"
#define SERVERS    "/api/v1/servers/"

struct state {
	struct lk_process *process;
	struct lk_model *model;
	struct lk_domain domain;
	struct lk_follower *follower;
	struct lk_est_labels labels;
	struct lk_server *server;
	struct lk_refusals *refusals;
	struct lk_timer *commit;
	struct lk_cage_path paths[1];
};

/* --- answers ---------------------------------------------------------------------------------- */

static void
answer(struct lk_request *r, unsigned status, const json_t *obj)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(REPLY_MAX);
	struct lk_reply reply = { .status = status, .content_type = "application/json" };
	struct lk_err e = { 0 };

	if (!lk_json_print(obj, &text, &e).ok) {
		lk_request_reply_err(r, &e);
		return;
	}
	reply.body = lk_buf_slice(&text);
	lk_request_reply(r, &reply);
}

static void
refuse(struct lk_request *r, const struct lk_err *why)
{
	const struct lk_reason_info *info = lk_reason_info(why->reason);
	json_auto_t *obj = json_pack("{s:i,s:{s:s,s:s+++,s:s,s:s}}", "schema", 1, "error", "reason",
		info->symbol, "clause", info->clause.document, " ", info->clause.section, "",
		"message", why->msg, "cure", info->cure);

	lk_log_err(why, "peer", lk_request_view(r)->peer->remote, "path", lk_request_view(r)->path,
		NULL);
	if (obj)
		answer(r, (unsigned)lk_reason_http_status(why->reason), obj);
	else
		lk_request_reply_err(r, why); /* the message was no UTF-8, or memory is out */
}

/* --- questions -------------------------------------------------------------------------------- */

/* The socket's mode has let in its owner and group only; this holds when somebody loosened it. */
static struct lk_result
check_peer(const struct lk_peer *p, struct lk_err *e)
{
	LK_REQUIRE(p->is_unix && (p->uid == 0 || p->uid == geteuid() || p->gid == getegid()), e,
		LK_R_API_PEER, "%s is neither root nor of the desk's user or group", p->remote);
	return LK_OK;
}

static struct lk_result
check_name(const char *name, struct lk_err *e)
{
	LK_REQUIRE(lk_path_is_plain(name) && strlen(name) < LK_SERIAL_MAX, e, LK_R_API_PATH,
		"'%s' is no name of anything here", name);
	return LK_OK;
}

/* "/api/v1/devices/ID/verb" -> "ID", "verb" ("" when absent). */
static struct lk_result
split_path(const char *path, const char *prefix, char id[static LK_SERIAL_MAX],
	char verb[static LK_WORD_MAX], struct lk_err *e)
{
	const char *at = path + strlen(prefix) + 1, *slash = strchrnul(at, '/');

	LK_TRY(lk_slice_to_str(
		lk_slice(at, (size_t)(slash - at)), "the name", id, LK_SERIAL_MAX, e));
	LK_TRY(check_name(id, e));
	return lk_slice_to_str(
		lk_slice_str(*slash ? slash + 1 : slash), "the verb", verb, LK_WORD_MAX, e);
}

static struct lk_result
take_parameter(const char *name, const char *value, struct lk_model_query *q, struct lk_err *e)
{
	uint64_t n;

	if (strcmp(name, "cursor") == 0)
		return lk_slice_to_str(lk_slice_str(value), name, q->cursor, sizeof q->cursor, e);
	if (strcmp(name, "admission") == 0)
		return lk_slice_to_str(
			lk_slice_str(value), name, q->admission, sizeof q->admission, e);
	if (strcmp(name, "refused") == 0) {
		LK_REQUIRE(strcmp(value, "yes") == 0, e, LK_R_API_QUERY, "refused is %s, want yes",
			value);
		q->refused = true;
		return LK_OK;
	}
	if (strcmp(name, "limit") == 0) {
		LK_TRY(lk_parse_u64(lk_slice_str(value), name, 1, PAGE_MAX, &n, e));
		q->limit = (int64_t)n;
		return LK_OK;
	}
	LK_REQUIRE(
		strcmp(name, "state") == 0, e, LK_R_API_QUERY, "there is no parameter '%s'", name);
	q->state = lk_state_by_name(value);
	LK_REQUIRE(q->state != LK_STATE_ANY, e, LK_R_API_QUERY, "there is no state '%s'", value);
	return LK_OK;
}

static struct lk_result
read_query(const char *query, struct lk_model_query *ret, struct lk_err *e)
{
	char text[512], *at = text, *item, *value;

	*ret = (struct lk_model_query){ .limit = PAGE };
	LK_TRY(lk_slice_to_str(lk_slice_str(query), "the query", text, sizeof text, e));
	while ((item = strsep(&at, "&"))) {
		if (!item[0])
			continue;
		value = strchr(item, '=');
		LK_REQUIRE(value, e, LK_R_API_QUERY, "'%s' has no value", item);
		*value++ = 0;
		LK_TRY(take_parameter(item, value, ret, e));
	}
	return LK_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

static json_t *
roles_json(const struct lk_noc_config *c)
{
	return json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "signer", 1, "keeper", 1, "courier", 1,
		"desk", 1, "front", (int)c->fronts, "aaa", c->aaa_key[0] != 0, "enforcer",
		(int)c->enforce);
}

/* Where plain EST is open, and what was loosened for it. */
static struct lk_result
add_labels(const struct state *s, json_t *obj, json_t *relaxations, struct lk_err *e)
{
	json_t *open = json_array();
	size_t i;

	LK_TRY(lk_json_set(obj, "est_labels", open, e));
	for (i = 0; i < s->labels.n; i++) {
		const char *name = s->labels.v[i].name;

		LK_REQUIRE(json_array_append_new(open, json_string(name)) == 0, e, LK_R_NOMEM,
			"no memory for JSON");
		if (s->labels.v[i].tls12)
			json_array_append_new(relaxations,
				json_sprintf("[est] labels: clients of %s may use TLS 1.2", name));
	}
	return LK_OK;
}

static struct lk_result
status(const struct state *s, json_t **ret, struct lk_err *e)
{
	const struct lk_noc_config *c = lk_noc_config_of(s->process);
	json_auto_t *obj = NULL;

	LK_TRY(lk_model_status(s->model, &obj, e));
	LK_TRY(lk_json_set(obj, "network", json_string(c->network), e));
	LK_TRY(lk_json_set(obj, "version", json_string(LK_VERSION), e));
	LK_TRY(lk_json_set(obj, "processes", roles_json(c), e));
	LK_TRY(add_labels(s, obj, json_object_get(obj, "relaxations"), e));
	if (c->allow_tls12)
		json_array_append_new(json_object_get(obj, "relaxations"),
			json_string("[front] allow_tls12: devices may use TLS 1.2"));
	*ret = LK_TAKE(obj);
	return LK_OK;
}

static struct lk_result
read_device(const struct state *s, const struct lk_request_view *v, json_t **ret, struct lk_err *e)
{
	char id[LK_SERIAL_MAX], verb[LK_WORD_MAX];
	struct lk_model_query q;

	LK_TRY(read_query(v->query, &q, e));
	LK_TRY(split_path(v->path, DEVICES, id, verb, e));
	if (strcmp(id, "pending") == 0 && !verb[0]) {
		memcpy(q.admission, "ask", sizeof "ask");
		return lk_model_devices(s->model, &q, ret, e);
	}
	if (strcmp(verb, "timeline") == 0)
		return lk_model_timeline(s->model, id, q.limit, ret, e);
	LK_REQUIRE(!verb[0], e, LK_R_API_PATH, "a device has no '%s'", verb);
	return lk_model_device(s->model, id, ret, e);
}

static struct lk_result
verify_ledger(const struct state *s, const struct lk_model_query *q, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *root = NULL;

	LK_TRY(lk_anchors_new(&s->domain.ca[0], &root, e));
	return lk_model_ledger_verify(s->model, q, root, ret, e);
}

static struct lk_result
read_ledger(const struct state *s, const struct lk_request_view *v, json_t **ret, struct lk_err *e)
{
	const char *what = v->path + strlen(LEDGER);
	struct lk_model_query q;

	LK_TRY(read_query(v->query, &q, e));
	if (!what[0])
		return lk_model_ledger(s->model, &q, ret, e);
	LK_REQUIRE(strcmp(what, "/verify") == 0, e, LK_R_API_PATH, "there is no %s", v->path);
	return verify_ledger(s, &q, ret, e);
}

static struct lk_result
read_resource(
	const struct state *s, const struct lk_request_view *v, json_t **ret, struct lk_err *e)
{
	const char *what = v->path + strlen("/api/v1/");
	struct lk_model_query q;

	LK_TRY(check_peer(v->peer, e));
	LK_REQUIRE(
		lk_model_is_live(s->model), e, LK_R_API_NOT_READY, "the copy is not complete yet");
	if (strcmp(what, "devices") == 0) {
		LK_TRY(read_query(v->query, &q, e));
		return lk_model_devices(s->model, &q, ret, e);
	}
	if (strncmp(v->path, DEVICES "/", strlen(DEVICES "/")) == 0)
		return read_device(s, v, ret, e);
	if (strcmp(what, "ledger") == 0 || strncmp(v->path, LEDGER "/", strlen(LEDGER "/")) == 0)
		return read_ledger(s, v, ret, e);
	if (strcmp(what, "manufacturers") == 0)
		return lk_model_manufacturers(s->model, ret, e);
	if (strcmp(what, "est/codes") == 0)
		return lk_model_enrolments(s->model, ret, e);
	if (strcmp(what, "status") == 0)
		return status(s, ret, e);
	if (strcmp(what, "ca") == 0)
		return lk_domain_ca(&s->domain, s->model, ret, e);
	if (strcmp(what, "crypto") == 0)
		return lk_domain_crypto(lk_noc_config_of(s->process), &s->labels, ret, e);
	if (strcmp(what, "trust") == 0)
		return lk_domain_trust(&s->domain, s->model, ret, e);
	return lk_fail(e, LK_R_API_PATH, "there is no %s", v->path);
}

static void
on_read(struct lk_request *r, void *ctx)
{
	json_auto_t *obj = NULL;
	struct lk_err e = { 0 };

	if (read_resource(ctx, lk_request_view(r), &obj, &e).ok)
		answer(r, 200, obj);
	else
		refuse(r, &e);
}

/* --- the certificates of the network's servers ------------------------------------------------ */

static struct lk_result
show_chain(enum lk_own_server which, struct lk_slice packed, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(2 * LK_CERT_DER_MAX);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	char until[LK_TIME_TEXT_MAX];
	struct lk_chain_body b;
	struct lk_slice der;
	bool any;

	LK_TRY(lk_body_unpack(LK_BODY_chain, packed, &b, e));
	LK_TRY(lk_list_next(&b.certs, &any, &der, e));
	LK_REQUIRE(any, e, LK_R_API_PATH, "this network has no %s of its own",
		lk_own_servers[which].name);
	LK_TRY(lk_cert_parse(der, &c, e));
	LK_TRY(lk_cert_print_pem(c, &pem, e));
	lk_time_print(lk_cert_not_after(c), until);
	*ret = json_pack("{s:i,s:s,s:s,s:s}", "schema", 1, "name", lk_own_servers[which].name,
		"not_after", until, "certificate", lk_buf_str(&pem));
	LK_REQUIRE(*ret, e, LK_R_NOMEM, "no memory for an answer");
	return LK_OK;
}

/* tag: enum lk_own_server */
static void
on_chain(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	struct lk_request *r = ctx;
	json_auto_t *obj = NULL;
	struct lk_err e = { 0 };

	if (!m)
		refuse(r, why);
	else if (show_chain((enum lk_own_server)tag, m->body, &obj, &e).ok)
		answer(r, 200, obj);
	else
		refuse(r, &e);
}

static struct lk_result
ask_chain(const struct state *s, struct lk_request *r, struct lk_err *e)
{
	const struct lk_request_view *v = lk_request_view(r);
	struct lk_get_chain_body g = { .server = lk_own_server_by_name(v->path + strlen(SERVERS)) };

	LK_TRY(check_peer(v->peer, e));
	LK_REQUIRE(g.server != LK_OWN_COUNT, e, LK_R_API_PATH, "there is no %s", v->path);
	return lk_process_ask(s->process, LK_ROLE_KEEPER, 0, LK_BODY_get_chain, &g, on_chain, r,
		(uint64_t)g.server, e);
}

static void
on_server(struct lk_request *r, void *ctx)
{
	struct lk_err e = { 0 };

	if (!ask_chain(ctx, r, &e).ok)
		refuse(r, &e);
}

/* --- changing --------------------------------------------------------------------------------- */

static void
on_done(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	struct lk_request *r = ctx;
	struct lk_operator_reply_body b;
	json_auto_t *obj = NULL;
	struct lk_err e = { 0 };

	(void)tag;
	if (!m) {
		refuse(r, why);
		return;
	}
	if (!lk_body_unpack(LK_BODY_operator_reply, m->body, &b, &e).ok ||
		!lk_json_parse(b.result, &obj, &e).ok ||
		!lk_json_set(obj, "schema", json_integer(1), &e).ok)
		refuse(r, &e);
	else
		answer(r, 200, obj);
}

/* Which action a request asks for, and upon what. */
static struct lk_result
read_change(const struct lk_request_view *v, char action[static 64], json_t *args, struct lk_err *e)
{
	static const struct {
		const char *collection, *verb, *action, *subject;
	} changes[] = {
		{ DEVICES, "approve", "device.approve", "device" },
		{ DEVICES, "deny", "device.deny", "device" },
		{ DEVICES, "revoke", "device.revoke", "device" },
		{ DEVICES, "decommission", "device.decommission", "device" },
		{ MAKERS, NULL, "manufacturer.add", NULL },
		{ MAKERS, "import", "manufacturer.import", "manufacturer" },
		{ MAKERS, "distrust", "manufacturer.distrust", "manufacturer" },
		{ MAKERS, "", "manufacturer.remove", "manufacturer" },
		{ CODES, NULL, "est.code.new", NULL },
		{ CODES, "revoke", "est.code.revoke", "enrolment" },
	};
	char id[LK_SERIAL_MAX] = "", verb[LK_WORD_MAX] = "";
	bool remove = strcmp(v->method, "DELETE") == 0;
	size_t i, n;

	for (i = 0; i < LK_ARRAY_LEN(changes); i++) {
		n = strlen(changes[i].collection);
		if (strncmp(v->path, changes[i].collection, n) != 0)
			continue;
		if (v->path[n])
			LK_TRY(split_path(v->path, changes[i].collection, id, verb, e));
		if (v->path[n] ? !changes[i].verb || strcmp(verb, changes[i].verb) != 0 ||
					 remove != !verb[0]
			       : changes[i].verb != NULL)
			continue;
		snprintf(action, 64, "%s", changes[i].action);
		return changes[i].subject
			       ? lk_json_set(args, changes[i].subject, json_string(id), e)
			       : LK_OK;
	}
	return lk_fail(e, LK_R_API_PATH, "nothing can be done at %s", v->path);
}

static struct lk_result
ask_keeper(const struct state *s, struct lk_request *r, struct lk_err *e)
{
	const struct lk_request_view *v = lk_request_view(r);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_OPERATOR_ARGUMENTS_MAX);
	struct lk_operator_request_body o = { .action = "" };
	json_auto_t *args = NULL;

	LK_TRY(check_peer(v->peer, e));
	LK_TRY(lk_json_parse_max(v->body.n ? v->body : LK_SLICE_LIT("{}"), IMPORT_MAX, &args, e));
	LK_TRY(read_change(v, o.action, args, e));
	snprintf(o.actor, sizeof o.actor, "uid:%u", (unsigned)v->peer->uid);
	LK_TRY(lk_json_print(args, &text, e));
	o.arguments = lk_buf_slice(&text);
	return lk_process_ask(
		s->process, LK_ROLE_KEEPER, 0, LK_BODY_operator_request, &o, on_done, r, 0, e);
}

static void
on_change(struct lk_request *r, void *ctx)
{
	struct lk_err e = { 0 };

	if (!ask_keeper(ctx, r, &e).ok)
		refuse(r, &e);
}

/* A body is JSON, or none: an action may need nothing but its path. */
static const struct lk_route http_routes[] = {
	{ "GET", SERVERS, NULL, 0, on_server },
	{ "GET", "/api/v1/", NULL, 0, on_read },
	{ "POST", DEVICES "/", NULL, BODY_MAX, on_change },
	{ "POST", MAKERS "/", NULL, IMPORT_MAX, on_change },
	{ "POST", MAKERS, "application/json", BODY_MAX, on_change },
	{ "DELETE", MAKERS "/", NULL, 0, on_change },
	{ "POST", CODES "/", NULL, BODY_MAX, on_change },
	{ "POST", CODES, "application/json", BODY_MAX, on_change },
};

/* --- the change stream ------------------------------------------------------------------------ */

/* A desk out of step is of no use: the next one begins anew. */
static struct lk_result
in_step(struct lk_process *p, struct lk_result r)
{
	if (!r.ok)
		lk_process_end(p);
	return r;
}

/* A keeper that was started anew may know more or less than the one before. */
static struct lk_result
on_begin(struct lk_process *p, const struct lk_peer_ref *from, const struct lk_message *m,
	struct lk_err *e)
{
	struct state *s = p->state;

	(void)from;
	(void)m;
	return in_step(p, lk_model_reset(s->model, e));
}

static struct lk_result
apply_all(struct lk_model *model, struct lk_slice message, struct lk_err *e)
{
	struct lk_stream_record_body b;
	struct lk_slice record;
	bool more;

	LK_TRY(lk_body_unpack(LK_BODY_stream_record, message, &b, e));
	for (;;) {
		LK_TRY(lk_list_next(&b.records, &more, &record, e));
		if (!more)
			return LK_OK;
		LK_TRY(lk_model_apply(model, record, b.removed, e));
	}
}

static struct lk_result
on_record(struct lk_process *p, const struct lk_peer_ref *from, const struct lk_message *m,
	struct lk_err *e)
{
	struct state *s = p->state;

	(void)from;
	return in_step(p, apply_all(s->model, m->body, e));
}

static struct lk_result
on_live(struct lk_process *p, const struct lk_peer_ref *from, const struct lk_message *m,
	struct lk_err *e)
{
	struct state *s = p->state;

	(void)from;
	(void)m;
	(void)e;
	lk_model_live(s->model);
	return LK_OK;
}

static void
desk_linked(struct lk_process *p, const struct lk_peer_ref *peer)
{
	const struct lk_subscribe_body b = { .version = 1 };
	struct lk_err e = { 0 };

	if (peer->role == LK_ROLE_KEEPER &&
		!lk_process_tell(p, LK_ROLE_KEEPER, 0, LK_BODY_subscribe, &b, &e).ok) {
		lk_log_err(&e, NULL);
		lk_process_end(p);
	}
}

static void
on_commit(void *ctx)
{
	struct state *s = ctx;
	struct lk_err e = { 0 };

	if (!lk_model_commit(s->model, &e).ok) {
		lk_log_err(&e, NULL);
		lk_process_end(s->process);
	}
	lk_timer_at(s->commit, lk_loop_now_ms(s->process->loop) + COMMIT_MS);
}

/* --- life ------------------------------------------------------------------------------------- */

static struct lk_result
desk_open(struct lk_process *p, struct lk_err *e)
{
	struct state *s = calloc(1, sizeof *s);

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for the desk");
	p->state = s;
	s->process = p;
	LK_TRY(lk_domain_read(lk_noc_config_of(p), &s->domain, e));
	LK_TRY(lk_noc_est_labels(lk_noc_config_of(p), &s->labels, e));
	return lk_model_new(p->state_dir, &s->model, e);
}

static struct lk_result
desk_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	struct state *s = p->state;

	(void)e;
	s->paths[0] = (struct lk_cage_path){ p->state_dir, LK_CAGE_READ | LK_CAGE_WRITE };
	rules->profiles = LK_CAGE_SERVE | LK_CAGE_FILES;
	rules->paths = s->paths;
	rules->n_paths = LK_ARRAY_LEN(s->paths);
	return LK_OK;
}

static struct lk_result
renewed(void *ctx, const struct lk_certs *chain, struct lk_err *e)
{
	struct state *s = ctx;

	(void)e;
	lk_certs_copy(chain, &s->domain.registrar);
	return LK_OK;
}

static void
on_refusal(void *ctx, const struct lk_peer *peer, const struct lk_err *e)
{
	struct state *s = ctx;

	lk_refusals_note(s->refusals, peer, e);
}

static struct lk_result
desk_start(struct lk_process *p, struct lk_err *e)
{
	struct state *s = p->state;
	struct lk_server_settings set = { .listen_fd = lk_process_listener(p, "operators", 0),
		.routes = http_routes,
		.n_routes = LK_ARRAY_LEN(http_routes),
		.ctx = s,
		.on_refusal = on_refusal };

	LK_TRY(lk_refusals_new(p, &s->refusals, e));
	LK_TRY(lk_follower_new(
		p, LK_OWN_REGISTRAR, &s->domain.registrar, renewed, s, &s->follower, e));
	LK_TRY(lk_timer_new(p->loop, on_commit, s, &s->commit, e));
	lk_timer_at(s->commit, lk_loop_now_ms(p->loop) + COMMIT_MS);
	return set.listen_fd < 0 ? LK_OK : lk_server_new(p->loop, &set, &s->server, e);
}

static void
desk_close(struct lk_process *p)
{
	struct state *s = p->state;

	if (!s)
		return;
	lk_server_free(s->server);
	lk_refusals_free(s->refusals);
	lk_follower_free(s->follower);
	lk_timer_free(s->commit);
	lk_model_free(s->model);
	lk_domain_done(&s->domain);
	free(s);
}

static const struct lk_message_route routes[] = {
	{ LK_BODY_stream_begin, LK_ROLE_KEEPER, on_begin },
	{ LK_BODY_stream_record, LK_ROLE_KEEPER, on_record },
	{ LK_BODY_stream_live, LK_ROLE_KEEPER, on_live },
};

const struct lk_role_work lk_noc_desk = {
	.routes = routes,
	.n_routes = LK_ARRAY_LEN(routes),
	.open = desk_open,
	.cage = desk_cage,
	.start = desk_start,
	.linked = desk_linked,
	.close = desk_close,
};
