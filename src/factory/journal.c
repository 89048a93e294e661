/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal's file, and the index over it: devices in the order of their birth,
 * and a tree of their serial numbers.
 */
#include "factory/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"

#define DEVICES_MAX 10000000
#define LINES_MAX   256 /* product lines */

static const char *const events[] = { "begun", "born", "told", "sold", "product-line", NULL };

#define FIELD(field, name, type, need) \
	LK_JSON_FIELD(struct lk_journal_entry, field, name, type, need)

static const struct lk_json_field fields[] = {
	[LK_JOURNAL_EVENT] =
		LK_JSON_ENUM_FIELD(struct lk_journal_entry, event, "event", MANDATORY, events),
	[LK_JOURNAL_AT] = FIELD(at, "at", TIME, MANDATORY),
	[LK_JOURNAL_SERIAL] = FIELD(serial, "serial-number", TEXT, OPTIONAL),
	[LK_JOURNAL_MODEL] = FIELD(model, "model", TEXT, OPTIONAL),
	[LK_JOURNAL_LINE] = FIELD(product_line, "product-line", TEXT, OPTIONAL),
	[LK_JOURNAL_MUD_URL] = FIELD(mud_url, "mud-url", TEXT, OPTIONAL),
	[LK_JOURNAL_PHYSICAL_ID] = FIELD(physical_id, "physical-id", TEXT, OPTIONAL),
	[LK_JOURNAL_KEY] = FIELD(key, "key", TEXT, OPTIONAL),
	[LK_JOURNAL_OUT] = FIELD(out, "out", TEXT, OPTIONAL),
	[LK_JOURNAL_ISSUER] = FIELD(issuer, "idevid-issuer", TEXT, OPTIONAL),
	[LK_JOURNAL_SPKI] = FIELD(spki_sha256, "spki-sha256", TEXT, OPTIONAL),
	[LK_JOURNAL_IDEVID] = LK_JSON_BINARY_FIELD(
		struct lk_journal_entry, idevid, "idevid", OPTIONAL, LK_CERT_DER_MAX),
	[LK_JOURNAL_CLAIM] = FIELD(claim, "claim", TEXT, OPTIONAL),
	[LK_JOURNAL_OWNER] = FIELD(owner, "owner", TEXT, OPTIONAL),
	[LK_JOURNAL_REFERENCE] = FIELD(reference, "reference", TEXT, OPTIONAL),
};
static const struct lk_json_table table = { "the journal's line", fields, LK_ARRAY_LEN(fields),
	offsetof(struct lk_journal_entry, present), LK_R_FACTORY_JOURNAL, LK_JSON_REFUSE_UNKNOWN };

void
lk_journal_entry_done(struct lk_journal_entry *entry)
{
	lk_json_done(&table, entry);
}

struct product_line {
	char name[64], claim[32];
};

struct lk_journal {
	int fd;
	int64_t end;                  /* of the last whole line */
	void *by_serial;              /* of tsearch(3); its nodes are those of v */
	struct lk_journal_device **v; /* owned, one by one: the tree points at them */
	size_t n, cap;
	struct product_line lines[LINES_MAX];
	size_t n_lines;
};

