/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts with all registrars that are known, side by side, until one of them
 * brings a voucher; that one goes on alone (RFC 8995 section 4).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/engine.h"

struct attempt {
	struct lk_agent *agent;
	struct lk_candidate *candidate; /* NULL: free */
	char name[LK_CANDIDATE_TEXT_MAX];
	struct lk_engine *engine;
	int fd; /* -1: none */
	bool connecting;
	bool vouched; /* its voucher verified */
};

struct onboarding {
	struct lk_agent *agent;
	struct lk_candidates candidates;
	struct lk_discovery discovery;
	unsigned questions; /* how often the link was asked */
	struct attempt v[LK_CANDIDATES_MAX];
	struct attempt *onboarded;
};

/* --- one attempt ------------------------------------------------------------------------------ */

static void
drop(struct attempt *t)
{
	t->engine = lk_engine_free(t->engine);
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->candidate = NULL;
}

static struct lk_result
new_key(void *ctx, struct lk_key **ret, struct lk_err *e)
{
	return lk_credentials_new_key(&((struct attempt *)ctx)->agent->credentials, ret, e);
}

static void
trace(void *ctx, enum lk_pledge_state from, enum lk_pledge_state to, const struct lk_err *why)
{
	struct attempt *t = ctx;
	bool later = to == LK_PLEDGE_VOUCHER_LATER || to == LK_PLEDGE_ENROLL_LATER;

	if (to == LK_PLEDGE_STATUS)
		t->vouched = true;
	lk_agent_tell(t->agent, lk_pledge_state_name(from), t->name,
		why     ? "failed"
		: later ? "later"
			: "ok",
		why);
}

static struct lk_result
start(struct onboarding *o, struct attempt *t, struct lk_candidate *c, struct lk_err *e)
{
	const struct lk_credentials *own = &o->agent->credentials;
	struct lk_pledge_settings s = { .idevid = &own->idevid,
		.idevid_key = own->idevid_key,
		.manufacturer = own->manufacturer,
		.times = lk_agent_times(o->agent),
		.accept_nonceless = true,
		.accept_assertions = (1u << LK_ASSERTION_COUNT) - 1,
		.random = o->agent->random,
		.new_key = new_key,
		.trace = trace,
		.ctx = t };
	char host[LK_CANDIDATE_TEXT_MAX];

	*t = (struct attempt){ .agent = o->agent, .candidate = c, .fd = -1 };
	lk_candidate_print(&c->address, true, t->name);
	lk_candidate_print(&c->address, false, host);
	return lk_engine_new(&s, host, &t->engine, e);
}

static void
open_connection(struct attempt *t)
{
	struct lk_err e = { 0 };

	t->fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	t->connecting = true;
	if (t->fd >= 0 && (connect(t->fd, (struct sockaddr *)&t->candidate->address,
				   sizeof t->candidate->address) == 0 ||
				  errno == EINPROGRESS))
		return;
	lk_err_set(&e, LK_R_AGENT_CONNECT, "%s: %s", t->name, strerror(errno));
	lk_engine_closed(t->engine, &e, lk_now(t->agent->clock), lk_agent_ms(t->agent));
}

static void
finish_connecting(struct attempt *t)
{
	struct lk_err e = { 0 };
	int error = 0;
	socklen_t n = sizeof error;

	t->connecting = false;
	getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &n);
	if (!error) {
		lk_engine_connected(t->engine, lk_agent_ms(t->agent));
		return;
	}
	lk_err_set(&e, LK_R_AGENT_CONNECT, "%s: %s", t->name, strerror(error));
	close(t->fd);
	t->fd = -1;
	lk_engine_closed(t->engine, &e, lk_now(t->agent->clock), lk_agent_ms(t->agent));
}

static void
send_some(struct attempt *t)
{
	struct lk_slice out = lk_engine_output(t->engine);
	ssize_t n = out.n ? send(t->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n > 0)
		lk_engine_sent(t->engine, (size_t)n);
}

