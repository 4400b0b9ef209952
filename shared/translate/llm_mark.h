/* SPDX-License-Identifier: MIT */
/*
 * llm_mark.h - words in angle brackets inside of escaped text: "<think>". For
 * llm_*.c only.
 *
 * A mark is ASCII, begins with '<' and holds no other, so a search begins anew
 * at the next '<' only. Any of its characters may be written as an escape, and
 * the text may end inside of it (never inside of an escape).
 */
#ifndef TRANSLATE_LLM_MARK_H
#define TRANSLATE_LLM_MARK_H

#include "shared/json/jtext.h"

struct mark_found {
	size_t at;    /* where it begins; the text's length if there is none */
	size_t len;   /* bytes as written; 0: the text ends inside of it */
	size_t which; /* of the list, if it is whole */
};

/* The first mark of the list in text, or the beginning of one at its end. Cost:
 * linear. */
struct mark_found mark_find(
	struct span text, const struct span *marks, size_t n);

/* The same for one that begins where text does: at is 0 or the length. */
struct mark_found mark_match(
	struct span text, const struct span *marks, size_t n);

/* Bytes of the blanks (space, tab, LF, CR) that text begins with. */
size_t mark_blanks(struct span text);
/* Bytes in front of the first blank or '<'. */
size_t mark_word(struct span text);

#endif
