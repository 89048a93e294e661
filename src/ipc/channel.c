/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets over a SEQPACKET socket. Requests in flight live in fixed tables, one
 * each way: the low bits of an id are its place in the table, so that a place
 * taken twice is seen at once.
 */
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"

#define PLACE_BITS 10
_Static_assert(1 << PLACE_BITS == LK_CHANNEL_IN_FLIGHT, "ids carry their place");

#define FLAG_LARGE 1u /* the body is in the memfd that came along */
#define FDS_MAX    4  /* more than any message has, so that too many are seen */

/* A packet that waits for the socket. */
struct packet {
	struct packet *next;
	int fd; /* owned, -1: none */
	struct lk_buf bytes;
	size_t size; /* with a large body */
};

struct asked {
	uint32_t id; /* 0: free */
	enum lk_body type;
	lk_reply_fn *done; /* NULL: forgotten */
	void *ctx;
	uint64_t tag;
};

struct owed {
	uint32_t id; /* 0: free */
	enum lk_body type;
};

struct lk_channel {
	int fd;
	enum lk_role self, peer;
	struct packet *first, **last;
	size_t queued, queued_bytes;
	uint32_t last_id;
	size_t n_asked;
	struct asked asked[LK_CHANNEL_IN_FLIGHT]; /* by us */
	struct owed owed[LK_CHANNEL_IN_FLIGHT];   /* to the peer */
	uint8_t in[LK_CHANNEL_PACKET_MAX];
};

struct lk_result
lk_channel_new(
	int fd, enum lk_role self, enum lk_role peer, struct lk_channel **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_freep) struct lk_channel *c = calloc(1, sizeof *c);
	int flags = fcntl(fd, F_GETFL);

	LK_REQUIRE(c, e, LK_R_NOMEM, "no memory for a channel");
	LK_REQUIRE(flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0, e, LK_R_IPC_IO,
		"the channel to %s cannot be set up: %s", lk_role_name(peer), strerror(errno));
	c->fd = fd;
	c->self = self;
	c->peer = peer;
	c->last = &c->first;
	*ret = LK_TAKE(c);
	return LK_OK;
}

static void
packet_done(struct packet *p)
{
	lk_closep(&p->fd);
	lk_buf_done(&p->bytes);
}

void
lk_channel_free(struct lk_channel *c)
{
	struct packet *p;

	if (!c)
		return;
	while ((p = c->first)) {
		c->first = p->next;
		packet_done(p);
		free(p);
	}
	close(c->fd);
	free(c);
}

int
lk_channel_fd(const struct lk_channel *c)
{
	return c->fd;
}

size_t
lk_channel_queued(const struct lk_channel *c)
{
	return c->queued;
}

size_t
lk_channel_in_flight(const struct lk_channel *c)
{
	return c->n_asked;
}

/* --- header ----------------------------------------------------------------------------------- */

struct header {
	uint16_t type;
	uint8_t version;
	uint8_t flags;
	uint32_t id;
};

static struct lk_result
header_pack(const struct header *h, struct lk_buf *out, struct lk_err *e)
{
	struct lk_pack p = lk_pack_init(out, e);

	LK_TRY(lk_pack_u16(&p, h->type));
	LK_TRY(lk_pack_u8(&p, h->version));
	LK_TRY(lk_pack_u8(&p, h->flags));
	LK_TRY(lk_pack_u32(&p, h->id));
	return LK_OK;
}

/* *in: behind the header afterwards. */
static struct lk_result
header_unpack(struct lk_slice *in, struct header *ret, struct lk_err *e)
{
	struct lk_unpack u = lk_unpack_init("header", *in, e);
	struct header h;

	LK_TRY(lk_unpack_u16(&u, &h.type));
	LK_TRY(lk_unpack_u8(&u, &h.version));
	LK_TRY(lk_unpack_u8(&u, &h.flags));
	LK_TRY(lk_unpack_u32(&u, &h.id));
	LK_REQUIRE(h.version == LK_CHANNEL_VERSION, e, LK_R_IPC_MALFORMED, "version is %u, want %d",
		h.version, LK_CHANNEL_VERSION);
	LK_REQUIRE((h.flags & ~FLAG_LARGE) == 0, e, LK_R_IPC_MALFORMED, "flags are %#x", h.flags);
	*in = u.rest;
	*ret = h;
	return LK_OK;
}

