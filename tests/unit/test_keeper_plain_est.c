/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain EST: the labels that are open, the codes that let in, and what a client may
 * have by them.
 */
#include "keeper_cast.h"

#include "artefact/cert_profile.h"
#include "artefact/csr.h"
#include "base/encode.h"
#include "proto/basic_auth.h"

#define NAME "pump-7"
#define DNS  "pump-7.home.example"

struct plant {
	struct site s;
	char code[64]; /* the newest */
	char id[LK_ID_MAX];
	struct lk_buf authorization;
	struct lk_key *key;
	struct lk_certs shown; /* the client's newest certificate */
};

static void
plant_init(struct plant *p)
{
	*p = (struct plant){ .authorization = LK_BUF_INIT(512) };
	site_init(&p->s, "allow");
	must_succeed(lk_est_labels_parse(
		"plant code, old code tls12, field idevid", &p->s.settings.labels, e));
	site_restart(&p->s);
	must_succeed(lk_key_ephemeral(LK_KEY_P256, &p->key, e));
	p->s.label = "plant";
}

static void
plant_done(struct plant *p)
{
	lk_buf_done(&p->authorization);
	lk_key_free(p->key);
	lk_certs_done(&p->shown);
	site_done(&p->s);
}

/* What the client sends from now on. */
static void
authorize(struct plant *p, const char *user, const char *code)
{
	LK_CLEANUP(lk_freep) char *pair = pki_text("%s:%s", user, code);

	lk_buf_clear(&p->authorization);
	must_succeed(lk_buf_append_str(&p->authorization, "Basic ", e));
	must_succeed(lk_base64_encode(lk_slice_str(pair), &p->authorization, e));
	p->s.authorization = lk_buf_str(&p->authorization);
}

static void
new_code(struct plant *p, const char *label, const char *name, const char *dns)
{
	assert_int_equal(
		site_operate(&p->s, "est.code.new", "{\"label\":\"%s\",\"name\":\"%s\"%s%s%s}",
			label, name, dns ? ",\"dns\":\"" : "", dns ? dns : "", dns ? "\"" : ""),
		LK_R_NONE);
	set_text(p->code, json_string_value(json_object_get(p->s.result, "code")));
	set_text(p->id, json_string_value(json_object_get(p->s.result, "id")));
	assert_string_equal(json_string_value(json_object_get(p->s.result, "user")), name);
	authorize(p, name, p->code);
}

/* A request for the client's own key, made as told. */
static int64_t
enrol(struct plant *p, const struct site_csr *request)
{
	site_make_csr(&p->s, p->key, request);
	return site_ask(&p->s, NULL, LK_EP_LABEL_SIMPLEENROLL, lk_buf_slice(&p->s.csr));
}

static int64_t
enrol_again(struct plant *p)
{
	return site_ask(&p->s, NULL, LK_EP_LABEL_SIMPLEENROLL, lk_buf_slice(&p->s.csr));
}

/* The answer's certificate is what the client shows from now on; borrowed. */
static const struct lk_cert *
keep(struct plant *p)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = site_answered(&p->s);

	lk_certs_done(&p->shown);
	must_succeed(lk_certs_add(&p->shown, c, e));
	return p->shown.v[0];
}

/* A client that has enrolled by a code, its certificate in p->shown. */
static void
enrolled(struct plant *p)
{
	new_code(p, "plant", NAME, DNS);
	assert_int_equal(enrol(p, &(struct site_csr){ .cn = NAME }), 200);
	keep(p);
}

static int64_t
renew(struct plant *p)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CSR_MAX);
	const struct lk_csr_spec spec = { .renewed = p->shown.v[0] };

	lk_buf_clear(&p->s.csr);
	must_succeed(lk_csr_build(&spec, p->key, &der, e));
	must_succeed(lk_base64_encode(lk_buf_slice(&der), &p->s.csr, e));
	return site_ask(&p->s, &p->shown, LK_EP_LABEL_SIMPLEREENROLL, lk_buf_slice(&p->s.csr));
}

static void
get_enrolment(struct plant *p, struct lk_enrolment_record *en)
{
	set_text(en->id, p->id);
	must_succeed(lk_store_get(p->s.store, LK_ENROLMENT_BY_ID, &en->record, e));
}

/* --- the door --------------------------------------------------------------------------------- */

