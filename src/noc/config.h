/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkeyd's configuration. The table in config.c is the manual's as well.
 */
#pragma once

#include "net/egress.h"
#include "proto/est_label.h"
#include "role/config.h"

struct lk_noc_config {
	struct lk_config_common common;

	/* [network] */
	char network[65];                 /* its identifier */
	char pki_dir[LK_CONFIG_TEXT_MAX]; /* certificates, as latchkey init wrote them */
	char lifecycle_url[LK_CONFIG_TEXT_MAX];
	char radius_anchor[LK_CONFIG_TEXT_MAX]; /* file; "" where there is no RADIUS server */
	char radius_server[LK_CONFIG_TEXT_MAX];
	char applications[LK_CONFIG_TEXT_MAX]; /* kind=url[|anchor file], comma-separated */

	/* [front] */
	char listen[LK_CONFIG_TEXT_MAX];
	uint32_t fronts;
	bool allow_tls12;
	char announce[LK_CONFIG_TEXT_MAX]; /* interfaces, comma-separated */

	/* [publish] */
	char publish_listen[LK_CONFIG_TEXT_MAX];
	char publish_url[LK_CONFIG_TEXT_MAX]; /* "": no list is made, no certificate names one */
	int64_t crl_refresh, crl_life;

	/* [onboarding] */
	int64_t run, ask, retry_after, ldevid_life;
	bool audit_required;

	/* [est] */
	char est_labels[LK_CONFIG_TEXT_MAX]; /* see proto/est_label.h */
	int64_t est_life, est_code_life;

	/* [access] */
	char aaa_listen[LK_CONFIG_TEXT_MAX];
	int64_t grant, session;

	/* [masa] */
	char egress_allow[LK_CONFIG_TEXT_MAX]; /* CIDRs that are not public, comma-separated */

	/* [api] */
	char api_listen[LK_CONFIG_TEXT_MAX];

	/* [keys] URIs */
	char registrar_key[LK_CONFIG_TEXT_MAX], device_ca_key[LK_CONFIG_TEXT_MAX],
		service_ca_key[LK_CONFIG_TEXT_MAX], server_ca_key[LK_CONFIG_TEXT_MAX],
		operator_ca_key[LK_CONFIG_TEXT_MAX], aaa_key[LK_CONFIG_TEXT_MAX];
	char token_dir[LK_CONFIG_TEXT_MAX];

	/* [enforcement] */
	bool enforce;
	char bridge[64];
	char ports[LK_CONFIG_VALUE_MAX]; /* bridge ports, comma-separated; a trailing * stands for
					    any */
	char router_address[64];         /* link-local address of the join point */
	uint32_t join_port;
	char device_network[64];        /* CIDR of the devices' addresses */
	char reach[LK_CONFIG_TEXT_MAX]; /* flows of the profile of joined devices, comma-separated
					 */
	char hostapd_dir[LK_CONFIG_TEXT_MAX];
	char lease_file[LK_CONFIG_TEXT_MAX];
	char nas_prefix[64]; /* NAS-Identifier of a port = prefix + port */
};

extern const struct lk_config_spec lk_noc_config_spec;

/* "/pki_dir/name" */
LK_RESULT lk_noc_pki_path(const struct lk_noc_config *c, const char *name,
	char dst[static PATH_MAX], struct lk_err *e);
/* [est] labels, each with its ways in. Refuses what cannot be read, and labels without a CA:
 * LK_R_EST_LABELS. */
LK_RESULT lk_noc_est_labels(
	const struct lk_noc_config *c, struct lk_est_labels *ret, struct lk_err *e);
/* Adds what [masa] egress_allow says. LK_R_EGRESS_CIDR. */
LK_RESULT lk_noc_egress(const struct lk_noc_config *c, struct lk_egress *ret, struct lk_err *e);
