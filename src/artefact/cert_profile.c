/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of certificate profiles, how a certificate is held against it, and its
 * printed form.
 */
#include "artefact/cert_profile.h"

#include <assert.h>

#include "artefact/cert_profile_row.h"
#include "crypto/ossl.h"
#include "crypto/signature.h"

#define DAY INT64_C(86400)

/* The columns' words, short so that a row can be read. */
enum {
	NOT_CA = LK_ROW_NOT_CA,
	NEVER = LK_ROW_NEVER,
	SIGN = LK_USAGE_SIGN,
	ENCIPHER = LK_USAGE_KEY_ENCIPHERMENT,
	AGREE = LK_USAGE_KEY_AGREEMENT,
	CA_SIGN = LK_USAGE_CERT_SIGN | LK_USAGE_CRL_SIGN,
	O = 1 << 0,
	OU = 1 << 1,
	CN = 1 << 2,
	SN = 1 << 3,
	OTHER = 1 << LK_ROW_ATTRIBUTES,
	DNS = LK_ROW_DNS,
	IP = LK_ROW_IP,
	URI = LK_ROW_URI,
	HARDWARE = LK_ROW_HARDWARE,
	OTHER_NAME = LK_ROW_OTHER_NAME,
	MASA = LK_ROW_MASA,
	MUD = LK_ROW_MUD,
	MUD_SIGNER = LK_ROW_MUD_SIGNER,
	CRL = LK_ROW_CRL,
	EC = 1 << LK_KEY_P256 | 1 << LK_KEY_P384,
	ED = 1 << LK_KEY_ED25519,
	ANY_KEY = EC | ED | 1 << LK_KEY_RSA3072
};

#define ATTRIBUTE(name, id, field, tag, max)                                                 \
	{                                                                                    \
		name, LK_ID_AT_##id, offsetof(struct lk_cert_spec, field), LK_DER_##tag, max \
	}

/*= RFC5280 A.1: names have at most 64 characters =*/
const struct lk_row_attribute lk_row_attributes[LK_ROW_ATTRIBUTES] = {
	ATTRIBUTE("O", ORGANIZATION, organization, UTF8, 64),
	ATTRIBUTE("OU", ORGANIZATIONAL_UNIT, organizational_unit, UTF8, 64),
	ATTRIBUTE("CN", COMMON_NAME, common_name, UTF8, 64),
	/* Longer than the RFC's 64: real devices have such, and a serial cannot be cut. */
	ATTRIBUTE("serialNumber", SERIAL_NUMBER, serial_number, PRINTABLE, 128),
};

static const enum lk_oid extras[] = { LK_ID_PE_MASA_URL, LK_ID_PE_MUD_URL, LK_ID_PE_MUD_SIGNER,
	LK_ID_CE_CRL_POINTS };

/* clang-format off */
#define SERVER   LK_ID_KP_SERVER_AUTH
#define CLIENT   LK_ID_KP_CLIENT_AUTH
#define CMC_RA   LK_ID_KP_CMC_RA
#define AAA      LK_ID_KP_AAA_CLIENT
#define MANIFEST LK_ID_KP_MANIFEST
#define NO_EXTRA { 0, 0 }
#define MAY_CRL  { 0, CRL }
#define CA_ROW(name, what, path_len, extra, days, most)                                            \
	{ name, what, path_len, { CA_SIGN, 0 }, { 0 }, { CN, O | OU }, { 0, 0 }, extra, ANY_KEY, days, most, false }

/* name, what; pathLenConstraint; keyUsage { must, may }; purposes; subject, subjectAltName and
 * extensions { must, may }; keys; usual and longest life in days; foreign */
