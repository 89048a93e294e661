/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints of the ledger.
 */
#include "artefact/checkpoint.h"

#include "artefact/cert_profile.h"

#define ROOT "latchkey:checkpoint"

#define FIELD(field, type) LK_JSON_FIELD(struct lk_checkpoint, field, #field, type, MANDATORY)
static const struct lk_json_field fields[] = {
	FIELD(node, TEXT),
	FIELD(site, TEXT),
	FIELD(seq, U64),
	FIELD(at, TIME),
	LK_JSON_BINARY_FIELD(struct lk_checkpoint, hash, "hash", MANDATORY, LK_CHECKPOINT_HASH_LEN),
};

static const struct lk_json_table table = {
	.what = "the checkpoint",
	.fields = fields,
	.n = LK_ARRAY_LEN(fields),
	.present_offset = offsetof(struct lk_checkpoint, present),
	.reason = LK_R_CHECKPOINT,
	.unknown = LK_JSON_REFUSE_UNKNOWN,
};

void
lk_checkpoint_done(struct lk_checkpoint *c)
{
	lk_json_done(&table, c);
}

struct lk_result
lk_checkpoint_parse(struct lk_slice der, const struct lk_cert *signer, struct lk_checkpoint *ret,
	struct lk_err *e)
{
	LK_CLEANUP(lk_checkpoint_done) struct lk_checkpoint c = { 0 };
	LK_CLEANUP(lk_cms_freep) struct lk_cms *cms = NULL;
	json_auto_t *obj = NULL;

	LK_REQUIRE(der.n <= LK_CHECKPOINT_MAX, e, LK_R_TOO_LARGE,
		"a checkpoint of %zu bytes, at most %d are taken", der.n, LK_CHECKPOINT_MAX);
	LK_TRY(lk_cms_parse(der, &cms, e));
	if (signer)
		LK_TRY(lk_cms_verify(cms, signer, e));
	LK_TRY(lk_json_parse_yang(lk_cms_content(cms), ROOT, &obj, e));
	LK_TRY(lk_json_read(&table, obj, &c, e));
	LK_REQUIRE(c.hash.n == LK_CHECKPOINT_HASH_LEN, e, LK_R_CHECKPOINT,
		"the hash has %zu octets, want %d", c.hash.n, LK_CHECKPOINT_HASH_LEN);
	*ret = c;
	c.hash = LK_BUF_INIT(0);
	return LK_OK;
}

/* A device chains to the same anchor, and signs whatever it likes. */
static bool
keeps_a_ledger(const struct lk_cert *cert)
{
	return lk_cert_has_eku(cert, LK_OID_EKU_CMC_RA) ||
	       lk_cert_check_profile(cert, LK_PROFILE_VOUCHER_SIGNER, NULL).ok;
}

struct lk_result
lk_checkpoint_check(
	struct lk_slice der, const struct lk_anchors *anchors, int64_t now, struct lk_err *e)
{
	LK_CLEANUP(lk_cms_freep) struct lk_cms *cms = NULL;
	const struct lk_cert *signer;

	LK_TRY(lk_cms_parse(der, &cms, e));
	signer = lk_cms_signer(cms);
	LK_REQUIRE(signer, e, LK_R_CHECKPOINT_SIGNER, "the signer's certificate is not enclosed");
	LK_TRY(lk_cms_verify(cms, signer, e));
	if (!lk_chain_verify(anchors, signer, lk_cms_certs(cms), LK_TIMES_CHECK, now, e).ok)
		return lk_fail_as(e, LK_R_CERT_CHAIN, LK_R_CHECKPOINT_SIGNER,
			"the signer is below no anchor");
	LK_REQUIRE(keeps_a_ledger(signer), e, LK_R_CHECKPOINT_SIGNER,
		"the signer is neither a registrar nor a signer of vouchers");
	return LK_OK;
}

struct lk_result
lk_checkpoint_print(const struct lk_checkpoint *c, struct lk_buf *out, struct lk_err *e)
{
	json_auto_t *obj = NULL;
	const char *name;
	json_t *value;

	LK_TRY(lk_json_write(&table, c, &obj, e));
	json_object_foreach (obj, name, value)
		LK_TRY(lk_json_print_line(name, value, out, e));
	return LK_OK;
}

struct lk_result
lk_checkpoint_build(const struct lk_checkpoint *c, const struct lk_key *key,
	const struct lk_certs *certs, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_CHECKPOINT_MAX);
	struct lk_checkpoint all = *c;
	json_auto_t *obj = NULL;

	all.present = (UINT32_C(1) << LK_ARRAY_LEN(fields)) - 1;
	LK_TRY(lk_json_write(&table, &all, &obj, e));
	LK_TRY(lk_json_print_yang(obj, ROOT, &text, e));
	return lk_cms_sign(LK_CMS_DATA, lk_buf_slice(&text), c->at, key, certs, out, e);
}
