/* SPDX-License-Identifier: Apache-2.0
 *
 * The registrar's certificate is renewed by the clock, runs that began under the
 * former one go on, and what is signed afterwards names the new one. The registrar
 * of the cast has ten years from the day before PKI_NOW.
 */
#include "keeper_cast.h"

#include "artefact/voucher_request.h"
#include "store/backend.h"

#define TWO_THIRD (2434 * PKI_DAY) /* of its life, in days from PKI_NOW: a few before */

/* The chain that the roles that follow it are given. Caller releases. */
static void
fetch(struct site *s, enum lk_role role, enum lk_own_server which, struct lk_certs *ret)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(64);
	const struct lk_get_chain_body g = { .server = which };
	struct lk_chain_body b;
	struct lk_slice der;
	bool more;

	must_succeed(lk_body_pack(LK_BODY_get_chain, &g, &packed, e));
	must_succeed(
		lk_turn_receive(s->turn, role, 0, 1, LK_BODY_get_chain, lk_buf_slice(&packed), e));
	must_succeed(lk_turn_flush(s->turn, e));
	must_succeed(lk_body_unpack(LK_BODY_chain, lk_buf_slice(&s->packed), &b, e));
	for (;;) {
		LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;

		must_succeed(lk_list_next(&b.certs, &more, &der, e));
		if (!more)
			return;
		must_succeed(lk_cert_parse(der, &c, e));
		must_succeed(lk_certs_add(ret, c, e));
	}
}

static void
assert_registrar(struct site *s, bool renewed)
{
	static const enum lk_role askers[] = { LK_ROLE_FRONT, LK_ROLE_COURIER, LK_ROLE_SIGNER,
		LK_ROLE_DESK };
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(askers); i++) {
		LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };

		fetch(s, askers[i], LK_OWN_REGISTRAR, &chain);
		assert_int_equal(chain.n, 2);
		assert_true(lk_cert_same_key(chain.v[0], pki_cert(&s->pki.registrar)));
		assert_int_equal(lk_cert_eq(chain.v[0], pki_cert(&s->pki.registrar)), !renewed);
		assert_true(lk_cert_eq(chain.v[1], pki_cert(&s->pki.domain)));
	}
}

static void
begin(struct site *s)
{
	site_init(s, "allow");
	site_pass(s, TWO_THIRD - 10 * PKI_DAY);
	assert_registrar(s, false);
}

/*= Latchkey servers: a certificate is renewed at two thirds of its life =*/
static void
test_renewed_by_the_clock(void **state)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };
	char dns[LK_CERT_NAME_MAX], cn[LK_CERT_NAME_MAX];
	struct site s;

	(void)state;
	begin(&s);
	site_pass(&s, 10 * PKI_DAY);
	assert_registrar(&s, true);
	fetch(&s, LK_ROLE_FRONT, LK_OWN_REGISTRAR, &chain);
	assert_int_equal(lk_cert_not_after(chain.v[0]), s.clock.seconds + 90 * PKI_DAY);
	must_succeed(lk_cert_san_dns(chain.v[0], dns, e));
	assert_string_equal(dns, "registrar.domain.example");
	lk_cert_subject(chain.v[0], "2.5.4.3", cn);
	assert_string_equal(cn, "Registrar");
	must_succeed(lk_cert_check_profile(chain.v[0], LK_PROFILE_REGISTRAR, e));
	site_event(&s, "certificate-renewed");
	site_pass(&s, 59 * PKI_DAY); /* not again before its own time */
	assert_int_equal(site_count(&s, LK_KIND_certificate), 1);
	site_pass(&s, 2 * PKI_DAY);
	assert_int_equal(site_count(&s, LK_KIND_certificate), 2);
	site_restart(&s); /* the newest is on record */
	assert_registrar(&s, true);
	site_done(&s);
}

/*= Latchkey registrar: a renewed certificate stays presentable to runs in progress =*/
static void
test_runs_in_progress(void **state)
{
	struct site s;

	(void)state;
	begin(&s);
	site_pass(&s, 10 * PKI_DAY);
	assert_registrar(&s, true);
	site_request_voucher(&s, NULL, NULL); /* names the former one */
	assert_non_null(site_question(&s, LK_ROLE_COURIER));
	site_done(&s);

	begin(&s);
	site_pass(&s, 10 * PKI_DAY);
	site_pass(&s, 5 * PKI_DAY);
	site_request_voucher(&s, NULL, NULL);
	assert_site_refused(&s, LK_R_REQUEST_PROXIMITY);
	site_done(&s);
}

