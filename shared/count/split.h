/* SPDX-License-Identifier: MIT */
/*
 * split.h - text cut into the pieces within which tokens are looked for.
 *
 * The pieces are the matches of this expression, whose first alternative that
 * fits counts (letters, numbers and blanks by Unicode 16.0):
 *
 *	(?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}{1,3}
 *	| ?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
 *
 * Each byte belongs to one piece. A byte that is part of no valid UTF-8
 * sequence counts as a character that is neither letter, number nor blank.
 */
#ifndef COUNT_SPLIT_H
#define COUNT_SPLIT_H

#include "shared/base/span.h"

enum split_phase {
	SPLIT_START,
	SPLIT_LETTERS,
	SPLIT_OTHERS,
	SPLIT_LINES, /* line ends behind others */
	SPLIT_BLANKS,
};

struct split {
	struct span text;
	size_t start; /* of the piece under way */
	size_t at;    /* looked at up to here */
	enum split_phase phase;
	size_t line; /* BLANKS: behind the last line end, else 0 */
	size_t last; /* BLANKS: where the last character begins */
};

/* text must outlive s. */
void split_init(struct split *s, struct span text);

/*
 * The next piece. False when the text is at its end, or when about max_bytes
 * (at least 1) were looked at and the piece did not end: then call again.
 * Linear: each byte is looked at three times at most.
 */
bool split_next(struct split *s, size_t max_bytes, struct span *piece) GP_WUR;

static inline bool
split_is_done(const struct split *s)
{
	return s->start == s->text.n;
}

#endif
