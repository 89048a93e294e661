/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP/1.1 server: over TLS, plain TCP, or a Unix socket with the peer's
 * credentials, on a descriptor that already listens. It frames, bounds and
 * routes; what a request means is the handler's affair, and a client's
 * certificate is handed over unjudged.
 *
 * Each phase of a connection has an absolute deadline: a byte now and then does
 * not prolong it. Every response is one write: one TLS record when it is small.
 * SNI and ALPN are ignored (RFC 8995 5.3 and erratum 6648): there is one
 * certificate for all.
 *
 * A handler answers with lk_request_reply(), at once or whenever another process has
 * spoken; each request must be answered exactly once, whether or not its client is still
 * there. The request and all it points to live until then.
 */
#pragma once

#include <sys/types.h>

#include "net/address.h"
#include "net/http1.h"
#include "net/tls.h"

struct lk_loop;
struct lk_server;  /* opaque */
struct lk_request; /* opaque; one at a time per connection */

/* The other end of a connection. */
struct lk_peer {
	uint64_t connection;              /* never 0, never reused in one process */
	char local[LK_ADDRESS_TEXT_MAX];  /* "192.0.2.1:8443", "[fe80::1%3]:8443", "unix" */
	char remote[LK_ADDRESS_TEXT_MAX]; /* likewise; a Unix peer is "unix:uid=0" */
	unsigned interface;               /* index, of a link-local peer; else 0 */
	bool is_unix;                     /* then the next three are SO_PEERCRED's */
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

struct lk_request_view {
	const char *method;       /* the route's: a handler sees HEAD as GET */
	const char *path;         /* not decoded */
	const char *query;        /* "" when absent */
	const char *content_type; /* fields are "" when absent */
	const char *accept;
	const char *user_agent;
	const char *authorization;
	const char *if_none_match;
	const char *if_modified_since;
	struct lk_slice body;
	const struct lk_tls_facts *tls; /* NULL without TLS */
	const struct lk_peer *peer;
};

typedef void lk_request_handler(struct lk_request *r, void *ctx);

struct lk_route {
	const char *method;       /* GET answers HEAD too */
	const char *path;         /* see base/path.h */
	const char *content_type; /* what a body must be, else 415; NULL: the handler looks */
	size_t body_max;          /* larger: 413 */
	lk_request_handler *handler;
};

struct lk_server_timeouts { /* milliseconds, each from the start of its phase */
	int64_t handshake;
	int64_t header; /* from the end of the handshake, or the first byte of a later request */
	int64_t body;   /* from the end of the head */
	int64_t idle;   /* between requests */
	int64_t write;  /* from the reply */
};

struct lk_server_limits {
	size_t head_max;        /* bytes; larger: 431 */
	size_t connections_max; /* more are closed as they come */
	size_t per_source_max;  /* of them from one IPv4 address, link-local IPv6 address, other
				 * IPv6 /64 or Unix user */
	size_t in_flight_max;   /* requests given to handlers; more: 503 + Retry-After */
};

struct lk_server_settings {
	int listen_fd;                 /* listening, of any stream family; the server closes it */
	const struct lk_route *routes; /* borrowed; the first that fits wins */
	size_t n_routes;
	void *ctx;                          /* given to every handler */
	struct ssl_ctx_st *tls;             /* NULL: plain HTTP; a reference is taken */
	struct lk_server_timeouts timeouts; /* zero members: the defaults 5, 5, 15, 60, 15 s */
	struct lk_server_limits limits;     /* zero members: 8 KiB, 1024, 64, 256 */
	/* Called once for each connection or request that the server itself refused, and for
	 * nothing else; may be NULL. For the log. */
	void (*on_refusal)(void *ctx, const struct lk_peer *peer, const struct lk_err *e);
};

struct lk_server_counts {
	uint64_t accepted; /* connections since the start */
	uint64_t requests; /* given to handlers since the start */
	uint64_t refused;  /* connections and requests */
	size_t open;       /* connections now */
	size_t in_flight;  /* requests now */
};

/* Consumes settings->listen_fd on success. Makes the process ignore SIGPIPE. */
LK_RESULT lk_server_new(struct lk_loop *loop, const struct lk_server_settings *settings,
	struct lk_server **ret, struct lk_err *e);
/* Closes all connections. Requests that are still unanswered are gone with it. */
struct lk_server *lk_server_free(struct lk_server *s);
LK_DEFINE_CLEANUP(struct lk_server *, lk_server_free);

/* Connections from now on use another context (a renewed certificate). */
void lk_server_set_tls(struct lk_server *s, struct ssl_ctx_st *tls);
struct lk_server_counts lk_server_counts(const struct lk_server *s);
/* Closes what is past its deadline by the loop's clock. The server calls it itself; tests call it
 * when they have moved that clock. */
void lk_server_expire(struct lk_server *s);

const struct lk_request_view *lk_request_view(const struct lk_request *r);
/* LK_R_TLS_GONE without TLS. */
LK_RESULT lk_request_tls_binding(const struct lk_request *r, uint8_t ret[static LK_TLS_BINDING_MAX],
	size_t *ret_n, struct lk_err *e);

/* For who has to show a certificate in TLS: a scheme of no registry, which clients pass over. */
#define LK_CHALLENGE_CERTIFICATE "ClientCertificate realm=\"latchkey\""

struct lk_reply {
	unsigned status;
	const char *content_type;     /* NULL: no body */
	unsigned retry_after_s;       /* 0: not sent */
	const char *www_authenticate; /* NULL: not sent; of a 401: LK_CHALLENGE_CERTIFICATE */
	const struct lk_http1_field *extra;
	size_t n_extra;
	struct lk_slice body; /* copied; at most 8 MiB, else the connection ends */
	bool close_after;
};

/* Consumes r. */
void lk_request_reply(struct lk_request *r, const struct lk_reply *reply);
/* The status, and the reason's symbol and sentence as text/plain. Consumes r. */
void lk_request_reply_err(struct lk_request *r, const struct lk_err *e);
