/* SPDX-License-Identifier: Apache-2.0
 *
 * From HTTP to the keeper and back.
 */
#include "role/front.h"

#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/path.h"
#include "role/refusals.h"
#include "role/tls_key.h"

#define LISTENERS_MAX 8

struct lk_front {
	struct lk_process *process;
	struct lk_front_settings set;
	struct lk_route routes[LK_EP_COUNT];
	size_t n_routes;
	SSL_CTX *tls;
	struct lk_refusals *refusals;
	struct lk_server *servers[LISTENERS_MAX];
	size_t n_servers;
};

/* A media type, or "" where it is longer than any that is served: it will not match. */
static void
copy_field(const char *from, char *to, size_t cap)
{
	if (!lk_slice_to_str(lk_slice_str(from), "field", to, cap, NULL).ok)
		to[0] = 0;
	lk_make_text(to); /* fields may have any octet above 127, and records of them are JSON */
}

/* /.well-known/est/<label>/<operation>: RFC 7030 3.2.2. One that is too long is no label of ours.
 */
static void
copy_label(enum lk_ep which, const char *path, struct lk_web_request_body *w)
{
	struct lk_slice label = { NULL, 0 };

	lk_path_fits(lk_endpoint_info(which)->path, path, &label);
	if (!lk_slice_to_str(label, "label", w->label, sizeof w->label, NULL).ok)
		w->label[0] = 0;
}

/* A session that nothing can be bound to is handed over as one: a request that is bound to it is
 * refused then, another is not (strongSwan 5.9 has no extended master secret). */
static struct lk_result
describe_binding(const struct lk_request *r, uint8_t binding[static LK_TLS_BINDING_MAX],
	struct lk_web_request_body *w, struct lk_err *e)
{
	struct lk_err why = { 0 };
	size_t n;

	if (lk_request_tls_binding(r, binding, &n, &why).ok)
		w->binding = lk_slice(binding, n);
	else if (why.reason != LK_R_TLS_BINDING)
		return lk_fail(e, why.reason, "%s", why.msg);
	return LK_OK;
}

static struct lk_result
describe(const struct lk_request *r, enum lk_ep which, struct lk_buf *chain,
	uint8_t binding[static LK_TLS_BINDING_MAX], struct lk_web_request_body *w, struct lk_err *e)
{
	const struct lk_request_view *v = lk_request_view(r);
	size_t i;

	w->endpoint = which;
	w->connection = (int64_t)v->peer->connection;
	copy_field(v->peer->remote, w->remote, sizeof w->remote);
	copy_field(v->user_agent, w->user_agent, sizeof w->user_agent);
	copy_field(v->content_type, w->content_type, sizeof w->content_type);
	copy_field(v->accept, w->accept, sizeof w->accept);
	copy_field(v->authorization, w->authorization, sizeof w->authorization);
	copy_label(which, v->path, w);
	w->body = v->body;
	if (!v->tls)
		return LK_OK;
	copy_field(v->tls->version, w->tls_version, sizeof w->tls_version);
	copy_field(v->tls->suite, w->tls_suite, sizeof w->tls_suite);
	copy_field(v->tls->group, w->tls_group, sizeof w->tls_group);
	for (i = 0; i < v->tls->n_chain; i++)
		LK_TRY(lk_list_add(chain, v->tls->chain[i], e));
	w->chain = lk_buf_slice(chain);
	return describe_binding(r, binding, w, e);
}

static void
answered(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	struct lk_request *r = ctx;
	struct lk_web_reply_body body;
	struct lk_err e = { 0 };
	struct lk_reply reply;

	(void)tag;
	if (!m) {
		lk_request_reply_err(r, why);
		return;
	}
	if (!lk_body_unpack(LK_BODY_web_reply, m->body, &body, &e).ok) {
		lk_log_err(&e, NULL);
		lk_request_reply_err(r, &e);
		return;
	}
	reply = (struct lk_reply){ .status = (unsigned)body.status,
		.content_type = body.content_type[0] ? body.content_type : NULL,
		.retry_after_s = (unsigned)body.retry_after,
		.body = body.body,
		.www_authenticate = body.challenge[0] ? body.challenge : NULL,
		.close_after = body.close };
	lk_request_reply(r, &reply);
}