const struct lk_profile_row lk_profile_rows[LK_PROFILE_COUNT] = {
	[LK_PROFILE_MANUFACTURER_ROOT] =
		CA_ROW("manufacturer-root", "a manufacturer's root CA", 1, NO_EXTRA, NEVER, NEVER),
	[LK_PROFILE_IDEVID] = { "idevid", "a device's identity from its manufacturer",
		NOT_CA, { 0, SIGN }, { 0 }, { O | CN | SN, OU }, { 0, HARDWARE },
		{ MASA, MUD | MUD_SIGNER }, EC | ED, NEVER, NEVER, false },
	[LK_PROFILE_FOREIGN_IDEVID] = { "foreign-idevid", "an IDevID as other manufacturers make it",
		NOT_CA, { 0, SIGN | ENCIPHER | AGREE }, { 0 }, { SN, O | OU | CN | OTHER },
		{ 0, DNS | IP | URI | HARDWARE | OTHER_NAME }, { 0, MASA | MUD | MUD_SIGNER | CRL },
		0, 0, 0, true },
	[LK_PROFILE_MASA_SERVER] = { "masa-server", "the MASA at its HTTPS door",
		NOT_CA, { SIGN, 0 }, { SERVER }, { CN, O }, { DNS, IP }, MAY_CRL, ANY_KEY, 365, 398, false },
	[LK_PROFILE_VOUCHER_SIGNER] = { "voucher-signer", "the MASA as the signer of vouchers",
		NOT_CA, { SIGN, 0 }, { 0 }, { CN, O }, { 0, 0 }, MAY_CRL, ANY_KEY, 1826, 3653, false },
	[LK_PROFILE_MANIFEST_SIGNER] = { "manifest-signer", "the factory as the signer of manifests",
		NOT_CA, { SIGN, 0 }, { MANIFEST }, { CN, O }, { 0, 0 }, MAY_CRL, ANY_KEY, 1826, 3653, false },
	[LK_PROFILE_FACTORY_CLIENT] = { "factory-client", "the factory as a client of its MASA",
		NOT_CA, { SIGN, 0 }, { CLIENT }, { CN, O }, { 0, 0 }, MAY_CRL, ANY_KEY, 365, 398, false },
	[LK_PROFILE_NETWORK_ROOT] =
		CA_ROW("network-root", "a network's root CA, the anchor that devices pin", 1, NO_EXTRA, 7305, 9132),
	[LK_PROFILE_DEVICE_CA] =
		CA_ROW("device-ca", "issues LDevIDs; the RADIUS server's only anchor", 0, MAY_CRL, 3653, 7305),
	[LK_PROFILE_SERVICE_CA] =
		CA_ROW("service-ca", "issues for plain EST; opens no port by itself", 0, MAY_CRL, 3653, 7305),
	[LK_PROFILE_SERVER_CA] =
		CA_ROW("server-ca", "issues for the network's own servers", 0, MAY_CRL, 3653, 7305),
	[LK_PROFILE_OPERATOR_CA] =
		CA_ROW("operator-ca", "issues for operators", 0, MAY_CRL, 3653, 7305),
	/*= RFC8995 5.5.4: a registrar's certificate has id-kp-cmcRA =*/
	/*= RFC7030 3.6.1: an EST server's certificate has id-kp-cmcRA =*/
	[LK_PROFILE_REGISTRAR] = { "registrar", "registrar and EST server, in TLS and as a signer",
		NOT_CA, { SIGN, 0 }, { SERVER, CMC_RA }, { CN, O }, { DNS, IP }, MAY_CRL, ANY_KEY, 90, 398, false },
	[LK_PROFILE_SERVER] = { "server", "another server of the network: API, aaa",
		NOT_CA, { SIGN, 0 }, { SERVER }, { CN, O }, { DNS, IP }, MAY_CRL, ANY_KEY, 90, 398, false },
	[LK_PROFILE_RADIUS_SERVER] = { "radius-server", "the RADIUS server towards devices",
		NOT_CA, { SIGN, 0 }, { SERVER }, { CN, O }, { DNS, 0 }, MAY_CRL, ANY_KEY, 365, 398, false },
	[LK_PROFILE_AAA_CLIENT] = { "aaa-client", "the RADIUS server as a client of aaa, and of nothing else",
		NOT_CA, { SIGN, 0 }, { CLIENT, AAA }, { CN, O }, { 0, 0 }, MAY_CRL, ANY_KEY, 365, 398, false },
	[LK_PROFILE_LDEVID] = { "ldevid", "a device's identity in its network",
		NOT_CA, { SIGN, 0 }, { CLIENT }, { CN | SN, O }, { URI, 0 }, MAY_CRL, ANY_KEY, 30, 398, false },
	[LK_PROFILE_SERVICE] = { "service", "what plain EST issues",
		NOT_CA, { SIGN, 0 }, { CLIENT }, { CN, SN | O }, { 0, DNS | URI }, MAY_CRL, ANY_KEY, 90, 398, false },
	[LK_PROFILE_OPERATOR] = { "operator", "a person at the API",
		NOT_CA, { SIGN, 0 }, { CLIENT }, { CN, O | OU }, { 0, URI }, MAY_CRL, ANY_KEY, 30, 398, false },
};
/* clang-format on */

