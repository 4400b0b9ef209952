/* SPDX-License-Identifier: MIT */
/*
 * llm_normal.h - bring a conversation into the order that upstreams demand.
 *
 * In this order (the rules of both dialects together):
 *  1. call ids cleaned; an id used again gets a suffix _2, _3, ..., its
 *     results too
 *  2. neighbouring turns of one role merge; system turns stay where they are,
 *     but for system turns between an assistant's calls and their results,
 *     which move behind the results
 *  3. results come first in their user turn, and every result of a call
 *     stands in the user turn right behind it (moved there from later turns);
 *     a missing one is made up (is_error), one for an unknown or already
 *     answered call becomes text, two for one call in one turn are joined by
 *     a line break
 *  4. blank text parts go when the turn keeps another part; an assistant or
 *     system turn left empty goes; a user turn left empty becomes "(empty)",
 *     unless all of it moved to a user turn from which only system turns part
 *     it: then it goes
 *  5. the first turn that is not system is a user's ("(continued)" is put in
 *     front); no user turn at all: "Continue." is appended
 *  6. text at the end of a trailing assistant turn loses trailing blanks
 *  7. a call's arguments are a JSON object: nothing at all becomes {}, other
 *     text the sentinel of llm_args_value
 * Repairs are notices ("repaired:", names in llm_repair.h). Deterministic;
 * turns that were already in order are not touched, so a growing conversation
 * keeps its prefix. Linear in the bytes of ids and arguments and
 * the number of parts.
 */
#ifndef TRANSLATE_LLM_NORMAL_H
#define TRANSLATE_LLM_NORMAL_H

#include "shared/translate/llm_req.h"

void llm_normalise(struct llm_req *r);

/* For upstreams that refuse an answer of thinking alone: drops the assistant
 * turns that hold nothing else, nor do their neighbours of that role. Comes
 * before llm_normalise, which merges what stood around them. */
void llm_drop_lone_thinking(struct llm_req *r);

#endif
