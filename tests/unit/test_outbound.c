/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTPS client against our own server on loopback, and against a peer that says whatever it
 * likes.
 */
#include "pki.h"
#include "test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/ossl.h"
#include "net/loop.h"
#include "net/outbound.h"
#include "net/server.h"

#define TURNS_MAX 2000 /* each waits for something to happen */

struct fixture {
	struct pki_cast cast;
	struct pki_id masa_tls; /* good for 127.0.0.1 and 127.0.0.2 */
	struct lk_loop *loop;
	struct lk_server *server;
	unsigned port;
	struct lk_egress egress;
	struct lk_outbound_settings settings;
	struct lk_outbound *outbound;
	struct lk_outbound_request rq;
	char url[128];
	char location[128]; /* of /redirect */
	size_t n_chain;     /* that the server saw last */
	char seen[256];

	/* the outcome */
	bool done;
	struct lk_err err;
	unsigned status, retry_after_s;
	char type[64], body[256], address[64], final_url[128], tls[64];
	size_t n_peer_chain;
};

/* --- the server's side ------------------------------------------------------------------------ */

static void
answer(struct lk_request *r, void *ctx)
{
	const struct lk_request_view *v = lk_request_view(r);
	struct fixture *f = ctx;

	f->n_chain = v->tls ? v->tls->n_chain : 0;
	snprintf(f->seen, sizeof f->seen, "%s %s?%s type=%s accept=%s body=%.*s", v->method,
		v->path, v->query, v->content_type, v->accept, (int)v->body.n,
		(const char *)v->body.p);
	lk_request_reply(r, &(struct lk_reply){ .status = 202,
				    .content_type = "text/plain; charset=utf-8",
				    .retry_after_s = 17,
				    .body = lk_slice_str("an answer") });
}

static void
redirect(struct lk_request *r, void *ctx)
{
	struct fixture *f = ctx;

	lk_request_reply(r, &(struct lk_reply){ .status = 307,
				    .extra = &(struct lk_http1_field){ "Location", f->location },
				    .n_extra = 1 });
}

static void
never(struct lk_request *r, void *ctx)
{
	(void)r, (void)ctx;
}

static const struct lk_route routes[] = {
	{ "GET", "/answer", NULL, 0, answer },
	{ "POST", "/answer", NULL, 1000, answer },
	{ "PUT", "/answer", NULL, 1000, answer },
	{ "GET", "/redirect", NULL, 0, redirect },
	{ "POST", "/redirect", NULL, 1000, redirect },
	{ "GET", "/never", NULL, 0, never },
};

static int
listen_on_loopback(unsigned *ret_port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof sa;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0); /* 127.0.0.1 and .2 */
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	*ret_port = ntohs(sa.sin_port);
	return fd;
}

static void
serve(struct fixture *f, const struct pki_id *id, enum lk_tls_client_cert client_cert)
{
	LK_CLEANUP(SSL_CTX_freep) SSL_CTX *ctx = NULL;
	struct lk_server_settings settings = {
		.routes = routes, .n_routes = LK_ARRAY_LEN(routes), .ctx = f
	};

	f->server = lk_server_free(f->server);
	if (id) {
		assert_true(lk_tls_server_new(&(struct lk_tls_settings){ .chain = &id->chain,
						      .key = lk_key_evp(id->key),
						      .client_cert = client_cert },
			&ctx, NULL)
				    .ok);
		settings.tls = ctx;
	}
	settings.listen_fd = listen_on_loopback(&f->port);
	assert_true(lk_server_new(f->loop, &settings, &f->server, NULL).ok);
}

/* --- the client's side ------------------------------------------------------------------------ */

