/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTPS request over a socket, for what comes after onboarding. The server is
 * judged by the anchors the caller names and, when it has a name, by that name
 * (RFC 9525); nothing else of this machine is believed.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/x509v3.h>

#include "agent/agent.h"
#include "agent/channel.h"

#define ADDRESSES_MAX 8
#define CONNECT_MS    5000 /* to an address of a name that has more: RFC 8995 5.1 waits as long */

struct place {
	char host[LK_CERT_NAME_MAX]; /* without brackets; "": known by its address */
	char port[6];
	char authority[LK_CERT_NAME_MAX]; /* of the Host field */
	char target[2 * LK_CERT_NAME_MAX];
	struct sockaddr_in6 addresses[ADDRESSES_MAX]; /* in the order to be tried */
	size_t n_addresses;
};

struct conversation {
	struct lk_agent *agent;
	const struct lk_call *call;
	struct place place;
	struct lk_channel *channel;
	int fd;
	bool asked;
};

/* --- where to --------------------------------------------------------------------------------- */

/* rest: what stands behind a URL's authority. */
static struct lk_result
find_target(const char *rest, const char *path_after, struct place *p, struct lk_err *e)
{
	size_t path = strcspn(rest, "?#"), whole = strcspn(rest, "#");
	int n;

	while (path && rest[path - 1] == '/')
		path--;
	if (path_after)
		n = snprintf(p->target, sizeof p->target, "%.*s%s", (int)path, rest, path_after);
	else
		n = snprintf(p->target, sizeof p->target, "%s%.*s", *rest == '/' ? "" : "/",
			(int)whole, rest);
	LK_REQUIRE(n > 0 && (size_t)n < sizeof p->target, e, LK_R_TOO_LARGE,
		"the path %.40s... is too long", rest);
	return LK_OK;
}

static struct lk_result
split_url(const struct lk_call *call, struct place *p, struct lk_err *e)
{
	static const char scheme[] = "https://";
	const char *authority = call->url + sizeof scheme - 1, *end, *host, *host_end, *port;

	LK_REQUIRE(strncmp(call->url, scheme, sizeof scheme - 1) == 0, e, LK_R_SYNTAX_TEXT,
		"'%s' is not an https URL", call->url);
	end = authority + strcspn(authority, "/?#");
	LK_REQUIRE(!memchr(authority, '@', (size_t)(end - authority)), e, LK_R_SYNTAX_TEXT,
		"'%s' names a user", call->url);
	host = *authority == '[' ? authority + 1 : authority;
	host_end =
		*authority == '[' ? strchr(authority, ']') : authority + strcspn(authority, ":/?#");
	LK_REQUIRE(host_end && host_end > host && host_end <= end, e, LK_R_SYNTAX_TEXT,
		"'%s' names no host", call->url);
	port = host_end + (*authority == '[');
	LK_REQUIRE(port == end || *port == ':', e, LK_R_SYNTAX_TEXT,
		"'%s' has something between host and port", call->url);
	LK_TRY(lk_slice_to_str(
		lk_slice(host, (size_t)(host_end - host)), "host", p->host, sizeof p->host, e));
	LK_TRY(lk_slice_to_str(lk_slice(authority, (size_t)(end - authority)), "authority",
		p->authority, sizeof p->authority, e));
	if (*port == ':')
		LK_TRY(lk_slice_to_str(lk_slice(port + 1, (size_t)(end - port - 1)), "port",
			p->port, sizeof p->port, e));
	else
		snprintf(p->port, sizeof p->port, "443");
	return find_target(end, call->path_after, p, e);
}

static struct lk_result
resolve(struct place *p, struct lk_err *e)
{
	struct addrinfo hints = { .ai_family = AF_INET6,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_V4MAPPED | AI_ALL | AI_NUMERICSERV };
	struct addrinfo *found = NULL, *i;
	int error = getaddrinfo(p->host, p->port, &hints, &found);

	LK_REQUIRE(error == 0, e, LK_R_AGENT_CONNECT, "%s: %s", p->host, gai_strerror(error));
	for (i = found; i && p->n_addresses < ADDRESSES_MAX; i = i->ai_next)
		memcpy(&p->addresses[p->n_addresses++], i->ai_addr, sizeof p->addresses[0]);
	freeaddrinfo(found);
	return LK_OK;
}

static struct lk_result
find_place(const struct lk_call *call, struct place *p, struct lk_err *e)
{
	if (call->url) {
		LK_TRY(split_url(call, p, e));
		return resolve(p, e);
	}
	p->addresses[p->n_addresses++] = *call->address;
	lk_candidate_print(call->address, false, p->authority);
	return lk_slice_to_str(
		lk_slice_str(call->request.target), "path", p->target, sizeof p->target, e);
}

/* --- whom to believe -------------------------------------------------------------------------- */

