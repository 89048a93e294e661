/* SPDX-License-Identifier: Apache-2.0
 *
 * A software TPM for one test program: started in a folder of its own, reached
 * by tpm2-openssl, gone with the program.
 */
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SWTPM "/usr/bin/swtpm"

static inline void
swtpm_stop(const char *dir, pid_t pid)
{
	static const char *const left[] = { "pid", "tpm", "tpm.ctrl", "tpm2-00.permall", ".lock" };
	char path[300];
	size_t i;

	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	for (i = 0; i < sizeof left / sizeof *left; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, left[i]);
		unlink(path);
	}
}

/* False when swtpm does not start within five seconds. */
static inline bool
swtpm_start(const char *dir, pid_t *ret)
{
	char fifo[256], state[256], server[256], control[256], pid_file[300];
	struct pollfd ready = { .events = POLLIN };
	pid_t pid;
	bool up;

	snprintf(fifo, sizeof fifo, "%s/pid", dir);
	snprintf(state, sizeof state, "dir=%s", dir);
	snprintf(server, sizeof server, "type=unixio,path=%s/tpm", dir);
	snprintf(control, sizeof control, "type=unixio,path=%s/tpm.ctrl", dir);
	snprintf(pid_file, sizeof pid_file, "file=%s", fifo);
	if (mkfifo(fifo, 0600) < 0 || (ready.fd = open(fifo, O_RDWR | O_CLOEXEC)) < 0 ||
		(pid = fork()) < 0)
		return false;
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, 1);
		dup2(null, 2);
		execl(SWTPM, "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server,
			"--ctrl", control, "--pid", pid_file, "--flags",
			"not-need-init,startup-clear", (char *)NULL);
		_exit(127);
	}
	up = poll(&ready, 1, 5000) == 1; /* it writes its number when its sockets listen */
	close(ready.fd);
	*ret = pid;
	if (!up)
		swtpm_stop(dir, pid);
	snprintf(server, sizeof server, "swtpm:path=%s/tpm", dir);
	setenv("TPM2OPENSSL_TCTI", server, 1);
	return up;
}
