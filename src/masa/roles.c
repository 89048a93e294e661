/* SPDX-License-Identifier: Apache-2.0
 *
 * The three processes of latchkey-masa: front, keeper and signer.
 */
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "masa/crl_folder.h"
#include "masa/keeper/keeper.h"
#include "masa/masa.h"
#include "role/certs_file.h"
#include "role/front.h"
#include "role/keeper_host.h"
#include "role/signer_host.h"

#define ANSWER_MS 5000
#define PARK_MS   10000
#define CRL_MS    60000 /* between two looks at the folder of revocation lists */

static struct lk_result
read_certs(struct lk_process *p, const char *name, struct lk_certs *ret, struct lk_err *e)
{
	char path[PATH_MAX];

	LK_TRY(lk_path_join(lk_masa_config_of(p)->pki_dir, name, path, sizeof path, e));
	return lk_certs_read(path, ret, e);
}

/* --- front ------------------------------------------------------------------------------------ */

struct front_state {
	struct lk_certs chain;
	struct lk_front *front;
};

static struct lk_result
front_open(struct lk_process *p, struct lk_err *e)
{
	struct front_state *s = calloc(1, sizeof *s);

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for a front");
	p->state = s;
	return read_certs(p, "masa-server.pem", &s->chain, e);
}

static struct lk_result
front_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	(void)p;
	(void)e;
	rules->profiles = LK_CAGE_SERVE;
	return LK_OK;
}

static struct lk_result
front_start(struct lk_process *p, struct lk_err *e)
{
	struct front_state *s = p->state;
	struct lk_front_settings set = { .service = LK_SERVICE_MASA,
		.listener = "registrars",
		.chain = &s->chain,
		.key = LK_SIGNER_MASA,
		.allow_tls12 = lk_masa_config_of(p)->allow_tls12 };

	return lk_front_new(p, &set, &s->front, e);
}

static void
front_close(struct lk_process *p)
{
	struct front_state *s = p->state;

	if (!s)
		return;
	lk_front_free(s->front);
	lk_certs_done(&s->chain);
	free(s);
}

const struct lk_role_work lk_masa_front = {
	.open = front_open, .cage = front_cage, .start = front_start, .close = front_close
};

/* --- keeper ----------------------------------------------------------------------------------- */

struct keeper_state {
	struct lk_keeper_host *host; /* first: keeper_host.c finds it there */
	struct lk_certs manufacturer, voucher_signer;
	struct lk_masa_keeper *keeper;
	struct lk_crl_folder crls;
	struct lk_timer *look;
	struct lk_cage_path paths[2];
};

static struct lk_result
heed(struct keeper_state *s, struct lk_err *e)
{
	struct lk_masa_crls lists = { .n = 0 };
	bool changed;

	LK_TRY(lk_crl_folder_read(&s->crls, &changed, &lists, e));
	if (!changed)
		return LK_OK;
	lk_log(LK_LOG_INFO, "revocation-lists", "folder", s->crls.path, NULL);
	lk_masa_keeper_heed(s->keeper, &lists);
	return LK_OK;
}

/* What cannot be read leaves those that were read before. */
static void
on_look(void *ctx)
{
	struct lk_process *p = ctx;
	struct keeper_state *s = p->state;
	struct lk_err e;

	if (!heed(s, &e).ok)
		lk_log_err(&e, NULL);
	lk_timer_at(s->look, lk_loop_now_ms(p->loop) + CRL_MS);
}

static struct lk_result
keeper_open(struct lk_process *p, struct lk_err *e)
{
	struct keeper_state *s = calloc(1, sizeof *s);
	struct lk_origin origin = { .site_id = "masa", .node_id = "node-1" };

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for the keeper");
	p->state = s;
	s->crls.path = lk_masa_config_of(p)->crl_dir;
	LK_TRY(lk_keeper_host_new(p, LK_STORE_MASA, &origin, &s->host, e));
	LK_TRY(read_certs(p, "manufacturer-root.pem", &s->manufacturer, e));
	return read_certs(p, "voucher-signer.pem", &s->voucher_signer, e);
}

