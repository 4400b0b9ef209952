/* SPDX-License-Identifier: MIT */
/* vec.c - growth of the arrays of vec.h. */
#include "shared/base/vec.h"

#include "shared/base/check.h"

#define FIRST_CAP 4

void *
vec_grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	const size_t want = *cap == 0 ? FIRST_CAP : *cap * 2;
	void *grown;

	if (n < *cap)
		return v;
	if (want <= *cap)
		GP_NOMEM();
	grown = arena_array(a, want, size);
	if (n > 0)
		memcpy(grown, v, n * size);
	*cap = want;
	return grown;
}