static void
on_request(struct lk_request *r, void *ctx)
{
	struct lk_front *f = ctx;
	const struct lk_request_view *v = lk_request_view(r);
	LK_CLEANUP(lk_buf_done) struct lk_buf chain = LK_BUF_INIT(32 * 1024);
	struct lk_web_request_body w = { 0 };
	uint8_t binding[LK_TLS_BINDING_MAX];
	struct lk_err e = { 0 };
	enum lk_ep which = lk_endpoint_find(f->set.service, v->method, v->path);

	/* The server let it through by the same table. */
	if (which == LK_EP_COUNT)
		lk_err_set(&e, LK_R_BUG, "no endpoint for %s", v->path);
	else if (describe(r, which, &chain, binding, &w, &e).ok &&
		 lk_process_ask(
			 f->process, LK_ROLE_KEEPER, 0, LK_BODY_web_request, &w, answered, r, 0, &e)
			 .ok)
		return;
	lk_refusals_note(f->refusals, v->peer, &e);
	lk_request_reply_err(r, &e);
}

static void
on_refusal(void *ctx, const struct lk_peer *peer, const struct lk_err *e)
{
	struct lk_front *f = ctx;

	lk_refusals_note(f->refusals, peer, e);
}

static void
make_routes(struct lk_front *f)
{
	unsigned i;

	for (i = 0; i < LK_EP_COUNT; i++) {
		const struct lk_endpoint_info *info = lk_endpoint_info((enum lk_ep)i);

		if (info->service != f->set.service)
			continue;
		f->routes[f->n_routes++] = (struct lk_route){ info->method, info->path,
			info->media_type, info->body_max, on_request };
	}
}

static struct lk_result
make_tls(struct lk_front *f, struct lk_err *e)
{
	LK_CLEANUP(lk_tls_keyp) EVP_PKEY *key = NULL;
	struct lk_tls_settings tls = { .chain = f->set.chain,
		.allow_tls12 = f->set.allow_tls12,
		.client_cert = LK_TLS_CLIENT_CERT_OPTIONAL };

	LK_TRY(lk_tls_key_new(f->process, f->set.key, f->set.chain->v[0], &key, e));
	tls.key = key;
	return lk_tls_server_new(&tls, &f->tls, e);
}

static struct lk_result
listen_all(struct lk_front *f, struct lk_err *e)
{
	int fd;

	while ((fd = lk_process_listener(f->process, f->set.listener, f->n_servers)) >= 0) {
		struct lk_server_settings s = { .listen_fd = fd,
			.routes = f->routes,
			.n_routes = f->n_routes,
			.ctx = f,
			.tls = f->tls,
			.timeouts = f->set.timeouts,
			.limits = f->set.limits,
			.on_refusal = on_refusal };

		LK_REQUIRE(f->n_servers < LISTENERS_MAX, e, LK_R_TOO_LARGE,
			"more than %d listeners", LISTENERS_MAX);
		LK_TRY(lk_server_new(f->process->loop, &s, &f->servers[f->n_servers], e));
		f->n_servers++;
	}
	return LK_OK;
}

struct lk_result
lk_front_new(struct lk_process *p, const struct lk_front_settings *settings, struct lk_front **ret,
	struct lk_err *e)
{
	LK_CLEANUP(lk_front_freep) struct lk_front *f = calloc(1, sizeof *f);

	LK_REQUIRE(f, e, LK_R_NOMEM, "no memory for a front");
	f->process = p;
	f->set = *settings;
	make_routes(f);
	LK_TRY(lk_refusals_new(p, &f->refusals, e));
	LK_TRY(make_tls(f, e));
	LK_TRY(listen_all(f, e));
	*ret = LK_TAKE(f);
	return LK_OK;
}

struct lk_result
lk_front_renew(struct lk_front *f, const struct lk_certs *chain, struct lk_err *e)
{
	const struct lk_certs *was = f->set.chain;
	SSL_CTX *tls = f->tls;
	size_t i;

	f->set.chain = chain;
	f->tls = NULL;
	if (!make_tls(f, e).ok) {
		f->set.chain = was;
		f->tls = tls;
		return (struct lk_result){ false };
	}
	SSL_CTX_free(tls);
	for (i = 0; i < f->n_servers; i++)
		lk_server_set_tls(f->servers[i], f->tls);
	return LK_OK;
}

struct lk_front *
lk_front_free(struct lk_front *f)
{
	if (!f)
		return NULL;
	while (f->n_servers)
		lk_server_free(f->servers[--f->n_servers]);
	lk_refusals_free(f->refusals);
	SSL_CTX_free(f->tls);
	free(f);
	return NULL;
}
