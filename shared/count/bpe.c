/* SPDX-License-Identifier: MIT */
/* bpe.c - exact numbers of tokens, in steps. */
#include "shared/count/bpe.h"

#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/count/split.h"
#include "shared/count/windows.h"

/* Longer pieces are merged in windows. */
#define SHORT_MAX 128
/* Work of a piece beside that of its bytes, and of a byte when they have to be
 * merged. */
#define WORK_PIECE 1
#define WORK_SHORT 3
#define IDS_FIRST  1024

struct bpe_job {
	const struct vocab *vocab;
	struct split split;
	struct tokens tokens;
	struct windows windows; /* DONE: no long piece is under way */
};

/* --- ids ------------------------------------------------------------------ */

void
bpe_ids_fini(struct bpe_ids *ids)
{
	free(ids->v);
	*ids = (struct bpe_ids){ 0 };
}

static void
ids_put(struct bpe_ids *ids, const uint32_t *from, size_t n)
{
	if (ids->cap - ids->n < n) {
		ids->cap = MAX(2 * ids->cap, IDS_FIRST + n);
		ids->v = realloc(ids->v, ids->cap * sizeof(*ids->v));
		if (ids->v == NULL)
			GP_NOMEM();
	}
	memcpy(&ids->v[ids->n], from, n * sizeof(*from));
	ids->n += n;
}

void
tokens_put(struct tokens *t, const uint32_t *ids, size_t n)
{
	t->n += n;
	if (t->ids != NULL)
		ids_put(t->ids, ids, n);
}

void
tokens_cut(struct tokens *t, uint64_t n)
{
	if (t->ids != NULL)
		t->ids->n -= (size_t)(t->n - n);
	t->n = n;
}

/* --- the job -------------------------------------------------------------- */

struct bpe_job *
bpe_job_new(const struct vocab *v, struct bpe_ids *ids)
{
	struct bpe_job *const job = calloc(1, sizeof(*job));

	if (job == NULL)
		GP_NOMEM();
	job->vocab = v;
	job->tokens.ids = ids;
	windows_init(&job->windows, v);
	split_init(&job->split, SPAN_EMPTY);
	return job;
}

void
bpe_job_free(struct bpe_job **job)
{
	if (*job != NULL)
		windows_fini(&(*job)->windows);
	free(*job);
	*job = NULL;
}

void
bpe_job_text(struct bpe_job *job, struct span text)
{
	GP_ASSERT(split_is_done(&job->split) &&
		job->windows.phase == WINDOWS_DONE);
	split_init(&job->split, text);
}

uint64_t
bpe_job_tokens(const struct bpe_job *job)
{
	return job->tokens.n;
}

static void
take_piece(struct bpe_job *job, struct span piece, size_t *work)
{
	const uint32_t id = vocab_find(job->vocab, piece);
	uint32_t ids[SHORT_MAX];
	size_t n;

	if (id != VOCAB_NONE) {
		tokens_put(&job->tokens, &id, 1);
	} else if (piece.n <= SHORT_MAX) {
		n = merge_short(job->vocab, piece,
			job->tokens.ids != NULL ? ids : NULL);
		*work -= MIN(*work, WORK_SHORT * piece.n);
		tokens_put(&job->tokens, ids, n);
	} else {
		windows_start(
			&job->windows, piece, WINDOWS_SIZE, job->tokens.n);
	}
}

bool
bpe_job_step(struct bpe_job *job, size_t *work)
{
	struct span piece;

	for (;;) {
		if (!windows_step(&job->windows, &job->tokens, work))
			return false;
		if (split_is_done(&job->split))
			return true;
		if (*work == 0)
			return false;
		if (!split_next(&job->split, *work, &piece)) {
			*work = 0;
			return false;
		}
		*work -= MIN(*work, piece.n + WORK_PIECE);
		take_piece(job, piece, work);
	}
}

/* --- all at once ---------------------------------------------------------- */

static void
count_all(struct bpe_job *job, struct span text)
{
	size_t work;

	bpe_job_text(job, text);
	do
		work = SIZE_MAX;
	while (!bpe_job_step(job, &work));
}

void
bpe_encode(const struct vocab *v, struct span text, struct bpe_ids *ids)
{
	struct bpe_job *job = bpe_job_new(v, ids);

	count_all(job, text);
	bpe_job_free(&job);
}

uint64_t
bpe_count(const struct vocab *v, struct span text)
{
	struct bpe_job *job = bpe_job_new(v, NULL);
	uint64_t n;

	count_all(job, text);
	n = bpe_job_tokens(job);
	bpe_job_free(&job);
	return n;
}