static void
receive_some(struct attempt *t)
{
	uint8_t chunk[16 * 1024];
	ssize_t n = recv(t->fd, chunk, sizeof chunk, MSG_DONTWAIT);
	int64_t now = lk_now(t->agent->clock), now_ms = lk_agent_ms(t->agent);

	if (n > 0) {
		lk_engine_feed(t->engine, lk_slice(chunk, (size_t)n), now, now_ms);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(t->fd);
		t->fd = -1;
		lk_engine_closed(t->engine, NULL, now, now_ms);
	}
}

/* Does what the engine says until it waits. False: the attempt is over. */
static bool
advance(struct attempt *t)
{
	for (;;) {
		switch (lk_engine_next(t->engine, lk_now(t->agent->clock), lk_agent_ms(t->agent))) {
		case LK_ENGINE_CONNECT:
			if (t->fd >= 0)
				return true; /* under way */
			open_connection(t);
			break;
		case LK_ENGINE_CLOSE:
			if (t->fd >= 0)
				send_some(t); /* an alert, if it fits */
			if (t->fd >= 0)
				close(t->fd);
			t->fd = -1;
			break;
		case LK_ENGINE_WAIT:
			if (t->fd >= 0 && !t->connecting)
				send_some(t);
			return true;
		case LK_ENGINE_END:
			return false;
		}
	}
}

static void
react(struct attempt *t, short events)
{
	if (!events || t->fd < 0)
		return;
	if (t->connecting)
		finish_connecting(t);
	else if (events & (POLLIN | POLLHUP | POLLERR))
		receive_some(t);
}

/* --- all of them ------------------------------------------------------------------------------ */

/* The attempt that has a voucher; NULL: none has. */
static struct attempt *
vouched(struct onboarding *o)
{
	size_t i;

	for (i = 0; i < LK_CANDIDATES_MAX; i++)
		if (o->v[i].candidate && o->v[i].vouched)
			return &o->v[i];
	return NULL;
}

/* The device belongs to who brought a voucher: the others are left alone from now on, also one that
 * brought its own in the same turn. There is room for one LDevID key. */
static void
drop_others(struct onboarding *o, const struct attempt *chosen)
{
	size_t i;

	for (i = 0; i < LK_CANDIDATES_MAX; i++)
		if (o->v[i].candidate && &o->v[i] != chosen) {
			o->v[i].candidate->busy = false;
			drop(&o->v[i]);
		}
}

static void
advance_all(struct onboarding *o)
{
	const struct attempt *chosen = vouched(o);
	size_t i;

	if (chosen)
		drop_others(o, chosen);
	for (i = 0; i < LK_CANDIDATES_MAX; i++) {
		struct attempt *t = &o->v[i];

		if (!t->candidate || advance(t))
			continue;
		if (lk_pledge_state(lk_engine_pledge(t->engine)) == LK_PLEDGE_ONBOARDED) {
			o->onboarded = t;
			return;
		}
		lk_candidate_failed(t->candidate, lk_agent_ms(o->agent));
		drop(t);
	}
}

static struct lk_result
start_next(struct onboarding *o, struct lk_err *e)
{
	struct lk_candidate *c;
	size_t i;

	if (vouched(o) || !(c = lk_candidates_next(&o->candidates, lk_agent_ms(o->agent))))
		return LK_OK;
	for (i = 0; o->v[i].candidate; i++)
		; /* as many as candidates: there is a free one */
	return start(o, &o->v[i], c, e);
}

static int64_t
next_deadline(struct onboarding *o)
{
	int64_t at = vouched(o) ? INT64_MAX
				: lk_candidates_deadline(&o->candidates, lk_agent_ms(o->agent));
	size_t i;

	if (o->discovery.fd >= 0 && o->discovery.query_ms < at)
		at = o->discovery.query_ms;
	for (i = 0; i < LK_CANDIDATES_MAX; i++)
		if (o->v[i].candidate && lk_engine_deadline(o->v[i].engine) < at)
			at = lk_engine_deadline(o->v[i].engine);
	return at;
}

