/* SPDX-License-Identifier: MIT */
/*
 * vocab.h - the vocabulary file: which byte strings are tokens.
 *
 *	head (64 bytes) | ends (4 a token) | slots (4 each) | bytes of all
 *tokens
 *
 * All numbers are little-endian. A token's id is its rank: of two pairs the one
 * that makes the smaller id is merged first. The slots are a hash table ready
 * to be probed, so nothing is built at the start; vocab.py writes the file.
 *
 * The file is distrusted: vocab_open checks sizes and the checksum, and every
 * later read is checked against the bounds, in case it changes underneath. A
 * false file can give wrong numbers, never a read outside of it.
 */
#ifndef COUNT_VOCAB_H
#define COUNT_VOCAB_H

#include "shared/base/err.h"
#include "shared/base/span.h"

#define VOCAB_MAGIC      "GPVOCAB"
#define VOCAB_VERSION    1
#define VOCAB_HEAD_BYTES 64
#define VOCAB_NAME_BYTES 24
#define VOCAB_FILE_MAX   (64u << 20)

/* Bytes of the longest token there can be. */
#define VOCAB_TOKEN_MAX ((size_t)128)
/* Ids are below it, so that they fit a slot beside the fingerprint. */
#define VOCAB_TOKENS_MAX ((1u << 17) - 1)
#define VOCAB_SLOTS_MAX  (1u << 20)
/* In place of an id: no such token. */
#define VOCAB_NONE UINT32_MAX

/* A view of the file; plain data, may be copied. */
struct vocab {
	const char *ends;  /* where each token's bytes end */
	const char *slots; /* fingerprint << 17 | id, all ones: empty */
	struct span bytes;
	uint32_t tokens;
	uint32_t mask;                   /* number of slots - 1 */
	char name[VOCAB_NAME_BYTES + 1]; /* e.g. "cl100k_base" */
};

/*
 * file must outlive the vocabulary. GP_E_SYNTAX with a sentence when it is no
 * vocabulary of this version, is cut off or damaged, or lacks one of the 256
 * single bytes. Cost: one pass over the file.
 */
enum gp_code vocab_open(
	struct vocab *v, struct span file, struct gp_error *err) GP_WUR;

/* Id of the token with these bytes, VOCAB_NONE if there is none. */
uint32_t vocab_find(const struct vocab *v, struct span token);

/* Bytes of a token; empty if there is no such id. */
struct span vocab_bytes(const struct vocab *v, uint32_t id);

#endif
