/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 3339 times and the two clocks.
 */
#include "base/time.h"

#include <stdio.h>
#include <time.h>

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar. */
static int64_t
days_from_civil(int64_t y, unsigned m, unsigned d)
{
	int64_t era;
	unsigned yoe, doy, doe;

	y -= m <= 2;
	era = y / 400;
	yoe = (unsigned)(y - era * 400);
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + (int64_t)doe - 719468;
}

static unsigned
days_in_month(unsigned y, unsigned m)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return m == 2 && leap ? 29 : days[m - 1];
}

/* Reads n digits at *i; the caller has seen that they are there. */
static struct lk_result
digits(struct lk_slice in, size_t *i, unsigned n, unsigned *ret, struct lk_err *e)
{
	unsigned v = 0;

	for (; n; n--, (*i)++) {
		LK_REQUIRE(*i < in.n && in.p[*i] >= '0' && in.p[*i] <= '9', e, LK_R_SYNTAX_TIME,
			"a digit is missing at offset %zu", *i);
		v = v * 10 + in.p[*i] - '0';
	}
	*ret = v;
	return LK_OK;
}

static struct lk_result
literal(struct lk_slice in, size_t *i, char c, struct lk_err *e)
{
	/*= RFC3339 5.6: T and Z may be lower case =*/
	LK_REQUIRE(*i < in.n && (in.p[*i] == c || (c == 'T' && in.p[*i] == 't')), e,
		LK_R_SYNTAX_TIME, "'%c' is missing at offset %zu", c, *i);
	(*i)++;
	return LK_OK;
}

/* time-offset = "Z" / ("+" / "-") time-hour ":" time-minute; returns it in seconds. */
static struct lk_result
offset(struct lk_slice in, size_t *i, int64_t *ret, struct lk_err *e)
{
	unsigned h, m;
	int sign;

	LK_REQUIRE(*i < in.n, e, LK_R_SYNTAX_TIME, "the time zone is missing");
	if (in.p[*i] == 'Z' || in.p[*i] == 'z') {
		(*i)++;
		*ret = 0;
		return LK_OK;
	}
	LK_REQUIRE(in.p[*i] == '+' || in.p[*i] == '-', e, LK_R_SYNTAX_TIME,
		"the time zone is missing at offset %zu", *i);
	sign = in.p[(*i)++] == '-' ? -1 : 1;
	LK_TRY(digits(in, i, 2, &h, e));
	LK_TRY(literal(in, i, ':', e));
	LK_TRY(digits(in, i, 2, &m, e));
	LK_REQUIRE(h < 24 && m < 60, e, LK_R_SYNTAX_TIME, "there is no time zone %02u:%02u", h, m);
	*ret = sign * (int64_t)(h * 3600 + m * 60);
	return LK_OK;
}

struct lk_result
lk_time_parse(struct lk_slice in, int64_t *ret_time, struct lk_err *e)
{
	unsigned year, month, day, hour, minute, second;
	int64_t zone, t;
	size_t i = 0;

	LK_TRY(digits(in, &i, 4, &year, e));
	LK_TRY(literal(in, &i, '-', e));
	LK_TRY(digits(in, &i, 2, &month, e));
	LK_TRY(literal(in, &i, '-', e));
	LK_TRY(digits(in, &i, 2, &day, e));
	LK_TRY(literal(in, &i, 'T', e));
	LK_TRY(digits(in, &i, 2, &hour, e));
	LK_TRY(literal(in, &i, ':', e));
	LK_TRY(digits(in, &i, 2, &minute, e));
	LK_TRY(literal(in, &i, ':', e));
	LK_TRY(digits(in, &i, 2, &second, e));
	/*= RFC3339 5.6: a fraction has one digit or more =*/
	if (i < in.n && in.p[i] == '.') {
		size_t first = ++i;

		while (i < in.n && in.p[i] >= '0' && in.p[i] <= '9')
			i++;
		LK_REQUIRE(i > first, e, LK_R_SYNTAX_TIME, "no digit follows the decimal point");
	}
	LK_TRY(offset(in, &i, &zone, e));
	LK_REQUIRE(i == in.n, e, LK_R_SYNTAX_TIME, "%zu characters follow the time", in.n - i);
	/*= RFC3339 5.7: the day exists in that month of that year =*/
	LK_REQUIRE(year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
			   day <= days_in_month(year, month),
		e, LK_R_SYNTAX_TIME, "there is no day %04u-%02u-%02u", year, month, day);
	/*= RFC3339 5.7: a second may be the 60th =*/
	LK_REQUIRE(hour < 24 && minute < 60 && second <= 60, e, LK_R_SYNTAX_TIME,
		"there is no time %02u:%02u:%02u", hour, minute, second);
	/*= RFC3339 4.2: the offset is subtracted to get UTC =*/
	t = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 +
	    (second == 60 ? 59 : second) - zone;
	LK_REQUIRE(t >= 0 && t <= LK_TIME_NEVER, e, LK_R_SYNTAX_TIME,
		"the time is outside the years 1970 to 9999");
	*ret_time = t;
	return LK_OK;
}

void
lk_time_print(int64_t t, char dst[static LK_TIME_TEXT_MAX])
{
	time_t tt = (time_t)t;
	struct tm tm;

	if (t < 0 || t > LK_TIME_NEVER || !gmtime_r(&tt, &tm)) {
		snprintf(dst, LK_TIME_TEXT_MAX, "(no time)");
		return;
	}
	strftime(dst, LK_TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static int64_t
system_now(const struct lk_clock *self)
{
	(void)self;
	return (int64_t)time(NULL);
}

static int64_t
system_monotonic_ms(const struct lk_clock *self)
{
	struct timespec ts;

	(void)self;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

const struct lk_clock lk_clock_system = { system_now, system_monotonic_ms };

static int64_t
fixed_now(const struct lk_clock *self)
{
	return ((const struct lk_clock_fixed *)self)->seconds;
}

static int64_t
fixed_monotonic_ms(const struct lk_clock *self)
{
	return ((const struct lk_clock_fixed *)self)->ms;
}

void
lk_clock_fixed_init(struct lk_clock_fixed *f, int64_t seconds)
{
	*f = (struct lk_clock_fixed){ { fixed_now, fixed_monotonic_ms }, seconds, 0 };
}
