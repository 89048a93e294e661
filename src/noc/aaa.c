/* SPDX-License-Identifier: Apache-2.0
 *
 * The RADIUS server's hook. Whoever asks shows a certificate that is for this and
 * nothing else; what is asked goes to the keeper, which records a grant before the
 * yes leaves. It opens nothing: that is the enforcer's, on hostapd's word.
 *
 *	POST /aaa/v1/authorize	{"schema":1,"issuer_key_id","certificate_serial","common_name",
 *				 "nas_identifier","nas_ip_address","source_address",
 *				 "calling_station_id","outer_identity"}: all text
 *		200 {"control:Latchkey-Verdict":…,"reply:User-Name":…}, else 401 without a body
 *	POST /aaa/v1/accounting	taken and answered 204
 */
#include <ctype.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "artefact/cert_profile.h"
#include "artefact/json.h"
#include "base/log.h"
#include "net/server.h"
#include "noc/follower.h"
#include "noc/noc.h"
#include "role/certs_file.h"
#include "role/refusals.h"
#include "role/tls_key.h"

#define BODY_MAX           8192
#define CLIENTS_REMEMBERED 8 /* RADIUS servers */

struct state {
	struct lk_process *process;
	struct lk_certs chain, ca;
	struct lk_anchors *anchors; /* above the RADIUS server's client certificate */
	SSL_CTX *tls;
	struct lk_server *server;
	struct lk_follower *follower;
	struct lk_refusals *refusals;
};

struct question {
	uint32_t present;
	char issuer[256], serial[128], nas[64], nas_address[96], station[64], identity[256];
};

#define FIELD(field, name) LK_JSON_FIELD(struct question, field, name, TEXT, MANDATORY)
static const struct lk_json_field fields[] = {
	FIELD(issuer, "issuer_key_id"),
	FIELD(serial, "certificate_serial"),
	FIELD(nas, "nas_identifier"),
	FIELD(nas_address, "source_address"),
	FIELD(station, "calling_station_id"),
	FIELD(identity, "outer_identity"),
};
static const struct lk_json_table table = { "the RADIUS server's question", fields,
	LK_ARRAY_LEN(fields), offsetof(struct question, present), LK_R_AAA_SYNTAX,
	LK_JSON_IGNORE_UNKNOWN };

/* "keyid:E0:90:AB" or "e0-90-ab" -> "e090ab". */
static struct lk_result
hex_of(const char *from, const char *what, char *dst, size_t cap, struct lk_err *e)
{
	size_t n = 0;

	if (strncasecmp(from, "keyid:", 6) == 0)
		from += 6;
	for (; *from; from++) {
		if (*from == ':' || *from == '-' || isspace((unsigned char)*from))
			continue;
		LK_REQUIRE(isxdigit((unsigned char)*from) && n + 1 < cap, e, LK_R_AAA_SYNTAX,
			"%s is not hexadecimal, or too long", what);
		dst[n++] = (char)tolower((unsigned char)*from);
	}
	dst[n] = 0;
	LK_REQUIRE(n > 0, e, LK_R_AAA_SYNTAX, "%s is empty", what);
	return LK_OK;
}

/* Serial numbers are compared without leading zero octets, as lk_cert_serial() prints them. */
static void
drop_zero_octets(char *hex)
{
	size_t n = strlen(hex), skip = 0;

	while (n - skip > 2 && hex[skip] == '0' && hex[skip + 1] == '0')
		skip += 2;
	memmove(hex, hex + skip, n - skip + 1);
}

/* "02-00-00-AA-BB-07" -> "02:00:00:aa:bb:07" */
static struct lk_result
mac_of(const char *from, char dst[static 18], struct lk_err *e)
{
	char hex[13];
	size_t i;

	LK_TRY(hex_of(from, "calling_station_id", hex, sizeof hex, e));
	LK_REQUIRE(
		strlen(hex) == 12, e, LK_R_AAA_SYNTAX, "calling_station_id is not a MAC address");
	for (i = 0; i < 6; i++)
		snprintf(dst + 3 * i, 4, "%c%c%s", hex[2 * i], hex[2 * i + 1], i < 5 ? ":" : "");
	return LK_OK;
}

