/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands that ask latchkeyd: devices, manufacturers, CAs, cryptography,
 * trust, status. Each is one call of the API and one way of showing its answer.
 */
#include <getopt.h>
#include <stdlib.h>

#include "artefact/manifest.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/path.h"
#include "cli/api.h"

#define ANCHORS_MAX (48 * 1024) /* travel in one request */

/* Options of these commands; what a command has no use for is refused by it. */
struct asked {
	const char *socket;
	const char *name, *masa_url, *unknown, *state, *admission, *limit, *cursor, *label, *dns;
	bool allow_tls12, ignore_expiry, refused;
	char **words;
	int n_words;
};

static struct lk_result
read_command_line(int argc, char **argv, struct asked *a, struct lk_err *e)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "name", required_argument, NULL, 'n' },
		{ "masa-url", required_argument, NULL, 'm' },
		{ "unknown-devices", required_argument, NULL, 'u' },
		{ "state", required_argument, NULL, 'S' },
		{ "admission", required_argument, NULL, 'A' },
		{ "limit", required_argument, NULL, 'l' },
		{ "cursor", required_argument, NULL, 'c' },
		{ "label", required_argument, NULL, 'L' },
		{ "dns", required_argument, NULL, 'd' },
		{ "allow-tls12", no_argument, NULL, '2' },
		{ "ignore-idevid-expiry", no_argument, NULL, 'x' },
		{ "refused", no_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	const char **texts[128] = { ['s'] = &a->socket,
		['n'] = &a->name,
		['m'] = &a->masa_url,
		['u'] = &a->unknown,
		['S'] = &a->state,
		['A'] = &a->admission,
		['l'] = &a->limit,
		['c'] = &a->cursor,
		['L'] = &a->label,
		['d'] = &a->dns };
	int option;

	*a = (struct asked){ .socket = LK_API_SOCKET };
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '2')
			a->allow_tls12 = true;
		else if (option == 'x')
			a->ignore_expiry = true;
		else if (option == 'r')
			a->refused = true;
		else if (texts[option & 127] && option != '?')
			*texts[option & 127] = optarg;
		else
			return lk_fail(e, LK_R_USAGE, "an option is unknown or lacks its value");
	}
	a->words = argv + optind;
	a->n_words = argc - optind;
	return LK_OK;
}

/* A serial number is what a device says of itself: none may turn one command into another. */
static struct lk_result
check_plain(const char *name, struct lk_err *e)
{
	LK_REQUIRE(lk_path_is_plain(name), e, LK_R_USAGE,
		"'%s' has a character that names here do not have; a device has an id, too", name);
	return LK_OK;
}

static struct lk_result
want_words(const struct asked *a, int n, const char *what, struct lk_err *e)
{
	LK_REQUIRE(a->n_words == n, e, LK_R_USAGE, "%d words are there, want %s", a->n_words, what);
	return LK_OK;
}

/* --- showing ---------------------------------------------------------------------------------- */

static const char *
text_of(const json_t *v, char buf[static 32])
{
	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_integer(v)) {
		snprintf(buf, 32, "%lld", (long long)json_integer_value(v));
		return buf;
	}
	return json_is_true(v) ? "yes" : json_is_false(v) ? "no" : "-";
}

/* Foreign text never acts on a terminal. */
static void
put_text(const char *s)
{
	size_t n;

	for (; *s; s += n ? n : 1) {
		n = lk_control_at(s);
		putchar(n ? '?' : *s);
	}
}

/* Width 0: the last one of its line. */
static void
put_cell(const char *s, int width)
{
	put_text(s);
	if (width)
		printf("%*s", width - (int)strlen(s) + 2, "");
	else
		putchar('\n');
}

struct column {
	const char *member, *title;
};

