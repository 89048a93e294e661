/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is at the other end. A front hands over the certificates that a TLS client
 * showed and proved to have the key of; what they mean is found here, from the
 * bytes, and remembered for a minute.
 */
#include "noc/keeper/internal.h"

#include <stdlib.h>

#include "base/encode.h"
#include "crypto/digest.h"

#define VERDICT_SECONDS 60

static void
manufacturer_free(struct manufacturer *m)
{
	lk_record_done(&m->record);
	lk_certs_done(&m->certs);
	lk_anchors_free(m->anchors);
	free(m);
}
LK_DEFINE_CLEANUP(struct manufacturer *, manufacturer_free);

static void
forget_all(struct lk_keeper *k)
{
	size_t i;

	for (i = 0; i < LK_KNOWN_MAX; i++) {
		k->known[i].cert = lk_cert_free(k->known[i].cert);
		k->known[i].manufacturer = NULL;
		k->known[i].issuer = NULL;
	}
}

static struct lk_result
load_one(struct lk_keeper *k, struct lk_manufacturer_record *r, struct lk_err *e)
{
	LK_CLEANUP(manufacturer_freep) struct manufacturer *m = calloc(1, sizeof *m);

	LK_REQUIRE(m, e, LK_R_NOMEM, "no memory for a manufacturer");
	m->record.record.type = r->record.type;
	lk_record_move(&m->record.record, &r->record);
	LK_TRY(lk_certs_parse_any(lk_blob_slice(&m->record.anchors), &m->certs, e));
	LK_TRY(lk_anchors_new(&m->certs, &m->anchors, e));
	m->next = k->manufacturers;
	k->manufacturers = LK_TAKE(m);
	return LK_OK;
}

static void
unload(struct lk_keeper *k)
{
	struct manufacturer *m;

	forget_all(k);
	while ((m = k->manufacturers)) {
		k->manufacturers = m->next;
		manufacturer_free(m);
	}
}

static struct lk_result
load_all(struct lk_keeper *k, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record r = LK_RECORD_INIT(manufacturer);
	struct lk_scan scan = { .index = LK_MANUFACTURER_BY_ID };
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record at = LK_RECORD_INIT(manufacturer);
	bool found;

	for (;;) {
		LK_TRY(lk_store_next(lk_turn_store(k->turn), &scan, &r.record, &found, e));
		if (!found)
			return LK_OK;
		memcpy(at.id, r.id, sizeof at.id);
		LK_TRY(load_one(k, &r, e));
		memcpy(r.id, at.id, sizeof r.id); /* the scan goes on behind it */
	}
}

struct lk_result
lk_identity_reload(struct lk_keeper *k, struct lk_err *e)
{
	unload(k);
	k->manufacturers_loaded = load_all(k, e).ok;
	if (!k->manufacturers_loaded)
		unload(k); /* refuse, not guess */
	return (struct lk_result){ k->manufacturers_loaded };
}

struct lk_result
lk_identity_tick(struct lk_keeper *k, struct lk_err *e)
{
	return k->manufacturers_loaded ? LK_OK : lk_identity_reload(k, e);
}

void
lk_identity_done(struct lk_keeper *k)
{
	unload(k);
}

struct manufacturer *
lk_identity_manufacturer(struct lk_keeper *k, const char *id)
{
	struct manufacturer *m = k->manufacturers;

	while (m && strcmp(m->record.id, id) != 0)
		m = m->next;
	return m;
}

/* The client's certificates: its own, then what it sent to reach an anchor. */
static struct lk_result
parse_chain(const struct lk_web_request_body *w, struct lk_certs *ret, struct lk_err *e)
{
	struct lk_slice list = w->chain, der;
	bool more;

	for (;;) {
		LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;

		LK_TRY(lk_list_next(&list, &more, &der, e));
		if (!more)
			return LK_OK;
		LK_TRY(lk_cert_parse(der, &c, e));
		LK_TRY(lk_certs_add(ret, c, e));
	}
}

static struct lk_result
own_certificate(const struct lk_web_request_body *w, uint8_t ret_digest[static LK_SHA256_LEN],
	struct lk_err *e)
{
	struct lk_slice list = w->chain, der;
	bool more;

