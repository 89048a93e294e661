/* SPDX-License-Identifier: Apache-2.0
 *
 * The operators' API from request to answer: desk.c between a real keeper, whose change stream
 * fills its copy, and requests made by hand. Who may ask, what is served, what bad input gets.
 */
#include "noc/desk.c"

#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/stat.h>

#include "artefact/checkpoint.h"
#include "crypto/policy.h"
#include "keeper_cast.h"
#include "store/ledger.h"

#define DEVICE DEVICES "/" PKI_SERIAL

/* --- the server and the process around the desk ----------------------------------------------- */

struct lk_request {
	struct lk_request_view view;
	unsigned status; /* 0: not answered yet */
	json_t *body;
};

const struct lk_request_view *__wrap_lk_request_view(const struct lk_request *r);
void __wrap_lk_request_reply(struct lk_request *r, const struct lk_reply *reply);
struct lk_result __wrap_lk_process_ask(struct lk_process *p, enum lk_role role, uint32_t index,
	enum lk_body type, const void *body, lk_reply_fn *done, void *ctx, uint64_t tag,
	struct lk_err *e);

void __wrap_lk_process_end(struct lk_process *p);

const struct lk_request_view *
__wrap_lk_request_view(const struct lk_request *r)
{
	return &r->view;
}

void
__wrap_lk_request_reply(struct lk_request *r, const struct lk_reply *reply)
{
	assert_int_equal(r->status, 0); /* answered once */
	r->status = reply->status;
	assert_string_equal(reply->content_type, "application/json");
	must_succeed(lk_json_parse(reply->body, &r->body, e));
	assert_int_equal(json_integer_value(json_object_get(r->body, "schema")), 1);
}

static struct site site;
static struct lk_process process;
static struct state desk;
static struct lk_noc_config config;
static struct lk_request request; /* the newest */
static bool keeper_gone, ended;
static char dir[64];

/* The keeper's answer, as it comes off the channel. */
static void
answer_asker(lk_reply_fn *done, void *ctx)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_JSON_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(LK_JSON_MAX);
	struct lk_err why = { .reason = site.refusal, .msg = "said the keeper" };
	struct lk_message m = LK_MESSAGE_INIT;
	struct lk_operator_reply_body b;

	if (site.refusal != LK_R_NONE) {
		done(ctx, 0, NULL, &why);
		return;
	}
	must_succeed(lk_json_print(site.result, &text, e));
	b.result = lk_buf_slice(&text);
	must_succeed(lk_body_pack(LK_BODY_operator_reply, &b, &packed, e));
	m.body = lk_buf_slice(&packed);
	done(ctx, 0, &m, NULL);
}

struct lk_result
__wrap_lk_process_ask(struct lk_process *p, enum lk_role role, uint32_t index, enum lk_body type,
	const void *body, lk_reply_fn *done, void *ctx, uint64_t tag, struct lk_err *e)
{
	const struct lk_operator_request_body *o = body;

	(void)index;
	(void)tag;
	assert_ptr_equal(p, &process);
	assert_int_equal(role, LK_ROLE_KEEPER);
	assert_int_equal(type, LK_BODY_operator_request);
	LK_REQUIRE(!keeper_gone, e, LK_R_IPC_GONE, "there is no keeper");
	site_operate(&site, o->action, "%.*s", (int)o->arguments.n, (const char *)o->arguments.p);
	answer_asker(done, ctx);
	return LK_OK;
}

void
__wrap_lk_process_end(struct lk_process *p)
{
	assert_ptr_equal(p, &process);
	ended = true;
}

static void
on_told(void *ctx, enum lk_role to, enum lk_body type, struct lk_slice packed)
{
	struct lk_message m = LK_MESSAGE_INIT;
	size_t i = 0;

	(void)ctx;
	assert_int_equal(to, LK_ROLE_DESK);
	m.body = packed;
	while (i < LK_ARRAY_LEN(routes) && routes[i].type != type)
		i++;
	assert_true(i < LK_ARRAY_LEN(routes));
	must_succeed(routes[i].handler(&process, NULL, &m, e));
}

/* What the keeper's process does whenever its loop turns. */
static void
feed(void)
{
	bool more = true;

	while (more)
		must_succeed(lk_keeper_feed(site.keeper, &more, e));
}

static void
subscribe(void)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(64);
	const struct lk_subscribe_body b = { .version = 1 };

	site.told = on_told;
	must_succeed(lk_body_pack(LK_BODY_subscribe, &b, &packed, e));
	must_succeed(lk_turn_receive(
		site.turn, LK_ROLE_DESK, 0, 0, LK_BODY_subscribe, lk_buf_slice(&packed), e));
	must_succeed(lk_turn_flush(site.turn, e));
	feed();
}

static const char *const files[] = { "root.pem", "device-ca.pem", "service-ca.pem", "server-ca.pem",
	"operator-ca.pem", "registrar.pem", "radius.pem", "model.db", "model.db-wal",
	"model.db-shm" };

static const char *
path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void
write_pem(const char *name, const struct pki_id *id)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(65536);
	FILE *f = fopen(path_of(name), "w");

	must_succeed(lk_cert_print_pem(pki_cert(id), &pem, e));
	assert_true(f && fwrite(pem.p, 1, pem.n, f) == pem.n && fclose(f) == 0);
}