/* Columns are as wide as their widest cell. */
static void
print_table(const json_t *rows, const struct column *columns, size_t n)
{
	const json_t *row;
	size_t c, i;
	char buf[32];
	int width[8];

	for (c = 0; c < n; c++) {
		width[c] = (int)strlen(columns[c].title);
		json_array_foreach (rows, i, row) {
			int w = (int)strlen(text_of(json_object_get(row, columns[c].member), buf));

			width[c] = w > width[c] ? w : width[c];
		}
		put_cell(columns[c].title, c + 1 < n ? width[c] : 0);
	}
	json_array_foreach (rows, i, row)
		for (c = 0; c < n; c++)
			put_cell(text_of(json_object_get(row, columns[c].member), buf),
				c + 1 < n ? width[c] : 0);
}

/* An object as lines "name: value", what is inside it indented. */
static void
print_lines(const json_t *v, int depth)
{
	const char *name;
	const json_t *member;
	char buf[32];
	size_t i;

	json_object_foreach ((json_t *)(uintptr_t)v, name, member) {
		if (depth == 0 && strcmp(name, "schema") == 0)
			continue;
		printf("%*s", depth * 2, "");
		if (!json_is_object(member) && !json_is_array(member)) {
			lk_cli_line(stdout, name, text_of(member, buf));
			continue;
		}
		printf("%s:\n", name);
		print_lines(member, depth + 1);
	}
	json_array_foreach (v, i, member) {
		if (json_is_object(member) || json_is_array(member)) {
			print_lines(member, depth);
			if (i + 1 < json_array_size(v))
				putchar('\n');
			continue;
		}
		printf("%*s- ", depth * 2, "");
		put_text(text_of(member, buf));
		putchar('\n');
	}
}

/* Consumes obj. */
static struct lk_result
show(const struct lk_cli *cli, json_t *obj, const char *list, const struct column *columns,
	size_t n)
{
	if (cli->json) {
		lk_cli_json(stdout, obj);
		return LK_OK;
	}
	if (columns)
		print_table(json_object_get(obj, list), columns, n);
	else
		print_lines(obj, 0);
	if (json_is_string(json_object_get(obj, "next")))
		lk_cli_line(
			stdout, "more: --cursor", json_string_value(json_object_get(obj, "next")));
	json_decref(obj);
	return LK_OK;
}

/* GET of a fixed path. */
static struct lk_result
get_and_show(struct lk_cli *cli, int argc, char **argv, const char *path, const char *list,
	const struct column *columns, size_t n, struct lk_err *e)
{
	struct asked a;
	json_t *obj;

	LK_TRY(read_command_line(argc, argv, &a, e));
	LK_TRY(want_words(&a, 0, "none", e));
	LK_TRY(lk_api_call(a.socket, "GET", path, NULL, &obj, e));
	return show(cli, obj, list, columns, n);
}

/* GET of a page of a list: what the options filter by. */
static struct lk_result
get_page(int argc, char **argv, const char *list, json_t **ret, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf path = LK_BUF_INIT(400);
	struct asked a;
	size_t i;

	LK_TRY(read_command_line(argc, argv, &a, e));
	LK_TRY(want_words(&a, 0, "none", e));
	LK_TRY(lk_buf_append_str(&path, list, e));
	{
		const struct {
			const char *name, *value;
		} filters[] = { { "state", a.state }, { "admission", a.admission },
			{ "limit", a.limit }, { "cursor", a.cursor },
			{ "refused", a.refused ? "yes" : NULL } };

		for (i = 0; i < LK_ARRAY_LEN(filters); i++)
			if (filters[i].value) {
				LK_TRY(check_plain(filters[i].value, e));
				LK_TRY(lk_buf_printf(
					&path, e, "%s=%s&", filters[i].name, filters[i].value));
			}
	}
	return lk_api_call(a.socket, "GET", lk_buf_str(&path), NULL, ret, e);
}

/* --- the network ------------------------------------------------------------------------------ */

struct lk_result
lk_cli_status(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	return get_and_show(cli, argc, argv, "/status", NULL, NULL, 0, e);
}

