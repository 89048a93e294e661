/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificate revocation lists (RFC 5280 section 5). Entries are never objects:
 * they are read where they stand and written one behind the other.
 */
#include "artefact/crl.h"

#include <assert.h>
#include <stdlib.h>

#include "artefact/name.h"
#include "base/encode.h"
#include "crypto/ossl.h"
#include "crypto/signature.h"

#define CLOCK_SKEW    300 /* seconds by which the CA's clock may be ahead of ours */
#define SIGNATURE_MAX 1024

static const char *const reasons[LK_CRL_REASON_COUNT] = {
	[LK_CRL_UNSPECIFIED] = "unspecified",
	[LK_CRL_KEY_COMPROMISE] = "keyCompromise",
	[LK_CRL_CA_COMPROMISE] = "cACompromise",
	[LK_CRL_AFFILIATION_CHANGED] = "affiliationChanged",
	[LK_CRL_SUPERSEDED] = "superseded",
	[LK_CRL_CESSATION] = "cessationOfOperation",
	[LK_CRL_HOLD] = "certificateHold",
	[LK_CRL_REMOVE] = "removeFromCRL",
	[LK_CRL_PRIVILEGE_WITHDRAWN] = "privilegeWithdrawn",
	[LK_CRL_AA_COMPROMISE] = "aACompromise",
};

const char *
lk_crl_reason_name(enum lk_crl_reason reason)
{
	assert(reason < LK_CRL_REASON_COUNT && reasons[reason]);
	return reasons[reason];
}

enum lk_crl_reason
lk_crl_reason_by_name(const char *name)
{
	unsigned i;

	for (i = 0; i < LK_CRL_REASON_COUNT; i++)
		if (reasons[i] && strcmp(reasons[i], name) == 0)
			break;
	return (enum lk_crl_reason)i;
}

/* --- parse ------------------------------------------------------------------------------------ */

static struct lk_result
read_reason(const struct lk_extension *x, enum lk_crl_reason *ret, struct lk_err *e)
{
	struct lk_der d = { x->value, "the list's reason code", LK_R_CRL_SYNTAX };
	struct lk_slice v;

	LK_TRY(lk_der_get(&d, LK_DER_ENUMERATED, &v, e));
	LK_TRY(lk_der_end(&d, e));
	LK_REQUIRE(v.n == 1 && v.p[0] < LK_CRL_REASON_COUNT && reasons[v.p[0]], e, LK_R_CRL_SYNTAX,
		"a reason code that there is not");
	*ret = (enum lk_crl_reason)v.p[0];
	return LK_OK;
}

/* An unknown critical extension may turn the meaning of a list around: "these are the ones that
 * are back", "these are another CA's". */
static struct lk_result
check_unknown(const struct lk_extension *x, struct lk_err *e)
{
	char name[LK_OID_TEXT_MAX];

	lk_oid_text(x->oid, name);
	/*= RFC5280 5.2: a list with an unknown critical extension is not used =*/
	LK_REQUIRE(!x->critical, e, LK_R_CRL_EXTENSION, "there is a critical extension %s", name);
	return LK_OK;
}

static struct lk_result
read_entry(struct lk_der *d, struct lk_crl_entry *ret, struct lk_err *e)
{
	struct lk_crl_entry entry = { .reason = LK_CRL_UNSPECIFIED };
	const struct lk_extension *x;
	struct lk_extensions exts;
	struct lk_der in, list;

	LK_TRY(lk_der_enter(d, LK_DER_SEQUENCE, &in, e));
	LK_TRY(lk_der_get_unsigned(&in, &entry.serial, e));
	/*= RFC5280 4.1.2.2: serial numbers have at most 20 octets =*/
	LK_REQUIRE(entry.serial.n <= LK_CERT_SERIAL_MAX, e, LK_R_CRL_SYNTAX,
		"the list has a serial number of %zu octets", entry.serial.n);
	LK_TRY(lk_der_get_time(&in, &entry.revoked_at, e));
	if (!lk_der_at_end(&in)) {
		LK_TRY(lk_der_enter(&in, LK_DER_SEQUENCE, &list, e));
		LK_TRY(lk_der_get_extensions(&list, &exts, e));
		for (x = exts.v; x < exts.v + exts.n; x++)
			if (lk_oid_find(x->oid) == LK_ID_CE_CRL_REASON)
				LK_TRY(read_reason(x, &entry.reason, e));
			else
				LK_TRY(check_unknown(x, e));
	}
	LK_TRY(lk_der_end(&in, e));
	*ret = entry;
	return LK_OK;
}

