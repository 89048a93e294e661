/* SPDX-License-Identifier: Apache-2.0
 *
 * The RADIUS server's hook between the RADIUS server and the keeper, both of them
 * the test: who is let in, what is asked, and what is a yes.
 */
#include "test.h"

#include "cert_cast.h"
#include "noc/aaa.c" /* NOLINT: its statics are what is tested */

/* --- around it -------------------------------------------------------------------------------- */

static struct world {
	struct cert_cast certs;
	struct lk_clock_fixed clock;
	struct lk_noc_config config;
	struct lk_process process;
	struct state aaa;
	struct lk_tls_facts tls;
	struct lk_peer peer;
	struct lk_request_view view;
	unsigned asked; /* of the keeper */
	struct lk_grant_request_body grant;
	lk_reply_fn *done;
	void *done_ctx;
	unsigned replies;
	unsigned status;
	struct lk_buf body;
	unsigned told; /* the keeper, of what was refused here */
	struct lk_refused_body refused;
} w;
static struct lk_err err;

/* The linker puts these in front of the server's and the process's own. */
const struct lk_request_view *__wrap_lk_request_view(const struct lk_request *r);
void __wrap_lk_request_reply(struct lk_request *r, const struct lk_reply *reply);
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
	w.status = reply->status;
	lk_buf_clear(&w.body);
	assert_true(lk_buf_append(&w.body, reply->body, &err).ok);
}

struct lk_result
__wrap_lk_process_ask(struct lk_process *p, enum lk_role role, uint32_t index, enum lk_body type,
	const void *body, lk_reply_fn *done, void *ctx, uint64_t tag, struct lk_err *e)
{
	(void)p;
	(void)index;
	(void)tag;
	(void)e;
	assert_int_equal(role, LK_ROLE_KEEPER);
	assert_int_equal(type, LK_BODY_grant_request);
	w.asked++;
	w.grant = *(const struct lk_grant_request_body *)body;
	w.done = done;
	w.done_ctx = ctx;
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
	w.told++;
	w.refused = *(const struct lk_refused_body *)body;
	return LK_OK;
}

static void
show_certificate(enum lk_cert_profile profile)
{
	w.tls.chain[0] = lk_cert_der(w.certs.cert[profile]);
	w.tls.n_chain = 1;
	w.view.tls = &w.tls;
}

static int
setup(void **state)
{
	struct lk_certs *ca = &w.aaa.ca;

	(void)state;
	memset(&w, 0, sizeof w);
	w.body = LK_BUF_INIT(4096);
	cert_cast_init(&w.certs);
	lk_clock_fixed_init(&w.clock, PKI_NOW);
	memcpy(w.config.nas_prefix, "lab-", sizeof "lab-");
	w.process.config = &w.config;
	assert_true(lk_loop_new(&w.clock.clock, &w.process.loop, &err).ok);
	w.aaa.process = &w.process;
	assert_true(lk_refusals_new(&w.process, &w.aaa.refusals, &err).ok);
	assert_true(lk_certs_add(ca, w.certs.cert[LK_PROFILE_SERVER_CA], &err).ok);
	assert_true(lk_anchors_new(ca, &w.aaa.anchors, &err).ok);
	memcpy(w.peer.remote, "127.0.0.1:1", sizeof "127.0.0.1:1");
	w.view.peer = &w.peer;
	lk_log_setup("test", LK_LOG_ERROR, LK_LOG_TEXT, &w.clock.clock);
	show_certificate(LK_PROFILE_AAA_CLIENT);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	lk_refusals_free(w.aaa.refusals);
	lk_anchors_free(w.aaa.anchors);
	lk_certs_done(&w.aaa.ca);
	lk_loop_free(w.process.loop);
	cert_cast_done(&w.certs);
	lk_buf_done(&w.body);
	return 0;
}

/* --- what the RADIUS server says -------------------------------------------------------------- */

static const struct {
	const char *name, *value;
} members[] = {
	{ "issuer_key_id", "keyid:E0:90:AB" },
	{ "certificate_serial", "00:0a:1B" },
	{ "nas_identifier", "lab-port7" },
	{ "source_address", "192.0.2.1" },
	{ "calling_station_id", "02-00-00-AA-BB-07" },
	{ "outer_identity", "anonymous@another.example" },
};