struct lk_result
lk_cli_ca_show(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	static const struct column columns[] = { { "name", "CA" }, { "subject", "SUBJECT" },
		{ "not_after", "UNTIL" }, { "issued", "ISSUED" }, { "revoked", "REVOKED" },
		{ "fingerprint", "SHA-256" } };

	return get_and_show(cli, argc, argv, "/ca", "cas", columns, LK_ARRAY_LEN(columns), e);
}

struct lk_result
lk_cli_crypto_show(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	return get_and_show(cli, argc, argv, "/crypto", NULL, NULL, 0, e);
}

struct lk_result
lk_cli_trust_show(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	return get_and_show(cli, argc, argv, "/trust", NULL, NULL, 0, e);
}

/* --- devices ---------------------------------------------------------------------------------- */

static const struct column device_columns[] = { { "id", "ID" },
	{ "manufacturer_id", "MANUFACTURER" }, { "serial", "SERIAL" }, { "state_name", "STATE" },
	{ "admission", "ADMISSION" }, { "port", "PORT" }, { "changed_at", "CHANGED" } };

struct lk_result
lk_cli_device_list(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	json_t *obj;

	LK_TRY(get_page(argc, argv, "/devices?", &obj, e));
	return show(cli, obj, "devices", device_columns, LK_ARRAY_LEN(device_columns));
}

struct lk_result
lk_cli_device_pending(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	return get_and_show(cli, argc, argv, "/devices/pending", "devices", device_columns,
		LK_ARRAY_LEN(device_columns), e);
}

/* A call that names one thing: "/devices/" NAME "/verb". */
static struct lk_result
call_one(int argc, char **argv, const char *method, const char *noun, const char *verb,
	json_t **ret, struct lk_err *e)
{
	char path[256];
	struct asked a;

	LK_TRY(read_command_line(argc, argv, &a, e));
	LK_TRY(want_words(&a, 1, "one name", e));
	LK_TRY(check_plain(a.words[0], e));
	LK_REQUIRE((size_t)snprintf(path, sizeof path, "/%s/%s%s", noun, a.words[0], verb) <
			   sizeof path,
		e, LK_R_USAGE, "the name is too long");
	return lk_api_call(a.socket, method, path, NULL, ret, e);
}

struct lk_result
lk_cli_device_show(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	json_t *obj;

	LK_TRY(call_one(argc, argv, "GET", "devices", "", &obj, e));
	return show(cli, obj, NULL, NULL, 0);
}

/* --- events ----------------------------------------------------------------------------------- */

/* The message of a refusal is a column, though it is in the payload. */
static struct lk_result
show_events(const struct lk_cli *cli, json_t *obj, const struct column *columns, size_t n)
{
	const char *message;
	json_t *event;
	size_t i;

	if (!cli->json)
		json_array_foreach (json_object_get(obj, "events"), i, event) {
			message = json_string_value(
				json_object_get(json_object_get(event, "payload"), "message"));
			json_object_set_new(event, "message", json_string(message ? message : ""));
		}
	return show(cli, obj, "events", columns, n);
}

struct lk_result
lk_cli_device_timeline(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	static const struct column columns[] = { { "seq", "SEQ" }, { "at", "AT" },
		{ "type", "EVENT" }, { "actor", "ACTOR" }, { "reason", "REASON" },
		{ "clause", "CLAUSE" }, { "message", "MESSAGE" } };
	json_t *obj;

	LK_TRY(call_one(argc, argv, "GET", "devices", "/timeline", &obj, e));
	return show_events(cli, obj, columns, LK_ARRAY_LEN(columns));
}

