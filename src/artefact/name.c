/* SPDX-License-Identifier: Apache-2.0
 *
 * Subjects and subjectAltNames, read in place.
 */
#include "artefact/name.h"

#include "crypto/ossl.h"

struct lk_result
lk_text_read(struct lk_der *d, struct lk_slice *ret, struct lk_err *e)
{
	unsigned tag = d->left.n ? d->left.p[0] : 0;
	struct lk_slice text;

	LK_TRY(lk_der_get(d, tag, &text, e));
	LK_REQUIRE(lk_der_is_text(tag, text), e, d->reason,
		"%s has a string of another type, or a character that its type has not", d->what);
	*ret = text;
	return LK_OK;
}

struct lk_result
lk_names_read(struct lk_der *d, struct lk_names *ret, struct lk_err *e)
{
	struct lk_names names = { .n = 0 };
	struct lk_der rdns, rdn, attribute;

	LK_TRY(lk_der_enter(d, LK_DER_SEQUENCE, &rdns, e));
	while (!lk_der_at_end(&rdns)) {
		LK_TRY(lk_der_enter(&rdns, LK_DER_SET, &rdn, e));
		do {
			struct lk_name name;

			LK_TRY(lk_der_enter(&rdn, LK_DER_SEQUENCE, &attribute, e));
			LK_TRY(lk_der_get(&attribute, LK_DER_OID, &name.oid, e));
			LK_TRY(lk_text_read(&attribute, &name.value, e));
			LK_TRY(lk_der_end(&attribute, e));
			LK_REQUIRE(names.n < LK_NAMES_MAX, e, LK_R_TOO_LARGE,
				"%s has a subject of more than %d attributes", d->what,
				LK_NAMES_MAX);
			names.v[names.n++] = name;
		} while (!lk_der_at_end(&rdn));
	}
	*ret = names;
	return LK_OK;
}

static bool
is_ascii(unsigned tag)
{
	return tag == LK_SAN_MAIL || tag == LK_SAN_DNS || tag == LK_SAN_URI;
}

struct lk_result
lk_sans_read(struct lk_der *d, struct lk_sans *ret, struct lk_err *e)
{
	struct lk_sans sans = { .n = 0 };
	struct lk_der names;

	LK_TRY(lk_der_enter(d, LK_DER_SEQUENCE, &names, e));
	do {
		struct lk_san san = { .tag = names.left.n ? names.left.p[0] : 0 };

		LK_TRY(lk_der_get(&names, san.tag, &san.value, e));
		LK_REQUIRE(!is_ascii(san.tag) || lk_der_is_text(LK_DER_IA5, san.value), e,
			d->reason, "%s has a name that is not ASCII", d->what);
		LK_REQUIRE(sans.n < LK_SANS_MAX, e, LK_R_TOO_LARGE, "%s has more than %d names",
			d->what, LK_SANS_MAX);
		sans.v[sans.n++] = san;
	} while (!lk_der_at_end(&names));
	*ret = sans;
	return LK_OK;
}

struct lk_result
lk_subject_of(const struct lk_cert *cert, struct lk_slice *ret, struct lk_err *e)
{
	const uint8_t *p;
	size_t n;

	LK_OSSL(X509_NAME_get0_der(X509_get_subject_name(lk_cert_x509(cert)), &p, &n), e,
		LK_R_CERT_SYNTAX, "the certificate's subject cannot be encoded");
	*ret = lk_slice(p, n);
	return LK_OK;
}

struct lk_result
lk_names_of(const struct lk_cert *cert, struct lk_names *ret, struct lk_err *e)
{
	struct lk_der d = { .what = "the certificate", .reason = LK_R_CERT_SYNTAX };

	LK_TRY(lk_subject_of(cert, &d.left, e));
	return lk_names_read(&d, ret, e);
}

struct lk_slice
lk_san_ext_of(const struct lk_cert *cert)
{
	const X509 *x = lk_cert_x509(cert);
	int i = X509_get_ext_by_NID(x, NID_subject_alt_name, -1);
	const ASN1_OCTET_STRING *s = i < 0 ? NULL : X509_EXTENSION_get_data(X509_get_ext(x, i));

	return s ? lk_slice(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s))
		 : lk_slice(NULL, 0);
}

struct lk_result
lk_sans_of(const struct lk_cert *cert, struct lk_sans *ret, struct lk_err *e)
{
	struct lk_der d = { lk_san_ext_of(cert), "the certificate's subjectAltName",
		LK_R_CERT_SYNTAX };

	if (d.left.n)
		return lk_sans_read(&d, ret, e);
	ret->n = 0;
	return LK_OK;
}

bool
lk_names_contain(const struct lk_names *names, const struct lk_name *name)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		if (lk_slice_eq(name->oid, names->v[i].oid) &&
			lk_slice_eq(name->value, names->v[i].value))
			return true;
	return false;
}

bool
lk_sans_contain(const struct lk_sans *sans, const struct lk_san *san)
{
	size_t i;

	for (i = 0; i < sans->n; i++)
		if (san->tag == sans->v[i].tag && lk_slice_eq(san->value, sans->v[i].value))
			return true;
	return false;
}
