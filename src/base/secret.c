/* SPDX-License-Identifier: Apache-2.0
 *
 * Wiping and constant-time comparison.
 */
#include "base/secret.h"

#include <stdlib.h>

void
lk_wipe(void *p, size_t n)
{
	if (p && n)
		explicit_bzero(p, n);
}

struct lk_result
lk_secret_copy(struct lk_slice in, struct lk_secret *ret, struct lk_err *e)
{
	uint8_t *p = malloc(in.n ? in.n : 1);

	LK_REQUIRE(p, e, LK_R_NOMEM, "no memory for a secret of %zu bytes", in.n);
	if (in.n)
		memcpy(p, in.p, in.n);
	*ret = (struct lk_secret){ p, in.n };
	return LK_OK;
}

void
lk_secret_done(struct lk_secret *s)
{
	lk_wipe(s->p, s->n);
	free(s->p);
	*s = (struct lk_secret){ 0 };
}

bool
lk_secret_eq(struct lk_slice a, struct lk_slice b)
{
	volatile uint8_t differ = 0;
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		differ |= (uint8_t)(a.p[i] ^ b.p[i]);
	return differ == 0;
}
