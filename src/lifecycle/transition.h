/* SPDX-License-Identifier: Apache-2.0
 *
 * How a device's life goes on (NIST's paper, section 4; requirements 1.5). The
 * only way from state to state is a row of lifecycle/transition.def:
 *
 *	LK_TRY(lk_transition(d->state, LK_EVENT_CONNECT, &facts, &next, &id, e));
 *
 * An event without a row for the state is refused, and so is one whose guards
 * do not hold. What the guards ask is given as facts; nothing is looked up here.
 * Whether the actor may cause the event is lifecycle/permission.h's question.
 */
#pragma once

#include "base/err.h"
#include "lifecycle/party.h"
#include "lifecycle/state.h"

/* The facts; false is what is safe to say of each. */
struct lk_guards {
	bool by_owner;            /* the owner asks for it, and proved to be it */
	bool one_owner;           /* afterwards the device has exactly one owner */
	bool erased;              /* nothing but bootstrapping credentials is left on it */
	bool declared;            /* its declaration says so and is signed again, or it has none */
	bool application_erased;  /* the application manager confirmed it, or there was none */
	bool isolated;            /* the network lets nothing of it pass */
	bool integrator_entitled; /* the integrator is owner or authorized onboarder */
	bool disconnected;        /* from the integrator's network, whose credentials are erased */
	bool homologated;         /* homologation is certified */
	bool onboarded;           /* it got its credential since it was last off the network */
	bool transferred;         /* its ownership passed since it was decommissioned */
	bool not_in_use;          /* it was never onboarded, or was decommissioned since */
};

enum lk_transition_id {
	LK_T1 = 1,
	LK_T2,
	LK_T3,
	LK_T4,
	LK_T5,
	LK_T6,
	LK_T7,
	LK_T8,
	LK_T9,
	LK_T10,
	LK_T11,
	LK_T12,
	LK_T13,
	LK_T14,
	LK_T15,
	LK_T16,
	LK_T17,
	LK_T18,
	LK_T19,
	LK_T20,
	LK_T21,
	LK_T22,
	LK_T23,
	LK_T24,
	LK_T25,
	LK_T26,
	LK_LC1, /* ownership passes, the state stays */
	LK_LC4  /* an onboarder is authorized, the state stays */
};

/* Refuses with LK_R_LIFECYCLE_*. */
LK_RESULT lk_transition(enum lk_state state, enum lk_event_kind event,
	const struct lk_guards *guards, enum lk_state *ret_next, enum lk_transition_id *ret_id,
	struct lk_err *e);

/* LC-7: a device that passes states over: may it go from one state to the other at once? `why`
 * is the reason that the ledger keeps, and is asked for. */
LK_RESULT lk_transition_skip(enum lk_state from, enum lk_state to, const char *why,
	const struct lk_guards *guards, struct lk_err *e);

/* The table, for those who draw it. */
struct lk_transition_row {
	enum lk_transition_id id;
	const char *name; /* "T10" */
	enum lk_state from;
	enum lk_event_kind event;
	enum lk_state to;
	uint32_t guards;  /* bits, private */
	uint32_t parties; /* LK_PARTY_BIT(): who causes it; 0: nobody in particular */
	const char *lines;
};

const struct lk_transition_row *lk_transition_rows(size_t *ret_n);