struct lk_result
lk_cli_ledger_show(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	static const struct column columns[] = { { "seq", "SEQ" }, { "at", "AT" },
		{ "type", "EVENT" }, { "device_id", "DEVICE" }, { "actor", "ACTOR" },
		{ "reason", "REASON" }, { "clause", "CLAUSE" }, { "message", "MESSAGE" } };
	json_t *obj;

	LK_TRY(get_page(argc, argv, "/ledger?", &obj, e));
	return show_events(cli, obj, columns, LK_ARRAY_LEN(columns));
}

/* Stretch by stretch, so that nobody else waits for the desk meanwhile. */
struct lk_result
lk_cli_ledger_verify(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	char path[64] = "/ledger/verify";
	json_auto_t *part = NULL;
	const char *next;
	struct asked a;

	LK_TRY(read_command_line(argc, argv, &a, e));
	LK_TRY(want_words(&a, 0, "none", e));
	do {
		json_decref(part);
		part = NULL;
		LK_TRY(lk_api_call(a.socket, "GET", path, NULL, &part, e));
		next = json_string_value(json_object_get(part, "next"));
		snprintf(path, sizeof path, "/ledger/verify?cursor=%.20s", next ? next : "");
	} while (next);
	return show(cli,
		json_pack("{s:i,s:O,s:O,s:s}", "schema", 1, "events", json_object_get(part, "to"),
			"checkpoint", json_object_get(part, "checkpoint"), "verdict", "valid"),
		NULL, NULL, 0);
}

