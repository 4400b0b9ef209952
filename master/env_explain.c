/* SPDX-License-Identifier: MIT */
/* env_explain.c - what becomes of each line of an environment file. */
#include "master/env_explain.h"

#include <stdio.h>

#include "master/config.h"
#include "shared/sys/conf_parse.h"

#define PREFIX          "GLMPROXY_"
#define OWN_PREFIX      "GLMPROXY__"
#define NAME_SHOWN_MAX  64
#define VALUE_SHOWN_MAX 60
#define MASK            "********"

enum verdict {
	CHANGED,
	RENAMED,
	IGNORED
};

struct old_name {
	enum verdict verdict;
	const char *name; /* a '*' at its end stands for anything */
	const char *key;
	const char *note;
};

static const struct old_name old_names[] = {
#define CHANGED(name, note)      { CHANGED, name, "", note },
#define RENAMED(name, key, note) { RENAMED, name, key, note },
#define IGNORED(name, note)      { IGNORED, name, "", note },
#include "master/env_names.def"
#undef CHANGED
#undef RENAMED
#undef IGNORED
};

struct explainer {
	const struct env_lines *lines;
	const char *file;
	struct buf *out;
	struct env_counts *counts;
};

/* --- tables --------------------------------------------------------------- */

static bool
is_like(struct span name, struct span pattern)
{
	if (pattern.n > 0 && pattern.p[pattern.n - 1] == '*')
		return span_starts(name, span_head(pattern, pattern.n - 1));
	return span_eq(name, pattern);
}

static const struct old_name *
find_old(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(old_names); i++)
		if (is_like(name, span_cstr(old_names[i].name)))
			return &old_names[i];
	return NULL;
}

/* GLMPROXY_MAX_BODY_MB is max_body_mb; cut where no key is that long. */
static struct span
key_of(struct span name, char out[NAME_SHOWN_MAX])
{
	const struct span rest =
		span_head(span_from(name, sizeof(PREFIX) - 1), NAME_SHOWN_MAX);

	for (size_t i = 0; i < rest.n; i++)
		out[i] = rest.p[i] >= 'A' && rest.p[i] <= 'Z' ?
			(char)(rest.p[i] | 0x20) :
			rest.p[i];
	return span_of(out, rest.n);
}

static const struct conf_row *
find_row(struct span name)
{
	char room[NAME_SHOWN_MAX];

	if (span_starts(name, SPAN(PREFIX)))
		return conf_find(key_of(name, room));
	for (size_t i = 0; i < conf_nrows; i++)
		if (conf_rows[i].bare[0] != '\0' &&
			span_eq(name, span_cstr(conf_rows[i].bare)))
			return &conf_rows[i];
	return span_eq(name, SPAN("DEBUG")) ? conf_find(SPAN("log_level")) :
					      NULL;
}

/* --- showing -------------------------------------------------------------- */

