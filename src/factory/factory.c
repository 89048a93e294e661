/* SPDX-License-Identifier: Apache-2.0
 *
 * The factory's folder, opened.
 */
#include "factory/factory.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "factory/internal.h"

#define FILE_MAX (64 * 1024)

static const struct lk_json_field fields[] = {
	LK_JSON_FIELD(struct lk_factory_leaves, schema, "schema", U64, MANDATORY),
	LK_JSON_FIELD(struct lk_factory_leaves, manufacturer, "manufacturer", TEXT, MANDATORY),
	LK_JSON_FIELD(struct lk_factory_leaves, masa_url, "masa-url", TEXT, MANDATORY),
	LK_JSON_FIELD(struct lk_factory_leaves, root_key, "root-key", TEXT, MANDATORY),
	LK_JSON_FIELD(struct lk_factory_leaves, manifest_key, "manifest-key", TEXT, MANDATORY),
	LK_JSON_FIELD(struct lk_factory_leaves, client_key, "client-key", TEXT, MANDATORY),
};
const struct lk_json_table lk_factory_table = { "factory.json", fields, LK_ARRAY_LEN(fields),
	offsetof(struct lk_factory_leaves, present), LK_R_FACTORY_FOLDER, LK_JSON_REFUSE_UNKNOWN };

struct lk_result
lk_factory_certs(const char *dir, const char *name, struct lk_certs *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(FILE_MAX);
	char path[PATH_MAX];

	if (dir)
		LK_TRY(lk_path_join(dir, name, path, sizeof path, e));
	else
		LK_TRY(lk_slice_to_str(lk_slice_str(name), "the path", path, sizeof path, e));
	LK_TRY(lk_file_read(path, &text, e));
	if (lk_certs_parse_any(lk_buf_slice(&text), ret, e).ok)
		return LK_OK;
	lk_err_prefix(e, "%s", path);
	return (struct lk_result){ false };
}

static struct lk_result
read_leaves(const char *dir, struct lk_factory_leaves *ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(FILE_MAX);
	json_auto_t *obj = NULL;
	char path[PATH_MAX];

	LK_TRY(lk_path_join(dir, "factory.json", path, sizeof path, e));
	if (!lk_file_read(path, &text, e).ok)
		return lk_fail_as(
			e, LK_R_FILE_MISSING, LK_R_FACTORY_FOLDER, "%s holds no factory", dir);
	LK_TRY(lk_json_parse(lk_buf_slice(&text), &obj, e));
	LK_TRY(lk_json_read(&lk_factory_table, obj, ret, e));
	LK_REQUIRE(ret->schema == 1, e, LK_R_FACTORY_FOLDER,
		"%s was made by a program that is newer than this one", path);
	return LK_OK;
}

struct lk_result
lk_factory_open(const char *dir, struct lk_factory *ret, struct lk_err *e)
{
	struct lk_factory f = { .root.n = 0 };

	LK_REQUIRE(realpath(dir, f.dir), e, LK_R_FACTORY_FOLDER, "there is no folder %s", dir);
	LK_TRY(read_leaves(f.dir, &f.leaf, e));
	LK_TRY(lk_factory_certs(f.dir, "pki/manufacturer-root.pem", &f.root, e));
	*ret = f;
	return LK_OK;
}

void
lk_factory_done(struct lk_factory *f)
{
	lk_certs_done(&f->root);
}

/* --- certificates ----------------------------------------------------------------------------- */

struct lk_result
lk_factory_issue(const struct lk_cert_spec *spec, const struct lk_key *key,
	const struct lk_cert *issuer, const struct lk_key *issuer_key,
	const struct lk_random *random, struct lk_cert **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
	struct lk_cert_spec s = *spec;
	uint8_t serial[16];

	lk_random_fill(random, serial, sizeof serial);
	s.serial = LK_SLICE_ARRAY(serial);
	s.spki = lk_key_spki(key);
	LK_TRY(lk_cert_issue(&s, issuer, issuer_key, &der, e));
	return lk_cert_parse(lk_buf_slice(&der), ret, e);
}

struct lk_result
lk_factory_write_cert(const char *path, const struct lk_cert *cert, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(FILE_MAX);

	LK_TRY(lk_cert_print_pem(cert, &pem, e));
	return lk_file_create(path, lk_buf_slice(&pem), 0644, e);
}
