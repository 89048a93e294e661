/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 in both directions: what is taken, however it is cut into pieces, and what is refused
 * for which reason. The habits of real EST clients stand here as they were recorded.
 */
#include "test.h"

#include "net/http1.h"

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n"

/* Feeds text in pieces of `step` bytes; a body may have 64 bytes. Returns how many were taken. */
static struct lk_result
feed(struct lk_http1 *h, const char *text, size_t n, size_t step, size_t *ret_used,
	struct lk_err *e)
{
	size_t at = 0, end, used;

	while (at < n && h->state != LK_HTTP1_DONE) {
		end = n - at < step ? n : at + step;
		while (at < end && h->state != LK_HTTP1_DONE) {
			LK_TRY(lk_http1_feed(h, lk_slice(text + at, end - at), &used, e));
			at += used;
			h->body.max = 64;
		}
	}
	*ret_used = at;
	return LK_OK;
}

/* The message is complete after exactly `n` bytes, whatever the pieces. */
static void
assert_takes(struct lk_http1 *h, enum lk_http1_kind kind, const char *text, size_t n)
{
	size_t step, used;

	for (step = strlen(text); step; step = step > 3 ? 3 : step - 1) {
		lk_http1_init(h, kind, LK_HTTP1_HEAD_MAX);
		assert_true(feed(h, text, strlen(text), step, &used, NULL).ok);
		assert_int_equal(h->state, LK_HTTP1_DONE);
		assert_int_equal(used, n);
	}
}

static void
assert_refuses(enum lk_http1_kind kind, const char *text, size_t n, enum lk_reason reason)
{
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
	struct lk_err e;
	size_t step, used;

	for (step = n; step; step = step > 2 ? 2 : step - 1) {
		lk_http1_init(&h, kind, LK_HTTP1_HEAD_MAX);
		assert_refused(feed(&h, text, n, step, &used, &e), e, reason);
		assert_int_not_equal(h.state, LK_HTTP1_DONE);
	}
}

static void
test_request(void **state)
{
	static const char text[] = "POST /.well-known/est/simpleenroll?a=b?c HTTP/1.1\r\n"
				   "Host: [fe80::1%25eth0]:8443\r\n"
				   "content-TYPE:\t application/pkcs10 \t\r\n"
				   "X-Empty:\r\n"
				   "Content-Length: 5\r\n\r\n"
				   "12345GET / HTTP/1.1\r\n";
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };

	(void)state;
	assert_takes(&h, LK_HTTP1_REQUEST, text, sizeof text - 1 - strlen("GET / HTTP/1.1\r\n"));
	assert_string_equal(h.method, "POST");
	assert_string_equal(h.path, "/.well-known/est/simpleenroll");
	assert_string_equal(h.query, "a=b?c");
	assert_string_equal(lk_http1_field(&h, "Content-Type"), "application/pkcs10");
	assert_string_equal(lk_http1_field(&h, "x-empty"), "");
	assert_string_equal(lk_http1_field(&h, "Accept"), "");
	assert_string_equal(lk_buf_str(&h.body), "12345");
	assert_true(h.keep_alive);

	assert_takes(&h, LK_HTTP1_REQUEST, GET "\r\n", strlen(GET) + 2);
	assert_int_equal(h.body.n, 0);
	assert_string_equal(h.query, "");
	assert_takes(&h, LK_HTTP1_REQUEST, GET "Content-Length: 0\r\n\r\n", strlen(GET) + 21);
}

/* The head is there before a byte of the body is taken, and the caller's maximum holds. */
static void
test_head_first(void **state)
{
	static const char text[] =
		"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n123456789";
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
	struct lk_slice rest;
	struct lk_err e;
	size_t used;

	(void)state;
	lk_http1_init(&h, LK_HTTP1_REQUEST, LK_HTTP1_HEAD_MAX);
	assert_false(h.begun);
	assert_true(lk_http1_feed(&h, lk_slice_str(text), &used, NULL).ok);
	assert_true(h.begun);
	assert_int_equal(h.state, LK_HTTP1_BODY);
	assert_int_equal(used, sizeof text - 1 - 9);
	assert_int_equal(h.body.n, 0);
	h.body.max = 8;
	assert_refused(
		lk_http1_feed(&h, lk_slice(NULL, 0), &used, &e), e, LK_R_HTTP_BODY_TOO_LARGE);
	assert_int_equal(h.body.n, 0);
	h.body.max = 9;
	rest = LK_SLICE_LIT("123456789");
	assert_true(lk_http1_feed(&h, rest, &used, NULL).ok);
	assert_int_equal(used, 9);
	assert_int_equal(h.state, LK_HTTP1_DONE);
	assert_true(lk_http1_feed(&h, rest, &used, NULL).ok);
	assert_int_equal(used, 0);
}

