/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets: wiped before their memory is given back, compared in constant time.
 */
#pragma once

#include "base/slice.h"

void lk_wipe(void *p, size_t n); /* not optimised away */
/* The time taken depends on the lengths only. */
bool lk_secret_eq(struct lk_slice a, struct lk_slice b);
