/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificates of the network's own servers (role/own_servers.h), renewed by themselves: the
 * same key, the same names. Certificates are on record as those of devices are; whoever
 * uses one asks for it: noc/follower.c, and for the RADIUS server its operator.
 *
 * At two thirds of a certificate's life the next one is ordered, each minute until there is one.
 * The registrar's former ones count, too (RFC 8995 5.5.5: one key for TLS and voucher-requests, and
 * that key stays): for five days a run that began under one may go on with it, as long as a pledge
 * may come back with the same request (RFC 8995 5.6: four days), and one for the clocks.
 */
#include "noc/keeper/internal.h"

#include "base/encode.h"

#define DAY           86400
#define RETRY_SECONDS 60
#define CN            "2.5.4.3"

/* The registrar's that is replaced is remembered. */
static struct lk_result
remember(struct lk_keeper *k, struct lk_cert *was, struct lk_err *e)
{
	struct lk_certs *former = &k->former;

	/* The oldest has been of no use for long. */
	if (former->n == LK_CERTS_MAX) {
		lk_cert_free(former->v[0]);
		memmove(former->v, former->v + 1, (LK_CERTS_MAX - 1) * sizeof former->v[0]);
		former->n--;
	}
	return lk_certs_add(former, was, e);
}

/* Whose it is, its key says. They come in the order of their making; the newest stands in front. */
static struct lk_result
take(struct lk_keeper *k, struct lk_slice der, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	unsigned i;

	LK_TRY(lk_cert_parse(der, &c, e));
	for (i = 0; i < LK_OWN_COUNT; i++) {
		struct lk_certs *chain = &k->servers[i].chain;

		if (!chain->n || !lk_cert_same_key(c, chain->v[0]) ||
			lk_cert_not_before(c) <= lk_cert_not_before(chain->v[0]))
			continue;
		if (i == LK_OWN_REGISTRAR)
			LK_TRY(remember(k, chain->v[0], e));
		lk_cert_free(chain->v[0]);
		chain->v[0] = LK_TAKE(c);
		return LK_OK;
	}
	return LK_OK;
}

static bool
is_servers(const struct lk_keeper *k, const struct lk_certificate_record *c)
{
	const struct issuer *ca = &k->servers[LK_OWN_REGISTRAR].issuer;

	return ca->ca && strcmp(c->issuer, ca->id) == 0 && c->der.n &&
	       strcmp(c->status, "issued") == 0;
}

/* Those of no device, the oldest first. */
static struct lk_result
load(struct lk_keeper *k, struct lk_err *e)
{
	struct lk_scan scan = { .index = LK_CERTIFICATE_BY_DEVICE, .prefix = 1 };
	LK_CLEANUP(lk_record_done) struct lk_certificate_record c = LK_RECORD_INIT(certificate);
	bool found;

	for (;;) {
		LK_TRY(lk_store_next(lk_turn_store(k->turn), &scan, &c.record, &found, e));
		if (!found)
			return LK_OK;
		if (is_servers(k, &c))
			LK_TRY(take(k, lk_blob_slice(&c.der), e));
	}
}

/* Of the registrar's CA, as all of them; a server of another CA is that one's to renew. */
static struct lk_result
prepare(struct lk_keeper *k, enum lk_own_server which, struct lk_err *e)
{
	struct served *s = &k->servers[which];
	const struct lk_certs *registrar = &k->servers[LK_OWN_REGISTRAR].chain;

	if (s->chain.n < 2 || !lk_cert_eq(s->chain.v[1], registrar->v[1]))
		return LK_OK;
	s->issuer.ca = registrar->v[1];
	s->issuer.profile = lk_own_servers[which].profile;
	s->issuer.seconds = lk_cert_profile_end(s->issuer.profile, 0);
	LK_REQUIRE(lk_cert_ski(s->issuer.ca).n > 0 &&
			   lk_cert_ski(s->issuer.ca).n <= LK_CERT_KEY_ID_MAX,
		e, LK_R_CERT_PROFILE, "the registrar's CA has no subjectKeyIdentifier");
	lk_hex(lk_cert_ski(s->issuer.ca), s->issuer.id);
	return LK_OK;
}

struct lk_result
lk_renewal_init(struct lk_keeper *k, struct lk_err *e)
{
	unsigned i;

	for (i = 0; i < LK_OWN_COUNT; i++)
		if (k->domain.servers[i])
			lk_certs_copy(k->domain.servers[i], &k->servers[i].chain);
	lk_certs_copy(k->domain.registrar, &k->servers[LK_OWN_REGISTRAR].chain);
	if (k->domain.former)
		lk_certs_copy(k->domain.former, &k->former);
	k->domain.registrar = &k->servers[LK_OWN_REGISTRAR].chain;
	k->domain.former = &k->former;
	if (k->domain.registrar->n < 2)
		return LK_OK; /* nobody here issues it */
	for (i = 0; i < LK_OWN_COUNT; i++)
		LK_TRY(prepare(k, i, e));
	return load(k, e);
}

