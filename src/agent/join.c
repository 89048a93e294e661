/* SPDX-License-Identifier: Apache-2.0
 *
 * What a device does in its network: it opens its port with the LDevID, says that
 * it joined, visits the applications it was told of, and renews the LDevID. From
 * here on it speaks neither BRSKI nor mDNS.
 */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <jansson.h>
#include <net/if.h>
#include <stdio.h>

#include "agent/agent.h"
#include "agent/key_reference.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/number.h"
#include "proto/endpoint.h"

/* All timers of joining, in milliseconds. */
#define JOIN_MS         30000 /* one try to open the port */
#define JOINED_MS       10000 /* ONB-13: told within 10 s after the port opened */
#define RETRY_MS        500
#define ADDRESS_POLL_MS 250
#define CALL_MS         15000
#define RENEW_LATER     202

static struct lk_result
pause_until(struct lk_agent *a, int64_t deadline_ms, struct lk_err *e)
{
	while (lk_agent_ms(a) < deadline_ms)
		LK_REQUIRE(lk_agent_wait(a, NULL, 0, deadline_ms), e, LK_R_AGENT_SILENT,
			"ended while waiting");
	return LK_OK;
}

/* --- the port --------------------------------------------------------------------------------- */

static struct lk_result
write_in_run(const struct lk_agent *a, const char *name, struct lk_slice content, char *path,
	size_t cap, struct lk_err *e)
{
	char dir[PATH_MAX];

	LK_TRY(lk_path_join(a->credentials.dir, "run", dir, sizeof dir, e));
	LK_TRY(lk_dir_make(dir, 0700, e));
	LK_TRY(lk_path_join(dir, name, path, cap, e));
	return lk_file_replace(path, content, 0600, e);
}

/* A key in a TPM or token: the supplicant gets a reference to it, and our module to read it with.
 */
static struct lk_result
refer_to_key(const struct lk_agent *a, struct lk_supplicant_key *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(4096);
	struct lk_slice spki = lk_key_spki(a->onboarded.key);
	struct lk_key_reference ref = { .spki_n = spki.n };
	char socket[PATH_MAX];

	LK_REQUIRE(
		spki.n <= sizeof ref.spki, e, LK_R_TOO_LARGE, "a public key of %zu octets", spki.n);
	memcpy(ref.spki, spki.p, spki.n);
	LK_TRY(lk_path_join(a->credentials.dir, "run/key.sock", socket, sizeof socket, e));
	LK_TRY(lk_slice_to_str(
		lk_slice_str(socket), "the key socket's path", ref.socket, sizeof ref.socket, e));
	LK_TRY(lk_key_reference_print(&ref, &text, e));
	LK_TRY(write_in_run(a, "ldevid.ref", lk_buf_slice(&text), ret->file, sizeof ret->file, e));
	lk_buf_clear(&text);
	LK_TRY(lk_key_reference_conf(a->set.module ? a->set.module : LK_MODULE_PATH, &text, e));
	return write_in_run(a, "openssl.cnf", lk_buf_slice(&text), ret->openssl_conf,
		sizeof ret->openssl_conf, e);
}

static struct lk_result
supplicant_key(const struct lk_agent *a, struct lk_supplicant_key *ret, struct lk_err *e)
{
	const char *uri = a->onboarded.key_uri;

	if (strncmp(uri, "file:", 5) != 0)
		return refer_to_key(a, ret, e);
	return lk_slice_to_str(lk_slice_str(uri + 5), "key", ret->file, sizeof ret->file, e);
}

