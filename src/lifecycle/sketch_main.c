/* SPDX-License-Identifier: Apache-2.0
 *
 * lifecycle-sketch: prints the state diagram. A tool of the build, not installed.
 */
#include <stdio.h>

#include "lifecycle/sketch.h"

int
main(void)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(65536);

	if (!lk_lifecycle_sketch(&out, NULL).ok)
		return 1;
	return fputs(lk_buf_str(&out), stdout) < 0;
}
