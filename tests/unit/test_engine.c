/* SPDX-License-Identifier: Apache-2.0
 *
 * The device's engine against a registrar in the same process: TLS over memory, answers by
 * script. The whole way to ONBOARDED, and what a registrar can do wrong.
 */
#include "pki.h"
#include "test.h"

#include <stdlib.h>

#include "agent/engine.h"
#include "artefact/csr.h"
#include "base/encode.h"
#include "crypto/ossl.h"
#include "net/http1.h"
#include "net/tls.h"

#define DEVICE    "019b7f00-0000-7000-8000-000000000001"
#define STEPS_MAX 2000

static struct pki_cast cast;

/* What the registrar does; zero is right. */
struct script {
	const struct pki_id *pinned; /* by the voucher; NULL: the domain's CA */
	const struct pki_id *signer; /* of the voucher; NULL: the MASA */
	const char *nonce;           /* of the voucher; NULL: the request's */
	const char *serial;          /* of the voucher; NULL: the device's */
	unsigned laters;             /* answers of 202 before the voucher */
	const char *when;            /* their Retry-After; NULL: 3 */
	bool other_server;           /* the second connection ends at a stranger's */
	bool mute;                   /* answers nothing */
};

struct registrar {
	const struct script *script;
	const struct pki_id *id;
	SSL *ssl;
	BIO *in, *out;
	struct lk_http1 request;
	struct lk_buf first_request; /* the voucher request's bytes */
	unsigned voucher_requests;
	bool repeated_differs;
	bool told_success[2]; /* voucher_status, enrollstatus */
	bool told_failure[2];
	bool told_libraries[2];
	unsigned connections;
};

struct device {
	struct registrar registrar;
	struct lk_engine *engine;
	struct lk_key *key; /* the LDevID's, as made */
	int64_t ms;
};

/* --- the registrar ---------------------------------------------------------------------------- */

static void
hang_up(struct registrar *r)
{
	SSL_free(r->ssl);
	r->ssl = NULL;
	lk_http1_init(&r->request, LK_HTTP1_REQUEST, LK_HTTP1_HEAD_MAX);
	r->request.body.max = LK_CMS_MAX;
}

static void
pick_up(struct registrar *r)
{
	struct lk_tls_settings s = { .client_cert = LK_TLS_CLIENT_CERT_REQUIRED };
	SSL_CTX *ctx = NULL;
	struct lk_err e;

	hang_up(r);
	r->id = r->connections++ && r->script->other_server ? &cast.stranger : &cast.registrar;
	s.chain = &r->id->chain;
	s.key = lk_key_evp(r->id->key);
	assert_true(lk_tls_server_new(&s, &ctx, &e).ok);
	r->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	r->in = BIO_new(BIO_s_mem());
	r->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(r->in, -1);
	BIO_set_mem_eof_return(r->out, -1);
	SSL_set_bio(r->ssl, r->in, r->out);
	SSL_set_accept_state(r->ssl);
}

static void
respond(struct registrar *r, unsigned status, const char *type, struct lk_slice body)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_CMS_MAX);
	const struct lk_http1_field when = { "Retry-After",
		r->script->when ? r->script->when : "3" };
	struct lk_http1_response answer = { .status = status,
		.content_type = type,
		.body = body,
		.extra = &when,
		.n_extra = status == 202 };
	struct lk_err e;

	assert_true(lk_http1_print_response(&answer, &text, &e).ok);
	assert_int_equal(SSL_write(r->ssl, text.p, (int)text.n), (int)text.n);
	lk_http1_init(&r->request, LK_HTTP1_REQUEST, LK_HTTP1_HEAD_MAX);
	r->request.body.max = LK_CMS_MAX;
}

