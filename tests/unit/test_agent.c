/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent's waiting: it ends when the program is told to end, whenever that was. What is broken
 * here hangs, until the test's own time is over.
 */
#include "test.h"

#include <signal.h>

#include "agent/agent.h"

static void
on_signal(int number)
{
	(void)number;
	lk_agent_stop();
}

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
		cmocka_unit_test(test_no_end_is_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
