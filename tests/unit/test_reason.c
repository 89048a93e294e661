/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry of reasons reads well: every row has a symbol of its own, a
 * clause, a sentence and a cure, and a status that fits its category.
 */
#include "test.h"

#include <string.h>

#define SYMBOL_MAX 40

static void
test_symbols(void **state)
{
	enum lk_reason r, other;

	(void)state;
	for (r = LK_R_NONE; r < LK_R_COUNT; r++) {
		const char *symbol = lk_reason_info(r)->symbol;
		size_t n = strlen(symbol);

		if (n == 0 || n > SYMBOL_MAX || symbol[0] == '-' || symbol[n - 1] == '-' ||
			strstr(symbol, "--") ||
			strspn(symbol, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
			fail_msg("'%s' is no lower-case-dash symbol", symbol);
		for (other = LK_R_NONE; other < r; other++)
			assert_string_not_equal(symbol, lk_reason_info(other)->symbol);
		assert_int_equal(lk_reason_by_symbol(symbol), r);
	}
	assert_int_equal(lk_reason_by_symbol("no-such-reason"), LK_R_COUNT);
	assert_int_equal(lk_reason_by_symbol(""), LK_R_COUNT);
}

/* Begins with a capital or with a name of the protocol (idevid-issuer), ends with a full stop. */
static bool
is_sentence(const char *s)
{
	size_t n = strlen(s), first = strcspn(s, " ");
	bool is_name = memchr(s, '-', first) != NULL;

	return n > 3 && s[n - 1] == '.' && s[n - 2] != ' ' && !strchr(s, '\n') &&
	       ((s[0] >= 'A' && s[0] <= 'Z') || is_name);
}

static void
test_words(void **state)
{
	enum lk_reason r;

	(void)state;
	for (r = LK_R_NONE; r < LK_R_COUNT; r++) {
		const struct lk_reason_info *info = lk_reason_info(r);

		if (!is_sentence(info->sentence))
			fail_msg("%s: '%s' is no sentence", info->symbol, info->sentence);
		if (!is_sentence(info->cure))
			fail_msg("%s: '%s' is no sentence", info->symbol, info->cure);
		if (!info->clause.document[0] || !info->clause.section[0])
			fail_msg("%s: names no clause", info->symbol);
	}
}

static void
test_status(void **state)
{
	enum lk_reason r;

	(void)state;
	for (r = LK_R_NONE + 1; r < LK_R_COUNT; r++) {
		int http = lk_reason_http_status(r), code = lk_reason_exit_code(r);

		if (lk_reason_info(r)->category == LK_CAT_NONE)
			fail_msg("%s: is no failure", lk_reason_info(r)->symbol);
		/* 202: a human decides; 3xx is no refusal */
		if (http != 202 && (http < 400 || http > 599))
			fail_msg("%s: answers %d", lk_reason_info(r)->symbol, http);
		if (code < 1 || code > 8)
			fail_msg("%s: exits with %d", lk_reason_info(r)->symbol, code);
	}
	assert_int_equal(lk_reason_exit_code(LK_R_NONE), 0);
	assert_int_equal(lk_reason_http_status(LK_R_NONE), 200);
	assert_int_equal(lk_reason_http_status(LK_R_TOO_LARGE), 413);
	assert_int_equal(lk_reason_http_status(LK_R_VOUCHER_SERIAL), 403);
}

/* The exit codes are a promise to scripts. */
static void
test_categories(void **state)
{
	static const struct {
		enum lk_category category;
		const char *name;
		int exit_code;
	} want[LK_CAT_COUNT] = {
		{ LK_CAT_NONE, "none", 0 },
		{ LK_CAT_SYNTAX, "syntax", 1 },
		{ LK_CAT_POLICY, "policy", 1 },
		{ LK_CAT_CRYPTO, "crypto", 1 },
		{ LK_CAT_USAGE, "usage", 2 },
		{ LK_CAT_NOTFOUND, "not-found", 3 },
		{ LK_CAT_DENIED, "denied", 4 },
		{ LK_CAT_PEER, "peer", 5 },
		{ LK_CAT_AGAIN, "again", 6 },
		{ LK_CAT_IO, "io", 7 },
		{ LK_CAT_NOMEM, "nomem", 7 },
		{ LK_CAT_BUG, "bug", 8 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_CAT_COUNT; i++) {
		const struct lk_category_info *info = lk_category_info(want[i].category);

		assert_string_equal(info->name, want[i].name);
		assert_int_equal(info->exit_code, want[i].exit_code);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_categories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
