/* SPDX-License-Identifier: Apache-2.0
 *
 * Channels between roles: what the table of messages allows arrives as it was
 * sent; everything else is refused and leaves no descriptor open.
 */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/channel.h"

struct pair {
	struct lk_channel *a, *b;
};

static struct pair
pair_of(enum lk_role a, enum lk_role b)
{
	struct pair p;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	assert_true(lk_channel_new(fds[0], a, b, &p.a, NULL).ok);
	assert_true(lk_channel_new(fds[1], b, a, &p.b, NULL).ok);
	return p;
}

static void
pair_done(struct pair *p)
{
	lk_channel_free(p->a);
	lk_channel_free(p->b);
}

static struct lk_message
expect_message(struct lk_channel *c)
{
	struct lk_message m = LK_MESSAGE_INIT;
	enum lk_received what;
	struct lk_err e;

	if (!lk_channel_receive(c, &m, &what, &e).ok)
		fail_msg("%s", e.msg);
	assert_int_equal(what, LK_RECEIVED_MESSAGE);
	return m;
}

static void
expect(struct lk_channel *c, enum lk_received want)
{
	struct lk_message m = LK_MESSAGE_INIT;
	enum lk_received what;

	assert_true(lk_channel_receive(c, &m, &what, NULL).ok);
	assert_int_equal(what, want);
}

#define expect_refused(c, e, want)                                                             \
	do {                                                                                   \
		struct lk_message refused_m = LK_MESSAGE_INIT;                                 \
		enum lk_received refused_what;                                                 \
		assert_refused(lk_channel_receive(c, &refused_m, &refused_what, &e), e, want); \
	} while (0)

/* Descriptors that this process has open. */
static int
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* What the last reply said. */
struct heard {
	unsigned calls;
	uint64_t tag;
	enum lk_reason why;
	char msg[64];
	struct lk_buf body;
};

static void
hear(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	struct heard *h = ctx;

	h->calls++;
	h->tag = tag;
	if (m)
		assert_true(lk_buf_append(&h->body, m->body, NULL).ok);
	else {
		h->why = why->reason;
		assert_true(
			lk_slice_to_str(lk_slice_str(why->msg), "msg", h->msg, sizeof h->msg, NULL)
				.ok);
	}
}

static void
test_event(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_ENFORCER, LK_ROLE_KEEPER);
	struct lk_message m;

	(void)state;
	expect(p.b, LK_RECEIVED_NOTHING);
	assert_true(lk_channel_event(p.a, LK_BODY_port_event, LK_SLICE_LIT("body"), -1, NULL).ok);
	m = expect_message(p.b);
	assert_int_equal(m.type, LK_BODY_port_event);
	assert_int_equal(m.id, 0);
	assert_true(lk_slice_eq(m.body, LK_SLICE_LIT("body")));
	lk_message_done(&m);
	expect(p.b, LK_RECEIVED_NOTHING);
}

static void
test_request(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_FRONT, LK_ROLE_KEEPER);
	struct heard h = { .body = LK_BUF_INIT(64) };
	struct lk_message m;
	struct lk_err e;
	uint32_t id;

	(void)state;
	assert_true(
		lk_channel_request(p.a, LK_BODY_web_request, LK_SLICE_LIT("?"), hear, &h, 7, NULL)
			.ok);
	assert_int_equal(lk_channel_in_flight(p.a), 1);
	m = expect_message(p.b);
	id = m.id;
	assert_int_not_equal(id, 0);
	assert_refused(lk_channel_reply(p.b, id + 1, LK_BODY_web_reply, m.body, &e), e, LK_R_BUG);
	assert_refused(lk_channel_reply(p.b, id, LK_BODY_signed, m.body, &e), e, LK_R_BUG);
	assert_true(lk_channel_reply(p.b, id, LK_BODY_web_reply, LK_SLICE_LIT("!"), NULL).ok);
	/* Once only. */
	assert_refused(lk_channel_reply(p.b, id, LK_BODY_web_reply, m.body, &e), e, LK_R_BUG);
	expect(p.a, LK_RECEIVED_REPLY);
	assert_int_equal(h.calls, 1);
	assert_int_equal(h.tag, 7);
	assert_true(lk_slice_eq(lk_buf_slice(&h.body), LK_SLICE_LIT("!")));
	assert_int_equal(lk_channel_in_flight(p.a), 0);
	lk_buf_done(&h.body);
}

