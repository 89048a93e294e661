/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of inspectors. An inspector adds the fields, makes the checks for which
 * it was given something in the order of the RFC, and lists those for which it was
 * not. It never says "valid" of what no anchor vouches for.
 */
#include <assert.h>

#include "artefact/audit_log.h"
#include "artefact/cert_profile.h"
#include "artefact/crl.h"
#include "artefact/csr.h"
#include "artefact/checkpoint.h"
#include "artefact/manifest.h"
#include "artefact/onboarding_information.h"
#include "artefact/telemetry.h"
#include "artefact/voucher_request.h"
#include "base/encode.h"
#include "cli/inspect.h"

static void
checked(struct lk_inspection *i, const char *check)
{
	assert(i->n_checked < LK_INSPECT_CHECKS_MAX);
	i->checked[i->n_checked++] = check;
}

static void
skipped(struct lk_inspection *i, const char *check, const char *missing)
{
	assert(i->n_skipped < LK_INSPECT_CHECKS_MAX);
	i->skipped[i->n_skipped].check = check;
	i->skipped[i->n_skipped++].missing = missing;
}

static bool
contains(struct lk_slice in, const char *text)
{
	return in.n && memmem(in.p, in.n, text, strlen(text));
}

static struct lk_result
print_signer(const struct lk_cms *cms, struct lk_inspection *i, struct lk_err *e)
{
	const struct lk_cert *signer = lk_cms_signer(cms);

	return signer ? lk_cert_print_line("signer", signer, &i->fields, e)
		      : lk_buf_append_str(&i->fields, "signer: not enclosed\n", e);
}

/* Without an anchor the most that can be said of a signature: that it is the enclosed signer's. */
static struct lk_result
check_enclosed(const struct lk_cms *cms, struct lk_inspection *i, struct lk_err *e)
{
	const struct lk_cert *signer = lk_cms_signer(cms);

	if (signer) {
		LK_TRY(lk_cms_verify(cms, signer, e));
		checked(i, "signature by the enclosed certificate");
	}
	skipped(i, "signer", "--anchor");
	return LK_OK;
}

/* --- CMS objects ------------------------------------------------------------------------------ */

/* ContentInfo: SEQUENCE, then an object identifier below pkcs-7. */
static bool
is_cms(struct lk_slice in)
{
	static const uint8_t pkcs7[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
		0x07 };
	size_t header = in.n > 1 && in.p[1] >= 0x80 ? 2u + (in.p[1] & 0x7f) : 2;

	return in.n > header + sizeof pkcs7 && in.p[0] == 0x30 &&
	       memcmp(in.p + header, pkcs7, sizeof pkcs7) == 0;
}

static bool
is_voucher_request(struct lk_slice in)
{
	return is_cms(in) && contains(in, "\"ietf-voucher-request:voucher\"");
}

static bool
is_checkpoint(struct lk_slice in)
{
	return is_cms(in) && contains(in, "\"latchkey:checkpoint\"");
}

static struct lk_result
inspect_checkpoint(struct lk_slice in, const struct lk_inspect_want *w, struct lk_inspection *i,
	struct lk_err *e)
{
	LK_CLEANUP(lk_checkpoint_done) struct lk_checkpoint c = { 0 };
	LK_CLEANUP(lk_cms_freep) struct lk_cms *cms = NULL;

	LK_TRY(lk_checkpoint_parse(in, NULL, &c, e));
	LK_TRY(lk_cms_parse(in, &cms, e));
	LK_TRY(lk_checkpoint_print(&c, &i->fields, e));
	LK_TRY(print_signer(cms, i, e));
	if (!w->anchors) {
		i->verdict = LK_VERDICT_UNVERIFIED;
		return check_enclosed(cms, i, e);
	}
	LK_TRY(lk_checkpoint_check(in, w->anchors, w->now, e));
	checked(i, "signature, signer");
	i->verdict = LK_VERDICT_VALID;
	return LK_OK;
}

static struct lk_result
inspect_voucher(struct lk_slice in, const struct lk_inspect_want *w, struct lk_inspection *i,
	struct lk_err *e)
{
	LK_CLEANUP(lk_voucher_freep) struct lk_voucher *v = NULL;

