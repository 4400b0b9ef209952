/* SPDX-License-Identifier: MIT */
/* mutate.h - changes to texts of JSON and of streams that leave them mostly
 * whole, so that fuzzers get past the scanners. */
#ifndef TESTS_LIB_MUTATE_H
#define TESTS_LIB_MUTATE_H

#include <stdint.h>

#include "shared/base/span.h"

/* Put one value or one frame of the text (which may hold several) in place of
 * another, in front of it, or take one away. chance decides what; returns the
 * new size, at most max. The text needs not be valid. */
size_t mutate_text(char *text, size_t size, size_t max, uint64_t chance);

#endif