static void
give_voucher(struct registrar *r)
{
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *asked = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_VOUCHER_MAX);
	const struct pki_id *pinned = r->script->pinned ? r->script->pinned : &cast.domain;
	const struct pki_id *signer = r->script->signer ? r->script->signer : &cast.masa;
	struct lk_slice pin = lk_cert_der(pki_cert(pinned));
	struct lk_voucher_leaves leaf = { .created_on = PKI_NOW, .assertion = LK_ASSERTION_LOGGED };
	struct lk_err e = { 0 };

	if (r->voucher_requests++)
		r->repeated_differs |= !lk_slice_eq(
			lk_buf_slice(&r->first_request), lk_buf_slice(&r->request.body));
	else
		assert_true(
			lk_buf_append(&r->first_request, lk_buf_slice(&r->request.body), &e).ok);
	if (r->voucher_requests <= r->script->laters) {
		respond(r, 202, NULL, lk_slice(NULL, 0));
		return;
	}
	assert_true(lk_voucher_request_parse(lk_buf_slice(&r->request.body), &asked, &e).ok);
	leaf.present = 1u << LK_VOUCHER_CREATED_ON | 1u << LK_VOUCHER_ASSERTION |
		       1u << LK_VOUCHER_SERIAL_NUMBER | 1u << LK_VOUCHER_PINNED_DOMAIN_CERT |
		       1u << LK_VOUCHER_NONCE;
	snprintf(leaf.serial_number, sizeof leaf.serial_number, "%s",
		r->script->serial ? r->script->serial : PKI_SERIAL);
	snprintf(leaf.nonce, sizeof leaf.nonce, "%s",
		r->script->nonce ? r->script->nonce : asked->leaf.nonce);
	leaf.pinned_domain_cert = LK_BUF_INIT(LK_CERT_DER_MAX);
	assert_true(lk_buf_append(&leaf.pinned_domain_cert, pin, &e).ok);
	assert_true(lk_voucher_build(&leaf, signer->key, &signer->chain, &der, &e).ok);
	lk_buf_done(&leaf.pinned_domain_cert);
	respond(r, 200, "application/voucher-cms+json", lk_buf_slice(&der));
}

static void
give_certs(struct registrar *r, const struct lk_certs *certs)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_CMS_MAX);
	struct lk_err e;

	assert_true(lk_certs_print_pkcs7(certs, &der, &e).ok);
	assert_true(lk_base64_encode_wrapped(lk_buf_slice(&der), &text, &e).ok);
	respond(r, 200, "application/pkcs7-mime; smime-type=certs-only", lk_buf_slice(&text));
}

static void
enroll(struct device *d)
{
	LK_CLEANUP(lk_csr_freep) struct lk_csr *csr = NULL;
	struct pki_id ldevid;
	struct lk_certs one = { .n = 1 };
	struct lk_err e;

	assert_true(lk_csr_parse_body(lk_buf_slice(&d->registrar.request.body), &csr, &e).ok);
	assert_true(lk_slice_eq(csr->spki, lk_key_spki(d->key)));
	pki_issue(&cast.domain,
		&(struct pki_spec){ .cn = DEVICE,
			.serial_number = PKI_SERIAL,
			.eku = "clientAuth",
			.key = d->key },
		&ldevid);
	one.v[0] = pki_cert(&ldevid);
	give_certs(&d->registrar, &one);
	pki_id_done(&ldevid);
}

static void
give_information(struct registrar *r)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_ONBOARDING_MAX);
	struct lk_onboarding_leaves leaf = { .network = "home",
		.device = DEVICE,
		.serial_number = PKI_SERIAL,
		.issued_on = PKI_NOW,
		.sequence = 1,
		.radius_server = "radius.home.example",
		.radius_anchor = LK_BUF_INIT(LK_CERT_DER_MAX) };
	struct lk_err e = { 0 };

	leaf.present = 1u << LK_ONBOARDING_NETWORK | 1u << LK_ONBOARDING_DEVICE |
		       1u << LK_ONBOARDING_SERIAL_NUMBER | 1u << LK_ONBOARDING_ISSUED_ON |
		       1u << LK_ONBOARDING_SEQUENCE | 1u << LK_ONBOARDING_RADIUS_SERVER |
		       1u << LK_ONBOARDING_RADIUS_ANCHOR;
	assert_true(lk_buf_append(&leaf.radius_anchor, lk_cert_der(pki_cert(&cast.domain)), &e).ok);
	if (!lk_onboarding_build(&leaf, cast.registrar.key, &cast.registrar.chain, &der, &e).ok)
		fail_msg("%s", e.msg);
	lk_buf_done(&leaf.radius_anchor);
	respond(r, 200, "application/cms", lk_buf_slice(&der));
}

