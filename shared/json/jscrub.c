/* SPDX-License-Identifier: MIT */
/* jscrub.c - text with keys and images cut out, as it may be logged. */
#include "shared/json/jscrub.h"

#define GAP_MAX     6  /* bytes between a name and its value in plain text */
#define VALUE_LEAST 8  /* bytes that such a value has at least */
#define HEX_KEY     32 /* digits before the dot of a key */
/* From so many bytes on the begin of a key is worth hiding. */
#define HEX_BEGIN    24
#define SECRET_BEGIN 4

/* --- what looks like a key ------------------------------------------------ */

/* A name, in small letters and digits only. */
static bool
is_secret_name(struct span name)
{
	static const struct span ends[] = { SPAN_INIT("key"),
		SPAN_INIT("token"), SPAN_INIT("secret"), SPAN_INIT("password"),
		SPAN_INIT("passwd"), SPAN_INIT("passphrase"),
		SPAN_INIT("authorization"), SPAN_INIT("credential"),
		SPAN_INIT("cookie"),
		/* Lists of them. */
		SPAN_INIT("keys"), SPAN_INIT("secrets"), SPAN_INIT("passwords"),
		SPAN_INIT("credentials"), SPAN_INIT("cookies"),
		SPAN_INIT("accesstokens"), SPAN_INIT("authtokens") };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (name.n >= ends[i].n &&
			name.p[name.n - 1] == ends[i].p[ends[i].n - 1] &&
			span_ends(name, ends[i]))
			return true;
	return false;
}

static bool
is_bulk_name(struct span name)
{
	return span_eq(name, SPAN("data")) || span_eq(name, SPAN("b64json")) ||
		span_eq(name, SPAN("base64"));
}

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		(c >= 'A' && c <= 'Z');
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
		(c >= 'A' && c <= 'F');
}

static char
small(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* 32 hexadecimal digits, a dot, and more behind it. */
static bool
has_dotted_key(struct span s)
{
	size_t run = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && run >= HEX_KEY && s.n - i > 8)
			return true;
		run = is_hex(s.p[i]) ? run + 1 : 0;
	}
	return false;
}

static bool
has_hex(struct span s, size_t least)
{
	size_t run = 0;

	for (size_t i = 0; i < s.n && run < least; i++)
		run = is_hex(s.p[i]) ? run + 1 : 0;
	return run >= least;
}

/* Slashes may be escaped. */
static struct span
plain_of(struct span word, char room[JSCRUB_WORD_MAX])
{
	size_t n = 0;

	if (span_find_char(word, '\\') == word.n)
		return word;
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] != '\\')
			room[n++] = word.p[i];
	return span_of(room, n);
}

static bool
looks_like_key(const struct jscrub *s, struct span word)
{
	char room[JSCRUB_WORD_MAX];

	if (word.n < JSCRUB_SECRET_LEAST)
		return false;
	word = plain_of(word, room);
	if (span_istarts(word, SPAN("sk-")) && word.n >= 20)
		return true;
	if (has_dotted_key(word))
		return true;
	for (size_t i = 0; i < s->nsecrets; i++)
		if (word.n >= s->secrets[i].n &&
			span_find(word, s->secrets[i]) < word.n)
			return true;
	return false;
}

/* It would have, if the text went on. */
static bool
may_become_key(const struct jscrub *s, struct span word)
{
	char room[JSCRUB_WORD_MAX];

	word = plain_of(word, room);
	if (span_istarts(word, SPAN("sk-")) && word.n >= VALUE_LEAST)
		return true;
	if (has_hex(word, HEX_BEGIN))
		return true;
	for (size_t i = 0; i < s->nsecrets; i++)
		for (size_t n = MIN(word.n, s->secrets[i].n); n >= SECRET_BEGIN;
			n--)
			if (span_ends(word, span_head(s->secrets[i], n)))
				return true;
	return false;
}

/* --- words ---------------------------------------------------------------- */

void
jscrub_init(struct jscrub *s, const struct span *secrets, size_t n)
{
	*s = (struct jscrub){ .state = JSCRUB_TEXT };
	for (int c = 0; c < 128; c++)
		s->is_word[c] = is_alnum((char)c) ||
			(c != 0 && strchr("+/=._~-", c) != NULL);
	/* A secret is one word, whatever it is made of. */
	for (size_t i = 0; i < n && s->nsecrets < JSCRUB_SECRETS_MAX; i++) {
		if (secrets[i].n < JSCRUB_SECRET_LEAST)
			continue;
		s->secrets[s->nsecrets++] = secrets[i];
		for (size_t k = 0; k < secrets[i].n; k++)
			s->is_word[(uint8_t)secrets[i].p[k]] = true;
	}
	s->is_word['"'] = s->is_word['\\'] = false;
}

static void
mark_cut(struct buf *out, uint64_t bytes)
{
	buf_puts(out, "[");
	buf_put_u64(out, bytes);
	buf_puts(out, " bytes cut]");
}

