/* SPDX-License-Identifier: Apache-2.0
 *
 * The bodies of the messages between roles: structs, made from ipc/body.def,
 * that one loop packs and another unpacks. Both directions of every message are
 * thus the same table.
 */
#pragma once

#include "ipc/pack.h"

#define LK_BODY(name)                   struct lk_##name##_body {
#define LK_BODY_INT(name, field)        int64_t field;
#define LK_BODY_BOOL(name, field)       bool field;
#define LK_BODY_TEXT(name, field, size) char field[size];
#define LK_BODY_BYTES(name, field, max) struct lk_slice field;
#define LK_BODY_END(name) \
	}                 \
	;
#include "ipc/body.def"

/* Of an operator's request: a manifest of LK_MANIFEST_MAX octets, each of which JSON may escape. */
#define LK_OPERATOR_ARGUMENTS_MAX (17 * 1024 * 1024)

enum lk_body { /* LK_BODY_web_request, … */
#define LK_BODY(name) LK_BODY_##name,
#include "ipc/body.def"
	LK_BODY_COUNT
};

const char *lk_body_name(enum lk_body which);
/* The most bytes that it packs to. */
size_t lk_body_max(enum lk_body which);
/* Appends the fields of *body to out. */
LK_RESULT lk_body_pack(enum lk_body which, const void *body, struct lk_buf *out, struct lk_err *e);
/* Fills *ret_body, whose slices borrow from in. LK_R_IPC_MALFORMED. */
LK_RESULT lk_body_unpack(enum lk_body which, struct lk_slice in, void *ret_body, struct lk_err *e);

/* Several byte strings in one BYTES field. */
LK_RESULT lk_list_add(struct lk_buf *list, struct lk_slice item, struct lk_err *e);
/* Takes the first item off *list; *ret_more is false when it was empty. */
LK_RESULT lk_list_next(
	struct lk_slice *list, bool *ret_more, struct lk_slice *ret_item, struct lk_err *e);

/* What a program's signer holds; each key signs for its own purposes only (ipc/signer.def). */
enum lk_signer_key {
	LK_SIGNER_REGISTRAR,  /* TLS of the front and voucher-requests (RFC 8995 5.5.5 has one key
			       * for both), onboarding information, checkpoints */
	LK_SIGNER_DEVICE_CA,  /* LDevIDs, their CRL */
	LK_SIGNER_SERVICE_CA, /* plain EST */
	LK_SIGNER_SERVER_CA,  /* registrar, RADIUS server */
	LK_SIGNER_OPERATOR_CA,
	LK_SIGNER_AAA,     /* TLS of the hook */
	LK_SIGNER_MASA,    /* TLS of the MASA's front */
	LK_SIGNER_VOUCHER, /* vouchers, the MASA's checkpoints */
	LK_SIGNER_KEY_COUNT
};

enum lk_port_event {
	LK_PORT_SEEN,           /* an unknown MAC sent its first frame */
	LK_PORT_AUTHENTICATED,  /* hostapd's AP-STA-CONNECTED */
	LK_PORT_LEFT,           /* hostapd's AP-STA-DISCONNECTED, or the link went down */
	LK_PORT_FOREIGN_MAC,    /* a MAC that lives on another port: refused, an alarm */
	LK_PORT_FOREIGN_SOURCE, /* a source address that is not the device's */
	LK_PORT_LEASE,          /* the device got an address */
	LK_PORT_EVENT_COUNT
};
