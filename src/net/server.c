/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP/1.1 server. A connection walks through the phases below; each sets
 * its deadline once, on entry. While a handler has its request nothing is read,
 * so that a client that leaves meanwhile is found out when it is answered.
 *
 * libevent's own HTTP server is not used: its timeouts restart with each byte,
 * it writes header and body apart, and it has no say on framing.
 */
#include "net/server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/path.h"
#include "crypto/ossl.h"
#include "net/loop.h"
#include "net/stream.h"

#define EXPIRE_EVERY_MS    250
#define LINGER_MS          2000
#define ACCEPTS_PER_TURN   32
#define READ_MAX           (16 * 1024) /* bytes taken from a connection at once */
#define RESPONSE_MAX       ((8 << 20) + LK_HTTP1_RESPONSE_HEAD_MAX) /* bytes of one response */
#define BUSY_RETRY_AFTER_S 5
#define BUCKETS            256

enum phase {
	PHASE_HANDSHAKE, /* of TLS */
	PHASE_READING,   /* a request is awaited or comes in */
	PHASE_HANDLING,  /* a handler has it */
	PHASE_WRITING,   /* its response goes out */
	PHASE_LINGERING, /* all is said; what still comes is not looked at, so that it does not
			  * turn into a reset that destroys the response on its way */
	PHASE_CLOSED
};

/* One connection, and the one request that it may have at a time. */
struct lk_request {
	struct lk_server *server;
	struct lk_request *next, **prev; /* in its bucket */
	uint8_t source[LK_ADDRESS_KEY_LEN];
	struct lk_stream stream;
	struct lk_watch *watch;
	enum phase phase;
	int64_t deadline_ms;
	bool driving; /* drive() is on the stack */
	bool linger;  /* when the response is out */
	bool close_after;
	struct lk_http1 http;
	struct lk_buf in;  /* received, not looked at yet */
	struct lk_buf out; /* the response */
	size_t out_at;     /* of it written */
	const struct lk_route *route;
	struct lk_request_view view;
	struct lk_peer peer;
	struct lk_tls_facts facts;
};

struct lk_server {
	struct lk_loop *loop;
	struct lk_server_settings set;
	struct lk_watch *listener;
	struct lk_timer *timer;
	bool timing;
	uint64_t last_connection;
	struct lk_server_counts counts;
	struct lk_request *buckets[BUCKETS]; /* connections by source */
};

/* --- connections ------------------------------------------------------------------------------ */

static struct lk_request **
bucket_of(struct lk_server *s, const uint8_t key[static LK_ADDRESS_KEY_LEN])
{
	uint32_t hash = 2166136261u; /* FNV-1a; collisions cost a longer walk, nothing else */
	size_t i;

	for (i = 0; i < LK_ADDRESS_KEY_LEN; i++)
		hash = (hash ^ key[i]) * 16777619u;
	return &s->buckets[(hash ^ hash >> 16) % BUCKETS];
}

static size_t
count_source(struct lk_server *s, const uint8_t key[static LK_ADDRESS_KEY_LEN])
{
	const struct lk_request *c;
	size_t n = 0;

	for (c = *bucket_of(s, key); c; c = c->next)
		n += c->phase != PHASE_CLOSED && memcmp(c->source, key, LK_ADDRESS_KEY_LEN) == 0;
	return n;
}

static void
arm_timer(struct lk_server *s)
{
	if (s->timing)
		return;
	s->timing = true;
	lk_timer_at(s->timer, lk_loop_now_ms(s->loop) + EXPIRE_EVERY_MS);
}

static void
enter(struct lk_request *c, enum phase phase, int64_t within_ms)
{
	c->phase = phase;
	c->deadline_ms =
		within_ms == INT64_MAX ? INT64_MAX : lk_loop_now_ms(c->server->loop) + within_ms;
}

static void
report(struct lk_server *s, const struct lk_peer *peer, const struct lk_err *e)
{
	s->counts.refused++;
	if (s->set.on_refusal)
		s->set.on_refusal(s->set.ctx, peer, e);
}

/* The memory goes later: see release(). */
static void
hang_up(struct lk_request *c)
{
	if (c->phase == PHASE_CLOSED)
		return;
	lk_watch_free(c->watch);
	c->watch = NULL;
	lk_stream_close(&c->stream);
	c->server->counts.open--;
	enter(c, PHASE_CLOSED, INT64_MAX);
}

