/* SPDX-License-Identifier: Apache-2.0
 *
 * The front towards devices: BRSKI, EST and Latchkey's own endpoints over TLS. It
 * holds no key, decides nothing, writes nothing and connects nowhere.
 */
#include <stdlib.h>

#include "net/mdns_io.h"
#include "noc/noc.h"
#include "role/certs_file.h"
#include "role/front.h"

struct state {
	struct lk_certs chain;
	struct lk_front *front;
};

static struct lk_result
front_open(struct lk_process *p, struct lk_err *e)
{
	struct state *s = calloc(1, sizeof *s);
	char path[PATH_MAX];

	LK_REQUIRE(s, e, LK_R_NOMEM, "no memory for a front");
	p->state = s;
	LK_TRY(lk_noc_pki_path(lk_noc_config_of(p), "registrar.pem", path, e));
	return lk_certs_read(path, &s->chain, e);
}

static struct lk_result
front_cage(struct lk_process *p, struct lk_cage_rules *rules, struct lk_err *e)
{
	(void)p;
	(void)e;
	rules->profiles = LK_CAGE_SERVE;
	return LK_OK;
}

static struct lk_result
front_start(struct lk_process *p, struct lk_err *e)
{
	struct state *s = p->state;
	struct lk_front_settings set = { .service = LK_SERVICE_NOC, .listener = "devices",
		.chain = &s->chain, .key = LK_SIGNER_REGISTRAR,
		.allow_tls12 = lk_noc_config_of(p)->allow_tls12 };

	return lk_front_new(p, &set, &s->front, e);
}

static void
front_close(struct lk_process *p)
{
	struct state *s = p->state;

	if (!s)
		return;
	lk_front_free(s->front);
	lk_certs_done(&s->chain);
	free(s);
}

const struct lk_role_work lk_noc_front = {
	.open = front_open,
	.cage = front_cage,
	.start = front_start,
	.close = front_close,
};