/*= Latchkey EST: plain EST is a second door, and shut by default =*/
static void
test_shut(void **state)
{
	static const enum lk_ep endpoints[] = { LK_EP_LABEL_CACERTS, LK_EP_LABEL_CSRATTRS,
		LK_EP_LABEL_SIMPLEENROLL, LK_EP_LABEL_SIMPLEREENROLL, LK_EP_LABEL_SERVERKEYGEN,
		LK_EP_LABEL_FULLCMC, LK_EP_PREFIX_CACERTS, LK_EP_PREFIX_SIMPLEENROLL,
		LK_EP_PREFIX_SIMPLEREENROLL };
	struct plant p;
	size_t i;

	(void)state;
	plant_init(&p);
	enrolled(&p);
	for (i = 0; i < LK_ARRAY_LEN(endpoints); i++) {
		p.s.label = "another";
		site_ask(&p.s, &p.shown, endpoints[i], lk_buf_slice(&p.s.csr));
		assert_site_refused(&p.s, LK_R_EST_LABEL_SHUT);
		assert_int_equal(p.s.reply.status, 404);
		assert_true(site_event_says(&p.s, "refused", "another"));
	}
	p.s.label = "plant";
	p.s.settings.labels.n = 0; /* as it is when nothing is configured */
	site_restart(&p.s);
	for (i = 0; i < LK_ARRAY_LEN(endpoints); i++) {
		site_ask(&p.s, &p.shown, endpoints[i], lk_buf_slice(&p.s.csr));
		assert_site_refused(&p.s, LK_R_EST_LABEL_SHUT);
	}
	plant_done(&p);
}

static void
test_what_everybody_may_have(void **state)
{
	struct plant p;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };
	struct lk_csrattrs attrs;

	(void)state;
	plant_init(&p);
	assert_int_equal(site_ask(&p.s, NULL, LK_EP_LABEL_CACERTS, lk_slice(NULL, 0)), 200);
	must_succeed(lk_base64_decode(p.s.reply.body, LK_BASE64_WHITESPACE, &der, e));
	must_succeed(lk_certs_parse_pkcs7(lk_buf_slice(&der), &certs, e));
	assert_int_equal(certs.n, 2);
	assert_true(lk_certs_contain(&certs, pki_cert(&p.s.pki.domain)));
	assert_true(lk_certs_contain(&certs, pki_cert(&p.s.service_ca)));
	lk_buf_clear(&der);
	assert_int_equal(site_ask(&p.s, NULL, LK_EP_LABEL_CSRATTRS, lk_slice(NULL, 0)), 200);
	assert_string_equal(p.s.reply.content_type, LK_TYPE_CSRATTRS);
	must_succeed(lk_base64_decode(p.s.reply.body, LK_BASE64_WHITESPACE, &der, e));
	must_succeed(lk_csrattrs_parse(lk_buf_slice(&der), &attrs, e));
	assert_int_equal(attrs.keys, 1u << LK_KEY_P256);
	assert_false(attrs.serial_number);
	site_ask(&p.s, NULL, LK_EP_LABEL_SERVERKEYGEN, LK_SLICE_LIT("x"));
	assert_site_refused(&p.s, LK_R_EST_NOT_OFFERED);
	site_ask(&p.s, NULL, LK_EP_LABEL_FULLCMC, LK_SLICE_LIT("x"));
	assert_site_refused(&p.s, LK_R_EST_NOT_OFFERED);
	plant_done(&p);
}

static size_t
lines(struct lk_slice body)
{
	size_t n = 0, i;

	for (i = 0; i < body.n; i++)
		n += body.p[i] == '\n';
	assert_int_equal(body.p[body.n - 1], '\n');
	return n;
}

/* A client that names itself reads what is long in lines only; one that does not, on one line. */
static void
test_forms_of_base64(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	assert_int_equal(site_ask(&p.s, NULL, LK_EP_LABEL_CACERTS, lk_slice(NULL, 0)), 200);
	assert_in_range(p.s.reply.body.n, 1000, 4000);
	assert_int_equal(lines(p.s.reply.body), 1);
	p.s.user_agent = "libest client 1.0";
	assert_int_equal(site_ask(&p.s, NULL, LK_EP_LABEL_CACERTS, lk_slice(NULL, 0)), 200);
	assert_int_equal(lines(p.s.reply.body), (p.s.reply.body.n + 76) / 77);
	enrolled(&p);
	assert_in_range(p.s.reply.body.n, 100, 1000); /* short */
	assert_int_equal(lines(p.s.reply.body), 1);
	plant_done(&p);
}

/*= RFC7030 3.2.3: HTTP authentication is asked for by 401 and WWW-Authenticate =*/
static void
test_challenge(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	enrol(&p, &(struct site_csr){ .cn = NAME });
	assert_site_refused(&p.s, LK_R_EST_AUTH);
	assert_int_equal(p.s.reply.status, 401);
	assert_string_equal(p.s.reply.challenge, LK_CHALLENGE_BASIC);
	assert_false(p.s.reply.close); /* the answer to it may come on the same connection */
	p.s.authorization = "Digest username=\"pump-7\"";
	enrol_again(&p);
	assert_site_refused(&p.s, LK_R_BASIC_AUTH);
	assert_string_equal(p.s.reply.challenge, LK_CHALLENGE_BASIC);
	p.s.label = "field"; /* takes no codes, so asks for none */
	enrol_again(&p);
	assert_site_refused(&p.s, LK_R_NO_CLIENT_CERT);
	assert_string_equal(p.s.reply.challenge, "");
	plant_done(&p);
}

