/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams to the service manager.
 */
#include "role/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/compiler.h"

static struct sockaddr_un manager = { .sun_family = AF_UNIX };
static socklen_t manager_len; /* 0: nobody listens */

void
lk_notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;

	if (n > 1 && n < sizeof manager.sun_path && (path[0] == '/' || path[0] == '@')) {
		memcpy(manager.sun_path, path, n + 1);
		manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
		if (path[0] == '@')
			manager.sun_path[0] = 0; /* the abstract namespace */
	}
	unsetenv("NOTIFY_SOCKET");
}

static void
say(const char *state, int flags)
{
	static const struct timeval patience = { .tv_sec = 5 };
	LK_CLEANUP(lk_closep) int fd = -1;

	if (!manager_len)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
		sendto(fd, state, strlen(state), MSG_NOSIGNAL | flags,
			(const struct sockaddr *)&manager, manager_len) < 0)
		return;
}

void
lk_notify(const char *state)
{
	say(state, MSG_DONTWAIT);
}

void
lk_notify_ready(void)
{
	say("READY=1", 0);
}
