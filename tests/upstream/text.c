/* SPDX-License-Identifier: MIT */
/* text.c - writing JSON strings and small texts. */
#include "tests/upstream/text.h"

void
text_put_escaped(struct buf *out, struct span s)
{
	size_t clean = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_put(out, span_of(s.p + clean, i - clean));
		clean = i + 1;
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_puts(out, "\\n");
		else
			buf_printf(out, "\\u%04x", c);
	}
	buf_put(out, span_of(s.p + clean, s.n - clean));
}

struct span
text_escaped(struct arena *a, struct span s)
{
	struct buf b;
	struct span copy;

	buf_init(&b, SIZE_MAX / 2);
	text_put_escaped(&b, s);
	copy = arena_dup(a, buf_span(&b));
	buf_fini(&b);
	return copy;
}

void
text_put_string(struct buf *out, struct span s)
{
	buf_putc(out, '"');
	text_put_escaped(out, s);
	buf_putc(out, '"');
}

void
text_put_string_or_null(struct buf *out, struct span s)
{
	if (s.n == 0)
		buf_puts(out, "null");
	else
		text_put_string(out, s);
}

static bool
is_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

struct span
text_cut(struct span s, size_t n)
{
	if (s.n <= n)
		return s;
	while (n > 0 && is_tail(s.p[n]))
		n--;
	return span_head(s, n);
}

struct span
text_points(struct span s, size_t count)
{
	size_t i = 0;

	while (i < s.n && count-- > 0) {
		i++;
		while (i < s.n && is_tail(s.p[i]))
			i++;
	}
	return span_head(s, i);
}

struct span
text_words(struct span s, size_t count)
{
	size_t i = 0;

	while (i < s.n && count-- > 0) {
		while (i < s.n && s.p[i] != ' ')
			i++;
		while (i < s.n && s.p[i] == ' ')
			i++;
	}
	return span_head(s, i);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

struct span
text_percent(struct arena *a, struct span s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int high = -1, low = -1;

		if (s.p[i] == '%' && i + 2 < s.n) {
			high = hex_value(s.p[i + 1]);
			low = hex_value(s.p[i + 2]);
		}
		if (high < 0 || low < 0) {
			out[n++] = s.p[i];
			continue;
		}
		out[n++] = (char)(high * 16 + low);
		i += 2;
	}
	return span_of(out, n);
}

struct span
text_of(const json_t *value)
{
	if (!json_is_string(value))
		return SPAN_EMPTY;
	return span_of(json_string_value(value), json_string_length(value));
}
