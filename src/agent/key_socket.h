/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures by the LDevID's key for the supplicant, which is another program and
 * cannot reach a TPM by itself: the agent listens on a Unix socket (mode 0600,
 * DIR/run/key.sock), an OpenSSL provider in the supplicant asks. Both sides read
 * this comment:
 *
 *	A connection carries any number of exchanges, one after the other.
 *	request   u32 length, big-endian, 1 to LK_KEY_SOCKET_MAX; then that many octets:
 *	          the message to be signed, not its digest
 *	response  u32 length, big-endian; then the DER ECDSA signature, made with SHA-256
 *	          for a P-256 key and SHA-384 for P-384; length 0: refused
 *
 * Signed is what a TLS 1.3 client signs in CertificateVerify (crypto/tls_tbs.h) and
 * nothing else. A request of another length than allowed ends the connection. The
 * key itself never travels.
 */
#pragma once

#include <poll.h>

#include "crypto/key.h"

#define LK_KEY_SOCKET_MAX                                                                         \
	1024                    /* octets of a message; a CertificateVerify input has 146 at most \
				 */
#define LK_KEY_SOCKET_CLIENTS 4 /* connections at a time */
#define LK_KEY_SOCKET_FDS     (1 + LK_KEY_SOCKET_CLIENTS)

struct lk_key_socket; /* opaque */

/* Replaces a socket that is there. key: borrowed. Caller frees, which removes the socket.
 * LK_R_AGENT_KEY_SOCKET. */
LK_RESULT lk_key_socket_new(
	const char *path, const struct lk_key *key, struct lk_key_socket **ret, struct lk_err *e);
struct lk_key_socket *lk_key_socket_free(struct lk_key_socket *s);
LK_DEFINE_CLEANUP(struct lk_key_socket *, lk_key_socket_free);
/* From now on with this one: the LDevID was renewed. */
void lk_key_socket_use(struct lk_key_socket *s, const struct lk_key *key);

/* What to poll for; then what poll() found. */
void lk_key_socket_polls(
	const struct lk_key_socket *s, struct pollfd ret[static LK_KEY_SOCKET_FDS]);
void lk_key_socket_serve(
	struct lk_key_socket *s, const struct pollfd found[static LK_KEY_SOCKET_FDS]);

/* The answer to one request's message, without its length: empty when it is refused. */
void lk_key_socket_answer(const struct lk_key *key, struct lk_slice tbs, struct lk_buf *sig);
