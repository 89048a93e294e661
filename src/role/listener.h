/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets from their addresses in words: TCP over IPv4 and IPv6, with
 * scope for link-local addresses, and Unix sockets. Bound by the supervisor,
 * while it still may; handed to roles as descriptors.
 */
#pragma once

#include "base/slice.h"

/* Takes the next of a list with commas off *list, trimmed. *ret_more is false when there is none.
 */
LK_RESULT lk_listener_next(
	struct lk_slice *list, char *dst, size_t cap, bool *ret_more, struct lk_err *e);
bool lk_listener_is_unix(const char *address);
/* Whether it is an address at all; whether it can be bound shows when it is. LK_R_LISTEN. */
LK_RESULT lk_listener_check(const char *address, struct lk_err *e);
/* Binds and listens. A Unix socket that is not an absolute path lies in runtime_dir; one left there
 * by a program that is gone is replaced. LK_R_LISTEN. */
LK_RESULT lk_listener_open(const char *address, const char *runtime_dir, unsigned unix_mode,
	int *ret_fd, struct lk_err *e);