static struct lk_der
entries_of(const struct lk_crl *c, size_t from)
{
	return (struct lk_der){ lk_slice(c->entries.p + from, c->entries.n - from), "the list",
		LK_R_CRL_SYNTAX };
}

static struct lk_result
read_entries(struct lk_crl *c, struct lk_err *e)
{
	struct lk_der d = entries_of(c, 0);
	struct lk_crl_entry entry;

	/*= RFC5280 5.1.2.6: with nothing revoked the list of entries is absent =*/
	LK_REQUIRE(c->entries.n, e, LK_R_CRL_SYNTAX, "the list of entries is there and empty");
	for (; !lk_der_at_end(&d); c->n_entries++)
		LK_TRY(read_entry(&d, &entry, e));
	return LK_OK;
}

static struct lk_result
read_number(struct lk_crl *c, const struct lk_extension *x, struct lk_err *e)
{
	struct lk_der d = { x->value, "the list's number", LK_R_CRL_SYNTAX };
	struct lk_slice v;
	size_t i;

	LK_TRY(lk_der_get_unsigned(&d, &v, e));
	LK_TRY(lk_der_end(&d, e));
	LK_REQUIRE(v.n <= sizeof c->number, e, LK_R_TOO_LARGE, "a list number of %zu octets", v.n);
	for (c->number = 0, i = 0; i < v.n; i++)
		c->number = c->number << 8 | v.p[i];
	return LK_OK;
}

static struct lk_result
read_aki(struct lk_crl *c, const struct lk_extension *x, struct lk_err *e)
{
	struct lk_der d = { x->value, "the list's authorityKeyIdentifier", LK_R_CRL_SYNTAX }, in;

	LK_TRY(lk_der_enter(&d, LK_DER_SEQUENCE, &in, e));
	LK_TRY(lk_der_end(&d, e));
	return lk_der_next_is(&in, LK_DER_IMPLICIT + 0)
		       ? lk_der_get(&in, LK_DER_IMPLICIT + 0, &c->aki, e)
		       : LK_OK;
}

static struct lk_result
read_extensions(struct lk_crl *c, struct lk_der *d, struct lk_err *e)
{
	const struct lk_extension *x;
	struct lk_extensions exts;
	struct lk_der list;

	LK_TRY(lk_der_enter(d, LK_DER_SEQUENCE, &list, e));
	LK_TRY(lk_der_get_extensions(&list, &exts, e));
	for (x = exts.v; x < exts.v + exts.n; x++)
		if (lk_oid_find(x->oid) == LK_ID_CE_CRL_NUMBER)
			LK_TRY(read_number(c, x, e));
		else if (lk_oid_find(x->oid) == LK_ID_CE_AUTHORITY_KEY_ID)
			LK_TRY(read_aki(c, x, e));
		else
			LK_TRY(check_unknown(x, e));
	return LK_OK;
}

/* RFC 5280 5.1.2: TBSCertList, in its order. */
static struct lk_result
read_info(struct lk_crl *c, struct lk_err *e)
{
	struct lk_der d = { c->info, "the list", LK_R_CRL_SYNTAX }, info, exts;
	struct lk_slice version, algorithm;

	LK_TRY(lk_der_enter(&d, LK_DER_SEQUENCE, &info, e));
	LK_TRY(lk_der_get_unsigned(&info, &version, e));
	/*= RFC5280 5.1.2.1: the list is of version 2 =*/
	LK_REQUIRE(version.n == 1 && version.p[0] == 1, e, LK_R_CRL_SYNTAX,
		"the list is of another version than v2");
	LK_TRY(lk_der_get_any(&info, &algorithm, e));
	/*= RFC5280 5.1.1.2: both signature algorithms are the same =*/
	LK_REQUIRE(lk_slice_eq(algorithm, c->algorithm), e, LK_R_CRL_SYNTAX,
		"the list names two signature algorithms");
	LK_TRY(lk_der_get_any(&info, &c->issuer, e));
	LK_TRY(lk_der_get_time(&info, &c->this_update, e));
	/*= RFC5280 5.1.2.5: nextUpdate is there =*/
	LK_TRY(lk_der_get_time(&info, &c->next_update, e));
	c->entries = lk_slice(info.left.p, 0);
	if (lk_der_next_is(&info, LK_DER_SEQUENCE)) {
		LK_TRY(lk_der_get(&info, LK_DER_SEQUENCE, &c->entries, e));
		LK_TRY(read_entries(c, e));
	}
	LK_TRY(lk_der_enter(&info, LK_DER_EXPLICIT + 0, &exts, e));
	LK_TRY(lk_der_end(&info, e));
	LK_TRY(read_extensions(c, &exts, e));
	return lk_der_end(&exts, e);
}

