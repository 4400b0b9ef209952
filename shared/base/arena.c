/* SPDX-License-Identifier: MIT */
/* arena.c - memory that lives as long as one request. */
#include "shared/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/check.h"

#define ALIGN     _Alignof(max_align_t)
#define CHUNK_MIN 4096u
#define CHUNK_MAX 262144u
/* What is larger gets a chunk of its own, so that little is wasted. */
#define OWN_CHUNK (CHUNK_MIN / 4)

/* The newest first. The last in the list is the one that arena_reset keeps; it
 * is never one made for a large piece. */
struct arena_chunk {
	struct arena_chunk *older;
	size_t size;
	_Alignas(max_align_t) char data[];
};

void
arena_init(struct arena *a)
{
	*a = (struct arena){ 0 };
}

static void
free_chunks(struct arena_chunk *c, const struct arena_chunk *stop)
{
	while (c != stop) {
		struct arena_chunk *const older = c->older;

		free(c);
		c = older;
	}
}

void
arena_fini(struct arena *a)
{
	free_chunks(a->chunks, NULL);
	arena_init(a);
}

static void
use_chunk(struct arena *a, struct arena_chunk *c)
{
	a->next = c->data;
	a->end = c->data + c->size;
}

void
arena_reset(struct arena *a)
{
	struct arena_chunk *first = a->chunks;

	if (first == NULL)
		return;
	while (first->older != NULL)
		first = first->older;
	free_chunks(a->chunks, first);
	a->chunks = first;
	a->used_bytes = 0;
	use_chunk(a, first);
}

static struct arena_chunk *
add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *c;

	if (size > SIZE_MAX / 2)
		GP_NOMEM();
	c = malloc(sizeof(*c) + size);
	if (c == NULL)
		GP_NOMEM();
	c->older = a->chunks;
	c->size = size;
	a->chunks = c;
	return c;
}

/* A fresh chunk to cut small pieces from. */
static void
refill(struct arena *a)
{
	/* About as much again as there is already. */
	const size_t size = a->chunks == NULL ? 0 : a->used_bytes;

	use_chunk(a, add_chunk(a, MIN(MAX(size, CHUNK_MIN), CHUNK_MAX)));
}

static size_t
padding(const struct arena *a, size_t align)
{
	return (size_t)(-(uintptr_t)a->next) & (align - 1);
}

/* True if n bytes, with the padding in front, are left in the chunk in use. */
static bool
fits(const struct arena *a, size_t n, size_t align)
{
	const size_t pad = padding(a, align);
	const size_t left = a->next == NULL ? 0 : (size_t)(a->end - a->next);

	return a->next != NULL && pad <= left && n <= left - pad;
}

/* n bytes of any content, aligned to align (a power of two). */
static char *
take(struct arena *a, size_t n, size_t align)
{
	char *p;

	if (__builtin_add_overflow(a->used_bytes, n, &a->used_bytes))
		GP_NOMEM();
	if (!fits(a, n, align) && (a->chunks == NULL || n <= OWN_CHUNK))
		refill(a);
	if (!fits(a, n, align)) {
		/* The chunk in use stays in use. */
		return add_chunk(a, n)->data;
	}
	p = a->next + padding(a, align);
	a->next = p + n;
	return p;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	char *const p = take(a, MAX(n, 1), ALIGN);

	memset(p, 0, n);
	return p;
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		GP_NOMEM();
	return arena_alloc(a, bytes);
}

struct span
arena_dup(struct arena *a, struct span s)
{
	char *p;

	if (s.n == SIZE_MAX)
		GP_NOMEM();
	p = take(a, s.n + 1, 1);
	memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct span){ p, s.n };
}

struct span
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	GP_ASSERT(n >= 0);
	p = take(a, (size_t)n + 1, 1);
	va_start(ap, fmt);
	n = vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	GP_ASSERT(n >= 0);
	return (struct span){ p, (size_t)n };
}