static bool
wait_all(struct onboarding *o)
{
	struct pollfd fds[LK_AGENT_FDS];
	size_t i;

	fds[0] = (struct pollfd){ .fd = o->discovery.fd, .events = POLLIN };
	for (i = 0; i < LK_CANDIDATES_MAX; i++) {
		const struct attempt *t = &o->v[i];
		bool sending = t->candidate && (t->connecting || lk_engine_output(t->engine).n);

		fds[1 + i] = (struct pollfd){ .fd = t->candidate ? t->fd : -1,
			.events = (short)(t->connecting ? POLLOUT
					  : sending     ? POLLIN | POLLOUT
							: POLLIN) };
	}
	if (!lk_agent_wait(o->agent, fds, LK_AGENT_FDS, next_deadline(o)))
		return false;
	if (fds[0].revents)
		lk_discovery_receive(&o->discovery, &o->candidates, lk_agent_ms(o->agent));
	for (i = 0; i < LK_CANDIDATES_MAX; i++)
		react(&o->v[i], fds[1 + i].revents);
	return true;
}

/* Whoever stands beside a device that waits for ever is told once that nobody answers. */
static void
look(struct onboarding *o)
{
	int64_t now_ms = lk_agent_ms(o->agent);
	struct lk_err e;

	if (o->discovery.fd < 0 || now_ms < o->discovery.query_ms)
		return;
	if (o->questions++ == 1 && o->candidates.n == 0) {
		lk_err_set(&e, LK_R_AGENT_NOBODY, "nobody on %s announces a registrar so far",
			o->agent->set.interface);
		lk_agent_tell(o->agent, "discover", "", "failed", &e);
	}
	lk_discovery_ask(&o->discovery, now_ms);
}

static struct lk_result
turn_until_onboarded(struct onboarding *o, struct lk_err *e)
{
	while (!o->onboarded) {
		look(o);
		LK_TRY(start_next(o, e));
		advance_all(o);
		LK_REQUIRE(o->onboarded || wait_all(o), e, LK_R_AGENT_NOT_ONBOARDED,
			"ended before any registrar brought a voucher");
	}
	return LK_OK;
}

static struct lk_result
keep(struct onboarding *o, struct lk_err *e)
{
	struct lk_agent *a = o->agent;
	struct lk_pledge_credentials got;

	LK_TRY(lk_pledge_credentials(lk_engine_pledge(o->onboarded->engine), &got, e));
	LK_TRY(lk_credentials_commit(&a->credentials, &got, e));
	a->registrar = o->onboarded->candidate->address;
	a->has_registrar = true;
	/* A TPM holds three objects at a time: the attempt lets go of its key before it is loaded.
	 */
	o->onboarded->engine = lk_engine_free(o->onboarded->engine);
	LK_TRY(lk_onboarded_load(&a->credentials, NULL, &a->onboarded, e));
	lk_agent_tell(a, "onboarded", o->onboarded->name, "ok", NULL);
	return LK_OK;
}

static void
onboarding_done(struct onboarding *o)
{
	size_t i;

	for (i = 0; i < LK_CANDIDATES_MAX; i++)
		if (o->v[i].candidate)
			drop(&o->v[i]);
	/*= ONB-13: onboarded, the device is silent on mDNS =*/
	lk_discovery_close(&o->discovery);
}

struct lk_result
lk_agent_onboard(struct lk_agent *a, struct lk_err *e)
{
	LK_CLEANUP(onboarding_done)
	struct onboarding o = {
		.agent = a, .candidates = { .random = a->random }, .discovery = { .fd = -1 }
	};
	struct sockaddr_in6 fixed;

	LK_REQUIRE(a->set.registrar || a->set.interface, e, LK_R_USAGE,
		"name an --interface to look on, or a --registrar");
	if (a->set.registrar) {
		LK_TRY(lk_candidate_parse(a->set.registrar, &fixed, e));
		lk_candidates_add(&o.candidates, &fixed, true, 0, lk_agent_ms(a));
	} else {
		LK_TRY(lk_discovery_open(a->set.interface, lk_agent_ms(a), &o.discovery, e));
	}
	LK_TRY(turn_until_onboarded(&o, e));
	return keep(&o, e);
}
