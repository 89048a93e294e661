/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of factory/ share.
 */
#pragma once

#include "artefact/cert_profile.h"
#include "base/random.h"
#include "factory/factory.h"

extern const struct lk_json_table lk_factory_table; /* of factory.json */

/* Certifies key by spec (whose spki and serial are filled in); issuer NULL: self-signed. */
LK_RESULT lk_factory_issue(const struct lk_cert_spec *spec, const struct lk_key *key,
	const struct lk_cert *issuer, const struct lk_key *issuer_key,
	const struct lk_random *random, struct lk_cert **ret, struct lk_err *e);
/* A new PEM file. LK_R_FILE_EXISTS. */
LK_RESULT lk_factory_write_cert(const char *path, const struct lk_cert *cert, struct lk_err *e);
