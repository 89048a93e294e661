/* SPDX-License-Identifier: Apache-2.0
 *
 * What a device is given besides its certificate (RFC 8572 conveyed information,
 * made and signed by the signer) and its word that it joined (ONB-13).
 */
#include "noc/keeper/internal.h"

static lk_turn_handler information_signed;

struct lk_result
lk_onboarding_declaration(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	struct identity who;

	(void)m;
	LK_TRY(lk_identity_idevid(t, w, &who, e));
	/*= G-19: a device information declaration is optional per device =*/
	return lk_fail(e, LK_R_NO_DECLARATION, "no declaration is kept for this device");
}

struct lk_result
lk_onboarding_information(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	struct lk_sign_onboarding_information_body b = { .issued_at = lk_turn_now(t) };
	char key[LK_ID_MAX];
	struct identity who;

	LK_TRY(lk_identity_ldevid(t, w, &who, &cert, &d, e));
	LK_TRY(lk_keeper_event(t, "onboarding-information-given", &d, cert.run_id, "keeper",
		json_object(), &b.event, e));
	b.sequence = b.event; /* grows, and is never used twice */
	memcpy(b.device_id, d.id, sizeof b.device_id);
	memcpy(b.serial_number, d.serial, sizeof d.serial);
	lk_turn_id(t, key);
	LK_TRY(lk_turn_ask(t, LK_ROLE_SIGNER, LK_BODY_sign_onboarding_information, &b,
		LK_BODY_signed, key, information_signed, e));
	return lk_turn_park(t, m, key, e);
}

static struct lk_result
information_signed(struct lk_turn *t, const struct lk_message_in *m, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(2048);
	struct lk_web_reply_body reply = { .status = 200, .content_type = LK_TYPE_CMS };
	const struct lk_signed_body *s = m->body;

	if (m->failed)
		lk_keeper_refusal(m->failed, &text, &reply);
	else
		reply.body = s->bytes;
	return lk_turn_answer(t, m->subject, LK_BODY_web_reply, &reply, e);
}

struct lk_result
lk_onboarding_joined(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
	json_auto_t *report = NULL;
	struct identity who;

	LK_TRY(lk_identity_ldevid(t, w, &who, &cert, &d, e));
	LK_TRY(lk_json_parse(w->body, &report, e));
	/*= ONB-13: the device reports to the network right after it connected =*/
	LK_TRY(lk_keeper_event(
		t, "joined", &d, cert.run_id, "device", json_incref(report), NULL, e));
	return lk_keeper_reply(t, m, 200, NULL, lk_slice(NULL, 0), e);
}