static int
setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof dir, "%s/lk-test-desk.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
	site_init(&site, "ask");
	write_pem("root.pem", &site.pki.domain);
	write_pem("device-ca.pem", &site.device_ca);
	write_pem("service-ca.pem", &site.device_ca);
	write_pem("server-ca.pem", &site.device_ca);
	write_pem("operator-ca.pem", &site.device_ca);
	write_pem("registrar.pem", &site.pki.registrar);
	write_pem("radius.pem", &site.pki.masa);
	must_succeed(lk_config_defaults(&lk_noc_config_spec, &config, e));
	set_text(config.pki_dir, dir);
	set_text(config.network, "home");
	process = (struct lk_process){ .config = &config, .state = &desk };
	desk = (struct state){ .process = &process };
	must_succeed(lk_domain_read(&config, &desk.domain, e));
	must_succeed(lk_model_new(dir, &desk.model, e));
	keeper_gone = ended = false;
	return 0;
}

static int
teardown(void **state)
{
	size_t i;

	(void)state;
	json_decref(request.body);
	request = (struct lk_request){ .status = 0 };
	lk_model_free(desk.model);
	lk_domain_done(&desk.domain);
	site_done(&site);
	for (i = 0; i < LK_ARRAY_LEN(files); i++)
		remove(path_of(files[i]));
	return rmdir(dir); /* fails when something was left behind */
}

/* --- an operator ------------------------------------------------------------------------------ */

static const struct lk_peer root = { .remote = "unix:uid=0", .is_unix = true };

static lk_request_handler *
route_of(const char *method, const char *path)
{
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(http_routes); i++) {
		const struct lk_route *r = &http_routes[i];
		size_t n = strlen(r->path);

		if (strcmp(r->method, method) == 0 &&
			(strcmp(r->path, path) == 0 ||
				(r->path[n - 1] == '/' && strncmp(r->path, path, n) == 0)))
			return r->handler;
	}
	return NULL;
}

/* Returns the status; the answer is request.body. */
static unsigned
ask_as(const struct lk_peer *peer, const char *method, const char *path, const char *query,
	const char *body)
{
	lk_request_handler *handler = route_of(method, path);

	assert_non_null(handler);
	feed();
	json_decref(request.body);
	request = (struct lk_request){ .view = { .method = method,
					       .path = path,
					       .query = query,
					       .body = lk_slice_str(body),
					       .peer = peer } };
	handler(&request, &desk);
	assert_int_not_equal(request.status, 0);
	return request.status;
}

static unsigned
get(const char *path, const char *query)
{
	return ask_as(&root, "GET", path, query, "");
}

static unsigned
post(const char *path, const char *body)
{
	return ask_as(&root, "POST", path, "", body);
}

static const json_t *
member(const json_t *obj, const char *name)
{
	const json_t *v = json_object_get(obj, name);

	if (!v)
		fail_msg("there is no \"%s\"", name);
	return v;
}

static const char *
text(const json_t *obj, const char *name)
{
	return json_string_value(member(obj, name));
}

static const char *
reason(void)
{
	return text(member(request.body, "error"), "reason");
}

#define assert_api_refused(status, want, call)                                                    \
	do {                                                                                      \
		assert_int_equal(call, status);                                                   \
		assert_string_equal(reason(), lk_reason_info(want)->symbol);                      \
		assert_string_equal(                                                              \
			text(member(request.body, "error"), "cure"), lk_reason_info(want)->cure); \
	} while (0)

/* --- who may ask ------------------------------------------------------------------------------ */

static void
test_who_may_ask(void **state)
{
	const uid_t foreign_uid = geteuid() + 1;
	const gid_t foreign_gid = getegid() + 1;
	const struct lk_peer own = {
		.remote = "own", .is_unix = true, .uid = geteuid(), .gid = foreign_gid
	};
	const struct lk_peer group = {
		.remote = "group", .is_unix = true, .uid = foreign_uid, .gid = getegid()
	};
	const struct lk_peer other = {
		.remote = "other", .is_unix = true, .uid = foreign_uid, .gid = foreign_gid
	};
	const struct lk_peer tcp = { .remote = "192.0.2.1:7", .is_unix = false };
	int64_t events;

	(void)state;
	subscribe();
	site_request_voucher(&site, NULL, NULL);
	events = site_count(&site, LK_KIND_event);
	assert_int_equal(ask_as(&own, "GET", "/api/v1/status", "", ""), 200);
	assert_int_equal(ask_as(&group, "GET", "/api/v1/status", "", ""), 200);
	assert_api_refused(403, LK_R_API_PEER, ask_as(&other, "GET", "/api/v1/status", "", ""));
	assert_api_refused(403, LK_R_API_PEER, ask_as(&tcp, "GET", "/api/v1/status", "", ""));
	assert_api_refused(403, LK_R_API_PEER, ask_as(&other, "POST", DEVICE "/approve", "", ""));
	assert_api_refused(403, LK_R_API_PEER, ask_as(&tcp, "DELETE", MAKERS "/vendor", "", ""));
	assert_int_equal(site_count(&site, LK_KIND_event), events); /* the keeper heard nothing */
}