static void
test_keep_alive(void **state)
{
	static const struct {
		const char *text;
		bool keep_alive;
	} cases[] = {
		{ GET "\r\n", true },
		{ GET "Connection: keep-alive\r\n\r\n", true },
		{ GET "Connection: closed, x-close\r\n\r\n", true },
		{ GET "Connection: Keep-Alive , CLOSE\r\n\r\n", false },
		{ GET "Connection: a\r\nConnection: close\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\n\r\n", false },
	};
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(cases); i++) {
		assert_takes(&h, LK_HTTP1_REQUEST, cases[i].text, strlen(cases[i].text));
		assert_true(h.keep_alive == cases[i].keep_alive);
	}
}

static void
test_targets(void **state)
{
	static const char absolute[] = "GET HTTPS://u.example:8443/p?q HTTP/1.1\r\nHost: h\r\n\r\n";
	static const char blank_lines[] = "\r\n\r\n" GET "\r\n";
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };

	(void)state;
	/*= RFC9112 3.2.2: a server accepts the absolute-form too =*/
	assert_takes(&h, LK_HTTP1_REQUEST, absolute, sizeof absolute - 1);
	assert_string_equal(h.path, "/p");
	assert_string_equal(h.query, "q");
	/*= RFC9112 2.2: empty lines before a request line are ignored =*/
	assert_takes(&h, LK_HTTP1_REQUEST, blank_lines, sizeof blank_lines - 1);
	assert_string_equal(h.path, "/a");
}

/* Chunked as Go's net/http sends it (one chunk, no trailer), and everything the grammar allows. */
static void
test_chunked(void **state)
{
	static const char go[] = "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: h\r\n"
				 "User-Agent: Go-http-client/1.1\r\nTransfer-Encoding: chunked\r\n"
				 "Content-Type: application/pkcs10\r\nAccept-Encoding: gzip\r\n\r\n"
				 "5\r\nMIIBA\r\n0\r\n\r\n";
	static const char full[] =
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
		"00a;name=\"v;\"\r\n0123456789\r\nA\r\nabcdefghij\r\n"
		"000;last\r\nTrailer: ignored\r\nOther:\r\n\r\n";
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };

	(void)state;
	assert_takes(&h, LK_HTTP1_REQUEST, go, sizeof go - 1);
	assert_string_equal(lk_buf_str(&h.body), "MIIBA");
	assert_takes(&h, LK_HTTP1_REQUEST, full, sizeof full - 1);
	assert_string_equal(lk_buf_str(&h.body), "0123456789abcdefghij");
}

static void
test_expect(void **state)
{
	static const char curl[] =
		"POST / HTTP/1.1\r\nHost: h\r\nUser-Agent: curl/7.88.1\r\n"
		"Accept: */*\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx";
	static const char old[] =
		"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx";
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };

	(void)state;
	assert_takes(&h, LK_HTTP1_REQUEST, curl, sizeof curl - 1);
	assert_true(h.expect_continue);
	/*= RFC9110 10.1.1: 100-continue of an HTTP/1.0 client is ignored =*/
	assert_takes(&h, LK_HTTP1_REQUEST, old, sizeof old - 1);
	assert_false(h.expect_continue);
	assert_refuses(LK_HTTP1_REQUEST, GET "Expect: a-miracle\r\n\r\n",
		strlen(GET "Expect: a-miracle\r\n\r\n"), LK_R_HTTP_EXPECT);
}

