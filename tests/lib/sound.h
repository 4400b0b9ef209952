/* SPDX-License-Identifier: MIT */
/*
 * sound.h - is a conversation one that every upstream accepts?
 *
 * Says by itself what llm_normal.h promises, so that the promise is not judged
 * by the code that has to keep it.
 */
#ifndef TESTS_LIB_SOUND_H
#define TESTS_LIB_SOUND_H

#include "shared/translate/llm_req.h"

/* NULL, or a sentence about the first fault: calls without exactly one result
 * right behind them, results of no call, ids that are unclean or repeat, blank
 * turns, no user in front. */
const char *sound_fault(const struct llm_req *r);

#endif
