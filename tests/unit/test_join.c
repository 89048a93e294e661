/* SPDX-License-Identifier: Apache-2.0
 *
 * What an onboarded device does in its network, without 802.1X: it says that it joined, visits the
 * applications that it was told of, renews its LDevID. The network is a server on the loopback.
 */
#include "tls_script.h"

#include <dirent.h>

#include "agent/agent.h"
#include "artefact/cert_profile.h"
#include "base/encode.h"
#include "base/file.h"

#define DEVICE       "019b7f00-0000-7000-8000-000000000001"
#define OTHER_DEVICE "019b7f00-0000-7000-8000-000000000002"
#define TYPE         "application/pkcs7-mime; smime-type=certs-only"

static struct pki_cast cast;
static char dir[] = "/tmp/test-join.XXXXXX";

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

/* --- the network ------------------------------------------------------------------------------ */

static enum { RIGHT, OTHER_KEY, OTHER_NAME, OTHER_CA, REFUSED } renewal;

static void
must(bool good)
{
	if (!good)
		_exit(1);
}

/* Certifies the key of the request, or what the test asks for instead. */
static void
certify(struct lk_slice text, struct lk_buf *out)
{
	static const uint8_t serial[16] = { 0x5a };
	const struct pki_id *ca = renewal == OTHER_CA ? &cast.stranger_ca : &cast.domain;
	LK_CLEANUP(lk_csr_freep) struct lk_csr *csr = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf pkcs7 = LK_BUF_INIT(SCRIPT_MAX);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;
	struct lk_certs one = { .n = 0 };
	struct lk_cert_spec spec = { .profile = LK_PROFILE_LDEVID,
		.serial = LK_SLICE_ARRAY(serial),
		.not_before = PKI_NOW,
		.not_after = PKI_NOW + 30 * PKI_DAY,
		.common_name = renewal == OTHER_NAME ? OTHER_DEVICE : DEVICE,
		.serial_number = PKI_SERIAL,
		.san_uri = "urn:uuid:" DEVICE };

	must(lk_csr_parse_body(text, &csr, NULL).ok);
	spec.spki = renewal == OTHER_KEY ? lk_key_spki(cast.stranger.key) : csr->spki;
	must(lk_cert_issue(&spec, pki_cert(ca), ca->key, &der, NULL).ok);
	must(lk_cert_parse(lk_buf_slice(&der), &cert, NULL).ok);
	must(lk_certs_add(&one, cert, NULL).ok);
	must(lk_certs_print_pkcs7(&one, &pkcs7, NULL).ok);
	must(lk_base64_encode_wrapped(lk_buf_slice(&pkcs7), out, NULL).ok);
}

static void
network(const struct lk_http1 *request, const struct lk_cert *client, struct lk_http1_response *ret,
	struct lk_buf *body)
{
	(void)client;
	if (strcmp(request->path, "/.well-known/est/simplereenroll") != 0)
		return;
	if (renewal == REFUSED) {
		ret->status = 403;
		return;
	}
	ret->content_type = TYPE;
	certify(lk_buf_slice(&request->body), body);
}

/* --- the device ------------------------------------------------------------------------------- */

static void
below(const char *name, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", dir, name);
}

static void
put_cert(const char *name, const struct lk_cert *cert)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_CERT_DER_MAX);
	char path[PATH_MAX];
	struct lk_err e;

	below(name, path);
	assert_true(lk_cert_print_pem(cert, &text, &e).ok);
	assert_true(lk_file_replace(path, lk_buf_slice(&text), 0600, &e).ok);
}

static void
bear(void)
{
	LK_CLEANUP(pki_id_done) struct pki_id device;
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	char path[PATH_MAX], uri[PATH_MAX + 32];
	struct lk_err e;

	assert_non_null(mkdtemp(dir));
	below("bootstrap", path);
	assert_true(lk_dir_make(path, 0700, &e).ok);
	snprintf(uri, sizeof uri, "file:%s/idevid.key", path);
	assert_true(lk_key_generate(uri, LK_KEY_P256, &key, &e).ok);
	pki_issue(&cast.vendor,
		&(struct pki_spec){ .cn = "device", .serial_number = PKI_SERIAL, .key = key },
		&device);
	put_cert("bootstrap/idevid.pem", pki_cert(&device));
	put_cert("bootstrap/anchors.pem", pki_cert(&cast.vendor));
}

