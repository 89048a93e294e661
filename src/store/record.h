/* SPDX-License-Identifier: Apache-2.0
 *
 * Records: plain C structs that describe themselves. store/record.def says once
 * what a record consists of; from it come the struct, its columns and its
 * indexes. Everything that is done to all records alike (storing, copying,
 * printing, sending) loops over the columns and exists once.
 *
 *	LK_CLEANUP(lk_record_done) struct lk_device_record d = LK_RECORD_INIT(device);
 *
 *	snprintf(d.id, sizeof d.id, "%s", id);
 *	LK_TRY(lk_store_get(store, LK_DEVICE_BY_ID, &d.record, e));
 */
#pragma once

#include "base/random.h"
#include "base/slice.h"

/* Sizes of text columns, the final NUL included, and maxima of blobs. */
#define LK_ID_MAX              LK_UUID_TEXT_MAX
#define LK_WORD_MAX            32           /* one word of a fixed list */
#define LK_SYMBOL_MAX          64           /* event type, reason, clause, actor */
#define LK_SHORT_NAME_MAX      64           /* a name that serves as a key */
#define LK_NAME_MAX            128          /* a name for people */
#define LK_SERIAL_MAX          65           /* ub-serial-number, RFC 5280 appendix A.1 */
#define LK_KEY_ID_HEX_MAX      129          /* a key identifier of 64 octets */
#define LK_CERT_SERIAL_HEX_MAX 41           /* 20 octets, RFC 5280 4.1.2.2 */
#define LK_DIGEST_HEX_MAX      65           /* SHA-256 */
#define LK_DOMAIN_ID_MAX       89           /* base64 of 64 octets */
#define LK_NONCE_MAX           129          /* as a pledge wrote it */
#define LK_URL_MAX             256          /* RFC 8520 and RFC 8995 leave it open */
#define LK_MAC_MAX             18           /* aa:bb:cc:dd:ee:ff */
#define LK_PORT_MAX            64           /* interface name or NAS identifier */
#define LK_STEPS_MAX           4096         /* JSON */
#define LK_TLS_TEXT_MAX        1024         /* JSON */
#define LK_DER_MAX             (8 * 1024)   /* one certificate */
#define LK_ARTEFACT_MAX        (64 * 1024)  /* one CMS object */
#define LK_ANCHORS_MAX         (128 * 1024) /* PEM */
#define LK_PAYLOAD_MAX         (16 * 1024)  /* one event's JSON */

struct lk_blob {
	uint8_t *p; /* owned; NULL when n is 0 */
	size_t n;
};

/* Replaces the content by a copy. */
LK_RESULT lk_blob_set(struct lk_blob *b, struct lk_slice in, struct lk_err *e);

static inline struct lk_slice
lk_blob_slice(const struct lk_blob *b)
{
	return (struct lk_slice){ b->p, b->n };
}

/* What every record starts with. */
struct lk_record {
	const struct lk_record_type *type;
	char site_id[LK_ID_MAX]; /* written by lk_store_insert() and _put() where it is "" */
	char node_id[LK_ID_MAX]; /* likewise */
};

/* struct lk_manufacturer_record, struct lk_device_record, … */
/* clang-format off */
#define LK_RECORD(name, key, stores, how)    struct lk_##name##_record { struct lk_record record;
#define LK_TEXT(name, column, size, privacy) char column[size];
#define LK_INT(name, column)                 int64_t column;
#define LK_BOOL(name, column)                bool column;
#define LK_BLOB(name, column, max, privacy)  struct lk_blob column;
#define LK_RECORD_END(name)                  };
/* clang-format on */
#include "store/record.def"

enum lk_kind { /* LK_KIND_manufacturer, LK_KIND_device, … */
#define LK_RECORD(name, key, stores, how) LK_KIND_##name,
#include "store/record.def"
	LK_KIND_COUNT
};

enum lk_index { /* LK_DEVICE_BY_ID, LK_DEVICE_BY_SERIAL, … */
#define LK_INDEX(name, index, how, ...) LK_##index,
#include "store/record.def"
	LK_INDEX_COUNT
};

