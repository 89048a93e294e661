/* SPDX-License-Identifier: Apache-2.0
 *
 * Key references. All lengths fit two octets, so this needs no ASN.1 library.
 */
#include "agent/key_reference.h"

enum tag {
	TAG_INTEGER = 0x02,
	TAG_OCTETS = 0x04,
	TAG_NULL = 0x05,
	TAG_UTF8 = 0x0c,
	TAG_SEQUENCE = 0x30
};

static struct lk_result
put(struct lk_buf *out, enum tag tag, struct lk_slice content, struct lk_err *e)
{
	uint8_t head[4] = { (uint8_t)tag, 0x82, (uint8_t)(content.n >> 8), (uint8_t)content.n };

	if (content.n < 0x80) {
		head[1] = (uint8_t)content.n;
		LK_TRY(lk_buf_append(out, lk_slice(head, 2), e));
	} else if (content.n < 0x100) {
		head[1] = 0x81;
		head[2] = (uint8_t)content.n;
		LK_TRY(lk_buf_append(out, lk_slice(head, 3), e));
	} else {
		LK_TRY(lk_buf_append(out, LK_SLICE_ARRAY(head), e));
	}
	return lk_buf_append(out, content, e);
}

/* Takes one element of the tag off the front. */
static struct lk_result
take(struct lk_slice *in, enum tag tag, struct lk_slice *ret, struct lk_err *e)
{
	size_t head = 2, n;

	LK_REQUIRE(in->n >= 2 && in->p[0] == tag, e, LK_R_KEY_REFERENCE,
		"element 0x%02x is missing", (unsigned)tag);
	n = in->p[1];
	if (n == 0x81 && in->n >= 3) {
		n = in->p[2];
		head = 3;
	} else if (n == 0x82 && in->n >= 4) {
		n = (size_t)in->p[2] << 8 | in->p[3];
		head = 4;
	} else {
		LK_REQUIRE(n < 0x80, e, LK_R_KEY_REFERENCE, "a length is malformed");
	}
	LK_REQUIRE(n <= in->n - head, e, LK_R_KEY_REFERENCE, "an element is cut");
	*ret = lk_slice(in->p + head, n);
	in->p += head + n;
	in->n -= head + n;
	return LK_OK;
}

struct lk_result
lk_key_reference_print(const struct lk_key_reference *r, struct lk_buf *out, struct lk_err *e)
{
	const uint8_t magic[] = { LK_KEY_REFERENCE_MAGIC >> 8, LK_KEY_REFERENCE_MAGIC & 0xff };
	LK_CLEANUP(lk_buf_done) struct lk_buf inner = LK_BUF_INIT(LK_KEY_REFERENCE_MAX);

	LK_TRY(put(&inner, TAG_INTEGER, LK_SLICE_ARRAY(magic), e));
	LK_TRY(put(&inner, TAG_UTF8, lk_slice_str(r->socket), e));
	LK_TRY(put(&inner, TAG_OCTETS, lk_slice(r->spki, r->spki_n), e));
	LK_TRY(put(&inner, TAG_NULL, lk_slice(NULL, 0), e));
	return put(out, TAG_SEQUENCE, lk_buf_slice(&inner), e);
}

struct lk_result
lk_key_reference_parse(struct lk_slice der, struct lk_key_reference *ret, struct lk_err *e)
{
	const uint8_t magic[] = { LK_KEY_REFERENCE_MAGIC >> 8, LK_KEY_REFERENCE_MAGIC & 0xff };
	struct lk_slice in, item;
	struct lk_key_reference r;

	LK_TRY(take(&der, TAG_SEQUENCE, &in, e));
	LK_TRY(take(&in, TAG_INTEGER, &item, e));
	LK_REQUIRE(lk_slice_eq(item, LK_SLICE_ARRAY(magic)), e, LK_R_KEY_REFERENCE,
		"this is no key reference");
	LK_TRY(take(&in, TAG_UTF8, &item, e));
	LK_TRY(lk_slice_to_str(item, "the socket's path", r.socket, sizeof r.socket, e));
	LK_TRY(take(&in, TAG_OCTETS, &item, e));
	LK_REQUIRE(
		item.n <= sizeof r.spki, e, LK_R_TOO_LARGE, "a public key of %zu octets", item.n);
	memcpy(r.spki, item.p, item.n);
	r.spki_n = item.n;
	LK_TRY(take(&in, TAG_NULL, &item, e));
	LK_REQUIRE(in.n == 0, e, LK_R_KEY_REFERENCE, "%zu octets follow", in.n);
	*ret = r;
	return LK_OK;
}

struct lk_result
lk_key_reference_conf(const char *module_path, struct lk_buf *out, struct lk_err *e)
{
	return lk_buf_printf(out, e,
		"openssl_conf = init\n"
		"[init]\nproviders = providers\n"
		"[providers]\ndefault = default_provider\nlatchkey = latchkey_provider\n"
		"[default_provider]\nactivate = 1\n"
		"[latchkey_provider]\nmodule = %s\nactivate = 1\n",
		module_path);
}
