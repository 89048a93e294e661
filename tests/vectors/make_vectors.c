/* SPDX-License-Identifier: Apache-2.0
 *
 * make_vectors FOLDER: writes the vectors that are committed here. Run by hand when a
 * rule is new; `check --update` then writes the golden verdicts anew. All keys are made
 * for the run and lost with it, so each run replaces every file. The good ones are
 * changed in one thing each; a bad one is named by the reason that it is refused for,
 * "--" and what was done to it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/slice.h"
#include "pki.h"

#define VECTOR_MAX (128 * 1024)

static struct pki_cast cast;
static const char *folder;

static void
must(struct lk_result r, const struct lk_err *e)
{
	if (r.ok)
		return;
	fprintf(stderr, "make_vectors: %s\n", e->msg);
	exit(1);
}

static void
save(const char *name, struct lk_slice bytes)
{
	LK_CLEANUP(lk_freep) char *path = pki_text("%s/%s", folder, name);
	struct lk_err e;

	must(lk_file_replace(path, bytes, 0644, &e), &e);
}

static void
save_pem(const char *name, const struct lk_certs *certs, size_t n)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(VECTOR_MAX);
	struct lk_err e;
	size_t i;

	for (i = 0; i < n; i++)
		must(lk_cert_print_pem(certs->v[i], &pem, &e), &e);
	save(name, lk_buf_slice(&pem));
}

static void
save_cms(const char *name, const struct pki_cms *spec)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(VECTOR_MAX);

	pki_cms_sign(spec, &der);
	save(name, lk_buf_slice(&der));
}

static void
save_voucher(const char *name, const char *leaf, const char *value)
{
	LK_CLEANUP(lk_freep) char *text = pki_voucher_text(&cast, leaf, value);

	save_cms(name, &(struct pki_cms){ .text = text, .signer = &cast.masa });
}

/* --- vouchers --------------------------------------------------------------------------------- */

static const struct {
	const char *file, *leaf, *value;
} voucher_leaves[] = {
	{ "voucher/good/nonced.cms", NULL, NULL },
	{ "voucher/good/nonceless.cms", "nonce", NULL },
	{ "voucher/good/unknown-leaf.cms", "manufacturer-private", "{\"a\":[1]}" },
	{ "voucher/good/fraction-and-offset.cms", "created-on",
		"\"2026-01-01T07:59:00.123-04:00\"" },
	{ "voucher/bad/voucher-leaf--no-created-on.cms", "created-on", NULL },
	{ "voucher/bad/voucher-leaf--no-assertion.cms", "assertion", NULL },
	{ "voucher/bad/voucher-leaf--no-serial-number.cms", "serial-number", NULL },
	{ "voucher/bad/voucher-leaf--no-pinned-domain-cert.cms", "pinned-domain-cert", NULL },
	{ "voucher/bad/voucher-leaf--unknown-assertion.cms", "assertion", "\"hearsay\"" },
	{ "voucher/bad/voucher-leaf--base64-padding.cms", "pinned-domain-cert", "\"AAA\"" },
	{ "voucher/bad/voucher-leaf--base64-url.cms", "idevid-issuer", "\"-_-_\"" },
	{ "voucher/bad/voucher-leaf--short-nonce.cms", "nonce", "\"1234567\"" },
	{ "voucher/bad/voucher-leaf--nonce-is-a-number.cms", "nonce", "12345678" },
	{ "voucher/bad/voucher-leaf--created-on-is-no-date.cms", "created-on",
		"\"2026-02-30T00:00:00Z\"" },
	{ "voucher/bad/voucher-leaf--renewal-without-expiry.cms", "last-renewal-date",
		"\"2026-06-01T00:00:00Z\"" },
	{ "voucher/bad/voucher-nonce-expires.cms", "expires-on", "\"2026-01-01T12:20:00Z\"" },
	{ "voucher/bad/voucher-created--future.cms", "created-on", "\"2026-01-01T13:00:00Z\"" },
	{ "voucher/bad/voucher-serial--of-another.cms", "serial-number", "\"LK-0002\"" },
	{ "voucher/bad/voucher-nonce--stale.cms", "nonce", "\"ANonceOfAnEarlierTry\"" },
	{ "voucher/bad/cert-syntax--pinned-domain-cert.cms", "pinned-domain-cert", "\"MAMCAQE=\"" },
	{ "voucher/bad/json-syntax--embedded-nul.cms", "serial-number", "\"LK-0001\\u0000\"" },
	{ "voucher/bad/json-depth--bomb.cms", "x", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]" },
	{ "voucher/bad/json-duplicate--nonce.cms", "x", "1,\"nonce\":\"" PKI_NONCE "\"" },
};

