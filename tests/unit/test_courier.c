/* SPDX-License-Identifier: Apache-2.0
 *
 * The courier between the keeper and the manufacturers, both of them the test:
 * whose connections are kept, what is asked with which anchors, and that every
 * errand is answered once.
 */
#include "test.h"

#include "noc/courier.c" /* NOLINT: its statics are what is tested */
#include "pki.h"

enum { CALLS_MAX = 256 };

/* An outbound connection pool that only remembers. */
struct lk_outbound {
	bool closed;
	size_t n_anchors;
	bool system_anchors, has_chain;
	const struct lk_egress *egress;
};

static struct world {
	struct pki_cast cast;
	struct lk_process process;
	struct state courier;
	struct lk_outbound outbound[CALLS_MAX];
	size_t n_outbound;
	struct call {
		struct lk_outbound *outbound;
		lk_outbound_done *done;
		void *ctx;
		char url[64];
		unsigned redirects;
	} calls[CALLS_MAX];
	size_t n_calls;
	unsigned replies, refusals; /* to the keeper */
	uint32_t answered;          /* id of the newest */
	enum lk_reason reason;
	bool reply_fails;
	struct lk_fetched_body fetched;
} w;
static struct lk_err err;

struct lk_result __wrap_lk_outbound_new(struct lk_loop *loop,
	const struct lk_outbound_settings *settings, struct lk_outbound **ret, struct lk_err *e);
struct lk_outbound *__wrap_lk_outbound_free(struct lk_outbound *o);
struct lk_result __wrap_lk_outbound_start(struct lk_outbound *o,
	const struct lk_outbound_request *rq, lk_outbound_done *done, void *ctx,
	struct lk_outbound_call **ret, struct lk_err *e);
struct lk_result __wrap_lk_process_reply(struct lk_process *p, const struct lk_peer_ref *to,
	enum lk_body type, const void *body, struct lk_err *e);
struct lk_result __wrap_lk_process_refuse(struct lk_process *p, const struct lk_peer_ref *to,
	const struct lk_err *why, struct lk_err *e);

struct lk_result
__wrap_lk_outbound_new(struct lk_loop *loop, const struct lk_outbound_settings *settings,
	struct lk_outbound **ret, struct lk_err *e)
{
	(void)loop;
	(void)e;
	assert_true(w.n_outbound < CALLS_MAX);
	*ret = &w.outbound[w.n_outbound++];
	**ret = (struct lk_outbound){ .n_anchors = settings->anchors ? settings->anchors->n : 0,
		.system_anchors = !settings->anchors,
		.has_chain = settings->chain != NULL,
		.egress = settings->egress };
	return LK_OK;
}

/* Calls under way end without a word: then the keeper would wait for nothing. */
struct lk_outbound *
__wrap_lk_outbound_free(struct lk_outbound *o)
{
	size_t i;

	for (i = 0; i < w.n_calls; i++)
		assert_false(w.calls[i].done && w.calls[i].outbound == o);
	if (o)
		o->closed = true;
	return NULL;
}

struct lk_result
__wrap_lk_outbound_start(struct lk_outbound *o, const struct lk_outbound_request *rq,
	lk_outbound_done *done, void *ctx, struct lk_outbound_call **ret, struct lk_err *e)
{
	struct call *c = &w.calls[w.n_calls];

	(void)ret;
	LK_REQUIRE(strncmp(rq->url, "https:", 6) == 0, e, LK_R_OUTBOUND_URL, "not https");
	assert_false(rq->allow_http);
	assert_true(w.n_calls < CALLS_MAX);
	*c = (struct call){
		.outbound = o, .done = done, .ctx = ctx, .redirects = rq->redirects_max
	};
	snprintf(c->url, sizeof c->url, "%s", rq->url);
	w.n_calls++;
	return LK_OK;
}

struct lk_result
__wrap_lk_process_reply(struct lk_process *p, const struct lk_peer_ref *to, enum lk_body type,
	const void *body, struct lk_err *e)
{
	(void)p;
	LK_REQUIRE(!w.reply_fails, e, LK_R_TOO_LARGE, "no room");
	assert_int_equal(type, LK_BODY_fetched);
	w.replies++;
	w.answered = to->id;
	w.fetched = *(const struct lk_fetched_body *)body;
	return LK_OK;
}

