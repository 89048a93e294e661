/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTPS request of an onboarded device over the loopback: where it goes, whom it believes,
 * what it shows of itself. (The linker puts this file before getaddrinfo(3): two.example has two
 * addresses.)
 */
#include "tls_script.h"

#include <netdb.h>

#include "agent/agent.h"

static struct pki_cast cast;

/* It is PKI_NOW, and time passes as it does. */
static int64_t
test_now(const struct lk_clock *c)
{
	(void)c;
	return PKI_NOW;
}

static int64_t
real_ms(const struct lk_clock *c)
{
	(void)c;
	return lk_clock_system.monotonic_ms(&lk_clock_system);
}

static const struct lk_clock test_clock = { test_now, real_ms };

static void
say_hello(const struct lk_http1 *request, const struct lk_cert *client,
	struct lk_http1_response *ret, struct lk_buf *body)
{
	(void)client;
	if (strcmp(request->path, "/silence") == 0)
		ret->status = 0;
	else if (strcmp(request->path, "/refusal") == 0)
		ret->status = 403;
	if (!lk_buf_append_str(body, "hello", NULL).ok)
		_exit(1);
}

/* A server below `ca`, or the domain's (NULL). */
static void
serve_as(const struct pki_id *ca, const struct pki_spec *spec, struct script *ret)
{
	LK_CLEANUP(pki_id_done) struct pki_id id;

	pki_issue(ca ? ca : &cast.domain, spec, &id);
	script_start(&id, say_hello, ret);
}

static struct lk_result
call_url(const char *url, struct lk_buf *body, unsigned *ret_status, struct lk_err *e)
{
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *domain = pki_anchors(&cast.domain);
	struct lk_agent a = { .clock = &test_clock, .set = { .trusted_clock = "yes" } };
	struct lk_call call = { .url = url,
		.anchors = domain,
		.request = { .method = "GET" },
		.deadline_ms = lk_agent_ms(&a) + 20000 };

	return lk_agent_call(&a, &call, ret_status, body, e);
}

/* --- whom it believes ------------------------------------------------------------------------- */

/* https://HOST:PORT of the script. */
static const char *
url_of(const struct script *s, const char *host, const char *path)
{
	static char url[256];

	snprintf(url, sizeof url, "https://%s:%u%s", host, (unsigned)s->port, path);
	return url;
}

static void
assert_believed(const struct pki_spec *spec, const char *host)
{
	LK_CLEANUP(script_done) struct script s;
	LK_CLEANUP(lk_buf_done) struct lk_buf body = LK_BUF_INIT(64);
	struct lk_err e = { 0 };
	unsigned status = 0;

	serve_as(NULL, spec, &s);
	if (!call_url(url_of(&s, host, "/x"), &body, &status, &e).ok)
		fail_msg("%s", e.msg);
	assert_int_equal(status, 200);
	assert_string_equal(lk_buf_str(&body), "hello");
}

/* Nothing is asked of a server that is not believed. */
static void
assert_not_believed(
	const struct pki_id *ca, const struct pki_spec *spec, const char *host, enum lk_reason want)
{
	LK_CLEANUP(script_done) struct script s;
	LK_CLEANUP(lk_buf_done) struct lk_buf body = LK_BUF_INIT(64);
	unsigned status = 77;
	char lines[64];
	struct lk_err e;

	serve_as(ca, spec, &s);
	assert_refused(call_url(url_of(&s, host, "/x"), &body, &status, &e), e, want);
	assert_int_equal(status, 77);
	assert_int_equal(body.n, 0);
	kill(s.pid, SIGKILL);
	assert_int_equal(read(s.asked, lines, sizeof lines), 0);
}

/*= RFC9525 6: the server's name is the one in the URL, in subjectAltName =*/
static void
test_names(void **state)
{
	static const struct pki_spec by_name = { .cn = "x", .san = "DNS:localhost" };
	static const struct pki_spec by_address = { .cn = "x", .san = "IP:::1" };
	static const struct pki_spec by_subject = { .cn = "localhost" };
	static const struct pki_spec other = { .cn = "localhost", .san = "DNS:other.example" };
	static const struct pki_spec address_as_name = { .cn = "x", .san = "DNS:other, IP:::2" };

	(void)state;
	assert_believed(&by_address, "[::1]");
	assert_not_believed(NULL, &by_name, "[::1]", LK_R_AGENT_SERVER);
	assert_not_believed(NULL, &by_subject, "[::1]", LK_R_AGENT_SERVER);
	assert_not_believed(NULL, &address_as_name, "[::1]", LK_R_AGENT_SERVER);
	assert_believed(&by_name, "localhost");
	assert_not_believed(NULL, &by_subject, "localhost", LK_R_AGENT_SERVER);
	assert_not_believed(NULL, &other, "localhost", LK_R_AGENT_SERVER);
	assert_not_believed(NULL, &by_address, "localhost", LK_R_AGENT_SERVER);
}

static void
test_other_certificates(void **state)
{
	static const struct pki_spec client = { .cn = "x", .san = "IP:::1", .eku = "clientAuth" };
	static const struct pki_spec server = { .cn = "x", .san = "IP:::1", .eku = "serverAuth" };
	static const struct pki_spec old = { .cn = "x", .san = "IP:::1", .not_after = PKI_NOW - 1 };

	(void)state;
	assert_believed(&server, "[::1]");
	assert_not_believed(NULL, &client, "[::1]", LK_R_AGENT_SERVER);
	assert_not_believed(&cast.stranger_ca, &server, "[::1]", LK_R_CERT_CHAIN);
	assert_not_believed(NULL, &old, "[::1]", LK_R_CERT_TIME);
}