static void
expiring(const char *name, const char *expires_on, const struct pki_id *pin)
{
	LK_CLEANUP(lk_freep) char *pinned = pki_quoted_base64(lk_cert_der(pki_cert(pin)));
	const struct pki_member members[] = {
		{ "created-on", "\"2026-01-01T11:00:00Z\"" },
		{ "expires-on", expires_on },
		{ "assertion", "\"verified\"" },
		{ "serial-number", "\"" PKI_SERIAL "\"" },
		{ "pinned-domain-cert", pinned },
	};
	LK_CLEANUP(lk_freep)
	char *text = pki_json("ietf-voucher:voucher", members, LK_ARRAY_LEN(members), NULL, NULL);

	save_cms(name, &(struct pki_cms){ .text = text, .signer = &cast.masa });
}

static void
pinning(const char *name, const struct pki_id *pin)
{
	LK_CLEANUP(lk_freep) char *pinned = pki_quoted_base64(lk_cert_der(pki_cert(pin)));

	save_voucher(name, "pinned-domain-cert", pinned);
}

static void
make_voucher_times_and_pins(void)
{
	const struct pki_spec ending = { .cn = "Domain CA",
		.ca = true,
		.key = cast.domain.key,
		.not_after = PKI_NOW + PKI_DAY };
	LK_CLEANUP(pki_id_done) struct pki_id domain = { .key = NULL };

	pki_issue(NULL, &ending, &domain);
	expiring("voucher/good/expires-on.cms", "\"2026-01-01T12:20:00Z\"", &domain);
	expiring("voucher/bad/voucher-expired.cms", "\"2026-01-01T11:20:00Z\"", &domain);
	expiring("voucher/bad/voucher-pin-expires.cms", "\"2026-01-03T00:00:00Z\"", &domain);
	pinning("voucher/good/pins-registrar.cms", &cast.registrar);
	pinning("voucher/bad/voucher-domain--unrelated-ca.cms", &cast.stranger_ca);
}

static void
make_voucher_issuers(void)
{
	LK_CLEANUP(lk_freep)
	char *own = pki_quoted_base64(lk_cert_aki_ext(pki_cert(&cast.device)));
	LK_CLEANUP(lk_freep)
	char *key_id = pki_quoted_base64(lk_cert_aki(pki_cert(&cast.device)));
	LK_CLEANUP(lk_freep)
	char *other = pki_quoted_base64(lk_cert_aki_ext(pki_cert(&cast.stranger)));

	save_voucher("voucher/good/issuer-extension.cms", "idevid-issuer", own);
	save_voucher("voucher/good/issuer-key-id.cms", "idevid-issuer", key_id);
	save_voucher("voucher/bad/voucher-issuer--of-another.cms", "idevid-issuer", other);
}

