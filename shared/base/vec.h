/* SPDX-License-Identifier: MIT */
/*
 * vec.h - a typed growable array inside an arena.
 *
 *	struct part_vec { struct part *v; size_t n, cap; };
 *	struct part *p = VEC_PUSH(arena, &turn->parts);
 *
 * Old storage stays in the arena until that is freed; growth doubles, so the
 * waste is at most the size of the array. Pointers to elements are valid until
 * the next VEC_PUSH.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "shared/base/arena.h"

#define VEC_OF(type)                                                           \
	struct {                                                               \
		type *v;                                                       \
		size_t n;                                                      \
		size_t cap;                                                    \
	}

/* Address of a new zeroed element at the end. */
#define VEC_PUSH(a, vec)                                                       \
	((vec)->v = vec_grow(                                                  \
		 (a), (vec)->v, (vec)->n, &(vec)->cap, sizeof(*(vec)->v)),     \
		&(vec)->v[(vec)->n++])

/* Storage for at least n + 1 elements; the old content is copied. */
void *vec_grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size);

#endif