static void
test_fail_reply(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_FRONT, LK_ROLE_KEEPER);
	struct heard h = { .calls = 0 };
	struct lk_err why;
	struct lk_message m;

	(void)state;
	lk_err_set(&why, LK_R_FILE_MISSING, "no such thing");
	assert_true(
		lk_channel_request(p.a, LK_BODY_web_request, LK_SLICE_LIT("?"), hear, &h, 1, NULL)
			.ok);
	m = expect_message(p.b);
	assert_true(lk_channel_reply_fail(p.b, m.id, &why, NULL).ok);
	expect(p.a, LK_RECEIVED_REPLY);
	assert_int_equal(h.why, LK_R_FILE_MISSING);
	assert_string_equal(h.msg, "no such thing");
}

static void
test_in_flight(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_FRONT, LK_ROLE_KEEPER);
	struct heard h = { .body = LK_BUF_INIT(64) };
	struct lk_message m;
	struct lk_err e;
	int i;

	(void)state;
	for (i = 0; i < LK_CHANNEL_IN_FLIGHT; i++)
		assert_true(lk_channel_request(
			p.a, LK_BODY_web_request, LK_SLICE_LIT("?"), hear, &h, 0, NULL)
				    .ok);
	assert_refused(
		lk_channel_request(p.a, LK_BODY_web_request, LK_SLICE_LIT("?"), hear, &h, 0, &e), e,
		LK_R_IPC_BUSY);
	assert_int_equal(lk_channel_in_flight(p.a), LK_CHANNEL_IN_FLIGHT);
	m = expect_message(p.b);
	assert_true(lk_channel_reply(p.b, m.id, LK_BODY_web_reply, LK_SLICE_LIT("!"), NULL).ok);
	expect(p.a, LK_RECEIVED_REPLY);
	assert_true(
		lk_channel_request(p.a, LK_BODY_web_request, LK_SLICE_LIT("?"), hear, &h, 0, NULL)
			.ok);
	lk_channel_abandon(p.a);
	assert_int_equal(h.calls, 1 + LK_CHANNEL_IN_FLIGHT);
	assert_int_equal(h.why, LK_R_IPC_GONE);
	assert_int_equal(lk_channel_in_flight(p.a), 0);
	lk_buf_done(&h.body);
}

static void
test_forget(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_FRONT, LK_ROLE_KEEPER);
	struct heard gone = { .calls = 0 }, stays = { .body = LK_BUF_INIT(64) };
	struct lk_message m;
	int i;

	(void)state;
	assert_true(lk_channel_request(
		p.a, LK_BODY_web_request, LK_SLICE_LIT("?"), hear, &gone, 0, NULL)
			    .ok);
	assert_true(lk_channel_request(
		p.a, LK_BODY_web_request, LK_SLICE_LIT("?"), hear, &stays, 0, NULL)
			    .ok);
	lk_channel_forget(p.a, &gone);
	for (i = 0; i < 2; i++) {
		m = expect_message(p.b);
		assert_true(
			lk_channel_reply(p.b, m.id, LK_BODY_web_reply, LK_SLICE_LIT("!"), NULL).ok);
		expect(p.a, LK_RECEIVED_REPLY);
	}
	assert_int_equal(gone.calls, 0);
	assert_int_equal(stays.calls, 1);
	assert_int_equal(lk_channel_in_flight(p.a), 0);
	lk_buf_done(&stays.body);
}

