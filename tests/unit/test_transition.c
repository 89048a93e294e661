/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole machine against requirements 1.5, typed here a second time: every
 * state with every event, and every guard of every way with its fact missing.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "lifecycle/transition.h"

/* What a way needs, a letter a fact; the reason that answers when it is not so. */
static const struct need {
	char letter;
	size_t fact; /* in struct lk_guards */
	enum lk_reason reason;
} needs[] = {
	/*= LC-1: ownership passes by the owner's word only =*/
	{ 'o', offsetof(struct lk_guards, by_owner), LK_R_LIFECYCLE_OWNER },
	/*= LC-1: a device has one owner at any time =*/
	{ '1', offsetof(struct lk_guards, one_owner), LK_R_LIFECYCLE_ONE_OWNER },
	{ 'u', offsetof(struct lk_guards, not_in_use), LK_R_LIFECYCLE_TRANSFER },
	/*= LC-2: all but the bootstrapping credentials is erased before a transfer =*/
	{ 'e', offsetof(struct lk_guards, erased), LK_R_LIFECYCLE_ERASED },
	/*= LC-3: the declaration names the new owner and is signed again =*/
	{ 'd', offsetof(struct lk_guards, declared), LK_R_LIFECYCLE_OWNER_DECLARED },
	/*= LC-4: the declaration names the authorized onboarders and is signed again =*/
	{ 'D', offsetof(struct lk_guards, declared), LK_R_LIFECYCLE_GRANT_DECLARED },
	/*= LC-5: after decommissioning only bootstrapping credentials remain =*/
	{ 'E', offsetof(struct lk_guards, erased), LK_R_LIFECYCLE_BARE },
	/*= LC-5: the application manager confirms that application data is erased =*/
	{ 'a', offsetof(struct lk_guards, application_erased), LK_R_LIFECYCLE_APPLICATION_DATA },
	/*= LC-6: a decommissioned device is isolated from the network =*/
	{ 'i', offsetof(struct lk_guards, isolated), LK_R_LIFECYCLE_ISOLATED },
	{ 'n', offsetof(struct lk_guards, integrator_entitled), LK_R_LIFECYCLE_INTEGRATOR },
	{ 'c', offsetof(struct lk_guards, disconnected), LK_R_LIFECYCLE_DISCONNECTED },
	{ 'h', offsetof(struct lk_guards, homologated), LK_R_LIFECYCLE_HOMOLOGATION },
	{ 'b', offsetof(struct lk_guards, onboarded), LK_R_LIFECYCLE_ONBOARDED },
	{ 't', offsetof(struct lk_guards, transferred), LK_R_LIFECYCLE_TRANSFERRED },
};

#define TRANSFER "o1ued"

