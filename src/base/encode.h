/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as text: base64 (RFC 4648 section 4) and hexadecimal; and what a text says it is.
 */
#pragma once

#include "base/slice.h"

/* One line, padded. Appends to out. */
LK_RESULT lk_base64_encode(struct lk_slice in, struct lk_buf *out, struct lk_err *e);
/* As above, in lines of 76 characters ended by LF. */
LK_RESULT lk_base64_encode_wrapped(struct lk_slice in, struct lk_buf *out, struct lk_err *e);

enum lk_base64_form {
	LK_BASE64_STRICT,    /* the alphabet, canonical padding, nothing else */
	LK_BASE64_WHITESPACE /* as strict, but blanks, tabs, CR and LF may stand anywhere:
			      * RFC 8951 section 3.1 */
};

/* Appends the decoded bytes to out; untouched on failure. Refuses with LK_R_SYNTAX_BASE64. */
LK_RESULT lk_base64_decode(
	struct lk_slice in, enum lk_base64_form form, struct lk_buf *out, struct lk_err *e);

/* Lower-case hexadecimal; dst takes 2 * in.n + 1 characters. */
void lk_hex(struct lk_slice in, char *dst);
/* As base64: appends, untouched on failure. Refuses with LK_R_SYNTAX_HEX. */
LK_RESULT lk_hex_decode(struct lk_slice in, struct lk_buf *out, struct lk_err *e);

/* Whether a Content-Type is `want` ("application/pkcs10"), whatever its parameters. */
bool lk_media_type_is(const char *value, const char *want);

/* The length of the character that this UTF-8 text begins with, where it acts on a terminal instead
 * of standing on it: C0, DEL, C1. Else 0. */
size_t lk_control_at(const char *text);
