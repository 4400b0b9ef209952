/* SPDX-License-Identifier: MIT */
/*
 * usage.h - tokens by client and model, as upstreams have reported them.
 *
 * A fixed table in shared memory: all workers add to it, nobody locks. A pair
 * of names takes a row when it comes first and keeps it for as long as the
 * memory lives; whoever comes when all are taken is added up in the last row.
 * Both names are chosen by peers: they are cut down to plain text when they
 * come in, and nothing that stands in the memory is believed when it is read.
 */
#ifndef SYS_USAGE_H
#define SYS_USAGE_H

#include <stdatomic.h>

#include "shared/base/span.h"

#define USAGE_ROWS     256 /* and one for the rest */
#define USAGE_NAME_MAX 72  /* with its NUL */
/* What stands for names that have no row or are too long, and for none. */
#define USAGE_OTHER  "other"
#define USAGE_NOBODY "-"

enum usage_figure {
	USAGE_REQUESTS,
	USAGE_INPUT_TOKENS,  /* cached ones included */
	USAGE_CACHED_TOKENS, /* of those, read from upstream's cache */
	USAGE_OUTPUT_TOKENS,
	USAGE_FIGURES
};

/* A pair of names, padded with NUL so that it can be compared whole. */
struct usage_names {
	char client[USAGE_NAME_MAX], model[USAGE_NAME_MAX];
};

#define USAGE_WORDS (sizeof(struct usage_names) / sizeof(uint64_t))

struct usage_row {
	_Atomic uint32_t is_named;           /* names are complete */
	_Atomic uint64_t names[USAGE_WORDS]; /* a struct usage_names */
	_Atomic uint64_t figures[USAGE_FIGURES];
} __attribute__((aligned(64)));

struct usage {
	/* Hashes of the rows' names, 0: free; together, since they are
	 * searched. */
	_Atomic uint64_t keys[USAGE_ROWS];
	struct usage_row rows[USAGE_ROWS + 1];
};

struct usage_sums {
	uint64_t n[USAGE_FIGURES];
};

/* The row of a client's use of a model, made if there is none; never NULL.
 * Empty names are USAGE_NOBODY. Cost: one hash and mostly one look; when no row
 * is free a look at every key. */
struct usage_row *usage_row(
	struct usage *u, struct span client, struct span model);

void usage_add(struct usage_row *row, const struct usage_sums *more);

/* A copy of row `at` (up to USAGE_ROWS, which is the rest); false if nothing
 * was counted there. The names are valid UTF-8 without control characters, NUL
 * at the end, USAGE_OTHER where they have been spoilt. */
bool usage_get(const struct usage *u, size_t at, struct usage_names *names,
	struct usage_sums *sums);

/* Of the input tokens so many thousandths came from upstream's cache. */
unsigned usage_hit_permille(const struct usage_sums *s);

#endif