const char *
lk_cert_profile_name(enum lk_cert_profile profile)
{
	assert(profile < LK_PROFILE_COUNT);
	return lk_profile_rows[profile].name;
}

enum lk_cert_profile
lk_cert_profile_by_name(const char *name)
{
	enum lk_cert_profile p;

	for (p = 0; p < LK_PROFILE_COUNT; p++)
		if (strcmp(lk_profile_rows[p].name, name) == 0)
			break;
	return p;
}

int64_t
lk_cert_profile_end(enum lk_cert_profile profile, int64_t now)
{
	assert(profile < LK_PROFILE_COUNT);
	return lk_profile_rows[profile].days == NEVER ? LK_TIME_NEVER
						      : now + lk_profile_rows[profile].days * DAY;
}

/* --- check ------------------------------------------------------------------------------------ */

/* The names of a column's bits. */
typedef const char *column_name(size_t bit);

static const char *
usage_name(size_t i)
{
	static const char *const names[] = { "digitalSignature", "nonRepudiation",
		"keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign",
		"encipherOnly", "decipherOnly" };

	return names[i];
}

static const char *
subject_name(size_t i)
{
	return i < LK_ROW_ATTRIBUTES ? lk_row_attributes[i].name : "another attribute";
}

static const char *
san_name(size_t i)
{
	static const char *const names[] = { "DNS", "IP", "URI", "hardwareModuleName",
		"another kind" };

	return names[i];
}

static const char *
extra_name(size_t i)
{
	return lk_oid_name(extras[i]);
}

/* Names the first bit that is missing or too many. */
static struct lk_result
check_column(const struct lk_profile_row *p, const char *what, struct lk_row_bits want, unsigned is,
	column_name *name, enum lk_reason reason, struct lk_err *e)
{
	unsigned missing = want.must & ~is, many = is & ~(want.must | want.may);

	LK_REQUIRE(!missing, e, reason, "%s: %s has no %s", p->name, what,
		name((size_t)__builtin_ctz(missing)));
	LK_REQUIRE(!many, e, reason, "%s: %s has %s", p->name, what,
		name((size_t)__builtin_ctz(many)));
	return LK_OK;
}

static struct lk_result
check_life(const struct lk_profile_row *p, const struct lk_row_facts *f, struct lk_err *e)
{
	LK_REQUIRE(f->not_before < f->not_after, e, LK_R_CERT_VALIDITY, "%s: ends before it begins",
		p->name);
	if (p->foreign)
		return LK_OK;
	/*= RFC8995 2.3: an IDevID has no end: 99991231235959Z =*/
	if (p->most == NEVER)
		LK_REQUIRE(f->not_after == LK_TIME_NEVER, e, LK_R_CERT_VALIDITY,
			"%s: notAfter is not 99991231235959Z", p->name);
	else
		LK_REQUIRE(f->not_after - f->not_before <= p->most * DAY, e, LK_R_CERT_VALIDITY,
			"%s: lives for %lld days, at most %d are taken", p->name,
			(long long)((f->not_after - f->not_before) / DAY), p->most);
	return LK_OK;
}

