/* SPDX-License-Identifier: Apache-2.0
 *
 * Group commit: nothing leaves before what it rests on is durable, a refusal
 * undoes its own message and no other, and a store that fails at any of its calls
 * leaves neither half a turn nor a request without an answer.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "role/turn.h"
#include "store/backend.h"

/* --- a store that fails at its n-th call ------------------------------------------------------ */

static struct faulty {
	struct lk_store store; /* first */
	struct lk_store *real;
	long calls;   /* so far */
	long fail_at; /* number of the call that fails; 0: none */
	long commits; /* that succeeded */
} f;

static struct lk_result
spend(struct lk_err *e)
{
	f.calls++;
	LK_REQUIRE(f.calls != f.fail_at, e, LK_R_FILE_IO, "the disk failed");
	return LK_OK;
}

static struct lk_result
faulty_txn(struct lk_store *s, enum lk_txn_step step, struct lk_err *e)
{
	(void)s;
	if (!spend(e).ok) {
		if (step == LK_TXN_COMMIT) /* over in any case */
			f.real->ops->rollback(f.real);
		return (struct lk_result){ false };
	}
	LK_TRY(f.real->ops->txn(f.real, step, e));
	f.commits += step == LK_TXN_COMMIT;
	return LK_OK;
}

static void
faulty_rollback(struct lk_store *s)
{
	(void)s;
	f.real->ops->rollback(f.real);
}

static struct lk_result
faulty_write(struct lk_store *s, enum lk_write how, const struct lk_record *r, struct lk_err *e)
{
	(void)s;
	LK_TRY(spend(e));
	return f.real->ops->write(f.real, how, r, e);
}

static struct lk_result
faulty_seek(struct lk_store *s, const struct lk_scan *scan, struct lk_record *r, bool *ret_found,
	struct lk_err *e)
{
	(void)s;
	LK_TRY(spend(e));
	return f.real->ops->seek(f.real, scan, r, ret_found, e);
}

static const struct lk_store_ops faulty_ops = {
	.txn = faulty_txn, .rollback = faulty_rollback, .write = faulty_write, .seek = faulty_seek
};

/* --- the keeper's frame ----------------------------------------------------------------------- */

enum { SENT_MAX = 64 };

/* What left, and how many commits had succeeded by then. */
static struct sent {
	enum lk_turn_send kind;
	enum lk_role to;
	uint32_t id;
	enum lk_body type;
	long commits;
	int64_t event;         /* of a question to the signer */
	enum lk_reason reason; /* of a refusal */
} sent[SENT_MAX];
static size_t n_sent;

static struct lk_turn *t;
static struct lk_clock_fixed clock_at;
static struct lk_err e;
static bool signer_is_gone;
static unsigned n_changes; /* told to the change stream */

static int64_t
ledger_head(void)
{
	struct lk_ledger_head head;

	assert_true(lk_ledger_head(&f.store, &head, &e).ok);
	return head.seq;
}

static struct lk_result
send_out(void *ctx, enum lk_turn_send kind, enum lk_role to, unsigned index, uint32_t id,
	enum lk_body type, struct lk_slice packed, struct lk_err *ret)
{
	struct sent *s = &sent[n_sent++];
	struct lk_sign_checkpoint_body b;
	struct lk_err why;

	(void)ctx;
	(void)index;
	(void)ret;
	assert_true(n_sent < SENT_MAX);
	*s = (struct sent){ kind, to, id, type, f.commits, 0, LK_R_NONE };
	if (kind == LK_SEND_REFUSAL) {
		assert_true(lk_fail_unpack(packed, &why, &e).ok);
		s->reason = why.reason;
	}
	if (kind != LK_SEND_QUESTION)
		return LK_OK;
	assert_true(lk_body_unpack(type, packed, &b, &e).ok);
	s->event = b.event;
	if (!signer_is_gone)
		return LK_OK;
	lk_err_set(&why, LK_R_IPC_GONE, "there is no signer");
	lk_turn_failed(t, id, &why);
	return (struct lk_result){ false };
}

static struct lk_result
note(struct lk_turn *turn, const char *type, enum lk_reason reason, int64_t *ret_seq,
	struct lk_err *ret)
{
	struct lk_event ev = { .type = type, .actor = "test", .reason = reason };

