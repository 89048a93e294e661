/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTPS connection of the device, sans-I/O: TLS over memory and one request
 * at a time. It never connects by itself and never resumes or renews a session:
 * a connection that was trusted provisionally is used until it ends and is never
 * replaced behind its owner's back (RFC 8995 5.1).
 *
 *	lk_channel_new()	the first bytes to be sent are there
 *	lk_channel_feed()	what came from the peer; then look at what follows
 *	lk_channel_output()	what is to be sent to it
 */
#pragma once

#include "crypto/x509.h"
#include "net/http1.h"
#include "net/tls.h"

#define LK_CHANNEL_BODY_MAX (64 * 1024) /* bytes of a response's body */

struct lk_channel; /* opaque */

struct lk_channel_settings {
	struct lk_cert *own;              /* shown when the server asks; NULL: none */
	const struct lk_certs *own_chain; /* its issuers among them are sent too; may be NULL */
	const struct lk_key *own_key;
	const char *host;        /* of the Host field */
	const char *server_name; /* SNI; NULL: none, as in a provisional connection */
	bool allow_tls12;
	/* Whether to go on, asked before anything of our own is shown. Its refusal ends the
	 * handshake and becomes the error of lk_channel_feed(). */
	struct lk_result (*judge)(void *ctx, const struct lk_certs *server, struct lk_err *e);
	void *ctx;
};

/* Settings are copied, what they point to is borrowed. Caller frees. */
LK_RESULT lk_channel_new(
	const struct lk_channel_settings *settings, struct lk_channel **ret, struct lk_err *e);
struct lk_channel *lk_channel_free(struct lk_channel *c);
LK_DEFINE_CLEANUP(struct lk_channel *, lk_channel_free);

/* Refuses with LK_R_AGENT_TLS, LK_R_HTTP_* or what judge() said; then the channel is dead. */
LK_RESULT lk_channel_feed(struct lk_channel *c, struct lk_slice in, struct lk_err *e);
/* The peer closed. Fine between messages and where the end is a response's end. */
LK_RESULT lk_channel_eof(struct lk_channel *c, struct lk_err *e);
struct lk_slice lk_channel_output(struct lk_channel *c); /* borrowed until the next call */
void lk_channel_sent(struct lk_channel *c, size_t n);

bool lk_channel_is_up(const struct lk_channel *c);                    /* the handshake is through */
const struct lk_certs *lk_channel_server(const struct lk_channel *c); /* borrowed */
LK_RESULT lk_channel_binding(const struct lk_channel *c, uint8_t ret[static LK_TLS_BINDING_MAX],
	size_t *ret_n, struct lk_err *e);

/* Host is filled in. The response to the one before is forgotten. */
LK_RESULT lk_channel_request(
	struct lk_channel *c, const struct lk_http1_request *r, struct lk_err *e);
/* The complete response, borrowed until the next request; NULL: it is not complete. */
const struct lk_http1 *lk_channel_response(const struct lk_channel *c);
