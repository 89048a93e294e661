/* SPDX-License-Identifier: Apache-2.0
 *
 * Onboarding information (RFC 8572 sections 2.2, 3.1 and 6.3): the envelope's
 * members first, then our own configuration inside.
 */
#include "artefact/onboarding_information.h"

#include <assert.h>
#include <stdlib.h>

#define SZTP_ROOT  "ietf-sztp-conveyed-info:onboarding-information"
#define OWN_ROOT   "latchkey-onboarding:onboarding"
#define ENDPOINTS  "application"
#define CLOCK_SKEW LK_VOUCHER_CLOCK_SKEW

/* --- RFC 8572 6.3: the leaves of onboarding-information that are taken ------------------------ */

struct conveyed {
	uint32_t present;
	int handling;
	struct lk_buf configuration;
};

static const char *const handlings[] = { "merge", "replace", NULL };
enum { MERGE, REPLACE };

static const struct lk_json_field conveyed_leaves[] = {
	LK_JSON_ENUM_FIELD(
		struct conveyed, handling, "configuration-handling", MANDATORY, handlings),
	LK_JSON_BINARY_FIELD(
		struct conveyed, configuration, "configuration", MANDATORY, LK_ONBOARDING_MAX),
};

static const struct lk_json_table conveyed_table = {
	.what = "the conveyed information",
	.fields = conveyed_leaves,
	.n = LK_ARRAY_LEN(conveyed_leaves),
	.present_offset = offsetof(struct conveyed, present),
	.reason = LK_R_ONBOARDING_LEAF,
	.unknown = LK_JSON_IGNORE_UNKNOWN,
};

static void
conveyed_done(struct conveyed *c)
{
	lk_json_done(&conveyed_table, c);
}

/* --- our own leaves --------------------------------------------------------------------------- */

#define LEAF(field, name, type, need) \
	LK_JSON_FIELD(struct lk_onboarding_leaves, field, name, type, need)
static const struct lk_json_field leaves[] = {
	[LK_ONBOARDING_NETWORK] = LEAF(network, "network", TEXT, MANDATORY),
	[LK_ONBOARDING_DEVICE] = LEAF(device, "device", TEXT, MANDATORY),
	[LK_ONBOARDING_SERIAL_NUMBER] = LEAF(serial_number, "serial-number", TEXT, MANDATORY),
	[LK_ONBOARDING_ISSUED_ON] = LEAF(issued_on, "issued-on", TIME, MANDATORY),
	[LK_ONBOARDING_SEQUENCE] = LEAF(sequence, "sequence", U64, MANDATORY),
	[LK_ONBOARDING_RADIUS_ANCHOR] = LK_JSON_BINARY_FIELD(struct lk_onboarding_leaves,
		radius_anchor, "radius-anchor", OPTIONAL, LK_CERT_DER_MAX),
	[LK_ONBOARDING_RADIUS_SERVER] = LEAF(radius_server, "radius-server", TEXT, OPTIONAL),
	[LK_ONBOARDING_LIFECYCLE_URL] = LEAF(lifecycle_url, "lifecycle-url", TEXT, OPTIONAL),
	[LK_ONBOARDING_RENEWAL_URL] = LEAF(renewal_url, "renewal-url", TEXT, OPTIONAL),
};

static const struct lk_json_table table = {
	.what = "the onboarding information",
	.fields = leaves,
	.n = LK_ARRAY_LEN(leaves),
	.present_offset = offsetof(struct lk_onboarding_leaves, present),
	.reason = LK_R_ONBOARDING_LEAF,
	.unknown = LK_JSON_IGNORE_UNKNOWN,
};

static const struct lk_json_field endpoint_leaves[] = {
	[LK_ENDPOINT_KIND] = LK_JSON_FIELD(struct lk_endpoint, kind, "kind", TEXT, MANDATORY),
	[LK_ENDPOINT_URL] = LK_JSON_FIELD(struct lk_endpoint, url, "url", TEXT, MANDATORY),
	[LK_ENDPOINT_ANCHOR] = LK_JSON_BINARY_FIELD(
		struct lk_endpoint, anchor, "anchor", OPTIONAL, LK_CERT_DER_MAX),
};

static const struct lk_json_table endpoint_table = {
	.what = "the application",
	.fields = endpoint_leaves,
	.n = LK_ARRAY_LEN(endpoint_leaves),
	.present_offset = offsetof(struct lk_endpoint, present),
	.reason = LK_R_ONBOARDING_LEAF,
	.unknown = LK_JSON_IGNORE_UNKNOWN,
};

