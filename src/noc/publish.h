/* SPDX-License-Identifier: Apache-2.0
 *
 * What a network publishes over plain HTTP: the revocation lists of its CAs. A
 * front holds the keeper's newest ones and asks for newer ones by the clock, so
 * that nobody who fetches a list ever reaches the keeper.
 */
#pragma once

#include "role/process.h"

struct lk_publisher; /* opaque */

/* Serves on the listeners named "public"; none is no failure. A list is at most refresh_seconds
 * older than the keeper's. */
LK_RESULT lk_publisher_new(
	struct lk_process *p, int64_t refresh_seconds, struct lk_publisher **ret, struct lk_err *e);
struct lk_publisher *lk_publisher_free(struct lk_publisher *x);
LK_DEFINE_CLEANUP(struct lk_publisher *, lk_publisher_free);
