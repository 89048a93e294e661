/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain EST (RFC 7030, RFC 8951): certificates for clients that are no pledges, at
 * labels that an operator opened. A client comes with a one-time code that an
 * operator made for its name, or with the IDevID of a trusted manufacturer; it
 * renews with the certificate itself. What is issued here comes of the service CA
 * and gives no network access: the RADIUS server trusts another one.
 *
 * An enrolment's record is one client: its names, its code, its newest request and
 * certificate. All its certificates carry its id.
 */
#include "noc/keeper/internal.h"

#include <stdio.h>

#include "artefact/csr.h"
#include "base/secret.h"
#include "proto/basic_auth.h"

#define WRONG_CODES     10 /* of one address */
#define WRONG_CODES_FOR 60 /* seconds */

static lk_turn_handler certificate_signed;

static struct lk_result
open_label(struct lk_turn *t, const struct lk_web_request_body *w, const struct lk_est_label **ret,
	struct lk_err *e)
{
	const struct lk_keeper *k = keeper_of(t);
	const struct lk_est_label *l = lk_est_label_find(&k->set.labels, w->label);

	/*= Latchkey EST: plain EST is a second door, and shut by default =*/
	LK_REQUIRE(l && k->service_ca.ca, e, LK_R_EST_LABEL_SHUT, "label \"%s\" is not open",
		w->label);
	*ret = l;
	return LK_OK;
}

struct lk_result
lk_plain_cacerts(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	const struct lk_est_label *label;

	LK_TRY(open_label(t, w, &label, e));
	return lk_est_reply_cacerts(t, m, w, &keeper_of(t)->service_ca, e);
}

struct lk_result
lk_plain_csrattrs(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	const struct lk_est_label *label;

	LK_TRY(open_label(t, w, &label, e));
	return lk_keeper_reply(
		t, m, 200, LK_TYPE_CSRATTRS, lk_buf_slice(&keeper_of(t)->service_ca.csrattrs), e);
}

struct lk_result
lk_plain_not_offered(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	const struct lk_est_label *label;

	LK_TRY(open_label(t, w, &label, e));
	return lk_est_not_offered(t, m, w, e);
}

/* --- who is there ----------------------------------------------------------------------------- */

/* Addresses share their counters by hash, with a salt so that nobody can choose whom he shuts out.
 */
static unsigned
slot_of(const struct lk_keeper *k, const char *remote)
{
	const char *port = strrchr(remote, ':');
	uint8_t in[sizeof k->wrong_codes_salt + 96], md[LK_SHA256_LEN];
	size_t n = port ? (size_t)(port - remote) : strlen(remote);

	if (n > 96)
		n = 96;
	memcpy(in, k->wrong_codes_salt, sizeof k->wrong_codes_salt);
	memcpy(in + sizeof k->wrong_codes_salt, remote, n);
	lk_sha256_of(lk_slice(in, sizeof k->wrong_codes_salt + n), md);
	return (md[0] | (unsigned)md[1] << 8) & (LK_WRONG_CODES_MAX - 1);
}

static struct lk_result
check_rate(struct lk_turn *t, unsigned slot, struct lk_err *e)
{
	struct lk_keeper *k = keeper_of(t);

	if (has_passed(k->wrong_codes[slot].since, WRONG_CODES_FOR, lk_turn_now(t))) {
		k->wrong_codes[slot].since = lk_turn_now(t);
		k->wrong_codes[slot].n = 0;
	}
	/*= Latchkey EST: ten wrong codes in a minute shut their address out =*/
	LK_REQUIRE(k->wrong_codes[slot].n < WRONG_CODES, e, LK_R_EST_RATE,
		"%d wrong codes within a minute", WRONG_CODES);
	return LK_OK;
}

/* The newest enrolment of that name at the label, if it is the one that the code was made for. */
static struct lk_result
find_by_code(struct lk_turn *t, const char *label, const struct lk_basic_auth *a,
	struct lk_enrolment_record *en, bool *ret_found, struct lk_err *e)
{
	struct lk_scan scan = { .index = LK_ENROLMENT_BY_NAME, .prefix = 2, .descending = true };
	uint8_t digest[LK_SHA256_LEN];

	LK_TRY(lk_slice_to_str(lk_slice_str(label), "label", en->label, sizeof en->label, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(a->user), "user", en->name, sizeof en->name, e));
	LK_TRY(lk_store_next(lk_turn_store(t), &scan, &en->record, ret_found, e));
	lk_code_digest(en->id, a->password, digest);
	*ret_found = *ret_found && lk_secret_eq(lk_blob_slice(&en->code), LK_SLICE_ARRAY(digest));
	return LK_OK;
}

static struct lk_result
by_code(struct lk_turn *t, const struct lk_web_request_body *w, struct lk_enrolment_record *en,
	struct lk_err *e)
{
	LK_CLEANUP(lk_basic_auth_done) struct lk_basic_auth a = { .user = "" };
	unsigned slot = slot_of(keeper_of(t), w->remote);
	bool found;

