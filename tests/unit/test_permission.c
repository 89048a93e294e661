/* SPDX-License-Identifier: Apache-2.0
 *
 * The matrix of requirements 1.6, typed here a second time from its text: every
 * action for every party under every combination of facts.
 */
#include "test.h"

#include <string.h>

#include "lifecycle/permission.h"

/* One word a party, in the matrix's order: the paper's sixteen, TP RB, the four programs. */
static const struct {
	enum lk_permission row;
	const char *cells;
} matrix[] = {
	/*                     MF SI OW AO PU IN ON DM DU NO NA AW AI AM AU SP  TP RB  DV RG MA FA
	 */
	{ LK_PERMISSION_CREATE, "X C1 . . . . . . . . . . . . . .  . .  . . . X" },
	{ LK_PERMISSION_DECLARE, "X . R . . . . . . . . . . . . .  D D  . . X ." },
	{ LK_PERMISSION_PUBLISH_MUD, "X . . . . . . . . . . . . . . .  . D  . . . ." },
	{ LK_PERMISSION_NAME_FIRST_OWNER, "X . . . X . . . . . . . . . . .  . .  . . . X" },
	{ LK_PERMISSION_TRANSFER, "C2 . X . . . . . . . . . . . . .  . .  . . . ." },
	{ LK_PERMISSION_GRANT, "C2 . X R . . . . . . . . . . . .  . .  . . . ." },
	{ LK_PERMISSION_ONBOARD, "C2 C3 X CN . . X . . C4 . . . . . .  . .  . . . ." },
	{ LK_PERMISSION_APPOINT, ". . X . . . . . . . . . . . . .  . .  . . . ." },
	{ LK_PERMISSION_PLACE, ". . D . . X . . . . . . . . . .  . .  . . . ." },
	{ LK_PERMISSION_MAINTAIN, ". . . . . . . X . . . . . . . .  . .  . . . ." },
	{ LK_PERMISSION_DECOMMISSION, ". . X . . . . X . . . . . . . .  . .  . . . ." },
	{ LK_PERMISSION_USE, ". . X . . . . . X . . . . . . .  . .  . . . ." },
	{ LK_PERMISSION_INSTALL_NETWORK, ". . . . . . . . . X . . . . . .  . .  . . . ." },
	{ LK_PERMISSION_ADMINISTER, ". . . . . . . . . . X . . . . C5  . .  . . . ." },
	{ LK_PERMISSION_GRANT_APPLICATION, ". . X . . . . . . . . X . . . .  . .  . . . ." },
	{ LK_PERMISSION_INSTALL_APPLICATION, ". . . . . . . . . . . X X . . .  . .  . . . ." },
	{ LK_PERMISSION_RUN_APPLICATION, ". . . . . . . . . . . X . X . .  . .  . . . ." },
	{ LK_PERMISSION_USE_APPLICATION, ". . . . . . . . . . . X . . X .  . .  . . . ." },
	{ LK_PERMISSION_ERASE, ". . X . . . . X . . . . . . . .  . .  . . . ." },
	{ LK_PERMISSION_CONFIGURE_CRYPTO, ". . X . . . . X . . X . . . . .  . .  . . . ." },
	{ LK_PERMISSION_TAKE_PART, ". . . . . . . . . . . . . . . .  . .  C6 C7 . ." },
	{ LK_PERMISSION_READ_CREDENTIALS, ". . . . . . . . . . . . . . . .  . .  . . . ." },
};

static const struct {
	enum lk_cell cell;
	const char *word;
} words[] = {
	{ LK_CELL_NO, "." },
	{ LK_CELL_MAY, "X" },
	{ LK_CELL_REQUEST, "R" },
	{ LK_CELL_DELEGATED, "D" },
	{ LK_CELL_C1, "C1" },
	{ LK_CELL_C2, "C2" },
	{ LK_CELL_C3, "C3" },
	{ LK_CELL_C4, "C4" },
	{ LK_CELL_C5, "C5" },
	{ LK_CELL_C6, "C6" },
	{ LK_CELL_C7, "C7" },
	{ LK_CELL_OWN_NETWORK, "CN" },
};

#define ROW(symbol) (UINT32_C(1) << LK_PERMISSION_##symbol)
#define LOOKING                                                                                   \
	(ROW(ONBOARD) | ROW(APPOINT) | ROW(MAINTAIN) | ROW(DECOMMISSION) | ROW(INSTALL_NETWORK) | \
		ROW(ADMINISTER))

