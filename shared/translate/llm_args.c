/* SPDX-License-Identifier: MIT */
/* llm_args.c - a tool call's arguments: text <-> JSON object. */
#include "shared/json/jscan.h"
#include "shared/translate/llm_req.h"

/* What is no JSON object travels as the one member of an object. */
#define SENTINEL_KEY   "__raw_arguments"
#define SENTINEL_BEGIN "{\"" SENTINEL_KEY "\":\""
#define SENTINEL_END   "\"}"

static struct jraw
make_sentinel(struct arena *a, struct jesc text)
{
	const size_t begin = sizeof(SENTINEL_BEGIN) - 1;
	const size_t end = sizeof(SENTINEL_END) - 1;
	char *const p = arena_alloc(a, begin + text.s.n + end);

	/* Escaped once already: exactly what a JSON string holds. */
	memcpy(p, SENTINEL_BEGIN, begin);
	memcpy(p + begin, text.s.p, text.s.n);
	memcpy(p + begin + text.s.n, SENTINEL_END, end);
	return (struct jraw){ { p, begin + text.s.n + end } };
}

/* The text as it is meant, without blanks around. */
static struct span
plain_text(struct arena *a, const struct llm_args *args)
{
	return span_trim(jtext_unescape_dup(a, args->text));
}

static bool
is_nothing(struct span s)
{
	return s.n == 0 || span_eq(s, SPAN("null"));
}

static bool
is_object(struct span s)
{
	return s.n > 0 && s.p[0] == '{' && jscan_text(s, NULL, NULL) == GP_OK;
}

struct jraw
llm_args_value(struct arena *a, const struct llm_args *args)
{
	struct span s;

	if (!jraw_is_none(args->value))
		return args->value;
	if (!args->has_text)
		return JRAW("{}");
	s = plain_text(a, args);
	if (is_nothing(s))
		return JRAW("{}");
	if (!is_object(s))
		return make_sentinel(a, args->text);
	return (struct jraw){ s };
}

bool
llm_args_settle(struct arena *a, struct llm_args *args)
{
	struct span s;

	if (!args->has_text || !jraw_is_none(args->value))
		return false;
	s = plain_text(a, args);
	if (is_object(s)) {
		args->value = (struct jraw){ s };
		return false;
	}
	args->value = is_nothing(s) ? JRAW("{}") : make_sentinel(a, args->text);
	args->text = jtext_escape_dup(a, args->value.s);
	return !is_nothing(s);
}

static bool
take_char(struct span *s, char c)
{
	*s = span_trim(*s);
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

/* The inside of the string at the front of *s, which is dropped from there. */
static bool
take_string(struct span *s, struct jesc *out)
{
	size_t i = 0;

	if (!take_char(s, '"'))
		return false;
	while (i < s->n && s->p[i] != '"')
		i += s->p[i] == '\\' ? 2 : 1;
	if (i >= s->n)
		return false;
	*out = (struct jesc){ span_head(*s, i) };
	*s = span_from(*s, i + 1);
	return true;
}

/* True, with the original text in *text, if v is a sentinel. */
static bool
read_sentinel(struct jraw v, struct jesc *text)
{
	struct span s = v.s;
	struct jesc key;

	return take_char(&s, '{') && take_string(&s, &key) &&
		jesc_eq(key, SPAN(SENTINEL_KEY)) && take_char(&s, ':') &&
		take_string(&s, text) && take_char(&s, '}') && s.n == 0;
}

struct jesc
llm_args_text(struct arena *a, const struct llm_args *args)
{
	struct jesc text;

	if (args->has_text) {
		text = args->text;
		if (jesc_is_blank(text) || jesc_eq(text, SPAN("null")))
			return JESC("{}");
		return text;
	}
	if (jraw_is_none(args->value))
		return JESC("{}");
	if (read_sentinel(args->value, &text))
		return text;
	return jtext_escape_dup(a, args->value.s);
}
