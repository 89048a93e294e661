/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine: it finds the row, asks its guards, and says where it leads.
 */
#include "lifecycle/transition.h"

enum guard {
#define LK_GUARD(symbol, holds, reason, otherwise) GUARD_##symbol,
#include "lifecycle/guard.def"
#undef LK_GUARD
	GUARD_COUNT
};

#define G(symbol) (UINT32_C(1) << GUARD_##symbol)
#define P(symbol) LK_PARTY_BIT(symbol)

#define TRANSFER_GUARDS (G(OWNER) | G(ONE_OWNER) | G(NOT_IN_USE) | G(ERASED) | G(OWNER_DECLARED))
#define GRANT_GUARDS    (G(OWNER) | G(GRANT_DECLARED))
#define LEAVE_GUARDS    (G(BARE) | G(APPLICATION_ERASED) | G(ISOLATED))

static const struct lk_transition_row rows[] = {
#define LK_TRANSITION(id, from, event, to, guards, parties, lines) \
	{ LK_##id, #id, LK_STATE_##from, LK_EVENT_##event, LK_STATE_##to, guards, parties, lines },
#include "lifecycle/transition.def"
#undef LK_TRANSITION
};

/* Why an event is refused where it has no row. */
static const enum lk_reason refusals[LK_EVENT_COUNT] = {
#define LK_EVENT(symbol, name, reason) [LK_EVENT_##symbol] = LK_R_##reason,
#include "lifecycle/event.def"
#undef LK_EVENT
};

static struct lk_result
check_guards(uint32_t guards, const struct lk_guards *g, struct lk_err *e)
{
#define LK_GUARD(symbol, holds, reason, otherwise) \
	LK_REQUIRE(!(guards & G(symbol)) || (holds), e, LK_R_##reason, "%s", otherwise);
#include "lifecycle/guard.def"
#undef LK_GUARD
	return LK_OK;
}

static bool
starts_at(const struct lk_transition_row *row, enum lk_state state)
{
	return row->from == state || row->from == LK_STATE_ANY;
}

static const struct lk_transition_row *
find(enum lk_state state, enum lk_event_kind event)
{
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(rows); i++)
		if (rows[i].event == event && starts_at(&rows[i], state))
			return &rows[i];
	return NULL;
}

struct lk_result
lk_transition(enum lk_state state, enum lk_event_kind event, const struct lk_guards *guards,
	enum lk_state *ret_next, enum lk_transition_id *ret_id, struct lk_err *e)
{
	const struct lk_state_info *info = lk_state_info(state);
	const struct lk_transition_row *row = find(state, event);

	LK_REQUIRE(lk_state_is_valid(state), e, LK_R_LIFECYCLE_STATE, "%d is no state", (int)state);
	LK_REQUIRE(row || state != LK_STATE_S16, e, LK_R_LIFECYCLE_ENDED, "event %s after the end",
		lk_event_name(event));
	LK_REQUIRE(row, e, refusals[event], "event %s in state %s %s", lk_event_name(event),
		info->symbol, info->name);
	if (!check_guards(row->guards, guards, e).ok) {
		lk_err_prefix(e, "%s: event %s in state %s %s", row->name, lk_event_name(event),
			info->symbol, info->name);
		return (struct lk_result){ false };
	}
	*ret_next = row->to == LK_STATE_ANY ? state : row->to;
	*ret_id = row->id;
	return LK_OK;
}

/* Is there a way whose guards hold, and which passes only states that may be passed over? Marks
 * what it has seen. */
static bool
leads_to(enum lk_state from, enum lk_state to, const struct lk_guards *g, bool seen[LK_STATE_END])
{
	size_t i;

	seen[from] = true;
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		const struct lk_transition_row *row = &rows[i];

		if (row->from != from || !check_guards(row->guards, g, NULL).ok)
			continue;
		if (row->to == to)
			return true;
		if (!seen[row->to] && lk_state_info(row->to)->may_skip &&
			leads_to(row->to, to, g, seen))
			return true;
	}
	return false;
}

struct lk_result
lk_transition_skip(enum lk_state from, enum lk_state to, const char *why,
	const struct lk_guards *guards, struct lk_err *e)
{
	bool seen[LK_STATE_END] = { false };

	LK_REQUIRE(lk_state_is_valid(from) && lk_state_is_valid(to), e, LK_R_LIFECYCLE_STATE,
		"%d to %d: no states", (int)from, (int)to);
	/*= LC-7: states may be passed over, with a reason =*/
	LK_REQUIRE(why && why[0], e, LK_R_LIFECYCLE_SKIP_REASON, "%s to %s without a reason",
		lk_state_info(from)->symbol, lk_state_info(to)->symbol);
	LK_REQUIRE(leads_to(from, to, guards, seen), e, LK_R_LIFECYCLE_SKIP,
		"no way from %s %s to %s %s that passes over what may be passed over",
		lk_state_info(from)->symbol, lk_state_info(from)->name, lk_state_info(to)->symbol,
		lk_state_info(to)->name);
	return LK_OK;
}

const struct lk_transition_row *
lk_transition_rows(size_t *ret_n)
{
	*ret_n = LK_ARRAY_LEN(rows);
	return rows;
}
