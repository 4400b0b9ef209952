/* SPDX-License-Identifier: MIT */
/* models.h - the models that the stand-in knows. */
#ifndef UPSTREAM_MODELS_H
#define UPSTREAM_MODELS_H

#include "shared/base/buf.h"

enum model_kind {
	MODEL_TEXT,
	MODEL_STREAMS_TOOLS, /* text, and tool_stream may be asked for */
	MODEL_VISION,
};

enum model_has {
	MODEL_NO,
	MODEL_YES,
	MODEL_ALWAYS, /* thinking that cannot be turned off */
	MODEL_ANY,    /* reasoning_effort: every word */
	MODEL_FEW,    /* reasoning_effort: low, high, max */
};

struct model {
	const char *name;
	uint64_t window_tokens, output_tokens;
	enum model_kind kind;
	enum model_has thinking, effort, tools;
};

/* NULL when the name is unknown (case counts). A claude-* name without one of
 * glmproxy's suffixes is known when is_a: that side maps them to a GLM. */
const struct model *model_find(struct span name, bool is_a);

/* The body of GET .../models: text models only, as z.ai lists them. */
void model_list(struct buf *out);

#endif