static void
test_nothing_is_told_before_all_is_known(void **state)
{
	(void)state;
	assert_api_refused(503, LK_R_API_NOT_READY, get("/api/v1/devices", ""));
	assert_api_refused(503, LK_R_API_NOT_READY, get("/api/v1/status", ""));
	subscribe();
	assert_int_equal(get("/api/v1/devices", ""), 200);
	must_succeed(lk_model_reset(desk.model, e)); /* the keeper was started anew */
	assert_api_refused(503, LK_R_API_NOT_READY, get("/api/v1/devices", ""));
}

/* Nobody is shown a copy in which something is missing. */
static void
test_desk_out_of_step_ends(void **state)
{
	const struct lk_stream_record_body b = { .records = LK_SLICE_LIT("\0\0\0\3abc") };
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(64);
	struct lk_message m = LK_MESSAGE_INIT;
	struct lk_err why;

	(void)state;
	subscribe();
	assert_false(ended);
	must_succeed(lk_body_pack(LK_BODY_stream_record, &b, &packed, e));
	m.body = lk_buf_slice(&packed);
	assert_false(on_record(&process, NULL, &m, &why).ok);
	assert_true(ended);
}

static void
test_desk_that_cannot_begin_anew_ends(void **state)
{
	struct lk_message m = LK_MESSAGE_INIT;
	struct lk_err why;

	(void)state;
	subscribe();
	assert_int_equal(remove(path_of("model.db")), 0);
	assert_int_equal(mkdir(path_of("model.db"), 0700), 0); /* no file to remove */
	assert_refused(on_begin(&process, NULL, &m, &why), why, LK_R_FILE_IO);
	assert_true(ended);
	assert_api_refused(503, LK_R_API_NOT_READY, get("/api/v1/devices", ""));
	assert_refused(lk_model_apply(desk.model, LK_SLICE_LIT("x"), false, &why), why,
		LK_R_API_NOT_READY);
}

/* --- bad input -------------------------------------------------------------------------------- */

static void
test_paths_that_lead_nowhere(void **state)
{
	static const char *const reading[] = { "/api/v1/", "/api/v1/nothing", DEVICES "/",
		DEVICES "/../x", DEVICES "/a%2fb", DEVICE "/keys", DEVICE "/timeline/1" };
	static const char *const changing[] = { DEVICES "/", DEVICE, DEVICE "/sell", DEVICE "/",
		DEVICE "/approve/", MAKERS "/vendor", MAKERS "/vendor/add", MAKERS "//import",
		DEVICES "/a b/approve" };

	(void)state;
	subscribe();
	for (size_t i = 0; i < LK_ARRAY_LEN(reading); i++)
		assert_api_refused(404, LK_R_API_PATH, get(reading[i], ""));
	for (size_t i = 0; i < LK_ARRAY_LEN(changing); i++)
		assert_api_refused(404, LK_R_API_PATH, post(changing[i], "{}"));
	assert_api_refused(
		404, LK_R_API_PATH, ask_as(&root, "DELETE", MAKERS "/vendor/distrust", "", ""));
	assert_null(route_of("PUT", DEVICES));
	assert_null(route_of("DELETE", DEVICE));
	assert_null(route_of("GET", "/"));
}

static void
test_queries_that_say_nothing(void **state)
{
	static const struct {
		const char *query;
		enum lk_reason reason;
	} rows[] = {
		{ "colour=blue", LK_R_API_QUERY },
		{ "limit", LK_R_API_QUERY },
		{ "state=happy", LK_R_API_QUERY },
		{ "limit=0", LK_R_SYNTAX_NUMBER },
		{ "limit=1001", LK_R_SYNTAX_NUMBER },
		{ "limit=-1", LK_R_SYNTAX_NUMBER },
		{ "limit=1&limit=x", LK_R_SYNTAX_NUMBER },
		{ "cursor=0123456789012345678901234567890123456789", LK_R_TOO_LARGE },
	};

	(void)state;
	subscribe();
	for (size_t i = 0; i < LK_ARRAY_LEN(rows); i++)
		assert_api_refused(lk_reason_http_status(rows[i].reason), rows[i].reason,
			get(DEVICES, rows[i].query));
	assert_int_equal(get(DEVICES, "limit=1000&&state=onboarding"), 200);
}

static void
test_bodies_that_are_none(void **state)
{
	(void)state;
	subscribe();
	assert_api_refused(400, LK_R_JSON_SYNTAX, post(DEVICE "/approve", "[1]"));
	assert_api_refused(400, LK_R_JSON_SYNTAX, post(MAKERS, "name=x"));
	assert_api_refused(400, LK_R_JSON_DUPLICATE, post(MAKERS, "{\"a\":1,\"a\":2}"));
	assert_int_equal(site_count(&site, LK_KIND_event), 0);
}

/* --- changing --------------------------------------------------------------------------------- */

