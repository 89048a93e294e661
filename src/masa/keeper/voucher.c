/* SPDX-License-Identifier: Apache-2.0
 *
 * Who gets a voucher (RFC 8995 5.5): the owner, for as often as it asks; whoever
 * buys a device that waits to be claimed, once, by nonce and by the device's own
 * signature; nobody else.
 */
#include "masa/keeper/internal.h"

#include "base/encode.h"
#include "crypto/digest.h"

/* A pledge repeats its request for up to four days (RFC 8995 5.6), and there is one for the clocks.
 */
#define REPEAT_SECONDS (5 * INT64_C(86400))
#define FORGET_MAX     64 /* looked at with each issue */

static lk_turn_handler voucher_signed;

void
lk_asked_done(struct asked *a)
{
	lk_voucher_request_free(a->request);
	lk_record_done(&a->device);
}

static void
spki_digest(const struct lk_cert *c, char dst[static LK_DIGEST_HEX_MAX])
{
	uint8_t md[LK_SHA256_LEN];

	lk_sha256_of(lk_cert_spki(c), md);
	lk_hex(LK_SLICE_ARRAY(md), dst);
}

/* The owner whose domain CA stands at the end of the registrar's chain. */
static struct lk_result
find_owner(struct lk_turn *t, struct asked *a, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_owner_domain_record d = LK_RECORD_INIT(owner_domain);
	bool found;

	spki_digest(a->verified.farthest, a->domain_spki);
	memcpy(d.spki, a->domain_spki, sizeof d.spki);
	LK_TRY(lk_store_find(lk_turn_store(t), LK_OWNER_DOMAIN_BY_SPKI, &d.record, &found, e));
	if (found)
		memcpy(a->owner_id, d.owner_id, sizeof a->owner_id);
	return LK_OK;
}

/* By serial number and, where the registrar says it, IDevID issuer; by the device's own certificate
 * where it signed. */
static struct lk_result
find_device(struct lk_turn *t, struct asked *a, struct lk_err *e)
{
	const struct lk_voucher_request_leaves *leaf = &a->request->leaf;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *idevid = NULL;
	struct lk_scan scan = { .index = LK_MASA_DEVICE_BY_NUMBER, .prefix = 1 };
	bool found, other_key = false;

	LK_TRY(lk_slice_to_str(lk_slice_str(leaf->serial_number), "serial-number", a->device.serial,
		sizeof a->device.serial, e));
	for (;;) {
		LK_TRY(lk_store_next(lk_turn_store(t), &scan, &a->device.record, &found, e));
		LK_REQUIRE(found || !other_key, e, LK_R_MASA_DEVICE_KEY,
			"device %s signed with another key than it was born with",
			leaf->serial_number);
		/*= RFC8995 5.6: a device that is unknown to the MASA is 404 =*/
		LK_REQUIRE(found, e, LK_R_MASA_DEVICE_UNKNOWN, "device %s was not born here",
			leaf->serial_number);
		idevid = lk_cert_free(idevid);
		LK_TRY(lk_cert_parse(lk_blob_slice(&a->device.idevid), &idevid, e));
		/*= RFC8366 5.3: idevid-issuer tells devices with one serial number apart =*/
		if (leaf->idevid_issuer.n &&
			!lk_idevid_issuer_matches(lk_buf_slice(&leaf->idevid_issuer), idevid))
			continue;
		if (!a->verified.idevid || lk_cert_same_key(a->verified.idevid, idevid))
			return LK_OK;
		other_key = true;
	}
}

/* Authenticated is a registrar whose own chain ends at a domain CA that we hold as an owner's; what
 * else it encloses proves nothing. That the chain verifies is checked with everything else. */
static struct lk_result
registrar_is_known(
	struct lk_turn *t, const struct lk_voucher_request *r, bool *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_owner_domain_record d = LK_RECORD_INIT(owner_domain);
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };
	struct lk_cert *signer = lk_cms_signer(r->cms);

	*ret = false;
	if (!signer)
		return LK_OK; /* refused by the check that follows */
	LK_TRY(lk_chain_order(signer, lk_cms_certs(r->cms), &chain, e));
	/*= RFC8995 5.5.4: authenticated is who is below a domain CA of an owner =*/
	spki_digest(chain.v[chain.n - 1], d.spki);
	return lk_store_find(lk_turn_store(t), LK_OWNER_DOMAIN_BY_SPKI, &d.record, ret, e);
}

