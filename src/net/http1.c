/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 messages (RFC 9112), both directions, without I/O. The head is
 * gathered whole and cut into strings in place; the body is decoded byte by
 * byte. Nothing that could be framed in two ways is ever guessed at.
 */
#include "net/http1.h"

#include <strings.h>
#include <time.h>

#include "base/number.h"

enum framing {
	FRAMING_NONE,    /* no body */
	FRAMING_LENGTH,  /* Content-Length */
	FRAMING_CHUNKED, /* Transfer-Encoding: chunked */
	FRAMING_CLOSE    /* a response that ends with the connection */
};

enum chunk_state {
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER,
	CHUNK_TRAILER_LF,
	CHUNK_END_LF
};

#define CHUNK_DIGITS_MAX 8

void
lk_http1_init(struct lk_http1 *h, enum lk_http1_kind kind, size_t head_max)
{
	struct lk_buf head = h->head, body = h->body;

	lk_buf_clear(&head);
	lk_buf_clear(&body);
	head.max = head_max;
	body.max = 0;
	*h = (struct lk_http1){
		.kind = kind,
		.method = "",
		.path = "",
		.query = "",
		.head = head,
		.head_max = head_max,
		.body = body,
	};
}

void
lk_http1_done(struct lk_http1 *h)
{
	lk_buf_done(&h->head);
	lk_buf_done(&h->body);
}

/* --- the head --------------------------------------------------------------------------------- */