static struct lk_result
open_port(struct lk_agent *a, struct lk_supplicant *s, struct lk_err *e)
{
	struct lk_supplicant_key key = { .file = "" };
	struct lk_supplicant_settings set = { .program = a->set.supplicant,
		.interface = a->set.interface,
		.state_dir = a->credentials.dir,
		.radius_server = a->onboarded.onboarding->leaf.radius_server,
		.key = &key };
	int64_t deadline_ms = lk_agent_ms(a) + JOIN_MS;

	LK_TRY(supplicant_key(a, &key, e));
	LK_TRY(lk_supplicant_start(&set, s, e));
	for (;;) {
		switch (lk_supplicant_poll(s, &set)) {
		case LK_PORT_OPEN:
			return LK_OK;
		case LK_PORT_REFUSED:
			return lk_fail(e, LK_R_AGENT_PORT, "the network refused the LDevID");
		case LK_PORT_DEAD:
			return lk_fail(e, LK_R_AGENT_SUPPLICANT, "%s ended", a->set.supplicant);
		case LK_PORT_TRYING:
			break;
		}
		LK_REQUIRE(lk_agent_ms(a) < deadline_ms, e, LK_R_AGENT_PORT,
			"the port is not open after %d s", JOIN_MS / 1000);
		LK_TRY(pause_until(a, lk_agent_ms(a) + LK_SUPPLICANT_POLL_MS, e));
	}
}

/* --- joined ----------------------------------------------------------------------------------- */

static struct lk_result
expect_success(unsigned status, struct lk_err *e)
{
	LK_REQUIRE(status >= 200 && status < 300, e, LK_R_AGENT_ANSWER, "the server answered %u",
		status);
	return LK_OK;
}

static struct lk_result
say_joined(struct lk_agent *a, bool by_url, struct lk_slice body, int64_t deadline_ms,
	struct lk_err *e)
{
	const struct lk_endpoint_info *joined = lk_endpoint_info(LK_EP_JOINED);
	struct lk_call call = { .url = by_url ? a->onboarded.onboarding->leaf.lifecycle_url : NULL,
		.path_after = joined->path,
		.address = &a->registrar,
		.anchors = a->onboarded.domain,
		.with_ldevid = true,
		.request = { .method = joined->method,
			.target = joined->path,
			.content_type = joined->media_type,
			.body = body },
		.deadline_ms = deadline_ms };
	unsigned status;

	LK_TRY(lk_agent_call(a, &call, &status, NULL, e));
	return expect_success(status, e);
}

/*= ONB-13: after it joined, the device tells the network so =*/
static struct lk_result
tell_joined(struct lk_agent *a, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf body = LK_BUF_INIT(1024);
	json_auto_t *report = json_pack(
		"{s:i, s:s}", "schema", 1, "network", a->onboarded.onboarding->leaf.network);
	bool has_url =
		lk_json_has(a->onboarded.onboarding->leaf.present, LK_ONBOARDING_LIFECYCLE_URL);
	int64_t deadline_ms = lk_agent_ms(a) + JOINED_MS;
	bool by_url = !a->has_registrar;

	LK_REQUIRE(report, e, LK_R_NOMEM, "no memory for a report");
	LK_REQUIRE(has_url || a->has_registrar, e, LK_R_AGENT_CONNECT,
		"the network named no place to report to");
	LK_TRY(lk_json_print(report, &body, e));
	while (!say_joined(a, by_url, lk_buf_slice(&body), deadline_ms, e).ok) {
		if (lk_agent_ms(a) + RETRY_MS >= deadline_ms)
			return (struct lk_result){ false };
		LK_TRY(pause_until(a, lk_agent_ms(a) + RETRY_MS, e));
		by_url = by_url ? !a->has_registrar : has_url;
	}
	return LK_OK;
}

/* --- applications ----------------------------------------------------------------------------- */

