/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process that holds a TLS key signs for one that does not: the inputs of
 * a handshake's signatures (RFC 8446 4.4.3, RFC 8422 5.4) and nothing else, so
 * that nobody gets a certificate, a voucher-request or a bare digest signed by
 * calling it TLS.
 */
#pragma once

#include "base/slice.h"

enum lk_tls_end { LK_TLS_SERVER, LK_TLS_CLIENT };

/* Whether tbs is what a TLS end signs in a handshake, and can be nothing else: the input of a TLS
 * 1.3 CertificateVerify of this end, or of a server's TLS 1.2 ServerKeyExchange. (A TLS 1.2
 * client signs the bare transcript, which could be anything: refused.) LK_R_TLS_TBS. */
LK_RESULT lk_tls_tbs_check(struct lk_slice tbs, enum lk_tls_end end, struct lk_err *e);