struct lk_result
__wrap_lk_process_refuse(struct lk_process *p, const struct lk_peer_ref *to,
	const struct lk_err *why, struct lk_err *e)
{
	(void)p;
	(void)e;
	w.refusals++;
	w.answered = to->id;
	w.reason = why->reason;
	return LK_OK;
}

static int
setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	pki_cast_init(&w.cast);
	w.process.state = &w.courier;
	w.courier.process = &w.process;
	return 0;
}

/* An errand that never ended would be a leak here. */
static int
teardown(void **state)
{
	struct pool *p;

	(void)state;
	while ((p = w.courier.pools)) {
		w.courier.pools = p->next;
		pool_free(p);
	}
	pki_cast_done(&w.cast);
	return 0;
}

/* The keeper's request number id, for a manufacturer; ca NULL: the system's anchors. */
static void
fetch(uint32_t id, unsigned manufacturer, const struct pki_id *ca, const char *url)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(1 << 20);
	LK_CLEANUP(lk_buf_done) struct lk_buf anchors = LK_BUF_INIT(65536);
	struct lk_fetch_body f = { .method = "POST", .redirects_max = 1 };
	struct lk_peer_ref keeper = { .role = LK_ROLE_KEEPER, .id = id };
	struct lk_message m = LK_MESSAGE_INIT;

	if (ca)
		assert_true(lk_list_add(&anchors, lk_cert_der(pki_cert(ca)), &err).ok);
	f.anchors = lk_buf_slice(&anchors);
	snprintf(f.url, sizeof f.url, "%s", url);
	snprintf(f.manufacturer, sizeof f.manufacturer, "maker-%u", manufacturer);
	assert_true(lk_body_pack(LK_BODY_fetch, &f, &packed, &err).ok);
	m.body = lk_buf_slice(&packed);
	assert_true(on_fetch(&w.process, &keeper, &m, &err).ok);
}

static void
come_back(size_t call, const struct lk_err *why)
{
	struct lk_outbound_result r = { .status = 200,
		.content_type = "text/plain",
		.retry_after_s = 7,
		.body = LK_SLICE_LIT("voucher"),
		.address = "192.0.2.1:443" };
	lk_outbound_done *done = w.calls[call].done;

	w.calls[call].done = NULL;
	done(w.calls[call].ctx, why ? NULL : &r, why);
}

static void
test_answer_is_handed_back_as_it_came(void **state)
{
	(void)state;
	fetch(5, 1, &w.cast.vendor, "https://masa.example/");
	assert_int_equal(w.n_calls, 1);
	assert_string_equal(w.calls[0].url, "https://masa.example/");
	assert_int_equal(w.calls[0].redirects, 1);
	assert_true(w.outbound[0].has_chain);
	assert_ptr_equal(w.outbound[0].egress, &w.courier.egress);
	assert_int_equal(w.replies + w.refusals, 0);
	come_back(0, NULL);
	assert_int_equal(w.replies, 1);
	assert_int_equal(w.answered, 5);
	assert_int_equal(w.fetched.status, 200);
	assert_int_equal(w.fetched.retry_after, 7);
	assert_string_equal(w.fetched.content_type, "text/plain");
	assert_string_equal(w.fetched.address, "192.0.2.1:443");
	assert_true(lk_slice_eq(w.fetched.body, LK_SLICE_LIT("voucher")));
}

static void
test_failures_are_told_with_their_reason(void **state)
{
	struct lk_err why;

	(void)state;
	lk_err_set(&why, LK_R_MASA_UNREACHABLE, "down");
	fetch(6, 1, &w.cast.vendor, "https://masa.example/");
	come_back(0, &why);
	assert_int_equal(w.refusals, 1);
	assert_int_equal(w.answered, 6);
	assert_int_equal(w.reason, LK_R_MASA_UNREACHABLE);
	/* What cannot even be begun. */
	fetch(7, 1, &w.cast.vendor, "http://masa.example/");
	assert_int_equal(w.refusals, 2);
	assert_int_equal(w.answered, 7);
	assert_int_equal(w.reason, LK_R_OUTBOUND_URL);
	assert_int_equal(w.n_calls, 1);
}

