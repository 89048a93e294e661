/* SPDX-License-Identifier: Apache-2.0
 *
 * Replays a fuzzer's corpus without libFuzzer: `fuzz_x FOLDER` hands each file of the folder to
 * the fuzzer's one function, and an empty input besides. What once crashed stays a test in
 * every build.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define INPUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
replay(const char *dir, const char *name)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf in = LK_BUF_INIT(INPUT_MAX);
	char path[4096];
	uint8_t *exact;
	struct lk_err e;

	if (!lk_path_join(dir, name, path, sizeof path, &e).ok || !lk_file_read(path, &in, &e).ok) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	/* A copy of exactly that size: a sanitizer sees a read of the byte behind it. */
	exact = malloc(in.n ? in.n : 1);
	if (!exact)
		exit(1);
	if (in.n)
		memcpy(exact, in.p, in.n);
	LLVMFuzzerTestOneInput(exact, in.n);
	free(exact);
}

int
main(int argc, char **argv)
{
	struct dirent **files;
	int i, n;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	n = scandir(argv[1], &files, NULL, alphasort);
	if (n < 0) {
		perror(argv[1]);
		return 1;
	}
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (i = 0; i < n; i++) {
		if (files[i]->d_name[0] != '.') {
			printf("%s\n",
				files[i]->d_name); /* the last one named is the one that crashed */
			fflush(stdout);
			replay(argv[1], files[i]->d_name);
		}
		free(files[i]);
	}
	free(files);
	return 0;
}
