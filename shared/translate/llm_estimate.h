/* SPDX-License-Identifier: MIT */
/* llm_estimate.h - a cheap guess at a request's tokens, from its bytes. */
#ifndef TRANSLATE_LLM_ESTIMATE_H
#define TRANSLATE_LLM_ESTIMATE_H

#include "shared/translate/llm_req.h"

/* Input tokens of the request, at least 1. One pass over the tree; text is
 * looked at (share of scripts), images by their header bytes. Bytes of text
 * / 3.6 where a turn's is mostly ASCII or Cyrillic, of which vocabularies hold
 * whole words, / 2.5 otherwise, + 4 a message, + 8 a tool; images ceil(w/28) *
 * ceil(h/28), 1200 when the size cannot be read. */
int64_t llm_estimate(const struct llm_req *r);

/* What a turn, and what all tools add to that, in so many parts of a token; the
 * estimate is the sum, rounded up. They depend on nothing else, so that a turn
 * keeps its weight while the conversation grows. */
#define LLM_WEIGHT 900
int64_t llm_weigh_turn(const struct llm_turn *t);
int64_t llm_weigh_tools(const struct llm_req *r);
/* Tokens of that weight, at least 1. */
int64_t llm_weight_tokens(int64_t weight);

/* What estimates and exact counts add for each of them. */
#define LLM_MESSAGE_TOKENS 4
#define LLM_TOOL_TOKENS    8
/* ceil(w/28) * ceil(h/28), 1200 when the size cannot be read. */
uint64_t llm_image_tokens(const struct llm_image *img);

/* Tokens of that many bytes of answer text. */
int64_t llm_estimate_bytes(size_t bytes);

#endif