static void
destroy(struct lk_request *c)
{
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		*c->prev = c->next;
	lk_http1_done(&c->http);
	lk_buf_done(&c->in);
	lk_buf_done(&c->out);
	lk_tls_facts_done(&c->facts);
	free(c);
}

/* The last act of every way in: frees what was closed on the way. */
static void
release(struct lk_request *c)
{
	if (c->phase == PHASE_CLOSED && !c->driving)
		destroy(c);
}

/* --- requests and responses ------------------------------------------------------------------- */

static void
next_request(struct lk_request *c, int64_t within_ms)
{
	lk_http1_init(&c->http, LK_HTTP1_REQUEST, c->server->set.limits.head_max);
	c->route = NULL;
	lk_watch_want(c->watch, LK_READABLE);
	enter(c, PHASE_READING, within_ms);
}

static void
response_sent(struct lk_request *c)
{
	lk_buf_done(&c->out);
	if (!c->close_after) {
		next_request(c, c->server->set.timeouts.idle);
	} else if (c->linger) {
		lk_stream_shut(&c->stream);
		lk_watch_want(c->watch, LK_READABLE);
		enter(c, PHASE_LINGERING, LINGER_MS);
	} else {
		hang_up(c);
	}
}

static void
write_on(struct lk_request *c)
{
	enum lk_stream_status status;
	size_t n;

	while (c->out_at < c->out.n) {
		status = lk_stream_write(
			&c->stream, lk_slice(c->out.p + c->out_at, c->out.n - c->out_at), &n, NULL);
		if (status == LK_STREAM_WANT_READ || status == LK_STREAM_WANT_WRITE) {
			lk_watch_want(c->watch,
				status == LK_STREAM_WANT_READ ? LK_READABLE : LK_WRITABLE);
			return;
		}
		if (status != LK_STREAM_DONE) {
			hang_up(c);
			return;
		}
		c->out_at += n;
	}
	response_sent(c);
}

static void
send_response(struct lk_request *c, struct lk_http1_response *r)
{
	const struct lk_clock *clock = lk_loop_clock(c->server->loop);
	struct lk_err e;

	c->close_after = r->close_after || !c->http.keep_alive || c->linger;
	r->close_after = c->close_after;
	r->no_body = strcmp(c->http.method, "HEAD") == 0;
	/*= RFC9110 15.5.2: a 401 names a way to authenticate =*/
	if (r->status == 401 && !r->www_authenticate)
		r->www_authenticate = LK_CHALLENGE_CERTIFICATE;
	r->now = lk_now(clock);
	c->out.max = RESPONSE_MAX;
	c->out_at = 0;
	if (!lk_http1_print_response(r, &c->out, &e).ok) {
		report(c->server, &c->peer, &e);
		hang_up(c);
		return;
	}
	enter(c, PHASE_WRITING, c->server->set.timeouts.write);
	write_on(c);
}

static void
send_err(struct lk_request *c, const struct lk_err *e, const struct lk_http1_field *field)
{
	const struct lk_reason_info *info = lk_reason_info(e->reason);
	char text[512];
	int n = snprintf(text, sizeof text, "%s: %s (%s %s)\n", info->symbol, info->sentence,
		info->clause.document, info->clause.section);

	send_response(
		c, &(struct lk_http1_response){
			   .status = (unsigned)lk_reason_http_status(e->reason),
			   .content_type = "text/plain",
			   .retry_after_s = info->category == LK_CAT_AGAIN ? BUSY_RETRY_AFTER_S : 0,
			   .extra = field,
			   .n_extra = field ? 1 : 0,
			   .body = lk_slice(
				   text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1),
		   });
}

/* The server's own refusal. What of the request has not been read is not: the connection ends. */
static void
refuse(struct lk_request *c, const struct lk_err *e, const struct lk_http1_field *field)
{
	report(c->server, &c->peer, e);
	c->linger = c->http.state != LK_HTTP1_DONE;
	send_err(c, e, field);
}

/* --- routes ----------------------------------------------------------------------------------- */

static bool
method_fits(const struct lk_route *r, const char *method)
{
	return strcmp(r->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

static struct lk_result
check_method(const char *method, struct lk_err *e)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
		"OPTIONS" };
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(known); i++)
		if (strcmp(method, known[i]) == 0)
			return LK_OK;
	/*= RFC9110 9.1: a method that is not recognized is answered with 501 =*/
	return lk_fail(e, LK_R_HTTP_METHOD_UNKNOWN, "the method %.16s is not known", method);
}

