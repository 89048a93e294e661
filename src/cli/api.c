/* SPDX-License-Identifier: Apache-2.0
 *
 * A small HTTP client over AF_UNIX.
 */
#include "cli/api.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/http1.h"

#define REQUEST_MAX (18 * 1024 * 1024) /* a manifest, escaped */
#define REPLY_MAX   (4 * 1024 * 1024)
#define WAIT_S      60 /* an approval may wait for the manufacturer */

static struct lk_result
connect_to(const char *path, int *ret_fd, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const struct timeval wait = { .tv_sec = WAIT_S };

	LK_REQUIRE(
		strlen(path) < sizeof to.sun_path, e, LK_R_USAGE, "the socket's path is too long");
	memcpy(to.sun_path, path, strlen(path));
	LK_REQUIRE(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0, e,
		errno == EACCES ? LK_R_API_PEER : LK_R_IPC_GONE, "%s: %s; is latchkeyd running?",
		path, strerror(errno));
	lk_ignore((struct lk_result){
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 });
	*ret_fd = fd;
	fd = -1;
	return LK_OK;
}

static struct lk_result
send_all(int fd, struct lk_slice s, struct lk_err *e)
{
	while (s.n) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		LK_REQUIRE(
			n > 0, e, LK_R_IPC_IO, "the request cannot be sent: %s", strerror(errno));
		s.p += n;
		s.n -= (size_t)n;
	}
	return LK_OK;
}

static struct lk_result
receive(int fd, struct lk_http1 *h, struct lk_err *e)
{
	uint8_t chunk[16384];

	lk_http1_init(h, LK_HTTP1_RESPONSE, LK_HTTP1_HEAD_MAX);
	while (h->state != LK_HTTP1_DONE) {
		ssize_t n = recv(fd, chunk, sizeof chunk, 0);
		struct lk_slice in = lk_slice(chunk, n > 0 ? (size_t)n : 0);
		size_t used;

		if (n < 0 && errno == EINTR)
			continue;
		LK_REQUIRE(n >= 0, e, LK_R_ROLE_SILENT, "no answer came: %s", strerror(errno));
		if (n == 0)
			return lk_http1_eof(h, e);
		while (in.n && h->state != LK_HTTP1_DONE) {
			LK_TRY(lk_http1_feed(h, in, &used, e));
			in = lk_slice(in.p + used, in.n - used);
			h->body.max = REPLY_MAX;
		}
	}
	return LK_OK;
}

/* The daemon's refusal becomes ours, by name: both are built from one registry. */
static struct lk_result
take_refusal(const json_t *obj, unsigned status, struct lk_err *e)
{
	const json_t *error = json_object_get(obj, "error");
	const char *symbol = json_string_value(json_object_get(error, "reason"));
	const char *message = json_string_value(json_object_get(error, "message"));
	enum lk_reason reason = symbol ? lk_reason_by_symbol(symbol) : LK_R_COUNT;

	if (reason == LK_R_COUNT)
		reason = LK_R_API_ANSWER;
	return lk_fail(e, reason, "%s (status %u)", message ? message : "no message", status);
}

static struct lk_result
exchange(int fd, struct lk_slice request, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
	json_auto_t *obj = NULL;

	LK_TRY(send_all(fd, request, e));
	LK_TRY(receive(fd, &h, e));
	obj = json_loadb((const char *)h.body.p, h.body.n, JSON_REJECT_DUPLICATES, NULL);
	if (h.status != 200)
		return take_refusal(obj, h.status, e);
	LK_REQUIRE(json_is_object(obj), e, LK_R_API_ANSWER, "the answer is no JSON object");
	*ret = LK_TAKE(obj);
	return LK_OK;
}

struct lk_result
lk_api_call(const char *socket_path, const char *method, const char *path, const json_t *args,
	json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(REQUEST_MAX);
	LK_CLEANUP(lk_closep) int fd = -1;
	LK_CLEANUP(lk_freep) char *body = args ? json_dumps(args, JSON_COMPACT) : NULL;
	char target[512];
	struct lk_http1_request r = { .method = method,
		.target = target,
		.host = "latchkeyd",
		.accept = "application/json",
		.body = lk_slice_str(body),
		.close_after = true };

	LK_REQUIRE((size_t)snprintf(target, sizeof target, "/api/v1%s", path) < sizeof target, e,
		LK_R_USAGE, "a name is too long");
	if (body)
		r.content_type = "application/json";
	LK_TRY(lk_http1_print_request(&r, &request, e));
	LK_TRY(connect_to(socket_path, &fd, e));
	return exchange(fd, lk_buf_slice(&request), ret, e);
}