/* RFC 9110 5.6.2: tchar. */
static bool
is_tchar(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool
is_token(const char *s)
{
	size_t i = 0;

	while (is_tchar(s[i]))
		i++;
	return i > 0 && s[i] == 0;
}

/* RFC 9110 5.5: field-vchar, SP or HTAB. */
static bool
is_field_char(uint8_t c)
{
	return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* Cuts the line at *p off as a string and moves *p behind it. That each LF follows a CR, and that
 * the head ends with an empty line, was seen while it was gathered. */
static struct lk_result
next_line(char **p, char **ret, struct lk_err *e)
{
	char *start = *p, *end = start;

	while (*end != '\r') {
		LK_REQUIRE(is_field_char((uint8_t)*end), e, LK_R_HTTP_SYNTAX,
			"the header contains the octet %#04x", (uint8_t)*end);
		end++;
	}
	/*= RFC9112 2.2: a bare CR is not a line end =*/
	LK_REQUIRE(end[1] == '\n', e, LK_R_HTTP_SYNTAX, "the header contains a bare CR");
	*end = 0;
	*p = end + 2;
	*ret = start;
	return LK_OK;
}

/* Cuts what stands before `c` off as a string and moves *p behind it. */
static struct lk_result
cut_at(char **p, char c, const char *what, char **ret, struct lk_err *e)
{
	char *end = strchr(*p, c);

	LK_REQUIRE(end, e, LK_R_HTTP_SYNTAX, "%s is not followed by '%c'", what, c);
	*end = 0;
	*ret = *p;
	*p = end + 1;
	return LK_OK;
}

static struct lk_result
parse_version(const char *s, bool *ret_is_1_0, struct lk_err *e)
{
	LK_REQUIRE(strlen(s) == 8 && strncmp(s, "HTTP/", 5) == 0, e, LK_R_HTTP_SYNTAX,
		"the start line has no HTTP version");
	LK_REQUIRE(strcmp(s + 5, "1.1") == 0 || strcmp(s + 5, "1.0") == 0, e, LK_R_HTTP_VERSION,
		"the version is %s, want HTTP/1.1", s);
	*ret_is_1_0 = s[7] == '0';
	return LK_OK;
}

static struct lk_result
parse_target(struct lk_http1 *h, char *target, struct lk_err *e)
{
	static const char *const schemes[] = { "https://", "http://" };
	char *p, *query;
	size_t i;

	/*= RFC9112 3.2.2: a server accepts the absolute-form too =*/
	for (i = 0; i < LK_ARRAY_LEN(schemes); i++)
		if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0) {
			target += strlen(schemes[i]);
			target += strcspn(target, "/?");
			break;
		}
	LK_REQUIRE(*target == '/', e, LK_R_HTTP_SYNTAX, "the request target is not a path");
	for (p = target; *p; p++)
		LK_REQUIRE(*p > ' ' && *p < 0x7f && *p != '#', e, LK_R_HTTP_SYNTAX,
			"the request target contains the octet %#04x", (uint8_t)*p);
	query = strchr(target, '?');
	if (query)
		*query++ = 0;
	h->path = target;
	h->query = query ? query : "";
	return LK_OK;
}

/* RFC 9112 3: method SP request-target SP HTTP-version. */
static struct lk_result
parse_request_line(struct lk_http1 *h, char *line, bool *ret_is_1_0, struct lk_err *e)
{
	char *method, *target;

	LK_TRY(cut_at(&line, ' ', "the method", &method, e));
	LK_REQUIRE(is_token(method), e, LK_R_HTTP_SYNTAX, "the method is not a token");
	LK_TRY(cut_at(&line, ' ', "the request target", &target, e));
	LK_TRY(parse_version(line, ret_is_1_0, e));
	h->method = method;
	return parse_target(h, target, e);
}

/* RFC 9112 4: HTTP-version SP status-code SP [ reason-phrase ]; the last SP is often missing. */
static struct lk_result
parse_status_line(struct lk_http1 *h, char *line, bool *ret_is_1_0, struct lk_err *e)
{
	uint32_t status;
	char *version;

	LK_TRY(cut_at(&line, ' ', "the version", &version, e));
	LK_TRY(parse_version(version, ret_is_1_0, e));
	LK_REQUIRE(strcspn(line, " ") == 3 &&
			   lk_parse_u32(lk_slice(line, 3), "status", 100, 599, &status, NULL).ok,
		e, LK_R_HTTP_SYNTAX, "the status is not a number from 100 to 599");
	h->status = status;
	return LK_OK;
}

static struct lk_result
parse_field(struct lk_http1 *h, char *line, struct lk_err *e)
{
	char *name, *end;

	/*= RFC9112 5.2: obs-fold is refused =*/
	LK_REQUIRE(*line != ' ' && *line != '\t', e, LK_R_HTTP_FOLD,
		"a line of the header begins with a blank");
	LK_REQUIRE(h->n_fields < LK_HTTP1_FIELDS_MAX, e, LK_R_HTTP_HEAD_TOO_LARGE,
		"there are more than %d header fields", LK_HTTP1_FIELDS_MAX);
	LK_TRY(cut_at(&line, ':', "a field's name", &name, e));
	/*= RFC9112 5.1: no whitespace between field name and colon =*/
	LK_REQUIRE(is_token(name), e, LK_R_HTTP_SYNTAX, "a field's name is not a token");
	line += strspn(line, " \t");
	for (end = line + strlen(line); end > line && (end[-1] == ' ' || end[-1] == '\t');)
		end--;
	*end = 0;
	h->fields[h->n_fields++] = (struct lk_http1_field){ name, line };
	return LK_OK;
}

/* Whether a comma separated list has the token. */
static bool
list_has(const char *list, const char *token)
{
	size_t n;

	for (;;) {
		list += strspn(list, " \t,");
		n = strcspn(list, " \t,");
		if (n == 0)
			return false;
		if (n == strlen(token) && strncasecmp(list, token, n) == 0)
			return true;
		list += n;
	}
}

struct framing_fields {
	unsigned hosts, lengths, codings;
	const char *length, *coding;
	bool close;
};

static struct lk_result
look_at_fields(struct lk_http1 *h, struct framing_fields *f, bool is_1_0, struct lk_err *e)
{
	size_t i;

	*f = (struct framing_fields){ 0 };
	for (i = 0; i < h->n_fields; i++) {
		const char *name = h->fields[i].name, *value = h->fields[i].value;

		if (strcasecmp(name, "Host") == 0) {
			f->hosts++;
		} else if (strcasecmp(name, "Content-Length") == 0) {
			f->lengths++;
			f->length = value;
		} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
			f->codings++;
			f->coding = value;
		} else if (strcasecmp(name, "Connection") == 0) {
			f->close |= list_has(value, "close");
		} else if (strcasecmp(name, "Expect") == 0 && h->kind == LK_HTTP1_REQUEST) {
			LK_REQUIRE(strcasecmp(value, "100-continue") == 0, e, LK_R_HTTP_EXPECT,
				"Expect is not 100-continue");
			/*= RFC9110 10.1.1: 100-continue of an HTTP/1.0 client is ignored =*/
			h->expect_continue = !is_1_0;
		}
	}
	return LK_OK;
}

