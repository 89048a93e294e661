/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a role process, and its links. A link is dropped in one place only
 * (drop_link) and never while something is sent over it, so that handlers may
 * send whatever they like.
 */
#include "role/process.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

enum {
	CONTROL_FD = 3,
	LISTENERS_MAX = 64,
	MESSAGES_PER_TURN = 256, /* of one link, so that none starves the others */
	/* How long after a peer closed its end the supervisor may take to say that it died. */
	SUSPICION_MS = 5000
};

struct link {
	struct link *next;
	struct lk_process *process;
	struct lk_peer_ref peer;    /* id: 0 */
	struct lk_channel *channel; /* NULL: gone */
	struct lk_watch *watch;
	struct lk_timer *suspicion; /* runs while it is unknown why the peer closed */
};

struct listener {
	char name[sizeof((struct lk_listen_body *)0)->name];
	int fd;
};

enum phase {
	PHASE_WAITING, /* for `start`: listeners and links are collected */
	PHASE_SERVING,
	PHASE_STOPPING /* `shutdown` came */
};

struct lk_process_private {
	const struct lk_role_work *work;
	enum phase phase;
	int status; /* to exit with */
	struct link control;
	struct link *links;
	uint32_t last_link;
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners;
};

static void
end_failed(struct lk_process *p, const struct lk_err *e)
{
	lk_log_fatal(e);
	p->private->status = lk_reason_exit_code(e->reason);
	lk_loop_stop(p->loop);
}

void
lk_process_end(struct lk_process *p)
{
	lk_loop_stop(p->loop);
}

/* --- links ------------------------------------------------------------------------------------ */

static struct link *
find_link(const struct lk_process *p, enum lk_role role, uint32_t index)
{
	struct link *l;

	for (l = p->private->links; l; l = l->next)
		if (l->peer.role == role && l->peer.index == index)
			return l;
	return NULL;
}

static void
drop_link(struct link *l)
{
	struct lk_channel *c = LK_TAKE(l->channel);
	const struct lk_role_work *work = l->process->private->work;

	if (!c)
		return;
	lk_watch_free(LK_TAKE(l->watch));
	lk_channel_abandon(c);
	lk_channel_free(c);
	if (work->unlinked && l->process->private->phase != PHASE_WAITING)
		work->unlinked(l->process, &l->peer);
}

static void
want(struct link *l)
{
	if (l->watch)
		lk_watch_want(
			l->watch, LK_READABLE | (lk_channel_queued(l->channel) ? LK_WRITABLE : 0));
}

static void
on_suspicion(void *ctx)
{
	struct link *l = ctx;
	struct lk_err e;

	lk_err_set(&e, LK_R_IPC_DENIED, "%s %u closed the connection and lives",
		lk_role_name(l->peer.role), l->peer.index);
	end_failed(l->process, &e);
}

static void
close_offender(struct link *l, const struct lk_err *e)
{
	lk_log_err(e, "peer", lk_role_name(l->peer.role), NULL);
	drop_link(l);
}

/* --- dispatch --------------------------------------------------------------------------------- */

static lk_message_handler *
find_handler(const struct lk_role_work *work, enum lk_body type, enum lk_role from)
{
	size_t i;

	for (i = 0; i < work->n_routes; i++)
		if (work->routes[i].type == type && work->routes[i].from == from)
			return work->routes[i].handler;
	return NULL;
}

static bool
is_offence(enum lk_reason reason)
{
	enum lk_category c = lk_reason_info(reason)->category;

	return c == LK_CAT_PEER || c == LK_CAT_DENIED;
}

static struct lk_result
dispatch(struct link *l, struct lk_message *m, struct lk_err *e)
{
	struct lk_process *p = l->process;
	lk_message_handler *handler = find_handler(p->private->work, m->type, l->peer.role);
	struct lk_peer_ref from = l->peer;
	struct lk_err why = { .reason = LK_R_NONE };

	from.id = m->id;
	LK_REQUIRE(handler, e, LK_R_IPC_DENIED, "%s takes no %s of %s", lk_role_name(p->role),
		lk_body_name(m->type), lk_role_name(l->peer.role));
	if (handler(p, &from, m, &why).ok)
		return LK_OK;
	LK_REQUIRE(!is_offence(why.reason), e, why.reason, "%s", why.msg);
	lk_log_err(&why, "peer", lk_role_name(l->peer.role), NULL);
	if (m->id)
		lk_ignore(lk_process_refuse(p, &from, &why, NULL));
	return LK_OK;
}

