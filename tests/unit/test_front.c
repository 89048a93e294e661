/* SPDX-License-Identifier: Apache-2.0
 *
 * A front between HTTP and the keeper, both of them the test: it hands over what
 * it saw, and gives back what it was told.
 */
#include "test.h"

#include "role/front.c" /* NOLINT: its statics are what is tested */

static struct world {
	struct lk_process process;
	struct lk_front front;
	struct lk_tls_facts tls;
	struct lk_peer peer;
	struct lk_request_view view;
	bool keeper_is_gone;
	unsigned asked;
	struct lk_web_request_body request; /* what was asked of the keeper */
	struct lk_buf chain, body;          /* copies of its slices */
	uint8_t binding[32];
	enum lk_reason no_binding; /* why there is none; LK_R_NONE: there is one */
	lk_reply_fn *done;
	void *done_ctx;
	unsigned replies;
	struct lk_reply reply;
	struct lk_buf reply_body;
	char content_type[96], challenge[64];
	enum lk_reason reason;       /* of a reply that is an error */
	struct lk_refused_body told; /* the newest, to the keeper */
} w;
static struct lk_err err;

const struct lk_request_view *__wrap_lk_request_view(const struct lk_request *r);
void __wrap_lk_request_reply(struct lk_request *r, const struct lk_reply *reply);
void __wrap_lk_request_reply_err(struct lk_request *r, const struct lk_err *e);
struct lk_result __wrap_lk_request_tls_binding(const struct lk_request *r,
	uint8_t ret[static LK_TLS_BINDING_MAX], size_t *ret_n, struct lk_err *e);
struct lk_result __wrap_lk_process_tell(struct lk_process *p, enum lk_role role, uint32_t index,
	enum lk_body type, const void *body, struct lk_err *e);
struct lk_result __wrap_lk_process_ask(struct lk_process *p, enum lk_role role, uint32_t index,
	enum lk_body type, const void *body, lk_reply_fn *done, void *ctx, uint64_t tag,
	struct lk_err *e);

const struct lk_request_view *
__wrap_lk_request_view(const struct lk_request *r)
{
	(void)r;
	return &w.view;
}

void
__wrap_lk_request_reply(struct lk_request *r, const struct lk_reply *reply)
{
	(void)r;
	w.replies++;
	w.reply = *reply;
	snprintf(w.content_type, sizeof w.content_type, "%s",
		reply->content_type ? reply->content_type : "none");
	snprintf(w.challenge, sizeof w.challenge, "%s",
		reply->www_authenticate ? reply->www_authenticate : "none");
	lk_buf_clear(&w.reply_body);
	assert_true(lk_buf_append(&w.reply_body, reply->body, &err).ok);
}

void
__wrap_lk_request_reply_err(struct lk_request *r, const struct lk_err *e)
{
	(void)r;
	w.replies++;
	w.reason = e->reason;
}

struct lk_result
__wrap_lk_request_tls_binding(const struct lk_request *r, uint8_t ret[static LK_TLS_BINDING_MAX],
	size_t *ret_n, struct lk_err *e)
{
	(void)r;
	LK_REQUIRE(!w.no_binding, e, w.no_binding, "there is no binding");
	memset(ret, 9, 32);
	*ret_n = 32;
	return LK_OK;
}

struct lk_result
__wrap_lk_process_tell(struct lk_process *p, enum lk_role role, uint32_t index, enum lk_body type,
	const void *body, struct lk_err *e)
{
	(void)p;
	(void)index;
	(void)e;
	assert_int_equal(role, LK_ROLE_KEEPER);
	assert_int_equal(type, LK_BODY_refused);
	w.told = *(const struct lk_refused_body *)body;
	return LK_OK;
}

static void
copy(struct lk_buf *to, struct lk_slice from)
{
	lk_buf_clear(to);
	assert_true(lk_buf_append(to, from, &err).ok);
}

struct lk_result
__wrap_lk_process_ask(struct lk_process *p, enum lk_role role, uint32_t index, enum lk_body type,
	const void *body, lk_reply_fn *done, void *ctx, uint64_t tag, struct lk_err *e)
{
	(void)p;
	(void)index;
	(void)tag;
	assert_int_equal(role, LK_ROLE_KEEPER);
	assert_int_equal(type, LK_BODY_web_request);
	LK_REQUIRE(!w.keeper_is_gone, e, LK_R_IPC_GONE, "there is no keeper");
	w.asked++;
	w.request = *(const struct lk_web_request_body *)body;
	copy(&w.chain, w.request.chain);
	copy(&w.body, w.request.body);
	assert_true(w.request.binding.n <= sizeof w.binding);
	if (w.request.binding.n)
		memcpy(w.binding, w.request.binding.p, w.request.binding.n);
	w.done = done;
	w.done_ctx = ctx;
	return LK_OK;
}

