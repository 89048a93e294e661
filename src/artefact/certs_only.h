/* SPDX-License-Identifier: Apache-2.0
 *
 * The Simple PKI Response with one certificate (RFC 7030 4.2.3): what an enrolment
 * is answered with. As lk_certs_print_pkcs7() writes it, from the certificate's
 * bytes, which nobody has to decode for it.
 */
#pragma once

#include "crypto/der.h"

/* A certs-only SignedData around a DER certificate, which is not looked at. Appends to out. */
LK_RESULT lk_certs_only_write(struct lk_slice cert, struct lk_buf *out, struct lk_err *e);
