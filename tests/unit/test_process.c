/* SPDX-License-Identifier: Apache-2.0
 *
 * A role process whose supervisor is the test: what it takes for orders, whom it
 * listens to, and when it ends.
 */
#include "test.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "role/process.h"

struct config {
	struct lk_config_common common;
};

static const struct lk_config_key keys[] = { LK_CONFIG_COMMON("/nonexistent") };
static const struct lk_config_spec spec = { "test", "/nonexistent/test.conf", keys,
	LK_ARRAY_LEN(keys), sizeof(struct config) };

/* A courier: fetches nothing, and says so. */
static struct lk_result
on_fetch(struct lk_process *p, const struct lk_peer_ref *from, const struct lk_message *m,
	struct lk_err *e)
{
	struct lk_err why;

	LK_REQUIRE(m->body.n > 0, e, LK_R_IPC_MALFORMED, "no body");
	LK_REQUIRE(m->body.p[0] != '!', e, LK_R_FILE_IO, "a fault of its own");
	lk_err_set(&why, LK_R_FILE_MISSING, "nothing there");
	return lk_process_refuse(p, from, &why, e);
}

static const struct lk_message_route routes[] = {
	{ LK_BODY_fetch, LK_ROLE_KEEPER, on_fetch },
};

/*= SEC-12: cryptography is configured by the choice of a policy =*/
static struct lk_result
open_under_policy(struct lk_process *p, struct lk_err *e)
{
	(void)p;
	LK_REQUIRE(strcmp(lk_policy_chosen()->name, "modern") == 0, e, LK_R_BUG, "another policy");
	return LK_OK;
}

static const struct lk_role_work work = {
	.routes = routes, .n_routes = LK_ARRAY_LEN(routes), .open = open_under_policy
};

static const struct lk_role_work deaf = { .routes = NULL };

/* One role process, and the test's ends of its channels. */
struct role {
	pid_t pid;
	struct lk_channel *control;
	struct lk_channel *keeper; /* NULL: not linked */
};

static void
order(struct role *r, enum lk_body type, const void *body, int fd)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(lk_body_max(type));

	assert_true(lk_body_pack(type, body, &packed, NULL).ok);
	assert_true(lk_channel_event(r->control, type, lk_buf_slice(&packed), fd, NULL).ok);
}

static void
link_keeper(struct role *r)
{
	struct lk_link_body body = { .role = LK_ROLE_KEEPER };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	order(r, LK_BODY_link, &body, fds[0]);
	close(fds[0]);
	assert_true(lk_channel_new(fds[1], LK_ROLE_KEEPER, LK_ROLE_COURIER, &r->keeper, NULL).ok);
}

static struct lk_message
wait_message(struct lk_channel *c)
{
	struct pollfd p = { .fd = lk_channel_fd(c), .events = POLLIN };
	struct lk_message m = LK_MESSAGE_INIT;
	enum lk_received what = LK_RECEIVED_NOTHING;

	while (what == LK_RECEIVED_NOTHING || what == LK_RECEIVED_REPLY) {
		assert_int_equal(poll(&p, 1, 60000), 1);
		assert_true(lk_channel_receive(c, &m, &what, NULL).ok);
	}
	assert_int_equal(what, LK_RECEIVED_MESSAGE);
	return m;
}

static struct role
start_role(const struct lk_role_work *w)
{
	struct role r = { .pid = 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(65536);
	struct lk_start_body body = { .accept_rollback = false };
	struct config config;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	r.pid = fork();
	assert_true(r.pid >= 0);
	if (r.pid == 0) {
		if (dup2(fds[0], 3) < 0 || close_range(4, ~0u, 0) < 0)
			_exit(99);
		_exit(lk_process_run(&spec, LK_ROLE_COURIER, 0, w));
	}
	close(fds[0]);
	assert_true(
		lk_channel_new(fds[1], LK_ROLE_SUPERVISOR, LK_ROLE_COURIER, &r.control, NULL).ok);
	link_keeper(&r);
	assert_true(lk_config_defaults(&spec, &config, NULL).ok);
	config.common.log_level = LK_LOG_ERROR;
	config.common.crypto_policy = 1; /* modern */
	assert_true(lk_config_pack(&spec, &config, &packed, NULL).ok);
	body.config = lk_buf_slice(&packed);
	order(&r, LK_BODY_start, &body, -1);
	assert_int_equal(wait_message(r.control).type, LK_BODY_ready);
	return r;
}

/* Waits until it ends by itself. */
static int
end_of(struct role *r)
{
	int status;

	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	lk_channel_free(r->control);
	lk_channel_free(r->keeper);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
shut_down(struct role *r)
{
	order(r, LK_BODY_shutdown, NULL, -1);
	return end_of(r);
}

static enum lk_reason
fetch(struct role *r, struct lk_slice body)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf reply = LK_BUF_INIT(1024);
	struct lk_err e = { .reason = LK_R_NONE };

	lk_ignore(lk_channel_call(r->keeper, LK_BODY_fetch, body, 60000, &reply, &e));
	return e.reason;
}

static bool
answers_ping(struct role *r)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf reply = LK_BUF_INIT(64);

	return lk_channel_call(r->control, LK_BODY_ping, lk_slice(NULL, 0), 60000, &reply, NULL).ok;
}

