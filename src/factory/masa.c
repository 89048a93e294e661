/* SPDX-License-Identifier: Apache-2.0
 *
 * What the MASA is told: devices that were born, and to whom they were sold, over
 * mutual TLS with the factory's client certificate. Slices of 256; what the MASA
 * took is recorded slice by slice, and telling it twice does no harm.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/file.h"
#include "factory/commands.h"
#include "factory/table.h"
#include "net/loop.h"
#include "net/outbound.h"

#define SLICE    256         /* devices in one request */
#define BODY_MAX (48 * 1024) /* octets of one request; the MASA takes JSON of 64 KiB */

/* --- one request ------------------------------------------------------------------------------ */

struct masa {
	const char *url; /* authority */
	struct lk_loop *loop;
	struct lk_outbound *outbound;
};

static void
masa_done(struct masa *m)
{
	lk_outbound_free(m->outbound);
	if (m->loop)
		lk_loop_free(m->loop);
}

/* The factory and its MASA trust each other alone, wherever the MASA is: any address will do. */
static struct lk_result
masa_open(const struct lk_workshop *w, const char *url, struct masa *ret, struct lk_err *e)
{
	LK_CLEANUP(masa_done) struct masa m = { url, NULL, NULL };
	LK_CLEANUP(lk_certs_done) struct lk_certs chain = { .n = 0 };
	LK_CLEANUP(lk_key_freep) struct lk_key *key = NULL;
	struct lk_egress egress = { .n_allow = 0 };
	struct lk_outbound_settings set = {
		.anchors = &w->factory.root, .chain = &chain, .egress = &egress
	};

	LK_TRY(lk_factory_check_masa_url(url, e));
	LK_TRY(lk_factory_certs(w->factory.dir, "pki/factory-client.pem", &chain, e));
	LK_TRY(lk_workshop_key(w, w->factory.leaf.client_key, &key, e));
	set.key = lk_key_evp(key);
	LK_TRY(lk_egress_allow(&egress, "0.0.0.0/0", e));
	LK_TRY(lk_egress_allow(&egress, "::/0", e));
	LK_TRY(lk_loop_new(&lk_clock_system, &m.loop, e));
	LK_TRY(lk_outbound_new(m.loop, &set, &m.outbound, e));
	*ret = m;
	m = (struct masa){ NULL, NULL, NULL };
	return LK_OK;
}

struct answer {
	struct lk_loop *loop;
	bool ok;
	struct lk_err err;
};

static void
take_answer(void *ctx, const struct lk_outbound_result *result, const struct lk_err *err)
{
	struct answer *a = ctx;

	a->ok = result && result->status == 200;
	if (err)
		a->err = *err;
	else if (!a->ok)
		lk_err_set(&a->err, LK_R_FACTORY_MASA, "%s answered %u: %.*s", result->address,
			result->status, (int)(result->body.n < 150 ? result->body.n : 150),
			(const char *)result->body.p);
	lk_loop_stop(a->loop);
}

static struct lk_result
post(struct masa *m, const char *path, const json_t *obj, struct lk_err *e)
{
	static const struct lk_http1_field fields[] = { { "Content-Type", "application/json" } };
	LK_CLEANUP(lk_buf_done) struct lk_buf body = LK_BUF_INIT(LK_JSON_MAX);
	struct answer a = { .loop = m->loop };
	char url[LK_CERT_NAME_MAX + 64];
	struct lk_outbound_request rq = {
		.url = url, .method = "POST", .fields = fields, .n_fields = LK_ARRAY_LEN(fields)
	};

	snprintf(url, sizeof url, "https://%s%s", m->url, path);
	LK_TRY(lk_json_print(obj, &body, e));
	rq.body = lk_buf_slice(&body);
	LK_TRY(lk_outbound_start(m->outbound, &rq, take_answer, &a, NULL, e));
	LK_TRY(lk_loop_run(m->loop, e));
	LK_REQUIRE(a.ok, e, a.err.reason, "%s: %s (--masa HOST:PORT names another)", m->url,
		a.err.msg);
	return LK_OK;
}

/* --- a slice ---------------------------------------------------------------------------------- */

