/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper's process: the store's only writer. It holds no private key and
 * touches no network socket.
 */
#include <stdlib.h>

#include "noc/keeper/keeper.h"
#include "noc/noc.h"
#include "role/certs_file.h"
#include "role/keeper_host.h"

#define ANSWER_MS 30000 /* the courier's own limit is lower */
#define PARK_MS   8000  /* then a device is told to come back: 202 */

struct state {
	struct lk_keeper_host *host; /* first: keeper_host.c finds it there */
	struct lk_certs registrar, former, ca, device_ca, service_ca;
	struct lk_certs crl_issuers[LK_CRL_LIST_COUNT];
	struct lk_certs servers[LK_OWN_COUNT]; /* but the registrar */
	struct lk_certs checkpoint_signers;    /* the registrar, now and before its last renewal */
	struct lk_est_labels labels;
	struct lk_keeper *keeper;
};

static struct lk_result
read_certs(struct lk_process *p, const char *name, struct lk_certs *ret, struct lk_err *e)
{
	char path[PATH_MAX];

	LK_TRY(lk_noc_pki_path(lk_noc_config_of(p), name, path, e));
	return lk_certs_read(path, ret, e);
}

static struct lk_result
read_if_there(struct lk_process *p, const char *name, struct lk_certs *ret, struct lk_err *e)
{
	struct lk_err why;

	if (!read_certs(p, name, ret, &why).ok)
		LK_REQUIRE(why.reason == LK_R_CERTS_MISSING, e, why.reason, "%s", why.msg);
	return LK_OK;
}

static struct lk_result
name_signers(struct state *s, struct lk_err *e)
{
	const struct lk_certs *former, *now = lk_keeper_registrar(s->keeper, &former);
	size_t i;

	LK_TRY(lk_certs_add(&s->checkpoint_signers, now->v[0], e));
	for (i = former->n; i > 0 && s->checkpoint_signers.n < LK_CERTS_MAX; i--)
		LK_TRY(lk_certs_add(&s->checkpoint_signers, former->v[i - 1], e));
	return LK_OK;
}

static struct lk_result
keeper_open(struct lk_process *p, struct lk_err *e)
{
	struct state *s = calloc(1, sizeof *s);
	struct lk_origin origin = { .node_id = "node-1" };
	unsigned i;

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for the keeper");
	p->state = s;
	LK_TRY(lk_slice_to_str(lk_slice_str(lk_noc_config_of(p)->network), "network name",
		origin.site_id, sizeof origin.site_id, e));
	LK_TRY(lk_keeper_host_new(p, LK_STORE_NOC, &origin, &s->host, e));
	LK_TRY(read_certs(p, "registrar.pem", &s->registrar, e));
	LK_TRY(read_certs(p, "cacerts.pem", &s->ca, e));
	LK_TRY(read_certs(p, "device-ca.pem", &s->device_ca, e));
	LK_TRY(read_certs(p, "service-ca.pem", &s->service_ca, e));
	LK_TRY(lk_noc_est_labels(lk_noc_config_of(p), &s->labels, e));
	for (i = 0; lk_noc_config_of(p)->publish_url[0] && i < LK_CRL_LIST_COUNT; i++)
		LK_TRY(read_certs(p, lk_crl_lists[i].ca, &s->crl_issuers[i], e));
	LK_TRY(read_if_there(p, "registrar-former.pem", &s->former, e));
	for (i = LK_OWN_REGISTRAR + 1; i < LK_OWN_COUNT; i++)
		LK_TRY(read_if_there(p, lk_own_servers[i].file, &s->servers[i], e));
	return LK_OK;
}

static struct lk_result
tick(void *keeper, struct lk_err *e)
{
	return lk_keeper_tick(keeper, e);
}

static struct lk_result
feed(void *keeper, bool *ret_more, struct lk_err *e)
{
	return lk_keeper_feed(keeper, ret_more, e);
}