static struct lk_result
check_key(const struct lk_profile_row *p, const struct lk_row_facts *f, struct lk_err *e)
{
	enum lk_key_type key;

	if (p->foreign)
		return LK_OK;
	LK_TRY(lk_spki_type(f->spki, &key, e));
	LK_REQUIRE(p->keys & 1u << key, e, LK_R_CRYPTO_POLICY, "%s: has a %s key", p->name,
		lk_key_type_name(key));
	return LK_OK;
}

struct lk_result
lk_row_check(const struct lk_profile_row *p, const struct lk_row_facts *f, struct lk_err *e)
{
	LK_TRY(check_life(p, f, e));
	/*= RFC5280 4.1.2.6: the subject has the attributes of its role and no others =*/
	LK_TRY(check_column(
		p, "the subject", p->subject, f->subject, subject_name, LK_R_CERT_SUBJECT, e));
	/*= RFC5280 4.2.1.6: subjectAltName has the names of its role and no others =*/
	LK_TRY(check_column(p, "subjectAltName", p->san, f->san, san_name, LK_R_CERT_SAN, e));
	LK_TRY(check_key(p, f, e));
	/*= RFC8995 2.3.2: an IDevID carries the MASA's URL =*/
	return check_column(
		p, "the certificate", p->extra, f->extra, extra_name, LK_R_CERT_EXTENSION, e);
}

static struct lk_slice
object(const ASN1_OBJECT *o)
{
	return lk_slice(OBJ_get0_data(o), OBJ_length(o));
}

static unsigned
subject_of(const X509 *x)
{
	const X509_NAME *name = X509_get_subject_name(x);
	unsigned found = 0;
	size_t a;
	int i;

	for (i = 0; i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);

		for (a = 0; a < LK_ROW_ATTRIBUTES; a++)
			if (lk_slice_eq(object(X509_NAME_ENTRY_get_object(entry)),
				    lk_oid_der(lk_row_attributes[a].id)))
				break;
		found |= 1u << a;
	}
	return found;
}

static unsigned
san_of(const GENERAL_NAME *n)
{
	switch (n->type) {
	case GEN_DNS:
		return DNS;
	case GEN_IPADD:
		return IP;
	case GEN_URI:
		return URI;
	case GEN_OTHERNAME:
		return lk_slice_eq(object(n->d.otherName->type_id),
			       lk_oid_der(LK_ID_ON_HARDWARE_MODULE))
			       ? HARDWARE
			       : OTHER_NAME;
	default:
		return OTHER_NAME;
	}
}

static unsigned
sans_of(const X509 *x)
{
	LK_CLEANUP(GENERAL_NAMES_freep)
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	unsigned found = 0;
	int i;

	for (i = 0; names && i < sk_GENERAL_NAME_num(names); i++)
		found |= san_of(sk_GENERAL_NAME_value(names, i));
	return found;
}

/* Also refuses what no row knows: when critical always, else unless it is somebody else's. */
static struct lk_result
extras_of(const struct lk_profile_row *p, const X509 *x, unsigned *ret, struct lk_err *e)
{
	static const enum lk_oid common[] = { LK_ID_CE_BASIC_CONSTRAINTS, LK_ID_CE_KEY_USAGE,
		LK_ID_CE_EXT_KEY_USAGE, LK_ID_CE_SUBJECT_KEY_ID, LK_ID_CE_AUTHORITY_KEY_ID,
		LK_ID_CE_SUBJECT_ALT_NAME };
	char name[LK_OID_TEXT_MAX];
	unsigned found = 0;
	int i;

	for (i = 0; i < X509_get_ext_count(x); i++) {
		X509_EXTENSION *ext = X509_get_ext(x, i);
		struct lk_slice oid = object(X509_EXTENSION_get_object(ext));
		enum lk_oid id = lk_oid_find(oid);
		bool known = false;
		size_t k;

		for (k = 0; k < LK_ARRAY_LEN(common); k++)
			known |= id == common[k];
		for (k = 0; k < LK_ARRAY_LEN(extras); k++)
			if (id == extras[k]) {
				found |= 1u << k;
				known = true;
			}
		lk_oid_text(oid, name);
		/*= RFC5280 4.2: an unknown critical extension is refused =*/
		LK_REQUIRE(known || (p->foreign && !X509_EXTENSION_get_critical(ext)), e,
			LK_R_CERT_EXTENSION, "%s: there is an extension %s", p->name, name);
	}
	*ret = found;
	return LK_OK;
}