static void
test_not_ones_own(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_FRONT, LK_ROLE_KEEPER);
	struct lk_err e;

	(void)state;
	assert_refused(lk_channel_event(p.a, LK_BODY_start, LK_SLICE_LIT(""), -1, &e), e, LK_R_BUG);
	assert_refused(
		lk_channel_request(p.a, LK_BODY_sign_voucher, LK_SLICE_LIT(""), hear, NULL, 0, &e),
		e, LK_R_BUG);
	assert_int_equal(lk_channel_in_flight(p.a), 0);
	expect(p.b, LK_RECEIVED_NOTHING);
}

/* --- large bodies and descriptors ------------------------------------------------------------- */

static void
test_large(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_KEEPER, LK_ROLE_DESK);
	LK_CLEANUP(lk_freep) char *bytes = malloc(4 << 20);
	static const size_t sizes[] = { LK_CHANNEL_PACKET_MAX - LK_CHANNEL_HEADER,
		LK_CHANNEL_PACKET_MAX - LK_CHANNEL_HEADER + 1, 4 << 20 };
	struct lk_err e;
	size_t i;
	int before = count_fds();

	(void)state;
	memset(bytes, 'x', 4 << 20);
	for (i = 0; i < LK_ARRAY_LEN(sizes); i++) {
		struct lk_message m;

		assert_true(lk_channel_event(
			p.a, LK_BODY_stream_record, lk_slice(bytes, sizes[i]), -1, NULL)
				    .ok);
		m = expect_message(p.b);
		assert_true(lk_slice_eq(m.body, lk_slice(bytes, sizes[i])));
		lk_message_done(&m);
	}
	assert_refused(lk_channel_event(p.a, LK_BODY_stream_live, lk_slice(bytes, 9), -1, &e), e,
		LK_R_TOO_LARGE);
	assert_int_equal(count_fds(), before);
}

static void
test_descriptor(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_SUPERVISOR, LK_ROLE_FRONT);
	struct lk_message m;
	struct lk_err e;
	int pipe_fds[2], before = count_fds();

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_refused(lk_channel_event(p.a, LK_BODY_link, LK_SLICE_LIT(""), -1, &e), e, LK_R_BUG);
	assert_true(lk_channel_event(p.a, LK_BODY_link, LK_SLICE_LIT(""), pipe_fds[1], NULL).ok);
	close(pipe_fds[1]);
	m = expect_message(p.b);
	assert_true(m.fd >= 0);
	assert_true(fcntl(m.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(m.fd, "x", 1), 1);
	lk_message_done(&m);
	assert_int_equal(read(pipe_fds[0], &(char){ 0 }, 1), 1);
	close(pipe_fds[0]);
	assert_int_equal(count_fds(), before);
}

/* --- a peer that breaks the rules ------------------------------------------------------------- */

/* Sends a packet as it is, with n times the descriptor. */
static void
send_raw(struct lk_channel *c, struct lk_slice bytes, int fd, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t i;

	if (n) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(n * sizeof fd);
		*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(n * sizeof fd) };
		for (i = 0; i < n; i++)
			memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)) + i * sizeof fd, &fd, sizeof fd);
	}
	assert_int_equal(sendmsg(lk_channel_fd(c), &msg, 0), bytes.n);
}

static void
send_header(struct lk_channel *c, uint16_t type, uint8_t version, uint8_t flags, uint32_t id,
	int fd, size_t n_fds)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(64);
	struct lk_pack p = lk_pack_init(&out, NULL);

	assert_true(lk_pack_u16(&p, type).ok);
	assert_true(lk_pack_u8(&p, version).ok);
	assert_true(lk_pack_u8(&p, flags).ok);
	assert_true(lk_pack_u32(&p, id).ok);
	send_raw(c, lk_buf_slice(&out), fd, n_fds);
}

