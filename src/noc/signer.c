/* SPDX-License-Identifier: Apache-2.0
 *
 * The signer of a network: the registrar's key, the domain's CAs, the hook's TLS
 * key, and what every device is told about its network.
 */
#include "base/log.h"
#include "noc/follower.h"
#include "noc/noc.h"
#include "role/certs_file.h"
#include "role/signer_host.h"

/* Each key, where its URI stands in the configuration, and its certificate chain. */
static const struct {
	enum lk_signer_key key;
	size_t uri;
	const char *chain;
} keys[] = {
	{ LK_SIGNER_REGISTRAR, offsetof(struct lk_noc_config, registrar_key), "registrar.pem" },
	{ LK_SIGNER_DEVICE_CA, offsetof(struct lk_noc_config, device_ca_key), "device-ca.pem" },
	{ LK_SIGNER_SERVICE_CA, offsetof(struct lk_noc_config, service_ca_key), "service-ca.pem" },
	{ LK_SIGNER_SERVER_CA, offsetof(struct lk_noc_config, server_ca_key), "server-ca.pem" },
	{ LK_SIGNER_OPERATOR_CA, offsetof(struct lk_noc_config, operator_ca_key),
		"operator-ca.pem" },
	{ LK_SIGNER_AAA, offsetof(struct lk_noc_config, aaa_key), "aaa.pem" },
};

static struct lk_onboarding_leaves onboarding; /* one process, one network */
static struct lk_certs registrar;
static struct lk_follower *follower;

static struct lk_result
read_der(const char *path, struct lk_buf *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };

	LK_TRY(lk_certs_read(path, &certs, e));
	*ret = LK_BUF_INIT(LK_CERT_DER_MAX);
	return lk_buf_append(ret, lk_cert_der(certs.v[0]), e);
}

/* kind=url|anchor */
static struct lk_result
add_application(char *item, struct lk_err *e)
{
	struct lk_endpoint *ep = &onboarding.endpoints[onboarding.n_endpoints];
	char *url = strchr(item, '='), *anchor;

	LK_REQUIRE(url && onboarding.n_endpoints < LK_ONBOARDING_ENDPOINTS_MAX, e, LK_R_USAGE,
		"[network] applications: \"%s\" is not kind=url, or more than %d", item,
		LK_ONBOARDING_ENDPOINTS_MAX);
	*url++ = 0;
	anchor = strchr(url, '|');
	if (anchor)
		*anchor++ = 0;
	LK_TRY(lk_slice_to_str(lk_slice_str(item), "kind", ep->kind, sizeof ep->kind, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(url), "url", ep->url, sizeof ep->url, e));
	ep->present = 1u << LK_ENDPOINT_KIND | 1u << LK_ENDPOINT_URL;
	if (anchor) {
		LK_TRY(read_der(anchor, &ep->anchor, e));
		ep->present |= 1u << LK_ENDPOINT_ANCHOR;
	}
	onboarding.n_endpoints++;
	return LK_OK;
}

static struct lk_result
describe_network(const struct lk_noc_config *c, struct lk_err *e)
{
	char list[LK_CONFIG_TEXT_MAX], *at = list, *item;
	struct lk_onboarding_leaves *o = &onboarding;

	/*= SEC-13: the network's identifier is part of the onboarding credentials =*/
	memcpy(o->network, c->network, sizeof o->network);
	o->present = 1u << LK_ONBOARDING_NETWORK;
	if (c->lifecycle_url[0]) {
		LK_TRY(lk_slice_to_str(lk_slice_str(c->lifecycle_url), "url", o->lifecycle_url,
			sizeof o->lifecycle_url, e));
		memcpy(o->renewal_url, o->lifecycle_url, sizeof o->renewal_url);
		o->present |= 1u << LK_ONBOARDING_LIFECYCLE_URL | 1u << LK_ONBOARDING_RENEWAL_URL;
	}
	if (c->radius_anchor[0]) {
		LK_TRY(read_der(c->radius_anchor, &o->radius_anchor, e));
		o->present |= 1u << LK_ONBOARDING_RADIUS_ANCHOR;
	}
	if (c->radius_server[0]) {
		LK_TRY(lk_slice_to_str(lk_slice_str(c->radius_server), "name", o->radius_server,
			sizeof o->radius_server, e));
		o->present |= 1u << LK_ONBOARDING_RADIUS_SERVER;
	}
	memcpy(list, c->applications, sizeof list);
	while ((item = strsep(&at, ", ")))
		if (item[0])
			LK_TRY(add_application(item, e));
	/* Now, not when the first device is to be told of it. */
	return lk_onboarding_check_network(o, e);
}

static struct lk_result
signer_open(struct lk_process *p, struct lk_err *e)
{
	const struct lk_noc_config *c = lk_noc_config_of(p);
	LK_CLEANUP(lk_signer_settings_done)
	struct lk_signer_settings set = { .onboarding = &onboarding, .node = "node-1" };
	struct lk_signer *signer;
	char path[PATH_MAX];
	size_t i;

	memcpy(set.site, c->network, sizeof set.site);
	LK_TRY(lk_slice_to_str(lk_slice_str(c->publish_url), "[publish] url", set.publish_url,
		sizeof set.publish_url, e));
	for (i = 0; i < LK_ARRAY_LEN(keys); i++) {
		LK_TRY(lk_noc_pki_path(c, keys[i].chain, path, e));
		LK_TRY(lk_signer_load(&set, keys[i].key, (const char *)c + keys[i].uri, path, e));
	}
	LK_TRY(lk_noc_pki_path(c, "registrar.pem", path, e));
	LK_TRY(lk_certs_read(path, &registrar, e));
	LK_TRY(describe_network(c, e));
	LK_TRY(lk_signer_new(&set, &signer, e));
	p->state = signer;
	return LK_OK;
}

static struct lk_result
signer_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	const struct lk_noc_config *c = lk_noc_config_of(p);
	size_t i;

	(void)e;
	for (i = 0; i < LK_ARRAY_LEN(keys); i++)
		lk_signer_cage((const char *)c + keys[i].uri, c->token_dir, rules);
	return LK_OK;
}

static struct lk_result
renewed(void *ctx, const struct lk_certs *chain, struct lk_err *e)
{
	struct lk_process *p = ctx;

	return lk_signer_renew(p->state, LK_SIGNER_REGISTRAR, chain, e);
}

static struct lk_result
signer_start(struct lk_process *p, struct lk_err *e)
{
	return lk_follower_new(p, LK_OWN_REGISTRAR, &registrar, renewed, p, &follower, e);
}

static void
signer_close(struct lk_process *p)
{
	follower = lk_follower_free(follower);
	lk_certs_done(&registrar);
	lk_signer_close(p);
}

const struct lk_role_work lk_noc_signer = {
	.routes = lk_signer_routes,
	.n_routes = LK_SIGNER_N_ROUTES,
	.open = signer_open,
	.cage = signer_cage,
	.start = signer_start,
	.close = signer_close,
};
