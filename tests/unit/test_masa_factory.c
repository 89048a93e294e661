/* SPDX-License-Identifier: Apache-2.0
 *
 * What the factory tells its MASA: births and sales. Who may tell, that a list counts as a whole
 * or not at all, and that being told twice changes nothing.
 */
#include "masa_cast.h"

#include "cert_cast.h"

static const struct lk_masa_settings settings = { LK_PIN_FARTHEST, 1200, false };

static struct cert_cast certs;
static struct masa masa;

/* The TLS client's chain: the factory's, or who else is asked about. Caller releases. */
static struct lk_certs
client(enum lk_cert_profile who)
{
	struct lk_certs c = { .n = 0 };

	MASA_OK(lk_certs_add(&c, certs.cert[who], &masa_err));
	return c;
}

static void
tells(enum lk_ep endpoint, const char *body)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs factory = client(LK_PROFILE_FACTORY_CLIENT);

	masa_ask(&masa, endpoint, &factory, lk_slice_str(body));
	if (masa.reply.status != 200)
		fail_msg("%s", lk_buf_str(&masa.reply_body));
	assert_string_equal(masa.reply.content_type, LK_TYPE_JSON);
}

static void
refuses(enum lk_ep endpoint, const char *body, enum lk_reason want)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs factory = client(LK_PROFILE_FACTORY_CLIENT);

	masa_refuses(&masa, endpoint, &factory, lk_slice_str(body), want);
}

/* An IDevID of the manufacturer's with this serial number. Caller frees. */
static struct lk_cert *
idevid(const char *serial)
{
	struct lk_cert_spec spec =
		cert_spec(LK_PROFILE_IDEVID, lk_key_spki(certs.key[LK_PROFILE_IDEVID]));
	LK_CLEANUP(lk_buf_done) struct lk_buf der = LK_BUF_INIT(LK_CERT_DER_MAX);
	struct lk_cert *c = NULL;

	spec.serial_number = serial;
	MASA_OK(lk_cert_issue(&spec, certs.cert[LK_PROFILE_MANUFACTURER_ROOT],
		certs.key[LK_PROFILE_MANUFACTURER_ROOT], &der, &masa_err));
	MASA_OK(lk_cert_parse(lk_buf_slice(&der), &c, &masa_err));
	return c;
}

/* {"idevid":…}; claim NULL: not said. Caller frees. */
static char *
born(const struct lk_cert *c, const char *claim)
{
	LK_CLEANUP(lk_freep) char *der = pki_quoted_base64(lk_cert_der(c));

	return pki_text("{\"idevid\":%s,\"product-line\":\"" MASA_LINE "\"%s%s%s}", der,
		claim ? ",\"claim\":\"" : "", claim ? claim : "", claim ? "\"" : "");
}

static char *
births(const char *one, const char *two)
{
	return pki_text("{\"schema\":1,\"devices\":[%s%s%s]}", one, two ? "," : "", two ? two : "");
}

static void
tell_birth(const char *serial, const char *claim)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *c = idevid(serial);
	LK_CLEANUP(lk_freep) char *one = born(c, claim);
	LK_CLEANUP(lk_freep) char *body = births(one, NULL);

	tells(LK_EP_FACTORY_DEVICES, body);
}

static char *
sale(const struct pki_id *domain, const char *serials)
{
	LK_CLEANUP(lk_freep) char *ca = pki_quoted_base64(lk_cert_der(pki_cert(domain)));

	return pki_text("{\"schema\":1,\"owner\":\"Miller & Sons\",\"domain-ca\":%s,"
			"\"reference\":\"order 7\",\"serial-numbers\":%s}",
		ca, serials);
}

static void
get_device(const char *serial, struct lk_masa_device_record *ret)
{
	masa_set(ret->serial, serial);
	lk_hex(lk_cert_aki(certs.cert[LK_PROFILE_IDEVID]), ret->idevid_issuer);
	MASA_OK(lk_store_get(masa.store, LK_MASA_DEVICE_BY_SERIAL, &ret->record, &masa_err));
}

/* --- who may tell ----------------------------------------------------------------------------- */

