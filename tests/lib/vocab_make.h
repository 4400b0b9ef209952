/* SPDX-License-Identifier: MIT */
/* vocab_make.h - vocabulary files for tests, written apart from vocab.py and
 * vocab.c. */
#ifndef TESTS_VOCAB_MAKE_H
#define TESTS_VOCAB_MAKE_H

#include "shared/base/buf.h"
#include "shared/count/vocab.h"

/* The file for these tokens; ids are their positions. out: empty. */
void vocab_make(struct buf *out, const struct span *tokens, uint32_t n);

/*
 * A file with the 256 bytes and n tokens more, each two earlier ones joined, of
 * bytes of the alphabet only. Ranks are in the order in which they were made,
 * so merges depend on each other as in a learned vocabulary.
 */
void vocab_make_learned(
	struct buf *out, uint64_t seed, struct span alphabet, uint32_t n);

/* Put the right checksum into a file that was changed. */
void vocab_seal(struct buf *file);

#endif
