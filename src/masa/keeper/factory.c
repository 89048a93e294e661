/* SPDX-License-Identifier: Apache-2.0
 *
 * What the factory tells: devices that were born, and to whom they were sold. Only
 * with a client certificate of the manufacturer's that is for this and nothing
 * else. A whole list counts, or nothing of it.
 *
 *	POST /factory/v1/devices {"schema":1,"devices":[{"idevid":base64,"product-line":text,
 *				  "claim":"none"|"nonce-proximity"}]}
 *	POST /factory/v1/sales	 {"schema":1,"owner":text,"domain-ca":base64,"reference":text,
 *				  "serial-numbers":[text]}
 */
#include "masa/keeper/internal.h"

#include "base/encode.h"
#include "crypto/digest.h"

#define DEVICES_MAX 256 /* in one request; the factory sends several */

/* The certificates that the TLS client showed. */
static struct lk_result
client_chain(const struct lk_web_request_body *w, struct lk_certs *ret, struct lk_err *e)
{
	struct lk_slice list = w->chain, der;
	bool more;

	for (;;) {
		LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;

		LK_TRY(lk_list_next(&list, &more, &der, e));
		if (!more)
			return LK_OK;
		LK_TRY(lk_cert_parse(der, &c, e));
		LK_TRY(lk_certs_add(ret, c, e));
	}
}

static struct lk_result
check_factory(struct lk_turn *t, const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };

	LK_TRY(client_chain(w, &chain, e));
	LK_REQUIRE(chain.n > 0, e, LK_R_FACTORY_UNKNOWN, "no client certificate was shown");
	LK_TRY(lk_chain_verify(
		masa_of(t)->manufacturer, chain.v[0], &chain, LK_TIMES_CHECK, lk_turn_now(t), e));
	/*= Latchkey factory: a device's certificate does not speak for the factory =*/
	return lk_cert_check_profile(chain.v[0], LK_PROFILE_FACTORY_CLIENT, e);
}

/* --- devices ---------------------------------------------------------------------------------- */

struct born {
	uint32_t present;
	struct lk_buf idevid; /* DER */
	char product_line[LK_SHORT_NAME_MAX];
	int claim; /* what its product line allows; index of claims */
};

enum { CLAIM_NONE, CLAIM_NONCE_PROXIMITY };
static const char *const claims[] = {
	[CLAIM_NONE] = "none", [CLAIM_NONCE_PROXIMITY] = "nonce-proximity", NULL
};

enum { BORN_IDEVID, BORN_PRODUCT_LINE, BORN_CLAIM };
static const struct lk_json_field born_fields[] = {
	[BORN_IDEVID] = LK_JSON_BINARY_FIELD(struct born, idevid, "idevid", MANDATORY, LK_DER_MAX),
	[BORN_PRODUCT_LINE] =
		LK_JSON_FIELD(struct born, product_line, "product-line", TEXT, MANDATORY),
	[BORN_CLAIM] = LK_JSON_ENUM_FIELD(struct born, claim, "claim", OPTIONAL, claims),
};
static const struct lk_json_table born_table = { "the device", born_fields,
	LK_ARRAY_LEN(born_fields), offsetof(struct born, present), LK_R_FACTORY_SYNTAX,
	LK_JSON_REFUSE_UNKNOWN };

static void
born_done(struct born *b)
{
	lk_json_done(&born_table, b);
}

/* A device of a line that is open shuts it where it says so: its other devices wait to be sold,
 * too. None opens what is shut. */
static struct lk_result
shut_product_line(struct lk_turn *t, struct lk_product_line_record *line, struct lk_err *e)
{
	if (strcmp(line->claim, claims[CLAIM_NONE]) == 0)
		return LK_OK;
	LK_TRY(lk_slice_to_str(
		lk_slice_str(claims[CLAIM_NONE]), "claim", line->claim, sizeof line->claim, e));
	LK_TRY(lk_turn_put(t, &line->record, e));
	return lk_masa_event(t, "product-line-shut", NULL, "factory",
		json_pack("{s:s}", "product-line", line->id), NULL, e);
}

static struct lk_result
add_product_line(struct lk_turn *t, const struct born *b, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done)
	struct lk_product_line_record line = LK_RECORD_INIT(product_line);
	bool found;

	memcpy(line.id, b->product_line, sizeof line.id);
	LK_TRY(lk_store_find(lk_turn_store(t), LK_PRODUCT_LINE_BY_ID, &line.record, &found, e));
	if (found)
		return lk_json_has(b->present, BORN_CLAIM) && b->claim == CLAIM_NONE
			       ? shut_product_line(t, &line, e)
			       : LK_OK;
	line.created_at = lk_turn_now(t);
	/*= Latchkey MASA: a product line allows no claim until somebody says so =*/
	LK_TRY(lk_slice_to_str(
		lk_slice_str(claims[b->claim]), "claim", line.claim, sizeof line.claim, e));
	return lk_turn_insert(t, &line.record, e);
}

