/* SPDX-License-Identifier: Apache-2.0
 *
 * The domain's certificates, its cryptography and its model of trust (NIST's
 * paper 6.4.1 and 6.4.9), as JSON. Of these only the registrar's certificate
 * changes while the desk lives.
 */
#pragma once

#include "crypto/x509.h"
#include "noc/config.h"
#include "noc/desk/model.h"

enum { LK_DOMAIN_CAS = 5 };

/* Read before the cage. */
struct lk_domain {
	struct lk_certs
		ca[LK_DOMAIN_CAS]; /* root, device, service, server, operator: own one first */
	struct lk_certs registrar;
	struct lk_certs radius_anchor; /* n is 0 where there is no RADIUS server */
};

LK_RESULT lk_domain_read(const struct lk_noc_config *c, struct lk_domain *ret, struct lk_err *e);
void lk_domain_done(struct lk_domain *d);

/* Each with "schema": 1; caller decrefs. */
LK_RESULT lk_domain_ca(
	const struct lk_domain *d, struct lk_model *m, json_t **ret, struct lk_err *e);
LK_RESULT lk_domain_crypto(const struct lk_noc_config *c, const struct lk_est_labels *labels,
	json_t **ret, struct lk_err *e);
LK_RESULT lk_domain_trust(
	const struct lk_domain *d, struct lk_model *m, json_t **ret, struct lk_err *e);