static void
test_changes_go_through_the_keeper(void **state)
{
	(void)state;
	subscribe();
	assert_int_equal(site_request_voucher(&site, NULL, NULL), 202);
	/* whom it is about is said by the path, whatever the body says */
	assert_int_equal(post(DEVICE "/approve", "{\"device\":\"another\"}"), 200);
	assert_string_equal(text(request.body, "device"), site_device(&site)->id);
	assert_string_equal(site_device(&site)->admission, "approved");
	assert_string_equal(site_event(&site, "approved")->actor, "uid:0");
	assert_int_equal(post(DEVICE "/deny", ""), 200);
	assert_int_equal(post(DEVICE "/revoke", ""), 200);
	assert_int_equal(post(MAKERS "/vendor/distrust", ""), 200);
	assert_int_equal(json_integer_value(member(request.body, "devices")), 1);
	assert_api_refused(
		409, LK_R_MANUFACTURER_DEVICES, ask_as(&root, "DELETE", MAKERS "/vendor", "", ""));
	assert_string_equal(text(member(request.body, "error"), "message"), "said the keeper");
	assert_api_refused(404, LK_R_DEVICE_NONE, post(DEVICES "/nobody/revoke", ""));
	assert_api_refused(400, LK_R_OPERATOR_ARGUMENT, post(MAKERS, "{}"));
	assert_api_refused(400, LK_R_OPERATOR_ARGUMENT, post(MAKERS "/vendor/import", "{}"));
	assert_api_refused(409, LK_R_LIFECYCLE_EVENT, post(DEVICE "/decommission", ""));
	keeper_gone = true;
	assert_api_refused(
		lk_reason_http_status(LK_R_IPC_GONE), LK_R_IPC_GONE, post(DEVICE "/approve", ""));
}

/* --- reading ---------------------------------------------------------------------------------- */

/*= SEC-12: protocol, suite, group, key size and library version of a run are shown =*/
static void
test_device(void **state)
{
	const json_t *device, *run, *steps, *tls;

	(void)state;
	site_operate(&site, "manufacturer.add", "{}"); /* some event of nobody's */
	subscribe();
	site_request_voucher(&site, NULL, NULL);
	assert_int_equal(get(DEVICE, ""), 200);
	device = member(request.body, "device");
	assert_string_equal(text(device, "serial"), PKI_SERIAL);
	assert_string_equal(text(device, "id"), site_device(&site)->id);
	assert_string_equal(text(device, "state_name"), "onboarding");
	assert_string_equal(text(device, "created_at"), "2026-01-01T12:00:00Z");
	assert_true(json_is_null(member(device, "commissioned_at")));
	run = member(device, "run");
	assert_string_equal(text(run, "state"), "waiting");
	assert_null(json_object_get(run, "pledge_request")); /* artefacts stay where they are */
	steps = member(run, "steps");
	assert_string_equal(text(json_array_get(steps, 0), "step"), "declaration");
	assert_int_not_equal(text(json_array_get(steps, 0), "skipped")[0], 0);
	assert_string_equal(
		text(json_array_get(steps, json_array_size(steps) - 1), "step"), "waiting");
	tls = member(run, "tls");
	assert_string_equal(text(tls, "version"), "TLSv1.3");
	assert_string_equal(text(tls, "suite"), "TLS_AES_128_GCM_SHA256");
	assert_string_equal(text(tls, "group"), "secp256r1");
	assert_int_equal(json_integer_value(member(tls, "peer_key_bits")), 256);
	assert_string_equal(text(tls, "library"), OpenSSL_version(OPENSSL_VERSION));
	assert_int_equal(json_array_size(member(device, "certificates")), 0);
	assert_api_refused(404, LK_R_DEVICE_NONE, get(DEVICES "/nobody", ""));
}

static void
test_timeline(void **state)
{
	const json_t *events;

	(void)state;
	subscribe();
	site_request_voucher(&site, NULL, NULL);
	post(DEVICE "/approve", "");
	assert_int_equal(get(DEVICE "/timeline", ""), 200);
	events = member(request.body, "events");
	assert_string_equal(text(json_array_get(events, 0), "type"), "device-appeared");
	assert_string_equal(text(json_array_get(events, 1), "type"), "approval-needed");
	assert_string_equal(text(json_array_get(events, 2), "type"), "approved");
	assert_string_equal(
		text(member(json_array_get(events, 0), "payload"), "serial"), PKI_SERIAL);
	assert_int_equal(get(DEVICE "/timeline", "limit=1"), 200); /* the newest */
	events = member(request.body, "events");
	assert_int_equal(json_array_size(events), 1);
	assert_string_equal(text(json_array_get(events, 0), "type"), "voucher-requested");
}

/* --- the ledger ------------------------------------------------------------------------------- */

#define LEDGER_ALL LEDGER, ""

static void
strangers_come(void)
{
	struct lk_refused_body b = { .reason = "http-head-too-large",
		.message = "the head has more than 8192 octets",
		.remote = "[fe80::2%3]:1",
		.count = 17 };

	site_tell(&site, LK_ROLE_FRONT, LK_BODY_refused, &b);
}

/* What belongs to no device is in no timeline. */
static void
test_refusals_of_strangers_are_shown(void **state)
{
	const json_t *events, *ev;

	(void)state;
	subscribe();
	site_request_voucher(&site, NULL, NULL);
	strangers_come();
	post(DEVICE "/approve", "");
	assert_int_equal(get(LEDGER, "refused=yes"), 200);
	events = member(request.body, "events");
	assert_int_equal(json_array_size(events), 1);
	ev = json_array_get(events, 0);
	assert_string_equal(text(ev, "reason"), "http-head-too-large");
	assert_string_equal(text(ev, "clause"), "RFC 6585 5");
	assert_string_equal(text(member(ev, "payload"), "remote"), "[fe80::2%3]:1");
	assert_string_equal(
		text(member(ev, "payload"), "message"), "the head has more than 8192 octets");
	assert_true(json_is_null(member(request.body, "next")));
	assert_int_equal(get(LEDGER_ALL), 200);
	assert_int_equal(
		json_array_size(member(request.body, "events")), site_count(&site, LK_KIND_event));
	assert_api_refused(400, LK_R_API_QUERY, get(LEDGER, "refused=no"));
	assert_api_refused(400, LK_R_SYNTAX_NUMBER, get(LEDGER, "cursor=x"));
	assert_api_refused(404, LK_R_API_PATH, get(LEDGER "/verify/1", ""));
	assert_api_refused(404, LK_R_API_PATH, get("/api/v1/ledgers", ""));
}

