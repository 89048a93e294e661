/* SPDX-License-Identifier: Apache-2.0
 *
 * Drives the pledge's machine: each action of it becomes a connection, a request
 * or a deadline, and what comes back becomes its events.
 */
#include "agent/engine.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/channel.h"
#include "artefact/telemetry.h"
#include "base/number.h"

/* All timers of this machine, in milliseconds. */
#define PROGRESS_MS 5000  /* RFC 8995 5.1: a connection without progress is dropped after 5 s */
#define ANSWER_MS   30000 /* a registrar that needs longer has 202 to say so */

enum phase {
	PH_IDLE,       /* the pledge says what is next */
	PH_CONNECTING, /* waits for the owner's connection */
	PH_HANDSHAKE,
	PH_OPEN,   /* nothing is outstanding on the connection */
	PH_ANSWER, /* a request was sent */
	PH_PAUSE   /* the pledge waits; the connection stays */
};

struct lk_engine {
	struct lk_pledge *pledge;
	struct lk_pledge_settings set;
	char host[128];
	char libraries[LK_TELEMETRY_LIBRARIES_MAX];
	enum phase phase;
	bool close_first; /* the connection there was is to be closed */
	bool wants_ldevid;
	int64_t now; /* of the last call, for judging servers */
	int64_t deadline_ms;
	struct lk_channel *channel;
};

static void
enter(struct lk_engine *g, enum phase phase, int64_t deadline_ms)
{
	g->phase = phase;
	g->deadline_ms = deadline_ms;
}

static void
lose(struct lk_engine *g, const struct lk_err *why)
{
	g->channel = lk_channel_free(g->channel);
	g->close_first = g->phase != PH_IDLE;
	enter(g, PH_IDLE, INT64_MAX);
	lk_pledge_lost(g->pledge, why);
}

/*= RFC8995 5.1: the first connection is provisional, any server certificate is taken =*/
static struct lk_result
judge(void *ctx, const struct lk_certs *server, struct lk_err *e)
{
	struct lk_engine *g = ctx;

	if (!g->wants_ldevid)
		return LK_OK;
	return lk_pledge_check_server(g->pledge, server, g->now, e);
}

static struct lk_result
open_channel(struct lk_engine *g, struct lk_err *e)
{
	struct lk_channel_settings s = { .host = g->host, .judge = judge, .ctx = g };

	if (g->wants_ldevid) {
		lk_pledge_ldevid(g->pledge, &s.own_key, &s.own, &s.own_chain);
	} else {
		s.own_key = g->set.idevid_key;
		s.own = g->set.idevid->v[0];
		s.own_chain = g->set.idevid;
	}
	return lk_channel_new(&s, &g->channel, e);
}

static void
ask(struct lk_engine *g, const struct lk_pledge_action *a, int64_t now_ms)
{
	struct lk_http1_request r = { .method = a->method,
		.target = a->path,
		.content_type = a->body.n ? a->content_type : NULL,
		.accept = a->accept,
		.body = a->body };
	struct lk_err e = { 0 };

	if (!g->channel) {
		lk_err_set(&e, LK_R_AGENT_CONNECT, "the connection to %s is gone", g->host);
		lose(g, &e);
	} else if (!lk_channel_request(g->channel, &r, &e).ok) {
		lose(g, &e);
	} else {
		enter(g, PH_ANSWER, now_ms + ANSWER_MS);
	}
}

static void
begin(struct lk_engine *g, bool with_ldevid, int64_t now_ms)
{
	g->close_first = g->channel != NULL;
	g->channel = lk_channel_free(g->channel);
	g->wants_ldevid = with_ldevid;
	enter(g, PH_CONNECTING, now_ms + PROGRESS_MS);
}

/* The deadline of what was under way is over. */
static void
expire(struct lk_engine *g)
{
	struct lk_err e = { 0 };

	if (g->phase == PH_PAUSE) {
		enter(g, PH_OPEN, INT64_MAX);
		lk_pledge_elapsed(g->pledge);
		return;
	}
	lk_err_set(&e, LK_R_AGENT_SILENT, "%s made no progress in %d s", g->host,
		(g->phase == PH_ANSWER ? ANSWER_MS : PROGRESS_MS) / 1000);
	lose(g, &e);
}

enum lk_engine_do
lk_engine_next(struct lk_engine *g, int64_t now, int64_t now_ms)
{
	struct lk_pledge_action a;

	g->now = now;
	if (now_ms >= g->deadline_ms)
		expire(g);
	for (;;) {
		if (g->close_first) {
			g->close_first = false;
			return LK_ENGINE_CLOSE;
		}
		if (g->phase == PH_CONNECTING)
			return g->channel ? LK_ENGINE_WAIT : LK_ENGINE_CONNECT;
		if (g->phase != PH_IDLE && g->phase != PH_OPEN)
			return LK_ENGINE_WAIT;
		lk_pledge_next(g->pledge, now, now_ms, &a);
		switch (a.what) {
		case LK_DO_CONNECT_IDEVID:
		case LK_DO_CONNECT_LDEVID:
			begin(g, a.what == LK_DO_CONNECT_LDEVID, now_ms);
			break;
		case LK_DO_REQUEST:
			ask(g, &a, now_ms);
			break;
		case LK_DO_WAIT:
			enter(g, PH_PAUSE, a.until_ms);
			break;
		case LK_DO_NOTHING:
			return LK_ENGINE_WAIT;
		case LK_DO_END:
			if (g->phase == PH_IDLE)
				return LK_ENGINE_END;
			g->channel = lk_channel_free(g->channel);
			g->close_first = true;
			enter(g, PH_IDLE, INT64_MAX);
			break;
		}
	}
}

