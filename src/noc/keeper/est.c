/* SPDX-License-Identifier: Apache-2.0
 *
 * The EST server's decisions (RFC 7030, RFC 8951): who may have which
 * certificate. In a run a device gets its LDevID; with an LDevID it gets the
 * next one. Plain EST (plain_est.c) is another door and shut by default.
 */
#include "noc/keeper/internal.h"

#include <stdio.h>

#include "artefact/certs_only.h"
#include "artefact/csr.h"
#include "base/encode.h"

#define LINE_MAX_BODY \
	1000 /* characters up to which one line serves every client, doc/PROTOCOL.md */
#define SERIAL_OCTETS      16 /* random, so that a restored backup never leads to reuse */
#define CERTIFICATES_A_DAY 32
#define DAY_SECONDS        86400

static lk_turn_handler certificate_signed;

struct lk_result
lk_est_reply_cacerts(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, const struct issuer *issuer, struct lk_err *e)
{
	bool wrap = w->user_agent[0] && issuer->cacerts.n > LINE_MAX_BODY;

	return lk_keeper_reply(t, m, 200, LK_TYPE_PKCS7_CERTS,
		lk_buf_slice(wrap ? &issuer->cacerts_wrapped : &issuer->cacerts), e);
}

struct lk_result
lk_est_cacerts(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	/*= RFC7030 4.1.2: no client authentication is asked for cacerts =*/
	return lk_est_reply_cacerts(t, m, w, &keeper_of(t)->device_ca, e);
}

struct lk_result
lk_est_csrattrs(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	(void)w;
	return lk_keeper_reply(
		t, m, 200, LK_TYPE_CSRATTRS, lk_buf_slice(&keeper_of(t)->device_ca.csrattrs), e);
}

struct lk_result
lk_est_not_offered(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	(void)t;
	(void)m;
	(void)w;
	/*= RFC7030 4.4: server-side key generation is optional; here keys never leave devices =*/
	return lk_fail(e, LK_R_EST_NOT_OFFERED, "this operation is not offered");
}

/* --- the CSR ---------------------------------------------------------------------------------- */

/* The names that a device's certificate has here. */
static void
names_of(const struct lk_device_record *d, char uri[static 64])
{
	snprintf(uri, 64, "urn:uuid:%s", d->id);
}

static struct lk_result
check_csr(struct lk_turn *t, const struct lk_web_request_body *w, const struct lk_device_record *d,
	const struct lk_cert *shown, const struct lk_cert *renewed, const struct lk_csr *csr,
	struct lk_verified_csr *ret, struct lk_err *e)
{
	char uri[64];
	struct lk_csr_want want = { .keys = keeper_of(t)->set.key_types,
		.serial_number = d->serial,
		.common_name = d->id,
		.san_uri = uri,
		.shown = shown,
		.renewed = renewed,
		.binding = w->binding };

	names_of(d, uri);
	/*= RFC8995 5.9.2: the CSR is checked against the attributes that were asked for =*/
	if (!renewed)
		want.attrs = &keeper_of(t)->device_ca.attrs;
	return lk_csr_check(csr, &want, ret, e);
}

/* --- issuing ---------------------------------------------------------------------------------- */

/* Each stays on record for good: who is let in shall not fill the store. */
static struct lk_result
check_number(struct lk_turn *t, const char *holder, struct lk_err *e)
{
	struct lk_scan scan = {
		.index = LK_CERTIFICATE_BY_DEVICE, .prefix = 1, .descending = true
	};
	LK_CLEANUP(lk_record_done) struct lk_certificate_record c = LK_RECORD_INIT(certificate);
	bool found;
	int i;

	memcpy(c.device_id, holder, sizeof c.device_id);
	for (i = 0; i < CERTIFICATES_A_DAY; i++) {
		LK_TRY(lk_store_next(lk_turn_store(t), &scan, &c.record, &found, e));
		if (!found || has_passed(c.not_before, DAY_SECONDS, lk_turn_now(t)))
			return LK_OK;
	}
	/*= Latchkey EST: nobody gets more certificates in a day than renewal can need =*/
	return lk_fail(e, LK_R_EST_TOO_MANY, "%d certificates were given since yesterday",
		CERTIFICATES_A_DAY);
}

/* Under a new serial number. */
static struct lk_result
insert_certificate(struct lk_turn *t, const struct order *o, struct lk_certificate_record *cert,
	struct lk_err *e)
{
	const struct issuer *i = o->issuer;
	int64_t left = lk_cert_not_after(i->ca) - lk_turn_now(t);
	uint8_t serial[SERIAL_OCTETS];

