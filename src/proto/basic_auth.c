/* SPDX-License-Identifier: Apache-2.0
 *
 * base64("user:password"), and nothing that is left behind.
 */
#include "proto/basic_auth.h"

#include "base/encode.h"
#include "base/secret.h"

static struct lk_result
split(struct lk_slice pair, struct lk_basic_auth *ret, struct lk_err *e)
{
	const uint8_t *colon = pair.n ? memchr(pair.p, ':', pair.n) : NULL;
	size_t user;

	/*= RFC7617 2: the first colon ends the user-id =*/
	LK_REQUIRE(colon, e, LK_R_BASIC_AUTH, "there is no colon between user and password");
	user = (size_t)(colon - pair.p);
	LK_TRY(lk_slice_to_str(lk_slice(pair.p, user), "user", ret->user, sizeof ret->user, e));
	return lk_slice_to_str(lk_slice(colon + 1, pair.n - user - 1), "password", ret->password,
		sizeof ret->password, e);
}

struct lk_result
lk_basic_auth_parse(const char *field, struct lk_basic_auth *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_basic_auth_done) struct lk_basic_auth a = { .user = "" };
	struct lk_buf pair = LK_BUF_INIT(sizeof a);
	struct lk_err why = { .reason = LK_R_NONE };
	struct lk_result r;

	/*= RFC9110 11.1: the name of a scheme is in any case =*/
	LK_REQUIRE(strncasecmp(field, "Basic ", 6) == 0, e, LK_R_BASIC_AUTH,
		"the scheme is not Basic");
	r = lk_base64_decode(lk_slice_str(field + 6), LK_BASE64_WHITESPACE, &pair, &why);
	if (r.ok)
		r = split(lk_buf_slice(&pair), &a, &why);
	lk_wipe(pair.p, pair.n);
	lk_buf_done(&pair);
	LK_REQUIRE(r.ok, e, LK_R_BASIC_AUTH, "%s", why.msg);
	*ret = a;
	return LK_OK;
}

void
lk_basic_auth_done(struct lk_basic_auth *a)
{
	lk_wipe(a, sizeof *a);
}