/* An empty record of this kind. */
/* clang-format off */
#define LK_RECORD_INIT(name) { .record = { .type = &lk_record_types[LK_KIND_##name] } }
/* clang-format on */
/* A record whose kind was looked at, as the struct it is. */
#define LK_RECORD_AS(name, r) ((const struct lk_##name##_record *)lk_record_as((r), LK_KIND_##name))

enum lk_column_type { LK_COLUMN_TEXT, LK_COLUMN_INT, LK_COLUMN_BOOL, LK_COLUMN_BLOB };

struct lk_column {
	const char *name;
	enum lk_column_type type;
	size_t offset;
	size_t size;   /* of a text with its NUL; the most a blob takes */
	bool personal; /* emptied by lk_record_erase() */
};

enum lk_store_owner { LK_STORE_NOC = 1, LK_STORE_MASA = 2 }; /* whose store: a bit each */

struct lk_record_type {
	const char *name;
	enum lk_kind kind;
	size_t size; /* of the struct */
	const struct lk_column *columns;
	unsigned n_columns;
	enum lk_index key;
	unsigned stores;  /* bits of enum lk_store_owner */
	bool append_only; /* inserted once; only its personal columns can go */
};

#define LK_INDEX_COLUMNS_MAX 3
#define LK_ORDER_COLUMNS_MAX (2 * LK_INDEX_COLUMNS_MAX)

struct lk_index_info {
	const char *name;
	enum lk_kind kind;
	bool unique;
	unsigned n;
	uint8_t columns[LK_INDEX_COLUMNS_MAX]; /* subscripts of the type's columns */
};

extern const struct lk_record_type lk_record_types[LK_KIND_COUNT];
extern const struct lk_index_info lk_indexes[LK_INDEX_COUNT];

/* The columns that put records in one order: the index's, then, if it is not unique, the key's.
 * Returns how many. */
unsigned lk_index_order(enum lk_index index, uint8_t ret[static LK_ORDER_COLUMNS_MAX]);

/* A column's value. `bytes` is for text (without the NUL) and blobs, `number` for the others. */
struct lk_value {
	enum lk_column_type type;
	int64_t number;
	struct lk_slice bytes; /* borrowed from the record */
};

struct lk_value lk_record_value(const struct lk_record *r, unsigned column);
/* Copies the value in. Refuses what is of another type, too large (LK_R_TOO_LARGE) or, in a text,
 * a NUL. */
LK_RESULT lk_record_set(struct lk_record *r, unsigned column, struct lk_value v, struct lk_err *e);

LK_RESULT lk_record_new(enum lk_kind kind, struct lk_record **ret, struct lk_err *e);
struct lk_record *lk_record_free(struct lk_record *r);
LK_DEFINE_CLEANUP(struct lk_record *, lk_record_free);

void lk_record_done(void *record);         /* any record: frees its blobs, leaves it empty */
void lk_record_erase(struct lk_record *r); /* empties the personal columns */
/* Caller frees the copy. */
LK_RESULT lk_record_copy(const struct lk_record *r, struct lk_record **ret, struct lk_err *e);
/* dst becomes what src was; src is left empty. Both are of one kind. */
void lk_record_move(struct lk_record *dst, struct lk_record *src);
/* Whether every column keeps its maximum: LK_R_TOO_LARGE names the one that does not. */
LK_RESULT lk_record_check(const struct lk_record *r, struct lk_err *e);
bool lk_record_eq(const struct lk_record *a, const struct lk_record *b);
/* <0, 0, >0: the first n columns of the index's order decide. */
int lk_record_compare(
	enum lk_index index, unsigned n, const struct lk_record *a, const struct lk_record *b);
const void *lk_record_as(const struct lk_record *r, enum lk_kind kind);

/* Between processes of one program: kind, then the columns in order, each text and blob with its
 * length before it; big-endian. Unpacking refuses with LK_R_RECORD_PACK; caller frees. */
LK_RESULT lk_record_pack(const struct lk_record *r, struct lk_buf *out, struct lk_err *e);
LK_RESULT lk_record_unpack(struct lk_slice in, struct lk_record **ret, struct lk_err *e);