static struct lk_result
keeper_start(struct lk_process *p, struct lk_err *e)
{
	struct state *s = p->state;
	const struct lk_noc_config *c = lk_noc_config_of(p);
	struct lk_keeper_settings set = { .run_seconds = c->run,
		.ask_seconds = c->ask,
		.ldevid_seconds = c->ldevid_life,
		.grant_seconds = c->grant,
		.session_seconds = c->session,
		.key_types = 1u << LK_KEY_P256,
		.retry_after = (unsigned)c->retry_after,
		.audit_required = c->audit_required,
		.labels = s->labels,
		.service_seconds = c->est_life,
		.code_seconds = c->est_code_life,
		.tls12_at_labels_only = !c->allow_tls12 && lk_est_labels_want_tls12(&s->labels),
		.crl_refresh_seconds = c->crl_refresh,
		.crl_seconds = c->crl_life };
	struct lk_keeper_domain domain = { &s->registrar, s->former.n ? &s->former : NULL, &s->ca,
		s->device_ca.v[0], s->service_ca.v[0] };
	struct lk_turn_settings turn = { .answer_ms = ANSWER_MS, .park_ms = PARK_MS };

	struct lk_keeper_host_work work = {
		.tick = tick, .feed = feed, .checkpoint_signers = &s->checkpoint_signers
	};
	unsigned i;

	for (i = LK_OWN_REGISTRAR + 1; i < LK_OWN_COUNT; i++)
		domain.servers[i] = s->servers[i].n ? &s->servers[i] : NULL;
	for (i = 0; i < LK_CRL_LIST_COUNT; i++)
		set.crl_issuers[i] = s->crl_issuers[i].n ? s->crl_issuers[i].v[0] : NULL;
	lk_keeper_host_serve(s->host, &turn);
	LK_TRY(lk_keeper_new(&set, &domain, &turn, &s->keeper, e));
	LK_TRY(name_signers(s, e));
	work.keeper = s->keeper;
	work.turn = lk_keeper_turn(s->keeper);
	return lk_keeper_host_start(s->host, &work, e);
}

static void
keeper_close(struct lk_process *p)
{
	struct state *s = p->state;
	unsigned i;

	if (!s)
		return;
	lk_keeper_free(s->keeper);
	lk_keeper_host_free(s->host);
	lk_certs_done(&s->registrar);
	lk_certs_done(&s->former);
	lk_certs_done(&s->ca);
	lk_certs_done(&s->device_ca);
	lk_certs_done(&s->service_ca);
	for (i = 0; i < LK_CRL_LIST_COUNT; i++)
		lk_certs_done(&s->crl_issuers[i]);
	for (i = 0; i < LK_OWN_COUNT; i++)
		lk_certs_done(&s->servers[i]);
	lk_certs_done(&s->checkpoint_signers);
	free(s);
}

static const struct lk_message_route routes[] = {
	{ LK_BODY_web_request, LK_ROLE_FRONT, lk_keeper_host_message },
	{ LK_BODY_refused, LK_ROLE_FRONT, lk_keeper_host_message },
	{ LK_BODY_refused, LK_ROLE_AAA, lk_keeper_host_message },
	{ LK_BODY_refused, LK_ROLE_DESK, lk_keeper_host_message },
	{ LK_BODY_get_crl, LK_ROLE_FRONT, lk_keeper_host_message },
	{ LK_BODY_get_chain, LK_ROLE_FRONT, lk_keeper_host_message },
	{ LK_BODY_get_chain, LK_ROLE_COURIER, lk_keeper_host_message },
	{ LK_BODY_get_chain, LK_ROLE_SIGNER, lk_keeper_host_message },
	{ LK_BODY_get_chain, LK_ROLE_DESK, lk_keeper_host_message },
	{ LK_BODY_get_chain, LK_ROLE_AAA, lk_keeper_host_message },
	{ LK_BODY_grant_request, LK_ROLE_AAA, lk_keeper_host_message },
	{ LK_BODY_operator_request, LK_ROLE_DESK, lk_keeper_host_message },
	{ LK_BODY_subscribe, LK_ROLE_DESK, lk_keeper_host_message },
	{ LK_BODY_port_event, LK_ROLE_ENFORCER, lk_keeper_host_message },
};

const struct lk_role_work lk_noc_keeper = {
	.routes = routes,
	.n_routes = LK_ARRAY_LEN(routes),
	.open = keeper_open,
	.cage = lk_keeper_host_cage,
	.start = keeper_start,
	.unlinked = lk_keeper_host_unlinked,
	.drained = lk_keeper_host_drained,
	.close = keeper_close,
};
