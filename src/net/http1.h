/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 messages (RFC 9112) from bytes and to bytes, requests and responses,
 * for the server and for the device. Sans-I/O: bytes go in as they come, in
 * pieces of any size. Strict where leniency has been the door of request
 * smuggling: no obs-fold, no bare CR or LF, one Content-Length in plain digits,
 * never beside Transfer-Encoding, which is "chunked" or refused.
 *
 *	lk_http1_init(&h, LK_HTTP1_REQUEST, LK_HTTP1_HEAD_MAX);
 *	while (h.state != LK_HTTP1_DONE)
 *		lk_http1_feed(&h, bytes, &used, e);	(look at h.state after each call)
 *
 * A feed never takes more than one step: the head, or the body up to its end.
 * So the caller sees the head before any byte of the body is taken, sets
 * h.body.max by what it found there, and finds a pipelined message untouched.
 */
#pragma once

#include "base/slice.h"

#define LK_HTTP1_HEAD_MAX   (8 * 1024) /* start line and fields, each line end included */
#define LK_HTTP1_FIELDS_MAX 64

enum lk_http1_kind { LK_HTTP1_REQUEST, LK_HTTP1_RESPONSE };

enum lk_http1_state {
	LK_HTTP1_HEAD, /* the head is not complete yet */
	LK_HTTP1_BODY, /* the head can be read; the body is not complete yet */
	LK_HTTP1_DONE  /* the message is complete */
};

struct lk_http1_field {
	const char *name;
	const char *value; /* without surrounding blanks */
};

/* All strings point into the head and live until the next init or done. */
struct lk_http1 {
	enum lk_http1_kind kind;
	enum lk_http1_state state;
	bool begun;         /* a byte of this message was seen, empty lines before it aside */
	const char *method; /* request: a token, case-sensitive */
	const char *path;   /* request: up to '?', begins with '/', not decoded */
	const char *query;  /* request: behind '?'; "" when absent */
	unsigned status;    /* response: 200 to 599; interim responses are skipped */
	bool keep_alive;    /* the connection may carry another message behind this one */
	bool expect_continue;
	bool answers_head; /* response: the caller sets it before the first byte, after init */
	struct lk_http1_field fields[LK_HTTP1_FIELDS_MAX];
	size_t n_fields;
	struct lk_buf body; /* body.max is the caller's to set; 0 after init */

	/* private */
	struct lk_buf head;
	size_t head_max;
	int framing;       /* enum framing of http1.c */
	int chunk_state;   /* enum chunk_state of http1.c */
	uint64_t left;     /* bytes of the body, or of the chunk, that are to come */
	size_t line_n;     /* bytes of the current chunk line or trailer */
	size_t overhead_n; /* bytes of chunk extensions and trailers so far */
};

/* Also resets one that was used, keeping its memory. The first time *h must be all zero. */
void lk_http1_init(struct lk_http1 *h, enum lk_http1_kind kind, size_t head_max);
void lk_http1_done(struct lk_http1 *h); /* frees; cleanup function too */

/* Takes bytes from the front of `in` and says how many. Refuses with a reason of section HTTP;
 * afterwards *h is good for nothing but init and done. */
LK_RESULT lk_http1_feed(struct lk_http1 *h, struct lk_slice in, size_t *ret_used, struct lk_err *e);
/* The peer closed: the end of a response without a length, else LK_R_HTTP_CUT. */
LK_RESULT lk_http1_eof(struct lk_http1 *h, struct lk_err *e);

/* The value of a field, by name in any case; "" when absent; the first when repeated. */
const char *lk_http1_field(const struct lk_http1 *h, const char *name);

/* What is to be sent. Strings are borrowed; one with CR, LF or NUL in it is LK_R_BUG. */
struct lk_http1_request {
	const char *method;
	const char *target; /* path and query */
	const char *host;
	const char *content_type; /* NULL: no body */
	const char *accept;       /* NULL: not sent */
	const struct lk_http1_field *extra;
	size_t n_extra;
	struct lk_slice body;
	bool close_after;
};

struct lk_http1_response {
	unsigned status;
	const char *content_type;     /* NULL: no body */
	unsigned retry_after_s;       /* 0: not sent */
	const char *www_authenticate; /* NULL: not sent */
	const struct lk_http1_field *extra;
	size_t n_extra;
	struct lk_slice body;
	int64_t now;  /* for Date; 0: a host without a clock, not sent */
	bool no_body; /* answers HEAD: the length stands, the body does not follow */
	bool close_after;
};

/* A response's head stays below this: one client takes it from its first read of 1,024 bytes. */
#define LK_HTTP1_RESPONSE_HEAD_MAX 1000

/* A date as in Date and Last-Modified; "" for what is none. */
#define LK_HTTP1_DATE_MAX 40
void lk_http1_date(int64_t t, char dst[static LK_HTTP1_DATE_MAX]);

/* Appends head and body, always with Content-Length. */
LK_RESULT lk_http1_print_request(
	const struct lk_http1_request *r, struct lk_buf *out, struct lk_err *e);
LK_RESULT lk_http1_print_response(
	const struct lk_http1_response *r, struct lk_buf *out, struct lk_err *e);
const char *lk_http1_status_text(unsigned status); /* "Not Found" */