static void
test_foreign_packets(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_FRONT, LK_ROLE_KEEPER);
	LK_CLEANUP(lk_freep) uint8_t *big = calloc(1, LK_CHANNEL_PACKET_MAX + 1);
	int before = count_fds();
	struct lk_err e;
	size_t n;

	(void)state;
	/* no type, a type of other roles, a type of the supervisor's */
	send_header(p.a, 0xffff, 1, 0, 1, -1, 0);
	expect_refused(p.b, e, LK_R_IPC_DENIED);
	send_header(p.a, LK_BODY_sign_voucher, 1, 0, 1, -1, 0);
	expect_refused(p.b, e, LK_R_IPC_DENIED);
	send_header(p.a, LK_BODY_start, 1, 0, 0, -1, 0);
	expect_refused(p.b, e, LK_R_IPC_DENIED);
	/* version, flags, id, descriptors */
	send_header(p.a, LK_BODY_web_request, 2, 0, 1, -1, 0);
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	send_header(p.a, LK_BODY_web_request, 1, 2, 1, -1, 0);
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	send_header(p.a, LK_BODY_web_request, 1, 0, 0, -1, 0);
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	send_header(p.a, LK_BODY_web_request, 1, 0, 1, STDERR_FILENO, 1);
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	send_header(p.a, LK_BODY_web_request, 1, 0, 1, STDERR_FILENO, 4);
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	send_header(p.a, LK_BODY_web_request, 1, 0, 1, STDERR_FILENO, 8);
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	/* sizes */
	for (n = 1; n < LK_CHANNEL_HEADER; n++) {
		send_raw(p.a, lk_slice(big, n), -1, 0);
		expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	}
	send_raw(p.a, lk_slice(big, LK_CHANNEL_PACKET_MAX + 1), -1, 0);
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	assert_int_equal(count_fds(), before);
	/* nothing of it counts as a request */
	send_header(p.a, LK_BODY_web_request, 1, 0, 1, -1, 0);
	expect(p.b, LK_RECEIVED_MESSAGE);
}

static void
test_too_many_in_flight(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_FRONT, LK_ROLE_KEEPER);
	struct lk_err e;

	(void)state;
	send_header(p.a, LK_BODY_web_request, 1, 0, 1, -1, 0);
	expect(p.b, LK_RECEIVED_MESSAGE);
	send_header(p.a, LK_BODY_web_request, 1, 0, 1, -1, 0);
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	/* The place in the table is the bound: one more than its size meets the first again. */
	send_header(p.a, LK_BODY_web_request, 1, 0, 1 + LK_CHANNEL_IN_FLIGHT, -1, 0);
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
}

static void
test_unasked_replies(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_KEEPER, LK_ROLE_SIGNER);
	struct heard h = { .calls = 0 };
	struct lk_message m;
	struct lk_err e;

	(void)state;
	send_header(p.b, LK_BODY_signed, 1, 0, 5, -1, 0);
	expect_refused(p.a, e, LK_R_IPC_MALFORMED);
	assert_true(
		lk_channel_request(p.a, LK_BODY_sign_crl, LK_SLICE_LIT("?"), hear, &h, 0, NULL).ok);
	m = expect_message(p.b);
	/* the right reply, in the same place of the table, to another request */
	send_header(p.b, LK_BODY_signed, 1, 0, m.id + LK_CHANNEL_IN_FLIGHT, -1, 0);
	expect_refused(p.a, e, LK_R_IPC_MALFORMED);
	/* the reply to another kind of request */
	send_header(p.b, LK_BODY_pong, 1, 0, m.id, -1, 0);
	expect_refused(p.a, e, LK_R_IPC_DENIED);
	/* `fail` without a body */
	send_header(p.b, LK_BODY_fail, 1, 0, m.id, -1, 0);
	expect_refused(p.a, e, LK_R_IPC_MALFORMED);
	assert_int_equal(h.calls, 0);
	assert_int_equal(lk_channel_in_flight(p.a), 1);
}

