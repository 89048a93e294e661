/* SPDX-License-Identifier: Apache-2.0
 *
 * The cast of every test: CAs, devices, registrars and MASAs with fresh keys, made in memory at
 * a fixed time, and CMS objects from raw text, among them those that Latchkey's own writer
 * refuses to make. Nothing here fails: what cannot be made ends the program with a line that
 * says what.
 */
#pragma once

#include "crypto/cms.h"

#define PKI_DAY INT64_C(86400)
#define PKI_NOW INT64_C(1767268800) /* 2026-01-01T12:00:00Z: what `now` is in tests */

struct pki_id {
	struct lk_key *key;
	struct lk_certs chain; /* its own certificate first, the self-signed root last */
};

/* What stands in a certificate; what is zero is left out or as usual. */
struct pki_spec {
	const char *cn;
	const char *serial_number; /* X520SerialNumber of the subject */
	const char *masa_url;      /* id-pe-masa-url */
	const char *mud_url;       /* id-pe-mud-url */
	const char *san;           /* "DNS:masa.example", "URI:…" */
	const char *eku;           /* "serverAuth,1.3.6.1.5.5.7.3.28" */
	const char *key_usage;     /* "digitalSignature" */
	bool ca;
	bool sha1; /* signed over it */
	bool no_ski;
	bool no_aki;
	int64_t not_before; /* a day before PKI_NOW */
	int64_t not_after;  /* ten years after it */
	enum lk_key_type key_type;
	struct lk_key *key; /* a new one; else takes a reference */
};

/* Certifies; issuer NULL: itself. Release with pki_id_done(). */
void pki_issue(const struct pki_id *issuer, const struct pki_spec *spec, struct pki_id *ret);
void pki_id_done(struct pki_id *id);

static inline struct lk_cert *
pki_cert(const struct pki_id *id)
{
	return id->chain.v[0];
}

/* The issuer and what is above it: what verifiers are given as anchors. Caller frees. */
struct lk_anchors *pki_anchors(const struct pki_id *ca);

/* Who takes part in an onboarding, and a stranger. */
struct pki_cast {
	struct pki_id vendor; /* manufacturer's root CA */
	struct pki_id masa;   /* signs vouchers; below vendor */
	struct pki_id device; /* IDevID with serial number PKI_SERIAL and masa-url; below vendor */
	struct pki_id domain; /* network owner's root CA */
	struct pki_id registrar;         /* serverAuth and cmcRA; below domain */
	struct pki_id stranger_ca;       /* of nobody's trust */
	struct pki_id stranger;          /* below stranger_ca, else as the registrar */
	struct lk_anchors *manufacturer; /* vendor as an anchor */
};

#define PKI_SERIAL   "LK-0001"
#define PKI_MASA_URL "masa.vendor.example"
#define PKI_EKU_RA   "serverAuth,1.3.6.1.5.5.7.3.28"

void pki_cast_init(struct pki_cast *cast);
void pki_cast_done(struct pki_cast *cast);
/* The same people in another test's hands: done with apart. */
void pki_cast_share(const struct pki_cast *cast, struct pki_cast *ret);

/* A CMS SignedData as nobody should make it, or as everybody does. */
struct pki_cms {
	const char *oid;             /* eContentType; NULL: id-ct-animaJSONVoucher */
	const char *text;            /* the content */
	const struct pki_id *signer; /* NULL: unsigned */
	const struct pki_id *second; /* a second signer */
	bool without_attributes;     /* the signature covers the content itself */
	bool without_certs;          /* no certificate is enclosed */
	bool sha1;                   /* instead of SHA-256 */
	bool detached;               /* the content is not enclosed */
};

#define PKI_OID_DATA "1.2.840.113549.1.7.1"

void pki_cms_sign(const struct pki_cms *spec, struct lk_buf *out);
/* EnvelopedData for one recipient. */
void pki_cms_envelop(const char *text, const struct pki_id *recipient, struct lk_buf *out);

struct pki_member {
	const char *name;
	const char *value; /* as it stands in JSON, quotes and all; NULL: is left out */
};

/* {"root":{members}} with one of them changed or added; name NULL: none. Caller frees. */
char *pki_json(const char *root, const struct pki_member *members, size_t n, const char *name,
	const char *value);
/* The texts of what the cast would sign, with one member changed: MASA's voucher that pins the
 * domain, device's and registrar's request. prior: the device's CMS object; empty: none. */
char *pki_voucher_text(const struct pki_cast *c, const char *name, const char *value);
char *pki_pledge_text(const struct pki_cast *c, const char *name, const char *value);
char *pki_registrar_text(
	const struct pki_cast *c, struct lk_slice prior, const char *name, const char *value);

#define PKI_NONCE "JrRJkyfhuSn3qXmTAqvWPA"

/* base64 in quotes in a string that the caller frees. */
char *pki_quoted_base64(struct lk_slice in);
/* base64 in a string that the caller frees. */
char *pki_base64(struct lk_slice in);
/* printf into a string that the caller frees. */
char *pki_text(const char *fmt, ...) LK_PRINTF(1, 2);

/* A file below the folder of published vectors ($LK_SHARED, else ../shared beside the source
 * tree, "vectors/" in it), appended to out. False when this machine has none. */
bool pki_shared(const char *path, struct lk_buf *out);
