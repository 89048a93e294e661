/* SPDX-License-Identifier: Apache-2.0
 *
 * The checkpoint: a signed word about how far a ledger had come. CMS SignedData
 * around JSON {node, site, seq, at, hash}; the format is ours (doc/PROTOCOL.md).
 * A store that does not hold the event that its newest checkpoint names was
 * rolled back.
 */
#pragma once

#include "artefact/json.h"
#include "crypto/cms.h"

#define LK_CHECKPOINT_MAX      (16 * 1024) /* bytes of the CMS object */
#define LK_CHECKPOINT_HASH_LEN 32

struct lk_checkpoint {
	uint32_t present;   /* all of them, always */
	char node[65];      /* whose chain */
	char site[65];      /* of which network */
	uint64_t seq;       /* of the newest event */
	int64_t at;         /* Unix seconds */
	struct lk_buf hash; /* of that event; 32 octets; owned */
};

/* Caller releases ret. Verifies that `signer` signed it when signer is not NULL. LK_R_CMS_*,
 * LK_R_CHECKPOINT. */
LK_RESULT lk_checkpoint_parse(struct lk_slice der, const struct lk_cert *signer,
	struct lk_checkpoint *ret, struct lk_err *e);
void lk_checkpoint_done(struct lk_checkpoint *c);
/* For whoever does not know the signer: it is enclosed, and below an anchor a service that keeps a
 * ledger. LK_R_CMS_*, LK_R_CHECKPOINT_SIGNER. */
LK_RESULT lk_checkpoint_check(
	struct lk_slice der, const struct lk_anchors *anchors, int64_t now, struct lk_err *e);
/* Lines "name: value". */
LK_RESULT lk_checkpoint_print(const struct lk_checkpoint *c, struct lk_buf *out, struct lk_err *e);
/* Signs all members, whatever `present` says. Appends DER to out. */
LK_RESULT lk_checkpoint_build(const struct lk_checkpoint *c, const struct lk_key *key,
	const struct lk_certs *certs, struct lk_buf *out, struct lk_err *e);
