/* SPDX-License-Identifier: MIT */
/*
 * llm_count.h - the exact number of a request's tokens, in steps.
 *
 *	c = llm_count_new(vocab, req);
 *	while (!llm_count_step(c, BPE_STEP_WORK))
 *		...serve others...;
 *	n = llm_count_tokens(c);
 *	llm_count_free(&c);
 *
 * Counted are system texts, turns, thoughts, the names and arguments of calls,
 * results, and the tools' names, descriptions and schemas; beside the tokens
 * of these texts LLM_MESSAGE_TOKENS a turn, LLM_TOOL_TOKENS a tool, and what
 * llm_image_tokens says for each image. Text means what its escapes stand for,
 * also inside of arguments and schemas, which are taken with one blank behind
 * each comma and colon and no others, so that the form in which a client sends
 * them makes no difference.
 */
#ifndef TRANSLATE_LLM_COUNT_H
#define TRANSLATE_LLM_COUNT_H

#include "shared/count/bpe.h"
#include "shared/translate/llm_req.h"

struct llm_count;

/* The tree, what it points to and the vocabulary must outlive the job and stay
 * as they are. Memory: that of bpe.h and at most twice the longest text. */
struct llm_count *llm_count_new(const struct vocab *v, const struct llm_req *r);
void llm_count_free(struct llm_count **c);

/* Go on; BPE_STEP_WORK takes at most half a millisecond. True when done; then
 * it stays so. */
bool llm_count_step(struct llm_count *c, size_t work) GP_WUR;

/* When done: input tokens, at least 1. Before: those found so far, or 1. */
int64_t llm_count_tokens(const struct llm_count *c);

#endif
