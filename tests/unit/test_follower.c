/* SPDX-License-Identifier: Apache-2.0
 *
 * Which chain takes the place of the registrar's, and when it has taken it.
 */
#include "test.h"

#include "noc/follower.c" /* NOLINT: its statics are what is tested */
#include "pki.h"

static struct pki_cast cast;
static struct lk_clock_fixed clock;
static struct lk_process process;
static struct lk_follower follower;
static unsigned taken;
static bool refuses;
static struct lk_err err;

static struct lk_result
on_renewed(void *ctx, const struct lk_certs *chain, struct lk_err *e)
{
	(void)ctx;
	(void)chain;
	LK_REQUIRE(!refuses, e, LK_R_NOMEM, "not now");
	taken++;
	return LK_OK;
}

static int
setup(void **state)
{
	(void)state;
	pki_cast_init(&cast);
	lk_clock_fixed_init(&clock, PKI_NOW);
	assert_true(lk_loop_new(&clock.clock, &process.loop, &err).ok);
	follower = (struct lk_follower){ .process = &process, .renewed = on_renewed };
	lk_certs_copy(&cast.registrar.chain, &follower.now);
	taken = 0;
	refuses = false;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	lk_certs_done(&follower.now);
	lk_loop_free(process.loop);
	pki_cast_done(&cast);
	return 0;
}

/* What the keeper answers. */
static struct lk_result
told(const struct lk_certs *chain)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf list = LK_BUF_INIT(32768);
	LK_CLEANUP(lk_buf_done) struct lk_buf packed = LK_BUF_INIT(65536);
	struct lk_chain_body b;
	size_t i;

	for (i = 0; i < chain->n; i++)
		assert_true(lk_list_add(&list, lk_cert_der(chain->v[i]), &err).ok);
	b.certs = lk_buf_slice(&list);
	assert_true(lk_body_pack(LK_BODY_chain, &b, &packed, &err).ok);
	return take(&follower, lk_buf_slice(&packed), &err);
}

static bool
follows(const struct pki_id *id)
{
	return lk_cert_eq(follower.now.v[0], pki_cert(id));
}

static void
renew(const struct pki_id *ca, const struct pki_spec *spec, struct pki_id *ret)
{
	struct pki_spec s = *spec;

	s.cn = "registrar";
	s.eku = PKI_EKU_RA;
	pki_issue(ca, &s, ret);
}

static void
test_renewed(void **state)
{
	struct pki_id next;

	(void)state;
	renew(&cast.domain, &(struct pki_spec){ .key = cast.registrar.key }, &next);
	assert_true(told(&cast.registrar.chain).ok); /* the one in use */
	assert_int_equal(taken, 0);
	assert_true(told(&next.chain).ok);
	assert_int_equal(taken, 1);
	assert_true(follows(&next));
	pki_id_done(&next);
}

/* It is shown again a minute later: the old one ends sooner or later. */
static void
test_whoever_could_not_take_it_is_shown_it_again(void **state)
{
	struct pki_id next;

	(void)state;
	renew(&cast.domain, &(struct pki_spec){ .key = cast.registrar.key }, &next);
	refuses = true;
	assert_refused(told(&next.chain), err, LK_R_NOMEM);
	assert_true(follows(&cast.registrar));
	refuses = false;
	assert_true(told(&next.chain).ok);
	assert_int_equal(taken, 1);
	assert_true(follows(&next));
	pki_id_done(&next);
}

static void
test_refused(void **state)
{
	const struct {
		const struct pki_id *ca;
		struct pki_spec spec;
		enum lk_reason reason;
	} bad[] = {
		/*= RFC8995 5.5.5: the registrar's key is one and the same in TLS and voucher-requests =*/
		{ &cast.domain, { .key = NULL }, LK_R_KEY_MISMATCH },
		{ &cast.stranger_ca, { .key = cast.registrar.key }, LK_R_CERT_CHAIN },
		{ &cast.domain, { .key = cast.registrar.key, .not_after = PKI_NOW - 1 },
			LK_R_CERT_TIME },
	};
	const struct lk_certs none = { .n = 0 };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		struct pki_id next;

		renew(bad[i].ca, &bad[i].spec, &next);
		assert_refused(told(&next.chain), err, bad[i].reason);
		pki_id_done(&next);
	}
	assert_refused(told(&none), err, LK_R_KEY_MISMATCH);
	assert_int_equal(taken, 0);
	assert_true(follows(&cast.registrar));
}

#define follower_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		follower_test(test_renewed),
		follower_test(test_whoever_could_not_take_it_is_shown_it_again),
		follower_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