	lk_random_fill(lk_turn_random(t), serial, sizeof serial);
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and never shorter */
	lk_hex(LK_SLICE_ARRAY(serial), cert->serial);
	LK_TRY(lk_slice_to_str(lk_slice_str(lk_cert_profile_name(i->profile)), "profile",
		cert->profile, sizeof cert->profile, e));
	LK_TRY(lk_slice_to_str(
		LK_SLICE_LIT("issued"), "status", cert->status, sizeof cert->status, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(o->of), "run", cert->run_id, sizeof cert->run_id, e));
	memcpy(cert->device_id, o->device ? o->device->id : cert->run_id, sizeof cert->device_id);
	if (cert->device_id[0])
		LK_TRY(check_number(t, cert->device_id, e));
	cert->not_before = lk_turn_now(t) - LK_VOUCHER_CLOCK_SKEW;
	cert->not_after = lk_turn_now(t) + (i->seconds < left ? i->seconds : left);
	return lk_turn_insert(t, &cert->record, e);
}

/* The record of what is ordered: a new one, or that of before, so that a signer who fails makes no
 * second certificate of it. */
static struct lk_result
record_order(struct lk_turn *t, const struct order *o, struct lk_certificate_record *cert,
	struct lk_err *e)
{
	memcpy(cert->issuer, o->issuer->id, sizeof cert->issuer);
	if (!o->again)
		return insert_certificate(t, o, cert, e);
	LK_TRY(lk_slice_to_str(
		lk_slice_str(o->again), "serial", cert->serial, sizeof cert->serial, e));
	return lk_store_get(lk_turn_store(t), LK_CERTIFICATE_BY_SERIAL, &cert->record, e);
}

/*= SEC-02: the LDevID keeps the original identity beside the local one =*/
static struct lk_result
set_names(const struct order *o, struct lk_sign_certificate_body *b, struct lk_err *e)
{
	const struct {
		const char *from;
		char *to;
		size_t cap;
	} names[] = {
		{ o->common_name, b->common_name, sizeof b->common_name },
		{ o->serial_number, b->serial_number, sizeof b->serial_number },
		{ o->san_uri, b->san_uri, sizeof b->san_uri },
		{ o->san_dns, b->san_dns, sizeof b->san_dns },
	};
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(names); i++)
		LK_TRY(lk_slice_to_str(
			lk_slice_str(names[i].from), "name", names[i].to, names[i].cap, e));
	return LK_OK;
}

/* Recorded with its serial number before the signer is asked; what came of it is recorded before it
 * is answered. */
struct lk_result
lk_est_order(struct lk_turn *t, const struct order *o, lk_turn_handler *then,
	char ret_serial[static LK_CERT_SERIAL_HEX_MAX], struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_buf_done) struct lk_buf serial = LK_BUF_INIT(SERIAL_OCTETS);
	struct lk_sign_certificate_body b = { .profile = o->issuer->profile };

	LK_TRY(record_order(t, o, &cert, e));
	LK_TRY(lk_hex_decode(lk_slice_str(cert.serial), &serial, e));
	LK_TRY(lk_keeper_event(t, "certificate-decided", o->device, o->of, "keeper",
		json_pack("{s:s,s:s,s:s}", "serial", cert.serial, "profile", cert.profile, "name",
			o->common_name),
		&b.event, e));
	b.not_before = cert.not_before;
	b.not_after = cert.not_after;
	b.serial = lk_buf_slice(&serial);
	b.spki = o->spki;
	b.san_ip = o->san_ip;
	LK_TRY(set_names(o, &b, e));
	LK_TRY(lk_turn_ask(t, LK_ROLE_SIGNER, LK_BODY_sign_certificate, &b, LK_BODY_signed,
		cert.serial, then, e));
	memcpy(ret_serial, cert.serial, sizeof cert.serial);
	return LK_OK;
}

struct lk_result
lk_est_signed(struct lk_turn *t, const struct lk_message_in *m, const struct issuer *issuer,
	struct lk_certificate_record *ret, struct lk_err *e)
{
	const struct lk_signed_body *s = m->body;

	memcpy(ret->issuer, issuer->id, sizeof ret->issuer);
	LK_TRY(lk_slice_to_str(
		lk_slice_str(m->subject), "serial", ret->serial, sizeof ret->serial, e));
	LK_TRY(lk_store_get(lk_turn_store(t), LK_CERTIFICATE_BY_SERIAL, &ret->record, e));
	LK_TRY(lk_blob_set(&ret->der, s->bytes, e));
	return lk_turn_put(t, &ret->record, e);
}

