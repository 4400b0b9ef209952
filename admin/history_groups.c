/* SPDX-License-Identifier: MIT */
/* history_groups.c - sums of the history, by a name. */
#include "admin/history_groups.h"

#include <stdlib.h>

#include "shared/base/check.h"

#define ROWS_FIRST 64

/* --- figures -------------------------------------------------------------- */

static int64_t
plus(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

void
history_figures_add(
	struct history_figures *to, const struct history_figures *more)
{
	const int64_t longest = MAX(to->n[HISTORY_FIGURE_longest_us],
		more->n[HISTORY_FIGURE_longest_us]);

	for (size_t i = 0; i < HISTORY_FIGURES_N; i++)
		to->n[i] = plus(to->n[i], MAX(more->n[i], 0));
	to->n[HISTORY_FIGURE_longest_us] = longest;
}

const char *
history_figures_key(size_t told)
{
	static const char *const keys[] = {
#define X(key, sql) #key,
		HISTORY_FIGURES(X)
#undef X
	};
	static const char *const times[] = { "first_byte_ms", "total_ms",
		"longest_ms" };

	GP_ASSERT(told < HISTORY_TOLD_N);
	return told < HISTORY_FIGURE_first_us ?
		keys[told] :
		times[told - HISTORY_FIGURE_first_us];
}

static void
put_mean_ms(struct jout *j, int64_t sum_us, int64_t n)
{
	if (n > 0)
		jout_int(j, sum_us / n / 1000);
	else
		jout_null(j);
}

void
history_figures_put(
	const struct history_figures *f, size_t told, struct jout *j)
{
	const int64_t *const n = f->n;

	switch (told) {
	case HISTORY_FIGURE_first_us:
		put_mean_ms(j, n[HISTORY_FIGURE_first_us],
			n[HISTORY_FIGURE_firsts]);
		break;
	case HISTORY_FIGURE_first_us + 1:
		put_mean_ms(j, n[HISTORY_FIGURE_total_us],
			n[HISTORY_FIGURE_requests]);
		break;
	case HISTORY_FIGURE_first_us + 2:
		put_mean_ms(j, n[HISTORY_FIGURE_longest_us],
			n[HISTORY_FIGURE_requests] > 0);
		break;
	default:
		jout_int(j, n[told]);
		break;
	}
}

/* --- groups --------------------------------------------------------------- */

struct history_groups *
history_groups_new(void)
{
	struct history_groups *const g = calloc(1, sizeof(*g));

	if (g == NULL)
		GP_NOMEM();
	return g;
}

void
history_groups_free(struct history_groups **gp)
{
	if (*gp != NULL)
		free((*gp)->rows);
	free(*gp);
	*gp = NULL;
}

/* FNV-1a */
static size_t
hash_of(struct span name)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (uint8_t)name.p[i]) * UINT64_C(1099511628211);
	return (size_t)(h ^ h >> 32);
}

static struct span
name_of(const struct history_group_row *row)
{
	return span_of(row->name, row->n);
}

/* Where in the index it is, or would be: the index is never full. */
static size_t
place_of(const struct history_groups *g, struct span name)
{
	size_t at = hash_of(name) % ARRAY_LEN(g->index);

	while (g->index[at] != 0 &&
		!span_eq(name, name_of(&g->rows[g->index[at] - 1])))
		at = (at + 1) % ARRAY_LEN(g->index);
	return at;
}

static struct history_group_row *
new_row(struct history_groups *g, struct span name)
{
	struct history_group_row *row;

	if (g->n == g->cap) {
		g->cap = MAX(2 * g->cap, ROWS_FIRST);
		row = realloc(g->rows, g->cap * sizeof(*row));
		if (row == NULL)
			GP_NOMEM();
		g->rows = row;
	}
	row = &g->rows[g->n++];
	*row = (struct history_group_row){ .n = (uint16_t)name.n };
	memcpy(row->name, name.p, name.n);
	return row;
}

void
history_groups_add(struct history_groups *g, struct span name,
	const struct history_figures *more)
{
	size_t at;

	name = span_head(name, HISTORY_NAME_MAX);
	at = place_of(g, name);
	if (g->index[at] == 0) {
		if (g->n == HISTORY_GROUPS_KEPT) {
			history_figures_add(&g->rest, more);
			return;
		}
		(void)new_row(g, name);
		g->index[at] = (uint16_t)g->n;
	}
	history_figures_add(&g->rows[g->index[at] - 1].figures, more);
}

static int
by_requests(const void *a, const void *b)
{
	const struct history_group_row *const x = a;
	const struct history_group_row *const y = b;
	const int64_t m = x->figures.n[HISTORY_FIGURE_requests];
	const int64_t n = y->figures.n[HISTORY_FIGURE_requests];
	const int order = memcmp(x->name, y->name, MIN(x->n, y->n));

	if (m != n)
		return (m < n) - (m > n);
	return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

bool
history_groups_rank(struct history_groups *g, size_t most)
{
	if (g->n > 0)
		qsort(g->rows, g->n, sizeof(g->rows[0]), by_requests);
	for (size_t i = most; i < g->n; i++)
		history_figures_add(&g->rest, &g->rows[i].figures);
	g->n = MIN(g->n, most);
	memset(g->index, 0, sizeof(g->index));
	for (size_t i = 0; i < g->n; i++)
		g->index[place_of(g, name_of(&g->rows[i]))] = (uint16_t)(i + 1);
	return g->rest.n[HISTORY_FIGURE_requests] > 0;
}

size_t
history_groups_find(const struct history_groups *g, struct span name)
{
	const size_t at = place_of(g, span_head(name, HISTORY_NAME_MAX));

	return g->index[at] == 0 ? g->n : g->index[at] - 1u;
}
