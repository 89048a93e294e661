/* SPDX-License-Identifier: Apache-2.0
 *
 * The event loop of a role: one per process, no threads. A thin wrapper over
 * libevent, so that roles know watches, timers, signals and deferred calls and
 * nothing of the library below. Timers are absolute points of the monotonic
 * clock: a peer that sends a byte now and then never prolongs one.
 *
 * A turn of the loop handles everything that is ready, then runs the deferred
 * calls that were asked for by then. Work of one turn is thus gathered and
 * finished once (a group commit), and work too long for a turn is cut into
 * slices that defer themselves again.
 */
#pragma once

#include "base/time.h"

struct lk_loop;

LK_RESULT lk_loop_new(const struct lk_clock *clock, struct lk_loop **ret, struct lk_err *e);
/* Everything that hangs on the loop is freed before. */
void lk_loop_free(struct lk_loop *l);
/* Turns until lk_loop_stop(), which lets the current turn end; called before, there is none. */
LK_RESULT lk_loop_run(struct lk_loop *l, struct lk_err *e);
/* One turn; it waits until something is ready. */
LK_RESULT lk_loop_turn(struct lk_loop *l, struct lk_err *e);
void lk_loop_stop(struct lk_loop *l);
const struct lk_clock *lk_loop_clock(const struct lk_loop *l);
int64_t lk_loop_now_ms(const struct lk_loop *l); /* monotonic */

LK_DEFINE_CLEANUP(struct lk_loop *, lk_loop_free);

/* --- descriptors: called at every turn in which one of what it wants is ready ----------------- */
#define LK_READABLE 1u
#define LK_WRITABLE 2u

typedef void lk_watch_fn(void *ctx, unsigned ready);
struct lk_watch;

/* fd stays the caller's and outlives the watch. */
LK_RESULT lk_watch_new(struct lk_loop *l, int fd, unsigned want, lk_watch_fn *fn, void *ctx,
	struct lk_watch **ret, struct lk_err *e);
void lk_watch_want(struct lk_watch *w, unsigned want); /* 0: nothing for now */
void lk_watch_free(struct lk_watch *w);                /* also inside its own call */

/* --- timers: called once at or after a point in time ------------------------------------------ */
typedef void lk_timer_fn(void *ctx);
struct lk_timer;

LK_RESULT lk_timer_new(
	struct lk_loop *l, lk_timer_fn *fn, void *ctx, struct lk_timer **ret, struct lk_err *e);
void lk_timer_at(struct lk_timer *t, int64_t monotonic_ms); /* moves it when it is set already */
void lk_timer_off(struct lk_timer *t);
void lk_timer_free(struct lk_timer *t); /* also inside its own call */

/* --- signals: called in the loop, not in the handler ------------------------------------------ */
typedef void lk_signal_fn(void *ctx, int signo);
struct lk_signal;

LK_RESULT lk_signal_new(struct lk_loop *l, int signo, lk_signal_fn *fn, void *ctx,
	struct lk_signal **ret, struct lk_err *e);
void lk_signal_free(struct lk_signal *s);

/* --- deferred calls: called once at the end of the turn --------------------------------------- */
typedef void lk_deferred_fn(void *ctx);

/* Born with its owner, typically as a member; asks for nothing until lk_defer(). */
struct lk_deferred {
	lk_deferred_fn *fn;
	void *ctx;
	struct lk_loop *loop;     /* set while it waits */
	struct lk_deferred *next; /* of those that wait */
};

/* At most once a turn; asked for again inside its own call, it runs in the next turn. */
void lk_defer(struct lk_loop *l, struct lk_deferred *d);
void lk_deferred_cancel(struct lk_deferred *d); /* before its owner goes */
