/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer to an enrolment: byte for byte what OpenSSL writes, and it is read.
 */
#include "test.h"

#include "artefact/certs_only.h"
#include "pki.h"

/*= RFC7030 4.2.3: the response is a certs-only message with the issued certificate alone =*/
static void
test_as_openssl(void **state)
{
	const struct pki_spec spec = { .cn = "Thing", .serial_number = PKI_SERIAL };
	LK_CLEANUP(pki_id_done) struct pki_id id = { .key = NULL };
	LK_CLEANUP(lk_buf_done) struct lk_buf ours = LK_BUF_INIT(2 * LK_CERT_DER_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf theirs = LK_BUF_INIT(2 * LK_CERT_DER_MAX);
	LK_CLEANUP(lk_certs_done) struct lk_certs read = { .n = 0 };
	struct lk_err e;

	(void)state;
	pki_issue(NULL, &spec, &id);
	assert_true(lk_certs_only_write(lk_cert_der(pki_cert(&id)), &ours, &e).ok);
	assert_true(lk_certs_print_pkcs7(&id.chain, &theirs, &e).ok);
	assert_int_equal(ours.n, theirs.n);
	assert_memory_equal(ours.p, theirs.p, ours.n);
	assert_true(lk_certs_parse_pkcs7(lk_buf_slice(&ours), &read, &e).ok);
	assert_int_equal(read.n, 1);
	assert_true(lk_cert_eq(read.v[0], pki_cert(&id)));
}

static void
test_too_large(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(32);
	struct lk_err e;

	(void)state;
	assert_refused(
		lk_certs_only_write(LK_SLICE_LIT("0123456789"), &out, &e), e, LK_R_TOO_LARGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_openssl),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
