/* SPDX-License-Identifier: Apache-2.0
 *
 * One short function for each thing that is signed.
 */
#include "role/signer.h"

#include <stdlib.h>

#include "artefact/checkpoint.h"
#include "artefact/crl.h"
#include "artefact/voucher_request.h"
#include "crypto/tls_tbs.h"
#include "role/crl_list.h"

struct lk_signer {
	struct lk_signer_settings set;
};

void
lk_signer_settings_done(struct lk_signer_settings *s)
{
	size_t i;

	for (i = 0; i < LK_SIGNER_KEY_COUNT; i++) {
		s->identity[i].key = lk_key_free(s->identity[i].key);
		lk_certs_done(&s->identity[i].chain);
	}
}

struct lk_result
lk_signer_new(struct lk_signer_settings *settings, struct lk_signer **ret, struct lk_err *e)
{
	struct lk_signer *s = calloc(1, sizeof *s);

	if (!s) {
		lk_signer_settings_done(settings);
		return lk_fail(e, LK_R_NOMEM, "no memory for the signer");
	}
	s->set = *settings;
	memset(settings->identity, 0, sizeof settings->identity);
	*ret = s;
	return LK_OK;
}

struct lk_signer *
lk_signer_free(struct lk_signer *s)
{
	if (s)
		lk_signer_settings_done(&s->set);
	free(s);
	return NULL;
}

struct lk_result
lk_signer_renew(struct lk_signer *s, enum lk_signer_key which, const struct lk_certs *chain,
	struct lk_err *e)
{
	struct lk_signer_identity *id = &s->set.identity[which];

	LK_REQUIRE(id->key && chain->n > 0 &&
			   lk_slice_eq(lk_key_spki(id->key), lk_cert_spki(chain->v[0])),
		e, LK_R_KEY_MISMATCH, "the renewed certificate is of another key");
	lk_certs_copy(chain, &id->chain);
	return LK_OK;
}

static struct lk_result
identity(const struct lk_signer *s, enum lk_signer_key which, const struct lk_signer_identity **ret,
	struct lk_err *e)
{
	LK_REQUIRE(
		s->set.identity[which].key, e, LK_R_SIGNER_KEY, "key %d is not here", (int)which);
	*ret = &s->set.identity[which];
	return LK_OK;
}

/*= Latchkey signer: nothing is signed before it is recorded =*/
static struct lk_result
recorded(int64_t event, struct lk_err *e)
{
	LK_REQUIRE(event > 0, e, LK_R_SIGNER_EVENT, "no event of the ledger stands behind it");
	return LK_OK;
}

/* A slice that the request lends, where a buffer is asked for. Never freed. */
static struct lk_buf
lend(struct lk_slice s)
{
	return (struct lk_buf){ (uint8_t *)(uintptr_t)s.p, s.n, 0, s.n };
}

static struct lk_result
text(const char *from, char *to, size_t cap, struct lk_err *e)
{
	return lk_slice_to_str(lk_slice_str(from), "text", to, cap, e);
}

static struct lk_result
voucher_request(struct lk_signer *s, const void *body, struct lk_buf *out, struct lk_err *e)
{
	const struct lk_sign_voucher_request_body *b = body;
	struct lk_voucher_request_leaves leaf = { 0 };
	const struct lk_signer_identity *id;

	LK_TRY(recorded(b->event, e));
	LK_TRY(identity(s, LK_SIGNER_REGISTRAR, &id, e));
	leaf.present = 1u << LK_REQUEST_CREATED_ON | 1u << LK_REQUEST_SERIAL_NUMBER |
		       1u << LK_REQUEST_ASSERTION;
	leaf.created_on = b->created_on;
	leaf.assertion = LK_ASSERTION_PROXIMITY;
	LK_TRY(text(b->serial_number, leaf.serial_number, sizeof leaf.serial_number, e));
	LK_TRY(text(b->nonce, leaf.nonce, sizeof leaf.nonce, e));
	if (b->nonce[0])
		leaf.present |= 1u << LK_REQUEST_NONCE;
	leaf.idevid_issuer = lend(b->idevid_issuer);
	if (b->idevid_issuer.n)
		leaf.present |= 1u << LK_REQUEST_IDEVID_ISSUER;
	leaf.prior_signed_voucher_request = lend(b->prior_signed);
	if (b->prior_signed.n)
		leaf.present |= 1u << LK_REQUEST_PRIOR_SIGNED_VOUCHER_REQUEST;
	return lk_registrar_request_build(&leaf, id->key, &id->chain, out, e);
}

