/* SPDX-License-Identifier: Apache-2.0
 *
 * Cleanup functions for what libc hands out.
 */
#include "base/compiler.h"

#include <stdlib.h>
#include <unistd.h>

void
lk_freep(void *pp)
{
	free(*(void **)pp);
}

void
lk_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
