/* SPDX-License-Identifier: Apache-2.0
 *
 * The endpoint table.
 */
#include "proto/endpoint.h"

#include <assert.h>
#include <string.h>

#include "base/path.h"

static const struct lk_endpoint_info endpoints[LK_EP_COUNT] = {
#define LK_ENDPOINT(name, service, method, path, media_type, body_max, source) \
	[LK_EP_##name] = { LK_SERVICE_##service, method, path, media_type, body_max, source },
#include "proto/endpoint.def"
#undef LK_ENDPOINT
};

const struct lk_endpoint_info *
lk_endpoint_info(enum lk_ep which)
{
	assert((unsigned)which < LK_EP_COUNT);
	return &endpoints[which];
}

enum lk_ep
lk_endpoint_find(enum lk_service service, const char *method, const char *path)
{
	unsigned i;

	for (i = 0; i < LK_EP_COUNT; i++)
		if (endpoints[i].service == service && strcmp(endpoints[i].method, method) == 0 &&
			lk_path_fits(endpoints[i].path, path, NULL))
			break;
	return (enum lk_ep)i;
}
