/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines, each written with one write(2).
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define VALUE_MAX      512 /* bytes of one value that are shown */

static struct {
	const char *role;
	const struct lk_clock *clock;
	enum lk_log_level least;
	enum lk_log_format format;
} self = { "latchkey", &lk_clock_system, LK_LOG_INFO, LK_LOG_TEXT };

void
lk_log_setup(const char *role, enum lk_log_level least, enum lk_log_format format,
	const struct lk_clock *clock)
{
	self.role = role;
	self.least = least;
	self.format = format;
	self.clock = clock;
}

const char *
lk_log_level_name(enum lk_log_level level)
{
	static const char *const names[] = { "debug", "info", "notice", "warning", "error" };

	return names[level];
}

struct line {
	char text[LINE_MAX_BYTES];
	size_t n;
	bool full; /* something was left out */
};

static void
put(struct line *l, char c)
{
	if (l->n < sizeof l->text - 2) /* room for the final brace and newline */
		l->text[l->n++] = c;
	else
		l->full = true;
}

static void
put_str(struct line *l, const char *s)
{
	while (*s)
		put(l, *s++);
}

/* Between quotes, with control characters and quotes escaped as JSON does it; bytes that are
 * not ASCII are shown as \u00xx, because nobody has checked that they are UTF-8. */
static void
put_quoted(struct line *l, const char *s)
{
	const char *end = s + strnlen(s, VALUE_MAX);
	char u[8];

	put(l, '"');
	for (; s < end; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			put(l, '\\');
			put(l, (char)c);
		} else if (c < 0x20 || c >= 0x7f) {
			snprintf(u, sizeof u, "\\u%04x", c);
			put_str(l, u);
		} else {
			put(l, (char)c);
		}
	}
	put(l, '"');
}

static bool
is_plain(const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_.:/+@%[],";
	size_t n = strlen(s);

	return n > 0 && n <= VALUE_MAX && strspn(s, plain) == n;
}

static void
put_key_value(struct line *l, const char *key, const char *value)
{
	if (self.format == LK_LOG_JSON) {
		put(l, ',');
		put_quoted(l, key);
		put(l, ':');
		put_quoted(l, value);
		return;
	}
	put(l, ' ');
	put_str(l, key);
	put(l, '=');
	if (is_plain(value))
		put_str(l, value);
	else
		put_quoted(l, value);
}

/* A pair that does not fit is left out whole, so that the line keeps its form. */
static void
put_pair(struct line *l, const char *key, const char *value)
{
	size_t before = l->n;

	if (!value)
		return;
	l->full = false;
	put_key_value(l, key, value);
	if (l->full)
		l->n = before;
}

static void
head(struct line *l, enum lk_log_level level, const char *what)
{
	char at[LK_TIME_TEXT_MAX];

	lk_time_print(lk_now(self.clock), at);
	if (self.format == LK_LOG_JSON) {
		put_str(l, "{\"time\":");
		put_quoted(l, at);
		put_pair(l, "level", lk_log_level_name(level));
		put_pair(l, "role", self.role);
		put_pair(l, "event", what);
		return;
	}
	put_str(l, at);
	put(l, ' ');
	put_str(l, lk_log_level_name(level));
	put(l, ' ');
	put_str(l, self.role);
	put(l, ' ');
	put_str(l, what);
}

static void
pairs(struct line *l, va_list ap)
{
	const char *key;

	while ((key = va_arg(ap, const char *)))
		put_pair(l, key, va_arg(ap, const char *));
}

static void
flush(struct line *l)
{
	if (self.format == LK_LOG_JSON)
		l->text[l->n++] = '}';
	l->text[l->n++] = '\n';
	/* A log that cannot be written must not stop the service. */
	if (write(STDERR_FILENO, l->text, l->n) < 0)
		return;
}

void
lk_log(enum lk_log_level level, const char *what, ...)
{
	struct line l = { .n = 0 };
	va_list ap;

	if (level < self.least)
		return;
	head(&l, level, what);
	va_start(ap, what);
	pairs(&l, ap);
	va_end(ap);
	flush(&l);
}

static void
put_failure(struct line *l, const struct lk_err *e)
{
	const struct lk_clause *rule = &lk_reason_info(e->reason)->clause;
	char clause[64];

	put_pair(l, "msg", e->msg);
	snprintf(clause, sizeof clause, "%s %s", rule->document, rule->section);
	put_pair(l, "clause", clause);
}

void
lk_log_err(const struct lk_err *e, ...)
{
	const struct lk_reason_info *r = lk_reason_info(e->reason);
	enum lk_log_level level = lk_category_info(r->category)->level;
	struct line l = { .n = 0 };
	va_list ap;

	if (level < self.least)
		return;
	head(&l, level, r->symbol);
	va_start(ap, e);
	pairs(&l, ap);
	va_end(ap);
	put_failure(&l, e);
	flush(&l);
}

void
lk_log_fatal(const struct lk_err *e)
{
	const struct lk_reason_info *r = lk_reason_info(e->reason);
	struct line l = { .n = 0 };

	head(&l, LK_LOG_ERROR, r->symbol);
	put_failure(&l, e);
	put_pair(&l, "cure", r->cure);
	flush(&l);
}