int64_t
lk_engine_deadline(const struct lk_engine *g)
{
	return g->deadline_ms;
}

void
lk_engine_connected(struct lk_engine *g, int64_t now_ms)
{
	struct lk_err e = { 0 };

	if (g->phase != PH_CONNECTING)
		return;
	enter(g, PH_HANDSHAKE, now_ms + PROGRESS_MS);
	if (!open_channel(g, &e).ok)
		lose(g, &e);
}

static void
handshaken(struct lk_engine *g)
{
	uint8_t binding[LK_TLS_BINDING_MAX];
	struct lk_err e = { 0 };
	size_t n;

	if (!lk_channel_binding(g->channel, binding, &n, &e).ok) {
		lose(g, &e);
		return;
	}
	enter(g, PH_OPEN, INT64_MAX);
	lk_pledge_connected(g->pledge, lk_channel_server(g->channel), lk_slice(binding, n));
}

static void
answered(struct lk_engine *g, const struct lk_http1 *h, int64_t now, int64_t now_ms)
{
	const char *when = lk_http1_field(h, "Retry-After");
	/* A date, which a device without a clock cannot use: as late as the pledge has it at all.
	 */
	uint32_t retry_after = when[0] ? UINT32_MAX : 0;

	lk_ignore(
		lk_parse_u32(lk_slice_str(when), "Retry-After", 0, UINT32_MAX, &retry_after, NULL));
	enter(g, PH_OPEN, INT64_MAX);
	lk_pledge_response(g->pledge, h->status, lk_http1_field(h, "Content-Type"), retry_after,
		lk_buf_slice(&h->body), now, now_ms);
}

void
lk_engine_feed(struct lk_engine *g, struct lk_slice in, int64_t now, int64_t now_ms)
{
	const struct lk_http1 *h;
	struct lk_err e = { 0 };

	g->now = now;
	if (!g->channel)
		return;
	if (!lk_channel_feed(g->channel, in, &e).ok) {
		lose(g, &e);
		return;
	}
	if (g->phase == PH_HANDSHAKE && lk_channel_is_up(g->channel))
		handshaken(g);
	else if (g->phase == PH_ANSWER && (h = lk_channel_response(g->channel)))
		answered(g, h, now, now_ms);
}

struct lk_slice
lk_engine_output(struct lk_engine *g)
{
	return g->channel ? lk_channel_output(g->channel) : lk_slice(NULL, 0);
}

void
lk_engine_sent(struct lk_engine *g, size_t n)
{
	if (g->channel)
		lk_channel_sent(g->channel, n);
}

void
lk_engine_closed(struct lk_engine *g, const struct lk_err *why, int64_t now, int64_t now_ms)
{
	const struct lk_http1 *h;
	struct lk_err e = { 0 };

	if (g->phase == PH_ANSWER && lk_channel_eof(g->channel, &e).ok &&
		(h = lk_channel_response(g->channel)))
		answered(g, h, now, now_ms);
	if (!why) {
		lk_err_set(&e, LK_R_AGENT_CONNECT, "%s closed the connection", g->host);
		why = &e;
	}
	lose(g, why);
	g->close_first = false;
}

const struct lk_pledge *
lk_engine_pledge(const struct lk_engine *g)
{
	return g->pledge;
}

struct lk_result
lk_engine_new(const struct lk_pledge_settings *settings, const char *host, struct lk_engine **ret,
	struct lk_err *e)
{
	LK_CLEANUP(lk_engine_freep) struct lk_engine *g = calloc(1, sizeof *g);

	LK_REQUIRE(g, e, LK_R_NOMEM, "no memory for an attempt");
	g->set = *settings;
	snprintf(g->libraries, sizeof g->libraries, "Latchkey " LK_VERSION ", %s, jansson %s",
		OpenSSL_version(OPENSSL_VERSION), jansson_version_str());
	g->set.libraries = g->libraries;
	LK_TRY(lk_slice_to_str(lk_slice_str(host), "host", g->host, sizeof g->host, e));
	LK_TRY(lk_pledge_new(&g->set, &g->pledge, e));
	enter(g, PH_IDLE, INT64_MAX);
	*ret = LK_TAKE(g);
	return LK_OK;
}

struct lk_engine *
lk_engine_free(struct lk_engine *g)
{
	if (!g)
		return NULL;
	lk_channel_free(g->channel);
	lk_pledge_free(g->pledge);
	free(g);
	return NULL;
}