/*= Latchkey confidentiality: TLS 1.2 is for the EST labels that ask for it =*/
static void
test_tls12(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	p.s.settings.tls12_at_labels_only = true;
	site_restart(&p.s);
	p.s.tls_version = "TLSv1.2";
	site_ask(&p.s, NULL, LK_EP_LABEL_CACERTS, lk_slice(NULL, 0));
	assert_site_refused(&p.s, LK_R_EST_LABEL_TLS);
	p.s.label = "";
	site_ask(&p.s, NULL, LK_EP_EST_CACERTS, lk_slice(NULL, 0));
	assert_site_refused(&p.s, LK_R_EST_LABEL_TLS);
	site_request_voucher(&p.s, NULL, NULL);
	assert_site_refused(&p.s, LK_R_EST_LABEL_TLS);
	p.s.label = "old";
	assert_int_equal(site_ask(&p.s, NULL, LK_EP_LABEL_CACERTS, lk_slice(NULL, 0)), 200);
	p.s.label = "plant";
	p.s.tls_version = "TLSv1.3";
	assert_int_equal(site_ask(&p.s, NULL, LK_EP_LABEL_CACERTS, lk_slice(NULL, 0)), 200);
	plant_done(&p);
}

/* --- codes ------------------------------------------------------------------------------------ */

/*= RFC7030 3.2.3: a client may authenticate by HTTP Basic, over TLS only =*/
/*= Latchkey EST: foreign names are refused, absent ones filled in =*/
static void
test_what_a_code_gives(void **state)
{
	struct plant p;
	const struct lk_cert *c;
	LK_CLEANUP(lk_record_done) struct lk_certificate_record cert = LK_RECORD_INIT(certificate);
	LK_CLEANUP(lk_record_done) struct lk_enrolment_record en = LK_RECORD_INIT(enrolment);
	struct lk_grant_request_body g = { .port = SITE_PORT, .mac = SITE_MAC };
	char text[LK_CERT_NAME_MAX];

	(void)state;
	plant_init(&p);
	new_code(&p, "plant", NAME, DNS);
	p.s.signer_waits = true;
	assert_int_equal(enrol(&p, &(struct site_csr){ .cn = NULL }), 0);
	get_enrolment(&p, &en);
	assert_string_equal(en.state, "enrolled"); /* it stands there before anything is signed */
	assert_int_equal(site_question(&p.s, LK_ROLE_SIGNER)->body.as_sign_certificate.event,
		site_event(&p.s, "certificate-decided")->seq);
	p.s.signer_waits = false;
	assert_int_equal(enrol_again(&p), 200);
	c = keep(&p);
	must_succeed(lk_cert_check_profile(c, LK_PROFILE_SERVICE, e));
	lk_cert_subject(c, LK_OID_COMMON_NAME, text);
	assert_string_equal(text, NAME);
	assert_non_null(memmem(lk_cert_der(c).p, lk_cert_der(c).n, DNS, strlen(DNS)));
	assert_true(lk_slice_eq(lk_cert_spki(c), lk_key_spki(p.key)));
	assert_true(lk_slice_eq(lk_cert_aki(c), lk_cert_ski(pki_cert(&p.s.service_ca))));
	assert_int_equal(lk_cert_not_after(c), PKI_NOW + p.s.settings.service_seconds);
	assert_true(site_event_says(&p.s, "certificate-issued", NAME));

	/* it is on record, and opens no port */
	lk_hex(lk_cert_aki(c), g.issuer);
	lk_cert_serial(c, g.serial);
	set_text(cert.issuer, g.issuer);
	set_text(cert.serial, g.serial);
	must_succeed(lk_store_get(p.s.store, LK_CERTIFICATE_BY_SERIAL, &cert.record, e));
	assert_string_equal(cert.profile, "service");
	assert_string_equal(cert.run_id, p.id);
	site_grant_for(&p.s, &g);
	assert_site_refused(&p.s, LK_R_ACCESS_PROFILE);
	plant_done(&p);
}

