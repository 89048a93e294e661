/* SPDX-License-Identifier: Apache-2.0
 *
 * A program's configuration as a table of keys: sections and `key = value`
 * lines. What is not in the table is an error that names file, line and the
 * nearest known key. The same table prints the defaults and the option list of
 * the manual, so that neither can be out of date.
 *
 * Files are read in this order: the main file, then *.conf of FILE.d by
 * name. A later file overrides an earlier one; the same key twice in one file is
 * an error. Then the command line. A line has at most 198 bytes; one that starts
 * with a blank continues the value before it, with nothing put between.
 *
 * Values land in the program's own struct, whose first member is struct
 * lk_config_common:
 *
 *	struct noc_config {
 *		struct lk_config_common common;
 *		char listen[LK_CONFIG_TEXT_MAX];
 *		uint32_t fronts;
 *	};
 *	static const struct lk_config_key keys[] = {
 *		LK_CONFIG_COMMON("/var/lib/latchkey/noc"),
 *		LK_CONFIG_TEXT(struct noc_config, listen, "front", "listen", "[::]:8443", "…"),
 *		LK_CONFIG_U32(struct noc_config, fronts, "front", "processes", "2", 1, 64, "…"),
 *	};
 */
#pragma once

#include <limits.h>

#include "base/slice.h"
#include "crypto/policy.h"

#define LK_CONFIG_TEXT_MAX  512  /* of most texts, with the NUL */
#define LK_CONFIG_VALUE_MAX 4096 /* of any value, with the NUL */

enum lk_config_type {
	LK_CONFIG_TYPE_TEXT,     /* char[n]: up to n - 1 bytes */
	LK_CONFIG_TYPE_U32,      /* uint32_t */
	LK_CONFIG_TYPE_DURATION, /* int64_t: seconds, written 90, 90s, 15m, 4h, 30d */
	LK_CONFIG_TYPE_BOOL,     /* bool: yes or no */
	LK_CONFIG_TYPE_CHOICE    /* unsigned: the index of one of the choices */
};

struct lk_config_key {
	const char *section, *key;
	enum lk_config_type type;
	size_t offset, size;        /* of the field in the program's struct */
	const char *fallback;       /* the default, as it would be written */
	uint64_t min, max;          /* of numbers and durations */
	const char *const *choices; /* ended by NULL */
	const char *help;           /* one sentence or more for the manual */
};

/* Refuses at compile time a field of another type than the row says. */
#define LK_CONFIG_FIELD(s, f, t)                                                                   \
	.offset = offsetof(s, f) +                                                                 \
		  0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((s *)0)->f), t) ? 1     \
											   : -1]), \
	.size = sizeof(((s *)0)->f)

#define LK_CONFIG_TEXT(s, f, sec, k, dflt, h)                                                 \
	{                                                                                     \
		.section = sec, .key = k, .type = LK_CONFIG_TYPE_TEXT,                        \
		LK_CONFIG_FIELD(s, f, char[sizeof(((s *)0)->f)]), .fallback = dflt, .help = h \
	}
#define LK_CONFIG_U32(s, f, sec, k, dflt, lo, hi, h)                                               \
	{                                                                                          \
		.section = sec, .key = k, .type = LK_CONFIG_TYPE_U32,                              \
		LK_CONFIG_FIELD(s, f, uint32_t), .fallback = dflt, .min = lo, .max = hi, .help = h \
	}
#define LK_CONFIG_DURATION(s, f, sec, k, dflt, lo, hi, h)                                         \
	{                                                                                         \
		.section = sec, .key = k, .type = LK_CONFIG_TYPE_DURATION,                        \
		LK_CONFIG_FIELD(s, f, int64_t), .fallback = dflt, .min = lo, .max = hi, .help = h \
	}
#define LK_CONFIG_BOOL(s, f, sec, k, dflt, h)                            \
	{                                                                \
		.section = sec, .key = k, .type = LK_CONFIG_TYPE_BOOL,   \
		LK_CONFIG_FIELD(s, f, bool), .fallback = dflt, .help = h \
	}
#define LK_CONFIG_CHOICE(s, f, sec, k, dflt, names, h)                                         \
	{                                                                                      \
		.section = sec, .key = k, .type = LK_CONFIG_TYPE_CHOICE,                       \
		LK_CONFIG_FIELD(s, f, unsigned), .fallback = dflt, .choices = names, .help = h \
	}

/* What every program has; the first member of its struct. */
struct lk_config_common {
	char state_dir[PATH_MAX / 4];
	char runtime_dir[PATH_MAX / 4];
	unsigned log_level;  /* enum lk_log_level */
	unsigned log_format; /* enum lk_log_format */
	uint32_t uid_base;   /* 0: none */
	bool cage_explain;
	unsigned crypto_policy; /* place in lk_policy_names */
};