struct lk_result
lk_masa_ask(
	struct lk_turn *t, const struct lk_web_request_body *w, struct asked *ret, struct lk_err *e)
{
	struct lk_registrar_request_want want = { .manufacturer = masa_of(t)->manufacturer,
		.idevid_times = LK_TIMES_IGNORE_LEAF,
		.now = lk_turn_now(t) };

	LK_TRY(lk_voucher_request_parse(w->body, &ret->request, e));
	LK_TRY(registrar_is_known(t, ret->request, &want.authenticated, e));
	LK_TRY(lk_registrar_request_check(ret->request, &want, &ret->verified, e));
	LK_TRY(lk_masa_check_revocation(&masa_of(t)->crls, ret->request, want.now, e));
	LK_TRY(find_device(t, ret, e));
	return find_owner(t, ret, e);
}

/* --- ownership -------------------------------------------------------------------------------- */

/* An owner that nobody named: the domain that proved that the device is with it. */
static struct lk_result
new_owner(struct lk_turn *t, struct asked *a, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_owner_record owner = LK_RECORD_INIT(owner);
	LK_CLEANUP(lk_record_done)
	struct lk_owner_domain_record domain = LK_RECORD_INIT(owner_domain);

	lk_turn_id(t, owner.id);
	owner.created_at = domain.created_at = lk_turn_now(t);
	LK_TRY(lk_turn_insert(t, &owner.record, e));
	memcpy(domain.spki, a->domain_spki, sizeof domain.spki);
	memcpy(domain.owner_id, owner.id, sizeof domain.owner_id);
	LK_TRY(lk_turn_insert(t, &domain.record, e));
	memcpy(a->owner_id, owner.id, sizeof a->owner_id);
	return LK_OK;
}

static struct lk_result
claim(struct lk_turn *t, struct asked *a, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done)
	struct lk_product_line_record line = LK_RECORD_INIT(product_line);
	bool found;

	memcpy(line.id, a->device.product_line, sizeof line.id);
	LK_TRY(lk_store_find(lk_turn_store(t), LK_PRODUCT_LINE_BY_ID, &line.record, &found, e));
	/*= SEC-17: an unsold device is claimed only where its product line allows it =*/
	LK_REQUIRE(found && strcmp(line.claim, "nonce-proximity") == 0, e, LK_R_MASA_NOT_FOR_SALE,
		"device %s is unsold, and its product line \"%s\" allows no claim",
		a->device.serial, a->device.product_line);
	/*= SEC-17: a claim needs a nonce and a verified prior-signed request =*/
	LK_REQUIRE(a->request->leaf.nonce[0] && a->verified.idevid &&
			   a->verified.assertion == LK_ASSERTION_PROXIMITY,
		e, LK_R_MASA_NOT_FOR_SALE, "device %s did not sign for this registrar",
		a->device.serial);
	if (!a->owner_id[0])
		LK_TRY(new_owner(t, a, e));
	memcpy(a->device.owner_id, a->owner_id, sizeof a->device.owner_id);
	a->device.changed_at = lk_turn_now(t);
	LK_TRY(lk_turn_put(t, &a->device.record, e));
	return lk_masa_event(t, "claimed", a->device.id, "registrar",
		json_pack("{s:s,s:s}", "owner", a->owner_id, "serial", a->device.serial), NULL, e);
}

/* Owner: verified. A claim: proximity. */
static struct lk_result
authorize(struct lk_turn *t, struct asked *a, enum lk_assertion *ret, struct lk_err *e)
{
	*ret = LK_ASSERTION_PROXIMITY;
	if (!a->device.owner_id[0])
		return claim(t, a, e);
	/*= SEC-18: only the owner of the moment gets a voucher =*/
	LK_REQUIRE(strcmp(a->device.owner_id, a->owner_id) == 0, e, LK_R_MASA_NOT_OWNER,
		"device %s belongs to another owner", a->device.serial);
	*ret = LK_ASSERTION_VERIFIED;
	return LK_OK;
}

/* --- issuing ---------------------------------------------------------------------------------- */

