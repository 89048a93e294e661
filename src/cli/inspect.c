/* SPDX-License-Identifier: Apache-2.0
 *
 * latchkey inspect: any artefact file, held against what the operator names, its
 * fields and the verdict told. The verifiers are those of production, so this is
 * also where a refusal in the field is understood.
 */
#include "cli/inspect.h"

#include <getopt.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/cli.h"

#define FILE_MAX (8 * 1024 * 1024)

static const char *const verdicts[LK_VERDICT_COUNT] = {
	[LK_VERDICT_REFUSED] = "refused",
	[LK_VERDICT_UNVERIFIED] = "unverified",
	[LK_VERDICT_WELL_FORMED] = "well-formed",
	[LK_VERDICT_VALID] = "valid",
};

/* What the command line named, loaded. */
struct inputs {
	struct lk_certs anchor_certs;
	struct lk_anchors *anchors;
	struct lk_certs idevid;
	struct lk_certs registrar;
	const char *nonce;
	int64_t now;
	const char *file;
};

static void
inputs_done(struct inputs *in)
{
	lk_anchors_free(in->anchors);
	lk_certs_done(&in->anchor_certs);
	lk_certs_done(&in->idevid);
	lk_certs_done(&in->registrar);
}

/* Adds the certificates of a file. */
static struct lk_result
load_certs(const char *path, struct lk_certs *to, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf bytes = LK_BUF_INIT(FILE_MAX);
	LK_CLEANUP(lk_certs_done) struct lk_certs certs = { .n = 0 };
	size_t i;

	LK_TRY(lk_file_read(path, &bytes, e));
	if (!lk_certs_parse_any(lk_buf_slice(&bytes), &certs, e).ok) {
		lk_err_prefix(e, "%s", path);
		return (struct lk_result){ false };
	}
	for (i = 0; i < certs.n; i++)
		LK_TRY(lk_certs_add(to, certs.v[i], e));
	return LK_OK;
}

static struct lk_result
take_option(int option, const char *value, struct inputs *in, struct lk_err *e)
{
	switch (option) {
	case 'a':
		return load_certs(value, &in->anchor_certs, e);
	case 't':
		return lk_time_parse(lk_slice_str(value), &in->now, e);
	case 'i':
		return load_certs(value, &in->idevid, e);
	case 'n':
		in->nonce = value;
		return LK_OK;
	case 'r':
		return load_certs(value, &in->registrar, e);
	default:
		return lk_fail(e, LK_R_USAGE, "an option is unknown or lacks its value");
	}
}

