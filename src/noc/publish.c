/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists over HTTP (RFC 5280 4.2.1.13, RFC 9110).
 */
#include "noc/publish.h"

#include <stdio.h>
#include <stdlib.h>

#include "artefact/crl.h"
#include "base/log.h"
#include "net/server.h"
#include "role/crl_list.h"
#include "role/refusals.h"

#define LISTENERS_MAX 8
#define FIRST_MS      1000  /* until there is a first list */
#define WRITE_MS      60000 /* a hundred thousand entries over a slow line */

/* A response of some megabytes stands in memory while it is sent. */
static const struct lk_server_limits limits = { .connections_max = 32, .per_source_max = 8 };

struct list {
	int64_t number, this_update, next_update; /* of der; 0: there is none yet */
	struct lk_buf der;
};

struct lk_publisher {
	struct lk_process *process;
	int64_t refresh_seconds;
	struct list lists[LK_CRL_LIST_COUNT];
	struct lk_route routes[LK_CRL_LIST_COUNT];
	struct lk_server *servers[LISTENERS_MAX];
	size_t n_servers;
	struct lk_refusals *refusals;
	struct lk_timer *timer;
};

/* --- fetching --------------------------------------------------------------------------------- */

static struct lk_result
take(struct list *l, struct lk_slice packed, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CRL_MAX);
	struct lk_crl_body b;

	LK_TRY(lk_body_unpack(LK_BODY_crl, packed, &b, e));
	if (b.number == l->number)
		return LK_OK;
	LK_TRY(lk_buf_append(&der, b.der, e));
	lk_buf_done(&l->der);
	l->der = der;
	der = LK_BUF_INIT(LK_CRL_MAX);
	l->number = b.number;
	l->this_update = b.this_update;
	l->next_update = b.next_update;
	return LK_OK;
}

/* A keeper that is gone or busy is asked again by the clock. tag: the list. */
static void
on_list(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	struct lk_publisher *x = ctx;
	struct list *l = &x->lists[tag];
	struct lk_err e = { 0 };

	(void)why;
	if (m && !take(l, m->body, &e).ok)
		lk_log_err(&e, "list", lk_crl_lists[tag].path, NULL);
}

static void
on_timer(void *ctx)
{
	struct lk_publisher *x = ctx;
	struct lk_err e = { 0 };
	bool all = true;
	unsigned i;

	for (i = 0; i < LK_CRL_LIST_COUNT; i++) {
		const struct lk_get_crl_body b = { .list = i, .number = x->lists[i].number };

		all = all && b.number;
		lk_ignore(lk_process_ask(
			x->process, LK_ROLE_KEEPER, 0, LK_BODY_get_crl, &b, on_list, x, i, &e));
	}
	lk_timer_at(x->timer,
		lk_loop_now_ms(x->process->loop) + (all ? x->refresh_seconds * 1000 : FIRST_MS));
}

/* --- serving ---------------------------------------------------------------------------------- */

static bool
is_unchanged(const struct lk_request_view *v, const char *etag, const char *modified)
{
	/*= RFC9110 13.1.2: If-None-Match is compared weakly, and decides before If-Modified-Since =*/
	if (v->if_none_match[0])
		return strcmp(v->if_none_match, "*") == 0 || strstr(v->if_none_match, etag);
	return strcmp(v->if_modified_since, modified) == 0;
}

