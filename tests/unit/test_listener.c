/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets from words, on loopback and in a folder of its own.
 */
#include "test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "role/listener.h"

static void
test_list(void **state)
{
	struct lk_slice list = LK_SLICE_LIT(" 192.0.2.1:1 ,[::1]:2,, unix:a b");
	static const char *const want[] = { "192.0.2.1:1", "[::1]:2", "unix:a b" };
	char address[16];
	struct lk_err e;
	bool more;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(want); i++) {
		assert_true(lk_listener_next(&list, address, sizeof address, &more, NULL).ok);
		assert_true(more);
		assert_string_equal(address, want[i]);
	}
	assert_true(lk_listener_next(&list, address, sizeof address, &more, NULL).ok);
	assert_false(more);
	list = LK_SLICE_LIT("[2001:db8::1]:8443");
	assert_refused(
		lk_listener_next(&list, address, sizeof address, &more, &e), e, LK_R_TOO_LARGE);
}

static void
test_words(void **state)
{
	static const char *const bad[] = { "", "8443", "localhost:1", "192.0.2.1", "::1:1", "[::1]",
		"[::1]1", "[192.0.2.1]:1", "[fe80::1%no-such-link]:1", "192.0.2.1:1" };
	struct lk_err e;
	size_t i;
	int fd = -2;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		assert_refused(lk_listener_open(bad[i], "/tmp", 0600, &fd, &e), e, LK_R_LISTEN);
		assert_int_equal(fd, -2);
	}
	assert_refused(
		lk_listener_open("127.0.0.1:65536", "/tmp", 0600, &fd, &e), e, LK_R_SYNTAX_NUMBER);
}

static uint16_t
port_of(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	return ntohs(ss.ss_family == AF_INET ? ((struct sockaddr_in *)&ss)->sin_port
					     : ((struct sockaddr_in6 *)&ss)->sin6_port);
}

static void
test_tcp(void **state)
{
	char again[32];
	int a, b, on = 0;
	socklen_t len = sizeof on;

	(void)state;
	assert_true(lk_listener_open("127.0.0.1:0", "/tmp", 0600, &a, NULL).ok);
	snprintf(again, sizeof again, "127.0.0.1:%u", port_of(a));
	assert_true(lk_listener_open(again, "/tmp", 0600, &b, NULL).ok); /* SO_REUSEPORT */
	assert_int_equal(port_of(a), port_of(b));
	assert_int_equal(getsockopt(b, SOL_SOCKET, SO_ACCEPTCONN, &on, &len), 0);
	assert_true(on);
	close(a);
	close(b);
}

static void
test_tcp6(void **state)
{
	struct lk_err e;
	int fd, on = 0;
	socklen_t len = sizeof on;

	(void)state;
	if (!lk_listener_open("[::1]:0", "/tmp", 0600, &fd, &e).ok) {
		printf("skipped: no IPv6 here: %s\n", e.msg);
		skip();
	}
	assert_int_equal(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, &len), 0);
	assert_true(on);
	close(fd);
}

static void
test_unix(void **state)
{
	char dir[] = "/tmp/test-listener-XXXXXX", path[64], other[96];
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct lk_err e;
	struct stat st;
	int fd, again = -2, client;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/api.sock", dir);
	assert_true(lk_listener_open("unix:api.sock", dir, 0640, &fd, NULL).ok);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof sa), 0);
	close(client);

	/* Somebody listens: it stays theirs. Nobody does: it is replaced. */
	assert_refused(lk_listener_open("unix:api.sock", dir, 0640, &again, &e), e, LK_R_LISTEN);
	assert_int_equal(again, -2);
	close(fd);
	assert_true(lk_listener_open("unix:api.sock", dir, 0640, &fd, NULL).ok);
	close(fd);
	assert_int_equal(unlink(path), 0);

	/* Not over anything else. */
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(other, sizeof other, "unix:%s", path);
	assert_refused(lk_listener_open(other, "/", 0640, &again, &e), e, LK_R_LISTEN);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp6),
		cmocka_unit_test(test_unix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
