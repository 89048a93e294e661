/* SPDX-License-Identifier: Apache-2.0
 *
 * Words to listening sockets. Numeric addresses only: a name that is looked up
 * might be answered by somebody else.
 */
#include "role/listener.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/number.h"

#define BACKLOG     1024
#define UNIX_PREFIX "unix:"

struct lk_result
lk_listener_next(struct lk_slice *list, char *dst, size_t cap, bool *ret_more, struct lk_err *e)
{
	struct lk_slice in = *list, item;
	const uint8_t *comma;

	while (in.n && strchr(" \t,", in.p[0]))
		in = lk_slice(in.p + 1, in.n - 1);
	*ret_more = in.n > 0;
	if (!in.n) {
		*list = in;
		return LK_OK;
	}
	comma = memchr(in.p, ',', in.n);
	item = lk_slice(in.p, comma ? (size_t)(comma - in.p) : in.n);
	*list = lk_slice(in.p + item.n, in.n - item.n);
	while (strchr(" \t", item.p[item.n - 1]))
		item.n--;
	return lk_slice_to_str(item, "an address", dst, cap, e);
}

bool
lk_listener_is_unix(const char *address)
{
	return strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
}

static struct lk_result
refuse(const char *address, struct lk_err *e)
{
	return lk_fail(e, LK_R_LISTEN, "%s: %s", address, strerror(errno));
}

/* --- TCP -------------------------------------------------------------------------------------- */

/* "192.0.2.1:8443" or "[fe80::1%eth0]:8443" into host and port. */
static struct lk_result
split(const char *address, char *host, size_t cap, const char **ret_port, struct lk_err *e)
{
	const char *colon = strrchr(address, ':');
	bool brackets = address[0] == '[';
	struct lk_slice in;
	uint32_t port;

	LK_REQUIRE(colon && (!brackets || (colon > address && colon[-1] == ']')), e, LK_R_LISTEN,
		"%s: want ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH", address);
	LK_TRY(lk_parse_u32(lk_slice_str(colon + 1), "the port", 0, UINT16_MAX, &port, e));
	in = brackets ? lk_slice(address + 1, (size_t)(colon - address) - 2)
		      : lk_slice(address, (size_t)(colon - address));
	LK_TRY(lk_slice_to_str(in, "the address", host, cap, e));
	LK_REQUIRE(brackets == (strchr(host, ':') != NULL), e, LK_R_LISTEN,
		"%s: an IPv6 address stands in brackets", address);
	*ret_port = colon + 1;
	return LK_OK;
}

static void
free_addresses(struct addrinfo **ai)
{
	if (*ai)
		freeaddrinfo(*ai);
}

static struct lk_result
read_address(const char *address, struct addrinfo **ret, struct lk_err *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	char host[NI_MAXHOST];
	const char *port;
	int rc;

	LK_TRY(split(address, host, sizeof host, &port, e));
	rc = getaddrinfo(host, port, &hints, ret);
	LK_REQUIRE(rc == 0, e, LK_R_LISTEN, "%s: %s", address, gai_strerror(rc));
	return LK_OK;
}

static struct lk_result
open_tcp(const char *address, int *ret_fd, struct lk_err *e)
{
	LK_CLEANUP(free_addresses) struct addrinfo *ai = NULL;
	LK_CLEANUP(lk_closep) int fd = -1;
	int on = 1;

	LK_TRY(read_address(address, &ai, e));
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
		return refuse(address, e);
	if (ai->ai_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
		return refuse(address, e);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return refuse(address, e);
	*ret_fd = fd;
	fd = -1;
	return LK_OK;
}

/* --- Unix ------------------------------------------------------------------------------------- */

/* Removes what a program that is gone left behind; somebody who still listens keeps it. */
static struct lk_result
remove_stale(const struct sockaddr_un *sa, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = -1;
	struct stat st;

	if (lstat(sa->sun_path, &st) < 0)
		return LK_OK;
	LK_REQUIRE(
		S_ISSOCK(st.st_mode), e, LK_R_LISTEN, "%s exists and is no socket", sa->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	LK_REQUIRE(fd >= 0 && connect(fd, (const struct sockaddr *)sa, sizeof *sa) < 0 &&
			   errno == ECONNREFUSED,
		e, LK_R_LISTEN, "%s is in use", sa->sun_path);
	if (unlink(sa->sun_path) < 0)
		return refuse(sa->sun_path, e);
	return LK_OK;
}

static struct lk_result
open_unix(const char *path, const char *runtime_dir, unsigned mode, int *ret_fd, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = -1;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = path[0] == '/'
			? snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path)
			: snprintf(sa.sun_path, sizeof sa.sun_path, "%s/%s", runtime_dir, path);

	LK_REQUIRE(n > 0 && (size_t)n < sizeof sa.sun_path, e, LK_R_LISTEN,
		"the path of %s has more than %zu bytes", path, sizeof sa.sun_path - 1);
	LK_TRY(remove_stale(&sa, e));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Its mode is narrow before anybody can connect: they can only once it listens. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 ||
		chmod(sa.sun_path, mode) < 0 || listen(fd, BACKLOG) < 0)
		return refuse(sa.sun_path, e);
	*ret_fd = fd;
	fd = -1;
	return LK_OK;
}

struct lk_result
lk_listener_check(const char *address, struct lk_err *e)
{
	LK_CLEANUP(free_addresses) struct addrinfo *ai = NULL;

	return lk_listener_is_unix(address) ? LK_OK : read_address(address, &ai, e);
}

struct lk_result
lk_listener_open(const char *address, const char *runtime_dir, unsigned unix_mode, int *ret_fd,
	struct lk_err *e)
{
	if (lk_listener_is_unix(address))
		return open_unix(address + strlen(UNIX_PREFIX), runtime_dir, unix_mode, ret_fd, e);
	return open_tcp(address, ret_fd, e);
}
