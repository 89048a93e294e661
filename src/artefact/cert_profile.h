/* SPDX-License-Identifier: Apache-2.0
 *
 * Which certificate may say what. One row a role (a data table, printed by
 * lk_cert_profiles_print): which names, purposes, extensions, keys and how long a
 * life. What we issue is made from its row, and what we are shown is held against
 * it; nobody copies an extension from a request (RFC 5280, RFC 8995 2.3 and 5.5.4,
 * RFC 7030 3.6.1, IEEE 802.1AR).
 *
 * Pure: no clock, no randomness; serial number and times come in.
 */
#pragma once

#include "crypto/x509.h"

/* Stored and sent by number between roles of one build; the name is stable. */
enum lk_cert_profile {
	LK_PROFILE_MANUFACTURER_ROOT,
	LK_PROFILE_IDEVID,
	LK_PROFILE_FOREIGN_IDEVID, /* what is taken of other manufacturers; never issued */
	LK_PROFILE_MASA_SERVER,
	LK_PROFILE_VOUCHER_SIGNER,
	LK_PROFILE_MANIFEST_SIGNER,
	LK_PROFILE_FACTORY_CLIENT,
	LK_PROFILE_NETWORK_ROOT,
	LK_PROFILE_DEVICE_CA,
	LK_PROFILE_SERVICE_CA, /* plain EST's; no network access by its certificates alone */
	LK_PROFILE_SERVER_CA,
	LK_PROFILE_OPERATOR_CA,
	LK_PROFILE_REGISTRAR,
	LK_PROFILE_SERVER,
	LK_PROFILE_RADIUS_SERVER,
	LK_PROFILE_AAA_CLIENT, /* the RADIUS server at aaa's door, and at no other */
	LK_PROFILE_LDEVID,
	LK_PROFILE_SERVICE,
	LK_PROFILE_OPERATOR,
	LK_PROFILE_COUNT
};

const char *lk_cert_profile_name(enum lk_cert_profile profile); /* "ldevid" */
enum lk_cert_profile lk_cert_profile_by_name(const char *name); /* LK_PROFILE_COUNT: none */
/* not_after for one that begins at `now` and lives as long as is usual for its role. */
int64_t lk_cert_profile_end(enum lk_cert_profile profile, int64_t now);

/* A certificate to be made. Text that is NULL or "" and slices that are empty are left out; what
 * the profile forbids is refused, as is the lack of what it needs. Everything is borrowed. */
struct lk_cert_spec {
	enum lk_cert_profile profile;
	struct lk_slice spki;   /* DER SubjectPublicKeyInfo of the one who is certified */
	struct lk_slice serial; /* 8 to 16 random octets, RFC 5280 4.1.2.2 */
	int64_t not_before;     /* Unix seconds */
	int64_t not_after;      /* Unix seconds, not after the issuer's own */
	const char *organization;
	const char *organizational_unit;
	const char *common_name;
	const char *serial_number; /* of the device: X520SerialNumber */
	const char *san_dns;
	struct lk_slice san_ip; /* 4 or 16 octets */
	const char *san_uri;
	struct lk_slice san_hardware; /* DER HardwareModuleName, RFC 4108 5 */
	const char *masa_url;         /* id-pe-masa-url, RFC 8995 2.3.2 */
	const char *mud_url;          /* id-pe-mud-url, RFC 8520 11 */
	struct lk_slice mud_signer;   /* id-pe-mudsigner: DER Name, RFC 8520 11 */
	const char *crl_url;          /* cRLDistributionPoints: one http URL */
};

/* Signs with issuer_key; issuer NULL: self-signed, then the spki is issuer_key's own. Appends DER
 * to out. Refuses with the reasons of lk_cert_check_profile(), LK_R_CERT_SERIAL and
 * LK_R_CERT_ISSUER. */
LK_RESULT lk_cert_issue(const struct lk_cert_spec *spec, const struct lk_cert *issuer,
	const struct lk_key *issuer_key, struct lk_buf *out, struct lk_err *e);

/* Whether a certificate has the form of its role: LK_R_CERT_VERSION, _CONSTRAINTS, _KEY_USAGE,
 * _EKU, _SUBJECT, _SAN, _VALIDITY, _KEY_ID, _EXTENSION and LK_R_CRYPTO_POLICY. Says nothing about
 * its signature, issuer or the time of day. */
LK_RESULT lk_cert_check_profile(
	const struct lk_cert *cert, enum lk_cert_profile profile, struct lk_err *e);

/* The table, one paragraph a profile. Appends to out. */
LK_RESULT lk_cert_profiles_print(struct lk_buf *out, struct lk_err *e);
