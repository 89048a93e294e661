/* SPDX-License-Identifier: Apache-2.0
 *
 * The signer's short list, held against everybody and everything: what is not on
 * it, was not recorded, or is for another key or another end is not signed.
 */
#include "test.h"

#include <string.h>

#include "artefact/checkpoint.h"
#include "artefact/crl.h"
#include "artefact/onboarding_information.h"
#include "artefact/voucher.h"
#include "crypto/signature.h"
#include "pki.h"
#include "role/signer.h"

static struct world {
	struct pki_cast cast;
	struct pki_id device_ca;
	struct lk_key *subject; /* of the certificate that is asked for */
	struct lk_onboarding_leaves onboarding;
	struct lk_signer *signer;
	struct lk_buf out;
} w;
static struct lk_err e;

static void
take_identity(struct lk_signer_settings *set, enum lk_signer_key which, const struct pki_id *from)
{
	struct lk_signer_identity *to = &set->identity[which];

	to->key = lk_key_ref(from->key);
	lk_certs_copy(&from->chain, &to->chain);
}

static int
setup(void **state)
{
	struct lk_signer_settings set = {
		.onboarding = &w.onboarding, .node = "node-1", .site = "home"
	};

	(void)state;
	memset(&w, 0, sizeof w);
	w.out = LK_BUF_INIT(1 << 20);
	pki_cast_init(&w.cast);
	pki_issue(
		&w.cast.domain, &(struct pki_spec){ .cn = "Device CA", .ca = true }, &w.device_ca);
	assert_true(lk_key_ephemeral(LK_KEY_P256, &w.subject, &e).ok);
	memcpy(w.onboarding.network, "home", sizeof "home");
	w.onboarding.present = 1u << LK_ONBOARDING_NETWORK;
	take_identity(&set, LK_SIGNER_REGISTRAR, &w.cast.registrar);
	take_identity(&set, LK_SIGNER_DEVICE_CA, &w.device_ca);
	take_identity(&set, LK_SIGNER_VOUCHER, &w.cast.masa);
	take_identity(&set, LK_SIGNER_AAA, &w.cast.registrar);
	assert_true(lk_signer_new(&set, &w.signer, &e).ok);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	lk_signer_free(w.signer);
	lk_key_free(w.subject);
	pki_id_done(&w.device_ca);
	pki_cast_done(&w.cast);
	lk_buf_done(&w.out);
	return 0;
}

static struct lk_result
sign(enum lk_role asker, enum lk_body type, const void *body)
{
	lk_buf_clear(&w.out);
	return lk_signer_sign(w.signer, asker, type, body, &w.out, &e);
}

/* Refused, and nothing of it left the signer. */
static void
assert_not_signed(enum lk_role asker, enum lk_body type, const void *body, enum lk_reason want)
{
	assert_refused(sign(asker, type, body), e, want);
	assert_int_equal(w.out.n, 0);
}

/* --- one good request of each kind ------------------------------------------------------------ */

static const uint8_t hash[32] = { 1, 2, 3 };
static const uint8_t serial[16] = { 0x11, 0x22 };

static struct lk_sign_voucher_request_body
good_voucher_request(void)
{
	return (struct lk_sign_voucher_request_body){
		.event = 1, .created_on = PKI_NOW, .serial_number = PKI_SERIAL, .nonce = PKI_NONCE
	};
}

static struct lk_sign_voucher_body
good_voucher(void)
{
	return (struct lk_sign_voucher_body){ .event = 1,
		.created_on = PKI_NOW,
		.assertion = LK_ASSERTION_PROXIMITY,
		.serial_number = PKI_SERIAL,
		.nonce = PKI_NONCE,
		.pinned_domain_cert = lk_cert_der(pki_cert(&w.cast.domain)) };
}

