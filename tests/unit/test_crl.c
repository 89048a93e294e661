/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists: written so that OpenSSL verifies them, read as OpenSSL writes
 * them, long ones too, and cut or bent in every place.
 */
#include "test.h"

#include <stdlib.h>

#include "artefact/crl.h"
#include "crypto/ossl.h"
#include "pki.h"

#define MANY 100000

static struct pki_id ca, other, leaf;

static int
make_cas(void **state)
{
	const struct pki_spec a = { .cn = "Device CA", .ca = true };
	const struct pki_spec b = { .cn = "Other CA", .ca = true };
	const struct pki_spec c = { .cn = "Thing", .key_usage = "digitalSignature" };

	(void)state;
	pki_issue(NULL, &a, &ca);
	pki_issue(NULL, &b, &other);
	pki_issue(&ca, &c, &leaf);
	return 0;
}

static int
free_cas(void **state)
{
	(void)state;
	pki_id_done(&ca);
	pki_id_done(&other);
	pki_id_done(&leaf);
	return 0;
}

/* The i-th serial of a long list. */
static struct lk_slice
serial(size_t i, uint8_t dst[static 16])
{
	memset(dst, 0x80, 16);
	dst[13] = (uint8_t)(i >> 16);
	dst[14] = (uint8_t)(i >> 8);
	dst[15] = (uint8_t)i;
	return lk_slice(dst, 16);
}

static void
begin(struct lk_crl_builder *b)
{
	struct lk_err e;

	if (!lk_crl_begin(b, pki_cert(&ca), ca.key, 7, PKI_NOW, PKI_NOW + PKI_DAY, &e).ok)
		fail_msg("%s", e.msg);
}

static void
add(struct lk_crl_builder *b, size_t i, enum lk_crl_reason reason)
{
	uint8_t s[16];
	const struct lk_crl_entry entry = { serial(i, s), PKI_NOW - 60, reason };
	struct lk_err e;

	if (!lk_crl_add(b, &entry, &e).ok)
		fail_msg("%s", e.msg);
}

static void
build(size_t n, struct lk_buf *der)
{
	LK_CLEANUP(lk_crl_builder_done) struct lk_crl_builder b = { .any = false };
	struct lk_err e;
	size_t i;

	begin(&b);
	for (i = 0; i < n; i++)
		add(&b, i, i % 2 ? LK_CRL_KEY_COMPROMISE : LK_CRL_UNSPECIFIED);
	if (!lk_crl_finish(&b, der, &e).ok)
		fail_msg("%s", e.msg);
}

static struct lk_crl *
parsed(struct lk_slice der)
{
	struct lk_crl *c = NULL;
	struct lk_err e;

	if (!lk_crl_parse(der, &c, &e).ok)
		fail_msg("%s", e.msg);
	return c;
}

static void
assert_parse_refused(struct lk_slice der, enum lk_reason reason)
{
	struct lk_crl *c = NULL;
	struct lk_err e;

	assert_refused(lk_crl_parse(der, &c, &e), e, reason);
	assert_null(c);
}

static void
test_round_trip(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CRL_MAX);
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
	struct lk_crl_entry entry;
	uint8_t s[16];
	size_t cursor = 0;
	struct lk_err e;

	(void)state;
	build(3, &der);
	c = parsed(lk_buf_slice(&der));
	assert_int_equal(c->n_entries, 3);
	assert_int_equal(c->number, 7);
	assert_int_equal(c->this_update, PKI_NOW);
	assert_int_equal(c->next_update, PKI_NOW + PKI_DAY);
	assert_true(lk_slice_eq(c->aki, lk_cert_ski(pki_cert(&ca))));
	assert_true(lk_crl_check(c, pki_cert(&ca), PKI_NOW, 7, &e).ok);
	assert_true(lk_crl_next(c, &cursor, &entry));
	assert_int_equal(entry.reason, LK_CRL_UNSPECIFIED);
	assert_int_equal(entry.revoked_at, PKI_NOW - 60);
	assert_true(lk_crl_next(c, &cursor, &entry));
	assert_true(lk_slice_eq(entry.serial, serial(1, s)));
	assert_int_equal(entry.reason, LK_CRL_KEY_COMPROMISE);
	assert_true(lk_crl_next(c, &cursor, &entry));
	assert_false(lk_crl_next(c, &cursor, &entry));
}

