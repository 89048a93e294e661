/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists from a folder.
 */
#include "masa/crl_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"

#define LIST_MAX ((size_t)1 << 20) /* bytes: a network has few registrars */

static int
is_crl(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 4 && d->d_name[0] != '.' && strcmp(d->d_name + n - 4, ".crl") == 0;
}

static void
mix(uint64_t *state, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	while (n--)
		*state = (*state ^ *p++) * UINT64_C(0x100000001b3); /* FNV-1a */
}

/* A replaced file is another one, a file that is written to has another time or size. */
static struct lk_result
mix_file(uint64_t *state, const char *path, struct lk_err *e)
{
	struct stat st;

	LK_REQUIRE(stat(path, &st) == 0, e, LK_R_FILE_IO, "%s cannot be read: %s", path,
		strerror(errno));
	mix(state, path, strlen(path));
	mix(state, &st.st_ino, sizeof st.st_ino);
	mix(state, &st.st_size, sizeof st.st_size);
	mix(state, &st.st_mtim, sizeof st.st_mtim);
	return LK_OK;
}

static struct lk_result
read_list(const char *path, struct lk_masa_crls *lists, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LIST_MAX);

	LK_TRY(lk_file_read(path, &der, e));
	if (!lk_crl_parse(lk_buf_slice(&der), &lists->v[lists->n], e).ok) {
		lk_err_prefix(e, "%s", path);
		return (struct lk_result){ false };
	}
	lists->n++;
	return LK_OK;
}

/* lists NULL: only the state. */
static struct lk_result
walk(const struct lk_crl_folder *f, struct dirent **names, int n, uint64_t *state,
	struct lk_masa_crls *lists, struct lk_err *e)
{
	char path[PATH_MAX];
	int i;

	LK_REQUIRE(n <= LK_MASA_CRLS_MAX, e, LK_R_TOO_LARGE, "%s has more than %d lists", f->path,
		LK_MASA_CRLS_MAX);
	for (i = 0; i < n; i++) {
		LK_TRY(lk_path_join(f->path, names[i]->d_name, path, sizeof path, e));
		LK_TRY(lists ? read_list(path, lists, e) : mix_file(state, path, e));
	}
	return LK_OK;
}

static struct lk_result
read_names(struct lk_crl_folder *f, struct dirent **names, int n, bool *ret_changed,
	struct lk_masa_crls *lists, struct lk_err *e)
{
	LK_CLEANUP(lk_masa_crls_done) struct lk_masa_crls all = { .n = 0 };
	uint64_t state = UINT64_C(0xcbf29ce484222325);

	*ret_changed = false;
	/* In this order: what is altered in between is read once more. */
	LK_TRY(walk(f, names, n, &state, NULL, e));
	if (state == f->state)
		return LK_OK;
	LK_TRY(walk(f, names, n, NULL, &all, e));
	f->state = state;
	*lists = all;
	all.n = 0;
	*ret_changed = true;
	return LK_OK;
}

struct lk_result
lk_crl_folder_read(
	struct lk_crl_folder *f, bool *ret_changed, struct lk_masa_crls *lists, struct lk_err *e)
{
	struct dirent **names = NULL;
	struct lk_result r;
	int i, n = scandir(f->path, &names, is_crl, alphasort);

	LK_REQUIRE(n >= 0 || errno == ENOENT, e, LK_R_FILE_IO, "%s cannot be read: %s", f->path,
		strerror(errno));
	n = n < 0 ? 0 : n;
	r = read_names(f, names, n, ret_changed, lists, e);
	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return r;
}