extern const char *const lk_config_log_levels[], *const lk_config_log_formats[];

#define LK_CONFIG_COMMON(state)                                                                   \
	LK_CONFIG_TEXT(struct lk_config_common, state_dir, "paths", "state_dir", state,           \
		"The folder of what must survive a restart; each role has its own below it."),    \
		LK_CONFIG_TEXT(struct lk_config_common, runtime_dir, "paths", "runtime_dir",      \
			"/run/latchkey", "The folder of Unix sockets."),                          \
		LK_CONFIG_CHOICE(struct lk_config_common, log_level, "log", "level", "info",      \
			lk_config_log_levels, "The least level that is logged."),                 \
		LK_CONFIG_CHOICE(struct lk_config_common, log_format, "log", "format", "text",    \
			lk_config_log_formats, "The form of a log line."),                        \
		LK_CONFIG_U32(struct lk_config_common, uid_base, "process", "uid_base", "0", 0,   \
			UINT32_MAX - 64,                                                          \
			"Where the users latchkey-ROLE do not exist and the program is started "  \
			"as root: "                                                               \
			"role number N runs as user and group uid_base + N. 0: as the starting "  \
			"user."),                                                                 \
		LK_CONFIG_BOOL(struct lk_config_common, cage_explain, "process", "cage_explain",  \
			"no",                                                                     \
			"A role that makes a forbidden system call ends with its name in the "    \
			"log. For "                                                               \
			"finding a fault; otherwise the kernel ends it at once, without words."), \
		LK_CONFIG_CHOICE(struct lk_config_common, crypto_policy, "crypto", "policy",      \
			"nist", lk_policy_names,                                                  \
			"Which algorithms are used and taken; latchkey crypto show prints them.")

struct lk_config_spec {
	const char *program;
	const char *file; /* the default main file */
	const struct lk_config_key *keys;
	size_t n_keys;
	size_t size; /* of the program's struct */
	/* Rules that a row cannot state; NULL: there are none. */
	struct lk_result (*check)(const void *values, struct lk_err *e);
};

/* All defaults. Also the proof that they are in range: tests call it for every table. */
LK_RESULT lk_config_defaults(const struct lk_config_spec *spec, void *values, struct lk_err *e);
/* Overrides from a text; `name` is the file's in messages. values is untouched on failure. */
LK_RESULT lk_config_parse(const struct lk_config_spec *spec, const char *name, struct lk_slice text,
	void *values, struct lk_err *e);
/* Overrides from a main file and its FILE.d. values is untouched on failure. */
LK_RESULT lk_config_read(
	const struct lk_config_spec *spec, const char *file, void *values, struct lk_err *e);
/* The values as a file with comments: --print-defaults. */
LK_RESULT lk_config_print(const struct lk_config_spec *spec, const void *values, struct lk_buf *out,
	struct lk_err *e);
/* The option list of the manual page in man(7) markup. */
LK_RESULT lk_config_describe(
	const struct lk_config_spec *spec, struct lk_buf *out, struct lk_err *e);

/* From the supervisor to its roles: every value, so that a role that is started anew has what the
 * others have, whatever happened to the files meanwhile. */
LK_RESULT lk_config_pack(const struct lk_config_spec *spec, const void *values, struct lk_buf *out,
	struct lk_err *e);
LK_RESULT lk_config_unpack(
	const struct lk_config_spec *spec, struct lk_slice in, void *values, struct lk_err *e);

/* --- the command line of a daemon ------------------------------------------------------------- */
enum lk_config_mode {
	LK_CONFIG_RUN,
	LK_CONFIG_CHECK, /* --check-config */
	LK_CONFIG_PRINT, /* --print-defaults */
	LK_CONFIG_HELP,
	LK_CONFIG_VERSION
};

struct lk_config_args {
	enum lk_config_mode mode;
	const char *file;        /* --config; NULL: the default, which may be missing */
	const char *state_dir;   /* --state-dir; NULL: the file's */
	const char *runtime_dir; /* --runtime-dir */
	bool accept_rollback;    /* --accept-rollback: of this start only, so no key of the file */
	const char *role;        /* --role, of a process that the supervisor started; else NULL */
	uint32_t index;          /* --index */
};

/* Refuses with LK_R_USAGE. Strings are borrowed from argv. */
LK_RESULT lk_config_args(
	int argc, char *const argv[], struct lk_config_args *ret, struct lk_err *e);
/* Defaults, files, command line: what the program runs with. */
LK_RESULT lk_config_load(const struct lk_config_spec *spec, const struct lk_config_args *args,
	void *values, struct lk_err *e);
