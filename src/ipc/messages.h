/* SPDX-License-Identifier: Apache-2.0
 *
 * The roles, and what each may send to which other: a body (ipc/body.h) is a
 * message by its row in ipc/messages.def.
 */
#pragma once

#include "ipc/body.h"

enum lk_role {
	LK_ROLE_SUPERVISOR,
	LK_ROLE_FRONT,
	LK_ROLE_KEEPER,
	LK_ROLE_SIGNER,
	LK_ROLE_DESK,
	LK_ROLE_AAA,
	LK_ROLE_COURIER,
	LK_ROLE_RESOLVER,
	LK_ROLE_ENFORCER,
	LK_ROLE_COUNT
};

const char *lk_role_name(enum lk_role role);    /* "keeper" */
enum lk_role lk_role_by_name(const char *name); /* LK_ROLE_COUNT when there is none */

enum lk_message_kind { LK_MESSAGE_EVENT, LK_MESSAGE_REQUEST, LK_MESSAGE_REPLY };

struct lk_message_info {
	enum lk_message_kind kind;
	uint32_t from, to;  /* sets of roles: 1 << role */
	size_t fds;         /* descriptors that travel beside it */
	enum lk_body reply; /* to a request */
};

/* NULL when there is no such message. */
const struct lk_message_info *lk_message_info(unsigned type);
/* Whether a row lets `from` send it to `to`. */
bool lk_message_is_allowed(unsigned type, enum lk_role from, enum lk_role to);

/* `fail` is an error: its two directions. A reason that does not exist here is malformed. */
LK_RESULT lk_fail_pack(const struct lk_err *why, struct lk_buf *out, struct lk_err *e);
LK_RESULT lk_fail_unpack(struct lk_slice in, struct lk_err *ret_why, struct lk_err *e);
