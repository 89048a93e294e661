/* SPDX-License-Identifier: Apache-2.0
 *
 * libcurl's multi interface on the program's loop. libcurl says which
 * descriptors it wants watched and when it wants to be woken; what it finds out
 * comes back as one result or one reason. Its resolver thread is the one thread
 * of the program.
 */
#include "net/outbound.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/ossl.h"
#include "net/loop.h"

#define CONNECT_MS      5000
#define TOTAL_MS        30000
#define RESPONSE_MAX    (64 * 1024)
#define HEAD_MAX        (16 * 1024) /* bytes of all headers of one call, redirects included */
#define IDLE_S          50L         /* a connection is kept; servers of ours keep it for 60 s */
#define CONNECTIONS_MAX 8L          /* to one host */

/* A descriptor that libcurl wants watched. */
struct lk_watched {
	struct lk_outbound *outbound;
	struct lk_watched *next, **prev;
	curl_socket_t fd;
	struct lk_watch *watch;
};

struct lk_outbound {
	struct lk_loop *loop;
	struct lk_timer *timer;
	CURLM *multi;
	X509_STORE *anchors; /* NULL: the system's */
	struct lk_certs chain;
	EVP_PKEY *key;
	struct lk_egress egress;
	const struct lk_policy *policy;
	struct lk_watched *watched;
	struct lk_outbound_call *calls;
	bool global; /* curl_global_init() was called */
};

struct lk_outbound_call {
	struct lk_outbound *outbound;
	struct lk_outbound_call *next, **prev;
	CURL *easy;
	struct curl_slist *fields;
	struct lk_buf body;
	size_t head_n;
	struct lk_tls_facts facts; /* of the connection that the last response came by */
	bool has_facts;
	struct lk_err err;       /* what a callback found, before libcurl's own words */
	struct lk_err forbidden; /* the last address, if it was; others may have been tried */
	char words[CURL_ERROR_SIZE];
	lk_outbound_done *done;
	void *ctx;
};

/* --- calls ------------------------------------------------------------------------------------ */

static struct lk_outbound_call *
call_free(struct lk_outbound_call *c)
{
	if (c->prev) {
		curl_multi_remove_handle(c->outbound->multi, c->easy);
		if (c->next)
			c->next->prev = c->prev;
		*c->prev = c->next;
	}
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->fields);
	lk_buf_done(&c->body);
	lk_tls_facts_done(&c->facts);
	free(c);
	return NULL;
}
LK_DEFINE_CLEANUP(struct lk_outbound_call *, call_free);

/* What libcurl's code means to who asked. */
static enum lk_reason
reason_of(const struct lk_outbound_call *c, CURLcode code)
{
	long asked = 0; /* bytes of requests that were sent */

	curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &asked);
	switch ((int)code) {
	case CURLE_UNSUPPORTED_PROTOCOL: /* also of an answer without any header */
		return asked && !c->head_n ? LK_R_UPSTREAM_PROTOCOL : LK_R_OUTBOUND_URL;
	case CURLE_URL_MALFORMAT:
		return LK_R_OUTBOUND_URL;
	case CURLE_RECV_ERROR: /* in TLS 1.3 a client certificate is refused after the handshake */
		return strstr(c->words, "alert") ? LK_R_UPSTREAM_TLS : LK_R_UPSTREAM_PROTOCOL;
	case CURLE_OPERATION_TIMEDOUT:
		return LK_R_UPSTREAM_TIMEOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return LK_R_UPSTREAM_UNREACHABLE;
	case CURLE_PEER_FAILED_VERIFICATION:
		return LK_R_UPSTREAM_CERTIFICATE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
		return LK_R_UPSTREAM_TLS;
	case CURLE_TOO_MANY_REDIRECTS:
		return LK_R_UPSTREAM_REDIRECTS;
	case CURLE_FILESIZE_EXCEEDED:
		return LK_R_RESPONSE_TOO_LARGE;
	case CURLE_OUT_OF_MEMORY:
		return LK_R_NOMEM;
	default:
		return LK_R_UPSTREAM_PROTOCOL;
	}
}

static void
tell_failure(struct lk_outbound_call *c, CURLcode code)
{
	if (c->forbidden.reason != LK_R_NONE && code == CURLE_COULDNT_CONNECT)
		c->err = c->forbidden;
	if (c->err.reason == LK_R_NONE)
		lk_err_set(&c->err, reason_of(c, code), "%s",
			c->words[0] ? c->words : curl_easy_strerror(code));
	c->done(c->ctx, NULL, &c->err);
}

