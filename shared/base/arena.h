/* SPDX-License-Identifier: MIT */
/*
 * arena.h - memory that lives as long as one request and is freed at once.
 *
 * Allocation never returns NULL: when the system has no memory the process
 * ends (the master starts another). What a peer can make an arena hold is
 * bounded by the limits on its request. Not for secrets.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "shared/base/span.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	char *next, *end;
	size_t used_bytes; /* sum of all requests, for accounting */
};

void arena_init(struct arena *a);
/* Free everything; the arena is empty and usable again. */
void arena_fini(struct arena *a);
/* Forget everything but keep the first chunk. */
void arena_reset(struct arena *a);

/* n bytes, zeroed, aligned for any type. O(1) amortised. */
void *arena_alloc(struct arena *a, size_t n)
	__attribute__((malloc, returns_nonnull, alloc_size(2)));
/* n * size bytes, overflow-checked, zeroed. */
void *arena_array(struct arena *a, size_t n, size_t size)
	__attribute__((malloc, returns_nonnull, alloc_size(2, 3)));
/* A copy; NUL-terminated behind the span's end. */
struct span arena_dup(struct arena *a, struct span s);
/* Formatted text, NUL-terminated behind the span's end. */
struct span arena_printf(struct arena *a, const char *fmt, ...) GP_PRINTF(2, 3);

#endif