/*= Latchkey EST: foreign names are refused, absent ones filled in =*/
static void
test_requests_for_too_much(void **state)
{
	static const struct {
		struct site_csr request;
		enum lk_reason reason;
	} rows[] = {
		{ { .cn = "pump-8" }, LK_R_CSR_SUBJECT },
		{ { .cn = NAME, .serial_number = PKI_SERIAL }, LK_R_CSR_SUBJECT },
		{ { .cn = NAME, .ext = "subjectAltName", .value = "DNS:a.example" }, LK_R_CSR_SAN },
		{ { .cn = NAME, .ext = "subjectAltName", .value = "URI:urn:uuid:0" },
			LK_R_CSR_SAN },
		{ { .cn = NAME, .ext = "basicConstraints", .value = "critical,CA:TRUE" },
			LK_R_CSR_CA },
		{ { .cn = NAME, .ext = "keyUsage", .value = "keyCertSign" }, LK_R_CSR_CA },
		{ { .cn = NAME, .ext = "extendedKeyUsage", .value = "serverAuth" },
			LK_R_CSR_EXTENSION },
	};
	struct plant p;
	LK_CLEANUP(lk_key_freep) struct lk_key *other = NULL, *weak = NULL;
	size_t i;

	(void)state;
	plant_init(&p);
	new_code(&p, "plant", NAME, DNS);
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		enrol(&p, &rows[i].request);
		assert_site_refused(&p.s, rows[i].reason);
	}
	must_succeed(lk_key_ephemeral(LK_KEY_P256, &other, e));
	enrol(&p, &(struct site_csr){ .cn = NAME, .signed_by = other });
	assert_site_refused(&p.s, LK_R_CSR_POP);
	must_succeed(lk_key_ephemeral(LK_KEY_ED25519, &weak, e)); /* not what policy takes here */
	site_make_csr(&p.s, weak, &(struct site_csr){ .cn = NAME });
	enrol_again(&p);
	assert_site_refused(&p.s, LK_R_CRYPTO_POLICY);
	site_ask(&p.s, NULL, LK_EP_LABEL_SIMPLEENROLL, LK_SLICE_LIT("%%%"));
	assert_site_refused(&p.s, LK_R_SYNTAX_BASE64);
	/* none of these used the code up */
	assert_int_equal(enrol(&p, &(struct site_csr){ .cn = NAME,
					   .ext = "subjectAltName",
					   .value = "DNS:" DNS }),
		200);
	plant_done(&p);
}

/*= Latchkey EST: an enrolment code enrols once =*/
static void
test_code_used_twice(void **state)
{
	struct plant p;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *again = NULL;

	(void)state;
	plant_init(&p);
	enrolled(&p);
	assert_int_equal(enrol_again(&p), 200); /* the same bytes: the answer was lost */
	again = site_answered(&p.s);
	assert_true(lk_cert_eq(again, p.shown.v[0]));
	enrol(&p, &(struct site_csr){ .cn = NULL });
	assert_site_refused(&p.s, LK_R_EST_CODE_USED);
	assert_int_equal(site_count(&p.s, LK_KIND_certificate), 1);
	plant_done(&p);
}

/*= Latchkey EST: an enrolment code is good for minutes =*/
static void
test_code_over(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	new_code(&p, "plant", NAME, NULL);
	p.s.clock.seconds += p.s.settings.code_seconds + 1;
	enrol(&p, &(struct site_csr){ .cn = NAME });
	assert_site_refused(&p.s, LK_R_EST_CODE_OVER);
	assert_string_equal(p.s.reply.challenge, LK_CHALLENGE_BASIC);
	p.s.clock.seconds--;
	assert_int_equal(enrol_again(&p), 200);
	plant_done(&p);
}

/*= RFC7030 3.2.3: a client may authenticate by HTTP Basic, over TLS only =*/
static void
test_wrong_codes(void **state)
{
	struct plant p;
	char first[sizeof p.code];

	(void)state;
	plant_init(&p);
	new_code(&p, "plant", "pump-6", NULL);
	memcpy(first, p.code, sizeof first);
	new_code(&p, "plant", NAME, NULL);
	authorize(&p, NAME, first); /* another client's */
	enrol(&p, &(struct site_csr){ .cn = NAME });
	assert_site_refused(&p.s, LK_R_EST_CODE);
	assert_string_equal(p.s.reply.challenge, LK_CHALLENGE_BASIC);
	authorize(&p, NAME, "");
	enrol_again(&p);
	assert_site_refused(&p.s, LK_R_EST_CODE);
	authorize(&p, "nobody", p.code);
	enrol_again(&p);
	assert_site_refused(&p.s, LK_R_EST_CODE);
	authorize(&p, NAME, p.code);
	p.s.label = "old"; /* another label's */
	enrol_again(&p);
	assert_site_refused(&p.s, LK_R_EST_CODE);
	p.s.label = "plant";
	memcpy(first, p.code, sizeof first);
	new_code(&p, "plant", NAME, NULL); /* replaces the one before */
	authorize(&p, NAME, first);
	enrol_again(&p);
	assert_site_refused(&p.s, LK_R_EST_CODE);
	assert_int_equal(site_count(&p.s, LK_KIND_enrolment), 2);
	plant_done(&p);
}

