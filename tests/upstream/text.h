/* SPDX-License-Identifier: MIT */
/* text.h - writing JSON strings and small texts. */
#ifndef UPSTREAM_TEXT_H
#define UPSTREAM_TEXT_H

#include <jansson.h>

#include "shared/base/arena.h"
#include "shared/base/buf.h"

/* The bytes between the quotes of a JSON string; s is UTF-8. */
void text_put_escaped(struct buf *out, struct span s);
/* The same as a copy in the arena. */
struct span text_escaped(struct arena *a, struct span s);
/* With the quotes. */
void text_put_string(struct buf *out, struct span s);
/* "" or `null`. */
void text_put_string_or_null(struct buf *out, struct span s);

/* At most n bytes of s, not ending inside a UTF-8 sequence. */
struct span text_cut(struct span s, size_t n);
/* The first `count` code points / words (with the blanks behind them). */
struct span text_points(struct span s, size_t count);
struct span text_words(struct span s, size_t count);

/* %XX decoded. */
struct span text_percent(struct arena *a, struct span s);

/* The bytes of a JSON string value; empty for anything else. */
struct span text_of(const json_t *value);

#endif
