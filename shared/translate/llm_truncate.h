/* SPDX-License-Identifier: MIT */
/*
 * llm_truncate.h - the oldest turns go, so that a conversation fits.
 *
 * What stays is a suffix of whole turns, and all system turns and tools. The
 * cut lies
 *
 *  1. before a turn of the user that no other turn of the user touches from
 *     before, and that neither has nor is followed at once by results of tools;
 *     or else, as where a single task goes on for hundreds of tool calls,
 *  2. before a turn of the assistant whose calls are all answered behind it. A
 *     turn of the user that says LLM_TRUNCATED stands before it then.
 *
 * Never does it lie between a call and a result of it, nor inside of what was
 * one message of the client.
 *
 * Where exactly: let T be the weight of all (llm_estimate.h), L the limit and F
 * what always stays. At least D goes, the smallest multiple of a step, which is
 * L/8, that leaves at most 3/4 L. A cut of the first kind is taken if it is the
 * first that is allowed, or if it lies less than a step behind D. So what stays
 * mostly weighs between 5/8 and 3/4 of L, and the cut stays where it is while
 * the conversation grows by a step, as it never depends on what is still to
 * come. Where F is more than half of L, a step is a quarter of the room that it
 * leaves, and half of that room may stay filled. If no cut takes away as much
 * as D, the last one there is will do if what stays fits into L.
 */
#ifndef TRANSLATE_LLM_TRUNCATE_H
#define TRANSLATE_LLM_TRUNCATE_H

#include "shared/translate/llm_req.h"

/* Always the same, so that it is found in caches of prompts. */
#define LLM_TRUNCATED                                                          \
	"[Earlier messages were removed to fit the context limit.]"

struct llm_cut {
	int64_t tokens_before, tokens_after; /* as llm_estimate */
	size_t messages; /* of the client, removed; 0: it did fit */
};

/*
 * limit in tokens, on the scale of llm_estimate: the caller takes off what
 * the answer needs, and rounds what it knows of the scale so coarsely that the
 * limit does not change with every request.
 *
 * Once, after decoding and llm_dedup and before llm_normalise. Sets
 * r->kept_from and r->instead for copies. False, with r as it was, if it cannot
 * fit; out is filled in any case (tokens_after is then tokens_before). Linear
 * in the parts and the bytes of ids, but for texts, which are sampled.
 */
bool llm_truncate(struct llm_req *r, int64_t limit, struct llm_cut *out) GP_WUR;

#endif
