/* SPDX-License-Identifier: MIT */
/*
 * bpe.h - exact numbers of tokens: byte-level BPE over a vocabulary.
 *
 * Texts may be of any length and need not be valid UTF-8 (split.h says how
 * other bytes count). Time is O(n log n) at worst, about 30 ns a byte of
 * English; it is spent in steps, so that a worker can serve others in between.
 */
#ifndef COUNT_BPE_H
#define COUNT_BPE_H

#include "shared/count/vocab.h"

/* Work for bpe_job_step that takes at most half a millisecond, whatever the
 * text. A unit is about a byte. */
#define BPE_STEP_WORK 2048

/* Ids of tokens, in order; the caller's to free with bpe_ids_fini. */
struct bpe_ids {
	uint32_t *v;
	size_t n, cap;
};

void bpe_ids_fini(struct bpe_ids *ids);

/* All at once: number of tokens; the same with the ids appended. */
uint64_t bpe_count(const struct vocab *v, struct span text);
void bpe_encode(const struct vocab *v, struct span text, struct bpe_ids *ids);

struct bpe_job;

/*
 * Counting in steps: the sum over one text after the other.
 *
 *	job = bpe_job_new(vocab, NULL);
 *	bpe_job_text(job, text);
 *	while (work = BPE_STEP_WORK, !bpe_job_step(job, &work))
 *		...serve others...;
 *	n = bpe_job_tokens(job);
 *	bpe_job_free(&job);
 *
 * v must outlive the job; ids may be NULL. Memory: a few hundred bytes, 64 KiB
 * more once a run of over 128 bytes without a blank or a change between
 * letters and others was met. (In theory up to 32 bytes a byte of such a run:
 * if the ends of its parts depended on what comes much later.)
 */
struct bpe_job *bpe_job_new(const struct vocab *v, struct bpe_ids *ids);
void bpe_job_free(struct bpe_job **job);

/* The text to count next, which must outlive its steps. The one before must be
 * done. */
void bpe_job_text(struct bpe_job *job, struct span text);

/* Go on until the text is counted (true) or *work, which is counted down, is
 * used up. */
bool bpe_job_step(struct bpe_job *job, size_t *work) GP_WUR;

/* Tokens of all texts that are counted. */
uint64_t bpe_job_tokens(const struct bpe_job *job);

#endif