static void
test_find(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CRL_MAX);
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
	struct lk_crl_entry entry = { .revoked_at = 0 };
	uint8_t s[17] = { 0 };

	(void)state;
	build(3, &der);
	c = parsed(lk_buf_slice(&der));
	assert_true(lk_crl_find(c, serial(2, s), &entry));
	assert_int_equal(entry.revoked_at, PKI_NOW - 60);
	assert_false(lk_crl_find(c, serial(3, s), NULL));
	serial(1, s + 1);
	s[0] = 0;
	assert_true(lk_crl_find(c, LK_SLICE_ARRAY(s), NULL));
	assert_false(lk_crl_find(c, lk_slice(s + 1, 15), NULL));
}

/*= RFC5280 5.1.2.6: with nothing revoked the list of entries is absent =*/
static void
test_empty(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CRL_MAX);
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
	size_t cursor = 0;
	struct lk_crl_entry entry;
	struct lk_err e;

	(void)state;
	build(0, &der);
	c = parsed(lk_buf_slice(&der));
	assert_int_equal(c->n_entries, 0);
	assert_false(lk_crl_next(c, &cursor, &entry));
	assert_true(lk_crl_check(c, pki_cert(&ca), PKI_NOW, 0, &e).ok);
}

static X509_CRL *
by_openssl(struct lk_slice der)
{
	const uint8_t *p = der.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);

	assert_non_null(crl);
	assert_ptr_equal(p, der.p + der.n);
	return crl;
}

static void
test_openssl_reads_ours(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CRL_MAX);
	LK_CLEANUP(lk_openssl_freep) uint8_t *again = NULL;
	LK_CLEANUP(X509_CRL_freep) X509_CRL *crl = NULL;
	int n;

	(void)state;
	build(5, &der);
	crl = by_openssl(lk_buf_slice(&der));
	assert_int_equal(X509_CRL_verify(crl, lk_key_evp(ca.key)), 1);
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), 5);
	/*= RFC5280 5.3.1: the reason code unspecified is not written =*/
	assert_int_equal(
		X509_REVOKED_get_ext_count(sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0)), 0);
	/*= RFC5280 5.2.1: a list has the authorityKeyIdentifier =*/
	assert_true(X509_CRL_get_ext_by_NID(crl, NID_authority_key_identifier, -1) >= 0);
	i2d_re_X509_CRL_tbs(crl, NULL);
	n = i2d_X509_CRL(crl, &again);
	assert_true(lk_slice_eq(lk_slice(again, (size_t)n), lk_buf_slice(&der)));
}

/* 5 MiB: read, found and verified, and OpenSSL agrees on the last entry. */
static void
test_long(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CRL_MAX);
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
	LK_CLEANUP(X509_CRL_freep) X509_CRL *crl = NULL;
	uint8_t s[16];
	struct lk_err e;

	(void)state;
	build(MANY, &der);
	c = parsed(lk_buf_slice(&der));
	assert_int_equal(c->n_entries, MANY);
	assert_true(lk_crl_check(c, pki_cert(&ca), PKI_NOW, 0, &e).ok);
	assert_true(lk_crl_find(c, serial(MANY - 1, s), NULL));
	assert_false(lk_crl_find(c, serial(MANY, s), NULL));
	crl = by_openssl(lk_buf_slice(&der));
	assert_int_equal(X509_CRL_verify(crl, lk_key_evp(ca.key)), 1);
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), MANY);
}

/* A list by OpenSSL, with one entry; ext in the words of openssl.cnf. */
struct list {
	const struct pki_id *named, *signed_by; /* NULL: ca */
	long version;                           /* 0: v2 */
	bool no_next_update;
	const char *ext[2];
	const char *entry_ext[2];
	bool twice; /* each of the two */
};

static void
add_ext(X509_CRL *crl, X509_REVOKED *entry, const char *const ext[2])
{
	LK_CLEANUP(X509_EXTENSION_freep) X509_EXTENSION *x = NULL;

	if (!ext[0])
		return;
	x = X509V3_EXT_nconf(NULL, NULL, ext[0], ext[1]);
	assert_true(
		x && (entry ? X509_REVOKED_add_ext(entry, x, -1) : X509_CRL_add_ext(crl, x, -1)));
}