static const struct {
	enum lk_action action;
	const char *name;
	uint32_t rows;
} actions[] = {
	{ LK_ACTION_DEVICE_CREATE, "device.create", ROW(CREATE) },
	{ LK_ACTION_DEVICE_SELL, "device.sell", ROW(NAME_FIRST_OWNER) },
	{ LK_ACTION_VOUCHER_ISSUE, "voucher.issue", ROW(DECLARE) },
	{ LK_ACTION_NETWORK_INSTALL, "network.install", ROW(INSTALL_NETWORK) },
	{ LK_ACTION_MANUFACTURER_ADD, "manufacturer.add", ROW(ADMINISTER) },
	{ LK_ACTION_MANUFACTURER_DISTRUST, "manufacturer.distrust", ROW(ADMINISTER) },
	{ LK_ACTION_MANUFACTURER_REMOVE, "manufacturer.remove", ROW(ADMINISTER) },
	{ LK_ACTION_EST_CODE_NEW, "est.code.new", ROW(INSTALL_NETWORK) },
	{ LK_ACTION_EST_CODE_REVOKE, "est.code.revoke", ROW(INSTALL_NETWORK) },
	{ LK_ACTION_CRYPTO_CONFIGURE, "crypto.configure", ROW(CONFIGURE_CRYPTO) },
	{ LK_ACTION_DEVICE_ONBOARD, "device.onboard", ROW(ONBOARD) | ROW(TAKE_PART) },
	{ LK_ACTION_DEVICE_APPROVE, "device.approve", ROW(ONBOARD) },
	{ LK_ACTION_DEVICE_DENY, "device.deny", ROW(ONBOARD) | ROW(ADMINISTER) },
	{ LK_ACTION_DEVICE_ENROL, "device.enrol", ROW(ONBOARD) | ROW(TAKE_PART) },
	{ LK_ACTION_DEVICE_RENEW, "device.renew", ROW(MAINTAIN) | ROW(TAKE_PART) },
	{ LK_ACTION_DEVICE_COMMISSION, "device.commission", ROW(MAINTAIN) | ROW(TAKE_PART) },
	{ LK_ACTION_DEVICE_REVOKE, "device.revoke", ROW(MAINTAIN) | ROW(ERASE) },
	{ LK_ACTION_DEVICE_DECOMMISSION, "device.decommission", ROW(DECOMMISSION) },
	{ LK_ACTION_VIEW, "view", LOOKING },
	{ LK_ACTION_INSPECT, "inspect", LOOKING },
	{ LK_ACTION_READ_CREDENTIALS, "credentials.read", ROW(READ_CREDENTIALS) },
};

/* The word of a cell of the table above. */
static const char *
word_of(enum lk_permission row, enum lk_party party)
{
	static char word[4];
	const char *p;
	size_t i, n;

	for (i = 0; matrix[i].row != row; i++)
		;
	p = matrix[i].cells;
	for (i = 0; i < (size_t)party; i++) {
		p += strcspn(p, " ");
		p += strspn(p, " ");
	}
	n = strcspn(p, " ");
	assert_true(n > 0 && n < sizeof word);
	memcpy(word, p, n);
	word[n] = 0;
	return word;
}

/* What the word says under these facts: 0 no, 1 not here, 2 may ask, 3 yes. */
static int
verdict(const char *word, const struct lk_subject *s)
{
	static const struct {
		const char *word;
		size_t fact, other;
	} conditions[] = {
#define FACT(name) offsetof(struct lk_subject, name)
		{ "D", FACT(delegated), FACT(delegated) },
		{ "C1", FACT(at_integrator), FACT(at_integrator) },
		{ "C2", FACT(first_owner), FACT(first_owner) },
		{ "C3", FACT(owner), FACT(authorized_onboarder) },
		{ "C4", FACT(owner), FACT(authorized_onboarder) },
		{ "C5", FACT(hosts_service), FACT(hosts_service) },
		{ "C6", FACT(itself), FACT(itself) },
		{ "C7", FACT(admitted), FACT(admitted) },
		{ "CN", FACT(own_network), FACT(own_network) },
#undef FACT
	};
	const bool *facts = (const bool *)s;
	size_t i;

	if (strcmp(word, ".") == 0)
		return 0;
	if (strcmp(word, "R") == 0)
		return 2;
	for (i = 0; i < LK_ARRAY_LEN(conditions); i++)
		if (strcmp(word, conditions[i].word) == 0)
			return facts[conditions[i].fact] || facts[conditions[i].other] ? 3 : 1;
	assert_string_equal(word, "X");
	return 3;
}

static void
test_cells(void **state)
{
	enum lk_permission row;
	enum lk_party party;
	size_t i;

	(void)state;
	assert_int_equal(LK_ARRAY_LEN(matrix), LK_PERMISSION_COUNT);
	for (row = 0; row < LK_PERMISSION_COUNT; row++)
		for (party = 0; party < LK_PARTY_COUNT; party++) {
			for (i = 0; words[i].cell != lk_permission_cell(row, party); i++)
				;
			assert_string_equal(words[i].word, word_of(row, party));
		}
}

