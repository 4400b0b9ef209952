/* SPDX-License-Identifier: MIT */
/* llm_mark.c - words in angle brackets inside of escaped text. */
#include "shared/translate/llm_mark.h"

#include "shared/translate/llm_unit.h"

#define OTHER '\0' /* a character that is in no mark */

/* The value of a hexadecimal digit; the scanner has seen that it is one. */
static unsigned
digit(char c)
{
	return c <= '9' ? (unsigned)c - '0' : ((unsigned)c | 0x20) - 'a' + 10;
}

/* The character at the front of s, which is not empty, and its length. */
static char
read_unit(struct span s, size_t *len)
{
	*len = 1;
	if (s.p[0] != '\\')
		return s.p[0];
	*len = unit_escape_len(s);
	switch (s.p[1]) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case '/':
		return '/';
	case 'u':
		break;
	default:
		return OTHER;
	}
	if (s.p[2] != '0' || s.p[3] != '0' || digit(s.p[4]) > 7)
		return OTHER;
	return (char)(digit(s.p[4]) << 4 | digit(s.p[5]));
}

/* Bytes of text that mean mark, 0 if it is something else. *ends_inside: the
 * text ends before either is clear. */
static size_t
match_one(struct span text, struct span mark, bool *ends_inside)
{
	size_t at = 0, len;

	for (size_t i = 0; i < mark.n; i++) {
		if (at == text.n) {
			*ends_inside = true;
			return 0;
		}
		if (read_unit(span_from(text, at), &len) != mark.p[i])
			return 0;
		at += len;
	}
	return at;
}

struct mark_found
mark_match(struct span text, const struct span *marks, size_t n)
{
	bool ends_inside = false;

	for (size_t i = 0; i < n; i++) {
		const size_t len = match_one(text, marks[i], &ends_inside);

		if (len > 0)
			return (struct mark_found){ 0, len, i };
	}
	return (struct mark_found){ ends_inside ? 0 : text.n, 0, 0 };
}

struct mark_found
mark_find(struct span text, const struct span *marks, size_t n)
{
	size_t at = 0, len;

	while (at < text.n) {
		const struct span rest = span_from(text, at);
		struct mark_found found;

		if (rest.p[0] != '<' && rest.p[0] != '\\') {
			at++;
			continue;
		}
		if (read_unit(rest, &len) == '<') {
			found = mark_match(rest, marks, n);
			if (found.at == 0) {
				found.at = at;
				return found;
			}
		}
		at += len;
	}
	return (struct mark_found){ text.n, 0, 0 };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

size_t
mark_blanks(struct span text)
{
	size_t at = 0, len;

	while (at < text.n && is_blank(read_unit(span_from(text, at), &len)))
		at += len;
	return at;
}

size_t
mark_word(struct span text)
{
	size_t at = 0, len;

	while (at < text.n) {
		const char c = read_unit(span_from(text, at), &len);

		if (is_blank(c) || c == '<')
			break;
		at += len;
	}
	return at;
}
