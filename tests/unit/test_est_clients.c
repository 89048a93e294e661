/* SPDX-License-Identifier: Apache-2.0
 *
 * One certification request in the bytes in which different EST clients send it: the
 * HTTP reader and the reader of EST bodies make the same of all of them, however the
 * network cuts them up.
 */
#include "test.h"

#include "artefact/csr.h"
#include "base/encode.h"
#include "net/http1.h"
#include "proto/basic_auth.h"
#include "proto/endpoint.h"

/* CN=pump-7 and DNS:pump-7.home.example; nobody has the key. */
#define L1 "MIH9MIGkAgEAMBExDzANBgNVBAMMBnB1bXAtNzBZMBMGByqGSM49AgEGCCqGSM49"
#define L2 "AwEHA0IABI5bt/pf+XTSHYoNIg9O6JYvOyf0ry58f6LhXtKW81HQpq8VIJGzejj+"
#define L3 "X0pTJNRP8YzO/gMcBz6GgNhixSBNUzqgMTAvBgkqhkiG9w0BCQ4xIjAgMB4GA1Ud"
#define L4 "EQQXMBWCE3B1bXAtNy5ob21lLmV4YW1wbGUwCgYIKoZIzj0EAwIDSAAwRQIhAKPC"
#define L5 "DOL1pxBrnqnvPScaUZD5SJC6W46LfQ3l4WiB7cnuAiAxGrXw9cVu8MKb9xO5k8Kt"
#define L6 "jfhACBDDeySOZK8aOFk7Mw=="

static const struct client {
	const char *what;
	enum lk_ep endpoint;
	const char *user, *password; /* by HTTP Basic; NULL: not */
	const char *bytes;
} clients[] = {
	{ "strongSwan: one line without an end, no User-Agent, the label in front",
		LK_EP_PREFIX_SIMPLEENROLL, "pump-7", "code",
		"POST /plant/.well-known/est/simpleenroll HTTP/1.1\r\n"
		"Host: registrar.home.example:8443\r\n"
		"Authorization: Basic cHVtcC03OmNvZGU=\r\n"
		"Content-Type: application/pkcs10\r\n"
		"Content-Length: 344\r\n\r\n" L1 L2 L3 L4 L5 L6 },
	{ "libest: lines of 64, LF behind each, Content-Transfer-Encoding, no keep-alive",
		LK_EP_LABEL_SIMPLEENROLL, "pump-7", "a:b",
		"POST /.well-known/est/plant/simpleenroll HTTP/1.1\r\n"
		"User-Agent: libest client 1.0\r\n"
		"Connection: close\r\n"
		"Host: registrar.home.example:8443\r\n"
		"Accept: */*\r\n"
		"Content-Type: application/pkcs10\r\n"
		"Content-Transfer-Encoding: base64\r\n"
		"Authorization: Basic cHVtcC03OmE6Yg==\r\n"
		"Content-Length: 350\r\n\r\n" L1 "\n" L2 "\n" L3 "\n" L4 "\n" L5 "\n" L6 "\n" },
	{ "GlobalSign: chunks", LK_EP_EST_SIMPLEREENROLL, NULL, NULL,
		"POST /.well-known/est/simplereenroll HTTP/1.1\r\n"
		"Host: registrar.home.example:8443\r\n"
		"User-Agent: Go-http-client/1.1\r\n"
		"Transfer-Encoding: chunked\r\n"
		"Accept: application/pkcs7-mime\r\n"
		"Content-Transfer-Encoding: base64\r\n"
		"Content-Type: application/pkcs10\r\n"
		"Accept-Encoding: gzip\r\n\r\n"
		"40\r\n" L1 "\r\n41\r\n" L2 "\n\r\n40\r\n" L3 "\r\n81\r\n" L4 "\n" L5 "\r\n"
		"19\r\n\n" L6 "\r\n0\r\n\r\n" },
	{ "lines that end in CRLF, blanks around them, parameters, another case",
		LK_EP_LABEL_SIMPLEREENROLL, NULL, NULL,
		"POST /.well-known/est/plant/simplereenroll HTTP/1.1\r\n"
		"host: registrar.home.example:8443\r\n"
		"content-type: Application/PKCS10; charset=us-ascii\r\n"
		"content-transfer-encoding: binary\r\n"
		"content-length: 362\r\n\r\n\r\n" L1 "\r\n" L2 "\r\n" L3 "\r\n " L4 "\r\n\t" L5
		"\r\n" L6 "\r\n\r\n" },
};

/* Feeds at most `step` bytes at a time. */
static void
read_all(struct lk_http1 *h, const struct client *c, size_t step)
{
	struct lk_slice in = lk_slice_str(c->bytes);
	struct lk_err e;
	size_t used;

	lk_http1_init(h, LK_HTTP1_REQUEST, LK_HTTP1_HEAD_MAX);
	while (h->state != LK_HTTP1_DONE) {
		struct lk_slice part = lk_slice(in.p, in.n < step ? in.n : step);

		if (!lk_http1_feed(h, part, &used, &e).ok)
			fail_msg("%s: %s", c->what, e.msg);
		in = lk_slice(in.p + used, in.n - used);
		h->body.max = LK_CSR_BODY_MAX;
	}
	assert_int_equal(in.n, 0);
}

static void
check_head(const struct lk_http1 *h, const struct client *c)
{
	const struct lk_endpoint_info *row = lk_endpoint_info(c->endpoint);
	const char *authorization = lk_http1_field(h, "Authorization");
	struct lk_basic_auth a;
	struct lk_err e;

	assert_int_equal(lk_endpoint_find(LK_SERVICE_NOC, h->method, h->path), c->endpoint);
	assert_true(lk_media_type_is(lk_http1_field(h, "Content-Type"), row->media_type));
	assert_true(h->body.n <= row->body_max);
	if (!c->user) {
		assert_string_equal(authorization, "");
		return;
	}
	assert_true(lk_basic_auth_parse(authorization, &a, &e).ok);
	assert_string_equal(a.user, c->user);
	assert_string_equal(a.password, c->password);
}

static void
test_all_say_the_same(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	const struct lk_slice text = LK_SLICE_LIT(L1 L2 L3 L4 L5 L6);
	static const size_t steps[] = { SIZE_MAX, 1, 7, 64, 100 };
	struct lk_err e;
	size_t i, j;

	(void)state;
	assert_true(lk_base64_decode(text, LK_BASE64_STRICT, &der, &e).ok);
	for (i = 0; i < LK_ARRAY_LEN(clients); i++)
		for (j = 0; j < LK_ARRAY_LEN(steps); j++) {
			LK_CLEANUP(lk_http1_done) struct lk_http1 h = { 0 };
			LK_CLEANUP(lk_csr_freep) struct lk_csr *csr = NULL;

			read_all(&h, &clients[i], steps[j]);
			check_head(&h, &clients[i]);
			if (!lk_csr_parse_body(lk_buf_slice(&h.body), &csr, &e).ok)
				fail_msg("%s: %s", clients[i].what, e.msg);
			assert_true(lk_slice_eq(lk_buf_slice(&csr->der), lk_buf_slice(&der)));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_all_say_the_same) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
