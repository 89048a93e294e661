/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 4180 section 2, one line at a time. Unquoted text never grows, so a line's
 * fields fit where the line fits.
 */
#include "factory/csv.h"

struct reader {
	struct lk_slice left;
	char *to;
};

static bool
at(const struct reader *r, char c)
{
	return r->left.n && r->left.p[0] == (uint8_t)c;
}

static void
skip(struct reader *r)
{
	r->left.p++;
	r->left.n--;
}

static struct lk_result
copy(struct reader *r, struct lk_err *e)
{
	LK_REQUIRE(
		r->left.n && (r->left.p[0] >= 0x20 || r->left.p[0] == '\t') && r->left.p[0] != 0x7f,
		e, LK_R_FACTORY_CSV, "a field has a control character or does not end");
	*r->to++ = (char)r->left.p[0];
	skip(r);
	return LK_OK;
}

/*= RFC4180 2.6: fields with commas or quotes are enclosed in quotes =*/
static struct lk_result
quoted(struct reader *r, struct lk_err *e)
{
	skip(r);
	for (;;) {
		if (at(r, '"')) {
			skip(r);
			/*= RFC4180 2.7: a quote within a field is doubled =*/
			if (!at(r, '"'))
				break;
		}
		LK_TRY(copy(r, e));
	}
	LK_REQUIRE(!r->left.n || at(r, ','), e, LK_R_FACTORY_CSV,
		"something stands behind a closing quote");
	return LK_OK;
}

static struct lk_result
plain(struct reader *r, struct lk_err *e)
{
	while (r->left.n && !at(r, ',')) {
		LK_REQUIRE(!at(r, '"'), e, LK_R_FACTORY_CSV,
			"a quote stands within an unquoted field");
		LK_TRY(copy(r, e));
	}
	return LK_OK;
}

static bool
ends_in(struct lk_slice s, char c)
{
	return s.n && s.p[s.n - 1] == (uint8_t)c;
}

struct lk_result
lk_csv_parse(struct lk_slice in, struct lk_csv_line *ret, struct lk_err *e)
{
	struct reader r = { in, ret->text };

	LK_REQUIRE(in.n < LK_CSV_LINE_MAX, e, LK_R_FACTORY_CSV, "the line has more than %d octets",
		LK_CSV_LINE_MAX - 1);
	if (ends_in(r.left, '\n'))
		r.left.n--;
	if (ends_in(r.left, '\r'))
		r.left.n--;
	for (ret->n = 0;; skip(&r)) {
		LK_REQUIRE(ret->n < LK_CSV_FIELDS_MAX, e, LK_R_FACTORY_CSV,
			"the line has more than %d fields", LK_CSV_FIELDS_MAX);
		ret->field[ret->n++] = r.to;
		LK_TRY(at(&r, '"') ? quoted(&r, e) : plain(&r, e));
		*r.to++ = 0;
		if (!r.left.n)
			return LK_OK;
	}
}
