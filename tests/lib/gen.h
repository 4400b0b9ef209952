/* SPDX-License-Identifier: MIT */
/*
 * gen.h - conversations by chance: the same seed, the same request tree.
 *
 * Everything lies in the arena that was given. Texts are the inside of JSON
 * strings with escapes of every kind, valid UTF-8, and begin and end with
 * something that is no blank; half a surrogate pair stands nowhere.
 */
#ifndef TESTS_LIB_GEN_H
#define TESTS_LIB_GEN_H

#include "shared/translate/llm_req.h"

struct gen {
	uint64_t state;
	struct arena *arena;
};

/* What a conversation may hold; with no bit set it is one that every client
 * could send: several parts and system turns anywhere, images in results. */
enum {
	/* Nothing that a dialect would have to join: neighbours of one role,
	 * several texts in a turn, images. */
	GEN_PLAIN = 1,
	/* Only knobs that the vendor takes as they are on every endpoint. */
	GEN_MILD = 2,
	/* What no upstream takes: results missing, late, twice, of no call;
	 * odd and repeated ids; blank and empty turns in any order. */
	GEN_WILD = 4,
};

void gen_init(struct gen *g, struct arena *a, uint64_t seed);
/* 0..n-1; n > 0. */
size_t gen_below(struct gen *g, size_t n);
bool gen_one_in(struct gen *g, size_t n);

struct jesc gen_text(struct gen *g);
/* A JSON object. */
struct jraw gen_object(struct gen *g);

/* A request for a chat with model, max_tokens and at least one turn. */
void gen_request(struct gen *g, unsigned kind, struct llm_req *out);

#endif
