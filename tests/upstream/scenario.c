/* SPDX-License-Identifier: MIT */
/* scenario.c - the name and the options of what is to be played. */
#include "tests/upstream/scenario.h"

#include "shared/base/buf.h"
#include "tests/upstream/text.h"

#define QUEUE_MAX   (1u << 20)
#define COUNTED_MAX 64

struct option {
	const char *name;
	size_t at; /* in struct scenario */
	bool is_word;
};

static const struct option options[] = {
#define NUMBER(name) { #name, offsetof(struct scenario, name), false },
#define WORD(name)   { #name, offsetof(struct scenario, name), true },
#include "tests/upstream/option.def"
#undef NUMBER
#undef WORD
};

static struct buf default_text, next_lines;

static struct {
	uint64_t hash;
	int64_t n;
} counted[COUNTED_MAX];

static size_t ncounted;

static const struct scenario_row *
row_find(struct span name)
{
	for (size_t i = 0; i < scenario_nrows; i++)
		if (span_eq(name, span_cstr(scenario_rows[i].name)))
			return &scenario_rows[i];
	return NULL;
}

static enum gp_code
option_set(struct scenario *s, struct arena *a, struct span word,
	struct gp_error *err)
{
	size_t eq = span_find_char(word, '=');
	struct span key = span_head(word, eq), value = span_from(word, eq + 1);

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		char *member = (char *)s + options[i].at;
		uint64_t n;
		int64_t number;

		if (!span_eq(key, span_cstr(options[i].name)))
			continue;
		value = text_percent(a, value);
		if (options[i].is_word) {
			memcpy(member, &value, sizeof(value));
			return GP_OK;
		}
		if (!span_u64(value, &n) || n > INT32_MAX)
			return gp_fail(err, GP_E_SCHEMA,
				"option %s wants a number", options[i].name);
		number = (int64_t)n;
		memcpy(member, &number, sizeof(number));
		return GP_OK;
	}
	return gp_fail(err, GP_E_SCHEMA, "unknown option '%.*s'",
		SPAN_ARG(span_head(key, 40)));
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';';
}

static bool
next_word(struct span *rest, struct span *word)
{
	size_t i = 0;

	*rest = span_trim(*rest);
	while (i < rest->n && !is_blank(rest->p[i]))
		i++;
	*word = span_head(*rest, i);
	*rest = span_from(*rest, i + 1);
	return word->n > 0 || rest->n > 0;
}

enum gp_code
scenario_parse(struct scenario *s, struct arena *a, struct span text,
	struct gp_error *err)
{
	struct span word = SPAN_EMPTY, rest = text;
	enum gp_code rc;

	memset(s, 0, sizeof(*s));
	s->source = text;
#define NUMBER(name) s->name = -1;
#define WORD(name)   s->name = SPAN_EMPTY;
#include "tests/upstream/option.def"
#undef NUMBER
#undef WORD
	(void)next_word(&rest, &word);
	s->row = row_find(word);
	if (s->row == NULL) {
		s->row = &scenario_rows[0];
		return gp_fail(err, GP_E_SCHEMA, "unknown scenario '%.*s'",
			SPAN_ARG(span_head(word, 40)));
	}
	while (next_word(&rest, &word)) {
		if (word.n == 0)
			continue;
		rc = option_set(s, a, word, err);
		if (rc != GP_OK)
			return rc;
	}
	if (s->fault.n > 0)
		s->fault_row = row_find(s->fault);
	if (s->fault.n > 0 &&
		(s->fault_row == NULL || !(s->fault_row->flags & SC_FAULT)))
		return gp_fail(err, GP_E_SCHEMA, "unknown fault '%.*s'",
			SPAN_ARG(span_head(s->fault, 40)));
	return GP_OK;
}

/* Length of the name at the start of s; 0 if what follows it is not a blank
 * or the end: other programs put brackets around other things. */
static size_t
name_len(struct span s)
{
	size_t i = 0;

	while (i < s.n &&
		((s.p[i] >= 'a' && s.p[i] <= 'z') ||
			(s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_'))
		i++;
	return i == s.n || s.p[i] == ' ' || s.p[i] == '\n' ? i : 0;
}

bool
scenario_marker(struct span text, struct span *inside)
{
	bool found = false;

	for (;;) {
		size_t open = span_find(text, SPAN("[[")), close;
		struct span rest = span_from(text, open + 2);

		if (open == text.n)
			return found;
		close = span_find(rest, SPAN("]]"));
		if (close == rest.n)
			return found;
		if (name_len(span_head(rest, close)) > 0) {
			*inside = span_head(rest, close);
			found = true;
		}
		text = rest;
	}
}

bool
scenario_is_known(struct span text)
{
	return row_find(span_head(text, name_len(text))) != NULL;
}

void
scenario_set_default(struct span text)
{
	buf_fini(&default_text);
	buf_init(&default_text, QUEUE_MAX);
	buf_put(&default_text, span_trim(text));
}

struct span
scenario_default(void)
{
	struct span s = buf_span(&default_text);

	return s.n == 0 ? SPAN("text") : s;
}

void
scenario_push_next(struct span lines)
{
	if (next_lines.max == 0)
		buf_init(&next_lines, QUEUE_MAX);
	buf_put(&next_lines, span_trim(lines));
	buf_putc(&next_lines, '\n');
}

bool
scenario_take_next(struct arena *a, struct span *text)
{
	struct span all = buf_span(&next_lines);
	size_t end = span_find_char(all, '\n');

	if (all.n == 0)
		return false;
	*text = arena_dup(a, span_trim(span_head(all, end)));
	buf_consume(&next_lines, end + 1);
	return true;
}

void
scenario_forget(void)
{
	buf_fini(&next_lines);
	buf_init(&next_lines, QUEUE_MAX);
	ncounted = 0;
}

int64_t
scenario_count(struct span text)
{
	uint64_t hash = 14695981039346656037u;
	size_t i;

	for (i = 0; i < text.n; i++)
		hash = (hash ^ (unsigned char)text.p[i]) * 1099511628211u;
	for (i = 0; i < ncounted; i++)
		if (counted[i].hash == hash)
			return ++counted[i].n;
	if (ncounted == COUNTED_MAX)
		ncounted = 0;
	counted[ncounted].hash = hash;
	counted[ncounted].n = 1;
	return counted[ncounted++].n;
}
