/* SPDX-License-Identifier: Apache-2.0
 *
 * A manufacturer's beginnings: its root CA, which issues IDevIDs itself, the two
 * certificates of its MASA, the signer of manifests and the factory's client
 * certificate (artefact/cert_profile.h has their forms). The MASA's keys are made
 * as files in the folder that is carried to its host; the factory's own may live
 * in a TPM or token.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "artefact/cert_profile.h"
#include "base/file.h"
#include "cli/init_journal.h"
#include "factory/factory.h"
#include "factory/internal.h"

/* One row a key pair. A certificate is written to every folder that needs it. */
static const struct identity {
	enum lk_cert_profile profile;
	const char *what; /* behind the manufacturer's name in CN */
	const char *name; /* of the certificate's file */
	const char *key;  /* its file when it is one; the object's label in a token */
	bool at_masa;     /* the key belongs to the MASA's host */
} identities[] = {
	{ LK_PROFILE_MANUFACTURER_ROOT, "root CA", "manufacturer-root", "root", false },
	{ LK_PROFILE_MANIFEST_SIGNER, "manifest signer", "manifest-signer", "manifest", false },
	{ LK_PROFILE_FACTORY_CLIENT, "factory", "factory-client", "client", false },
	{ LK_PROFILE_MASA_SERVER, "MASA", "masa-server", "tls", true },
	{ LK_PROFILE_VOUCHER_SIGNER, "voucher signer", "voucher-signer", "voucher", true },
};

struct lk_result
lk_factory_check_masa_url(const char *url, struct lk_err *e)
{
	size_t i;

	/*= RFC8995 2.3.2: id-pe-masa-url as the factory writes it is an authority =*/
	LK_REQUIRE(url[0] && strlen(url) < LK_CERT_NAME_MAX, e, LK_R_FACTORY_VALUE,
		"the MASA's URL has no or too many characters");
	for (i = 0; url[i]; i++)
		LK_REQUIRE(url[i] > 0x20 && url[i] < 0x7f && !strchr("/?#@\\", url[i]), e,
			LK_R_FACTORY_VALUE, "the MASA's URL is %s, want HOST:PORT", url);
	return LK_OK;
}

/* file: and tpm2: keys lie in keys/; a token's are told apart by their label. */
static struct lk_result
key_uri(const struct lk_factory_plan *plan, const struct identity *id,
	char dst[static LK_KEY_URI_MAX], struct lk_err *e)
{
	const char *store = id->at_masa ? "file:" : plan->key_store;
	bool in_token = strncmp(store, "pkcs11:", 7) == 0;
	const char *query = strchrnul(store, '?');
	int n;

	LK_REQUIRE(in_token || strcmp(store, "file:") == 0 || strcmp(store, "tpm2:") == 0, e,
		LK_R_FACTORY_VALUE, "the key store is %s, want file:, tpm2: or pkcs11:token=NAME",
		store);
	if (in_token)
		n = snprintf(dst, LK_KEY_URI_MAX, "%.*s;object=latchkey-%s%s", (int)(query - store),
			store, id->key, query);
	else
		n = snprintf(dst, LK_KEY_URI_MAX, "%skeys/%s.key", store, id->key);
	LK_REQUIRE(n > 0 && n < LK_KEY_URI_MAX, e, LK_R_KEY_URI, "the key store's URI is too long");
	return LK_OK;
}

struct root {
	struct lk_cert *cert;
	struct lk_key *key;
};

static void
root_done(struct root *r)
{
	lk_cert_free(r->cert);
	lk_key_free(r->key);
}

static struct lk_result
cert_path(const char *dir, const struct identity *id, char path[static PATH_MAX], struct lk_err *e)
{
	int n = snprintf(path, PATH_MAX, "%s/pki/%s.pem", dir, id->name);

	LK_REQUIRE(n > 0 && n < PATH_MAX, e, LK_R_FILE_IO, "the path %s is too long", dir);
	return LK_OK;
}

static struct lk_result
write_cert(const char *dir, const struct identity *id, const struct lk_cert *cert, struct lk_err *e)
{
	char path[PATH_MAX];

	LK_TRY(cert_path(dir, id, path, e));
	return lk_factory_write_cert(path, cert, e);
}

