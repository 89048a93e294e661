/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists from foreign bytes: what is taken has as many entries as were counted, each of
 * them is found, and it can be printed.
 */
#include <assert.h>

#include "artefact/crl.h"

#define ENTRIES 64 /* looked for: each takes a pass */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1 << 24);
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
	struct lk_crl_entry entry, found;
	size_t cursor = 0, n = 0;

	if (!lk_crl_parse(lk_slice(data, size), &c, NULL).ok)
		return 0;
	for (; lk_crl_next(c, &cursor, &entry); n++)
		if (n < ENTRIES) {
			assert(lk_crl_find(c, entry.serial, &found));
			assert(lk_slice_eq(entry.serial, found.serial));
		}
	assert(n == c->n_entries && cursor == c->entries.n);
	lk_ignore(lk_crl_print(c, &out, NULL)); /* names of old string types have no text */
	return 0;
}