static struct lk_result
keeper_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	struct keeper_state *s = p->state;

	LK_TRY(lk_keeper_host_cage(p, rules, e));
	s->paths[0] = rules->paths[0];
	s->paths[1] = (struct lk_cage_path){ s->crls.path, LK_CAGE_READ };
	rules->paths = s->paths;
	rules->n_paths = LK_ARRAY_LEN(s->paths);
	return LK_OK;
}

static struct lk_result
tick(void *keeper, struct lk_err *e)
{
	return lk_masa_keeper_tick(keeper, e);
}

static struct lk_result
keeper_start(struct lk_process *p, struct lk_err *e)
{
	struct keeper_state *s = p->state;
	const struct lk_masa_config *c = lk_masa_config_of(p);
	struct lk_masa_settings set = { (enum lk_masa_pin)c->pin, c->nonceless_life, c->nonceless };
	struct lk_masa_trust trust = { &s->manufacturer };
	struct lk_turn_settings turn = { .answer_ms = ANSWER_MS, .park_ms = PARK_MS };

	struct lk_keeper_host_work work = { .tick = tick,
		.checkpoint_signers = &s->voucher_signer };

	lk_keeper_host_serve(s->host, &turn);
	LK_TRY(lk_masa_keeper_new(&set, &trust, &turn, &s->keeper, e));
	LK_TRY(heed(s, e));
	LK_TRY(lk_timer_new(p->loop, on_look, p, &s->look, e));
	lk_timer_at(s->look, lk_loop_now_ms(p->loop) + CRL_MS);
	work.keeper = s->keeper;
	work.turn = lk_masa_keeper_turn(s->keeper);
	return lk_keeper_host_start(s->host, &work, e);
}

static void
keeper_close(struct lk_process *p)
{
	struct keeper_state *s = p->state;

	if (!s)
		return;
	lk_timer_free(s->look);
	lk_masa_keeper_free(s->keeper);
	lk_keeper_host_free(s->host);
	lk_certs_done(&s->manufacturer);
	lk_certs_done(&s->voucher_signer);
	free(s);
}

static const struct lk_message_route keeper_routes[] = {
	{ LK_BODY_web_request, LK_ROLE_FRONT, lk_keeper_host_message },
	{ LK_BODY_refused, LK_ROLE_FRONT, lk_keeper_host_message },
};

const struct lk_role_work lk_masa_keeper_role = { .routes = keeper_routes,
	.n_routes = LK_ARRAY_LEN(keeper_routes),
	.open = keeper_open,
	.cage = keeper_cage,
	.start = keeper_start,
	.unlinked = lk_keeper_host_unlinked,
	.close = keeper_close };

/* --- signer ----------------------------------------------------------------------------------- */

static struct lk_result
load(struct lk_process *p, struct lk_signer_settings *set, enum lk_signer_key which,
	const char *uri, const char *chain, struct lk_err *e)
{
	char path[PATH_MAX];

	LK_TRY(lk_path_join(lk_masa_config_of(p)->pki_dir, chain, path, sizeof path, e));
	return lk_signer_load(set, which, uri, path, e);
}

#define PINS_REMEMBERED 64 /* the same few owners' domain CAs come again and again */

static struct lk_result
signer_open(struct lk_process *p, struct lk_err *e)
{
	const struct lk_masa_config *c = lk_masa_config_of(p);
	LK_CLEANUP(lk_signer_settings_done)
	struct lk_signer_settings set = { .node = "node-1", .site = "masa" };
	struct lk_signer *signer;

	LK_TRY(load(p, &set, LK_SIGNER_MASA, c->tls_key, "masa-server.pem", e));
	LK_TRY(load(p, &set, LK_SIGNER_VOUCHER, c->voucher_key, "voucher-signer.pem", e));
	LK_TRY(lk_cert_remember(PINS_REMEMBERED, e));
	LK_TRY(lk_signer_new(&set, &signer, e));
	p->state = signer;
	return LK_OK;
}

static struct lk_result
signer_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	const struct lk_masa_config *c = lk_masa_config_of(p);

	(void)e;
	lk_signer_cage(c->tls_key, c->token_dir, rules);
	lk_signer_cage(c->voucher_key, c->token_dir, rules);
	return LK_OK;
}

const struct lk_role_work lk_masa_signer = { .routes = lk_signer_routes,
	.n_routes = LK_SIGNER_N_ROUTES,
	.open = signer_open,
	.cage = signer_cage,
	.close = lk_signer_close };