static void
openssl_list(const struct list *l, struct lk_buf *der)
{
	const struct pki_id *named = l->named ? l->named : &ca;
	const struct pki_id *by = l->signed_by ? l->signed_by : named;
	LK_CLEANUP(X509_CRL_freep) X509_CRL *crl = X509_CRL_new();
	LK_CLEANUP(lk_openssl_freep) uint8_t *out = NULL;
	ASN1_TIME *t = ASN1_TIME_set(NULL, PKI_NOW);
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	X509_REVOKED *entry = X509_REVOKED_new();
	int n;

	X509_CRL_set_version(crl, l->version ? l->version - 1 : X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(lk_cert_x509(pki_cert(named))));
	X509_CRL_set1_lastUpdate(crl, t);
	X509_REVOKED_set_revocationDate(entry, t);
	ASN1_TIME_set(t, PKI_NOW + PKI_DAY);
	if (!l->no_next_update)
		X509_CRL_set1_nextUpdate(crl, t);
	ASN1_INTEGER_set(number, 4711);
	X509_REVOKED_set_serialNumber(entry, number);
	X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0);
	for (n = 0; n < (l->twice ? 2 : 1); n++) {
		add_ext(crl, NULL, l->ext);
		add_ext(crl, entry, l->entry_ext);
	}
	assert_true(X509_CRL_add0_revoked(crl, entry));
	assert_true(X509_CRL_sign(crl, lk_key_evp(by->key), EVP_sha256()) > 0);
	n = i2d_X509_CRL(crl, &out);
	assert_true(lk_buf_append(der, lk_slice(out, (size_t)n), NULL).ok);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(t);
}

static struct lk_crl *
listed(const struct list *l)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(8192);

	openssl_list(l, &der);
	return parsed(lk_buf_slice(&der));
}

static void
assert_list_refused(const struct list *l, enum lk_reason reason)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(8192);

	openssl_list(l, &der);
	assert_parse_refused(lk_buf_slice(&der), reason);
}

static void
test_ours_reads_openssl(void **state)
{
	LK_CLEANUP(lk_crl_freep)
	struct lk_crl *c = listed(&(struct list){
		.entry_ext = { "2.5.29.21", "DER:0a0104" }, .ext = { "1.2.3.4", "ASN1:NULL" } });
	struct lk_crl_entry entry;
	struct lk_err e;

	(void)state;
	assert_true(lk_crl_check(c, pki_cert(&ca), PKI_NOW, 4711, &e).ok);
	assert_true(lk_crl_find(c, LK_SLICE_LIT("\x12\x67"), &entry));
	assert_int_equal(entry.reason, LK_CRL_SUPERSEDED);
}

static void
test_syntax(void **state)
{
	(void)state;
	/*= RFC5280 5.1.2.1: the list is of version 2 =*/
	assert_list_refused(&(struct list){ .version = 1 }, LK_R_CRL_SYNTAX);
	/*= RFC5280 5.1.2.5: nextUpdate is there =*/
	assert_list_refused(&(struct list){ .no_next_update = true }, LK_R_CRL_SYNTAX);
	/*= RFC5280 5.2: a list with an unknown critical extension is not used =*/
	assert_list_refused(&(struct list){ .ext = { "2.5.29.28", "critical,DER:30038101ff" } },
		LK_R_CRL_EXTENSION);
	assert_list_refused(&(struct list){ .ext = { "2.5.29.27", "critical,DER:020101" } },
		LK_R_CRL_EXTENSION);
	assert_list_refused(&(struct list){ .entry_ext = { "1.2.3.4", "critical,ASN1:NULL" } },
		LK_R_CRL_EXTENSION);
	assert_list_refused(
		&(struct list){ .entry_ext = { "2.5.29.21", "DER:0a0107" } }, LK_R_CRL_SYNTAX);
	assert_list_refused(&(struct list){ .ext = { "2.5.29.35", "DER:0500" } }, LK_R_CRL_SYNTAX);
	/*= RFC5280 4.2: no extension occurs twice =*/
	assert_list_refused(
		&(struct list){ .ext = { "2.5.29.20", "DER:020101" } }, LK_R_CRL_SYNTAX);
	assert_list_refused(&(struct list){ .ext = { "1.2.3.4", "ASN1:NULL" }, .twice = true },
		LK_R_CRL_SYNTAX);
	assert_list_refused(
		&(struct list){ .entry_ext = { "2.5.29.21", "DER:0a0104" }, .twice = true },
		LK_R_CRL_SYNTAX);
}