/*= Latchkey EST: ten wrong codes in a minute shut their address out =*/
static void
test_guessing(void **state)
{
	struct plant p;
	int i;

	(void)state;
	plant_init(&p);
	new_code(&p, "plant", NAME, NULL);
	authorize(&p, NAME, "0000-0000-0000-0000-0000");
	for (i = 0; i < 10; i++) {
		enrol(&p, &(struct site_csr){ .cn = NAME });
		assert_site_refused(&p.s, LK_R_EST_CODE);
	}
	authorize(&p, NAME, p.code);
	enrol_again(&p);
	assert_site_refused(&p.s, LK_R_EST_RATE);
	assert_int_equal(p.s.reply.status, 429);
	assert_int_not_equal(p.s.reply.retry_after, 0);
	p.s.remote = "[fe80::2]:9"; /* another port is no other address */
	enrol_again(&p);
	assert_site_refused(&p.s, LK_R_EST_RATE);
	p.s.clock.seconds += 60;
	assert_int_equal(enrol_again(&p), 200);
	plant_done(&p);
}

/* Nor for longer when the clock is put back. */
/*= Latchkey EST: ten wrong codes in a minute shut their address out =*/
static void
test_guessing_and_the_clock(void **state)
{
	struct plant p;
	int i;

	(void)state;
	plant_init(&p);
	new_code(&p, "plant", NAME, NULL);
	authorize(&p, NAME, "0000-0000-0000-0000-0000");
	for (i = 0; i < 11; i++)
		enrol(&p, &(struct site_csr){ .cn = NAME });
	assert_site_refused(&p.s, LK_R_EST_RATE);
	p.s.clock.seconds -= 3600;
	authorize(&p, NAME, p.code);
	assert_int_equal(enrol_again(&p), 200);
	plant_done(&p);
}

/* Who knows better is not held back by those who guess. */
static void
test_guessing_elsewhere(void **state)
{
	struct plant p;
	int i;

	(void)state;
	plant_init(&p);
	new_code(&p, "plant", NAME, NULL);
	authorize(&p, NAME, "guess");
	p.s.remote = "[fe80::bad]:1";
	for (i = 0; i < 12; i++)
		enrol(&p, &(struct site_csr){ .cn = NAME });
	assert_site_refused(&p.s, LK_R_EST_RATE);
	authorize(&p, NAME, p.code);
	p.s.remote = SITE_ADDRESS;
	assert_int_equal(enrol_again(&p), 200);
	plant_done(&p);
}

/*= RFC7617 2: a user-id has no colon =*/
static void
test_codes_that_are_not_made(void **state)
{
	static const struct {
		const char *arguments;
		enum lk_reason reason;
	} rows[] = {
		{ "{\"label\":\"plant\",\"name\":\"pump:7\"}", LK_R_OPERATOR_ARGUMENT },
		{ "{\"label\":\"plant\",\"name\":\"\"}", LK_R_OPERATOR_ARGUMENT },
		{ "{\"label\":\"plant\"}", LK_R_OPERATOR_ARGUMENT },
		{ "{\"name\":\"pump-7\"}", LK_R_OPERATOR_ARGUMENT },
		{ "{\"label\":\"plant\",\"name\":\"a\\u00f6\"}", LK_R_OPERATOR_ARGUMENT },
		{ "{\"label\":\"plant\",\"name\":\"p\",\"dns\":\"a b\"}", LK_R_OPERATOR_ARGUMENT },
		{ "{\"label\":\"plant\",\"name\":\"0123456789012345678901234567890123456789"
		  "0123456789012345678901234\"}",
			LK_R_OPERATOR_ARGUMENT },
		{ "{\"label\":\"nowhere\",\"name\":\"pump-7\"}", LK_R_EST_LABEL_SHUT },
		{ "{\"label\":\"field\",\"name\":\"pump-7\"}", LK_R_EST_LABEL_SHUT },
	};
	struct plant p;
	size_t i;

	(void)state;
	plant_init(&p);
	for (i = 0; i < LK_ARRAY_LEN(rows); i++) {
		site_operate(&p.s, "est.code.new", "%s", rows[i].arguments);
		assert_site_refused(&p.s, rows[i].reason);
	}
	site_operate(&p.s, "est.code.revoke", "{\"enrolment\":\"none\"}");
	assert_site_refused(&p.s, LK_R_EST_NONE);
	plant_done(&p);
}

/*= Latchkey EST: no code is made for the name that a device has here =*/
static void
test_no_code_for_a_device(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	p.s.label = "";
	site_until(&p.s, SITE_DONE);
	site_operate(&p.s, "est.code.new", "{\"label\":\"plant\",\"name\":\"%s\"}",
		site_device(&p.s)->id);
	assert_site_refused(&p.s, LK_R_OPERATOR_ARGUMENT);
	plant_done(&p);
}

/* A code is told once; store and ledger have a digest at most. */
static void
test_code_is_not_kept(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	new_code(&p, "plant", NAME, NULL);
	assert_int_equal(strlen(p.code), strlen("XXXX-XXXX-XXXX-XXXX-XXXX"));
	assert_true(site_event_says(&p.s, "enrolment-code-made", NAME));
	assert_false(site_event_says(&p.s, "enrolment-code-made", p.code));
	assert_int_equal(enrol(&p, &(struct site_csr){ .cn = NAME }), 200);
	site_pass(&p.s, 1); /* what the store has is looked at */
	assert_non_null(memmem(p.s.before.p, p.s.before.n, NAME, strlen(NAME)));
	assert_null(memmem(p.s.before.p, p.s.before.n, p.code, strlen(p.code)));
	plant_done(&p);
}

