/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a registrar's CA took its certificate back (RFC 8995 5.5.3), by the lists that the
 * manufacturer holds of its customers' CAs.
 */
#include "masa/keeper/internal.h"

#include "base/encode.h"

void
lk_masa_crls_done(struct lk_masa_crls *l)
{
	while (l->n)
		lk_crl_free(l->v[--l->n]);
}

void
lk_masa_keeper_heed(struct lk_masa_keeper *k, struct lk_masa_crls *lists)
{
	lk_masa_crls_done(&k->crls);
	k->crls = *lists;
	lists->n = 0;
}

/* A list is the issuer's when its name and key say so; another CA may have the same name. */
static struct lk_result
check_link(const struct lk_masa_crls *lists, const struct lk_cert *c, const struct lk_cert *issuer,
	int64_t now, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf serial = LK_BUF_INIT(LK_CERT_SERIAL_MAX);
	char hex[LK_CERT_SERIAL_HEX_MAX];
	bool any = false, current = false;
	struct lk_err why, old;
	size_t i;

	lk_cert_serial(c, hex);
	LK_TRY(lk_hex_decode(lk_slice_str(hex), &serial, e));
	for (i = 0; i < lists->n; i++) {
		bool good = lk_crl_check(lists->v[i], issuer, now, 0, &why).ok;

		if (!good && why.reason != LK_R_CRL_TIME)
			continue;
		/*= RFC8995 5.5.3: a registrar whose certificate was revoked gets nothing =*/
		LK_REQUIRE(!lk_crl_find(lists->v[i], lk_buf_slice(&serial), NULL), e,
			LK_R_MASA_REGISTRAR_REVOKED, "certificate %s of the registrar is revoked",
			hex);
		any = true;
		current = current || good;
		if (!good)
			old = why;
	}
	/*= Latchkey MASA: a revocation list that is out of date vouches for nobody =*/
	LK_REQUIRE(!any || current, e, LK_R_MASA_CRL_OLD, "%s", old.msg);
	return LK_OK;
}

struct lk_result
lk_masa_check_revocation(const struct lk_masa_crls *lists, const struct lk_voucher_request *r,
	int64_t now, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };
	size_t i;

	if (!lists->n)
		return LK_OK;
	LK_TRY(lk_chain_order(lk_cms_signer(r->cms), lk_cms_certs(r->cms), &chain, e));
	for (i = 0; i + 1 < chain.n; i++)
		LK_TRY(check_link(lists, chain.v[i], chain.v[i + 1], now, e));
	return LK_OK;
}
