/* SPDX-License-Identifier: MIT */
/*
 * windows.h - tokens of a piece of any length, in memory of fixed size.
 *
 * A long piece is merged in windows that overlap. Tokens near the end of one
 * may come out differently with what follows, so the next begins a little
 * before it, at the end of a token, and is joined to it there.
 *
 * Why the result is exact: a sequence of tokens is what merging the whole text
 * gives if each two neighbours, merged for themselves, give these two. For
 * look at the first merge in the whole text that crosses a border of the
 * sequence. Until then nothing crossed the outer borders of the two tokens
 * beside it, so within them everything happened in the same order as if they
 * stood alone, and alone they would have been merged across the border too.
 * Neighbours within a window meet the condition; where two windows join it is
 * tested. If it does not hold, the join is tried some tokens earlier, at last
 * everything with larger windows.
 */
#ifndef COUNT_WINDOWS_H
#define COUNT_WINDOWS_H

#include "shared/count/merge.h"

#define WINDOWS_SIZE 2048 /* bytes, to begin with */
#define WINDOWS_HELD 8    /* tokens by which a join may move back */

struct bpe_ids;

/* What comes out. */
struct tokens {
	uint64_t n;
	struct bpe_ids *ids; /* NULL: only counted */
};

void tokens_put(struct tokens *t, const uint32_t *ids, size_t n);
/* Take the last ones back until there are n. */
void tokens_cut(struct tokens *t, uint64_t n);

enum windows_phase {
	WINDOWS_MERGE,
	WINDOWS_JOIN,
	WINDOWS_TAKE,
	WINDOWS_DONE,
};

struct windows {
	struct span piece;
	enum windows_phase phase;
	size_t size;               /* of a window */
	size_t from;               /* where the present one begins */
	size_t at;                 /* TAKE: in the window */
	size_t held[WINDOWS_HELD]; /* where the last tokens taken begin */
	size_t nheld;
	uint64_t before; /* tokens there were before the piece */
	uint64_t tries;  /* windows merged, for tests */
	struct merge merge;
};

/* size: WINDOWS_SIZE; tests take less, but more than 4 * VOCAB_TOKEN_MAX unless
 * the vocabulary's tokens are shorter. */
void windows_init(struct windows *w, const struct vocab *v);
void windows_fini(struct windows *w);

/* The piece, of at least one byte, must outlive the steps. */
void windows_start(
	struct windows *w, struct span piece, size_t size, uint64_t before);

/* Go on until all tokens are in *t (true) or *work is used up. */
bool windows_step(struct windows *w, struct tokens *t, size_t *work) GP_WUR;

#endif
