/* SPDX-License-Identifier: Apache-2.0
 *
 * The exchanges that RFC 7030 prints in its appendix A, taken from its text as they
 * stand there, are read: the HTTP messages, then what they carry.
 */
#include "test.h"

#include <ctype.h>

#include "artefact/csr.h"
#include "base/encode.h"
#include "net/http1.h"
#include "pki.h"
#include "proto/basic_auth.h"

#define TEXT_MAX (512 * 1024)
#define INDENT   "   " /* before all that is no heading */

static struct lk_buf rfc = LK_BUF_INIT(TEXT_MAX);

static void
append(struct lk_buf *out, struct lk_slice s)
{
	assert_true(lk_buf_append(out, s, NULL).ok);
}

/* The line at *at without its indent, *at behind it; empty where a page ends. */
static struct lk_slice
next_line(const char **at)
{
	size_t n = strcspn(*at, "\n"), indent = strlen(INDENT);
	const char *line = *at;

	*at += n + ((*at)[n] == '\n');
	return strncmp(line, INDENT, indent) == 0 ? lk_slice(line + indent, n - indent)
						  : lk_slice(NULL, 0);
}

/* Not the rest of a field that did not fit the page. */
static bool
is_field(struct lk_slice line)
{
	size_t n = 0;

	while (n < line.n && (isalpha(line.p[n]) || line.p[n] == '-'))
		n++;
	return n && n + 1 < line.n && line.p[n] == ':' && line.p[n + 1] == ' ';
}

/* The first message behind a heading whose start line begins like this, as it was on the wire,
 * with that many bytes of body. */
static void
take_message(const char *heading, const char *start, size_t body, struct lk_http1 *ret)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf wire = LK_BUF_INIT(TEXT_MAX);
	const char *at = strstr(strstr(lk_buf_str(&rfc), heading), start) - strlen(INDENT);
	struct lk_slice line = next_line(&at);
	bool is_request = strncmp(start, "HTTP/", 5) != 0;
	size_t head, used, n;
	struct lk_err e;

	append(&wire, line);
	while ((line = next_line(&at)).n) {
		if (is_field(line))
			append(&wire, LK_SLICE_LIT("\r\n"));
		append(&wire, line);
	}
	if (is_request && !strstr(lk_buf_str(&wire), "Host: "))
		fail_msg("no request is printed at %s", start);
	append(&wire, LK_SLICE_LIT("\r\n\r\n"));
	for (head = wire.n; wire.n < head + body;) {
		line = next_line(&at);
		append(&wire, line);
		if (line.n)
			append(&wire, LK_SLICE_LIT("\n"));
	}
	lk_http1_init(ret, is_request ? LK_HTTP1_REQUEST : LK_HTTP1_RESPONSE, LK_HTTP1_HEAD_MAX);
	for (n = 0; ret->state != LK_HTTP1_DONE; n += used) {
		if (!lk_http1_feed(ret, lk_slice(wire.p + n, wire.n - n), &used, &e).ok)
			fail_msg("%s: %s", start, e.msg);
		ret->body.max = TEXT_MAX;
	}
	assert_int_equal(n, wire.n); /* Content-Length is what is printed */
}

static void
decode(const struct lk_http1 *h, struct lk_buf *der)
{
	assert_string_equal(lk_http1_field(h, "Content-Transfer-Encoding"), "base64");
	assert_true(lk_base64_decode(lk_buf_slice(&h->body), LK_BASE64_WHITESPACE, der, NULL).ok);
}