static struct lk_sign_certificate_body
good_certificate(void)
{
	return (struct lk_sign_certificate_body){ .event = 1,
		.profile = LK_PROFILE_LDEVID,
		.not_before = PKI_NOW,
		.not_after = PKI_NOW + 30 * PKI_DAY,
		.serial = LK_SLICE_ARRAY(serial),
		.spki = lk_key_spki(w.subject),
		.common_name = "0190-device",
		.serial_number = PKI_SERIAL,
		.san_uri = "urn:uuid:01900000-0000-7000-8000-000000000000" };
}

static struct lk_sign_onboarding_information_body
good_onboarding_information(void)
{
	return (struct lk_sign_onboarding_information_body){ .event = 1,
		.issued_at = PKI_NOW,
		.sequence = 1,
		.device_id = "01900000-0000-7000-8000-000000000000",
		.serial_number = PKI_SERIAL };
}

static struct lk_sign_crl_body
good_crl(void)
{
	return (struct lk_sign_crl_body){ .event = 1,
		.issuer = LK_PROFILE_LDEVID,
		.number = 1,
		.this_update = PKI_NOW,
		.next_update = PKI_NOW + PKI_DAY };
}

static struct lk_sign_checkpoint_body
good_checkpoint(void)
{
	return (struct lk_sign_checkpoint_body){
		.event = 7, .at = PKI_NOW, .hash = LK_SLICE_ARRAY(hash)
	};
}

/* The input of a CertificateVerify. */
static struct lk_slice
handshake(uint8_t p[static 200], const char *end)
{
	int n;

	memset(p, ' ', 64);
	n = snprintf((char *)p + 64, 136, "TLS 1.3, %s CertificateVerify", end);
	memset(p + 64 + n + 1, 0x5a, 32);
	return lk_slice(p, 64 + (size_t)n + 1 + 32);
}

/* --- tests ------------------------------------------------------------------------------------ */