	LK_TRY(lk_list_next(&list, &more, &der, e));
	/*= RFC8995 5.1: the pledge authenticates with its IDevID in TLS =*/
	LK_REQUIRE(more, e, LK_R_NO_CLIENT_CERT, "no client certificate was shown");
	lk_sha256_of(der, ret_digest);
	return LK_OK;
}

static struct known *
slot_of(struct lk_keeper *k, const uint8_t digest[static LK_SHA256_LEN])
{
	return &k->known[(digest[0] | (unsigned)digest[1] << 8) & (LK_KNOWN_MAX - 1)];
}

/* One chain, one manufacturer after the other. What a chain that leads to an anchor is refused for
 * says more than that it leads to no other. */
static struct lk_result
find_manufacturer(struct lk_keeper *k, const struct lk_certs *chain, int64_t now,
	struct manufacturer **ret, struct lk_err *e)
{
	struct lk_err why = { 0 };
	struct manufacturer *m;
	bool theirs = false; /* it leads to an anchor, and is refused all the same */

	for (m = k->manufacturers; m; m = m->next) {
		enum lk_chain_times times =
			m->record.ignore_idevid_expiry ? LK_TIMES_IGNORE_LEAF : LK_TIMES_CHECK;

		if (lk_chain_verify(m->anchors, chain->v[0], chain, times, now, &why).ok) {
			*ret = m;
			return LK_OK;
		}
		if (why.reason != LK_R_CERT_CHAIN) {
			theirs = true;
			if (e)
				*e = why;
		}
	}
	if (theirs)
		return (struct lk_result){ false };
	/*= RFC8995 5.2: the registrar accepts IDevIDs of manufacturers that it trusts =*/
	return lk_fail(e, LK_R_MANUFACTURER_UNKNOWN, "its issuer is of no manufacturer known here");
}

static void
remember(struct known *slot, const uint8_t digest[static LK_SHA256_LEN], struct lk_cert *cert,
	struct manufacturer *m, const struct issuer *issuer, int64_t now)
{
	lk_cert_free(slot->cert);
	memcpy(slot->digest, digest, LK_SHA256_LEN);
	slot->cert = lk_cert_ref(cert);
	slot->manufacturer = m;
	slot->issuer = issuer;
	slot->at = now;
}

/* Decodes and verifies, or remembers that it did. issuer NULL: an IDevID. */
static struct lk_result
look_up(struct lk_turn *t, const struct lk_web_request_body *w, const struct issuer *issuer,
	struct known **ret, struct lk_err *e)
{
	struct lk_keeper *k = keeper_of(t);
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };
	uint8_t digest[LK_SHA256_LEN];
	struct manufacturer *m = NULL;
	int64_t now = lk_turn_now(t);
	struct known *slot;

	LK_TRY(own_certificate(w, digest, e));
	slot = slot_of(k, digest);
	if (slot->cert && memcmp(slot->digest, digest, sizeof digest) == 0 &&
		slot->issuer == issuer && !has_passed(slot->at, VERDICT_SECONDS, now)) {
		*ret = slot;
		return LK_OK;
	}
	LK_TRY(parse_chain(w, &chain, e));
	if (issuer)
		LK_TRY(lk_chain_verify(issuer->anchors, chain.v[0], NULL, LK_TIMES_CHECK, now, e));
	else
		LK_TRY(find_manufacturer(k, &chain, now, &m, e));
	remember(slot, digest, chain.v[0], m, issuer, now);
	*ret = slot;
	return LK_OK;
}

static void
fill(const struct known *slot, struct identity *ret)
{
	ret->cert = slot->cert;
	ret->manufacturer = slot->manufacturer;
	lk_hex(LK_SLICE_ARRAY(slot->digest), ret->tls_peer);
}

struct lk_result
lk_identity_idevid(struct lk_turn *t, const struct lk_web_request_body *w, struct identity *ret,
	struct lk_err *e)
{
	struct known *slot;
	const struct lk_manufacturer_record *m;