/* serial: of one that was ordered before, or ""; on success that of the one that is ordered. */
static struct lk_result
issue(struct lk_turn *t, const struct lk_message_in *m, const struct lk_device_record *d,
	const char *run_id, const struct lk_verified_csr *csr,
	char serial[static LK_CERT_SERIAL_HEX_MAX], struct lk_err *e)
{
	char uri[64];
	const struct order o = { .issuer = &keeper_of(t)->device_ca,
		.device = d,
		.of = run_id,
		.common_name = d->id,
		.serial_number = d->serial,
		.san_uri = uri,
		.spki = csr->spki,
		.again = serial[0] ? serial : NULL };

	names_of(d, uri);
	LK_TRY(lk_est_order(t, &o, certificate_signed, serial, e));
	return lk_turn_park(t, m, serial, e);
}

/* The CA's answer in the form its reader takes: one line up to a thousand characters; larger, lines
 * for who names itself by a User-Agent, one line for who does not. */
struct lk_result
lk_est_print(struct lk_slice der, bool wrap, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf p7 = LK_BUF_INIT(2 * LK_CERT_DER_MAX);

	LK_TRY(lk_certs_only_write(der, &p7, e));
	if (wrap && p7.n * 4 / 3 > LINE_MAX_BODY)
		return lk_base64_encode_wrapped(lk_buf_slice(&p7), out, e);
	LK_TRY(lk_base64_encode(lk_buf_slice(&p7), out, e));
	return lk_buf_append_str(out, "\n", e);
}

/* The newest LDevID is the device's; the one before stays good until it ends, so that a lost answer
 * locks nobody out. */
static struct lk_result
take_over(struct lk_turn *t, const struct lk_certificate_record *cert, struct lk_device_record *d,
	struct lk_run_record *run, struct lk_err *e)
{
	memcpy(d->id, cert->device_id, sizeof d->id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d->record, e));
	memcpy(d->ldevid_issuer, cert->issuer, sizeof d->ldevid_issuer);
	memcpy(d->ldevid_serial, cert->serial, sizeof d->ldevid_serial);
	d->ldevid_not_after = cert->not_after;
	LK_TRY(lk_turn_put(t, &d->record, e));
	if (lk_run_is(run, "enrolling"))
		return lk_run_move(t, run, "enrolled", e);
	return LK_OK;
}

struct lk_result
lk_est_not_revoked(const struct lk_certificate_record *cert, struct lk_err *e)
{
	/*= SEC-06: a revoked certificate is refused =*/
	LK_REQUIRE(strcmp(cert->status, "revoked") != 0, e, LK_R_CERT_REVOKED,
		"certificate %s is revoked", cert->serial);
	return LK_OK;
}

/* It was revoked, or its run ended, while it was being signed. A renewal is not its run's. */
static struct lk_result
check_wanted(
	const struct lk_certificate_record *cert, const struct lk_run_record *run, struct lk_err *e)
{
	LK_TRY(lk_est_not_revoked(cert, e));
	/*= Latchkey run: nothing more comes of a run that ended =*/
	LK_REQUIRE(strcmp(run->cert_serial, cert->serial) != 0 || lk_run_is(run, "enrolling"), e,
		LK_R_RUN_OVER, "the run ended while its certificate was being signed");
	return LK_OK;
}

struct lk_result
lk_est_withhold(struct lk_turn *t, const struct lk_certificate_record *cert,
	const struct lk_err *why, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(2048);
	const struct lk_event ev = { "certificate-withheld", cert->device_id, cert->run_id,
		"keeper", why->reason, { NULL, 0 } };
	struct lk_web_reply_body reply;
	int64_t n;

	if (why->reason != LK_R_CERT_REVOKED)
		LK_TRY(lk_certificates_revoke(
			t, cert->device_id, cert->run_id, "cessationOfOperation", &n, e));
	LK_TRY(lk_turn_event(t, &ev, NULL, e));
	lk_keeper_refusal(why, &text, &reply);
	return lk_turn_answer(t, cert->serial, LK_BODY_web_reply, &reply, e);
}

static struct lk_result
certificate_signed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_record_done) struct lk_run_record run = LK_RECORD_INIT(run);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(4 * LK_CERT_DER_MAX);
	struct lk_web_reply_body reply = { .status = 200, .content_type = LK_TYPE_PKCS7_CERTS };
	struct lk_err why = { 0 };

	if (m->failed) {
		lk_keeper_refusal(m->failed, &text, &reply);
		return lk_turn_answer(t, m->subject, LK_BODY_web_reply, &reply, e);
	}
	LK_TRY(lk_est_signed(t, m, &keeper_of(t)->device_ca, &cert, e));
	memcpy(run.id, cert.run_id, sizeof run.id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_RUN_BY_ID, &run.record, e));
	if (!check_wanted(&cert, &run, &why).ok)
		return lk_est_withhold(t, &cert, &why, e);
	LK_TRY(take_over(t, &cert, &d, &run, e));
	LK_TRY(lk_keeper_event(t, "certificate-issued", &d, cert.run_id, "signer",
		json_pack("{s:s}", "serial", cert.serial), NULL, e));
	LK_TRY(lk_est_print(lk_blob_slice(&cert.der), run.wraps, &text, e));
	reply.body = lk_buf_slice(&text);
	return lk_turn_answer(t, m->subject, LK_BODY_web_reply, &reply, e);
}