/* --- the index -------------------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct lk_journal_device *)a)->serial,
		((const struct lk_journal_device *)b)->serial);
}

static struct lk_journal_device *
find(const struct lk_journal *j, const char *serial)
{
	char *borrowed = (char *)(uintptr_t)serial;
	struct lk_journal_device key = { .serial = borrowed };
	struct lk_journal_device **node = tfind(&key, &j->by_serial, compare);

	return node ? *node : NULL;
}

static struct lk_result
make_room(struct lk_journal *j, struct lk_err *e)
{
	size_t cap = j->cap ? 2 * j->cap : 64;
	struct lk_journal_device **v;

	if (j->n < j->cap)
		return LK_OK;
	LK_REQUIRE(j->n < DEVICES_MAX, e, LK_R_TOO_LARGE,
		"a factory's folder has at most %d devices", DEVICES_MAX);
	v = reallocarray(j->v, cap, sizeof *v);
	LK_REQUIRE(v, e, LK_R_NOMEM, "no memory for the journal's index");
	j->v = v;
	j->cap = cap;
	return LK_OK;
}

static void
device_free(struct lk_journal_device *d)
{
	free(d->serial);
	free(d);
}
LK_DEFINE_CLEANUP(struct lk_journal_device *, device_free);

static struct lk_result
add(struct lk_journal *j, const char *serial, struct lk_journal_device **ret, struct lk_err *e)
{
	LK_CLEANUP(device_freep) struct lk_journal_device *d = calloc(1, sizeof *d);

	LK_TRY(make_room(j, e));
	LK_REQUIRE(d && (d->serial = strdup(serial)) && tsearch(d, &j->by_serial, compare), e,
		LK_R_NOMEM, "no memory for the journal's index");
	*ret = j->v[j->n++] = LK_TAKE(d);
	return LK_OK;
}

static struct lk_result
set_claim(struct lk_journal *j, const struct lk_journal_entry *entry, struct lk_err *e)
{
	struct product_line *l = j->lines;

	while (l < j->lines + j->n_lines && strcmp(l->name, entry->product_line) != 0)
		l++;
	LK_REQUIRE(l < j->lines + LINES_MAX, e, LK_R_TOO_LARGE,
		"a factory's folder has at most %d product lines", LINES_MAX);
	memcpy(l->name, entry->product_line, sizeof l->name);
	memcpy(l->claim, entry->claim, sizeof l->claim);
	if (l == j->lines + j->n_lines)
		j->n_lines++;
	return LK_OK;
}

static struct lk_result
index_entry(struct lk_journal *j, const struct lk_journal_entry *entry, int64_t offset,
	struct lk_err *e)
{
	struct lk_journal_device *d;

	if (entry->event == LK_JOURNAL_PRODUCT_LINE)
		return set_claim(j, entry, e);
	LK_REQUIRE(entry->serial[0], e, LK_R_FACTORY_JOURNAL, "a line has no serial-number");
	d = find(j, entry->serial);
	if (!d && entry->event == LK_JOURNAL_BEGUN)
		LK_TRY(add(j, entry->serial, &d, e));
	LK_REQUIRE(d, e, LK_R_FACTORY_JOURNAL, "%s is %s and was never begun", entry->serial,
		events[entry->event]);
	if (entry->event == LK_JOURNAL_TOLD) {
		d->told = true;
	} else if (entry->event == LK_JOURNAL_SOLD) {
		d->sold = true;
	} else {
		d->state = (enum lk_journal_event)entry->event;
		d->offset = offset;
	}
	return LK_OK;
}

/* --- the file --------------------------------------------------------------------------------- */

static struct lk_result
read_entry(struct lk_slice line, struct lk_journal_entry *ret, struct lk_err *e)
{
	json_auto_t *obj = NULL;

	LK_TRY(lk_json_parse(line, &obj, e));
	return lk_json_read(&table, obj, ret, e);
}

/* The line that begins at offset; *ret_n is 0 when no whole one does. */
static struct lk_result
read_line(struct lk_journal *j, int64_t offset, uint8_t buf[static LK_JOURNAL_LINE_MAX],
	size_t *ret_n, struct lk_err *e)
{
	ssize_t n = pread(j->fd, buf, LK_JOURNAL_LINE_MAX, offset);
	const uint8_t *lf;

	LK_REQUIRE(n >= 0, e, LK_R_FILE_IO, "cannot read the journal: %s", strerror(errno));
	lf = memchr(buf, '\n', (size_t)n);
	LK_REQUIRE(lf || n < LK_JOURNAL_LINE_MAX, e, LK_R_FACTORY_JOURNAL,
		"the line at octet %jd is too long", (intmax_t)offset);
	*ret_n = lf ? (size_t)(lf - buf) + 1 : 0;
	return LK_OK;
}

