/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of a birth is what makes it restartable: nothing at the place, "begun"
 * recorded, key, certificate, files, "born" recorded. Behind "begun" whatever is at
 * the place is this device's own, and a second run may use it or replace it.
 */
#include "factory/birth.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "crypto/der.h"
#include "base/encode.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "factory/internal.h"

/* --- check ------------------------------------------------------------------------------------ */

static struct lk_result
check_text(const char *what, const char *text, unsigned tag, struct lk_err *e)
{
	LK_REQUIRE(text[0] && lk_der_is_text(tag, lk_slice_str(text)), e, LK_R_FACTORY_VALUE,
		"the %s is empty or has characters that it may not have", what);
	return LK_OK;
}

static void
fall_back(char *dst, size_t cap, const char *value)
{
	if (!dst[0])
		lk_ignore(lk_slice_to_str(lk_slice_str(value), "default", dst, cap, NULL));
}

static struct lk_result
check_key(struct lk_birth *b, struct lk_err *e)
{
	enum lk_key_place place;

	/* A scheme alone: beside the certificate. */
	if (!b->key[0] || strcmp(b->key, "file:") == 0)
		snprintf(b->key, sizeof b->key, "file:idevid.key");
	if (strcmp(b->key, "tpm2:") == 0)
		snprintf(b->key, sizeof b->key, "tpm2:idevid.key");
	return lk_key_place_of(b->key, &place, e);
}

struct lk_result
lk_birth_check(struct lk_birth *b, struct lk_err *e)
{
	/*= RFC5280 A.1: X520SerialNumber is a PrintableString =*/
	LK_TRY(check_text("serial number", b->serial, LK_DER_PRINTABLE, e));
	/*= RFC5280 A.1: ub-serial-number is 64 =*/
	LK_REQUIRE(strlen(b->serial) <= 64, e, LK_R_FACTORY_VALUE,
		"the serial number has %zu characters, at most 64 are taken", strlen(b->serial));
	LK_TRY(check_text("model", b->model, LK_DER_UTF8, e));
	fall_back(b->product_line, sizeof b->product_line, "default");
	LK_TRY(check_text("product line", b->product_line, LK_DER_UTF8, e));
	/*= SEC-02: a device has one logical and one physical identifier =*/
	fall_back(b->physical_id, sizeof b->physical_id, b->serial);
	LK_TRY(check_text("physical identifier", b->physical_id, LK_DER_UTF8, e));
	/*= RFC8520 10: a MUD URL uses https =*/
	LK_REQUIRE(!b->mud_url[0] || (strncmp(b->mud_url, "https://", 8) == 0 && b->mud_url[8] &&
					     lk_der_is_text(LK_DER_IA5, lk_slice_str(b->mud_url)) &&
					     !strchr(b->mud_url, ' ')),
		e, LK_R_FACTORY_VALUE, "the MUD URL does not begin with https:// or has blanks");
	LK_TRY(check_text("device's folder", b->out, LK_DER_UTF8, e));
	/* It goes into the journal, and a birth that was cut off is gone on with from anywhere. */
	LK_TRY(lk_path_absolute(b->out, b->out, e));
	return check_key(b, e);
}

/* --- do --------------------------------------------------------------------------------------- */

static uint32_t
bit(enum lk_journal_leaf leaf)
{
	return UINT32_C(1) << leaf;
}

static void
entry_of(const struct lk_birth *b, int64_t now, struct lk_journal_entry *ret)
{
	ret->event = LK_JOURNAL_BEGUN;
	ret->at = now;
	memcpy(ret->serial, b->serial, sizeof ret->serial);
	memcpy(ret->model, b->model, sizeof ret->model);
	memcpy(ret->product_line, b->product_line, sizeof ret->product_line);
	memcpy(ret->mud_url, b->mud_url, sizeof ret->mud_url);
	memcpy(ret->physical_id, b->physical_id, sizeof ret->physical_id);
	memcpy(ret->key, b->key, sizeof ret->key);
	memcpy(ret->out, b->out, sizeof ret->out);
	ret->present = bit(LK_JOURNAL_EVENT) | bit(LK_JOURNAL_AT) | bit(LK_JOURNAL_SERIAL) |
		       bit(LK_JOURNAL_MODEL) | bit(LK_JOURNAL_LINE) | bit(LK_JOURNAL_PHYSICAL_ID) |
		       bit(LK_JOURNAL_KEY) | bit(LK_JOURNAL_OUT) |
		       (b->mud_url[0] ? bit(LK_JOURNAL_MUD_URL) : 0);
}

