/* SPDX-License-Identifier: MIT */
/* jout.c - writes JSON without whitespace into a buf. */
#include "shared/json/jout.h"

#include "shared/base/check.h"
#include "shared/base/swar.h"

void
jout_init(struct jout *j, struct buf *out)
{
	*j = (struct jout){ .out = out };
}

void
jout_init_whole(struct jout *j, struct buf *out)
{
	*j = (struct jout){ .out = out, .keeps_lines = true };
}

/* --- text that must not end a line ---------------------------------------- */

/* The first bytes of U+0085 and of U+2028/U+2029 in UTF-8. */
#define LEAD_NEL 0xc2
#define LEAD_SEP 0xe2

static bool
is_suspect(char c)
{
	return c == '\n' || c == '\r' || (uint8_t)c == LEAD_NEL ||
		(uint8_t)c == LEAD_SEP;
}

/* Length of the prefix that certainly ends no line. */
static size_t
harmless_len(struct span s)
{
	size_t i = 0;

	for (; s.n - i >= SWAR_BYTES; i += SWAR_BYTES) {
		const uint64_t w = swar_load(s.p + i);
		const uint64_t mask = swar_equal(w, '\n') |
			swar_equal(w, '\r') | swar_equal(w, LEAD_NEL) |
			swar_equal(w, LEAD_SEP);

		if (mask != 0)
			return i + swar_first(mask);
	}
	while (i < s.n && !is_suspect(s.p[i]))
		i++;
	return i;
}

/* The line end at the front of s, and what JSON text to write instead. Returns
 * its length, 0 if there is none. */
static size_t
line_end(struct span s, const char **instead)
{
	if (s.p[0] == '\n' || s.p[0] == '\r') {
		/* Valid text has these between tokens only. */
		*instead = "";
		return 1;
	}
	if (span_starts(s, SPAN("\xc2\x85"))) {
		*instead = "\\u0085";
		return 2;
	}
	if (span_starts(s, SPAN("\xe2\x80\xa8"))) {
		*instead = "\\u2028";
		return 3;
	}
	if (span_starts(s, SPAN("\xe2\x80\xa9"))) {
		*instead = "\\u2029";
		return 3;
	}
	return 0;
}

/* Copy valid JSON text without line ends of any kind. */
static void
put_on_one_line(struct buf *out, struct span s)
{
	size_t from = 0, at = 0;

	while ((at += harmless_len(span_from(s, at))) < s.n) {
		const char *instead;
		const size_t n = line_end(span_from(s, at), &instead);

		if (n == 0) {
			at++;
			continue;
		}
		buf_put(out, span_of(s.p + from, at - from));
		buf_puts(out, instead);
		at += n;
		from = at;
	}
	buf_put(out, span_from(s, from));
}

/* Bytes as the inside of a JSON string, without line ends of any kind. Goes in
 * pieces that the line separators bound. */
static void
put_escaped(struct buf *out, struct span s)
{
	size_t from = 0, at = 0;

	while ((at += harmless_len(span_from(s, at))) < s.n) {
		const char *instead;
		size_t n = 0;

		/* \n and \r are jtext_escape's. */
		if ((uint8_t)s.p[at] >= 0x80)
			n = line_end(span_from(s, at), &instead);
		if (n == 0) {
			at++;
			continue;
		}
		jtext_escape(span_of(s.p + from, at - from), out);
		buf_puts(out, instead);
		at += n;
		from = at;
	}
	jtext_escape(span_from(s, from), out);
}

/* Valid JSON text, copied as the writer's kind of output wants it. */
static void
put_text(struct jout *j, struct span s)
{
	if (j->keeps_lines)
		buf_put(j->out, s);
	else
		put_on_one_line(j->out, s);
}

/* --- structure ------------------------------------------------------------ */

static uint32_t
level_bit(const struct jout *j)
{
	return UINT32_C(1) << (j->depth - 1u);
}

static void
put_comma(struct jout *j)
{
	const uint32_t bit = level_bit(j);

	if ((j->not_first & bit) != 0)
		buf_putc(j->out, ',');
	j->not_first |= bit;
}

/* Every value begins here. */
static void
begin_value(struct jout *j)
{
	GP_ASSERT(!j->in_string);
	if (j->after_key) {
		j->after_key = false;
		return;
	}
	if (j->depth == 0)
		return;
	GP_ASSERT((j->is_object & level_bit(j)) == 0);
	put_comma(j);
}

static void
begin_container(struct jout *j, bool is_object)
{
	uint32_t bit;

	begin_value(j);
	GP_ASSERT(j->depth < JOUT_DEPTH_MAX);
	j->depth++;
	bit = level_bit(j);
	j->not_first &= ~bit;
	if (is_object)
		j->is_object |= bit;
	else
		j->is_object &= ~bit;
	buf_putc(j->out, is_object ? '{' : '[');
}

