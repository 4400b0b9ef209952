/* SPDX-License-Identifier: MIT */
/* profile_zai_overflow.c - what a failure's text says: numbers, times, names.
 *
 * Texts are bounded by the caller; all searches are linear in them.
 */
#include "shared/http/date.h"
#include "shared/translate/profile_zai.h"

/* Smaller numbers are versions of models and the like. */
#define TOKENS_MIN  256
#define NUMBERS_MAX 16
#define DATE_LEN    19                  /* 2026-09-21 23:07:07 */
#define BEIJING_S   (INT64_C(8) * 3600) /* before UTC */

/* --- searching ------------------------------------------------------------ */

/* What follows the first `part` in *s; false, with *s as it was, if there is
 * none. */
static bool
go_behind(struct span *s, struct span part)
{
	const size_t at = span_ifind(*s, part);

	if (at == s->n)
		return false;
	*s = span_from(*s, at + part.n);
	return true;
}

static bool
skip(struct span *s, struct span prefix)
{
	if (!span_istarts(*s, prefix))
		return false;
	*s = span_from(*s, prefix.n);
	return true;
}

static bool
has(struct span s, struct span part)
{
	return span_ifind(s, part) < s.n;
}

/* "exceeds the maximum context length" and its shorter forms. */
static bool
exceeds_length(struct span s)
{
	while (go_behind(&s, SPAN("exceed"))) {
		struct span t = s;

		(void)skip(&t, SPAN("s"));
		if (!skip(&t, SPAN(" ")))
			continue;
		(void)skip(&t, SPAN("the "));
		if (!skip(&t, SPAN("max")))
			continue;
		(void)skip(&t, SPAN("imum"));
		if (!skip(&t, SPAN(" ")))
			continue;
		(void)skip(&t, SPAN("context "));
		if (skip(&t, SPAN("length")))
			return true;
	}
	return false;
}

static bool
has_in_order(struct span s, const struct span *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!go_behind(&s, parts[i]))
			return false;
	}
	return true;
}

bool
zai_is_overflow(struct span text)
{
	static const struct span orders[][3] = {
		{ SPAN_INIT("context window"), SPAN_INIT("exceed"),
			SPAN_INIT("") },
		{ SPAN_INIT("context length"), SPAN_INIT("exceed"),
			SPAN_INIT("") },
		{ SPAN_INIT("input "), SPAN_INIT("tokens"),
			SPAN_INIT("exceed") },
	};

	if (has(text, SPAN("maximum context length")) ||
		has(text, SPAN("prompt exceeds")) ||
		has(text, SPAN("prompt 超长")) ||
		has(text, SPAN("prompt超长")) || exceeds_length(text))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		if (has_in_order(text, orders[i], ARRAY_LEN(orders[i])))
			return true;
	}
	return false;
}

/* --- numbers -------------------------------------------------------------- */

