/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of open labels, word by word.
 */
#include "proto/est_label.h"

#include "base/path.h"

#define LIST_MAX 512 /* as a configuration's value */

/*= RFC7030 3.2.2: a label is none of the operation path segments =*/
static struct lk_result
check_name(const char *name, struct lk_err *e)
{
	static const char *const operations[] = { "cacerts", "simpleenroll", "simplereenroll",
		"fullcmc", "serverkeygen", "csrattrs" };
	size_t i;

	LK_REQUIRE(lk_path_is_plain(name) && strlen(name) < LK_EST_LABEL_MAX, e, LK_R_EST_LABELS,
		"\"%s\" cannot be a segment of a path as it is, or is longer than %d", name,
		LK_EST_LABEL_MAX - 1);
	for (i = 0; i < LK_ARRAY_LEN(operations); i++)
		LK_REQUIRE(strcmp(name, operations[i]) != 0, e, LK_R_EST_LABELS,
			"\"%s\" is an operation of EST", name);
	return LK_OK;
}

static struct lk_result
take_word(struct lk_est_label *l, const char *word, struct lk_err *e)
{
	if (strcmp(word, "code") == 0)
		l->code = true;
	else if (strcmp(word, "idevid") == 0)
		l->idevid = true;
	else if (strcmp(word, "tls12") == 0)
		l->tls12 = true;
	else
		return lk_fail(e, LK_R_EST_LABELS,
			"label %s: \"%s\" is none of code, idevid, tls12", l->name, word);
	return LK_OK;
}

static struct lk_result
take_label(struct lk_est_labels *all, char *item, struct lk_err *e)
{
	struct lk_est_label l = { .name = "" };
	char *word;

	while ((word = strsep(&item, " \t"))) {
		if (!word[0])
			continue;
		if (l.name[0]) {
			LK_TRY(take_word(&l, word, e));
			continue;
		}
		LK_TRY(check_name(word, e));
		memcpy(l.name, word, strlen(word) + 1);
	}
	if (!l.name[0])
		return LK_OK;
	LK_REQUIRE(l.code || l.idevid, e, LK_R_EST_LABELS,
		"label %s: nobody can come in, want code or idevid behind it", l.name);
	LK_REQUIRE(!lk_est_label_find(all, l.name), e, LK_R_EST_LABELS,
		"label %s: it is there twice", l.name);
	LK_REQUIRE(all->n < LK_EST_LABELS_MAX, e, LK_R_EST_LABELS, "there are more than %d labels",
		LK_EST_LABELS_MAX);
	all->v[all->n++] = l;
	return LK_OK;
}

struct lk_result
lk_est_labels_parse(const char *text, struct lk_est_labels *ret, struct lk_err *e)
{
	struct lk_est_labels all = { .n = 0 };
	char list[LIST_MAX], *at = list, *item;

	LK_TRY(lk_slice_to_str(lk_slice_str(text), "EST labels", list, sizeof list, e));
	while ((item = strsep(&at, ",")))
		LK_TRY(take_label(&all, item, e));
	*ret = all;
	return LK_OK;
}

const struct lk_est_label *
lk_est_label_find(const struct lk_est_labels *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i].name, name) == 0)
			return &l->v[i];
	return NULL;
}

bool
lk_est_labels_want_tls12(const struct lk_est_labels *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->v[i].tls12)
			return true;
	return false;
}