static const struct way {
	const char *name, *from, *event, *to, *needs, *by;
} ways[] = {
	/*= T1: production starts =*/
	{ "T1", "S1", "production-starts", "S2", "", "MF" },
	/*= T2: passed to an integrator that is owner or authorized onboarder =*/
	{ "T2", "S2", "handed-to-integrator", "S2A", "n", "MF" },
	/*= T3: integration is done, the device is off the integrator's network and handed back =*/
	{ "T3", "S2A", "handed-back", "S2", "c", "SI" },
	/*= T4: passed on to the next integrator =*/
	{ "T4", "S2A", "handed-to-integrator", "S2A", "nc", "MF" },
	/*= T5: homologation is certified and production complete =*/
	{ "T5", "S2", "rebranding", "S3", "h", "MF" },
	{ "T5", "S2", "shipped", "S4", "h", "MF" },
	{ "T5", "S2", "stored", "S5", "h", "MF" },
	{ "T5", "S2", "shelved", "S6", "h", "MF" },
	/*= T6: moves between supply-chain states in any order, through transport =*/
	{ "T6", "S3", "shipped", "S4", "", "" },
	{ "T6", "S5", "shipped", "S4", "", "" },
	{ "T6", "S6", "shipped", "S4", "", "" },
	{ "T6", "S4", "handed-to-integrator", "S2A", "n", "" },
	{ "T6", "S4", "rebranding", "S3", "", "" },
	{ "T6", "S4", "stored", "S5", "", "" },
	{ "T6", "S4", "shelved", "S6", "", "" },
	/*= T7: acquired by the first post-production owner =*/
	{ "T7", "S4", "acquired", "S7", TRANSFER, "PU" },
	{ "T7", "S5", "acquired", "S7", TRANSFER, "PU" },
	{ "T7", "S6", "acquired", "S7", TRANSFER, "PU" },
	/*= T8: installed =*/
	{ "T8", "S7", "installed", "S8", "", "IN" },
	/*= T9: a sealed or unreachable device is onboarded first and installed after =*/
	{ "T9", "S4", "acquired-sealed", "S8", TRANSFER, "ON" },
	{ "T9", "S5", "acquired-sealed", "S8", TRANSFER, "ON" },
	{ "T9", "S6", "acquired-sealed", "S8", TRANSFER, "ON" },
	{ "T9", "S8", "installed", "S7", "b", "ON" },
	{ "T9", "S7", "connected", "S9", "b", "ON" },
	/*= T10: Connect =*/
	{ "T10", "S8", "connected", "S9", "b", "DM" },
	/*= T11: application-layer onboarding follows at once =*/
	{ "T11", "S9", "application-onboarding-starts", "S10", "", "DV" },
	/*= T12: Execute Application =*/
	{ "T12", "S10", "application-executes", "S11", "", "AM DV" },
	/*= T13: maintenance that needs no disconnection =*/
	{ "T13", "S11", "maintenance-starts", "S13", "", "DM" },
	/*= Requirements 1.3.7: renewal is an event S11 to S13, refused from any other state =*/
	{ "T13", "S11", "credential-renewal-starts", "S13", "", "DM DV" },
	/*= T14: maintenance is done and the application untouched =*/
	{ "T14", "S13", "maintenance-ends", "S11", "", "DM" },
	{ "T14", "S13", "credential-renewal-ends", "S11", "", "DM DV" },
	/*= T15: maintenance is done and the application patched or reconfigured =*/
	{ "T15", "S13", "maintenance-changed-application", "S10", "", "AM" },
	/*= T16: Disconnect for maintenance =*/
	{ "T16", "S11", "disconnected", "S12", "", "DM" },
	/*= T17: reinstalled =*/
	{ "T17", "S12", "reinstallation", "S7", "", "IN" },
	/*= T18: always onboarded again, never straight back to operation =*/
	{ "T18", "S12", "re-onboarding", "S8", "", "ON" },
	/*= T19: support is withdrawn =*/
	{ "T19", "S11", "support-ends", "S14", "", "MF SI" },
	{ "T19", "S12", "support-ends", "S14", "", "MF SI" },
	{ "T19", "S13", "support-ends", "S14", "", "MF SI" },
	/*= T20: an unsupported device that is disconnected is decommissioned =*/
	{ "T20", "S14", "disconnected", "S15", "", "DM" },
	{ "T20", "S14", "decommissioning-starts", "S15", "", "DM" },
	/*= T21: Break, beyond repair, from any state of use =*/
	{ "T21", "S7", "broken", "S15", "", "" },
	{ "T21", "S8", "broken", "S15", "", "" },
	{ "T21", "S9", "broken", "S15", "", "" },
	{ "T21", "S10", "broken", "S15", "", "" },
	{ "T21", "S11", "broken", "S15", "", "" },
	{ "T21", "S12", "broken", "S15", "", "" },
	{ "T21", "S13", "broken", "S15", "", "" },
	{ "T21", "S14", "broken", "S15", "", "" },
	/*= T22: decision to decommission =*/
	{ "T22", "S9", "decommissioning-starts", "S15", "", "DM" },
	{ "T22", "S10", "decommissioning-starts", "S15", "", "DM" },
	{ "T22", "S11", "decommissioning-starts", "S15", "", "DM" },
	{ "T22", "S12", "decommissioning-starts", "S15", "", "DM" },
	{ "T22", "S13", "decommissioning-starts", "S15", "", "DM" },
	/*= T23: non-functional, useless, or never networked again =*/
	{ "T23", "S15", "retired", "S16", "i", "DM" },
	/*= T24: Repurpose for a new network of the same owner =*/
	{ "T24", "S15", "repurposed-for-another-network", "S7", "Eai", "DM" },
	/*= T25: Repurpose for a new role on the same network =*/
	{ "T25", "S15", "repurposed-for-another-role", "S8", "Eai", "DM" },
	/*= T26: Transfer Ownership, then Repurpose =*/
	{ "T26", "S15", "repurposed-by-its-new-owner", "S7", "Eait", "OW DM" },
	/*= LC-1: ownership passes before onboarding or after decommissioning, not between =*/
	/*= LC-8: an integrator is given a device as a buyer is: same event, same guards =*/
	{ "LC1", "S2", "ownership-transferred", "S2", TRANSFER, "OW" },
	{ "LC1", "S2A", "ownership-transferred", "S2A", TRANSFER, "OW" },
	{ "LC1", "S3", "ownership-transferred", "S3", TRANSFER, "OW" },
	{ "LC1", "S4", "ownership-transferred", "S4", TRANSFER, "OW" },
	{ "LC1", "S5", "ownership-transferred", "S5", TRANSFER, "OW" },
	{ "LC1", "S6", "ownership-transferred", "S6", TRANSFER, "OW" },
	{ "LC1", "S7", "ownership-transferred", "S7", TRANSFER, "OW" },
	{ "LC1", "S15", "ownership-transferred", "S15", TRANSFER, "OW" },
};

