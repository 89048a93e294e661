/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTPS client of courier and command line: libcurl on the program's loop.
 * One struct lk_outbound is one identity towards one set of anchors; its
 * connections are reused by its own requests only, so what was proved on a
 * connection holds for whoever uses it. Keep one per manufacturer.
 *
 * The server's name is checked by RFC 6125, its chain against the anchors given,
 * each resolved address against the egress policy, after redirects too. No
 * proxy of the environment is ever used. Makes the process ignore SIGPIPE.
 */
#pragma once

#include "net/address.h"
#include "net/egress.h"
#include "net/http1.h"
#include "net/tls.h"

struct lk_loop;
struct lk_outbound;      /* opaque */
struct lk_outbound_call; /* opaque; one request under way */

struct lk_outbound_settings {
	const struct lk_certs *anchors; /* NULL: the system's store; else copied */
	const struct lk_certs *chain;   /* own certificate first; NULL: none shown; copied */
	struct evp_pkey_st *key;        /* with chain; may live elsewhere; a reference is taken */
	const struct lk_egress *egress; /* copied; NULL: public addresses only */
	const struct lk_policy *policy; /* for what we offer; NULL: the default */
};

LK_RESULT lk_outbound_new(struct lk_loop *loop, const struct lk_outbound_settings *settings,
	struct lk_outbound **ret, struct lk_err *e);
/* Calls under way end without a word. Not from within done. */
struct lk_outbound *lk_outbound_free(struct lk_outbound *o);
LK_DEFINE_CLEANUP(struct lk_outbound *, lk_outbound_free);

struct lk_outbound_request { /* everything is copied */
	const char *url;
	const char *method; /* "GET", "POST", … */
	const struct lk_http1_field *fields;
	size_t n_fields;
	struct lk_slice body;   /* not with GET */
	int64_t connect_ms;     /* to the end of the TLS handshake; 0: 5 s */
	int64_t total_ms;       /* 0: 30 s */
	size_t response_max;    /* bytes of body; 0: 64 KiB */
	unsigned redirects_max; /* RFC 8995 5.6 wants 1; each hop is vetted like the first. A POST
				   stays one after 307 and 308 only */
	bool allow_http;        /* CRLs are fetched so; else https only */
};

struct lk_outbound_result {
	unsigned status;
	const char *content_type; /* "" when absent */
	unsigned retry_after_s;   /* 0 when absent or not in seconds */
	struct lk_slice body;
	const char *address;            /* "192.0.2.1:443", the one that answered */
	const char *url;                /* after redirects */
	const struct lk_tls_facts *tls; /* NULL without TLS */
};

/* Called once, never from within start. Exactly one of result (borrowed until return; whatever
 * its status) and err (a reason of section outbound) is not NULL. */
typedef void lk_outbound_done(
	void *ctx, const struct lk_outbound_result *result, const struct lk_err *err);

/* ret may be NULL; valid until done is called or the call is cancelled. */
LK_RESULT lk_outbound_start(struct lk_outbound *o, const struct lk_outbound_request *rq,
	lk_outbound_done *done, void *ctx, struct lk_outbound_call **ret, struct lk_err *e);
void lk_outbound_cancel(struct lk_outbound_call *c); /* done will not be called */