	return lk_turn_event(turn, &ev, ret_seq, ret);
}

/* The answer to the question of `sign`: recorded, then whoever waits is answered. */
static struct lk_result
was_signed(struct lk_turn *turn, const struct lk_message_in *m, struct lk_err *ret)
{
	struct lk_web_reply_body r = { .status = m->failed ? 503 : 200 };

	LK_TRY(note(turn, m->failed ? "not-signed" : "signed", LK_R_NONE, NULL, ret));
	return lk_turn_answer(turn, m->subject, LK_BODY_web_reply, &r, ret);
}

/* A request does what its label says. */
static struct lk_result
on_request(struct lk_turn *turn, const struct lk_message_in *m, struct lk_err *ret)
{
	const struct lk_web_request_body *w = m->body;
	struct lk_web_reply_body r = { .status = 200 };
	struct lk_sign_checkpoint_body b = { .hash = LK_SLICE_LIT(
						     "00000000000000000000000000000000") };

	LK_TRY(note(turn, w->label, LK_R_NONE, &b.event, ret));
	if (strcmp(w->label, "sign") == 0) {
		LK_TRY(lk_turn_ask(turn, LK_ROLE_SIGNER, LK_BODY_sign_checkpoint, &b,
			LK_BODY_signed, "key", was_signed, ret));
		return lk_turn_park(turn, m, "key", ret);
	}
	LK_TRY(lk_turn_reply(turn, m, LK_BODY_web_reply, &r, ret));
	LK_REQUIRE(strcmp(w->label, "refuse") != 0, ret, LK_R_DEVICE_UNKNOWN, "told to refuse");
	return LK_OK;
}

static struct lk_result
record_refusal(struct lk_turn *turn, const struct lk_message_in *m, const struct lk_err *why,
	struct lk_err *ret)
{
	const struct lk_web_request_body *w = m->body;

	LK_TRY(note(turn, "refused", why->reason, NULL, ret));
	LK_REQUIRE(!w || !w->user_agent[0], ret, LK_R_JSON_MEMBER, "cannot be written");
	return LK_OK;
}

static struct lk_result
answer_refusal(struct lk_turn *turn, const struct lk_message_in *m, const struct lk_err *why,
	struct lk_err *ret)
{
	return m->type == LK_BODY_web_request ? lk_turn_refuse(turn, m, why, ret) : LK_OK;
}

static struct lk_result
overdue(struct lk_turn *turn, const struct lk_message_in *m, struct lk_err *ret)
{
	struct lk_web_reply_body r = { .status = 202 };

	return lk_turn_reply(turn, m, LK_BODY_web_reply, &r, ret);
}

static void
committed(void *app, const struct lk_record *r, bool removed)
{
	(void)app;
	(void)r;
	(void)removed;
	n_changes++;
}

static const struct lk_turn_route routes[] = {
	{ LK_ROLE_FRONT, LK_BODY_web_request, on_request },
};

static int
setup(void **state)
{
	static const struct lk_origin origin = { "site", "node-1" };
	struct lk_turn_settings set = { .store = &f.store,
		.clock = &clock_at.clock,
		.random = &lk_random_system,
		.routes = routes,
		.n_routes = LK_ARRAY_LEN(routes),
		.record_refusal = record_refusal,
		.answer_refusal = answer_refusal,
		.overdue = overdue,
		.committed = committed,
		.send = send_out,
		.answer_ms = 1000,
		.park_ms = 500 };

	(void)state;
	f = (struct faulty){
		.store = { .ops = &faulty_ops, .owner = LK_STORE_NOC, .origin = origin }
	};
	n_sent = n_changes = 0;
	signer_is_gone = false;
	lk_clock_fixed_init(&clock_at, 1700000000);
	assert_true(lk_store_open_memory(LK_STORE_NOC, &origin, &f.real, &e).ok);
	assert_true(lk_turn_new(&set, &t, &e).ok);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	t = lk_turn_free(t);
	f.real = lk_store_close(f.real);
	return 0;
}