	LK_TRY(lk_voucher_parse(in, &v, e));
	LK_TRY(lk_voucher_print(v, &i->fields, e));
	LK_TRY(print_signer(v->cms, i, e));
	if (w->anchors) {
		LK_TRY(lk_voucher_verify(v, w->anchors, LK_TIMES_CHECK, w->now, e));
		checked(i, "signature, signer, created-on, expires-on");
	} else {
		LK_TRY(check_enclosed(v->cms, i, e));
	}
	if (w->idevid) {
		LK_TRY(lk_voucher_check_device(v, w->idevid, e));
		checked(i, "serial-number, idevid-issuer");
	} else {
		skipped(i, "serial-number, idevid-issuer", "--idevid");
	}
	if (w->nonce) {
		LK_TRY(lk_voucher_check_nonce(v, w->nonce, true, e));
		checked(i, "nonce");
	} else {
		skipped(i, "nonce", "--nonce");
	}
	if (w->registrar) {
		LK_TRY(lk_voucher_check_domain(v, w->registrar, LK_TIMES_CHECK, w->now, e));
		checked(i, "pinned-domain-cert");
	} else {
		skipped(i, "pinned-domain-cert", "--registrar");
	}
	i->verdict = w->anchors ? LK_VERDICT_VALID : LK_VERDICT_UNVERIFIED;
	return LK_OK;
}

static struct lk_result
inspect_pledge_request(const struct lk_voucher_request *r, const struct lk_inspect_want *w,
	struct lk_inspection *i, struct lk_err *e)
{
	const struct lk_cert *idevid = w->idevid ? w->idevid : lk_cms_signer(r->cms);
	struct lk_verified_pledge_request verified;

	LK_REQUIRE(idevid, e, LK_R_REQUEST_SIGNER, "the device's certificate is not enclosed");
	if (w->registrar) {
		const struct lk_pledge_request_want want = { idevid, w->registrar->v[0] };

		LK_TRY(lk_pledge_request_check(r, &want, &verified, e));
		checked(i, "signature, assertion, proximity-registrar-cert, serial-number, nonce");
	} else {
		LK_TRY(lk_cms_verify(r->cms, idevid, e));
		checked(i, "signature");
		skipped(i, "assertion, proximity-registrar-cert, serial-number, nonce",
			"--registrar");
	}
	if (w->anchors) {
		LK_TRY(lk_chain_verify(
			w->anchors, idevid, lk_cms_certs(r->cms), LK_TIMES_IGNORE_LEAF, w->now, e));
		checked(i, "signer");
	} else {
		skipped(i, "signer", "--anchor");
	}
	i->verdict = w->anchors ? LK_VERDICT_VALID : LK_VERDICT_UNVERIFIED;
	return LK_OK;
}

/* --anchor is the manufacturer's; or the domain's, where no device's request is enclosed. */
static struct lk_result
inspect_registrar_request(const struct lk_voucher_request *r, const struct lk_inspect_want *w,
	struct lk_inspection *i, struct lk_err *e)
{
	const struct lk_registrar_request_want want = {
		.manufacturer = w->anchors,
		.idevid_times = LK_TIMES_IGNORE_LEAF,
		.domains = w->anchors,
		.now = w->now,
	};
	struct lk_verified_registrar_request verified;

	i->verdict = LK_VERDICT_UNVERIFIED;
	if (!w->anchors)
		return check_enclosed(r->cms, i, e);
	LK_TRY(lk_registrar_request_check(r, &want, &verified, e));
	checked(i, "signature, id-kp-cmcRA, nonce");
	if (verified.idevid)
		checked(i, "prior-signed-voucher-request, serial-number, idevid-issuer");
	if (verified.authenticated)
		checked(i, "signer");
	if (verified.idevid || verified.authenticated)
		i->verdict = LK_VERDICT_VALID;
	return LK_OK;
}

static struct lk_result
inspect_request(struct lk_slice in, const struct lk_inspect_want *w, struct lk_inspection *i,
	struct lk_err *e)
{
	LK_CLEANUP(lk_voucher_request_freep) struct lk_voucher_request *r = NULL;

	LK_TRY(lk_voucher_request_parse(in, &r, e));
	LK_TRY(lk_voucher_request_print(r, &i->fields, e));
	LK_TRY(print_signer(r->cms, i, e));
	return lk_voucher_request_has(r, LK_REQUEST_PROXIMITY_REGISTRAR_CERT)
		       ? inspect_pledge_request(r, w, i, e)
		       : inspect_registrar_request(r, w, i, e);
}

/* --- certificates ----------------------------------------------------------------------------- */

