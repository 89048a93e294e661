/* SPDX-License-Identifier: Apache-2.0
 *
 * A device is born: its key is made at its place, its IDevID issued (IEEE 802.1AR,
 * requirements 3.11), its folder of bootstrapping credentials written, its birth
 * recorded. PRE-1 of the onboarding process.
 *
 *	OUT/bootstrap/idevid.pem	the IDevID
 *	OUT/bootstrap/idevid.uri	one line: the key's URI; a relative path of file: or
 *					tpm2: begins at this folder
 *	OUT/bootstrap/anchors.pem	whom it believes about vouchers: the manufacturer's root
 */
#pragma once

#include "factory/factory.h"
#include "factory/journal.h"

struct lk_birth {
	char serial[LK_SERIAL_NUMBER_MAX]; /* X520SerialNumber: the logical identifier */
	char model[65];
	char mud_url[LK_CERT_NAME_MAX]; /* "": none */
	char product_line[64];
	char physical_id[65];     /* what stands on the case; "": the serial number */
	char key[LK_KEY_URI_MAX]; /* "": a file in the folder; "tpm2:": likewise, sealed */
	char out[PATH_MAX];
};

/* Fills in what was left open, and refuses what a device cannot be born with, before anything is
 * made: LK_R_FACTORY_VALUE, LK_R_KEY_URI. */
LK_RESULT lk_birth_check(struct lk_birth *b, struct lk_err *e);

enum lk_birth_outcome {
	LK_BIRTH_DONE,
	LK_BIRTH_RESUMED, /* an earlier command had begun it */
	LK_BIRTH_KNOWN    /* born before just like this: nothing was done */
};

/* What births share. */
struct lk_nursery {
	const struct lk_factory *factory;
	struct lk_journal *journal;
	const struct lk_key *root_key;
	const struct lk_random *random;
};

/* Durable on return. LK_R_FACTORY_BORN when the serial number was given to another;
 * LK_R_FILE_EXISTS, LK_R_KEY_EXISTS when something is where the device would be. */
LK_RESULT lk_birth_do(const struct lk_nursery *n, const struct lk_birth *b, int64_t now,
	enum lk_birth_outcome *ret, struct lk_err *e);