/* A question with one member changed; NULL: as it should be, "" leaves it out. */
static void
authorize(const char *name, const char *value)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(4096);
	const char *comma = "{\"schema\":1,";
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(members); i++) {
		bool changed = name && strcmp(name, members[i].name) == 0;

		if (changed && !value)
			continue;
		assert_true(lk_buf_printf(&text, &err, "%s\"%s\":\"%s\"", comma, members[i].name,
			changed ? value : members[i].value)
				    .ok);
		comma = ",";
	}
	assert_true(lk_buf_append_str(&text, "}", &err).ok);
	w.view.body = lk_buf_slice(&text);
	w.asked = w.replies = 0;
	on_authorize(NULL, &w.aaa);
}

static void
assert_refused_unasked(void)
{
	assert_int_equal(w.asked, 0);
	assert_int_equal(w.replies, 1);
	assert_int_equal(w.status, 401);
	assert_int_equal(w.body.n, 0);
}

static void
keeper_says(const char *device_id)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(4096);
	struct lk_grant_reply_body g = { .session_seconds = 3600 };
	struct lk_message m = LK_MESSAGE_INIT;

	assert_true(lk_slice_to_str(
		lk_slice_str(device_id), "id", g.device_id, sizeof g.device_id, &err)
			    .ok);
	assert_true(lk_body_pack(LK_BODY_grant_reply, &g, &packed, &err).ok);
	m.body = lk_buf_slice(&packed);
	w.done(w.done_ctx, 0, &m, NULL);
}

/* --- tests ------------------------------------------------------------------------------------ */

/* The keeper is asked in its own spelling, and nobody is answered before it did. */
static void
test_question_is_put_to_the_keeper(void **state)
{
	(void)state;
	authorize(NULL, NULL);
	assert_int_equal(w.asked, 1);
	assert_int_equal(w.replies, 0);
	assert_string_equal(w.grant.issuer, "e090ab");
	assert_string_equal(w.grant.serial, "0a1b");
	assert_string_equal(w.grant.port, "port7");
	assert_string_equal(w.grant.mac, "02:00:00:aa:bb:07");
	assert_string_equal(w.grant.nas, "192.0.2.1");
	assert_string_equal(w.grant.identity, "anonymous@another.example");
}

/*= SEC-04: the session's name is the local id of the authenticated certificate's device =*/
static void
test_session_is_named_by_the_certificate(void **state)
{
	json_auto_t *reply = NULL;
	const char *verdict = NULL, *name = NULL, *timeout = NULL;

	(void)state;
	authorize(NULL, NULL);
	keeper_says("01900000-0000-7000-8000-000000000007");
	assert_int_equal(w.replies, 1);
	assert_int_equal(w.status, 200);
	assert_true(lk_json_parse(lk_buf_slice(&w.body), &reply, &err).ok);
	assert_int_equal(
		json_unpack(reply, "{s:{s:b,s:[s]},s:{s:b,s:[s]},s:{s:b,s:[s]}}",
			"control:Latchkey-Verdict", "do_xlat", &(int){ 0 }, "value", &verdict,
			"reply:User-Name", "do_xlat", &(int){ 0 }, "value", &name,
			"reply:Session-Timeout", "do_xlat", &(int){ 0 }, "value", &timeout),
		0);
	assert_string_equal(verdict, "admit");
	assert_string_equal(name, "01900000-0000-7000-8000-000000000007");
	assert_string_equal(timeout, "3600");
	/* Nothing of the identity that the device chose for itself. */
	assert_null(strstr(lk_buf_str(&w.body), "another.example"));
}

