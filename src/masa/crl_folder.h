/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder of revocation lists that the manufacturer holds of its customers' CAs: files *.crl in
 * DER, put there by whatever fetches them. It is read anew when something in it changed.
 */
#pragma once

#include "masa/keeper/keeper.h"

struct lk_crl_folder {
	const char *path; /* borrowed */
	uint64_t state;   /* of what was read; 0: nothing yet */
};

/* *ret_changed: lists is all that is there now, the caller's to release; else it is as it was. A
 * folder that is not there is an empty one. One bad file fails the whole: a list that is being
 * written shall not be missing meanwhile. */
LK_RESULT lk_crl_folder_read(
	struct lk_crl_folder *f, bool *ret_changed, struct lk_masa_crls *lists, struct lk_err *e);