typedef struct lk_result message_fn(struct link *l, struct lk_message *m, struct lk_err *e);

/* What is there, up to a turn's share. *ret_open is false when the peer is gone. A link that was
 * dropped by its own message ends it too. */
static struct lk_result
pump(struct link *l, message_fn *take, bool *ret_open, struct lk_err *e)
{
	enum lk_received what = LK_RECEIVED_MESSAGE;
	unsigned i;

	*ret_open = true;
	for (i = 0; i < MESSAGES_PER_TURN && l->channel && what != LK_RECEIVED_NOTHING; i++) {
		LK_CLEANUP(lk_message_done) struct lk_message m = LK_MESSAGE_INIT;

		LK_TRY(lk_channel_receive(l->channel, &m, &what, e));
		if (what == LK_RECEIVED_MESSAGE)
			LK_TRY(take(l, &m, e));
		*ret_open = what != LK_RECEIVED_END;
		if (!*ret_open)
			break;
	}
	return LK_OK;
}

static struct lk_result
drain(struct link *l, struct lk_err *e)
{
	const struct lk_role_work *work = l->process->private->work;
	size_t before = lk_channel_queued(l->channel);

	LK_TRY(lk_channel_flush(l->channel, e));
	if (before && !lk_channel_queued(l->channel) && work->drained && l->peer.link)
		work->drained(l->process, &l->peer);
	return LK_OK;
}

static void
on_link(void *ctx, unsigned ready)
{
	struct link *l = ctx;
	struct lk_err e = { .reason = LK_R_NONE };
	bool open = true;

	/* A peer that died is told by the end of what it sent, which comes behind its last words.
	 */
	if (ready & LK_WRITABLE && !drain(l, &e).ok && e.reason != LK_R_IPC_GONE) {
		close_offender(l, &e);
		return;
	}
	if (!pump(l, dispatch, &open, &e).ok) {
		close_offender(l, &e);
		return;
	}
	if (!open) {
		drop_link(l);
		lk_timer_at(l->suspicion, lk_loop_now_ms(l->process->loop) + SUSPICION_MS);
	}
	want(l);
}

static struct lk_result
watch_link(struct link *l, struct lk_err *e)
{
	struct lk_process *p = l->process;

	LK_TRY(lk_watch_new(
		p->loop, lk_channel_fd(l->channel), LK_READABLE, on_link, l, &l->watch, e));
	want(l);
	if (p->private->work->linked)
		p->private->work->linked(p, &l->peer);
	return LK_OK;
}

static struct lk_result
new_link(struct lk_process *p, enum lk_role role, uint32_t index, struct link **ret,
	struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct link *l = calloc(1, sizeof *l);

	LK_REQUIRE(l, e, LK_R_NOMEM, "no memory for a link");
	l->process = p;
	l->peer = (struct lk_peer_ref){ .role = role, .index = index };
	LK_TRY(lk_timer_new(p->loop, on_suspicion, l, &l->suspicion, e));
	l->next = p->private->links;
	p->private->links = l;
	*ret = LK_TAKE(l);
	return LK_OK;
}

/* --- what the supervisor says ----------------------------------------------------------------- */

static struct lk_result
take_listen(struct lk_process *p, struct lk_message *m, struct lk_err *e)
{
	struct lk_process_private *priv = p->private;
	struct lk_listen_body body;
	struct listener *l;

	LK_TRY(lk_body_unpack(LK_BODY_listen, m->body, &body, e));
	LK_REQUIRE(priv->n_listeners < LISTENERS_MAX, e, LK_R_IPC_MALFORMED,
		"there are more than %d listeners", LISTENERS_MAX);
	l = &priv->listeners[priv->n_listeners++];
	memcpy(l->name, body.name, sizeof l->name);
	l->fd = m->fd;
	m->fd = -1;
	return LK_OK;
}

