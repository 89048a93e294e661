/* SPDX-License-Identifier: Apache-2.0
 *
 * The courier: outbound HTTPS to MASAs, for the keeper. One connection pool a
 * manufacturer, each with that manufacturer's anchors, the registrar's certificate
 * as client certificate, and the egress policy on every resolved address. It
 * accepts no connection and keeps nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "net/outbound.h"
#include "noc/follower.h"
#include "noc/noc.h"
#include "role/certs_file.h"
#include "role/tls_key.h"

#define POOLS_MAX 64 /* manufacturers whose connections are kept */

struct pool {
	struct pool *next;
	char manufacturer[64];
	struct lk_buf anchors; /* as they came: a change starts a new pool */
	unsigned renewals;     /* likewise */
	struct lk_outbound *outbound;
	size_t errands; /* under way */
};

struct state {
	struct lk_process *process;
	struct lk_certs registrar;
	EVP_PKEY *key;
	struct lk_egress egress;
	struct pool *pools; /* newest use first */
	struct lk_follower *follower;
	unsigned renewals; /* of the registrar's certificate */
};

struct errand {
	struct lk_process *process;
	struct lk_peer_ref asker;
	struct pool *pool;
};

static void
pool_free(struct pool *p)
{
	lk_outbound_free(p->outbound);
	lk_buf_done(&p->anchors);
	free(p);
}
LK_DEFINE_CLEANUP(struct pool *, pool_free);

static struct lk_result
read_anchors(struct lk_slice list, struct lk_certs *ret, struct lk_err *e)
{
	struct lk_slice der;
	bool more;

	for (;;) {
		LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;

		LK_TRY(lk_list_next(&list, &more, &der, e));
		if (!more)
			return LK_OK;
		LK_TRY(lk_cert_parse(der, &c, e));
		LK_TRY(lk_certs_add(ret, c, e));
	}
}

static struct lk_result
new_pool(struct state *s, const struct lk_fetch_body *f, struct pool **ret, struct lk_err *e)
{
	LK_CLEANUP(pool_freep) struct pool *p = calloc(1, sizeof *p);
	LK_CLEANUP(lk_certs_done) struct lk_certs anchors = { .n = 0 };
	struct lk_outbound_settings set = {
		.chain = &s->registrar, .key = s->key, .egress = &s->egress
	};

	LK_REQUIRE(p, e, LK_R_NOMEM, "no memory for a connection pool");
	memcpy(p->manufacturer, f->manufacturer, sizeof p->manufacturer);
	p->renewals = s->renewals;
	p->anchors = LK_BUF_INIT(f->anchors.n);
	LK_TRY(lk_buf_append(&p->anchors, f->anchors, e));
	LK_TRY(read_anchors(f->anchors, &anchors, e));
	set.anchors = anchors.n ? &anchors : NULL;
	LK_TRY(lk_outbound_new(s->process->loop, &set, &p->outbound, e));
	*ret = LK_TAKE(p);
	return LK_OK;
}

/* The place of the pool of this manufacturer with these anchors. */
static struct pool **
find_pool(struct state *s, const struct lk_fetch_body *f)
{
	struct pool **pp;

	for (pp = &s->pools; *pp; pp = &(*pp)->next)
		if (strcmp((*pp)->manufacturer, f->manufacturer) == 0 &&
			(*pp)->renewals == s->renewals &&
			lk_slice_eq(lk_buf_slice(&(*pp)->anchors), f->anchors))
			break;
	return pp;
}

/* Closes the one that was idle longest, if there are too many: an errand ends with its pool. */
static struct lk_result
make_room(struct state *s, struct lk_err *e)
{
	struct pool **idle = NULL, **pp, *p;
	size_t n = 0;

	for (pp = &s->pools; *pp; pp = &(*pp)->next, n++)
		if (!(*pp)->errands)
			idle = pp;
	if (n < POOLS_MAX)
		return LK_OK;
	LK_REQUIRE(idle, e, LK_R_BUSY, "%d manufacturers are being asked", POOLS_MAX);
	p = *idle;
	*idle = p->next;
	pool_free(p);
	return LK_OK;
}

/* Takes the pool out of the list, or makes it; the caller puts it in front. */
static struct lk_result
take_pool(struct state *s, const struct lk_fetch_body *f, struct pool **ret, struct lk_err *e)
{
	struct pool **pp = find_pool(s, f), *p = *pp;

	if (!p) {
		LK_TRY(make_room(s, e));
		return new_pool(s, f, ret, e);
	}
	*pp = p->next;
	*ret = p;
	return LK_OK;
}

static struct lk_result
hand_back(const struct errand *errand, const struct lk_outbound_result *r, struct lk_err *e)
{
	struct lk_fetched_body b = {
		.status = r->status, .retry_after = r->retry_after_s, .body = r->body
	};

	snprintf(b.content_type, sizeof b.content_type, "%s", r->content_type);
	snprintf(b.address, sizeof b.address, "%s", r->address);
	if (r->tls)
		snprintf(b.tls, sizeof b.tls, "%s %s %s", r->tls->version, r->tls->suite,
			r->tls->group);
	return lk_process_reply(errand->process, &errand->asker, LK_BODY_fetched, &b, e);
}