/* RFC 9112 6.3, without its leniencies. */
static struct lk_result
find_framing(struct lk_http1 *h, const struct framing_fields *f, bool is_1_0, struct lk_err *e)
{
	bool is_response = h->kind == LK_HTTP1_RESPONSE;

	/*= RFC9112 6.3: Transfer-Encoding beside Content-Length is refused =*/
	LK_REQUIRE(f->lengths + f->codings <= 1, e, LK_R_HTTP_FRAMING,
		"there are %u Content-Length and %u Transfer-Encoding fields", f->lengths,
		f->codings);
	/*= RFC9112 6.1: Transfer-Encoding in HTTP/1.0 is faulty framing =*/
	LK_REQUIRE(!f->codings || !is_1_0, e, LK_R_HTTP_FRAMING,
		"Transfer-Encoding stands in a message of HTTP/1.0");
	/*= RFC9112 6.1: a transfer coding that is not understood is answered with 501 =*/
	LK_REQUIRE(!f->codings || strcasecmp(f->coding, "chunked") == 0, e, LK_R_HTTP_CODING,
		"Transfer-Encoding is not chunked");
	/*= RFC9112 6.3: an invalid Content-Length is refused =*/
	LK_REQUIRE(
		!f->lengths ||
			lk_parse_u64(lk_slice_str(f->length), "", 0, INT64_MAX, &h->left, NULL).ok,
		e, LK_R_HTTP_FRAMING, "Content-Length is not a number");

	if (is_response && (h->answers_head || h->status == 204 || h->status == 304))
		h->framing = FRAMING_NONE;
	else if (f->codings)
		h->framing = FRAMING_CHUNKED;
	else if (f->lengths)
		h->framing = h->left ? FRAMING_LENGTH : FRAMING_NONE;
	else
		h->framing = is_response ? FRAMING_CLOSE : FRAMING_NONE;

	if (h->framing == FRAMING_CHUNKED)
		h->left = 0;
	h->keep_alive = !is_1_0 && !f->close && h->framing != FRAMING_CLOSE;
	h->state = h->framing == FRAMING_NONE ? LK_HTTP1_DONE : LK_HTTP1_BODY;
	return LK_OK;
}

/* An interim response says nothing that is used here: the final one follows. */
static struct lk_result
skip_interim(struct lk_http1 *h, struct lk_err *e)
{
	LK_REQUIRE(h->status != 101, e, LK_R_HTTP_SYNTAX, "101 answers a question nobody asked");
	h->overhead_n += h->head.n;
	LK_REQUIRE(h->overhead_n <= h->head_max, e, LK_R_HTTP_HEAD_TOO_LARGE,
		"interim responses take more than %zu bytes", h->head_max);
	lk_buf_clear(&h->head);
	h->n_fields = 0;
	return LK_OK;
}

static struct lk_result
parse_head(struct lk_http1 *h, struct lk_err *e)
{
	char *p = (char *)h->head.p, *line;
	struct framing_fields f;
	bool is_1_0;

	LK_TRY(next_line(&p, &line, e));
	if (h->kind == LK_HTTP1_REQUEST)
		LK_TRY(parse_request_line(h, line, &is_1_0, e));
	else
		LK_TRY(parse_status_line(h, line, &is_1_0, e));
	for (;;) {
		LK_TRY(next_line(&p, &line, e));
		if (*line == 0)
			break;
		LK_TRY(parse_field(h, line, e));
	}
	if (h->kind == LK_HTTP1_RESPONSE && h->status < 200)
		return skip_interim(h, e);
	LK_TRY(look_at_fields(h, &f, is_1_0, e));
	/*= RFC9112 3.2: a request of HTTP/1.1 has exactly one Host field =*/
	LK_REQUIRE(h->kind == LK_HTTP1_RESPONSE || f.hosts == 1 || (is_1_0 && f.hosts == 0), e,
		LK_R_HTTP_HOST, "there are %u Host fields", f.hosts);
	return find_framing(h, &f, is_1_0, e);
}

/* Looks for the empty line in what was gathered from `from` on; 0: not there yet. */
static struct lk_result
find_head_end(const struct lk_buf *head, size_t from, size_t *ret, struct lk_err *e)
{
	const uint8_t *p = head->p, *lf;
	size_t i;

	for (*ret = 0; *ret == 0 && from < head->n; from = i + 1) {
		lf = memchr(p + from, '\n', head->n - from);
		if (!lf)
			break;
		i = (size_t)(lf - p);
		/*= RFC9112 2.2: a bare LF is not a line end here =*/
		LK_REQUIRE(i > 0 && p[i - 1] == '\r', e, LK_R_HTTP_SYNTAX,
			"a line of the header ends with a bare LF");
		if (i >= 3 && p[i - 2] == '\n')
			*ret = i + 1;
	}
	return LK_OK;
}

