/* SPDX-License-Identifier: MIT */
/*
 * llm_dedup.h - of repeated blocks of surroundings only the newest stays.
 *
 * Whole blocks (llm_env.h) go from the user's own words (is_verbatim) in all
 * messages of the user before the last one that has any. That one stays as it
 * is, and so do results of tools, files and the other roles.
 *
 *  - With a block go the blanks before it; where nothing is left before it in
 *    its text, the blank lines behind it. A part left blank goes, and so does a
 *    message left without parts.
 *  - Neighbouring messages of the user are one to an upstream. If nothing but
 *    blocks is in all of them, the last block stays.
 *
 * What becomes of a message depends on it and its neighbours of the user only,
 * once a later one has a block: a growing conversation keeps its prefix up to
 * the message that was the last one with a block. A cache_control goes with its
 * part. Doing it again changes nothing.
 */
#ifndef TRANSLATE_LLM_DEDUP_H
#define TRANSLATE_LLM_DEDUP_H

#include "shared/translate/llm_req.h"

struct llm_dedup_report {
	size_t blocks; /* removed */
	size_t bytes;  /* of text that went with them, unescaped */
};

/*
 * After decoding and before llm_truncate and llm_normalise. The removed bytes
 * are appended to r->cuts. One search over the words of the user, and a slower
 * pass over texts that have a block; nothing is allocated unless two messages
 * have one.
 */
void llm_dedup(struct llm_req *r, struct llm_dedup_report *out);

#endif