	LK_TRY(look_up(t, w, NULL, &slot, e));
	m = &slot->manufacturer->record;
	/*= A1.2: a device of a manufacturer that is not trusted is refused before anything leaves the network =*/
	LK_REQUIRE(strcmp(m->trust, "trusted") == 0, e, LK_R_MANUFACTURER_DISTRUSTED,
		"manufacturer %s is %s", m->id, m->trust);
	/*= Latchkey confidentiality: an IDevID is taken over TLS 1.3 only, unless its manufacturer is exempt =*/
	LK_REQUIRE(strcmp(w->tls_version, "TLSv1.3") == 0 || m->allow_tls12, e, LK_R_IDEVID_TLS,
		"the IDevID was shown over %s, want TLSv1.3", w->tls_version);
	fill(slot, ret);
	return LK_OK;
}

struct lk_result
lk_identity_own(struct lk_turn *t, const struct lk_web_request_body *w, const struct issuer *issuer,
	struct identity *ret, struct lk_certificate_record *ret_cert, struct lk_err *e)
{
	struct known *slot;
	bool found;

	LK_TRY(look_up(t, w, issuer, &slot, e));
	memcpy(ret_cert->issuer, issuer->id, sizeof ret_cert->issuer);
	lk_cert_serial(slot->cert, ret_cert->serial);
	LK_TRY(lk_store_find(
		lk_turn_store(t), LK_CERTIFICATE_BY_SERIAL, &ret_cert->record, &found, e));
	LK_REQUIRE(found, e, LK_R_CERT_UNKNOWN, "certificate %s was not issued here",
		ret_cert->serial);
	LK_TRY(lk_est_not_revoked(ret_cert, e));
	fill(slot, ret);
	return LK_OK;
}

struct lk_result
lk_identity_ldevid(struct lk_turn *t, const struct lk_web_request_body *w, struct identity *ret,
	struct lk_certificate_record *ret_cert, struct lk_device_record *ret_device,
	struct lk_err *e)
{
	LK_TRY(lk_identity_own(t, w, &keeper_of(t)->device_ca, ret, ret_cert, e));
	memcpy(ret_device->id, ret_cert->device_id, sizeof ret_device->id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &ret_device->record, e));
	return lk_device_not_denied(ret_device, e);
}

/* The device whose IDevID has this key. */
static struct lk_result
born_with(struct lk_turn *t, const struct lk_cert *c, char ret_id[static LK_ID_MAX],
	bool *ret_found, struct lk_err *e)
{
	struct lk_scan scan = { .index = LK_DEVICE_BY_SPKI, .prefix = 1 };
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	uint8_t digest[LK_SHA256_LEN];

	lk_sha256_of(lk_cert_spki(c), digest);
	lk_hex(LK_SLICE_ARRAY(digest), d.idevid_spki);
	LK_TRY(lk_store_next(lk_turn_store(t), &scan, &d.record, ret_found, e));
	if (*ret_found)
		memcpy(ret_id, d.id, LK_ID_MAX);
	return LK_OK;
}

/* The device to which this certificate was given, if it is the one that was. */
static struct lk_result
given_to(
	struct lk_turn *t, const struct lk_cert *c, char ret_id[static LK_ID_MAX], struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record r = LK_RECORD_INIT(certificate);
	bool found;

	memcpy(r.issuer, keeper_of(t)->device_ca.id, sizeof r.issuer);
	lk_cert_serial(c, r.serial);
	LK_TRY(lk_store_find(lk_turn_store(t), LK_CERTIFICATE_BY_SERIAL, &r.record, &found, e));
	if (found && lk_slice_eq(lk_blob_slice(&r.der), lk_cert_der(c)))
		memcpy(ret_id, r.device_id, LK_ID_MAX);
	return LK_OK;
}

struct lk_result
lk_identity_describe(struct lk_turn *t, const struct lk_web_request_body *w, json_t *payload,
	char ret_device[static LK_ID_MAX], struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };
	char text[LK_CERT_NAME_MAX];
	bool found;

	if (!parse_chain(w, &chain, NULL).ok || chain.n == 0)
		return LK_OK; /* nothing that has a name */
	lk_cert_subject_text(chain.v[0], text, sizeof text);
	LK_TRY(lk_json_set(payload, "subject", json_string(text), e));
	lk_cert_issuer_text(chain.v[0], text, sizeof text);
	LK_TRY(lk_json_set(payload, "issuer", json_string(text), e));
	/* TLS has proved the key, whatever the certificate is worth. */
	LK_TRY(born_with(t, chain.v[0], ret_device, &found, e));
	return found ? LK_OK : given_to(t, chain.v[0], ret_device, e);
}
