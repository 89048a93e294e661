/* SPDX-License-Identifier: Apache-2.0
 *
 * The voucher (RFC 8366): a manufacturer's signed word that a device may trust
 * one domain. CMS SignedData around JSON of the YANG module ietf-voucher.
 *
 *	lk_voucher_parse	bytes -> struct: syntax only, nothing is believed
 *	lk_voucher_verify	signed by that manufacturer, within its times: what anybody can say
 *	lk_voucher_check	the pledge's rules of RFC 8995 5.6.1 and 5.6.2; only a voucher that
 *				passed becomes a struct lk_verified_voucher, and only that is
 *				taken by code that pins
 *	lk_voucher_build	leaves -> JSON -> signed CMS
 *	lk_voucher_print	leaves -> lines for a person, or JSON
 *
 * Pure: no clock, no log, no file. The signed bytes stay as they were received.
 */
#pragma once

#include "artefact/json.h"
#include "crypto/cms.h"

#define LK_VOUCHER_MAX       (16 * 1024) /* bytes of the CMS object */
#define LK_SERIAL_NUMBER_MAX 129         /* a device serial number and its NUL */
#define LK_VOUCHER_NONCE_MAX 65          /* nonce as text and its NUL */
#define LK_VOUCHER_NONCE_MIN_LEN                                                      \
	8                         /* characters; RFC 8366 5.3 says 8..32 octets, some \
				   * send them as text and not as base64 */
#define LK_IDEVID_ISSUER_MAX  512 /* octets of an AuthorityKeyIdentifier */
#define LK_VOUCHER_CLOCK_SKEW 300 /* seconds by which a MASA's clock may be ahead of ours */

/* RFC 8366 5.3; ordered as the YANG enumeration is. */
enum lk_assertion {
	LK_ASSERTION_VERIFIED,  /* the MASA verified the ownership */
	LK_ASSERTION_LOGGED,    /* issued without verification, and logged */
	LK_ASSERTION_PROXIMITY, /* the MASA saw that pledge and registrar met */
	LK_ASSERTION_COUNT
};
extern const char *const lk_assertion_names[LK_ASSERTION_COUNT + 1];

/* Bits of lk_voucher_leaves.present, in the order of the YANG module. */
enum lk_voucher_leaf {
	LK_VOUCHER_CREATED_ON,
	LK_VOUCHER_EXPIRES_ON,
	LK_VOUCHER_ASSERTION,
	LK_VOUCHER_SERIAL_NUMBER,
	LK_VOUCHER_IDEVID_ISSUER,
	LK_VOUCHER_PINNED_DOMAIN_CERT,
	LK_VOUCHER_DOMAIN_CERT_REVOCATION_CHECKS,
	LK_VOUCHER_NONCE,
	LK_VOUCHER_LAST_RENEWAL_DATE
};

struct lk_voucher_leaves {
	uint32_t present;                         /* bit per enum lk_voucher_leaf */
	int64_t created_on;                       /* Unix seconds */
	int64_t expires_on;                       /* Unix seconds; never together with a nonce */
	int assertion;                            /* enum lk_assertion */
	char serial_number[LK_SERIAL_NUMBER_MAX]; /* the device's X520SerialNumber */
	struct lk_buf idevid_issuer;      /* AKI of the IDevID, see lk_idevid_issuer_matches */
	struct lk_buf pinned_domain_cert; /* DER certificate */
	bool domain_cert_revocation_checks;
	char nonce[LK_VOUCHER_NONCE_MAX]; /* opaque: compared byte for byte, never decoded */
	int64_t last_renewal_date;        /* Unix seconds; informative */
};

struct lk_voucher {
	struct lk_cms *cms;            /* the envelope as received; owned */
	struct lk_voucher_leaves leaf; /* owned */
	struct lk_cert *pinned;        /* pinned_domain_cert, decoded; owned; NULL when absent */
};

/* Caller frees. Refuses with LK_R_CMS_*, LK_R_JSON_*, LK_R_VOUCHER_LEAF and
 * LK_R_VOUCHER_NONCE_EXPIRES; unknown leaves are ignored (RFC 8995 5.6.1). */
LK_RESULT lk_voucher_parse(struct lk_slice der, struct lk_voucher **ret, struct lk_err *e);
struct lk_voucher *lk_voucher_free(struct lk_voucher *v);
LK_DEFINE_CLEANUP(struct lk_voucher *, lk_voucher_free);

/* Signature by a certificate that chains to the manufacturer's anchors, created-on not in the
 * future, expires-on not in the past and not after the pinned certificate's end. */
LK_RESULT lk_voucher_verify(const struct lk_voucher *v, const struct lk_anchors *manufacturer,
	enum lk_chain_times times, int64_t now, struct lk_err *e);

/* What a pledge holds against a voucher. Every member counts. */
struct lk_voucher_want {
	const struct lk_anchors *manufacturer; /* built in */
	enum lk_chain_times times;        /* LK_TIMES_IGNORE: this pledge has no trusted clock */
	int64_t now;                      /* Unix seconds; unused without a clock */
	const struct lk_cert *idevid;     /* the pledge's own: serial-number and AKI */
	const char *nonce;                /* the one sent; NULL: none was sent */
	bool accept_nonceless;            /* RFC 8995 7.2: true unless the owner said otherwise */
	unsigned accept_assertions;       /* bit per enum lk_assertion */
	const struct lk_certs *registrar; /* TLS server chain as received, end-entity first */
};

struct lk_verified_voucher {
	const struct lk_voucher *voucher; /* borrowed */
	const struct lk_cert *pinned;     /* the only trust anchor from now on; borrowed from it */
};

LK_RESULT lk_voucher_check(const struct lk_voucher *v, const struct lk_voucher_want *want,
	struct lk_verified_voucher *ret, struct lk_err *e);

/* The parts of lk_voucher_check, for who explains a voucher and was not given everything. They make
 * no verified voucher. In this order: serial-number and idevid-issuer; nonce; pinned certificate.
 */
LK_RESULT lk_voucher_check_device(
	const struct lk_voucher *v, const struct lk_cert *idevid, struct lk_err *e);
LK_RESULT lk_voucher_check_nonce(
	const struct lk_voucher *v, const char *nonce, bool accept_nonceless, struct lk_err *e);
LK_RESULT lk_voucher_check_domain(const struct lk_voucher *v, const struct lk_certs *registrar,
	enum lk_chain_times times, int64_t now, struct lk_err *e);

/* Whether an idevid-issuer leaf names the issuer of this IDevID: RFC 8366 says the
 * AuthorityKeyIdentifier, in practice its whole extnValue or its keyIdentifier alone. */
bool lk_idevid_issuer_matches(struct lk_slice leaf, const struct lk_cert *idevid);

/* Signs; `certs` has the signer's certificate first, then its chain. Appends DER to out. The rules
 * of lk_voucher_parse hold for what is built, too. */
LK_RESULT lk_voucher_build(const struct lk_voucher_leaves *leaf, const struct lk_key *key,
	const struct lk_certs *certs, struct lk_buf *out, struct lk_err *e);

/* One line a leaf, "name: value". Appends to out. */
LK_RESULT lk_voucher_print(const struct lk_voucher *v, struct lk_buf *out, struct lk_err *e);
/* The leaves as they would stand in a voucher. Caller decrefs. */
LK_RESULT lk_voucher_json(const struct lk_voucher_leaves *leaf, json_t **ret, struct lk_err *e);
void lk_voucher_leaves_done(struct lk_voucher_leaves *leaf);
