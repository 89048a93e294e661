/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses as text and as sources.
 */
#include "test.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include "net/address.h"

static struct sockaddr_storage
make(const char *ip, unsigned interface)
{
	struct sockaddr_storage s = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&s;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s;

	if (inet_pton(AF_INET, ip, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(8443);
	} else {
		memset(&s, 0, sizeof s);
		assert_int_equal(inet_pton(AF_INET6, ip, &in6->sin6_addr), 1);
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(8443);
		in6->sin6_scope_id = interface;
	}
	return s;
}

static void
assert_text(const char *ip, unsigned interface, const char *want)
{
	struct sockaddr_storage s = make(ip, interface);
	char text[LK_ADDRESS_TEXT_MAX];

	lk_address_text((struct sockaddr *)&s, text);
	assert_string_equal(text, want);
}

static bool
same_source(const char *a, unsigned a_interface, const char *b, unsigned b_interface)
{
	struct sockaddr_storage x = make(a, a_interface), y = make(b, b_interface);
	uint8_t k[LK_ADDRESS_KEY_LEN], l[LK_ADDRESS_KEY_LEN];

	lk_address_key((struct sockaddr *)&x, k);
	lk_address_key((struct sockaddr *)&y, l);
	return memcmp(k, l, sizeof k) == 0;
}

static void
test_text(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[LK_ADDRESS_TEXT_MAX];

	(void)state;
	assert_text("192.0.2.1", 0, "192.0.2.1:8443");
	assert_text("2001:db8::1", 0, "[2001:db8::1]:8443");
	assert_text("fe80::1", 3, "[fe80::1%3]:8443");
	assert_text("2001:db8::1", 3, "[2001:db8::1]:8443");
	lk_address_text((struct sockaddr *)&un, text);
	assert_string_equal(text, "unix");
	un.sun_family = AF_UNSPEC;
	lk_address_text((struct sockaddr *)&un, text);
	assert_string_equal(text, "?");
}

static void
test_source(void **state)
{
	struct sockaddr_storage s = make("fe80::1", 3);

	(void)state;
	assert_true(same_source("192.0.2.1", 0, "192.0.2.1", 0));
	assert_false(same_source("192.0.2.1", 0, "192.0.2.2", 0));
	/* whoever has a /64 has all of it */
	assert_true(same_source("2001:db8::1", 0, "2001:db8::2:1", 0));
	assert_false(same_source("2001:db8::1", 0, "2001:db8:0:1::1", 0));
	/* but a link is many hosts */
	assert_false(same_source("fe80::1", 3, "fe80::2", 3));
	assert_false(same_source("fe80::1", 3, "fe80::1", 4));
	assert_true(same_source("fe80::1", 3, "fe80::1", 3));
	assert_false(same_source("::ffff:192.0.2.1", 0, "::ffff:192.0.2.2", 0));
	assert_int_equal(lk_address_interface((struct sockaddr *)&s), 3);
	s = make("2001:db8::1", 3);
	assert_int_equal(lk_address_interface((struct sockaddr *)&s), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
