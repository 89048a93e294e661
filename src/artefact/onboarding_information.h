/* SPDX-License-Identifier: Apache-2.0
 *
 * Onboarding information: what a device needs to join and to be at home, signed by
 * its new domain. It is conveyed information of RFC 8572 (CMS SignedData of type
 * id-ct-sztpConveyedInfoJSON around ietf-sztp-conveyed-info:onboarding-information),
 * whose `configuration` is a JSON text of ours, latchkey-onboarding:onboarding;
 * doc/onboarding-information.md describes it.
 *
 *	lk_onboarding_parse	bytes -> struct: syntax only, nothing is believed
 *	lk_onboarding_check	signed by a registrar of the pinned domain, for this device, no
 *older than what it has; only what passed becomes a struct lk_verified_onboarding
 *	lk_onboarding_build	leaves -> JSON -> signed CMS
 *
 * Boot images and scripts of RFC 8572 are refused: nothing here runs what it is sent.
 *
 * Pure: no clock, no log, no file.
 */
#pragma once

#include "artefact/json.h"
#include "artefact/voucher.h"
#include "base/random.h"

#define LK_ONBOARDING_MAX           (32 * 1024) /* octets of the CMS object */
#define LK_ONBOARDING_ENDPOINTS_MAX 8
#define LK_ONBOARDING_NETWORK_MAX   65 /* characters of its name and the NUL */
#define LK_ONBOARDING_KIND_MAX      33 /* characters of an endpoint's kind and its NUL */

enum lk_endpoint_member { LK_ENDPOINT_KIND, LK_ENDPOINT_URL, LK_ENDPOINT_ANCHOR };

/* Where an application is, and whom to believe there. */
struct lk_endpoint {
	uint32_t present;                  /* bit per enum lk_endpoint_member */
	char kind[LK_ONBOARDING_KIND_MAX]; /* "mqtt", "https", …: a word for the application */
	char url[LK_CERT_NAME_MAX];
	struct lk_buf anchor; /* DER certificate; none: the domain's own anchors */
};

enum lk_onboarding_leaf {
	LK_ONBOARDING_NETWORK,
	LK_ONBOARDING_DEVICE,
	LK_ONBOARDING_SERIAL_NUMBER,
	LK_ONBOARDING_ISSUED_ON,
	LK_ONBOARDING_SEQUENCE,
	LK_ONBOARDING_RADIUS_ANCHOR,
	LK_ONBOARDING_RADIUS_SERVER,
	LK_ONBOARDING_LIFECYCLE_URL,
	LK_ONBOARDING_RENEWAL_URL
};

struct lk_onboarding_leaves {
	uint32_t present;                         /* bit per enum lk_onboarding_leaf */
	char network[LK_ONBOARDING_NETWORK_MAX];  /* its identifier, for people and logs */
	char device[LK_UUID_TEXT_MAX];            /* the device's local id there */
	char serial_number[LK_SERIAL_NUMBER_MAX]; /* of the device */
	int64_t issued_on;                        /* Unix seconds */
	uint64_t sequence;                        /* grows with each one for this device */
	struct lk_buf radius_anchor;              /* DER certificate: EAP-TLS trusts no other */
	char radius_server[LK_CERT_NAME_MAX];     /* exact DNS name; where there is an anchor */
	char lifecycle_url[LK_CERT_NAME_MAX];     /* https: `joined` is posted below it */
	char renewal_url[LK_CERT_NAME_MAX];       /* https: EST's simplereenroll is below it */
	struct lk_endpoint endpoints[LK_ONBOARDING_ENDPOINTS_MAX]; /* applications */
	size_t n_endpoints;
};

struct lk_onboarding {
	struct lk_cms *cms;               /* the envelope as received; owned */
	struct lk_onboarding_leaves leaf; /* owned */
};

/* Caller frees. LK_R_CMS_*, LK_R_JSON_*, LK_R_ONBOARDING_TYPE, LK_R_ONBOARDING_LEAF,
 * LK_R_ONBOARDING_CODE and what lk_cert_parse() says of the anchors. */
LK_RESULT lk_onboarding_parse(struct lk_slice der, struct lk_onboarding **ret, struct lk_err *e);
struct lk_onboarding *lk_onboarding_free(struct lk_onboarding *o);
LK_DEFINE_CLEANUP(struct lk_onboarding *, lk_onboarding_free);

/* What a device holds against it. Every member counts. */
struct lk_onboarding_want {
	const struct lk_anchors *domain; /* the pinned anchor */
	enum lk_chain_times times;       /* LK_TIMES_IGNORE: this device has no trusted clock */
	int64_t now;                     /* Unix seconds; unused without a clock */
	const char *device;              /* its local id: CN of its LDevID */
	const char *serial_number;       /* its own */
	uint64_t sequence;               /* of what it has; 0: it has none */
};

struct lk_verified_onboarding {
	const struct lk_onboarding *information; /* borrowed */
};

/* LK_R_ONBOARDING_SIGNER, _DEVICE, _ISSUED, _SEQUENCE, LK_R_CERT_TIME. */
LK_RESULT lk_onboarding_check(const struct lk_onboarding *o, const struct lk_onboarding_want *want,
	struct lk_verified_onboarding *ret, struct lk_err *e);

/* What is the same for every device of a network: LK_R_ONBOARDING_LEAF. */
LK_RESULT lk_onboarding_check_network(const struct lk_onboarding_leaves *leaf, struct lk_err *e);

/* Signs; `certs` has the registrar's certificate first, then its chain. Appends DER to out. The
 * rules of lk_onboarding_parse hold for what is built, too. */
LK_RESULT lk_onboarding_build(const struct lk_onboarding_leaves *leaf, const struct lk_key *key,
	const struct lk_certs *certs, struct lk_buf *out, struct lk_err *e);

/* One line a leaf, "name: value". Appends to out. */
LK_RESULT lk_onboarding_print(const struct lk_onboarding *o, struct lk_buf *out, struct lk_err *e);
/* The leaves as they stand in the configuration. Caller decrefs. */
LK_RESULT lk_onboarding_json(
	const struct lk_onboarding_leaves *leaf, json_t **ret, struct lk_err *e);
void lk_onboarding_leaves_done(struct lk_onboarding_leaves *leaf);