/* Of the onboarding information: where to report and renew; NULL: not said. */
static const char *service;

/* Onboarded into `home`; an application is at `url` (NULL: none). */
static void
onboarded(struct lk_agent *a, const char *url, bool own_anchor)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	LK_CLEANUP(pki_id_done) struct pki_id ldevid;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_ONBOARDING_MAX);
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;
	struct lk_onboarding_leaves leaf = { .network = "home",
		.device = DEVICE,
		.serial_number = PKI_SERIAL,
		.issued_on = PKI_NOW,
		.sequence = 1 };
	struct lk_buf *anchor = &leaf.endpoints[0].anchor;
	struct lk_pledge_credentials got;
	struct lk_err e = { 0 };

	*a = (struct lk_agent){ .clock = &test_clock,
		.random = &lk_random_system,
		.set = { .supplicant = "", .address_wait = "1s" } };
	leaf.present = (1u << (LK_ONBOARDING_SEQUENCE + 1)) - 1;
	if (service) {
		leaf.present |= 1u << LK_ONBOARDING_LIFECYCLE_URL | 1u << LK_ONBOARDING_RENEWAL_URL;
		snprintf(leaf.lifecycle_url, sizeof leaf.lifecycle_url, "%s", service);
		snprintf(leaf.renewal_url, sizeof leaf.renewal_url, "%s", service);
	}
	if (url) {
		leaf.n_endpoints = 1;
		leaf.endpoints[0].present = 1u << LK_ENDPOINT_KIND | 1u << LK_ENDPOINT_URL;
		snprintf(leaf.endpoints[0].kind, sizeof leaf.endpoints[0].kind, "https");
		snprintf(leaf.endpoints[0].url, sizeof leaf.endpoints[0].url, "%s", url);
	}
	*anchor = LK_BUF_INIT(LK_CERT_DER_MAX);
	if (own_anchor) {
		leaf.endpoints[0].present |= 1u << LK_ENDPOINT_ANCHOR;
		assert_true(lk_buf_append(anchor, lk_cert_der(pki_cert(&cast.stranger_ca)), &e).ok);
	}
	if (!lk_onboarding_build(&leaf, cast.registrar.key, &cast.registrar.chain, &der, &e).ok)
		fail_msg("%s", e.msg);
	lk_buf_done(anchor);
	assert_true(lk_onboarding_parse(lk_buf_slice(&der), &o, &e).ok);
	assert_true(lk_credentials_open(dir, a->random, &a->credentials, &e).ok);
	assert_true(lk_credentials_new_key(&a->credentials, &key, &e).ok);
	pki_issue(&cast.domain,
		&(struct pki_spec){ .cn = DEVICE,
			.serial_number = PKI_SERIAL,
			.san = "URI:urn:uuid:" DEVICE,
			.key = key },
		&ldevid);
	got = (struct lk_pledge_credentials){ key, pki_cert(&ldevid), &cast.domain.chain,
		pki_cert(&cast.domain), LK_SLICE_LIT("voucher"), lk_buf_slice(&der), o };
	assert_true(lk_credentials_commit(&a->credentials, &got, &e).ok);
	if (!lk_onboarded_load(&a->credentials, NULL, &a->onboarded, &e).ok)
		fail_msg("%s", e.msg);
}

static void
agent_done(struct lk_agent *a)
{
	lk_onboarded_done(&a->onboarded);
	lk_credentials_done(&a->credentials);
}

/* Where it was onboarded. */
static void
registrar_at(struct lk_agent *a, const struct script *s)
{
	a->has_registrar = true;
	a->registrar = (struct sockaddr_in6){ .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
		.sin6_port = htons(s->port) };
}

/* --- joined ----------------------------------------------------------------------------------- */

/*= ONB-13: after it joined, the device tells the network so =*/
static void
test_it_says_that_it_joined(void **state)
{
	LK_CLEANUP(script_done) struct script s;
	LK_CLEANUP(agent_done) struct lk_agent a;
	struct lk_supplicant none = { .pid = 0, .fd = -1 };
	struct lk_err e = { 0 };
	char want[256];

	(void)state;
	script_start(&cast.registrar, network, &s);
	onboarded(&a, NULL, false);
	registrar_at(&a, &s);
	assert_true(lk_agent_join(&a, &none, &e).ok);
	/* with its LDevID */
	snprintf(want, sizeof want,
		DEVICE
		" POST /.well-known/latchkey/joined [::1]:%u {\"schema\":1,\"network\":\"home\"}\n",
		(unsigned)s.port);
	assert_string_equal(script_asked(&s), want);
	assert_int_equal(none.pid, 0); /* no supplicant where the port is open already */
}