/*= Latchkey factory: a device's certificate does not speak for the factory =*/
static void
test_only_the_factory_speaks(void **state)
{
	static const enum lk_ep endpoints[] = { LK_EP_FACTORY_DEVICES, LK_EP_FACTORY_SALES };
	LK_CLEANUP(lk_certs_done) struct lk_certs device = client(LK_PROFILE_IDEVID);
	LK_CLEANUP(lk_certs_done) struct lk_certs signer = client(LK_PROFILE_VOUCHER_SIGNER);
	LK_CLEANUP(lk_certs_done) struct lk_certs operator= client(LK_PROFILE_OPERATOR);
	LK_CLEANUP(lk_freep) char *one = born(certs.cert[LK_PROFILE_IDEVID], NULL);
	LK_CLEANUP(lk_freep) char *body = births(one, NULL);
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(endpoints); i++) {
		masa_refuses(&masa, endpoints[i], NULL, lk_slice_str(body), LK_R_FACTORY_UNKNOWN);
		masa_refuses(&masa, endpoints[i], &device, lk_slice_str(body), LK_R_CERT_KEY_USAGE);
		masa_refuses(&masa, endpoints[i], &signer, lk_slice_str(body), LK_R_CERT_EKU);
		masa_refuses(&masa, endpoints[i], &operator, lk_slice_str(body), LK_R_CERT_CHAIN);
	}
}

static void
test_the_factorys_certificate_ends(void **state)
{
	LK_CLEANUP(lk_freep) char *one = born(certs.cert[LK_PROFILE_IDEVID], NULL);
	LK_CLEANUP(lk_freep) char *body = births(one, NULL);

	(void)state;
	masa.clock.seconds = lk_cert_not_after(certs.cert[LK_PROFILE_FACTORY_CLIENT]) + 1;
	refuses(LK_EP_FACTORY_DEVICES, body, LK_R_CERT_TIME);
}

/* --- births ----------------------------------------------------------------------------------- */

static void
test_a_device_is_born(void **state)
{
	LK_CLEANUP(lk_record_done) struct lk_masa_device_record d = LK_RECORD_INIT(masa_device);
	LK_CLEANUP(lk_record_done) struct lk_event_record ev = LK_RECORD_INIT(event);

	(void)state;
	tell_birth("LK-7", "none");
	assert_string_equal(lk_buf_str(&masa.reply_body), "{\"schema\":1,\"devices\":1}");
	get_device("LK-7", &d);
	assert_string_equal(d.product_line, MASA_LINE);
	assert_string_equal(d.owner_id, "");
	assert_string_equal(d.phase, "S2");
	masa_newest_event(&masa, &ev);
	assert_string_equal(ev.type, "born");
	assert_string_equal(ev.device_id, d.id);
}

/*= Latchkey MASA: a product line allows no claim until somebody says so =*/
static void
test_product_lines_are_shut_by_default(void **state)
{
	LK_CLEANUP(lk_record_done)
	struct lk_product_line_record line = LK_RECORD_INIT(product_line);

	(void)state;
	tell_birth("LK-7", NULL);
	masa_set(line.id, MASA_LINE);
	MASA_OK(lk_store_get(masa.store, LK_PRODUCT_LINE_BY_ID, &line.record, &masa_err));
	assert_string_equal(line.claim, "none");
	/* A later device does not open what its line has shut. */
	tell_birth("LK-8", "nonce-proximity");
	MASA_OK(lk_store_get(masa.store, LK_PRODUCT_LINE_BY_ID, &line.record, &masa_err));
	assert_string_equal(line.claim, "none");
}

/*= Latchkey MASA: a product line allows no claim until somebody says so =*/
static void
test_a_product_line_that_somebody_opened(void **state)
{
	LK_CLEANUP(lk_record_done)
	struct lk_product_line_record line = LK_RECORD_INIT(product_line);

	(void)state;
	tell_birth("LK-7", "nonce-proximity");
	masa_set(line.id, MASA_LINE);
	MASA_OK(lk_store_get(masa.store, LK_PRODUCT_LINE_BY_ID, &line.record, &masa_err));
	assert_string_equal(line.claim, "nonce-proximity");
}

