/* SPDX-License-Identifier: Apache-2.0
 *
 * include/latchkey/agent.h: the engine behind plain C types.
 */
#include "latchkey/agent.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/engine.h"

#define CA_MAX (128 * 1024) /* octets of PEM: more than the answer that brought them */
#define PUBLIC __attribute__((visibility("default")))

struct latchkey_agent {
	struct lk_certs idevid;
	struct lk_key *idevid_key;
	struct lk_anchors *manufacturer;
	char *ldevid_key; /* URI */
	char address[64];
	uint16_t port;
	struct lk_engine *engine;
	struct lk_buf ca; /* PEM, of what it came away with */
};
LK_DEFINE_CLEANUP(struct latchkey_agent *, latchkey_agent_free);

static struct lk_result
new_key(void *ctx, struct lk_key **ret, struct lk_err *e)
{
	const struct latchkey_agent *a = ctx;

	/* What an attempt before this one left was never certified. */
	LK_TRY(lk_key_destroy(a->ldevid_key, e));
	return lk_key_generate(a->ldevid_key, LK_KEY_P256, ret, e);
}

static struct lk_result
fill(struct latchkey_agent *a, const struct latchkey_settings *s, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs anchors = { .n = 0 };
	struct lk_pledge_settings p = { .times =
						s->trusted_clock ? LK_TIMES_CHECK : LK_TIMES_IGNORE,
		.accept_nonceless = true,
		.accept_assertions = (1u << LK_ASSERTION_COUNT) - 1,
		.random = &lk_random_system,
		.new_key = new_key,
		.ctx = a };
	char host[sizeof a->address + 10];

	LK_REQUIRE(
		s->idevid && s->idevid_key && s->anchors && s->ldevid_key && s->address && s->port,
		e, LK_R_USAGE, "a setting is missing");
	LK_TRY(lk_certs_parse_any(lk_slice_str(s->idevid), &a->idevid, e));
	LK_TRY(lk_key_load(s->idevid_key, &a->idevid_key, e));
	LK_TRY(lk_certs_parse_any(lk_slice_str(s->anchors), &anchors, e));
	LK_TRY(lk_anchors_new(&anchors, &a->manufacturer, e));
	LK_TRY(lk_slice_to_str(
		lk_slice_str(s->address), "address", a->address, sizeof a->address, e));
	a->port = s->port;
	a->ldevid_key = strdup(s->ldevid_key);
	LK_REQUIRE(a->ldevid_key, e, LK_R_NOMEM, "no memory for settings");
	p.idevid = &a->idevid;
	p.idevid_key = a->idevid_key;
	p.manufacturer = a->manufacturer;
	snprintf(host, sizeof host, strchr(a->address, ':') ? "[%s]:%u" : "%s:%u", a->address,
		(unsigned)a->port);
	return lk_engine_new(&p, host, &a->engine, e);
}

PUBLIC struct latchkey_agent *
latchkey_agent_new(const struct latchkey_settings *settings, const char **ret_reason)
{
	LK_CLEANUP(latchkey_agent_freep) struct latchkey_agent *a = calloc(1, sizeof *a);
	struct lk_err e = { .reason = LK_R_NOMEM };

	if (a && fill(a, settings, &e).ok)
		return LK_TAKE(a);
	*ret_reason = lk_reason_info(e.reason)->symbol;
	return NULL;
}

PUBLIC void
latchkey_agent_free(struct latchkey_agent *a)
{
	if (!a)
		return;
	lk_engine_free(a->engine);
	lk_certs_done(&a->idevid);
	lk_key_free(a->idevid_key);
	lk_anchors_free(a->manufacturer);
	free(a->ldevid_key);
	lk_buf_done(&a->ca);
	free(a);
}

PUBLIC enum latchkey_do
latchkey_agent_next(struct latchkey_agent *a, int64_t now, int64_t now_ms)
{
	static const enum latchkey_do names[] = {
		[LK_ENGINE_CONNECT] = LATCHKEY_CONNECT,
		[LK_ENGINE_CLOSE] = LATCHKEY_CLOSE,
		[LK_ENGINE_WAIT] = LATCHKEY_WAIT,
		[LK_ENGINE_END] = LATCHKEY_DONE,
	};

	return names[lk_engine_next(a->engine, now, now_ms)];
}

PUBLIC void
latchkey_agent_place(const struct latchkey_agent *a, const char **address, uint16_t *port)
{
	*address = a->address;
	*port = a->port;
}

PUBLIC int64_t
latchkey_agent_deadline(const struct latchkey_agent *a)
{
	return lk_engine_deadline(a->engine);
}

PUBLIC void
latchkey_agent_connected(struct latchkey_agent *a, int64_t now_ms)
{
	lk_engine_connected(a->engine, now_ms);
}

PUBLIC void
latchkey_agent_closed(struct latchkey_agent *a, int64_t now, int64_t now_ms)
{
	lk_engine_closed(a->engine, NULL, now, now_ms);
}

PUBLIC void
latchkey_agent_feed(struct latchkey_agent *a, const void *p, size_t n, int64_t now, int64_t now_ms)
{
	lk_engine_feed(a->engine, lk_slice(p, n), now, now_ms);
}

static struct latchkey_bytes
bytes(struct lk_slice s)
{
	return (struct latchkey_bytes){ s.p, s.n };
}

PUBLIC struct latchkey_bytes
latchkey_agent_output(struct latchkey_agent *a)
{
	return bytes(lk_engine_output(a->engine));
}

PUBLIC void
latchkey_agent_sent(struct latchkey_agent *a, size_t n)
{
	lk_engine_sent(a->engine, n);
}

PUBLIC bool
latchkey_agent_credentials(struct latchkey_agent *a, struct latchkey_credentials *ret)
{
	struct lk_pledge_credentials got;
	size_t i;

	if (!lk_pledge_credentials(lk_engine_pledge(a->engine), &got, NULL).ok)
		return false;
	lk_buf_done(&a->ca);
	a->ca = LK_BUF_INIT(CA_MAX);
	for (i = 0; i < got.ca->n; i++)
		if (!lk_cert_print_pem(got.ca->v[i], &a->ca, NULL).ok)
			return false;
	*ret = (struct latchkey_credentials){ bytes(lk_cert_der(got.ldevid)),
		bytes(lk_cert_der(got.pinned)), bytes(got.voucher), bytes(got.information),
		bytes(lk_buf_slice(&a->ca)) };
	return true;
}

PUBLIC const char *
latchkey_agent_reason(const struct latchkey_agent *a)
{
	return lk_reason_info(lk_pledge_error(lk_engine_pledge(a->engine))->reason)->symbol;
}