/*= Latchkey signer: nothing is signed before it is recorded =*/
static void
test_what_was_not_recorded_is_not_signed(void **state)
{
	(void)state;
#define LK_SIGNS(message, function)                                                          \
	do {                                                                                 \
		struct lk_##message##_body b = good_##function();                            \
		if (!sign(LK_ROLE_KEEPER, LK_BODY_##message, &b).ok)                         \
			fail_msg("%s: %s", #message, e.msg);                                 \
		assert_true(w.out.n > 0);                                                    \
		b.event = 0;                                                                 \
		assert_not_signed(LK_ROLE_KEEPER, LK_BODY_##message, &b, LK_R_SIGNER_EVENT); \
		b.event = -1;                                                                \
		assert_not_signed(LK_ROLE_KEEPER, LK_BODY_##message, &b, LK_R_SIGNER_EVENT); \
	} while (0);
#include "ipc/signer.def"
#undef LK_SIGNS
}

static bool
is_on_the_list(enum lk_body type)
{
	static const enum lk_body list[] = {
#define LK_SIGNS(message, function) LK_BODY_##message,
#include "ipc/signer.def"
#undef LK_SIGNS
	};
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(list); i++)
		if (list[i] == type)
			return true;
	return false;
}

/* Every message there is, from every role: the list is the keeper's, and there is no other way to
 * ask. No message at all asks for a key, and no answer but a signature leaves. */
static void
test_nobody_gets_more_than_the_list(void **state)
{
	static const uint8_t nothing[8192]; /* as large as any body */
	unsigned role, type;

	(void)state;
	for (role = 0; role < LK_ROLE_COUNT; role++)
		for (type = 0; type < LK_BODY_COUNT; type++) {
			const struct lk_message_info *info = lk_message_info(type);

			if (role != LK_ROLE_SUPERVISOR &&
				lk_message_is_allowed(type, (enum lk_role)role, LK_ROLE_SIGNER) &&
				info->kind == LK_MESSAGE_REQUEST)
				assert_int_equal(info->reply, LK_BODY_signed);
			if (type == LK_BODY_sign_tls ||
				(role == LK_ROLE_KEEPER && is_on_the_list((enum lk_body)type)))
				continue;
			assert_not_signed((enum lk_role)role, (enum lk_body)type, nothing,
				LK_R_SIGNER_UNASKED);
		}
}

/*= Latchkey signer: a front gets well-formed TLS handshake inputs signed, never a digest =*/
static void
test_front_gets_handshakes_signed_and_nothing_else(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf request = LK_BUF_INIT(65536);
	struct lk_sign_tls_body b = { .key = LK_SIGNER_REGISTRAR };
	struct lk_sign_voucher_request_body vr = good_voucher_request();
	static const size_t digests[] = { 0, 20, 28, 32, 48, 64 };
	uint8_t p[200], digest[64] = { 0x5a };
	size_t i;

	(void)state;
	b.input = handshake(p, "server");
	assert_true(sign(LK_ROLE_FRONT, LK_BODY_sign_tls, &b).ok);
	assert_true(w.out.n > 0);
	for (i = 0; i < LK_ARRAY_LEN(digests); i++) {
		b.input = lk_slice(digest, digests[i]);
		assert_not_signed(LK_ROLE_FRONT, LK_BODY_sign_tls, &b, LK_R_TLS_TBS);
	}
	/* Nor what stands in an artefact, nor the other end's word. */
	assert_true(sign(LK_ROLE_KEEPER, LK_BODY_sign_voucher_request, &vr).ok);
	assert_true(lk_buf_append(&request, lk_buf_slice(&w.out), &e).ok);
	b.input = lk_slice(request.p, 300);
	assert_not_signed(LK_ROLE_FRONT, LK_BODY_sign_tls, &b, LK_R_TLS_TBS);
	b.input = handshake(p, "client");
	assert_not_signed(LK_ROLE_FRONT, LK_BODY_sign_tls, &b, LK_R_TLS_TBS);
	assert_true(sign(LK_ROLE_COURIER, LK_BODY_sign_tls, &b).ok);
	b.input = handshake(p, "server");
	assert_not_signed(LK_ROLE_COURIER, LK_BODY_sign_tls, &b, LK_R_TLS_TBS);
	p[0] = 0;
	assert_not_signed(LK_ROLE_FRONT, LK_BODY_sign_tls, &b, LK_R_TLS_TBS);
}

/* A key of TLS serves the role that speaks in its name, and no CA's key speaks TLS. */
static void
test_tls_keys_are_their_roles_own(void **state)
{
	struct lk_sign_tls_body b = { .key = 0 };
	unsigned role;
	uint8_t p[200];

	(void)state;
	b.input = handshake(p, "server");
	for (role = 0; role < LK_ROLE_COUNT; role++)
		for (b.key = -1; b.key <= LK_SIGNER_KEY_COUNT; b.key++) {
			bool ours = (role == LK_ROLE_FRONT && b.key == LK_SIGNER_REGISTRAR) ||
				    (role == LK_ROLE_AAA && b.key == LK_SIGNER_AAA);
			bool absent = role == LK_ROLE_FRONT && b.key == LK_SIGNER_MASA;
			bool other_end = role == LK_ROLE_COURIER && b.key == LK_SIGNER_REGISTRAR;

			if (ours)
				assert_true(sign((enum lk_role)role, LK_BODY_sign_tls, &b).ok);
			else
				assert_not_signed((enum lk_role)role, LK_BODY_sign_tls, &b,
					absent      ? LK_R_SIGNER_KEY
					: other_end ? LK_R_TLS_TBS
						    : LK_R_SIGNER_UNASKED);
		}
}

/*= Latchkey signer: what a voucher pins is a certificate =*/
static void
test_fields_that_make_no_artefact(void **state)
{
	struct lk_sign_certificate_body c = good_certificate();
	struct lk_sign_voucher_body v = good_voucher();
	struct lk_sign_crl_body r = good_crl();

	(void)state;
	/* Profiles that no CA here issues, and none at all. */
	for (c.profile = -1; c.profile <= LK_PROFILE_COUNT; c.profile++) {
		if (c.profile == LK_PROFILE_LDEVID)
			continue;
		assert_false(sign(LK_ROLE_KEEPER, LK_BODY_sign_certificate, &c).ok);
		assert_true(e.reason == LK_R_SIGNER_UNASKED || e.reason == LK_R_SIGNER_KEY);
		assert_int_equal(w.out.n, 0);
	}
	c = good_certificate();
	c.spki = LK_SLICE_ARRAY(hash);
	assert_false(sign(LK_ROLE_KEEPER, LK_BODY_sign_certificate, &c).ok);
	assert_int_equal(w.out.n, 0);
	v.assertion = LK_ASSERTION_COUNT;
	assert_not_signed(LK_ROLE_KEEPER, LK_BODY_sign_voucher, &v, LK_R_SIGNER_UNASKED);
	v.assertion = -1;
	assert_not_signed(LK_ROLE_KEEPER, LK_BODY_sign_voucher, &v, LK_R_SIGNER_UNASKED);
	v = good_voucher();
	v.pinned_domain_cert = LK_SLICE_ARRAY(hash);
	assert_false(sign(LK_ROLE_KEEPER, LK_BODY_sign_voucher, &v).ok);
	assert_int_equal(w.out.n, 0);
	r.revoked = LK_SLICE_ARRAY(hash);
	assert_not_signed(LK_ROLE_KEEPER, LK_BODY_sign_crl, &r, LK_R_IPC_MALFORMED);
}

/*= SEC-13: the network's identifier is part of the onboarding credentials =*/
static void
test_each_artefact_is_its_keys_own(void **state)
{
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;
	LK_CLEANUP(lk_checkpoint_done) struct lk_checkpoint c = { 0 };
	LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;
	struct lk_sign_onboarding_information_body ob = good_onboarding_information();
	struct lk_sign_checkpoint_body cb = good_checkpoint();
	struct lk_sign_certificate_body xb = good_certificate();
	struct lk_anchors *device_ca = pki_anchors(&w.device_ca);

	(void)state;
	assert_true(sign(LK_ROLE_KEEPER, LK_BODY_sign_onboarding_information, &ob).ok);
	assert_true(lk_onboarding_parse(lk_buf_slice(&w.out), &o, &e).ok);
	assert_string_equal(o->leaf.network, "home");
	assert_string_equal(o->leaf.serial_number, PKI_SERIAL);

	/* A checkpoint is of this node and site, whoever asks. */
	assert_true(sign(LK_ROLE_KEEPER, LK_BODY_sign_checkpoint, &cb).ok);
	assert_true(
		lk_checkpoint_parse(lk_buf_slice(&w.out), pki_cert(&w.cast.registrar), &c, &e).ok);
	assert_string_equal(c.node, "node-1");
	assert_string_equal(c.site, "home");
	assert_int_equal(c.seq, 7);

	/* An LDevID is the device CA's. */
	assert_true(sign(LK_ROLE_KEEPER, LK_BODY_sign_certificate, &xb).ok);
	assert_true(lk_cert_parse(lk_buf_slice(&w.out), &cert, &e).ok);
	assert_true(lk_chain_verify(device_ca, cert, NULL, LK_TIMES_CHECK, PKI_NOW, &e).ok);
	lk_anchors_free(device_ca);
}

#define with_a_signer(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_a_signer(test_what_was_not_recorded_is_not_signed),
		with_a_signer(test_nobody_gets_more_than_the_list),
		with_a_signer(test_front_gets_handshakes_signed_and_nothing_else),
		with_a_signer(test_tls_keys_are_their_roles_own),
		with_a_signer(test_fields_that_make_no_artefact),
		with_a_signer(test_each_artefact_is_its_keys_own),
	};

	return cmocka_run_group_tests_name("signer", tests, NULL, NULL);
}