static bool
has(const struct lk_onboarding_leaves *leaf, enum lk_onboarding_leaf which)
{
	return lk_json_has(leaf->present, which);
}

/* Visible ASCII that begins with the scheme; NULL: any scheme. */
static bool
is_url(const char *url, const char *scheme)
{
	size_t i;

	for (i = 0; url[i]; i++)
		if (url[i] <= 0x20 || url[i] >= 0x7f)
			return false;
	return scheme ? strncmp(url, scheme, strlen(scheme)) == 0 && url[strlen(scheme)]
		      : strstr(url, "://") > url;
}

static struct lk_result
check_anchor(const char *what, const struct lk_buf *der, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;

	if (lk_cert_parse(lk_buf_slice(der), &cert, e).ok)
		return LK_OK;
	lk_err_prefix(e, "%s", what);
	return (struct lk_result){ false };
}

static struct lk_result
check_endpoints(const struct lk_onboarding_leaves *leaf, struct lk_err *e)
{
	size_t i;

	for (i = 0; i < leaf->n_endpoints; i++) {
		const struct lk_endpoint *ep = &leaf->endpoints[i];

		LK_REQUIRE(ep->kind[0] && is_url(ep->url, NULL), e, LK_R_ONBOARDING_LEAF,
			"application %zu has no kind, or no URL", i);
		if (lk_json_has(ep->present, LK_ENDPOINT_ANCHOR))
			LK_TRY(check_anchor("the application's anchor", &ep->anchor, e));
	}
	return LK_OK;
}

struct lk_result
lk_onboarding_check_network(const struct lk_onboarding_leaves *leaf, struct lk_err *e)
{
	LK_REQUIRE(leaf->network[0], e, LK_R_ONBOARDING_LEAF, "network is empty");
	/* An anchor without a name would let any certificate of that CA be the RADIUS server. */
	LK_REQUIRE(
		has(leaf, LK_ONBOARDING_RADIUS_ANCHOR) == has(leaf, LK_ONBOARDING_RADIUS_SERVER) &&
			(!has(leaf, LK_ONBOARDING_RADIUS_SERVER) || leaf->radius_server[0]),
		e, LK_R_ONBOARDING_LEAF,
		"radius-anchor and radius-server come together or not at all");
	if (has(leaf, LK_ONBOARDING_RADIUS_ANCHOR))
		LK_TRY(check_anchor("radius-anchor", &leaf->radius_anchor, e));
	LK_REQUIRE((!has(leaf, LK_ONBOARDING_LIFECYCLE_URL) ||
			   is_url(leaf->lifecycle_url, "https://")) &&
			   (!has(leaf, LK_ONBOARDING_RENEWAL_URL) ||
				   is_url(leaf->renewal_url, "https://")),
		e, LK_R_ONBOARDING_LEAF, "lifecycle-url or renewal-url is no https URL");
	return check_endpoints(leaf, e);
}

/* What the tables cannot say. */
static struct lk_result
check_leaves(const struct lk_onboarding_leaves *leaf, struct lk_err *e)
{
	LK_REQUIRE(leaf->device[0] && leaf->serial_number[0], e, LK_R_ONBOARDING_LEAF,
		"device or serial-number is empty");
	return lk_onboarding_check_network(leaf, e);
}

/* --- parse ------------------------------------------------------------------------------------ */

static struct lk_result
read_endpoints(const json_t *obj, struct lk_onboarding_leaves *leaf, struct lk_err *e)
{
	const json_t *list = json_object_get(obj, ENDPOINTS);
	size_t i;

	LK_REQUIRE(!list || json_is_array(list), e, LK_R_ONBOARDING_LEAF,
		"\"" ENDPOINTS "\" is not a list");
	LK_REQUIRE(json_array_size(list) <= LK_ONBOARDING_ENDPOINTS_MAX, e, LK_R_TOO_LARGE,
		"%zu applications, at most %d are taken", json_array_size(list),
		LK_ONBOARDING_ENDPOINTS_MAX);
	for (i = 0; i < json_array_size(list); i++) {
		leaf->n_endpoints = i + 1;
		LK_TRY(lk_json_read(
			&endpoint_table, json_array_get(list, i), &leaf->endpoints[i], e));
	}
	return LK_OK;
}