/* SEQUENCE { SEQUENCE { [0] version …: only a certificate begins like this. */
static bool
is_certificate(struct lk_slice in)
{
	static const uint8_t version[] = { 0xa0, 0x03, 0x02, 0x01 };

	if (contains(in, "-----BEGIN CERTIFICATE-----"))
		return true;
	return in.n > 16 && in.p[0] == 0x30 && memmem(in.p, 16, version, sizeof version);
}

static struct lk_result
print_certificate(const struct lk_cert *c, struct lk_buf *out, struct lk_err *e)
{
	char issuer[LK_CERT_NAME_MAX], serial[2 * LK_CERT_SERIAL_MAX + 1];
	char from[LK_TIME_TEXT_MAX], to[LK_TIME_TEXT_MAX], url[LK_CERT_NAME_MAX];
	enum lk_cert_profile p;

	LK_TRY(lk_cert_print_line("subject", c, out, e));
	lk_cert_issuer_text(c, issuer, sizeof issuer);
	lk_cert_serial(c, serial);
	lk_time_print(lk_cert_not_before(c), from);
	lk_time_print(lk_cert_not_after(c), to);
	LK_TRY(lk_buf_printf(out, e,
		"issuer: %s\nserial: %s\nvalid from: %s\nvalid to: %s\nCA: %s\n", issuer, serial,
		from, to, lk_cert_is_ca(c) ? "yes" : "no"));
	LK_TRY(lk_cert_url(c, LK_OID_PE_MASA_URL, url, e));
	if (url[0])
		LK_TRY(lk_buf_printf(out, e, "masa-url: %s\n", url));
	LK_TRY(lk_cert_url(c, LK_OID_PE_MUD_URL, url, e));
	if (url[0])
		LK_TRY(lk_buf_printf(out, e, "mud-url: %s\n", url));
	for (p = 0; p < LK_PROFILE_COUNT; p++)
		if (lk_cert_check_profile(c, p, NULL).ok)
			LK_TRY(lk_buf_printf(
				out, e, "fits profile: %s\n", lk_cert_profile_name(p)));
	return LK_OK;
}

/* The first certificate is the one in question, the others are its chain. */
static struct lk_result
inspect_certificate(struct lk_slice in, const struct lk_inspect_want *w, struct lk_inspection *i,
	struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };

	LK_TRY(lk_certs_parse_any(in, &certs, e));
	LK_TRY(print_certificate(certs.v[0], &i->fields, e));
	i->verdict = LK_VERDICT_UNVERIFIED;
	if (!w->anchors) {
		skipped(i, "signature, validity", "--anchor");
		return LK_OK;
	}
	LK_TRY(lk_chain_verify(w->anchors, certs.v[0], &certs, LK_TIMES_CHECK, w->now, e));
	checked(i, "signature, validity");
	i->verdict = LK_VERDICT_VALID;
	return LK_OK;
}

static bool
is_onboarding(struct lk_slice in)
{
	/* id-ct-sztpConveyedInfoJSON, RFC 8572 */
	return is_cms(in) && contains(in, "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x2b");
}

/* --anchor is the domain's, --idevid the device's certificate there: its local id and serial. */
static struct lk_result
inspect_onboarding(struct lk_slice in, const struct lk_inspect_want *w, struct lk_inspection *i,
	struct lk_err *e)
{
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = NULL;
	char device[LK_CERT_NAME_MAX], serial[LK_CERT_NAME_MAX];
	struct lk_onboarding_want want = { .domain = w->anchors, .now = w->now };
	struct lk_verified_onboarding verified;

	LK_TRY(lk_onboarding_parse(in, &o, e));
	LK_TRY(lk_onboarding_print(o, &i->fields, e));
	LK_TRY(print_signer(o->cms, i, e));
	want.device = o->leaf.device;
	want.serial_number = o->leaf.serial_number;
	if (w->idevid) {
		lk_cert_subject(w->idevid, LK_OID_COMMON_NAME, device);
		lk_cert_subject(w->idevid, LK_OID_SERIAL_NUMBER, serial);
		want.device = device;
		want.serial_number = serial;
	} else {
		skipped(i, "device, serial-number", "--idevid");
	}
	if (!w->anchors) {
		i->verdict = LK_VERDICT_UNVERIFIED;
		return check_enclosed(o->cms, i, e);
	}
	LK_TRY(lk_onboarding_check(o, &want, &verified, e));
	checked(i, "signature, signer, issued-on");
	if (w->idevid)
		checked(i, "device, serial-number");
	i->verdict = LK_VERDICT_VALID;
	return LK_OK;
}