static bool
same(const struct lk_birth *b, const struct lk_journal_entry *entry)
{
	return strcmp(b->model, entry->model) == 0 &&
	       strcmp(b->product_line, entry->product_line) == 0 &&
	       strcmp(b->mud_url, entry->mud_url) == 0 &&
	       strcmp(b->physical_id, entry->physical_id) == 0 && strcmp(b->key, entry->key) == 0 &&
	       strcmp(b->out, entry->out) == 0;
}

/* How far an earlier command came with this serial number. */
static struct lk_result
look_back(struct lk_journal *j, const struct lk_birth *b, enum lk_birth_outcome *ret,
	struct lk_err *e)
{
	LK_CLEANUP(lk_journal_entry_done) struct lk_journal_entry before = { .present = 0 };
	const struct lk_journal_device *d = lk_journal_find(j, b->serial);

	*ret = LK_BIRTH_DONE;
	if (!d)
		return LK_OK;
	LK_TRY(lk_journal_read(j, d, &before, e));
	/*= SEC-02: a serial number is given once =*/
	LK_REQUIRE(same(b, &before), e, LK_R_FACTORY_BORN,
		"%s was %s as model %s, product line %s, with the key %s, in %s", b->serial,
		d->state == LK_JOURNAL_BORN ? "born" : "begun", before.model, before.product_line,
		before.key, before.out);
	*ret = d->state == LK_JOURNAL_BORN ? LK_BIRTH_KNOWN : LK_BIRTH_RESUMED;
	return LK_OK;
}

static struct lk_result
require_no_key(const char *uri, struct lk_err *e)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	struct lk_err why = { .reason = LK_R_NONE };

	LK_REQUIRE(
		!lk_key_load(uri, &key, &why).ok, e, LK_R_KEY_EXISTS, "there is a key at %s", uri);
	LK_REQUIRE(why.reason == LK_R_FILE_MISSING || why.reason == LK_R_KEY_MISSING, e, why.reason,
		"%s", why.msg);
	return LK_OK;
}

/* Nothing is at the place yet: from here on, what is there is the device's own. */
static struct lk_result
begin(const struct lk_nursery *n, const struct lk_birth *b, const char *folder, const char *uri,
	int64_t now, struct lk_err *e)
{
	struct lk_journal_entry entry = { .present = 0 };
	struct stat st;

	LK_REQUIRE(lstat(folder, &st) != 0, e, LK_R_FILE_EXISTS, "there is a folder %s", folder);
	LK_TRY(require_no_key(uri, e));
	entry_of(b, now, &entry);
	return lk_journal_append(n->journal, &entry, false, e);
}

static struct lk_result
make_key(const char *uri, enum lk_birth_outcome how, struct lk_key **ret, struct lk_err *e)
{
	if (how == LK_BIRTH_RESUMED) {
		struct lk_result r = lk_key_load(uri, ret, e);

		if (r.ok || (e->reason != LK_R_FILE_MISSING && e->reason != LK_R_KEY_MISSING))
			return r;
	}
	return lk_key_generate(uri, LK_KEY_P256, ret, e);
}

