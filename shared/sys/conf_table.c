/* SPDX-License-Identifier: MIT */
/* conf_table.c - conf.def as a table, and the search in it. */
#include "shared/base/check.h"
#include "shared/sys/conf_parse.h"

/* Bounds in the unit of the field; ENUM has its choices in their place. */
#define CHOICES_BOOL(min)    ""
#define CHOICES_INT(min)     ""
#define CHOICES_SECONDS(min) ""
#define CHOICES_MIB(min)     ""
#define CHOICES_TEXT(min)    ""
#define CHOICES_ENUM(min)    min
#define BOUND_BOOL(v)        0
#define BOUND_INT(v)         (v)
#define BOUND_SECONDS(v)     ((int64_t)((v)*1000.0 + 0.5))
#define BOUND_MIB(v)         ((int64_t)(v) << 20)
#define BOUND_TEXT(v)        0
#define BOUND_ENUM(v)        0

const struct conf_row conf_rows[] = {
#define CONF(type, field, key, bare, dflt, min, max, flags, help)              \
	{ CONF_##type, flags, key, bare, dflt, CHOICES_##type(min),            \
		BOUND_##type(min), BOUND_##type(max), help,                    \
		offsetof(struct conf, field) },
#include "shared/sys/conf.def"
#undef CONF
};
const size_t conf_nrows = ARRAY_LEN(conf_rows);

#define MODEL_ROW(type, field, key, min, max, help)                            \
	{                                                                      \
		CONF_##type, 0, key, "", "", "", BOUND_##type(min),            \
			BOUND_##type(max), help,                               \
			offsetof(struct conf_model, field)                     \
	}

const struct conf_row conf_model_rows[CONF_MODEL_ROWS] = {
	MODEL_ROW(INT, context_tokens, "context", 1024, 100000000,
		"context window in tokens"),
	MODEL_ROW(INT, max_output_tokens, "max_output", 1, 100000000,
		"largest max_tokens"),
	MODEL_ROW(BOOL, vision, "vision", 0, 1, "takes images"),
	MODEL_ROW(SECONDS, stall_ms, "stall_s", 0.05, 86400,
		"silence allowed inside a stream"),
};

const struct conf_row *
conf_find(struct span key)
{
	for (size_t i = 0; i < conf_nrows; i++)
		if (span_eq(key, span_cstr(conf_rows[i].key)))
			return &conf_rows[i];
	return NULL;
}

size_t
conf_index(const char *key)
{
	const struct conf_row *const row = conf_find(span_cstr(key));

	GP_ASSERT(row != NULL);
	return (size_t)(row - conf_rows);
}

#define WORD_MAX 64 /* longer words are compared by their beginning */

/* Levenshtein distance. */
static unsigned
distance(struct span a, struct span b)
{
	unsigned row[WORD_MAX + 1];

	a = span_head(a, WORD_MAX);
	b = span_head(b, WORD_MAX);
	for (unsigned j = 0; j <= b.n; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned corner = row[0]; /* of the row above */

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			const unsigned above = row[j];
			const unsigned swap =
				corner + (a.p[i - 1] != b.p[j - 1]);
			const unsigned move = MIN(above, row[j - 1]) + 1;

			row[j] = MIN(swap, move);
			corner = above;
		}
	}
	return row[b.n];
}

const struct conf_row *
conf_nearest(const struct conf_row *rows, size_t n, struct span key)
{
	const struct conf_row *best = rows;
	unsigned least = ~0u;

	for (size_t i = 0; i < n; i++) {
		const unsigned d = distance(key, span_cstr(rows[i].key));

		if (d < least) {
			least = d;
			best = &rows[i];
		}
	}
	return best;
}
