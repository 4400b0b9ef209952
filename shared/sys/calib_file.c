/* SPDX-License-Identifier: MIT */
/* calib_file.c - what has been learned of token counts, as a file's text. */
#include "shared/sys/calib_file.h"

#include <inttypes.h>

#define HEAD     "glmproxy-calibration 1"

#define DECIMALS 6
#define MILLION  1000000u

void
calib_file_put_ratio(struct buf *out, uint32_t ratio)
{
	const uint64_t millionths =
		((uint64_t)ratio * MILLION + CALIB_ONE / 2) / CALIB_ONE;

	buf_printf(out, "%" PRIu64 ".%06" PRIu64, millionths / MILLION,
		millionths % MILLION);
}

bool
calib_file_print(const struct calib *c, struct buf *out)
{
	bool has_any = false;

	buf_puts(out, HEAD "\n");
	for (size_t i = 0; i < CALIB_ROWS; i++) {
		const struct calib_row *const row = &c->rows[i];
		struct span name;

		if (!calib_name(row, &name))
			continue;
		for (enum calib_way way = 0; way < CALIB_WAYS; way++) {
			const struct calib_ratio r = calib_get(row, way);

			if (r.samples == 0)
				continue;
			has_any = true;
			buf_printf(out, "%.*s\t%s\t", SPAN_ARG(name),
				calib_way_names[way]);
			calib_file_put_ratio(out, r.ratio);
			buf_printf(out, "\t%" PRIu32 "\n", r.samples);
		}
	}
	return has_any;
}

static bool
read_way(struct span word, enum calib_way *way)
{
	for (*way = 0; *way < CALIB_WAYS; (*way)++)
		if (span_eq(word, span_cstr(calib_way_names[*way])))
			return true;
	return false;
}

/* Rounded to the nearest, which is the ratio that was printed. */
static bool
read_ratio(struct span text, uint32_t *ratio)
{
	const size_t point = span_find_char(text, '.');
	const struct span decimals = span_from(text, point + 1);
	uint64_t whole;
	uint64_t part;

	if (point > 1 || decimals.n != DECIMALS ||
		!span_u64(span_head(text, point), &whole) ||
		!span_u64(decimals, &part))
		return false;
	*ratio = (uint32_t)(((whole * MILLION + part) * CALIB_ONE +
				    MILLION / 2) /
		MILLION);
	return *ratio >= CALIB_MIN && *ratio <= CALIB_MAX;
}

static bool
read_samples(struct span text, uint32_t *samples)
{
	uint64_t n;

	if (!span_u64(text, &n) || n == 0 || n > UINT32_MAX)
		return false;
	*samples = (uint32_t)n;
	return true;
}

static bool
restore_line(struct calib *c, struct span line)
{
	struct span fields[3];
	struct calib_ratio r;
	struct calib_row *row;
	enum calib_way way;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (!span_split(&line, '\t', &fields[i]))
			return false;
	if (!calib_is_name(fields[0]) || !read_way(fields[1], &way) ||
		!read_ratio(fields[2], &r.ratio) ||
		!read_samples(line, &r.samples))
		return false;
	row = calib_row(c, fields[0]);
	calib_restore(row, way, r);
	return row != NULL;
}

void
calib_file_restore(
	struct calib *c, struct span text, struct calib_file_report *report)
{
	bool is_known = false;
	struct span line;

	*report = (struct calib_file_report){ 0 };
	for (unsigned number = 1; text.n > 0; number++) {
		const size_t end = span_find_char(text, '\n');
		/* A last line without its end may be half of one. */
		const bool is_whole = end < text.n;
		bool ok;

		line = span_head(text, end);
		text = span_from(text, end + 1);
		if (number == 1)
			ok = is_known = is_whole && span_eq(line, SPAN(HEAD));
		else
			ok = is_known && is_whole && restore_line(c, line);
		if (ok)
			report->lines += number > 1;
		else if (report->ignored++ == 0)
			report->first = number;
	}
}