static struct lk_result
read_command_line(int argc, char **argv, struct inputs *in, struct lk_err *e)
{
	static const struct option options[] = {
		{ "anchor", required_argument, NULL, 'a' },
		{ "at", required_argument, NULL, 't' },
		{ "idevid", required_argument, NULL, 'i' },
		{ "nonce", required_argument, NULL, 'n' },
		{ "registrar", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		LK_TRY(take_option(option, optarg, in, e));
	LK_REQUIRE(optind == argc - 1, e, LK_R_USAGE, "%d files were named, want 1", argc - optind);
	in->file = argv[optind];
	if (in->anchor_certs.n)
		LK_TRY(lk_anchors_new(&in->anchor_certs, &in->anchors, e));
	return LK_OK;
}

static void
print_text(const struct lk_inspection *i)
{
	size_t k;

	lk_cli_line(stdout, "kind", i->kind);
	fputs(lk_buf_str(&i->fields), stdout);
	for (k = 0; k < i->n_checked; k++)
		lk_cli_line(stdout, "checked", i->checked[k]);
	for (k = 0; k < i->n_skipped; k++)
		printf("not checked: %s (no %s)\n", i->skipped[k].check, i->skipped[k].missing);
	if (i->verdict == LK_VERDICT_REFUSED)
		lk_cli_print_reason(stdout, &i->refusal);
	lk_cli_line(stdout, "verdict", verdicts[i->verdict]);
}

/* Lines "name: value" as members; a name that occurs again makes a list of its values. */
static json_t *
fields_to_json(char *lines)
{
	json_t *obj = json_object();
	char *line, *rest = lines;

	while ((line = strsep(&rest, "\n"))) {
		char *value = strstr(line, ": ");
		json_t *was, *is;

		if (!value)
			continue;
		*value = 0;
		is = json_string(value + 2);
		was = json_object_get(obj, line);
		if (!was) {
			json_object_set_new(obj, line, is);
			continue;
		}
		if (!json_is_array(was))
			json_object_set_new(obj, line, json_pack("[O]", was));
		json_array_append_new(json_object_get(obj, line), is);
	}
	return obj;
}

/* Each of the rules that one line of text names; missing NULL: it was held against the file. */
static void
add_rules(json_t *list, const char *rules, const char *missing)
{
	for (;;) {
		const char *end = strstr(rules, ", ");
		json_t *rule = json_stringn(rules, end ? (size_t)(end - rules) : strlen(rules));

		json_array_append_new(
			list, missing ? json_pack("{s:o, s:s}", "check", rule, "missing", missing)
				      : rule);
		if (!end)
			return;
		rules = end + 2;
	}
}

static struct lk_result
print_json(const struct lk_inspection *i, struct lk_err *e)
{
	LK_CLEANUP(lk_buf_done) struct lk_buf lines = LK_BUF_INIT(LK_INSPECT_FIELDS_MAX);
	json_t *obj = json_pack("{s:i, s:s, s:o, s:[], s:[]}", "schema", 1, "kind", i->kind,
		"fields", json_object(), "checked", "not_checked");
	size_t k;

	LK_REQUIRE(obj, e, LK_R_NOMEM, "no memory for JSON");
	LK_TRY(lk_buf_append(&lines, lk_buf_slice(&i->fields), e));
	if (lines.n)
		json_object_set_new(obj, "fields", fields_to_json((char *)lines.p));
	for (k = 0; k < i->n_checked; k++)
		add_rules(json_object_get(obj, "checked"), i->checked[k], NULL);
	for (k = 0; k < i->n_skipped; k++)
		add_rules(json_object_get(obj, "not_checked"), i->skipped[k].check,
			i->skipped[k].missing);
	json_object_set_new(obj, "verdict", json_string(verdicts[i->verdict]));
	if (i->verdict == LK_VERDICT_REFUSED)
		lk_cli_json_reason(obj, &i->refusal);
	lk_cli_json(stdout, obj);
	return LK_OK;
}

struct lk_result
lk_cli_inspect(struct lk_cli *cli, int argc, char **argv, struct lk_err *e)
{
	LK_CLEANUP(inputs_done) struct inputs in = { .now = lk_now(cli->clock) };
	LK_CLEANUP(lk_buf_done) struct lk_buf bytes = LK_BUF_INIT(FILE_MAX);
	LK_CLEANUP(lk_inspection_done) struct lk_inspection i = { .kind = NULL };
	struct lk_inspect_want want;

	LK_TRY(read_command_line(argc, argv, &in, e));
	LK_TRY(lk_file_read(in.file, &bytes, e));
	want = (struct lk_inspect_want){ in.anchors, &in.anchor_certs,
		in.idevid.n ? in.idevid.v[0] : NULL, in.nonce,
		in.registrar.n ? &in.registrar : NULL, in.now };
	lk_inspect(lk_buf_slice(&bytes), &want, &i);
	if (i.verdict == LK_VERDICT_REFUSED)
		cli->status = lk_reason_exit_code(i.refusal.reason);
	else if (i.verdict == LK_VERDICT_UNVERIFIED)
		cli->status = 1;
	if (cli->json)
		return print_json(&i, e);
	print_text(&i);
	return LK_OK;
}