static struct lk_result
read_configuration(struct lk_slice text, struct lk_onboarding_leaves *leaf, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;

	LK_TRY(lk_json_parse_yang(text, OWN_ROOT, &obj, e));
	LK_TRY(lk_json_read(&table, obj, leaf, e));
	LK_TRY(read_endpoints(obj, leaf, e));
	return check_leaves(leaf, e);
}

static struct lk_result
check_code(const json_t *obj, struct lk_err *e)
{
	static const char *const code[] = { "boot-image", "pre-configuration-script",
		"post-configuration-script" };
	size_t i;

	/*= RFC8572 2.2: onboarding information may carry images and scripts; this device runs none
	 * =*/
	for (i = 0; i < LK_ARRAY_LEN(code); i++)
		LK_REQUIRE(!json_object_get(obj, code[i]), e, LK_R_ONBOARDING_CODE,
			"the information has a %s", code[i]);
	return LK_OK;
}

struct lk_result
lk_onboarding_parse(struct lk_slice der, struct lk_onboarding **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = calloc(1, sizeof *o);
	LK_CLEANUP(conveyed_done) struct conveyed conveyed = { .present = 0 };
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;

	LK_REQUIRE(o, e, LK_R_NOMEM, "no memory for onboarding information");
	LK_REQUIRE(der.n <= LK_ONBOARDING_MAX, e, LK_R_TOO_LARGE,
		"onboarding information of %zu octets, at most %d are taken", der.n,
		LK_ONBOARDING_MAX);
	LK_TRY(lk_cms_parse(der, &o->cms, e));
	/*= RFC8572 3.1: signed conveyed information is SignedData of id-ct-sztpConveyedInfoJSON =*/
	LK_REQUIRE(lk_cms_type(o->cms) == LK_CMS_SZTP_JSON, e, LK_R_ONBOARDING_TYPE,
		"the content is not of type id-ct-sztpConveyedInfoJSON");
	if (!lk_json_parse_yang(lk_cms_content(o->cms), SZTP_ROOT, &obj, e).ok)
		return lk_fail_as(e, LK_R_JSON_MEMBER, LK_R_ONBOARDING_TYPE,
			"this is not onboarding information");
	LK_TRY(check_code(obj, e));
	LK_TRY(lk_json_read(&conveyed_table, obj, &conveyed, e));
	LK_TRY(read_configuration(lk_buf_slice(&conveyed.configuration), &o->leaf, e));
	*ret = LK_TAKE(o);
	return LK_OK;
}

void
lk_onboarding_leaves_done(struct lk_onboarding_leaves *leaf)
{
	size_t i;

	lk_json_done(&table, leaf);
	for (i = 0; i < leaf->n_endpoints; i++)
		lk_json_done(&endpoint_table, &leaf->endpoints[i]);
}

struct lk_onboarding *
lk_onboarding_free(struct lk_onboarding *o)
{
	if (!o)
		return NULL;
	lk_cms_free(o->cms);
	lk_onboarding_leaves_done(&o->leaf);
	free(o);
	return NULL;
}

/* --- check ------------------------------------------------------------------------------------ */

static struct lk_result
check_signature(
	const struct lk_onboarding *o, const struct lk_onboarding_want *want, struct lk_err *e)
{
	const struct lk_cert *signer = lk_cms_signer(o->cms);

	LK_REQUIRE(signer, e, LK_R_ONBOARDING_SIGNER, "the signer's certificate is not enclosed");
	LK_TRY(lk_cms_verify(o->cms, signer, e));
	/*= RFC8572 2.2: onboarding information is taken from a trusted source only =*/
	if (!lk_chain_verify(want->domain, signer, lk_cms_certs(o->cms), want->times, want->now, e)
			.ok)
		return lk_fail_as(e, LK_R_CERT_CHAIN, LK_R_ONBOARDING_SIGNER,
			"the signer does not belong to the pinned domain");
	/* Other devices of the network chain to the same anchor. */
	LK_REQUIRE(lk_cert_has_eku(signer, LK_OID_EKU_CMC_RA), e, LK_R_ONBOARDING_SIGNER,
		"the signer's certificate has no id-kp-cmcRA: it is no registrar");
	return LK_OK;
}

struct lk_result
lk_onboarding_check(const struct lk_onboarding *o, const struct lk_onboarding_want *want,
	struct lk_verified_onboarding *ret, struct lk_err *e)
{
	const struct lk_onboarding_leaves *leaf = &o->leaf;
	char is[LK_TIME_TEXT_MAX];