static struct lk_result
add_device(struct lk_turn *t, const json_t *obj, struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_masa_device_record d = LK_RECORD_INIT(masa_device);
	LK_CLEANUP(born_done) struct born b = { 0 };
	LK_CLEANUP(lk_cert_freep) struct lk_cert *idevid = NULL;
	char serial[LK_CERT_NAME_MAX];
	bool found;

	LK_TRY(lk_json_read(&born_table, obj, &b, e));
	LK_TRY(lk_cert_parse(lk_buf_slice(&b.idevid), &idevid, e));
	LK_TRY(lk_cert_check_profile(idevid, LK_PROFILE_IDEVID, e));
	LK_TRY(lk_chain_verify(
		masa_of(t)->manufacturer, idevid, NULL, LK_TIMES_CHECK, lk_turn_now(t), e));
	lk_cert_subject(idevid, LK_OID_SERIAL_NUMBER, serial);
	LK_TRY(lk_slice_to_str(
		lk_slice_str(serial), "serial number", d.serial, sizeof d.serial, e));
	lk_hex(lk_cert_aki(idevid), d.idevid_issuer);
	LK_TRY(lk_store_find(lk_turn_store(t), LK_MASA_DEVICE_BY_SERIAL, &d.record, &found, e));
	if (found) {
		/* Told again after a lost answer: the same certificate is no news, another one is
		 * refused. */
		LK_REQUIRE(lk_slice_eq(lk_blob_slice(&d.idevid), lk_buf_slice(&b.idevid)), e,
			LK_R_FACTORY_DEVICE, "device %s was born before, with another certificate",
			serial);
		return LK_OK;
	}
	LK_TRY(add_product_line(t, &b, e));
	lk_turn_id(t, d.id);
	memcpy(d.product_line, b.product_line, sizeof d.product_line);
	LK_TRY(lk_blob_set(&d.idevid, lk_buf_slice(&b.idevid), e));
	LK_TRY(lk_slice_to_str(LK_SLICE_LIT("S2"), "phase", d.phase, sizeof d.phase, e));
	d.created_at = d.changed_at = lk_turn_now(t);
	LK_TRY(lk_turn_insert(t, &d.record, e));
	return lk_masa_event(
		t, "born", d.id, "factory", json_pack("{s:s}", "serial", d.serial), NULL, e);
}

/* {"schema":1, list: [...]}; the list is borrowed from the object, which the caller frees. */
static struct lk_result
open_list(struct lk_slice body, const char *list, json_t **ret_obj, const json_t **ret_list,
	struct lk_err *e)
{
	json_auto_t *obj = NULL;
	const json_t *l;

	LK_TRY(lk_json_parse(body, &obj, e));
	LK_REQUIRE(json_integer_value(json_object_get(obj, "schema")) == 1, e, LK_R_FACTORY_SYNTAX,
		"\"schema\" is not 1");
	l = json_object_get(obj, list);
	LK_REQUIRE(json_is_array(l) && json_array_size(l) > 0 && json_array_size(l) <= DEVICES_MAX,
		e, LK_R_FACTORY_SYNTAX, "\"%s\" is not a list of 1 to %d", list, DEVICES_MAX);
	*ret_obj = json_incref(obj);
	*ret_list = l;
	return LK_OK;
}

static struct lk_result
done(struct lk_turn *t, const struct lk_message_in *m, size_t n, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(256);

	LK_TRY(lk_buf_printf(&text, e, "{\"schema\":1,\"devices\":%zu}", n));
	return lk_masa_reply(t, m, 200, LK_TYPE_JSON, lk_buf_slice(&text), e);
}

struct lk_result
lk_masa_factory_devices(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	json_auto_t *obj = NULL;
	const json_t *list;
	size_t i;

	LK_TRY(check_factory(t, w, e));
	LK_TRY(open_list(w->body, "devices", &obj, &list, e));
	for (i = 0; i < json_array_size(list); i++)
		LK_TRY(add_device(t, json_array_get(list, i), e));
	return done(t, m, json_array_size(list), e);
}

/* --- sales ------------------------------------------------------------------------------------ */

struct buyer {
	uint32_t present;
	char owner[LK_NAME_MAX];
	struct lk_buf domain_ca; /* DER */
	char reference[LK_NAME_MAX];
};

static const struct lk_json_field buyer_fields[] = {
	LK_JSON_FIELD(struct buyer, owner, "owner", TEXT, MANDATORY),
	LK_JSON_BINARY_FIELD(struct buyer, domain_ca, "domain-ca", MANDATORY, LK_DER_MAX),
	LK_JSON_FIELD(struct buyer, reference, "reference", TEXT, OPTIONAL),
};
static const struct lk_json_table buyer_table = { "the sale", buyer_fields,
	LK_ARRAY_LEN(buyer_fields), offsetof(struct buyer, present), LK_R_FACTORY_SYNTAX,
	LK_JSON_IGNORE_UNKNOWN }; /* open_list() reads the schema and the serial numbers */

static void
buyer_done(struct buyer *b)
{
	lk_json_done(&buyer_table, b);
}

