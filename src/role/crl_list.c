/* SPDX-License-Identifier: Apache-2.0
 *
 * The revocation lists of a network.
 */
#include "role/crl_list.h"

const struct lk_crl_list_info lk_crl_lists[LK_CRL_LIST_COUNT] = {
	[LK_CRL_LIST_DEVICE_CA] = { "/crl/device-ca.crl", "device-ca.pem", LK_SIGNER_DEVICE_CA,
		LK_PROFILE_LDEVID },
	[LK_CRL_LIST_SERVICE_CA] = { "/crl/service-ca.crl", "service-ca.pem", LK_SIGNER_SERVICE_CA,
		LK_PROFILE_SERVICE },
	[LK_CRL_LIST_SERVER_CA] = { "/crl/server-ca.crl", "server-ca.pem", LK_SIGNER_SERVER_CA,
		LK_PROFILE_REGISTRAR },
};
