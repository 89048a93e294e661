/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser, and an inotify watch on the file's folder: a file that is replaced, or not
 * there yet, has no name to watch.
 */
#include "noc/enforcer/leases.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/number.h"
#include "noc/enforcer/mac.h"

static struct lk_slice
next(struct lk_slice *in, char end)
{
	const uint8_t *p = in->n ? memchr(in->p, end, in->n) : NULL;
	struct lk_slice head = lk_slice(in->p, p ? (size_t)(p - in->p) : in->n);
	size_t skip = p ? head.n + 1 : head.n;

	*in = lk_slice(in->p ? in->p + skip : NULL, in->n - skip);
	return head;
}

/* *ret_taken is false for a device that said of itself in its request that it has other hardware:
 * it cannot be on a port, and must not spoil the file for those who are. */
static struct lk_result
parse_line(struct lk_slice line, size_t number, struct lk_lease *ret, bool *ret_taken,
	struct lk_err *e)
{
	struct lk_slice expiry = next(&line, ' '), mac = next(&line, ' '),
			address = next(&line, ' ');
	char text[INET_ADDRSTRLEN];
	struct lk_err why;
	uint64_t at;

	LK_REQUIRE(lk_parse_u64(expiry, "expiry", 0, LK_TIME_NEVER, &at, &why).ok, e,
		LK_R_LEASE_SYNTAX, "line %zu: %s", number, why.msg);
	LK_REQUIRE(lk_slice_to_str(address, "address", text, sizeof text, &why).ok &&
			   inet_pton(AF_INET, text, ret->address) == 1,
		e, LK_R_LEASE_SYNTAX, "line %zu: no IPv4 address", number);
	ret->expires_at = at ? (int64_t)at : LK_TIME_NEVER;
	*ret_taken = lk_mac_parse(mac, ret->mac, NULL).ok;
	return LK_OK;
}

static int
by_mac(const void *a, const void *b)
{
	const struct lk_lease *x = a, *y = b;
	int order = memcmp(x->mac, y->mac, sizeof x->mac);

	if (!order)
		order = (x->expires_at > y->expires_at) - (x->expires_at < y->expires_at);
	return order ? order : memcmp(x->address, y->address, sizeof x->address);
}

struct lk_result
lk_leases_parse(struct lk_slice in, struct lk_lease **ret, size_t *ret_n, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct lk_lease *v = NULL;
	size_t n = 0, lines = 0, i;

	LK_REQUIRE(in.n <= LK_LEASE_FILE_MAX, e, LK_R_TOO_LARGE, "a lease file of %zu bytes", in.n);
	for (i = 0; i < in.n; i++)
		lines += in.p[i] == '\n';
	LK_REQUIRE(lines <= LK_LEASES_MAX, e, LK_R_TOO_LARGE, "%zu leases, at most %d are taken",
		lines, LK_LEASES_MAX);
	v = calloc(lines + 1, sizeof *v);
	LK_REQUIRE(v, e, LK_R_NOMEM, "no memory for %zu leases", lines);
	for (i = 1; i <= lines; i++) {
		struct lk_slice line = next(&in, '\n');
		bool taken;

		if (line.n >= 5 && memcmp(line.p, "duid ", 5) == 0)
			break;
		LK_TRY(parse_line(line, i, &v[n], &taken, e));
		n += taken;
	}
	qsort(v, n, sizeof *v, by_mac);
	*ret = LK_TAKE(v);
	*ret_n = n;
	return LK_OK;
}

size_t
lk_leases_choose(struct lk_lease *v, size_t n, const struct lk_network4 *within, int64_t now)
{
	size_t i, kept = 0;

	for (i = 0; i < n; i++) {
		if (v[i].expires_at <= now || !lk_network4_has(within, v[i].address))
			continue;
		if (kept && memcmp(v[kept - 1].mac, v[i].mac, sizeof v[i].mac) == 0)
			kept--;
		v[kept++] = v[i];
	}
	return kept;
}

static int
compare_mac(const void *mac, const void *lease)
{
	return memcmp(mac, ((const struct lk_lease *)lease)->mac, 6);
}

const struct lk_lease *
lk_leases_find(const struct lk_lease *v, size_t n, const uint8_t mac[static 6])
{
	return n ? bsearch(mac, v, n, sizeof *v, compare_mac) : NULL;
}

/* --- the watch -------------------------------------------------------------------------------- */

struct lk_lease_watch {
	int fd;
	struct lk_watch *watch;
	lk_lease_fn *fn;
	void *ctx;
};

static void
on_change(void *ctx, unsigned ready)
{
	struct lk_lease_watch *w = ctx;
	char events[4096];
	bool any = false;

	(void)ready;
	/* Which file it was does not matter: the folder is quiet. */
	while (read(w->fd, events, sizeof events) > 0)
		any = true;
	if (any)
		w->fn(w->ctx);
}

struct lk_result
lk_lease_watch_new(struct lk_loop *l, const char *path, lk_lease_fn *fn, void *ctx,
	struct lk_lease_watch **ret, struct lk_err *e)
{
	struct lk_lease_watch *w = calloc(1, sizeof *w);
	char copy[PATH_MAX];

	LK_REQUIRE(w, e, LK_R_NOMEM, "no memory for a watch");
	*w = (struct lk_lease_watch){ inotify_init1(IN_NONBLOCK | IN_CLOEXEC), NULL, fn, ctx };
	if (!lk_slice_to_str(lk_slice_str(path), "lease file", copy, sizeof copy, e).ok ||
		w->fd < 0 ||
		inotify_add_watch(w->fd, dirname(copy), IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO) <
			0 ||
		!lk_watch_new(l, w->fd, LK_READABLE, on_change, w, &w->watch, e).ok) {
		lk_err_set(e, LK_R_FILE_IO, "the folder of %s cannot be watched: %s", path,
			strerror(errno));
		lk_lease_watch_free(w);
		return (struct lk_result){ false };
	}
	*ret = w;
	return LK_OK;
}

void
lk_lease_watch_free(struct lk_lease_watch *w)
{
	if (!w)
		return;
	lk_watch_free(w->watch);
	lk_closep(&w->fd);
	free(w);
}
