/* SPDX-License-Identifier: Apache-2.0
 *
 * Following a server's certificate.
 */
#include "noc/follower.h"

#include <stdlib.h>

#include "base/log.h"

#define FIRST_MS 1000
#define ASK_MS   60000 /* what it replaces is good for weeks more */

struct lk_follower {
	struct lk_process *process;
	enum lk_own_server which;
	struct lk_certs now;
	lk_renewed_fn *renewed;
	void *ctx;
	struct lk_timer *timer;
};

static struct lk_result
read_chain(struct lk_slice packed, struct lk_certs *ret, struct lk_err *e)
{
	struct lk_chain_body b;
	struct lk_slice der;
	bool more;

	LK_TRY(lk_body_unpack(LK_BODY_chain, packed, &b, e));
	for (;;) {
		LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;

		LK_TRY(lk_list_next(&b.certs, &more, &der, e));
		if (!more)
			return LK_OK;
		LK_TRY(lk_cert_parse(der, &c, e));
		LK_TRY(lk_certs_add(ret, c, e));
	}
}

struct lk_result
lk_follower_check(
	const struct lk_certs *now, const struct lk_certs *chain, int64_t at, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs root = { .n = 0 };
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *anchors = NULL;

	/*= RFC8995 5.5.5: the registrar's key is one and the same in TLS and voucher-requests =*/
	LK_REQUIRE(chain->n > 0 && lk_cert_same_key(chain->v[0], now->v[0]), e, LK_R_KEY_MISMATCH,
		"the renewed certificate is of another key");
	LK_TRY(lk_certs_add(&root, now->v[now->n - 1], e));
	LK_TRY(lk_anchors_new(&root, &anchors, e));
	return lk_chain_verify(anchors, chain->v[0], chain, LK_TIMES_CHECK, at, e);
}

static void
swap(struct lk_certs *a, struct lk_certs *b)
{
	struct lk_certs was = *a;

	*a = *b;
	*b = was;
}

static struct lk_result
take(struct lk_follower *f, struct lk_slice packed, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };
	char serial[2 * LK_CERT_SERIAL_MAX + 1];

	LK_TRY(read_chain(packed, &chain, e));
	if (chain.n > 0 && lk_cert_eq(chain.v[0], f->now.v[0]))
		return LK_OK;
	LK_TRY(lk_follower_check(&f->now, &chain, lk_now(lk_loop_clock(f->process->loop)), e));
	swap(&f->now, &chain);
	if (!f->renewed(f->ctx, &f->now, e).ok) {
		swap(&f->now, &chain);
		return (struct lk_result){ false };
	}
	lk_cert_serial(f->now.v[0], serial);
	lk_log(LK_LOG_NOTICE, "certificate-renewed", "of", lk_own_servers[f->which].name, "serial",
		serial, NULL);
	return LK_OK;
}

static void
on_chain(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	struct lk_follower *f = ctx;
	struct lk_err e = { 0 };

	(void)tag;
	(void)why; /* it is asked again by the clock */
	if (m && !take(f, m->body, &e).ok)
		lk_log_err(&e, NULL);
}

static void
on_timer(void *ctx)
{
	struct lk_follower *f = ctx;
	const struct lk_get_chain_body b = { .server = f->which };
	struct lk_err e = { 0 };

	/* A keeper that is gone is asked again by the clock. */
	if (!lk_process_ask(
		    f->process, LK_ROLE_KEEPER, 0, LK_BODY_get_chain, &b, on_chain, f, 0, &e)
			.ok)
		lk_log_err(&e, NULL);
	lk_timer_at(f->timer, lk_loop_now_ms(f->process->loop) + ASK_MS);
}

struct lk_result
lk_follower_new(struct lk_process *p, enum lk_own_server which, const struct lk_certs *now,
	lk_renewed_fn *renewed, void *ctx, struct lk_follower **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_follower_freep) struct lk_follower *f = calloc(1, sizeof *f);

	LK_REQUIRE(f, e, LK_R_NOMEM, "no memory to follow a certificate");
	f->process = p;
	f->which = which;
	f->renewed = renewed;
	f->ctx = ctx;
	lk_certs_copy(now, &f->now);
	LK_TRY(lk_timer_new(p->loop, on_timer, f, &f->timer, e));
	lk_timer_at(f->timer, lk_loop_now_ms(p->loop) + FIRST_MS);
	*ret = LK_TAKE(f);
	return LK_OK;
}

struct lk_follower *
lk_follower_free(struct lk_follower *f)
{
	if (!f)
		return NULL;
	lk_process_forget(f->process, f);
	if (f->timer)
		lk_timer_free(f->timer);
	lk_certs_done(&f->now);
	free(f);
	return NULL;
}