/* --- answers that were lost ------------------------------------------------------------------- */

static void
test_signer_fails(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	new_code(&p, "plant", NAME, NULL);
	p.s.signer_waits = true;
	assert_int_equal(enrol(&p, &(struct site_csr){ .cn = NAME }), 0);
	assert_int_equal(enrol_again(&p), 0); /* waits for the same answer */
	assert_int_equal(p.s.n_asked, p.s.asked_before);
	site_fail(&p.s, LK_ROLE_SIGNER, LK_R_ROLE_SILENT);
	assert_int_equal(p.s.reply.status, 503);
	p.s.signer_waits = false;
	assert_int_equal(enrol_again(&p), 200);
	lk_cert_free(site_answered(&p.s));
	plant_done(&p);
}

static void
test_keeper_is_restarted(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	new_code(&p, "plant", NAME, NULL);
	p.s.signer_waits = true;
	assert_int_equal(enrol(&p, &(struct site_csr){ .cn = NAME }), 0);
	site_restart(&p.s);
	p.s.signer_waits = false;
	assert_int_equal(enrol_again(&p), 200);
	lk_cert_free(site_answered(&p.s));
	plant_done(&p);
}

/* --- renewal ---------------------------------------------------------------------------------- */

static void
test_renewal(void **state)
{
	struct plant p;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *first = NULL;

	(void)state;
	plant_init(&p);
	enrolled(&p);
	first = lk_cert_ref(p.shown.v[0]);
	p.s.authorization = "";
	p.s.clock.seconds += 60 * PKI_DAY;
	assert_int_equal(renew(&p), 200);
	must_succeed(lk_cert_check_profile(keep(&p), LK_PROFILE_SERVICE, e));
	assert_false(lk_cert_eq(first, p.shown.v[0]));
	assert_int_equal(lk_cert_not_after(p.shown.v[0]),
		PKI_NOW + 60 * PKI_DAY + p.s.settings.service_seconds);
	assert_int_equal(renew(&p), 200); /* the next one is as good */
	plant_done(&p);
}

/*= RFC7030 3.2.2: a label is a CA of its own to its clients =*/
static void
test_renewals_that_are_none(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	site_until(&p.s, SITE_DONE); /* a device that has an LDevID */
	enrolled(&p);
	p.s.label = "old";
	renew(&p);
	assert_site_refused(&p.s, LK_R_EST_LABEL_OTHER);
	p.s.label = "plant";
	site_make_csr(&p.s, p.key,
		&(struct site_csr){ .cn = "pump-8", .ext = "subjectAltName", .value = "DNS:" DNS });
	site_ask(&p.s, &p.shown, LK_EP_LABEL_SIMPLEREENROLL, lk_buf_slice(&p.s.csr));
	assert_site_refused(&p.s, LK_R_CSR_RENEWAL);
	site_make_csr(&p.s, p.key, &(struct site_csr){ .cn = NAME }); /* without its SAN */
	site_ask(&p.s, &p.shown, LK_EP_LABEL_SIMPLEREENROLL, lk_buf_slice(&p.s.csr));
	assert_site_refused(&p.s, LK_R_CSR_RENEWAL);
	site_ask(&p.s, NULL, LK_EP_LABEL_SIMPLEREENROLL, lk_buf_slice(&p.s.csr));
	assert_site_refused(&p.s, LK_R_NO_CLIENT_CERT); /* not even with the code */
	site_ask(&p.s, &p.s.pki.device.chain, LK_EP_LABEL_SIMPLEREENROLL, lk_buf_slice(&p.s.csr));
	assert_site_refused(&p.s, LK_R_CERT_CHAIN);
	/* Neither CA's certificates are good at the other's door, whatever was remembered of them.
	 */
	assert_int_equal(renew(&p), 200);
	site_ask(&p.s, &p.shown, LK_EP_EST_SIMPLEREENROLL, lk_buf_slice(&p.s.csr));
	assert_site_refused(&p.s, LK_R_CERT_CHAIN);
	site_ask(&p.s, &p.s.ldevid, LK_EP_LABEL_SIMPLEREENROLL, lk_buf_slice(&p.s.csr));
	assert_site_refused(&p.s, LK_R_CERT_CHAIN);
	p.s.clock.seconds = lk_cert_not_after(p.shown.v[0]) + 1;
	renew(&p);
	assert_site_refused(&p.s, LK_R_CERT_TIME);
	plant_done(&p);
}