static int
setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	w.chain = w.body = w.reply_body = LK_BUF_INIT(65536);
	assert_true(lk_loop_new(&lk_clock_system, &w.process.loop, &err).ok);
	assert_true(lk_refusals_new(&w.process, &w.front.refusals, &err).ok);
	w.front.process = &w.process;
	w.front.set.service = LK_SERVICE_NOC;
	w.peer.connection = 42;
	memcpy(w.peer.remote, "[fe80::2%3]:1", sizeof "[fe80::2%3]:1");
	memcpy(w.tls.version, "TLSv1.3", sizeof "TLSv1.3");
	memcpy(w.tls.suite, "TLS_AES_128_GCM_SHA256", sizeof "TLS_AES_128_GCM_SHA256");
	memcpy(w.tls.group, "secp256r1", sizeof "secp256r1");
	w.view = (struct lk_request_view){ .method = "POST",
		.path = "/.well-known/brski/requestvoucher",
		.query = "",
		.peer = &w.peer,
		.content_type = "application/voucher-cms+json",
		.accept = "application/voucher-cms+json",
		.user_agent = "pledge/1",
		.authorization = "",
		.if_none_match = "",
		.if_modified_since = "",
		.body = LK_SLICE_LIT("request"),
		.tls = &w.tls };
	lk_log_setup("test", LK_LOG_ERROR, LK_LOG_TEXT, &lk_clock_system);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	lk_refusals_free(w.front.refusals);
	lk_loop_free(w.process.loop);
	lk_buf_done(&w.chain);
	lk_buf_done(&w.body);
	lk_buf_done(&w.reply_body);
	return 0;
}

static void
request(void)
{
	w.asked = w.replies = 0;
	on_request(NULL, &w.front);
}

static void
test_what_was_seen_is_handed_over(void **state)
{
	struct lk_slice list, item;
	bool more;

	(void)state;
	w.tls.chain[0] = LK_SLICE_LIT("own");
	w.tls.chain[1] = LK_SLICE_LIT("issuer");
	w.tls.n_chain = 2;
	request();
	assert_int_equal(w.asked, 1);
	assert_int_equal(w.replies, 0); /* not before the keeper spoke */
	assert_int_equal(w.request.endpoint, LK_EP_BRSKI_REQUESTVOUCHER);
	assert_int_equal(w.request.connection, 42);
	assert_string_equal(w.request.remote, "[fe80::2%3]:1");
	assert_string_equal(w.request.tls_version, "TLSv1.3");
	assert_string_equal(w.request.tls_suite, "TLS_AES_128_GCM_SHA256");
	assert_string_equal(w.request.tls_group, "secp256r1");
	assert_string_equal(w.request.content_type, "application/voucher-cms+json");
	assert_string_equal(w.request.user_agent, "pledge/1");
	assert_string_equal(w.request.label, "");
	assert_true(lk_slice_eq(lk_buf_slice(&w.body), LK_SLICE_LIT("request")));
	assert_int_equal(w.request.binding.n, 32);
	assert_int_equal(w.binding[31], 9);
	list = lk_buf_slice(&w.chain);
	assert_true(lk_list_next(&list, &more, &item, &err).ok);
	assert_true(lk_slice_eq(item, LK_SLICE_LIT("own")));
	assert_true(lk_list_next(&list, &more, &item, &err).ok);
	assert_true(lk_slice_eq(item, LK_SLICE_LIT("issuer")));
	assert_int_equal(list.n, 0);
}

/* What cannot be bound to is handed over without a binding; a session that is gone is not. */
static void
test_no_binding(void **state)
{
	(void)state;
	w.no_binding = LK_R_TLS_BINDING;
	request();
	assert_int_equal(w.asked, 1);
	assert_int_equal(w.request.binding.n, 0);
	assert_string_equal(w.request.tls_version, "TLSv1.3");
	w.no_binding = LK_R_TLS_GONE;
	request();
	assert_int_equal(w.asked, 0);
	assert_int_equal(w.reason, LK_R_TLS_GONE);
	/*= Latchkey refusals: what never became a request reaches the ledger, too =*/
	assert_string_equal(w.told.reason, "tls-gone");
	on_refusal(&w.front, &w.peer, &(struct lk_err){ LK_R_HTTP_PATH, "nobody serves /x" });
	assert_string_equal(w.told.reason, "http-path");
	assert_string_equal(w.told.message, "nobody serves /x");
	assert_string_equal(w.told.remote, "[fe80::2%3]:1");
}

/* Without TLS there is no identity, and none is made up. */
static void
test_no_tls_is_no_identity(void **state)
{
	(void)state;
	w.view.tls = NULL;
	request();
	assert_int_equal(w.asked, 1);
	assert_int_equal(w.request.chain.n, 0);
	assert_int_equal(w.request.binding.n, 0);
	assert_string_equal(w.request.tls_version, "");
}

/* A field that is longer than any that counts matches nothing, not its own beginning. */
static void
test_long_fields_match_nothing(void **state)
{
	char longer[600];

	(void)state;
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = 0;
	w.view.content_type = w.view.accept = w.view.user_agent = longer;
	request();
	assert_int_equal(w.asked, 1);
	assert_string_equal(w.request.content_type, "");
	assert_string_equal(w.request.accept, "");
	assert_string_equal(w.request.user_agent, "");
}