static void
take_status(struct registrar *r, unsigned which)
{
	bool good = strstr(lk_buf_str(&r->request.body), "true") != NULL;

	r->told_libraries[which] |= strstr(lk_buf_str(&r->request.body), "OpenSSL 3.") != NULL;
	r->told_success[which] |= good;
	r->told_failure[which] |= !good;
	respond(r, 200, NULL, lk_slice(NULL, 0));
}

static void
serve(struct device *d)
{
	struct registrar *r = &d->registrar;
	const char *path = strrchr(r->request.path, '/') + 1;

	if (r->script->mute)
		lk_http1_init(&r->request, LK_HTTP1_REQUEST, LK_HTTP1_HEAD_MAX);
	else if (strcmp(path, "requestvoucher") == 0)
		give_voucher(r);
	else if (strcmp(path, "voucher_status") == 0)
		take_status(r, 0);
	else if (strcmp(path, "cacerts") == 0)
		give_certs(r, &cast.domain.chain);
	else if (strcmp(path, "csrattrs") == 0)
		respond(r, 404, NULL, lk_slice(NULL, 0));
	else if (strcmp(path, "simpleenroll") == 0)
		enroll(d);
	else if (strcmp(path, "enrollstatus") == 0)
		take_status(r, 1);
	else if (strcmp(path, "onboarding-information") == 0)
		give_information(r);
	else
		respond(r, 404, NULL, lk_slice(NULL, 0));
}

static void
registrar_reads(struct device *d)
{
	struct registrar *r = &d->registrar;
	uint8_t chunk[16 * 1024];
	struct lk_err e;
	int n;

	if (!SSL_is_init_finished(r->ssl) && SSL_do_handshake(r->ssl) != 1)
		return;
	while ((n = SSL_read(r->ssl, chunk, sizeof chunk)) > 0) {
		struct lk_slice in = lk_slice(chunk, (size_t)n);
		size_t used;

		while (in.n) {
			assert_true(lk_http1_feed(&r->request, in, &used, &e).ok);
			in = lk_slice(in.p + used, in.n - used);
			r->request.body.max = LK_CMS_MAX;
		}
		if (r->request.state == LK_HTTP1_DONE)
			serve(d);
	}
}

/* --- the device ------------------------------------------------------------------------------- */

static struct lk_result
new_key(void *ctx, struct lk_key **ret, struct lk_err *e)
{
	struct device *d = ctx;

	LK_TRY(lk_key_ephemeral(LK_KEY_P256, ret, e));
	d->key = lk_key_ref(*ret);
	return LK_OK;
}

static void
move_bytes(struct device *d)
{
	struct registrar *r = &d->registrar;
	struct lk_slice out = lk_engine_output(d->engine);
	char *p = NULL;
	long n;

	if (!r->ssl)
		return;
	if (out.n) {
		size_t sent = out.n;

		BIO_write(r->in, out.p, (int)out.n);
		lk_engine_sent(d->engine, sent);
	}
	registrar_reads(d);
	n = BIO_get_mem_data(r->out, &p);
	if (n > 0) {
		/* in two pieces, as a network may */
		LK_CLEANUP(lk_freep) char *copy = malloc((size_t)n);
		size_t half = (size_t)n / 2;

		memcpy(copy, p, (size_t)n);
		assert_int_equal(BIO_reset(r->out), 1);
		lk_engine_feed(d->engine, lk_slice(copy, half), PKI_NOW, d->ms);
		lk_engine_feed(d->engine, lk_slice(copy + half, (size_t)n - half), PKI_NOW, d->ms);
	}
}