static struct lk_result
read_question(const struct lk_noc_config *c, struct lk_slice body, struct lk_grant_request_body *g,
	struct lk_err *e)
{
	json_auto_t *obj = NULL;
	struct question q = { 0 };
	size_t prefix = strlen(c->nas_prefix);

	LK_TRY(lk_json_parse(body, &obj, e));
	LK_TRY(lk_json_read(&table, obj, &q, e));
	LK_TRY(hex_of(q.issuer, "issuer_key_id", g->issuer, sizeof g->issuer, e));
	LK_TRY(hex_of(q.serial, "certificate_serial", g->serial, sizeof g->serial, e));
	drop_zero_octets(g->serial);
	LK_TRY(mac_of(q.station, g->mac, e));
	LK_REQUIRE(strncmp(q.nas, c->nas_prefix, prefix) == 0 && q.nas[prefix], e, LK_R_AAA_NAS,
		"nas_identifier \"%s\" names no port of this network", q.nas);
	LK_TRY(lk_slice_to_str(lk_slice_str(q.nas + prefix), "port", g->port, sizeof g->port, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(q.nas_address), "address", g->nas, sizeof g->nas, e));
	return lk_slice_to_str(
		lk_slice_str(q.identity), "identity", g->identity, sizeof g->identity, e);
}

/* The RADIUS server takes 401 for a no, and anything that is not the clear yes as well. */
static void
say_no(struct lk_request *r)
{
	struct lk_reply reply = { .status = 401 };

	lk_request_reply(r, &reply);
}

/* Before the keeper heard of it. */
static void
refuse(const struct state *s, struct lk_request *r, const struct lk_err *why)
{
	lk_refusals_note(s->refusals, lk_request_view(r)->peer, why);
	say_no(r);
}

static void
granted(void *ctx, uint64_t tag, const struct lk_message *m, const struct lk_err *why)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(1024);
	struct lk_reply reply = { .status = 200, .content_type = "application/json" };
	struct lk_request *r = ctx;
	struct lk_grant_reply_body g;
	struct lk_err e = { 0 };

	(void)tag;
	if (!m) {
		lk_log_err(why, "peer", lk_request_view(r)->peer->remote, NULL);
		say_no(r);
		return;
	}
	/*= SEC-04: the session's name is the local id of the authenticated certificate's device =*/
	if (!lk_body_unpack(LK_BODY_grant_reply, m->body, &g, &e).ok ||
		!lk_buf_printf(&text, &e,
			"{\"control:Latchkey-Verdict\":{\"do_xlat\":false,\"value\":[\"admit\"]},"
			"\"reply:User-Name\":{\"do_xlat\":false,\"value\":[\"%s\"]},"
			"\"reply:Session-Timeout\":{\"do_xlat\":false,\"value\":[\"%lld\"]}}",
			g.device_id, (long long)g.session_seconds)
			 .ok) {
		lk_log_err(&e, NULL);
		say_no(r);
		return;
	}
	reply.body = lk_buf_slice(&text);
	lk_request_reply(r, &reply);
}

/* Only the RADIUS server's certificate opens this door. */
static struct lk_result
check_client(const struct state *s, const struct lk_request_view *v, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;

	LK_REQUIRE(v->tls && v->tls->n_chain > 0, e, LK_R_NO_CLIENT_CERT,
		"no client certificate was shown");
	LK_TRY(lk_cert_parse(v->tls->chain[0], &c, e));
	LK_TRY(lk_chain_verify(
		s->anchors, c, NULL, LK_TIMES_CHECK, lk_now(lk_loop_clock(s->process->loop)), e));
	return lk_cert_check_profile(c, LK_PROFILE_AAA_CLIENT, e);
}

static void
on_authorize(struct lk_request *r, void *ctx)
{
	struct state *s = ctx;
	const struct lk_request_view *v = lk_request_view(r);
	struct lk_grant_request_body g = { 0 };
	struct lk_err e = { 0 };

	if (!check_client(s, v, &e).ok ||
		!read_question(lk_noc_config_of(s->process), v->body, &g, &e).ok ||
		!lk_process_ask(
			s->process, LK_ROLE_KEEPER, 0, LK_BODY_grant_request, &g, granted, r, 0, &e)
			 .ok)
		refuse(s, r, &e);
}