/* The base64 of a CMS object in one line, then a JSON object a line. */
static bool
is_manifest(struct lk_slice in)
{
	return in.n > 3 && memcmp(in.p, "MII", 3) == 0 && contains(in, "\n{");
}

static struct lk_result
inspect_manifest(struct lk_slice in, const struct lk_inspect_want *w, struct lk_inspection *i,
	struct lk_err *e)
{
	LK_CLEANUP(lk_manifest_freep) struct lk_manifest *m = NULL;
	struct lk_verified_manifest verified;

	LK_TRY(lk_manifest_parse(in, &m, e));
	LK_TRY(lk_manifest_print(m, &i->fields, e));
	LK_TRY(print_signer(m->cms, i, e));
	if (!w->anchors) {
		i->verdict = LK_VERDICT_UNVERIFIED;
		return check_enclosed(m->cms, i, e);
	}
	LK_TRY(lk_manifest_check(m, w->anchors, w->now, &verified, e));
	checked(i, "signature, signer, issued-on, devices");
	i->verdict = LK_VERDICT_VALID;
	return LK_OK;
}

/* A Simple PKI Response is a SignedData that nobody signed. */
static bool
is_certs_only(struct lk_slice in)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };

	return is_cms(in) && lk_certs_parse_pkcs7(in, &certs, NULL).ok;
}

static struct lk_result
inspect_certs_only(struct lk_slice in, const struct lk_inspect_want *w, struct lk_inspection *i,
	struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };
	size_t k;

	(void)w;
	LK_TRY(lk_certs_parse_pkcs7(in, &certs, e));
	for (k = 0; k < certs.n; k++)
		LK_TRY(lk_cert_print_line("certificate", certs.v[k], &i->fields, e));
	i->verdict = LK_VERDICT_WELL_FORMED;
	return LK_OK;
}

/* --- requests and lists ----------------------------------------------------------------------- */

/* SEQUENCE { SEQUENCE { INTEGER version, SEQUENCE …, of which only the number differs. */
static bool
begins_with_version(struct lk_slice in, uint8_t version)
{
	const uint8_t head[] = { 0x02, 0x01, version, 0x30 };

	return in.n > 16 && in.p[0] == 0x30 && memmem(in.p, 16, head, sizeof head);
}

static bool
is_csr(struct lk_slice in)
{
	return begins_with_version(in, 0);
}

static struct lk_result
inspect_csr(struct lk_slice in, const struct lk_inspect_want *w, struct lk_inspection *i,
	struct lk_err *e)
{
	LK_CLEANUP(lk_csr_freep) struct lk_csr *c = NULL;
	char serial[LK_CERT_NAME_MAX];
	struct lk_csr_want want = { .keys = ~0u, .serial_number = serial, .shown = w->idevid };
	struct lk_verified_csr verified;

	LK_TRY(lk_csr_parse(in, &c, e));
	LK_TRY(lk_csr_print(c, &i->fields, e));
	if (w->idevid) {
		lk_cert_subject(w->idevid, LK_OID_SERIAL_NUMBER, serial);
		LK_TRY(lk_csr_check(c, &want, &verified, e));
		checked(i, "proof of possession, key, names, extensions");
	} else {
		skipped(i, "proof of possession, key, names, extensions", "--idevid");
	}
	i->verdict = LK_VERDICT_WELL_FORMED;
	return LK_OK;
}

static bool
is_crl(struct lk_slice in)
{
	return begins_with_version(in, 1);
}

/* --anchor is the issuing CA itself. */
static struct lk_result
inspect_crl(struct lk_slice in, const struct lk_inspect_want *w, struct lk_inspection *i,
	struct lk_err *e)
{
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
	size_t k;

	LK_TRY(lk_crl_parse(in, &c, e));
	LK_TRY(lk_crl_print(c, &i->fields, e));
	if (!w->anchors) {
		i->verdict = LK_VERDICT_UNVERIFIED;
		skipped(i, "issuer, signature, this-update, next-update", "--anchor");
		return LK_OK;
	}
	for (k = 0; !lk_crl_check(c, w->anchor_certs->v[k], w->now, 0, e).ok; k++)
		if (k + 1 == w->anchor_certs->n)
			return (struct lk_result){ false };
	checked(i, "issuer, signature, this-update, next-update");
	i->verdict = LK_VERDICT_VALID;
	return LK_OK;
}