/* Key, certificate, files. The first identity is the root itself. */
static struct lk_result
make(const struct lk_factory_plan *plan, const char *masa_dir, const struct identity *id,
	struct root *root, int64_t now, const struct lk_random *random, struct lk_err *e)
{
	const char *dir = id->at_masa ? masa_dir : plan->dir;
	char uri[LK_KEY_URI_MAX], full[LK_KEY_URI_MAX], cn[128], host[LK_CERT_NAME_MAX];
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;
	struct lk_cert_spec spec = { .profile = id->profile,
		.not_before = now,
		.not_after = lk_cert_profile_end(id->profile, now),
		.organization = plan->manufacturer,
		.common_name = cn };

	LK_TRY(key_uri(plan, id, uri, e));
	LK_TRY(lk_key_uri_in(dir, uri, full, sizeof full, e));
	snprintf(cn, sizeof cn, "%s %s", plan->manufacturer, id->what);
	snprintf(host, sizeof host, "%.*s", (int)strcspn(plan->masa_url, ":"), plan->masa_url);
	if (id->profile == LK_PROFILE_MASA_SERVER)
		spec.san_dns = plan->masa_name ? plan->masa_name : host;
	LK_TRY(lk_key_generate(full, plan->type, &key, e));
	LK_TRY(lk_factory_issue(
		&spec, key, root->cert, root->key ? root->key : key, random, &cert, e));
	LK_TRY(write_cert(dir, id, cert, e));
	if (root->cert)
		return LK_OK;
	LK_TRY(write_cert(
		masa_dir, id, cert, e)); /* the MASA's anchor for devices and the factory */
	root->cert = LK_TAKE(cert);
	root->key = LK_TAKE(key);
	return LK_OK;
}

static struct lk_result
write_masa_conf(const struct lk_factory_plan *plan, const char *masa_dir, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(4 * PATH_MAX);
	const char *home = plan->masa_home ? plan->masa_home : masa_dir;
	const char *port = strrchr(plan->masa_url, ':');
	char path[PATH_MAX];

	LK_TRY(lk_buf_printf(&text, e,
		"# latchkey-masa of %s; masa.conf(5) explains every key.\n"
		"[front]\nlisten = 0.0.0.0:%s, [::]:%s\n\n"
		"[manufacturer]\npki_dir = %s/pki\n\n"
		"[keys]\ntls = file:%s/keys/tls.key\nvoucher = file:%s/keys/voucher.key\n",
		plan->manufacturer, port ? port + 1 : "443", port ? port + 1 : "443", home, home,
		home));
	LK_TRY(lk_path_join(masa_dir, "masa.conf", path, sizeof path, e));
	return lk_file_create(path, lk_buf_slice(&text), 0644, e);
}

static struct lk_result
write_leaves(const struct lk_factory_plan *plan, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_JSON_MAX);
	struct lk_factory_leaves l = { .present = UINT32_MAX, .schema = 1 };
	json_auto_t *obj = NULL;
	char path[PATH_MAX];

	LK_TRY(lk_slice_to_str(lk_slice_str(plan->manufacturer), "the manufacturer's name",
		l.manufacturer, sizeof l.manufacturer, e));
	LK_TRY(lk_slice_to_str(
		lk_slice_str(plan->masa_url), "the MASA's URL", l.masa_url, sizeof l.masa_url, e));
	LK_TRY(key_uri(plan, &identities[0], l.root_key, e));
	LK_TRY(key_uri(plan, &identities[1], l.manifest_key, e));
	LK_TRY(key_uri(plan, &identities[2], l.client_key, e));
	LK_TRY(lk_json_write(&lk_factory_table, &l, &obj, e));
	LK_TRY(lk_json_print(obj, &text, e));
	LK_TRY(lk_buf_append_str(&text, "\n", e));
	LK_TRY(lk_path_join(plan->dir, "factory.json", path, sizeof path, e));
	return lk_file_create(path, lk_buf_slice(&text), 0644, e);
}

static struct lk_result
make_folders(const char *dir, struct lk_err *e)
{
	static const char *const folders[] = { "pki", "keys", "masa", "masa/pki", "masa/keys" };
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(folders); i++) {
		LK_TRY(lk_path_join(dir, folders[i], path, sizeof path, e));
		LK_TRY(lk_dir_make(path, 0700, e));
	}
	return LK_OK;
}

static struct lk_result
plan_file(struct lk_init_journal *j, const char *dir, const char *name, struct lk_err *e)
{
	char path[PATH_MAX];

	LK_TRY(lk_path_join(dir, name, path, sizeof path, e));
	return lk_init_plan_file(j, path, e);
}

