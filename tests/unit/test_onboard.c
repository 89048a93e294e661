/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts side by side: who brings a voucher goes on alone, and once onboarded nothing is left
 * open. (Includes the .c: the attempts are its own business.)
 */
#include "agent/onboard.c" /* what is tested, statics included */

#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static struct lk_clock_fixed clock_;

static void
no_jitter(const struct lk_random *self, uint8_t *p, size_t n)
{
	(void)self;
	memset(p, 0, n);
}

static const struct lk_random dull = { no_jitter };

static struct lk_agent
agent(void)
{
	lk_clock_fixed_init(&clock_, 1767268800);
	return (struct lk_agent){ .clock = &clock_.clock, .random = &dull };
}

/* Starts as many attempts as are due, `n` candidates being known. */
static void
try_all(struct onboarding *o, struct lk_agent *a, unsigned n)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6 };
	struct lk_err e;

	*o = (struct onboarding){
		.agent = a, .candidates = { .random = &dull }, .discovery = { .fd = -1 }
	};
	while (n--) {
		at.sin6_port = (in_port_t)(1 + n);
		lk_candidates_add(&o->candidates, &at, true, 0, 0);
		assert_true(start_next(o, &e).ok);
		clock_.ms += 5000;
	}
}

static unsigned
under_way(const struct onboarding *o)
{
	unsigned n = 0;

	for (size_t i = 0; i < LK_CANDIDATES_MAX; i++)
		n += o->v[i].candidate != NULL;
	return n;
}

static void
test_who_brings_a_voucher_goes_on_alone(void **state)
{
	struct lk_agent a = agent();
	struct onboarding o;
	struct lk_err e;

	(void)state;
	try_all(&o, &a, 3);
	assert_int_equal(under_way(&o), 3);
	assert_null(vouched(&o));
	trace(&o.v[1], LK_PLEDGE_CONNECT, LK_PLEDGE_VOUCHER, NULL); /* asked, not brought */
	assert_null(vouched(&o));
	trace(&o.v[1], LK_PLEDGE_VOUCHER, LK_PLEDGE_STATUS, NULL);
	assert_ptr_equal(vouched(&o), &o.v[1]);
	drop_others(&o, vouched(&o));
	assert_int_equal(under_way(&o), 1);
	assert_non_null(o.v[1].candidate);
	/* the others may be tried again when this one fails, and not before */
	assert_false(o.candidates.v[0].busy || o.candidates.v[2].busy);
	assert_true(start_next(&o, &e).ok);
	assert_int_equal(under_way(&o), 1);
	assert_int_equal(o.candidates.v[0].failures, 0);
	onboarding_done(&o);
}

/* One of two that bring their vouchers in the same turn: each would make an LDevID key, and there
 * is room for one. */
static void
test_two_vouchers_at_once(void **state)
{
	struct lk_agent a = agent();
	struct onboarding o;

	(void)state;
	try_all(&o, &a, 3);
	trace(&o.v[2], LK_PLEDGE_VOUCHER, LK_PLEDGE_STATUS, NULL);
	trace(&o.v[1], LK_PLEDGE_VOUCHER, LK_PLEDGE_STATUS, NULL);
	drop_others(&o, vouched(&o));
	assert_int_equal(under_way(&o), 1);
	assert_ptr_equal(vouched(&o), &o.v[1]);
	assert_false(o.candidates.v[2].busy);
	assert_int_equal(o.candidates.v[2].failures, 0);
	onboarding_done(&o);
}

/*= ONB-13: onboarded, the device is silent on mDNS =*/
static void
test_nothing_is_left_open(void **state)
{
	struct lk_agent a = agent();
	struct onboarding o;
	int p[2], q[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(q), 0);
	try_all(&o, &a, 1);
	o.discovery.fd = p[0];
	o.v[0].fd = q[0];
	onboarding_done(&o);
	assert_int_equal(fcntl(p[0], F_GETFD), -1);
	assert_int_equal(fcntl(q[0], F_GETFD), -1);
	assert_int_equal(o.discovery.fd, -1);
	close(p[1]);
	close(q[1]);
}

/* What the timeline says about a link on which nobody answers: nothing at first, then once. */
static void
test_a_silent_link_is_told_once(void **state)
{
	struct lk_agent a = agent();
	struct onboarding o = { .agent = &a,
		.discovery = { .fd = -1, .query_ms = 0, .interval_ms = 1000 } };
	int told = memfd_create("timeline", 0), was = dup(STDOUT_FILENO);
	char text[512] = "";
	unsigned turn;

	(void)state;
	a.set.interface = "eth7";
	assert_true(told >= 0 && was >= 0 && fflush(stdout) == 0);
	dup2(told, STDOUT_FILENO);
	look(&o);              /* by address: nobody is looked for */
	o.discovery.fd = told; /* no socket: the question is lost */
	o.discovery.query_ms = lk_agent_ms(&a);
	for (turn = 0; turn < 5; turn++) {
		look(&o);
		look(&o); /* something else came: it is not time yet */
		if (turn == 0)
			assert_int_equal(lseek(told, 0, SEEK_END), 0);
		clock_.ms += 100000;
	}
	dup2(was, STDOUT_FILENO);
	close(was);
	assert_true(pread(told, text, sizeof text - 1, 0) > 0);
	close(told);
	assert_string_equal(text, "2026-01-01T12:00:00Z discover       failed agent-nobody: "
				  "nobody on eth7 announces a registrar so far\n");
	assert_int_equal(o.questions, 5);
}

static void
test_nowhere_to_look(void **state)
{
	struct lk_agent a = agent();
	struct lk_err e;

	(void)state;
	assert_refused(lk_agent_onboard(&a, &e), e, LK_R_USAGE);
	a.set.registrar = "nowhere";
	assert_refused(lk_agent_onboard(&a, &e), e, LK_R_SYNTAX_TEXT);
	a.set.registrar = NULL;
	a.set.interface = "nowhere";
	assert_refused(lk_agent_onboard(&a, &e), e, LK_R_AGENT_DISCOVERY);
	assert_false(a.has_registrar);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_brings_a_voucher_goes_on_alone),
		cmocka_unit_test(test_two_vouchers_at_once),
		cmocka_unit_test(test_nothing_is_left_open),
		cmocka_unit_test(test_a_silent_link_is_told_once),
		cmocka_unit_test(test_nowhere_to_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