static void
on_done(void *ctx, const struct lk_outbound_result *r, const struct lk_err *err)
{
	struct fixture *f = ctx;

	assert_false(f->done);
	assert_true(!r != !err);
	f->done = true;
	if (err) {
		assert_int_not_equal(err->msg[0], 0);
		f->err = *err;
		return;
	}
	f->err.reason = LK_R_NONE;
	f->status = r->status;
	f->retry_after_s = r->retry_after_s;
	snprintf(f->type, sizeof f->type, "%s", r->content_type);
	snprintf(f->body, sizeof f->body, "%.*s", (int)r->body.n, (const char *)r->body.p);
	snprintf(f->address, sizeof f->address, "%s", r->address);
	snprintf(f->final_url, sizeof f->final_url, "%s", r->url);
	snprintf(f->tls, sizeof f->tls, "%s", r->tls ? r->tls->version : "none");
	f->n_peer_chain = r->tls ? r->tls->n_chain : 0;
}

static void
connect_anew(struct fixture *f)
{
	f->outbound = lk_outbound_free(f->outbound);
	assert_true(lk_outbound_new(f->loop, &f->settings, &f->outbound, NULL).ok);
}

static void
wait_for_done(struct fixture *f)
{
	int turns;

	for (turns = 0; !f->done; turns++) {
		assert_int_not_equal(turns, TURNS_MAX);
		assert_true(lk_loop_turn(f->loop, NULL).ok);
	}
}

/* Asks the server for a path, and waits. */
static enum lk_reason
fetch_from(struct fixture *f, const char *scheme, const char *host, const char *path)
{
	snprintf(f->url, sizeof f->url, "%s://%s:%u%s", scheme, host, f->port, path);
	f->rq.url = f->url;
	f->done = false;
	assert_true(lk_outbound_start(f->outbound, &f->rq, on_done, f, NULL, NULL).ok);
	assert_false(f->done);
	wait_for_done(f);
	return f->err.reason;
}

static enum lk_reason
fetch(struct fixture *f, const char *path)
{
	return fetch_from(f, "https", "127.0.0.1", path);
}

