/* SPDX-License-Identifier: MIT */
/* llm_estimate.h - a cheap guess at a request's tokens, from its bytes. */
#ifndef TRANSLATE_LLM_ESTIMATE_H
#define TRANSLATE_LLM_ESTIMATE_H

#include "shared/translate/llm_req.h"

/* Input tokens of the request, at least 1. One pass over the tree; text is
 * looked at (share of ASCII), images by their header bytes. Bytes of all text
 * / 3.6 when mostly ASCII, / 2.5 otherwise, + 4 a message, + 8 a tool; images
 * ceil(w/28) * ceil(h/28), 1200 when the size cannot be read. */
int64_t llm_estimate(const struct llm_req *r);

/* What estimates and exact counts add for each of them. */
#define LLM_MESSAGE_TOKENS 4
#define LLM_TOOL_TOKENS    8
/* ceil(w/28) * ceil(h/28), 1200 when the size cannot be read. */
uint64_t llm_image_tokens(const struct llm_image *img);

/* Tokens of that many bytes of answer text. */
int64_t llm_estimate_bytes(size_t bytes);

#endif
