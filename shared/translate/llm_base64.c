/* SPDX-License-Identifier: MIT */
/* llm_base64.c - base64 as images carry it. spec: RFC 4648 sections 4, 5 */
#include "shared/translate/llm_base64.h"

#include "shared/base/check.h"

#define VALUE    0x3f
#define URL_SAFE 0x40 /* a value, but of the other alphabet */
#define BLANK    0x80
#define PAD      0x81
#define BAD      0x82

#define NO       BAD
#define SP       BLANK
#define EQ       PAD
#define U(value) (URL_SAFE | (value))

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* clang-format off */
static const uint8_t ascii[128] = {
	NO, NO, NO, NO, NO, NO, NO, NO, NO, SP, SP, NO, SP, SP, NO, NO,
	NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
	SP, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 62, NO, U(62), NO, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, EQ, NO, NO,
	NO, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, U(63),
	NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
};

/* clang-format on */

static uint8_t
value_of(char c)
{
	return (uint8_t)c < sizeof(ascii) ? ascii[(uint8_t)c] : BAD;
}

/* Without one or two characters of padding. */
static struct span
without_padding(struct span s)
{
	if (s.n > 0 && s.p[s.n - 1] == '=')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '=')
		s.n--;
	return s;
}

static bool
is_normal(struct span s)
{
	const struct span body = without_padding(s);
	uint8_t seen = 0;

	if (s.n % 4 != 0 || body.n == 0)
		return false;
	/* No early way out: the usual case is that all is well. */
	for (size_t i = 0; i < body.n; i++)
		seen |= value_of(body.p[i]);
	return seen <= VALUE;
}

/* Copy the values of s to out, in the standard alphabet, up to the padding.
 * Sets *len; false, with the position in *at, at a bad character. */
static bool
copy_values(struct span s, char *out, size_t *len, size_t *at)
{
	size_t n = 0, pads = 0, i;

	for (i = 0; i < s.n; i++) {
		const uint8_t v = value_of(s.p[i]);

		if (v == BLANK)
			continue;
		if (v == BAD || (v != PAD && pads > 0) ||
			(v == PAD && ++pads > 2))
			break;
		if (v != PAD)
			out[n++] = alphabet[v & VALUE];
	}
	*len = n;
	*at = i;
	return i == s.n;
}

enum gp_code
base64_normalise(
	struct arena *a, struct span s, struct span *out, struct gp_error *err)
{
	size_t n, at;
	char *p;

	if (is_normal(s)) {
		*out = s;
		return GP_OK;
	}
	p = arena_alloc(a, s.n + 2);
	if (!copy_values(s, p, &n, &at))
		return gp_fail(err, GP_E_SCHEMA,
			"the data is not base64: unexpected character "
			"at position %zu",
			at);
	if (n == 0)
		return gp_fail(err, GP_E_SCHEMA, "the base64 data is empty");
	if (n % 4 == 1)
		return gp_fail(err, GP_E_SCHEMA,
			"the data is not base64: it is cut off");
	while (n % 4 != 0)
		p[n++] = '=';
	*out = (struct span){ p, n };
	return GP_OK;
}

size_t
base64_len(struct span s)
{
	GP_ASSERT(s.n % 4 == 0);
	return s.n / 4 * 3 - (s.n - without_padding(s).n);
}

size_t
base64_read(struct span s, size_t from, uint8_t *out, size_t n)
{
	const size_t len = base64_len(s);

	if (from >= len)
		return 0;
	n = MIN(n, len - from);
	for (size_t i = 0; i < n; i++) {
		/* A byte is spread over two characters. */
		const size_t bit = (from + i) * 8;
		const char *const p = s.p + bit / 6;
		const unsigned two = (unsigned)(value_of(p[0]) & VALUE) << 6 |
			(value_of(p[1]) & VALUE);

		out[i] = (uint8_t)(two >> (4 - bit % 6));
	}
	return n;
}