/*= Latchkey EST: what an operator took back enrols and renews no more =*/
static void
test_taken_back(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	enrolled(&p);
	assert_int_equal(renew(&p), 200);
	keep(&p);
	assert_int_equal(
		site_operate(&p.s, "est.code.revoke", "{\"enrolment\":\"%s\"}", p.id), LK_R_NONE);
	assert_int_equal(json_integer_value(json_object_get(p.s.result, "certificates")), 2);
	assert_true(site_event_says(&p.s, "enrolment-revoked", NAME));
	renew(&p);
	assert_site_refused(&p.s, LK_R_CERT_REVOKED);
	enrol_again(&p);
	assert_site_refused(&p.s, LK_R_EST_REVOKED);

	new_code(&p, "plant", "pump-9", NULL); /* a code that nobody used */
	site_operate(&p.s, "est.code.revoke", "{\"enrolment\":\"%s\"}", p.id);
	enrol(&p, &(struct site_csr){ .cn = "pump-9" });
	assert_site_refused(&p.s, LK_R_EST_REVOKED);
	plant_done(&p);
}

/* Decided, and taken back before the signer was done. */
/*= SEC-06: a revoked certificate is refused =*/
static void
test_taken_back_while_it_is_signed(void **state)
{
	struct plant p;
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(65536);
	struct lk_signed_body b;

	(void)state;
	plant_init(&p);
	new_code(&p, "plant", NAME, DNS);
	p.s.signer_waits = true;
	assert_int_equal(enrol(&p, &(struct site_csr){ .cn = NAME }), 0);
	must_succeed(lk_signer_sign(p.s.signer, LK_ROLE_KEEPER, LK_BODY_sign_certificate,
		&site_question(&p.s, LK_ROLE_SIGNER)->body, &der, e));
	assert_int_equal(
		site_operate(&p.s, "est.code.revoke", "{\"enrolment\":\"%s\"}", p.id), LK_R_NONE);
	b.bytes = lk_buf_slice(&der);
	site_answer(&p.s, LK_ROLE_SIGNER, LK_BODY_signed, &b);
	assert_int_equal(p.s.reply.status, 403);
	assert_string_equal(site_event(&p.s, "certificate-withheld")->reason, "cert-revoked");
	plant_done(&p);
}

/* --- devices ---------------------------------------------------------------------------------- */

static int64_t
come(struct plant *p, const struct lk_certs *idevid)
{
	site_make_csr(&p->s, p->key, &(struct site_csr){ .serial_number = PKI_SERIAL });
	return site_ask(&p->s, idevid, LK_EP_LABEL_SIMPLEENROLL, lk_buf_slice(&p->s.csr));
}

static void
test_idevid(void **state)
{
	struct plant p;
	const struct lk_cert *c;
	char text[LK_CERT_NAME_MAX];

	(void)state;
	plant_init(&p);
	p.s.label = "field";
	come(&p, &p.s.pki.stranger.chain);
	assert_site_refused(&p.s, LK_R_MANUFACTURER_UNKNOWN);
	assert_int_equal(come(&p, &p.s.pki.device.chain), 200);
	c = keep(&p);
	must_succeed(lk_cert_check_profile(c, LK_PROFILE_SERVICE, e));
	lk_cert_subject(c, LK_OID_COMMON_NAME, text);
	assert_string_equal(text, site_device(&p.s)->id);
	lk_cert_subject(c, LK_OID_SERIAL_NUMBER, text);
	assert_string_equal(text, PKI_SERIAL);
	assert_string_equal(p.s.device.ldevid_serial, ""); /* it is no LDevID */
	assert_string_equal(site_event(&p.s, "certificate-issued")->device_id, p.s.device.id);
	assert_int_equal(renew(&p), 200);
	assert_int_equal(come(&p, &p.s.pki.device.chain), 200); /* it lost its certificate */
	assert_int_equal(site_count(&p.s, LK_KIND_enrolment), 1);
	p.s.label = "plant"; /* where IDevIDs do not let in */
	come(&p, &p.s.pki.device.chain);
	assert_site_refused(&p.s, LK_R_EST_AUTH);
	plant_done(&p);
}

/* An operator's word on a device holds at this door, too. */
static void
test_idevid_and_the_operator(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	p.s.label = "field";
	assert_int_equal(come(&p, &p.s.pki.device.chain), 200);
	keep(&p);
	assert_int_equal(
		site_operate(&p.s, "device.revoke", "{\"device\":\"" PKI_SERIAL "\"}"), LK_R_NONE);
	renew(&p);
	assert_site_refused(&p.s, LK_R_CERT_REVOKED);
	come(&p, &p.s.pki.device.chain);
	assert_site_refused(&p.s, LK_R_DEVICE_DENIED);
	plant_done(&p);
}

