/* SPDX-License-Identifier: Apache-2.0
 *
 * The degenerate SignedData (RFC 5652 5.1): certificates, and nothing that is signed.
 */
#include "artefact/certs_only.h"

/*= RFC7030 4.2.3: the response is a certs-only message with the issued certificate alone =*/
struct lk_result
lk_certs_only_write(struct lk_slice cert, struct lk_buf *out, struct lk_err *e)
{
	struct lk_der_writer w = lk_der_to(out);

	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_oid(&w, LK_ID_SIGNED_DATA);
	lk_der_open(&w, LK_DER_EXPLICIT + 0);
	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_u64(&w, 1);
	lk_der_put(&w, LK_DER_SET, lk_slice(NULL, 0)); /* digestAlgorithms */
	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_oid(&w, LK_ID_DATA);
	lk_der_close(&w);
	lk_der_put(&w, LK_DER_EXPLICIT + 0, cert);     /* certificates */
	lk_der_put(&w, LK_DER_SET, lk_slice(NULL, 0)); /* signerInfos */
	lk_der_close(&w);
	lk_der_close(&w);
	lk_der_close(&w);
	return lk_der_finish(&w, e);
}
