/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables behind lifecycle/state.h.
 */
#include "lifecycle/state.h"

#include <assert.h>
#include <string.h>

static const struct lk_state_info states[LK_STATE_END] = {
#define LK_STATE(symbol, number, name, may_skip, meaning, lines) \
	[LK_STATE_##symbol] = { #symbol, name, meaning, lines, may_skip },
#include "lifecycle/state.def"
#undef LK_STATE
};

static const char *const events[LK_EVENT_COUNT] = {
#define LK_EVENT(symbol, name, reason) [LK_EVENT_##symbol] = name,
#include "lifecycle/event.def"
#undef LK_EVENT
};

bool
lk_state_is_valid(enum lk_state state)
{
	return (unsigned)state < LK_STATE_END && states[state].symbol;
}

const struct lk_state_info *
lk_state_info(enum lk_state state)
{
	static const struct lk_state_info none = { "?", "?", "No state.", "-", false };

	return lk_state_is_valid(state) ? &states[state] : &none;
}

enum lk_state
lk_state_by_name(const char *name)
{
	unsigned i;

	for (i = 0; i < LK_STATE_END; i++)
		if (states[i].symbol && strcmp(states[i].name, name) == 0)
			return (enum lk_state)i;
	return LK_STATE_ANY;
}

const char *
lk_event_name(enum lk_event_kind event)
{
	assert((unsigned)event < LK_EVENT_COUNT);
	return events[event];
}
