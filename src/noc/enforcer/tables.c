/* SPDX-License-Identifier: Apache-2.0
 *
 * Our tables in the kernel: made from what is in memory, and made anew when they are missing or
 * somebody altered them.
 */
#include "noc/enforcer/internal.h"

#include "base/log.h"
#include "noc/enforcer/nft.h"

static struct lk_result
apply_rules(struct enforcer *s, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_RULESET_JSON_MAX);
	const char *names[LK_RULESET_PORTS_MAX];
	struct lk_ruleset r = s->rules;
	size_t i;

	for (i = 0; i < s->n_ports; i++)
		names[i] = s->ports[i]->link.name;
	r.ports = names;
	r.n_ports = s->n_ports;
	LK_TRY(lk_ruleset_print(&r, &text, e));
	return lk_nft_apply(lk_buf_slice(&text), e);
}

struct lk_result
lk_tables_install(struct enforcer *s, struct lk_err *e)
{
	size_t i;

	s->fingerprint = 0;
	LK_TRY(apply_rules(s, e));
	for (i = 0; i < s->n_open; i++)
		LK_TRY(lk_elements_admit(s->netfilter, &s->open[i].admission, e));
	/* In this order: what somebody alters in between has a later generation. */
	LK_TRY(lk_netfilter_generation(s->netfilter, &s->generation, e));
	return lk_netfilter_fingerprint(s->netfilter, &s->fingerprint, e);
}

/*= Latchkey enforcement: tables that are missing or altered are restored before anything is opened =*/
struct lk_result
lk_tables_ensure(struct enforcer *s, struct lk_err *e)
{
	uint32_t generation;
	uint64_t fingerprint;

	if (!s->fingerprint)
		return lk_tables_install(s, e);
	LK_TRY(lk_netfilter_generation(s->netfilter, &generation, e));
	if (generation == s->generation)
		return LK_OK;
	LK_TRY(lk_netfilter_fingerprint(s->netfilter, &fingerprint, e));
	if (fingerprint == s->fingerprint) {
		s->generation = generation;
		return LK_OK;
	}
	LK_TRY(lk_tables_install(s, e));
	lk_log(LK_LOG_WARNING, "tables-restored", "msg",
		fingerprint ? "somebody altered the tables named latchkey"
			    : "the tables named latchkey were missing",
		NULL);
	return LK_OK;
}
