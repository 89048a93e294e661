/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP Basic authentication (RFC 7617) as EST clients use it (RFC 7030 3.2.3).
 */
#pragma once

#include "base/slice.h"

#define LK_CHALLENGE_BASIC "Basic realm=\"latchkey\", charset=\"UTF-8\""

struct lk_basic_auth {
	char user[128];
	char password[64];
};

/* From the value of Authorization. LK_R_BASIC_AUTH. */
LK_RESULT lk_basic_auth_parse(const char *field, struct lk_basic_auth *ret, struct lk_err *e);
void lk_basic_auth_done(struct lk_basic_auth *a); /* wipes; cleanup function too */
