/* SPDX-License-Identifier: MIT */
/* llm_tap.h - a sink that counts what passes and forwards it. */
#ifndef TRANSLATE_LLM_TAP_H
#define TRANSLATE_LLM_TAP_H

#include "shared/translate/llm_event.h"

struct llm_tally {
	struct llm_usage usage;
	uint32_t blocks[3];  /* by enum llm_block */
	uint64_t text_bytes; /* of all DELTAs, escapes included */
	enum llm_stop stop;
	bool has_stop, has_error;
};

struct llm_tap {
	struct llm_sink sink;
	struct llm_sink *next; /* NULL: only count */
	struct llm_tally tally;
};

struct llm_sink *llm_tap_init(struct llm_tap *t, struct llm_sink *next);

#endif