/* --- large bodies ----------------------------------------------------------------------------- */

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static struct lk_result
memfd_make(struct lk_slice body, int *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;
	ssize_t n;

	while (fd >= 0 && done < body.n) {
		n = write(fd, body.p + done, body.n - done);
		if (n < 0 && errno == EINTR)
			continue;
		LK_REQUIRE(n > 0, e, LK_R_IPC_IO, "a body of %zu bytes cannot be written: %s",
			body.n, strerror(errno));
		done += (size_t)n;
	}
	LK_REQUIRE(fd >= 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0, e, LK_R_IPC_IO,
		"a body of %zu bytes has no place: %s", body.n, strerror(errno));
	*ret = fd;
	fd = -1;
	return LK_OK;
}

/* Only what can no longer change is mapped: the peer holds the memfd too. */
static struct lk_result
memfd_map(int fd, size_t max, struct lk_message *m, struct lk_err *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *map;

	LK_REQUIRE(seals >= 0 && (seals & SEALS) == SEALS, e, LK_R_IPC_MALFORMED,
		"%s: the large body is not sealed", lk_body_name(m->type));
	LK_REQUIRE(fstat(fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size <= max, e,
		LK_R_IPC_MALFORMED, "%s: the large body has %lld bytes, at most %zu are taken",
		lk_body_name(m->type), (long long)st.st_size, max);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	LK_REQUIRE(
		map != MAP_FAILED, e, LK_R_NOMEM, "no room for %lld bytes", (long long)st.st_size);
	m->map = map;
	m->body = lk_slice(map, (size_t)st.st_size);
	return LK_OK;
}

void
lk_message_done(struct lk_message *m)
{
	lk_closep(&m->fd);
	if (m->map)
		munmap(m->map, m->body.n);
	*m = LK_MESSAGE_INIT;
}

/* --- sending ---------------------------------------------------------------------------------- */

/* *ret_sent is false when the socket is full. */
static struct lk_result
send_packet(struct lk_channel *c, const struct packet *p, bool *ret_sent, struct lk_err *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = p->bytes.p, .iov_len = p->bytes.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (p->fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof control.bytes;
		*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &p->fd, sizeof(int));
	}
	do
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		*ret_sent = false;
		return LK_OK;
	}
	LK_REQUIRE(n >= 0 || (errno != EPIPE && errno != ECONNRESET), e, LK_R_IPC_GONE,
		"%s has ended", lk_role_name(c->peer));
	LK_REQUIRE(n >= 0, e, LK_R_IPC_IO, "nothing can be sent to %s: %s", lk_role_name(c->peer),
		strerror(errno));
	*ret_sent = true;
	return LK_OK;
}

static struct lk_result
make_packet(
	const struct header *h, struct lk_slice body, int fd, struct packet *p, struct lk_err *e)
{
	LK_TRY(header_pack(h, &p->bytes, e));
	if (h->flags & FLAG_LARGE)
		return memfd_make(body, &p->fd, e);
	LK_TRY(lk_buf_append(&p->bytes, body, e));
	if (fd < 0)
		return LK_OK;
	p->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	LK_REQUIRE(
		p->fd >= 0, e, LK_R_IPC_IO, "a descriptor cannot be passed: %s", strerror(errno));
	return LK_OK;
}

static struct lk_result
enqueue(struct lk_channel *c, struct packet *p, struct lk_err *e)
{
	struct packet *later = malloc(sizeof *later);

	LK_REQUIRE(later, e, LK_R_NOMEM, "no memory for a message");
	*later = *p;
	*p = (struct packet){ .fd = -1 };
	*c->last = later;
	c->last = &later->next;
	c->queued++;
	c->queued_bytes += later->size;
	return LK_OK;
}

static struct lk_result
send_message(struct lk_channel *c, enum lk_body type, uint32_t id, struct lk_slice body, int fd,
	struct lk_err *e)
{
	LK_CLEANUP(packet_done)
	struct packet p = { .fd = -1,
		.bytes = LK_BUF_INIT(LK_CHANNEL_PACKET_MAX),
		.size = LK_CHANNEL_HEADER + body.n };
	bool large = body.n > LK_CHANNEL_PACKET_MAX - LK_CHANNEL_HEADER;
	struct header h = { .type = (uint16_t)type,
		.version = LK_CHANNEL_VERSION,
		.flags = large ? FLAG_LARGE : 0,
		.id = id };
	bool sent = false;