void
lk_renewal_done(struct lk_keeper *k)
{
	unsigned i;

	for (i = 0; i < LK_OWN_COUNT; i++)
		lk_certs_done(&k->servers[i].chain);
	lk_certs_done(&k->former);
}

const struct lk_cert *
lk_renewal_shown(const struct lk_keeper *k, struct lk_slice der, int64_t now)
{
	size_t i;

	/*= Latchkey registrar: a renewed certificate stays presentable to runs in progress =*/
	for (i = 0;
		i < k->former.n && now < lk_cert_not_before(k->domain.registrar->v[0]) + 5 * DAY;
		i++)
		if (lk_slice_eq(der, lk_cert_der(k->former.v[i])))
			return k->former.v[i];
	return k->domain.registrar->v[0];
}

static struct lk_result
server_signed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record c = LK_RECORD_INIT(certificate);
	struct lk_keeper *k = keeper_of(t);

	if (m->failed)
		return LK_OK; /* the next minute tries again */
	/* They have one CA; of whom it is, the record says. */
	LK_TRY(lk_est_signed(t, m, &k->servers[LK_OWN_REGISTRAR].issuer, &c, e));
	return lk_keeper_event(t, "certificate-renewed", NULL, NULL, "keeper",
		json_pack("{s:s,s:s}", "profile", c.profile, "serial", c.serial), NULL, e);
}

/*= Latchkey turn: nothing leaves before the commit that it rests on =*/
void
lk_renewal_committed(struct lk_keeper *k, const struct lk_certificate_record *c)
{
	struct lk_err e = { 0 };

	if (is_servers(k, c))
		lk_ignore(take(k, lk_blob_slice(&c->der), &e)); /* the next minute tries again */
}

static struct lk_result
renew(struct lk_keeper *k, struct served *s, struct lk_err *e)
{
	const struct lk_cert *c = s->chain.v[0];
	char cn[LK_CERT_NAME_MAX], dns[LK_CERT_NAME_MAX], serial[LK_CERT_SERIAL_HEX_MAX];
	uint8_t ip[LK_CERT_IP_MAX];
	struct order o = { .issuer = &s->issuer,
		.of = "",
		.common_name = cn,
		.san_dns = dns,
		.san_ip = lk_slice(ip, lk_cert_san_ip(c, ip)),
		.spki = lk_cert_spki(c) };

	lk_cert_subject(c, CN, cn);
	LK_TRY(lk_cert_san_dns(c, dns, e));
	LK_TRY(lk_turn_begin(k->turn, e));
	return lk_est_order(k->turn, &o, server_signed, serial, e);
}

struct lk_result
lk_renewal_tick(struct lk_keeper *k, struct lk_err *e)
{
	int64_t now = lk_turn_now(k->turn);
	unsigned i;

	for (i = 0; i < LK_OWN_COUNT; i++) {
		struct served *s = &k->servers[i];
		int64_t begin;

		if (!s->issuer.ca || !has_passed(s->tried_at, RETRY_SECONDS, now))
			continue;
		/*= Latchkey servers: a certificate is renewed at two thirds of its life =*/
		begin = lk_cert_not_before(s->chain.v[0]);
		if (now < begin + (lk_cert_not_after(s->chain.v[0]) - begin) / 3 * 2)
			continue;
		s->tried_at = now;
		LK_TRY(renew(k, s, e));
	}
	return LK_OK;
}

struct lk_result
lk_renewal_get(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	const struct lk_get_chain_body *g = m->body;
	const struct lk_keeper *k = keeper_of(t);
	LK_CLEANUP(lk_buf_done) struct lk_buf certs = LK_BUF_INIT(LK_CERTS_MAX * LK_CERT_DER_MAX);
	const struct lk_certs *chain;
	struct lk_chain_body b;
	size_t i;

	LK_REQUIRE(g->server >= 0 && g->server < LK_OWN_COUNT, e, LK_R_IPC_UNASKED,
		"there is no server %lld", (long long)g->server);
	chain = &k->servers[g->server].chain;
	for (i = 0; i < chain->n; i++)
		LK_TRY(lk_list_add(&certs, lk_cert_der(chain->v[i]), e));
	b.certs = lk_buf_slice(&certs);
	return lk_turn_reply(t, m, LK_BODY_chain, &b, e);
}

const struct lk_certs *
lk_keeper_registrar(const struct lk_keeper *k, const struct lk_certs **ret_former)
{
	*ret_former = &k->former;
	return k->domain.registrar;
}