static void
test_foreign_memfds(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_KEEPER, LK_ROLE_DESK);
	LK_CLEANUP(lk_closep) int fd = memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	int before = count_fds();
	struct lk_err e;

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	send_header(p.a, LK_BODY_stream_record, 1, 1, 0, fd, 1); /* could change while it is read */
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	send_header(p.a, LK_BODY_stream_record, 1, 1, 0, STDERR_FILENO, 1); /* no memfd */
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	send_header(p.a, LK_BODY_stream_record, 1, 1, 0, -1, 0);
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	assert_int_equal(
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
		0);
	send_header(p.a, LK_BODY_stream_live, 1, 1, 0, fd, 1); /* larger than its fields */
	expect_refused(p.b, e, LK_R_IPC_MALFORMED);
	assert_int_equal(count_fds(), before);
	send_header(p.a, LK_BODY_stream_record, 1, 1, 0, fd, 1);
	expect(p.b, LK_RECEIVED_MESSAGE);
}

/* --- a peer that is slow or gone -------------------------------------------------------------- */

/* Fills socket and queue with numbered messages; returns how many they are. */
static uint32_t
fill(struct lk_channel *c)
{
	LK_CLEANUP(lk_freep) uint8_t *bytes = calloc(1, 32768);
	struct lk_err e;
	uint32_t sent;

	for (sent = 0; lk_channel_queued(c) < LK_CHANNEL_QUEUE_MAX; sent++) {
		memcpy(bytes, &sent, sizeof sent);
		/* only the first few are long, to fill the socket soon */
		assert_true(lk_channel_event(c, LK_BODY_stream_record,
			lk_slice(bytes, sent < 16 ? 32768 : sizeof sent), -1, NULL)
				    .ok);
	}
	assert_refused(lk_channel_event(c, LK_BODY_stream_record, LK_SLICE_LIT("x"), -1, &e), e,
		LK_R_IPC_BUSY);
	return sent;
}

static void
test_queue(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_KEEPER, LK_ROLE_DESK);
	uint32_t sent, got;
	int round;

	(void)state;
	for (round = 0; round < 2; round++) {
		sent = fill(p.a);
		for (got = 0; got < sent; got++) {
			struct lk_message m;

			assert_true(lk_channel_flush(p.a, NULL).ok);
			m = expect_message(p.b);
			assert_memory_equal(m.body.p, &got, sizeof got);
		}
		assert_int_equal(lk_channel_queued(p.a), 0);
		expect(p.b, LK_RECEIVED_NOTHING);
	}
}

/* Few packets, but large ones: the memory that they take is bounded too, and is had again. */
static void
test_queue_bytes(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_KEEPER, LK_ROLE_DESK);
	LK_CLEANUP(lk_freep) uint8_t *bytes = calloc(1, 4 << 20);
	size_t most = LK_CHANNEL_QUEUE_BYTES / (4 << 20), sent = 0;
	struct lk_slice large = lk_slice(bytes, 4 << 20);
	struct lk_message m;
	struct lk_err e;

	(void)state;
	for (; lk_channel_queued(p.a) == 0; sent++) /* fills the socket */
		assert_true(lk_channel_event(
			p.a, LK_BODY_stream_record, lk_slice(bytes, 32768), -1, NULL)
				    .ok);
	for (; lk_channel_queued(p.a) < 1 + most; sent++)
		assert_true(lk_channel_event(p.a, LK_BODY_stream_record, large, -1, NULL).ok);
	assert_refused(lk_channel_event(p.a, LK_BODY_stream_record, LK_SLICE_LIT("x"), -1, &e), e,
		LK_R_IPC_BUSY);
	for (; sent > 0; sent--) {
		m = expect_message(p.b);
		lk_message_done(&m);
		assert_true(lk_channel_flush(p.a, NULL).ok);
	}
	assert_int_equal(lk_channel_queued(p.a), 0);
	fill(p.a); /* nothing is counted any more */
}

