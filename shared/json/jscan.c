/* SPDX-License-Identifier: MIT */
/* jscan.c - strict, incremental JSON validation in constant memory. */
#include "shared/json/jscan.h"

#include "shared/base/utf8.h"
#include "shared/json/jplain.h"

#define CODE_ESCAPE 6 /* \u000a */

enum state {
	ST_VALUE,      /* a value must follow */
	ST_FIRST_ITEM, /* a value or ']' */
	ST_FIRST_KEY,  /* a key or '}' */
	ST_KEY,
	ST_COLON,
	ST_AFTER, /* behind a value: ',' or an end; at depth 0 only blanks */
	ST_STRING,
	ST_ESCAPE,  /* behind a backslash */
	ST_HEX,     /* sub: digits still to come */
	ST_UTF8,    /* sub: bytes still to come; the next one in lo..hi */
	ST_LITERAL, /* sub: position in literal_rest */
	ST_MINUS,
	ST_ZERO,
	ST_INT,
	ST_DOT,
	ST_FRAC,
	ST_EXP,
	ST_EXP_SIGN,
	ST_EXP_DIGITS,
	ST_FAILED, /* sub: enum why */
	ST_COUNT
};

enum why {
	WHY_VALUE,
	WHY_KEY,
	WHY_COLON,
	WHY_COMMA,
	WHY_TAIL,
	WHY_CONTROL,
	WHY_ESCAPE,
	WHY_UTF8,
	WHY_LITERAL,
	WHY_NUMBER,
	WHY_END,
	WHY_DEPTH,
	WHY_TOKENS
};

static const char *const why_text[] = {
	[WHY_VALUE] = "a value is missing",
	[WHY_KEY] = "a key in quotes is missing",
	[WHY_COLON] = "a colon is missing",
	[WHY_COMMA] = "a comma or a closing bracket is missing",
	[WHY_TAIL] = "more text behind the value",
	[WHY_CONTROL] = "a control character inside a string",
	[WHY_ESCAPE] = "an unknown escape sequence",
	[WHY_UTF8] = "not UTF-8",
	[WHY_LITERAL] = "neither true, false nor null",
	[WHY_NUMBER] = "a malformed number",
	[WHY_END] = "the text ends too early",
	[WHY_DEPTH] = "nested too deep",
	[WHY_TOKENS] = "too many values",
};

/* What follows the first letter of true, false and null; each ends in NUL. */
static const char literal_rest[] = "rue\0alse\0ull";
#define REST_OF_TRUE  0
#define REST_OF_FALSE 4
#define REST_OF_NULL  9

/* Scanners look at p..end, which is not empty, and return where they stopped:
 * at end, or where another state takes over. */
typedef const char *scan_fn(struct jscan *s, const char *p, const char *end);

void
jscan_init(struct jscan *s)
{
	*s = (struct jscan){ .state = ST_VALUE };
}

