/* SPDX-License-Identifier: Apache-2.0
 *
 * The factory's own record: JSON lines, only ever appended to, each synced before
 * anybody relies on it. A device's birth is two lines: "begun" before its key is
 * made, "born" when its files are in place. What a crash left between the two is
 * taken up again by the same command; a last line without its line feed never was.
 *
 * One command at a time has the journal open. The index in memory has a few dozen
 * octets a device; everything else is read from the file when it is asked for.
 */
#pragma once

#include <limits.h>

#include "artefact/json.h"
#include "artefact/voucher.h"

#define LK_JOURNAL_LINE_MAX (32 * 1024) /* octets of a line */

enum lk_journal_event {
	LK_JOURNAL_BEGUN,
	LK_JOURNAL_BORN,
	LK_JOURNAL_TOLD, /* the MASA knows it */
	LK_JOURNAL_SOLD,
	LK_JOURNAL_PRODUCT_LINE
};

enum lk_journal_leaf {
	LK_JOURNAL_EVENT,
	LK_JOURNAL_AT,
	LK_JOURNAL_SERIAL,
	LK_JOURNAL_MODEL,
	LK_JOURNAL_LINE,
	LK_JOURNAL_MUD_URL,
	LK_JOURNAL_PHYSICAL_ID,
	LK_JOURNAL_KEY,
	LK_JOURNAL_OUT,
	LK_JOURNAL_ISSUER,
	LK_JOURNAL_SPKI,
	LK_JOURNAL_IDEVID,
	LK_JOURNAL_CLAIM,
	LK_JOURNAL_OWNER,
	LK_JOURNAL_REFERENCE
};

struct lk_journal_entry {
	uint32_t present;                  /* bit per enum lk_journal_leaf */
	int event;                         /* enum lk_journal_event */
	int64_t at;                        /* Unix seconds */
	char serial[LK_SERIAL_NUMBER_MAX]; /* the logical identifier */
	char model[65];
	char product_line[64];
	char mud_url[LK_CERT_NAME_MAX];
	char physical_id[65];     /* what stands on the case */
	char key[LK_KEY_URI_MAX]; /* as the device names it */
	char out[PATH_MAX];       /* the device's folder */
	char issuer[2 * LK_CERT_KEY_ID_MAX +
		    1]; /* keyIdentifier of the IDevID's AKI, hexadecimal */
	char spki_sha256[65];
	struct lk_buf idevid; /* DER */
	char claim[32];
	char owner[128];
	char reference[128];
};

void lk_journal_entry_done(struct lk_journal_entry *entry); /* cleanup function, too */

struct lk_journal; /* opaque */

/* Opens or creates DIR/journal. LK_R_BUSY while another command has it, LK_R_FACTORY_JOURNAL. */
LK_RESULT lk_journal_open(const char *dir, struct lk_journal **ret, struct lk_err *e);
struct lk_journal *lk_journal_close(struct lk_journal *j);
LK_DEFINE_CLEANUP(struct lk_journal *, lk_journal_close);

/* Appends a line and, unless more follow, syncs: nothing of it counts before. */
LK_RESULT lk_journal_append(
	struct lk_journal *j, const struct lk_journal_entry *entry, bool more, struct lk_err *e);
LK_RESULT lk_journal_sync(struct lk_journal *j, struct lk_err *e);

struct lk_journal_device {
	char *serial;                /* owned by the journal */
	enum lk_journal_event state; /* how far it came */
	bool told, sold;
	int64_t offset; /* of its newest begun or born line */
};

/* NULL when there is none; valid until the next append. */
const struct lk_journal_device *lk_journal_find(const struct lk_journal *j, const char *serial);
size_t lk_journal_count(const struct lk_journal *j);
/* In the order of their first line; i < lk_journal_count(). */
const struct lk_journal_device *lk_journal_at(const struct lk_journal *j, size_t i);
/* Its newest begun or born line. Release ret with lk_journal_entry_done(). */
LK_RESULT lk_journal_read(struct lk_journal *j, const struct lk_journal_device *d,
	struct lk_journal_entry *ret, struct lk_err *e);
/* "" when nothing was said about this product line. */
const char *lk_journal_claim(const struct lk_journal *j, const char *product_line);
