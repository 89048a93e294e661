/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates from files, as role processes read them before their cage closes.
 */
#pragma once

#include "crypto/x509.h"

/* One or more certificates, PEM or DER. Caller releases. No file: LK_R_CERTS_MISSING. */
LK_RESULT lk_certs_read(const char *path, struct lk_certs *ret, struct lk_err *e);