static bool
is_critical(const X509 *x, int nid)
{
	int i = X509_get_ext_by_NID(x, nid, -1);

	return i < 0 || X509_EXTENSION_get_critical(X509_get_ext(x, i));
}

static struct lk_result
check_constraints(const struct lk_profile_row *p, X509 *x, struct lk_err *e)
{
	bool ca = X509_get_extension_flags(x) & EXFLAG_CA;

	/*= RFC5280 4.2.1.9: only a CA's certificate says that it is one =*/
	LK_REQUIRE(ca == (p->path_len != NOT_CA), e, LK_R_CERT_CONSTRAINTS, "%s: is %s CA", p->name,
		ca ? "a" : "no");
	if (!ca)
		return LK_OK;
	LK_REQUIRE(X509_get_pathlen(x) == p->path_len, e, LK_R_CERT_CONSTRAINTS,
		"%s: pathLenConstraint is %ld, want %d", p->name, X509_get_pathlen(x), p->path_len);
	LK_REQUIRE(is_critical(x, NID_basic_constraints), e, LK_R_CERT_CONSTRAINTS,
		"%s: basicConstraints is not critical", p->name);
	return LK_OK;
}

/* OpenSSL's key usage word has RFC 5280's bits 0 to 7 from 0x80 down to 0x01. */
static unsigned
usage_of(X509 *x)
{
	uint32_t word = X509_get_extension_flags(x) & EXFLAG_KUSAGE ? X509_get_key_usage(x) : 0;
	unsigned usage = word & KU_DECIPHER_ONLY ? 1u << 8 : 0;
	unsigned i;

	for (i = 0; i < 8; i++)
		usage |= word & 0x80u >> i ? 1u << i : 0;
	return usage;
}

static struct lk_result
check_usage(const struct lk_profile_row *p, X509 *x, struct lk_err *e)
{
	LK_CLEANUP(EXTENDED_KEY_USAGE_freep)
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
	int n = eku ? sk_ASN1_OBJECT_num(eku) : 0, want, i, k;

	LK_TRY(check_column(
		p, "keyUsage", p->usage, usage_of(x), usage_name, LK_R_CERT_KEY_USAGE, e));
	if (p->foreign)
		return LK_OK;
	LK_REQUIRE(is_critical(x, NID_key_usage), e, LK_R_CERT_KEY_USAGE,
		"%s: keyUsage is not critical", p->name);
	/*= RFC5280 4.2.1.12: a certificate has the purposes of its role and no others =*/
	for (want = 0; want < LK_ROW_EKUS_MAX && p->eku[want]; want++) {
		for (i = 0, k = -1; i < n; i++)
			if (lk_slice_eq(
				    object(sk_ASN1_OBJECT_value(eku, i)), lk_oid_der(p->eku[want])))
				k = i;
		LK_REQUIRE(k >= 0, e, LK_R_CERT_EKU, "%s: the purpose %s is missing", p->name,
			lk_oid_name(p->eku[want]));
	}
	LK_REQUIRE(n == want, e, LK_R_CERT_EKU, "%s: has %d purposes, want %d", p->name, n, want);
	return LK_OK;
}

