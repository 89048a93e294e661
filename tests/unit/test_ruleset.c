/* SPDX-License-Identifier: Apache-2.0
 *
 * The ruleset against its golden form, one command a line: what a change of the
 * program changes in the kernel is seen in review. Every limit refuses and leaves
 * the output as it was.
 */
#include "test.h"

#include <jansson.h>
#include <stdlib.h>

#include "policy/ruleset.h"

static const char *const golden[] = {
#include "ruleset.golden.h"
};

static const char *const ports[] = { "port1", "port2.7" };
static const struct lk_flow flows[] = {
	{ LK_FLOW_TCP, { { 203, 0, 113, 20 }, 32 }, 443, 443 },
	{ LK_FLOW_UDP, { { 203, 0, 113, 0 }, 24 }, 5000, 5010 },
	{ LK_FLOW_PING, { { 0 }, 0 }, 0, 0 },
};
static const struct lk_profile profiles[] = { { 1, flows, 3 }, { LK_MARK_CLASS_MAX, NULL, 0 } };
static const struct lk_ruleset site = {
	.bridge = "br-dev",
	.ports = ports,
	.n_ports = 2,
	.router = { 0xfe, 0x80, [14] = 0xab, 1 },
	.join_port = 8443,
	.devices = { { 192, 0, 2, 0 }, 24 },
	.profiles = profiles,
	.n_profiles = 2,
};

/* With LK_PRINT_GOLDEN in the environment it prints what would be golden. */
static void
test_golden(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(LK_RULESET_JSON_MAX);
	json_t *document, *command;
	struct lk_err e;
	size_t i;

	(void)state;
	/*= Latchkey enforcement: before onboarding a device reaches the join point and nothing else =*/
	/*= Latchkey enforcement: a MAC address that lives on one port is refused on another =*/
	/*= Latchkey enforcement: an admitted device sends from the address bound to its port and MAC =*/
	/*= Latchkey enforcement: established traffic whose mark is not its opener's is dropped =*/
	assert_true(lk_ruleset_print(&site, &out, &e).ok);
	document = json_loadb((const char *)out.p, out.n, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(document);
	json_array_foreach (json_object_get(document, "nftables"), i, command) {
		char *text = json_dumps(command, JSON_COMPACT);

		if (getenv("LK_PRINT_GOLDEN")) {
			puts(text);
		} else {
			assert_true(i < LK_ARRAY_LEN(golden));
			assert_string_equal(text, golden[i]);
		}
		free(text);
	}
	assert_true(getenv("LK_PRINT_GOLDEN") || i == LK_ARRAY_LEN(golden));
	json_decref(document);
}

static void
assert_no_ruleset(const struct lk_ruleset *r)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(LK_RULESET_JSON_MAX);
	struct lk_err e;

	assert_true(lk_buf_append_str(&out, "before", &e).ok);
	assert_refused(lk_ruleset_print(r, &out, &e), e, LK_R_RULESET);
	assert_string_equal(lk_buf_str(&out), "before");
}

static void
test_names(void **state)
{
	static const char *const bad[] = { "", "sixteen-letters-", "a b", "a\"", "-a", "../a", "p*",
		"\xc3\xa4" };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		struct lk_ruleset r = site;

		r.bridge = bad[i];
		assert_no_ruleset(&r);
		r = site;
		r.ports = &bad[i];
		r.n_ports = 1;
		assert_no_ruleset(&r);
	}
}