/* Backwards by pages, each read forwards, until the first event. */
static void
test_ledger_by_pages(void **state)
{
	char query[64] = "limit=2";
	int64_t want, i;

	(void)state;
	subscribe();
	site_request_voucher(&site, NULL, NULL);
	strangers_come();
	post(DEVICE "/approve", "");
	want = site_count(&site, LK_KIND_event);
	assert_true(want > 4);
	while (want > 0) {
		const json_t *events;

		assert_int_equal(get(LEDGER, query), 200);
		events = member(request.body, "events");
		for (i = (int64_t)json_array_size(events) - 1; i >= 0; i--)
			assert_int_equal(json_integer_value(
						 member(json_array_get(events, (size_t)i), "seq")),
				want--);
		if (want)
			snprintf(query, sizeof query, "limit=2&cursor=%s",
				text(request.body, "next"));
	}
	assert_true(json_is_null(member(request.body, "next")));
}

/* Into the keeper's store, as its checkpointer does. */
static void
put_checkpoint(int64_t seq, const struct pki_id *signer, uint8_t bend)
{
	LK_CLEANUP(lk_record_done) struct lk_checkpoint_record r = LK_RECORD_INIT(checkpoint);
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CHECKPOINT_MAX);
	struct lk_checkpoint c = { .seq = (uint64_t)seq, .at = PKI_NOW };
	struct lk_ledger_head head;

	must_succeed(lk_ledger_head(site.store, &head, e));
	set_text(c.node, lk_store_origin(site.store)->node_id);
	set_text(c.site, lk_store_origin(site.store)->site_id);
	head.hash[0] ^= bend;
	c.hash = (struct lk_buf){ head.hash, sizeof head.hash, sizeof head.hash, sizeof head.hash };
	must_succeed(lk_checkpoint_build(&c, signer->key, &signer->chain, &der, e));
	r.seq = seq;
	r.at = PKI_NOW;
	must_succeed(lk_blob_set(&r.hash, LK_SLICE_ARRAY(head.hash), e));
	must_succeed(lk_blob_set(&r.signature, lk_buf_slice(&der), e));
	must_succeed(lk_store_begin(site.store, e));
	must_succeed(lk_store_insert(site.store, &r.record, e));
	must_succeed(lk_store_commit(site.store, e));
	site_restart(&site); /* the desk is told everything anew */
	subscribe();
}

static int64_t
ledger_head(void)
{
	return site_count(&site, LK_KIND_event);
}

static void
test_ledger_that_holds(void **state)
{
	(void)state;
	subscribe();
	assert_int_equal(get(LEDGER "/verify", ""), 200); /* nothing happened yet */
	site_request_voucher(&site, NULL, NULL);
	assert_int_equal(get(LEDGER "/verify", ""), 200);
	assert_int_equal(json_integer_value(member(request.body, "to")), ledger_head());
	assert_true(json_is_null(member(request.body, "checkpoint")));
	put_checkpoint(ledger_head(), &site.pki.registrar, 0);
	assert_int_equal(get(LEDGER "/verify", ""), 200);
	assert_int_equal(json_integer_value(member(member(request.body, "checkpoint"), "seq")),
		ledger_head());
	assert_int_equal(get(LEDGER "/verify", "cursor=2"), 200);
	assert_int_equal(json_integer_value(member(request.body, "from")), 2);
	assert_true(json_is_null(member(request.body, "next")));
	assert_api_refused(400, LK_R_API_QUERY, get(LEDGER "/verify", "cursor=1000000"));
}

/* No request keeps the desk for long: what is far is found by asking again. */
static void
test_ledger_by_stretches(void **state)
{
	(void)state;
	subscribe();
	strangers_come();
	while (ledger_head() < 4100)
		post(MAKERS, "{\"manufacturer\":\"new\"}"); /* refused: it has no anchors */
	assert_int_equal(get(LEDGER "/verify", ""), 200);
	assert_int_equal(json_integer_value(member(request.body, "to")), 4096);
	assert_string_equal(text(request.body, "next"), "4097");
	assert_true(json_is_null(member(request.body, "checkpoint")));
	assert_int_equal(get(LEDGER "/verify", "cursor=4097"), 200);
	assert_int_equal(json_integer_value(member(request.body, "to")), 4100);
	assert_true(json_is_null(member(request.body, "next")));
}

