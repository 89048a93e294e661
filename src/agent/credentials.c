/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a device's credentials, and the one rename that decides.
 */
#include "agent/credentials.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"

#define CERTS_FILE_MAX (64 * 1024)
#define NEW            "onboarding.new"
#define LIVE           "onboarding"

LK_DEFINE_CLEANUP(DIR *, closedir);

/* --- files ------------------------------------------------------------------------------------ */

static struct lk_result
read_file(const char *dir, const char *name, struct lk_buf *out, struct lk_err *e)
{
	char path[PATH_MAX];

	LK_TRY(lk_path_join(dir, name, path, sizeof path, e));
	return lk_file_read(path, out, e);
}

static struct lk_result
read_certs(const char *dir, const char *name, struct lk_certs *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(CERTS_FILE_MAX);

	LK_TRY(read_file(dir, name, &text, e));
	return lk_certs_parse_any(lk_buf_slice(&text), ret, e);
}

static struct lk_result
write_file(const char *dir, const char *name, struct lk_slice content, struct lk_err *e)
{
	char path[PATH_MAX];

	LK_TRY(lk_path_join(dir, name, path, sizeof path, e));
	return lk_file_create(path, content, 0600, e);
}

static struct lk_result
write_certs(const char *dir, const char *name, const struct lk_certs *l, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(CERTS_FILE_MAX);
	size_t i;

	for (i = 0; i < l->n; i++)
		LK_TRY(lk_cert_print_pem(l->v[i], &text, e));
	return write_file(dir, name, lk_buf_slice(&text), e);
}

static struct lk_result
write_cert(const char *dir, const char *name, struct lk_cert *cert, struct lk_err *e)
{
	const struct lk_certs one = { .v = { cert }, .n = 1 };

	return write_certs(dir, name, &one, e);
}

/* One line, its end left out. */
static struct lk_result
read_uri(const char *dir, const char *name, char *dst, size_t cap, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_KEY_URI_MAX + 1);

	LK_TRY(read_file(dir, name, &text, e));
	while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		lk_buf_truncate(&text, text.n - 1);
	return lk_slice_to_str(lk_buf_slice(&text), name, dst, cap, e);
}

/* --- the LDevID's key ------------------------------------------------------------------------- */

/* The line for a new key. In a token it is an object of its own beside the IDevID's: the URI of
 * the IDevID's with another object, and without its id. */
static struct lk_result
name_key(const struct lk_credentials *c, struct lk_buf *line, struct lk_err *e)
{
	const char *p = c->idevid_uri + strlen("pkcs11:");
	const char *query = strchr(p, '?');
	const char *end = query ? query : p + strlen(p);
	uint8_t random[8];
	char hex[2 * sizeof random + 1];
	enum lk_key_place place;

	LK_TRY(lk_key_place_of(c->idevid_uri, &place, e));
	if (place != LK_KEY_IN_PKCS11)
		return lk_buf_printf(line, e, "%s:ldevid.key", lk_key_place_name(place));
	lk_random_fill(c->random, random, sizeof random);
	lk_hex(LK_SLICE_ARRAY(random), hex);
	LK_TRY(lk_buf_printf(line, e, "pkcs11:object=ldevid-%s", hex));
	while (p < end) {
		const char *semicolon = memchr(p, ';', (size_t)(end - p));
		const char *stop = semicolon ? semicolon : end;

		if (strncmp(p, "object=", 7) != 0 && strncmp(p, "id=", 3) != 0)
			LK_TRY(lk_buf_printf(line, e, ";%.*s", (int)(stop - p), p));
		p = semicolon ? semicolon + 1 : end;
	}
	return lk_buf_append_str(line, query ? query : "", e);
}

static struct lk_result
destroy_key(const char *dir, struct lk_err *e)
{
	char line[LK_KEY_URI_MAX + 1], uri[LK_KEY_URI_MAX + 1];
	struct lk_err missing = { 0 };

	if (!read_uri(dir, "key", line, sizeof line, &missing).ok)
		return missing.reason == LK_R_FILE_MISSING
			       ? LK_OK
			       : lk_fail(e, missing.reason, "%s", missing.msg);
	LK_TRY(lk_key_uri_in(dir, line, uri, sizeof uri, e));
	return lk_key_destroy(uri, e);
}

/* --- onboarding.new --------------------------------------------------------------------------- */