static void
test_limits(void **state)
{
	static const char *const twice[] = { "port1", "port1" };
	const struct lk_profile same[] = { { 1, NULL, 0 }, { 1, NULL, 0 } };
	const struct lk_profile none[] = { { 0, NULL, 0 } },
				large[] = { { LK_MARK_CLASS_MAX + 1, NULL, 0 } },
				long_one[] = { { 1, flows, LK_RULESET_FLOWS_MAX + 1 } };
	const struct lk_flow backwards = { LK_FLOW_TCP, { { 0 }, 0 }, 2, 1 },
			     wide = { LK_FLOW_TCP, { { 0 }, 33 }, 1, 1 };
	const struct lk_profile reversed[] = { { 1, &backwards, 1 } },
				narrow[] = { { 1, &wide, 1 } };
	const struct lk_profile *const bad[] = { none, large, long_one, reversed, narrow };
	struct lk_ruleset r = site;
	size_t i;

	(void)state;
	r.ports = twice;
	assert_no_ruleset(&r);
	r = site;
	r.n_ports = LK_RULESET_PORTS_MAX + 1;
	assert_no_ruleset(&r);
	r = site;
	r.router[0] = 0x20;
	assert_no_ruleset(&r);
	r = site;
	r.router[1] = 0xc0;
	assert_no_ruleset(&r);
	r = site;
	r.join_port = 0;
	assert_no_ruleset(&r);
	r = site;
	r.devices.prefix = 33;
	assert_no_ruleset(&r);
	r = site;
	r.n_profiles = LK_RULESET_PROFILES_MAX + 1;
	assert_no_ruleset(&r);
	r = site;
	r.profiles = same;
	assert_no_ruleset(&r);
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		r.profiles = bad[i];
		r.n_profiles = 1;
		assert_no_ruleset(&r);
	}
}

static void
test_too_large(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(1000);
	struct lk_err e;

	(void)state;
	assert_refused(lk_ruleset_print(&site, &out, &e), e, LK_R_TOO_LARGE);
	assert_int_equal(out.n, 0);
}

static void
test_network4(void **state)
{
	static const char *const bad[] = { "", "1.2.3", "1.2.3.4.5", "1.2.3.0/", "1.2.3.0/33",
		"1.2.3.0/-1", "1.2.3.4/24", "1.2.3.0/24/1", "1.2.3.256", "::/0",
		"1111111111111111" };
	const uint8_t inside[] = { 192, 0, 2, 255 }, outside[] = { 192, 0, 3, 0 };
	struct lk_network4 n = { .prefix = 77 };
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		e = (struct lk_err){ 0 };
		assert_false(lk_network4_parse(lk_slice_str(bad[i]), &n, &e).ok);
		assert_int_equal(n.prefix, 77);
		assert_true(e.reason == LK_R_RULESET || e.reason == LK_R_SYNTAX_NUMBER);
	}
	assert_true(lk_network4_parse(LK_SLICE_LIT("192.0.2.0/24"), &n, &e).ok);
	assert_true(lk_network4_has(&n, inside) && !lk_network4_has(&n, outside));
	assert_true(lk_network4_parse(LK_SLICE_LIT("0.0.0.0/0"), &n, &e).ok);
	assert_true(lk_network4_has(&n, outside));
	assert_true(lk_network4_parse(LK_SLICE_LIT("192.0.2.255"), &n, &e).ok);
	assert_true(lk_network4_has(&n, inside) && !lk_network4_has(&n, outside));
}

static void
test_flow(void **state)
{
	static const char *const bad[] = { "", "tcp", "tcp:", "tcp:1.2.3.4",
		"tcp:1.2.3.4:", "tcp:1.2.3.4:0", "tcp:1.2.3.4:2-1", "tcp:1.2.3.4:1-",
		"tcp:1.2.3.4:65536", "ping:1.2.3.4:1", "ping:1.2.3.4:", "sctp:1.2.3.4:1",
		"tcp:1.2.3.4:1-2-3", "tcp:1.2.3.4:1:2" };
	struct lk_flow f = { .first = 77 };
	struct lk_err e;
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		assert_false(lk_flow_parse(lk_slice_str(bad[i]), &f, &e).ok);
		assert_int_equal(f.first, 77);
	}
	assert_true(lk_flow_parse(LK_SLICE_LIT("udp:203.0.113.0/24:5000-5010"), &f, &e).ok);
	assert_memory_equal(&f, &flows[1], sizeof f);
	assert_true(lk_flow_parse(LK_SLICE_LIT("tcp:203.0.113.20:443"), &f, &e).ok);
	assert_memory_equal(&f, &flows[0], sizeof f);
	assert_true(lk_flow_parse(LK_SLICE_LIT("ping:0.0.0.0/0"), &f, &e).ok);
	assert_int_equal(f.protocol, LK_FLOW_PING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_network4),
		cmocka_unit_test(test_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
