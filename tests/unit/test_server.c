/* SPDX-License-Identifier: Apache-2.0
 *
 * The server over real sockets on loopback, with clients in the same process. Time stands still
 * unless a test moves it.
 */
#include "pki.h"
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "crypto/ossl.h"
#include "net/loop.h"
#include "net/server.h"

#define TURNS_MAX 20000
#define HELD_MAX  8

/* Turns the loop without waiting until cond holds. */
#define until(t, cond)                                          \
	do {                                                    \
		int turns;                                      \
		for (turns = 0; !(cond); turns++) {             \
			assert_int_not_equal(turns, TURNS_MAX); \
			turn(t);                                \
		}                                               \
	} while (0)

struct client {
	int fd;
	SSL *ssl;
	struct lk_buf got;
	bool ended;   /* by the server, in order */
	bool reset;   /* by the server, out of order */
	size_t reads; /* that yielded bytes */
};

struct fixture {
	struct lk_clock_fixed clock;
	struct lk_loop *loop;
	struct lk_deferred nothing;
	struct lk_server_settings settings;
	struct lk_server *server;
	struct sockaddr_storage address;
	socklen_t address_len;
	struct lk_request *held[HELD_MAX]; /* by the handler `hold` */
	size_t n_held;
	enum lk_reason refusal; /* the last one */
	size_t refusals;
	char seen[1024]; /* what the handler `show` was given */
	SSL_CTX *client_ctx;
};

/* --- handlers --------------------------------------------------------------------------------- */

static void
echo(struct lk_request *r, void *ctx)
{
	const struct lk_request_view *v = lk_request_view(r);

	(void)ctx;
	lk_request_reply(r, &(struct lk_reply){ .status = 200,
				    .content_type = "application/octet-stream",
				    .body = v->body });
}

static void
show(struct lk_request *r, void *ctx)
{
	const struct lk_request_view *v = lk_request_view(r);
	struct fixture *f = ctx;

	snprintf(f->seen, sizeof f->seen,
		"%s %s ?%s type=%s accept=%s agent=%s auth=%s remote=%.10s "
		"%s %s %s %u %zu",
		v->method, v->path, v->query, v->content_type, v->accept, v->user_agent,
		v->authorization, v->peer->remote, v->tls ? v->tls->version : "-",
		v->tls ? v->tls->group : "-", v->tls ? v->tls->peer_key : "-",
		v->tls ? v->tls->peer_key_bits : 0, v->tls ? v->tls->n_chain : 0);
	lk_request_reply(r, &(struct lk_reply){ .status = 200,
				    .content_type = "text/plain",
				    .body = lk_slice_str(f->seen) });
}

static void
hold(struct lk_request *r, void *ctx)
{
	struct fixture *f = ctx;

	assert_true(f->n_held < HELD_MAX);
	f->held[f->n_held++] = r;
}

static void
large(struct lk_request *r, void *ctx)
{
	static const uint8_t bytes[1 << 20];

	(void)ctx;
	lk_request_reply(r, &(struct lk_reply){ .status = 200,
				    .content_type = "application/octet-stream",
				    .body = LK_SLICE_ARRAY(bytes) });
}

static void
locked(struct lk_request *r, void *ctx)
{
	(void)ctx;
	lk_request_reply(r, &(struct lk_reply){ .status = 401 });
}

static const struct lk_route routes[] = {
	{ "POST", "/echo", NULL, 100, echo },
	{ "POST", "/pkcs10", "application/pkcs10", 100, echo },
	{ "GET", "/show", NULL, 0, show },
	{ "POST", "/show", NULL, 0, show },
	{ "POST", "/show", "text/plain", 0, show },
	{ "GET", "/below/", NULL, 0, show },
	{ "POST", "/of/?/echo", NULL, 100, echo },
	{ "GET", "/locked", NULL, 0, locked },
	{ "GET", "/hold", NULL, 0, hold },
	{ "GET", "/large", NULL, 0, large },
};

static void
on_refusal(void *ctx, const struct lk_peer *peer, const struct lk_err *e)
{
	struct fixture *f = ctx;

	assert_int_not_equal(peer->connection, 0);
	assert_int_not_equal(e->msg[0], 0);
	f->refusal = e->reason;
	f->refusals++;
}

/* --- set-up ----------------------------------------------------------------------------------- */