static void
tell_result(struct lk_outbound_call *c)
{
	struct lk_outbound_result r = { .body = lk_buf_slice(&c->body),
		.tls = c->has_facts ? &c->facts : NULL };
	char *type = NULL, *url = NULL, *ip = NULL, address[LK_ADDRESS_TEXT_MAX];
	long status = 0, port = 0;
	curl_off_t retry_after = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_after);
	curl_easy_getinfo(c->easy, CURLINFO_EFFECTIVE_URL, &url);
	curl_easy_getinfo(c->easy, CURLINFO_PRIMARY_IP, &ip);
	curl_easy_getinfo(c->easy, CURLINFO_PRIMARY_PORT, &port);
	snprintf(address, sizeof address, ip && strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld",
		ip ? ip : "?", port);
	r.status = (unsigned)status;
	r.content_type = type ? type : "";
	r.url = url ? url : "";
	r.address = address;
	if (retry_after > 0)
		r.retry_after_s = retry_after < UINT32_MAX ? (unsigned)retry_after : UINT32_MAX;
	c->done(c->ctx, &r, NULL);
}

/* Reports the calls that have ended. */
static void
finish_calls(struct lk_outbound *o)
{
	struct lk_outbound_call *c;
	CURLcode code;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(o->multi, &left))) {
		if (m->msg != CURLMSG_DONE)
			continue;
		code = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		if (code == CURLE_OK && c->err.reason == LK_R_NONE)
			tell_result(c);
		else
			tell_failure(c, code);
		call_free(c);
	}
}

/* --- libcurl and the loop --------------------------------------------------------------------- */