static struct lk_result
voucher(struct lk_signer *s, const void *body, struct lk_buf *out, struct lk_err *e)
{
	const struct lk_sign_voucher_body *b = body;
	struct lk_voucher_leaves leaf = { 0 };
	LK_CLEANUP(lk_cert_freep) struct lk_cert *pinned = NULL;
	const struct lk_signer_identity *id;

	LK_TRY(recorded(b->event, e));
	LK_TRY(identity(s, LK_SIGNER_VOUCHER, &id, e));
	LK_REQUIRE(b->assertion >= 0 && b->assertion < LK_ASSERTION_COUNT, e, LK_R_SIGNER_UNASKED,
		"there is no assertion %lld", (long long)b->assertion);
	leaf.present = 1u << LK_VOUCHER_CREATED_ON | 1u << LK_VOUCHER_ASSERTION |
		       1u << LK_VOUCHER_SERIAL_NUMBER | 1u << LK_VOUCHER_PINNED_DOMAIN_CERT;
	leaf.created_on = b->created_on;
	leaf.assertion = (int)b->assertion;
	LK_TRY(text(b->serial_number, leaf.serial_number, sizeof leaf.serial_number, e));
	/*= Latchkey signer: what a voucher pins is a certificate =*/
	LK_TRY(lk_cert_parse(b->pinned_domain_cert, &pinned, e));
	leaf.pinned_domain_cert = lend(b->pinned_domain_cert);
	LK_TRY(text(b->nonce, leaf.nonce, sizeof leaf.nonce, e));
	if (b->nonce[0])
		leaf.present |= 1u << LK_VOUCHER_NONCE;
	leaf.expires_on = b->expires_on;
	if (b->expires_on)
		leaf.present |= 1u << LK_VOUCHER_EXPIRES_ON;
	leaf.idevid_issuer = lend(b->idevid_issuer);
	if (b->idevid_issuer.n)
		leaf.present |= 1u << LK_VOUCHER_IDEVID_ISSUER;
	return lk_voucher_build(&leaf, id->key, &id->chain, out, e);
}

/* Which CA signs which profile; what has no row is never issued by this process. */
static const struct {
	enum lk_cert_profile profile;
	enum lk_signer_key ca;
} issuers[] = {
	{ LK_PROFILE_LDEVID, LK_SIGNER_DEVICE_CA },
	{ LK_PROFILE_SERVICE, LK_SIGNER_SERVICE_CA },
	{ LK_PROFILE_REGISTRAR, LK_SIGNER_SERVER_CA },
	{ LK_PROFILE_SERVER, LK_SIGNER_SERVER_CA },
	{ LK_PROFILE_RADIUS_SERVER, LK_SIGNER_SERVER_CA },
	{ LK_PROFILE_AAA_CLIENT, LK_SIGNER_SERVER_CA },
	{ LK_PROFILE_OPERATOR, LK_SIGNER_OPERATOR_CA },
};

/* The address of the revocation list of the profile's CA; "" when there is none. */
static struct lk_result
list_url(const struct lk_signer *s, int64_t profile, char dst[static LK_CERT_NAME_MAX],
	struct lk_err *e)
{
	size_t i, list;

	dst[0] = 0;
	for (i = 0; s->set.publish_url[0] && i < LK_ARRAY_LEN(issuers); i++)
		for (list = 0; list < LK_CRL_LIST_COUNT; list++)
			if (issuers[i].profile == profile &&
				lk_crl_lists[list].key == issuers[i].ca)
				LK_REQUIRE(
					snprintf(dst, LK_CERT_NAME_MAX, "%s%s", s->set.publish_url,
						lk_crl_lists[list].path) < LK_CERT_NAME_MAX,
					e, LK_R_TOO_LARGE,
					"the address of revocation lists is too long");
	return LK_OK;
}

