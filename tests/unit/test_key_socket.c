/* SPDX-License-Identifier: Apache-2.0
 *
 * The socket over which the supplicant has the LDevID's key sign: a TLS client's CertificateVerify
 * and nothing else, in the frames of key_socket.h. test_module.c has OpenSSL use it.
 */
#include "test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/key_socket.h"
#include "crypto/signature.h"

static char dir[] = "/tmp/test-key-socket.XXXXXX";
static struct lk_key *key, *renewed;

static bool
holds(const struct lk_key *by, struct lk_slice message, struct lk_slice sig)
{
	struct lk_err e;

	return lk_spki_verify(
		lk_key_spki(by), lk_signature_algorithm(LK_KEY_P256), message, sig, LK_R_BUG, &e)
		.ok;
}

/* RFC 8446 4.4.3: 64 blanks, the context, a zero, the transcript's hash. */
static size_t
certificate_verify(uint8_t p[static 200], const char *context)
{
	size_t n = strlen(context) + 1;

	memset(p, ' ', 64);
	memcpy(p + 64, context, n);
	memset(p + 64 + n, 0x5a, 32);
	return 64 + n + 32;
}

/*= RFC8446 4.4.3: of the LDevID's key others get a client's CertificateVerify, nothing else =*/
static void
test_what_is_signed(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf sig = LK_BUF_INIT(512);
	uint8_t p[200], digest[32] = { 1 };
	size_t n;

	(void)state;
	n = certificate_verify(p, "TLS 1.3, client CertificateVerify");
	lk_key_socket_answer(key, lk_slice(p, n), &sig);
	assert_true(sig.n > 0);
	assert_true(holds(key, lk_slice(p, n), lk_buf_slice(&sig)));
	lk_buf_clear(&sig);
	n = certificate_verify(p, "TLS 1.3, server CertificateVerify");
	lk_key_socket_answer(key, lk_slice(p, n), &sig);
	assert_int_equal(sig.n, 0);
	lk_key_socket_answer(key, LK_SLICE_ARRAY(digest), &sig);
	assert_int_equal(sig.n, 0);
	lk_key_socket_answer(key, LK_SLICE_LIT("a voucher-request, say"), &sig);
	assert_int_equal(sig.n, 0);
}

/* --- frames ----------------------------------------------------------------------------------- */

static struct lk_key_socket *
listening(char path[static 108])
{
	struct lk_key_socket *s = NULL;
	struct lk_err e;

	snprintf(path, 108, "%s/key.sock", dir);
	assert_true(lk_key_socket_new(path, key, &s, &e).ok);
	return s;
}

static int
connected(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(a.sun_path, path, 108);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

/* Serves until nothing is left to be done. */
static void
serve(struct lk_key_socket *s)
{
	struct pollfd fds[LK_KEY_SOCKET_FDS];

	for (;;) {
		lk_key_socket_polls(s, fds);
		if (poll(fds, LK_KEY_SOCKET_FDS, 0) <= 0)
			return;
		lk_key_socket_serve(s, fds);
	}
}

static void
ask(int fd, struct lk_slice message)
{
	uint8_t frame[4 + 2 * LK_KEY_SOCKET_MAX];
	uint32_t length = htonl((uint32_t)message.n);

	memcpy(frame, &length, sizeof length);
	if (message.n)
		memcpy(frame + 4, message.p, message.n);
	assert_int_equal(send(fd, frame, 4 + message.n, 0), 4 + message.n);
}

/* Octets of the next signature; -1: the connection was ended; -2: there is none. */
static int
answered(int fd, const struct lk_key *by, struct lk_slice message)
{
	uint8_t frame[1024];
	ssize_t n = recv(fd, frame, sizeof frame, 0);
	uint32_t length;

	if (n <= 0)
		return n == 0 ? -1 : -2;
	memcpy(&length, frame, sizeof length);
	assert_int_equal(n, 4 + ntohl(length));
	if (length && by)
		assert_true(holds(by, message, lk_slice(frame + 4, (size_t)n - 4)));
	return (int)ntohl(length);
}

static void
test_exchanges(void **state)
{
	LK_CLEANUP(lk_key_socket_freep) struct lk_key_socket *s = NULL;
	uint8_t p[200];
	struct lk_slice good =
		lk_slice(p, certificate_verify(p, "TLS 1.3, client CertificateVerify"));
	char path[108];
	struct stat st;
	int fd;

	(void)state;
	s = listening(path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	fd = connected(path);
	ask(fd, good);
	serve(s);
	assert_true(answered(fd, key, good) > 0);
	ask(fd, LK_SLICE_LIT("no TLS")); /* refused; the connection stays */
	serve(s);
	assert_int_equal(answered(fd, NULL, good), 0);
	lk_key_socket_use(s, renewed); /* the LDevID was renewed */
	ask(fd, good);
	serve(s);
	assert_true(answered(fd, renewed, good) > 0);
	/* a message in pieces is answered when it is whole */
	assert_int_equal(send(fd, "\0\0\0", 3, 0), 3);
	serve(s);
	assert_int_equal(answered(fd, NULL, good), -2);
	assert_int_equal(send(fd, "\x01x", 2, 0), 2);
	serve(s);
	assert_int_equal(answered(fd, NULL, good), 0);
	close(fd);
	s = lk_key_socket_free(s);
	assert_int_equal(access(path, F_OK), -1);
}

static void
test_lengths_that_are_not_taken(void **state)
{
	static uint8_t much[LK_KEY_SOCKET_MAX + 1];
	LK_CLEANUP(lk_key_socket_freep) struct lk_key_socket *s = NULL;
	char path[108];
	int empty, long_one;

	(void)state;
	s = listening(path);
	empty = connected(path);
	long_one = connected(path);
	ask(empty, lk_slice(NULL, 0));
	ask(long_one, LK_SLICE_ARRAY(much));
	serve(s);
	assert_int_equal(answered(empty, NULL, lk_slice(NULL, 0)), -1);
	assert_true(answered(long_one, NULL, lk_slice(NULL, 0)) < 0);
	close(empty);
	close(long_one);
}

/* One more than are served is turned away, and the others are served on. */
static void
test_too_many_at_once(void **state)
{
	LK_CLEANUP(lk_key_socket_freep) struct lk_key_socket *s = NULL;
	uint8_t p[200];
	struct lk_slice good =
		lk_slice(p, certificate_verify(p, "TLS 1.3, client CertificateVerify"));
	int fd[LK_KEY_SOCKET_CLIENTS + 1];
	char path[108];
	size_t i;

	(void)state;
	s = listening(path);
	for (i = 0; i < LK_ARRAY_LEN(fd); i++) {
		fd[i] = connected(path);
		serve(s);
	}
	assert_int_equal(answered(fd[LK_KEY_SOCKET_CLIENTS], NULL, good), -1);
	ask(fd[0], good);
	serve(s);
	assert_true(answered(fd[0], key, good) > 0);
	for (i = 0; i < LK_ARRAY_LEN(fd); i++)
		close(fd[i]);
}

static int
setup(void **state)
{
	struct lk_err e;

	(void)state;
	return mkdtemp(dir) && lk_key_ephemeral(LK_KEY_P256, &key, &e).ok &&
			       lk_key_ephemeral(LK_KEY_P256, &renewed, &e).ok
		       ? 0
		       : -1;
}

static int
teardown(void **state)
{
	(void)state;
	lk_key_free(key);
	lk_key_free(renewed);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_signed),
		cmocka_unit_test(test_exchanges),
		cmocka_unit_test(test_lengths_that_are_not_taken),
		cmocka_unit_test(test_too_many_at_once),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