static struct lk_result
request(uint32_t id, const char *label, const char *agent)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(65536);
	struct lk_web_request_body w = { 0 };

	assert_true(lk_slice_to_str(lk_slice_str(label), "label", w.label, sizeof w.label, &e).ok);
	assert_true(
		lk_slice_to_str(lk_slice_str(agent), "agent", w.user_agent, sizeof w.user_agent, &e)
			.ok);
	assert_true(lk_body_pack(LK_BODY_web_request, &w, &packed, &e).ok);
	return lk_turn_receive(
		t, LK_ROLE_FRONT, 0, id, LK_BODY_web_request, lk_buf_slice(&packed), &e);
}

static struct lk_result
answer_signed(uint32_t id)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(64);
	struct lk_signed_body b = { LK_SLICE_LIT("sig") };

	assert_true(lk_body_pack(LK_BODY_signed, &b, &packed, &e).ok);
	return lk_turn_receive(t, LK_ROLE_SIGNER, 0, id, LK_BODY_signed, lk_buf_slice(&packed), &e);
}

/* What was said to a request of this id; NULL: nothing. Said twice is a failure. */
static const struct sent *
said_to(uint32_t id)
{
	const struct sent *found = NULL;
	size_t i;

	for (i = 0; i < n_sent; i++) {
		if (sent[i].to != LK_ROLE_FRONT || sent[i].id != id)
			continue;
		assert_null(found);
		found = &sent[i];
	}
	return found;
}

static size_t
count(const char *type)
{
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);
	struct lk_scan scan = { .index = LK_EVENT_BY_SEQ };
	size_t n = 0;
	bool found = true;

	while (found) {
		assert_true(lk_store_next(&f.store, &scan, &ev.record, &found, &e).ok);
		n += found && strcmp(ev.type, type) == 0;
	}
	return n;
}

/* --- tests ------------------------------------------------------------------------------------ */

/*= Latchkey turn: nothing leaves before the commit that it rests on =*/
static void
test_nothing_leaves_before_the_commit(void **state)
{
	(void)state;
	assert_true(request(1, "reply", "").ok);
	assert_true(request(2, "sign", "").ok);
	assert_int_equal(n_sent, 0);
	assert_int_equal(n_changes, 0);
	assert_true(lk_turn_flush(t, &e).ok);
	assert_int_equal(n_sent, 2);
	assert_int_equal(n_changes, 2);
	assert_int_equal(said_to(1)->kind, LK_SEND_ANSWER);
	assert_int_equal(said_to(1)->commits, 1);
	assert_null(said_to(2));
	assert_int_equal(sent[1].kind, LK_SEND_QUESTION);
	assert_int_equal(sent[1].commits, 1);
	assert_int_equal(sent[1].event, 2); /* the event that stands behind it */
	assert_true(answer_signed(sent[1].id).ok);
	assert_null(said_to(2));
	assert_true(lk_turn_flush(t, &e).ok);
	assert_int_equal(said_to(2)->commits, 2);
	assert_int_equal(ledger_head(), 3);
}

/* The one that refuses loses its writes and its answer, the others of its turn do not. */
static void
test_refusal_undoes_its_own_message(void **state)
{
	(void)state;
	assert_true(request(1, "reply", "").ok);
	assert_true(request(2, "refuse", "").ok);
	assert_true(request(3, "reply", "").ok);
	assert_true(lk_turn_flush(t, &e).ok);
	assert_int_equal(said_to(1)->kind, LK_SEND_ANSWER);
	assert_int_equal(said_to(2)->kind, LK_SEND_REFUSAL);
	assert_int_equal(said_to(2)->reason, LK_R_DEVICE_UNKNOWN);
	assert_int_equal(said_to(3)->kind, LK_SEND_ANSWER);
	assert_int_equal(count("reply"), 2);
	assert_int_equal(count("refuse"), 0);
	assert_int_equal(count("refused"), 1);
	assert_int_equal(n_changes, 3);
}

/*= Latchkey turn: a refusal that cannot be recorded is not told =*/
static void
test_refusal_that_cannot_be_recorded(void **state)
{
	(void)state;
	assert_true(request(1, "refuse", "unrecordable").ok);
	assert_true(lk_turn_flush(t, &e).ok);
	assert_int_equal(said_to(1)->kind, LK_SEND_REFUSAL);
	assert_int_equal(said_to(1)->reason, LK_R_JSON_MEMBER);
	assert_int_equal(ledger_head(), 0);
	assert_int_equal(n_changes, 0);
}