/* --- simpleenroll, simplereenroll ------------------------------------------------------------- */

void
lk_est_digest(struct lk_slice body, char dst[static LK_DIGEST_HEX_MAX])
{
	uint8_t md[LK_SHA256_LEN];

	lk_sha256_of(body, md);
	lk_hex(LK_SLICE_ARRAY(md), dst);
}

/* The CSR is what it has to be: the signer is asked. */
static struct lk_result
enrol(struct lk_turn *t, const struct lk_message_in *m, const struct lk_web_request_body *w,
	const struct identity *who, struct lk_run_record *run, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *csr = NULL;
	struct lk_verified_csr verified;

	memcpy(d.id, run->device_id, sizeof d.id);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_DEVICE_BY_ID, &d.record, e));
	LK_TRY(lk_csr_parse_body(w->body, &csr, e));
	LK_TRY(check_csr(t, w, &d, who->cert, NULL, csr, &verified, e));
	LK_TRY(issue(t, m, &d, run->id, &verified, run->cert_serial, e));
	lk_est_digest(w->body, run->csr_digest);
	run->wraps = w->user_agent[0] != 0;
	return lk_run_is(run, "enrolling") ? LK_OK : lk_run_move(t, run, "enrolling", e);
}

/* The answer to the same CSR again: the certificate, if it is there by now. */
static struct lk_result
enrolled_before(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, const struct identity *who, struct lk_run_record *run,
	struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(4 * LK_CERT_DER_MAX);

	/*= Latchkey run: one run yields at most one LDevID =*/
	LK_REQUIRE(lk_run_is(run, "enrolling") || lk_run_is(run, "enrolled"), e, LK_R_RUN_ORDER,
		"this run has ended; start another");
	if (lk_run_is(run, "enrolling")) /* without question: the signer failed, or we did */
		return lk_turn_asks(t, run->cert_serial) ? lk_keeper_reply_later(t, m, e)
							 : enrol(t, m, w, who, run, e);
	memcpy(cert.issuer, keeper_of(t)->device_ca.id, sizeof cert.issuer);
	memcpy(cert.serial, run->cert_serial, sizeof cert.serial);
	LK_TRY(lk_store_get(lk_turn_store(t), LK_CERTIFICATE_BY_SERIAL, &cert.record, e));
	LK_TRY(lk_est_print(lk_blob_slice(&cert.der), w->user_agent[0] != 0, &text, e));
	return lk_keeper_reply(t, m, 200, LK_TYPE_PKCS7_CERTS, lk_buf_slice(&text), e);
}

struct lk_result
lk_est_simpleenroll(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_run_record run = LK_RECORD_INIT(run);
	char digest[LK_DIGEST_HEX_MAX];
	struct identity who;
	bool wait;

	LK_TRY(lk_identity_idevid(t, w, &who, e));
	LK_TRY(lk_run_of_peer(t, who.tls_peer, &run, e));
	lk_est_digest(w->body, digest);
	if (run.csr_digest[0]) {
		LK_REQUIRE(strcmp(run.csr_digest, digest) == 0, e, LK_R_RUN_ORDER,
			"this run asked for a certificate before, with another request");
		return enrolled_before(t, m, w, &who, &run, e);
	}
	/*= RFC8995 5.9: enrolment follows the voucher that the pledge accepted =*/
	LK_REQUIRE(lk_run_is(&run, "accepted"), e, LK_R_RUN_ORDER,
		"the run is \"%s\": the pledge has not accepted a voucher", run.state);
	/*= RFC7030 4.2.3: 202 and Retry-After while the request cannot be decided yet =*/
	LK_TRY(lk_audit_gate(t, &run, &wait, e));
	return wait ? lk_keeper_reply_later(t, m, e) : enrol(t, m, w, &who, &run, e);
}

struct lk_result
lk_est_simplereenroll(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	LK_CLEANUP(lk_csr_freep) struct lk_csr *csr = NULL;
	char serial[LK_CERT_SERIAL_HEX_MAX] = "";
	struct lk_verified_csr verified;
	struct identity who;

	LK_TRY(lk_identity_ldevid(t, w, &who, &cert, &d, e));
	LK_TRY(lk_csr_parse_body(w->body, &csr, e));
	LK_TRY(check_csr(t, w, &d, who.cert, who.cert, csr, &verified, e));
	return issue(t, m, &d, cert.run_id, &verified, serial, e);
}
