/* SPDX-License-Identifier: Apache-2.0
 *
 * The signer's host.
 */
#include "role/signer_host.h"

#include "artefact/crl.h"
#include "role/certs_file.h"

#define SIGNED_MAX LK_CRL_MAX

struct lk_result
lk_signer_load(struct lk_signer_settings *settings, enum lk_signer_key which, const char *uri,
	const char *chain_path, struct lk_err *e)
{
	struct lk_signer_identity *id = &settings->identity[which];

	if (!uri[0])
		return LK_OK;
	LK_TRY(lk_certs_read(chain_path, &id->chain, e));
	LK_TRY(lk_key_load(uri, &id->key, e));
	LK_REQUIRE(lk_slice_eq(lk_key_spki(id->key), lk_cert_spki(id->chain.v[0])), e,
		LK_R_KEY_MISMATCH, "%s does not belong to the first certificate of %s", uri,
		chain_path);
	return LK_OK;
}

union request {
#define LK_BODY(name) struct lk_##name##_body as_##name;
#include "ipc/body.def"
};

static struct lk_result
on_request(struct lk_process *p, const struct lk_peer_ref *from, const struct lk_message *m,
	struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf out = LK_BUF_INIT(SIGNED_MAX);
	struct lk_signed_body reply;
	struct lk_err why = { 0 };
	union request body;

	LK_TRY(lk_body_unpack(m->type, m->body, &body, e));
	if (!lk_signer_sign(p->state, from->role, m->type, &body, &out, &why).ok)
		return lk_process_refuse(p, from, &why, e);
	reply.bytes = lk_buf_slice(&out);
	return lk_process_reply(p, from, LK_BODY_signed, &reply, e);
}

const struct lk_message_route lk_signer_routes[LK_SIGNER_N_ROUTES] = {
#define LK_SIGNS(message, function) { LK_BODY_##message, LK_ROLE_KEEPER, on_request },
#include "ipc/signer.def"
#undef LK_SIGNS
	{ LK_BODY_sign_tls, LK_ROLE_FRONT, on_request },
	{ LK_BODY_sign_tls, LK_ROLE_COURIER, on_request },
	{ LK_BODY_sign_tls, LK_ROLE_AAA, on_request },
};

void
lk_signer_close(struct lk_process *p)
{
	p->state = lk_signer_free(p->state);
}

void
lk_signer_cage(const char *key, const char *token_dir, struct lk_cage_rules *rules)
{
	static struct lk_cage_path token;
	enum lk_key_place place;

	if (!lk_key_place_of(key, &place, NULL).ok || place != LK_KEY_IN_PKCS11)
		return;
	token = (struct lk_cage_path){ token_dir, LK_CAGE_READ | LK_CAGE_WRITE };
	rules->profiles |= LK_CAGE_FILES;
	rules->paths = &token;
	rules->n_paths = 1;
}