/* A question that cannot be sent has failed within the flush: what its handler says waits for a
 * commit of its own like everything else. */
static void
test_question_to_nobody_is_the_next_turn(void **state)
{
	(void)state;
	signer_is_gone = true;
	assert_true(request(1, "sign", "").ok);
	assert_true(request(2, "reply", "").ok);
	assert_true(lk_turn_flush(t, &e).ok);
	assert_non_null(said_to(2));
	assert_true(lk_turn_is_open(t));
	assert_int_equal(n_changes, 2);
	assert_null(said_to(1));
	assert_true(lk_turn_flush(t, &e).ok);
	assert_int_equal(said_to(1)->commits, 2);
	assert_int_equal(count("not-signed"), 1);
	assert_int_equal(n_changes, 3);
	assert_false(lk_turn_is_open(t));
}

static void
test_silent_signer_and_overdue_request(void **state)
{
	(void)state;
	assert_true(request(1, "sign", "").ok);
	assert_true(lk_turn_flush(t, &e).ok);
	assert_true(lk_turn_asks(t, "key"));
	clock_at.ms += 500;
	lk_turn_tick(t);
	assert_true(lk_turn_flush(t, &e).ok);
	assert_int_equal(said_to(1)->kind, LK_SEND_ANSWER); /* 202 */
	clock_at.ms += 500;
	lk_turn_tick(t);
	assert_true(lk_turn_flush(t, &e).ok);
	assert_int_equal(count("not-signed"), 1);
	assert_false(lk_turn_asks(t, "key"));
	/* Its answer comes after all, and is nobody's. */
	assert_true(answer_signed(sent[0].id).ok);
	assert_false(lk_turn_is_open(t));
}

static void
test_overdue_request_waits_for_the_store(void **state)
{
	(void)state;
	assert_true(request(1, "sign", "").ok);
	assert_true(lk_turn_flush(t, &e).ok);
	clock_at.ms += 500;
	f.fail_at = f.calls + 1;
	lk_turn_tick(t);
	assert_false(lk_turn_is_open(t));
	lk_turn_tick(t);
	assert_true(lk_turn_flush(t, &e).ok);
	assert_int_equal(said_to(1)->kind, LK_SEND_ANSWER);
}

/* A front that crashed is forgotten with what it asked; the question goes on, and so do others. */
static void
test_crashed_front_leaves_others_whole(void **state)
{
	uint32_t question;

	(void)state;
	assert_true(request(1, "sign", "").ok);
	assert_true(lk_turn_flush(t, &e).ok);
	question = sent[0].id;
	lk_turn_role_gone(t, LK_ROLE_FRONT, 0);
	assert_true(request(2, "reply", "").ok);
	assert_true(answer_signed(question).ok);
	assert_true(lk_turn_flush(t, &e).ok);
	assert_null(said_to(1));
	assert_non_null(said_to(2));
	assert_int_equal(count("signed"), 1);
}

static void
test_what_has_no_route_is_an_offence(void **state)
{
	struct lk_slice none = { NULL, 0 };

	(void)state;
	assert_refused(lk_turn_receive(t, LK_ROLE_DESK, 0, 1, LK_BODY_web_request, none, &e), e,
		LK_R_IPC_UNASKED);
	assert_refused(lk_turn_receive(t, LK_ROLE_FRONT, 0, 1, LK_BODY_grant_request, none, &e), e,
		LK_R_IPC_UNASKED);
	assert_refused(lk_turn_receive(t, LK_ROLE_FRONT, 0, 1, LK_BODY_web_request, none, &e), e,
		LK_R_IPC_MALFORMED);
	assert_false(lk_turn_is_open(t));
	assert_int_equal(ledger_head(), 0);
	/* Nor may one role answer what another was asked. */
	assert_true(request(1, "sign", "").ok);
	assert_true(lk_turn_flush(t, &e).ok);
	assert_refused(lk_turn_receive(t, LK_ROLE_COURIER, 0, sent[0].id, LK_BODY_signed, none, &e),
		e, LK_R_IPC_UNASKED);
}

