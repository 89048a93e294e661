/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets from hostapd's control socket: whatever opens or closes a port is an event with its level
 * and a MAC address that reads the same again.
 */
#include <assert.h>

#include "noc/enforcer/hostapd.h"
#include "noc/enforcer/mac.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lk_hostapd_message m;
	char text[LK_MAC_TEXT];
	uint8_t again[6];

	if (!lk_hostapd_parse(lk_slice(data, size), &m, NULL).ok)
		return 0;
	if (m.kind >= LK_HOSTAPD_CONNECTED)
		assert(size > 3 && data[0] == '<' && data[2] == '>');
	lk_mac_print(m.mac, text);
	assert(lk_mac_parse(lk_slice_str(text), again, NULL).ok && memcmp(again, m.mac, 6) == 0);
	return 0;
}