/*= RFC9525 6: the server's name is the one in the URL, in subjectAltName =*/
static struct lk_result
check_name(const struct place *p, const struct lk_cert *server, struct lk_err *e)
{
	X509 *x = lk_cert_x509(server);

	LK_REQUIRE(X509_check_host(x, p->host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1 ||
			   X509_check_ip_asc(x, p->host, 0) == 1,
		e, LK_R_AGENT_SERVER, "the server's certificate is not %s's", p->host);
	return LK_OK;
}

static struct lk_result
judge(void *ctx, const struct lk_certs *server, struct lk_err *e)
{
	const struct conversation *v = ctx;
	const struct lk_cert *own = server->v[0];

	LK_TRY(lk_chain_verify(v->call->anchors, own, server, lk_agent_times(v->agent),
		lk_now(v->agent->clock), e));
	LK_REQUIRE(!lk_cert_has_any_eku(own) || lk_cert_has_eku(own, LK_OID_EKU_SERVER_AUTH), e,
		LK_R_AGENT_SERVER, "the certificate is not one of a server");
	return v->call->url ? check_name(&v->place, own, e) : LK_OK;
}

/* --- the conversation ------------------------------------------------------------------------- */

static struct lk_result
connect_to(struct conversation *v, const struct sockaddr_in6 *address, int64_t deadline_ms,
	struct lk_err *e)
{
	LK_CLEANUP(lk_closep)
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	const char *who = v->place.authority;
	int error = 0;
	socklen_t n = sizeof error;

	LK_REQUIRE(fd >= 0, e, LK_R_AGENT_CONNECT, "socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
		LK_REQUIRE(errno == EINPROGRESS, e, LK_R_AGENT_CONNECT, "%s: %s", who,
			strerror(errno));
		while (!p.revents)
			LK_REQUIRE(lk_agent_ms(v->agent) < deadline_ms &&
					   lk_agent_wait(v->agent, &p, 1, deadline_ms),
				e, LK_R_AGENT_SILENT, "%s does not answer", who);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
		LK_REQUIRE(!error, e, LK_R_AGENT_CONNECT, "%s: %s", who, strerror(error));
	}
	v->fd = fd;
	fd = -1;
	return LK_OK;
}

/* The addresses one after the other; the last one has all the time that is left. */
static struct lk_result
open_connection(struct conversation *v, struct lk_err *e)
{
	const struct place *p = &v->place;
	size_t i;

	for (i = 0; i + 1 < p->n_addresses; i++) {
		int64_t end_ms = lk_agent_ms(v->agent) + CONNECT_MS;

		if (end_ms > v->call->deadline_ms)
			end_ms = v->call->deadline_ms;
		if (connect_to(v, &p->addresses[i], end_ms, e).ok)
			return LK_OK;
	}
	return connect_to(v, &p->addresses[i], v->call->deadline_ms, e);
}

static struct lk_result
open_channel(struct conversation *v, struct lk_err *e)
{
	const struct lk_onboarded *own = &v->agent->onboarded;
	struct lk_channel_settings s = { .host = v->place.authority,
		.judge = judge,
		.ctx = v,
		.allow_tls12 = !v->call->with_ldevid };

	if (v->call->url && strspn(v->place.host, "0123456789.:") != strlen(v->place.host))
		s.server_name = v->place.host;
	if (v->call->with_ldevid) {
		s.own = own->ldevid.v[0];
		s.own_key = own->key;
		s.own_chain = &own->ca;
	}
	return lk_channel_new(&s, &v->channel, e);
}

static struct lk_result
move_bytes(struct conversation *v, short events, struct lk_err *e)
{
	struct lk_slice out = lk_channel_output(v->channel);
	ssize_t n = out.n ? send(v->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
	uint8_t chunk[16 * 1024];

	if (n > 0)
		lk_channel_sent(v->channel, (size_t)n);
	if (!(events & (POLLIN | POLLHUP | POLLERR)))
		return LK_OK;
	n = recv(v->fd, chunk, sizeof chunk, MSG_DONTWAIT);
	if (n > 0)
		return lk_channel_feed(v->channel, lk_slice(chunk, (size_t)n), e);
	LK_REQUIRE(n == 0 || errno == EAGAIN || errno == EINTR, e, LK_R_AGENT_CONNECT, "%s: %s",
		v->place.authority, strerror(errno));
	return n == 0 ? lk_channel_eof(v->channel, e) : LK_OK;
}

static struct lk_result
converse(struct conversation *v, struct lk_err *e)
{
	struct lk_http1_request r = v->call->request;
	struct pollfd p = { .fd = v->fd };

	r.target = v->place.target;
	r.close_after = true;
	while (!lk_channel_response(v->channel)) {
		LK_TRY(move_bytes(v, p.revents, e));
		if (lk_channel_is_up(v->channel) && !v->asked) {
			LK_TRY(lk_channel_request(v->channel, &r, e));
			v->asked = true;
		}
		p.events = lk_channel_output(v->channel).n ? POLLIN | POLLOUT : POLLIN;
		if (!lk_channel_response(v->channel))
			LK_REQUIRE(lk_agent_ms(v->agent) < v->call->deadline_ms &&
					   lk_agent_wait(v->agent, &p, 1, v->call->deadline_ms),
				e, LK_R_AGENT_SILENT, "%s does not answer", v->place.authority);
	}
	return LK_OK;
}

static void
conversation_done(struct conversation *v)
{
	lk_channel_free(v->channel);
	if (v->fd >= 0)
		close(v->fd);
}

struct lk_result
lk_agent_call(struct lk_agent *a, const struct lk_call *call, unsigned *ret_status,
	struct lk_buf *body, struct lk_err *e)
{
	LK_CLEANUP(conversation_done)
	struct conversation v = { .agent = a, .call = call, .fd = -1 };
	const struct lk_http1 *h;

	LK_TRY(find_place(call, &v.place, e));
	LK_TRY(open_connection(&v, e));
	LK_TRY(open_channel(&v, e));
	LK_TRY(converse(&v, e));
	h = lk_channel_response(v.channel);
	if (body)
		LK_TRY(lk_buf_append(body, lk_buf_slice(&h->body), e));
	*ret_status = h->status;
	return LK_OK;
}