struct lk_result
lk_cert_check_profile(const struct lk_cert *cert, enum lk_cert_profile profile, struct lk_err *e)
{
	const struct lk_profile_row *p = &lk_profile_rows[profile];
	X509 *x = lk_cert_x509(cert);
	struct lk_row_facts f = { .not_before = lk_cert_not_before(cert),
		.not_after = lk_cert_not_after(cert),
		.spki = lk_cert_spki(cert) };

	assert(profile < LK_PROFILE_COUNT);
	/*= RFC5280 4.1.2.1: a certificate with extensions is of version 3 =*/
	LK_REQUIRE(X509_get_version(x) == X509_VERSION_3, e, LK_R_CERT_VERSION,
		"%s: is of version %ld", p->name, X509_get_version(x) + 1);
	LK_TRY(extras_of(p, x, &f.extra, e));
	f.subject = subject_of(x);
	f.san = sans_of(x);
	LK_TRY(check_constraints(p, x, e));
	LK_TRY(check_usage(p, x, e));
	LK_REQUIRE(p->foreign || (lk_cert_ski(cert).n && lk_cert_aki(cert).n), e, LK_R_CERT_KEY_ID,
		"%s: has no %s", p->name,
		lk_cert_ski(cert).n ? "authorityKeyIdentifier" : "subjectKeyIdentifier");
	return lk_row_check(p, &f, e);
}

/* --- print ------------------------------------------------------------------------------------ */

static struct lk_result
print_bits(const char *what, unsigned bits, column_name *name, struct lk_buf *out, struct lk_err *e)
{
	size_t i;

	if (!bits)
		return LK_OK;
	LK_TRY(lk_buf_printf(out, e, "\t%s:", what));
	for (i = 0; bits >> i; i++)
		if (bits & 1u << i)
			LK_TRY(lk_buf_printf(out, e, " %s", name(i)));
	return lk_buf_append_str(out, "\n", e);
}

static const char *
key_name(size_t i)
{
	return lk_key_type_name((enum lk_key_type)i);
}

static struct lk_result
print_purposes(const struct lk_profile_row *p, struct lk_buf *out, struct lk_err *e)
{
	size_t i;

	if (!p->eku[0])
		return LK_OK;
	LK_TRY(lk_buf_append_str(out, "\textKeyUsage:", e));
	for (i = 0; p->eku[i]; i++)
		LK_TRY(lk_buf_printf(out, e, " %s", lk_oid_name(p->eku[i])));
	return lk_buf_append_str(out, "\n", e);
}

static struct lk_result
print_life(const struct lk_profile_row *p, struct lk_buf *out, struct lk_err *e)
{
	if (p->foreign)
		return lk_buf_append_str(
			out, "\tnot issued here; any purpose, key and life is taken\n", e);
	if (p->most == NEVER)
		return lk_buf_append_str(out, "\tlife: until 99991231235959Z\n", e);
	return lk_buf_printf(out, e, "\tlife: %d days, at most %d\n", p->days, p->most);
}

static struct lk_result
print_profile(const struct lk_profile_row *p, struct lk_buf *out, struct lk_err *e)
{
	LK_TRY(lk_buf_printf(out, e, "%s: %s\n", p->name, p->what));
	if (p->path_len != NOT_CA)
		LK_TRY(lk_buf_printf(out, e, "\tCA, pathLenConstraint %d\n", p->path_len));
	LK_TRY(print_bits("keyUsage", p->usage.must, usage_name, out, e));
	LK_TRY(print_bits("keyUsage may have", p->usage.may, usage_name, out, e));
	LK_TRY(print_purposes(p, out, e));
	LK_TRY(print_bits("subject", p->subject.must, subject_name, out, e));
	LK_TRY(print_bits("subject may have", p->subject.may, subject_name, out, e));
	LK_TRY(print_bits("subjectAltName", p->san.must, san_name, out, e));
	LK_TRY(print_bits("subjectAltName may have", p->san.may, san_name, out, e));
	LK_TRY(print_bits("extensions", p->extra.must, extra_name, out, e));
	LK_TRY(print_bits("extensions may be", p->extra.may, extra_name, out, e));
	LK_TRY(print_bits("keys", p->keys, key_name, out, e));
	return print_life(p, out, e);
}

struct lk_result
lk_cert_profiles_print(struct lk_buf *out, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < LK_PROFILE_COUNT; i++)
		LK_TRY(print_profile(&lk_profile_rows[i], out, e));
	return LK_OK;
}
