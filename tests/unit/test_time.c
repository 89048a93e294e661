/* SPDX-License-Identifier: Apache-2.0
 *
 * Points in time from text and back, and the clock that stands still.
 */
#include "test.h"

#include "base/time.h"

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t t;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2000-02-29T12:34:56Z", 951827696 },
		{ "2026-11-23T20:15:00Z", 1795464900 },
		{ "2038-01-19T03:14:08Z", INT64_C(2147483648) },
		{ "2100-02-28T23:59:59Z", INT64_C(4107542399) },
		{ "9999-12-31T23:59:59Z", LK_TIME_NEVER },
		/* as vouchers in the field write it */
		{ "2021-04-13T17:29:33.123456789Z", 1618334973 },
		{ "2021-04-13T17:29:33.090Z", 1618334973 },
		{ "2020-09-17T18:13:45.512-04:00", 1600380825 },
		/* the examples of RFC 3339 5.8 that lie behind 1970 */
		{ "1985-04-12T23:20:50.52Z", 482196050 },
		{ "1996-12-19T16:39:57-08:00", 851042397 },
		/*= RFC3339 5.7: a second may be the 60th =*/
		{ "1990-12-31T23:59:60Z", 662687999 },
		{ "1990-12-31T15:59:60-08:00", 662687999 },
		/*= RFC3339 5.6: T and Z may be lower case =*/
		{ "1985-04-12t23:20:50.52z", 482196050 },
		/*= RFC3339 4.2: the offset is subtracted to get UTC =*/
		{ "1970-01-01T00:20:00+00:20", 0 },
		{ "1970-01-01T00:00:00-00:00", 0 },
	};
	int64_t t;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(good); i++) {
		assert_true(lk_time_parse(lk_slice_str(good[i].text), &t, NULL).ok);
		assert_true(t == good[i].t);
	}
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "", "2026", "2026-11-23", "2026-11-23T20:15:00",
		"2026-11-23 20:15:00Z", "2026-11-23T20:15Z", "20261123T201500Z",
		"2026-11-23T20:15:00ZZ", "2026-11-23T20:15:00Z ", " 2026-11-23T20:15:00Z",
		"2026-1-23T20:15:00Z", "+2026-11-23T20:15:00Z", "02026-11-23T20:15:00Z",
		"2026-11-23T20:15:00UTC", "2026-11-23T20:15:00+0100", "2026-11-23T20:15:00+01",
		"2026-11-23T20:15:00+24:00", "2026-11-23T20:15:00+01:60", "2026-11-23T20:15:00,5Z",
		"2026-11-23T20:15:00?01:00", "2026-1a-23T20:15:00Z", "2026-1/-23T20:15:00Z",
		/*= RFC3339 5.6: a fraction has one digit or more =*/
		"2026-11-23T20:15:00.Z",
		/*= RFC3339 5.7: the day exists in that month of that year =*/
		"2026-00-23T20:15:00Z", "2026-13-23T20:15:00Z", "2026-11-00T20:15:00Z",
		"2026-11-31T20:15:00Z", "2026-02-29T20:15:00Z", "2100-02-29T20:15:00Z",
		"2026-11-23T24:00:00Z", "2026-11-23T20:60:00Z", "2026-11-23T20:15:61Z",
		/* before the first year and behind the last; the year counts as it is written */
		"1969-12-31T16:00:00-08:00", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00Z" };
	struct lk_err e;
	int64_t t = 7;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++)
		assert_refused(lk_time_parse(lk_slice_str(bad[i]), &t, &e), e, LK_R_SYNTAX_TIME);
	assert_refused(
		lk_time_parse(LK_SLICE_LIT("2026-11-23T20:15:00Z\0"), &t, &e), e, LK_R_SYNTAX_TIME);
	assert_int_equal(t, 7);
}

/* Every truncation of a good one is refused. */
static void
test_truncated(void **state)
{
	static const char whole[] = "2026-11-23T20:15:00.5+01:00";
	struct lk_err e;
	int64_t t = 7;
	size_t n;

	(void)state;
	for (n = 0; n < sizeof whole - 1; n++)
		assert_refused(lk_time_parse(lk_slice(whole, n), &t, &e), e, LK_R_SYNTAX_TIME);
	assert_int_equal(t, 7);
	assert_true(lk_time_parse(lk_slice(whole, n), &t, NULL).ok);
}

/* Print and parse are inverse on the first second of every day of 1970 to 9999, a sample. */
static void
test_print(void **state)
{
	char text[LK_TIME_TEXT_MAX];
	int64_t t, again;

	(void)state;
	for (t = 0; t <= LK_TIME_NEVER; t += 86400 * 97 + 1) {
		lk_time_print(t, text);
		assert_true(lk_time_parse(lk_slice_str(text), &again, NULL).ok);
		assert_true(again == t);
	}
	lk_time_print(LK_TIME_NEVER, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	lk_time_print(LK_TIME_NEVER + 1, text);
	assert_string_equal(text, "(no time)");
	lk_time_print(-1, text);
	assert_string_equal(text, "(no time)");
}

static void
test_clocks(void **state)
{
	struct lk_clock_fixed f;
	int64_t before;

	(void)state;
	lk_clock_fixed_init(&f, 42);
	assert_int_equal(lk_now(&f.clock), 42);
	assert_int_equal(f.clock.monotonic_ms(&f.clock), 0);
	f.seconds++;
	f.ms = 5;
	assert_int_equal(lk_now(&f.clock), 43);
	assert_int_equal(f.clock.monotonic_ms(&f.clock), 5);

	assert_true(lk_now(&lk_clock_system) > 1700000000);
	before = lk_clock_system.monotonic_ms(&lk_clock_system);
	assert_true(lk_clock_system.monotonic_ms(&lk_clock_system) >= before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
