/* SPDX-License-Identifier: Apache-2.0
 *
 * Non-blocking reads and writes, straight on the descriptor or through OpenSSL.
 */
#include "net/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <unistd.h>

#include <sys/socket.h>

#include "crypto/ossl.h"

struct lk_result
lk_stream_open(int fd, SSL_CTX *tls, struct lk_stream *ret, struct lk_err *e)
{
	LK_CLEANUP(SSL_freep) SSL *ssl = NULL;

	if (tls) {
		ssl = SSL_new(tls);
		LK_OSSL(ssl && SSL_set_fd(ssl, fd), e, LK_R_NOMEM, "no memory for a TLS session");
		SSL_set_accept_state(ssl);
	}
	*ret = (struct lk_stream){ .fd = fd, .ssl = LK_TAKE(ssl) };
	return LK_OK;
}

/* What an OpenSSL call that returned `r` asks for. */
static enum lk_stream_status
tls_status(struct lk_stream *s, int r, struct lk_err *e)
{
	int saved_errno = errno;

	if (r > 0)
		return LK_STREAM_DONE;
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return LK_STREAM_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return LK_STREAM_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return LK_STREAM_END;
	default:
		break;
	}
	s->broken = true;
	if (ERR_peek_last_error())
		lk_err_set_ossl(e, LK_R_TLS_HANDSHAKE, "TLS failed");
	else
		lk_err_set(e, LK_R_TLS_HANDSHAKE, "the connection ended: %s",
			saved_errno ? strerror(saved_errno) : "closed by the peer");
	return LK_STREAM_BROKEN;
}

/* What a system call that returned `n` asks for. */
static enum lk_stream_status
plain_status(struct lk_stream *s, ssize_t n, enum lk_stream_status again, struct lk_err *e)
{
	if (n > 0)
		return LK_STREAM_DONE;
	if (n == 0)
		return LK_STREAM_END;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return again;
	s->broken = true;
	lk_err_set(e, LK_R_SERVER_IO, "the connection failed: %s", strerror(errno));
	return LK_STREAM_BROKEN;
}

enum lk_stream_status
lk_stream_handshake(struct lk_stream *s, struct lk_err *e)
{
	if (!s->ssl)
		return LK_STREAM_DONE;
	ERR_clear_error();
	errno = 0;
	return tls_status(s, SSL_do_handshake(s->ssl), e);
}

enum lk_stream_status
lk_stream_read(struct lk_stream *s, void *p, size_t cap, size_t *ret_n, struct lk_err *e)
{
	ssize_t n;

	if (s->ssl) {
		ERR_clear_error();
		errno = 0;
		return tls_status(s, SSL_read_ex(s->ssl, p, cap, ret_n), e);
	}
	n = recv(s->fd, p, cap, 0);
	*ret_n = n > 0 ? (size_t)n : 0;
	return plain_status(s, n, LK_STREAM_WANT_READ, e);
}

enum lk_stream_status
lk_stream_write(struct lk_stream *s, struct lk_slice in, size_t *ret_n, struct lk_err *e)
{
	ssize_t n;

	*ret_n = 0;
	if (s->ssl) {
		ERR_clear_error();
		errno = 0;
		return tls_status(s, SSL_write_ex(s->ssl, in.p, in.n, ret_n), e);
	}
	n = send(s->fd, in.p, in.n, MSG_NOSIGNAL);
	*ret_n = n > 0 ? (size_t)n : 0;
	return plain_status(s, n, LK_STREAM_WANT_WRITE, e);
}

bool
lk_stream_has_pending(const struct lk_stream *s)
{
	return s->ssl && SSL_has_pending(s->ssl);
}

void
lk_stream_shut(struct lk_stream *s)
{
	if (s->ssl && !s->broken && SSL_is_init_finished(s->ssl))
		SSL_shutdown(s->ssl);
	ERR_clear_error();
	shutdown(s->fd, SHUT_WR);
}

bool
lk_stream_drain(struct lk_stream *s)
{
	uint8_t scratch[4096];
	ssize_t n = recv(s->fd, scratch, sizeof scratch, 0);

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

void
lk_stream_close(struct lk_stream *s)
{
	if (s->fd < 0)
		return;
	if (s->ssl && !s->broken && SSL_is_init_finished(s->ssl))
		SSL_shutdown(s->ssl);
	ERR_clear_error();
	SSL_free(s->ssl);
	close(s->fd);
	*s = (struct lk_stream){ .fd = -1 };
}