struct lk_result
lk_crl_parse(struct lk_slice der, struct lk_crl **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = calloc(1, sizeof *c);
	struct lk_der d, list;

	LK_REQUIRE(c, e, LK_R_NOMEM, "no memory for a revocation list");
	c->der = LK_BUF_INIT(LK_CRL_MAX);
	LK_TRY(lk_buf_append(&c->der, der, e));
	d = (struct lk_der){ lk_buf_slice(&c->der), "the list", LK_R_CRL_SYNTAX };
	LK_TRY(lk_der_enter(&d, LK_DER_SEQUENCE, &list, e));
	LK_TRY(lk_der_end(&d, e));
	LK_TRY(lk_der_get_any(&list, &c->info, e));
	LK_TRY(lk_der_get_any(&list, &c->algorithm, e));
	LK_TRY(lk_der_get_bits(&list, &c->signature, e));
	LK_TRY(lk_der_end(&list, e));
	LK_TRY(read_info(c, e));
	*ret = LK_TAKE(c);
	return LK_OK;
}

struct lk_crl *
lk_crl_free(struct lk_crl *c)
{
	if (c)
		lk_buf_done(&c->der);
	free(c);
	return NULL;
}

bool
lk_crl_next(const struct lk_crl *c, size_t *cursor, struct lk_crl_entry *ret)
{
	struct lk_der d = entries_of(c, *cursor);

	if (lk_der_at_end(&d) || !read_entry(&d, ret, NULL).ok)
		return false;
	*cursor = c->entries.n - d.left.n;
	return true;
}

static struct lk_slice
without_zeroes(struct lk_slice magnitude)
{
	while (magnitude.n > 1 && magnitude.p[0] == 0)
		magnitude = lk_slice(magnitude.p + 1, magnitude.n - 1);
	return magnitude;
}

bool
lk_crl_find(const struct lk_crl *c, struct lk_slice serial, struct lk_crl_entry *ret)
{
	const struct lk_slice want = without_zeroes(serial);
	struct lk_crl_entry entry;
	size_t cursor = 0;

	while (lk_crl_next(c, &cursor, &entry))
		if (lk_slice_eq(entry.serial, want)) {
			if (ret)
				*ret = entry;
			return true;
		}
	return false;
}

/* --- check ------------------------------------------------------------------------------------ */

static struct lk_result
check_issuer(const struct lk_crl *c, const struct lk_cert *issuer, struct lk_err *e)
{
	struct lk_slice subject;

	LK_TRY(lk_subject_of(issuer, &subject, e));
	/*= RFC5280 6.3.3: the list's issuer is the certificate's issuer =*/
	LK_REQUIRE(lk_slice_eq(c->issuer, subject), e, LK_R_CRL_ISSUER,
		"the list names another issuer");
	LK_REQUIRE(!c->aki.n || lk_slice_eq(c->aki, lk_cert_ski(issuer)), e, LK_R_CRL_ISSUER,
		"the list is of another key of this issuer");
	/*= RFC5280 6.3.3: the issuer's keyUsage, if present, has cRLSign =*/
	LK_REQUIRE(X509_get_key_usage(lk_cert_x509(issuer)) & KU_CRL_SIGN, e, LK_R_CRL_ISSUER,
		"the issuer may not sign lists");
	return LK_OK;
}

