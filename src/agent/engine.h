/* SPDX-License-Identifier: Apache-2.0
 *
 * One attempt to onboard with one registrar, sans-I/O: the pledge's machine
 * (proto/pledge.h) over TLS and HTTP. The owner has a TCP connection for it and
 * moves bytes; include/latchkey/agent.h is this for firmware.
 *
 *	while ((what = lk_engine_next(g, now, now_ms)) != LK_ENGINE_END)
 *		LK_ENGINE_CONNECT	make a new TCP connection; then lk_engine_connected()
 *		LK_ENGINE_CLOSE		close it
 *		LK_ENGINE_WAIT		send lk_engine_output(), receive into lk_engine_feed(),
 *					at lk_engine_deadline() call again
 *
 * It never connects to anything but what its owner connects it to, and sends no
 * name: the registrar is known by its address until the voucher says more.
 */
#pragma once

#include "proto/pledge.h"

struct lk_engine; /* opaque */

enum lk_engine_do { LK_ENGINE_CONNECT, LK_ENGINE_CLOSE, LK_ENGINE_WAIT, LK_ENGINE_END };

/* host: "[fe80::1]:8443", of the Host field. Everything in settings is borrowed for its life, but
 * for `libraries`, which the engine says itself. Caller frees. */
LK_RESULT lk_engine_new(const struct lk_pledge_settings *settings, const char *host,
	struct lk_engine **ret, struct lk_err *e);
struct lk_engine *lk_engine_free(struct lk_engine *g);
LK_DEFINE_CLEANUP(struct lk_engine *, lk_engine_free);

/* now: Unix seconds; now_ms: monotonic. */
enum lk_engine_do lk_engine_next(struct lk_engine *g, int64_t now, int64_t now_ms);
/* Monotonic milliseconds; INT64_MAX: none. */
int64_t lk_engine_deadline(const struct lk_engine *g);

/* The connection asked for by LK_ENGINE_CONNECT is there. */
void lk_engine_connected(struct lk_engine *g, int64_t now_ms);
void lk_engine_feed(struct lk_engine *g, struct lk_slice in, int64_t now, int64_t now_ms);
struct lk_slice lk_engine_output(struct lk_engine *g); /* borrowed until the next call */
void lk_engine_sent(struct lk_engine *g, size_t n);
/* The connection could not be made (why says so), or ended (why is NULL). */
void lk_engine_closed(struct lk_engine *g, const struct lk_err *why, int64_t now, int64_t now_ms);

/* Its state, its error, what it came away with. Borrowed. */
const struct lk_pledge *lk_engine_pledge(const struct lk_engine *g);
