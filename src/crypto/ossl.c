/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL's error queue, in words.
 */
#include "crypto/ossl.h"

#include <openssl/err.h>
#include <stdio.h>

void
lk_err_set_ossl(struct lk_err *e, enum lk_reason reason, const char *fmt, ...)
{
	const char *data = NULL, *why;
	int flags = 0;
	unsigned long code = ERR_peek_last_error_data(&data, &flags);
	va_list ap;
	size_t n;

	if (e) {
		e->reason = reason;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof e->msg, fmt, ap);
		va_end(ap);
		n = strlen(e->msg);
		why = code ? ERR_reason_error_string(code) : NULL;
		if (why && (flags & ERR_TXT_STRING) && *data)
			snprintf(e->msg + n, sizeof e->msg - n, " (%s: %s)", why, data);
		else if (why)
			snprintf(e->msg + n, sizeof e->msg - n, " (%s)", why);
	}
	ERR_clear_error();
}