/*= Latchkey ledger checkpoint: the store holds the head that was signed =*/
static void
test_checkpoints_that_do_not_fit(void **state)
{
	(void)state;
	site_request_voucher(&site, NULL, NULL);
	put_checkpoint(ledger_head(), &site.pki.stranger, 0);
	assert_api_refused(403, LK_R_CHECKPOINT_SIGNER, get(LEDGER "/verify", ""));
	strangers_come();
	put_checkpoint(ledger_head(), &site.pki.registrar, 1);
	assert_api_refused(500, LK_R_LEDGER_FORK, get(LEDGER "/verify", ""));
	put_checkpoint(ledger_head() + 1, &site.pki.registrar, 0);
	assert_api_refused(500, LK_R_LEDGER_ROLLBACK, get(LEDGER "/verify", ""));
}

/*= Latchkey ledger chain: an event names the hash of the one before =*/
static void
test_ledger_that_was_changed(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	struct lk_scan newest = { .index = LK_EVENT_BY_SEQ, .descending = true };
	bool found;

	(void)state;
	subscribe();
	site_request_voucher(&site, NULL, NULL);
	assert_int_equal(get(LEDGER "/verify", ""), 200);
	must_succeed(lk_store_next(lk_model_store(desk.model), &newest, &ev.record, &found, e));
	ev.seq++; /* one more, which the keeper never wrote */
	must_succeed(lk_store_insert(lk_model_store(desk.model), &ev.record, e));
	assert_api_refused(500, LK_R_LEDGER_LINK, get(LEDGER "/verify", ""));
	assert_int_equal(get(LEDGER "/verify", "cursor=1"), 500);
}

static void
test_lists(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	char cursor[64];

	(void)state;
	for (int i = 0; i < 3; i++) {
		snprintf(d.id, sizeof d.id, "id-%d", i);
		set_text(d.manufacturer_id, "another");
		snprintf(d.serial, sizeof d.serial, "S-%d", i % 2);
		set_text(d.admission, i ? "approved" : "ask");
		snprintf(d.manufacturer_id, sizeof d.manufacturer_id, "m-%d", i);
		d.state = i ? LK_STATE_S9 : LK_STATE_S7;
		site_put(&site, &d.record);
	}
	subscribe();
	assert_int_equal(get(DEVICES, "limit=2"), 200);
	assert_int_equal(json_array_size(member(request.body, "devices")), 2);
	snprintf(cursor, sizeof cursor, "limit=2&cursor=%s", text(request.body, "next"));
	assert_int_equal(get(DEVICES, cursor), 200);
	assert_int_equal(json_array_size(member(request.body, "devices")), 1);
	assert_true(json_is_null(member(request.body, "next")));
	assert_int_equal(get(DEVICES, "state=commissioned"), 200);
	assert_int_equal(json_array_size(member(request.body, "devices")), 2);
	assert_int_equal(get(DEVICES, "admission=approved&state=installation"), 200);
	assert_int_equal(json_array_size(member(request.body, "devices")), 0);
	assert_int_equal(get(DEVICES "/pending", ""), 200);
	assert_int_equal(json_array_size(member(request.body, "devices")), 1);
	assert_api_refused(400, LK_R_DEVICE_AMBIGUOUS, get(DEVICES "/S-0", ""));
	assert_int_equal(get(DEVICES "/S-1", ""), 200);
	assert_int_equal(get(DEVICES "/id-2", ""), 200);
}

static void
test_manufacturers(void **state)
{
	const json_t *m, *anchor;
	char fingerprint[65];

	(void)state;
	subscribe();
	site_request_voucher(&site, NULL, NULL);
	assert_int_equal(get(MAKERS, ""), 200);
	m = json_array_get(member(request.body, "manufacturers"), 0);
	assert_string_equal(text(m, "id"), SITE_VENDOR);
	assert_string_equal(text(m, "trust"), "trusted");
	assert_int_equal(json_integer_value(member(m, "devices")), 1);
	anchor = json_array_get(member(m, "anchors"), 0);
	lk_cert_fingerprint(pki_cert(&site.pki.vendor), fingerprint);
	assert_string_equal(text(anchor, "fingerprint"), fingerprint);
	assert_string_equal(text(anchor, "subject"), "CN=Vendor CA");
}

static void
test_status(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record m = LK_RECORD_INIT(manufacturer);

	(void)state;
	set_text(m.id, SITE_VENDOR);
	must_succeed(lk_store_get(site.store, LK_MANUFACTURER_BY_ID, &m.record, e));
	m.allow_tls12 = m.ignore_idevid_expiry = true;
	site_put(&site, &m.record);
	site_restart(&site);
	config.allow_tls12 = true;
	subscribe();
	site_request_voucher(&site, NULL, NULL);
	assert_int_equal(get("/api/v1/status", ""), 200);
	assert_string_equal(text(request.body, "network"), "home");
	assert_string_equal(text(request.body, "version"), LK_VERSION);
	assert_int_equal(json_integer_value(member(request.body, "pending")), 1);
	assert_int_equal(json_integer_value(member(request.body, "manufacturers")), 1);
	assert_int_equal(
		json_integer_value(member(member(request.body, "devices"), "onboarding")), 1);
	assert_int_equal(json_integer_value(member(member(request.body, "ledger"), "head")),
		site_count(&site, LK_KIND_event));
	/* what was loosened is never silent: two of the manufacturer, one of the front */
	assert_int_equal(json_array_size(member(request.body, "relaxations")), 3);
}