static void
test_refused_requests(void **state)
{
	static const struct {
		enum lk_reason reason;
		const char *text;
	} cases[] = {
		/*= RFC9112 2.2: a bare LF is not a line end here =*/
		{ LK_R_HTTP_SYNTAX, "GET / HTTP/1.1\nHost: h\n\n" },
		{ LK_R_HTTP_SYNTAX, GET "A: b\n\r\n" },
		/*= RFC9112 2.2: a bare CR is not a line end =*/
		{ LK_R_HTTP_SYNTAX, GET "A: b\rX: y\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, GET "A: b\r X: y\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, GET "A: b\r\r\n\r\n" },
		/*= RFC9112 5.2: obs-fold is refused =*/
		{ LK_R_HTTP_FOLD, GET "A: b\r\n c\r\n\r\n" },
		{ LK_R_HTTP_FOLD, "GET / HTTP/1.1\r\n\tHost: h\r\n\r\n" },
		/*= RFC9112 5.1: no whitespace between field name and colon =*/
		{ LK_R_HTTP_SYNTAX, GET "Content-Length : 1\r\n\r\nx" },
		{ LK_R_HTTP_SYNTAX, GET ": b\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, GET "no colon\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, GET "A: \x01\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, GET "A: \x7f\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "GET / HTTP/1.1 \r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "GET /\r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "GET\r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "G(T / HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "GET * HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "GET / http/1.1\r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_VERSION, "GET / HTTP/2.0\r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_VERSION, "GET / HTTP/1.2\r\nHost: h\r\n\r\n" },
		{ LK_R_HTTP_VERSION, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "\x16\x03\x01\x02\n" },
		/*= RFC9112 3.2: a request of HTTP/1.1 has exactly one Host field =*/
		{ LK_R_HTTP_HOST, "GET / HTTP/1.1\r\n\r\n" },
		{ LK_R_HTTP_HOST, GET "host: h\r\n\r\n" },
		{ LK_R_HTTP_HOST, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n" },
		/*= RFC9112 6.3: an invalid Content-Length is refused =*/
		{ LK_R_HTTP_FRAMING, GET "Content-Length: \r\n\r\n" },
		{ LK_R_HTTP_FRAMING, GET "Content-Length: +1\r\n\r\nx" },
		{ LK_R_HTTP_FRAMING, GET "Content-Length: -1\r\n\r\nx" },
		{ LK_R_HTTP_FRAMING, GET "Content-Length: 0x1\r\n\r\nx" },
		{ LK_R_HTTP_FRAMING, GET "Content-Length: 1 1\r\n\r\nx" },
		{ LK_R_HTTP_FRAMING, GET "Content-Length: 1, 1\r\n\r\nx" },
		{ LK_R_HTTP_FRAMING, GET "Content-Length: 18446744073709551617\r\n\r\nx" },
		{ LK_R_HTTP_FRAMING, GET "Content-Length: 9223372036854775808\r\n\r\nx" },
		{ LK_R_HTTP_FRAMING, GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx" },
		{ LK_R_HTTP_FRAMING, GET "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx" },
		/*= RFC9112 6.3: Transfer-Encoding beside Content-Length is refused =*/
		{ LK_R_HTTP_FRAMING,
			GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
		{ LK_R_HTTP_FRAMING,
			GET "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" },
		{ LK_R_HTTP_FRAMING,
			GET "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n\r\n0\r\n\r\n" },
		/*= RFC9112 6.1: Transfer-Encoding in HTTP/1.0 is faulty framing =*/
		{ LK_R_HTTP_FRAMING,
			"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
		/*= RFC9112 6.1: a transfer coding that is not understood is answered with 501 =*/
		{ LK_R_HTTP_CODING, GET "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" },
		{ LK_R_HTTP_CODING, GET "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" },
		{ LK_R_HTTP_CODING, GET "Transfer-Encoding: identity\r\n\r\n" },
		{ LK_R_HTTP_CODING, GET "Transfer-Encoding:\r\n\r\n" },
		{ LK_R_HTTP_BODY_TOO_LARGE, GET "Content-Length: 65\r\n\r\nx" },
	};
	static const char nul[] = GET "A: b\0c\r\n\r\n";
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(cases); i++)
		assert_refuses(
			LK_HTTP1_REQUEST, cases[i].text, strlen(cases[i].text), cases[i].reason);
	assert_refuses(LK_HTTP1_REQUEST, nul, sizeof nul - 1, LK_R_HTTP_SYNTAX);
}

static void
test_refused_chunks(void **state)
{
	static const struct {
		enum lk_reason reason;
		const char *body;
	} cases[] = {
		{ LK_R_HTTP_CHUNK, "\r\n" },
		{ LK_R_HTTP_CHUNK, ";x\r\n" },
		{ LK_R_HTTP_CHUNK, "g\r\n" },
		{ LK_R_HTTP_CHUNK, "0x1\r\n" },
		{ LK_R_HTTP_CHUNK, "-1\r\n" },
		{ LK_R_HTTP_CHUNK, " 1\r\n" },
		{ LK_R_HTTP_CHUNK, "1 \r\n" },
		{ LK_R_HTTP_CHUNK, "1\nx" },
		{ LK_R_HTTP_CHUNK, "1;a\nx\r\n0\r\n\r\n" },
		{ LK_R_HTTP_CHUNK, "1;a\rb\r\nx" },
		{ LK_R_HTTP_CHUNK, "1\r\nxx\r\n" },
		{ LK_R_HTTP_CHUNK, "1\r\nx\n0\r\n\r\n" },
		{ LK_R_HTTP_CHUNK, "000000001\r\nx" },
		{ LK_R_HTTP_CHUNK, "0\r\nA: b\n\r\n" },
		{ LK_R_HTTP_CHUNK, "0\r\n\rx" },
		{ LK_R_HTTP_BODY_TOO_LARGE, "41\r\n" },
		{ LK_R_HTTP_BODY_TOO_LARGE, "ffffffff\r\n" },
		{ LK_R_HTTP_BODY_TOO_LARGE, "20\r\n01234567890123456789012345678901\r\n21\r\n" },
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(64 * 1024);
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(cases); i++) {
		lk_buf_clear(&b);
		assert_true(lk_buf_printf(
			&b, NULL, GET "Transfer-Encoding: chunked\r\n\r\n%s", cases[i].body)
				    .ok);
		assert_refuses(LK_HTTP1_REQUEST, lk_buf_str(&b), b.n, cases[i].reason);
	}

	/* Extensions and trailers are bounded together. */
	lk_buf_clear(&b);
	assert_true(lk_buf_append_str(&b, GET "Transfer-Encoding: chunked\r\n\r\n", NULL).ok);
	for (i = 0; i < 2000; i++)
		assert_true(
			lk_buf_append_str(&b, i < 40 ? "1;extends\r\nx\r\n" : "0\r\n", NULL).ok);
	b.n -= 3 * (2000 - 41); /* one last chunk, then a long trailer */
	for (i = 0; i < LK_HTTP1_HEAD_MAX; i++)
		assert_true(lk_buf_append_str(&b, "A: trailer\r\n", NULL).ok || b.n > 60000);
	assert_refuses(LK_HTTP1_REQUEST, lk_buf_str(&b), b.n, LK_R_HTTP_CHUNK);
}

static void
test_head_limits(void **state)
{
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(64 * 1024);
	size_t i;

	(void)state;
	/* The last size that is taken, and one more. */
	assert_true(lk_buf_append_str(&b, GET "A: ", NULL).ok);
	while (b.n < LK_HTTP1_HEAD_MAX - 4)
		assert_true(lk_buf_append_str(&b, "x", NULL).ok);
	assert_true(lk_buf_append_str(&b, "\r\n\r\n", NULL).ok);
	assert_takes(&h, LK_HTTP1_REQUEST, lk_buf_str(&b), LK_HTTP1_HEAD_MAX);
	b.n -= 4;
	assert_true(lk_buf_append_str(&b, "x\r\n\r\n", NULL).ok);
	assert_refuses(LK_HTTP1_REQUEST, lk_buf_str(&b), b.n, LK_R_HTTP_HEAD_TOO_LARGE);

	lk_buf_clear(&b);
	assert_true(lk_buf_append_str(&b, GET, NULL).ok);
	for (i = 1; i < LK_HTTP1_FIELDS_MAX; i++)
		assert_true(lk_buf_append_str(&b, "A:\r\n", NULL).ok);
	assert_true(lk_buf_append_str(&b, "\r\n", NULL).ok);
	assert_takes(&h, LK_HTTP1_REQUEST, lk_buf_str(&b), b.n);
	b.n -= 2;
	assert_true(lk_buf_append_str(&b, "A:\r\n\r\n", NULL).ok);
	assert_refuses(LK_HTTP1_REQUEST, lk_buf_str(&b), b.n, LK_R_HTTP_HEAD_TOO_LARGE);
}

static void
test_response(void **state)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\n"
				   "Retry-After: 30\r\nContent-Length: 2\r\n\r\nok";
	static const char chunked[] = "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"
				      "2\r\nok\r\n0\r\n\r\n";
	static const char no_reason[] = "HTTP/1.1 204\r\nContent-Length: 9\r\n\r\n";
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
	struct lk_err e;
	size_t used;

	(void)state;
	assert_takes(&h, LK_HTTP1_RESPONSE, text, sizeof text - 1);
	assert_int_equal(h.status, 202);
	assert_string_equal(lk_http1_field(&h, "retry-after"), "30");
	assert_string_equal(lk_buf_str(&h.body), "ok");
	assert_true(h.keep_alive);
	assert_takes(&h, LK_HTTP1_RESPONSE, chunked, sizeof chunked - 1);
	assert_string_equal(lk_buf_str(&h.body), "ok");
	assert_takes(&h, LK_HTTP1_RESPONSE, no_reason, sizeof no_reason - 1);
	assert_int_equal(h.body.n, 0);

	/* An answer to HEAD ends with its header. */
	lk_http1_init(&h, LK_HTTP1_RESPONSE, LK_HTTP1_HEAD_MAX);
	h.answers_head = true;
	assert_true(lk_http1_feed(
		&h, LK_SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), &used, NULL)
			    .ok);
	assert_int_equal(h.state, LK_HTTP1_DONE);

	/* Without a length it ends with the connection, and only then. */
	lk_http1_init(&h, LK_HTTP1_RESPONSE, LK_HTTP1_HEAD_MAX);
	assert_true(feed(&h, "HTTP/1.1 200 OK\r\n\r\nbody", 23, 23, &used, NULL).ok);
	assert_int_equal(h.state, LK_HTTP1_BODY);
	assert_false(h.keep_alive);
	assert_true(lk_http1_eof(&h, NULL).ok);
	assert_int_equal(h.state, LK_HTTP1_DONE);
	assert_string_equal(lk_buf_str(&h.body), "body");

	/*= RFC9112 8: a message cut short is incomplete, never taken as it is =*/
	lk_http1_init(&h, LK_HTTP1_RESPONSE, LK_HTTP1_HEAD_MAX);
	assert_true(feed(&h, text, sizeof text - 2, 99, &used, NULL).ok);
	assert_refused(lk_http1_eof(&h, &e), e, LK_R_HTTP_CUT);
	lk_http1_init(&h, LK_HTTP1_RESPONSE, LK_HTTP1_HEAD_MAX);
	assert_true(feed(&h, text, 30, 30, &used, NULL).ok);
	assert_refused(lk_http1_eof(&h, &e), e, LK_R_HTTP_CUT);
}

static void
test_refused_responses(void **state)
{
	static const struct {
		enum lk_reason reason;
		const char *text;
	} cases[] = {
		{ LK_R_HTTP_SYNTAX, "HTTP/1.1 20 OK\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "HTTP/1.1 2000 OK\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "HTTP/1.1 099 OK\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "HTTP/1.1 600 OK\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "HTTP/1.1\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "HTTP/1.1 101 Switching\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "\r\nHTTP/1.1 200 OK\r\n\r\n" },
		{ LK_R_HTTP_SYNTAX, "ICY 200 OK\r\n\r\n" },
		{ LK_R_HTTP_FRAMING,
			"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" },
		{ LK_R_HTTP_CODING, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" },
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(64 * 1024);
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(cases); i++)
		assert_refuses(
			LK_HTTP1_RESPONSE, cases[i].text, strlen(cases[i].text), cases[i].reason);
	while (b.n <= LK_HTTP1_HEAD_MAX)
		assert_true(lk_buf_append_str(&b, "HTTP/1.1 102 Processing\r\n\r\n", NULL).ok);
	assert_refuses(LK_HTTP1_RESPONSE, lk_buf_str(&b), b.n, LK_R_HTTP_HEAD_TOO_LARGE);
}

static void
test_print(void **state)
{
	static const struct lk_http1_field extra[] = { { "Location", "/x" } };
	static const struct lk_http1_field evil[] = { { "X", "a\r\nSet-Cookie: b" } };
	struct lk_http1_request rq = { .method = "POST",
		.target = "/a?b",
		.host = "h:1",
		.content_type = "text/plain",
		.accept = "*/*",
		.body = LK_SLICE_LIT("body") };
	struct lk_http1_response rs = { .status = 202,
		.content_type = "text/plain",
		.retry_after_s = 30,
		.www_authenticate = "Basic realm=\"est\"",
		.extra = extra,
		.n_extra = 1,
		.body = LK_SLICE_LIT("wait"),
		.now = 784111777,
		.close_after = true };
	LK_CLEANUP(lk_buf_done) struct lk_buf b = LK_BUF_INIT(8192);
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
	char long_value[LK_HTTP1_RESPONSE_HEAD_MAX];
	struct lk_err e;

	(void)state;
	assert_true(lk_http1_print_request(&rq, &b, NULL).ok);
	assert_string_equal(lk_buf_str(&b), "POST /a?b HTTP/1.1\r\nHost: h:1\r\nAccept: */*\r\n"
					    "Content-Type: text/plain\r\nContent-Length: 4\r\n\r\n"
					    "body");
	assert_takes(&h, LK_HTTP1_REQUEST, lk_buf_str(&b), b.n);
	lk_buf_clear(&b);
	assert_true(lk_http1_print_request(
		&(struct lk_http1_request){
			.method = "POST", .target = "/", .host = "h", .close_after = true },
		&b, NULL)
			    .ok);
	assert_string_equal(lk_buf_str(&b),
		"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

	lk_buf_clear(&b);
	assert_true(lk_http1_print_response(&rs, &b, NULL).ok);
	/*= RFC9110 5.6.7: IMF-fixdate =*/
	assert_string_equal(lk_buf_str(&b),
		"HTTP/1.1 202 Accepted\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		"Content-Type: text/plain\r\nRetry-After: 30\r\n"
		"WWW-Authenticate: Basic realm=\"est\"\r\nLocation: /x\r\nConnection: close\r\n"
		"Content-Length: 4\r\n\r\nwait");
	assert_takes(&h, LK_HTTP1_RESPONSE, lk_buf_str(&b), b.n);

	/*= RFC9110 8.6: 204 carries no Content-Length =*/
	lk_buf_clear(&b);
	assert_true(
		lk_http1_print_response(&(struct lk_http1_response){ .status = 204 }, &b, NULL).ok);
	assert_string_equal(lk_buf_str(&b), "HTTP/1.1 204 No Content\r\n\r\n");

	/*= RFC9110 8.6: the Content-Length of 304 would be that of the 200 response =*/
	lk_buf_clear(&b);
	assert_true(
		lk_http1_print_response(&(struct lk_http1_response){ .status = 304 }, &b, NULL).ok);
	assert_string_equal(lk_buf_str(&b), "HTTP/1.1 304 Not Modified\r\n\r\n");

	lk_buf_clear(&b);
	assert_true(lk_http1_print_response(&(struct lk_http1_response){ .status = 200,
						    .content_type = "text/plain",
						    .body = LK_SLICE_LIT("wait"),
						    .no_body = true },
		&b, NULL)
			    .ok);
	assert_string_equal(lk_buf_str(&b),
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n");

	/* What cannot be written leaves nothing behind. */
	lk_buf_clear(&b);
	rs.extra = evil;
	assert_refused(lk_http1_print_response(&rs, &b, &e), e, LK_R_BUG);
	memset(long_value, 'x', sizeof long_value - 1);
	long_value[sizeof long_value - 1] = 0;
	rs.extra = &(struct lk_http1_field){ "X", long_value };
	assert_refused(lk_http1_print_response(&rs, &b, &e), e, LK_R_BUG);
	rq.target = "/a b";
	assert_refused(lk_http1_print_request(&rq, &b, &e), e, LK_R_BUG);
	assert_int_equal(b.n, 0);
	assert_string_equal(lk_buf_str(&b), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_head_first),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_chunked),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_refused_requests),
		cmocka_unit_test(test_refused_chunks),
		cmocka_unit_test(test_head_limits),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_refused_responses),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