static struct lk_result
issuer_of(const struct lk_signer *s, int64_t profile, const struct lk_signer_identity **ret,
	struct lk_err *e)
{
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(issuers); i++)
		if (issuers[i].profile == profile)
			return identity(s, issuers[i].ca, ret, e);
	return lk_fail(e, LK_R_SIGNER_UNASKED, "certificates of profile %lld are not issued here",
		(long long)profile);
}

static struct lk_result
certificate(struct lk_signer *s, const void *body, struct lk_buf *out, struct lk_err *e)
{
	const struct lk_sign_certificate_body *b = body;
	const struct lk_signer_identity *id;
	struct lk_cert_spec spec = { 0 };
	char crl_url[LK_CERT_NAME_MAX];

	LK_TRY(recorded(b->event, e));
	LK_TRY(issuer_of(s, b->profile, &id, e));
	/*= RFC5280 4.2.1.13: a certificate says where its revocation list is =*/
	LK_TRY(list_url(s, b->profile, crl_url, e));
	spec.crl_url = crl_url;
	spec.profile = (enum lk_cert_profile)b->profile;
	spec.common_name = b->common_name;
	spec.serial_number = b->serial_number;
	spec.san_uri = b->san_uri;
	spec.san_dns = b->san_dns;
	spec.san_ip = b->san_ip;
	spec.spki = b->spki;
	spec.serial = b->serial;
	spec.not_before = b->not_before;
	spec.not_after = b->not_after;
	return lk_cert_issue(&spec, id->chain.v[0], id->key, out, e);
}

static struct lk_result
onboarding_information(struct lk_signer *s, const void *body, struct lk_buf *out, struct lk_err *e)
{
	const struct lk_sign_onboarding_information_body *b = body;
	const struct lk_signer_identity *id;
	struct lk_onboarding_leaves leaf;

	LK_TRY(recorded(b->event, e));
	LK_REQUIRE(
		s->set.onboarding, e, LK_R_SIGNER_KEY, "no onboarding information is configured");
	LK_TRY(identity(s, LK_SIGNER_REGISTRAR, &id, e));
	leaf = *s->set.onboarding; /* borrows its buffers */
	leaf.present |= 1u << LK_ONBOARDING_DEVICE | 1u << LK_ONBOARDING_SERIAL_NUMBER |
			1u << LK_ONBOARDING_ISSUED_ON | 1u << LK_ONBOARDING_SEQUENCE;
	leaf.issued_on = b->issued_at;
	leaf.sequence = (uint64_t)b->sequence;
	LK_TRY(text(b->device_id, leaf.device, sizeof leaf.device, e));
	LK_TRY(text(b->serial_number, leaf.serial_number, sizeof leaf.serial_number, e));
	return lk_onboarding_build(&leaf, id->key, &id->chain, out, e);
}

/* One revoked certificate of a sign_crl body: time, reason, serial. */
static struct lk_result
add_revoked(struct lk_crl_builder *b, struct lk_slice item, struct lk_err *e)
{
	struct lk_unpack u = lk_unpack_init("revoked certificate", item, e);
	struct lk_crl_entry entry;
	unsigned reason;

	LK_TRY(lk_unpack_i64(&u, &entry.revoked_at));
	LK_TRY(lk_unpack_enum(&u, LK_CRL_REASON_COUNT, &reason));
	LK_TRY(lk_unpack_bytes(&u, LK_CERT_SERIAL_MAX, &entry.serial));
	LK_TRY(lk_unpack_end(&u));
	entry.reason = (enum lk_crl_reason)reason;
	return lk_crl_add(b, &entry, e);
}

