/* SPDX-License-Identifier: Apache-2.0
 *
 * The registrar's certificate, renewed by itself (RFC 8995 5.5.5: one key for TLS and
 * voucher-requests, and that key stays). Certificates are on record as those of
 * devices are; whoever uses one asks for it: noc/follower.c.
 *
 * Timers: at two thirds of its life the next one is ordered, each minute until there is one. For
 * five days after that, a run that began under the former one may go on with it: as long as a
 * pledge may come back with the same request (RFC 8995 5.6: four days), and one for the clocks.
 */
#include "noc/keeper/internal.h"

#include "base/encode.h"

#define DAY           86400
#define LIFE_SECONDS  (90 * DAY)
#define RETRY_SECONDS 60
#define CN            "2.5.4.3"

/* The newest stands in front, what was before it goes to the former ones. They come in the order of
 * their making. */
static struct lk_result
take(struct lk_keeper *k, struct lk_slice der, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;
	struct lk_certs *chain = &k->registrar;

	LK_TRY(lk_cert_parse(der, &c, e));
	if (!lk_cert_same_key(c, chain->v[0]) ||
		lk_cert_not_before(c) <= lk_cert_not_before(chain->v[0]))
		return LK_OK;
	/* The oldest has been of no use for long. */
	if (k->former.n == LK_CERTS_MAX) {
		lk_cert_free(k->former.v[0]);
		memmove(k->former.v, k->former.v + 1, (LK_CERTS_MAX - 1) * sizeof k->former.v[0]);
		k->former.n--;
	}
	k->former.v[k->former.n++] = chain->v[0];
	chain->v[0] = LK_TAKE(c);
	return LK_OK;
}

static bool
is_registrars(const struct lk_keeper *k, const struct lk_certificate_record *c)
{
	return k->server_ca.ca && strcmp(c->issuer, k->server_ca.id) == 0 && c->der.n &&
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
		if (is_registrars(k, &c))
			LK_TRY(take(k, lk_blob_slice(&c.der), e));
	}
}

struct lk_result
lk_renewal_init(struct lk_keeper *k, struct lk_err *e)
{
	lk_certs_copy(k->domain.registrar, &k->registrar);
	if (k->domain.former)
		lk_certs_copy(k->domain.former, &k->former);
	k->domain.registrar = &k->registrar;
	k->domain.former = &k->former;
	if (k->registrar.n < 2)
		return LK_OK; /* nobody here issues it */
	k->server_ca.ca = k->registrar.v[1];
	k->server_ca.profile = LK_PROFILE_REGISTRAR;
	k->server_ca.seconds = LIFE_SECONDS;
	LK_REQUIRE(lk_cert_ski(k->server_ca.ca).n > 0 &&
			   lk_cert_ski(k->server_ca.ca).n <= LK_CERT_KEY_ID_MAX,
		e, LK_R_CERT_PROFILE, "the registrar's CA has no subjectKeyIdentifier");
	lk_hex(lk_cert_ski(k->server_ca.ca), k->server_ca.id);
	return load(k, e);
}

void
lk_renewal_done(struct lk_keeper *k)
{
	lk_certs_done(&k->registrar);
	lk_certs_done(&k->former);
}

const struct lk_cert *
lk_renewal_shown(const struct lk_keeper *k, struct lk_slice der, int64_t now)
{
	size_t i;

	/*= Latchkey registrar: a renewed certificate stays presentable to runs in progress =*/
	for (i = 0; i < k->former.n && now < lk_cert_not_before(k->registrar.v[0]) + 5 * DAY; i++)
		if (lk_slice_eq(der, lk_cert_der(k->former.v[i])))
			return k->former.v[i];
	return k->registrar.v[0];
}

static struct lk_result
registrar_signed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record c = LK_RECORD_INIT(certificate);
	struct lk_keeper *k = keeper_of(t);

	if (m->failed)
		return LK_OK; /* the next minute tries again */
	LK_TRY(lk_est_signed(t, m, &k->server_ca, &c, e));
	return lk_keeper_event(t, "registrar-renewed", NULL, NULL, "keeper",
		json_pack("{s:s}", "serial", c.serial), NULL, e);
}

/*= Latchkey turn: nothing leaves before the commit that it rests on =*/
void
lk_renewal_committed(struct lk_keeper *k, const struct lk_certificate_record *c)
{
	struct lk_err e = { 0 };

	if (is_registrars(k, c))
		lk_ignore(take(k, lk_blob_slice(&c->der), &e)); /* the next minute tries again */
}

struct lk_result
lk_renewal_tick(struct lk_keeper *k, struct lk_err *e)
{
	const struct lk_cert *c = k->registrar.v[0];
	int64_t now = lk_turn_now(k->turn), begin = lk_cert_not_before(c);
	char cn[LK_CERT_NAME_MAX], dns[LK_CERT_NAME_MAX], serial[LK_CERT_SERIAL_HEX_MAX];
	struct order o = { .issuer = &k->server_ca,
		.of = "",
		.common_name = cn,
		.san_dns = dns,
		.spki = lk_cert_spki(c) };

	/*= Latchkey registrar: its certificate is renewed at two thirds of its life =*/
	if (!k->server_ca.ca || !has_passed(k->renewal_at, RETRY_SECONDS, now) ||
		now < begin + (lk_cert_not_after(c) - begin) / 3 * 2)
		return LK_OK;
	k->renewal_at = now;
	lk_cert_subject(c, CN, cn);
	LK_TRY(lk_cert_san_dns(c, dns, e));
	LK_TRY(lk_turn_begin(k->turn, e));
	return lk_est_order(k->turn, &o, registrar_signed, serial, e);
}

struct lk_result
lk_renewal_get(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	const struct lk_keeper *k = keeper_of(t);
	LK_CLEANUP(lk_buf_done) struct lk_buf chain = LK_BUF_INIT(LK_CERTS_MAX * LK_CERT_DER_MAX);
	struct lk_registrar_body b;
	size_t i;

	for (i = 0; i < k->registrar.n; i++)
		LK_TRY(lk_list_add(&chain, lk_cert_der(k->registrar.v[i]), e));
	b.chain = lk_buf_slice(&chain);
	return lk_turn_reply(t, m, LK_BODY_registrar, &b, e);
}

const struct lk_certs *
lk_keeper_registrar(const struct lk_keeper *k, const struct lk_certs **ret_former)
{
	*ret_former = &k->former;
	return &k->registrar;
}
