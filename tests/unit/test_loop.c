/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop: deferred calls end a turn, timers are absolute, what is freed in its
 * own call stays freed.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "net/loop.h"

struct fixture {
	struct lk_loop *loop;
	struct lk_watch *watch;
	struct lk_timer *timer;
	struct lk_deferred deferred;
	int fds[2];
	unsigned watched, timed, deferred_calls, signals;
	bool defer_again;
	char order[16]; /* of calls: w, t, d */
};

static void
note(struct fixture *f, char what)
{
	f->order[strlen(f->order)] = what;
}

static int
setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .loop = NULL };
	assert_true(lk_loop_new(&lk_clock_system, &f.loop, NULL).ok);
	assert_int_equal(pipe2(f.fds, O_CLOEXEC | O_NONBLOCK), 0);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	lk_watch_free(f->watch);
	lk_timer_free(f->timer);
	lk_loop_free(f->loop);
	close(f->fds[0]);
	close(f->fds[1]);
	return 0;
}

static void
on_deferred(void *ctx)
{
	struct fixture *f = ctx;

	note(f, 'd');
	f->deferred_calls++;
	if (f->defer_again)
		lk_defer(f->loop, &f->deferred);
}

static void
on_ready(void *ctx, unsigned ready)
{
	struct fixture *f = ctx;

	assert_int_equal(ready, LK_READABLE);
	note(f, 'w');
	f->watched++;
	lk_defer(f->loop, &f->deferred);
	lk_defer(f->loop, &f->deferred); /* once a turn */
}

static void
on_timer(void *ctx)
{
	struct fixture *f = ctx;

	note(f, 't');
	f->timed++;
}

static void
test_turn(void **state)
{
	struct fixture *f = *state;

	f->deferred = (struct lk_deferred){ .fn = on_deferred, .ctx = f };
	assert_true(lk_watch_new(f->loop, f->fds[0], LK_READABLE, on_ready, f, &f->watch, NULL).ok);
	assert_int_equal(write(f->fds[1], "x", 1), 1);
	assert_true(lk_loop_turn(f->loop, NULL).ok);
	assert_true(lk_loop_turn(f->loop, NULL).ok); /* it was not read: ready again */
	assert_string_equal(f->order, "wdwd");
	lk_watch_want(f->watch, 0);
	lk_defer(f->loop, &f->deferred);
	assert_true(lk_loop_turn(f->loop, NULL).ok); /* does not wait */
	assert_string_equal(f->order, "wdwdd");
}

static void
test_defer_again(void **state)
{
	struct fixture *f = *state;

	f->deferred = (struct lk_deferred){ .fn = on_deferred, .ctx = f };
	f->defer_again = true;
	lk_defer(f->loop, &f->deferred);
	assert_true(lk_loop_turn(f->loop, NULL).ok);
	assert_int_equal(f->deferred_calls, 1); /* the next comes in the next turn */
	assert_true(lk_loop_turn(f->loop, NULL).ok);
	assert_int_equal(f->deferred_calls, 2);
	lk_deferred_cancel(&f->deferred);
	lk_deferred_cancel(&f->deferred);
	lk_timer_free(f->timer);
	assert_true(lk_timer_new(f->loop, on_timer, f, &f->timer, NULL).ok);
	lk_timer_at(f->timer, 0);
	assert_true(lk_loop_turn(f->loop, NULL).ok);
	assert_int_equal(f->deferred_calls, 2);
}

/* Cancels whatever stands behind it in the same turn. */
static void
on_cancel(void *ctx)
{
	lk_deferred_cancel(ctx);
}

static void
test_cancel_in_turn(void **state)
{
	struct fixture *f = *state;
	struct lk_deferred second = { .fn = on_deferred, .ctx = f };
	struct lk_deferred first = { .fn = on_cancel, .ctx = &second };
	struct lk_deferred third = { .fn = on_deferred, .ctx = f };

	lk_defer(f->loop, &first);
	lk_defer(f->loop, &second);
	lk_defer(f->loop, &third);
	assert_true(lk_loop_turn(f->loop, NULL).ok);
	assert_int_equal(f->deferred_calls, 1);
}

static void
test_timer(void **state)
{
	struct fixture *f = *state;
	int64_t now = lk_loop_now_ms(f->loop);

	assert_true(lk_timer_new(f->loop, on_timer, f, &f->timer, NULL).ok);
	lk_timer_at(f->timer, now + 3600 * 1000);
	lk_timer_at(f->timer, now - 1); /* moved into the past: at once */
	assert_true(lk_loop_turn(f->loop, NULL).ok);
	assert_int_equal(f->timed, 1);
	lk_timer_at(f->timer, now);
	lk_timer_off(f->timer);
	f->deferred = (struct lk_deferred){ .fn = on_deferred, .ctx = f };
	lk_defer(f->loop, &f->deferred);
	assert_true(lk_loop_turn(f->loop, NULL).ok);
	assert_int_equal(f->timed, 1);
}

static void
free_itself(void *ctx, unsigned ready)
{
	struct fixture *f = ctx;

	(void)ready;
	f->watched++;
	lk_watch_free(LK_TAKE(f->watch));
}

static void
test_free_in_call(void **state)
{
	struct fixture *f = *state;

	assert_true(
		lk_watch_new(f->loop, f->fds[1], LK_WRITABLE, free_itself, f, &f->watch, NULL).ok);
	assert_true(lk_loop_turn(f->loop, NULL).ok);
	lk_defer(f->loop, &(struct lk_deferred){ .fn = on_deferred, .ctx = f });
	assert_true(lk_loop_turn(f->loop, NULL).ok);
	assert_int_equal(f->watched, 1);
}

static void
on_usr1(void *ctx, int signo)
{
	struct fixture *f = ctx;

	assert_int_equal(signo, SIGUSR1);
	f->signals++;
	lk_loop_stop(f->loop);
}

static void
test_signal_and_stop(void **state)
{
	struct fixture *f = *state;
	struct lk_signal *s;

	assert_true(lk_signal_new(f->loop, SIGUSR1, on_usr1, f, &s, NULL).ok);
	raise(SIGUSR1);
	assert_true(lk_loop_run(f->loop, NULL).ok);
	assert_int_equal(f->signals, 1);
	lk_loop_stop(f->loop);
	assert_true(lk_loop_run(f->loop, NULL).ok); /* stopped before it began */
	lk_signal_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defer_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel_in_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_free_in_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signal_and_stop, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