static void
open_labels(const char *labels)
{
	set_text(config.service_ca_key, "file:service-ca.key");
	set_text(config.est_labels, labels);
	must_succeed(lk_noc_est_labels(&config, &desk.labels, e));
	site.settings.labels = desk.labels;
	site_restart(&site);
}

/* A code is shown to whoever had it made, and its digest to nobody. */
static void
test_enrolment_codes(void **state)
{
	static const char path[] = "/api/v1/est/codes";
	LK_CLEANUP(lk_freep) char *all = NULL;
	char one[128], code[64], id[LK_ID_MAX];
	const json_t *client;

	(void)state;
	open_labels("plant code");
	subscribe();
	assert_int_equal(get(path, ""), 200);
	assert_int_equal(json_array_size(member(request.body, "codes")), 0);
	assert_int_equal(post(path, "{\"label\":\"plant\",\"name\":\"pump-7\"}"), 200);
	set_text(code, text(request.body, "code"));
	set_text(id, text(request.body, "id"));
	assert_string_equal(site_event(&site, "enrolment-code-made")->actor, "uid:0");
	assert_int_equal(get(path, ""), 200);
	client = json_array_get(member(request.body, "codes"), 0);
	assert_string_equal(text(client, "id"), id);
	assert_string_equal(text(client, "label"), "plant");
	assert_string_equal(text(client, "name"), "pump-7");
	assert_string_equal(text(client, "state"), "open");
	assert_null(json_object_get(client, "code"));
	all = json_dumps(request.body, 0);
	assert_null(strstr(all, code));
	snprintf(one, sizeof one, "%s/%s/revoke", path, id);
	assert_int_equal(post(one, ""), 200);
	assert_int_equal(json_integer_value(member(request.body, "certificates")), 0);
	assert_int_equal(get(path, ""), 200);
	client = json_array_get(member(request.body, "codes"), 0);
	assert_string_equal(text(client, "state"), "revoked");
	assert_api_refused(404, LK_R_EST_NONE, post("/api/v1/est/codes/none/revoke", ""));
	assert_api_refused(404, LK_R_API_PATH, post("/api/v1/est/codes/none", ""));
	assert_api_refused(404, LK_R_API_PATH, post("/api/v1/est/codes/none/approve", ""));
}

/* Where plain EST is open is shown, and what was loosened for it. */
static void
test_labels(void **state)
{
	const json_t *status;

	(void)state;
	open_labels("plant code, old code tls12");
	subscribe();
	assert_int_equal(get("/api/v1/status", ""), 200);
	status = request.body;
	assert_string_equal(
		json_string_value(json_array_get(member(status, "est_labels"), 0)), "plant");
	assert_int_equal(json_array_size(member(status, "est_labels")), 2);
	assert_int_equal(json_array_size(member(status, "relaxations")), 1);
	assert_non_null(strstr(
		json_string_value(json_array_get(member(status, "relaxations"), 0)), "of old may"));
	assert_int_equal(get("/api/v1/crypto", ""), 200);
	assert_string_equal(text(request.body, "tls"), "1.3, and 1.2 at some EST labels");
}

/* --- the domain ------------------------------------------------------------------------------- */

static void
test_cas(void **state)
{
	const json_t *ca;
	char fingerprint[65];

	(void)state;
	subscribe();
	site_request_voucher(&site, NULL, NULL);
	post(DEVICE "/approve", "");
	site_masa_voucher(&site, NULL, NULL, NULL);
	site_ask(&site, &site.pki.device.chain, LK_EP_BRSKI_VOUCHER_STATUS,
		LK_SLICE_LIT("{\"version\":1,\"status\":true}"));
	site_masa_log(&site, &site.pki.domain, PKI_NONCE);
	assert_int_equal(site_enrol(&site), 200);
	assert_int_equal(get("/api/v1/ca", ""), 200);
	assert_int_equal(json_array_size(member(request.body, "cas")), 5);
	ca = json_array_get(member(request.body, "cas"), 1);
	assert_string_equal(text(ca, "name"), "device CA");
	assert_string_equal(text(ca, "subject"), "CN=Device CA");
	lk_cert_fingerprint(pki_cert(&site.device_ca), fingerprint);
	assert_string_equal(text(ca, "fingerprint"), fingerprint);
	assert_int_equal(json_integer_value(member(ca, "key_bits")), 256);
	assert_int_equal(json_integer_value(member(ca, "issued")), 1);
	assert_int_equal(json_integer_value(member(ca, "revoked")), 0);
	post(DEVICE "/revoke", "");
	assert_int_equal(get("/api/v1/ca", ""), 200);
	ca = json_array_get(member(request.body, "cas"), 1);
	assert_int_equal(json_integer_value(member(ca, "issued")), 0);
	assert_int_equal(json_integer_value(member(ca, "revoked")), 1);
	assert_string_equal(text(member(request.body, "registrar"), "subject"), "CN=Registrar");
}

