/* SPDX-License-Identifier: Apache-2.0
 *
 * The domain's keys and certificates, as a table: who is certified by whom, as
 * what, where the key lives and where the certificate goes. The root's key is in
 * no process's reach: latchkeyd works without it.
 */
#include "cli/init.h"

#include <arpa/inet.h>

#include "artefact/cert_profile.h"
#include "base/file.h"
#include "base/random.h"

#define PEM_MAX (64 * 1024)

enum part {
	ROOT,
	DEVICE_CA,
	SERVICE_CA,
	SERVER_CA,
	OPERATOR_CA,
	REGISTRAR,
	AAA,
	OPERATOR,
	RADIUS_SERVER,
	AAA_CLIENT,
	PARTS
};

enum place { OFFLINE, SIGNER, PERSON, RADIUS };

static const struct {
	const char *name; /* of the files; for the signer's, with '_', of the key in [keys] */
	enum lk_cert_profile profile;
	enum part issuer; /* itself: self-signed */
	enum place place;
	const char *common_name; /* behind the network's name */
} parts[PARTS] = {
	[ROOT] = { "root", LK_PROFILE_NETWORK_ROOT, ROOT, OFFLINE, "root" },
	[DEVICE_CA] = { "device-ca", LK_PROFILE_DEVICE_CA, ROOT, SIGNER, "device CA" },
	[SERVICE_CA] = { "service-ca", LK_PROFILE_SERVICE_CA, ROOT, SIGNER, "service CA" },
	[SERVER_CA] = { "server-ca", LK_PROFILE_SERVER_CA, ROOT, SIGNER, "server CA" },
	[OPERATOR_CA] = { "operator-ca", LK_PROFILE_OPERATOR_CA, ROOT, SIGNER, "operator CA" },
	[REGISTRAR] = { "registrar", LK_PROFILE_REGISTRAR, SERVER_CA, SIGNER, "registrar" },
	[AAA] = { "aaa", LK_PROFILE_SERVER, SERVER_CA, SIGNER, "aaa" },
	[OPERATOR] = { "operator-1", LK_PROFILE_OPERATOR, OPERATOR_CA, PERSON, "operator 1" },
	[RADIUS_SERVER] = { "server", LK_PROFILE_RADIUS_SERVER, SERVER_CA, RADIUS,
		"RADIUS server" },
	[AAA_CLIENT] = { "rest", LK_PROFILE_AAA_CLIENT, SERVER_CA, RADIUS, "RADIUS server at aaa" },
};

struct pki {
	const struct lk_init_options *o;
	int64_t now;
	struct lk_key *keys[PARTS];
	struct lk_cert *certs[PARTS];
};

static void
pki_done(struct pki *p)
{
	size_t i;

	for (i = 0; i < PARTS; i++) {
		lk_key_free(p->keys[i]);
		lk_cert_free(p->certs[i]);
	}
}

static bool
wanted(const struct lk_init_options *o, enum part i)
{
	return o->radius_dir || (i != RADIUS_SERVER && i != AAA_CLIENT);
}

/* --- where things live ------------------------------------------------------------------------ */

/* The key store's URI with a key's name: file:DIR/NAME.key, pkcs11:token=…;object=latchkey-NAME?…
 */
static struct lk_result
stored_uri(const struct lk_init_options *o, const char *folder, const char *name,
	char dst[static LK_KEY_URI_MAX + 1], struct lk_err *e)
{
	const char *query = strchr(o->key_store, '?');
	int store = (int)(query ? query - o->key_store : (ptrdiff_t)strlen(o->key_store));
	int n;

	if (strncmp(o->key_store, "pkcs11:", 7) == 0)
		n = snprintf(dst, LK_KEY_URI_MAX + 1, "%.*s;object=latchkey-%s%s", store,
			o->key_store, name, query ? query : "");
	else
		n = snprintf(dst, LK_KEY_URI_MAX + 1, "%s%s/%s/%s.key", o->key_store, o->state_dir,
			folder, name);
	LK_REQUIRE(n > 0 && n <= LK_KEY_URI_MAX, e, LK_R_KEY_URI, "the URI of key %s is too long",
		name);
	return LK_OK;
}

static struct lk_result
key_uri(const struct lk_init_options *o, enum part i, char dst[static LK_KEY_URI_MAX + 1],
	struct lk_err *e)
{
	int n;

	switch (parts[i].place) {
	case OFFLINE:
		return stored_uri(o, "root", parts[i].name, dst, e);
	case SIGNER:
		return stored_uri(o, "signer", parts[i].name, dst, e);
	case PERSON:
		n = snprintf(
			dst, LK_KEY_URI_MAX + 1, "file:%s/operators/%s.key", o->dir, parts[i].name);
		break;
	case RADIUS: /* another program's: it reads files */
	default:
		n = snprintf(
			dst, LK_KEY_URI_MAX + 1, "file:%s/%s.key", o->radius_dir, parts[i].name);
		break;
	}
	LK_REQUIRE(n > 0 && n <= LK_KEY_URI_MAX, e, LK_R_KEY_URI, "the URI of key %s is too long",
		parts[i].name);
	return LK_OK;
}