/* All that will be made, and is not there yet. */
static struct lk_result
plan_all(const struct lk_factory_plan *plan, const char *masa_dir, struct lk_init_journal *j,
	struct lk_err *e)
{
	char uri[LK_KEY_URI_MAX], full[LK_KEY_URI_MAX], path[PATH_MAX];
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(identities); i++) {
		const char *dir = identities[i].at_masa ? masa_dir : plan->dir;

		LK_TRY(key_uri(plan, &identities[i], uri, e));
		LK_TRY(lk_key_uri_in(dir, uri, full, sizeof full, e));
		LK_TRY(lk_init_plan_key(j, full, e));
		LK_TRY(cert_path(dir, &identities[i], path, e));
		LK_TRY(lk_init_plan_file(j, path, e));
	}
	LK_TRY(cert_path(masa_dir, &identities[0], path, e));
	LK_TRY(lk_init_plan_file(j, path, e));
	LK_TRY(plan_file(j, masa_dir, "masa.conf", e));
	return plan_file(j, plan->dir, "factory.json", e);
}

static struct lk_result
make_all(const struct lk_factory_plan *plan, const char *masa_dir, int64_t now,
	const struct lk_random *random, struct lk_err *e)
{
	LK_CLEANUP(root_done) struct root root = { NULL, NULL };
	size_t i;

	LK_TRY(make_folders(plan->dir, e));
	for (i = 0; i < LK_ARRAY_LEN(identities); i++)
		LK_TRY(make(plan, masa_dir, &identities[i], &root, now, random, e));
	LK_TRY(write_masa_conf(plan, masa_dir, e));
	return write_leaves(plan, e);
}

static struct lk_result
check_plan(const struct lk_factory_plan *plan, struct lk_err *e)
{
	/* CN is the name with what the certificate is for behind it, and has 64 characters at most.
	 */
	LK_REQUIRE(plan->manufacturer[0] && strlen(plan->manufacturer) <= 48 &&
			   !strpbrk(plan->manufacturer, "\r\n"),
		e, LK_R_FACTORY_VALUE, "the manufacturer's name has %zu characters, want 1 to 48",
		strlen(plan->manufacturer));
	LK_REQUIRE(plan->masa_name || plan->masa_url[0] != '[', e, LK_R_FACTORY_VALUE,
		"a MASA at an address needs a DNS name (--masa-name) for its certificate");
	LK_REQUIRE(plan->type == LK_KEY_P256 || plan->type == LK_KEY_P384, e, LK_R_FACTORY_VALUE,
		"the keys are %s, want P-256 or P-384", lk_key_type_name(plan->type));
	return lk_factory_check_masa_url(plan->masa_url, e);
}

static void
journal_done(struct lk_init_journal *j)
{
	lk_buf_done(&j->items);
}

struct lk_result
lk_factory_init(const struct lk_factory_plan *plan, int64_t now, const struct lk_random *random,
	struct lk_err *e)
{
	LK_CLEANUP(journal_done) struct lk_init_journal j = { .path = "" };
	struct lk_factory_plan p = *plan;
	char dir[PATH_MAX], masa_dir[PATH_MAX], json[PATH_MAX];
	bool cleaned;

	LK_TRY(check_plan(plan, e));
	LK_TRY(lk_dir_make(plan->dir, 0700, e));
	LK_REQUIRE(realpath(plan->dir, dir), e, LK_R_FILE_IO, "cannot resolve %s", plan->dir);
	p.dir = dir;
	LK_TRY(lk_path_join(dir, "masa", masa_dir, sizeof masa_dir, e));
	LK_TRY(lk_path_join(dir, "factory.json", json, sizeof json, e));
	/* From then on an unfinished journal has no say any more. */
	LK_REQUIRE(access(json, F_OK) < 0 && errno == ENOENT, e, LK_R_FILE_EXISTS,
		"%s: there is a factory already, and nothing is overwritten", json);
	LK_TRY(lk_path_join(dir, ".init-unfinished", j.path, sizeof j.path, e));
	LK_TRY(lk_init_recover(&j, &cleaned, e));
	LK_TRY(plan_all(&p, masa_dir, &j, e));
	LK_TRY(lk_init_begin(&j, e));
	LK_TRY(make_all(&p, masa_dir, now, random, e));
	return lk_init_finish(&j, e);
}
