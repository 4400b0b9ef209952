/* SPDX-License-Identifier: MIT */
/* conf_parse.c - the syntax of the configuration file and of its values. */
#include "shared/sys/conf_parse.h"

#include <stdio.h>

#define MIB ((int64_t)1 << 20)

/* --- lines ---------------------------------------------------------------- */

/* A '#' at the start or after a blank begins a comment. */
static struct span
without_comment(struct span line)
{
	for (size_t i = 0; i < line.n; i++) {
		const char before = i > 0 ? line.p[i - 1] : ' ';

		if (line.p[i] == '#' && (before == ' ' || before == '\t'))
			return span_head(line, i);
	}
	return line;
}

static bool
has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') ||
			s.p[i] == 0x7f)
			return true;
	return false;
}

static enum gp_code
one_line(struct span line, const char *file, unsigned number, conf_line_fn *fn,
	void *arg, struct gp_error *err)
{
	const struct span all = span_trim(without_comment(span_rtrim(line)));
	const size_t equals = span_find_char(all, '=');
	const struct span key = span_trim(span_head(all, equals));

	if (has_control(all))
		return gp_fail(err, GP_E_SYNTAX,
			"%s:%u: control characters are not allowed", file,
			number);
	if (all.n == 0)
		return GP_OK;
	/* The line is not quoted: it may be a key that lost its name. */
	if (equals == all.n || key.n == 0)
		return gp_fail(err, GP_E_SYNTAX,
			"%s:%u: not a line of the form key = value", file,
			number);
	return fn(arg, number, key, span_trim(span_from(all, equals + 1)), err);
}

enum gp_code
conf_lines(struct span text, const char *file, conf_line_fn *fn, void *arg,
	struct gp_error *err)
{
	const struct span bom = SPAN("\xef\xbb\xbf");
	struct span line;

	if (span_starts(text, bom))
		text = span_from(text, bom.n);
	for (unsigned n = 1; span_split(&text, '\n', &line); n++) {
		const enum gp_code rc = one_line(line, file, n, fn, arg, err);

		if (rc != GP_OK)
			return rc;
	}
	return GP_OK;
}

bool
conf_model_split(struct span key, struct span *name, struct span *last)
{
	const struct span prefix = SPAN("model.");
	struct span rest;
	size_t dot;

	if (!span_starts(key, prefix))
		return false;
	rest = span_from(key, prefix.n);
	/* The name itself may hold dots: glm-4.6. */
	for (dot = rest.n; dot > 0; dot--)
		if (rest.p[dot - 1] == '.')
			break;
	if (dot < 2)
		return false;
	*name = span_head(rest, dot - 1);
	*last = span_from(rest, dot);
	return true;
}

/* --- values --------------------------------------------------------------- */

