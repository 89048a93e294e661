/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS 1.3 over memory BIOs with the HTTP parser of the server behind it.
 */
#include "agent/channel.h"

#include <stdlib.h>

#include <openssl/err.h>

#include "crypto/ossl.h"

#define CERT_LIST_MAX (32 * 1024) /* bytes of a server's whole Certificate message */
#define REQUEST_MAX   (80 * 1024) /* head and body; a body is a CMS object */

struct lk_channel {
	struct lk_channel_settings set;
	SSL *ssl;
	BIO *in, *out;          /* owned by ssl */
	struct lk_certs server; /* as received, its own first */
	struct lk_err refusal;  /* of judge() */
	struct lk_http1 response;
	bool asked; /* a request was sent since the last complete response */
};

/* --- TLS -------------------------------------------------------------------------------------- */

static struct lk_result
take_server(struct lk_channel *c, X509_STORE_CTX *ctx, struct lk_err *e)
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(ctx);
	int i;

	for (i = 0; i < sk_X509_num(sent); i++) {
		LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;

		LK_TRY(lk_cert_from_x509(sk_X509_value(sent, i), &cert, e));
		LK_TRY(lk_certs_add(&c->server, cert, e));
	}
	LK_REQUIRE(c->server.n > 0, e, LK_R_AGENT_TLS, "the server sent no certificate");
	return c->set.judge(c->set.ctx, &c->server, e);
}

/* OpenSSL's own verification is replaced: anchors, names and times are the judge's. A TLS 1.3
 * client shows its certificate after this. */
