/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificate revocation lists (RFC 5280 section 5). What a list has to name stands
 * ready in memory, so that a new one takes no walk through the store: a hundred
 * thousand entries hold up nobody. The signer makes a list, the fronts fetch it.
 *
 * Two timers. A revocation is on the list that fronts serve within refresh_seconds:
 * half of that passes at most until the list is made, half until a front fetches it.
 * A list that nothing changed is renewed when half of its life is over.
 */
#include "noc/keeper/internal.h"

#include <stdlib.h>

#include "base/encode.h"

#define ITEM_MAX      64 /* octets of an entry on its way to the signer */
#define RETRY_SECONDS 60 /* after a failure: each attempt is an event of the ledger */

struct lk_revoked {
	int64_t at, not_after;
	enum lk_crl_reason reason;
	uint8_t n, serial[LK_CERT_SERIAL_MAX];
};

static struct lk_result
make_room(struct lk_revocations *l, struct lk_err *e)
{
	size_t cap = l->cap ? 2 * l->cap : 64;
	struct lk_revoked *more;

	if (l->n < l->cap)
		return LK_OK;
	more = reallocarray(l->v, cap, sizeof *more);
	LK_REQUIRE(more, e, LK_R_NOMEM, "no memory for %zu revoked certificates", cap);
	l->v = more;
	l->cap = cap;
	return LK_OK;
}

static struct lk_result
add(struct lk_revocations *l, const struct lk_certificate_record *c, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf serial = LK_BUF_INIT(LK_CERT_SERIAL_MAX);
	enum lk_crl_reason reason = lk_crl_reason_by_name(c->reason);
	struct lk_revoked *r;

	LK_TRY(lk_hex_decode(lk_slice_str(c->serial), &serial, e));
	LK_TRY(make_room(l, e));
	r = &l->v[l->n];
	*r = (struct lk_revoked){ .at = c->revoked_at,
		.not_after = c->not_after,
		.reason = reason < LK_CRL_REASON_COUNT ? reason : LK_CRL_UNSPECIFIED,
		.n = (uint8_t)serial.n };
	memcpy(r->serial, serial.p, serial.n);
	l->n++;
	l->revision++;
	return LK_OK;
}

static struct lk_result
load(struct lk_keeper *k, struct lk_revocations *l, struct lk_err *e)
{
	struct lk_scan scan = { .index = LK_CERTIFICATE_BY_STATUS, .prefix = 2 };
	LK_CLEANUP(lk_record_done) struct lk_certificate_record c = LK_RECORD_INIT(certificate);
	bool found;

	memcpy(c.issuer, l->issuer, sizeof c.issuer);
	LK_TRY(lk_slice_to_str(LK_SLICE_LIT("revoked"), "status", c.status, sizeof c.status, e));
	for (;;) {
		LK_TRY(lk_store_next(lk_turn_store(k->turn), &scan, &c.record, &found, e));
		if (!found)
			return LK_OK;
		LK_TRY(add(l, &c, e));
	}
}

struct lk_result
lk_crls_init(struct lk_keeper *k, struct lk_err *e)
{
	const struct lk_cert *ca;
	unsigned i;

	for (i = 0; i < LK_CRL_LIST_COUNT; i++) {
		k->crls[i].der = LK_BUF_INIT(LK_CRL_MAX);
		ca = k->set.crl_issuers[i];
		if (!ca)
			continue;
		LK_REQUIRE(lk_cert_ski(ca).n > 0 && lk_cert_ski(ca).n <= LK_CERT_KEY_ID_MAX, e,
			LK_R_CERT_PROFILE, "%s has no subjectKeyIdentifier", lk_crl_lists[i].ca);
		lk_hex(lk_cert_ski(ca), k->crls[i].issuer);
		LK_TRY(load(k, &k->crls[i], e));
	}
	return LK_OK;
}

void
lk_crls_done(struct lk_keeper *k)
{
	unsigned i;

	for (i = 0; i < LK_CRL_LIST_COUNT; i++) {
		free(k->crls[i].v);
		lk_buf_done(&k->crls[i].der);
	}
}

/* A certificate is named once, however often its record is written: the last one goes again. */
static void
drop_repeat(struct lk_revocations *l)
{
	const struct lk_revoked *last = &l->v[l->n - 1];
	size_t i;

	for (i = 0; i + 1 < l->n; i++)
		if (l->v[i].n == last->n && memcmp(l->v[i].serial, last->serial, last->n) == 0) {
			l->n--;
			return;
		}
}

void
lk_crls_committed(struct lk_keeper *k, const struct lk_certificate_record *c)
{
	struct lk_revocations *l = k->crls;
	struct lk_err e = { 0 };

	if (strcmp(c->status, "revoked") != 0)
		return;
	while (l < k->crls + LK_CRL_LIST_COUNT && strcmp(l->issuer, c->issuer) != 0)
		l++;
	if (l == k->crls + LK_CRL_LIST_COUNT)
		return;
	if (add(l, c, &e).ok)
		drop_repeat(l);
	else
		l->issuer[0] = 0; /* a list that lacks one is not made: the old one runs out */
}

