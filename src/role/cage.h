/* SPDX-License-Identifier: Apache-2.0
 *
 * The cage of a role process. Once closed it cannot be opened again: no new
 * privileges, no capabilities but those kept, only the named files (Landlock),
 * only the system calls of its profiles (seccomp), no core dump, nobody to
 * trace it.
 *
 * A forbidden system call ends the process at once. An error code instead would
 * leave whoever took it over running, to try the next one, and would lead our own
 * code onto paths that nobody has tested. The supervisor logs the death and
 * starts a clean process.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* What a role does besides its base set: memory, its loop, what it holds open, the log. Rows of
 * system calls in role/cage.c. */
enum lk_cage_profile {
	LK_CAGE_SERVE = 1u << 0,   /* accepts on listeners it was handed */
	LK_CAGE_CONNECT = 1u << 1, /* TCP and UDP outwards, names resolved by libc */
	LK_CAGE_FILES = 1u << 2,   /* opens, writes, replaces files, within its paths */
	LK_CAGE_THREADS = 1u << 3, /* libcurl's resolver */
	LK_CAGE_NFT = 1u << 4      /* nf_tables and route netlink, Unix datagrams (hostapd), and the
				    * nft program in a child that shares the cage */
};

enum lk_cage_right {
	LK_CAGE_READ = 1u << 0,  /* files and folders */
	LK_CAGE_WRITE = 1u << 1, /* and make, replace, remove them */
	LK_CAGE_EXEC = 1u << 2
};

struct lk_cage_path {
	const char *path; /* a file, or a folder and all below; what is missing is skipped */
	unsigned rights;  /* enum lk_cage_right */
};

struct lk_cage_rules {
	unsigned profiles; /* enum lk_cage_profile */
	const struct lk_cage_path *paths;
	size_t n_paths;
	uint64_t capabilities; /* kept: 1 << CAP_NET_ADMIN; must be held already */
	uint32_t files_max;    /* descriptors open at once */
	bool explain;          /* a forbidden call is named in the log, then ends the process */
};

/* Closes the cage around the calling process, which has one thread. Logs what this kernel does not
 * offer (Landlock). After a failure the process is half caged and must end. LK_R_CAGE. */
LK_RESULT lk_cage_enter(const struct lk_cage_rules *rules, struct lk_err *e);