static const char *
fail_at(struct jscan *s, const char *p, enum why why)
{
	s->state = ST_FAILED;
	s->sub = (uint8_t)why;
	return p;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

static bool
top_is_object(const struct jscan *s)
{
	const unsigned level = s->depth - 1u;

	return (s->stack[level / 8] >> level % 8 & 1) != 0;
}

static bool
push(struct jscan *s, bool is_object)
{
	const unsigned level = s->depth;
	const unsigned bit = 1u << level % 8;

	if (level == JSCAN_DEPTH_MAX)
		return false;
	if (is_object)
		s->stack[level / 8] |= (uint8_t)bit;
	else
		s->stack[level / 8] &= (uint8_t)~bit;
	s->depth++;
	return true;
}

static bool
count_token(struct jscan *s)
{
	if (s->tokens == JSCAN_TOKENS_MAX)
		return false;
	s->tokens++;
	s->last_depth = s->depth;
	return true;
}

/* p is the bracket that closes the innermost container. */
static const char *
close_at(struct jscan *s, const char *p)
{
	s->depth--;
	s->climbed += (uint32_t)(s->last_depth - s->depth);
	if (s->climbed > JSCAN_CLIMB_MAX)
		return fail_at(s, p, WHY_DEPTH);
	s->state = ST_AFTER;
	return p + 1;
}

/* The state that the first byte of a value leads to; ST_FAILED if none. */
static enum state
value_state(struct jscan *s, char c)
{
	switch (c) {
	case '"':
		s->is_key = false;
		return ST_STRING;
	case '{':
		return ST_FIRST_KEY;
	case '[':
		return ST_FIRST_ITEM;
	case 't':
		s->sub = REST_OF_TRUE;
		return ST_LITERAL;
	case 'f':
		s->sub = REST_OF_FALSE;
		return ST_LITERAL;
	case 'n':
		s->sub = REST_OF_NULL;
		return ST_LITERAL;
	case '-':
		return ST_MINUS;
	case '0':
		return ST_ZERO;
	default:
		return is_digit(c) ? ST_INT : ST_FAILED;
	}
}

static const char *
scan_value(struct jscan *s, const char *p, const char *end)
{
	enum state next;

	p = skip_blanks(p, end);
	if (p == end)
		return p;
	if (*p == ']' && s->state == ST_FIRST_ITEM)
		return close_at(s, p);
	next = value_state(s, *p);
	if (next == ST_FAILED)
		return fail_at(s, p, WHY_VALUE);
	if (!count_token(s))
		return fail_at(s, p, WHY_TOKENS);
	if ((*p == '{' || *p == '[') && !push(s, *p == '{'))
		return fail_at(s, p, WHY_DEPTH);
	s->state = (uint8_t)next;
	s->string = p + 1;
	return p + 1;
}

static const char *
scan_key(struct jscan *s, const char *p, const char *end)
{
	p = skip_blanks(p, end);
	if (p == end)
		return p;
	if (*p == '}' && s->state == ST_FIRST_KEY)
		return close_at(s, p);
	if (*p != '"')
		return fail_at(s, p, WHY_KEY);
	if (!count_token(s))
		return fail_at(s, p, WHY_TOKENS);
	s->is_key = true;
	s->state = ST_STRING;
	s->string = p + 1;
	return p + 1;
}

static const char *
scan_colon(struct jscan *s, const char *p, const char *end)
{
	p = skip_blanks(p, end);
	if (p == end)
		return p;
	if (*p != ':')
		return fail_at(s, p, WHY_COLON);
	s->state = ST_VALUE;
	return p + 1;
}

static const char *
scan_after(struct jscan *s, const char *p, const char *end)
{
	bool is_object;

	p = skip_blanks(p, end);
	if (p == end)
		return p;
	if (s->depth == 0)
		return fail_at(s, p, WHY_TAIL);
	is_object = top_is_object(s);
	if (*p == ',')
		s->state = is_object ? ST_KEY : ST_VALUE;
	else if (*p == (is_object ? '}' : ']'))
		return close_at(s, p);
	else
		return fail_at(s, p, WHY_COMMA);
	return p + 1;
}

/* The first byte of a sequence that is not there as a whole, or is wrong. */
static const char *
enter_utf8(struct jscan *s, const char *p)
{
	s->sub = (uint8_t)utf8_lead((uint8_t)*p, &s->lo, &s->hi);
	if (s->sub == 0)
		return fail_at(s, p, WHY_UTF8);
	s->state = ST_UTF8;
	return p + 1;
}

static bool
is_hex(char c)
{
	const char letter = (char)(c | 0x20);

	return is_digit(c) || (letter >= 'a' && letter <= 'f');
}

/* At p is the escape of a code unit, in this piece as a whole. */
static bool
is_code_escape(const char *p, const char *end)
{
	return end - p >= CODE_ESCAPE && p[0] == '\\' && p[1] == 'u' &&
		is_hex(p[2]) && is_hex(p[3]) && is_hex(p[4]) && is_hex(p[5]);
}

/* The closing quote at p. */
static const char *
end_string(struct jscan *s, const char *p)
{
	s->state = s->is_key ? ST_COLON : ST_AFTER;
	if (s->bones != NULL && p - s->string >= JBONES_LONG)
		jbones_cut(s->bones, (size_t)(s->string - s->text),
			(size_t)(p - s->string));
	return p + 1;
}

/* Sequences that lie in this piece as a whole are dealt with here; the states
 * for escapes and UTF-8 are for those that are cut or wrong. */
static const char *
scan_string(struct jscan *s, const char *p, const char *end)
{
	while ((p = jplain_skip(p, end)) < end) {
		if (*p == '"')
			return end_string(s, p);
		if (*p == '\\') {
			const char *const from = p;

			while (is_code_escape(p, end))
				p += CODE_ESCAPE;
			if (p > from)
				continue;
			s->state = ST_ESCAPE;
			return p + 1;
		}
		if ((uint8_t)*p < 0x20)
			return fail_at(s, p, WHY_CONTROL);
		while (p < end && (uint8_t)*p >= 0x80) {
			const unsigned n = utf8_seq_len(p, end);

			if (n == 0)
				return enter_utf8(s, p);
			p += n;
		}
	}
	return p;
}

static const char *
scan_escape(struct jscan *s, const char *p, const char *end)
{
	(void)end;
	if (*p == 'u') {
		s->state = ST_HEX;
		s->sub = 4;
	} else if (jplain_is_short_escape(*p)) {
		s->state = ST_STRING;
	} else {
		return fail_at(s, p, WHY_ESCAPE);
	}
	return p + 1;
}

static const char *
scan_hex(struct jscan *s, const char *p, const char *end)
{
	for (; p < end && s->sub > 0; p++, s->sub--) {
		if (!is_hex(*p))
			return fail_at(s, p, WHY_ESCAPE);
	}
	if (s->sub == 0)
		s->state = ST_STRING;
	return p;
}

static const char *
scan_utf8(struct jscan *s, const char *p, const char *end)
{
	for (; p < end && s->sub > 0; p++, s->sub--) {
		if ((uint8_t)*p < s->lo || (uint8_t)*p > s->hi)
			return fail_at(s, p, WHY_UTF8);
		s->lo = 0x80;
		s->hi = 0xbf;
	}
	if (s->sub == 0)
		s->state = ST_STRING;
	return p;
}

static const char *
scan_literal(struct jscan *s, const char *p, const char *end)
{
	for (; p < end && literal_rest[s->sub] != '\0'; p++, s->sub++) {
		if (*p != literal_rest[s->sub])
			return fail_at(s, p, WHY_LITERAL);
	}
	if (literal_rest[s->sub] == '\0')
		s->state = ST_AFTER;
	return p;
}

enum number_byte {
	NB_ZERO,
	NB_DIGIT,
	NB_DOT,
	NB_E,
	NB_SIGN,
	NB_OTHER,
	NB_COUNT
};

static enum number_byte
number_byte(char c)
{
	switch (c) {
	case '0':
		return NB_ZERO;
	case '.':
		return NB_DOT;
	case 'e':
	case 'E':
		return NB_E;
	case '+':
	case '-':
		return NB_SIGN;
	default:
		return is_digit(c) ? NB_DIGIT : NB_OTHER;
	}
}

/* The state behind a byte inside a number; ST_AFTER if it is not part of it. */
static const uint8_t number_next[ST_COUNT][NB_COUNT] = {
#define ROW(state, zero, digit, dot, e, sign, other)                           \
	[ST_##state] = { ST_##zero, ST_##digit, ST_##dot, ST_##e, ST_##sign,   \
		ST_##other }
	ROW(MINUS, ZERO, INT, FAILED, FAILED, FAILED, FAILED),
	ROW(ZERO, FAILED, FAILED, DOT, EXP, AFTER, AFTER),
	ROW(INT, INT, INT, DOT, EXP, AFTER, AFTER),
	ROW(DOT, FRAC, FRAC, FAILED, FAILED, FAILED, FAILED),
	ROW(FRAC, FRAC, FRAC, AFTER, EXP, AFTER, AFTER),
	ROW(EXP, EXP_DIGITS, EXP_DIGITS, FAILED, FAILED, EXP_SIGN, FAILED),
	ROW(EXP_SIGN, EXP_DIGITS, EXP_DIGITS, FAILED, FAILED, FAILED, FAILED),
	ROW(EXP_DIGITS, EXP_DIGITS, EXP_DIGITS, AFTER, AFTER, AFTER, AFTER),
#undef ROW
};

static const char *
scan_number(struct jscan *s, const char *p, const char *end)
{
	for (; p < end; p++) {
		const uint8_t next = number_next[s->state][number_byte(*p)];

		if (next == ST_FAILED)
			return fail_at(s, p, WHY_NUMBER);
		s->state = next;
		if (next == ST_AFTER)
			break;
	}
	return p;
}

static scan_fn *const scanners[ST_COUNT] = {
	[ST_VALUE] = scan_value,
	[ST_FIRST_ITEM] = scan_value,
	[ST_FIRST_KEY] = scan_key,
	[ST_KEY] = scan_key,
	[ST_COLON] = scan_colon,
	[ST_AFTER] = scan_after,
	[ST_STRING] = scan_string,
	[ST_ESCAPE] = scan_escape,
	[ST_HEX] = scan_hex,
	[ST_UTF8] = scan_utf8,
	[ST_LITERAL] = scan_literal,
	[ST_MINUS] = scan_number,
	[ST_ZERO] = scan_number,
	[ST_INT] = scan_number,
	[ST_DOT] = scan_number,
	[ST_FRAC] = scan_number,
	[ST_EXP] = scan_number,
	[ST_EXP_SIGN] = scan_number,
	[ST_EXP_DIGITS] = scan_number,
};

static enum gp_code
report(const struct jscan *s, struct gp_error *err)
{
	const bool is_limit = s->sub == WHY_DEPTH || s->sub == WHY_TOKENS;

	return gp_fail(err, is_limit ? GP_E_LIMIT : GP_E_SYNTAX,
		"bad JSON at byte %zu: %s", s->offset, why_text[s->sub]);
}

enum gp_code
jscan_feed(struct jscan *s, struct span piece, struct gp_error *err)
{
	const char *p = piece.p, *const end = piece.p + piece.n;

	while (p < end && s->state != ST_FAILED)
		p = scanners[s->state](s, p, end);
	s->offset += (size_t)(p - piece.p);
	return s->state == ST_FAILED ? report(s, err) : GP_OK;
}

bool
jscan_is_complete(const struct jscan *s)
{
	if (s->depth > 0)
		return false;
	return s->state == ST_AFTER || s->state == ST_ZERO ||
		s->state == ST_INT || s->state == ST_FRAC ||
		s->state == ST_EXP_DIGITS;
}

enum gp_code
jscan_end(struct jscan *s, struct gp_error *err)
{
	if (s->state == ST_FAILED)
		return report(s, err);
	if (jscan_is_complete(s))
		return GP_OK;
	s->state = ST_FAILED;
	s->sub = WHY_END;
	return report(s, err);
}

enum gp_code
jscan_text_bones(struct span text, uint32_t *tokens, struct jbones *bones,
	struct gp_error *err)
{
	struct jscan s;
	enum gp_code rc;

	jscan_init(&s);
	s.bones = bones;
	s.text = text.p;
	rc = jscan_feed(&s, text, err);
	if (rc == GP_OK)
		rc = jscan_end(&s, err);
	if (tokens != NULL)
		*tokens = s.tokens;
	return rc;
}

enum gp_code
jscan_text(struct span text, uint32_t *tokens, struct gp_error *err)
{
	return jscan_text_bones(text, tokens, NULL, err);
}