static struct lk_result
peer_of(int64_t role, int64_t index, struct lk_peer_ref *ret, struct lk_err *e)
{
	LK_REQUIRE(role > LK_ROLE_SUPERVISOR && role < LK_ROLE_COUNT && index >= 0 &&
			   index <= UINT16_MAX,
		e, LK_R_IPC_MALFORMED, "there is no role %lld, process %lld", (long long)role,
		(long long)index);
	*ret = (struct lk_peer_ref){ .role = (enum lk_role)role, .index = (uint32_t)index };
	return LK_OK;
}

static struct lk_result
take_link(struct lk_process *p, struct lk_message *m, struct lk_err *e)
{
	struct lk_link_body body;
	struct lk_peer_ref peer;
	struct link *l;

	LK_TRY(lk_body_unpack(LK_BODY_link, m->body, &body, e));
	LK_TRY(peer_of(body.role, body.index, &peer, e));
	l = find_link(p, peer.role, peer.index);
	if (!l)
		LK_TRY(new_link(p, peer.role, peer.index, &l, e));
	lk_timer_off(l->suspicion);
	drop_link(l);
	LK_TRY(lk_channel_new(m->fd, p->role, peer.role, &l->channel, e));
	m->fd = -1;
	l->peer.link = ++p->private->last_link;
	return p->private->phase == PHASE_WAITING ? LK_OK : watch_link(l, e);
}

static struct lk_result
take_unlink(struct lk_process *p, struct lk_message *m, struct lk_err *e)
{
	struct lk_unlink_body body;
	struct lk_peer_ref peer;
	struct link *l;

	LK_TRY(lk_body_unpack(LK_BODY_unlink, m->body, &body, e));
	LK_TRY(peer_of(body.role, body.index, &peer, e));
	l = find_link(p, peer.role, peer.index);
	if (!l)
		return LK_OK;
	lk_timer_off(l->suspicion);
	drop_link(l);
	return LK_OK;
}

static struct lk_result
configure(struct lk_process *p, struct lk_slice packed, struct lk_err *e)
{
	const struct lk_config_common *common;

	LK_TRY(lk_config_unpack(p->config_spec, packed, p->config, e));
	common = p->config;
	lk_log_setup(lk_role_name(p->role), (enum lk_log_level)common->log_level,
		(enum lk_log_format)common->log_format, &lk_clock_system);
	/*= SEC-12: cryptography is configured by the choice of a policy =*/
	lk_policy_choose(common->crypto_policy);
	return lk_path_join(
		common->state_dir, lk_role_name(p->role), p->state_dir, sizeof p->state_dir, e);
}

static struct lk_result
enter_cage(struct lk_process *p, struct lk_err *e)
{
	const struct lk_config_common *common = p->config;
	struct lk_cage_rules rules = { .explain = common->cage_explain };

	if (p->private->work->cage)
		LK_TRY(p->private->work->cage(p, &rules, e));
	json_object_seed(0); /* jansson opens /dev/urandom on its first object */
	return lk_cage_enter(&rules, e);
}

static struct lk_result
take_start(struct lk_process *p, struct lk_message *m, struct lk_err *e)
{
	const struct lk_role_work *work = p->private->work;
	struct lk_start_body body;
	struct link *l;

	LK_REQUIRE(p->private->phase == PHASE_WAITING, e, LK_R_IPC_DENIED, "it has started");
	LK_TRY(lk_body_unpack(LK_BODY_start, m->body, &body, e));
	LK_TRY(configure(p, body.config, e));
	p->accept_rollback = body.accept_rollback;
	if (work->open)
		LK_TRY(work->open(p, e));
	LK_TRY(enter_cage(p, e));
	p->private->phase = PHASE_SERVING;
	if (work->start)
		LK_TRY(work->start(p, e));
	for (l = p->private->links; l; l = l->next)
		if (l->channel)
			LK_TRY(watch_link(l, e));
	return lk_channel_event(
		p->private->control.channel, LK_BODY_ready, lk_slice(NULL, 0), -1, e);
}

static struct lk_result
take_shutdown(struct lk_process *p, struct lk_message *m, struct lk_err *e)
{
	const struct lk_role_work *work = p->private->work;
	bool served = p->private->phase == PHASE_SERVING;

	(void)m;
	(void)e;
	p->private->phase = PHASE_STOPPING;
	if (work->stop && served)
		work->stop(p);
	else
		lk_process_end(p);
	return LK_OK;
}