	LK_TRY(check_rate(t, slot, e));
	LK_TRY(lk_basic_auth_parse(w->authorization, &a, e));
	LK_TRY(find_by_code(t, w->label, &a, en, &found, e));
	if (!found)
		keeper_of(t)->wrong_codes[slot].n++;
	/*= RFC7030 3.2.3: a client may authenticate by HTTP Basic, over TLS only =*/
	LK_REQUIRE(found, e, LK_R_EST_CODE, "no such user, or not its code");
	/*= Latchkey EST: an enrolment code is good for minutes =*/
	LK_REQUIRE(lk_turn_now(t) <= en->expires_at, e, LK_R_EST_CODE_OVER, "the code of %s ended",
		en->name);
	return LK_OK;
}

/* A device whose manufacturer is trusted, and that is admitted as pledges are. */
static struct lk_result
by_idevid(struct lk_turn *t, const struct lk_web_request_body *w, struct lk_enrolment_record *en,
	struct identity *who, bool *ret_wait, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	struct lk_scan scan = { .index = LK_ENROLMENT_BY_NAME, .prefix = 2, .descending = true };
	enum admission admission;
	bool found;

	LK_TRY(lk_identity_idevid(t, w, who, e));
	LK_TRY(lk_admission(t, who, &d, &admission, e));
	*ret_wait = admission == ADMIT_ASK;
	LK_TRY(lk_slice_to_str(lk_slice_str(w->label), "label", en->label, sizeof en->label, e));
	memcpy(en->name, d.id, sizeof d.id);
	LK_TRY(lk_store_next(lk_turn_store(t), &scan, &en->record, &found, e));
	if (found)
		return LK_OK;
	lk_turn_id(t, en->id);
	memcpy(en->device_id, d.id, sizeof en->device_id);
	en->created_at = lk_turn_now(t);
	return LK_OK;
}

static struct lk_result
authenticate(struct lk_turn *t, const struct lk_web_request_body *w, struct lk_enrolment_record *en,
	struct identity *who, bool *ret_wait, struct lk_err *e)
{
	const struct lk_est_label *label;

	LK_TRY(open_label(t, w, &label, e));
	*ret_wait = false;
	if (label->code && w->authorization[0])
		return by_code(t, w, en, e);
	if (label->idevid && w->chain.n)
		return by_idevid(t, w, en, who, ret_wait, e);
	/*= RFC7030 3.2.3: HTTP authentication is asked for by 401 and WWW-Authenticate =*/
	LK_REQUIRE(!label->code, e, LK_R_EST_AUTH, "neither a code nor a certificate came");
	return lk_fail(e, LK_R_NO_CLIENT_CERT, "no client certificate was shown");
}

/* --- issuing ---------------------------------------------------------------------------------- */

/* The certificate that a CSR which passes gets, and a repeat of that CSR again. */
static struct lk_result
order(struct lk_turn *t, const struct lk_message_in *m, const struct lk_web_request_body *w,
	struct lk_enrolment_record *en, const struct lk_cert *shown, const struct lk_cert *renewed,
	struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *csr = NULL;
	char uri[64] = "";
	struct order o = { .issuer = &keeper_of(t)->service_ca,
		.of = en->id,
		.common_name = en->name,
		.san_dns = en->dns,
		.san_uri = uri };
	struct lk_csr_want want = { .keys = keeper_of(t)->set.key_types,
		.common_name = en->name,
		.san_dns = en->dns,
		.san_uri = uri,
		.shown = shown,
		.renewed = renewed,
		.binding = w->binding };
	struct lk_verified_csr verified;

	if (en->device_id[0]) {
		memcpy(d.id, en->device_id, sizeof d.id);
		LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d.record, e));
		LK_TRY(lk_device_not_denied(&d, e));
		snprintf(uri, sizeof uri, "urn:uuid:%s", d.id);
		o.device = &d;
		o.serial_number = want.serial_number = d.serial;
	}
	LK_TRY(lk_csr_parse_body(w->body, &csr, e));
	/*= Latchkey EST: foreign names are refused, absent ones filled in =*/
	LK_TRY(lk_csr_check(csr, &want, &verified, e));
	o.spki = verified.spki;
	LK_TRY(lk_est_order(t, &o, certificate_signed, en->cert_serial, e));
	lk_est_digest(w->body, en->csr_digest);
	LK_TRY(lk_slice_to_str(LK_SLICE_LIT("enrolled"), "state", en->state, sizeof en->state, e));
	en->enrolled_at = lk_turn_now(t);
	en->wraps = w->user_agent[0] != 0;
	LK_TRY(lk_turn_put(t, &en->record, e));
	return lk_turn_park(t, m, en->cert_serial, e);
}

