/* SPDX-License-Identifier: MIT */
/*
 * llm_filter.h - sinks that change an answer on its way, each one thing.
 *
 *	decoder -> guard -> box -> markup -> reason -> calls -> names -> args
 *	        -> stop -> fence -> join -> tap -> encoder
 *
 * xlate.c puts in only those that a request needs. A filter keeps the grammar
 * of llm_event.h. State is in the request's arena; what is held back is
 * bounded by LLM_HOLD_MAX bytes, past it GP_E_LIMIT.
 */
#ifndef TRANSLATE_LLM_FILTER_H
#define TRANSLATE_LLM_FILTER_H

#include "shared/translate/llm_event.h"
#include "shared/translate/llm_req.h"

#define LLM_HOLD_MAX (16u << 20)

/*
 * For models that write their marks into the text: <think>...</think> in front
 * of the first text becomes a block of thinking, <|begin_of_box|> and
 * <|end_of_box|> go. Marks may be cut and escaped in any way.
 */
struct llm_sink *llm_filter_box(struct arena *a, struct llm_sink *next);

/* What becomes of tool calls that are written as text. */
enum llm_markup {
	LLM_MARKUP_OFF,
	LLM_MARKUP_RECOVER,
	LLM_MARKUP_STRIP
};

/*
 * <tool_call>NAME<arg_key>K</arg_key><arg_value>V</arg_value>...</tool_call>
 * in text becomes a tool block without id (notice recovered:tool_markup) or
 * goes (stripped:tool_markup). A value that is JSON is taken as it is, any
 * other as a string. Stays text: what names no tool of r, is not complete when
 * its block ends, or is too long to be held.
 */
struct llm_sink *llm_filter_markup(struct arena *a, const struct llm_req *r,
	struct notices *n, bool recovers, struct llm_sink *next);

/*
 * Reasoning. hide: thinking blocks do not pass. rescue: when the answer ends
 * with no text and no call, the reasoning is delivered as a text block and
 * notice `reasoning_as_text` is added. Both off: pass.
 */
struct llm_sink *llm_filter_reason(struct arena *a, struct notices *n,
	bool hide, bool rescue, struct llm_sink *next);

/* Only the first max_calls tool blocks pass; notice
 * dropped:parallel_tool_call. With 0 none passes (tool choice "none"), the
 * notice is dropped:tool_call and TOOL becomes END. */
struct llm_sink *llm_filter_calls(struct arena *a, struct notices *n,
	unsigned max_calls, struct llm_sink *next);

/* Tool names that were replaced for the upstream become the client's again. */
struct llm_sink *llm_filter_names(
	struct arena *a, const struct llm_req *r, struct llm_sink *next);

/*
 * Arguments that are no JSON object give notice invalid:tool_arguments. holds:
 * each call's arguments wait for their end, and what is no object is replaced
 * as llm_args_value does. Otherwise nothing is held, changed or copied.
 */
struct llm_sink *llm_filter_args(
	struct arena *a, struct notices *n, bool holds, struct llm_sink *next);

/*
 * Stop sequences, looked for in the decoded text of text blocks (each block by
 * itself): the text is cut before the earliest match (ties: first in the
 * list), then CLOSE, USAGE (as known) and STOP with LLM_STOP_SEQUENCE follow,
 * everything later is swallowed, and *matched becomes true so that the
 * upstream can be cancelled.
 */
struct llm_sink *llm_filter_stop(struct arena *a, const struct llm_req *r,
	bool *matched, struct llm_sink *next);

/* One code fence around a text block goes, for answers that are to be JSON;
 * notice stripped:code_fence. */
struct llm_sink *llm_filter_fence(
	struct arena *a, struct notices *n, struct llm_sink *next);

/* A high surrogate escape at the end of a DELTA waits for the next DELTA of
 * its block, so that no client sees half a character; one without a partner
 * becomes U+FFFD. */
struct llm_sink *llm_filter_join(struct arena *a, struct llm_sink *next);

#endif
