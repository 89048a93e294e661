/* SPDX-License-Identifier: Apache-2.0
 *
 * How subcommands speak: lines for people, objects for programs. Much of what is
 * said comes from files and peers, and none of it may act on a terminal.
 */
#include <stdio.h>

#include "base/encode.h"
#include "cli/cli.h"

void
lk_cli_line(FILE *to, const char *name, const char *text)
{
	size_t n;

	fprintf(to, "%s: ", name);
	for (; *text; text += n ? n : 1) {
		n = lk_control_at(text);
		if (n)
			fprintf(to, "\\x%02x", (unsigned char)text[n - 1]);
		else
			fputc(*text, to);
	}
	fputc('\n', to);
}

void
lk_cli_json(FILE *to, json_t *obj)
{
	json_dumpf(obj, to, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', to);
	json_decref(obj);
}

void
lk_cli_print_reason(FILE *to, const struct lk_err *e)
{
	const struct lk_reason_info *r = lk_reason_info(e->reason);
	char clause[64];

	snprintf(clause, sizeof clause, "%s %s", r->clause.document, r->clause.section);
	lk_cli_line(to, "reason", r->symbol);
	lk_cli_line(to, "clause", clause);
	lk_cli_line(to, "message", e->msg);
	lk_cli_line(to, "cure", r->cure);
}

void
lk_cli_json_reason(json_t *obj, const struct lk_err *e)
{
	const struct lk_reason_info *r = lk_reason_info(e->reason);
	char clause[64];

	snprintf(clause, sizeof clause, "%s %s", r->clause.document, r->clause.section);
	json_object_set_new(obj, "reason", json_string(r->symbol));
	json_object_set_new(obj, "clause", json_string(clause));
	/* What a peer put into the message need not be UTF-8. */
	if (json_object_set_new(obj, "message", json_string(e->msg)) != 0)
		json_object_set_new(obj, "message", json_string(r->sentence));
	json_object_set_new(obj, "what", json_string(r->sentence));
	json_object_set_new(obj, "cure", json_string(r->cure));
}
