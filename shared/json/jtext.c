/* SPDX-License-Identifier: MIT */
/* jtext.c - conversion between bytes and the inside of a JSON string. */
#include "shared/json/jtext.h"

#include "shared/base/check.h"
#include "shared/base/swar.h"
#include "shared/base/utf8.h"

#define SHORT_ESCAPE   2 /* \n */
#define UNICODE_ESCAPE 6 /* \u000a */

static const char hex_digits[] = "0123456789abcdef";

static bool
needs_escape(char c)
{
	return (uint8_t)c < 0x20 || c == '"' || c == '\\';
}

/* Length of the prefix that can be copied as it is. */
static size_t
plain_len(struct span text)
{
	size_t i = 0;

	for (; text.n - i >= SWAR_BYTES; i += SWAR_BYTES) {
		const uint64_t w = swar_load(text.p + i);
		/* Bytes above 0x7f are no controls. */
		const uint64_t low = (w - SWAR_ALL(0x20)) & ~w & SWAR_TOP;

		if ((low | swar_equal(w, '"') | swar_equal(w, '\\')) != 0)
			break;
	}
	while (i < text.n && !needs_escape(text.p[i]))
		i++;
	return i;
}

/* Write the escape of c to out (UNICODE_ESCAPE bytes); returns its length. */
static size_t
escape_char(char c, char *out)
{
	static const char letters[0x20] = {
		['\b'] = 'b',
		['\f'] = 'f',
		['\n'] = 'n',
		['\r'] = 'r',
		['\t'] = 't',
	};
	const uint8_t u = (uint8_t)c;

	out[0] = '\\';
	if (u >= 0x20 || letters[u] != '\0') {
		out[1] = u >= 0x20 ? c : letters[u];
		return SHORT_ESCAPE;
	}
	out[1] = 'u';
	out[2] = '0';
	out[3] = '0';
	out[4] = hex_digits[u >> 4];
	out[5] = hex_digits[u & 0xf];
	return UNICODE_ESCAPE;
}

void
jtext_escape(struct span text, struct buf *out)
{
	for (;;) {
		const size_t plain = plain_len(text);
		char escape[UNICODE_ESCAPE];

		buf_put(out, span_head(text, plain));
		if (plain == text.n)
			return;
		buf_put(out,
			span_of(escape, escape_char(text.p[plain], escape)));
		text = span_from(text, plain + 1);
	}
}

struct jesc
jtext_escape_dup(struct arena *a, struct span text)
{
	char escape[UNICODE_ESCAPE];
	size_t n = 0, at = 0;
	char *out;

	if (plain_len(text) == text.n)
		return (struct jesc){ text };
	for (size_t i = 0; i < text.n; i++)
		n += needs_escape(text.p[i]) ? escape_char(text.p[i], escape) :
					       1;
	out = arena_alloc(a, n);
	for (size_t i = 0; i < text.n; i++) {
		if (needs_escape(text.p[i]))
			at += escape_char(text.p[i], out + at);
		else
			out[at++] = text.p[i];
	}
	return (struct jesc){ { out, n } };
}

static bool
has_escape(struct jesc e)
{
	return span_find_char(e.s, '\\') < e.s.n;
}

static uint32_t
hex4(const char *p)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++) {
		const uint32_t c = (uint8_t)p[i];

		v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v;
}

static bool
is_unicode_escape(struct span s)
{
	return s.n >= UNICODE_ESCAPE && s.p[0] == '\\' && s.p[1] == 'u';
}

/* Decode the escape at the front of *s and drop it from there. A lone
 * surrogate is returned as such. */