static void
test_actions(void **state)
{
	size_t i;

	(void)state;
	assert_int_equal(LK_ARRAY_LEN(actions), LK_ACTION_COUNT);
	for (i = 0; i < LK_ARRAY_LEN(actions); i++) {
		assert_string_equal(lk_action_name(actions[i].action), actions[i].name);
		assert_int_equal(lk_action_by_name(actions[i].name), actions[i].action);
		assert_int_equal(lk_action_permissions(actions[i].action), actions[i].rows);
	}
	assert_int_equal(lk_action_by_name("device.explode"), LK_ACTION_COUNT);
}

static void
assert_verdict(uint32_t parties, size_t action, const struct lk_subject *s, int want)
{
	static const enum lk_reason reasons[] = { LK_R_PERMISSION_DENIED, LK_R_PERMISSION_CONDITION,
		LK_R_PERMISSION_REQUEST, LK_R_NONE };
	const struct lk_actor actor = { parties, "somebody" };
	struct lk_err e = { .reason = LK_R_NONE };

	assert_int_equal(lk_authorise(&actor, actions[action].action, s, &e).ok, want == 3);
	if (actions[action].action == LK_ACTION_READ_CREDENTIALS)
		assert_int_equal(e.reason, LK_R_PERMISSION_NEVER);
	else
		assert_int_equal(e.reason, reasons[want]);
}

static void
test_every_cell(void **state)
{
	const size_t combinations = (size_t)1 << sizeof(struct lk_subject);
	size_t a, facts, i;

	(void)state;
	assert_int_equal(sizeof(struct lk_subject), 9); /* nine facts, and nothing else */
	for (a = 0; a < LK_ARRAY_LEN(actions); a++)
		for (facts = 0; facts < combinations; facts++) {
			struct lk_subject s = { 0 };
			enum lk_party party;

			for (i = 0; i < sizeof s; i++)
				((bool *)&s)[i] = facts >> i & 1;
			for (party = 0; party < LK_PARTY_COUNT; party++) {
				enum lk_permission row;
				int want = 0;

				for (row = 0; row < LK_PERMISSION_COUNT; row++)
					if (actions[a].rows & UINT32_C(1) << row) {
						int v = verdict(word_of(row, party), &s);

						want = v > want ? v : want;
					}
				assert_verdict(UINT32_C(1) << party, a, &s, want);
			}
		}
}

/* One person may be several parties: the best answer counts. Nobody is nobody. */
static void
test_several(void **state)
{
	const struct lk_subject none = { 0 }, admitted = { .admitted = true };
	const struct lk_actor nobody = { 0, "nobody" };
	const struct lk_actor cook = { LK_PARTY_BIT(DU) | LK_PARTY_BIT(AU), "cook" };
	const struct lk_actor home = { LK_PARTY_BIT(DU) | LK_PARTY_BIT(DM) | LK_PARTY_BIT(NA),
		"home" };
	const struct lk_actor device = { LK_PARTY_BIT(DV) | LK_PARTY_BIT(RG), "device" };
	enum lk_action action;
	struct lk_err e;

	(void)state;
	for (action = 0; action < LK_ACTION_READ_CREDENTIALS; action++)
		assert_refused(lk_authorise(&nobody, action, &none, &e), e, LK_R_PERMISSION_DENIED);
	assert_refused(
		lk_authorise(&cook, LK_ACTION_DEVICE_REVOKE, &none, &e), e, LK_R_PERMISSION_DENIED);
	assert_string_equal(e.msg, "cook may not do device.revoke");
	assert_true(lk_authorise(&home, LK_ACTION_DEVICE_REVOKE, &none, NULL).ok);
	assert_true(lk_authorise(&home, LK_ACTION_MANUFACTURER_ADD, &none, NULL).ok);
	assert_refused(
		lk_authorise(&home, LK_ACTION_DEVICE_SELL, &none, &e), e, LK_R_PERMISSION_DENIED);
	/* a device takes part in its onboarding, and decides nothing about it */
	assert_true(lk_authorise(&device, LK_ACTION_DEVICE_ENROL, &admitted, NULL).ok);
	assert_refused(lk_authorise(&device, LK_ACTION_DEVICE_APPROVE, &admitted, &e), e,
		LK_R_PERMISSION_DENIED);
	assert_refused(lk_authorise(&home, LK_ACTION_COUNT, &none, &e), e, LK_R_PERMISSION_DENIED);
	assert_refused(
		lk_authorise(&home, (enum lk_action) - 1, &none, &e), e, LK_R_PERMISSION_DENIED);
}

static void
test_never(void **state)
{
	const struct lk_actor all = { UINT32_MAX, "everybody" };
	struct lk_subject s;
	struct lk_err e;

	(void)state;
	memset(&s, 1, sizeof s);
	/*= G-11: no individual gets access to the credentials, not even the trusted onboarder =*/
	assert_refused(
		lk_authorise(&all, LK_ACTION_READ_CREDENTIALS, &s, &e), e, LK_R_PERMISSION_NEVER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_every_cell),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