static void
test_no_is_401_and_nothing_else(void **state)
{
	struct lk_err why;
	struct lk_message m = LK_MESSAGE_INIT;

	(void)state;
	authorize(NULL, NULL);
	lk_err_set(&why, LK_R_CERT_REVOKED, "revoked");
	w.done(w.done_ctx, 0, NULL, &why);
	assert_int_equal(w.status, 401);
	assert_int_equal(w.body.n, 0);
	/* Nor is an answer that cannot be read a yes. */
	authorize(NULL, NULL);
	m.body = LK_SLICE_LIT("garbage");
	w.done(w.done_ctx, 0, &m, NULL);
	assert_int_equal(w.replies, 1);
	assert_int_equal(w.status, 401);
	assert_int_equal(w.body.n, 0);
}

/* Whoever else has a certificate of the domain is not the RADIUS server. */
static void
test_only_the_radius_server_is_let_in(void **state)
{
	enum lk_cert_profile p;

	(void)state;
	for (p = 0; p < LK_PROFILE_COUNT; p++) {
		if (p == LK_PROFILE_AAA_CLIENT || p == LK_PROFILE_FOREIGN_IDEVID)
			continue;
		show_certificate(p);
		authorize(NULL, NULL);
		assert_refused_unasked();
		assert_true(w.told > 0);
		w.replies = 0;
		on_accounting(NULL, &w.aaa);
		assert_int_equal(w.status, 401);
	}
	show_certificate(LK_PROFILE_AAA_CLIENT);
	w.clock.seconds = PKI_NOW + 399 * PKI_DAY;
	authorize(NULL, NULL);
	assert_refused_unasked();
	w.clock.seconds = PKI_NOW;
	w.tls.n_chain = 0;
	authorize(NULL, NULL);
	assert_refused_unasked();
	w.view.tls = NULL;
	authorize(NULL, NULL);
	assert_refused_unasked();
	show_certificate(LK_PROFILE_AAA_CLIENT);
	on_accounting(NULL, &w.aaa);
	assert_int_equal(w.status, 204);
	authorize(NULL, NULL);
	assert_int_equal(w.asked, 1);
}

static void
test_questions_that_are_none(void **state)
{
	static const struct {
		const char *name, *value;
	} bad[] = {
		{ "issuer_key_id", "keyid:" },
		{ "issuer_key_id", "keyid:E0:9G" },
		{ "certificate_serial", "" },
		{ "certificate_serial", "0x12" },
		{ "certificate_serial", "000102030405060708090a0b0c0d0e0f101112131415161718191a" },
		{ "nas_identifier", "lab-" },
		{ "nas_identifier", "another-port7" },
		{ "calling_station_id", "02-00-00-AA-BB" },
		{ "calling_station_id", "" },
		{ "calling_station_id", "02-00-00-AA-BB-07-08" },
		{ "calling_station_id", "02-00-00-AA-BB-07 on port 3" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		authorize(bad[i].name, bad[i].value);
		assert_refused_unasked();
	}
	for (i = 0; i < LK_ARRAY_LEN(members); i++) {
		authorize(members[i].name, NULL);
		assert_refused_unasked();
	}
	w.view.body = LK_SLICE_LIT("[]");
	w.replies = 0;
	on_authorize(NULL, &w.aaa);
	assert_refused_unasked();
	/*= Latchkey refusals: what never became a request reaches the ledger, too =*/
	assert_string_equal(w.refused.remote, "127.0.0.1:1");
	assert_int_equal(w.refused.count, 1);
}

/* One serial number, however a RADIUS server writes it. */
static void
test_serial_numbers_have_one_spelling(void **state)
{
	static const char *const same[] = { "0a1b", "0A1B", "00:00:0a:1b", "0a 1b" };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(same); i++) {
		authorize("certificate_serial", same[i]);
		assert_string_equal(w.grant.serial, "0a1b");
	}
	authorize("certificate_serial", "00");
	assert_string_equal(w.grant.serial, "00");
}

#define with_aaa(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_aaa(test_question_is_put_to_the_keeper),
		with_aaa(test_session_is_named_by_the_certificate),
		with_aaa(test_no_is_401_and_nothing_else),
		with_aaa(test_only_the_radius_server_is_let_in),
		with_aaa(test_questions_that_are_none),
		with_aaa(test_serial_numbers_have_one_spelling),
	};

	return cmocka_run_group_tests_name("aaa", tests, NULL, NULL);
}