static uint32_t
take_escape(struct span *s)
{
	static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	const char *letter;
	uint32_t c, low;

	GP_ASSERT(s->n >= SHORT_ESCAPE);
	if (!is_unicode_escape(*s)) {
		const char c1 = s->p[1];

		letter = memchr(letters, c1, sizeof(letters) - 1);
		*s = span_from(*s, SHORT_ESCAPE);
		return (uint8_t)(letter == NULL ? c1 :
						  meanings[letter - letters]);
	}
	c = hex4(s->p + 2);
	*s = span_from(*s, UNICODE_ESCAPE);
	if (c < 0xd800 || c > 0xdbff || !is_unicode_escape(*s))
		return c;
	low = hex4(s->p + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return c;
	*s = span_from(*s, UNICODE_ESCAPE);
	return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

static size_t
utf8_len(uint32_t c)
{
	/* A lone surrogate becomes U+FFFD, of three bytes as well. */
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

void
jtext_unescape(struct jesc e, struct buf *out)
{
	struct span s = e.s;

	for (;;) {
		const size_t plain = span_find_char(s, '\\');

		buf_put(out, span_head(s, plain));
		s = span_from(s, plain);
		if (s.n == 0)
			return;
		utf8_put(out, take_escape(&s));
	}
}

size_t
jesc_decoded_len(struct jesc e)
{
	struct span s = e.s;
	size_t n = 0;

	for (;;) {
		const size_t plain = span_find_char(s, '\\');

		n += plain;
		s = span_from(s, plain);
		if (s.n == 0)
			return n;
		n += utf8_len(take_escape(&s));
	}
}

struct span
jtext_unescape_dup(struct arena *a, struct jesc e)
{
	size_t n;
	struct buf out;

	if (!has_escape(e))
		return e.s;
	n = jesc_decoded_len(e);
	/* Memory of the right size: the buf never grows. */
	buf_init(&out, n);
	out.data = arena_alloc(a, MAX(n, 1));
	out.cap = n;
	jtext_unescape(e, &out);
	GP_ASSERT(!out.bad && out.len == n);
	return (struct span){ out.data, n };
}

/* Reads the meant bytes one by one. */
struct reader {
	struct span rest;
	struct buf seq; /* what is left of a decoded escape */
	char bytes[4];
};

static void
reader_init(struct reader *r, struct jesc e)
{
	r->rest = e.s;
	buf_init(&r->seq, sizeof(r->bytes));
	r->seq.data = r->bytes;
	r->seq.cap = sizeof(r->bytes);
}

/* -1 at the end. */
static int
reader_next(struct reader *r)
{
	uint8_t c;

	if (buf_len(&r->seq) == 0) {
		if (r->rest.n == 0)
			return -1;
		if (r->rest.p[0] != '\\') {
			c = (uint8_t)r->rest.p[0];
			r->rest = span_from(r->rest, 1);
			return c;
		}
		utf8_put(&r->seq, take_escape(&r->rest));
	}
	c = (uint8_t)buf_span(&r->seq).p[0];
	buf_consume(&r->seq, 1);
	return c;
}

int
jesc_cmp(struct jesc a, struct jesc b)
{
	struct reader ra, rb;
	int ca, cb;

	if (!has_escape(a) && !has_escape(b)) {
		ca = memcmp(a.s.p, b.s.p, MIN(a.s.n, b.s.n));
		return ca != 0 ? ca : (a.s.n > b.s.n) - (a.s.n < b.s.n);
	}
	reader_init(&ra, a);
	reader_init(&rb, b);
	do {
		ca = reader_next(&ra);
		cb = reader_next(&rb);
	} while (ca == cb && ca >= 0);
	return ca - cb;
}

bool
jesc_eq(struct jesc e, struct span text)
{
	const size_t both = MIN(e.s.n, text.n);
	struct reader r;
	size_t i = 0;

	/* Mostly keys that differ in their first letter. */
	while (i < both && e.s.p[i] == text.p[i] && e.s.p[i] != '\\')
		i++;
	if (i == e.s.n || e.s.p[i] != '\\')
		return i == e.s.n && i == text.n;
	reader_init(&r, (struct jesc){ span_from(e.s, i) });
	for (; i < text.n; i++) {
		if (reader_next(&r) != (uint8_t)text.p[i])
			return false;
	}
	return reader_next(&r) < 0;
}

bool
jesc_is_blank(struct jesc e)
{
	struct reader r;
	int c;

	reader_init(&r, e);
	do
		c = reader_next(&r);
	while (c == ' ' || c == '\t' || c == '\r' || c == '\n');
	return c < 0;
}

bool
jesc_ends_in_high_surrogate(struct jesc e)
{
	const struct span s = e.s;
	size_t backslashes = 0;
	const char *p;

	if (s.n < UNICODE_ESCAPE)
		return false;
	p = s.p + s.n - UNICODE_ESCAPE;
	if (!is_unicode_escape(span_of(p, UNICODE_ESCAPE)))
		return false;
	/* The backslash may itself be an escaped one. */
	while (p - s.p > (ptrdiff_t)backslashes &&
		p[-1 - (ptrdiff_t)backslashes] == '\\')
		backslashes++;
	if (backslashes % 2 != 0)
		return false;
	for (unsigned i = 2; i < UNICODE_ESCAPE; i++) {
		const char c = p[i];

		if ((c < '0' || c > '9') &&
			((c | 0x20) < 'a' || (c | 0x20) > 'f'))
			return false;
	}
	return (hex4(p + 2) & 0xfc00) == 0xd800;
}