static void
on_accounting(struct lk_request *r, void *ctx)
{
	struct lk_reply reply = { .status = 204 };
	struct lk_err e = { 0 };

	if (!check_client(ctx, lk_request_view(r), &e).ok) {
		refuse(ctx, r, &e);
		return;
	}
	lk_request_reply(r, &reply);
}

static void
on_refusal(void *ctx, const struct lk_peer *peer, const struct lk_err *e)
{
	struct state *s = ctx;

	lk_refusals_note(s->refusals, peer, e);
}

static const struct lk_route http_routes[] = {
	{ "POST", "/aaa/v1/authorize", "application/json", BODY_MAX, on_authorize },
	{ "POST", "/aaa/v1/accounting", "application/json", BODY_MAX, on_accounting },
};

static struct lk_result
aaa_open(struct lk_process *p, struct lk_err *e)
{
	struct state *s = calloc(1, sizeof *s);
	char path[PATH_MAX];

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for aaa");
	p->state = s;
	s->process = p;
	LK_TRY(lk_noc_pki_path(lk_noc_config_of(p), "aaa.pem", path, e));
	LK_TRY(lk_certs_read(path, &s->chain, e));
	LK_TRY(lk_noc_pki_path(lk_noc_config_of(p), "server-ca.pem", path, e));
	LK_TRY(lk_certs_read(path, &s->ca, e));
	LK_TRY(lk_cert_remember(CLIENTS_REMEMBERED, e));
	return lk_anchors_new(&s->ca, &s->anchors, e);
}

static struct lk_result
aaa_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	(void)p;
	(void)e;
	rules->profiles = LK_CAGE_SERVE;
	return LK_OK;
}

static struct lk_result
make_tls(struct state *s, const struct lk_certs *chain, SSL_CTX **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_tls_keyp) EVP_PKEY *key = NULL;
	struct lk_tls_settings tls = { .chain = chain, .client_cert = LK_TLS_CLIENT_CERT_REQUIRED };

	LK_TRY(lk_tls_key_new(s->process, LK_SIGNER_AAA, chain->v[0], &key, e));
	tls.key = key;
	return lk_tls_server_new(&tls, ret, e);
}

static struct lk_result
renewed(void *ctx, const struct lk_certs *chain, struct lk_err *e)
{
	struct state *s = ctx;
	SSL_CTX *tls;

	LK_TRY(make_tls(s, chain, &tls, e));
	SSL_CTX_free(s->tls);
	s->tls = tls;
	lk_certs_copy(chain, &s->chain);
	lk_server_set_tls(s->server, tls);
	return LK_OK;
}

static struct lk_result
aaa_start(struct lk_process *p, struct lk_err *e)
{
	struct state *s = p->state;
	struct lk_server_settings set = { .listen_fd = lk_process_listener(p, "radius", 0),
		.routes = http_routes,
		.n_routes = LK_ARRAY_LEN(http_routes),
		.ctx = s,
		.on_refusal = on_refusal };

	if (set.listen_fd < 0)
		return LK_OK; /* no RADIUS server is served */
	LK_TRY(lk_refusals_new(p, &s->refusals, e));
	LK_TRY(make_tls(s, &s->chain, &s->tls, e));
	set.tls = s->tls;
	LK_TRY(lk_server_new(p->loop, &set, &s->server, e));
	return lk_follower_new(p, LK_OWN_AAA, &s->chain, renewed, s, &s->follower, e);
}

static void
aaa_close(struct lk_process *p)
{
	struct state *s = p->state;

	if (!s)
		return;
	lk_follower_free(s->follower);
	lk_server_free(s->server);
	lk_refusals_free(s->refusals);
	SSL_CTX_free(s->tls);
	lk_anchors_free(s->anchors);
	lk_certs_done(&s->chain);
	lk_certs_done(&s->ca);
	free(s);
}

const struct lk_role_work lk_noc_aaa = {
	.open = aaa_open,
	.cage = aaa_cage,
	.start = aaa_start,
	.close = aaa_close,
};