	/* What the peer would refuse is not sent: it would close the channel. */
	LK_REQUIRE(lk_message_is_allowed(type, c->self, c->peer), e, LK_R_BUG,
		"%s is not %s's to send to %s", lk_body_name(type), lk_role_name(c->self),
		lk_role_name(c->peer));
	LK_REQUIRE(body.n <= lk_body_max(type), e, LK_R_TOO_LARGE,
		"%s has %zu bytes, at most %zu are sent", lk_body_name(type), body.n,
		lk_body_max(type));
	LK_REQUIRE(lk_message_info(type)->fds == (fd >= 0) && !(large && fd >= 0), e, LK_R_BUG,
		"%s has another number of descriptors", lk_body_name(type));
	LK_REQUIRE(c->queued < LK_CHANNEL_QUEUE_MAX && c->queued_bytes < LK_CHANNEL_QUEUE_BYTES, e,
		LK_R_IPC_BUSY, "%s does not read", lk_role_name(c->peer));
	LK_TRY(make_packet(&h, body, fd, &p, e));
	if (!c->first)
		LK_TRY(send_packet(c, &p, &sent, e));
	return sent ? LK_OK : enqueue(c, &p, e);
}

struct lk_result
lk_channel_event(
	struct lk_channel *c, enum lk_body type, struct lk_slice body, int fd, struct lk_err *e)
{
	return send_message(c, type, 0, body, fd, e);
}

/* The next id whose place is free; there is one. */
static struct asked *
free_place(struct lk_channel *c)
{
	struct asked *a;

	do {
		if (++c->last_id == 0)
			c->last_id = 1;
		a = &c->asked[c->last_id % LK_CHANNEL_IN_FLIGHT];
	} while (a->id);
	return a;
}

struct lk_result
lk_channel_request(struct lk_channel *c, enum lk_body type, struct lk_slice body, lk_reply_fn *done,
	void *ctx, uint64_t tag, struct lk_err *e)
{
	struct asked *a;

	LK_REQUIRE(c->n_asked < LK_CHANNEL_IN_FLIGHT, e, LK_R_IPC_BUSY,
		"%d requests wait for %s already", LK_CHANNEL_IN_FLIGHT, lk_role_name(c->peer));
	a = free_place(c);
	LK_TRY(send_message(c, type, c->last_id, body, -1, e));
	*a = (struct asked){ c->last_id, type, done, ctx, tag };
	c->n_asked++;
	return LK_OK;
}

void
lk_channel_forget(struct lk_channel *c, const void *ctx)
{
	size_t i;

	for (i = 0; i < LK_CHANNEL_IN_FLIGHT; i++)
		if (c->asked[i].ctx == ctx)
			c->asked[i].done = NULL;
}

struct lk_result
lk_channel_reply(struct lk_channel *c, uint32_t id, enum lk_body type, struct lk_slice body,
	struct lk_err *e)
{
	struct owed *o = &c->owed[id % LK_CHANNEL_IN_FLIGHT];

	LK_REQUIRE(id != 0 && o->id == id, e, LK_R_BUG, "%s answers no request in flight",
		lk_body_name(type));
	LK_REQUIRE(type == LK_BODY_fail || type == lk_message_info(o->type)->reply, e, LK_R_BUG,
		"%s does not answer %s", lk_body_name(type), lk_body_name(o->type));
	LK_TRY(send_message(c, type, id, body, -1, e));
	o->id = 0;
	return LK_OK;
}

struct lk_result
lk_channel_reply_fail(struct lk_channel *c, uint32_t id, const struct lk_err *why, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(LK_CHANNEL_PACKET_MAX);

	LK_TRY(lk_fail_pack(why, &out, e));
	return lk_channel_reply(c, id, LK_BODY_fail, lk_buf_slice(&out), e);
}

struct lk_result
lk_channel_flush(struct lk_channel *c, struct lk_err *e)
{
	struct packet *p;
	bool sent;

	while ((p = c->first)) {
		LK_TRY(send_packet(c, p, &sent, e));
		if (!sent)
			break;
		c->first = p->next;
		c->last = c->first ? c->last : &c->first;
		c->queued--;
		c->queued_bytes -= p->size;
		packet_done(p);
		free(p);
	}
	return LK_OK;
}

/* --- receiving -------------------------------------------------------------------------------- */

struct received {
	ssize_t n; /* 0: the end, -1: nothing */
	int fds[FDS_MAX];
	size_t n_fds;
};