/* The methods of all routes that the path fits, each once, for Allow. */
static void
list_methods(const struct lk_server *s, const char *path, char *dst, size_t cap)
{
	const struct lk_route *r;
	size_t n = 0;

	dst[0] = 0;
	for (r = s->set.routes; r < s->set.routes + s->set.n_routes && n < cap; r++)
		if (lk_path_fits(r->path, path, NULL) && !strstr(dst, r->method))
			n += (size_t)snprintf(dst + n, cap - n, "%s%s", n ? ", " : "", r->method);
}

static struct lk_result
find_route(struct lk_request *c, struct lk_err *e)
{
	const struct lk_server_settings *set = &c->server->set;
	const char *type = lk_http1_field(&c->http, "Content-Type");
	const struct lk_route *r;
	bool path_known = false;

	LK_TRY(check_method(c->http.method, e));
	for (r = set->routes; r < set->routes + set->n_routes; r++) {
		if (!lk_path_fits(r->path, c->http.path, NULL))
			continue;
		path_known = true;
		if (method_fits(r, c->http.method))
			break;
	}
	LK_REQUIRE(path_known, e, LK_R_HTTP_PATH, "there is no %.64s", c->http.path);
	LK_REQUIRE(r < set->routes + set->n_routes, e, LK_R_HTTP_METHOD,
		"%.16s is not allowed on %.64s", c->http.method, c->http.path);
	LK_REQUIRE(!r->content_type || lk_media_type_is(type, r->content_type), e,
		LK_R_HTTP_CONTENT_TYPE, "the content type is '%.64s', want %s", type,
		r->content_type);
	c->route = r;
	c->http.body.max = r->body_max;
	return LK_OK;
}

/* The client waits for a word before it sends the body. */
static void
encourage(struct lk_request *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	size_t n;

	if (lk_stream_write(&c->stream, lk_slice(text, sizeof text - 1), &n, NULL) !=
			LK_STREAM_DONE ||
		n != sizeof text - 1)
		hang_up(c);
}

static void
head_complete(struct lk_request *c)
{
	struct lk_http1_field allow;
	char methods[128];
	size_t used;
	struct lk_err e;

	if (!find_route(c, &e).ok) {
		list_methods(c->server, c->http.path, methods, sizeof methods);
		allow = (struct lk_http1_field){ "Allow", methods };
		refuse(c, &e, e.reason == LK_R_HTTP_METHOD ? &allow : NULL);
		return;
	}
	if (c->http.state == LK_HTTP1_DONE)
		return;
	enter(c, PHASE_READING, c->server->set.timeouts.body);
	/* a declared length that is too large is refused before the body comes */
	if (!lk_http1_feed(&c->http, lk_slice(NULL, 0), &used, &e).ok)
		refuse(c, &e, NULL);
	else if (c->http.expect_continue && c->in.n == 0)
		encourage(c);
}

