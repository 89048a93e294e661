/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkey-masa: which processes there are and who may talk to whom.
 */
#include "masa/masa.h"
#include "role/supervisor.h"

static uint32_t
fronts(const void *config)
{
	return ((const struct lk_masa_config *)config)->fronts;
}

static const struct lk_program_listener registrars[] = {
	{ "registrars", offsetof(struct lk_masa_config, listen), 0 },
};

static const struct lk_program_role roles[] = {
	{ .role = LK_ROLE_SIGNER, .work = &lk_masa_signer, .state_dir = true },
	{ .role = LK_ROLE_KEEPER, .work = &lk_masa_keeper_role, .state_dir = true },
	{ .role = LK_ROLE_FRONT,
		.work = &lk_masa_front,
		.count = fronts,
		.listeners = registrars,
		.n_listeners = LK_ARRAY_LEN(registrars) },
};

static const struct lk_program_pair pairs[] = {
	{ LK_ROLE_FRONT, LK_ROLE_KEEPER },
	{ LK_ROLE_FRONT, LK_ROLE_SIGNER },
	{ LK_ROLE_KEEPER, LK_ROLE_SIGNER },
};

int
main(int argc, char **argv)
{
	static const struct lk_program program = { &lk_masa_config_spec, roles, LK_ARRAY_LEN(roles),
		pairs, LK_ARRAY_LEN(pairs) };

	return lk_program_main(&program, argc, argv);
}
