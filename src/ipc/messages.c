/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of messages.
 */
#include "ipc/messages.h"

static const char *const role_names[LK_ROLE_COUNT] = {
	[LK_ROLE_SUPERVISOR] = "supervisor",
	[LK_ROLE_FRONT] = "front",
	[LK_ROLE_KEEPER] = "keeper",
	[LK_ROLE_SIGNER] = "signer",
	[LK_ROLE_DESK] = "desk",
	[LK_ROLE_AAA] = "aaa",
	[LK_ROLE_COURIER] = "courier",
	[LK_ROLE_RESOLVER] = "resolver",
	[LK_ROLE_ENFORCER] = "enforcer",
};

const char *
lk_role_name(enum lk_role role)
{
	return role_names[role];
}

enum lk_role
lk_role_by_name(const char *name)
{
	unsigned i;

	for (i = 0; i < LK_ROLE_COUNT; i++)
		if (strcmp(role_names[i], name) == 0)
			break;
	return (enum lk_role)i;
}

#define R(role) (1u << LK_ROLE_##role)
#define ANY     ((1u << LK_ROLE_COUNT) - 1)

static const struct lk_message_info infos[LK_BODY_COUNT] = {
#define LK_MESSAGE(body, kind, from, to, fds, reply) \
	[LK_BODY_##body] = { LK_MESSAGE_##kind, from, to, fds, LK_BODY_##reply },
#include "ipc/messages.def"
#undef LK_MESSAGE
};

/* As many rows as bodies; a body that had two would be named by the compiler. */
#define LK_MESSAGE(body, kind, from, to, fds, reply) +1
_Static_assert(0
#include "ipc/messages.def"
		       == LK_BODY_COUNT,
	"a body of ipc/body.def has no row in ipc/messages.def");
#undef LK_MESSAGE

const struct lk_message_info *
lk_message_info(unsigned type)
{
	return type < LK_BODY_COUNT ? &infos[type] : NULL;
}

bool
lk_message_is_allowed(unsigned type, enum lk_role from, enum lk_role to)
{
	const struct lk_message_info *info = lk_message_info(type);

	return info && info->from >> from & 1 && info->to >> to & 1;
}

struct lk_result
lk_fail_pack(const struct lk_err *why, struct lk_buf *out, struct lk_err *e)
{
	const char *symbol = lk_reason_info(why->reason)->symbol;
	struct lk_fail_body body = { .reason = "" };

	LK_TRY(lk_slice_to_str(lk_slice_str(symbol), "reason", body.reason, sizeof body.reason, e));
	LK_TRY(lk_slice_to_str(
		lk_slice_str(why->msg), "message", body.message, sizeof body.message, e));
	return lk_body_pack(LK_BODY_fail, &body, out, e);
}

struct lk_result
lk_fail_unpack(struct lk_slice in, struct lk_err *ret_why, struct lk_err *e)
{
	struct lk_fail_body body;
	enum lk_reason reason;

	LK_TRY(lk_body_unpack(LK_BODY_fail, in, &body, e));
	reason = lk_reason_by_symbol(body.reason);
	LK_REQUIRE(reason != LK_R_COUNT && reason != LK_R_NONE, e, LK_R_IPC_MALFORMED,
		"fail: there is no such reason");
	lk_err_set(ret_why, reason, "%s", body.message);
	return LK_OK;
}
