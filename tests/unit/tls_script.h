/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTPS server on the loopback that answers as a test says, in a process of its own: what it was
 * asked comes back over a pipe.
 */
#pragma once

#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/ossl.h"
#include "net/http1.h"
#include "net/tls.h"
#include "pki.h"

#define SCRIPT_MAX LK_CMS_MAX

/* Fills the answer to a request of a client that showed `client` (NULL: none). Status 0: silence.
 */
typedef void script_fn(const struct lk_http1 *request, const struct lk_cert *client,
	struct lk_http1_response *ret, struct lk_buf *body);

struct script {
	pid_t pid;
	uint16_t port;
	int asked; /* the pipe */
};

struct script_setting {
	const struct pki_id *id;
	script_fn *answer;
	struct pollfd listeners[2];
	int asked;
};

/* "<NAME" of each certificate that a client showed after its own. */
static inline struct lk_result
script_issuers(SSL *ssl, struct lk_buf *line)
{
	STACK_OF(X509) *shown = SSL_get_peer_cert_chain(ssl);
	char name[LK_CERT_NAME_MAX];
	int i;

	for (i = 0; i < sk_X509_num(shown); i++) {
		X509_NAME_get_text_by_NID(X509_get_subject_name(sk_X509_value(shown, i)),
			NID_commonName, name, sizeof name);
		LK_TRY(lk_buf_printf(line, NULL, "<%s", name));
	}
	return LK_OK;
}

static inline void
script_note(int fd, const struct lk_http1 *r, const struct lk_cert *client, SSL *ssl)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf line = LK_BUF_INIT(SCRIPT_MAX);
	char name[LK_CERT_NAME_MAX] = "-";

	if (client)
		lk_cert_subject(client, "2.5.4.3", name);
	if (!lk_buf_append_str(&line, name, NULL).ok || !script_issuers(ssl, &line).ok ||
		!lk_buf_printf(&line, NULL, " %s %s %s %.*s\n", r->method, r->path,
			lk_http1_field(r, "Host"), r->body.n < 200 ? (int)r->body.n : 0,
			r->body.n ? (const char *)r->body.p : "")
			 .ok ||
		write(fd, line.p, line.n) != (ssize_t)line.n)
		_exit(1);
}

static inline struct lk_cert *
script_client(SSL *ssl)
{
	LK_CLEANUP(X509_freep) X509 *x = SSL_get1_peer_certificate(ssl);
	struct lk_cert *c = NULL;

	if (x && !lk_cert_from_x509(x, &c, NULL).ok)
		_exit(1);
	return c;
}

static inline void
script_converse(const struct script_setting *s, SSL *ssl)
{
	LK_CLEANUP(lk_http1_done) struct lk_http1 request = { .n_fields = 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf body = LK_BUF_INIT(SCRIPT_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(2 * SCRIPT_MAX);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *client = script_client(ssl);
	struct lk_http1_response r = {
		.status = 200, .content_type = "text/plain", .close_after = true
	};
	uint8_t chunk[16 * 1024];
	size_t used;
	int n;

	lk_http1_init(&request, LK_HTTP1_REQUEST, LK_HTTP1_HEAD_MAX);
	request.body.max = SCRIPT_MAX;
	while (request.state != LK_HTTP1_DONE) {
		struct lk_slice in;

		n = SSL_read(ssl, chunk, sizeof chunk);
		if (n <= 0)
			return;
		for (in = lk_slice(chunk, (size_t)n); in.n; in = lk_slice(in.p + used, in.n - used))
			if (!lk_http1_feed(&request, in, &used, NULL).ok)
				return;
	}
	script_note(s->asked, &request, client, ssl);
	s->answer(&request, client, &r, &body);
	while (!r.status)
		pause();
	r.body = lk_buf_slice(&body);
	if (!lk_http1_print_response(&r, &text, NULL).ok ||
		SSL_write(ssl, text.p, (int)text.n) != (int)text.n)
		_exit(1);
	SSL_shutdown(ssl);
}

static inline _Noreturn void
script_serve(struct script_setting *s)
{
	struct lk_tls_settings set = { .chain = &s->id->chain,
		.key = lk_key_evp(s->id->key),
		.client_cert = LK_TLS_CLIENT_CERT_OPTIONAL };
	SSL_CTX *ctx = NULL;

	/* A test that fails leaves nobody behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (!lk_tls_server_new(&set, &ctx, NULL).ok)
		_exit(1);
	for (;;) {
		int fd, ready = poll(s->listeners, 2, -1);
		SSL *ssl = SSL_new(ctx);

		fd = accept(s->listeners[ready < 1 || !s->listeners[0].revents].fd, NULL, NULL);
		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1)
			script_converse(s, ssl);
		SSL_free(ssl);
		close(fd);
	}
}

/* One end of the loopback at this port; 0: any, which is filled in. -1: somebody has it. */
static inline int
script_listen(const struct in6_addr *address, in_port_t *port)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_addr = *address, .sin6_port = *port
	};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof a;

	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		assert_int_equal(errno, EADDRINUSE);
		close(fd);
		return -1;
	}
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*port = a.sin6_port;
	return fd;
}

/* Listens on ::1 and 127.0.0.1, whichever localhost is, before it returns. */
static inline void
script_start(const struct pki_id *id, script_fn *answer, struct script *ret)
{
	struct script_setting s = { .id = id, .answer = answer };
	struct in6_addr four;
	in_port_t port;
	int p[2], six, four_fd;

	assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.1", &four), 1);
	/* until one is free at both ends */
	for (four_fd = -1; four_fd < 0;) {
		port = 0;
		six = script_listen(&in6addr_loopback, &port);
		four_fd = script_listen(&four, &port);
		if (four_fd < 0)
			close(six);
	}
	s.listeners[0] = (struct pollfd){ six, POLLIN, 0 };
	s.listeners[1] = (struct pollfd){ four_fd, POLLIN, 0 };
	assert_int_equal(pipe(p), 0);
	s.asked = p[1];
	fflush(NULL);
	*ret = (struct script){ .pid = fork(), .port = ntohs(port), .asked = p[0] };
	assert_true(ret->pid >= 0);
	if (ret->pid == 0)
		script_serve(&s);
	close(s.listeners[0].fd);
	close(s.listeners[1].fd);
	close(p[1]);
}

static inline void
script_done(struct script *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
		close(s->asked);
	}
	s->pid = 0;
}

/* "client<issuer METHOD /path host body": all that was asked since the last time, one line each. To
 * be asked for when there is one. Borrowed. */
static inline const char *
script_asked(struct script *s)
{
	static char lines[SCRIPT_MAX];
	ssize_t n = read(s->asked, lines, sizeof lines - 1);

	assert_true(n > 0);
	lines[n] = 0;
	return lines;
}