/* A folder of files below the state folder; there need be none. */
static struct lk_result
destroy_dir(const struct lk_credentials *c, const char *name, struct lk_err *e)
{
	char dir[PATH_MAX];
	LK_CLEANUP(closedirp) DIR *d = NULL;
	struct dirent *entry;

	LK_TRY(lk_path_join(c->dir, name, dir, sizeof dir, e));
	d = opendir(dir);
	if (!d && errno == ENOENT)
		return LK_OK;
	LK_REQUIRE(d, e, LK_R_FILE_IO, "cannot open %s: %s", dir, strerror(errno));
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			LK_REQUIRE(unlinkat(dirfd(d), entry->d_name, 0) == 0, e, LK_R_FILE_IO,
				"cannot remove %s/%s: %s", dir, entry->d_name, strerror(errno));
	LK_REQUIRE(rmdir(dir) == 0, e, LK_R_FILE_IO, "cannot remove %s: %s", dir, strerror(errno));
	return lk_dir_sync(c->dir, e);
}

/* The key first: the line that names it goes after it. */
static struct lk_result
destroy_new(const struct lk_credentials *c, struct lk_err *e)
{
	char dir[PATH_MAX];

	LK_TRY(lk_path_join(c->dir, NEW, dir, sizeof dir, e));
	LK_TRY(destroy_key(dir, e));
	return destroy_dir(c, NEW, e);
}

struct lk_result
lk_credentials_new_key(void *ctx, struct lk_key **ret, struct lk_err *e)
{
	const struct lk_credentials *c = ctx;
	LK_CLEANUP(lk_buf_done) struct lk_buf line = LK_BUF_INIT(LK_KEY_URI_MAX);
	char dir[PATH_MAX], uri[LK_KEY_URI_MAX + 1];

	LK_TRY(destroy_new(c, e));
	LK_TRY(lk_path_join(c->dir, NEW, dir, sizeof dir, e));
	LK_TRY(lk_dir_make(dir, 0700, e));
	/* Named before it is made: a key in a token must be found again to be destroyed. */
	LK_TRY(name_key(c, &line, e));
	LK_TRY(write_file(dir, "key", lk_buf_slice(&line), e));
	LK_TRY(lk_key_uri_in(dir, lk_buf_str(&line), uri, sizeof uri, e));
	/*= RFC8995 5.9.3: the LDevID has a key of its own, made by the pledge =*/
	return lk_key_generate(uri, LK_KEY_P256, ret, e);
}

/* The information is this device's, by whichever LDevID: one that a registrar renewed for another
 * name would leave a device that cannot start. */
static struct lk_result
check_information(const struct lk_onboarding *o, const struct lk_anchors *domain,
	const struct lk_cert *idevid, const struct lk_cert *ldevid, struct lk_err *e)
{
	char serial[LK_CERT_NAME_MAX], device[LK_CERT_NAME_MAX];
	struct lk_onboarding_want want = { .domain = domain,
		.times = LK_TIMES_IGNORE,
		.device = device,
		.serial_number = serial };
	struct lk_verified_onboarding verified;

	lk_cert_subject(idevid, LK_OID_SERIAL_NUMBER, serial);
	lk_cert_subject(ldevid, LK_OID_COMMON_NAME, device);
	return lk_onboarding_check(o, &want, &verified, e);
}

/* What lk_onboarded_load() will ask. */
static struct lk_result
check_credentials(const struct lk_credentials *c, const struct lk_pledge_credentials *got,
	struct lk_cert *pinned, struct lk_err *e)
{
	const struct lk_certs one = { .v = { pinned }, .n = 1 };
	LK_CLEANUP(lk_anchors_freep) struct lk_anchors *domain = NULL;

	LK_REQUIRE(lk_slice_eq(lk_key_spki(got->key), lk_cert_spki(got->ldevid)), e,
		LK_R_KEY_MISMATCH, "the certificate is for another key");
	LK_TRY(lk_anchors_new(&one, &domain, e));
	return check_information(got->onboarding, domain, c->idevid.v[0], got->ldevid, e);
}

static struct lk_result
write_radius_anchor(const char *dir, const struct lk_onboarding_leaves *leaf, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *anchor = NULL;

	if (!lk_json_has(leaf->present, LK_ONBOARDING_RADIUS_ANCHOR))
		return LK_OK;
	LK_TRY(lk_cert_parse(lk_buf_slice(&leaf->radius_anchor), &anchor, e));
	return write_cert(dir, "radius.pem", anchor, e);
}

