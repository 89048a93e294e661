/* SPDX-License-Identifier: Apache-2.0
 *
 * The endpoint table.
 */
#include "proto/endpoint.h"

#include <assert.h>

static const struct lk_endpoint_info endpoints[LK_EP_COUNT] = {
#define LK_ENDPOINT(name, service, method, path, media_type, body_max, source)                     \
	[LK_EP_##name] = { LK_SERVICE_##service, method, path, media_type, body_max, source },
#include "proto/endpoint.def"
#undef LK_ENDPOINT
};

const struct lk_endpoint_info *
lk_endpoint_info(enum lk_endpoint which)
{
	assert((unsigned)which < LK_EP_COUNT);
	return &endpoints[which];
}