static void
test_answer_that_cannot_be_handed_back(void **state)
{
	(void)state;
	fetch(9, 1, &w.cast.vendor, "https://masa.example/");
	w.reply_fails = true;
	come_back(0, NULL);
	assert_int_equal(w.refusals, 1);
	assert_int_equal(w.answered, 9);
	assert_int_equal(w.reason, LK_R_TOO_LARGE);
}

/* Connections belong to a manufacturer as it is trusted now: others' anchors, or other anchors of
 * its own, are other connections. */
static void
test_connections_are_kept_by_manufacturer_and_anchors(void **state)
{
	size_t i;

	(void)state;
	fetch(1, 1, &w.cast.vendor, "https://a.example/");
	fetch(2, 1, &w.cast.vendor, "https://a.example/");
	assert_int_equal(w.n_outbound, 1);
	assert_int_equal(w.outbound[0].n_anchors, 1);
	fetch(3, 2, &w.cast.vendor, "https://a.example/");
	assert_int_equal(w.n_outbound, 2);
	fetch(4, 1, &w.cast.stranger_ca, "https://a.example/");
	assert_int_equal(w.n_outbound, 3);
	fetch(5, 1, NULL, "https://a.example/");
	assert_int_equal(w.n_outbound, 4);
	assert_true(w.outbound[3].system_anchors);
	fetch(6, 1, &w.cast.vendor, "https://a.example/");
	assert_int_equal(w.n_outbound, 4);
	assert_ptr_equal(w.calls[5].outbound, &w.outbound[0]);
	for (i = 0; i < w.n_calls; i++)
		come_back(i, NULL);
	assert_int_equal(w.replies, 6);
}

/* The one that was idle longest is closed; one that is under way never is. */
static void
test_connections_are_bounded(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < POOLS_MAX; i++)
		fetch(i + 1, i, NULL, "https://a.example/");
	fetch(100, 1000, NULL, "https://a.example/");
	assert_int_equal(w.refusals, 1);
	assert_int_equal(w.answered, 100);
	assert_int_equal(w.reason, LK_R_BUSY);
	come_back(3, NULL);
	come_back(7, NULL);
	fetch(101, 1000, NULL, "https://a.example/");
	assert_true(w.outbound[3].closed);
	assert_false(w.outbound[7].closed);
	assert_int_equal(w.n_outbound, POOLS_MAX + 1);
	for (i = 0; i < w.n_calls; i++)
		if (w.calls[i].done)
			come_back(i, NULL);
	assert_int_equal(w.replies, POOLS_MAX + 1);
}

static void
test_anchors_that_are_none(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(1 << 20);
	struct lk_fetch_body f = { .method = "POST",
		.url = "https://a.example/",
		.anchors = LK_SLICE_LIT("\0\0\0\3abc") };
	struct lk_peer_ref keeper = { .role = LK_ROLE_KEEPER, .id = 8 };
	struct lk_message m = LK_MESSAGE_INIT;

	(void)state;
	assert_true(lk_body_pack(LK_BODY_fetch, &f, &packed, &err).ok);
	m.body = lk_buf_slice(&packed);
	assert_true(on_fetch(&w.process, &keeper, &m, &err).ok);
	assert_int_equal(w.refusals, 1);
	assert_int_equal(w.n_calls, 0);
	/* What cannot be unpacked is an offence of the keeper's. */
	m.body = LK_SLICE_LIT("x");
	assert_refused(on_fetch(&w.process, &keeper, &m, &err), err, LK_R_IPC_MALFORMED);
}

#define with_a_courier(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_a_courier(test_answer_is_handed_back_as_it_came),
		with_a_courier(test_failures_are_told_with_their_reason),
		with_a_courier(test_answer_that_cannot_be_handed_back),
		with_a_courier(test_connections_are_kept_by_manufacturer_and_anchors),
		with_a_courier(test_connections_are_bounded),
		with_a_courier(test_anchors_that_are_none),
	};

	return cmocka_run_group_tests_name("courier", tests, NULL, NULL);
}