static void
test_end(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_ENFORCER, LK_ROLE_KEEPER);
	struct lk_err e;

	(void)state;
	assert_true(lk_channel_event(p.a, LK_BODY_port_event, LK_SLICE_LIT("last"), -1, NULL).ok);
	lk_channel_free(p.a);
	p.a = NULL;
	expect(p.b, LK_RECEIVED_MESSAGE); /* its last words are heard */
	expect(p.b, LK_RECEIVED_END);
	expect(p.b, LK_RECEIVED_END);
	assert_refused(
		lk_channel_request(p.b, LK_BODY_port_open, LK_SLICE_LIT("?"), hear, NULL, 0, &e), e,
		LK_R_IPC_GONE);
	assert_int_equal(lk_channel_in_flight(p.b), 0);
}

/* --- asking and waiting ----------------------------------------------------------------------- */

/* A signer in a process of its own: answers the first request, refuses the second, then ends. */
static void
signer(struct lk_channel *c)
{
	struct lk_err why;
	enum lk_received what;
	unsigned seen = 0;

	lk_err_set(&why, LK_R_KEY_STORE, "no key");
	fcntl(lk_channel_fd(c), F_SETFL, 0); /* lk_channel_receive() polls; the loop below spins */
	while (seen < 2) {
		struct lk_message m = LK_MESSAGE_INIT;

		if (!lk_channel_receive(c, &m, &what, NULL).ok || what == LK_RECEIVED_END)
			_exit(1);
		if (what != LK_RECEIVED_MESSAGE)
			continue;
		if (seen++ == 0)
			lk_ignore(lk_channel_reply(
				c, m.id, LK_BODY_signed, LK_SLICE_LIT("sig"), NULL));
		else
			lk_ignore(lk_channel_reply_fail(c, m.id, &why, NULL));
	}
	_exit(0);
}

static void
test_call(void **state)
{
	struct pair p = pair_of(LK_ROLE_FRONT, LK_ROLE_SIGNER);
	LK_CLEANUP(lk_buf_done) struct lk_buf reply = LK_BUF_INIT(64);
	struct lk_err e;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		signer(p.b);
	lk_channel_free(p.b);
	assert_true(lk_channel_call(p.a, LK_BODY_sign_tls, LK_SLICE_LIT("tbs"), 60000, &reply, NULL)
			    .ok);
	assert_true(lk_slice_eq(lk_buf_slice(&reply), LK_SLICE_LIT("sig")));
	assert_refused(
		lk_channel_call(p.a, LK_BODY_sign_tls, LK_SLICE_LIT("tbs"), 60000, &reply, &e), e,
		LK_R_KEY_STORE);
	assert_string_equal(e.msg, "no key");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_refused(
		lk_channel_call(p.a, LK_BODY_sign_tls, LK_SLICE_LIT("tbs"), 60000, &reply, &e), e,
		LK_R_IPC_GONE);
	lk_channel_free(p.a);
}

static void
test_call_too_late(void **state)
{
	LK_CLEANUP(pair_done) struct pair p = pair_of(LK_ROLE_FRONT, LK_ROLE_SIGNER);
	LK_CLEANUP(lk_buf_done) struct lk_buf reply = LK_BUF_INIT(64);
	struct lk_message m;
	struct lk_err e;

	(void)state;
	assert_refused(lk_channel_call(p.a, LK_BODY_sign_tls, LK_SLICE_LIT("tbs"), 0, &reply, &e),
		e, LK_R_IPC_GONE);
	m = expect_message(p.b);
	assert_true(lk_channel_reply(p.b, m.id, LK_BODY_signed, LK_SLICE_LIT("sig"), NULL).ok);
	expect(p.a, LK_RECEIVED_REPLY); /* to nobody */
	assert_int_equal(reply.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_fail_reply),
		cmocka_unit_test(test_in_flight),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_not_ones_own),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_foreign_packets),
		cmocka_unit_test(test_too_many_in_flight),
		cmocka_unit_test(test_unasked_replies),
		cmocka_unit_test(test_foreign_memfds),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_queue_bytes),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_call_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