/* Its letters and digits, small: the last ones, if there are many. */
static struct span
name_of(struct span word, char room[JSCRUB_NAME_MAX])
{
	size_t at = JSCRUB_NAME_MAX;

	for (size_t i = word.n; i > 0 && at > 0; i--)
		if (is_alnum(word.p[i - 1]))
			room[--at] = small(word.p[i - 1]);
	return span_of(room + at, JSCRUB_NAME_MAX - at);
}

/* "Authorization: Basic ..." */
static bool
is_scheme(struct span name)
{
	return span_eq(name, SPAN("basic")) || span_eq(name, SPAN("token")) ||
		span_eq(name, SPAN("apikey"));
}

/* What a value behind it in plain text would be. */
static void
remember_word(struct jscrub *s, struct span word)
{
	const bool was_named = s->after_name && s->has_sign && s->gap > 0;
	const char last = word.n > 0 ? word.p[word.n - 1] : ' ';
	char room[JSCRUB_NAME_MAX];
	const struct span name = name_of(word, room);

	s->after_name = is_secret_name(name);
	s->after_scheme =
		span_eq(name, SPAN("bearer")) || (was_named && is_scheme(name));
	s->has_sign = last == ':' || last == '=';
	s->gap = 0;
}

/* Where a value begins in "api_key=value"; word.n if nowhere. */
static size_t
value_in(struct span word)
{
	const size_t at = span_find_char(word, '=');
	char room[JSCRUB_NAME_MAX];

	if (word.n - at < 1 + VALUE_LEAST)
		return word.n;
	return is_secret_name(name_of(span_head(word, at), room)) ? at + 1 :
								    word.n;
}

static void
end_word(struct jscrub *s, struct buf *out)
{
	const struct span word =
		span_of(s->word, (size_t)MIN(s->word_n, JSCRUB_WORD_MAX));
	const bool is_value = word.n >= VALUE_LEAST && s->gap > 0 &&
		((s->after_name && s->has_sign) || s->after_scheme);
	const size_t value = value_in(word);

	if (s->word_n == 0)
		return;
	if (s->word_n > JSCRUB_WORD_MAX)
		mark_cut(out, s->word_n);
	else if (is_value || looks_like_key(s, word))
		buf_puts(out, "[cut]");
	else
		buf_put(out, span_head(word, value));
	if (s->word_n <= JSCRUB_WORD_MAX && value < word.n && !is_value &&
		!looks_like_key(s, word))
		buf_puts(out, "[cut]");
	remember_word(s, word);
	s->word_n = 0;
}

static void
add_to_word(struct jscrub *s, char c)
{
	if (s->word_n < JSCRUB_WORD_MAX)
		s->word[s->word_n] = c;
	s->word_n++;
}

static void
show_outside(struct jscrub *s, char c, struct buf *out)
{
	end_word(s, out);
	s->has_sign = s->has_sign || c == ':' || c == '=';
	if (++s->gap > GAP_MAX)
		s->after_name = s->after_scheme = false;
	buf_putc(out, c);
}

/* The backslashes behind a word: they are part of it before a slash. */
static void
release_backslashes(struct jscrub *s, bool is_in_word, struct buf *out)
{
	for (; s->held > 0; s->held--) {
		if (is_in_word)
			add_to_word(s, '\\');
		else
			show_outside(s, '\\', out);
	}
}

/* A byte that is to be seen, unless its word is not. */
static void
show(struct jscrub *s, char c, struct buf *out)
{
	if (c == '\\' && s->word_n > 0) {
		s->held++;
		return;
	}
	release_backslashes(s, c == '/', out);
	if (s->is_word[(uint8_t)c])
		add_to_word(s, c);
	else
		show_outside(s, c, out);
}

/* --- strings -------------------------------------------------------------- */

/* Strings inside of strings have 1, 3, 7, ... backslashes before their quotes;
 * two more belong to an escaped backslash. */
static unsigned
level_of(unsigned backslashes)
{
	unsigned level = 0;

	for (; (backslashes & 1) != 0 && level < 8; backslashes >>= 1)
		level++;
	return level;
}

static void
begin_string(struct jscrub *s, unsigned level)
{
	s->string_level = level;
	s->is_name = true;
	s->name_n = 0;
	s->url_at = s->base64_at = 0;
}

static void
begin_cut(struct jscrub *s, unsigned level)
{
	s->state = JSCRUB_CUT;
	s->level = level;
	s->cut = 0;
}

static void
end_cut(struct jscrub *s, uint64_t bytes, struct buf *out)
{
	if (s->is_bulk && bytes > 0)
		mark_cut(out, bytes);
	else if (bytes > 0)
		buf_puts(out, "[cut]");
	s->state = s->in_list ? JSCRUB_LIST : JSCRUB_TEXT;
}