static void
nothing(void *ctx)
{
	(void)ctx;
}

static void
turn(struct fixture *f)
{
	lk_defer(f->loop, &f->nothing); /* so that the turn does not wait */
	assert_true(lk_loop_turn(f->loop, NULL).ok);
}

static int
listen_on(struct fixture *f, int family)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&f->address;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int small = 64 * 1024; /* accepted sockets inherit it: a large response does not fit */
	socklen_t len = sizeof(sa_family_t); /* a Unix socket's name is made up by the kernel */

	assert_true(fd >= 0);
	memset(&f->address, 0, sizeof f->address);
	f->address.ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		len = sizeof *in;
	}
	assert_int_equal(bind(fd, (struct sockaddr *)&f->address, len), 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	assert_int_equal(listen(fd, 64), 0);
	f->address_len = sizeof f->address;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&f->address, &f->address_len), 0);
	return fd;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	lk_clock_fixed_init(&f->clock, 784111777);
	f->nothing = (struct lk_deferred){ .fn = nothing };
	assert_true(lk_loop_new(&f->clock.clock, &f->loop, NULL).ok);
	f->settings = (struct lk_server_settings){
		.routes = routes,
		.n_routes = LK_ARRAY_LEN(routes),
		.ctx = f,
		.on_refusal = on_refusal,
	};
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	lk_server_free(f->server);
	lk_loop_free(f->loop);
	SSL_CTX_free(f->client_ctx);
	free(f);
	return 0;
}

static void
serve(struct fixture *f, int family)
{
	f->settings.listen_fd = listen_on(f, family);
	assert_true(lk_server_new(f->loop, &f->settings, &f->server, NULL).ok);
}

/* Serves TLS as the registrar; the client context shows the device's certificate. */
static void
serve_tls(struct fixture *f)
{
	struct pki_cast cast;
	LK_CLEANUP(SSL_CTX_freep) SSL_CTX *ctx = NULL;
	struct lk_tls_settings tls;

	pki_cast_init(&cast);
	tls = (struct lk_tls_settings){ .chain = &cast.registrar.chain,
		.key = lk_key_evp(cast.registrar.key),
		.client_cert = LK_TLS_CLIENT_CERT_OPTIONAL };
	assert_true(lk_tls_server_new(&tls, &ctx, NULL).ok);
	f->settings.tls = ctx;
	serve(f, AF_INET);
	f->client_ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(
		SSL_CTX_use_certificate(f->client_ctx, lk_cert_x509(pki_cert(&cast.device))), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(f->client_ctx, lk_key_evp(cast.device.key)), 1);
	pki_cast_done(&cast);
}

static void
client_open(struct fixture *f, struct client *c)
{
	int on = 1;

	*c = (struct client){ .got = LK_BUF_INIT(4 << 20) };
	c->fd = socket(f->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(c->fd, (struct sockaddr *)&f->address, f->address_len), 0);
	assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
	if (f->address.ss_family == AF_INET) /* nothing waits for an acknowledgement */
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (f->client_ctx) {
		c->ssl = SSL_new(f->client_ctx);
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_connect_state(c->ssl);
	}
}

static void
client_close(struct client *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	lk_buf_done(&c->got);
	*c = (struct client){ .fd = -1 };
}

static bool
client_handshake(struct client *c)
{
	return SSL_do_handshake(c->ssl) == 1;
}