static const struct lk_cert *
pinned(const struct lk_turn *t, const struct asked *a)
{
	/*= RFC8995 5.5.2: the MASA pins the farthest certificate, or the registrar's own, by policy =*/
	return masa_of(t)->set.pin == LK_PIN_FARTHEST ? a->verified.farthest
						      : a->verified.registrar;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* 0: a nonce ends it. */
static int64_t
expiry(const struct lk_turn *t, const struct asked *a)
{
	int64_t end = lk_turn_now(t) + masa_of(t)->set.nonceless_seconds;

	if (a->request->leaf.nonce[0])
		return 0;
	/*= RFC8995 5.6: a nonceless voucher expires, before the registrar's certificate does =*/
	end = earlier(end, lk_cert_not_after(a->verified.registrar));
	/*= RFC8366 5.3: expires-on is not after the end of pinned-domain-cert =*/
	return earlier(end, lk_cert_not_after(pinned(t, a)));
}

/*= RFC8995 5.6: the audit log is appended to on every issue =*/
static struct lk_result
append_audit(
	struct lk_turn *t, const struct asked *a, enum lk_assertion assertion, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_audit_entry_record r = LK_RECORD_INIT(audit_entry);
	LK_CLEANUP(lk_buf_done) struct lk_buf id = LK_BUF_INIT(LK_CERT_KEY_ID_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_DOMAIN_ID_MAX - 1);

	lk_turn_id(t, r.id);
	memcpy(r.device_id, a->device.id, sizeof r.device_id);
	memcpy(r.owner_id, a->owner_id, sizeof r.owner_id);
	r.date = lk_turn_now(t);
	LK_TRY(lk_cert_domain_id(pinned(t, a), &id, e));
	LK_TRY(lk_base64_encode(lk_buf_slice(&id), &text, e));
	LK_TRY(lk_slice_to_str(
		lk_buf_slice(&text), "domainID", r.domain_id, sizeof r.domain_id, e));
	/*= RFC8995 5.5.6: the audit log has the nonce, null where there is none =*/
	LK_TRY(lk_slice_to_str(
		lk_slice_str(a->request->leaf.nonce), "nonce", r.nonce, sizeof r.nonce, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(lk_assertion_names[assertion]), "assertion",
		r.assertion, sizeof r.assertion, e));
	return lk_turn_insert(t, &r.record, e);
}

/* Whether the request that it answers will not come again, or gets another voucher if it does. */
static bool
is_over(const struct lk_voucher_issued_record *r, int64_t now)
{
	return now >= (r->expires_at ? r->expires_at : r->issued_at + REPEAT_SECONDS);
}

/* Vouchers are kept for repeats alone; that they left stands in audit log and ledger. So a device's
 * old ones go with its next, and no device has more than those of the last days. */
/*= Latchkey MASA: a voucher is kept for as long as its request may be repeated =*/
static struct lk_result
forget_old(struct lk_turn *t, const char *device_id, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done)
	struct lk_voucher_issued_record r = LK_RECORD_INIT(voucher_issued);
	struct lk_scan scan = { .index = LK_VOUCHER_ISSUED_BY_DEVICE, .prefix = 1 };
	bool found = true;
	int i;

	LK_TRY(lk_slice_to_str(
		lk_slice_str(device_id), "device", r.device_id, sizeof r.device_id, e));
	for (i = 0; found && i < FORGET_MAX; i++) {
		LK_TRY(lk_store_next(lk_turn_store(t), &scan, &r.record, &found, e));
		if (found && is_over(&r, lk_turn_now(t)))
			LK_TRY(lk_turn_remove(t, &r.record, e));
	}
	return LK_OK;
}

/* Recorded in the ledger, the audit log and the list of what left; then the signer is asked. */
static struct lk_result
issue(struct lk_turn *t, const struct lk_message_in *m, const struct asked *a,
	enum lk_assertion assertion, struct lk_voucher_issued_record *r, struct lk_err *e)
{
	struct lk_sign_voucher_body b = {
		.created_on = lk_turn_now(t), .expires_on = expiry(t, a), .assertion = assertion
	};
	LK_CLEANUP(lk_cert_freep) struct lk_cert *idevid = NULL;

