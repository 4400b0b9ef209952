/* SPDX-License-Identifier: MIT */
/* llm_env.c - where a text holds blocks of the client's surroundings. */
#include "shared/translate/llm_env.h"

#include "shared/translate/llm_unit.h"

#define FENCE_TICKS 3
#define OTHER       256 /* a character that nobody asks for */

struct tag {
	size_t from, to;
	bool is_closing;
};

/* --- single characters ---------------------------------------------------- */

/* Inside of a scanned string there are four. */
static int
hex_value(const char *p)
{
	int v = 0;

	for (size_t i = 0; i < UNIT_ONE - UNIT_SHORT; i++) {
		const char c = p[i];

		v = v * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v;
}

/* What an escape of two bytes stands for. */
static int
short_value(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case 'b':
	case 'f':
		return OTHER;
	default:
		return (unsigned char)c;
	}
}

/* Length of the character that begins at `at`. */
static size_t
unit_at(struct span s, size_t at, int *c)
{
	*c = (unsigned char)s.p[at];
	if (*c != '\\')
		return 1;
	if (s.p[at + 1] != 'u') {
		*c = short_value(s.p[at + 1]);
		return UNIT_SHORT;
	}
	*c = hex_value(s.p + at + UNIT_SHORT);
	return UNIT_ONE;
}

/* True if a backslash there begins an escape rather than being escaped. */
static bool
is_escape(struct span s, size_t at)
{
	size_t n = 0;

	while (n <= at && s.p[at - n] == '\\')
		n++;
	return n % 2 != 0;
}

/* Length of the character that ends before `at`; 0 at the beginning. Of those
 * that take several bytes unescaped only the last byte. */
static size_t
unit_before(struct span s, size_t at, int *c)
{
	if (at >= UNIT_ONE && s.p[at - UNIT_ONE + 1] == 'u' &&
		is_escape(s, at - UNIT_ONE))
		return unit_at(s, at - UNIT_ONE, c);
	if (at >= UNIT_SHORT && is_escape(s, at - UNIT_SHORT))
		return unit_at(s, at - UNIT_SHORT, c);
	*c = at > 0 ? (unsigned char)s.p[at - 1] : OTHER;
	return at > 0 ? 1 : 0;
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* --- tags ----------------------------------------------------------------- */

/* The next name of a tag behind e->at, which moves behind it. It is looked for
 * from the rarest of its letters on. */
static bool
next_name(struct llm_env *e, size_t *from)
{
	static const struct span head = SPAN_INIT("environment");
	static const struct span tail = SPAN_INIT("_details");

	for (;;) {
		const size_t hit =
			e->at + span_find(span_from(e->text, e->at), tail);

		if (hit >= e->text.n)
			return false;
		e->at = hit + tail.n;
		if (span_ends(span_head(e->text, hit), head)) {
			*from = hit - head.n;
			return true;
		}
	}
}

/* The next tag, wherever it stands. */
static bool
next_tag(struct llm_env *e, struct tag *t)
{
	const struct span s = e->text;

	while (next_name(e, &t->from) && e->at < s.n) {
		size_t n;
		int c;

		n = unit_at(s, e->at, &c);
		if (c != '>')
			continue;
		t->to = e->at + n;
		n = unit_before(s, t->from, &c);
		t->is_closing = c == '/';
		if (t->is_closing) {
			t->from -= n;
			n = unit_before(s, t->from, &c);
		}
		if (c != '<')
			continue;
		t->from -= n;
		e->at = t->to;
		return true;
	}
	return false;
}

static bool
begins_line(struct span s, size_t at)
{
	int c;

	return unit_before(s, at, &c) == 0 || c == '\n';
}

static bool
ends_line(struct span s, size_t at)
{
	int c = OTHER;

	while (at < s.n) {
		at += unit_at(s, at, &c);
		if (!is_blank(c) || c == '\n')
			return c == '\n';
	}
	return true;
}

/* Lines of backticks up to there, where a tag begins. It starts at the
 * beginning or behind another tag, which no such line has in front. */
static void
count_fences(struct llm_env *e, size_t to)
{
	const struct span s =
		span_head(span_from(e->text, e->counted), to - e->counted);
	bool is_fresh = e->counted == 0;
	size_t ticks = 0;

	/* Most texts have none, escaped or not. */
	if (span_find_char(s, '`') == s.n && span_find(s, SPAN("0060")) == s.n)
		return;
	while (e->counted < to) {
		int c;

		e->counted += unit_at(e->text, e->counted, &c);
		if (c == '\n') {
			is_fresh = true;
			ticks = 0;
		} else if (c != '`') {
			is_fresh = is_fresh && is_blank(c) && ticks == 0;
		} else if (is_fresh && ++ticks == FENCE_TICKS) {
			e->is_in_fence = !e->is_in_fence;
			is_fresh = false;
		}
	}
}

void
llm_env_init(struct llm_env *e, struct jesc text)
{
	*e = (struct llm_env){ .text = text.s };
}

/*
 * Pairs are told by depth, so that whatever is taken out no other pair becomes
 * whole by it: those that are removed stand at depth 0, as what is before and
 * behind them.
 */
bool
llm_env_next(struct llm_env *e, struct llm_env_block *out)
{
	struct tag t;

	while (next_tag(e, &t)) {
		if (e->depth == 0) {
			count_fences(e, t.from);
			e->counted = t.to;
			if (e->is_in_fence)
				continue;
		}
		if (!t.is_closing) {
			const bool opens = begins_line(e->text, t.from);

			e->is_plain = opens && e->depth == 0;
			if (opens && e->depth++ == 0)
				e->from = t.from;
			continue;
		}
		if (e->depth == 0 || --e->depth > 0) {
			e->is_plain = false;
			continue;
		}
		e->counted = t.to;
		if (e->is_plain && ends_line(e->text, t.to)) {
			*out = (struct llm_env_block){ e->from, t.to };
			return true;
		}
	}
	return false;
}

/* --- blanks around -------------------------------------------------------- */

size_t
llm_env_rtrim(struct jesc text, size_t floor, size_t at)
{
	while (at > floor) {
		int c;
		const size_t n = unit_before(text.s, at, &c);

		if (!is_blank(c))
			break;
		at -= n;
	}
	return at;
}

size_t
llm_env_skip_lines(struct jesc text, size_t at)
{
	size_t line = at;
	int c = ' ';

	while (at < text.s.n) {
		at += unit_at(text.s, at, &c);
		if (!is_blank(c))
			return line;
		if (c == '\n')
			line = at;
	}
	return at;
}
