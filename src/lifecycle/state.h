/* SPDX-License-Identifier: Apache-2.0
 *
 * The states of a device's life (NIST's paper on trusted IoT onboarding,
 * section 4) and the events that may move it. Numbers of states stand in
 * stores: LK_STATE_S8 is 8.
 */
#pragma once

#include <stdbool.h>

enum lk_state {
	LK_STATE_ANY = 0, /* in tables only: whichever it is */
#define LK_STATE(symbol, number, name, may_skip, meaning, lines) LK_STATE_##symbol = (number),
#include "lifecycle/state.def"
#undef LK_STATE
	LK_STATE_END = LK_STATE_S2A + 1 /* one behind the largest number */
};

struct lk_state_info {
	const char *symbol;  /* "S8"; NULL where the number stands for no state */
	const char *name;    /* "onboarding": stable, for machines */
	const char *meaning; /* one sentence */
	const char *lines;   /* of the paper */
	bool may_skip;       /* LC-7: a device may pass it over */
};

/* Any number is taken; what is no state has "?" as symbol and name. */
const struct lk_state_info *lk_state_info(enum lk_state state);
bool lk_state_is_valid(enum lk_state state);
enum lk_state lk_state_by_name(const char *name); /* LK_STATE_ANY when there is none */

enum lk_event_kind {
#define LK_EVENT(symbol, name, reason) LK_EVENT_##symbol,
#include "lifecycle/event.def"
#undef LK_EVENT
	LK_EVENT_COUNT
};

const char *lk_event_name(enum lk_event_kind event); /* "connected" */