/*= LC-4: the owner authorizes onboarders in any state =*/
static const struct way grant = { "LC4", "?", "onboarder-authorized", "?", "oD", "OW" };

static const struct lk_guards all_so = { .by_owner = true,
	.one_owner = true,
	.erased = true,
	.declared = true,
	.application_erased = true,
	.isolated = true,
	.integrator_entitled = true,
	.disconnected = true,
	.homologated = true,
	.onboarded = true,
	.transferred = true,
	.not_in_use = true };

static const struct way *
way_of(enum lk_state s, enum lk_event_kind event)
{
	size_t i;

	if (event == LK_EVENT_GRANT)
		return &grant;
	for (i = 0; i < LK_ARRAY_LEN(ways); i++)
		if (strcmp(ways[i].from, lk_state_info(s)->symbol) == 0 &&
			strcmp(ways[i].event, lk_event_name(event)) == 0)
			return &ways[i];
	return NULL;
}

static enum lk_reason
refusal_of(enum lk_state s, enum lk_event_kind event)
{
	if (s == LK_STATE_S16)
		return LK_R_LIFECYCLE_ENDED;
	if (event == LK_EVENT_RENEW || event == LK_EVENT_RENEWED)
		return LK_R_LIFECYCLE_RENEWAL;
	return event == LK_EVENT_TRANSFER ? LK_R_LIFECYCLE_TRANSFER : LK_R_LIFECYCLE_EVENT;
}

static void
assert_refused_untouched(
	enum lk_state s, enum lk_event_kind event, const struct lk_guards *g, enum lk_reason reason)
{
	enum lk_state next = LK_STATE_S1;
	enum lk_transition_id id = LK_T1;
	struct lk_err e;

	assert_refused(lk_transition(s, event, g, &next, &id, &e), e, reason);
	assert_int_equal(next, LK_STATE_S1);
	assert_int_equal(id, LK_T1);
}

/* Each fact alone is missing: refused for it if the way needs it, taken otherwise. */
static void
try_facts(enum lk_state s, enum lk_event_kind event, const struct way *w)
{
	enum lk_transition_id id;
	enum lk_state next;
	size_t i, j;

	for (i = 0; i < LK_ARRAY_LEN(needs); i++) {
		struct lk_guards g = all_so;
		const struct need *asked = NULL;

		*((bool *)&g + needs[i].fact) = false;
		for (j = 0; j < LK_ARRAY_LEN(needs); j++)
			if (needs[j].fact == needs[i].fact && strchr(w->needs, needs[j].letter))
				asked = &needs[j];
		if (asked)
			assert_refused_untouched(s, event, &g, asked->reason);
		else
			assert_true(lk_transition(s, event, &g, &next, &id, NULL).ok);
	}
}