static void
end_container(struct jout *j, bool is_object)
{
	GP_ASSERT(j->depth > 0 && !j->after_key && !j->in_string);
	GP_ASSERT(((j->is_object & level_bit(j)) != 0) == is_object);
	j->depth--;
	buf_putc(j->out, is_object ? '}' : ']');
}

void
jout_obj(struct jout *j)
{
	begin_container(j, true);
}

void
jout_obj_end(struct jout *j)
{
	end_container(j, true);
}

void
jout_arr(struct jout *j)
{
	begin_container(j, false);
}

void
jout_arr_end(struct jout *j)
{
	end_container(j, false);
}

static void
begin_key(struct jout *j, struct span key)
{
	GP_ASSERT(j->depth > 0 && !j->after_key && !j->in_string);
	GP_ASSERT((j->is_object & level_bit(j)) != 0);
	put_comma(j);
	j->after_key = true;
	buf_putc(j->out, '"');
	if (j->root_keys == NULL || j->depth > 1)
		return;
	if (buf_len(j->root_keys) > 0)
		buf_putc(j->root_keys, ',');
	buf_put(j->root_keys, key);
}

void
jout_key(struct jout *j, const char *key)
{
	const struct span s = span_cstr(key);

	begin_key(j, s);
	buf_put(j->out, s);
	buf_put(j->out, SPAN("\":"));
}

void
jout_key_jesc(struct jout *j, struct jesc key)
{
	begin_key(j, key.s);
	put_text(j, key.s);
	buf_put(j->out, SPAN("\":"));
}

/* --- values --------------------------------------------------------------- */

void
jout_jesc(struct jout *j, struct jesc s)
{
	jout_str_begin(j);
	jout_str_jesc(j, s);
	jout_str_end(j);
}

void
jout_raw(struct jout *j, struct jraw v)
{
	/* Nothing at all would be no value. */
	GP_ASSERT(!jraw_is_none(v));
	begin_value(j);
	put_text(j, v.s);
}

void
jout_span(struct jout *j, struct span s)
{
	jout_str_begin(j);
	jout_str_span(j, s);
	jout_str_end(j);
}

void
jout_cstr(struct jout *j, const char *s)
{
	jout_span(j, span_cstr(s));
}

void
jout_int(struct jout *j, int64_t v)
{
	begin_value(j);
	if (v < 0)
		buf_putc(j->out, '-');
	buf_put_u64(j->out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void
jout_bool(struct jout *j, bool v)
{
	begin_value(j);
	buf_puts(j->out, v ? "true" : "false");
}

void
jout_null(struct jout *j)
{
	begin_value(j);
	buf_puts(j->out, "null");
}

void
jout_str_begin(struct jout *j)
{
	begin_value(j);
	j->in_string = true;
	buf_putc(j->out, '"');
}

void
jout_str_jesc(struct jout *j, struct jesc s)
{
	GP_ASSERT(j->in_string);
	put_text(j, s.s);
}

void
jout_str_span(struct jout *j, struct span s)
{
	GP_ASSERT(j->in_string);
	if (j->keeps_lines)
		jtext_escape(s, j->out);
	else
		put_escaped(j->out, s);
}

void
jout_str_raw(struct jout *j, struct jraw v)
{
	jout_str_span(j, v.s);
}

void
jout_str_end(struct jout *j)
{
	GP_ASSERT(j->in_string);
	j->in_string = false;
	buf_putc(j->out, '"');
}

/* --- key and value -------------------------------------------------------- */

void
jout_kv_jesc(struct jout *j, const char *key, struct jesc s)
{
	jout_key(j, key);
	jout_jesc(j, s);
}

void
jout_kv_raw(struct jout *j, const char *key, struct jraw v)
{
	jout_key(j, key);
	jout_raw(j, v);
}

void
jout_kv_span(struct jout *j, const char *key, struct span s)
{
	jout_key(j, key);
	jout_span(j, s);
}

void
jout_kv_cstr(struct jout *j, const char *key, const char *s)
{
	jout_key(j, key);
	jout_cstr(j, s);
}

void
jout_kv_int(struct jout *j, const char *key, int64_t v)
{
	jout_key(j, key);
	jout_int(j, v);
}

void
jout_kv_bool(struct jout *j, const char *key, bool v)
{
	jout_key(j, key);
	jout_bool(j, v);
}

void
jout_kv_null(struct jout *j, const char *key)
{
	jout_key(j, key);
	jout_null(j);
}
