/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of object identifiers.
 */
#include "crypto/oid.h"

#include <stdio.h>

static const struct {
	const char *name;
	struct lk_slice der;
} oids[LK_ID_COUNT] = {
#define LK_OID_ROW(id, name, der) [LK_ID_##id] = { name, LK_SLICE_LIT(der) },
	LK_OIDS(LK_OID_ROW)
#undef LK_OID_ROW
};

struct lk_slice
lk_oid_der(enum lk_oid id)
{
	return oids[id].der;
}

const char *
lk_oid_name(enum lk_oid id)
{
	return oids[id].name;
}

enum lk_oid
lk_oid_find(struct lk_slice der)
{
	enum lk_oid id;

	for (id = 0; id < LK_ID_COUNT; id++)
		if (lk_slice_eq(oids[id].der, der))
			break;
	return id;
}

/* An arc that does not fit 64 bits ends the text with "…": it is for reading only. */
static void
dotted(struct lk_slice der, char dst[static LK_OID_TEXT_MAX])
{
	uint64_t arc = 0;
	size_t i, n = 0;
	bool first = true;

	dst[0] = 0;
	for (i = 0; i < der.n && n < LK_OID_TEXT_MAX - 24; i++) {
		if (arc >> 57) {
			snprintf(dst + n, LK_OID_TEXT_MAX - n, "…");
			return;
		}
		arc = arc << 7 | (der.p[i] & 0x7f);
		if (der.p[i] & 0x80)
			continue;
		if (first) {
			unsigned top = arc < 80 ? (unsigned)arc / 40 : 2;

			n += (size_t)snprintf(dst, LK_OID_TEXT_MAX, "%u.", top);
			arc -= top * UINT64_C(40);
		}
		n += (size_t)snprintf(dst + n, LK_OID_TEXT_MAX - n, "%s%llu", first ? "" : ".",
			(unsigned long long)arc);
		first = false;
		arc = 0;
	}
}

void
lk_oid_text(struct lk_slice der, char dst[static LK_OID_TEXT_MAX])
{
	enum lk_oid id = lk_oid_find(der);

	if (id == LK_ID_COUNT)
		dotted(der, dst);
	else
		snprintf(dst, LK_OID_TEXT_MAX, "%s", oids[id].name);
}
