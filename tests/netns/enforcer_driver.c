/* SPDX-License-Identifier: Apache-2.0
 *
 * The real enforcer, in its own process and cage, with this program as its supervisor
 * and keeper. What the enforcer tells goes to standard output, a line each; from standard
 * input come "open PORT MAC [DEVICE]", "close PORT MAC [DEVICE]" (a device is called by its MAC
 * unless told), "keeper": there is another keeper from now on, "stop", and "die": this program ends
 *without a word to the enforcer.
 *
 *	enforcer_driver CONFIG
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "noc/noc.h"

static const char *const kinds[LK_PORT_EVENT_COUNT] = { "seen", "authenticated", "left",
	"foreign-mac", "foreign-source", "lease" };

static void
or_die(struct lk_result r, const struct lk_err *e)
{
	if (r.ok)
		return;
	fprintf(stderr, "enforcer_driver: %s: %s\n", lk_reason_info(e->reason)->symbol, e->msg);
	exit(1);
}

static struct lk_channel *
new_channel(enum lk_role self, enum lk_role peer, int *ret_theirs)
{
	struct lk_channel *c;
	struct lk_err e;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		abort();
	or_die(lk_channel_new(fds[0], self, peer, &c, &e), &e);
	*ret_theirs = fds[1];
	return c;
}

static pid_t
start(int control)
{
	pid_t child = fork();

	if (child)
		return child;
	dup2(control, 3);
	execl("/proc/self/exe", "enforcer_driver", (char *)NULL);
	_exit(127);
}

static void
event(struct lk_channel *c, enum lk_body type, const void *body, int fd)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(lk_body_max(type));
	struct lk_err e;

	or_die(lk_body_pack(type, body, &packed, &e), &e);
	or_die(lk_channel_event(c, type, lk_buf_slice(&packed), fd, &e), &e);
}

static void
done(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	struct lk_port_done_body b = { 0 };
	const char *verb = tag == LK_BODY_port_open ? "open" : "close";

	(void)ctx;
	if (m && lk_body_unpack(LK_BODY_port_done, m->body, &b, NULL).ok)
		printf("%s done %s\n", verb, b.changed ? "changed" : "same");
	else
		printf("%s refused %s\n", verb, lk_reason_info(why->reason)->symbol);
}

static struct lk_channel *
link_keeper(struct lk_channel *control)
{
	int theirs;
	struct lk_channel *keeper = new_channel(LK_ROLE_KEEPER, LK_ROLE_ENFORCER, &theirs);

	event(control, LK_BODY_link, &(struct lk_link_body){ .role = LK_ROLE_KEEPER }, theirs);
	close(theirs);
	return keeper;
}

static void
obey(struct lk_channel *control, struct lk_channel **keeper)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(65536);
	struct lk_port_open_body o = { .class_mark = 1 };
	struct lk_port_close_body c = { .deauthenticate = true };
	char line[256], word[16], port[64] = "", mac[18] = "", device[37] = "";
	struct lk_err e;
	int n;

	if (!fgets(line, sizeof line, stdin))
		exit(0);
	n = sscanf(line, "%15s %63s %17s %36s", word, port, mac, device); /* lint: banned: ours */
	if (n < 1)
		return;
	if (n < 4)
		memcpy(device, mac, sizeof mac);
	memcpy(o.port, port, sizeof o.port);
	memcpy(o.mac, mac, sizeof o.mac);
	memcpy(o.device_id, device, sizeof o.device_id);
	memcpy(c.port, port, sizeof c.port);
	memcpy(c.mac, mac, sizeof c.mac);
	memcpy(c.device_id, device, sizeof c.device_id);
	if (strcmp(word, "open") == 0) {
		or_die(lk_body_pack(LK_BODY_port_open, &o, &packed, &e), &e);
		or_die(lk_channel_request(*keeper, LK_BODY_port_open, lk_buf_slice(&packed), done,
			       NULL, LK_BODY_port_open, &e),
			&e);
	} else if (strcmp(word, "close") == 0) {
		or_die(lk_body_pack(LK_BODY_port_close, &c, &packed, &e), &e);
		or_die(lk_channel_request(*keeper, LK_BODY_port_close, lk_buf_slice(&packed), done,
			       NULL, LK_BODY_port_close, &e),
			&e);
	} else if (strcmp(word, "keeper") == 0) {
		lk_channel_free(*keeper);
		*keeper = link_keeper(control);
	} else if (strcmp(word, "die") == 0) {
		exit(0);
	} else {
		event(control, LK_BODY_shutdown, &(struct lk_shutdown_body){}, -1);
	}
}

/* False at the end of the enforcer. */
static bool
hear(struct lk_channel *c)
{
	LK_CLEANUP(lk_message_done) struct lk_message m = LK_MESSAGE_INIT;
	struct lk_port_event_body b;
	enum lk_received what;
	struct lk_err e;

	or_die(lk_channel_receive(c, &m, &what, &e), &e);
	if (what == LK_RECEIVED_END)
		return false;
	if (what == LK_RECEIVED_MESSAGE && m.type == LK_BODY_ready)
		puts("ready");
	if (what == LK_RECEIVED_MESSAGE && m.type == LK_BODY_port_event) {
		or_die(lk_body_unpack(LK_BODY_port_event, m.body, &b, &e), &e);
		printf("%s %s %s %s %s\n", kinds[b.kind], b.port, b.mac, b.detail, b.device_id);
	}
	return true;
}

int
main(int argc, char **argv)
{
	static struct lk_noc_config config;
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(1 << 20);
	int theirs, status = 0;
	struct lk_channel *control, *keeper;
	struct lk_err e;
	pid_t child;

	if (argc == 1)
		return lk_process_run(&lk_noc_config_spec, LK_ROLE_ENFORCER, 0, &lk_noc_enforcer);
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	or_die(lk_config_defaults(&lk_noc_config_spec, &config, &e), &e);
	or_die(lk_config_read(&lk_noc_config_spec, argv[1], &config, &e), &e);
	or_die(lk_config_pack(&lk_noc_config_spec, &config, &packed, &e), &e);
	control = new_channel(LK_ROLE_SUPERVISOR, LK_ROLE_ENFORCER, &theirs);
	child = start(theirs);
	close(theirs);
	keeper = link_keeper(control);
	event(control, LK_BODY_start, &(struct lk_start_body){ .config = lk_buf_slice(&packed) },
		-1);
	for (;;) {
		struct pollfd fds[] = { { 0, POLLIN, 0 }, { lk_channel_fd(control), POLLIN, 0 },
			{ lk_channel_fd(keeper), POLLIN, 0 } };

		or_die(lk_channel_flush(control, &e), &e);
		or_die(lk_channel_flush(keeper, &e), &e);
		poll(fds, 3, -1);
		if (fds[2].revents && !hear(keeper))
			break;
		if (fds[1].revents && !hear(control))
			break;
		if (fds[0].revents)
			obey(control, &keeper);
	}
	waitpid(child, &status, 0);
	printf("ended %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	return 0;
}
