/* SPDX-License-Identifier: Apache-2.0
 *
 * The object identifiers of certificates, requests and revocation lists, named as
 * in their RFCs. A row has the contents octets of the DER encoding.
 *
 * Identifiers of our own hang below a UUID (ITU-T X.667), which needs no registry:
 * 2.25.108185145276060811385741955779230067267
 */
#pragma once

#include "base/slice.h"

#define LK_OID_OWN \
	"\x69\x81\xa2\xe3\xd9\xde\xc4\xc9\xf2\x94\xdf\xb0\xa3\xca\xdc\xcc\x92\xc9\xd4\x43"

#define LK_OIDS(X)                                                                         \
	/* RFC 5280 A.1: attributes of names */                                            \
	X(AT_COMMON_NAME, "commonName", "\x55\x04\x03")                                    \
	X(AT_SERIAL_NUMBER, "serialNumber", "\x55\x04\x05")                                \
	X(AT_ORGANIZATION, "organizationName", "\x55\x04\x0a")                             \
	X(AT_ORGANIZATIONAL_UNIT, "organizationalUnitName", "\x55\x04\x0b")                \
	/* RFC 5280 4.2.1: extensions */                                                   \
	X(CE_SUBJECT_KEY_ID, "subjectKeyIdentifier", "\x55\x1d\x0e")                       \
	X(CE_KEY_USAGE, "keyUsage", "\x55\x1d\x0f")                                        \
	X(CE_SUBJECT_ALT_NAME, "subjectAltName", "\x55\x1d\x11")                           \
	X(CE_BASIC_CONSTRAINTS, "basicConstraints", "\x55\x1d\x13")                        \
	X(CE_CRL_NUMBER, "cRLNumber", "\x55\x1d\x14")                                      \
	X(CE_CRL_REASON, "cRLReason", "\x55\x1d\x15")                                      \
	X(CE_CRL_POINTS, "cRLDistributionPoints", "\x55\x1d\x1f")                          \
	X(CE_AUTHORITY_KEY_ID, "authorityKeyIdentifier", "\x55\x1d\x23")                   \
	X(CE_EXT_KEY_USAGE, "extKeyUsage", "\x55\x1d\x25")                                 \
	/* RFC 8520 11, RFC 8995 2.3.2 */                                                  \
	X(PE_MUD_URL, "mud-url", "\x2b\x06\x01\x05\x05\x07\x01\x19")                       \
	X(PE_MUD_SIGNER, "mudsigner", "\x2b\x06\x01\x05\x05\x07\x01\x1e")                  \
	X(PE_MASA_URL, "masa-url", "\x2b\x06\x01\x05\x05\x07\x01\x20")                     \
	/* RFC 5280 4.2.1.12, RFC 6402 2.10: purposes */                                   \
	X(KP_SERVER_AUTH, "serverAuth", "\x2b\x06\x01\x05\x05\x07\x03\x01")                \
	X(KP_CLIENT_AUTH, "clientAuth", "\x2b\x06\x01\x05\x05\x07\x03\x02")                \
	X(KP_CMC_RA, "cmcRA", "\x2b\x06\x01\x05\x05\x07\x03\x1c")                          \
	X(KP_AAA_CLIENT, "latchkey-aaa-client", LK_OID_OWN "\x01")                         \
	X(KP_MANIFEST, "latchkey-manifest", LK_OID_OWN "\x02")                             \
	/* RFC 4108 5: a name in subjectAltName */                                         \
	X(ON_HARDWARE_MODULE, "hardwareModuleName", "\x2b\x06\x01\x05\x05\x07\x08\x04")    \
	/* RFC 2985 5.4: attributes of requests */                                         \
	X(CHALLENGE_PASSWORD, "challengePassword", "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07") \
	X(EXTENSION_REQUEST, "extensionRequest", "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")   \
	/* RFC 5652 4, 5.1, 6 */                                                           \
	X(DATA, "data", "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")                            \
	X(SIGNED_DATA, "signedData", "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")               \
	X(ENVELOPED_DATA, "envelopedData", "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03")         \
	/* RFC 5480 2.1.1, RFC 8410 3, RFC 8017 C, RFC 5758 3.2: keys and signatures */    \
	X(EC_PUBLIC_KEY, "ecPublicKey", "\x2a\x86\x48\xce\x3d\x02\x01")                    \
	X(SECP256R1, "secp256r1", "\x2a\x86\x48\xce\x3d\x03\x01\x07")                      \
	X(SECP384R1, "secp384r1", "\x2b\x81\x04\x00\x22")                                  \
	X(ED25519, "Ed25519", "\x2b\x65\x70")                                              \
	X(RSA_ENCRYPTION, "rsaEncryption", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")         \
	X(ECDSA_SHA256, "ecdsa-with-SHA256", "\x2a\x86\x48\xce\x3d\x04\x03\x02")           \
	X(ECDSA_SHA384, "ecdsa-with-SHA384", "\x2a\x86\x48\xce\x3d\x04\x03\x03")           \
	X(RSA_SHA256, "sha256WithRSAEncryption", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")

enum lk_oid {
#define LK_OID_ENUM(id, name, der) LK_ID_##id,
	LK_OIDS(LK_OID_ENUM)
#undef LK_OID_ENUM
		LK_ID_COUNT /* none of these */
};

#define LK_OID_TEXT_MAX 128

struct lk_slice lk_oid_der(enum lk_oid id); /* contents octets */
const char *lk_oid_name(enum lk_oid id);
enum lk_oid lk_oid_find(struct lk_slice der); /* LK_ID_COUNT when there is no row */
/* Its name here, else its dotted form, cut at LK_OID_TEXT_MAX. For messages. */
void lk_oid_text(struct lk_slice der, char dst[static LK_OID_TEXT_MAX]);
