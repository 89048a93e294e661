/* SPDX-License-Identifier: Apache-2.0
 *
 * Durable file replacement and bounded reading.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lk_result
fail_errno(struct lk_err *e, const char *verb, const char *path)
{
	enum lk_reason r = errno == ENOENT   ? LK_R_FILE_MISSING
			   : errno == EEXIST ? LK_R_FILE_EXISTS
					     : LK_R_FILE_IO;

	return lk_fail(e, r, "cannot %s %s: %s", verb, path, strerror(errno));
}

static struct lk_result
read_all(int fd, const char *path, struct lk_buf *out, struct lk_err *e)
{
	uint8_t chunk[16384];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(e, "read", path);
		if (!lk_buf_append(out, lk_slice(chunk, (size_t)n), e).ok) {
			lk_err_prefix(e, "%s", path);
			return (struct lk_result){ false };
		}
	}
	return LK_OK;
}

struct lk_result
lk_file_read(const char *path, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t before = out->n;
	struct lk_result r;

	if (fd < 0)
		return fail_errno(e, "open", path);
	r = read_all(fd, path, out, e);
	if (!r.ok)
		lk_buf_truncate(out, before);
	return r;
}

/* The folder a path lies in, opened. */
static int
open_parent(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (n >= sizeof dir) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (!slash)
		return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memcpy(dir, path, n);
	dir[n] = 0;
	return open(n ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
write_all(int fd, struct lk_slice s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s.p += n;
		s.n -= (size_t)n;
	}
	return 0;
}

static struct lk_result
write_file(const char *path, struct lk_slice content, mode_t mode, bool over, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int dir = open_parent(path);
	LK_CLEANUP(lk_closep) int fd = -1;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char tmp[NAME_MAX + 1];
	int n;

	if (dir < 0)
		return fail_errno(e, "open the folder of", path);
	n = snprintf(tmp, sizeof tmp, ".%s.%ld.tmp", name, (long)getpid());
	LK_REQUIRE(
		n > 0 && (size_t)n < sizeof tmp, e, LK_R_FILE_IO, "the name %s is too long", path);
	unlinkat(dir, tmp, 0); /* left by a process of the same number that died */
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return fail_errno(e, "create a file beside", path);
	if (write_all(fd, content) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0 ||
		(over ? renameat(dir, tmp, dir, name) : linkat(dir, tmp, dir, name, 0)) < 0) {
		struct lk_result r = fail_errno(e, "write", path);

		unlinkat(dir, tmp, 0);
		return r;
	}
	if (!over)
		unlinkat(dir, tmp, 0);
	if (fsync(dir) < 0)
		return fail_errno(e, "sync the folder of", path);
	return LK_OK;
}

struct lk_result
lk_file_replace(const char *path, struct lk_slice content, mode_t mode, struct lk_err *e)
{
	return write_file(path, content, mode, true, e);
}

struct lk_result
lk_file_create(const char *path, struct lk_slice content, mode_t mode, struct lk_err *e)
{
	return write_file(path, content, mode, false, e);
}

static struct lk_result
sync_parent(const char *path, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int dir = open_parent(path);

	return dir >= 0 && fsync(dir) == 0 ? LK_OK : fail_errno(e, "sync the folder of", path);
}

struct lk_result
lk_file_remove(const char *path, struct lk_err *e)
{
	if (unlink(path) < 0)
		return errno == ENOENT ? LK_OK : fail_errno(e, "remove", path);
	return sync_parent(path, e);
}

struct lk_result
lk_dir_make(const char *path, mode_t mode, struct lk_err *e)
{
	char dir[PATH_MAX];
	size_t i, n = strlen(path);

	LK_REQUIRE(n > 0 && n < sizeof dir, e, LK_R_FILE_IO, "the path %s is too long", path);
	for (i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != 0)
			continue;
		memcpy(dir, path, i);
		dir[i] = 0;
		if (mkdir(dir, mode) == 0)
			LK_TRY(sync_parent(dir, e));
		else if (errno != EEXIST)
			return fail_errno(e, "make the folder", dir);
	}
	return LK_OK;
}

struct lk_result
lk_dir_sync(const char *path, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0 ? LK_OK : fail_errno(e, "sync the folder", path);
}

struct lk_result
lk_path_join(const char *dir, const char *name, char *dst, size_t cap, struct lk_err *e)
{
	int n = snprintf(dst, cap, "%s/%s", dir, name);

	LK_REQUIRE(
		n > 0 && (size_t)n < cap, e, LK_R_FILE_IO, "the path %s/%s is too long", dir, name);
	return LK_OK;
}

struct lk_result
lk_path_absolute(const char *path, char dst[static PATH_MAX], struct lk_err *e)
{
	char here[PATH_MAX] = "", whole[PATH_MAX];

	LK_REQUIRE(*path == '/' || getcwd(here, sizeof here), e, LK_R_FILE_IO,
		"this folder has no path: %s", strerror(errno));
	if (*path == '/')
		LK_TRY(lk_slice_to_str(lk_slice_str(path), "path", whole, sizeof whole, e));
	else
		LK_TRY(lk_path_join(here, path, whole, sizeof whole, e));
	memcpy(dst, whole, strlen(whole) + 1);
	return LK_OK;
}
