/* SPDX-License-Identifier: MIT */
/* llm_images.h - which images of a conversation count. */
#ifndef TRANSLATE_LLM_IMAGES_H
#define TRANSLATE_LLM_IMAGES_H

#include "shared/translate/llm_req.h"

/* Images anywhere, also in tool results. */
size_t llm_count_images(const struct llm_req *r);
/* Images since the user has last said something, with the results of tools that
 * came since. */
size_t llm_count_last_images(const struct llm_req *r);

/* Put a short text, always the same, in the place of each image, for a model
 * that sees none. Returns their number. */
size_t llm_leave_out_images(struct llm_req *r);

#endif