	assert(want->domain && want->device && want->serial_number);
	LK_TRY(check_signature(o, want, e));
	LK_REQUIRE(strcmp(leaf->device, want->device) == 0 &&
			   strcmp(leaf->serial_number, want->serial_number) == 0,
		e, LK_R_ONBOARDING_DEVICE, "it is for device %s, serial-number %s", leaf->device,
		leaf->serial_number);
	lk_time_print(leaf->issued_on, is);
	LK_REQUIRE(want->times == LK_TIMES_IGNORE || leaf->issued_on <= want->now + CLOCK_SKEW, e,
		LK_R_ONBOARDING_ISSUED, "issued-on is %s", is);
	LK_REQUIRE(leaf->sequence >= want->sequence, e, LK_R_ONBOARDING_SEQUENCE,
		"sequence is %llu, the device has %llu", (unsigned long long)leaf->sequence,
		(unsigned long long)want->sequence);
	*ret = (struct lk_verified_onboarding){ o };
	return LK_OK;
}

/* --- build and print -------------------------------------------------------------------------- */

struct lk_result
lk_onboarding_json(const struct lk_onboarding_leaves *leaf, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	json_t *list;
	size_t i;

	LK_TRY(lk_json_write(&table, leaf, &obj, e));
	list = json_array();
	LK_TRY(lk_json_set(obj, ENDPOINTS, list, e));
	for (i = 0; i < leaf->n_endpoints; i++) {
		json_t *item = NULL;

		LK_TRY(lk_json_write(&endpoint_table, &leaf->endpoints[i], &item, e));
		LK_REQUIRE(json_array_append_new(list, item) == 0, e, LK_R_NOMEM,
			"no memory for JSON");
	}
	*ret = LK_TAKE(obj);
	return LK_OK;
}

struct lk_result
lk_onboarding_build(const struct lk_onboarding_leaves *leaf, const struct lk_key *key,
	const struct lk_certs *certs, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(conveyed_done)
	struct conveyed conveyed = {
		.present = 3, .handling = REPLACE, .configuration = LK_BUF_INIT(LK_ONBOARDING_MAX)
	};
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_ONBOARDING_MAX);
	LK_CLEANUP(json_decrefp) json_t *inner = NULL;
	LK_CLEANUP(json_decrefp) json_t *outer = NULL;

	LK_TRY(lk_onboarding_json(leaf, &inner, e));
	LK_TRY(check_leaves(leaf, e));
	LK_TRY(lk_json_print_yang(inner, OWN_ROOT, &conveyed.configuration, e));
	LK_TRY(lk_json_write(&conveyed_table, &conveyed, &outer, e));
	LK_TRY(lk_json_print_yang(outer, SZTP_ROOT, &text, e));
	return lk_cms_sign(
		LK_CMS_SZTP_JSON, lk_buf_slice(&text), leaf->issued_on, key, certs, out, e);
}

static struct lk_result
print_cert(const char *name, const struct lk_buf *der, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *cert = NULL;

	LK_TRY(lk_cert_parse(lk_buf_slice(der), &cert, e));
	return lk_cert_print_line(name, cert, out, e);
}

static struct lk_result
print_endpoint(const struct lk_endpoint *ep, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *text = json_sprintf("%s %s", ep->kind, ep->url);

	LK_REQUIRE(text, e, LK_R_NOMEM, "no memory to print an application");
	LK_TRY(lk_json_print_line(ENDPOINTS, text, out, e));
	if (!lk_json_has(ep->present, LK_ENDPOINT_ANCHOR))
		return LK_OK;
	return print_cert(ENDPOINTS " anchor", &ep->anchor, out, e);
}

struct lk_result
lk_onboarding_print(const struct lk_onboarding *o, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(json_decrefp) json_t *obj = NULL;
	const char *name;
	json_t *value;
	size_t i;

	LK_TRY(lk_json_write(&table, &o->leaf, &obj, e));
	json_object_foreach (obj, name, value) {
		if (strcmp(name, leaves[LK_ONBOARDING_RADIUS_ANCHOR].name) == 0)
			LK_TRY(print_cert(name, &o->leaf.radius_anchor, out, e));
		else
			LK_TRY(lk_json_print_line(name, value, out, e));
	}
	for (i = 0; i < o->leaf.n_endpoints; i++)
		LK_TRY(print_endpoint(&o->leaf.endpoints[i], out, e));
	return LK_OK;
}