static struct lk_result
cert_path(const struct lk_init_options *o, enum place place, const char *name,
	char dst[static PATH_MAX], struct lk_err *e)
{
	const char *folder = place == RADIUS ? "" : place == PERSON ? "/operators" : "/pki";
	int n = snprintf(dst, PATH_MAX, "%s%s/%s.pem", place == RADIUS ? o->radius_dir : o->dir,
		folder, name);

	LK_REQUIRE(n > 0 && n < PATH_MAX, e, LK_R_FILE_IO, "the path of %s.pem is too long", name);
	return LK_OK;
}

/* [keys] has '_' where files have '-'. */
static bool
same_name(const char *key, const char *file)
{
	while (*key && (*key == *file || (*key == '_' && *file == '-')))
		key++, file++;
	return *key == *file;
}

static const char *const key_names[] = { "registrar", "device_ca", "service_ca", "server_ca",
	"operator_ca", "aaa" };

const char *
lk_init_key_name(size_t n)
{
	return n < LK_ARRAY_LEN(key_names) ? key_names[n] : NULL;
}

struct lk_result
lk_init_key_uri(const struct lk_init_options *o, const char *name,
	char dst[static LK_KEY_URI_MAX + 1], struct lk_err *e)
{
	enum part i;

	for (i = 0; i < PARTS; i++)
		if (parts[i].place == SIGNER && same_name(name, parts[i].name))
			return key_uri(o, i, dst, e);
	return lk_fail(e, LK_R_BUG, "there is no key %s", name);
}

/* --- plan ------------------------------------------------------------------------------------- */

/* Bundles besides the certificate of each part. */
static const struct {
	const char *name;
	enum place place;
	bool radius; /* made for a RADIUS server only */
} bundles[] = {
	{ "cacerts", SIGNER, false },
	{ "radius-anchor", SIGNER, true },
	{ "radius-server", SIGNER, true }, /* what the keeper renews for another program */
	{ "aaa-client", SIGNER, true },
	{ "device-ca", RADIUS, true },
	{ "aaa-anchor", RADIUS, true },
};

struct lk_result
lk_init_plan_pki(const struct lk_init_options *o, struct lk_init_journal *j, struct lk_err *e)
{
	char uri[LK_KEY_URI_MAX + 1], path[PATH_MAX];
	size_t i;

	for (i = 0; i < PARTS; i++) {
		if (!wanted(o, i))
			continue;
		LK_TRY(key_uri(o, i, uri, e));
		LK_TRY(lk_init_plan_key(j, uri, e));
		LK_TRY(cert_path(o, parts[i].place, parts[i].name, path, e));
		LK_TRY(lk_init_plan_file(j, path, e));
	}
	for (i = 0; i < LK_ARRAY_LEN(bundles); i++) {
		if (bundles[i].radius && !o->radius_dir)
			continue;
		LK_TRY(cert_path(o, bundles[i].place, bundles[i].name, path, e));
		LK_TRY(lk_init_plan_file(j, path, e));
	}
	return LK_OK;
}

/* --- making ----------------------------------------------------------------------------------- */

static struct lk_result
issue(struct pki *p, enum part i, enum part issuer, struct lk_cert **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
	const struct lk_cert *above = issuer == i ? NULL : p->certs[issuer];
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	char cn[65], dns[256], crl[LK_CERT_NAME_MAX];
	uint8_t serial[16];
	struct lk_cert_spec spec = { .profile = parts[i].profile,
		.spki = lk_key_spki(p->keys[i]),
		.serial = LK_SLICE_ARRAY(serial),
		.not_before = p->now,
		.not_after = lk_cert_profile_end(parts[i].profile, p->now),
		.common_name = cn };

	lk_random_fill(&lk_random_system, serial, sizeof serial);
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and always 16 octets */
	snprintf(cn, sizeof cn, "%s %s", p->o->name, parts[i].common_name);
	if (above && spec.not_after > lk_cert_not_after(above))
		spec.not_after = lk_cert_not_after(above);
	if (parts[i].issuer == SERVER_CA && p->o->publish) {
		LK_TRY(lk_init_publish_url(p->o, "/crl/server-ca.crl", crl, e));
		spec.crl_url = crl;
	}
	if (i == REGISTRAR)
		spec.san_dns = p->o->registrar_name;
	if (i == AAA) {
		spec.san_dns = "localhost";
		spec.san_ip = lk_slice(&loopback, sizeof loopback);
	}
	if (i == RADIUS_SERVER) {
		snprintf(dns, sizeof dns, "radius.%s", p->o->name);
		spec.san_dns = dns;
	}
	LK_TRY(lk_cert_issue(&spec, above, p->keys[issuer], &der, e));
	return lk_cert_parse(lk_buf_slice(&der), ret, e);
}