/*= RFC8995 5.5.5: the registrar's key is one and the same in TLS and voucher-requests =*/
static void
test_signer_names_the_new_one(void **state)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;
	struct lk_err why;
	struct site s;

	(void)state;
	begin(&s);
	site_pass(&s, 10 * PKI_DAY);
	fetch(&s, LK_ROLE_SIGNER, LK_OWN_REGISTRAR, &chain);
	assert_refused(lk_signer_renew(s.signer, LK_SIGNER_REGISTRAR, &s.pki.stranger.chain, &why),
		why, LK_R_KEY_MISMATCH);
	assert_refused(
		lk_signer_renew(s.signer, LK_SIGNER_MASA, &chain, &why), why, LK_R_KEY_MISMATCH);
	must_succeed(lk_signer_renew(s.signer, LK_SIGNER_REGISTRAR, &chain, e));
	site_request_voucher(&s, NULL, NULL);
	must_succeed(lk_voucher_request_parse(
		site_question(&s, LK_ROLE_COURIER)->body.as_fetch.body, &r, e));
	assert_true(lk_certs_contain(lk_cms_certs(r->cms), chain.v[0]));
	assert_false(lk_certs_contain(lk_cms_certs(r->cms), pki_cert(&s.pki.registrar)));
	site_done(&s);
}

/* After any number of renewals, and in another process, the last but one is a former one too. */
/*= Latchkey registrar: a renewed certificate stays presentable to runs in progress =*/
static void
test_former_ones_after_a_restart(void **state)
{
	const struct lk_certs *former;
	struct site s;
	size_t i;

	(void)state;
	begin(&s);
	site_pass(&s, 10 * PKI_DAY);
	for (i = 0; i < 5; i++)
		site_pass(&s, 61 * PKI_DAY);
	assert_int_equal(site_count(&s, LK_KIND_certificate), 6);
	site_restart(&s);
	lk_keeper_registrar(s.keeper, &former);
	assert_int_equal(former->n, 6);
	assert_true(lk_cert_eq(former->v[0], pki_cert(&s.pki.registrar)));
	for (i = 1; i < former->n; i++)
		assert_true(
			lk_cert_not_before(former->v[i - 1]) < lk_cert_not_before(former->v[i]));
	site_done(&s);
}

static const struct lk_store_ops *sound;

static struct lk_result
refuse_commit(struct lk_store *store, enum lk_txn_step step, struct lk_err *e)
{
	if (step != LK_TXN_COMMIT)
		return sound->txn(store, step, e);
	sound->rollback(store);
	return lk_fail(e, LK_R_STORE_IO, "so says the test");
}

/* What could not be recorded is told to nobody. */
/*= Latchkey turn: nothing leaves before the commit that it rests on =*/
static void
test_store_fails(void **state)
{
	struct lk_store_ops faulty;
	struct site s;
	struct lk_signed_body b;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(65536);
	const struct site_question *q;
	struct lk_err why;

	(void)state;
	begin(&s);
	s.signer_waits = true;
	site_pass(&s, 10 * PKI_DAY);
	q = site_question(&s, LK_ROLE_SIGNER);
	must_succeed(lk_signer_sign(s.signer, LK_ROLE_KEEPER, q->type, &q->body, &der, e));
	b.bytes = lk_buf_slice(&der);
	must_succeed(lk_body_pack(LK_BODY_signed, &b, &packed, e));
	sound = s.store->ops;
	faulty = *sound;
	faulty.txn = refuse_commit;
	s.store->ops = &faulty;
	must_succeed(lk_turn_receive(
		s.turn, LK_ROLE_SIGNER, 0, q->id, LK_BODY_signed, lk_buf_slice(&packed), e));
	assert_refused(lk_turn_flush(s.turn, &why), why, LK_R_STORE_IO);
	s.store->ops = sound;
	assert_registrar(&s, false);
	site_done(&s);
}

