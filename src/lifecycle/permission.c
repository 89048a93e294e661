/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking up the matrix.
 */
#include "lifecycle/permission.h"

#include <assert.h>
#include <string.h>

#define X  LK_CELL_MAY
#define R  LK_CELL_REQUEST
#define D  LK_CELL_DELEGATED
#define _  LK_CELL_NO
#define C1 LK_CELL_C1
#define C2 LK_CELL_C2
#define C3 LK_CELL_C3
#define C4 LK_CELL_C4
#define C5 LK_CELL_C5
#define C6 LK_CELL_C6
#define C7 LK_CELL_C7
#define CN LK_CELL_OWN_NETWORK
static const struct {
	const char *name;
	enum lk_cell cells[LK_PARTY_COUNT];
} matrix[LK_PERMISSION_COUNT] = {
#define LK_PERMISSION(symbol, name, ...) { name, { __VA_ARGS__ } },
#include "lifecycle/permission.def"
#undef LK_PERMISSION
};

#define ROW(symbol) (UINT32_C(1) << LK_PERMISSION_##symbol)
#define LOOKING                                                                                   \
	(ROW(ONBOARD) | ROW(APPOINT) | ROW(MAINTAIN) | ROW(DECOMMISSION) | ROW(INSTALL_NETWORK) | \
		ROW(ADMINISTER))

static const struct {
	const char *name;
	uint32_t rows;
} actions[LK_ACTION_COUNT] = {
#define LK_ACTION(symbol, name, rows) { name, rows },
#include "lifecycle/action.def"
#undef LK_ACTION
};

enum answer { ANSWER_NO, ANSWER_CONDITION, ANSWER_REQUEST, ANSWER_YES };

static enum answer
if_so(bool fact)
{
	return fact ? ANSWER_YES : ANSWER_CONDITION;
}

static enum answer
answer(enum lk_cell cell, const struct lk_subject *s)
{
	switch (cell) {
	case LK_CELL_NO:
		return ANSWER_NO;
	case LK_CELL_MAY:
		return ANSWER_YES;
	case LK_CELL_REQUEST:
		return ANSWER_REQUEST;
	case LK_CELL_DELEGATED:
		return if_so(s->delegated);
	case LK_CELL_C1:
		return if_so(s->at_integrator);
	case LK_CELL_C2:
		return if_so(s->first_owner);
	case LK_CELL_C3:
	case LK_CELL_C4:
		return if_so(s->owner || s->authorized_onboarder);
	case LK_CELL_C5:
		return if_so(s->hosts_service);
	case LK_CELL_C6:
		return if_so(s->itself);
	case LK_CELL_C7:
		return if_so(s->admitted);
	case LK_CELL_OWN_NETWORK:
		return if_so(s->own_network);
	}
	return ANSWER_NO;
}

/* The best answer that any of the actor's parties gets in any of the action's rows. */
static enum answer
best_answer(uint32_t parties, uint32_t rows, const struct lk_subject *s)
{
	enum answer best = ANSWER_NO;
	unsigned row, party;

	for (row = 0; row < LK_PERMISSION_COUNT; row++)
		for (party = 0; party < LK_PARTY_COUNT; party++) {
			enum answer a = answer(matrix[row].cells[party], s);

			if (rows & UINT32_C(1) << row && parties & UINT32_C(1) << party && a > best)
				best = a;
		}
	return best;
}

struct lk_result
lk_authorise(const struct lk_actor *actor, enum lk_action action, const struct lk_subject *facts,
	struct lk_err *e)
{
	enum answer a;

	LK_REQUIRE((unsigned)action < LK_ACTION_COUNT, e, LK_R_PERMISSION_DENIED,
		"%s asks for action %d, which is none", actor->id, (int)action);
	LK_REQUIRE(action != LK_ACTION_READ_CREDENTIALS, e, LK_R_PERMISSION_NEVER,
		"%s asks to read credentials", actor->id);
	a = best_answer(actor->parties, actions[action].rows, facts);
	LK_REQUIRE(a != ANSWER_REQUEST, e, LK_R_PERMISSION_REQUEST, "%s may ask the owner for %s",
		actor->id, actions[action].name);
	LK_REQUIRE(a != ANSWER_CONDITION, e, LK_R_PERMISSION_CONDITION,
		"%s may do %s, but not here", actor->id, actions[action].name);
	LK_REQUIRE(a == ANSWER_YES, e, LK_R_PERMISSION_DENIED, "%s may not do %s", actor->id,
		actions[action].name);
	return LK_OK;
}

const char *
lk_action_name(enum lk_action action)
{
	assert((unsigned)action < LK_ACTION_COUNT);
	return actions[action].name;
}

enum lk_action
lk_action_by_name(const char *name)
{
	unsigned i;

	for (i = 0; i < LK_ACTION_COUNT; i++)
		if (strcmp(actions[i].name, name) == 0)
			break;
	return (enum lk_action)i;
}

uint32_t
lk_action_permissions(enum lk_action action)
{
	assert((unsigned)action < LK_ACTION_COUNT);
	return actions[action].rows;
}

const char *
lk_permission_name(enum lk_permission row)
{
	assert((unsigned)row < LK_PERMISSION_COUNT);
	return matrix[row].name;
}

enum lk_cell
lk_permission_cell(enum lk_permission row, enum lk_party party)
{
	assert((unsigned)row < LK_PERMISSION_COUNT && (unsigned)party < LK_PARTY_COUNT);
	return matrix[row].cells[party];
}