/* The two algorithm fields, and a serial that nobody has: bytes changed by hand. */
static void
test_bent(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(8192);
	uint8_t *p;

	(void)state;
	build(0, &der);
	p = memmem(der.p, der.n, "\x2a\x86\x48\xce\x3d\x04\x03\x02", 8);
	assert_non_null(p);
	p[7] = 3;
	/*= RFC5280 5.1.1.2: both signature algorithms are the same =*/
	assert_parse_refused(lk_buf_slice(&der), LK_R_CRL_SYNTAX);
}

/* What the reader refuses and the writer does not write, written by hand. */
static void
test_forms(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf none = LK_BUF_INIT(8192);
	LK_CLEANUP(lk_buf_done) struct lk_buf number = LK_BUF_INIT(8192);
	LK_CLEANUP(lk_crl_builder_done) struct lk_crl_builder b = { .any = false };
	uint8_t *p;
	struct lk_err e;

	(void)state;
	/*= RFC5280 5.1.2.6: with nothing revoked the list of entries is absent =*/
	begin(&b);
	lk_der_open(&b.w, LK_DER_SEQUENCE);
	b.any = true;
	assert_true(lk_crl_finish(&b, &none, &e).ok);
	assert_parse_refused(lk_buf_slice(&none), LK_R_CRL_SYNTAX);
	lk_crl_builder_done(&b);
	begin(&b);
	b.number = UINT64_MAX; /* nine octets, the first of them zero */
	assert_true(lk_crl_finish(&b, &number, &e).ok);
	lk_crl_free(parsed(lk_buf_slice(&number)));
	p = memmem(number.p, number.n, "\x02\x09\x00\xff", 4);
	assert_non_null(p);
	p[2] = 1;
	assert_parse_refused(lk_buf_slice(&number), LK_R_TOO_LARGE);
}

static void
test_serial_limit(void **state)
{
	static const uint8_t many[LK_CERT_SERIAL_MAX + 1] = { 1 };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(8192);
	LK_CLEANUP(lk_crl_builder_done) struct lk_crl_builder b = { .any = false };
	struct lk_crl_entry entry = { LK_SLICE_ARRAY(many), PKI_NOW, LK_CRL_UNSPECIFIED };
	struct lk_err e;

	(void)state;
	begin(&b);
	assert_refused(lk_crl_add(&b, &entry, &e), e, LK_R_CRL_SYNTAX);
	/* Written past the check, it is refused by the reader. */
	lk_der_open(&b.w, LK_DER_SEQUENCE);
	lk_der_open(&b.w, LK_DER_SEQUENCE);
	lk_der_unsigned(&b.w, entry.serial);
	lk_der_time(&b.w, PKI_NOW);
	lk_der_close(&b.w);
	b.any = true;
	assert_true(lk_crl_finish(&b, &der, &e).ok);
	/*= RFC5280 4.1.2.2: serial numbers have at most 20 octets =*/
	assert_parse_refused(lk_buf_slice(&der), LK_R_CRL_SYNTAX);
}

static void
test_check(void **state)
{
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = listed(&(struct list){ .version = 2 });
	LK_CLEANUP(lk_crl_freep)
	struct lk_crl *forged = listed(&(struct list){ .signed_by = &other });
	LK_CLEANUP(lk_crl_freep)
	struct lk_crl *by_leaf = listed(&(struct list){ .named = &leaf });
	struct lk_err e;

	(void)state;
	assert_true(lk_crl_check(c, pki_cert(&ca), PKI_NOW, 0, &e).ok);
	/*= RFC5280 6.3.3: the list's issuer is the certificate's issuer =*/
	assert_refused(lk_crl_check(c, pki_cert(&other), PKI_NOW, 0, &e), e, LK_R_CRL_ISSUER);
	/*= RFC5280 6.3.3: the issuer's keyUsage, if present, has cRLSign =*/
	assert_refused(lk_crl_check(by_leaf, pki_cert(&leaf), PKI_NOW, 0, &e), e, LK_R_CRL_ISSUER);
	assert_refused(lk_crl_check(forged, pki_cert(&ca), PKI_NOW, 0, &e), e, LK_R_CRL_SIGNATURE);
	assert_true(lk_crl_check(c, pki_cert(&ca), PKI_NOW + PKI_DAY, 0, &e).ok);
	assert_refused(
		lk_crl_check(c, pki_cert(&ca), PKI_NOW + PKI_DAY + 1, 0, &e), e, LK_R_CRL_TIME);
	assert_true(lk_crl_check(c, pki_cert(&ca), PKI_NOW - 300, 0, &e).ok);
	assert_refused(lk_crl_check(c, pki_cert(&ca), PKI_NOW - 301, 0, &e), e, LK_R_CRL_TIME);
	/*= RFC5280 5.2.3: numbers grow with each list =*/
	assert_refused(lk_crl_check(c, pki_cert(&ca), PKI_NOW, 4712, &e), e, LK_R_CRL_NUMBER);
}

