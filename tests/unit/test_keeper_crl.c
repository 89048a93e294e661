/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists: what stands on them, when they are made, and that a large one
 * is made at all.
 */
#include "keeper_cast.h"

#include "artefact/crl.h"
#include "base/encode.h"
#include "store/backend.h"

#define REFRESH 20
#define LIFE    86400

static void
begin(struct site *s)
{
	site_init(s, "allow");
	s->settings.crl_issuers[LK_CRL_LIST_DEVICE_CA] = pki_cert(&s->device_ca);
	s->settings.crl_refresh_seconds = REFRESH;
	s->settings.crl_seconds = LIFE;
	site_restart(s);
}

/* What a front that has list `number` is answered; b borrows from s->packed. */
static void
fetch(struct site *s, int64_t list, int64_t number, struct lk_crl_body *b)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(64);
	const struct lk_get_crl_body g = { .list = list, .number = number };

	must_succeed(lk_body_pack(LK_BODY_get_crl, &g, &packed, e));
	must_succeed(lk_turn_receive(
		s->turn, LK_ROLE_FRONT, 0, 1, LK_BODY_get_crl, lk_buf_slice(&packed), e));
	must_succeed(lk_turn_flush(s->turn, e));
	must_succeed(lk_body_unpack(LK_BODY_crl, lk_buf_slice(&s->packed), b, e));
}

/* The newest list; it verifies. Caller frees. */
static struct lk_crl *
newest(struct site *s)
{
	struct lk_crl_body b;
	struct lk_crl *c;

	fetch(s, LK_CRL_LIST_DEVICE_CA, 0, &b);
	must_succeed(lk_crl_parse(b.der, &c, e));
	must_succeed(lk_crl_check(c, pki_cert(&s->device_ca), s->clock.seconds, 0, e));
	assert_int_equal(c->number, b.number);
	assert_int_equal(c->this_update, b.this_update);
	assert_int_equal(c->next_update, b.next_update);
	return c;
}

/* The number of the newest list, and how many are on it. */
static void
assert_list(struct site *s, uint64_t *number, bool is_new, size_t entries)
{
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = newest(s);

	if (is_new)
		assert_true(c->number > *number);
	else
		assert_int_equal(c->number, *number);
	assert_int_equal(c->n_entries, entries);
	*number = c->number;
}

static void
put_certificate(struct site *s, size_t i, const char *status, int64_t not_after)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record c = LK_RECORD_INIT(certificate);

	lk_hex(lk_cert_ski(pki_cert(&s->device_ca)), c.issuer);
	snprintf(c.serial, sizeof c.serial, "40000000000000000000000000%06zx", i);
	set_text(c.status, status);
	set_text(c.reason, "keyCompromise");
	c.revoked_at = PKI_NOW - 60;
	c.not_after = not_after;
	must_succeed(lk_store_put(s->store, &c.record, e));
}

/* A clock that was put back holds nothing up. */
/*= SEC-06: a revocation is on the published list within the configured seconds =*/
static void
test_listed_when_the_clock_was_put_back(void **state)
{
	uint64_t number = 0;
	struct site s;

	(void)state;
	begin(&s);
	site_until(&s, SITE_DONE);
	site_pass(&s, 0);
	assert_list(&s, &number, true, 0);
	s.clock.seconds -= 3600;
	assert_int_equal(
		site_operate(&s, "device.revoke", "{\"device\":\"%s\"}", PKI_SERIAL), LK_R_NONE);
	site_pass(&s, REFRESH / 2);
	assert_list(&s, &number, true, 1);
	site_pass(&s, REFRESH / 2);
	assert_list(&s, &number, false, 1);
	site_done(&s);
}

