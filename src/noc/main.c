/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkeyd: which processes there are and who may talk to whom.
 */
#include <linux/capability.h>

#include "noc/noc.h"
#include "role/supervisor.h"

static uint32_t
fronts(const void *config)
{
	return ((const struct lk_noc_config *)config)->fronts;
}

static uint32_t
one_if_enforcing(const void *config)
{
	return ((const struct lk_noc_config *)config)->enforce;
}

static uint32_t
one_if_radius(const void *config)
{
	return ((const struct lk_noc_config *)config)->aaa_key[0] != 0;
}

static const struct lk_program_listener devices[] = {
	{ "devices", offsetof(struct lk_noc_config, listen), 0 },
	{ "public", offsetof(struct lk_noc_config, publish_listen), 0 },
};
static const struct lk_program_listener radius[] = {
	{ "radius", offsetof(struct lk_noc_config, aaa_listen), 0 },
};
static const struct lk_program_listener operators[] = {
	{ "operators", offsetof(struct lk_noc_config, api_listen), 0660 },
};

static const struct lk_program_role roles[] = {
	{ .role = LK_ROLE_SIGNER, .work = &lk_noc_signer, .state_dir = true },
	{ .role = LK_ROLE_KEEPER, .work = &lk_noc_keeper, .state_dir = true },
	{ .role = LK_ROLE_COURIER, .work = &lk_noc_courier },
	{ .role = LK_ROLE_ENFORCER,
		.work = &lk_noc_enforcer,
		.count = one_if_enforcing,
		.capabilities = UINT64_C(1) << CAP_NET_ADMIN,
		.state_dir = true },
	{ .role = LK_ROLE_AAA,
		.work = &lk_noc_aaa,
		.count = one_if_radius,
		.listeners = radius,
		.n_listeners = LK_ARRAY_LEN(radius) },
	{ .role = LK_ROLE_DESK,
		.work = &lk_noc_desk,
		.listeners = operators,
		.n_listeners = LK_ARRAY_LEN(operators),
		.state_dir = true },
	{ .role = LK_ROLE_FRONT,
		.work = &lk_noc_front,
		.count = fronts,
		.listeners = devices,
		.n_listeners = LK_ARRAY_LEN(devices) },
};

static const struct lk_program_pair pairs[] = {
	{ LK_ROLE_FRONT, LK_ROLE_KEEPER },
	{ LK_ROLE_FRONT, LK_ROLE_SIGNER },
	{ LK_ROLE_KEEPER, LK_ROLE_SIGNER },
	{ LK_ROLE_KEEPER, LK_ROLE_COURIER },
	{ LK_ROLE_COURIER, LK_ROLE_SIGNER },
	{ LK_ROLE_AAA, LK_ROLE_KEEPER },
	{ LK_ROLE_AAA, LK_ROLE_SIGNER },
	{ LK_ROLE_DESK, LK_ROLE_KEEPER },
	{ LK_ROLE_ENFORCER, LK_ROLE_KEEPER },
};

int
main(int argc, char **argv)
{
	static const struct lk_program program = { &lk_noc_config_spec, roles, LK_ARRAY_LEN(roles),
		pairs, LK_ARRAY_LEN(pairs) };

	return lk_program_main(&program, argc, argv);
}