struct lk_result
lk_crl_check(const struct lk_crl *c, const struct lk_cert *issuer, int64_t now, uint64_t least,
	struct lk_err *e)
{
	char is[LK_TIME_TEXT_MAX];

	LK_TRY(check_issuer(c, issuer, e));
	LK_TRY(lk_spki_verify(
		lk_cert_spki(issuer), c->algorithm, c->info, c->signature, LK_R_CRL_SIGNATURE, e));
	lk_time_print(c->this_update, is);
	LK_REQUIRE(c->this_update <= now + CLOCK_SKEW, e, LK_R_CRL_TIME, "thisUpdate is %s", is);
	lk_time_print(c->next_update, is);
	LK_REQUIRE(now <= c->next_update, e, LK_R_CRL_TIME, "nextUpdate was %s", is);
	/*= RFC5280 5.2.3: numbers grow with each list =*/
	LK_REQUIRE(c->number >= least, e, LK_R_CRL_NUMBER,
		"the list's number is %llu, %llu was seen", (unsigned long long)c->number,
		(unsigned long long)least);
	return LK_OK;
}

/* --- build ------------------------------------------------------------------------------------ */

struct lk_result
lk_crl_begin(struct lk_crl_builder *b, const struct lk_cert *issuer, const struct lk_key *key,
	uint64_t number, int64_t this_update, int64_t next_update, struct lk_err *e)
{
	struct lk_slice subject;

	LK_REQUIRE(lk_slice_eq(lk_cert_spki(issuer), lk_key_spki(key)), e, LK_R_KEY_MISMATCH,
		"the key is not the issuer's");
	LK_REQUIRE(
		lk_cert_ski(issuer).n > 0 && X509_get_key_usage(lk_cert_x509(issuer)) & KU_CRL_SIGN,
		e, LK_R_CRL_ISSUER, "the issuer may not sign lists, or has no key identifier");
	LK_REQUIRE(0 <= this_update && this_update < next_update && next_update <= LK_TIME_NEVER, e,
		LK_R_CRL_TIME, "the list ends before it begins");
	LK_TRY(lk_subject_of(issuer, &subject, e));
	*b = (struct lk_crl_builder){ .info = LK_BUF_INIT(LK_CRL_MAX - SIGNATURE_MAX),
		.issuer = issuer,
		.key = key,
		.number = number };
	b->w = lk_der_to(&b->info);
	lk_der_open(&b->w, LK_DER_SEQUENCE);
	lk_der_u64(&b->w, 1); /* v2 */
	lk_der_raw(&b->w, lk_signature_algorithm(lk_key_type(key)));
	lk_der_raw(&b->w, subject);
	lk_der_time(&b->w, this_update);
	lk_der_time(&b->w, next_update);
	return LK_OK;
}

/*= RFC5280 5.3.1: the reason code unspecified is not written =*/
static void
put_reason(struct lk_der_writer *w, enum lk_crl_reason reason)
{
	const uint8_t code = (uint8_t)reason;

	if (reason == LK_CRL_UNSPECIFIED)
		return;
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_open_extension(w, LK_ID_CE_CRL_REASON, false);
	lk_der_put(w, LK_DER_ENUMERATED, lk_slice(&code, 1));
	lk_der_close(w);
	lk_der_close(w);
	lk_der_close(w);
}

struct lk_result
lk_crl_add(struct lk_crl_builder *b, const struct lk_crl_entry *entry, struct lk_err *e)
{
	LK_REQUIRE(entry->serial.n > 0 && entry->serial.n <= LK_CERT_SERIAL_MAX, e, LK_R_CRL_SYNTAX,
		"a serial number of %zu octets", entry->serial.n);
	LK_REQUIRE(entry->revoked_at >= 0 && entry->revoked_at <= LK_TIME_NEVER, e, LK_R_CRL_SYNTAX,
		"a revocation before 1970 or after 9999");
	LK_REQUIRE((unsigned)entry->reason < LK_CRL_REASON_COUNT && reasons[entry->reason], e,
		LK_R_CRL_SYNTAX, "a reason code that there is not");
	if (!b->any)
		lk_der_open(&b->w, LK_DER_SEQUENCE);
	b->any = true;
	lk_der_open(&b->w, LK_DER_SEQUENCE);
	lk_der_unsigned(&b->w, entry->serial);
	lk_der_time(&b->w, entry->revoked_at);
	put_reason(&b->w, entry->reason);
	lk_der_close(&b->w);
	return LK_OK;
}