static void
test_every_pair(void **state)
{
	size_t taken = 0;
	unsigned s;

	(void)state;
	for (s = 1; s < LK_STATE_END; s++) {
		enum lk_event_kind event;

		for (event = 0; event < LK_EVENT_COUNT; event++) {
			const struct way *w = way_of((enum lk_state)s, event);
			enum lk_state next = LK_STATE_ANY;
			enum lk_transition_id id = 0;

			if (!w) {
				assert_refused_untouched((enum lk_state)s, event, &all_so,
					refusal_of((enum lk_state)s, event));
				continue;
			}
			assert_true(
				lk_transition((enum lk_state)s, event, &all_so, &next, &id, NULL)
					.ok);
			assert_string_equal(lk_state_info(next)->symbol,
				w == &grant ? lk_state_info((enum lk_state)s)->symbol : w->to);
			try_facts((enum lk_state)s, event, w);
			taken++;
		}
	}
	assert_int_equal(taken, LK_ARRAY_LEN(ways) + 17);
}

static void
test_ids(void **state)
{
	enum lk_transition_id id;
	enum lk_state next;

	(void)state;
	assert_true(lk_transition(LK_STATE_S8, LK_EVENT_CONNECT, &all_so, &next, &id, NULL).ok);
	assert_int_equal(id, LK_T10);
	assert_true(lk_transition(LK_STATE_S7, LK_EVENT_CONNECT, &all_so, &next, &id, NULL).ok);
	assert_int_equal(id, LK_T9);
	assert_true(lk_transition(LK_STATE_S3, LK_EVENT_GRANT, &all_so, &next, &id, NULL).ok);
	assert_int_equal(id, LK_LC4);
}

/* Names, causes and lines of the rows; one row a state and event. */
static void
test_rows(void **state)
{
	size_t i, j, n;
	const struct lk_transition_row *rows = lk_transition_rows(&n);

	(void)state;
	assert_int_equal(n, LK_ARRAY_LEN(ways) + 1);
	for (i = 0; i < n; i++) {
		const struct way *w = way_of(rows[i].from, rows[i].event);
		enum lk_transition_id id;
		enum lk_state next;
		uint32_t parties = 0;
		char number[8];

		assert_non_null(w);
		assert_string_equal(rows[i].name, w->name);
		if (w->name[0] == 'T') {
			snprintf(number, sizeof number, "T%d", (int)rows[i].id);
			assert_string_equal(number, w->name);
		}
		for (j = 0; j < LK_PARTY_COUNT; j++)
			if (strstr(w->by, lk_party_info((enum lk_party)j)->symbol))
				parties |= UINT32_C(1) << j;
		assert_int_equal(rows[i].parties, parties);
		assert_int_not_equal(rows[i].lines[0], 0);
		if (w != &grant) {
			assert_true(lk_transition(
				rows[i].from, rows[i].event, &all_so, &next, &id, NULL)
					    .ok);
			assert_int_equal(id, rows[i].id);
		}
		for (j = 0; j < i; j++)
			assert_false(
				rows[i].from == rows[j].from && rows[i].event == rows[j].event);
	}
}

static void
test_no_state(void **state)
{
	static const int none[] = { -1, 0, 18, 99 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(none); i++) {
		assert_refused_untouched(
			(enum lk_state)none[i], LK_EVENT_GRANT, &all_so, LK_R_LIFECYCLE_STATE);
		assert_refused_untouched(
			(enum lk_state)none[i], LK_EVENT_CONNECT, &all_so, LK_R_LIFECYCLE_STATE);
	}
}