/* onboarding.new takes the place of onboarding, if there is one, in one step. */
static struct lk_result
swap_in(const struct lk_credentials *c, struct lk_err *e)
{
	char from[PATH_MAX], to[PATH_MAX];
	unsigned how = lk_credentials_onboarded(c) ? RENAME_EXCHANGE : RENAME_NOREPLACE;

	LK_TRY(lk_path_join(c->dir, NEW, from, sizeof from, e));
	LK_TRY(lk_path_join(c->dir, LIVE, to, sizeof to, e));
	LK_TRY(lk_dir_sync(from, e));
	LK_REQUIRE(renameat2(AT_FDCWD, from, AT_FDCWD, to, how) == 0, e, LK_R_FILE_IO,
		"cannot rename %s: %s", from, strerror(errno));
	LK_TRY(lk_dir_sync(c->dir, e));
	return destroy_new(c, e);
}

struct lk_result
lk_credentials_commit(
	const struct lk_credentials *c, const struct lk_pledge_credentials *got, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *ldevid = NULL, *pinned = NULL;
	char dir[PATH_MAX];

	LK_TRY(lk_path_join(c->dir, NEW, dir, sizeof dir, e));
	LK_TRY(lk_cert_parse(lk_cert_der(got->ldevid), &ldevid, e));
	LK_TRY(lk_cert_parse(lk_cert_der(got->pinned), &pinned, e));
	LK_TRY(check_credentials(c, got, pinned, e));
	LK_TRY(write_cert(dir, "ldevid.pem", ldevid, e));
	LK_TRY(write_cert(dir, "domain.pem", pinned, e));
	LK_TRY(write_certs(dir, "ca.pem", got->ca, e));
	LK_TRY(write_file(dir, "voucher.cms", got->voucher, e));
	LK_TRY(write_file(dir, "onboarding-information.cms", got->information, e));
	LK_TRY(write_radius_anchor(dir, &got->onboarding->leaf, e));
	return swap_in(c, e);
}

struct lk_result
lk_credentials_reset(const struct lk_credentials *c, struct lk_err *e)
{
	char live[PATH_MAX], gone[PATH_MAX];

	LK_TRY(destroy_new(c, e));
	LK_TRY(destroy_dir(c, "run/wpa", e));
	LK_TRY(destroy_dir(c, "run", e));
	if (!lk_credentials_onboarded(c))
		return LK_OK;
	LK_TRY(lk_path_join(c->dir, LIVE, live, sizeof live, e));
	LK_TRY(lk_path_join(c->dir, NEW, gone, sizeof gone, e));
	LK_REQUIRE(rename(live, gone) == 0, e, LK_R_FILE_IO, "cannot rename %s: %s", live,
		strerror(errno));
	LK_TRY(lk_dir_sync(c->dir, e));
	return destroy_new(c, e);
}

