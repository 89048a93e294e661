/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest: a manufacturer's signed list of what it delivered, for a network
 * to import: its trust anchors, its MASA, its devices. It names devices and
 * enables nothing else: no secret is in it.
 *
 * Text. The first line is the base64 of a CMS SignedData (id-data) around a small
 * JSON object; each further line is a JSON object, one device. The signed object
 * has the number of those lines and the SHA-256 of their octets, so ten thousand
 * devices need neither a large envelope nor a large JSON text, and
 * `head -1 FILE | base64 -d` is what every CMS tool reads. doc/manifest.md has the
 * members.
 *
 *	lk_manifest_parse	text -> struct: syntax, and that the lines are those signed for
 *	lk_manifest_check	signed by the manufacturer's manifest signer; only what passed
 *				becomes a struct lk_verified_manifest
 *	lk_manifest_add, _finish	the factory's side
 *
 * Pure: no clock, no log, no file.
 */
#pragma once

#include "artefact/json.h"
#include "artefact/voucher.h"
#include "crypto/digest.h"

#define LK_MANIFEST_MAX         (8 * 1024 * 1024) /* octets of the text */
#define LK_MANIFEST_DEVICES_MAX 10000
#define LK_MANIFEST_LINE_MAX    1024 /* octets of a device's line */
#define LK_MANIFEST_ANCHORS_MAX 4

enum lk_manifest_device_leaf {
	LK_MANIFEST_SERIAL_NUMBER,
	LK_MANIFEST_IDEVID_ISSUER,
	LK_MANIFEST_SPKI_SHA256,
	LK_MANIFEST_MODEL,
	LK_MANIFEST_MUD_URL
};

struct lk_manifest_device {
	uint32_t present;                               /* bit per enum lk_manifest_device_leaf */
	char serial_number[LK_SERIAL_NUMBER_MAX];       /* X520SerialNumber of the IDevID */
	char idevid_issuer[2 * LK_CERT_KEY_ID_MAX + 1]; /* its AKI's keyIdentifier, hexadecimal */
	char spki_sha256[2 * LK_SHA256_LEN + 1]; /* of its SubjectPublicKeyInfo, hexadecimal */
	char model[65];
	char mud_url[LK_CERT_NAME_MAX];
};

enum lk_manifest_leaf {
	LK_MANIFEST_MANUFACTURER,
	LK_MANIFEST_ISSUED_ON,
	LK_MANIFEST_MASA_URL,
	LK_MANIFEST_DEVICES,
	LK_MANIFEST_DEVICES_SHA256
};

struct lk_manifest_leaves {
	uint32_t present;                           /* bit per enum lk_manifest_leaf */
	char manufacturer[129];                     /* its name, for people */
	int64_t issued_on;                          /* Unix seconds */
	char masa_url[LK_CERT_NAME_MAX];            /* as in id-pe-masa-url, RFC 8995 2.3.2 */
	uint64_t devices;                           /* number of lines; set by the builder */
	char devices_sha256[2 * LK_SHA256_LEN + 1]; /* of the lines, hexadecimal; likewise */
	struct lk_certs anchors;                    /* at most LK_MANIFEST_ANCHORS_MAX; owned */
};

struct lk_manifest {
	struct lk_cms *cms;                 /* owned */
	struct lk_manifest_leaves leaf;     /* owned */
	struct lk_manifest_device *devices; /* leaf.devices of them; owned */
};

/* Caller frees. LK_R_CMS_*, LK_R_JSON_*, LK_R_MANIFEST_SYNTAX, _LEAF, _DIGEST, _COUNT,
 * _DUPLICATE. Unknown members are ignored. */
LK_RESULT lk_manifest_parse(struct lk_slice text, struct lk_manifest **ret, struct lk_err *e);
struct lk_manifest *lk_manifest_free(struct lk_manifest *m);
LK_DEFINE_CLEANUP(struct lk_manifest *, lk_manifest_free);

struct lk_verified_manifest {
	const struct lk_manifest *manifest; /* borrowed */
};

/* Its signer chains to an anchor that was trusted before and is a manifest signer: neither a
 * device nor a MASA speaks for the factory. LK_R_MANIFEST_SIGNER, _ISSUED, LK_R_CERT_TIME. */
LK_RESULT lk_manifest_check(const struct lk_manifest *m, const struct lk_anchors *manufacturer,
	int64_t now, struct lk_verified_manifest *ret, struct lk_err *e);

/* A manifest in the making: its lines. Release with lk_manifest_builder_done(). */
struct lk_manifest_builder {
	struct lk_buf lines;
	uint64_t devices;
};
#define LK_MANIFEST_BUILDER_INIT \
	((struct lk_manifest_builder){ .lines = LK_BUF_INIT(LK_MANIFEST_MAX) })

LK_RESULT lk_manifest_add(
	struct lk_manifest_builder *b, const struct lk_manifest_device *device, struct lk_err *e);
/* Counts, hashes, signs; `certs` has the manifest signer's certificate first. Appends to out. */
LK_RESULT lk_manifest_finish(struct lk_manifest_builder *b, const struct lk_manifest_leaves *leaf,
	const struct lk_key *key, const struct lk_certs *certs, struct lk_buf *out,
	struct lk_err *e);
void lk_manifest_builder_done(struct lk_manifest_builder *b); /* cleanup function, too */

/* The leaves, then a line a device. Appends to out. */
LK_RESULT lk_manifest_print(const struct lk_manifest *m, struct lk_buf *out, struct lk_err *e);
