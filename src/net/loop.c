/* SPDX-License-Identifier: Apache-2.0
 *
 * Watches, timers, signals and deferred calls over libevent.
 */
#include "net/loop.h"

#include <event2/event.h>
#include <stdlib.h>

struct lk_loop {
	struct event_base *base;
	const struct lk_clock *clock;
	struct lk_deferred *first, **last; /* waiting for the end of this turn */
	bool stopped;
};

struct lk_watch {
	struct lk_loop *loop;
	struct event *ev;
	unsigned want;
	lk_watch_fn *fn;
	void *ctx;
};

struct lk_timer {
	struct lk_loop *loop;
	struct event *ev;
	lk_timer_fn *fn;
	void *ctx;
};

struct lk_signal {
	struct event *ev;
	lk_signal_fn *fn;
	void *ctx;
};

struct lk_result
lk_loop_new(const struct lk_clock *clock, struct lk_loop **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_loop_freep) struct lk_loop *l = calloc(1, sizeof *l);
	struct event_config *config = event_config_new();

	if (l && config) {
		l->clock = clock;
		l->last = &l->first;
		/* Milliseconds count in deadlines; the coarse clock may be 4 ms off. */
		event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
		l->base = event_base_new_with_config(config);
	}
	if (config)
		event_config_free(config);
	LK_REQUIRE(l && l->base, e, LK_R_NOMEM, "no memory for the event loop");
	*ret = LK_TAKE(l);
	return LK_OK;
}

void
lk_loop_free(struct lk_loop *l)
{
	if (!l)
		return;
	if (l->base)
		event_base_free(l->base);
	free(l);
}

/* Runs what waited when it was called; what is asked for meanwhile waits for the next turn. */
static void
run_deferred(struct lk_loop *l)
{
	struct lk_deferred end = { .fn = NULL }, *d;

	if (!l->first)
		return;
	*l->last = &end;
	l->last = &end.next;
	while ((d = l->first) != &end) {
		l->first = d->next;
		d->loop = NULL;
		d->next = NULL;
		d->fn(d->ctx);
	}
	l->first = end.next;
	if (!l->first)
		l->last = &l->first;
}

struct lk_result
lk_loop_turn(struct lk_loop *l, struct lk_err *e)
{
	int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY | (l->first ? EVLOOP_NONBLOCK : 0);

	LK_REQUIRE(event_base_loop(l->base, flags) >= 0, e, LK_R_LOOP, "the event loop failed");
	run_deferred(l);
	return LK_OK;
}

struct lk_result
lk_loop_run(struct lk_loop *l, struct lk_err *e)
{
	while (!l->stopped)
		LK_TRY(lk_loop_turn(l, e));
	l->stopped = false;
	return LK_OK;
}

void
lk_loop_stop(struct lk_loop *l)
{
	l->stopped = true;
}

const struct lk_clock *
lk_loop_clock(const struct lk_loop *l)
{
	return l->clock;
}

int64_t
lk_loop_now_ms(const struct lk_loop *l)
{
	return l->clock->monotonic_ms(l->clock);
}

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct lk_watch *w = arg;

	(void)fd;
	w->fn(w->ctx, (what & EV_READ ? LK_READABLE : 0) | (what & EV_WRITE ? LK_WRITABLE : 0));
}

struct lk_result
lk_watch_new(struct lk_loop *l, int fd, unsigned want, lk_watch_fn *fn, void *ctx,
	struct lk_watch **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct lk_watch *w = calloc(1, sizeof *w);

	LK_REQUIRE(w && (w->ev = event_new(l->base, fd, 0, on_watch, w)), e, LK_R_NOMEM,
		"no memory for a watch");
	w->loop = l;
	w->fn = fn;
	w->ctx = ctx;
	lk_watch_want(w, want);
	*ret = LK_TAKE(w);
	return LK_OK;
}

void
lk_watch_want(struct lk_watch *w, unsigned want)
{
	if (want == w->want)
		return;
	w->want = want;
	event_del(w->ev);
	event_assign(w->ev, w->loop->base, event_get_fd(w->ev),
		(short)(EV_PERSIST | (want & LK_READABLE ? EV_READ : 0) |
			(want & LK_WRITABLE ? EV_WRITE : 0)),
		on_watch, w);
	if (want)
		event_add(w->ev, NULL);
}

void
lk_watch_free(struct lk_watch *w)
{
	if (!w)
		return;
	event_free(w->ev);
	free(w);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct lk_timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->ctx);
}

struct lk_result
lk_timer_new(struct lk_loop *l, lk_timer_fn *fn, void *ctx, struct lk_timer **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct lk_timer *t = calloc(1, sizeof *t);

	LK_REQUIRE(t && (t->ev = evtimer_new(l->base, on_timer, t)), e, LK_R_NOMEM,
		"no memory for a timer");
	t->loop = l;
	t->fn = fn;
	t->ctx = ctx;
	*ret = LK_TAKE(t);
	return LK_OK;
}

void
lk_timer_at(struct lk_timer *t, int64_t monotonic_ms)
{
	int64_t left = monotonic_ms - lk_loop_now_ms(t->loop);
	struct timeval tv;

	left = left > 0 ? left : 0;
	tv = (struct timeval){ .tv_sec = left / 1000, .tv_usec = left % 1000 * 1000 };
	event_add(t->ev, &tv);
}

void
lk_timer_off(struct lk_timer *t)
{
	event_del(t->ev);
}

void
lk_timer_free(struct lk_timer *t)
{
	if (!t)
		return;
	event_free(t->ev);
	free(t);
}

static void
on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct lk_signal *s = arg;

	(void)what;
	s->fn(s->ctx, signo);
}

struct lk_result
lk_signal_new(struct lk_loop *l, int signo, lk_signal_fn *fn, void *ctx, struct lk_signal **ret,
	struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct lk_signal *s = calloc(1, sizeof *s);

	LK_REQUIRE(s && (s->ev = evsignal_new(l->base, signo, on_signal, s)), e, LK_R_NOMEM,
		"no memory for a signal");
	s->fn = fn;
	s->ctx = ctx;
	if (event_add(s->ev, NULL) < 0) {
		event_free(s->ev);
		return lk_fail(e, LK_R_LOOP, "signal %d cannot be watched", signo);
	}
	*ret = LK_TAKE(s);
	return LK_OK;
}

void
lk_signal_free(struct lk_signal *s)
{
	if (!s)
		return;
	event_free(s->ev);
	free(s);
}

void
lk_defer(struct lk_loop *l, struct lk_deferred *d)
{
	if (d->loop)
		return;
	d->loop = l;
	d->next = NULL;
	*l->last = d;
	l->last = &d->next;
}

void
lk_deferred_cancel(struct lk_deferred *d)
{
	struct lk_deferred **p;

	if (!d->loop)
		return;
	for (p = &d->loop->first; *p != d; p = &(*p)->next)
		;
	*p = d->next;
	if (d->loop->last == &d->next)
		d->loop->last = p;
	d->loop = NULL;
	d->next = NULL;
}