/* A signer that fails is asked again after a minute. */
static void
test_signer_fails(void **state)
{
	struct site s;

	(void)state;
	begin(&s);
	s.signer_waits = true;
	site_pass(&s, 10 * PKI_DAY);
	while (site_question(&s, LK_ROLE_SIGNER))
		site_fail(&s, LK_ROLE_SIGNER, LK_R_SIGNER_KEY);
	assert_registrar(&s, false);
	s.signer_waits = false;
	site_pass(&s, 59);
	assert_registrar(&s, false);
	site_pass(&s, 1);
	assert_registrar(&s, true);
	site_done(&s);
}

/* --- the other servers ------------------------------------------------------------------------ */

/* Of ninety days, eighty-one of which are over. */
static void
give(struct site *s, enum lk_own_server which, const struct pki_id *ca, const char *eku,
	const char *san, struct pki_id *ret)
{
	pki_issue(ca,
		&(struct pki_spec){ .cn = lk_own_servers[which].name,
			.eku = eku,
			.san = san,
			.not_before = s->clock.seconds - 81 * PKI_DAY,
			.not_after = s->clock.seconds + 9 * PKI_DAY },
		ret);
	must_succeed(lk_certs_add(&s->servers[which], pki_cert(ret), e));
	must_succeed(lk_certs_add(&s->servers[which], pki_cert(ca), e));
}

/*= Latchkey servers: a certificate is renewed at two thirds of its life =*/
static void
test_other_servers(void **state)
{
	LK_CLEANUP(pki_id_done) struct pki_id aaa, radius;
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 }, none = { .n = 0 };
	uint8_t ip[LK_CERT_IP_MAX];
	char dns[LK_CERT_NAME_MAX];
	struct site s;

	(void)state;
	site_init(&s, "allow");
	give(&s, LK_OWN_AAA, &s.pki.domain, "serverAuth", "DNS:localhost,IP:127.0.0.1", &aaa);
	/* Of a CA that is not ours: not ours to renew. */
	give(&s, LK_OWN_RADIUS, &s.pki.stranger_ca, "serverAuth", "DNS:radius.house", &radius);
	site_restart(&s);
	site_pass(&s, 1);
	assert_int_equal(site_count(&s, LK_KIND_certificate), 1);
	site_event(&s, "certificate-renewed");
	assert_true(site_event_says(&s, "certificate-renewed", "server"));
	fetch(&s, LK_ROLE_AAA, LK_OWN_AAA, &chain);
	assert_int_equal(chain.n, 2);
	assert_true(lk_cert_same_key(chain.v[0], pki_cert(&aaa)));
	assert_int_equal(lk_cert_not_after(chain.v[0]), s.clock.seconds + 90 * PKI_DAY);
	must_succeed(lk_cert_check_profile(chain.v[0], LK_PROFILE_SERVER, e));
	must_succeed(lk_cert_san_dns(chain.v[0], dns, e));
	assert_string_equal(dns, "localhost");
	assert_int_equal(lk_cert_san_ip(chain.v[0], ip), 4);
	assert_memory_equal(ip, "\x7f\0\0\1", 4);
	assert_registrar(&s, false);
	fetch(&s, LK_ROLE_DESK, LK_OWN_AAA_CLIENT, &none);
	assert_int_equal(none.n, 0);
	fetch(&s, LK_ROLE_DESK, LK_OWN_RADIUS, &none);
	assert_true(lk_cert_eq(none.v[0], pki_cert(&radius)));
	site_pass(&s, 59 * PKI_DAY);
	assert_int_equal(site_count(&s, LK_KIND_certificate), 1);
	site_restart(&s); /* the newest is on record */
	lk_certs_done(&chain);
	fetch(&s, LK_ROLE_AAA, LK_OWN_AAA, &chain);
	assert_false(lk_cert_eq(chain.v[0], pki_cert(&aaa)));
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renewed_by_the_clock),
		cmocka_unit_test(test_runs_in_progress),
		cmocka_unit_test(test_signer_names_the_new_one),
		cmocka_unit_test(test_former_ones_after_a_restart),
		cmocka_unit_test(test_store_fails),
		cmocka_unit_test(test_signer_fails),
		cmocka_unit_test(test_other_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