static void
test_message(void **state)
{
	const struct lk_guards none = { 0 };
	enum lk_transition_id id;
	enum lk_state next;
	struct lk_err e;

	(void)state;
	assert_refused(lk_transition(LK_STATE_S8, LK_EVENT_CONNECT, &none, &next, &id, &e), e,
		LK_R_LIFECYCLE_ONBOARDED);
	assert_string_equal(e.msg,
		"T10: event connected in state S8 onboarding: it has no credential "
		"of this network");
	assert_refused(lk_transition(LK_STATE_S12, LK_EVENT_MAINTAINED, &all_so, &next, &id, &e), e,
		LK_R_LIFECYCLE_EVENT);
	assert_string_equal(e.msg, "event maintenance-ends in state S12 maintenance-disconnected");
}

static void
test_skip(void **state)
{
	const struct lk_guards none = { 0 };
	static const struct {
		enum lk_state from, to;
		bool may;
	} cases[] = {
		/* the supply chain may be unknown, up to the first onboarding */
		{ LK_STATE_S1, LK_STATE_S7, true },
		{ LK_STATE_S1, LK_STATE_S8, true },
		{ LK_STATE_S2, LK_STATE_S6, true },
		{ LK_STATE_S3, LK_STATE_S5, true },
		{ LK_STATE_S6, LK_STATE_S2A, true },
		/* a preloaded application, a device that is repurposed in its place */
		{ LK_STATE_S9, LK_STATE_S11, true },
		{ LK_STATE_S13, LK_STATE_S11, true },
		{ LK_STATE_S15, LK_STATE_S8, true },
		/* a neighbour is no skip, and no harm */
		{ LK_STATE_S8, LK_STATE_S9, true },
		/* onboarding, connection, erasure are never passed over */
		{ LK_STATE_S1, LK_STATE_S9, true }, /* by S7, onboarded while sealed: T9 */
		{ LK_STATE_S1, LK_STATE_S10, false },
		{ LK_STATE_S8, LK_STATE_S10, false },
		{ LK_STATE_S8, LK_STATE_S11, false },
		{ LK_STATE_S12, LK_STATE_S11, false },
		{ LK_STATE_S12, LK_STATE_S13, false },
		{ LK_STATE_S11, LK_STATE_S8, false },
		{ LK_STATE_S11, LK_STATE_S7, false },
		{ LK_STATE_S11, LK_STATE_S16, false },
		{ LK_STATE_S9, LK_STATE_S2, false },
		{ LK_STATE_S16, LK_STATE_S7, false },
		{ LK_STATE_S16, LK_STATE_S16, false },
	};
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(cases); i++) {
		/*= LC-7: states may be passed over, with a reason =*/
		assert_refused(lk_transition_skip(cases[i].from, cases[i].to, "", &all_so, &e), e,
			LK_R_LIFECYCLE_SKIP_REASON);
		assert_refused(lk_transition_skip(cases[i].from, cases[i].to, NULL, &all_so, &e), e,
			LK_R_LIFECYCLE_SKIP_REASON);
		if (cases[i].may)
			assert_true(
				lk_transition_skip(cases[i].from, cases[i].to, "why", &all_so, NULL)
					.ok);
		else
			assert_refused(
				lk_transition_skip(cases[i].from, cases[i].to, "why", &all_so, &e),
				e, LK_R_LIFECYCLE_SKIP);
	}
	/* guards on the way hold, too: nobody passes a homologation over, or an onboarding */
	assert_refused(lk_transition_skip(LK_STATE_S1, LK_STATE_S4, "why", &none, &e), e,
		LK_R_LIFECYCLE_SKIP);
	assert_refused(lk_transition_skip(LK_STATE_S12, LK_STATE_S9, "why", &none, &e), e,
		LK_R_LIFECYCLE_SKIP);
	assert_refused(lk_transition_skip((enum lk_state)99, LK_STATE_S8, "why", &all_so, &e), e,
		LK_R_LIFECYCLE_STATE);
	assert_refused(lk_transition_skip(LK_STATE_S8, LK_STATE_ANY, "why", &all_so, &e), e,
		LK_R_LIFECYCLE_STATE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_state),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_skip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