/* A device that was off since it was onboarded knows of its network what the information says: both
 * services are at their well-known paths there. */
/*= ONB-13: after it joined, the device tells the network so =*/
/*= RFC7030 4.2.2: the LDevID is renewed with itself, here with a new key =*/
static void
test_services_of_the_information(void **state)
{
	static const char *const ends[] = { "", "/", "/?x#y" };
	LK_CLEANUP(pki_id_done) struct pki_id id;
	struct lk_supplicant none = { .pid = 0, .fd = -1 };
	char url[64];
	size_t i;

	(void)state;
	renewal = RIGHT;
	pki_issue(&cast.domain, &(struct pki_spec){ .cn = "noc", .san = "IP:::1" }, &id);
	for (i = 0; i < LK_ARRAY_LEN(ends); i++) {
		LK_CLEANUP(script_done) struct script s;
		LK_CLEANUP(agent_done) struct lk_agent a;
		struct lk_err e = { 0 };
		const char *asked;

		script_start(&id, network, &s);
		snprintf(url, sizeof url, "https://[::1]:%u%s", (unsigned)s.port, ends[i]);
		service = url;
		onboarded(&a, NULL, false);
		service = NULL;
		assert_true(lk_agent_join(&a, &none, &e).ok);
		asked = script_asked(&s);
		assert_ptr_equal(
			strstr(asked, DEVICE " POST /.well-known/latchkey/joined "), asked);
		if (!lk_agent_renew(&a, &e).ok)
			fail_msg("%s: %s", lk_reason_info(e.reason)->symbol, e.msg);
		asked = script_asked(&s);
		assert_non_null(strstr(asked, DEVICE " POST /.well-known/est/simplereenroll "));
	}
}

/* An application is met with the anchor that onboarding brought, and no other. */
static void
test_it_visits_its_applications(void **state)
{
	LK_CLEANUP(script_done) struct script registrar, application;
	LK_CLEANUP(pki_id_done) struct pki_id id;
	struct lk_supplicant none = { .pid = 0, .fd = -1 };
	char url[64], lines[64];
	int with_anchor;

	(void)state;
	pki_issue(&cast.stranger_ca, &(struct pki_spec){ .cn = "app", .san = "IP:::1" }, &id);
	script_start(&cast.registrar, network, &registrar);
	for (with_anchor = 1; with_anchor >= 0; with_anchor--) {
		LK_CLEANUP(agent_done) struct lk_agent a;
		struct lk_err e = { 0 };

		script_start(&id, network, &application);
		snprintf(url, sizeof url, "https://[::1]:%u/app", (unsigned)application.port);
		onboarded(&a, url, with_anchor);
		registrar_at(&a, &registrar);
		assert_true(lk_agent_join(&a, &none, &e).ok);
		if (with_anchor) {
			const char *asked = script_asked(&application);

			assert_ptr_equal(strstr(asked, DEVICE " GET /app "), asked);
			script_done(&application);
			continue;
		}
		/* the domain's own anchors do not lead to it: nothing is asked */
		kill(application.pid, SIGKILL);
		assert_int_equal(read(application.asked, lines, sizeof lines), 0);
	}
}

/* --- renewal ---------------------------------------------------------------------------------- */

/*= RFC7030 4.2.2: the LDevID is renewed with itself, here with a new key =*/
static void
test_renewal(void **state)
{
	LK_CLEANUP(script_done) struct script s;
	LK_CLEANUP(agent_done) struct lk_agent a;
	LK_CLEANUP(lk_onboarded_done) struct lk_onboarded kept = { .key = NULL };
	LK_CLEANUP(lk_key_freep) struct lk_key *old = NULL;
	struct lk_err e = { 0 };
	const char *asked;

	(void)state;
	renewal = RIGHT;
	script_start(&cast.registrar, network, &s);
	onboarded(&a, NULL, false);
	registrar_at(&a, &s);
	old = lk_key_ref(a.onboarded.key);
	if (!lk_agent_renew(&a, &e).ok)
		fail_msg("%s: %s", lk_reason_info(e.reason)->symbol, e.msg);
	asked = script_asked(&s);
	assert_ptr_equal(strstr(asked, DEVICE " POST /.well-known/est/simplereenroll "), asked);
	assert_false(lk_slice_eq(lk_key_spki(a.onboarded.key), lk_key_spki(old)));
	assert_true(
		lk_slice_eq(lk_key_spki(a.onboarded.key), lk_cert_spki(a.onboarded.ldevid.v[0])));
	/* and durable; the rest is what it was */
	assert_true(lk_onboarded_load(&a.credentials, NULL, &kept, &e).ok);
	assert_true(lk_slice_eq(lk_key_spki(kept.key), lk_key_spki(a.onboarded.key)));
	assert_string_equal(kept.onboarding->leaf.network, "home");
}