struct number {
	size_t at, end;
	int64_t value;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word_char(char c)
{
	return c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') ||
		(c >= 'A' && c <= 'Z');
}

static bool
is_digits(struct span s, size_t at, size_t n)
{
	for (size_t i = at; i < at + n; i++) {
		if (i >= s.n || !is_digit(s.p[i]))
			return false;
	}
	return true;
}

/* The number that begins at `at`, thousands parted by commas or not. False if
 * it is part of a name, a fraction, or longer than any count of tokens. */
static bool
read_number(struct span s, size_t at, struct number *out)
{
	const char before = at == 0 ? ' ' : s.p[at - 1];
	const bool is_fine =
		before != '.' && before != '-' && !is_word_char(before);
	size_t i = at, ndigits = 0;

	out->at = at;
	out->value = 0;
	while (i < s.n) {
		if (s.p[i] == ',' && is_digits(s, i + 1, 3) &&
			!is_digits(s, i + 4, 1)) {
			i++;
			continue;
		}
		if (!is_digit(s.p[i]))
			break;
		if (ndigits++ < 15)
			out->value = out->value * 10 + (s.p[i] - '0');
		i++;
	}
	out->end = i;
	return is_fine && ndigits <= 15 && out->value >= TOKENS_MIN;
}

static size_t
find_numbers(struct span s, struct number *out)
{
	size_t n = 0, i = 0;

	while (i < s.n && n < NUMBERS_MAX) {
		if (!is_digit(s.p[i])) {
			i++;
			continue;
		}
		if (read_number(s, i, &out[n])) {
			i = out[n].end;
			n++;
		} else {
			i = out[n].end;
		}
	}
	return n;
}

/* The number that stands next behind one of the words; n if there is none. */
static size_t
number_behind(struct span s, const struct number *v, size_t n,
	const struct span *words, size_t nwords)
{
	for (size_t w = 0; w < nwords; w++) {
		const size_t at = span_ifind(s, words[w]);

		for (size_t i = 0; at < s.n && i < n; i++) {
			if (v[i].at > at)
				return i;
		}
	}
	return n;
}

static size_t
number_before(struct span s, const struct number *v, size_t n,
	const struct span *words, size_t nwords)
{
	for (size_t w = 0; w < nwords; w++) {
		for (size_t i = 0; i < n; i++) {
			if (span_istarts(span_from(s, v[i].end), words[w]))
				return i;
		}
	}
	return n;
}

void
zai_overflow_numbers(struct span text, int64_t *input, int64_t *limit)
{
	static const struct span limits[] = { SPAN_INIT("context length"),
		SPAN_INIT("max length"), SPAN_INIT("maximum length"),
		SPAN_INIT("context window"), SPAN_INIT("limit") };
	static const struct span inputs[] = { SPAN_INIT(" in the messages"),
		SPAN_INIT(" input token"), SPAN_INIT(" prompt token") };
	struct number v[NUMBERS_MAX];
	const size_t n = find_numbers(text, v);
	const size_t m = number_behind(text, v, n, limits, ARRAY_LEN(limits));
	size_t i = number_before(text, v, n, inputs, ARRAY_LEN(inputs));

	*limit = m < n ? v[m].value : 0;
	if (i == n || i == m) {
		i = 0;
		while (i < n && i == m)
			i++;
	}
	*input = i < n ? v[i].value : 0;
}

/* --- times ---------------------------------------------------------------- */

static unsigned
two_digits(struct span s, size_t at)
{
	return (unsigned)(s.p[at] - '0') * 10 + (unsigned)(s.p[at + 1] - '0');
}

/* s begins with a date and a time. */
static bool
is_time(struct span s)
{
	static const char form[] = "dddd-dd-dd dd:dd:dd";

	if (s.n < DATE_LEN)
		return false;
	for (size_t i = 0; i < DATE_LEN; i++) {
		if (form[i] == 'd' ? !is_digit(s.p[i]) :
				     s.p[i] != form[i] &&
					!(s.p[i] == 'T' && form[i] == ' '))
			return false;
	}
	return two_digits(s, 5) >= 1 && two_digits(s, 5) <= 12 &&
		two_digits(s, 8) >= 1 && two_digits(s, 8) <= 31 &&
		two_digits(s, 11) <= 23 && two_digits(s, 14) <= 59 &&
		two_digits(s, 17) <= 59;
}

/* The time at which text says that a quota renews; "" if it does not. */
static struct span
find_reset(struct span text)
{
	if (!has(text, SPAN("reset")) && !has(text, SPAN("重置")))
		return SPAN_EMPTY;
	for (size_t i = 0; i + DATE_LEN <= text.n; i++) {
		const struct span s = span_from(text, i);

		if (is_time(s))
			return span_head(s, DATE_LEN);
	}
	return SPAN_EMPTY;
}

struct span
zai_reset_time(struct span text, struct arena *a)
{
	const struct span s = find_reset(text);

	/* The vendor writes its own time, that of Beijing. */
	return s.n == 0 ? s :
			  arena_printf(a, "%.10sT%.8s+08:00", s.p, s.p + 11);
}

int64_t
zai_reset_wall_s(struct span text)
{
	const struct span s = find_reset(text);
	int64_t year;

	if (s.n == 0)
		return 0;
	year = (int64_t)two_digits(s, 0) * 100 + (int64_t)two_digits(s, 2);
	if (year < 1971) /* that many hours before are none since 1970 */
		return 0;
	return http_date_day_s(year, (int64_t)two_digits(s, 5),
		       (int64_t)two_digits(s, 8)) +
		(int64_t)two_digits(s, 11) * 3600 +
		(int64_t)two_digits(s, 14) * 60 + (int64_t)two_digits(s, 17) -
		BEIJING_S;
}

/* --- names of request fields ---------------------------------------------- */

static bool
has_word(struct span text, struct span word)
{
	size_t from = 0;

	for (;;) {
		const size_t at = from + span_find(span_from(text, from), word);
		const size_t end = at + word.n;

		if (at >= text.n)
			return false;
		if ((at == 0 || !is_word_char(text.p[at - 1])) &&
			(end == text.n || !is_word_char(text.p[end])))
			return true;
		from = end;
	}
}

struct span
zai_named_field(struct span text)
{
	/* Longer ones that hold a shorter one need no order: whole words. */
	static const struct span fields[] = { SPAN_INIT("messages"),
		SPAN_INIT("model"), SPAN_INIT("max_tokens"),
		SPAN_INIT("temperature"), SPAN_INIT("top_p"),
		SPAN_INIT("tools"), SPAN_INIT("tool_choice"),
		SPAN_INIT("tool_stream"), SPAN_INIT("stop"),
		SPAN_INIT("stream"), SPAN_INIT("thinking"),
		SPAN_INIT("reasoning_effort"), SPAN_INIT("response_format"),
		SPAN_INIT("do_sample"), SPAN_INIT("request_id"),
		SPAN_INIT("user_id"), SPAN_INIT("image_url") };

	/* Only beside the word that tells a field from a word of the
	 * language. */
	if (!has(text, SPAN("parameter")) && !has(text, SPAN("参数")) &&
		!has(text, SPAN("field")))
		return SPAN_EMPTY;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (has_word(text, fields[i]))
			return fields[i];
	}
	return SPAN_EMPTY;
}
