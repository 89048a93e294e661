/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the MASA's keeper.
 */
#pragma once

#include "masa/keeper/keeper.h"

#define LK_MASA_RETRY_AFTER 5 /* seconds: what fails for a moment, a signer that starts anew */

struct lk_masa_keeper {
	struct lk_masa_settings set;
	struct lk_turn *turn;
	struct lk_anchors *manufacturer;
	struct lk_masa_crls crls;
};

static inline struct lk_masa_keeper *
masa_of(const struct lk_turn *t)
{
	return lk_turn_app(t);
}

typedef struct lk_result masa_handler(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e);
masa_handler lk_masa_requestvoucher, lk_masa_requestauditlog, lk_masa_factory_devices,
	lk_masa_factory_sales;

/* keeper.c */
LK_RESULT lk_masa_reply(struct lk_turn *t, const struct lk_message_in *m, int status,
	const char *type, struct lk_slice body, struct lk_err *e);
/* Takes the payload, of a json_pack() that may have found no memory. */
LK_RESULT lk_masa_event(struct lk_turn *t, const char *type, const char *device_id,
	const char *actor, json_t *payload, int64_t *ret_seq, struct lk_err *e);

LK_RESULT lk_masa_failure(struct lk_turn *t, const char *type, const char *device_id,
	const char *actor, const struct lk_err *why, struct lk_err *e);
/* What the asker is told of it; ret borrows the text. */
LK_RESULT lk_masa_refusal(const struct lk_err *why, struct lk_buf *text,
	struct lk_web_reply_body *ret, struct lk_err *e);

/* revocation.c: of a request whose signature verified. LK_R_MASA_REGISTRAR_REVOKED,
 * LK_R_MASA_CRL_OLD. */
LK_RESULT lk_masa_check_revocation(const struct lk_masa_crls *lists,
	const struct lk_voucher_request *r, int64_t now, struct lk_err *e);

/* voucher.c: what requestvoucher and requestauditlog have in common. */
struct asked {
	struct lk_voucher_request *request;
	struct lk_verified_registrar_request verified;
	struct lk_masa_device_record device;
	char owner_id[LK_ID_MAX];            /* of the domain that asks; "" when it is nobody's */
	char domain_spki[LK_DIGEST_HEX_MAX]; /* digest of the domain CA's key */
};
#define ASKED_INIT                                    \
	{                                             \
		.device = LK_RECORD_INIT(masa_device) \
	}
void lk_asked_done(struct asked *a);
LK_RESULT lk_masa_ask(struct lk_turn *t, const struct lk_web_request_body *w, struct asked *ret,
	struct lk_err *e);
