/* SPDX-License-Identifier: MIT */
/* profile_zai_window.c - over what time a limit of z.ai's is counted. */
#include "shared/translate/profile_zai.h"

#define DIGITS_MAX 3

/* Longer ones before those they begin with. */
static const struct {
	struct span word;
	enum llm_window_unit unit;
} units[] = {
	{ SPAN_INIT("minute"), LLM_WINDOW_MINUTES },
	{ SPAN_INIT("分钟"), LLM_WINDOW_MINUTES },
	{ SPAN_INIT("hour"), LLM_WINDOW_HOURS },
	{ SPAN_INIT("小时"), LLM_WINDOW_HOURS },
	{ SPAN_INIT("day"), LLM_WINDOW_DAYS },
	{ SPAN_INIT("天"), LLM_WINDOW_DAYS },
	{ SPAN_INIT("week"), LLM_WINDOW_WEEKS },
	{ SPAN_INIT("周"), LLM_WINDOW_WEEKS },
	{ SPAN_INIT("month"), LLM_WINDOW_MONTHS },
	{ SPAN_INIT("个月"), LLM_WINDOW_MONTHS },
};

static const struct {
	struct span word;
	enum llm_window_unit unit;
} single[] = {
	{ SPAN_INIT("daily"), LLM_WINDOW_DAYS },
	{ SPAN_INIT("每日"), LLM_WINDOW_DAYS },
	{ SPAN_INIT("今日"), LLM_WINDOW_DAYS },
	{ SPAN_INIT("weekly"), LLM_WINDOW_WEEKS },
	{ SPAN_INIT("每周"), LLM_WINDOW_WEEKS },
	{ SPAN_INIT("monthly"), LLM_WINDOW_MONTHS },
	{ SPAN_INIT("每月"), LLM_WINDOW_MONTHS },
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* s begins with a number and its unit: "5 hour", "5小时", "1-hour". */
static bool
read_window(struct span s, struct llm_window *w)
{
	unsigned n = 0;
	size_t i = 0;

	for (; i < s.n && is_digit(s.p[i]); i++) {
		if (i == DIGITS_MAX)
			return false;
		n = n * 10 + (unsigned)(s.p[i] - '0');
	}
	if (n == 0 || n > LLM_WINDOW_MAX)
		return false;
	s = span_from(s, i);
	if (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '-'))
		s = span_from(s, 1);
	for (i = 0; i < ARRAY_LEN(units); i++) {
		if (!span_istarts(s, units[i].word))
			continue;
		*w = (struct llm_window){ units[i].unit, n };
		return true;
	}
	return false;
}

/* A part of a longer number or of a name is no number. */
static bool
is_in_word(struct span text, size_t at)
{
	const char c = at == 0 ? ' ' : text.p[at - 1];

	return is_digit(c) || c == '-' || c == '.' || c == ':' || c == '_' ||
		(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "weekly"; but not where two such words leave open which it is. */
static struct llm_window
single_window(struct span text)
{
	struct llm_window w = { LLM_NO_WINDOW, 0 };

	for (size_t i = 0; i < ARRAY_LEN(single); i++) {
		if (span_ifind(text, single[i].word) == text.n ||
			w.unit == single[i].unit)
			continue;
		if (w.unit != LLM_NO_WINDOW)
			return (struct llm_window){ LLM_NO_WINDOW, 0 };
		w = (struct llm_window){ single[i].unit, 1 };
	}
	return w;
}

struct llm_window
zai_window(struct span text)
{
	struct llm_window w;

	for (size_t i = 0; i < text.n; i++)
		if (is_digit(text.p[i]) && !is_in_word(text, i) &&
			read_window(span_from(text, i), &w))
			return w;
	return single_window(text);
}
