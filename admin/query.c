/* SPDX-License-Identifier: MIT */
/* query.c - the query of a URL, taken strictly. */
#include "admin/query.h"

#include <inttypes.h>

#include "shared/base/utf8.h"

#define NAME_SHOWN_MAX 40

/* --- decoding ------------------------------------------------------------- */

static int
hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

static bool
is_text(struct span s)
{
	if (utf8_valid_len(s) != s.n)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

/* What s means, at *to, which moves on; it never gets longer. False if it is
 * no text. */
static bool
decode(struct span s, char **to, struct span *out)
{
	char *const begin = *to;
	char *p = begin;

	for (size_t i = 0; i < s.n; i++) {
		int high, low;

		if (s.p[i] != '%') {
			*p++ = s.p[i] == '+' ? ' ' : s.p[i];
			continue;
		}
		if (s.n - i <= 2)
			return false;
		high = hex_of(s.p[i + 1]);
		low = hex_of(s.p[i + 2]);
		if (high < 0 || low < 0)
			return false;
		*p++ = (char)(high << 4 | low);
		i += 2;
	}
	*to = p;
	*out = span_of(begin, (size_t)(p - begin));
	return is_text(*out);
}

/* --- reading -------------------------------------------------------------- */

static const struct query_param *
find(const struct query *q, struct span name)
{
	for (size_t i = 0; i < q->n; i++)
		if (span_eq(q->params[i].name, name))
			return &q->params[i];
	return NULL;
}

static enum gp_code
take_param(struct query *q, struct span text, char **room, struct gp_error *err)
{
	const size_t equals = span_find_char(text, '=');
	struct query_param p;

	if (q->n == QUERY_PARAMS_MAX)
		return gp_fail(err, GP_E_SYNTAX,
			"there are more than %d parameters", QUERY_PARAMS_MAX);
	if (equals == 0 || equals == text.n)
		return gp_fail(err, GP_E_SYNTAX,
			"a parameter is written name=value; parameters are "
			"parted by one &");
	if (!decode(span_head(text, equals), room, &p.name) ||
		!decode(span_from(text, equals + 1), room, &p.value))
		return gp_fail(err, GP_E_SYNTAX,
			"names and values of parameters are UTF-8 without "
			"control characters; a %% needs two hexadecimal digits "
			"behind it");
	if (find(q, p.name) != NULL)
		return gp_fail(err, GP_E_SYNTAX, "%.*s is given twice",
			SPAN_ARG(span_head(p.name, NAME_SHOWN_MAX)));
	q->params[q->n++] = p;
	return GP_OK;
}

enum gp_code
query_parse(struct query *out, struct span text, struct gp_error *err)
{
	enum gp_code rc = GP_OK;
	/* cppcheck-suppress ctuuninitvar ; it is the address of an array */
	char *room = out->room;

	out->n = 0;
	if (text.n > QUERY_BYTES_MAX)
		return gp_fail(err, GP_E_SYNTAX,
			"the query is longer than %d bytes", QUERY_BYTES_MAX);
	if (text.n == 0)
		return GP_OK;
	while (rc == GP_OK) {
		const size_t n = span_find_char(text, '&');

		rc = take_param(out, span_head(text, n), &room, err);
		if (n == text.n)
			break;
		text = span_from(text, n + 1);
	}
	return rc;
}

/* --- what is asked of it -------------------------------------------------- */

/* The position of a word in a list that is parted by blanks; -1: it has none.
 */
static int
find_word(const char *words, struct span word)
{
	struct span rest = span_cstr(words);
	struct span one;

	for (int i = 0; span_split(&rest, ' ', &one); i++)
		if (span_eq(one, word))
			return i;
	return -1;
}

enum gp_code
query_check(const struct query *q, const char *names, struct gp_error *err)
{
	for (size_t i = 0; i < q->n; i++) {
		const struct span name = q->params[i].name;

		if (find_word(names, name) >= 0)
			continue;
		if (names[0] == '\0')
			return gp_fail(err, GP_E_SCHEMA,
				"there is no parameter %.*s here: none is "
				"taken",
				SPAN_ARG(span_head(name, NAME_SHOWN_MAX)));
		return gp_fail(err, GP_E_SCHEMA,
			"there is no parameter %.*s here; there are: %s",
			SPAN_ARG(span_head(name, NAME_SHOWN_MAX)), names);
	}
	return GP_OK;
}

bool
query_get(const struct query *q, const char *name, struct span *value)
{
	const struct query_param *const p = find(q, span_cstr(name));

	if (p != NULL)
		*value = p->value;
	return p != NULL;
}

enum gp_code
query_text(const struct query *q, const char *name, size_t most,
	struct span *out, struct gp_error *err)
{
	struct span value;

	if (!query_get(q, name, &value))
		return GP_OK;
	if (value.n > most)
		return gp_fail(err, GP_E_SCHEMA,
			"%s takes a text of at most %zu bytes", name, most);
	*out = value;
	return GP_OK;
}

enum gp_code
query_number(const struct query *q, const char *name, int64_t least,
	int64_t most, int64_t *out, struct gp_error *err)
{
	struct span value;
	bool is_negative;
	uint64_t n;

	if (!query_get(q, name, &value))
		return GP_OK;
	is_negative = span_starts(value, SPAN("-"));
	if (!span_u64(span_from(value, is_negative), &n) || n > INT64_MAX ||
		(is_negative ? -(int64_t)n : (int64_t)n) < least ||
		(is_negative ? -(int64_t)n : (int64_t)n) > most)
		return gp_fail(err, GP_E_SCHEMA,
			"%s takes a number from %" PRId64 " to %" PRId64, name,
			least, most);
	*out = is_negative ? -(int64_t)n : (int64_t)n;
	return GP_OK;
}

enum gp_code
query_word(const struct query *q, const char *name, const char *words, int *out,
	struct gp_error *err)
{
	struct span value;
	int at;

	if (!query_get(q, name, &value))
		return GP_OK;
	at = find_word(words, value);
	if (at < 0)
		return gp_fail(
			err, GP_E_SCHEMA, "%s is one of: %s", name, words);
	*out = at;
	return GP_OK;
}