/* --- plain JSON ------------------------------------------------------------------------------- */

static bool
is_audit_log(struct lk_slice in)
{
	return in.n && in.p[0] == '{' && contains(in, "\"events\"");
}

static struct lk_result
inspect_audit_log(struct lk_slice in, const struct lk_inspect_want *w, struct lk_inspection *i,
	struct lk_err *e)
{
	LK_CLEANUP(lk_audit_log_freep) struct lk_audit_log *log = NULL;

	LK_TRY(lk_audit_log_parse(in, &log, e));
	LK_TRY(lk_audit_log_print(log, &i->fields, e));
	if (w->registrar) {
		LK_TRY(lk_audit_log_judge(log, w->registrar, e));
		checked(i, "domainID, nonce");
	} else {
		skipped(i, "domainID, nonce", "--registrar");
	}
	i->verdict = LK_VERDICT_WELL_FORMED;
	return LK_OK;
}

static bool
is_telemetry(struct lk_slice in)
{
	return in.n && in.p[0] == '{' && contains(in, "\"version\"");
}

static struct lk_result
inspect_telemetry(struct lk_slice in, const struct lk_inspect_want *w, struct lk_inspection *i,
	struct lk_err *e)
{
	LK_CLEANUP(lk_telemetry_done) struct lk_telemetry t = { 0 };

	(void)w;
	LK_TRY(lk_telemetry_parse(in, &t, e));
	LK_TRY(lk_telemetry_print(&t, &i->fields, e));
	i->verdict = LK_VERDICT_WELL_FORMED;
	return LK_OK;
}

/* --- the table -------------------------------------------------------------------------------- */

/* In this order: a later row takes what no earlier one knew. */
static const struct {
	const char *kind;
	bool (*is)(struct lk_slice in);
	struct lk_result (*inspect)(struct lk_slice in, const struct lk_inspect_want *w,
		struct lk_inspection *i, struct lk_err *e);
} inspectors[] = {
	{ "certs-only", is_certs_only, inspect_certs_only },
	{ "voucher-request", is_voucher_request, inspect_request },
	{ "onboarding-information", is_onboarding, inspect_onboarding },
	{ "checkpoint", is_checkpoint, inspect_checkpoint },
	{ "voucher", is_cms, inspect_voucher },
	{ "certificate", is_certificate, inspect_certificate },
	{ "csr", is_csr, inspect_csr },
	{ "crl", is_crl, inspect_crl },
	{ "manifest", is_manifest, inspect_manifest },
	{ "audit-log", is_audit_log, inspect_audit_log },
	{ "telemetry", is_telemetry, inspect_telemetry },
};

/* PEM, a body of EST, a listing of an RFC: base64 around the thing itself. Yields what is between
 * PEM's lines, or all of it. */
static struct lk_slice
inside_pem(struct lk_slice in)
{
	static const char begin[] = "-----BEGIN ", end[] = "\n-----END ";
	const uint8_t *from, *to;

	if (in.n < sizeof begin || memcmp(in.p, begin, sizeof begin - 1) != 0)
		return in;
	from = memchr(in.p, '\n', in.n);
	to = memmem(in.p, in.n, end, sizeof end - 1);
	return from && to && from < to ? lk_slice(from, (size_t)(to - from)) : in;
}

void
lk_inspect(struct lk_slice in, const struct lk_inspect_want *want, struct lk_inspection *ret)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf inner = LK_BUF_INIT(in.n);
	size_t k;

	*ret = (struct lk_inspection){ .fields = LK_BUF_INIT(LK_INSPECT_FIELDS_MAX) };
	for (k = 0; k < LK_ARRAY_LEN(inspectors); k++) {
		if (!inspectors[k].is(in))
			continue;
		ret->kind = inspectors[k].kind;
		if (!inspectors[k].inspect(in, want, ret, &ret->refusal).ok)
			ret->verdict = LK_VERDICT_REFUSED;
		return;
	}
	if (in.n > 0 && lk_base64_decode(inside_pem(in), LK_BASE64_WHITESPACE, &inner, NULL).ok) {
		lk_inspect(lk_buf_slice(&inner), want, ret);
		return;
	}
	ret->kind = "unknown";
	lk_err_set(&ret->refusal, LK_R_INSPECT_KIND,
		"the bytes are nothing that Latchkey reads, nor base64 of it");
}

void
lk_inspection_done(struct lk_inspection *i)
{
	lk_buf_done(&i->fields);
}
