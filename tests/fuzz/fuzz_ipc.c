/* SPDX-License-Identifier: Apache-2.0
 *
 * What a role that was taken over can send. The first bytes choose who it is,
 * to whom it sends and the next packet's length; packets go over a real channel,
 * which must refuse them or yield what the table of messages allows. Every body
 * is unpacked too, and one that is taken packs to the same bytes again.
 */
#include <assert.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/channel.h"

#define PACKETS_MAX 64

union any_body {
#define LK_BODY(name) struct lk_##name##_body as_##name;
#include "ipc/body.def"
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fields that stand behind a NUL in a text are not packed, so the whole is compared. */
static void
try_body(enum lk_body type, struct lk_slice in)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf again = LK_BUF_INIT(lk_body_max(type));
	union any_body body;

	if (!lk_body_unpack(type, in, &body, NULL).ok)
		return;
	assert(lk_body_pack(type, &body, &again, NULL).ok);
	assert(lk_slice_eq(lk_buf_slice(&again), in));
}

static void
on_reply(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	(void)tag;
	assert(!m != !why);
	++*(unsigned *)ctx;
}

/* False when the channel is to be closed. */
static bool
receive(struct lk_channel *c, enum lk_role from, enum lk_role to)
{
	LK_CLEANUP(lk_message_done) struct lk_message m = LK_MESSAGE_INIT;
	enum lk_received what;

	if (!lk_channel_receive(c, &m, &what, NULL).ok)
		return false;
	if (what != LK_RECEIVED_MESSAGE)
		return what == LK_RECEIVED_REPLY;
	assert(lk_message_is_allowed(m.type, from, to));
	assert(m.body.n <= lk_body_max(m.type));
	assert((m.id != 0) == (lk_message_info(m.type)->kind == LK_MESSAGE_REQUEST));
	try_body(m.type, m.body);
	return true;
}

/* Something is in flight, so that replies have a question. */
static unsigned
ask(struct lk_channel *c, enum lk_role self, enum lk_role peer, unsigned *answered)
{
	unsigned type, asked = 0;

	for (type = 0; type < LK_BODY_COUNT; type++)
		if (lk_message_info(type)->kind == LK_MESSAGE_REQUEST &&
			lk_message_is_allowed(type, self, peer))
			asked += lk_channel_request(c, (enum lk_body)type, lk_slice(NULL, 0),
				on_reply, answered, type, NULL)
					 .ok;
	return asked;
}

static void
try_channel(const uint8_t *data, size_t size)
{
	enum lk_role from = (enum lk_role)(data[0] % LK_ROLE_COUNT);
	enum lk_role to = (enum lk_role)(data[1] % LK_ROLE_COUNT);
	unsigned asked, answered = 0, i;
	struct lk_channel *c;
	size_t n;
	int fds[2];

	assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
	assert(lk_channel_new(fds[0], to, from, &c, NULL).ok);
	asked = ask(c, to, from, &answered);
	data += 2;
	size -= 2;
	for (i = 0; i < PACKETS_MAX && size > 1; i++) {
		n = data[0] < size ? data[0] : size - 1;
		if (n && send(fds[1], data + 1, n, MSG_NOSIGNAL) == (ssize_t)n &&
			!receive(c, from, to))
			break;
		data += n + 1;
		size -= n + 1;
	}
	lk_channel_abandon(c);
	assert(asked == answered);
	lk_channel_free(c);
	close(fds[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	try_body((enum lk_body)(data[0] % LK_BODY_COUNT), lk_slice(data + 1, size - 1));
	try_channel(data, size);
	return 0;
}
