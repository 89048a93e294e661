/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent's side of the socket for signatures.
 */
#include "agent/key_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "crypto/tls_tbs.h"

#define SIGNATURE_MAX 512

struct client {
	int fd; /* -1: free */
	struct lk_buf in;
};

struct lk_key_socket {
	const struct lk_key *key;
	int fd;
	struct sockaddr_un address;
	struct client clients[LK_KEY_SOCKET_CLIENTS];
};

static void
drop(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	lk_buf_done(&c->in);
}

void
lk_key_socket_answer(const struct lk_key *key, struct lk_slice tbs, struct lk_buf *sig)
{
	/*= RFC8446 4.4.3: of the LDevID's key others get a client's CertificateVerify, nothing else =*/
	if (!lk_tls_tbs_check(tbs, LK_TLS_CLIENT, NULL).ok || !lk_key_sign(key, tbs, sig, NULL).ok)
		lk_buf_clear(sig);
}

/* A signature fits any socket buffer: what cannot be sent at once goes to a peer that is gone. */
static bool
respond(const struct lk_key_socket *s, struct client *c, struct lk_slice tbs)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf sig = LK_BUF_INIT(SIGNATURE_MAX);
	uint8_t out[sizeof(uint32_t) + SIGNATURE_MAX];
	uint32_t length;

	lk_key_socket_answer(s->key, tbs, &sig);
	length = htonl((uint32_t)sig.n);
	memcpy(out, &length, sizeof length);
	if (sig.n)
		memcpy(out + sizeof length, sig.p, sig.n);
	return send(c->fd, out, sizeof length + sig.n, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       (ssize_t)(sizeof length + sig.n);
}

/* False: the connection is over. */
static bool
serve_client(const struct lk_key_socket *s, struct client *c)
{
	uint8_t chunk[sizeof(uint32_t) + LK_KEY_SOCKET_MAX];
	ssize_t n = recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT);
	uint32_t length;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0 || !lk_buf_append(&c->in, lk_slice(chunk, (size_t)n), NULL).ok)
		return false;
	while (c->in.n >= sizeof length) {
		memcpy(&length, c->in.p, sizeof length);
		length = ntohl(length);
		if (length == 0 || length > LK_KEY_SOCKET_MAX)
			return false;
		if (c->in.n < sizeof length + length)
			return true;
		if (!respond(s, c, lk_slice(c->in.p + sizeof length, length)))
			return false;
		lk_buf_consume(&c->in, sizeof length + length);
	}
	return true;
}

static void
take_client(struct lk_key_socket *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	size_t i;

	if (fd < 0)
		return;
	for (i = 0; i < LK_KEY_SOCKET_CLIENTS; i++)
		if (s->clients[i].fd < 0) {
			s->clients[i] = (struct client){ fd,
				LK_BUF_INIT(2 * (sizeof(uint32_t) + LK_KEY_SOCKET_MAX)) };
			return;
		}
	close(fd);
}

void
lk_key_socket_polls(const struct lk_key_socket *s, struct pollfd ret[static LK_KEY_SOCKET_FDS])
{
	size_t i;

	ret[0] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	for (i = 0; i < LK_KEY_SOCKET_CLIENTS; i++)
		ret[1 + i] = (struct pollfd){ .fd = s->clients[i].fd, .events = POLLIN };
}

void
lk_key_socket_serve(struct lk_key_socket *s, const struct pollfd found[static LK_KEY_SOCKET_FDS])
{
	size_t i;

	for (i = 0; i < LK_KEY_SOCKET_CLIENTS; i++)
		if (s->clients[i].fd >= 0 && found[1 + i].revents &&
			!serve_client(s, &s->clients[i]))
			drop(&s->clients[i]);
	if (found[0].revents)
		take_client(s);
}

void
lk_key_socket_use(struct lk_key_socket *s, const struct lk_key *key)
{
	s->key = key;
}

struct lk_result
lk_key_socket_new(
	const char *path, const struct lk_key *key, struct lk_key_socket **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_key_socket_freep) struct lk_key_socket *s = calloc(1, sizeof *s);
	size_t i;

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for a socket");
	s->key = key;
	for (i = 0; i < LK_KEY_SOCKET_CLIENTS; i++)
		s->clients[i].fd = -1;
	s->fd = -1;
	s->address.sun_family = AF_UNIX;
	LK_TRY(lk_slice_to_str(
		lk_slice_str(path), "socket", s->address.sun_path, sizeof s->address.sun_path, e));
	unlink(path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	LK_REQUIRE(s->fd >= 0 && fchmod(s->fd, 0600) == 0 &&
			   bind(s->fd, (struct sockaddr *)&s->address, sizeof s->address) == 0 &&
			   chmod(path, 0600) == 0 && listen(s->fd, LK_KEY_SOCKET_CLIENTS) == 0,
		e, LK_R_AGENT_KEY_SOCKET, "%s: %s", path, strerror(errno));
	*ret = LK_TAKE(s);
	return LK_OK;
}

struct lk_key_socket *
lk_key_socket_free(struct lk_key_socket *s)
{
	size_t i;

	if (!s)
		return NULL;
	for (i = 0; i < LK_KEY_SOCKET_CLIENTS; i++)
		if (s->clients[i].fd >= 0)
			drop(&s->clients[i]);
	if (s->fd >= 0) {
		close(s->fd);
		unlink(s->address.sun_path);
	}
	free(s);
	return NULL;
}
