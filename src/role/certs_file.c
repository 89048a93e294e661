/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading certificate files.
 */
#include "role/certs_file.h"

#include "base/file.h"

#define FILE_MAX_BYTES (256 * 1024)

struct lk_result
lk_certs_read(const char *path, struct lk_certs *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(FILE_MAX_BYTES);

	if (!lk_file_read(path, &text, e).ok)
		return lk_fail_as(e, LK_R_FILE_MISSING, LK_R_CERTS_MISSING, "certificates");
	if (lk_certs_parse_any(lk_buf_slice(&text), ret, e).ok)
		return LK_OK;
	lk_err_prefix(e, "%s", path);
	return (struct lk_result){ false };
}