static void
onboard(struct device *d, const struct script *script)
{
	struct lk_pledge_settings s = { .idevid = &cast.device.chain,
		.idevid_key = cast.device.key,
		.manufacturer = cast.manufacturer,
		.times = LK_TIMES_CHECK,
		.accept_assertions = 1u << LK_ASSERTION_LOGGED | 1u << LK_ASSERTION_PROXIMITY,
		.random = &lk_random_system,
		.new_key = new_key,
		.ctx = d };
	struct lk_err e;
	int i;

	*d = (struct device){ .registrar = { .script = script,
				      .first_request = LK_BUF_INIT(LK_CMS_MAX) } };
	assert_true(lk_engine_new(&s, "[fe80::1]:8443", &d->engine, &e).ok);
	for (i = 0; i < STEPS_MAX; i++) {
		struct lk_slice out;

		switch (lk_engine_next(d->engine, PKI_NOW, d->ms)) {
		case LK_ENGINE_CONNECT:
			pick_up(&d->registrar);
			lk_engine_connected(d->engine, d->ms);
			break;
		case LK_ENGINE_CLOSE:
			hang_up(&d->registrar);
			break;
		case LK_ENGINE_WAIT:
			out = lk_engine_output(d->engine);
			if (!out.n && i > 0 && lk_engine_deadline(d->engine) != INT64_MAX &&
				(!d->registrar.ssl || !BIO_ctrl_pending(d->registrar.out)))
				d->ms = lk_engine_deadline(d->engine); /* nothing else can happen */
			move_bytes(d);
			break;
		case LK_ENGINE_END:
			return;
		}
	}
	fail_msg("no end after %d steps", i);
}

static void
device_done(struct device *d)
{
	hang_up(&d->registrar);
	lk_http1_done(&d->registrar.request);
	lk_buf_done(&d->registrar.first_request);
	lk_engine_free(d->engine);
	lk_key_free(d->key);
}

/* Ends in FAILED for this reason, with nothing to take away. */
static void
assert_fails(const struct script *script, enum lk_reason want, bool told)
{
	LK_CLEANUP(device_done) struct device d;
	struct lk_pledge_credentials got;
	const struct lk_pledge *p;
	struct lk_err e;

	onboard(&d, script);
	p = lk_engine_pledge(d.engine);
	assert_int_equal(lk_pledge_state(p), LK_PLEDGE_FAILED);
	assert_string_equal(
		lk_reason_info(lk_pledge_error(p)->reason)->symbol, lk_reason_info(want)->symbol);
	assert_refused(lk_pledge_credentials(p, &got, &e), e, LK_R_PLEDGE_ORDER);
	assert_int_equal(d.registrar.told_failure[0], told);
	assert_false(d.registrar.told_success[1]);
	if (told)
		assert_null(d.key); /* no key is made for who was not believed */
}

/* --- tests ------------------------------------------------------------------------------------ */

static void
the_whole_way(void **state)
{
	LK_CLEANUP(device_done) struct device d;
	struct lk_pledge_credentials got;
	struct lk_err e;

	(void)state;
	/*= RFC8995 5: the pledge's flow, from the provisional connection to the credential =*/
	/*= RFC8995 5.1: the first connection is provisional, any server certificate is taken =*/
	onboard(&d, &(struct script){ .laters = 0 });
	if (lk_pledge_state(lk_engine_pledge(d.engine)) != LK_PLEDGE_ONBOARDED)
		fail_msg("%s", lk_pledge_error(lk_engine_pledge(d.engine))->msg);
	assert_true(lk_pledge_credentials(lk_engine_pledge(d.engine), &got, &e).ok);
	assert_true(lk_slice_eq(lk_cert_spki(got.ldevid), lk_key_spki(d.key)));
	assert_true(lk_cert_eq(got.pinned, pki_cert(&cast.domain)));
	assert_string_equal(got.onboarding->leaf.network, "home");
	assert_int_equal(d.registrar.connections, 2);
	assert_true(d.registrar.told_success[0] && d.registrar.told_success[1]);
	assert_false(d.registrar.told_failure[0] || d.registrar.told_failure[1]);
	assert_false(d.registrar.told_libraries[0]);
	assert_true(d.registrar.told_libraries[1]);
	assert_int_equal(d.ms, 0); /* nothing was waited for */
}