/* Whoever waits for an answer is told when what comes is none. */
static void
test_malformed_answer_fails_its_question(void **state)
{
	struct lk_slice none = { NULL, 0 };

	(void)state;
	assert_true(request(1, "sign", "").ok);
	assert_true(lk_turn_flush(t, &e).ok);
	assert_refused(lk_turn_receive(t, LK_ROLE_SIGNER, 0, sent[0].id, LK_BODY_signed, none, &e),
		e, LK_R_IPC_MALFORMED);
	assert_false(lk_turn_asks(t, "key"));
	assert_null(said_to(1));
	assert_true(lk_turn_flush(t, &e).ok);
	assert_int_equal(said_to(1)->kind, LK_SEND_ANSWER); /* 503 */
	assert_int_equal(count("not-signed"), 1);
}

/* One turn with a request of each kind, whose store fails at call number n. False when there was no
 * call n. */
static bool
fails_at(long n)
{
	struct lk_result r;
	bool met;
	uint32_t id;
	size_t i;

	f.calls = 0;
	f.fail_at = n;
	for (id = 1; id <= 3; id++)
		if (!request(id, id == 1 ? "reply" : id == 2 ? "sign" : "refuse", "").ok)
			break; /* its sender is told by the channel */
	r = lk_turn_flush(t, &e);
	met = f.calls >= n;
	f.fail_at = 0;
	assert_false(lk_turn_is_open(t));
	for (i = 0; i < n_sent; i++) {
		if (sent[i].kind == LK_SEND_REFUSAL)
			continue;
		/* What is no refusal rests on a commit and on its event. */
		assert_true(r.ok);
		assert_int_equal(sent[i].commits, 1);
	}
	if (!r.ok)
		assert_int_equal(ledger_head(), 0);
	/* Whoever got in is answered once, or waits for the signer. */
	for (i = 1; i < id; i++)
		assert_true(said_to((uint32_t)i) || (i == 2 && lk_turn_asks(t, "key")));
	assert_int_equal(count("reply"), said_to(1) && said_to(1)->kind == LK_SEND_ANSWER);
	assert_int_equal(count("sign"), lk_turn_asks(t, "key"));
	assert_int_equal(count("refuse"), 0);
	if (said_to(3) && said_to(3)->reason == LK_R_DEVICE_UNKNOWN)
		assert_true(count("refused") >= 1);
	return met;
}

/*= RFC9562 6.2: ids of one maker are in the order of their making =*/
static void
test_ids_are_in_order(void **state)
{
	char before[LK_ID_MAX], id[LK_ID_MAX];
	int i;

	(void)state;
	lk_turn_id(t, before);
	for (i = 0; i < 2000; i++) {
		if (i == 1000)
			clock_at.seconds -= 3600;
		clock_at.ms += 7;
		lk_turn_id(t, id);
		assert_true(strcmp(before, id) < 0);
		memcpy(before, id, sizeof before);
	}
}

/*= Latchkey turn: nothing leaves before the commit that it rests on =*/
/*= Latchkey turn: a refusal that cannot be recorded is not told =*/
static void
test_store_that_fails_at_any_call(void **state)
{
	bool met = true;
	long n;

	for (n = 1; met; n++) {
		met = fails_at(n);
		/* The keeper is whole: what comes next is served. */
		n_sent = 0;
		assert_true(request(9, "reply", "").ok);
		assert_true(lk_turn_flush(t, &e).ok);
		assert_int_equal(said_to(9)->kind, LK_SEND_ANSWER);
		teardown(state);
		setup(state);
	}
	assert_true(n > 10);
}

#define on_a_turn(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_turn(test_nothing_leaves_before_the_commit),
		on_a_turn(test_refusal_undoes_its_own_message),
		on_a_turn(test_refusal_that_cannot_be_recorded),
		on_a_turn(test_question_to_nobody_is_the_next_turn),
		on_a_turn(test_silent_signer_and_overdue_request),
		on_a_turn(test_overdue_request_waits_for_the_store),
		on_a_turn(test_crashed_front_leaves_others_whole),
		on_a_turn(test_what_has_no_route_is_an_offence),
		on_a_turn(test_malformed_answer_fails_its_question),
		on_a_turn(test_ids_are_in_order),
		on_a_turn(test_store_that_fails_at_any_call),
	};

	return cmocka_run_group_tests_name("turn", tests, NULL, NULL);
}