/* A CA that took a new key has the same name; its lists do not. */
static void
test_other_key(void **state)
{
	const struct pki_spec same = { .cn = "Device CA", .ca = true };
	LK_CLEANUP(pki_id_done) struct pki_id second = { .key = NULL };
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(8192);
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
	struct lk_err e;

	(void)state;
	pki_issue(NULL, &same, &second);
	build(1, &der);
	c = parsed(lk_buf_slice(&der));
	assert_refused(lk_crl_check(c, pki_cert(&second), PKI_NOW, 0, &e), e, LK_R_CRL_ISSUER);
}

static void
test_build_refuses(void **state)
{
	LK_CLEANUP(lk_crl_builder_done) struct lk_crl_builder b = { .any = false };
	uint8_t s[16];
	struct lk_crl_entry entry = { serial(1, s), -1, LK_CRL_UNSPECIFIED };
	struct lk_err e;

	(void)state;
	assert_refused(lk_crl_begin(&b, pki_cert(&ca), other.key, 1, PKI_NOW, PKI_NOW + 1, &e), e,
		LK_R_KEY_MISMATCH);
	assert_refused(lk_crl_begin(&b, pki_cert(&leaf), leaf.key, 1, PKI_NOW, PKI_NOW + 1, &e), e,
		LK_R_CRL_ISSUER);
	assert_refused(
		lk_crl_begin(&b, pki_cert(&ca), ca.key, 1, PKI_NOW, PKI_NOW, &e), e, LK_R_CRL_TIME);
	begin(&b);
	assert_refused(lk_crl_add(&b, &entry, &e), e, LK_R_CRL_SYNTAX);
	entry.revoked_at = PKI_NOW;
	entry.reason = (enum lk_crl_reason)7;
	assert_refused(lk_crl_add(&b, &entry, &e), e, LK_R_CRL_SYNTAX);
	entry.reason = LK_CRL_UNSPECIFIED;
	entry.serial = lk_slice(NULL, 0);
	assert_refused(lk_crl_add(&b, &entry, &e), e, LK_R_CRL_SYNTAX);
	assert_false(b.any);
}

static void
test_print(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(8192);
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(4096);
	LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
	struct lk_err e;

	(void)state;
	build(2, &der);
	c = parsed(lk_buf_slice(&der));
	assert_true(lk_crl_print(c, &out, &e).ok);
	assert_string_equal(lk_buf_str(&out),
		"issuer commonName: Device CA\nnumber: 7\nthisUpdate: 2026-01-01T12:00:00Z\n"
		"nextUpdate: 2026-01-02T12:00:00Z\nrevoked: 2\n"
		"80808080808080808080808080000000: 2026-01-01T11:59:00Z, unspecified\n"
		"80808080808080808080808080000001: 2026-01-01T11:59:00Z, keyCompromise\n");
}

static void
test_mutations(void **state)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(8192);
	size_t i;

	(void)state;
	build(2, &der);
	for (i = 0; i < der.n; i++)
		assert_parse_refused(lk_slice(der.p, i), LK_R_CRL_SYNTAX);
	for (i = 0; i < 8 * der.n; i++) {
		LK_CLEANUP(lk_crl_freep) struct lk_crl *c = NULL;
		struct lk_err e = { .reason = LK_R_NONE };

		der.p[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_false(lk_crl_parse(lk_buf_slice(&der), &c, &e).ok &&
			     lk_crl_check(c, pki_cert(&ca), PKI_NOW, 0, &e).ok);
		assert_int_not_equal(e.reason, LK_R_NONE);
		der.p[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	assert_true(lk_buf_append(&der, LK_SLICE_LIT("x"), NULL).ok);
	assert_parse_refused(lk_buf_slice(&der), LK_R_CRL_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_openssl_reads_ours),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_ours_reads_openssl),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_bent),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_serial_limit),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_build_refuses),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, make_cas, free_cas);
}