static struct lk_result
write_certs(const struct pki *p, enum place place, const char *name,
	const struct lk_cert *const *certs, size_t n, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(PEM_MAX);
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < n; i++)
		LK_TRY(lk_cert_print_pem(certs[i], &pem, e));
	LK_TRY(cert_path(p->o, place, name, path, e));
	return lk_file_create(path, lk_buf_slice(&pem), 0644, e);
}

/* Its own certificate, its issuer's, up to the root. A RADIUS server sends its own only: what
 * devices trust is the CA itself, not what stands above. */
static struct lk_result
write_chain(const struct pki *p, enum part i, struct lk_err *e)
{
	const struct lk_cert *chain[PARTS];
	size_t n = 0;
	enum part at = i;

	chain[n++] = p->certs[at];
	while (parts[i].place != RADIUS && parts[at].issuer != at) {
		at = parts[at].issuer;
		chain[n++] = p->certs[at];
	}
	return write_certs(p, parts[i].place, parts[i].name, chain, n, e);
}

static struct lk_result
make_part(struct pki *p, enum part i, struct lk_err *e)
{
	char uri[LK_KEY_URI_MAX + 1];

	LK_TRY(key_uri(p->o, i, uri, e));
	LK_TRY(lk_key_generate(uri, LK_KEY_P256, &p->keys[i], e));
	LK_TRY(issue(p, i, parts[i].issuer, &p->certs[i], e));
	return write_chain(p, i, e);
}

/* wpa_supplicant and others take self-signed anchors only. The server CA's key signs a certificate
 * of its own name for itself, so that devices trust that CA and not the whole domain. */
static struct lk_result
make_radius_anchors(struct pki *p, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *twin = NULL;
	const struct lk_cert *anchor, *device_ca = p->certs[DEVICE_CA];

	LK_TRY(issue(p, SERVER_CA, SERVER_CA, &twin, e));
	anchor = twin;
	LK_TRY(write_certs(p, SIGNER, "radius-anchor", &anchor, 1, e));
	LK_TRY(write_certs(p, RADIUS, "aaa-anchor", &anchor, 1, e));
	/*= SEC-04: the RADIUS server's only anchor is the CA that issues LDevIDs =*/
	return write_certs(p, RADIUS, "device-ca", &device_ca, 1, e);
}

/* The keeper, which renews them, reads nothing of the RADIUS server's. */
static struct lk_result
show_keeper(const struct pki *p, enum part i, const char *name, struct lk_err *e)
{
	const struct lk_cert *chain[] = { p->certs[i], p->certs[SERVER_CA], p->certs[ROOT] };

	return write_certs(p, SIGNER, name, chain, LK_ARRAY_LEN(chain), e);
}

static struct lk_result
make_folders(const struct lk_init_options *o, struct lk_err *e)
{
	char path[PATH_MAX];

	LK_TRY(lk_dir_make(o->dir, 0755, e));
	LK_TRY(lk_path_join(o->dir, "pki", path, sizeof path, e));
	LK_TRY(lk_dir_make(path, 0755, e));
	LK_TRY(lk_path_join(o->dir, "operators", path, sizeof path, e));
	LK_TRY(lk_dir_make(path, 0700, e));
	LK_TRY(lk_dir_make(o->state_dir, 0711, e));
	LK_TRY(lk_path_join(o->state_dir, "signer", path, sizeof path, e));
	LK_TRY(lk_dir_make(path, 0700, e));
	LK_TRY(lk_path_join(o->state_dir, "root", path, sizeof path, e));
	LK_TRY(lk_dir_make(path, 0700, e));
	return o->radius_dir ? lk_dir_make(o->radius_dir, 0755, e) : LK_OK;
}

struct lk_result
lk_init_make_pki(const struct lk_init_options *o, int64_t now, struct lk_err *e)
{
	LK_CLEANUP(pki_done) struct pki p = { .o = o, .now = now };
	const struct lk_cert *all[] = { NULL, NULL, NULL, NULL };
	size_t i;

	LK_TRY(make_folders(o, e));
	for (i = 0; i < PARTS; i++)
		if (wanted(o, i))
			LK_TRY(make_part(&p, i, e));
	for (i = 0; i < LK_ARRAY_LEN(all); i++)
		all[i] = p.certs[ROOT + i]; /* root, device CA, service CA, server CA */
	LK_TRY(write_certs(&p, SIGNER, "cacerts", all, LK_ARRAY_LEN(all), e));
	if (!o->radius_dir)
		return LK_OK;
	LK_TRY(make_radius_anchors(&p, e));
	LK_TRY(show_keeper(&p, RADIUS_SERVER, "radius-server", e));
	return show_keeper(&p, AAA_CLIENT, "aaa-client", e);
}