/*= SEC-12: algorithms, key kinds, where keys live and the library's version are shown =*/
static void
test_crypto(void **state)
{
	const struct lk_policy *p = lk_policy_chosen();
	const json_t *keys;
	size_t n = 0;

	(void)state;
	set_text(config.registrar_key, "file:/etc/latchkey/registrar.key");
	set_text(config.device_ca_key, "tpm2:handle=0x81000001");
	subscribe();
	assert_int_equal(get("/api/v1/crypto", ""), 200);
	assert_string_equal(text(request.body, "policy"), p->name);
	assert_string_equal(text(request.body, "tls"), "1.3");
	assert_string_equal(text(request.body, "groups"), p->groups);
	assert_string_equal(text(request.body, "suites_tls13"), p->suites_tls13);
	assert_string_equal(text(request.body, "signatures"), p->sigalgs);
	assert_string_equal(text(request.body, "library"), OpenSSL_version(OPENSSL_VERSION));
	while (p->keys[n].name)
		n++;
	assert_int_equal(json_array_size(member(request.body, "keys_taken")), n);
	keys = member(request.body, "keys_in");
	assert_string_equal(text(keys, "registrar"), lk_key_place_name(LK_KEY_IN_FILE));
	assert_string_equal(text(keys, "device_ca"), lk_key_place_name(LK_KEY_IN_TPM2));
	assert_null(json_object_get(keys, "aaa"));
	config.allow_tls12 = true;
	assert_int_equal(get("/api/v1/crypto", ""), 200);
	assert_string_equal(text(request.body, "tls"), "1.2 and 1.3");
}

static const json_t *
anchor_named(const char *name)
{
	const json_t *list = member(request.body, "anchors");
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (strcmp(text(json_array_get(list, i), "name"), name) == 0)
			return json_array_get(list, i);
	return NULL;
}

/*= SEC-01: the model of trust is stated for each pair =*/
/*= SEC-09: every trust anchor is listed, with what falls with it =*/
static void
test_trust(void **state)
{
	static const char *const pairs[] = { "device to NOC", "network to device",
		"network owner to device" };
	static const char *const anchors[] = { "root", "device CA", "service CA", "server CA",
		"operator CA", "manufacturer vendor" };
	char fingerprint[65];

	(void)state;
	subscribe();
	assert_int_equal(get("/api/v1/trust", ""), 200);
	assert_int_equal(json_array_size(member(request.body, "relations")), LK_ARRAY_LEN(pairs));
	for (size_t i = 0; i < LK_ARRAY_LEN(pairs); i++) {
		const json_t *r = json_array_get(member(request.body, "relations"), i);

		assert_string_equal(text(r, "pair"), pairs[i]);
		assert_string_equal(text(r, "model"), "voucher");
		assert_true(strlen(text(r, "how")) > 40);
	}
	assert_int_equal(json_array_size(member(request.body, "anchors")), LK_ARRAY_LEN(anchors));
	for (size_t i = 0; i < LK_ARRAY_LEN(anchors); i++) {
		const json_t *a = anchor_named(anchors[i]);

		assert_non_null(a);
		assert_true(strlen(text(a, "holder")) > 0 && strlen(text(a, "falls")) > 20);
	}
	lk_cert_fingerprint(pki_cert(&site.pki.vendor), fingerprint);
	assert_string_equal(text(anchor_named("manufacturer vendor"), "fingerprint"), fingerprint);
	assert_string_equal(text(anchor_named("device CA"), "subject"), "CN=Device CA");
	/* who is distrusted is no anchor any more */
	assert_int_equal(post(MAKERS "/vendor/distrust", ""), 200);
	assert_int_equal(get("/api/v1/trust", ""), 200);
	assert_null(anchor_named("manufacturer vendor"));
}

static void
test_radius_anchor(void **state)
{
	struct lk_domain d = { .radius_anchor = { .n = 0 } };

	(void)state;
	set_text(config.radius_anchor, path_of("radius.pem"));
	must_succeed(lk_domain_read(&config, &d, e));
	lk_domain_done(&desk.domain);
	desk.domain = d;
	subscribe();
	assert_int_equal(get("/api/v1/trust", ""), 200);
	assert_string_equal(text(anchor_named("RADIUS anchor"), "subject"), "CN=Vendor MASA");
}

static void
test_certificates_that_are_missing(void **state)
{
	struct lk_domain d = { .radius_anchor = { .n = 0 } };
	struct lk_err why;

	(void)state;
	assert_int_equal(remove(path_of("operator-ca.pem")), 0);
	assert_refused(lk_domain_read(&config, &d, &why), why, LK_R_CERTS_MISSING);
	lk_domain_done(&d);
}

#define desk_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		desk_test(test_who_may_ask),
		desk_test(test_nothing_is_told_before_all_is_known),
		desk_test(test_desk_out_of_step_ends),
		desk_test(test_desk_that_cannot_begin_anew_ends),
		desk_test(test_paths_that_lead_nowhere),
		desk_test(test_queries_that_say_nothing),
		desk_test(test_bodies_that_are_none),
		desk_test(test_changes_go_through_the_keeper),
		desk_test(test_device),
		desk_test(test_timeline),
		desk_test(test_refusals_of_strangers_are_shown),
		desk_test(test_ledger_by_pages),
		desk_test(test_ledger_that_holds),
		desk_test(test_ledger_by_stretches),
		desk_test(test_checkpoints_that_do_not_fit),
		desk_test(test_ledger_that_was_changed),
		desk_test(test_lists),
		desk_test(test_manufacturers),
		desk_test(test_status),
		desk_test(test_enrolment_codes),
		desk_test(test_labels),
		desk_test(test_cas),
		desk_test(test_crypto),
		desk_test(test_trust),
		desk_test(test_radius_anchor),
		desk_test(test_certificates_that_are_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