static void
make_voucher_envelopes(void)
{
	LK_CLEANUP(lk_freep) char *text = pki_voucher_text(&cast, NULL, NULL);
	LK_CLEANUP(lk_freep) char *spaces = pki_text("%*s", 20 * 1024, "");
	const struct {
		const char *file;
		struct pki_cms spec;
	} rows[] = {
		{ "voucher/good/id-data.cms",
			{ .text = text, .signer = &cast.masa, .oid = PKI_OID_DATA } },
		{ "voucher/bad/cms-signers--none.cms", { .text = text } },
		{ "voucher/bad/cms-signers--two.cms",
			{ .text = text, .signer = &cast.masa, .second = &cast.stranger } },
		{ "voucher/bad/cms-signature--no-signed-attributes.cms",
			{ .text = text,
				.signer = &cast.masa,
				.oid = PKI_OID_DATA,
				.without_attributes = true } },
		{ "voucher/bad/crypto-policy--sha1.cms",
			{ .text = text, .signer = &cast.masa, .sha1 = true } },
		{ "voucher/bad/cms-syntax--detached.cms",
			{ .text = text, .signer = &cast.masa, .detached = true } },
		{ "voucher/bad/cms-content-type--unknown.cms",
			{ .text = text,
				.signer = &cast.masa,
				.oid = "1.2.840.113549.1.9.16.1.4" } },
		{ "voucher/bad/voucher-signer--stranger.cms",
			{ .text = text, .signer = &cast.stranger } },
		{ "voucher/bad/voucher-signer--device.cms",
			{ .text = text, .signer = &cast.device } },
		{ "voucher/bad/voucher-signer--not-enclosed.cms",
			{ .text = text, .signer = &cast.masa, .without_certs = true } },
		{ "voucher/bad/json-syntax--nothing.cms", { .text = "", .signer = &cast.masa } },
		{ "voucher/bad/json-member--root.cms",
			{ .text = "{\"voucher\":{}}", .signer = &cast.masa } },
		{ "voucher/bad/too-large.cms", { .text = spaces, .signer = &cast.masa } },
	};
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(rows); i++)
		save_cms(rows[i].file, &rows[i].spec);
}

/* What is done to the bytes of a good one. */
static void
make_voucher_bytes(void)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(VECTOR_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf enveloped = LK_BUF_INIT(VECTOR_MAX);
	LK_CLEANUP(lk_freep) char *text = pki_voucher_text(&cast, NULL, NULL);
	uint8_t *assertion;
	struct lk_err e;

	pki_cms_envelop(text, &cast.device, &enveloped);
	save("voucher/bad/cms-type--enveloped.cms", lk_buf_slice(&enveloped));
	pki_cms_sign(&(struct pki_cms){ .text = text, .signer = &cast.masa }, &der);
	save("voucher/bad/cms-syntax--truncated.cms", lk_slice(der.p, der.n - 1));
	assertion = memmem(der.p, der.n, "LK-0001", 7);
	assertion[6] ^= 1;
	save("voucher/bad/cms-signature--flipped-bit.cms", lk_buf_slice(&der));
	assertion[6] ^= 1;
	must(lk_buf_append(&der, LK_SLICE_LIT("\0"), &e), &e);
	save("voucher/bad/cms-syntax--trailing-byte.cms", lk_buf_slice(&der));
}

/* --- voucher-requests ------------------------------------------------------------------------- */

static void
save_pledge(const char *name, const struct pki_id *signer, const char *leaf, const char *value)
{
	LK_CLEANUP(lk_freep) char *text = pki_pledge_text(&cast, leaf, value);

	save_cms(name, &(struct pki_cms){ .text = text, .signer = signer });
}

static void
make_pledge_requests(void)
{
	LK_CLEANUP(lk_freep)
	char *foreign = pki_quoted_base64(lk_cert_der(pki_cert(&cast.stranger)));

	save_pledge("voucher-request/good/pledge.cms", &cast.device, NULL, NULL);
	save_pledge(
		"voucher-request/bad/request-signer--of-another.cms", &cast.stranger, NULL, NULL);
	save_pledge("voucher-request/bad/request-assertion--absent.cms", &cast.device, "assertion",
		NULL);
	save_pledge("voucher-request/bad/request-proximity--foreign.cms", &cast.device,
		"proximity-registrar-cert", foreign);
	save_pledge("voucher-request/bad/request-serial--of-another.cms", &cast.device,
		"serial-number", "\"LK-0002\"");
	save_pledge("voucher-request/bad/request-nonce--absent.cms", &cast.device, "nonce", NULL);
	save_pledge("voucher-request/bad/request-leaf--no-serial-number.cms", &cast.device,
		"serial-number", NULL);
	save_pledge("voucher-request/bad/request-leaf--base64.cms", &cast.device,
		"proximity-registrar-cert", "\"A\"");
}

