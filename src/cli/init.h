/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of `latchkey init`: what the operator asked for, and the keys and
 * certificates that come of it.
 */
#pragma once

#include <limits.h>

#include "cli/cli.h"
#include "cli/init_journal.h"
#include "crypto/x509.h"

#define LK_INIT_PORTS_MAX 256 /* of the longest names: what [enforcement] ports takes */

struct lk_init_options {
	const char *name;           /* of the network */
	const char *dir;            /* configuration and certificates */
	const char *state_dir;      /* latchkeyd's */
	const char *runtime_dir;    /* NULL: the default */
	const char *key_store;      /* "file:", "tpm2:" or "pkcs11:token=…" */
	const char *registrar_name; /* DNS name */
	const char *listen;         /* NULL: the default */
	const char *publish;        /* addresses for plain HTTP; NULL: nothing is published */
	const char *radius_dir;     /* NULL: no RADIUS server */
	const char *bridge;
	const char *device_network; /* CIDR */
	const char *ports[LK_INIT_PORTS_MAX];
	size_t n_ports;
	bool consumer; /* a household's size, not an enterprise's */
};

/* --- keys and certificates: init_pki.c -------------------------------------------------------- */

LK_RESULT lk_init_plan_pki(
	const struct lk_init_options *o, struct lk_init_journal *j, struct lk_err *e);
LK_RESULT lk_init_make_pki(const struct lk_init_options *o, int64_t now, struct lk_err *e);
/* The URI of a key by its name in [keys]: "registrar", "device_ca", …; n counts them; NULL: none.
 */
const char *lk_init_key_name(size_t n);
LK_RESULT lk_init_key_uri(const struct lk_init_options *o, const char *name,
	char dst[static LK_KEY_URI_MAX + 1], struct lk_err *e);

/* --- configuration: init_files.c -------------------------------------------------------------- */

LK_RESULT lk_init_plan_files(
	const struct lk_init_options *o, struct lk_init_journal *j, struct lk_err *e);
/* latchkeyd.conf comes last: a network is there once that file is. */
LK_RESULT lk_init_make_files(const struct lk_init_options *o, struct lk_err *e);

/* What is published, by the registrar's name: "http://NAME:PORT" and the path. */
LK_RESULT lk_init_publish_url(const struct lk_init_options *o, const char *path,
	char dst[static LK_CERT_NAME_MAX], struct lk_err *e);

/* A template with its @NAMES@ filled from pairs, ended by NULL. LK_R_BUG for a name that has no
 * pair. Appends to out. */
struct lk_init_value {
	const char *name, *value;
};
LK_RESULT lk_init_fill(
	const char *text, const struct lk_init_value *values, struct lk_buf *out, struct lk_err *e);