static struct lk_result
feed_head(struct lk_http1 *h, struct lk_slice in, size_t *ret_used, struct lk_err *e)
{
	size_t skipped = 0, was = h->head.n, room = h->head_max - was, end;
	struct lk_slice take;

	/*= RFC9112 2.2: empty lines before a request line are ignored =*/
	if (h->kind == LK_HTTP1_REQUEST && was == 0)
		while (skipped < in.n && (in.p[skipped] == '\r' || in.p[skipped] == '\n'))
			skipped++;
	in = lk_slice(in.p + skipped, in.n - skipped);
	take = lk_slice(in.p, in.n < room ? in.n : room);
	LK_TRY(lk_buf_append(&h->head, take, e));
	h->begun |= h->head.n > 0;
	LK_TRY(find_head_end(&h->head, was, &end, e));
	LK_REQUIRE(end || h->head.n < h->head_max, e, LK_R_HTTP_HEAD_TOO_LARGE,
		"the header takes more than %zu bytes", h->head_max);
	*ret_used = skipped + (end ? end - was : take.n);
	if (!end)
		return LK_OK;
	h->head.n = end;
	return parse_head(h, e);
}

/* --- the body --------------------------------------------------------------------------------- */

static struct lk_result
require_room(const struct lk_http1 *h, uint64_t n, struct lk_err *e)
{
	LK_REQUIRE(n <= h->body.max - h->body.n, e, LK_R_HTTP_BODY_TOO_LARGE,
		"the body takes more than %zu bytes", h->body.max);
	return LK_OK;
}

/* Appends what of `in` belongs to the `left` bytes that are to come. */
static struct lk_result
take_left(struct lk_http1 *h, struct lk_slice in, size_t *ret_used, struct lk_err *e)
{
	size_t n = h->left < in.n ? (size_t)h->left : in.n;

	LK_TRY(lk_buf_append(&h->body, lk_slice(in.p, n), e));
	h->left -= n;
	*ret_used = n;
	return LK_OK;
}

static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static struct lk_result
chunk_size(struct lk_http1 *h, uint8_t c, struct lk_err *e)
{
	int digit = hex_value(c);

	if (digit >= 0) {
		LK_REQUIRE(h->line_n < CHUNK_DIGITS_MAX, e, LK_R_HTTP_CHUNK,
			"a chunk size has more than %d digits", CHUNK_DIGITS_MAX);
		h->left = h->left * 16 + (uint64_t)digit;
		h->line_n++;
		return LK_OK;
	}
	LK_REQUIRE(h->line_n > 0 && (c == ';' || c == '\r'), e, LK_R_HTTP_CHUNK,
		"a chunk size is not a hexadecimal number");
	h->chunk_state = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
	return LK_OK;
}

/* A byte of an extension or of a trailer: bounded, otherwise ignored. */
static struct lk_result
chunk_overhead(struct lk_http1 *h, uint8_t c, struct lk_err *e)
{
	LK_REQUIRE(is_field_char(c), e, LK_R_HTTP_CHUNK,
		"a chunk extension or trailer contains the octet %#04x", c);
	LK_REQUIRE(++h->overhead_n <= h->head_max, e, LK_R_HTTP_CHUNK,
		"chunk extensions and trailers take more than %zu bytes", h->head_max);
	h->line_n++;
	return LK_OK;
}

static struct lk_result
chunk_expect(struct lk_http1 *h, uint8_t c, uint8_t want, enum chunk_state next, struct lk_err *e)
{
	LK_REQUIRE(c == want, e, LK_R_HTTP_CHUNK, "a chunk does not end with CRLF");
	h->chunk_state = (int)next;
	h->line_n = 0;
	return LK_OK;
}