/* --- what it asks ----------------------------------------------------------------------------- */

static void
test_urls_that_are_none(void **state)
{
	static const char *const bad[] = { "", "http://[::1]/", "https:///x", "https://",
		"https://:1/", "https://user@[::1]/", "https://[::1", "ftp://x", "https://[]/",
		"https://[::1]443/" };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		unsigned status = 77;
		struct lk_err e;

		assert_refused(call_url(bad[i], NULL, &status, &e), e, LK_R_SYNTAX_TEXT);
		assert_int_equal(status, 77);
	}
}

/* The path as it stands in the URL; any complete response is a success. */
static void
test_paths_and_statuses(void **state)
{
	static const struct {
		const char *path, *asked;
		unsigned status;
	} rows[] = { { "", "/", 200 }, { "/", "/", 200 }, { "/a/b?c=d", "/a/b", 200 },
		{ "?q", "/", 200 }, { "#f", "/", 200 }, { "/refusal", "/refusal", 403 } };
	LK_CLEANUP(script_done) struct script s;
	size_t i;

	(void)state;
	serve_as(NULL, &(struct pki_spec){ .cn = "x", .san = "IP:::1" }, &s);
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		char want[128];
		unsigned status;
		struct lk_err e = { 0 };

		snprintf(
			want, sizeof want, "- GET %s [::1]:%u \n", rows[i].asked, (unsigned)s.port);
		if (!call_url(url_of(&s, "[::1]", rows[i].path), NULL, &status, &e).ok)
			fail_msg("%s", e.msg);
		assert_int_equal(status, rows[i].status);
		assert_string_equal(script_asked(&s), want);
	}
}

/* Of the CAs of its network a device shows those that lead to its anchor, and no other. */
static void
test_only_the_path_is_shown(void **state)
{
	LK_CLEANUP(script_done) struct script s;
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *domain = pki_anchors(&cast.domain);
	LK_CLEANUP(pki_id_done) struct pki_id device_ca, server_ca, ldevid;
	struct lk_agent a = { .clock = &test_clock, .set = { .trusted_clock = "yes" } };
	struct lk_call call = {
		.anchors = domain, .with_ldevid = true, .request = { .method = "GET" }
	};
	struct lk_err e = { 0 };
	char want[128];
	unsigned status;

	(void)state;
	pki_issue(&cast.domain, &(struct pki_spec){ .cn = "devices", .ca = true }, &device_ca);
	pki_issue(&cast.domain, &(struct pki_spec){ .cn = "servers", .ca = true }, &server_ca);
	pki_issue(&device_ca, &(struct pki_spec){ .cn = "device" }, &ldevid);
	a.onboarded = (struct lk_onboarded){ .key = ldevid.key,
		.ldevid = { .v = { pki_cert(&ldevid) }, .n = 1 },
		.ca = { .v = { pki_cert(&cast.domain), pki_cert(&server_ca), pki_cert(&device_ca) },
			.n = 3 } };
	serve_as(NULL, &(struct pki_spec){ .cn = "x", .san = "IP:::1" }, &s);
	call.url = url_of(&s, "[::1]", "/");
	call.deadline_ms = lk_agent_ms(&a) + 20000;
	if (!lk_agent_call(&a, &call, &status, NULL, &e).ok)
		fail_msg("%s", e.msg);
	snprintf(want, sizeof want, "device<devices GET / [::1]:%u \n", (unsigned)s.port);
	assert_string_equal(script_asked(&s), want);
}

int __real_getaddrinfo(
	const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found);
int __wrap_getaddrinfo(
	const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found);

int
__wrap_getaddrinfo(
	const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
	int error;

	if (strcmp(host, "two.example") != 0)
		return __real_getaddrinfo(host, port, hints, found);
	error = __real_getaddrinfo("127.0.0.2", port, hints, found); /* where nobody listens */
	return error ? error : __real_getaddrinfo("::1", port, hints, &(*found)->ai_next);
}

/* A name's addresses are tried one after the other. */
static void
test_the_second_address(void **state)
{
	(void)state;
	assert_believed(&(struct pki_spec){ .cn = "x", .san = "DNS:two.example" }, "two.example");
}

static void
test_nobody_and_silence(void **state)
{
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *domain = pki_anchors(&cast.domain);
	LK_CLEANUP(script_done) struct script s;
	struct lk_agent a = { .clock = &test_clock };
	struct lk_call call = { .anchors = domain, .request = { .method = "GET" } };
	unsigned status = 77;
	struct lk_err e;

	(void)state;
	serve_as(NULL, &(struct pki_spec){ .cn = "x", .san = "IP:::1" }, &s);
	call.url = url_of(&s, "[::1]", "/silence");
	call.deadline_ms = lk_agent_ms(&a) + 200;
	assert_refused(lk_agent_call(&a, &call, &status, NULL, &e), e, LK_R_AGENT_SILENT);
	script_done(&s);
	call.deadline_ms = lk_agent_ms(&a) + 20000;
	assert_refused(lk_agent_call(&a, &call, &status, NULL, &e), e, LK_R_AGENT_CONNECT);
	assert_int_equal(status, 77);
}

static int
setup(void **state)
{
	(void)state;
	pki_cast_init(&cast);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	pki_cast_done(&cast);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_other_certificates),
		cmocka_unit_test(test_urls_that_are_none),
		cmocka_unit_test(test_paths_and_statuses),
		cmocka_unit_test(test_only_the_path_is_shown),
		cmocka_unit_test(test_the_second_address),
		cmocka_unit_test(test_nobody_and_silence),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