static struct lk_result
crl(struct lk_signer *s, const void *body, struct lk_buf *out, struct lk_err *e)
{
	const struct lk_sign_crl_body *b = body;
	LK_CLEANUP(lk_crl_builder_done) struct lk_crl_builder builder = { .any = false };
	const struct lk_signer_identity *id;
	struct lk_slice list = b->revoked, item;
	bool more;

	LK_TRY(recorded(b->event, e));
	LK_TRY(issuer_of(s, b->issuer, &id, e));
	LK_TRY(lk_crl_begin(&builder, id->chain.v[0], id->key, (uint64_t)b->number, b->this_update,
		b->next_update, e));
	for (;;) {
		LK_TRY(lk_list_next(&list, &more, &item, e));
		if (!more)
			return lk_crl_finish(&builder, out, e);
		LK_TRY(add_revoked(&builder, item, e));
	}
}

static struct lk_result
checkpoint(struct lk_signer *s, const void *body, struct lk_buf *out, struct lk_err *e)
{
	const struct lk_sign_checkpoint_body *b = body;
	const struct lk_signer_identity *id;
	struct lk_checkpoint c = { .seq = (uint64_t)b->event, .at = b->at };

	LK_TRY(recorded(b->event, e));
	LK_TRY(identity(s,
		s->set.identity[LK_SIGNER_REGISTRAR].key ? LK_SIGNER_REGISTRAR : LK_SIGNER_VOUCHER,
		&id, e));
	memcpy(c.node, s->set.node, sizeof c.node);
	memcpy(c.site, s->set.site, sizeof c.site);
	c.hash = lend(b->hash);
	return lk_checkpoint_build(&c, id->key, &id->chain, out, e);
}

/* Which keys serve TLS, and on which side. */
static const struct {
	enum lk_signer_key key;
	enum lk_tls_end end;
	uint32_t askers; /* bit per role */
} tls_uses[] = {
	{ LK_SIGNER_REGISTRAR, LK_TLS_SERVER, 1u << LK_ROLE_FRONT },
	{ LK_SIGNER_REGISTRAR, LK_TLS_CLIENT, 1u << LK_ROLE_COURIER },
	{ LK_SIGNER_AAA, LK_TLS_SERVER, 1u << LK_ROLE_AAA },
	{ LK_SIGNER_MASA, LK_TLS_SERVER, 1u << LK_ROLE_FRONT },
};

static struct lk_result
tls(struct lk_signer *s, enum lk_role asker, const struct lk_sign_tls_body *b, struct lk_buf *out,
	struct lk_err *e)
{
	const struct lk_signer_identity *id;
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(tls_uses); i++) {
		if (tls_uses[i].key != b->key || !(tls_uses[i].askers & 1u << asker))
			continue;
		/*= Latchkey signer: a front gets well-formed TLS handshake inputs signed, never a digest =*/
		LK_TRY(lk_tls_tbs_check(b->input, tls_uses[i].end, e));
		LK_TRY(identity(s, tls_uses[i].key, &id, e));
		return lk_key_sign(id->key, b->input, out, e);
	}
	return lk_fail(e, LK_R_SIGNER_UNASKED, "%s may not sign TLS with key %lld",
		lk_role_name(asker), (long long)b->key);
}

struct lk_result
lk_signer_sign(struct lk_signer *s, enum lk_role asker, enum lk_body type, const void *body,
	struct lk_buf *out, struct lk_err *e)
{
	static const struct {
		enum lk_body type;
		struct lk_result (*sign)(struct lk_signer *s, const void *body, struct lk_buf *out,
			struct lk_err *e);
	} table[] = {
#define LK_SIGNS(message, function) { LK_BODY_##message, function },
#include "ipc/signer.def"
#undef LK_SIGNS
	};
	size_t i;

	if (type == LK_BODY_sign_tls)
		return tls(s, asker, body, out, e);
	for (i = 0; i < LK_ARRAY_LEN(table) && asker == LK_ROLE_KEEPER; i++)
		if (table[i].type == type)
			return table[i].sign(s, body, out, e);
	return lk_fail(e, LK_R_SIGNER_UNASKED, "%s may not have a %s signed", lk_role_name(asker),
		lk_body_name(type));
}