static void
put_extensions(struct lk_der_writer *w, struct lk_slice ski, uint64_t number)
{
	lk_der_open(w, LK_DER_EXPLICIT + 0);
	lk_der_open(w, LK_DER_SEQUENCE);
	/*= RFC5280 5.2.1: a list has the authorityKeyIdentifier =*/
	lk_der_open_extension(w, LK_ID_CE_AUTHORITY_KEY_ID, false);
	lk_der_open(w, LK_DER_SEQUENCE);
	lk_der_put(w, LK_DER_IMPLICIT + 0, ski);
	lk_der_close(w);
	lk_der_close(w);
	lk_der_close(w);
	lk_der_open_extension(w, LK_ID_CE_CRL_NUMBER, false);
	lk_der_u64(w, number);
	lk_der_close(w);
	lk_der_close(w);
	lk_der_close(w);
	lk_der_close(w);
}

struct lk_result
lk_crl_finish(struct lk_crl_builder *b, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf signature = LK_BUF_INIT(SIGNATURE_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf list = LK_BUF_INIT(LK_CRL_MAX);
	struct lk_der_writer w = lk_der_to(&list);

	if (b->any)
		lk_der_close(&b->w);
	put_extensions(&b->w, lk_cert_ski(b->issuer), b->number);
	lk_der_close(&b->w);
	LK_TRY(lk_der_finish(&b->w, e));
	LK_TRY(lk_key_sign(b->key, lk_buf_slice(&b->info), &signature, e));
	lk_der_open(&w, LK_DER_SEQUENCE);
	lk_der_raw(&w, lk_buf_slice(&b->info));
	lk_der_raw(&w, lk_signature_algorithm(lk_key_type(b->key)));
	lk_der_bits(&w, lk_buf_slice(&signature));
	lk_der_close(&w);
	LK_TRY(lk_der_finish(&w, e));
	return lk_buf_append(out, lk_buf_slice(&list), e);
}

void
lk_crl_builder_done(struct lk_crl_builder *b)
{
	lk_buf_done(&b->info);
}

/* --- print ------------------------------------------------------------------------------------ */

static struct lk_result
print_issuer(const struct lk_crl *c, struct lk_buf *out, struct lk_err *e)
{
	struct lk_der d = { c->issuer, "the list's issuer", LK_R_CRL_SYNTAX };
	struct lk_names names = { .n = 0 };
	char type[LK_OID_TEXT_MAX];
	size_t i;

	LK_TRY(lk_names_read(&d, &names, e));
	for (i = 0; i < names.n; i++) {
		lk_oid_text(names.v[i].oid, type);
		LK_TRY(lk_buf_printf(out, e, "issuer %s: %.*s\n", type, (int)names.v[i].value.n,
			names.v[i].value.p));
	}
	return LK_OK;
}

struct lk_result
lk_crl_print(const struct lk_crl *c, struct lk_buf *out, struct lk_err *e)
{
	char from[LK_TIME_TEXT_MAX], to[LK_TIME_TEXT_MAX];
	char serial[2 * LK_CERT_SERIAL_MAX + 1];
	struct lk_crl_entry entry;
	size_t cursor = 0;

	lk_time_print(c->this_update, from);
	lk_time_print(c->next_update, to);
	LK_TRY(print_issuer(c, out, e));
	LK_TRY(lk_buf_printf(out, e, "number: %llu\nthisUpdate: %s\nnextUpdate: %s\nrevoked: %zu\n",
		(unsigned long long)c->number, from, to, c->n_entries));
	while (lk_crl_next(c, &cursor, &entry)) {
		lk_hex(entry.serial, serial);
		lk_time_print(entry.revoked_at, from);
		LK_TRY(lk_buf_printf(
			out, e, "%s: %s, %s\n", serial, from, lk_crl_reason_name(entry.reason)));
	}
	return LK_OK;
}
