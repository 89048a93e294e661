/* SPDX-License-Identifier: Apache-2.0
 *
 * mDNS packets from anyone on the link: read as a device reads responses and as a join point
 * reads queries. What is answered can be read.
 */
#include <assert.h>

#include "net/mdns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct lk_mdns_self self = {
		.instance = "Join here",
		.host = "lk-0a1",
		.port = 8443,
		.address.s6_addr = { 0xfe, 0x80, [15] = 1 },
		.services = { true, true },
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(LK_MDNS_RECEIVE_MAX);
	struct lk_mdns_found_list found = { .n = 0 };
	struct lk_mdns_answer a;
	size_t i;

	if (lk_mdns_parse(lk_slice(data, size), &found, NULL).ok)
		for (i = 0; i < found.n; i++)
			assert(found.v[i].ttl_s == 0 || (found.v[i].port && found.v[i].n_addrs));
	if (lk_mdns_respond(
		    &self, lk_slice(data, size), size & 1 ? LK_MDNS_PORT : 1, &a, &out, NULL)
			.ok)
		assert(a.answer ? lk_mdns_parse(lk_buf_slice(&out), &found, NULL).ok : out.n == 0);
	return 0;
}