#define DEVICE_ACTION(verb)                                                          \
	struct lk_result lk_cli_device_##verb(                                       \
		struct lk_cli *cli, int argc, char **argv, struct lk_err *e)         \
	{                                                                            \
		json_t *obj;                                                         \
		LK_TRY(call_one(argc, argv, "POST", "devices", "/" #verb, &obj, e)); \
		return show(cli, obj, NULL, NULL, 0);                                \
	}
DEVICE_ACTION(approve)
DEVICE_ACTION(deny)
DEVICE_ACTION(revoke)
DEVICE_ACTION(decommission)

/* --- manufacturers ---------------------------------------------------------------------------- */

static struct lk_result
set_text(json_t *args, const char *name, const char *value, struct lk_err *e)
{
	if (value)
		LK_REQUIRE(json_object_set_new(args, name, json_string(value)) == 0, e, LK_R_USAGE,
			"%s is no UTF-8 text", name);
	return LK_OK;
}

static struct lk_result
manufacturer_arguments(const struct asked *a, json_t *args, struct lk_err *e)
{
	LK_TRY(set_text(args, "masa_url", a->masa_url, e));
	LK_TRY(set_text(args, "unknown_devices", a->unknown, e));
	json_object_set_new(args, "allow_tls12", json_boolean(a->allow_tls12));
	json_object_set_new(args, "ignore_idevid_expiry", json_boolean(a->ignore_expiry));
	return LK_OK;
}

struct lk_result
lk_cli_manufacturer_add(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf pem = LK_BUF_INIT(ANCHORS_MAX);
	json_auto_t *args = json_object();
	struct asked a;
	json_t *obj;
	int i;

	LK_TRY(read_command_line(argc, argv, &a, e));
	LK_REQUIRE(a.name && a.n_words > 0, e, LK_R_USAGE, "want --name NAME and anchor files");
	LK_TRY(check_plain(a.name, e));
	for (i = 0; i < a.n_words; i++)
		LK_TRY(lk_file_read(a.words[i], &pem, e));
	LK_TRY(set_text(args, "manufacturer", a.name, e));
	LK_TRY(set_text(args, "anchors", lk_buf_str(&pem), e));
	LK_TRY(manufacturer_arguments(&a, args, e));
	LK_TRY(lk_api_call(a.socket, "POST", "/manufacturers", args, &obj, e));
	return show(cli, obj, NULL, NULL, 0);
}

struct lk_result
lk_cli_manufacturer_import(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf manifest = LK_BUF_INIT(LK_MANIFEST_MAX);
	json_auto_t *args = json_object();
	char path[256];
	struct asked a;
	json_t *obj;

	LK_TRY(read_command_line(argc, argv, &a, e));
	LK_TRY(want_words(&a, 1, "one manifest", e));
	LK_REQUIRE(a.name, e, LK_R_USAGE, "--name is missing");
	LK_TRY(check_plain(a.name, e));
	LK_TRY(lk_file_read(a.words[0], &manifest, e));
	LK_TRY(set_text(args, "manifest", lk_buf_str(&manifest), e));
	LK_TRY(manufacturer_arguments(&a, args, e));
	LK_REQUIRE((size_t)snprintf(path, sizeof path, "/manufacturers/%s/import", a.name) <
			   sizeof path,
		e, LK_R_USAGE, "the name is too long");
	LK_TRY(lk_api_call(a.socket, "POST", path, args, &obj, e));
	return show(cli, obj, NULL, NULL, 0);
}

struct lk_result
lk_cli_manufacturer_list(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	static const struct column columns[] = { { "id", "ID" }, { "name", "NAME" },
		{ "trust", "TRUST" }, { "unknown_devices", "UNKNOWN DEVICES" },
		{ "devices", "DEVICES" }, { "masa_url", "MASA" } };

	return get_and_show(cli, argc, argv, "/manufacturers", "manufacturers", columns,
		LK_ARRAY_LEN(columns), e);
}

/* What becomes of the devices that are in is the first thing that an operator has to know. */
static struct lk_result
tell_end(const struct lk_cli *cli, json_t *obj, const char *name)
{
	long long n = json_integer_value(json_object_get(obj, "devices"));

	if (cli->json)
		return show(cli, obj, NULL, NULL, 0);
	printf("%s is trusted no longer: none of its devices gets in any more.\n", name);
	if (n)
		printf("%lld of its devices are on record. Those that are in stay in: their "
		       "credentials are "
		       "this network's\nown. Take them back with latchkey device revoke.\n",
			n);
	json_decref(obj);
	return LK_OK;
}

struct lk_result
lk_cli_manufacturer_distrust(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	json_t *obj;

	LK_TRY(call_one(argc, argv, "POST", "manufacturers", "/distrust", &obj, e));
	return tell_end(cli, obj, argv[optind]);
}

struct lk_result
lk_cli_manufacturer_remove(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	json_t *obj;

	LK_TRY(call_one(argc, argv, "DELETE", "manufacturers", "", &obj, e));
	return tell_end(cli, obj, argv[optind]);
}

/* --- plain EST -------------------------------------------------------------------------------- */

struct lk_result
lk_cli_est_code_new(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	json_auto_t *args = json_object();
	struct asked a;
	json_t *obj;

	LK_TRY(read_command_line(argc, argv, &a, e));
	LK_REQUIRE(a.label && a.name && a.n_words == 0, e, LK_R_USAGE, "want --label and --name");
	LK_TRY(set_text(args, "label", a.label, e));
	LK_TRY(set_text(args, "name", a.name, e));
	LK_TRY(set_text(args, "dns", a.dns, e));
	LK_TRY(lk_api_call(a.socket, "POST", "/est/codes", args, &obj, e));
	return show(cli, obj, NULL, NULL, 0);
}

struct lk_result
lk_cli_est_code_list(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	static const struct column columns[] = { { "id", "ID" }, { "label", "LABEL" },
		{ "name", "NAME" }, { "state", "STATE" }, { "expires_at", "CODE UNTIL" },
		{ "enrolled_at", "ENROLLED" }, { "cert_serial", "CERTIFICATE" } };

	return get_and_show(
		cli, argc, argv, "/est/codes", "codes", columns, LK_ARRAY_LEN(columns), e);
}

struct lk_result
lk_cli_est_code_revoke(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	json_t *obj;

	LK_TRY(call_one(argc, argv, "POST", "est/codes", "/revoke", &obj, e));
	return show(cli, obj, NULL, NULL, 0);
}
