/* SPDX-License-Identifier: Apache-2.0
 *
 * The factory's folder: what `ca init` made and every other command works with.
 *
 *	factory.json		manufacturer, MASA's URL, where the keys are; written last,
 *				so a folder with it is whole
 *	pki/NAME.pem		manufacturer-root, manifest-signer, factory-client
 *	keys/NAME.key		their keys, unless they live in a TPM or token
 *	masa/			for the MASA's host: masa.conf, its certificates and keys
 *	journal			JSON lines: factory/journal.h
 *
 * The factory makes; it never serves. Nothing that is there is overwritten.
 */
#pragma once

#include <limits.h>

#include "artefact/json.h"
#include "base/random.h"
#include "crypto/x509.h"

#define LK_FACTORY_DIR "/var/lib/latchkey/factory"

struct lk_factory_leaves {
	uint32_t present;
	uint64_t schema;
	char manufacturer[65];           /* O of every subject, RFC 5280 A.1 */
	char masa_url[LK_CERT_NAME_MAX]; /* as in id-pe-masa-url: an authority */
	char root_key[LK_KEY_URI_MAX];   /* a relative path begins at the folder */
	char manifest_key[LK_KEY_URI_MAX];
	char client_key[LK_KEY_URI_MAX];
};

struct lk_factory {
	char dir[PATH_MAX];
	struct lk_factory_leaves leaf;
	struct lk_certs root; /* one */
};

LK_RESULT lk_factory_open(const char *dir, struct lk_factory *ret, struct lk_err *e);
void lk_factory_done(struct lk_factory *f); /* cleanup function, too */

/* Certificates of a file below dir, or (NULL) of a path. Caller releases. */
LK_RESULT lk_factory_certs(
	const char *dir, const char *name, struct lk_certs *ret, struct lk_err *e);

/* What `ca init` is told. Everything is borrowed. */
struct lk_factory_plan {
	const char *dir;
	const char *manufacturer;
	const char *masa_url;
	const char *masa_name; /* DNS name of the MASA's certificate; NULL: of masa_url */
	const char *masa_home; /* where masa/ will stand; NULL: where it is made */
	enum lk_key_type type;
	const char *key_store; /* "file:", "tpm2:", or a pkcs11: URI without object */
};

/* Makes the folder, over what a run left that was cut off. LK_R_FILE_EXISTS when there is one. */
LK_RESULT lk_factory_init(const struct lk_factory_plan *plan, int64_t now,
	const struct lk_random *random, struct lk_err *e);

/* RFC 8995 2.3.2: host, or host:port. LK_R_FACTORY_VALUE. */
LK_RESULT lk_factory_check_masa_url(const char *url, struct lk_err *e);
