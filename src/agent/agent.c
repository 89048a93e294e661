/* SPDX-License-Identifier: Apache-2.0
 *
 * The timeline and the waiting that all steps of the agent share.
 */
#include "agent/agent.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/number.h"

static volatile sig_atomic_t stopped;

void
lk_agent_stop(void)
{
	stopped = 1;
}

struct lk_result
lk_agent_check(const struct lk_agent_options *o, struct lk_err *e)
{
	const char *clock = o->trusted_clock;
	int64_t wait;

	LK_REQUIRE(!clock || strcmp(clock, "yes") == 0 || strcmp(clock, "no") == 0, e, LK_R_USAGE,
		"trusted-clock is %s, want yes or no", clock);
	return lk_parse_duration(lk_slice_str(o->address_wait), "address-wait", &wait, e);
}

enum lk_chain_times
lk_agent_times(const struct lk_agent *a)
{
	bool clock = a->set.trusted_clock && strcmp(a->set.trusted_clock, "yes") == 0;

	/*= RFC8995 2.6.1: a pledge without a trusted clock does not look at times =*/
	return clock ? LK_TIMES_CHECK : LK_TIMES_IGNORE;
}

int64_t
lk_agent_ms(const struct lk_agent *a)
{
	return a->clock->monotonic_ms(a->clock);
}

/* Much of it was said by peers: it stays in its line, and moves no cursor. */
static void
put_text(const char *text)
{
	size_t n;

	for (; *text; text += n ? n : 1) {
		n = lk_control_at(text);
		putchar(n ? '?' : *text);
	}
}

void
lk_agent_tell(const struct lk_agent *a, const char *step, const char *registrar, const char *result,
	const struct lk_err *why)
{
	const char *reason = why ? lk_reason_info(why->reason)->symbol : "";
	char at[LK_TIME_TEXT_MAX];

	lk_time_print(lk_now(a->clock), at);
	if (a->set.json) {
		json_auto_t *line = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "at", at, "step",
			step, "registrar", registrar, "result", result, "reason", reason, "message",
			why ? why->msg : "");

		if (line)
			json_dumpf(line, stdout, JSON_COMPACT);
	} else {
		printf("%s %-14s %s%s", at, step, result, *registrar ? " " : "");
		put_text(registrar);
		printf("%s%s%s", why ? " " : "", reason, why ? ": " : "");
		put_text(why ? why->msg : "");
	}
	putchar('\n');
	fflush(stdout);
}

/* Signals that end the agent are blocked but here, so that none is lost before the poll. */
bool
lk_agent_wait(struct lk_agent *a, struct pollfd *fds, size_t n, int64_t deadline_ms)
{
	struct pollfd all[LK_AGENT_FDS + LK_KEY_SOCKET_FDS];
	size_t k = a->key_socket ? LK_KEY_SOCKET_FDS : 0;
	int64_t left = stopped ? 0 : deadline_ms - lk_agent_ms(a);
	struct timespec limit = { .tv_nsec = 0 };
	sigset_t none;
	size_t i;

	if (k)
		lk_key_socket_polls(a->key_socket, all);
	for (i = 0; i < n; i++)
		all[k + i] = fds[i];
	sigemptyset(&none);
	if (left > 0)
		limit = (struct timespec){ left / 1000, left % 1000 * 1000000 };
	if (ppoll(all, k + n, &limit, &none) < 0)
		for (i = 0; i < k + n; i++)
			all[i].revents = 0; /* a signal */
	if (k)
		lk_key_socket_serve(a->key_socket, all);
	for (i = 0; i < n; i++)
		fds[i].revents = all[k + i].revents;
	return !stopped;
}
