/* SPDX-License-Identifier: MIT */
/*
 * llm_guard.h - a sink that lets only the grammar of llm_event.h through.
 *
 * Stands behind every decoder. A violation is GP_E_STATE (the peer caused it).
 * Also makes STOP agree with what was sent: END after a tool block is TOOL,
 * TOOL without one is END; an empty DELTA is dropped, and so is a PING before
 * the start or after the end.
 */
#ifndef TRANSLATE_LLM_GUARD_H
#define TRANSLATE_LLM_GUARD_H

#include "shared/translate/llm_event.h"

struct llm_guard {
	struct llm_sink sink;
	struct llm_sink *next;
	bool started, ended, open, had_tool;
	enum llm_block block;
};

struct llm_sink *llm_guard_init(struct llm_guard *g, struct llm_sink *next);

#endif
