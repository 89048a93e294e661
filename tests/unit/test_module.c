/* SPDX-License-Identifier: Apache-2.0
 *
 * The OpenSSL module as wpa_supplicant uses it: loaded into the library context
 * that everything is in, behind the default provider; the "private key file" is a
 * reference; the signatures come from another process over the key socket.
 */
#include "test.h"

#include <openssl/err.h>
#include <openssl/provider.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/key_reference.h"
#include "agent/key_socket.h"
#include "base/file.h"
#include "tls_pair.h"

static char dir[] = "/tmp/latchkey-module-XXXXXX";

/* The agent: answers on the socket until it is ended. */
static pid_t
start_agent(const char *path, const struct lk_key *key)
{
	struct lk_key_socket *s = NULL;
	struct lk_err e = { 0 };
	char listens;
	int ready[2];
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (!lk_key_socket_new(path, key, &s, &e).ok || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;) {
			struct pollfd fds[LK_KEY_SOCKET_FDS];

			lk_key_socket_polls(s, fds);
			poll(fds, LK_KEY_SOCKET_FDS, -1);
			lk_key_socket_serve(s, fds);
		}
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &listens, 1), 1);
	close(ready[0]);
	return pid;
}

static void
write_reference(const char *path, const char *socket, const struct lk_key *key)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_KEY_REFERENCE_MAX);
	struct lk_key_reference r = { .spki_n = lk_key_spki(key).n };
	struct lk_err e = { 0 };

	assert_true(
		lk_slice_to_str(lk_slice_str(socket), "path", r.socket, sizeof r.socket, &e).ok);
	memcpy(r.spki, lk_key_spki(key).p, r.spki_n);
	assert_true(lk_key_reference_print(&r, &der, &e).ok);
	assert_true(lk_file_replace(path, lk_buf_slice(&der), 0600, &e).ok);
}

/*= G-11: another program authenticates with the device's key and never holds it =*/
static void
test_tls_client_with_a_referenced_key(void **state)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL, *other = NULL;
	LK_CLEANUP(X509_freep) X509 *cert = NULL, *server_cert = NULL;
	LK_CLEANUP(SSL_CTX_freep) SSL_CTX *client = NULL, *server = NULL;
	char socket[64], file[64];
	struct lk_err e = { 0 };
	struct tls_pair pair;
	int status;
	pid_t agent;

	(void)state;
	snprintf(socket, sizeof socket, "%s/key.sock", dir);
	snprintf(file, sizeof file, "%s/key.der", dir);
	assert_true(lk_key_ephemeral(LK_KEY_P256, &key, &e).ok);
	assert_true(lk_key_ephemeral(LK_KEY_P256, &other, &e).ok);
	cert = make_cert(lk_key_evp(key), EVP_sha256());
	server_cert = make_cert(lk_key_evp(other), EVP_sha256());
	write_reference(file, socket, key);
	agent = start_agent(socket, key);

	client = make_ctx(TLS_client_method(), TLS1_3_VERSION, NULL, NULL);
	assert_int_equal(SSL_CTX_use_certificate(client, cert), 1);
	if (SSL_CTX_use_PrivateKey_file(client, file, SSL_FILETYPE_ASN1) != 1) {
		ERR_print_errors_fp(stderr);
		fail();
	}
	assert_int_equal(SSL_CTX_check_private_key(client), 1);
	server = make_ctx(TLS_server_method(), TLS1_3_VERSION, server_cert, lk_key_evp(other));
	assert_true(tls_handshake(&pair, client, server));
	tls_pair_done(&pair);

	assert_int_equal(kill(agent, SIGTERM), 0);
	assert_int_equal(waitpid(agent, &status, 0), agent);
	/* Without the agent there is no signature. */
	assert_false(tls_handshake(&pair, client, server));
	tls_pair_done(&pair);
	ERR_clear_error();
	unlink(socket);
	unlink(file);
}

static void
test_reference_round_trip_and_refusals(void **state)
{
	struct lk_key_reference r = { .socket = "/run/key.sock",
		.spki = { 1, 2, 3 },
		.spki_n = 200 },
				back;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_KEY_REFERENCE_MAX);
	struct lk_err e = { 0 };
	size_t n;

	(void)state;
	assert_true(lk_key_reference_print(&r, &der, &e).ok);
	assert_true(lk_key_reference_parse(lk_buf_slice(&der), &back, &e).ok);
	assert_string_equal(back.socket, r.socket);
	assert_int_equal(back.spki_n, r.spki_n);
	assert_memory_equal(back.spki, r.spki, r.spki_n);
	for (n = 0; n < der.n; n++) {
		e = (struct lk_err){ 0 };
		assert_false(lk_key_reference_parse(lk_slice(der.p, n), &back, &e).ok);
		assert_int_equal(e.reason, LK_R_KEY_REFERENCE);
	}
}

static OSSL_PROVIDER *of_openssl, *ours;

static int
setup(void **state)
{
	(void)state;
	of_openssl = OSSL_PROVIDER_load(NULL, "default");
	ours = OSSL_PROVIDER_load(NULL, getenv("LK_MODULE"));
	if (!mkdtemp(dir) || !of_openssl || !ours) {
		ERR_print_errors_fp(stderr);
		return -1;
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	OSSL_PROVIDER_unload(ours);
	OSSL_PROVIDER_unload(of_openssl);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls_client_with_a_referenced_key),
		cmocka_unit_test(test_reference_round_trip_and_refusals),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
