/* SPDX-License-Identifier: Apache-2.0
 *
 * The domain told: its CAs, its cryptography, whom it trusts for what.
 */
#include "noc/desk/domain.h"

#include <openssl/crypto.h>

#include "artefact/json.h"
#include "base/encode.h"
#include "crypto/policy.h"
#include "role/certs_file.h"

/* What falls with the key of each CA: said in the words of the one who has to act. */
static const struct {
	const char *name, *file, *holder, *falls;
} cas[LK_DOMAIN_CAS] = {
	{ "root", "root.pem", "the network's owner, off line",
		"Everything: whoever has it can be this network to every device." },
	{ "device CA", "device-ca.pem", "the signer",
		"Access: whoever has it can make devices that the RADIUS server takes; the root "
		"stays." },
	{ "service CA", "service-ca.pem", "the signer",
		"Certificates of plain EST clients; no port opens by them." },
	{ "server CA", "server-ca.pem", "the signer",
		"The registrar and the RADIUS server can be imitated towards devices that are "
		"in." },
	{ "operator CA", "operator-ca.pem", "the signer", "Operators can be imitated." },
};

struct lk_result
lk_domain_read(const struct lk_noc_config *c, struct lk_domain *ret, struct lk_err *e)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < LK_DOMAIN_CAS; i++) {
		LK_TRY(lk_noc_pki_path(c, cas[i].file, path, e));
		LK_TRY(lk_certs_read(path, &ret->ca[i], e));
	}
	LK_TRY(lk_noc_pki_path(c, "registrar.pem", path, e));
	LK_TRY(lk_certs_read(path, &ret->registrar, e));
	return c->radius_anchor[0] ? lk_certs_read(c->radius_anchor, &ret->radius_anchor, e)
				   : LK_OK;
}

void
lk_domain_done(struct lk_domain *d)
{
	size_t i;

	for (i = 0; i < LK_DOMAIN_CAS; i++)
		lk_certs_done(&d->ca[i]);
	lk_certs_done(&d->registrar);
	lk_certs_done(&d->radius_anchor);
}

static json_t *
cert_json(const char *name, const struct lk_cert *c)
{
	char subject[LK_CERT_NAME_MAX], fingerprint[65], until[LK_TIME_TEXT_MAX];

	lk_cert_subject_text(c, subject, sizeof subject);
	lk_cert_fingerprint(c, fingerprint);
	lk_time_print(lk_cert_not_after(c), until);
	return json_pack("{s:s,s:s,s:s,s:s,s:i}", "name", name, "subject", subject, "fingerprint",
		fingerprint, "not_after", until, "key_bits", (int)lk_cert_key_bits(c));
}

static struct lk_result
add(json_t *list, json_t *obj, struct lk_err *e)
{
	LK_REQUIRE(
		obj && json_array_append_new(list, obj) == 0, e, LK_R_NOMEM, "no memory for JSON");
	return LK_OK;
}

struct lk_result
lk_domain_ca(const struct lk_domain *d, struct lk_model *m, json_t **ret, struct lk_err *e)
{
	json_auto_t *all = json_pack("{s:i,s:[]}", "schema", 1, "cas");
	size_t i;

	LK_REQUIRE(all, e, LK_R_NOMEM, "no memory for JSON");
	for (i = 0; i < LK_DOMAIN_CAS; i++) {
		char issuer[2 * LK_CERT_KEY_ID_MAX + 1];
		int64_t issued, revoked;
		json_t *obj = cert_json(cas[i].name, d->ca[i].v[0]);

		lk_hex(lk_cert_ski(d->ca[i].v[0]), issuer);
		LK_TRY(add(json_object_get(all, "cas"), obj, e));
		LK_TRY(lk_model_certificates(m, issuer, "issued", &issued, e));
		LK_TRY(lk_model_certificates(m, issuer, "revoked", &revoked, e));
		LK_TRY(lk_json_set(obj, "issued", json_integer(issued), e));
		LK_TRY(lk_json_set(obj, "revoked", json_integer(revoked), e));
	}
	LK_TRY(lk_json_set(all, "registrar", cert_json("registrar", d->registrar.v[0]), e));
	*ret = LK_TAKE(all);
	return LK_OK;
}

static json_t *
keys_json(const struct lk_noc_config *c)
{
	const struct {
		const char *name, *uri;
	} keys[] = { { "registrar", c->registrar_key }, { "device_ca", c->device_ca_key },
		{ "service_ca", c->service_ca_key }, { "server_ca", c->server_ca_key },
		{ "operator_ca", c->operator_ca_key }, { "aaa", c->aaa_key } };
	json_t *obj = json_object();
	enum lk_key_place place;
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(keys); i++)
		if (keys[i].uri[0] && lk_key_place_of(keys[i].uri, &place, NULL).ok)
			json_object_set_new(
				obj, keys[i].name, json_string(lk_key_place_name(place)));
	return obj;
}