static void
received_done(struct received *r)
{
	while (r->n_fds)
		close(r->fds[--r->n_fds]);
}

static struct lk_result
receive_packet(struct lk_channel *c, struct received *r, struct lk_err *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof r->fds)];
	} control;
	struct iovec iov = { .iov_base = c->in, .iov_len = sizeof c->in };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	struct cmsghdr *h;

	do
		r->n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (r->n < 0 && errno == EINTR);
	if (r->n < 0) {
		LK_REQUIRE(errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNRESET, e,
			LK_R_IPC_IO, "nothing can be received from %s: %s", lk_role_name(c->peer),
			strerror(errno));
		if (errno == ECONNRESET)
			r->n = 0;
		return LK_OK;
	}
	/* Taken over before anything is judged, so that nothing stays open. */
	for (h = CMSG_FIRSTHDR(&msg); h; h = CMSG_NXTHDR(&msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		r->n_fds = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(r->fds, CMSG_DATA(h), r->n_fds * sizeof(int));
	}
	LK_REQUIRE(!(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)), e, LK_R_IPC_MALFORMED,
		"a packet of %s is too large", lk_role_name(c->peer));
	return LK_OK;
}

static struct lk_result
judge(const struct lk_channel *c, const struct header *h, size_t n, size_t n_fds, struct lk_err *e)
{
	bool large = h->flags & FLAG_LARGE;
	const struct lk_message_info *info = lk_message_info(h->type);

	LK_REQUIRE(lk_message_is_allowed(h->type, c->peer, c->self), e, LK_R_IPC_DENIED,
		"%s may not send message %u (%s) to %s", lk_role_name(c->peer), h->type,
		info ? lk_body_name((enum lk_body)h->type) : "unknown", lk_role_name(c->self));
	LK_REQUIRE(n_fds == (large ? 1 : info->fds) && !(large && (info->fds || n)), e,
		LK_R_IPC_MALFORMED, "%s has %zu descriptors", lk_body_name((enum lk_body)h->type),
		n_fds);
	LK_REQUIRE(n <= lk_body_max((enum lk_body)h->type), e, LK_R_IPC_MALFORMED,
		"%s has %zu bytes, at most %zu are taken", lk_body_name((enum lk_body)h->type), n,
		lk_body_max((enum lk_body)h->type));
	LK_REQUIRE((h->id == 0) == (info->kind == LK_MESSAGE_EVENT), e, LK_R_IPC_MALFORMED,
		"%s has the id %u", lk_body_name((enum lk_body)h->type), h->id);
	return LK_OK;
}

static struct lk_result
note_request(struct lk_channel *c, const struct header *h, struct lk_err *e)
{
	struct owed *o = &c->owed[h->id % LK_CHANNEL_IN_FLIGHT];

	LK_REQUIRE(o->id == 0, e, LK_R_IPC_MALFORMED, "%s has the id of a request in flight",
		lk_body_name((enum lk_body)h->type));
	*o = (struct owed){ h->id, (enum lk_body)h->type };
	return LK_OK;
}

static struct lk_result
give_reply(struct lk_channel *c, const struct lk_message *m, struct lk_err *e)
{
	struct asked *a = &c->asked[m->id % LK_CHANNEL_IN_FLIGHT], was = *a;
	struct lk_err why;

	LK_REQUIRE(was.id == m->id, e, LK_R_IPC_MALFORMED, "%s answers no request in flight",
		lk_body_name(m->type));
	LK_REQUIRE(m->type == LK_BODY_fail || m->type == lk_message_info(was.type)->reply, e,
		LK_R_IPC_MALFORMED, "%s does not answer %s", lk_body_name(m->type),
		lk_body_name(was.type));
	if (m->type == LK_BODY_fail)
		LK_TRY(lk_fail_unpack(m->body, &why, e));
	*a = (struct asked){ .id = 0 };
	c->n_asked--;
	if (!was.done)
		return LK_OK;
	if (m->type == LK_BODY_fail)
		was.done(was.ctx, was.tag, NULL, &why);
	else
		was.done(was.ctx, was.tag, m, NULL);
	return LK_OK;
}

struct lk_result
lk_channel_receive(
	struct lk_channel *c, struct lk_message *ret, enum lk_received *ret_what, struct lk_err *e)
{
	LK_CLEANUP(received_done) struct received r = { .n = 0 };
	LK_CLEANUP(lk_message_done) struct lk_message m = LK_MESSAGE_INIT;
	struct lk_slice in;
	struct header h;