/* A line that was opened is shut by a later device that says so, and by none that says nothing. */
static void
test_a_product_line_is_shut_again(void **state)
{
	LK_CLEANUP(lk_record_done)
	struct lk_product_line_record line = LK_RECORD_INIT(product_line);
	int64_t events;

	(void)state;
	tell_birth("LK-7", "nonce-proximity");
	tell_birth("LK-8", NULL);
	masa_set(line.id, MASA_LINE);
	MASA_OK(lk_store_get(masa.store, LK_PRODUCT_LINE_BY_ID, &line.record, &masa_err));
	assert_string_equal(line.claim, "nonce-proximity");
	events = masa_events(&masa);
	tell_birth("LK-9", "none");
	MASA_OK(lk_store_get(masa.store, LK_PRODUCT_LINE_BY_ID, &line.record, &masa_err));
	assert_string_equal(line.claim, "none");
	assert_int_equal(line.created_at, PKI_NOW);
	assert_int_equal(masa_events(&masa), events + 2); /* of the line, and of the birth */
	tell_birth("LK-10", "none");
	assert_int_equal(masa_events(&masa), events + 3);
}

/* After a lost answer: the same certificate is no news, another one for the number is refused. */
static void
test_a_birth_is_told_again(void **state)
{
	LK_CLEANUP(lk_freep) char *one = born(certs.cert[LK_PROFILE_IDEVID], NULL);
	LK_CLEANUP(lk_freep) char *body = births(one, NULL);
	LK_CLEANUP(lk_cert_freep) struct lk_cert *twin = NULL;
	LK_CLEANUP(lk_freep) char *other = NULL, *others = NULL;
	LK_CLEANUP(lk_buf_done) struct lk_buf before = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_buf_done) struct lk_buf after = LK_BUF_INIT(65536);
	int64_t events;

	(void)state;
	tells(LK_EP_FACTORY_DEVICES, body);
	masa_state(&masa, &before);
	events = masa_events(&masa);
	tells(LK_EP_FACTORY_DEVICES, body);
	masa_state(&masa, &after);
	assert_string_equal(lk_buf_str(&after), lk_buf_str(&before));
	assert_int_equal(masa_events(&masa), events);
	twin = idevid(PKI_SERIAL); /* signed anew: another certificate */
	other = born(twin, NULL);
	others = births(other, NULL);
	refuses(LK_EP_FACTORY_DEVICES, others, LK_R_FACTORY_DEVICE);
}

/* What is wrong with one of a list is wrong with all of it. */
static void
test_a_list_counts_as_a_whole(void **state)
{
	LK_CLEANUP(lk_cert_freep) struct lk_cert *good = idevid("LK-7");
	LK_CLEANUP(lk_freep) char *one = born(good, NULL);
	const struct {
		enum lk_cert_profile profile;
		enum lk_reason reason;
	} bad[] = {
		{ LK_PROFILE_LDEVID, LK_R_CERT_EKU },
		{ LK_PROFILE_FACTORY_CLIENT, LK_R_CERT_EKU },
	};
	size_t i;

	(void)state;
	for (i = 0; i < LK_ARRAY_LEN(bad); i++) {
		LK_CLEANUP(lk_freep) char *two = born(certs.cert[bad[i].profile], NULL);
		LK_CLEANUP(lk_freep) char *body = births(one, two);

		refuses(LK_EP_FACTORY_DEVICES, body, bad[i].reason);
	}
}

/* Another manufacturer's device in the right form. */
static void
test_a_foreign_device(void **state)
{
	static struct cert_cast others;
	LK_CLEANUP(lk_freep) char *one = NULL, *body = NULL;

	(void)state;
	cert_cast_init(&others);
	one = born(others.cert[LK_PROFILE_IDEVID], NULL);
	body = births(one, NULL);
	refuses(LK_EP_FACTORY_DEVICES, body, LK_R_CERT_CHAIN);
	cert_cast_done(&others);
}