/*= SEC-06: a revocation is on the published list within the configured seconds =*/
static void
test_revocation_is_listed(void **state)
{
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf serial = LK_BUF_INIT(LK_CERT_SERIAL_MAX);
	struct lk_crl_entry entry;
	uint64_t number = 0;
	struct site s;

	(void)state;
	begin(&s);
	site_until(&s, SITE_DONE);
	must_succeed(lk_hex_decode(lk_slice_str(site_certificate(&s)->serial), &serial, e));
	site_pass(&s, 0);
	assert_list(&s, &number, true, 0);
	assert_int_equal(
		site_operate(&s, "device.revoke", "{\"device\":\"%s\"}", PKI_SERIAL), LK_R_NONE);
	assert_list(&s, &number, false, 0);
	site_pass(&s, REFRESH / 2); /* the fronts have the other half of the time */
	assert_list(&s, &number, true, 1);
	c = newest(&s);
	assert_true(lk_crl_find(c, lk_buf_slice(&serial), &entry));
	assert_int_equal(entry.reason, LK_CRL_PRIVILEGE_WITHDRAWN);
	assert_int_equal(entry.revoked_at, PKI_NOW);
	site_pass(&s, REFRESH); /* nothing new: no list */
	assert_list(&s, &number, false, 1);
	site_restart(&s); /* what is revoked is on record */
	site_pass(&s, 0);
	assert_list(&s, &number, true, 1);
	site_done(&s);
}

/*= RFC5280 5.1.2.5: the next list is issued before nextUpdate =*/
/*= RFC5280 5.2.3: the CRL number grows from list to list =*/
static void
test_list_is_renewed(void **state)
{
	uint64_t number = 0;
	struct site s;

	(void)state;
	begin(&s);
	site_pass(&s, 0);
	assert_list(&s, &number, true, 0);
	site_pass(&s, LIFE / 2 - 1);
	assert_list(&s, &number, false, 0);
	site_pass(&s, 1);
	assert_list(&s, &number, true, 0);
	site_done(&s);
}

/*= RFC5280 3.3: an entry stays until a list was issued beyond its certificate's validity =*/
static void
test_expired_entry(void **state)
{
	uint64_t number = 0;
	struct site s;

	(void)state;
	begin(&s);
	must_succeed(lk_store_begin(s.store, e));
	put_certificate(&s, 1, "revoked", PKI_NOW + 60);
	put_certificate(&s, 2, "revoked", PKI_NOW + 10 * LIFE);
	put_certificate(&s, 3, "issued", PKI_NOW + 10 * LIFE);
	must_succeed(lk_store_commit(s.store, e));
	site_restart(&s);
	site_pass(&s, 0);
	assert_list(&s, &number, true, 2);
	site_pass(&s, LIFE / 2); /* expired; this list still has it */
	assert_list(&s, &number, true, 2);
	site_pass(&s, LIFE / 2);
	assert_list(&s, &number, true, 1);
	site_done(&s);
}

/* A signer that fails costs a minute, and one event an attempt. */
static void
test_signer_fails(void **state)
{
	uint64_t number = 0;
	struct lk_crl_body b;
	int64_t events;
	struct site s;

	(void)state;
	begin(&s);
	s.signer_waits = true;
	site_pass(&s, 0);
	site_fail(&s, LK_ROLE_SIGNER, LK_R_SIGNER_KEY);
	fetch(&s, LK_CRL_LIST_DEVICE_CA, 0, &b);
	assert_int_equal(b.number, 0);
	events = site_count(&s, LK_KIND_event);
	site_pass(&s, 59);
	assert_null(site_question(&s, LK_ROLE_SIGNER));
	assert_int_equal(site_count(&s, LK_KIND_event), events);
	s.signer_waits = false;
	site_pass(&s, 1);
	assert_list(&s, &number, true, 0);
	site_done(&s);
}

