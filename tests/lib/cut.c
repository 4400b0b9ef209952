/* SPDX-License-Identifier: MIT */
/* cut.c - runs a callback for every way to cut a text. */
#include "tests/lib/cut.h"

#include <stdlib.h>

#include "shared/base/check.h"

/* ends[i] is where piece i ends; the last is text.n. */
static void
run(struct span text, const size_t *ends, size_t n, cut_fn *fn, void *ctx)
{
	struct span *const pieces = calloc(MAX(n, 1), sizeof(*pieces));
	char **const memory = calloc(MAX(n, 1), sizeof(*memory));
	size_t from = 0;

	if (pieces == NULL || memory == NULL)
		GP_NOMEM();
	for (size_t i = 0; i < n; i++) {
		const size_t len = ends[i] - from;

		memory[i] = malloc(MAX(len, 1));
		if (memory[i] == NULL)
			GP_NOMEM();
		memcpy(memory[i], text.p + from, len);
		pieces[i] = (struct span){ memory[i], len };
		from = ends[i];
	}
	fn(ctx, pieces, n);
	for (size_t i = 0; i < n; i++)
		free(memory[i]);
	free(memory);
	free(pieces);
}

void
cut_every(struct span text, cut_fn *fn, void *ctx)
{
	size_t *const ends = calloc(MAX(text.n, 1), sizeof(*ends));

	if (ends == NULL)
		GP_NOMEM();
	run(text, (size_t[]){ text.n }, 1, fn, ctx);
	for (size_t at = 0; at <= text.n; at++)
		run(text, (size_t[]){ at, text.n }, 2, fn, ctx);
	for (size_t i = 0; i < text.n; i++)
		ends[i] = i + 1;
	run(text, ends, text.n, fn, ctx);
	free(ends);
}

void
cut_pairs(struct span text, cut_fn *fn, void *ctx)
{
	for (size_t a = 0; a <= text.n; a++) {
		for (size_t b = a; b <= text.n; b++)
			run(text, (size_t[]){ a, b, text.n }, 3, fn, ctx);
	}
}
