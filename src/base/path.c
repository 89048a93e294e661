/* SPDX-License-Identifier: Apache-2.0
 *
 * A path held against a row, from left to right.
 */
#include "base/path.h"

bool
lk_path_fits(const char *row, const char *path, struct lk_slice *ret_segment)
{
	struct lk_slice segment = { NULL, 0 };

	for (; *row; row++) {
		if (*row == '?') {
			segment = lk_slice(path, strcspn(path, "/"));
			if (segment.n == 0)
				return false;
			path += segment.n;
		} else if (*row == *path) {
			path++;
		} else {
			return false;
		}
	}
	if (*path && row[-1] != '/')
		return false;
	if (ret_segment)
		*ret_segment = segment;
	return true;
}

bool
lk_path_is_plain(const char *text)
{
	size_t n =
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");

	return n > 0 && !text[n];
}
