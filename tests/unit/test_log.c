/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines as they reach standard error, in both forms. Foreign bytes cannot
 * end a line, add a pair or break the JSON.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

#define TEXT_MAX 8192

static struct lk_clock_fixed now;
static int was_stderr, captured;

static void
start(enum lk_log_level least, enum lk_log_format format)
{
	lk_clock_fixed_init(&now, 1795464900); /* 2026-11-23T20:15:00Z */
	lk_log_setup("keeper", least, format, &now.clock);
	captured = memfd_create("log", MFD_CLOEXEC);
	was_stderr = dup(STDERR_FILENO);
	assert_true(captured >= 0 && was_stderr >= 0);
	assert_true(dup2(captured, STDERR_FILENO) >= 0);
}

static const char *
stop(void)
{
	static char text[TEXT_MAX];
	ssize_t n;

	dup2(was_stderr, STDERR_FILENO);
	close(was_stderr);
	n = pread(captured, text, sizeof text - 1, 0);
	close(captured);
	assert_true(n >= 0);
	text[n] = 0;
	return text;
}

static void
test_text(void **state)
{
	(void)state;
	start(LK_LOG_INFO, LK_LOG_TEXT);
	lk_log(LK_LOG_INFO, "listening", "port", "8443", "peer", NULL, "name", "a b", "none", "",
		NULL);
	lk_log(LK_LOG_DEBUG, "unseen", NULL);
	lk_log(LK_LOG_ERROR, "bare", NULL);
	assert_string_equal(stop(),
		"2026-11-23T20:15:00Z info keeper listening port=8443 name=\"a b\" none=\"\"\n"
		"2026-11-23T20:15:00Z error keeper bare\n");
}

static void
test_json(void **state)
{
	(void)state;
	start(LK_LOG_INFO, LK_LOG_JSON);
	lk_log(LK_LOG_NOTICE, "seen", "name", "a\"b\\c\n\x80", NULL);
	assert_string_equal(stop(),
		"{\"time\":\"2026-11-23T20:15:00Z\",\"level\":\"notice\",\"role\":\"keeper\","
		"\"event\":\"seen\",\"name\":\"a\\\"b\\\\c\\u000a\\u0080\"}\n");
}

static void
test_forged(void **state)
{
	(void)state;
	start(LK_LOG_INFO, LK_LOG_TEXT);
	lk_log(LK_LOG_INFO, "seen", "device", "x\n2026-11-23T20:15:00Z error keeper y", "b", "c=d",
		"e", "\x1b[2J\x7f", NULL);
	assert_string_equal(stop(), "2026-11-23T20:15:00Z info keeper seen "
				    "device=\"x\\u000a2026-11-23T20:15:00Z error keeper y\" "
				    "b=\"c=d\" e=\"\\u001b[2J\\u007f\"\n");
}

static void
test_failure(void **state)
{
	struct lk_err e;

	(void)state;
	lk_err_set(&e, LK_R_VOUCHER_SERIAL, "serial-number is %s, want %s", "X", "Y");
	start(LK_LOG_INFO, LK_LOG_TEXT);
	lk_log_err(&e, "device", "Y", NULL);
	assert_string_equal(stop(),
		"2026-11-23T20:15:00Z notice keeper voucher-serial device=Y "
		"msg=\"serial-number is X, want Y\" clause=\"RFC 8995 5.6.1\"\n");
	start(LK_LOG_ERROR, LK_LOG_TEXT);
	lk_log_err(&e, NULL);
	assert_string_equal(stop(), "");
}

/* The last word of a process that could not go on says what helps. */
static void
test_fatal(void **state)
{
	struct lk_err e;

	(void)state;
	lk_err_set(&e, LK_R_FILE_MISSING, "cannot open x");
	start(LK_LOG_ERROR, LK_LOG_TEXT);
	lk_log_err(&e, NULL); /* nothing to worry about where it is a peer's */
	lk_log_fatal(&e);
	assert_string_equal(stop(),
		"2026-11-23T20:15:00Z error keeper file-missing msg=\"cannot open x\" "
		"clause=\"Latchkey files\" cure=\"Check the path.\"\n");
}

/* A long value is cut, and a pair that no longer fits is left out whole. */
static void
test_long(void **state)
{
	char letters[600], bytes[600], want[TEXT_MAX];
	const char *text;

	(void)state;
	memset(letters, 'x', sizeof letters - 1);
	letters[sizeof letters - 1] = 0;
	memset(bytes, 1, sizeof bytes - 1);
	bytes[sizeof bytes - 1] = 0;

	start(LK_LOG_INFO, LK_LOG_TEXT);
	lk_log(LK_LOG_INFO, "long", "a", letters, "b", "1", NULL);
	snprintf(want, sizeof want, "2026-11-23T20:15:00Z info keeper long a=\"%.512s\" b=1\n",
		letters);
	assert_string_equal(stop(), want);

	/* 512 bytes as \u0001 are 3072 characters: once they fit, not twice */
	start(LK_LOG_INFO, LK_LOG_JSON);
	lk_log(LK_LOG_INFO, "long", "a", letters, "b", bytes, "c", bytes, "d", "1", NULL);
	text = stop();
	assert_non_null(strstr(text, "\\u0001\",\"d\":\"1\"}\n"));
	assert_null(strstr(text, "\"c\""));
	assert_true(strlen(text) > 512 + 6 * 512);
}

static void
test_levels(void **state)
{
	(void)state;
	assert_string_equal(lk_log_level_name(LK_LOG_DEBUG), "debug");
	assert_string_equal(lk_log_level_name(LK_LOG_ERROR), "error");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_fatal),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
