/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an outbound connection may go.
 */
#include "test.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include "net/egress.h"

static struct lk_result
check(const struct lk_egress *g, const char *ip, struct lk_err *e)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(443) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(443) };

	if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
		return lk_egress_check(g, (struct sockaddr *)&v4, e);
	assert_int_equal(inet_pton(AF_INET6, ip, &v6.sin6_addr), 1);
	return lk_egress_check(g, (struct sockaddr *)&v6, e);
}

static void
test_default(void **state)
{
	static const char *const public[] = { "1.1.1.1", "9.255.255.255", "11.0.0.0",
		"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
		"172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "223.255.255.255",
		"::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2001:200::1", "2606:4700::1111", "3ffe::1" };
	static const char *const denied[] = { "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255",
		"100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1",
		"172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.0.1",
		"198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
		"239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1",
		"64:ff9b:1::1.1.1.1", "100::1", "2001::1", "2001:1ff::1", "2001:db8::1",
		"2002:7f00:1::1", "3fff::1", "fc00::1", "fdff::1", "fe80::1", "fec0::1", "ff02::1",
		"ff0e::1", "4000::1" };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct lk_egress g = { .n_allow = 0 };
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(public); i++)
		assert_true(check(&g, public[i], NULL).ok);
	for (i = 0; i < LK_ARRAY_LEN(denied); i++)
		assert_refused(check(&g, denied[i], &e), e, LK_R_EGRESS_FORBIDDEN);
	assert_refused(lk_egress_check(&g, (struct sockaddr *)&un, &e), e, LK_R_EGRESS_FORBIDDEN);
}

static void
test_allow(void **state)
{
	struct lk_egress g = { .n_allow = 0 };
	struct lk_err e;
	int i;

	(void)state;
	assert_true(lk_egress_allow(&g, "10.4.0.0/14", NULL).ok);
	assert_true(lk_egress_allow(&g, "fd00::8", NULL).ok);
	assert_true(check(&g, "10.4.0.0", NULL).ok);
	assert_true(check(&g, "10.7.255.255", NULL).ok);
	assert_true(check(&g, "::ffff:10.7.255.255", NULL).ok);
	assert_true(check(&g, "fd00::8", NULL).ok);
	assert_refused(check(&g, "10.3.255.255", &e), e, LK_R_EGRESS_FORBIDDEN);
	assert_refused(check(&g, "10.8.0.0", &e), e, LK_R_EGRESS_FORBIDDEN);
	assert_refused(check(&g, "fd00::9", &e), e, LK_R_EGRESS_FORBIDDEN);
	assert_string_equal(
		e.msg, "[fd00::9]:443 is neither a public address nor in an allowed network");
	for (i = 2; i < LK_EGRESS_ALLOW_MAX; i++)
		assert_true(lk_egress_allow(&g, "0.0.0.0/0", NULL).ok);
	assert_true(check(&g, "127.0.0.1", NULL).ok);
	assert_refused(check(&g, "::1", &e), e, LK_R_EGRESS_FORBIDDEN);
	assert_refused(lk_egress_allow(&g, "10.0.0.0/8", &e), e, LK_R_TOO_LARGE);
	assert_int_equal(g.n_allow, LK_EGRESS_ALLOW_MAX);
}

static void
test_cidr(void **state)
{
	static const char *const bad[] = { "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0.0/8/8", "10.0.0/8", "10.0.0.1/8", "fd00::/129", "fd00::1/64",
		"fe80::1%eth0", "name.example", "10.0.0.0/ 8" };
	struct lk_cidr c = { .bits = 7 };
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++)
		assert_refused(lk_cidr_parse(bad[i], &c, &e), e, LK_R_EGRESS_CIDR);
	assert_int_equal(c.bits, 7);
	assert_true(lk_cidr_parse("10.0.0.0/8", &c, NULL).ok);
	assert_int_equal(c.bits, 104);
	assert_true(lk_cidr_parse("::/0", &c, NULL).ok);
	assert_int_equal(c.bits, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_allow),
		cmocka_unit_test(test_cidr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
