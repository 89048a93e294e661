/* SPDX-License-Identifier: Apache-2.0
 *
 * Test identities and envelopes by OpenSSL itself, so that what the tests feed to Latchkey does
 * not come from the code under test.
 */
#include "pki.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/file.h"
#include "crypto/ossl.h"

#define OID_ANIMA_JSON_VOUCHER "1.2.840.113549.1.9.16.1.40"

#define must(cond)                                      \
	do {                                            \
		if (!(cond))                            \
			give_up(__LINE__, #cond, NULL); \
	} while (0)
#define must_ok(call)                                           \
	do {                                                    \
		struct lk_err must_e = { .reason = LK_R_NONE }; \
		struct lk_err *e = &must_e;                     \
		if (!(call).ok)                                 \
			give_up(__LINE__, #call, must_e.msg);   \
	} while (0)

static _Noreturn void
give_up(int line, const char *what, const char *why)
{
	fprintf(stderr, "pki.c:%d: %s failed: %s\n", line, what, why ? why : "OpenSSL says:");
	ERR_print_errors_fp(stderr);
	abort();
}

static void
add_name(X509_NAME *name, const char *attribute, const char *value)
{
	if (value)
		must(X509_NAME_add_entry_by_txt(
			name, attribute, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0));
}

/* `name` and `value` in the words of openssl.cnf. */
static void
add_ext(X509 *x, X509V3_CTX *ctx, const char *name, const char *value)
{
	LK_CLEANUP(X509_EXTENSION_freep) X509_EXTENSION *ext = NULL;

	if (!value)
		return;
	ext = X509V3_EXT_nconf(NULL, ctx, name, value);
	must(ext && X509_add_ext(x, ext, -1));
}

static void
add_url(X509 *x, X509V3_CTX *ctx, const char *oid, const char *url)
{
	char value[LK_CERT_NAME_MAX + 32];

	if (!url)
		return;
	snprintf(value, sizeof value, "ASN1:IA5STRING:%s", url);
	add_ext(x, ctx, oid, value);
}

static void
add_exts(X509 *x, X509 *issuer, const struct pki_spec *s)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	add_ext(x, &ctx, "basicConstraints", s->ca ? "critical,CA:TRUE" : NULL);
	add_ext(x, &ctx, "keyUsage", s->ca ? "critical,keyCertSign,cRLSign" : s->key_usage);
	add_ext(x, &ctx, "extendedKeyUsage", s->eku);
	add_ext(x, &ctx, "subjectKeyIdentifier", s->no_ski ? NULL : "hash");
	add_ext(x, &ctx, "authorityKeyIdentifier", s->no_aki ? NULL : "keyid");
	add_ext(x, &ctx, "subjectAltName", s->san);
	add_url(x, &ctx, LK_OID_PE_MASA_URL, s->masa_url);
	add_url(x, &ctx, LK_OID_PE_MUD_URL, s->mud_url);
}

static const EVP_MD *
digest_of(const struct lk_key *key)
{
	return lk_key_type(key) == LK_KEY_ED25519 ? NULL : EVP_sha256();
}

void
pki_issue(const struct pki_id *issuer, const struct pki_spec *s, struct pki_id *ret)
{
	static long serial = 0x1000;
	LK_CLEANUP(X509_freep) X509 *x = X509_new();
	LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;
	struct pki_id id = { .key = NULL };
	const struct lk_key *signer;
	X509 *above;
	size_t i;

	must(x);
	if (s->key)
		id.key = lk_key_ref(s->key);
	else
		must_ok(lk_key_ephemeral(s->key_type, &id.key, e));
	signer = issuer ? issuer->key : id.key;
	above = issuer ? lk_cert_x509(pki_cert(issuer)) : x;
	must(X509_set_version(x, X509_VERSION_3));
	must(ASN1_INTEGER_set(X509_get_serialNumber(x), serial++));
	must(ASN1_TIME_set(
		X509_getm_notBefore(x), s->not_before ? s->not_before : PKI_NOW - PKI_DAY));
	must(ASN1_TIME_set(
		X509_getm_notAfter(x), s->not_after ? s->not_after : PKI_NOW + 3650 * PKI_DAY));
	add_name(X509_get_subject_name(x), "CN", s->cn);
	add_name(X509_get_subject_name(x), "serialNumber", s->serial_number);
	must(X509_set_issuer_name(x, X509_get_subject_name(above)));
	must(X509_set_pubkey(x, lk_key_evp(id.key)));
	add_exts(x, above, s);
	must(X509_sign(x, lk_key_evp(signer), s->sha1 ? EVP_sha1() : digest_of(signer)));
	must_ok(lk_cert_from_x509(x, &cert, e));
	must_ok(lk_certs_add(&id.chain, cert, e));
	for (i = 0; issuer && i < issuer->chain.n; i++)
		must_ok(lk_certs_add(&id.chain, issuer->chain.v[i], e));
	*ret = id;
}

void
pki_id_done(struct pki_id *id)
{
	lk_certs_done(&id->chain);
	id->key = lk_key_free(id->key);
}

struct lk_anchors *
pki_anchors(const struct pki_id *ca)
{
	struct lk_anchors *a;

	must_ok(lk_anchors_new(&ca->chain, &a, e));
	return a;
}

void
pki_cast_init(struct pki_cast *c)
{
	const struct pki_spec vendor = { .cn = "Vendor CA", .ca = true };
	const struct pki_spec masa = { .cn = "Vendor MASA", .key_usage = "digitalSignature" };
	const struct pki_spec device = { .cn = "Thing",
		.serial_number = PKI_SERIAL,
		.masa_url = PKI_MASA_URL,
		.not_after = LK_TIME_NEVER };
	const struct pki_spec domain = { .cn = "Domain CA", .ca = true };
	const struct pki_spec registrar = { .cn = "Registrar",
		.eku = PKI_EKU_RA,
		.san = "DNS:registrar.domain.example",
		.key_usage = "digitalSignature" };
	const struct pki_spec stranger_ca = { .cn = "Stranger CA", .ca = true };
	const struct pki_spec stranger = { .cn = "Stranger", .eku = PKI_EKU_RA };

	pki_issue(NULL, &vendor, &c->vendor);
	pki_issue(&c->vendor, &masa, &c->masa);
	pki_issue(&c->vendor, &device, &c->device);
	pki_issue(NULL, &domain, &c->domain);
	pki_issue(&c->domain, &registrar, &c->registrar);
	pki_issue(NULL, &stranger_ca, &c->stranger_ca);
	pki_issue(&c->stranger_ca, &stranger, &c->stranger);
	c->manufacturer = pki_anchors(&c->vendor);
}

void
pki_cast_done(struct pki_cast *c)
{
	lk_anchors_free(c->manufacturer);
	pki_id_done(&c->stranger);
	pki_id_done(&c->stranger_ca);
	pki_id_done(&c->registrar);
	pki_id_done(&c->domain);
	pki_id_done(&c->device);
	pki_id_done(&c->masa);
	pki_id_done(&c->vendor);
}

static void
share_id(const struct pki_id *id, struct pki_id *ret)
{
	*ret = (struct pki_id){ .key = lk_key_ref(id->key) };
	lk_certs_copy(&id->chain, &ret->chain);
}

void
pki_cast_share(const struct pki_cast *c, struct pki_cast *ret)
{
	share_id(&c->vendor, &ret->vendor);
	share_id(&c->masa, &ret->masa);
	share_id(&c->device, &ret->device);
	share_id(&c->domain, &ret->domain);
	share_id(&c->registrar, &ret->registrar);
	share_id(&c->stranger_ca, &ret->stranger_ca);
	share_id(&c->stranger, &ret->stranger);
	ret->manufacturer = pki_anchors(&ret->vendor);
}

static void
append_cms(CMS_ContentInfo *info, struct lk_buf *out)
{
	LK_CLEANUP(lk_openssl_freep) uint8_t *der = NULL;
	int n = i2d_CMS_ContentInfo(info, &der);

	must(n > 0);
	must_ok(lk_buf_append(out, lk_slice(der, (size_t)n), e));
}

static void
add_signer(CMS_ContentInfo *info, const struct pki_id *who, const struct pki_cms *s)
{
	unsigned flags = CMS_BINARY | CMS_NOSMIMECAP | CMS_PARTIAL;
	size_t i;

	if (!who)
		return;
	flags |= s->without_attributes ? CMS_NOATTR : 0;
	flags |= s->without_certs ? CMS_NOCERTS : 0;
	must(CMS_add1_signer(info, lk_cert_x509(pki_cert(who)), lk_key_evp(who->key),
		s->sha1 ? EVP_sha1() : digest_of(who->key), flags));
	for (i = 1; who == s->signer && !s->without_certs && i < who->chain.n; i++)
		must(CMS_add1_cert(info, lk_cert_x509(who->chain.v[i])));
}

void
pki_cms_sign(const struct pki_cms *s, struct lk_buf *out)
{
	const unsigned flags = CMS_BINARY | CMS_PARTIAL | (s->detached ? CMS_DETACHED : 0);
	LK_CLEANUP(BIO_free_allp) BIO *data = BIO_new_mem_buf(s->text, -1);
	LK_CLEANUP(ASN1_OBJECT_freep)
	ASN1_OBJECT *oid = OBJ_txt2obj(s->oid ? s->oid : OID_ANIMA_JSON_VOUCHER, 1);
	LK_CLEANUP(CMS_ContentInfo_freep) CMS_ContentInfo *info = NULL;

	must(data && oid);
	info = CMS_sign(NULL, NULL, NULL, data, flags);
	must(info && CMS_set1_eContentType(info, oid));
	add_signer(info, s->signer, s);
	add_signer(info, s->second, s);
	/* OpenSSL finishes nothing without a signer; its empty content is filled in by hand. */
	if (s->signer)
		must(CMS_final(info, data, NULL, flags));
	else
		must(ASN1_OCTET_STRING_set(*CMS_get0_content(info), (const unsigned char *)s->text,
			(int)strlen(s->text)));
	append_cms(info, out);
}

void
pki_cms_envelop(const char *text, const struct pki_id *recipient, struct lk_buf *out)
{
	LK_CLEANUP(lk_x509_listp) STACK_OF(X509) *to = sk_X509_new_null();
	LK_CLEANUP(BIO_free_allp) BIO *data = BIO_new_mem_buf(text, -1);
	LK_CLEANUP(CMS_ContentInfo_freep) CMS_ContentInfo *info = NULL;

	must(to && data && sk_X509_push(to, lk_cert_x509(pki_cert(recipient))));
	info = CMS_encrypt(to, data, EVP_aes_128_cbc(), CMS_BINARY);
	must(info);
	append_cms(info, out);
}

char *
pki_base64(struct lk_slice in)
{
	struct lk_buf b = LK_BUF_INIT(4 * in.n + 4);

	must_ok(lk_base64_encode(in, &b, e));
	return (char *)b.p;
}

char *
pki_text(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	must(vasprintf(&s, fmt, ap) >= 0);
	va_end(ap);
	return s;
}

char *
pki_quoted_base64(struct lk_slice in)
{
	LK_CLEANUP(lk_freep) char *text = pki_base64(in);

	return pki_text("\"%s\"", text);
}

static void
add_member(struct lk_buf *out, const char *name, const char *value)
{
	if (value)
		must_ok(lk_buf_printf(
			out, e, "%s\"%s\":%s", out->p[out->n - 1] == '{' ? "" : ",", name, value));
}

char *
pki_json(const char *root, const struct pki_member *members, size_t n, const char *name,
	const char *value)
{
	struct lk_buf out = LK_BUF_INIT(LK_CMS_MAX);
	bool found = !name;
	size_t i;

	must_ok(lk_buf_printf(&out, e, "{\"%s\":{", root));
	for (i = 0; i < n; i++) {
		bool changed = name && strcmp(members[i].name, name) == 0;

		add_member(&out, members[i].name, changed ? value : members[i].value);
		found = found || changed;
	}
	if (!found)
		add_member(&out, name, value);
	must_ok(lk_buf_append_str(&out, "}}", e));
	return (char *)out.p;
}

char *
pki_voucher_text(const struct pki_cast *c, const char *name, const char *value)
{
	LK_CLEANUP(lk_freep) char *pin = pki_quoted_base64(lk_cert_der(pki_cert(&c->domain)));
	const struct pki_member members[] = {
		{ "created-on", "\"2026-01-01T11:59:00Z\"" },
		{ "assertion", "\"logged\"" },
		{ "serial-number", "\"" PKI_SERIAL "\"" },
		{ "nonce", "\"" PKI_NONCE "\"" },
		{ "pinned-domain-cert", pin },
	};

	return pki_json("ietf-voucher:voucher", members, LK_ARRAY_LEN(members), name, value);
}

char *
pki_pledge_text(const struct pki_cast *c, const char *name, const char *value)
{
	LK_CLEANUP(lk_freep) char *met = pki_quoted_base64(lk_cert_der(pki_cert(&c->registrar)));
	const struct pki_member members[] = {
		{ "assertion", "\"proximity\"" },
		{ "nonce", "\"" PKI_NONCE "\"" },
		{ "created-on", "\"2026-01-01T11:59:00Z\"" },
		{ "serial-number", "\"" PKI_SERIAL "\"" },
		{ "proximity-registrar-cert", met },
	};

	return pki_json(
		"ietf-voucher-request:voucher", members, LK_ARRAY_LEN(members), name, value);
}

char *
pki_registrar_text(
	const struct pki_cast *c, struct lk_slice prior, const char *name, const char *value)
{
	LK_CLEANUP(lk_freep) char *aki = pki_quoted_base64(lk_cert_aki_ext(pki_cert(&c->device)));
	LK_CLEANUP(lk_freep) char *inner = prior.n ? pki_quoted_base64(prior) : NULL;
	const struct pki_member members[] = {
		{ "assertion", "\"proximity\"" },
		{ "nonce", "\"" PKI_NONCE "\"" },
		{ "created-on", "\"2026-01-01T11:59:30Z\"" },
		{ "serial-number", "\"" PKI_SERIAL "\"" },
		{ "idevid-issuer", aki },
		{ "prior-signed-voucher-request", inner },
	};

	return pki_json(
		"ietf-voucher-request:voucher", members, LK_ARRAY_LEN(members), name, value);
}

bool
pki_shared(const char *path, struct lk_buf *out)
{
	const char *shared = getenv("LK_SHARED");
	LK_CLEANUP(lk_freep) char *name = NULL;
	struct lk_err e;

	name = pki_text("%s/vectors/%s", shared ? shared : LK_SOURCE_DIR "/../shared", path);
	if (lk_file_read(name, out, &e).ok)
		return true;
	must(e.reason == LK_R_FILE_MISSING);
	return false;
}