static struct lk_result
issue(const struct lk_nursery *n, const struct lk_birth *b, const struct lk_key *key, int64_t now,
	struct lk_cert **ret, struct lk_err *e)
{
	const struct lk_factory_leaves *f = &n->factory->leaf;
	/*= PRE-1: the IDevID has the device's serial number, its MASA and its MUD URL =*/
	struct lk_cert_spec spec = { .profile = LK_PROFILE_IDEVID,
		.not_before = now,
		.not_after = lk_cert_profile_end(LK_PROFILE_IDEVID, now),
		.organization = f->manufacturer,
		.common_name = b->model,
		.serial_number = b->serial,
		.masa_url = f->masa_url,
		.mud_url = b->mud_url };

	return lk_factory_issue(&spec, key, n->factory->root.v[0], n->root_key, n->random, ret, e);
}

static struct lk_result
write_file(const char *folder, const char *name, const struct lk_buf *text, struct lk_err *e)
{
	char path[PATH_MAX];

	LK_TRY(lk_path_join(folder, name, path, sizeof path, e));
	return lk_file_replace(path, lk_buf_slice(text), 0644, e);
}

static struct lk_result
write_files(const struct lk_nursery *n, const struct lk_birth *b, const char *folder,
	const struct lk_cert *idevid, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf cert = LK_BUF_INIT(LK_JSON_MAX);
	LK_CLEANUP(lk_buf_done) struct lk_buf key = LK_BUF_INIT(LK_KEY_URI_MAX + 1);
	LK_CLEANUP(lk_buf_done) struct lk_buf anchors = LK_BUF_INIT(LK_JSON_MAX);

	LK_TRY(lk_cert_print_pem(idevid, &cert, e));
	LK_TRY(lk_buf_printf(&key, e, "%s\n", b->key));
	LK_TRY(lk_cert_print_pem(n->factory->root.v[0], &anchors, e));
	LK_TRY(write_file(folder, "idevid.pem", &cert, e));
	LK_TRY(write_file(folder, "idevid.uri", &key, e));
	LK_TRY(write_file(folder, "anchors.pem", &anchors, e));
	return lk_dir_sync(b->out, e);
}

static struct lk_result
record(struct lk_journal *j, const struct lk_birth *b, const struct lk_cert *idevid, int64_t now,
	struct lk_err *e)
{
	LK_CLEANUP(lk_journal_entry_done) struct lk_journal_entry entry = { .present = 0 };
	uint8_t md[LK_SHA256_LEN];

	entry_of(b, now, &entry);
	entry.event = LK_JOURNAL_BORN;
	lk_hex(lk_cert_aki(idevid), entry.issuer);
	lk_sha256_of(lk_cert_spki(idevid), md);
	lk_hex(LK_SLICE_ARRAY(md), entry.spki_sha256);
	entry.idevid = LK_BUF_INIT(LK_CERT_DER_MAX);
	LK_TRY(lk_buf_append(&entry.idevid, lk_cert_der(idevid), e));
	entry.present |= bit(LK_JOURNAL_ISSUER) | bit(LK_JOURNAL_SPKI) | bit(LK_JOURNAL_IDEVID);
	return lk_journal_append(j, &entry, false, e);
}

struct lk_result
lk_birth_do(const struct lk_nursery *n, const struct lk_birth *b, int64_t now,
	enum lk_birth_outcome *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *idevid = NULL;
	char folder[PATH_MAX], uri[LK_KEY_URI_MAX];
	enum lk_birth_outcome how;

	LK_TRY(lk_path_join(b->out, "bootstrap", folder, sizeof folder, e));
	LK_TRY(lk_key_uri_in(folder, b->key, uri, sizeof uri, e));
	LK_TRY(look_back(n->journal, b, &how, e));
	if (how == LK_BIRTH_DONE)
		LK_TRY(begin(n, b, folder, uri, now, e));
	if (how != LK_BIRTH_KNOWN) {
		LK_TRY(lk_dir_make(folder, 0700, e));
		LK_TRY(make_key(uri, how, &key, e));
		LK_TRY(issue(n, b, key, now, &idevid, e));
		LK_TRY(write_files(n, b, folder, idevid, e));
		LK_TRY(record(n->journal, b, idevid, now, e));
	}
	*ret = how;
	return LK_OK;
}
