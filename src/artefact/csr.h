/* SPDX-License-Identifier: Apache-2.0
 *
 * Certification requests: PKCS #10 (RFC 2986) as EST carries them (RFC 7030 4.2).
 *
 *	lk_csr_parse	bytes -> struct: syntax only, nothing is believed
 *	lk_csr_check	proof of possession, crypto policy, and that it asks for nothing that is
 *			another's; only a request that passed becomes a struct lk_verified_csr
 *	lk_csr_build	the device's side: key and names -> signed request
 *	lk_csr_print	lines for a person
 *
 * A request never decides what is certified: the profile and the device's record
 * do (artefact/cert_profile.h); what it may not ask for is refused, so that nobody
 * takes it for granted.
 *
 * Pure: no clock, no log, no file. The signed bytes stay as they were received.
 */
#pragma once

#include "artefact/csrattrs.h"
#include "artefact/name.h"

#define LK_CSR_MAX           (8 * 1024)  /* octets of the DER */
#define LK_CSR_BODY_MAX      (16 * 1024) /* octets of its base64, white space included */
#define LK_CSR_CHALLENGE_MAX 255         /* RFC 2985 5.4.1 */

/* Slices are borrowed from der. */
struct lk_csr {
	struct lk_buf der;         /* as received; owned */
	struct lk_slice info;      /* CertificationRequestInfo, which is what is signed */
	struct lk_slice subject;   /* DER Name */
	struct lk_slice spki;      /* DER SubjectPublicKeyInfo */
	struct lk_slice algorithm; /* DER AlgorithmIdentifier of the signature */
	struct lk_slice signature;
	struct lk_names names; /* of the subject */
	struct lk_sans sans;
	struct lk_slice san_ext; /* subjectAltName's extnValue; n is 0: none */
	struct lk_extensions extensions;
	struct lk_slice challenge; /* challengePassword; n is 0: none */
};

/* Caller frees. LK_R_CSR_SYNTAX; everything is bounded. */
LK_RESULT lk_csr_parse(struct lk_slice der, struct lk_csr **ret, struct lk_err *e);
/* An EST body: base64 with white space anywhere, whatever its headers say (RFC 8951 3). Raw DER
 * is not taken. Caller frees. */
LK_RESULT lk_csr_parse_body(struct lk_slice body, struct lk_csr **ret, struct lk_err *e);
struct lk_csr *lk_csr_free(struct lk_csr *c);
LK_DEFINE_CLEANUP(struct lk_csr *, lk_csr_free);

/* What a request is held against; borrowed. */
struct lk_csr_want {
	unsigned keys;                 /* bit per enum lk_key_type that the crypto policy takes */
	const char *serial_number;     /* the device's own, from its record */
	const char *common_name;       /* what its record has or will get; NULL: none */
	const char *san_uri;           /* likewise */
	const char *san_dns;           /* likewise; a service's name */
	const struct lk_cert *shown;   /* what it authenticated with: the names there are its own
					* too. NULL: nothing, say a one-time code */
	const struct lk_cert *renewed; /* RFC 7030 4.2.2: subject and SAN are to be the same; NULL:
					* this is no renewal */
	const struct lk_csrattrs *attrs; /* a BRSKI run: what was asked for; NULL: plain EST */
	struct lk_slice binding;         /* of this TLS session: tls-unique (1.2) or tls-exporter of
					  * RFC 9266 (1.3) */
	bool link_required; /* RFC 7030 3.5: a request without challengePassword is refused */
};

struct lk_verified_csr {
	const struct lk_csr *csr; /* borrowed */
	struct lk_slice spki;     /* what may be certified; borrowed from it */
	enum lk_key_type key;
};

/* Refuses with LK_R_CRYPTO_POLICY, LK_R_CSR_POP, _LINK, _CA, _EXTENSION, _SUBJECT, _SAN, _RENEWAL
 * and LK_R_CSR_ATTRS. */
LK_RESULT lk_csr_check(const struct lk_csr *c, const struct lk_csr_want *want,
	struct lk_verified_csr *ret, struct lk_err *e);

/* What a device asks for. Text that is NULL or "" is left out; borrowed. */
struct lk_csr_spec {
	const char *common_name;
	const char *serial_number;
	const struct lk_cert *renewed; /* then subject and SAN are copied from it, RFC 7030 4.2.2 */
	const struct lk_csrattrs *attrs; /* is answered as asked; NULL: none were there */
	struct lk_slice binding;         /* n is 0: none */
};

/* Signs with the key, wherever it lives. LK_R_CSRATTRS_KEY when the attributes ask for another
 * kind of key. Appends DER to out. */
LK_RESULT lk_csr_build(const struct lk_csr_spec *spec, const struct lk_key *key, struct lk_buf *out,
	struct lk_err *e);

/* Appends to out. */
LK_RESULT lk_csr_print(const struct lk_csr *c, struct lk_buf *out, struct lk_err *e);
