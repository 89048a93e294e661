/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of a table from foreign bytes: every field lies in the line's own memory
 * and has no control characters but tabs.
 */
#include <assert.h>

#include "factory/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lk_csv_line line;
	size_t i, n;

	if (!lk_csv_parse(lk_slice(data, size), &line, NULL).ok)
		return 0;
	assert(line.n > 0 && line.n <= LK_CSV_FIELDS_MAX);
	for (i = n = 0; i < line.n; i++) {
		assert(line.field[i] == line.text + n);
		n += strlen(line.field[i]) + 1;
		assert(n <= sizeof line.text);
	}
	for (i = 0; i + 1 < n; i++)
		assert((unsigned char)line.text[i] >= 0x20 || !line.text[i] ||
			line.text[i] == '\t');
	return 0;
}