static void
test_what_fronts_get(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(64);
	const struct lk_get_crl_body g = { .list = LK_CRL_LIST_COUNT };
	struct lk_crl_body b;
	struct site s;

	(void)state;
	begin(&s);
	fetch(&s, LK_CRL_LIST_DEVICE_CA, 0, &b);
	assert_int_equal(b.number, 0); /* none was made */
	site_pass(&s, 0);
	fetch(&s, LK_CRL_LIST_SERVER_CA, 0, &b);
	assert_int_equal(b.number, 0); /* nor will it be: that CA publishes none */
	fetch(&s, LK_CRL_LIST_DEVICE_CA, 0, &b);
	assert_true(b.number > 0 && b.der.n > 0);
	fetch(&s, LK_CRL_LIST_DEVICE_CA, b.number, &b); /* it has this one */
	assert_true(b.number > 0 && b.der.n == 0);
	must_succeed(lk_body_pack(LK_BODY_get_crl, &g, &packed, e));
	must_succeed(lk_turn_receive(
		s.turn, LK_ROLE_FRONT, 0, 1, LK_BODY_get_crl, lk_buf_slice(&packed), e));
	must_succeed(lk_turn_flush(s.turn, e));
	assert_string_equal(site_event(&s, "refused")->reason, "ipc-malformed");
	site_done(&s);
}

/* As many as a large network revokes at once; all of it goes from keeper to signer to front. */
static void
test_hundred_thousand(void **state)
{
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
	const size_t n = 100000;
	struct site s;
	size_t i;

	(void)state;
	begin(&s);
	must_succeed(lk_store_begin(s.store, e));
	for (i = 0; i < n; i++)
		put_certificate(&s, i, "revoked", PKI_NOW + LIFE);
	must_succeed(lk_store_commit(s.store, e));
	site_restart(&s);
	site_pass(&s, 0);
	c = newest(&s);
	assert_int_equal(c->n_entries, n);
	assert_true(c->der.n > 4 * 1024 * 1024);
	site_done(&s);
}

/* --- questions that cannot be answered -------------------------------------------------------- */

static const struct lk_store_ops *sound;

static struct lk_result
refuse_commit(struct lk_store *store, enum lk_txn_step step, struct lk_err *e)
{
	if (step != LK_TXN_COMMIT)
		return sound->txn(store, step, e);
	sound->rollback(store);
	return lk_fail(e, LK_R_STORE_IO, "so says the test");
}

/* Asks and lets the turn end. */
static enum lk_reason
refusal_of(struct site *s, enum lk_body type, const void *body)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(64);
	struct lk_err why;

	s->refusal = LK_R_NONE;
	must_succeed(lk_body_pack(type, body, &packed, e));
	must_succeed(
		lk_turn_receive(s->turn, LK_ROLE_FRONT, 0, 1, type, lk_buf_slice(&packed), e));
	lk_ignore(lk_turn_flush(s->turn, &why));
	return s->refusal;
}

/* Each is told why: one without answer keeps its place in the channel for good. */
static void
test_refused_questions(void **state)
{
	const struct lk_get_crl_body list = { .list = LK_CRL_LIST_DEVICE_CA };
	const struct lk_get_crl_body none = { .list = LK_CRL_LIST_COUNT };
	const struct lk_get_chain_body registrar = { .server = LK_OWN_REGISTRAR };
	struct lk_store_ops faulty;
	struct site s;

	(void)state;
	begin(&s);
	assert_int_equal(refusal_of(&s, LK_BODY_get_crl, &none), LK_R_IPC_MALFORMED);
	sound = s.store->ops;
	faulty = *sound;
	faulty.txn = refuse_commit;
	s.store->ops = &faulty;
	assert_int_equal(refusal_of(&s, LK_BODY_get_crl, &list), LK_R_STORE_IO);
	assert_int_equal(refusal_of(&s, LK_BODY_get_chain, &registrar), LK_R_STORE_IO);
	s.store->ops = sound;
	assert_int_equal(refusal_of(&s, LK_BODY_get_chain, &registrar), LK_R_NONE);
	site_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listed_when_the_clock_was_put_back),
		cmocka_unit_test(test_revocation_is_listed),
		cmocka_unit_test(test_list_is_renewed),
		cmocka_unit_test(test_expired_entry),
		cmocka_unit_test(test_signer_fails),
		cmocka_unit_test(test_what_fronts_get),
		cmocka_unit_test(test_hundred_thousand),
		cmocka_unit_test(test_refused_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