static void
test_malformed_lists(void **state)
{
	LK_CLEANUP(lk_freep) char *one = born(certs.cert[LK_PROFILE_IDEVID], NULL);
	LK_CLEANUP(lk_freep) char *schema = pki_text("{\"schema\":2,\"devices\":[%s]}", one);
	LK_CLEANUP(lk_freep)
	char *extra = pki_text("{\"schema\":1,\"devices\":[{\"colour\":1,%s]}", one + 1);
	LK_CLEANUP(lk_freep) char *claim = born(certs.cert[LK_PROFILE_IDEVID], "everybody");
	LK_CLEANUP(lk_freep) char *claims = births(claim, NULL);
	LK_CLEANUP(lk_buf_done) struct lk_buf many = LK_BUF_INIT(65536);
	int i;

	(void)state;
	refuses(LK_EP_FACTORY_DEVICES, "", LK_R_JSON_SYNTAX);
	refuses(LK_EP_FACTORY_DEVICES, "{}", LK_R_FACTORY_SYNTAX);
	refuses(LK_EP_FACTORY_DEVICES, schema, LK_R_FACTORY_SYNTAX);
	refuses(LK_EP_FACTORY_DEVICES, "{\"schema\":1,\"devices\":[]}", LK_R_FACTORY_SYNTAX);
	refuses(LK_EP_FACTORY_DEVICES, "{\"schema\":1,\"devices\":[7]}", LK_R_FACTORY_SYNTAX);
	refuses(LK_EP_FACTORY_DEVICES, extra, LK_R_FACTORY_SYNTAX);
	refuses(LK_EP_FACTORY_DEVICES, claims, LK_R_FACTORY_SYNTAX);
	MASA_OK(lk_buf_append_str(&many, "{\"schema\":1,\"devices\":[0", &masa_err));
	for (i = 0; i < 256; i++)
		MASA_OK(lk_buf_append_str(&many, ",0", &masa_err));
	MASA_OK(lk_buf_append_str(&many, "]}", &masa_err));
	refuses(LK_EP_FACTORY_DEVICES, lk_buf_str(&many), LK_R_FACTORY_SYNTAX);
}

/* --- sales ------------------------------------------------------------------------------------ */

static void
test_a_device_is_sold(void **state)
{
	LK_CLEANUP(lk_freep) char *body = sale(&masa.cast.domain, "[\"LK-7\",\"LK-8\"]");
	LK_CLEANUP(lk_record_done) struct lk_masa_device_record d = LK_RECORD_INIT(masa_device);
	LK_CLEANUP(lk_record_done) struct lk_masa_device_record d8 = LK_RECORD_INIT(masa_device);
	LK_CLEANUP(lk_record_done) struct lk_owner_record owner = LK_RECORD_INIT(owner);
	LK_CLEANUP(lk_record_done) struct lk_sale_record sold = LK_RECORD_INIT(sale);
	struct lk_scan scan = { .index = LK_SALE_BY_DEVICE, .prefix = 1 };
	bool found;

	(void)state;
	tell_birth("LK-7", NULL);
	tell_birth("LK-8", NULL);
	tells(LK_EP_FACTORY_SALES, body);
	get_device("LK-7", &d);
	get_device("LK-8", &d8);
	assert_int_not_equal(d.owner_id[0], 0);
	assert_string_equal(d8.owner_id, d.owner_id);
	masa_set(owner.id, d.owner_id);
	MASA_OK(lk_store_get(masa.store, LK_OWNER_BY_ID, &owner.record, &masa_err));
	assert_string_equal(owner.name, "Miller & Sons");
	masa_set(sold.device_id, d.id);
	MASA_OK(lk_store_next(masa.store, &scan, &sold.record, &found, &masa_err));
	assert_true(found);
	assert_string_equal(sold.owner_id, d.owner_id);
	assert_string_equal(sold.reference, "order 7");
	assert_int_equal(sold.sold_at, PKI_NOW);
}

