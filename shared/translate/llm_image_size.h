/* SPDX-License-Identifier: MIT */
/* llm_image_size.h - width and height of an image from its first bytes. */
#ifndef TRANSLATE_LLM_IMAGE_SIZE_H
#define TRANSLATE_LLM_IMAGE_SIZE_H

#include "shared/translate/llm_req.h"

#define IMAGE_SIDE_MAX 65535u

/* PNG, JPEG, GIF and WEBP, told by their own first bytes. False if img is a
 * URL, of another kind, cut off, or has a side of 0 or over IMAGE_SIDE_MAX.
 * Reads a few dozen bytes, of a JPEG its segment heads. */
bool llm_image_size(
	const struct llm_image *img, uint32_t *width, uint32_t *height) GP_WUR;

#endif
