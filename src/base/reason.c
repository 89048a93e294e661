/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables behind base/reason.h.
 */
#include "base/reason.h"

#include <assert.h>
#include <string.h>

static const struct lk_category_info categories[LK_CAT_COUNT] = {
	[LK_CAT_NONE] = { "none", 200, 0, LK_LOG_INFO },
	[LK_CAT_SYNTAX] = { "syntax", 400, 1, LK_LOG_NOTICE },
	[LK_CAT_POLICY] = { "policy", 403, 1, LK_LOG_NOTICE },
	[LK_CAT_CRYPTO] = { "crypto", 403, 1, LK_LOG_NOTICE },
	[LK_CAT_USAGE] = { "usage", 400, 2, LK_LOG_NOTICE },
	[LK_CAT_NOTFOUND] = { "not-found", 404, 3, LK_LOG_INFO },
	[LK_CAT_DENIED] = { "denied", 403, 4, LK_LOG_WARNING },
	[LK_CAT_PEER] = { "peer", 502, 5, LK_LOG_WARNING },
	[LK_CAT_AGAIN] = { "again", 503, 6, LK_LOG_INFO },
	[LK_CAT_IO] = { "io", 500, 7, LK_LOG_ERROR },
	[LK_CAT_NOMEM] = { "nomem", 503, 7, LK_LOG_ERROR },
	[LK_CAT_BUG] = { "bug", 500, 8, LK_LOG_ERROR },
};

static const struct lk_reason_info reasons[LK_R_COUNT] = {
#define LK_REASON(name, symbol, category, http, document, section, sentence, cure) \
	[LK_R_##name] = { symbol, LK_CAT_##category, http, { document, section }, sentence, cure },
#include "base/reason.def"
#undef LK_REASON
};

const struct lk_reason_info *
lk_reason_info(enum lk_reason reason)
{
	assert((unsigned)reason < LK_R_COUNT);
	return &reasons[reason];
}

const struct lk_category_info *
lk_category_info(enum lk_category category)
{
	assert((unsigned)category < LK_CAT_COUNT);
	return &categories[category];
}

int
lk_reason_http_status(enum lk_reason reason)
{
	const struct lk_reason_info *r = lk_reason_info(reason);

	return r->http_status ? r->http_status : lk_category_info(r->category)->http_status;
}

int
lk_reason_exit_code(enum lk_reason reason)
{
	return lk_category_info(lk_reason_info(reason)->category)->exit_code;
}

enum lk_reason
lk_reason_by_symbol(const char *symbol)
{
	unsigned i;

	for (i = 0; i < LK_R_COUNT; i++)
		if (strcmp(reasons[i].symbol, symbol) == 0)
			break;
	return (enum lk_reason)i;
}
