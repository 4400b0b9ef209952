/* SPDX-License-Identifier: MIT */
/* vocab_file.h - the vocabulary as it lies on the disk. Joins sys and count. */
#ifndef VOCAB_FILE_H
#define VOCAB_FILE_H

#include "shared/count/bpe.h"
#include "shared/sys/datafile.h"

#define VOCAB_FILE_NAME "glmproxy.vocab"

struct vocab_file {
	struct datafile file;
	struct vocab vocab; /* tokens == 0: there is none */
};

/*
 * Map and check the vocabulary; once, before the fork, so that all processes
 * share it. When it fails, err->text says for people why, and the program goes
 * on with estimates. Cost: one pass over 2 MB.
 */
static inline enum gp_code GP_WUR
vocab_file_open(struct vocab_file *v, struct gp_error *err)
{
	enum gp_code rc =
		datafile_map(&v->file, VOCAB_FILE_NAME, VOCAB_FILE_MAX, err);

	v->vocab = (struct vocab){ 0 };
	if (rc != GP_OK)
		return rc;
	rc = vocab_open(&v->vocab, v->file.bytes, err);
	if (rc != GP_OK) {
		v->vocab = (struct vocab){ 0 };
		datafile_unmap(&v->file);
	}
	datafile_rest(&v->file);
	return rc;
}

/* NULL when there is none. */
static inline const struct vocab *
vocab_file_get(const struct vocab_file *v)
{
	return v->vocab.tokens > 0 ? &v->vocab : NULL;
}

static inline void
vocab_file_close(struct vocab_file *v)
{
	v->vocab = (struct vocab){ 0 };
	datafile_unmap(&v->file);
}

#endif