static bool
parse_bool(struct span text, int64_t *out)
{
	static const char *const words[][2] = { { "false", "true" },
		{ "no", "yes" }, { "off", "on" }, { "0", "1" } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		for (int v = 0; v < 2; v++)
			if (span_ieq(text, span_cstr(words[i][v]))) {
				*out = v;
				return true;
			}
	return false;
}

struct span
conf_enum_text(const char *choices, int v)
{
	struct span rest = span_cstr(choices);
	struct span choice = SPAN_EMPTY;

	for (int i = 0; i <= v; i++)
		if (!span_split(&rest, '|', &choice))
			return SPAN_EMPTY;
	return choice;
}

static bool
find_choice(const char *choices, struct span text, int64_t *out)
{
	struct span rest = span_cstr(choices);
	struct span choice;

	for (int64_t i = 0; span_split(&rest, '|', &choice); i++)
		if (span_ieq(choice, text)) {
			*out = i;
			return true;
		}
	return false;
}

static bool
parse_enum(const char *choices, struct span text, int64_t *out)
{
	int64_t v;

	if (find_choice(choices, text, out))
		return true;
	/* A choice between true, false and more takes the other spellings of
	 * a BOOL too. */
	return parse_bool(text, &v) &&
		find_choice(choices, v ? SPAN("true") : SPAN("false"), out);
}

/* "1.25" in thousandths; digits past the third are dropped. */
static bool
parse_seconds(struct span text, int64_t *out)
{
	const size_t dot = span_find_char(text, '.');
	const struct span fraction = span_from(text, dot + 1);
	uint64_t whole;
	uint64_t thousandths = 0;

	if (!span_u64(span_head(text, dot), &whole))
		return false;
	if (dot < text.n && fraction.n == 0)
		return false;
	for (size_t i = 0; i < fraction.n; i++)
		if (fraction.p[i] < '0' || fraction.p[i] > '9')
			return false;
	for (size_t i = 0; i < 3; i++)
		thousandths = thousandths * 10 +
			(i < fraction.n ? (uint64_t)(fraction.p[i] - '0') : 0);
	whole = MIN(whole, (uint64_t)INT64_MAX / 2000);
	*out = (int64_t)(whole * 1000 + thousandths);
	return true;
}

static bool
parse_number(const struct conf_row *row, struct span text, int64_t *out)
{
	const uint64_t scale = row->type == CONF_MIB ? (uint64_t)MIB : 1;
	uint64_t v;

	if (row->type == CONF_SECONDS)
		return parse_seconds(text, out);
	if (!span_u64(text, &v))
		return false;
	/* What is too large for the product is too large for any range. */
	v = MIN(v, (uint64_t)INT64_MAX / scale);
	*out = (int64_t)(v * scale);
	return true;
}

static const char *
unit_name(const struct conf_row *row)
{
	if (row->type == CONF_SECONDS)
		return "a number of seconds";
	if (row->type == CONF_MIB)
		return "a whole number of MiB";
	return "a whole number";
}

static void
range_text(const struct conf_row *row, int64_t v, char out[32])
{
	if (row->type == CONF_SECONDS && v % 1000 != 0)
		(void)snprintf(out, 32, "%.3g", (double)v / 1000);
	else if (row->type == CONF_SECONDS)
		(void)snprintf(out, 32, "%lld", (long long)(v / 1000));
	else if (row->type == CONF_MIB)
		(void)snprintf(out, 32, "%lld", (long long)(v / MIB));
	else
		(void)snprintf(out, 32, "%lld", (long long)v);
}

static enum gp_code
number_value(const struct conf_row *row, struct span text, int64_t *out,
	struct gp_error *err)
{
	const bool takes_auto = strcmp(row->dflt, "auto") == 0;
	const struct span a = SPAN("auto");
	char min[32];
	char max[32];

	if (takes_auto && span_ieq(text, a)) {
		*out = CONF_AUTO;
		return GP_OK;
	}
	if (parse_number(row, text, out) && *out >= row->min &&
		*out <= row->max)
		return GP_OK;
	range_text(row, row->min, min);
	range_text(row, row->max, max);
	return gp_fail(err, GP_E_SCHEMA, "must be %s%s from %s to %s",
		takes_auto ? "auto or " : "", unit_name(row), min, max);
}

static enum gp_code
enum_value(const struct conf_row *row, struct span text, int64_t *out,
	struct gp_error *err)
{
	char choices[128];

	if (parse_enum(row->choices, text, out))
		return GP_OK;
	(void)snprintf(choices, sizeof(choices), "%s", row->choices);
	for (char *c = choices; *c != '\0'; c++)
		if (*c == '|')
			*c = ' ';
	return gp_fail(err, GP_E_SCHEMA, "must be one of: %s", choices);
}

enum gp_code
conf_value(const struct conf_row *row, struct span text, struct conf_value *out,
	struct gp_error *err)
{
	*out = (struct conf_value){ .text = SPAN_EMPTY };
	switch (row->type) {
	case CONF_BOOL:
		if (parse_bool(text, &out->number))
			return GP_OK;
		return gp_fail(err, GP_E_SCHEMA,
			"must be true or false (or yes, no, on, off, 1, 0)");
	case CONF_INT:
	case CONF_SECONDS:
	case CONF_MIB:
		return number_value(row, text, &out->number, err);
	case CONF_ENUM:
		return enum_value(row, text, &out->number, err);
	case CONF_TEXT:
		break;
	}
	if (has_control(text))
		return gp_fail(
			err, GP_E_SCHEMA, "must not hold control characters");
	out->text = text;
	return GP_OK;
}