static void
send_list(struct lk_request *r, const struct list *l, int64_t refresh, int64_t now)
{
	char etag[32], modified[LK_HTTP1_DATE_MAX], age[48];
	const struct lk_http1_field fields[] = { { "ETag", etag }, { "Last-Modified", modified },
		{ "Cache-Control", age } };
	struct lk_reply reply = { .status = 200,
		.content_type = "application/pkix-crl",
		.extra = fields,
		.n_extra = LK_ARRAY_LEN(fields),
		.body = lk_buf_slice(&l->der) };
	int64_t left = l->next_update > now ? l->next_update - now : 0;

	snprintf(etag, sizeof etag, "\"%lld\"", (long long)l->number);
	lk_http1_date(l->this_update, modified);
	/* A cache neither hides a revocation for longer than we do, nor outlives the list. */
	snprintf(age, sizeof age, "max-age=%lld", (long long)(left < refresh ? left : refresh));
	/*= RFC9110 15.4.5: 304 has the fields of the 200 that it stands for =*/
	if (is_unchanged(lk_request_view(r), etag, modified)) {
		reply.status = 304;
		reply.content_type = NULL;
	}
	lk_request_reply(r, &reply);
}

static void
on_request(struct lk_request *r, void *ctx)
{
	struct lk_publisher *x = ctx;
	const struct list *l = x->lists;
	struct lk_err e = { 0 };

	/* The server let it through by the same table. */
	while (strcmp(lk_crl_lists[l - x->lists].path, lk_request_view(r)->path) != 0)
		l++;
	if (l->number) {
		send_list(r, l, x->refresh_seconds, lk_now(lk_loop_clock(x->process->loop)));
		return;
	}
	lk_err_set(&e, LK_R_CRL_NOT_READY, "%s is not made yet", lk_request_view(r)->path);
	lk_request_reply_err(r, &e);
}

static void
on_refusal(void *ctx, const struct lk_peer *peer, const struct lk_err *e)
{
	struct lk_publisher *x = ctx;

	lk_refusals_note(x->refusals, peer, e);
}

/* --- life ------------------------------------------------------------------------------------- */

static struct lk_result
listen_all(struct lk_publisher *x, struct lk_err *e)
{
	int fd;

	while ((fd = lk_process_listener(x->process, "public", x->n_servers)) >= 0) {
		struct lk_server_settings s = { .listen_fd = fd,
			.routes = x->routes,
			.n_routes = LK_CRL_LIST_COUNT,
			.ctx = x,
			.limits = limits,
			.timeouts = { .write = WRITE_MS },
			.on_refusal = on_refusal };

		LK_REQUIRE(x->n_servers < LISTENERS_MAX, e, LK_R_TOO_LARGE,
			"more than %d listeners", LISTENERS_MAX);
		LK_TRY(lk_server_new(x->process->loop, &s, &x->servers[x->n_servers], e));
		x->n_servers++;
	}
	return LK_OK;
}

struct lk_result
lk_publisher_new(
	struct lk_process *p, int64_t refresh_seconds, struct lk_publisher **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_publisher_freep) struct lk_publisher *x = calloc(1, sizeof *x);
	unsigned i;

	LK_REQUIRE(x, e, LK_R_NOMEM, "no memory for what is published");
	x->process = p;
	x->refresh_seconds = refresh_seconds;
	for (i = 0; i < LK_CRL_LIST_COUNT; i++) {
		x->lists[i].der = LK_BUF_INIT(LK_CRL_MAX);
		x->routes[i] =
			(struct lk_route){ "GET", lk_crl_lists[i].path, NULL, 0, on_request };
	}
	LK_TRY(lk_refusals_new(p, &x->refusals, e));
	LK_TRY(listen_all(x, e));
	LK_TRY(lk_timer_new(p->loop, on_timer, x, &x->timer, e));
	if (x->n_servers)
		lk_timer_at(x->timer, lk_loop_now_ms(p->loop) + FIRST_MS);
	*ret = LK_TAKE(x);
	return LK_OK;
}

struct lk_publisher *
lk_publisher_free(struct lk_publisher *x)
{
	unsigned i;

	if (!x)
		return NULL;
	lk_process_forget(x->process, x);
	while (x->n_servers)
		lk_server_free(x->servers[--x->n_servers]);
	lk_refusals_free(x->refusals);
	lk_timer_free(x->timer);
	for (i = 0; i < LK_CRL_LIST_COUNT; i++)
		lk_buf_done(&x->lists[i].der);
	free(x);
	return NULL;
}
