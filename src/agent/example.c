/* SPDX-License-Identifier: Apache-2.0
 *
 * A device that onboards with liblatchkey-agent and blocking sockets:
 *	example FOLDER ADDRESS PORT
 *
 * FOLDER has idevid.pem, idevid.key and anchors.pem; what is gained is put beside: ldevid.key,
 * ldevid.der, ca.pem, domain.der, information.cms.
 */
#include <latchkey/agent.h>

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static char *
read_file(const char *name)
{
	static const size_t max = 64 * 1024;
	char *text = calloc(1, max + 1);
	FILE *f = fopen(name, "r");

	if (f && text && fread(text, 1, max, f) == max)
		text[0] = 0; /* too large */
	if (f)
		fclose(f);
	return text;
}

/* A device with a file system worth its name syncs and renames, too. */
static bool
write_file(const char *name, struct latchkey_bytes content)
{
	FILE *f = fopen(name, "w");

	if (f && fwrite(content.p, 1, content.n, f) == content.n && fclose(f) == 0)
		return true;
	perror(name);
	return false;
}

static int
connect_to(const char *address, uint16_t port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST }, *found;
	char service[8];
	int fd;

	snprintf(service, sizeof service, "%u", port);
	if (getaddrinfo(address, service, &hints, &found) != 0)
		return -1;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0)
		close(fd), fd = -1;
	freeaddrinfo(found);
	return fd;
}

/* Sends what there is, waits for the peer or the deadline. */
static int
exchange(struct latchkey_agent *a, int fd)
{
	struct latchkey_bytes out = latchkey_agent_output(a);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left = latchkey_agent_deadline(a) - now_ms();
	ssize_t n = fd >= 0 && out.n ? send(fd, out.p, out.n, MSG_NOSIGNAL) : 0;
	char in[4096];

	if (n > 0)
		latchkey_agent_sent(a, (size_t)n);
	if (poll(&p, 1, left < 0 ? 0 : left > 60000 ? 60000 : (int)left) <= 0)
		return fd;
	n = recv(fd, in, sizeof in, 0);
	if (n > 0) {
		latchkey_agent_feed(a, in, (size_t)n, time(NULL), now_ms());
		return fd;
	}
	latchkey_agent_closed(a, time(NULL), now_ms());
	return close(fd), -1;
}

static void
onboard(struct latchkey_agent *a)
{
	enum latchkey_do what;
	const char *address;
	uint16_t port;
	int fd = -1;

	while ((what = latchkey_agent_next(a, time(NULL), now_ms())) != LATCHKEY_DONE) {
		if (what == LATCHKEY_WAIT) {
			fd = exchange(a, fd);
		} else if (what == LATCHKEY_CLOSE) {
			close(fd);
			fd = -1;
		} else {
			latchkey_agent_place(a, &address, &port);
			if ((fd = connect_to(address, port)) >= 0)
				latchkey_agent_connected(a, now_ms());
			else
				latchkey_agent_closed(a, time(NULL), now_ms());
		}
	}
}

int
main(int argc, char **argv)
{
	struct latchkey_settings s = { .idevid_key = "file:idevid.key",
		.ldevid_key = "file:ldevid.key" };
	struct latchkey_credentials got;
	struct latchkey_agent *a;
	const char *reason;
	bool kept;

	if (argc != 4 || chdir(argv[1]) < 0)
		return 2;
	s.idevid = read_file("idevid.pem");
	s.anchors = read_file("anchors.pem");
	s.address = argv[2];
	s.port = (uint16_t)strtoul(argv[3], NULL, 10); /* lint: number: an example has no base/ */
	a = latchkey_agent_new(&s, &reason);
	if (a)
		onboard(a);
	if (!a || !latchkey_agent_credentials(a, &got)) {
		fprintf(stderr, "not onboarded: %s\n", a ? latchkey_agent_reason(a) : reason);
		return 1;
	}
	kept = write_file("ldevid.der", got.ldevid) && write_file("ca.pem", got.ca) &&
	       write_file("domain.der", got.domain) &&
	       write_file("information.cms", got.information);
	latchkey_agent_free(a);
	return kept ? 0 : 1;
}