/* What fits into one request, and for whom it is recorded when it was taken. */
struct slice {
	const char *path;
	json_t *body; /* owned */
	json_t *list; /* borrowed from body */
	size_t octets;
	size_t n;
	char serial[SLICE][LK_SERIAL_NUMBER_MAX];
	struct lk_journal_entry as; /* event and its members, but for the serial number */
	json_int_t sent;
};

static void
slice_done(struct slice *s)
{
	json_decref(s->body);
}

static uint32_t
bit(enum lk_journal_leaf leaf)
{
	return UINT32_C(1) << leaf;
}

static struct lk_result
flush(struct slice *s, struct masa *m, struct lk_journal *j, struct lk_err *e)
{
	size_t i;

	if (s->n == 0)
		return LK_OK;
	LK_TRY(post(m, s->path, s->body, e));
	for (i = 0; i < s->n; i++) {
		memcpy(s->as.serial, s->serial[i], sizeof s->as.serial);
		LK_TRY(lk_journal_append(j, &s->as, true, e));
	}
	LK_TRY(lk_journal_sync(j, e));
	s->sent += (json_int_t)s->n;
	s->n = s->octets = 0;
	json_array_clear(s->list);
	return LK_OK;
}

/* item's reference is taken; octets: how much longer it makes the body. */
static struct lk_result
add(struct slice *s, struct masa *m, struct lk_journal *j, const char *serial, json_t *item,
	size_t octets, struct lk_err *e)
{
	json_auto_t *owned = item;

	if (s->n == SLICE || s->octets + octets > BODY_MAX)
		LK_TRY(flush(s, m, j, e));
	LK_REQUIRE(owned && json_array_append(s->list, owned) == 0, e, LK_R_NOMEM,
		"no memory for a request");
	snprintf(s->serial[s->n++], LK_SERIAL_NUMBER_MAX, "%s", serial);
	s->octets += octets;
	return LK_OK;
}

/* --- push ------------------------------------------------------------------------------------- */

