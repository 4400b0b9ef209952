/* SPDX-License-Identifier: MIT */
/*
 * history_groups.h - sums of the history, by a name. Pure.
 *
 * A table of at most HISTORY_GROUPS_KEPT names; what comes when it is full is
 * added up in one group more, the rest.
 */
#ifndef ADMIN_HISTORY_GROUPS_H
#define ADMIN_HISTORY_GROUPS_H

#include "shared/base/span.h"
#include "shared/json/jout.h"

#define HISTORY_GROUPS_KEPT 8192
#define HISTORY_NAME_MAX    160

/* X(key, SQL) in the order of the columns, numbers of a row of `minute` and
 * `hour`. All but the last are added up, that one is the largest. */
#define HISTORY_FIGURES(X)                                                     \
	X(requests, "requests")                                                \
	X(failed, "CASE WHEN status >= 400 THEN requests ELSE broken END")     \
	X(cancelled, "cancelled")                                              \
	X(streamed, "streamed")                                                \
	X(retries, "retries")                                                  \
	X(input_tokens, "input")                                               \
	X(cached_tokens, "cached")                                             \
	X(output_tokens, "output")                                             \
	X(first_us, "first_us")                                                \
	X(firsts, "firsts")                                                    \
	X(total_us, "total_us")                                                \
	X(longest_us, "longest_us")

enum history_figure {
#define X(key, sql) HISTORY_FIGURE_##key,
	HISTORY_FIGURES(X)
#undef X
	HISTORY_FIGURES_N
};

struct history_figures {
	int64_t n[HISTORY_FIGURES_N];
};

/* Never past INT64_MAX. */
void history_figures_add(
	struct history_figures *to, const struct history_figures *more);

/* What is told of them, in its order: requests to output_tokens, then
 * first_byte_ms, total_ms, longest_ms. */
enum {
	HISTORY_TOLD_N = HISTORY_FIGURE_first_us + 3
};

const char *history_figures_key(size_t told);
/* A number, or null where there is none. */
void history_figures_put(
	const struct history_figures *f, size_t told, struct jout *j);

struct history_group_row {
	uint16_t n;
	char name[HISTORY_NAME_MAX];
	struct history_figures figures;
};

struct history_groups {
	struct history_group_row *rows;
	size_t n, cap;
	struct history_figures rest;
	uint16_t index[2 * HISTORY_GROUPS_KEPT]; /* position plus 1, by hash */
};

/* It is large: not for the stack. */
struct history_groups *history_groups_new(void);
void history_groups_free(struct history_groups **g);

/* Longer names are cut. */
void history_groups_add(struct history_groups *g, struct span name,
	const struct history_figures *more);

/* The `most` groups with the most requests stay, in that order (those of the
 * same number by name); the others become the rest. False if there is none. */
bool history_groups_rank(struct history_groups *g, size_t most);

/* After history_groups_rank: the position of a name, or n, which stands for the
 * rest. */
size_t history_groups_find(const struct history_groups *g, struct span name);

#endif