static bool
is_routable(const struct sockaddr *sa)
{
	const struct sockaddr_in6 *six = (const void *)sa;
	const struct sockaddr_in *four = (const void *)sa;

	if (sa && sa->sa_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET &&
		       ntohl(four->sin_addr.s_addr) >> 16 != 0xa9fe; /* 169.254/16 */
	return sa && sa->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) &&
	       !IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* An address to reach applications from; DHCP is the business of the device's own client. */
static bool
has_address(const struct lk_agent *a)
{
	struct ifaddrs *all = NULL, *i;
	bool found = false;

	if (!a->set.interface)
		return true; /* not ours to know */
	if (getifaddrs(&all) < 0)
		return false;
	for (i = all; i && !found; i = i->ifa_next)
		found = strcmp(i->ifa_name, a->set.interface) == 0 && is_routable(i->ifa_addr);
	freeifaddrs(all);
	return found;
}

static struct lk_result
wait_for_address(struct lk_agent *a, struct lk_err *e)
{
	int64_t wait, deadline_ms;

	LK_TRY(lk_parse_duration(lk_slice_str(a->set.address_wait), "address-wait", &wait, e));
	deadline_ms = lk_agent_ms(a) + wait * 1000;
	while (!has_address(a)) {
		LK_REQUIRE(lk_agent_ms(a) < deadline_ms, e, LK_R_AGENT_ADDRESS,
			"%s has no routable address after %s", a->set.interface,
			a->set.address_wait);
		LK_TRY(pause_until(a, lk_agent_ms(a) + ADDRESS_POLL_MS, e));
	}
	return LK_OK;
}

/* An application is met with the anchor that onboarding brought, and no other. */
static struct lk_result
visit_once(
	struct lk_agent *a, const struct lk_endpoint *where, int64_t deadline_ms, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs anchor = { .n = 0 };
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *own = NULL;
	struct lk_call call = { .url = where->url,
		.anchors = a->onboarded.domain,
		.request = { .method = "GET" },
		.with_ldevid = true,
		.deadline_ms = deadline_ms };
	unsigned status;

	if (where->anchor.n) {
		LK_TRY(lk_certs_parse_any(lk_buf_slice(&where->anchor), &anchor, e));
		LK_TRY(lk_anchors_new(&anchor, &own, e));
		call.anchors = own;
	}
	LK_TRY(lk_agent_call(a, &call, &status, NULL, e));
	return expect_success(status, e);
}

/* DHCP clients set the route after the address: what cannot be reached is tried again. */
static struct lk_result
visit(struct lk_agent *a, const struct lk_endpoint *where, struct lk_err *e)
{
	int64_t deadline_ms = lk_agent_ms(a) + CALL_MS;

	while (!visit_once(a, where, deadline_ms, e).ok) {
		if (e->reason != LK_R_AGENT_CONNECT || lk_agent_ms(a) + RETRY_MS >= deadline_ms)
			return (struct lk_result){ false };
		LK_TRY(pause_until(a, lk_agent_ms(a) + RETRY_MS, e));
	}
	return LK_OK;
}

static void
visit_all(struct lk_agent *a)
{
	const struct lk_onboarding_leaves *leaf = &a->onboarded.onboarding->leaf;
	struct lk_err e = { 0 };
	size_t i;

	if (!leaf->n_endpoints)
		return;
	if (!wait_for_address(a, &e).ok) {
		lk_agent_tell(a, "address", "", "failed", &e);
		return;
	}
	for (i = 0; i < leaf->n_endpoints; i++) {
		bool good = visit(a, &leaf->endpoints[i], &e).ok;

		lk_agent_tell(a, "application", leaf->endpoints[i].url, good ? "ok" : "failed",
			good ? NULL : &e);
	}
}

struct lk_result
lk_agent_join(struct lk_agent *a, struct lk_supplicant *supplicant, struct lk_err *e)
{
	char name[LK_CANDIDATE_TEXT_MAX] = "";
	struct lk_err why = { 0 };
	bool told;

	if (a->set.interface && a->set.supplicant[0] && supplicant->pid == 0) {
		LK_TRY(open_port(a, supplicant, e));
		lk_agent_tell(a, "join", "", "ok", NULL);
	}
	if (a->has_registrar)
		lk_candidate_print(&a->registrar, true, name);
	told = tell_joined(a, &why).ok;
	lk_agent_tell(a, "joined", name, told ? "ok" : "failed", told ? NULL : &why);
	visit_all(a);
	return LK_OK;
}

/* --- renewal ---------------------------------------------------------------------------------- */

int64_t
lk_agent_renew_at(const struct lk_agent *a, int64_t since_ms)
{
	const struct lk_cert *ldevid = a->onboarded.ldevid.v[0];
	int64_t from = lk_cert_not_before(ldevid);
	int64_t after = (lk_cert_not_after(ldevid) - from) / 3 * 2;
	int64_t by_clock_ms = lk_agent_ms(a) + (from + after - lk_now(a->clock)) * 1000;
	int64_t counted_ms = since_ms + after * 1000;

	return by_clock_ms < counted_ms ? by_clock_ms : counted_ms;
}

static struct lk_result
ask_again(struct lk_agent *a, const struct lk_key *key, struct lk_certs *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf csr = LK_BUF_INIT(LK_CSR_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_CSR_BODY_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf answer = LK_BUF_INIT(LK_CMS_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CMS_MAX);
	const struct lk_onboarding_leaves *leaf = &a->onboarded.onboarding->leaf;
	const struct lk_endpoint_info *reenroll = lk_endpoint_info(LK_EP_EST_SIMPLEREENROLL);
	bool has_url = lk_json_has(leaf->present, LK_ONBOARDING_RENEWAL_URL);
	struct lk_csr_spec spec = { .renewed = a->onboarded.ldevid.v[0] };
	struct lk_call call = { .url = has_url && !a->set.registrar ? leaf->renewal_url : NULL,
		.path_after = reenroll->path,
		.address = &a->registrar,
		.anchors = a->onboarded.domain,
		.with_ldevid = true,
		.request = { .method = reenroll->method,
			.target = reenroll->path,
			.content_type = reenroll->media_type },
		.deadline_ms = lk_agent_ms(a) + CALL_MS };
	unsigned status;

	LK_REQUIRE(has_url || a->has_registrar, e, LK_R_AGENT_CONNECT,
		"the network named no place to renew at; name a --registrar");
	LK_TRY(lk_csr_build(&spec, key, &csr, e));
	LK_TRY(lk_base64_encode(lk_buf_slice(&csr), &text, e));
	call.request.body = lk_buf_slice(&text);
	LK_TRY(lk_agent_call(a, &call, &status, &answer, e));
	LK_REQUIRE(status == 200, e, LK_R_AGENT_ANSWER, "the server answered %u", status);
	LK_TRY(lk_base64_decode(lk_buf_slice(&answer), LK_BASE64_WHITESPACE, &der, e));
	return lk_certs_parse_pkcs7(lk_buf_slice(&der), ret, e);
}

/*= RFC7030 4.2.2: the LDevID is renewed with itself, here with a new key =*/
struct lk_result
lk_agent_renew(struct lk_agent *a, struct lk_err *e)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	LK_CLEANUP(lk_certs_done) struct lk_certs got = { .n = 0 };
	struct lk_onboarded renewed;
	struct lk_pledge_credentials keep;

	/* A TPM holds three objects at a time, one of which makes the next: the LDevID's key that
	 * there is, the new one, and not the IDevID's, which has no part in this. */
	a->credentials.idevid_key = lk_key_free(a->credentials.idevid_key);
	LK_TRY(lk_credentials_new_key(&a->credentials, &key, e));
	LK_TRY(ask_again(a, key, &got, e));
	/*= RFC7030 4.2.3: the certificate is for the key that was asked about =*/
	LK_REQUIRE(lk_slice_eq(lk_cert_spki(got.v[0]), lk_key_spki(key)), e,
		LK_R_PLEDGE_CERTIFICATE, "the certificate is for another key");
	LK_TRY(lk_chain_verify(a->onboarded.domain, got.v[0], &a->onboarded.ca, lk_agent_times(a),
		lk_now(a->clock), e));
	keep = (struct lk_pledge_credentials){ key, got.v[0], &a->onboarded.ca,
		a->onboarded.pinned.v[0], lk_buf_slice(&a->onboarded.voucher),
		lk_buf_slice(&a->onboarded.information), a->onboarded.onboarding };
	LK_TRY(lk_credentials_commit(&a->credentials, &keep, e));
	LK_TRY(lk_onboarded_load(&a->credentials, key, &renewed, e));
	if (a->key_socket)
		lk_key_socket_use(a->key_socket, renewed.key);
	lk_onboarded_done(&a->onboarded);
	a->onboarded = renewed;
	lk_agent_tell(a, "renew", "", "ok", NULL);
	return LK_OK;
}
