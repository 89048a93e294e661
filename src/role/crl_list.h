/* SPDX-License-Identifier: Apache-2.0
 *
 * Which revocation lists a network publishes, one a CA: the signer writes their
 * addresses into certificates, the keeper has them made, the fronts serve them.
 */
#pragma once

#include "artefact/cert_profile.h"
#include "ipc/body.h"

enum lk_crl_list {
	LK_CRL_LIST_DEVICE_CA,
	LK_CRL_LIST_SERVICE_CA,
	LK_CRL_LIST_SERVER_CA,
	LK_CRL_LIST_COUNT
};

struct lk_crl_list_info {
	const char *path;             /* below the address where lists are published */
	const char *ca;               /* file of the CA's certificate */
	enum lk_signer_key key;       /* that signs it */
	enum lk_cert_profile profile; /* one of those that this CA issues */
};

extern const struct lk_crl_list_info lk_crl_lists[LK_CRL_LIST_COUNT];
