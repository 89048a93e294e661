/* SPDX-License-Identifier: Apache-2.0
 *
 * Onboarding information (RFC 8572 section 2.2, as conveyed information of section
 * 3.1): the outer object is the RFC's, its `configuration` is ours.
 */
#include "artefact/onboarding_information.h"

#include <assert.h>
#include <stdlib.h>

#include "base/encode.h"

#define OUTER_ROOT "ietf-sztp-conveyed-info:onboarding-information"
#define INNER_ROOT "latchkey-onboarding:onboarding"
#define ENDPOINTS  "endpoints"

/* --- tables ---------------------------------------------------------------------------------------------- */

#define LEAF(field, name, type, need)                                                              \
	LK_JSON_FIELD(struct lk_onboarding_leaves, field, name, type, need)
static const struct lk_json_field leaves[] = {
	/*= SEC-13: the network's identifier is part of the onboarding credentials =*/
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

/* What a newer network adds is ignored. */
static const struct lk_json_table table = { "the onboarding information", leaves,
	LK_ARRAY_LEN(leaves), offsetof(struct lk_onboarding_leaves, present),
	LK_R_ONBOARDING_LEAF, LK_JSON_IGNORE_UNKNOWN };

static const struct lk_json_field endpoint_members[] = {
	[LK_ENDPOINT_KIND] = LK_JSON_FIELD(struct lk_endpoint, kind, "kind", TEXT, MANDATORY),
	[LK_ENDPOINT_URL] = LK_JSON_FIELD(struct lk_endpoint, url, "url", TEXT, MANDATORY),
	[LK_ENDPOINT_ANCHOR] = LK_JSON_BINARY_FIELD(
		struct lk_endpoint, anchor, "anchor", OPTIONAL, LK_CERT_DER_MAX),
};

static const struct lk_json_table endpoint_table = { "an endpoint", endpoint_members,
	LK_ARRAY_LEN(endpoint_members), offsetof(struct lk_endpoint, present),
	LK_R_ONBOARDING_LEAF, LK_JSON_IGNORE_UNKNOWN };

/* The outer object: what RFC 8572 lets it hold, and what of that is refused. */
struct outer {
	uint32_t present;
	struct lk_buf configuration;
};

static const struct lk_json_field outer_members[] = {
	LK_JSON_BINARY_FIELD(struct outer, configuration, "configuration", MANDATORY, LK_JSON_MAX),
};

static const struct lk_json_table outer_table = { "the onboarding information", outer_members,
	LK_ARRAY_LEN(outer_members), offsetof(struct outer, present), LK_R_ONBOARDING_LEAF,
	LK_JSON_IGNORE_UNKNOWN };

static void
outer_done(struct outer *o)
{
	lk_json_done(&outer_table, o);
}

/* --- parse ------------------------------------------------------------------------------------------------ */

/*= RFC8572 2.2: boot images and scripts are part of onboarding information; here they are refused =*/
static struct lk_result
refuse_code(const json_t *outer, struct lk_err *e)
{
	static const char *const code[] = { "boot-image", "pre-configuration-script",
		"post-configuration-script" };
	size_t i;

	for (i = 0; i < LK_ARRAY_LEN(code); i++)
		LK_REQUIRE(!json_object_get(outer, code[i]), e, LK_R_ONBOARDING_CODE,
			"%s is present", code[i]);
	return LK_OK;
}

static struct lk_result
check_https(const char *what, const char *url, struct lk_err *e)
{
	LK_REQUIRE(strncmp(url, "https://", 8) == 0 && url[8], e, LK_R_ONBOARDING_LEAF,
		"%s is not an https URL", what);
	return LK_OK;
}

static struct lk_result
check_anchor(const struct lk_buf *der, struct lk_err *e)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = NULL;

	return lk_cert_parse(lk_buf_slice(der), &c, e);
}

/* What holds for what is read and for what is written. */
static struct lk_result
check_leaves(const struct lk_onboarding_leaves *leaf, struct lk_err *e)
{
	bool anchor = lk_json_has(leaf->present, LK_ONBOARDING_RADIUS_ANCHOR);
	size_t i;

	/*= SEC-14: the device is given the RADIUS server's anchor and exact name, or neither =*/
	LK_REQUIRE(anchor == lk_json_has(leaf->present, LK_ONBOARDING_RADIUS_SERVER), e,
		LK_R_ONBOARDING_LEAF, "radius-anchor and radius-server need each other");
	if (anchor)
		LK_TRY(check_anchor(&leaf->radius_anchor, e));
	if (lk_json_has(leaf->present, LK_ONBOARDING_LIFECYCLE_URL))
		LK_TRY(check_https("lifecycle-url", leaf->lifecycle_url, e));
	if (lk_json_has(leaf->present, LK_ONBOARDING_RENEWAL_URL))
		LK_TRY(check_https("renewal-url", leaf->renewal_url, e));
	for (i = 0; i < leaf->n_endpoints; i++)
		if (lk_json_has(leaf->endpoints[i].present, LK_ENDPOINT_ANCHOR))
			LK_TRY(check_anchor(&leaf->endpoints[i].anchor, e));
	return LK_OK;
}