#define assert_reason(got, want) \
	assert_string_equal(lk_reason_info(got)->symbol, lk_reason_info(want)->symbol)

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	pki_cast_init(&f->cast);
	pki_issue(&f->cast.vendor,
		&(struct pki_spec){
			.cn = "masa", .san = "IP:127.0.0.1,IP:127.0.0.2", .eku = "serverAuth" },
		&f->masa_tls);
	assert_true(lk_loop_new(&lk_clock_system, &f->loop, NULL).ok);
	assert_true(lk_egress_allow(&f->egress, "127.0.0.1", NULL).ok);
	f->settings = (struct lk_outbound_settings){ .anchors = &f->cast.vendor.chain,
		.chain = &f->cast.registrar.chain,
		.key = lk_key_evp(f->cast.registrar.key),
		.egress = &f->egress };
	f->rq = (struct lk_outbound_request){ .method = "GET" };
	serve(f, &f->masa_tls, LK_TLS_CLIENT_CERT_OPTIONAL);
	connect_anew(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	lk_outbound_free(f->outbound);
	lk_server_free(f->server);
	lk_loop_free(f->loop);
	pki_id_done(&f->masa_tls);
	pki_cast_done(&f->cast);
	free(f);
	return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void
test_get_and_post(void **state)
{
	static const struct lk_http1_field fields[] = { { "Content-Type", "application/x" },
		{ "Accept", "text/plain" } };
	struct fixture *f = *state;
	char want[64];

	assert_reason(fetch(f, "/answer?q"), LK_R_NONE);
	assert_int_equal(f->status, 202);
	assert_int_equal(f->retry_after_s, 17);
	assert_string_equal(f->type, "text/plain; charset=utf-8");
	assert_string_equal(f->body, "an answer");
	assert_string_equal(f->tls, "TLSv1.3");
	assert_string_equal(f->final_url, f->url);
	snprintf(want, sizeof want, "127.0.0.1:%u", f->port);
	assert_string_equal(f->address, want);
	assert_int_equal(f->n_peer_chain, f->masa_tls.chain.n);
	assert_int_equal(f->n_chain, f->cast.registrar.chain.n);
	assert_string_equal(f->seen, "GET /answer?q type= accept=*/* body=");

	f->rq.method = "POST";
	f->rq.fields = fields;
	f->rq.n_fields = 2;
	f->rq.body = LK_SLICE_LIT("request");
	assert_reason(fetch(f, "/answer"), LK_R_NONE);
	assert_string_equal(
		f->seen, "POST /answer? type=application/x accept=text/plain body=request");
	f->rq.method = "PUT";
	assert_reason(fetch(f, "/answer"), LK_R_NONE);
	assert_string_equal(
		f->seen, "PUT /answer? type=application/x accept=text/plain body=request");
	f->rq.method = "POST";
	f->rq.body = lk_slice(NULL, 0);
	assert_reason(fetch(f, "/answer"), LK_R_NONE);
	assert_string_equal(f->seen, "POST /answer? type=application/x accept=text/plain body=");
	/* one connection for all, and the facts are known each time */
	assert_int_equal(lk_server_counts(f->server).accepted, 1);
	assert_string_equal(f->tls, "TLSv1.3");

	/* a status is a result, whatever it is */
	assert_reason(fetch(f, "/none"), LK_R_NONE);
	assert_int_equal(f->status, 404);
}

static void
test_egress(void **state)
{
	struct fixture *f = *state;

	assert_reason(fetch_from(f, "https", "127.0.0.2", "/answer"), LK_R_EGRESS_FORBIDDEN);
	assert_reason(fetch_from(f, "https", "[::1]", "/answer"), LK_R_EGRESS_FORBIDDEN);
	assert_reason(fetch_from(f, "https", "169.254.169.254", "/answer"), LK_R_EGRESS_FORBIDDEN);
	assert_reason(fetch_from(f, "https", "2130706434", "/answer"), LK_R_EGRESS_FORBIDDEN);
	f->settings.egress = NULL;
	connect_anew(f);
	assert_reason(fetch(f, "/answer"), LK_R_EGRESS_FORBIDDEN);
	assert_int_equal(lk_server_counts(f->server).accepted, 0);
}

/* The environment sends nobody elsewhere. */
static void
test_no_proxy(void **state)
{
	struct fixture *f = *state;

	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	assert_reason(fetch(f, "/answer"), LK_R_NONE);
	unsetenv("https_proxy");
	unsetenv("ALL_PROXY");
}

static void
test_certificate(void **state)
{
	struct fixture *f = *state;

	/* of another name: RFC 8995 5.4 */
	serve(f, &f->cast.registrar, LK_TLS_CLIENT_CERT_NONE);
	f->settings.anchors = &f->cast.domain.chain;
	connect_anew(f);
	/*= RFC8995 5.4: the MASA's name is checked by RFC 6125 =*/
	assert_reason(fetch(f, "/answer"), LK_R_UPSTREAM_CERTIFICATE);
	/* of another CA */
	serve(f, &f->masa_tls, LK_TLS_CLIENT_CERT_NONE);
	assert_reason(fetch(f, "/answer"), LK_R_UPSTREAM_CERTIFICATE);
	/* the system's anchors know nothing of ours */
	f->settings.anchors = NULL;
	connect_anew(f);
	assert_reason(fetch(f, "/answer"), LK_R_UPSTREAM_CERTIFICATE);
	assert_int_equal(lk_server_counts(f->server).requests, 0);
	/* an anchor that is not self-signed */
	f->settings.anchors = &(struct lk_certs){ .v = { f->masa_tls.chain.v[0] }, .n = 1 };
	connect_anew(f);
	assert_reason(fetch(f, "/answer"), LK_R_NONE);
}

/* A server's own certificate is as it should be; who issued it is outside the policy. */
static void
test_weak_path(void **state)
{
	const struct pki_spec ca = { .cn = "Odd CA", .ca = true, .key_type = LK_KEY_ED25519 };
	LK_CLEANUP(pki_id_done) struct pki_id odd = { .key = NULL }, leaf = { .key = NULL };
	struct fixture *f = *state;

	pki_issue(&f->cast.vendor, &ca, &odd);
	pki_issue(&odd, &(struct pki_spec){ .cn = "MASA", .san = "IP:127.0.0.1" }, &leaf);
	serve(f, &leaf, LK_TLS_CLIENT_CERT_NONE);
	connect_anew(f);
	/*= SEC-12: every certificate of a path is within the crypto policy =*/
	assert_reason(fetch(f, "/answer"), LK_R_CRYPTO_POLICY);
}

static void
test_client_certificate(void **state)
{
	struct lk_outbound *none = NULL;
	struct fixture *f = *state;
	struct lk_err e;

	serve(f, &f->masa_tls, LK_TLS_CLIENT_CERT_REQUIRED);
	assert_reason(fetch(f, "/answer"), LK_R_NONE);
	f->settings.chain = NULL;
	connect_anew(f);
	assert_reason(fetch(f, "/answer"), LK_R_UPSTREAM_TLS);
	f->settings.chain = &f->cast.registrar.chain;
	f->settings.key = NULL;
	assert_refused(lk_outbound_new(f->loop, &f->settings, &none, &e), e, LK_R_TLS_SETTINGS);
	assert_null(none);
	f->settings.key = lk_key_evp(f->cast.stranger.key);
	connect_anew(f);
	assert_reason(fetch(f, "/answer"), LK_R_TLS_SETTINGS);
}

static void
test_redirects(void **state)
{
	struct fixture *f = *state;

	f->rq.method = "POST";
	f->rq.body = LK_SLICE_LIT("kept");
	snprintf(f->location, sizeof f->location, "https://127.0.0.1:%u/answer", f->port);
	assert_reason(fetch(f, "/redirect"), LK_R_NONE);
	assert_int_equal(f->status, 307);
	f->rq.redirects_max = 1;
	assert_reason(fetch(f, "/redirect"), LK_R_NONE);
	assert_int_equal(f->status, 202);
	assert_string_equal(f->final_url, f->location);
	assert_non_null(strstr(f->seen, "body=kept"));
	/*= RFC8995 5.6: at most one redirect to another origin =*/
	snprintf(f->location, sizeof f->location, "https://127.0.0.1:%u/redirect", f->port);
	assert_reason(fetch(f, "/redirect"), LK_R_UPSTREAM_REDIRECTS);
	/* each hop is vetted */
	snprintf(f->location, sizeof f->location, "https://127.0.0.2:%u/answer", f->port);
	assert_reason(fetch(f, "/redirect"), LK_R_EGRESS_FORBIDDEN);
	snprintf(f->location, sizeof f->location, "http://127.0.0.1:%u/answer", f->port);
	assert_reason(fetch(f, "/redirect"), LK_R_OUTBOUND_URL);
	snprintf(f->location, sizeof f->location, "file:///etc/passwd");
	assert_reason(fetch(f, "/redirect"), LK_R_OUTBOUND_URL);
}

static void
test_limits(void **state)
{
	struct fixture *f = *state;

	f->rq.response_max = 8;
	assert_reason(fetch(f, "/answer"), LK_R_RESPONSE_TOO_LARGE);
	f->rq.response_max = 9;
	assert_reason(fetch(f, "/answer"), LK_R_NONE);
	f->rq.total_ms = 50;
	assert_reason(fetch(f, "/never"), LK_R_UPSTREAM_TIMEOUT);
}

static void
test_unreachable(void **state)
{
	struct fixture *f = *state;

	f->server = lk_server_free(f->server);
	assert_reason(fetch(f, "/answer"), LK_R_UPSTREAM_UNREACHABLE);
}

static void
test_urls(void **state)
{
	static const char *const bad[] = { "", "https://", "nonsense", "ftp://127.0.0.1/",
		"http://127.0.0.1/", "file:///etc/passwd", "https://127.0.0.1:99999/" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		f->rq.url = bad[i];
		f->done = false;
		assert_true(lk_outbound_start(f->outbound, &f->rq, on_done, f, NULL, NULL).ok);
		wait_for_done(f);
		assert_reason(f->err.reason, LK_R_OUTBOUND_URL);
	}
}

static void
test_plain(void **state)
{
	struct fixture *f = *state;

	serve(f, NULL, LK_TLS_CLIENT_CERT_NONE);
	assert_reason(fetch_from(f, "http", "127.0.0.1", "/answer"), LK_R_OUTBOUND_URL);
	f->rq.allow_http = true;
	assert_reason(fetch_from(f, "http", "127.0.0.1", "/answer"), LK_R_NONE);
	assert_string_equal(f->tls, "none");
	/* the port speaks no TLS */
	assert_reason(fetch(f, "/answer"), LK_R_UPSTREAM_TLS);
}

/* What a peer may say, or not say, instead of an answer. */
static void
test_strange_answers(void **state)
{
	static const struct {
		enum lk_reason reason;
		const char *text;
	} cases[] = {
		{ LK_R_NONE, "HTTP/1.1 200 OK\r\n\r\n12345678" },
		{ LK_R_RESPONSE_TOO_LARGE, "HTTP/1.1 200 OK\r\n\r\n123456789" },
		{ LK_R_RESPONSE_TOO_LARGE, "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
					   "chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n" },
		{ LK_R_UPSTREAM_PROTOCOL, "" },
		{ LK_R_UPSTREAM_PROTOCOL, "220 mail.example ESMTP\r\n" },
		{ LK_R_UPSTREAM_PROTOCOL, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n1234" },
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf large = LK_BUF_INIT(1 << 20);
	struct fixture *f = *state;
	unsigned port;
	size_t i;
	int listener = listen_on_loopback(&port), fd;
	char request[4096];

	f->rq.allow_http = true;
	f->rq.response_max = 8;
	while (large.n < 17000)
		assert_true(lk_buf_append_str(
			&large, large.n ? "A: b\r\n" : "HTTP/1.1 200 OK\r\n", NULL)
				    .ok);
	for (i = 0; i <= LK_ARRAY_LEN(cases); i++) {
		const char *text = i < LK_ARRAY_LEN(cases) ? cases[i].text : lk_buf_str(&large);

		snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u/", port);
		f->rq.url = f->url;
		f->done = false;
		assert_true(lk_outbound_start(f->outbound, &f->rq, on_done, f, NULL, NULL).ok);
		assert_true(lk_loop_turn(f->loop, NULL).ok);
		fd = accept(listener, NULL, NULL);
		assert_true(lk_loop_turn(f->loop, NULL).ok);
		assert_true(recv(fd, request, sizeof request, 0) > 0);
		assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
		close(fd);
		wait_for_done(f);
		assert_reason(f->err.reason,
			i < LK_ARRAY_LEN(cases) ? cases[i].reason : LK_R_RESPONSE_TOO_LARGE);
	}
	close(listener);
}

static void
test_cancel(void **state)
{
	struct lk_outbound_call *c = NULL;
	struct fixture *f = *state;

	snprintf(f->url, sizeof f->url, "https://127.0.0.1:%u/never", f->port);
	f->rq.url = f->url;
	assert_true(lk_outbound_start(f->outbound, &f->rq, on_done, f, &c, NULL).ok);
	assert_non_null(c);
	while (lk_server_counts(f->server).requests < 1)
		assert_true(lk_loop_turn(f->loop, NULL).ok);
	lk_outbound_cancel(c);
	assert_reason(fetch(f, "/answer"), LK_R_NONE);
	/* calls under way end with the client, without a word */
	f->done = false;
	f->rq.url = "https://127.0.0.1:1/";
	assert_true(lk_outbound_start(f->outbound, &f->rq, on_done, f, NULL, NULL).ok);
	f->outbound = lk_outbound_free(f->outbound);
	assert_false(f->done);
}

static void
test_bad_field(void **state)
{
	static const struct lk_http1_field evil = { "X", "a\r\nY: b" };
	struct fixture *f = *state;
	struct lk_err e;

	f->rq.url = "https://127.0.0.1/";
	f->rq.fields = &evil;
	f->rq.n_fields = 1;
	assert_refused(lk_outbound_start(f->outbound, &f->rq, on_done, f, NULL, &e), e, LK_R_BUG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_get_and_post, setup, teardown),
		cmocka_unit_test_setup_teardown(test_egress, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_proxy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_certificate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_weak_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_certificate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_redirects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreachable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_urls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strange_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_field, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
