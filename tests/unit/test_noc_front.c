/* SPDX-License-Identifier: Apache-2.0
 *
 * The front of a network, as it opens: where it is announced, and with which port.
 */
#include "test.h"

#include "noc/front.c" /* NOLINT: its statics are what is tested */

static struct lk_err e;

static void
test_announced_port_is_the_first_address_s(void **state)
{
	static const struct {
		const char *listen;
		uint16_t port; /* 0: there is none */
	} cases[] = {
		{ "[::]:8443", 8443 },
		{ "[fe80::1%br-dev]:8443, 192.0.2.1:9443", 8443 },
		{ "192.0.2.1:1", 1 },
		{ "[::1]:65536", 0 },
		{ "[::1]:0", 0 },
		{ "192.0.2.1", 0 },
		{ "192.0.2.1,[::]:8443", 0 },
		{ "", 0 },
	};
	uint16_t port;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(cases); i++) {
		port = 7;
		assert_int_equal(port_of(cases[i].listen, &port, &e).ok, cases[i].port != 0);
		assert_int_equal(port, cases[i].port ? cases[i].port : 7);
	}
}

/* An interface that is not there, or has no link, is not passed over in silence. */
static void
test_interfaces_have_to_be_there(void **state)
{
	struct lk_noc_config config = { .announce = "lk-absent0" };
	struct lk_process p = { .config = &config };
	struct state s = { .n_announced = 0 };
	struct in6_addr a;

	(void)state;
	assert_refused(open_all_announced(&p, &s, &e), e, LK_R_LISTEN);
	assert_refused(link_local("lk-absent0", &a, &e), e, LK_R_LISTEN);
	assert_int_equal(s.n_announced, 0);
	p.index = 1; /* one of the fronts announces for all */
	assert_true(open_all_announced(&p, &s, &e).ok);
	p.index = 0;
	config.announce[0] = 0;
	assert_true(open_all_announced(&p, &s, &e).ok);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_announced_port_is_the_first_address_s),
		cmocka_unit_test(test_interfaces_have_to_be_there),
	};

	return cmocka_run_group_tests_name("noc front", tests, NULL, NULL);
}