static struct lk_result
read_endpoints(const json_t *list, struct lk_onboarding_leaves *leaf, struct lk_err *e)
{
	size_t i;

	if (!list)
		return LK_OK;
	LK_REQUIRE(json_is_array(list) && json_array_size(list) <= LK_ONBOARDING_ENDPOINTS_MAX, e,
		LK_R_ONBOARDING_LEAF, "endpoints is not a list of at most %d", LK_ONBOARDING_ENDPOINTS_MAX);
	for (i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);

		LK_REQUIRE(json_is_object(v), e, LK_R_ONBOARDING_LEAF, "an endpoint is not an object");
		LK_TRY(lk_json_read(&endpoint_table, v, &leaf->endpoints[leaf->n_endpoints++], e));
	}
	return LK_OK;
}

static struct lk_result
read_configuration(struct lk_slice text, struct lk_onboarding_leaves *leaf, struct lk_err *e)
{
	json_auto_t *inner = NULL;

	LK_TRY(lk_json_parse_yang(text, INNER_ROOT, &inner, e));
	LK_TRY(lk_json_read(&table, inner, leaf, e));
	LK_TRY(read_endpoints(json_object_get(inner, ENDPOINTS), leaf, e));
	return check_leaves(leaf, e);
}

struct lk_result
lk_onboarding_parse(struct lk_slice der, struct lk_onboarding **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_onboarding_freep) struct lk_onboarding *o = calloc(1, sizeof *o);
	LK_CLEANUP(outer_done) struct outer outer = { 0 };
	json_auto_t *obj = NULL;

	LK_REQUIRE(o, e, LK_R_NOMEM, "no memory for onboarding information");
	LK_REQUIRE(der.n <= LK_ONBOARDING_MAX, e, LK_R_TOO_LARGE,
		"onboarding information of %zu bytes, at most %d are taken", der.n, LK_ONBOARDING_MAX);
	LK_TRY(lk_cms_parse(der, &o->cms, e));
	/*= RFC8572 3.1: the content type is id-ct-sztpConveyedInfoJSON =*/
	LK_REQUIRE(lk_cms_type(o->cms) == LK_CMS_SZTP_JSON, e, LK_R_ONBOARDING_TYPE,
		"the CMS object is no conveyed information in JSON");
	LK_TRY(lk_json_parse_yang(lk_cms_content(o->cms), OUTER_ROOT, &obj, e));
	LK_TRY(refuse_code(obj, e));
	LK_TRY(lk_json_read(&outer_table, obj, &outer, e));
	LK_TRY(read_configuration(lk_buf_slice(&outer.configuration), &o->leaf, e));
	*ret = LK_TAKE(o);
	return LK_OK;
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

void
lk_onboarding_leaves_done(struct lk_onboarding_leaves *leaf)
{
	size_t i;

	for (i = 0; i < leaf->n_endpoints; i++)
		lk_json_done(&endpoint_table, &leaf->endpoints[i]);
	lk_json_done(&table, leaf);
	leaf->n_endpoints = 0;
}

/* --- check ------------------------------------------------------------------------------------------------ */

/*= RFC8572 2.2: onboarding information has to be trusted: it is signed by the pinned domain =*/
static struct lk_result
check_signature(const struct lk_onboarding *o, const struct lk_onboarding_want *want, struct lk_err *e)
{
	const struct lk_cert *signer = lk_cms_signer(o->cms);

	LK_REQUIRE(signer, e, LK_R_ONBOARDING_SIGNER, "the signer's certificate is not enclosed");
	LK_TRY(lk_cms_verify(o->cms, signer, e));
	if (!lk_chain_verify(want->domain, signer, lk_cms_certs(o->cms), want->times, want->now, e).ok) {
		if (e && e->reason == LK_R_CERT_CHAIN)
			e->reason = LK_R_ONBOARDING_SIGNER;
		return (struct lk_result){ false };
	}
	/* Any certificate of the domain would chain; only a registrar speaks for it. */
	LK_REQUIRE(lk_cert_has_eku(signer, LK_OID_EKU_CMC_RA), e, LK_R_ONBOARDING_SIGNER,
		"the signer is no registrar of the domain");
	return LK_OK;
}

