/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's end of one connection as bytes, with or without TLS; never
 * blocks. Callers look at statuses, not at OpenSSL.
 */
#pragma once

#include "base/slice.h"

struct ssl_ctx_st;
struct ssl_st;

enum lk_stream_status {
	LK_STREAM_DONE,       /* it went through */
	LK_STREAM_WANT_READ,  /* again when the descriptor is readable */
	LK_STREAM_WANT_WRITE, /* again when it is writable */
	LK_STREAM_END,        /* the peer has closed */
	LK_STREAM_BROKEN      /* nothing more can be had from it; e says why */
};

struct lk_stream {
	int fd;             /* owned; -1 when closed */
	struct ssl_st *ssl; /* NULL without TLS or when closed */
	bool broken;
};

/* Takes a connected, non-blocking descriptor; tls may be NULL. On failure fd is the caller's. */
LK_RESULT lk_stream_open(int fd, struct ssl_ctx_st *tls, struct lk_stream *ret, struct lk_err *e);
enum lk_stream_status lk_stream_handshake(struct lk_stream *s, struct lk_err *e);
enum lk_stream_status lk_stream_read(
	struct lk_stream *s, void *p, size_t cap, size_t *ret_n, struct lk_err *e);
/* Small data leave in one write, in one TLS record. */
enum lk_stream_status lk_stream_write(
	struct lk_stream *s, struct lk_slice in, size_t *ret_n, struct lk_err *e);
/* Whether a read could yield bytes although the descriptor is not readable. */
bool lk_stream_has_pending(const struct lk_stream *s);
/* Says that nothing more is sent; what the peer still sends can be drained. */
void lk_stream_shut(struct lk_stream *s);
/* Reads and forgets; false when there is nothing more to wait for. */
bool lk_stream_drain(struct lk_stream *s);
void lk_stream_close(struct lk_stream *s);