static void
put_shown(struct buf *out, struct span s, size_t max)
{
	for (size_t i = 0; i < s.n && i < max; i++)
		buf_putc(out,
			(unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ? '?' :
									s.p[i]);
	if (s.n > max)
		buf_puts(out, "...");
}

/* An address may hold a password. */
static bool
is_secret(const struct conf_row *row, struct span value)
{
	return (row->flags & SECRET) != 0 ||
		span_find_char(value, '@') < value.n;
}

static void
put_setting(struct explainer *x, const struct conf_row *row,
	const struct env_entry *e)
{
	put_shown(x->out, e->name, NAME_SHOWN_MAX);
	buf_puts(x->out, " = ");
	if (e->value.n > 0 && is_secret(row, e->value))
		buf_puts(x->out, MASK);
	else
		put_shown(x->out, e->value, VALUE_SHOWN_MAX);
	buf_puts(x->out, ": ");
}

/* Where other readers of such files would see something else. */
static void
put_hints(struct explainer *x, const struct env_entry *e)
{
	if (e->is_open)
		buf_puts(x->out, "; note: its quote is never closed");
	if (!e->is_quoted && span_find(e->value, SPAN(" #")) < e->value.n)
		buf_puts(x->out,
			"; note: systemd takes the # and what follows for a"
			" part of the value");
	if (span_find(e->value, SPAN("${")) < e->value.n)
		buf_puts(x->out, "; note: nothing is expanded");
}

/* --- one entry ------------------------------------------------------------ */

static enum gp_code
check_value(struct span name, const struct conf_row *row, struct span value,
	struct gp_error *err)
{
	const struct conf_row flag = { .type = CONF_BOOL, .dflt = "" };
	struct conf_value v;

	if (span_eq(name, SPAN("DEBUG")))
		return conf_value(&flag, value, &v, err);
	return config_check_value(row, value, err);
}

static void
explain_row(struct explainer *x, const struct conf_row *row,
	const struct env_entry *e)
{
	const bool is_bare = !span_starts(e->name, SPAN(PREFIX));
	const struct old_name *const old = find_old(e->name);
	const struct span value = span_trim(e->value);
	struct gp_error err;

	put_setting(x, row, e);
	if (is_bare && value.n == 0) {
		x->counts->ignored++;
		buf_puts(x->out, "empty: ignored");
	} else if (check_value(e->name, row, value, &err) != GP_OK) {
		x->counts->bad++;
		buf_printf(x->out, "bad value: %s: %s; %s", row->key, err.text,
			is_bare ? "the default counts, with a warning" :
				  "the start is refused");
	} else {
		x->counts->taken++;
		buf_printf(x->out, "taken over as %s", row->key);
		if (old != NULL) {
			x->counts->changed++;
			buf_printf(x->out, "; changed: %s", old->note);
		}
	}
	put_hints(x, e);
}

/* No value is shown: it may be another program's secret. */
static void
explain_other(struct explainer *x, const struct env_entry *e)
{
	const struct old_name *const old = find_old(e->name);
	char room[NAME_SHOWN_MAX];

	put_shown(x->out, e->name, NAME_SHOWN_MAX);
	if (span_starts(e->name, SPAN(PREFIX)) &&
		!span_starts(e->name, SPAN(OWN_PREFIX))) {
		x->counts->bad++;
		buf_printf(x->out,
			": no such key; the nearest is %s; the start is"
			" refused",
			conf_nearest(
				conf_rows, conf_nrows, key_of(e->name, room))
				->key);
		return;
	}
	x->counts->ignored++;
	if (old == NULL)
		buf_puts(x->out,
			": ignored: not a name of glmproxy's, nor of"
			" the program that it replaces");
	else if (old->verdict == RENAMED)
		buf_printf(x->out, ": ignored: set %s instead: %s", old->key,
			old->note);
	else
		buf_printf(x->out, ": ignored: %s", old->note);
}

static bool
is_given_again(const struct env_lines *l, size_t at, unsigned *line)
{
	for (size_t i = l->v.n; i > at + 1; i--)
		if (l->v.v[i - 1].kind == ENV_SET &&
			span_eq(l->v.v[i - 1].name, l->v.v[at].name)) {
			*line = l->v.v[i - 1].line;
			return true;
		}
	return false;
}

static void
explain_set(struct explainer *x, size_t at)
{
	const struct env_entry *const e = &x->lines->v.v[at];
	const struct conf_row *const row = find_row(e->name);
	unsigned line = 0;

	if (is_given_again(x->lines, at, &line)) {
		x->counts->ignored++;
		put_shown(x->out, e->name, NAME_SHOWN_MAX);
		buf_printf(x->out, ": ignored: line %u says it again", line);
	} else if (row != NULL) {
		explain_row(x, row, e);
	} else {
		explain_other(x, e);
	}
}

/* Nothing of the line is shown: it may be a key that lost its name. */
static void
explain_bad(struct explainer *x, const struct env_entry *e)
{
	x->counts->bad++;
	if (e->kind == ENV_SWALLOWED)
		buf_puts(x->out,
			"part of the comment above, which ends in a"
			" backslash (for systemd 254 and later it is not:"
			" take the backslash away)");
	else if (e->kind == ENV_NO_EQUALS)
		buf_puts(x->out, "not NAME=value: systemd skips it");
	else if (e->kind == ENV_BAD_VALUE)
		buf_puts(x->out, "not UTF-8: systemd refuses the whole file");
	else if (span_starts(e->name, SPAN("export ")))
		buf_puts(x->out,
			"systemd skips it: write NAME=value without"
			" export");
	else
		buf_puts(x->out,
			"systemd skips it: a name is letters, digits"
			" and _");
}

void
env_explain(const struct env_lines *l, const char *file, struct buf *out,
	struct env_counts *counts)
{
	struct explainer x = {
		.lines = l, .file = file, .out = out, .counts = counts
	};

	*counts = (struct env_counts){ .taken = 0 };
	for (size_t i = 0; i < l->v.n; i++) {
		buf_printf(out, "%s:%u: ", file, l->v.v[i].line);
		if (l->v.v[i].kind == ENV_SET)
			explain_set(&x, i);
		else
			explain_bad(&x, &l->v.v[i]);
		buf_putc(out, '\n');
	}
}