struct lk_result
lk_onboarding_check(const struct lk_onboarding *o, const struct lk_onboarding_want *want,
	struct lk_verified_onboarding *ret, struct lk_err *e)
{
	const struct lk_onboarding_leaves *leaf = &o->leaf;

	assert(want->domain && want->device && want->serial_number);
	LK_TRY(check_signature(o, want, e));
	LK_REQUIRE(strcmp(leaf->device, want->device) == 0 &&
			   strcmp(leaf->serial_number, want->serial_number) == 0,
		e, LK_R_ONBOARDING_DEVICE, "it is for device %s (%s), want %s (%s)", leaf->device,
		leaf->serial_number, want->device, want->serial_number);
	LK_REQUIRE(want->times == LK_TIMES_IGNORE || leaf->issued_on <= want->now + LK_VOUCHER_CLOCK_SKEW,
		e, LK_R_ONBOARDING_ISSUED, "it was issued in the future");
	LK_REQUIRE(leaf->sequence > want->sequence, e, LK_R_ONBOARDING_SEQUENCE,
		"its sequence number is %llu, want more than %llu", (unsigned long long)leaf->sequence,
		(unsigned long long)want->sequence);
	*ret = (struct lk_verified_onboarding){ o };
	return LK_OK;
}

/* --- build, print --------------------------------------------------------------------------------------------- */

struct lk_result
lk_onboarding_json(const struct lk_onboarding_leaves *leaf, json_t **ret, struct lk_err *e)
{
	json_auto_t *obj = NULL;
	json_t *list;
	size_t i;

	LK_TRY(lk_json_write(&table, leaf, &obj, e));
	list = json_array();
	LK_TRY(lk_json_set(obj, ENDPOINTS, list, e));
	for (i = 0; i < leaf->n_endpoints; i++) {
		json_t *one = NULL;

		LK_TRY(lk_json_write(&endpoint_table, &leaf->endpoints[i], &one, e));
		LK_REQUIRE(json_array_append_new(list, one) == 0, e, LK_R_NOMEM, "no memory for JSON");
	}
	*ret = LK_TAKE(obj);
	return LK_OK;
}

static struct lk_result
print_outer(const json_t *inner, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_ONBOARDING_MAX);
	LK_CLEANUP(outer_done) struct outer outer = { .present = 1 };
	json_auto_t *obj = NULL;

	LK_TRY(lk_json_print_yang(inner, INNER_ROOT, &text, e));
	outer.configuration = LK_BUF_INIT(text.n);
	LK_TRY(lk_buf_append(&outer.configuration, lk_buf_slice(&text), e));
	LK_TRY(lk_json_write(&outer_table, &outer, &obj, e));
	return lk_json_print_yang(obj, OUTER_ROOT, out, e);
}

struct lk_result
lk_onboarding_build(const struct lk_onboarding_leaves *leaf, const struct lk_key *key,
	const struct lk_certs *certs, struct lk_buf *out, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(LK_ONBOARDING_MAX);
	json_auto_t *inner = NULL;

	LK_TRY(check_leaves(leaf, e));
	LK_TRY(lk_onboarding_json(leaf, &inner, e));
	LK_TRY(print_outer(inner, &text, e));
	return lk_cms_sign(LK_CMS_SZTP_JSON, lk_buf_slice(&text), key, certs, out, e);
}

struct lk_result
lk_onboarding_print(const struct lk_onboarding *o, struct lk_buf *out, struct lk_err *e)
{
	json_auto_t *obj = NULL;
	const char *name;
	json_t *value;
	size_t i;

	LK_TRY(lk_json_write(&table, &o->leaf, &obj, e));
	json_object_foreach(obj, name, value) {
		if (json_is_integer(value))
			LK_TRY(lk_buf_printf(out, e, "%s: %lld\n", name,
				(long long)json_integer_value(value)));
		else
			LK_TRY(lk_buf_printf(out, e, "%s: %s\n", name, json_string_value(value)));
	}
	for (i = 0; i < o->leaf.n_endpoints; i++)
		LK_TRY(lk_buf_printf(out, e, "endpoint: %s %s\n", o->leaf.endpoints[i].kind,
			o->leaf.endpoints[i].url));
	return LK_OK;
}