static const char *
tls_text(const struct lk_noc_config *c, const struct lk_est_labels *labels)
{
	if (c->allow_tls12)
		return "1.2 and 1.3";
	return lk_est_labels_want_tls12(labels) ? "1.3, and 1.2 at some EST labels" : "1.3";
}

/*= SEC-12: algorithms, key kinds, where keys live and the library's version are shown =*/
struct lk_result
lk_domain_crypto(const struct lk_noc_config *c, const struct lk_est_labels *labels, json_t **ret,
	struct lk_err *e)
{
	const struct lk_policy *p = lk_policy_chosen();
	json_auto_t *obj = json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:[],s:o}", "schema", 1,
		"policy", p->name, "tls", tls_text(c, labels), "groups", p->groups, "suites_tls13",
		p->suites_tls13, "suites_tls12", p->suites_tls12, "signatures", p->sigalgs,
		"library", OpenSSL_version(OPENSSL_VERSION), "keys_taken", "keys_in", keys_json(c));
	size_t i;

	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for JSON");
	for (i = 0; p->keys[i].name; i++)
		LK_TRY(add(json_object_get(obj, "keys_taken"), json_string(p->keys[i].name), e));
	*ret = LK_TAKE(obj);
	return LK_OK;
}

/* --- trust ------------------------------------------------------------------------------------ */

/*= SEC-01: the model of trust is stated for each pair =*/
static const struct {
	const char *pair, *model, *how;
} relations[] = {
	{ "device to NOC", "voucher",
		"The device shows its manufacturer's certificate (IDevID) and proves its key; the "
		"manufacturer's MASA vouches for who may take it." },
	{ "network to device", "voucher",
		"The device takes the network whose root its manufacturer's signed voucher pins." },
	{ "network owner to device", "voucher",
		"The manufacturer's record of sale or first claim says who owns the device; the "
		"voucher "
		"carries it." },
};

static struct lk_result
add_anchor(json_t *list, const char *name, const struct lk_cert *c, const char *holder,
	const char *falls, struct lk_err *e)
{
	json_t *obj = cert_json(name, c);

	LK_TRY(add(list, obj, e));
	LK_TRY(lk_json_set(obj, "holder", json_string(holder), e));
	return lk_json_set(obj, "falls", json_string(falls), e);
}

static struct lk_result
add_manufacturer(json_t *list, const struct lk_manufacturer_record *r, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };
	char name[LK_NAME_MAX];
	size_t i;

	if (strcmp(r->trust, "trusted") != 0)
		return LK_OK;
	LK_TRY(lk_certs_parse_any(lk_blob_slice(&r->anchors), &certs, e));
	snprintf(name, sizeof name, "manufacturer %s", r->id);
	for (i = 0; i < certs.n; i++)
		LK_TRY(add_anchor(list, name, certs.v[i], r->name[0] ? r->name : r->id,
			"Its devices can be imitated here, and vouchers for them made; devices of "
			"others "
			"and those already in are not touched.",
			e));
	return LK_OK;
}

/*= SEC-09: every trust anchor is listed, with what falls with it =*/
static struct lk_result
list_anchors(const struct lk_domain *d, struct lk_model *m, json_t *list, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_manufacturer_record r = LK_RECORD_INIT(manufacturer);
	struct lk_scan scan = { .index = LK_MANUFACTURER_BY_ID };
	bool found;
	size_t i;

	for (i = 0; i < LK_DOMAIN_CAS; i++)
		LK_TRY(add_anchor(
			list, cas[i].name, d->ca[i].v[0], cas[i].holder, cas[i].falls, e));
	if (d->radius_anchor.n)
		LK_TRY(add_anchor(list, "RADIUS anchor", d->radius_anchor.v[0], "the signer",
			"It is the server CA's key in another certificate: it falls with that one.",
			e));
	for (;;) {
		LK_TRY(lk_store_next(lk_model_store(m), &scan, &r.record, &found, e));
		if (!found)
			return LK_OK;
		LK_TRY(add_manufacturer(list, &r, e));
	}
}

struct lk_result
lk_domain_trust(const struct lk_domain *d, struct lk_model *m, json_t **ret, struct lk_err *e)
{
	json_auto_t *obj = json_pack("{s:i,s:[],s:[]}", "schema", 1, "relations", "anchors");
	size_t i;

	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for JSON");
	for (i = 0; i < LK_ARRAY_LEN(relations); i++)
		LK_TRY(add(json_object_get(obj, "relations"),
			json_pack("{s:s,s:s,s:s}", "pair", relations[i].pair, "model",
				relations[i].model, "how", relations[i].how),
			e));
	LK_TRY(list_anchors(d, m, json_object_get(obj, "anchors"), e));
	*ret = LK_TAKE(obj);
	return LK_OK;
}