static struct lk_result
take_ping(struct lk_process *p, struct lk_message *m, struct lk_err *e)
{
	return lk_channel_reply(
		p->private->control.channel, m->id, LK_BODY_pong, lk_slice(NULL, 0), e);
}

static struct lk_result
obey(struct link *l, struct lk_message *m, struct lk_err *e)
{
	static const struct {
		enum lk_body type;
		struct lk_result (*take)(
			struct lk_process *p, struct lk_message *m, struct lk_err *e);
	} orders[] = {
		{ LK_BODY_listen, take_listen },
		{ LK_BODY_link, take_link },
		{ LK_BODY_unlink, take_unlink },
		{ LK_BODY_start, take_start },
		{ LK_BODY_ping, take_ping },
		{ LK_BODY_shutdown, take_shutdown },
	};
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(orders); i++)
		if (orders[i].type == m->type)
			return orders[i].take(l->process, m, e);
	return lk_fail(e, LK_R_IPC_DENIED, "%s is no order", lk_body_name(m->type));
}

/* Nothing works without the supervisor: any failure here is the end. */
static void
on_control(void *ctx, unsigned ready)
{
	struct link *l = ctx;
	struct lk_err e = { .reason = LK_R_NONE };
	bool open = true;

	(void)ready;
	if (!drain(l, &e).ok || !pump(l, obey, &open, &e).ok) {
		end_failed(l->process, &e);
		return;
	}
	if (!open)
		lk_loop_stop(l->process->loop);
	want(l);
}

/* --- what roles call -------------------------------------------------------------------------- */

int
lk_process_listener(const struct lk_process *p, const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < p->private->n_listeners; i++)
		if (strcmp(p->private->listeners[i].name, name) == 0 && n-- == 0)
			return p->private->listeners[i].fd;
	return -1;
}

static struct lk_result
reach(const struct lk_process *p, enum lk_role role, uint32_t index, struct link **ret,
	struct lk_err *e)
{
	struct link *l = find_link(p, role, index);

	LK_REQUIRE(
		l && l->channel, e, LK_R_IPC_GONE, "there is no %s %u", lk_role_name(role), index);
	*ret = l;
	return LK_OK;
}

struct lk_result
lk_process_tell_packed(struct lk_process *p, enum lk_role role, uint32_t index, enum lk_body type,
	struct lk_slice packed, struct lk_err *e)
{
	struct link *l;

	LK_TRY(reach(p, role, index, &l, e));
	LK_TRY(lk_channel_event(l->channel, type, packed, -1, e));
	want(l);
	return LK_OK;
}

struct lk_result
lk_process_ask_packed(struct lk_process *p, enum lk_role role, uint32_t index, enum lk_body type,
	struct lk_slice packed, lk_reply_fn *done, void *ctx, uint64_t tag, struct lk_err *e)
{
	struct link *l;

	LK_TRY(reach(p, role, index, &l, e));
	LK_TRY(lk_channel_request(l->channel, type, packed, done, ctx, tag, e));
	want(l);
	return LK_OK;
}

/* The asker's link, or NULL when it is gone. */
static struct link *
asker(struct lk_process *p, const struct lk_peer_ref *to)
{
	struct link *l = find_link(p, to->role, to->index);

	return l && l->channel && l->peer.link == to->link ? l : NULL;
}

struct lk_result
lk_process_reply_packed(struct lk_process *p, const struct lk_peer_ref *to, enum lk_body type,
	struct lk_slice packed, struct lk_err *e)
{
	struct link *l = asker(p, to);

	if (!l)
		return LK_OK;
	LK_TRY(lk_channel_reply(l->channel, to->id, type, packed, e));
	want(l);
	return LK_OK;
}

struct lk_result
lk_process_refuse(struct lk_process *p, const struct lk_peer_ref *to, const struct lk_err *why,
	struct lk_err *e)
{
	struct link *l = asker(p, to);

	if (!l)
		return LK_OK;
	LK_TRY(lk_channel_reply_fail(l->channel, to->id, why, e));
	want(l);
	return LK_OK;
}

struct lk_result
lk_process_tell(struct lk_process *p, enum lk_role role, uint32_t index, enum lk_body type,
	const void *body, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(lk_body_max(type));

	LK_TRY(lk_body_pack(type, body, &packed, e));
	return lk_process_tell_packed(p, role, index, type, lk_buf_slice(&packed), e);
}