/* The credential that there is stays, and works. */
/*= RFC7030 4.2.3: the certificate is for the key that was asked about =*/
static void
test_renewals_that_are_refused(void **state)
{
	static const struct {
		int renewal;
		enum lk_reason reason;
	} bad[] = { { OTHER_KEY, LK_R_PLEDGE_CERTIFICATE }, { OTHER_NAME, LK_R_ONBOARDING_DEVICE },
		{ OTHER_CA, LK_R_CERT_CHAIN }, { REFUSED, LK_R_AGENT_ANSWER } };
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		LK_CLEANUP(script_done) struct script s;
		LK_CLEANUP(agent_done) struct lk_agent a;
		LK_CLEANUP(lk_onboarded_done) struct lk_onboarded kept = { .key = NULL };
		LK_CLEANUP(lk_key_freep) struct lk_key *old = NULL;
		struct lk_err e;

		renewal = bad[i].renewal;
		script_start(&cast.registrar, network, &s);
		onboarded(&a, NULL, false);
		registrar_at(&a, &s);
		old = lk_key_ref(a.onboarded.key);
		assert_refused(lk_agent_renew(&a, &e), e, bad[i].reason);
		assert_true(lk_slice_eq(lk_key_spki(a.onboarded.key), lk_key_spki(old)));
		assert_true(lk_onboarded_load(&a.credentials, NULL, &kept, &e).ok);
		assert_true(lk_slice_eq(lk_key_spki(kept.key), lk_key_spki(old)));
	}
}

static void
test_when_to_renew(void **state)
{
	LK_CLEANUP(agent_done) struct lk_agent a;
	struct lk_clock_fixed clock;
	int64_t from, after;

	(void)state;
	onboarded(&a, NULL, false);
	from = lk_cert_not_before(a.onboarded.ldevid.v[0]);
	after = (lk_cert_not_after(a.onboarded.ldevid.v[0]) - from) / 3 * 2;
	lk_clock_fixed_init(&clock, from + 100);
	a.clock = &clock.clock;
	clock.ms = 7000;
	assert_int_equal(lk_agent_renew_at(&a, 7000), 7000 + (after - 100) * 1000);
	/* it was off for years: at once */
	lk_clock_fixed_init(&clock, from + 10 * after);
	assert_true(lk_agent_renew_at(&a, 7000) < 7000);
	/* its clock begins in 1970 at each start: it counts */
	lk_clock_fixed_init(&clock, 100);
	assert_int_equal(lk_agent_renew_at(&a, 7000), 7000 + after * 1000);
}

static void
test_no_place_to_renew_at(void **state)
{
	LK_CLEANUP(agent_done) struct lk_agent a;
	struct lk_err e;

	(void)state;
	onboarded(&a, NULL, false);
	assert_refused(lk_agent_renew(&a, &e), e, LK_R_AGENT_CONNECT);
}

static int
setup(void **state)
{
	(void)state;
	pki_cast_init(&cast);
	bear();
	return 0;
}

static void
remove_tree(const char *name)
{
	char path[PATH_MAX], file[2 * PATH_MAX];
	struct dirent *entry;
	DIR *d;

	below(name, path);
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		unlink(file);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static int
teardown(void **state)
{
	(void)state;
	remove_tree("bootstrap");
	remove_tree("onboarding");
	remove_tree("onboarding.new");
	pki_cast_done(&cast);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_says_that_it_joined),
		cmocka_unit_test(test_services_of_the_information),
		cmocka_unit_test(test_it_visits_its_applications),
		cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_renewals_that_are_refused),
		cmocka_unit_test(test_when_to_renew),
		cmocka_unit_test(test_no_place_to_renew_at),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