/* By `signer`, with one leaf of the device's own request and one of the registrar's changed. */
static void
save_registrar(const char *name, const struct pki_id *signer, const char *prior_leaf,
	const char *prior_value, const char *leaf, const char *value)
{
	LK_CLEANUP(lk_freep) char *inner = pki_pledge_text(&cast, prior_leaf, prior_value);
	LK_CLEANUP(lk_buf_done) struct lk_buf prior = LK_BUF_INIT(VECTOR_MAX);
	LK_CLEANUP(lk_freep) char *text = NULL;

	pki_cms_sign(&(struct pki_cms){ .text = inner, .signer = &cast.device }, &prior);
	text = pki_registrar_text(&cast, lk_buf_slice(&prior), leaf, value);
	save_cms(name, &(struct pki_cms){ .text = text, .signer = signer });
}

static void
make_registrar_requests(void)
{
	const struct pki_spec ldevid = { .cn = "LDevID", .eku = "clientAuth" };
	LK_CLEANUP(pki_id_done) struct pki_id other = { .key = NULL };
	LK_CLEANUP(lk_freep)
	char *aki = pki_quoted_base64(lk_cert_aki_ext(pki_cert(&cast.stranger)));

	pki_issue(&cast.domain, &ldevid, &other);
	save_registrar(
		"voucher-request/good/registrar.cms", &cast.registrar, NULL, NULL, NULL, NULL);
	save_registrar(
		"voucher-request/bad/request-not-ra--ldevid.cms", &other, NULL, NULL, NULL, NULL);
	save_registrar("voucher-request/bad/prior-proximity--other-registrar.cms", &cast.stranger,
		NULL, NULL, NULL, NULL);
	save_registrar("voucher-request/bad/prior-proximity--absent.cms", &cast.registrar,
		"proximity-registrar-cert", NULL, NULL, NULL);
	save_registrar("voucher-request/bad/prior-serial--of-another.cms", &cast.registrar, NULL,
		NULL, "serial-number", "\"LK-0002\"");
	save_registrar("voucher-request/bad/prior-issuer--of-another.cms", &cast.registrar, NULL,
		NULL, "idevid-issuer", aki);
	save_registrar("voucher-request/bad/prior-nonce--differs.cms", &cast.registrar, NULL, NULL,
		"nonce", "\"ANonceOfAnEarlierTry\"");
	save_registrar("voucher-request/bad/request-nonceless--nonce-left-out.cms", &cast.registrar,
		NULL, NULL, "nonce", NULL);
}

int
main(int argc, char **argv)
{
	size_t i;

	if (argc != 2) {
		fprintf(stderr, "usage: make_vectors FOLDER\n");
		return 2;
	}
	folder = argv[1];
	pki_cast_init(&cast);
	save_pem("voucher/vendor.pem", &cast.vendor.chain, 1);
	save_pem("voucher/idevid.pem", &cast.device.chain, 1);
	save_pem("voucher/registrar.pem", &cast.registrar.chain, 1);
	save_pem("voucher-request/vendor.pem", &cast.vendor.chain, 1);
	save_pem("voucher-request/idevid.pem", &cast.device.chain, 1);
	save_pem("voucher-request/registrar.pem", &cast.registrar.chain, 1);
	for (i = 0; i < LK_ARRAY_LEN(voucher_leaves); i++)
		save_voucher(
			voucher_leaves[i].file, voucher_leaves[i].leaf, voucher_leaves[i].value);
	make_voucher_times_and_pins();
	make_voucher_issuers();
	make_voucher_envelopes();
	make_voucher_bytes();
	make_pledge_requests();
	make_registrar_requests();
	pki_cast_done(&cast);
	return 0;
}