static struct lk_result
push_device(struct slice *s, struct masa *m, struct lk_journal *j,
	const struct lk_journal_device *d, struct lk_err *e)
{
	LK_CLEANUP(lk_journal_entry_done) struct lk_journal_entry born = { .present = 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf idevid = LK_BUF_INIT(2 * LK_CERT_DER_MAX);
	const char *claim;
	json_t *item;

	LK_TRY(lk_journal_read(j, d, &born, e));
	LK_TRY(lk_base64_encode(lk_buf_slice(&born.idevid), &idevid, e));
	item = json_pack(
		"{s:s, s:s}", "idevid", lk_buf_str(&idevid), "product-line", born.product_line);
	claim = lk_journal_claim(j, born.product_line);
	if (item && claim[0])
		json_object_set_new(item, "claim", json_string(claim));
	return add(s, m, j, d->serial, item, idevid.n + 256, e);
}

struct lk_result
lk_factory_cmd_push(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	const char *dir = LK_FACTORY_DIR, *url = NULL;
	const struct lk_cli_option options[] = {
		{ "dir", &dir, NULL, false },
		{ "masa", &url, NULL, false },
	};
	LK_CLEANUP(lk_workshop_done) struct lk_workshop w = { .journal = NULL };
	LK_CLEANUP(masa_done) struct masa m = { NULL, NULL, NULL };
	LK_CLEANUP(slice_done) struct slice s = { .path = "/factory/v1/devices" };
	char next[2 * PATH_MAX];
	size_t i;

	LK_TRY(lk_cli_options(options, LK_ARRAY_LEN(options), argc, argv, e));
	LK_TRY(lk_workshop_open(dir, &w, e));
	LK_TRY(masa_open(&w, url ? url : w.factory.leaf.masa_url, &m, e));
	s.list = json_array();
	s.body = json_pack("{s:i, s:o}", "schema", 1, "devices", s.list);
	LK_REQUIRE(s.body, e, LK_R_NOMEM, "no memory for a request");
	s.as = (struct lk_journal_entry){ .event = LK_JOURNAL_TOLD,
		.at = lk_now(cli->clock),
		.present = bit(LK_JOURNAL_EVENT) | bit(LK_JOURNAL_AT) | bit(LK_JOURNAL_SERIAL) };
	for (i = 0; i < lk_journal_count(w.journal); i++) {
		const struct lk_journal_device *d = lk_journal_at(w.journal, i);

		if (d->state == LK_JOURNAL_BORN && !d->told)
			LK_TRY(push_device(&s, &m, w.journal, d, e));
	}
	LK_TRY(flush(&s, &m, w.journal, e));
	snprintf(next, sizeof next,
		"latchkey-factory sell --dir %s --owner NAME --domain-ca FILE --serial SERIAL",
		w.factory.dir);
	lk_factory_say(cli, json_pack("{s:I, s:s}", "told", s.sent, "next", next));
	return LK_OK;
}

/* --- sell ------------------------------------------------------------------------------------- */

static struct lk_result
check_sale(struct lk_journal *j, const char *serial, struct lk_err *e)
{
	const struct lk_journal_device *d = lk_journal_find(j, serial);

	LK_REQUIRE(d && d->state == LK_JOURNAL_BORN, e, LK_R_FACTORY_NOT_BORN,
		"%s was not born here", serial);
	LK_REQUIRE(d->told, e, LK_R_FACTORY_NOT_BORN,
		"the MASA was not told of %s yet: run push first", serial);
	return LK_OK;
}

static struct lk_result
sell_one(
	struct slice *s, struct masa *m, struct lk_journal *j, const char *serial, struct lk_err *e)
{
	LK_TRY(check_sale(j, serial, e));
	return add(s, m, j, serial, json_string(serial), strlen(serial) + 3, e);
}

struct row {
	char serial[LK_SERIAL_NUMBER_MAX];
};
static const struct lk_table_column serials[] = {
	{ "serial", true, offsetof(struct row, serial), LK_SERIAL_NUMBER_MAX },
};

/* All rows, so that a bad one stops the sale before any of it is told. */
static struct lk_result
check_csv(struct lk_journal *j, const char *path, struct lk_err *e)
{
	LK_CLEANUP(lk_table_close) struct lk_table t = { .file = NULL };
	struct row row;
	bool found;

	LK_TRY(lk_table_open(path, serials, LK_ARRAY_LEN(serials), &t, e));
	for (;;) {
		LK_TRY(lk_table_next(&t, &row, &found, e));
		if (!found)
			return LK_OK;
		if (!check_sale(j, row.serial, e).ok)
			return lk_table_fail(&t, e);
	}
}

static struct lk_result
sell_csv(struct slice *s, struct masa *m, struct lk_journal *j, const char *path, struct lk_err *e)
{
	LK_CLEANUP(lk_table_close) struct lk_table t = { .file = NULL };
	struct row row;
	bool found;

	LK_TRY(check_csv(j, path, e));
	LK_TRY(lk_table_open(path, serials, LK_ARRAY_LEN(serials), &t, e));
	for (;;) {
		LK_TRY(lk_table_next(&t, &row, &found, e));
		if (!found)
			return LK_OK;
		if (!sell_one(s, m, j, row.serial, e).ok)
			return lk_table_fail(&t, e);
	}
}

static struct lk_result
open_sale(struct slice *s, const char *owner, const char *domain_ca, const char *reference,
	struct lk_err *e)
{
	LK_CLEANUP(lk_certs_done) struct lk_certs ca = { .n = 0 };
	LK_CLEANUP(lk_buf_done) struct lk_buf text = LK_BUF_INIT(2 * LK_CERT_DER_MAX);

	LK_TRY(lk_factory_certs(NULL, domain_ca, &ca, e));
	LK_TRY(lk_base64_encode(lk_cert_der(ca.v[0]), &text, e));
	s->list = json_array();
	s->body = json_pack("{s:i, s:s, s:s, s:o}", "schema", 1, "owner", owner, "domain-ca",
		lk_buf_str(&text), "serial-numbers", s->list);
	LK_REQUIRE(s->body, e, LK_R_FACTORY_VALUE, "the owner's name is not UTF-8");
	s->as.event = LK_JOURNAL_SOLD;
	s->as.present = bit(LK_JOURNAL_EVENT) | bit(LK_JOURNAL_AT) | bit(LK_JOURNAL_SERIAL) |
			bit(LK_JOURNAL_OWNER);
	LK_TRY(lk_slice_to_str(lk_slice_str(owner), "--owner", s->as.owner, sizeof s->as.owner, e));
	if (!reference)
		return LK_OK;
	s->as.present |= bit(LK_JOURNAL_REFERENCE);
	LK_TRY(lk_slice_to_str(lk_slice_str(reference), "--reference", s->as.reference,
		sizeof s->as.reference, e));
	return lk_json_set(s->body, "reference", json_string(reference), e);
}

struct lk_result
lk_factory_cmd_sell(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	const char *dir = LK_FACTORY_DIR, *url = NULL, *owner, *ca, *serial = NULL, *csv = NULL,
		   *reference = NULL;
	const struct lk_cli_option options[] = {
		{ "dir", &dir, NULL, false },
		{ "masa", &url, NULL, false },
		{ "owner", &owner, NULL, true },
		{ "domain-ca", &ca, NULL, true },
		{ "serial", &serial, NULL, false },
		{ "csv", &csv, NULL, false },
		{ "reference", &reference, NULL, false },
	};
	LK_CLEANUP(lk_workshop_done) struct lk_workshop w = { .journal = NULL };
	LK_CLEANUP(masa_done) struct masa m = { NULL, NULL, NULL };
	LK_CLEANUP(slice_done) struct slice s = { .path = "/factory/v1/sales" };

	LK_TRY(lk_cli_options(options, LK_ARRAY_LEN(options), argc, argv, e));
	LK_REQUIRE(!serial != !csv, e, LK_R_USAGE, "want one of --serial and --csv");
	s.as.at = lk_now(cli->clock);
	LK_TRY(open_sale(&s, owner, ca, reference, e));
	LK_TRY(lk_workshop_open(dir, &w, e));
	LK_TRY(masa_open(&w, url ? url : w.factory.leaf.masa_url, &m, e));
	LK_TRY(serial ? sell_one(&s, &m, w.journal, serial, e)
		      : sell_csv(&s, &m, w.journal, csv, e));
	LK_TRY(flush(&s, &m, w.journal, e));
	lk_factory_say(cli, json_pack("{s:I, s:s, s:s}", "sold", s.sent, "owner", owner, "next",
				    "latchkey-factory manifest --out FILE"));
	return LK_OK;
}

/* --- product-line set ------------------------------------------------------------------------- */

struct lk_result
lk_factory_cmd_product_line(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	const char *dir = LK_FACTORY_DIR, *name, *claim;
	const struct lk_cli_option options[] = {
		{ "dir", &dir, NULL, false },
		{ "name", &name, NULL, true },
		{ "claim", &claim, NULL, true },
	};
	LK_CLEANUP(lk_workshop_done) struct lk_workshop w = { .journal = NULL };
	struct lk_journal_entry entry = { .event = LK_JOURNAL_PRODUCT_LINE,
		.at = lk_now(cli->clock),
		.present = bit(LK_JOURNAL_EVENT) | bit(LK_JOURNAL_AT) | bit(LK_JOURNAL_LINE) |
			   bit(LK_JOURNAL_CLAIM) };

	LK_TRY(lk_cli_options(options, LK_ARRAY_LEN(options), argc, argv, e));
	LK_REQUIRE(strcmp(claim, "none") == 0 || strcmp(claim, "nonce-proximity") == 0, e,
		LK_R_FACTORY_VALUE, "the claim is %s, want none or nonce-proximity", claim);
	LK_TRY(lk_slice_to_str(
		lk_slice_str(name), "--name", entry.product_line, sizeof entry.product_line, e));
	LK_TRY(lk_slice_to_str(lk_slice_str(claim), "--claim", entry.claim, sizeof entry.claim, e));
	LK_TRY(lk_workshop_open(dir, &w, e));
	LK_TRY(lk_journal_append(w.journal, &entry, false, e));
	lk_factory_say(
		cli, json_pack("{s:s, s:s, s:s}", "product-line", name, "claim", claim, "note",
			     "the MASA takes it with the line's first device, and none with any"));
	return LK_OK;
}