static void
told_to_wait_it_sends_the_same_bytes(void **state)
{
	LK_CLEANUP(device_done) struct device d;

	(void)state;
	onboard(&d, &(struct script){ .laters = 3 });
	assert_int_equal(lk_pledge_state(lk_engine_pledge(d.engine)), LK_PLEDGE_ONBOARDED);
	assert_int_equal(d.registrar.voucher_requests, 4);
	assert_false(d.registrar.repeated_differs);
	assert_int_equal(d.ms, 9000);
}

/* RFC 9110 10.2.3 has a date, too. */
static void
told_a_date_it_waits_for_the_longest(void **state)
{
	LK_CLEANUP(device_done) struct device d;

	(void)state;
	onboard(&d, &(struct script){ .laters = 2, .when = "Thu, 01 Jan 2026 12:00:05 GMT" });
	assert_int_equal(lk_pledge_state(lk_engine_pledge(d.engine)), LK_PLEDGE_ONBOARDED);
	assert_int_equal(d.ms, 120000);
}

static void
a_rogue_registrar_is_told_and_left(void **state)
{
	(void)state;
	assert_fails(&(struct script){ .pinned = &cast.stranger_ca }, LK_R_VOUCHER_DOMAIN, true);
}

static void
a_voucher_of_another_manufacturer(void **state)
{
	(void)state;
	assert_fails(&(struct script){ .signer = &cast.stranger }, LK_R_VOUCHER_SIGNER, true);
}

static void
a_voucher_for_another_request(void **state)
{
	(void)state;
	assert_fails(
		&(struct script){ .nonce = "JrRJkyfhuSn3qXmTAqvWPA==" }, LK_R_VOUCHER_NONCE, true);
}

static void
a_voucher_for_another_device(void **state)
{
	(void)state;
	assert_fails(&(struct script){ .serial = "LK-0002" }, LK_R_VOUCHER_SERIAL, true);
}

static void
another_server_behind_the_second_connection(void **state)
{
	(void)state;
	assert_fails(&(struct script){ .other_server = true }, LK_R_CERT_CHAIN, false);
}

static void
a_connection_that_is_gone_takes_nothing(void **state)
{
	LK_CLEANUP(device_done) struct device d;

	(void)state;
	onboard(&d, &(struct script){ .laters = 0 });
	assert_int_equal(lk_engine_output(d.engine).n, 0);
	lk_engine_sent(d.engine, 1);
	lk_engine_feed(d.engine, LK_SLICE_LIT("late"), PKI_NOW, d.ms);
	assert_int_equal(lk_pledge_state(lk_engine_pledge(d.engine)), LK_PLEDGE_ONBOARDED);
}

static void
a_registrar_that_says_nothing(void **state)
{
	(void)state;
	assert_fails(&(struct script){ .mute = true }, LK_R_AGENT_SILENT, false);
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
		cmocka_unit_test(the_whole_way),
		cmocka_unit_test(told_to_wait_it_sends_the_same_bytes),
		cmocka_unit_test(told_a_date_it_waits_for_the_longest),
		cmocka_unit_test(a_rogue_registrar_is_told_and_left),
		cmocka_unit_test(a_voucher_of_another_manufacturer),
		cmocka_unit_test(a_voucher_for_another_request),
		cmocka_unit_test(a_voucher_for_another_device),
		cmocka_unit_test(another_server_behind_the_second_connection),
		cmocka_unit_test(a_connection_that_is_gone_takes_nothing),
		cmocka_unit_test(a_registrar_that_says_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