static void
on_ready(void *ctx, unsigned ready)
{
	struct lk_watched *w = ctx;
	struct lk_outbound *o = w->outbound;
	int bits = (ready & LK_READABLE ? CURL_CSELECT_IN : 0) |
		   (ready & LK_WRITABLE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(o->multi, w->fd, bits, &running); /* w may be gone now */
	finish_calls(o);
}

static void
on_timer(void *ctx)
{
	struct lk_outbound *o = ctx;
	int running;

	curl_multi_socket_action(o->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_calls(o);
}

static int
want_timer(CURLM *multi, long ms, void *ctx)
{
	struct lk_outbound *o = ctx;

	(void)multi;
	if (ms < 0)
		lk_timer_off(o->timer);
	else
		lk_timer_at(o->timer, lk_loop_now_ms(o->loop) + ms);
	return 0;
}

static void
watched_free(struct lk_watched *w)
{
	lk_watch_free(w->watch);
	if (w->next)
		w->next->prev = w->prev;
	*w->prev = w->next;
	free(w);
}

static struct lk_watched *
watched_new(struct lk_outbound *o, curl_socket_t fd)
{
	struct lk_watched *w = calloc(1, sizeof *w);

	if (!w || !lk_watch_new(o->loop, fd, 0, on_ready, w, &w->watch, NULL).ok) {
		free(w);
		return NULL;
	}
	w->outbound = o;
	w->fd = fd;
	w->next = o->watched;
	w->prev = &o->watched;
	if (w->next)
		w->next->prev = &w->next;
	o->watched = w;
	return w;
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct lk_outbound *o = ctx;
	struct lk_watched *w = socket_ctx;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			watched_free(w);
		return 0;
	}
	if (!w) {
		w = watched_new(o, fd);
		if (!w)
			return -1;
		curl_multi_assign(o->multi, fd, w);
	}
	lk_watch_want(w->watch,
		(what & CURL_POLL_IN ? LK_READABLE : 0) | (what & CURL_POLL_OUT ? LK_WRITABLE : 0));
	return 0;
}

/* --- callbacks of one call -------------------------------------------------------------------- */

/* The one place where a connection can begin: each address that a name resolves to, and each hop
 * of a redirect, comes by here. */
static curl_socket_t
open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct lk_outbound_call *c = ctx;

	(void)purpose;
	c->forbidden.reason = LK_R_NONE;
	if (!lk_egress_check(&c->outbound->egress, &a->addr, &c->forbidden).ok)
		return CURL_SOCKET_BAD;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static struct lk_result
use_identity(SSL_CTX *ctx, const struct lk_outbound *o, struct lk_err *e)
{
	size_t i;

	if (o->chain.n == 0)
		return LK_OK;
	LK_OSSL(SSL_CTX_use_certificate(ctx, lk_cert_x509(o->chain.v[0])) == 1 &&
			SSL_CTX_use_PrivateKey(ctx, o->key) == 1,
		e, LK_R_TLS_SETTINGS, "the client certificate and its key cannot be used");
	for (i = 1; i < o->chain.n; i++)
		LK_OSSL(SSL_CTX_add1_chain_cert(ctx, lk_cert_x509(o->chain.v[i])) == 1, e,
			LK_R_TLS_SETTINGS, "certificate %zu of the chain cannot be used", i);
	return LK_OK;
}

/* The path is OpenSSL's to find, the crypto policy has the last word. */
static int
verify_path(X509_STORE_CTX *ctx, void *arg)
{
	struct lk_outbound_call *c = arg;

	if (X509_verify_cert(ctx) != 1)
		return 0;
	/*= SEC-12: every certificate of a path is within the crypto policy =*/
	if (lk_policy_check_path(c->outbound->policy, X509_STORE_CTX_get0_chain(ctx), &c->err).ok)
		return 1;
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

static CURLcode
prepare_tls(CURL *easy, void *ssl_ctx, void *ctx)
{
	struct lk_outbound_call *c = ctx;
	struct lk_outbound *o = c->outbound;

	(void)easy;
	if (o->anchors)
		SSL_CTX_set1_cert_store(ssl_ctx, o->anchors);
	SSL_CTX_set_cert_verify_callback(ssl_ctx, verify_path, c);
	if (lk_policy_apply_tls(o->policy, ssl_ctx, TLS1_2_VERSION, &c->err).ok &&
		use_identity(ssl_ctx, o, &c->err).ok)
		return CURLE_OK;
	return CURLE_SSL_CERTPROBLEM;
}

/* The session is libcurl's and at hand only while the response comes in. */
static struct lk_result
note_facts(struct lk_outbound_call *c, struct lk_err *e)
{
	struct curl_tlssessioninfo *info = NULL;

	if (c->has_facts)
		lk_tls_facts_done(&c->facts);
	c->has_facts = false;
	if (curl_easy_getinfo(c->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info ||
		!info->internals)
		return LK_OK;
	LK_TRY(lk_tls_facts_read(info->internals, &c->facts, e));
	c->has_facts = true;
	return LK_OK;
}

/* One line of a header. */
static size_t
take_header(char *p, size_t size, size_t n, void *ctx)
{
	struct lk_outbound_call *c = ctx;

	n *= size;
	c->head_n += n;
	if (c->head_n > HEAD_MAX) {
		lk_err_set(&c->err, LK_R_RESPONSE_TOO_LARGE, "the header takes more than %d bytes",
			HEAD_MAX);
		return 0;
	}
	if (n > 5 && strncmp(p, "HTTP/", 5) == 0 && !note_facts(c, &c->err).ok)
		return 0;
	return n;
}

static size_t
take_body(char *p, size_t size, size_t n, void *ctx)
{
	struct lk_outbound_call *c = ctx;

	n *= size;
	if (lk_buf_append(&c->body, lk_slice(p, n), NULL).ok)
		return n;
	lk_err_set(&c->err, LK_R_RESPONSE_TOO_LARGE, "the body takes more than %zu bytes",
		c->body.max);
	return 0;
}

/* --- starting a call -------------------------------------------------------------------------- */

/* libcurl's options are variadic and checked by its macro only where the option is a constant. */
#define SET(c, option, value, e)                                                              \
	LK_REQUIRE(curl_easy_setopt((c)->easy, (option), (value)) == CURLE_OK, (e), LK_R_BUG, \
		"libcurl does not take %s", #option)

static struct lk_result
set_limits(struct lk_outbound_call *c, const struct lk_outbound_request *rq, struct lk_err *e)
{
	const char *protocols = rq->allow_http ? "http,https" : "https";

	SET(c, CURLOPT_PROTOCOLS_STR, protocols, e); /* of redirects too */
	SET(c, CURLOPT_PROXY, "", e);
	SET(c, CURLOPT_NOPROXY, "*", e);
	SET(c, CURLOPT_NOSIGNAL, 1L, e);
	SET(c, CURLOPT_OPENSOCKETFUNCTION, open_socket, e);
	SET(c, CURLOPT_OPENSOCKETDATA, c, e);
	SET(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(rq->connect_ms ? rq->connect_ms : CONNECT_MS), e);
	SET(c, CURLOPT_TIMEOUT_MS, (long)(rq->total_ms ? rq->total_ms : TOTAL_MS), e);
	SET(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)c->body.max, e);
	SET(c, CURLOPT_MAXAGE_CONN, IDLE_S, e);
	SET(c, CURLOPT_FOLLOWLOCATION, rq->redirects_max > 0 ? 1L : 0L, e);
	/*= RFC8995 5.6: at most one redirect to another origin =*/
	SET(c, CURLOPT_MAXREDIRS, (long)rq->redirects_max, e);
	return LK_OK;
}

static struct lk_result
set_tls(struct lk_outbound_call *c, struct lk_err *e)
{
	SET(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2, e);
	/*= RFC8995 5.4: the MASA's name is checked by RFC 6125 =*/
	SET(c, CURLOPT_SSL_VERIFYPEER, 1L, e);
	SET(c, CURLOPT_SSL_VERIFYHOST, 2L, e);
	SET(c, CURLOPT_SSL_SESSIONID_CACHE, 0L, e);
	SET(c, CURLOPT_SSL_CTX_FUNCTION, prepare_tls, e);
	SET(c, CURLOPT_SSL_CTX_DATA, c, e);
	if (c->outbound->anchors) {
		SET(c, CURLOPT_CAINFO, NULL, e);
		SET(c, CURLOPT_CAPATH, NULL, e);
	}
	return LK_OK;
}

static struct lk_result
add_field(struct lk_outbound_call *c, const char *name, const char *value, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf line = LK_BUF_INIT(HEAD_MAX);
	struct curl_slist *l;

	LK_REQUIRE(!strpbrk(name, "\r\n:") && !strpbrk(value, "\r\n"), e, LK_R_BUG,
		"a header field to be sent contains a line end");
	/* libcurl takes "Name:" for removing its own field and "Name;" for one that is empty */
	LK_TRY(*value ? lk_buf_printf(&line, e, "%s: %s", name, value)
		      : lk_buf_printf(&line, e, "%s;", name));
	l = curl_slist_append(c->fields, lk_buf_str(&line));
	LK_REQUIRE(l, e, LK_R_NOMEM, "no memory for a header field");
	c->fields = l;
	return LK_OK;
}

static struct lk_result
set_request(struct lk_outbound_call *c, const struct lk_outbound_request *rq, struct lk_err *e)
{
	struct curl_slist *l = curl_slist_append(NULL, "Expect:"); /* no waiting for 100 */
	size_t i;

	LK_REQUIRE(l, e, LK_R_NOMEM, "no memory for a header field");
	c->fields = l;
	for (i = 0; i < rq->n_fields; i++)
		LK_TRY(add_field(c, rq->fields[i].name, rq->fields[i].value, e));
	SET(c, CURLOPT_URL, rq->url, e);
	SET(c, CURLOPT_HTTPHEADER, c->fields, e);
	SET(c, CURLOPT_USERAGENT, "Latchkey/" LK_VERSION, e);
	SET(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1, e);
	if (strcmp(rq->method, "GET") != 0) {
		SET(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body.n, e);
		SET(c, CURLOPT_COPYPOSTFIELDS, rq->body.n ? (const char *)rq->body.p : "", e);
		if (strcmp(rq->method, "POST") != 0)
			SET(c, CURLOPT_CUSTOMREQUEST, rq->method, e);
	}
	SET(c, CURLOPT_HEADERFUNCTION, take_header, e);
	SET(c, CURLOPT_HEADERDATA, c, e);
	SET(c, CURLOPT_WRITEFUNCTION, take_body, e);
	SET(c, CURLOPT_WRITEDATA, c, e);
	SET(c, CURLOPT_ERRORBUFFER, c->words, e);
	SET(c, CURLOPT_PRIVATE, c, e);
	return LK_OK;
}

struct lk_result
lk_outbound_start(struct lk_outbound *o, const struct lk_outbound_request *rq,
	lk_outbound_done *done, void *ctx, struct lk_outbound_call **ret, struct lk_err *e)
{
	LK_CLEANUP(call_freep) struct lk_outbound_call *c = calloc(1, sizeof *c);

	LK_REQUIRE(c, e, LK_R_NOMEM, "no memory for a request");
	c->outbound = o;
	c->done = done;
	c->ctx = ctx;
	c->body.max = rq->response_max ? rq->response_max : RESPONSE_MAX;
	c->easy = curl_easy_init();
	LK_REQUIRE(c->easy, e, LK_R_NOMEM, "no memory for a request");
	LK_TRY(set_limits(c, rq, e));
	LK_TRY(set_tls(c, e));
	LK_TRY(set_request(c, rq, e));
	LK_REQUIRE(curl_multi_add_handle(o->multi, c->easy) == CURLM_OK, e, LK_R_NOMEM,
		"no memory for a request");
	c->next = o->calls;
	c->prev = &o->calls;
	if (c->next)
		c->next->prev = &c->next;
	o->calls = c;
	if (ret)
		*ret = c;
	c = NULL; /* it frees itself when it is done */
	return LK_OK;
}

void
lk_outbound_cancel(struct lk_outbound_call *c)
{
	call_free(c);
}

/* --- the client ------------------------------------------------------------------------------- */

static struct lk_result
copy_anchors(struct lk_outbound *o, const struct lk_certs *anchors, struct lk_err *e)
{
	size_t i;

	if (!anchors)
		return LK_OK;
	o->anchors = X509_STORE_new();
	LK_OSSL(o->anchors, e, LK_R_NOMEM, "no memory for anchors");
	/* an anchor need not be self-signed */
	X509_STORE_set_flags(o->anchors, X509_V_FLAG_PARTIAL_CHAIN);
	for (i = 0; i < anchors->n; i++)
		LK_OSSL(X509_STORE_add_cert(o->anchors, lk_cert_x509(anchors->v[i])), e,
			LK_R_TLS_SETTINGS, "anchor %zu cannot be used", i + 1);
	return LK_OK;
}

static struct lk_result
copy_identity(struct lk_outbound *o, const struct lk_outbound_settings *s, struct lk_err *e)
{
	if (!s->chain)
		return LK_OK;
	LK_REQUIRE(s->key && EVP_PKEY_up_ref(s->key), e, LK_R_TLS_SETTINGS,
		"the client certificate has no key");
	o->key = s->key;
	lk_certs_copy(s->chain, &o->chain);
	return LK_OK;
}

static struct lk_result
start_curl(struct lk_outbound *o, struct lk_err *e)
{
	const curl_version_info_data *v;

	LK_REQUIRE(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, e, LK_R_NOMEM,
		"libcurl does not start");
	o->global = true;
	v = curl_version_info(CURLVERSION_NOW);
	LK_REQUIRE(v->ssl_version && strncmp(v->ssl_version, "OpenSSL/", 8) == 0, e,
		LK_R_TLS_SETTINGS, "libcurl is built with %s, want OpenSSL",
		v->ssl_version ? v->ssl_version : "no TLS");
	o->multi = curl_multi_init();
	LK_REQUIRE(o->multi &&
			   curl_multi_setopt(o->multi, CURLMOPT_SOCKETFUNCTION, want_socket) ==
				   CURLM_OK &&
			   curl_multi_setopt(o->multi, CURLMOPT_SOCKETDATA, o) == CURLM_OK &&
			   curl_multi_setopt(o->multi, CURLMOPT_TIMERFUNCTION, want_timer) ==
				   CURLM_OK &&
			   curl_multi_setopt(o->multi, CURLMOPT_TIMERDATA, o) == CURLM_OK &&
			   curl_multi_setopt(o->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
				   CONNECTIONS_MAX) == CURLM_OK,
		e, LK_R_NOMEM, "libcurl does not start");
	return LK_OK;
}

struct lk_result
lk_outbound_new(struct lk_loop *loop, const struct lk_outbound_settings *settings,
	struct lk_outbound **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_outbound_freep) struct lk_outbound *o = calloc(1, sizeof *o);

	LK_REQUIRE(o, e, LK_R_NOMEM, "no memory for an outbound client");
	o->loop = loop;
	o->policy = settings->policy ? settings->policy : lk_policy_chosen();
	if (settings->egress)
		o->egress = *settings->egress;
	LK_TRY(lk_timer_new(loop, on_timer, o, &o->timer, e));
	LK_TRY(copy_anchors(o, settings->anchors, e));
	LK_TRY(copy_identity(o, settings, e));
	LK_TRY(start_curl(o, e));
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write(2) */
	*ret = LK_TAKE(o);
	return LK_OK;
}

struct lk_outbound *
lk_outbound_free(struct lk_outbound *o)
{
	if (!o)
		return NULL;
	while (o->calls)
		call_free(o->calls);
	if (o->multi)
		curl_multi_cleanup(o->multi);
	while (o->watched)
		watched_free(o->watched);
	if (o->global)
		curl_global_cleanup();
	lk_timer_free(o->timer);
	X509_STORE_free(o->anchors);
	lk_certs_done(&o->chain);
	EVP_PKEY_free(o->key);
	free(o);
	return NULL;
}