static void
test_cacerts(void **state)
{
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(TEXT_MAX);
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };
	static const char *const names[] = { "OwO", "NwO", "OwN", "NwN" };
	char name[LK_CERT_NAME_MAX];
	struct lk_err e;
	size_t i;

	(void)state;
	take_message("\nA.1.  Obtaining", "GET /.well-known/est/cacerts", 0, &h);
	assert_string_equal(h.path, "/.well-known/est/cacerts");
	take_message("\nA.1.  Obtaining", "HTTP/1.1 200", 4246, &h);
	assert_true(lk_media_type_is(lk_http1_field(&h, "Content-Type"), "application/pkcs7-mime"));
	decode(&h, &der);
	assert_true(lk_certs_parse_pkcs7(lk_buf_slice(&der), &certs, &e).ok);
	assert_int_equal(certs.n, LK_ARRAY_LEN(names));
	for (i = 0; i < certs.n; i++) {
		lk_cert_subject(certs.v[i], LK_OID_COMMON_NAME, name);
		assert_string_equal(name + strlen("estExampleCA "), names[i]);
	}
}

static void
test_csrattrs(void **state)
{
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(TEXT_MAX);
	struct lk_csrattrs a;
	struct lk_err e;

	(void)state;
	take_message("\nA.2.  CSR Attributes", "HTTP/1.1 200", 171, &h);
	assert_string_equal(lk_http1_field(&h, "Content-Type"), "application/csrattrs");
	decode(&h, &der);
	assert_true(lk_csrattrs_parse(lk_buf_slice(&der), &a, &e).ok);
	assert_true(a.challenge_password);
}

static void
test_enroll(void **state)
{
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(TEXT_MAX);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *csr = NULL;
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };
	struct lk_basic_auth a;
	struct lk_err e;

	(void)state;
	take_message("\nA.3.  Enroll/Re-enroll", "HTTP/1.1 401", 0, &h);
	assert_string_equal(lk_http1_field(&h, "WWW-Authenticate"),
		"Digest qop=\"auth\", realm=\"estrealm\",nonce=\"1368141352\"");
	take_message("\nA.3.  Enroll/Re-enroll", "POST /.well-known/est/simpleenroll", 882, &h);
	/* Digest is offered by nobody here, and no way in. */
	assert_refused(lk_basic_auth_parse(lk_http1_field(&h, "Authorization"), &a, &e), e,
		LK_R_BASIC_AUTH);
	assert_true(lk_csr_parse_body(lk_buf_slice(&h.body), &csr, &e).ok);
	assert_true(lk_slice_eq(csr->challenge, LK_SLICE_LIT("+rrCir/7+EYu50T4")));
	take_message("\nA.3.  Enroll/Re-enroll", "HTTP/1.1 200", 1122, &h);
	assert_string_equal(lk_http1_field(&h, "Content-Type"),
		"application/pkcs7-mime; smime-type=certs-only");
	decode(&h, &der);
	assert_true(lk_certs_parse_pkcs7(lk_buf_slice(&der), &certs, &e).ok);
	assert_int_equal(certs.n, 1);
	assert_true(lk_slice_eq(lk_cert_spki(certs.v[0]), csr->spki));
}

/* Of A.4 only the request has a meaning here: it is refused, keys do not travel. */
static void
test_serverkeygen(void **state)
{
	LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
	LK_CLEANUP(lk_csr_freep) struct lk_csr *csr = NULL;
	struct lk_err e;

	(void)state;
	take_message(
		"\nA.4.  Server Key Generation", "POST /.well-known/est/serverkeygen", 963, &h);
	assert_true(h.expect_continue);
	assert_true(lk_csr_parse_body(lk_buf_slice(&h.body), &csr, &e).ok);
	assert_true(lk_slice_eq(csr->names.v[1].value, LK_SLICE_LIT("PID:Widget SN:10")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cacerts),
		cmocka_unit_test(test_csrattrs),
		cmocka_unit_test(test_enroll),
		cmocka_unit_test(test_serverkeygen),
	};

	int status;

	if (!pki_shared("../reference/rfc/rfc7030.txt", &rfc)) {
		print_message("skipped: the text of RFC 7030 is not on this machine\n");
		return 77;
	}
	status = cmocka_run_group_tests(tests, NULL, NULL);
	lk_buf_done(&rfc);
	return status;
}