static void
client_send(struct client *c, const char *text)
{
	size_t n = strlen(text);

	if (c->ssl)
		assert_int_equal(SSL_write(c->ssl, text, (int)n), (int)n);
	else
		assert_int_equal(send(c->fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Takes what is there. True once the server has ended the connection. */
static bool
client_take(struct client *c)
{
	uint8_t p[64 * 1024];
	ssize_t n;

	while (!c->ended && !c->reset) {
		n = c->ssl ? SSL_read(c->ssl, p, sizeof p) : recv(c->fd, p, sizeof p, 0);
		if (n <= 0) {
			c->reset = errno == ECONNRESET && n < 0;
			c->ended = c->ssl ? SSL_get_error(c->ssl, (int)n) == SSL_ERROR_ZERO_RETURN
					  : n == 0;
			break;
		}
		assert_true(lk_buf_append(&c->got, lk_slice(p, (size_t)n), NULL).ok);
		c->reads++;
	}
	return c->ended || c->reset;
}

static bool
client_has(struct client *c, const char *text)
{
	client_take(c);
	return strstr(lk_buf_str(&c->got), text) != NULL;
}

/* Sends and waits for a text of the response. */
static void
ask(struct fixture *f, struct client *c, const char *request, const char *want)
{
	lk_buf_clear(&c->got);
	client_send(c, request);
	until(f, client_has(c, want));
}

#define HEAD(method, path) method " " path " HTTP/1.1\r\nHost: h\r\n"

/* --- tests ------------------------------------------------------------------------------------ */

static void
test_tls(void **state)
{
	struct fixture *f = *state;
	struct client c;

	serve_tls(f);
	client_open(f, &c);
	until(f, client_handshake(&c));
	client_send(&c,
		HEAD("GET", "/show?a=b") "Accept: x/y\r\nUser-Agent: me\r\n"
					 "Authorization: Basic zz\r\nContent-Type: t/s\r\n\r\n");
	until(f, client_has(&c, "\r\n\r\n"));
	assert_string_equal(f->seen, "GET /show ?a=b type=t/s accept=x/y agent=me auth=Basic zz "
				     "remote=127.0.0.1: TLSv1.3 secp256r1 EC 256 1");
	assert_int_equal(strncmp(lk_buf_str(&c.got),
				 "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
				 "Content-Type: text/plain\r\nContent-Length: ",
				 strlen("HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
					"Content-Type: text/plain\r\nContent-Length: ")),
		0);
	/* header and body came in one record */
	assert_true(client_has(&c, f->seen));
	assert_int_equal(c.reads, 1);
	/* the connection stays for the next request */
	ask(f, &c, HEAD("POST", "/echo") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"\r\n\r\nabc");
	/* two records that come at once */
	lk_buf_clear(&c.got);
	client_send(&c, HEAD("GET", "/show?1") "\r\n");
	client_send(&c, HEAD("GET", "/show?2") "\r\n");
	until(f, client_has(&c, "GET /show ?1") && client_has(&c, "GET /show ?2"));
	/* HEAD is GET to a handler: what serves one serves the other */
	lk_buf_clear(&c.got);
	client_send(&c, HEAD("HEAD", "/show?3") "\r\n");
	until(f, client_has(&c, "\r\n\r\n"));
	assert_int_equal(strncmp(f->seen, "GET /show ?3", strlen("GET /show ?3")), 0);
	assert_false(client_has(&c, f->seen));
	assert_int_equal(lk_server_counts(f->server).requests, 5);
	assert_int_equal(lk_server_counts(f->server).accepted, 1);
	assert_int_equal(f->refusals, 0);
	client_close(&c);
	until(f, lk_server_counts(f->server).open == 0);
	assert_int_equal(f->refusals, 0);
}

/* Both ends of a session can be asked for the same binding, while the client is there. */
static void
test_binding(void **state)
{
	uint8_t ours[LK_TLS_BINDING_MAX], theirs[LK_TLS_BINDING_MAX];
	struct fixture *f = *state;
	struct client c;
	struct lk_err e;
	size_t n, m;

	serve_tls(f);
	client_open(f, &c);
	until(f, client_handshake(&c));
	client_send(&c, HEAD("GET", "/hold") "\r\n");
	until(f, f->n_held == 1);
	assert_true(lk_request_tls_binding(f->held[0], ours, &n, NULL).ok);
	assert_true(lk_tls_binding(c.ssl, theirs, &m, NULL).ok);
	assert_int_equal(n, m);
	assert_memory_equal(ours, theirs, n);
	lk_request_reply(f->held[0], &(struct lk_reply){ .status = 204 });
	client_close(&c);

	lk_server_free(f->server);
	f->settings.tls = NULL;
	SSL_CTX_free(f->client_ctx);
	f->client_ctx = NULL;
	serve(f, AF_INET);
	client_open(f, &c);
	client_send(&c, HEAD("GET", "/hold") "\r\n");
	until(f, f->n_held == 2);
	assert_refused(lk_request_tls_binding(f->held[1], ours, &n, &e), e, LK_R_TLS_GONE);
	lk_request_reply(f->held[1], &(struct lk_reply){ .status = 204 });
	client_close(&c);
}

static void
test_unix(void **state)
{
	const struct lk_peer *p;
	struct fixture *f = *state;
	struct client c;

	serve(f, AF_UNIX);
	client_open(f, &c);
	client_send(&c, HEAD("GET", "/hold") "\r\n");
	until(f, f->n_held == 1);
	p = lk_request_view(f->held[0])->peer;
	assert_true(p->is_unix);
	assert_int_equal(p->uid, getuid());
	assert_int_equal(p->gid, getgid());
	assert_int_equal(p->pid, getpid());
	assert_int_equal(strncmp(p->remote, "unix:uid=", 9), 0);
	assert_string_equal(p->local, "unix");
	assert_null(lk_request_view(f->held[0])->tls);
	lk_request_reply(f->held[0], &(struct lk_reply){ .status = 204 });
	until(f, client_has(&c, "204 No Content\r\n"));
	client_close(&c);
}

/*= RFC9110 15.5.2: a 401 names a way to authenticate =*/
static void
test_challenge(void **state)
{
	struct fixture *f = *state;
	struct client c;

	serve(f, AF_INET);
	client_open(f, &c);
	ask(f, &c, HEAD("GET", "/locked") "\r\n", "HTTP/1.1 401 Unauthorized\r\n");
	assert_true(
		client_has(&c, "\r\nWWW-Authenticate: ClientCertificate realm=\"latchkey\"\r\n"));
	ask(f, &c, HEAD("GET", "/show") "\r\n", "HTTP/1.1 200 OK\r\n");
	assert_false(client_has(&c, "WWW-Authenticate"));
	client_close(&c);
}

static void
test_refusals(void **state)
{
	static const struct {
		enum lk_reason reason;
		bool ends; /* the connection, because the rest of the request was not read */
		const char *request, *want;
	} cases[] = {
		{ LK_R_HTTP_PATH, false, HEAD("GET", "/none") "\r\n",
			"HTTP/1.1 404 Not Found\r\n" },
		{ LK_R_HTTP_PATH, false, HEAD("GET", "/show/x") "\r\n", "HTTP/1.1 404 " },
		{ LK_R_HTTP_PATH, true, HEAD("POST", "/none") "Content-Length: 9\r\n\r\n1",
			"HTTP/1.1 404 " },
		{ LK_R_HTTP_METHOD, false, HEAD("DELETE", "/show") "\r\n", "HTTP/1.1 405 " },
		{ LK_R_HTTP_METHOD, false, HEAD("PUT", "/show") "\r\n",
			"\r\nAllow: GET, POST\r\n" },
		{ LK_R_HTTP_METHOD, true, HEAD("POST", "/hold") "Content-Length: 1\r\n\r\n",
			"\r\nAllow: GET\r\n" },
		{ LK_R_HTTP_METHOD, false, HEAD("GET", "/of/it/echo") "\r\n",
			"\r\nAllow: POST\r\n" },
		{ LK_R_HTTP_PATH, false, HEAD("GET", "/of/it/other") "\r\n", "HTTP/1.1 404 " },
		{ LK_R_HTTP_BODY_TOO_LARGE, true,
			HEAD("POST", "/echo") "Content-Length: 101\r\n\r\n", "HTTP/1.1 413 " },
		{ LK_R_HTTP_BODY_TOO_LARGE, true,
			HEAD("POST", "/echo") "Transfer-Encoding: chunked\r\n\r\n65\r\n",
			"HTTP/1.1 413 " },
		{ LK_R_HTTP_CONTENT_TYPE, true,
			HEAD("POST", "/pkcs10") "Content-Length: 1\r\nContent-Type: a/b\r\n\r\nx",
			"HTTP/1.1 415 " },
		{ LK_R_HTTP_CONTENT_TYPE, true,
			HEAD("POST", "/pkcs10") "Content-Length: 1\r\n\r\nx", "HTTP/1.1 415 " },
		{ LK_R_HTTP_EXPECT, true, HEAD("POST", "/echo") "Expect: much\r\n\r\n",
			"HTTP/1.1 417 " },
		/*= RFC9110 9.1: a method that is not recognized is answered with 501 =*/
		{ LK_R_HTTP_METHOD_UNKNOWN, false, HEAD("BREW", "/show") "\r\n", "HTTP/1.1 501 " },
		{ LK_R_HTTP_METHOD_UNKNOWN, false, HEAD("TRACE", "/show") "\r\n", "HTTP/1.1 501 " },
		{ LK_R_HTTP_CODING, true, HEAD("POST", "/echo") "Transfer-Encoding: gzip\r\n\r\n",
			"HTTP/1.1 501 " },
		{ LK_R_HTTP_VERSION, true, "GET /show HTTP/3.0\r\n\r\n", "HTTP/1.1 505 " },
		{ LK_R_HTTP_SYNTAX, true, "hello\n", "HTTP/1.1 400 " },
		{ LK_R_HTTP_CHUNK, true,
			HEAD("POST", "/echo") "Transfer-Encoding: chunked\r\n\r\nx",
			"HTTP/1.1 400 " },
		{ LK_R_HTTP_FRAMING, true,
			HEAD("POST", "/echo") "Content-Length: 1\r\nTransfer-Encoding: "
					      "chunked\r\n\r\n0\r\n\r\n",
			"HTTP/1.1 400 " },
	};
	struct fixture *f = *state;
	struct client c;
	size_t i;

	serve(f, AF_INET);
	for (i = 0; i < LK_ARRAY_LEN(cases); i++) {
		client_open(f, &c);
		ask(f, &c, cases[i].request, cases[i].want);
		assert_string_equal(lk_reason_info(f->refusal)->symbol,
			lk_reason_info(cases[i].reason)->symbol);
		assert_int_equal(f->refusals, i + 1);
		assert_true(client_has(&c, "\r\nContent-Type: text/plain\r\n"));
		assert_true(client_has(&c, lk_reason_info(cases[i].reason)->symbol));
		if (cases[i].ends)
			until(f, client_take(&c));
		else
			ask(f, &c, HEAD("GET", "/below/x") "\r\n", "HTTP/1.1 200 OK\r\n");
		assert_int_equal(c.ended, cases[i].ends);
		assert_int_equal(client_has(&c, "Connection: close\r\n"), cases[i].ends);
		client_close(&c);
	}
	assert_int_equal(lk_server_counts(f->server).in_flight, 0);
}

static void
test_large_header(void **state)
{
	struct fixture *f = *state;
	struct client c;
	char text[LK_HTTP1_HEAD_MAX + 200];

	serve(f, AF_INET);
	memset(text, 'x', sizeof text - 1);
	memcpy(text, HEAD("GET", "/show") "A: ", strlen(HEAD("GET", "/show") "A: "));
	text[sizeof text - 1] = 0;
	client_open(f, &c);
	ask(f, &c, text, "HTTP/1.1 431 ");
	assert_int_equal(f->refusal, LK_R_HTTP_HEAD_TOO_LARGE);
	until(f, client_take(&c));
	assert_false(c.reset);
	client_close(&c);
}

/* A client that goes on sending still gets the refusal, and is let go in the end. */
static void
test_lingering(void **state)
{
	struct fixture *f = *state;
	struct client c;

	serve(f, AF_INET);
	client_open(f, &c);
	ask(f, &c, HEAD("POST", "/echo") "Content-Length: 500\r\n\r\n", "HTTP/1.1 413 ");
	client_send(&c, "some of what was announced");
	until(f, client_take(&c));
	assert_true(c.ended);
	turn(f);
	assert_int_equal(lk_server_counts(f->server).open, 1);
	f->clock.ms += 1999;
	lk_server_expire(f->server);
	assert_int_equal(lk_server_counts(f->server).open, 1);
	f->clock.ms += 1;
	lk_server_expire(f->server);
	assert_int_equal(lk_server_counts(f->server).open, 0);
	assert_int_equal(f->refusals, 1);
	client_close(&c);
}

static void
test_head(void **state)
{
	struct fixture *f = *state;
	struct client c;

	serve(f, AF_INET);
	client_open(f, &c);
	ask(f, &c, HEAD("HEAD", "/show") "Connection: close\r\n\r\n", "Content-Length: ");
	until(f, client_take(&c));
	assert_non_null(strstr(lk_buf_str(&c.got), "Connection: close\r\n"));
	assert_string_equal(strstr(lk_buf_str(&c.got), "\r\n\r\n"), "\r\n\r\n");
	client_close(&c);
}

static void
test_expect(void **state)
{
	struct fixture *f = *state;
	struct client c;

	serve(f, AF_INET);
	client_open(f, &c);
	ask(f, &c, HEAD("POST", "/echo") "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n");
	ask(f, &c, "ab", "\r\n\r\nab");
	client_close(&c);
}

/* Requests of a pipeline are answered one after the other, also when answers take their time. */
static void
test_pipeline(void **state)
{
	struct fixture *f = *state;
	struct client c;
	int i;

	serve(f, AF_INET);
	client_open(f, &c);
	client_send(&c, HEAD("GET", "/hold") "\r\n" HEAD("GET", "/show?2") "\r\n" HEAD(
				"GET", "/hold") "\r\n");
	until(f, f->n_held == 1);
	client_send(&c, HEAD("GET", "/show?4") "\r\n");
	for (i = 0; i < 10; i++)
		turn(f);
	assert_int_equal(lk_server_counts(f->server).requests, 1);
	lk_request_reply(f->held[0], &(struct lk_reply){ .status = 202, .retry_after_s = 7 });
	until(f, f->n_held == 2);
	assert_true(client_has(&c, "HTTP/1.1 202 Accepted\r\n"));
	assert_true(client_has(&c, "\r\nRetry-After: 7\r\n"));
	assert_true(client_has(&c, "GET /show ?2"));
	assert_false(client_has(&c, "GET /show ?4"));
	lk_request_reply_err(f->held[1], &(struct lk_err){ LK_R_VOUCHER_SERIAL, "secret detail" });
	until(f, client_has(&c, "GET /show ?4"));
	assert_true(client_has(&c, "HTTP/1.1 403 Forbidden\r\n"));
	assert_true(client_has(
		&c, "voucher-serial: The voucher is for another device. (RFC 8995 5.6.1)\n"));
	assert_false(client_has(&c, "secret detail"));
	client_close(&c);
}

/* A long pipeline of requests that are answered at once neither nests nor starves. */
static void
test_long_pipeline(void **state)
{
	struct fixture *f = *state;
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(1 << 20);
	struct client c;
	int i;

	serve(f, AF_INET);
	client_open(f, &c);
	for (i = 0; i < 1000; i++)
		assert_true(lk_buf_append_str(&text, HEAD("GET", "/show") "\r\n", NULL).ok);
	client_send(&c, lk_buf_str(&text));
	until(f, (client_take(&c), lk_server_counts(f->server).requests == 1000));
	client_close(&c);
}

static void
test_gone_before_reply(void **state)
{
	struct fixture *f = *state;
	struct client a, b, c;
	int i;

	serve_tls(f);
	client_open(f, &a);
	until(f, client_handshake(&a));
	client_send(&a, HEAD("GET", "/hold") "\r\n");
	until(f, f->n_held == 1);
	client_open(f, &b);
	until(f, client_handshake(&b));
	client_send(&b, HEAD("GET", "/hold") "\r\n");
	until(f, f->n_held == 2);
	SSL_set_quiet_shutdown(a.ssl, 1);
	client_close(&a); /* without a word */
	SSL_shutdown(b.ssl);
	client_close(&b);
	for (i = 0; i < 10; i++)
		turn(f);
	assert_string_equal(lk_request_view(f->held[0])->path, "/hold");
	lk_request_reply(f->held[0], &(struct lk_reply){ .status = 204 });
	lk_request_reply_err(f->held[1], &(struct lk_err){ LK_R_BUG, "it" });
	assert_int_equal(lk_server_counts(f->server).in_flight, 0);
	until(f, lk_server_counts(f->server).open == 0);
	/* others are served as before */
	client_open(f, &c);
	until(f, client_handshake(&c));
	ask(f, &c, HEAD("GET", "/show") "\r\n", "200 OK");
	client_close(&c);
}

/* Unanswered requests end with the server; the handler's pointers are void then. */
static void
test_free_with_held(void **state)
{
	struct fixture *f = *state;
	struct client c;

	serve(f, AF_INET);
	client_open(f, &c);
	client_send(&c, HEAD("GET", "/hold") "\r\n");
	until(f, f->n_held == 1);
	f->server = lk_server_free(f->server);
	until(f, client_take(&c));
	client_close(&c);
}

/* A client that takes its time with a response neither blocks others nor loses a byte of it. */
static void
test_slow_reader(void **state)
{
	struct fixture *f = *state;
	struct client slow, other;

	serve_tls(f);
	client_open(f, &slow);
	until(f, client_handshake(&slow));
	client_send(&slow, HEAD("GET", "/large") "\r\n");
	until(f, lk_server_counts(f->server).requests == 1);
	client_open(f, &other);
	until(f, client_handshake(&other));
	ask(f, &other, HEAD("GET", "/show") "\r\n", "200 OK");
	until(f, (client_take(&slow), slow.got.n > 1 << 20));
	ask(f, &slow, HEAD("GET", "/show") "\r\n", "GET /show");

	/* one that takes nothing is let go 15 s after the reply */
	ask(f, &other, HEAD("GET", "/show") "\r\n", "200 OK");
	client_send(&slow, HEAD("GET", "/large") "\r\n");
	until(f, lk_server_counts(f->server).requests == 5);
	f->clock.ms += 14999;
	lk_server_expire(f->server);
	assert_int_equal(lk_server_counts(f->server).open, 2);
	f->clock.ms += 1;
	lk_server_expire(f->server);
	assert_int_equal(lk_server_counts(f->server).open, 1);
	assert_int_equal(f->refusal, LK_R_SERVER_TIMEOUT);
	client_close(&slow);
	client_close(&other);
}

/* Sends one byte a second and moves the clock, until the server has had enough. Says when. */
static int64_t
drip(struct fixture *f, struct client *c, const char *text)
{
	int64_t start = f->clock.ms;
	size_t i = 0;

	while (lk_server_counts(f->server).open == 1) {
		assert_true(f->clock.ms - start < 120000);
		if (text[i])
			lk_ignore((struct lk_result){
				send(c->fd, text + i++, 1, MSG_NOSIGNAL) == 1 });
		turn(f);
		turn(f);
		f->clock.ms += 1000;
		lk_server_expire(f->server);
	}
	return f->clock.ms - start;
}

static void
test_slow_clients(void **state)
{
	struct fixture *f = *state;
	struct client c;

	serve(f, AF_INET);
	/* nothing at all: the header's time from the start, and no word about it */
	client_open(f, &c);
	until(f, lk_server_counts(f->server).open == 1);
	assert_int_equal(drip(f, &c, ""), 5000);
	assert_int_equal(f->refusals, 0);
	client_close(&c);
	/* a header byte by byte: bytes do not prolong it */
	client_open(f, &c);
	until(f, lk_server_counts(f->server).open == 1);
	assert_int_equal(drip(f, &c, "GET /a HTTP/1.1\r\nHost: h\r\n"), 5000);
	assert_int_equal(f->refusal, LK_R_SERVER_TIMEOUT);
	assert_int_equal(f->refusals, 1);
	client_close(&c);
	/* a body byte by byte */
	client_open(f, &c);
	client_send(&c, HEAD("POST", "/echo") "Content-Length: 90\r\n\r\n");
	until(f, lk_server_counts(f->server).open == 1);
	turn(f);
	assert_int_equal(drip(f, &c, "0123456789012345678901234567890123456789"), 15000);
	assert_int_equal(f->refusals, 2);
	client_close(&c);
	/* idle behind a response, then a late and slow second request */
	client_open(f, &c);
	ask(f, &c, HEAD("GET", "/show") "\r\n", "200 OK");
	assert_int_equal(drip(f, &c, ""), 60000);
	assert_int_equal(f->refusals, 2);
	client_close(&c);
	client_open(f, &c);
	ask(f, &c, HEAD("GET", "/show") "\r\n", "200 OK");
	f->clock.ms += 30000;
	assert_int_equal(drip(f, &c, "GET /a HTTP/1.1\r\nHost: h\r\n"), 5000);
	assert_int_equal(f->refusals, 3);
	client_close(&c);
	/* a handler may take as long as it likes */
	client_open(f, &c);
	client_send(&c, HEAD("GET", "/hold") "\r\n");
	until(f, f->n_held == 1);
	f->clock.ms += 3600000;
	lk_server_expire(f->server);
	lk_request_reply(f->held[0], &(struct lk_reply){ .status = 204 });
	until(f, client_has(&c, "204 No Content"));
	client_close(&c);
}

static void
test_slow_handshake(void **state)
{
	struct fixture *f = *state;
	struct client c;

	serve_tls(f);
	client_open(f, &c);
	until(f, lk_server_counts(f->server).open == 1);
	/* the beginning of a record that announces 512 bytes of ClientHello */
	assert_int_equal(
		drip(f, &c, "\x16\x03\x01\x02\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"), 5000);
	assert_int_equal(f->refusal, LK_R_SERVER_TIMEOUT);
	client_close(&c);
	/* a client that speaks something else */
	client_open(f, &c);
	assert_true(send(c.fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL) == 18);
	until(f, f->refusal == LK_R_TLS_HANDSHAKE);
	until(f, lk_server_counts(f->server).open == 0);
	client_close(&c);
	/* one that leaves in the middle */
	f->refusal = LK_R_NONE;
	client_open(f, &c);
	assert_false(client_handshake(&c));
	turn(f);
	client_close(&c);
	until(f, f->refusal == LK_R_TLS_HANDSHAKE);
	assert_int_equal(lk_server_counts(f->server).open, 0);
}

static void
test_limits(void **state)
{
	struct fixture *f = *state;
	struct client c[4];
	size_t i;

	f->settings.limits = (struct lk_server_limits){
		.connections_max = 4, .per_source_max = 3, .in_flight_max = 2
	};
	serve(f, AF_INET);
	for (i = 0; i < 4; i++)
		client_open(f, &c[i]);
	until(f, client_take(&c[3]));
	assert_int_equal(f->refusal, LK_R_SERVER_CONNECTIONS);
	assert_int_equal(lk_server_counts(f->server).open, 3);
	client_close(&c[3]);

	for (i = 0; i < 2; i++)
		client_send(&c[i], HEAD("GET", "/hold") "\r\n");
	until(f, f->n_held == 2);
	ask(f, &c[2], HEAD("GET", "/hold") "\r\n", "HTTP/1.1 503 ");
	assert_true(client_has(&c[2], "\r\nRetry-After: 5\r\n"));
	assert_int_equal(f->refusal, LK_R_HTTP_BUSY);
	lk_request_reply(f->held[0], &(struct lk_reply){ .status = 204 });
	ask(f, &c[2], HEAD("GET", "/show") "\r\n", "200 OK");
	lk_request_reply(f->held[1], &(struct lk_reply){ .status = 204 });
	for (i = 0; i < 3; i++)
		client_close(&c[i]);
	until(f, lk_server_counts(f->server).open == 0);

	/* all sources together */
	lk_server_free(f->server);
	f->settings.limits = (struct lk_server_limits){ .connections_max = 1 };
	serve(f, AF_INET);
	client_open(f, &c[0]);
	client_open(f, &c[1]);
	f->refusal = LK_R_NONE;
	until(f, client_take(&c[1]));
	assert_int_equal(f->refusal, LK_R_SERVER_CONNECTIONS);
	client_close(&c[0]);
	client_close(&c[1]);
	until(f, lk_server_counts(f->server).open == 0);
	client_open(f, &c[0]);
	ask(f, &c[0], HEAD("GET", "/show") "\r\n", "200 OK");
	client_close(&c[0]);
}

/* A renewed certificate is shown from the next connection on; those that are open go on. */
static void
test_set_tls(void **state)
{
	struct fixture *f = *state;
	LK_CLEANUP(SSL_CTX_freep) SSL_CTX *ctx = NULL;
	struct client old, new;
	struct pki_cast cast;

	serve_tls(f);
	client_open(f, &old);
	until(f, client_handshake(&old));
	pki_cast_init(&cast);
	assert_true(lk_tls_server_new(&(struct lk_tls_settings){ .chain = &cast.stranger.chain,
					      .key = lk_key_evp(cast.stranger.key) },
		&ctx, NULL)
			    .ok);
	lk_server_set_tls(f->server, ctx);
	ask(f, &old, HEAD("GET", "/show") "\r\n", "200 OK");
	client_open(f, &new);
	until(f, client_handshake(&new));
	assert_int_equal(X509_cmp(SSL_get0_peer_certificate(new.ssl),
				 lk_cert_x509(pki_cert(&cast.stranger))),
		0);
	pki_cast_done(&cast);
	client_close(&old);
	client_close(&new);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_binding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_challenge, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lingering, setup, teardown),
		cmocka_unit_test_setup_teardown(test_head, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pipeline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_pipeline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_before_reply, setup, teardown),
		cmocka_unit_test_setup_teardown(test_free_with_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_handshake, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set_tls, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
