/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets: wiped before their memory is given back, compared in constant time.
 */
#pragma once

#include "base/slice.h"

struct lk_secret {
	uint8_t *p; /* owned */
	size_t n;
};

LK_RESULT lk_secret_copy(struct lk_slice in, struct lk_secret *ret, struct lk_err *e);
void lk_secret_done(struct lk_secret *s); /* wipes and frees; cleanup function too */
void lk_wipe(void *p, size_t n);          /* not optimised away */
/* The time taken depends on the lengths only. */
bool lk_secret_eq(struct lk_slice a, struct lk_slice b);
