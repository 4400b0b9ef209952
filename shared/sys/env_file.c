/* SPDX-License-Identifier: MIT */
/* env_file.c - the syntax of systemd's EnvironmentFile=, a byte at a time. */
#include "shared/sys/env_file.h"

#include <string.h>

#include "shared/base/buf.h"
#include "shared/base/utf8.h"

#define KEPT_BYTES 4096 /* of memory, from one entry to the next */

enum state {
	BEFORE_NAME,
	NAME,
	BEFORE_VALUE, /* also behind a closed quote */
	VALUE,
	VALUE_ESCAPE,
	SINGLE,
	DOUBLE,
	DOUBLE_ESCAPE,
	COMMENT,
	COMMENT_ESCAPE
};

struct reader {
	enum state state;
	unsigned line;  /* of the byte at hand */
	unsigned begin; /* line of the entry's first byte */
	struct buf name, value;
	size_t kept; /* bytes of value in front of trailing blanks */
	bool is_quoted;
	env_file_fn *fn;
	void *arg;
	struct gp_error *err;
};

static bool
is_newline(char c)
{
	return c == '\n' || c == '\r';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || is_newline(c);
}

static bool
is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		const bool is_letter = (c >= 'a' && c <= 'z') ||
			(c >= 'A' && c <= 'Z') || c == '_';

		if (!is_letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return s.n > 0;
}

static enum gp_code
emit(struct reader *r, enum env_kind kind, bool is_open)
{
	struct env_entry e = { .kind = kind,
		.line = r->begin,
		.name = SPAN_EMPTY,
		.value = SPAN_EMPTY };

	if (kind == ENV_SET) {
		e.name = span_rtrim(buf_span(&r->name));
		e.value = span_head(buf_span(&r->value), r->kept);
		e.is_quoted = r->is_quoted;
		e.is_open = is_open;
		if (!is_name(e.name))
			e.kind = ENV_BAD_NAME;
		else if (utf8_valid_len(e.value) != e.value.n ||
			memchr(e.value.p, '\0', e.value.n) != NULL)
			e.kind = ENV_BAD_VALUE;
	}
	return r->fn(r->arg, &e, r->err);
}

static void
put(struct reader *r, char c, bool is_kept)
{
	buf_putc(&r->value, c);
	if (is_kept)
		r->kept = buf_len(&r->value);
}

static enum gp_code
end_entry(struct reader *r)
{
	r->state = BEFORE_NAME;
	return emit(r, ENV_SET, false);
}

/* --- a byte in each state ------------------------------------------------- */

static void
before_name(struct reader *r, char c)
{
	if (is_blank(c))
		return;
	r->begin = r->line;
	if (c == '#' || c == ';') {
		r->state = COMMENT;
		return;
	}
	r->state = NAME;
	buf_reset(&r->name, KEPT_BYTES);
	buf_reset(&r->value, KEPT_BYTES);
	r->kept = 0;
	r->is_quoted = false;
	buf_putc(&r->name, c);
}

static enum gp_code
in_name(struct reader *r, char c)
{
	if (is_newline(c)) {
		r->state = BEFORE_NAME;
		return emit(r, ENV_NO_EQUALS, false);
	}
	if (c == '=')
		r->state = BEFORE_VALUE;
	else
		buf_putc(&r->name, c);
	return GP_OK;
}

static enum gp_code
before_value(struct reader *r, char c)
{
	if (is_newline(c))
		return end_entry(r);
	if (c == '\'' || c == '"') {
		r->state = c == '"' ? DOUBLE : SINGLE;
		r->is_quoted = true;
	} else if (c == '\\') {
		r->state = VALUE_ESCAPE;
	} else if (!is_blank(c)) {
		r->state = VALUE;
		put(r, c, true);
	}
	return GP_OK;
}

static enum gp_code
in_value(struct reader *r, char c)
{
	if (is_newline(c))
		return end_entry(r);
	if (c == '\\') {
		r->state = VALUE_ESCAPE;
		/* Even if nothing but the end of the line comes behind it. */
		r->kept = buf_len(&r->value);
	} else {
		put(r, c, !is_blank(c));
	}
	return GP_OK;
}

static void
in_double(struct reader *r, char c)
{
	if (r->state == DOUBLE_ESCAPE) {
		r->state = DOUBLE;
		if (strchr("\"\\`$", c) == NULL && c != '\n')
			put(r, '\\', true);
		if (c != '\n')
			put(r, c, true);
	} else if (c == '"') {
		r->state = BEFORE_VALUE;
	} else if (c == '\\') {
		r->state = DOUBLE_ESCAPE;
	} else {
		put(r, c, true);
	}
}

static enum gp_code
in_comment(struct reader *r, char c)
{
	if (r->state == COMMENT_ESCAPE) {
		r->state = COMMENT;
		r->begin = r->line + 1;
		return is_newline(c) ? emit(r, ENV_SWALLOWED, false) : GP_OK;
	}
	if (c == '\\')
		r->state = COMMENT_ESCAPE;
	else if (is_newline(c))
		r->state = BEFORE_NAME;
	return GP_OK;
}

static enum gp_code
step(struct reader *r, char c)
{
	switch (r->state) {
	case BEFORE_NAME:
		before_name(r, c);
		return GP_OK;
	case NAME:
		return in_name(r, c);
	case BEFORE_VALUE:
		return before_value(r, c);
	case VALUE:
		return in_value(r, c);
	case VALUE_ESCAPE:
		r->state = VALUE;
		if (!is_newline(c))
			put(r, c, true);
		return GP_OK;
	case SINGLE:
		if (c == '\'')
			r->state = BEFORE_VALUE;
		else
			put(r, c, true);
		return GP_OK;
	case DOUBLE:
	case DOUBLE_ESCAPE:
		in_double(r, c);
		return GP_OK;
	case COMMENT:
	case COMMENT_ESCAPE:
		return in_comment(r, c);
	}
	return GP_OK;
}

/* The end of the file ends everything, quotes too. */
static enum gp_code
finish(struct reader *r)
{
	switch (r->state) {
	case NAME:
		return emit(r, ENV_NO_EQUALS, false);
	case BEFORE_VALUE:
	case VALUE:
	case VALUE_ESCAPE:
		return emit(r, ENV_SET, false);
	case SINGLE:
	case DOUBLE:
	case DOUBLE_ESCAPE:
		return emit(r, ENV_SET, true);
	case BEFORE_NAME:
	case COMMENT:
	case COMMENT_ESCAPE:
		break;
	}
	return GP_OK;
}

enum gp_code
env_file_each(
	struct span text, env_file_fn *fn, void *arg, struct gp_error *err)
{
	struct reader r = { .line = 1, .fn = fn, .arg = arg, .err = err };
	enum gp_code rc = GP_OK;

	buf_init(&r.name, text.n + 1);
	buf_init(&r.value, text.n + 1);
	for (size_t i = 0; rc == GP_OK && i < text.n; i++) {
		rc = step(&r, text.p[i]);
		if (text.p[i] == '\n')
			r.line++;
	}
	if (rc == GP_OK)
		rc = finish(&r);
	buf_fini(&r.name);
	buf_fini(&r.value);
	return rc;
}
