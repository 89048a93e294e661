/* SPDX-License-Identifier: Apache-2.0
 *
 * One end of the connection between two role processes: typed messages over a
 * Unix SEQPACKET socket. A packet is {u16 type, u8 version, u8 flags, u32
 * request id, body}, at most 64 KiB; a larger body travels in a sealed memfd.
 * Descriptors (listeners, links) travel beside it. Nothing here but
 * lk_channel_call() waits, and nothing knows a loop: the owner watches
 * lk_channel_fd() and calls.
 *
 * A channel believes its peer nothing: a message that ipc/messages.def does not
 * let this peer send, that is too large, has other descriptors than it should or
 * answers what was not asked, is a failure. After a failure of
 * lk_channel_receive(), lk_channel_flush() or lk_channel_call() the channel is
 * to be freed; the process lives on.
 *
 * Requests in flight are bounded both ways. On this side one more is refused with
 * LK_R_IPC_BUSY; a peer that sends one more breaks the protocol.
 */
#pragma once

#include "ipc/messages.h"

enum {
	LK_CHANNEL_VERSION = 1,
	LK_CHANNEL_HEADER = 8,
	LK_CHANNEL_PACKET_MAX = 64 * 1024,
	LK_CHANNEL_IN_FLIGHT = 1024, /* requests, each way */
	LK_CHANNEL_QUEUE_MAX = 4096, /* packets that wait until the peer reads */
	/* Bytes that wait, those in memfds among them, before one more packet is refused. More than
	 * the largest body, which comes on top. */
	LK_CHANNEL_QUEUE_BYTES = 32 * 1024 * 1024
};

struct lk_channel; /* opaque */

/* A message that was received. */
struct lk_message {
	enum lk_body type;
	uint32_t id;          /* of a request: what lk_channel_reply() wants; else 0 */
	struct lk_slice body; /* borrowed until lk_message_done(), or the next receive */
	int fd;               /* -1: none. lk_message_done() closes it unless taken (set to -1) */
	void *map;            /* private: a large body */
};

void lk_message_done(struct lk_message *m); /* cleanup function too */
#define LK_MESSAGE_INIT ((struct lk_message){ .fd = -1 })

/* How a request ended: with its reply, or (m is NULL) with the reason why there is none. `tag` is
 * the asker's own number for what it asked for. */
typedef void lk_reply_fn(
	void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why);

/* Consumes fd on success. */
LK_RESULT lk_channel_new(
	int fd, enum lk_role self, enum lk_role peer, struct lk_channel **ret, struct lk_err *e);
/* Requests in flight end without a word: lk_channel_abandon() tells them before. */
void lk_channel_free(struct lk_channel *c);
LK_DEFINE_CLEANUP(struct lk_channel *, lk_channel_free);

int lk_channel_fd(const struct lk_channel *c);
size_t lk_channel_queued(const struct lk_channel *c);    /* packets; if any, watch for writable */
size_t lk_channel_in_flight(const struct lk_channel *c); /* requests that the peer owes a reply */

/* --- sending: queued while the socket is full ------------------------------------------------- */
/* fd (-1: none) is duplicated; the caller keeps its own. */
LK_RESULT lk_channel_event(
	struct lk_channel *c, enum lk_body type, struct lk_slice body, int fd, struct lk_err *e);
/* `done` is called exactly once, by lk_channel_receive() or lk_channel_abandon(). */
LK_RESULT lk_channel_request(struct lk_channel *c, enum lk_body type, struct lk_slice body,
	lk_reply_fn *done, void *ctx, uint64_t tag, struct lk_err *e);
/* Requests of this ctx are answered to nobody: their asker went away. */
void lk_channel_forget(struct lk_channel *c, const void *ctx);
/* Asks and waits for the reply, for what cannot be asked otherwise (a signature in the middle of a
 * TLS handshake). Replies to other requests are given out meanwhile; an event or a request of the
 * peer is a failure, so this is for links over which the peer only answers. A `fail` reply is
 * a failure with its reason, after which the channel is good still. */
LK_RESULT lk_channel_call(struct lk_channel *c, enum lk_body type, struct lk_slice body,
	int timeout_ms, struct lk_buf *reply, struct lk_err *e);
LK_RESULT lk_channel_reply(struct lk_channel *c, uint32_t id, enum lk_body type,
	struct lk_slice body, struct lk_err *e);
/* Answers with the reason why there is no other reply. */
LK_RESULT lk_channel_reply_fail(
	struct lk_channel *c, uint32_t id, const struct lk_err *why, struct lk_err *e);
/* Sends what is queued, as far as the socket takes it. */
LK_RESULT lk_channel_flush(struct lk_channel *c, struct lk_err *e);

/* --- receiving -------------------------------------------------------------------------------- */
enum lk_received {
	LK_RECEIVED_NOTHING, /* no more for now */
	LK_RECEIVED_MESSAGE, /* an event or a request is in *ret */
	LK_RECEIVED_REPLY,   /* a reply came and was given to its `done` */
	LK_RECEIVED_END      /* the peer is gone */
};

/* The next packet. ret is set for LK_RECEIVED_MESSAGE only. */
LK_RESULT lk_channel_receive(
	struct lk_channel *c, struct lk_message *ret, enum lk_received *ret_what, struct lk_err *e);
/* Tells every request in flight that the peer is gone (LK_R_IPC_GONE). */
void lk_channel_abandon(struct lk_channel *c);