/* RFC 9110 5.5 lets them through, no record of them can be made. */
static void
test_fields_that_are_no_text(void **state)
{
	(void)state;
	w.view.user_agent = "Ger\xe4t/1 \xc3\xa4";
	request();
	assert_string_equal(w.request.user_agent, "Ger?t/1 \xc3\xa4");
}

static void
test_labels(void **state)
{
	char path[200];

	(void)state;
	w.view.path = "/.well-known/est/printers/simpleenroll";
	request();
	assert_int_equal(w.request.endpoint, LK_EP_LABEL_SIMPLEENROLL);
	assert_string_equal(w.request.label, "printers");
	snprintf(path, sizeof path, "/.well-known/est/%0100d/simpleenroll", 0);
	w.view.path = path;
	request();
	assert_int_equal(w.request.endpoint, LK_EP_LABEL_SIMPLEENROLL);
	assert_string_equal(w.request.label, "");
}

/* What the keeper says is what the device gets. */
static void
test_reply_is_given_back(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(65536);
	struct lk_web_reply_body b = { .status = 401,
		.content_type = "text/plain",
		.retry_after = 5,
		.close = true,
		.body = LK_SLICE_LIT("why"),
		.challenge = LK_CHALLENGE_CERTIFICATE };
	struct lk_message m = LK_MESSAGE_INIT;

	(void)state;
	request();
	assert_true(lk_body_pack(LK_BODY_web_reply, &b, &packed, &err).ok);
	m.body = lk_buf_slice(&packed);
	w.done(w.done_ctx, 0, &m, NULL);
	assert_int_equal(w.replies, 1);
	assert_int_equal(w.reply.status, 401);
	assert_int_equal(w.reply.retry_after_s, 5);
	assert_true(w.reply.close_after);
	assert_string_equal(w.content_type, "text/plain");
	assert_string_equal(w.challenge, LK_CHALLENGE_CERTIFICATE);
	assert_true(lk_slice_eq(lk_buf_slice(&w.reply_body), LK_SLICE_LIT("why")));

	b = (struct lk_web_reply_body){ .status = 204 };
	lk_buf_clear(&packed);
	request();
	assert_true(lk_body_pack(LK_BODY_web_reply, &b, &packed, &err).ok);
	m.body = lk_buf_slice(&packed);
	w.done(w.done_ctx, 0, &m, NULL);
	assert_string_equal(w.content_type, "none");
	assert_string_equal(w.challenge, "none");
	assert_false(w.reply.close_after);
}

/* A keeper that is gone, dies over the request, or speaks nonsense: one answer, with the reason. */
static void
test_keeper_that_does_not_answer(void **state)
{
	struct lk_err why;
	struct lk_message m = LK_MESSAGE_INIT;

	(void)state;
	w.keeper_is_gone = true;
	request();
	assert_int_equal(w.replies, 1);
	assert_int_equal(w.reason, LK_R_IPC_GONE);
	w.keeper_is_gone = false;
	request();
	lk_err_set(&why, LK_R_BUSY, "too much");
	w.done(w.done_ctx, 0, NULL, &why);
	assert_int_equal(w.replies, 1);
	assert_int_equal(w.reason, LK_R_BUSY);
	request();
	m.body = LK_SLICE_LIT("nonsense");
	w.done(w.done_ctx, 0, &m, NULL);
	assert_int_equal(w.replies, 1);
	assert_int_equal(w.reason, LK_R_IPC_MALFORMED);
}

/* Each service serves its own endpoints, and its routes are the table's. */
static void
test_routes_are_the_services_own(void **state)
{
	size_t i, others = 0;
	unsigned ep;

	(void)state;
	make_routes(&w.front);
	assert_true(w.front.n_routes > 0);
	for (i = 0; i < w.front.n_routes; i++)
		assert_int_not_equal(lk_endpoint_find(LK_SERVICE_NOC, w.front.routes[i].method,
					     w.front.routes[i].path),
			LK_EP_COUNT);
	for (ep = 0; ep < LK_EP_COUNT; ep++)
		others += lk_endpoint_info((enum lk_ep)ep)->service != LK_SERVICE_NOC;
	assert_true(others > 0);
	assert_int_equal(w.front.n_routes, LK_EP_COUNT - others);
	w.view.path = "/.well-known/brski/requestauditlog"; /* the MASA's */
	request();
	assert_int_equal(w.asked, 0);
	assert_int_equal(w.reason, LK_R_BUG);
}

#define with_a_front(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_a_front(test_what_was_seen_is_handed_over),
		with_a_front(test_no_binding),
		with_a_front(test_no_tls_is_no_identity),
		with_a_front(test_long_fields_match_nothing),
		with_a_front(test_fields_that_are_no_text),
		with_a_front(test_labels),
		with_a_front(test_reply_is_given_back),
		with_a_front(test_keeper_that_does_not_answer),
		with_a_front(test_routes_are_the_services_own),
	};

	return cmocka_run_group_tests_name("front", tests, NULL, NULL);
}