/*= A1.2: a device that an operator denied stays out, whatever credentials it has =*/
static void
test_idevid_denied(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	p.s.label = "field";
	assert_int_equal(come(&p, &p.s.pki.device.chain), 200);
	keep(&p);
	assert_int_equal(
		site_operate(&p.s, "device.deny", "{\"device\":\"" PKI_SERIAL "\"}"), LK_R_NONE);
	renew(&p);
	assert_site_refused(&p.s, LK_R_DEVICE_DENIED);
	come(&p, &p.s.pki.device.chain);
	assert_site_refused(&p.s, LK_R_DEVICE_DENIED);
	plant_done(&p);
}

/* Let in again after it was revoked: the same request gets a certificate that is good. */
/*= SEC-06: a revoked certificate is refused =*/
static void
test_idevid_let_in_again(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	p.s.label = "field";
	assert_int_equal(come(&p, &p.s.pki.device.chain), 200);
	assert_int_equal(
		site_operate(&p.s, "device.revoke", "{\"device\":\"" PKI_SERIAL "\"}"), LK_R_NONE);
	assert_int_equal(
		site_operate(&p.s, "device.approve", "{\"device\":\"" PKI_SERIAL "\"}"), LK_R_NONE);
	assert_int_equal(site_ask(&p.s, &p.s.pki.device.chain, LK_EP_LABEL_SIMPLEENROLL,
				 lk_buf_slice(&p.s.csr)),
		200);
	keep(&p);
	assert_int_equal(renew(&p), 200);
	plant_done(&p);
}

/* What is taken back is this door's; the device's LDevID is another matter. */
static void
test_idevid_taken_back(void **state)
{
	struct plant p;
	LK_CLEANUP(lk_record_done) struct lk_enrolment_record en = LK_RECORD_INIT(enrolment);
	struct lk_scan scan = { .index = LK_ENROLMENT_BY_ID };
	bool found;

	(void)state;
	plant_init(&p);
	p.s.label = "";
	site_until(&p.s, SITE_DONE);
	p.s.label = "field";
	assert_int_equal(come(&p, &p.s.pki.device.chain), 200);
	keep(&p);
	must_succeed(lk_store_next(p.s.store, &scan, &en.record, &found, e));
	assert_int_equal(
		site_operate(&p.s, "est.code.revoke", "{\"enrolment\":\"%s\"}", en.id), LK_R_NONE);
	assert_int_equal(json_integer_value(json_object_get(p.s.result, "certificates")), 1);
	renew(&p);
	assert_site_refused(&p.s, LK_R_CERT_REVOKED);
	come(&p, &p.s.pki.device.chain);
	assert_site_refused(&p.s, LK_R_EST_REVOKED);
	assert_int_equal(
		site_ask(&p.s, &p.s.ldevid, LK_EP_ONBOARDING_INFORMATION, lk_slice(NULL, 0)), 200);
	plant_done(&p);
}

/*= RFC7030 4.2.3: 202 and Retry-After while the request cannot be decided yet =*/
static void
test_idevid_waits(void **state)
{
	struct plant p;

	(void)state;
	plant_init(&p);
	site_add_manufacturer(&p.s, SITE_VENDOR, &p.s.pki.vendor, "ask");
	p.s.label = "field";
	assert_int_equal(come(&p, &p.s.pki.device.chain), 202);
	assert_int_equal(p.s.reply.retry_after, p.s.settings.retry_after);
	assert_int_equal(site_count(&p.s, LK_KIND_certificate), 0);
	assert_int_equal(
		site_operate(&p.s, "device.approve", "{\"device\":\"" PKI_SERIAL "\"}"), LK_R_NONE);
	assert_int_equal(come(&p, &p.s.pki.device.chain), 200);
	plant_done(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shut),
		cmocka_unit_test(test_what_everybody_may_have),
		cmocka_unit_test(test_forms_of_base64),
		cmocka_unit_test(test_challenge),
		cmocka_unit_test(test_tls12),
		cmocka_unit_test(test_what_a_code_gives),
		cmocka_unit_test(test_requests_for_too_much),
		cmocka_unit_test(test_code_used_twice),
		cmocka_unit_test(test_code_over),
		cmocka_unit_test(test_wrong_codes),
		cmocka_unit_test(test_guessing),
		cmocka_unit_test(test_guessing_and_the_clock),
		cmocka_unit_test(test_guessing_elsewhere),
		cmocka_unit_test(test_codes_that_are_not_made),
		cmocka_unit_test(test_no_code_for_a_device),
		cmocka_unit_test(test_code_is_not_kept),
		cmocka_unit_test(test_signer_fails),
		cmocka_unit_test(test_keeper_is_restarted),
		cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_renewals_that_are_none),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_taken_back_while_it_is_signed),
		cmocka_unit_test(test_idevid),
		cmocka_unit_test(test_idevid_and_the_operator),
		cmocka_unit_test(test_idevid_denied),
		cmocka_unit_test(test_idevid_let_in_again),
		cmocka_unit_test(test_idevid_taken_back),
		cmocka_unit_test(test_idevid_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