/* What cannot be handed back is a failure too: the keeper waits for either. */
static void
came_back(void *ctx, const struct lk_outbound_result *r, const struct lk_err *err)
{
	LK_CLEANUP(lk_freep) struct errand *errand = ctx;
	struct lk_err e = { 0 };

	errand->pool->errands--;
	if (!err && !hand_back(errand, r, &e).ok)
		err = &e;
	if (err)
		lk_ignore(lk_process_refuse(errand->process, &errand->asker, err, NULL));
}

static struct lk_result
start(struct state *s, const struct lk_peer_ref *from, const struct lk_fetch_body *f,
	struct lk_err *e)
{
	struct lk_http1_field fields[] = { { "Content-Type", f->content_type },
		{ "Accept", f->accept } };
	struct lk_outbound_request rq = { .url = f->url,
		.method = f->method,
		.fields = fields,
		.n_fields = f->accept[0] ? 2 : 1,
		.body = f->body,
		.response_max = (size_t)f->response_max,
		.redirects_max = (unsigned)f->redirects_max };
	LK_CLEANUP(lk_freep) struct errand *errand = malloc(sizeof *errand);
	struct pool *pool;

	LK_REQUIRE(errand, e, LK_R_NOMEM, "no memory for an errand");
	LK_TRY(take_pool(s, f, &pool, e));
	pool->next = s->pools;
	s->pools = pool;
	*errand = (struct errand){ s->process, *from, pool };
	LK_TRY(lk_outbound_start(pool->outbound, &rq, came_back, errand, NULL, e));
	pool->errands++;
	errand = NULL; /* came_back has it */
	return LK_OK;
}

static struct lk_result
on_fetch(struct lk_process *p, const struct lk_peer_ref *from, const struct lk_message *m,
	struct lk_err *e)
{
	struct lk_err why = { 0 };
	struct lk_fetch_body f;

	LK_TRY(lk_body_unpack(LK_BODY_fetch, m->body, &f, e));
	if (start(p->state, from, &f, &why).ok)
		return LK_OK;
	return lk_process_refuse(p, from, &why, e);
}

static struct lk_result
courier_open(struct lk_process *p, struct lk_err *e)
{
	struct state *s = calloc(1, sizeof *s);
	char path[PATH_MAX];

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for the courier");
	p->state = s;
	s->process = p;
	LK_TRY(lk_noc_pki_path(lk_noc_config_of(p), "registrar.pem", path, e));
	LK_TRY(lk_certs_read(path, &s->registrar, e));
	return lk_noc_egress(lk_noc_config_of(p), &s->egress, e);
}

/* What libc's resolver reads. */
static const struct lk_cage_path resolver_files[] = {
	{ "/etc/resolv.conf", LK_CAGE_READ },
	{ "/etc/hosts", LK_CAGE_READ },
	{ "/etc/nsswitch.conf", LK_CAGE_READ },
	{ "/etc/host.conf", LK_CAGE_READ },
	{ "/etc/gai.conf", LK_CAGE_READ },
	{ "/etc/services", LK_CAGE_READ },
	{ "/etc/ssl", LK_CAGE_READ },
	{ "/usr/lib", LK_CAGE_READ },
	{ "/lib", LK_CAGE_READ },
};

static struct lk_result
courier_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	(void)p;
	(void)e;
	rules->profiles = LK_CAGE_CONNECT | LK_CAGE_THREADS | LK_CAGE_FILES;
	rules->paths = resolver_files;
	rules->n_paths = LK_ARRAY_LEN(resolver_files);
	return LK_OK;
}

/* Calls under way end as they began; new ones show the new certificate. */
static struct lk_result
renewed(void *ctx, const struct lk_certs *chain, struct lk_err *e)
{
	struct state *s = ctx;

	(void)e;
	lk_certs_copy(chain, &s->registrar);
	s->renewals++;
	return LK_OK;
}

static struct lk_result
courier_start(struct lk_process *p, struct lk_err *e)
{
	struct state *s = p->state;

	LK_TRY(lk_follower_new(p, LK_OWN_REGISTRAR, &s->registrar, renewed, s, &s->follower, e));
	return lk_tls_key_new(p, LK_SIGNER_REGISTRAR, s->registrar.v[0], &s->key, e);
}

static void
courier_close(struct lk_process *p)
{
	struct state *s = p->state;
	struct pool *pool;

	if (!s)
		return;
	while ((pool = s->pools)) {
		s->pools = pool->next;
		pool_free(pool);
	}
	lk_follower_free(s->follower);
	lk_tls_keyp(&s->key);
	lk_certs_done(&s->registrar);
	free(s);
}

static const struct lk_message_route routes[] = {
	{ LK_BODY_fetch, LK_ROLE_KEEPER, on_fetch },
};

const struct lk_role_work lk_noc_courier = {
	.routes = routes,
	.n_routes = LK_ARRAY_LEN(routes),
	.open = courier_open,
	.cage = courier_cage,
	.start = courier_start,
	.close = courier_close,
};