/* One byte of chunked framing (RFC 9112 7.1); the data themselves are taken elsewhere. */
static struct lk_result
chunk_byte(struct lk_http1 *h, uint8_t c, struct lk_err *e)
{
	switch ((enum chunk_state)h->chunk_state) {
	case CHUNK_SIZE:
		return chunk_size(h, c, e);
	case CHUNK_EXTENSION:
		if (c != '\r')
			return chunk_overhead(h, c, e);
		h->chunk_state = CHUNK_SIZE_LF;
		return LK_OK;
	case CHUNK_SIZE_LF:
		LK_TRY(require_room(h, h->left, e));
		return chunk_expect(h, c, '\n', h->left ? CHUNK_DATA : CHUNK_TRAILER, e);
	case CHUNK_DATA:
		return lk_fail(e, LK_R_BUG, "a byte of data was taken for framing");
	case CHUNK_DATA_CR:
		return chunk_expect(h, c, '\r', CHUNK_DATA_LF, e);
	case CHUNK_DATA_LF:
		return chunk_expect(h, c, '\n', CHUNK_SIZE, e);
	case CHUNK_TRAILER:
		if (c != '\r')
			return chunk_overhead(h, c, e);
		h->chunk_state = h->line_n ? CHUNK_TRAILER_LF : CHUNK_END_LF;
		return LK_OK;
	case CHUNK_TRAILER_LF:
		return chunk_expect(h, c, '\n', CHUNK_TRAILER, e);
	case CHUNK_END_LF:
		LK_TRY(chunk_expect(h, c, '\n', CHUNK_SIZE, e));
		h->state = LK_HTTP1_DONE;
		return LK_OK;
	}
	return lk_fail(e, LK_R_BUG, "there is no chunk state %d", h->chunk_state);
}

static struct lk_result
feed_chunked(struct lk_http1 *h, struct lk_slice in, size_t *ret_used, struct lk_err *e)
{
	size_t used = 0, n;

	while (used < in.n && h->state != LK_HTTP1_DONE) {
		if (h->chunk_state != CHUNK_DATA) {
			LK_TRY(chunk_byte(h, in.p[used++], e));
			continue;
		}
		LK_TRY(take_left(h, lk_slice(in.p + used, in.n - used), &n, e));
		used += n;
		if (h->left == 0)
			h->chunk_state = CHUNK_DATA_CR;
	}
	*ret_used = used;
	return LK_OK;
}

static struct lk_result
feed_body(struct lk_http1 *h, struct lk_slice in, size_t *ret_used, struct lk_err *e)
{
	if (h->framing == FRAMING_CHUNKED)
		return feed_chunked(h, in, ret_used, e);
	if (h->framing == FRAMING_CLOSE)
		h->left = in.n;
	LK_TRY(require_room(h, h->left, e));
	LK_TRY(take_left(h, in, ret_used, e));
	if (h->framing == FRAMING_LENGTH && h->left == 0)
		h->state = LK_HTTP1_DONE;
	return LK_OK;
}

struct lk_result
lk_http1_feed(struct lk_http1 *h, struct lk_slice in, size_t *ret_used, struct lk_err *e)
{
	switch (h->state) {
	case LK_HTTP1_HEAD:
		return feed_head(h, in, ret_used, e);
	case LK_HTTP1_BODY:
		return feed_body(h, in, ret_used, e);
	case LK_HTTP1_DONE:
		break;
	}
	*ret_used = 0;
	return LK_OK;
}

struct lk_result
lk_http1_eof(struct lk_http1 *h, struct lk_err *e)
{
	/*= RFC9112 8: a message cut short is incomplete, never taken as it is =*/
	LK_REQUIRE(h->state == LK_HTTP1_DONE ||
			   (h->state == LK_HTTP1_BODY && h->framing == FRAMING_CLOSE),
		e, LK_R_HTTP_CUT, "the connection ended inside %s",
		h->state == LK_HTTP1_HEAD ? "the header" : "the body");
	h->state = LK_HTTP1_DONE;
	return LK_OK;
}

const char *
lk_http1_field(const struct lk_http1 *h, const char *name)
{
	size_t i;

	for (i = 0; i < h->n_fields; i++)
		if (strcasecmp(h->fields[i].name, name) == 0)
			return h->fields[i].value;
	return "";
}

/* --- writing ---------------------------------------------------------------------------------- */

const char *
lk_http1_status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} texts[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Status";
}

/* Nothing in what we send may end a line early. NULL: the field is not sent. */
static struct lk_result
put_field(struct lk_buf *out, const char *name, const char *value, struct lk_err *e)
{
	if (!value)
		return LK_OK;
	LK_REQUIRE(!strpbrk(name, "\r\n:") && !strpbrk(value, "\r\n"), e, LK_R_BUG,
		"a header field to be sent contains a line end");
	return lk_buf_printf(out, e, "%s: %s\r\n", name, value);
}

