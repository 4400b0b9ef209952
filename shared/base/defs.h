/* SPDX-License-Identifier: MIT */
/* defs.h - attributes and the few macros that everything uses. */
#ifndef BASE_DEFS_H
#define BASE_DEFS_H

#include <stddef.h>

/* The caller must look at the result. */
#define GP_WUR __attribute__((warn_unused_result))
/* fmt and first are 1-based positions, as in the compiler's manual. */
#define GP_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

#define ARRAY_LEN(a)          (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)             ((a) < (b) ? (a) : (b))
#define MAX(a, b)             ((a) > (b) ? (a) : (b))

/* The structure that holds `member` at address `ptr`. */
#define CONTAINER_OF(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
