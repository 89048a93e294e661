/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process refuses by itself, on its way to the ledger: each reason is told, a flood is not.
 */
#include "test.h"

#include "role/refusals.c" /* NOLINT: its timer is called by the test */

static struct lk_clock_fixed clock;
static struct lk_process process;
static struct lk_refusals *refusals;
static struct lk_peer peer = { .remote = "192.0.2.1:7" };
static bool keeper_is_gone;
static unsigned told;
static struct lk_refused_body last;
static struct lk_err err;

struct lk_result __wrap_lk_process_tell(struct lk_process *p, enum lk_role role, uint32_t index,
	enum lk_body type, const void *body, struct lk_err *e);

struct lk_result
__wrap_lk_process_tell(struct lk_process *p, enum lk_role role, uint32_t index, enum lk_body type,
	const void *body, struct lk_err *e)
{
	(void)p;
	(void)index;
	assert_int_equal(role, LK_ROLE_KEEPER);
	assert_int_equal(type, LK_BODY_refused);
	LK_REQUIRE(!keeper_is_gone, e, LK_R_IPC_GONE, "there is no keeper");
	told++;
	last = *(const struct lk_refused_body *)body;
	return LK_OK;
}

static int
setup(void **state)
{
	(void)state;
	lk_clock_fixed_init(&clock, 1000);
	lk_log_setup("test", LK_LOG_ERROR, LK_LOG_TEXT, &clock.clock);
	assert_true(lk_loop_new(&clock.clock, &process.loop, &err).ok);
	assert_true(lk_refusals_new(&process, &refusals, &err).ok);
	keeper_is_gone = false;
	told = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	lk_refusals_free(refusals);
	lk_loop_free(process.loop);
	return 0;
}

static void
note(enum lk_reason reason, unsigned times)
{
	lk_err_set(&err, reason, "refusal %u", times);
	while (times--)
		lk_refusals_note(refusals, &peer, &err);
}

/* The minute is over; its timer comes if it was set. */
static void
minute(void)
{
	clock.ms += TOGETHER_MS;
	if (refusals->waits)
		on_timer(refusals);
}

static void
test_first_is_told_at_once(void **state)
{
	(void)state;
	note(LK_R_HTTP_PATH, 1);
	assert_int_equal(told, 1);
	assert_string_equal(last.reason, "http-path");
	assert_string_equal(last.message, "refusal 1");
	assert_string_equal(last.remote, "192.0.2.1:7");
	assert_int_equal(last.count, 1);
	note(LK_R_TLS_HANDSHAKE, 1);
	assert_int_equal(told, 2);
	assert_string_equal(last.reason, "tls-handshake");
	assert_false(refusals->waits);
}

static void
test_flood_is_told_as_one(void **state)
{
	(void)state;
	note(LK_R_HTTP_PATH, 1);
	note(LK_R_HTTP_PATH, 1000);
	note(LK_R_HTTP_SYNTAX, 1);
	assert_int_equal(told, 2);
	minute();
	assert_int_equal(told, 3);
	assert_string_equal(last.reason, "http-path");
	assert_string_equal(last.message, "refusal 1000");
	assert_int_equal(last.count, 1000);
	minute();
	assert_int_equal(told, 3); /* nothing more was refused */
	note(LK_R_HTTP_PATH, 1);
	assert_int_equal(told, 4);
	assert_int_equal(last.count, 1);
}

static void
test_keeper_that_is_gone_is_told_later(void **state)
{
	(void)state;
	keeper_is_gone = true;
	note(LK_R_HTTP_PATH, 5);
	minute();
	assert_int_equal(told, 0);
	keeper_is_gone = false;
	minute();
	assert_int_equal(told, 1);
	assert_int_equal(last.count, 5);
}

static void
test_raised(void **state)
{
	struct lk_refused_body b = { .reason = "http-path", .message = "nobody serves /x" };

	(void)state;
	assert_false(lk_refusals_raise(&b, &err).ok);
	assert_int_equal(err.reason, LK_R_HTTP_PATH);
	assert_string_equal(err.msg, "nobody serves /x");
	memcpy(b.reason, "none", sizeof "none");
	assert_false(lk_refusals_raise(&b, &err).ok);
	assert_int_equal(err.reason, LK_R_IPC_MALFORMED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_is_told_at_once),
		TEST(test_flood_is_told_as_one),
		TEST(test_keeper_that_is_gone_is_told_later),
		TEST(test_raised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