/* The owner of this domain CA; a new one gets an id of its own, not derived from any key. */
static struct lk_result
find_or_make_owner(
	struct lk_turn *t, const struct buyer *b, char ret_id[static LK_ID_MAX], struct lk_err *e)
{
	LK_CLEANUP(lk_record_done)
	struct lk_owner_domain_record domain = LK_RECORD_INIT(owner_domain);
	LK_CLEANUP(lk_record_done) struct lk_owner_record owner = LK_RECORD_INIT(owner);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *ca = NULL;
	uint8_t md[LK_SHA256_LEN];
	bool found;

	LK_TRY(lk_cert_parse(lk_buf_slice(&b->domain_ca), &ca, e));
	/*= Latchkey MASA: devices are sold to a domain's CA, which outlives its registrars =*/
	LK_REQUIRE(lk_cert_is_ca(ca), e, LK_R_FACTORY_DOMAIN, "the domain-ca is not a CA");
	lk_sha256_of(lk_cert_spki(ca), md);
	lk_hex(LK_SLICE_ARRAY(md), domain.spki);
	LK_TRY(lk_store_find(lk_turn_store(t), LK_OWNER_DOMAIN_BY_SPKI, &domain.record, &found, e));
	if (found) {
		memcpy(ret_id, domain.owner_id, LK_ID_MAX);
		return LK_OK;
	}
	lk_turn_id(t, owner.id);
	memcpy(owner.name, b->owner, sizeof owner.name);
	owner.created_at = domain.created_at = lk_turn_now(t);
	LK_TRY(lk_turn_insert(t, &owner.record, e));
	memcpy(domain.owner_id, owner.id, sizeof domain.owner_id);
	LK_TRY(lk_turn_insert(t, &domain.record, e));
	memcpy(ret_id, owner.id, LK_ID_MAX);
	return lk_masa_event(
		t, "owner-added", NULL, "factory", json_pack("{s:s}", "owner", owner.id), NULL, e);
}

static struct lk_result
sell(struct lk_turn *t, const struct buyer *b, const char *owner_id, const json_t *serial,
	struct lk_err *e)
{
	LK_CLEANUP(lk_record_done) struct lk_masa_device_record d = LK_RECORD_INIT(masa_device);
	LK_CLEANUP(lk_record_done) struct lk_sale_record sale = LK_RECORD_INIT(sale);
	struct lk_scan scan = { .index = LK_MASA_DEVICE_BY_NUMBER, .prefix = 1 };
	int64_t namesakes;
	bool found;

	LK_REQUIRE(
		json_is_string(serial), e, LK_R_FACTORY_SYNTAX, "a serial number is not a string");
	LK_TRY(lk_slice_to_str(lk_slice_str(json_string_value(serial)), "serial number", d.serial,
		sizeof d.serial, e));
	LK_TRY(lk_store_count(lk_turn_store(t), scan.index, scan.prefix, &d.record, &namesakes, e));
	LK_REQUIRE(namesakes < 2, e, LK_R_FACTORY_DEVICE, "%lld devices have the serial number %s",
		(long long)namesakes, d.serial);
	LK_TRY(lk_store_next(lk_turn_store(t), &scan, &d.record, &found, e));
	LK_REQUIRE(found, e, LK_R_FACTORY_DEVICE, "device %s was never born",
		json_string_value(serial));
	if (strcmp(d.owner_id, owner_id) == 0)
		return LK_OK; /* told again */
	/*= LC-1: the manufacturer sells a device once; later transfers are its owner's =*/
	LK_REQUIRE(
		!d.owner_id[0], e, LK_R_FACTORY_SOLD, "device %s has an owner already", d.serial);
	memcpy(d.owner_id, owner_id, sizeof d.owner_id);
	d.changed_at = sale.sold_at = lk_turn_now(t);
	LK_TRY(lk_turn_put(t, &d.record, e));
	lk_turn_id(t, sale.id);
	memcpy(sale.device_id, d.id, sizeof sale.device_id);
	memcpy(sale.owner_id, owner_id, sizeof sale.owner_id);
	memcpy(sale.reference, b->reference, sizeof sale.reference);
	LK_TRY(lk_turn_insert(t, &sale.record, e));
	return lk_masa_event(
		t, "sold", d.id, "factory", json_pack("{s:s}", "owner", owner_id), NULL, e);
}

struct lk_result
lk_masa_factory_sales(struct lk_turn *t, const struct lk_message_in *m,
	const struct lk_web_request_body *w, struct lk_err *e)
{
	LK_CLEANUP(buyer_done) struct buyer b = { 0 };
	json_auto_t *obj = NULL;
	char owner_id[LK_ID_MAX];
	const json_t *list;
	size_t i;

	LK_TRY(check_factory(t, w, e));
	LK_TRY(open_list(w->body, "serial-numbers", &obj, &list, e));
	LK_TRY(lk_json_read(&buyer_table, obj, &b, e));
	LK_TRY(find_or_make_owner(t, &b, owner_id, e));
	for (i = 0; i < json_array_size(list); i++)
		LK_TRY(sell(t, &b, owner_id, json_array_get(list, i), e));
	return done(t, m, json_array_size(list), e);
}