bool
lk_credentials_onboarded(const struct lk_credentials *c)
{
	char dir[PATH_MAX];

	return lk_path_join(c->dir, LIVE, dir, sizeof dir, NULL).ok && access(dir, F_OK) == 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static struct lk_result
read_bootstrap(struct lk_credentials *c, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs anchors = { .n = 0 };
	char dir[PATH_MAX], line[LK_KEY_URI_MAX + 1] = "file:idevid.key";
	struct lk_err missing = { 0 };

	LK_TRY(lk_path_join(c->dir, "bootstrap", dir, sizeof dir, e));
	LK_TRY(read_certs(dir, "idevid.pem", &c->idevid, e));
	LK_TRY(read_certs(dir, "anchors.pem", &anchors, e));
	LK_TRY(lk_anchors_new(&anchors, &c->manufacturer, e));
	if (!read_uri(dir, "idevid.uri", line, sizeof line, &missing).ok)
		LK_REQUIRE(
			missing.reason == LK_R_FILE_MISSING, e, missing.reason, "%s", missing.msg);
	LK_TRY(lk_key_uri_in(dir, line, c->idevid_uri, sizeof c->idevid_uri, e));
	LK_TRY(lk_key_load(c->idevid_uri, &c->idevid_key, e));
	LK_REQUIRE(lk_slice_eq(lk_key_spki(c->idevid_key), lk_cert_spki(c->idevid.v[0])), e,
		LK_R_KEY_MISMATCH, "the key is not that of idevid.pem's first certificate");
	return LK_OK;
}

struct lk_result
lk_credentials_open(const char *dir, const struct lk_random *random, struct lk_credentials *ret,
	struct lk_err *e)
{
	LK_CLEANUP(lk_credentials_done) struct lk_credentials c = { .random = random };

	LK_TRY(lk_slice_to_str(lk_slice_str(dir), "state folder", c.dir, sizeof c.dir, e));
	if (!read_bootstrap(&c, e).ok)
		return lk_fail_as(e, LK_R_FILE_MISSING, LK_R_AGENT_BOOTSTRAP, "bootstrap");
	*ret = c;
	c = (struct lk_credentials){ .random = NULL };
	return LK_OK;
}

struct lk_result
lk_credentials_lock(const struct lk_credentials *c, int *ret_lock, struct lk_err *e)
{
	LK_CLEANUP(lk_closep) int fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	LK_REQUIRE(fd >= 0, e, LK_R_FILE_IO, "cannot open %s: %s", c->dir, strerror(errno));
	LK_REQUIRE(flock(fd, LOCK_EX | LOCK_NB) == 0, e, LK_R_BUSY, "another command has %s in use",
		c->dir);
	LK_TRY(destroy_new(c, e));
	*ret_lock = fd;
	fd = -1;
	return LK_OK;
}

void
lk_credentials_done(struct lk_credentials *c)
{
	lk_certs_done(&c->idevid);
	c->idevid_key = lk_key_free(c->idevid_key);
	c->manufacturer = lk_anchors_free(c->manufacturer);
}

static struct lk_result
read_onboarded(const struct lk_credentials *c, const char *dir, struct lk_key *key,
	struct lk_onboarded *o, struct lk_err *e)
{
	char line[LK_KEY_URI_MAX + 1];

	LK_TRY(read_certs(dir, "ldevid.pem", &o->ldevid, e));
	LK_TRY(read_certs(dir, "ca.pem", &o->ca, e));
	LK_TRY(read_certs(dir, "domain.pem", &o->pinned, e));
	LK_TRY(lk_anchors_new(&o->pinned, &o->domain, e));
	LK_TRY(read_file(dir, "voucher.cms", &o->voucher, e));
	LK_TRY(read_file(dir, "onboarding-information.cms", &o->information, e));
	LK_TRY(lk_onboarding_parse(lk_buf_slice(&o->information), &o->onboarding, e));
	LK_TRY(check_information(o->onboarding, o->domain, c->idevid.v[0], o->ldevid.v[0], e));
	LK_TRY(read_uri(dir, "key", line, sizeof line, e));
	LK_TRY(lk_key_uri_in(dir, line, o->key_uri, sizeof o->key_uri, e));
	if (key)
		o->key = lk_key_ref(key);
	else
		LK_TRY(lk_key_load(o->key_uri, &o->key, e));
	LK_REQUIRE(lk_slice_eq(lk_key_spki(o->key), lk_cert_spki(o->ldevid.v[0])), e,
		LK_R_KEY_MISMATCH, "the key is not that of ldevid.pem");
	return LK_OK;
}

struct lk_result
lk_onboarded_load(const struct lk_credentials *c, struct lk_key *key, struct lk_onboarded *ret,
	struct lk_err *e)
{
	LK_CLEANUP(lk_onboarded_done)
	struct lk_onboarded o = { .voucher = LK_BUF_INIT(LK_VOUCHER_MAX),
		.information = LK_BUF_INIT(LK_ONBOARDING_MAX) };
	char dir[PATH_MAX];

	LK_TRY(lk_path_join(c->dir, LIVE, dir, sizeof dir, e));
	LK_REQUIRE(lk_credentials_onboarded(c), e, LK_R_AGENT_NOT_ONBOARDED, "there is no %s", dir);
	if (!read_onboarded(c, dir, key, &o, e).ok)
		return lk_fail_as(e, LK_R_FILE_MISSING, LK_R_AGENT_STATE, "%s", dir);
	*ret = o;
	o = (struct lk_onboarded){ .key = NULL };
	return LK_OK;
}

void
lk_onboarded_done(struct lk_onboarded *o)
{
	o->key = lk_key_free(o->key);
	lk_certs_done(&o->ldevid);
	lk_certs_done(&o->ca);
	lk_certs_done(&o->pinned);
	o->domain = lk_anchors_free(o->domain);
	lk_buf_done(&o->voucher);
	lk_buf_done(&o->information);
	o->onboarding = lk_onboarding_free(o->onboarding);
}
