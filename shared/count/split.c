/* SPDX-License-Identifier: MIT */
/* split.c - text cut into pieces, as a pattern with seven alternatives says. */
#include "shared/count/split.h"

#include "shared/base/utf8.h"
#include "shared/count/unicode_classes.h"

/* Classes of characters: those of Unicode, and line ends apart from SPACE. */
#define OTHER       UNICODE_OTHER
#define LETTER      UNICODE_LETTER
#define NUMBER      UNICODE_NUMBER
#define SPACE       UNICODE_SPACE
#define LINE        4
#define WIDE        5 /* of several bytes, or invalid: wide_class tells */

#define NUMBERS_MAX 3

/* clang-format off */
#define O OTHER
#define A LETTER
#define N NUMBER
#define S SPACE
#define E LINE
static const uint8_t ascii_class[0x80] = {
	O, O, O, O, O, O, O, O, O, S, E, S, S, E, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	N, N, N, N, N, N, N, N, N, N, O, O, O, O, O, O,
	O, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A,
	A, A, A, A, A, A, A, A, A, A, A, O, O, O, O, O,
	O, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A,
	A, A, A, A, A, A, A, A, A, A, A, O, O, O, O, O,
};
#undef O
#undef A
#undef N
#undef S
#undef E

/* clang-format on */

/* Of the character at s.p[at], which is outside of ASCII; *len its bytes. */
static unsigned
wide_class(struct span s, size_t at, size_t *len)
{
	const uint8_t *const p = (const uint8_t *)s.p + at;

	*len = utf8_seq_len(s.p + at, s.p + s.n);
	switch (*len) {
	case 2:
		return unicode_class((p[0] & 0x1fu) << 6 | (p[1] & 0x3fu));
	case 3:
		return unicode_class((p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 |
			(p[2] & 0x3fu));
	case 4:
		return unicode_class((p[0] & 7u) << 18 | (p[1] & 0x3fu) << 12 |
			(p[2] & 0x3fu) << 6 | (p[3] & 0x3fu));
	default:
		*len = 1;
		return OTHER;
	}
}

/* at < s.n. */
static inline unsigned
class_at(struct span s, size_t at, size_t *len)
{
	const uint8_t c = (uint8_t)s.p[at];

	*len = 1;
	return c < 0x80 ? ascii_class[c] : wide_class(s, at, len);
}

/* WIDE, which nothing is, at the end. */
static inline unsigned
class_or_end(struct span s, size_t at, size_t *len)
{
	*len = 0;
	return at < s.n ? class_at(s, at, len) : WIDE;
}

/* End of the run of characters of that kind; not much behind stop. */
static inline size_t
run_end(struct span s, size_t at, size_t stop, unsigned kind)
{
	size_t len;

	while (at < stop && class_at(s, at, &len) == kind)
		at += len;
	return at;
}

/* Length of 's, 't, 're, 've, 'm, 'll or 'd at the quote, in any case (the
 * long s is one of s's); 0 if there is none. */
static size_t
contraction_len(struct span s)
{
	const char c = (char)(s.n > 1 ? s.p[1] | 0x20 : 0);
	const char d = (char)(s.n > 2 ? s.p[2] | 0x20 : 0);

	if (c == 's' || c == 't' || c == 'm' || c == 'd')
		return 2;
	if ((c == 'r' && d == 'e') || (c == 'v' && d == 'e') ||
		(c == 'l' && d == 'l'))
		return 3;
	return s.n > 2 && s.p[1] == '\xc5' && s.p[2] == '\xbf' ? 3 : 0;
}

/* The piece's kind by its first characters. True when it is complete. */
static bool
begin(struct split *s)
{
	const struct span text = s->text;
	size_t len, next_len;
	const unsigned kind = class_at(text, s->start, &len);
	unsigned next;

	s->at = s->start + len;
	if (kind == LETTER) {
		s->phase = SPLIT_LETTERS;
		return false;
	}
	if (kind == NUMBER) {
		for (unsigned n = 1; n < NUMBERS_MAX &&
			class_or_end(text, s->at, &len) == NUMBER;
			n++)
			s->at += len;
		return true;
	}
	if (text.p[s->start] == '\'') {
		len = contraction_len(span_from(text, s->start));
		if (len > 0) {
			s->at = s->start + len;
			return true;
		}
	}
	next = class_or_end(text, s->at, &next_len);
	if (kind != LINE && next == LETTER) {
		s->at += next_len;
		s->phase = SPLIT_LETTERS;

	} else if (kind == OTHER ||
		(text.p[s->start] == ' ' && next == OTHER)) {
		s->phase = SPLIT_OTHERS;
	} else {
		s->phase = SPLIT_BLANKS;
		s->line = kind == LINE ? s->at : 0;
		s->last = s->start;
	}
	return false;
}

/* Blanks end behind their last line end; without one, before the last
 * character if something follows. Leaves that in at. True when at an end. */
static bool
take_blanks(struct split *s, size_t stop)
{
	size_t len;

	while (s->at < stop) {
		const unsigned kind = class_at(s->text, s->at, &len);

		if (kind != SPACE && kind != LINE)
			break;
		s->last = s->at;
		s->at += len;
		if (kind == LINE)
			s->line = s->at;
	}
	if (s->at >= stop && stop < s->text.n)
		return false;
	if (s->line > 0)
		s->at = s->line;
	else if (s->at < s->text.n && s->last > s->start)
		s->at = s->last;
	return true;
}

/* Go on with a piece whose kind is known. True when at is at its end. */
static bool
take(struct split *s, size_t stop)
{
	if (s->phase == SPLIT_OTHERS) {
		s->at = run_end(s->text, s->at, stop, OTHER);
		if (s->at >= stop && stop < s->text.n)
			return false;
		s->phase = SPLIT_LINES;
	}
	switch (s->phase) {
	case SPLIT_LETTERS:
		s->at = run_end(s->text, s->at, stop, LETTER);
		break;
	case SPLIT_LINES:
		s->at = run_end(s->text, s->at, stop, LINE);
		break;
	case SPLIT_BLANKS:
		return take_blanks(s, stop);
	case SPLIT_START:
	case SPLIT_OTHERS:
		break;
	}
	return s->at < stop || stop >= s->text.n;
}

void
split_init(struct split *s, struct span text)
{
	*s = (struct split){ .text = text };
}

bool
split_next(struct split *s, size_t max_bytes, struct span *piece)
{
	bool is_whole = false;
	size_t stop;

	if (split_is_done(s))
		return false;
	if (s->phase == SPLIT_START)
		is_whole = begin(s);
	if (!is_whole) {
		stop = s->at + MIN(max_bytes, s->text.n - s->at);
		if (!take(s, stop))
			return false;
	}
	*piece = span_of(s->text.p + s->start, s->at - s->start);
	s->start = s->at;
	s->phase = SPLIT_START;
	return true;
}
