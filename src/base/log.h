/* SPDX-License-Identifier: Apache-2.0
 *
 * The log of a program: one line an event on standard error,
 *
 *	2026-11-23T20:15:00Z notice keeper voucher-serial-mismatch device=… peer=… msg="…"
 *clause="RFC 8995 5.6.1"
 *
 * or one JSON object. Only programs log; libraries return. Nothing secret is
 * ever passed here. Values are escaped, so that foreign bytes cannot forge a line.
 */
#pragma once

#include "base/time.h"

enum lk_log_format { LK_LOG_TEXT, LK_LOG_JSON };

/* role: borrowed for the life of the process. */
void lk_log_setup(const char *role, enum lk_log_level least, enum lk_log_format format,
	const struct lk_clock *clock);

/* `what` is a symbol ("listening"); then pairs of const char * key, value, ended by NULL.
 * A pair whose value is NULL is left out. */
void lk_log(enum lk_log_level level, const char *what, ...) __attribute__((sentinel));
/* A failure: symbol, clause, message and level come from the reason. */
void lk_log_err(const struct lk_err *e, ...) __attribute__((sentinel));
/* A failure that ends this process: an error whatever its reason, with what helps. */
void lk_log_fatal(const struct lk_err *e);

const char *lk_log_level_name(enum lk_log_level level);