/* --- making a list ---------------------------------------------------------------------------- */

/*= RFC5280 3.3: an entry stays until a list was issued beyond its certificate's validity =*/
static void
drop_expired(struct lk_revocations *l)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++)
		if (l->v[i].not_after >= l->this_update)
			l->v[n++] = l->v[i];
	l->n = n;
}

static struct lk_result
pack(const struct lk_revocations *l, struct lk_buf *out, struct lk_err *e)
{
	uint8_t bytes[ITEM_MAX];
	size_t i;

	for (i = 0; i < l->n; i++) {
		struct lk_buf item = { bytes, 0, sizeof bytes, sizeof bytes };
		struct lk_pack p = lk_pack_init(&item, e);

		LK_TRY(lk_pack_i64(&p, l->v[i].at));
		LK_TRY(lk_pack_u8(&p, l->v[i].reason));
		LK_TRY(lk_pack_bytes(&p, lk_slice(l->v[i].serial, l->v[i].n)));
		LK_TRY(lk_list_add(out, lk_buf_slice(&item), e));
	}
	return LK_OK;
}

static struct lk_result
list_signed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
	const struct lk_signed_body *s = m->body;
	struct lk_revocations *l = keeper_of(t)->crls;

	while (strcmp(lk_crl_lists[l - keeper_of(t)->crls].path, m->subject) != 0)
		l++;
	if (m->failed) {
		l->listed = -1;
		l->asked_at = lk_turn_now(t);
		l->wait = RETRY_SECONDS;
		return LK_OK;
	}
	LK_TRY(lk_crl_parse(s->bytes, &c, e));
	if (c->number <= (uint64_t)l->number)
		return LK_OK; /* a newer one was faster */
	lk_buf_clear(&l->der);
	LK_TRY(lk_buf_append(&l->der, s->bytes, e));
	l->number = (int64_t)c->number;
	l->this_update = c->this_update;
	l->next_update = c->next_update;
	l->listed = l->asked;
	return LK_OK;
}

static struct lk_result
ask(struct lk_keeper *k, unsigned i, int64_t now, struct lk_err *e)
{
	struct lk_revocations *l = &k->crls[i];
	LK_CLEANUP(lk_buf_done) struct lk_buf list = LK_BUF_INIT(LK_CRL_MAX);
	struct lk_sign_crl_body b = { .issuer = lk_crl_lists[i].profile,
		.this_update = now,
		.next_update = now + k->set.crl_seconds };

	l->asked_at = now;
	l->wait = k->set.crl_refresh_seconds / 2;
	drop_expired(l);
	LK_TRY(pack(l, &list, e));
	LK_TRY(lk_turn_begin(k->turn, e));
	LK_TRY(lk_keeper_event(k->turn, "crl-decided", NULL, NULL, "keeper",
		json_pack("{s:s,s:I}", "issuer", l->issuer, "entries", (json_int_t)l->n), &b.event,
		e));
	/*= RFC5280 5.2.3: the CRL number grows from list to list =*/
	b.number = b.event;
	b.revoked = lk_buf_slice(&list);
	l->asked = l->revision;
	return lk_turn_ask(k->turn, LK_ROLE_SIGNER, LK_BODY_sign_crl, &b, LK_BODY_signed,
		lk_crl_lists[i].path, list_signed, e);
}

struct lk_result
lk_crls_tick(struct lk_keeper *k, struct lk_err *e)
{
	int64_t now = lk_turn_now(k->turn);
	struct lk_revocations *l;
	unsigned i;

	for (i = 0; i < LK_CRL_LIST_COUNT; i++) {
		l = &k->crls[i];
		/*= SEC-06: a revocation is on the published list within the configured seconds =*/
		/*= RFC5280 5.1.2.5: the next list is issued before nextUpdate =*/
		if (l->issuer[0] && has_passed(l->asked_at, l->wait, now) &&
			(l->listed != l->revision ||
				now >= l->next_update - k->set.crl_seconds / 2))
			LK_TRY(ask(k, i, now, e));
	}
	return LK_OK;
}

struct lk_result
lk_crls_get(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	const struct lk_get_crl_body *g = m->body;
	struct lk_crl_body b = { 0 };
	const struct lk_revocations *l;

	LK_REQUIRE(g->list >= 0 && g->list < LK_CRL_LIST_COUNT, e, LK_R_IPC_MALFORMED,
		"there is no list %lld", (long long)g->list);
	l = &keeper_of(t)->crls[g->list];
	b.number = l->number;
	b.this_update = l->this_update;
	b.next_update = l->next_update;
	if (g->number != l->number)
		b.der = lk_buf_slice(&l->der);
	return lk_turn_reply(t, m, LK_BODY_crl, &b, e);
}