struct lk_result
lk_process_ask(struct lk_process *p, enum lk_role role, uint32_t index, enum lk_body type,
	const void *body, lk_reply_fn *done, void *ctx, uint64_t tag, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(lk_body_max(type));

	LK_TRY(lk_body_pack(type, body, &packed, e));
	return lk_process_ask_packed(
		p, role, index, type, lk_buf_slice(&packed), done, ctx, tag, e);
}

struct lk_result
lk_process_reply(struct lk_process *p, const struct lk_peer_ref *to, enum lk_body type,
	const void *body, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(lk_body_max(type));

	LK_TRY(lk_body_pack(type, body, &packed, e));
	return lk_process_reply_packed(p, to, type, lk_buf_slice(&packed), e);
}

struct lk_result
lk_process_call(struct lk_process *p, enum lk_role role, uint32_t index, enum lk_body type,
	const void *body, int timeout_ms, struct lk_buf *reply, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(lk_body_max(type));
	struct lk_err why = { .reason = LK_R_NONE };
	struct lk_result r;
	struct link *l;

	LK_TRY(lk_body_pack(type, body, &packed, e));
	LK_TRY(reach(p, role, index, &l, e));
	r = lk_channel_call(l->channel, type, lk_buf_slice(&packed), timeout_ms, reply, &why);
	/* The caller is in the middle of something: the loop finds the end and drops the link. */
	if (!r.ok && is_offence(why.reason))
		shutdown(lk_channel_fd(l->channel), SHUT_RDWR);
	if (!r.ok && e)
		*e = why;
	want(l);
	return r;
}

void
lk_process_forget(struct lk_process *p, const void *ctx)
{
	struct link *l;

	for (l = p->private->links; l; l = l->next)
		if (l->channel)
			lk_channel_forget(l->channel, ctx);
}

size_t
lk_process_queued(const struct lk_process *p, enum lk_role role, uint32_t index)
{
	const struct link *l = find_link(p, role, index);

	return l && l->channel ? lk_channel_queued(l->channel) : 0;
}

/* --- beginning and end ------------------------------------------------------------------------ */

static void
process_done(struct lk_process *p)
{
	struct lk_process_private *priv = p->private;
	struct link *l;

	if (priv->work->close)
		priv->work->close(p);
	while ((l = priv->links)) {
		priv->links = l->next;
		lk_watch_free(l->watch);
		lk_timer_free(l->suspicion);
		lk_channel_free(l->channel);
		free(l);
	}
	/* The control channel ends with the process: who closes it and lives is killed. */
	lk_watch_free(priv->control.watch);
	lk_loop_free(p->loop);
	free(p->config);
}

static struct lk_result
process_init(struct lk_process *p, struct lk_err *e)
{
	struct link *control = &p->private->control;
	struct stat st;

	LK_REQUIRE(fstat(CONTROL_FD, &st) == 0 && S_ISSOCK(st.st_mode), e, LK_R_USAGE,
		"--role is for processes that the supervisor starts");
	p->config = calloc(1, p->config_spec->size);
	LK_REQUIRE(p->config, e, LK_R_NOMEM, "no memory for the configuration");
	LK_TRY(lk_loop_new(&lk_clock_system, &p->loop, e));
	control->process = p;
	LK_TRY(lk_channel_new(CONTROL_FD, p->role, LK_ROLE_SUPERVISOR, &control->channel, e));
	return lk_watch_new(
		p->loop, CONTROL_FD, LK_READABLE, on_control, control, &control->watch, e);
}

int
lk_process_run(const struct lk_config_spec *spec, enum lk_role role, uint32_t index,
	const struct lk_role_work *work)
{
	static struct lk_process_private private;
	struct lk_process p = {
		.role = role, .index = index, .config_spec = spec, .private = &private
	};
	struct lk_err e = { .reason = LK_R_NONE };

	lk_log_setup(lk_role_name(role), LK_LOG_INFO, LK_LOG_TEXT, &lk_clock_system);
	private = (struct lk_process_private){ .work = work };
	if (!process_init(&p, &e).ok || !lk_loop_run(p.loop, &e).ok) {
		lk_log_fatal(&e);
		private.status = lk_reason_exit_code(e.reason);
	}
	process_done(&p);
	return private.status;
}