/*= LC-1: the manufacturer sells a device once; later transfers are its owner's =*/
static void
test_a_device_is_sold_once(void **state)
{
	LK_CLEANUP(lk_freep) char *first = sale(&masa.cast.domain, "[\"LK-7\"]");
	LK_CLEANUP(lk_freep) char *second = sale(&masa.cast.stranger_ca, "[\"LK-8\",\"LK-7\"]");
	LK_CLEANUP(lk_buf_done) struct lk_buf before = LK_BUF_INIT(65536);
	LK_CLEANUP(lk_buf_done) struct lk_buf after = LK_BUF_INIT(65536);

	(void)state;
	tell_birth("LK-7", NULL);
	tell_birth("LK-8", NULL);
	tells(LK_EP_FACTORY_SALES, first);
	masa_state(&masa, &before);
	tells(LK_EP_FACTORY_SALES, first); /* told again */
	masa_state(&masa, &after);
	assert_string_equal(lk_buf_str(&after), lk_buf_str(&before));
	refuses(LK_EP_FACTORY_SALES, second, LK_R_FACTORY_SOLD); /* nor is LK-8 */
}

/* A sale names devices by number alone: of two that share one, neither is guessed. */
static void
test_an_ambiguous_sale(void **state)
{
	LK_CLEANUP(lk_freep) char *body = sale(&masa.cast.domain, "[\"" PKI_SERIAL "\"]");
	LK_CLEANUP(pki_id_done) struct pki_id other_ca, twin;

	(void)state;
	pki_issue(NULL, &(struct pki_spec){ .cn = "Vendor's other CA", .ca = true }, &other_ca);
	pki_issue(
		&other_ca, &(struct pki_spec){ .cn = "Twin", .serial_number = PKI_SERIAL }, &twin);
	masa_add_device(&masa, MASA_DEVICE, pki_cert(&masa.cast.device), "");
	masa_add_device(&masa, "twin", pki_cert(&twin), "");
	refuses(LK_EP_FACTORY_SALES, body, LK_R_FACTORY_DEVICE);
	assert_non_null(strstr(lk_buf_str(&masa.reply_body), "2 devices have"));
}

/*= Latchkey MASA: devices are sold to a domain's CA, which outlives its registrars =*/
static void
test_malformed_sales(void **state)
{
	LK_CLEANUP(lk_freep) char *registrar = sale(&masa.cast.registrar, "[\"LK-7\"]");
	LK_CLEANUP(lk_freep) char *unborn = sale(&masa.cast.domain, "[\"LK-9\"]");
	LK_CLEANUP(lk_freep) char *number = sale(&masa.cast.domain, "[9]");

	(void)state;
	tell_birth("LK-7", NULL);
	refuses(LK_EP_FACTORY_SALES, registrar, LK_R_FACTORY_DOMAIN);
	refuses(LK_EP_FACTORY_SALES, unborn, LK_R_FACTORY_DEVICE);
	refuses(LK_EP_FACTORY_SALES, number, LK_R_FACTORY_SYNTAX);
	refuses(LK_EP_FACTORY_SALES, "{\"schema\":1,\"serial-numbers\":[\"LK-7\"]}",
		LK_R_FACTORY_SYNTAX);
	refuses(LK_EP_FACTORY_SALES,
		"{\"schema\":1,\"owner\":\"M\",\"domain-ca\":\"AAAA\",\"serial-numbers\":[\"LK-7\"]"
		"}",
		LK_R_CERT_SYNTAX);
}

static int
setup(void **state)
{
	(void)state;
	masa_init(&masa, &settings, certs.cert[LK_PROFILE_MANUFACTURER_ROOT]);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	masa_done(&masa);
	return 0;
}

static int
make_certs(void **state)
{
	(void)state;
	cert_cast_init(&certs);
	return 0;
}

static int
drop_certs(void **state)
{
	(void)state;
	cert_cast_done(&certs);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_only_the_factory_speaks),
		TEST(test_the_factorys_certificate_ends),
		TEST(test_a_device_is_born),
		TEST(test_product_lines_are_shut_by_default),
		TEST(test_a_product_line_that_somebody_opened),
		TEST(test_a_product_line_is_shut_again),
		TEST(test_a_birth_is_told_again),
		TEST(test_a_list_counts_as_a_whole),
		TEST(test_a_foreign_device),
		TEST(test_malformed_lists),
		TEST(test_a_device_is_sold),
		TEST(test_a_device_is_sold_once),
		TEST(test_an_ambiguous_sale),
		TEST(test_malformed_sales),
	};

	return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