/* What the string says, as far as it matters. */
static void
note_string(struct jscrub *s, char c)
{
	static const struct span url = SPAN_INIT("data:");
	static const struct span base64 = SPAN_INIT("base64,");

	/* Most of a text is neither. */
	if (!s->is_name && s->url_at > url.n)
		return;
	if (is_alnum(c))
		s->name[s->name_n++ % JSCRUB_NAME_MAX] = small(c);
	else if (c != '-' && c != '_' && c != '\\')
		s->is_name = false;
	if (s->url_at < url.n)
		s->url_at = small(c) == url.p[s->url_at] ? s->url_at + 1 :
							   url.n + 1;
	if (s->url_at != url.n)
		return;
	s->base64_at = small(c) == base64.p[s->base64_at] ? s->base64_at + 1 :
		small(c) == base64.p[0]                   ? 1 :
							    0;
	if (s->base64_at < base64.n)
		return;
	s->is_bulk = true;
	begin_cut(s, s->string_level);
}

/* What the last string was, if it may be a name: its end. */
static struct span
string_name(const struct jscrub *s, char room[JSCRUB_NAME_MAX])
{
	const size_t n = (size_t)MIN(s->name_n, JSCRUB_NAME_MAX);

	if (!s->is_name)
		return SPAN_EMPTY;
	for (size_t i = 0; i < n; i++)
		room[i] = s->name[(s->name_n - n + i) % JSCRUB_NAME_MAX];
	return span_of(room, n);
}

static void
on_quote(struct jscrub *s, struct buf *out)
{
	const unsigned level = level_of(s->backslashes);
	const unsigned own = (1u << level) - 1;
	char room[JSCRUB_NAME_MAX];
	struct span name;

	if (s->state == JSCRUB_CUT) {
		if (level > s->level) {
			s->cut++;
			return;
		}
		/* The backslashes of the quote have been taken for a part of
		 * the value. */
		end_cut(s, s->cut - MIN(s->cut, own), out);
		for (unsigned i = 0; i < own; i++)
			show(s, '\\', out);
		show(s, '"', out);
		begin_string(s, level);
		return;
	}
	show(s, '"', out);
	if (s->state == JSCRUB_VALUE || s->state == JSCRUB_LIST) {
		begin_cut(s, level);
		return;
	}
	name = string_name(s, room);
	s->is_bulk = is_bulk_name(name);
	s->in_list = false;
	s->state =
		s->is_bulk || is_secret_name(name) ? JSCRUB_NAMED : JSCRUB_TEXT;
	begin_string(s, level);
}

/* --- bytes ---------------------------------------------------------------- */

static bool
is_blank(const struct jscrub *s, char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\\' ||
		(s->backslashes % 2 == 1 && (c == 'n' || c == 'r' || c == 't'));
}

static void
on_byte(struct jscrub *s, char c, struct buf *out)
{
	if (s->state == JSCRUB_CUT) {
		if (c != '\n') {
			s->cut++;
			return;
		}
		/* No string goes on behind it: this one was broken off. */
		s->in_list = false;
		end_cut(s, s->cut, out);
	} else if (s->state == JSCRUB_NAMED && !is_blank(s, c)) {
		s->state = c == ':' ? JSCRUB_VALUE : JSCRUB_TEXT;
	} else if (s->state == JSCRUB_VALUE && !is_blank(s, c)) {
		s->in_list = c == '[';
		s->state = s->in_list ? JSCRUB_LIST : JSCRUB_TEXT;
	} else if (s->state == JSCRUB_LIST && (c == ']' || c == '{')) {
		s->in_list = false;
		s->state = JSCRUB_TEXT;
	}
	show(s, c, out);
	note_string(s, c);
}

/* Most of what is cut is images: how much goes at once. */
static size_t
skip_cut(struct jscrub *s, struct span bytes)
{
	size_t n = 0;

	while (n < bytes.n && bytes.p[n] != '"' && bytes.p[n] != '\n' &&
		bytes.p[n] != '\\')
		n++;
	if (n > 0)
		s->backslashes = 0;
	s->cut += n;
	return n;
}

void
jscrub_feed(struct jscrub *s, struct span bytes, struct buf *out)
{
	for (size_t i = 0; i < bytes.n; i++) {
		char c;

		if (s->state == JSCRUB_CUT)
			i += skip_cut(s, span_from(bytes, i));
		if (i == bytes.n)
			break;
		c = bytes.p[i];
		if (c == '"')
			on_quote(s, out);
		else
			on_byte(s, c, out);
		s->backslashes = c == '\\' ? s->backslashes + 1 : 0;
	}
}

void
jscrub_end(struct jscrub *s, struct buf *out)
{
	const struct span word =
		span_of(s->word, (size_t)MIN(s->word_n, JSCRUB_WORD_MAX));

	if (s->state == JSCRUB_CUT)
		end_cut(s, s->cut, out);
	if (s->word_n <= JSCRUB_WORD_MAX && may_become_key(s, word)) {
		buf_puts(out, "[cut]");
		s->word_n = 0;
	}
	end_word(s, out);
	release_backslashes(s, false, out);
}
