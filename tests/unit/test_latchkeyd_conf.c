/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkeyd's configuration table: its defaults are in range, and the manual has
 * the option list that the table prints, word for word.
 */
#include "noc/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"

static void
test_defaults_are_in_range(void **ctx)
{
	static struct lk_noc_config c;
	struct lk_err e = { 0 };

	(void)ctx;
	assert_true(lk_config_defaults(&lk_noc_config_spec, &c, &e).ok);
}

static void
test_the_manual_has_every_option(void **ctx)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf options = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_buf_done) struct lk_buf manual = LK_BUF_INIT(65536);
	struct lk_err e = { 0 };

	(void)ctx;
	assert_true(lk_config_describe(&lk_noc_config_spec, &options, &e).ok);
	assert_true(lk_file_read(LK_SOURCE_DIR "/man/latchkeyd.conf.5", &manual, &e).ok);
	assert_non_null(strstr(lk_buf_str(&manual), lk_buf_str(&options)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_in_range),
		cmocka_unit_test(test_the_manual_has_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