static void
hand_over(struct lk_request *c)
{
	struct lk_server *s = c->server;
	struct lk_err e;

	if (s->counts.in_flight >= s->set.limits.in_flight_max) {
		lk_err_set(&e, LK_R_HTTP_BUSY, "%zu requests are in progress", s->counts.in_flight);
		refuse(c, &e, NULL);
		return;
	}
	c->view = (struct lk_request_view){
		.method = c->route->method,
		.path = c->http.path,
		.query = c->http.query,
		.content_type = lk_http1_field(&c->http, "Content-Type"),
		.accept = lk_http1_field(&c->http, "Accept"),
		.user_agent = lk_http1_field(&c->http, "User-Agent"),
		.authorization = lk_http1_field(&c->http, "Authorization"),
		.if_none_match = lk_http1_field(&c->http, "If-None-Match"),
		.if_modified_since = lk_http1_field(&c->http, "If-Modified-Since"),
		.body = lk_buf_slice(&c->http.body),
		.tls = c->stream.ssl ? &c->facts : NULL,
		.peer = &c->peer,
	};
	s->counts.requests++;
	s->counts.in_flight++;
	enter(c, PHASE_HANDLING, INT64_MAX);
	c->route->handler(c, s->set.ctx);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void
handshake_on(struct lk_request *c)
{
	struct lk_err e;
	enum lk_stream_status status = lk_stream_handshake(&c->stream, &e);

	if (status == LK_STREAM_WANT_READ || status == LK_STREAM_WANT_WRITE) {
		lk_watch_want(c->watch, status == LK_STREAM_WANT_READ ? LK_READABLE : LK_WRITABLE);
		return;
	}
	if (status == LK_STREAM_END)
		lk_err_set(&e, LK_R_TLS_HANDSHAKE, "the client left");
	if (status != LK_STREAM_DONE ||
		(c->stream.ssl && !lk_tls_facts_read(c->stream.ssl, &c->facts, &e).ok)) {
		report(c->server, &c->peer, &e);
		hang_up(c);
		return;
	}
	next_request(c, c->server->set.timeouts.header);
}

/* Moves received bytes into the request until it is complete or there are none left. */
static void
take_bytes(struct lk_request *c)
{
	bool had_begun = c->http.begun;
	struct lk_err e;
	size_t used;

	if (!lk_http1_feed(&c->http, lk_buf_slice(&c->in), &used, &e).ok) {
		lk_buf_clear(&c->in);
		c->http.keep_alive = false;
		refuse(c, &e, NULL);
		return;
	}
	lk_buf_consume(&c->in, used);
	if (c->http.begun && !had_begun &&
		c->deadline_ms > lk_loop_now_ms(c->server->loop) + c->server->set.timeouts.header)
		enter(c, PHASE_READING, c->server->set.timeouts.header);
	if (c->http.state != LK_HTTP1_HEAD && !c->route)
		head_complete(c);
	if (c->phase == PHASE_READING && c->http.state == LK_HTTP1_DONE)
		hand_over(c);
}

/* False: nothing more can be had now. */
static bool
read_bytes(struct lk_request *c)
{
	uint8_t p[READ_MAX];
	struct lk_err e;
	size_t n;

	switch (lk_stream_read(&c->stream, p, sizeof p, &n, &e)) {
	case LK_STREAM_DONE:
		if (lk_buf_append(&c->in, lk_slice(p, n), &e).ok)
			return true;
		break;
	case LK_STREAM_WANT_READ:
		lk_watch_want(c->watch, LK_READABLE);
		return false;
	case LK_STREAM_WANT_WRITE:
		lk_watch_want(c->watch, LK_WRITABLE);
		return false;
	case LK_STREAM_END:
		lk_err_set(&e, LK_R_HTTP_CUT, "the client left inside a request");
		break;
	case LK_STREAM_BROKEN:
		break;
	}
	if (c->http.begun)
		report(c->server, &c->peer, &e);
	hang_up(c);
	return false;
}

/* Goes on until the connection has to wait for its client or its handler. A response that is
 * written at once brings the next request of a pipeline into the same loop, not onto the stack. */
static void
drive(struct lk_request *c, bool readable)
{
	c->driving = true;
	if (c->phase == PHASE_HANDSHAKE) {
		handshake_on(c);
		readable = true; /* the request tends to come with the handshake's last flight */
	} else if (c->phase == PHASE_WRITING) {
		write_on(c);
	}
	while (c->phase == PHASE_READING) {
		if (c->in.n == 0) {
			if (!readable && !lk_stream_has_pending(&c->stream))
				break;
			if (!read_bytes(c))
				break;
			readable = false;
		}
		take_bytes(c);
	}
	c->driving = false;
}

static void
on_ready(void *ctx, unsigned ready)
{
	struct lk_request *c = ctx;

	(void)ready;
	if (c->phase == PHASE_HANDLING) {
		lk_watch_want(c->watch, 0); /* what the client sends meanwhile waits */
	} else if (c->phase == PHASE_LINGERING) {
		if (!lk_stream_drain(&c->stream))
			hang_up(c);
	} else {
		drive(c, true);
	}
	release(c);
}

/* --- listening -------------------------------------------------------------------------------- */

static void
describe_peer(struct lk_server *s, int fd, const struct sockaddr *remote, struct lk_peer *p)
{
	struct sockaddr_storage local = { 0 };
	socklen_t n = sizeof local;
	struct ucred cred;

	*p = (struct lk_peer){ .connection = ++s->last_connection };
	if (getsockname(fd, (struct sockaddr *)&local, &n) < 0)
		local.ss_family = AF_UNSPEC;
	lk_address_text((struct sockaddr *)&local, p->local);
	lk_address_text(remote, p->remote);
	p->interface = lk_address_interface(remote);
	n = sizeof cred;
	if (local.ss_family != AF_UNIX || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return;
	p->is_unix = true;
	p->uid = cred.uid;
	p->gid = cred.gid;
	p->pid = cred.pid;
	snprintf(p->remote, sizeof p->remote, "unix:uid=%u", (unsigned)cred.uid);
}

/* Counts and, when there are too many, says so. */
static struct lk_result
check_limits(struct lk_server *s, const uint8_t key[static LK_ADDRESS_KEY_LEN], struct lk_err *e)
{
	LK_REQUIRE(s->counts.open < s->set.limits.connections_max, e, LK_R_SERVER_CONNECTIONS,
		"%zu connections are open", s->counts.open);
	LK_REQUIRE(count_source(s, key) < s->set.limits.per_source_max, e, LK_R_SERVER_CONNECTIONS,
		"%zu connections are open from this source", s->set.limits.per_source_max);
	return LK_OK;
}

/* Links a complete connection in and lets it begin. */
static void
begin(struct lk_server *s, struct lk_request *c)
{
	struct lk_request **bucket = bucket_of(s, c->source);

	c->next = *bucket;
	c->prev = bucket;
	if (c->next)
		c->next->prev = &c->next;
	*bucket = c;
	s->counts.open++;
	lk_watch_want(c->watch, LK_READABLE);
	if (c->stream.ssl)
		enter(c, PHASE_HANDSHAKE, s->set.timeouts.handshake);
	else
		next_request(c, s->set.timeouts.header);
}

/* Consumes fd on success. */
static struct lk_result
open_connection(struct lk_server *s, int fd, const struct lk_peer *peer,
	const uint8_t key[static LK_ADDRESS_KEY_LEN], struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct lk_request *c = calloc(1, sizeof *c);

	LK_REQUIRE(c, e, LK_R_NOMEM, "no memory for a connection");
	c->server = s;
	c->peer = *peer;
	c->in.max = READ_MAX;
	memcpy(c->source, key, LK_ADDRESS_KEY_LEN);
	LK_TRY(lk_watch_new(s->loop, fd, 0, on_ready, c, &c->watch, e));
	if (!lk_stream_open(fd, s->set.tls, &c->stream, e).ok) {
		lk_watch_free(c->watch);
		return (struct lk_result){ false };
	}
	begin(s, LK_TAKE(c));
	return LK_OK;
}

static void
accept_one(struct lk_server *s, int fd, const struct sockaddr *remote)
{
	uint8_t key[LK_ADDRESS_KEY_LEN];
	struct lk_peer peer;
	struct lk_err e;
	int on = 1;

	describe_peer(s, fd, remote, &peer);
	lk_address_key(remote, key);
	if (peer.is_unix)
		memcpy(key, &peer.uid, sizeof peer.uid);
	else
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	s->counts.accepted++;
	if (!check_limits(s, key, &e).ok || !open_connection(s, fd, &peer, key, &e).ok) {
		report(s, &peer, &e);
		close(fd);
	}
}

static void
on_listener(void *ctx, unsigned ready)
{
	struct lk_server *s = ctx;
	struct sockaddr_storage remote;
	socklen_t len;
	int i, fd;

	(void)ready;
	arm_timer(s);
	for (i = 0; i < ACCEPTS_PER_TURN; i++) {
		len = sizeof remote;
		remote.ss_family = AF_UNSPEC;
		fd = accept4(s->set.listen_fd, (struct sockaddr *)&remote, &len,
			SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			accept_one(s, fd, (struct sockaddr *)&remote);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			lk_watch_want(s->listener, 0); /* until the next expiry */
		if (fd < 0)
			break;
	}
}

void
lk_server_expire(struct lk_server *s)
{
	int64_t now = lk_loop_now_ms(s->loop);
	struct lk_request *c, *next;
	struct lk_err e;
	size_t i;

	lk_watch_want(s->listener, LK_READABLE);
	for (i = 0; i < BUCKETS; i++)
		for (c = s->buckets[i]; c; c = next) {
			next = c->next;
			if (now < c->deadline_ms)
				continue;
			if (c->phase != PHASE_LINGERING &&
				(c->phase != PHASE_READING || c->http.begun)) {
				lk_err_set(&e, LK_R_SERVER_TIMEOUT,
					"the client was too slow with %s",
					c->phase == PHASE_HANDSHAKE      ? "the TLS handshake"
					: c->phase == PHASE_WRITING      ? "taking the response"
					: c->http.state == LK_HTTP1_HEAD ? "the header"
									 : "the body");
				report(s, &c->peer, &e);
			}
			hang_up(c);
			release(c);
		}
}

static void
on_timer(void *ctx)
{
	struct lk_server *s = ctx;

	s->timing = false;
	lk_server_expire(s);
	if (s->counts.open > 0)
		arm_timer(s);
}

/* --- the server ------------------------------------------------------------------------------- */

static void
use_default(int64_t *member, int64_t value)
{
	*member = *member ? *member : value;
}

static void
use_default_limit(size_t *member, size_t value)
{
	*member = *member ? *member : value;
}

static void
complete_settings(struct lk_server_settings *s)
{
	use_default(&s->timeouts.handshake, 5000);
	use_default(&s->timeouts.header, 5000);
	use_default(&s->timeouts.body, 15000);
	use_default(&s->timeouts.idle, 60000);
	use_default(&s->timeouts.write, 15000);
	use_default_limit(&s->limits.head_max, LK_HTTP1_HEAD_MAX);
	use_default_limit(&s->limits.connections_max, 1024);
	use_default_limit(&s->limits.per_source_max, 64);
	use_default_limit(&s->limits.in_flight_max, 256);
}

struct lk_result
lk_server_new(struct lk_loop *loop, const struct lk_server_settings *settings,
	struct lk_server **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_server_freep) struct lk_server *s = calloc(1, sizeof *s);

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for a server");
	s->loop = loop;
	s->set = *settings;
	s->set.listen_fd = -1; /* not ours before success */
	s->set.tls = NULL;
	complete_settings(&s->set);
	LK_TRY(lk_timer_new(loop, on_timer, s, &s->timer, e));
	LK_REQUIRE(fcntl(settings->listen_fd, F_SETFL,
			   fcntl(settings->listen_fd, F_GETFL) | O_NONBLOCK) == 0,
		e, LK_R_LISTEN, "the listening descriptor cannot be used: %s", strerror(errno));
	LK_TRY(lk_watch_new(
		loop, settings->listen_fd, LK_READABLE, on_listener, s, &s->listener, e));
	lk_server_set_tls(s, settings->tls);
	s->set.listen_fd = settings->listen_fd;
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write(2) */
	*ret = LK_TAKE(s);
	return LK_OK;
}

struct lk_server *
lk_server_free(struct lk_server *s)
{
	size_t i;

	if (!s)
		return NULL;
	for (i = 0; i < BUCKETS; i++)
		while (s->buckets[i]) {
			hang_up(s->buckets[i]);
			destroy(s->buckets[i]);
		}
	lk_watch_free(s->listener);
	lk_timer_free(s->timer);
	lk_closep(&s->set.listen_fd);
	SSL_CTX_free(s->set.tls);
	free(s);
	return NULL;
}

void
lk_server_set_tls(struct lk_server *s, SSL_CTX *tls)
{
	if (tls)
		SSL_CTX_up_ref(tls);
	SSL_CTX_free(s->set.tls);
	s->set.tls = tls;
}

struct lk_server_counts
lk_server_counts(const struct lk_server *s)
{
	return s->counts;
}

const struct lk_request_view *
lk_request_view(const struct lk_request *r)
{
	return &r->view;
}

struct lk_result
lk_request_tls_binding(const struct lk_request *r, uint8_t ret[static LK_TLS_BINDING_MAX],
	size_t *ret_n, struct lk_err *e)
{
	LK_REQUIRE(r->stream.ssl, e, LK_R_TLS_GONE, "there is no TLS session");
	return lk_tls_binding(r->stream.ssl, ret, ret_n, e);
}

static void
take_back(struct lk_request *c)
{
	assert(c->phase == PHASE_HANDLING);
	c->server->counts.in_flight--;
}

/* Goes on with what was read behind the request, unless drive() will do so itself. */
static void
after_reply(struct lk_request *c)
{
	if (c->driving)
		return;
	if (c->phase == PHASE_READING)
		drive(c, false);
	release(c);
}

void
lk_request_reply(struct lk_request *c, const struct lk_reply *r)
{
	take_back(c);
	send_response(c, &(struct lk_http1_response){
				 .status = r->status,
				 .content_type = r->content_type,
				 .retry_after_s = r->retry_after_s,
				 .www_authenticate = r->www_authenticate,
				 .extra = r->extra,
				 .n_extra = r->n_extra,
				 .body = r->body,
				 .close_after = r->close_after,
			 });
	after_reply(c);
}

void
lk_request_reply_err(struct lk_request *c, const struct lk_err *e)
{
	take_back(c);
	send_err(c, e, NULL);
	after_reply(c);
}