static struct lk_result
put_fields(struct lk_buf *out, const struct lk_http1_field *fields, size_t n, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < n; i++)
		LK_TRY(put_field(out, fields[i].name, fields[i].value, e));
	return LK_OK;
}

static struct lk_result
print_request(const struct lk_http1_request *r, struct lk_buf *out, struct lk_err *e)
{
	struct lk_slice body = r->content_type ? r->body : lk_slice(NULL, 0);

	LK_REQUIRE(is_token(r->method) && r->target[0] == '/' && !strpbrk(r->target, " \r\n#"), e,
		LK_R_BUG, "the request line cannot be written");
	LK_TRY(lk_buf_printf(out, e, "%s %s HTTP/1.1\r\n", r->method, r->target));
	LK_TRY(put_field(out, "Host", r->host, e));
	LK_TRY(put_field(out, "Accept", r->accept, e));
	LK_TRY(put_field(out, "Content-Type", r->content_type, e));
	LK_TRY(put_fields(out, r->extra, r->n_extra, e));
	LK_TRY(put_field(out, "Connection", r->close_after ? "close" : NULL, e));
	if (r->content_type || strcmp(r->method, "GET") != 0)
		LK_TRY(lk_buf_printf(out, e, "Content-Length: %zu\r\n", body.n));
	LK_TRY(lk_buf_append_str(out, "\r\n", e));
	return lk_buf_append(out, body, e);
}

void
lk_http1_date(int64_t t, char dst[static LK_HTTP1_DATE_MAX])
{
	time_t at = (time_t)t;
	struct tm tm;

	dst[0] = 0;
	/*= RFC9110 5.6.7: IMF-fixdate =*/
	if (gmtime_r(&at, &tm))
		strftime(dst, LK_HTTP1_DATE_MAX, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static struct lk_result
put_date(struct lk_buf *out, int64_t now, struct lk_err *e)
{
	char text[LK_HTTP1_DATE_MAX];

	if (!now)
		return LK_OK;
	lk_http1_date(now, text);
	return put_field(out, "Date", text[0] ? text : NULL, e);
}

static struct lk_result
print_response(const struct lk_http1_response *r, struct lk_buf *out, struct lk_err *e)
{
	struct lk_slice body = r->content_type ? r->body : lk_slice(NULL, 0);
	size_t start = out->n;

	LK_TRY(lk_buf_printf(
		out, e, "HTTP/1.1 %u %s\r\n", r->status, lk_http1_status_text(r->status)));
	LK_TRY(put_date(out, r->now, e));
	LK_TRY(put_field(out, "Content-Type", r->content_type, e));
	if (r->retry_after_s)
		LK_TRY(lk_buf_printf(out, e, "Retry-After: %u\r\n", r->retry_after_s));
	LK_TRY(put_field(out, "WWW-Authenticate", r->www_authenticate, e));
	LK_TRY(put_fields(out, r->extra, r->n_extra, e));
	LK_TRY(put_field(out, "Connection", r->close_after ? "close" : NULL, e));
	/*= RFC9110 8.6: 204 carries no Content-Length =*/
	/*= RFC9110 8.6: the Content-Length of 304 would be that of the 200 response =*/
	if (r->status != 204 && r->status != 304)
		LK_TRY(lk_buf_printf(out, e, "Content-Length: %zu\r\n", body.n));
	LK_TRY(lk_buf_append_str(out, "\r\n", e));
	LK_REQUIRE(out->n - start < LK_HTTP1_RESPONSE_HEAD_MAX, e, LK_R_BUG,
		"a response header of %zu bytes", out->n - start);
	return lk_buf_append(out, r->no_body || r->status == 204 ? lk_slice(NULL, 0) : body, e);
}

struct lk_result
lk_http1_print_request(const struct lk_http1_request *r, struct lk_buf *out, struct lk_err *e)
{
	size_t was = out->n;
	struct lk_result done = print_request(r, out, e);

	if (!done.ok)
		lk_buf_truncate(out, was);
	return done;
}

struct lk_result
lk_http1_print_response(const struct lk_http1_response *r, struct lk_buf *out, struct lk_err *e)
{
	size_t was = out->n;
	struct lk_result done = print_response(r, out, e);

	if (!done.ok)
		lk_buf_truncate(out, was);
	return done;
}
