/* SPDX-License-Identifier: MIT */
/* top_text.c - text for a terminal: clean, cut to a width, short numbers. */
#include "master/top_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <wchar.h>

#include "shared/base/utf8.h"

/* --- columns -------------------------------------------------------------- */

static uint32_t
decode(const char *p, unsigned n)
{
	uint32_t c = (uint8_t)*p & (0x7fu >> n);

	for (unsigned i = 1; i < n; i++)
		c = c << 6 | ((uint8_t)p[i] & 0x3f);
	return c;
}

struct glyph {
	unsigned bytes; /* of the text */
	int columns;
	bool is_shown; /* else a '?' stands for it, if columns is not 0 */
};

static struct glyph
glyph_at(const char *p, const char *end, bool is_utf8)
{
	const unsigned n = utf8_seq_len(p, end);
	int columns;

	if (n == 0)
		return (struct glyph){ 1, 1, *p >= ' ' && *p <= '~' };
	if (!is_utf8)
		return (struct glyph){ n, 1, false };
	columns = wcwidth((wchar_t)decode(p, n));
	if (columns < 0)
		return (struct glyph){ n, 1, false };
	/* Marks that turn the direction of the text take no column either: what
	 * stands behind them would be turned, too. */
	return (struct glyph){ n, columns, columns > 0 };
}

static int
columns_of(struct span s, bool is_utf8)
{
	const char *const end = s.p + s.n;
	int n = 0;

	for (const char *p = s.p; p < end;) {
		const struct glyph g = glyph_at(p, end, is_utf8);

		n += g.columns;
		p += g.bytes;
	}
	return n;
}

int
top_text_put(struct buf *out, struct span s, int width, bool is_utf8)
{
	const char *const end = s.p + s.n;
	const bool fits = columns_of(s, is_utf8) <= width;
	const int room = fits ? width : width - 1;
	int n = 0;

	if (width <= 0)
		return 0;
	for (const char *p = s.p; p < end;) {
		const struct glyph g = glyph_at(p, end, is_utf8);

		if (n + g.columns > room)
			break;
		if (g.is_shown)
			buf_put(out, span_of(p, g.bytes));
		else if (g.columns > 0)
			buf_putc(out, '?');
		n += g.columns;
		p += g.bytes;
	}
	if (!fits) {
		buf_putc(out, '~');
		n++;
	}
	return n;
}

void
top_text_cell(
	struct buf *out, struct span s, int width, bool is_right, bool is_utf8)
{
	const int pad = MAX(width - columns_of(s, is_utf8), 0);
	int n;

	if (is_right)
		buf_printf(out, "%*s", pad, "");
	n = top_text_put(out, s, width, is_utf8);
	/* A wide character that did not fit leaves a column. */
	if (!is_right || n + pad < width)
		buf_printf(
			out, "%*s", is_right ? width - n - pad : width - n, "");
}

/* --- numbers -------------------------------------------------------------- */

void
top_text_count(char out[TOP_TEXT_SHORT], double n)
{
	static const char units[] = "kMGT";
	size_t i = 0;

	if (n < 0) {
		(void)snprintf(out, TOP_TEXT_SHORT, "-");
		return;
	}
	if (n < 9999.5) {
		(void)snprintf(out, TOP_TEXT_SHORT, "%.*f",
			n < 9.95 && n > 0 ? 1 : 0, n);
		return;
	}
	for (n /= 1000; n >= 999.5 && i < sizeof(units) - 2; i++)
		n /= 1000;
	(void)snprintf(out, TOP_TEXT_SHORT, "%.*f%c", n < 99.95 ? 1 : 0,
		MIN(n, 99999), units[i]);
}

void
top_text_bytes(char out[TOP_TEXT_SHORT], double n)
{
	static const char units[] = "KMGT";
	size_t i = 0;

	if (n < 1023.5) {
		(void)snprintf(out, TOP_TEXT_SHORT, "%.0fB", MAX(n, 0));
		return;
	}
	for (n /= 1024; n >= 1023.5 && i < sizeof(units) - 2; i++)
		n /= 1024;
	(void)snprintf(out, TOP_TEXT_SHORT, "%.*f%c", n < 99.95 ? 1 : 0,
		MIN(n, 99999), units[i]);
}

void
top_text_time(char out[TOP_TEXT_SHORT], double ms)
{
	const int64_t s = ms < 9e15 ? (int64_t)(ms / 1000) : 0;

	if (ms < 0)
		(void)snprintf(out, TOP_TEXT_SHORT, "-");
	else if (ms < 999.5)
		(void)snprintf(out, TOP_TEXT_SHORT, "%.0f ms", ms);
	else if (s < 60)
		(void)snprintf(out, TOP_TEXT_SHORT, "%.1f s", ms / 1000);
	else if (s < 3600)
		(void)snprintf(out, TOP_TEXT_SHORT,
			"%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
	else if (s < 86400)
		(void)snprintf(out, TOP_TEXT_SHORT,
			"%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
	else
		(void)snprintf(out, TOP_TEXT_SHORT,
			"%" PRId64 "d%02" PRId64 "h", MIN(s / 86400, 99999),
			s / 3600 % 24);
}
