/* SPDX-License-Identifier: Apache-2.0
 *
 * The child process. What it says is read up to a limit; the rest is dropped with the
 * pipe. A child that hangs hangs this role, whose supervisor then ends both.
 */
#include "noc/enforcer/nft.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 4096 };

static struct lk_result
fail(struct lk_err *e, const char *what, int why)
{
	return lk_fail(e, LK_R_ENFORCER_NFT, "%s: %s", what, strerror(why));
}

/* In memory, so that nft may take it as it likes; the reading position stands at its start. */
static struct lk_result
put_document(int fd, struct lk_slice in, struct lk_err *e)
{
	size_t done = 0;
	ssize_t n;

	while (done < in.n) {
		n = write(fd, in.p + done, in.n - done);
		if (n < 0)
			return fail(e, "the rules cannot be handed over", errno);
		done += (size_t)n;
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail(e, "the rules cannot be handed over", errno);
	return LK_OK;
}

static struct lk_result
spawn(int in, int out, pid_t *ret, struct lk_err *e)
{
	static char nft[] = "/usr/sbin/nft", json[] = "-j", file[] = "-f", standard_input[] = "-";
	char *const argv[] = { nft, json, file, standard_input, NULL }, *const environment[] = {
		NULL
	};
	posix_spawn_file_actions_t actions;
	int why = posix_spawn_file_actions_init(&actions);

	if (why)
		return fail(e, "nft cannot be started", why);
	why = posix_spawn_file_actions_adddup2(&actions, in, 0);
	why = why ? why : posix_spawn_file_actions_adddup2(&actions, out, 1);
	why = why ? why : posix_spawn_file_actions_adddup2(&actions, out, 2);
	why = why ? why : posix_spawn(ret, nft, &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	return why ? fail(e, "nft cannot be started", why) : LK_OK;
}

/* The first line, as far as there is room. */
static void
read_output(int fd, char text[static OUTPUT_MAX])
{
	size_t n = 0;
	ssize_t got;

	while (n < OUTPUT_MAX - 1 && (got = read(fd, text + n, OUTPUT_MAX - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	for (n = 0; text[n]; n++)
		if (!isprint((unsigned char)text[n]))
			text[n] = '?';
}

struct lk_result
lk_nft_apply(struct lk_slice document, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int in = memfd_create("ruleset", MFD_CLOEXEC);
	LK_CLEANUP(lk_closep) int out = -1;
	LK_CLEANUP(lk_closep) int theirs = -1;
	char text[OUTPUT_MAX];
	int pipes[2], status;
	pid_t child;

	if (in < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return fail(e, "nft cannot be started", errno);
	out = pipes[0];
	theirs = pipes[1];
	LK_TRY(put_document(in, document, e));
	LK_TRY(spawn(in, theirs, &child, e));
	lk_closep(&theirs);
	theirs = -1;
	read_output(out, text);
	lk_closep(&out);
	out = -1;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail(e, "nft cannot be waited for", errno);
	LK_REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0, e, LK_R_ENFORCER_NFT,
		"nft ended with status %d: %s",
		WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), text);
	return LK_OK;
}
