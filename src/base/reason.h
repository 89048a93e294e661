/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry of reasons: everything Latchkey can refuse or fail with, in one
 * table (base/reason.def). Wire errors, API, CLI, console, agent log and the
 * documentation all print from it, and nothing else decides on a status.
 */
#pragma once

/* What kind of failure it is; this alone decides behaviour. */
enum lk_category {
	LK_CAT_NONE,     /* not a failure */
	LK_CAT_SYNTAX,   /* the bytes are not of the form that the clause asks for */
	LK_CAT_POLICY,   /* well-formed, and refused by a rule */
	LK_CAT_CRYPTO,   /* a signature, chain or algorithm does not hold */
	LK_CAT_USAGE,    /* the operator's words are off */
	LK_CAT_NOTFOUND, /* what was named does not exist */
	LK_CAT_DENIED,   /* the asker may not do this */
	LK_CAT_PEER,     /* the other side broke the protocol or is not there */
	LK_CAT_AGAIN,    /* not now; the same request may succeed later */
	LK_CAT_IO,       /* this machine: files, store, kernel */
	LK_CAT_NOMEM,
	LK_CAT_BUG, /* a programmer's contract was broken */
	LK_CAT_COUNT
};

enum lk_log_level { LK_LOG_DEBUG, LK_LOG_INFO, LK_LOG_NOTICE, LK_LOG_WARNING, LK_LOG_ERROR };

/* What follows from a category, in one place. */
struct lk_category_info {
	const char *name;
	int http_status; /* where the reason does not say otherwise */
	int exit_code;   /* of the command line programs */
	enum lk_log_level level;
};

/* The rule that refused. */
struct lk_clause {
	const char *document; /* "RFC 8995", or "Latchkey" for a rule of our own */
	const char *section;  /* "5.6.1" */
};

enum lk_reason {
#define LK_REASON(name, symbol, category, http, document, section, sentence, cure) LK_R_##name,
#include "base/reason.def"
#undef LK_REASON
	LK_R_COUNT
};

struct lk_reason_info {
	const char *symbol; /* "voucher-serial-mismatch": stable, for machines and searches */
	enum lk_category category;
	int http_status; /* what a registrar or MASA answers with; 0: the category's */
	struct lk_clause clause;
	const char *sentence; /* what happened */
	const char *cure;     /* what the reader can do */
};

const struct lk_reason_info *lk_reason_info(enum lk_reason reason); /* never NULL */
const struct lk_category_info *lk_category_info(enum lk_category category);
int lk_reason_http_status(enum lk_reason reason);
int lk_reason_exit_code(enum lk_reason reason);
enum lk_reason lk_reason_by_symbol(const char *symbol); /* LK_R_COUNT when there is none */
