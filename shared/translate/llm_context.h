/* SPDX-License-Identifier: MIT */
/*
 * llm_context.h - what a client is told of tokens and of the context window.
 *
 * Clients compact by the window that they assume for a model. Where the real
 * one is another, counts are scaled, so that a client's percentage is the true
 * one; the unscaled numbers stand beside them.
 */
#ifndef TRANSLATE_LLM_CONTEXT_H
#define TRANSLATE_LLM_CONTEXT_H

#include "shared/json/jout.h"
#include "shared/translate/llm_event.h"

/* The factor to/from; both above 0, both at most LLM_TOKENS_MAX / 1000. */
struct llm_scale {
	int64_t to, from;
};

#define LLM_SCALE_NONE ((struct llm_scale){ 1, 1 })

/* Some of the conversation was left out. */
struct llm_removed {
	int64_t original_tokens; /* before that */
	int64_t messages;        /* of the client's; 0: nothing was */
	const char *reason;
};

struct llm_context {
	struct llm_scale scale;
	bool is_shown;  /* in the bodies of answers */
	bool is_vision; /* the model sees images */
	int64_t limit;  /* tokens of the model's window; 0 is unknown */
	struct llm_removed removed;
};

/* How full the window is. */
struct llm_fill {
	int64_t input, output; /* real tokens; -1: not known */
	bool is_estimate;
};

/* n by the factor, rounded up; 0 and below stay as they are. Monotone. */
int64_t llm_scale_tokens(int64_t n, struct llm_scale f);

/*
 * Counts as the client sees them. The input with its cached parts is scaled in
 * one, the parts for themselves, and what is not cached is the difference: sums
 * hold, and no part is above the whole. What is not said stays so.
 */
struct llm_usage llm_scale_usage(
	const struct llm_usage *real, struct llm_scale f);

/* What of the window is used: input with its cached parts; not said if input is
 * not. */
struct llm_fill llm_fill_of(const struct llm_usage *real);

/* The member "context_info"; nothing if it is not shown or nothing is known. */
void llm_context_put_info(struct jout *j, const struct llm_context *c,
	const struct llm_fill *fill, bool with_output);
/* The members that go into a usage object. */
void llm_context_put_usage(struct jout *j, const struct llm_context *c,
	const struct llm_fill *fill);
/* The value of a header field: "used=...; limit=...; pct=...; level=...;
 * estimated=0"; nothing where nothing is known. Not subject to is_shown. */
void llm_context_put_field(struct buf *to, const struct llm_context *c,
	const struct llm_fill *fill);

#endif