static struct lk_result
certificate_signed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_record_done) struct lk_enrolment_record en = LK_RECORD_INIT(enrolment);
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(4 * LK_CERT_DER_MAX);
	struct lk_web_reply_body reply = { .status = 200, .content_type = LK_TYPE_PKCS7_CERTS };
	struct lk_err why = { 0 };

	if (m->failed) {
		lk_keeper_refusal(m->failed, &text, &reply);
		return lk_turn_answer(t, m->subject, LK_BODY_web_reply, &reply, e);
	}
	LK_TRY(lk_est_signed(t, m, &keeper_of(t)->service_ca, &cert, e));
	if (!lk_est_not_revoked(&cert, &why).ok)
		return lk_est_withhold(t, &cert, &why, e);
	memcpy(en.id, cert.run_id, sizeof en.id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_ENROLMENT_BY_ID, &en.record, e));
	memcpy(d.id, en.device_id, sizeof d.id);
	LK_TRY(lk_keeper_event(t, "certificate-issued", &d, en.id, "signer",
		json_pack(
			"{s:s,s:s,s:s}", "serial", cert.serial, "label", en.label, "name", en.name),
		NULL, e));
	LK_TRY(lk_est_print(lk_blob_slice(&cert.der), en.wraps, &text, e));
	reply.body = lk_buf_slice(&text);
	return lk_turn_answer(t, m->subject, LK_BODY_web_reply, &reply, e);
}

/* A lost answer is asked for again. *ret_done: the request is answered, or will be. */
static struct lk_result
repeat(struct lk_turn *t, const struct lk_message_in *m, const struct lk_web_request_body *w,
	const struct lk_enrolment_record *en, bool *ret_done, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(4 * LK_CERT_DER_MAX);
	char digest[LK_DIGEST_HEX_MAX];

	lk_est_digest(w->body, digest);
	*ret_done = false;
	if (strcmp(en->csr_digest, digest) != 0) {
		/*= Latchkey EST: an enrolment code enrols once =*/
		LK_REQUIRE(!en->csr_digest[0] || en->device_id[0], e, LK_R_EST_CODE_USED,
			"%s has enrolled with another request", en->name);
		return LK_OK;
	}
	*ret_done = true;
	if (lk_turn_asks(t, en->cert_serial))
		return lk_turn_park(t, m, en->cert_serial, e);
	memcpy(cert.issuer, keeper_of(t)->service_ca.id, sizeof cert.issuer);
	memcpy(cert.serial, en->cert_serial, sizeof cert.serial);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_CERTIFICATE_BY_SERIAL, &cert.record, e));
	/* Else the signer failed, we were restarted meanwhile, or it was revoked and the device is
	 * let in again: the next one is ordered. */
	*ret_done = cert.der.n > 0 && lk_est_not_revoked(&cert, NULL).ok;
	if (!*ret_done)
		return LK_OK;
	LK_TRY(lk_est_print(lk_blob_slice(&cert.der), w->user_agent[0] != 0, &text, e));
	return lk_keeper_reply(t, m, 200, LK_TYPE_PKCS7_CERTS, lk_buf_slice(&text), e);
}

static struct lk_result
check_standing(const struct lk_enrolment_record *en, struct lk_err *e)
{
	/*= Latchkey EST: what an operator took back enrols and renews no more =*/
	LK_REQUIRE(strcmp(en->state, "revoked") != 0, e, LK_R_EST_REVOKED,
		"the enrolment of %s was taken back", en->name);
	return LK_OK;
}

struct lk_result
lk_plain_simpleenroll(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_enrolment_record en = LK_RECORD_INIT(enrolment);
	struct identity who = { .cert = NULL };
	bool wait, done;

	LK_TRY(authenticate(t, w, &en, &who, &wait, e));
	LK_TRY(check_standing(&en, e));
	/*= RFC7030 4.2.3: 202 and Retry-After while the request cannot be decided yet =*/
	if (wait)
		return lk_keeper_reply_later(t, m, e);
	LK_TRY(repeat(t, m, w, &en, &done, e));
	return done ? LK_OK : order(t, m, w, &en, who.cert, NULL, e);
}

struct lk_result
lk_plain_simplereenroll(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_record_done) struct lk_enrolment_record en = LK_RECORD_INIT(enrolment);
	const struct lk_est_label *label;
	struct identity who;

	LK_TRY(open_label(t, w, &label, e));
	LK_TRY(lk_identity_own(t, w, &keeper_of(t)->service_ca, &who, &cert, e));
	memcpy(en.id, cert.run_id, sizeof en.id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_ENROLMENT_BY_ID, &en.record, e));
	/*= RFC7030 3.2.2: a label is a CA of its own to its clients =*/
	LK_REQUIRE(strcmp(en.label, label->name) == 0, e, LK_R_EST_LABEL_OTHER,
		"certificate %s is of label %s", cert.serial, en.label);
	LK_TRY(check_standing(&en, e));
	return order(t, m, w, &en, who.cert, who.cert, e);
}