static struct lk_result
scan(struct lk_journal *j, struct lk_err *e)
{
	uint8_t buf[LK_JOURNAL_LINE_MAX];
	size_t n;

	for (;;) {
		LK_CLEANUP(lk_journal_entry_done) struct lk_journal_entry entry = { .present = 0 };

		LK_TRY(read_line(j, j->end, buf, &n, e));
		if (n == 0)
			break;
		if (!read_entry(lk_slice(buf, n - 1), &entry, e).ok ||
			!index_entry(j, &entry, j->end, e).ok) {
			lk_err_prefix(e, "octet %jd of the journal", (intmax_t)j->end);
			return (struct lk_result){ false };
		}
		j->end += (int64_t)n;
	}
	/* What stands behind the last line feed was being written when the power went. */
	LK_REQUIRE(ftruncate(j->fd, j->end) == 0, e, LK_R_FILE_IO, "cannot mend the journal: %s",
		strerror(errno));
	return LK_OK;
}

struct lk_result
lk_journal_open(const char *dir, struct lk_journal **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_journal_closep) struct lk_journal *j = calloc(1, sizeof *j);
	char path[PATH_MAX];

	LK_REQUIRE(j, e, LK_R_NOMEM, "no memory for the journal");
	LK_TRY(lk_path_join(dir, "journal", path, sizeof path, e));
	j->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	LK_REQUIRE(j->fd >= 0, e, LK_R_FILE_IO, "cannot open %s: %s", path, strerror(errno));
	LK_REQUIRE(flock(j->fd, LOCK_EX | LOCK_NB) == 0, e, LK_R_BUSY,
		"another command has %s in use", path);
	LK_TRY(lk_dir_sync(dir, e));
	LK_TRY(scan(j, e));
	*ret = LK_TAKE(j);
	return LK_OK;
}

static void
keep(void *node)
{
	(void)node; /* v owns it */
}

struct lk_journal *
lk_journal_close(struct lk_journal *j)
{
	size_t i;

	if (!j)
		return NULL;
	tdestroy(j->by_serial, keep);
	for (i = 0; i < j->n; i++)
		device_free(j->v[i]);
	free(j->v);
	lk_closep(&j->fd);
	free(j);
	return NULL;
}

struct lk_result
lk_journal_sync(struct lk_journal *j, struct lk_err *e)
{
	LK_REQUIRE(fdatasync(j->fd) == 0, e, LK_R_FILE_IO, "cannot sync the journal: %s",
		strerror(errno));
	return LK_OK;
}

struct lk_result
lk_journal_append(
	struct lk_journal *j, const struct lk_journal_entry *entry, bool more, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf line = LK_BUF_INIT(LK_JOURNAL_LINE_MAX);
	json_auto_t *obj = NULL;

	LK_TRY(lk_json_write(&table, entry, &obj, e));
	LK_TRY(lk_json_print(obj, &line, e));
	LK_TRY(lk_buf_append_str(&line, "\n", e));
	LK_REQUIRE(pwrite(j->fd, line.p, line.n, j->end) == (ssize_t)line.n, e, LK_R_FILE_IO,
		"cannot write the journal: %s", strerror(errno));
	if (!more)
		LK_TRY(lk_journal_sync(j, e));
	LK_TRY(index_entry(j, entry, j->end, e));
	j->end += (int64_t)line.n;
	return LK_OK;
}

/* --- questions -------------------------------------------------------------------------------- */

const struct lk_journal_device *
lk_journal_find(const struct lk_journal *j, const char *serial)
{
	return find(j, serial);
}

size_t
lk_journal_count(const struct lk_journal *j)
{
	return j->n;
}

const struct lk_journal_device *
lk_journal_at(const struct lk_journal *j, size_t i)
{
	return j->v[i];
}

struct lk_result
lk_journal_read(struct lk_journal *j, const struct lk_journal_device *d,
	struct lk_journal_entry *ret, struct lk_err *e)
{
	uint8_t buf[LK_JOURNAL_LINE_MAX];
	size_t n;

	LK_TRY(read_line(j, d->offset, buf, &n, e));
	LK_REQUIRE(n > 0, e, LK_R_FACTORY_JOURNAL, "the line of %s is gone", d->serial);
	return read_entry(lk_slice(buf, n - 1), ret, e);
}

const char *
lk_journal_claim(const struct lk_journal *j, const char *product_line)
{
	size_t i;

	for (i = 0; i < j->n_lines; i++)
		if (strcmp(j->lines[i].name, product_line) == 0)
			return j->lines[i].claim;
	return "";
}