static int
verify(X509_STORE_CTX *ctx, void *arg)
{
	bool good = take_server(arg, ctx, &((struct lk_channel *)arg)->refusal).ok;

	X509_STORE_CTX_set_error(ctx, good ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
	return good;
}

/* The issuers of our own certificate up to the anchor, which the server has: each certificate more
 * costs it a decoding. */
static struct lk_result
show_issuers(const struct lk_channel_settings *s, SSL_CTX *ctx, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs path = { .n = 0 };
	size_t i;

	if (!s->own_chain)
		return LK_OK;
	LK_TRY(lk_chain_order(s->own, s->own_chain, &path, e));
	for (i = 1; i < path.n && !lk_cert_is_self_signed(path.v[i]); i++)
		LK_OSSL(SSL_CTX_add1_chain_cert(ctx, lk_cert_x509(path.v[i])) == 1, e,
			LK_R_AGENT_TLS, "the device's own chain cannot be used");
	return LK_OK;
}

static struct lk_result
show_own(const struct lk_channel_settings *s, SSL_CTX *ctx, struct lk_err *e)
{
	if (!s->own)
		return LK_OK;
	LK_OSSL(SSL_CTX_use_certificate(ctx, lk_cert_x509(s->own)) == 1 &&
			SSL_CTX_use_PrivateKey(ctx, lk_key_evp(s->own_key)) == 1,
		e, LK_R_AGENT_TLS, "the device's own certificate and key cannot be used");
	return show_issuers(s, ctx, e);
}

static struct lk_result
new_ssl(struct lk_channel *c, struct lk_err *e)
{
	LK_CLEANUP(SSL_CTX_freep) SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	LK_OSSL(ctx, e, LK_R_NOMEM, "no memory for a TLS context");
	SSL_CTX_set_options(
		ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify, c);
	/* An IDevID is shown over TLS 1.3 only, where no onlooker sees it. */
	LK_TRY(lk_policy_apply_tls(
		lk_policy_chosen(), ctx, c->set.allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION, e));
	LK_TRY(show_own(&c->set, ctx, e));
	c->ssl = SSL_new(ctx);
	LK_OSSL(c->ssl, e, LK_R_NOMEM, "no memory for a TLS connection");
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	LK_OSSL(c->in && c->out, e, LK_R_NOMEM, "no memory for a TLS connection");
	BIO_set_mem_eof_return(c->in, -1);
	BIO_set_mem_eof_return(c->out, -1);
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_connect_state(c->ssl);
	if (c->set.server_name)
		LK_OSSL(SSL_set_tlsext_host_name(c->ssl, c->set.server_name) == 1, e,
			LK_R_AGENT_TLS, "the server's name cannot be used");
	return LK_OK;
}

/* What OpenSSL says of a call that did not succeed: wait for more bytes, or the end. */
static struct lk_result
judge_ssl(struct lk_channel *c, int ret, struct lk_err *e)
{
	int why = SSL_get_error(c->ssl, ret);

	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return LK_OK;
	if (c->refusal.reason != LK_R_NONE) {
		ERR_clear_error();
		if (e)
			*e = c->refusal;
		return (struct lk_result){ false };
	}
	if (why == SSL_ERROR_ZERO_RETURN)
		return lk_channel_eof(c, e);
	return lk_fail_ossl(e, LK_R_AGENT_TLS, "TLS with %s failed", c->set.host);
}

static struct lk_result
handshake(struct lk_channel *c, struct lk_err *e)
{
	int n;

	if (SSL_is_init_finished(c->ssl))
		return LK_OK;
	ERR_clear_error();
	n = SSL_do_handshake(c->ssl);
	return n == 1 ? LK_OK : judge_ssl(c, n, e);
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static struct lk_result
take_response(struct lk_channel *c, struct lk_slice in, struct lk_err *e)
{
	while (in.n) {
		size_t used;

		LK_REQUIRE(c->asked && c->response.state != LK_HTTP1_DONE, e, LK_R_HTTP_SYNTAX,
			"the server sent %zu bytes that nobody asked for", in.n);
		LK_TRY(lk_http1_feed(&c->response, in, &used, e));
		c->response.body.max = LK_CHANNEL_BODY_MAX;
		in = lk_slice(in.p + used, in.n - used);
	}
	return LK_OK;
}

static struct lk_result
read_plain(struct lk_channel *c, struct lk_err *e)
{
	uint8_t chunk[16 * 1024];
	int n;

	for (;;) {
		ERR_clear_error();
		n = SSL_read(c->ssl, chunk, sizeof chunk);
		if (n <= 0)
			return judge_ssl(c, n, e);
		LK_TRY(take_response(c, lk_slice(chunk, (size_t)n), e));
	}
}

struct lk_result
lk_channel_request(struct lk_channel *c, const struct lk_http1_request *r, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(REQUEST_MAX);
	struct lk_http1_request with_host = *r;

	with_host.host = c->set.host;
	LK_TRY(lk_http1_print_request(&with_host, &text, e));
	lk_http1_init(&c->response, LK_HTTP1_RESPONSE, LK_HTTP1_HEAD_MAX);
	c->asked = true;
	ERR_clear_error();
	LK_OSSL(SSL_write(c->ssl, text.p, (int)text.n) == (int)text.n, e, LK_R_AGENT_TLS,
		"the request to %s cannot be sent", c->set.host);
	return LK_OK;
}

const struct lk_http1 *
lk_channel_response(const struct lk_channel *c)
{
	return c->asked && c->response.state == LK_HTTP1_DONE ? &c->response : NULL;
}

/* --- bytes ------------------------------------------------------------------------------------ */

struct lk_result
lk_channel_feed(struct lk_channel *c, struct lk_slice in, struct lk_err *e)
{
	LK_OSSL(in.n <= INT32_MAX && BIO_write(c->in, in.p, (int)in.n) == (int)in.n, e, LK_R_NOMEM,
		"no memory for %zu bytes", in.n);
	LK_TRY(handshake(c, e));
	return SSL_is_init_finished(c->ssl) ? read_plain(c, e) : LK_OK;
}

struct lk_result
lk_channel_eof(struct lk_channel *c, struct lk_err *e)
{
	LK_REQUIRE(c->asked, e, LK_R_AGENT_TLS, "%s closed the connection", c->set.host);
	if (c->response.state == LK_HTTP1_DONE)
		return LK_OK;
	return lk_http1_eof(&c->response, e);
}

struct lk_slice
lk_channel_output(struct lk_channel *c)
{
	char *p = NULL;
	long n = BIO_get_mem_data(c->out, &p);

	return lk_slice(p, n > 0 ? (size_t)n : 0);
}

void
lk_channel_sent(struct lk_channel *c, size_t n)
{
	uint8_t sink[4096];

	while (n) {
		size_t step = n < sizeof sink ? n : sizeof sink;
		int got = BIO_read(c->out, sink, (int)step);

		if (got <= 0)
			return;
		n -= (size_t)got;
	}
}

bool
lk_channel_is_up(const struct lk_channel *c)
{
	return SSL_is_init_finished(c->ssl);
}

const struct lk_certs *
lk_channel_server(const struct lk_channel *c)
{
	return &c->server;
}

struct lk_result
lk_channel_binding(const struct lk_channel *c, uint8_t ret[static LK_TLS_BINDING_MAX],
	size_t *ret_n, struct lk_err *e)
{
	return lk_tls_binding(c->ssl, ret, ret_n, e);
}

/* --- life ------------------------------------------------------------------------------------- */

struct lk_result
lk_channel_new(
	const struct lk_channel_settings *settings, struct lk_channel **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_channel_freep) struct lk_channel *c = calloc(1, sizeof *c);

	LK_REQUIRE(c, e, LK_R_NOMEM, "no memory for a connection");
	c->set = *settings;
	LK_TRY(new_ssl(c, e));
	LK_TRY(handshake(c, e));
	*ret = LK_TAKE(c);
	return LK_OK;
}

struct lk_channel *
lk_channel_free(struct lk_channel *c)
{
	if (!c)
		return NULL;
	SSL_free(c->ssl);
	lk_certs_done(&c->server);
	lk_http1_done(&c->response);
	free(c);
	return NULL;
}
