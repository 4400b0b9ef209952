/* SPDX-License-Identifier: MIT */
/* utf8.h - UTF-8 validity. spec: RFC 3629 (no surrogates, no overlong forms,
 * nothing above U+10FFFF). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "shared/base/buf.h"

/* Length of the longest valid prefix; s.n if all of s is valid. Linear. */
size_t utf8_valid_len(struct span s);

/* Append s with every maximal invalid sequence replaced by U+FFFD. */
void utf8_repair(struct span s, struct buf *out);

/* Append code point c (a surrogate or anything above U+10FFFF as U+FFFD). */
void utf8_put(struct buf *out, uint32_t c);

#endif
