/* SPDX-License-Identifier: Apache-2.0
 *
 * What the agent's steps share: whether certificates' times count, the timeline, waiting. A wait
 * that misses its end hangs, until the test's own time is over.
 */
#include "test.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/agent.h"

static struct lk_clock_fixed clock_;

static struct lk_agent
agent(void)
{
	lk_clock_fixed_init(&clock_, 1767268800);
	return (struct lk_agent){ .clock = &clock_.clock };
}

/*= RFC8995 2.6.1: a pledge without a trusted clock does not look at times =*/
static void
test_only_a_trusted_clock_counts(void **state)
{
	static const char *const untrusted[] = { NULL, "", "no", "Yes", "yes ", "true" };
	struct lk_agent a = agent();
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(untrusted); i++) {
		a.set.trusted_clock = untrusted[i];
		assert_int_equal(lk_agent_times(&a), LK_TIMES_IGNORE);
	}
	a.set.trusted_clock = "yes";
	assert_int_equal(lk_agent_times(&a), LK_TIMES_CHECK);
}

/* Who writes "true" means yes, and would have got no. */
static void
test_values_that_are_none(void **state)
{
	static const char *const clocks[] = { "", "Yes", "yes ", "true", "1" };
	struct lk_agent_options set = { .address_wait = "60s" };
	struct lk_err e;
	size_t i;

	(void)state;
	assert_true(lk_agent_check(&set, &e).ok);
	for (i = 0; i < LK_ARRAY_LEN(clocks); i++) {
		set.trusted_clock = clocks[i];
		assert_refused(lk_agent_check(&set, &e), e, LK_R_USAGE);
	}
	set.trusted_clock = "no";
	assert_true(lk_agent_check(&set, &e).ok);
	set.trusted_clock = "yes";
	assert_true(lk_agent_check(&set, &e).ok);
	set.address_wait = "a minute";
	assert_refused(lk_agent_check(&set, &e), e, LK_R_SYNTAX_NUMBER);
}

/* What a line of the timeline looks like, without its end. Caller frees. */
static char *
told(const struct lk_agent *a, const struct lk_err *why)
{
	FILE *file = tmpfile();
	int out = dup(STDOUT_FILENO);
	char *line = NULL;
	size_t n = 0;

	assert_non_null(file);
	fflush(stdout);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
	lk_agent_tell(a, "voucher", "[fe80::1%eth0]:8443", why ? "failed" : "ok", why);
	assert_true(dup2(out, STDOUT_FILENO) >= 0);
	close(out);
	rewind(file);
	assert_true(getline(&line, &n, file) > 0);
	assert_int_equal(fgetc(file), EOF);
	fclose(file);
	line[strcspn(line, "\n")] = 0;
	return line;
}

static void
test_timeline(void **state)
{
	const struct lk_err why = { .reason = LK_R_VOUCHER_NONCE,
		.msg = "nonce is \"a\", want %s" };
	struct lk_agent a = agent();
	LK_CLEANUP(lk_freep) char *good = told(&a, NULL), *bad = told(&a, &why), *text = NULL;
	json_auto_t *line = NULL;

	(void)state;
	assert_string_equal(good, "2026-01-01T12:00:00Z voucher        ok [fe80::1%eth0]:8443");
	assert_string_equal(bad, "2026-01-01T12:00:00Z voucher        failed [fe80::1%eth0]:8443"
				 " voucher-nonce: nonce is \"a\", want %s");
	a.set.json = true;
	text = told(&a, &why);
	line = json_loads(text, 0, NULL);
	assert_int_equal(json_object_size(line), 6);
	assert_string_equal(json_string_value(json_object_get(line, "reason")), "voucher-nonce");
	assert_string_equal(json_string_value(json_object_get(line, "message")), why.msg);
	assert_string_equal(json_string_value(json_object_get(line, "result")), "failed");
}

/* What a peer says is a part of one line. */
static void
test_timeline_of_foreign_text(void **state)
{
	const struct lk_err why = { .reason = LK_R_JSON_SYNTAX,
		.msg = "near '\x1b[2J\nadmitted\x7f'" };
	struct lk_agent a = agent();
	LK_CLEANUP(lk_freep) char *line = told(&a, &why);

	(void)state;
	assert_non_null(strstr(line, " json-syntax: near '?[2J?admitted?'"));
}

/* Poll's revents belong to the caller's descriptors. */
static void
test_waiting(void **state)
{
	struct lk_agent a = agent();
	struct pollfd fds[2];
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	fds[0] = (struct pollfd){ .fd = -1, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = p[0], .events = POLLIN };
	assert_true(lk_agent_wait(&a, fds, 2, INT64_MAX));
	assert_int_equal(fds[0].revents, 0);
	assert_int_equal(fds[1].revents, POLLIN);
	assert_true(lk_agent_wait(&a, NULL, 0, lk_agent_ms(&a)));
	close(p[0]);
	close(p[1]);
}

static void
on_signal(int number)
{
	(void)number;
	lk_agent_stop();
}

/* It ends when the program is told to end, whenever that was, and for good. */
static void
test_no_end_is_missed(void **state)
{
	struct lk_agent a = { .clock = &lk_clock_system };
	const struct sigaction stop = { .sa_handler = on_signal };
	sigset_t ends;

	(void)state;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &ends, NULL), 0);
	assert_int_equal(sigaction(SIGTERM, &stop, NULL), 0);
	assert_true(lk_agent_wait(&a, NULL, 0, 0));

	/* told between two waits */
	raise(SIGTERM);
	assert_false(lk_agent_wait(&a, NULL, 0, INT64_MAX));
	/* told while the step before this one waited */
	assert_false(lk_agent_wait(&a, NULL, 0, INT64_MAX));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_that_are_none),
		cmocka_unit_test(test_only_a_trusted_clock_counts),
		cmocka_unit_test(test_timeline),
		cmocka_unit_test(test_timeline_of_foreign_text),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_no_end_is_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