static void
test_handlers(void **state)
{
	struct role r = start_role(&work);

	(void)state;
	assert_int_equal(fetch(&r, LK_SLICE_LIT("x")), LK_R_FILE_MISSING); /* it refused */
	assert_int_equal(fetch(&r, LK_SLICE_LIT("!")), LK_R_FILE_IO);      /* it failed */
	assert_int_equal(fetch(&r, LK_SLICE_LIT("x")), LK_R_FILE_MISSING);
	assert_int_equal(fetch(&r, LK_SLICE_LIT("")), LK_R_IPC_GONE); /* closed for what it sent */
	assert_true(answers_ping(&r));
	assert_int_equal(shut_down(&r), 0);
}

/* The table of messages allows it, and the role has no row for it. */
static void
test_no_route(void **state)
{
	struct role r = start_role(&deaf);

	(void)state;
	assert_int_equal(fetch(&r, LK_SLICE_LIT("x")), LK_R_IPC_GONE);
	assert_true(answers_ping(&r));
	assert_int_equal(shut_down(&r), 0);
}

static void
test_bad_link(void **state)
{
	struct role r = start_role(&work);
	struct lk_link_body as_supervisor = { .role = LK_ROLE_SUPERVISOR };

	(void)state;
	order(&r, LK_BODY_link, &as_supervisor, lk_channel_fd(r.control));
	assert_int_equal(end_of(&r), lk_reason_exit_code(LK_R_IPC_MALFORMED));
}

static void
test_started_twice(void **state)
{
	struct role r = start_role(&work);
	struct lk_start_body body = { .config = { NULL, 0 } };

	(void)state;
	order(&r, LK_BODY_start, &body, -1);
	assert_int_equal(end_of(&r), lk_reason_exit_code(LK_R_IPC_DENIED));
}

static void
test_linked_anew(void **state)
{
	struct lk_unlink_body died = { .role = LK_ROLE_KEEPER };
	struct role r = start_role(&work);
	struct lk_channel *old = r.keeper;

	(void)state;
	order(&r, LK_BODY_unlink, &died, -1);
	link_keeper(&r);
	assert_int_equal(fetch(&r, LK_SLICE_LIT("x")), LK_R_FILE_MISSING);
	lk_channel_free(old);
	assert_int_equal(shut_down(&r), 0);
}

/* A peer that died is waited for; one that lives and closed the link has its reasons. The
 * first loses its link before the second and would have ended before it. */
static void
test_shut_out(void **state)
{
	struct lk_unlink_body died = { .role = LK_ROLE_KEEPER };
	struct role waits = start_role(&work), ends = start_role(&work);

	(void)state;
	lk_channel_free(LK_TAKE(waits.keeper));
	assert_true(answers_ping(&waits));
	order(&waits, LK_BODY_unlink, &died, -1);
	assert_true(answers_ping(&waits));
	lk_channel_free(LK_TAKE(ends.keeper));
	assert_int_equal(end_of(&ends), lk_reason_exit_code(LK_R_IPC_DENIED));
	assert_true(answers_ping(&waits));
	assert_int_equal(shut_down(&waits), 0);
}

static void
test_orphan(void **state)
{
	struct role r = start_role(&work);

	(void)state;
	lk_channel_free(LK_TAKE(r.control));
	assert_int_equal(end_of(&r), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handlers),
		cmocka_unit_test(test_no_route),
		cmocka_unit_test(test_bad_link),
		cmocka_unit_test(test_started_twice),
		cmocka_unit_test(test_linked_anew),
		cmocka_unit_test(test_shut_out),
		cmocka_unit_test(test_orphan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