	LK_TRY(receive_packet(c, &r, e));
	if (r.n <= 0) {
		*ret_what = r.n == 0 ? LK_RECEIVED_END : LK_RECEIVED_NOTHING;
		return LK_OK;
	}
	in = lk_slice(c->in, (size_t)r.n);
	LK_TRY(header_unpack(&in, &h, e));
	LK_TRY(judge(c, &h, in.n, r.n_fds, e));
	m.type = (enum lk_body)h.type;
	m.id = h.id;
	m.body = in;
	if (h.flags & FLAG_LARGE)
		LK_TRY(memfd_map(r.fds[0], lk_body_max(m.type), &m, e));
	else if (r.n_fds)
		m.fd = r.fds[--r.n_fds];
	if (lk_message_info(m.type)->kind == LK_MESSAGE_REPLY) {
		*ret_what = LK_RECEIVED_REPLY;
		return give_reply(c, &m, e);
	}
	if (lk_message_info(m.type)->kind == LK_MESSAGE_REQUEST)
		LK_TRY(note_request(c, &h, e));
	*ret_what = LK_RECEIVED_MESSAGE;
	*ret = m;
	m = LK_MESSAGE_INIT;
	return LK_OK;
}

void
lk_channel_abandon(struct lk_channel *c)
{
	struct lk_err why = { .reason = LK_R_NONE };
	size_t i;

	lk_err_set(&why, LK_R_IPC_GONE, "%s has ended", lk_role_name(c->peer));
	for (i = 0; i < LK_CHANNEL_IN_FLIGHT; i++) {
		struct asked was = c->asked[i];

		c->asked[i] = (struct asked){ .id = 0 };
		if (was.id && was.done)
			was.done(was.ctx, was.tag, NULL, &why);
	}
	c->n_asked = 0;
}

/* --- asking and waiting ----------------------------------------------------------------------- */

struct call {
	struct lk_buf *reply;
	struct lk_err *e;
	bool answered;
	struct lk_result result;
};

static void
on_called(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	struct call *call = ctx;

	(void)tag;
	call->answered = true;
	if (m)
		call->result = lk_buf_append(call->reply, m->body, call->e);
	else if (call->e)
		*call->e = *why;
}

/* Takes one packet, or waits for one until the deadline. */
static struct lk_result
call_turn(struct lk_channel *c, int64_t deadline_ms, struct lk_err *e)
{
	LK_CLEANUP(lk_message_done) struct lk_message m = LK_MESSAGE_INIT;
	int64_t left = deadline_ms - lk_clock_system.monotonic_ms(&lk_clock_system);
	struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
	enum lk_received what;

	LK_TRY(lk_channel_flush(c, e));
	LK_TRY(lk_channel_receive(c, &m, &what, e));
	LK_REQUIRE(what != LK_RECEIVED_MESSAGE, e, LK_R_IPC_DENIED, "%s sent %s instead of a reply",
		lk_role_name(c->peer), lk_body_name(m.type));
	LK_REQUIRE(
		what != LK_RECEIVED_END, e, LK_R_IPC_GONE, "%s has ended", lk_role_name(c->peer));
	if (what == LK_RECEIVED_REPLY)
		return LK_OK;
	LK_REQUIRE(left > 0, e, LK_R_IPC_GONE, "%s does not answer", lk_role_name(c->peer));
	if (c->first)
		pfd.events |= POLLOUT;
	LK_REQUIRE(poll(&pfd, 1, (int)left) >= 0 || errno == EINTR, e, LK_R_IPC_IO,
		"%s cannot be waited for: %s", lk_role_name(c->peer), strerror(errno));
	return LK_OK;
}

struct lk_result
lk_channel_call(struct lk_channel *c, enum lk_body type, struct lk_slice body, int timeout_ms,
	struct lk_buf *reply, struct lk_err *e)
{
	int64_t deadline = lk_clock_system.monotonic_ms(&lk_clock_system) + timeout_ms;
	struct call call = { .reply = reply, .e = e };

	LK_TRY(lk_channel_request(c, type, body, on_called, &call, 0, e));
	while (!call.answered)
		if (!call_turn(c, deadline, e).ok) {
			lk_channel_forget(c, &call);
			return (struct lk_result){ false };
		}
	return call.result;
}