	LK_TRY(forget_old(t, a->device.id, e));
	LK_TRY(append_audit(t, a, assertion, e));
	LK_TRY(lk_masa_event(t, "voucher-decided", a->device.id, "registrar",
		json_pack("{s:s,s:s,s:s,s:s}", "owner", a->owner_id, "assertion",
			lk_assertion_names[assertion], "nonce", a->request->leaf.nonce, "domain",
			a->domain_spki),
		&b.event, e));
	memcpy(r->device_id, a->device.id, sizeof r->device_id);
	memcpy(r->owner_id, a->owner_id, sizeof r->owner_id);
	memcpy(r->domain_spki, a->domain_spki, sizeof r->domain_spki);
	LK_TRY(lk_slice_to_str(
		lk_slice_str(a->request->leaf.nonce), "nonce", r->nonce, sizeof r->nonce, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(lk_assertion_names[assertion]), "assertion",
		r->assertion, sizeof r->assertion, e));
	r->issued_at = b.created_on;
	r->expires_at = b.expires_on;
	/* Of a renewal: what is over must not stand beside the new expiry, should nothing come. */
	LK_TRY(lk_blob_set(&r->voucher, lk_slice(NULL, 0), e));
	lk_turn_id(t, r->id);
	LK_TRY(lk_turn_put(t, &r->record, e));
	LK_TRY(lk_cert_parse(lk_blob_slice(&a->device.idevid), &idevid, e));
	memcpy(b.serial_number, a->device.serial, sizeof a->device.serial);
	memcpy(b.nonce, a->request->leaf.nonce, sizeof b.nonce);
	b.idevid_issuer = lk_cert_aki_ext(idevid);
	b.pinned_domain_cert = lk_cert_der(pinned(t, a));
	LK_TRY(lk_turn_ask(t, LK_ROLE_SIGNER, LK_BODY_sign_voucher, &b, LK_BODY_signed, r->id,
		voucher_signed, e));
	return lk_turn_park(t, m, r->id, e);
}

struct lk_result
lk_masa_requestvoucher(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_asked_done) struct asked a = ASKED_INIT;
	LK_CLEANUP(lk_record_done)
	struct lk_voucher_issued_record r = LK_RECORD_INIT(voucher_issued);
	enum lk_assertion assertion;
	uint8_t md[LK_SHA256_LEN];
	bool found;

	LK_TRY(lk_masa_ask(t, w, &a, e));
	LK_TRY(authorize(t, &a, &assertion, e));
	LK_REQUIRE(a.request->leaf.nonce[0] || masa_of(t)->set.nonceless, e, LK_R_MASA_NONCELESS,
		"vouchers without nonce are not issued");
	lk_sha256_of(w->body, md);
	lk_hex(LK_SLICE_ARRAY(md), r.request_digest);
	LK_TRY(lk_store_find(lk_turn_store(t), LK_VOUCHER_ISSUED_BY_DIGEST, &r.record, &found, e));
	/* The same request again gets the same voucher, while that is good; RFC 8995 5.5.1 renews.
	 */
	if (found && r.voucher.n && !is_over(&r, lk_turn_now(t)))
		return lk_masa_reply(t, m, 200, LK_TYPE_VOUCHER, lk_blob_slice(&r.voucher), e);
	/* While it is being signed, too: another issue would take the first asker's answer. */
	if (found && lk_turn_asks(t, r.id))
		return lk_turn_park(t, m, r.id, e);
	return issue(t, m, &a, assertion, &r, e);
}

/* The audit log has an entry by now and keeps it: better one too many than one too few. The ledger
 * says why nothing came of it. */
static struct lk_result
not_signed(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_voucher_issued_record *r, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(1024);
	struct lk_web_reply_body reply;

	LK_TRY(lk_masa_failure(t, "voucher-not-signed", r->device_id, "signer", m->failed, e));
	LK_TRY(lk_masa_refusal(m->failed, &text, &reply, e));
	/* Whatever ails the signer, the asker did nothing wrong and may try again. */
	reply.status = 503;
	reply.retry_after = LK_MASA_RETRY_AFTER;
	return lk_turn_answer(t, m->subject, LK_BODY_web_reply, &reply, e);
}

static struct lk_result
voucher_signed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done)
	struct lk_voucher_issued_record r = LK_RECORD_INIT(voucher_issued);
	struct lk_web_reply_body reply = { .status = 200, .content_type = LK_TYPE_VOUCHER };
	const struct lk_signed_body *s = m->body;

	LK_TRY(lk_slice_to_str(lk_slice_str(m->subject), "voucher", r.id, sizeof r.id, e));
	LK_TRY(lk_store_get(lk_turn_store(t), LK_VOUCHER_ISSUED_BY_ID, &r.record, e));
	if (m->failed)
		return not_signed(t, m, &r, e);
	LK_TRY(lk_blob_set(&r.voucher, s->bytes, e));
	LK_TRY(lk_turn_put(t, &r.record, e));
	reply.body = s->bytes;
	return lk_turn_answer(t, m->subject, LK_BODY_web_reply, &reply, e);
}
